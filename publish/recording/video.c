/* The raw video of a recording. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "base/clock.h"
#include "publish/recording/video.h"

#define IO_BUFFER (64u << 10)
/* FFV1 needs about 50 ns a pixel on one core: a quarter of a core. */
#define FFV1_PIXELS_PER_S 5e6
#define FPS_UNKNOWN 30

struct tf_raw_video {
    struct tf_disk_file *file;
    AVCodecContext *codec;
    AVFormatContext *format;
    AVStream *stream;
    AVFrame *planar; /* for packed pictures, else NULL */
    AVFrame *lent;   /* shows the captured memory as it is */
    AVPacket *packet;
    const char *name;
    enum tf_pixel pixel;
    int64_t last_ms;
    bool header, ended;
};

static int write_bytes(void *opaque, uint8_t *data, int size)
{
    return tf_disk_write(opaque, data, (size_t)size, true) < 0 ? AVERROR(EIO) : size;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    if (whence & AVSEEK_SIZE)
        return tf_disk_size(opaque);
    return tf_disk_seek(opaque, offset, whence & ~AVSEEK_FORCE);
}

static int fail_av(int code, const char *what, struct tf_error *err)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];

    av_strerror(code, reason, sizeof(reason));
    return tf_fail(err, code == AVERROR(ENOMEM) ? -ENOMEM : -EIO, "the raw video: %s: %s", what, reason);
}

static enum AVPixelFormat stored_as(enum tf_pixel pixel)
{
    switch (pixel) {
    case TF_PIXEL_U16:
        return AV_PIX_FMT_GRAY16LE;
    case TF_PIXEL_U8:
        return AV_PIX_FMT_GRAY8;
    case TF_PIXEL_YUYV:
    case TF_PIXEL_UYVY:
        return AV_PIX_FMT_YUV422P;
    case TF_PIXEL_NV12:
    case TF_PIXEL_YUV420:
        return AV_PIX_FMT_YUV420P;
    }
    return AV_PIX_FMT_NONE;
}

static const char *choose(const struct tf_recording_options *o)
{
    double fps = o->fps > 0 ? (double)o->fps : FPS_UNKNOWN;

    if (o->visible_h264 && o->pixel != TF_PIXEL_U16 && o->pixel != TF_PIXEL_U8)
        return "libx264";
    if (o->codec == TF_RECORDING_FFV1)
        return "ffv1";
    if (o->codec == TF_RECORDING_FFVHUFF)
        return "ffvhuff";
    return o->width * o->height * fps <= FFV1_PIXELS_PER_S ? "ffv1" : "ffvhuff";
}

static int open_codec(struct tf_raw_video *v, const struct tf_recording_options *o, struct tf_error *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(v->name);
    AVDictionary *options = NULL;
    int r;

    if (!codec)
        return tf_fail(err, -ENOTSUP, "the raw video: this libavcodec has no encoder %s", v->name);
    v->codec = avcodec_alloc_context3(codec);
    if (!v->codec)
        return fail_av(AVERROR(ENOMEM), v->name, err);
    v->codec->width = o->width;
    v->codec->height = o->height;
    v->codec->pix_fmt = stored_as(o->pixel);
    if (o->full_range && o->pixel != TF_PIXEL_U16 && o->pixel != TF_PIXEL_U8)
        v->codec->color_range = AVCOL_RANGE_JPEG;
    v->codec->time_base = (AVRational){1, 1000};
    v->codec->thread_count = 1;
    v->codec->flags = AV_CODEC_FLAG_GLOBAL_HEADER;
    if (strcmp(v->name, "ffv1") == 0) {
        v->codec->level = 3;
        v->codec->gop_size = 1;
        av_dict_set(&options, "slices", o->width >= 64 && o->height >= 64 ? "4" : "1", 0);
        av_dict_set(&options, "slicecrc", "1", 0);
        if (o->pixel == TF_PIXEL_U16)
            av_dict_set(&options, "coder", "range_tab", 0); /* the only one for more than 8 bits */
    } else if (strcmp(v->name, "libx264") == 0) {
        v->codec->gop_size = (int)(o->fps > 0 ? o->fps + 0.5f : FPS_UNKNOWN);
        av_dict_set(&options, "preset", "veryfast", 0);
        av_dict_set(&options, "tune", "zerolatency", 0);
        av_dict_set(&options, "crf", "16", 0);
    }
    r = avcodec_open2(v->codec, codec, &options);
    av_dict_free(&options);
    if (r < 0)
        return fail_av(r, v->name, err);
    return 0;
}

static void tag(AVDictionary **tags, const char *key, const char *value)
{
    if (value && *value)
        av_dict_set(tags, key, value, 0);
}

static void tag_number(AVDictionary **tags, const char *key, double value)
{
    char text[40];

    if (!isfinite(value))
        return;
    snprintf(text, sizeof(text), "%.9g", value);
    av_dict_set(tags, key, text, 0);
}

