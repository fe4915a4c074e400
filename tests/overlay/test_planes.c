/* Pictures of planes: against the RGB picture, the same at every level of the processor, golden pictures. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "overlay/pair.h"
#include "scene.h"

static void scene(struct tf_frame *f)
{
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            double warm = 12 * exp(-(pow(x - f->width * 0.6, 2) + pow(y - f->height * 0.4, 2)) /
                                   (f->width * f->height * 0.03)),
                   slope = 3.0 * x / f->width + 0.2 * sin(y * 0.7);
            if (f->pixel == TF_PIXEL_U16)
                scene_set(f, x, y, (uint16_t)(scene_celsius(22) + (int)(100 * (warm + slope))));
            else if (f->pixel == TF_PIXEL_U8)
                scene_set(f, x, y, (uint16_t)(60 + 10 * (warm + slope)));
        }
    for (int plane = 0; plane < 3 && f->pixel > TF_PIXEL_U8; plane++)
        for (int y = 0; y < f->height; y++)
            for (uint32_t x = 0; x < f->stride[plane]; x++) {
                bool chroma = plane || (f->pixel == TF_PIXEL_YUYV && x % 2) ||
                              (f->pixel == TF_PIXEL_UYVY && x % 2 == 0);
                double phase = (x / 4 * 0.11) + y * 0.05 + (x % 4 == 1 || x % 4 == 2) + plane;
                f->plane[plane][(size_t)y * f->stride[plane] + x] =
                    (uint8_t)(128 + (chroma ? 35 : 70) * sin(chroma ? phase * 0.5 : phase));
            }
}

static double luma_of(const uint8_t *bgr)
{
    return 16 + 219 / 255.0 * (0.2126 * bgr[2] + 0.7152 * bgr[1] + 0.0722 * bgr[0]);
}

/* Against the RGB picture by BT.709's formula: Y's PSNR; U's and V's, of the mean of four pixels. */
static void psnr(const struct tf_picture *rgb, const struct tf_picture *planes, double *luma, double *chroma)
{
    double sum[2] = {1e-3, 1e-3}, n = (double)rgb->width * rgb->height;

    assert_int_equal(rgb->width, planes->width);
    assert_int_equal(rgb->height, planes->height);
    for (uint32_t y = 0; y < rgb->height; y += 2)
        for (uint32_t x = 0; x < rgb->width; x += 2) {
            double u = 0, v = 0;
            for (uint32_t i = 0; i < 4; i++) {
                uint32_t px = x + i % 2, py = y + i / 2;
                const uint8_t *p = rgb->data + (size_t)py * rgb->stride + 4 * px;
                double full = luma_of(p), d = planes->plane[0][(size_t)py * planes->pitch[0] + px] - full,
                       e = (full - 16) / 219;
                sum[0] += d * d;
                u += 128 + 224 * (p[0] / 255.0 - e) / 1.8556;
                v += 128 + 224 * (p[2] / 255.0 - e) / 1.5748;
            }
            double du = planes->plane[1][(size_t)(y / 2) * planes->pitch[1] + x / 2] - u / 4,
                   dv = planes->plane[2][(size_t)(y / 2) * planes->pitch[2] + x / 2] - v / 4;
            sum[1] += du * du + dv * dv;
        }
    *luma = 10 * log10(255 * 255 * n / sum[0]);
    *chroma = 10 * log10(255 * 255 * n / 2 / sum[1]);
}

static bool same(const struct tf_picture *a, const struct tf_picture *b)
{
    for (int i = 0; i < 3; i++)
        for (uint32_t y = 0; y < (i ? a->height / 2 : a->height); y++)
            if (memcmp(a->plane[i] + (size_t)y * a->pitch[i], b->plane[i] + (size_t)y * b->pitch[i],
                       i ? a->width / 2 : a->width) != 0)
                return false;
    return true;
}

static const enum tf_cpu_level levels[] = {TF_CPU_AVX2, TF_CPU_AVX512VNNI, TF_CPU_NEON};

/* The picture of planes is the RGB picture in other numbers, whatever the turn, the size and the format; and
 * the same to the bit at every level. */
