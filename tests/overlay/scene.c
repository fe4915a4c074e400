/* Frames and faces for the overlay's tests. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

unsigned long scene_allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    scene_allocations++;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size)
{
    scene_allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size)
{
    scene_allocations++;
    return __real_realloc(p, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    scene_allocations++;
    return __real_aligned_alloc(alignment, size);
}

struct tf_frame *scene_frame(uint16_t width, uint16_t height, enum tf_pixel pixel, uint16_t rotate)
{
    struct tf_frame *f = calloc(1, sizeof(*f));
    uint32_t bytes = pixel == TF_PIXEL_U16 || pixel == TF_PIXEL_YUYV || pixel == TF_PIXEL_UYVY ? 2 : 1;
    uint32_t stride = (width * bytes + 31u) & ~15u; /* wider than a row, as cameras' are */

    assert_non_null(f);
    f->width = width;
    f->height = height;
    f->pixel = pixel;
    f->rotate = rotate;
    for (int i = 0; i < 3; i++) {
        f->plane[i] = calloc(height, stride);
        f->stride[i] = stride;
    }
    if (pixel == TF_PIXEL_U16)
        f->radiometry = (struct tf_radiometry){true, 0.01f, -273.15f};
    f->t_mono_ns = 1000000000;
    return f;
}

void scene_free(struct tf_frame *f)
{
    for (int i = 0; i < 3; i++)
        free(f->plane[i]);
    free(f);
}

void scene_set(struct tf_frame *f, int x, int y, uint16_t value)
{
    uint8_t *row = f->plane[0] + (size_t)y * f->stride[0];

    if (f->pixel == TF_PIXEL_U16)
        memcpy(row + 2 * x, &value, 2);
    else
        row[x] = (uint8_t)value;
}

void scene_fill(struct tf_frame *f, uint16_t value)
{
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            scene_set(f, x, y, value);
}

void scene_native(const struct tf_frame *f, int x, int y, int *nx, int *ny)
{
    if (f->flip)
        x = (int)tf_frame_upright_width(f) - 1 - x;
    /* Clockwise: the upright picture's top row is the native left column from the bottom, and so on. */
    switch (f->rotate) {
    case 90:
        *nx = y, *ny = f->height - 1 - x;
        break;
    case 180:
        *nx = f->width - 1 - x, *ny = f->height - 1 - y;
        break;
    case 270:
        *nx = f->width - 1 - y, *ny = x;
        break;
    default:
        *nx = x, *ny = y;
    }
}

uint16_t scene_celsius(float celsius)
{
    return (uint16_t)lrintf((celsius + 273.15f) * 100);
}

void scene_face(struct tf_face *face, float x, float y, float width)
{
    memset(face, 0, sizeof(*face));
    face->id = 1;
    face->score = 0.97f;
    face->box[0] = x - width / 2;
    face->box[1] = y - width / 2;
    face->box[2] = face->box[3] = width;
    for (int i = 0; i < TF_POINTS; i++) {
        float angle = (float)i * 2.399963f, radius = width / 2 * sqrtf(((float)i + 0.5f) / TF_POINTS);
        face->points[i] = (struct tf_point){x + radius * cosf(angle), y + radius * sinf(angle), 0.9f};
    }
    for (int r = 0; r < TF_REGIONS; r++) {
        struct tf_outline *line = face->outlines + r;
        float cx = x + width * (r % 3 - 1) * 0.3f, cy = y + width * (r / 3 - 1.5f) * 0.25f;
        face->regions[r] = (struct tf_region_stats){33.5f, 33.5f, 33, 34, 0.1f, 20, true};
        line->n = 8;
        for (uint32_t i = 0; i < line->n; i++) {
            line->xy[i][0] = cx + width * 0.06f * cosf((float)i * 0.785398f);
            line->xy[i][1] = cy + width * 0.06f * sinf((float)i * 0.785398f);
        }
    }
}

struct tf_overlay_options scene_bare(void)
{
    struct tf_overlay_options o = tf_overlay_defaults();

    o.points = o.boxes = o.regions = o.masks = o.scale_bar = o.banner = o.clock = false;
    return o;
}

struct tf_overlay *scene_overlay(const struct tf_overlay_options *options, const struct tf_frame *frame)
{
    struct tf_overlay *overlay = NULL;
    struct tf_error err = {0};
    int r = tf_overlay_create(options, tf_frame_upright_width(frame), tf_frame_upright_height(frame),
                              &overlay, &err);

    if (r)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    return overlay;
}

const struct tf_picture *scene_draw(struct tf_overlay *overlay, const struct tf_frame *frame,
                                    const struct tf_faces *faces, enum tf_banner banner)
{
    struct tf_overlay_note note = {.camera = "thermal",
                                   .frame = 123456,
                                   .t_utc_ns = 1772360130123456789,
                                   .banner = banner,
                                   .since_utc_ns = 1772360120000000000,
                                   .fps = 8.7f};
    const struct tf_picture *picture = NULL;

    assert_int_equal(tf_overlay_draw(overlay, frame, faces, &note, &picture), 0);
    return picture;
}

uint32_t pixel_at(const struct tf_picture *p, uint32_t x, uint32_t y)
{
    const uint8_t *b = p->data + (size_t)y * p->stride + 4 * (size_t)x;

    assert_true(x < p->width && y < p->height);
    return (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

uint8_t *copy_of(const struct tf_picture *p)
{
    uint8_t *copy = malloc((size_t)p->stride * p->height);

    assert_non_null(copy);
    memcpy(copy, p->data, (size_t)p->stride * p->height);
    return copy;
}

uint32_t differences(const struct tf_picture *p, const uint8_t *copy, uint32_t x0, uint32_t y0, uint32_t x1,
                     uint32_t y1)
{
    uint32_t n = 0;

    for (uint32_t y = y0; y < y1; y++)
        for (uint32_t x = x0; x < x1; x++)
            n +=
                memcmp(p->data + (size_t)y * p->stride + 4 * x, copy + (size_t)y * p->stride + 4 * x, 3) != 0;
    return n;
}