static void describe(const struct tf_recording_options *o, AVDictionary **tags)
{
    char text[TF_UTC_TEXT];

    tf_utc_format(o->t_start_utc_ns, text);
    tag(tags, "creation_time", text);
    tag(tags, "CAMERA", o->camera);
    tag(tags, "FORMAT_ROW", o->format);
    tag(tags, "SOURCE", o->source_name);
    tag(tags, "SOURCE_IDENTITY", o->source_identity);
    tag_number(tags, "ROTATE_CLOCKWISE", o->rotate);
    tag_number(tags, "FLIP_HORIZONTALLY", o->flip);
    if (o->radiometry.valid) {
        tag_number(tags, "CELSIUS_SCALE", (double)o->radiometry.scale);
        tag_number(tags, "CELSIUS_OFFSET", (double)o->radiometry.offset);
    }
    tag_number(tags, "SESSION_START_MONO_NS", (double)o->t_start_ns);
    tag_number(tags, "EMISSIVITY", o->emissivity);
    tag_number(tags, "DISTANCE_TO_OBJECT_M", o->distance_m);
    tag_number(tags, "REFLECTED_AMBIENT_TEMPERATURE_C", o->reflected_c);
    tag_number(tags, "ATMOSPHERIC_TEMPERATURE_C", o->room_c);
    tag_number(tags, "RELATIVE_HUMIDITY_PERCENT", o->humidity_percent);
    tag(tags, "COMMENT", o->note);
}

static int open_format(struct tf_raw_video *v, const struct tf_recording_options *o, uint64_t first_frame,
                       struct tf_error *err)
{
    AVDictionary *options = NULL;
    char start[32];
    uint8_t *buffer;
    int r;

    if (avformat_alloc_output_context2(&v->format, NULL, "matroska", NULL) < 0)
        return tf_fail(err, -ENOTSUP, "the raw video: this libavformat cannot write Matroska");
    buffer = av_malloc(IO_BUFFER);
    if (!buffer)
        return fail_av(AVERROR(ENOMEM), "Matroska", err);
    v->format->pb = avio_alloc_context(buffer, IO_BUFFER, 1, v->file, NULL, write_bytes, seek_bytes);
    if (!v->format->pb) {
        av_free(buffer);
        return fail_av(AVERROR(ENOMEM), "Matroska", err);
    }
    v->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_FLUSH_PACKETS;
    v->stream = avformat_new_stream(v->format, NULL);
    if (!v->stream)
        return fail_av(AVERROR(ENOMEM), "Matroska", err);
    r = avcodec_parameters_from_context(v->stream->codecpar, v->codec);
    if (r < 0)
        return fail_av(r, v->name, err);
    v->stream->time_base = (AVRational){1, 1000};
    if (o->fps > 0)
        v->stream->avg_frame_rate = av_d2q((double)o->fps, 60000);
    describe(o, &v->format->metadata);
    /* A double has no room for nanoseconds of weeks: this one in full. */
    snprintf(start, sizeof(start), "%llu", (unsigned long long)o->t_start_ns);
    av_dict_set(&v->format->metadata, "SESSION_START_MONO_NS", start, 0);
    snprintf(start, sizeof(start), "%llu", (unsigned long long)first_frame);
    av_dict_set(&v->format->metadata, "FIRST_FRAME", start, 0);
    /* Whole clusters only can be read after a crash: short ones. */
    av_dict_set(&options, "cluster_time_limit", "200", 0);
    r = avformat_write_header(v->format, &options);
    av_dict_free(&options);
    if (r < 0)
        return fail_av(r, "the header", err);
    v->header = true;
    avio_flush(v->format->pb);
    return 0;
}

int tf_raw_video_create(const struct tf_recording_options *o, struct tf_disk_file *file, uint64_t first_frame,
                        struct tf_raw_video **ret, struct tf_error *err)
{
    struct tf_raw_video *v = calloc(1, sizeof(*v));
    int r;

    if (!v)
        return tf_fail(err, -ENOMEM, "the raw video: out of memory");
    v->file = file;
    v->pixel = o->pixel;
    v->name = choose(o);
    v->last_ms = -1;
    v->lent = av_frame_alloc();
    v->packet = av_packet_alloc();
    r = v->lent && v->packet ? open_codec(v, o, err) : fail_av(AVERROR(ENOMEM), v->name, err);
    if (r == 0 && (o->pixel == TF_PIXEL_YUYV || o->pixel == TF_PIXEL_UYVY || o->pixel == TF_PIXEL_NV12)) {
        v->planar = av_frame_alloc();
        if (v->planar) {
            v->planar->format = stored_as(o->pixel);
            v->planar->width = o->width;
            v->planar->height = o->height;
        }
        if (!v->planar || av_frame_get_buffer(v->planar, 0) < 0)
            r = fail_av(AVERROR(ENOMEM), v->name, err);
    }
    if (r == 0)
        r = open_format(v, o, first_frame, err);
    if (r < 0) {
        tf_raw_video_destroy(v);
        return r;
    }
    *ret = v;
    return 0;
}

