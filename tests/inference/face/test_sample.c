/* Sampling of input windows against a slow transcription of docs/models.md, over every pixel format and
 * rotation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "inference/face/sample.h"

#define W 53 /* upright; odd on purpose */
#define H 40

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

struct picture {
    struct tf_frame frame;
    uint8_t bytes[128 * 128 * 2];
    unsigned upright[H][W];
};

/* A frame whose upright picture is known, laid out natively as the rotation says. */
static void make(struct picture *p, enum tf_pixel pixel, uint16_t rotate)
{
    uint32_t nw = rotate % 180 ? H : W, nh = rotate % 180 ? W : H;

    memset(p, 0, sizeof(*p));
    for (uint32_t i = 0; i < sizeof(p->bytes); i++)
        p->bytes[i] = (uint8_t)draw(256); /* chroma and padding must not matter */
    p->frame.plane[0] = p->bytes;
    p->frame.width = (uint16_t)nw;
    p->frame.height = (uint16_t)nh;
    p->frame.pixel = pixel;
    p->frame.rotate = rotate;
    p->frame.stride[0] = 2 * nw + 6;
    for (uint32_t y = 0; y < nh; y++) {
        for (uint32_t x = 0; x < nw; x++) {
            uint8_t *row = p->bytes + y * p->frame.stride[0];
            unsigned v = pixel == TF_PIXEL_U16 ? draw(4096) : draw(256);
            uint32_t ux = x, uy = y;

            if (pixel == TF_PIXEL_U16) {
                uint16_t value = (uint16_t)v;
                memcpy(row + 2 * x, &value, 2);
            } else {
                row[pixel == TF_PIXEL_YUYV ? 2 * x : pixel == TF_PIXEL_UYVY ? 2 * x + 1 : x] = (uint8_t)v;
            }
            /* Turning clockwise: the native top left goes to the top right. */
            if (rotate == 90) {
                ux = nh - 1 - y;
                uy = x;
            } else if (rotate == 180) {
                ux = nw - 1 - x;
                uy = nh - 1 - y;
            } else if (rotate == 270) {
                ux = y;
                uy = nw - 1 - x;
            }
            p->upright[uy][ux] = v;
        }
    }
}

static double at(const struct picture *p, double x, double y)
{
    x = fmin(fmax(x, 0), W - 1);
    y = fmin(fmax(y, 0), H - 1);
    int ix = (int)x, iy = (int)y, jx = ix + 1 < W ? ix + 1 : ix, jy = iy + 1 < H ? iy + 1 : iy;
    double fx = x - ix, fy = y - iy;

    return (1 - fy) * ((1 - fx) * p->upright[iy][ix] + fx * p->upright[iy][jx]) +
           fy * ((1 - fx) * p->upright[jy][ix] + fx * p->upright[jy][jx]);
}

static void check(const struct picture *p, uint32_t w, uint32_t h, double cx, double cy, double side_x,
                  double side_y, double angle)
{
    struct tf_window window = {(float)cx,     (float)cy,         (float)side_x,
                               (float)side_y, (float)cos(angle), angle == 0 ? 0 : (float)sin(angle)};
    struct tf_sampler *sampler;
    struct tf_view view;
    float values[64 * 64];
    uint32_t inside = 0, got;
    int n = (int)ceil((double)window.span_x / w);

    n = n < 1 ? 1 : n > 8 ? 8 : n;
    assert_true(tf_view_init(&view, &p->frame));
    assert_int_equal(view.width, W);
    assert_int_equal(view.height, H);
    assert_int_equal(tf_sampler_create(w, h, &sampler), 0);
    got = tf_sample(sampler, &view, &window, values);
    for (uint32_t i = 0; i < h; i++) {
        for (uint32_t j = 0; j < w; j++) {
            double sum = 0, x, y, u = (j + 0.5) / w - 0.5, v = (i + 0.5) / h - 0.5;

            x = cx + cos(angle) * u * side_x - sin(angle) * v * side_y;
            y = cy + sin(angle) * u * side_x + cos(angle) * v * side_y;
            if (x < -0.5 || y < -0.5 || x > W - 0.5 || y > H - 0.5) {
                assert_float_equal(values[i * w + j], TF_SAMPLE_OUTSIDE, 0);
                continue;
            }
            inside++;
            for (int k = 0; k < n; k++) {
                for (int l = 0; l < n; l++) {
                    double su = (j + (l + 0.5) / n) / w - 0.5, sv = (i + (k + 0.5) / n) / h - 0.5;

                    sum += at(p, cx + cos(angle) * su * side_x - sin(angle) * sv * side_y,
                              cy + sin(angle) * su * side_x + cos(angle) * sv * side_y);
                }
            }
            assert_float_equal(values[i * w + j], sum / (n * n), 0.1);
        }
    }
    assert_int_equal(got, inside);
    tf_sampler_destroy(sampler);
}

