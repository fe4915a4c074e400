/* [region NAME] sections as definitions of own regions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/lines.h"

int tf_config_own_of(const struct tf_config_region *region, struct tf_own_region *ret, struct tf_error *err)
{
    const struct tf_shape *more = &region->corners;

    *ret = (struct tf_own_region){.face = region->coordinates == TF_CONFIG_COORDINATES_FACE,
                                  .shape = region->shape};
    if (strlen(region->name) > TF_OWN_NAME_MAX)
        return tf_fail(err, -EINVAL, "the name \"%.40s…\" of a region has more than %d bytes", region->name,
                       TF_OWN_NAME_MAX);
    if (region->camera && strlen(region->camera) > TF_SHAPE_CAMERA_MAX)
        return tf_fail(err, -EINVAL, "[region %s]: no camera has so long a name", region->name);
    strcpy(ret->name, region->name);
    strcpy(ret->camera, region->camera ? region->camera : "");
    if (ret->shape.n + more->n > 2 * TF_SHAPE_POINTS_MAX)
        return tf_fail(err, -EINVAL, "region %s: a polygon has at most %d corners", region->name,
                       TF_SHAPE_POINTS_MAX);
    memcpy(ret->shape.v + ret->shape.n, more->v, more->n * sizeof(more->v[0]));
    ret->shape.n += more->n;
    return 0;
}

void tf_config_own(const struct tf_config *config, struct tf_own_regions *ret)
{
    struct tf_own_region own;

    ret->count = 0;
    for (size_t i = 0; i < config->region_count; i++)
        if (config->regions[i].enabled && tf_config_own_of(&config->regions[i], &own, NULL) == 0)
            tf_own_add(ret, &own, NULL);
}

#define LINE_TEXT 160 /* of a value: inih's lines have 198 bytes */

static void write_shape(FILE *f, const struct tf_shape *shape)
{
    struct tf_shape head = *shape, rest = {.kind = TF_SHAPE_POLYGON};
    char text[1024];

    tf_shape_format(&head, false, text, sizeof(text));
    /* What does not fit into the first line goes into the second, which takes the more. */
    while (head.kind == TF_SHAPE_POLYGON && head.n > 6 && strlen(text) > LINE_TEXT) {
        head.n -= 2;
        tf_shape_format(&head, false, text, sizeof(text));
    }
    fprintf(f, "shape=%s\n", text);
    rest.n = shape->n - head.n;
    memcpy(rest.v, shape->v + head.n, rest.n * sizeof(rest.v[0]));
    tf_shape_format(&rest, true, text, sizeof(text));
    if (rest.n)
        fprintf(f, "corners=%s\n", text);
}

char *tf_config_own_text(const struct tf_own_regions *own)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    for (uint32_t i = 0; i < own->count; i++) {
        const struct tf_own_region *r = &own->at[i];

        fprintf(f, "%s[region %s]\n", i ? "\n" : "", r->name);
        if (r->camera[0])
            fprintf(f, "camera=%s\n", r->camera);
        fprintf(f, "coordinates=%s\n", r->face ? "face" : "pixels");
        write_shape(f, &r->shape);
    }
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
