/* Pictures of libavcodec as frames. */
#include <string.h>

#include <libavutil/error.h>
#include <libavutil/pixdesc.h>

#include "capture/av.h"

bool tf_av_pixel(enum AVPixelFormat format, enum tf_pixel *ret)
{
    switch (format) {
    case AV_PIX_FMT_GRAY9LE:
    case AV_PIX_FMT_GRAY9BE:
    case AV_PIX_FMT_GRAY10LE:
    case AV_PIX_FMT_GRAY10BE:
    case AV_PIX_FMT_GRAY12LE:
    case AV_PIX_FMT_GRAY12BE:
    case AV_PIX_FMT_GRAY14LE:
    case AV_PIX_FMT_GRAY14BE:
    case AV_PIX_FMT_GRAY16LE:
    case AV_PIX_FMT_GRAY16BE:
        *ret = TF_PIXEL_U16;
        return true;
    case AV_PIX_FMT_GRAY8:
        *ret = TF_PIXEL_U8;
        return true;
    case AV_PIX_FMT_YUYV422:
        *ret = TF_PIXEL_YUYV;
        return true;
    case AV_PIX_FMT_UYVY422:
        *ret = TF_PIXEL_UYVY;
        return true;
    case AV_PIX_FMT_NV12:
        *ret = TF_PIXEL_NV12;
        return true;
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUV422P: /* by leaving out every other row of chroma */
    case AV_PIX_FMT_YUVJ422P:
        *ret = TF_PIXEL_YUV420;
        return true;
    default:
        return false;
    }
}

bool tf_av_swapped(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    bool big = d && d->comp[0].depth > 8 && (d->flags & AV_PIX_FMT_FLAG_BE);
    bool wide = d && d->comp[0].depth > 8;

    return wide && big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

bool tf_av_full_range(const AVFrame *picture)
{
    return picture->color_range == AVCOL_RANGE_JPEG || picture->format == AV_PIX_FMT_YUVJ420P ||
           picture->format == AV_PIX_FMT_YUVJ422P;
}

void tf_av_lend(const AVFrame *picture, struct tf_frame *frame)
{
    bool half = picture->format == AV_PIX_FMT_YUV422P || picture->format == AV_PIX_FMT_YUVJ422P;
    int planes = av_pix_fmt_count_planes(picture->format);

    for (int i = 0; i < TF_FRAME_PLANES; i++) {
        frame->plane[i] = i < planes ? picture->data[i] : NULL;
        frame->stride[i] = i < planes ? (uint32_t)picture->linesize[i] * (half && i ? 2 : 1) : 0;
    }
    frame->width = (uint16_t)picture->width;
    frame->height = (uint16_t)picture->height;
    frame->full_range = tf_av_full_range(picture);
    tf_av_pixel(picture->format, &frame->pixel);
}

static void copy_plane(uint8_t *to, uint32_t to_stride, const uint8_t *from, uint32_t from_stride,
                       size_t bytes, uint32_t rows)
{
    for (uint32_t y = 0; y < rows; y++)
        memcpy(to + (size_t)y * to_stride, from + (size_t)y * from_stride, bytes);
}

void tf_av_copy(const AVFrame *picture, struct tf_frame *frame)
{
    struct tf_frame from = {.pixel = TF_PIXEL_U8};
    uint32_t w, h, half_w, half_h;
    bool swap = tf_av_swapped(picture->format);

    tf_av_lend(picture, &from);
    w = from.width;
    h = from.height;
    half_w = (w + 1) / 2;
    half_h = (h + 1) / 2;
    frame->width = from.width;
    frame->height = from.height;
    frame->pixel = from.pixel;
    frame->full_range = from.full_range;
    switch (from.pixel) {
    case TF_PIXEL_U16:
        for (uint32_t y = 0; swap && y < h; y++) {
            const uint16_t *a = (const uint16_t *)(const void *)(from.plane[0] + (size_t)y * from.stride[0]);
            uint16_t *b = (uint16_t *)(void *)(frame->plane[0] + (size_t)y * frame->stride[0]);

            for (uint32_t x = 0; x < w; x++)
                b[x] = __builtin_bswap16(a[x]);
        }
        if (!swap)
            copy_plane(frame->plane[0], frame->stride[0], from.plane[0], from.stride[0], (size_t)w * 2, h);
        break;
    case TF_PIXEL_U8:
        copy_plane(frame->plane[0], frame->stride[0], from.plane[0], from.stride[0], w, h);
        break;
    case TF_PIXEL_YUYV:
    case TF_PIXEL_UYVY:
        copy_plane(frame->plane[0], frame->stride[0], from.plane[0], from.stride[0], (size_t)half_w * 4, h);
        break;
    case TF_PIXEL_NV12:
        copy_plane(frame->plane[0], frame->stride[0], from.plane[0], from.stride[0], w, h);
        copy_plane(frame->plane[1], frame->stride[1], from.plane[1], from.stride[1], (size_t)half_w * 2,
                   half_h);
        break;
    case TF_PIXEL_YUV420:
        copy_plane(frame->plane[0], frame->stride[0], from.plane[0], from.stride[0], w, h);
        for (int i = 1; i < 3; i++)
            copy_plane(frame->plane[i], frame->stride[i], from.plane[i], from.stride[i], half_w, half_h);
        break;
    }
}

const char *tf_av_text(int error, char text[128])
{
    if (av_strerror(error, text, 128) < 0)
        strcpy(text, "unknown error");
    return text;
}
