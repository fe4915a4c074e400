/* Files as sources: kinds, times, damage, limits. */
#include "base/count.h"
#include "common.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "clip.h"

static char folder[256];

static const char *in_folder(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *p = paths[next++ % 4];

    snprintf(p, sizeof(paths[0]), "%s/%s", folder, name);
    return p;
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof(folder), "%s/thermoface-file-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    av_log_set_level(AV_LOG_PANIC); /* the encoders of the clips have remarks */
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[600];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : -1;
}

/* Every value of every picture is known, and noisy enough that no byte is idle. */
static uint16_t pattern(int n, int x, int y)
{
    uint32_t v = (uint32_t)(n * 7919 + y * 31337 + x * 271);

    v ^= v >> 7;
    v *= 2654435761u;
    return (uint16_t)(v >> 13);
}

static void fill_u16(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint16_t v = pattern(n, x, y);

            memcpy(planes[0] + (size_t)y * strides[0] + (size_t)x * 2, &v, 2);
        }
}

static void fill_u16_big(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            planes[0][(size_t)y * strides[0] + (size_t)x * 2] = (uint8_t)(pattern(n, x, y) >> 8);
            planes[0][(size_t)y * strides[0] + (size_t)x * 2 + 1] = (uint8_t)pattern(n, x, y);
        }
}

/* Luma as the pattern; chroma, where there is some, flat. */
static void fill_planes(int n, uint8_t *const planes[4], const int strides[4], int w, int h, int chroma_h)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            planes[0][(size_t)y * strides[0] + x] = (uint8_t)pattern(n, x, y);
    for (int i = 1; i < 3 && planes[i]; i++)
        for (int y = 0; y < chroma_h; y++)
            memset(planes[i] + (size_t)y * strides[i], 60 * i, (size_t)w / 2);
}

static void fill_luma(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    fill_planes(n, planes, strides, w, h, h / 2);
}

static void fill_422(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    fill_planes(n, planes, strides, w, h, h);
}

static void fill_rgb(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    for (int y = 0; y < h; y++)
        memset(planes[0] + (size_t)y * strides[0], 200, (size_t)w * 4);
}

static const char *write_clip(const char *name, const char *codec, const char *pixel, int w, int h,
                              int frames, int fps,
                              void (*fill)(int, uint8_t *const[4], const int[4], int, int))
{
    const char *path = in_folder(name);

    if (clip_write(&(struct clip){path, codec, pixel, w, h, frames, fps, fill}))
        fail_msg("%s was not written", name);
    return path;
}

static const char *write_u16(const char *name, int frames, int fps)
{
    return write_clip(name, "ffv1", "gray16le", 160, 120, frames, fps, fill_u16);
}

static void assert_pattern(const struct tf_frame *f, int n)
{
    for (unsigned y = 0; y < f->height; y++)
        for (unsigned x = 0; x < f->width; x++)
            if (value_at(f, x, y) != pattern(n, (int)x, (int)y))
                fail_msg("picture %d differs at %u,%u", n, x, y);
}

static struct tf_source *fast(const char *path)
{
    return open_source(&(struct tf_source_options){.url = path, .pace = TF_PACE_FAST});
}

