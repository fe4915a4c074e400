/* Reads the tables of a recording, row by row. */
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES (4096 + 640)
#define LINE_BYTES (1u << 20) /* our longest row is some 100 kB */
#define CELLS_MAX 2048
#define NAME_BYTES 64
#define QUALITY_MIN 0.6 /* a breathing rate that stands on noise is none */

struct tf_signals {
    FILE *file;
    char path[PATH_BYTES];
    char gap;
    uint64_t start_ns;
    int columns, regions;
    int onset, stamp, state, flags, breathing, quality, utc;
    struct {
        char name[NAME_BYTES];
        int mean, valid;
    } region[TF_SIGNAL_REGIONS_MAX];
    int nose, forehead; /* regions */
    uint64_t damaged;
    char *line, *cells[CELLS_MAX];
};

static int split(char *line, char gap, char *cells[CELLS_MAX])
{
    int n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    for (char *at = line; at && n < CELLS_MAX; n++) {
        cells[n] = at;
        at = strchr(at, gap);
        if (at)
            *at++ = '\0';
    }
    return n;
}

/* False at the end. A line without an end is what a crash left, or no line of ours. */
static bool read_line(struct tf_signals *s)
{
    if (!fgets(s->line, LINE_BYTES, s->file)) {
        s->damaged += ferror(s->file) != 0; /* a disk that fails is no end */
        return false;
    }
    if (strchr(s->line, '\n'))
        return true;
    s->damaged++;
    return false;
}

static int column(const struct tf_signals *s, const char *name)
{
    for (int i = 0; i < s->columns; i++)
        if (strcmp(s->cells[i], name) == 0)
            return i;
    return -1;
}

static void take_region(struct tf_signals *s, int mean)
{
    const char *name = s->cells[mean];
    size_t n = strlen(name);
    char valid[NAME_BYTES + 16];
    int at;

    if (n <= 5 || n - 5 >= NAME_BYTES || strcmp(name + n - 5, "_mean") != 0 ||
        s->regions == TF_SIGNAL_REGIONS_MAX)
        return;
    snprintf(valid, sizeof(valid), "%.*s_valid", (int)(n - 5), name);
    at = column(s, valid);
    if (at < 0)
        return;
    snprintf(s->region[s->regions].name, NAME_BYTES, "%.*s", (int)(n - 5), name);
    s->region[s->regions].mean = mean;
    s->region[s->regions].valid = at;
    if (strcmp(s->region[s->regions].name, "nose_tip") == 0)
        s->nose = s->regions;
    if (strcmp(s->region[s->regions].name, "forehead") == 0)
        s->forehead = s->regions;
    s->regions++;
}

static int read_head(struct tf_signals *s, struct tf_error *err)
{
    if (!read_line(s))
        return tf_fail(err, -EINVAL, "%s: no table is in it", s->path);
    s->columns = split(s->line, s->gap, s->cells);
    s->onset = column(s, "onset");
    s->stamp = column(s, "t_mono_ns");
    s->state = column(s, "state");
    s->flags = column(s, "flags");
    s->breathing = column(s, "breathing_rate");
    s->quality = column(s, "breathing_quality");
    s->utc = column(s, "t_utc");
    for (int i = 0; i < s->columns; i++)
        take_region(s, i);
    if ((s->onset < 0 && s->stamp < 0) || s->state < 0 || s->flags < 0 || !s->regions)
        return tf_fail(err, -EINVAL, "%s: not a table of signals or frames", s->path);
    return 0;
}

int tf_signals_open(const char *folder, const char *stem, uint64_t start_ns, struct tf_signals **ret,
                    struct tf_error *err)
{
    static const struct {
        const char *ending;
        char gap;
    } tables[] = {{"_signals.tsv", '\t'}, {"_frames.csv", ','}};
    struct tf_signals *s = calloc(1, sizeof(*s));
    struct stat st;
    int r = -ENOENT;

