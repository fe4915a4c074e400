/* thermoface run: hidden folders in which results are made, and their way to their place. */
#include "cli/run_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES (4096 + 1024)
#define IDLE_S (15 * 60)

int tf_make_folders(const char *path)
{
    char part[PATH_BYTES];

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

static void remove_below(const char *path, int depth)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char one[PATH_BYTES + 512];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(one, sizeof(one), "%s/%s", path, entry->d_name);
        if (unlink(one) < 0 && depth < 2)
            remove_below(one, depth + 1);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

void tf_remove_folder(const char *path)
{
    remove_below(path, 0);
}

/* --- hidden folders --- */

static const char *host(void)
{
    static char name[65];

    if (!*name && (gethostname(name, sizeof(name) - 1) < 0 || !*name))
        strcpy(name, "host");
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '-';
    return name;
}

int tf_hidden_name(const char *out, unsigned number, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%s/" TF_PART_PREFIX "%s.%ld.%u", out, host(), (long)getpid(), number);

    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* The last change of the folder, of those in it and of their files. */
static time_t changed(const char *path, int depth)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    struct stat st;
    time_t last = stat(path, &st) == 0 ? st.st_mtime : 0;

    while (dir && (entry = readdir(dir))) {
        char one[PATH_BYTES + 512];
        time_t t;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(one, sizeof(one), "%s/%s", path, entry->d_name);
        if (stat(one, &st) < 0)
            continue;
        t = S_ISDIR(st.st_mode) && depth < 2 ? changed(one, depth + 1) : st.st_mtime;
        if (t > last)
            last = t;
    }
    if (dir)
        closedir(dir);
    return last;
}

/* Of a process of this host that has ended. */
static bool has_ended(const char *name)
{
    const char *who = name + strlen(TF_PART_PREFIX), *me = host();
    size_t n = strlen(me);
    char *end;
    long pid;

    if (strncmp(who, me, n) != 0 || who[n] != '.')
        return false;
    pid = strtol(who + n + 1, &end, 10);
    return *end == '.' && pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

unsigned tf_hidden_sweep(const char *out, const char *stem)
{
    DIR *dir = opendir(out);
    struct dirent *entry;
    unsigned left = 0;

    while (dir && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        char path[PATH_BYTES + 512];

        if (strncmp(name, TF_PART_PREFIX, strlen(TF_PART_PREFIX)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", out, name);
        if (has_ended(name) || (stem && strcmp(name + strlen(TF_PART_PREFIX), stem) == 0) ||
            changed(path, 0) + IDLE_S < time(NULL))
            tf_remove_folder(path);
        else
            left++;
    }
    if (dir)
        closedir(dir);
    return left;
}

/* --- to their place --- */

static int to_disk(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags), r;

    if (fd < 0)
        return -errno;
    r = fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP ? -errno : 0; /* some cannot for folders */
    close(fd);
    return r;
}

static int each(const char *from, const char *to, const char *const last[2], bool move)
{
    DIR *dir = opendir(from);
    char a[PATH_BYTES + 512], b[PATH_BYTES + 512];
    struct dirent *entry;
    int r = 0;

    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    while (r == 0 && (entry = readdir(dir))) {
        const char *name = entry->d_name;

        if (name[0] == '.' || (move && last && (strcmp(name, last[0]) == 0 || strcmp(name, last[1]) == 0)))
            continue;
        snprintf(a, sizeof(a), "%s/%s", from, name);
        snprintf(b, sizeof(b), "%s/%s", to, name);
        if (!move)
            r = to_disk(a, 0);
        else if (rename(a, b) < 0)
            r = -errno;
    }
    closedir(dir);
    return r;
}

int tf_hidden_publish(const char *part, const char *motion, const char *out, const char *const last[2])
{
    char from[PATH_BYTES], path[PATH_BYTES + 512], to[PATH_BYTES + 512];
    struct stat st;
    int r;

    snprintf(from, sizeof(from), "%s/beh", part);
    snprintf(path, sizeof(path), "%s/motion", part);
    r = each(path, motion, NULL, false);
    if (r == 0)
        r = each(from, out, NULL, false);
    if (r == 0 && stat(path, &st) == 0) {
        r = tf_make_folders(motion);
        if (r == 0)
            r = each(path, motion, NULL, true);
        if (r == 0)
            r = to_disk(motion, O_DIRECTORY);
    }
    if (r == 0)
        r = each(from, out, last, true);
    /* What says that it is whole must not reach the disk before the rest. */
    if (r == 0)
        r = to_disk(out, O_DIRECTORY);
    for (int i = 0; i < 2 && r == 0; i++) {
        snprintf(path, sizeof(path), "%s/%s", from, last[i]);
        snprintf(to, sizeof(to), "%s/%s", out, last[i]);
        if (rename(path, to) < 0)
            r = -errno;
    }
    if (r == 0)
        r = to_disk(out, O_DIRECTORY);
    tf_remove_folder(part);
    return r;
}
