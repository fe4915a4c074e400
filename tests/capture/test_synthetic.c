/* The synthetic subject: known points and temperatures, faults on demand. */
#include "base/count.h"
#include "common.h"

#include <errno.h>
#include <pthread.h>

static struct tf_source *fast(const char *url)
{
    return open_source(&(struct tf_source_options){.url = url, .pace = TF_PACE_FAST});
}

static uint64_t hash(const struct tf_frame *f)
{
    uint64_t h = 14695981039346656037ull;
    size_t bytes = f->pixel == TF_PIXEL_U16 ? 2 : 1;

    for (unsigned y = 0; y < f->height; y++)
        for (size_t x = 0; x < f->width * bytes; x++)
            h = (h ^ f->plane[0][(size_t)y * f->stride[0] + x]) * 1099511628211ull;
    return h;
}

static void hashes_of(const char *url, int n, uint64_t *hashes)
{
    struct tf_source *s = fast(url);

    for (int i = 0; i < n; i++) {
        struct tf_frame *f = next_frame(s);

        hashes[i] = hash(f);
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static float mean_c(const struct tf_frame *f, float x, float y, float radius)
{
    double sum = 0;
    int n = 0;

    for (int j = (int)(y - radius); j <= (int)(y + radius) + 1; j++)
        for (int i = (int)(x - radius); i <= (int)(x + radius) + 1; i++)
            if (i >= 0 && j >= 0 && i < f->width && j < f->height &&
                (i - x) * (i - x) + (j - y) * (j - y) <= radius * radius) {
                sum += value_at(f, (unsigned)i, (unsigned)j) * (double)f->radiometry.scale +
                       (double)f->radiometry.offset;
                n++;
            }
    assert_true(n > 0);
    return (float)(sum / n);
}

static void same_seed_same_pixels(void **state)
{
    uint64_t a[5], b[5], c[5];

    hashes_of("synthetic:size=160x120,seed=4", 5, a);
    hashes_of("synthetic:size=160x120,seed=4", 5, b);
    hashes_of("synthetic:size=160x120,seed=5", 5, c);
    assert_memory_equal(a, b, sizeof(a));
    for (int i = 0; i < 5; i++) {
        assert_int_not_equal(a[i], c[i]);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(a[i], a[k]);
    }
}

static void pixels_depend_on_the_number_only(void **state)
{
    uint64_t all[9];
    struct tf_source *s = fast("synthetic:size=160x120,seed=4,drop=3");

    hashes_of("synthetic:size=160x120,seed=4", 9, all);
    for (int i = 0; i < 6; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->number, i);
        assert_int_equal(f->sequence, i + i / 2);
        assert_int_equal(hash(f), all[f->sequence]);
        assert_int_equal((f->flags & TF_FLAG_GAP) != 0, i && i % 2 == 0);
        assert_int_equal(f->dropped_driver, i / 2);
        tf_frame_unref(f);
    }
    assert_int_equal(tf_source_drops(s).driver, 2);
    assert_int_equal(tf_source_drops(s).capture, 0);
    tf_source_close(s);
}

static void truth_is_in_the_picture(void **state)
{
    struct tf_source *s = fast("synthetic:size=640x512,fps=10,noise=0,fpn=0,breathing=0");

    for (int i = 0; i < 200; i++) {
        struct tf_frame *f = next_frame(s);
        struct tf_truth t[4];
        float unit, canthus;

        if (i % 20 == 0) {
            assert_int_equal(tf_source_truth(s, f, t, 4), 1);
            unit = hypotf(t[0].points[45][0] - t[0].points[36][0], t[0].points[45][1] - t[0].points[36][1]);
            assert_true(unit > 80 && unit < 130);
            for (int k = 0; k < 68; k++)
                assert_true(t[0].points[k][0] > 0 && t[0].points[k][0] < 639 && t[0].points[k][1] > 0 &&
                            t[0].points[k][1] < 511);
            assert_float_equal(mean_c(f, t[0].points[30][0], t[0].points[30][1], 0.06f * unit),
                               t[0].nose_tip_c, 0.25);
            canthus = mean_c(f, t[0].points[39][0], t[0].points[39][1], 0.04f * unit);
            assert_float_equal(canthus, t[0].canthus_c, 0.3);
            /* The warmest spot is at the corner, not beside it. */
            assert_true(canthus >
                        mean_c(f, t[0].points[39][0] - 0.2f * unit, t[0].points[39][1], 0.04f * unit) + 0.5f);
            assert_true(canthus >
                        mean_c(f, t[0].points[39][0], t[0].points[39][1] + 0.2f * unit, 0.04f * unit) + 0.5f);
            assert_true(t[0].nose_tip_c < t[0].forehead_c - 1 && t[0].nose_tip_c < t[0].cheek_c);
            assert_true(t[0].canthus_c > t[0].forehead_c);
            /* Beyond the jaw it is cold, within it is warm. */
            assert_true(mean_c(f, 1.3f * t[0].points[2][0] - 0.3f * t[0].points[14][0],
                               1.3f * t[0].points[2][1] - 0.3f * t[0].points[14][1], 2) < 28);
            assert_true(mean_c(f, 0.85f * t[0].points[2][0] + 0.15f * t[0].points[14][0],
                               0.85f * t[0].points[2][1] + 0.15f * t[0].points[14][1], 2) > 31);
        }
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static void glasses_are_cold_and_an_empty_room_too(void **state)
{
    struct tf_source *s = fast("synthetic:glasses=1,noise=0");
    struct tf_frame *f = next_frame(s);
    struct tf_truth t;
    unsigned warm = 0;

    assert_int_equal(tf_source_truth(s, f, &t, 1), 1);
    assert_true(t.glasses);
    for (int eye = 0; eye < 2; eye++) {
        float x = 0, y = 0;

        for (int k = 0; k < 6; k++) {
            x += t.points[36 + 6 * eye + k][0] / 6;
            y += t.points[36 + 6 * eye + k][1] / 6;
        }
        assert_true(mean_c(f, x, y, 4) < 28);
    }
    tf_frame_unref(f);
    tf_source_close(s);

    s = fast("synthetic:empty=1");
    f = next_frame(s);
    assert_int_equal(tf_source_truth(s, f, &t, 1), 0);
    for (unsigned y = 0; y < f->height; y++)
        for (unsigned x = 0; x < f->width; x++)
            warm += value_at(f, x, y) * f->radiometry.scale + f->radiometry.offset > 29;
    assert_int_equal(warm, 0);
    tf_frame_unref(f);
    tf_source_close(s);

    s = fast("synthetic:faces=3");
    f = next_frame(s);
    {
        struct tf_truth three[4];

        assert_int_equal(tf_source_truth(s, f, three, 4), 3);
        assert_int_equal(tf_source_truth(s, f, three, 2), 2);
        assert_true(three[0].points[30][0] < 213 && three[1].points[30][0] > 213 &&
                    three[1].points[30][0] < 427);
    }
    tf_frame_unref(f);
    tf_source_close(s);
}

static void nostrils_breathe_at_the_rate_asked_for(void **state)
{
    /* 30 breaths a minute at 10 frames a second: a breath is 20 frames. */
    struct tf_source *s = fast("synthetic:fps=10,breathing=30,noise=0,fpn=0,still=1");
    float c[60], low = 100, high = 0;

    for (int i = 0; i < 60; i++) {
        struct tf_frame *f = next_frame(s);
        struct tf_truth t;

        tf_source_truth(s, f, &t, 1);
        c[i] = mean_c(f, t.points[33][0], t.points[33][1] - 4, 8);
        low = fminf(low, c[i]);
        high = fmaxf(high, c[i]);
        tf_frame_unref(f);
    }
    tf_source_close(s);
    assert_true(high - low > 0.3f && high - low < 1.2f);
    for (int i = 0; i < 40; i++)
        assert_float_equal(c[i], c[i + 20], 0.02);
    for (int i = 0; i < 60; i++) /* half a breath away it is on the other side */
        if (c[i] > high - 0.05f && i + 10 < 60)
            assert_true(c[i + 10] < low + 0.15f);
}

/* By rotate and flip, or mounted so whatever rotate says. */
static void turned_native_picture_is_upright_after_rotation(void **state)
{
    static const uint16_t turns[] = {0, 90, 180, 270};

    for (int k = 0; k < 16; k++) {
        uint16_t turn = turns[k % 4];
        bool flip = k / 4 % 2, mounted = k >= 8;
        struct tf_source_options o = {.url = "synthetic:size=160x120", .pace = TF_PACE_FAST};
        struct tf_source *upright = fast(turn % 180 ? "synthetic:size=120x160" : "synthetic:size=160x120");
        struct tf_source *turned;
        struct tf_frame *a, *b;
        struct tf_truth ta, tb;
        char url[80];

        snprintf(url, sizeof(url), "synthetic:size=160x120,mounted=%u,mirrored=%d", turn, flip);
        if (mounted) {
            o.url = url;
        } else {
            o.rotate = turn;
            o.flip = flip;
        }
        turned = open_source(&o);
        a = next_frame(upright);
        b = next_frame(turned);
        assert_int_equal(b->rotate, mounted ? 0 : turn);
        assert_int_equal(b->flip, !mounted && flip);
        assert_int_equal(b->width, 160);
        for (unsigned y = 0; y < a->height; y++)
            for (unsigned x = 0; x < a->width; x++) {
                unsigned ux = flip ? a->width - 1u - x : x;
                unsigned nx = turn == 90 ? y : turn == 180 ? 159 - ux : turn == 270 ? 159 - y : ux;
                unsigned ny = turn == 90 ? 119 - ux : turn == 180 ? 119 - y : turn == 270 ? ux : y;

                if (value_at(a, x, y) != value_at(b, nx, ny))
                    fail_msg("%u degrees: upright %u,%u is not native %u,%u", turn, x, y, nx, ny);
            }
        tf_source_truth(upright, a, &ta, 1);
        tf_source_truth(turned, b, &tb, 1);
        assert_memory_equal(ta.points, tb.points, sizeof(ta.points));
        tf_frame_unref(a);
        tf_frame_unref(b);
        tf_source_turn(turned, 270);
        b = next_frame(turned);
        assert_int_equal(b->rotate, 270);
        tf_frame_unref(b);
        tf_source_close(upright);
        tf_source_close(turned);
    }
}

static void kinds_have_their_rows(void **state)
{
    struct tf_source *s = fast("synthetic:kind=visible,size=320x256");
    struct tf_frame *f = next_frame(s);

    assert_int_equal(f->pixel, TF_PIXEL_U8);
    assert_false(f->radiometry.valid);
    assert_string_equal(tf_source_info(s)->format->name, "grey");
    tf_frame_unref(f);
    tf_source_close(s);

    s = fast("synthetic:kind=counts");
    f = next_frame(s);
    assert_int_equal(f->pixel, TF_PIXEL_U16);
    assert_false(f->radiometry.valid);
    assert_true(value_at(f, 320, 200) > 7000 && value_at(f, 320, 200) < 9000);
    tf_frame_unref(f);
    tf_source_close(s);

    s = open_source(
        &(struct tf_source_options){.url = "synthetic", .format = "lepton3-y16", .pace = TF_PACE_FAST});
    f = next_frame(s);
    assert_int_equal(f->width, 160);
    assert_int_equal(f->height, 120);
    assert_true(f->radiometry.valid);
    tf_frame_unref(f);
    tf_source_close(s);
}

static void wrong_addresses_say_what_is_wrong(void **state)
{
    static const struct {
        const char *url;
        const char *const words[4];
    } cases[] = {
        {"synthetic:sise=640x480", {"unknown key \"sise\"", "size", "breathing", "glasses"}},
        {"synthetic:seed", {"unknown key \"seed\""}},
        {"synthetic:,", {"empty setting"}},
        {"synthetic:size=640", {"size=640", "WIDTHxHEIGHT"}},
        {"synthetic:size=640x", {"WIDTHxHEIGHT"}},
        {"synthetic:size=x480", {"WIDTHxHEIGHT"}},
        {"synthetic:size=640x480x3", {"WIDTHxHEIGHT"}},
        {"synthetic:size=16x16", {"WIDTHxHEIGHT"}},
        {"synthetic:size=99999x99999", {"WIDTHxHEIGHT"}},
        {"synthetic:size=-640x480", {"WIDTHxHEIGHT"}},
        {"synthetic:fps=0", {"fps=0"}},
        {"synthetic:fps=nan", {"fps=nan"}},
        {"synthetic:fps=30fps", {"fps=30fps"}},
        {"synthetic:seed=1.5", {"whole number"}},
        {"synthetic:faces=9", {"faces=9", "0 to 4"}},
        {"synthetic:kind=xray", {"kind=xray", "thermal"}},
        {"synthetic:ffc=1", {"ffc=1"}},
        {"synthetic:drop=1", {"drop=1"}},
        {"synthetic:noise=99999999999999999999999999999999999999999999999999999999999999999999",
         {"unknown key"}},
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        const char *words[5] = {0};

        memcpy(words, cases[i].words, sizeof(cases[i].words));
        assert_open_fails(&(struct tf_source_options){.url = cases[i].url}, -EINVAL, words);
    }
    assert_open_fails(
        &(struct tf_source_options){.url = "synthetic:size=320x240", .width = 640, .height = 480}, -EINVAL,
        WORDS("320x240", "640x480"));
    assert_open_fails(&(struct tf_source_options){.url = "synthetic", .format = "lepton9"}, -EINVAL,
                      WORDS("lepton9", "lepton3-y16", "visible"));
    assert_open_fails(&(struct tf_source_options){.url = "synthetic", .format = "grey"}, -EINVAL,
                      WORDS("grey"));
    assert_open_fails(
        &(struct tf_source_options){.url = "synthetic", .width = 640, .height = 480, .format = "lepton3-y16"},
        -EINVAL, WORDS("lepton3-y16", "160x120", "640x480"));
    assert_open_fails(&(struct tf_source_options){.url = "synthetic", .rotate = 45}, -EINVAL, WORDS("45"));
    assert_open_fails(&(struct tf_source_options){.url = "synthetic:mounted=45"}, -EINVAL,
                      WORDS("mounted=45"));
    assert_open_fails(&(struct tf_source_options){.url = ""}, -EINVAL, WORDS("no source"));
}

static void shutter_calibration_freezes_the_picture(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){
        .url = "synthetic:size=160x120,fps=10,ffc=5", .pace = TF_PACE_FAST, .settle_ns = 1500000000u});
    uint64_t last = 0, frozen = 0;

    for (int i = 0; i < 80; i++) {
        struct tf_frame *f = next_frame(s);
        uint32_t expected = i >= 30 && i < 50   ? TF_FLAG_FFC_IMMINENT
                            : i >= 50 && i < 60 ? TF_FLAG_FFC
                            : i >= 60 && i < 74 ? TF_FLAG_FFC_SETTLING
                                                : 0;

        assert_int_equal(f->flags, expected);
        if (i == 49)
            frozen = hash(f);
        if (i >= 50 && i < 60)
            assert_int_equal(hash(f), frozen);
        else
            assert_int_not_equal(hash(f), last);
        last = hash(f);
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static void faults_can_be_asked_for(void **state)
{
    struct tf_source *s = fast("synthetic:size=64x64,fps=10,corrupt=4,gone=1");
    struct tf_frame *f;
    struct tf_error err = {0};
    uint64_t before;

    for (int i = 0; i < 10; i++) {
        f = next_frame(s);
        assert_int_equal((f->flags & TF_FLAG_CORRUPT) != 0, i % 4 == 3);
        tf_frame_unref(f);
    }
    assert_int_equal(tf_source_next(s, 100, &f, &err), TF_NEXT_GONE);
    assert_non_null(strstr(err.text, "gone"));
    tf_source_close(s);

    s = fast("synthetic:size=64x64,fps=10,stall=0.5");
    for (int i = 0; i < 5; i++)
        tf_frame_unref(next_frame(s));
    before = tf_now_ns();
    assert_int_equal(tf_source_next(s, 60, &f, &err), TF_NEXT_TIMEOUT);
    assert_true(tf_now_ns() - before >= 60000000u);
    tf_source_close(s);

    s = open_source(
        &(struct tf_source_options){.url = "synthetic:size=64x64", .pace = TF_PACE_FAST, .limit = 3});
    for (int i = 0; i < 3; i++)
        tf_frame_unref(next_frame(s));
    assert_int_equal(tf_source_next(s, 100, &f, &err), TF_NEXT_END);
    tf_source_close(s);
}

static void live_frames_come_when_they_are_due(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){.url = "synthetic:size=64x64,fps=100"});
    uint64_t start = tf_now_ns(), last = 0;

    assert_true(tf_source_info(s)->live);
    for (int i = 0; i < 20; i++) {
        struct tf_frame *f = next_frame(s);

        assert_true(f->t_mono_ns <= tf_now_ns());
        if (i && !(f->flags & TF_FLAG_GAP))
            assert_int_equal(f->t_mono_ns - last, 10000000u);
        last = f->t_mono_ns;
        assert_int_equal(f->stamp, TF_STAMP_DRIVER_EOF);
        tf_frame_unref(f);
    }
    assert_true(tf_now_ns() - start >= 195000000u);
    tf_source_close(s);
}

static void live_and_late_loses_frames_and_says_so(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){.url = "synthetic:size=64x64,fps=100"});
    struct tf_frame *f = next_frame(s);
    uint64_t sequence = f->sequence, lost;

    tf_frame_unref(f);
    tf_sleep_until_ns(tf_now_ns() + 200000000u);
    f = next_frame(s);
    lost = tf_source_drops(s).capture;
    assert_true(lost >= 10);
    assert_true(f->flags & TF_FLAG_GAP);
    assert_int_equal(f->number, 1);
    assert_int_equal(f->sequence, sequence + 1 + lost);
    assert_int_equal(tf_source_drops(s).driver, 0);
    tf_frame_unref(f);
    tf_source_close(s);
}

