/* Recorded sessions, to be looked at from elsewhere: what is there, and its files. */
#include "publish/recording/session_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define EVENTS "_events.tsv"
#define DESCRIPTION "_video.json"
#define RECORDING "_recording-"
#define ENTRIES_MAX 20000 /* of a folder */
#define FILES_MAX 500     /* of a session */
#define CAMERAS_MAX 32
#define DESCRIPTION_MAX (1 << 20)
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Of an id. */
struct labels {
    char subject[TF_SESSION_ID_MAX], session[TF_SESSION_ID_MAX], task[TF_SESSION_ID_MAX];
    unsigned run;
};

/* "KEY-label" at *at; what follows is "_" or the end. */
static bool take(const char **at, const char *key, char label[TF_SESSION_ID_MAX])
{
    size_t k = strlen(key), n;

    if (strncmp(*at, key, k) != 0)
        return false;
    n = strspn(*at + k, LETTERS);
    if (!n || n >= TF_SESSION_ID_MAX)
        return false;
    memcpy(label, *at + k, n);
    label[n] = '\0';
    *at += k + n;
    return true;
}

static bool read_id(const char *id, struct labels *ret)
{
    char run[TF_SESSION_ID_MAX];

    *ret = (struct labels){0};
    if (strlen(id) >= TF_SESSION_ID_MAX || !take(&id, "sub-", ret->subject))
        return false;
    take(&id, "_ses-", ret->session);
    if (!take(&id, "_task-", ret->task) || !take(&id, "_run-", run) || *id || strlen(run) > 6 ||
        strspn(run, "0123456789") != strlen(run))
        return false;
    ret->run = (unsigned)strtoul(run, NULL, 10);
    return true;
}

static int open_folder(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* A folder in one that is open, which is closed. */
static int enter(int parent, const char *format, const char *label)
{
    char name[TF_SESSION_ID_MAX + 8];
    int fd;

    if (parent < 0)
        return parent;
    snprintf(name, sizeof(name), format, label);
    fd = open_folder(parent, name);
    close(parent);
    return fd;
}

static int open_root(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int open_beh(const char *directory, const struct labels *l)
{
    int fd = enter(open_root(directory), "sub-%s", l->subject);

    if (l->session[0])
        fd = enter(fd, "ses-%s", l->session);
    return enter(fd, "%s", "beh");
}

/* Whether a file's name is one of the session's. */
static bool is_of(const char *name, const char *id)
{
    size_t n = strlen(id);

    return strncmp(name, id, n) == 0 && name[n] == '_' && strspn(name, LETTERS "_-.") == strlen(name) &&
           strlen(name) < 256;
}

int tf_sessions_open(const char *directory, const char *id, const char *name)
{
    struct labels l;
    struct stat st;
    int folder, fd;

    if (!read_id(id, &l) || !is_of(name, id))
        return -EINVAL;
    folder = open_beh(directory, &l);
    if (folder < 0)
        return folder;
    fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        fd = -errno;
    close(folder);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

/* --- what a session is --- */

static bool ends(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);

    return n > m && strcmp(text + n - m, ending) == 0;
}

/* Names of an open folder, ordered; the caller frees them and the list. Returns how many, or a negative
 * errno. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static int read_names(int fd, char ***ret)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0, r;
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    char **names = dir ? calloc(ENTRIES_MAX, sizeof(*names)) : NULL;
    struct dirent *entry;

    if (!names) {
        if (dir)
            closedir(dir);
        else if (again >= 0)
            close(again);
        return dir ? -ENOMEM : -EIO;
    }
    errno = 0;
    while (n < ENTRIES_MAX && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && (names[n] = strdup(entry->d_name)))
            n++;
    r = n < ENTRIES_MAX && errno ? -errno : n; /* half of a folder is not told as a whole one */
    closedir(dir);
    if (r < 0) {
        free_names(names, n);
        return r;
    }
    qsort(names, (size_t)n, sizeof(*names), by_name);
    *ret = names;
    return n;
}

/* What a recording's description says; false: nothing. */
static bool read_description(int folder, const char *name, bool *complete, double *seconds)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    json_t *d = NULL;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= DESCRIPTION_MAX)
        d = json_loadfd(fd, 0, NULL);
    if (fd >= 0)
        close(fd);
    *complete = json_is_true(json_object_get(d, "Complete"));
    *seconds = json_number_value(json_object_get(d, "RecordingDuration"));
    json_decref(d);
    return d != NULL;
}

/* The label of "ID_recording-LABEL_video.json". */
static bool label_of(const char *name, const char *id, char *ret, size_t size)
{
    size_t n = strlen(id), k = strlen(RECORDING), m;

    if (strncmp(name + n, RECORDING, k) != 0 || !ends(name, DESCRIPTION))
        return false;
    m = strlen(name) - n - k - strlen(DESCRIPTION);
    if (!m || m >= size || strspn(name + n + k, LETTERS) != m)
        return false;
    memcpy(ret, name + n + k, m);
    ret[m] = '\0';
    return true;
}

