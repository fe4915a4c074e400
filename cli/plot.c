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
#include "cli/signals.h"

struct plot {
    const struct tf_usage *usage;
    const char *output, *regions, *recording;
    bool overwrite;
    uint16_t size[2];
    struct tf_plot_picture picture;
};

/* A name that no region can have is a slip, whatever the folder holds. */
static int check_names(const struct plot *p)
{
    size_t n = strlen(p->regions);

    if (strspn(p->regions, "abcdefghijklmnopqrstuvwxyz0123456789_,") != n)
        return tf_usage_error(p->usage, "--regions %s: names of regions with commas between, or all",
                              p->regions);
    return TF_EXIT_OK;
}

/* Which regions are drawn: "nose_tip,forehead" or all. */
static int choose(const struct plot *p, const struct tf_signals *from, bool shown[TF_SIGNAL_REGIONS_MAX])
{
    char list[2048], *rest = list, *name;

    snprintf(list, sizeof(list), "%s", p->regions);
    if (strcmp(list, "all") == 0) {
        memset(shown, true, TF_SIGNAL_REGIONS_MAX * sizeof(*shown));
        return TF_EXIT_OK;
    }
    while ((name = strsep(&rest, ","))) {
        int i = 0;

        while (i < tf_signals_regions(from) && strcmp(tf_signals_region(from, i), name) != 0)
            i++;
        if (i == tf_signals_regions(from))
            return tf_usage_error(p->usage, "--regions: there is no region '%s' in %s", name,
                                  tf_signals_path(from));
        shown[i] = true;
    }
    return TF_EXIT_OK;
}

static int add_sample(struct tf_plot_picture *picture, const struct tf_signal_row *row)
{
    struct tf_plot_sample *s;

    if (picture->count == picture->capacity) {
        size_t more = picture->capacity ? 2 * picture->capacity : 4096;
        struct tf_plot_sample *grown = realloc(picture->samples, more * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        picture->samples = grown;
        picture->capacity = more;
    }
    s = &picture->samples[picture->count++];
    s->t = (float)row->t;
    for (int i = 0; i < picture->regions; i++)
        s->value[TF_PLOT_REGIONS + i] = row->mean[picture->column[i]];
    s->value[TF_PLOT_DIFFERENCE] = row->difference;
    s->value[TF_PLOT_BREATHING] = row->breathing;
    s->value[TF_PLOT_SHUTTER] = strstr(row->flags, "ffc") ? 1 : NAN;
    return 0;
}

/* Values that are not valid leave a gap in their line, as do frames without a face. */
static int read_signals(struct plot *p, struct tf_signals *from)
{
    struct tf_plot_picture *picture = &p->picture;
    bool shown[TF_SIGNAL_REGIONS_MAX] = {0};
    struct tf_signal_row row;
    int status = choose(p, from, shown);

    if (status)
        return status;
    for (int i = 0; i < tf_signals_regions(from) && picture->regions < TF_PLOT_SHOWN_MAX; i++)
        if (shown[i]) {
            picture->column[picture->regions] = i;
            picture->names[picture->regions++] = tf_signals_region(from, i);
        }
    while (tf_signals_next(from, &row))
        if (add_sample(picture, &row) < 0)
            return tf_command_error(p->usage, "out of memory");
    if (!picture->count)
        return tf_command_error(p->usage, "%s: no row is in it", tf_signals_path(from));
    return TF_EXIT_OK;
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
static int plot_one(struct plot *p, const struct tf_recording_found *from, bool only)
{
    struct tf_signals *signals = NULL;
    struct tf_error err = {0};
    char path[4096 + 640];
    int status;

    if (p->output && only)
        snprintf(path, sizeof(path), "%s", p->output);
    else
        snprintf(path, sizeof(path), "%.*s_plot.png", 600, from->stem);
    p->picture = (struct tf_plot_picture){.title = from->stem};
    p->picture.unit = unit_of(from);
    if (tf_signals_open(from->folder, from->stem, 0, &signals, &err) < 0)
        return tf_command_error(p->usage, "%s", err.text);
    status = read_signals(p, signals);
    if (status == TF_EXIT_OK) {
        int n = tf_marks_read(from->folder, from->stem, &p->picture.marks);

        p->picture.mark_count = n > 0 ? n : 0;
        status = draw(p, path);
    }
    tf_signals_close(signals);
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
    int status, n, chosen = 0, result = TF_EXIT_OK;

    p.usage = usage;
    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    status = check_names(&p);
    if (status)
        return status;
    n = tf_find_results(arguments[0], &found);
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
        status = plot_one(&p, &found[i], chosen == 1);
        if (status)
            result = status;
    }
    free(found);
    return result;
}
