/* From the configuration to servers and pipelines, and back to nothing. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/clock_sync.h"
#include "base/count.h"
#include "base/cpu.h"
#include "base/log.h"
#include "daemon/choices.h"
#include "daemon/service.h"
#include "publish/mqtt/mqtt.h"
#include "publish/net/announce.h"
#include "publish/disk/manifest.h"

/* Long videos' digests may take longer; verify says which were not taken. */
#define SEAL_WAIT_NS 500000000ull
#include "pipeline/models.h"
#include "publish/net/tls.h"
#include "publish/record/lsl.h"

/* Put before a message: which line of the configuration is to be mended. */
static void at_key(const struct tf_config *config, const char *section, const char *camera, const char *key,
                   struct tf_error *err)
{
    char where[PATH_MAX];

    tf_config_where(config, section, camera, key, where, sizeof(where));
    tf_error_prefix(err, "%s", where);
}

struct secret {
    char user[64], password[128];
};

static int read_credentials(const struct tf_config *config, const char *section, const char *path,
                            struct secret *ret, struct tf_error *err)
{
    int r;

    if (!path)
        return 0;
    r = tf_credentials_read(path, ret->user, ret->password, err);
    if (r < 0)
        at_key(config, section, NULL, "credentials", err);
    return r;
}

static int check_tls(const struct tf_config *config, const char *section, const char *certificate,
                     const char *key, struct tf_error *err)
{
    struct tf_tls_pair pair = {0};
    int r;

    if (!certificate)
        return 0;
    r = tf_tls_load(certificate, key, &pair, err);
    if (r < 0)
        at_key(config, section, NULL, "tls-certificate", err);
    tf_tls_free(&pair);
    return r;
}

/* Takes the result of one check; true: that is enough. */
static bool is_enough(int r, const struct tf_config *config, struct tf_config_faults *faults,
                      const struct tf_error *err, int *result)
{
    if (r >= 0)
        return false;
    if (*result == 0)
        *result = r;
    if (faults)
        tf_config_faults_add(faults, config->path, err);
    return !faults;
}

static int check_format(const struct tf_config *config, const struct tf_config_camera *camera,
                        struct tf_error *err)
{
    if (!camera->format || tf_format_find(camera->format))
        return 0;
    tf_fail(err, -EINVAL, "there is no format row \"%s\"; \"thermoface devices --formats\" lists them",
            camera->format);
    at_key(config, "camera", camera->name, "format", err);
    return -EINVAL;
}

static int check_networks(const struct tf_config *config, struct tf_error *err)
{
    const struct tf_config_inference *c = &config->inference;
    const struct tf_analyser_options networks = {
        .models = tf_models_folder(c->models), .landmarks = c->landmarks, .finder = c->finder};
    bool analysing = false;
    int r;

    for (size_t i = 0; i < config->camera_count; i++)
        analysing |= config->cameras[i].enabled && config->cameras[i].analyse;
    r = analysing ? tf_models_check(&networks, err) : 0;
    if (r < 0)
        at_key(config, "inference", NULL, "models", err);
    return r;
}

static int check_cpu(const struct tf_config *config, struct tf_error *err)
{
    enum tf_cpu_level level;
    int r = config->inference.cpu ? tf_cpu_select(config->inference.cpu, &level, err) : 0;

    if (r < 0)
        at_key(config, "inference", NULL, "cpu", err);
    return r;
}

struct tf_encoder_options tf_service_encoder(const struct tf_config *config)
{
    const struct tf_config_video *c = &config->video;

    return (struct tf_encoder_options){.codec = c->codec,
                                       .preset = c->preset,
                                       .device = c->device,
                                       .bitrate_kbps = c->bitrate_kbps,
                                       .quality = c->quality,
                                       .gop = c->gop,
                                       .threads = (int)c->threads};
}

/* What the installed libavcodec has; hardware is looked for at the start. */
static int check_encoder(const struct tf_config *config, struct tf_error *err)
{
    struct tf_encoder_options options = tf_service_encoder(config);
    bool preset;
    int r = tf_encoder_check(&options, err);

    if (r == 0)
        return 0;
    options.preset = NULL;
    preset = tf_encoder_check(&options, NULL) == 0;
    at_key(config, "video", NULL, preset ? "preset" : "codec", err);
    return r;
}