static void without_free_frames_live_loses_and_offline_waits(void **state)
{
    struct tf_source *s =
        open_source(&(struct tf_source_options){.url = "synthetic:size=64x64,fps=200", .frames = 2});
    struct tf_frame *a = next_frame(s), *b = next_frame(s), *f;
    struct tf_error err = {0};

    assert_int_equal(tf_source_next(s, 50, &f, &err), TF_NEXT_TIMEOUT);
    assert_true(tf_source_drops(s).capture >= 5);
    tf_frame_unref(a);
    f = next_frame(s);
    assert_true(f->flags & TF_FLAG_GAP);
    assert_int_equal(f->number, 2);
    tf_frame_unref(f);
    tf_frame_unref(b);
    tf_source_close(s);

    s = open_source(
        &(struct tf_source_options){.url = "synthetic:size=64x64", .frames = 2, .pace = TF_PACE_FAST});
    a = next_frame(s);
    b = next_frame(s);
    assert_int_equal(tf_source_next(s, 30, &f, &err), TF_NEXT_TIMEOUT);
    tf_frame_unref(a);
    f = next_frame(s);
    assert_int_equal(f->sequence, 2);
    assert_int_equal(tf_source_drops(s).capture, 0);
    tf_source_close(s); /* frames outlive their source */
    assert_int_equal(value_at(f, 5, 5), value_at(f, 5, 5));
    tf_frame_unref(f);
    tf_frame_unref(b);
}

