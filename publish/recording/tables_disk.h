/* Tables whose files belong to a recording's disk thread; inside publish/ only. */
#ifndef TF_PUBLISH_RECORDING_TABLES_DISK_H
#define TF_PUBLISH_RECORDING_TABLES_DISK_H

#include "publish/disk/disk.h"
#include "publish/recording/tables.h"

struct tf_tables;

/* Opens the files and writes their heads and descriptions. */
int tf_tables_create(const struct tf_tables_options *options, struct tf_disk *disk, struct tf_tables **ret,
                     struct tf_error *err);
/* A row in each table; `wait`: for the disk. Returns how many rows could not be taken. Never allocates. */
int tf_tables_row(struct tf_tables *tables, const struct tf_record *record, bool wait);
/* What is still open is written; before the disk is closed. */
void tf_tables_end(struct tf_tables *tables, bool wait);
/* Rows of the frames' table that are on the disk; after tf_disk_finish. */
uint64_t tf_tables_written(const struct tf_tables *tables);
/* Accepts NULL. */
void tf_tables_destroy(struct tf_tables *tables);

/* physio.c: region means at a steady rate, as BIDS has them: compressed, without a head. */
struct tf_physio;
int tf_physio_create(const struct tf_tables_options *options, struct tf_disk_file *file,
                     struct tf_physio **ret, struct tf_error *err);
/* Returns how many rows could not be taken. */
int tf_physio_row(struct tf_physio *physio, const struct tf_record *record, bool wait);
int tf_physio_end(struct tf_physio *physio, bool wait);
void tf_physio_destroy(struct tf_physio *physio);
#define TF_PHYSIO_RATE 5
/* Columns: "forehead" … "mouth", "nose_minus_forehead", "frames", own regions of faces, then of the picture.
 */

/* tables_texts.c */
struct tf_tables_paths {
    char signals[4096], physio[4096], motion[4096], channels[4096]; /* without ".tsv", ".json" … */
};
/* Descriptions beside the tables. */
int tf_tables_describe(const struct tf_tables_options *options, const struct tf_tables_paths *paths,
                       struct tf_disk *disk, struct tf_error *err);

#endif
