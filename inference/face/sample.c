/* A network's input window, sampled from the frame. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "inference/face/sample.h"

/* Taps of one input pixel on one axis: sub-samples times two neighbours. */
#define TAPS_MAX (2 * TF_SAMPLE_SUB_MAX)

struct taps {
    int32_t first; /* picture pixel of weight[0] */
    int32_t count;
    bool inside; /* the input pixel's centre lies in the picture */
    float weight[TAPS_MAX + 2];
};

struct tf_sampler {
    uint32_t width, height;
    struct taps *columns; /* width */
    float row[TF_FRAME_DIM_MAX];
};

int tf_sampler_create(uint32_t width, uint32_t height, struct tf_sampler **ret)
{
    struct tf_sampler *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->columns = calloc(width, sizeof(*s->columns));
    if (!s->columns) {
        free(s);
        return -ENOMEM;
    }
    s->width = width;
    s->height = height;
    *ret = s;
    return 0;
}

void tf_sampler_destroy(struct tf_sampler *sampler)
{
    if (!sampler)
        return;
    free(sampler->columns);
    free(sampler);
}

bool tf_box_usable(const float box[4])
{
    for (int i = 0; i < 4; i++) {
        if (!isfinite(box[i]) || fabsf(box[i]) > 1e6f)
            return false;
    }
    return fmaxf(box[2], box[3]) > 0;
}

struct tf_window tf_window_square(const float box[4], float scale, float angle)
{
    float side = scale * fmaxf(box[2], box[3]);

    return (struct tf_window){
        .cx = box[0] + box[2] * 0.5f,
        .cy = box[1] + box[3] * 0.5f,
        .span_x = side,
        .span_y = side,
        .cos = angle == 0 ? 1 : cosf(angle),
        .sin = angle == 0 ? 0 : sinf(angle),
    };
}

struct tf_window tf_window_letterbox(const struct tf_view *view, uint32_t width, uint32_t height)
{
    float step = fmaxf((float)view->width / (float)width, (float)view->height / (float)height);

    /* The picture covers -0.5 to width - 0.5. */
    return (struct tf_window){
        .cx = ((float)view->width - 1) * 0.5f,
        .cy = ((float)view->height - 1) * 0.5f,
        .span_x = step * (float)width,
        .span_y = step * (float)height,
        .cos = 1,
        .sin = 0,
    };
}

void tf_window_to_picture(const struct tf_window *window, float u, float v, float *x, float *y)
{
    float du = u * window->span_x, dv = v * window->span_y;

    *x = window->cx + window->cos * du - window->sin * dv;
    *y = window->cy + window->sin * du + window->cos * dv;
}

static int sub_samples(const struct tf_window *window, uint32_t width)
{
    float n = ceilf(window->span_x / (float)width);

    return n < 1 ? 1 : n > TF_SAMPLE_SUB_MAX ? TF_SAMPLE_SUB_MAX : (int)n;
}

static inline bool in_picture(float x, uint32_t size)
{
    return x >= -0.5f && x <= (float)size - 0.5f;
}

