/* A recording's table of frames as columns in memory. */
#include "cli/export_table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/count.h"
#include "cli/commands.h"

#define COLUMNS_MAX 4096
#define WORDS_MAX 4096 /* different ones of a column */
#define BYTES_MAX (8ull << 30)
#define LINE_MAX_BYTES (1 << 20)

struct tf_export_table {
    struct tf_export_item *item;
    char path[TF_EXPORT_PATH + 640];
    FILE *file;
    char *head, *line;
    size_t size;
    struct tf_column columns[COLUMNS_MAX];
    char *cells[COLUMNS_MAX];
    int count, stamp, video_frame, frame;
    size_t rows, room;
    uint64_t damaged, start_ns;
};

/* Columns of words; the others are numbers. */
static enum tf_column_kind kind_of(const char *name)
{
    static const char *const words[] = {"camera", "t_from",      "state",       "flags",
                                        "unit",   "pair_camera", "points_from", "why"};
    static const char *const integers[] = {"frame",     "sequence",   "camera_counter",
                                           "t_mono_ns", "pair_frame", "video_frame"};
    size_t n = strlen(name);

    for (size_t i = 0; i < TF_COUNT(words); i++)
        if (strcmp(name, words[i]) == 0)
            return TF_COLUMN_WORDS;
    if (n > 4 && strcmp(name + n - 4, "_why") == 0)
        return TF_COLUMN_WORDS;
    for (size_t i = 0; i < TF_COUNT(integers); i++)
        if (strcmp(name, integers[i]) == 0)
            return TF_COLUMN_INTEGER;
    return TF_COLUMN_REAL;
}

static int read_head(struct tf_export_table *t, struct tf_error *err)
{
    ssize_t n = getline(&t->line, &t->size, t->file);

    if (n <= 0 || t->line[n - 1] != '\n' || !(t->head = strndup(t->line, (size_t)n - 1)))
        return tf_fail(err, -EINVAL, "%s: no table is in it", t->path);
    t->stamp = t->video_frame = t->frame = -1;
    for (char *at = t->head; at && t->count < COLUMNS_MAX; t->count++) {
        struct tf_column *c = &t->columns[t->count];

        c->name = strsep(&at, ",");
        c->kind = kind_of(c->name);
        if (strcmp(c->name, "t_mono_ns") == 0)
            t->stamp = t->count;
        if (strcmp(c->name, "video_frame") == 0)
            t->video_frame = t->count;
        if (strcmp(c->name, "frame") == 0)
            t->frame = t->count;
    }
    if (t->stamp < 0 || t->frame < 0)
        return tf_fail(err, -EINVAL, "%s: not a table of frames", t->path);
    return 0;
}

/* Cells; one in quotes has what stands between them. Returns how many. */
static int split(struct tf_export_table *t, char *line)
{
    int n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    while (n < COLUMNS_MAX) {
        char *to = line;

        t->cells[n++] = line;
        if (*line == '"') {
            const char *c = line + 1;

            for (; *c && (*c != '"' || c[1] == '"'); c++) {
                c += *c == '"';
                *to++ = *c;
            }
            line += c - line + (*c == '"');
        } else {
            line += strcspn(line, ",");
            to = line;
        }
        if (*line != ',') {
            *to = '\0';
            return n;
        }
        line++;
        *to = '\0';
    }
    return n + 1;
}

/* Seconds since 1970 of "2026-03-01T10:15:30.123456Z". */
static double utc(const char *text)
{
    struct tm tm = {0};
    double seconds;
    int used = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &used) != 5 ||
        !used)
        return NAN;
    seconds = strtod(text + used, NULL);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (double)timegm(&tm) + seconds;
}

static int word_of(struct tf_column *c, const char *text)
{
    char **more;

    if (!*text)
        return 0;
    for (int i = 0; i < c->word_count; i++)
        if (strcmp(c->words[i], text) == 0)
            return i + 1;
    if (c->word_count == WORDS_MAX)
        return -EINVAL;
    more = realloc(c->words, (size_t)(c->word_count + 1) * sizeof(*more));
    if (!more)
        return -ENOMEM;
    c->words = more;
    more[c->word_count] = strdup(text);
    if (!more[c->word_count])
        return -ENOMEM;
    return ++c->word_count;
}

static int grow(struct tf_export_table *t, struct tf_error *err)
{
    size_t room = t->room ? 2 * t->room : 1024;

    if (room * (size_t)t->count * 8 > BYTES_MAX)
        return tf_fail(err, -EFBIG,
                       "%s: too many rows for one file: take parts of it (--frames, --from, --until)",
                       t->path);
    for (int i = 0; i < t->count; i++) {
        struct tf_column *c = &t->columns[i];
        void *more;

        if (c->kind == TF_COLUMN_REAL && (more = realloc(c->real, room * sizeof(*c->real))))
            c->real = more;
        else if (c->kind == TF_COLUMN_INTEGER && (more = realloc(c->integer, room * sizeof(*c->integer))))
            c->integer = more;
        else if (c->kind == TF_COLUMN_WORDS && (more = realloc(c->word, room * sizeof(*c->word))))
            c->word = more;
        else
            return tf_fail(err, -ENOMEM, "%s: out of memory", t->path);
    }
    t->room = room;
    return 0;
}

