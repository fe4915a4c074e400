/* What lies over a face, told from its regions' temperatures: docs/regions.md, "Glasses". */
#ifndef TF_INFERENCE_FACE_COVERING_H
#define TF_INFERENCE_FACE_COVERING_H

#include "inference/face/face.h"

/*
 * The probability that the face of a thermal picture wears glasses; NAN where eyes or the rest of the face
 * were not measured. Uses the means and deviations of the regions, valid or not.
 */
float tf_covering_glasses(const struct tf_region_stats stats[TF_REGIONS]);

#endif
