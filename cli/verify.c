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
#include "publish/recording/tables.h"

#define VIDEO "_video.mkv"
#define SPLIT "_split-"
#define FIRST_SPLIT "_split-0001_video.mkv"
#define ANNOTATED "_desc-annotated_video.mkv"
#define MANIFEST "_manifest.sha256"
#define DESCRIPTION "_video.json"
#define DEPTH_MAX 6 /* a data set's folder, sub-, ses-, beh, and some to spare */

/* What the recording says of itself. */
struct about {
    bool there, complete, tables;
    json_int_t frames, rows, annotated; /* pictures; -1: not said */
    char manifest[512], error[512];
};

static void read_about(struct tf_verify *v, const char *path, struct about *ret)
{
    json_error_t problem;
    json_t *d = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    const json_t *annotated = json_object_get(d, "AnnotatedPictureCount");
    const char *manifest = json_string_value(json_object_get(d, "Manifest"));
    const char *error = json_string_value(json_object_get(d, "Error"));

    ret->annotated = -1;
    if (!json_is_object(d)) {
        tf_verify_problem(v, path, "%s", problem.text);
    } else {
        ret->there = true;
        ret->complete = json_is_true(json_object_get(d, "Complete"));
        ret->tables = json_is_number(json_object_get(d, "PhysioSamplingFrequency"));
        ret->frames = json_integer_value(json_object_get(d, "VideoFrameCount"));
        ret->rows = json_integer_value(json_object_get(d, "RowCount"));
        ret->annotated = json_is_integer(annotated) ? json_integer_value(annotated) : -1;
        snprintf(ret->manifest, sizeof(ret->manifest), "%s", manifest ? manifest : "");
        snprintf(ret->error, sizeof(ret->error), "%s", error ? error : "");
        if (!ret->complete)
            tf_verify_problem(v, path, "the recording is not complete: %s",
                              error ? error : "it was not ended properly");
    }
    json_decref(d);
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

static void check_derived(struct tf_verify *v, const char *path, int stem, const struct tf_verify_table *csv)
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) : 0;
    char other[4096 + 64], parent[4096], name[4096];
    struct tf_verify_table t = {0};

    snprintf(other, sizeof(other), "%.*s_signals.tsv", stem, path);
    tf_verify_tsv(v, other, true, NULL, &t);
    if (t.there && csv->there && t.rows != csv->rows + 1)
        tf_verify_problem(v, other, "%llu rows, and the frames' table has %llu",
                          (unsigned long long)(t.rows ? t.rows - 1 : 0), (unsigned long long)csv->rows);
    snprintf(parent, sizeof(parent), "%.*s", folder, path);
    snprintf(name, sizeof(name), "%.*s", stem - folder - 1, path + folder + 1);
    t = (struct tf_verify_table){0};
    if (tf_tables_motion_path(parent, name, "motion.tsv", other, sizeof(other)) == 0)
        tf_verify_tsv(v, other, false, NULL, &t);
    if (t.there && csv->there && t.rows != csv->rows)
        tf_verify_problem(v, other, "%llu rows, and the frames' table has %llu", (unsigned long long)t.rows,
                          (unsigned long long)csv->rows);
    t = (struct tf_verify_table){0};
    snprintf(other, sizeof(other), "%.*s_physio.tsv.gz", stem, path);
    tf_verify_gzip(v, other, &t);
}

static void check_annotated(struct tf_verify *v, const char *path, int stem, const struct about *about)
{
    struct tf_verify_video video = {0};
    char other[4096 + 64];
    struct stat st;

    snprintf(other, sizeof(other), "%.*s" ANNOTATED, stem, path);
    if (stat(other, &st) < 0) {
        if (about->annotated >= 0)
            tf_verify_problem(v, other, "is missing: %lld pictures were recorded",
                              (long long)about->annotated);
        return;
    }
    /* Without a picture there is not even a header: nothing was drawn before the end. */
    if (st.st_size > 0)
        tf_verify_video(v, other, &video);
    if (about->annotated >= 0 && (uint64_t)about->annotated != video.frames)
        tf_verify_problem(v, other, "%llu pictures, and its description says %lld",
                          (unsigned long long)video.frames, (long long)about->annotated);
}

/* What all cameras of a session share; once for each. */
static void check_session(struct tf_verify *v, const char *path, int stem, const struct about *about)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *end = strstr(name, "_recording-");
    struct tf_verify_table table = {0};
    char session[4096], other[4096 + 64];
    bool has_clock;

    if (!end || end - path > stem)
        return;
    snprintf(session, sizeof(session), "%.*s", (int)(end - path), path);
    if (strcmp(session, v->session) == 0)
        return;
    strcpy(v->session, session);
    snprintf(other, sizeof(other), "%s_events.tsv", session);
    /* Marks come in the order of their requests, which may overlap; the clock's rows come by time. */
    tf_verify_tsv(v, other, true, NULL, &table);
    v->events += table.there;
    table = (struct tf_verify_table){0};
    snprintf(other, sizeof(other), "%s_clock.json", session);
    has_clock = *about->manifest || access(other, F_OK) == 0;
    snprintf(other, sizeof(other), "%s_clock.tsv", session);
    if (has_clock || access(other, F_OK) == 0)
        tf_verify_tsv(v, other, true, "t_mono_ns", &table);
    snprintf(other, sizeof(other), "%.*s%s", (int)(name - path), path, about->manifest);
    if (*about->manifest && !strchr(about->manifest, '/') && access(other, F_OK) < 0)
        tf_verify_problem(v, other, "the manifest is missing");
    else if (!*about->manifest && about->there)
        printf("%s: no manifest (an older recording): changed values cannot be seen\n", session);
}