/* An encoder of hardware that is not there ends the start, not the first viewer's patience. */
static int probe_encoder(const struct tf_config *config, struct tf_error *err)
{
    const struct tf_encoder_options options = tf_service_encoder(config);
    bool pictures = false;
    int r;

    for (size_t i = 0; i < config->camera_count; i++)
        pictures |= config->cameras[i].enabled && config->cameras[i].pictures;
    r = pictures ? tf_encoder_probe(&options, err) : 0;
    if (r < 0)
        at_key(config, "video", NULL, "codec", err);
    return r;
}

static int check_palette(const struct tf_config *config, struct tf_error *err)
{
    int palette, r = tf_palette_find(config->overlay.palette, &palette, err);

    if (r < 0)
        at_key(config, "overlay", NULL, "palette", err);
    return r;
}

/* A video= whose ending names a container that holds no such video fails here, not at the first picture. */
static int check_video(const struct tf_config *config, struct tf_error *err)
{
    char path[PATH_MAX];
    int r = 0;

    if (config->recording.video &&
        tf_config_expand(config->recording.video, "camera", 0, path, sizeof(path)) == 0)
        r = tf_muxer_check(path, err);
    if (r != -ENOTSUP)
        return 0;
    at_key(config, "recording", NULL, "video", err);
    return r;
}

int tf_service_check(const struct tf_config *config, struct tf_config_faults *faults, struct tf_error *err)
{
    static int (*const checks[])(const struct tf_config *, struct tf_error *) = {
        check_palette, check_encoder, check_video, check_cpu, check_networks};
    const struct tf_config_rtsp *rtsp = &config->rtsp;
    struct secret secret;
    int r, result = 0;

    for (size_t i = 0; i < config->camera_count; i++)
        if (is_enough(check_format(config, &config->cameras[i], err), config, faults, err, &result))
            return result;
    for (size_t i = 0; i < config->pair_count; i++)
        if (is_enough(tf_service_check_pair(config, i, err), config, faults, err, &result))
            return result;
    for (size_t i = 0; i < config->trigger_count; i++)
        if (is_enough(tf_service_check_trigger(config, i, err), config, faults, err, &result))
            return result;
    for (size_t i = 0; i < TF_COUNT(checks); i++)
        if (is_enough(checks[i](config, err), config, faults, err, &result))
            return result;
    r = rtsp->enabled ? read_credentials(config, "rtsp", rtsp->credentials, &secret, err) : 0;
    if (is_enough(r, config, faults, err, &result))
        return result;
    r = rtsp->enabled ? check_tls(config, "rtsp", rtsp->tls_certificate, rtsp->tls_key, err) : 0;
    if (is_enough(r, config, faults, err, &result))
        return result;
    r = tf_service_check_http(config, err);
    if (is_enough(r, config, faults, err, &result))
        return result;
    r = tf_service_check_announce(config, err);
    if (is_enough(r, config, faults, err, &result))
        return result;
    r = tf_service_check_mqtt(config, err);
    if (is_enough(r, config, faults, err, &result))
        return result;
    r = tf_service_check_lsl(config, err);
    if (is_enough(r, config, faults, err, &result))
        return result;
    return result;
}

static int add_file(struct tf_pipeline *pipeline, const char *template, const char *camera, int64_t t_utc_ns,
                    enum tf_file_format format, const struct tf_own_names *own, struct tf_error *err)
{
    char path[PATH_MAX];
    struct tf_sink sink;
    int r;

    if (!template)
        return 0;
    r = tf_config_expand(template, camera, t_utc_ns, path, sizeof(path));
    if (r < 0)
        return tf_fail(err, r, "camera %s: the path %s becomes too long", camera, template);
    r = tf_sink_file_own(path, format, false, own, &sink, err);
    if (r < 0)
        return r;
    r = tf_pipeline_add_sink(pipeline, &sink);
    if (r < 0) {
        sink.close(sink.self, NULL);
        return tf_fail(err, r, "camera %s: too many sinks", camera);
    }
    return 0;
}

