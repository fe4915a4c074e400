/* MQTT: the thread that makes the texts, of records, cameras' states and events. */
#include "config.h"

#include "publish/mqtt/mqtt.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "publish/mqtt/client.h"
#include "publish/mqtt/discovery.h"
#include "publish/mqtt/means.h"
#include "publish/mqtt/texts.h"

#define TICK_MS 100
#define MESSAGE_MAX 16384 /* bytes of what is read; ours have a tenth */
#define STATUS_NS 500000000ull
#define STATE_NS 10000000000ull /* a camera's state, also unchanged */

struct camera {
    struct tf_mqtt *owner;
    char name[64], format[32];
    bool regions;
    struct tf_means *means;
    /* Of the thread. */
    char *said;       /* its state as last published, without the numbers */
    uint64_t said_ns; /* when */
    bool known, celsius, lost;
};

struct tf_mqtt {
    pthread_t thread;
    int stop; /* an eventfd */
    bool stopped;
    struct tf_mqtt_client *client;
    struct tf_discovery *discovery;
    char topic[TF_MQTT_TOPIC_MAX + 1], host[HOST_NAME_MAX + 1], instance[17];
    uint64_t interval_ns, origin_ns; /* of the means of all cameras */
    int (*status)(void *context, struct tf_status *statuses, int max);
    void *context;
    struct camera cameras[TF_MQTT_CAMERAS_MAX];
    atomic_int count; /* of them; grows before their pipelines start */
    struct tf_status *statuses;
    /* Of the thread. */
    uint64_t connection, status_ns;
    int box_cameras; /* how many the box's message names; -1: it is to be published */
    int64_t utc_offset_ns;
    atomic_bool twin_said;
};

bool tf_mqtt_is_built(void)
{
    return true;
}

/* --- what happens --- */

/* Takes `text` over. */
static void put(struct tf_mqtt *m, const char *camera, const char *what, char *text, enum tf_mqtt_kind kind)
{
    char topic[TF_MQTT_NAME_MAX];

    snprintf(topic, sizeof(topic), "%s%s%s/%s", m->topic, camera ? "/" : "", camera ? camera : "", what);
    if (text)
        tf_mqtt_client_put(m->client, topic, text, kind);
    free(text);
}

static void tell_event(struct tf_mqtt *m, const char *kind, const char *camera, uint64_t t_mono_ns,
                       json_t *more)
{
    put(m, camera, "event", tf_mqtt_event_text(kind, camera, t_mono_ns, tf_utc_offset_ns(), more),
        TF_MQTT_EVENT);
}

void tf_mqtt_event(struct tf_mqtt *m, const char *kind, uint64_t t_mono_ns, json_t *more)
{
    if (m)
        tell_event(m, kind, NULL, t_mono_ns, more);
    else
        json_decref(more);
}

static void on_shutter(void *context, bool closed, uint64_t t_mono_ns)
{
    struct camera *c = context;

    tell_event(c->owner, closed ? "shutter_closed" : "shutter_open", c->name, t_mono_ns, NULL);
}

/* --- what is published again and again --- */

static void put_regions(struct tf_mqtt *m, struct camera *c, uint64_t now)
{
    struct tf_means_interval v;

    while (tf_means_take(c->means, now, on_shutter, c, &v))
        put(m, c->name, "regions",
            tf_mqtt_regions_text(c->name, (double)m->interval_ns / 1e9, m->utc_offset_ns, &v), TF_MQTT_NOW);
}

static void put_state(struct tf_mqtt *m, struct camera *c, const struct tf_status *s, uint64_t now)
{
    bool away = s->state == TF_CAMERA_LOST || s->state == TF_CAMERA_NO_SIGNAL;
    char *text = tf_mqtt_state_text(s, false, 0, 0);

    if (s->frames && s->format[0] && s->state == TF_CAMERA_RUNNING) {
        c->known = true;
        c->celsius = s->celsius;
        snprintf(c->format, sizeof(c->format), "%s", s->format);
    }
    if (away != c->lost)
        tell_event(m, away ? "camera_lost" : "camera_back", c->name, s->state_since_mono_ns,
                   away ? tf_mqtt_message_of(s) : NULL);
    c->lost = away;
    if (text && (!c->said || strcmp(text, c->said) != 0 || now - c->said_ns >= STATE_NS)) {
        put(m, c->name, "state", tf_mqtt_state_text(s, true, m->utc_offset_ns, now), TF_MQTT_RETAINED);
        c->said_ns = now;
        free(c->said);
        c->said = text;
        text = NULL;
    }
    free(text);
}

static void put_states(struct tf_mqtt *m, uint64_t now)
{
    int n = m->status(m->context, m->statuses, TF_MQTT_CAMERAS_MAX), count = atomic_load(&m->count);

    m->utc_offset_ns = tf_utc_offset_ns();
    m->status_ns = now;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < n; k++)
            if (strcmp(m->statuses[k].camera, m->cameras[i].name) == 0)
                put_state(m, &m->cameras[i], &m->statuses[k], now);
}

