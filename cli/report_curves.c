/* Curves for a report: smallest and largest value in each of some hundred spans of time, and their SVG. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

#define WIDTH 900.0
#define HEIGHT 132.0
#define LEFT 56.0
#define TOP 20.0
#define BOTTOM 22.0
#define RIGHT 20.0
#define PLOT_W (WIDTH - LEFT - RIGHT)
#define PLOT_H (HEIGHT - TOP - BOTTOM)
#define LEAST_SPAN 0.5 /* degrees or counts: less would blow noise up */

static const char *const states[5] = {"ok", "no_face", "skipped", "corrupt", "stale"};

static void count_state(struct tf_curves *c, const char *state)
{
    for (int i = 0; i < 5; i++)
        if (strcmp(states[i], state) == 0) {
            c->states[i]++;
            return;
        }
    c->other_state++;
}

static void add_value(struct tf_curve *curve, int bin, float v)
{
    if (!isfinite(v))
        return;
    curve->valid++;
    curve->sum += (double)v;
    curve->low[bin] = isnan(curve->low[bin]) ? v : fminf(curve->low[bin], v);
    curve->high[bin] = isnan(curve->high[bin]) ? v : fmaxf(curve->high[bin], v);
}

static void add_shutter(struct tf_curves *c, double t, bool *open)
{
    if (*open) {
        c->shutter[c->shutters - 1].to = t;
    } else if (c->shutters == TF_SHUTTERS_MAX) {
        c->shutters_more++;
    } else {
        c->shutter[c->shutters++] = (struct tf_shutter_time){t, t};
        *open = true;
    }
}

static int make_curves(struct tf_curves *c, const struct tf_signals *from)
{
    c->regions = tf_signals_regions(from);
    c->count = c->regions + 2;
    c->curve = calloc((size_t)c->count, sizeof(*c->curve));
    if (!c->curve)
        return -ENOMEM;
    for (int i = 0; i < c->count; i++) {
        snprintf(c->curve[i].name, sizeof(c->curve[i].name), "%s",
                 i < c->regions    ? tf_signals_region(from, i)
                 : i == c->regions ? "nose_minus_forehead"
                                   : "breathing_rate");
        for (int k = 0; k < TF_CURVE_BINS; k++)
            c->curve[i].low[k] = c->curve[i].high[k] = NAN;
    }
    return 0;
}

int tf_curves_read(const char *folder, const char *stem, uint64_t start_ns, struct tf_curves *c,
                   struct tf_error *err)
{
    struct tf_signals *from = NULL;
    struct tf_signal_row row;
    bool shutter = false;
    int r = tf_signals_open(folder, stem, start_ns, &from, err);

    *c = (struct tf_curves){.t0 = INFINITY, .t1 = -INFINITY};
    if (r < 0)
        return r;
    while (tf_signals_next(from, &row)) {
        c->t0 = fmin(c->t0, row.t);
        c->t1 = fmax(c->t1, row.t);
    }
    c->damaged = tf_signals_damaged(from);
    if (!(c->t0 <= c->t1))
        r = tf_fail(err, -ENODATA, "%s: no row is in it", tf_signals_path(from));
    else if (make_curves(c, from) < 0)
        r = tf_fail(err, -ENOMEM, "out of memory");
    if (r == 0)
        tf_signals_again(from);
    while (r == 0 && tf_signals_next(from, &row)) {
        double place = c->t1 > c->t0 ? (row.t - c->t0) / (c->t1 - c->t0) : 0;
        int bin = (int)(fmin(fmax(place, 0), 1) * (TF_CURVE_BINS - 1));
        bool now = strstr(row.flags, "ffc") && !strstr(row.flags, "ffc_imminent");

        c->rows++;
        c->in_bin[bin]++;
        count_state(c, row.state);
        for (int i = 0; i < c->regions; i++)
            add_value(&c->curve[i], bin, row.mean[i]);
        add_value(&c->curve[c->regions], bin, row.difference);
        add_value(&c->curve[c->regions + 1], bin, row.breathing);
        if (now)
            add_shutter(c, row.t, &shutter);
        shutter &= now;
    }
    tf_signals_close(from);
    return r;
}

void tf_curves_free(struct tf_curves *c)
{
    free(c->curve);
    c->curve = NULL;
}

/* 1, 2 or 5 times a power of ten, so that about `count` of them cover the span. */
static double step_of(double span, int count)
{
    double raw = span / count, power = pow(10, floor(log10(raw)));

    return raw / power < 1.5   ? power
           : raw / power < 3.5 ? 2 * power
           : raw / power < 7.5 ? 5 * power
                               : 10 * power;
}

