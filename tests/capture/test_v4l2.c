#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>

#include "fake_v4l2.h"

static const struct tf_source_options plain = {.url = FAKE_PATH};

static uint16_t pattern(unsigned n, size_t i)
{
    return (uint16_t)(n * 257 + i * 31);
}

static void fill_u16(uint8_t *data, size_t size, unsigned n)
{
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint16_t v = pattern(n, i / 2);

        memcpy(data + i, &v, 2);
    }
}

static void fill_big(uint8_t *data, size_t size, unsigned n)
{
    for (size_t i = 0; i + 1 < size; i += 2) {
        data[i] = (uint8_t)(pattern(n, i / 2) >> 8);
        data[i + 1] = (uint8_t)pattern(n, i / 2);
    }
}

static void fill_bytes(uint8_t *data, size_t size, unsigned n)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251 + n);
}

static int reset(void **state)
{
    fake_reset();
    fake.fill = fill_u16;
    return 0;
}

static void assert_u16(const struct tf_frame *f, unsigned n, unsigned words_a_line, unsigned first_line)
{
    for (unsigned y = 0; y < f->height; y++)
        for (unsigned x = 0; x < f->width; x++)
            if (value_at(f, x, y) != pattern(n, (size_t)(y + first_line) * words_a_line + x))
                fail_msg("frame %u differs at %u,%u", n, x, y);
}

static enum tf_next next_is_no_frame(struct tf_source *s, int timeout_ms, struct tf_error *err)
{
    struct tf_frame *f = NULL;
    enum tf_next r = tf_source_next(s, timeout_ms, &f, err);

    assert_int_not_equal(r, TF_NEXT_FRAME);
    assert_null(f);
    return r;
}

static void frames_lend_the_drivers_buffers(void **state)
{
    struct tf_source *s = open_source(&plain);
    const struct tf_source_info *info = tf_source_info(s);

    assert_string_equal(info->kind, "v4l2");
    assert_string_equal(info->name, "Fake camera");
    assert_string_equal(info->identity, FAKE_PATH);
    assert_string_equal(info->format->name, "lepton3-y16");
    assert_true(info->live);
    assert_float_equal(info->fps, 9, 0.01);
    for (unsigned i = 0; i < 40; i++) {
        struct tf_frame *f = next_frame(s);

        assert_u16(f, i, 160, 0);
        assert_int_equal(f->sequence, i);
        assert_int_equal(f->flags, 0);
        assert_int_equal(f->stamp, TF_STAMP_DRIVER_EOF);
        assert_true(f->t_mono_ns <= tf_now_ns() && tf_now_ns() - f->t_mono_ns < 1000000000u);
        tf_frame_unref(f);
    }
    assert_int_equal(fake.maps, 12);
    tf_source_close(s);
    assert_int_equal(fake.streams_off, 1);
    assert_int_equal(fake.closes, fake.opens);
}

