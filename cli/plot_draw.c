/* Lines over time: three panels with one axis of time, marks across all of them. */
#include <math.h>
#include <stdio.h>

#include "cli/plot.h"

#define LEFT 64.0
#define RIGHT 170.0 /* the legend */
#define TOP 40.0
#define BOTTOM 40.0
#define GAP 18.0

struct panel {
    double x, y, w, h; /* on the page */
    double t0, t1, v0, v1;
};

/* Colours that stay apart for most eyes (Okabe and Ito 2008), then mixes of them. */
const double tf_plot_colours[12][3] = {{0.00, 0.45, 0.70}, {0.55, 0.55, 0.00}, {0.40, 0.40, 0.40},
                                       {0.95, 0.60, 0.60}, {0.60, 0.35, 0.15}, {0.84, 0.37, 0.00},
                                       {0.35, 0.70, 0.90}, {0.80, 0.47, 0.65}, {0.00, 0.62, 0.45},
                                       {0.45, 0.80, 0.45}, {0.90, 0.62, 0.00}, {0.45, 0.25, 0.60}};

static void write_text(cairo_t *c, double x, double y, double size, const char *text, double align)
{
    cairo_text_extents_t e;

    cairo_set_font_size(c, size);
    cairo_text_extents(c, text, &e);
    cairo_move_to(c, x - align * e.x_advance, y);
    cairo_show_text(c, text);
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

static double at_x(const struct panel *p, double t)
{
    return p->x + (t - p->t0) / (p->t1 - p->t0) * p->w;
}

static double at_y(const struct panel *p, double v)
{
    return p->y + p->h - (v - p->v0) / (p->v1 - p->v0) * p->h;
}

static void fit(struct panel *p, const struct tf_plot_picture *picture, const bool lines[TF_PLOT_LINES],
                double least, double otherwise)
{
    double lo = INFINITY, hi = -INFINITY, middle;

    for (size_t i = 0; i < picture->count; i++)
        for (int k = 0; k < TF_PLOT_LINES; k++)
            if (lines[k] && isfinite(picture->samples[i].value[k])) {
                lo = fmin(lo, (double)picture->samples[i].value[k]);
                hi = fmax(hi, (double)picture->samples[i].value[k]);
            }
    if (!(lo <= hi))
        lo = hi = otherwise;
    middle = (lo + hi) / 2;
    if (hi - lo < least) {
        lo = middle - least / 2;
        hi = middle + least / 2;
    }
    p->v0 = lo - 0.05 * (hi - lo);
    p->v1 = hi + 0.05 * (hi - lo);
}

static void draw_axes(cairo_t *c, const struct panel *p, const char *title, bool times)
{
    double step = step_of(p->v1 - p->v0, 5), t_step = step_of(p->t1 - p->t0, 10);
    char text[32];

    cairo_set_line_width(c, 0.5);
    for (double v = ceil(p->v0 / step) * step; v <= p->v1; v += step) {
        cairo_set_source_rgb(c, 0.88, 0.88, 0.88);
        cairo_move_to(c, p->x, at_y(p, v));
        cairo_line_to(c, p->x + p->w, at_y(p, v));
        cairo_stroke(c);
        cairo_set_source_rgb(c, 0.2, 0.2, 0.2);
        snprintf(text, sizeof(text), "%g", fabs(v) < step / 1000 ? 0 : v);
        write_text(c, p->x - 6, at_y(p, v) + 4, 11, text, 1);
    }
    for (double t = ceil(p->t0 / t_step) * t_step; t <= p->t1; t += t_step) {
        cairo_set_source_rgb(c, 0.88, 0.88, 0.88);
        cairo_move_to(c, at_x(p, t), p->y);
        cairo_line_to(c, at_x(p, t), p->y + p->h);
        cairo_stroke(c);
        cairo_set_source_rgb(c, 0.2, 0.2, 0.2);
        snprintf(text, sizeof(text), "%g", t);
        if (times)
            write_text(c, at_x(p, t), p->y + p->h + 15, 11, text, 0.5);
    }
    cairo_set_source_rgb(c, 0.2, 0.2, 0.2);
    cairo_set_line_width(c, 1);
    cairo_rectangle(c, p->x, p->y, p->w, p->h);
    cairo_stroke(c);
    cairo_save(c);
    cairo_translate(c, p->x - 44, p->y + p->h / 2);
    cairo_rotate(c, -M_PI / 2);
    write_text(c, 0, 0, 12, title, 0.5);
    cairo_restore(c);
}

/* Of many samples in one column of pixels only the smallest and largest can be seen: those are drawn. */
static void draw_line(cairo_t *c, const struct panel *p, const struct tf_plot_picture *picture, int line)
{
    bool pen = false;

    cairo_save(c);
    cairo_rectangle(c, p->x, p->y, p->w, p->h);
    cairo_clip(c);
    cairo_set_line_width(c, 1.2);
    cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
    for (size_t i = 0; i < picture->count;) {
        double x = floor(2 * at_x(p, (double)picture->samples[i].t)) / 2, lo = INFINITY, hi = -INFINITY;
        bool gap = false;

        for (; i < picture->count && floor(2 * at_x(p, (double)picture->samples[i].t)) / 2 <= x; i++) {
            double v = (double)picture->samples[i].value[line];

            gap |= !isfinite(v);
            if (isfinite(v)) {
                lo = fmin(lo, v);
                hi = fmax(hi, v);
            }
        }
        if (lo <= hi) {
            if (pen)
                cairo_line_to(c, x, at_y(p, lo));
            else
                cairo_move_to(c, x, at_y(p, lo));
            cairo_line_to(c, x, at_y(p, hi));
        }
        pen = lo <= hi && !gap;
    }
    cairo_stroke(c);
    cairo_restore(c);
}

static void draw_shutter(cairo_t *c, const struct panel *p, const struct tf_plot_picture *picture)
{
    cairo_set_source_rgb(c, 0.92, 0.92, 0.92);
    for (size_t i = 0; i < picture->count; i++) {
        size_t from = i;

        while (i < picture->count && isfinite(picture->samples[i].value[TF_PLOT_SHUTTER]))
            i++;
        if (i > from) {
            double x = at_x(p, (double)picture->samples[from].t);

            cairo_rectangle(c, x, p->y, fmax(1, at_x(p, (double)picture->samples[i - 1].t) - x), p->h);
            cairo_fill(c);
        }
    }
}

static void draw_marks(cairo_t *c, const struct panel *first, const struct panel *last,
                       const struct tf_plot_picture *picture)
{
    static const double dashes[] = {4, 3};

    for (int i = 0; i < picture->mark_count; i++) {
        const struct tf_mark_read *m = &picture->marks[i];
        double x = at_x(first, m->t);
        char text[128];

        if (m->t < first->t0 || m->t > first->t1)
            continue;
        cairo_set_source_rgb(c, 0.3, 0.3, 0.3);
        cairo_set_line_width(c, 0.8);
        cairo_set_dash(c, dashes, 2, 0);
        cairo_move_to(c, x, first->y);
        cairo_line_to(c, x, last->y + last->h);
        cairo_stroke(c);
        cairo_set_dash(c, NULL, 0, 0);
        cairo_save(c);
        cairo_translate(c, x + 11, first->y + 4);
        cairo_rotate(c, M_PI / 2);
        cairo_translate(c, 0, 0);
        snprintf(text, sizeof(text), "%.100s%s%.20s", m->text, *m->value ? " " : "", m->value);
        write_text(c, 0, 0, 10, text, 0);
        cairo_restore(c);
    }
}

void tf_plot_draw(cairo_t *c, double width, double height, const struct tf_plot_picture *picture)
{
    double space = height - TOP - BOTTOM - 2 * GAP, w = width - LEFT - RIGHT;
    double t0 = (double)picture->samples[0].t, t1 = (double)picture->samples[picture->count - 1].t;
    bool regions[TF_PLOT_LINES] = {0}, difference[TF_PLOT_LINES] = {[TF_PLOT_DIFFERENCE] = true};
    bool breathing[TF_PLOT_LINES] = {[TF_PLOT_BREATHING] = true};
    struct panel panels[3] = {{.y = TOP, .h = space * 0.6}, {.h = space * 0.2}, {.h = space * 0.2}};
    double y = TOP + 8;

    for (int i = 0; i < 3; i++) {
        panels[i].x = LEFT;
        panels[i].w = w;
        panels[i].t0 = t0;
        panels[i].t1 = t1 > t0 ? t1 : t0 + 1;
        if (i)
            panels[i].y = panels[i - 1].y + panels[i - 1].h + GAP;
    }
    for (int i = 0; i < picture->regions; i++)
        regions[TF_PLOT_REGIONS + i] = true;
    fit(&panels[0], picture, regions, 1, 0);
    fit(&panels[1], picture, difference, 0.5, 0);
    fit(&panels[2], picture, breathing, 10, 15);

    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    cairo_select_font_face(c, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    for (int i = 0; i < 3; i++)
        draw_shutter(c, &panels[i], picture);
    draw_axes(c, &panels[0], picture->unit, false);
    draw_axes(c, &panels[1], "nose − forehead", false);
    draw_axes(c, &panels[2], "breaths/min", true);
    cairo_set_source_rgb(c, 0.1, 0.1, 0.1);
    write_text(c, LEFT, TOP - 14, 13, picture->title, 0);
    write_text(c, LEFT + w / 2, height - 8, 12, "seconds since the session's start", 0.5);
    for (int i = 0; i < picture->regions; i++) {
        const double *rgb = tf_plot_colours[picture->column[i] % 12];

        cairo_set_source_rgb(c, rgb[0], rgb[1], rgb[2]);
        draw_line(c, &panels[0], picture, TF_PLOT_REGIONS + i);
        cairo_rectangle(c, LEFT + w + 12, y - 7, 14, 4);
        cairo_fill(c);
        write_text(c, LEFT + w + 32, y, 11, picture->names[i], 0);
        y += 16;
    }
    cairo_set_source_rgb(c, 0.1, 0.1, 0.1);
    draw_line(c, &panels[1], picture, TF_PLOT_DIFFERENCE);
    draw_line(c, &panels[2], picture, TF_PLOT_BREATHING);
    draw_marks(c, &panels[0], &panels[2], picture);
}
