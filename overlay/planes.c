/*
 * A frame is read in strips of upright rows: two where its rows stay rows, or the columns of a few cache
 * lines of each of its rows where they stand up, turned in squares within the cache. Each two rows of a strip
 * make two rows of luma and one of chroma at once.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/draw.h"
#include "overlay/planes.h"
#include "overlay/scale.h"

#define STRIP 64 /* rows of a turned frame: a cache line of bytes, two of 16-bit values */
#define SQUARE TF_PAINT_SQUARE

enum channel { ENTRY, LUMA, CB, CR };

struct tf_planes {
    const struct tf_paint *paint;
    uint32_t width, height, factor; /* of the upright frame; enlargement */
    uint8_t luma[256], u[256], v[256];
    uint8_t gray[256]; /* entries of an 8-bit frame's values */
    float low, scale;
    uint8_t limited[2][256]; /* full range's luma and chroma in limited range */

    size_t stride;     /* of strips */
    uint8_t *strip[3]; /* STRIP rows of entries, or of Y, U and V */
    uint8_t *native;   /* a native row, or a square's rows */
    uint8_t *full;     /* a row of full range */
    uint8_t *row[4];   /* enlarged: two rows of entries or luma, one of U and V */

    /* Of enlarged frames. 1 and 2 once a colour frame came, of chroma's size. */
    int16_t *levels[3];
    struct tf_scaler *scalers[3];
};

static size_t padded(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

static int create_plane(struct tf_planes *p, int i)
{
    size_t w = i ? (p->width + 1) / 2 : p->width, h = i ? (p->height + 1) / 2 : p->height;

    if (!p->strip[i])
        p->strip[i] = calloc(STRIP, p->stride);
    if (!p->strip[i])
        return -ENOMEM;
    if (p->factor == 1 || p->levels[i])
        return 0;
    p->levels[i] = malloc(w * h * sizeof(**p->levels));
    if (!p->levels[i])
        return -ENOMEM;
    return tf_scaler_create((uint32_t)w, (uint32_t)h, p->factor, p->paint, &p->scalers[i]);
}

static void fill_limited(struct tf_planes *p)
{
    for (int i = 0; i < 256; i++) {
        p->limited[0][i] = (uint8_t)(16 + (219 * i + 127) / 255);
        p->limited[1][i] = (uint8_t)((128 * 255 + 224 * (i - 128) + 127) / 255);
    }
}

int tf_planes_create(uint32_t width, uint32_t height, uint32_t factor, const struct tf_paint *paint,
                     struct tf_planes **ret)
{
    struct tf_planes *p = calloc(1, sizeof(*p));
    size_t longest = width > height ? width : height;

    if (!p)
        return -ENOMEM;
    p->paint = paint;
    p->width = width;
    p->height = height;
    p->factor = factor;
    p->stride = padded(longest + SQUARE);
    p->native = calloc(SQUARE, p->stride > STRIP ? p->stride : STRIP);
    p->full = calloc(1, p->stride);
    fill_limited(p);
    for (int i = 0; i < 4; i++)
        p->row[i] = calloc(1, padded(((size_t)width + 2) * factor));
    if (!p->native || !p->full || !p->row[0] || !p->row[1] || !p->row[2] || !p->row[3] ||
        create_plane(p, 0) < 0) {
        tf_planes_destroy(p);
        return -ENOMEM;
    }
    *ret = p;
    return 0;
}

void tf_planes_destroy(struct tf_planes *p)
{
    if (!p)
        return;
    for (int i = 0; i < 3; i++) {
        free(p->strip[i]);
        free(p->levels[i]);
        tf_scaler_destroy(p->scalers[i]);
    }
    for (int i = 0; i < 4; i++)
        free(p->row[i]);
    free(p->native);
    free(p->full);
    free(p);
}

void tf_planes_set_palette(struct tf_planes *p, const uint32_t *table)
{
    for (int i = 0; i < 256; i++) {
        struct tf_yuv c = tf_yuv_of(table[i]);
        p->luma[i] = c.y;
        p->u[i] = c.u;
        p->v[i] = c.v;
    }
}

/* The means of two rows' bytes at every fourth place: chroma of packed 4:2:2. */
static void fetch_packed(const struct tf_frame *f, int32_t x, int32_t y, size_t n, size_t at, uint8_t *ret)
{
    int32_t below = 2 * y + 1 < f->height ? 2 * y + 1 : 2 * y;
    const uint8_t *a = f->plane[0] + (size_t)(2 * y) * f->stride[0] + 4 * (size_t)x + at,
                  *b = f->plane[0] + (size_t)below * f->stride[0] + 4 * (size_t)x + at;

    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)((a[4 * i] + b[4 * i] + 1) >> 1);
}

