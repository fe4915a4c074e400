/* A recording's table of frames as columns in memory, for formats that keep it so. */
#ifndef TF_CLI_EXPORT_TABLE_H
#define TF_CLI_EXPORT_TABLE_H

#include "cli/export.h"

enum tf_column_kind {
    TF_COLUMN_REAL,    /* numbers; NAN where the cell is empty */
    TF_COLUMN_INTEGER, /* whole numbers of 64 bits: time stamps */
    TF_COLUMN_WORDS,   /* one of a few words: state, flags */
};
struct tf_column {
    const char *name;
    enum tf_column_kind kind;
    double *real;
    int64_t *integer;
    uint16_t *word; /* number in words, from 1; 0: empty */
    char **words;
    int word_count;
};

struct tf_export_table;
/*
 * Reads the rows that the options ask for. t_utc becomes seconds since 1970. Errors: -ENOENT, -EINVAL (not a
 * table of frames, more different words than a column of words has), -ENODATA (no row in the range), -EFBIG
 * (more than memory should hold), -ENOMEM, -ECANCELED.
 */
int tf_export_table_read(struct tf_export_item *item, struct tf_export_table **ret, struct tf_error *err);
void tf_export_table_free(struct tf_export_table *table);
size_t tf_export_table_rows(const struct tf_export_table *table);
int tf_export_table_columns(const struct tf_export_table *table);
const struct tf_column *tf_export_table_column(const struct tf_export_table *table, int i);
/* By name; NULL: there is none. */
const struct tf_column *tf_export_table_find(const struct tf_export_table *table, const char *name);
/* Rows that were damaged and are left out. */
uint64_t tf_export_table_damaged(const struct tf_export_table *table);
/* CLOCK_MONOTONIC that times count from. */
uint64_t tf_export_table_start(const struct tf_export_table *table);

#endif
