/* A recording's files, written by a thread of their own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <libavutil/mem.h>
#include <libavutil/sha.h>

#include "base/clock.h"
#include "publish/disk/folder.h"
#include "publish/disk/manifest.h"
#include "publish/disk/watch.h"

#define SYNC_NS 500000000ull
#define PIECE (256u << 10) /* written at once */
#define LOOK_NS 500000000ull

#define NAME_BYTES 4608
#define NEXT_FILE INT64_MIN /* as offset: the bytes are a new file's name */

/* Before each write's bytes in the queue. */
struct piece {
    int64_t offset;
    uint64_t size;
};

static int told(struct tf_disk *d, atomic_int *result, const struct tf_error *text, struct tf_error *err)
{
    int r = atomic_load(result);

    if (r < 0 && err) {
        pthread_mutex_lock(&d->lock);
        *err = *text;
        pthread_mutex_unlock(&d->lock);
    }
    return r;
}

int tf_disk_error(struct tf_disk *d, struct tf_error *err)
{
    return told(d, &d->result, &d->error, err);
}

int tf_disk_damage(struct tf_disk *d, struct tf_error *err)
{
    return told(d, &d->damage_result, &d->damage, err);
}

struct tf_disk_state tf_disk_state(const struct tf_disk *disk)
{
    struct tf_disk *d = (struct tf_disk *)disk;
    uint64_t since = atomic_load(&d->busy_since_ns), now = tf_now_ns();

    return (struct tf_disk_state){.free_bytes = atomic_load(&d->free_bytes),
                                  .stalled_ns = since && now > since ? now - since : 0};
}

/* Names are kept relative to the folder: who renames it does not stop what is written into it. */
static const char *relative(const struct tf_disk *d, const char *path, char beside[NAME_BYTES])
{
    size_t n = strlen(d->folder);
    const char *slash = strrchr(d->folder, '/');
    size_t parent = slash ? (size_t)(slash - d->folder) : 0;

    if (strncmp(path, d->folder, n) == 0 && path[n] == '/')
        return path + n + 1;
    if (parent && strncmp(path, d->folder, parent) == 0 && path[parent] == '/') {
        snprintf(beside, NAME_BYTES, "../%s", path + parent + 1);
        return beside;
    }
    return path;
}

/* --- the queue --- */

static void put(struct tf_disk_file *f, const void *data, size_t size)
{
    size_t at = (size_t)(f->head % f->capacity);
    size_t first = size < f->capacity - at ? size : f->capacity - at;

    memcpy(f->queue + at, data, first);
    memcpy(f->queue, (const char *)data + first, size - first);
    f->head += size;
}

static void get(struct tf_disk_file *f, uint64_t from, void *data, size_t size)
{
    size_t at = (size_t)(from % f->capacity);
    size_t first = size < f->capacity - at ? size : f->capacity - at;

    memcpy(data, f->queue + at, first);
    memcpy((char *)data + first, f->queue, size - first);
}

int tf_disk_write(struct tf_disk_file *f, const void *data, size_t size, bool wait)
{
    struct piece piece = {.offset = f->position, .size = size};
    size_t need = size + sizeof(piece);
    int r = 0;

    if (!size)
        return 0;
    if (need > f->capacity)
        return -EFBIG;
    pthread_mutex_lock(&f->lock);
    while (wait && f->capacity - (size_t)(f->head - f->tail) < need)
        pthread_cond_wait(&f->room, &f->lock);
    if (f->capacity - (size_t)(f->head - f->tail) < need) {
        r = -ENOBUFS;
    } else {
        put(f, &piece, sizeof(piece));
        put(f, data, size);
        f->position += (int64_t)size;
        if (f->position > f->size)
            f->size = f->position;
    }
    pthread_mutex_unlock(&f->lock);
    if (r == 0)
        sem_post(&f->disk->wake);
    return r;
}

int tf_disk_next(struct tf_disk_file *f, const char *path)
{
    char beside[NAME_BYTES];
    const char *name = relative(f->disk, path, beside);
    struct piece piece = {.offset = NEXT_FILE, .size = strlen(name) + 1};

    if (piece.size > NAME_BYTES)
        return -ENAMETOOLONG;
    pthread_mutex_lock(&f->lock);
    while (f->capacity - (size_t)(f->head - f->tail) < sizeof(piece) + piece.size)
        pthread_cond_wait(&f->room, &f->lock);
    put(f, &piece, sizeof(piece));
    put(f, name, piece.size);
    f->position = f->size = 0;
    pthread_mutex_unlock(&f->lock);
    sem_post(&f->disk->wake);
    return 0;
}

