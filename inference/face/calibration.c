/*
 * Confidence from clues: logistic regression on what a reading says of its points and of the whole face.
 *
 * The model of shapes is T. Cootes et al., "Active Shape Models", CVIU 61, 1995: mean and principal
 * components of faces brought to one place, size and angle.
 */
#include "inference/face/calibration.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Distances below this share of the eye distance are all alike to a logarithm. */
#define NEAR 0.003f
/* Eye distances, pixels: no face of the fit was smaller or larger. */
#define EYES_MIN 10.0f
#define EYES_MAX 60.0f
#define NUMBER_MAX 1000.0f

/* `count` numbers separated by single blanks; false: another count, or something else. */
static bool read_numbers(const char *text, float *ret, size_t count)
{
    char *end;

    for (size_t i = 0; i < count; i++, text = end + 1) {
        ret[i] = strtof(text, &end);
        if (end == text || *end != (i + 1 < count ? ' ' : '\0') || !(fabsf(ret[i]) <= NUMBER_MAX))
            return false;
    }
    return true;
}

static size_t count_numbers(const char *text)
{
    size_t n = *text != '\0';

    for (; *text; text++)
        n += *text == ' ';
    return n;
}

static int bad(const char *path, const char *key, const char *what, struct tf_error *err)
{
    return tf_fail(err, -EINVAL, "%s: metadata %s: %s, separated by single blanks and each from -%g to %g",
                   path, key, what, (double)NUMBER_MAX, (double)NUMBER_MAX);
}

static int read_fit(const struct tf_engine *engine, const char *path, const char *key,
                    struct tf_calibration_fit *fit, struct tf_error *err)
{
    float values[TF_POINTS + TF_CALIBRATION_WEIGHTS];
    const char *text = tf_engine_metadata(engine, key);

    if (!text)
        return tf_fail(err, -EINVAL, "%s: metadata key %s is missing: it goes with tf.confidence.shape", path,
                       key);
    if (!read_numbers(text, values, TF_POINTS + TF_CALIBRATION_WEIGHTS))
        return bad(path, key, "not 68 + 12 numbers", err);
    for (int i = 0; i < TF_POINTS; i++)
        fit->bias[i] = values[i];
    for (int i = 0; i < TF_CALIBRATION_WEIGHTS; i++)
        fit->weight[i] = values[TF_POINTS + i];
    return 0;
}

int tf_calibration_read(const struct tf_engine *engine, const char *path, struct tf_calibration *ret,
                        struct tf_error *err)
{
    const char *key = "tf.confidence.shape", *text = tf_engine_metadata(engine, key);
    const size_t per_mode = 1 + 2 * TF_POINTS;
    float values[2 * TF_POINTS + TF_SHAPE_MODES_MAX * (1 + 2 * TF_POINTS)];
    size_t count = text ? count_numbers(text) : 0, modes = (count - 2 * TF_POINTS) / per_mode;
    int r;

    ret->known = false;
    if (!text)
        return 0;
    if (count < 2 * TF_POINTS + per_mode || (count - 2 * TF_POINTS) % per_mode != 0 ||
        modes > TF_SHAPE_MODES_MAX || !read_numbers(text, values, count))
        return bad(path, key, "not 136 numbers of a mean and 137 for each of 1 to 16 modes", err);
    ret->modes = (uint32_t)modes;
    for (int i = 0; i < 2 * TF_POINTS; i++)
        ret->mean[i] = values[i];
    for (size_t m = 0; m < modes; m++) {
        const float *at = values + 2 * TF_POINTS + m * per_mode;

        if (!(at[0] > 0))
            return tf_fail(err, -EINVAL, "%s: metadata %s: the deviation of mode %zu is not above 0", path,
                           key, m + 1);
        ret->deviation[m] = at[0];
        for (int i = 0; i < 2 * TF_POINTS; i++)
            ret->mode[m][i] = at[1 + i];
    }
    if ((r = read_fit(engine, path, "tf.confidence.once", &ret->once, err)) < 0 ||
        (r = read_fit(engine, path, "tf.confidence.twice", &ret->twice, err)) < 0)
        return r;
    ret->known = true;
    return 0;
}