static int create_camera(struct tf_service *service, const struct tf_config_camera *camera, int64_t t_utc_ns,
                         struct tf_pipeline **ret, struct tf_error *err)
{
    const struct tf_config *c = service->config;
    const struct tf_config_inference *inference = &c->inference;
    size_t index = (size_t)(camera - c->cameras);
    struct tf_pipeline_pair pair;
    struct tf_pipeline_options options = {
        .camera = camera->name,
        .source =
            {
                .url = camera->source,
                .format = camera->format,
                .width = camera->width,
                .height = camera->height,
                .fps = camera->fps,
                .rotate = camera->rotate,
                .flip = camera->flip,
                .accept_size = camera->accept_size,
                .line_bytes = camera->line_bytes,
                .scale = camera->scale,
                .offset = camera->offset,
                .pace = tf_choice_pace(camera->pace),
                .loop = camera->loop,
                .frames = camera->buffers,
                .settle_ns = camera->settle_ns,
                .frozen = camera->frozen,
                .raw = camera->raw,
                .stream = camera->stream,
                .controls = camera->controls,
                .ffc = camera->ffc,
                .ffc_hold = camera->ffc_hold,
                .ffc_release = camera->ffc_release,
            },
        .analyser =
            {
                .models = tf_models_folder(inference->models),
                .landmarks = inference->landmarks,
                .finder = inference->finder,
                .segmentation = inference->segmentation,
                .region_masks = inference->region_masks,
                .threads = (int)inference->threads,
                .cpu = inference->cpu,
                .faces_max = inference->faces,
                .filter = inference->filter,
                .filter_min_cutoff = inference->filter_min_cutoff,
                .filter_beta = inference->filter_beta,
                .track = true,
                .score_min = inference->score,
                .find_every = inference->find_every,
                .mirror = tf_choice_mirror(inference->mirror),
            },
        .analyse = camera->analyse,
        .own = &service->own,
        .black_body_c = camera->black_body_temperature,
        .exchange = service->exchanges[index],
        .pair = tf_service_pair_of(service, index, &pair),
        .pictures = camera->pictures,
        .overlay = tf_service_overlay(c),
        .encoder = tf_service_encoder(c),
        .rtsp = camera->pictures ? service->rtsp : NULL,
        .picture_fps_max = c->rtsp.fps_max,
        /* Played as fast as it goes, a recording is no camera: it waits for us, and it ends. */
        .recordable = c->recording.directory != NULL,
        .retry = camera->pace == TF_CONFIG_PACE_RECORDED,
        .log = true,
    };
    struct tf_own_regions own;
    struct tf_own_names names;
    struct tf_pipeline *pipeline;
    char video[PATH_MAX];
    struct tf_sink sink;
    int r;

    tf_own_of_camera(&service->own, camera->name, &own);
    tf_own_names_of(&own, &names);
    memcpy(options.black_body, camera->black_body, sizeof(options.black_body));
    if (c->recording.video && camera->pictures) {
        r = tf_config_expand(c->recording.video, camera->name, t_utc_ns, video, sizeof(video));
        if (r < 0)
            return tf_fail(err, r, "camera %s: the path %s becomes too long", camera->name,
                           c->recording.video);
        options.video = video;
    }
    if (service->http && camera->pictures) {
        r = tf_http_live(service->http, camera->name, &options.live, err);
        if (r < 0)
            return r;
    }
    r = tf_pipeline_create(&options, &pipeline, err);
    if (r < 0)
        return r;
    if (service->http) {
        sink = tf_http_sink(service->http);
        r = tf_pipeline_add_sink(pipeline, &sink);
        if (r < 0)
            goto fail;
    }
    if (service->mqtt) {
        r = tf_mqtt_sink(service->mqtt, camera->name, camera->analyse, &sink);
        if (r == 0)
            r = tf_pipeline_add_sink(pipeline, &sink);
        if (r < 0)
            goto fail;
    }
    if (service->lsl) {
        r = tf_lsl_sink(service->lsl, camera->name, &sink, err);
        if (r == 0)
            r = tf_pipeline_add_sink(pipeline, &sink);
        if (r < 0)
            goto fail;
    }
    r = add_file(pipeline, c->recording.ndjson, camera->name, t_utc_ns, TF_FILE_NDJSON, NULL, err);
    if (r < 0)
        goto fail;
    r = add_file(pipeline, c->recording.csv, camera->name, t_utc_ns,
                 c->recording.csv_profile == TF_CONFIG_CSV_OPENFACE ? TF_FILE_CSV_OPENFACE : TF_FILE_CSV,
                 &names, err);
    if (r < 0)
        goto fail;
    *ret = pipeline;
    return 0;

fail:
    tf_pipeline_destroy(pipeline);
    return r;
}

