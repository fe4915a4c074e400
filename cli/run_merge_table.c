/* thermoface run --merge: one table of a data set, a row for each recording; and of all frames. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/count.h"
#include "cli/run_merge.h"
#include "cli/run_result.h"
#include "cli/run_place.h"

#define PATH_BYTES (4096 + 1024)
#define COLUMNS_MAX 4096
#define NAME_MAX_BYTES 128

static const char *below(const char *folder, const char *path)
{
    size_t n = strlen(folder);

    return n && strncmp(folder, path, n) == 0 && (path[n] == '/' || !path[n]) ? path + n + (path[n] == '/')
                                                                              : path;
}

/* --- columns of several tables --- */

struct names {
    char (*list)[NAME_MAX_BYTES];
    int count;
};

/* Its place; added where it is new. -ENOMEM, -E2BIG. */
static int place_of(struct names *names, const char *name, size_t n)
{
    void *more;

    if (n >= NAME_MAX_BYTES)
        return -E2BIG;
    for (int i = 0; i < names->count; i++)
        if (strncmp(names->list[i], name, n) == 0 && !names->list[i][n])
            return i;
    if (names->count == COLUMNS_MAX)
        return -E2BIG;
    more = realloc(names->list, (size_t)(names->count + 1) * sizeof(*names->list));
    if (!more)
        return -ENOMEM;
    names->list = more;
    snprintf(names->list[names->count], NAME_MAX_BYTES, "%.*s", (int)n, name);
    return names->count++;
}

/* --- regions of a recording --- */

struct region {
    double sum;
    uint64_t valid;
    bool has;
};

/* The mean of each region's NAME_mean over the rows whose NAME_valid is 1. `regions`: by place in names. */
static int read_regions(const char *path, struct names *names, struct region regions[COLUMNS_MAX],
                        struct tf_error *err)
{
    int *mean = calloc(COLUMNS_MAX, sizeof(*mean)), r = mean ? 0 : -ENOMEM;
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    bool head = true;