/* `n` values of a native row from x on, of chroma in its own coordinates. */
static void fetch_as_is(const struct tf_planes *p, const struct tf_frame *f, enum channel channel, int32_t x,
                        int32_t y, size_t n, uint8_t *ret)
{
    const uint8_t *luma = f->plane[0] + (size_t)y * f->stride[0];
    bool u_first = f->pixel == TF_PIXEL_UYVY;

    if (channel == ENTRY && f->pixel == TF_PIXEL_U16) {
        p->paint->entries((const uint16_t *)(const void *)luma + x, n, p->low, p->scale, ret);
    } else if (channel == ENTRY) {
        p->paint->lookup(luma + x, n, p->gray, ret);
    } else if (f->pixel == TF_PIXEL_YUYV || u_first) {
        if (channel == LUMA)
            p->paint->every_other(luma + 2 * x + u_first, n, ret);
        else
            fetch_packed(f, x, y, n, (channel == CB ? 0 : 2) + !u_first, ret);
    } else if (channel == LUMA) {
        memcpy(ret, luma + x, n);
    } else if (f->pixel == TF_PIXEL_NV12) {
        p->paint->every_other(f->plane[1] + (size_t)y * f->stride[1] + 2 * x + (channel == CR), n, ret);
    } else {
        int plane = channel == CB ? 1 : 2;
        memcpy(ret, f->plane[plane] + (size_t)y * f->stride[plane] + x, n);
    }
}

/* That in limited range. */
static void fetch(const struct tf_planes *p, const struct tf_frame *f, enum channel channel, int32_t x,
                  int32_t y, size_t n, uint8_t *ret)
{
    if (!f->full_range || channel == ENTRY) {
        fetch_as_is(p, f, channel, x, y, n, ret);
        return;
    }
    fetch_as_is(p, f, channel, x, y, n, p->full);
    p->paint->lookup(p->full, n, p->limited[channel != LUMA], ret);
}

/* A plane of the frame, as its strips are read. */
struct view {
    const struct tf_frame *frame;
    enum channel channel;
    struct tf_walk walk;
    uint32_t width, height; /* upright */
};

static struct view view_of(const struct tf_frame *f, enum channel channel)
{
    bool half = channel == CB || channel == CR;
    int32_t w = half ? (f->width + 1) / 2 : f->width, h = half ? (f->height + 1) / 2 : f->height;

    return (struct view){.frame = f,
                         .channel = channel,
                         .walk = tf_walk_of(w, h, f->rotate, f->flip),
                         .width = (uint32_t)(f->rotate % 180 ? h : w),
                         .height = (uint32_t)(f->rotate % 180 ? w : h)};
}

/* Upright rows y to y + n - 1, n at most STRIP, of a frame whose columns they are. */
static void read_columns(struct tf_planes *p, const struct view *v, uint32_t y, uint32_t n, uint8_t *strip)
{
    const struct tf_walk *w = &v->walk;
    int32_t first = w->x + (int32_t)y * w->down_x;
    ptrdiff_t stride = (ptrdiff_t)p->stride;

    if (w->down_x < 0) { /* the last row is the leftmost column */
        first -= (int32_t)n - 1;
        strip += (ptrdiff_t)(n - 1) * stride;
        stride = -stride;
    }
    for (uint32_t x = 0; x < v->width; x += SQUARE) {
        uint8_t turned[SQUARE * SQUARE];
        for (uint32_t k = 0; k < SQUARE && x + k < v->width; k++)
            fetch(p, v->frame, v->channel, first, w->y + (int32_t)(x + k) * w->across_y, n,
                  p->native + k * STRIP);
        for (uint32_t c = 0; c < n; c += SQUARE) {
            if (c + SQUARE <= n) {
                p->paint->turn(p->native + c, STRIP, strip + (ptrdiff_t)c * stride + x, stride);
                continue;
            }
            p->paint->turn(p->native + c, STRIP, turned, SQUARE);
            for (uint32_t k = 0; k < n - c; k++)
                memcpy(strip + (ptrdiff_t)(c + k) * stride + x, turned + k * SQUARE, SQUARE);
        }
    }
}

