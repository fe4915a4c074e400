/*
 * A V4L2 driver that answers by the fuzzer's bytes: the first say what the camera claims to be, the rest
 * change words of its answers, one after the other. What only a broken kernel could do is left out: a
 * mapping stays as long as it was said to be.
 */
#include <errno.h>
#include <string.h>

#include "base/count.h"
#include "capture/source.h"
#include "fuzz.h"
#include "tests/capture/fake_v4l2.h"

static const uint8_t *bytes;
static size_t left;

static uint8_t byte(void)
{
    if (!left)
        return 0;
    left--;
    return *bytes++;
}

static uint32_t word(void)
{
    static const uint32_t odd[] = {0,        1,        2,          3,          0xff,       0x100,
                                   0xfff,    0x1000,   0xffff,     0x10000,    1u << 20,   (1u << 20) + 1,
                                   1u << 24, 1u << 28, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    uint8_t b = byte();

    return b < 128 ? odd[b % TF_COUNT(odd)] : (uint32_t)(b << 8 | byte());
}

/* The answer's words that may differ, by request. */
static int change(unsigned long rq, void *a, int r)
{
    struct v4l2_buffer *b = a;
    size_t size = _IOC_SIZE(rq), at;
    uint8_t what = byte();
    uint32_t v;

    if (what < 160) /* most answers stay honest, or nothing would ever stream */
        return r;
    if (what < 176)
        return -(int[]){EINVAL, EBUSY, EIO, ENODEV, ENOMEM, EAGAIN, ENOTTY, EPIPE}[what % 8];
    if (r < 0)
        return r;
    v = word();
    switch (rq) {
    case VIDIOC_QUERYBUF: /* its length is what the mapping has: shorter only; the offset is the kernel's own
                           */
        if (v < b->length)
            b->length = v;
        return 0;
    case VIDIOC_DQBUF:
        switch (byte() % 6) {
        case 0:
            b->index = v;
            break;
        case 1:
            b->bytesused = v;
            break;
        case 2:
            b->sequence = v;
            break;
        case 3:
            b->flags = v;
            break;
        case 4:
            b->timestamp.tv_sec = (int32_t)v;
            break;
        default:
            b->timestamp.tv_usec = (int32_t)v;
        }
        return 0;
    case VIDIOC_QBUF:
    case VIDIOC_STREAMON:
    case VIDIOC_STREAMOFF:
    case VIDIOC_S_EXT_CTRLS: /* holds a pointer of ours */
    case VIDIOC_G_EXT_CTRLS:
        return 0;
    case VIDIOC_REQBUFS:
        ((struct v4l2_requestbuffers *)a)->count = v;
        return 0;
    }
    at = (size_t)byte() * 4;
    if (size >= 4) {
        at %= size / 4 * 4;
        memcpy((char *)a + at, &v, 4);
    }
    return 0;
}

static void look(const struct tf_frame *f)
{
    volatile uint32_t sum = 0;

    for (int p = 0; p < TF_FRAME_PLANES && f->plane[p]; p++) {
        unsigned rows = p ? (f->height + 1u) / 2 : f->height;
        size_t width = f->pixel == TF_PIXEL_U16                                 ? f->width * 2u
                       : f->pixel == TF_PIXEL_YUYV || f->pixel == TF_PIXEL_UYVY ? (f->width + 1u) / 2 * 4
                       : p && f->pixel == TF_PIXEL_YUV420                       ? (f->width + 1u) / 2
                       : p                                                      ? (f->width + 1u) / 2 * 2
                                                                                : f->width;

        for (unsigned y = 0; y < rows; y++)
            sum += f->plane[p][(size_t)y * f->stride[p]] + f->plane[p][(size_t)y * f->stride[p] + width - 1];
    }
    (void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t fourccs[] = {V4L2_PIX_FMT_Y16,   V4L2_PIX_FMT_Y16_BE, V4L2_PIX_FMT_YUYV,
                                       V4L2_PIX_FMT_UYVY,  V4L2_PIX_FMT_NV12,   V4L2_PIX_FMT_GREY,
                                       V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUV420};
    static const uint16_t sizes[][2] = {{160, 120}, {160, 122}, {80, 63}, {256, 384},
                                        {64, 48},   {17, 9},    {0, 0}};
    struct tf_source_options o = {.url = FAKE_PATH, .frozen = true};
    struct tf_frame *held[4] = {0};
    struct tf_source *s = NULL;
    struct tf_error err = {0};
    uint8_t b;

    bytes = data;
    left = size;
    fake_reset();
    b = byte();
    fake.formats[0].fourcc = fourccs[b % 8];
    fake.formats[0].width = sizes[b / 8 % 7][0];
    fake.formats[0].height = sizes[b / 8 % 7][1];
    fake.formats[1].fourcc = b & 128 ? V4L2_PIX_FMT_YUYV : 0;
    b = byte();
    o.accept_size = b & 1;
    fake.controls = b & 2;
    o.controls = b & 4 ? "brightness=7,power_line_frequency=50_hz" : NULL;
    o.ffc = b & 8 ? "shutter=1" : "xu:6:17=01";
    fake.unit_size = b & 16 ? 4 : 0;
    if (b & 32)
        o.width = 160, o.height = 120;
    fake.buffers = b & 64 ? 3 : 0;
    fake.period_us = 1;
    fake.least_size = 4096;
    fake.answered = change;
    if (tf_source_open(&o, &s, &err) || tf_source_start(s, &err))
        goto out;
    tf_source_ffc(s, TF_FFC_TRIGGER, &err);
    for (int i = 0; i < 8; i++) {
        struct tf_frame *f = NULL;
        enum tf_next next = tf_source_next(s, 1, &f, &err);

        if (next == TF_NEXT_FRAME) {
            look(f);
            tf_frame_unref(held[i % 4]);
            held[i % 4] = f;
        } else if (next != TF_NEXT_TIMEOUT || !left) {
            break;
        }
    }
out:
    tf_source_close(s);
    for (int i = 0; i < 4; i++)
        if (held[i]) {
            look(held[i]); /* what readers hold stays, also after the camera is closed */
            tf_frame_unref(held[i]);
        }
    fake.armed = false;
    return 0;
}
