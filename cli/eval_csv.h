/* Label files: comma separated values with a header row, read line by line with limits. */
#ifndef TF_CLI_EVAL_CSV_H
#define TF_CLI_EVAL_CSV_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

#define TF_CSV_LINE_MAX 16384
#define TF_CSV_FIELDS_MAX 600
#define TF_CSV_ROWS_MAX 1000000

/* Fields hold no quotes and no commas; all messages begin with "FILE:LINE: ". */
struct tf_csv {
    FILE *file;
    const char *path; /* the caller's */
    unsigned line;
    char header_text[TF_CSV_LINE_MAX], text[TF_CSV_LINE_MAX];
    char *header[TF_CSV_FIELDS_MAX], *field[TF_CSV_FIELDS_MAX];
    int fields;
};

/* Opens and reads the header. The struct is large: not for the stack. */
int tf_csv_open(struct tf_csv *csv, const char *path, struct tf_error *err);
void tf_csv_close(struct tf_csv *csv);
/* A column's index; -EINVAL when it is missing. */
int tf_csv_column(const struct tf_csv *csv, const char *name, struct tf_error *err);
bool tf_csv_has_column(const struct tf_csv *csv, const char *name);
/* The next row: 1, 0 at the end, or a negative errno. Every row has as many fields as the header. Empty lines
 * are skipped. */
int tf_csv_next(struct tf_csv *csv, struct tf_error *err);
/* A field as a finite number between min and max. */
int tf_csv_number(const struct tf_csv *csv, int column, double min, double max, double *ret,
                  struct tf_error *err);
/* A field that is used as (part of) a file name: not empty, no slash at its start and no "..". */
int tf_csv_file_name(const struct tf_csv *csv, int column, const char **ret, struct tf_error *err);

#endif
