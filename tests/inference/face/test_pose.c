/*
 * Head pose from 68 points, against the synthetic subject's own, and the regions that it turns away. Prints
 * the figures that docs/landmarks.md quotes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/count.h"
#include "capture/source.h"
#include "capture/synthetic.h"
#include "inference/face/judge.h"
#include "inference/face/pose.h"

#define RADIANS (M_PI / 180)

/* The synthetic subject's points, turned: first about the head's own axis, then as docs/landmarks.md says. */
static void turn(double yaw, double pitch, double roll, struct tf_point points[TF_POINTS])
{
    double a = -pitch * RADIANS, b = -yaw * RADIANS, c = roll * RADIANS;

    for (int k = 0; k < TF_POINTS; k++) {
        double x = tf_subject_points[k][0], y = tf_subject_points[k][1];
        double z = -tf_subject_depth((float)x, (float)y);
        double x1 = x * cos(c) - y * sin(c), y1 = x * sin(c) + y * cos(c);
        double x2 = x1 * cos(b) + z * sin(b), z2 = z * cos(b) - x1 * sin(b);
        double y3 = y1 * cos(a) - z2 * sin(a);

        points[k] = (struct tf_point){(float)(200 + 60 * x2), (float)(150 + 60 * y3), 0.9f};
    }
}

static void assert_near(double a, double b, double limit)
{
    if (!(fabs(a - b) <= limit))
        fail_msg("%g is not within %g of %g", a, limit, b);
}

static void angles_have_their_signs(void **state)
{
    static const double turns[][3] = {{0, 0, 0},  {20, 0, 0},  {-20, 0, 0},  {0, 20, 0},   {0, -20, 0},
                                      {0, 0, 30}, {0, 0, -30}, {15, 10, 20}, {-25, 8, -15}};
    struct tf_point points[TF_POINTS];

    for (size_t i = 0; i < TF_COUNT(turns); i++) {
        turn(turns[i][0], turns[i][1], turns[i][2], points);
        struct tf_pose pose = tf_pose_fit(points);
        assert_near((double)pose.yaw, turns[i][0], 5);
        assert_near((double)pose.pitch, turns[i][1], 5);
        assert_near((double)pose.roll, turns[i][2], 3);
    }
    /* In the picture: the nose moves to the right, where the subject's left is, and up; the head is turned
     * as a clock's hand. */
    turn(20, 0, 0, points);
    assert_true(points[30].x > (points[36].x + points[45].x) / 2);
    turn(0, 0, 20, points);
    assert_true(points[45].y > points[36].y);
}

static void far_turns_are_far(void **state)
{
    struct tf_point points[TF_POINTS];
    double before = -90;

    for (int yaw = -60; yaw <= 60; yaw += 10) {
        turn(yaw, 0, 0, points);
        struct tf_pose pose = tf_pose_fit(points);
        assert_near((double)pose.yaw, yaw, 10);
        assert_true((double)pose.yaw > before);
        before = (double)pose.yaw;
    }
}

static void size_place_and_side_do_not_matter(void **state)
{
    static const uint8_t other[TF_POINTS] = {
        16, 15, 14, 13, 12, 11, 10, 9,  8,  7,  6,  5,  4,  3,  2,  1,  0,  26, 25, 24, 23, 22, 21,
        20, 19, 18, 17, 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
        41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65};
    struct tf_point points[TF_POINTS], moved[TF_POINTS];
    struct tf_pose pose, again;

    turn(17, -6, 9, points);
    pose = tf_pose_fit(points);
    for (int k = 0; k < TF_POINTS; k++)
        moved[k] = (struct tf_point){0.25f * points[k].x - 900, 0.25f * points[k].y + 2000, 0.9f};
    again = tf_pose_fit(moved);
    assert_near((double)again.yaw, (double)pose.yaw, 0.05);
    assert_near((double)again.pitch, (double)pose.pitch, 0.05);
    assert_near((double)again.roll, (double)pose.roll, 0.05);
    for (int k = 0; k < TF_POINTS; k++)
        moved[k] = (struct tf_point){-points[other[k]].x, points[other[k]].y, 0.9f};
    again = tf_pose_fit(moved);
    assert_near((double)again.yaw, -(double)pose.yaw, 0.05);
    assert_near((double)again.pitch, (double)pose.pitch, 0.05);
    assert_near((double)again.roll, -(double)pose.roll, 0.05);
}

