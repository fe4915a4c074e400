/*
 * The connection to a broker: a thread that connects, says it again and again without end, and sends what
 * waits in a bounded queue; inside publish/mqtt/ only.
 */
#ifndef TF_PUBLISH_MQTT_CLIENT_H
#define TF_PUBLISH_MQTT_CLIENT_H

#include "publish/mqtt/mqtt.h"

#define TF_MQTT_FILTERS_MAX 4
#define TF_MQTT_NAME_MAX 320 /* bytes of a topic */

struct tf_mqtt_client;

struct tf_mqtt_client_options {
    const struct tf_mqtt_options *mqtt;       /* what of it is about the connection; texts are copied */
    const char *status_topic;                 /* "online" and "offline", retained */
    const char *filters[TF_MQTT_FILTERS_MAX]; /* subscribed to at each connection; NULL: no more */
    /* A message that came, from the thread. `payload` ends in a zero that is not in `size`. */
    void (*message)(void *context, const char *topic, const char *payload, size_t size, bool retained);
    void *context;
};

/* Errors: -ENOMEM and those of descriptors. */
int tf_mqtt_client_create(const struct tf_mqtt_client_options *options, struct tf_mqtt_client **ret,
                          struct tf_error *err);
/* Connects, from now on. Errors of threads. */
int tf_mqtt_client_start(struct tf_mqtt_client *client, struct tf_error *err);
/* Says "offline" and ends the thread, within a second; what is put after is not sent. Accepts NULL, and
 * again.
 */
void tf_mqtt_client_stop(struct tf_mqtt_client *client);
/* The same, and frees it. Accepts NULL. */
void tf_mqtt_client_destroy(struct tf_mqtt_client *client);

/* By what they are worth when there is no room. */
enum tf_mqtt_kind {
    TF_MQTT_NOW,      /* worth something only while it is new: dropped where there is no connection */
    TF_MQTT_RETAINED, /* the same, and kept by the broker: whoever puts it does so again when connected anew
                       */
    TF_MQTT_EVENT,    /* waits for the next connection, with its time in it */
};
/*
 * Takes copies. What finds no room pushes out the oldest of the kind that is worth least. Dropped messages
 * are counted. From any thread; does not wait for the broker. -ENOTCONN, -ENOMEM.
 */
int tf_mqtt_client_put(struct tf_mqtt_client *client, const char *topic, const char *payload,
                       enum tf_mqtt_kind kind);
/* How many connections there have been, and 0 while there is none. */
uint64_t tf_mqtt_client_connection(const struct tf_mqtt_client *client);
/* Messages that could be put now without one being dropped. */
uint32_t tf_mqtt_client_room(struct tf_mqtt_client *client);
void tf_mqtt_client_set_login(struct tf_mqtt_client *client, const char *user, const char *password);
/* Fills all but what the regions lost. */
void tf_mqtt_client_told(struct tf_mqtt_client *client, struct tf_mqtt_told *ret);
/* For the log, through options.mqtt->tell. */
void tf_mqtt_client_tell(struct tf_mqtt_client *client, bool trouble, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
