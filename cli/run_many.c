/*
 * Recordings and several videos through the pipeline: records, tables and annotated videos into a folder.
 *
 * Each recording is made in a hidden folder beside its place and moved there when it is whole, its provenance
 * last: where that one stands and says what would be written now, the recording is done, and a run that was
 * broken off goes on with the next.
 */
#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/run_dataset.h"
#include "cli/run_merge.h"
#include "cli/run_place.h"
#include "cli/run_result.h"
#include "cli/run_sidecar.h"
#include "base/count.h"
#include "config.h"
#include "pipeline/pipeline.h"
#include "publish/recording/tables.h"
#include "publish/recording/text.h"

#define PATH_BYTES 4096
#define JSON_MAX (4u << 20)

enum state { WAITING, RUNNING, DONE, SKIPPED, FAILED };

struct job {
    enum state state;
    bool recording, done_before;
    const struct tf_run_item *item;
    char url[PATH_BYTES + 16];   /* of the source */
    char part[PATH_BYTES + 640]; /* hidden folder: beh/, motion/ */
    char camera[64], format[32], video[PATH_BYTES + 1500];
    json_t *provenance; /* of the result */
    json_t *replaced;   /* of the one that was there, or NULL */
    struct tf_pipeline_options options;
    struct tf_tables_options tables;
    struct tf_pipeline *pipeline;
    uint64_t frames, done;
    float fps;
    struct tf_own_regions own; /* of its camera */
    struct tf_own_names own_names;
};

struct batch {
    const struct tf_usage *usage;
    const struct tf_run *run;
    struct job *jobs;
    int count;
    int palette; /* of --palette */
    json_t *maker;
};

__attribute__((format(printf, 3, 4))) static int say(struct batch *b, struct job *j, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "thermoface run: %s: ", j->item->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    (void)b;
    j->state = FAILED;
    return -1;
}

/* --- where results go --- */

/* The folder of the motion tables: beside beh/, else the same. */
static void motion_folder(const char *out, char *ret, size_t size)
{
    size_t n = strlen(out);

    snprintf(ret, size, "%s", out);
    if (n > 4 && strcmp(ret + n - 4, "/beh") == 0)
        snprintf(ret + n - 4, size - n + 4, "/motion");
}

/* What the last result had and this one has not (--no-video, say) is none of it. */
static void remove_others(const struct job *j)
{
    char why[512];
    json_t *now = NULL, *files = json_object_get(j->replaced, "Files"), *file, *other;
    size_t i, k;

    tf_result_look(j->item, j->provenance, false, why, &now);
    json_array_foreach(files, i, file)
    {
        const char *name = json_string_value(json_object_get(file, "Name"));
        bool there = !name || !now;

        json_array_foreach(json_object_get(now, "Files"), k, other) there |=
            json_equal(json_object_get(file, "Name"), json_object_get(other, "Name"));
        if (!there && (!strchr(name, '/') || strncmp(name, "../motion/", 10) == 0)) {
            char path[2 * PATH_BYTES];

            snprintf(path, sizeof(path), "%s/%s", j->item->out, name);
            unlink(path);
        }
    }
    json_decref(now);
}

static int publish_results(struct job *j, struct tf_error *err)
{
    char beh[PATH_BYTES + 720], motion[PATH_BYTES + 720], to[PATH_BYTES + 8], path[PATH_BYTES + 640];
    char table[640], provenance[640];
    const char *const last[] = {table, provenance};
    int r;

    motion_folder(j->item->out, to, sizeof(to));
    snprintf(beh, sizeof(beh), "%s/beh", j->part);
    snprintf(motion, sizeof(motion), "%s/motion", j->part);
    snprintf(table, sizeof(table), "%s_frames.csv", j->item->stem);
    snprintf(provenance, sizeof(provenance), "%s" TF_PROVENANCE_ENDING, j->item->stem);
    r = tf_result_write(j->provenance, beh, motion, strcmp(to, j->item->out) != 0 ? "../motion/" : "",
                        j->item->stem, err);
    if (r < 0)
        return r;
    /* Old and new files are never together what is said to be whole. */
    snprintf(path, sizeof(path), "%s/%s", j->item->out, provenance);
    if (j->replaced && unlink(path) < 0 && errno != ENOENT)
        return tf_fail(err, -errno, "%s: cannot be replaced: %s", path, strerror(errno));
    r = tf_hidden_publish(j->part, to, j->item->out, last);
    if (r < 0)
        return tf_fail(err, r, "%s: the results cannot be put there: %s", j->item->out, strerror(-r));
    if (j->replaced)
        remove_others(j);
    return 0;
}

