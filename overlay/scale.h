/* Enlargement of a plane of values by a whole factor, row by row. Private to overlay/. */
#ifndef TF_OVERLAY_SCALE_H
#define TF_OVERLAY_SCALE_H

#include <stdint.h>

#include "overlay/kernels/kernels.h"

struct tf_scaler;

/* From width x height to width * factor x height * factor; -ENOMEM. */
int tf_scaler_create(uint32_t width, uint32_t height, uint32_t factor, const struct tf_paint *paint,
                     struct tf_scaler **ret);
void tf_scaler_destroy(struct tf_scaler *scaler);
/* A new plane follows: rows kept from the last one are stale. */
void tf_scaler_begin(struct tf_scaler *scaler);
/* Row y of the enlarged plane into `ret` (width * factor values); rows are asked for in rising order.
 * `values` is width apart. */
void tf_scaler_row(struct tf_scaler *scaler, const int16_t *values, uint32_t y, int16_t *ret);
/* The same as bytes: (the values + bias) / 32, cut to 0..255. */
void tf_scaler_bytes(struct tf_scaler *scaler, const int16_t *values, uint32_t y, int16_t bias, uint8_t *ret);

#endif
