/* The record as a row of a table: the same columns in every row, the largest face, empty cells for what is
 * not known. */
#include <errno.h>

#include "publish/record/csv.h"
#include "publish/record/record_fields.h"
#include "publish/record/text_out.h"

#define CAMERA_BYTES_MAX 255

static void csv_text(struct tf_out *o, const char *text)
{
    size_t n = 0;

    if (!text)
        return;
    if (!strpbrk(text, ",\"\r\n")) {
        tf_out_bytes(o, text, strnlen(text, CAMERA_BYTES_MAX));
        return;
    }
    if (!tf_out_room(o, 2 * CAMERA_BYTES_MAX + 2))
        return;
    *o->at++ = '"';
    for (; *text && n < CAMERA_BYTES_MAX; text++, n++) {
        if (*text == '"')
            *o->at++ = '"';
        *o->at++ = *text;
    }
    *o->at++ = '"';
}

static void csv_word(struct tf_out *o, const char *word)
{
    tf_out_text(o, word);
}

static void csv_uint(struct tf_out *o, uint64_t value)
{
    tf_out_uint(o, value);
}

static void csv_uint_or_null(struct tf_out *o, uint64_t value, bool known)
{
    if (known)
        tf_out_uint(o, value);
}

static void csv_int_or_null(struct tf_out *o, int64_t value)
{
    csv_uint_or_null(o, (uint64_t)value, value >= 0);
}

static void csv_signed_or_null(struct tf_out *o, int64_t value, bool known)
{
    if (known)
        tf_out_int(o, value);
}

static void csv_utc(struct tf_out *o, int64_t t_utc_ns)
{
    tf_out_utc(o, t_utc_ns);
}

static void csv_flags(struct tf_out *o, uint32_t flags)
{
    const char *gap = "";

    for (unsigned bit = 0; bit < TF_FLAG_COUNT; bit++) {
        if (!(flags & 1u << bit))
            continue;
        tf_out_text(o, gap);
        tf_out_text(o, tf_flag_name(bit));
        gap = " ";
    }
}

static void csv_why(struct tf_out *o, uint32_t why)
{
    const char *gap = "";

    for (unsigned bit = 0; bit < TF_WHY_COUNT; bit++) {
        if (!(why & 1u << bit))
            continue;
        tf_out_text(o, gap);
        tf_out_text(o, tf_region_why_name(bit));
        gap = " ";
    }
}

static void csv_real(struct tf_out *o, double value, int decimals)
{
    if (isfinite(value))
        tf_out_real(o, value, decimals);
}

/* 1 and 0: every table reader takes them for numbers, few know true and false. */
static void csv_boolean(struct tf_out *o, bool value)
{
    tf_out_bytes(o, value ? "1" : "0", 1);
}

/* Every cell ends in a comma; the last one becomes the end of the line. */
static int end_row(struct tf_out *o, const char *buffer)
{
    if (o->full)
        return -ENOBUFS;
    o->at[-1] = '\n';
    return (int)(o->at - buffer);
}

static void name(struct tf_out *o, const char *prefix, int number, const char *field)
{
    tf_out_text(o, prefix);
    if (number >= 0)
        tf_out_uint(o, (uint64_t)number);
    if (*prefix)
        tf_out_literal(o, "_");
    tf_out_text(o, field);
    tf_out_literal(o, ",");
}

/* What a column is called: prefix and number are the header's variables at that place. */
#define NAME(kind, field, ...) name(o, prefix, number, #field);
#define CELL(kind, field, ...)                                                                               \
    csv_##kind(o, __VA_ARGS__);                                                                              \
    tf_out_literal(o, ",");
#define EMPTY(kind, field, ...) tf_out_literal(o, ",");

static void header_points(struct tf_out *o, const char *prefix)
{
    for (int number = 0; number < TF_POINTS; number++) {
        TF_FIELDS_POINT(NAME)
    }
}

static void header_own(struct tf_out *o, const char *prefix)
{
    const int number = -1;

    TF_FIELDS_OWN(NAME)
}