/* Results of recordings are a data set of their own; what stands there already is the laboratory's. */
static void describe_dataset(const struct job *j)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        {"dataset_description.json",
         "{\n  \"Name\": \"thermoface, made again from recordings\",\n  \"BIDSVersion\": \"1.9.0\",\n"
         "  \"DatasetType\": \"derivative\",\n  \"License\": \"n/a\",\n"
         "  \"Authors\": [\"First author (to be filled in)\", \"Second author (to be filled in)\"],\n"
         "  \"HEDVersion\": \"8.3.0\",\n  \"SourceDatasets\": [],\n"
         "  \"GeneratedBy\": [{\"Name\": \"thermoface run\", \"Version\": \"" TF_VERSION "\"}]\n}\n"},
        {"README",
         "Results of 'thermoface run': one row for each frame in *_frames.csv and *_frames.ndjson, region "
         "temperatures in\n*_signals.tsv and at a steady rate in *_physio.tsv.gz, the 68 points in motion/, "
         "and "
         "annotated videos. What was\nread, with what networks and settings, is in *_provenance.json.\n"},
        {".bidsignore", "*_video.*\n*_frames.*\n*_signals.*\n*_provenance.*\n*_motion.*\n"},
    };

    for (size_t i = 0; *j->item->root && i < TF_COUNT(files); i++) {
        char path[PATH_BYTES + 64];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", j->item->root, files[i].name);
        file = fopen(path, "wxe");
        if (!file)
            continue;
        fputs(files[i].text, file);
        fclose(file);
    }
}

/* --- what is to be done --- */

static void common_options(const struct tf_run *r, struct job *j)
{
    j->options = tf_run_options(r);
    j->options.pictures = !r->no_video;
    j->tables = (struct tf_tables_options){.derived = true, .physio_rate = (float)r->physio_rate};
    snprintf(j->camera, sizeof(j->camera), "%s", r->camera);
    j->own = r->own;
}

/* After a crash nobody wrote down which id the first face got: the table says it. */
static uint32_t first_id_of_table(const char *input)
{
    char path[PATH_BYTES + 640], *line = NULL;
    size_t size = 0;
    uint32_t id = 0;
    FILE *file;
    int place = -1;

    snprintf(path, sizeof(path), "%s_frames.csv", input);
    file = fopen(path, "re");
    while (file && !id && getline(&line, &size, file) > 0) {
        char *rest = line, *cell;

        for (int i = 0; (cell = strsep(&rest, ",\n")) && i < 32; i++) {
            if (place < 0 && strcmp(cell, "id") == 0) {
                place = i;
                break;
            }
            if (place == i)
                id = (uint32_t)strtoul(cell, NULL, 10);
        }
        if (place < 0)
            break;
    }
    if (file)
        fclose(file);
    free(line);
    return id;
}

/* A small file, whole; NULL: errno says why. */
static char *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    struct stat st;

    if (!file)
        return NULL;
    if (fstat(fileno(file), &st) == 0 && st.st_size > (off_t)JSON_MAX)
        errno = EFBIG;
    else if ((text = malloc(JSON_MAX)))
        *size = fread(text, 1, JSON_MAX, file);
    fclose(file);
    return text;
}