static void a_doubtful_point_counts_less(void **state)
{
    struct tf_point points[TF_POINTS];
    double wrong[2];

    for (int i = 0; i < 2; i++) {
        turn(0, 0, 0, points);
        points[30].x += 20;
        points[30].confidence = i ? 0.1f : 0.9f;
        wrong[i] = fabs((double)tf_pose_fit(points).yaw);
    }
    assert_true(wrong[0] > 1);
    assert_true(wrong[1] < 0.4 * wrong[0]);
}

static void what_is_no_face_has_no_pose(void **state)
{
    struct tf_point points[TF_POINTS];
    struct tf_face face = {.from = TF_POINTS_FROM_NONE};

    turn(0, 0, 0, points);
    points[50].y = NAN;
    assert_true(isnan(tf_pose_fit(points).yaw) && isnan(tf_pose_fit(points).roll));
    points[50].y = INFINITY;
    assert_true(isnan(tf_pose_fit(points).pitch));
    for (int k = 0; k < TF_POINTS; k++)
        points[k] = (struct tf_point){7, 7, 1};
    assert_true(isnan(tf_pose_fit(points).yaw));
    for (int k = 0; k < TF_POINTS; k++) /* a line */
        points[k] = (struct tf_point){(float)k, (float)k, 1};
    assert_true(isnan(tf_pose_fit(points).yaw));
    memcpy(face.points, points, sizeof(points));
    tf_face_judge(&face, false);
    assert_int_equal(face.regions[TF_REGION_CHEEK_LEFT].why, 0);
}

static uint32_t judged(double yaw, double pitch, enum tf_region region)
{
    static struct tf_face face;

    memset(&face, 0, sizeof(face));
    turn(yaw, pitch, 0, face.points);
    for (int i = 0; i < TF_REGIONS; i++)
        face.regions[i].valid = true;
    tf_face_judge(&face, false);
    assert_int_equal(face.regions[region].valid, face.regions[region].why == 0);
    return face.regions[region].why;
}

static void what_is_turned_away_is_not_valid(void **state)
{
    for (int i = 0; i < TF_REGIONS; i++) {
        assert_int_equal(judged(0, 0, (enum tf_region)i), 0);
        assert_int_equal(judged(15, 10, (enum tf_region)i), 0);
    }
    /* The far cheek goes first, then the far eye; the near side and the nose stay. */
    assert_int_equal(judged(40, 0, TF_REGION_CHEEK_LEFT), TF_WHY_TURNED);
    assert_int_equal(judged(40, 0, TF_REGION_CHEEK_RIGHT), 0);
    assert_int_equal(judged(-40, 0, TF_REGION_CHEEK_RIGHT), TF_WHY_TURNED);
    assert_int_equal(judged(50, 0, TF_REGION_PERIORBITAL_LEFT), TF_WHY_TURNED);
    assert_int_equal(judged(50, 0, TF_REGION_CANTHUS_LEFT), TF_WHY_TURNED);
    assert_int_equal(judged(50, 0, TF_REGION_PERIORBITAL_RIGHT), 0);
    assert_int_equal(judged(50, 0, TF_REGION_NOSE_TIP), 0);
    assert_int_equal(judged(0, -40, TF_REGION_NOSTRILS), TF_WHY_TURNED);
    assert_int_equal(judged(0, -20, TF_REGION_NOSTRILS), 0);
}

static void what_hangs_on_doubtful_points_is_not_valid(void **state)
{
    static struct tf_face face;
    struct tf_region_stats own = {.valid = true};

    turn(0, 0, 0, face.points);
    for (int i = 0; i < TF_REGIONS; i++)
        face.regions[i] = (struct tf_region_stats){.valid = true};
    face.regions[TF_REGION_CHIN] = (struct tf_region_stats){.why = TF_WHY_OUTSIDE};
    for (int k = 36; k < 42; k++)
        face.points[k].confidence = 0.2f;
    face.points[57].confidence = face.points[8].confidence = NAN;
    tf_face_judge(&face, false);
    assert_int_equal(face.regions[TF_REGION_PERIORBITAL_RIGHT].why, TF_WHY_DOUBTFUL);
    assert_int_equal(face.regions[TF_REGION_CANTHUS_RIGHT].why, TF_WHY_DOUBTFUL);
    assert_false(face.regions[TF_REGION_CANTHUS_RIGHT].valid);
    assert_int_equal(face.regions[TF_REGION_PERIORBITAL_LEFT].why, 0);
    assert_true(face.regions[TF_REGION_PERIORBITAL_LEFT].valid);
    assert_int_equal(face.regions[TF_REGION_CHIN].why, TF_WHY_OUTSIDE | TF_WHY_DOUBTFUL);
    tf_face_judge_own(&face, &own);
    assert_true(own.valid);
    for (int k = 42; k < 48; k++)
        face.points[k].confidence = 0.7f;
    tf_face_judge_own(&face, &own);
    assert_int_equal(own.why, TF_WHY_DOUBTFUL);
    assert_false(own.valid);
}

