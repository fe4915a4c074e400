/* A session as HTTP's clients start, mark and stop it. JSON in, JSON out. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/choices.h"
#include "daemon/request.h"
#include "daemon/service.h"
#include "publish/disk/manifest.h"
#include "publish/recording/fleet.h"

#define CLOCK_STEP_NS 50000000      /* NTP slews by less than 5 ms in ten seconds */
#define SEAL_WAIT_NS 2000000000ull  /* for the digests of a session's last files, while who stops it waits */
#define END_WAIT_NS 500000000ull    /* the same at the service's end */
#define DISK_STALL_NS 2000000000ull /* worth a line in the log */

/* What a request says. */
struct request {
    const char *subject, *session, *task, *note;
    double emissivity, distance, reflected, room, humidity;
    bool check;
    struct tf_fleet_row fleet;
    int64_t measured_ns, start_ns, error_ns;
    bool has_measured, has_start, has_offset, has_error, has_synchronised, synchronised;
    struct tf_mark_request mark;
    char value_text[TF_REQUEST_NUMBER_TEXT];
};

/* --- what is told --- */

static json_t *tell_camera(const struct tf_recording_status *s)
{
    json_t *o = json_object();

    json_object_set_new(o, "camera", json_string(s->camera));
    json_object_set_new(o, "state", json_string(s->failed ? "failed" : "recording"));
    if (s->failed)
        json_object_set_new(o, "error", json_string_nocheck(s->error.text));
    json_object_set_new(o, "codec", json_string(s->codec));
    json_object_set_new(o, "frames", json_integer((json_int_t)s->frames));
    json_object_set_new(o, "refused", json_integer((json_int_t)s->refused));
    json_object_set_new(o, "rows", json_integer((json_int_t)s->rows));
    json_object_set_new(o, "rows_lost", json_integer((json_int_t)s->rows_lost));
    json_object_set_new(o, "lost_driver", json_integer((json_int_t)s->lost_driver));
    json_object_set_new(o, "lost_capture", json_integer((json_int_t)s->lost_capture));
    json_object_set_new(o, "not_analysed", json_integer((json_int_t)s->not_analysed));
    json_object_set_new(o, "bytes", json_integer((json_int_t)s->bytes));
    json_object_set_new(o, "annotated", json_integer((json_int_t)s->annotated));
    json_object_set_new(o, "annotated_lost", json_integer((json_int_t)tf_recording_pictures_lost(s)));
    if (s->has_annotated) {
        json_t *places = json_object();

        for (int i = 0; i < TF_PICTURE_PLACES; i++)
            json_object_set_new(places, tf_picture_place_name((enum tf_picture_place)i),
                                json_integer((json_int_t)s->pictures_lost[i]));
        json_object_set_new(o, "annotated_lost_by", places);
        json_object_set_new(o, "annotated_left_out", json_integer((json_int_t)s->pictures_left_out));
    }
    if (s->free_bytes != UINT64_MAX)
        json_object_set_new(o, "free_bytes", json_integer((json_int_t)s->free_bytes));
    json_object_set_new(o, "stamps_back", json_integer((json_int_t)s->stamps_back));
    return o;
}

static json_t *tell_session(const struct tf_service *service, const char *state, json_t *cameras)
{
    json_t *o = json_object();

    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "subject", json_string(service->session_subject));
    if (service->session_name)
        json_object_set_new(o, "session", json_string(service->session_name));
    json_object_set_new(o, "task", json_string(service->session_task));
    json_object_set_new(o, "run", json_integer(tf_session_run(service->session)));
    json_object_set_new(o, "folder", json_string_nocheck(tf_session_folder(service->session)));
    json_object_set_new(o, "name", json_string(tf_session_stem(service->session)));
    json_object_set_new(o, "t_start_mono_ns", json_integer((json_int_t)service->session_start_ns));
    json_object_set_new(o, "seconds", json_real((double)(tf_now_ns() - service->session_start_ns) / 1e9));
    json_object_set_new(o, "marks", json_integer((json_int_t)service->marks));
    json_object_set_new(o, "recent_marks", tf_service_marks(service));
    json_object_set_new(o, "cameras", cameras);
    return o;
}

/* What is wrong with marks and clock, kept also for those who ask without a lock; a step of the clock is
 * said. */