size_t tf_disk_room(struct tf_disk_file *f)
{
    size_t room;

    pthread_mutex_lock(&f->lock);
    room = f->capacity - (size_t)(f->head - f->tail);
    pthread_mutex_unlock(&f->lock);
    return room > sizeof(struct piece) ? room - sizeof(struct piece) : 0;
}

int64_t tf_disk_seek(struct tf_disk_file *f, int64_t offset, int whence)
{
    int64_t at = whence == SEEK_CUR ? f->position + offset : whence == SEEK_END ? f->size + offset : offset;

    if (at < 0)
        return -EINVAL;
    f->position = at;
    return at;
}

int64_t tf_disk_size(const struct tf_disk_file *f)
{
    return f->size;
}

/* --- the thread --- */

static void write_failed(struct tf_disk_file *f, int code)
{
    struct tf_error err;

    tf_fail(&err, code, "%s/%s: cannot write: %s; the recording ends here", f->disk->folder, f->path,
            strerror(-code));
    tf_disk_fail(f->disk, code, true, &err);
}

/* One piece's bytes from the queue to the file. */
static void write_piece(struct tf_disk_file *f, uint64_t from, const struct piece *piece)
{
    uint64_t done = 0;

    while (done < piece->size && !atomic_load(&f->disk->broken)) {
        size_t at = (size_t)((from + done) % f->capacity);
        size_t n = (size_t)(piece->size - done);
        ssize_t w;

        if (n > f->capacity - at)
            n = f->capacity - at;
        if (n > PIECE)
            n = PIECE;
        tf_disk_busy(f->disk);
        w = pwrite(f->fd, f->queue + at, n, (off_t)(piece->offset + (int64_t)done));
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            write_failed(f, -errno);
            break;
        }
        if (f->hashed == piece->offset + (int64_t)done) {
            av_sha_update(f->sha, (const uint8_t *)f->queue + at, (size_t)w);
            f->hashed += w;
        } else {
            f->hashed = -1;
        }
        done += (uint64_t)w;
        f->dirty = true;
    }
    tf_disk_answered(f->disk);
    /* Tables are written in whole lines, so a piece that was written whole ends one. */
    if (done == piece->size) {
        f->line_end = piece->offset + (int64_t)piece->size;
        f->pieces++;
    }
}

/* Nothing more is written to it: the manifest takes it down, and it is looked after. */
static void file_is_final(struct tf_disk_file *f)
{
    struct tf_disk *d = f->disk;
    uint8_t digest[TF_SHA256_BYTES];
    struct stat st;
    bool whole;

    if (fstat(f->fd, &st) < 0)
        return;
    whole = f->sha && f->hashed == st.st_size;
    if (whole)
        av_sha_final(f->sha, digest);
    tf_manifest_add(d->manifest, f->path, &st, whole ? digest : NULL);
}

/* Ends this file and begins the next one in its place. */
static void switch_file(struct tf_disk_file *f, uint64_t from, const struct piece *piece)
{
    struct tf_disk *d = f->disk;
    char *path = malloc(piece->size);
    struct stat st;
    int fd;

    if (atomic_load(&d->broken)) {
        free(path);
        return;
    }
    if (!path) {
        write_failed(f, -ENOMEM);
        return;
    }
    get(f, from, path, piece->size);
    tf_disk_busy(d);
    if (fdatasync(f->fd) < 0 && errno != EINVAL && errno != EROFS)
        write_failed(f, -errno);
    fd = tf_folder_file(d->folder_fd, path, O_RDWR | O_CREAT | O_EXCL, 0644);
    tf_disk_answered(d);
    if (fd < 0) {
        struct tf_error err;

        tf_fail(&err, fd, "%s/%s: cannot be made: %s; the recording ends here", d->folder, path,
                strerror(-fd));
        tf_disk_fail(d, fd, true, &err);
        free(path);
        return;
    }
    file_is_final(f);
    if (fstat(f->fd, &st) == 0)
        tf_disk_look_after(d, f->path, &st);
    if (close(f->fd) < 0)
        write_failed(f, -errno);
    free(f->path);
    f->path = path;
    f->fd = fd;
    f->dirty = true;
    f->line_end = 0;
    f->pieces = 0;
    f->hashed = f->sha ? 0 : -1;
    f->files++;
    if (f->sha)
        av_sha_init(f->sha, 256);
    /* The entry in the folder, too, has to survive a power cut. */
    tf_disk_busy(d);
    tf_folder_sync(d->folder_fd);
    tf_disk_answered(d);
}

