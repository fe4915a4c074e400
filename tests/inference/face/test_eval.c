/*
 * thermoface eval, run as a person runs it, on made-up data whose score is known: the warm spots of
 * make_models.py as pictures, as a recording and as vectors.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

#define SIDE 128

static char folder[] = "/tmp/tf-test-eval-XXXXXX";

/* iBUG-like offsets of the spot network, in cells; the same as template() in make_models.py. */
static int offsets[68][2];

static void make_offsets(void)
{
    static const int rest[41][2] = {{0, -4},  {0, -2}, {0, -1},  {0, 1},   {-2, 2},  {-1, 2},  {0, 3},
                                    {1, 2},   {2, 2},  {-6, -4}, {-5, -5}, {-4, -5}, {-3, -4}, {-4, -3},
                                    {-5, -3}, {3, -4}, {4, -5},  {5, -5},  {6, -4},  {5, -3},  {4, -3},
                                    {-3, 5},  {-2, 4}, {-1, 4},  {0, 4},   {1, 4},   {2, 4},   {3, 5},
                                    {2, 6},   {1, 6},  {0, 6},   {-1, 6},  {-2, 6},  {-2, 5},  {-1, 5},
                                    {0, 5},   {1, 5},  {2, 5},   {1, 5},   {0, 5},   {-1, 5}};
    static const int brow[10] = {-6, -5, -4, -3, -2, 2, 3, 4, 5, 6};

    for (int i = 0; i < 17; i++) {
        offsets[i][0] = (int)rint(-8 * cos(M_PI * i / 16));
        offsets[i][1] = (int)rint(-3 + 11 * sin(M_PI * i / 16));
    }
    for (int i = 0; i < 10; i++) {
        offsets[17 + i][0] = brow[i];
        offsets[17 + i][1] = brow[i] == -4 || brow[i] == 4 ? -8 : -7;
    }
    memcpy(offsets[27], rest, sizeof(rest));
}

static FILE *create(const char *name)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    return f;
}

/* Runs `thermoface eval ARGS` with {} as the folder; returns the exit status and what it printed (both
 * streams). */
static int run(char *output, size_t size, const char *args)
{
    char command[4096] = "cd ", *at;
    FILE *p;
    size_t n;

    strcat(command, folder);
    strcat(command, " && " TF_THERMOFACE " eval ");
    at = command + strlen(command);
    snprintf(at, sizeof(command) - (size_t)(at - command), "%s 2>&1", args);
    p = popen(command, "r");
    assert_non_null(p);
    n = fread(output, 1, size - 1, p);
    output[n] = '\0';
    int status = pclose(p);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static json_t *run_json(const char *args)
{
    char output[8192];
    json_error_t error;
    int status = run(output, sizeof(output), args);

    if (status != 0)
        fail_msg("exit %d: %s", status, output);
    /* One line, one object. */
    assert_ptr_equal(strchr(output, '\n'), output + strlen(output) - 1);
    json_t *o = json_loads(output, 0, &error);
    if (!o)
        fail_msg("not JSON: %s", output);
    return o;
}

static double number(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);

    if (!json_is_number(v))
        fail_msg("no number '%s'", key);
    return json_number_value(v);
}

static double warmth(double x, double y, double cx, double cy)
{
    return exp(-(pow(x - cx, 2) + pow(y - cy, 2)) / (2 * 3.0 * 3.0));
}

static void picture(const char *name, double cx, double cy)
{
    FILE *f = create(name);

    fprintf(f, "P5\n%d %d\n255\n", SIDE, SIDE);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++)
            fputc((int)lrint(20 + 200 * warmth(x, y, cx, cy)), f);
    }
    fclose(f);
}

static void header(FILE *f)
{
    fprintf(f, "file,subject,source");
    for (int k = 0; k < 68; k++)
        fprintf(f, ",x%d,y%d", k, k);
    fprintf(f, "\n");
}

/* The truth moved by dx: two pixels a cell. */
static void row(FILE *f, const char *file, const char *source, double cx, double cy, double dx)
{
    fprintf(f, "%s,p1,%s", file, source);
    for (int k = 0; k < 68; k++)
        fprintf(f, ",%.2f,%.2f", cx + 2 * offsets[k][0] + dx, cy + 2 * offsets[k][1]);
    fprintf(f, "\n");
}

