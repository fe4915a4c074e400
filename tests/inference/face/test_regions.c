/* Region statistics against brute force: every pixel centre tested against the outline that was reported. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/count.h"
#include "inference/face/face.h"

#define SIDE_MAX 700

static uint32_t seed = 3;
static uint16_t pixels[SIDE_MAX * SIDE_MAX], turned[SIDE_MAX * SIDE_MAX], values[SIDE_MAX * SIDE_MAX];

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static struct tf_frame make(uint16_t w, uint16_t h, uint32_t spread)
{
    struct tf_frame f = {.plane = {(uint8_t *)pixels},
                         .stride = {(uint32_t)w * 2},
                         .width = w,
                         .height = h,
                         .pixel = TF_PIXEL_U16,
                         .radiometry = {true, 0.01f, -273.15f}};

    for (uint32_t i = 0; i < (uint32_t)w * h; i++)
        pixels[i] = (uint16_t)(30000 + draw(spread));
    return f;
}

/* A frontal face, eye distance `eyes` pixels, centred, turned by `angle`. */
static void face(struct tf_point p[TF_POINTS], float cx, float cy, float eyes, float angle)
{
    static const float shape[TF_POINTS][2] = {
        {-0.78f, 0},    {-0.77f, .2f},  {-0.74f, .4f},  {-0.7f, .6f},   {-0.62f, .8f}, {-0.5f, .96f},
        {-0.34f, 1.1f}, {-0.18f, 1.2f}, {0, 1.23f},     {.18f, 1.2f},   {.34f, 1.1f},  {.5f, .96f},
        {.62f, .8f},    {.7f, .6f},     {.74f, .4f},    {.77f, .2f},    {.78f, 0},     {-.62f, -.2f},
        {-.53f, -.28f}, {-.4f, -.3f},   {-.26f, -.28f}, {-.14f, -.22f}, {.14f, -.22f}, {.26f, -.28f},
        {.4f, -.3f},    {.53f, -.28f},  {.62f, -.2f},   {0, 0},         {0, .13f},     {0, .26f},
        {0, .4f},       {-.16f, .48f},  {-.08f, .51f},  {0, .53f},      {.08f, .51f},  {.16f, .48f},
        {-.5f, 0},      {-.4f, -.06f},  {-.28f, -.06f}, {-.18f, .01f},  {-.28f, .04f}, {-.4f, .04f},
        {.18f, .01f},   {.28f, -.06f},  {.4f, -.06f},   {.5f, 0},       {.4f, .04f},   {.28f, .04f},
        {-.3f, .8f},    {-.19f, .74f},  {-.08f, .7f},   {0, .72f},      {.08f, .7f},   {.19f, .74f},
        {.3f, .8f},     {.19f, .89f},   {.08f, .93f},   {0, .94f},      {-.08f, .93f}, {-.19f, .89f},
        {-.26f, .8f},   {-.08f, .77f},  {0, .78f},      {.08f, .77f},   {.26f, .8f},   {.08f, .84f},
        {0, .85f},      {-.08f, .84f}};

    for (int k = 0; k < TF_POINTS; k++) {
        float x = shape[k][0] * eyes, y = shape[k][1] * eyes;

        p[k].x = cx + cosf(angle) * x - sinf(angle) * y;
        p[k].y = cy + sinf(angle) * x + cosf(angle) * y;
        p[k].confidence = 1;
    }
}

/* Even-odd; a centre on an edge may go either way and is reported as such. */
static bool inside(const struct tf_outline *o, double x, double y, bool *edge)
{
    bool in = false;

    *edge = false;
    for (uint32_t i = 0; i < o->n; i++) {
        double ax = o->xy[i][0], ay = o->xy[i][1], bx = o->xy[(i + 1) % o->n][0],
               by = o->xy[(i + 1) % o->n][1];
        double length = hypot(bx - ax, by - ay), along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay));
        double off = fabs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / fmax(length, 1e-9);

        if (off < 1e-4 && along > -1e-3 * length && along < (length + 1e-3) * length)
            *edge = true;
        if ((ay > y) != (by > y) && x < ax + (y - ay) * (bx - ax) / (by - ay))
            in = !in;
    }
    return in;
}

