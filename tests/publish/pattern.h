/* A moving test picture with its frame number in it, through the real overlay. */
#ifndef TF_TESTS_PUBLISH_PATTERN_H
#define TF_TESTS_PUBLISH_PATTERN_H

#include <stdint.h>

#include "base/frame.h"
#include "overlay/overlay.h"

struct pattern {
    struct tf_pool *pool;
    struct tf_frame *frame;
    struct tf_overlay *overlay;
    uint32_t width, height; /* of the pictures */
};

/* 0, or -1 when there is no font or memory. */
int pattern_create(struct pattern *pattern);
void pattern_destroy(struct pattern *pattern);
const struct tf_picture *pattern_draw(struct pattern *pattern, uint64_t number, int64_t t_utc_ns);

#endif
