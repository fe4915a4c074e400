/*
 * Recordings and several videos through the pipeline: records, tables and annotated videos into a folder.
 *
 * Each recording is made in a hidden folder beside its place and moved there when it is whole, the frames'
 * table last: where that one stands, the recording is done, and a run that was broken off goes on with the
 * next.
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
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
#include "cli/run_sidecar.h"
#include "config.h"
#include "pipeline/pipeline.h"
#include "publish/recording/tables.h"

#define PATH_BYTES 4096
#define JSON_MAX (4u << 20)

enum state { WAITING, RUNNING, DONE, SKIPPED, FAILED };

struct job {
    enum state state;
    bool recording;
    char url[PATH_BYTES + 16];   /* of the source */
    char out[PATH_BYTES];        /* folder of the results */
    char part[PATH_BYTES + 640]; /* hidden folder: beh/, motion/ */
    char root[PATH_BYTES];       /* of the data set that the results are, or empty */
    char stem[512], camera[64], format[32], video[PATH_BYTES + 1500];
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
};

__attribute__((format(printf, 3, 4))) static int say(struct batch *b, struct job *j, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "thermoface run: %s: ", j->stem);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    j->state = FAILED;
    return -1;
}

/* --- where results go --- */

static int make_folders(const char *path)
{
    char part[PATH_BYTES + 1024];

    snprintf(part, sizeof(part), "%s", path);
    for (char *c = part + 1;; c++) {
        char kept = *c;

        if (kept != '/' && kept != '\0')
            continue;
        *c = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        *c = kept;
        if (!kept)
            return 0;
    }
}

static void remove_folder(const char *path, int depth)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char one[PATH_BYTES + 512];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(one, sizeof(one), "%s/%s", path, entry->d_name);
        if (unlink(one) < 0 && depth < 2)
            remove_folder(one, depth + 1);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static int move_all(const char *from, const char *to, const char *last)
{
    DIR *dir = opendir(from);
    char a[PATH_BYTES + 768], b[PATH_BYTES + 768];
    struct dirent *entry;
    int r = 0;

    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    r = make_folders(to);
    while (r == 0 && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || (last && strcmp(entry->d_name, last) == 0))
            continue;
        snprintf(a, sizeof(a), "%s/%s", from, entry->d_name);
        snprintf(b, sizeof(b), "%s/%s", to, entry->d_name);
        if (rename(a, b) < 0)
            r = -errno;
    }
    closedir(dir);
    if (r == 0 && last) {
        snprintf(a, sizeof(a), "%s/%s", from, last);
        snprintf(b, sizeof(b), "%s/%s", to, last);
        if (rename(a, b) < 0)
            r = -errno;
    }
    return r;
}

static int publish_results(struct job *j)
{
    char beh[PATH_BYTES + 720], motion[PATH_BYTES + 720], to[PATH_BYTES], last[640];
    size_t n = strlen(j->out);
    int r;

    snprintf(beh, sizeof(beh), "%s/beh", j->part);
    snprintf(motion, sizeof(motion), "%s/motion", j->part);
    snprintf(last, sizeof(last), "%s_frames.csv", j->stem);
    snprintf(to, sizeof(to), "%s", j->out);
    if (n > 4 && strcmp(to + n - 4, "/beh") == 0)
        snprintf(to + n - 4, sizeof(to) - n + 4, "/motion");
    r = move_all(motion, to, NULL);
    if (r == 0)
        r = move_all(beh, j->out, last);
    remove_folder(j->part, 0);
    return r;
}

/* The nearest folder upwards that is a data set; 0 when there is none. Returns the length of its path. */
static size_t dataset_root(const char *folder)
{
    char path[PATH_BYTES + 32];
    size_t n = strlen(folder);

    while (n) {
        snprintf(path, sizeof(path), "%.*s/dataset_description.json", (int)n, folder);
        if (access(path, F_OK) == 0)
            return n;
        while (n && folder[n - 1] != '/')
            n--;
        while (n && folder[n - 1] == '/')
            n--;
    }
    return 0;
}

