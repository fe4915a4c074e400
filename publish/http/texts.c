/* What /state and /metrics say. */
#include "base/count.h"
#include "publish/http/texts.h"

#include <config.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "publish/record/text_out.h"

static void put_text(FILE *f, const char *text)
{
    char buffer[6 * 256 + 2];
    struct tf_out o = {.at = buffer, .end = buffer + sizeof(buffer)};

    tf_out_json_text(&o, text, 256);
    fwrite(buffer, 1, (size_t)(o.at - buffer), f);
}

/* A number with a point, whatever the locale; `nothing` when it is not known. */
static void put_real(FILE *f, double value, int decimals, const char *nothing)
{
    char buffer[TF_OUT_NUMBER_MAX];
    struct tf_out o = {.at = buffer, .end = buffer + sizeof(buffer)};

    if (!isfinite(value)) {
        fputs(nothing, f);
        return;
    }
    tf_out_real(&o, value, decimals);
    fwrite(buffer, 1, (size_t)(o.at - buffer), f);
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) * 1e-9 : 0;
}

static double age(const struct tf_status *c, uint64_t now_ns)
{
    return c->frames ? seconds(c->last_t_mono_ns, now_ns) : NAN;
}

#define MEMBER_UINT(name, value) fprintf(f, "\"" name "\":%" PRIu64 ",", (uint64_t)(value))
#define MEMBER_TEXT(name, value) (fputs("\"" name "\":", f), put_text(f, value), fputc(',', f))
#define MEMBER_REAL(name, value, decimals)                                                                   \
    (fputs("\"" name "\":", f), put_real(f, value, decimals, "null"), fputc(',', f))

static void state_pair(FILE *f, const struct tf_pair_status *pair)
{
    if (!pair->paired) {
        fputs("\"pair\":null,", f);
        return;
    }
    fputs("\"pair\":{", f);
    MEMBER_TEXT("camera", pair->partner);
    fprintf(f, "\"calibrated\":%s,", pair->calibrated ? "true" : "false");
    MEMBER_UINT("with", pair->with);
    MEMBER_UINT("without", pair->without);
    MEMBER_UINT("visible_faces", pair->visible_faces);
    fputs("\"skew_us\":", f);
    if (pair->with)
        fprintf(f, "%" PRId64 "},", pair->skew_us);
    else
        fputs("null},", f);
}

/* The recording of a camera; null: it is not recorded. */
static void state_recording(FILE *f, const struct tf_recording_told *told)
{
    const struct tf_recording_status *r = &told->now;

    if (!told->recording) {
        fputs("null", f);
        return;
    }
    fprintf(f, "{\"state\":\"%s\",\"error\":", r->failed ? "failed" : "recording");
    if (r->failed)
        put_text(f, r->error.text);
    else
        fputs("null", f);
    fputc(',', f);
    MEMBER_UINT("frames", r->frames);
    MEMBER_UINT("refused", r->refused);
    MEMBER_UINT("rows", r->rows);
    MEMBER_UINT("rows_lost", r->rows_lost);
    MEMBER_UINT("bytes", r->bytes);
    MEMBER_UINT("annotated", r->annotated);
    fputs("\"annotated_lost\":{", f);
    for (int i = 0; i < TF_PICTURE_PLACES; i++)
        fprintf(f, "%s\"%s\":%" PRIu64, i ? "," : "", tf_picture_place_name((enum tf_picture_place)i),
                r->pictures_lost[i]);
    fputs("},", f);
    MEMBER_UINT("annotated_left_out", r->pictures_left_out);
    if (r->free_bytes == UINT64_MAX)
        fputs("\"free_bytes\":null,", f);
    else
        MEMBER_UINT("free_bytes", r->free_bytes);
    fputs("\"stalled_s\":", f);
    put_real(f, (double)r->stalled_ns * 1e-9, 1, "null");
    fputc('}', f);
}

/* What files and streams of the configuration could not take. */
static void state_sinks(FILE *f, const struct tf_status *c)
{
    fputc('{', f);
    for (int i = 0; i < TF_SINKS_TOLD && c->sinks[i].name; i++) {
        fputs(i ? "," : "", f);
        put_text(f, c->sinks[i].name);
        fprintf(f, ":%" PRIu64, c->sinks[i].lost);
    }
    fputc('}', f);
}

