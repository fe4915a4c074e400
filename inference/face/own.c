/* Own regions: from their definition to an outline in the picture, and its statistics. */
#include "inference/face/own.h"

#include <string.h>

#include "inference/face/judge.h"
#include "inference/face/outline.h"
#include "inference/face/raster.h"

_Static_assert(TF_SHAPE_POINTS_MAX <= TF_REGION_OUTLINE_MAX, "a polygon is an outline");
_Static_assert(TF_DISC_SIDES <= TF_REGION_OUTLINE_MAX, "and so is a circle");

void tf_own_names_of(const struct tf_own_regions *regions, struct tf_own_names *ret)
{
    ret->faces = ret->areas = 0;
    for (uint32_t i = 0; i < regions->count; i++) {
        const struct tf_own_region *r = &regions->at[i];

        memcpy(r->face ? ret->face[ret->faces++] : ret->area[ret->areas++], r->name, sizeof(r->name));
    }
}

/* Where the definition's coordinates lie in the picture. */
struct placing {
    float x, y;             /* of the origin */
    float right_x, right_y; /* a step of 1 along x; along y it is this one turned by 90 degrees */
};

static void add(const struct placing *p, struct tf_outline *o, float x, float y)
{
    o->xy[o->n][0] = p->x + x * p->right_x - y * p->right_y;
    o->xy[o->n][1] = p->y + x * p->right_y + y * p->right_x;
    o->n++;
}

static void outline(const struct placing *p, const struct tf_own_region *r, struct tf_outline *o)
{
    const struct tf_shape *s = &r->shape;
    const float *v = s->v,
                half = r->face ? 0 : 0.5f; /* of a pixel: a rectangle begins before its first one */

    o->n = 0;
    switch (s->kind) {
    case TF_SHAPE_RECTANGLE:
        add(p, o, v[0] - half, v[1] - half);
        add(p, o, v[0] + v[2] - half, v[1] - half);
        add(p, o, v[0] + v[2] - half, v[1] + v[3] - half);
        add(p, o, v[0] - half, v[1] + v[3] - half);
        break;
    case TF_SHAPE_CIRCLE:
        for (int i = 0; i < TF_DISC_SIDES; i++) {
            float angle = (float)i * (2.0f * (float)M_PI / TF_DISC_SIDES);

            add(p, o, v[0] + v[2] * TF_DISC_GROW * cosf(angle), v[1] + v[2] * TF_DISC_GROW * sinf(angle));
        }
        break;
    case TF_SHAPE_POLYGON:
        for (uint32_t i = 0; i + 1 < s->n; i += 2)
            add(p, o, v[i], v[i + 1]);
        break;
    case TF_SHAPE_NONE:
        break;
    }
    tf_outline_snap(o);
}

/* The face's axes; false: its points do not say them. Each eye has six points, so that the mean of all twelve
 * is the middle between the eyes' centres. */
static bool place(const struct tf_point *points, struct placing *ret)
{
    float dx = points[45].x - points[36].x, dy = points[45].y - points[36].y;

    *ret = (struct placing){.right_x = dx, .right_y = dy};
    for (int k = 36; k < 48; k++) {
        if (!(fabsf(points[k].x) < TF_OUTLINE_FAR) || !(fabsf(points[k].y) < TF_OUTLINE_FAR))
            return false;
        ret->x += points[k].x / 12;
        ret->y += points[k].y / 12;
    }
    return hypotf(dx, dy) > 0;
}

void tf_own_unseen(struct tf_own_result *ret)
{
    for (uint32_t i = 0; i < ret->names.areas; i++) {
        ret->area[i] = tf_region_unseen;
        ret->area[i].why = 0;
        ret->area_outlines[i].n = 0;
    }
}

void tf_own_measure(const struct tf_frame *frame, const struct tf_faults *faults,
                    const struct tf_own_regions *regions, const struct tf_faces *faces,
                    struct tf_own_result *ret)
{
    uint32_t face = 0, area = 0, count = faces->count < TF_FACES_MAX ? faces->count : TF_FACES_MAX;
    const struct placing pixels = {.right_x = 1};
    struct placing placings[TF_FACES_MAX];
    bool placed[TF_FACES_MAX];
    struct tf_raster_sound sound;
    struct tf_view view;
    bool seen = tf_view_init(&view, frame);

    if (!regions->count)
        return;
    if (seen)
        tf_raster_sound(frame, faults, &sound);
    for (uint32_t i = 0; i < count; i++)
        placed[i] = seen && place(tf_face_points(&faces->faces[i]), &placings[i]);
    for (uint32_t k = 0; k < regions->count; k++) {
        const struct tf_own_region *r = &regions->at[k];

        for (uint32_t i = 0; i < count && r->face; i++) {
            ret->face_outlines[i][face].n = 0;
            ret->face[i][face] = tf_region_unseen;
            if (!placed[i])
                continue;
            outline(&placings[i], r, &ret->face_outlines[i][face]);
            tf_raster_measure(&view, &frame->radiometry, &sound, &ret->face_outlines[i][face], NULL,
                              &ret->face[i][face]);
            tf_face_judge_own(&faces->faces[i], &ret->face[i][face]);
        }
        if (!r->face) {
            ret->area[area] = tf_region_unseen;
            outline(&pixels, r, &ret->area_outlines[area]);
            if (seen)
                tf_raster_measure(&view, &frame->radiometry, &sound, &ret->area_outlines[area], NULL,
                                  &ret->area[area]);
        }
        face += r->face;
        area += !r->face;
    }
}
