/* Own regions to JSON and back. */
#include "publish/recording/own_json.h"

#include <errno.h>
#include <string.h>

#include "publish/recording/text.h"

static json_t *corners(const struct tf_shape *s)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i + 1 < s->n; i += 2)
        json_array_append_new(list,
                              json_pack("[f,f]", tf_text_decimal(s->v[i]), tf_text_decimal(s->v[i + 1])));
    return list;
}

static json_t *plain(const struct tf_shape *s)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < s->n; i++)
        json_array_append_new(list, json_real(tf_text_decimal(s->v[i])));
    return list;
}

json_t *tf_own_to_json(const struct tf_own_regions *regions)
{
    json_t *list = json_array();

    for (uint32_t i = 0; list && i < regions->count; i++) {
        const struct tf_own_region *r = &regions->at[i];
        json_t *d = json_object();

        json_object_set_new(d, "name", json_string(r->name));
        if (r->camera[0])
            json_object_set_new(d, "camera", json_string(r->camera));
        json_object_set_new(d, "coordinates", json_string(r->face ? "face" : "pixels"));
        json_object_set_new(d, tf_shape_kind_name(r->shape.kind),
                            r->shape.kind == TF_SHAPE_POLYGON ? corners(&r->shape) : plain(&r->shape));
        json_array_append_new(list, d);
    }
    return list;
}

static int take_text(const json_t *value, const char *key, char *ret, size_t size, struct tf_error *err)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) >= size)
        return tf_fail(err, -EINVAL, "\"%s\" is not a text of at most %zu bytes", key, size - 1);
    strcpy(ret, text);
    return 0;
}

static bool take_number(const json_t *value, struct tf_shape *s)
{
    double v = json_number_value(value);

    if (!json_is_number(value) || !(v >= -1e6 && v <= 1e6) || s->n >= 2 * TF_SHAPE_POINTS_MAX)
        return false;
    s->v[s->n++] = (float)v;
    return true;
}

static int take_shape(enum tf_shape_kind kind, const json_t *value, struct tf_shape *s, struct tf_error *err)
{
    bool ok = json_is_array(value) && !s->kind;
    const json_t *item;
    size_t i;

    s->kind = kind;
    json_array_foreach(value, i, item)
    {
        if (!ok)
            break;
        if (kind != TF_SHAPE_POLYGON)
            ok = take_number(item, s);
        else
            ok = json_array_size(item) == 2 && take_number(json_array_get(item, 0), s) &&
                 take_number(json_array_get(item, 1), s);
    }
    return ok ? 0
              : tf_fail(err, -EINVAL,
                        "expected one of \"rectangle\":[X,Y,W,H], \"circle\":[X,Y,R] and "
                        "\"polygon\":[[X,Y],…] (up to "
                        "%d corners)",
                        TF_SHAPE_POINTS_MAX);
}

static int take_member(struct tf_own_region *r, const char *key, const json_t *value, struct tf_error *err)
{
    const char *text;

    if (strcmp(key, "name") == 0)
        return take_text(value, key, r->name, sizeof(r->name), err);
    if (strcmp(key, "camera") == 0)
        return json_is_null(value) ? 0 : take_text(value, key, r->camera, sizeof(r->camera), err);
    if (strcmp(key, "coordinates") == 0) {
        text = json_is_string(value) ? json_string_value(value) : "";
        r->face = strcmp(text, "face") == 0;
        return r->face || strcmp(text, "pixels") == 0
                   ? 0
                   : tf_fail(err, -EINVAL, "\"coordinates\" is neither \"face\" nor \"pixels\"");
    }
    for (int kind = TF_SHAPE_RECTANGLE; kind <= TF_SHAPE_POLYGON; kind++)
        if (strcmp(key, tf_shape_kind_name((enum tf_shape_kind)kind)) == 0)
            return take_shape((enum tf_shape_kind)kind, value, &r->shape, err);
    return tf_fail(err, -EINVAL,
                   "\"%.64s\" is not understood: a region has name, camera, coordinates and rectangle, "
                   "circle or polygon",
                   key);
}

int tf_own_from_json(const json_t *list, struct tf_own_regions *ret, struct tf_error *err)
{
    struct tf_own_regions regions = {0};
    const json_t *item, *value;
    const char *key;
    size_t i;

    if (!json_is_array(list))
        return tf_fail(err, -EINVAL, "regions are a list: [{\"name\":…},…]");
    json_array_foreach(list, i, item)
    {
        struct tf_own_region r = {0};
        int result = json_is_object(item) ? 0 : tf_fail(err, -EINVAL, "not an object");

        json_object_foreach((json_t *)item, key, value) if (result == 0) result =
            take_member(&r, key, value, err);
        if (result == 0)
            result = tf_own_add(&regions, &r, err);
        if (result < 0) {
            tf_error_prefix(err, "region %zu", i + 1);
            return -EINVAL;
        }
    }
    *ret = regions;
    return 0;
}
