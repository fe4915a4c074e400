/*
 * The record's fields, once: names, order, meaning and precision. NDJSON and both CSV writers are made from
 * these lists; inside publish/ only. Names are a contract with every reader (docs/record.md): fields are
 * added at a list's end, never renamed.
 *
 * X(kind, name, arguments of the kind's writer). Kinds: text, word (a fixed name of ours), uint, uint_or_null
 * (value, known), int_or_null (null when negative), signed_or_null (value, known), utc, flags, real (value,
 * decimals; null when not finite), boolean, why (bits of enum tf_region_why).
 *
 * Decimals: coordinates to 1/100 pixel, confidences to 1/1000, region temperatures to 1 mK (a mean of many
 * pixels is finer than the camera's 10 mK step), the sensor's own temperature to 1/100 °C.
 */
#ifndef TF_PUBLISH_RECORD_RECORD_FIELDS_H
#define TF_PUBLISH_RECORD_RECORD_FIELDS_H

/* r: const struct tf_record * */
#define TF_FIELDS_FRAME(X)                                                                                   \
    X(text, camera, r->camera)                                                                               \
    X(uint, frame, r->frame)                                                                                 \
    X(uint, sequence, r->sequence)                                                                           \
    X(uint_or_null, camera_counter, r->camera_counter, r->has_camera_counter)                                \
    X(uint, t_mono_ns, r->t_mono_ns)                                                                         \
    X(utc, t_utc, r->t_utc_ns)                                                                               \
    X(word, t_from, tf_stamp_name(r->t_from))                                                                \
    X(word, state, tf_state_name(r->state))                                                                  \
    X(flags, flags, r->flags)                                                                                \
    X(word, unit, r->celsius ? "celsius" : "counts")                                                         \
    X(real, sensor_c, r->sensor_c, 2)

/* In NDJSON the object "dropped", in CSV dropped_driver … */
#define TF_FIELDS_DROPPED(X)                                                                                 \
    X(uint, driver, r->dropped.driver)                                                                       \
    X(uint, capture, r->dropped.capture)                                                                     \
    X(uint, inference, r->dropped.inference)

#define TF_FIELDS_AFTER_DROPPED(X) X(int_or_null, latency_us, r->latency_us)

/* In NDJSON the object "clock" at the record's end, null where it is not known; in CSV clock_synchronised …
 */
#define TF_FIELDS_CLOCK(X)                                                                                   \
    X(boolean, synchronised, r->clock.synchronised)                                                          \
    X(uint, error_us, r->clock.error_us)                                                                     \
    X(uint, max_error_us, r->clock.max_error_us)

/* f: const struct tf_face *. In NDJSON each of "faces", in CSV the largest face. */
#define TF_FIELDS_FACE(X)                                                                                    \
    X(uint, id, f->id)                                                                                       \
    X(real, score, (double)f->score, 3)

/* In NDJSON the object "breathing" at a face's end, in CSV breathing_rate … of the largest face. */
#define TF_FIELDS_BREATHING(X)                                                                               \
    X(real, rate, (double)f->breathing_rate, 2)                                                              \
    X(real, quality, (double)f->breathing_quality, 3)

/* r: const struct tf_record *. In NDJSON the object "black_body", where there is one; in CSV black_body_mean
 * … */
#define TF_FIELDS_BLACK_BODY(X)                                                                              \
    X(real, mean, (double)r->black_body.mean, 3)                                                             \
    X(uint_or_null, n, r->black_body.n, r->black_body.set)                                                   \
    X(real, offset, (double)r->black_body.offset, 3)

/* In NDJSON the array "box", in CSV box_x … */
#define TF_FIELDS_BOX(X)                                                                                     \
    X(real, x, f->box[0], 2)                                                                                 \
    X(real, y, f->box[1], 2)                                                                                 \
    X(real, w, f->box[2], 2)                                                                                 \
    X(real, h, f->box[3], 2)

/* p: const struct tf_point *. In NDJSON arrays in "points" and "points_filtered", in CSV p0_x … and pf0_x …
 */
#define TF_FIELDS_POINT(X)                                                                                   \
    X(real, x, p->x, 2)                                                                                      \
    X(real, y, p->y, 2)                                                                                      \
    X(real, confidence, p->confidence, 3)

