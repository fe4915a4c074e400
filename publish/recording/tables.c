/* A recording's tables: the rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publish/record/record_fields.h"
#include "publish/recording/tables_disk.h"
#include "publish/record/text_out.h"

#define PATH_BYTES 4096
#define FRAMES_QUEUE (16u << 20) /* half a minute of a 60 Hz camera with one face */
#define DERIVED_QUEUE (4u << 20)
#define PHYSIO_QUEUE (1u << 20)
#define SPARE 64 /* the last column and the end of the line */

struct tf_tables {
    struct tf_tables_options options; /* its strings are valid in create only; `own` points to the next */
    struct tf_own_names own;
    struct tf_disk_file *csv, *ndjson, *signals, *motion, *physio_file;
    struct tf_physio *physio;
    bool ended;
    char *text;
    size_t size;
};

int tf_tables_motion_path(const char *folder, const char *stem, const char *ending, char *path, size_t size)
{
    const char *run = strstr(stem, "_run-"), *recording = run ? strstr(run, "_recording-") : NULL;
    size_t n = strlen(folder);
    int written;

    if (recording && n > 4 && strcmp(folder + n - 4, "/beh") == 0)
        written = snprintf(path, size, "%.*s/motion/%.*s_tracksys-%s%.*s_%s", (int)(n - 4), folder,
                           (int)(run - stem), stem, recording + strlen("_recording-"), (int)(recording - run),
                           run, ending);
    else
        written = snprintf(path, size, "%s/%s_%s", folder, stem, ending);
    return written < 0 || (size_t)written >= size ? -ENAMETOOLONG : 0;
}

static int open_file(struct tf_tables *t, struct tf_disk *disk, const char *path, const char *ending,
                     size_t queue, bool lines, struct tf_disk_file **ret, struct tf_error *err)
{
    char whole[PATH_BYTES + 32];

    snprintf(whole, sizeof(whole), "%s%s", path, ending);
    return tf_disk_open(disk, whole, queue, lines, true, ret, err);
}

static void put(struct tf_disk_file *file, const char *text, int size, bool wait, int *lost)
{
    if (size > 0 && tf_disk_write(file, text, (size_t)size, wait) < 0)
        (*lost)++;
}

/* --- the records --- */

static void put_csv(struct tf_tables *t, const struct tf_record *r, bool wait, int *lost)
{
    int n = tf_record_csv(r, TF_CSV_THERMOFACE, t->text, t->size - SPARE);

    if (n <= 0)
        return;
    /* The cell is empty where there is no frame. */
    t->text[n - 1] = ',';
    if (r->video_frame >= 0)
        n += sprintf(t->text + n, "%lld", (long long)r->video_frame);
    t->text[n++] = '\n';
    put(t->csv, t->text, n, wait, lost);
}

static void put_ndjson(struct tf_tables *t, const struct tf_record *r, bool wait, int *lost)
{
    const char *text;
    int n = tf_record_ndjson_once(r, t->text, t->size - SPARE, &text);

    if (n <= 1 || (size_t)n > t->size - SPARE)
        return;
    if (text != t->text)
        memcpy(t->text, text, (size_t)n);
    n -= 2; /* "}\n" */
    if (r->video_frame >= 0)
        n += sprintf(t->text + n, ",\"video_frame\":%lld}\n", (long long)r->video_frame);
    else
        n += sprintf(t->text + n, ",\"video_frame\":null}\n");
    put(t->ndjson, t->text, n, wait, lost);
}

static int put_csv_head(struct tf_tables *t)
{
    int n = tf_record_csv_header(TF_CSV_THERMOFACE, &t->own, t->text, t->size - SPARE);

    if (n < 0)
        return n;
    n--;
    n += sprintf(t->text + n, ",video_frame\n");
    return tf_disk_write(t->csv, t->text, (size_t)n, true);
}

/* --- signals --- */

static void na(struct tf_out *o)
{
    tf_out_literal(o, "n/a");
}

static void real(struct tf_out *o, double value, int decimals)
{
    if (isfinite(value))
        tf_out_real(o, value, decimals);
    else
        na(o);
}

/* Seconds since the session's start, to the microsecond. */
static void onset(struct tf_out *o, uint64_t t_ns, uint64_t start_ns)
{
    uint64_t ns = t_ns >= start_ns ? t_ns - start_ns : start_ns - t_ns;

    if (!tf_out_room(o, TF_OUT_NUMBER_MAX))
        return;
    o->at += sprintf(o->at, "%s%llu.%06llu", t_ns < start_ns ? "-" : "",
                     (unsigned long long)(ns / TF_NS_PER_S), (unsigned long long)(ns % TF_NS_PER_S / 1000));
}

static void tab(struct tf_out *o)
{
    tf_out_literal(o, "\t");
}

