/* FFVHUFF videos packed again as FFV1, compared pixel by pixel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>

#include "publish/recording/archive.h"

struct reader {
    const char *path;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    int stream;
    bool draining;
};

struct writer {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
};

static int fail_av(int code, const char *path, const char *what, struct tf_error *err)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];

    av_strerror(code, reason, sizeof(reason));
    return tf_fail(err,
                   code == AVERROR(ENOSPC)   ? -ENOSPC
                   : code == AVERROR(ENOMEM) ? -ENOMEM
                                             : -EIO,
                   "%s: %s: %s", path, what, reason);
}

static void reader_close(struct reader *r)
{
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    avcodec_free_context(&r->codec);
    avformat_close_input(&r->format);
}

static int reader_open(struct reader *r, const char *path, struct tf_error *err)
{
    const AVCodec *decoder = NULL;
    int code;

    r->path = path;
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    code = r->packet && r->frame ? avformat_open_input(&r->format, path, NULL, NULL) : AVERROR(ENOMEM);
    if (code >= 0)
        code = avformat_find_stream_info(r->format, NULL);
    if (code >= 0)
        code = r->stream = av_find_best_stream(r->format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (code >= 0) {
        r->codec = avcodec_alloc_context3(decoder);
        code = r->codec ? avcodec_parameters_to_context(r->codec, r->format->streams[r->stream]->codecpar)
                        : AVERROR(ENOMEM);
    }
    if (code >= 0) {
        r->codec->thread_count = 1;
        r->codec->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
        code = avcodec_open2(r->codec, decoder, NULL);
    }
    return code < 0 ? fail_av(code, path, "cannot be read", err) : 0;
}

/* 1: a frame is in r->frame; 0: the end. */
static int reader_next(struct reader *r, struct tf_error *err)
{
    for (;;) {
        int code = avcodec_receive_frame(r->codec, r->frame);

        if (code >= 0)
            return 1;
        if (code == AVERROR_EOF)
            return 0;
        if (code != AVERROR(EAGAIN))
            return fail_av(code, r->path, "a frame cannot be decoded", err);
        code = av_read_frame(r->format, r->packet);
        if (code == AVERROR_EOF)
            code = avcodec_send_packet(r->codec, NULL);
        else if (code >= 0 && r->packet->stream_index == r->stream)
            code = avcodec_send_packet(r->codec, r->packet);
        av_packet_unref(r->packet);
        if (code < 0)
            return fail_av(code, r->path, "a frame cannot be decoded", err);
    }
}

static void writer_close(struct writer *w)
{
    if (w->format)
        avio_closep(&w->format->pb);
    avformat_free_context(w->format);
    avcodec_free_context(&w->codec);
    av_packet_free(&w->packet);
}

static int writer_open(struct writer *w, const char *path, const struct reader *from, int threads,
                       struct tf_error *err)
{
    const AVStream *in = from->format->streams[from->stream];
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_FFV1);
    AVDictionary *options = NULL;
    AVStream *out;
    int code;

    w->packet = av_packet_alloc();
    w->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!w->codec || !w->packet || avformat_alloc_output_context2(&w->format, NULL, "matroska", NULL) < 0)
        return tf_fail(err, -ENOTSUP, "%s: this FFmpeg cannot write FFV1 in Matroska", path);
    w->codec->width = from->codec->width;
    w->codec->height = from->codec->height;
    w->codec->pix_fmt = from->codec->pix_fmt;
    w->codec->color_range = from->codec->color_range;
    w->codec->time_base = in->time_base;
    w->codec->thread_count = threads > 0 ? threads : 1;
    w->codec->thread_type = FF_THREAD_SLICE;
    w->codec->flags = AV_CODEC_FLAG_GLOBAL_HEADER;
    w->codec->level = 3;
    w->codec->gop_size = 1;
    av_dict_set(&options, "slices", w->codec->width >= 64 && w->codec->height >= 64 ? "4" : "1", 0);
    av_dict_set(&options, "slicecrc", "1", 0);
    if (w->codec->pix_fmt == AV_PIX_FMT_GRAY16LE)
        av_dict_set(&options, "coder", "range_tab", 0); /* the only one for more than 8 bits */
    code = avcodec_open2(w->codec, codec, &options);
    av_dict_free(&options);
    out = code >= 0 ? avformat_new_stream(w->format, NULL) : NULL;
    if (code >= 0)
        code = out ? avcodec_parameters_from_context(out->codecpar, w->codec) : AVERROR(ENOMEM);
    if (code >= 0) {
        out->time_base = in->time_base;
        out->avg_frame_rate = in->avg_frame_rate;
        code = av_dict_copy(&w->format->metadata, from->format->metadata, 0);
    }
    if (code >= 0)
        code = avio_open(&w->format->pb, path, AVIO_FLAG_WRITE);
    if (code >= 0)
        code = avformat_write_header(w->format, NULL);
    return code < 0 ? fail_av(code, path, "cannot be written", err) : 0;
}