/* Nothing where there are none. */
static void state_own(FILE *f, const struct tf_status *c)
{
    for (uint32_t i = 0; i < c->own_count; i++) {
        const struct tf_own_told *t = &c->own[i];

        fputs(i ? "," : ",\"own_regions\":{", f);
        put_text(f, t->name);
        fprintf(f, ":{\"of\":\"%s\",\"mean\":", t->face ? "face" : "picture");
        put_real(f, (double)t->mean, 3, "null");
        fprintf(f, ",\"valid\":%s}", t->valid ? "true" : "false");
    }
    if (c->own_count)
        fputc('}', f);
}

static void state_camera(FILE *f, const struct tf_status *c, uint64_t now_ns)
{
    fputc('{', f);
    MEMBER_TEXT("camera", c->camera);
    MEMBER_TEXT("state", tf_camera_state_name(c->state));
    MEMBER_REAL("state_s", seconds(c->state_since_mono_ns, now_ns), 1);
    MEMBER_TEXT("message", c->message);
    MEMBER_TEXT("notice", c->notice);
    fputs("\"source\":{", f);
    MEMBER_TEXT("kind", c->source_kind);
    MEMBER_TEXT("name", c->source_name);
    fputs("\"format\":", f);
    put_text(f, c->format);
    fputs("},", f);
    MEMBER_UINT("width", c->width);
    MEMBER_UINT("height", c->height);
    fprintf(f, "\"turn\":{\"state\":\"%s\",\"rotate\":%u,\"flip\":%s,\"better\":",
            tf_turn_state_name(c->turn.state), c->turn.rotate, c->turn.flip ? "true" : "false");
    if (c->turn.state == TF_TURN_WRONG || c->turn.state == TF_TURN_TIE)
        fprintf(f, "%u},", c->turn.better);
    else
        fputs("null},", f);
    MEMBER_TEXT("unit", c->celsius ? "celsius" : "counts");
    MEMBER_UINT("frames", c->frames);
    fputs("\"states\":{", f);
    for (int i = 0; i < 5; i++)
        fprintf(f, "%s\"%s\":%" PRIu64, i ? "," : "", tf_state_name((enum tf_state)i), c->state_frames[i]);
    fprintf(f,
            "},\"dropped\":{\"driver\":%" PRIu64 ",\"capture\":%" PRIu64 ",\"inference\":%" PRIu64
            ",\"rtsp\":%" PRIu64 ",\"http\":%" PRIu64 ",\"video\":%" PRIu64 "},",
            c->dropped.driver, c->dropped.capture, c->dropped.inference, c->dropped_rtsp, c->dropped_http,
            c->dropped_video);
    MEMBER_UINT("encoded", c->encoded);
    MEMBER_UINT("reopened", c->reopened);
    fputs("\"latency_us\":{", f);
    fprintf(f, "\"last\":%" PRIu32 ",\"mean\":%" PRIu64 "},", c->latency_us,
            c->latency_count ? c->latency_sum_us / c->latency_count : 0);
    MEMBER_REAL("fps", c->fps, 2);
    MEMBER_UINT("faces", c->faces);
    MEMBER_UINT("rtsp_viewers", c->rtsp_viewers);
    MEMBER_UINT("http_clients", c->http_clients);
    MEMBER_UINT("http_viewers", c->http_viewers);
    fprintf(f, "\"encoder\":{\"failed\":%s,", c->encoder.failed ? "true" : "false");
    MEMBER_UINT("failures", c->encoder.failures);
    fputs("\"message\":", f);
    put_text(f, c->encoder.message);
    fputs("},", f);
    fprintf(f, "\"pictures\":%s,", c->pictures ? "true" : "false");
    if (c->picture.factor)
        fprintf(f, "\"picture\":{\"width\":%u,\"height\":%u,\"factor\":%u},", c->picture.width,
                c->picture.height, c->picture.factor);
    else
        fputs("\"picture\":null,", f);
    MEMBER_REAL("sensor_c", c->sensor_c, 2);
    MEMBER_REAL("nose_c", c->nose_c, 3);
    MEMBER_REAL("forehead_c", c->forehead_c, 3);
    fputs("\"flags\":[", f);
    for (unsigned i = 0, n = 0; i < TF_FLAG_COUNT; i++)
        if (c->flags & 1u << i)
            fprintf(f, "%s\"%s\"", n++ ? "," : "", tf_flag_name(i));
    fprintf(f, "],\"shutter\":{\"trigger\":%s,\"hold\":%s,\"release\":%s},", c->ffc[0] ? "true" : "false",
            c->ffc[1] ? "true" : "false", c->ffc[2] ? "true" : "false");
    fputs("\"clock\":{", f);
    if (c->t_from)
        MEMBER_TEXT("t_from", c->t_from);
    else
        fputs("\"t_from\":null,", f);
    MEMBER_REAL("nominal_hz", c->nominal_hz > 0 ? (double)c->nominal_hz : NAN, 4);
    MEMBER_REAL("rate_hz", c->rate_hz, 5);
    MEMBER_REAL("drift_ppm", c->drift_ppm, 1);
    fputs("\"error_ppm\":", f);
    put_real(f, c->drift_err_ppm, 1, "null");
    fputs("},", f);
    state_pair(f, &c->pair);
    MEMBER_UINT("last_frame", c->last_frame);
    MEMBER_UINT("last_t_mono_ns", c->last_t_mono_ns);
    fputs("\"age_s\":", f);
    put_real(f, age(c, now_ns), 3, "null");
    fputs(",\"recording\":", f);
    state_recording(f, &c->recording);
    fputs(",\"sinks_lost\":", f);
    state_sinks(f, c);
    state_own(f, c);
    fputc('}', f);
}