static int header(const struct tf_own_names *own, char *buffer, size_t size)
{
    struct tf_out out = {.at = buffer, .end = buffer + size}, *o = &out;
    const char *prefix = "";
    int number = -1;

    TF_FIELDS_FRAME(NAME)
    prefix = "dropped";
    TF_FIELDS_DROPPED(NAME)
    prefix = "";
    TF_FIELDS_AFTER_DROPPED(NAME)
    tf_out_literal(o, "faces,");
    TF_FIELDS_FACE(NAME)
    prefix = "box";
    TF_FIELDS_BOX(NAME)
    header_points(o, "p");
    header_points(o, "pf");
    for (int i = 0; i < TF_REGIONS; i++) {
        prefix = tf_region_name((enum tf_region)i);
        TF_FIELDS_REGION_VALUES(NAME)
        TF_FIELDS_REGION_VALID(NAME)
    }
    prefix = "breathing";
    TF_FIELDS_BREATHING(NAME)
    prefix = "black_body";
    TF_FIELDS_BLACK_BODY(NAME)
    for (int i = 0; i < TF_REGIONS; i++) {
        prefix = tf_region_name((enum tf_region)i);
        TF_FIELDS_REGION_CORRECTED(NAME)
    }
    prefix = "pair";
    TF_FIELDS_PAIR(NAME)
    prefix = "";
    TF_FIELDS_FACE_END(NAME)
    header_points(o, "pv");
    for (int i = 0; i < TF_REGIONS; i++) {
        prefix = tf_region_name((enum tf_region)i);
        TF_FIELDS_REGION_EXCLUDED(NAME)
        TF_FIELDS_REGION_WHY(NAME)
    }
    prefix = "";
    TF_FIELDS_TURN(NAME)
    prefix = "pose";
    TF_FIELDS_POSE_OPENFACE(NAME)
    prefix = "clock";
    TF_FIELDS_CLOCK(NAME)
    prefix = "";
    TF_FIELDS_COVERINGS(NAME)
    for (uint32_t i = 0; own && i < own->faces; i++)
        header_own(o, own->face[i]);
    for (uint32_t i = 0; own && i < own->areas; i++)
        header_own(o, own->area[i]);
    return end_row(o, buffer);
}

static void row_points(struct tf_out *o, const struct tf_point *points)
{
    for (int i = 0; i < TF_POINTS; i++) {
        if (points) {
            const struct tf_point *p = &points[i];

            TF_FIELDS_POINT(CELL)
        } else {
            TF_FIELDS_POINT(EMPTY)
        }
    }
}

static void row_face(struct tf_out *o, const struct tf_face *f)
{
    TF_FIELDS_FACE(CELL)
    TF_FIELDS_BOX(CELL)
    row_points(o, f->unseen ? NULL : f->points);
    row_points(o, f->filtered ? f->points_filtered : NULL);
    for (int i = 0; i < TF_REGIONS; i++) {
        const struct tf_region_stats *s = &f->regions[i];

        TF_FIELDS_REGION_VALUES(CELL)
        TF_FIELDS_REGION_VALID(CELL)
    }
    TF_FIELDS_BREATHING(CELL)
}

static void row_no_face(struct tf_out *o)
{
    TF_FIELDS_FACE(EMPTY)
    TF_FIELDS_BOX(EMPTY)
    row_points(o, NULL);
    row_points(o, NULL);
    for (int i = 0; i < TF_REGIONS; i++) {
        TF_FIELDS_REGION_VALUES(EMPTY)
        TF_FIELDS_REGION_VALID(EMPTY)
    }
    TF_FIELDS_BREATHING(EMPTY)
}

static void row_corrected(struct tf_out *o, const struct tf_record *r)
{
    for (int i = 0; i < TF_REGIONS; i++) {
        if (r->black_body.set && r->faces.count) {
            const struct tf_region_stats *s = &r->faces.faces[0].regions[i];

            TF_FIELDS_REGION_CORRECTED(CELL)
        } else {
            TF_FIELDS_REGION_CORRECTED(EMPTY)
        }
    }
}

static void row_excluded(struct tf_out *o, const struct tf_record *r)
{
    for (int i = 0; i < TF_REGIONS; i++) {
        if (r->faces.count) {
            const struct tf_region_stats *s = &r->faces.faces[0].regions[i];

            TF_FIELDS_REGION_EXCLUDED(CELL)
            TF_FIELDS_REGION_WHY(CELL)
        } else {
            TF_FIELDS_REGION_EXCLUDED(EMPTY)
            TF_FIELDS_REGION_WHY(EMPTY)
        }
    }
}

/* s NULL: the region was not looked at, for want of a face or of a picture. */
static void row_own(struct tf_out *o, const struct tf_record *r, const struct tf_region_stats *s)
{
    if (s) {
        TF_FIELDS_REGION_VALUES(CELL)
        TF_FIELDS_REGION_VALID(CELL)
    } else {
        TF_FIELDS_REGION_VALUES(EMPTY)
        TF_FIELDS_REGION_VALID(EMPTY)
    }
    if (s && r->black_body.set) {
        TF_FIELDS_REGION_CORRECTED(CELL)
    } else {
        TF_FIELDS_REGION_CORRECTED(EMPTY)
    }
    if (s) {
        TF_FIELDS_REGION_EXCLUDED(CELL)
        TF_FIELDS_REGION_WHY(CELL)
    } else {
        TF_FIELDS_REGION_EXCLUDED(EMPTY)
        TF_FIELDS_REGION_WHY(EMPTY)
    }
}

static void row_pose(struct tf_out *o, const struct tf_record *r)
{
    if (r->faces.count) {
        const struct tf_face *f = &r->faces.faces[0];

        TF_FIELDS_POSE_OPENFACE(CELL)
    } else {
        TF_FIELDS_POSE_OPENFACE(EMPTY)
    }
}

static void row_coverings(struct tf_out *o, const struct tf_record *r)
{
    if (r->faces.count) {
        const struct tf_face *f = &r->faces.faces[0];

        TF_FIELDS_COVERINGS(CELL)
    } else {
        TF_FIELDS_COVERINGS(EMPTY)
    }
}