/* `files` NULL: they are not told. */
static json_t *tell(int folder, char *const *names, int count, const char *id, const struct labels *l,
                    const char *running, json_t *files)
{
    json_t *d = json_object(), *cameras = json_array();
    char utc[TF_UTC_TEXT], label[128];
    bool complete = true;
    double longest = 0;
    uint64_t bytes = 0;
    int64_t changed = 0;

    for (int i = 0; i < count; i++) {
        struct stat st;

        if (!is_of(names[i], id) || fstatat(folder, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        bytes += (uint64_t)st.st_size;
        if ((int64_t)st.st_mtim.tv_sec > changed)
            changed = (int64_t)st.st_mtim.tv_sec;
        if (label_of(names[i], id, label, sizeof(label)) && json_array_size(cameras) < CAMERAS_MAX) {
            double seconds = 0;
            bool whole = false;

            read_description(folder, names[i], &whole, &seconds);
            complete &= whole;
            longest = seconds > longest && seconds < 1e9 ? seconds : longest;
            json_array_append_new(cameras, json_string(label));
        }
        if (files && json_array_size(files) < FILES_MAX)
            json_array_append_new(files,
                                  json_pack("{s:s,s:I}", "name", names[i], "bytes", (json_int_t)st.st_size));
    }
    tf_utc_format(changed * (int64_t)TF_NS_PER_S, utc);
    json_object_set_new(d, "id", json_string(id));
    json_object_set_new(d, "subject", json_string(l->subject));
    json_object_set_new(d, "session", l->session[0] ? json_string(l->session) : json_null());
    json_object_set_new(d, "task", json_string(l->task));
    json_object_set_new(d, "run", json_integer(l->run));
    json_object_set_new(d, "state",
                        json_string(running && strcmp(running, id) == 0    ? "recording"
                                    : complete && json_array_size(cameras) ? "complete"
                                                                           : "incomplete"));
    json_object_set_new(d, "seconds", json_real(longest));
    json_object_set_new(d, "cameras", cameras);
    json_object_set_new(d, "bytes", json_integer((json_int_t)bytes));
    json_object_set_new(d, "changed", json_string(utc));
    if (files)
        json_object_set(d, "files", files);
    return d;
}

int tf_sessions_tell(const char *directory, const char *id, const char *running, json_t **ret,
                     struct tf_error *err)
{
    json_t *files = json_array();
    char **names = NULL;
    struct labels l;
    int folder = -EINVAL, n;

    if (read_id(id, &l))
        folder = open_beh(directory, &l);
    n = folder < 0 ? folder : read_names(folder, &names);
    if (n >= 0) {
        *ret = tell(folder, names, n, id, &l, running, files);
        if (json_array_size(files) == 0) {
            json_decref(*ret);
            n = -ENOENT;
        }
    }
    if (names)
        free_names(names, n > 0 ? n : 0);
    if (folder >= 0)
        close(folder);
    json_decref(files);
    return n >= 0 ? 0
                  : tf_fail(err, n == -ELOOP || n == -ENOTDIR ? -ENOENT : n,
                            n == -EINVAL ? "that is no session's id" : "there is no such session");
}

/* --- all of them --- */

struct listing {
    const char *running;
    json_t *list;
    bool more;
};

/* Takes the folder over. */
static void list_beh(struct listing *x, int folder)
{
    char **names = NULL, id[TF_SESSION_ID_MAX];
    int n = folder < 0 ? folder : read_names(folder, &names);

    for (int i = 0; i < n; i++) {
        size_t m = strlen(names[i]);
        struct labels l;

        if (!ends(names[i], EVENTS) || m - strlen(EVENTS) >= sizeof(id))
            continue;
        snprintf(id, sizeof(id), "%.*s", (int)(m - strlen(EVENTS)), names[i]);
        if (!read_id(id, &l))
            continue;
        if (json_array_size(x->list) == TF_SESSIONS_LISTED_MAX) {
            x->more = true;
            break;
        }
        json_array_append_new(x->list, tell(folder, names, n, id, &l, x->running, NULL));
    }
    if (names)
        free_names(names, n > 0 ? n : 0);
    if (folder >= 0)
        close(folder);
}

/* Takes the folder over. */
static void list_subject(struct listing *x, int folder)
{
    char **names = NULL;
    int n = folder < 0 ? folder : read_names(folder, &names);

    for (int i = 0; i < n && !x->more; i++) {
        if (strcmp(names[i], "beh") == 0)
            list_beh(x, open_folder(folder, names[i]));
        else if (strncmp(names[i], "ses-", 4) == 0)
            list_beh(x, enter(open_folder(folder, names[i]), "%s", "beh"));
    }
    if (names)
        free_names(names, n > 0 ? n : 0);
    if (folder >= 0)
        close(folder);
}

int tf_sessions_list(const char *directory, const char *running, json_t **ret, struct tf_error *err)
{
    struct listing x = {.running = running, .list = json_array()};
    int root = open_root(directory), n;
    char **names = NULL;

    n = root < 0 ? root : read_names(root, &names);
    for (int i = 0; i < n && !x.more; i++)
        if (strncmp(names[i], "sub-", 4) == 0)
            list_subject(&x, open_folder(root, names[i]));
    if (names)
        free_names(names, n > 0 ? n : 0);
    if (root >= 0)
        close(root);
    if (n < 0) {
        json_decref(x.list);
        return tf_fail(err, n, "%s: %s", directory, strerror(-n));
    }
    *ret = json_pack("{s:o,s:b}", "sessions", x.list, "more", x.more);
    return *ret ? 0 : tf_fail(err, -ENOMEM, "out of memory");
}
