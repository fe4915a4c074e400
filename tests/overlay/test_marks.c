/* Marks: each can be switched off, stays where it belongs, and survives nonsense. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "overlay/draw.h"
#include "scene.h"

struct setup {
    struct tf_frame *frame;
    struct tf_faces faces;
};

static int set_up(void **state)
{
    static struct setup s;

    s.frame = scene_frame(160, 120, TF_PIXEL_U16, 0);
    for (int y = 0; y < 120; y++)
        for (int x = 0; x < 160; x++)
            scene_set(s.frame, x, y, scene_celsius(22 + (float)(x + y) * 0.05f));
    memset(&s.faces, 0, sizeof(s.faces));
    s.faces.count = 1;
    scene_face(&s.faces.faces[0], 80, 60, 60);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    scene_free(((struct setup *)*state)->frame);
    return 0;
}

/* Draws with all off, then with one on; returns how many pixels of the frame's part change. */
static uint32_t changed_by(struct setup *s, void (*turn_on)(struct tf_overlay_options *))
{
    struct tf_overlay_options o = scene_bare();
    struct tf_overlay *overlay = scene_overlay(&o, s->frame);
    uint8_t *bare = copy_of(scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE));
    struct tf_error err = {0};
    uint32_t n;

    turn_on(&o);
    assert_int_equal(tf_overlay_set_options(overlay, &o, &err), 0);
    n = differences(scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE), bare, 0, 0, 640, 480);
    /* And off again leaves nothing behind. */
    o = scene_bare();
    assert_int_equal(tf_overlay_set_options(overlay, &o, &err), 0);
    assert_int_equal(
        differences(scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE), bare, 0, 0, 640, 480), 0);
    free(bare);
    tf_overlay_destroy(overlay);
    return n;
}

static void on_points(struct tf_overlay_options *o)
{
    o->points = true;
}
static void on_lines(struct tf_overlay_options *o)
{
    o->points = o->lines = true;
}
static void on_boxes(struct tf_overlay_options *o)
{
    o->boxes = true;
}
static void on_regions(struct tf_overlay_options *o)
{
    o->regions = true;
}
static void on_pose(struct tf_overlay_options *o)
{
    o->pose = true;
}
static void on_banner(struct tf_overlay_options *o)
{
    o->banner = true;
}

static void each_can_be_switched(void **state)
{
    struct setup *s = *state;
    uint32_t points = changed_by(s, on_points), lines = changed_by(s, on_lines);

    /* 68 dots of 2 to 3 pixels' radius with their rims. */
    assert_in_range(points, 68 * 12, 68 * 50);
    assert_true(lines > points + 500);
    assert_in_range(changed_by(s, on_boxes), 1000, 20000);
    assert_true(changed_by(s, on_regions) > 5000);
    assert_in_range(changed_by(s, on_pose), 300, 5000);
    assert_int_equal(changed_by(s, on_banner), 0); /* nothing to say */
    s->frame->flags = TF_FLAG_FFC;
    assert_true(changed_by(s, on_banner) > 640 * 20);
}

/* The axes point where the head does, and one that is not known has none. */
static void axes_follow_the_head(void **state)
{
    struct setup *s = *state;
    struct tf_overlay_options o = scene_bare();
    struct tf_overlay *overlay = scene_overlay(&o, s->frame);
    struct tf_face *face = &s->faces.faces[0];
    uint32_t left[2], right[2], x, y;

    uint8_t *bare = copy_of(scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE));
    o.pose = true;
    assert_int_equal(tf_overlay_set_options(overlay, &o, NULL), 0);
    x = (uint32_t)(face->points[27].x * 4 + 2);
    y = (uint32_t)(face->points[27].y * 4 + 2);
    for (int i = 0; i < 2; i++) {
        face->pose = (struct tf_pose){i ? 50 : -50, 0, 0};
        const struct tf_picture *p = scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
        left[i] = differences(p, bare, x - 60, y - 8, x - 8, y + 8);
        right[i] = differences(p, bare, x + 8, y - 8, x + 60, y + 8);
    }
    /* The axis to its left goes right in the picture always; the one ahead to either side. */
    assert_true(left[0] > 50);
    assert_int_equal(left[1], 0);
    assert_true(right[0] > 50 && right[1] > 50);
    face->pose.yaw = NAN;
    assert_int_equal(
        differences(scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE), bare, 0, 0, 640, 480), 0);
    free(bare);
    tf_overlay_destroy(overlay);
}

