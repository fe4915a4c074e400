/* A trigger input's thread: opened and opened again, debounced, held to a rate. */
#include "capture/trigger_device.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"

#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 5000
#define RATE_USUAL 20
#define STAMP_AGE_MAX_NS 60000000000ull
#define GROUP_BYTES 16384

static const struct tf_trigger_ops *const kinds[] = {
    [TF_TRIGGER_EVDEV] = &tf_trigger_evdev,
    [TF_TRIGGER_SERIAL] = &tf_trigger_serial,
    [TF_TRIGGER_LINE] = &tf_trigger_line,
    [TF_TRIGGER_GPIO] = &tf_trigger_gpio,
};

const char *tf_trigger_kind_name(enum tf_trigger_kind kind)
{
    static const char *const names[] = {[TF_TRIGGER_EVDEV] = "evdev",
                                        [TF_TRIGGER_SERIAL] = "serial",
                                        [TF_TRIGGER_LINE] = "serial-line",
                                        [TF_TRIGGER_GPIO] = "gpio"};

    return names[kind];
}

const char *tf_trigger_state_name(enum tf_trigger_state state)
{
    static const char *const names[] = {
        [TF_TRIGGER_OPENING] = "opening", [TF_TRIGGER_THERE] = "running", [TF_TRIGGER_AWAY] = "lost"};

    return names[state];
}

/* --- what the kinds share --- */

uint64_t tf_trigger_stamp(uint64_t stamp_ns, const char **t_from)
{
    uint64_t now = tf_now_ns();

    if (stamp_ns <= now && now - stamp_ns <= STAMP_AGE_MAX_NS) {
        *t_from = "kernel";
        return stamp_ns;
    }
    *t_from = "arrival";
    return now;
}

/* "" where there is none to name. */
static void group_of(const char *device, char *text, size_t size)
{
    char buffer[GROUP_BYTES];
    struct group group, *found = NULL;
    struct stat st;

    *text = '\0';
    if (stat(device, &st) < 0 || !(st.st_mode & S_IRGRP) || st.st_gid == 0)
        return;
    if (getgrgid_r(st.st_gid, &group, buffer, sizeof(buffer), &found) == 0 && found)
        snprintf(text, size, "%s", found->gr_name);
    else
        snprintf(text, size, "%u", (unsigned)st.st_gid);
}

int tf_trigger_refused(const char *device, int code, struct tf_error *err)
{
    char group[64];

    if (code == -ENOENT || code == -ENXIO || code == -ENODEV)
        return tf_fail(err, code, "%.120s: not there", device);
    if (code == -EPERM)
        return tf_fail(
            err, code,
            "%.120s: not allowed: the unit has to let the service at it (DeviceAllow=, docs/triggers.md)",
            device);
    if (code != -EACCES)
        return tf_fail(err, code, "%.120s: %s", device, strerror(-code));
    group_of(device, group, sizeof(group));
    if (*group)
        return tf_fail(err, code, "%.120s: permission denied; the service's user has to be in the group %s",
                       device, group);
    return tf_fail(err, code,
                   "%.120s: permission denied, and no group may read it: a udev rule has to give it one",
                   device);
}

int tf_trigger_words(const char *list, int (*each)(struct tf_trigger *, const char *, struct tf_error *),
                     struct tf_trigger *t, struct tf_error *err)
{
    int r = 0;

    while (r == 0) {
        char word[64];
        size_t n;

        list += strspn(list, " \t,");
        n = strcspn(list, " \t,");
        if (!n)
            break;
        if (n >= sizeof(word))
            return tf_fail(err, -EINVAL, "\"%.20s…\" is too long", list);
        memcpy(word, list, n);
        word[n] = '\0';
        list += n;
        r = each(t, word, err);
    }
    return r;
}

void tf_trigger_missed(struct tf_trigger *t, uint64_t count)
{
    pthread_mutex_lock(&t->lock);
    t->status.missed += count;
    pthread_mutex_unlock(&t->lock);
}

