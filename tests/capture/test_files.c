/* Files of every kind: times that begin anywhere, repeated pictures, streams, values in other clothes,
 * refusals. */
#include "common.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/count.h"
#include "clip.h"

#define W 160
#define H 120

static uint16_t value(int n, int x, int y)
{
    return (uint16_t)(30600 + (n * 131 + x * 7 + y * 3) % 997);
}

static void put16(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint16_t v = value(n, x, y);

            memcpy(planes[0] + y * strides[0] + x * 2, &v, 2);
        }
}

/* Pictures 4 to 13 are picture 4, as behind a closed shutter. */
static void put_frozen(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    put16(n > 4 && n < 14 ? 4 : n, planes, strides, width, height);
}

/* Each picture three times. */
static void put_thrice(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    put16(n / 3, planes, strides, width, height);
}

static void put_counts(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint16_t v = (uint16_t)(8000 + (n + x + y) % 300);

            memcpy(planes[0] + y * strides[0] + x * 2, &v, 2);
        }
}

/* TC001: gray picture above, values below, packed as planar 4:2:2; frame 2 has changed places. */
static uint16_t tc001_value(int n, int x, int y)
{
    return (uint16_t)(19600 + (n * 5 + x + y) % 200);
}

static void put_tc001(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            bool values = (y >= height / 2) != (n == 2);
            uint16_t v = values ? tc001_value(n, x, y % (height / 2)) : (uint16_t)(0x8000 | (x & 0xff));

            planes[0][y * strides[0] + x] = (uint8_t)v;
            planes[1 + x % 2][y * strides[1 + x % 2] + x / 2] = (uint8_t)(v >> 8);
        }
}

static int make(const char *path, const char *codec, const char *pixel, int w, int h, int frames, int fps,
                void (*fill)(int, uint8_t *const[4], const int[4], int, int))
{
    return clip_write(&(struct clip){path, codec, pixel, w, h, frames, fps, fill});
}

static struct tf_source *open_file(const char *url)
{
    return open_source(&(struct tf_source_options){.url = url, .pace = TF_PACE_FAST, .frozen = true});
}

static void closed_shutter_and_triples_in_files(void **state)
{
    struct tf_source *s;

    assert_int_equal(make("f.mkv", "ffv1", "gray16le", W, H, 20, 9, put_frozen), 0);
    s = open_file("f.mkv");
    for (int i = 0; i < 20; i++) {
        struct tf_frame *f = next_frame(s);
        bool repeated = i > 4 && i < 14;

        assert_int_equal(!!(f->flags & TF_FLAG_DUPLICATE), repeated);
        assert_int_equal(!!(f->flags & TF_FLAG_FFC), repeated && i >= 7); /* a quarter of a second after 4 */
        assert_int_equal(!!(f->flags & TF_FLAG_FFC_SETTLING), i >= 14);
        tf_frame_unref(f);
    }
    tf_source_close(s);
    assert_int_equal(make("f.mkv", "ffv1", "gray16le", W, H, 30, 27, put_thrice), 0);
    s = open_file("f.mkv");
    for (int i = 0; i < 30; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->flags, i % 3 ? TF_FLAG_DUPLICATE : 0);
        tf_frame_unref(f);
    }
    tf_source_close(s);
    unlink("f.mkv");
}

static void counts_are_not_celsius(void **state)
{
    struct tf_source *s;
    struct tf_frame *f;

    assert_int_equal(make("c.mkv", "ffv1", "gray16le", W, H, 3, 9, put_counts), 0);
    s = open_file("c.mkv");
    assert_string_equal(tf_source_info(s)->format->name, "lepton3-y16");
    f = next_frame(s);
    assert_false(f->radiometry.valid);
    assert_non_null(strstr(tf_source_notice(s), "TLinear"));
    tf_frame_unref(f);
    tf_source_close(s);
    unlink("c.mkv");
}

static void tc001_as_planes_and_out_of_step(void **state)
{
    struct tf_source *s;

    assert_int_equal(make("t.mkv", "ffv1", "yuv422p", 256, 384, 4, 25, put_tc001), 0);
    s = open_file("t.mkv");
    assert_string_equal(tf_source_info(s)->format->name, "infiray-256");
    for (int i = 0; i < 4; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->width, 256);
        assert_int_equal(f->height, 192);
        for (unsigned y = 0; y < 192; y += 13)
            for (unsigned x = 0; x < 256; x += 5)
                assert_int_equal(value_at(f, x, y), tc001_value(i, (int)x, (int)y));
        tf_frame_unref(f);
    }
    tf_source_close(s);
    unlink("t.mkv");
}

