/* Trigger inputs without their devices: events from a pipe, control lines of a stand-in for ioctl. */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "capture/trigger_device.h"

struct seen {
    unsigned count, told;
    char what[16][TF_TRIGGER_WHAT], change[16][16];
    uint64_t t_mono_ns[16];
    char t_from[16][16];
};

static void on_event(void *context, const struct tf_trigger_event *e)
{
    struct seen *seen = context;

    if (seen->count < 16) {
        snprintf(seen->what[seen->count], TF_TRIGGER_WHAT, "%s", e->what);
        snprintf(seen->change[seen->count], 16, "%s", e->change);
        snprintf(seen->t_from[seen->count], 16, "%s", e->t_from);
        seen->t_mono_ns[seen->count] = e->t_mono_ns;
    }
    __atomic_fetch_add(&seen->count, 1, __ATOMIC_SEQ_CST);
}

static struct tf_trigger *make(struct tf_trigger_options *o, struct seen *seen)
{
    static struct tf_trigger t;

    memset(&t, 0, sizeof(t));
    pthread_mutex_init(&t.lock, NULL);
    o->event = on_event;
    o->context = seen;
    t.options = *o;
    t.ops = o->kind == TF_TRIGGER_EVDEV ? &tf_trigger_evdev : &tf_trigger_serial;
    t.t_from = "kernel";
    assert_int_equal(t.ops->check(&t, NULL), 0);
    return &t;
}

static struct input_event key_event(uint64_t t_ns, unsigned code, int value)
{
    return (struct input_event){.input_event_sec = (long)(t_ns / 1000000000),
                                .input_event_usec = (long)(t_ns % 1000000000 / 1000),
                                .type = EV_KEY,
                                .code = (uint16_t)code,
                                .value = value};
}

/* As the kernel writes them: a press with its SYN, repeats, another key, a release, and what was lost. */
static void keys_from_a_pipe(void **state)
{
    uint64_t now = tf_now_ns() / 1000 * 1000;
    struct tf_trigger_options o = {.kind = TF_TRIGGER_EVDEV, .keys = "KEY_SPACE, BTN_LEFT 0x1e"};
    const struct input_event written[] = {
        key_event(now - 3000000, KEY_SPACE, 1),      {.type = EV_SYN, .code = SYN_REPORT},
        key_event(now - 2000000, KEY_SPACE, 2),      key_event(now - 2000000, KEY_B, 1),
        {.type = EV_REL, .code = REL_X, .value = 5}, key_event(now - 1000000, KEY_A, 1),
        {.type = EV_SYN, .code = SYN_DROPPED},       key_event(now, KEY_SPACE, 0),
    };
    struct input_event got[TF_COUNT(written)];
    struct seen seen = {0};
    struct tf_trigger *t = make(&o, &seen);
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], written, sizeof(written)), sizeof(written));
    assert_int_equal(read(ends[0], got, sizeof(got)), sizeof(got));
    close(ends[0]);
    close(ends[1]);
    tf_trigger_evdev_take(t, got, TF_COUNT(got));
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.what[0], "KEY_SPACE");
    assert_string_equal(seen.change[0], "press");
    assert_string_equal(seen.t_from[0], "kernel");
    assert_int_equal(seen.t_mono_ns[0], now - 3000000);
    assert_string_equal(seen.what[1], "KEY_A");
    assert_int_equal(t->status.missed, 1);
    t->options.edge = TF_TRIGGER_BOTH;
    tf_trigger_evdev_take(t, got, TF_COUNT(got));
    assert_int_equal(seen.count, 5);
    assert_string_equal(seen.change[4], "release");
}

/* A stamp of another clock, or one to come, is not believed. */
static void stamps_that_cannot_be(void **state)
{
    uint64_t now = tf_now_ns();
    struct tf_trigger_options o = {.kind = TF_TRIGGER_EVDEV};
    const struct input_event events[] = {key_event(now + 5000000000, KEY_A, 1),
                                         key_event(now > 70000000000 ? now - 70000000000 : 1, KEY_B, 1),
                                         key_event((uint64_t)tf_utc_now_ns(), KEY_C, 1)};
    struct seen seen = {0};

    tf_trigger_evdev_take(make(&o, &seen), events, now > 70000000000 ? 3 : 1);
    for (unsigned i = 0; i < seen.count; i++) {
        assert_string_equal(seen.t_from[i], "arrival");
        assert_true(seen.t_mono_ns[i] >= now && seen.t_mono_ns[i] <= tf_now_ns());
    }
    assert_true(seen.count);
}

