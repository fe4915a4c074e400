/*
 * Files beneath an open folder, made so that a crash, a second service or a symbolic link cannot spoil them;
 * inside publish/ only.
 *
 * A data set's folder may itself be a link; below it none is followed on writing. Who holds the folder open
 * goes on writing into it also when somebody renames it.
 */
#ifndef TF_PUBLISH_DISK_FOLDER_H
#define TF_PUBLISH_DISK_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* `path` may lead through links. Returns a descriptor, or a negative errno. */
int tf_folder_open(const char *path);
/* As openat, but -ELOOP when any part of `name` is a symbolic link. Returns a descriptor or a negative errno.
 */
int tf_folder_file(int folder, const char *name, int flags, mode_t mode);
/* Makes the folder unless it is there, and opens it. `shown`: what an error calls it. */
int tf_folder_make(int parent, const char *name, const char *shown, int *ret, struct tf_error *err);
/* The entries, too, have to survive a power cut. */
void tf_folder_sync(int folder);

int tf_write_all(int fd, const void *data, size_t size);
/* A whole file or none: -EEXIST when there is one already. `shown`: the folder as an error calls it. */
int tf_folder_put_new(int folder, const char *shown, const char *name, const void *data, size_t size,
                      struct tf_error *err);
/* The same in the place of one that may be there, with that one's permissions. */
int tf_folder_put(int folder, const char *shown, const char *name, const void *data, size_t size,
                  struct tf_error *err);
/* Whether `name` still is the open file: 0; -ENOENT: it was deleted or renamed; -ESTALE: another file has its
 * name; or the file system's error. */
int tf_folder_check(int folder, const char *name, int fd);
/* The same for a path. */
int tf_path_check(const char *path, int fd);
/* "was deleted or renamed", "was replaced by another file", or the error's own text. */
const char *tf_folder_problem(int code);

/*
 * Opens `name` for reading and writing, made if need be, and holds it against other services until it is
 * closed; what is read is the newest. -EBUSY: another program holds it for more than five seconds. -EACCES,
 * -EROFS: *ret can only be read.
 */
int tf_folder_lock(int folder, const char *name, int *ret);

#endif
