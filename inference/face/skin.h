/* Whether a face is as warm as skin can be: docs/landmarks.md, "Skin". */
#ifndef TF_INFERENCE_FACE_SKIN_H
#define TF_INFERENCE_FACE_SKIN_H

#include "base/frame.h"
#include "inference/face/face.h"
#include "inference/face/view.h"

/* °C: what is around a face may be as warm as it is, from here on. */
#define TF_SKIN_AROUND_WARM_C 31.0f

struct tf_skin {
    float middle, warm; /* °C: median and 90th percentile within the face */
    float cold;         /* and the 10th */
    float around;       /* °C: median of a ring around it; NAN when it lies outside the picture */
};

/* False when the picture is not radiometric, or too little of the face lies in it. */
bool tf_skin_measure(const struct tf_view *view, const struct tf_radiometry *radiometry,
                     const struct tf_point points[TF_POINTS], struct tf_skin *ret);
/*
 * Whether it can be skin, with the scene's median in °C. What cannot: hotter than skin gets; colder than skin
 * gets in such a scene; of one temperature all over; nowhere warmer than what is around it, unless that is as
 * warm as skin itself. Of a
 * scene that is itself beyond belief nothing is said: the scale is wrong.
 */
bool tf_skin_possible(const struct tf_skin *skin, float scene_c);

#endif