/* The camera, its scale and how it was analysed, as the recording describes itself. */
static int read_description(struct batch *b, struct job *j)
{
    const struct tf_run *r = b->run;
    struct tf_analyser_options *o = &j->options.analyser;
    char path[PATH_BYTES + 640], *text;
    struct tf_error err = {0};
    struct tf_sidecar s;
    size_t size = 0;
    int code;

    snprintf(path, sizeof(path), "%s_video.json", j->item->input);
    text = load(path, &size);
    if (!text)
        return say(b, j, "%s: %s", path, strerror(errno));
    code = tf_sidecar_read(text, size, &s, &err);
    free(text);
    if (code < 0)
        return say(b, j, "%s: %s", path, err.text);
    snprintf(j->camera, sizeof(j->camera), "%s", s.camera);
    snprintf(j->format, sizeof(j->format), "%s", s.format ? s.format : "");
    j->options.source.rotate = s.rotate;
    j->options.source.flip = s.flip;
    memcpy(j->options.source.limits, s.limits, sizeof(s.limits));
    j->options.source.scale = s.scale;
    j->options.source.offset = s.offset;
    j->tables.celsius |= s.celsius;
    j->options.analyse = s.analyse;
    if (!r->faces)
        o->faces_max = s.faces_max;
    if (!s.filter)
        o->filter = false;
    o->filter_min_cutoff = s.filter_min_cutoff;
    o->filter_beta = s.filter_beta;
    o->score_min = s.score_min;
    o->find_every = s.find_every;
    if (!r->mirror)
        o->mirror = s.mirror;
    if (!r->black_body) {
        memcpy(j->options.black_body, s.black_body, sizeof(s.black_body));
        j->options.black_body_c = s.black_body_c;
    }
    if (!r->regions)
        j->own = s.own;
    j->options.first_face_id = s.first_face_id ? s.first_face_id : first_id_of_table(j->item->input);
    j->fps = j->tables.fps = s.fps;
    j->tables.t_start_ns = s.t_start_ns;
    if (!r->physio_rate)
        j->tables.physio_rate = s.physio_rate;
    if (!(j->tables.physio_rate >= 0 && j->tables.physio_rate <= 1000))
        j->tables.physio_rate = 0;
    return 0;
}

static void add_recording(struct batch *b, struct job *j)
{
    const struct tf_run_item *item = j->item;

    j->recording = true;
    snprintf(j->url, sizeof(j->url), "recording:%.*s", PATH_BYTES, item->input);
    read_description(b, j);
}

static void add_video(struct batch *b, struct job *j)
{
    snprintf(j->url, sizeof(j->url), "file:%.*s", PATH_BYTES, j->item->input);
    snprintf(j->format, sizeof(j->format), "%s", b->run->format ? b->run->format : "");
    j->tables.plain_video = true;
}

/* Whether it has to be made. */
static void look_at_result(struct batch *b, struct job *j)
{
    enum tf_result_state state;
    char why[512];

    j->provenance = tf_result_expect(b->maker, j->item);
    state = tf_result_look(j->item, j->provenance, false, why, &j->replaced);
    if (state == TF_RESULT_DONE && !b->run->overwrite) {
        j->state = SKIPPED;
        j->done_before = true;
    } else if (state != TF_RESULT_NONE && !b->run->quiet) {
        fprintf(stderr, "%s: made again: %s\n", j->item->name,
                b->run->overwrite && state == TF_RESULT_DONE ? "--overwrite" : why);
    }
}

/* Frames and rate, for the progress; what cannot be opened says so when its turn comes. */
static void look(struct job *j)
{
    struct tf_source *source = NULL;

    j->options.source.url = j->url;
    j->options.source.format = *j->format ? j->format : NULL;
    if (tf_source_open(&j->options.source, &source, NULL) < 0)
        return;
    j->frames = tf_source_info(source)->frames;
    if (!(j->fps > 0))
        j->fps = tf_source_info(source)->fps;
    if (!j->recording) {
        j->tables.celsius = tf_source_info(source)->radiometry.valid;
        j->tables.fps = j->fps;
    }
    tf_source_close(source);
}

/* --- the work --- */