static void sixteen_bits_come_back_bit_exact(void **state)
{
    const char *path = write_u16("exact.mkv", 12, 10);
    struct tf_source *s = fast(path);
    const struct tf_source_info *info = tf_source_info(s);
    struct tf_frame *f;
    struct tf_error err = {0};
    int64_t utc = 0;

    assert_string_equal(info->kind, "file");
    assert_string_equal(info->format->name, "lepton3-y16");
    assert_int_equal(info->width, 160);
    assert_int_equal(info->height, 120);
    assert_int_equal(info->frames, 12);
    assert_float_equal(info->fps, 10, 0.01);
    assert_false(info->live);
    for (int i = 0; i < 12; i++) {
        f = next_frame(s);
        assert_pattern(f, i);
        assert_int_equal(f->number, i);
        assert_int_equal(f->sequence, i);
        assert_int_equal(f->t_mono_ns, i * 100000000ull);
        assert_int_equal(f->stamp, TF_STAMP_FILE);
        assert_int_equal(f->flags, 0);
        assert_true(f->radiometry.valid);
        if (i)
            assert_int_equal(f->t_utc_ns - utc, 100000000);
        utc = f->t_utc_ns;
        tf_frame_unref(f);
    }
    assert_int_equal(tf_source_next(s, 100, &f, &err), TF_NEXT_END);
    assert_int_equal(tf_source_next(s, 100, &f, &err), TF_NEXT_END);
    /* And once more from the beginning. */
    tf_source_stop(s);
    assert_int_equal(tf_source_start(s, &err), 0);
    f = next_frame(s);
    assert_pattern(f, 0);
    assert_int_equal(f->sequence, 0);
    tf_frame_unref(f);
    tf_source_close(s);
}

static void frames_outlive_their_source(void **state)
{
    struct tf_source *s = fast(write_u16("outlive.mkv", 4, 10));
    struct tf_frame *f[4];

    for (int i = 0; i < 4; i++)
        f[i] = next_frame(s);
    tf_source_close(s);
    for (int i = 0; i < 4; i++)
        assert_pattern(f[i], i);
    for (int i = 0; i < 4; i++)
        tf_frame_unref(f[i]);
    /* The next source clears up what they held (leak checkers see it if not). */
    tf_source_close(fast(in_folder("outlive.mkv")));
}

static void a_loop_goes_on_in_time(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){
        .url = write_u16("loop.mkv", 5, 10), .pace = TF_PACE_FAST, .loop = true, .limit = 12});
    struct tf_frame *f;
    struct tf_error err = {0};

    assert_int_equal(tf_source_info(s)->frames, 12);
    for (int i = 0; i < 12; i++) {
        f = next_frame(s);
        assert_pattern(f, i % 5);
        assert_int_equal(f->number, i);
        assert_int_equal(f->sequence, i % 5);
        assert_int_equal(f->t_mono_ns, i * 100000000ull);
        assert_int_equal(f->flags, 0);
        tf_frame_unref(f);
    }
    assert_int_equal(tf_source_next(s, 100, &f, &err), TF_NEXT_END);
    tf_source_close(s);
}

static void recorded_pace_takes_its_time(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){.url = write_u16("pace.mkv", 6, 20)});
    uint64_t start = tf_now_ns(), first = 0;
    struct tf_frame *f;
    struct tf_error err = {0};

    assert_true(tf_source_info(s)->live);
    for (uint64_t sequence = 0; sequence < 5;) {
        f = next_frame(s);
        sequence = f->sequence;
        if (!first)
            first = f->t_mono_ns;
        assert_true(f->t_mono_ns <= tf_now_ns());
        assert_int_equal(f->t_mono_ns - first, sequence * 50000000ull);
        tf_frame_unref(f);
        if (sequence == 0)
            assert_int_equal(tf_source_next(s, 0, &f, &err), TF_NEXT_TIMEOUT);
    }
    assert_true(tf_now_ns() - start >= 245000000u);
    tf_source_close(s);
}

static void played_as_a_camera_it_loses_what_nobody_takes(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){.url = write_u16("late.mkv", 200, 100)});
    struct tf_frame *f = next_frame(s);
    uint64_t lost;

    tf_frame_unref(f);
    tf_sleep_until_ns(tf_now_ns() + 250000000u);
    f = next_frame(s);
    lost = tf_source_drops(s).capture;
    assert_true(lost >= 10);
    assert_true(f->flags & TF_FLAG_GAP);
    assert_int_equal(f->sequence, lost + 1);
    assert_pattern(f, (int)f->sequence);
    tf_frame_unref(f);
    tf_source_close(s);
}