/* A bucket of one second's events, filled at their rate. */
static bool within_rate(struct tf_trigger *t)
{
    double rate = t->options.rate_max ? t->options.rate_max : RATE_USUAL;
    uint64_t now = tf_now_ns();

    t->tokens = t->filled_ns ? t->tokens + (double)(now - t->filled_ns) * 1e-9 * rate : rate;
    if (t->tokens > rate)
        t->tokens = rate;
    t->filled_ns = now;
    if (t->tokens < 1)
        return false;
    t->tokens -= 1;
    return true;
}

void tf_trigger_change(struct tf_trigger *t, unsigned slot, bool rising, const struct tf_trigger_event *event)
{
    const struct tf_trigger_options *o = &t->options;
    uint64_t *last = &t->last_ns[slot], *count;
    bool bounces = o->debounce_ns && *last && event->t_mono_ns < *last + o->debounce_ns, reports;

    if (!bounces)
        *last = event->t_mono_ns;
    if (o->edge != TF_TRIGGER_BOTH && rising != (o->edge == TF_TRIGGER_RISING))
        return;
    reports = !bounces && within_rate(t);
    pthread_mutex_lock(&t->lock);
    count = bounces ? &t->status.bounced : reports ? &t->status.events : &t->status.limited;
    (*count)++;
    pthread_mutex_unlock(&t->lock);
    if (reports)
        o->event(o->context, event);
}

/* --- the thread --- */

static void set_state(struct tf_trigger *t, enum tf_trigger_state state, const char *message)
{
    bool is_new;

    pthread_mutex_lock(&t->lock);
    is_new =
        t->status.state != state || strncmp(t->status.message, message, sizeof(t->status.message) - 1) != 0;
    t->status.reopened += state == TF_TRIGGER_THERE && t->status.state == TF_TRIGGER_AWAY && t->status.t_from;
    t->status.state = state;
    snprintf(t->status.message, sizeof(t->status.message), "%.255s", message);
    if (state == TF_TRIGGER_THERE)
        t->status.t_from = t->t_from;
    pthread_mutex_unlock(&t->lock);
    if (is_new && t->options.told)
        t->options.told(t->options.context, state == TF_TRIGGER_THERE, message);
}

/* True: the thread is to end. */
static bool pause_for(struct tf_trigger *t, int ms)
{
    struct pollfd p = {.fd = t->wake, .events = POLLIN};

    poll(&p, 1, ms);
    return atomic_load(&t->ending);
}

/* Until it is gone or the end. */
static int run_open(struct tf_trigger *t, struct tf_error *err)
{
    struct pollfd p[] = {{.fd = t->fd, .events = POLLIN}, {.fd = t->wake, .events = POLLIN}};
    int r = 0;

    while (r >= 0 && !atomic_load(&t->ending)) {
        if (!t->ops->waits) {
            p[0].revents = 0;
            if (poll(p, 2, -1) < 0 && errno != EINTR)
                return tf_fail(err, -errno, "%s: %s", t->options.device, strerror(errno));
            if (!p[0].revents)
                continue;
            /* What came before it went is still read. */
            if (!(p[0].revents & POLLIN))
                return tf_fail(err, -ENODEV, "%s: gone", t->options.device);
        }
        r = t->ops->take(t, err);
    }
    return r;
}