static int by_value(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

static int compared;

static const struct tf_mask *bounding; /* of `compare`, with the parts that count; or NULL */
static uint32_t bounding_parts;

static void compare(const struct tf_frame *f, const struct tf_outline *o, const struct tf_region_stats *s)
{
    double sum = 0, squares = 0;
    uint32_t n = 0, on_edge = 0;
    bool edge;

    /* All of the picture that the outline's box touches: nothing inside can lie elsewhere. */
    int x0 = f->width, y0 = f->height, x1 = -1, y1 = -1;
    for (uint32_t i = 0; i < o->n; i++) {
        x0 = (int)fmax(0, fmin(x0, floor((double)o->xy[i][0])));
        y0 = (int)fmax(0, fmin(y0, floor((double)o->xy[i][1])));
        x1 = (int)fmin(f->width - 1, fmax(x1, ceil((double)o->xy[i][0])));
        y1 = (int)fmin(f->height - 1, fmax(y1, ceil((double)o->xy[i][1])));
    }
    for (int y = y0; y <= y1; y++) {
        for (int x = x0; x <= x1; x++) {
            bool in = inside(o, x, y, &edge);

            if (bounding && !(bounding_parts & 1u << tf_mask_at(bounding, (float)x, (float)y)))
                continue;
            on_edge += edge;
            if (in)
                values[n++] = pixels[(size_t)y * f->width + x];
        }
    }
    if (on_edge > 0) { /* float and double may disagree on which side such a centre lies */
        assert_in_range(s->n, n > on_edge ? n - on_edge : 0, n + on_edge);
        return;
    }
    compared++;
    assert_int_equal(s->n, n);
    if (n == 0)
        return;
    qsort(values, n, sizeof(*values), by_value);
    for (uint32_t i = 0; i < n; i++)
        sum += values[i] / 100.0 - 273.15;
    for (uint32_t i = 0; i < n; i++)
        squares += pow(values[i] / 100.0 - 273.15 - sum / n, 2);
    assert_float_equal(s->mean, sum / n, 1e-3);
    assert_float_equal(s->median, (values[(n - 1) / 2] + values[n / 2]) / 200.0 - 273.15, 1e-3);
    assert_float_equal(s->min, values[0] / 100.0 - 273.15, 1e-3);
    assert_float_equal(s->max, values[n - 1] / 100.0 - 273.15, 1e-3);
    assert_float_equal(s->sd, sqrt(squares / n), 1e-3);
}

static void equal_to_brute_force(void **state)
{
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];
    /* The last sizes have regions of thousands of pixels, the spread of the fourth fills the 16 bits. */
    static const struct {
        uint16_t w, h;
        float eyes, angle;
        uint32_t spread;
    } cases[] = {{120, 160, 30.17f, 0.013f, 600},  {120, 160, 14.3f, 0.31f, 200},
                 {160, 120, 41.9f, -0.4f, 3},      {640, 512, 171.3f, 0.021f, 35000},
                 {700, 700, 263.77f, 0.83f, 2000}, {64, 64, 80.1f, 0.2f, 600}};

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_frame f = make(cases[i].w, cases[i].h, cases[i].spread);

        face(points, cases[i].w * 0.5f + 0.137f, cases[i].h * 0.4f + 0.291f, cases[i].eyes, cases[i].angle);
        tf_regions_measure(&f, NULL, points, stats, outlines);
        for (int r = 0; r < TF_REGIONS; r++) {
            assert_in_range(outlines[r].n, 3, TF_REGION_OUTLINE_MAX);
            compare(&f, &outlines[r], &stats[r]);
        }
    }
    assert_in_range(compared, 50, 72);
}