static void offline_waits_for_a_free_frame(void **state)
{
    struct tf_source *s = open_source(
        &(struct tf_source_options){.url = write_u16("wait.mkv", 4, 10), .pace = TF_PACE_FAST, .frames = 2});
    struct tf_frame *a = next_frame(s), *b = next_frame(s), *f;
    struct tf_error err = {0};

    assert_int_equal(tf_source_next(s, 30, &f, &err), TF_NEXT_TIMEOUT);
    tf_source_wake(s);
    assert_int_equal(tf_source_next(s, -1, &f, &err), TF_NEXT_TIMEOUT);
    tf_frame_unref(a);
    f = next_frame(s);
    assert_pattern(f, 2);
    assert_int_equal(tf_source_drops(s).capture, 0);
    tf_frame_unref(f);
    tf_frame_unref(b);
    tf_source_close(s);
}

static void a_row_that_does_not_fit_is_named_with_the_file(void **state)
{
    const char *path = write_u16("row.mkv", 2, 10);

    assert_open_fails(&(struct tf_source_options){.url = path, .format = "lepton2-y16"}, -EINVAL,
                      WORDS("row.mkv", "160x120", "gray16le", "lepton2-y16", "80x60"));
    assert_open_fails(&(struct tf_source_options){.url = path, .format = "infiray-256"}, -EINVAL,
                      WORDS("row.mkv", "infiray-256", "256x384"));
    assert_open_fails(&(struct tf_source_options){.url = path, .format = "visible"}, -EINVAL,
                      WORDS("row.mkv", "visible", "8-bit"));
    assert_open_fails(&(struct tf_source_options){.url = path, .width = 320, .height = 240}, -EINVAL,
                      WORDS("160x120", "320x240"));
    path = write_clip("row8.mkv", "ffv1", "gray", 160, 120, 2, 10, fill_luma);
    assert_open_fails(&(struct tf_source_options){.url = path, .format = "lepton3-y16"}, -EINVAL,
                      WORDS("row8.mkv", "gray", "lepton3-y16", "16-bit"));
}

static void a_user_scale_makes_degrees(void **state)
{
    struct tf_source *s = open_source(&(struct tf_source_options){
        .url = write_clip("scale.mkv", "ffv1", "gray16le", 64, 48, 1, 10, fill_u16),
        .pace = TF_PACE_FAST,
        .scale = 0.1f,
        .offset = -50});
    struct tf_frame *f = next_frame(s);

    assert_string_equal(tf_source_info(s)->format->name, "y16");
    assert_true(f->radiometry.valid);
    assert_float_equal(f->radiometry.scale, 0.1f, 1e-6);
    assert_float_equal(f->radiometry.offset, -50, 1e-6);
    tf_frame_unref(f);
    tf_source_close(s);
    s = fast(in_folder("scale.mkv"));
    f = next_frame(s);
    assert_false(f->radiometry.valid);
    tf_frame_unref(f);
    tf_source_close(s);
}

static void bad_files_say_what_is_wrong(void **state)
{
    char path[512];
    FILE *out;

    assert_open_fails(&(struct tf_source_options){.url = in_folder("absent.mkv")}, -ENOENT,
                      WORDS("absent.mkv", "no such file"));
    assert_open_fails(&(struct tf_source_options){.url = folder}, -EINVAL, WORDS(folder, "folder"));
    snprintf(path, sizeof(path), "%s", in_folder("empty.mkv"));
    fclose(fopen(path, "w"));
    assert_open_fails(&(struct tf_source_options){.url = path}, -EIO, WORDS("empty.mkv", "is empty"));
    snprintf(path, sizeof(path), "%s", in_folder("text.mkv"));
    out = fopen(path, "w");
    for (int i = 0; i < 400; i++)
        fprintf(out, "This is not a video, line %d.\n", i);
    fclose(out);
    assert_open_fails(&(struct tf_source_options){.url = path}, -EIO, WORDS("text.mkv", "not a video"));
    snprintf(path, sizeof(path), "file:%s", in_folder("text.mkv"));
    assert_open_fails(&(struct tf_source_options){.url = path}, -EIO, WORDS("text.mkv", "not a video"));
    snprintf(path, sizeof(path), "%s", in_folder("sound.wav"));
    assert_int_equal(clip_write_sound(path), 0);
    assert_open_fails(&(struct tf_source_options){.url = path}, -EIO, WORDS("sound.wav", "no video"));
}

