/* The HTTP server of a configuration: its secrets, its certificate, its start and what SIGHUP renews. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/service.h"
#include "publish/mqtt/mqtt.h"
#include "publish/net/tls.h"

/* What the configuration's files hold. */
struct secrets {
    char user[64], password[128], watch_user[64], watch_password[128];
    struct tf_tokens tokens;
    struct tf_tls_pair tls;
};

static int at_key(const struct tf_config *config, const char *key, int r, struct tf_error *err)
{
    char where[PATH_MAX];

    tf_config_where(config, "http", NULL, key, where, sizeof(where));
    tf_error_prefix(err, "%s", where);
    return r;
}

static void wipe(struct secrets *s)
{
    if (!s)
        return;
    tf_tls_free(&s->tls);
    explicit_bzero(s, sizeof(*s));
    free(s);
}

static int read_secrets(const struct tf_config *config, bool tls, struct secrets **ret, struct tf_error *err)
{
    const struct tf_config_http *c = &config->http;
    struct secrets *s = calloc(1, sizeof(*s));
    const char *key = "credentials";
    int r = s ? 0 : tf_fail(err, -ENOMEM, "no memory");

    if (r == 0 && c->credentials)
        r = tf_credentials_read(c->credentials, s->user, s->password, err);
    if (r == 0 && c->watch_credentials) {
        key = "watch-credentials";
        r = tf_credentials_read(c->watch_credentials, s->watch_user, s->watch_password, err);
    }
    if (r == 0 && c->watch_credentials && c->credentials && strcmp(s->user, s->watch_user) == 0)
        r = tf_fail(err, -EINVAL, "both may not be of one user: \"%s\" is who may control", s->user);
    if (r == 0 && c->tokens) {
        key = "tokens";
        r = tf_tokens_read(c->tokens, &s->tokens, err);
    }
    if (r == 0 && c->tls_certificate && tls) {
        key = "tls-certificate";
        r = tf_tls_load(c->tls_certificate, c->tls_key, &s->tls, err);
    }
    if (r < 0) {
        wipe(s);
        return at_key(config, key, r, err);
    }
    *ret = s;
    return 0;
}

int tf_service_check_http(const struct tf_config *config, struct tf_error *err)
{
    struct secrets *s = NULL;
    int r = config->http.enabled ? read_secrets(config, true, &s, err) : 0;

    wipe(s);
    return r;
}

static void set_logins(const struct tf_config_http *c, const struct secrets *s,
                       struct tf_http_options *options)
{
    if (c->credentials) {
        options->user = s->user;
        options->password = s->password;
    }
    if (c->watch_credentials) {
        options->watch_user = s->watch_user;
        options->watch_password = s->watch_password;
    }
    options->tokens = c->tokens ? &s->tokens : NULL;
}

static void warn_open(const struct tf_config_http *c)
{
    tf_service_warn_open(c->credentials);
    tf_service_warn_open(c->watch_credentials);
    tf_service_warn_open(c->tokens);
    tf_service_warn_open(c->tls_key);
}

static uint64_t rtsp_logins_failed(void *context)
{
    const struct tf_service *service = context;

    return service->rtsp ? tf_rtsp_logins_failed(service->rtsp) : 0;
}

static void tell_mqtt(void *context, struct tf_mqtt_told *ret)
{
    tf_mqtt_told(((struct tf_service *)context)->mqtt, ret);
}

int tf_service_start_http(struct tf_service *service, struct tf_error *err)
{
    const struct tf_config_http *c = &service->config->http;
    struct tf_http_options options = {
        .address = c->address,
        .port = c->port,
        .clients_max = c->clients,
        .viewers_max = c->viewers,
        .address_max = c->clients_per_address,
        .proxies = c->proxies,
        .queue_bytes = c->queue_bytes,
        .status = tf_service_statuses,
        .snapshot = tf_service_snapshot,
        .health = tf_service_health,
        .session = tf_service_session,
        .ffc = tf_service_ffc,
        .regions = tf_service_regions,
        .rtsp_logins_failed = rtsp_logins_failed,
        .triggers = tf_service_triggers,
        .mqtt = tell_mqtt,
        .lsl = tf_service_lsl_told,
        .session_list = tf_service_session_list,
        .session_file = tf_service_session_file,
        .session_video = tf_service_session_video,
        .sessions_for_watchers = c->recordings == TF_CONFIG_RECORDINGS_WATCH,
        .context = service,
    };
    struct secrets *s = NULL;
    int r = c->enabled ? read_secrets(service->config, true, &s, err) : 0;

    if (!s)
        return r;
    set_logins(c, s, &options);
    options.tls = c->tls_certificate ? &s->tls : NULL;
    warn_open(c);
    r = tf_http_create(&options, &service->http, err);
    wipe(s);
    return r < 0 ? at_key(service->config, r == -EINVAL ? "address" : "port", r, err) : 0;
}

static void reload_logins(struct tf_service *service)
{
    struct tf_http_options logins = {0};
    struct secrets *s = NULL;
    struct tf_error err = {0};
    int r;

    if (!service->config->http.credentials)
        return;
    r = read_secrets(service->config, false, &s, &err);
    if (r == 0) {
        set_logins(&service->config->http, s, &logins);
        r = tf_http_set_logins(service->http, &logins, &err);
    }
    if (r < 0)
        tf_log(TF_LOG_ERROR, NULL, "reload: HTTP's logins that are used stay: %s", err.text);
    wipe(s);
}

void tf_service_http_reload(struct tf_service *service)
{
    const struct tf_config_http *c = &service->config->http;
    struct tf_tls_pair tls = {0};
    struct tf_error err = {0};
    int r;

    if (!service->http)
        return;
    reload_logins(service);
    warn_open(c);
    if (!c->tls_certificate)
        return;
    r = tf_tls_load(c->tls_certificate, c->tls_key, &tls, &err);
    if (r == 0)
        r = tf_http_set_tls(service->http, &tls, &err);
    if (r < 0)
        tf_log(TF_LOG_ERROR, NULL, "reload: HTTP's certificate that is used stays: %s", err.text);
    tf_tls_free(&tls);
}

void tf_service_http_watch(struct tf_service *service)
{
    static struct tf_log_limit limit;
    uint64_t failed = service->http ? tf_http_logins_failed(service->http) : 0;

    if (failed > service->logins_failed)
        tf_log_limited(&limit, 1, 60000000000ull, TF_LOG_WARNING, NULL, "http: %llu failed logins so far",
                       (unsigned long long)failed);
    service->logins_failed = failed;
}
