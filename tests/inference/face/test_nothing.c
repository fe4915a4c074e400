/*
 * Hardly a face where none is: the shipped networks on rooms, gardens and animals made by code, as cameras
 * with °C and without see them; and a face that steps in is reported within a fifth of a second, in warm
 * rooms too.
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

#include "base/clock.h"
#include "base/count.h"
#include "capture/source.h"
#include "inference/face/face.h"

#define WIDTH 160
#define HEIGHT 120
#define FRAMES 6
#define SEEDS 24

static float scene[HEIGHT][WIDTH]; /* °C */
static uint16_t pixels[HEIGHT][WIDTH];
static uint32_t state;

static float uniform(float lo, float hi)
{
    state = state * 1664525u + 1013904223u;
    return lo + (hi - lo) * (float)(state >> 8) / 16777216.0f;
}

/* About normal, of deviation 1. */
static float noise(void)
{
    return uniform(-1, 1) + uniform(-1, 1) + uniform(-1, 1);
}

static float soft(float inside)
{
    return 1 / (1 + expf(-2 * inside));
}

static void fill(float celsius, float across, float down)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            scene[y][x] = celsius + across * ((float)x / WIDTH - 0.5f) + down * ((float)y / HEIGHT - 0.5f);
}

/* A box or an oval of half sides rx, ry; `down`: how much warmer its lower edge is than its middle. */
static void body(float cx, float cy, float rx, float ry, bool oval, float celsius, float down)
{
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            float u = ((float)x - cx) / rx, v = ((float)y - cy) / ry;
            float in =
                oval ? (1 - hypotf(u, v)) * fminf(rx, ry) : fminf((1 - fabsf(u)) * rx, (1 - fabsf(v)) * ry);

            scene[y][x] += soft(in) * (celsius + down * fmaxf(-1, fminf(1, v)) - scene[y][x]);
        }
    }
}

static void rough(float from, float celsius, int cells)
{
    static float grid[64][64];

    for (int j = 0; j <= cells; j++)
        for (int i = 0; i <= cells; i++)
            grid[j][i] = noise();
    for (int y = 0; y < HEIGHT; y++) {
        float v = (float)y / HEIGHT * (float)cells, fv = v - floorf(v);
        const float *a = grid[(int)v], *b = grid[(int)v + 1];

        for (int x = 0; x < WIDTH; x++) {
            float u = (float)x / WIDTH * (float)cells, fu = u - floorf(u);
            int i = (int)u;
            float value =
                (a[i] * (1 - fu) + a[i + 1] * fu) * (1 - fv) + (b[i] * (1 - fu) + b[i + 1] * fu) * fv;

            scene[y][x] += soft((float)y - from) * celsius * value;
        }
    }
}

static void wall(void)
{
    fill(uniform(20, 29), uniform(-1.5f, 1.5f), uniform(-1, 1));
}

/* Darker or warmer than the wall, with panes, a handle and things behind it. */
static void door(void)
{
    float cx = uniform(30, 130), w = uniform(14, 34), top = uniform(5, 40),
          at = scene[60][80] + uniform(-6, 3);

    wall();
    body(cx, (top + HEIGHT) / 2, w + 2, (HEIGHT - top) / 2, false, scene[60][80] + uniform(-1, 1), 0);
    body(cx, (top + HEIGHT) / 2 + 2, w, (HEIGHT - top) / 2, false, at, uniform(-1, 1));
    for (int i = 0; i < 6; i++)
        body(cx + uniform(-w, w), uniform(top, HEIGHT), uniform(1, 9), uniform(1, 7), uniform(0, 1) < 0.5f,
             at + uniform(-1.5f, 1.5f), 0);
}

static void window(void)
{
    float cx = uniform(40, 120), cy = uniform(35, 80), w = uniform(15, 35), h = uniform(15, 30),
          at = uniform(2, 18);

    wall();
    body(cx, cy, w, h, false, at, uniform(-2, 2));
    body(cx, cy, 1.5f, h, false, scene[2][2], 0);
    body(cx, cy + uniform(-8, 8), w, 1.5f, false, scene[2][2], 0);
    for (int i = 0; i < 4; i++)
        body(cx + uniform(-w, w), cy + uniform(-h, h), uniform(2, 8), uniform(2, 8), true,
             at + uniform(-4, 6), 0);
}

