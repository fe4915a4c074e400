/* thermoface plot: what is drawn. */
#ifndef TF_CLI_PLOT_H
#define TF_CLI_PLOT_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/signals.h"

#define TF_PLOT_SHOWN_MAX 32

/* A sample's values; those of the regions that are shown come last. */
enum {
    TF_PLOT_DIFFERENCE, /* nose minus forehead */
    TF_PLOT_BREATHING,  /* breaths a minute */
    TF_PLOT_SHUTTER,    /* a number while the shutter is closed or temperatures settle */
    TF_PLOT_REGIONS,
    TF_PLOT_LINES = TF_PLOT_REGIONS + TF_PLOT_SHOWN_MAX,
};

struct tf_plot_sample {
    float t;                    /* seconds */
    float value[TF_PLOT_LINES]; /* NAN: a gap */
};

struct tf_plot_picture {
    const char *title;
    const char *unit; /* of the regions */
    int regions;      /* shown */
    const char *names[TF_PLOT_SHOWN_MAX];
    int column[TF_PLOT_SHOWN_MAX];  /* of the signals */
    struct tf_plot_sample *samples; /* by time */
    size_t count, capacity;
    struct tf_mark_read *marks;
    int mark_count;
};

/* Of the i-th line; they stay apart for most eyes. */
extern const double tf_plot_colours[12][3];

void tf_plot_draw(cairo_t *c, double width, double height, const struct tf_plot_picture *picture);

#endif
