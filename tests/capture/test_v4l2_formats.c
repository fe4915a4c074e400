/* The pixel formats and line lengths that V4L2 cameras give. */
#include "base/count.h"
#include "v4l2_pattern.h"

#include <libavcodec/avcodec.h>

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

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
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
        assert_false(f->full_range);
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

/* As the driver says it, if it says so; else as the colour space has it. */
static void full_range_is_the_drivers_word(void **state)
{
    static const struct {
        uint32_t colorspace, quantization;
        bool full;
    } cases[] = {{V4L2_COLORSPACE_SRGB, V4L2_QUANTIZATION_DEFAULT, false},
                 {V4L2_COLORSPACE_SRGB, V4L2_QUANTIZATION_FULL_RANGE, true},
                 {V4L2_COLORSPACE_JPEG, V4L2_QUANTIZATION_DEFAULT, true},
                 {V4L2_COLORSPACE_JPEG, V4L2_QUANTIZATION_LIM_RANGE, false}};

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_source *s;
        struct tf_frame *f;

        reset(NULL);
        fake.fill = fill_bytes;
        fake.formats[0].fourcc = V4L2_PIX_FMT_YUYV;
        fake.formats[0].width = 64;
        fake.formats[0].height = 48;
        fake.colorspace = cases[i].colorspace;
        fake.quantization = cases[i].quantization;
        s = open_source(&plain);
        assert_int_equal(tf_source_info(s)->full_range, cases[i].full);
        f = next_frame(s);
        assert_int_equal(f->full_range, cases[i].full);
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
    assert_true(tf_source_info(s)->full_range);
    for (int i = 0; i < 30; i++) {
        struct tf_frame *f = next_frame(s);

        assert_int_equal(f->pixel, TF_PIXEL_YUV420);
        assert_true(f->full_range || i == 1 || i == 2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(padded_lines_are_honoured, reset),
        cmocka_unit_test_setup(big_endian_values_are_turned, reset),
        cmocka_unit_test_setup(infiray_gives_its_lower_half, reset),
        cmocka_unit_test_setup(pictures_for_people_have_their_planes, reset),
        cmocka_unit_test_setup(full_range_is_the_drivers_word, reset),
        cmocka_unit_test_setup(mjpg_is_decoded, reset),
    };

    return cmocka_run_group_tests_name("capture v4l2 formats", tests, NULL, NULL);
}