static void planes_are_the_picture(void **state)
{
    static const uint16_t sizes[][2] = {{80, 60}, {161, 121}, {640, 512}, {97, 83}};
    struct tf_faces faces = {.count = 1};
    double least = 100, least_chroma = 100;

    for (int pixel = TF_PIXEL_U16; pixel <= TF_PIXEL_YUV420; pixel++)
        for (size_t s = 0; s < TF_COUNT(sizes); s++)
            for (int turn = 0; turn < 720; turn += 90) {
                bool colour = pixel > TF_PIXEL_U8;
                uint16_t w = sizes[s][0], h = sizes[s][1];
                if (pixel != TF_PIXEL_U16 && (turn > 450 || (s == 2 && turn > 90)))
                    continue;
                if (colour) /* cameras' sizes: chroma of odd ones lies half a pixel off once they are turned
                             */
                    w &= ~3u, h &= ~3u;
                struct tf_frame *f = scene_frame(w, h, (enum tf_pixel)pixel, (uint16_t)(turn % 360));
                struct tf_overlay_options o = tf_overlay_defaults();
                double luma, chroma;

                f->flip = turn >= 360;
                scene(f);
                scene_face(faces.faces, w * 0.5f, h * 0.5f, h * 0.5f);
                if (s == 3) /* odd sizes that are not enlarged */
                    o.lines_min = 1;
                struct tf_overlay *rgb = scene_overlay(&o, f);
                o.form = TF_PICTURE_PLANES;
                o.cpu = TF_CPU_GENERIC;
                struct tf_overlay *planes = scene_overlay(&o, f);
                const struct tf_picture *p = scene_draw(planes, f, &faces, TF_BANNER_STALE);
                unsigned long before = scene_allocations;
                p = scene_draw(planes, f, &faces, TF_BANNER_STALE);
                assert_int_equal(scene_allocations, before);
                psnr(scene_draw(rgb, f, &faces, TF_BANNER_STALE), p, &luma, &chroma);
                if (luma < (colour ? 36 : 45) || chroma < 32)
                    fail_msg("pixel %d, %ux%u, turn %d: %.1f dB of Y, %.1f of U and V", pixel, w, h, turn,
                             luma, chroma);
                if (!colour) {
                    least = fmin(least, luma);
                    least_chroma = fmin(least_chroma, chroma);
                }
                for (size_t i = 0; i < TF_COUNT(levels); i++) {
                    if (!tf_cpu_has(levels[i]) || (turn != 0 && turn != 90 && turn != 630))
                        continue;
                    o.cpu = levels[i];
                    struct tf_overlay *other = scene_overlay(&o, f);
                    assert_true(same(p, scene_draw(other, f, &faces, TF_BANNER_STALE)));
                    tf_overlay_destroy(other);
                }
                tf_overlay_destroy(rgb);
                tf_overlay_destroy(planes);
                scene_free(f);
            }
    print_message("thermal: at least %.1f dB of Y, %.1f of U and V\n", least, least_chroma);
}

/* What stands from picture to picture (bar, clock, name) is what a new overlay would draw. */
static void what_stands_is_right(void **state)
{
    static const struct {
        uint64_t frame;
        int64_t t_utc_ns;
        float fps;
        const char *camera;
        enum tf_banner banner;
        double high;
        bool there;
    } steps[] = {{1, 1772360130123456789, 8.7f, "thermal", TF_BANNER_NONE, 35, true},
                 {2, 1772360130143456789, 8.7f, "thermal", TF_BANNER_NONE, 35, true},
                 {3, 1772360130163456789, 0, "thermal", TF_BANNER_STALE, 35, true},
                 {4, 1772360131163456789, 60, "thermal", TF_BANNER_NONE, 61, true},
                 {5, 1772360131263456789, 60, "thermal", TF_BANNER_NO_SIGNAL, 61, false},
                 {123456789, 1772360132163456789, 60, "another", TF_BANNER_NONE, 41, true},
                 {123456790, 1772360132163456789, 7, "a name that is far too long for the room it has",
                  TF_BANNER_NONE, 41, true}};
    static const uint16_t sizes[][2] = {{640, 512}, {641, 511}, {120, 160}};

    for (int form = TF_PICTURE_RGB; form <= TF_PICTURE_PLANES; form++)
        for (size_t s = 0; s < TF_COUNT(sizes); s++) {
            struct tf_frame *f = scene_frame(sizes[s][0], sizes[s][1], TF_PIXEL_U16, 0);
            struct tf_overlay_options o = tf_overlay_defaults();

            scene(f);
            o.form = (enum tf_picture_form)form;
            o.fixed_range = true;
            o.range_min = 20;
            o.range_max = 35;
            struct tf_overlay *kept = scene_overlay(&o, f);
            for (size_t i = 0; i < TF_COUNT(steps); i++) {
                struct tf_overlay_note note = {.camera = steps[i].camera,
                                               .frame = steps[i].frame,
                                               .t_utc_ns = steps[i].t_utc_ns,
                                               .fps = steps[i].fps,
                                               .banner = steps[i].banner,
                                               .since_utc_ns = 1772360120000000000};
                const struct tf_picture *a, *b;

                if (o.range_max != (float)steps[i].high) {
                    o.range_max = (float)steps[i].high;
                    assert_int_equal(tf_overlay_set_options(kept, &o, NULL), 0);
                }
                struct tf_overlay *fresh = scene_overlay(&o, f);
                assert_int_equal(tf_overlay_draw(kept, steps[i].there ? f : NULL, NULL, &note, &a), 0);
                assert_int_equal(tf_overlay_draw(fresh, steps[i].there ? f : NULL, NULL, &note, &b), 0);
                if (form == TF_PICTURE_PLANES)
                    assert_true(same(a, b));
                else
                    assert_memory_equal(a->data, b->data, (size_t)a->stride * a->height);
                tf_overlay_destroy(fresh);
            }
            tf_overlay_destroy(kept);
            scene_free(f);
        }
}

