/* Inside of a recording's disk: what its thread and its watch share. For disk.c and watch.c only. */
#ifndef TF_PUBLISH_DISK_WATCH_H
#define TF_PUBLISH_DISK_WATCH_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "publish/disk/disk.h"

#define FILES_MAX 8

struct tf_disk_file {
    struct tf_disk *disk;
    char *path; /* relative to the disk's folder */
    int fd;
    bool lines, dirty;
    char *queue;
    size_t capacity;
    pthread_mutex_t lock; /* head, tail */
    pthread_cond_t room;
    uint64_t head, tail;    /* bytes ever put in and taken out */
    int64_t position, size; /* the producer's */
    /* The disk thread's. */
    int64_t line_end; /* end of the last whole line on disk */
    struct AVSHA *sha;
    int64_t hashed; /* bytes that `sha` has seen; -1: not one after the other */
    unsigned files;
    uint64_t pieces;
};

/* A finished file, which has to stay what it was. */
struct finished {
    char *path;
    dev_t dev;
    ino_t ino;
};

struct tf_disk {
    char *folder;
    int folder_fd;
    struct tf_manifest *manifest;
    struct finished *finished; /* `lock`; read by the disk thread */
    size_t finished_count, finished_capacity, finished_at;
    _Atomic uint64_t free_bytes, busy_since_ns;
    atomic_int damage_result;
    struct tf_error damage;
    bool closed;
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

/* The first error ends all writing; `broken`: writing has failed, not only that space is low. */
static inline void tf_disk_fail(struct tf_disk *d, int code, bool broken, const struct tf_error *err)
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

/* Around everything that may wait for the file system. */
static inline void tf_disk_busy(struct tf_disk *d)
{
    atomic_store(&d->busy_since_ns, tf_now_ns());
}

static inline void tf_disk_answered(struct tf_disk *d)
{
    atomic_store(&d->busy_since_ns, 0);
}

/* watch.c */
/* From now on the file has to stay what it is. */
void tf_disk_look_after(struct tf_disk *disk, const char *path, const struct stat *st);
/* Whether all files and the folder are still there and the same; the disk's thread. */
void tf_disk_look(struct tf_disk *disk);
/* How much room is left; ends the recording when it is too little. */
void tf_disk_check_space(struct tf_disk *disk);

#endif
