/* Finds recordings in folders. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "capture/source.h"
#include "cli/run.h"

/* What names a recording; the first one alone where it is to be analysed again. */
static const char *const endings[] = {"_frames.csv", "_signals.tsv", "_video.json"};
#define DEPTH_MAX 6 /* a data set's folder, sub-, ses-, beh, and some to spare */

struct found {
    struct tf_recording_found *list;
    int count;
    bool tables; /* are enough: a video need not be there */
    bool broken; /* what lacks its table or its video is found, too */
};

static bool has_video(const char *folder, const char *stem)
{
    char path[4096 + 640];

    snprintf(path, sizeof(path), "%s/%s_video.mkv", folder, stem);
    if (access(path, F_OK) == 0)
        return true;
    snprintf(path, sizeof(path), "%s/%s_split-0001_video.mkv", folder, stem);
    return access(path, F_OK) == 0;
}

/* Whether the service described it: other programs' videos have descriptions of that name, too. */
static bool is_ours(const char *folder, const char *stem)
{
    char path[4096 + 640];
    json_t *d;
    bool ours;

    snprintf(path, sizeof(path), "%s/%s_video.json", folder, stem);
    d = access(path, F_OK) == 0 ? json_load_file(path, JSON_REJECT_DUPLICATES, NULL) : NULL;
    ours = json_object_get(d, "SessionStartMonotonicNs") != NULL;
    json_decref(d);
    return ours;
}

/* A recording that has lost a part must not look as if it had never been there. */
static const char *problem_of(const struct tf_recording_found *one, bool table)
{
    char path[4096 + 640];

    if (table)
        return has_video(one->folder, one->stem) ? NULL
               : is_ours(one->folder, one->stem) ? "its raw video is missing"
                                                 : "";
    snprintf(path, sizeof(path), "%s/%s_frames.csv", one->folder, one->stem);
    return access(path, F_OK) < 0 && is_ours(one->folder, one->stem) ? "its table _frames.csv is missing"
                                                                     : "";
}

static int take(struct found *f, const char *folder, const char *name)
{
    struct tf_recording_found *more, one = {0};
    size_t n = strlen(name), end = 0;
    bool table = false;

    for (size_t i = 0; i < (f->tables || f->broken ? TF_COUNT(endings) : 1) && !end; i++)
        if (n > strlen(endings[i]) && strcmp(name + n - strlen(endings[i]), endings[i]) == 0) {
            end = strlen(endings[i]);
            table = i == 0;
        }
    if (!end || n - end >= sizeof(one.stem) || strlen(folder) >= sizeof(one.folder))
        return 0;
    snprintf(one.folder, sizeof(one.folder), "%s", folder);
    snprintf(one.stem, sizeof(one.stem), "%.*s", (int)(n - end), name);
    if (f->broken) {
        one.problem = problem_of(&one, table);
        if (one.problem && !*one.problem)
            return 0;
    } else if (!f->tables && !has_video(one.folder, one.stem)) {
        return 0;
    }
    for (int i = f->count - 1; i >= 0; i--)
        if (strcmp(f->list[i].stem, one.stem) == 0 && strcmp(f->list[i].folder, one.folder) == 0)
            return 0;
    more = realloc(f->list, (size_t)(f->count + 1) * sizeof(*more));
    if (!more)
        return -ENOMEM;
    f->list = more;
    more[f->count++] = one;
    return 0;
}

/* Files may be links: DataLad and git-annex keep them so. Folders that are links are not followed. */
static bool is_file(const char *path, const struct stat *st)
{
    struct stat target;

    return S_ISREG(st->st_mode) ||
           (S_ISLNK(st->st_mode) && stat(path, &target) == 0 && S_ISREG(target.st_mode));
}

static int search(struct found *f, const char *folder, int depth)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), r = n < 0 ? -errno : 0;

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char path[4096];
        struct stat st;

        if (r == 0 && name[0] != '.' && strcmp(name, "derivatives") != 0 &&
            (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path) &&
            lstat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
                r = search(f, path, depth + 1);
            else if (is_file(path, &st))
                r = take(f, folder, name);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return r;
}