/* The pair that the configuration names; all zero without one. */
static int read_tls(const struct tf_config *config, const char *section, const char *certificate,
                    const char *key, struct tf_tls_pair *ret, struct tf_error *err)
{
    char text[32];
    struct tm tm;
    time_t end;
    int r;

    *ret = (struct tf_tls_pair){0};
    if (!certificate)
        return 0;
    r = tf_tls_load(certificate, key, ret, err);
    if (r < 0) {
        at_key(config, section, NULL, "tls-certificate", err);
        return r;
    }
    end = (time_t)ret->not_after;
    strftime(text, sizeof(text), "%Y-%m-%d", gmtime_r(&end, &tm));
    tf_log(TF_LOG_INFO, NULL, "%s: certificate for \"%s\", valid until %s", section, ret->name, text);
    tf_service_warn_open(key);
    return 0;
}

static void reload_login(struct tf_service *service)
{
    const struct tf_config_rtsp *c = &service->config->rtsp;
    struct tf_error err = {0};
    struct secret secret;
    int r;

    if (!c->credentials)
        return;
    r = read_credentials(service->config, "rtsp", c->credentials, &secret, &err);
    if (r == 0)
        r = tf_rtsp_set_login(service->rtsp, secret.user, secret.password, &err);
    if (r < 0)
        tf_log(TF_LOG_ERROR, NULL, "reload: RTSP's login that is used stays: %s", err.text);
    explicit_bzero(&secret, sizeof(secret));
    tf_service_warn_open(c->credentials);
}

void tf_service_rtsp_reload(struct tf_service *service)
{
    const struct tf_config_rtsp *c = &service->config->rtsp;
    struct tf_tls_pair tls;
    struct tf_error err = {0};
    int r;

    if (!service->rtsp)
        return;
    reload_login(service);
    if (!c->tls_certificate)
        return;
    r = read_tls(service->config, "rtsp", c->tls_certificate, c->tls_key, &tls, &err);
    if (r == 0)
        r = tf_rtsp_set_tls(service->rtsp, &tls, &err);
    if (r < 0)
        tf_log(TF_LOG_ERROR, NULL, "reload: the certificate that is used stays: %s", err.text);
    tf_tls_free(&tls);
}

static int start_rtsp(struct tf_service *service, struct tf_error *err)
{
    const struct tf_config_rtsp *c = &service->config->rtsp;
    struct tf_rtsp_options options = {.address = c->address,
                                      .port = c->port,
                                      .clients_max = c->clients,
                                      .clients_per_address = c->clients_per_address,
                                      .proxies = c->proxies,
                                      .log = true};
    struct tf_tls_pair tls = {0};
    struct secret secret;
    int r;

    if (!c->enabled)
        return 0;
    r = read_credentials(service->config, "rtsp", c->credentials, &secret, err);
    if (r == 0)
        r = read_tls(service->config, "rtsp", c->tls_certificate, c->tls_key, &tls, err);
    if (r < 0)
        return r;
    tf_service_warn_open(c->credentials);
    if (c->tls_certificate)
        options.tls = &tls;
    if (c->credentials) {
        options.user = secret.user;
        options.password = secret.password;
    }
    r = tf_rtsp_create(&options, &service->rtsp, err);
    explicit_bzero(&secret, sizeof(secret));
    tf_tls_free(&tls);
    if (r < 0)
        at_key(service->config, "rtsp", NULL, r == -EINVAL ? "address" : "port", err);
    return r;
}

