/*
 * thermoface run: results are made in a hidden folder of the process beside their place and moved there when
 * they are whole. There are no locks, which shared file systems break: two processes at the same recording
 * waste time and leave the same files.
 */
#ifndef TF_CLI_RUN_PLACE_H
#define TF_CLI_RUN_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#define TF_PART_PREFIX ".part-"

/* With all folders above it. 0 or a negative errno. */
int tf_make_folders(const char *path);
void tf_remove_folder(const char *path);
/* The hidden folder's path in `out`: of this host, this process and its `number`. -ENAMETOOLONG. */
int tf_hidden_name(const char *out, unsigned number, char *ret, size_t size);
/*
 * Removes hidden folders in `out` that nobody writes to any more: of processes of this host that have ended,
 * and of others in which nothing has changed for a quarter of an hour. `stem`: ".part-STEM" goes, too, as
 * older versions called it. Returns how many are left.
 */
unsigned tf_hidden_sweep(const char *out, const char *stem);
/*
 * Moves what is in PART/motion to `motion` and what is in PART/beh to `out`, everything on the disk first and
 * the two names of `last` last. 0 or a negative errno.
 */
int tf_hidden_publish(const char *part, const char *motion, const char *out, const char *const last[2]);

#endif
