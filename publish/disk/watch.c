/* Looks after a recording's files while it goes on: deleted, replaced, renamed, and room for them. */
#include "publish/disk/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "publish/disk/folder.h"

#define LOOKS_MAX 512 /* finished files looked at in one turn */

void tf_disk_look_after(struct tf_disk *d, const char *path, const struct stat *st)
{
    struct finished one = {.path = strdup(path), .dev = st->st_dev, .ino = st->st_ino};

    pthread_mutex_lock(&d->lock);
    if (one.path && d->finished_count == d->finished_capacity) {
        size_t more = d->finished_capacity ? 2 * d->finished_capacity : 16;
        struct finished *grown = realloc(d->finished, more * sizeof(*grown));

        if (grown) {
            d->finished = grown;
            d->finished_capacity = more;
        }
    }
    if (one.path && d->finished_count < d->finished_capacity)
        d->finished[d->finished_count++] = one;
    else
        free(one.path);
    pthread_mutex_unlock(&d->lock);
}

/* What is lost already is said; what can still be written is. */
static void damaged(struct tf_disk *d, int code, const char *path)
{
    if (atomic_load(&d->damage_result))
        return;
    pthread_mutex_lock(&d->lock);
    if (path)
        tf_fail(&d->damage, code, "%s/%s %s while it was recorded; the other files go on", d->folder, path,
                code == -ENOENT || code == -ESTALE ? tf_folder_problem(code) : "cannot be looked at");
    else
        tf_fail(&d->damage, code, "%s: the folder %s while it was recorded into", d->folder,
                tf_folder_problem(code));
    atomic_store(&d->damage_result, code);
    pthread_mutex_unlock(&d->lock);
}

/* A file of ours that went away is lost from the moment on that nobody noticed: each is looked at every
 * second. */
void tf_disk_look(struct tf_disk *d)
{
    int count = atomic_load(&d->count), r;
    size_t n;

    if (!d->sync || atomic_load(&d->damage_result))
        return;
    tf_disk_busy(d);
    for (int i = 0; i < count; i++) {
        r = tf_folder_check(d->folder_fd, d->files[i].path, d->files[i].fd);
        if (r < 0)
            damaged(d, r, d->files[i].path);
    }
    r = tf_path_check(d->folder, d->folder_fd);
    if (r < 0)
        damaged(d, r, NULL);
    pthread_mutex_lock(&d->lock);
    n = d->finished_count;
    pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < n && i < LOOKS_MAX; i++) {
        struct finished f;
        struct stat st;

        /* The list only grows, but may move. */
        pthread_mutex_lock(&d->lock);
        f = d->finished[d->finished_at++ % n];
        pthread_mutex_unlock(&d->lock);
        r = fstatat(d->folder_fd, f.path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
            : st.st_dev != f.dev || st.st_ino != f.ino                  ? -ESTALE
                                                                        : 0;
        if (r < 0)
            damaged(d, r, f.path);
    }
    tf_disk_answered(d);
}

void tf_disk_check_space(struct tf_disk *d)
{
    struct tf_error err;
    struct statvfs fs;

    tf_disk_busy(d);
    if (fstatvfs(d->folder_fd, &fs) < 0) {
        int r = -errno;

        tf_disk_answered(d);
        atomic_store(&d->free_bytes, UINT64_MAX);
        damaged(d, r, NULL);
        return;
    }
    tf_disk_answered(d);
    atomic_store(&d->free_bytes, (uint64_t)fs.f_bavail * fs.f_frsize);
    if (!d->free_min || atomic_load(&d->result) || (uint64_t)fs.f_bavail * fs.f_frsize >= d->free_min)
        return;
    tf_fail(&err, -ENOSPC, "%s: less than %.0f MiB are free (free-space-min); the recording ends here",
            d->folder, (double)d->free_min / (1 << 20));
    tf_disk_fail(d, -ENOSPC, false, &err);
}
