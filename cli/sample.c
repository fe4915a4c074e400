/*
 * thermoface sample: a recording to try things on without a camera. A rendered thermal face, as a camera
 * would record it: 16-bit pictures in the format's own values, turned as the camera is mounted, FFV1 in
 * Matroska.
 */
#include <errno.h>
#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/source.h"
#include "cli/commands.h"

struct sample {
    const char *path;
    struct tf_source *source;
    const struct tf_source_info *info;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVFrame *picture;
    AVPacket *packet;
    uint64_t frames;
};

static int fail_av(const struct sample *s, int code, const char *what, struct tf_error *err)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];

    av_strerror(code, reason, sizeof(reason));
    return tf_fail(err, -EIO, "%s: %s: %s", s->path, what, reason);
}

static int open_file(struct sample *s, struct tf_error *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_FFV1);
    AVDictionary *coder = NULL;
    bool wide = s->info->pixel == TF_PIXEL_U16;
    int r;

    if (!codec)
        return tf_fail(err, -ENOTSUP, "this libavcodec has no FFV1 encoder");
    r = avformat_alloc_output_context2(&s->format, NULL, "matroska", s->path);
    if (r < 0)
        return fail_av(s, r, "no Matroska file", err);
    s->codec = avcodec_alloc_context3(codec);
    s->stream = avformat_new_stream(s->format, NULL);
    s->picture = av_frame_alloc();
    s->packet = av_packet_alloc();
    if (!s->codec || !s->stream || !s->picture || !s->packet)
        return tf_fail(err, -ENOMEM, "out of memory");
    s->codec->width = s->info->width;
    s->codec->height = s->info->height;
    s->codec->pix_fmt = wide ? AV_PIX_FMT_GRAY16LE : AV_PIX_FMT_GRAY8;
    s->codec->time_base = (AVRational){1, 1000};
    s->codec->framerate = av_d2q((double)s->info->fps, 60000);
    s->codec->level = 3;
    s->codec->flags |= s->format->oformat->flags & AVFMT_GLOBALHEADER ? AV_CODEC_FLAG_GLOBAL_HEADER : 0;
    /* More than 8 bits need the range coder; libavcodec would say so. */
    av_dict_set(&coder, "coder", "range_def", 0);
    r = avcodec_open2(s->codec, codec, &coder);
    av_dict_free(&coder);
    if (r >= 0)
        r = avcodec_parameters_from_context(s->stream->codecpar, s->codec);
    s->stream->time_base = s->codec->time_base;
    s->stream->avg_frame_rate = s->codec->framerate;
    if (r >= 0)
        r = avio_open(&s->format->pb, s->path, AVIO_FLAG_WRITE);
    if (r >= 0)
        r = avformat_write_header(s->format, NULL);
    return r < 0 ? fail_av(s, r, "cannot be written", err) : 0;
}

static int take_packets(struct sample *s, struct tf_error *err)
{
    int r;

    while ((r = avcodec_receive_packet(s->codec, s->packet)) >= 0) {
        av_packet_rescale_ts(s->packet, s->codec->time_base, s->stream->time_base);
        s->packet->stream_index = 0;
        r = av_interleaved_write_frame(s->format, s->packet);
        if (r < 0)
            return fail_av(s, r, "cannot be written", err);
    }
    return r == AVERROR(EAGAIN) || r == AVERROR_EOF ? 0 : fail_av(s, r, "cannot be encoded", err);
}

static int write_frame(struct sample *s, const struct tf_frame *frame, struct tf_error *err)
{
    int r;

    s->picture->format = s->codec->pix_fmt;
    s->picture->width = frame->width;
    s->picture->height = frame->height;
    r = av_frame_get_buffer(s->picture, 0);
    if (r < 0)
        return tf_fail(err, -ENOMEM, "out of memory");
    for (int y = 0; y < frame->height; y++)
        memcpy(s->picture->data[0] + (ptrdiff_t)y * s->picture->linesize[0],
               frame->plane[0] + (size_t)y * frame->stride[0],
               (size_t)frame->width * (frame->pixel == TF_PIXEL_U16 ? 2 : 1));
    s->picture->pts = llround((double)s->frames++ * 1000 / (double)s->info->fps);
    r = avcodec_send_frame(s->codec, s->picture);
    av_frame_unref(s->picture);
    return r < 0 ? fail_av(s, r, "cannot be encoded", err) : take_packets(s, err);
}

