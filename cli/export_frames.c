/* The frames of a recording or a video, one by one, as thermoface export writes them. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "capture/source.h"
#include "cli/commands.h"
#include "cli/export.h"
#include "config.h"

struct reader {
    struct tf_export_item *item;
    const struct tf_export_writer *writer;
    struct tf_export_frames all;
    struct tf_source *source;
    void *values;
    bool started;
};

static int open_source(struct reader *r, struct tf_error *err)
{
    const struct tf_export_item *item = r->item;
    const struct tf_export_options *o = item->options;
    const struct tf_source_info *info;
    char url[TF_EXPORT_PATH + 640 + 32];
    struct tf_source_options options = {.pace = TF_PACE_FAST, .raw = o->raw};
    int code;

    if (*item->video) {
        snprintf(url, sizeof(url), "file:%s", item->video);
        options.format = o->format;
        options.scale = (float)o->scale;
        options.offset = (float)o->offset;
    } else {
        snprintf(url, sizeof(url), "recording:%s/%s", item->folder, item->stem);
        options.format = item->about.format;
        options.scale = item->about.scale;
        options.offset = item->about.offset;
        options.rotate = item->about.rotate;
        options.flip = item->about.flip;
        memcpy(options.limits, item->about.limits, sizeof(options.limits));
    }
    options.url = url;
    code = tf_source_open(&options, &r->source, err);
    if (code < 0)
        return code;
    info = tf_source_info(r->source);
    if (info->pixel != TF_PIXEL_U16 && info->pixel != TF_PIXEL_U8)
        return tf_fail(err, -ENOTSUP,
                       "%s: its pictures are in colour; --to remux copies the video, other programs read "
                       "colours from there",
                       item->stem);
    if (o->celsius && !info->radiometry.valid)
        return tf_fail(
            err, -ENOTSUP,
            "%s: --celsius: the camera gives counts, not temperatures; without it counts are written",
            item->stem);
    r->all = (struct tf_export_frames){
        .item = item,
        .width = info->width,
        .height = info->height,
        .bytes = o->celsius                    ? 4
                 : info->pixel == TF_PIXEL_U16 ? 2
                                               : 1,
        .radiometry = info->radiometry,
        .rotate = info->rotate,
        .flip = info->flip,
        .fps = item->about.fps > 0 ? item->about.fps : info->fps,
        .start_ns = item->about.t_start_ns,
        .total = info->frames,
    };
    return 0;
}

/* The picture without gaps between its rows, in °C where that is asked for. */
static const void *take_values(struct reader *r, const struct tf_frame *f)
{
    size_t row = (size_t)f->width * r->all.bytes;
    bool wide = f->pixel == TF_PIXEL_U16;

    if (r->all.bytes != 4 && f->stride[0] == row)
        return f->plane[0];
    for (size_t y = 0; y < f->height; y++) {
        const uint8_t *from = f->plane[0] + y * f->stride[0];
        uint8_t *to = (uint8_t *)r->values + y * row;

        if (r->all.bytes != 4) {
            memcpy(to, from, row);
            continue;
        }
        for (size_t x = 0; x < f->width; x++) {
            float value = wide ? (float)((const uint16_t *)from)[x] : (float)from[x];

            ((float *)to)[x] = value * r->all.radiometry.scale + r->all.radiometry.offset;
        }
    }
    return r->values;
}

static int take_frame(struct reader *r, const struct tf_frame *f, struct tf_error *err)
{
    const struct tf_export_options *o = r->item->options;
    struct tf_export_frame one = {.frame = f};
    int code = 0;

    if (!f->plane[0]) { /* a row whose frame the recording had to refuse */
        r->all.without++;
        return 0;
    }
    if (!r->all.start_ns && !r->started)
        r->all.start_ns = f->t_mono_ns;
    one.number = f->past.valid && f->past.video_frame >= 0 ? (uint64_t)f->past.video_frame : f->number;
    one.t = (double)(int64_t)(f->t_mono_ns - r->all.start_ns) / 1e9;
    if (!r->started) {
        r->values = malloc((size_t)f->width * f->height * 4);
        if (!r->values)
            return tf_fail(err, -ENOMEM, "%s: out of memory", r->item->stem);
        r->started = true;
    }
    if (one.number < o->first || one.number > o->last || one.t < o->from || one.t > o->until)
        return 0;
    if (f->width != r->all.width || f->height != r->all.height)
        return tf_fail(err, -EIO, "%s: frame %llu is %ux%u and not %ux%u: frames of one size only",
                       r->item->stem, (unsigned long long)one.number, f->width, f->height, r->all.width,
                       r->all.height);
    one.values = take_values(r, f);
    r->all.damaged += (f->flags & TF_FLAG_CORRUPT) != 0;
    if (!r->all.written)
        code = r->writer->begin(r->writer->self, &r->all, err);
    if (code == 0)
        code = r->writer->frame(r->writer->self, &r->all, &one, err);
    if (code == 0)
        r->all.written++;
    return code;
}