static void *wake_soon(void *source)
{
    tf_sleep_until_ns(tf_now_ns() + 50000000u);
    tf_source_wake(source);
    return NULL;
}

static void a_wait_can_be_ended(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){.url = "synthetic:size=64x64,fps=0.1"});
    uint64_t before = tf_now_ns();
    struct tf_frame *f;
    struct tf_error err = {0};
    pthread_t thread;

    pthread_create(&thread, NULL, wake_soon, s);
    assert_int_equal(tf_source_next(s, -1, &f, &err), TF_NEXT_TIMEOUT);
    assert_true(tf_now_ns() - before < 5000000000ull);
    pthread_join(thread, NULL);
    assert_int_equal(tf_source_next(s, 0, &f, &err), TF_NEXT_TIMEOUT);
    tf_source_stop(s);
    assert_int_equal(tf_source_next(s, 0, &f, &err), TF_NEXT_ERROR);
    assert_non_null(strstr(err.text, "not started"));
    tf_source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_pixels),
        cmocka_unit_test(pixels_depend_on_the_number_only),
        cmocka_unit_test(truth_is_in_the_picture),
        cmocka_unit_test(glasses_are_cold_and_an_empty_room_too),
        cmocka_unit_test(nostrils_breathe_at_the_rate_asked_for),
        cmocka_unit_test(turned_native_picture_is_upright_after_rotation),
        cmocka_unit_test(kinds_have_their_rows),
        cmocka_unit_test(wrong_addresses_say_what_is_wrong),
        cmocka_unit_test(shutter_calibration_freezes_the_picture),
        cmocka_unit_test(faults_can_be_asked_for),
        cmocka_unit_test(live_frames_come_when_they_are_due),
        cmocka_unit_test(live_and_late_loses_frames_and_says_so),
        cmocka_unit_test(without_free_frames_live_loses_and_offline_waits),
        cmocka_unit_test(a_wait_can_be_ended),
    };

    return cmocka_run_group_tests_name("capture synthetic", tests, NULL, NULL);
}