/* JPEG's numbers: black is 0 and white is 255, in either form, at every level, turned and enlarged or not. */
static void full_range(void **state)
{
    for (int pixel = TF_PIXEL_YUYV; pixel <= TF_PIXEL_YUV420; pixel++)
        for (int i = 0; i < 4; i++) {
            struct tf_frame *f =
                scene_frame(i < 2 ? 640 : 96, i < 2 ? 480 : 80, (enum tf_pixel)pixel, i % 2 ? 270 : 0);
            struct tf_overlay_options o = scene_bare();
            struct tf_faces none = {0};
            double luma, chroma;

            f->full_range = true;
            scene(f);
            struct tf_overlay *rgb = scene_overlay(&o, f);
            o.form = TF_PICTURE_PLANES;
            o.cpu = TF_CPU_GENERIC;
            struct tf_overlay *planes = scene_overlay(&o, f);
            const struct tf_picture *p = scene_draw(planes, f, &none, TF_BANNER_NONE), *r;
            psnr(scene_draw(rgb, f, &none, TF_BANNER_NONE), p, &luma, &chroma);
            if (luma < 36 || chroma < 32)
                fail_msg("pixel %d, %d: %.1f dB of Y, %.1f of U and V", pixel, i, luma, chroma);
            for (size_t level = 0; level < TF_COUNT(levels); level++) {
                if (!tf_cpu_has(levels[level]))
                    continue;
                o.cpu = levels[level];
                struct tf_overlay *other = scene_overlay(&o, f);
                assert_true(same(p, scene_draw(other, f, &none, TF_BANNER_NONE)));
                tf_overlay_destroy(other);
            }
            for (int value = 0; value < 256; value += 5) {
                uint32_t gray = (uint32_t)value * 0x010101;

                for (int plane = 0; plane < 3 && f->plane[plane]; plane++)
                    for (uint32_t at = 0; at < f->stride[plane] * f->height / (plane ? 2u : 1u); at++)
                        f->plane[plane][at] =
                            plane || (pixel <= TF_PIXEL_UYVY && at % 2 == (pixel == TF_PIXEL_YUYV))
                                ? 128
                                : (uint8_t)value;
                r = scene_draw(rgb, f, &none, TF_BANNER_NONE);
                assert_int_equal(pixel_at(r, r->width / 2, r->height / 2), gray);
                p = scene_draw(planes, f, &none, TF_BANNER_NONE);
                assert_int_equal(p->plane[0][p->height / 2 * p->pitch[0] + p->width / 2],
                                 lround(16 + value * 219 / 255.0));
                assert_int_equal(p->plane[1][p->height / 4 * p->pitch[1] + p->width / 4], 128);
            }
            tf_overlay_destroy(rgb);
            tf_overlay_destroy(planes);
            scene_free(f);
        }
}

/* A pair's picture of planes is its RGB picture: beside each other and in a corner, with and without the
 * visible camera. */