static float eye_distance(const struct tf_point *p)
{
    float x = 0, y = 0;

    for (int k = 36; k < 42; k++) {
        x += (p[k + 6].x - p[k].x) / 6;
        y += (p[k + 6].y - p[k].y) / 6;
    }
    return hypotf(x, y);
}

/* The points, placed over the mean shape by the similarity of least squares: less it, in eye distances. */
static bool over_mean(const struct tf_calibration *c, const struct tf_point *points, float ret[2 * TF_POINTS])
{
    float cx = 0, cy = 0, size = 0, a = 0, b = 0;

    for (int k = 0; k < TF_POINTS; k++) {
        cx += points[k].x / TF_POINTS;
        cy += points[k].y / TF_POINTS;
    }
    for (int k = 0; k < TF_POINTS; k++) {
        float x = points[k].x - cx, y = points[k].y - cy, mx = c->mean[2 * k], my = c->mean[2 * k + 1];

        size += x * x + y * y;
        a += x * mx + y * my;
        b += x * my - y * mx;
    }
    if (!(size > 0) || !isfinite(a) || !isfinite(b))
        return false;
    a /= size;
    b /= size;
    for (int k = 0; k < TF_POINTS; k++) {
        float x = points[k].x - cx, y = points[k].y - cy;

        ret[2 * k] = a * x - b * y - c->mean[2 * k];
        ret[2 * k + 1] = b * x + a * y - c->mean[2 * k + 1];
    }
    return true;
}

bool tf_calibration_clues(const struct tf_calibration *c, const struct tf_point points[TF_POINTS],
                          struct tf_clues *clues, float face[TF_CLUES + 2])
{
    float left[2 * TF_POINTS], eyes = eye_distance(points), unusual = 0;

    if (!(eyes > 0) || !isfinite(eyes) || !over_mean(c, points, left))
        return false;
    for (uint32_t m = 0; m < c->modes; m++) {
        float part = 0;

        for (int i = 0; i < 2 * TF_POINTS; i++)
            part += c->mode[m][i] * left[i];
        for (int i = 0; i < 2 * TF_POINTS; i++)
            left[i] -= part * c->mode[m][i];
        part /= c->deviation[m];
        unusual += part * part / (float)c->modes;
    }
    for (int k = 0; k < TF_POINTS; k++) {
        clues->of[TF_CLUE_SPLIT][k] = logf(clues->of[TF_CLUE_SPLIT][k] / eyes + NEAR);
        clues->of[TF_CLUE_MIRROR][k] = logf(clues->of[TF_CLUE_MIRROR][k] / eyes + NEAR);
        clues->of[TF_CLUE_SHAPE][k] = logf(hypotf(left[2 * k], left[2 * k + 1]) + NEAR);
    }
    for (int i = 0; i < TF_CLUES; i++) {
        face[i] = 0;
        for (int k = 0; k < TF_POINTS; k++)
            face[i] += clues->of[i][k] / TF_POINTS;
    }
    face[TF_CLUES] = logf(unusual + 0.1f);
    face[TF_CLUES + 1] = logf(fmaxf(EYES_MIN, fminf(EYES_MAX, eyes)));
    return true;
}

void tf_calibration_apply(const struct tf_calibration *c, bool twice, const struct tf_clues *clues,
                          const float face[TF_CLUES + 2], struct tf_point points[TF_POINTS])
{
    const struct tf_calibration_fit *fit = twice ? &c->twice : &c->once;
    float same = 0;

    for (int i = 0; i < TF_CLUES + 2; i++)
        same += fit->weight[TF_CLUES + i] * face[i];
    for (int k = 0; k < TF_POINTS; k++) {
        float z = same + fit->bias[k];

        for (int i = 0; i < TF_CLUES; i++)
            z += fit->weight[i] * clues->of[i][k];
        points[k].confidence = 1 / (1 + expf(-z));
    }
}