static void state_mqtt(FILE *f, const struct tf_mqtt_told *m)
{
    if (!m->configured) {
        fputs("null", f);
        return;
    }
    fprintf(f, "{\"connected\":%s,", m->connected ? "true" : "false");
    MEMBER_TEXT("broker", m->broker);
    MEMBER_TEXT("topic", m->topic);
    MEMBER_TEXT("message", m->message);
    MEMBER_UINT("connections", m->connections);
    MEMBER_UINT("published", m->published);
    MEMBER_UINT("dropped", m->dropped);
    MEMBER_UINT("frames_lost", m->frames_lost);
    fprintf(f, "\"queued\":%" PRIu32 "}", m->queued);
}

static char *finish(FILE *f, char **text)
{
    int failed = ferror(f);

    if (fclose(f) != 0 || failed) {
        free(*text);
        return NULL;
    }
    return *text;
}

char *tf_http_state_text(const struct tf_status *cameras, int count, const struct tf_http_counters *http,
                         uint64_t started_ns, uint64_t now_ns, size_t *size)
{
    char *text = NULL, utc[TF_UTC_TEXT], clock[TF_HTTP_CLOCK_TEXT];
    FILE *f = open_memstream(&text, size);

    if (!f)
        return NULL;
    tf_utc_format(tf_utc_now_ns(), utc);
    fprintf(f, "{\"version\":\"%s\",\"t_utc\":\"%s\",", TF_VERSION, utc);
    MEMBER_UINT("t_mono_ns", now_ns);
    fprintf(f, "\"clock\":%s,", tf_http_clock_json(clock));
    MEMBER_REAL("uptime_s", seconds(started_ns, now_ns), 1);
    fputs("\"cameras\":[", f);
    for (int i = 0; i < count; i++) {
        if (i)
            fputc(',', f);
        state_camera(f, &cameras[i], now_ns);
    }
    fputs("],\"pairs\":[", f);
    for (int i = 0; i < http->pair_count; i++) {
        fputs(i ? "," : "", f);
        put_text(f, http->pairs[i]);
    }
    fputs("],", f);
    tf_http_state_triggers(f, http->triggers, http->trigger_count);
    fprintf(f, "\"logins_failed\":{\"http\":%" PRIu64 ",\"rtsp\":%" PRIu64 "},\"mqtt\":", http->logins_failed,
            http->rtsp_logins_failed);
    state_mqtt(f, &http->mqtt);
    fputs(",\"lsl\":", f);
    tf_http_state_lsl(f, http->lsl);
    fputs("}\n", f);
    return finish(f, &text);
}

