/* Messages that wait for the broker; inside publish/mqtt/ only. */
#ifndef TF_PUBLISH_MQTT_QUEUE_H
#define TF_PUBLISH_MQTT_QUEUE_H

#include <stdatomic.h>

#include "publish/mqtt/client.h"

struct tf_mqtt_message {
    struct tf_mqtt_message *next;
    enum tf_mqtt_kind kind;
    int mid; /* libmosquitto's number, once it is on its way */
    size_t size;
    char *payload; /* in the same block, after the topic */
    char topic[];
};

struct tf_mqtt_list {
    struct tf_mqtt_message *first, *last;
    uint32_t count;
};

/* -ENOMEM. */
int tf_mqtt_message_create(const char *topic, const char *payload, enum tf_mqtt_kind kind,
                           struct tf_mqtt_message **ret);
void tf_mqtt_list_push(struct tf_mqtt_list *list, struct tf_mqtt_message *message);
/* NULL: empty. */
struct tf_mqtt_message *tf_mqtt_list_pop(struct tf_mqtt_list *list);
/* The oldest of the kind that is worth least (enum tf_mqtt_kind's order). NULL: empty. */
struct tf_mqtt_message *tf_mqtt_list_pop_cheapest(struct tf_mqtt_list *list);
/* NULL: there is none of that number. */
struct tf_mqtt_message *tf_mqtt_list_take(struct tf_mqtt_list *list, int mid);
/* Frees all but events; returns how many. */
uint32_t tf_mqtt_list_keep_events(struct tf_mqtt_list *list);
/* Puts all of `front` before those of `list`, and empties it. */
void tf_mqtt_list_prepend(struct tf_mqtt_list *list, struct tf_mqtt_list *front);
void tf_mqtt_list_clear(struct tf_mqtt_list *list);

#endif
