/* Recorded sessions over HTTP: the list, files, and pieces of annotated video. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/request.h"
#include "daemon/service.h"
#include "publish/recording/session_files.h"
#include "publish/video/remux.h"

/* The id of the session that is recorded; NULL: none. A start or a stop is not waited for. */
static const char *running_id(struct tf_service *service, char text[256])
{
    text[0] = '\0';
    pthread_mutex_lock(&service->problem_lock);
    snprintf(text, 256, "%s", service->session_id);
    pthread_mutex_unlock(&service->problem_lock);
    return text[0] ? text : NULL;
}

int tf_service_session_list(void *context, const char *id, char **answer)
{
    struct tf_service *service = context;
    const char *directory = service->config->recording.directory;
    char running[256];
    struct tf_error err = {0};
    json_t *object = NULL;
    int r;

    if (!directory)
        r = tf_fail(&err, -ENOTSUP, "no sessions are recorded here: [recording] directory is not set");
    else if (id)
        r = tf_sessions_tell(directory, id, running_id(service, running), &object, &err);
    else
        r = tf_sessions_list(directory, running_id(service, running), &object, &err);
    return r < 0 ? tf_request_error(r, &err, answer) : tf_request_answer(object, 200, answer);
}

int tf_service_session_file(void *context, const char *id, const char *name)
{
    struct tf_service *service = context;

    return service->config->recording.directory
               ? tf_sessions_open(service->config->recording.directory, id, name)
               : -ENOENT;
}

/* The camera's label, or that of the only one. */
static int which_camera(struct tf_service *service, const char *id, const char *camera, char *ret,
                        size_t size)
{
    json_t *object = NULL, *cameras;
    int r = tf_sessions_tell(service->config->recording.directory, id, NULL, &object, NULL);

    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    cameras = json_object_get(object, "cameras");
    r = camera ? -ENOENT : json_array_size(cameras) == 1 ? 0 : json_array_size(cameras) ? -EINVAL : -ENOENT;
    if (r == 0)
        snprintf(ret, size, "%s", json_string_value(json_array_get(cameras, 0)));
    for (size_t i = 0; camera && i < json_array_size(cameras); i++)
        if (strcmp(json_string_value(json_array_get(cameras, i)), camera) == 0) {
            snprintf(ret, size, "%s", camera);
            r = 0;
        }
    json_decref(object);
    return r;
}

int tf_service_session_video(void *context, const char *id, const char *camera, double from, double seconds,
                             uint8_t **data, size_t *size)
{
    struct tf_service *service = context;
    char label[128], name[TF_SESSION_ID_MAX + 200];
    int r, fd;

    if (!service->config->recording.directory)
        return -ENOENT;
    r = which_camera(service, id, camera, label, sizeof(label));
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%s_recording-%s_desc-annotated_video.mkv", id, label);
    fd = tf_sessions_open(service->config->recording.directory, id, name);
    if (fd < 0)
        return fd == -EINVAL ? -ENOENT : fd;
    r = tf_remux_piece(fd, from, seconds, data, size);
    close(fd);
    return r;
}
