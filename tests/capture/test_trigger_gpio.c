/* GPIO lines without a chip: libgpiod's functions are this file's. */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/trigger.h"

/* What the chip is asked, and what it says. */
static struct {
    pthread_mutex_t lock;
    int ends[2]; /* readable while there is an event */
    struct gpiod_line_event events[8];
    int count, flags, opened, released, open_errno, request_errno;
    unsigned offset;
    char name[32];
} chip = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct gpiod_chip *__wrap_gpiod_chip_open(const char *path);
struct gpiod_line *__wrap_gpiod_chip_get_line(struct gpiod_chip *c, unsigned offset);
struct gpiod_line *__wrap_gpiod_chip_find_line(struct gpiod_chip *c, const char *name);
int __wrap_gpiod_line_request_both_edges_events_flags(struct gpiod_line *l, const char *consumer, int flags);
int __wrap_gpiod_line_event_get_fd(struct gpiod_line *l);
int __wrap_gpiod_line_event_read_multiple(struct gpiod_line *l, struct gpiod_line_event *events, unsigned n);
const char *__wrap_gpiod_line_consumer(struct gpiod_line *l);
void __wrap_gpiod_line_release(struct gpiod_line *l);
void __wrap_gpiod_chip_close(struct gpiod_chip *c);

struct gpiod_chip *__wrap_gpiod_chip_open(const char *path)
{
    errno = chip.open_errno;
    if (errno)
        return NULL;
    assert_string_equal(path, "/dev/gpiochip0");
    assert_int_equal(pipe(chip.ends), 0);
    __atomic_fetch_add(&chip.opened, 1, __ATOMIC_SEQ_CST);
    return (struct gpiod_chip *)&chip;
}

struct gpiod_line *__wrap_gpiod_chip_get_line(struct gpiod_chip *c, unsigned offset)
{
    chip.offset = offset;
    errno = EINVAL;
    return offset < 8 ? (struct gpiod_line *)&chip : NULL;
}

struct gpiod_line *__wrap_gpiod_chip_find_line(struct gpiod_chip *c, const char *name)
{
    snprintf(chip.name, sizeof(chip.name), "%s", name);
    return (struct gpiod_line *)&chip;
}

int __wrap_gpiod_line_request_both_edges_events_flags(struct gpiod_line *l, const char *consumer, int flags)
{
    chip.flags = flags;
    errno = chip.request_errno;
    return errno ? -1 : 0;
}

int __wrap_gpiod_line_event_get_fd(struct gpiod_line *l)
{
    return chip.ends[0];
}

int __wrap_gpiod_line_event_read_multiple(struct gpiod_line *l, struct gpiod_line_event *events, unsigned n)
{
    char byte;
    int count;

    pthread_mutex_lock(&chip.lock);
    count = chip.count;
    memcpy(events, chip.events, sizeof(*events) * (size_t)count);
    chip.count = 0;
    pthread_mutex_unlock(&chip.lock);
    if (read(chip.ends[0], &byte, 1) != 1 || byte == 'x') {
        errno = ENODEV;
        return -1;
    }
    return count;
}

const char *__wrap_gpiod_line_consumer(struct gpiod_line *l)
{
    return "spi0 CS0";
}

void __wrap_gpiod_line_release(struct gpiod_line *l)
{
    __atomic_fetch_add(&chip.released, 1, __ATOMIC_SEQ_CST);
}

void __wrap_gpiod_chip_close(struct gpiod_chip *c)
{
    close(chip.ends[0]);
    close(chip.ends[1]);
}

struct seen {
    int count;
    char change[8][16], what[16], t_from[8][16];
    uint64_t t_mono_ns[8];
};

static void on_event(void *context, const struct tf_trigger_event *e)
{
    struct seen *seen = context;
    int i = seen->count;

    snprintf(seen->change[i], 16, "%s", e->change);
    snprintf(seen->what, 16, "%s", e->what);
    snprintf(seen->t_from[i], 16, "%s", e->t_from);
    seen->t_mono_ns[i] = e->t_mono_ns;
    __atomic_store_n(&seen->count, i + 1, __ATOMIC_SEQ_CST);
}

static void wait_state(struct tf_trigger *t, enum tf_trigger_state state, struct tf_trigger_status *status)
{
    for (int i = 0; i < 10000; i++, usleep(1000)) {
        tf_trigger_status(t, status);
        if (status->state == state)
            return;
    }
    fail();
}