char *tf_http_log_text(size_t *size)
{
    struct tf_log_line *lines = malloc(TF_LOG_KEPT * sizeof(*lines));
    char *text = NULL, utc[TF_UTC_TEXT];
    FILE *f = lines ? open_memstream(&text, size) : NULL;
    unsigned count = f ? tf_log_recent(lines, TF_LOG_KEPT) : 0;

    if (f)
        fputs("{\"lines\":[", f);
    for (unsigned i = 0; i < count; i++) {
        tf_utc_format(lines[i].t_utc_ns, utc);
        fprintf(f, "%s{\"n\":%" PRIu64 ",\"t_utc\":\"%s\",\"level\":\"%s\",", i ? "," : "", lines[i].n, utc,
                tf_log_level_name(lines[i].level));
        if (lines[i].camera[0])
            MEMBER_TEXT("camera", lines[i].camera);
        fputs("\"text\":", f);
        put_text(f, lines[i].text);
        fputc('}', f);
    }
    free(lines);
    if (!f)
        return NULL;
    fputs("]}\n", f);
    return finish(f, &text);
}

/* Metrics, one table: counters end in _total as Prometheus asks, units are seconds and °C. */
enum kind {
    COUNTER,
    GAUGE,
};

struct metric {
    const char *name, *help;
    enum kind kind;
    double (*value)(const struct tf_status *c, uint64_t now_ns); /* NAN: left out */
};

#define VALUE(name, expression)                                                                              \
    static double value_##name(const struct tf_status *c, uint64_t now_ns)                                   \
    {                                                                                                        \
        return (double)(expression);                                                                         \
    }
VALUE(up, c->state == TF_CAMERA_RUNNING)
VALUE(frames, c->frames)
VALUE(encoded, c->encoded)
VALUE(reopened, c->reopened)
VALUE(fps, c->fps)
VALUE(faces, c->faces)
VALUE(viewers, c->rtsp_viewers)
VALUE(clients, c->http_clients)
VALUE(http_viewers, c->http_viewers)
VALUE(sensor, c->sensor_c)
VALUE(age, age(c, now_ns))
VALUE(rate, c->rate_hz)
VALUE(drift, c->drift_ppm)
VALUE(pair_faces, c->pair.paired ? (double)c->pair.visible_faces : NAN)
VALUE(pair_skew, c->pair.with ? (double)c->pair.skew_us * 1e-6 : NAN)
VALUE(recording, c->recording.recording && !c->recording.now.ended)
VALUE(recording_failed, c->recording.recording && c->recording.now.failed)
VALUE(recordings_failed, c->recording.totals.failed)
VALUE(recorded_frames, c->recording.totals.frames)
VALUE(recorded_bytes, c->recording.totals.bytes)
VALUE(recording_free, c->recording.recording && c->recording.now.free_bytes != UINT64_MAX
                          ? (double)c->recording.now.free_bytes
                          : NAN)
VALUE(recording_stalled, c->recording.recording ? (double)c->recording.now.stalled_ns * 1e-9 : NAN)
VALUE(encoder_failed, c->encoder.failed)
VALUE(encoder_failures, c->encoder.failures)
VALUE(turn_wrong, c->turn.state == TF_TURN_WRONG)
VALUE(shutter, c->state == TF_CAMERA_RUNNING && c->flags & TF_FLAG_FFC)