static int read_all(struct reader *r, struct tf_error *err)
{
    const struct tf_export_options *o = r->item->options;
    struct tf_frame *frame;
    enum tf_next next = TF_NEXT_END;
    uint64_t read = 0;
    int code = tf_source_start(r->source, err);

    while (code == 0 && !tf_interrupted() &&
           (next = tf_source_next(r->source, -1, &frame, err)) == TF_NEXT_FRAME) {
        bool last = frame->past.valid
                        ? frame->past.video_frame >= 0 && (uint64_t)frame->past.video_frame >= o->last
                        : frame->number >= o->last;

        code = take_frame(r, frame, err);
        tf_frame_unref(frame);
        tf_progress_update(&r->item->progress, ++read);
        if (last)
            break;
    }
    if (code == 0 && tf_interrupted())
        return tf_fail(err, -ECANCELED, "%s: stopped before the end; nothing is left of it", r->item->stem);
    if (code == 0 && next != TF_NEXT_FRAME && next != TF_NEXT_END)
        code = *err->text ? -EIO : tf_fail(err, -EIO, "%s: cannot be read on", r->item->stem);
    if (code == 0 && !r->all.written)
        code = tf_fail(err, -ENODATA, "%s: no frame %s", r->item->stem,
                       read ? "is in the range that is asked for" : "can be read of its video");
    return code;
}

/* What is not as it should be, in the summary. */
static void note(struct reader *r)
{
    char *at = r->item->note, *end = at + sizeof(r->item->note);

    *at = '\0';
    if (r->all.damaged)
        at += snprintf(at, (size_t)(end - at), "; %llu of them damaged, as their flags say",
                       (unsigned long long)r->all.damaged);
    if (r->all.without && at < end)
        snprintf(at, (size_t)(end - at), "; %llu rows have no frame: the recording had to refuse it",
                 (unsigned long long)r->all.without);
}

int tf_export_each_frame(struct tf_export_item *item, const struct tf_export_writer *writer,
                         struct tf_error *err)
{
    struct reader r = {.item = item, .writer = writer};
    int code = open_source(&r, err);

    if (code == 0) {
        tf_progress_start(&item->progress, r.all.total, r.all.fps, item->options->quiet);
        code = read_all(&r, err);
        tf_progress_end(&item->progress);
    }
    if (code == 0)
        code = writer->end(writer->self, &r.all, err);
    note(&r);
    tf_source_close(r.source);
    free(r.values);
    return code;
}

/* With the digits that bring the float back: 0.01, not 0.00999999977648258. */
static json_t *decimal(float value)
{
    char text[32];

    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return json_real(strtod(text, NULL));
}

static void set(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value);
}

/* Flags as the tables have them: "ffc ffc_settling". */
static json_t *flags_text(uint32_t flags)
{
    char text[256] = "";

    for (unsigned bit = 0; bit < TF_FLAG_COUNT; bit++)
        if (flags & 1u << bit)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "",
                     tf_flag_name(bit));
    return json_string(text);
}

char *tf_export_describe(const struct tf_export_frames *all, const struct tf_export_frame *one)
{
    const struct tf_export_item *item = all->item;
    bool celsius = item->options->celsius;
    json_t *o = json_object();
    char *text, utc[TF_UTC_TEXT];

    if (one) {
        set(o, "Frame", json_integer((json_int_t)one->number));
        set(o, "Onset", json_real(one->t));
        set(o, "MonotonicNs", json_integer((json_int_t)one->frame->t_mono_ns));
        tf_utc_format(one->frame->t_utc_ns, utc);
        set(o, "Utc", json_string(utc));
        set(o, "Flags", flags_text(one->frame->flags));
    }
    if (!one || !all->written) {
        set(o, "Recording", json_string(item->stem));
        set(o, "Camera", json_string(item->about.camera));
        set(o, "Width", json_integer(all->width));
        set(o, "Height", json_integer(all->height));
        set(o, "Unit", json_string(celsius ? "celsius" : "counts"));
        if (all->radiometry.valid && !celsius) {
            set(o, "CelsiusScale", decimal(all->radiometry.scale));
            set(o, "CelsiusOffset", decimal(all->radiometry.offset));
        }
        set(o, "RotateClockwise", json_integer(all->rotate));
        set(o, "FlipHorizontally", json_boolean(all->flip));
        if (all->fps > 0)
            set(o, "NominalFrameRate", decimal(all->fps));
        set(o, "StartMonotonicNs", json_integer((json_int_t)all->start_ns));
        set(o, "SoftwareVersions", json_string("thermoface " TF_VERSION));
    }
    if (!one)
        set(o, "FrameCount", json_integer((json_int_t)all->written));
    text = json_dumps(o, (one ? JSON_COMPACT : JSON_INDENT(2)) | JSON_REAL_PRECISION(15));
    json_decref(o);
    return text;
}
