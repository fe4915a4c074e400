/* What the headers of our streams say: channels, units, where each region lies, clock. */
#include <stdio.h>
#include <string.h>

#include "publish/record/lsl_internal.h"

struct xml {
    const struct tf_lsl_library *api;
    tf_lsl_xml at;
};

static struct xml child(const struct xml *x, const char *name)
{
    return (struct xml){x->api, x->api->append_child(x->at, name)};
}

static void put(const struct xml *x, const char *name, const char *value)
{
    x->api->append_child_value(x->at, name, value);
}

static void put_number(const struct xml *x, const char *name, uint32_t value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    put(x, name, text);
}

static struct xml begin(struct tf_lsl *lsl, tf_lsl_info info)
{
    struct xml desc = {&lsl->api, lsl->api.get_desc(info)}, part = child(&desc, "acquisition");

    put(&part, "software", "thermoface");
    put(&part, "version", lsl->options.version ? lsl->options.version : "");
    part = child(&desc, "clock");
    put(&part, "stamps", "CLOCK_MONOTONIC of the recording computer, by lsl_local_clock");
    return desc;
}

static void put_camera(const struct xml *desc, const struct tf_lsl_camera *c)
{
    struct xml part = child(desc, "camera");

    put(&part, "name", c->name);
    put(&part, "coordinates",
        "pixels of the upright picture, x to the right, y down, centre of the upper left "
        "pixel 0,0");
}

static void put_face(const struct xml *desc, const struct tf_lsl_camera *c, uint32_t face)
{
    struct xml part = child(desc, "face");

    put_number(&part, "index", face + 1);
    put_number(&part, "of", c->lsl->options.faces);
    put(&part, "rule",
        c->lsl->options.faces == 1
            ? "the largest face of each frame"
            : "a face keeps its stream while it is followed; a new one takes the first "
              "stream that is free");
}

static struct xml put_channel(const struct xml *channels, const char *label, const char *unit,
                              const char *type)
{
    struct xml channel = child(channels, "channel");

    put(&channel, "label", label);
    put(&channel, "unit", unit);
    put(&channel, "type", type);
    return channel;
}

/* "0 ok, 1 no_face …" */
static void put_states(const struct xml *channels)
{
    struct xml channel = put_channel(channels, "state", "code", "Code"), values = child(&channel, "values");
    char text[8];

    for (int i = TF_STATE_OK; i <= TF_STATE_STALE; i++) {
        struct xml value = child(&values, "value");

        snprintf(text, sizeof(text), "%d", i);
        put(&value, "code", text);
        put(&value, "name", tf_state_name((enum tf_state)i));
    }
}

static void put_flags(const struct xml *channels)
{
    struct xml channel = put_channel(channels, "flags", "bits", "Code"), values = child(&channel, "values");
    char text[16];

    for (unsigned i = 0; i < TF_FLAG_COUNT; i++) {
        struct xml value = child(&values, "value");

        snprintf(text, sizeof(text), "%u", 1u << i);
        put(&value, "code", text);
        put(&value, "name", tf_flag_name(i));
    }
}

static void put_region(const struct xml *channels, enum tf_region region, const char *unit)
{
    struct xml channel = put_channel(channels, tf_region_name(region), unit, "Temperature");
    struct xml part = child(&channel, "region");
    char landmarks[64], rule[192];

    tf_region_rule(region, landmarks, sizeof(landmarks), rule, sizeof(rule));
    put(&channel, "statistic", "mean of the region's pixels");
    put(&part, "scheme", "68 landmarks in iBUG order, counted from 0");
    put(&part, "landmarks", landmarks);
    put(&part, "rule", rule);
}

static void put_own(const struct xml *channels, const struct tf_lsl_layout *l, const char *name,
                    const char *unit)
{
    struct xml channel = put_channel(channels, name, unit, "Temperature"), part = child(&channel, "region");
    char shape[64 + 2 * TF_SHAPE_POINTS_MAX * 16];

    put(&channel, "statistic", "mean of the region's pixels");
    for (uint32_t i = 0; i < l->own.count; i++)
        if (strcmp(l->own.at[i].name, name) == 0) {
            tf_shape_format(&l->own.at[i].shape, false, shape, sizeof(shape));
            put(&part, "coordinates",
                l->own.at[i].face
                    ? "eye distances (outer corners, landmarks 36 to 45) from the middle between "
                      "the eyes, x along the eyes to the picture's right, y down"
                    : "pixels of the upright picture");
            put(&part, "rule", shape);
        }
}

void tf_lsl_describe_regions(const struct tf_lsl_camera *c, uint32_t face, tf_lsl_info info)
{
    const struct tf_lsl_layout *l = &c->layout;
    const char *unit = l->celsius ? "celsius" : "counts";
    struct xml desc = begin(c->lsl, info), channels;

    put_camera(&desc, c);
    put_face(&desc, c, face);
    put(&desc, "not_valid", "NaN: no face, or the region is not valid in this frame");
    channels = child(&desc, "channels");
    for (int i = 0; i < TF_REGIONS; i++)
        put_region(&channels, (enum tf_region)i, unit);
    for (uint32_t i = 0; i < l->names.faces; i++)
        put_own(&channels, l, l->names.face[i], unit);
    for (uint32_t i = 0; i < l->names.areas && face == 0; i++)
        put_own(&channels, l, l->names.area[i], unit);
    put_channel(&channels, "face", "id", "Code");
    put_channel(&channels, "score", "probability", "Quality");
    put_states(&channels);
    put_flags(&channels);
}

void tf_lsl_describe_landmarks(const struct tf_lsl_camera *c, uint32_t face, tf_lsl_info info)
{
    static const char *const endings[TF_LSL_POINT] = {"x", "y", "confidence"};
    struct xml desc = begin(c->lsl, info), channels;
    char label[32];

    put_camera(&desc, c);
    put_face(&desc, c, face);
    put(&desc, "scheme", "68 landmarks in iBUG order, counted from 0, as the network gave them");
    put(&desc, "not_valid", "NaN: no face");
    channels = child(&desc, "channels");
    for (int i = 0; i < TF_POINTS * TF_LSL_POINT; i++) {
        bool confidence = i % TF_LSL_POINT == 2;

        snprintf(label, sizeof(label), "p%d_%s", i / TF_LSL_POINT, endings[i % TF_LSL_POINT]);
        put_channel(&channels, label, confidence ? "probability" : "pixels",
                    confidence ? "Quality" : "Position");
    }
}

void tf_lsl_describe_frames(const struct tf_lsl_camera *c, tf_lsl_info info)
{
    struct xml desc = begin(c->lsl, info), channels, channel;

    put_camera(&desc, c);
    channels = child(&desc, "channels");
    channel = put_channel(&channels, "frame", "number", "FrameNumber");
    put(&channel, "meaning", "the record's frame: 0, 1, 2 …, one sample each");
    channel = put_channel(&channels, "sequence", "number", "FrameNumber");
    put(&channel, "meaning", "the driver's count: a hole is a frame lost before the service");
    channel = put_channel(&channels, "video_frame", "number", "FrameNumber");
    put(&channel, "meaning", "its place in the session's raw video, from 0; NaN: it is not recorded");
    put_states(&channels);
    put_flags(&channels);
}

void tf_lsl_describe_marks(struct tf_lsl *lsl, tf_lsl_info info)
{
    struct xml desc = begin(lsl, info), channels;

    put(&desc, "meaning",
        "a session's marks, text or text=value; session_start NAME and session_stop NAME. Markers that came "
        "over LSL are not sent again");
    channels = child(&desc, "channels");
    put_channel(&channels, "mark", "text", "Marker");
}
