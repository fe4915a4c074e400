/* Dead pixels of a detector, learnt from its frames. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/faults.h"
#include "inference/face/view.h"

/* A pixel at the picture's corner has no more. */
#define NEIGHBOURS_MIN 3

struct look {
    const struct tf_frame *frame;
    uint32_t least;    /* a pixel that stands out does so by that many counts */
    uint16_t min, max; /* values that can be measurements */
};

static inline uint16_t value(const struct tf_frame *f, uint32_t x, uint32_t y)
{
    return tf_load_u16(f->plane[0] + (size_t)y * f->stride[0] + 2 * (size_t)x);
}

static bool stands_out(const struct look *l, uint32_t x, uint32_t y)
{
    const struct tf_frame *f = l->frame;
    uint32_t v = value(f, x, y), low = UINT32_MAX, high = 0, beyond;
    int n = 0;

    /* What is beyond the limits is left out without being learnt. */
    if (v < l->min || v > l->max)
        return false;
    for (uint32_t i = y > 0 ? y - 1 : 0; i <= y + 1 && i < f->height; i++)
        for (uint32_t k = x > 0 ? x - 1 : 0; k <= x + 1 && k < f->width; k++) {
            uint32_t other = value(f, k, i);

            if ((i == y && k == x) || other < l->min || other > l->max)
                continue;
            low = other < low ? other : low;
            high = other > high ? other : high;
            n++;
        }
    if (n < NEIGHBOURS_MIN)
        return false;
    beyond = v > high ? v - high : v < low ? low - v : 0;
    return beyond >= l->least && beyond > TF_FAULTS_SPANS * (high - low);
}

static uint32_t least_step(const struct tf_faults *s, const struct tf_frame *f)
{
    float kelvin = TF_FAULTS_KELVIN / fabsf(f->radiometry.scale);

    if (f->radiometry.valid)
        return kelvin < 2 ? 2 : kelvin < 65535 ? (uint32_t)ceilf(kelvin) : 65535;
    /* Not before the scene's own steps are known. */
    return s->steps ? (uint32_t)(TF_FAULTS_STEPS * s->steps / 256) + 2 : UINT32_MAX;
}

struct list {
    struct tf_fault *entries;
    uint32_t count, dead;
};

static void put(struct list *list, struct tf_fault e)
{
    if (list->count == TF_FAULTS_MAX)
        return;
    list->entries[list->count++] = e;
    list->dead += e.dead;
}

static void look_again(const struct look *l, struct tf_fault e, struct list *list)
{
    if (stands_out(l, e.place & 0xffff, e.place >> 16)) {
        e.level = e.level < TF_FAULTS_LEVEL_MAX - TF_FAULTS_GAIN ? (uint8_t)(e.level + TF_FAULTS_GAIN)
                                                                 : TF_FAULTS_LEVEL_MAX;
        e.dead |= e.level >= TF_FAULTS_LEVEL_DEAD;
    } else {
        e.level--;
    }
    if (e.level)
        put(list, e);
}

/* A piece of a row. Most have no step from pixel to pixel that counts. */
#define STRIP 32

/* Each pixel's step from the one before it; of the first in a row from the second. */
static inline uint32_t step_at(const struct tf_frame *f, uint32_t x, uint32_t y)
{
    uint32_t v = value(f, x, y), before = value(f, x > 0 ? x - 1 : 1, y);

    return v > before ? v - before : before - v;
}

/* The sum of the steps of n pixels from p on, none of them the first of a row; *most becomes the largest. */
static uint32_t sum_steps(const uint8_t *p, uint32_t n, uint16_t *most)
{
    uint32_t sum = 0;
    uint16_t largest = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint16_t v = tf_load_u16(p + 2 * (size_t)i), before = tf_load_u16(p + 2 * (size_t)i - 2);
        uint16_t step = (uint16_t)(v > before ? v - before : before - v);

        largest = step > largest ? step : largest;
        sum += step;
    }
    *most = largest;
    return sum;
}

