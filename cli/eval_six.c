/* The six points of thermal faces: see eval_six.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/eval_six.h"

#define COORDINATE_MAX 65536.0

const char *const tf_six_names[TF_SIX] = {"eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin"};

int tf_six_columns(const struct tf_csv *csv, struct tf_six_columns *ret, struct tf_error *err)
{
    struct tf_six_columns columns;
    char name[32];

    columns.mask = tf_csv_column(csv, "mask", err);
    if (columns.mask < 0)
        return columns.mask;
    for (int k = 0; k < TF_SIX; k++) {
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof(name), "%s_%c", tf_six_names[k], i == 0 ? 'x' : 'y');
            columns.point[k][i] = tf_csv_column(csv, name, err);
            if (columns.point[k][i] < 0)
                return columns.point[k][i];
        }
    }
    *ret = columns;
    return 0;
}

int tf_six_read(const struct tf_csv *csv, const struct tf_six_columns *columns, struct tf_six *ret,
                struct tf_error *err)
{
    struct tf_six six = {0};
    double value;
    int r = tf_csv_number(csv, columns->mask, 0, 1, &value, err);

    if (r < 0)
        return r;
    six.mask = value != 0;
    for (int k = 0; k < TF_SIX; k++) {
        const char *x = csv->field[columns->point[k][0]], *y = csv->field[columns->point[k][1]];

        if (*x == '\0' && *y == '\0')
            continue;
        for (int i = 0; i < 2; i++) {
            r = tf_csv_number(csv, columns->point[k][i], -COORDINATE_MAX, COORDINATE_MAX, &value, err);
            if (r < 0)
                return r;
            six.point[k][i] = (float)value;
        }
        six.there[k] = true;
    }
    if (six.there[TF_EYE_R] && six.there[TF_EYE_L] && !(tf_six_eyes(&six) > 0))
        return tf_fail(err, -EINVAL, "%s:%u: both eyes are one point", csv->path, csv->line);
    *ret = six;
    return 0;
}

float tf_six_eyes(const struct tf_six *six)
{
    if (!six->there[TF_EYE_R] || !six->there[TF_EYE_L])
        return 0;
    return hypotf(six->point[TF_EYE_L][0] - six->point[TF_EYE_R][0],
                  six->point[TF_EYE_L][1] - six->point[TF_EYE_R][1]);
}

/* Of the 68, x, y and confidence: an eye is the mean of its six points. */
static void six_of(const struct tf_point *p, float six[TF_SIX][3])
{
    static const uint8_t single[TF_SIX] = {0, 0, 30, 48, 54, 8};

    for (int k = 0; k < TF_SIX; k++) {
        if (k == TF_EYE_R || k == TF_EYE_L) {
            int first = k == TF_EYE_R ? 36 : 42;

            six[k][0] = six[k][1] = six[k][2] = 0;
            for (int i = first; i < first + 6; i++) {
                six[k][0] += p[i].x / 6;
                six[k][1] += p[i].y / 6;
                six[k][2] += p[i].confidence / 6;
            }
        } else {
            six[k][0] = p[single[k]].x;
            six[k][1] = p[single[k]].y;
            six[k][2] = p[single[k]].confidence;
        }
    }
}

struct tf_six_score tf_six_judge(const struct tf_six *six, const struct tf_faces *faces)
{
    struct tf_six_score score = {0};
    float eyes = tf_six_eyes(six), best = INFINITY, got[TF_SIX][3], nearest[TF_SIX][3];
    const float across[2] = {six->point[TF_EYE_L][0] - six->point[TF_EYE_R][0],
                             six->point[TF_EYE_L][1] - six->point[TF_EYE_R][1]};
    int by = six->there[TF_NOSE] ? TF_NOSE : TF_EYE_R, counted = 0;

    for (uint32_t i = 0; i < faces->count; i++) {
        float d;

        six_of(faces->faces[i].points, got);
        d = hypotf(got[by][0] - six->point[by][0], got[by][1] - six->point[by][1]);
        if (d < best) {
            best = d;
            score.face = i;
            memcpy(nearest, got, sizeof(nearest));
        }
    }
    score.found = best <= eyes;
    for (int k = 0; k < TF_SIX; k++) {
        float dx, dy;

        score.each[k] = score.down[k] = NAN;
        if (!score.found || !six->there[k] || (six->mask && k >= TF_MOUTH_R))
            continue;
        dx = nearest[k][0] - six->point[k][0];
        dy = nearest[k][1] - six->point[k][1];
        score.each[k] = 100 * hypotf(dx, dy) / eyes;
        score.down[k] = 100 * (dy * across[0] - dx * across[1]) / (eyes * eyes);
        score.confidence[k] = nearest[k][2];
        score.error += score.each[k];
        counted++;
    }
    if (counted > 0)
        score.error /= (float)counted;
    return score;
}