/* What a contact does when it opens is no press: the release counts though only presses are wanted. */
static void bounces(void **state)
{
    uint64_t t0 = tf_now_ns() - 1000000000, ms = 1000000;
    struct tf_trigger_options o = {.kind = TF_TRIGGER_EVDEV, .debounce_ns = 20000000};
    const struct input_event events[] = {
        key_event(t0, KEY_A, 1),
        key_event(t0 + 1 * ms, KEY_A, 0),
        key_event(t0 + 2 * ms, KEY_A, 1),
        key_event(t0 + 300 * ms, KEY_A, 0),
        key_event(t0 + 302 * ms, KEY_A, 1),
        key_event(t0 + 303 * ms, KEY_A, 0),
        key_event(t0 + 303 * ms, KEY_B, 1),
        key_event(t0 + 400 * ms, KEY_A, 1),
    };
    struct seen seen = {0};
    struct tf_trigger *t = make(&o, &seen);

    tf_trigger_evdev_take(t, events, TF_COUNT(events));
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.t_mono_ns[0] / 1000, t0 / 1000);
    assert_string_equal(seen.what[1], "KEY_B");
    assert_int_equal(seen.t_mono_ns[2] / 1000, (t0 + 400 * ms) / 1000);
    assert_int_equal(t->status.bounced, 2);
}

static void rate(void **state)
{
    struct tf_trigger_options o = {.kind = TF_TRIGGER_SERIAL, .rate_max = 10};
    struct seen seen = {0};
    struct tf_trigger *t = make(&o, &seen);
    unsigned char data[1000] = {0};

    tf_trigger_serial_take(t, data, sizeof(data), tf_now_ns());
    assert_in_range(seen.count, 10, 11);
    assert_int_equal(t->status.limited + seen.count, 1000);
}

static void names(void **state)
{
    struct tf_error err = {0};
    char text[16];

    assert_int_equal(tf_trigger_key("KEY_ENTER", &err), KEY_ENTER);
    assert_int_equal(tf_trigger_key("BTN_MOUSE", &err), BTN_LEFT);
    assert_int_equal(tf_trigger_key("BTN_A", &err), BTN_SOUTH);
    assert_int_equal(tf_trigger_key("28", &err), KEY_ENTER);
    assert_int_equal(tf_trigger_key("0x1c", &err), KEY_ENTER);
    assert_int_equal(tf_trigger_key("0", &err), -EINVAL);
    assert_int_equal(tf_trigger_key("768", &err), -EINVAL);
    assert_int_equal(tf_trigger_key("KEY_ENTERR", &err), -EINVAL);
    assert_non_null(strstr(err.text, "KEY_ENTER"));
    assert_string_equal(tf_trigger_key_name(BTN_LEFT, text), "BTN_LEFT");
    assert_string_equal(tf_trigger_key_name(BTN_SOUTH, text), "BTN_SOUTH");
    assert_string_equal(tf_trigger_key_name(0x2ff, text), "767");
}

/* --- control lines: what a driver's ioctls say --- */

static struct {
    pthread_mutex_t lock;
    bool is, gone;
    int state, waits;
    struct serial_icounter_struct counts;
} port = {.lock = PTHREAD_MUTEX_INITIALIZER};

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_tcgetattr(int fd, struct termios *tio);
int __wrap_tcgetattr(int fd, struct termios *tio);
int __real_tcsetattr(int fd, int when, const struct termios *tio);
int __wrap_tcsetattr(int fd, int when, const struct termios *tio);

int __wrap_tcgetattr(int fd, struct termios *tio)
{
    memset(tio, 0, sizeof(*tio));
    return port.is ? 0 : __real_tcgetattr(fd, tio);
}

int __wrap_tcsetattr(int fd, int when, const struct termios *tio)
{
    return port.is ? 0 : __real_tcsetattr(fd, when, tio);
}