static void tell_tables(struct tf_service *service, struct tf_session_state *ret)
{
    tf_session_state(service->session, ret);
    if (ret->step_ns > CLOCK_STEP_NS || ret->step_ns < -CLOCK_STEP_NS)
        tf_log(TF_LOG_WARNING, NULL, "recording: the clock of the day was set by %+.3f s; t_mono_ns goes on",
               (double)ret->step_ns / 1e9);
    if (ret->result < 0 && !service->tables_said_failed)
        tf_log(TF_LOG_ERROR, NULL, "RECORDING DAMAGED: %s", ret->error.text);
    pthread_mutex_lock(&service->problem_lock);
    service->tables_failed += ret->result < 0 && !service->tables_said_failed;
    service->tables_said_failed |= ret->result < 0;
    service->session_failed = ret->result < 0;
    service->session_problem[0] = '\0';
    if (ret->result < 0)
        snprintf(service->session_problem, sizeof(service->session_problem),
                 "the recording has failed: %.200s", ret->error.text);
    else if (ret->stalled_ns > DISK_STALL_NS)
        snprintf(service->session_problem, sizeof(service->session_problem),
                 "the disk that is recorded on has not answered for %.0f s", (double)ret->stalled_ns / 1e9);
    pthread_mutex_unlock(&service->problem_lock);
}

void tf_service_session_tell(struct tf_service *service, struct tf_recording_told *told)
{
    pthread_mutex_lock(&service->problem_lock);
    told->totals.failed += service->tables_failed;
    if (told->recording && service->session_failed && !told->now.failed) {
        told->now.failed = true;
        snprintf(told->now.error.text, sizeof(told->now.error.text), "%s", service->session_problem);
    }
    pthread_mutex_unlock(&service->problem_lock);
}

int tf_service_session_health(struct tf_service *service, char *reason, size_t size)
{
    int r;

    pthread_mutex_lock(&service->problem_lock);
    r = service->session_problem[0] ? -EIO : 0;
    if (r < 0)
        snprintf(reason, size, "%s", service->session_problem);
    pthread_mutex_unlock(&service->problem_lock);
    return r;
}

static int tell_status(struct tf_service *service, char **answer)
{
    int n = atomic_load(&service->count);
    struct tf_session_state tables;
    json_t *cameras, *told;
    bool failed = false;

    if (!service->session) {
        unsigned waiting = service->sealer ? tf_sealer_waiting(service->sealer) : 0;

        told = json_pack("{s:s}", "state", "idle");
        /* Files of sessions that have ended whose digests are still to be taken. */
        if (waiting)
            json_object_set_new(told, "sealing", json_integer(waiting));
        return tf_request_answer(told, 200, answer);
    }
    tell_tables(service, &tables);
    cameras = json_array();
    for (int i = 0; i < n; i++) {
        struct tf_recording_status s;

        if (tf_pipeline_recording_status(service->pipelines[i], &s) < 0)
            continue;
        failed |= s.failed;
        json_array_append_new(cameras, tell_camera(&s));
    }
    failed |= tables.result < 0;
    told = tell_session(service, failed ? "failed" : "recording", cameras);
    if (tables.result < 0)
        json_object_set_new(told, "error", json_string(tables.error.text));
    return tf_request_answer(told, 200, answer);
}

/* --- start and stop --- */

static void forget_session(struct tf_service *service)
{
    service->session = NULL;
    tf_service_forget_marks(service);
    free(service->session_subject);
    free(service->session_name);
    free(service->session_task);
    service->session_subject = service->session_name = service->session_task = NULL;
    pthread_mutex_lock(&service->problem_lock);
    service->session_problem[0] = '\0';
    service->session_id[0] = '\0';
    service->session_failed = false;
    pthread_mutex_unlock(&service->problem_lock);
}

/* The annotated video is what viewers saw; raw frames and rows are whole without it, and can make it anew. */
static void say_pictures(const struct tf_recording_status *s)
{
    char text[160] = "";
    size_t n = 0;

    for (int i = 0; i < TF_PICTURE_PLACES && n < sizeof(text); i++)
        if (s->pictures_lost[i])
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %llu", n ? ", " : "",
                                  tf_picture_place_name((enum tf_picture_place)i),
                                  (unsigned long long)s->pictures_lost[i]);
    tf_log(TF_LOG_WARNING, s->camera, "recording: %llu pictures are missing in the annotated video (%s)",
           (unsigned long long)tf_recording_pictures_lost(s), text);
}

/* Ends all recordings; the first error, also of frames that were refused. `cameras` (may be NULL) is filled.
 */
