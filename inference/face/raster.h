/* Statistics of the pixels whose centres lie inside a polygon. */
#ifndef TF_INFERENCE_FACE_RASTER_H
#define TF_INFERENCE_FACE_RASTER_H

#include "inference/face/face.h"
#include "inference/face/faults.h"
#include "inference/face/view.h"

/* Of a polygon only the pixels whose part in `mask` is one of `parts` (bits 1 << enum tf_part). */
struct tf_raster_gate {
    const struct tf_mask *mask;
    uint32_t parts;
};

/* Which pixels of a frame are measurements: within its limits, and not known to be dead. */
struct tf_raster_sound {
    uint16_t min, max;
    /* Dead ones in the upright picture, row by row, as y << 16 | x. */
    uint32_t dead_count;
    uint32_t dead[TF_FAULTS_MAX];
};
/* `faults` may be NULL. */
void tf_raster_sound(const struct tf_frame *frame, const struct tf_faults *faults,
                     struct tf_raster_sound *ret);

/* Of a region that nobody could look at. */
extern const struct tf_region_stats tf_region_unseen;

/*
 * Measures the polygon (upright pixels, even-odd rule; a centre exactly on an edge belongs to the polygon on
 * its right or below, so that polygons side by side share no pixel). Exact mean, median, minimum, maximum and
 * population standard deviation of the sound pixels, in °C when `radiometry` is valid, else in counts. Sets
 * `excluded`, `why` and `valid` as inference/face/face.h says. `gate` may be NULL.
 */
void tf_raster_measure(const struct tf_view *view, const struct tf_radiometry *radiometry,
                       const struct tf_raster_sound *sound, const struct tf_outline *outline,
                       const struct tf_raster_gate *gate, struct tf_region_stats *ret);

#endif