static inline float clampf(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/*
 * One bilinear sample; positions beyond the outermost pixel centres repeat the edge. `within` promises that
 * the sample and its neighbours lie in the picture, which spares the checks.
 */
static inline __attribute__((always_inline)) float bilinear(const struct tf_view *view, float x, float y,
                                                            bool wide, bool within)
{
    float px = within ? x : clampf(x, 0, (float)(view->width - 1));
    float py = within ? y : clampf(y, 0, (float)(view->height - 1));
    int32_t ix = (int32_t)px, iy = (int32_t)py;
    float fx = px - (float)ix, fy = py - (float)iy;
    const uint8_t *p = view->base + ix * view->step_x + iy * view->step_y;
    /* At the last column or row the fraction is 0: the neighbour is the pixel itself. */
    ptrdiff_t dx = within || ix + 1 < (int32_t)view->width ? view->step_x : 0;
    ptrdiff_t dy = within || iy + 1 < (int32_t)view->height ? view->step_y : 0;
    float a, b, c, d;

    if (wide) {
        a = tf_load_u16(p);
        b = tf_load_u16(p + dx);
        c = tf_load_u16(p + dy);
        d = tf_load_u16(p + dx + dy);
    } else {
        a = p[0];
        b = p[dx];
        c = p[dy];
        d = p[dx + dy];
    }
    float top = a + (b - a) * fx, bottom = c + (d - c) * fx;
    return top + (bottom - top) * fy;
}

static inline __attribute__((always_inline)) float pixel(const uint8_t *p, bool wide)
{
    return wide ? (float)tf_load_u16(p) : (float)*p;
}

/* Input pixels that are sampled side by side: the compiler makes vectors of all but the reading. */
#define SIDE 8

/* SIDE bilinear samples whose neighbours all lie in the picture, added to sum[]. */
static inline __attribute__((always_inline)) void add_samples(const struct tf_view *view, const float *x,
                                                              const float *y, float off_x, float off_y,
                                                              float *sum, bool wide)
{
    float fx[SIDE], fy[SIDE], a[SIDE], b[SIDE], c[SIDE], d[SIDE];
    int32_t ix[SIDE], iy[SIDE];

    for (int i = 0; i < SIDE; i++) {
        float px = x[i] + off_x, py = y[i] + off_y;

        ix[i] = (int32_t)px;
        iy[i] = (int32_t)py;
        fx[i] = px - (float)ix[i];
        fy[i] = py - (float)iy[i];
    }
    for (int i = 0; i < SIDE; i++) {
        const uint8_t *p = view->base + ix[i] * view->step_x + iy[i] * view->step_y;

        a[i] = pixel(p, wide);
        b[i] = pixel(p + view->step_x, wide);
        c[i] = pixel(p + view->step_y, wide);
        d[i] = pixel(p + view->step_x + view->step_y, wide);
    }
    for (int i = 0; i < SIDE; i++) {
        float top = a[i] + (b[i] - a[i]) * fx[i], bottom = c[i] + (d[i] - c[i]) * fx[i];

        sum[i] += top + (bottom - top) * fy[i];
    }
}

/* SIDE input pixels around (x, y), each the mean of n x n samples. */
static inline __attribute__((always_inline)) void turned_side(const struct tf_view *view,
                                                              const struct tf_window *win, int n,
                                                              const float *x, const float *y, float cell_x,
                                                              float cell_y, float *out, bool wide)
{
    float mean = 1.0f / (float)(n * n), step = cell_x / (float)n;
    float step_x = win->cos * step, step_y = win->sin * step;
    float sum[SIDE] = {0}, sx[SIDE], sy[SIDE];

    if (n == 1) {
        add_samples(view, x, y, 0, 0, sum, wide);
        memcpy(out, sum, sizeof(sum));
        return;
    }
    for (int k = 0; k < n; k++) {
        float ov = (((float)k + 0.5f) / (float)n - 0.5f) * cell_y, ou = (0.5f / (float)n - 0.5f) * cell_x;

        for (int i = 0; i < SIDE; i++) {
            sx[i] = x[i] + win->cos * ou - win->sin * ov;
            sy[i] = y[i] + win->sin * ou + win->cos * ov;
        }
        for (int l = 0; l < n; l++)
            add_samples(view, sx, sy, (float)l * step_x, (float)l * step_y, sum, wide);
    }
    for (int i = 0; i < SIDE; i++)
        out[i] = sum[i] * mean;
}

/* One row of input pixels. */
static inline __attribute__((always_inline)) uint32_t
turned_row(const struct tf_sampler *s, const struct tf_view *view, const struct tf_window *win, int n,
           uint32_t row, float *out, bool wide, bool within)
{
    float cell_x = win->span_x / (float)s->width, cell_y = win->span_y / (float)s->height;
    float dv = ((float)row + 0.5f - 0.5f * (float)s->height) * cell_y;
    float mean = 1.0f / (float)(n * n);
    float step = cell_x / (float)n;
    float step_x = win->cos * step, step_y = win->sin * step;
    uint32_t inside = 0, j = 0;

    for (; within && j + SIDE <= s->width; j += SIDE) {
        float x[SIDE], y[SIDE];

        for (uint32_t i = 0; i < SIDE; i++) {
            float du = ((float)(int32_t)(j + i) + 0.5f - 0.5f * (float)s->width) * cell_x;

            x[i] = win->cx + win->cos * du - win->sin * dv;
            y[i] = win->cy + win->sin * du + win->cos * dv;
        }
        turned_side(view, win, n, x, y, cell_x, cell_y, out + j, wide);
        inside += SIDE;
    }
    for (; j < s->width; j++) {
        float du = ((float)j + 0.5f - 0.5f * (float)s->width) * cell_x;
        float x = win->cx + win->cos * du - win->sin * dv;
        float y = win->cy + win->sin * du + win->cos * dv;
        float sum = 0;

        if (!within && (!in_picture(x, view->width) || !in_picture(y, view->height))) {
            out[j] = TF_SAMPLE_OUTSIDE;
            continue;
        }
        inside++;
        if (n == 1) {
            out[j] = bilinear(view, x, y, wide, within);
            continue;
        }
        for (int k = 0; k < n; k++) {
            float ov = (((float)k + 0.5f) / (float)n - 0.5f) * cell_y, ou = (0.5f / (float)n - 0.5f) * cell_x;
            float sx = x + win->cos * ou - win->sin * ov, sy = y + win->sin * ou + win->cos * ov;

            for (int l = 0; l < n; l++)
                sum += bilinear(view, sx + (float)l * step_x, sy + (float)l * step_y, wide, within);
        }
        out[j] = sum * mean;
    }
    return inside;
}

/* Whether a row's samples, a cell around each included, all have their neighbours in the picture. */
static bool row_within(const struct tf_view *view, const struct tf_window *win, float v, float margin)
{
    float x0, y0, x1, y1;

    tf_window_to_picture(win, -0.5f, v, &x0, &y0);
    tf_window_to_picture(win, 0.5f, v, &x1, &y1);
    return fminf(x0, x1) >= margin && fminf(y0, y1) >= margin &&
           fmaxf(x0, x1) <= (float)view->width - 2 - margin &&
           fmaxf(y0, y1) <= (float)view->height - 2 - margin;
}

static uint32_t sample_turned(const struct tf_sampler *s, const struct tf_view *view,
                              const struct tf_window *win, float *values)
{
    int n = sub_samples(win, s->width);
    float margin = fmaxf(win->span_x / (float)s->width, win->span_y / (float)s->height) + 1;
    uint32_t inside = 0;

    for (uint32_t i = 0; i < s->height; i++) {
        bool within = row_within(view, win, ((float)i + 0.5f) / (float)s->height - 0.5f, margin);
        float *out = &values[(size_t)i * s->width];

        if (view->wide)
            inside += within ? turned_row(s, view, win, n, i, out, true, true)
                             : turned_row(s, view, win, n, i, out, true, false);
        else
            inside += within ? turned_row(s, view, win, n, i, out, false, true)
                             : turned_row(s, view, win, n, i, out, false, false);
    }
    return inside;
}

/* The n sub-samples of one input pixel on one axis as weights of neighbouring picture pixels. */
static void make_taps(struct taps *taps, float centre, float cell, int n, uint32_t size)
{
    float limit = (float)(size - 1), share = 1.0f / (float)n;
    int32_t last;

    taps->inside = in_picture(centre, size);
    taps->count = 0;
    if (!taps->inside)
        return;
    float from = clampf(centre + (0.5f / (float)n - 0.5f) * cell, 0, limit);
    float to = clampf(centre + (((float)n - 0.5f) / (float)n - 0.5f) * cell, 0, limit);
    taps->first = (int32_t)from;
    last = (int32_t)to + 1;
    if (last > (int32_t)size - 1)
        last = (int32_t)size - 1;
    if (last - taps->first >= TAPS_MAX + 2)
        return; /* wider than n can reach: the caller uses the general path */
    taps->count = last - taps->first + 1;
    for (int k = 0; k < taps->count; k++)
        taps->weight[k] = 0;
    for (int k = 0; k < n; k++) {
        float p = clampf(centre + (((float)k + 0.5f) / (float)n - 0.5f) * cell, 0, limit);
        int32_t at = (int32_t)p;
        float f = p - (float)at;

        taps->weight[at - taps->first] += (1 - f) * share;
        if (f > 0)
            taps->weight[at + 1 - taps->first] += f * share;
    }
}

/* Picture rows that are added up at a time: each value stays in a register meanwhile, and of a picture that
 * is turned by a quarter, whose rows lie across memory, neighbours come with one cache line. */
#define ROWS 4

struct weighted {
    const uint8_t *at[ROWS];
    float weight[ROWS];
    int n;
};

/* row[x] += weight * picture row, one after the other, for n values from `row` on. */
static inline __attribute__((always_inline)) void add_steps(float *row, size_t n, const struct weighted *r,
                                                            ptrdiff_t step, bool wide)
{
    if (r->n == ROWS) {
        const uint8_t *a = r->at[0], *b = r->at[1], *c = r->at[2], *d = r->at[3];
        float wa = r->weight[0], wb = r->weight[1], wc = r->weight[2], wd = r->weight[3];

        for (size_t x = 0; x < n; x++) {
            ptrdiff_t at = (ptrdiff_t)x * step;
            float sum = row[x] + wa * pixel(a + at, wide);

            sum += wb * pixel(b + at, wide);
            sum += wc * pixel(c + at, wide);
            row[x] = sum + wd * pixel(d + at, wide);
        }
        return;
    }
    for (int k = 0; k < r->n; k++) {
        const uint8_t *p = r->at[k];
        float weight = r->weight[k];

        for (size_t x = 0; x < n; x++)
            row[x] += weight * pixel(p + (ptrdiff_t)x * step, wide);
    }
}

static void add_rows(float *row, size_t n, const struct tf_view *view, const struct weighted *r)
{
    if (view->wide && view->step_x == 2)
        add_steps(row, n, r, 2, true);
    else if (view->wide)
        add_steps(row, n, r, view->step_x, true);
    else if (view->step_x == 1)
        add_steps(row, n, r, 1, false);
    else
        add_steps(row, n, r, view->step_x, false);
}

/* The picture rows of `rows`, weighted, into row[x0 .. x1]. */
static void gather_rows(float *row, const struct tf_view *view, const struct taps *rows, int32_t x0,
                        int32_t x1)
{
    size_t n = (size_t)(x1 - x0 + 1);
    struct weighted r = {.n = 0};

    memset(row + x0, 0, n * sizeof(float));
    for (int32_t k = 0; k < rows->count; k++) {
        if (!(rows->weight[k] > 0))
            continue;
        r.at[r.n] = view->base + (ptrdiff_t)(rows->first + k) * view->step_y + (ptrdiff_t)x0 * view->step_x;
        r.weight[r.n++] = rows->weight[k];
        if (r.n == ROWS) {
            add_rows(row + x0, n, view, &r);
            r.n = 0;
        }
    }
    add_rows(row + x0, n, view, &r);
}

/* Not turned: the mean of n x n bilinear samples is a weighted sum of rows, then of columns. */
static uint32_t sample_level(struct tf_sampler *s, const struct tf_view *view, const struct tf_window *win,
                             float *values)
{
    int n = sub_samples(win, s->width);
    float cell_x = win->span_x / (float)s->width, cell_y = win->span_y / (float)s->height;
    int32_t x0 = INT32_MAX, x1 = -1;
    uint32_t columns = 0, inside = 0;

    for (uint32_t j = 0; j < s->width; j++) {
        struct taps *t = &s->columns[j];

        make_taps(t, win->cx + ((float)j + 0.5f - 0.5f * (float)s->width) * cell_x, cell_x, n, view->width);
        if (!t->inside)
            continue;
        columns++;
        if (t->first < x0)
            x0 = t->first;
        if (t->first + t->count - 1 > x1)
            x1 = t->first + t->count - 1;
    }
    for (uint32_t i = 0; i < s->height; i++) {
        float *out = &values[(size_t)i * s->width];
        struct taps rows;

        make_taps(&rows, win->cy + ((float)i + 0.5f - 0.5f * (float)s->height) * cell_y, cell_y, n,
                  view->height);
        if (!rows.inside || columns == 0) {
            for (uint32_t j = 0; j < s->width; j++)
                out[j] = TF_SAMPLE_OUTSIDE;
            continue;
        }
        inside += columns;
        gather_rows(s->row, view, &rows, x0, x1);
        for (uint32_t j = 0; j < s->width; j++) {
            const struct taps *t = &s->columns[j];
            float sum = 0;

            for (int32_t k = 0; k < t->count; k++)
                sum += t->weight[k] * s->row[t->first + k];
            out[j] = t->inside ? sum : TF_SAMPLE_OUTSIDE;
        }
    }
    return inside;
}

uint32_t tf_sample(struct tf_sampler *sampler, const struct tf_view *view, const struct tf_window *window,
                   float *values)
{
    float cell = fmaxf(window->span_x / (float)sampler->width, window->span_y / (float)sampler->height);

    /* Beyond 16 picture pixels per input pixel eight sub-samples leave gaps wider than the taps hold. */
    if (window->sin == 0 && window->cos == 1 && cell <= 2 * TF_SAMPLE_SUB_MAX &&
        view->width <= TF_FRAME_DIM_MAX)
        return sample_level(sampler, view, window, values);
    return sample_turned(sampler, view, window, values);
}
