/* What all sources share: waking, waiting, counting, and the one model of time. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/internal.h"

/* A camera counter that jumps further than this was reset or misread; nothing is counted. */
#define COUNTER_JUMP_MAX 10000u
/* Two frames of one time: the later one is put this much after the other. */
#define STEP_MIN_NS 1000u

int tf_source_open_by(tf_source_opener *opener, const struct tf_source_options *options, const char *rest,
                      struct tf_source **ret, struct tf_error *err)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), r;
    struct tf_source *s;

    if (wake_fd < 0)
        return tf_fail(err, -errno, "%s: no file descriptor left for waking the source", options->url);
    r = opener(options, rest, &s, err);
    if (r) {
        close(wake_fd);
        return r;
    }
    s->options = *options;
    s->options.url = s->options.format = s->options.controls = NULL;
    s->options.raw = s->options.stream = NULL;
    s->options.ffc = s->options.ffc_hold = s->options.ffc_release = NULL;
    s->info.flip = options->flip;
    s->wake_fd = wake_fd;
    *ret = s;
    return 0;
}

void tf_source_close(struct tf_source *source)
{
    int wake_fd;

    if (!source)
        return;
    tf_source_stop(source);
    wake_fd = source->wake_fd;
    source->ops->close(source);
    close(wake_fd);
}

const struct tf_source_info *tf_source_info(const struct tf_source *source)
{
    return &source->info;
}

void tf_source_turn(struct tf_source *source, uint16_t rotate)
{
    source->info.rotate = rotate;
}

int tf_source_start(struct tf_source *source, struct tf_error *err)
{
    int r;

    if (source->running)
        return 0;
    r = source->ops->start(source, err);
    if (r)
        return r;
    source->running = true;
    source->has_counter = false;
    source->frozen.has = false;
    source->last_ns = 0;
    source->gap = source->capture_gap = 0;
    return 0;
}

int tf_source_stop(struct tf_source *source)
{
    if (!source->running)
        return 0;
    source->running = false;
    source->ops->stop(source);
    return 0;
}

void tf_source_note(struct tf_source *source, const char *format, ...)
{
    char text[200];
    size_t n = strlen(source->notice);
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!strstr(source->notice, text))
        snprintf(source->notice + n, sizeof(source->notice) - n, "%s%s", n ? "; " : "", text);
}

const char *tf_source_notice(const struct tf_source *source)
{
    return source->notice;
}

/*
 * A row's scale is believed as long as its values can be temperatures. A Lepton without TLinear (14-bit
 * counts), or one in low gain, whose unit is a tenth of a kelvin, shows every value at -200 °C: then they are
 * counts.
 */
static void follow_values(struct tf_source *s, struct tf_frame *f)
{
    const struct tf_format *row = s->info.format;

    if (f->flags & TF_FLAG_CORRUPT)
        return;
    if (s->options.scale == 0 && !tf_values_plausible(row, f)) {
        tf_source_note(s, "values do not look like %s: not one within %g to %g °C, so they are counts%s",
                       row->name, (double)row->valid_min, (double)row->valid_max,
                       row->radiometry.scale == 0.01f ? " (TLinear off, or low gain: decikelvin?)" : "");
        f->radiometry = (struct tf_radiometry){0};
    }
    if ((s->number == 1 || s->number == 30) && s->info.pixel != TF_PIXEL_U16 && tf_looks_like_palette(f))
        tf_source_note(s, TF_NOTICE_PALETTE);
}

/* Settling begins with the shutter's opening, which is after the last frame that shows it closed. */
static void follow_shutter(struct tf_source *s, struct tf_frame *f)
{
    if (f->flags & TF_FLAG_FFC) {
        s->had_ffc = true;
        s->ffc_end_ns = f->t_mono_ns;
    } else if (s->had_ffc) {
        if (f->t_mono_ns - s->ffc_end_ns < s->options.settle_ns)
            f->flags |= TF_FLAG_FFC_SETTLING;
        else
            s->had_ffc = false;
    }
}

/* The camera's own counter sees losses and repeats that the driver's sequence does not. */
static uint64_t follow_counter(struct tf_source *s, struct tf_frame *f)
{
    uint64_t lost = 0;

    if (!f->has_camera_counter || f->flags & TF_FLAG_CORRUPT)
        return 0;
    if (s->has_counter) {
        if (f->camera_counter == s->counter)
            f->flags |= TF_FLAG_DUPLICATE;
        else if (f->camera_counter > s->counter && f->camera_counter - s->counter <= COUNTER_JUMP_MAX)
            lost = f->camera_counter - s->counter - 1;
    }
    s->has_counter = true;
    s->counter = f->camera_counter;
    return lost;
}

/*
 * The one model of time: t_mono_ns grows from frame to frame, whatever a driver, a counter or a file says,
 * and a live frame's UTC is the wall clock's present offset added to it, so that it follows a step of that
 * clock with the next frame, as marks do. A file's frames bring their own UTC.
 */
