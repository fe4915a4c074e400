/* thermoface calibrate: the registration of two cameras on one rig, for [pair NAME] of the configuration. */
#include "cli/calibrate.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/eval_csv.h"

/* By hand, a pixel or two is good. */
#define THRESHOLD_HAND_PX 3.0
/* Landmarks scatter with the size of the face: of the distance of the outer eye corners. */
#define THRESHOLD_EYES 0.15
#define MAX_SKEW_MS 25

struct calibrate {
    const char *output, *model;
    uint16_t thermal_size[2], visible_size[2];
    double threshold;
    bool overwrite, json;

    double max_skew_ms, shift;
    struct tf_sightings_video thermal, visible;
    struct tf_sightings_live live;
};

/* Prints and writes a fit's result. */
static int finish(const struct tf_usage *usage, const struct calibrate *c, const struct tf_registration *g,
                  size_t frames)
{
    const double(*m)[3] = g->matrix;
    struct tf_error err = {0};

    if (tf_registration_save(g, c->output, c->overwrite, &err) < 0)
        return tf_command_error(usage, "%s", err.text);
    if (c->json) {
        printf("{\"model\":\"%s\",\"frames\":%zu,\"points\":%llu,\"used\":%llu,\"rms_px\":%.4f,\"median_px\":"
               "%.4f,"
               "\"max_px\":%.4f,\"matrix\":[[%.9g,%.9g,%.9g],[%.9g,%.9g,%.9g],[%.9g,%.9g,%.9g]]}\n",
               tf_registration_model_name(g->model), frames, (unsigned long long)g->points,
               (unsigned long long)g->used, g->rms_px, g->median_px, g->max_px, m[0][0], m[0][1], m[0][2],
               m[1][0], m[1][1], m[1][2], m[2][0], m[2][1], m[2][2]);
        return TF_EXIT_OK;
    }
    if (frames)
        printf("%zu moment%s at which both cameras saw the face\n", frames, TF_PLURAL(frames));
    printf("%s from %llu points, %llu left out as wrong\n"
           "residual in the thermal picture: rms %.2f, median %.2f, largest %.2f pixels\n"
           "written to %s\n",
           tf_registration_model_name(g->model), (unsigned long long)g->used,
           (unsigned long long)(g->points - g->used), g->rms_px, g->median_px, g->max_px, c->output);
    return TF_EXIT_OK;
}

/* The options that every way of calibrating has. False: *status is the exit status. */
static bool common(const struct tf_usage *usage, const struct calibrate *c, struct tf_fit_options *fit,
                   enum tf_registration_model fallback, int *status)
{
    *fit = (struct tf_fit_options){.model = fallback, .threshold_px = c->threshold};
    *status = TF_EXIT_OK;
    if (!c->output)
        *status = tf_usage_error(usage, "--output FILE is missing");
    else if (c->model)
        fit->model = strcmp(c->model, "affine") == 0 ? TF_REGISTRATION_AFFINE : TF_REGISTRATION_HOMOGRAPHY;
    return *status == TF_EXIT_OK;
}

static int read_points(const char *path, struct tf_match **ret, size_t *count, struct tf_error *err)
{
    static const char *const names[] = {"xt", "yt", "xv", "yv"};
    struct tf_csv *csv = calloc(1, sizeof(*csv));
    struct tf_match *matches = NULL;
    size_t n = 0, room = 0;
    int column[4], r;

    if (!csv)
        return tf_fail(err, -ENOMEM, "out of memory");
    r = tf_csv_open(csv, path, err);
    for (int i = 0; i < 4 && r >= 0; i++)
        r = column[i] = tf_csv_column(csv, names[i], err);
    while (r >= 0 && (r = tf_csv_next(csv, err)) > 0) {
        double v[4];

        for (int i = 0; i < 4 && r >= 0; i++)
            r = tf_csv_number(csv, column[i], -1e5, 1e5, &v[i], err);
        if (r >= 0 && n == room) {
            struct tf_match *more =
                n < TF_MATCHES_MAX ? realloc(matches, (room + 256) * sizeof(*more)) : NULL;

            if (!more) {
                r = tf_fail(err, -ENOMEM, "%s: out of memory, or more than %d points", path, TF_MATCHES_MAX);
                break;
            }
            matches = more;
            room += 256;
        }
        if (r >= 0)
            matches[n++] = (struct tf_match){{v[0], v[1]}, {v[2], v[3]}};
    }
    tf_csv_close(csv);
    free(csv);
    if (r < 0) {
        free(matches);
        return r;
    }
    *ret = matches;
    *count = n;
    return 0;
}

