/*
 * Marks by distance: a pixel's share of a mark is how far its centre lies inside it, cut to 0..1. That is the
 * usual one-pixel box filter for straight edges and good enough for small round ones, and needs neither paths
 * nor memory.
 */
#include <math.h>
#include <string.h>

#include "overlay/draw.h"

/* Coordinates from a network or a broken projection may be anything; beyond this no mark can be seen. */
#define COORDINATE_MAX 32768.0f

struct tf_yuv tf_yuv_of(uint32_t rgb)
{
    int r = rgb >> 16 & 255, g = rgb >> 8 & 255, b = rgb & 255;

    /* ITU-R BT.709-6, 3.2 to 3.4, of 8 bits: Y is 16..235, U and V are 16..240; times 65536. */
    return (struct tf_yuv){(uint8_t)((11966 * r + 40254 * g + 4064 * b + (16 << 16) + 32768) >> 16),
                           (uint8_t)((-6596 * r - 22188 * g + 28784 * b + (128 << 16) + 32768) >> 16),
                           (uint8_t)((28784 * r - 26145 * g - 2639 * b + (128 << 16) + 32768) >> 16)};
}

bool tf_rect_clip(struct tf_rect *r, const struct tf_rect *clip)
{
    int x1 = r->x + r->w, y1 = r->y + r->h, cx1 = clip->x + clip->w, cy1 = clip->y + clip->h;

    r->x = r->x > clip->x ? r->x : clip->x;
    r->y = r->y > clip->y ? r->y : clip->y;
    r->w = (x1 < cx1 ? x1 : cx1) - r->x;
    r->h = (y1 < cy1 ? y1 : cy1) - r->y;
    return r->w > 0 && r->h > 0;
}