static const struct metric metrics[] = {
    {"thermoface_up", "1 while the camera delivers frames.", GAUGE, value_up},
    {"thermoface_frames_total", "Frames captured, one record each.", COUNTER, value_frames},
    {"thermoface_encoded_pictures_total", "Annotated pictures encoded.", COUNTER, value_encoded},
    {"thermoface_reopened_total", "Times the camera was opened again after a loss.", COUNTER, value_reopened},
    {"thermoface_fps", "Frames a second over the last two seconds.", GAUGE, value_fps},
    {"thermoface_faces", "Faces in the last record.", GAUGE, value_faces},
    {"thermoface_rtsp_viewers", "RTSP viewers that play now.", GAUGE, value_viewers},
    {"thermoface_http_clients", "Clients that read /landmarks now.", GAUGE, value_clients},
    {"thermoface_http_viewers", "Viewers of /video.mp4 and /mjpeg now.", GAUGE, value_http_viewers},
    {"thermoface_sensor_celsius", "Temperature of the camera's sensor.", GAUGE, value_sensor},
    {"thermoface_frame_age_seconds", "Time since the last frame was captured.", GAUGE, value_age},
    {"thermoface_camera_rate_hertz", "The camera's rate by the host's clock since it was opened.", GAUGE,
     value_rate},
    {"thermoface_camera_drift_ppm", "How much faster the camera runs than the rate that it states.", GAUGE,
     value_drift},
    {"thermoface_recording", "1 while the camera is recorded.", GAUGE, value_recording},
    {"thermoface_recording_failed", "1 from a recording's failure until it is stopped.", GAUGE,
     value_recording_failed},
    {"thermoface_recordings_failed_total",
     "Failures of recordings: the camera's own, and of its session's tables.", COUNTER,
     value_recordings_failed},
    {"thermoface_recorded_frames_total", "Frames recorded.", COUNTER, value_recorded_frames},
    {"thermoface_recorded_bytes_total", "Bytes of raw video recorded.", COUNTER, value_recorded_bytes},
    {"thermoface_recording_free_bytes", "Room on the file system that is recorded on.", GAUGE,
     value_recording_free},
    {"thermoface_recording_stalled_seconds", "How long that file system has not answered.", GAUGE,
     value_recording_stalled},
    {"thermoface_encoder_failed", "1 while the annotated picture cannot be encoded.", GAUGE,
     value_encoder_failed},
    {"thermoface_encoder_failures_total", "Failures of the encoder; it is opened again each time.", COUNTER,
     value_encoder_failures},
    {"thermoface_turn_wrong", "1 while another turn fits the faces clearly better.", GAUGE, value_turn_wrong},
    {"thermoface_shutter_closed", "1 while the camera calibrates with its shutter closed.", GAUGE,
     value_shutter},
    {"thermoface_pair_visible_faces_total", "Faces measured at the visible camera's points.", COUNTER,
     value_pair_faces},
    {"thermoface_pair_skew_seconds", "The visible frame's stamp less the thermal one's, of the last pair.",
     GAUGE, value_pair_skew},
};

static void head(FILE *f, const char *name, const char *help, const char *type)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `name{camera="…"` ; the caller adds labels and closes. A camera's name needs no escapes that JSON's would
 * not do. */
static void labels(FILE *f, const char *name, const struct tf_status *c)
{
    fprintf(f, "%s{camera=", name);
    put_text(f, c->camera);
}

static void number(FILE *f, double value)
{
    if (value == floor(value) && fabs(value) < 9e15)
        fprintf(f, " %.0f\n", value);
    else {
        fputc(' ', f);
        put_real(f, value, 3, "NaN");
        fputc('\n', f);
    }
}

static void write_metric(FILE *f, const struct metric *m, const struct tf_status *cameras, int count,
                         uint64_t now_ns)
{
    bool begun = false;

    for (int i = 0; i < count; i++) {
        double value = m->value(&cameras[i], now_ns);

        if (!isfinite(value))
            continue;
        if (!begun)
            head(f, m->name, m->help, m->kind == COUNTER ? "counter" : "gauge");
        begun = true;
        labels(f, m->name, &cameras[i]);
        fputc('}', f);
        number(f, value);
    }
}

static void write_states(FILE *f, const struct tf_status *cameras, int count)
{
    head(f, "thermoface_frames_state_total", "Frames by the state of their record.", "counter");
    for (int i = 0; i < count; i++)
        for (int s = 0; s < 5; s++) {
            labels(f, "thermoface_frames_state_total", &cameras[i]);
            fprintf(f, ",state=\"%s\"} %" PRIu64 "\n", tf_state_name((enum tf_state)s),
                    cameras[i].state_frames[s]);
        }
}

static void write_pairs(FILE *f, const struct tf_status *cameras, int count)
{
    bool begun = false;

    for (int i = 0; i < count; i++) {
        const struct tf_pair_status *pair = &cameras[i].pair;

        if (!pair->paired)
            continue;
        if (!begun)
            head(f, "thermoface_pair_frames_total", "Frames with a frame of the visible camera, and without.",
                 "counter");
        begun = true;
        for (int with = 1; with >= 0; with--) {
            labels(f, "thermoface_pair_frames_total", &cameras[i]);
            fprintf(f, ",partner=");
            put_text(f, pair->partner);
            fprintf(f, ",paired=\"%s\"} %" PRIu64 "\n", with ? "yes" : "no",
                    with ? pair->with : pair->without);
        }
    }
}

