/*
 * Files of a recording, written by one thread of their own; inside publish/ only.
 *
 * Who records puts bytes into a bounded queue in memory, one a file, and goes on; a disk that stalls for a
 * moment is bridged by it. Everything is on the disk (fdatasync) at most half a second after it was written.
 * The first error of a disk ends all writing: files keep what they have, tables are cut to whole lines.
 */
#ifndef TF_PUBLISH_DISK_DISK_H
#define TF_PUBLISH_DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tf_disk;
struct tf_disk_file;
struct tf_manifest;

struct tf_disk_options {
    const char *folder; /* exists */
    int folder_fd;      /* it, open; a copy is kept. 0: opened by its name */
    uint64_t free_min;  /* bytes that must stay free on its file system, 0 = all may be used */
    /* For what is recorded, not for what can be made again: all is on the disk at most half a second after it
     * was written, and files that are deleted, renamed or replaced meanwhile are noticed. */
    bool sync;
    struct tf_manifest *manifest; /* hears of each file that is final; or NULL */
};

int tf_disk_create(const struct tf_disk_options *options, struct tf_disk **ret, struct tf_error *err);
/*
 * Writes out what waits and closes the files; what follows can still be asked. Returns the first error, with
 * its text, also one of tf_disk_damage.
 */
int tf_disk_finish(struct tf_disk *disk, struct tf_error *err);
/* The same, and frees everything. Accepts NULL. */
int tf_disk_close(struct tf_disk *disk, struct tf_error *err);
/* 0, or the first error so far, which has ended all writing; -ENOSPC already when less than free_min is left.
 * From any thread. */
int tf_disk_error(struct tf_disk *disk, struct tf_error *err);
/* 0, or what is wrong with the files although writing goes on: one was deleted, renamed or replaced. From any
 * thread. */
int tf_disk_damage(struct tf_disk *disk, struct tf_error *err);

struct tf_disk_state {
    uint64_t free_bytes; /* on the file system; UINT64_MAX: not known */
    uint64_t stalled_ns; /* how long the file system has not answered */
};
struct tf_disk_state tf_disk_state(const struct tf_disk *disk);

/*
 * Creates a file, never replaces one (-EEXIST). `path`: below the folder or in one beside it. `queue`: bytes
 * that may wait. `lines`: a table, whose last line is always whole. `digest`: written from its beginning to
 * its end, so that its digest is taken on the way. Not while another file of this disk is being written to.
 */
int tf_disk_open(struct tf_disk *disk, const char *path, size_t queue, bool lines, bool digest,
                 struct tf_disk_file **ret, struct tf_error *err);
/* A small file at once, whole or not at all; -EEXIST unless `replace`. `final`: it stays so, and the manifest
 * hears of it. From the thread that opens. */
int tf_disk_put(struct tf_disk *disk, const char *path, const void *data, size_t size, bool replace,
                bool final, struct tf_error *err);
/* A folder in the folder's own or beside it, unless it is there. */
int tf_disk_make_folder(struct tf_disk *disk, const char *path, struct tf_error *err);
/*
 * What is written from here on goes into a new file of that name, from its beginning; what was written before
 * is on the disk by then. The producer's; waits for room in the queue, not for the disk.
 */
int tf_disk_next(struct tf_disk_file *file, const char *path);
/*
 * At the file's position; one thread a file. All or nothing: -ENOBUFS when there is no room and `wait` is
 * false, -EFBIG when there never is. After an error of the disk bytes are taken and dropped: see
 * tf_disk_error.
 */
int tf_disk_write(struct tf_disk_file *file, const void *data, size_t size, bool wait);
size_t tf_disk_room(struct tf_disk_file *file);
/* SEEK_SET, SEEK_CUR, SEEK_END; returns the new position. */
int64_t tf_disk_seek(struct tf_disk_file *file, int64_t offset, int whence);
int64_t tf_disk_size(const struct tf_disk_file *file);

/* After tf_disk_finish: what is on the disk. */
struct tf_disk_written {
    unsigned files;  /* that the file has gone through (tf_disk_next), this one with it */
    uint64_t pieces; /* whole writes in the last of them */
};
struct tf_disk_written tf_disk_written(const struct tf_disk_file *file);
/* The last of them, open for reading; a descriptor of the caller's, or a negative errno. */
int tf_disk_read(const struct tf_disk_file *file);

#endif
