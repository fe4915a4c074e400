/* A line of a GPIO chip, through libgpiod; its edges are stamped by the kernel's interrupt handler. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/trigger_device.h"

#if TF_HAVE_GPIO
#include <gpiod.h>

static int check(struct tf_trigger *t, struct tf_error *err)
{
    if (!t->options.line)
        return tf_fail(err, -EINVAL, "no line is named: line=17, or its name (gpioinfo lists them)");
    return 0;
}

/* By its number, else by its name. */
static struct gpiod_line *find_line(struct tf_trigger *t)
{
    char *end;
    unsigned long number = strtoul(t->options.line, &end, 10);

    if (*t->options.line && !*end)
        return gpiod_chip_get_line(t->chip, (unsigned)number);
    return gpiod_chip_find_line(t->chip, t->options.line);
}

static int open_gpio(struct tf_trigger *t, struct tf_error *err)
{
    static const int biases[] = {[TF_TRIGGER_BIAS_AS_IS] = 0,
                                 [TF_TRIGGER_BIAS_UP] = GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP,
                                 [TF_TRIGGER_BIAS_DOWN] = GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN,
                                 [TF_TRIGGER_BIAS_OFF] = GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE};
    const struct tf_trigger_options *o = &t->options;
    struct gpiod_line *line;
    const char *consumer;
    int r;

    t->chip = gpiod_chip_open(o->device);
    if (!t->chip && errno == ENOTTY)
        return tf_fail(err, -ENOTTY, "%s: no GPIO chip", o->device);
    if (!t->chip)
        return tf_trigger_refused(o->device, -errno, err);
    line = find_line(t);
    if (!line)
        return tf_fail(err, -ENOENT, "%s: the chip has no line %s", o->device, o->line);
    /* Both edges always: what a contact does when it opens tells its bouncing from a press. */
    r = gpiod_line_request_both_edges_events_flags(
        line, "thermofaced", biases[o->bias] | (o->active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0));
    if (r < 0) {
        r = -errno;
        consumer = r == -EBUSY ? gpiod_line_consumer(line) : NULL;
        return tf_fail(err, r, "%s: line %s cannot be had: %s%s%s", o->device, o->line, strerror(-r),
                       consumer ? ", used by " : "", consumer ? consumer : "");
    }
    t->gpio_line = line;
    t->fd = gpiod_line_event_get_fd(line);
    if (t->fd < 0)
        return tf_fail(err, -errno, "%s: line %s cannot be waited for: %s", o->device, o->line,
                       strerror(errno));
    t->t_from = "kernel";
    return 0;
}

/* Kernels before 5.7 stamp by CLOCK_REALTIME, later ones by CLOCK_MONOTONIC: what lies within the last minute
 * of one of the two is of it. */
static uint64_t stamp_of(const struct timespec *ts, const char **t_from)
{
    uint64_t stamp = (uint64_t)ts->tv_sec * TF_NS_PER_S + (uint64_t)ts->tv_nsec;
    int64_t offset = tf_utc_offset_ns();

    if (offset > 0 && stamp > (uint64_t)offset && stamp > tf_now_ns())
        stamp -= (uint64_t)offset;
    return tf_trigger_stamp(stamp, t_from);
}

static int take(struct tf_trigger *t, struct tf_error *err)
{
    struct gpiod_line_event events[16];
    int n = gpiod_line_event_read_multiple(t->gpio_line, events, 16);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return tf_fail(err, n < 0 ? -errno : -ENODEV, "%s: gone", t->options.device);
    for (int i = 0; i < n; i++) {
        bool rising = events[i].event_type == GPIOD_LINE_EVENT_RISING_EDGE;
        struct tf_trigger_event event = {
            .what = t->options.line, .as_text = t->options.line, .change = rising ? "rising" : "falling"};

        event.t_mono_ns = stamp_of(&events[i].ts, &event.t_from);
        tf_trigger_change(t, 0, rising, &event);
    }
    return 0;
}

static void close_gpio(struct tf_trigger *t)
{
    if (t->gpio_line)
        gpiod_line_release(t->gpio_line);
    if (t->chip)
        gpiod_chip_close(t->chip);
    t->chip = t->gpio_line = NULL;
}

const struct tf_trigger_ops tf_trigger_gpio = {
    .check = check, .open = open_gpio, .take = take, .close = close_gpio};

#else

static int check(struct tf_trigger *t, struct tf_error *err)
{
    return tf_fail(
        err, -ENOTSUP,
        "this build has no GPIO: build with libgpiod-dev (meson option gpio), or use another kind");
}

static int open_gpio(struct tf_trigger *t, struct tf_error *err)
{
    return check(t, err);
}

const struct tf_trigger_ops tf_trigger_gpio = {.check = check, .open = open_gpio};
#endif