static void read_row(struct tf_planes *p, const struct view *v, uint32_t y, uint8_t *ret)
{
    const struct tf_walk *w = &v->walk;
    int32_t native_y = w->y + (int32_t)y * w->down_y;

    if (w->across_x > 0) {
        fetch(p, v->frame, v->channel, 0, native_y, v->width, ret);
        return;
    }
    fetch(p, v->frame, v->channel, 0, native_y, v->width, p->native);
    for (uint32_t x = 0; x < v->width; x++)
        ret[x] = p->native[v->width - 1 - x];
}

/* A strip from upright row y on, rows p->stride apart; how many rows it has. Each row's last value stands
 * once more behind it. */
static uint32_t read_strip(struct tf_planes *p, const struct view *v, uint32_t y, uint32_t most,
                           uint8_t *strip)
{
    uint32_t n = v->height - y < most ? v->height - y : most;

    if (v->walk.across_y)
        read_columns(p, v, y, n, strip);
    else
        for (uint32_t i = 0; i < n; i++)
            read_row(p, v, y + i, strip + i * p->stride);
    for (uint32_t i = 0; i < n; i++)
        strip[i * p->stride + v->width] = strip[i * p->stride + v->width - 1];
    return n;
}

static uint8_t *row_of(const struct tf_picture *to, int plane, uint32_t y)
{
    return to->plane[plane] + (size_t)y * to->pitch[plane];
}

/* Rows y and y + 1, the latter the same as the former at the end of an odd picture. */
static void put_entries(const struct tf_planes *p, const uint8_t *a, const uint8_t *b, uint32_t y,
                        const struct tf_picture *to)
{
    size_t n = (size_t)p->width * p->factor;

    p->paint->lookup(a, n, p->luma, row_of(to, 0, y));
    if (b != a)
        p->paint->lookup(b, n, p->luma, row_of(to, 0, y + 1));
    p->paint->chroma(a, b, (n + 1) & ~(size_t)1, p->u, p->v, row_of(to, 1, y / 2), row_of(to, 2, y / 2));
}

static void put_colours(const struct tf_planes *p, const uint8_t *const from[4], uint32_t y,
                        const struct tf_picture *to)
{
    uint8_t *const ret[4] = {row_of(to, 0, y), from[1] != from[0] ? row_of(to, 0, y + 1) : row_of(to, 0, y),
                             row_of(to, 1, y / 2), row_of(to, 2, y / 2)};

    p->paint->matrix(from, (size_t)p->width * p->factor, ret);
}

/* The whole upright plane as levels, for enlargement. */
static void read_levels(struct tf_planes *p, const struct view *v, int plane)
{
    uint32_t most = v->walk.across_y ? STRIP : 2;

    for (uint32_t y = 0, n; y < v->height; y += n) {
        n = read_strip(p, v, y, most, p->strip[plane]);
        for (uint32_t i = 0; i < n; i++) {
            const uint8_t *restrict from = p->strip[plane] + i * p->stride;
            int16_t *restrict to = p->levels[plane] + (size_t)(y + i) * v->width;
            for (uint32_t x = 0; x < v->width; x++)
                to[x] = (int16_t)(from[x] * TF_LEVEL_STEPS);
        }
    }
}

