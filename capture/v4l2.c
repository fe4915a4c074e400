/*
 * The V4L2 source: negotiates with the driver, waits for buffers and turns them into frames.
 *
 * Where the driver's bytes are what a frame shows, frames lend the driver's buffers. Byte-swapped values,
 * MJPG and what libv4l2 converts are written into frames with their own memory, and the buffer goes back at
 * once.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "capture/v4l2.h"

/* A sequence that jumps further was renumbered, not lost. */
#define SEQUENCE_JUMP_MAX 100000u
/* How often a device that has inputs is asked whether they have a signal. */
#define SIGNAL_CHECK_NS 500000000u
/* A driver's stamp further away than this from now is no time of capture. */
#define STAMP_AGE_MAX_NS 10000000000ull
/* Drivers that compute the end of a frame (vivid, UVC clock recovery) may be ahead of its arrival by so much.
 */
#define STAMP_AHEAD_MAX_NS 50000000u

enum how { LEND, SWAP, COPY, MJPEG };

struct v4l2 {
    struct tf_source source; /* first */
    struct tf_v4l2_io io;
    char path[256];
    struct tf_v4l2_layout layout;
    struct tf_rect raw;
    enum how how;
    bool fixed_scale;
    struct tf_mjpeg *mjpeg;
    struct tf_v4l2_run *run;
    size_t frames;
    struct tf_v4l2_move shutter[TF_FFC_ACTIONS];

    bool full_range; /* of colours that are not MJPEG's, which say it themselves */
    bool has_sequence;
    uint32_t sequence;      /* the driver's last */
    uint64_t long_sequence; /* the same without wrapping */
    uint64_t last_stamp_ns;
    bool lag_known;
    uint64_t lag_ns; /* from the driver's stamp to our taking the buffer, the least of late */
    bool has_inputs, no_signal;
    uint64_t signal_asked_ns;
};

/* Bytes of a picture in a buffer, and of a row of its first plane. */
static uint64_t needed_bytes(uint32_t fourcc, uint64_t stride, uint32_t height)
{
    uint32_t half = (height + 1) / 2;

    switch (fourcc) {
    case V4L2_PIX_FMT_NV12:
        return stride * (height + half);
    case V4L2_PIX_FMT_YUV420:
        return stride * height + 2 * (stride / 2) * half;
    default:
        return stride * height;
    }
}

static uint32_t least_stride(uint32_t fourcc, uint32_t width)
{
    switch (fourcc) {
    case V4L2_PIX_FMT_MJPEG:
    case V4L2_PIX_FMT_JPEG:
        return 0;
    case V4L2_PIX_FMT_GREY:
        return width;
    case V4L2_PIX_FMT_NV12:
    case V4L2_PIX_FMT_YUV420:
        return (width + 1) / 2 * 2;
    case V4L2_PIX_FMT_YUYV:
    case V4L2_PIX_FMT_UYVY:
        return (width + 1) / 2 * 4;
    default: /* 16 bits */
        return width * 2;
    }
}

static enum tf_pixel pixel_of(uint32_t fourcc)
{
    switch (fourcc) {
    case V4L2_PIX_FMT_GREY:
        return TF_PIXEL_U8;
    case V4L2_PIX_FMT_YUYV:
        return TF_PIXEL_YUYV;
    case V4L2_PIX_FMT_UYVY:
        return TF_PIXEL_UYVY;
    case V4L2_PIX_FMT_NV12:
        return TF_PIXEL_NV12;
    case V4L2_PIX_FMT_YUV420:
    case V4L2_PIX_FMT_MJPEG:
    case V4L2_PIX_FMT_JPEG:
        return TF_PIXEL_YUV420;
    default:
        return TF_PIXEL_U16;
    }
}

/* As the driver says it, or as its colour space has it by itself. */
static bool is_full_range(const struct v4l2_pix_format *pix)
{
    uint32_t said = pix->priv == V4L2_PIX_FMT_PRIV_MAGIC ? pix->quantization : V4L2_QUANTIZATION_DEFAULT;

    if (said == V4L2_QUANTIZATION_DEFAULT)
        return pix->colorspace == V4L2_COLORSPACE_JPEG;
    return said == V4L2_QUANTIZATION_FULL_RANGE;
}