/* As the kernel: until a count differs from when the wait began, or a signal comes. */
static int wait_change(void)
{
    struct serial_icounter_struct before;

    pthread_mutex_lock(&port.lock);
    before = port.counts;
    port.waits++;
    for (;;) {
        if (port.gone || memcmp(&before, &port.counts, sizeof(before)) != 0)
            break;
        pthread_mutex_unlock(&port.lock);
        if (usleep(100) < 0)
            return -1;
        pthread_mutex_lock(&port.lock);
    }
    errno = EIO;
    pthread_mutex_unlock(&port.lock);
    return port.gone ? -1 : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *arg;
    int r = 0;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    if (!port.is)
        return __real_ioctl(fd, request, arg);
    if (request == TIOCMIWAIT)
        return wait_change();
    pthread_mutex_lock(&port.lock);
    if (request == TIOCGICOUNT)
        *(struct serial_icounter_struct *)arg = port.counts;
    else if (request == TIOCMGET)
        *(int *)arg = port.state;
    else
        r = -1;
    pthread_mutex_unlock(&port.lock);
    errno = ENOTTY;
    return r;
}

static void change_cts(int times, bool active)
{
    int waits;

    pthread_mutex_lock(&port.lock);
    port.counts.cts += times;
    port.state = active ? TIOCM_CTS : 0;
    waits = port.waits;
    pthread_mutex_unlock(&port.lock);
    for (int i = 0; i < 2000 && __atomic_load_n(&port.waits, __ATOMIC_SEQ_CST) == waits; i++)
        usleep(1000);
}

/* A pulse that is over before it was looked at is still a rising edge; the end comes though nothing changes.
 */
static void control_lines(void **state)
{
    struct seen seen = {0};
    struct tf_trigger_options o = {.name = "ttl",
                                   .kind = TF_TRIGGER_LINE,
                                   .device = "/dev/null",
                                   .line = "CTS, dsr",
                                   .edge = TF_TRIGGER_RISING,
                                   .event = on_event,
                                   .context = &seen};
    struct tf_trigger_status status;
    struct tf_trigger *t = NULL;
    struct tf_error err = {0};
    uint64_t before;

    port.is = true;
    assert_int_equal(tf_trigger_create(&o, &t, &err), 0);
    for (int i = 0; i < 2000 && __atomic_load_n(&port.waits, __ATOMIC_SEQ_CST) == 0; i++)
        usleep(1000);
    before = tf_now_ns();
    change_cts(1, true);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.what[0], "cts");
    assert_string_equal(seen.change[0], "rising");
    assert_string_equal(seen.t_from[0], "arrival");
    assert_true(seen.t_mono_ns[0] > before && seen.t_mono_ns[0] < tf_now_ns());
    change_cts(1, false);
    assert_int_equal(seen.count, 1);
    change_cts(2, false);
    assert_int_equal(seen.count, 2);
    change_cts(6, false);
    assert_int_equal(seen.count, 3);
    tf_trigger_status(t, &status);
    assert_int_equal(status.missed, 4);
    assert_int_equal(status.state, TF_TRIGGER_THERE);
    pthread_mutex_lock(&port.lock);
    port.gone = true;
    pthread_mutex_unlock(&port.lock);
    for (int i = 0; i < 2000 && status.state != TF_TRIGGER_AWAY; i++, usleep(1000))
        tf_trigger_status(t, &status);
    assert_int_equal(status.state, TF_TRIGGER_AWAY);
    pthread_mutex_lock(&port.lock);
    port.gone = false;
    pthread_mutex_unlock(&port.lock);
    for (int i = 0; i < 5000 && status.state != TF_TRIGGER_THERE; i++, usleep(1000))
        tf_trigger_status(t, &status);
    assert_int_equal(status.reopened, 1);
    tf_trigger_destroy(t);
    port.is = false;
}

/* Who may open it is said. */
static void refusals(void **state)
{
    char path[] = "/tmp/tf-trigger-XXXXXX";
    struct tf_error err = {0};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(tf_trigger_refused(path, -EACCES, &err), -EACCES);
    assert_non_null(strstr(err.text, "no group may read it"));
    if (chown(path, (uid_t)-1, 5) == 0 && chmod(path, 0660) == 0) { /* Debian's tty */
        assert_int_equal(tf_trigger_refused(path, -EACCES, &err), -EACCES);
        assert_non_null(strstr(err.text, "in the group tty"));
    }
    unlink(path);
    assert_int_equal(tf_trigger_refused("/dev/x", -EPERM, &err), -EPERM);
    assert_non_null(strstr(err.text, "DeviceAllow"));
    assert_int_equal(tf_trigger_refused("/dev/x", -ENOENT, &err), -ENOENT);
    assert_non_null(strstr(err.text, "not there"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_from_a_pipe),
        cmocka_unit_test(stamps_that_cannot_be),
        cmocka_unit_test(bounces),
        cmocka_unit_test(rate),
        cmocka_unit_test(names),
        cmocka_unit_test(control_lines),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
