/* Which of the 68 points (or which mean of them) each point of another order is. */
#ifndef TF_CLI_EVAL_ORDERS_H
#define TF_CLI_EVAL_ORDERS_H

#include <stdint.h>

#include "base/error.h"
#include "inference/face/landmarks.h"

#define TF_ORDER_TERMS_MAX 12

struct tf_order {
    uint32_t points;
    struct {
        uint8_t terms;
        uint8_t from[TF_ORDER_TERMS_MAX]; /* the mean of these, iBUG numbers */
    } point[TF_LANDMARKS_MAX];
};

/*
 * The order by name ("ibug68", "kaggle15"), or read from `list` when that is not NULL: comma separated
 * points, each an iBUG number or several joined by '+' whose mean it is ("36+37+38+39+40+41,30"). -EINVAL:
 * unknown, malformed, or of another count than `points`. `path` is the model, for messages.
 */
int tf_order_read(const char *path, const char *name, const char *list, uint32_t points, struct tf_order *ret,
                  struct tf_error *err);
/* The order's points from 68 true ones. */
void tf_order_apply(const struct tf_order *order, const float from[68][2], float (*to)[2]);
/* The tight box of the 68 true points: left, top, width, height. */
void tf_truth_box(const float truth[68][2], float box[4]);

#endif
