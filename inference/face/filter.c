/* The one-euro filter of points over time. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "inference/face/filter.h"

/* The paper's 1 Hz for a point's own speed; the mean over 68 points is quiet enough to be let through faster.
 */
#define SPEED_CUTOFF 1.0f
#define COMMON_CUTOFF 6.0f
#define GAP_NS TF_NS_PER_S

static float smoothing(float cutoff, float dt)
{
    float tau = 1.0f / (2.0f * (float)M_PI * cutoff);

    return dt / (dt + tau);
}

static void begin(struct tf_filter *f, uint64_t t_ns, const struct tf_point in[TF_POINTS])
{
    memset(f, 0, sizeof(*f));
    for (int k = 0; k < TF_POINTS; k++) {
        f->raw[k][0] = f->value[k][0] = in[k].x;
        f->raw[k][1] = f->value[k][1] = in[k].y;
    }
    f->t_ns = t_ns;
    f->set = true;
}

void tf_filter_step(struct tf_filter *f, float min_cutoff, float beta, uint64_t t_ns, float size,
                    const struct tf_point in[TF_POINTS], struct tf_point out[TF_POINTS])
{
    if (!f->set || t_ns < f->t_ns || t_ns - f->t_ns > GAP_NS || !(size > 0)) {
        begin(f, t_ns, in);
    } else if (t_ns > f->t_ns) {
        float dt = (float)(t_ns - f->t_ns) * 1e-9f;
        float a_speed = smoothing(SPEED_CUTOFF, dt), a_common = smoothing(COMMON_CUTOFF, dt);
        float mean[2] = {0, 0};

        for (int k = 0; k < TF_POINTS; k++) {
            mean[0] += (in[k].x - f->raw[k][0]) / dt;
            mean[1] += (in[k].y - f->raw[k][1]) / dt;
        }
        for (int i = 0; i < 2; i++)
            f->common[i] += a_common * (mean[i] / TF_POINTS - f->common[i]);
        float common = hypotf(f->common[0], f->common[1]);

        for (int k = 0; k < TF_POINTS; k++) {
            float now[2] = {in[k].x, in[k].y};

            for (int i = 0; i < 2; i++)
                f->speed[k][i] += a_speed * ((now[i] - f->raw[k][i]) / dt - f->speed[k][i]);
            float speed = fmaxf(common, hypotf(f->speed[k][0], f->speed[k][1]));
            float a = smoothing(min_cutoff + beta * speed / size, dt);
            for (int i = 0; i < 2; i++) {
                f->value[k][i] += a * (now[i] - f->value[k][i]);
                f->raw[k][i] = now[i];
            }
        }
        f->t_ns = t_ns;
    }
    /* A frame with the same time (a duplicate) repeats the last value. */
    for (int k = 0; k < TF_POINTS; k++) {
        float confidence = in[k].confidence;

        out[k] = (struct tf_point){f->value[k][0], f->value[k][1], confidence};
    }
}
