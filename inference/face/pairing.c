/* Faces of the other camera of a pair, taken over or set beside. */
#include "inference/face/pairing.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/finder.h"
#include "inference/face/judge.h"
#include "inference/face/tracker.h"

const char *tf_points_from_name(enum tf_points_from from)
{
    static const char *const names[] = {NULL, "thermal", "visible"};

    return (unsigned)from < 3 ? names[from] : NULL;
}

struct mapped {
    struct tf_point points[TF_POINTS];
    float box[4];
    bool there; /* wholly mapped, and a face of this picture as far as geometry tells */
    bool taken;
};

static void map_face(const struct tf_registration *g, const struct tf_frame *frame,
                     const struct tf_partner_face *face, struct mapped *ret)
{
    ret->there = ret->taken = false;
    for (int k = 0; k < TF_POINTS; k++) {
        double x, y;

        if (!tf_registration_map(g, (double)face->points[k].x, (double)face->points[k].y, &x, &y))
            return;
        ret->points[k] = (struct tf_point){(float)x, (float)y, face->points[k].confidence};
    }
    tf_points_box(ret->points, TF_POINTS, ret->box);
    ret->there =
        tf_points_plausible(ret->points, tf_frame_upright_width(frame), tf_frame_upright_height(frame));
}

/* The partner's face that is this one: the nearest of those that can be, -1 without one. */
static int partner_of(const struct tf_face *face, const struct mapped *mapped, uint32_t count)
{
    float best = -1;
    int which = -1;

    for (uint32_t i = 0; i < count; i++) {
        float iou;

        if (!mapped[i].there || mapped[i].taken || !tf_same_face(face->box, mapped[i].box))
            continue;
        iou = tf_box_iou(face->box, mapped[i].box);
        if (iou > best) {
            best = iou;
            which = (int)i;
        }
    }
    return which;
}

static bool id_in_use(const struct tf_faces *faces, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (faces->faces[i].id == id)
            return true;
    return false;
}

static struct tf_pairing_known *find_known(struct tf_pairing *p, uint32_t thermal, uint32_t visible)
{
    for (int i = 0; i < TF_PAIRING_KNOWN; i++) {
        struct tf_pairing_known *k = &p->known[i];

        if (k->id && ((thermal && k->thermal == thermal) || (visible && k->visible == visible)))
            return k;
    }
    return NULL;
}

static struct tf_pairing_known *new_known(struct tf_pairing *p)
{
    struct tf_pairing_known *oldest = &p->known[0];

    for (int i = 1; i < TF_PAIRING_KNOWN; i++)
        if (p->known[i].turn < oldest->turn)
            oldest = &p->known[i];
    *oldest = (struct tf_pairing_known){0};
    return oldest;
}

/*
 * The id that a thermal face has in the record: its tracker's, or, when only the partner saw it for a while
 * and the tracker then found it anew, the one that it had meanwhile. `before`: faces of this record that have
 * theirs.
 */
static uint32_t id_of_thermal(struct tf_pairing *p, uint32_t thermal, uint32_t visible,
                              const struct tf_faces *faces, uint32_t before)
{
    struct tf_pairing_known *k = find_known(p, thermal, 0);

    if (!k && visible) {
        k = find_known(p, 0, visible);
        if (k && id_in_use(faces, before, k->id))
            k = NULL;
        if (k)
            k->thermal = thermal;
    }
    if (!k) {
        k = new_known(p);
        k->id = k->thermal = thermal;
    }
    if (visible && k->visible != visible) {
        struct tf_pairing_known *other = find_known(p, 0, visible);

        /* The partner's tracker went over to this face. */
        if (other)
            other->visible = 0;
        k->visible = visible;
    }
    k->turn = p->turn;
    return k->id;
}

static uint32_t id_of_visible(struct tf_pairing *p, struct tf_analyser *analyser, uint32_t visible,
                              const struct tf_faces *faces)
{
    struct tf_pairing_known *k = find_known(p, 0, visible);

    if (k && id_in_use(faces, faces->count, k->id)) {
        k->visible = 0;
        k = NULL;
    }
    if (!k) {
        k = new_known(p);
        k->id = analyser ? tf_analyser_take_id(analyser) : ++p->next_id;
        k->visible = visible;
    }
    k->turn = p->turn;
    return k->id;
}