int tf_cmd_calibrate_points(int argc, char **argv)
{
    struct calibrate c = {.threshold = THRESHOLD_HAND_PX};
    const struct tf_bind bind[] = {
        {"thermal-size", c.thermal_size},
        {"visible-size", c.visible_size},
        {"output", &c.output},
        {"overwrite", &c.overwrite},
        {"model", &c.model},
        {"threshold", &c.threshold},
        {"json", &c.json},
        {0},
    };
    const struct tf_usage *usage = tf_command("calibrate points");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_match *matches = NULL;
    struct tf_registration g;
    struct tf_fit_options fit;
    struct tf_error err = {0};
    size_t count = 0;
    int status, r;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status) ||
        !common(usage, &c, &fit, TF_REGISTRATION_HOMOGRAPHY, &status))
        return status;
    if (!c.thermal_size[0] || !c.visible_size[0])
        return tf_usage_error(usage, "--thermal-size and --visible-size are needed");
    fit.thermal_width = c.thermal_size[0];
    fit.thermal_height = c.thermal_size[1];
    fit.visible_width = c.visible_size[0];
    fit.visible_height = c.visible_size[1];
    r = read_points(arguments[0], &matches, &count, &err);
    if (r == 0)
        r = tf_registration_fit(matches, count, &fit, &g, &err);
    free(matches);
    return r < 0 ? tf_command_error(usage, "%s", err.text) : finish(usage, &c, &g, 0);
}

/* From what both cameras saw to the file. */
static int from_sightings(const struct tf_usage *usage, const struct calibrate *c, struct tf_fit_options *fit,
                          const struct tf_sightings *thermal, const struct tf_sightings *visible)
{
    struct tf_match *matches = NULL;
    struct tf_registration g;
    struct tf_error err = {0};
    size_t count = 0, frames = 0;
    double eyes = 0;
    int r;

    fit->thermal_width = thermal->width;
    fit->thermal_height = thermal->height;
    fit->visible_width = visible->width;
    fit->visible_height = visible->height;
    r = tf_sightings_match(thermal, visible, (int64_t)(c->max_skew_ms * 1e6), &matches, &count, &eyes,
                           &frames, &err);
    if (r == 0 && !(fit->threshold_px > 0))
        fit->threshold_px = eyes * THRESHOLD_EYES;
    if (r == 0)
        r = tf_registration_fit(matches, count, fit, &g, &err);
    free(matches);
    return r < 0 ? tf_command_error(usage, "%s", err.text) : finish(usage, c, &g, frames);
}

static bool is_records(const char *path)
{
    size_t n = strlen(path);

    return n > 7 && strcmp(path + n - 7, ".ndjson") == 0;
}

static int see(struct tf_sightings *s, const struct tf_sightings_video *video, const uint16_t size[2],
               struct tf_error *err)
{
    if (!is_records(video->url))
        return tf_sightings_watch_video(s, video, err);
    s->width = size[0];
    s->height = size[1];
    return tf_sightings_read_records(s, video->url, err);
}