static void stamps_are_taken_from_where_the_flags_say(void **state)
{
    static const struct {
        uint32_t flags;
        enum tf_stamp stamp;
    } cases[] = {
        {V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE, TF_STAMP_DRIVER_SOE},
        {V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_EOF, TF_STAMP_DRIVER_EOF},
        {V4L2_BUF_FLAG_TIMESTAMP_COPY, TF_STAMP_ARRIVAL},
        {V4L2_BUF_FLAG_TIMESTAMP_UNKNOWN, TF_STAMP_ARRIVAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tf_source *s;
        struct tf_frame *f;

        reset(NULL);
        fake.buffer_flags = cases[i].flags;
        s = open_source(&plain);
        f = next_frame(s);
        assert_int_equal(f->stamp, cases[i].stamp);
        tf_frame_unref(f);
        tf_source_close(s);
    }
}

/* Stamps that cannot be times of capture: in the future, at 0, an hour old, not a time at all, backwards. */
static int odd_stamps(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    switch (n) {
    case 1:
        b->timestamp.tv_sec += 1000;
        break;
    case 2:
        b->timestamp.tv_sec = b->timestamp.tv_usec = 0;
        break;
    case 3:
        b->timestamp.tv_sec -= 3600;
        break;
    case 4:
        b->timestamp.tv_usec = 99999999;
        break;
    case 5:
        b->timestamp.tv_sec = -5;
        break;
    case 6:
        b->timestamp.tv_sec -= 2;
        break;
    }
    return 0;
}

static void stamps_that_make_no_sense_become_arrival(void **state)
{
    struct tf_source *s;
    uint64_t last = 0;

    fake.dequeued = odd_stamps;
    s = open_source(&plain);
    for (int i = 0; i < 9; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->stamp, i >= 1 && i <= 6 ? TF_STAMP_ARRIVAL : TF_STAMP_DRIVER_EOF);
        assert_true(f->t_mono_ns > last && f->t_mono_ns <= tf_now_ns());
        last = f->t_mono_ns;
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static int gaps(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    static const uint32_t numbers[] = {0xfffffffc, 0xfffffffd, 0, 1, 1, 2, 0, 5};

    b->sequence = numbers[n < 8 ? n : 7] + (n < 8 ? 0 : n - 7);
    return 0;
}

static void holes_in_the_sequence_are_counted(void **state)
{
    /* Two are lost across the wrap; a repeated number and a renumbering are no losses; then 4 between 0
     * and 5. */
    static const unsigned lost[] = {0, 0, 2, 2, 2, 2, 2, 6, 6};
    struct tf_source *s;
    uint64_t last = 0;

    fake.dequeued = gaps;
    s = open_source(&plain);
    for (int i = 0; i < 9; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->dropped_driver, lost[i]);
        assert_int_equal((f->flags & TF_FLAG_GAP) != 0, i && lost[i] != lost[i - 1]);
        if (i)
            assert_true(f->sequence > last);
        last = f->sequence;
        tf_frame_unref(f);
    }
    assert_int_equal(tf_source_drops(s).driver, 6);
    tf_source_close(s);
}

static int damaged(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    if (n == 1)
        b->flags |= V4L2_BUF_FLAG_ERROR;
    if (n == 2)
        b->bytesused -= 1;
    if (n == 3)
        b->bytesused = 0;
    if (n == 4)
        b->bytesused = UINT32_MAX;
    return 0;
}

static void damaged_buffers_are_flagged_frames(void **state)
{
    struct tf_source *s;

    fake.dequeued = damaged;
    s = open_source(&plain);
    for (int i = 0; i < 6; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal((f->flags & TF_FLAG_CORRUPT) != 0, i >= 1 && i <= 4);
        assert_u16(f, (unsigned)i, 160, 0); /* readable all the same */
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static int failing_with;
static int fails_at_3(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    return n == 3 ? -failing_with : 0;
}

static void a_lost_camera_is_told_by_its_reason(void **state)
{
    static const struct {
        int code;
        enum tf_next next;
        const char *word;
    } cases[] = {{ENODEV, TF_NEXT_GONE, "unplugged"},
                 {EIO, TF_NEXT_GONE, "failed while streaming"},
                 {EINVAL, TF_NEXT_ERROR, "VIDIOC_DQBUF"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tf_error err = {0};
        struct tf_source *s;

        reset(NULL);
        failing_with = cases[i].code;
        fake.dequeued = fails_at_3;
        s = open_source(&plain);
        for (int k = 0; k < 3; k++)
            tf_frame_unref(next_frame(s));
        assert_int_equal(next_is_no_frame(s, 1000, &err), cases[i].next);
        assert_non_null(strstr(err.text, cases[i].word));
        assert_non_null(strstr(err.text, FAKE_PATH));
        tf_source_close(s);
        assert_int_equal(fake.closes, fake.opens);
    }
}

static int wrong_index(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    if (n == 2)
        b->index = 4000000000u;
    if (n == 5)
        b->index = (b->index + 1) % 12; /* one that the driver still has, in its own words */
    return 0;
}

static void an_index_out_of_range_is_an_error(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s;

    fake.dequeued = wrong_index;
    s = open_source(&plain);
    tf_frame_unref(next_frame(s));
    tf_frame_unref(next_frame(s));
    assert_int_equal(next_is_no_frame(s, 1000, &err), TF_NEXT_ERROR);
    assert_non_null(strstr(err.text, "does not have"));
    tf_source_close(s);
}

static void opening_fails_for_a_reason(void **state)
{
    fake.open_errno = EACCES;
    assert_open_fails(&plain, -EACCES, WORDS(FAKE_PATH, "permission denied", "video"));
    fake.open_errno = EBUSY;
    assert_open_fails(&plain, -EBUSY, WORDS(FAKE_PATH, "another program"));
    fake.open_errno = ENODEV;
    assert_open_fails(&plain, -ENODEV, WORDS(FAKE_PATH, "gone"));
    fake.open_errno = 0;
    assert_open_fails(&(struct tf_source_options){.url = "/dev/no-such-camera"}, -ENOENT,
                      WORDS("/dev/no-such-camera", "plugged in"));
    assert_open_fails(&(struct tf_source_options){.url = "/dev/no-such-camera*"}, -ENOENT,
                      WORDS("/dev/no-such-camera*", "no device matches"));
    assert_open_fails(&(struct tf_source_options){.url = "/dev/zero"}, -ENOTSUP,
                      WORDS("/dev/zero", "not a V4L2"));
    assert_open_fails(&(struct tf_source_options){.url = "/dev/"}, -ENOTSUP, WORDS("not a device"));
    fake.capabilities = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING;
    assert_open_fails(&plain, -ENOTSUP, WORDS("not a capture device"));
    fake.capabilities = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING;
    assert_open_fails(&plain, -ENOTSUP, WORDS("multi-planar"));
    fake.capabilities = V4L2_CAP_VIDEO_CAPTURE;
    assert_open_fails(&plain, -ENOTSUP, WORDS("mapped buffers"));
    assert_int_equal(fake.closes, fake.opens);
}

static void formats_that_do_not_fit_are_named(void **state)
{
    assert_open_fails(&(struct tf_source_options){.url = FAKE_PATH, .format = "grey"}, -EINVAL,
                      WORDS("grey needs GREY", "Y16 160x120"));
    assert_open_fails(&(struct tf_source_options){.url = FAKE_PATH, .format = "lepton2-y16"}, -EINVAL,
                      WORDS("lepton2-y16", "80x60", "160x120"));
    assert_open_fails(
        &(struct tf_source_options){.url = FAKE_PATH, .format = "lepton3-y16", .width = 80, .height = 60},
        -EINVAL, WORDS("lepton3-y16", "80x60"));
    fake.give_width = 320;
    fake.give_height = 180;
    assert_open_fails(&plain, -EINVAL, WORDS("160x120", "gives 320x180"));
    fake.formats[0].width = 0;
    assert_open_fails(
        &(struct tf_source_options){.url = FAKE_PATH, .format = "y16", .width = 384, .height = 288}, -EINVAL,
        WORDS("384x288", "gives 320x180", "accept"));
    {
        struct tf_source *s = open_source(&(struct tf_source_options){
            .url = FAKE_PATH, .format = "y16", .width = 384, .height = 288, .accept_size = true});

        assert_int_equal(tf_source_info(s)->width, 320);
        assert_int_equal(tf_source_info(s)->height, 180);
        tf_source_close(s);
    }
    reset(NULL);
    fake.give_fourcc = V4L2_PIX_FMT_YUYV;
    assert_open_fails(&plain, -EINVAL, WORDS("turned Y16 into YUYV"));
    assert_int_equal(fake.closes, fake.opens);
}

static void answers_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        uint32_t stride, size, width, height;
        const char *word;
    } cases[] = {
        {4000000000u, UINT32_MAX, 0, 0, "4000000000 bytes a line"},
        {3, UINT32_MAX, 0, 0, "3 bytes a line"},
        {UINT32_MAX, 100, 0, 0, "hold 100 bytes"},
        {UINT32_MAX, 0, 0, 0, "hold 0 bytes"},
        {UINT32_MAX, UINT32_MAX, 70000, 0, "70000x"},
        {1u << 20, 4096, 160, 4096, "4096 MiB"}, /* no bytes at all, as 32 bits count */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tf_source *s = NULL;
        struct tf_error err = {0};
        int r;

        reset(NULL);
        fake.stride = cases[i].stride;
        fake.size = cases[i].size;
        fake.give_width = cases[i].width;
        if (cases[i].height) {
            fake.formats[0].width = cases[i].width;
            fake.formats[0].height = cases[i].height;
        }
        fake.least_size = 65536;
        r = tf_source_open(&plain, &s, &err);
        if (!r) {
            r = tf_source_start(s, &err);
            tf_source_close(s);
        }
        assert_int_equal(r, -EPROTO);
        if (!strstr(err.text, cases[i].word))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].word);
        assert_int_equal(fake.closes, fake.opens);
    }
}