static int set_up(void **state)
{
    FILE *f;

    make_offsets();
    assert_non_null(mkdtemp(folder));
    picture("a.pgm", 60, 62);
    picture("b.pgm", 66.5, 58);
    f = create("labels.csv");
    header(f);
    row(f, "a.pgm", "one", 60, 62, 0);
    row(f, "b.pgm", "two", 66.5, 58, 4); /* 4 pixels off, of an eye distance of 24 */
    fclose(f);
    return 0;
}

static int tear_down(void **state)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) == 0 ? 0 : -1;
}

static void visible68_measures_what_it_says(void **state)
{
    json_t *o =
        run_json("visible68 labels.csv --images . --model " TF_TEST_MODELS "/landmarks_spot.onnx --json");
    json_t *one = json_object_get(json_object_get(o, "by_source"), "one");
    json_t *two = json_object_get(json_object_get(o, "by_source"), "two");

    assert_float_equal(number(o, "images"), 2, 0);
    assert_float_equal(number(one, "images"), 1, 0);
    assert_true(number(one, "nme") < 2.5);
    assert_float_equal(number(one, "fail10"), 0, 0);
    assert_float_equal(number(two, "nme"), 100 * 4 / 24.0, 2.5);
    assert_float_equal(number(two, "fail10"), 100, 0);
    assert_float_equal(number(o, "nme"), (number(one, "nme") + number(two, "nme")) / 2, 1e-3);
    assert_float_equal(number(o, "fail10"), 50, 0);
    /* The failed picture adds nothing to the area under the curve. */
    assert_float_equal(number(o, "auc10"), (1 - number(one, "nme") / 10) / 2, 1e-3);
    json_decref(o);
}

static void points_also_counts_pixels(void **state)
{
    json_t *o =
        run_json("points labels.csv --images . --model " TF_TEST_MODELS "/landmarks_spot.onnx --json");

    assert_float_equal(number(o, "points"), 68, 0);
    assert_string_equal(json_string_value(json_object_get(o, "order")), "ibug68");
    /* 4 picture pixels are 2 of the input's, in one of the two coordinates, on one of the two pictures. */
    assert_float_equal(number(o, "mae"), 0.5, 0.15);
    assert_float_equal(number(o, "mse"), 1.0, 0.35);
    json_decref(o);
}

static double nme_of(const char *options)
{
    char args[512];

    snprintf(args, sizeof(args),
             "visible68 one.csv --images . --model " TF_TEST_MODELS "/landmarks_both.onnx --json %s",
             options);
    json_t *o = run_json(args);
    double nme = number(o, "nme");

    json_decref(o);
    return nme;
}

/* A quarter of this network's reading lies an eighth of the window (6 pixels) right of the window's centre,
 * wherever the face is. */
static void boxes_move_and_readings_repeat(void **state)
{
    FILE *f = create("one.csv");
    char output[4096];

    header(f);
    row(f, "a.pgm", "one", 60, 62, 0);
    fclose(f);
    assert_float_equal(nme_of(""), 100 * 6 * 0.25 / 24, 1.5);
    /* The first face's box goes right: by 8 of its 32 pixels. */
    assert_float_equal(nme_of("--box-off 25"), 100 * (6 + 8) * 0.25 / 24, 1.5);
    /* The second reading's box lies round the first one's points, which were 3.5 pixels off. */
    assert_float_equal(nme_of("--box-off 25 --readings 2"), 100 * (6 + 3.5) * 0.25 / 24, 1.5);
    assert_float_equal(nme_of("--box-off 25 --readings 9"), 100 * 6 * 0.25 / 0.75 / 24, 1.5);
    assert_int_equal(run(output, sizeof(output), "visible68 one.csv --images . --readings 0"), 2);
    assert_int_equal(run(output, sizeof(output), "visible68 one.csv --images . --box-off -1"), 2);
}

