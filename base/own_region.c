/* Own regions as people write them: shapes from text, and what a region may be. */
#include "base/own_region.h"

#include "base/count.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names that records and tables have already: the built-in regions', and those of other columns. */
static const char *const taken[] = {"forehead",
                                    "periorbital_right",
                                    "periorbital_left",
                                    "canthus_right",
                                    "canthus_left",
                                    "nose_tip",
                                    "nostrils",
                                    "perinasal",
                                    "cheek_right",
                                    "cheek_left",
                                    "chin",
                                    "mouth",
                                    "black_body",
                                    "breathing",
                                    "pair",
                                    "box",
                                    "dropped",
                                    "frames",
                                    "frame",
                                    "nose_minus_forehead"};

const char *tf_shape_kind_name(enum tf_shape_kind kind)
{
    static const char *const names[] = {NULL, "rectangle", "circle", "polygon"};

    return (unsigned)kind < TF_COUNT(names) ? names[kind] : NULL;
}

/* A decimal number; false where there is none, or none that is a measure. */
static bool number(const char **at, float *ret)
{
    char *end;
    double v;

    if (!strchr("+-.0123456789", **at) || !**at)
        return false;
    v = strtod(*at, &end);
    if (end == *at || !(fabs(v) <= 1e6) || memchr(*at, 'x', (size_t)(end - *at)))
        return false;
    *ret = (float)v;
    *at = end;
    return true;
}

/* "1,2,3" or "1,2 3,4": commas within `group` numbers, blanks between groups. */
static bool numbers(const char *text, uint32_t group, uint32_t max, struct tf_shape *shape)
{
    shape->n = 0;
    for (;;) {
        text += strspn(text, " ");
        if (!*text)
            return shape->n > 0;
        for (uint32_t i = 0; i < group; i++) {
            if (shape->n == max || !number(&text, &shape->v[shape->n]))
                return false;
            shape->n++;
            if (i + 1 < group && *text++ != ',')
                return false;
        }
        if (*text && *text != ' ')
            return false;
    }
}

int tf_shape_parse(const char *text, bool more, struct tf_shape *ret, struct tf_error *err)
{
    struct tf_shape s = {.kind = TF_SHAPE_POLYGON};
    const uint32_t most = 2 * TF_SHAPE_POINTS_MAX;
    bool ok = false;

    if (more) {
        ok = numbers(text, 2, most, &s);
    } else if (strncmp(text, "rectangle ", 10) == 0) {
        s.kind = TF_SHAPE_RECTANGLE;
        ok = numbers(text + 10, 4, 4, &s);
    } else if (strncmp(text, "circle ", 7) == 0) {
        s.kind = TF_SHAPE_CIRCLE;
        ok = numbers(text + 7, 3, 3, &s);
    } else if (strncmp(text, "polygon ", 8) == 0) {
        ok = numbers(text + 8, 2, most, &s);
    }
    if (!ok)
        return tf_fail(
            err, -EINVAL,
            more ? "expected corners X,Y X,Y … (up to %d)"
                 : "expected \"rectangle X,Y,W,H\", \"circle X,Y,R\" or \"polygon X,Y X,Y X,Y …\" (up to "
                   "%d corners)",
            TF_SHAPE_POINTS_MAX);
    *ret = s;
    return 0;
}

void tf_shape_format(const struct tf_shape *s, bool more, char *text, size_t size)
{
    const char *kind = tf_shape_kind_name(s->kind);
    size_t n = 0;

    if (!size)
        return;
    text[0] = '\0';
    if (!kind)
        return;
    if (!more)
        n = (size_t)snprintf(text, size, "%s", kind);
    for (uint32_t i = 0; i < s->n && n < size; i++) {
        const char *gap = i && (s->kind != TF_SHAPE_POLYGON || i % 2) ? "," : n ? " " : "";

        n += (size_t)snprintf(text + n, size - n, "%s%g", gap, (double)s->v[i]);
    }
}

