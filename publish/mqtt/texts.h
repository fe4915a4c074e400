/* What is published, as JSON; inside publish/mqtt/ only. All texts are malloc'd, NULL: no memory. */
#ifndef TF_PUBLISH_MQTT_TEXTS_H
#define TF_PUBLISH_MQTT_TEXTS_H

#include "publish/mqtt/means.h"
#include "publish/status/status.h"

struct json_t;

/* BASE/CAMERA/regions. */
char *tf_mqtt_regions_text(const char *camera, double interval_s, int64_t utc_offset_ns,
                           const struct tf_means_interval *interval);
/* BASE/CAMERA/state; without `numbers` only what a reader wants to know at once when it changes. */
char *tf_mqtt_state_text(const struct tf_status *status, bool numbers, int64_t utc_offset_ns,
                         uint64_t now_ns);
/* {"message":…}: why a camera is not running. A new reference. */
struct json_t *tf_mqtt_message_of(const struct tf_status *status);
/* An event, of a camera or (NULL) of the box. Takes `more` over; may be NULL. */
char *tf_mqtt_event_text(const char *kind, const char *camera, uint64_t t_mono_ns, int64_t utc_offset_ns,
                         struct json_t *more);

#endif
