/* Faces of two cameras brought together: whose points are used, and whose id a face has. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "inference/face/pairing.h"

static uint8_t pixels[240][320][2];
static const struct tf_frame frame = {.plane = {&pixels[0][0][0]},
                                      .stride = {640},
                                      .width = 320,
                                      .height = 240,
                                      .pixel = TF_PIXEL_U16,
                                      .radiometry = {true, 0.01f, -273.15f}};
/* The visible picture is the thermal one, twice as large and 10 pixels to the left. */
static const struct tf_registration registration = {.model = TF_REGISTRATION_AFFINE,
                                                    .matrix = {{0.5, 0, 10}, {0, 0.5, 0}, {0, 0, 1}},
                                                    .thermal_width = 320,
                                                    .thermal_height = 240,
                                                    .visible_width = 640,
                                                    .visible_height = 480};
static struct tf_pairing pairing;
static struct tf_faces faces;
static struct tf_partner partner;

/* A schematic face, 60 pixels wide, with its middle at x, y; as 68 points in iBUG's order. */
static void draw(struct tf_point points[TF_POINTS], float x, float y, float scale, float dx, float confidence)
{
    for (int k = 0; k < TF_POINTS; k++) {
        float u, v;

        if (k < 17) { /* jaw */
            u = 30 * sinf((float)(k - 8) * 0.19f);
            v = 35 * cosf((float)(k - 8) * 0.19f);
        } else if (k < 27) { /* brows */
            u = (float)(k - 22) * 5 + (k < 22 ? -1.0f : 1.0f);
            v = -20;
        } else if (k < 36) { /* nose */
            u = k < 31 ? 0 : (float)(k - 33) * 3;
            v = k < 31 ? -10.0f + (float)(k - 27) * 4 : 5;
        } else if (k < 48) { /* eyes: 36 and 45 are the outer corners */
            static const float us[] = {-18, -15, -11, -8, -11, -15}, vs[] = {-10, -12, -12, -10, -8, -8};
            static const int mirror[] = {3, 2, 1, 0, 5, 4};
            int i = k < 42 ? k - 36 : mirror[k - 42];

            u = k < 42 ? us[i] : -us[i];
            v = vs[i];
        } else { /* mouth */
            u = 10 * cosf((float)(k - 48) * 0.52f);
            v = 18 + 4 * sinf((float)(k - 48) * 0.52f);
        }
        points[k] = (struct tf_point){(x + u + dx) * scale, (y + v) * scale, confidence};
    }
}

static void thermal_face(uint32_t id, float x, float y, float confidence)
{
    struct tf_face *f = &faces.faces[faces.count++];

    memset(f, 0, sizeof(*f));
    f->id = id;
    draw(f->points, x, y, 1, 0, confidence);
    f->box[0] = x - 30;
    f->box[1] = y - 20;
    f->box[2] = 60;
    f->box[3] = 55;
}

static void visible_face(uint32_t id, float x, float y, float confidence)
{
    struct tf_partner_face *f = &partner.faces[partner.count++];

    f->id = id;
    draw(f->points, x, y, 2, -10, confidence);
}

static int merge(enum tf_pair_use use)
{
    partner.width = 640;
    partner.height = 480;
    return tf_pairing_merge(&pairing, use, &registration, NULL, &frame, &partner, &faces);
}

static int setup(void **state)
{
    for (int i = 0; i < 320 * 240; i++)
        memcpy(&pixels[0][0][0] + (size_t)i * 2, &(uint16_t){30615}, 2); /* 33 °C */
    return 0;
}

static int clear(void **state)
{
    memset(&pairing, 0, sizeof(pairing));
    faces.count = partner.count = 0;
    return 0;
}

static void who_is_surer_serves(void **state)
{
    thermal_face(1, 160, 120, 0.6f);
    visible_face(7, 162, 120, 0.9f);
    assert_int_equal(merge(TF_PAIR_USE_BETTER), 0);
    assert_int_equal(faces.count, 1);
    assert_int_equal(faces.faces[0].from, TF_POINTS_FROM_VISIBLE);
    assert_true(faces.faces[0].mapped && !faces.faces[0].unseen);
    for (int k = 0; k < TF_POINTS; k++) { /* mapped exactly, and the own points are as they were */
        assert_true(fabsf(faces.faces[0].points_mapped[k].x - faces.faces[0].points[k].x - 2) < 1e-3f);
        assert_true(fabsf(faces.faces[0].points_mapped[k].y - faces.faces[0].points[k].y) < 1e-3f);
    }
    assert_true(fabsf(faces.faces[0].score - 0.9f) < 1e-5f);
    assert_true(faces.faces[0].regions[TF_REGION_MOUTH].n > 0);
    assert_true(fabsf(faces.faces[0].regions[TF_REGION_MOUTH].mean - 33) < 1e-3f);

    clear(state);
    thermal_face(1, 160, 120, 0.95f);
    visible_face(7, 162, 120, 0.9f);
    assert_int_equal(merge(TF_PAIR_USE_BETTER), 0);
    assert_int_equal(faces.faces[0].from, TF_POINTS_FROM_THERMAL);
    assert_true(faces.faces[0].mapped);
    faces.count = 0;
    thermal_face(1, 160, 120, 0.95f);
    assert_int_equal(merge(TF_PAIR_USE_ALWAYS), 0);
    assert_int_equal(faces.faces[0].from, TF_POINTS_FROM_VISIBLE);
}