/* A mask tints its cells and nothing else, and survives nonsense. */
static void a_mask_tints_its_parts(void **state)
{
    struct setup *s = *state;
    struct tf_overlay_options o = scene_bare();
    struct tf_overlay *overlay = scene_overlay(&o, s->frame);
    struct tf_mask *m = &s->faces.faces[0].mask;

    *m = (struct tf_mask){.width = 10, .height = 8, .x = 40, .y = 30, .step_x = 3, .step_y = 2};
    for (int i = 0; i < 80; i++)
        m->parts[i] =
            i == 25 ? TF_PART_NOSE : TF_PART_BACKGROUND; /* column 5, row 2: 53.5 to 56.5, 33 to 35 */
    uint8_t *bare = copy_of(scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE));
    o.masks = true;
    assert_int_equal(tf_overlay_set_options(overlay, &o, NULL), 0);
    const struct tf_picture *p = scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
    uint32_t x0 = 54 * 4, y0 = 34 * 4 - 2, x1 = x0 + 12, y1 = y0 + 8;
    assert_in_range(differences(p, bare, x0 - 1, y0 - 1, x1 + 1, y1 + 1), 80, 120);
    assert_int_equal(differences(p, bare, 0, 0, 640, 480),
                     differences(p, bare, x0 - 1, y0 - 1, x1 + 1, y1 + 1));
    m->x = NAN;
    scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
    m->x = -1e9f;
    m->step_x = 1e30f;
    scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
    m->step_x = 0;
    p = scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
    assert_int_equal(differences(p, bare, 0, 0, 640, 480), 0);
    memset(m, 0, sizeof(*m));
    free(bare);
    tf_overlay_destroy(overlay);
}

static void a_dot_is_at_its_point(void **state)
{
    struct setup *s = *state;
    struct tf_overlay_options o = scene_bare();
    struct tf_overlay *overlay = scene_overlay(&o, s->frame);
    struct tf_face *face = &s->faces.faces[0];

    for (int i = 0; i < TF_POINTS; i++)
        face->points[i] = (struct tf_point){100.25f, 30.75f, 1};
    uint8_t *bare = copy_of(scene_draw(overlay, s->frame, NULL, TF_BANNER_NONE));
    o.points = true;
    assert_int_equal(tf_overlay_set_options(overlay, &o, NULL), 0);
    const struct tf_picture *p = scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
    double n = 0, sx = 0, sy = 0;
    for (uint32_t y = 0; y < 480; y++)
        for (uint32_t x = 0; x < 640; x++)
            if (differences(p, bare, x, y, x + 1, y + 1))
                n++, sx += x + 0.5, sy += y + 0.5;
    assert_true(n > 10 && n < 100);
    assert_true(fabs(sx / n - 100.75 * 4) < 0.51 && fabs(sy / n - 31.25 * 4) < 0.51);

    /* The filtered ones are drawn only when asked for and there. */
    face->filtered = true;
    for (int i = 0; i < TF_POINTS; i++)
        face->points_filtered[i] = (struct tf_point){20, 100, 1};
    p = scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
    assert_int_equal(differences(p, bare, 60, 380, 100, 420), 0);
    o.filtered = true;
    assert_int_equal(tf_overlay_set_options(overlay, &o, NULL), 0);
    p = scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
    assert_true(differences(p, bare, 60, 380, 100, 420) > 10);
    free(bare);
    tf_overlay_destroy(overlay);
}

static void a_region_that_is_not_valid_has_no_label(void **state)
{
    struct setup *s = *state;
    uint32_t all = changed_by(s, on_regions), none;

    for (int r = 0; r < TF_REGIONS; r++)
        s->faces.faces[0].regions[r].valid = false;
    none = changed_by(s, on_regions);
    assert_true(none > 500 && none < all / 3);
}