static bool take_one(struct tf_disk_file *f)
{
    struct piece piece;
    uint64_t from;

    pthread_mutex_lock(&f->lock);
    from = f->tail;
    if (f->head == from) {
        pthread_mutex_unlock(&f->lock);
        return false;
    }
    get(f, from, &piece, sizeof(piece));
    pthread_mutex_unlock(&f->lock);
    /* Nobody touches these bytes before `tail` moves. */
    if (piece.offset == NEXT_FILE)
        switch_file(f, from + sizeof(piece), &piece);
    else
        write_piece(f, from + sizeof(piece), &piece);
    pthread_mutex_lock(&f->lock);
    f->tail = from + sizeof(piece) + piece.size;
    pthread_cond_signal(&f->room);
    pthread_mutex_unlock(&f->lock);
    return true;
}

static bool take_all(struct tf_disk *d)
{
    int count = atomic_load(&d->count);
    bool any = false;

    for (int i = 0; i < count; i++)
        any |= take_one(&d->files[i]);
    return any;
}

static void sync_all(struct tf_disk *d)
{
    int count = atomic_load(&d->count);

    for (int i = 0; i < count; i++) {
        struct tf_disk_file *f = &d->files[i];

        if (!f->dirty || !d->sync)
            continue;
        f->dirty = false;
        tf_disk_busy(d);
        if (fdatasync(f->fd) < 0 && errno != EINVAL && errno != EROFS && !atomic_load(&d->broken))
            write_failed(f, -errno);
        tf_disk_answered(d);
    }
}

static void *disk_main(void *arg)
{
    struct tf_disk *d = arg;
    uint64_t synced = tf_now_ns(), looked = synced;
    bool stopping;

    pthread_setname_np(pthread_self(), "tf-disk");
    do {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= TF_NS_PER_S) {
            until.tv_nsec -= TF_NS_PER_S;
            until.tv_sec++;
        }
        stopping = atomic_load(&d->stopping);
        if (!stopping)
            sem_timedwait(&d->wake, &until);
        while (take_all(d))
            if (tf_now_ns() - synced >= SYNC_NS)
                break;
        if (tf_now_ns() - synced >= SYNC_NS) {
            sync_all(d);
            tf_disk_check_space(d);
            synced = tf_now_ns();
        }
        if (tf_now_ns() - looked >= LOOK_NS) {
            tf_disk_look(d);
            looked = tf_now_ns();
        }
    } while (!stopping);
    while (take_all(d))
        ;
    sync_all(d);
    tf_disk_look(d);
    return NULL;
}

/* --- create and close --- */

int tf_disk_create(const struct tf_disk_options *o, struct tf_disk **ret, struct tf_error *err)
{
    struct tf_disk *d = calloc(1, sizeof(*d));
    const char *folder = o->folder;
    sigset_t all, before;
    int r;

    if (!d)
        return tf_fail(err, -ENOMEM, "%s: out of memory", folder);
    pthread_mutex_init(&d->lock, NULL);
    sem_init(&d->wake, 0, 0);
    d->free_min = o->free_min;
    d->sync = o->sync;
    d->manifest = o->manifest;
    atomic_store(&d->free_bytes, UINT64_MAX);
    d->folder = strdup(folder);
    d->folder_fd = o->folder_fd > 0 ? fcntl(o->folder_fd, F_DUPFD_CLOEXEC, 3) : tf_folder_open(folder);
    if (d->folder_fd < 0) {
        r = o->folder_fd > 0 ? -errno : d->folder_fd;
        tf_fail(err, r, "%s: %s", folder, strerror(-r));
        goto fail;
    }
    if (!d->folder) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", folder);
        goto fail;
    }
    tf_disk_check_space(d);
    r = tf_disk_error(d, NULL);
    if (r < 0) {
        tf_fail(err, r, "%s: less than %.0f MiB are free (free-space-min): make room before recording",
                folder, (double)o->free_min / (1 << 20));
        goto fail;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&d->thread, NULL, disk_main, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0) {
        tf_fail(err, r, "%s: no thread for the disk: %s", folder, strerror(-r));
        goto fail;
    }
    d->thread_runs = true;
    *ret = d;
    return 0;

fail:
    tf_disk_close(d, NULL);
    return r;
}

