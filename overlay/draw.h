/*
 * Anti-aliased marks on a picture of either form, clipped, without allocation. A mark is a coverage of
 * pixels: luma (or RGB) takes each pixel's own, chroma the mean of its four pixels. Private to overlay/.
 */
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

/* Colours are 0x00RRGGBB, alpha and coverage 0 (nothing) to 256 (opaque). Coordinates: pixel corners, so that
 * a pixel's centre is +0.5. */
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

/* A colour as planes have it. */
struct tf_yuv {
    uint8_t y, u, v;
};
struct tf_yuv tf_yuv_of(uint32_t rgb);

/* True when something is left of `rect` inside `clip`; it is cut to that. */
bool tf_rect_clip(struct tf_rect *rect, const struct tf_rect *clip);
bool tf_rect_overlap(const struct tf_rect *a, const struct tf_rect *b);

/* Columns that are painted at a time. */
#define TF_COVER 64
/* Blends one colour into `n` columns of rows y and y + 1, from an even column and row on. Coverage of an odd
 * `n` ends with one 0 more; what is not covered may lie outside the picture. */
void tf_cover_blend(const struct tf_picture *picture, int x, int y, int n, const uint16_t *row0,
                    const uint16_t *row1, uint32_t rgb);

/*
 * The coverage of pixels first to last of row y into `ret`, which has one place for each of them and is zero
 * before. A shape that covers fewer of them says so: last < first, none.
 */
typedef void tf_shape_fn(const void *shape, int y, int *first, int *last, uint16_t *ret);
/* Paints a shape's part inside `bounds`. */
void tf_draw_shape(const struct tf_canvas *canvas, struct tf_rect bounds, tf_shape_fn *fill,
                   const void *shape, uint32_t rgb);

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
/* A closed line through `n` points (x, y), painted once where its pieces overlap: at most TF_OUTLINE_MAX. */
#define TF_OUTLINE_MAX 64
void tf_draw_outline(const struct tf_canvas *canvas, const float points[][2], int n, float width,
                     uint32_t rgb, unsigned alpha);

#endif
