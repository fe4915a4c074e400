/* H.264 through libavcodec. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>

#include "publish/video/codec.h"
#include "publish/video/encoder.h"
#include "publish/video/h264.h"
#include "publish/video/hardware.h"

/* Pictures that an encoder may hold before their packets come out: more than any look-ahead we would accept.
 */
#define TF_ENCODER_PENDING 64
#define TF_ENCODER_DIM_MIN 16
#define TF_ENCODER_DIM_MAX 8192
#define TF_ENCODER_PARAMETERS_MAX 1024 /* SPS and PPS; a pair is below 100 bytes */

struct tf_encoder {
    AVCodecContext *codec;
    AVFrame *frame;     /* the picture as the codec takes it */
    AVFrame *uploaded;  /* the same in a device's memory */
    AVBufferRef *lent;  /* the drawing's own memory, of encoders that have copied it when they return */
    uint8_t *lent_from; /* where that begins */
    bool lends, uploads;
    AVPacket *packet;
    int64_t next_pts;
    struct {
        int64_t pts;
        uint64_t t_mono_ns, frame;
    } pending[TF_ENCODER_PENDING];

    uint8_t extradata[TF_ENCODER_PARAMETERS_MAX];
    size_t extradata_size;
    uint8_t *joined; /* parameters and a key picture in one piece, for encoders that do not repeat them */
    size_t joined_size;
};

int tf_encoder_probe(const struct tf_encoder_options *options, struct tf_error *err)
{
    struct tf_encoder_options o = *options;
    struct tf_encoder *encoder = NULL;
    const AVCodec *codec;
    int r = tf_codec_find(&o, &codec, err);

    /* Libraries' encoders (libx264) open wherever they are; what else there is drives hardware. */
    if (r < 0 || strncmp(codec->name, "lib", 3) == 0)
        return r;
    o.width = 640;
    o.height = 480;
    o.fps = o.fps > 0 ? o.fps : 25;
    r = tf_encoder_create(&o, &encoder, err);
    tf_encoder_destroy(encoder);
    return r;
}

static int check_options(const struct tf_encoder_options *o, struct tf_error *err)
{
    if (o->width < TF_ENCODER_DIM_MIN || o->height < TF_ENCODER_DIM_MIN || o->width > TF_ENCODER_DIM_MAX ||
        o->height > TF_ENCODER_DIM_MAX || o->width % 2 || o->height % 2)
        return tf_fail(err, -EINVAL, "encoder: %ux%u: width and height must be even and from %d to %d",
                       o->width, o->height, TF_ENCODER_DIM_MIN, TF_ENCODER_DIM_MAX);
    if (!(o->fps > 0 && o->fps <= 1000))
        return tf_fail(err, -EINVAL, "encoder: %g frames/s: must be above 0 and at most 1000",
                       (double)o->fps);
    if (o->bitrate_kbps > 1000000)
        return tf_fail(err, -EINVAL, "encoder: %u kbit/s: at most 1000000", o->bitrate_kbps);
    if (o->quality > 51)
        return tf_fail(err, -EINVAL, "encoder: quality %u: must be 1 (best) to 51", o->quality);
    if (o->threads < 0 || o->threads > 64)
        return tf_fail(err, -EINVAL, "encoder: %d threads: must be 0 to 64", o->threads);
    return 0;
}

static int open_codec(struct tf_encoder *e, const AVCodec *codec, const struct tf_encoder_options *o,
                      struct tf_error *err)
{
    AVDictionary *dictionary = NULL;
    char reason[AV_ERROR_MAX_STRING_SIZE];
    uint32_t gop = o->gop ? o->gop : (uint32_t)lrintf(2 * o->fps);
    int r;