static void write_raw(const char *path, int frames, size_t cut, bool packed)
{
    gzFile file = gzopen(path, packed ? "wb1" : "wbT");
    uint16_t line[W];

    for (int n = 0; n < frames; n++)
        for (int y = 0; y < H; y++) {
            size_t bytes = sizeof(line);

            for (int x = 0; x < W; x++)
                line[x] = value(n, x, y);
            if (n == frames - 1 && y == H - 1)
                bytes -= cut;
            assert_int_equal(gzwrite(file, line, (unsigned)bytes), (int)bytes);
        }
    gzclose(file);
}

static void headerless_values(void **state)
{
    const struct tf_source_options o = {
        .url = "r.raw", .pace = TF_PACE_FAST, .raw = "160x120:gray16le@9", .frozen = true};
    struct tf_error err = {0};
    struct tf_frame *f = NULL;
    struct tf_source *s;

    for (int packed = 0; packed < 2; packed++) {
        write_raw("r.raw", 5, 0, packed);
        s = open_source(&o);
        for (int i = 0; i < 5; i++) {
            f = next_frame(s);
            assert_int_equal(value_at(f, 100, 50), value(i, 100, 50));
            assert_int_equal(f->t_mono_ns / 1000000, i * 1000 / 9);
            tf_frame_unref(f);
        }
        f = NULL;
        assert_int_equal(tf_source_next(s, 100, &f, &err), TF_NEXT_END);
        tf_source_close(s);
    }
    write_raw("r.raw", 3, 10, false);
    s = open_source(&o);
    tf_frame_unref(next_frame(s));
    tf_frame_unref(next_frame(s));
    assert_int_equal(tf_source_next(s, 100, &f, &err), TF_NEXT_ERROR);
    assert_non_null(strstr(err.text, "truncated"));
    tf_source_close(s);
    assert_open_fails(&(struct tf_source_options){.url = "r.raw", .raw = "160"}, -EINVAL,
                      WORDS("WIDTHxHEIGHT"));
    assert_open_fails(&(struct tf_source_options){.url = "r.raw", .raw = "160x120:nix@9"}, -EINVAL,
                      WORDS("nix", "gray16le"));
    unlink("r.raw");
}

static void sequences_and_files_in_shm(void **state)
{
    struct tf_source *s;
    struct tf_frame *f;
    char name[64];

    for (int i = 3; i < 7; i++) {
        if (i == 5)
            continue; /* lost */
        snprintf(name, sizeof(name), "seq_%04d.mkv", i);
        assert_int_equal(make(name, "ffv1", "gray16le", W, H, 1, 9, put16), 0);
    }
    s = open_file("seq_%04d.mkv");
    for (int i = 0; i < 3; i++) {
        f = next_frame(s);
        assert_int_equal(!!(f->flags & TF_FLAG_GAP), i == 2);
        tf_frame_unref(f);
    }
    tf_source_close(s);
    for (int i = 3; i < 7; i++) {
        snprintf(name, sizeof(name), "seq_%04d.mkv", i);
        unlink(name);
    }
    snprintf(name, sizeof(name), "/dev/shm/tf-test-%d.mkv", (int)getpid());
    assert_int_equal(make(name, "ffv1", "gray16le", W, H, 2, 9, put16), 0);
    s = open_file(name);
    tf_frame_unref(next_frame(s));
    tf_source_close(s);
    unlink(name);
}