#define REGION_NAME(kind, field, ...)                                                                        \
    tab(o);                                                                                                  \
    tf_out_text(o, name);                                                                                    \
    tf_out_literal(o, "_" #field);

static void put_own_names(struct tf_out *o, const char *name)
{
    TF_FIELDS_OWN(REGION_NAME)
}

static int put_signals_head(struct tf_tables *t)
{
    struct tf_out out = {.at = t->text, .end = t->text + t->size}, *o = &out;

    tf_out_literal(o, "onset\tframe\tt_mono_ns\tt_utc\tstate\tflags\tid");
    for (int i = 0; i < TF_REGIONS; i++) {
        const char *name = tf_region_name((enum tf_region)i);

        TF_FIELDS_REGION_VALUES(REGION_NAME)
        TF_FIELDS_REGION_VALID(REGION_NAME)
    }
    tf_out_literal(o,
                   "\tnose_minus_forehead\tbreathing_rate\tbreathing_quality\tblack_body_mean\tblack_body_n"
                   "\tblack_body_offset");
    for (int i = 0; i < TF_REGIONS; i++) {
        const char *name = tf_region_name((enum tf_region)i);

        TF_FIELDS_REGION_CORRECTED(REGION_NAME)
    }
    for (int i = 0; i < TF_REGIONS; i++) {
        const char *name = tf_region_name((enum tf_region)i);

        TF_FIELDS_REGION_EXCLUDED(REGION_NAME)
        TF_FIELDS_REGION_WHY(REGION_NAME)
    }
    tf_out_literal(o, "\tpose_Rx\tpose_Ry\tpose_Rz\tglasses\tmask");
    for (uint32_t i = 0; i < t->own.faces; i++)
        put_own_names(o, t->own.face[i]);
    for (uint32_t i = 0; i < t->own.areas; i++)
        put_own_names(o, t->own.area[i]);
    tf_out_literal(o, "\n");
    return o->full ? -ENOBUFS : tf_disk_write(t->signals, t->text, (size_t)(o->at - t->text), true);
}

static void put_why(struct tf_out *o, uint32_t why)
{
    const char *gap = "";

    if (!why)
        na(o);
    for (unsigned bit = 0; bit < TF_WHY_COUNT; bit++) {
        if (!(why & 1u << bit))
            continue;
        tf_out_text(o, gap);
        tf_out_text(o, tf_region_why_name(bit));
        gap = " ";
    }
}

/* Cells of the lists in record_fields.h: what each kind looks like here. */
#define tsv_real(o, value, decimals) real(o, value, decimals)
#define tsv_uint(o, value) tf_out_uint(o, value)
#define tsv_boolean(o, value) tf_out_bytes(o, (value) ? "1" : "0", 1)
#define tsv_why(o, value) put_why(o, value)
#define REGION_CELL(kind, field, ...)                                                                        \
    tab(o);                                                                                                  \
    if (s)                                                                                                   \
        tsv_##kind(o, __VA_ARGS__);                                                                          \
    else                                                                                                     \
        na(o);

static void put_flags(struct tf_out *o, uint32_t flags)
{
    const char *gap = "";

    if (!flags)
        na(o);
    for (unsigned bit = 0; bit < TF_FLAG_COUNT; bit++) {
        if (!(flags & 1u << bit))
            continue;
        tf_out_text(o, gap);
        tf_out_text(o, tf_flag_name(bit));
        gap = " ";
    }
}

/* s NULL: it was not looked at. */
static void put_own(struct tf_out *o, const struct tf_record *r, const struct tf_region_stats *s)
{
    const struct tf_region_stats *measured = s;

    TF_FIELDS_REGION_VALUES(REGION_CELL)
    TF_FIELDS_REGION_VALID(REGION_CELL)
    s = r->black_body.set ? measured : NULL;
    TF_FIELDS_REGION_CORRECTED(REGION_CELL)
    s = measured;
    TF_FIELDS_REGION_EXCLUDED(REGION_CELL)
    TF_FIELDS_REGION_WHY(REGION_CELL)
}

static void put_pose(struct tf_out *o, const struct tf_face *f)
{
#define POSE_CELL(kind, field, ...)                                                                          \
    tab(o);                                                                                                  \
    if (f)                                                                                                   \
        tsv_##kind(o, __VA_ARGS__);                                                                          \
    else                                                                                                     \
        na(o);
    TF_FIELDS_POSE_OPENFACE(POSE_CELL)
    TF_FIELDS_COVERINGS(POSE_CELL)
#undef POSE_CELL
}

static void put_signals(struct tf_tables *t, const struct tf_record *r, bool wait, int *lost)
{
    struct tf_out out = {.at = t->text, .end = t->text + t->size}, *o = &out;
    const struct tf_face *f = r->faces.count ? &r->faces.faces[0] : NULL;
    const struct tf_region_stats *nose = f ? &f->regions[TF_REGION_NOSE_TIP] : NULL;
    const struct tf_region_stats *forehead = f ? &f->regions[TF_REGION_FOREHEAD] : NULL;

    onset(o, r->t_mono_ns, t->options.t_start_ns);
    tab(o);
    tf_out_uint(o, r->frame);
    tab(o);
    tf_out_uint(o, r->t_mono_ns);
    tab(o);
    tf_out_utc(o, r->t_utc_ns);
    tab(o);
    tf_out_text(o, tf_state_name(r->state));
    tab(o);
    put_flags(o, r->flags);
    tab(o);
    if (f)
        tf_out_uint(o, f->id);
    else
        na(o);
    for (int i = 0; i < TF_REGIONS; i++) {
        const struct tf_region_stats *s = f ? &f->regions[i] : NULL;

        TF_FIELDS_REGION_VALUES(REGION_CELL)
        TF_FIELDS_REGION_VALID(REGION_CELL)
    }
    tab(o);
    real(o, f && nose->valid && forehead->valid ? (double)nose->mean - (double)forehead->mean : NAN, 3);
    tab(o);
    real(o, f ? (double)f->breathing_rate : NAN, 2);
    tab(o);
    real(o, f ? (double)f->breathing_quality : NAN, 3);
    tab(o);
    real(o, r->black_body.set ? (double)r->black_body.mean : NAN, 3);
    tab(o);
    if (r->black_body.set)
        tf_out_uint(o, r->black_body.n);
    else
        na(o);
    tab(o);
    real(o, r->black_body.set ? (double)r->black_body.offset : NAN, 3);
    for (int i = 0; i < TF_REGIONS; i++) {
        const struct tf_region_stats *s = f && r->black_body.set ? &f->regions[i] : NULL;

        TF_FIELDS_REGION_CORRECTED(REGION_CELL)
    }
    for (int i = 0; i < TF_REGIONS; i++) {
        const struct tf_region_stats *s = f ? &f->regions[i] : NULL;

        TF_FIELDS_REGION_EXCLUDED(REGION_CELL)
        TF_FIELDS_REGION_WHY(REGION_CELL)
    }
    put_pose(o, f);
    for (uint32_t i = 0; i < t->own.faces; i++)
        put_own(o, r, f ? &r->own.face[0][i] : NULL);
    for (uint32_t i = 0; i < t->own.areas; i++)
        put_own(o, r, tf_own_is_looked_at(&r->own.area[i]) ? &r->own.area[i] : NULL);
    tf_out_literal(o, "\n");
    if (!o->full)
        put(t->signals, t->text, (int)(o->at - t->text), wait, lost);
}

/* --- motion --- */

static void put_motion(struct tf_tables *t, const struct tf_record *r, bool wait, int *lost)
{
    struct tf_out out = {.at = t->text, .end = t->text + t->size}, *o = &out;
    const struct tf_face *f = r->faces.count ? &r->faces.faces[0] : NULL;

    onset(o, r->t_mono_ns, t->options.t_start_ns);
    for (int i = 0; i < TF_POINTS; i++) {
        const struct tf_point *p = f ? &f->points[i] : NULL;

        tab(o);
        real(o, p ? (double)p->x : NAN, 2);
        tab(o);
        real(o, p ? (double)p->y : NAN, 2);
        tab(o);
        real(o, p ? (double)p->confidence : NAN, 3);
    }
    tf_out_literal(o, "\n");
    if (!o->full)
        put(t->motion, t->text, (int)(o->at - t->text), wait, lost);
}

/* --- create, row, end --- */

static int make_motion_folder(struct tf_disk *disk, const char *path, struct tf_error *err)
{
    char folder[PATH_BYTES];
    char *slash;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (!slash)
        return 0;
    *slash = '\0';
    return tf_disk_make_folder(disk, folder, err);
}

static int open_derived(struct tf_tables *t, const char *path, struct tf_disk *disk, struct tf_error *err)
{
    const struct tf_tables_options *o = &t->options;
    struct tf_tables_paths paths;
    int r;

    r = tf_tables_motion_path(o->folder, o->stem, "motion", paths.motion, sizeof(paths.motion));
    if (r == 0)
        r = tf_tables_motion_path(o->folder, o->stem, "channels", paths.channels, sizeof(paths.channels));
    if (r < 0)
        return tf_fail(err, r, "%s: the path is too long", o->folder);
    snprintf(paths.signals, sizeof(paths.signals), "%.*s_signals", PATH_BYTES - 16, path);
    snprintf(paths.physio, sizeof(paths.physio), "%.*s_physio", PATH_BYTES - 16, path);
    r = make_motion_folder(disk, paths.motion, err);
    if (r == 0)
        r = open_file(t, disk, paths.signals, ".tsv", DERIVED_QUEUE, true, &t->signals, err);
    if (r == 0)
        r = open_file(t, disk, paths.motion, ".tsv", DERIVED_QUEUE, true, &t->motion, err);
    if (r == 0)
        r = open_file(t, disk, paths.physio, ".tsv.gz", PHYSIO_QUEUE, false, &t->physio_file, err);
    if (r == 0)
        r = tf_physio_create(o, t->physio_file, &t->physio, err);
    if (r == 0)
        r = tf_tables_describe(o, &paths, disk, err);
    if (r < 0)
        return r;
    r = put_signals_head(t);
    return r < 0 ? tf_fail(err, r, "%s: cannot be written", path) : 0;
}

int tf_tables_create(const struct tf_tables_options *options, struct tf_disk *disk, struct tf_tables **ret,
                     struct tf_error *err)
{
    struct tf_tables *t = calloc(1, sizeof(*t));
    char path[PATH_BYTES];
    int r;

    if (!t)
        return tf_fail(err, -ENOMEM, "%s: out of memory", options->stem);
    t->options = *options;
    if (options->own)
        t->own = *options->own;
    t->options.own = &t->own;
    t->size = tf_record_bytes_max() + SPARE;
    t->text = malloc(t->size);
    if (!t->text) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", options->stem);
        goto fail;
    }
    r = snprintf(path, sizeof(path), "%s/%s", options->folder, options->stem);
    r = r < 0 || r >= (int)sizeof(path) - 64
            ? tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", options->folder)
            : 0;
    if (r == 0)
        r = open_file(t, disk, path, "_frames.csv", FRAMES_QUEUE, true, &t->csv, err);
    if (r == 0)
        r = open_file(t, disk, path, "_frames.ndjson", FRAMES_QUEUE, true, &t->ndjson, err);
    if (r == 0 && options->derived)
        r = open_derived(t, path, disk, err);
    if (r < 0)
        goto fail;
    r = put_csv_head(t);
    if (r < 0) {
        tf_fail(err, r, "%s_frames.csv: the head cannot be written", path);
        goto fail;
    }
    t->options.camera = t->options.folder = t->options.stem = NULL;
    *ret = t;
    return 0;

fail:
    tf_tables_destroy(t);
    return r;
}