    e->codec = avcodec_alloc_context3(codec);
    if (!e->codec)
        return -ENOMEM;
    e->codec->width = (int)o->width;
    e->codec->height = (int)o->height;
    e->uploads = tf_hardware_needed(codec);
    if (e->uploads) {
        r = tf_hardware_attach(e->codec, o->device, err);
        if (r < 0)
            return r;
    } else {
        e->codec->pix_fmt = tf_codec_format(codec);
    }
    /*
     * The codec counts pictures: the stream's own timing says the nominal rate, which players show, while the
     * real capture stamps travel beside each packet and become RTP's and Matroska's.
     */
    e->codec->framerate = av_d2q((double)o->fps, 60000);
    e->codec->time_base = av_inv_q(e->codec->framerate);
    e->codec->gop_size = (int)(gop ? gop : 1);
    e->codec->max_b_frames = 0;
    e->codec->thread_count = o->threads ? o->threads : 1;
    e->codec->log_level_offset = 64; /* libraries do not log: what matters comes back as an error */
    e->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_LOW_DELAY;
    e->codec->color_range = AVCOL_RANGE_MPEG;
    e->codec->colorspace = AVCOL_SPC_BT709;
    e->codec->color_primaries = AVCOL_PRI_BT709;
    e->codec->color_trc = AVCOL_TRC_BT709;
    if (o->bitrate_kbps) {
        e->codec->bit_rate = (int64_t)o->bitrate_kbps * 1000;
        e->codec->rc_max_rate = e->codec->bit_rate;
        e->codec->rc_buffer_size =
            (int)(e->codec->bit_rate / 2 < INT32_MAX ? e->codec->bit_rate / 2 : INT32_MAX);
    } else {
        /* For encoders without constant quality: a tenth of a bit a pixel, generous for a smooth thermal
         * picture. */
        if (!tf_codec_keeps_quality(codec->name))
            e->codec->bit_rate = (int64_t)((double)o->width * o->height * (double)o->fps * 0.1);
    }
    tf_codec_set(o, codec->name, &dictionary);
    /* libavcodec prints its own complaints; ours has to stand alone, so only the code is used. */
    r = avcodec_open2(e->codec, codec, &dictionary);
    av_dict_free(&dictionary);
    if (r < 0) {
        av_strerror(r, reason, sizeof(reason));
        return tf_fail(err, -EIO, "encoder %s does not open for %ux%u: %s%s", codec->name, o->width,
                       o->height, reason, tf_hardware_hint(codec->name));
    }
    return 0;
}

/* Memory for pictures that are handed over in another way than they are drawn. */
static int create_frames(struct tf_encoder *e)
{
    e->frame = av_frame_alloc();
    e->uploaded = av_frame_alloc();
    e->packet = av_packet_alloc();
    if (!e->frame || !e->uploaded || !e->packet)
        return -ENOMEM;
    e->frame->format = e->uploads ? AV_PIX_FMT_NV12 : e->codec->pix_fmt;
    e->frame->width = e->codec->width;
    e->frame->height = e->codec->height;
    e->frame->color_range = e->codec->color_range;
    e->frame->colorspace = e->codec->colorspace;
    e->frame->color_primaries = e->codec->color_primaries;
    e->frame->color_trc = e->codec->color_trc;
    return e->lends || av_frame_get_buffer(e->frame, 0) >= 0 ? 0 : -ENOMEM;
}

int tf_encoder_create(const struct tf_encoder_options *o, struct tf_encoder **ret, struct tf_error *err)
{
    struct tf_encoder *e = NULL;
    const AVCodec *codec;
    int code;

    code = check_options(o, err);
    if (code == 0)
        code = tf_codec_find(o, &codec, err);
    if (code < 0)
        return code;
    code = -ENOMEM;
    e = calloc(1, sizeof(*e));
    if (!e)
        goto fail;
    code = open_codec(e, codec, o, err);
    if (code < 0)
        goto fail;
    /* These two copy a picture before they return from it. */
    e->lends = e->codec->pix_fmt == AV_PIX_FMT_YUV420P &&
               (strcmp(codec->name, "libx264") == 0 || strcmp(codec->name, "libopenh264") == 0);
    code = create_frames(e);
    if (code < 0)
        goto fail;
    if (e->codec->extradata_size > 0)
        e->extradata_size = tf_h264_parameters(e->codec->extradata, (size_t)e->codec->extradata_size,
                                               e->extradata, sizeof(e->extradata));
    *ret = e;
    return 0;

fail:
    tf_encoder_destroy(e);
    return code == -ENOMEM ? tf_fail(err, code, "encoder: out of memory") : code;
}

