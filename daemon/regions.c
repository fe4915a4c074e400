/* Own regions of a running service: told and set over HTTP. JSON in, JSON out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/request.h"
#include "daemon/service.h"
#include "publish/record/lsl.h"
#include "publish/recording/own_json.h"

void tf_service_regions_begin(struct tf_service *service)
{
    tf_config_own(service->config, &service->own);
}

/* With the sections that would make them last, for whoever keeps the configuration. */
static int tell(const struct tf_own_regions *own, char **answer)
{
    json_t *object = json_object();
    char *text = tf_config_own_text(own);

    json_object_set_new(object, "regions", tf_own_to_json(own));
    json_object_set_new(object, "configuration", json_string(text ? text : ""));
    free(text);
    return tf_request_answer(object, 200, answer);
}

static int read_body(const char *body, size_t size, struct tf_own_regions *ret, struct tf_error *err)
{
    json_error_t problem = {0};
    json_t *object = json_loadb(body, size, JSON_REJECT_DUPLICATES, &problem), *value;
    const char *key;
    int r = -EINVAL;

    if (!json_is_object(object) || !json_object_get(object, "regions"))
        tf_fail(err, r, "%s", object ? "expected {\"regions\":[…]}" : problem.text);
    else
        r = 0;
    json_object_foreach(object, key, value)
    {
        /* What GET gave can be sent back as it is. */
        if (r == 0 && strcmp(key, "regions") != 0 && strcmp(key, "configuration") != 0)
            r = tf_fail(err, -EINVAL, "\"%.64s\" is not understood: expected \"regions\"", key);
    }
    if (r == 0)
        r = tf_own_from_json(json_object_get(object, "regions"), ret, err);
    json_decref(object);
    return r;
}

/* Cameras that are there; and tables that are being written keep their columns. */
static int check(struct tf_service *service, const struct tf_own_regions *own, struct tf_error *err)
{
    const struct tf_config_recording *c = &service->config->recording;
    int n = atomic_load(&service->count);

    if (service->session)
        return tf_fail(err, -EBUSY, "a session is recorded: its tables have the regions that it began with");
    for (uint32_t i = 0; i < own->count; i++) {
        bool there = !own->at[i].camera[0];

        for (int k = 0; k < n; k++)
            there |= strcmp(own->at[i].camera, service->cameras[k]->name) == 0;
        if (!there)
            return tf_fail(err, -EINVAL, "region %s: there is no camera \"%s\"", own->at[i].name,
                           own->at[i].camera);
    }
    for (int k = 0; k < n && c->csv && c->csv_profile == TF_CONFIG_CSV_THERMOFACE; k++) {
        struct tf_own_regions before, after;

        tf_own_of_camera(&service->own, service->cameras[k]->name, &before);
        tf_own_of_camera(own, service->cameras[k]->name, &after);
        if (!tf_own_same_columns(&before, &after))
            return tf_fail(
                err, -EBUSY,
                "[recording] csv= is being written and keeps its columns: regions may move, and be neither "
                "added nor taken away");
    }
    return 0;
}

static int set(struct tf_service *service, const struct tf_own_regions *own, struct tf_error *err)
{
    int n = atomic_load(&service->count), r = check(service, own, err);

    for (int i = 0; i < n && r == 0; i++)
        r = tf_pipeline_set_own(service->pipelines[i], own, err);
    if (r == 0) {
        service->own = *own;
        if (service->lsl)
            tf_lsl_set_own(service->lsl, own);
        tf_log(TF_LOG_NOTICE, NULL, "own regions set over HTTP: %u; they last until the service ends",
               own->count);
    }
    return r;
}

int tf_service_regions(void *context, const char *body, size_t size, char **answer)
{
    struct tf_service *service = context;
    struct tf_own_regions own = {0};
    struct tf_error err = {0};
    int r = body ? read_body(body, size, &own, &err) : 0;

    if (r == 0) {
        pthread_mutex_lock(&service->session_lock);
        if (body)
            r = set(service, &own, &err);
        own = service->own;
        pthread_mutex_unlock(&service->session_lock);
    }
    return r < 0 ? tf_request_error(r, &err, answer) : tell(&own, answer);
}