int tf_cmd_calibrate_faces(int argc, char **argv)
{
    struct calibrate c = {.max_skew_ms = MAX_SKEW_MS, .thermal.threads = 1};
    const struct tf_bind bind[] = {
        {"output", &c.output},
        {"overwrite", &c.overwrite},
        {"model", &c.model},
        {"max-skew", &c.max_skew_ms},
        {"shift", &c.shift},
        {"threshold", &c.threshold},
        {"thermal-size", c.thermal_size},
        {"visible-size", c.visible_size},
        {"thermal-format", &c.thermal.format},
        {"visible-format", &c.visible.format},
        {"thermal-rotate", &c.thermal.rotate},
        {"visible-rotate", &c.visible.rotate},
        {"models", &c.thermal.models},
        {"threads", &c.thermal.threads},
        {"cpu", &c.thermal.cpu},
        {"json", &c.json},
        {0},
    };
    const struct tf_usage *usage = tf_command("calibrate faces");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_sightings thermal = {0}, visible = {0};
    struct tf_fit_options fit;
    struct tf_error err = {0};
    int status, r;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status) ||
        !common(usage, &c, &fit, TF_REGISTRATION_AFFINE, &status))
        return status;
    c.thermal.url = arguments[0];
    c.visible.url = arguments[1];
    c.visible.models = c.thermal.models;
    c.visible.threads = c.thermal.threads;
    c.visible.cpu = c.thermal.cpu;
    if (is_records(c.thermal.url) != is_records(c.visible.url))
        return tf_usage_error(usage, "two files of records or two videos are needed: their clocks differ");
    if (is_records(c.thermal.url) && (!c.thermal_size[0] || !c.visible_size[0]))
        return tf_usage_error(usage,
                              "records do not tell the pictures' sizes: --thermal-size and --visible-size");
    tf_catch_interrupt();
    r = see(&thermal, &c.thermal, c.thermal_size, &err);
    if (r == 0)
        r = see(&visible, &c.visible, c.visible_size, &err);
    for (size_t i = 0; i < visible.count; i++)
        visible.at[i].t_ns += (int64_t)(c.shift * 1e9);
    status = r < 0 ? tf_command_error(usage, "%s", *err.text ? err.text : strerror(-r))
                   : from_sightings(usage, &c, &fit, &thermal, &visible);
    tf_sightings_free(&thermal);
    tf_sightings_free(&visible);
    return status;
}

int tf_cmd_calibrate_live(int argc, char **argv)
{
    struct calibrate c = {.max_skew_ms = MAX_SKEW_MS,
                          .live = {.url = "http://127.0.0.1:8080", .seconds = 30}};
    const struct tf_bind bind[] = {
        {"thermal", &c.live.cameras[0]},
        {"visible", &c.live.cameras[1]},
        {"seconds", &c.live.seconds},
        {"url", &c.live.url},
        {"credentials", &c.live.credentials},
        {"token", &c.live.token},
        {"ca", &c.live.ca},
        {"output", &c.output},
        {"overwrite", &c.overwrite},
        {"model", &c.model},
        {"max-skew", &c.max_skew_ms},
        {"threshold", &c.threshold},
        {"json", &c.json},
        {0},
    };
    const struct tf_usage *usage = tf_command("calibrate live");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_sightings sightings[2] = {{0}};
    struct tf_fit_options fit;
    struct tf_error err = {0};
    int status, r;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status) ||
        !common(usage, &c, &fit, TF_REGISTRATION_AFFINE, &status))
        return status;
    if (!c.live.cameras[0] || !c.live.cameras[1])
        return tf_usage_error(usage, "--thermal NAME and --visible NAME are needed");
    tf_catch_interrupt();
    r = tf_sightings_watch_live(sightings, &c.live, &err);
    status = r < 0 ? tf_command_error(usage, "%s", err.text)
                   : from_sightings(usage, &c, &fit, &sightings[0], &sightings[1]);
    tf_sightings_free(&sightings[0]);
    tf_sightings_free(&sightings[1]);
    return status;
}
