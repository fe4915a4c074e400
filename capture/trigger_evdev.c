/* Keys and buttons of an input device, stamped by the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/trigger_device.h"

static int want(struct tf_trigger *t, const char *word, struct tf_error *err)
{
    int code = tf_trigger_key(word, err);

    if (code < 0)
        return code;
    t->wanted[code] = true;
    return 0;
}

static int check(struct tf_trigger *t, struct tf_error *err)
{
    if (t->options.keys)
        return tf_trigger_words(t->options.keys, want, t, err);
    memset(t->wanted, true, sizeof(t->wanted));
    return 0;
}

static bool has_bit(const unsigned long *bits, unsigned bit)
{
    return bits[bit / (8 * sizeof(*bits))] >> bit % (8 * sizeof(*bits)) & 1;
}

/* A device of another kind at the same path would never say anything. */
static int check_keys(struct tf_trigger *t, struct tf_error *err)
{
    unsigned long bits[KEY_CNT / (8 * sizeof(unsigned long)) + 1] = {0};
    char name[16];
    bool any = false;

    if (ioctl(t->fd, EVIOCGBIT(EV_KEY, sizeof(bits)), bits) < 0)
        return tf_fail(err, -errno, "%s: no input device (evdev)", t->options.device);
    for (unsigned code = 0; code < KEY_CNT; code++) {
        any |= has_bit(bits, code);
        if (t->options.keys && t->wanted[code] && !has_bit(bits, code))
            return tf_fail(err, -ENOTSUP, "%s: the device has no %s", t->options.device,
                           tf_trigger_key_name(code, name));
    }
    return any ? 0 : tf_fail(err, -ENOTSUP, "%s: the device has no keys or buttons", t->options.device);
}

static int open_evdev(struct tf_trigger *t, struct tf_error *err)
{
    int clock = CLOCK_MONOTONIC, r;

    t->fd = open(t->options.device, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (t->fd < 0)
        return tf_trigger_refused(t->options.device, -errno, err);
    r = check_keys(t, err);
    if (r < 0)
        return r;
    if (t->options.grab && ioctl(t->fd, EVIOCGRAB, 1) < 0)
        return tf_fail(err, -errno, "%s: cannot be kept from others (grab): %s", t->options.device,
                       errno == EBUSY ? "another program has it for itself" : strerror(errno));
    t->t_from = ioctl(t->fd, EVIOCSCLOCKID, &clock) == 0 ? "kernel" : "arrival";
    return 0;
}

void tf_trigger_evdev_take(struct tf_trigger *t, const struct input_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct input_event *e = &events[i];
        char name[16];
        struct tf_trigger_event event;

        if (e->type == EV_SYN && e->code == SYN_DROPPED)
            tf_trigger_missed(t, 1);
        /* 2 is a key that is held and repeats. */
        if (e->type != EV_KEY || e->code >= KEY_CNT || e->value < 0 || e->value > 1 || !t->wanted[e->code])
            continue;
        event.t_mono_ns = (uint64_t)e->input_event_sec * TF_NS_PER_S + (uint64_t)e->input_event_usec * 1000;
        event.t_mono_ns =
            tf_trigger_stamp(strcmp(t->t_from, "kernel") == 0 ? event.t_mono_ns : UINT64_MAX, &event.t_from);
        event.what = event.as_text = tf_trigger_key_name(e->code, name);
        event.change = e->value ? "press" : "release";
        tf_trigger_change(t, e->code, e->value, &event);
    }
}

static int take(struct tf_trigger *t, struct tf_error *err)
{
    struct input_event events[64];
    ssize_t n = read(t->fd, events, sizeof(events));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return tf_fail(err, n < 0 ? -errno : -ENODEV, "%s: gone", t->options.device);
    tf_trigger_evdev_take(t, events, (size_t)n / sizeof(*events));
    return 0;
}

const struct tf_trigger_ops tf_trigger_evdev = {.check = check, .open = open_evdev, .take = take};
