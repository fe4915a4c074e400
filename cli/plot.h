/* thermoface plot: what is drawn. */
#ifndef TF_CLI_PLOT_H
#define TF_CLI_PLOT_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>

#include "inference/face/face.h"

/* A sample's values: the regions' means, and after them: */
enum {
    TF_PLOT_DIFFERENCE = TF_REGIONS, /* nose minus forehead */
    TF_PLOT_BREATHING,               /* breaths a minute */
    TF_PLOT_SHUTTER,                 /* a number while the shutter is closed or temperatures settle */
    TF_PLOT_LINES,
};

struct tf_plot_sample {
    float t;                    /* seconds */
    float value[TF_PLOT_LINES]; /* NAN: a gap */
};

struct tf_plot_mark {
    double t;
    char text[128];
};

struct tf_plot_picture {
    const char *title;
    const char *unit; /* of the regions */
    bool shown[TF_REGIONS];
    struct tf_plot_sample *samples; /* by time */
    size_t count, capacity;
    struct tf_plot_mark *marks;
    int mark_count;
};

void tf_plot_draw(cairo_t *c, double width, double height, const struct tf_plot_picture *picture);

#endif
