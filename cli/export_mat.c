/*
 * thermoface export --to mat and hdf5: everything that is known of a recording as MATLAB's variables, through
 * matio. mat is version 5 of the format, which MATLAB, Octave and SciPy read and whose variables end at 2
 * GiB; hdf5 is version 7.3, which is HDF5. What was written is read again and compared before the file gets
 * its name.
 */
#include <errno.h>

#include "cli/export.h"

#if TF_HAVE_MATIO
#include <fcntl.h>
#include <matio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/count.h"
#include "cli/export_table.h"
#include "config.h"
#include "inference/face/face.h"

#define VARIABLE_MAX 2147000000ull /* bytes of a variable of version 5, its tags among them */
#define FIELDS_MAX 512
#define NAME_MAX_BYTES 64
#define STRIDE 256 /* frames that are written and read back at once */

struct mat {
    struct tf_export_item *item;
    struct tf_export_file out;
    struct tf_export_table *table;
    bool hdf5;
    mat_t *file;
    matvar_t *variables[16];
    int count;
    /* Frames: as MATLAB has them, columns first. */
    int scratch; /* an unlinked file that version 5's frames wait in */
    uint8_t *pixels;
    size_t pixels_bytes;
    unsigned bytes;
    size_t width, height, frames;
    uLong crc;
    FILE *spool;
    double *times;
    int64_t *numbers;
    size_t room;
    uint8_t *block; /* of STRIDE frames */
    size_t in_block;
};

/* --- variables --- */

static matvar_t *vector(const char *name, enum matio_classes class, enum matio_types type, size_t n,
                        const void *data, bool own)
{
    size_t dims[2] = {n, 1};

    return Mat_VarCreate(name, class, type, 2, dims, (void *)(uintptr_t)data, own ? 0 : MAT_F_DONT_COPY_DATA);
}

static matvar_t *real(const char *name, double value)
{
    return vector(name, MAT_C_DOUBLE, MAT_T_DOUBLE, 1, &value, true);
}

static matvar_t *integer(const char *name, int64_t value)
{
    return vector(name, MAT_C_INT64, MAT_T_INT64, 1, &value, true);
}

/* UTF-8 as 16-bit units, which version 7.3 has; what is no UTF-8 becomes the replacement character. */
static size_t to_utf16(const char *text, uint16_t *to)
{
    const uint8_t *c = (const uint8_t *)text;
    size_t n = 0;

    while (*c) {
        uint32_t code = *c, more = code < 0x80 ? 0 : code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 1;

        code = more == 3 ? code & 7 : more == 2 ? code & 15 : more ? code & 31 : code;
        c++;
        for (; more && (*c & 0xc0) == 0x80; more--)
            code = code << 6 | (*c++ & 0x3f);
        if (more)
            code = 0xfffd;
        if (code > 0xffff) {
            to[n++] = (uint16_t)(0xd800 + ((code - 0x10000) >> 10 & 0x3ff));
            code = 0xdc00 + ((code - 0x10000) & 0x3ff);
        }
        to[n++] = (uint16_t)code;
    }
    return n;
}

static matvar_t *text(const struct mat *x, const char *name, const char *value)
{
    size_t n = strlen(value), dims[2] = {n ? 1 : 0, n};
    uint16_t *wide;
    matvar_t *v;

    wide = malloc((n + 1) * sizeof(*wide));
    if (!wide)
        return NULL;
    dims[1] = to_utf16(value, wide);
    v = Mat_VarCreate(name, MAT_C_CHAR, MAT_T_UTF16, 2, dims, wide, 0);
    free(wide);
    return v;
}

struct fields {
    const char *names[FIELDS_MAX];
    char own[FIELDS_MAX][NAME_MAX_BYTES];
    matvar_t *values[FIELDS_MAX];
    unsigned count;
    bool failed;
};

