/* thermoface verify: are tables whole, and do their numbers go on? */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#include <zlib.h>

#include "base/count.h"
#include "cli/verify.h"

#define GZIP_MAX (1u << 30) /* bytes of unpacked lines: half a year at 5 Hz */

/* The n-th cell; our own tables quote nothing up to the columns that are read here. */
static const char *cell(const char *line, char gap, int n)
{
    for (; n > 0; n--) {
        line = strchr(line, gap);
        if (!line)
            return NULL;
        line++;
    }
    return line;
}

static int column(const char *header, char gap, const char *name)
{
    const char ends[] = {gap, '\r', '\n', '\0'};
    size_t n = strlen(name);
    int i = 0;

    for (const char *c = header; c; i++) {
        if (strncmp(c, name, n) == 0 && strchr(ends, c[n]))
            return i;
        c = strchr(c, gap);
        if (c)
            c++;
    }
    return -1;
}

#define COMPLAINTS_MAX 5 /* of one table */

/* How many cells a line has; a gap inside quotes is none. 0: a quote without its end. */
static int count_cells(const char *line, char gap)
{
    bool quoted = false, begin = true;
    int n = 1;

    for (const char *c = line; *c && *c != '\n'; c++) {
        if (quoted)
            quoted = *c != '"' || (c[1] == '"' && c++);
        else if (*c == '"' && begin)
            quoted = true;
        begin = !quoted && *c == gap;
        n += begin;
    }
    return quoted ? 0 : n;
}

static void check_partial(struct tf_verify *v, const char *path, FILE *file, off_t whole,
                          struct tf_verify_table *t)
{
    if (!t->partial)
        return;
    if (v->trim && ftruncate(fileno(file), whole) == 0)
        printf("%s: the last line had no end and was taken away\n", path);
    else
        tf_verify_problem(v, path, "the last line has no end (--trim takes it away)");
}

void tf_verify_csv(struct tf_verify *v, const char *path, struct tf_verify_table *t)
{
    FILE *file = fopen(path, v->trim ? "r+e" : "re");
    char *line = NULL;
    const char *last = NULL;
    size_t size = 0;
    ssize_t n;
    off_t whole = 0;
    unsigned long long before = 0;
    int stamp = -1, cells = 0, bad = 0;
    bool header = true;

    if (!file) {
        tf_verify_problem(v, path, "%s", strerror(errno));
        return;
    }
    t->there = true;
    while ((n = getline(&line, &size, file)) > 0) {
        if (line[n - 1] != '\n') {
            t->partial = true;
            break;
        }
        whole += n;
        if (header) {
            header = false;
            cells = count_cells(line, ',');
            stamp = column(line, ',', "t_mono_ns");
            if (stamp < 0 || n < 13 || strcmp(line + n - 13, ",video_frame\n") != 0) {
                tf_verify_problem(v, path,
                                  "not a table of frames: columns t_mono_ns and video_frame are missing");
                break;
            }
            continue;
        }
        t->rows++;
        if (strlen(line) != (size_t)n || count_cells(line, ',') != cells) {
            if (bad++ < COMPLAINTS_MAX)
                tf_verify_problem(v, path, "row %llu is damaged", (unsigned long long)t->rows);
            continue;
        }
        if (cell(line, ',', stamp)) {
            unsigned long long now = strtoull(cell(line, ',', stamp), NULL, 10);

            if (t->rows > 1 && now <= before)
                tf_verify_problem(v, path, "row %llu: t_mono_ns %llu is not later than the one before",
                                  (unsigned long long)t->rows, now);
            before = now;
        }
        last = strrchr(line, ',');
        if (last && last[1] != '\n') {
            if (strtoull(last + 1, NULL, 10) != t->with_frame)
                tf_verify_problem(v, path, "row %llu: video_frame is %.*s, not %llu",
                                  (unsigned long long)t->rows, (int)strcspn(last + 1, "\n"), last + 1,
                                  (unsigned long long)t->with_frame);
            t->with_frame++;
        }
    }
    check_partial(v, path, file, whole, t);
    free(line);
    fclose(file);
}

/* A number, or n/a, up to the gap. */
static bool is_number(const char *cell)
{
    char *end;

    if (strncmp(cell, "n/a", 3) == 0 && strchr("\t\n", cell[3]))
        return true;
    if (!strchr("+-.0123456789", *cell))
        return false;
    strtod(cell, &end);
    return end != cell && strchr("\t\n", *end);
}

/* Columns that hold numbers in every one of our tables; without a head all do. */
static bool all_numbers(const char *line, const int *columns, int count)
{
    const char *c = line;

    if (columns) {
        for (int i = 0; i < count; i++)
            if (columns[i] >= 0 && !is_number(cell(line, '\t', columns[i])))
                return false;
        return true;
    }
    while (is_number(c)) {
        c = strchr(c, '\t');
        if (!c)
            return true;
        c++;
    }
    return false;
}

void tf_verify_tsv(struct tf_verify *v, const char *path, bool head, const char *stamp,
                   struct tf_verify_table *t)
{
    static const char *const numbers[] = {"onset", "duration", "frame", "t_mono_ns", "offset_ns", "step_ns"};
    enum { NUMBERS = TF_COUNT(numbers) };
    FILE *file = fopen(path, v->trim ? "r+e" : "re");
    int at = -1, cells = 0, columns[NUMBERS], bad = 0;
    unsigned long long before = 0;
    char *line = NULL;
    size_t size = 0;
    off_t whole = 0;
    ssize_t n;

