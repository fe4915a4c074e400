/* Inside of thermofaced: the service, its cameras, and what they share. */
#ifndef TF_DAEMON_SERVICE_H
#define TF_DAEMON_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "pipeline/pair_picture.h"
#include "pipeline/pipeline.h"
#include "publish/http/http.h"
#include "publish/rtsp/rtsp.h"
#include "publish/recording/session.h"

/* A camera that has not delivered a frame so long after the start is reported absent; the service is ready
 * all the same. */
#define TF_READY_WAIT_NS 10000000000ull

struct tf_service {
    struct tf_config *config;
    struct tf_rtsp *rtsp; /* NULL: not enabled */
    struct tf_http *http;
    struct tf_announce *announce; /* NULL: nothing is announced */
    /* HTTP's threads ask these while they begin and until HTTP has ended. NULL: none, not configured. */
    struct tf_triggers *_Atomic triggers;
    struct tf_mqtt *_Atomic mqtt;
    struct tf_lsl *lsl; /* NULL: not enabled, or not there: lsl_problem */
    char lsl_problem[512];
    struct tf_pipeline *pipelines[TF_CONFIG_CAMERAS_MAX];
    const struct tf_config_camera *cameras[TF_CONFIG_CAMERAS_MAX]; /* of each pipeline */
    atomic_int count; /* grows once, when all pipelines exist: HTTP's threads look from the beginning */
    /* Of each camera of the configuration that is the visible one of a pair, and of each pair. */
    struct tf_exchange *exchanges[TF_CONFIG_CAMERAS_MAX];
    struct tf_registration registrations[TF_CONFIG_PAIRS_MAX];
    struct tf_pair_picture *pair_pictures[TF_CONFIG_PAIRS_MAX]; /* written before `count` grows */
    uint64_t started_ns;
    bool ready;
    uint64_t logins_failed; /* that were said */

    /* The session that is recorded. */
    pthread_mutex_t session_lock; /* over start, stop, mark and status */
    struct tf_session *session;
    char *session_subject, *session_name, *session_task;
    uint64_t session_start_ns;
    struct tf_own_regions own; /* as measured now; session_lock */
    uint64_t marks;
    struct json_t *recent_marks; /* an array; NULL: none */
    bool session_said_failed, session_said_refused, session_said_stalled, tables_said_failed; /* in the log */
    bool ending;              /* no session begins any more */
    struct tf_sealer *sealer; /* NULL: nothing is recorded here */
    /* What is wrong with the session's tables, for those who must not wait for session_lock. */
    pthread_mutex_t problem_lock;
    char session_problem[256];
    char session_id[256];   /* the stem of its files; empty: nothing is recorded */
    bool session_failed;    /* it is a failure, not only a disk that does not answer */
    uint64_t tables_failed; /* sessions whose tables have failed */
    char session_line[96];  /* for the status line; of the main thread alone */
};

/* common.c */
struct tf_overlay_options tf_service_overlay(const struct tf_config *config);
struct tf_encoder_options tf_service_encoder(const struct tf_config *config);
/* An address as a URL has it: IPv6 in brackets. Returns `text`. */
#define TF_SERVICE_HOST 80
const char *tf_service_host(const char *address, char text[TF_SERVICE_HOST]);
/* Says so when a file of secrets may be read by everybody. NULL: nothing. */
void tf_service_warn_open(const char *path);

/* cameras.c */
/* What the configuration cannot know by itself: format rows, palettes, readable credentials. Errors name file
 * and line. With `faults` all are put there; without, the first ends it and is in `err`. Returns the first.
 */
int tf_service_check(const struct tf_config *config, struct tf_config_faults *faults, struct tf_error *err);
/* Certificate and key anew; a pair that is refused leaves the old one in use. */
void tf_service_rtsp_reload(struct tf_service *service);