static void every_ioctl_may_fail(void **state)
{
    static const unsigned long requests[] = {VIDIOC_QUERYCAP, VIDIOC_S_FMT, VIDIOC_REQBUFS,
                                             VIDIOC_QUERYBUF, VIDIOC_QBUF,  VIDIOC_STREAMON};
    static const int codes[] = {EINVAL, EBUSY, EIO, ENODEV, ENOMEM};

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        for (size_t k = 0; k < sizeof(codes) / sizeof(codes[0]); k++)
            for (int after = 0; after < 2; after++) {
                struct tf_source *s = NULL;
                struct tf_error err = {0};
                int r;

                reset(NULL);
                fake.fault.request = requests[i];
                fake.fault.code = codes[k];
                fake.fault.times = 1;
                /* Buffers one by one: the first or a later one. */
                fake.fault.after =
                    requests[i] == VIDIOC_QUERYBUF || requests[i] == VIDIOC_QBUF ? after * 3 : 0;
                r = tf_source_open(&plain, &s, &err);
                if (!r)
                    r = tf_source_start(s, &err);
                assert_true(r < 0);
                assert_non_null(strstr(err.text, FAKE_PATH));
                if (codes[k] == EBUSY && requests[i] != VIDIOC_QUERYCAP && requests[i] != VIDIOC_QUERYBUF &&
                    requests[i] != VIDIOC_QBUF) {
                    assert_int_equal(r, -EBUSY);
                    assert_non_null(strstr(err.text, "another program"));
                }
                /* The next attempt works: nothing was left behind. */
                if (s) {
                    assert_int_equal(tf_source_start(s, &err), 0);
                    tf_frame_unref(next_frame(s));
                    tf_source_close(s);
                }
                assert_int_equal(fake.closes, fake.opens);
            }
    /* Interrupted calls go on. */
    reset(NULL);
    fake.fault.request = VIDIOC_DQBUF;
    fake.fault.code = EINTR;
    fake.fault.times = 3;
    {
        struct tf_source *s = open_source(&plain);

        tf_frame_unref(next_frame(s));
        tf_source_close(s);
    }
}

