/* The record as one JSON object a line. */
#include <errno.h>
#include <stdlib.h>

#include "publish/record/record.h"
#include "publish/record/record_fields.h"
#include "publish/record/text_out.h"

#define CAMERA_BYTES_MAX 255

static void json_text(struct tf_out *o, const char *text)
{
    if (text)
        tf_out_json_text(o, text, CAMERA_BYTES_MAX);
    else
        tf_out_literal(o, "null");
}

static void json_word(struct tf_out *o, const char *word)
{
    tf_out_literal(o, "\"");
    tf_out_text(o, word);
    tf_out_literal(o, "\"");
}

static void json_uint(struct tf_out *o, uint64_t value)
{
    tf_out_uint(o, value);
}

static void json_uint_or_null(struct tf_out *o, uint64_t value, bool known)
{
    if (known)
        tf_out_uint(o, value);
    else
        tf_out_literal(o, "null");
}

static void json_int_or_null(struct tf_out *o, int64_t value)
{
    json_uint_or_null(o, (uint64_t)value, value >= 0);
}

static void json_signed_or_null(struct tf_out *o, int64_t value, bool known)
{
    if (known)
        tf_out_int(o, value);
    else
        tf_out_literal(o, "null");
}

static void json_utc(struct tf_out *o, int64_t t_utc_ns)
{
    tf_out_literal(o, "\"");
    tf_out_utc(o, t_utc_ns);
    tf_out_literal(o, "\"");
}

static void json_flags(struct tf_out *o, uint32_t flags)
{
    const char *comma = "";

    tf_out_literal(o, "[");
    for (unsigned bit = 0; bit < TF_FLAG_COUNT; bit++) {
        if (!(flags & 1u << bit))
            continue;
        tf_out_text(o, comma);
        json_word(o, tf_flag_name(bit));
        comma = ",";
    }
    tf_out_literal(o, "]");
}

static void json_real(struct tf_out *o, double value, int decimals)
{
    if (isfinite(value))
        tf_out_real(o, value, decimals);
    else
        tf_out_literal(o, "null");
}

static void json_boolean(struct tf_out *o, bool value)
{
    if (value)
        tf_out_literal(o, "true");
    else
        tf_out_literal(o, "false");
}

static void json_why(struct tf_out *o, uint32_t why)
{
    const char *comma = "";

    tf_out_literal(o, "[");
    for (unsigned bit = 0; bit < TF_WHY_COUNT; bit++) {
        if (!(why & 1u << bit))
            continue;
        tf_out_text(o, comma);
        json_word(o, tf_region_why_name(bit));
        comma = ",";
    }
    tf_out_literal(o, "]");
}