static double at_x(const struct tf_curves *c, double t)
{
    return LEFT + (c->t1 > c->t0 ? (t - c->t0) / (c->t1 - c->t0) : 0) * PLOT_W;
}

static double at_y(double v, double low, double high)
{
    return TOP + PLOT_H - (v - low) / (high - low) * PLOT_H;
}

static void write_axes(FILE *f, const struct tf_curves *c, double low, double high)
{
    double step = step_of(high - low, 4), t_step = step_of(c->t1 > c->t0 ? c->t1 - c->t0 : 1, 9);

    for (double v = ceil(low / step) * step; v <= high; v += step)
        fprintf(f,
                "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ccc\"/><text x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"end\">%g</text>\n",
                LEFT, at_y(v, low, high), LEFT + PLOT_W, LEFT - 6, at_y(v, low, high) + 4,
                fabs(v) < step / 1000 ? 0 : v);
    for (double t = ceil(c->t0 / t_step) * t_step; t <= c->t1; t += t_step)
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g s</text>\n", at_x(c, t), HEIGHT - 6,
                fabs(t) < t_step / 1000 ? 0 : t);
    fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"#555\"/>\n",
            LEFT, TOP, PLOT_W, PLOT_H);
}

/*
 * Up and down in each span of time, joined to the next one that has a valid value: unless there are rows
 * between that have none, or none for longer than three rows take.
 */
static void write_line(FILE *f, const struct tf_curves *c, const struct tf_curve *curve, double low,
                       double high)
{
    int empty = 0, most = (int)fmin(TF_CURVE_BINS, 3.0 * TF_CURVE_BINS / (double)c->rows + 2);
    bool pen = false;

    fputs("<path fill=\"none\" stroke=\"#0b4a8f\" stroke-width=\"1.3\" stroke-linejoin=\"round\" "
          "stroke-linecap=\"round\" d=\"",
          f);
    for (int k = 0; k < TF_CURVE_BINS; k++) {
        double x = LEFT + (k + 0.5) / TF_CURVE_BINS * PLOT_W;

        if (isnan(curve->low[k])) {
            pen = pen && !c->in_bin[k] && ++empty <= most;
            continue;
        }
        empty = 0;
        fprintf(f, "%c%.1f %.1fL%.1f %.1f", pen ? 'L' : 'M', x, at_y((double)curve->low[k], low, high), x,
                at_y((double)curve->high[k], low, high) + (curve->low[k] == curve->high[k] ? 0.5 : 0));
        pen = true;
    }
    fputs("\"/>\n", f);
}

static void write_one(FILE *f, const struct tf_curves *c, const struct tf_curve *curve, const char *unit,
                      const struct tf_mark_read *marks, int mark_count)
{
    double low = INFINITY, high = -INFINITY, middle;

    for (int k = 0; k < TF_CURVE_BINS; k++)
        if (!isnan(curve->low[k])) {
            low = fmin(low, (double)curve->low[k]);
            high = fmax(high, (double)curve->high[k]);
        }
    if (!(low <= high))
        return;
    middle = (low + high) / 2;
    if (high - low < LEAST_SPAN) {
        low = middle - LEAST_SPAN / 2;
        high = middle + LEAST_SPAN / 2;
    }
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"",
            WIDTH, HEIGHT);
    tf_html_text(f, curve->name, 64);
    fprintf(f, " over time\">\n");
    for (int i = 0; i < c->shutters; i++)
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#ddd\"/>\n",
                at_x(c, c->shutter[i].from), TOP,
                fmax(1, at_x(c, c->shutter[i].to) - at_x(c, c->shutter[i].from)), PLOT_H);
    write_axes(f, c, low, high);
    for (int i = 0; i < mark_count; i++)
        if (marks[i].t >= c->t0 && marks[i].t <= c->t1)
            fprintf(f,
                    "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#7a2e00\" stroke-dasharray=\"4 3\"/><text "
                    "x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"end\">%d</text>\n",
                    at_x(c, marks[i].t), TOP, TOP + PLOT_H, at_x(c, marks[i].t) - 2, TOP + 12, i + 1);
    write_line(f, c, curve, low, high);
    fprintf(f, "<text x=\"%.1f\" y=\"14\" font-weight=\"bold\">", LEFT);
    tf_html_text(f, curve->name, 64);
    fputs(", ", f);
    tf_html_text(f, unit, 32);
    fputs("</text>\n</svg>\n", f);
}

void tf_curves_write(FILE *f, const struct tf_curves *c, const char *unit, const struct tf_mark_read *marks,
                     int mark_count)
{
    for (int i = 0; i < c->count; i++)
        write_one(f, c, &c->curve[i], i <= c->regions ? unit : "breaths a minute", marks, mark_count);
}