static void set_range(struct tf_planes *p, const struct tf_frame *f, const struct tf_range *range)
{
    float span = range->high - range->low;

    p->low = range->low;
    p->scale = TF_LEVEL_TOP / (span > 1e-6f ? span : 1e-6f);
    if (f->pixel == TF_PIXEL_U8) {
        uint16_t values[256];
        for (int i = 0; i < 256; i++)
            values[i] = (uint16_t)i;
        p->paint->entries(values, 256, p->low, p->scale, p->gray);
    }
}

static void enlarge_gray(struct tf_planes *p, const struct tf_frame *f, const struct tf_range *range,
                         const struct tf_picture *to)
{
    uint32_t height = p->height * p->factor, n = p->width * p->factor;

    tf_levels_gray(f, range, p->levels[0]);
    tf_scaler_begin(p->scalers[0]);
    for (uint32_t y = 0; y < height; y += 2) {
        uint8_t *second = y + 1 < height ? p->row[1] : p->row[0];
        tf_scaler_bytes(p->scalers[0], p->levels[0], y, 0, p->row[0]);
        if (second != p->row[0])
            tf_scaler_bytes(p->scalers[0], p->levels[0], y + 1, 0, second);
        p->row[0][n] = p->row[0][n - 1];
        second[n] = second[n - 1];
        put_entries(p, p->row[0], second, y, to);
    }
}

void tf_planes_gray(struct tf_planes *p, const struct tf_frame *f, const struct tf_range *range,
                    const struct tf_picture *to)
{
    struct view v = view_of(f, ENTRY);
    uint32_t most = v.walk.across_y ? STRIP : 2;

    if (p->factor > 1) {
        enlarge_gray(p, f, range, to);
        return;
    }
    set_range(p, f, range);
    for (uint32_t y = 0, n; y < v.height; y += n) {
        n = read_strip(p, &v, y, most, p->strip[0]);
        for (uint32_t i = 0; i < n; i += 2) {
            const uint8_t *a = p->strip[0] + i * p->stride;
            put_entries(p, a, i + 1 < n ? a + p->stride : a, y + i, to);
        }
    }
}

static void enlarge_colour(struct tf_planes *p, const struct view views[3], const struct tf_picture *to)
{
    uint32_t height = p->height * p->factor;

    for (int i = 0; i < 3; i++) {
        read_levels(p, views + i, i);
        tf_scaler_begin(p->scalers[i]);
    }
    for (uint32_t y = 0; y < height; y += 2) {
        const uint8_t *const from[4] = {p->row[0], y + 1 < height ? p->row[1] : p->row[0], p->row[2],
                                        p->row[3]};
        for (uint32_t i = 0; i < 2 && y + i < height; i++)
            tf_scaler_bytes(p->scalers[0], p->levels[0], y + i, TF_LEVEL_STEPS / 2, p->row[i]);
        for (int i = 1; i < 3; i++)
            tf_scaler_bytes(p->scalers[i], p->levels[i], y / 2, TF_LEVEL_STEPS / 2, p->row[i + 1]);
        put_colours(p, from, y, to);
    }
}

int tf_planes_colour(struct tf_planes *p, const struct tf_frame *f, const struct tf_picture *to)
{
    const struct view views[3] = {view_of(f, LUMA), view_of(f, CB), view_of(f, CR)};
    uint32_t most = views[0].walk.across_y ? STRIP : 2;

    if (create_plane(p, 1) < 0 || create_plane(p, 2) < 0)
        return -ENOMEM;
    if (p->factor > 1) {
        enlarge_colour(p, views, to);
        return 0;
    }
    for (uint32_t y = 0, n; y < p->height; y += n) {
        n = read_strip(p, views, y, most, p->strip[0]);
        for (int i = 1; i < 3; i++)
            read_strip(p, views + i, y / 2, (n + 1) / 2, p->strip[i]);
        for (uint32_t i = 0; i < n; i += 2) {
            const uint8_t *a = p->strip[0] + i * p->stride;
            const uint8_t *const from[4] = {a, i + 1 < n ? a + p->stride : a, p->strip[1] + i / 2 * p->stride,
                                            p->strip[2] + i / 2 * p->stride};
            put_colours(p, from, y + i, to);
        }
    }
    return 0;
}
