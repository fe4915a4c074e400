/*
 * MQTT: what a box measures and does, published at a broker that many boxes share. Below the base topic:
 * status (online, offline by the last will), box, event, and for each camera CAMERA/state, CAMERA/regions and
 * CAMERA/event (docs/mqtt.md). Nothing is subscribed to that could control anything.
 *
 * Two threads of its own: one makes the texts, one talks to the broker. Records come in through a sink that
 * copies a few numbers into a ring and never waits; a broker that is away, slow or hostile costs messages,
 * which are counted, and nothing else.
 */
#ifndef TF_PUBLISH_MQTT_MQTT_H
#define TF_PUBLISH_MQTT_MQTT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "publish/record/sink.h"
#include "publish/status/status.h"

struct json_t;
struct tf_mqtt;

#define TF_MQTT_CAMERAS_MAX 8
#define TF_MQTT_TOPIC_MAX 128 /* bytes of the base topic */
#define TF_MQTT_PREFIX_MAX 64 /* bytes of the prefix of discovery */

struct tf_mqtt_options {
    const char *host;      /* a name or an address */
    uint16_t port;         /* 0 = 1883, with TLS 8883 */
    const char *topic;     /* base; NULL = thermoface/HOSTNAME */
    const char *client_id; /* NULL = thermoface-HOSTNAME- and something random */
    const char *user, *password;
    bool tls;
    const char *ca;                /* PEM file; NULL = the system's */
    const char *certificate, *key; /* PEM files of a client's certificate, both or neither */
    bool v5;                       /* MQTT 5, else 3.1.1 */
    int qos;                       /* 0 or 1, of everything */
    unsigned keepalive_s;          /* 5 at least */
    uint64_t interval_ns;          /* of the regions' means */
    uint32_t queue;                /* messages that may wait; the oldest is dropped */
    bool discovery;                /* for Home Assistant */
    const char *prefix;            /* of its topics; NULL = homeassistant */
    /* Asked twice a second from the thread; fills at most `max` and returns how many cameras there are. */
    int (*status)(void *context, struct tf_status *statuses, int max);
    /* What happens, for a log: each state once. From the threads; never after tf_mqtt_stop. */
    void (*tell)(void *context, bool trouble, const char *text);
    void *context;
};

/* Whether this program was built with it (meson option mqtt). */
bool tf_mqtt_is_built(void);
/*
 * Copies all texts and begins to connect. Errors: -EINVAL (options that cannot be), -ENOMEM, -ENOSYS (built
 * without), and those of threads. A broker that is away is no error.
 */
int tf_mqtt_create(const struct tf_mqtt_options *options, struct tf_mqtt **ret, struct tf_error *err);
/*
 * Says "offline" and ends its threads, within a second, whatever the broker does. All functions may still be
 * called; nothing is published any more. Accepts NULL, and again.
 */
void tf_mqtt_stop(struct tf_mqtt *mqtt);
/* The same, and frees it: once the sinks' pipelines have ended and nobody asks. Accepts NULL. */
void tf_mqtt_destroy(struct tf_mqtt *mqtt);

/*
 * A camera's records, for one pipeline. `regions`: its faces are looked for, so that its regions are worth
 * announcing. The mqtt outlives it. -ENOSPC past TF_MQTT_CAMERAS_MAX. Before the pipeline starts.
 */
int tf_mqtt_sink(struct tf_mqtt *mqtt, const char *camera, bool regions, struct tf_sink *ret);
/*
 * Something that happened, of the whole box: {"event":KIND,"t_utc":…,"t_mono_ns":…} and what `more` (an
 * object, taken over; may be NULL) has. From any thread; does not wait. `mqtt` may be NULL.
 */
void tf_mqtt_event(struct tf_mqtt *mqtt, const char *kind, uint64_t t_mono_ns, struct json_t *more);
/* Another login, from the next connection on, which is tried at once where there is none. */
void tf_mqtt_set_login(struct tf_mqtt *mqtt, const char *user, const char *password);
/* From any thread. `mqtt` may be NULL: not configured. */
void tf_mqtt_told(struct tf_mqtt *mqtt, struct tf_mqtt_told *ret);

#endif