/* web.c */
/* Secrets and certificate can be read and used. */
int tf_service_check_http(const struct tf_config *config, struct tf_error *err);
int tf_service_start_http(struct tf_service *service, struct tf_error *err);
/* Takes the certificate again; one that is refused is said, and the old one stays. */
void tf_service_http_reload(struct tf_service *service);
/* Says failed logins, at most once a minute; every second. */
void tf_service_http_watch(struct tf_service *service);
/* Servers, then pipelines, then frames. On failure everything made so far is left to tf_service_stop. */
int tf_service_start(struct tf_service *service, struct tf_error *err);
/* Within 2 s. 0, or the first error that lost data. Frees all but the configuration. */
int tf_service_stop(struct tf_service *service, struct tf_error *err);

/* mqtt.c */
/* Whether [mqtt] can be had, and its login and certificates can be read. */
int tf_service_check_mqtt(const struct tf_config *config, struct tf_error *err);
int tf_service_start_mqtt(struct tf_service *service, struct tf_error *err);
/* Takes the login again. */
void tf_service_mqtt_reload(struct tf_service *service);
/* Publishes that the session began, ended, or got a mark; under session_lock. `mark`: as answered. */
void tf_service_mqtt_session(struct tf_service *service, const char *kind, const char *state);
void tf_service_mqtt_mark(struct tf_service *service, const char *kind, const char *text, const char *value,
                          const struct json_t *mark);

/* announce.c */
/* Whether mdns=yes can be had. */
int tf_service_check_announce(const struct tf_config *config, struct tf_error *err);
/* Announces the servers that want it; says what of that cannot be. */
void tf_service_announce(struct tf_service *service);

/* triggers.c */
/* Keys, lines and speeds that can be; a device that is named twice. */
int tf_service_check_trigger(const struct tf_config *config, size_t trigger, struct tf_error *err);
int tf_service_triggers_start(struct tf_service *service, struct tf_error *err);
/* Ends their threads, while a session still takes marks; and frees them, once nobody asks. */
void tf_service_triggers_stop(struct tf_service *service);
void tf_service_triggers_end(struct tf_service *service);
/* For HTTP; see tf_http_options.triggers. */
int tf_service_triggers(void *context, struct tf_trigger_told *told, int max);
/* Says events that made no mark, at most once a minute; every second. */
void tf_service_triggers_watch(struct tf_service *service);

/* lsl.c */
/* The predicate, and where it is required the library. */
int tf_service_check_lsl(const struct tf_config *config, struct tf_error *err);
/* True: it is enabled, and its library is not there, which `note` says. */
bool tf_service_note_lsl(const struct tf_config *config, struct tf_error *note);
/* Before HTTP, which tells of it. Fails only where it is required. */
int tf_service_start_lsl(struct tf_service *service, struct tf_error *err);
/* For HTTP; see tf_http_options.lsl. */
bool tf_service_lsl_told(void *context, struct tf_lsl_told *ret);
/* A mark that was made, into the stream of marks; under session_lock. */
void tf_service_lsl_mark(struct tf_service *service, const struct tf_mark *mark);
/* The same for a session's start and stop: `what` and the session's name. */
void tf_service_lsl_session(struct tf_service *service, const char *what, uint64_t t_mono_ns);

/* pairs.c */
/* Calibrations that can be read. */
int tf_service_check_pair(const struct tf_config *config, size_t pair, struct tf_error *err);
/* What the pairs' cameras share, before the cameras. */
int tf_service_pairs_prepare(struct tf_service *service, struct tf_error *err);
/* The pair whose thermal camera is number `camera` of the configuration: `ret` filled, or NULL. */
const struct tf_pipeline_pair *tf_service_pair_of(struct tf_service *service, size_t camera,
                                                  struct tf_pipeline_pair *ret);
/* Pictures of both cameras, once those are there, and their end, before those end. */
int tf_service_pair_pictures(struct tf_service *service, int cameras, struct tf_error *err);
void tf_service_pair_pictures_stop(struct tf_service *service);
void tf_service_pair_pictures_end(struct tf_service *service);
/* -ENOENT: no pair of that name has a picture. */
int tf_service_pair_snapshot(struct tf_service *service, const char *name, struct tf_snapshot *snapshot);
/* After the cameras. */
void tf_service_pairs_destroy(struct tf_service *service);