static int row(const struct tf_record *r, char *buffer, size_t size)
{
    struct tf_out out = {.at = buffer, .end = buffer + size}, *o = &out;

    TF_FIELDS_FRAME(CELL)
    TF_FIELDS_DROPPED(CELL)
    TF_FIELDS_AFTER_DROPPED(CELL)
    tf_out_uint(o, r->faces.count);
    tf_out_literal(o, ",");
    if (r->faces.count)
        row_face(o, &r->faces.faces[0]);
    else
        row_no_face(o);
    if (r->black_body.set) {
        TF_FIELDS_BLACK_BODY(CELL)
    } else {
        TF_FIELDS_BLACK_BODY(EMPTY)
    }
    row_corrected(o, r);
    TF_FIELDS_PAIR(CELL)
    if (r->faces.count) {
        const struct tf_face *f = &r->faces.faces[0];

        TF_FIELDS_FACE_END(CELL)
        row_points(o, f->mapped ? f->points_mapped : NULL);
    } else {
        TF_FIELDS_FACE_END(EMPTY)
        row_points(o, NULL);
    }
    row_excluded(o, r);
    TF_FIELDS_TURN(CELL)
    row_pose(o, r);
    if (r->clock.known) {
        TF_FIELDS_CLOCK(CELL)
    } else {
        TF_FIELDS_CLOCK(EMPTY)
    }
    row_coverings(o, r);
    for (uint32_t i = 0; i < r->own.names.faces; i++)
        row_own(o, r, r->faces.count ? &r->own.face[0][i] : NULL);
    for (uint32_t i = 0; i < r->own.names.areas; i++)
        row_own(o, r, tf_own_is_looked_at(&r->own.area[i]) ? &r->own.area[i] : NULL);
    return end_row(o, buffer);
}

/*
 * OpenFace (output format of FeatureExtraction, "2D landmarks"): frames count from 1, seconds from the first
 * row, success 1 or 0. It writes zeros as coordinates where it found no face; here the cells are empty, which
 * readers take for missing.
 */
static int openface_header(char *buffer, size_t size)
{
    struct tf_out out = {.at = buffer, .end = buffer + size}, *o = &out;

    tf_out_literal(o, "frame,face_id,timestamp,confidence,success,");
    for (int i = 0; i < TF_POINTS; i++) {
        tf_out_literal(o, "x_");
        tf_out_uint(o, (uint64_t)i);
        tf_out_literal(o, ",");
    }
    for (int i = 0; i < TF_POINTS; i++) {
        tf_out_literal(o, "y_");
        tf_out_uint(o, (uint64_t)i);
        tf_out_literal(o, ",");
    }
    tf_out_literal(o, "pose_Rx,pose_Ry,pose_Rz,");
    return end_row(o, buffer);
}

static int openface_row(const struct tf_record *r, uint64_t t_start_ns, char *buffer, size_t size)
{
    struct tf_out out = {.at = buffer, .end = buffer + size}, *o = &out;
    const struct tf_face *f = r->faces.count ? &r->faces.faces[0] : NULL;
    uint64_t us = r->t_mono_ns > t_start_ns ? (r->t_mono_ns - t_start_ns + 500) / 1000 : 0;

    tf_out_uint(o, r->frame + 1);
    tf_out_literal(o, ",");
    tf_out_uint(o, f ? f->id : 0);
    tf_out_literal(o, ",");
    tf_out_uint(o, us / 1000000);
    tf_out_literal(o, ".");
    if (tf_out_room(o, 6)) {
        for (uint64_t part = us % 1000000, place = 100000; place; place /= 10)
            *o->at++ = (char)('0' + part / place % 10);
    }
    tf_out_literal(o, ",");
    csv_real(o, f ? f->score : 0, 3);
    tf_out_literal(o, ",");
    csv_boolean(o, f != NULL);
    tf_out_literal(o, ",");
    for (int i = 0; i < TF_POINTS; i++) {
        if (f)
            csv_real(o, tf_face_points(f)[i].x, 2);
        tf_out_literal(o, ",");
    }
    for (int i = 0; i < TF_POINTS; i++) {
        if (f)
            csv_real(o, tf_face_points(f)[i].y, 2);
        tf_out_literal(o, ",");
    }
    row_pose(o, r);
    return end_row(o, buffer);
}

int tf_record_csv_header(enum tf_csv_profile profile, const struct tf_own_names *own, char *buffer,
                         size_t size)
{
    return profile == TF_CSV_OPENFACE ? openface_header(buffer, size) : header(own, buffer, size);
}

int tf_record_csv_since(const struct tf_record *record, enum tf_csv_profile profile, uint64_t t_start_ns,
                        char *buffer, size_t size)
{
    return profile == TF_CSV_OPENFACE ? openface_row(record, t_start_ns, buffer, size)
                                      : row(record, buffer, size);
}

int tf_record_csv(const struct tf_record *record, enum tf_csv_profile profile, char *buffer, size_t size)
{
    return tf_record_csv_since(record, profile, 0, buffer, size);
}
