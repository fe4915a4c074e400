/* A frame's values as upright planes of places on a palette. */
#include <string.h>

#include "overlay/levels.h"

struct tf_walk tf_walk_of(int32_t width, int32_t height, uint16_t rotate, bool flip)
{
    struct tf_walk w = {0, 0, 1, 0, 0, 1};

    if (rotate == 90)
        w = (struct tf_walk){0, height - 1, 0, -1, 1, 0};
    else if (rotate == 180)
        w = (struct tf_walk){width - 1, height - 1, -1, 0, 0, -1};
    else if (rotate == 270)
        w = (struct tf_walk){width - 1, 0, 0, 1, -1, 0};
    if (flip) {
        int32_t last = (rotate % 180 ? height : width) - 1;
        w.x += last * w.across_x;
        w.y += last * w.across_y;
        w.across_x = -w.across_x;
        w.across_y = -w.across_y;
    }
    return w;
}

static struct tf_walk walk_of(const struct tf_frame *f)
{
    return tf_walk_of(f->width, f->height, f->rotate, f->flip);
}

void tf_levels_native(const struct tf_frame *f, uint32_t x, uint32_t y, uint32_t *native_x,
                      uint32_t *native_y)
{
    struct tf_walk w = walk_of(f);

    *native_x = (uint32_t)(w.x + (int32_t)x * w.across_x + (int32_t)y * w.down_x);
    *native_y = (uint32_t)(w.y + (int32_t)x * w.across_y + (int32_t)y * w.down_y);
}

/* A column of the native picture is read once for each upright row: blocks keep its cache lines for the next
 * rows. */
#define BLOCK 32

static inline int16_t level(float value, float low, float scale)
{
    float v = (value - low) * scale;

    v = v < TF_LEVEL_MIN ? TF_LEVEL_MIN : v > TF_LEVEL_MAX ? TF_LEVEL_MAX : v;
    return (int16_t)v;
}

void tf_levels_gray(const struct tf_frame *f, const struct tf_range *range, int16_t *restrict levels)
{
    uint32_t width = tf_frame_upright_width(f), height = tf_frame_upright_height(f);
    float span = range->high - range->low, scale = TF_LEVEL_TOP / (span > 1e-6f ? span : 1e-6f),
          low = range->low;
    struct tf_walk w = walk_of(f);
    size_t bytes = f->pixel == TF_PIXEL_U16 ? 2 : 1;
    ptrdiff_t step = w.across_x * (ptrdiff_t)bytes + w.across_y * (ptrdiff_t)f->stride[0];

    if (!f->rotate && !f->flip) {
        for (uint32_t y = 0; y < height; y++, levels += width) {
            const uint8_t *row = f->plane[0] + (size_t)y * f->stride[0];
            if (bytes == 2) {
                const uint16_t *row16 = (const uint16_t *)(const void *)row;
                for (uint32_t x = 0; x < width; x++)
                    levels[x] = level(row16[x], low, scale);
            } else {
                for (uint32_t x = 0; x < width; x++)
                    levels[x] = level(row[x], low, scale);
            }
        }
        return;
    }
    for (uint32_t x0 = 0; x0 < width; x0 += BLOCK) {
        uint32_t x1 = x0 + BLOCK < width ? x0 + BLOCK : width;
        for (uint32_t y = 0; y < height; y++) {
            int32_t nx = w.x + (int32_t)x0 * w.across_x + (int32_t)y * w.down_x;
            int32_t ny = w.y + (int32_t)x0 * w.across_y + (int32_t)y * w.down_y;
            const uint8_t *p = f->plane[0] + (ptrdiff_t)ny * f->stride[0] + (ptrdiff_t)nx * (ptrdiff_t)bytes;
            int16_t *to = levels + (size_t)y * width;
            for (uint32_t x = x0; x < x1; x++, p += step) {
                uint16_t v = *p;
                if (bytes == 2)
                    memcpy(&v, p, 2);
                to[x] = level(v, low, scale);
            }
        }
    }
}

struct yuv {
    int y, u, v;
};

static inline struct yuv read_yuv(const struct tf_frame *f, uint32_t x, uint32_t y)
{
    const uint8_t *p;

    switch (f->pixel) {
    case TF_PIXEL_YUYV:
        p = f->plane[0] + (size_t)y * f->stride[0] + (x & ~1u) * 2;
        return (struct yuv){p[(x & 1) * 2], p[1], p[3]};
    case TF_PIXEL_UYVY:
        p = f->plane[0] + (size_t)y * f->stride[0] + (x & ~1u) * 2;
        return (struct yuv){p[(x & 1) * 2 + 1], p[0], p[2]};
    case TF_PIXEL_NV12:
        p = f->plane[1] + (size_t)(y / 2) * f->stride[1] + (x & ~1u);
        return (struct yuv){f->plane[0][(size_t)y * f->stride[0] + x], p[0], p[1]};
    default:
        return (struct yuv){f->plane[0][(size_t)y * f->stride[0] + x],
                            f->plane[1][(size_t)(y / 2) * f->stride[1] + x / 2],
                            f->plane[2][(size_t)(y / 2) * f->stride[2] + x / 2]};
    }
}

static inline int16_t channel(int v) /* 8.8 fixed point to levels */
{
    v = v >> 3; /* 256 / TF_LEVEL_STEPS */
    return (int16_t)(v < 0 ? 0 : v > TF_LEVEL_TOP ? TF_LEVEL_TOP : v);
}

void tf_levels_colour(const struct tf_frame *f, int16_t *const planes[3])
{
    uint32_t width = tf_frame_upright_width(f), height = tf_frame_upright_height(f);
    struct tf_walk w = walk_of(f);
    int16_t *restrict red = planes[0], *restrict green = planes[1], *restrict blue = planes[2];

    for (uint32_t y = 0; y < height; y++) {
        int32_t nx = w.x + (int32_t)y * w.down_x, ny = w.y + (int32_t)y * w.down_y;
        size_t at = (size_t)y * width;
        for (uint32_t x = 0; x < width; x++, at++, nx += w.across_x, ny += w.across_y) {
            struct yuv c = read_yuv(f, (uint32_t)nx, (uint32_t)ny);
            /* BT.601, 1.164 (Y - 16) and so on, times 256. */
            int luma = 298 * (c.y - 16), u = c.u - 128, v = c.v - 128;
            if (f->full_range) { /* 1.402 V and so on (JFIF 1.02), times 256 */
                red[at] = channel(256 * c.y + 359 * v);
                green[at] = channel(256 * c.y - 88 * u - 183 * v);
                blue[at] = channel(256 * c.y + 454 * u);
                continue;
            }
            red[at] = channel(luma + 409 * v);
            green[at] = channel(luma - 100 * u - 208 * v);
            blue[at] = channel(luma + 516 * u);
        }
    }
}