    if (!s || !(s->line = malloc(LINE_BYTES))) {
        tf_signals_close(s);
        return tf_fail(err, -ENOMEM, "out of memory");
    }
    s->start_ns = start_ns;
    s->nose = s->forehead = -1;
    for (int i = 0; i < 2 && !s->file; i++) {
        int fd;

        snprintf(s->path, sizeof(s->path), "%s/%s%s", folder, stem, tables[i].ending);
        s->gap = tables[i].gap;
        fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe of that name must not hold us */
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
            s->file = fdopen(fd, "r");
        if (fd >= 0 && !s->file)
            close(fd);
    }
    if (s->file)
        r = read_head(s, err);
    else
        tf_fail(err, r, "%s/%s: neither _signals.tsv nor _frames.csv is there", folder, stem);
    if (r < 0) {
        tf_signals_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void tf_signals_close(struct tf_signals *s)
{
    if (!s)
        return;
    if (s->file)
        fclose(s->file);
    free(s->line);
    free(s);
}

const char *tf_signals_path(const struct tf_signals *s)
{
    return s->path;
}

int tf_signals_regions(const struct tf_signals *s)
{
    return s->regions;
}

const char *tf_signals_region(const struct tf_signals *s, int i)
{
    return s->region[i].name;
}

uint64_t tf_signals_damaged(const struct tf_signals *s)
{
    return s->damaged;
}

void tf_signals_again(struct tf_signals *s)
{
    rewind(s->file);
    s->damaged = 0;
    if (!read_line(s))
        fseek(s->file, 0, SEEK_END);
}

static float number(const char *cell)
{
    char *end;
    double v = strtod(cell, &end);

    return end == cell || *end || !(fabs(v) < 1e9) ? NAN : (float)v;
}

/* Seconds; false: the cell is no time. */
static bool time_of(struct tf_signals *s, double *ret)
{
    uint64_t ns;
    char *end;

    if (s->onset >= 0) {
        *ret = strtod(s->cells[s->onset], &end);
        return end != s->cells[s->onset] && isfinite(*ret) && fabs(*ret) < 1e9;
    }
    ns = strtoull(s->cells[s->stamp], &end, 10);
    if (end == s->cells[s->stamp])
        return false;
    if (!s->start_ns)
        s->start_ns = ns;
    *ret = (double)(int64_t)(ns - s->start_ns) / 1e9;
    return fabs(*ret) < 1e9;
}

bool tf_signals_next(struct tf_signals *s, struct tf_signal_row *ret)
{
    for (;;) {
        float quality;

        if (!read_line(s))
            return false;
        if (split(s->line, s->gap, s->cells) != s->columns || !time_of(s, &ret->t)) {
            s->damaged++;
            continue;
        }
        ret->state = s->cells[s->state];
        ret->flags = s->cells[s->flags];
        ret->utc = s->utc >= 0 ? s->cells[s->utc] : "";
        for (int i = 0; i < s->regions; i++)
            ret->mean[i] =
                strcmp(s->cells[s->region[i].valid], "1") == 0 ? number(s->cells[s->region[i].mean]) : NAN;
        ret->difference =
            s->nose >= 0 && s->forehead >= 0 ? ret->mean[s->nose] - ret->mean[s->forehead] : NAN;
        quality = s->quality >= 0 ? number(s->cells[s->quality]) : NAN;
        ret->breathing = s->breathing >= 0 && quality >= QUALITY_MIN ? number(s->cells[s->breathing]) : NAN;
        return true;
    }
}

/* --- marks --- */

bool tf_original_folder(const char *folder, char *ret, size_t size)
{
    static const char results[] = "derivatives/thermoface";
    const char *at = strstr(folder, results), *rest = at ? at + strlen(results) : NULL;

    if (!at || (at > folder && at[-1] != '/') || (*rest && *rest != '/'))
        return false;
    return (size_t)snprintf(ret, size, "%.*s%s", (int)(at - folder), folder,
                            at == folder ? *rest ? rest + 1 : "."
                            : *rest      ? rest + 1
                                         : "") < size;
}

/* A cell in quotes has what stands between them, quotes inside doubled. */
static void unquote(char *cell)
{
    char *to = cell;

    if (*cell != '"')
        return;
    for (const char *c = cell + 1; *c && (*c != '"' || c[1] == '"'); c++) {
        c += *c == '"';
        *to++ = *c;
    }
    *to = '\0';
}

static FILE *open_events(const char *folder, const char *stem, int n)
{
    char path[PATH_BYTES];
    FILE *file = NULL;
    struct stat st;
    int fd;

    snprintf(path, sizeof(path), "%s/%.*s_events.tsv", folder, n, stem);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        file = fdopen(fd, "r");
    if (fd >= 0 && !file)
        close(fd);
    return file;
}

int tf_marks_read(const char *folder, const char *stem, struct tf_mark_read **ret)
{
    const char *end = strstr(stem, "_recording-");
    char line[8192], original[4096], *cells[CELLS_MAX];
    struct tf_mark_read *marks;
    bool head = true;
    FILE *file;
    int n = 0;

    if (!end)
        return 0;
    file = open_events(folder, stem, (int)(end - stem));
    if (!file && tf_original_folder(folder, original, sizeof(original)))
        file = open_events(original, stem, (int)(end - stem));
    if (!file)
        return 0;
    marks = calloc(TF_MARKS_MAX, sizeof(*marks));
    while (marks && n < TF_MARKS_MAX && fgets(line, sizeof(line), file)) {
        bool row = !head && strchr(line, '\n') && split(line, '\t', cells) >= 4;

        head = false;
        if (!row)
            continue;
        unquote(cells[2]);
        unquote(cells[3]);
        marks[n].t = strtod(cells[0], NULL);
        if (!(fabs(marks[n].t) < 1e9))
            continue;
        snprintf(marks[n].text, sizeof(marks[n].text), "%s", cells[2]);
        snprintf(marks[n].value, sizeof(marks[n].value), "%s", strcmp(cells[3], "n/a") != 0 ? cells[3] : "");
        n++;
    }
    fclose(file);
    if (!marks)
        return -ENOMEM;
    *ret = marks;
    return n;
}
