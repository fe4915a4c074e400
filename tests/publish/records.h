/* Records for tests: made from a few numbers, so that what comes back can be checked against them. */
#ifndef TF_TESTS_PUBLISH_RECORDS_H
#define TF_TESTS_PUBLISH_RECORDS_H

#include <math.h>
#include <string.h>

#include "publish/record/record.h"

static inline struct tf_face test_face(uint32_t id, bool filtered)
{
    struct tf_face f = {
        .id = id, .score = 0.98f, .box = {40.25f, 30.5f, 60.f, 75.125f}, .filtered = filtered};

    for (int i = 0; i < TF_POINTS; i++) {
        f.points[i] =
            (struct tf_point){.x = 40.f + (float)i * 0.75f, .y = 100.f - (float)i, .confidence = 0.5f};
        if (filtered)
            f.points_filtered[i] = (struct tf_point){.x = 41.f + (float)i, .y = 99.f, .confidence = 0.25f};
    }
    for (int i = 0; i < TF_REGIONS; i++)
        f.regions[i] = (struct tf_region_stats){.mean = 30.f + (float)i,
                                                .median = 30.1f + (float)i,
                                                .min = 29.5f,
                                                .max = 36.25f,
                                                .sd = 0.12f,
                                                .n = 9 + (uint32_t)i,
                                                .valid = true,
                                                .excluded = (uint32_t)i % 3};
    return f;
}

static inline void test_record(struct tf_record *r, const char *camera, uint64_t frame, uint32_t faces)
{
    memset(r, 0, sizeof(*r));
    r->camera = camera;
    r->frame = frame;
    r->sequence = frame + 6;
    r->camera_counter = 98231 + frame;
    r->has_camera_counter = true;
    r->t_mono_ns = 812345678901 + frame * 16666667;
    r->t_utc_ns = 1772360130123456789 + (int64_t)frame * 16666667;
    r->t_from = TF_STAMP_DRIVER_EOF;
    r->state = faces ? TF_STATE_OK : TF_STATE_NO_FACE;
    r->celsius = true;
    r->sensor_c = 31.2f;
    r->latency_us = 1830;
    r->faces.count = faces;
    for (uint32_t i = 0; i < faces; i++)
        r->faces.faces[i] = test_face(i + 1, false);
}

#endif