/* Parts in stripes and blocks, cells of 2.3 x 3.1 pixels, so that spans are cut into many pieces. */
static void within_a_mask_equal_to_brute_force(void **state)
{
    static struct tf_mask mask = {
        .width = 60, .height = 50, .x = 20.4f, .y = 11.7f, .step_x = 2.3f, .step_y = 3.1f};
    struct tf_region_stats plain[TF_REGIONS], stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];
    struct tf_frame f = make(200, 200, 900);
    const uint32_t eyes = 1u << TF_PART_EYES | 1u << TF_PART_SKIN, skin = 1u << TF_PART_SKIN;
    const uint32_t parts[TF_REGIONS] = {[TF_REGION_PERIORBITAL_RIGHT] = eyes,
                                        [TF_REGION_PERIORBITAL_LEFT] = eyes,
                                        [TF_REGION_CANTHUS_RIGHT] = eyes,
                                        [TF_REGION_CANTHUS_LEFT] = eyes,
                                        [TF_REGION_NOSE_TIP] = 1u << TF_PART_NOSE,
                                        [TF_REGION_NOSTRILS] = 1u << TF_PART_NOSE | skin,
                                        [TF_REGION_PERINASAL] = skin,
                                        [TF_REGION_CHEEK_RIGHT] = skin,
                                        [TF_REGION_CHEEK_LEFT] = skin,
                                        [TF_REGION_CHIN] = skin,
                                        [TF_REGION_MOUTH] = 1u << TF_PART_MOUTH};

    for (uint32_t i = 0; i < 60 * 50; i++)
        mask.parts[i] = (uint8_t)((i % 60 + i / 60 * 3) % TF_PARTS);
    face(points, 88.137f, 70.291f, 70.3f, 0.11f);
    tf_regions_measure(&f, NULL, points, plain, outlines);
    tf_regions_measure_masked(&f, NULL, points, &mask, stats, outlines);
    compared = 0;
    for (int r = 0; r < TF_REGIONS; r++) {
        bounding = parts[r] != 0 ? &mask : NULL;
        bounding_parts = parts[r];
        compare(&f, &outlines[r], &stats[r]);
    }
    bounding = NULL;
    assert_in_range(compared, 9, TF_REGIONS);
    assert_int_equal(stats[TF_REGION_FOREHEAD].n, plain[TF_REGION_FOREHEAD].n);
    /* A mask without the part leaves the region empty, and says so. */
    memset(mask.parts, TF_PART_SKIN, sizeof(mask.parts));
    tf_regions_measure_masked(&f, NULL, points, &mask, stats, outlines);
    assert_int_equal(stats[TF_REGION_NOSE_TIP].n, 0);
    assert_false(stats[TF_REGION_NOSE_TIP].valid);
    assert_int_equal(stats[TF_REGION_CHIN].n, plain[TF_REGION_CHIN].n);
    /* Where the mask allows all of it, a disc has 1.5 times the radius. */
    memset(mask.parts, TF_PART_NOSE, sizeof(mask.parts));
    tf_regions_measure_masked(&f, NULL, points, &mask, stats, outlines);
    assert_float_equal(stats[TF_REGION_NOSE_TIP].n, 2.25 * plain[TF_REGION_NOSE_TIP].n, 30);
    assert_int_equal(stats[TF_REGION_CHEEK_RIGHT].n, 0);
}

static void discs_have_their_area(void **state)
{
    struct tf_frame f = make(640, 512, 100);
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];

    face(points, 320.2f, 200.4f, 200, 0.1f);
    tf_regions_measure(&f, NULL, points, stats, outlines);
    assert_float_equal(stats[TF_REGION_NOSE_TIP].n, M_PI * pow(0.12 * 200, 2), 20);
    assert_float_equal(stats[TF_REGION_CANTHUS_RIGHT].n, M_PI * pow(0.07 * 200, 2), 12);
    assert_float_equal(stats[TF_REGION_CANTHUS_LEFT].n, M_PI * pow(0.07 * 200, 2), 12);
}