static void check_recording(struct tf_verify *v, const char *path, int stem)
{
    struct tf_verify_table csv = {0}, ndjson = {0};
    struct about about = {0};
    char other[4096 + 64];
    uint64_t frames = 0;

    v->recordings++;
    snprintf(other, sizeof(other), "%.*s_video.json", stem, path);
    read_about(v, other, &about);
    check_session(v, path, stem, &about);
    if (strstr(path + stem, DESCRIPTION))
        tf_verify_problem(v, path, "the raw video is missing");
    else
        frames = check_videos(v, path, stem);
    snprintf(other, sizeof(other), "%.*s_frames.csv", stem, path);
    tf_verify_csv(v, other, &csv);
    if (csv.there && frames != csv.with_frame)
        tf_verify_problem(v, path, "%llu frames, and the table names %llu", (unsigned long long)frames,
                          (unsigned long long)csv.with_frame);
    if (csv.there && csv.with_frame < csv.rows)
        tf_verify_problem(v, path, "%llu frame%s refused while it was recorded",
                          (unsigned long long)(csv.rows - csv.with_frame),
                          csv.rows - csv.with_frame == 1 ? " was" : "s were");
    if (about.complete &&
        ((uint64_t)about.frames != frames || (csv.there && (uint64_t)about.rows != csv.rows)))
        tf_verify_problem(v, path, "%llu frames and %llu rows, and its description says %lld and %lld",
                          (unsigned long long)frames, (unsigned long long)csv.rows, (long long)about.frames,
                          (long long)about.rows);
    snprintf(other, sizeof(other), "%.*s_frames.ndjson", stem, path);
    tf_verify_ndjson(v, other, &ndjson);
    if (csv.there && ndjson.there && csv.rows != ndjson.rows)
        tf_verify_problem(v, other, "%llu lines, and the CSV has %llu rows", (unsigned long long)ndjson.rows,
                          (unsigned long long)csv.rows);
    if (about.tables)
        check_derived(v, path, stem, &csv);
    check_annotated(v, path, stem, &about);
    printf("%.*s%s: %llu frame%s, %llu row%s\n", stem, path, VIDEO, (unsigned long long)frames,
           TF_PLURAL(frames), (unsigned long long)csv.rows, TF_PLURAL(csv.rows));
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

/* Whether there is a raw video beside a description. */
static bool has_video(const char *path)
{
    int stem = (int)(strlen(path) - strlen(DESCRIPTION));
    char other[4096 + 64];

    snprintf(other, sizeof(other), "%.*s" VIDEO, stem, path);
    if (access(other, F_OK) == 0)
        return true;
    snprintf(other, sizeof(other), "%.*s" FIRST_SPLIT, stem, path);
    return access(other, F_OK) == 0;
}

/* Whether the session of these marks has any camera. */
static bool has_recording(struct dirent **entries, int count, const char *events)
{
    size_t n = strlen(events) - strlen("_events.tsv");

    for (int i = 0; i < count; i++)
        if (strncmp(entries[i]->d_name, events, n) == 0 &&
            strncmp(entries[i]->d_name + n, "_recording-", 11) == 0)
            return true;
    return false;
}

/* A note only: researchers may put files of their own beside ours. */
static void check_unknown(const char *folder, struct dirent **entries, int count, const char *manifest)
{
    size_t n = strlen(manifest) - strlen(MANIFEST);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (strncmp(name, manifest, n) == 0 && name[n] == '_' && strcmp(name, manifest) != 0 &&
            !tf_verify_manifest_names(folder, manifest, name))
            printf("%s/%s: is not in the session's manifest\n", folder, name);
    }
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
            lstat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            check_folder(v, path, depth + 1);
        } else if (ends(name, ANNOTATED)) {
            /* With its recording. */
        } else if (S_ISREG(st.st_mode) && ends(name, FIRST_SPLIT)) {
            check_recording(v, path, (int)(strlen(path) - strlen(FIRST_SPLIT)));
        } else if (S_ISREG(st.st_mode) && ends(name, VIDEO) && !strstr(name, SPLIT)) {
            check_recording(v, path, (int)(strlen(path) - strlen(VIDEO)));
        } else if (S_ISREG(st.st_mode) && ends(name, DESCRIPTION) && !has_video(path)) {
            check_recording(v, path, (int)(strlen(path) - strlen(DESCRIPTION)));
        } else if (S_ISREG(st.st_mode) && ends(name, "_events.tsv") && !has_recording(entries, n, name)) {
            tf_verify_problem(v, path, "no recording belongs to it");
        }
    }
    /* When tables have been trimmed. */
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.' && ends(entries[i]->d_name, MANIFEST)) {
            if (tf_verify_manifest(v, folder, entries[i]->d_name))
                check_unknown(folder, entries, n, entries[i]->d_name);
        }
    }
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
}

int tf_cmd_verify(int argc, char **argv)
{
    struct tf_verify v = {0};
    const struct tf_bind bind[] = {
        {"trim", &v.trim},
        {"renew", &v.renew},
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