static int record(struct sample *s, struct tf_error *err)
{
    struct tf_frame *frame;
    enum tf_next next = TF_NEXT_END;
    int r = tf_source_start(s->source, err);

    while (r == 0 && !tf_interrupted() &&
           (next = tf_source_next(s->source, -1, &frame, err)) == TF_NEXT_FRAME) {
        r = write_frame(s, frame, err);
        tf_frame_unref(frame);
    }
    if (r == 0 && next == TF_NEXT_ERROR)
        r = -EIO;
    if (r == 0) {
        avcodec_send_frame(s->codec, NULL);
        r = take_packets(s, err);
    }
    if (r == 0 && (r = av_write_trailer(s->format)) < 0)
        r = fail_av(s, r, "cannot be written", err);
    return r;
}

static void destroy(struct sample *s)
{
    if (s->format)
        avio_closep(&s->format->pb);
    avformat_free_context(s->format);
    avcodec_free_context(&s->codec);
    av_frame_free(&s->picture);
    av_packet_free(&s->packet);
    tf_source_close(s->source);
}

static int make(const struct tf_usage *usage, const struct tf_source_options *options, const char *path)
{
    struct sample s = {.path = path};
    struct tf_error err = {0};
    struct stat st;
    bool made = false;
    int r = tf_source_open(options, &s.source, &err);

    if (r < 0)
        goto out;
    s.info = tf_source_info(s.source);
    if (s.info->pixel != TF_PIXEL_U16 && s.info->pixel != TF_PIXEL_U8) {
        r = tf_fail(&err, -ENOTSUP, "--format %s: its pictures are in colour; take a row of gray ones",
                    s.info->format->name);
        goto out;
    }
    r = open_file(&s, &err);
    made = s.format && s.format->pb;
    if (r == 0)
        r = record(&s, &err);
out:
    if (r == 0) {
        fprintf(stderr,
                "%s: %llu frame%s, %.1f s, %ux%u\n"
                "Try: thermoface run %s --format %s%s%.0u --csv out.csv --video out.mkv\n",
                path, (unsigned long long)s.frames, TF_PLURAL(s.frames),
                (double)s.frames / (double)s.info->fps, s.info->width, s.info->height, path,
                s.info->format->name, s.info->rotate ? " --rotate " : "", s.info->rotate);
    }
    destroy(&s);
    /* Half a file helps nobody; a device or a pipe is not ours to remove. */
    if (r < 0 && made && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        unlink(path);
    return r < 0 ? tf_command_error(usage, "%s", *err.text ? err.text : strerror(-r)) : TF_EXIT_OK;
}

int tf_cmd_sample(int argc, char **argv)
{
    const char *format = "lepton3-y16", *source = "synthetic:fps=9", *arguments[TF_ARGUMENTS_MAX];
    uint64_t seconds = 10;
    uint16_t rotate = 90;
    bool overwrite = false;
    const struct tf_bind bind[] = {
        {"seconds", &seconds}, {"format", &format},       {"rotate", &rotate},
        {"source", &source},   {"overwrite", &overwrite}, {0},
    };
    const struct tf_usage *usage = tf_command("sample");
    struct tf_source_options options = {.pace = TF_PACE_FAST};
    struct tf_source *probe = NULL;
    struct tf_error err = {0};
    float fps;
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    if (strcmp(source, "synthetic") != 0 && strncmp(source, "synthetic:", 10) != 0)
        return tf_usage_error(usage, "--source %s: must be synthetic or synthetic:KEY=VALUE,…", source);
    status = tf_output_check(usage, arguments[0], overwrite);
    if (status)
        return status;
    options.url = source;
    options.format = format;
    options.rotate = rotate;
    /* The rate says how many frames the seconds are. */
    if (tf_source_open(&options, &probe, &err) < 0)
        return tf_command_error(usage, "%s", err.text);
    fps = tf_source_info(probe)->fps;
    tf_source_close(probe);
    options.limit = (uint64_t)ceil((double)seconds * (double)fps);
    tf_catch_interrupt();
    return make(usage, &options, arguments[0]);
}