static int check_name(const struct tf_own_regions *regions, const char *name, struct tf_error *err)
{
    size_t n = strnlen(name, TF_OWN_NAME_MAX + 1);

    if (!n || n > TF_OWN_NAME_MAX || name[0] < 'a' || name[0] > 'z' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n)
        return tf_fail(
            err, -EINVAL,
            "\"%.40s\" is not a name for a region: expected a-z, 0-9 and _, a letter first, at most %d", name,
            TF_OWN_NAME_MAX);
    for (size_t i = 0; i < TF_COUNT(taken); i++)
        if (strcmp(taken[i], name) == 0)
            return tf_fail(err, -EINVAL, "\"%s\" is a name that records have already: choose another one",
                           name);
    for (uint32_t i = 0; i < regions->count; i++)
        if (strcmp(regions->at[i].name, name) == 0)
            return tf_fail(err, -EINVAL, "there are two regions of the name \"%s\"", name);
    return 0;
}

static int check_shape(const struct tf_own_region *r, struct tf_error *err)
{
    const float limit = r->face ? TF_OWN_FACE_MAX : TF_OWN_PIXELS_MAX;
    const struct tf_shape *s = &r->shape;
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    static const uint32_t least[] = {0, 4, 3, 6};

    if (!tf_shape_kind_name(s->kind))
        return tf_fail(err, -EINVAL, "region %s has no shape", r->name);
    if (s->n < least[s->kind] || s->n > 2 * TF_SHAPE_POINTS_MAX ||
        (s->kind != TF_SHAPE_POLYGON && s->n != least[s->kind]) || s->n % 2 != least[s->kind] % 2)
        return tf_fail(err, -EINVAL,
                       s->kind == TF_SHAPE_POLYGON ? "region %s: a polygon has from 3 to %d corners"
                                                   : "region %s: a rectangle is X,Y,W,H, a circle X,Y,R",
                       r->name, TF_SHAPE_POINTS_MAX);
    for (uint32_t i = 0; i < s->n; i++) {
        if (!(fabsf(s->v[i]) <= limit))
            return tf_fail(err, -EINVAL, "region %s: %g is beyond %g %s", r->name, (double)s->v[i],
                           (double)limit, r->face ? "eye distances" : "pixels");
        low[i % 2] = fminf(low[i % 2], s->v[i]);
        high[i % 2] = fmaxf(high[i % 2], s->v[i]);
    }
    if (s->kind == TF_SHAPE_POLYGON ? !(high[0] > low[0]) || !(high[1] > low[1])
                                    : !(s->v[2] > 0) || (s->kind == TF_SHAPE_RECTANGLE && !(s->v[3] > 0)))
        return tf_fail(err, -EINVAL, "region %s: the %s has no inside", r->name, tf_shape_kind_name(s->kind));
    return 0;
}

int tf_own_add(struct tf_own_regions *regions, const struct tf_own_region *region, struct tf_error *err)
{
    int r;

    if (regions->count >= TF_OWN_MAX)
        return tf_fail(err, -ENOSPC, "more than %d regions", TF_OWN_MAX);
    r = check_name(regions, region->name, err);
    if (r == 0)
        r = check_shape(region, err);
    if (r < 0)
        return r;
    regions->at[regions->count++] = *region;
    return 0;
}

void tf_own_of_camera(const struct tf_own_regions *regions, const char *camera, struct tf_own_regions *ret)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < regions->count; i++)
        if (!regions->at[i].camera[0] || strcmp(regions->at[i].camera, camera) == 0)
            ret->at[n++] = regions->at[i];
    ret->count = n;
}

bool tf_own_same_columns(const struct tf_own_regions *a, const struct tf_own_regions *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->at[i].face != b->at[i].face || strcmp(a->at[i].name, b->at[i].name) != 0)
            return false;
    return true;
}