static void put_discovery(struct tf_mqtt *m)
{
    struct tf_discovery_camera cameras[TF_MQTT_CAMERAS_MAX];
    int count = atomic_load(&m->count);

    for (int i = 0; i < count; i++) {
        const struct camera *c = &m->cameras[i];

        cameras[i] = (struct tf_discovery_camera){.camera = c->name,
                                                  .format = c->format,
                                                  .known = c->known,
                                                  .regions = c->regions,
                                                  .celsius = c->celsius,
                                                  .own = tf_means_names(c->means)};
    }
    tf_discovery_publish(m->discovery, m->client, cameras, count);
}

/* Who this is; whoever shares our topics by mistake is told by it. */
static void put_box(struct tf_mqtt *m)
{
    json_t *o = json_object(), *cameras = json_array();
    char utc[TF_UTC_TEXT];

    tf_utc_format(tf_utc_now_ns(), utc);
    json_object_set_new(o, "version", json_string(TF_VERSION));
    json_object_set_new(o, "host", json_string(m->host));
    json_object_set_new(o, "instance", json_string(m->instance));
    json_object_set_new(o, "t_utc", json_string(utc));
    json_object_set_new(o, "interval_s", json_real((double)m->interval_ns / 1e9));
    for (int i = 0; i < atomic_load(&m->count); i++)
        json_array_append_new(cameras, json_string(m->cameras[i].name));
    json_object_set_new(o, "cameras", cameras);
    put(m, NULL, "box", json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(7)), TF_MQTT_RETAINED);
    json_decref(o);
}

/* From the connection's thread. */
static void on_message(void *context, const char *topic, const char *payload, size_t size, bool retained)
{
    struct tf_mqtt *m = context;
    size_t base = strlen(m->topic);
    const char *instance;
    json_t *o;

    if (size > MESSAGE_MAX)
        return;
    if (strncmp(topic, m->topic, base) != 0 || strcmp(topic + base, "/box") != 0) {
        if (size)
            tf_discovery_found(m->discovery, topic, payload, size);
        return;
    }
    /* What was kept may be of our own earlier run; what comes now is another's, or ours. */
    o = retained ? NULL : json_loadb(payload, size, 0, NULL);
    instance = json_string_value(json_object_get(o, "instance"));
    if (instance && strcmp(instance, m->instance) != 0 && !atomic_exchange(&m->twin_said, true)) {
        const char *host = json_string_value(json_object_get(o, "host"));

        tf_mqtt_client_tell(
            m->client, true,
            "MQTT: another service publishes below %s, too (on \"%.64s\"): set topic in [mqtt]", m->topic,
            host ? host : "?");
    }
    json_decref(o);
}

static void tick(struct tf_mqtt *m)
{
    uint64_t now = tf_now_ns(), connection = tf_mqtt_client_connection(m->client);
    int count = atomic_load(&m->count);

    for (int i = 0; i < count; i++)
        put_regions(m, &m->cameras[i], now);
    if (connection != m->connection) {
        m->connection = connection;
        tf_discovery_forget(m->discovery);
        for (int i = 0; i < count && connection; i++) {
            free(m->cameras[i].said);
            m->cameras[i].said = NULL;
        }
        m->box_cameras = -1;
        m->status_ns = 0;
    }
    /* Cameras come one by one at the start, and a broker may be quicker. */
    if (connection && count != m->box_cameras) {
        put_box(m);
        m->box_cameras = count;
    }
    if (now - m->status_ns >= STATUS_NS)
        put_states(m, now);
    if (connection)
        put_discovery(m);
}

static void *run(void *context)
{
    struct tf_mqtt *m = context;
    struct pollfd poller = {.fd = m->stop, .events = POLLIN};

    pthread_setname_np(pthread_self(), "tf-mqtt");
    m->utc_offset_ns = tf_utc_offset_ns();
    while (poll(&poller, 1, TICK_MS) <= 0)
        tick(m);
    /* The last frames' values and states. */
    tick(m);
    return NULL;
}

/* --- for others --- */

static void destroy(struct tf_mqtt *m)
{
    if (!m)
        return;
    tf_mqtt_client_destroy(m->client);
    tf_discovery_destroy(m->discovery);
    for (int i = 0; i < TF_MQTT_CAMERAS_MAX; i++) {
        tf_means_destroy(m->cameras[i].means);
        free(m->cameras[i].said);
    }
    if (m->stop >= 0)
        close(m->stop);
    free(m->statuses);
    free(m);
}

