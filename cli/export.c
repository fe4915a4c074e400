/* thermoface export: recordings in other programs' formats. */
#include "cli/export.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "cli/commands.h"
#include "cli/run.h"

#define JSON_MAX (4u << 20)

/* The formats; --to names them (cli/table.c). */
static const struct format {
    const char *name;
    int (*write)(struct tf_export_item *item, struct tf_error *err);
    bool video, table; /* what it needs */
} formats[] = {
    {"tiff", tf_export_tiff, true, false},   {"npy", tf_export_npy, true, false},
    {"mat", tf_export_mat, false, true},     {"hdf5", tf_export_hdf5, false, true},
    {"edf", tf_export_edf, false, true},     {"csv", tf_export_faces, false, true},
    {"remux", tf_export_remux, true, false},
};

/* How the recording describes itself. One that cannot be read is an error: its scale would be a guess. */
static int read_description(struct tf_export_item *item, struct tf_error *err)
{
    char path[TF_EXPORT_PATH + 640], *text;
    size_t size;
    FILE *file;
    int r;

    snprintf(path, sizeof(path), "%s/%s_video.json", item->folder, item->stem);
    file = fopen(path, "re");
    if (!file && errno == ENOENT)
        return 0;
    text = file ? malloc(JSON_MAX) : NULL;
    if (!text) {
        r = tf_fail(err, file ? -ENOMEM : -errno, "%s: %s", path, strerror(file ? ENOMEM : errno));
        if (file)
            fclose(file);
        return r;
    }
    size = fread(text, 1, JSON_MAX, file);
    fclose(file);
    r = size == JSON_MAX ? tf_fail(err, -EFBIG, "larger than 4 MiB")
                         : tf_sidecar_read(text, size, &item->about, err);
    free(text);
    if (r < 0)
        tf_error_prefix(err, "%s", path);
    item->described = r == 0;
    return r;
}

/* "recording-thermal" of a camera that is called so, or in the description. */
static bool is_camera(const struct tf_export_item *item, const char *camera)
{
    const char *at = strstr(item->stem, "_recording-");
    char label[256];
    size_t n = 0;

    if (strcmp(item->about.camera, camera) == 0)
        return true;
    for (const char *c = camera; *c && n < sizeof(label) - 1; c++)
        if (*c != '_' && *c != '-')
            label[n++] = *c;
    label[n] = '\0';
    at = at ? at + strlen("_recording-") : NULL;
    return at && strncmp(at, label, n) == 0 && (!at[n] || at[n] == '_');
}

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

struct list {
    struct tf_recording_found *items;
    int count;
};

static int find_in_folder(const struct format *format, const char *folder, struct list *ret)
{
    /* Either a raw video with its table, or what thermoface run made of one. */
    int n = format->video ? tf_find_recordings(folder, &ret->items) : tf_find_results(folder, &ret->items);

    ret->count = n > 0 ? n : 0;
    return n;
}

/* A recording that is named by one of its files, or by its stem: "…/sub-07_…_recording-cam". */
static bool find_by_name(const char *input, struct tf_recording_found *ret)
{
    static const char *const endings[] = {"_frames.csv", "_frames.ndjson", "_video.mkv",
                                          "_video.json", "_signals.tsv",   "_events.tsv"};
    const char *slash = strrchr(input, '/'), *name = slash ? slash + 1 : input;
    char path[TF_EXPORT_PATH + 640];
    size_t n = strlen(name);

    if ((size_t)(name - input) >= sizeof(ret->folder) || n >= sizeof(ret->stem))
        return false;
    snprintf(ret->folder, sizeof(ret->folder), "%.*s",
             slash == input ? 1
             : slash        ? (int)(slash - input)
                            : 1,
             slash ? input : ".");
    for (size_t i = 0; i < TF_COUNT(endings); i++)
        if (ends(name, endings[i])) {
            n -= strlen(endings[i]);
            break;
        }
    snprintf(ret->stem, sizeof(ret->stem), "%.*s", (int)n, name);
    /* The annotated video is one by itself. */
    if (ends(ret->stem, "_desc-annotated"))
        return false;
    snprintf(path, sizeof(path), "%s/%s_frames.csv", ret->folder, ret->stem);
    if (access(path, F_OK) == 0)
        return true;
    snprintf(path, sizeof(path), "%s/%s_signals.tsv", ret->folder, ret->stem);
    return access(path, F_OK) == 0;
}