void tf_encoder_destroy(struct tf_encoder *e)
{
    if (!e)
        return;
    av_packet_free(&e->packet);
    av_frame_free(&e->frame);
    av_frame_free(&e->uploaded);
    av_buffer_unref(&e->lent);
    avcodec_free_context(&e->codec);
    free(e->joined);
    free(e);
}

/* One packet to the caller, with the stamps of its picture and, before a key picture, SPS and PPS. */
static int deliver_packet(struct tf_encoder *e, tf_packet_fn *deliver, void *context, struct tf_error *err)
{
    struct tf_packet packet = {.data = e->packet->data, .size = (size_t)e->packet->size};
    size_t slot = (size_t)((uint64_t)e->packet->pts % TF_ENCODER_PENDING);

    if (e->packet->pts < 0 || e->pending[slot].pts != e->packet->pts)
        return tf_fail(err, -EPROTO, "encoder %s returned a picture that it was not given",
                       e->codec->codec->name);
    packet.t_mono_ns = e->pending[slot].t_mono_ns;
    packet.frame = e->pending[slot].frame;
    packet.key = e->packet->flags & AV_PKT_FLAG_KEY;

    if (packet.key) {
        uint8_t own[TF_ENCODER_PARAMETERS_MAX];
        size_t size = tf_h264_parameters(packet.data, packet.size, own, sizeof(own));
        if (size > 0) {
            memcpy(e->extradata, own, size);
            e->extradata_size = size;
        } else if (e->extradata_size > 0) {
            size_t needed = e->extradata_size + packet.size;
            if (needed > e->joined_size) {
                uint8_t *grown = realloc(e->joined, needed + needed / 2);
                if (!grown)
                    return tf_fail(err, -ENOMEM, "encoder: out of memory");
                e->joined = grown;
                e->joined_size = needed + needed / 2;
            }
            memcpy(e->joined, e->extradata, e->extradata_size);
            memcpy(e->joined + e->extradata_size, packet.data, packet.size);
            packet.data = e->joined;
            packet.size = needed;
        }
    }
    deliver(context, &packet);
    return 0;
}

static int drain(struct tf_encoder *e, tf_packet_fn *deliver, void *context, struct tf_error *err)
{
    for (;;) {
        int r = avcodec_receive_packet(e->codec, e->packet);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return 0;
        if (r < 0) {
            char reason[AV_ERROR_MAX_STRING_SIZE];
            av_strerror(r, reason, sizeof(reason));
            return tf_fail(err, -EIO, "encoder %s: %s", e->codec->codec->name, reason);
        }
        r = deliver_packet(e, deliver, context, err);
        av_packet_unref(e->packet);
        if (r < 0)
            return r;
    }
}

static void keep(void *opaque, uint8_t *data)
{
}

/* The drawing's own memory as the codec's picture: nothing is copied here. */
static int lend(struct tf_encoder *e, const struct tf_picture *p)
{
    AVFrame *f = e->frame;
    size_t size = (size_t)(p->plane[2] - p->plane[0]) + (size_t)p->pitch[2] * (p->height / 2);

    if (!e->lent || e->lent_from != p->plane[0] || e->lent->size != size) {
        av_buffer_unref(&f->buf[0]);
        av_buffer_unref(&e->lent);
        e->lent = av_buffer_create(p->plane[0], size, keep, NULL, 0);
        e->lent_from = p->plane[0];
    }
    if (e->lent && !f->buf[0])
        f->buf[0] = av_buffer_ref(e->lent);
    if (!f->buf[0])
        return -ENOMEM;
    for (int i = 0; i < 3; i++) {
        f->data[i] = p->plane[i];
        f->linesize[i] = (int)p->pitch[i];
    }
    return 0;
}

static void copy_rows(const struct tf_picture *p, int plane, AVFrame *f)
{
    uint32_t w = plane ? p->width / 2 : p->width, h = plane ? p->height / 2 : p->height;

    for (uint32_t y = 0; y < h; y++)
        memcpy(f->data[plane] + (ptrdiff_t)y * f->linesize[plane],
               p->plane[plane] + (size_t)y * p->pitch[plane], w);
}

