/* thermoface run: what is said of a whole data set: --list before the work, --merge after it. */
#ifndef TF_CLI_RUN_MERGE_H
#define TF_CLI_RUN_MERGE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/run_dataset.h"

/* `shard` 0: all of them. Exit statuses. */
int tf_run_list(const struct tf_dataset *d, const json_t *maker, uint32_t shard, uint32_t shards);
/*
 * Checks every result to its last byte. With all of them whole: recordings.tsv, recordings.json and
 * recordings.sha256 in the results' folder, and with --csv the rows of all frames in one table. Else says
 * what is missing, and writes nothing.
 */
int tf_run_merge(const struct tf_dataset *d, const json_t *maker);

/* A row for each recording. `provenance`: by item. `folder`: what paths are relative to. 0 or negative errno.
 */
int tf_merge_table(const struct tf_dataset *d, json_t *const *provenance, const char *folder,
                   struct tf_error *err);
/* Every frame of every recording, its columns those that any of them has; .gz: packed. 0 or negative errno.
 */
int tf_merge_frames(const struct tf_dataset *d, const char *path, struct tf_error *err);

#endif