static void name_video(struct tf_export_item *item, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dot;

    snprintf(item->video, sizeof(item->video), "%.*s", TF_EXPORT_PATH - 1, path);
    snprintf(item->stem, sizeof(item->stem), "%.*s", 500, slash ? slash + 1 : path);
    dot = strrchr(item->stem, '.');
    if (dot && dot != item->stem)
        *dot = '\0';
}

/* Exit status. */
static int export_one(const struct format *format, struct tf_export_item *item)
{
    struct tf_error err = {0};
    int r = format->write(item, &err);

    if (r == -EPIPE && !*err.text)
        return TF_EXIT_FAILURE;
    if (r < 0)
        return tf_command_error(item->usage, "%s", *err.text ? err.text : strerror(-r));
    if (!item->options->quiet && strcmp(format->name, "remux") != 0)
        fprintf(stderr, "%s: %s%s\n", item->stem, format->name, item->note);
    return TF_EXIT_OK;
}

static int export_list(const struct tf_usage *usage, const struct tf_export_options *o,
                       const struct format *format, const struct list *list, const char *input)
{
    struct tf_export_item *items = calloc((size_t)list->count, sizeof(*items));
    int n = 0, status = TF_EXIT_OK;
    struct stat st;

    if (!items)
        return tf_command_error(usage, "out of memory");
    for (int i = 0; i < list->count; i++) {
        struct tf_export_item *item = &items[n];
        struct tf_error err = {0};

        memset(item, 0, sizeof(*item));
        item->usage = usage;
        item->options = o;
        snprintf(item->folder, sizeof(item->folder), "%s", list->items[i].folder);
        snprintf(item->stem, sizeof(item->stem), "%s", list->items[i].stem);
        if (read_description(item, &err) < 0)
            status = tf_command_error(usage, "%s", err.text);
        else if (!o->camera || is_camera(item, o->camera))
            n++;
    }
    if (!n && status == TF_EXIT_OK)
        status = tf_command_error(usage, "%s: no recording of a camera %s", input, o->camera);
    if (n > 1 && o->output && !(stat(o->output, &st) == 0 && S_ISDIR(st.st_mode)))
        status =
            tf_command_error(usage, "%s: %d recordings: --output has to be a folder that is there", input, n);
    else
        for (int i = 0; i < n && !tf_interrupted(); i++) {
            int one = export_one(format, &items[i]);

            status = one ? one : status;
        }
    free(items);
    return status;
}

static int export_input(const struct tf_usage *usage, const struct tf_export_options *o,
                        const struct format *format, const char *input)
{
    struct tf_export_item item = {.usage = usage, .options = o};
    struct tf_recording_found found;
    struct list list = {0};
    struct stat st;
    int status, n;

    if (stat(input, &st) == 0 && S_ISDIR(st.st_mode)) {
        n = find_in_folder(format, input, &list);
        if (n < 0)
            return tf_command_error(usage, "%s: %s", input, strerror(-n));
        if (n == 0)
            return tf_command_error(usage, "%s: no recording %s is in it", input,
                                    format->video ? "with its raw video (NAME_video.mkv and NAME_frames.csv)"
                                                  : "or its tables (NAME_frames.csv)");
        status = export_list(usage, o, format, &list, input);
        free(list.items);
        return status;
    }
    if (find_by_name(input, &found)) {
        list = (struct list){.items = &found, .count = 1};
        return export_list(usage, o, format, &list, input);
    }
    if (stat(input, &st) < 0)
        return tf_command_error(usage, "%s: %s", input, strerror(errno));
    if (format->table)
        return tf_command_error(
            usage,
            "%s: no table of frames is beside it, which --to %s needs: 'thermoface run' makes "
            "one",
            input, format->name);
    name_video(&item, input);
    return export_one(format, &item);
}

