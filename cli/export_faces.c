/*
 * thermoface export --to csv: a row for each face. The columns are those of the recording's own table of
 * frames, and `face` at the end; a face's values come from the NDJSON, whose names, laid flat ("regions" by
 * name, "box" by x, y, w, h …), are the columns' names. For the first face of a frame the row is the table's.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "cli/commands.h"
#include "cli/export.h"

#define LINE_MAX_BYTES (8u << 20) /* of a record with many faces */
#define COLUMNS_MAX 4096
#define NAME_BYTES 160

struct faces {
    struct tf_export_item *item;
    struct tf_export_file out;
    FILE *from, *to;
    char from_path[TF_EXPORT_PATH + 640];
    char *line;
    size_t size;
    char *head, *columns[COLUMNS_MAX];
    int count;
    json_t *place; /* name → number of its column */
    const char **cells;
    char *text; /* what the cells point into */
    size_t used, room;
    uint64_t row, rows, damaged;
};

static int read_columns(struct faces *x, struct tf_error *err)
{
    char path[TF_EXPORT_PATH + 640];
    size_t size = 0;
    FILE *file;
    ssize_t n;

    snprintf(path, sizeof(path), "%s/%s_frames.csv", x->item->folder, x->item->stem);
    file = fopen(path, "re");
    if (!file)
        return tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    n = getline(&x->head, &size, file);
    fclose(file);
    if (n <= 0 || x->head[n - 1] != '\n')
        return tf_fail(err, -EINVAL, "%s: no table is in it", path);
    x->head[n - 1] = '\0';
    x->place = json_object();
    for (char *at = x->head; at && x->count < COLUMNS_MAX; x->count++) {
        x->columns[x->count] = strsep(&at, ",");
        json_object_set_new(x->place, x->columns[x->count], json_integer(x->count));
    }
    if (!json_object_get(x->place, "camera") || !json_object_get(x->place, "frame"))
        return tf_fail(err, -EINVAL, "%s: not a table of frames", path);
    x->cells = calloc((size_t)x->count, sizeof(*x->cells));
    x->room = 64 * (size_t)x->count + 4096;
    x->text = malloc(x->room);
    return x->cells && x->text ? 0 : tf_fail(err, -ENOMEM, "%s: out of memory", path);
}

/* A cell; a text that has a gap or a quote in it stands in quotes. */
static void put(struct faces *x, const char *name, const char *text)
{
    json_t *place = json_object_get(x->place, name);
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    size_t need = 2 * strlen(text) + 3;
    char *to = x->text + x->used;

    if (!place || x->room - x->used < need)
        return;
    x->cells[json_integer_value(place)] = to;
    if (quoted)
        *to++ = '"';
    for (const char *c = text; *c; c++) {
        if (quoted && *c == '"')
            *to++ = '"';
        *to++ = *c;
    }
    if (quoted)
        *to++ = '"';
    *to++ = '\0';
    x->used = (size_t)(to - x->text);
}

/* As the record had it: at most 15 digits, and one behind the point at least. */
static void put_real(double value, char *text, size_t size)
{
    snprintf(text, size, "%.15g", value);
    if (!strpbrk(text, ".en"))
        snprintf(text + strlen(text), size - strlen(text), ".0");
}

static void put_value(struct faces *x, const char *name, const json_t *value)
{
    char text[1024] = "";
    size_t n = 0;

    if (json_is_integer(value))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        put_real(json_real_value(value), text, sizeof(text));
    else if (json_is_boolean(value))
        snprintf(text, sizeof(text), "%d", json_is_true(value));
    else if (json_is_string(value))
        snprintf(text, sizeof(text), "%s", json_string_value(value));
    else if (json_is_array(value)) /* flags, reasons */
        for (size_t i = 0; i < json_array_size(value) && n < sizeof(text); i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "",
                                  json_string_value(json_array_get(value, i)));
    put(x, name, text);
}

static void put_value_real(struct faces *x, const char *name, double value)
{
    char text[64];

    put_real(value + 0.0, text, sizeof(text)); /* no -0 */
    put(x, name, text);
}