static void pairs(void **state)
{
    struct tf_frame *thermal = scene_frame(160, 120, TF_PIXEL_U16, 0),
                    *visible = scene_frame(642, 480, TF_PIXEL_YUYV, 90);
    struct tf_overlay_note note = {.camera = "thermal", .frame = 7, .t_utc_ns = 1772360130123456789};
    struct tf_faces faces = {.count = 1}, theirs = {.count = 1};

    scene(thermal);
    scene(visible);
    scene_face(faces.faces, 80, 60, 60);
    scene_face(theirs.faces, 240, 320, 250);
    for (int layout = TF_PAIR_SIDE_BY_SIDE; layout <= TF_PAIR_INSET; layout++) {
        struct tf_overlay_options o = tf_overlay_defaults();
        struct tf_pair_overlay *overlays[2];

        for (int form = 0; form < 2; form++) {
            o.form = (enum tf_picture_form)form;
            assert_int_equal(tf_pair_overlay_create(&o, (enum tf_pair_layout)layout, 160, 120, 480, 642,
                                                    &overlays[form], NULL),
                             0);
        }
        for (int there = 2; there >= 0; there--) {
            const struct tf_pair_view view = {.thermal = there == 1 ? NULL : thermal,
                                              .thermal_faces = &faces,
                                              .note = &note,
                                              .visible = there ? visible : NULL,
                                              .visible_faces = &theirs,
                                              .visible_camera = "visible"};
            const struct tf_picture *pictures[2];
            double luma, chroma;
            unsigned long before;

            for (int form = 0; form < 2; form++)
                assert_int_equal(tf_pair_overlay_draw(overlays[form], &view, &pictures[form]), 0);
            psnr(pictures[0], pictures[1], &luma, &chroma);
            if (luma < 35 || chroma < 32)
                fail_msg("layout %d, %d: %.1f dB of Y, %.1f of U and V", layout, there, luma, chroma);
            before = scene_allocations;
            assert_int_equal(tf_pair_overlay_draw(overlays[1], &view, &pictures[1]), 0);
            assert_int_equal(scene_allocations, before);
        }
        tf_pair_overlay_destroy(overlays[0]);
        tf_pair_overlay_destroy(overlays[1]);
    }
    scene_free(thermal);
    scene_free(visible);
}

/* The visible camera's picture stays in its place: beside it is what is there without it. */
static void pairs_stay_in_place(void **state)
{
    static const uint16_t sizes[][2] = {{642, 480}, {630, 480}, {652, 490}, {100, 410}, {4000, 8}, {8, 400}};
    struct tf_frame *thermal = scene_frame(160, 120, TF_PIXEL_U16, 0);
    struct tf_overlay_note note = {.camera = "thermal", .frame = 7, .t_utc_ns = 1772360130123456789};
    struct tf_overlay_options o = tf_overlay_defaults();

    scene(thermal);
    o.form = TF_PICTURE_PLANES;
    struct tf_overlay *alone = scene_overlay(&o, thermal);
    const struct tf_picture *a, *b;
    for (size_t s = 0; s < TF_COUNT(sizes); s++) {
        struct tf_frame *visible = scene_frame(sizes[s][0], sizes[s][1], TF_PIXEL_YUYV, 0);
        struct tf_pair_view view = {.thermal = thermal, .note = &note, .visible_camera = "visible"};
        struct tf_pair_overlay *pair;
        static uint8_t before[3][1024 * 1024];
        static bool place[3][1024 * 1024];

        scene(visible);
        assert_int_equal(
            tf_pair_overlay_create(&o, TF_PAIR_INSET, 160, 120, sizes[s][0], sizes[s][1], &pair, NULL), 0);
        assert_int_equal(tf_overlay_draw(alone, thermal, NULL, &note, &a), 0);
        assert_int_equal(tf_pair_overlay_draw(pair, &view, &b), 0);
        for (int i = 0; i < 3; i++)
            for (uint32_t y = 0; y < b->height / (i ? 2 : 1); y++)
                for (uint32_t x = 0; x < b->width / (i ? 2 : 1); x++) {
                    size_t at = (size_t)y * b->pitch[i] + x;
                    before[i][at] = b->plane[i][at];
                    place[i][at] = b->plane[i][at] != a->plane[i][(size_t)y * a->pitch[i] + x];
                }
        view.visible = visible;
        assert_int_equal(tf_pair_overlay_draw(pair, &view, &b), 0);
        for (int i = 0; i < 3; i++) {
            uint32_t right = 0, bottom = 0;

            for (uint32_t y = 0; y < b->height / (i ? 2 : 1); y++)
                for (uint32_t x = 0; x < b->width / (i ? 2 : 1); x++)
                    if (place[i][(size_t)y * b->pitch[i] + x]) {
                        right = x > right ? x : right;
                        bottom = y > bottom ? y : bottom;
                    }
            for (uint32_t y = 0; y < b->height / (i ? 2 : 1); y++)
                for (uint32_t x = y > bottom ? 0 : right + 1; x < b->width / (i ? 2 : 1); x++)
                    if (b->plane[i][(size_t)y * b->pitch[i] + x] != before[i][(size_t)y * b->pitch[i] + x])
                        fail_msg("visible %ux%u, plane %d: changed at %u, %u beside its place to %u, %u",
                                 sizes[s][0], sizes[s][1], i, x, y, right, bottom);
        }
        tf_pair_overlay_destroy(pair);
        scene_free(visible);
    }
    tf_overlay_destroy(alone);
    scene_free(thermal);
}

