/* A camera's shutter, moved over HTTP. JSON in, JSON out. */
#include <errno.h>
#include <string.h>

#include "daemon/request.h"
#include "daemon/service.h"

static const char *const actions[TF_FFC_ACTIONS] = {"trigger", "hold", "release"};

static int read_action(const char *body, size_t size, enum tf_ffc *ret, struct tf_error *err)
{
    const char *word = "trigger";
    const struct tf_request_field fields[] = {{"action", .text = &word}, {0}};
    json_t *object = NULL;
    int r = tf_request_read(&object, body, size, fields, err);

    if (r == 0)
        r = -ENOENT;
    for (int i = 0; r == -ENOENT && i < TF_FFC_ACTIONS; i++)
        if (strcmp(word, actions[i]) == 0) {
            *ret = (enum tf_ffc)i;
            r = 0;
        }
    if (r == -ENOENT)
        r = tf_fail(err, -EINVAL, "\"action\" has to be \"trigger\", \"hold\" or \"release\"");
    json_decref(object);
    return r;
}

int tf_service_ffc(void *context, const char *camera, const char *body, size_t size, char **answer)
{
    struct tf_service *service = context;
    int n = atomic_load(&service->count), i = 0, r;
    enum tf_ffc action = TF_FFC_TRIGGER;
    struct tf_error err = {0};
    json_t *object;

    while (i < n && strcmp(service->cameras[i]->name, camera) != 0)
        i++;
    if (i == n)
        r = tf_fail(&err, -ENOENT, "there is no camera \"%.64s\"", camera);
    else
        r = read_action(body, size, &action, &err);
    if (r == 0)
        r = tf_pipeline_ffc(service->pipelines[i], action, &err);
    if (r)
        return tf_request_error(r, &err, answer);
    object = json_object();
    json_object_set_new(object, "camera", json_string(camera));
    json_object_set_new(object, "action", json_string(actions[action]));
    return tf_request_answer(object, 200, answer);
}
