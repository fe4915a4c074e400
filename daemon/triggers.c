/*
 * Trigger inputs: their events become marks. An event is stamped and queued in its trigger's thread; one
 * thread makes marks of them, since a session that begins or ends holds its lock for seconds.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "capture/trigger.h"
#include "daemon/choices.h"
#include "daemon/service.h"

#define QUEUE 256
#define SAY_EVERY_NS 60000000000ull

struct input {
    struct tf_triggers *triggers;
    const struct tf_config_trigger *config;
    struct tf_trigger *trigger;
    char source[TF_CONFIG_NAME_MAX + 16]; /* "trigger NAME" */
    /* Under the lock; they only grow. */
    uint64_t marks, unrecorded, lost;
    /* Of the main thread: what was said. */
    uint64_t said_left_out, said_lost;
    struct tf_log_limit limit_left_out, limit_lost;
};

struct waiting {
    struct input *input;
    uint64_t t_mono_ns;
    const char *t_from;
    char text[TF_MARK_MAX + 1], value[TF_MARK_MAX + 1];
};

struct tf_triggers {
    struct tf_service *service;
    int count;
    struct input inputs[TF_CONFIG_TRIGGERS_MAX];
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting queue[QUEUE];
    unsigned first, used;
    bool ending;
};

static struct tf_trigger_options options_of(const struct tf_config_trigger *c)
{
    return (struct tf_trigger_options){
        .name = c->name,
        .kind = tf_choice_trigger_kind(c->kind),
        .device = c->device,
        .keys = c->key,
        .line = c->line,
        .edge = tf_choice_trigger_edge(c->edge),
        .grab = c->grab,
        .active_low = c->active_low,
        .bias = tf_choice_trigger_bias(c->bias),
        .baud = c->baud,
        .split = tf_choice_trigger_split(c->split),
        .debounce_ns = c->debounce_ns,
        .rate_max = c->rate,
    };
}

/* --- events --- */

/* From a trigger's thread. */
static void on_event(void *context, const struct tf_trigger_event *event)
{
    struct input *in = context;
    struct tf_triggers *t = in->triggers;
    const struct tf_config_trigger *c = in->config;
    const struct tf_config_mark mark = {
        .name = c->name, .what = event->what, .as_text = event->as_text, .change = event->change};
    const char *value = c->value ? c->value : c->edge == TF_CONFIG_EDGE_BOTH ? "%k %e" : "%k";
    struct waiting *w;

    pthread_mutex_lock(&t->lock);
    if (t->used == QUEUE) {
        in->lost++;
        goto out;
    }
    w = &t->queue[(t->first + t->used) % QUEUE];
    w->input = in;
    w->t_mono_ns = event->t_mono_ns;
    w->t_from = event->t_from;
    if (tf_config_mark(c->text, &mark, w->text, sizeof(w->text)) < 0 ||
        tf_config_mark(value, &mark, w->value, sizeof(w->value)) < 0) {
        in->lost++;
        goto out;
    }
    t->used++;
    pthread_cond_signal(&t->changed);
out:
    pthread_mutex_unlock(&t->lock);
}

static void on_told(void *context, bool there, const char *text)
{
    struct input *in = context;

    if (there)
        tf_log(TF_LOG_INFO, NULL, "trigger %s: %s is open", in->config->name, in->config->device);
    else
        tf_log(TF_LOG_WARNING, NULL, "trigger %s: %s; it is tried again", in->config->name, text);
}

/* 0: made; 1: nothing is recorded, or it was not yet; < 0: lost. */
static int make_mark(struct tf_service *service, const struct waiting *w)
{
    const struct tf_mark mark = {.text = w->text,
                                 .value = w->value,
                                 .t_mono_ns = w->t_mono_ns,
                                 .source = w->input->source,
                                 .t_from = w->t_from};
    struct tf_error err = {0};
    int r = tf_service_mark_from(service, &mark, &err);

    if (r == -ENOTCONN || r == -ERANGE)
        return 1;
    if (r < 0)
        tf_log_limited(&w->input->limit_lost, 1, SAY_EVERY_NS, TF_LOG_ERROR, NULL, "trigger %s: %s",
                       w->input->config->name, err.text);
    return r;
}

