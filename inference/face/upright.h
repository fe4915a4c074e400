/* Whether a face stands upright in a picture, told from how firmly its points are read. */
#ifndef TF_INFERENCE_FACE_UPRIGHT_H
#define TF_INFERENCE_FACE_UPRIGHT_H

#include "inference/face/finder.h"
#include "inference/face/heatmap.h"
#include "inference/face/turns.h"

/* Which part of the values showed a face to these readings; the finder's own is left as it is. */
struct tf_upright_memory {
    bool begun;
    uint16_t kind;
    uint32_t turn;
};

/*
 * Looks for a face in the frame as a turn of `rotate` would show it. Where there is one, its points are read
 * as they are, mirrored, and with the window tilted: of an upright face the three readings lie on each other,
 * of what a network takes for one they do not. `evidence` is near 1 for readings that agree, near 0
 * for such that do not, and 0 without a face. 0, or a negative errno. The landmark network keeps mirrored
 * pictures.
 */
int tf_upright_read(struct tf_finder *finder, struct tf_landmarks *landmarks,
                    struct tf_upright_memory *memory, const struct tf_frame *frame, uint16_t rotate,
                    struct tf_turn_reading *ret);

#endif