int tf_disk_finish(struct tf_disk *d, struct tf_error *err)
{
    int r, count = atomic_load(&d->count);

    if (d->thread_runs) {
        atomic_store(&d->stopping, true);
        sem_post(&d->wake);
        pthread_join(d->thread, NULL);
        d->thread_runs = false;
    }
    for (int i = 0; i < count && !d->closed; i++) {
        struct tf_disk_file *f = &d->files[i];

        /* Half a line would spoil the table for every reader. */
        if (f->lines && atomic_load(&d->broken) && ftruncate(f->fd, (off_t)f->line_end) < 0)
            write_failed(f, -errno);
        file_is_final(f);
        if (close(f->fd) < 0)
            write_failed(f, -errno);
        f->fd = -1;
    }
    d->closed = true;
    r = tf_disk_error(d, err);
    return r < 0 ? r : tf_disk_damage(d, err);
}

int tf_disk_close(struct tf_disk *d, struct tf_error *err)
{
    int r, count;

    if (!d)
        return 0;
    r = tf_disk_finish(d, err);
    count = atomic_load(&d->count);
    for (int i = 0; i < count; i++) {
        struct tf_disk_file *f = &d->files[i];

        pthread_cond_destroy(&f->room);
        pthread_mutex_destroy(&f->lock);
        av_free(f->sha);
        free(f->queue);
        free(f->path);
    }
    for (size_t i = 0; i < d->finished_count; i++)
        free(d->finished[i].path);
    free(d->finished);
    if (d->folder_fd >= 0)
        close(d->folder_fd);
    sem_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d->folder);
    free(d);
    return r;
}

static int fail_open(int r, const char *path, struct tf_error *err)
{
    if (r == -ELOOP)
        return tf_fail(
            err, r, "%s: a symbolic link is in its way, and links inside a data set are not followed", path);
    return tf_fail(err, r, "%s: %s", path, r == -EEXIST ? "exists and is not overwritten" : strerror(-r));
}

int tf_disk_open(struct tf_disk *d, const char *path, size_t queue, bool lines, bool digest,
                 struct tf_disk_file **ret, struct tf_error *err)
{
    int count = atomic_load(&d->count), r;
    struct tf_disk_file *f = &d->files[count];
    char beside[NAME_BYTES];

    if (count == FILES_MAX)
        return tf_fail(err, -ENOSPC, "%s: too many files in one recording", path);
    *f = (struct tf_disk_file){.disk = d, .lines = lines, .capacity = queue, .hashed = -1, .files = 1};
    f->path = strdup(relative(d, path, beside));
    f->queue = malloc(queue);
    if (digest && d->manifest)
        f->sha = av_sha_alloc();
    if (!f->path || !f->queue || (digest && d->manifest && !f->sha)) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    if (f->sha) {
        av_sha_init(f->sha, 256);
        f->hashed = 0;
    }
    f->fd = tf_folder_file(d->folder_fd, f->path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (f->fd < 0) {
        r = fail_open(f->fd, path, err);
        goto fail;
    }
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->room, NULL);
    atomic_store(&d->count, count + 1);
    *ret = f;
    return 0;

fail:
    av_free(f->sha);
    free(f->path);
    free(f->queue);
    return r;
}

int tf_disk_put(struct tf_disk *d, const char *path, const void *data, size_t size, bool replace, bool final,
                struct tf_error *err)
{
    char beside[NAME_BYTES];
    const char *name = relative(d, path, beside);
    struct stat st;
    int r = replace ? tf_folder_put(d->folder_fd, d->folder, name, data, size, err)
                    : tf_folder_put_new(d->folder_fd, d->folder, name, data, size, err);

    if (r == -EEXIST)
        return fail_open(r, path, err);
    if (r < 0 || fstatat(d->folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return r;
    if (d->sync && !d->closed)
        tf_disk_look_after(d, name, &st);
    if (d->manifest && final) {
        uint8_t digest[TF_SHA256_BYTES];
        struct AVSHA *sha = av_sha_alloc();

        if (sha) {
            av_sha_init(sha, 256);
            av_sha_update(sha, data, size);
            av_sha_final(sha, digest);
        }
        tf_manifest_add(d->manifest, name, &st, sha ? digest : NULL);
        av_free(sha);
    }
    return 0;
}

int tf_disk_make_folder(struct tf_disk *d, const char *path, struct tf_error *err)
{
    char beside[NAME_BYTES];
    int fd = -1, r = tf_folder_make(d->folder_fd, relative(d, path, beside), d->folder, &fd, err);

    if (fd >= 0)
        close(fd);
    return r;
}

struct tf_disk_written tf_disk_written(const struct tf_disk_file *f)
{
    return (struct tf_disk_written){.files = f->files, .pieces = f->pieces};
}

int tf_disk_read(const struct tf_disk_file *f)
{
    return tf_folder_file(f->disk->folder_fd, f->path, O_RDONLY, 0);
}
