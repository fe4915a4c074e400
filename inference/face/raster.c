/* Statistics of the pixels whose centres lie inside a polygon. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/raster.h"

/* Up to so many pixels are kept while they are first seen; of larger regions the picture is read again. */
#define KEEP 2048
#define BINS 2048 /* 65536 values in steps of 32 at most */

struct tally {
    uint16_t *keep;
    uint64_t sum, squares; /* of value - base */
    uint32_t n;
    uint16_t base, min, max;
};

struct counter {
    uint32_t *bins;
    uint16_t base;
    uint32_t shift, size; /* values from base on, `size` bins of 2^shift values */
};

/* Calls for every span [x0, x1] of row y inside the polygon and the picture. */
typedef void (*span_fn)(void *context, const struct tf_view *view, uint32_t y, uint32_t x0, uint32_t x1);

static void tally_span(void *context, const struct tf_view *view, uint32_t y, uint32_t x0, uint32_t x1)
{
    struct tally *t = context;
    const uint8_t *p = view->base + (ptrdiff_t)y * view->step_y + (ptrdiff_t)x0 * view->step_x;
    uint64_t sum = 0, squares = 0;

    if (t->n == 0)
        t->base = t->min = t->max = (uint16_t)tf_view_at(view, x0, y);
    for (uint32_t x = x0; x <= x1; x++, p += view->step_x) {
        uint16_t v = view->wide ? tf_load_u16(p) : *p;
        int64_t d = (int64_t)v - t->base;

        if (t->n < KEEP)
            t->keep[t->n] = v;
        t->n++;
        t->min = v < t->min ? v : t->min;
        t->max = v > t->max ? v : t->max;
        /* Two's complement sums: exact although single differences are negative. */
        sum += (uint64_t)d;
        squares += (uint64_t)(d * d);
    }
    t->sum += sum;
    t->squares += squares;
}

static void count_value(struct counter *c, uint16_t v)
{
    uint32_t bin = v < c->base ? UINT32_MAX : (uint32_t)(v - c->base) >> c->shift;

    if (bin < c->size)
        c->bins[bin]++;
}

static void count_span(void *context, const struct tf_view *view, uint32_t y, uint32_t x0, uint32_t x1)
{
    const uint8_t *p = view->base + (ptrdiff_t)y * view->step_y + (ptrdiff_t)x0 * view->step_x;

    for (uint32_t x = x0; x <= x1; x++, p += view->step_x)
        count_value(context, view->wide ? tf_load_u16(p) : *p);
}

struct gated {
    const struct tf_raster_gate *gate;
    span_fn span;
    void *context;
};

/* The pieces of a span whose parts are wanted. */
static void gated_span(void *context, const struct tf_view *view, uint32_t y, uint32_t x0, uint32_t x1)
{
    const struct gated *g = context;
    uint32_t from = x0;
    bool open = false;

    for (uint32_t x = x0; x <= x1; x++) {
        bool wanted = g->gate->parts & 1u << tf_mask_at(g->gate->mask, (float)x, (float)y);

        if (wanted && !open)
            from = x;
        else if (!wanted && open)
            g->span(g->context, view, y, from, x - 1);
        open = wanted;
    }
    if (open)
        g->span(g->context, view, y, from, x1);
}

struct sifted {
    const struct tf_raster_sound *sound;
    uint32_t excluded;
    span_fn span;
    void *context;
};