static void use_mapped(const struct tf_frame *frame, const struct tf_faults *faults, struct tf_face *face)
{
    face->from = TF_POINTS_FROM_VISIBLE;
    face->score = tf_points_confidence(face->points_mapped, TF_POINTS);
    tf_points_box(face->points_mapped, TF_POINTS, face->box);
    tf_regions_measure(frame, faults, face->points_mapped, face->regions, face->outlines);
    tf_face_judge(face, tf_face_can_be_thermal(frame));
}

static void add_unseen(const struct tf_frame *frame, const struct tf_faults *faults,
                       const struct mapped *mapped, uint32_t id, struct tf_faces *faces)
{
    struct tf_face *face = &faces->faces[faces->count++];

    face->id = id;
    face->filtered = false;
    face->breathing_rate = face->breathing_quality = NAN;
    face->mask.width = 0;
    face->unseen = face->mapped = true;
    for (int k = 0; k < TF_POINTS; k++)
        face->points[k] = (struct tf_point){NAN, NAN, 0};
    memcpy(face->points_mapped, mapped->points, sizeof(face->points_mapped));
    use_mapped(frame, faults, face);
}

static int by_size(const void *a, const void *b)
{
    const struct tf_face *x = a, *y = b;
    float first = x->box[2] * x->box[3], second = y->box[2] * y->box[3];

    if (first != second)
        return first < second ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Insertion: a handful of faces, nearly in order. */
static void sort(struct tf_faces *faces)
{
    for (uint32_t i = 1; i < faces->count; i++)
        for (uint32_t k = i; k > 0 && by_size(&faces->faces[k - 1], &faces->faces[k]) > 0; k--) {
            struct tf_face swap = faces->faces[k];

            faces->faces[k] = faces->faces[k - 1];
            faces->faces[k - 1] = swap;
        }
}

int tf_pairing_merge(struct tf_pairing *pairing, enum tf_pair_use use, const struct tf_registration *g,
                     struct tf_analyser *analyser, const struct tf_frame *frame,
                     const struct tf_partner *partner, struct tf_faces *faces)
{
    const struct tf_faults *faults = analyser ? tf_analyser_faults(analyser) : NULL;
    struct mapped mapped[TF_FACES_MAX];
    uint32_t count = 0;
    int r = 0;

    pairing->turn++;
    if (g && partner) {
        if (partner->width != g->visible_width || partner->height != g->visible_height ||
            tf_frame_upright_width(frame) != g->thermal_width ||
            tf_frame_upright_height(frame) != g->thermal_height)
            r = -ERANGE;
        else
            count = partner->count < TF_FACES_MAX ? partner->count : TF_FACES_MAX;
    }
    for (uint32_t i = 0; i < count; i++)
        map_face(g, frame, &partner->faces[i], &mapped[i]);
    for (uint32_t i = 0; i < faces->count; i++) {
        struct tf_face *face = &faces->faces[i];
        int which = partner_of(face, mapped, count);

        face->from = TF_POINTS_FROM_THERMAL;
        face->id = id_of_thermal(pairing, face->id, which < 0 ? 0 : partner->faces[which].id, faces, i);
        if (which < 0)
            continue;
        mapped[which].taken = face->mapped = true;
        memcpy(face->points_mapped, mapped[which].points, sizeof(face->points_mapped));
        if (use == TF_PAIR_USE_ALWAYS ||
            (use == TF_PAIR_USE_BETTER && tf_points_confidence(face->points_mapped, TF_POINTS) >
                                              tf_points_confidence(face->points, TF_POINTS)))
            use_mapped(frame, faults, face);
    }
    for (uint32_t i = 0; i < count && use != TF_PAIR_USE_NEVER && faces->count < TF_FACES_MAX; i++)
        if (mapped[i].there && !mapped[i].taken)
            add_unseen(frame, faults, &mapped[i],
                       id_of_visible(pairing, analyser, partner->faces[i].id, faces), faces);
    sort(faces);
    return r;
}