/* Each region lies where its name says, in the face's own axes, however the head is tilted. */
static void regions_lie_where_they_should(void **state)
{
    struct tf_frame f = make(700, 700, 100);
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];
    static const struct {
        float x, y; /* eye distances from the face's centre between the eyes */
    } centre[TF_REGIONS] = {[TF_REGION_FOREHEAD] = {0, -0.47f},
                            [TF_REGION_PERIORBITAL_RIGHT] = {-0.34f, 0},
                            [TF_REGION_PERIORBITAL_LEFT] = {0.34f, 0},
                            [TF_REGION_CANTHUS_RIGHT] = {-0.18f, 0.01f},
                            [TF_REGION_CANTHUS_LEFT] = {0.18f, 0.01f},
                            [TF_REGION_NOSE_TIP] = {0, 0.4f},
                            [TF_REGION_NOSTRILS] = {0, 0.555f},
                            [TF_REGION_PERINASAL] = {0, 0.62f},
                            [TF_REGION_CHEEK_RIGHT] = {-0.41f, 0.45f},
                            [TF_REGION_CHEEK_LEFT] = {0.41f, 0.45f},
                            [TF_REGION_CHIN] = {0, 1.13f},
                            [TF_REGION_MOUTH] = {0, 0.82f}};

    for (float angle = -1; angle <= 1; angle += 0.5f) {
        face(points, 350, 300, 150, angle);
        tf_regions_measure(&f, NULL, points, stats, outlines);
        for (int r = 0; r < TF_REGIONS; r++) {
            float x = 0, y = 0;

            for (uint32_t i = 0; i < outlines[r].n; i++) {
                x += (outlines[r].xy[i][0] - 350) / 150 / (float)outlines[r].n;
                y += (outlines[r].xy[i][1] - 300) / 150 / (float)outlines[r].n;
            }
            float u = cosf(angle) * x + sinf(angle) * y, v = -sinf(angle) * x + cosf(angle) * y;
            assert_true(stats[r].valid);
            assert_float_equal(u, centre[r].x, 0.03);
            assert_float_equal(v, centre[r].y, 0.03);
        }
    }
}

/* A camera that looks into a mirror: its pixels lie the other way round, the upright picture is the same. */
static void a_mirror_changes_nothing(void **state)
{
    struct tf_frame f = make(120, 160, 600), g = f;
    struct tf_region_stats a[TF_REGIONS], b[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];

    g.flip = true;
    g.plane[0] = (uint8_t *)turned;
    for (int y = 0; y < 160; y++)
        for (int x = 0; x < 120; x++)
            turned[y * 120 + 119 - x] = pixels[y * 120 + x];
    face(points, 60.1f, 70.2f, 31, 0.1f);
    tf_regions_measure(&f, NULL, points, a, outlines);
    tf_regions_measure(&g, NULL, points, b, outlines);
    assert_memory_equal(a, b, sizeof(a));
}

static void rotation_of_the_camera_changes_nothing(void **state)
{
    struct tf_frame f = make(120, 160, 600), g = f;
    struct tf_region_stats a[TF_REGIONS], b[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];

    /* The camera on its side: turning its 160 x 120 clockwise gives f. */
    g.width = 160;
    g.height = 120;
    g.stride[0] = 320;
    g.rotate = 90;
    g.plane[0] = (uint8_t *)turned;
    for (int y = 0; y < 160; y++) {
        for (int x = 0; x < 120; x++)
            turned[(119 - x) * 160 + y] = pixels[y * 120 + x];
    }
    face(points, 60.1f, 70.2f, 31, 0.1f);
    tf_regions_measure(&f, NULL, points, a, outlines);
    tf_regions_measure(&g, NULL, points, b, outlines);
    for (int r = 0; r < TF_REGIONS; r++) {
        assert_int_equal(a[r].n, b[r].n);
        assert_float_equal(a[r].mean, b[r].mean, 0);
        assert_float_equal(a[r].median, b[r].median, 0);
        assert_float_equal(a[r].sd, b[r].sd, 1e-4);
        assert_int_equal(a[r].valid, b[r].valid);
    }
}