static int take_names(struct tf_mqtt *m, const struct tf_mqtt_options *o, struct tf_error *err)
{
    uint64_t some = 0;
    int n;

    if (gethostname(m->host, sizeof(m->host) - 1) < 0 || !m->host[0])
        strcpy(m->host, "localhost");
    getrandom(&some, sizeof(some), GRND_NONBLOCK);
    snprintf(m->instance, sizeof(m->instance), "%016llx", (unsigned long long)some);
    n = o->topic ? snprintf(m->topic, sizeof(m->topic), "%s", o->topic)
                 : snprintf(m->topic, sizeof(m->topic), "thermoface/%s", m->host);
    if (n >= (int)sizeof(m->topic) || strpbrk(m->topic, "+#"))
        return tf_fail(err, -EINVAL, "MQTT: the topic %s is too long, or has + or # in it", m->topic);
    return 0;
}

int tf_mqtt_create(const struct tf_mqtt_options *o, struct tf_mqtt **ret, struct tf_error *err)
{
    const char *prefix = o->prefix ? o->prefix : "homeassistant";
    char filters[2][TF_MQTT_NAME_MAX], status[TF_MQTT_NAME_MAX], box[TF_MQTT_NAME_MAX];
    struct tf_mqtt *m = calloc(1, sizeof(*m));
    struct tf_mqtt_client_options client = {.mqtt = o,
                                            .status_topic = status,
                                            .filters = {box, filters[0], filters[1]},
                                            .message = on_message,
                                            .context = m};
    int r;

    if (!m)
        return tf_fail(err, -ENOMEM, "MQTT: no memory");
    m->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->interval_ns = o->interval_ns;
    m->origin_ns = tf_means_origin(o->interval_ns);
    m->status = o->status;
    m->context = o->context;
    m->statuses = calloc(TF_MQTT_CAMERAS_MAX, sizeof(*m->statuses));
    r = take_names(m, o, err);
    if (r < 0)
        goto fail;
    r = m->stop < 0 ? -errno : 0;
    if (r == 0 && m->statuses)
        r = tf_discovery_create(prefix, m->topic, m->host, o->interval_ns, o->qos, o->discovery,
                                &m->discovery);
    if (r < 0 || !m->statuses) {
        r = tf_fail(err, r < 0 ? r : -ENOMEM, "MQTT: %s", strerror(r < 0 ? -r : ENOMEM));
        goto fail;
    }
    tf_discovery_filters(m->discovery, filters);
    snprintf(status, sizeof(status), "%s/status", m->topic);
    snprintf(box, sizeof(box), "%s/box", m->topic);
    r = tf_mqtt_client_create(&client, &m->client, err);
    if (r == 0)
        r = tf_mqtt_client_start(m->client, err);
    if (r < 0)
        goto fail;
    r = -pthread_create(&m->thread, NULL, run, m);
    if (r < 0) {
        tf_fail(err, r, "MQTT: %s", strerror(-r));
        goto fail;
    }
    *ret = m;
    return 0;

fail:
    destroy(m);
    return r;
}

void tf_mqtt_stop(struct tf_mqtt *m)
{
    if (!m || m->stopped)
        return;
    m->stopped = true;
    eventfd_write(m->stop, 1);
    pthread_join(m->thread, NULL);
    tf_mqtt_client_stop(m->client);
}

void tf_mqtt_destroy(struct tf_mqtt *m)
{
    tf_mqtt_stop(m);
    destroy(m);
}

static int take_record(void *self, const struct tf_record *record, struct tf_error *err)
{
    const struct camera *c = self;

    tf_means_record(c->means, record);
    return 0;
}

int tf_mqtt_sink(struct tf_mqtt *m, const char *camera, bool regions, struct tf_sink *ret)
{
    int n = atomic_load(&m->count), r;
    struct camera *c = &m->cameras[n];

    if (n == TF_MQTT_CAMERAS_MAX)
        return -ENOSPC;
    r = tf_means_create(m->interval_ns, m->origin_ns, &c->means);
    if (r < 0)
        return r;
    c->owner = m;
    c->regions = regions;
    snprintf(c->name, sizeof(c->name), "%s", camera);
    atomic_store(&m->count, n + 1);
    *ret = (struct tf_sink){.name = "mqtt", .self = c, .record = take_record};
    return 0;
}

void tf_mqtt_set_login(struct tf_mqtt *m, const char *user, const char *password)
{
    tf_mqtt_client_set_login(m->client, user, password);
}

void tf_mqtt_told(struct tf_mqtt *m, struct tf_mqtt_told *ret)
{
    if (!m) {
        *ret = (struct tf_mqtt_told){0};
        return;
    }
    tf_mqtt_client_told(m->client, ret);
    snprintf(ret->topic, sizeof(ret->topic), "%s", m->topic);
    for (int i = 0; i < atomic_load(&m->count); i++)
        ret->frames_lost += tf_means_lost(m->cameras[i].means);
}