static uint64_t hash_of(const struct tf_picture *p)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (int i = 0; i < 3; i++)
        for (uint32_t y = 0; y < (i ? p->height / 2 : p->height); y++)
            for (uint32_t x = 0; x < (i ? p->width / 2 : p->width); x++)
                hash = (hash ^ p->plane[i][(size_t)y * p->pitch[i] + x]) * 1099511628211u;
    return hash;
}

/* Whole numbers only, so that no mathematical library has a say. */
static void golden_scene(struct tf_frame *f)
{
    uint8_t *bytes[3] = {f->plane[0], f->plane[1], f->plane[2]};

    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            scene_set(f, x, y,
                      f->pixel == TF_PIXEL_U16 ? (uint16_t)(29300 + (x * y / 11 + (x ^ y) * 3) % 1400)
                                               : (uint16_t)((x * 3 + y * 2) % 256));
    for (int i = 0; i < 3 && f->pixel > TF_PIXEL_U8; i++)
        for (int y = 0; y < f->height; y++)
            for (uint32_t x = 0; x < f->stride[i]; x++)
                bytes[i][(size_t)y * f->stride[i] + x] = (uint8_t)(40 + ((int)x * (3 + i) + y * 5) % 180);
}

struct golden {
    enum tf_pixel pixel;
    uint16_t width, height, rotate;
    bool flip;
    const char *palette;
    enum tf_banner banner;
    uint64_t hash;
};

/* Without text, which the machine's font would decide. A change of these numbers is a change of what every
 * viewer sees: look at the pictures first. */
static void golden_pictures(void **state)
{
    static const struct golden golden[] = {
#include "golden.h"
    };
    bool wrong = false;

    for (size_t g = 0; g < TF_COUNT(golden); g++) {
        const struct golden *e = golden + g;
        struct tf_overlay_options o = scene_bare();
        struct tf_faces faces = {.count = 1};
        struct tf_frame *f = scene_frame(e->width, e->height, e->pixel, e->rotate);
        struct tf_face *face = faces.faces;

        golden_scene(f);
        f->flip = e->flip;
        face->id = 1;
        for (int i = 0; i < TF_POINTS; i++)
            face->points[i] = (struct tf_point){(float)(e->height / 4 + i % 9 * 3) + 0.25f * (float)(i % 4),
                                                (float)(e->height / 4 + i / 9 * 4), i % 5 ? 0.9f : 0.3f};
        face->box[2] = face->box[3] = (float)e->height / 2;
        o.form = TF_PICTURE_PLANES;
        o.points = o.lines = true;
        o.fixed_range = true;
        o.range_min = e->pixel == TF_PIXEL_U16 ? 21 : 20;
        o.range_max = e->pixel == TF_PIXEL_U16 ? 33 : 230;
        assert_int_equal(tf_palette_find(e->palette, &o.palette, NULL), 0);
        for (size_t i = 0; i <= TF_COUNT(levels); i++) {
            o.cpu = i ? levels[i - 1] : TF_CPU_GENERIC;
            if (!tf_cpu_has(o.cpu))
                continue;
            struct tf_overlay *overlay = scene_overlay(&o, f);
            uint64_t hash = hash_of(scene_draw(overlay, f, &faces, e->banner));
            if (hash != e->hash) {
                print_error("picture %zu at %s: 0x%016llx\n", g, tf_cpu_name(o.cpu),
                            (unsigned long long)hash);
                wrong = true;
            }
            tf_overlay_destroy(overlay);
        }
        scene_free(f);
    }
    assert_false(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_are_the_picture),
        cmocka_unit_test(what_stands_is_right),
        cmocka_unit_test(full_range),
        cmocka_unit_test(pairs),
        cmocka_unit_test(pairs_stay_in_place),
        cmocka_unit_test(golden_pictures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