int tf_service_start(struct tf_service *service, struct tf_error *err)
{
    const struct tf_config *c = service->config;
    int64_t t_utc_ns = tf_utc_now_ns();
    char host[TF_SERVICE_HOST];
    int n = 0, r;

    service->started_ns = tf_now_ns();
    tf_clock_sync_refresh(); /* before the first record */
    r = c->recording.directory ? tf_sealer_create(&service->sealer, err) : 0;
    if (r == 0)
        r = probe_encoder(c, err);
    if (r == 0)
        r = start_rtsp(service, err);
    if (r == 0)
        r = tf_service_start_lsl(service, err);
    if (r == 0)
        r = tf_service_start_http(service, err);
    if (r == 0)
        r = tf_service_start_mqtt(service, err);
    tf_service_regions_begin(service);
    if (r == 0)
        r = tf_service_pairs_prepare(service, err);
    for (size_t i = 0; i < c->camera_count && r == 0; i++) {
        if (!c->cameras[i].enabled)
            continue;
        r = create_camera(service, &c->cameras[i], t_utc_ns, &service->pipelines[n], err);
        if (r == 0)
            service->cameras[n++] = &c->cameras[i];
    }
    if (r == 0)
        r = tf_service_pair_pictures(service, n, err);
    atomic_store(&service->count, n);
    for (int i = 0; i < n && r == 0; i++)
        r = tf_pipeline_start(service->pipelines[i], err);
    if (r == 0)
        r = tf_service_triggers_start(service, err);
    if (r < 0)
        return r;
    if (service->rtsp)
        for (int i = 0; i < n; i++)
            if (service->cameras[i]->pictures)
                tf_log(TF_LOG_INFO, service->cameras[i]->name, "video at %s://%s:%u/%s",
                       c->rtsp.tls_certificate ? "rtsps" : "rtsp", tf_service_host(c->rtsp.address, host),
                       tf_rtsp_port(service->rtsp), service->cameras[i]->name);
    if (service->http)
        tf_log(TF_LOG_INFO, NULL, "console, records, state and metrics at %s://%s:%u/",
               c->http.tls_certificate ? "https" : "http", tf_service_host(c->http.address, host),
               tf_http_port(service->http));
    tf_service_announce(service);
    return 0;
}

int tf_service_stop(struct tf_service *service, struct tf_error *err)
{
    int n = atomic_load(&service->count), result = 0;

    tf_service_triggers_stop(service);
    if (service->lsl)
        tf_lsl_quit(service->lsl);
    /* While the cameras still run, so that each frame of the video gets its row. */
    result = tf_service_session_end(service, err);
    for (int i = 0; i < n; i++)
        tf_pipeline_ask_stop(service->pipelines[i]);
    for (int i = 0; i < n; i++) {
        int r = tf_pipeline_stop(service->pipelines[i], result ? NULL : err);

        if (result == 0)
            result = r;
    }
    /* While the pipelines can still be asked how they ended. */
    tf_mqtt_stop(service->mqtt);
    tf_announce_destroy(service->announce);
    service->announce = NULL;
    /* Pairs' pictures go to HTTP's viewers until here. */
    tf_service_pair_pictures_stop(service);
    /* HTTP's threads ask the pipelines, the triggers, MQTT and LSL, MQTT's thread has asked HTTP, and the
     * pipelines ask RTSP and hand records to MQTT and LSL: what is asked ends before, and is freed after. */
    tf_http_destroy(service->http);
    tf_service_triggers_end(service);
    tf_service_pair_pictures_end(service);
    tf_rtsp_destroy(service->rtsp);
    for (int i = 0; i < n; i++)
        tf_pipeline_destroy(service->pipelines[i]);
    tf_service_pairs_destroy(service);
    tf_mqtt_destroy(service->mqtt);
    service->mqtt = NULL;
    tf_lsl_destroy(service->lsl);
    service->lsl = NULL;
    tf_sealer_destroy(service->sealer, SEAL_WAIT_NS);
    service->sealer = NULL;
    service->http = NULL;
    service->rtsp = NULL;
    atomic_store(&service->count, 0);
    return result;
}