static void begin(struct batch *b, struct job *j)
{
    char beh[PATH_BYTES + 720];
    struct tf_error err = {0};
    struct tf_sink sink;
    int r;

    tf_hidden_sweep(j->item->out, j->item->stem);
    r = tf_hidden_name(j->item->out, (unsigned)(j - b->jobs), j->part, sizeof(j->part));
    tf_remove_folder(j->part); /* of a process that had the same number */
    snprintf(beh, sizeof(beh), "%s/beh", j->part);
    if (r == 0)
        r = tf_make_folders(beh);
    if (r < 0) {
        say(b, j, "%s: cannot be made: %s", beh, strerror(-r));
        return;
    }
    describe_dataset(j);
    if (b->run->palette)
        j->options.overlay.palette = b->palette;
    snprintf(j->video, sizeof(j->video), "%.*s/%s_desc-annotated_video.mkv", PATH_BYTES - 1, beh,
             j->item->stem);
    j->options.camera = j->camera;
    tf_own_of_camera(&j->own, j->camera, &j->own);
    tf_own_names_of(&j->own, &j->own_names);
    j->options.own = &j->own;
    j->tables.own = &j->own_names;
    j->options.video = j->options.pictures ? j->video : NULL;
    j->tables.camera = j->camera;
    j->tables.folder = beh;
    j->tables.stem = j->item->stem;
    r = tf_pipeline_create(&j->options, &j->pipeline, &err);
    if (r == 0)
        r = tf_sink_tables(&j->tables, &sink, &err);
    if (r == 0) {
        r = tf_pipeline_add_sink(j->pipeline, &sink);
        if (r < 0)
            sink.close(sink.self, NULL);
    }
    if (r == 0)
        r = tf_pipeline_start(j->pipeline, &err);
    if (r < 0) {
        tf_pipeline_destroy(j->pipeline);
        j->pipeline = NULL;
        tf_remove_folder(j->part);
        say(b, j, "%s", *err.text ? err.text : strerror(-r));
        return;
    }
    j->state = RUNNING;
}

/* What is known at its end. */
static void describe_result(struct job *j, const struct tf_status *status)
{
    static const char *const names[] = {"ok", "no_face", "skipped", "corrupt", "stale"};
    json_t *states = json_object();

    for (size_t i = 0; i < TF_COUNT(names); i++)
        json_object_set_new(states, names[i], json_integer((json_int_t)status->state_frames[i]));
    json_object_set_new(j->provenance, "Camera", json_string(j->camera));
    json_object_set_new(j->provenance, "FrameCount", json_integer((json_int_t)status->frames));
    json_object_set_new(j->provenance, "States", states);
    if (j->fps > 0)
        json_object_set_new(j->provenance, "NominalFrameRate", json_real(tf_text_decimal(j->fps)));
    if (*status->notice)
        json_object_set_new(j->provenance, "Notice", json_string(status->notice));
}

static void end(struct batch *b, struct job *j, bool stopped)
{
    struct tf_error err = {0};
    struct tf_status status;
    int r = tf_pipeline_stop(j->pipeline, &err);

    tf_pipeline_status(j->pipeline, &status);
    j->done = status.frames;
    if (*status.notice && !b->run->quiet)
        fprintf(stderr, "%s: note: %s\n", j->item->name, status.notice);
    tf_pipeline_destroy(j->pipeline);
    j->pipeline = NULL;
    if (stopped || r < 0) {
        tf_remove_folder(j->part);
        if (r < 0)
            say(b, j, "%s", *err.text ? err.text : strerror(-r));
        else
            j->state = WAITING;
        return;
    }
    if (!b->run->quiet)
        tf_run_say_turn(&status.turn, j->item->name);
    describe_result(j, &status);
    r = publish_results(j, &err);
    if (r < 0) {
        tf_remove_folder(j->part);
        say(b, j, "%s", *err.text ? err.text : strerror(-r));
    } else {
        j->state = DONE;
    }
}

/* How many processors this process may use: a job of a cluster has fewer than its machine. */
static int processors(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (int)sysconf(_SC_NPROCESSORS_ONLN) : 1;
}

