/* From values to colours: sizes, enlargement, rotation, range, colour frames. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "scene.h"

static void sizes(void **state)
{
    static const uint16_t frames[][2] = {{80, 60},   {160, 120}, {120, 160}, {256, 192},
                                         {320, 256}, {384, 288}, {640, 512}, {640, 480},
                                         {161, 121}, {33, 35},   {1280, 720}};

    for (size_t i = 0; i < TF_COUNT(frames); i++)
        for (int panels = 0; panels < 2; panels++) {
            struct tf_overlay_options o = panels ? tf_overlay_defaults() : scene_bare();
            struct tf_overlay *overlay;
            uint32_t w, h;
            assert_int_equal(tf_overlay_create(&o, frames[i][0], frames[i][1], &overlay, NULL), 0);
            tf_overlay_size(overlay, &w, &h);
            uint32_t factor = tf_overlay_factor(overlay);
            assert_true(w % 2 == 0 && h % 2 == 0 && h >= 480);
            assert_true(w >= frames[i][0] * factor && h >= frames[i][1] * factor);
            if (!panels)
                assert_true(w <= frames[i][0] * factor + 1 && h <= frames[i][1] * factor + 1);
            if (frames[i][1] >= 480)
                assert_int_equal(factor, 1);
            tf_overlay_destroy(overlay);
        }

    struct tf_overlay_options o = scene_bare();
    struct tf_overlay *overlay = NULL;
    struct tf_error err = {0};
    o.lines_min = 1;
    assert_int_equal(tf_overlay_create(&o, 160, 120, &overlay, &err), 0);
    assert_int_equal(tf_overlay_factor(overlay), 1);
    tf_overlay_destroy(overlay);
    overlay = NULL;
    assert_int_equal(tf_overlay_create(&o, 4, 120, &overlay, &err), -EINVAL);
    assert_int_equal(tf_overlay_create(&o, 160, 5000, &overlay, &err), -EINVAL);
    o.palette = 99;
    assert_int_equal(tf_overlay_create(&o, 160, 120, &overlay, &err), -EINVAL);
    o = scene_bare();
    o.fixed_range = true;
    o.range_min = 30, o.range_max = 20;
    assert_int_equal(tf_overlay_create(&o, 160, 120, &overlay, &err), -EINVAL);
    assert_null(overlay);
    tf_overlay_destroy(NULL);
}

/* A warm spot comes out where its pixel is, in all rotations, mirrored or not, enlarged or not. */
static void places(void **state)
{
    static const int spots[][2] = {{0, 0}, {7, 3}, {20, 30}, {39, 47}};

    for (int turn = 0; turn < 720; turn += 90)
        for (int lines = 1; lines <= 480; lines += 479)
            for (int pixel = TF_PIXEL_U16; pixel <= TF_PIXEL_U8; pixel++) {
                int rotate = turn % 360;
                struct tf_frame *f = rotate % 180
                                         ? scene_frame(48, 40, (enum tf_pixel)pixel, (uint16_t)rotate)
                                         : scene_frame(40, 48, (enum tf_pixel)pixel, (uint16_t)rotate);
                f->flip = turn >= 360;
                struct tf_overlay_options o = scene_bare();
                o.lines_min = (uint32_t)lines;
                o.fixed_range = true;
                o.range_min = 0, o.range_max = pixel == TF_PIXEL_U16 ? 100 : 255;
                tf_palette_find("white-hot", &o.palette, NULL);
                struct tf_overlay *overlay = scene_overlay(&o, f);
                uint32_t factor = tf_overlay_factor(overlay);
                for (size_t s = 0; s < TF_COUNT(spots); s++) {
                    int nx, ny;
                    double sum = 0, sx = 0, sy = 0;
                    scene_fill(f, pixel == TF_PIXEL_U16 ? scene_celsius(0) : 0);
                    scene_native(f, spots[s][0], spots[s][1], &nx, &ny);
                    scene_set(f, nx, ny, pixel == TF_PIXEL_U16 ? scene_celsius(90) : 230);
                    const struct tf_picture *p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
                    for (uint32_t y = 0; y < p->height; y++)
                        for (uint32_t x = 0; x < p->width; x++) {
                            double v = pixel_at(p, x, y) & 255;
                            sum += v, sx += v * (x + 0.5), sy += v * (y + 0.5);
                        }
                    assert_true(sum > 0);
                    /* At the border the spot is cut, and its centroid moves outward by less than half a
                     * pixel. */
                    bool border = !spots[s][0] || !spots[s][1] || spots[s][0] == 39 || spots[s][1] == 47;
                    double slack = factor == 1 ? 0.01 : border ? 0.5 * factor : 0.02 * factor;
                    assert_true(fabs(sx / sum - (spots[s][0] + 0.5) * factor) <= slack);
                    assert_true(fabs(sy / sum - (spots[s][1] + 0.5) * factor) <= slack);
                }
                tf_overlay_destroy(overlay);
                scene_free(f);
            }
}

