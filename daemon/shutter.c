/* A camera's shutter, moved over HTTP. JSON in, JSON out. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/service.h"

static const char *const actions[TF_FFC_ACTIONS] = {"trigger", "hold", "release"};

static int read_action(const char *body, size_t size, enum tf_ffc *ret, struct tf_error *err)
{
    json_error_t problem;
    json_t *object = size ? json_loadb(body, size, JSON_REJECT_DUPLICATES, &problem) : json_object();
    const char *word = "trigger";
    json_t *action;
    int r = -EINVAL;

    if (!json_is_object(object)) {
        tf_fail(err, r, "the body is not a JSON object");
        goto out;
    }
    action = json_object_get(object, "action");
    if (json_object_size(object) != (action ? 1u : 0u)) {
        tf_fail(err, r, "only \"action\" is understood here");
        goto out;
    }
    if (action)
        word = json_string_value(action);
    for (int i = 0; word && i < TF_FFC_ACTIONS; i++)
        if (strcmp(word, actions[i]) == 0) {
            *ret = (enum tf_ffc)i;
            r = 0;
        }
    if (r)
        tf_fail(err, r, "\"action\" has to be \"trigger\", \"hold\" or \"release\"");
out:
    json_decref(object);
    return r;
}

static int status_of(int r)
{
    switch (r) {
    case 0:
        return 200;
    case -EINVAL:
        return 400;
    case -ENOENT:
        return 404;
    case -ENOTSUP:
        return 501;
    case -EBUSY:
        return 409;
    case -EAGAIN:
    case -ENODEV:
        return 503;
    case -ETIMEDOUT:
        return 504;
    }
    return 500;
}

int tf_service_ffc(void *context, const char *camera, const char *body, size_t size, char **answer)
{
    struct tf_service *service = context;
    int n = atomic_load(&service->count), i = 0, r;
    enum tf_ffc action = TF_FFC_TRIGGER;
    struct tf_error err = {0};
    json_t *object = json_object();

    while (i < n && strcmp(service->cameras[i]->name, camera) != 0)
        i++;
    if (i == n)
        r = tf_fail(&err, -ENOENT, "there is no camera \"%.64s\"", camera);
    else
        r = read_action(body, size, &action, &err);
    if (r == 0)
        r = tf_pipeline_ffc(service->pipelines[i], action, &err);
    json_object_set_new(object, "camera", json_string(camera));
    if (r)
        json_object_set_new(object, "error", json_string(err.text));
    else
        json_object_set_new(object, "action", json_string(actions[action]));
    *answer = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return status_of(r);
}
