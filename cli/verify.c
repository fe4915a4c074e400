/* thermoface verify: does what a session's folder holds belong together? */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/verify.h"
#include "publish/tables.h"

#define VIDEO "_video.mkv"
#define SPLIT "_split-"
#define FIRST_SPLIT "_split-0001_video.mkv"
#define ANNOTATED "_desc-annotated_video.mkv"
#define DEPTH_MAX 6 /* a data set's folder, sub-, ses-, beh, and some to spare */

void tf_verify_problem(struct tf_verify *v, const char *path, const char *format, ...)
{
    va_list args;

    v->problems++;
    printf("%s: ", path);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* What the recording says of itself. */
struct about {
    bool there, complete, tables;
    json_int_t frames, rows;
};

static void read_about(struct tf_verify *v, const char *path, struct about *ret)
{
    json_error_t problem;
    json_t *d = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);

    if (!json_is_object(d)) {
        tf_verify_problem(v, path, "%s", problem.text);
    } else {
        ret->there = true;
        ret->complete = json_is_true(json_object_get(d, "Complete"));
        ret->tables = json_is_number(json_object_get(d, "PhysioSamplingFrequency"));
        ret->frames = json_integer_value(json_object_get(d, "VideoFrameCount"));
        ret->rows = json_integer_value(json_object_get(d, "RowCount"));
    }
    json_decref(d);
}

/* After a crash one file may have a little more of the end than another: that is said and no fault. */
__attribute__((format(printf, 4, 5))) static void differ(struct tf_verify *v, const struct about *about,
                                                         const char *path, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (about->there && !about->complete)
        printf("%s: %s (the recording was not ended properly)\n", path, text);
    else
        tf_verify_problem(v, path, "%s", text);
}

static uint64_t check_videos(struct tf_verify *v, const char *path, int stem)
{
    struct tf_verify_video video = {0};
    uint64_t frames;
    char other[4096 + 64];

    tf_verify_video(v, path, &video);
    frames = video.frames;
    /* Segments go on with the numbers. */
    for (unsigned i = 2; strstr(path + stem, SPLIT) && i <= 9999; i++) {
        snprintf(other, sizeof(other), "%.*s_split-%04u_video.mkv", stem, path, i);
        if (access(other, F_OK) < 0)
            break;
        video = (struct tf_verify_video){0};
        tf_verify_video(v, other, &video);
        frames += video.frames;
    }
    return frames;
}

static void check_derived(struct tf_verify *v, const char *path, int stem, const struct about *about,
                          const struct tf_verify_table *csv)
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) : 0;
    char other[4096 + 64], parent[4096], name[4096];
    struct tf_verify_table t = {0};

    snprintf(other, sizeof(other), "%.*s_signals.tsv", stem, path);
    tf_verify_lines(v, other, NULL, &t);
    if (t.there && t.rows != csv->rows + 1)
        differ(v, about, other, "%llu rows, and the frames' table has %llu", (unsigned long long)t.rows - 1,
               (unsigned long long)csv->rows);
    snprintf(parent, sizeof(parent), "%.*s", folder, path);
    snprintf(name, sizeof(name), "%.*s", stem - folder - 1, path + folder + 1);
    t = (struct tf_verify_table){0};
    if (tf_tables_motion_path(parent, name, "motion.tsv", other, sizeof(other)) == 0)
        tf_verify_lines(v, other, NULL, &t);
    if (t.there && t.rows != csv->rows)
        differ(v, about, other, "%llu rows, and the frames' table has %llu", (unsigned long long)t.rows,
               (unsigned long long)csv->rows);
    t = (struct tf_verify_table){0};
    snprintf(other, sizeof(other), "%.*s_physio.tsv.gz", stem, path);
    tf_verify_gzip(v, other, &t);
}