static void edge(int i, int type, int64_t t_ns)
{
    chip.events[i] = (struct gpiod_line_event){
        .ts = {.tv_sec = t_ns / TF_NS_PER_S, .tv_nsec = t_ns % TF_NS_PER_S}, .event_type = type};
}

/* Stamps of kernels before 5.7 are by CLOCK_REALTIME, of later ones by CLOCK_MONOTONIC. */
static void edges_and_clocks(void **state)
{
    struct seen seen = {0};
    struct tf_trigger_options o = {.name = "pedal",
                                   .kind = TF_TRIGGER_GPIO,
                                   .device = "/dev/gpiochip0",
                                   .line = "5",
                                   .edge = TF_TRIGGER_BOTH,
                                   .active_low = true,
                                   .bias = TF_TRIGGER_BIAS_UP,
                                   .event = on_event,
                                   .context = &seen};
    struct tf_trigger_status status;
    struct tf_trigger *t = NULL;
    struct tf_error err = {0};
    uint64_t now;

    memset(chip.name, 0, sizeof(chip.name));
    assert_int_equal(tf_trigger_create(&o, &t, &err), 0);
    wait_state(t, TF_TRIGGER_THERE, &status);
    assert_string_equal(status.t_from, "kernel");
    assert_int_equal(chip.offset, 5);
    assert_int_equal(chip.flags, GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP | GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW);
    now = tf_now_ns();
    pthread_mutex_lock(&chip.lock);
    edge(0, GPIOD_LINE_EVENT_RISING_EDGE, (int64_t)now - 3000000);
    edge(1, GPIOD_LINE_EVENT_FALLING_EDGE, (int64_t)now - 2000000 + tf_utc_offset_ns());
    edge(2, GPIOD_LINE_EVENT_RISING_EDGE, (int64_t)now + 3600 * TF_NS_PER_S);
    chip.count = 3;
    pthread_mutex_unlock(&chip.lock);
    assert_int_equal(write(chip.ends[1], "e", 1), 1);
    for (int i = 0; i < 10000 && __atomic_load_n(&seen.count, __ATOMIC_SEQ_CST) < 3; i++)
        usleep(1000);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.what, "5");
    assert_string_equal(seen.change[0], "rising");
    assert_string_equal(seen.t_from[0], "kernel");
    assert_int_equal(seen.t_mono_ns[0], now - 3000000);
    assert_string_equal(seen.change[1], "falling");
    assert_string_equal(seen.t_from[1], "kernel");
    assert_true(llabs((long long)(seen.t_mono_ns[1] - (now - 2000000))) < 1000000);
    assert_string_equal(seen.t_from[2], "arrival");
    /* Unplugged, and back. */
    chip.released = 0;
    assert_int_equal(write(chip.ends[1], "x", 1), 1);
    wait_state(t, TF_TRIGGER_AWAY, &status);
    wait_state(t, TF_TRIGGER_THERE, &status);
    assert_int_equal(status.reopened, 1);
    assert_int_equal(chip.released, 1);
    tf_trigger_destroy(t);
    assert_int_equal(chip.released, 2);
}

/* What keeps a line from being had is said. */
static void refusals(void **state)
{
    struct tf_trigger_options o = {.name = "x",
                                   .kind = TF_TRIGGER_GPIO,
                                   .device = "/dev/gpiochip0",
                                   .line = "GPIO17",
                                   .event = on_event};
    static const struct {
        int open_errno, request_errno;
        const char *line, *part;
    } cases[] = {{ENOENT, 0, "5", "not there"},
                 {ENOTTY, 0, "5", "no GPIO chip"},
                 {0, EBUSY, "GPIO17", "used by spi0 CS0"},
                 {0, 0, "99", "no line 99"}};
    struct tf_trigger_status status;
    struct tf_error err = {0};

    for (int i = 0; i < 4; i++) {
        struct tf_trigger *t = NULL;

        chip.open_errno = cases[i].open_errno;
        chip.request_errno = cases[i].request_errno;
        o.line = cases[i].line;
        assert_int_equal(tf_trigger_create(&o, &t, &err), 0);
        wait_state(t, TF_TRIGGER_AWAY, &status);
        assert_non_null(strstr(status.message, cases[i].part));
        tf_trigger_destroy(t);
    }
    assert_string_equal(chip.name, "GPIO17");
    o.line = NULL;
    assert_int_equal(tf_trigger_check(&o, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(edges_and_clocks), cmocka_unit_test(refusals)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
