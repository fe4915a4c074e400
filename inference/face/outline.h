/* What all regions' outlines share, the built-in ones' and a laboratory's own; inside inference/face/ only.
 */
#ifndef TF_INFERENCE_FACE_OUTLINE_H
#define TF_INFERENCE_FACE_OUTLINE_H

#include <math.h>

#include "inference/face/face.h"

/* A circle is a regular 24-gon of its area: r' = r * sqrt(pi / (12 sin(15 degrees))). */
#define TF_DISC_SIDES 24
#define TF_DISC_GROW 1.00575f

/* Points further off than any picture reaches are not drawn or measured. */
#define TF_OUTLINE_FAR 65536.0f

/* What a record can say in few digits is what is measured. */
static inline void tf_outline_snap(struct tf_outline *o)
{
    for (uint32_t i = 0; i < o->n; i++)
        for (int k = 0; k < 2; k++)
            o->xy[i][k] = rintf(o->xy[i][k] * TF_OUTLINE_GRID) / TF_OUTLINE_GRID;
}

#endif