/* Lists of numbers, and the names of what is in them. */
static const struct {
    const char *key, *prefix, *fields[4];
    bool many; /* a list of lists, numbered */
} lists[] = {
    {"box", "box_", {"x", "y", "w", "h"}, false},
    {"points", "p", {"x", "y", "confidence"}, true},
    {"points_filtered", "pf", {"x", "y", "confidence"}, true},
    {"points_mapped", "pv", {"x", "y", "confidence"}, true},
    {"points_visible", "pv", {"x", "y", "confidence"}, true},
};

static bool put_list(struct faces *x, const char *key, const json_t *value)
{
    char name[NAME_BYTES];

    for (size_t k = 0; k < TF_COUNT(lists); k++) {
        size_t n = lists[k].many ? json_array_size(value) : 1;

        if (strcmp(key, lists[k].key) != 0 || !json_is_array(value))
            continue;
        for (size_t i = 0; i < n; i++)
            for (size_t f = 0; f < 4 && lists[k].fields[f]; f++) {
                const json_t *one = lists[k].many ? json_array_get(value, i) : value;

                if (lists[k].many)
                    snprintf(name, sizeof(name), "%s%zu_%s", lists[k].prefix, i, lists[k].fields[f]);
                else
                    snprintf(name, sizeof(name), "%s%s", lists[k].prefix, lists[k].fields[f]);
                put_value(x, name, json_array_get(one, f));
            }
        return true;
    }
    return false;
}

/* Tables have the pose in OpenFace's way, radians, records in degrees (publish/record/record_fields.h). */
static void put_pose(struct faces *x, const json_t *pose)
{
    static const struct {
        const char *key, *column;
        double sign;
    } angles[] = {{"pitch", "pose_Rx", -1}, {"yaw", "pose_Ry", -1}, {"roll", "pose_Rz", 1}};

    for (size_t i = 0; i < TF_COUNT(angles); i++) {
        const json_t *degrees = json_object_get(pose, angles[i].key);
        double radians = angles[i].sign * json_number_value(degrees) * M_PI / 180;

        if (json_is_number(degrees))
            put_value_real(x, angles[i].column, round(radians * 1e4) / 1e4);
    }
}

/* An object's members, with the names of the objects around them before theirs. */
static void put_object(struct faces *x, json_t *object, const char *prefix)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        char name[NAME_BYTES];

        snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "_" : "", key);
        if (strcmp(key, "faces") == 0 && json_is_array(value)) {
            char text[24];

            snprintf(text, sizeof(text), "%zu", json_array_size(value));
            put(x, "faces", text);
        } else if (strcmp(key, "pose") == 0) {
            put_pose(x, value);
        } else if (json_is_object(value)) {
            /* Regions and areas are known by their own names. */
            put_object(x, value, strcmp(key, "regions") == 0 || strcmp(key, "areas") == 0 ? "" : name);
        } else if (!put_list(x, key, value)) {
            put_value(x, name, value);
        }
    }
}

static int put_row(struct faces *x, json_t *record, size_t face, struct tf_error *err)
{
    memset(x->cells, 0, (size_t)x->count * sizeof(*x->cells));
    x->used = 0;
    put_object(x, record, "");
    put_object(x, json_array_get(json_object_get(record, "faces"), face), "");
    errno = 0;
    for (int i = 0; i < x->count; i++)
        fprintf(x->to, "%s,", x->cells[i] ? x->cells[i] : "");
    if (fprintf(x->to, "%zu\n", face) < 0 || ferror(x->to))
        return tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
    x->rows++;
    return 0;
}

static bool is_wanted(const struct faces *x, const json_t *record)
{
    const struct tf_export_options *o = x->item->options;
    uint64_t stamp = (uint64_t)json_integer_value(json_object_get(record, "t_mono_ns"));
    const json_t *place = json_object_get(record, "video_frame");
    uint64_t number =
        (uint64_t)json_integer_value(json_is_integer(place) ? place : json_object_get(record, "frame"));
    double t = (double)(int64_t)(stamp - x->item->about.t_start_ns) / 1e9;

    return number >= o->first && number <= o->last && !(t < o->from) && !(t > o->until);
}