static void write_bytes(const char *path, const char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void what_cannot_be_read_is_named(void **state)
{
    write_bytes("x.bin", "FFF\0\1\2\3", 7);
    assert_open_fails(&(struct tf_source_options){.url = "x.bin"}, -ENOTSUP, WORDS("FLIR", "16-bit TIFF"));
    write_bytes("x.bin",
                "\xff\xd8\xff\xe0\0\4ab\xff\xe1\0\x10"
                "FLIR\0\1\0\0",
                20);
    assert_open_fails(&(struct tf_source_options){.url = "x.bin"}, -ENOTSUP, WORDS("R-JPEG", "exiftool"));
    write_bytes("x.ptw", "\1\2\3\0", 4);
    assert_open_fails(&(struct tf_source_options){.url = "x.ptw"}, -ENOTSUP, WORDS("PTW"));
    write_bytes("x.txt", "some words\n", 11);
    assert_open_fails(&(struct tf_source_options){.url = "x.txt"}, -EIO, WORDS("text"));
    assert_open_fails(&(struct tf_source_options){.url = "-"}, -EINVAL, WORDS("standard input"));
    assert_open_fails(&(struct tf_source_options){.url = "no_%03d.png"}, -ENOENT, WORDS("no_%03d.png"));
    assert_int_equal(mkfifo("x.pipe", 0600), 0);
    assert_open_fails(&(struct tf_source_options){.url = "x.pipe"}, -EINVAL, WORDS("pipe"));
    unlink("x.bin");
    unlink("x.ptw");
    unlink("x.txt");
    unlink("x.pipe");
}

/* A played recording's dates: what 64 bits of nanoseconds cannot hold, and what is no date, is a damaged row.
 */
static void dates_of_a_recording(void **state)
{
    static const struct {
        const char *date;
        bool good;
    } dates[] = {
        {"2026-03-01T10:15:30.123456Z", true},  {"2261-12-31T23:59:59.999999Z", true},
        {"1678-01-01T00:00:00.000000Z", true},  {"9999-12-31T23:59:59.000000Z", false},
        {"2261-99-01T00:00:00.000000Z", false}, {"1678--9-01T00:00:00.000000Z", false},
        {"2026-13-01T00:00:00.000000Z", false}, {"2026-03-00T00:00:00.000000Z", false},
        {"2026-03-01T24:00:00.000000Z", false}, {"2026-03-01T10:60:00.000000Z", false},
        {"2026-03-01T10:15:99.000000Z", false}, {"0000-00-00T00:00:00.000000Z", false},
    };
    const struct tf_source_options o = {.url = "recording:a", .format = "y16", .frames = 4};

    assert_int_equal(make("a_video.mkv", "ffv1", "gray16le", W, H, 1, 9, put16), 0);
    for (size_t i = 0; i < TF_COUNT(dates); i++) {
        FILE *table = fopen("a_frames.csv", "w");
        struct tf_frame *f = NULL;
        struct tf_error err = {0};
        struct tf_source *s;

        fprintf(table,
                "camera,frame,sequence,camera_counter,t_mono_ns,t_utc,t_from,state,flags,unit,sensor_c,"
                "dropped_driver,dropped_capture,dropped_inference,latency_us,c,c,c,c,c,c,c,c,c,c,c,c,c,c,c,c,"
                "video_frame\na,0,0,,1000,%s,file,ok,,counts,,0,0,0,5,,,,,,,,,,,,,,,,,0\n",
                dates[i].date);
        fclose(table);
        s = open_source(&o);
        if (dates[i].good) {
            f = next_frame(s);
            assert_true(i == 0 ? f->t_utc_ns == INT64_C(1772360130123456000) : (f->t_utc_ns < 0) == (i == 2));
            tf_frame_unref(f);
        } else {
            if (tf_source_next(s, 100, &f, &err) != TF_NEXT_ERROR)
                fail_msg("%s is taken", dates[i].date);
            assert_non_null(strstr(err.text, "row 1"));
        }
        tf_source_close(s);
    }
    unlink("a_frames.csv");
    unlink("a_video.mkv");
}

static void put_white(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p && strides[1] < width ? height / 2 : height); y++)
            memset(planes[p] + y * strides[p], p ? 128 : 255, (size_t)strides[p]);
}

/* JPEG's 255 is white: frames say so, or conversion has made it 235. */
static void white_of_full_range(void **state)
{
    static const struct {
        const char *codec, *pixel;
        bool full;
        int white;
    } cases[] = {{"mjpeg", "yuvj420p", true, 255},
                 {"mjpeg", "yuvj422p", true, 255},
                 {"mjpeg", "yuvj444p", false, 235},
                 {"ffv1", "yuv420p", false, 255}};

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_source *s;
        struct tf_frame *f;

        assert_int_equal(make("white.mkv", cases[i].codec, cases[i].pixel, 64, 48, 1, 10, put_white), 0);
        s = open_file("white.mkv");
        f = next_frame(s);
        assert_int_equal(f->pixel, TF_PIXEL_YUV420);
        assert_int_equal(f->full_range, cases[i].full);
        assert_int_equal(tf_source_info(s)->full_range, cases[i].full);
        assert_in_range(f->plane[0][10 * f->stride[0] + 10], cases[i].white - 2, cases[i].white);
        tf_frame_unref(f);
        tf_source_close(s);
    }
    unlink("white.mkv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_of_full_range),
        cmocka_unit_test(closed_shutter_and_triples_in_files),
        cmocka_unit_test(counts_are_not_celsius),
        cmocka_unit_test(tc001_as_planes_and_out_of_step),
        cmocka_unit_test(headerless_values),
        cmocka_unit_test(sequences_and_files_in_shm),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(dates_of_a_recording),
    };
    char folder[] = "/tmp/tf-files-XXXXXX";
    int failed;

    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (chdir("/") == 0)
        rmdir(folder);
    return failed;
}
