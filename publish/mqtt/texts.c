/* What is published over MQTT, as JSON. */
#include "publish/mqtt/texts.h"

#include <jansson.h>
#include <math.h>

#include "base/clock.h"

/* Digits that are worth something: a sensor's 10 mK, and counts of 16 bit in full. */
#define FORM (JSON_COMPACT | JSON_REAL_PRECISION(7))

/* A driver's or a file's name may be no UTF-8, which JSON has to be. */
static json_t *words(const char *text)
{
    json_t *o = json_string(text);
    char plain[256];
    size_t n = 0;

    for (; !o && text[n] && n + 1 < sizeof(plain); n++)
        plain[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
    plain[n] = '\0';
    return o ? o : json_string(plain);
}

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *rounded(double value, double steps)
{
    return real(rint(value * steps) / steps);
}

static void set_time(json_t *o, uint64_t t_mono_ns, int64_t utc_offset_ns)
{
    char utc[TF_UTC_TEXT];

    tf_utc_format((int64_t)t_mono_ns + utc_offset_ns, utc);
    json_object_set_new(o, "t_utc", json_string(utc));
    json_object_set_new(o, "t_mono_ns", json_integer((json_int_t)t_mono_ns));
}

static char *finish(json_t *o)
{
    char *text = json_dumps(o, FORM);

    json_decref(o);
    return text;
}

static json_t *mean(const struct tf_means_interval *v, uint32_t i)
{
    json_t *o = json_object();

    json_object_set_new(o, "mean", v->n[i] ? rounded(v->sum[i] / v->n[i], 1000) : json_null());
    json_object_set_new(o, "n", json_integer(v->n[i]));
    return o;
}

char *tf_mqtt_regions_text(const char *camera, double interval_s, int64_t utc_offset_ns,
                           const struct tf_means_interval *v)
{
    const struct tf_own_names *names = v->names;
    json_t *o = json_object(), *regions = json_object(), *own = json_object();

    json_object_set_new(o, "camera", json_string(camera));
    set_time(o, v->t_end_ns, utc_offset_ns);
    json_object_set_new(o, "interval_s", json_real(interval_s));
    json_object_set_new(o, "unit", v->frames ? json_string(v->celsius ? "celsius" : "counts") : json_null());
    json_object_set_new(o, "frames", json_integer(v->frames));
    json_object_set_new(o, "faces", json_integer(v->faces));
    for (uint32_t i = 0; i < TF_REGIONS; i++)
        json_object_set_new(regions, tf_region_name((enum tf_region)i), mean(v, i));
    json_object_set_new(o, "regions", regions);
    for (uint32_t i = 0; i < names->faces; i++)
        json_object_set_new(own, names->face[i], mean(v, TF_REGIONS + i));
    for (uint32_t i = 0; i < names->areas; i++)
        json_object_set_new(own, names->area[i], mean(v, TF_REGIONS + names->faces + i));
    json_object_set_new(o, "own_regions", own);
    return finish(o);
}

static void set_numbers(json_t *o, const struct tf_status *s, uint64_t now_ns)
{
    json_t *dropped = json_object();

    json_object_set_new(o, "frames", json_integer((json_int_t)s->frames));
    json_object_set_new(o, "fps", s->state == TF_CAMERA_RUNNING ? rounded((double)s->fps, 100) : json_null());
    json_object_set_new(o, "faces", json_integer(s->state == TF_CAMERA_RUNNING ? s->faces : 0));
    json_object_set_new(o, "latency_us", json_integer(s->latency_us));
    json_object_set_new(o, "sensor_c", rounded((double)s->sensor_c, 100));
    json_object_set_new(dropped, "driver", json_integer((json_int_t)s->dropped.driver));
    json_object_set_new(dropped, "capture", json_integer((json_int_t)s->dropped.capture));
    json_object_set_new(dropped, "inference", json_integer((json_int_t)s->dropped.inference));
    json_object_set_new(o, "dropped", dropped);
    json_object_set_new(o, "free_bytes",
                        s->recording.recording && s->recording.now.free_bytes != UINT64_MAX
                            ? json_integer((json_int_t)s->recording.now.free_bytes)
                            : json_null());
    json_object_set_new(o, "age_s",
                        s->frames && now_ns > s->last_t_mono_ns
                            ? rounded((double)(now_ns - s->last_t_mono_ns) * 1e-9, 1000)
                            : json_null());
}

char *tf_mqtt_state_text(const struct tf_status *s, bool numbers, int64_t utc_offset_ns, uint64_t now_ns)
{
    json_t *o = json_object();

    json_object_set_new(o, "camera", json_string(s->camera));
    if (numbers)
        set_time(o, now_ns, utc_offset_ns);
    json_object_set_new(o, "state", json_string(tf_camera_state_name(s->state)));
    json_object_set_new(o, "message", words(s->message));
    json_object_set_new(o, "notice", words(s->notice));
    json_object_set_new(o, "format", words(s->format));
    json_object_set_new(o, "width", json_integer(s->width));
    json_object_set_new(o, "height", json_integer(s->height));
    json_object_set_new(o, "unit",
                        !s->format[0] ? json_null() : json_string(s->celsius ? "celsius" : "counts"));
    json_object_set_new(o, "recording", json_boolean(s->recording.recording && !s->recording.now.ended));
    json_object_set_new(o, "recording_failed",
                        json_boolean(s->recording.recording && s->recording.now.failed));
    if (numbers)
        set_numbers(o, s, now_ns);
    return finish(o);
}

json_t *tf_mqtt_message_of(const struct tf_status *s)
{
    json_t *o = json_object();

    json_object_set_new(o, "message", words(s->message));
    return o;
}

char *tf_mqtt_event_text(const char *kind, const char *camera, uint64_t t_mono_ns, int64_t utc_offset_ns,
                         json_t *more)
{
    json_t *o = json_object();

    json_object_set_new(o, "event", json_string(kind));
    if (camera)
        json_object_set_new(o, "camera", json_string(camera));
    set_time(o, t_mono_ns, utc_offset_ns);
    if (more)
        json_object_update_missing(o, more);
    json_decref(more);
    return finish(o);
}