static void radiator(void)
{
    float cx = uniform(50, 110), cy = uniform(60, 95), w = uniform(18, 45), step = uniform(4, 9),
          at = uniform(32, 55);

    wall();
    body(cx, cy, w, uniform(14, 25), false, at, uniform(-3, 3));
    for (float x = cx - w; x < cx + w; x += step)
        body(x, cy, step / 4, 16, false, at - uniform(2, 8), 0);
}

static void cup(void)
{
    float cx = uniform(30, 130), cy = uniform(30, 90), r = uniform(9, 30), at = uniform(30, 60);

    wall();
    body(cx, cy, r, r * uniform(0.9f, 1.5f), uniform(0, 1) < 0.4f, at, uniform(-3, 3));
    body(cx, cy - r, r * 0.85f, r * 0.25f, true, at + uniform(-8, 8), 0);
    body(cx + r * 1.2f, cy, r * 0.35f, r * 0.5f, true, at - uniform(2, 12), 0);
}

static void lamps_and_pipes(void)
{
    wall();
    for (int i = 0; i < 3; i++)
        body(uniform(0, WIDTH), 60, uniform(1, 5), HEIGHT, false, uniform(15, 60), 0);
    for (int i = 0; i < 3; i++)
        body(80, uniform(0, HEIGHT), WIDTH, uniform(1, 5), false, uniform(15, 45), 0);
    for (int i = 0; i < 3; i++)
        body(uniform(10, 150), uniform(10, 110), uniform(3, 14), uniform(3, 14), true, uniform(28, 90), 0);
}

static void sky(void)
{
    float horizon = uniform(30, 90);

    fill(uniform(-25, 5), 0, uniform(0, 10));
    body(80, horizon + 80, WIDTH, 80, false, uniform(12, 35), uniform(-3, 3));
    for (int i = 0; i < 4; i++)
        body(uniform(0, WIDTH), horizon, uniform(5, 25), uniform(5, 25), i % 2 == 0, uniform(5, 35), 2);
    rough(horizon, 1.5f, 40);
}

static void animal(void)
{
    float cx = uniform(40, 120), cy = uniform(40, 90), r = uniform(8, 26), at = uniform(24, 38),
          way = uniform(0, 1) < 0.5f ? 1 : -1;

    fill(uniform(5, 22), 1, uniform(-2, 2));
    rough(uniform(0, 60), 1, 30);
    body(cx, cy, r * 1.4f, r * 0.8f, true, at, uniform(-1.5f, 1.5f));
    body(cx + way * r * 1.4f, cy - r * 0.5f, r * 0.55f, r * 0.5f, true, at + 1, 0);
    body(cx + way * r * 1.3f, cy - r, r * 0.12f, r * 0.3f, true, at + 2, 0);
    body(cx + way * r * 1.6f, cy - r * 0.5f, r * 0.1f, r * 0.1f, true, at + 3, 0);
    for (int i = -1; i <= 1; i += 2)
        body(cx + (float)i * r * 0.8f, cy + r, r * 0.15f, r * 0.5f, true, at - 2, 0);
}

static void garden(void)
{
    fill(uniform(8, 20), uniform(-1, 1), uniform(-3, 3));
    rough(uniform(20, 70), 0.6f, 60);
    rough(uniform(20, 70), 0.8f, 24);
    rough(uniform(0, 60), 0.8f, 9);
    for (int i = 0; i < 5; i++)
        body(uniform(0, WIDTH), uniform(0, HEIGHT), uniform(2, 14), uniform(2, 30), i % 2 == 0,
             uniform(8, 22), 1);
}