static void small_and_cut_off_regions_are_not_valid(void **state)
{
    struct tf_frame f = make(120, 160, 600);
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];

    /* Eyes 18 pixels apart: a canthus disc of radius 1.3 has about five pixels. */
    face(points, 60.2f, 70.3f, 18, 0);
    tf_regions_measure(&f, NULL, points, stats, outlines);
    assert_in_range(stats[TF_REGION_CANTHUS_RIGHT].n, 1, TF_REGION_PIXELS_MIN - 1);
    assert_false(stats[TF_REGION_CANTHUS_RIGHT].valid);
    assert_true(stats[TF_REGION_NOSE_TIP].n >= TF_REGION_PIXELS_MIN);
    assert_true(stats[TF_REGION_NOSE_TIP].valid);

    /* The chin hangs out of the picture, the nose does not. */
    face(points, 60.2f, 100.3f, 55, 0);
    tf_regions_measure(&f, NULL, points, stats, outlines);
    assert_true(stats[TF_REGION_CHIN].n > 0);
    assert_false(stats[TF_REGION_CHIN].valid);
    assert_true(stats[TF_REGION_NOSE_TIP].valid);

    /* Far outside: no pixel, and no number that could be taken for one. */
    face(points, -500, 70, 30, 0);
    tf_regions_measure(&f, NULL, points, stats, outlines);
    for (int r = 0; r < TF_REGIONS; r++) {
        assert_int_equal(stats[r].n, 0);
        assert_false(stats[r].valid);
        assert_true(isnan(stats[r].mean) && isnan(stats[r].median) && isnan(stats[r].min) &&
                    isnan(stats[r].max) && isnan(stats[r].sd));
    }

    assert_int_equal(stats[0].why, TF_WHY_FEW_PIXELS | TF_WHY_OUTSIDE);
}

/* One pixel of the nose's middle. */
static uint16_t *in_the_nose(int i)
{
    return &pixels[((int)(70.3f + 0.4f * 40) + i / 3) * 120 + 60 + i % 3];
}

static void what_is_no_measurement_is_left_out(void **state)
{
    struct tf_frame f = make(120, 160, 600);
    struct tf_region_stats clean[TF_REGIONS], stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];
    const struct tf_region_stats *nose = &stats[TF_REGION_NOSE_TIP], *was = &clean[TF_REGION_NOSE_TIP];
    /* Dead, saturated, and beyond the row's -40 to 400 °C. */
    static const struct {
        uint16_t value, min, max;
    } cases[] = {
        {0, 0, 0}, {65535, 0, 0}, {65535, 23315, 65535}, {23314, 23315, 60000}, {60001, 23315, 60000}};

    face(points, 60.2f, 70.3f, 40, 0);
    tf_regions_measure(&f, NULL, points, clean, outlines);
    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        uint16_t kept = *in_the_nose(0);
        double sum = (double)was->mean * was->n - (kept / 100.0 - 273.15);

        f.value_min = cases[i].min;
        f.value_max = cases[i].max;
        *in_the_nose(0) = cases[i].value;
        tf_regions_measure(&f, NULL, points, stats, outlines);
        *in_the_nose(0) = kept;
        assert_int_equal(nose->n, was->n - 1);
        assert_int_equal(nose->excluded, 1);
        assert_true(nose->valid && nose->why == 0);
        assert_float_equal(nose->mean, sum / (was->n - 1), 1e-3);
        assert_in_range((int)(nose->max * 100), (int)(was->mean * 100), 3300);
        assert_true(nose->min > 20 && nose->median > 20);
        assert_int_equal(stats[TF_REGION_FOREHEAD].excluded, 0);
        assert_int_equal(stats[TF_REGION_FOREHEAD].n, clean[TF_REGION_FOREHEAD].n);
    }
    /* A value on the limit is one. */
    f.value_min = 23315;
    f.value_max = 60000;
    *in_the_nose(0) = 60000;
    *in_the_nose(1) = 23315;
    tf_regions_measure(&f, NULL, points, stats, outlines);
    assert_int_equal(nose->excluded, 0);
    assert_float_equal(nose->max, 60000 / 100.0 - 273.15, 1e-3);
}

