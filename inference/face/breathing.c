/* Breathing, told from the temperature of the nostrils. */
#include <math.h>
#include <string.h>

#include "inference/face/breathing.h"

#define BINS TF_BREATHING_BINS
#define BIN_S (TF_BREATHING_BIN_NS / 1e9)
/* Two periods of the slowest breath have to be seen, with at most half of the window missing. */
#define BINS_MIN 100
#define LOOK_EVERY 5 /* bins: once a second */
/* The band of breathing: 6 to 51 a minute. */
#define BAND_FROM 0.1
#define BAND_TO 0.85
/* A fifth of what a window of 30 s resolves (1/30 Hz). */
#define BAND_STEP 0.00625
#define STEPS 121
/* Half the width of a peak of a Hann window, in steps: 2 / 30 s. */
#define PEAK_STEPS 11

void tf_breathing_reset(struct tf_breathing *b)
{
    memset(b, 0, sizeof(*b));
    b->rate = b->quality = NAN;
}

/* The window's values with mean and drift taken away, under a Hann window; 0 where nothing was seen. */
static int prepare(const struct tf_breathing *b, double x[BINS])
{
    double n = 0, st = 0, sx = 0, stt = 0, stx = 0, slope, mean;
    int seen = 0;

    for (int i = 0; i < BINS; i++) {
        uint32_t at = (uint32_t)((b->bin + 1 + (uint64_t)i) % BINS);
        double t = i - (BINS - 1) / 2.0;

        if (!b->count[at])
            continue;
        x[i] = (double)b->value[at] / b->count[at];
        seen++;
        n += 1;
        st += t;
        sx += x[i];
        stt += t * t;
        stx += t * x[i];
    }
    if (seen < BINS_MIN / 2)
        return seen;
    mean = sx / n;
    slope = n * stt - st * st > 0 ? (n * stx - st * sx) / (n * stt - st * st) : 0;
    for (int i = 0; i < BINS; i++) {
        uint32_t at = (uint32_t)((b->bin + 1 + (uint64_t)i) % BINS);
        double t = i - (BINS - 1) / 2.0;

        x[i] = b->count[at]
                   ? (x[i] - mean - slope * (t - st / n)) * (0.5 - 0.5 * cos(2 * M_PI * (i + 0.5) / BINS))
                   : 0;
    }
    return seen;
}

/* Power at one frequency; the phase is turned from value to value instead of being computed each time. */
static double power(const double x[BINS], double hz)
{
    double step = 2 * M_PI * hz * BIN_S, c = cos(step), s = sin(step);
    double re = 1, im = 0, sum_re = 0, sum_im = 0;

    for (int i = 0; i < BINS; i++) {
        double next = re * c - im * s;

        sum_re += x[i] * re;
        sum_im += x[i] * im;
        im = re * s + im * c;
        re = next;
    }
    return sum_re * sum_re + sum_im * sum_im;
}

/*
 * The rate is that of the highest peak; the quality is the share of the band's power that lies in that peak:
 * near 1 for regular breath, about 0.3 for noise (docs/regions.md has both measured).
 */
static void look(struct tf_breathing *b)
{
    double x[BINS] = {0}, p[STEPS], all = 0, peak = 0, shift = 0, bend;
    int best = 0;

    b->rate = b->quality = NAN;
    if (b->bin + 1 < BINS_MIN || prepare(b, x) < BINS_MIN / 2)
        return;
    for (int k = 0; k < STEPS; k++) {
        p[k] = power(x, BAND_FROM + k * BAND_STEP);
        all += p[k];
        if (p[k] > p[best])
            best = k;
    }
    if (!(all > 0))
        return;
    for (int k = best - PEAK_STEPS; k <= best + PEAK_STEPS; k++)
        if (k >= 0 && k < STEPS)
            peak += p[k];
    /* At the band's edge there is no peak, only the flank of something outside: drift, a moving head. */
    if (best == 0 || best == STEPS - 1) {
        b->quality = 0;
        return;
    }
    bend = p[best - 1] - 2 * p[best] + p[best + 1];
    if (bend < 0)
        shift = 0.5 * (p[best - 1] - p[best + 1]) / bend;
    b->rate = (float)(60 * (BAND_FROM + (best + shift) * BAND_STEP));
    b->quality = (float)(peak / all);
}

void tf_breathing_step(struct tf_breathing *b, uint64_t t_ns, float value)
{
    uint64_t bin;

    if (!isfinite(value))
        return;
    if (b->begun && (t_ns < b->first_ns || (t_ns - b->first_ns) / TF_BREATHING_BIN_NS > b->bin + BINS))
        b->begun = false;
    if (!b->begun) {
        tf_breathing_reset(b);
        b->begun = true;
        b->first_ns = t_ns;
        b->base = value;
    }
    bin = (t_ns - b->first_ns) / TF_BREATHING_BIN_NS;
    if (bin < b->bin)
        return;
    for (; b->bin < bin; b->bin++) {
        uint32_t next = (uint32_t)((b->bin + 1) % BINS);

        if (b->bin % LOOK_EVERY == LOOK_EVERY - 1)
            look(b);
        b->value[next] = 0;
        b->count[next] = 0;
    }
    b->value[bin % BINS] += value - b->base;
    if (b->count[bin % BINS] < UINT16_MAX)
        b->count[bin % BINS]++;
}