    if (!file)
        r = -errno;
    while (r == 0 && getline(&line, &size, file) > 0) {
        char *rest = line, *cell;
        double value = 0;
        bool number = false;

        for (int i = 0; r == 0 && (cell = strsep(&rest, "\t\n")) && i < COLUMNS_MAX; i++) {
            size_t n = strlen(cell);

            if (head && n > 6 && strcmp(cell + n - 6, "_valid") == 0) {
                mean[i] = place_of(names, cell, n - 6) + 1;
                r = mean[i] <= 0 ? mean[i] - 1 : 0;
                if (r == 0)
                    regions[mean[i] - 1].has = true;
            } else if (head && n > 5 && strcmp(cell + n - 5, "_mean") == 0) {
                mean[i] = -1;
            } else if (!head && mean[i] < 0) {
                char *end;

                value = strtod(cell, &end);
                number = end != cell && !*end;
            } else if (!head && mean[i] > 0 && strcmp(cell, "1") == 0 && number) {
                regions[mean[i] - 1].sum += value;
                regions[mean[i] - 1].valid++;
            }
        }
        head = false;
    }
    if (r == 0 && ferror(file))
        r = -EIO;
    if (file)
        fclose(file);
    free(line);
    free(mean);
    if (r == -ENOENT)
        return 0; /* nothing was analysed */
    return r < 0 ? tf_fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

/* --- the table --- */

/* A cell: tabs and line ends are none of it. */
static void put_text(FILE *file, const char *text)
{
    fputc('\t', file);
    if (!text || !*text)
        fputs("n/a", file);
    for (; text && *text; text++)
        fputc(*text == '\t' || *text == '\n' || *text == '\r' ? ' ' : *text, file);
}

static void put_row(FILE *file, const struct tf_run_item *item, const json_t *p, const char *folder,
                    const struct names *names, const struct region *regions)
{
    static const char *const states[] = {"ok", "no_face", "skipped", "corrupt", "stale"};
    json_int_t frames = json_integer_value(json_object_get(p, "FrameCount"));
    double rate = json_number_value(json_object_get(p, "NominalFrameRate"));
    const char *result = below(folder, item->out);

    fprintf(file, "%s%s%s", result, *result ? "/" : "", item->stem);
    put_text(file, item->name);
    put_text(file, json_string_value(json_object_get(p, "Camera")));
    fprintf(file, "\t%lld", (long long)frames);
    for (size_t i = 0; i < TF_COUNT(states); i++)
        fprintf(file, "\t%lld",
                (long long)json_integer_value(json_object_get(json_object_get(p, "States"), states[i])));
    if (rate > 0)
        fprintf(file, "\t%.9g\t%.3f", rate, (double)frames / rate);
    else
        fputs("\tn/a\tn/a", file);
    put_text(file, json_string_value(json_object_get(p, "Notice")));
    for (int i = 0; i < names->count; i++) {
        if (regions[i].valid)
            fprintf(file, "\t%.4f\t%" PRIu64, regions[i].sum / (double)regions[i].valid, regions[i].valid);
        else
            fputs(regions[i].has ? "\tn/a\t0" : "\tn/a\tn/a", file);
    }
    fputc('\n', file);
}

static int write_rows(FILE *file, const struct tf_dataset *d, json_t *const *provenance, const char *folder,
                      const struct names *names, struct tf_error *err)
{
    struct region *regions = calloc(COLUMNS_MAX, sizeof(*regions));
    struct names same = *names;
    char path[PATH_BYTES];
    int r = regions ? 0 : -ENOMEM;

    fputs("result\trecording\tcamera\tframes\tok\tno_face\tskipped\tcorrupt\tstale\trate\tseconds\tnotice",
          file);
    for (int i = 0; i < names->count; i++)
        fprintf(file, "\t%s_mean\t%s_valid", names->list[i], names->list[i]);
    fputc('\n', file);
    for (int i = 0; i < d->count && r == 0; i++) {
        memset(regions, 0, COLUMNS_MAX * sizeof(*regions));
        snprintf(path, sizeof(path), "%s/%s_signals.tsv", d->items[i].out, d->items[i].stem);
        r = read_regions(path, &same, regions, err);
        if (r == 0)
            put_row(file, &d->items[i], provenance[i], folder, names, regions);
    }
    free(regions);
    return r;
}

/* The regions that any recording has, in the order in which they are met; its own ones come last. */
static int find_regions(const struct tf_dataset *d, struct names *names, struct tf_error *err)
{
    char path[PATH_BYTES], *line = NULL;
    size_t size = 0;
    int r = 0;

    for (int i = 0; i < d->count && r >= 0; i++) {
        char *rest, *cell;
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s_signals.tsv", d->items[i].out, d->items[i].stem);
        file = fopen(path, "re");
        if (!file)
            continue;
        rest = getline(&line, &size, file) > 0 ? line : NULL;
        while (rest && r >= 0 && (cell = strsep(&rest, "\t\n"))) {
            size_t n = strlen(cell);

            if (n > 6 && strcmp(cell + n - 6, "_valid") == 0)
                r = place_of(names, cell, n - 6);
        }
        fclose(file);
    }
    free(line);
    return r < 0 ? tf_fail(err, r, "%s: more than %d columns, or one with a long name", path, COLUMNS_MAX)
                 : 0;
}

static int write_meaning(const char *path, const struct names *names)
{
    static const char *const columns[][2] = {
        {"result", "The results' files are called so, with their endings; relative to this folder"},
        {"recording", "What they were made from, relative to the data set"},
        {"camera", "The camera's name in the records"},
        {"frames", "Frames, each of which has a row"},
        {"ok", "Frames with a face"},
        {"no_face", "Frames without a face"},
        {"skipped", "Frames that were not looked at while it was recorded"},
        {"corrupt", "Frames whose buffer was damaged"},
        {"stale", "Frames of a closed shutter, and duplicates"},
        {"rate", "Nominal frames a second"},
        {"seconds", "Frames divided by the rate"},
        {"notice", "What a reader of the results should know"},
    };
    json_t *o = json_object();
    int r;

    for (size_t i = 0; i < TF_COUNT(columns); i++)
        json_object_set_new(o, columns[i][0], json_pack("{s:s}", "Description", columns[i][1]));
    for (int i = 0; i < names->count; i++) {
        char name[NAME_MAX_BYTES + 8];

        snprintf(name, sizeof(name), "%s_mean", names->list[i]);
        json_object_set_new(o, name,
                            json_pack("{s:s}", "Description",
                                      "The largest face's region: mean over the frames in which it is valid, "
                                      "degrees Celsius or counts as the recording has them"));
        snprintf(name, sizeof(name), "%s_valid", names->list[i]);
        json_object_set_new(o, name,
                            json_pack("{s:s}", "Description", "Frames in which the region is valid"));
    }
    r = json_dump_file(o, path, JSON_INDENT(2));
    json_decref(o);
    return r;
}

/* As sha256sum writes it: the digests that were checked. */
static void write_digests(FILE *file, const struct tf_dataset *d, json_t *const *provenance,
                          const char *folder)
{
    for (int i = 0; i < d->count; i++) {
        const char *result = below(folder, d->items[i].out);
        json_t *one;
        size_t k;

        json_array_foreach(json_object_get(provenance[i], "Files"), k, one)
        {
            const char *name = json_string_value(json_object_get(one, "Name"));
            size_t n = strlen(result);

            if (!name)
                continue;
            if (strncmp(name, "../", 3) == 0 && n >= 3) {
                n -= 3; /* beh */
                fprintf(file, "%s  %.*s%s\n", json_string_value(json_object_get(one, "SHA256")), (int)n,
                        result, name + 3);
            } else {
                fprintf(file, "%s  %s%s%s\n", json_string_value(json_object_get(one, "SHA256")), result,
                        n ? "/" : "", name);
            }
        }
    }
}

static int finish(FILE *file, const char *part, const char *path, int r, struct tf_error *err)
{
    if (r == 0 && (fflush(file) == EOF || ferror(file) || fsync(fileno(file)) < 0))
        r = tf_fail(err, errno ? -errno : -EIO, "%s: %s", path, strerror(errno ? errno : EIO));
    if (fclose(file) == EOF && r == 0)
        r = tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (r == 0 && rename(part, path) < 0)
        r = tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (r < 0)
        unlink(part);
    return r;
}

static FILE *begin(const char *folder, const char *name, char part[PATH_BYTES], char path[PATH_BYTES],
                   struct tf_error *err)
{
    FILE *file;

    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    snprintf(part, PATH_BYTES, "%s/" TF_PART_PREFIX "%ld.%s", folder, (long)getpid(), name);
    errno = 0;
    file = fopen(part, "we");
    if (!file)
        tf_fail(err, errno ? -errno : -EIO, "%s: %s", part, strerror(errno));
    return file;
}

int tf_merge_table(const struct tf_dataset *d, json_t *const *provenance, const char *folder,
                   struct tf_error *err)
{
    char part[PATH_BYTES], path[PATH_BYTES];
    struct names names = {0};
    FILE *file;
    int r = find_regions(d, &names, err);