/* A name that MATLAB takes: letters, digits and _, a letter first, at most 63. */
static void add(struct fields *f, const char *name, matvar_t *value)
{
    char *own = f->own[f->count];
    size_t n = 0;

    if (!value || f->count == FIELDS_MAX) {
        Mat_VarFree(value);
        f->failed |= !value;
        return;
    }
    if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z')))
        own[n++] = 'x';
    for (; *name && n < NAME_MAX_BYTES - 1; name++)
        own[n++] =
            (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9')
                ? *name
                : '_';
    own[n] = '\0';
    f->names[f->count] = own;
    f->values[f->count++] = value;
}

/* Takes the fields over. NULL: no memory. */
static matvar_t *structure(const char *name, struct fields *f)
{
    size_t dims[2] = {1, 1};
    matvar_t *v = f->failed ? NULL : Mat_VarCreateStruct(name, 2, dims, f->names, f->count);

    for (unsigned i = 0; i < f->count; i++)
        if (v)
            Mat_VarSetStructFieldByIndex(v, i, 0, f->values[i]);
        else
            Mat_VarFree(f->values[i]);
    free(f);
    return v;
}

static matvar_t *words(const struct mat *x, const char *name, char *const *list, size_t n)
{
    size_t dims[2] = {n, 1};
    matvar_t *v = Mat_VarCreate(name, MAT_C_CELL, MAT_T_CELL, 2, dims, NULL, 0);

    for (size_t i = 0; v && i < n; i++)
        Mat_VarSetCell(v, (int)i, text(x, NULL, list[i]));
    return v;
}

static void add_column(struct mat *x, struct fields *f, const char *name, const struct tf_column *c)
{
    size_t n = tf_export_table_rows(x->table);
    char names[NAME_MAX_BYTES + 16];

    switch (c->kind) {
    case TF_COLUMN_REAL:
        add(f, name, vector(NULL, MAT_C_DOUBLE, MAT_T_DOUBLE, n, c->real, false));
        break;
    case TF_COLUMN_INTEGER:
        add(f, name, vector(NULL, MAT_C_INT64, MAT_T_INT64, n, c->integer, false));
        break;
    case TF_COLUMN_WORDS:
        snprintf(names, sizeof(names), "%.*s_names", NAME_MAX_BYTES - 8, name);
        add(f, name, vector(NULL, MAT_C_UINT16, MAT_T_UINT16, n, c->word, false));
        add(f, names, words(x, NULL, c->words, (size_t)c->word_count));
        break;
    }
}

/* --- what is in the table --- */

/* Which region a column is of: the longest name of a region that it begins with. 0: of none. */
static size_t region_of(const struct tf_export_table *t, const char *name)
{
    for (size_t n = strlen(name); n; n--) {
        char mean[NAME_MAX_BYTES + 96], valid[NAME_MAX_BYTES + 96];

        if (name[n] != '_' || n > NAME_MAX_BYTES + 64)
            continue;
        snprintf(mean, sizeof(mean), "%.*s_mean", (int)n, name);
        snprintf(valid, sizeof(valid), "%.*s_valid", (int)n, name);
        if (tf_export_table_find(t, mean) && tf_export_table_find(t, valid))
            return n;
    }
    return 0;
}

/* "p12_x", "pf12_y", "pv12_confidence" */
static bool is_point(const char *name)
{
    size_t n = strspn(name, "pfv");

    return n && *name == 'p' && name[n] >= '0' && name[n] <= '9';
}

static matvar_t *records(struct mat *x)
{
    struct fields *f = calloc(1, sizeof(*f));

    for (int i = 0; f && i < tf_export_table_columns(x->table); i++) {
        const struct tf_column *c = tf_export_table_column(x->table, i);

        if (!is_point(c->name) && !region_of(x->table, c->name))
            add_column(x, f, c->name, c);
    }
    return f ? structure("records", f) : NULL;
}

static matvar_t *region(struct mat *x, const char *name, size_t n)
{
    struct fields *f = calloc(1, sizeof(*f));

    for (int i = 0; f && i < tf_export_table_columns(x->table); i++) {
        const struct tf_column *c = tf_export_table_column(x->table, i);

        if (strncmp(c->name, name, n) == 0 && c->name[n] == '_' && region_of(x->table, c->name) == n)
            add_column(x, f, c->name + n + 1, c);
    }
    return f ? structure(NULL, f) : NULL;
}

static matvar_t *regions(struct mat *x)
{
    struct fields *f = calloc(1, sizeof(*f));

    for (int i = 0; f && i < tf_export_table_columns(x->table); i++) {
        const struct tf_column *c = tf_export_table_column(x->table, i);
        size_t n = is_point(c->name) ? 0 : region_of(x->table, c->name);
        char name[NAME_MAX_BYTES + 96];

        if (!n || strcmp(c->name + n, "_mean") != 0)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)n, c->name);
        add(f, name, region(x, c->name, n));
    }
    return f ? structure("regions", f) : NULL;
}