static void work(struct batch *b, struct tf_progress *progress)
{
    int jobs = (int)b->run->jobs, next = 0, running = 0;

    if (!jobs)
        jobs = processors();
    for (;;) {
        uint64_t done = 0;

        for (; running < jobs && next < b->count && !tf_interrupted(); next++) {
            if (b->jobs[next].state != WAITING)
                continue;
            begin(b, &b->jobs[next]);
            running += b->jobs[next].state == RUNNING;
        }
        if (!running)
            return;
        tf_sleep_until_ns(tf_now_ns() + 20000000);
        for (int i = 0; i < next; i++) {
            struct job *j = &b->jobs[i];
            struct tf_status status;

            if (j->state == RUNNING) {
                tf_pipeline_status(j->pipeline, &status);
                j->done = status.frames;
                if (tf_interrupted() || !tf_pipeline_running(j->pipeline)) {
                    end(b, j, tf_pipeline_running(j->pipeline));
                    running--;
                }
            }
            done += j->done;
        }
        tf_progress_update(progress, done);
    }
}

/* Their reasons stand further up, perhaps a thousand lines. */
static void say_failed(const struct batch *b, unsigned count)
{
    if (b->count < 2)
        return;
    fprintf(stderr, "thermoface run: %u of %d failed:\n", count, b->count);
    for (int i = 0; i < b->count; i++)
        if (b->jobs[i].state == FAILED)
            fprintf(stderr, "  %s\n", b->jobs[i].item->name);
}

static int report(struct batch *b, double seconds)
{
    unsigned counts[FAILED + 1] = {0};
    double recorded = 0;
    uint64_t frames = 0;

    for (int i = 0; i < b->count; i++) {
        const struct job *j = &b->jobs[i];

        counts[j->state]++;
        if (j->state != DONE)
            continue;
        frames += j->done;
        if (j->fps > 0)
            recorded += (double)j->done / (double)j->fps;
    }
    if (!b->run->quiet) {
        fprintf(stderr, "%u recording%s, %llu frame%s in %.1f s: %.1f frames/s", counts[DONE],
                counts[DONE] == 1 ? "" : "s", (unsigned long long)frames, TF_PLURAL(frames), seconds,
                seconds > 0 ? (double)frames / seconds : 0);
        if (recorded > 0 && seconds > 0)
            fprintf(stderr, ", %.1f times the recorded speed", recorded / seconds);
        if (counts[SKIPPED])
            fprintf(stderr, "; %u done before", counts[SKIPPED]);
        if (counts[FAILED])
            fprintf(stderr, "; %u failed", counts[FAILED]);
        fputc('\n', stderr);
    }
    if (counts[FAILED])
        say_failed(b, counts[FAILED]);
    if (counts[WAITING])
        return tf_command_error(b->usage,
                                "stopped before the end; what is done stays, and the same command goes on");
    return counts[FAILED] ? TF_EXIT_FAILURE : TF_EXIT_OK;
}

/* The jobs of a share, in order. False: out of memory. */
static bool make_jobs(struct batch *b, const struct tf_dataset *d, uint32_t shard)
{
    int n = 0;

    for (int i = 0; i < d->count; i++)
        n += !shard || d->items[i].shard == shard;
    b->jobs = calloc((size_t)n + 1, sizeof(*b->jobs));
    if (!b->jobs)
        return false;
    for (int i = 0; i < d->count && !tf_interrupted(); i++) {
        struct job *j = &b->jobs[b->count];

        if (shard && d->items[i].shard != shard)
            continue;
        b->count++;
        j->item = &d->items[i];
        common_options(b->run, j);
        if (j->item->problem) {
            say(b, j, "%s", j->item->problem);
            continue;
        }
        if (j->item->recording)
            add_recording(b, j);
        else
            add_video(b, j);
        if (j->state == WAITING)
            look_at_result(b, j);
    }
    return true;
}

static int run_batch(struct batch *b)
{
    struct tf_progress progress;
    uint64_t total = 0, start_ns;
    double seconds = 0;

    for (int i = 0; i < b->count; i++) {
        struct job *j = &b->jobs[i];

        if (j->state != WAITING)
            continue;
        look(j);
        total += j->frames;
        seconds += j->fps > 0 ? (double)j->frames / (double)j->fps : 0;
    }
    start_ns = tf_now_ns();
    tf_progress_start(&progress, total, seconds > 0 ? (float)((double)total / seconds) : 0, b->run->quiet);
    work(b, &progress);
    tf_progress_end(&progress);
    return report(b, (double)(tf_now_ns() - start_ns) / 1e9);
}

