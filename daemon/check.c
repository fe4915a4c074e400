/* What speaks against recording now: room on the disk, cameras, faces, shutters. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "daemon/request.h"
#include "daemon/service.h"

#define HOURS_FEW 2
#define PIXELS_FEW 9            /* below that a region is not valid (inference/face) */
#define RATE_SHARE 0.8          /* of what the camera states */
#define RAW_BYTES 2             /* a pixel, before it is compressed */
#define ANNOTATED_RATE 250000.0 /* bytes a second of annotated video without a bitrate */

struct check {
    json_t *warnings;
    bool refuses;
};

__attribute__((format(printf, 5, 6))) static void warn(struct check *c, const char *camera, const char *code,
                                                       bool refuses, const char *format, ...)
{
    char text[320];
    json_t *o = json_object();
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (camera)
        json_object_set_new(o, "camera", json_string(camera));
    json_object_set_new(o, "code", json_string(code));
    json_object_set_new(o, "text", json_string(text));
    json_object_set_new(o, "refuses", json_boolean(refuses));
    json_array_append_new(c->warnings, o);
    c->refuses |= refuses;
}

static void check_face(struct check *c, const struct tf_status *s)
{
    if (!s->faces) {
        warn(c, s->camera, "no_face", false, "no face is seen");
        return;
    }
    if (s->faces > 1)
        warn(c, s->camera, "faces", false,
             "%u faces are seen: regions of each are recorded, tables have the "
             "largest one's",
             s->faces);
    if (!s->celsius)
        return;
    if (s->canthus_n < PIXELS_FEW)
        warn(c, s->camera, "face_small", false, "the canthus has %u %s, %d are needed: come closer",
             s->canthus_n, s->canthus_n == 1 ? "pixel" : "pixels", PIXELS_FEW);
    else if (s->nose_n < PIXELS_FEW)
        warn(c, s->camera, "face_small", false,
             "the nose tip has %u %s, %d are needed: come closer, face the camera", s->nose_n,
             s->nose_n == 1 ? "pixel" : "pixels", PIXELS_FEW);
}

static void check_camera(struct check *c, const struct tf_status *s, bool analysed)
{
    if (s->state != TF_CAMERA_RUNNING) {
        warn(c, s->camera, "no_frames", true, "%s%s%s", tf_camera_state_name(s->state),
             s->message[0] ? ": " : "", s->message);
        return;
    }
    if (s->flags & (TF_FLAG_FFC | TF_FLAG_FFC_IMMINENT))
        warn(c, s->camera, "shutter", false, "the shutter is calibrating: wait some seconds");
    else if (s->flags & TF_FLAG_FFC_SETTLING)
        warn(c, s->camera, "shutter", false,
             "the shutter has just moved, temperatures settle: wait some "
             "seconds");
    if (s->nominal_hz > 0 && s->fps > 0 && s->fps < RATE_SHARE * s->nominal_hz)
        warn(c, s->camera, "rate", false, "%.1f frames/s come instead of %.1f", (double)s->fps,
             (double)s->nominal_hz);
    if (!analysed)
        return;
    if (s->turn.state == TF_TURN_WRONG)
        warn(c, s->camera, "turn", false, "the picture is the wrong way up: rotate=%u fits the faces better",
             s->turn.better);
    check_face(c, s);
}

/* Bytes a second: as recordings of this service's run have measured, or at most. */
static double rate_of(const struct tf_status *s, bool *measured)
{
    double fps = s->fps > 0 ? (double)s->fps : s->nominal_hz > 0 ? (double)s->nominal_hz : 0;

    if (s->recording.totals.frames > 100)
        return (double)s->recording.totals.bytes / (double)s->recording.totals.frames * fps;
    *measured = false;
    return (double)s->width * s->height * RAW_BYTES * fps;
}

/* The disk is asked only while nothing is recorded: one that does not answer must not keep marks back. */
static bool free_bytes(struct tf_service *service, const struct tf_status *statuses, int n, uint64_t *ret)
{
    struct statvfs fs;

    if (service->session) {
        for (int i = 0; i < n; i++)
            if (statuses[i].recording.recording && statuses[i].recording.now.free_bytes != UINT64_MAX) {
                *ret = statuses[i].recording.now.free_bytes;
                return true;
            }
        return false;
    }
    if (statvfs(service->config->recording.directory, &fs) < 0)
        return false;
    *ret = (uint64_t)fs.f_bavail * fs.f_frsize;
    return true;
}

static void check_disk(struct check *c, struct tf_service *service, const struct tf_status *statuses, int n,
                       json_t *told)
{
    const struct tf_config_recording *r = &service->config->recording;
    uint64_t there, kept = (uint64_t)r->free_space_min << 20;
    double rate = 0, hours;
    bool measured = true;

    if (!r->directory) {
        warn(c, NULL, "no_directory", true, "sessions are not recorded here: set directory in [recording]");
        return;
    }
    for (int i = 0; i < n; i++)
        rate += rate_of(&statuses[i], &measured);
    if (r->annotated)
        rate += n * (service->config->video.bitrate_kbps ? service->config->video.bitrate_kbps * 125.0
                                                         : ANNOTATED_RATE);
    json_object_set_new(told, "directory", json_string(r->directory));
    json_object_set_new(told, "bytes_per_second", json_real(rate));
    json_object_set_new(told, "measured", json_boolean(measured));
    if (!free_bytes(service, statuses, n, &there)) {
        warn(c, NULL, "disk", !service->session, "the free space at %.200s cannot be read: %s", r->directory,
             strerror(errno));
        return;
    }
    hours = rate > 0 ? (there > kept ? (double)(there - kept) : 0) / rate / 3600 : 0;
    json_object_set_new(told, "free_bytes", json_integer((json_int_t)there));
    json_object_set_new(told, "hours", json_real(hours));
    if (there <= kept)
        warn(c, NULL, "disk_full", true, "%.1f GB are free at %.200s, and %.1f GB have to stay so",
             (double)there / 1e9, r->directory, (double)kept / 1e9);
    else if (rate > 0 && hours < HOURS_FEW)
        warn(c, NULL, "disk_short", false, "the disk lasts for %.1f hours: %.1f GB at %.1f MB/s", hours,
             (double)(there - kept) / 1e9, rate / 1e6);
}

json_t *tf_service_check_session(struct tf_service *service, bool *refuses)
{
    struct tf_status statuses[TF_CONFIG_CAMERAS_MAX];
    int n = tf_service_statuses(service, statuses, TF_CONFIG_CAMERAS_MAX);
    struct check c = {.warnings = json_array()};
    json_t *told = json_object();

    if (service->session)
        warn(&c, NULL, "recording", true, "%s is being recorded", tf_session_stem(service->session));
    check_disk(&c, service, statuses, n, told);
    if (!n)
        warn(&c, NULL, "no_camera", true, "there is no camera yet");
    for (int i = 0; i < n; i++)
        check_camera(&c, &statuses[i], service->cameras[i]->analyse);
    *refuses = c.refuses;
    json_object_set_new(told, "warnings", c.warnings);
    return told;
}
