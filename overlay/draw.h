/* Anti-aliased marks on a picture, clipped, without allocation. Private to overlay/. */
#ifndef TF_OVERLAY_DRAW_H
#define TF_OVERLAY_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/picture.h"

struct tf_rect {
    int x, y, w, h;
};

/* A picture and the part of it that may be painted; the part lies inside the picture. */
struct tf_canvas {
    struct tf_picture *picture;
    struct tf_rect clip;
};

/* Colours are 0x00RRGGBB, alpha 0 (nothing) to 256 (opaque). Coordinates: pixel corners, so that a pixel's
 * centre is +0.5. */
static inline void tf_blend(uint32_t *pixel, uint32_t rgb, unsigned alpha)
{
    uint32_t odd = *pixel & 0xff00ff, even = *pixel & 0x00ff00;

    odd += (((rgb & 0xff00ff) - odd) * alpha) >> 8;
    even += (((rgb & 0x00ff00) - even) * alpha) >> 8;
    *pixel = (odd & 0xff00ff) | (even & 0x00ff00);
}
static inline uint32_t *tf_pixel_row(const struct tf_picture *picture, int y)
{
    return (uint32_t *)(void *)(picture->data + (size_t)y * picture->stride);
}

/* True when something is left of `rect` inside `clip`; it is cut to that. */
bool tf_rect_clip(struct tf_rect *rect, const struct tf_rect *clip);
bool tf_rect_overlap(const struct tf_rect *a, const struct tf_rect *b);

void tf_draw_rect(const struct tf_canvas *canvas, struct tf_rect rect, uint32_t rgb, unsigned alpha);
/* A rectangle with round corners. */
void tf_draw_plate(const struct tf_canvas *canvas, struct tf_rect rect, float radius, uint32_t rgb,
                   unsigned alpha);
void tf_draw_disc(const struct tf_canvas *canvas, float x, float y, float radius, uint32_t rgb,
                  unsigned alpha);
void tf_draw_ring(const struct tf_canvas *canvas, float x, float y, float radius, float width, uint32_t rgb,
                  unsigned alpha);
void tf_draw_line(const struct tf_canvas *canvas, float x0, float y0, float x1, float y1, float width,
                  uint32_t rgb, unsigned alpha);

#endif
