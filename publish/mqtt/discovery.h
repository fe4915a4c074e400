/*
 * Home Assistant's MQTT discovery: a retained description of each sensor at
 * PREFIX/COMPONENT/NODE/OBJECT/config (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery,
 * single-component payloads, which every version understands); inside publish/mqtt/ only.
 */
#ifndef TF_PUBLISH_MQTT_DISCOVERY_H
#define TF_PUBLISH_MQTT_DISCOVERY_H

#include "inference/face/own.h"
#include "publish/mqtt/client.h"

#define TF_DISCOVERY_NODE 96

struct tf_discovery;

struct tf_discovery_camera {
    const char *camera, *format;
    bool known;   /* it has delivered: unit and regions are what they say; else what is there stays */
    bool regions; /* its faces are looked for */
    bool celsius;
    const struct tf_own_names *own;
};

/* `topic`: the base; `enabled`: else all that is there of this base is taken away. Texts are copied. -ENOMEM.
 */
int tf_discovery_create(const char *prefix, const char *topic, const char *host, uint64_t interval_ns,
                        int qos, bool enabled, struct tf_discovery **ret);
/* Accepts NULL. */
void tf_discovery_destroy(struct tf_discovery *discovery);
/* What to subscribe to, so that what an earlier run left is known: two filters. */
void tf_discovery_filters(const struct tf_discovery *discovery, char filters[2][TF_MQTT_NAME_MAX]);
/* A message that came, from another thread. False: it is no description of this base. */
bool tf_discovery_found(struct tf_discovery *discovery, const char *topic, const char *payload, size_t size);
/* Everything is published anew. */
void tf_discovery_forget(struct tf_discovery *discovery);
/*
 * Puts what is new or has changed, and an empty message for each sensor that is no longer there. As much as
 * half the queue takes; the rest with the next call.
 */
void tf_discovery_publish(struct tf_discovery *discovery, struct tf_mqtt_client *client,
                          const struct tf_discovery_camera *cameras, int count);

#endif