/* [rows, 68, 3]: x, y, confidence. NULL, with `any` false: the table has none. */
static matvar_t *points(struct mat *x, const char *name, const char *prefix, bool *any)
{
    static const char *const parts[] = {"x", "y", "confidence"};
    size_t rows = tf_export_table_rows(x->table), dims[3] = {rows, TF_POINTS, 3};
    char column[32];
    float *values;
    matvar_t *v;

    snprintf(column, sizeof(column), "%s0_x", prefix);
    *any = tf_export_table_find(x->table, column) != NULL;
    values = *any ? calloc(rows * TF_POINTS * 3, sizeof(*values)) : NULL;
    if (!values)
        return NULL;
    for (size_t part = 0; part < 3; part++)
        for (size_t p = 0; p < TF_POINTS; p++) {
            float *to = values + (part * TF_POINTS + p) * rows;
            const struct tf_column *c;

            snprintf(column, sizeof(column), "%s%zu_%s", prefix, p, parts[part]);
            c = tf_export_table_find(x->table, column);
            for (size_t i = 0; i < rows; i++)
                to[i] = c && c->real ? (float)c->real[i] : NAN;
        }
    v = Mat_VarCreate(name, MAT_C_SINGLE, MAT_T_SINGLE, 3, dims, values, 0);
    free(values);
    return v;
}

static matvar_t *times(struct mat *x)
{
    const struct tf_column *stamp = tf_export_table_find(x->table, "t_mono_ns");
    size_t n = tf_export_table_rows(x->table);
    double *t = malloc(n * sizeof(*t));
    matvar_t *v = NULL;

    for (size_t i = 0; t && i < n; i++)
        t[i] = (double)(stamp->integer[i] - (int64_t)tf_export_table_start(x->table)) / 1e9;
    if (t)
        v = vector("time", MAT_C_DOUBLE, MAT_T_DOUBLE, n, t, true);
    free(t);
    return v;
}

static matvar_t *events(struct mat *x)
{
    struct tf_export_event *list;
    int n = tf_export_events(x->item, &list);
    struct fields *f = n >= 0 ? calloc(1, sizeof(*f)) : NULL;
    size_t count = n > 0 ? (size_t)n : 0;
    double *onset = malloc((count + 1) * sizeof(*onset)), *duration = malloc((count + 1) * sizeof(*duration));
    int64_t *stamp = malloc((count + 1) * sizeof(*stamp));
    char **type = malloc((count + 1) * sizeof(*type)), **value = malloc((count + 1) * sizeof(*value));

    if (f && onset && duration && stamp && type && value) {
        for (size_t i = 0; i < count; i++) {
            onset[i] = list[i].onset;
            duration[i] = list[i].duration;
            stamp[i] = list[i].t_mono_ns;
            type[i] = list[i].type;
            value[i] = list[i].value;
        }
        add(f, "onset", vector(NULL, MAT_C_DOUBLE, MAT_T_DOUBLE, count, onset, true));
        add(f, "duration", vector(NULL, MAT_C_DOUBLE, MAT_T_DOUBLE, count, duration, true));
        add(f, "trial_type", words(x, NULL, type, count));
        add(f, "value", words(x, NULL, value, count));
        add(f, "t_mono_ns", vector(NULL, MAT_C_INT64, MAT_T_INT64, count, stamp, true));
    } else if (f) {
        f->failed = true;
    }
    free(onset);
    free(duration);
    free(stamp);
    free(type);
    free(value);
    tf_export_events_free(list, n);
    return f ? structure("events", f) : NULL;
}

static matvar_t *info(struct mat *x)
{
    const struct tf_sidecar *s = &x->item->about;
    struct fields *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    add(f, "recording", text(x, NULL, x->item->stem));
    add(f, "camera", text(x, NULL, s->camera));
    add(f, "unit", text(x, NULL, s->celsius || !x->item->described ? "celsius" : "counts"));
    add(f, "celsius_scale", real(NULL, s->celsius ? (double)s->scale : NAN));
    add(f, "celsius_offset", real(NULL, s->celsius ? (double)s->offset : NAN));
    add(f, "frames_celsius", real(NULL, x->item->options->celsius));
    add(f, "rotate_clockwise", real(NULL, s->rotate));
    add(f, "flip_horizontally", real(NULL, s->flip));
    add(f, "start_mono_ns", integer(NULL, (int64_t)tf_export_table_start(x->table)));
    add(f, "software", text(x, NULL, "thermoface " TF_VERSION));
    return structure("info", f);
}