    if (!file) {
        tf_verify_problem(v, path, "%s", strerror(errno));
        return;
    }
    t->there = true;
    for (; (n = getline(&line, &size, file)) > 0; t->rows++) {
        bool is_head = head && t->rows == 0;

        if (line[n - 1] != '\n') {
            t->partial = true;
            break;
        }
        whole += n;
        if (t->rows == 0)
            cells = count_cells(line, '\t');
        if (is_head) {
            for (int i = 0; i < NUMBERS; i++)
                columns[i] = column(line, '\t', numbers[i]);
            at = stamp ? column(line, '\t', stamp) : -1;
            if (stamp && at < 0)
                tf_verify_problem(v, path, "column %s is missing", stamp);
            if (columns[0] < 0)
                tf_verify_problem(v, path, "column onset is missing");
            continue;
        }
        if (strlen(line) != (size_t)n || count_cells(line, '\t') != cells || !cells ||
            !all_numbers(line, head ? columns : NULL, NUMBERS)) {
            if (bad++ < COMPLAINTS_MAX)
                tf_verify_problem(v, path, "line %llu is damaged", (unsigned long long)t->rows + 1);
            continue;
        }
        if (at >= 0) {
            unsigned long long now = strtoull(cell(line, '\t', at), NULL, 10);

            if (now <= before && bad++ < COMPLAINTS_MAX)
                tf_verify_problem(v, path, "line %llu: %s %llu is not later than the one before",
                                  (unsigned long long)t->rows + 1, stamp, now);
            before = now;
        }
    }
    check_partial(v, path, file, whole, t);
    free(line);
    fclose(file);
}

void tf_verify_ndjson(struct tf_verify *v, const char *path, struct tf_verify_table *t)
{
    FILE *file = fopen(path, v->trim ? "r+e" : "re");
    char *line = NULL;
    size_t size = 0;
    off_t whole = 0;
    int bad = 0;
    ssize_t n;

    if (!file) {
        tf_verify_problem(v, path, "%s", strerror(errno));
        return;
    }
    t->there = true;
    for (; (n = getline(&line, &size, file)) > 0; t->rows++) {
        json_t *object;

        if (line[n - 1] != '\n') {
            t->partial = true;
            break;
        }
        whole += n;
        object = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
        if ((!json_is_object(object) || !json_is_integer(json_object_get(object, "t_mono_ns"))) &&
            bad++ < COMPLAINTS_MAX)
            tf_verify_problem(v, path, "line %llu is damaged", (unsigned long long)t->rows + 1);
        json_decref(object);
    }
    check_partial(v, path, file, whole, t);
    free(line);
    fclose(file);
}

/* --- gzip --- */

struct text {
    char *bytes;
    size_t size, capacity;
};

static bool add(struct text *t, const char *bytes, size_t size)
{
    if (!size)
        return true;
    if (t->size + size > t->capacity) {
        size_t more = 2 * (t->size + size) + 65536;
        char *grown = more <= GZIP_MAX ? realloc(t->bytes, more) : NULL;

        if (!grown)
            return false;
        t->bytes = grown;
        t->capacity = more;
    }
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    return true;
}

/* All that can be unpacked. Returns false when the end is missing or the checksum is wrong. */
static bool unpack(FILE *file, struct text *ret)
{
    unsigned char in[65536], out[65536];
    z_stream z = {0};
    int r = Z_OK;

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return false;
    while (r == Z_OK || r == Z_BUF_ERROR) {
        z.avail_in = (unsigned)fread(in, 1, sizeof(in), file);
        if (!z.avail_in)
            break;
        z.next_in = in;
        do {
            z.next_out = out;
            z.avail_out = sizeof(out);
            r = inflate(&z, Z_NO_FLUSH);
            if (!add(ret, (char *)out, sizeof(out) - z.avail_out))
                r = Z_MEM_ERROR;
        } while (r == Z_OK && z.avail_out == 0);
    }
    inflateEnd(&z);
    return r == Z_STREAM_END;
}

/* The whole lines, packed anew beside the file and then in its place. */
static int pack_again(const char *path, const struct text *text)
{
    char fresh[4096 + 16];
    gzFile file;
    int r = 0;

    snprintf(fresh, sizeof(fresh), "%s.part", path);
    file = gzopen(fresh, "wbe");
    if (!file)
        return -errno;
    if (text->size && gzwrite(file, text->bytes, (unsigned)text->size) != (int)text->size)
        r = -EIO;
    if (gzclose(file) != Z_OK && r == 0)
        r = -EIO;
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(fresh);
    return r;
}

void tf_verify_gzip(struct tf_verify *v, const char *path, struct tf_verify_table *t)
{
    FILE *file = fopen(path, "re");
    struct text text = {0};
    bool whole;
    int r;

    if (!file) {
        tf_verify_problem(v, path, "%s", strerror(errno));
        return;
    }
    t->there = true;
    whole = unpack(file, &text);
    fclose(file);
    t->partial = !whole || (text.size && text.bytes[text.size - 1] != '\n');
    while (text.size && text.bytes[text.size - 1] != '\n')
        text.size--;
    for (size_t i = 0; i < text.size; i++)
        t->rows += text.bytes[i] == '\n';
    if (t->partial && v->trim) {
        r = pack_again(path, &text);
        if (r < 0)
            tf_verify_problem(v, path, "cannot be packed again: %s", strerror(-r));
        else
            printf("%s: had no end; its %llu whole lines were packed again\n", path,
                   (unsigned long long)t->rows);
    } else if (t->partial) {
        tf_verify_problem(v, path, "has no end, or is damaged, after line %llu (--trim packs it again)",
                          (unsigned long long)t->rows);
    }
    free(text.bytes);
}