static void look_closely(const struct look *l, const struct tf_faults *s, uint32_t place, uint32_t n,
                         uint32_t *at, struct list *list)
{
    const struct tf_frame *f = l->frame;
    uint32_t x = place & 0xffff, y = place >> 16, before = value(f, x > 0 ? x - 1 : 1, y);

    for (; n > 0; n--, place++, x++) {
        uint32_t v = value(f, x, y), step = v > before ? v - before : before - v;

        before = v;
        if (*at < s->count && s->entries[*at].place == place)
            look_again(l, s->entries[(*at)++], list);
        else if (step >= l->least && list->count + s->count - *at < TF_FAULTS_MAX && stands_out(l, x, y))
            put(list, (struct tf_fault){place, TF_FAULTS_GAIN, false});
    }
}

/* Looks at n pixels from (x, y) on; returns the sum of their steps. */
static uint32_t look_over(const struct look *l, const struct tf_faults *s, uint32_t x, uint32_t y, uint32_t n,
                          uint32_t *at, struct list *list)
{
    const uint8_t *p = l->frame->plane[0] + (size_t)y * l->frame->stride[0] + 2 * (size_t)x;
    uint32_t first = x > 0 ? 0 : step_at(l->frame, 0, y), skip = x > 0 ? 0 : 1, sum;
    uint16_t most;

    sum = first + sum_steps(p + 2 * (size_t)skip, n - skip, &most);
    if (most >= l->least || first >= l->least ||
        (*at < s->count && s->entries[*at].place < (y << 16 | (x + n))))
        look_closely(l, s, y << 16 | x, n, at, list);
    return sum;
}

void tf_faults_reset(struct tf_faults *faults)
{
    faults->count = faults->dead = faults->next_row = 0;
    faults->steps = 0;
}

void tf_faults_learn(struct tf_faults *s, const struct tf_frame *f)
{
    struct look l = {.frame = f};
    struct list list = {.entries = s->fresh};
    uint32_t y0, y1, at = 0;
    uint64_t steps = 0;

    if (f->pixel != TF_PIXEL_U16 || !f->plane[0] || f->width < 2 || f->height < 2)
        return;
    if (f->width != s->width || f->height != s->height) {
        tf_faults_reset(s);
        s->width = f->width;
        s->height = f->height;
    }
    tf_frame_limits(f, &l.min, &l.max);
    l.least = least_step(s, f);
    y0 = s->next_row;
    y1 = y0 + (TF_FAULTS_BUDGET + f->width - 1) / f->width;
    y1 = y1 < f->height ? y1 : f->height;
    s->next_row = y1 < f->height ? y1 : 0;

    for (; at < s->count && s->entries[at].place >> 16 < y0; at++)
        put(&list, s->entries[at]);
    for (uint32_t y = y0; y < y1; y++)
        for (uint32_t x = 0; x < f->width; x += STRIP) {
            uint32_t n = f->width - x < STRIP ? f->width - x : STRIP;

            steps += look_over(&l, s, x, y, n, &at, &list);
        }
    for (; at < s->count; at++)
        put(&list, s->entries[at]);

    s->steps = steps * 256 / ((uint64_t)(y1 - y0) * f->width);
    memcpy(s->entries, s->fresh, list.count * sizeof(*s->entries));
    s->count = list.count;
    s->dead = list.dead;
}

uint32_t tf_faults_upright(const struct tf_faults *faults, const struct tf_frame *f,
                           uint32_t ret[TF_FAULTS_MAX])
{
    uint32_t n = 0, w = f->width, h = f->height;

    if (!faults->dead || faults->width != w || faults->height != h)
        return 0;
    for (uint32_t i = 0; i < faults->count; i++) {
        uint32_t x = faults->entries[i].place & 0xffff, y = faults->entries[i].place >> 16, ux = x, uy = y;

        if (!faults->entries[i].dead)
            continue;
        if (f->rotate == 90) {
            ux = h - 1 - y;
            uy = x;
        } else if (f->rotate == 180) {
            ux = w - 1 - x;
            uy = h - 1 - y;
        } else if (f->rotate == 270) {
            ux = y;
            uy = w - 1 - x;
        }
        if (f->flip)
            ux = tf_frame_upright_width(f) - 1 - ux;
        ret[n++] = uy << 16 | ux;
    }
    return n;
}