/* "K/N", with --list also "all/N". */
static int read_shard(const struct tf_usage *usage, const struct tf_run *r, uint32_t *shard, uint32_t *shards)
{
    const char *text = r->shard, *slash = strchr(text, '/');
    unsigned long k = 0, n = 0;
    char *end = NULL;
    bool all = strncmp(text, "all/", 4) == 0;

    if (slash && slash[1] >= '0' && slash[1] <= '9') {
        n = strtoul(slash + 1, &end, 10);
        n = *end ? 0 : n;
    }
    if (!slash || !end || *end ||
        (!all && (strspn(text, "0123456789") != (size_t)(slash - text) || slash == text)))
        return tf_usage_error(usage, "--shard %s: must be K/N, the K-th of N shares: 3/8", text);
    if (all && !r->list)
        return tf_usage_error(usage, "--shard %s: all shares only with --list", text);
    k = all ? 0 : strtoul(text, NULL, 10);
    if (n < 1 || n > TF_SHARDS_MAX)
        return tf_usage_error(usage, "--shard %s: there can be 1 to %u shares", text, TF_SHARDS_MAX);
    if (!all && k < 1)
        return tf_usage_error(usage, "--shard %s: shares count from 1: an array of %lu tasks is 1-%lu", text,
                              n, n);
    if (k > n)
        return tf_usage_error(usage, "--shard %s: there is no share %lu of %lu", text, k, n);
    *shard = (uint32_t)k;
    *shards = (uint32_t)n;
    return TF_EXIT_OK;
}

static int check(const struct tf_usage *usage, const struct tf_run *r)
{
    if (r->list && r->merge)
        return tf_usage_error(usage, "--list and --merge: one of them");
    if (r->merge && r->shard)
        return tf_usage_error(usage, "--merge is of the whole data set, without --shard");
    if (r->json && !r->list && !r->merge)
        return tf_usage_error(usage, "--json belongs to --list or --merge");
    return TF_EXIT_OK;
}

int tf_run_many(const struct tf_usage *usage, const struct tf_run *r, const char *const *inputs, int count)
{
    struct batch b = {.usage = usage, .run = r};
    struct tf_dataset d = {.usage = usage, .run = r};
    uint32_t shard = 0, shards = 1;
    struct tf_error err = {0};
    int status = check(usage, r);

    if (status == TF_EXIT_OK && r->palette && tf_palette_find(r->palette, &b.palette, &err) < 0)
        status = tf_usage_error(usage, "--palette %s: %s", r->palette, err.text);
    if (status == TF_EXIT_OK && r->shard)
        status = read_shard(usage, r, &shard, &shards);
    if (status == TF_EXIT_OK)
        status = tf_dataset_find(&d, inputs, count);
    if (status != TF_EXIT_OK)
        goto done;
    tf_catch_interrupt();
    if (r->list || r->shard) {
        tf_dataset_weigh(&d);
        if (tf_dataset_split(&d, shards) < 0) {
            status = tf_command_error(usage, "out of memory");
            goto done;
        }
    }
    b.maker = tf_run_maker(r);
    if (r->list) {
        status = tf_run_list(&d, b.maker, shard, shards);
    } else if (r->merge) {
        status = tf_run_merge(&d, b.maker);
    } else if (!b.maker || !make_jobs(&b, &d, shard)) {
        status = tf_command_error(usage, "out of memory");
    } else {
        if (shard && !b.count && !r->quiet)
            fprintf(stderr, "share %u of %u: nothing is in it, the data set has %d recording%s\n", shard,
                    shards, d.count, TF_PLURAL(d.count));
        status = run_batch(&b);
    }

done:
    for (int i = 0; i < b.count; i++) {
        json_decref(b.jobs[i].provenance);
        json_decref(b.jobs[i].replaced);
    }
    free(b.jobs);
    json_decref(b.maker);
    tf_dataset_clear(&d);
    return status;
}