static void faces_are_read_twice_if_asked(void **state)
{
    static const char both[] = " --images . --model " TF_TEST_MODELS "/landmarks_both.onnx";
    char output[4096], args[512];
    FILE *f = create("one.csv");

    header(f);
    row(f, "a.pgm", "one", 60, 62, 0);
    fclose(f);
    /* The coordinates of this network, a quarter of its points, lie an eighth of the window (6 pixels) right
     * of its middle: mirrored as much to the left. */
    snprintf(args, sizeof(args), "visible68 one.csv%s --json", both);
    json_t *once = run_json(args);
    snprintf(args, sizeof(args), "visible68 one.csv%s --mirror --json", both);
    json_t *twice = run_json(args);
    assert_true(number(once, "nme") > number(twice, "nme") + 100 * 0.5 / 24);
    json_decref(once);
    json_decref(twice);
    snprintf(args, sizeof(args), "points one.csv --images . --mirror --model %s/systems/b-simple.onnx",
             TF_TEST_SHIPPED);
    assert_int_equal(run(output, sizeof(output), args), 1);
    assert_non_null(strstr(output, "--mirror needs 68 points in the order ibug68"));
    assert_int_equal(run(output, sizeof(output), "thermal6 one.csv --recordings . --mirror sometimes"), 2);
    assert_non_null(strstr(output, "--mirror sometimes: must be auto, no or yes"));
    (void)state;
}

static void parts_are_scored(void **state)
{
    json_t *o =
        run_json("visible68 labels.csv --images . --model " TF_TEST_MODELS "/landmarks_spot.onnx --json");
    json_t *two = json_object_get(json_object_get(o, "by_source"), "two");
    const char *name;
    json_t *value;
    double sum = 0, count[] = {17, 10, 9, 12, 20};
    int k = 0;

    assert_int_equal(json_object_size(json_object_get(o, "by_part")), 5);
    json_object_foreach(json_object_get(o, "by_part"), name, value) sum +=
        json_number_value(value) * count[k++] / 68;
    assert_float_equal(sum, number(o, "nme"), 1e-3);
    /* Its labels are off as a whole. */
    json_object_foreach(json_object_get(two, "by_part"), name, value)
        assert_float_equal(json_number_value(value), 100 * 4 / 24.0, 5);
    json_decref(o);
}

static void segmentation_is_scored_by_class(void **state)
{
    json_t *o = run_json("segmentation labels.csv --images . --model " TF_TEST_MODELS
                         "/segmentation_spot.onnx --json");
    json_t *by = json_object_get(o, "by_class");

    /* The spot knows nothing of mouths, and of skin and background only a little. */
    assert_float_equal(number(o, "images"), 2, 0);
    assert_float_equal(number(by, "mouth"), 0, 0);
    assert_float_equal(number(by, "brows"), 0, 0);
    assert_true(number(by, "background") > 20 && number(by, "background") < 90);
    assert_float_equal(number(o, "miou"),
                       (number(by, "background") + number(by, "skin") + number(by, "brows") +
                        number(by, "eyes") + number(by, "nose") + number(by, "mouth")) /
                           6,
                       1e-3);
    json_decref(o);
}

static void vectors_finds_a_single_step(void **state)
{
    /* All black: the logits are the biases 0, -1 and -3, in steps of 8/255. */
    static const float logits[3] = {0, -1, -3};
    static float expect[2][3][24][24];
    FILE *f = create("input.f32");

    for (int i = 0; i < 2 * 24 * 24; i++)
        fwrite(&(float){0}, sizeof(float), 1, f);
    fclose(f);
    for (int s = 0; s < 2; s++) {
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < 24 * 24; i++)
                expect[s][c][i / 24][i % 24] = rintf(logits[c] * 255 / 8) * 8 / 255;
        }
    }
    f = create("expect.f32");
    fwrite(expect, sizeof(expect), 1, f);
    fclose(f);
    json_t *o =
        run_json("vectors " TF_TEST_MODELS "/segmentation_spot.onnx --input input.f32 --expect expect.f32 "
                 "--json");
    assert_float_equal(number(o, "samples"), 2, 0);
    assert_float_equal(number(o, "differences"), 0, 0);
    assert_float_equal(number(o, "max_abs"), 0, 0);
    json_decref(o);

    expect[1][2][5][7] += 3.0f * 8 / 255;
    expect[0][0][0][0] = NAN;
    f = create("expect.f32");
    fwrite(expect, sizeof(expect), 1, f);
    fclose(f);
    o = run_json("vectors " TF_TEST_MODELS
                 "/segmentation_spot.onnx --input input.f32 --expect expect.f32 --json");
    assert_float_equal(number(o, "differences"), 2, 0);
    assert_float_equal(number(o, "max_abs"), 255, 0);
    json_decref(o);
}