/* The first of the frame's dead pixels at or after a place. */
static uint32_t dead_from(const struct tf_raster_sound *s, uint32_t place)
{
    uint32_t low = 0, high = s->dead_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (s->dead[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The pieces of a span whose pixels are measurements. */
static void sifted_span(void *context, const struct tf_view *view, uint32_t y, uint32_t x0, uint32_t x1)
{
    struct sifted *f = context;
    const struct tf_raster_sound *s = f->sound;
    const uint8_t *p = view->base + (ptrdiff_t)y * view->step_y + (ptrdiff_t)x0 * view->step_x;
    uint32_t dead = dead_from(s, y << 16 | x0), from = x0;

    for (uint32_t x = x0; x <= x1; x++, p += view->step_x) {
        uint16_t v = view->wide ? tf_load_u16(p) : *p;
        bool known = dead < s->dead_count && s->dead[dead] == (y << 16 | x);

        if (!known && v >= s->min && v <= s->max)
            continue;
        dead += known;
        f->excluded++;
        if (from < x)
            f->span(f->context, view, y, from, x - 1);
        from = x + 1;
    }
    if (from <= x1)
        f->span(f->context, view, y, from, x1);
}

/* Rows whose centre lies in [top, bottom) are asked for their crossings with the edges. */
static void fill_polygon(const struct tf_view *view, const struct tf_outline *o, span_fn span, void *context)
{
    float top = o->xy[0][1], bottom = top;
    int32_t last_x = (int32_t)view->width - 1;

    for (uint32_t i = 1; i < o->n; i++) {
        top = fminf(top, o->xy[i][1]);
        bottom = fmaxf(bottom, o->xy[i][1]);
    }
    int32_t y0 = (int32_t)ceilf(fmaxf(top, 0));
    int32_t y1 = (int32_t)floorf(fminf(bottom, (float)view->height - 1));
    for (int32_t y = y0; y <= y1; y++) {
        double cross[TF_REGION_OUTLINE_MAX];
        uint32_t n = 0;

        for (uint32_t i = 0; i < o->n; i++) {
            const float *a = o->xy[i], *b = o->xy[(i + 1) % o->n];

            if ((a[1] <= (float)y) == (b[1] <= (float)y))
                continue;
            /* On the outlines' grid the product is exact, and the quotient's rounding cannot move it over a
             * whole number: anybody's arithmetic gives the same pixels. */
            double x = (double)a[0] + ((double)y - (double)a[1]) * ((double)b[0] - (double)a[0]) /
                                          ((double)b[1] - (double)a[1]);
            uint32_t at = n++;
            for (; at > 0 && cross[at - 1] > x; at--)
                cross[at] = cross[at - 1];
            cross[at] = x;
        }
        for (uint32_t i = 0; i + 1 < n; i += 2) {
            int32_t x0 = (int32_t)ceil(fmax(cross[i], 0));
            int32_t x1 = (int32_t)ceil(fmin(cross[i + 1], (double)view->width)) - 1;

            if (x1 > last_x)
                x1 = last_x;
            if (x0 <= x1)
                span(context, view, (uint32_t)y, (uint32_t)x0, (uint32_t)x1);
        }
    }
}

struct area {
    const struct tf_outline *outline;
    const struct tf_raster_gate *gate;
    const struct tf_raster_sound *sound;
};

/* Returns how many pixels of the area were left out. */
static uint32_t fill(const struct tf_view *view, const struct area *a, span_fn span, void *context)
{
    struct sifted f = {.sound = a->sound, .span = span, .context = context};
    struct gated g = {a->gate, sifted_span, &f};

    if (a->gate)
        fill_polygon(view, a->outline, gated_span, &g);
    else
        fill_polygon(view, a->outline, sifted_span, &f);
    return f.excluded;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void tf_raster_sound(const struct tf_frame *frame, const struct tf_faults *faults,
                     struct tf_raster_sound *ret)
{
    tf_frame_limits(frame, &ret->min, &ret->max);
    ret->dead_count = faults ? tf_faults_upright(faults, frame, ret->dead) : 0;
    if (ret->dead_count > 1 && (frame->rotate != 0 || frame->flip))
        qsort(ret->dead, ret->dead_count, sizeof(*ret->dead), by_place);
}

const struct tf_region_stats tf_region_unseen = {
    .mean = NAN, .median = NAN, .min = NAN, .max = NAN, .sd = NAN, .why = TF_WHY_FEW_PIXELS};

static void count_all(const struct tf_view *view, const struct area *o, const struct tally *t,
                      struct counter *c)
{
    memset(c->bins, 0, c->size * sizeof(*c->bins));
    if (t->n > KEEP) {
        fill(view, o, count_span, c);
        return;
    }
    for (uint32_t i = 0; i < t->n; i++)
        count_value(c, t->keep[i]);
}

/* The value of rank `rank` by counting, coarse and then, where a bin holds several values, fine. */
static uint16_t value_of_rank(const struct tf_view *view, const struct area *o, const struct tally *t,
                              uint32_t *bins, uint32_t rank)
{
    struct counter c = {.bins = bins, .base = t->min};
    uint32_t range = (uint32_t)(t->max - t->min) + 1;

    while (range > (uint32_t)BINS << c.shift)
        c.shift++;
    c.size = ((range - 1) >> c.shift) + 1;
    for (;;) {
        uint32_t bin = 0;

        count_all(view, o, t, &c);
        while (rank >= bins[bin])
            rank -= bins[bin++];
        c.base = (uint16_t)(c.base + (bin << c.shift));
        if (c.shift == 0)
            return c.base;
        c.size = 1u << c.shift;
        c.shift = 0;
    }
}

static double median_of(const struct tf_view *view, const struct area *o, const struct tally *t)
{
    uint32_t bins[BINS];
    uint32_t lower = (t->n - 1) / 2;
    double a = value_of_rank(view, o, t, bins, lower);

    if (t->n % 2 == 1)
        return a;
    /* Often the next rank is in the same value; the last counts tell without another pass only there, so ask
     * again. */
    return (a + value_of_rank(view, o, t, bins, lower + 1)) / 2;
}

void tf_raster_measure(const struct tf_view *view, const struct tf_radiometry *radiometry,
                       const struct tf_raster_sound *sound, const struct tf_outline *outline,
                       const struct tf_raster_gate *gate, struct tf_region_stats *ret)
{
    const struct area area = {outline, gate, sound};
    uint16_t keep[KEEP];
    struct tally t = {.keep = keep};
    double scale = radiometry->valid ? (double)radiometry->scale : 1;
    double offset = radiometry->valid ? (double)radiometry->offset : 0;
    bool within = outline->n >= 3;

    *ret = tf_region_unseen;
    for (uint32_t i = 0; i < outline->n; i++) {
        float x = outline->xy[i][0], y = outline->xy[i][1];

        within = within && x >= -0.5f && y >= -0.5f && x <= (float)view->width - 0.5f &&
                 y <= (float)view->height - 0.5f;
    }
    if (outline->n < 3)
        return;
    ret->excluded = fill(view, &area, tally_span, &t);
    ret->n = t.n;
    ret->why = t.n < TF_REGION_PIXELS_MIN ? TF_WHY_FEW_PIXELS : 0;
    ret->why |= within ? 0 : TF_WHY_OUTSIDE;
    ret->why |= ret->excluded * TF_REGION_EXCLUDED_SHARE > t.n + ret->excluded ? TF_WHY_RANGE : 0;
    ret->valid = ret->why == 0;
    if (t.n == 0)
        return;

    double n = t.n, shift = (double)(int64_t)t.sum / n;
    double variance = (double)t.squares / n - shift * shift;
    ret->mean = (float)((t.base + shift) * scale + offset);
    ret->sd = (float)(sqrt(variance > 0 ? variance : 0) * fabs(scale));
    ret->median = (float)(median_of(view, &area, &t) * scale + offset);
    ret->min = (float)((scale < 0 ? t.max : t.min) * scale + offset);
    ret->max = (float)((scale < 0 ? t.min : t.max) * scale + offset);
}
