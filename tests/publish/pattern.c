/* A moving test picture with its frame number in it. */
#include <math.h>
#include <stddef.h>

#include "pattern.h"

int pattern_create(struct pattern *p)
{
    struct tf_pool_options options = {.frames = 1, .width = 160, .height = 120, .pixel = TF_PIXEL_U16};
    struct tf_overlay_options overlay = tf_overlay_defaults();

    *p = (struct pattern){0};
    overlay.form = TF_PICTURE_PLANES;
    overlay.fixed_range = true;
    overlay.range_min = 20;
    overlay.range_max = 40;
    if (tf_pool_create(&options, &p->pool) < 0 ||
        tf_overlay_create(&overlay, 160, 120, &p->overlay, NULL) < 0) {
        pattern_destroy(p);
        return -1;
    }
    p->frame = tf_pool_get(p->pool);
    p->frame->width = 160;
    p->frame->height = 120;
    p->frame->pixel = TF_PIXEL_U16;
    p->frame->radiometry = (struct tf_radiometry){true, 0.01f, -273.15f};
    tf_overlay_size(p->overlay, &p->width, &p->height);
    return 0;
}

void pattern_destroy(struct pattern *p)
{
    tf_overlay_destroy(p->overlay);
    tf_frame_unref(p->frame);
    tf_pool_destroy(p->pool);
    *p = (struct pattern){0};
}

const struct tf_picture *pattern_draw(struct pattern *p, uint64_t number, int64_t t_utc_ns)
{
    struct tf_overlay_note note = {.camera = "pattern", .frame = number, .t_utc_ns = t_utc_ns, .fps = 30};
    const struct tf_picture *picture = NULL;
    float cx = 80 + 50 * sinf((float)number * 0.1f), cy = 60 + 30 * cosf((float)number * 0.13f);

    for (int y = 0; y < 120; y++) {
        uint16_t *row = (uint16_t *)(void *)(p->frame->plane[0] + (size_t)y * p->frame->stride[0]);
        for (int x = 0; x < 160; x++) {
            float d = hypotf((float)x - cx, (float)y - cy);
            row[x] = (uint16_t)(29515 + (d < 25 ? 1200 : 0) + x);
        }
    }
    return tf_overlay_draw(p->overlay, p->frame, NULL, &note, &picture) < 0 ? NULL : picture;
}