/* "100:199": both included; either may be left out. */
static bool read_range(const char *text, uint64_t *first, uint64_t *last)
{
    const char *colon = strchr(text, ':');
    char *end;

    *first = 0;
    *last = UINT64_MAX;
    if (!colon || strlen(text) > 40)
        return false;
    for (const char *c = text; *c; c++)
        if (c != colon && (*c < '0' || *c > '9'))
            return false;
    errno = 0;
    if (colon > text)
        *first = strtoull(text, &end, 10);
    if (colon[1])
        *last = strtoull(colon + 1, &end, 10);
    return !errno && *first <= *last && (colon > text || colon[1]);
}

static int check(const struct tf_usage *usage, struct tf_export_options *o)
{
    bool mat = strcmp(o->to, "mat") == 0 || strcmp(o->to, "hdf5") == 0, edf = strcmp(o->to, "edf") == 0;
    bool frames = strcmp(o->to, "tiff") == 0 || strcmp(o->to, "npy") == 0;

    o->last = UINT64_MAX;
    if (o->frames && !read_range(o->frames, &o->first, &o->last))
        return tf_usage_error(usage, "--frames %s: FIRST:LAST, numbers of frames, 100:199 say", o->frames);
    if (o->from > o->until)
        return tf_usage_error(usage, "--from %g is after --until %g", o->from, o->until);
    if (o->with_frames && !mat)
        return tf_usage_error(usage, "--with-frames belongs to --to mat and hdf5");
    if (o->celsius && !frames && !o->with_frames)
        return tf_usage_error(usage, "--celsius belongs to frames: --to tiff, npy, or --with-frames");
    if (o->rate && !edf)
        return tf_usage_error(usage, "--rate belongs to --to edf");
    if (o->frames && edf)
        return tf_usage_error(usage, "--to edf: --from and --until say which part, in seconds");
    if (strcmp(o->to, "remux") == 0 && (o->frames || isfinite(o->from) || isfinite(o->until)))
        return tf_usage_error(usage, "--to remux copies the whole video");
    return TF_EXIT_OK;
}

int tf_cmd_export(int argc, char **argv)
{
    struct tf_export_options o = {.from = NAN, .until = NAN};
    const struct tf_bind bind[] = {
        {"to", &o.to},
        {"output", &o.output},
        {"overwrite", &o.overwrite},
        {"camera", &o.camera},
        {"frames", &o.frames},
        {"from", &o.from},
        {"until", &o.until},
        {"celsius", &o.celsius},
        {"with-frames", &o.with_frames},
        {"rate", &o.rate},
        {"format", &o.format},
        {"scale", &o.scale},
        {"offset", &o.offset},
        {"raw", &o.raw},
        {"quiet", &o.quiet},
        {0},
    };
    const struct tf_usage *usage = tf_command("export");
    const struct format *format = NULL;
    const char *arguments[TF_ARGUMENTS_MAX];
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    if (!o.to)
        return tf_usage_error(usage, "--to says the format: tiff, npy, mat, hdf5, edf, csv or remux");
    status = check(usage, &o);
    if (status)
        return status;
    tf_catch_interrupt();
    for (size_t i = 0; i < TF_COUNT(formats); i++)
        if (strcmp(o.to, formats[i].name) == 0)
            format = &formats[i];
    status = format ? export_input(usage, &o, format, arguments[0]) : TF_EXIT_USAGE;
    /* libhdf5's own end would try once more to write what a full disk did not take, and crashes. */
    if (status && format && format->write == tf_export_hdf5) {
        fflush(NULL);
        _exit(status);
    }
    return status;
}
