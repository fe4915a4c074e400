/* Finds recordings in folders. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "cli/run.h"

/* What names a recording; the first one alone where it is to be analysed again. */
static const char *const endings[] = {"_frames.csv", "_signals.tsv", "_video.json"};
#define DEPTH_MAX 6 /* a data set's folder, sub-, ses-, beh, and some to spare */

struct found {
    struct tf_recording_found *list;
    int count;
    bool tables; /* are enough: a video need not be there */
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

static int take(struct found *f, const char *folder, const char *name)
{
    struct tf_recording_found *more, one;
    size_t n = strlen(name), end = 0;

    for (size_t i = 0; i < (f->tables ? TF_COUNT(endings) : 1) && !end; i++)
        if (n > strlen(endings[i]) && strcmp(name + n - strlen(endings[i]), endings[i]) == 0)
            end = strlen(endings[i]);
    if (!end || n - end >= sizeof(one.stem) || strlen(folder) >= sizeof(one.folder))
        return 0;
    snprintf(one.folder, sizeof(one.folder), "%s", folder);
    snprintf(one.stem, sizeof(one.stem), "%.*s", (int)(n - end), name);
    if (!f->tables && !has_video(one.folder, one.stem))
        return 0;
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
            else if (S_ISREG(st.st_mode))
                r = take(f, folder, name);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return r;
}

static int find(const char *folder, bool tables, struct tf_recording_found **ret)
{
    struct found f = {.tables = tables};
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
    return find(folder, false, ret);
}

int tf_find_results(const char *folder, struct tf_recording_found **ret)
{
    return find(folder, true, ret);
}
