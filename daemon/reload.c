/* SIGHUP: what of a changed configuration is taken over while the cameras run. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/service.h"

#define CHANGES_MAX 64

static void say(const struct tf_config_change *c)
{
    char key[160];

    snprintf(key, sizeof(key), "[%s%s%s]%s%s", c->section, c->camera ? " " : "", c->camera ? c->camera : "",
             c->key ? " " : "", c->key ? c->key : "");
    if (!c->key)
        tf_log(TF_LOG_NOTICE, NULL, "reload: %s was %s: takes effect after a restart", key,
               c->added ? "added" : "removed");
    else
        tf_log(TF_LOG_NOTICE, NULL, "reload: %s: \"%s\" becomes \"%s\"%s", key, c->was, c->now,
               c->live ? "" : ": takes effect after a restart");
}

void tf_service_reload(struct tf_service *service)
{
    struct tf_config_change changes[CHANGES_MAX];
    struct tf_overlay_options overlay;
    struct tf_config *next = NULL;
    struct tf_error err = {0};
    size_t n, live = 0;
    int count = atomic_load(&service->count), r;

    /* Their paths stay, what they hold has changed; and a fault elsewhere is no reason to let one expire. */
    tf_service_rtsp_reload(service);
    tf_service_http_reload(service);
    tf_service_mqtt_reload(service);
    r = tf_config_load(service->config->path, &next, &err);
    if (r == 0)
        r = tf_service_check(next, NULL, &err);
    if (r < 0) {
        tf_log(TF_LOG_ERROR, NULL, "reload: the running configuration stays: %s", err.text);
        goto out;
    }
    n = tf_config_diff(service->config, next, changes, CHANGES_MAX);
    for (size_t i = 0; i < n && i < CHANGES_MAX; i++) {
        say(&changes[i]);
        live += changes[i].live;
    }
    if (n > CHANGES_MAX)
        tf_log(TF_LOG_NOTICE, NULL, "reload: %zu further changes", n - CHANGES_MAX);
    if (n == 0)
        tf_log(TF_LOG_NOTICE, NULL, "reload: nothing has changed");
    /* The changes hold texts of the running configuration: they end here. */
    if (!live && n <= CHANGES_MAX)
        goto out;
    r = tf_config_take_live(service->config, next);
    if (r < 0) {
        tf_log(TF_LOG_ERROR, NULL, "reload: out of memory, nothing was taken over");
        goto out;
    }
    overlay = tf_service_overlay(service->config);
    for (int i = 0; i < count; i++)
        if (tf_pipeline_set_overlay(service->pipelines[i], &overlay, &err) < 0)
            tf_log(TF_LOG_ERROR, service->cameras[i]->name, "reload: %s", err.text);
    for (size_t i = 0; i < TF_CONFIG_PAIRS_MAX; i++)
        if (service->pair_pictures[i])
            tf_pair_picture_set_overlay(service->pair_pictures[i], &overlay);
out:
    tf_config_free(next);
}
