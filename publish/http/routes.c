/* The one table of what the HTTP server understands, and what each entry answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "publish/http/errand.h"
#include "publish/http/files.h"
#include "publish/http/texts.h"

#define SLOW_LINE 32768 /* bytes a second: longer answers have more time by that */

/* --- cameras --- */

static void list_cameras(const struct tf_http *http, int count, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (int i = 0; i < count && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", http->statuses[i].camera);
}

/*
 * The camera that a request is about; the only one if it names none. NULL: *result is what to return. The
 * name's storage is the server's own.
 */
static const char *which_camera(struct tf_http_request *q, enum MHD_Result *result)
{
    const char *name = q->target.camera.given ? q->target.camera.text : NULL;
    int count = tf_http_ask_status(q->http);
    const struct tf_status *statuses = q->http->statuses;
    char list[256];

    list_cameras(q->http, count, list, sizeof(list));
    if (!name && count == 1)
        return statuses[0].camera;
    if (!name) {
        *result = tf_http_error(q, 400, "say which camera: ?camera=NAME (there %s %s)", count ? "are" : "is",
                                count ? list : "none yet");
        return NULL;
    }
    for (int i = 0; i < count; i++)
        if (strcmp(statuses[i].camera, name) == 0)
            return statuses[i].camera;
    *result = tf_http_error(q, 404, "there is no camera \"%.64s\"; there %s %s", name,
                            count == 1 ? "is" : "are", count ? list : "none yet");
    return NULL;
}

/* --- GET --- */

static enum MHD_Result get_landmarks(struct tf_http_request *q)
{
    enum MHD_Result result = MHD_NO;
    const char *cameras[TF_HTTP_CAMERAS_MAX];
    int count;

    if (q->target.camera.given) {
        cameras[0] = which_camera(q, &result);
        return cameras[0] ? tf_http_open_stream(q, cameras, 1) : result;
    }
    count = tf_http_ask_status(q->http);
    if (!count)
        return tf_http_error(q, 503, "there is no camera yet");
    for (int i = 0; i < count; i++)
        cameras[i] = q->http->statuses[i].camera;
    return tf_http_open_stream(q, cameras, count);
}

/* Pairs are not cameras: they have no state and no records. */
static const char *which_pair(struct tf_http_request *q, enum MHD_Result *result)
{
    const char *pairs[TF_HTTP_LIVES_MAX];
    int count = tf_http_list_pairs(q->http, tf_http_ask_status(q->http), pairs);

    for (int i = 0; i < count; i++)
        if (strcmp(pairs[i], q->target.pair.text) == 0)
            return pairs[i];
    *result = tf_http_error(q, 404, "there is no pair \"%.64s\" (/state lists them)", q->target.pair.text);
    return NULL;
}

static const char *which_picture(struct tf_http_request *q, enum MHD_Result *result)
{
    if (!q->http->options.snapshot) {
        *result = tf_http_error(q, 404, "there are no pictures here");
        return NULL;
    }
    return q->target.pair.given ? which_pair(q, result) : which_camera(q, result);
}

static enum MHD_Result get_snapshot(struct tf_http_request *q)
{
    enum MHD_Result result = MHD_NO;
    const char *name = which_picture(q, &result);

    return name ? tf_http_give_picture(q, name, q->target.pair.given, (enum tf_snapshot_format)q->route->what)
                : result;
}

static enum MHD_Result get_viewing(struct tf_http_request *q)
{
    enum MHD_Result result = MHD_NO;
    const char *name = which_picture(q, &result);

    return name ? tf_http_open_viewer(q, name, q->target.pair.given, (enum tf_http_viewing)q->route->what)
                : result;
}

/* Who asks and what he may: a page shows what can be done. */
static enum MHD_Result get_access(struct tf_http_request *q)
{
    bool controls = q->role == TF_HTTP_CONTROLS;
    char text[96];

    snprintf(text, sizeof(text), "{\"role\":\"%s\",\"login\":%s}\n", controls ? "control" : "watch",
             q->http->access.count ? "true" : "false");
    return tf_http_say(q, 200, "application/json", text);
}

static enum MHD_Result get_log(struct tf_http_request *q)
{
    size_t size = 0;
    char *text;

    if (q->role < TF_HTTP_CONTROLS)
        return tf_http_error(q, 403, "this login may look at pictures and records, not at the log");
    text = tf_http_log_text(&size);
    return tf_http_give(q, 200, "application/json", text, size);
}

static struct tf_http_counters count_all(struct tf_http *http)
{
    const struct tf_http_options *o = &http->options;

    struct tf_mqtt_told mqtt = {0};

    if (o->mqtt)
        o->mqtt(o->context, &mqtt);
    return (struct tf_http_counters){
        .connections = http->places.count - http->places.ended,
        .readers = http->client_count,
        .accepted = http->places.accepted,
        .refused = http->places.refused,
        .expired = http->places.expired,
        .displaced = http->places.displaced,
        .logins_failed = http->access.failed,
        .rtsp_logins_failed = o->rtsp_logins_failed ? o->rtsp_logins_failed(o->context) : 0,
        .mqtt = mqtt,
    };
}

static void ask_triggers(struct tf_http *http, struct tf_trigger_told told[TF_TRIGGERS_TOLD],
                         struct tf_http_counters *counters)
{
    const struct tf_http_options *o = &http->options;

    counters->triggers = told;
    counters->trigger_count = o->triggers ? o->triggers(o->context, told, TF_TRIGGERS_TOLD) : 0;
}

/* Large for a stack; the server's thread alone asks. */
static const struct tf_lsl_told *ask_lsl(struct tf_http *http)
{
    static struct tf_lsl_told told;
    const struct tf_http_options *o = &http->options;

    return o->lsl && o->lsl(o->context, &told) ? &told : NULL;
}

static enum MHD_Result get_state(struct tf_http_request *q)
{
    struct tf_http *http = q->http;
    int count = tf_http_ask_status(http);
    size_t size = 0;
    const char *pairs[TF_HTTP_LIVES_MAX];
    struct tf_http_counters counters = count_all(http);
    struct tf_trigger_told triggers[TF_TRIGGERS_TOLD];
    char *text;

    counters.pairs = pairs;
    counters.lsl = ask_lsl(http);
    counters.pair_count = tf_http_list_pairs(http, count, pairs);
    ask_triggers(http, triggers, &counters);
    text = tf_http_state_text(http->statuses, count, &counters, http->started_ns, tf_now_ns(), &size);

    return tf_http_give(q, 200, "application/json", text, size);
}

static enum MHD_Result get_metrics(struct tf_http_request *q)
{
    struct tf_http *http = q->http;
    struct tf_http_counters counters = count_all(http);
    struct tf_trigger_told triggers[TF_TRIGGERS_TOLD];
    int count = tf_http_ask_status(http);
    size_t size = 0;
    char *text;

    ask_triggers(http, triggers, &counters);
    counters.lsl = ask_lsl(http);
    text = tf_http_metrics_text(http->statuses, count, &counters, http->started_ns, tf_now_ns(), &size);
    return tf_http_give(q, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

static enum MHD_Result get_health(struct tf_http_request *q)
{
    const struct tf_http_options *o = &q->http->options;
    char reason[256] = "";

    if (o->health && o->health(o->context, reason, sizeof(reason)) != 0)
        return tf_http_error(q, 503, "%s", reason[0] ? reason : "not healthy");
    return tf_http_say(q, 200, "text/plain; charset=utf-8", "ok\n");
}

/* The four times of NTP are the client's two and these: how far its clock is off and how sure that is. */
static enum MHD_Result get_clock(struct tf_http_request *q)
{
    char text[2048], received[TF_UTC_TEXT], sent[TF_UTC_TEXT], host[TF_HTTP_CLOCK_TEXT],
        sync[TF_HTTP_CLOCK_TEXT];
    uint64_t now_ns = tf_now_ns();
    int64_t offset_ns = tf_utc_offset_ns();

    tf_utc_format(q->t_utc_ns, received);
    tf_utc_format((int64_t)now_ns + offset_ns, sent);
    snprintf(
        text, sizeof(text),
        "{\"receive_t_mono_ns\":%llu,\"receive_t_utc\":\"%s\",\"send_t_mono_ns\":%llu,\"send_t_utc\":\"%s\","
        "\"utc_offset_ns\":%lld,\"host\":%s,\"clock\":%s}\n",
        (unsigned long long)q->t_mono_ns, received, (unsigned long long)now_ns, sent, (long long)offset_ns,
        tf_http_host_json(host), tf_http_clock_json(sync));
    return tf_http_say(q, 200, "application/json", text);
}

static enum MHD_Result get_index(struct tf_http_request *q)
{
    return tf_http_say(
        q, 200, "text/plain; charset=utf-8",
        "/                          the console, for a browser\n"
        "/landmarks                 one JSON object a line for each captured frame of every camera\n"
        "/landmarks?camera=NAME     the same of one camera\n"
        "/state                     cameras, counters, rates (JSON)\n"
        "/metrics                   the same for Prometheus\n"
        "/healthz                   200 when all is well, else 503 and why\n"
        "/snapshot.jpg?camera=NAME  the latest annotated picture (?pair=NAME: of both cameras)\n"
        "/snapshot.png?camera=NAME  the same without loss\n"
        "/video.mp4?camera=NAME     annotated video as fragmented MP4, as long as it is read\n"
        "/mjpeg?camera=NAME         the same as JPEGs (multipart/x-mixed-replace)\n"
        "/access                    what this login may do (JSON)\n"
        "/log                       the service's last lines (JSON)\n"
        "/clock                     this computer's clocks (JSON)\n"
        "/record                    the session that is recorded (JSON)\n"
        "/record/check              what speaks against recording now (JSON)\n"
        "POST /record/start, /record/stop, /mark, /mark/undo: see docs/recording.md\n"
        "/regions                   own regions (JSON); PUT /regions sets them: see docs/regions.md\n"
        "/sessions                  recorded sessions (JSON); /sessions/ID/FILE and /sessions/ID/video.mp4\n"
        "POST /camera/NAME/ffc      moves the camera's shutter: see docs/cameras.md\n");
}

/* --- what is asked of the service, in a thread of its own --- */

static void do_session(struct tf_http_job *job)
{
    struct tf_http_errand *e = (struct tf_http_errand *)job;
    const struct tf_http_options *o = &e->q->http->options;

    e->status = o->session(o->context, (enum tf_http_session)e->q->route->what, e->q->body ? e->q->body : "",
                           e->q->size, e->q->t_mono_ns, &e->text);
}

static void do_ffc(struct tf_http_job *job)
{
    struct tf_http_errand *e = (struct tf_http_errand *)job;
    const struct tf_http_options *o = &e->q->http->options;

    e->status = o->ffc(o->context, e->q->route_name, e->q->body, e->q->size, &e->text);
}

/* Requests are resumed unfinished only when the server ends; the worker still writes into its errand then. */
static void wait_for_worker(const struct tf_http_errand *e)
{
    while (!tf_http_job_done(&e->job))
        tf_sleep_until_ns(tf_now_ns() + 1000000);
}

void tf_http_leave_errand(struct tf_http_request *q)
{
    struct tf_http_errand *e = (struct tf_http_errand *)q->job;

    if (e)
        wait_for_worker(e);
    q->job = NULL;
    if (e && e->file >= 0)
        close(e->file);
    if (e)
        free(e->text);
    free(e);
}

/* What came of it, in the server's thread. */
static enum MHD_Result answer_errand(struct tf_http_request *q, struct tf_http_errand *e)
{
    struct MHD_Response *response;
    enum MHD_Result result;
    bool download = e->file >= 0;
    char range[96];

    if (download && q->http->download_count >= TF_HTTP_DOWNLOADS_MAX)
        return tf_http_error(q, 503, "%d files are being sent already", TF_HTTP_DOWNLOADS_MAX);
    if (!e->type && !e->ranges) {
        char *text = e->text;

        e->text = NULL;
        return tf_http_give(q, (unsigned)e->status, "application/json", text, text ? strlen(text) : 0);
    }
    if (download) {
        response = tf_http_open_download(q, e->file, e->total);
        e->file = -1;
    } else {
        response = MHD_create_response_from_buffer(e->type   ? e->size
                                                   : e->text ? strlen(e->text)
                                                             : 0,
                                                   e->text, MHD_RESPMEM_MUST_FREE);
    }
    if (!response)
        return MHD_NO;
    e->text = NULL;
    if (e->ranges)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    if (e->status == 206)
        snprintf(range, sizeof(range), "bytes %llu-%llu/%llu", (unsigned long long)e->at,
                 (unsigned long long)(e->at + e->size - 1), (unsigned long long)e->total);
    else
        snprintf(range, sizeof(range), "bytes */%llu", (unsigned long long)e->total);
    if (e->status == 206 || e->status == 416)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    result = tf_http_queue(q, (unsigned)e->status, e->type ? e->type : "application/json", response);
    if (result == MHD_YES && download)
        tf_place_enter(&q->http->places, q->place, TF_PLACE_STREAMING, tf_now_ns());
    else
        q->place->due_ns += e->size / SLOW_LINE * TF_NS_PER_S;
    return result;
}

enum MHD_Result tf_http_run_errand(struct tf_http_request *q, enum tf_http_job_queue queue,
                                   void (*work)(struct tf_http_job *job))
{
    struct tf_http_errand *e = (struct tf_http_errand *)q->job;
    enum MHD_Result result;

    if (e) {
        wait_for_worker(e);
        result = answer_errand(q, e);
        tf_http_leave_errand(q);
        return result;
    }
    e = calloc(1, sizeof(*e));
    if (!e)
        return tf_http_error(q, 500, "no memory");
    e->job.work = work;
    e->q = q;
    e->file = -1;
    if (tf_http_jobs_add(q->http->jobs[queue], &e->job) < 0) {
        free(e);
        return tf_http_error(q, 503,
                             q->http->jobs[queue] ? "too much is asked at once" : "the service is ending");
    }
    q->job = &e->job;
    tf_place_enter(&q->http->places, q->place, TF_PLACE_WAITING, tf_now_ns());
    tf_http_suspend(q);
    return MHD_YES;
}

static enum MHD_Result ask_session(struct tf_http_request *q)
{
    if (!q->http->options.session)
        return tf_http_error(q, 404, "nothing is recorded here");
    return tf_http_run_errand(q, TF_HTTP_JOBS_SESSION, do_session);
}

static enum MHD_Result ask_ffc(struct tf_http_request *q)
{
    if (!q->http->options.ffc)
        return tf_http_error(q, 404, "no shutter can be moved here");
    return tf_http_run_errand(q, TF_HTTP_JOBS_SHUTTER, do_ffc);
}

static void do_regions(struct tf_http_job *job)
{
    struct tf_http_errand *e = (struct tf_http_errand *)job;
    const struct tf_http_options *o = &e->q->http->options;

    e->status = o->regions(o->context, e->q->body, e->q->size, &e->text);
}

static enum MHD_Result ask_regions(struct tf_http_request *q)
{
    if (!q->http->options.regions)
        return tf_http_error(q, 404, "there are no regions here");
    return tf_http_run_errand(q, TF_HTTP_JOBS_SESSION, do_regions);
}

/* --- the table --- */

static const struct tf_http_route routes[] = {
    {"/api", TF_HTTP_GET, false, get_index, 0},
    {"/access", TF_HTTP_GET, false, get_access, 0},
    {"/log", TF_HTTP_GET, false, get_log, 0},
    {"/video.mp4", TF_HTTP_GET, false, get_viewing, TF_HTTP_MP4},
    {"/mjpeg", TF_HTTP_GET, false, get_viewing, TF_HTTP_MOTION},
    {"/landmarks", TF_HTTP_GET, false, get_landmarks, 0},
    {"/state", TF_HTTP_GET, false, get_state, 0},
    {"/metrics", TF_HTTP_GET, true, get_metrics, 0},
    {"/healthz", TF_HTTP_GET, true, get_health, 0},
    {"/clock", TF_HTTP_GET, true, get_clock, 0},
    {"/snapshot.png", TF_HTTP_GET, false, get_snapshot, TF_SNAPSHOT_PNG},
    {"/snapshot.jpg", TF_HTTP_GET, false, get_snapshot, TF_SNAPSHOT_JPEG},
    {"/record", TF_HTTP_GET, true, ask_session, TF_HTTP_SESSION_STATUS},
    {"/record/check", TF_HTTP_GET, false, ask_session, TF_HTTP_SESSION_CHECK},
    {"/record/start", TF_HTTP_POST, true, ask_session, TF_HTTP_SESSION_START},
    {"/record/stop", TF_HTTP_POST, true, ask_session, TF_HTTP_SESSION_STOP},
    {"/record/fleet", TF_HTTP_POST, true, ask_session, TF_HTTP_SESSION_FLEET},
    {"/mark", TF_HTTP_POST, true, ask_session, TF_HTTP_SESSION_MARK},
    {"/mark/undo", TF_HTTP_POST, true, ask_session, TF_HTTP_SESSION_UNDO},
    {"/regions", TF_HTTP_GET, false, ask_regions, 0},
    {"/regions", TF_HTTP_PUT, false, ask_regions, 0},
    {"/sessions", TF_HTTP_GET, false, tf_http_review, 0},
    {"/sessions/", TF_HTTP_GET, false, tf_http_review, 0},
    {"/camera/*/ffc", TF_HTTP_POST, true, ask_ffc, 0},
};

static const struct tf_http_route file_route = {"/", TF_HTTP_GET, false, tf_http_give_file, 0};

/* Whether a path is the route's; "*" stands for one segment, which is put into `name`. */
static bool matches(const char *route, const char *path, char name[64])
{
    const char *star = strchr(route, '*');
    size_t n;

    if (!star && route[1] && route[strlen(route) - 1] == '/')
        return strncmp(route, path, strlen(route)) == 0;
    if (!star)
        return strcmp(route, path) == 0;
    if (strncmp(route, path, (size_t)(star - route)) != 0)
        return false;
    path += star - route;
    n = strcspn(path, "/");
    if (!n || n >= 64 || strcmp(path + n, star + 1) != 0)
        return false;
    memcpy(name, path, n);
    name[n] = '\0';
    return true;
}

const struct tf_http_route *tf_http_find_route(const char *path, enum tf_http_method method, char name[64],
                                               unsigned *methods)
{
    const struct tf_http_route *found = NULL;

    *methods = 0;
    if (tf_http_find_file(path)) {
        *methods = TF_HTTP_GET;
        return method == TF_HTTP_GET ? &file_route : NULL;
    }
    for (size_t i = 0; i < TF_COUNT(routes); i++) {
        if (!matches(routes[i].path, path, name))
            continue;
        *methods |= routes[i].method;
        if (routes[i].method == method)
            found = &routes[i];
    }
    return found;
}