static void write_drops(FILE *f, const struct tf_status *cameras, int count)
{
    static const char *const places[] = {"driver", "capture", "inference", "rtsp", "http", "video"};

    head(f, "thermoface_dropped_total",
         "Losses by place: frames (driver, capture), analyses (inference), pictures to viewers (rtsp; video: "
         "over HTTP), records to clients (http).",
         "counter");
    for (int i = 0; i < count; i++) {
        const struct tf_status *c = &cameras[i];
        const uint64_t dropped[] = {c->dropped.driver, c->dropped.capture, c->dropped.inference,
                                    c->dropped_rtsp,   c->dropped_http,    c->dropped_video};

        for (int p = 0; p < 6; p++) {
            labels(f, "thermoface_dropped_total", c);
            fprintf(f, ",place=\"%s\"} %" PRIu64 "\n", places[p], dropped[p]);
        }
    }
}

static void write_recording_losses(FILE *f, const struct tf_status *cameras, int count)
{
    static const char name[] = "thermoface_recording_lost_total";

    head(f, name,
         "Losses of recordings by place: frames that were refused, rows, pictures of the annotated video.",
         "counter");
    for (int i = 0; i < count; i++) {
        const struct tf_recording_totals *t = &cameras[i].recording.totals;

        labels(f, name, &cameras[i]);
        fprintf(f, ",place=\"frames\"} %" PRIu64 "\n", t->refused);
        labels(f, name, &cameras[i]);
        fprintf(f, ",place=\"rows\"} %" PRIu64 "\n", t->rows_lost);
        for (int p = 0; p < TF_PICTURE_PLACES; p++) {
            labels(f, name, &cameras[i]);
            fprintf(f, ",place=\"pictures_%s\"} %" PRIu64 "\n",
                    tf_picture_place_name((enum tf_picture_place)p), t->pictures_lost[p]);
        }
    }
}

static void write_sinks(FILE *f, const struct tf_status *cameras, int count)
{
    static const char name[] = "thermoface_sink_lost_total";
    bool begun = false;

    for (int i = 0; i < count; i++)
        for (int k = 0; k < TF_SINKS_TOLD && cameras[i].sinks[k].name; k++) {
            if (!begun)
                head(f, name, "Records (video: pictures) that a configured file or stream could not take.",
                     "counter");
            begun = true;
            labels(f, name, &cameras[i]);
            fputs(",sink=", f);
            put_text(f, cameras[i].sinks[k].name);
            fprintf(f, "} %" PRIu64 "\n", cameras[i].sinks[k].lost);
        }
}

/* Microseconds as seconds in the shortest form, as Prometheus' own clients write bounds: "0.0005", "1.0". */
static void bound(uint32_t us, char text[24])
{
    size_t n = (size_t)snprintf(text, 24, "%u.%06u", us / 1000000, us % 1000000);

    while (text[n - 1] == '0' && text[n - 2] != '.')
        text[--n] = '\0';
}

static void write_latency(FILE *f, const struct tf_status *cameras, int count)
{
    head(f, "thermoface_latency_seconds", "Time from capture stamp to record.", "histogram");
    for (int i = 0; i < count; i++) {
        const struct tf_status *c = &cameras[i];
        uint64_t sum = 0;
        char le[24];

        for (int b = 0; b < TF_LATENCY_BUCKETS; b++) {
            sum += c->latency_buckets[b];
            labels(f, "thermoface_latency_seconds_bucket", c);
            strcpy(le, "+Inf");
            if (b < TF_LATENCY_BUCKETS - 1)
                bound(tf_latency_bounds_us[b], le);
            fprintf(f, ",le=\"%s\"} %" PRIu64 "\n", le, sum);
        }
        labels(f, "thermoface_latency_seconds_sum", c);
        fprintf(f, "} %" PRIu64 ".%06" PRIu64 "\n", c->latency_sum_us / 1000000, c->latency_sum_us % 1000000);
        labels(f, "thermoface_latency_seconds_count", c);
        fprintf(f, "} %" PRIu64 "\n", sum);
    }
}

