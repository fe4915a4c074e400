/* Records as NDJSON and CSV: fields, limits, numbers. */
#include <errno.h>
#include <float.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/count.h"
#include "publish/record/record.h"
#include "records.h"
#include "tests/sanitized.h"

/* How much longer an instrumented or unoptimised build may take. */
#if TF_SANITIZED_ADDRESS || TF_SANITIZED_THREAD || !defined(__OPTIMIZE__)
#define SLOWER 20
#else
#define SLOWER 1
#endif

static struct tf_record record;
static char *text;
static size_t size;

static int setup(void **state)
{
    size = tf_record_bytes_max();
    text = malloc(size + 1);
    return text ? 0 : -1;
}

static int teardown(void **state)
{
    free(text);
    return 0;
}

static json_t *parsed_as(size_t flags)
{
    int n = tf_record_ndjson(&record, text, size);
    json_error_t error;
    json_t *root;

    assert_true(n > 0);
    assert_int_equal(text[n - 1], '\n');
    assert_null(memchr(text, '\n', (size_t)n - 1)); /* one line */
    root = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES | flags, &error);
    if (!root)
        fail_msg("%s at %d in %.*s", error.text, error.position, n, text);
    return root;
}

static json_t *parsed(void)
{
    return parsed_as(0);
}

static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!value)
        fail_msg("no member %s", name);
    return value;
}

static double real(const json_t *object, const char *name)
{
    const json_t *value = member(object, name);

    assert_true(json_is_real(value));
    return json_real_value(value);
}

