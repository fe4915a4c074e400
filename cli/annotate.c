/* thermoface annotate: points placed by hand on frames of a lab's own recordings, in a browser. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/annotate.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/run_sidecar.h"
#include "pipeline/models.h"

#define SIDECAR_MAX (1u << 20)
#define INPUTS_MAX 1024

struct request {
    const char *output, *format, *raw, *stream, *models, *cpu, *choose, *points;
    uint64_t port, frames, threads;
    double scale, offset, fps;
    uint16_t rotate;
    bool flip;
};

struct work {
    const struct tf_usage *usage;
    const struct request *request;
    struct tf_annotate_input *inputs;
    int count;
    struct tf_items items;
    struct tf_annotate_table table;
    struct tf_progress progress;
    uint64_t done;
};

/* --- inputs --- */

static char *load(const char *path, size_t *size)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(SIDECAR_MAX) : NULL;

    *size = text ? fread(text, 1, SIDECAR_MAX, f) : 0;
    if (f)
        fclose(f);
    return text;
}

/* "sub-07_ses-2_task-x…" is sub-07; any other name is its own person. */
static void name_person(struct tf_annotate_input *in)
{
    size_t n = strncmp(in->rec, "sub-", 4) == 0 ? strcspn(in->rec, "_.") : strcspn(in->rec, ".");

    snprintf(in->person, sizeof(in->person), "%.*s",
             (int)(n < sizeof(in->person) ? n : sizeof(in->person) - 1), in->rec);
}

/* What a session's recording says of itself. 0 where it says nothing. */
static int describe(struct tf_annotate_input *in, const char *folder, const char *stem, struct tf_error *err)
{
    struct tf_sidecar s;
    char path[4700], *text;
    size_t size;
    int r;

    snprintf(path, sizeof(path), "%s/%s_video.json", folder, stem);
    text = load(path, &size);
    if (!text)
        return 0;
    r = tf_sidecar_read(text, size, &s, err);
    free(text);
    if (r < 0) {
        tf_error_prefix(err, "%s", path);
        return r;
    }
    in->described = true;
    in->rotate = s.rotate;
    in->flip = s.flip;
    in->scale = s.scale;
    in->offset = s.offset;
    memcpy(in->limits, s.limits, sizeof(in->limits));
    snprintf(in->format, sizeof(in->format), "%s", s.format ? s.format : "");
    return 0;
}

static int add_input(struct work *w, const char *folder, const char *stem, const char *path,
                     struct tf_error *err)
{
    const struct request *q = w->request;
    struct tf_annotate_input *in = &w->inputs[w->count];
    const char *name = path ? strrchr(path, '/') : NULL;
    int r = 0;

    if (w->count == INPUTS_MAX)
        return tf_fail(err, -E2BIG, "more than %d recordings", INPUTS_MAX);
    memset(in, 0, sizeof(*in));
    if (path) {
        r = snprintf(in->rec, sizeof(in->rec), "%s", name ? name + 1 : path) >= (int)sizeof(in->rec) ||
                    snprintf(in->url, sizeof(in->url), "%s%s",
                             strncmp(path, "synthetic", 9) == 0 ? "" : "file:", path) >= (int)sizeof(in->url)
                ? -ENAMETOOLONG
                : 0;
    } else {
        r = snprintf(in->rec, sizeof(in->rec), "%s_video.mkv", stem) >= (int)sizeof(in->rec) ||
                    snprintf(in->url, sizeof(in->url), "recording:%s/%s", folder, stem) >=
                        (int)sizeof(in->url)
                ? -ENAMETOOLONG
                : 0;
    }
    if (r < 0)
        return tf_fail(err, r, "%s: the name is too long", path ? path : stem);
    if (!tf_annotate_plain(in->rec))
        return tf_fail(err, -EINVAL, "%s: a name with a comma or quotes cannot stand in a table", in->rec);
    for (int i = 0; i < w->count; i++)
        if (strcmp(w->inputs[i].rec, in->rec) == 0)
            return tf_fail(err, -EEXIST, "two recordings are called %s: their rows could not be told apart",
                           in->rec);
    name_person(in);
    if (!path)
        r = describe(in, folder, stem, err);
    if (r < 0)
        return r;
    if (!in->described) {
        in->rotate = q->rotate;
        in->flip = q->flip;
        in->scale = (float)q->scale;
        in->offset = (float)q->offset;
        in->fps = (float)q->fps;
        snprintf(in->format, sizeof(in->format), "%s", q->format ? q->format : "");
    }
    w->count++;
    return 0;
}