static int end_session(struct tf_service *service, json_t *cameras, struct tf_error *err)
{
    int n = atomic_load(&service->count), result = 0;

    for (int i = 0; i < n; i++) {
        struct tf_recording_status s = {0};
        struct tf_error e = {0};
        int r = tf_pipeline_recording_stop(service->pipelines[i], &s, &e);

        if (r == -ENOENT && !s.camera[0])
            continue;
        if (r == 0 && (s.refused || s.rows_lost))
            r = tf_fail(&e, -EIO,
                        "%llu frames were refused and %llu rows lost: the encoder or the disk was too slow",
                        (unsigned long long)s.refused, (unsigned long long)s.rows_lost);
        if (r == 0 && tf_recording_pictures_lost(&s))
            say_pictures(&s);
        if (s.lost_driver || s.lost_capture)
            tf_log(
                TF_LOG_WARNING, s.camera,
                "recording: %llu frames were lost before it: %llu by camera and driver, %llu here, without a "
                "processor or a buffer",
                (unsigned long long)(s.lost_driver + s.lost_capture), (unsigned long long)s.lost_driver,
                (unsigned long long)s.lost_capture);
        if (r < 0) {
            tf_log(TF_LOG_ERROR, service->cameras[i]->name, "recording: %s", e.text);
            if (result == 0) {
                result = r;
                *err = e;
                tf_error_prefix(err, "camera %s", service->cameras[i]->name);
            }
        }
        if (cameras) {
            json_t *o = tell_camera(&s);

            json_object_set_new(o, "state", json_string(s.failed ? "failed" : "complete"));
            json_array_append_new(cameras, o);
        }
    }
    return result;
}

static bool has_failed(struct tf_service *service)
{
    int n = atomic_load(&service->count);
    struct tf_session_state tables;
    struct tf_recording_status s;

    for (int i = 0; i < n; i++)
        if (tf_pipeline_recording_status(service->pipelines[i], &s) == 0 && s.failed)
            return true;
    tell_tables(service, &tables);
    return tables.result < 0;
}

/* Two cameras whose names differ only in what a label cannot have would write one file. */
static int check_names(struct tf_service *service, struct tf_error *err)
{
    int n = atomic_load(&service->count);
    char a[512], b[512];

    for (int i = 0; i < n; i++) {
        if (tf_session_camera_stem(service->session, service->cameras[i]->name, a, sizeof(a)) < 0)
            return tf_fail(err, -EINVAL,
                           "camera %s: its name has no letter or digit, which a recording needs",
                           service->cameras[i]->name);
        for (int j = 0; j < i; j++)
            if (tf_session_camera_stem(service->session, service->cameras[j]->name, b, sizeof(b)) == 0 &&
                strcmp(a, b) == 0)
                return tf_fail(
                    err, -EINVAL,
                    "cameras %s and %s differ only in \"_\" and \"-\", which names of recordings do "
                    "not have: rename one",
                    service->cameras[j]->name, service->cameras[i]->name);
    }
    return 0;
}

static int start_recordings(struct tf_service *service, const struct request *q, uint64_t t_mono_ns,
                            int64_t t_utc_ns, struct tf_error *err)
{
    const struct tf_config_recording *c = &service->config->recording;
    int n = atomic_load(&service->count), r;
    char stem[512];

    r = check_names(service, err);
    for (int i = 0; i < n && r == 0; i++) {
        struct tf_recording_options options = {
            .folder = tf_session_folder(service->session),
            .folder_fd = tf_session_folder_fd(service->session),
            .manifest = tf_session_manifest(service->session),
            .manifest_name = tf_session_manifest_name(service->session),
            .stem = stem,
            .codec = tf_choice_codec(c->codec),
            .visible_h264 = c->visible == TF_CONFIG_VISIBLE_H264,
            .annotated = c->annotated && service->cameras[i]->pictures,
            .free_min = (uint64_t)c->free_space_min << 20,
            .segment_ns = c->segment_ns,
            .segment_bytes = (uint64_t)c->segment_size << 20,
            .tables = c->tables,
            .physio_rate = c->physio_rate,
            .t_start_ns = t_mono_ns,
            .t_start_utc_ns = t_utc_ns,
            .emissivity = q->emissivity,
            .distance_m = q->distance,
            .reflected_c = q->reflected,
            .room_c = q->room,
            .humidity_percent = q->humidity,
            .note = q->note,
        };

        tf_session_camera_stem(service->session, service->cameras[i]->name, stem, sizeof(stem));
        r = tf_pipeline_recording_start(service->pipelines[i], &options, err);
    }
    return r;
}

