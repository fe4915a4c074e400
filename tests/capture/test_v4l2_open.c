/* Opening a V4L2 camera: what cannot work is named, what makes no sense is refused, any ioctl may fail. */
#include "base/count.h"
#include "v4l2_pattern.h"

#include <errno.h>
#include <unistd.h>

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

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
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

    for (size_t i = 0; i < TF_COUNT(requests); i++)
        for (size_t k = 0; k < TF_COUNT(codes); k++)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(opening_fails_for_a_reason, reset),
        cmocka_unit_test_setup(formats_that_do_not_fit_are_named, reset),
        cmocka_unit_test_setup(answers_that_make_no_sense_are_refused, reset),
        cmocka_unit_test_setup(every_ioctl_may_fail, reset),
        cmocka_unit_test_setup(too_few_or_too_many_buffers, reset),
        cmocka_unit_test_setup(odd_answers_never_hurt, reset),
    };

    return cmocka_run_group_tests_name("capture v4l2 open", tests, NULL, NULL);
}