/* --- the file --- */

static size_t bytes_of(const matvar_t *v)
{
    size_t n = 64, count = v->class_type == MAT_C_STRUCT || v->class_type == MAT_C_CELL
                               ? v->nbytes / sizeof(matvar_t *)
                               : 0;

    if (!count)
        return n + v->nbytes;
    for (size_t i = 0; i < count; i++)
        if (((matvar_t **)v->data)[i])
            n += bytes_of(((matvar_t **)v->data)[i]);
    return n;
}

static int too_big(const struct mat *x, const char *name, struct tf_error *err)
{
    return tf_fail(
        err, -EFBIG,
        "%s: %s is more than the 2 GiB that a variable of a .mat file can have: --to hdf5, or take "
        "parts of it (--frames, --from, --until)",
        x->item->stem, name);
}

static int put(struct mat *x, matvar_t *v, struct tf_error *err)
{
    if (!v)
        return tf_fail(err, -ENOMEM, "%s: out of memory", x->item->stem);
    x->variables[x->count++] = v;
    if (!x->hdf5 && bytes_of(v) > VARIABLE_MAX)
        return too_big(x, v->name, err);
    errno = 0;
    return Mat_VarWrite(x->file, v, MAT_COMPRESSION_ZLIB) == 0
               ? 0
               : tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
}

static int put_table(struct mat *x, struct tf_error *err)
{
    static const struct {
        const char *name, *prefix;
    } lists[] = {{"points", "p"}, {"points_filtered", "pf"}, {"points_visible", "pv"}};
    int r = put(x, info(x), err);

    if (r == 0)
        r = put(x, times(x), err);
    if (r == 0)
        r = put(x, records(x), err);
    if (r == 0)
        r = put(x, regions(x), err);
    if (r == 0)
        r = put(x, events(x), err);
    for (size_t i = 0; r == 0 && i < TF_COUNT(lists); i++) {
        bool any;
        matvar_t *v = points(x, lists[i].name, lists[i].prefix, &any);

        if (any)
            r = put(x, v, err);
    }
    return r;
}

/* --- frames --- */

static void dims_of(const struct mat *x, size_t n, size_t dims[3])
{
    dims[0] = x->height;
    dims[1] = x->width;
    dims[2] = n;
}

static enum matio_classes class_of(const struct mat *x, enum matio_types *type)
{
    *type = x->bytes == 1 ? MAT_T_UINT8 : x->bytes == 2 ? MAT_T_UINT16 : MAT_T_SINGLE;
    return x->bytes == 1 ? MAT_C_UINT8 : x->bytes == 2 ? MAT_C_UINT16 : MAT_C_SINGLE;
}

static int flush_block(struct mat *x, struct tf_error *err)
{
    size_t bytes = x->in_block * x->width * x->height * x->bytes, dims[3];
    enum matio_types type;
    enum matio_classes class = class_of(x, &type);
    matvar_t *v;
    int r = 0;

    if (!x->in_block)
        return 0;
    errno = 0;
    x->crc = crc32_z(x->crc, x->block, bytes);
    if (x->hdf5) {
        dims_of(x, x->in_block, dims);
        v = Mat_VarCreate("frames", class, type, 3, dims, x->block, MAT_F_DONT_COPY_DATA);
        if (!v || Mat_VarWriteAppend(x->file, v, MAT_COMPRESSION_NONE, 3) != 0)
            r = tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
        Mat_VarFree(v);
    } else if (fwrite(x->block, 1, bytes, x->spool) != bytes) {
        r = tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
    }
    x->frames += x->in_block;
    x->in_block = 0;
    return r;
}

static int begin_frames(void *self, const struct tf_export_frames *all, struct tf_error *err)
{
    struct mat *x = self;

    x->width = all->width;
    x->height = all->height;
    x->bytes = all->bytes;
    x->block = malloc((size_t)STRIDE * x->width * x->height * x->bytes);
    return x->block ? 0 : tf_fail(err, -ENOMEM, "%s: out of memory", x->item->stem);
}