/* NULL: nothing. */
static json_t *speaks_against(struct tf_service *service)
{
    bool refuses;
    json_t *told = tf_service_check_session(service, &refuses), *warnings = json_object_get(told, "warnings");
    const char *first = json_string_value(json_object_get(json_array_get(warnings, 0), "text"));
    char text[400];

    if (!json_array_size(warnings)) {
        json_decref(told);
        return NULL;
    }
    snprintf(text, sizeof(text), "not started: %s", first ? first : "");
    json_object_set_new(told, "error", json_string(text));
    return told;
}

static int start(struct tf_service *service, const struct request *q, char **answer)
{
    struct tf_session_options options = {
        .directory = service->config->recording.directory,
        .subject = q->subject,
        .session = q->session,
        .task = q->task,
        .note = q->note,
        .t_start_ns = tf_now_ns(),
        .sealer = service->sealer,
    };
    struct tf_error err = {0}, ignored = {0};
    json_t *told;
    int r;

    if (service->ending) {
        r = tf_fail(&err, -ESHUTDOWN, "the service is ending: no session begins any more");
        return tf_request_error(r, &err, answer);
    }

    options.t_start_utc_ns = (int64_t)options.t_start_ns + tf_utc_offset_ns();
    if (!options.directory) {
        r = tf_fail(&err, -ENOTCONN, "sessions are not recorded here: set directory in [recording]");
        return tf_request_error(r, &err, answer);
    }
    if (!q->subject || !q->task) {
        r = tf_fail(&err, -EINVAL, "a session needs a subject and a task");
        return tf_request_error(r, &err, answer);
    }
    /* A session that has failed has said so; it is not in the next one's way. */
    if (service->session && has_failed(service)) {
        end_session(service, NULL, &ignored);
        tf_service_mqtt_session(service, "record_stop", "failed");
        tf_session_close(service->session, 0, NULL, NULL);
        forget_session(service);
    }
    if (service->session) {
        r = tf_fail(&err, -EBUSY, "%s is being recorded: stop it first", tf_session_stem(service->session));
        return tf_request_error(r, &err, answer);
    }
    if (q->check && (told = speaks_against(service)))
        return tf_request_answer(told, 409, answer);
    r = tf_session_create(&options, &service->session, &err);
    if (r < 0)
        return tf_request_error(r == -ENOENT ? -EIO : r, &err, answer); /* the folder's, not the client's */
    pthread_mutex_lock(&service->problem_lock);
    snprintf(service->session_id, sizeof(service->session_id), "%s", tf_session_stem(service->session));
    pthread_mutex_unlock(&service->problem_lock);
    service->session_subject = strdup(q->subject);
    service->session_name = q->session ? strdup(q->session) : NULL;
    service->session_task = strdup(q->task);
    service->session_start_ns = options.t_start_ns;
    service->marks = 0;
    service->session_said_failed = service->session_said_refused = service->session_said_stalled = false;
    service->tables_said_failed = false;
    r = service->session_subject && service->session_task && (!q->session || service->session_name)
            ? start_recordings(service, q, options.t_start_ns, options.t_start_utc_ns, &err)
            : tf_fail(&err, -ENOMEM, "no memory");
    if (r < 0) {
        end_session(service, NULL, &ignored);
        tf_session_close(service->session, 0, NULL, NULL);
        forget_session(service);
        tf_log(TF_LOG_ERROR, NULL, "recording not started: %s", err.text);
        return tf_request_error(r, &err, answer);
    }
    tf_service_lsl_session(service, "session_start", options.t_start_ns);
    tf_log(TF_LOG_NOTICE, NULL, "recording %s/%s", tf_session_folder(service->session),
           tf_session_stem(service->session));
    tf_service_mqtt_session(service, "record_start", "recording");
    return tell_status(service, answer);
}