static void too_few_or_too_many_buffers(void **state)
{
    struct tf_source *s = NULL;
    struct tf_error err = {0};

    fake.buffers = 1;
    assert_int_equal(tf_source_open(&plain, &s, &err), 0);
    assert_int_equal(tf_source_start(s, &err), -ENOMEM);
    assert_non_null(strstr(err.text, "gives 1 buffers"));
    tf_source_close(s);

    reset(NULL);
    fake.buffers = 3;
    s = open_source(&plain);
    {
        struct tf_frame *held[3];

        for (int i = 0; i < 3; i++)
            held[i] = next_frame(s);
        assert_int_equal(next_is_no_frame(s, 40, &err), TF_NEXT_TIMEOUT); /* all are out */
        tf_frame_unref(held[1]);
        held[1] = next_frame(s);
        assert_u16(held[1], 3, 160, 0);
        assert_u16(held[0], 0, 160, 0);
        for (int i = 0; i < 3; i++)
            tf_frame_unref(held[i]);
    }
    tf_source_close(s);
}

static void *release_later(void *frame)
{
    tf_sleep_until_ns(tf_now_ns() + 20000000u);
    tf_frame_unref(frame);
    return NULL;
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct stat st;

        n += fstat(fd, &st) == 0;
    }
    return n;
}