static void a_truncated_file_plays_to_its_break_and_says_so(void **state)
{
    const char *path = write_u16("cut.mkv", 30, 10);
    struct tf_error err = {0};
    struct tf_source *s;
    struct tf_frame *f;
    struct stat st;
    enum tf_next r;
    int n = 0;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    s = fast(path);
    while ((r = tf_source_next(s, 1000, &f, &err)) == TF_NEXT_FRAME) {
        assert_pattern(f, n++);
        tf_frame_unref(f);
    }
    assert_int_equal(r, TF_NEXT_ERROR);
    assert_true(n >= 10 && n <= 15);
    assert_non_null(strstr(err.text, "cut.mkv"));
    assert_non_null(strstr(err.text, "truncated"));
    tf_source_close(s);

    assert_int_equal(truncate(path, 2000), 0);
    assert_open_fails(&(struct tf_source_options){.url = path}, -EIO, WORDS("cut.mkv", "truncated"));
    assert_int_equal(truncate(path, 100), 0);
    assert_open_fails(&(struct tf_source_options){.url = path}, -EIO, WORDS("cut.mkv"));
}

static void a_damaged_picture_is_flagged(void **state)
{
    const char *path = write_u16("damaged.mkv", 10, 10);
    struct tf_source *s;
    int damaged = 0;
    struct stat st;
    FILE *file;

    assert_int_equal(stat(path, &st), 0);
    file = fopen(path, "r+b");
    fseek(file, st.st_size / 2, SEEK_SET);
    fputc(0xff ^ fgetc(file), file);
    fseek(file, st.st_size / 2, SEEK_SET);
    for (int i = 0; i < 8; i++)
        fputc(0x5a, file);
    fclose(file);
    s = fast(path);
    for (int i = 0; i < 10; i++) {
        struct tf_frame *f = next_frame(s);

        if (f->flags & TF_FLAG_CORRUPT)
            damaged++;
        else
            assert_pattern(f, (int)f->sequence);
        tf_frame_unref(f);
    }
    assert_int_equal(damaged, 1);
    tf_source_close(s);
}

static void other_pixel_formats_become_frames(void **state)
{
    static const struct {
        const char *name, *codec, *pixel;
        void (*fill)(int, uint8_t *const[4], const int[4], int, int);
        enum tf_pixel expected;
    } cases[] = {
        {"gray.mkv", "ffv1", "gray", fill_luma, TF_PIXEL_U8},
        {"420.mkv", "ffv1", "yuv420p", fill_luma, TF_PIXEL_YUV420},
        {"422.mkv", "ffv1", "yuv422p", fill_422, TF_PIXEL_YUV420},
        {"big.nut", "rawvideo", "gray16be", fill_u16_big, TF_PIXEL_U16},
        {"rgb.mkv", "ffv1", "bgr0", fill_rgb, TF_PIXEL_YUV420},
    };

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_source *s =
            fast(write_clip(cases[i].name, cases[i].codec, cases[i].pixel, 64, 48, 3, 10, cases[i].fill));
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->pixel, cases[i].expected);
        assert_int_equal(tf_source_info(s)->pixel, cases[i].expected);
        if (cases[i].fill == fill_luma || cases[i].fill == fill_422)
            for (unsigned y = 0; y < 48; y++)
                for (unsigned x = 0; x < 64; x++)
                    assert_int_equal(value_at(f, x, y), (uint8_t)pattern(0, (int)x, (int)y));
        else if (cases[i].fill == fill_u16_big)
            assert_pattern(f, 0);
        else
            assert_in_range(value_at(f, 10, 10), 180, 215);
        if (cases[i].expected == TF_PIXEL_YUV420 && cases[i].fill != fill_rgb)
            for (int p = 1; p < 3; p++)
                for (unsigned y = 0; y < 24; y++)
                    assert_int_equal(f->plane[p][(size_t)y * f->stride[p] + 31], 60 * p);
        tf_frame_unref(f);
        tf_source_close(s);
    }
    { /* and gray on demand, out of a coloured picture */
        struct tf_source *s = open_source(
            &(struct tf_source_options){.url = in_folder("420.mkv"), .format = "grey", .pace = TF_PACE_FAST});
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->pixel, TF_PIXEL_U8);
        assert_null(f->plane[1]);
        assert_int_equal(value_at(f, 3, 4), (uint8_t)pattern(0, 3, 4));
        tf_frame_unref(f);
        tf_source_close(s);
    }
}

