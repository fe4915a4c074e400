/*
 * Which parts of a window's values the tone may span: what stands apart from the scene is left out, because a
 * lamp on a hundredth of the picture would otherwise press everything else into a few gray levels.
 */
#include <math.h>
#include <string.h>

#include "inference/face/tone.h"
#include "inference/face/tone_count.h"

#define BINS TF_TONE_BINS
/* What stands apart is told from the rest by a stretch of values that holds no more than this share: the
 * mixed pixels of its border lie there. */
#define SPARSE 0.015
/* Less than this share does not stand apart; the ranks do not feel it. */
#define FEW 0.005
/* The stretch has at least this share of the length of the rest. */
#define GAP 0.12
/* A part must bring this much contrast. In a face's window, where there is one choice only, more. */
#define GAIN 1.2
#define GAIN_FACE 1.4
/* Things that stand apart from each other on one side, so many at most. */
#define LEVELS 2
/* Values warmer than skin are left out unless they are most of the picture. */
#define WARM_MOST 0.6
/* Fewer bins than this between the outermost hundredths tell too little. */
#define BINS_FEW 128
/* °C: values colder than this are not counted as the scene, when so little is, and the rest can hold skin. */
#define COLD_C 18.0f
#define SKIN_MIN_C 26.0f
/* °C: no scene is colder. Zeros of dead pixels are. */
#define NOTHING_C -60.0f

struct range {
    int first, last; /* bins */
};

static uint32_t mass(const struct tf_tone_survey *s, struct range r)
{
    uint32_t n = 0;

    for (int i = r.first; i <= r.last; i++)
        n += s->bins[i];
    return n;
}

/* The bins of a part's lowest and highest rank that count. */
static struct range bounds(const struct tf_tone *tone, const struct tf_tone_survey *s, struct range r,
                           uint32_t n)
{
    double last = n > 0 ? (double)(n - 1) : 0;
    size_t lo = (size_t)(tone->lo / 100.0 * last), hi = (size_t)(tone->hi / 100.0 * last), below = 0;
    struct range ret = r;

    while (ret.first < r.last && lo >= below + s->bins[ret.first])
        below += s->bins[ret.first++];
    ret.last = ret.first;
    while (ret.last < r.last && hi >= below + s->bins[ret.last])
        below += s->bins[ret.last++];
    return ret;
}

static int width(struct range r)
{
    return r.last - r.first + 1;
}

/*
 * Cuts off what stands apart at the top (or bottom) of `r`: at most `allowed` values, beyond the longest
 * stretch that is sparse. The cut lies in the middle of the stretch: of the mixed pixels, which
 * spread over all of it, so few stay that the ranks do not feel them. Returns the part that is left, or `r`
 * where nothing stands apart or too little contrast would be won.
 */
static struct range cut(const struct tf_tone *tone, const struct tf_tone_survey *s, struct range r, bool top,
                        uint32_t n, uint32_t allowed, double gain)
{
    uint32_t sparse = (uint32_t)(SPARSE * n), least = (uint32_t)(FEW * n) + 1;
    int step = top ? -1 : 1, end = top ? r.first : r.last;
    int far = top ? r.last : r.first, near = far; /* of the stretch: near is the scene's side */
    uint32_t beyond = 0, within = 0;
    int best = 0, best_far = 0;
    struct range ret = r;

    for (; far != end && beyond + s->bins[far] <= allowed; far += step) {
        /* The bin `far` goes to what stands apart; the stretch begins behind it. */
        beyond += s->bins[far];
        if (near == far)
            near += step;
        else
            within -= s->bins[far];
        while (near != end && within + s->bins[near] <= sparse) {
            within += s->bins[near];
            near += step;
        }
        int length = (near - far) * step;
        if (length > best && beyond >= least) {
            best = length;
            best_far = far;
        }
    }
    if (best == 0)
        return r;
    int middle = best_far + step * (best / 2);
    if (top)
        ret.last = middle;
    else
        ret.first = middle;
    uint32_t left = mass(s, ret);
    struct range before = bounds(tone, s, r, mass(s, r)), after = bounds(tone, s, ret, left);
    return left > 0 && best >= GAP * width(after) && width(before) >= gain * width(after) ? ret : r;
}

/* Up to LEVELS cuts on one side; level 0 is `r` itself. Returns how many levels there are besides. */
static int levels(const struct tf_tone *tone, const struct tf_tone_survey *s, struct range r, bool top,
                  uint32_t n, double gain, struct range ret[LEVELS + 1])
{
    double allowed = tone->apart / 100.0 * n;
    int count = 0;

    ret[0] = r;
    while (count < LEVELS) {
        uint32_t gone = mass(s, r) - mass(s, ret[count]);
        if (gone > allowed)
            break;
        ret[count + 1] = cut(tone, s, ret[count], top, n, (uint32_t)(allowed - gone), gain);
        if (ret[count + 1].first == ret[count].first && ret[count + 1].last == ret[count].last)
            break;
        count++;
    }
    return count;
}