static void frames_stay_when_the_camera_goes(void **state)
{
    unsigned before = open_descriptors();

    for (int round = 0; round < 30; round++) {
        struct tf_source *s = open_source(&plain);
        struct tf_frame *f[4];
        pthread_t thread;

        for (int i = 0; i < 4; i++)
            f[i] = next_frame(s);
        pthread_create(&thread, NULL, release_later, tf_frame_ref(f[3]));
        tf_source_close(s);
        assert_int_equal(fake.closes, fake.opens); /* the device is free although frames are out */
        s = open_source(&plain);                   /* and can be used again */
        tf_frame_unref(next_frame(s));
        for (unsigned i = 0; i < 4; i++)
            assert_u16(f[i], (unsigned)f[i]->sequence, 160, 0);
        for (int i = 0; i < 4; i++)
            tf_frame_unref(f[i]);
        pthread_join(thread, NULL);
        tf_source_close(s);
        reset(NULL);
    }
    assert_true(open_descriptors() <= before);
}

static void a_stopped_source_starts_again(void **state)
{
    struct tf_source *s = open_source(&plain);
    struct tf_frame *kept = next_frame(s), *f;
    struct tf_error err = {0};

    tf_source_stop(s);
    assert_int_equal(next_is_no_frame(s, 0, &err), TF_NEXT_ERROR);
    assert_int_equal(tf_source_start(s, &err), 0);
    f = next_frame(s);
    assert_int_equal(f->number, 1);
    assert_u16(kept, 0, 160, 0);
    tf_frame_unref(f);
    tf_frame_unref(kept);
    tf_source_close(s);
}

static void padded_lines_are_honoured(void **state)
{
    struct tf_source *s;
    struct tf_frame *f;

    fake.stride = 384; /* 320 and 64 of padding */
    s = open_source(&plain);
    f = next_frame(s);
    assert_int_equal(f->stride[0], 384);
    assert_u16(f, 0, 192, 0);
    tf_frame_unref(f);
    tf_source_close(s);

    reset(NULL);
    fake.stride = 321; /* no aligned words: copied */
    fake.fill = fill_bytes;
    s = open_source(&plain);
    f = next_frame(s);
    for (unsigned y = 0; y < 120; y++)
        for (unsigned x = 0; x < 160; x++) {
            size_t i = (size_t)y * 321 + (size_t)x * 2;
            uint8_t low = (uint8_t)(i * 7 + i / 251), high = (uint8_t)((i + 1) * 7 + (i + 1) / 251);

            assert_int_equal(value_at(f, x, y), low | high << 8);
        }
    tf_frame_unref(f);
    tf_source_close(s);
}

