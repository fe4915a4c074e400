/* thermoface plot: the regions' temperatures and the marks of a session over time, as PNG or SVG. */
#include <cairo-svg.h>
#include <cairo.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/plot.h"
#include "cli/run.h"

#define MARKS_MAX 1000

struct plot {
    const struct tf_usage *usage;
    const char *output, *regions, *recording;
    bool overwrite;
    uint16_t size[2];
    struct tf_plot_picture picture;
};

/* Which columns: "nose_tip,forehead" or all, in the table's order. */
static int choose(const struct plot *p, bool wanted[TF_REGIONS])
{
    char list[512], *rest = list, *name;

    snprintf(list, sizeof(list), "%s", p->regions);
    if (strcmp(list, "all") == 0) {
        memset(wanted, true, TF_REGIONS * sizeof(*wanted));
        return TF_EXIT_OK;
    }
    while ((name = strsep(&rest, ","))) {
        int i = 0;

        while (i < TF_REGIONS && strcmp(tf_region_name((enum tf_region)i), name) != 0)
            i++;
        if (i == TF_REGIONS)
            return tf_usage_error(p->usage, "--regions: there is no region '%s'", name);
        wanted[i] = true;
    }
    return TF_EXIT_OK;
}

static int column(char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static int split(char *line, char **cells, int max)
{
    int n = 0;

    for (; line && n < max; n++)
        cells[n] = strsep(&line, "\t\n");
    return n;
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

static int add_sample(struct tf_plot_picture *picture, double t, const double values[TF_PLOT_LINES])
{
    if (picture->count == picture->capacity) {
        size_t more = picture->capacity ? 2 * picture->capacity : 4096;
        struct tf_plot_sample *grown = realloc(picture->samples, more * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        picture->samples = grown;
        picture->capacity = more;
    }
    picture->samples[picture->count].t = (float)t;
    for (int i = 0; i < TF_PLOT_LINES; i++)
        picture->samples[picture->count].value[i] = (float)values[i];
    picture->count++;
    return 0;
}

/* The signals' table. Values that are not valid leave a gap in their line, as do frames without a face. */
static int read_signals(struct plot *p, const struct tf_recording_found *from, const bool wanted[TF_REGIONS])
{
    struct tf_plot_picture *picture = &p->picture;
    char path[4096 + 640], name[64], *line = NULL, *cells[192];
    int mean[TF_REGIONS], valid[TF_REGIONS], difference, breathing, quality, flags, n, r = 0;
    size_t size = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s_signals.tsv", from->folder, from->stem);
    file = fopen(path, "re");
    if (!file)
        return tf_command_error(p->usage, "%s: %s; 'thermoface run' makes it from a recording", path,
                                strerror(errno));
    n = getline(&line, &size, file) > 0 ? split(line, cells, 192) : 0;
    for (int i = 0; i < TF_REGIONS; i++) {
        const char *region = tf_region_name((enum tf_region)i);

        snprintf(name, sizeof(name), "%s_mean", region);
        mean[i] = column(cells, n, name);
        snprintf(name, sizeof(name), "%s_valid", region);
        valid[i] = column(cells, n, name);
        r |= mean[i] < 0 || valid[i] < 0 ? -EINVAL : 0;
        picture->shown[i] = wanted[i];
    }
    flags = column(cells, n, "flags");
    difference = column(cells, n, "nose_minus_forehead");
    breathing = column(cells, n, "breathing_rate");
    quality = column(cells, n, "breathing_quality");
    if (r < 0 || flags < 0 || difference < 0 || breathing < 0 || quality < 0 ||
        strcmp(cells[0], "onset") != 0)
        r = tf_command_error(p->usage, "%s: not a table of signals", path);
    while (r == 0 && getline(&line, &size, file) > 0) {
        double values[TF_PLOT_LINES];

        if (!strchr(line, '\n') || split(line, cells, 192) < n)
            break;
        for (int i = 0; i < TF_REGIONS; i++)
            values[i] = strcmp(cells[valid[i]], "1") == 0 ? strtod(cells[mean[i]], NULL) : NAN;
        values[TF_PLOT_DIFFERENCE] =
            strcmp(cells[difference], "n/a") != 0 ? strtod(cells[difference], NULL) : NAN;
        /* A rate that stands on noise is none. */
        values[TF_PLOT_BREATHING] =
            strcmp(cells[breathing], "n/a") != 0 && strtod(cells[quality], NULL) >= 0.6
                ? strtod(cells[breathing], NULL)
                : NAN;
        values[TF_PLOT_SHUTTER] = strstr(cells[flags], "ffc") ? 1 : NAN;
        if (add_sample(picture, strtod(cells[0], NULL), values) < 0)
            r = tf_command_error(p->usage, "out of memory");
    }
    fclose(file);
    free(line);
    if (r == 0 && !picture->count)
        r = tf_command_error(p->usage, "%s: no row is in it", path);
    return r;
}

static void read_marks(struct plot *p, const struct tf_recording_found *from)
{
    const char *end = strstr(from->stem, "_recording-");
    char path[4096 + 640], *line = NULL, *cells[8];
    size_t size = 0;
    FILE *file;

    if (!end)
        return;
    snprintf(path, sizeof(path), "%s/%.*s_events.tsv", from->folder, (int)(end - from->stem), from->stem);
    file = fopen(path, "re");
    p->picture.marks = file ? calloc(MARKS_MAX, sizeof(*p->picture.marks)) : NULL;
    for (int i = 0; p->picture.marks && p->picture.mark_count < MARKS_MAX && getline(&line, &size, file) > 0;
         i++) {
        struct tf_plot_mark *m = &p->picture.marks[p->picture.mark_count];

        if (i == 0 || split(line, cells, 8) < 4)
            continue;
        unquote(cells[2]);
        unquote(cells[3]);
        m->t = strtod(cells[0], NULL);
        snprintf(m->text, sizeof(m->text), "%s%s%.20s", cells[2], strcmp(cells[3], "n/a") != 0 ? " " : "",
                 strcmp(cells[3], "n/a") != 0 ? cells[3] : "");
        p->picture.mark_count++;
    }
    if (file)
        fclose(file);
    free(line);
}

static int draw(struct plot *p, const char *path)
{
    size_t n = strlen(path);
    bool svg = n > 4 && strcmp(path + n - 4, ".svg") == 0;
    cairo_surface_t *surface;
    cairo_status_t status;
    cairo_t *c;

    if (!svg && (n <= 4 || strcmp(path + n - 4, ".png") != 0))
        return tf_usage_error(p->usage, "%s: must end in .png or .svg", path);
    if (!p->overwrite && access(path, F_OK) == 0)
        return tf_command_error(p->usage, "%s exists and is not overwritten: see --overwrite", path);
    surface = svg ? cairo_svg_surface_create(path, p->size[0], p->size[1])
                  : cairo_image_surface_create(CAIRO_FORMAT_RGB24, p->size[0], p->size[1]);
    c = cairo_create(surface);
    tf_plot_draw(c, p->size[0], p->size[1], &p->picture);
    status = cairo_status(c);
    cairo_destroy(c);
    if (!svg && status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png(surface, path);
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status != CAIRO_STATUS_SUCCESS)
        return tf_command_error(p->usage, "%s: cannot be written: %s", path, cairo_status_to_string(status));
    puts(path);
    return TF_EXIT_OK;
}

static const char *unit_of(const struct tf_recording_found *from)
{
    char path[4096 + 640];
    const char *unit;
    json_t *d;

    snprintf(path, sizeof(path), "%s/%s_signals.json", from->folder, from->stem);
    d = json_load_file(path, 0, NULL);
    unit = json_string_value(json_object_get(json_object_get(d, "forehead_mean"), "Units"));
    unit = unit && strcmp(unit, "counts") == 0 ? "counts" : "°C";
    json_decref(d);
    return unit;
}

/* One picture for each recording: beside it, or as --output says. */
static int plot_one(struct plot *p, const struct tf_recording_found *from, bool only,
                    const bool wanted[TF_REGIONS])
{
    char path[4096 + 640];
    int status;

    if (p->output && only)
        snprintf(path, sizeof(path), "%s", p->output);
    else
        snprintf(path, sizeof(path), "%.*s_plot.png", 600, from->stem);
    p->picture = (struct tf_plot_picture){.title = from->stem};
    p->picture.unit = unit_of(from);
    status = read_signals(p, from, wanted);
    if (status == TF_EXIT_OK) {
        read_marks(p, from);
        status = draw(p, path);
    }
    free(p->picture.samples);
    free(p->picture.marks);
    return status;
}

int tf_cmd_plot(int argc, char **argv)
{
    struct plot p = {.regions = "nose_tip,forehead,cheek_right,cheek_left,chin,perinasal",
                     .size = {1200, 800}};
    const struct tf_bind bind[] = {
        {"output", &p.output}, {"regions", &p.regions},     {"recording", &p.recording},
        {"size", p.size},      {"overwrite", &p.overwrite}, {0},
    };
    const struct tf_usage *usage = tf_command("plot");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_recording_found *found = NULL;
    bool wanted[TF_REGIONS] = {0};
    int status, n, chosen = 0, result = TF_EXIT_OK;

    p.usage = usage;
    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    status = choose(&p, wanted);
    if (status)
        return status;
    n = tf_find_recordings(arguments[0], &found);
    if (n < 0)
        return tf_command_error(usage, "%s: %s%s", arguments[0], strerror(-n),
                                n == -ENOTDIR ? ": give the folder of a session (docs/recording.md)" : "");
    for (int i = 0; i < n; i++)
        chosen += !p.recording || strstr(found[i].stem, p.recording);
    if (!chosen)
        result = tf_command_error(usage, "%s: no such recording is in it", arguments[0]);
    else if (p.output && chosen > 1)
        result = tf_command_error(usage,
                                  "%s: %d recordings are in it: choose one with --recording, or leave out "
                                  "--output",
                                  arguments[0], chosen);
    for (int i = 0; i < n && result != TF_EXIT_USAGE && (result == TF_EXIT_OK || chosen > 1); i++) {
        if (p.recording && !strstr(found[i].stem, p.recording))
            continue;
        if (p.output && chosen > 1)
            break;
        status = plot_one(&p, &found[i], chosen == 1, wanted);
        if (status)
            result = status;
    }
    free(found);
    return result;
}