static void too_many_left_out_is_not_valid(void **state)
{
    struct tf_frame f = make(120, 160, 600);
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];
    const struct tf_region_stats *nose = &stats[TF_REGION_NOSE_TIP];
    uint32_t all, out = 0;

    face(points, 60.2f, 70.3f, 40, 0);
    tf_regions_measure(&f, NULL, points, stats, outlines);
    all = nose->n;
    assert_true(all > 60);
    /* Row by row from the top, a saturated patch. */
    for (int y = 70; y < 110 && out < all; y++)
        for (int x = 50; x < 70; x++) {
            pixels[y * 120 + x] = 65535;
            tf_regions_measure(&f, NULL, points, stats, outlines);
            assert_int_equal(nose->n + nose->excluded, all);
            assert_true(nose->excluded == out || nose->excluded == out + 1);
            out = nose->excluded;
            assert_int_equal((nose->why & TF_WHY_RANGE) != 0, out * 5 > all);
            assert_int_equal((nose->why & TF_WHY_FEW_PIXELS) != 0, nose->n < TF_REGION_PIXELS_MIN);
            assert_int_equal(nose->valid, nose->why == 0);
            assert_false(nose->why & TF_WHY_OUTSIDE);
        }
    assert_int_equal(out, all);
    assert_int_equal(nose->n, 0);
    assert_true(isnan(nose->mean) && isnan(nose->median) && isnan(nose->max));
    assert_int_equal(nose->why, TF_WHY_FEW_PIXELS | TF_WHY_RANGE);
    assert_string_equal(tf_region_why_name(0), "few_pixels");
    assert_string_equal(tf_region_why_name(1), "outside");
    assert_string_equal(tf_region_why_name(2), "range");
    assert_string_equal(tf_region_why_name(3), "doubtful_points");
    assert_string_equal(tf_region_why_name(4), "covered");
    assert_string_equal(tf_region_why_name(5), "turned");
    assert_null(tf_region_why_name(TF_WHY_COUNT));
}

/* A large region's median reads the picture again: it leaves out the same pixels. */
static void a_large_region_leaves_out_too(void **state)
{
    struct tf_frame f = make(700, 700, 2000);
    struct tf_region_stats clean[TF_REGIONS], stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];

    face(points, 350.2f, 250.3f, 264, 0.2f);
    tf_regions_measure(&f, NULL, points, clean, outlines);
    assert_true(clean[TF_REGION_FOREHEAD].n > 4096);
    for (uint32_t i = 0; i < 700 * 700; i += 11)
        pixels[i] = i % 2 ? 65535 : 0;
    tf_regions_measure(&f, NULL, points, stats, outlines);
    for (int r = 0; r < TF_REGIONS; r++) {
        assert_int_equal(stats[r].n + stats[r].excluded, clean[r].n);
        assert_in_range(stats[r].excluded, clean[r].n / 11 - 30, clean[r].n / 11 + 30);
        assert_true(stats[r].valid);
        assert_float_equal(stats[r].median, clean[r].median, 2);
        assert_true(stats[r].min >= clean[r].min && stats[r].max <= clean[r].max);
    }
}