/* The folder and stem of "…/STEM_video.mkv" (or a part of it) that is a session's recording. */
static bool of_session(const char *path, char folder[4096], char stem[512])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *end = strstr(name, "_video.mkv"), *part = strstr(name, "_split-");
    char table[4700];

    if (!end || strcmp(end, "_video.mkv") != 0)
        return false;
    if (part && part < end)
        end = part;
    if (snprintf(folder, 4096, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".") >= 4096 ||
        snprintf(stem, 512, "%.*s", (int)(end - name), name) >= 512)
        return false;
    snprintf(table, sizeof(table), "%s/%s_frames.csv", folder, stem);
    return access(table, F_OK) == 0;
}

static int add_argument(struct work *w, const char *argument, struct tf_error *err)
{
    struct tf_recording_found *found = NULL;
    char folder[4096], stem[512];
    struct stat st;
    int r = 0, n;

    if (of_session(argument, folder, stem))
        return add_input(w, folder, stem, NULL, err);
    if (strncmp(argument, "synthetic", 9) != 0 && stat(argument, &st) < 0)
        return tf_fail(err, -errno, "%s: %s", argument, strerror(errno));
    if (strncmp(argument, "synthetic", 9) == 0 || !S_ISDIR(st.st_mode))
        return add_input(w, NULL, NULL, argument, err);
    n = tf_find_recordings(argument, &found);
    if (n < 0)
        return tf_fail(err, n, "%s: %s", argument, strerror(-n));
    if (n == 0)
        r = tf_fail(err, -ENOENT, "%s: no recorded session in this folder; name files", argument);
    for (int i = 0; i < n && r == 0; i++)
        r = add_input(w, found[i].folder, found[i].stem, NULL, err);
    free(found);
    return r;
}

/* --- frames --- */

