/* Statistics of the pixels whose centres lie inside a polygon. */
#ifndef TF_INFERENCE_FACE_RASTER_H
#define TF_INFERENCE_FACE_RASTER_H

#include "inference/face.h"
#include "inference/face/view.h"

/* Of a polygon only the pixels whose part in `mask` is one of `parts` (bits 1 << enum tf_part). */
struct tf_raster_gate {
    const struct tf_mask *mask;
    uint32_t parts;
};

/*
 * Measures the polygon (upright pixels, even-odd rule; a centre exactly on an edge belongs to the polygon on
 * its right or below, so that polygons side by side share no pixel). Exact mean, median, minimum, maximum and
 * population standard deviation, in °C when `radiometry` is valid, else in counts. Sets `valid` as
 * inference/face.h says. `gate` may be NULL.
 */
void tf_raster_measure(const struct tf_view *view, const struct tf_radiometry *radiometry,
                       const struct tf_outline *outline, const struct tf_raster_gate *gate,
                       struct tf_region_stats *ret);

#endif
