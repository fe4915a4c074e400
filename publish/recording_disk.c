#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "publish/recording_disk.h"

#define FILES_MAX 8
#define SYNC_NS 500000000ull
#define PIECE (256u << 10) /* written at once */

#define NAME_BYTES 4608
#define NEXT_FILE INT64_MIN /* as offset: the bytes are a new file's name */

/* Before each write's bytes in the queue. */
struct piece {
    int64_t offset;
    uint64_t size;
};

struct tf_disk_file {
    struct tf_disk *disk;
    char *path;
    int fd;
    bool lines, dirty;
    char *queue;
    size_t capacity;
    pthread_mutex_t lock; /* head, tail */
    pthread_cond_t room;
    uint64_t head, tail;    /* bytes ever put in and taken out */
    int64_t position, size; /* the producer's */
    int64_t line_end;       /* the disk thread's: end of the last whole line on disk */
};

struct tf_disk {
    char *folder;
    uint64_t free_min;
    bool sync;
    struct tf_disk_file files[FILES_MAX];
    atomic_int count;
    pthread_t thread;
    bool thread_runs;
    sem_t wake;
    atomic_bool stopping;
    pthread_mutex_t lock; /* error */
    atomic_int result;
    atomic_bool broken; /* writing has failed; not only that space is low */
    struct tf_error error;
};

static void fail_disk(struct tf_disk *d, int code, bool broken, const struct tf_error *err)
{
    pthread_mutex_lock(&d->lock);
    if (!atomic_load(&d->result)) {
        d->error = *err;
        atomic_store(&d->result, code);
    }
    if (broken)
        atomic_store(&d->broken, true);
    pthread_mutex_unlock(&d->lock);
}

int tf_disk_error(struct tf_disk *d, struct tf_error *err)
{
    int r = atomic_load(&d->result);

    if (r < 0 && err) {
        pthread_mutex_lock(&d->lock);
        *err = d->error;
        pthread_mutex_unlock(&d->lock);
    }
    return r;
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
    struct piece piece = {.offset = NEXT_FILE, .size = strlen(path) + 1};

    if (piece.size > NAME_BYTES)
        return -ENAMETOOLONG;
    pthread_mutex_lock(&f->lock);
    while (f->capacity - (size_t)(f->head - f->tail) < sizeof(piece) + piece.size)
        pthread_cond_wait(&f->room, &f->lock);
    put(f, &piece, sizeof(piece));
    put(f, path, piece.size);
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

    tf_fail(&err, code, "%s: cannot write: %s; the recording ends here", f->path, strerror(-code));
    fail_disk(f->disk, code, true, &err);
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
        w = pwrite(f->fd, f->queue + at, n, (off_t)(piece->offset + (int64_t)done));
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            write_failed(f, -errno);
            break;
        }
        done += (uint64_t)w;
        f->dirty = true;
    }
    /* Tables are written in whole lines, so a piece that was written whole ends one. */
    if (done == piece->size)
        f->line_end = piece->offset + (int64_t)piece->size;
}

/* Ends this file and begins the next one in its place. */
static void switch_file(struct tf_disk_file *f, uint64_t from, const struct piece *piece)
{
    char *path = malloc(piece->size);
    int fd, folder;

    if (atomic_load(&f->disk->broken)) {
        free(path);
        return;
    }
    if (!path) {
        write_failed(f, -ENOMEM);
        return;
    }
    get(f, from, path, piece->size);
    if (fdatasync(f->fd) < 0 && errno != EINVAL && errno != EROFS)
        write_failed(f, -errno);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    free(f->path);
    f->path = path;
    if (fd < 0) {
        write_failed(f, -errno);
        return;
    }
    if (close(f->fd) < 0)
        write_failed(f, -errno);
    f->fd = fd;
    f->dirty = true;
    f->line_end = 0;
    /* The entry in the folder, too, has to survive a power cut. */
    folder = open(f->disk->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
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
        if (fdatasync(f->fd) < 0 && errno != EINVAL && errno != EROFS && !atomic_load(&d->broken))
            write_failed(f, -errno);
    }
}