/* A Lepton on its side: 20 frames, a person in the first ten who moves, nobody later. */
static bool recording(void)
{
    char command[1024];
    FILE *f = create("raw.gray");

    for (int i = 0; i < 20; i++) {
        for (int ny = 0; ny < 120; ny++) {
            for (int nx = 0; nx < 160; nx++) {
                /* Upright x = 119 - ny, y = nx. */
                double c = 21 + (i < 10 ? 18 * warmth(119 - ny, nx, 50 + i, 70) : 0);
                uint16_t v = (uint16_t)lrint((c + 273.15) * 100);
                fwrite(&v, 2, 1, f);
            }
        }
    }
    fclose(f);
    snprintf(command, sizeof(command),
             "cd %s && ffmpeg -loglevel error -y -f rawvideo -pix_fmt gray16le -s 160x120 -r 9 -i raw.gray "
             "-c:v ffv1 "
             "rec1.mkv",
             folder);
    return system("command -v ffmpeg >/dev/null") == 0 && system(command) == 0;
}

static void thermal_label(FILE *f, int frame, double dx, int mask)
{
    double cx = 50 + frame + dx, cy = 70;

    /* A cell of the finder's box is 20 / 8 pixels: 16 of 64 input pixels, 160 pixels high, over 16 cells. */
    double cell = 2.5;
    fprintf(
        f,
        "rec1,%d,p,0,0,10,10,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,0,%d,frontal,good\n",
        frame, cx - 4.5 * cell, cy - 4 * cell, cx + 4.5 * cell, cy - 4 * cell, cx, cy + cell, cx - 3 * cell,
        cy + 5 * cell, cx + 3 * cell, cy + 5 * cell, cx, cy + 8 * cell, mask);
}

static void thermal6_plays_and_judges(void **state)
{
    static const char columns[] =
        "rec,frame,person,x0,y0,x1,y1,eye_r_x,eye_r_y,eye_l_x,eye_l_y,nose_x,nose_y,mouth_r_x,"
        "mouth_r_y,mouth_l_x,mouth_l_y,chin_x,chin_y,glasses,mask,yaw,quality\n";
    FILE *f;

    if (!recording())
        skip();
    f = create("dev.csv");
    fputs(columns, f);
    thermal_label(f, 2, 0, 0);
    thermal_label(f, 5, 0, 1);
    thermal_label(f, 8, 6, 0);  /* about a quarter of the eye distance of 22.5 off: found, but a failure */
    thermal_label(f, 12, 0, 0); /* nobody there: not found */
    fclose(f);
    f = create("negative.csv");
    fputs("rec,first_frame,last_frame\nrec1,9,12\n", f);
    fclose(f);
    char command[1024];
    snprintf(command, sizeof(command),
             "cp " TF_TEST_MODELS "/landmarks_spot.onnx %s/landmarks68.onnx && cp " TF_TEST_MODELS
             "/finder_spot.onnx %s/finder.onnx",
             folder, folder);
    assert_int_equal(system(command), 0);
    json_t *o = run_json("thermal6 dev.csv --recordings . --negative negative.csv --models . --json");
    assert_float_equal(number(o, "faces"), 4, 0);
    assert_float_equal(number(o, "found"), 75, 0);
    assert_float_equal(number(o, "nme"), 100 * 6 / 22.5 / 3, 3.5);
    assert_float_equal(number(o, "fail15"), 50, 0);
    assert_float_equal(number(o, "false_per_1000"), 250, 0); /* frame 9 of 9 to 12 */
    json_decref(o);

    /* A label after the recording's end is an error, not a miss. */
    char output[4096];
    f = create("late.csv");
    fputs(columns, f);
    thermal_label(f, 99, 0, 0);
    fclose(f);
    assert_int_equal(run(output, sizeof(output), "thermal6 late.csv --recordings . --models ."), 1);
    assert_non_null(strstr(output, "frame 99 of rec1 is labelled, but the recording is shorter"));
}