/* Enlargement keeps even areas even, keeps order along a ramp, and does not leave the range at an edge. */
static void enlargement_is_smooth(void **state)
{
    struct tf_frame *f = scene_frame(40, 30, TF_PIXEL_U16, 0);
    struct tf_overlay_options o = scene_bare();
    o.fixed_range = true;
    o.range_min = 20, o.range_max = 40;
    tf_palette_find("white-hot", &o.palette, NULL);
    struct tf_overlay *overlay = scene_overlay(&o, f);
    assert_true(tf_overlay_factor(overlay) == 16);

    scene_fill(f, scene_celsius(30));
    const struct tf_picture *p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++)
            assert_in_range(pixel_at(p, x, y) & 255, 126, 129);

    for (int y = 0; y < 30; y++)
        for (int x = 0; x < 40; x++)
            scene_set(f, x, y, scene_celsius(20 + (float)x * 0.5f));
    p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    for (uint32_t x = 1; x < p->width; x++) {
        int before = (int)(pixel_at(p, x - 1, 100) & 255), now = (int)(pixel_at(p, x, 100) & 255);
        assert_true(now >= before && now - before <= 2);
    }
    tf_overlay_destroy(overlay);
    scene_free(f);
}

static unsigned gray(const struct tf_picture *p, uint32_t x, uint32_t y)
{
    return pixel_at(p, x, y) & 255;
}

static void fixed_range(void **state)
{
    struct tf_frame *f = scene_frame(64, 48, TF_PIXEL_U16, 0);
    struct tf_overlay_options o = scene_bare();
    o.fixed_range = true;
    o.range_min = 20, o.range_max = 40;
    o.lines_min = 1;
    tf_palette_find("white-hot", &o.palette, NULL);
    struct tf_overlay *overlay = scene_overlay(&o, f);
    static const struct {
        float celsius;
        unsigned least, most;
    } cases[] = {{-200, 0, 0},   {10, 0, 0},     {20, 0, 0},     {25, 63, 64},
                 {30, 127, 128}, {40, 254, 255}, {300, 255, 255}};

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        scene_fill(f, scene_celsius(cases[i].celsius));
        assert_in_range(gray(scene_draw(overlay, f, NULL, TF_BANNER_NONE), 10, 10), cases[i].least,
                        cases[i].most);
    }
    /* Of a camera that is not radiometric the range is in counts. */
    f->radiometry.valid = false;
    scene_fill(f, 30);
    assert_in_range(gray(scene_draw(overlay, f, NULL, TF_BANNER_NONE), 10, 10), 127, 128);
    tf_overlay_destroy(overlay);
    scene_free(f);
}

/* Left half cold, right half warm. */
static void halves(struct tf_frame *f, float cold, float warm)
{
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            scene_set(f, x, y, scene_celsius(x < f->width / 2 ? cold : warm));
}

/* A room of 20 to 23 °C, a face of 31 to 36 °C from its left to its right about upright (80, 60), and in a
 * corner a square of some share of the picture. */
static void room_with(struct tf_frame *f, bool face, float share, float celsius)
{
    float side = sqrtf(share / 100 * 160 * 120);

    for (int y = 0; y < 120; y++)
        for (int x = 0; x < 160; x++) {
            float c = 20 + 3 * (float)x / 160, dx = (float)(x - 80) / 20, dy = (float)(y - 60) / 24;
            int nx, ny;

            if (face && dx * dx + dy * dy < 1)
                c = 33.5f + 2.5f * dx;
            if ((float)x < side && (float)y < side)
                c = celsius;
            scene_native(f, x, y, &nx, &ny);
            scene_set(f, nx, ny, scene_celsius(c));
        }
}

