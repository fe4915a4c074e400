/* A session's marks, all of them, for thermoface export. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/export.h"
#include "cli/signals.h"

#define EVENTS_MAX 1000000
#define CELLS_MAX 64
#define LINE_BYTES 65536

enum { ONSET, DURATION, TYPE, VALUE, STAMP, COLUMNS };

static FILE *open_table(const char *folder, const char *stem, int n)
{
    char path[TF_EXPORT_PATH + 640];
    FILE *file = NULL;
    struct stat st;
    int fd;

    snprintf(path, sizeof(path), "%s/%.*s_events.tsv", folder, n, stem);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe of that name must not hold us */
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        file = fdopen(fd, "r");
    if (fd >= 0 && !file)
        close(fd);
    return file;
}

static int split(char *line, char *cells[CELLS_MAX])
{
    int n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    for (char *at = line; at && n < CELLS_MAX; n++)
        cells[n] = strsep(&at, "\t");
    return n;
}

/* A cell in quotes has what stands between them, quotes inside doubled (RFC 4180). */
static char *text_of(char *cell)
{
    char *to = cell;

    if (*cell == '"') {
        for (const char *c = cell + 1; *c && (*c != '"' || c[1] == '"'); c++) {
            c += *c == '"';
            *to++ = *c;
        }
        *to = '\0';
    }
    return cell;
}

static double number(const char *cell)
{
    char *end;
    double v = strtod(cell, &end);

    return end == cell || *end || !(fabs(v) < 1e9) ? NAN : v;
}

static int add(struct tf_export_event **list, int n, char *const cells[CELLS_MAX], const int place[COLUMNS])
{
    struct tf_export_event *more = *list, e = {.onset = number(cells[place[ONSET]])};
    const char *value = place[VALUE] >= 0 ? text_of(cells[place[VALUE]]) : "n/a";

    if (isnan(e.onset))
        return n;
    if ((n & (n - 1)) == 0)
        more = realloc(more, (size_t)(n ? 2 * n : 1) * sizeof(*more));
    if (!more)
        return -ENOMEM;
    *list = more;
    e.duration = place[DURATION] >= 0 ? number(cells[place[DURATION]]) : NAN;
    e.t_mono_ns = place[STAMP] >= 0 ? strtoll(cells[place[STAMP]], NULL, 10) : 0;
    e.type = strdup(text_of(cells[place[TYPE]]));
    e.value = strdup(strcmp(value, "n/a") != 0 ? value : "");
    if (!e.type || !e.value) {
        free(e.type);
        free(e.value);
        return -ENOMEM;
    }
    more[n] = e;
    return n + 1;
}

int tf_export_events(const struct tf_export_item *item, struct tf_export_event **ret)
{
    static const char *const names[COLUMNS] = {"onset", "duration", "trial_type", "value", "t_mono_ns"};
    const char *end = strstr(item->stem, "_recording-");
    char original[TF_EXPORT_PATH], *cells[CELLS_MAX], *line;
    struct tf_export_event *list = NULL;
    int place[COLUMNS], columns = 0, n = 0, more = 0;
    FILE *file = end ? open_table(item->folder, item->stem, (int)(end - item->stem)) : NULL;

    *ret = NULL;
    if (end && !file && tf_original_folder(item->folder, original, sizeof(original)))
        file = open_table(original, item->stem, (int)(end - item->stem));
    if (!file)
        return 0;
    line = malloc(LINE_BYTES);
    /* A last line without an end is what a crash left: no mark. */
    while (line && n < EVENTS_MAX && more >= 0 && fgets(line, LINE_BYTES, file) && strchr(line, '\n')) {
        int count = split(line, cells);

        if (!columns) {
            columns = count;
            for (int c = 0; c < COLUMNS; c++) {
                place[c] = -1;
                for (int i = 0; i < count; i++)
                    if (strcmp(cells[i], names[c]) == 0)
                        place[c] = i;
            }
            if (place[ONSET] < 0 || place[TYPE] < 0)
                break;
        } else if (count == columns) {
            more = add(&list, n, cells, place);
            n = more >= 0 ? more : n;
        }
    }
    fclose(file);
    if (!line || more < 0) {
        free(line);
        tf_export_events_free(list, n);
        return -ENOMEM;
    }
    free(line);
    *ret = list;
    return n;
}

void tf_export_events_free(struct tf_export_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        free(events[i].type);
        free(events[i].value);
    }
    free(events);
}