static void big_endian_values_are_turned(void **state)
{
    struct tf_source *s;

    fake.formats[0].fourcc = V4L2_PIX_FMT_Y16_BE;
    fake.stride = 352;
    fake.fill = fill_big;
    s = open_source(&(struct tf_source_options){.url = FAKE_PATH, .scale = 0.01f, .offset = -273.15f});
    assert_string_equal(tf_source_info(s)->format->name, "y16-be");
    for (unsigned i = 0; i < 20; i++) {
        struct tf_frame *f = next_frame(s);

        assert_u16(f, i, 176, 0);
        assert_true(f->radiometry.valid);
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static void infiray_gives_its_lower_half(void **state)
{
    struct tf_source *s;
    struct tf_frame *f;

    fake.formats[0].fourcc = V4L2_PIX_FMT_YUYV;
    fake.formats[0].width = 256;
    fake.formats[0].height = 384;
    s = open_source(&plain);
    assert_string_equal(tf_source_info(s)->format->name, "infiray-256");
    f = next_frame(s);
    assert_int_equal(f->pixel, TF_PIXEL_U16);
    assert_int_equal(f->width, 256);
    assert_int_equal(f->height, 192);
    assert_u16(f, 0, 256, 192);
    tf_frame_unref(f);
    tf_source_close(s);
}

static void pictures_for_people_have_their_planes(void **state)
{
    static const struct {
        uint32_t fourcc;
        enum tf_pixel pixel;
        uint32_t offset[3]; /* of the planes, for 64x48 with 80 bytes a line (128 packed) */
        uint32_t stride[3];
    } cases[] = {
        {V4L2_PIX_FMT_YUYV, TF_PIXEL_YUYV, {0}, {160}},
        {V4L2_PIX_FMT_UYVY, TF_PIXEL_UYVY, {0}, {160}},
        {V4L2_PIX_FMT_NV12, TF_PIXEL_NV12, {0, 80 * 48}, {80, 80}},
        {V4L2_PIX_FMT_YUV420, TF_PIXEL_YUV420, {0, 80 * 48, 80 * 48 + 40 * 24}, {80, 40, 40}},
        {V4L2_PIX_FMT_GREY, TF_PIXEL_U8, {0}, {80}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tf_source *s;
        struct tf_frame *f;

        reset(NULL);
        fake.fill = fill_bytes;
        fake.formats[0].fourcc = cases[i].fourcc;
        fake.formats[0].width = 64;
        fake.formats[0].height = 48;
        fake.stride = cases[i].stride[0];
        s = open_source(&plain);
        f = next_frame(s);
        assert_int_equal(f->pixel, cases[i].pixel);
        assert_false(f->radiometry.valid);
        for (int p = 0; p < 3; p++) {
            if (!cases[i].stride[p]) {
                assert_null(f->plane[p]);
                continue;
            }
            assert_int_equal(f->plane[p] - f->plane[0], cases[i].offset[p]);
            assert_int_equal(f->stride[p], cases[i].stride[p]);
        }
        tf_frame_unref(f);
        tf_source_close(s);
    }
}

static uint8_t jpeg[65536];
static size_t jpeg_size;

static void make_jpeg(void)
{
    AVCodecContext *c = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_MJPEG));
    AVFrame *f = av_frame_alloc();
    AVPacket *p = av_packet_alloc();

    c->width = f->width = 64;
    c->height = f->height = 48;
    c->pix_fmt = AV_PIX_FMT_YUVJ422P;
    f->format = c->pix_fmt;
    c->time_base = (AVRational){1, 25};
    c->flags |= AV_CODEC_FLAG_QSCALE;
    c->global_quality = FF_QP2LAMBDA;
    assert_true(avcodec_open2(c, NULL, NULL) >= 0 && av_frame_get_buffer(f, 0) >= 0);
    for (int y = 0; y < 48; y++) {
        for (int x = 0; x < 64; x++)
            f->data[0][y * f->linesize[0] + x] = (uint8_t)(2 * x + y);
        memset(f->data[1] + y * f->linesize[1], 90, 32);
        memset(f->data[2] + y * f->linesize[2], 170, 32);
    }
    assert_true(avcodec_send_frame(c, f) >= 0 && avcodec_receive_packet(c, p) >= 0);
    assert_true((size_t)p->size < sizeof(jpeg));
    memcpy(jpeg, p->data, (size_t)p->size);
    jpeg_size = (size_t)p->size;
    av_packet_free(&p);
    av_frame_free(&f);
    avcodec_free_context(&c);
}

static int give_jpeg(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    memcpy(data, jpeg, jpeg_size);
    b->bytesused = (uint32_t)jpeg_size;
    if (n == 1)
        memset(data, 0x55, jpeg_size); /* no JPEG at all */
    if (n == 2)
        b->bytesused = 0;
    return 0;
}

static void mjpg_is_decoded(void **state)
{
    struct tf_source *s;

    make_jpeg();
    fake.fill = NULL;
    fake.dequeued = give_jpeg;
    fake.formats[0].fourcc = V4L2_PIX_FMT_MJPEG;
    fake.formats[0].width = 64;
    fake.formats[0].height = 48;
    fake.size = 65536;
    s = open_source(&plain);
    assert_string_equal(tf_source_info(s)->format->name, "visible");
    for (int i = 0; i < 30; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->pixel, TF_PIXEL_YUV420);
        if (i == 1 || i == 2) {
            assert_true(f->flags & TF_FLAG_CORRUPT);
        } else {
            assert_false(f->flags & TF_FLAG_CORRUPT);
            for (int y = 0; y < 48; y++)
                for (int x = 0; x < 64; x++)
                    assert_in_range(f->plane[0][y * f->stride[0] + x] + 4, 2 * x + y, 2 * x + y + 8);
            for (int y = 0; y < 24; y++)
                assert_in_range(f->plane[2][y * f->stride[2] + 31], 168, 172);
        }
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static void no_signal_is_told_apart_from_silence(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s;
    uint64_t before;

    s = open_source(&plain);
    tf_frame_unref(next_frame(s));
    fake.input_status = V4L2_IN_ST_NO_SIGNAL;
    before = tf_now_ns();
    for (;;) { /* it is asked twice a second */
        struct tf_frame *f;
        enum tf_next r = tf_source_next(s, 100, &f, &err);

        if (r == TF_NEXT_NO_SIGNAL)
            break;
        assert_int_equal(r, TF_NEXT_FRAME);
        tf_frame_unref(f);
        assert_true(tf_now_ns() - before < 3000000000u);
    }
    assert_int_equal(next_is_no_frame(s, 50, &err), TF_NEXT_NO_SIGNAL);
    fake.input_status = 0;
    for (int i = 0; i < 20; i++) {
        struct tf_frame *f;
        enum tf_next r = tf_source_next(s, 100, &f, &err);

        if (r == TF_NEXT_FRAME) {
            assert_false(f->flags & TF_FLAG_GAP && tf_source_drops(s).capture);
            tf_frame_unref(f);
            tf_source_close(s);
            return;
        }
        assert_int_equal(r, TF_NEXT_NO_SIGNAL);
    }
    fail_msg("the signal never came back");
}

static void silence_times_out_and_can_be_ended(void **state)
{
    struct tf_error err = {0};
    struct tf_source *s;
    uint64_t before;

    fake.period_us = 900000;
    s = open_source(&plain);
    before = tf_now_ns();
    assert_int_equal(next_is_no_frame(s, 50, &err), TF_NEXT_TIMEOUT);
    assert_true(tf_now_ns() - before >= 50000000u);
    tf_source_wake(s);
    before = tf_now_ns();
    assert_int_equal(next_is_no_frame(s, -1, &err), TF_NEXT_TIMEOUT);
    assert_true(tf_now_ns() - before < 500000000u);
    tf_source_close(s);
}

static int ahead(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    b->timestamp.tv_usec += 15000; /* as vivid does: the end of the frame by its own reckoning */
    if (b->timestamp.tv_usec >= 1000000) {
        b->timestamp.tv_usec -= 1000000;
        b->timestamp.tv_sec++;
    }
    return 0;
}

static void a_stamp_a_little_ahead_is_held_at_now(void **state)
{
    struct tf_source *s;
    uint64_t last = 0;

    fake.dequeued = ahead;
    s = open_source(&plain);
    for (int i = 0; i < 8; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->stamp, TF_STAMP_DRIVER_EOF);
        assert_true(f->t_mono_ns > last && f->t_mono_ns <= tf_now_ns());
        last = f->t_mono_ns;
        tf_frame_unref(f);
    }
    tf_source_close(s);
}

static uint64_t random_state;
static uint32_t any(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % below);
}