static bool said(void *context, uint64_t frames)
{
    struct work *w = context;

    tf_progress_update(&w->progress, ++w->done);
    return !tf_interrupted();
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The rows of this recording's frames become their labels. */
static void adopt(struct work *w, size_t first)
{
    for (size_t k = 0; k < w->table.row_count; k++) {
        struct tf_table_row *row = &w->table.rows[k];

        for (size_t i = first; i < w->items.count && !row->used; i++) {
            struct tf_item *item = &w->items.list[i];

            if (item->frame != row->frame || strcmp(item->rec, row->rec) != 0)
                continue;
            item->label = row->label;
            memcpy(item->file, row->file, sizeof(item->file));
            row->used = true;
        }
    }
}

static int take(struct work *w, struct tf_analyser *analyser, struct tf_error *err)
{
    const struct request *q = w->request;
    struct tf_annotate_frames options = {.raw = q->raw,
                                         .stream = q->stream,
                                         .count = q->frames,
                                         .doubtful = q->choose && strcmp(q->choose, "doubtful") == 0,
                                         .points = w->table.points,
                                         .analyser = analyser};
    uint64_t *labelled = calloc(w->table.row_count + 1, sizeof(*labelled));
    int r = labelled ? 0 : tf_fail(err, -ENOMEM, "out of memory");

    tf_progress_start(&w->progress, 0, 0, false);
    for (int i = 0; i < w->count && r == 0; i++) {
        size_t first = w->items.count, n = 0;

        for (size_t k = 0; k < w->table.row_count; k++)
            if (strcmp(w->table.rows[k].rec, w->inputs[i].rec) == 0)
                labelled[n++] = w->table.rows[k].frame;
        qsort(labelled, n, sizeof(*labelled), by_number);
        r = tf_annotate_take(&options, &w->inputs[i], labelled, n, &w->items, said, w, err);
        if (r == 0)
            adopt(w, first);
    }
    tf_progress_end(&w->progress);
    free(labelled);
    return r == 0 ? tf_annotate_keep(&w->table, err) : r;
}

static void summary(const struct work *w)
{
    size_t faces = 0, labelled = 0;

    for (size_t i = 0; i < w->items.count; i++) {
        faces += w->items.list[i].found;
        labelled += w->items.list[i].label.there;
    }
    fprintf(stderr, "%zu frame%s of %d recording%s, a face seen in %zu; %zu labelled already\n",
            w->items.count, TF_PLURAL(w->items.count), w->count, TF_PLURAL(w->count), faces, labelled);
    if (!faces)
        fputs("no face is seen anywhere: does --rotate make the picture upright?\n", stderr);
}

static int serve(struct work *w, struct tf_error *err)
{
    struct tf_annotate_server *server = NULL;
    size_t labelled = 0;
    int r = tf_annotate_serve(&w->table, &w->items, (uint16_t)w->request->port, &server, err);

    if (r < 0)
        return r;
    printf("%s\n", tf_annotate_url(server));
    fflush(stdout);
    fputs("Open this address in a browser on this machine; Ctrl-C ends. Every change is saved at once.\n",
          stderr);
    while (!tf_interrupted())
        tf_sleep_until_ns(tf_now_ns() + 100000000);
    tf_annotate_stop(server);
    for (size_t i = 0; i < w->items.count; i++)
        labelled += w->items.list[i].label.there;
    fprintf(stderr, "\n%s: %zu of %zu frame%s labelled\n", w->table.path, labelled, w->items.count,
            TF_PLURAL(w->items.count));
    return 0;
}

/* The table's folder, made where it is not there: better now than when the first point is placed. */
static int make_folder(const char *path, struct tf_error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];

    if (!slash || slash == path)
        return 0;
    if ((size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >= sizeof(folder))
        return tf_fail(err, -ENAMETOOLONG, "--output %s: the path is too long", path);
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        return tf_fail(err, -errno, "--output %s: %s cannot be made: %s", path, folder, strerror(errno));
    if (access(folder, W_OK | X_OK) < 0)
        return tf_fail(err, -errno, "--output %s: %s cannot be written to: %s", path, folder,
                       strerror(errno));
    return 0;
}

static int annotate(struct work *w, const char *const *arguments, struct tf_error *err)
{
    const struct request *q = w->request;
    struct tf_analyser_options options = {.models = tf_models_folder(q->models),
                                          .threads = (int)q->threads,
                                          .cpu = q->cpu,
                                          .faces_max = TF_FACES_MAX,
                                          .mirror = TF_MIRROR_YES};
    struct tf_analyser *analyser = NULL;
    int points = q->points && strcmp(q->points, "68") == 0 ? TF_POINTS : 6;
    int r = tf_annotate_read(&w->table, q->output ? q->output : "points.csv", points, err);

    for (int i = 0; r == 0 && i < TF_ARGUMENTS_MAX && arguments[i]; i++)
        r = add_argument(w, arguments[i], err);
    if (r == 0)
        r = make_folder(w->table.path, err);
    if (r == 0)
        r = tf_models_check(&options, err);
    if (r == 0)
        r = tf_analyser_create(&options, &analyser, err);
    if (r == 0) {
        tf_catch_interrupt();
        r = take(w, analyser, err);
    }
    tf_analyser_destroy(analyser);
    if (r == 0) {
        summary(w);
        r = serve(w, err);
    }
    return r;
}

int tf_cmd_annotate(int argc, char **argv)
{
    struct request q = {.frames = 20, .threads = 1};
    const struct tf_bind bind[] = {
        {"output", &q.output},
        {"points", &q.points},
        {"frames", &q.frames},
        {"choose", &q.choose},
        {"port", &q.port},
        {"format", &q.format},
        {"rotate", &q.rotate},
        {"flip", &q.flip},
        {"scale", &q.scale},
        {"offset", &q.offset},
        {"raw", &q.raw},
        {"stream", &q.stream},
        {"fps", &q.fps},
        {"models", &q.models},
        {"threads", &q.threads},
        {"cpu", &q.cpu},
        {0},
    };
    const struct tf_usage *usage = tf_command("annotate");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct work w = {.usage = usage, .request = &q};
    struct tf_error err = {0};
    int status, r;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    w.inputs = calloc(INPUTS_MAX, sizeof(*w.inputs));
    r = w.inputs ? annotate(&w, arguments, &err) : tf_fail(&err, -ENOMEM, "out of memory");
    tf_items_free(&w.items);
    tf_annotate_free(&w.table);
    free(w.inputs);
    return r < 0 ? tf_command_error(usage, "%s", err.text) : TF_EXIT_OK;
}