static void close_device(struct tf_trigger *t)
{
    if (t->ops->close)
        t->ops->close(t);
    else if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static void *trigger_main(void *arg)
{
    struct tf_trigger *t = arg;
    int wait_ms = BACKOFF_MIN_MS;

    pthread_setname_np(pthread_self(), "tf-trigger");
    while (!atomic_load(&t->ending)) {
        struct tf_error err = {0};
        uint64_t since;

        if (t->ops->open(t, &err) < 0) {
            close_device(t);
            set_state(t, TF_TRIGGER_AWAY, err.text);
            if (pause_for(t, wait_ms))
                break;
            wait_ms = wait_ms * 2 < BACKOFF_MAX_MS ? wait_ms * 2 : BACKOFF_MAX_MS;
            continue;
        }
        since = tf_now_ns();
        set_state(t, TF_TRIGGER_THERE, "");
        t->text_size = 0;
        if (run_open(t, &err) < 0)
            set_state(t, TF_TRIGGER_AWAY, err.text);
        close_device(t);
        /* One that goes as soon as it comes is not asked without a pause. */
        if (tf_now_ns() - since > BACKOFF_MAX_MS * 1000000ull)
            wait_ms = BACKOFF_MIN_MS;
        if (pause_for(t, atomic_load(&t->ending) ? 0 : wait_ms))
            break;
        wait_ms = wait_ms * 2 < BACKOFF_MAX_MS ? wait_ms * 2 : BACKOFF_MAX_MS;
    }
    atomic_store(&t->ended, true);
    return NULL;
}

/* --- its life --- */

static void destroy(struct tf_trigger *t)
{
    if (!t)
        return;
    if (t->wake >= 0)
        close(t->wake);
    for (size_t i = 0; i < TF_COUNT(t->strings); i++)
        free(t->strings[i]);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static int make(const struct tf_trigger_options *o, struct tf_trigger **ret, struct tf_error *err)
{
    const char *const texts[] = {o->name, o->device, o->keys, o->line};
    struct tf_trigger *t = calloc(1, sizeof(*t));
    int r = 0;

    if (!t)
        return tf_fail(err, -ENOMEM, "no memory for a trigger");
    pthread_mutex_init(&t->lock, NULL);
    t->wake = t->fd = -1;
    t->options = *o;
    t->ops = kinds[o->kind];
    for (size_t i = 0; i < 4; i++) {
        t->strings[i] = texts[i] ? strdup(texts[i]) : NULL;
        if (texts[i] && !t->strings[i])
            r = tf_fail(err, -ENOMEM, "no memory for a trigger");
    }
    t->options.name = t->strings[0];
    t->options.device = t->strings[1];
    t->options.keys = t->strings[2];
    t->options.line = t->strings[3];
    if (r == 0)
        r = t->ops->check(t, err);
    if (r < 0)
        destroy(t);
    else
        *ret = t;
    return r;
}

int tf_trigger_check(const struct tf_trigger_options *options, struct tf_error *err)
{
    struct tf_trigger *t = NULL;
    int r = make(options, &t, err);

    destroy(t);
    return r;
}

static void on_signal(int number)
{
}

/* A wait for a control line ends by a signal only; the handler is there for that and does nothing. */
static void take_signal(void)
{
    const struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGUSR2, &action, NULL);
}

int tf_trigger_create(const struct tf_trigger_options *options, struct tf_trigger **ret, struct tf_error *err)
{
    struct tf_trigger *t = NULL;
    sigset_t blocked, before;
    int r = make(options, &t, err);

    if (r < 0)
        return r;
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->wake < 0) {
        r = tf_fail(err, -errno, "trigger %s: no eventfd: %s", t->options.name, strerror(errno));
        goto fail;
    }
    sigfillset(&blocked);
    if (t->ops->waits) {
        take_signal();
        sigdelset(&blocked, SIGUSR2);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    r = -pthread_create(&t->thread, NULL, trigger_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0) {
        tf_fail(err, r, "trigger %s: no thread: %s", t->options.name, strerror(-r));
        goto fail;
    }
    t->has_thread = true;
    *ret = t;
    return 0;

fail:
    destroy(t);
    return r;
}

void tf_trigger_status(struct tf_trigger *t, struct tf_trigger_status *ret)
{
    pthread_mutex_lock(&t->lock);
    *ret = t->status;
    pthread_mutex_unlock(&t->lock);
}

void tf_trigger_stop(struct tf_trigger *t)
{
    if (!t || !t->has_thread)
        return;
    atomic_store(&t->ending, true);
    eventfd_write(t->wake, 1);
    /* Again and again: the first one may come just before it waits. */
    while (t->ops->waits && !atomic_load(&t->ended)) {
        pthread_kill(t->thread, SIGUSR2);
        tf_sleep_until_ns(tf_now_ns() + 1000000);
    }
    pthread_join(t->thread, NULL);
    t->has_thread = false;
}

void tf_trigger_destroy(struct tf_trigger *t)
{
    tf_trigger_stop(t);
    destroy(t);
}
