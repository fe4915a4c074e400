/* MJPEG of a V4L2 camera, decoded by libavcodec. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>

#include "capture/av.h"
#include "capture/v4l2.h"

struct tf_mjpeg {
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *picture;
    struct SwsContext *convert; /* for cameras of other sampling than 4:2:2 and 4:2:0 */
};

int tf_mjpeg_create(struct tf_mjpeg **ret)
{
    const AVCodec *decoder = avcodec_find_decoder(AV_CODEC_ID_MJPEG);
    struct tf_mjpeg *m;

    if (!decoder)
        return -ENOTSUP;
    if (av_log_get_level() == AV_LOG_INFO)
        av_log_set_level(AV_LOG_PANIC);
    m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->codec = avcodec_alloc_context3(decoder);
    m->packet = av_packet_alloc();
    m->picture = av_frame_alloc();
    if (m->codec) {
        m->codec->thread_count = 1;
        m->codec->max_pixels = (int64_t)TF_FRAME_DIM_MAX * TF_FRAME_DIM_MAX;
    }
    if (!m->codec || !m->packet || !m->picture || avcodec_open2(m->codec, decoder, NULL) < 0) {
        tf_mjpeg_destroy(m);
        return -ENOMEM;
    }
    *ret = m;
    return 0;
}

void tf_mjpeg_destroy(struct tf_mjpeg *mjpeg)
{
    if (!mjpeg)
        return;
    sws_freeContext(mjpeg->convert);
    av_frame_free(&mjpeg->picture);
    av_packet_free(&mjpeg->packet);
    avcodec_free_context(&mjpeg->codec);
    free(mjpeg);
}

static void gray(struct tf_frame *f)
{
    for (uint32_t y = 0; y < f->height; y++)
        memset(f->plane[0] + (size_t)y * f->stride[0], 128, f->width);
    for (int i = 1; i < 3; i++)
        for (uint32_t y = 0; y < (f->height + 1u) / 2; y++)
            memset(f->plane[i] + (size_t)y * f->stride[i], 128, (f->width + 1u) / 2);
}

static bool take_over(struct tf_mjpeg *m, struct tf_frame *f)
{
    const AVFrame *p = m->picture;
    enum tf_pixel pixel;

    if (tf_av_pixel(p->format, &pixel) && pixel == TF_PIXEL_YUV420) {
        tf_av_copy(p, f);
        return true;
    }
    f->full_range = true;
    m->convert = sws_getCachedContext(m->convert, p->width, p->height, p->format, p->width, p->height,
                                      AV_PIX_FMT_YUVJ420P, SWS_POINT, NULL, NULL, NULL);
    if (!m->convert)
        return false;
    sws_scale(m->convert, (const uint8_t *const *)p->data, p->linesize, 0, p->height,
              (uint8_t *[]){f->plane[0], f->plane[1], f->plane[2], NULL},
              (int[]){(int)f->stride[0], (int)f->stride[1], (int)f->stride[2], 0});
    return true;
}

bool tf_mjpeg_decode(struct tf_mjpeg *mjpeg, const uint8_t *data, size_t size, uint16_t width,
                     uint16_t height, struct tf_frame *frame)
{
    bool good = false;

    frame->width = width;
    frame->height = height;
    frame->pixel = TF_PIXEL_YUV420;
    mjpeg->packet->data = (uint8_t *)data; /* read only; the decoder takes a padded copy */
    mjpeg->packet->size = (int)(size > INT32_MAX / 2 ? 0 : size);
    if (mjpeg->packet->size && avcodec_send_packet(mjpeg->codec, mjpeg->packet) >= 0 &&
        avcodec_receive_frame(mjpeg->codec, mjpeg->picture) >= 0) {
        if (mjpeg->picture->width == width && mjpeg->picture->height == height && take_over(mjpeg, frame))
            good = !(mjpeg->picture->flags & AV_FRAME_FLAG_CORRUPT) && !mjpeg->picture->decode_error_flags;
        else
            gray(frame);
        av_frame_unref(mjpeg->picture);
    } else {
        gray(frame);
    }
    mjpeg->packet->data = NULL;
    mjpeg->packet->size = 0;
    return good;
}
