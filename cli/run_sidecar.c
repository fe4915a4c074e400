/* A recording's description of itself, read so that it can be analysed again. */
#include "cli/run_sidecar.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "capture/format.h"
#include "publish/recording/own_json.h"

#define NUMBER_MAX                                                                                           \
    1e9 /* of those that become a float; counts of degrees, rates and seconds are far below                  \
         */

static double number(const json_t *o, const char *key, double otherwise)
{
    const json_t *v = json_object_get(o, key);

    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static float real(const json_t *o, const char *key)
{
    double v = number(o, key, 0);

    return fabs(v) <= NUMBER_MAX ? (float)v : 0;
}

/* A whole number from 0 to max; anything else counts as not there. */
static uint32_t count_of(const json_t *o, const char *key, uint32_t max)
{
    double v = number(o, key, 0);

    return v >= 0 && v <= max ? (uint32_t)v : 0;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *v = json_string_value(json_object_get(o, key));

    return v ? v : "";
}

/* What the camera could measure; sessions from before it was written down have the row's name. */
static void read_limits(const json_t *d, uint16_t ret[2])
{
    const json_t *list = json_object_get(d, "ValueLimits");
    json_int_t low = json_integer_value(json_array_get(list, 0));
    json_int_t high = json_integer_value(json_array_get(list, 1));
    const struct tf_format *row = tf_format_find(text_of(d, "FormatRow"));
    const struct tf_radiometry radiometry = {
        .valid = strcmp(text_of(d, "Unit"), "celsius") == 0,
        .scale = json_object_get(d, "CelsiusScale") ? real(d, "CelsiusScale") : 1,
        .offset = real(d, "CelsiusOffset")};

    if (low >= 0 && low < high && high <= UINT16_MAX) {
        ret[0] = (uint16_t)low;
        ret[1] = (uint16_t)high;
    } else if (row && radiometry.scale != 0) {
        tf_format_limits(row, &radiometry, ret);
    }
}

static void read_analysis(const json_t *d, struct tf_sidecar *s)
{
    const json_t *a = json_object_get(d, "Analysis");

    s->analyse = !json_is_false(json_object_get(d, "Analysed"));
    s->faces_max = count_of(a, "FacesMax", TF_FACES_MAX);
    s->filter = !json_is_false(json_object_get(a, "Filter"));
    s->filter_min_cutoff = real(a, "FilterMinCutoff");
    s->filter_beta = real(a, "FilterBeta");
    s->score_min = real(a, "ScoreMin");
    s->find_every = count_of(a, "FindEvery", 100000);
    /* A session from before there was a choice was read once. */
    if (!tf_mirror_parse(text_of(a, "Mirror"), &s->mirror))
        s->mirror = TF_MIRROR_NO;
}

static void read_black_body(const json_t *d, struct tf_sidecar *s)
{
    const json_t *body = json_object_get(d, "BlackBody"), *rectangle = json_object_get(body, "Rectangle");

    if (json_array_size(rectangle) != 4)
        return;
    for (size_t i = 0; i < 4; i++) {
        json_int_t v = json_integer_value(json_array_get(rectangle, i));

        s->black_body[i] = v > 0 && v < TF_FRAME_DIM_MAX ? (uint16_t)v : 0;
    }
    s->black_body_c = real(body, "Temperature");
}

static int read_object(const json_t *d, struct tf_sidecar *s, struct tf_error *err)
{
    double turn = number(d, "RotateClockwise", 0);
    json_int_t start = json_integer_value(json_object_get(d, "SessionStartMonotonicNs"));

    if (turn != 0 && turn != 90 && turn != 180 && turn != 270)
        return tf_fail(err, -EINVAL, "RotateClockwise %g is not one of 0, 90, 180, 270", turn);
    s->rotate = (uint16_t)turn;
    snprintf(s->camera, sizeof(s->camera), "%s", text_of(d, "Camera"));
    s->flip = json_is_true(json_object_get(d, "FlipHorizontally"));
    read_limits(d, s->limits);
    if (strcmp(text_of(d, "PixelFormat"), "gray16le") == 0) {
        s->format = "y16";
        s->celsius = strcmp(text_of(d, "Unit"), "celsius") == 0;
        s->scale = s->celsius ? real(d, "CelsiusScale") : 0;
        s->offset = s->celsius ? real(d, "CelsiusOffset") : 0;
    } else if (strcmp(text_of(d, "PixelFormat"), "gray8") == 0) {
        s->format = "grey";
    }
    read_analysis(d, s);
    read_black_body(d, s);
    if (json_object_get(d, "OwnRegions") &&
        tf_own_from_json(json_object_get(d, "OwnRegions"), &s->own, err) < 0) {
        tf_error_prefix(err, "OwnRegions");
        return -EINVAL;
    }
    s->first_face_id = count_of(d, "FirstFaceId", UINT32_MAX - 1);
    s->fps = real(d, "NominalFrameRate");
    s->t_start_ns = start > 0 ? (uint64_t)start : 0;
    s->physio_rate = real(d, "PhysioSamplingFrequency");
    if (!(s->physio_rate >= 0 && s->physio_rate <= 1000))
        s->physio_rate = 0;
    return 0;
}

int tf_sidecar_read(const char *text, size_t size, struct tf_sidecar *ret, struct tf_error *err)
{
    struct tf_sidecar s = {0};
    json_error_t problem = {0};
    json_t *d = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    int r;

    if (!json_is_object(d))
        r = tf_fail(err, -EINVAL, "%s", d ? "not a JSON object" : problem.text);
    else
        r = read_object(d, &s, err);
    json_decref(d);
    if (r == 0)
        *ret = s;
    return r;
}
