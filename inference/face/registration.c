/* A registration: its use, its checks and its file. The fit is in fit.c. */
#include "inference/face/registration.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "thermoface-registration"
#define FILE_MAX (64 << 10)
#define SIDE_MIN 8
#define SIDE_MAX 4096
/* A point of the visible picture that lands further off than this many thermal pictures is no point of a rig.
 */
#define FAR_PICTURES 20.0
/* The visible picture must not shrink to less than so many thermal pixels: that is no map, it is a line. */
#define AREA_MIN_PX 64.0

static const char *const models[] = {"homography", "affine"};

const char *tf_registration_model_name(enum tf_registration_model model)
{
    return (unsigned)model < 2 ? models[model] : NULL;
}

bool tf_registration_map(const struct tf_registration *g, double x, double y, double *ret_x, double *ret_y)
{
    const double(*m)[3] = g->matrix;
    double w = m[2][0] * x + m[2][1] * y + m[2][2];

    if (!(w > 1e-9))
        return false;
    *ret_x = (m[0][0] * x + m[0][1] * y + m[0][2]) / w;
    *ret_y = (m[1][0] * x + m[1][1] * y + m[1][2]) / w;
    return true;
}

static bool side_fits(uint32_t side)
{
    return side >= SIDE_MIN && side <= SIDE_MAX;
}

int tf_registration_check(const struct tf_registration *g, struct tf_error *err)
{
    double w = g->visible_width, h = g->visible_height, area = 0;
    const double corners[4][2] = {{-0.5, -0.5}, {w - 0.5, -0.5}, {w - 0.5, h - 0.5}, {-0.5, h - 0.5}};
    double far = FAR_PICTURES * fmax(g->thermal_width, g->thermal_height), at[4][2];

    if (!side_fits(g->thermal_width) || !side_fits(g->thermal_height) || !side_fits(g->visible_width) ||
        !side_fits(g->visible_height))
        return tf_fail(err, -EINVAL,
                       "pictures of %ux%u (thermal) and %ux%u (visible): each side must be %d to %d pixels",
                       g->thermal_width, g->thermal_height, g->visible_width, g->visible_height, SIDE_MIN,
                       SIDE_MAX);
    for (int i = 0; i < 9; i++)
        if (!isfinite(g->matrix[i / 3][i % 3]))
            return tf_fail(err, -EINVAL, "the matrix holds a number that is not finite");
    if (g->model == TF_REGISTRATION_AFFINE &&
        (g->matrix[2][0] != 0 || g->matrix[2][1] != 0 || g->matrix[2][2] != 1))
        return tf_fail(err, -EINVAL, "the last row of an affine map is 0, 0, 1");
    for (int i = 0; i < 4; i++) {
        if (!tf_registration_map(g, corners[i][0], corners[i][1], &at[i][0], &at[i][1]))
            return tf_fail(err, -EINVAL,
                           "the map is not defined over the whole visible picture (its horizon crosses it)");
        if (!(fabs(at[i][0]) < far && fabs(at[i][1]) < far))
            return tf_fail(err, -EINVAL, "the map throws a corner of the visible picture to %.0f, %.0f",
                           at[i][0], at[i][1]);
    }
    for (int i = 0; i < 4; i++)
        area += at[i][0] * at[(i + 1) % 4][1] - at[(i + 1) % 4][0] * at[i][1];
    if (!(fabs(area) / 2 > AREA_MIN_PX))
        return tf_fail(
            err, -EINVAL,
            "the map cannot be turned back: the visible picture becomes %.1f pixels of the thermal",
            fabs(area) / 2);
    if (!(g->rms_px >= 0 && g->median_px >= 0 && g->max_px >= 0) || !isfinite(g->rms_px + g->max_px) ||
        g->used > g->points)
        return tf_fail(err, -EINVAL, "the residual is not one");
    return 0;
}

static int read_size(json_t *root, const char *name, uint32_t *width, uint32_t *height, struct tf_error *err)
{
    json_t *object = json_object_get(root, name);
    json_int_t w = json_integer_value(json_object_get(object, "width"));
    json_int_t h = json_integer_value(json_object_get(object, "height"));

    if (w < SIDE_MIN || h < SIDE_MIN || w > SIDE_MAX || h > SIDE_MAX)
        return tf_fail(err, -EINVAL, "\"%s\" must hold width and height, %d to %d pixels", name, SIDE_MIN,
                       SIDE_MAX);
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return 0;
}

static int read_matrix(json_t *root, double matrix[3][3], struct tf_error *err)
{
    json_t *rows = json_object_get(root, "matrix");

    if (json_array_size(rows) != 3)
        return tf_fail(err, -EINVAL, "\"matrix\" must hold three rows of three numbers");
    for (size_t i = 0; i < 3; i++) {
        json_t *row = json_array_get(rows, i);

        if (json_array_size(row) != 3)
            return tf_fail(err, -EINVAL, "\"matrix\" must hold three rows of three numbers");
        for (size_t k = 0; k < 3; k++) {
            json_t *value = json_array_get(row, k);

            if (!json_is_number(value))
                return tf_fail(err, -EINVAL, "\"matrix\" must hold numbers only");
            matrix[i][k] = json_number_value(value);
        }
    }
    return 0;
}