static int odd_but_legal(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n)
{
    switch (any(14)) {
    case 0:
        b->bytesused = any(UINT32_MAX);
        break;
    case 1:
        b->bytesused = 0;
        break;
    case 2:
        b->timestamp.tv_sec -= (long)any(100);
        break;
    case 3:
        b->sequence = any(UINT32_MAX);
        break;
    case 4:
        b->flags = any(UINT32_MAX);
        break;
    case 5:
        if (any(6) == 0)
            b->index = any(UINT32_MAX);
        break;
    case 6:
        if (any(8) == 0) {
            static const int codes[] = {EIO, ENODEV, EINVAL, EAGAIN, EPIPE, ENOMEM};

            return -codes[any(6)];
        }
    }
    return 0;
}

static void odd_answers_never_hurt(void **state)
{
    static const uint32_t fourccs[] = {V4L2_PIX_FMT_Y16,   V4L2_PIX_FMT_Y16_BE, V4L2_PIX_FMT_YUYV,
                                       V4L2_PIX_FMT_NV12,  V4L2_PIX_FMT_GREY,   V4L2_PIX_FMT_MJPEG,
                                       V4L2_PIX_FMT_YUV420};
    unsigned frames = 0;

    for (unsigned round = 0; round < 400; round++) {
        struct tf_frame *held[6] = {0}, *f;
        struct tf_source *s;
        struct tf_error err = {0};

        reset(NULL);
        random_state = 88172645463325252ull + round * 7919;
        fake.period_us = 100;
        fake.fill = fill_bytes;
        fake.formats[0].fourcc = fourccs[any(7)];
        fake.formats[0].width = any(4) ? 16 + any(64) : any(5000);
        fake.formats[0].height = any(4) ? 16 + any(64) : any(400);
        fake.stride = any(4) ? UINT32_MAX : any(4096);
        fake.size = any(4) ? UINT32_MAX : any(1u << 18);
        fake.buffers = any(3) ? 0 : any(40);
        if (any(4) == 0)
            fake.give_width = any(5000);
        fake.dequeued = odd_but_legal;
        if (tf_source_open(&(struct tf_source_options){.url = FAKE_PATH, .accept_size = any(2)}, &s, &err))
            continue;
        if (tf_source_start(s, &err) == 0)
            for (int i = 0; i < 12; i++) {
                enum tf_next r = tf_source_next(s, 5, &f, &err);

                if (r == TF_NEXT_FRAME) {
                    /* Touch the whole picture: a reader would. */
                    volatile uint32_t sum = 0;
                    size_t bytes = f->pixel == TF_PIXEL_U16 ? f->width * 2u : f->width;

                    for (unsigned y = 0; y < f->height; y++)
                        sum += f->plane[0][(size_t)y * f->stride[0]] +
                               f->plane[0][(size_t)y * f->stride[0] + bytes - 1];
                    if (f->pixel == TF_PIXEL_YUV420)
                        sum += f->plane[2][(size_t)f->stride[2] * ((f->height + 1u) / 2) - 1];
                    (void)sum;
                    frames++;
                    tf_frame_unref(held[i % 6]);
                    held[i % 6] = f;
                } else if (r != TF_NEXT_TIMEOUT) {
                    break;
                }
            }
        tf_source_close(s);
        for (int i = 0; i < 6; i++)
            tf_frame_unref(held[i]);
    }
    assert_true(frames > 500); /* most rounds did reach the streaming part */
}