static void panels_are_outside(void **state)
{
    struct setup *s = *state;
    struct tf_overlay_options o = scene_bare();
    struct tf_overlay *bare = scene_overlay(&o, s->frame);
    o.clock = o.scale_bar = true;
    struct tf_overlay *panels = scene_overlay(&o, s->frame);
    const struct tf_picture *a = scene_draw(bare, s->frame, NULL, TF_BANNER_NONE);
    const struct tf_picture *b = scene_draw(panels, s->frame, NULL, TF_BANNER_NONE);

    assert_int_equal(a->width, 640);
    assert_int_equal(a->height, 480);
    assert_true(b->width > 640 && b->height > 480);
    for (uint32_t y = 0; y < 480; y++)
        assert_memory_equal(a->data + (size_t)y * a->stride, b->data + (size_t)y * b->stride, 640 * 4);

    /* The bar shows the palette's ends. */
    const uint32_t *table = tf_palette_table(o.palette);
    uint32_t top = 0, bottom = 0;
    for (uint32_t y = 0; y < 480; y++) {
        top += pixel_at(b, 640 + 16, y) == table[255];
        bottom += pixel_at(b, 640 + 16, y) == table[0];
    }
    assert_true(top >= 1 && bottom >= 1);

    /* Switched off later, their room stays empty and the size the same; switched on later, it is refused. */
    uint8_t *before = copy_of(b);
    struct tf_error err = {0};
    uint32_t number;
    o.clock = o.scale_bar = false;
    assert_int_equal(tf_overlay_set_options(panels, &o, &err), 0);
    b = scene_draw(panels, s->frame, NULL, TF_BANNER_NONE);
    assert_true(differences(b, before, 640, 0, b->width, 480) > 1000);
    assert_int_equal(tf_overlay_read_number(b, &number), -ENOENT);
    o.clock = true;
    assert_int_equal(tf_overlay_set_options(bare, &o, &err), -EINVAL);
    assert_non_null(strstr(err.text, "clock"));
    free(before);
    tf_overlay_destroy(bare);
    tf_overlay_destroy(panels);
}

static void lost_cameras(void **state)
{
    struct setup *s = *state;
    struct tf_overlay_options o = tf_overlay_defaults();
    struct tf_overlay *overlay = scene_overlay(&o, s->frame);
    uint32_t number, red = 0;
    const struct tf_picture *p = scene_draw(overlay, NULL, NULL, TF_BANNER_NO_SIGNAL);

    for (uint32_t y = 150; y < 330; y++)
        for (uint32_t x = 0; x < 640; x++)
            red += (pixel_at(p, x, y) >> 16) > 200 && (pixel_at(p, x, y) & 255) < 100;
    assert_true(red > 800); /* the words */
    assert_int_equal(tf_overlay_read_number(p, &number), 0);
    assert_int_equal(number, 123456);

    /* With the last frame at hand: gray and dark below the banner, and no marks of then. */
    p = scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NO_SIGNAL);
    for (uint32_t y = 60; y < 480; y += 3)
        for (uint32_t x = 0; x < 640; x += 3) {
            uint32_t rgb = pixel_at(p, x, y);
            assert_true((rgb & 255) == (rgb >> 8 & 255) && (rgb & 255) == rgb >> 16 && (rgb & 255) < 130);
        }
    tf_overlay_destroy(overlay);
}

/* The most urgent state is said: each makes another banner, and none looks like no banner. */
static void banners_differ(void **state)
{
    struct setup *s = *state;
    static const uint32_t flags[] = {
        TF_FLAG_CORRUPT, TF_FLAG_FFC, TF_FLAG_FFC_SETTLING, TF_FLAG_FFC_IMMINENT, TF_FLAG_DUPLICATE, 0, 0, 0,
        TF_FLAG_GAP};
    static const enum tf_banner banners[] = {
        0, 0, 0, 0, 0, TF_BANNER_NO_SIGNAL, TF_BANNER_STALE, TF_BANNER_SKIPPED, 0};
    struct tf_overlay_options o = tf_overlay_defaults();
    struct tf_overlay *overlay = scene_overlay(&o, s->frame);
    uint8_t *copies[9];
    uint32_t stride = 0;

    for (int i = 0; i < 9; i++) {
        s->frame->flags = flags[i];
        const struct tf_picture *p = scene_draw(overlay, s->frame, NULL, banners[i]);
        copies[i] = copy_of(p);
        stride = p->stride;
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(copies[i] + 15 * stride, copies[k] + 15 * stride, 640 * 4);
    }
    for (int i = 0; i < 9; i++)
        free(copies[i]);
    tf_overlay_destroy(overlay);
}

