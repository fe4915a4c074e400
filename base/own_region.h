/*
 * A laboratory's own regions: what is measured beside the built-in ones, as people write it down. The shapes
 * only; inference/face/own.h measures them.
 */
#ifndef TF_BASE_OWN_REGION_H
#define TF_BASE_OWN_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TF_OWN_MAX 16      /* regions of one camera, and in one file */
#define TF_OWN_NAME_MAX 32 /* bytes */
#define TF_SHAPE_POINTS_MAX 24
#define TF_SHAPE_CAMERA_MAX 32

/* Largest coordinates: pixels of a picture's side, and eye distances. */
#define TF_OWN_PIXELS_MAX 4096
#define TF_OWN_FACE_MAX 20

enum tf_shape_kind {
    TF_SHAPE_NONE,
    TF_SHAPE_RECTANGLE, /* v: x, y of the upper left corner, width, height */
    TF_SHAPE_CIRCLE,    /* v: x, y of the centre, radius */
    TF_SHAPE_POLYGON,   /* v: x, y of each corner */
};
/* "rectangle", "circle", "polygon"; NULL for none. */
const char *tf_shape_kind_name(enum tf_shape_kind kind);

struct tf_shape {
    enum tf_shape_kind kind;
    uint32_t n; /* numbers in v */
    float v[2 * TF_SHAPE_POINTS_MAX];
};

struct tf_own_region {
    char name[TF_OWN_NAME_MAX + 1];
    char camera[TF_SHAPE_CAMERA_MAX + 1]; /* empty: all cameras */
    /*
     * True: in eye distances (outer corners, points 36 to 45), from the middle between the eyes' centres; x
     * to the picture's right along the line through points 36 and 45, y down at a right angle to it. False:
     * pixels of the upright picture; the corner of a rectangle is its first pixel, other points lie as a
     * record's do (the centre of a pixel is a whole number).
     */
    bool face;
    struct tf_shape shape;
};

struct tf_own_regions {
    uint32_t count;
    struct tf_own_region at[TF_OWN_MAX];
};

/*
 * Reads "rectangle X,Y,W,H", "circle X,Y,R" or "polygon X,Y X,Y X,Y …", or with `more` further corners "X,Y
 * X,Y …" of a polygon. -EINVAL says what was expected.
 */
int tf_shape_parse(const char *text, bool more, struct tf_shape *ret, struct tf_error *err);
/* The same text back; cut to fit. */
void tf_shape_format(const struct tf_shape *shape, bool more, char *text, size_t size);

/*
 * Adds a region when it can be one: a name of a-z, 0-9 and _ that begins with a letter and is none of ours or
 * of one that is there; a shape with an inside, within the limits above. -EINVAL and -ENOSPC say which region
 * and why.
 */
int tf_own_add(struct tf_own_regions *regions, const struct tf_own_region *region, struct tf_error *err);
/* Only those of a camera, in their order; `ret` may be `regions`. */
void tf_own_of_camera(const struct tf_own_regions *regions, const char *camera, struct tf_own_regions *ret);
/* Whether two sets give the same columns: names and kinds in the same order. */
bool tf_own_same_columns(const struct tf_own_regions *a, const struct tf_own_regions *b);

#endif
