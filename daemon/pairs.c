/* The configuration's pairs of cameras. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "daemon/choices.h"
#include "daemon/service.h"

static size_t camera_index(const struct tf_config *config, const char *name)
{
    size_t i = 0;

    /* tf_config_load has seen to it that there is one. */
    while (i + 1 < config->camera_count && strcmp(config->cameras[i].name, name) != 0)
        i++;
    return i;
}

static int load(const struct tf_config *config, const struct tf_config_pair *pair,
                struct tf_registration *ret, struct tf_error *err)
{
    char where[PATH_MAX];
    int r = tf_registration_load(pair->calibration, ret, err);

    if (r < 0) {
        tf_config_where(config, "pair", pair->name, "calibration", where, sizeof(where));
        tf_error_prefix(err, "%s", where);
    }
    return r;
}

int tf_service_check_pair(const struct tf_config *config, size_t i, struct tf_error *err)
{
    const struct tf_config_pair *pair = &config->pairs[i];
    struct tf_registration registration;

    return pair->enabled && pair->calibration ? load(config, pair, &registration, err) : 0;
}

int tf_service_pairs_prepare(struct tf_service *service, struct tf_error *err)
{
    const struct tf_config *config = service->config;
    int r = 0;

    for (size_t i = 0; i < config->pair_count && r == 0; i++) {
        const struct tf_config_pair *pair = &config->pairs[i];
        size_t visible = camera_index(config, pair->visible);

        if (!pair->enabled)
            continue;
        if (!service->exchanges[visible])
            r = tf_exchange_create(&service->exchanges[visible]);
        if (r < 0)
            tf_fail(err, r, "pair %s: out of memory", pair->name);
        else if (pair->calibration)
            r = load(config, pair, &service->registrations[i], err);
    }
    return r;
}

const struct tf_pipeline_pair *tf_service_pair_of(struct tf_service *service, size_t camera,
                                                  struct tf_pipeline_pair *ret)
{
    const struct tf_config *config = service->config;

    for (size_t i = 0; i < config->pair_count; i++) {
        const struct tf_config_pair *pair = &config->pairs[i];

        if (!pair->enabled || camera_index(config, pair->thermal) != camera)
            continue;
        *ret = (struct tf_pipeline_pair){
            .partner = pair->visible,
            .exchange = service->exchanges[camera_index(config, pair->visible)],
            .registration = pair->calibration ? &service->registrations[i] : NULL,
            .use = tf_choice_pair_use(pair->use),
            .max_skew_ns = pair->max_skew_ns,
            .wait_ns = pair->wait_ns,
        };
        return ret;
    }
    return NULL;
}

static struct tf_pipeline *pipeline_of(struct tf_service *service, int cameras, const char *name)
{
    for (int i = 0; i < cameras; i++)
        if (strcmp(service->cameras[i]->name, name) == 0)
            return service->pipelines[i];
    return NULL;
}

int tf_service_pair_pictures(struct tf_service *service, int cameras, struct tf_error *err)
{
    const struct tf_config *c = service->config;
    char host[TF_SERVICE_HOST];

    for (size_t i = 0; i < c->pair_count; i++) {
        const struct tf_config_pair *pair = &c->pairs[i];
        struct tf_pair_picture_options options = {
            .name = pair->name,
            .thermal = pipeline_of(service, cameras, pair->thermal),
            .visible = pipeline_of(service, cameras, pair->visible),
            .layout = pair->picture == TF_CONFIG_PAIR_INSET ? TF_PAIR_INSET : TF_PAIR_SIDE_BY_SIDE,
            .overlay = tf_service_overlay(c),
            .encoder = tf_service_encoder(c),
            .rtsp = service->rtsp,
            .fps_max = c->rtsp.fps_max,
            .log = true,
        };
        int r;

        if (!pair->enabled || pair->picture == TF_CONFIG_PAIR_NO_PICTURE)
            continue;
        r = service->http ? tf_http_live(service->http, pair->name, &options.live, err) : 0;
        if (r < 0)
            return r;
        r = tf_pair_picture_create(&options, &service->pair_pictures[i], err);
        if (r < 0)
            return r;
        if (service->rtsp)
            tf_log(TF_LOG_INFO, pair->name, "video of the pair at %s://%s:%u/%s",
                   c->rtsp.tls_certificate ? "rtsps" : "rtsp", tf_service_host(c->rtsp.address, host),
                   tf_rtsp_port(service->rtsp), pair->name);
    }
    return 0;
}

void tf_service_pair_pictures_stop(struct tf_service *service)
{
    for (size_t i = 0; i < TF_CONFIG_PAIRS_MAX; i++)
        tf_pair_picture_stop(service->pair_pictures[i]);
}

void tf_service_pair_pictures_end(struct tf_service *service)
{
    for (size_t i = 0; i < TF_CONFIG_PAIRS_MAX; i++) {
        tf_pair_picture_destroy(service->pair_pictures[i]);
        service->pair_pictures[i] = NULL;
    }
}

int tf_service_pair_snapshot(struct tf_service *service, const char *name, struct tf_snapshot *snapshot)
{
    const struct tf_config *c = service->config;

    for (size_t i = 0; i < c->pair_count; i++)
        if (service->pair_pictures[i] && strcmp(c->pairs[i].name, name) == 0)
            return tf_pair_picture_snapshot(service->pair_pictures[i], snapshot, NULL);
    return -ENOENT;
}

void tf_service_pairs_destroy(struct tf_service *service)
{
    for (size_t i = 0; i < TF_CONFIG_CAMERAS_MAX; i++) {
        tf_exchange_destroy(service->exchanges[i]);
        service->exchanges[i] = NULL;
    }
}