static json_int_t integer(const json_t *object, const char *name)
{
    const json_t *value = member(object, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* The text itself: names and their order are what readers rely on. */
static void frame_without_face_is_this_text(void **state)
{
    int n;

    test_record(&record, "thermal", 1234, 0);
    record.flags = TF_FLAG_FFC_SETTLING | TF_FLAG_GAP;
    record.dropped = (struct tf_dropped){.driver = 1, .capture = 2, .inference = 3};
    n = tf_record_ndjson(&record, text, size);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(
        text,
        "{\"camera\":\"thermal\",\"frame\":1234,\"sequence\":1240,\"camera_counter\":99465,"
        "\"t_mono_ns\":832912345979,\"t_utc\":\"2026-03-01T10:15:50.690123Z\",\"t_from\":\"driver-eof\","
        "\"state\":\"no_face\",\"flags\":[\"ffc_settling\",\"gap\"],\"unit\":\"celsius\",\"sensor_c\":31.2,"
        "\"dropped\":{\"driver\":1,\"capture\":2,\"inference\":3},\"latency_us\":1830,\"faces\":[],"
        "\"pair\":null,\"rotate\":0,\"flip\":false,\"clock\":null}\n");
    record.clock =
        (struct tf_clock_sync){.known = true, .synchronised = true, .error_us = 12, .max_error_us = 3456};
    n = tf_record_ndjson(&record, text, size);
    text[n] = '\0';
    assert_non_null(strstr(
        text, "\"flip\":false,\"clock\":{\"synchronised\":true,\"error_us\":12,\"max_error_us\":3456}}\n"));
}

static void what_is_not_known_is_null(void **state)
{
    json_t *root;

    test_record(&record, "thermal", 0, 1);
    record.has_camera_counter = false;
    record.sensor_c = NAN;
    record.latency_us = -1;
    record.celsius = false;
    record.faces.faces[0].regions[TF_REGION_CHIN] =
        (struct tf_region_stats){.mean = NAN, .median = NAN, .min = NAN, .max = NAN, .sd = INFINITY};
    record.faces.faces[0].points[3].x = NAN;
    record.faces.faces[0].pose = (struct tf_pose){NAN, NAN, NAN};
    record.faces.faces[0].glasses = NAN;
    root = parsed();
    assert_true(json_is_null(member(root, "camera_counter")));
    assert_true(json_is_null(member(root, "sensor_c")));
    assert_true(json_is_null(member(root, "latency_us")));
    assert_string_equal(json_string_value(member(root, "unit")), "counts");
    {
        const json_t *face = json_array_get(member(root, "faces"), 0);
        const json_t *chin = member(member(face, "regions"), "chin");

        assert_true(json_is_null(member(chin, "mean")));
        assert_true(json_is_null(member(chin, "sd")));
        assert_true(json_is_false(member(chin, "valid")));
        assert_int_equal(integer(chin, "n"), 0);
        assert_true(json_is_null(json_array_get(json_array_get(member(face, "points"), 3), 0)));
        assert_true(json_is_null(member(member(face, "pose"), "yaw")));
        assert_true(json_is_null(member(member(face, "pose"), "roll")));
        assert_true(json_is_null(member(face, "glasses")));
    }
    json_decref(root);
}

static void faces_come_back(void **state)
{
    static const char *const regions[] = {
        "forehead", "periorbital_right", "periorbital_left", "canthus_right", "canthus_left", "nose_tip",
        "nostrils", "perinasal",         "cheek_right",      "cheek_left",    "chin",         "mouth"};
    json_t *root;
    const json_t *faces;

    test_record(&record, "thermal", 7, TF_FACES_MAX);
    record.faces.faces[1] = test_face(2, true);
    root = parsed();
    faces = member(root, "faces");
    assert_int_equal(json_array_size(faces), TF_FACES_MAX);
    for (size_t i = 0; i < TF_FACES_MAX; i++) {
        const json_t *face = json_array_get(faces, i), *points = member(face, "points");

        assert_int_equal(integer(face, "id"), i + 1);
        assert_true(real(face, "score") == 0.98);
        assert_int_equal(json_array_size(member(face, "box")), 4);
        assert_true(json_real_value(json_array_get(member(face, "box"), 3)) == 75.12); /* ties to even */
        assert_int_equal(json_array_size(points), TF_POINTS);
        for (size_t p = 0; p < TF_POINTS; p++) {
            const json_t *point = json_array_get(points, p);

            assert_int_equal(json_array_size(point), 3);
            assert_true(fabs(json_real_value(json_array_get(point, 0)) - (40. + (double)p * 0.75)) < 1e-9);
            assert_true(json_real_value(json_array_get(point, 1)) == 100. - (double)p);
            assert_true(json_real_value(json_array_get(point, 2)) == 0.5);
        }
        assert_int_equal(json_object_size(member(face, "regions")), TF_REGIONS);
        for (size_t k = 0; k < TF_REGIONS; k++) {
            const json_t *region = member(member(face, "regions"), regions[k]);

            assert_int_equal(json_object_size(region), 9);
            assert_int_equal(integer(region, "excluded"), k % 3);
            assert_int_equal(json_array_size(member(region, "why")), 0);
            assert_true(real(region, "mean") == 30. + (double)k);
            assert_true(real(region, "sd") == 0.12);
            assert_int_equal(integer(region, "n"), 9 + k);
            assert_true(json_is_true(member(region, "valid")));
        }
        /* Filtered points stand beside the raw ones only where there are any. */
        assert_int_equal(json_array_size(json_object_get(face, "points_filtered")), i == 1 ? TF_POINTS : 0);
    }
    json_decref(root);
}

static void numbers_are_rounded_not_cut(void **state)
{
    static const struct {
        float value;
        const char *json;
    } cases[] = {
        {0.f, "0.0"},
        {-0.f, "0.0"},
        {-0.0001f, "0.0"},
        {0.005f, "0.0"}, /* 0.00499… */
        {0.0151f, "0.02"},
        {-3.14159f, "-3.14"},
        {99.999f, "100.0"},
        {1234567.f, "1234567.0"},
        {-0.01f, "-0.01"},
        {0.5f, "0.5"},
        {1e20f, "100000002004087734272.0"},
        {-FLT_MAX, "-340282346638528859811704183484516925440.0"},
    };
    char expected[96];

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        test_record(&record, "c", 0, 0);
        record.sensor_c = cases[i].value;
        text[tf_record_ndjson(&record, text, size)] = '\0';
        snprintf(expected, sizeof(expected), "\"sensor_c\":%s,", cases[i].json);
        if (!strstr(text, expected))
            fail_msg("%s is not in %s", expected, text);
    }
}

static void names_of_cameras_are_escaped(void **state)
{
    char name[400];
    json_t *root;
    int n;

    test_record(&record, "a\"b\\c\x01\xff\xc3\xa9,", 0, 0);
    root = parsed();
    assert_string_equal(json_string_value(member(root, "camera")), "a\"b\\c\x01\xef\xbf\xbd\xc3\xa9,");
    json_decref(root);
    n = tf_record_csv(&record, TF_CSV_THERMOFACE, text, size);
    assert_memory_equal(text, "\"a\"\"b\\c\x01\xff\xc3\xa9,\",0,", 16);
    assert_true(n > 0);

    memset(name, '"', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    record.camera = name;
    json_decref(parsed());
    assert_true(tf_record_csv(&record, TF_CSV_THERMOFACE, text, size) > 0);
}

/* Every size short of the need is refused, and nothing is written past it. */
static void a_short_buffer_is_refused(void **state)
{
    int n, header;

    test_record(&record, "thermal", 1, 1);
    record.faces.faces[0] = test_face(1, true);
    n = tf_record_ndjson(&record, text, size);
    /* Room is made for the longest number, so that a few bytes more than the text may be asked for. */
    for (int i = 0; i < n; i++) {
        text[i] = '#';
        assert_int_equal(tf_record_ndjson(&record, text, (size_t)i), -ENOBUFS);
        assert_int_equal(text[i], '#');
    }
    n = tf_record_csv(&record, TF_CSV_THERMOFACE, text, size);
    for (int i = 0; i < n; i++)
        assert_int_equal(tf_record_csv(&record, TF_CSV_THERMOFACE, text, (size_t)i), -ENOBUFS);
    n = tf_record_csv(&record, TF_CSV_OPENFACE, text, size);
    for (int i = 0; i < n; i++)
        assert_int_equal(tf_record_csv(&record, TF_CSV_OPENFACE, text, (size_t)i), -ENOBUFS);
    header = tf_record_csv_header(TF_CSV_THERMOFACE, NULL, text, size);
    for (int i = 0; i < header; i++)
        assert_int_equal(tf_record_csv_header(TF_CSV_THERMOFACE, NULL, text, (size_t)i), -ENOBUFS);
}

/* The worst that can be put into a record: everything there, every number as long as a float can be. */
static void the_longest_record_fits(void **state)
{
    static char name[300];
    int n, csv;

    memset(name, 0x01, sizeof(name) - 1);
    memset(&record, 0xff, sizeof(record));
    test_record(&record, name, UINT64_MAX, TF_FACES_MAX);
    record.sequence = record.camera_counter = record.t_mono_ns = UINT64_MAX;
    record.t_utc_ns = INT64_MAX;
    record.latency_us = INT64_MAX;
    record.flags = UINT32_MAX;
    record.sensor_c = -FLT_MAX;
    record.dropped = (struct tf_dropped){UINT64_MAX, UINT64_MAX, UINT64_MAX};
    for (int i = 0; i < TF_FACES_MAX; i++) {
        struct tf_face *f = &record.faces.faces[i];

        f->id = UINT32_MAX;
        f->score = -FLT_MAX;
        f->filtered = f->mapped = true;
        f->from = TF_POINTS_FROM_VISIBLE;
        for (int k = 0; k < 4; k++)
            f->box[k] = -FLT_MAX;
        for (int k = 0; k < TF_POINTS; k++)
            f->points[k] = f->points_filtered[k] = f->points_mapped[k] =
                (struct tf_point){-FLT_MAX, -FLT_MAX, -FLT_MAX};
        for (int k = 0; k < TF_REGIONS; k++)
            f->regions[k] = (struct tf_region_stats){-FLT_MAX,   -FLT_MAX, -FLT_MAX,   -FLT_MAX,  -FLT_MAX,
                                                     UINT32_MAX, false,    UINT32_MAX, UINT32_MAX};
    }
    json_decref(parsed_as(JSON_DECODE_INT_AS_REAL)); /* 2^64 is beyond jansson's integers */
    n = tf_record_ndjson(&record, text, size);
    csv = tf_record_csv(&record, TF_CSV_THERMOFACE, text, size);
    assert_true(n > 0 && (size_t)n <= size);
    assert_true(csv > 0);
    assert_true(tf_record_csv(&record, TF_CSV_OPENFACE, text, size) > 0);
}

/* --- CSV --- */

#define COLUMNS_MAX 800
static char *cells[2][COLUMNS_MAX];

/* Splits at commas; the texts here are not quoted. */
static size_t split(char *line, char **ret)
{
    size_t n = 0;

    line[strcspn(line, "\n")] = '\0';
    for (char *cell; (cell = strsep(&line, ",")) && n < COLUMNS_MAX;)
        ret[n++] = cell;
    return n;
}

static size_t table(enum tf_csv_profile profile, char **header, char **row)
{
    size_t columns;
    int n;

    n = tf_record_csv_header(profile, NULL, text, size);
    assert_true(n > 0 && text[n - 1] == '\n');
    text[n] = '\0';
    *header = strdup(text);
    n = tf_record_csv(&record, profile, text, size);
    assert_true(n > 0 && text[n - 1] == '\n');
    text[n] = '\0';
    *row = strdup(text);
    columns = split(*header, cells[0]);
    assert_int_equal(split(*row, cells[1]), columns);
    return columns;
}

static const char *cell(size_t columns, const char *name)
{
    for (size_t i = 0; i < columns; i++)
        if (strcmp(cells[0][i], name) == 0)
            return cells[1][i];
    fail_msg("no column %s", name);
    return NULL;
}

static void csv_has_the_records_columns(void **state)
{
    static const char *const first[] = {"camera",
                                        "frame",
                                        "sequence",
                                        "camera_counter",
                                        "t_mono_ns",
                                        "t_utc",
                                        "t_from",
                                        "state",
                                        "flags",
                                        "unit",
                                        "sensor_c",
                                        "dropped_driver",
                                        "dropped_capture",
                                        "dropped_inference",
                                        "latency_us",
                                        "faces",
                                        "id",
                                        "score",
                                        "box_x",
                                        "box_y",
                                        "box_w",
                                        "box_h",
                                        "p0_x",
                                        "p0_y",
                                        "p0_confidence",
                                        "p1_x"};
    char *header, *row;
    size_t columns;

    test_record(&record, "thermal", 1234, 2);
    record.flags = TF_FLAG_FFC | TF_FLAG_DUPLICATE;
    record.faces.faces[0] = test_face(5, true);
    record.faces.faces[0].regions[TF_REGION_MOUTH].valid = false;
    record.faces.faces[0].regions[TF_REGION_MOUTH].why = TF_WHY_FEW_PIXELS | TF_WHY_RANGE;
    record.faces.faces[0].regions[TF_REGION_CHIN].valid = false;
    record.faces.faces[0].regions[TF_REGION_CHIN].why =
        TF_WHY_OUTSIDE | TF_WHY_DOUBTFUL | TF_WHY_COVERED | TF_WHY_TURNED;
    record.faces.faces[0].breathing_rate = 15.25f;
    record.faces.faces[0].breathing_quality = 0.8f;
    record.black_body = (struct tf_black_body){true, true, 35.5f, 12, -0.5f};
    record.faces.faces[0].pose = (struct tf_pose){-12.5f, 3, 90};
    record.faces.faces[0].glasses = 0.75f;
    record.faces.faces[0].covered = NAN;
    columns = table(TF_CSV_THERMOFACE, &header, &row);
    assert_int_equal(columns, 22 + 2 * 3 * 68 + 7 * 12 + 2 + 3 + 12 + 4 + 3 * 68 + 2 * 12 + 2 + 3 + 3 + 2);
    for (size_t i = 0; i < TF_COUNT(first); i++)
        assert_string_equal(cells[0][i], first[i]);
    assert_string_equal(cell(columns, "camera"), "thermal");
    assert_string_equal(cell(columns, "flags"), "ffc duplicate");
    assert_string_equal(cell(columns, "t_utc"), "2026-03-01T10:15:50.690123Z");
    assert_string_equal(cell(columns, "clock_synchronised"), "");
    assert_string_equal(cell(columns, "clock_max_error_us"), "");
    assert_string_equal(cell(columns, "faces"), "2");
    assert_string_equal(cell(columns, "id"), "5");
    assert_string_equal(cell(columns, "score"), "0.98");
    assert_string_equal(cell(columns, "p67_x"), "90.25");
    assert_string_equal(cell(columns, "pf67_x"), "108.0");
    assert_string_equal(cell(columns, "forehead_mean"), "30.0");
    assert_string_equal(cell(columns, "nose_tip_median"), "35.1");
    assert_string_equal(cell(columns, "mouth_n"), "20");
    assert_string_equal(cell(columns, "mouth_valid"), "0");
    assert_string_equal(cell(columns, "cheek_left_valid"), "1");
    assert_string_equal(cells[0][columns - 5 - 3 - 18 - 4 - 3 * 68 - 26], "mouth_valid");
    assert_string_equal(cell(columns, "nostrils_excluded"), "0");
    assert_string_equal(cell(columns, "perinasal_excluded"), "1");
    assert_string_equal(cell(columns, "perinasal_why"), "");
    assert_string_equal(cell(columns, "mouth_why"), "few_pixels range");
    assert_string_equal(cell(columns, "chin_why"), "outside doubtful_points covered turned");
    assert_string_equal(cell(columns, "pose_Rx"), "-0.0524");
    assert_string_equal(cell(columns, "pose_Ry"), "0.2182");
    assert_string_equal(cell(columns, "pose_Rz"), "1.5708");
    assert_string_equal(cell(columns, "glasses"), "0.75");
    assert_string_equal(cell(columns, "mask"), "");
    assert_string_equal(cells[0][columns - 2], "glasses");
    assert_string_equal(cells[0][columns - 1], "mask");
    assert_string_equal(cell(columns, "breathing_rate"), "15.25");
    assert_string_equal(cell(columns, "breathing_quality"), "0.8");
    assert_string_equal(cell(columns, "black_body_offset"), "-0.5");
    assert_string_equal(cell(columns, "forehead_mean_corrected"), "29.5");
    assert_string_equal(cells[0][columns - 5 - 3 - 1 - 4 - 3 * 68 - 26], "mouth_mean_corrected");
    assert_string_equal(cells[0][columns - 5 - 30], "pv67_confidence");
    assert_string_equal(cells[0][columns - 5 - 29], "forehead_excluded");
    assert_string_equal(cells[0][columns - 5 - 6], "mouth_why");
    for (size_t i = 0; i < columns; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(cells[0][i], cells[0][k]);
    free(header);
    free(row);
}

/* One face that both cameras see, and one that only the visible camera does. */
static void a_pair_is_told(void **state)
{
    const json_t *root, *face, *pair;
    char *header, *row;
    size_t columns;

    test_record(&record, "thermal", 3, 2);
    record.pair = (struct tf_record_pair){.camera = "visible", .frame = 17, .skew_us = -16667};
    record.faces.faces[0].from = TF_POINTS_FROM_THERMAL;
    record.faces.faces[0].mapped = true;
    record.faces.faces[0].points_mapped[3] = (struct tf_point){.x = 7.25f, .y = -1.5f, .confidence = 0.75f};
    record.faces.faces[1].from = TF_POINTS_FROM_VISIBLE;
    record.faces.faces[1].mapped = record.faces.faces[1].unseen = true;
    root = parsed();
    pair = member(root, "pair");
    assert_string_equal(json_string_value(member(pair, "camera")), "visible");
    assert_int_equal(integer(pair, "frame"), 17);
    assert_int_equal(integer(pair, "skew_us"), -16667);
    face = json_array_get(member(root, "faces"), 0);
    assert_string_equal(json_string_value(member(face, "points_from")), "thermal");
    assert_int_equal(json_array_size(member(face, "points")), 68);
    assert_int_equal(json_array_size(member(face, "points_visible")), 68);
    assert_true(json_real_value(json_array_get(json_array_get(member(face, "points_visible"), 3), 0)) ==
                7.25);
    face = json_array_get(member(root, "faces"), 1);
    assert_string_equal(json_string_value(member(face, "points_from")), "visible");
    assert_int_equal(json_array_size(member(face, "points")), 0);
    json_decref((json_t *)root);

    columns = table(TF_CSV_THERMOFACE, &header, &row);
    assert_string_equal(cell(columns, "pair_camera"), "visible");
    assert_string_equal(cell(columns, "pair_frame"), "17");
    assert_string_equal(cell(columns, "pair_skew_us"), "-16667");
    assert_string_equal(cell(columns, "points_from"), "thermal");
    assert_string_equal(cell(columns, "pv3_y"), "-1.5");
    assert_string_equal(cell(columns, "pv3_confidence"), "0.75");
    free(header);
    free(row);

    record.faces.faces[0] = record.faces.faces[1];
    columns = table(TF_CSV_THERMOFACE, &header, &row);
    assert_string_equal(cell(columns, "points_from"), "visible");
    assert_string_equal(cell(columns, "p0_x"), "");
    assert_string_equal(cell(columns, "pv0_x"), "0.0");
    free(header);
    free(row);
}

static void csv_columns_do_not_depend_on_content(void **state)
{
    char *header, *row;
    size_t columns;

    test_record(&record, "thermal", 3, 0);
    record.sensor_c = NAN;
    record.has_camera_counter = false;
    record.latency_us = -1;
    columns = table(TF_CSV_THERMOFACE, &header, &row); /* compares the counts of cells */
    assert_string_equal(cell(columns, "faces"), "0");
    assert_string_equal(cell(columns, "sensor_c"), "");
    assert_string_equal(cell(columns, "camera_counter"), "");
    assert_string_equal(cell(columns, "latency_us"), "");
    for (size_t i = 16; i < columns - 8 - 3; i++)
        assert_string_equal(cells[1][i], "");
    assert_string_equal(cell(columns, "pose_Rx"), "");
    assert_string_equal(cell(columns, "pose_Rz"), "");
    assert_string_equal(cell(columns, "glasses"), "");
    assert_string_equal(cell(columns, "rotate"), "0");
    assert_string_equal(cell(columns, "flip"), "0");
    free(header);
    free(row);

    test_record(&record, "thermal", 3, 1); /* not filtered */
    columns = table(TF_CSV_THERMOFACE, &header, &row);
    assert_string_equal(cell(columns, "p0_x"), "40.0");
    assert_string_equal(cell(columns, "pf0_x"), "");
    free(header);
    free(row);
}

static void openface_profile(void **state)
{
    char *header, *row;
    size_t columns;

    test_record(&record, "thermal", 0, 1);
    record.t_mono_ns = 1500000400;
    record.faces.faces[0].pose = (struct tf_pose){30, 10, 5};
    columns = table(TF_CSV_OPENFACE, &header, &row);
    assert_int_equal(columns, 5 + 2 * 68 + 3);
    assert_string_equal(cells[0][0], "frame");
    assert_string_equal(cells[0][4], "success");
    assert_string_equal(cells[0][5], "x_0");
    assert_string_equal(cells[0][73], "y_0");
    assert_string_equal(cell(columns, "frame"), "1"); /* OpenFace counts from 1 */
    assert_string_equal(cell(columns, "timestamp"), "1.500000");
    assert_string_equal(cell(columns, "confidence"), "0.98");
    assert_string_equal(cell(columns, "success"), "1");
    assert_string_equal(cell(columns, "x_67"), "90.25");
    assert_string_equal(cell(columns, "y_67"), "33.0");
    /* Looks to the subject's left and up, and leans clockwise: OpenFace turns the other way, in radians. */
    assert_string_equal(cell(columns, "pose_Rx"), "-0.1745");
    assert_string_equal(cell(columns, "pose_Ry"), "-0.5236");
    assert_string_equal(cell(columns, "pose_Rz"), "0.0873");
    free(header);
    free(row);

    test_record(&record, "thermal", 1, 0);
    columns = table(TF_CSV_OPENFACE, &header, &row);
    assert_string_equal(cell(columns, "success"), "0");
    assert_string_equal(cell(columns, "confidence"), "0.0");
    assert_string_equal(cell(columns, "x_67"), "");
    assert_string_equal(cell(columns, "pose_Rz"), "");
    free(header);
    free(row);
}

static void frames_give_records(void **state)
{
    static struct tf_frame frame;

    frame.number = 3;
    frame.sequence = 9;
    frame.has_camera_counter = true;
    frame.camera_counter = 77;
    frame.t_mono_ns = 5;
    frame.t_utc_ns = 6;
    frame.stamp = TF_STAMP_FILE;
    frame.flags = TF_FLAG_GAP;
    frame.radiometry.valid = true;
    frame.sensor_c = 20.5f;
    memset(&record, 0, sizeof(record));
    record.faces.count = 4;
    tf_record_from_frame(&record, "x", &frame);
    assert_int_equal(record.frame, 3);
    assert_int_equal(record.sequence, 9);
    assert_true(record.has_camera_counter);
    assert_int_equal(record.camera_counter, 77);
    assert_int_equal(record.t_mono_ns, 5);
    assert_int_equal(record.t_utc_ns, 6);
    assert_int_equal(record.t_from, TF_STAMP_FILE);
    assert_int_equal(record.flags, TF_FLAG_GAP);
    assert_true(record.celsius);
    assert_true(record.sensor_c == 20.5f);
    assert_int_equal(record.faces.count, 4); /* not its business */
}

static void a_record_takes_microseconds(void **state)
{
    uint64_t best = UINT64_MAX;

    test_record(&record, "thermal", 1, 1);
    record.faces.faces[0] = test_face(1, true);
    for (int i = 0; i < 200; i++) {
        uint64_t start = tf_now_ns(), ns;

        assert_true(tf_record_ndjson(&record, text, size) > 0);
        ns = tf_now_ns() - start;
        best = ns < best ? ns : best;
    }
    print_message("fastest of 200 records: %.1f us\n", (double)best * 1e-3);
    assert_true(best < 30000 * SLOWER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_without_face_is_this_text),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(faces_come_back),
        cmocka_unit_test(numbers_are_rounded_not_cut),
        cmocka_unit_test(names_of_cameras_are_escaped),
        cmocka_unit_test(a_short_buffer_is_refused),
        cmocka_unit_test(the_longest_record_fits),
        cmocka_unit_test(csv_has_the_records_columns),
        cmocka_unit_test(csv_columns_do_not_depend_on_content),
        cmocka_unit_test(a_pair_is_told),
        cmocka_unit_test(openface_profile),
        cmocka_unit_test(frames_give_records),
        cmocka_unit_test(a_record_takes_microseconds),
    };

    return cmocka_run_group_tests_name("publish record", tests, setup, teardown);
}