static bool is_wanted(struct tf_export_table *t)
{
    const struct tf_export_options *o = t->item->options;
    const char *number =
        t->video_frame >= 0 && *t->cells[t->video_frame] ? t->cells[t->video_frame] : t->cells[t->frame];
    uint64_t stamp = strtoull(t->cells[t->stamp], NULL, 10), n = strtoull(number, NULL, 10);
    double at;

    if (!t->start_ns)
        t->start_ns = stamp;
    at = (double)(int64_t)(stamp - t->start_ns) / 1e9;
    return n >= o->first && n <= o->last && !(at < o->from) && !(at > o->until);
}

static int take_row(struct tf_export_table *t, struct tf_error *err)
{
    int r = t->rows == t->room ? grow(t, err) : 0;

    if (r < 0)
        return r;
    for (int i = 0; i < t->count; i++) {
        struct tf_column *c = &t->columns[i];
        const char *cell = t->cells[i];
        char *end;

        if (c->kind == TF_COLUMN_INTEGER) {
            c->integer[t->rows] = *cell ? strtoll(cell, NULL, 10) : -1;
        } else if (c->kind == TF_COLUMN_WORDS) {
            r = word_of(c, cell);
            if (r < 0)
                return tf_fail(err, r, "%s: column %s: %s", t->path, c->name,
                               r == -ENOMEM ? "out of memory" : "too many different words");
            c->word[t->rows] = (uint16_t)r;
        } else if (strcmp(c->name, "t_utc") == 0) {
            c->real[t->rows] = utc(cell);
        } else {
            double v = strtod(cell, &end);

            c->real[t->rows] = end == cell || *end ? NAN : v;
        }
    }
    t->rows++;
    return 0;
}

static int read_rows(struct tf_export_table *t, struct tf_error *err)
{
    ssize_t n;
    int r = 0;

    while (r == 0 && !tf_interrupted() && (n = getline(&t->line, &t->size, t->file)) > 0) {
        /* A last line without an end is what a crash left. */
        if (n > LINE_MAX_BYTES || t->line[n - 1] != '\n' || split(t, t->line) != t->count)
            t->damaged++;
        else if (is_wanted(t))
            r = take_row(t, err);
    }
    if (r == 0 && tf_interrupted())
        r = tf_fail(err, -ECANCELED, "%s: stopped before the end; nothing is left of it", t->item->stem);
    if (r == 0 && ferror(t->file))
        r = tf_fail(err, -EIO, "%s: cannot be read on: %s", t->path, strerror(errno));
    if (r == 0 && !t->rows)
        r = tf_fail(err, -ENODATA, "%s: no row is in %s", t->path, t->start_ns ? "the range" : "it");
    return r;
}

int tf_export_table_read(struct tf_export_item *item, struct tf_export_table **ret, struct tf_error *err)
{
    struct tf_export_table *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return tf_fail(err, -ENOMEM, "%s: out of memory", item->stem);
    t->item = item;
    t->start_ns = item->about.t_start_ns;
    snprintf(t->path, sizeof(t->path), "%s/%s_frames.csv", item->folder, item->stem);
    t->file = fopen(t->path, "re");
    r = t->file ? read_head(t, err) : tf_fail(err, -errno, "%s: %s", t->path, strerror(errno));
    if (r == 0)
        r = read_rows(t, err);
    if (r == 0 && t->damaged)
        snprintf(item->note, sizeof(item->note), "; %llu row%s damaged and left out",
                 (unsigned long long)t->damaged, t->damaged == 1 ? " is" : "s are");
    if (r < 0) {
        tf_export_table_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void tf_export_table_free(struct tf_export_table *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->count; i++) {
        struct tf_column *c = &t->columns[i];

        free(c->real);
        free(c->integer);
        free(c->word);
        for (int k = 0; k < c->word_count; k++)
            free(c->words[k]);
        free(c->words);
    }
    if (t->file)
        fclose(t->file);
    free(t->head);
    free(t->line);
    free(t);
}

size_t tf_export_table_rows(const struct tf_export_table *t)
{
    return t->rows;
}

int tf_export_table_columns(const struct tf_export_table *t)
{
    return t->count;
}

const struct tf_column *tf_export_table_column(const struct tf_export_table *t, int i)
{
    return &t->columns[i];
}

const struct tf_column *tf_export_table_find(const struct tf_export_table *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return &t->columns[i];
    return NULL;
}

uint64_t tf_export_table_damaged(const struct tf_export_table *t)
{
    return t->damaged;
}

uint64_t tf_export_table_start(const struct tf_export_table *t)
{
    return t->start_ns;
}
