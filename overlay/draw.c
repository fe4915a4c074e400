/*
 * Marks by distance: a pixel's share of a mark is how far its centre lies inside it, cut to 0..1. That is the
 * usual one-pixel box filter for straight edges and good enough for small round ones, and needs neither paths
 * nor memory.
 */
#include <math.h>

#include "overlay/draw.h"

/* Coordinates from a network or a broken projection may be anything; beyond this no mark can be seen. */
#define COORDINATE_MAX 32768.0f

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

void tf_draw_rect(const struct tf_canvas *c, struct tf_rect r, uint32_t rgb, unsigned alpha)
{
    if (!tf_rect_clip(&r, &c->clip))
        return;
    for (int y = r.y; y < r.y + r.h; y++) {
        uint32_t *row = tf_pixel_row(c->picture, y);
        if (alpha >= 256)
            for (int x = r.x; x < r.x + r.w; x++)
                row[x] = rgb;
        else
            for (int x = r.x; x < r.x + r.w; x++)
                tf_blend(row + x, rgb, alpha);
    }
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

static inline void cover(uint32_t *pixel, float inside, uint32_t rgb, unsigned alpha)
{
    if (inside >= 1)
        tf_blend(pixel, rgb, alpha);
    else if (inside > 0)
        tf_blend(pixel, rgb, (unsigned)(inside * (float)alpha));
}

void tf_draw_plate(const struct tf_canvas *c, struct tf_rect r, float radius, uint32_t rgb, unsigned alpha)
{
    struct tf_rect part = r;
    float cx = (float)r.x + (float)r.w / 2, cy = (float)r.y + (float)r.h / 2;
    float hx = (float)r.w / 2 - radius, hy = (float)r.h / 2 - radius;

    if (!tf_rect_clip(&part, &c->clip))
        return;
    for (int y = part.y; y < part.y + part.h; y++) {
        uint32_t *row = tf_pixel_row(c->picture, y);
        float dy = fabsf((float)y + 0.5f - cy) - hy;
        for (int x = part.x; x < part.x + part.w; x++) {
            float dx = fabsf((float)x + 0.5f - cx) - hx;
            if (dx <= 0 || dy <= 0)
                tf_blend(row + x, rgb, alpha);
            else
                cover(row + x, radius + 0.5f - sqrtf(dx * dx + dy * dy), rgb, alpha);
        }
    }
}

void tf_draw_disc(const struct tf_canvas *c, float x, float y, float radius, uint32_t rgb, unsigned alpha)
{
    struct tf_rect r;
    float reach = radius + 1;

    if (!bounds(c, x - reach, y - reach, x + reach, y + reach, &r))
        return;
    for (int py = r.y; py < r.y + r.h; py++) {
        uint32_t *row = tf_pixel_row(c->picture, py);
        float dy = (float)py + 0.5f - y;
        for (int px = r.x; px < r.x + r.w; px++) {
            float dx = (float)px + 0.5f - x;
            cover(row + px, radius + 0.5f - sqrtf(dx * dx + dy * dy), rgb, alpha);
        }
    }
}

void tf_draw_ring(const struct tf_canvas *c, float x, float y, float radius, float width, uint32_t rgb,
                  unsigned alpha)
{
    struct tf_rect r;
    float reach = radius + width / 2 + 1;

    if (!bounds(c, x - reach, y - reach, x + reach, y + reach, &r))
        return;
    for (int py = r.y; py < r.y + r.h; py++) {
        uint32_t *row = tf_pixel_row(c->picture, py);
        float dy = (float)py + 0.5f - y;
        for (int px = r.x; px < r.x + r.w; px++) {
            float dx = (float)px + 0.5f - x;
            cover(row + px, width / 2 + 0.5f - fabsf(sqrtf(dx * dx + dy * dy) - radius), rgb, alpha);
        }
    }
}

void tf_draw_line(const struct tf_canvas *c, float x0, float y0, float x1, float y1, float width,
                  uint32_t rgb, unsigned alpha)
{
    struct tf_rect r;
    float half = width / 2, reach = half + 1;
    float dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy;
    float inverse = length2 > 0 ? 1 / length2 : 0;

    if (!bounds(c, fminf(x0, x1) - reach, fminf(y0, y1) - reach, fmaxf(x0, x1) + reach, fmaxf(y0, y1) + reach,
                &r))
        return;
    for (int py = r.y; py < r.y + r.h; py++) {
        uint32_t *row = tf_pixel_row(c->picture, py);
        float oy = (float)py + 0.5f - y0;
        int first = r.x, last = r.x + r.w - 1;

        /* Of a long flat row only the pixels near the line: where it crosses this row, and what the slope
         * spreads. */
        if (fabsf(dy) > 1e-3f) {
            float at = x0 + dx * (oy / dy), spread = reach * sqrtf(length2) / fabsf(dy);
            if (at - spread > (float)first)
                first = at - spread < (float)last ? (int)(at - spread) : last + 1;
            if (at + spread < (float)last)
                last = at + spread > (float)first ? (int)(at + spread) : first - 1;
        }
        for (int px = first; px <= last; px++) {
            float ox = (float)px + 0.5f - x0;
            float along = (ox * dx + oy * dy) * inverse;
            along = along < 0 ? 0 : along > 1 ? 1 : along;
            float ex = ox - along * dx, ey = oy - along * dy, d2 = ex * ex + ey * ey;
            if (d2 < (half + 0.5f) * (half + 0.5f))
                cover(row + px, half + 0.5f - sqrtf(d2), rgb, alpha);
        }
    }
}