/* Reads what S_FMT made of the wish, with limits on everything. */
static int check_format(struct v4l2 *s, const struct tf_v4l2_choice *c, bool accept_size,
                        const struct v4l2_pix_format *pix, struct tf_error *err)
{
    char asked[5], got[5];
    uint32_t least;
    uint64_t needed;

    if (pix->pixelformat != c->fourcc)
        return tf_fail(err, -EINVAL, "%s: the driver turned %s into %s (format %s)", s->path,
                       tf_v4l2_fourcc(c->fourcc, asked), tf_v4l2_fourcc(pix->pixelformat, got), c->row->name);
    if (!pix->width || !pix->height || pix->width > TF_FRAME_DIM_MAX || pix->height > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EPROTO,
                       "%s: the driver answers with a picture of %ux%u; 1x1 to %dx%d can be used", s->path,
                       pix->width, pix->height, TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
    if (c->width && (pix->width != c->width || pix->height != c->height) && (!accept_size || c->row->width))
        return tf_fail(err, -EINVAL, "%s: %ux%u %s is asked for (format %s), the camera gives %ux%u%s",
                       s->path, c->width, c->height, tf_v4l2_fourcc(c->fourcc, asked), c->row->name,
                       pix->width, pix->height,
                       c->row->width ? "" : "; ask for that size, or accept what comes");
    if (pix->field == V4L2_FIELD_TOP || pix->field == V4L2_FIELD_BOTTOM || pix->field == V4L2_FIELD_ALTERNATE)
        return tf_fail(err, -ENOTSUP, "%s: the camera delivers single fields, not whole pictures", s->path);
    s->full_range = is_full_range(pix);
    least = least_stride(c->fourcc, pix->width);
    s->layout = (struct tf_v4l2_layout){.fourcc = c->fourcc,
                                        .width = (uint16_t)pix->width,
                                        .height = (uint16_t)pix->height,
                                        .size_max = pix->sizeimage};
    if (!least)
        return 0;
    s->layout.stride = pix->bytesperline ? pix->bytesperline : least;
    if (s->layout.stride < least || s->layout.stride > TF_V4L2_STRIDE_MAX)
        return tf_fail(err, -EPROTO, "%s: the driver says %u bytes a line for %ux%u %s; %u to %u make sense",
                       s->path, s->layout.stride, pix->width, pix->height, tf_v4l2_fourcc(c->fourcc, got),
                       least, TF_V4L2_STRIDE_MAX);
    if (c->fourcc == V4L2_PIX_FMT_YUV420 && s->layout.stride % 2)
        return tf_fail(err, -EPROTO, "%s: the driver says an odd %u bytes a line for YU12", s->path,
                       s->layout.stride);
    if (c->row->fold > 1 && s->layout.stride != least)
        return tf_fail(err, -ENOTSUP, "%s: the driver pads lines to %u bytes; format %s needs them close, %u",
                       s->path, s->layout.stride, c->row->name, least);
    needed = needed_bytes(c->fourcc, s->layout.stride, pix->height);
    if (needed > TF_V4L2_PICTURE_MAX)
        return tf_fail(err, -EPROTO, "%s: the driver says %u bytes a line for %ux%u: pictures of %llu MiB",
                       s->path, s->layout.stride, pix->width, pix->height,
                       (unsigned long long)(needed >> 20));
    s->layout.size = (uint32_t)needed;
    return 0;
}

static int set_format(struct v4l2 *s, const struct tf_v4l2_choice *c, const struct tf_source_options *options,
                      struct tf_error *err)
{
    struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    char text[5];
    int r = tf_v4l2_ioctl(&s->io, VIDIOC_G_FMT, &f);

    if (r && !c->width)
        return tf_fail(err, r, "%s: the driver does not say its format (VIDIOC_G_FMT: %s)", s->path,
                       strerror(-r));
    f.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (c->width) {
        f.fmt.pix.width = c->width;
        f.fmt.pix.height = c->height;
    }
    f.fmt.pix.pixelformat = c->fourcc;
    f.fmt.pix.field = V4L2_FIELD_ANY;
    f.fmt.pix.bytesperline =
        options->line_bytes; /* 0: one left behind by the program before us is not ours */
    f.fmt.pix.sizeimage = 0;
    r = tf_v4l2_ioctl(&s->io, VIDIOC_S_FMT, &f);
    if (r == -EBUSY)
        return tf_fail(err, r, "%s: in use by another program", s->path);
    if (r == -ENODEV || r == -EIO)
        return tf_fail(err, -ENODEV, "%s: the camera is gone", s->path);
    if (r)
        return tf_fail(err, r, "%s: the driver refuses %s of %ux%u (VIDIOC_S_FMT: %s)", s->path,
                       tf_v4l2_fourcc(c->fourcc, text), f.fmt.pix.width, f.fmt.pix.height, strerror(-r));
    return check_format(s, c, options->accept_size, &f.fmt.pix, err);
}

/* The rate asked for, if the driver lets itself be asked; returns what it then says, 0 if nothing. */
static float set_rate(const struct tf_v4l2_io *io, float fps)
{
    struct v4l2_streamparm p = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_fract *t = &p.parm.capture.timeperframe;

    if (tf_v4l2_ioctl(io, VIDIOC_G_PARM, &p))
        return 0;
    if (fps > 0 && p.parm.capture.capability & V4L2_CAP_TIMEPERFRAME) {
        t->numerator = 1000;
        t->denominator = (uint32_t)(fps * 1000 + 0.5f);
        if (tf_v4l2_ioctl(io, VIDIOC_S_PARM, &p)) {
            p = (struct v4l2_streamparm){.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
            if (tf_v4l2_ioctl(io, VIDIOC_G_PARM, &p))
                return 0;
        }
    }
    return t->numerator && t->denominator ? (float)t->denominator / (float)t->numerator : 0;
}

/* True when the device says that the chosen input has no signal. */
static bool ask_signal(struct v4l2 *s)
{
    struct v4l2_input in = {0};
    int index = 0;

    if (tf_v4l2_ioctl(&s->io, VIDIOC_G_INPUT, &index))
        return false;
    in.index = (uint32_t)index;
    if (tf_v4l2_ioctl(&s->io, VIDIOC_ENUMINPUT, &in))
        return false;
    return in.status & (V4L2_IN_ST_NO_POWER | V4L2_IN_ST_NO_SIGNAL | V4L2_IN_ST_NO_SYNC);
}

static int v4l2_start(struct tf_source *source, struct tf_error *err)
{
    struct v4l2 *s = (struct v4l2 *)source;
    struct tf_pool_options pool = {.frames = s->frames};
    int r;

    if (s->how != LEND) {
        pool.width = source->info.width;
        pool.height = source->info.height;
        pool.pixel = source->info.pixel;
    }
    r = tf_v4l2_run_create(&s->io, s->how == LEND ? s->frames : 4, s->layout.size, &pool, &s->run, err,
                           s->path);
    if (r)
        return r;
    r = tf_v4l2_run_start(s->run);
    if (r) {
        tf_v4l2_run_stop(s->run);
        s->run = NULL;
        return tf_fail(err, r,
                       r == -EBUSY ? "%s: in use by another program (VIDIOC_STREAMON: %s)"
                                   : "%s: streaming cannot be started: %s",
                       s->path, strerror(-r));
    }
    s->has_sequence = false;
    s->last_stamp_ns = s->lag_ns = 0;
    s->lag_known = false;
    s->signal_asked_ns = 0;
    s->no_signal = false;
    return 0;
}

static void v4l2_stop(struct tf_source *source)
{
    struct v4l2 *s = (struct v4l2 *)source;

    tf_v4l2_run_stop(s->run);
    s->run = NULL;
}

static void follow_sequence(struct v4l2 *s, uint32_t sequence)
{
    if (s->has_sequence) {
        uint32_t step = sequence - s->sequence;

        if (step == 0 || step > SEQUENCE_JUMP_MAX) {
            s->long_sequence++; /* a driver that does not count, or counts anew */
        } else {
            s->long_sequence += step;
            s->source.gap += step - 1;
        }
    } else {
        s->long_sequence = sequence;
    }
    s->has_sequence = true;
    s->sequence = sequence;
}

static void stamp(struct v4l2 *s, const struct v4l2_buffer *b, struct tf_frame *f)
{
    uint64_t now = tf_now_ns(),
             t = (uint64_t)b->timestamp.tv_sec * TF_NS_PER_S + (uint64_t)b->timestamp.tv_usec * 1000u, lag;

    /* Arrival; if the driver's other stamps tell how much earlier frames are taken, that much earlier: one
     * bad stamp is not to stand out among good ones, let alone lie behind the next. */
    f->t_mono_ns = now - s->lag_ns;
    f->stamp = TF_STAMP_ARRIVAL;
    /*
     * Only a stamp of the monotonic clock is a time of capture here; "copy" and "unknown" are somebody
     * else's. One that lies far ahead, far back, or before the last is not believed either; one a little
     * ahead is held at now, so that nobody sees a frame from the future.
     */
    if ((b->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC &&
        b->timestamp.tv_sec >= 0 && b->timestamp.tv_usec >= 0 && b->timestamp.tv_usec < 1000000 &&
        t <= now + STAMP_AHEAD_MAX_NS && t + STAMP_AGE_MAX_NS > now && t > s->last_stamp_ns) {
        f->t_mono_ns = t < now ? t : now;
        f->stamp = (b->flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK) == V4L2_BUF_FLAG_TSTAMP_SRC_SOE
                       ? TF_STAMP_DRIVER_SOE
                       : TF_STAMP_DRIVER_EOF;
        s->last_stamp_ns = t;
        /* The least, forgotten by a sixteenth a frame: a busy processor's delays are not the camera's. */
        lag = now - f->t_mono_ns;
        s->lag_ns = !s->lag_known || lag < s->lag_ns ? lag : s->lag_ns + (lag - s->lag_ns) / 16;
        s->lag_known = true;
    }
}

/* Points the planes at a whole picture in the driver's layout. */
static void view(const struct v4l2 *s, const uint8_t *data, struct tf_frame *f)
{
    uint32_t stride = s->layout.stride, height = s->layout.height;

    f->width = s->layout.width;
    f->height = s->layout.height;
    f->pixel = pixel_of(s->layout.fourcc);
    f->plane[0] = (uint8_t *)data;
    f->stride[0] = stride;
    f->plane[1] = f->plane[2] = NULL;
    f->stride[1] = f->stride[2] = 0;
    if (f->pixel == TF_PIXEL_NV12) {
        f->plane[1] = f->plane[0] + (size_t)stride * height;
        f->stride[1] = stride;
    } else if (f->pixel == TF_PIXEL_YUV420) {
        f->plane[1] = f->plane[0] + (size_t)stride * height;
        f->plane[2] = f->plane[1] + (size_t)stride / 2 * ((height + 1) / 2);
        f->stride[1] = f->stride[2] = stride / 2;
    }
}

static void copy_rows(const uint8_t *from, uint32_t from_stride, uint8_t *to, uint32_t to_stride,
                      size_t bytes, uint32_t rows)
{
    for (uint32_t y = 0; y < rows; y++)
        memcpy(to + (size_t)y * to_stride, from + (size_t)y * from_stride, bytes);
}

/* Writes the picture into the frame's own memory. */
static void copy(const struct v4l2 *s, const uint8_t *data, struct tf_frame *f)
{
    struct tf_frame from = {.pixel = TF_PIXEL_U16};
    uint32_t half_w, half_h;

    view(s, data, &from);
    if (s->source.info.pixel == TF_PIXEL_U16)
        from.pixel = TF_PIXEL_U16;
    tf_format_cut(s->source.info.format, &s->raw, &from);
    f->flags |= from.flags;
    f->width = from.width;
    f->height = from.height;
    f->pixel = from.pixel;
    half_w = (from.width + 1u) / 2;
    half_h = (from.height + 1u) / 2;
    if (f->pixel == TF_PIXEL_U16) {
        for (uint32_t y = 0; y < from.height; y++) {
            const uint8_t *a = from.plane[0] + (size_t)y * from.stride[0];
            uint16_t *b = (uint16_t *)(void *)(f->plane[0] + (size_t)y * f->stride[0]);

            /* Byte by byte: an odd stride would break alignment. */
            if (s->how == SWAP)
                for (uint32_t x = 0; x < from.width; x++)
                    b[x] = (uint16_t)(a[2 * x] << 8 | a[2 * x + 1]);
            else
                memcpy(b, a, (size_t)from.width * 2);
        }
        return;
    }
    switch (f->pixel) {
    case TF_PIXEL_YUYV:
    case TF_PIXEL_UYVY:
        copy_rows(from.plane[0], from.stride[0], f->plane[0], f->stride[0], (size_t)half_w * 4, from.height);
        break;
    case TF_PIXEL_NV12:
        copy_rows(from.plane[0], from.stride[0], f->plane[0], f->stride[0], from.width, from.height);
        copy_rows(from.plane[1], from.stride[1], f->plane[1], f->stride[1], (size_t)half_w * 2, half_h);
        break;
    case TF_PIXEL_YUV420:
        for (int i = 1; i < 3; i++)
            copy_rows(from.plane[i], from.stride[i], f->plane[i], f->stride[i], half_w, half_h);
        copy_rows(from.plane[0], from.stride[0], f->plane[0], f->stride[0], from.width, from.height);
        break;
    default:
        copy_rows(from.plane[0], from.stride[0], f->plane[0], f->stride[0], from.width, from.height);
    }
}

static void fill(struct v4l2 *s, const struct v4l2_buffer *b, int index, struct tf_frame *f)
{
    const struct tf_source_info *info = &s->source.info;
    size_t length, used;
    const uint8_t *data = tf_v4l2_run_data(s->run, index, &length);

    used = b->bytesused < length ? b->bytesused : length;
    if (b->flags & V4L2_BUF_FLAG_ERROR || used < s->layout.size || b->bytesused > length)
        f->flags |= TF_FLAG_CORRUPT;
    f->radiometry = info->radiometry;
    f->sequence = s->long_sequence;
    stamp(s, b, f);
    if (s->layout.size && !(f->flags & TF_FLAG_CORRUPT))
        tf_format_telemetry(info->format, data, s->layout.size, s->layout.stride, s->fixed_scale, f);
    switch (s->how) {
    case LEND:
        view(s, data, f);
        f->full_range = info->full_range;
        f->pixel = info->pixel;
        tf_format_cut(info->format, &s->raw, f);
        tf_v4l2_run_lend(s->run, index, f);
        return;
    case MJPEG:
        if (!tf_mjpeg_decode(s->mjpeg, data, used, info->width, info->height, f))
            f->flags |= TF_FLAG_CORRUPT;
        break;
    case SWAP:
    case COPY:
        copy(s, data, f);
        f->full_range = info->full_range;
    }
}

static enum tf_next lost(struct v4l2 *s, int r, struct tf_error *err)
{
    if (r == -ENODEV || r == -ENXIO) {
        tf_fail(err, -ENODEV, "%s: the camera was unplugged", s->path);
        return TF_NEXT_GONE;
    }
    if (r == -EIO || r == -EPIPE) {
        tf_fail(err, r, "%s: the camera failed while streaming (VIDIOC_DQBUF: %s)", s->path, strerror(-r));
        return TF_NEXT_GONE;
    }
    if (r == -EPROTO)
        tf_fail(err, r, "%s: the driver returned a buffer that it does not have", s->path);
    else
        tf_fail(err, r, "%s: no picture can be taken (VIDIOC_DQBUF: %s)", s->path, strerror(-r));
    return TF_NEXT_ERROR;
}

/* Takes one buffer if there is one: FRAME with *ret, TIMEOUT when there is none. */
static enum tf_next take(struct v4l2 *s, struct tf_frame **ret, struct tf_error *err)
{
    struct v4l2_buffer b;
    struct tf_frame *f;
    int index = tf_v4l2_run_dequeue(s->run, &b);

    if (index == -EAGAIN)
        return TF_NEXT_TIMEOUT;
    if (index < 0)
        return lost(s, index, err);
    follow_sequence(s, b.sequence);
    f = s->no_signal ? NULL : tf_pool_get(tf_v4l2_run_pool(s->run));
    if (!f) {
        int r = tf_v4l2_run_give_back(s->run, index);

        if (r)
            return lost(s, r, err);
        if (!s->no_signal) { /* without a signal it was no picture, and nothing is lost */
            s->source.drops.capture++;
            s->source.capture_gap++;
        }
        return TF_NEXT_TIMEOUT;
    }
    fill(s, &b, index, f);
    if (s->how != LEND) {
        int r = tf_v4l2_run_give_back(s->run, index);

        if (r) {
            tf_frame_unref(f);
            return lost(s, r, err);
        }
    }
    *ret = f;
    return TF_NEXT_FRAME;
}

static void follow_signal(struct v4l2 *s, uint64_t now)
{
    if (s->has_inputs && now - s->signal_asked_ns >= SIGNAL_CHECK_NS) {
        s->no_signal = ask_signal(s);
        s->signal_asked_ns = now;
    }
}

static int poll_ms(const struct v4l2 *s, uint64_t now, uint64_t end)
{
    uint64_t most = s->has_inputs ? SIGNAL_CHECK_NS : 60000000000ull;
    uint64_t left = end == UINT64_MAX || end - now > most ? most : end - now;

    return (int)((left + 999999) / 1000000);
}

static enum tf_next v4l2_next(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                              struct tf_error *err)
{
    struct v4l2 *s = (struct v4l2 *)source;
    uint64_t now = tf_now_ns(), end = timeout_ms < 0 ? UINT64_MAX : now + (uint64_t)timeout_ms * 1000000u;

    for (;;) {
        struct pollfd p[2] = {{.fd = s->io.fd, .events = POLLIN}, {.fd = source->wake_fd, .events = POLLIN}};
        bool had_signal = !s->no_signal;
        enum tf_next next = TF_NEXT_TIMEOUT;
        int wait_ms = poll_ms(s, now, end);

        follow_signal(s, now);
        if (s->no_signal && had_signal)
            return TF_NEXT_NO_SIGNAL;
        /* Some drivers report an error, at once, while they have no buffer to fill; readers hold them all. */
        if (tf_v4l2_run_queued(s->run) == 0) {
            p[0].fd = -1;
            wait_ms = wait_ms > 2 ? 2 : wait_ms;
        }
        if (poll(p, 2, wait_ms) < 0 && errno != EINTR) {
            tf_fail(err, -errno, "%s: waiting failed: %s", s->path, strerror(errno));
            return TF_NEXT_ERROR;
        }
        if (p[1].revents & POLLIN && tf_source_take_wake(source))
            return TF_NEXT_TIMEOUT;
        if (p[0].fd >= 0 && p[0].revents) {
            next = take(s, ret, err);
            if (next != TF_NEXT_TIMEOUT)
                return next;
            if (p[0].revents & (POLLERR | POLLHUP | POLLNVAL)) {
                tf_fail(err, -EIO, "%s: the camera failed (the driver reports an error, %#x)", s->path,
                        (unsigned)p[0].revents);
                return TF_NEXT_GONE;
            }
        }
        now = tf_now_ns();
        if (now >= end)
            return s->no_signal ? TF_NEXT_NO_SIGNAL : TF_NEXT_TIMEOUT;
    }
}

static int v4l2_ffc(struct tf_source *source, enum tf_ffc action, struct tf_error *err)
{
    struct v4l2 *s = (struct v4l2 *)source;

    return tf_v4l2_shutter_move(&s->io, s->path, &s->shutter[action], err);
}

static void v4l2_close(struct tf_source *source)
{
    struct v4l2 *s = (struct v4l2 *)source;

    tf_mjpeg_destroy(s->mjpeg);
    tf_v4l2_close(&s->io);
    free(s);
}

static int choose(struct v4l2 *s, const struct tf_source_options *options, struct tf_v4l2_choice *ret,
                  struct tf_error *err)
{
    struct tf_v4l2_offers *offers = calloc(1, sizeof(*offers));
    int r;

    if (!offers)
        return tf_fail(err, -ENOMEM, "%s: out of memory", s->path);
    tf_v4l2_offers(&s->io, offers);
    r = tf_v4l2_choose(offers, options, s->path, ret, err);
    free(offers);
    if (r || !ret->convert)
        return r;
    r = tf_v4l2_convert(&s->io);
    if (r)
        return tf_fail(err, r, "%s: libv4l2 cannot convert this camera's pictures: %s", s->path,
                       strerror(-r));
    return 0;
}

static int negotiate(struct v4l2 *s, const struct tf_source_options *options, struct tf_error *err)
{
    struct tf_source_info *info = &s->source.info;
    struct tf_v4l2_choice c;
    int index = 0, r = choose(s, options, &c, err);

    if (!r)
        r = set_format(s, &c, options, err);
    if (r)
        return r;
    s->raw = tf_format_raw(c.row, s->layout.width, s->layout.height);
    info->format = c.row;
    info->width = s->raw.w;
    info->height = s->raw.h;
    info->pixel = c.row->pixel == TF_PIXEL_U16 ? TF_PIXEL_U16 : pixel_of(c.fourcc);
    info->full_range = !s->layout.stride || s->full_range;
    info->radiometry = tf_format_radiometry(c.row, options);
    info->fps = set_rate(&s->io, options->fps);
    s->fixed_scale = options->scale != 0;
    s->has_inputs = tf_v4l2_ioctl(&s->io, VIDIOC_G_INPUT, &index) == 0;
    if (!s->layout.stride) {
        s->how = MJPEG;
        r = tf_mjpeg_create(&s->mjpeg);
        if (r)
            return tf_fail(err, r, "%s: no MJPG decoder in this FFmpeg", s->path);
    } else if (c.row->big_endian) {
        s->how = SWAP;
    } else {
        bool odd = info->pixel == TF_PIXEL_U16 && s->layout.stride % 2;

        s->how = c.convert || odd ? COPY : LEND;
    }
    return 0;
}

int tf_v4l2_open(const struct tf_source_options *options, const char *path, struct tf_source **ret,
                 struct tf_error *err)
{
    static const struct tf_source_ops ops = {
        .start = v4l2_start, .stop = v4l2_stop, .next = v4l2_next, .ffc = v4l2_ffc, .close = v4l2_close};
    struct v4l2_capability capability;
    struct v4l2 *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    s->source.ops = &ops;
    s->io.fd = -1;
    s->frames = options->frames;
    r = tf_v4l2_open_device(path, &s->io, &capability, s->path, s->source.info.identity, err);
    if (r)
        goto fail;
    snprintf(s->source.info.name, sizeof(s->source.info.name), "%.31s", (const char *)capability.card);
    s->source.info.kind = "v4l2";
    s->source.info.live = true;
    s->source.info.rotate = options->rotate;
    /* Before the format: some controls decide which there are. Set at every opening, so after a replug, too.
     */
    r = tf_v4l2_controls_set(&s->io, s->path, options->controls, err);
    if (!r)
        r = negotiate(s, options, err);
    if (!r)
        r = tf_v4l2_shutter_find(s->path, options, s->shutter, err);
    if (r)
        goto fail;
    for (int i = 0; i < TF_FFC_ACTIONS; i++)
        s->source.info.ffc[i] = s->shutter[i].control[0] || s->shutter[i].unit;
    /* A thermal camera's noise makes no picture like the one before; one for people can be that still. */
    s->source.watch_frozen = options->frozen && s->source.info.pixel == TF_PIXEL_U16;
    *ret = &s->source;
    return 0;

fail:
    v4l2_close(&s->source);
    return r;
}