/* A row for a picture whose warm spot lies at (cx, cy), its points dx to the right of the truth. */
static void still_label(FILE *f, const char *file, double cx, double cy, double dx, const char *end)
{
    double cell = 2; /* the finder's box is 16 of 64 input pixels of a picture of 128 */

    cx += dx;
    fprintf(f, "%s,lab,p,0,0,10,10,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%s\n", file,
            cx - 4.5 * cell, cy - 4 * cell, cx + 4.5 * cell, cy - 4 * cell, cx, cy + cell, cx - 3 * cell,
            cy + 5 * cell, cx + 3 * cell, cy + 5 * cell, cx, cy + 8 * cell, end);
}

static void stills_are_judged_one_by_one(void **state)
{
    static const char columns[] =
        "file,source,person,x0,y0,x1,y1,eye_r_x,eye_r_y,eye_l_x,eye_l_y,nose_x,nose_y,mouth_r_x,"
        "mouth_r_y,mouth_l_x,mouth_l_y,chin_x,chin_y,glasses,mask,yaw,quality\n";
    char command[1024], output[4096];
    FILE *f = create("stills.csv");

    picture("s1.pgm", 60, 60);
    picture("s2.pgm", 70, 50);
    fputs(columns, f);
    still_label(f, "s1.pgm", 60, 60, 0, "0,0,frontal,good");
    still_label(f, "s2.pgm", 70, 50, 0, "1,0,quarter,fair");
    still_label(f, "s2.pgm", 70, 50, 6, "1,0,quarter,good");   /* a third of the eye distance of 18 off */
    still_label(f, "s2.pgm", 30, 110, 0, "0,0,quarter,good");  /* nobody there */
    still_label(f, "none.pgm", 70, 50, 0, "0,0,frontal,poor"); /* not even looked at */
    /* Nose and mouth blank: found by the right eye. */
    fputs("s1.pgm,lab,p,0,0,10,10,51,52,69,52,,,,,,,60,76,0,0,frontal,good\n", f);
    /* An eye blank: no distance to measure by. */
    fputs("s1.pgm,lab,p,0,0,10,10,51,52,,,60,62,54,70,66,70,60,76,0,0,frontal,good\n", f);
    fclose(f);
    snprintf(command, sizeof(command),
             "cp " TF_TEST_MODELS "/landmarks_spot.onnx %s/landmarks68.onnx && cp " TF_TEST_MODELS
             "/finder_spot.onnx %s/finder.onnx",
             folder, folder);
    assert_int_equal(system(command), 0);
    json_t *o = run_json("stills stills.csv --images . --models . --json");
    assert_float_equal(number(o, "faces"), 5, 0);
    assert_float_equal(number(o, "found"), 80, 0);
    assert_float_equal(number(o, "fail15"), 40, 0);
    assert_float_equal(number(o, "nme"), 100 * 6.0 / 18 / 4, 3.5);
    assert_float_equal(number(json_object_get(o, "left_out"), "poor"), 1, 0);
    assert_float_equal(number(json_object_get(o, "left_out"), "eye_unseen"), 1, 0);
    assert_float_equal(number(json_object_get(json_object_get(o, "by_glasses"), "1"), "faces"), 2, 0);
    assert_float_equal(number(json_object_get(json_object_get(o, "by_yaw"), "frontal"), "found"), 100, 0);
    assert_float_equal(number(json_object_get(json_object_get(o, "by_source"), "lab"), "faces"), 5, 0);
    json_decref(o);

    f = create("half.csv");
    fputs(columns, f);
    fputs("s1.pgm,lab,p,0,0,10,10,51,52,69,52,60,,,,,,60,76,0,0,frontal,good\n", f);
    fclose(f);
    assert_int_equal(run(output, sizeof(output), "stills half.csv --images . --models ."), 1);
    assert_non_null(strstr(output, "half.csv:2: nose_y: '' is not a number"));
}

