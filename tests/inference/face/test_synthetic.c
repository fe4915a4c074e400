/*
 * The shipped networks on the synthetic subject, whose points are known: found at once, steady, quiet when
 * still, prompt when moving, and nothing seen where nobody is. Prints the figures that docs/landmarks.md
 * quotes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "capture/source.h"
#include "inference/face/face.h"

struct figures {
    unsigned frames, seen, largest_id, faces;
    double error;         /* mean distance of the raw points, % of the outer eye corners' distance */
    double raw, filtered; /* mean over the points of the standard deviation of (point - truth), % */
    double lag;           /* frames that the filtered points are behind the raw ones */
};

struct sums {
    double x, y, xx, yy;
};

static double deviation(const struct sums *s, unsigned n)
{
    double x = s->x / n, y = s->y / n;

    return sqrt(fmax(s->xx / n - x * x, 0) + fmax(s->yy / n - y * y, 0));
}

static void add(struct sums *s, double x, double y)
{
    s->x += x;
    s->y += y;
    s->xx += x * x;
    s->yy += y * y;
}

static struct figures play(const char *url, uint64_t frames)
{
    const struct tf_analyser_options options = {.models = TF_TEST_SHIPPED, .track = true, .filter = true};
    const struct tf_source_options source_options = {
        .url = url, .pace = TF_PACE_FAST, .limit = frames, .frames = 4};
    static struct sums raw[TF_POINTS], filtered[TF_POINTS];
    static struct tf_faces faces;
    struct tf_analyser *analyser = NULL;
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    struct tf_truth truth, before = {0};
    struct tf_error err = {0};
    struct figures f = {0};
    unsigned measured = 0;
    double eyes = 1, along = 0, speed = 0;

    memset(raw, 0, sizeof(raw));
    memset(filtered, 0, sizeof(filtered));
    if (tf_analyser_create(&options, &analyser, &err) < 0 ||
        tf_source_open(&source_options, &source, &err) < 0 || tf_source_start(source, &err) < 0)
        fail_msg("%s", err.text);
    for (; tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME; tf_frame_unref(frame), f.frames++) {
        int known = tf_source_truth(source, frame, &truth, 1);

        assert_int_equal(tf_analyser_process(analyser, frame, &faces), 0);
        f.faces += faces.count;
        if (known < 1 || faces.count == 0)
            continue;
        const struct tf_face *face = &faces.faces[0];
        eyes = hypot((double)truth.points[45][0] - truth.points[36][0],
                     (double)truth.points[45][1] - truth.points[36][1]);
        f.seen++;
        f.largest_id = face->id > f.largest_id ? face->id : f.largest_id;
        for (int k = 0; k < TF_POINTS; k++) {
            const struct tf_point *p = &face->points[k], *q = &face->points_filtered[k];
            double tx = truth.points[k][0], ty = truth.points[k][1];
            double vx = tx - before.points[k][0], vy = ty - before.points[k][1];

            f.error += hypot(p->x - tx, p->y - ty) / eyes / TF_POINTS;
            if (f.frames < 30)
                continue;
            add(&raw[k], p->x - tx, p->y - ty);
            add(&filtered[k], q->x - tx, q->y - ty);
            /* Only where the point moves: what is behind along its way, in its way per frame. */
            if (hypot(vx, vy) > 0.01 * eyes) {
                along += ((double)p->x - q->x) * vx + ((double)p->y - q->y) * vy;
                speed += vx * vx + vy * vy;
            }
        }
        measured += f.frames >= 30;
        before = truth;
    }
    for (int k = 0; k < TF_POINTS && measured > 0; k++) {
        f.raw += 100 * deviation(&raw[k], measured) / eyes / TF_POINTS;
        f.filtered += 100 * deviation(&filtered[k], measured) / eyes / TF_POINTS;
    }
    f.error *= f.seen > 0 ? 100.0 / f.seen : 0;
    f.lag = speed > 0 ? along / speed : 0;
    print_message("%s: seen in %u of %u frames, error %.2f %%, deviation raw %.2f %% filtered %.2f %%, lag "
                  "%.2f frames\n",
                  url, f.seen, f.frames, f.error, f.raw, f.filtered, f.lag);
    tf_source_close(source);
    tf_analyser_destroy(analyser);
    return f;
}

static void a_still_face_is_quiet(void **state)
{
    static const char *const urls[] = {"synthetic:still=1,noise=50,size=640x512,fps=30",
                                       "synthetic:still=1,noise=50,size=160x120,fps=9"};

    for (int i = 0; i < 2; i++) {
        struct figures f = play(urls[i], 200);

        assert_int_equal(f.seen, f.frames);
        assert_int_equal(f.largest_id, 1);
        assert_true(f.filtered < 0.5);
        assert_true(f.filtered < f.raw);
    }
}

static void a_moving_face_is_followed_without_delay(void **state)
{
    struct figures f = play("synthetic:noise=50,size=640x512,fps=30", 300);

    assert_true(f.seen >= f.frames * 98 / 100);
    assert_int_equal(f.largest_id, 1);
    assert_true(f.error < 10);
    assert_true(f.lag > 0 && f.lag < 1);
    f = play("synthetic:noise=50,size=160x120,fps=9,seed=4", 120);
    assert_true(f.seen >= f.frames * 95 / 100);
    assert_true(f.lag < 1);
}

static void glasses_do_not_hide_a_face(void **state)
{
    struct figures f = play("synthetic:glasses=1,noise=50,size=320x256,fps=30", 100);

    assert_true(f.seen >= f.frames * 95 / 100);
    assert_true(f.error < 12);
}

static void nobody_is_nobody(void **state)
{
    struct figures f = play("synthetic:empty=1,noise=50,size=320x256,fps=30", 150);

    assert_int_equal(f.frames, 150);
    assert_int_equal(f.faces, 0);
}

static int shipped(void **state)
{
    if (access(TF_TEST_SHIPPED "/landmarks68.onnx", R_OK) == 0)
        return 0;
    print_message("no networks in " TF_TEST_SHIPPED "\n");
    return -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_still_face_is_quiet),
        cmocka_unit_test(a_moving_face_is_followed_without_delay),
        cmocka_unit_test(glasses_do_not_hide_a_face),
        cmocka_unit_test(nobody_is_nobody),
    };

    return cmocka_run_group_tests_name("inference face: shipped networks", tests, shipped, NULL);
}