/* A dressed person seen from behind, or without a head in the picture: warm, and no face. */
static void clothes(void)
{
    float cx = uniform(40, 120), at = uniform(26, 31);

    wall();
    body(cx, uniform(80, 110), uniform(25, 45), uniform(50, 80), true, at, uniform(-1, 1));
    rough(uniform(0, 40), 0.3f, 12);
    for (int i = 0; i < 5; i++)
        body(cx + uniform(-25, 25), uniform(30, 110), uniform(1, 8), uniform(1, 16), i % 2 == 0,
             at + uniform(-3, 3), 0);
}

static const struct {
    const char *name;
    void (*make)(void);
} scenes[] = {{"door", door},
              {"window", window},
              {"radiator", radiator},
              {"cup", cup},
              {"lamps and pipes", lamps_and_pipes},
              {"sky", sky},
              {"animal", animal},
              {"garden", garden},
              {"clothes", clothes}};

static struct tf_analyser *open_analyser(void)
{
    const struct tf_analyser_options options = {.models = TF_TEST_SHIPPED, .track = true};
    struct tf_analyser *analyser = NULL;
    struct tf_error err = {0};

    if (access(TF_TEST_SHIPPED "/landmarks68.onnx", R_OK) != 0)
        fail_msg("no networks in " TF_TEST_SHIPPED);
    if (tf_analyser_create(&options, &analyser, &err) < 0)
        fail_msg("%s", err.text);
    return analyser;
}

/* Faces that are reported in FRAMES frames of the scene as it is now, at 9 frames/s, with a Lepton's noise.
 */
static uint32_t reported(struct tf_analyser *analyser, bool celsius)
{
    static struct tf_faces faces;
    struct tf_frame frame = {.plane = {(uint8_t *)pixels},
                             .stride = {WIDTH * 2},
                             .width = WIDTH,
                             .height = HEIGHT,
                             .pixel = TF_PIXEL_U16};
    uint32_t n = 0;

    if (celsius)
        frame.radiometry = (struct tf_radiometry){true, 0.01f, -273.15f};
    tf_analyser_reset(analyser);
    for (int i = 0; i < FRAMES; i++) {
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                pixels[y][x] = (uint16_t)lrintf((scene[y][x] + 0.05f * noise() + 273.15f) * 100);
        frame.t_mono_ns = TF_NS_PER_S + (uint64_t)i * 111111111ull;
        assert_int_equal(tf_analyser_process(analyser, &frame, &faces), 0);
        n += faces.count;
    }
    return n;
}

static void no_face_where_none_is(void **test_state)
{
    struct tf_analyser *analyser = open_analyser();
    uint32_t all = 0, frames = 0;

    for (size_t k = 0; k < TF_COUNT(scenes); k++) {
        for (uint32_t seed = 0; seed < SEEDS; seed++) {
            for (int celsius = 0; celsius < 2; celsius++) {
                state = seed * 7919 + (uint32_t)k * 104729 + 1;
                scenes[k].make();
                uint32_t n = reported(analyser, celsius);
                if (n > 0)
                    print_message("%s %u, %s: a face in %u of %d frames\n", scenes[k].name, seed,
                                  celsius ? "in °C" : "in counts", n, FRAMES);
                all += n;
                frames += FRAMES;
            }
        }
    }
    tf_analyser_destroy(analyser);
    /* Wanted: at most 3 in 1,000 frames. Without a second look it is 96. */
    assert_true(1000 * all <= 3 * frames);
}