    if (r == 0) {
        file = begin(folder, "recordings.sha256", part, path, err);
        r = file ? 0 : -EIO;
        if (file) {
            write_digests(file, d, provenance, folder);
            r = finish(file, part, path, r, err);
        }
    }
    if (r == 0) {
        snprintf(path, sizeof(path), "%s/recordings.json", folder);
        snprintf(part, sizeof(part), "%s/" TF_PART_PREFIX "%ld.recordings.json", folder, (long)getpid());
        if (write_meaning(part, &names) < 0 || rename(part, path) < 0)
            r = tf_fail(err, errno ? -errno : -EIO, "%s: cannot be written: %s", path, strerror(errno));
    }
    /* Last: where it is new, the others are. */
    if (r == 0) {
        file = begin(folder, "recordings.tsv", part, path, err);
        r = file ? 0 : -EIO;
        if (file) {
            r = write_rows(file, d, provenance, folder, &names, err);
            r = finish(file, part, path, r, err);
        }
    }
    free(names.list);
    return r;
}

/* --- all frames --- */

struct frames {
    gzFile out;
    struct names names;
    char **cells; /* of a row, by place */
    char *line;
    size_t size;
};

static int read_head(struct frames *f, const char *path, FILE *file, int places[COLUMNS_MAX],
                     struct tf_error *err)
{
    ssize_t n = getline(&f->line, &f->size, file);
    char *rest = f->line, *cell;
    int count = 0;