static void add(const struct tf_tone *tone, struct tf_tone_survey *s, struct range r, int kind)
{
    if (s->parts == TF_TONE_PARTS || r.first > r.last || bounds(tone, s, r, mass(s, r)).last < s->skin)
        return;
    for (int i = 0; i < s->parts; i++)
        if (s->part[i].first == r.first && s->part[i].last == r.last)
            return;
    struct tf_tone_part *p = &s->part[s->parts];
    p->first = (uint16_t)r.first;
    p->last = (uint16_t)r.last;
    p->kind = (uint16_t)kind;
    p->below = r.first > 0 ? mass(s, (struct range){0, r.first - 1}) : 0;
    p->n = mass(s, r);
    if (p->n > 0)
        s->parts++;
}

/* The bins are few for most values when one lies far off: they are laid anew around the middle. */
static void look_closer(const float *values, size_t count, uint32_t n, struct tf_tone_survey *s)
{
    static const struct tf_tone middle = {.lo = 1, .hi = 99};

    for (int again = 0; again < 3; again++) {
        struct range all = {0, BINS - 1}, most = bounds(&middle, s, all, n);
        if (width(most) >= BINS_FEW || width(most) < 2)
            return;
        float bin = 1 / s->factor, room = (float)width(most) * bin;
        float from = s->min + (float)most.first * bin - room,
              to = s->min + (float)(most.last + 1) * bin + room;
        float factor = (float)BINS / (to - from);

        if (!(to > from) || !isfinite(factor) || factor <= s->factor)
            return;
        s->min = from > 0 ? from : 0;
        s->factor = factor;
        tf_tone_fill(values, count, s);
    }
}

static int bin_at(const struct tf_tone_survey *s, float celsius, const struct tf_radiometry *r)
{
    float at = ((celsius - r->offset) / r->scale - s->min) * s->factor;

    return at < 0 ? -1 : at >= BINS ? BINS : (int)at;
}

/* How many of the bottom's levels are left out at first: what is cold, when the rest can hold skin. */
static int cold_levels(const struct tf_tone *tone, const struct tf_tone_survey *s,
                       const struct tf_radiometry *radiometry, const struct range *bottom, int count)
{
    int cold = bin_at(s, COLD_C, radiometry), skin = bin_at(s, SKIN_MIN_C, radiometry);

    for (; count > 0; count--) {
        struct range rest = bounds(tone, s, bottom[count], mass(s, bottom[count]));
        if (bottom[count].first <= cold && rest.last >= skin)
            break;
    }
    return count;
}

void tf_tone_survey(const struct tf_tone *tone, const struct tf_radiometry *radiometry, const float *values,
                    size_t count, size_t inside, struct tf_tone_survey *s)
{
    bool celsius = radiometry->valid && radiometry->scale > 0, limited = false;
    struct range all = {0, BINS - 1}, scene = all, top[LEVELS + 1], bottom[LEVELS + 1];
    double gain = tone->face ? GAIN_FACE : GAIN;
    uint32_t n = (uint32_t)inside;
    int tops, bottoms, first = 0;

    tf_tone_count(values, count, inside, s);
    s->parts = s->skin = 0;
    if (s->flat || tone->kind != TF_TONE_PERCENTILE || !(tone->apart > 0)) {
        s->part[0] = (struct tf_tone_part){0, BINS - 1, 0, 0, n};
        s->parts = 1;
        return;
    }
    look_closer(values, count, n, s);
    if (celsius && tone->skin_max_c > 0) {
        int warm = bin_at(s, tone->skin_max_c, radiometry), nothing = bin_at(s, NOTHING_C, radiometry);
        struct range skin = {nothing + 1, warm > BINS - 1 ? BINS - 1 : warm};

        if (skin.first <= skin.last && mass(s, skin) >= (1 - WARM_MOST) * n) {
            scene = skin;
            limited = skin.last < BINS - 1 || skin.first > 0;
        }
    }
    tops = levels(tone, s, scene, true, n, gain, top);
    bottoms = levels(tone, s, scene, false, n, gain, bottom);
    if (tone->face) {
        add(tone, s, (struct range){bottom[bottoms].first, top[tops].last}, 0);
    } else {
        if (celsius)
            first = cold_levels(tone, s, radiometry, bottom, bottoms);
        /* Where there is anything as warm as skin, a part without it is of no use. */
        if (celsius && bounds(tone, s, scene, mass(s, scene)).last >= bin_at(s, SKIN_MIN_C, radiometry))
            s->skin = bin_at(s, SKIN_MIN_C, radiometry);
        add(tone, s, bottom[first], first * 4);
        for (int sum = 0; sum <= 2 * LEVELS; sum++)
            for (int t = 0; t <= tops && t <= sum; t++) {
                int b = sum - t;
                if (b <= bottoms)
                    add(tone, s, (struct range){bottom[b].first, top[t].last}, t + b * 4);
            }
        if (limited)
            add(tone, s, all, 16);
    }
    if (s->parts == 0)
        add(tone, s, all, 0);
}

float tf_tone_median(const struct tf_tone_survey *s)
{
    uint32_t n = mass(s, (struct range){0, BINS - 1}), below = 0;
    int bin = 0;

    if (s->flat)
        return s->min;
    while (bin < BINS - 1 && 2 * (below + s->bins[bin]) < n)
        below += s->bins[bin++];
    return s->min + ((float)bin + 0.5f) / s->factor;
}