static int frame(void *self, const struct tf_export_frames *all, const struct tf_export_frame *one,
                 struct tf_error *err)
{
    struct mat *x = self;
    size_t size = x->width * x->height, n = x->frames + x->in_block;
    uint8_t *to = x->block + x->in_block * size * x->bytes;
    const uint8_t *from = one->values;

    if (!x->hdf5 && (n + 1) * size * x->bytes > VARIABLE_MAX)
        return too_big(x, "frames", err);
    if (n == x->room) {
        size_t room = x->room ? 2 * x->room : 1024;
        double *t = realloc(x->times, room * sizeof(*t));
        int64_t *numbers = t ? realloc(x->numbers, room * sizeof(*numbers)) : NULL;

        x->times = t ? t : x->times;
        x->numbers = numbers ? numbers : x->numbers;
        if (!t || !numbers)
            return tf_fail(err, -ENOMEM, "%s: out of memory", x->item->stem);
        x->room = room;
    }
    x->times[n] = one->t;
    x->numbers[n] = (int64_t)one->number;
    for (size_t column = 0; column < x->width; column++)
        for (size_t row = 0; row < x->height; row++, to += x->bytes)
            memcpy(to, from + (row * x->width + column) * x->bytes, x->bytes);
    return ++x->in_block == STRIDE ? flush_block(x, err) : 0;
}

/* Version 5 says a variable's size before its values: they wait in a file without a name, which is mapped. */
static int put_spool(struct mat *x, struct tf_error *err)
{
    enum matio_types type;
    enum matio_classes class = class_of(x, &type);
    size_t dims[3];
    matvar_t *v;
    int r;

    dims_of(x, x->frames, dims);
    x->pixels_bytes = x->frames * x->width * x->height * x->bytes;
    if (fflush(x->spool) == EOF)
        return tf_export_file_failed(&x->out, -errno, err);
    x->pixels = mmap(NULL, x->pixels_bytes, PROT_READ, MAP_PRIVATE, fileno(x->spool), 0);
    if (x->pixels == MAP_FAILED) {
        x->pixels = NULL;
        return tf_fail(err, -errno, "%s: %s", x->item->stem, strerror(errno));
    }
    errno = 0;
    v = Mat_VarCreate("frames", class, type, 3, dims, x->pixels, MAT_F_DONT_COPY_DATA);
    r = v && Mat_VarWrite(x->file, v, MAT_COMPRESSION_NONE) == 0
            ? 0
            : tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
    Mat_VarFree(v);
    return r;
}

static int end_frames(void *self, const struct tf_export_frames *all, struct tf_error *err)
{
    struct mat *x = self;
    int r = flush_block(x, err);

    if (r == 0 && !x->hdf5)
        r = put_spool(x, err);
    if (r == 0)
        r = put(x, vector("frames_time", MAT_C_DOUBLE, MAT_T_DOUBLE, x->frames, x->times, false), err);
    if (r == 0)
        r = put(x, vector("frames_number", MAT_C_INT64, MAT_T_INT64, x->frames, x->numbers, false), err);
    return r;
}

static int open_spool(struct mat *x, struct tf_error *err)
{
    char path[sizeof(x->out.part) + 8];
    int fd;

    snprintf(path, sizeof(path), "%s.raw", x->out.part);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return tf_export_file_failed(&x->out, -errno, err);
    unlink(path);
    x->spool = fdopen(fd, "w+");
    if (!x->spool)
        close(fd);
    return x->spool ? 0 : tf_fail(err, -ENOMEM, "%s: out of memory", x->item->stem);
}

/* --- read again --- */