static void every_format_and_rotation(void **state)
{
    static const enum tf_pixel pixels[] = {TF_PIXEL_U16,  TF_PIXEL_U8,   TF_PIXEL_YUYV,
                                           TF_PIXEL_UYVY, TF_PIXEL_NV12, TF_PIXEL_YUV420};
    struct picture *p = malloc(sizeof(*p));

    for (size_t i = 0; i < 6; i++) {
        for (uint16_t rotate = 0; rotate < 360; rotate = (uint16_t)(rotate + 90)) {
            make(p, pixels[i], rotate);
            check(p, 24, 24, 20.3, 17.1, 30, 30, 0);   /* level, two sub-samples */
            check(p, 24, 24, 20.3, 17.1, 15, 15, 0);   /* enlarged */
            check(p, 24, 24, 20.3, 17.1, 30, 30, 0.4); /* turned */
            check(p, 24, 24, 20.3, 17.1, 15, 15, -2);
        }
    }
    free(p);
}

static void windows_over_the_edge(void **state)
{
    struct picture *p = malloc(sizeof(*p));

    make(p, TF_PIXEL_U16, 90);
    for (int i = 0; i < 200; i++) {
        double side = 5 + draw(3000) / 10.0;

        check(p, 16 + draw(20), 16 + draw(20), draw(800) / 10.0 - 15.03, draw(700) / 10.0 - 15.07, side, side,
              i % 2 ? draw(628) / 100.0 : 0);
    }
    free(p);
}

static void wholly_outside_has_no_sample(void **state)
{
    struct picture *p = malloc(sizeof(*p));

    make(p, TF_PIXEL_U8, 0);
    check(p, 16, 16, -500, 10, 30, 30, 0);
    check(p, 16, 16, 10, 900, 30, 30, 1);
    free(p);
}

static void letterbox_holds_the_whole_picture(void **state)
{
    struct picture *p = malloc(sizeof(*p));
    struct tf_view view;
    struct tf_window window;
    float x, y;

    make(p, TF_PIXEL_U16, 0);
    assert_true(tf_view_init(&view, &p->frame));
    window = tf_window_letterbox(&view, 32, 32);
    /* The width decides: the window's left border is the picture's, and rows above and below stay empty. */
    tf_window_to_picture(&window, -0.5f, 0, &x, &y);
    assert_float_equal(x, -0.5, 1e-4);
    assert_float_equal(y, (H - 1) / 2.0, 1e-4);
    tf_window_to_picture(&window, 0.5f, 0.5f, &x, &y);
    assert_float_equal(x, W - 0.5, 1e-4);
    assert_float_equal(y, (H - 1) / 2.0 + W / 2.0, 1e-4);
    check(p, 32, 32, (W - 1) / 2.0, (H - 1) / 2.0, W, W, 0);
    free(p);
}

static void square_follows_the_longer_side(void **state)
{
    struct tf_window window = tf_window_square((const float[4]){10, 20, 30, 50}, 1.5f, 0);
    float x, y;

    tf_window_to_picture(&window, 0, 0, &x, &y);
    assert_float_equal(x, 25, 1e-5);
    assert_float_equal(y, 45, 1e-5);
    tf_window_to_picture(&window, 0.5f, -0.5f, &x, &y);
    assert_float_equal(x, 25 + 37.5, 1e-4);
    assert_float_equal(y, 45 - 37.5, 1e-4);
    /* A positive angle turns clockwise on the picture: what was to the right is now below. */
    window = tf_window_square((const float[4]){10, 20, 30, 50}, 1.5f, (float)M_PI_2);
    tf_window_to_picture(&window, 0.5f, 0, &x, &y);
    assert_float_equal(x, 25, 1e-3);
    assert_float_equal(y, 45 + 37.5, 1e-3);
}

static void unknown_frames_have_no_view(void **state)
{
    struct picture *p = malloc(sizeof(*p));
    struct tf_view view;

    make(p, TF_PIXEL_U8, 0);
    p->frame.rotate = 45;
    assert_false(tf_view_init(&view, &p->frame));
    p->frame.rotate = 0;
    p->frame.pixel = (enum tf_pixel)99;
    assert_false(tf_view_init(&view, &p->frame));
    p->frame.pixel = TF_PIXEL_U8;
    p->frame.plane[0] = NULL;
    assert_false(tf_view_init(&view, &p->frame));
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_and_rotation),      cmocka_unit_test(windows_over_the_edge),
        cmocka_unit_test(wholly_outside_has_no_sample),   cmocka_unit_test(letterbox_holds_the_whole_picture),
        cmocka_unit_test(square_follows_the_longer_side), cmocka_unit_test(unknown_frames_have_no_view),
    };

    return cmocka_run_group_tests_name("inference face: sampling", tests, NULL, NULL);
}