static void interleave(const struct tf_picture *p, AVFrame *f)
{
    for (uint32_t y = 0; y < p->height / 2; y++) {
        const uint8_t *restrict u = p->plane[1] + (size_t)y * p->pitch[1], *restrict v =
                                                                               p->plane[2] +
                                                                               (size_t)y * p->pitch[2];
        uint8_t *restrict to = f->data[1] + (ptrdiff_t)y * f->linesize[1];
        for (uint32_t x = 0; x < p->width / 2; x++) {
            to[2 * x] = u[x];
            to[2 * x + 1] = v[x];
        }
    }
}

/* The picture in `frame`, by reference or in its own memory. */
static int take_over(struct tf_encoder *e, const struct tf_picture *p)
{
    if (e->lends)
        return lend(e, p);
    if (av_frame_make_writable(e->frame) < 0)
        return -ENOMEM;
    copy_rows(p, 0, e->frame);
    if (e->frame->format == AV_PIX_FMT_NV12) {
        interleave(p, e->frame);
    } else {
        copy_rows(p, 1, e->frame);
        copy_rows(p, 2, e->frame);
    }
    return 0;
}

int tf_encoder_encode(struct tf_encoder *e, const struct tf_picture *picture, uint64_t t_mono_ns,
                      uint64_t frame, bool force_key, tf_packet_fn *deliver, void *context,
                      struct tf_error *err)
{
    size_t slot = (size_t)((uint64_t)e->next_pts % TF_ENCODER_PENDING);
    int r;

    if (picture->width != (uint32_t)e->codec->width || picture->height != (uint32_t)e->codec->height)
        return tf_fail(err, -EINVAL, "encoder: a picture of %ux%u, opened for %dx%d", picture->width,
                       picture->height, e->codec->width, e->codec->height);
    if (!picture->plane[0])
        return tf_fail(err, -EINVAL, "encoder: a picture of RGB, not of planes");
    if (take_over(e, picture) < 0)
        return tf_fail(err, -ENOMEM, "encoder: out of memory");

    e->frame->pts = e->next_pts++;
    e->frame->pict_type = force_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    e->pending[slot].pts = e->frame->pts;
    e->pending[slot].t_mono_ns = t_mono_ns;
    e->pending[slot].frame = frame;
    if (e->uploads) {
        r = tf_hardware_upload(e->codec, e->frame, e->uploaded, err);
        if (r < 0)
            return r;
    }
    r = avcodec_send_frame(e->codec, e->uploads ? e->uploaded : e->frame);
    if (r < 0) {
        char reason[AV_ERROR_MAX_STRING_SIZE];
        av_strerror(r, reason, sizeof(reason));
        return tf_fail(err, -EIO, "encoder %s: %s", e->codec->codec->name, reason);
    }
    return drain(e, deliver, context, err);
}

int tf_encoder_flush(struct tf_encoder *e, tf_packet_fn *deliver, void *context, struct tf_error *err)
{
    int r = avcodec_send_frame(e->codec, NULL);

    if (r < 0 && r != AVERROR_EOF)
        return tf_fail(err, -EIO, "encoder %s: the end is refused", e->codec->codec->name);
    return drain(e, deliver, context, err);
}

const uint8_t *tf_encoder_extradata(const struct tf_encoder *e, size_t *size)
{
    *size = e->extradata_size;
    return e->extradata_size ? e->extradata : NULL;
}

void tf_encoder_parameters(const struct tf_encoder *e, struct AVCodecParameters *ret)
{
    ret->codec_type = AVMEDIA_TYPE_VIDEO;
    ret->codec_id = AV_CODEC_ID_H264;
    ret->width = e->codec->width;
    ret->height = e->codec->height;
    ret->format = e->frame->format;
    ret->profile = e->codec->profile;
    ret->level = e->codec->level;
    ret->color_range = e->codec->color_range;
    ret->color_space = e->codec->colorspace;
    ret->color_primaries = e->codec->color_primaries;
    ret->color_trc = e->codec->color_trc;
    ret->sample_aspect_ratio = (AVRational){1, 1};
}

float tf_encoder_fps(const struct tf_encoder *e)
{
    return (float)av_q2d(e->codec->framerate);
}