/* Every member and element ends in a comma; whoever closes takes the last one back. */
#define MEMBER(kind, name, ...)                                                                              \
    tf_out_literal(o, "\"" #name "\":");                                                                     \
    json_##kind(o, __VA_ARGS__);                                                                             \
    tf_out_literal(o, ",");
#define ELEMENT(kind, name, ...)                                                                             \
    json_##kind(o, __VA_ARGS__);                                                                             \
    tf_out_literal(o, ",");

static void close_with(struct tf_out *o, char bracket)
{
    if (!o->full && o->at[-1] == ',')
        o->at--;
    tf_out_bytes(o, &bracket, 1);
    tf_out_literal(o, ",");
}

static void write_points(struct tf_out *o, const struct tf_point *points)
{
    for (const struct tf_point *p = points; p < points + TF_POINTS; p++) {
        tf_out_literal(o, "[");
        TF_FIELDS_POINT(ELEMENT)
        close_with(o, ']');
    }
    close_with(o, ']');
}

static void write_outline(struct tf_out *o, const struct tf_outline *outline)
{
    uint32_t n = outline->n < TF_REGION_OUTLINE_MAX ? outline->n : TF_REGION_OUTLINE_MAX;

    tf_out_literal(o, "\"outline\":[");
    for (uint32_t i = 0; i < n; i++) {
        const float *xy = outline->xy[i];

        tf_out_literal(o, "[");
        TF_FIELDS_CORNER(ELEMENT)
        close_with(o, ']');
    }
    close_with(o, ']');
}

static void write_region(struct tf_out *o, const struct tf_record *r, const char *name,
                         const struct tf_region_stats *s, const struct tf_outline *outline)
{
    json_word(o, name);
    tf_out_literal(o, ":{");
    TF_FIELDS_REGION_VALUES(MEMBER)
    TF_FIELDS_REGION_EXCLUDED(MEMBER)
    TF_FIELDS_REGION_VALID(MEMBER)
    TF_FIELDS_REGION_WHY(MEMBER)
    if (r->black_body.set) {
        TF_FIELDS_REGION_CORRECTED(MEMBER)
    }
    if (r->outlines)
        write_outline(o, outline);
    close_with(o, '}');
}

static void write_face(struct tf_out *o, const struct tf_record *r, uint32_t number)
{
    const struct tf_face *f = &r->faces.faces[number];

    tf_out_literal(o, "{");
    TF_FIELDS_FACE(MEMBER)
    tf_out_literal(o, "\"box\":[");
    TF_FIELDS_BOX(ELEMENT)
    close_with(o, ']');
    tf_out_literal(o, "\"points\":[");
    if (f->unseen)
        close_with(o, ']');
    else
        write_points(o, f->points);
    if (f->filtered) {
        tf_out_literal(o, "\"points_filtered\":[");
        write_points(o, f->points_filtered);
    }
    tf_out_literal(o, "\"regions\":{");
    for (int i = 0; i < TF_REGIONS; i++)
        write_region(o, r, tf_region_name((enum tf_region)i), &f->regions[i], &f->outlines[i]);
    for (uint32_t i = 0; i < r->own.names.faces; i++)
        write_region(o, r, r->own.names.face[i], &r->own.face[number][i], &r->own.face_outlines[number][i]);
    close_with(o, '}');
    tf_out_literal(o, "\"breathing\":{");
    TF_FIELDS_BREATHING(MEMBER)
    close_with(o, '}');
    TF_FIELDS_FACE_END(MEMBER)
    if (f->mapped) {
        tf_out_literal(o, "\"points_visible\":[");
        write_points(o, f->points_mapped);
    }
    tf_out_literal(o, "\"pose\":{");
    TF_FIELDS_POSE(MEMBER)
    close_with(o, '}');
    TF_FIELDS_COVERINGS(MEMBER)
    close_with(o, '}');
}

int tf_record_ndjson(const struct tf_record *r, char *buffer, size_t size)
{
    struct tf_out out = {.at = buffer, .end = buffer + size}, *o = &out;
    uint32_t faces = r->faces.count < TF_FACES_MAX ? r->faces.count : TF_FACES_MAX;

    tf_out_literal(o, "{");
    TF_FIELDS_FRAME(MEMBER)
    tf_out_literal(o, "\"dropped\":{");
    TF_FIELDS_DROPPED(MEMBER)
    close_with(o, '}');
    TF_FIELDS_AFTER_DROPPED(MEMBER)
    tf_out_literal(o, "\"faces\":[");
    for (uint32_t i = 0; i < faces; i++)
        write_face(o, r, i);
    close_with(o, ']');
    if (r->black_body.set) {
        tf_out_literal(o, "\"black_body\":{");
        TF_FIELDS_BLACK_BODY(MEMBER)
        close_with(o, '}');
    }
    if (r->pair.camera) {
        tf_out_literal(o, "\"pair\":{");
        TF_FIELDS_PAIR(MEMBER)
        close_with(o, '}');
    } else {
        tf_out_literal(o, "\"pair\":null,");
    }
    TF_FIELDS_TURN(MEMBER)
    if (r->own.names.areas) {
        tf_out_literal(o, "\"areas\":{");
        for (uint32_t i = 0; i < r->own.names.areas; i++)
            write_region(o, r, r->own.names.area[i], &r->own.area[i], &r->own.area_outlines[i]);
        close_with(o, '}');
    }
    if (r->clock.known) {
        tf_out_literal(o, "\"clock\":{");
        TF_FIELDS_CLOCK(MEMBER)
        close_with(o, '}');
    } else {
        tf_out_literal(o, "\"clock\":null,");
    }
    close_with(o, '}');
    if (o->full)
        return -ENOBUFS;
    o->at[-1] = '\n'; /* the comma after the object */
    return (int)(o->at - buffer);
}

int tf_record_text_create(struct tf_record_text *text)
{
    size_t size = tf_record_bytes_max();
    char *bytes = malloc(size);

    if (!bytes)
        return -ENOMEM;
    *text = (struct tf_record_text){.bytes = bytes, .size = size};
    return 0;
}

void tf_record_text_finish(struct tf_record_text *text)
{
    free(text->bytes);
    *text = (struct tf_record_text){0};
}

int tf_record_ndjson_once(const struct tf_record *r, char *buffer, size_t size, const char **ret)
{
    struct tf_record_text *text = r->text;

    if (!text) {
        *ret = buffer;
        return tf_record_ndjson(r, buffer, size);
    }
    if (!text->length)
        text->length = tf_record_ndjson(r, text->bytes, text->size);
    *ret = text->bytes;
    return text->length;
}
