/* The description of a camera's recording, STEM_video.json. */
#include <config.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publish/recording/own_json.h"
#include "publish/recording/text.h"

#define PATH_BYTES 4096

static void set_number(json_t *o, const char *key, double value)
{
    if (isfinite(value))
        json_object_set_new(o, key, json_real(value));
}

static void set_text(json_t *o, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(o, key, json_string(value));
}

double tf_text_decimal(float value)
{
    char text[32];

    for (int digits = 6; digits < 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if ((float)strtod(text, NULL) == value)
            break;
    }
    return strtod(text, NULL);
}

static void set_integer(json_t *o, const char *key, uint64_t value)
{
    json_object_set_new(o, key, json_integer((json_int_t)value));
}

static json_t *analysis(const struct tf_recording_options *o)
{
    const struct tf_recording_analysis *a = &o->analysis;
    json_t *d = json_object();

    json_object_set_new(d, "FacesMax", json_integer(a->options.faces_max));
    json_object_set_new(d, "Filter", json_boolean(a->options.filter));
    set_number(d, "FilterMinCutoff", tf_text_decimal(a->options.filter_min_cutoff));
    set_number(d, "FilterBeta", tf_text_decimal(a->options.filter_beta));
    set_number(d, "ScoreMin", tf_text_decimal(a->options.score_min));
    json_object_set_new(d, "FindEvery", json_integer(a->options.find_every));
    json_object_set_new(d, "Mirror", json_string(tf_mirror_name(a->options.mirror)));
    return d;
}

/* Which networks it was: a file's name says little. */
static json_t *models(const struct tf_recording_analysis *a)
{
    json_t *list = json_array();

    for (int i = 0; i < a->model_count; i++)
        json_array_append_new(
            list, json_pack("{s:s,s:s}", "Name", a->models[i].name, "SHA256", a->models[i].sha256));
    return list;
}

static json_t *black_body(const struct tf_recording_analysis *a)
{
    json_t *d = json_object(), *rectangle = json_array();

    for (int i = 0; i < 4; i++)
        json_array_append_new(rectangle, json_integer(a->black_body[i]));
    json_object_set_new(d, "Rectangle", rectangle);
    set_number(d, "Temperature", tf_text_decimal(a->black_body_c));
    return d;
}

static json_t *segments(const struct tf_recording_options *o, const struct tf_recording_facts *f)
{
    json_t *list = json_array();
    char name[512];

    for (size_t i = 0; i < f->segment_count; i++) {
        json_t *d = json_object();

        snprintf(name, sizeof(name), "%s_split-%04zu_video.mkv", o->stem, i + 1);
        set_text(d, "File", name);
        set_integer(d, "FirstFrame", f->segments[i].first_frame);
        set_integer(d, "FrameCount", f->segments[i].frames);
        set_number(d, "StartTime", (double)(int64_t)(f->segments[i].t_first_ns - o->t_start_ns) / 1e9);
        json_array_append_new(list, d);
    }
    return list;
}