static int find(const char *folder, struct found f, struct tf_recording_found **ret)
{
    char path[4096];
    size_t n = strlen(folder);
    int r;

    if (n >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, folder, n + 1);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';
    r = search(&f, path, 0);
    if (r < 0) {
        free(f.list);
        return r;
    }
    *ret = f.list;
    return f.count;
}

int tf_find_recordings(const char *folder, struct tf_recording_found **ret)
{
    return find(folder, (struct found){0}, ret);
}

int tf_find_results(const char *folder, struct tf_recording_found **ret)
{
    return find(folder, (struct found){.tables = true}, ret);
}

int tf_find_dataset(const char *folder, struct tf_recording_found **ret)
{
    return find(folder, (struct found){.broken = true}, ret);
}

/* --- videos --- */

struct videos {
    struct tf_video_found *list;
    int count;
    struct stat output;
    bool has_output, raw;
};

static bool ends(const char *name, const char *ending)
{
    size_t n = strlen(name), e = strlen(ending);

    return n > e && strcasecmp(name + n - e, ending) == 0;
}

/*
 * What a recording is called, by its ending; makers' own formats are among them, for an error that says what
 * to do with them is better than a recording that nobody missed. Single pictures are no recordings.
 */
static bool is_video(const struct videos *v, const char *path, const char *name)
{
    static const char *const all[] = {".mkv",      ".mp4", ".m4v",  ".mov",  ".avi",   ".mpg", ".mpeg",
                                      ".ts",       ".wmv", ".webm", ".y4m",  ".nut",   ".mj2", ".gz",
                                      ".ffconcat", ".seq", ".csq",  ".ptw",  ".sfmov", ".ats", ".irs",
                                      ".is3",      ".fcf", ".tmsx", ".cptv", ".tmjsn"};
    static const char *const values[] = {".raw", ".bin", ".y16", ".yuv", ".dat"};
    const struct tf_source_options options = {.url = path, .pace = TF_PACE_FAST};
    struct tf_source *source = NULL;
    uint64_t frames;

    if (ends(name, "_desc-annotated_video.mkv") || ends(name, ".tsv.gz") || ends(name, ".csv.gz") ||
        ends(name, ".nii.gz") || ends(name, ".tar.gz"))
        return false;
    for (size_t i = 0; i < TF_COUNT(all); i++)
        if (ends(name, all[i]))
            return true;
    for (size_t i = 0; v->raw && i < TF_COUNT(values); i++)
        if (ends(name, values[i]))
            return true;
    if (!ends(name, ".tif") && !ends(name, ".tiff"))
        return false;
    if (tf_source_open(&options, &source, NULL) < 0)
        return true; /* it says why when it is opened to be read */
    frames = tf_source_info(source)->frames;
    tf_source_close(source);
    return frames != 1;
}

static int search_videos(struct videos *v, const char *folder, int depth)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), r = n < 0 ? -errno : 0;

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        struct tf_video_found *more;
        char path[4096];
        struct stat st;

        if (r == 0 && name[0] != '.' && strcmp(name, "derivatives") != 0 &&
            (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path) &&
            lstat(path, &st) == 0) {
            /* Results that lie in it are no inputs of the next run. */
            if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX &&
                !(v->has_output && st.st_dev == v->output.st_dev && st.st_ino == v->output.st_ino)) {
                r = search_videos(v, path, depth + 1);
            } else if (!S_ISDIR(st.st_mode) && (is_file(path, &st) || S_ISLNK(st.st_mode)) &&
                       is_video(v, path, name)) {
                more = realloc(v->list, (size_t)(v->count + 1) * sizeof(*more));
                if (more) {
                    v->list = more;
                    strcpy(more[v->count++].path, path);
                } else {
                    r = -ENOMEM;
                }
            }
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return r;
}

int tf_find_videos(const char *folder, const char *output, bool raw, struct tf_video_found **ret)
{
    struct videos v = {.raw = raw};
    char path[4096];
    size_t n = strlen(folder);
    int r;

    if (n >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, folder, n + 1);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';
    v.has_output = output && stat(output, &v.output) == 0;
    r = search_videos(&v, path, 0);
    if (r < 0) {
        free(v.list);
        return r;
    }
    *ret = v.list;
    return v.count;
}
