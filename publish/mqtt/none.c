/* Stands in for MQTT in builds without libmosquitto (-Dmqtt=disabled). */
#include <errno.h>
#include <jansson.h>

#include "publish/mqtt/mqtt.h"

bool tf_mqtt_is_built(void)
{
    return false;
}

int tf_mqtt_create(const struct tf_mqtt_options *options, struct tf_mqtt **ret, struct tf_error *err)
{
    return tf_fail(err, -ENOSYS, "MQTT: this build has none (meson option mqtt needs libmosquitto-dev)");
}

void tf_mqtt_stop(struct tf_mqtt *mqtt)
{
}

void tf_mqtt_destroy(struct tf_mqtt *mqtt)
{
}

int tf_mqtt_sink(struct tf_mqtt *mqtt, const char *camera, bool regions, struct tf_sink *ret)
{
    return -ENOSYS;
}

void tf_mqtt_event(struct tf_mqtt *mqtt, const char *kind, uint64_t t_mono_ns, struct json_t *more)
{
    json_decref(more);
}

void tf_mqtt_set_login(struct tf_mqtt *mqtt, const char *user, const char *password)
{
}

void tf_mqtt_told(struct tf_mqtt *mqtt, struct tf_mqtt_told *ret)
{
    *ret = (struct tf_mqtt_told){0};
}