static int read_residual(json_t *root, struct tf_registration *g, struct tf_error *err)
{
    json_t *residual = json_object_get(root, "residual");
    json_t *rms = json_object_get(residual, "rms_px"), *median = json_object_get(residual, "median_px"),
           *max = json_object_get(residual, "max_px");
    json_int_t points = json_integer_value(json_object_get(residual, "points"));
    json_int_t used = json_integer_value(json_object_get(residual, "used"));

    if (!json_is_number(rms) || !json_is_number(median) || !json_is_number(max) || points < 0 || used < 0)
        return tf_fail(err, -EINVAL,
                       "\"residual\" must hold rms_px, median_px, max_px, points and used: a map whose error "
                       "nobody knows is not taken");
    g->rms_px = json_number_value(rms);
    g->median_px = json_number_value(median);
    g->max_px = json_number_value(max);
    g->points = (uint64_t)points;
    g->used = (uint64_t)used;
    return 0;
}

/* A homography is known up to a factor, also a negative one: in here its third coordinate is 1 at the centre.
 */
static void scale_to_centre(struct tf_registration *g)
{
    double(*m)[3] = g->matrix;
    double w = m[2][0] * (g->visible_width - 1) / 2 + m[2][1] * (g->visible_height - 1) / 2 + m[2][2];

    for (int i = 0; i < 9 && fabs(w) > 1e-12; i++)
        m[i / 3][i % 3] /= w;
}

static int read_root(json_t *root, struct tf_registration *g, struct tf_error *err)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const char *model = json_string_value(json_object_get(root, "model"));
    json_int_t version = json_integer_value(json_object_get(root, "version"));
    int r;

    if (!format || strcmp(format, FORMAT) != 0)
        return tf_fail(err, -EINVAL, "not a registration: \"format\" must be \"" FORMAT "\"");
    if (version != 1)
        return tf_fail(err, -EINVAL, "version %lld of the format; this program reads version 1",
                       (long long)version);
    if (!model || (strcmp(model, models[0]) != 0 && strcmp(model, models[1]) != 0))
        return tf_fail(err, -EINVAL, "\"model\" must be \"homography\" or \"affine\"");
    g->model = strcmp(model, models[1]) == 0 ? TF_REGISTRATION_AFFINE : TF_REGISTRATION_HOMOGRAPHY;
    r = read_size(root, "thermal", &g->thermal_width, &g->thermal_height, err);
    if (r == 0)
        r = read_size(root, "visible", &g->visible_width, &g->visible_height, err);
    if (r == 0)
        r = read_matrix(root, g->matrix, err);
    if (r == 0)
        r = read_residual(root, g, err);
    if (r < 0)
        return r;
    if (g->model == TF_REGISTRATION_HOMOGRAPHY)
        scale_to_centre(g);
    return tf_registration_check(g, err);
}

int tf_registration_load(const char *path, struct tf_registration *ret, struct tf_error *err)
{
    struct tf_registration g = {0};
    json_error_t problem;
    json_t *root = NULL;
    struct stat st;
    FILE *f;
    int r;

    f = fopen(path, "re");
    if (!f) {
        r = -errno;
        return tf_fail(err, r, "%s: %s", path, strerror(-r));
    }
    if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        r = tf_fail(err, -EINVAL, "%s: not a file of at most %d KiB, which a registration is", path,
                    FILE_MAX >> 10);
        goto out;
    }
    root = json_loadf(f, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(root)) {
        r = tf_fail(err, -EINVAL, "%s:%d: not a registration: %s", path, root ? 1 : problem.line,
                    root ? "no JSON object" : problem.text);
        goto out;
    }
    r = read_root(root, &g, err);
    if (r < 0) {
        if (err)
            tf_error_prefix(err, "%s", path);
        goto out;
    }
    *ret = g;

out:
    json_decref(root);
    fclose(f);
    return r;
}

static json_t *to_json(const struct tf_registration *g)
{
    const double(*m)[3] = g->matrix;

    return json_pack("{s:s, s:i, s:s, s:{s:i, s:i}, s:{s:i, s:i}, s:[[f,f,f],[f,f,f],[f,f,f]], "
                     "s:{s:f, s:f, s:f, s:I, s:I}}",
                     "format", FORMAT, "version", 1, "model", models[g->model], "thermal", "width",
                     (int)g->thermal_width, "height", (int)g->thermal_height, "visible", "width",
                     (int)g->visible_width, "height", (int)g->visible_height, "matrix", m[0][0], m[0][1],
                     m[0][2], m[1][0], m[1][1], m[1][2], m[2][0], m[2][1], m[2][2], "residual", "rms_px",
                     g->rms_px, "median_px", g->median_px, "max_px", g->max_px, "points",
                     (json_int_t)g->points, "used", (json_int_t)g->used);
}

int tf_registration_save(const struct tf_registration *g, const char *path, bool overwrite,
                         struct tf_error *err)
{
    char *temporary = NULL, *text = NULL;
    json_t *root = NULL;
    FILE *f = NULL;
    int fd = -1, r;

    r = tf_registration_check(g, err);
    if (r < 0)
        return r;
    root = to_json(g);
    text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    if (!text || asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        temporary = NULL;
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto out;
    }
    fd = mkstemp(temporary);
    f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) {
        r = tf_fail(err, -errno, "%s: %s", path, strerror(errno));
        goto out;
    }
    /* The service runs as another user than the person who calibrates. */
    fchmod(fd, 0644);
    if (fprintf(f, "%s\n", text) < 0 || fflush(f) != 0 || fsync(fd) < 0) {
        r = tf_fail(err, -errno, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (overwrite ? rename(temporary, path) < 0 : link(temporary, path) < 0)
        r = tf_fail(err, -errno, "%s: %s%s", path, strerror(errno),
                    errno == EEXIST ? "; choose another name or ask for overwriting" : "");

out:
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    if (temporary && fd >= 0 && (r < 0 || !overwrite))
        unlink(temporary);
    free(temporary);
    free(text);
    json_decref(root);
    return r;
}
