/*
 * From sampled camera values to the network's 0..1 and its u8: docs/models.md, "Tone".
 *
 * A survey counts a window's values once and tells its parts: stretches of values that the tone may span,
 * with what stands apart from the scene, a lamp or a window in winter, left out. A part's span follows from
 * ranks among its values; values beyond a span become 0 or 1.
 */
#ifndef TF_INFERENCE_FACE_TONE_H
#define TF_INFERENCE_FACE_TONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

enum tf_tone_kind { TF_TONE_PERCENTILE, TF_TONE_CELSIUS };

struct tf_tone {
    enum tf_tone_kind kind;
    float lo, hi;     /* percent of the ranks, or °C */
    float min_span_c; /* percentile: the smallest span, °C; 0 = one count */
    float clahe; /* percentile: equalised afterwards (clahe.h) by the network that has the tone; 0 = not */
    float tiles;
    float apart;      /* percentile: percent of the values that may stand apart at either end; 0 = none */
    float skin_max_c; /* percentile: warmer values are no skin and are left out; 0 = no limit */
    bool face;        /* the window holds a face that fills a good part of it; else it is a whole picture */
};

#define TF_TONE_BINS 1024
#define TF_TONE_PARTS 10

struct tf_tone_part {
    uint16_t first, last; /* bins */
    uint16_t kind;        /* what was left out: alike from picture to picture while the scene is */
    uint32_t below, n;    /* values in bins before it, and in it */
};

struct tf_tone_survey {
    float min, factor; /* bin of a value: (value - min) * factor; monotone */
    bool flat;         /* all values are min */
    int skin;          /* a part of any use reaches this bin */
    int parts;         /* at least 1; the first is the likeliest */
    struct tf_tone_part part[TF_TONE_PARTS];
    uint32_t bins[TF_TONE_BINS];
};

/* x = (value - lo) / span, held to 0..1; 0 for what was left out, as outside the picture: below `first`,
 * above `last`. */
struct tf_tone_span {
    float lo, span, first, last;
};

/*
 * Counts `values`, of which `inside` are not TF_SAMPLE_OUTSIDE. Without `apart` and `skin_max_c` there is one
 * part, everything.
 */
void tf_tone_survey(const struct tf_tone *tone, const struct tf_radiometry *radiometry, const float *values,
                    size_t count, size_t inside, struct tf_tone_survey *ret);
/* The median, to about a bin. */
float tf_tone_median(const struct tf_tone_survey *survey);
/* The span of a part. `scratch` holds `count` floats. */
struct tf_tone_span tf_tone_span(const struct tf_tone *tone, const struct tf_radiometry *radiometry,
                                 const struct tf_tone_survey *survey, const struct tf_tone_part *part,
                                 const float *values, size_t count, float *scratch);
/*
 * Writes the quantised input: `rint(x / scale) + zero_point`. Pixels outside the picture get x = 0. Values in
 * `values` are left as they are.
 */
void tf_tone_write(const struct tf_tone_span *span, const float *values, size_t count, float scale,
                   int zero_point, uint8_t *out);

/* The three in a row, with the likeliest part. */
void tf_tone_apply(const struct tf_tone *tone, const struct tf_radiometry *radiometry, const float *values,
                   size_t count, size_t inside, float *scratch, float scale, int zero_point, uint8_t *out);

/*
 * The values of rank `rank_a` and `rank_b` (ascending, from 0, a <= b) among the `inside` values of `values`
 * that are not TF_SAMPLE_OUTSIDE; exact. `scratch` holds `count` floats.
 */
void tf_tone_ranks(const float *values, size_t count, size_t inside, size_t rank_a, size_t rank_b,
                   float *scratch, float *a, float *b);

#endif
