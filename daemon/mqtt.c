/* The MQTT client of a configuration: its secrets, its start, and the events of sessions. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/count.h"
#include "base/log.h"
#include "daemon/service.h"
#include "publish/mqtt/mqtt.h"
#include "publish/net/tls.h"

struct secret {
    char user[64], password[128];
};

static bool is_wanted(const struct tf_config_mqtt *c)
{
    return c->enabled && c->host;
}

static int at_key(const struct tf_config *config, const char *key, int r, struct tf_error *err)
{
    char where[PATH_MAX];

    tf_config_where(config, "mqtt", NULL, key, where, sizeof(where));
    tf_error_prefix(err, "%s", where);
    return r;
}

static int read_secret(const struct tf_config *config, struct secret *ret, struct tf_error *err)
{
    const struct tf_config_mqtt *c = &config->mqtt;
    int r = c->credentials ? tf_credentials_read(c->credentials, ret->user, ret->password, err) : 0;

    return r < 0 ? at_key(config, "credentials", r, err) : 0;
}

int tf_service_check_mqtt(const struct tf_config *config, struct tf_error *err)
{
    const struct tf_config_mqtt *c = &config->mqtt;
    struct tf_tls_pair pair = {0};
    struct secret secret;
    int r;

    if (!is_wanted(c))
        return 0;
    if (!tf_mqtt_is_built())
        return at_key(
            config, "host",
            tf_fail(err, -ENOTSUP,
                    "[mqtt]: this build has none: leave it out, or build with libmosquitto-dev (meson "
                    "option mqtt)"),
            err);
    r = read_secret(config, &secret, err);
    explicit_bzero(&secret, sizeof(secret));
    if (r == 0 && c->tls_ca) {
        r = tf_tls_check_authorities(c->tls_ca, err);
        if (r < 0)
            at_key(config, "tls-ca", r, err);
    }
    if (r == 0 && c->tls_certificate) {
        r = tf_tls_load(c->tls_certificate, c->tls_key, &pair, err);
        if (r < 0)
            at_key(config, "tls-certificate", r, err);
        tf_tls_free(&pair);
    }
    return r;
}

static void tell(void *context, bool trouble, const char *text)
{
    tf_log(trouble ? TF_LOG_WARNING : TF_LOG_INFO, NULL, "%s", text);
}

int tf_service_start_mqtt(struct tf_service *service, struct tf_error *err)
{
    const struct tf_config_mqtt *c = &service->config->mqtt;
    struct tf_mqtt_options options = {.host = c->host,
                                      .port = c->port,
                                      .topic = c->topic,
                                      .client_id = c->client_id,
                                      .tls = c->tls,
                                      .ca = c->tls_ca,
                                      .certificate = c->tls_certificate,
                                      .key = c->tls_key,
                                      .v5 = c->protocol == TF_CONFIG_MQTT_5,
                                      .qos = (int)c->qos,
                                      .keepalive_s = (unsigned)(c->keepalive_ns / TF_NS_PER_S),
                                      .interval_ns = c->interval_ns,
                                      .queue = c->queue,
                                      .discovery = c->discovery,
                                      .prefix = c->discovery_prefix,
                                      .status = tf_service_statuses,
                                      .tell = tell,
                                      .context = service};
    struct tf_mqtt *mqtt = NULL;
    struct secret secret;
    int r;

    if (!is_wanted(c))
        return 0;
    r = read_secret(service->config, &secret, err);
    if (r == 0 && c->credentials) {
        tf_service_warn_open(c->credentials);
        if (!c->tls && !tf_address_is_loopback(c->host))
            tf_log(TF_LOG_WARNING, NULL, "MQTT: the password goes to %s in the clear: set tls=yes in [mqtt]",
                   c->host);
        options.user = secret.user;
        options.password = secret.password;
    }
    tf_service_warn_open(c->tls_key);
    if (r == 0)
        r = tf_mqtt_create(&options, &mqtt, err);
    if (mqtt)
        atomic_store(&service->mqtt, mqtt);
    explicit_bzero(&secret, sizeof(secret));
    return r;
}

void tf_service_mqtt_reload(struct tf_service *service)
{
    const struct tf_config_mqtt *c = &service->config->mqtt;
    struct tf_error err = {0};
    struct secret secret;
    int r;

    if (!service->mqtt || !c->credentials)
        return;
    r = read_secret(service->config, &secret, &err);
    if (r == 0)
        tf_mqtt_set_login(service->mqtt, secret.user, secret.password);
    else
        tf_log(TF_LOG_ERROR, NULL, "reload: MQTT's login that is used stays: %s", err.text);
    explicit_bzero(&secret, sizeof(secret));
    tf_service_warn_open(c->credentials);
}

void tf_service_mqtt_session(struct tf_service *service, const char *kind, const char *state)
{
    json_t *more;

    if (!service->mqtt)
        return;
    more = json_object();
    json_object_set_new(more, "name", json_string(tf_session_stem(service->session)));
    json_object_set_new(more, "subject", json_string(service->session_subject));
    if (service->session_name)
        json_object_set_new(more, "session", json_string(service->session_name));
    json_object_set_new(more, "task", json_string(service->session_task));
    json_object_set_new(more, "state", json_string(state));
    tf_mqtt_event(service->mqtt, kind,
                  strcmp(kind, "record_start") == 0 ? service->session_start_ns : tf_now_ns(), more);
}

void tf_service_mqtt_mark(struct tf_service *service, const char *kind, const char *text, const char *value,
                          const json_t *mark)
{
    static const char *const members[] = {"mark", "onset", "source", "t_from"};
    json_t *more, *member;

    if (!service->mqtt)
        return;
    more = json_object();
    for (size_t i = 0; i < TF_COUNT(members); i++)
        if ((member = json_object_get(mark, members[i])))
            json_object_set(more, members[i], member);
    json_object_set_new(more, "text", json_string(text));
    if (value)
        json_object_set_new(more, "value", json_string(value));
    tf_mqtt_event(service->mqtt, kind, (uint64_t)json_integer_value(json_object_get(mark, "t_mono_ns")),
                  more);
}