static int take_line(struct faces *x, ssize_t n, struct tf_error *err)
{
    json_t *record = n < (ssize_t)LINE_MAX_BYTES ? json_loadb(x->line, (size_t)n, 0, NULL) : NULL;
    json_t *faces = json_object_get(record, "faces");
    int r = 0;

    x->damaged += !json_is_array(faces);
    if (json_is_array(faces) && is_wanted(x, record))
        for (size_t i = 0; i < json_array_size(faces) && r == 0; i++)
            r = put_row(x, record, i, err);
    json_decref(record);
    return r;
}

static int write_all(struct faces *x, struct tf_error *err)
{
    ssize_t n;
    int r = 0;

    for (int i = 0; i < x->count; i++)
        fprintf(x->to, "%s,", x->columns[i]);
    fputs("face\n", x->to);
    tf_progress_start(&x->item->progress, 0, x->item->about.fps, x->item->options->quiet);
    while (r == 0 && !tf_interrupted() && (n = getline(&x->line, &x->size, x->from)) > 0) {
        if (x->line[n - 1] != '\n') { /* what a crash left */
            x->damaged++;
            break;
        }
        x->row++;
        /* The first row says when the session began, where nobody else does. */
        if (!x->item->about.t_start_ns && x->row == 1) {
            json_t *first = json_loadb(x->line, (size_t)n, 0, NULL);

            x->item->about.t_start_ns = (uint64_t)json_integer_value(json_object_get(first, "t_mono_ns"));
            json_decref(first);
        }
        r = take_line(x, n, err);
        tf_progress_update(&x->item->progress, x->row);
    }
    tf_progress_end(&x->item->progress);
    if (r == 0 && tf_interrupted())
        r = tf_fail(err, -ECANCELED, "%s: stopped before the end; nothing is left of it", x->item->stem);
    if (r == 0 && ferror(x->from))
        r = tf_fail(err, -EIO, "%s: cannot be read on: %s", x->from_path, strerror(errno));
    if (r == 0 && !x->row)
        r = tf_fail(err, -ENODATA, "%s: no record is in it", x->from_path);
    return r;
}

static void destroy(struct faces *x)
{
    if (x->from)
        fclose(x->from);
    if (x->to)
        fclose(x->to);
    json_decref(x->place);
    free(x->line);
    free(x->head);
    free(x->cells);
    free(x->text);
    tf_export_file_abort(&x->out);
}

int tf_export_faces(struct tf_export_item *item, struct tf_error *err)
{
    struct faces x = {.item = item};
    char path[TF_EXPORT_PATH + 600];
    int r;

    snprintf(x.from_path, sizeof(x.from_path), "%s/%s_frames.ndjson", item->folder, item->stem);
    r = read_columns(&x, err);
    if (r == 0 && !(x.from = fopen(x.from_path, "re")))
        r = tf_fail(err, -errno, "%s: %s", x.from_path, strerror(errno));
    if (r == 0)
        r = tf_export_path(item, "_faces.csv", path, sizeof(path), err);
    if (r == 0)
        r = tf_export_file_begin(&x.out, path, item->options->overwrite, err);
    if (r == 0 && !(x.to = fopen(x.out.part, "we")))
        r = tf_export_file_failed(&x.out, -errno, err);
    if (r == 0)
        r = write_all(&x, err);
    if (r == 0 && fclose(x.to) == EOF) {
        x.to = NULL;
        r = tf_export_file_failed(&x.out, -errno, err);
    } else if (r == 0) {
        x.to = NULL;
    }
    if (r == 0)
        r = tf_export_file_commit(&x.out, err);
    if (r == 0 && x.damaged)
        snprintf(item->note, sizeof(item->note), "; %llu line%s damaged and left out",
                 (unsigned long long)x.damaged, x.damaged == 1 ? " is" : "s are");
    destroy(&x);
    return r;
}