static void write_regions(FILE *f, const struct tf_status *cameras, int count)
{
    head(f, "thermoface_region_celsius",
         "Mean temperature of a region of the largest face in the last record.", "gauge");
    for (int i = 0; i < count; i++) {
        const double values[] = {cameras[i].nose_c, cameras[i].forehead_c};

        for (int k = 0; k < 2; k++) {
            if (!cameras[i].celsius || !isfinite(values[k]))
                continue;
            labels(f, "thermoface_region_celsius", &cameras[i]);
            fprintf(f, ",region=\"%s\"}", k ? "forehead" : "nose_tip");
            number(f, values[k]);
        }
    }
}

static void write_server(FILE *f, const struct tf_http_counters *http)
{
    const struct {
        const char *name, *help, *type;
        uint64_t value;
    } lines[] = {
        {"thermoface_http_connections", "Connections to this server now.", "gauge", http->connections},
        {"thermoface_http_readers", "Readers of /landmarks now.", "gauge", http->readers},
        {"thermoface_http_accepted_total", "Connections accepted.", "counter", http->accepted},
        {"thermoface_http_refused_total", "Connections closed at once: no place for them.", "counter",
         http->refused},
        {"thermoface_http_expired_total", "Connections closed because a request or its answer took too long.",
         "counter", http->expired},
        {"thermoface_http_displaced_total", "Connections closed to make room for newer ones.", "counter",
         http->displaced},
        {"thermoface_http_logins_failed_total", "Requests with a wrong password or token.", "counter",
         http->logins_failed},
        {"thermoface_rtsp_logins_failed_total", "RTSP requests with a wrong password.", "counter",
         http->rtsp_logins_failed},
    };

    for (size_t i = 0; i < TF_COUNT(lines); i++) {
        head(f, lines[i].name, lines[i].help, lines[i].type);
        fprintf(f, "%s %" PRIu64 "\n", lines[i].name, lines[i].value);
    }
}

static void write_mqtt(FILE *f, const struct tf_mqtt_told *m)
{
    const struct {
        const char *name, *help, *type;
        uint64_t value;
    } lines[] = {
        {"thermoface_mqtt_connected", "1 while there is a connection to the MQTT broker.", "gauge",
         m->connected},
        {"thermoface_mqtt_queued", "Messages that wait for the MQTT broker.", "gauge", m->queued},
        {"thermoface_mqtt_connections_total", "Connections to the MQTT broker.", "counter", m->connections},
        {"thermoface_mqtt_published_total", "Messages that the MQTT broker has taken.", "counter",
         m->published},
        {"thermoface_mqtt_dropped_total", "Messages lost: no connection, no room, or refused.", "counter",
         m->dropped},
        {"thermoface_mqtt_frames_lost_total", "Frames that are in no mean over MQTT.", "counter",
         m->frames_lost},
    };

    for (size_t i = 0; i < TF_COUNT(lines) && m->configured; i++) {
        head(f, lines[i].name, lines[i].help, lines[i].type);
        fprintf(f, "%s %" PRIu64 "\n", lines[i].name, lines[i].value);
    }
}

char *tf_http_metrics_text(const struct tf_status *cameras, int count, const struct tf_http_counters *http,
                           uint64_t started_ns, uint64_t now_ns, size_t *size)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, size);

    if (!f)
        return NULL;
    head(f, "thermoface_build_info", "Version of the service.", "gauge");
    fprintf(f, "thermoface_build_info{version=\"%s\"} 1\n", TF_VERSION);
    head(f, "thermoface_uptime_seconds", "Time since the service began to listen.", "gauge");
    fputs("thermoface_uptime_seconds", f);
    number(f, seconds(started_ns, now_ns));
    write_server(f, http);
    tf_http_metrics_clock(f);
    tf_http_metrics_triggers(f, http->triggers, http->trigger_count);
    write_mqtt(f, &http->mqtt);
    for (size_t i = 0; i < TF_COUNT(metrics); i++)
        write_metric(f, &metrics[i], cameras, count, now_ns);
    if (count) {
        write_states(f, cameras, count);
        write_drops(f, cameras, count);
        write_recording_losses(f, cameras, count);
        write_sinks(f, cameras, count);
        write_pairs(f, cameras, count);
        write_latency(f, cameras, count);
        write_regions(f, cameras, count);
    }
    tf_http_metrics_lsl(f, http->lsl);
    return finish(f, &text);
}
