/*
 * The luminance of a frame, addressed in upright coordinates without turning or copying the picture:
 * rotation, mirroring and packing are two byte steps.
 */
#ifndef TF_INFERENCE_FACE_VIEW_H
#define TF_INFERENCE_FACE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/frame.h"

struct tf_view {
    const uint8_t *base;      /* the upright picture's top left pixel */
    ptrdiff_t step_x, step_y; /* bytes to the next upright pixel to the right, and below */
    uint32_t width, height;   /* upright */
    bool wide;                /* 16-bit values; else 8-bit */
};

/* The frame as another turn would have it. False for a picture without pixels or of an unknown format. */
static inline bool tf_view_init_turned(struct tf_view *view, const struct tf_frame *frame, uint16_t rotate)
{
    ptrdiff_t step = 1, first = 0, stride = frame->stride[0];
    ptrdiff_t w = frame->width, h = frame->height;
    const uint8_t *base = frame->plane[0];

    if (!base || w == 0 || h == 0)
        return false;
    switch (frame->pixel) {
    case TF_PIXEL_U16:
        step = 2;
        break;
    case TF_PIXEL_U8:
    case TF_PIXEL_NV12:
    case TF_PIXEL_YUV420:
        break;
    case TF_PIXEL_YUYV:
        step = 2;
        break;
    case TF_PIXEL_UYVY:
        step = 2;
        first = 1;
        break;
    default:
        return false;
    }
    base += first;
    view->wide = frame->pixel == TF_PIXEL_U16;
    view->width = (uint32_t)(rotate % 180 ? h : w);
    view->height = (uint32_t)(rotate % 180 ? w : h);
    switch (rotate) {
    case 0:
        view->base = base;
        view->step_x = step;
        view->step_y = stride;
        break;
    case 90:
        view->base = base + (h - 1) * stride;
        view->step_x = -stride;
        view->step_y = step;
        break;
    case 180:
        view->base = base + (h - 1) * stride + (w - 1) * step;
        view->step_x = -step;
        view->step_y = -stride;
        break;
    case 270:
        view->base = base + (w - 1) * step;
        view->step_x = stride;
        view->step_y = -step;
        break;
    default:
        return false;
    }
    if (frame->flip) {
        view->base += (ptrdiff_t)(view->width - 1) * view->step_x;
        view->step_x = -view->step_x;
    }
    return true;
}

static inline bool tf_view_init(struct tf_view *view, const struct tf_frame *frame)
{
    return tf_view_init_turned(view, frame, frame->rotate);
}

static inline uint16_t tf_load_u16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline unsigned tf_view_at(const struct tf_view *view, uint32_t x, uint32_t y)
{
    const uint8_t *p = view->base + (ptrdiff_t)x * view->step_x + (ptrdiff_t)y * view->step_y;

    return view->wide ? tf_load_u16(p) : *p;
}

#endif