static json_t *description(const struct tf_recording_options *o, const char *codec,
                           const struct tf_recording_facts *f)
{
    static const char *const pixels[] = {"gray16le", "gray8", "yuv422p", "yuv422p", "yuv420p", "yuv420p"};
    json_t *d = json_object(), *thermal = json_object();
    double seconds = f && f->frames > 1 ? (double)(f->t_last_ns - f->t_first_ns) / 1e9 : 0;
    char utc[TF_UTC_TEXT];

    set_text(d, "Camera", o->camera);
    set_text(d, "Device", o->source_name);
    set_text(d, "DeviceIdentity", o->source_identity);
    set_text(d, "SourceKind", o->source_kind);
    set_text(d, "FormatRow", o->format);
    set_text(d, "VideoCodec", codec);
    set_text(d, "PixelFormat", pixels[o->pixel]);
    json_object_set_new(d, "ImageWidth", json_integer(o->width));
    json_object_set_new(d, "ImageHeight", json_integer(o->height));
    json_object_set_new(d, "RotateClockwise", json_integer(o->rotate));
    set_text(d, "RotateFrom", o->rotate_from);
    json_object_set_new(d, "FlipHorizontally", json_boolean(o->flip));
    if (o->fps > 0)
        set_number(d, "NominalFrameRate", tf_text_decimal(o->fps));
    json_object_set_new(d, "Unit", json_string(o->radiometry.valid ? "celsius" : "counts"));
    if (o->radiometry.valid) {
        set_number(d, "CelsiusScale", tf_text_decimal(o->radiometry.scale));
        set_number(d, "CelsiusOffset", tf_text_decimal(o->radiometry.offset));
    }
    if (o->limits[1])
        json_object_set_new(d, "ValueLimits", json_pack("[i,i]", o->limits[0], o->limits[1]));
    set_number(thermal, "Emissivity", o->emissivity);
    set_number(thermal, "DistanceToObject", o->distance_m);
    set_number(thermal, "ReflectedAmbientTemperature", o->reflected_c);
    set_number(thermal, "AtmosphericTemperature", o->room_c);
    set_number(thermal, "RelativeHumidity", o->humidity_percent);
    if (json_object_size(thermal)) {
        set_text(thermal, "Units",
                 "DistanceToObject m, temperatures degrees Celsius, RelativeHumidity percent");
        json_object_set_new(d, "ThermalParameters", thermal);
    } else {
        json_decref(thermal);
    }
    set_text(d, "Note", o->note);
    tf_utc_format(o->t_start_utc_ns, utc);
    set_text(d, "SessionStart", utc);
    json_object_set_new(d, "SessionStartMonotonicNs", json_integer((json_int_t)o->t_start_ns));
    set_text(d, "Clock",
             "t_mono_ns: CLOCK_MONOTONIC of the recording computer, nanoseconds; t_utc: its CLOCK_REALTIME; "
             "the video's time stamps: milliseconds since its first frame");
    json_object_set_new(d, "Analysed", json_boolean(o->analysis.analyse));
    if (o->analysis.analyse)
        json_object_set_new(d, "Analysis", analysis(o));
    if (o->analysis.model_count)
        json_object_set_new(d, "Models", models(&o->analysis));
    set_text(d, "SoftwareVersions", "thermoface " TF_VERSION);
    if (o->analysis.black_body[2])
        json_object_set_new(d, "BlackBody", black_body(&o->analysis));
    if (o->own && o->own->count)
        json_object_set_new(d, "OwnRegions", tf_own_to_json(o->own));
    if (o->tables)
        set_number(d, "PhysioSamplingFrequency", tf_text_decimal(o->physio_rate));
    set_text(d, "Manifest", o->manifest_name);
    json_object_set_new(d, "Complete", json_boolean(f && !f->error));
    if (!f)
        return d;
    if (f->frames)
        set_number(d, "StartTime", (double)(int64_t)(f->t_first_ns - o->t_start_ns) / 1e9);
    set_number(d, "RecordingDuration", seconds);
    if (seconds > 0)
        set_number(d, "VideoFrameRate", (double)(f->frames - 1) / seconds);
    set_integer(d, "VideoFrameCount", f->frames);
    if (f->accepted != f->frames)
        set_integer(d, "AcceptedFrameCount", f->accepted);
    set_integer(d, "RefusedFrameCount", f->refused);
    set_integer(d, "DriverLostFrameCount", f->lost_driver);
    set_integer(d, "CaptureLostFrameCount", f->lost_capture);
    set_integer(d, "NotAnalysedFrameCount", f->not_analysed);
    set_integer(d, "RowCount", f->rows);
    set_integer(d, "LostRowCount", f->rows_lost);
    set_integer(d, "EqualOrBackwardStampCount", f->stamps_back);
    if (f->first_face_id)
        set_integer(d, "FirstFaceId", f->first_face_id);
    if (o->segment_ns || o->segment_bytes)
        json_object_set_new(d, "Segments", segments(o, f));
    if (o->annotated) {
        json_t *places = json_object();
        uint64_t lost = 0;

        for (int i = 0; i < TF_PICTURE_PLACES; i++) {
            set_integer(places, tf_picture_place_label((enum tf_picture_place)i), f->pictures_lost[i]);
            lost += f->pictures_lost[i];
        }
        set_integer(d, "AnnotatedPictureCount", f->annotated);
        set_integer(d, "AnnotatedPicturesLost", lost);
        json_object_set_new(d, "AnnotatedPicturesLostBy", places);
        set_integer(d, "AnnotatedPicturesLeftOut", f->pictures_left_out);
        if (f->annotated_first_ns)
            set_number(d, "AnnotatedStartTime",
                       (double)(int64_t)(f->annotated_first_ns - o->t_start_ns) / 1e9);
    }
    set_text(d, "Error", f->error);
    return d;
}

int tf_recording_describe(const struct tf_recording_options *o, const char *codec,
                          const struct tf_recording_facts *facts, const char *stem, struct tf_disk *disk,
                          struct tf_error *err)
{
    json_t *d = description(o, codec, facts);
    char *text = d ? json_dumps(d, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL, *line;
    char path[PATH_BYTES + 16];
    int r;

    snprintf(path, sizeof(path), "%s_video.json", stem);
    json_decref(d);
    if (!text || asprintf(&line, "%s\n", text) < 0) {
        free(text);
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    }
    r = tf_disk_put(disk, path, line, strlen(line), facts != NULL, facts != NULL, err);
    free(text);
    free(line);
    return r;
}