static void hot_and_cold_things_leave_the_face_its_colours(void **state)
{
    static const float temperatures[] = {-20, 5, 45, 60, 90, 120, 380}, shares[] = {1, 5, 15};
    struct tf_overlay_options o = scene_bare();
    static struct tf_faces faces;

    o.lines_min = 1;
    tf_palette_find("white-hot", &o.palette, NULL);
    faces.count = 1;
    scene_face(&faces.faces[0], 80, 60, 40);
    for (int turn = 0; turn < 4; turn++) {
        struct tf_frame *f = turn % 2 ? scene_frame(120, 160, TF_PIXEL_U16, 90)
                                      : scene_frame(160, 120, TF_PIXEL_U16, turn == 0 ? 0 : 180);
        f->flip = turn == 3;
        f->radiometry.valid = turn != 2;
        for (int k = 0; k < 7; k++)
            for (int s = 0; s < 3; s++) {
                struct tf_overlay *overlay = scene_overlay(&o, f);
                room_with(f, true, shares[s], temperatures[k]);
                const struct tf_picture *p = scene_draw(overlay, f, &faces, TF_BANNER_NONE);
                int left = (int)gray(p, 66, 60), right = (int)gray(p, 94, 60), room = (int)gray(p, 120, 60);
                if (left < 100 || right > 254 || right - left < 25 || room > left - 40)
                    fail_msg("%g %% at %g °C, turn %d: the face is %d to %d, the room %d", (double)shares[s],
                             (double)temperatures[k], turn, left, right, room);

                /* Lost for two seconds: the colours stay. */
                for (int i = 0; i < 50; i++) {
                    f->t_mono_ns += 40000000;
                    p = scene_draw(overlay, f, i % 2 ? &faces : NULL, TF_BANNER_NONE);
                }
                assert_true(abs((int)gray(p, 94, 60) - right) <= 2);
                for (int i = 0; i < 50; i++) {
                    f->t_mono_ns += 40000000;
                    p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
                }
                assert_true(abs((int)gray(p, 94, 60) - right) <= 2);
                tf_overlay_destroy(overlay);
            }
        scene_free(f);
    }
}

static void a_lamp_leaves_an_empty_room_its_colours(void **state)
{
    struct tf_frame *f = scene_frame(160, 120, TF_PIXEL_U16, 0);
    struct tf_overlay_options o = scene_bare();

    o.lines_min = 1;
    tf_palette_find("white-hot", &o.palette, NULL);
    for (int k = 0; k < 2; k++) {
        struct tf_overlay *overlay = scene_overlay(&o, f);
        room_with(f, false, 3, k ? 120 : -40);
        const struct tf_picture *p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
        int left = (int)gray(p, 40, 110), right = (int)gray(p, 150, 110);
        assert_true(right - left >= 15);
        assert_in_range(gray(p, 5, 5), k ? 240 : 0, k ? 255 : 15);
        tf_overlay_destroy(overlay);
    }
    scene_free(f);
}

static void automatic_range(void **state)
{
    struct tf_frame *f = scene_frame(160, 120, TF_PIXEL_U16, 0);
    struct tf_overlay_options o = scene_bare();
    const struct tf_picture *p;
    o.lines_min = 1;
    tf_palette_find("white-hot", &o.palette, NULL);
    struct tf_overlay *overlay = scene_overlay(&o, f);

    /* The scene fills the palette, with a twentieth at both ends, and a few mad pixels do not matter. */
    halves(f, 20, 36);
    for (int i = 0; i < 20; i++) {
        scene_set(f, 2 * i, 5, 0);
        scene_set(f, 2 * i, 9, 65535);
    }
    p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    assert_in_range(gray(p, 20, 60), 6, 20);
    assert_in_range(gray(p, 140, 60), 235, 249);

    /* A new scene is followed over about a second, not at once. */
    halves(f, 10, 26);
    f->t_mono_ns += 40000000;
    p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    assert_in_range(gray(p, 140, 60), 60, 130);
    for (int i = 0; i < 100; i++) {
        f->t_mono_ns += 40000000;
        p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    }
    assert_in_range(gray(p, 20, 60), 6, 20);
    assert_in_range(gray(p, 140, 60), 235, 249);

    /* The shutter's picture does not move it. */
    uint8_t *before = copy_of(p);
    scene_fill(f, scene_celsius(50));
    f->flags = TF_FLAG_FFC;
    f->t_mono_ns += 2000000000;
    scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    f->flags = 0;
    halves(f, 10, 26);
    p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    assert_true(abs((int)gray(p, 140, 60) - before[60 * p->stride + 140 * 4]) <= 1);
    free(before);

    /* Noise of an empty scene is not blown up: 4 K at least. */
    struct tf_overlay *empty = scene_overlay(&o, f);
    halves(f, 22, 22.2f);
    p = scene_draw(empty, f, NULL, TF_BANNER_NONE);
    assert_true((int)gray(p, 140, 60) - (int)gray(p, 20, 60) <= 14);
    tf_overlay_destroy(empty);
    tf_overlay_destroy(overlay);
    scene_free(f);
}