static void outlines_lie_on_the_grid(void **state)
{
    struct tf_frame f = make(120, 160, 600);
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];

    face(points, 60.234f, 70.345f, 33.3f, 0.21f);
    tf_regions_measure(&f, NULL, points, stats, outlines);
    for (int r = 0; r < TF_REGIONS; r++)
        for (uint32_t i = 0; i < outlines[r].n; i++)
            for (int k = 0; k < 2; k++)
                assert_true(outlines[r].xy[i][k] * TF_OUTLINE_GRID ==
                            rintf(outlines[r].xy[i][k] * TF_OUTLINE_GRID));
}

static void without_radiometry_the_unit_is_counts(void **state)
{
    struct tf_frame f = make(120, 160, 1);
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];

    f.radiometry.valid = false;
    face(points, 60.2f, 70.3f, 40, 0);
    tf_regions_measure(&f, NULL, points, stats, outlines);
    assert_float_equal(stats[TF_REGION_NOSE_TIP].mean, 30000, 0);
    assert_float_equal(stats[TF_REGION_NOSE_TIP].sd, 0, 0);
    assert_true(stats[TF_REGION_NOSE_TIP].valid);
}

static void points_that_are_none_are_survived(void **state)
{
    struct tf_frame f = make(120, 160, 600);
    struct tf_region_stats stats[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS];
    struct tf_point points[TF_POINTS];
    static const float bad[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e9f};

    for (size_t i = 0; i < TF_COUNT(bad); i++) {
        for (int k = 0; k < TF_POINTS; k++) {
            face(points, 60.2f, 70.3f, 40, 0);
            points[k].x = bad[i];
            tf_regions_measure(&f, NULL, points, stats, outlines);
            for (int r = 0; r < TF_REGIONS; r++) {
                assert_int_equal(stats[r].n, 0);
                assert_int_equal(outlines[r].n, 0);
            }
        }
    }
    memset(points, 0, sizeof(points)); /* all on one place: no eye distance */
    tf_regions_measure(&f, NULL, points, stats, outlines);
    assert_int_equal(stats[0].n, 0);
}

static void names_are_the_records(void **state)
{
    assert_string_equal(tf_region_name(TF_REGION_FOREHEAD), "forehead");
    assert_string_equal(tf_region_name(TF_REGION_PERIORBITAL_RIGHT), "periorbital_right");
    assert_string_equal(tf_region_name(TF_REGION_CANTHUS_LEFT), "canthus_left");
    assert_string_equal(tf_region_name(TF_REGION_NOSE_TIP), "nose_tip");
    assert_string_equal(tf_region_name(TF_REGION_NOSTRILS), "nostrils");
    assert_string_equal(tf_region_name(TF_REGION_PERINASAL), "perinasal");
    assert_string_equal(tf_region_name(TF_REGION_CHEEK_RIGHT), "cheek_right");
    assert_string_equal(tf_region_name(TF_REGION_CHIN), "chin");
    assert_string_equal(tf_region_name(TF_REGION_MOUTH), "mouth");
    assert_null(tf_region_name((enum tf_region)TF_REGIONS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_to_brute_force),
        cmocka_unit_test(within_a_mask_equal_to_brute_force),
        cmocka_unit_test(discs_have_their_area),
        cmocka_unit_test(regions_lie_where_they_should),
        cmocka_unit_test(rotation_of_the_camera_changes_nothing),
        cmocka_unit_test(a_mirror_changes_nothing),
        cmocka_unit_test(small_and_cut_off_regions_are_not_valid),
        cmocka_unit_test(what_is_no_measurement_is_left_out),
        cmocka_unit_test(too_many_left_out_is_not_valid),
        cmocka_unit_test(a_large_region_leaves_out_too),
        cmocka_unit_test(outlines_lie_on_the_grid),
        cmocka_unit_test(without_radiometry_the_unit_is_counts),
        cmocka_unit_test(points_that_are_none_are_survived),
        cmocka_unit_test(names_are_the_records),
    };

    return cmocka_run_group_tests_name("inference face: regions", tests, NULL, NULL);
}