/* Picture n of a Lepton: values 30000 + n, counter and shutter as a script says. */
static const uint32_t script_counter[] = {100, 101, 101, 102, 105, 106};
static const uint32_t script_status[] = {0, 1u << 4, 2u << 4, 2u << 4, 3u << 4, 3u << 4};

static void fill_lepton(int n, uint8_t *const planes[4], const int strides[4], int w, int h, int first,
                        int line)
{
    const struct lepton_words words = {.counter = script_counter[n],
                                       .status = script_status[n],
                                       .fpa_k100 = 30415,
                                       .tlinear = 1,
                                       .resolution = 0};
    uint8_t rows[640] = {0};

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint16_t v = (uint16_t)(3000 + n);

            memcpy(planes[0] + (size_t)y * strides[0] + (size_t)x * 2, &v, 2);
        }
    lepton_rows(&words, rows);
    for (int y = first; y < first + line; y++)
        memcpy(planes[0] + (size_t)y * strides[0], rows + (size_t)(y - first) * (size_t)w * 2, (size_t)w * 2);
}

static void fill_lepton3_footer(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    fill_lepton(n, planes, strides, w, h, 120, 2);
}

static void fill_lepton2_header(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    fill_lepton(n, planes, strides, w, h, 0, 3);
}

static void check_lepton(const char *path, const char *row, unsigned w, unsigned h)
{
    struct tf_source *s = open_source(&(struct tf_source_options){
        .url = path, .format = row, .pace = TF_PACE_FAST, .settle_ns = 150000000u});
    static const uint32_t flags[] = {0,
                                     TF_FLAG_FFC_IMMINENT,
                                     TF_FLAG_FFC | TF_FLAG_DUPLICATE,
                                     TF_FLAG_FFC,
                                     TF_FLAG_FFC_SETTLING | TF_FLAG_GAP,
                                     0};

    assert_string_equal(tf_source_info(s)->format->name, row);
    for (int i = 0; i < 6; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->width, w);
        assert_int_equal(f->height, h);
        for (unsigned y = 0; y < h; y++)
            for (unsigned x = 0; x < w; x++)
                assert_int_equal(value_at(f, x, y), 3000 + i);
        assert_true(f->has_camera_counter);
        assert_int_equal(f->camera_counter, script_counter[i]);
        assert_int_equal(f->flags, flags[i]);
        assert_float_equal(f->sensor_c, 31.0, 0.001);
        assert_true(f->radiometry.valid); /* the camera said 0.1 K, whatever the row assumed */
        assert_float_equal(f->radiometry.scale, 0.1f, 1e-6);
        assert_int_equal(f->dropped_driver, i >= 4 ? 2 : 0);
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static void lepton_telemetry_reaches_the_frame(void **state)
{
    check_lepton(write_clip("lepton3.mkv", "ffv1", "gray16le", 160, 122, 6, 10, fill_lepton3_footer),
                 "lepton3-y16-telemetry", 160, 120);
    check_lepton(write_clip("lepton2.mkv", "ffv1", "gray16le", 80, 63, 6, 10, fill_lepton2_header),
                 "lepton2-y16-telemetry-header", 80, 60);
}

static void fill_infiray(int n, uint8_t *const planes[4], const int strides[4], int w, int h)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint16_t v = y < 192 ? 0x8080 : pattern(n, x, y - 192);

            memcpy(planes[0] + (size_t)y * strides[0] + (size_t)x * 2, &v, 2);
        }
}

