/*
 * The camera's rate by our clock: a straight line through (sequence, stamp), least squares, kept as running
 * means and moments (Welford's recurrences, as in Chan, Golub and LeVeque, "Algorithms for computing the
 * sample variance", 1983), so that hours of frames lose no digits.
 */
#include <errno.h>
#include <math.h>

#include "pipeline/shared.h"

/* Below this the scatter of the stamps says more than the clocks do. */
#define FRAMES_MIN 30
#define SPAN_MIN_NS 5000000000ull

void tf_rate_reset(struct tf_rate *rate)
{
    *rate = (struct tf_rate){0};
}

void tf_rate_add(struct tf_rate *rate, uint64_t sequence, uint64_t t_mono_ns)
{
    double x, y, dx, dy;

    /* A sequence that runs back, or a stamp that does, begins another line. */
    if (rate->n && (sequence <= rate->last_sequence || t_mono_ns <= rate->last_ns))
        tf_rate_reset(rate);
    if (!rate->n) {
        rate->first_sequence = sequence;
        rate->first_ns = t_mono_ns;
    }
    rate->last_sequence = sequence;
    rate->last_ns = t_mono_ns;
    x = (double)(sequence - rate->first_sequence);
    y = (double)(t_mono_ns - rate->first_ns);
    rate->n++;
    dx = x - rate->mean_x;
    dy = y - rate->mean_y;
    rate->mean_x += dx / (double)rate->n;
    rate->mean_y += dy / (double)rate->n;
    rate->xx += dx * (x - rate->mean_x);
    rate->xy += dx * (y - rate->mean_y);
    rate->yy += dy * (y - rate->mean_y);
}

void tf_rate_get(const struct tf_rate *rate, float nominal_hz, double *rate_hz, double *drift_ppm,
                 double *error_ppm)
{
    double period, rest;

    *rate_hz = *drift_ppm = *error_ppm = NAN;
    if (rate->n < FRAMES_MIN || rate->last_ns - rate->first_ns < SPAN_MIN_NS || !(rate->xx > 0))
        return;
    period = rate->xy / rate->xx;
    if (!(period > 0))
        return;
    rest = rate->yy - rate->xy * period;
    *rate_hz = 1e9 / period;
    *error_ppm = 1e6 * sqrt((rest > 0 ? rest : 0) / (double)(rate->n - 2) / rate->xx) / period;
    if (nominal_hz > 0)
        *drift_ppm = (*rate_hz / (double)nominal_hz - 1) * 1e6;
}