static int stop(struct tf_service *service, char **answer)
{
    struct tf_error err = {0};
    json_t *cameras, *told;
    bool sealing = false;
    int r, tables;

    if (!service->session) {
        r = tf_fail(&err, -ENOTCONN, "nothing is being recorded");
        return tf_request_error(r, &err, answer);
    }
    cameras = json_array();
    tf_service_lsl_session(service, "session_stop", tf_now_ns());
    r = end_session(service, cameras, &err);
    told = tell_session(service, r < 0 ? "failed" : "complete", cameras);
    tables = tf_session_close(service->session, SEAL_WAIT_NS, &sealing, r < 0 ? NULL : &err);
    if (tables < 0 && r < 0)
        tf_log(TF_LOG_ERROR, NULL, "recording: marks, clock or manifest are damaged, too");
    if (r == 0)
        r = tables;
    json_object_set_new(told, "sealing", json_boolean(sealing));
    if (r < 0) {
        json_object_set_new(told, "state", json_string("failed"));
        json_object_set_new(told, "error", json_string_nocheck(err.text));
    }
    tf_log(TF_LOG_NOTICE, NULL, "recording ended%s", r < 0 ? ", with errors" : "");
    tf_service_mqtt_session(service, "record_stop", r < 0 ? "failed" : "complete");
    forget_session(service);
    return tf_request_answer(told, 200, answer);
}

/* What somebody has measured of another computer that records the same session. */
static int add_fleet(struct tf_service *service, const struct request *q, char **answer)
{
    struct tf_fleet_row row = q->fleet;
    struct tf_error err = {0};
    int r = 0;

    if (!service->session)
        r = tf_fail(&err, -ENOTCONN, "nothing is being recorded");
    else if (!row.box || !q->has_offset || !q->has_error)
        r = tf_fail(&err, -EINVAL, "a measurement needs \"box\", \"offset_ns\" and \"error_ns\"");
    if (r == 0) {
        row.t_mono_ns = q->has_measured ? (uint64_t)q->measured_ns : tf_now_ns();
        row.t_start_ns = q->has_start ? q->start_ns : -1;
        row.error_ns = (uint64_t)q->error_ns;
        row.synchronised = q->has_synchronised ? q->synchronised : -1;
        r = tf_session_fleet(service->session, &row, &err);
    }
    return r < 0 ? tf_request_error(r, &err, answer)
                 : tf_request_answer(json_pack("{s:s}", "box", row.box), 200, answer);
}

int tf_service_session(void *context, enum tf_http_session what, const char *text, size_t size,
                       uint64_t t_mono_ns, char **answer)
{
    struct tf_service *service = context;
    struct request q = {.emissivity = NAN, .distance = NAN, .reflected = NAN, .room = NAN, .humidity = NAN};
    const struct tf_request_field of_start[] = {
        {"subject", .text = &q.subject},
        {"session", .text = &q.session},
        {"task", .text = &q.task},
        {"note", .text = &q.note},
        {"emissivity", .number = &q.emissivity, .min = 0.01, .max = 1},
        {"distance_m", .number = &q.distance, .min = 0, .max = 1000},
        {"reflected_c", .number = &q.reflected, .min = -273.15, .max = 2000},
        {"room_c", .number = &q.room, .min = -100, .max = 100},
        {"humidity_percent", .number = &q.humidity, .min = 0, .max = 100},
        {"check", .flag = &q.check},
        {0},
    };
    const struct tf_request_field of_mark[] = {
        {"text", .text = &q.mark.text},
        {"value", .text = &q.mark.value, .number_text = q.value_text},
        {"t_mono_ns", .integer = &q.mark.t_mono_ns, .min = 0, .max = 9e18, .given = &q.mark.has_t_mono},
        {"age_ms", .number = &q.mark.age_ms, .min = 0, .max = 86400000, .given = &q.mark.has_age},
        {0}};
    const struct tf_request_field of_undo[] = {{"mark", .integer = &q.mark.mark, .min = 1, .max = 9e18},
                                               {"text", .text = &q.mark.text},
                                               {"value", .text = &q.mark.value, .number_text = q.value_text},
                                               {0}};
    const struct tf_request_field of_fleet[] = {
        {"box", .text = &q.fleet.box},
        {"session", .text = &q.fleet.session},
        {"t_mono_ns", .integer = &q.measured_ns, .min = 0, .max = 9e18, .given = &q.has_measured},
        {"t_start_mono_ns", .integer = &q.start_ns, .min = 0, .max = 9e18, .given = &q.has_start},
        {"offset_ns", .integer = &q.fleet.offset_ns, .min = -9e18, .max = 9e18, .given = &q.has_offset},
        {"error_ns", .integer = &q.error_ns, .min = 0, .max = 9e18, .given = &q.has_error},
        {"utc_difference_ns", .integer = &q.fleet.utc_difference_ns, .min = -9e18, .max = 9e18,
         .given = &q.fleet.has_utc_difference},
        {"synchronised", .flag = &q.synchronised, .given = &q.has_synchronised},
        {0}};
    const struct tf_request_field none[] = {{0}};
    struct tf_error err = {0};
    json_t *body = NULL;
    bool refuses;
    int status, r;

    r = tf_request_read(&body, text, size,
                        what == TF_HTTP_SESSION_START   ? of_start
                        : what == TF_HTTP_SESSION_MARK  ? of_mark
                        : what == TF_HTTP_SESSION_UNDO  ? of_undo
                        : what == TF_HTTP_SESSION_FLEET ? of_fleet
                                                        : none,
                        &err);
    if (r < 0) {
        json_decref(body);
        return tf_request_error(r, &err, answer);
    }
    pthread_mutex_lock(&service->session_lock);
    switch (what) {
    case TF_HTTP_SESSION_START:
        status = start(service, &q, answer);
        break;
    case TF_HTTP_SESSION_STOP:
        status = stop(service, answer);
        break;
    case TF_HTTP_SESSION_MARK:
        status = tf_service_mark(service, &q.mark, t_mono_ns, answer);
        break;
    case TF_HTTP_SESSION_UNDO:
        status = tf_service_undo(service, &q.mark, answer);
        break;
    case TF_HTTP_SESSION_FLEET:
        status = add_fleet(service, &q, answer);
        break;
    case TF_HTTP_SESSION_CHECK:
        status = tf_request_answer(tf_service_check_session(service, &refuses), 200, answer);
        break;
    default:
        status = tell_status(service, answer);
    }
    pthread_mutex_unlock(&service->session_lock);
    json_decref(body);
    return status;
}