static void never_is_never(void **state)
{
    thermal_face(1, 100, 120, 0.5f);
    visible_face(7, 100, 120, 0.9f);
    visible_face(8, 230, 120, 0.9f);
    assert_int_equal(merge(TF_PAIR_USE_NEVER), 0);
    assert_int_equal(faces.count, 1);
    assert_int_equal(faces.faces[0].from, TF_POINTS_FROM_THERMAL);
    assert_true(faces.faces[0].mapped);
}

static void two_persons_are_not_mixed_up(void **state)
{
    thermal_face(1, 90, 120, 0.5f);
    thermal_face(2, 230, 120, 0.9f);
    visible_face(8, 231, 120, 0.8f);
    visible_face(7, 91, 120, 0.8f);
    assert_int_equal(merge(TF_PAIR_USE_BETTER), 0);
    assert_int_equal(faces.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct tf_face *f = &faces.faces[i];

        assert_int_equal(f->from, f->id == 1 ? TF_POINTS_FROM_VISIBLE : TF_POINTS_FROM_THERMAL);
        assert_true(fabsf(f->points_mapped[30].x - (f->id == 1 ? 91.0f : 231.0f)) < 1e-3f);
    }
}

static void a_face_keeps_its_id(void **state)
{
    pairing.next_id = 100; /* apart from the tracker's */
    visible_face(7, 160, 120, 0.9f);
    assert_int_equal(merge(TF_PAIR_USE_BETTER), 0);
    assert_int_equal(faces.count, 1);
    assert_true(faces.faces[0].unseen && isnan(faces.faces[0].points[0].x));
    assert_int_equal(faces.faces[0].id, 101);
    faces.count = 0; /* the thermal tracker finds it, too, under a number of its own */
    thermal_face(1, 160, 120, 0.9f);
    assert_int_equal(merge(TF_PAIR_USE_BETTER), 0);
    assert_int_equal(faces.faces[0].id, 101);
    faces.count = partner.count = 0; /* the visible camera loses it … */
    thermal_face(1, 160, 120, 0.9f);
    assert_int_equal(merge(TF_PAIR_USE_BETTER), 0);
    assert_int_equal(faces.faces[0].id, 101);
    faces.count = 0; /* … and the thermal one, when the other has it again */
    visible_face(7, 160, 120, 0.9f);
    assert_int_equal(merge(TF_PAIR_USE_BETTER), 0);
    assert_int_equal(faces.faces[0].id, 101);
}

static void what_is_no_face_here_is_left_out(void **state)
{
    visible_face(7, 600, 120, 0.9f); /* beside the thermal picture */
    assert_int_equal(merge(TF_PAIR_USE_ALWAYS), 0);
    assert_int_equal(faces.count, 0);
    partner.count = 0;
    visible_face(7, 160, 120, 0.9f);
    partner.width = 320;
    assert_int_equal(
        tf_pairing_merge(&pairing, TF_PAIR_USE_ALWAYS, &registration, NULL, &frame, &partner, &faces),
        -ERANGE);
    assert_int_equal(faces.count, 0);
    /* Without a partner, and without a registration, faces are marked and nothing else. */
    thermal_face(1, 160, 120, 0.9f);
    assert_int_equal(
        tf_pairing_merge(&pairing, TF_PAIR_USE_ALWAYS, &registration, NULL, &frame, NULL, &faces), 0);
    assert_int_equal(tf_pairing_merge(&pairing, TF_PAIR_USE_ALWAYS, NULL, NULL, &frame, &partner, &faces), 0);
    assert_int_equal(faces.faces[0].from, TF_POINTS_FROM_THERMAL);
    assert_false(faces.faces[0].mapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_is_surer_serves, clear),
        cmocka_unit_test_setup(never_is_never, clear),
        cmocka_unit_test_setup(two_persons_are_not_mixed_up, clear),
        cmocka_unit_test_setup(a_face_keeps_its_id, clear),
        cmocka_unit_test_setup(what_is_no_face_here_is_left_out, clear),
    };

    return cmocka_run_group_tests_name("pairing", tests, setup, NULL);
}