static void listing_is_safe_without_cameras(void **state)
{
    struct tf_device devices[8];
    struct tf_error err = {0};
    int n = tf_devices_list(devices, 8, &err);

    assert_in_range(n, 0, 8);
    for (int i = 0; i < n; i++) {
        assert_true(strncmp(devices[i].path, "/dev/video", 10) == 0);
        assert_true(devices[i].card[0] || devices[i].problem[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(frames_lend_the_drivers_buffers, reset),
        cmocka_unit_test_setup(stamps_are_taken_from_where_the_flags_say, reset),
        cmocka_unit_test_setup(stamps_that_make_no_sense_become_arrival, reset),
        cmocka_unit_test_setup(a_stamp_a_little_ahead_is_held_at_now, reset),
        cmocka_unit_test_setup(holes_in_the_sequence_are_counted, reset),
        cmocka_unit_test_setup(damaged_buffers_are_flagged_frames, reset),
        cmocka_unit_test_setup(a_lost_camera_is_told_by_its_reason, reset),
        cmocka_unit_test_setup(an_index_out_of_range_is_an_error, reset),
        cmocka_unit_test_setup(opening_fails_for_a_reason, reset),
        cmocka_unit_test_setup(formats_that_do_not_fit_are_named, reset),
        cmocka_unit_test_setup(answers_that_make_no_sense_are_refused, reset),
        cmocka_unit_test_setup(every_ioctl_may_fail, reset),
        cmocka_unit_test_setup(too_few_or_too_many_buffers, reset),
        cmocka_unit_test_setup(frames_stay_when_the_camera_goes, reset),
        cmocka_unit_test_setup(a_stopped_source_starts_again, reset),
        cmocka_unit_test_setup(padded_lines_are_honoured, reset),
        cmocka_unit_test_setup(big_endian_values_are_turned, reset),
        cmocka_unit_test_setup(infiray_gives_its_lower_half, reset),
        cmocka_unit_test_setup(pictures_for_people_have_their_planes, reset),
        cmocka_unit_test_setup(mjpg_is_decoded, reset),
        cmocka_unit_test_setup(no_signal_is_told_apart_from_silence, reset),
        cmocka_unit_test_setup(silence_times_out_and_can_be_ended, reset),
        cmocka_unit_test_setup(odd_answers_never_hurt, reset),
        cmocka_unit_test_setup(listing_is_safe_without_cameras, reset),
    };

    return cmocka_run_group_tests_name("capture v4l2", tests, NULL, NULL);
}
