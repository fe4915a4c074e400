/*
 * Confidences that the shipped network's calibration makes: lower for what is no usual face or hard to see,
 * whatever the tracker goes by; and a calibration that does not fit is refused.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/count.h"
#include "capture/source.h"
#include "capture/synthetic.h"
#include "inference/face/heatmap.h"

static const char model[] = TF_TEST_SHIPPED "/landmarks68.onnx";

/* The shipped file with the bytes after a metadata key's value's beginning changed. */
static void expect_refusal(const char *key, const char *change, const char *message)
{
    char path[] = "/tmp/test-calibration-XXXXXX";
    struct tf_landmarks *l = NULL;
    struct tf_error err = {0};
    FILE *in = fopen(model, "rb");
    int fd = mkstemp(path);

    assert_non_null(in);
    assert_true(fd >= 0);
    fseek(in, 0, SEEK_END);
    size_t size = (size_t)ftell(in);
    char *bytes = malloc(size);
    rewind(in);
    assert_int_equal(fread(bytes, 1, size, in), size);
    fclose(in);
    /* The key's field, then tag and length of the value. */
    char *at = memmem(bytes, size, key, strlen(key));
    assert_non_null(at);
    at += strlen(key) + 2;
    while (at[-1] & 0x80)
        at++;
    memcpy(at, change, strlen(change));
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    free(bytes);
    assert_int_equal(tf_landmarks_open(path, 1, NULL, &l, &err), -EINVAL);
    if (!strstr(err.text, message))
        fail_msg("'%s' does not say '%s'", err.text, message);
    unlink(path);
}

static void what_does_not_fit_is_refused(void **state)
{
    expect_refusal("tf.confidence.shape", "x", "tf.confidence.shape: not 136 numbers");
    expect_refusal("tf.confidence.shape", "9e9 ", "tf.confidence.shape: not 136 numbers");
    expect_refusal("tf.confidence.shape", "    ", "tf.confidence.shape: not 136 numbers");
    expect_refusal("tf.confidence.once", "nan ", "tf.confidence.once: not 68 + 12 numbers");
    expect_refusal("tf.confidence.twice", "1 1 ", "tf.confidence.twice: not 68 + 12 numbers");
}

static float mean_confidence(const struct tf_point *points, int first, int count)
{
    float sum = 0;

    for (int k = first; k < first + count; k++) {
        assert_true(points[k].confidence >= 0 && points[k].confidence <= 1);
        sum += points[k].confidence / (float)count;
    }
    return sum;
}

/* The points of the synthetic subject with clues as of a good reading; `lift` draws nose, mouth and chin up
 * by so many eye distances. */
static float judged(const struct tf_landmarks *l, float lift, float apart, bool twice)
{
    struct tf_point points[TF_POINTS];
    struct tf_clues clues;
    float face[TF_CLUES + 2];

    for (int k = 0; k < TF_POINTS; k++) {
        float y = tf_subject_points[k][1];

        points[k] =
            (struct tf_point){100 + 60 * tf_subject_points[k][0], 100 + 60 * (y > 0.3f ? y - lift : y), 0};
        clues.of[TF_CLUE_FIRM][k] = 3;
        clues.of[TF_CLUE_SPREAD][k] = -0.5f;
        clues.of[TF_CLUE_SPLIT][k] = apart;
        clues.of[TF_CLUE_MIRROR][k] = apart;
    }
    assert_true(tf_calibration_clues(&l->calibration, points, &clues, face));
    tf_calibration_apply(&l->calibration, twice, &clues, face, points);
    return mean_confidence(points, 0, TF_POINTS);
}

static void unusual_faces_are_less_sure(void **state)
{
    struct tf_landmarks *l = NULL;
    struct tf_error err = {0};

    if (tf_landmarks_open(model, 1, NULL, &l, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(l->calibration.known);
    for (int twice = 0; twice <= 1; twice++) {
        float usual = judged(l, 0, 0.5f, twice);

        assert_true(usual > 0.5f);
        assert_true(judged(l, 0.4f, 0.5f, twice) < usual);
        assert_true(judged(l, 0, 6, twice) < usual);
    }
    struct tf_point same[TF_POINTS] = {{0}};
    struct tf_clues clues = {{{0}}};
    float face[TF_CLUES + 2];
    assert_false(tf_calibration_clues(&l->calibration, same, &clues, face));
    tf_landmarks_close(l);
}

static float confidence_of(const char *url, enum tf_mirror mirror, int clue, float *score)
{
    const struct tf_analyser_options options = {
        .models = TF_TEST_SHIPPED, .track = true, .mirror = mirror, .clue = clue};
    const struct tf_source_options source_options = {
        .url = url, .pace = TF_PACE_FAST, .limit = 20, .frames = 4};
    static struct tf_faces faces;
    struct tf_analyser *analyser = NULL;
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    struct tf_error err = {0};
    float sum = 0;
    unsigned seen = 0;

    *score = 0;
    if (tf_analyser_create(&options, &analyser, &err) < 0 ||
        tf_source_open(&source_options, &source, &err) < 0 || tf_source_start(source, &err) < 0)
        fail_msg("%s", err.text);
    for (; tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME; tf_frame_unref(frame)) {
        assert_int_equal(tf_analyser_process(analyser, frame, &faces), 0);
        if (faces.count == 0)
            continue;
        for (int k = 0; k < TF_POINTS; k++)
            sum += faces.faces[0].points[k].confidence / TF_POINTS;
        *score += faces.faces[0].score;
        seen++;
    }
    assert_true(seen >= 15);
    tf_source_close(source);
    tf_analyser_destroy(analyser);
    *score /= (float)seen;
    return sum / (float)seen;
}

static void noise_and_smallness_cost_confidence(void **state)
{
    static const enum tf_mirror mirrors[] = {TF_MIRROR_NO, TF_MIRROR_YES};
    float score, clear, noisy, small;

    for (size_t i = 0; i < TF_COUNT(mirrors); i++) {
        clear = confidence_of("synthetic:still=1,size=320x240,noise=30,seed=2", mirrors[i], 0, &score);
        assert_true(fabsf(clear - score) <
                    0.01f); /* a face's score is its points' mean, from the first frame */
        noisy = confidence_of("synthetic:still=1,size=320x240,noise=1500,seed=2", mirrors[i], 0, &score);
        small =
            confidence_of("synthetic:still=1,size=160x120,scale=0.5,noise=30,seed=2", mirrors[i], 0, &score);
        print_message("mirror %s: clear %.2f, noisy %.2f, small %.2f\n", tf_mirror_name(mirrors[i]),
                      (double)clear, (double)noisy, (double)small);
        assert_true(clear > 0.6f);
        assert_true(noisy < clear - 0.05f && small < clear);
    }
    /* A clue instead, for who fits anew: logarithms of distances are below 0. */
    assert_true(confidence_of("synthetic:still=1,size=320x240,noise=30,seed=2", TF_MIRROR_NO,
                              1 + TF_CLUE_SHAPE, &score) < -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(unusual_faces_are_less_sure),
        cmocka_unit_test(noise_and_smallness_cost_confidence),
    };

    return cmocka_run_group_tests_name("inference face calibration", tests, NULL, NULL);
}
