/*
 * Files of a recording, written by one thread of their own; inside publish/ only.
 *
 * Who records puts bytes into a bounded queue in memory, one a file, and goes on; a disk that stalls for a
 * moment is bridged by it. Everything is on the disk (fdatasync) at most half a second after it was written.
 * The first error of a disk ends all writing: files keep what they have, tables are cut to whole lines.
 */
#ifndef TF_PUBLISH_RECORDING_DISK_H
#define TF_PUBLISH_RECORDING_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tf_disk;
struct tf_disk_file;

/*
 * `folder` exists; `free_min`: bytes that must stay free on its file system, 0 = all may be used. `sync`
 * false: for what can be made again; the system writes it when it likes.
 */
int tf_disk_create(const char *folder, uint64_t free_min, bool sync, struct tf_disk **ret,
                   struct tf_error *err);
/* Writes out what waits, then closes and frees everything. Returns the first error, with its text. Accepts
 * NULL. */
int tf_disk_close(struct tf_disk *disk, struct tf_error *err);
/* 0, or the first error so far; -ENOSPC already when less than free_min is left. From any thread. */
int tf_disk_error(struct tf_disk *disk, struct tf_error *err);

/*
 * Creates a file, never replaces one (-EEXIST). `queue`: bytes that may wait. `lines`: a table, whose last
 * line is always whole. Not while another file of this disk is being written to.
 */
int tf_disk_open(struct tf_disk *disk, const char *path, size_t queue, bool lines, struct tf_disk_file **ret,
                 struct tf_error *err);
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

#endif
