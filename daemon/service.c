/* The service's main loop: signals, readiness, status line, watchdog. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/clock_sync.h"
#include "base/log.h"
#include "daemon/service.h"

#define TICK_MS 1000
#define START_TICK_MS 50 /* until it is ready: the first frame is worth saying at once */

/* Whether every camera has delivered, or has had its time to. */
static bool all_seen(struct tf_service *service)
{
    int n = atomic_load(&service->count);
    bool late = tf_now_ns() - service->started_ns >= TF_READY_WAIT_NS, seen = true;

    for (int i = 0; i < n; i++) {
        struct tf_status s;

        tf_pipeline_status(service->pipelines[i], &s);
        if (s.frames > 0 || s.state == TF_CAMERA_ENDED)
            continue;
        if (!late)
            seen = false;
        else
            tf_log(TF_LOG_WARNING, s.camera, "absent: no frame within %.0f s of the start%s%s",
                   (double)TF_READY_WAIT_NS / 1e9, s.message[0] ? ": " : "", s.message);
    }
    return seen;
}

/*
 * What a camera's end means for the service. One that fails before the service is ready is a mistake in the
 * configuration and ends it; when all have ended there is nothing left to do.
 */
static bool all_ended(struct tf_service *service, int *result, struct tf_error *err)
{
    int n = atomic_load(&service->count), running = 0;

    for (int i = 0; i < n; i++) {
        int r;

        if (tf_pipeline_running(service->pipelines[i])) {
            running++;
            continue;
        }
        r = tf_pipeline_stop(service->pipelines[i], *result ? NULL : err);
        if (r < 0 && *result == 0) {
            *result = r;
            tf_error_prefix(err, "camera %s", service->cameras[i]->name);
        }
    }
    if (*result < 0 && !service->ready)
        return true;
    return running == 0;
}

static bool alive(struct tf_service *service)
{
    int n = atomic_load(&service->count);
    static struct tf_log_limit limit;
    char reason[256];

    for (int i = 0; i < n; i++)
        if (tf_pipeline_health(service->pipelines[i], reason, sizeof(reason)) < 0) {
            tf_log_limited(&limit, 1, 60000000000ull, TF_LOG_ERROR, NULL, "%s; the watchdog is no longer fed",
                           reason);
            return false;
        }
    return true;
}

/* True: the service is to end. */
static bool take_signal(struct tf_service *service, int fd)
{
    struct signalfd_siginfo info;
    char line[512];

    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return false;
    if (info.ssi_signo != SIGHUP) {
        tf_log(TF_LOG_NOTICE, NULL, "%s: ending", info.ssi_signo == SIGINT ? "interrupted" : "asked to end");
        return true;
    }
    tf_notify_reloading();
    tf_service_reload(service);
    tf_service_line(service, line, sizeof(line));
    if (service->ready)
        tf_notify("READY=1\nSTATUS=%s", line);
    return false;
}

int tf_service_run(struct tf_service *service, struct tf_error *err)
{
    uint64_t watchdog_ns = tf_notify_watchdog_ns(), pinged_ns = tf_now_ns(), said_ns = 0;
    struct pollfd poller = {.events = POLLIN};
    sigset_t signals;
    int result = 0;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    poller.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (poller.fd < 0)
        return tf_fail(err, -errno, "signals cannot be received: %s", strerror(errno));

    for (;;) {
        int wait_ms = service->ready ? TICK_MS : START_TICK_MS;
        uint64_t now;
        char line[512];

        if (watchdog_ns && watchdog_ns / 1000000 < (uint64_t)wait_ms)
            wait_ms = (int)(watchdog_ns / 1000000) > 0 ? (int)(watchdog_ns / 1000000) : 1;
        if (poll(&poller, 1, wait_ms) > 0 && take_signal(service, poller.fd))
            break;
        if (all_ended(service, &result, err)) {
            if (result == 0)
                tf_log(TF_LOG_NOTICE, NULL, "every recording has come to its end: ending");
            break;
        }
        now = tf_now_ns();
        if (!service->ready && all_seen(service)) {
            service->ready = true;
            tf_service_line(service, line, sizeof(line));
            tf_notify("READY=1\nSTATUS=%s", line);
            tf_log(TF_LOG_NOTICE, NULL, "ready: %s", line);
        }
        if (now - said_ns >= TICK_MS * 1000000ull) {
            said_ns = now;
            tf_clock_sync_refresh();
            tf_service_session_watch(service);
            tf_service_http_watch(service);
            tf_service_triggers_watch(service);
            tf_service_line(service, line, sizeof(line));
            tf_notify("STATUS=%s", line);
        }
        /* Half of systemd's limit, less a tick, so that a late tick is still in time. */
        if (watchdog_ns && now - pinged_ns + 1000000 >= watchdog_ns / 2 && alive(service)) {
            pinged_ns = now;
            tf_notify("WATCHDOG=1");
        }
    }
    close(poller.fd);
    tf_notify("STOPPING=1");
    return result;
}
