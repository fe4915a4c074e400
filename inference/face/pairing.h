/*
 * Two cameras on one rig: faces that the visible camera saw, brought into the thermal camera's faces. The
 * visible picture often shows a face's features more sharply; the temperatures are the thermal picture's
 * alone.
 */
#ifndef TF_INFERENCE_FACE_PAIRING_H
#define TF_INFERENCE_FACE_PAIRING_H

#include "inference/face/face.h"
#include "inference/face/registration.h"

/* What the visible camera found in one of its frames. */
struct tf_partner_face {
    uint32_t id;
    float score;
    struct tf_point points[TF_POINTS]; /* pixels of its own upright picture */
};

struct tf_partner {
    uint32_t width, height; /* of its upright picture */
    uint32_t count;
    struct tf_partner_face faces[TF_FACES_MAX];
};

/* When the visible camera's points are used for box and regions, where both cameras see a face. */
enum tf_pair_use {
    TF_PAIR_USE_BETTER, /* when their mean confidence is the higher one */
    TF_PAIR_USE_ALWAYS,
    TF_PAIR_USE_NEVER, /* also not where the thermal camera sees none: they only stand beside */
};

/* Which of the other camera's faces is which of ours, so that a face keeps its id whoever sees it. */
#define TF_PAIRING_KNOWN (4 * TF_FACES_MAX)
struct tf_pairing {
    struct tf_pairing_known {
        uint32_t id;               /* in the record; 0: free */
        uint32_t thermal, visible; /* the trackers' ids, 0: not known */
        uint64_t turn;
    } known[TF_PAIRING_KNOWN];
    uint64_t turn;
    uint32_t next_id; /* without an analyser */
};

/*
 * Adds what the partner saw to the faces of a thermal frame: each face gets `from` and, where the partner
 * sees it, points_mapped; where those are used, its score, box and regions follow them. Faces that only the
 * partner sees are added (`unseen`), unless `use` is never or they do not lie in the picture as a face can.
 * Largest first, as before. `analyser` gives ids; NULL: the camera has none. partner NULL: none near enough
 * in time, faces are only marked as thermal. Allocates nothing. -ERANGE: the pictures' sizes are not the
 * registration's; nothing but marks changed.
 */
int tf_pairing_merge(struct tf_pairing *pairing, enum tf_pair_use use,
                     const struct tf_registration *registration, struct tf_analyser *analyser,
                     const struct tf_frame *frame, const struct tf_partner *partner, struct tf_faces *faces);

#endif