static int place(struct batch *b, struct job *j, const char *folder)
{
    char whole[PATH_BYTES], done[PATH_BYTES + 640];
    const char *output = b->run->output;
    struct stat x, y;
    size_t root;

    if (!realpath(folder, whole))
        return say(b, j, "%s: %s", folder, strerror(errno));
    root = dataset_root(whole);
    if (!output && (!j->recording || !root))
        return say(b, j, "where do the results go? Say --output FOLDER");
    if (!j->recording)
        snprintf(j->out, sizeof(j->out), "%.*s", PATH_BYTES - 1, output);
    else if (output)
        snprintf(j->root, sizeof(j->root), "%.*s", PATH_BYTES - 1, output);
    else
        snprintf(j->root, sizeof(j->root), "%.*s/derivatives/thermoface", (int)root, whole);
    if (j->recording &&
        (size_t)snprintf(j->out, sizeof(j->out), "%s%s", j->root, root ? whole + root : "") >= sizeof(j->out))
        return say(b, j, "the path of the results is too long");
    if (stat(j->out, &x) == 0 && stat(whole, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino &&
        j->recording)
        return say(b, j, "the results would take the place of the recording itself: choose another --output");
    snprintf(j->part, sizeof(j->part), "%s/.part-%s", j->out, j->stem);
    snprintf(done, sizeof(done), "%s/%s_frames.csv", j->out, j->stem);
    if (access(done, F_OK) == 0 && !b->run->overwrite)
        j->state = SKIPPED;
    return 0;
}

/* Results of recordings are a data set of their own. */
static void describe_dataset(const struct job *j)
{
    char path[PATH_BYTES + 64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/dataset_description.json", j->root);
    file = *j->root ? fopen(path, "wxe") : NULL;
    if (!file)
        return;
    fputs("{\n  \"Name\": \"thermoface, made again from recordings\",\n  \"BIDSVersion\": \"1.9.0\",\n"
          "  \"DatasetType\": \"derivative\",\n"
          "  \"GeneratedBy\": [{\"Name\": \"thermoface run\", \"Version\": \"" TF_VERSION "\"}]\n}\n",
          file);
    fclose(file);
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
static uint32_t first_id_of_table(const char *folder, const char *stem)
{
    char path[PATH_BYTES + 640], *line = NULL;
    size_t size = 0;
    uint32_t id = 0;
    FILE *file;
    int place = -1;

    snprintf(path, sizeof(path), "%s/%s_frames.csv", folder, stem);
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
static int read_description(struct batch *b, struct job *j, const struct tf_recording_found *from)
{
    const struct tf_run *r = b->run;
    struct tf_analyser_options *o = &j->options.analyser;
    char path[PATH_BYTES + 640], *text;
    struct tf_error err = {0};
    struct tf_sidecar s;
    size_t size = 0;
    int code;

    snprintf(path, sizeof(path), "%s/%s_video.json", from->folder, from->stem);
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
    j->options.first_face_id =
        s.first_face_id ? s.first_face_id : first_id_of_table(from->folder, from->stem);
    j->fps = j->tables.fps = s.fps;
    j->tables.t_start_ns = s.t_start_ns;
    if (!r->physio_rate)
        j->tables.physio_rate = s.physio_rate;
    if (!(j->tables.physio_rate >= 0 && j->tables.physio_rate <= 1000))
        j->tables.physio_rate = 0;
    return 0;
}

static void add_recording(struct batch *b, struct job *j, const struct tf_recording_found *from)
{
    j->recording = true;
    snprintf(j->stem, sizeof(j->stem), "%s", from->stem);
    snprintf(j->url, sizeof(j->url), "recording:%.*s/%s", PATH_BYTES - 600, from->folder, from->stem);
    if (read_description(b, j, from) < 0)
        return;
    place(b, j, from->folder);
}

static void add_video(struct batch *b, struct job *j, const char *path)
{
    const char *name = strrchr(path, '/');
    char *ending;

    snprintf(j->stem, sizeof(j->stem), "%.*s", 500, name ? name + 1 : path);
    ending = strrchr(j->stem, '.');
    if (ending && ending != j->stem)
        *ending = '\0';
    snprintf(j->url, sizeof(j->url), "file:%.*s", PATH_BYTES - 1, path);
    snprintf(j->format, sizeof(j->format), "%s", b->run->format ? b->run->format : "");
    j->tables.plain_video = true;
    place(b, j, ".");
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

    remove_folder(j->part, 0);
    snprintf(beh, sizeof(beh), "%s/beh", j->part);
    r = make_folders(beh);
    if (r < 0) {
        say(b, j, "%s: cannot be made: %s", beh, strerror(-r));
        return;
    }
    describe_dataset(j);
    if (b->run->palette)
        j->options.overlay.palette = b->palette;
    snprintf(j->video, sizeof(j->video), "%.*s/%s_desc-annotated_video.mkv", PATH_BYTES - 1, beh, j->stem);
    j->options.camera = j->camera;
    tf_own_of_camera(&j->own, j->camera, &j->own);
    tf_own_names_of(&j->own, &j->own_names);
    j->options.own = &j->own;
    j->tables.own = &j->own_names;
    j->options.video = j->options.pictures ? j->video : NULL;
    j->tables.camera = j->camera;
    j->tables.folder = beh;
    j->tables.stem = j->stem;
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
        remove_folder(j->part, 0);
        say(b, j, "%s", *err.text ? err.text : strerror(-r));
        return;
    }
    j->state = RUNNING;
}

static void end(struct batch *b, struct job *j, bool stopped)
{
    struct tf_error err = {0};
    struct tf_status status;
    int r = tf_pipeline_stop(j->pipeline, &err);

    tf_pipeline_status(j->pipeline, &status);
    j->done = status.frames;
    if (*status.notice && !b->run->quiet)
        fprintf(stderr, "%s: note: %s\n", j->stem, status.notice);
    tf_pipeline_destroy(j->pipeline);
    j->pipeline = NULL;
    if (stopped || r < 0) {
        remove_folder(j->part, 0);
        if (r < 0)
            say(b, j, "%s", *err.text ? err.text : strerror(-r));
        else
            j->state = WAITING;
        return;
    }
    if (!b->run->quiet)
        tf_run_say_turn(&status.turn, j->stem);
    r = publish_results(j);
    if (r < 0)
        say(b, j, "%s: the results cannot be put there: %s", j->out, strerror(-r));
    else
        j->state = DONE;
}

static void work(struct batch *b, struct tf_progress *progress)
{
    int jobs = (int)b->run->jobs, next = 0, running = 0;

    if (!jobs) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);

        jobs = cpus > 1 ? (int)cpus : 1;
    }
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
    if (counts[WAITING])
        return tf_command_error(b->usage,
                                "stopped before the end; what is done stays, and the same command goes on");
    return counts[FAILED] ? TF_EXIT_FAILURE : TF_EXIT_OK;
}

static struct job *more_jobs(struct batch *b, int count)
{
    struct job *jobs = realloc(b->jobs, (size_t)(b->count + count) * sizeof(*jobs));

    if (!jobs)
        return NULL;
    b->jobs = jobs;
    jobs += b->count;
    memset(jobs, 0, (size_t)count * sizeof(*jobs));
    b->count += count;
    for (int i = 0; i < count; i++)
        common_options(b->run, &jobs[i]);
    return jobs;
}

static int collect(struct batch *b, const char *input)
{
    struct tf_recording_found *found = NULL;
    struct job *jobs;
    struct stat st;
    int n = 1;

    if (stat(input, &st) < 0)
        return strncmp(input, "synthetic", 9) != 0
                   ? tf_command_error(b->usage, "%s: %s", input, strerror(errno))
                   : tf_usage_error(b->usage,
                                    "%s has no end: it goes to --ndjson, --csv or --video, with --limit",
                                    input);
    if (S_ISDIR(st.st_mode)) {
        n = tf_find_recordings(input, &found);
        if (n < 0)
            return tf_command_error(b->usage, "%s: %s", input, strerror(-n));
        if (!n)
            return tf_command_error(b->usage, "%s: no recorded session is in it", input);
    }
    jobs = more_jobs(b, n);
    if (!jobs) {
        free(found);
        return tf_command_error(b->usage, "out of memory");
    }
    for (int i = 0; i < n; i++)
        if (found)
            add_recording(b, &jobs[i], &found[i]);
        else
            add_video(b, &jobs[i], input);
    free(found);
    return TF_EXIT_OK;
}

int tf_run_many(const struct tf_usage *usage, const struct tf_run *r, const char *const *inputs, int count)
{
    struct batch b = {.usage = usage, .run = r};
    struct tf_progress progress;
    struct tf_error err = {0};
    uint64_t total = 0, start_ns;
    double seconds = 0;
    int status = TF_EXIT_OK;

    if (r->palette && tf_palette_find(r->palette, &b.palette, &err) < 0)
        return tf_usage_error(usage, "--palette %s: %s", r->palette, err.text);
    for (int i = 0; i < count && status == TF_EXIT_OK; i++)
        status = collect(&b, inputs[i]);
    if (status != TF_EXIT_OK) {
        free(b.jobs);
        return status;
    }
    for (int i = 0; i < b.count; i++) {
        struct job *j = &b.jobs[i];

        for (int k = 0; k < i && j->state == WAITING; k++)
            if (b.jobs[k].state == WAITING && strcmp(b.jobs[k].part, j->part) == 0)
                say(&b, j, "another input has the same name");
        if (j->state != WAITING)
            continue;
        look(j);
        total += j->frames;
        seconds += j->fps > 0 ? (double)j->frames / (double)j->fps : 0;
    }
    tf_catch_interrupt();
    start_ns = tf_now_ns();
    tf_progress_start(&progress, total, seconds > 0 ? (float)((double)total / seconds) : 0, r->quiet);
    work(&b, &progress);
    tf_progress_end(&progress);
    status = report(&b, (double)(tf_now_ns() - start_ns) / 1e9);
    free(b.jobs);
    return status;
}
