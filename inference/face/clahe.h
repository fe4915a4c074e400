/* Contrast-limited adaptive histogram equalisation: `clahe` of tf.normalise (docs/models.md). */
#ifndef TF_INFERENCE_FACE_CLAHE_H
#define TF_INFERENCE_FACE_CLAHE_H

#include <stddef.h>
#include <stdint.h>

#define TF_CLAHE_TILES_MAX 16

/* Bytes of scratch that tf_clahe needs: a table for each tile. */
static inline size_t tf_clahe_scratch(uint32_t tiles)
{
    return (size_t)tiles * tiles * 256;
}

/*
 * Equalises width x height gray values in place, within tiles x tiles tiles, each histogram cut off at
 * `limit` times its mean. Both sides are multiples of `tiles`. Gives what OpenCV 4's CLAHE gives, value for
 * value.
 */
void tf_clahe(uint8_t *pixels, uint32_t width, uint32_t height, float limit, uint32_t tiles,
              uint8_t *scratch);

#endif