static void *marks_main(void *arg)
{
    struct tf_triggers *t = arg;
    static _Thread_local struct waiting w;

    pthread_setname_np(pthread_self(), "tf-marks");
    pthread_mutex_lock(&t->lock);
    for (;;) {
        int r;

        while (!t->used && !t->ending)
            pthread_cond_wait(&t->changed, &t->lock);
        if (!t->used)
            break;
        w = t->queue[t->first];
        t->first = (t->first + 1) % QUEUE;
        t->used--;
        pthread_mutex_unlock(&t->lock);
        r = make_mark(t->service, &w);
        pthread_mutex_lock(&t->lock);
        w.input->marks += r == 0;
        w.input->unrecorded += r > 0;
        w.input->lost += r < 0;
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* --- what is told --- */

int tf_service_triggers(void *context, struct tf_trigger_told *told, int max)
{
    struct tf_service *service = context;
    struct tf_triggers *t = service->triggers;
    int n = t ? t->count : 0;

    for (int i = 0; i < n && i < max; i++) {
        struct input *in = &t->inputs[i];
        struct tf_trigger_status s;

        tf_trigger_status(in->trigger, &s);
        told[i] = (struct tf_trigger_told){
            .kind = tf_trigger_kind_name(tf_choice_trigger_kind(in->config->kind)),
            .state = tf_trigger_state_name(s.state),
            .there = s.state == TF_TRIGGER_THERE,
            .t_from = s.t_from,
            .events = s.events,
            .bounced = s.bounced,
            .limited = s.limited,
            .missed = s.missed,
            .reopened = s.reopened,
        };
        snprintf(told[i].name, sizeof(told[i].name), "%s", in->config->name);
        snprintf(told[i].device, sizeof(told[i].device), "%s", in->config->device);
        snprintf(told[i].message, sizeof(told[i].message), "%s", s.message);
        pthread_mutex_lock(&t->lock);
        told[i].marks = in->marks;
        told[i].unrecorded = in->unrecorded;
        told[i].lost = in->lost;
        pthread_mutex_unlock(&t->lock);
    }
    return n < max ? n : max;
}

void tf_service_triggers_watch(struct tf_service *service)
{
    struct tf_trigger_told told[TF_CONFIG_TRIGGERS_MAX];
    int n = tf_service_triggers(service, told, TF_CONFIG_TRIGGERS_MAX);

    for (int i = 0; i < n; i++) {
        struct input *in = &service->triggers->inputs[i];
        uint64_t left_out = told[i].limited + told[i].missed + told[i].lost;

        if (left_out > in->said_left_out)
            tf_log_limited(
                &in->limit_left_out, 1, SAY_EVERY_NS, TF_LOG_WARNING, NULL,
                "trigger %s: %llu events so far made no mark: %llu came faster than rate=%u allows, "
                "%llu were lost before they were read, %llu had no place",
                told[i].name, (unsigned long long)left_out, (unsigned long long)told[i].limited,
                in->config->rate, (unsigned long long)told[i].missed, (unsigned long long)told[i].lost);
        in->said_left_out = left_out;
    }
}

/* --- check, start, stop --- */

static void at_key(const struct tf_config *config, const struct tf_config_trigger *c, const char *key,
                   struct tf_error *err)
{
    char where[PATH_MAX];

    tf_error_prefix(err, "[trigger %s]", c->name);
    tf_config_where(config, "trigger", c->name, key, where, sizeof(where));
    tf_error_prefix(err, "%s", where);
}

/* Two paths of one device: a link by-id and the node itself. */
static int check_same(const struct tf_config *config, size_t i, struct tf_error *err)
{
    const struct tf_config_trigger *c = &config->triggers[i];
    struct stat a, b;

    if (!c->device || stat(c->device, &a) < 0 || !S_ISCHR(a.st_mode))
        return 0;
    for (size_t k = 0; k < i; k++) {
        const struct tf_config_trigger *other = &config->triggers[k];
        bool lines = c->kind == TF_CONFIG_TRIGGER_GPIO && other->kind == TF_CONFIG_TRIGGER_GPIO;

        if (!other->enabled || !other->device || strcmp(other->device, c->device) == 0 ||
            stat(other->device, &b) < 0 || !S_ISCHR(b.st_mode) || a.st_rdev != b.st_rdev ||
            (lines && c->line && other->line && strcmp(c->line, other->line) != 0))
            continue;
        tf_fail(err, -EINVAL, "%.100s and %.100s of [trigger %s] are one device", c->device, other->device,
                other->name);
        at_key(config, c, "device", err);
        return -EINVAL;
    }
    return 0;
}

int tf_service_check_trigger(const struct tf_config *config, size_t i, struct tf_error *err)
{
    const struct tf_config_trigger *c = &config->triggers[i];
    const struct tf_trigger_options options = options_of(c);
    const char *key = c->kind == TF_CONFIG_TRIGGER_LINE                ? "line"
                      : c->kind == TF_CONFIG_TRIGGER_GPIO              ? "kind"
                      : c->kind == TF_CONFIG_TRIGGER_SERIAL && !c->key ? "baud"
                                                                       : "key";
    int r;

    /* What is not set has been said. */
    if (!c->device || ((c->kind == TF_CONFIG_TRIGGER_LINE || c->kind == TF_CONFIG_TRIGGER_GPIO) && !c->line))
        return 0;
    r = tf_trigger_check(&options, err);
    if (r < 0)
        at_key(config, c, strstr(err->text, "baud") ? "baud" : key, err);
    else if (c->enabled)
        r = check_same(config, i, err);
    return r;
}

static int start_thread(struct tf_triggers *t, struct tf_error *err)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&t->thread, NULL, marks_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->has_thread = r == 0;
    return r < 0 ? tf_fail(err, r, "no thread for triggers: %s", strerror(-r)) : 0;
}

int tf_service_triggers_start(struct tf_service *service, struct tf_error *err)
{
    const struct tf_config *config = service->config;
    struct tf_triggers *t;
    bool any = false;
    int r;

    for (size_t i = 0; i < config->trigger_count; i++)
        any |= config->triggers[i].enabled;
    if (!any)
        return 0;
    t = calloc(1, sizeof(*t));
    if (!t)
        return tf_fail(err, -ENOMEM, "no memory for triggers");
    t->service = service;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    r = start_thread(t, err);
    for (size_t i = 0; i < config->trigger_count && r == 0; i++) {
        struct tf_trigger_options options = options_of(&config->triggers[i]);
        struct input *in = &t->inputs[t->count];

        if (!config->triggers[i].enabled)
            continue;
        in->triggers = t;
        in->config = &config->triggers[i];
        snprintf(in->source, sizeof(in->source), "trigger %s", in->config->name);
        options.event = on_event;
        options.told = on_told;
        options.context = in;
        r = tf_trigger_create(&options, &in->trigger, err);
        if (r == 0)
            t->count++;
    }
    /* HTTP's threads ask already: they see it once it is whole. */
    atomic_store(&service->triggers, t);
    return r;
}

void tf_service_triggers_stop(struct tf_service *service)
{
    struct tf_triggers *t = service->triggers;

    if (!t)
        return;
    /* HTTP's threads still ask them for their status. */
    for (int i = 0; i < t->count; i++)
        tf_trigger_stop(t->inputs[i].trigger);
    pthread_mutex_lock(&t->lock);
    t->ending = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    /* What was queued is still marked. */
    if (t->has_thread)
        pthread_join(t->thread, NULL);
}

void tf_service_triggers_end(struct tf_service *service)
{
    struct tf_triggers *t = service->triggers;

    if (!t)
        return;
    for (int i = 0; i < t->count; i++)
        tf_trigger_destroy(t->inputs[i].trigger);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
    service->triggers = NULL;
}