bool tf_rect_overlap(const struct tf_rect *a, const struct tf_rect *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static inline uint8_t mixed(int from, int to, int alpha) /* alpha of 256 */
{
    return (uint8_t)(from + (((to - from) * alpha + 128) >> 8));
}

static void blend_planes(const struct tf_picture *p, int x, int y, int n, const uint16_t *const rows[2],
                         uint32_t rgb)
{
    struct tf_yuv ink = tf_yuv_of(rgb);
    uint8_t *u = p->plane[1] + (size_t)(y / 2) * p->pitch[1] + x / 2,
            *v = p->plane[2] + (size_t)(y / 2) * p->pitch[2] + x / 2;

    for (int row = 0; row < 2 && y + row < (int)p->height; row++) {
        uint8_t *luma = p->plane[0] + (size_t)(y + row) * p->pitch[0] + x;
        const uint16_t *c = rows[row];
        for (int i = 0; i < n; i++)
            luma[i] = mixed(luma[i], ink.y, c[i]);
    }
    for (int i = 0; i < (n + 1) / 2; i++) {
        int sum = rows[0][2 * i] + rows[0][2 * i + 1] + rows[1][2 * i] + rows[1][2 * i + 1];
        u[i] = mixed(u[i], ink.u, sum / 4);
        v[i] = mixed(v[i], ink.v, sum / 4);
    }
}

void tf_cover_blend(const struct tf_picture *p, int x, int y, int n, const uint16_t *row0,
                    const uint16_t *row1, uint32_t rgb)
{
    const uint16_t *const rows[2] = {row0, row1};

    if (!p->data) {
        blend_planes(p, x, y, n, rows, rgb);
        return;
    }
    for (int row = 0; row < 2 && y + row < (int)p->height; row++) {
        uint32_t *pixels = tf_pixel_row(p, y + row) + x;
        const uint16_t *c = rows[row];
        for (int i = 0; i < n; i++)
            if (c[i])
                tf_blend(pixels + i, rgb, c[i]);
    }
}

void tf_draw_shape(const struct tf_canvas *c, struct tf_rect r, tf_shape_fn *fill, const void *shape,
                   uint32_t rgb)
{
    if (!tf_rect_clip(&r, &c->clip))
        return;
    for (int y = r.y & ~1; y < r.y + r.h; y += 2)
        for (int x = r.x & ~1; x < r.x + r.w; x += TF_COVER) {
            int end = x + TF_COVER < r.x + r.w ? x + TF_COVER : r.x + r.w, from = x > r.x ? x : r.x;
            int left = end, right = from - 1; /* of both rows */
            uint16_t rows[2][TF_COVER];

            for (int row = 0; row < 2; row++) {
                int first = from, last = end - 1;
                /* One column more than is drawn: chroma takes them by twos. */
                memset(rows[row], 0, (size_t)((end - x + 1) & ~1) * sizeof(*rows[row]));
                if (y + row < r.y || y + row >= r.y + r.h)
                    continue;
                fill(shape, y + row, &first, &last, rows[row] + (from - x));
                if (last < first)
                    continue;
                left = first < left ? first : left;
                right = last > right ? last : right;
            }
            left &= ~1;
            if (left <= right)
                tf_cover_blend(c->picture, left, y, right - left + 1, rows[0] + (left - x),
                               rows[1] + (left - x), rgb);
        }
}

static void fill_evenly(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    unsigned alpha = *(const unsigned *)shape;

    for (int i = 0; i <= *last - *first; i++)
        ret[i] = (uint16_t)alpha;
}

/* Opaque, of whole chroma samples: nothing to blend. */
static void set_planes(const struct tf_picture *p, struct tf_rect r, uint32_t rgb)
{
    struct tf_yuv ink = tf_yuv_of(rgb);

    for (int y = r.y; y < r.y + r.h; y++)
        memset(p->plane[0] + (size_t)y * p->pitch[0] + r.x, ink.y, (size_t)r.w);
    for (int y = r.y / 2; y < (r.y + r.h) / 2; y++) {
        memset(p->plane[1] + (size_t)y * p->pitch[1] + r.x / 2, ink.u, (size_t)r.w / 2);
        memset(p->plane[2] + (size_t)y * p->pitch[2] + r.x / 2, ink.v, (size_t)r.w / 2);
    }
}

void tf_draw_rect(const struct tf_canvas *c, struct tf_rect r, uint32_t rgb, unsigned alpha)
{
    if (!tf_rect_clip(&r, &c->clip))
        return;
    if (!c->picture->data && alpha >= 256 && !((r.x | r.y | r.w | r.h) & 1)) {
        set_planes(c->picture, r, rgb);
        return;
    }
    if (alpha > 256)
        alpha = 256;
    tf_draw_shape(c, r, fill_evenly, &alpha, rgb);
}

static bool usable(float v)
{
    return v > -COORDINATE_MAX && v < COORDINATE_MAX; /* false for NAN */
}

/* The whole pixels that a mark between these corners can touch. */
static bool bounds(const struct tf_canvas *c, float x0, float y0, float x1, float y1, struct tf_rect *ret)
{
    struct tf_rect r;

    if (!usable(x0) || !usable(y0) || !usable(x1) || !usable(y1))
        return false;
    r.x = (int)floorf(x0);
    r.y = (int)floorf(y0);
    r.w = (int)ceilf(x1) - r.x + 1;
    r.h = (int)ceilf(y1) - r.y + 1;
    *ret = r;
    return tf_rect_clip(ret, &c->clip);
}

static inline uint16_t share(float inside, unsigned alpha)
{
    inside = inside > 0 ? inside : 0; /* of NAN, too: a line to a point that is none */
    inside = inside < 1 ? inside : 1;
    return (uint16_t)(int)(inside * (float)alpha);
}

struct plate {
    float cx, cy, hx, hy, radius;
    unsigned alpha;
};

static void fill_plate(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    const struct plate *p = shape;
    float dy = fabsf((float)y + 0.5f - p->cy) - p->hy;

    for (int i = 0; i <= *last - *first; i++) {
        float dx = fabsf((float)(*first + i) + 0.5f - p->cx) - p->hx;
        ret[i] = dx <= 0 || dy <= 0 ? (uint16_t)p->alpha
                                    : share(p->radius + 0.5f - sqrtf(dx * dx + dy * dy), p->alpha);
    }
}

void tf_draw_plate(const struct tf_canvas *c, struct tf_rect r, float radius, uint32_t rgb, unsigned alpha)
{
    struct plate plate = {.cx = (float)r.x + (float)r.w / 2,
                          .cy = (float)r.y + (float)r.h / 2,
                          .hx = (float)r.w / 2 - radius,
                          .hy = (float)r.h / 2 - radius,
                          .radius = radius,
                          .alpha = alpha};

    tf_draw_shape(c, r, fill_plate, &plate, rgb);
}

struct round {
    float x, y, radius, half; /* half the width of a ring */
    unsigned alpha;
};

static void fill_disc(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    const struct round *d = shape;
    float dy = (float)y + 0.5f - d->y;

    for (int i = 0; i <= *last - *first; i++) {
        float dx = (float)(*first + i) + 0.5f - d->x;
        ret[i] = share(d->radius + 0.5f - sqrtf(dx * dx + dy * dy), d->alpha);
    }
}

void tf_draw_disc(const struct tf_canvas *c, float x, float y, float radius, uint32_t rgb, unsigned alpha)
{
    struct round disc = {.x = x, .y = y, .radius = radius, .alpha = alpha};
    struct tf_rect r;
    float reach = radius + 0.5f;

    if (bounds(c, x - reach, y - reach, x + reach, y + reach, &r))
        tf_draw_shape(c, r, fill_disc, &disc, rgb);
}

static void fill_ring(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    const struct round *d = shape;
    float dy = (float)y + 0.5f - d->y;

    for (int i = 0; i <= *last - *first; i++) {
        float dx = (float)(*first + i) + 0.5f - d->x;
        ret[i] = share(d->half + 0.5f - fabsf(sqrtf(dx * dx + dy * dy) - d->radius), d->alpha);
    }
}

void tf_draw_ring(const struct tf_canvas *c, float x, float y, float radius, float width, uint32_t rgb,
                  unsigned alpha)
{
    struct round ring = {.x = x, .y = y, .radius = radius, .half = width / 2, .alpha = alpha};
    struct tf_rect r;
    float reach = radius + width / 2 + 0.5f;

    if (bounds(c, x - reach, y - reach, x + reach, y + reach, &r))
        tf_draw_shape(c, r, fill_ring, &ring, rgb);
}

struct line {
    float x, y, dx, dy, inverse, slope, half, spread;
    unsigned alpha;
};

/* A line's pixels first to last of row y into places from `base` on, where they are more than what is there.
 */
static void add_line(const struct line *l, int y, int *first, int *last, int base, uint16_t *ret)
{
    float oy = (float)y + 0.5f - l->y;

    /* Of a long flat row only the pixels near the line: where it crosses this row, and what the slope
     * spreads. */
    if (l->spread > 0) {
        float at = l->x + l->slope * oy;
        if (at - l->spread > (float)*first)
            *first = at - l->spread < (float)*last ? (int)(at - l->spread) : *last + 1;
        if (at + l->spread < (float)*last)
            *last = at + l->spread > (float)*first ? (int)(at + l->spread) : *first - 1;
    }
    for (int px = *first; px <= *last; px++) {
        float ox = (float)px + 0.5f - l->x, along = (ox * l->dx + oy * l->dy) * l->inverse;
        along = along < 0 ? 0 : along > 1 ? 1 : along;
        float ex = ox - along * l->dx, ey = oy - along * l->dy;
        uint16_t covered = share(l->half + 0.5f - sqrtf(ex * ex + ey * ey), l->alpha);
        ret[px - base] = covered > ret[px - base] ? covered : ret[px - base];
    }
}

static void fill_line(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    add_line(shape, y, first, last, *first, ret);
}

struct outline {
    struct line lines[TF_OUTLINE_MAX];
    struct tf_rect reach[TF_OUTLINE_MAX];
    int n;
};

static void fill_outline(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    const struct outline *o = shape;
    int base = *first, end = *last, left = end + 1, right = base - 1;

    for (int i = 0; i < o->n; i++) {
        const struct tf_rect *r = o->reach + i;
        int from = r->x > base ? r->x : base, to = r->x + r->w - 1 < end ? r->x + r->w - 1 : end;
        if (y < r->y || y >= r->y + r->h || from > to)
            continue;
        add_line(o->lines + i, y, &from, &to, base, ret);
        if (from > to)
            continue;
        left = from < left ? from : left;
        right = to > right ? to : right;
    }
    *first = left;
    *last = right;
}

/* False: it cannot be seen. */
static bool make_line(const struct tf_canvas *c, const float a[2], const float b[2], float width,
                      unsigned alpha, struct line *ret, struct tf_rect *reached)
{
    float half = width / 2, reach = half + 0.5f, dx = b[0] - a[0], dy = b[1] - a[1],
          length2 = dx * dx + dy * dy;

    *ret = (struct line){.x = a[0],
                         .y = a[1],
                         .dx = dx,
                         .dy = dy,
                         .inverse = length2 > 0 ? 1 / length2 : 0,
                         .slope = fabsf(dy) > 1e-3f ? dx / dy : 0,
                         .half = half,
                         .spread = fabsf(dy) > 1e-3f ? (reach + 0.5f) * sqrtf(length2) / fabsf(dy) : 0,
                         .alpha = alpha};
    return bounds(c, fminf(a[0], b[0]) - reach, fminf(a[1], b[1]) - reach, fmaxf(a[0], b[0]) + reach,
                  fmaxf(a[1], b[1]) + reach, reached);
}

void tf_draw_line(const struct tf_canvas *c, float x0, float y0, float x1, float y1, float width,
                  uint32_t rgb, unsigned alpha)
{
    struct line line;
    struct tf_rect r;

    if (make_line(c, (const float[2]){x0, y0}, (const float[2]){x1, y1}, width, alpha, &line, &r))
        tf_draw_shape(c, r, fill_line, &line, rgb);
}

void tf_draw_outline(const struct tf_canvas *c, const float points[][2], int n, float width, uint32_t rgb,
                     unsigned alpha)
{
    struct outline o = {.n = 0};
    struct tf_rect all = {0};

    for (int i = 0; i < n && i < TF_OUTLINE_MAX; i++) {
        struct tf_rect *r = o.reach + o.n;
        if (!make_line(c, points[i], points[(i + 1) % n], width, alpha, o.lines + o.n, r))
            continue;
        if (!o.n) {
            all = *r;
        } else {
            int right = r->x + r->w > all.x + all.w ? r->x + r->w : all.x + all.w,
                bottom = r->y + r->h > all.y + all.h ? r->y + r->h : all.y + all.h;
            all.x = r->x < all.x ? r->x : all.x;
            all.y = r->y < all.y ? r->y : all.y;
            all.w = right - all.x;
            all.h = bottom - all.y;
        }
        o.n++;
    }
    if (o.n)
        tf_draw_shape(c, all, fill_outline, &o, rgb);
}