static void infiray_is_split(void **state)
{
    struct tf_source *s =
        fast(write_clip("infiray.nut", "rawvideo", "yuyv422", 256, 384, 3, 25, fill_infiray));

    assert_string_equal(tf_source_info(s)->format->name, "infiray-256");
    for (int i = 0; i < 3; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->width, 256);
        assert_int_equal(f->height, 192);
        assert_int_equal(f->pixel, TF_PIXEL_U16);
        assert_pattern(f, i);
        assert_float_equal(f->radiometry.scale, 1.0 / 64, 1e-9);
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static void shared_recordings_have_as_many_frames_as_their_index_says(void **state)
{
    const char *shared = getenv("TF_SHARED");
    char line[256], path[1024];
    struct tf_frame *f;
    FILE *index;
    int files = 0;

    snprintf(path, sizeof(path), "%s/data/thermal6/index.csv", shared ? shared : "../shared");
    index = fopen(path, "r");
    if (!index)
        skip();
    if (!fgets(line, sizeof(line), index))
        fail();
    while (fgets(line, sizeof(line), index)) {
        char *name = strtok(line, ","), *frames = strtok(NULL, ",");
        struct tf_error err = {0};
        struct tf_source *s;
        enum tf_next r;
        long n = 0;

        snprintf(path, sizeof(path), "%s/data/thermal6/recordings/%s.mkv", shared ? shared : "../shared",
                 name);
        s = open_source(
            &(struct tf_source_options){.url = path, .format = "lepton3-y16", .pace = TF_PACE_FAST});
        while ((r = tf_source_next(s, 1000, &f, &err)) == TF_NEXT_FRAME) {
            assert_int_equal(f->sequence, n);
            assert_int_equal(f->flags, 0);
            n++;
            tf_frame_unref(f);
        }
        if (r != TF_NEXT_END)
            fail_msg("%s: %s", name, err.text);
        assert_int_equal(n, atol(frames));
        assert_int_equal(tf_source_info(s)->frames, n);
        tf_source_close(s);
        files++;
    }
    fclose(index);
    assert_true(files > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_bits_come_back_bit_exact),
        cmocka_unit_test(frames_outlive_their_source),
        cmocka_unit_test(a_loop_goes_on_in_time),
        cmocka_unit_test(recorded_pace_takes_its_time),
        cmocka_unit_test(played_as_a_camera_it_loses_what_nobody_takes),
        cmocka_unit_test(offline_waits_for_a_free_frame),
        cmocka_unit_test(a_row_that_does_not_fit_is_named_with_the_file),
        cmocka_unit_test(a_user_scale_makes_degrees),
        cmocka_unit_test(bad_files_say_what_is_wrong),
        cmocka_unit_test(a_truncated_file_plays_to_its_break_and_says_so),
        cmocka_unit_test(a_damaged_picture_is_flagged),
        cmocka_unit_test(other_pixel_formats_become_frames),
        cmocka_unit_test(lepton_telemetry_reaches_the_frame),
        cmocka_unit_test(infiray_is_split),
        cmocka_unit_test(shared_recordings_have_as_many_frames_as_their_index_says),
    };

    return cmocka_run_group_tests_name("capture file", tests, make_folder, remove_folder);
}
