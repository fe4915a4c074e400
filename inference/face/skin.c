/* Skin's own range: docs/landmarks.md, "Skin". */
#include <math.h>
#include <stdlib.h>

#include "inference/face/skin.h"

/* °C. Skin has at most about 38, fever and all; thermal cameras are off by 2 to 5. */
#define SKIN_MAX_C 41.0f
/* The warmest tenth of a face is warmer than this in a scene of 20 °C, and half a degree less for each that
 * the scene is colder. Faces that just came in from the cold, seen by a camera that reads low, had 27.8 °C.
 */
#define WARM_AT_20_C 18.0f
#define WARM_SLOPE 0.5f
#define WARM_LEAST_C 4.0f
#define WARM_MOST_C 24.0f
/* It is that much warmer than what is around it, unless that is as warm as skin itself. */
#define WARMER_C 0.5f
/* Skin differs by more than that within a face: in 99 of 100 labelled faces the tenth and the ninetieth
 * percentile lie 0.7 °C apart or more. */
#define UNLIKE_C 0.25f
/* A scene beyond these tells that the scale is wrong. */
#define SCENE_MIN_C (-40.0f)
#define SCENE_MAX_C 60.0f

#define ROWS 3
#define SAMPLES_MAX (27 * ROWS)

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static bool at(const struct tf_view *view, float x, float y, float *ret)
{
    if (!(x >= -0.5f && y >= -0.5f && x < (float)view->width - 0.5f && y < (float)view->height - 0.5f))
        return false;
    *ret = (float)tf_view_at(view, (uint32_t)(x + 0.5f), (uint32_t)(y + 0.5f));
    return true;
}

bool tf_skin_measure(const struct tf_view *view, const struct tf_radiometry *radiometry,
                     const struct tf_point points[TF_POINTS], struct tf_skin *ret)
{
    static const float in[ROWS] = {0.3f, 0.55f, 0.8f};
    float face[SAMPLES_MAX], ring[27];
    size_t n = 0, around = 0;
    /* Between the eyes and the nose's base: rays go from there to jaw and brows. */
    float cx = (points[27].x + points[33].x) / 2, cy = (points[27].y + points[33].y) / 2;

    if (!radiometry->valid || !(radiometry->scale > 0))
        return false;
    for (int k = 0; k < 27; k++) {
        float dx = points[k].x - cx, dy = points[k].y - cy;

        for (int i = 0; i < ROWS; i++)
            n += at(view, cx + dx * in[i], cy + dy * in[i], &face[n]);
        /* The brows are well inside the head. */
        float out = k < 17 ? 1.35f : 2.6f;
        around += at(view, cx + dx * out, cy + dy * out, &ring[around]);
    }
    if (n < SAMPLES_MAX / 3)
        return false;
    qsort(face, n, sizeof(*face), by_value);
    qsort(ring, around, sizeof(*ring), by_value);
    ret->middle = face[n / 2] * radiometry->scale + radiometry->offset;
    ret->cold = face[n / 10] * radiometry->scale + radiometry->offset;
    ret->warm = face[n * 9 / 10] * radiometry->scale + radiometry->offset;
    ret->around = around > 6 ? ring[around / 2] * radiometry->scale + radiometry->offset : NAN;
    return true;
}

bool tf_skin_possible(const struct tf_skin *skin, float scene_c)
{
    float least = WARM_AT_20_C + WARM_SLOPE * (scene_c - 20);

    if (!(scene_c > SCENE_MIN_C && scene_c < SCENE_MAX_C))
        return true;
    least = fminf(fmaxf(least, WARM_LEAST_C), WARM_MOST_C);
    if (skin->middle > SKIN_MAX_C || skin->warm < least || skin->warm - skin->cold < UNLIKE_C)
        return false;
    return !(skin->around < TF_SKIN_AROUND_WARM_C) || skin->warm >= skin->around + WARMER_C;
}
