/* Label files of eval, read line by line. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/eval_csv.h"

static int split(struct tf_csv *csv, char *text, char *field[TF_CSV_FIELDS_MAX], int *fields,
                 struct tf_error *err)
{
    int n = 0;

    for (char *at = text; at;) {
        char *comma = strchr(at, ',');

        if (n == TF_CSV_FIELDS_MAX)
            return tf_fail(err, -E2BIG, "%s:%u: more than %d fields", csv->path, csv->line,
                           TF_CSV_FIELDS_MAX);
        field[n++] = at;
        if (comma)
            *comma++ = '\0';
        at = comma;
    }
    *fields = n;
    return 0;
}

/* 1 for a line, 0 at the end. */
static int read_line(struct tf_csv *csv, char text[TF_CSV_LINE_MAX], struct tf_error *err)
{
    for (;;) {
        size_t n;

        errno = 0;
        if (!fgets(text, TF_CSV_LINE_MAX, csv->file)) {
            if (ferror(csv->file))
                return tf_fail(err, errno > 0 ? -errno : -EIO, "%s: cannot read: %s", csv->path,
                               strerror(errno > 0 ? errno : EIO));
            return 0;
        }
        csv->line++;
        if (csv->line > TF_CSV_ROWS_MAX)
            return tf_fail(err, -E2BIG, "%s: more than %d lines", csv->path, TF_CSV_ROWS_MAX);
        n = strlen(text);
        if (n == TF_CSV_LINE_MAX - 1 && text[n - 1] != '\n')
            return tf_fail(err, -E2BIG, "%s:%u: the line is longer than %d bytes", csv->path, csv->line,
                           TF_CSV_LINE_MAX - 2);
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
            text[--n] = '\0';
        if (n > 0)
            return 1;
    }
}

int tf_csv_open(struct tf_csv *csv, const char *path, struct tf_error *err)
{
    int r;

    csv->path = path;
    csv->line = 0;
    csv->file = fopen(path, "re");
    if (!csv->file) {
        r = -errno;
        return tf_fail(err, r, "%s: cannot open: %s", path, strerror(-r));
    }
    r = read_line(csv, csv->header_text, err);
    if (r == 0)
        r = tf_fail(err, -EINVAL, "%s: empty; a header row with column names is needed", path);
    if (r > 0)
        r = split(csv, csv->header_text, csv->header, &csv->fields, err);
    if (r < 0)
        tf_csv_close(csv);
    return r < 0 ? r : 0;
}

void tf_csv_close(struct tf_csv *csv)
{
    if (csv->file)
        fclose(csv->file);
    csv->file = NULL;
}

static int find(const struct tf_csv *csv, const char *name)
{
    for (int i = 0; i < csv->fields; i++) {
        if (strcmp(csv->header[i], name) == 0)
            return i;
    }
    return -1;
}

bool tf_csv_has_column(const struct tf_csv *csv, const char *name)
{
    return find(csv, name) >= 0;
}

int tf_csv_column(const struct tf_csv *csv, const char *name, struct tf_error *err)
{
    int i = find(csv, name);

    return i >= 0 ? i : tf_fail(err, -EINVAL, "%s:1: column '%s' is missing", csv->path, name);
}

int tf_csv_next(struct tf_csv *csv, struct tf_error *err)
{
    int fields = 0, r = read_line(csv, csv->text, err);

    if (r <= 0)
        return r;
    r = split(csv, csv->text, csv->field, &fields, err);
    if (r < 0)
        return r;
    if (fields != csv->fields)
        return tf_fail(err, -EINVAL, "%s:%u: %d fields, the header has %d", csv->path, csv->line, fields,
                       csv->fields);
    return 1;
}

int tf_csv_number(const struct tf_csv *csv, int column, double min, double max, double *ret,
                  struct tf_error *err)
{
    const char *text = csv->field[column];
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(value))
        return tf_fail(err, -EINVAL, "%s:%u: %s: '%.40s' is not a number", csv->path, csv->line,
                       csv->header[column], text);
    if (value < min || value > max)
        return tf_fail(err, -EINVAL, "%s:%u: %s: %g is not between %g and %g", csv->path, csv->line,
                       csv->header[column], value, min, max);
    *ret = value;
    return 0;
}

int tf_csv_file_name(const struct tf_csv *csv, int column, const char **ret, struct tf_error *err)
{
    const char *text = csv->field[column];

    if (text[0] == '\0' || text[0] == '/' || strstr(text, "..") || strlen(text) > 255)
        return tf_fail(err, -EINVAL, "%s:%u: %s: '%.40s' is not a file name inside the folder", csv->path,
                       csv->line, csv->header[column], text);
    *ret = text;
    return 0;
}