int tf_tables_row(struct tf_tables *t, const struct tf_record *record, bool wait)
{
    int lost = 0;

    put_csv(t, record, wait, &lost);
    put_ndjson(t, record, wait, &lost);
    if (t->signals)
        put_signals(t, record, wait, &lost);
    if (t->motion)
        put_motion(t, record, wait, &lost);
    if (t->physio)
        lost += tf_physio_row(t->physio, record, wait);
    return lost;
}

void tf_tables_end(struct tf_tables *t, bool wait)
{
    if (!t->ended && t->physio)
        tf_physio_end(t->physio, wait);
    t->ended = true;
}

uint64_t tf_tables_written(const struct tf_tables *t)
{
    uint64_t pieces = tf_disk_written(t->csv).pieces;

    return pieces ? pieces - 1 : 0; /* the head */
}

void tf_tables_destroy(struct tf_tables *t)
{
    if (!t)
        return;
    tf_physio_destroy(t->physio);
    free(t->text);
    free(t);
}

/* --- offline --- */

struct tables_sink {
    struct tf_disk *disk;
    struct tf_tables *tables;
    struct tf_record copy;
};

static int sink_record(void *self, const struct tf_record *record, struct tf_error *err)
{
    struct tables_sink *s = self;

    if (s->tables->options.plain_video) {
        s->copy = *record;
        s->copy.video_frame = (int64_t)record->sequence;
        record = &s->copy;
    }
    tf_tables_row(s->tables, record, true);
    return tf_disk_error(s->disk, err);
}

static int sink_close(void *self, struct tf_error *err)
{
    struct tables_sink *s = self;
    int r;

    if (s->tables)
        tf_tables_end(s->tables, true);
    r = tf_disk_close(s->disk, err);
    tf_tables_destroy(s->tables);
    free(s);
    return r;
}

int tf_sink_tables(const struct tf_tables_options *options, struct tf_sink *ret, struct tf_error *err)
{
    struct tables_sink *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return tf_fail(err, -ENOMEM, "%s: out of memory", options->stem);
    r = tf_disk_create(&(struct tf_disk_options){.folder = options->folder}, &s->disk, err);
    if (r == 0)
        r = tf_tables_create(options, s->disk, &s->tables, err);
    if (r < 0) {
        sink_close(s, NULL);
        return r;
    }
    *ret = (struct tf_sink){.name = "tables", .self = s, .record = sink_record, .close = sink_close};
    return 0;
}
