/* A single picture as PNG or JPEG. */
#include "publish/video/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>

#include "overlay/overlay.h"

#define QUALITY 3 /* of 2 (best) to 31 */

static int fill(const struct tf_picture *p, AVFrame *frame)
{
    const uint8_t *planes[] = {p->data};
    const int strides[] = {(int)p->stride};
    struct SwsContext *convert;

    frame->format = AV_PIX_FMT_YUV444P;
    frame->width = (int)p->width;
    frame->height = (int)p->height;
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->colorspace = AVCOL_SPC_BT470BG; /* JFIF's */
    frame->quality = QUALITY * FF_QP2LAMBDA;
    if (av_frame_get_buffer(frame, 0) < 0)
        return -ENOMEM;
    convert = sws_getContext(frame->width, frame->height, AV_PIX_FMT_BGR0, frame->width, frame->height,
                             AV_PIX_FMT_YUV444P, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL,
                             NULL, NULL);
    if (!convert)
        return -ENOMEM;
    sws_setColorspaceDetails(convert, sws_getCoefficients(SWS_CS_DEFAULT), 1,
                             sws_getCoefficients(SWS_CS_ITU601), 1, 0, 1 << 16, 1 << 16);
    sws_scale(convert, planes, strides, 0, frame->height, frame->data, frame->linesize);
    sws_freeContext(convert);
    return 0;
}

static int open_jpeg(const AVFrame *frame, AVCodecContext **ret)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;

    if (!c)
        return codec ? -ENOMEM : -ENOTSUP;
    c->width = frame->width;
    c->height = frame->height;
    c->pix_fmt = (enum AVPixelFormat)frame->format;
    c->color_range = frame->color_range;
    c->colorspace = frame->colorspace;
    c->time_base = (AVRational){1, 25};
    c->flags |= AV_CODEC_FLAG_QSCALE;
    c->global_quality = frame->quality;
    c->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL; /* full range without the name "yuvj" */
    c->thread_count = 1;
    *ret = c;
    return avcodec_open2(c, codec, NULL) < 0 ? -EINVAL : 0;
}

static int encode_jpeg(const struct tf_picture *picture, struct tf_snapshot *s)
{
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    AVCodecContext *codec = NULL;
    int r = frame && packet ? fill(picture, frame) : -ENOMEM;

    if (r == 0)
        r = open_jpeg(frame, &codec);
    if (r == 0 && (avcodec_send_frame(codec, frame) < 0 || avcodec_receive_packet(codec, packet) < 0))
        r = -EIO;
    if (r == 0) {
        uint8_t *data = malloc((size_t)packet->size);

        if (data) {
            memcpy(data, packet->data, (size_t)packet->size);
            s->data = data;
            s->size = (size_t)packet->size;
        } else {
            r = -ENOMEM;
        }
    }
    avcodec_free_context(&codec);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return r;
}

int tf_snapshot_encode(const struct tf_picture *picture, struct tf_snapshot *s, struct tf_error *err)
{
    int r;

    if (s->format == TF_SNAPSHOT_PNG)
        return tf_picture_png(picture, &s->data, &s->size, err);
    r = encode_jpeg(picture, s);
    return r < 0 ? tf_fail(err, r, "JPEG of %ux%u: %s", picture->width, picture->height, strerror(-r)) : 0;
}