/* service.c */
/* Until a signal or the end of all recordings. Takes over the signals that main has blocked. */
int tf_service_run(struct tf_service *service, struct tf_error *err);

/* reload.c */
/* Reads the file again, takes what can change while running, says what changed and what needs a restart.
 * Never ends the service. */
void tf_service_reload(struct tf_service *service);

/* status.c */
int tf_service_statuses(void *context, struct tf_status *statuses, int max);
int tf_service_snapshot(void *context, const char *camera, struct tf_snapshot *snapshot);
int tf_service_health(void *context, char *reason, size_t size);
/* One line for systemctl status. */
void tf_service_line(struct tf_service *service, char *text, size_t size);

/* session.c */
/* HTTP's POST /record/start, /record/stop, /mark and GET /record; see tf_http_options.session. */
int tf_service_session(void *context, enum tf_http_session what, const char *body, size_t size,
                       uint64_t t_mono_ns, char **answer);
/* Says losses and failures of recordings once in the log; every second. */
void tf_service_session_watch(struct tf_service *service);
/* At the service's end: the session's files become whole, and none begins any more. 0, or the first error
 * that lost data. */
int tf_service_session_end(struct tf_service *service, struct tf_error *err);
/* What is wrong with the session's tables is wrong with the recording of each of its cameras. Does not wait.
 */
void tf_service_session_tell(struct tf_service *service, struct tf_recording_told *told);
/* 0, or what is wrong with the session that is recorded. Does not wait. */
int tf_service_session_health(struct tf_service *service, char *reason, size_t size);

/* regions.c */
/* The configuration's own regions, before the cameras. */
void tf_service_regions_begin(struct tf_service *service);
/* HTTP's GET and PUT /regions; see tf_http_options.regions. */
int tf_service_regions(void *context, const char *body, size_t size, char **answer);

/* marks.c; under session_lock. Answers as tf_service_session. */
#define TF_MARKS_TOLD 64 /* of a session, the last ones */
struct tf_mark_request {
    const char *text, *value;
    /* The mark's own time. */
    int64_t t_mono_ns;
    double age_ms;
    bool has_t_mono, has_age;
    int64_t mark; /* which one is taken back */
};
int tf_service_mark(struct tf_service *service, const struct tf_mark_request *request, uint64_t t_mono_ns,
                    char **answer);
int tf_service_undo(struct tf_service *service, const struct tf_mark_request *request, char **answer);
/*
 * The same from an input of the service's own, with its moment, source and stamp; `t_utc_ns` is filled in.
 * Takes session_lock and does not wait for the disk. -ENOTCONN: nothing is recorded; -ERANGE: it was before
 * the session; else as tf_session_mark_later.
 */
int tf_service_mark_from(struct tf_service *service, const struct tf_mark *mark, struct tf_error *err);
/* The last ones, a new reference. */
struct json_t *tf_service_marks(const struct tf_service *service);
void tf_service_forget_marks(struct tf_service *service);

/* check.c: what speaks against recording now, a new reference; under session_lock. *refuses: recording would
 * not work. */
struct json_t *tf_service_check_session(struct tf_service *service, bool *refuses);

/* review.c: HTTP's GET /sessions and below; see tf_http_options. */
int tf_service_session_list(void *context, const char *id, char **answer);
int tf_service_session_file(void *context, const char *id, const char *name);
int tf_service_session_video(void *context, const char *id, const char *camera, double from, double seconds,
                             uint8_t **data, size_t *size);

/* shutter.c: HTTP's POST /camera/NAME/ffc; see tf_http_options.ffc. */
int tf_service_ffc(void *context, const char *camera, const char *body, size_t size, char **answer);

/* notify.c: systemd's notifications; nothing happens without systemd. */
void tf_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tf_notify_reloading(void);
/* Nanoseconds between watchdog pings that systemd asks for (half its limit), or 0. */
uint64_t tf_notify_watchdog_ns(void);

#endif