/* Frames of the synthetic subject after one of an empty wall: how long until it is reported, seconds. */
static double until_reported(const char *url, bool counts, float warmer, float room)
{
    const struct tf_source_options options = {.url = url, .pace = TF_PACE_FAST, .limit = 60, .frames = 4};
    struct tf_analyser *analyser = open_analyser();
    static struct tf_faces faces;
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    struct tf_error err = {0};
    uint64_t first = 0;
    double ret = INFINITY;

    if (tf_source_open(&options, &source, &err) < 0 || tf_source_start(source, &err) < 0)
        fail_msg("%s", err.text);
    for (uint32_t n = 0; isinf(ret) && tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME; n++) {
        for (int y = 0; y < frame->height; y++) {
            uint16_t *row = (uint16_t *)(void *)(frame->plane[0] + (size_t)y * frame->stride[0]);

            for (int x = 0; x < frame->width; x++) {
                if (n < 5)
                    row[x] = (uint16_t)(29500 + row[x] % 8 + x);
                else if (room > 0 && row[x] < (uint16_t)((room + 273.15f) * 100))
                    row[x] = (uint16_t)((room + 273.15f) * 100 + (float)(row[x] % 16));
                row[x] = (uint16_t)(row[x] + lrintf(warmer * 100));
            }
        }
        if (counts)
            frame->radiometry = (struct tf_radiometry){0};
        if (n == 5)
            first = frame->t_mono_ns;
        assert_int_equal(tf_analyser_process(analyser, frame, &faces), 0);
        if (n < 5)
            assert_int_equal(faces.count, 0);
        else if (faces.count > 0)
            ret = (double)(frame->t_mono_ns - first) / 1e9;
        tf_frame_unref(frame);
    }
    tf_source_close(source);
    tf_analyser_destroy(analyser);
    return ret;
}

static void a_face_is_not_late(void **test_state)
{
    static const struct {
        const char *size, *pace;
        bool counts;
        float warmer, room;
    } cases[] = {
        {"160x120", "9", false, 0, 0},     {"160x120", "9", true, 0, 0},    {"320x256", "30", false, 0, 0},
        {"320x256", "60", true, 0, 0},     {"160x120", "9", false, -12, 0}, /* cold, as outdoors */
        {"160x120", "9", false, 2, 31.5f},                                  /* a room as warm as skin */
    };
    char url[128];

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        for (int seed = 1; seed <= 6; seed++) {
            snprintf(url, sizeof(url), "synthetic:noise=50,size=%s,fps=%s,seed=%d", cases[i].size,
                     cases[i].pace, seed);
            double late = until_reported(url, cases[i].counts, cases[i].warmer, cases[i].room);
            if (late > 0)
                print_message("%s%s, %+g °C: after %g s\n", url, cases[i].counts ? " in counts" : "",
                              (double)cases[i].warmer, late);
            assert_true(late < 0.2);
        }
    }
}

/* The shipped landmark network with some bytes of its metadata changed. */
static void expect_refusal(const char *from, const char *to, const char *word)
{
    static char bytes[4 << 20];
    char path[] = "/tmp/tf-nothing-XXXXXX";
    struct tf_analyser_options options = {.models = TF_TEST_SHIPPED, .landmarks = path, .track = true};
    struct tf_analyser *analyser = NULL;
    struct tf_error err = {0};
    FILE *file = fopen(TF_TEST_SHIPPED "/landmarks68.onnx", "rb");
    size_t size, at = 0;
    int fd = mkstemp(path);

    assert_non_null(file);
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    while (at + strlen(from) < size && memcmp(bytes + at, from, strlen(from)) != 0)
        at++;
    assert_true(at + strlen(from) < size && strlen(from) == strlen(to));
    memcpy(bytes + at, to, strlen(to));
    assert_true(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && close(fd) == 0);
    int r = tf_analyser_create(&options, &analyser, &err);
    unlink(path);
    assert_int_equal(r, -EINVAL);
    assert_null(analyser);
    if (!strstr(err.text, "tf.evidence") || !strstr(err.text, path) || !strstr(err.text, word))
        fail_msg("%s", err.text);
}

static void nonsense_is_refused(void **test_state)
{
    expect_refusal("logistic bias", "logistix bias", "does not begin with logistic");
    expect_refusal(" tilt=", " tilx=", "unknown key");
    expect_refusal("logistic bias=-1", "logistic bias=-x", "not a number");
    expect_refusal("logistic bias", "logistic base", "base");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(no_face_where_none_is),
        cmocka_unit_test(a_face_is_not_late),
    };
    return cmocka_run_group_tests_name("nothing", tests, NULL, NULL);
}