static void check_space(struct tf_disk *d)
{
    struct tf_error err;
    struct statvfs fs;

    if (!d->free_min || atomic_load(&d->result) || statvfs(d->folder, &fs) < 0 ||
        (uint64_t)fs.f_bavail * fs.f_frsize >= d->free_min)
        return;
    tf_fail(&err, -ENOSPC, "%s: less than %.0f MiB are free (free-space-min); the recording ends here",
            d->folder, (double)d->free_min / (1 << 20));
    fail_disk(d, -ENOSPC, false, &err);
}

static void *disk_main(void *arg)
{
    struct tf_disk *d = arg;
    uint64_t synced = tf_now_ns();
    bool stopping;

    pthread_setname_np(pthread_self(), "tf-disk");
    do {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
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
            check_space(d);
            synced = tf_now_ns();
        }
    } while (!stopping);
    while (take_all(d))
        ;
    sync_all(d);
    return NULL;
}

/* --- create and close --- */

int tf_disk_create(const char *folder, uint64_t free_min, bool sync, struct tf_disk **ret,
                   struct tf_error *err)
{
    struct tf_disk *d = calloc(1, sizeof(*d));
    sigset_t all, before;
    int r;

    if (!d)
        return tf_fail(err, -ENOMEM, "%s: out of memory", folder);
    pthread_mutex_init(&d->lock, NULL);
    sem_init(&d->wake, 0, 0);
    d->free_min = free_min;
    d->sync = sync;
    d->folder = strdup(folder);
    if (!d->folder) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", folder);
        goto fail;
    }
    check_space(d);
    r = tf_disk_error(d, NULL);
    if (r < 0) {
        tf_fail(err, r, "%s: less than %.0f MiB are free (free-space-min): make room before recording",
                folder, (double)free_min / (1 << 20));
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

int tf_disk_close(struct tf_disk *d, struct tf_error *err)
{
    int r, count;

    if (!d)
        return 0;
    if (d->thread_runs) {
        atomic_store(&d->stopping, true);
        sem_post(&d->wake);
        pthread_join(d->thread, NULL);
    }
    count = atomic_load(&d->count);
    for (int i = 0; i < count; i++) {
        struct tf_disk_file *f = &d->files[i];

        /* Half a line would spoil the table for every reader. */
        if (f->lines && atomic_load(&d->broken) && ftruncate(f->fd, (off_t)f->line_end) < 0)
            write_failed(f, -errno);
        if (close(f->fd) < 0)
            write_failed(f, -errno);
        pthread_cond_destroy(&f->room);
        pthread_mutex_destroy(&f->lock);
        free(f->queue);
        free(f->path);
    }
    r = tf_disk_error(d, err);
    sem_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d->folder);
    free(d);
    return r;
}

int tf_disk_open(struct tf_disk *d, const char *path, size_t queue, bool lines, struct tf_disk_file **ret,
                 struct tf_error *err)
{
    int count = atomic_load(&d->count), r;
    struct tf_disk_file *f = &d->files[count];

    if (count == FILES_MAX)
        return tf_fail(err, -ENOSPC, "%s: too many files in one recording", path);
    *f = (struct tf_disk_file){.disk = d, .lines = lines, .capacity = queue};
    f->path = strdup(path);
    f->queue = malloc(queue);
    if (!f->path || !f->queue) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    f->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (f->fd < 0) {
        r = -errno;
        tf_fail(err, r, "%s: %s", path, r == -EEXIST ? "exists and is not overwritten" : strerror(-r));
        goto fail;
    }
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->room, NULL);
    atomic_store(&d->count, count + 1);
    *ret = f;
    return 0;

fail:
    free(f->path);
    free(f->queue);
    return r;
}