const char *tf_raw_video_codec(const struct tf_raw_video *v)
{
    return v->name;
}

static void release_frame(void *opaque, uint8_t *data)
{
    tf_frame_unref(opaque);
}

/* Shows captured memory to the encoder without a copy. */
static int lend(struct tf_raw_video *v, struct tf_frame *f)
{
    AVFrame *a = v->lent;

    a->format = stored_as(f->pixel);
    a->width = f->width;
    a->height = f->height;
    for (int i = 0; i < TF_FRAME_PLANES; i++) {
        a->data[i] = f->plane[i];
        a->linesize[i] = (int)f->stride[i];
    }
    a->buf[0] = av_buffer_create(f->plane[0], (size_t)f->stride[0] * f->height, release_frame, f,
                                 AV_BUFFER_FLAG_READONLY);
    if (!a->buf[0])
        return AVERROR(ENOMEM);
    tf_frame_ref(f);
    return 0;
}

/* The same samples in planes of their own: nothing is computed, so nothing is lost. */
static int unpack(struct tf_raw_video *v, const struct tf_frame *f)
{
    AVFrame *a = v->planar;
    int r = av_frame_make_writable(a);
    int y0 = f->pixel == TF_PIXEL_UYVY, half = f->width / 2;

    if (r < 0)
        return r;
    for (int y = 0; y < f->height; y++) {
        const uint8_t *s = f->plane[0] + (size_t)y * f->stride[0];
        uint8_t *d = a->data[0] + (ptrdiff_t)y * a->linesize[0];

        if (f->pixel == TF_PIXEL_NV12) {
            memcpy(d, s, f->width);
            continue;
        }
        for (int x = 0; x < f->width; x++)
            d[x] = s[2 * x + y0];
        for (int x = 0; x < half; x++) {
            a->data[1][(ptrdiff_t)y * a->linesize[1] + x] = s[4 * x + 1 - y0];
            a->data[2][(ptrdiff_t)y * a->linesize[2] + x] = s[4 * x + 3 - y0];
        }
    }
    for (int y = 0; f->pixel == TF_PIXEL_NV12 && y < f->height / 2; y++) {
        const uint8_t *s = f->plane[1] + (size_t)y * f->stride[1];

        for (int x = 0; x < half; x++) {
            a->data[1][(ptrdiff_t)y * a->linesize[1] + x] = s[2 * x];
            a->data[2][(ptrdiff_t)y * a->linesize[2] + x] = s[2 * x + 1];
        }
    }
    return 0;
}

static int write_packets(struct tf_raw_video *v, struct tf_error *err)
{
    for (;;) {
        int r = avcodec_receive_packet(v->codec, v->packet);

        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return 0;
        if (r < 0)
            return fail_av(r, "a frame cannot be encoded", err);
        v->packet->stream_index = v->stream->index;
        if (strcmp(v->name, "libx264") != 0)
            v->packet->flags |= AV_PKT_FLAG_KEY;
        r = av_write_frame(v->format, v->packet);
        av_packet_unref(v->packet);
        if (r < 0)
            return fail_av(r, "a frame cannot be written", err);
    }
}

int tf_raw_video_write(struct tf_raw_video *v, struct tf_frame *frame, uint64_t t_ns, bool *back,
                       struct tf_error *err)
{
    int64_t ms = (int64_t)((t_ns + 500000) / 1000000);
    AVFrame *a;
    int r;

    *back = ms <= v->last_ms;
    if (*back)
        ms = v->last_ms + 1;
    v->last_ms = ms;
    a = v->planar ? v->planar : v->lent;
    r = v->planar ? unpack(v, frame) : lend(v, frame);
    if (r < 0)
        return fail_av(r, "a frame cannot be encoded", err);
    a->pts = ms;
    r = avcodec_send_frame(v->codec, a);
    if (!v->planar)
        av_frame_unref(v->lent);
    if (r < 0)
        return fail_av(r, "a frame cannot be encoded", err);
    return write_packets(v, err);
}

int tf_raw_video_finish(struct tf_raw_video *v, struct tf_error *err)
{
    int r;

    if (v->ended)
        return 0;
    v->ended = true;
    avcodec_send_frame(v->codec, NULL);
    r = write_packets(v, err);
    if (v->header) {
        int t = av_write_trailer(v->format);

        avio_flush(v->format->pb);
        if (t < 0 && r == 0)
            r = fail_av(t, "the end", err);
    }
    return r;
}

void tf_raw_video_destroy(struct tf_raw_video *v)
{
    if (!v)
        return;
    av_frame_free(&v->lent);
    av_frame_free(&v->planar);
    av_packet_free(&v->packet);
    avcodec_free_context(&v->codec);
    if (v->format && v->format->pb) {
        av_freep(&v->format->pb->buffer);
        avio_context_free(&v->format->pb);
    }
    avformat_free_context(v->format);
    free(v);
}