static void follow_clock(struct tf_source *s, struct tf_frame *f)
{
    if (s->last_ns && f->t_mono_ns <= s->last_ns) {
        f->t_utc_ns += (int64_t)(s->last_ns + STEP_MIN_NS - f->t_mono_ns);
        f->t_mono_ns = s->last_ns + STEP_MIN_NS;
        if (f->stamp == TF_STAMP_DRIVER_EOF || f->stamp == TF_STAMP_DRIVER_SOE)
            f->stamp = TF_STAMP_ARRIVAL; /* no longer the driver's word */
    }
    s->last_ns = f->t_mono_ns;
    if (s->info.live)
        f->t_utc_ns = (int64_t)f->t_mono_ns + tf_utc_offset_ns();
}

/* They follow the radiometry, which telemetry may change from frame to frame. */
static void set_limits(const struct tf_source *s, struct tf_frame *f)
{
    uint16_t limits[2] = {s->options.limits[0], s->options.limits[1]};

    if (!limits[1] && !s->info.format)
        return; /* what a source within this one has set stays */
    if (!limits[1])
        tf_format_limits(s->info.format, &f->radiometry, limits);
    f->value_min = limits[0];
    f->value_max = limits[1];
}

enum tf_next tf_source_next(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                            struct tf_error *err)
{
    struct tf_frame *f = NULL;
    enum tf_next next;
    uint64_t lost;

    if (!source->running) {
        tf_fail(err, -EINVAL, "%s: not started", source->info.identity);
        return TF_NEXT_ERROR;
    }
    if (source->options.limit && source->number >= source->options.limit)
        return TF_NEXT_END;
    next = source->ops->next(source, timeout_ms, &f, err);
    if (next != TF_NEXT_FRAME)
        return next;

    f->number = source->number++;
    f->rotate = source->info.rotate;
    f->flip = source->info.flip;
    set_limits(source, f);
    /* All else of a frame that is played again stands in its table. */
    if (f->past.valid) {
        *ret = f;
        return TF_NEXT_FRAME;
    }
    follow_clock(source, f);
    follow_values(source, f);
    lost = follow_counter(source, f);
    /* What we lost ourselves is missing in the camera's counter too. */
    lost = lost > source->capture_gap ? lost - source->capture_gap : 0;
    if (lost < source->gap)
        lost = source->gap;
    source->drops.driver += lost;
    if (lost || source->capture_gap)
        f->flags |= TF_FLAG_GAP;
    f->dropped_driver = source->drops.driver;
    source->gap = source->capture_gap = 0;
    /* Telemetry knows better. */
    if (source->watch_frozen && !f->has_camera_counter && !(f->flags & TF_FLAG_CORRUPT))
        f->flags |= tf_frozen_follow(&source->frozen, f);
    follow_shutter(source, f);
    *ret = f;
    return TF_NEXT_FRAME;
}

int tf_source_ffc(struct tf_source *source, enum tf_ffc action, struct tf_error *err)
{
    if (!source->ops->ffc)
        return tf_fail(err, -ENOTSUP, "%s: not a camera with a shutter", source->info.identity);
    return source->ops->ffc(source, action, err);
}

struct tf_source_drops tf_source_drops(const struct tf_source *source)
{
    return source->drops;
}

void tf_source_wake(struct tf_source *source)
{
    uint64_t one = 1;
    ssize_t n = write(source->wake_fd, &one, sizeof(one));

    (void)n; /* EAGAIN: it is as awake as can be */
}

bool tf_source_take_wake(struct tf_source *source)
{
    uint64_t value;

    return read(source->wake_fd, &value, sizeof(value)) == (ssize_t)sizeof(value);
}

int tf_source_wait_until(struct tf_source *source, uint64_t t_mono_ns, int timeout_ms, uint64_t called_ns)
{
    uint64_t end = UINT64_MAX;

    if (timeout_ms >= 0)
        end = called_ns + (uint64_t)timeout_ms * 1000000u;
    for (;;) {
        struct pollfd p = {.fd = source->wake_fd, .events = POLLIN};
        uint64_t now = tf_now_ns(), until = t_mono_ns < end ? t_mono_ns : end;
        struct timespec left;

        if (now >= t_mono_ns)
            return 1;
        if (now >= end)
            return 0;
        left.tv_sec = (time_t)((until - now) / TF_NS_PER_S);
        left.tv_nsec = (long)((until - now) % TF_NS_PER_S);
        if (ppoll(&p, 1, until == UINT64_MAX ? NULL : &left, NULL) > 0 && tf_source_take_wake(source))
            return 0;
    }
}

int tf_source_truth(const struct tf_source *source, const struct tf_frame *frame, struct tf_truth *ret,
                    int max)
{
    if (!source->ops->truth)
        return -ENOTSUP;
    return source->ops->truth(source, frame, ret, max);
}