static void check_recording(struct tf_verify *v, const char *path, int stem)
{
    struct tf_verify_table csv = {0}, ndjson = {0};
    struct about about = {0};
    char other[4096 + 64];
    uint64_t frames;

    v->recordings++;
    snprintf(other, sizeof(other), "%.*s_video.json", stem, path);
    read_about(v, other, &about);
    frames = check_videos(v, path, stem);
    snprintf(other, sizeof(other), "%.*s_frames.csv", stem, path);
    tf_verify_csv(v, other, &csv);
    if (csv.there && frames != csv.with_frame)
        differ(v, &about, path, "%llu frames, and the table names %llu", (unsigned long long)frames,
               (unsigned long long)csv.with_frame);
    if (csv.there && csv.with_frame < csv.rows)
        tf_verify_problem(v, path, "%llu frames were refused while it was recorded",
                          (unsigned long long)(csv.rows - csv.with_frame));
    if (about.complete &&
        ((uint64_t)about.frames != frames || (csv.there && (uint64_t)about.rows != csv.rows)))
        tf_verify_problem(v, path, "%llu frames and %llu rows, and its description says %lld and %lld",
                          (unsigned long long)frames, (unsigned long long)csv.rows, (long long)about.frames,
                          (long long)about.rows);
    snprintf(other, sizeof(other), "%.*s_frames.ndjson", stem, path);
    tf_verify_lines(v, other, NULL, &ndjson);
    if (csv.there && ndjson.there && csv.rows != ndjson.rows)
        differ(v, &about, other, "%llu lines, and the CSV has %llu rows", (unsigned long long)ndjson.rows,
               (unsigned long long)csv.rows);
    if (about.tables)
        check_derived(v, path, stem, &about, &csv);
    printf("%.*s%s: %llu frames, %llu rows\n", stem, path, VIDEO, (unsigned long long)frames,
           (unsigned long long)csv.rows);
}

static bool ends(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);

    return n >= m && strcmp(text + n - m, ending) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void check_folder(struct tf_verify *v, const char *folder, int depth)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);

    if (n < 0) {
        tf_verify_problem(v, folder, "%s", strerror(errno));
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char path[4096];
        struct stat st;

        if (name[0] == '.' || strcmp(name, "derivatives") == 0 ||
            (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path) - 32 ||
            lstat(path, &st) < 0) {
            free(entries[i]);
            continue;
        }
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            check_folder(v, path, depth + 1);
        } else if (S_ISREG(st.st_mode) && ends(name, ANNOTATED)) {
            struct tf_verify_video video = {0};

            /* Without a picture there is not even a header: nothing was drawn before the end. */
            if (st.st_size > 0)
                tf_verify_video(v, path, &video);
        } else if (S_ISREG(st.st_mode) && ends(name, FIRST_SPLIT)) {
            check_recording(v, path, (int)(strlen(path) - strlen(FIRST_SPLIT)));
        } else if (S_ISREG(st.st_mode) && ends(name, VIDEO) && !strstr(name, SPLIT)) {
            check_recording(v, path, (int)(strlen(path) - strlen(VIDEO)));
        } else if (S_ISREG(st.st_mode) && (ends(name, "_events.tsv") || ends(name, "_clock.tsv"))) {
            struct tf_verify_table table = {0};

            /* Marks come in the order of their requests, which may overlap; the clock's rows come by time. */
            tf_verify_lines(v, path, ends(name, "_clock.tsv") ? "t_mono_ns" : NULL, &table);
            v->events += ends(name, "_events.tsv");
        }
        free(entries[i]);
    }
    free(entries);
}

int tf_cmd_verify(int argc, char **argv)
{
    struct tf_verify v = {0};
    const struct tf_bind bind[] = {
        {"trim", &v.trim},
        {0},
    };
    const struct tf_usage *usage = tf_command("verify");
    const char *arguments[TF_ARGUMENTS_MAX];
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    tf_verify_video_init();
    check_folder(&v, arguments[0], 0);
    if (v.problems)
        return tf_command_error(usage, "%s: %u problem%s", arguments[0], v.problems,
                                v.problems == 1 ? "" : "s");
    if (!v.recordings)
        return tf_command_error(usage, "%s: no recording is in it", arguments[0]);
    printf("%u recording%s: all right\n", v.recordings, v.recordings == 1 ? "" : "s");
    return TF_EXIT_OK;
}
