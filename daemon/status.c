/* What HTTP's clients and systemd are told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/service.h"

#define DISK_STALL_NS 5000000000ull

int tf_service_statuses(void *context, struct tf_status *statuses, int max)
{
    struct tf_service *service = context;
    int n = atomic_load(&service->count);

    if (n > max)
        n = max;
    for (int i = 0; i < n; i++) {
        tf_pipeline_status(service->pipelines[i], &statuses[i]);
        tf_service_session_tell(service, &statuses[i].recording);
        if (service->http) {
            statuses[i].http_clients = tf_http_clients(service->http, statuses[i].camera);
            statuses[i].dropped_http = tf_http_dropped(service->http, statuses[i].camera);
        }
    }
    return n;
}

int tf_service_snapshot(void *context, const char *camera, struct tf_snapshot *snapshot)
{
    struct tf_service *service = context;
    int n = atomic_load(&service->count);

    for (int i = 0; i < n; i++)
        if (strcmp(service->cameras[i]->name, camera) == 0) {
            if (!service->cameras[i]->pictures)
                return -ENOENT;
            return tf_pipeline_snapshot(service->pipelines[i], snapshot, NULL);
        }
    return n ? tf_service_pair_snapshot(service, camera, snapshot) : -ENOENT;
}

int tf_service_health(void *context, char *reason, size_t size)
{
    struct tf_service *service = context;
    int n = atomic_load(&service->count);
    struct tf_status status;

    if (!n) {
        snprintf(reason, size, "starting");
        return -EAGAIN;
    }
    for (int i = 0; i < n; i++) {
        int r = tf_pipeline_health(service->pipelines[i], reason, size);

        if (r < 0)
            return r;
        tf_pipeline_status(service->pipelines[i], &status);
        switch (status.state) {
        case TF_CAMERA_RUNNING:
        case TF_CAMERA_ENDED:
            break;
        case TF_CAMERA_OPENING:
            snprintf(reason, size, "camera %s is being opened", status.camera);
            return -EAGAIN;
        case TF_CAMERA_NO_SIGNAL:
        case TF_CAMERA_LOST:
            snprintf(reason, size, "camera %s: %s: %s", status.camera, tf_camera_state_name(status.state),
                     status.message);
            return -ENODEV;
        }
        if (status.recording.recording && status.recording.now.failed) {
            snprintf(reason, size, "camera %s: its recording has failed: %.160s", status.camera,
                     status.recording.now.error.text);
            return -EIO;
        }
        if (status.recording.recording && status.recording.now.stalled_ns > DISK_STALL_NS) {
            snprintf(reason, size, "camera %s: the disk that it is recorded on has not answered for %.0f s",
                     status.camera, (double)status.recording.now.stalled_ns / 1e9);
            return -EIO;
        }
    }
    return tf_service_session_health(service, reason, size);
}

void tf_service_line(struct tf_service *service, char *text, size_t size)
{
    int n = atomic_load(&service->count);
    size_t used = 0;

    /* In front, where no number of cameras can cut it off: an upgrade looks for it
     * (restart-unless-recording). */
    snprintf(text, size, "%s", service->session_line);
    used = strlen(text);
    for (int i = 0; i < n && used < size; i++) {
        const char *between = used ? "; " : "";
        struct tf_status s;
        int w;

        tf_pipeline_status(service->pipelines[i], &s);
        /* A rate takes a second of frames to be known. */
        if (s.state == TF_CAMERA_RUNNING && !(s.fps > 0))
            w = snprintf(text + used, size - used, "%s%s running, %u %s", between, s.camera, s.faces,
                         s.faces == 1 ? "face" : "faces");
        else if (s.state == TF_CAMERA_RUNNING)
            w = snprintf(text + used, size - used, "%s%s %.1f frames/s, %u %s", between, s.camera,
                         (double)s.fps, s.faces, s.faces == 1 ? "face" : "faces");
        else
            w = snprintf(text + used, size - used, "%s%s %s", between, s.camera,
                         tf_camera_state_name(s.state));
        if (w < 0)
            return;
        used += (size_t)w;
    }
}