/* --- the main loop's part --- */

void tf_service_session_watch(struct tf_service *service)
{
    int n = atomic_load(&service->count);
    struct tf_session_state tables;

    /* Whoever starts or stops a session looks by himself. */
    if (pthread_mutex_trylock(&service->session_lock) != 0)
        return;
    service->session_line[0] = 0;
    if (service->session)
        tell_tables(service, &tables);
    if (service->session)
        snprintf(service->session_line, sizeof(service->session_line), "recording %s",
                 tf_session_stem(service->session));
    for (int i = 0; i < n && service->session; i++) {
        struct tf_recording_status s;

        if (tf_pipeline_recording_status(service->pipelines[i], &s) < 0)
            continue;
        if (s.failed && !service->session_said_failed)
            tf_log(TF_LOG_ERROR, s.camera, s.ended ? "RECORDING STOPPED: %s" : "RECORDING DAMAGED: %s",
                   s.error.text);
        if (s.stalled_ns > DISK_STALL_NS && !service->session_said_stalled)
            tf_log(TF_LOG_ERROR, s.camera,
                   "recording: the disk has not answered for %.0f s; frames wait in memory",
                   (double)s.stalled_ns / 1e9);
        service->session_said_stalled = s.stalled_ns > DISK_STALL_NS;
        if (s.refused && !service->session_said_refused)
            tf_log(TF_LOG_ERROR, s.camera,
                   "recording: frames are refused, %llu so far: the encoder or the disk is too slow",
                   (unsigned long long)s.refused);
        service->session_said_failed |= s.failed;
        service->session_said_refused |= s.refused > 0;
    }
    pthread_mutex_unlock(&service->session_lock);
}

int tf_service_session_end(struct tf_service *service, struct tf_error *err)
{
    struct tf_error of_tables = {0};
    int r = 0, tables;

    pthread_mutex_lock(&service->session_lock);
    service->ending = true;
    if (service->session) {
        tf_service_lsl_session(service, "session_stop", tf_now_ns());
        r = end_session(service, NULL, err);
        tables = tf_session_close(service->session, END_WAIT_NS, NULL, &of_tables);
        if (tables < 0)
            tf_log(TF_LOG_ERROR, NULL, "recording: %s", of_tables.text);
        if (r == 0 && tables < 0) {
            r = tables;
            *err = of_tables;
        }
        tf_service_mqtt_session(service, "record_stop", r < 0 ? "failed" : "complete");
        forget_session(service);
        tf_log(TF_LOG_NOTICE, NULL, "recording ended with the service%s", r < 0 ? ", with errors" : "");
    }
    pthread_mutex_unlock(&service->session_lock);
    return r;
}