static void bad_labels_name_file_and_line(void **state)
{
    static const char model[] = " --images . --model " TF_TEST_MODELS "/landmarks_spot.onnx";
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"empty.csv", "", "empty.csv: empty"},
        {"nohead.csv", "file,x0\n", "nohead.csv:1: column 'y0' is missing"},
        {"short.csv", "HEADERa.pgm,p\n", "short.csv:2: 2 fields, the header has 139"},
        {"word.csv", "HEADERROWx\n", "word.csv:2: y67"},
        {"none.csv", "HEADER", "none.csv: no rows"},
        {"climb.csv", "HEADER../ROW\n", "climb.csv:2: file: '../a.pgm' is not a file name inside the folder"},
        {"gone.csv", "HEADERz/ROW\n", "gone.csv:2: ./z/a.pgm: cannot open"},
    };
    char output[4096], args[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        FILE *f = create(cases[i].name);
        const char *at = cases[i].text;

        if (strncmp(at, "HEADER", 6) == 0) {
            header(f);
            at += 6;
        }
        const char *whole = strstr(at, "ROW");
        if (whole) {
            fprintf(f, "%.*s", (int)(whole - at), at);
            fprintf(f, "a.pgm,p,s");
            for (int k = 0; k < 68; k++)
                fprintf(f, ",%d,%d", 60 + 2 * offsets[k][0], 60 + 2 * offsets[k][1]);
            at = whole + 3;
        }
        fputs(at, f);
        fclose(f);
        snprintf(args, sizeof(args), "visible68 %s%s", cases[i].name, model);
        assert_int_equal(run(output, sizeof(output), args), 1);
        if (!strstr(output, cases[i].message))
            fail_msg("'%s' does not say '%s'", output, cases[i].message);
    }
    /* A line without an end stops at the limit. */
    FILE *f = create("long.csv");
    for (int i = 0; i < 40000; i++)
        fputc('x', f);
    fclose(f);
    snprintf(args, sizeof(args), "visible68 long.csv%s", model);
    assert_int_equal(run(output, sizeof(output), args), 1);
    assert_non_null(strstr(output, "long.csv:1: the line is longer"));
}

static void wrong_use_is_exit_2(void **state)
{
    char output[8192];

    assert_int_equal(run(output, sizeof(output), ""), 2);
    assert_int_equal(run(output, sizeof(output), "nonsense"), 2);
    assert_non_null(strstr(output, "'nonsense' is no command"));
    assert_int_equal(run(output, sizeof(output), "visible68 labels.csv"), 2);
    assert_non_null(strstr(output, "--images"));
    assert_int_equal(run(output, sizeof(output), "vectors model.onnx"), 2);
    assert_int_equal(run(output, sizeof(output), "thermal6 dev.csv"), 2);
    assert_int_equal(run(output, sizeof(output), "segmentation labels.csv"), 2);
    assert_int_equal(run(output, sizeof(output), "points labels.csv --images ."), 2);
    assert_int_equal(run(output, sizeof(output), "--help"), 0);
    assert_non_null(strstr(output, "thermal6"));
    /* A model that is not there is a failure, not wrong use. */
    assert_int_equal(run(output, sizeof(output), "points labels.csv --images . --model gone.onnx"), 1);
    assert_non_null(strstr(output, "gone.onnx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visible68_measures_what_it_says),
        cmocka_unit_test(points_also_counts_pixels),
        cmocka_unit_test(boxes_move_and_readings_repeat),
        cmocka_unit_test(faces_are_read_twice_if_asked),
        cmocka_unit_test(parts_are_scored),
        cmocka_unit_test(segmentation_is_scored_by_class),
        cmocka_unit_test(vectors_finds_a_single_step),
        cmocka_unit_test(thermal6_plays_and_judges),
        cmocka_unit_test(stills_are_judged_one_by_one),
        cmocka_unit_test(bad_labels_name_file_and_line),
        cmocka_unit_test(wrong_use_is_exit_2),
    };

    return cmocka_run_group_tests_name("cli: eval", tests, set_up, tear_down);
}
