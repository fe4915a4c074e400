/* Points of other orders, made of the 68. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/eval_orders.h"

/*
 * The Kaggle facial keypoints (training.csv's columns): eye centres, eye corners, brow ends, nose tip, mouth;
 * "left" is the subject's, and left comes first.
 */
static const char kaggle15[] = "42+43+44+45+46+47,36+37+38+39+40+41,42,45,39,36,22,26,21,17,30,54,48,51,57";

static int parse(const char *path, const char *list, struct tf_order *order, struct tf_error *err)
{
    const char *at = list;

    memset(order, 0, sizeof(*order));
    for (;;) {
        char *end;
        unsigned long number = strtoul(at, &end, 10);

        if (*at < '0' || *at > '9' || number > 67)
            return tf_fail(err, -EINVAL, "%s: metadata tf.from68: '%.20s' is not a point from 0 to 67", path,
                           at);
        if (order->points == TF_LANDMARKS_MAX)
            return tf_fail(err, -EINVAL, "%s: metadata tf.from68 names more than %d points", path,
                           TF_LANDMARKS_MAX);
        if (order->point[order->points].terms == TF_ORDER_TERMS_MAX)
            return tf_fail(err, -EINVAL, "%s: metadata tf.from68: a mean of more than %d points", path,
                           TF_ORDER_TERMS_MAX);
        order->point[order->points].from[order->point[order->points].terms++] = (uint8_t)number;
        if (*end != '+')
            order->points++;
        if (*end == '\0')
            return 0;
        if (*end != '+' && *end != ',')
            return tf_fail(err, -EINVAL, "%s: metadata tf.from68: unexpected '%.20s'", path, end);
        at = end + 1;
    }
}

int tf_order_read(const char *path, const char *name, const char *list, uint32_t points, struct tf_order *ret,
                  struct tf_error *err)
{
    int r = 0;

    if (!list && strcmp(name, "kaggle15") == 0)
        list = kaggle15;
    if (list) {
        r = parse(path, list, ret, err);
    } else if (strcmp(name, "ibug68") == 0) {
        memset(ret, 0, sizeof(*ret));
        for (; ret->points < 68; ret->points++) {
            ret->point[ret->points].terms = 1;
            ret->point[ret->points].from[0] = (uint8_t)ret->points;
        }
    } else {
        return tf_fail(
            err, -EINVAL,
            "%s: metadata tf.order '%s' is not known (ibug68, kaggle15); give its points in tf.from68", path,
            name);
    }
    if (r == 0 && ret->points != points)
        r = tf_fail(err, -EINVAL, "%s: metadata tf.points is %u, but its order '%s' has %u", path, points,
                    name, ret->points);
    return r;
}

void tf_order_apply(const struct tf_order *order, const float from[68][2], float (*to)[2])
{
    for (uint32_t k = 0; k < order->points; k++) {
        to[k][0] = to[k][1] = 0;
        for (int i = 0; i < order->point[k].terms; i++) {
            to[k][0] += from[order->point[k].from[i]][0] / (float)order->point[k].terms;
            to[k][1] += from[order->point[k].from[i]][1] / (float)order->point[k].terms;
        }
    }
}

void tf_truth_box(const float truth[68][2], float box[4])
{
    float x0 = truth[0][0], y0 = truth[0][1], x1 = x0, y1 = y0;

    for (int k = 1; k < 68; k++) {
        x0 = fminf(x0, truth[k][0]);
        x1 = fmaxf(x1, truth[k][0]);
        y0 = fminf(y0, truth[k][1]);
        y1 = fmaxf(y1, truth[k][1]);
    }
    box[0] = x0;
    box[1] = y0;
    box[2] = x1 - x0;
    box[3] = y1 - y0;
}