static bool same(const matvar_t *a, const matvar_t *b)
{
    if (!a || !b || a->class_type != b->class_type || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    if (a->class_type == MAT_C_STRUCT || a->class_type == MAT_C_CELL) {
        for (size_t i = 0; i < a->nbytes / sizeof(matvar_t *); i++)
            if (!same(((matvar_t **)a->data)[i], ((matvar_t **)b->data)[i]))
                return false;
        return a->nbytes == b->nbytes;
    }
    /* Texts may come back in another encoding. */
    return a->class_type == MAT_C_CHAR || !a->nbytes ||
           (a->nbytes == b->nbytes && memcmp(a->data, b->data, a->nbytes) == 0);
}

static bool frames_same(struct mat *x, mat_t *file)
{
    matvar_t *v = Mat_VarReadInfo(file, "frames");
    size_t size = x->width * x->height * x->bytes;
    uLong crc = crc32(0, NULL, 0);
    bool ok =
        v && v->rank == 3 && v->dims[0] == x->height && v->dims[1] == x->width && v->dims[2] == x->frames;

    for (size_t at = 0; ok && at < x->frames; at += STRIDE) {
        size_t n = x->frames - at < STRIDE ? x->frames - at : STRIDE;
        int start[3] = {0, 0, (int)at}, stride[3] = {1, 1, 1},
            edge[3] = {(int)x->height, (int)x->width, (int)n};

        ok = Mat_VarReadData(file, v, x->block, start, stride, edge) == 0;
        crc = crc32_z(crc, x->block, n * size);
    }
    Mat_VarFree(v);
    return ok && crc == x->crc;
}

static int compare(struct mat *x, struct tf_error *err)
{
    mat_t *file = Mat_Open(x->out.part, MAT_ACC_RDONLY);
    const char *wrong = file ? NULL : "all of it";

    for (int i = 0; file && !wrong && i < x->count; i++) {
        matvar_t *again = Mat_VarRead(file, x->variables[i]->name);

        if (!same(x->variables[i], again))
            wrong = x->variables[i]->name;
        Mat_VarFree(again);
    }
    if (file && !wrong && x->frames && !frames_same(x, file))
        wrong = "frames";
    if (file)
        Mat_Close(file);
    return wrong ? tf_fail(err, -EIO,
                           "%s: %s is not what was written: is the disk full? Nothing is left of the file",
                           x->out.path, wrong)
                 : 0;
}

/* --- all of it --- */

static int write_all(struct mat *x, const char *path, struct tf_error *err)
{
    const struct tf_export_writer writer = {
        .self = x, .begin = begin_frames, .frame = frame, .end = end_frames};
    int r = tf_export_file_begin(&x->out, path, x->item->options->overwrite, err);

    if (r < 0)
        return r;
    errno = 0;
    x->file = Mat_CreateVer(x->out.part, NULL, x->hdf5 ? MAT_FT_MAT73 : MAT_FT_MAT5);
    if (!x->file)
        return tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
    r = put_table(x, err);
    if (r == 0 && x->item->options->with_frames) {
        x->crc = crc32(0, NULL, 0);
        r = x->hdf5 ? 0 : open_spool(x, err);
        if (r == 0)
            r = tf_export_each_frame(x->item, &writer, err);
    }
    errno = 0;
    if (Mat_Close(x->file) != 0 && r == 0)
        r = tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
    x->file = NULL;
    if (r == 0)
        r = compare(x, err);
    return r == 0 ? tf_export_file_commit(&x->out, err) : r;
}

static void on_matio(int level, char *message)
{
    (void)level;
    (void)message; /* what fails is said once, by us */
}

static int export(struct tf_export_item *item, bool hdf5, struct tf_error *err)
{
    struct mat x = {.item = item, .hdf5 = hdf5};
    char path[TF_EXPORT_PATH + 600];
    int r = tf_export_path(item, hdf5 ? ".h5" : ".mat", path, sizeof(path), err);

    Mat_LogInitFunc("thermoface", on_matio);
    if (r == 0)
        r = tf_export_table_read(item, &x.table, err);
    if (r == 0)
        r = write_all(&x, path, err);
    for (int i = 0; i < x.count; i++)
        Mat_VarFree(x.variables[i]);
    if (x.pixels)
        munmap(x.pixels, x.pixels_bytes);
    if (x.spool)
        fclose(x.spool);
    free(x.block);
    free(x.times);
    free(x.numbers);
    tf_export_file_abort(&x.out);
    tf_export_table_free(x.table);
    return r;
}

#else
static int export(struct tf_export_item *item, bool hdf5, struct tf_error *err)
{
    return tf_fail(err, -ENOTSUP, "%s: this thermoface was built without matio (libmatio-dev)", item->stem);
}
#endif

int tf_export_mat(struct tf_export_item *item, struct tf_error *err)
{
    return export(item, false, err);
}

int tf_export_hdf5(struct tf_export_item *item, struct tf_error *err)
{
    return export(item, true, err);
}