/* s: const struct tf_region_stats *. In NDJSON the object "regions" by name, in CSV forehead_mean … */
#define TF_FIELDS_REGION_VALUES(X)                                                                           \
    X(real, mean, s->mean, 3)                                                                                \
    X(real, median, s->median, 3)                                                                            \
    X(real, min, s->min, 3)                                                                                  \
    X(real, max, s->max, 3)                                                                                  \
    X(real, sd, s->sd, 3)                                                                                    \
    X(uint, n, s->n)
#define TF_FIELDS_REGION_VALID(X) X(boolean, valid, s->valid)
/* In NDJSON excluded before valid, why after it; in tables both at the row's end, region by region. */
#define TF_FIELDS_REGION_EXCLUDED(X) X(uint, excluded, s->excluded)
#define TF_FIELDS_REGION_WHY(X) X(why, why, s->why)

/* Beside `mean`, never instead of it. In NDJSON at a region's end where there is a black body, in CSV
 * forehead_mean_corrected … at the row's end. */
#define TF_FIELDS_REGION_CORRECTED(X)                                                                        \
    X(real, mean_corrected, (double)s->mean + (double)r->black_body.offset, 3)
/* In NDJSON the array "outline" at a region's end where the record says outlines: corners on a grid of 1/32
 * pixel, of which five decimals are all. xy: const float[2]. */
#define TF_FIELDS_CORNER(X)                                                                                  \
    X(real, x, xy[0], 5)                                                                                     \
    X(real, y, xy[1], 5)
/* f: the rest of a face, after its regions; in CSV at the row's end. */
#define TF_FIELDS_FACE_END(X) X(text, points_from, tf_points_from_name(f->from))
/* f: in NDJSON the object "pose" at a face's end, degrees. In tables in OpenFace's way
 * (TF_FIELDS_POSE_OPENFACE, radians), after the turn. */
#define TF_FIELDS_POSE(X)                                                                                    \
    X(real, yaw, f->pose.yaw, 2)                                                                             \
    X(real, pitch, f->pose.pitch, 2)                                                                         \
    X(real, roll, f->pose.roll, 2)
/* f: probabilities, after the pose; in tables at the row's end. */
#define TF_FIELDS_COVERINGS(X)                                                                               \
    X(real, glasses, (double)f->glasses, 3)                                                                  \
    X(real, mask, (double)f->covered, 3)
/* OpenFace's camera looks along z, with x to the right and y down, and turns by Rx Ry Rz: its nose looks down
 * for positive Rx and to the subject's right for positive Ry. */
#define TF_RADIANS(degrees) ((double)(degrees) * (3.14159265358979323846 / 180))
#define TF_FIELDS_POSE_OPENFACE(X)                                                                           \
    X(real, Rx, -TF_RADIANS(f->pose.pitch), 4)                                                               \
    X(real, Ry, -TF_RADIANS(f->pose.yaw), 4)                                                                 \
    X(real, Rz, TF_RADIANS(f->pose.roll), 4)

/* s, r: in tables the columns of an own region, at the row's end: those of the faces, then those of the
 * picture. In NDJSON they stand in "regions" after the built-in ones, and in "areas" at the record's end. */
#define TF_FIELDS_OWN(X)                                                                                     \
    TF_FIELDS_REGION_VALUES(X)                                                                               \
    TF_FIELDS_REGION_VALID(X)                                                                                \
    TF_FIELDS_REGION_CORRECTED(X)                                                                            \
    TF_FIELDS_REGION_EXCLUDED(X)                                                                             \
    TF_FIELDS_REGION_WHY(X)

/* r: in NDJSON the object "pair" (null without one) at the record's end, in CSV pair_camera … after the
 * regions. */
#define TF_FIELDS_PAIR(X)                                                                                    \
    X(text, camera, r->pair.camera)                                                                          \
    X(uint_or_null, frame, r->pair.frame, r->pair.camera != NULL)                                            \
    X(signed_or_null, skew_us, r->pair.skew_us, r->pair.camera != NULL)

/* r: at the record's end; in CSV at the row's end. */
#define TF_FIELDS_TURN(X)                                                                                    \
    X(uint, rotate, r->rotate)                                                                               \
    X(boolean, flip, r->flip)

#endif
