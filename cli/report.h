/* thermoface report: what its parts share. */
#ifndef TF_CLI_REPORT_H
#define TF_CLI_REPORT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/run.h"
#include "cli/signals.h"

/* --- report_html.c: text that is anybody's --- */

/* Escaped for HTML and XML; what is no UTF-8 or no character of XML becomes U+FFFD; cut after `max` bytes. */
void tf_html_text(FILE *f, const char *text, size_t max);
/* "<td>text</td>" and the like. */
void tf_html_cell(FILE *f, const char *tag, const char *text);
void tf_html_head(FILE *f, const char *title);
void tf_html_end(FILE *f);
/* A JSON value's members as a table, nested ones with dots between; at most `max` rows. */
void tf_html_json(FILE *f, const json_t *object, int max);

/* --- report_curves.c: tables read once, in memory that does not grow with them --- */

#define TF_CURVE_BINS 800
#define TF_CURVES_MAX (TF_SIGNAL_REGIONS_MAX + 2) /* the regions, nose minus forehead, breathing */
#define TF_SHUTTERS_MAX 500

struct tf_curve {
    char name[64];
    uint64_t valid;
    double sum;
    float low[TF_CURVE_BINS], high[TF_CURVE_BINS]; /* NAN: nothing there */
};

struct tf_curves {
    double t0, t1;
    uint32_t in_bin[TF_CURVE_BINS]; /* rows */
    uint64_t rows, damaged, states[5], other_state;
    int count, regions; /* curves; of them regions, the first ones */
    struct tf_curve *curve;
    struct tf_shutter_time {
        double from, to;
    } shutter[TF_SHUTTERS_MAX];
    int shutters;
    uint64_t shutters_more;
};

/* Errors: those of tf_signals_open, -ENODATA (no row). tf_curves_free afterwards, also on failure. */
int tf_curves_read(const char *folder, const char *stem, uint64_t start_ns, struct tf_curves *ret,
                   struct tf_error *err);
void tf_curves_free(struct tf_curves *curves);
/* One SVG for each curve, with real text. */
void tf_curves_write(FILE *f, const struct tf_curves *curves, const char *unit,
                     const struct tf_mark_read *marks, int mark_count);

/* --- report_pictures.c --- */

struct tf_film;
/* The annotated video; NULL: it cannot be read. */
struct tf_film *tf_film_open(const char *path);
void tf_film_close(struct tf_film *film);
/* The picture at a time of the video as a JPEG of at most 320 pixels' width, malloc'd; NULL: there is none.
 */
uint8_t *tf_film_picture(struct tf_film *film, double seconds, size_t *size);

#endif