    if (n <= 0)
        return tf_fail(err, -EIO, "%s: is empty", path);
    rest[strcspn(rest, "\r\n")] = '\0';
    while ((cell = strsep(&rest, ","))) {
        int place = count < COLUMNS_MAX ? place_of(&f->names, cell, strlen(cell)) : -E2BIG;

        if (place < 0)
            return tf_fail(err, place, "%s: more than %d columns, or one with a long name", path,
                           COLUMNS_MAX);
        places[count++] = place;
    }
    return count;
}

static void put(struct frames *f, const char *text)
{
    if (*text)
        gzputs(f->out, text);
}

static int copy_rows(struct frames *f, const struct tf_run_item *item, const char *name, bool write,
                     struct tf_error *err)
{
    static const char special[] = ",\"\n\r";
    int places[COLUMNS_MAX], count, r = 0;
    char path[PATH_BYTES];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s_frames.csv", item->out, item->stem);
    file = fopen(path, "re");
    if (!file)
        return tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    count = read_head(f, path, file, places, err);
    while (write && count > 0 && r == 0 && getline(&f->line, &f->size, file) > 0) {
        char *rest = f->line, *cell;

        rest[strcspn(rest, "\r\n")] = '\0';
        memset(f->cells, 0, COLUMNS_MAX * sizeof(*f->cells));
        for (int i = 0; i < count && (cell = strsep(&rest, ",")); i++)
            f->cells[places[i]] = cell;
        if (rest)
            r = tf_fail(err, -EIO, "%s: a row has more cells than the first one", path);
        if (strpbrk(name, special)) {
            gzputc(f->out, '"');
            for (const char *c = name; *c; c++) {
                if (*c == '"')
                    gzputc(f->out, '"');
                gzputc(f->out, *c);
            }
            gzputc(f->out, '"');
        } else {
            put(f, name);
        }
        for (int i = 0; i < f->names.count; i++) {
            gzputc(f->out, ',');
            put(f, f->cells[i] ? f->cells[i] : "");
        }
        if (gzputc(f->out, '\n') < 0)
            r = tf_fail(err, errno ? -errno : -EIO, "%s", strerror(errno ? errno : EIO));
    }
    if (r == 0 && ferror(file))
        r = tf_fail(err, -EIO, "%s: cannot be read", path);
    fclose(file);
    return count < 0 ? count : r;
}

int tf_merge_frames(const struct tf_dataset *d, const char *path, struct tf_error *err)
{
    size_t n = strlen(path);
    bool out = strcmp(path, "-") == 0, packed = n > 3 && strcmp(path + n - 3, ".gz") == 0;
    struct frames f = {.cells = calloc(COLUMNS_MAX, sizeof(char *))};
    char part[PATH_BYTES];
    int r = f.cells ? 0 : tf_fail(err, -ENOMEM, "out of memory");

    snprintf(part, sizeof(part), "%s.part", path);
    for (int i = 0; i < d->count && r == 0; i++)
        r = copy_rows(&f, &d->items[i], "", false, err);
    if (r == 0) {
        f.out = out ? gzdopen(dup(STDOUT_FILENO), "wT") : gzopen(part, packed ? "w6e" : "wTe");
        if (!f.out)
            r = tf_fail(err, errno ? -errno : -ENOMEM, "%s: %s", part, strerror(errno));
    }
    for (int i = -1; i < f.names.count && r == 0; i++)
        if (i >= 0)
            gzprintf(f.out, ",%s", f.names.list[i]);
        else
            gzputs(f.out, "recording");
    if (r == 0)
        gzputc(f.out, '\n');
    for (int i = 0; i < d->count && r == 0; i++)
        r = copy_rows(&f, &d->items[i], d->items[i].name, true, err);
    errno = 0;
    if (f.out && gzclose(f.out) != Z_OK && r == 0)
        r = tf_fail(err, errno ? -errno : -EIO, "%s: cannot be written: %s", path,
                    strerror(errno ? errno : EIO));
    if (!out && r == 0 && rename(part, path) < 0)
        r = tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (!out && r < 0)
        unlink(part);
    free(f.names.list);
    free(f.cells);
    free(f.line);
    return r;
}