static void nonsense_is_survived(void **state)
{
    static const float mad[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 1e6f, -70000, 32767, 0};
    struct setup *s = *state;
    struct tf_overlay_options o = tf_overlay_defaults();
    o.lines = true;
    struct tf_overlay *overlay = scene_overlay(&o, s->frame);

    for (size_t m = 0; m < TF_COUNT(mad); m++)
        for (int what = 0; what < 6; what++) {
            struct tf_face *face = &s->faces.faces[0];
            scene_face(face, 80, 60, what == 5 ? mad[m] : 60);
            for (int i = 0; i < TF_POINTS && what == 0; i++)
                face->points[i].x = face->points[i].y = mad[m];
            for (int i = 0; i < TF_POINTS && what == 1; i += 2)
                face->points[i].x = mad[m];
            if (what == 2)
                face->box[m % 4] = mad[m];
            for (int r = 0; r < TF_REGIONS && what == 3; r++)
                for (int i = 0; i < 8; i += 2)
                    face->outlines[r].xy[i][r % 2] = mad[m];
            for (int r = 0; r < TF_REGIONS && what == 4; r++) {
                face->outlines[r].n = r % 2 ? 4000000000u : 2;
                face->regions[r].mean = mad[m];
            }
            face->id = m % 2 ? UINT32_MAX : 0;
            face->score = mad[m];
            s->faces.count = m % 3 ? 1 : 1000;
            s->frame->radiometry.scale = m % 2 ? 0.01f : 0;
            scene_draw(overlay, s->frame, &s->faces, TF_BANNER_NONE);
        }
    struct tf_overlay_note note = {
        .camera = "K\xc3\xa4lte \xff\xf0\x9f a very long name of a camera, longer than the strip",
        .frame = UINT64_MAX,
        .t_utc_ns = INT64_MAX,
        .banner = TF_BANNER_STALE,
        .since_utc_ns = INT64_MIN / 2,
        .fps = NAN};
    const struct tf_picture *p;
    assert_int_equal(tf_overlay_draw(overlay, s->frame, NULL, &note, &p), 0);
    tf_overlay_destroy(overlay);
}

/* Where an outline's pieces meet it is as strong as between: no pixel takes its colour twice. */
static void outlines_are_even(void **state)
{
    static uint32_t pixels[64 * 64];
    struct tf_picture picture = {.data = (uint8_t *)pixels, .width = 64, .height = 64, .stride = 256};
    struct tf_canvas canvas = {&picture, {0, 0, 64, 64}};
    float points[16][2];
    unsigned darkest = 255, painted = 0;

    for (int i = 0; i < 16; i++) {
        points[i][0] = 32 + 12 * cosf((float)i * 0.3926991f);
        points[i][1] = 32 + 12 * sinf((float)i * 0.3926991f);
    }
    for (int i = 0; i < 64 * 64; i++)
        pixels[i] = 0xffffff;
    tf_draw_outline(&canvas, points, 16, 3, 0, 128);
    for (int i = 0; i < 64 * 64; i++) {
        unsigned v = pixels[i] & 255;
        darkest = v < darkest ? v : darkest;
        painted += v < 255;
    }
    assert_in_range(darkest, 126, 128);
    assert_in_range(painted, 200, 400); /* about 75 long and 4 wide, and closed */
    assert_true((pixels[32 * 64 + 43] & 255) < 140 && (pixels[20 * 64 + 32] & 255) < 140);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_can_be_switched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(axes_follow_the_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mask_tints_its_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dot_is_at_its_point, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_region_that_is_not_valid_has_no_label, set_up, tear_down),
        cmocka_unit_test_setup_teardown(panels_are_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_cameras, set_up, tear_down),
        cmocka_unit_test_setup_teardown(banners_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_survived, set_up, tear_down),
        cmocka_unit_test(outlines_are_even),
    };
    return cmocka_run_group_tests_name("overlay marks", tests, NULL, NULL);
}