/* `frame` NULL: the end. */
static int writer_put(struct writer *w, const char *path, AVFrame *frame, struct tf_error *err)
{
    int code;

    if (frame) {
        frame->pict_type = AV_PICTURE_TYPE_NONE;
        frame->pts = frame->best_effort_timestamp;
    }
    code = avcodec_send_frame(w->codec, frame);
    while (code >= 0) {
        code = avcodec_receive_packet(w->codec, w->packet);
        if (code < 0)
            break;
        w->packet->stream_index = 0;
        av_packet_rescale_ts(w->packet, w->codec->time_base, w->format->streams[0]->time_base);
        code = av_interleaved_write_frame(w->format, w->packet);
    }
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
        code = 0;
    if (code >= 0 && !frame)
        code = av_write_trailer(w->format);
    return code < 0 ? fail_av(code, path, "cannot be written", err) : 0;
}

static int pack(const char *path, const char *fresh, int threads, bool (*progress)(void *context),
                void *context, struct tf_error *err)
{
    struct reader in = {0};
    struct writer out = {0};
    int code, next = 0;

    code = reader_open(&in, path, err);
    if (code == 0)
        code = writer_open(&out, fresh, &in, threads, err);
    while (code == 0 && (next = reader_next(&in, err)) > 0) {
        code = writer_put(&out, fresh, in.frame, err);
        if (code == 0 && progress && progress(context))
            code = tf_fail(err, -ECANCELED, "%s: stopped; the video is as it was", path);
    }
    if (code == 0)
        code = next;
    if (code == 0)
        code = writer_put(&out, fresh, NULL, err);
    writer_close(&out);
    reader_close(&in);
    return code;
}

static bool same_picture(const AVFrame *a, const AVFrame *b)
{
    int widths[4];

    if (a->format != b->format || a->width != b->width || a->height != b->height ||
        a->best_effort_timestamp != b->best_effort_timestamp ||
        av_image_fill_linesizes(widths, a->format, a->width) < 0)
        return false;
    for (int p = 0; p < 4 && widths[p]; p++) {
        /* Halved planes are those of 4:2:0; counted up as the library does. */
        int rows = p && a->format == AV_PIX_FMT_YUV420P ? (a->height + 1) / 2 : a->height;

        for (int y = 0; y < rows; y++)
            if (memcmp(a->data[p] + (ptrdiff_t)y * a->linesize[p], b->data[p] + (ptrdiff_t)y * b->linesize[p],
                       (size_t)widths[p]) != 0)
                return false;
    }
    return true;
}

static int compare(const char *path, const char *fresh, bool (*progress)(void *context), void *context,
                   uint64_t *frames, struct tf_error *err)
{
    struct reader a = {0}, b = {0};
    int code, x = 0, y = 0;

    code = reader_open(&a, path, err);
    if (code == 0)
        code = reader_open(&b, fresh, err);
    if (code == 0 && a.format->streams[a.stream]->time_base.den != b.format->streams[b.stream]->time_base.den)
        code = tf_fail(err, -EIO, "%s: another time base", fresh);
    while (code == 0) {
        x = reader_next(&a, err);
        y = x < 0 ? x : reader_next(&b, err);
        if (x < 0 || y < 0)
            code = x < 0 ? x : y;
        else if (x != y || (x && !same_picture(a.frame, b.frame)))
            code =
                tf_fail(err, -EIO, "%s: frame %llu is not the same after packing: the video stays as it was",
                        path, (unsigned long long)*frames);
        else if (!x)
            break;
        else if (progress && progress(context))
            code = tf_fail(err, -ECANCELED, "%s: stopped; the video is as it was", path);
        else
            (*frames)++;
    }
    reader_close(&a);
    reader_close(&b);
    return code;
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return -errno;
    if (fsync(fd) < 0)
        r = -errno;
    close(fd);
    return r;
}

int tf_archive_video(const char *path, int threads, bool (*progress)(void *context), void *context,
                     struct tf_archive_result *ret, struct tf_error *err)
{
    struct tf_archive_result result = {0};
    struct reader look = {0};
    char fresh[4096 + 16];
    enum AVCodecID codec = AV_CODEC_ID_NONE;
    struct stat st;
    int code;

    code = reader_open(&look, path, err);
    if (code == 0)
        codec = look.codec->codec_id;
    reader_close(&look);
    if (code < 0)
        return code;
    if (stat(path, &st) == 0)
        result.bytes_before = result.bytes_after = (uint64_t)st.st_size;
    if (codec != AV_CODEC_ID_FFVHUFF) {
        *ret = result;
        return 0;
    }
    if ((size_t)snprintf(fresh, sizeof(fresh), "%s.part", path) >= sizeof(fresh))
        return tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", path);
    code = pack(path, fresh, threads, progress, context, err);
    if (code == 0)
        code = compare(path, fresh, progress, context, &result.frames, err);
    if (code == 0) {
        code = sync_file(fresh);
        if (code == 0 && stat(fresh, &st) == 0)
            result.bytes_after = (uint64_t)st.st_size;
        if (code == 0 && rename(fresh, path) < 0)
            code = -errno;
        if (code < 0)
            tf_fail(err, code, "%s: cannot be put in its place: %s", fresh, strerror(-code));
    }
    if (code < 0) {
        unlink(fresh);
        return code;
    }
    result.packed = true;
    *ret = result;
    return 0;
}