/* Mean and largest error of each angle over a moving subject, from its true points and as it is seen. */
static void the_subjects_pose_is_read(void **state)
{
    const struct tf_analyser_options options = {.models = TF_TEST_SHIPPED, .track = true};
    static struct tf_faces faces;
    double sum[2][3] = {{0}}, most[2][3] = {{0}}, signs[3] = {0}, sizes[2][3] = {{0}};
    unsigned frames = 0;

    for (int seed = 1; seed <= 3; seed++) {
        char url[96];
        const struct tf_source_options source_options = {
            .url = url, .pace = TF_PACE_FAST, .limit = 150, .frames = 4};
        struct tf_analyser *analyser = NULL;
        struct tf_source *source = NULL;
        struct tf_frame *frame;
        struct tf_error err = {0};
        struct tf_truth truth;

        snprintf(url, sizeof(url), "synthetic:seed=%d,noise=50,size=320x240,fps=5", seed);
        if (tf_analyser_create(&options, &analyser, &err) < 0 ||
            tf_source_open(&source_options, &source, &err) < 0 || tf_source_start(source, &err) < 0)
            fail_msg("%s", err.text);
        for (; tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME; tf_frame_unref(frame)) {
            int known = tf_source_truth(source, frame, &truth, 1);
            struct tf_point points[TF_POINTS];
            struct tf_pose pose[2];

            assert_int_equal(tf_analyser_process(analyser, frame, &faces), 0);
            if (known < 1 || faces.count == 0)
                continue;
            for (int k = 0; k < TF_POINTS; k++)
                points[k] = (struct tf_point){truth.points[k][0], truth.points[k][1], 1};
            pose[0] = tf_pose_fit(points);
            pose[1] = faces.faces[0].pose;
            frames++;
            for (int i = 0; i < 2; i++) {
                double is[3] = {(double)pose[i].yaw, (double)pose[i].pitch, (double)pose[i].roll};
                double was[3] = {(double)truth.yaw, (double)truth.pitch, (double)truth.roll};

                for (int k = 0; k < 3; k++) {
                    double error = fabs(is[k] - was[k]);

                    sum[i][k] += error;
                    most[i][k] = fmax(most[i][k], error);
                    if (i == 1) {
                        signs[k] += is[k] * was[k];
                        sizes[0][k] += is[k] * is[k];
                        sizes[1][k] += was[k] * was[k];
                    }
                }
            }
        }
        tf_source_close(source);
        tf_analyser_destroy(analyser);
    }
    assert_true(frames >= 400);
    for (int i = 0; i < 2; i++)
        print_message("pose from %s points, %u frames: mean (largest) error yaw %.1f (%.1f), pitch %.1f "
                      "(%.1f), roll %.1f (%.1f) degrees\n",
                      i ? "the network's" : "the true", frames, sum[i][0] / frames, most[i][0],
                      sum[i][1] / frames, most[i][1], sum[i][2] / frames, most[i][2]);
    print_message("correlation with the truth: yaw %.3f, pitch %.3f, roll %.3f\n",
                  signs[0] / sqrt(sizes[0][0] * sizes[1][0]), signs[1] / sqrt(sizes[0][1] * sizes[1][1]),
                  signs[2] / sqrt(sizes[0][2] * sizes[1][2]));
    for (int k = 0; k < 3; k++) {
        assert_true(sum[0][k] / frames < 2.5);
        assert_true(sum[1][k] / frames < 5); /* the networks see this subject less turned than it is */
    }
    assert_true(signs[0] / sqrt(sizes[0][0] * sizes[1][0]) > 0.95);
    assert_true(signs[2] / sqrt(sizes[0][2] * sizes[1][2]) > 0.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(angles_have_their_signs),
        cmocka_unit_test(far_turns_are_far),
        cmocka_unit_test(size_place_and_side_do_not_matter),
        cmocka_unit_test(a_doubtful_point_counts_less),
        cmocka_unit_test(what_is_no_face_has_no_pose),
        cmocka_unit_test(what_is_turned_away_is_not_valid),
        cmocka_unit_test(what_hangs_on_doubtful_points_is_not_valid),
        cmocka_unit_test(the_subjects_pose_is_read),
    };

    return cmocka_run_group_tests_name("inference face pose", tests, NULL, NULL);
}