static void put_yuv(struct tf_frame *f, uint8_t y, uint8_t u, uint8_t v)
{
    for (int r = 0; r < f->height; r++)
        for (int x = 0; x < f->width; x++) {
            uint8_t *p0 = f->plane[0] + (size_t)r * f->stride[0];
            switch (f->pixel) {
            case TF_PIXEL_YUYV:
                p0[2 * x] = y, p0[2 * x + 1] = x % 2 ? v : u;
                break;
            case TF_PIXEL_UYVY:
                p0[2 * x + 1] = y, p0[2 * x] = x % 2 ? v : u;
                break;
            case TF_PIXEL_NV12:
                p0[x] = y;
                f->plane[1][(size_t)(r / 2) * f->stride[1] + (size_t)x] = x % 2 ? v : u;
                break;
            default:
                p0[x] = y;
                f->plane[1][(size_t)(r / 2) * f->stride[1] + (size_t)x / 2] = u;
                f->plane[2][(size_t)(r / 2) * f->stride[2] + (size_t)x / 2] = v;
            }
        }
}

/* BT.601 limited range: the colour bars of ITU-R BT.471 in 8 bits. */
static void colour_frames(void **state)
{
    static const struct {
        uint8_t y, u, v;
        uint32_t rgb;
    } bars[] = {{16, 128, 128, 0x000000}, {235, 128, 128, 0xffffff}, {81, 90, 240, 0xff0000},
                {145, 54, 34, 0x00ff00},  {41, 240, 110, 0x0000ff},  {210, 16, 146, 0xffff00}};

    for (int pixel = TF_PIXEL_YUYV; pixel <= TF_PIXEL_YUV420; pixel++)
        for (int rotate = 0; rotate < 720; rotate += 90)
            for (size_t b = 0; b < TF_COUNT(bars); b++) {
                struct tf_frame *f = scene_frame(64, 48, (enum tf_pixel)pixel, (uint16_t)(rotate % 360));
                f->flip = rotate >= 360;
                struct tf_overlay_options o = scene_bare();
                o.lines_min = b % 2 ? 1 : 200;
                struct tf_overlay *overlay = scene_overlay(&o, f);
                put_yuv(f, bars[b].y, bars[b].u, bars[b].v);
                const struct tf_picture *p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
                for (uint32_t y = 0; y < p->height; y += 7)
                    for (uint32_t x = 0; x < p->width; x += 5)
                        for (int shift = 0; shift < 24; shift += 8)
                            assert_true(abs((int)(pixel_at(p, x, y) >> shift & 255) -
                                            (int)(bars[b].rgb >> shift & 255)) <= 3);
                tf_overlay_destroy(overlay);
                scene_free(f);
            }
}

static void wrong_frames(void **state)
{
    struct tf_frame *f = scene_frame(160, 120, TF_PIXEL_U16, 0), *g = scene_frame(160, 120, TF_PIXEL_U16, 90);
    struct tf_overlay_options o = tf_overlay_defaults();
    struct tf_overlay *overlay = scene_overlay(&o, f);
    struct tf_overlay_note note = {.camera = NULL};
    const struct tf_picture *p = NULL;

    assert_int_equal(tf_overlay_draw(overlay, g, NULL, &note, &p), -EINVAL);
    assert_null(p);
    assert_int_equal(tf_overlay_draw(overlay, f, NULL, &note, &p), 0);
    tf_overlay_destroy(overlay);
    scene_free(f);
    scene_free(g);
}

static void nothing_is_allocated(void **state)
{
    struct tf_frame *f = scene_frame(120, 160, TF_PIXEL_U16, 90);
    struct tf_overlay_options o = tf_overlay_defaults();
    struct tf_overlay *overlay = scene_overlay(&o, f);
    static struct tf_faces faces;
    faces.count = 2;
    scene_face(&faces.faces[0], 40, 60, 50);
    scene_face(&faces.faces[1], 110, 70, 40);
    scene_draw(overlay, f, &faces, TF_BANNER_NONE);

    unsigned long before = scene_allocations;
    assert_true(before > 0);
    for (int i = 0; i < 200; i++) {
        f->flags = (uint32_t)i % 64;
        scene_draw(overlay, i % 10 ? f : NULL, &faces, (enum tf_banner)(i % 4));
    }
    assert_int_equal(scene_allocations, before);
    tf_overlay_destroy(overlay);
    scene_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(places),
        cmocka_unit_test(enlargement_is_smooth),
        cmocka_unit_test(fixed_range),
        cmocka_unit_test(automatic_range),
        cmocka_unit_test(hot_and_cold_things_leave_the_face_its_colours),
        cmocka_unit_test(a_lamp_leaves_an_empty_room_its_colours),
        cmocka_unit_test(colour_frames),
        cmocka_unit_test(wrong_frames),
        cmocka_unit_test(nothing_is_allocated),
    };
    return cmocka_run_group_tests_name("overlay picture", tests, NULL, NULL);
}
