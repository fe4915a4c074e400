/*
 * The synthetic source: a camera without a camera. Live, it behaves like a driver with a queue of a few
 * buffers: frames are due at fixed times, carry the time at which they were due, and the oldest are lost when
 * nobody takes them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "capture/internal.h"
#include "capture/synthetic.h"

/* How many frames may be due before the oldest is lost; a V4L2 driver's usual number of buffers. */
#define QUEUE 4

struct synthetic {
    struct tf_source source; /* first */
    struct tf_synthetic_options scene_options;
    uint64_t drop_every, corrupt_every;
    float gone_s, stall_s;
    bool by_clock; /* the subject's time is CLOCK_MONOTONIC */
    bool telemetry;
    uint16_t mounted; /* what makes the picture upright, and then mirrored; whatever is made of it */
    bool mirrored;
    struct tf_scene *scene;
    struct tf_pool *pool;
    uint16_t *scratch; /* upright u16 picture, when it is not drawn straight into the frame */
    bool live;
    uint64_t next;          /* number of the picture that comes next */
    uint64_t start_ns;      /* monotonic time of number 0, less one period */
    int64_t utc_offset_ns;  /* offline: at the start */
    struct tf_frame *drawn; /* picture `drawn_number`, drawn ahead while waiting for its time */
    uint64_t drawn_number;
};

struct key {
    const char *name, *help;
    enum { NUMBER, COUNT, FLAG } type;
    double min, max;
    size_t offset; /* in struct settings */
};

struct settings {
    float fps, scale, noise, fpn, breathing, ffc, gone, stall, zoom, turn, shift_x, shift_y;
    uint64_t seed, faces, drop, corrupt;
    bool empty, glasses, still, clock, telemetry, mirrored;
    uint64_t mounted;
    uint16_t width, height;
    enum tf_synthetic_kind kind;
    bool has_size, has_fps;
};

#define AT(field) offsetof(struct settings, field)
static const struct key keys[] = {
    {"fps", "frames a second", NUMBER, 0.1, 1000, AT(fps)},
    {"seed", "another number, another person, movement and noise", COUNT, 0, 1e15, AT(seed)},
    {"faces", "persons, 0 to 4", COUNT, 0, TF_SYNTHETIC_FACES_MAX, AT(faces)},
    {"empty", "1: nobody there", FLAG, 0, 1, AT(empty)},
    {"glasses", "1: with glasses", FLAG, 0, 1, AT(glasses)},
    {"still", "1: no movement", FLAG, 0, 1, AT(still)},
    {"mounted", "the camera's turn: degrees clockwise that make its picture upright; else rotate's", COUNT, 0,
     270, AT(mounted)},
    {"mirrored", "1: it looks into a mirror; else as flip says", FLAG, 0, 1, AT(mirrored)},
    {"scale", "size of the head, 1 = about half the height", NUMBER, 0.1, 3, AT(scale)},
    {"noise", "of a pixel over time, mK", NUMBER, 0, 5000, AT(noise)},
    {"fpn", "fixed pattern, mK", NUMBER, 0, 5000, AT(fpn)},
    {"breathing", "breaths a minute", NUMBER, 0, 120, AT(breathing)},
    {"ffc", "seconds between shutter calibrations, 0 = none", NUMBER, 0, 86400, AT(ffc)},
    {"telemetry", "0: the camera has no counter and does not tell of its shutter", FLAG, 0, 1, AT(telemetry)},
    {"drop", "every Nth frame is lost in the driver", COUNT, 0, 1e9, AT(drop)},
    {"corrupt", "every Nth frame is marked as damaged", COUNT, 0, 1e9, AT(corrupt)},
    {"gone", "seconds after which the camera is gone", NUMBER, 0, 1e6, AT(gone)},
    {"stall", "seconds after which no frame comes", NUMBER, 0, 1e6, AT(stall)},
    {"clock", "1: the subject moves by the machine's clock, so that two cameras see the same", FLAG, 0, 1,
     AT(clock)},
    {"zoom", "of another camera on the rig, about the picture's middle", NUMBER, 0.2, 5, AT(zoom)},
    {"turn", "of the picture, degrees clockwise", NUMBER, -45, 45, AT(turn)},
    {"shift_x", "of the picture to the right, pixels", NUMBER, -2048, 2048, AT(shift_x)},
    {"shift_y", "of the picture down, pixels", NUMBER, -2048, 2048, AT(shift_y)},
};

static int key_list(struct tf_error *err, const char *what, size_t length)
{
    char list[512] = "size (WIDTHxHEIGHT), kind (thermal, counts, visible)";

    for (size_t i = 0; i < TF_COUNT(keys); i++) {
        size_t n = strlen(list);

        snprintf(list + n, sizeof(list) - n, ", %s", keys[i].name);
    }
    return tf_fail(err, -EINVAL, "synthetic: unknown key \"%.*s\"; the keys are %s",
                   (int)(length < 32 ? length : 32), what, list);
}

static int set_size(struct settings *s, const char *value, struct tf_error *err)
{
    char *end = NULL;
    unsigned long w = strtoul(value, &end, 10), h = 0;

    if (*value >= '0' && *value <= '9' && *end == 'x' && end[1] >= '0' && end[1] <= '9')
        h = strtoul(end + 1, &end, 10);
    if (w < 32 || h < 32 || w > TF_FRAME_DIM_MAX || h > TF_FRAME_DIM_MAX || *end)
        return tf_fail(err, -EINVAL, "synthetic: size=%s: give WIDTHxHEIGHT, each 32 to %d", value,
                       TF_FRAME_DIM_MAX);
    s->width = (uint16_t)w;
    s->height = (uint16_t)h;
    s->has_size = true;
    return 0;
}

static int set_key(struct settings *s, const char *name, const char *value, struct tf_error *err)
{
    char *base = (char *)s, *end = NULL;

    if (strcmp(name, "size") == 0)
        return set_size(s, value, err);
    if (strcmp(name, "kind") == 0) {
        static const char *const kinds[] = {"thermal", "counts", "visible"};

        for (int i = 0; i < 3; i++)
            if (strcmp(value, kinds[i]) == 0) {
                s->kind = (enum tf_synthetic_kind)i;
                return 0;
            }
        return tf_fail(err, -EINVAL, "synthetic: kind=%s: there are thermal, counts and visible", value);
    }
    for (size_t i = 0; i < TF_COUNT(keys); i++) {
        const struct key *k = &keys[i];
        double v;

        if (strcmp(name, k->name) != 0)
            continue;
        v = strtod(value, &end);
        if (end == value || *end || !(v >= k->min && v <= k->max) || (k->type != NUMBER && v != floor(v)))
            return tf_fail(err, -EINVAL, "synthetic: %s=%s: give a %snumber from %g to %g (%s)", name, value,
                           k->type == NUMBER ? "" : "whole ", k->min, k->max, k->help);
        if (k->type == NUMBER)
            *(float *)(base + k->offset) = (float)v;
        else if (k->type == COUNT)
            *(uint64_t *)(base + k->offset) = (uint64_t)v;
        else
            *(bool *)(base + k->offset) = v != 0;
        if (strcmp(name, "fps") == 0)
            s->has_fps = true;
        return 0;
    }
    return key_list(err, name, strlen(name));
}

static int parse(const char *text, struct settings *s, struct tf_error *err)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        const char *equals = memchr(text, '=', length);
        char name[32], value[64];
        int r;

        if (!equals) {
            if (length == 0)
                return tf_fail(err, -EINVAL, "synthetic: an empty setting; write key=value,key=value");
            return key_list(err, text, length);
        }
        if ((size_t)(equals - text) >= sizeof(name) || length - (size_t)(equals - text) - 1 >= sizeof(value))
            return key_list(err, text, length);
        snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
        snprintf(value, sizeof(value), "%.*s", (int)(length - (size_t)(equals - text) - 1), equals + 1);
        r = set_key(s, name, value, err);
        if (r)
            return r;
        text += length;
        if (*text == ',')
            text++;
    }
    return 0;
}

/* What the address says and what the options say must not contradict each other. */
static int settle(const struct tf_source_options *o, struct settings *s, struct tf_error *err)
{
    if (o->width) {
        if (s->has_size && (s->width != o->width || s->height != o->height))
            return tf_fail(err, -EINVAL, "synthetic: size=%ux%u contradicts the size %ux%u asked for",
                           s->width, s->height, o->width, o->height);
        if (o->width < 32 || o->height < 32)
            return tf_fail(err, -EINVAL, "synthetic: size %ux%u is smaller than 32x32", o->width, o->height);
        s->width = o->width;
        s->height = o->height;
    }
    if (o->fps > 0) {
        if (s->has_fps && fabsf(s->fps - o->fps) > 1e-3f)
            return tf_fail(err, -EINVAL, "synthetic: fps=%g contradicts the rate %g asked for",
                           (double)s->fps, (double)o->fps);
        s->fps = o->fps;
    }
    if (s->empty)
        s->faces = 0;
    if (s->mounted % 90)
        return tf_fail(err, -EINVAL, "synthetic: mounted=%llu is not one of 0, 90, 180, 270",
                       (unsigned long long)s->mounted);
    if (s->ffc > 0 && s->ffc < 5)
        return tf_fail(err, -EINVAL, "synthetic: ffc=%g: at least 5 s lie between calibrations",
                       (double)s->ffc);
    if (s->drop == 1)
        return tf_fail(err, -EINVAL, "synthetic: drop=1 would lose every frame; give 2 or more");
    return 0;
}

static int choose_format(struct synthetic *s, const struct tf_source_options *o, const struct settings *set,
                         struct tf_error *err)
{
    static const char *const rows[] = {"centikelvin", "y16", "grey"};
    struct tf_source_info *info = &s->source.info;
    const struct tf_format *f = tf_format_find(o->format ? o->format : rows[set->kind]);
    bool u8 = set->kind == TF_SYNTHETIC_VISIBLE;
    const struct tf_rect *raw = &f->raw;
    uint16_t w = raw->w ? raw->w : f->width, h = raw->w ? raw->h : f->height;
    enum tf_pixel pixel = u8 ? TF_PIXEL_U8 : TF_PIXEL_U16;

    if (w == 0 && f->pixel == TF_PIXEL_YUYV && u8)
        ; /* row "visible": any picture for people */
    else if (f->pixel != pixel)
        return tf_fail(err, -EINVAL, "synthetic: format %s does not fit the synthetic kind %s", f->name,
                       u8 ? "visible (8 bits)" : "thermal or counts (16 bits)");
    if (w && (w != info->width || h != info->height)) {
        if (set->has_size || o->width)
            return tf_fail(err, -EINVAL, "synthetic: format %s has %ux%u pixels, but %ux%u is asked for",
                           f->name, w, h, info->width, info->height);
        info->width = w;
        info->height = h;
    }
    info->format = f;
    info->pixel = pixel;
    if (set->kind == TF_SYNTHETIC_THERMAL)
        info->radiometry = (struct tf_radiometry){.valid = true, .scale = 0.01f, .offset = -273.15f};
    else if (o->scale != 0)
        info->radiometry = (struct tf_radiometry){.valid = true, .scale = o->scale, .offset = o->offset};
    return 0;
}

static uint64_t due_ns(const struct synthetic *s, uint64_t number)
{
    return s->start_ns + (uint64_t)((double)(number + 1) * 1e9 / s->source.info.fps);
}

static void place(const struct synthetic *s, uint32_t x, uint32_t y, uint32_t *ux, uint32_t *uy)
{
    /* Native pixel x, y to its place in the upright picture: turned clockwise, then mirrored. */
    uint32_t w = s->source.info.width, h = s->source.info.height;

    switch (s->mounted) {
    case 90:
        *ux = h - 1 - y;
        *uy = x;
        break;
    case 180:
        *ux = w - 1 - x;
        *uy = h - 1 - y;
        break;
    case 270:
        *ux = y;
        *uy = w - 1 - x;
        break;
    default:
        *ux = x;
        *uy = y;
    }
    if (s->mirrored)
        *ux = s->scene_options.width - 1u - *ux;
}

static void draw(struct synthetic *s, uint64_t number, struct tf_frame *f)
{
    const struct tf_source_info *info = &s->source.info;
    uint32_t w = info->width, h = info->height, up_w = s->scene_options.width;

    if (!s->scratch) {
        tf_scene_draw(s->scene, number, (uint16_t *)(void *)f->plane[0], f->stride[0] / 2);
    } else {
        uint32_t x0, y0, x1, y1;
        ptrdiff_t step;

        tf_scene_draw(s->scene, number, s->scratch, up_w);
        for (uint32_t y = 0; y < h; y++) {
            uint8_t *row = f->plane[0] + (size_t)y * f->stride[0];
            const uint16_t *from;

            place(s, 0, y, &x0, &y0);
            place(s, 1, y, &x1, &y1);
            from = s->scratch + (size_t)y0 * up_w + x0;
            step = ((ptrdiff_t)y1 - (ptrdiff_t)y0) * (ptrdiff_t)up_w + (ptrdiff_t)x1 - (ptrdiff_t)x0;
            if (info->pixel == TF_PIXEL_U8)
                for (uint32_t x = 0; x < w; x++, from += step)
                    row[x] = (uint8_t)(*from >= 255 * 128 ? 255 : (*from + 64) >> 7);
            else
                for (uint32_t x = 0; x < w; x++, from += step)
                    ((uint16_t *)(void *)row)[x] = *from;
        }
    }
    f->width = (uint16_t)w;
    f->height = (uint16_t)h;
    f->pixel = info->pixel;
}

static int synthetic_start(struct tf_source *source, struct tf_error *err)
{
    struct synthetic *s = (struct synthetic *)source;

    s->next = 0;
    tf_scene_restart(s->scene);
    s->start_ns = tf_now_ns();
    s->utc_offset_ns = tf_utc_offset_ns();
    if (s->by_clock)
        tf_scene_set_epoch(s->scene, (double)due_ns(s, 0) / 1e9);
    return 0;
}

static void synthetic_stop(struct tf_source *source)
{
    struct synthetic *s = (struct synthetic *)source;

    tf_frame_unref(s->drawn);
    s->drawn = NULL;
}

/* Draws picture `next` into a free frame unless that is done; false if no frame is free. */
static bool prepare(struct synthetic *s)
{
    if (s->drawn && s->drawn_number == s->next)
        return true;
    if (!s->drawn)
        s->drawn = tf_pool_get(s->pool);
    if (!s->drawn)
        return false;
    draw(s, s->next, s->drawn);
    s->drawn_number = s->next;
    return true;
}

/* Skips what was due so long ago that a driver would have lost it, and what the driver loses by `drop`. */
static void skip_lost(struct synthetic *s, uint64_t now)
{
    if (s->live && now > due_ns(s, s->next + QUEUE)) {
        uint64_t due = (uint64_t)((double)(now - s->start_ns) * s->source.info.fps / 1e9), lost;

        if (due > s->next + QUEUE) {
            lost = due - QUEUE - s->next;
            s->source.drops.capture += lost;
            s->source.capture_gap += lost;
            s->next += lost;
        }
    }
    if (s->drop_every && s->next % s->drop_every == s->drop_every - 1) {
        s->source.gap++;
        s->next++;
    }
}

static enum tf_next synthetic_next(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                                   struct tf_error *err)
{
    struct synthetic *s = (struct synthetic *)source;
    uint64_t called = tf_now_ns();
    struct tf_frame *f;

    for (;;) {
        float seconds;

        skip_lost(s, tf_now_ns());
        seconds = (float)((double)s->next / source->info.fps);
        if (s->gone_s > 0 && seconds >= s->gone_s) {
            tf_fail(err, -ENODEV, "synthetic: the camera is gone after %g s, as asked (gone=)",
                    (double)s->gone_s);
            return TF_NEXT_GONE;
        }
        if (s->stall_s > 0 && seconds >= s->stall_s) {
            tf_source_wait_until(source, UINT64_MAX, timeout_ms, called);
            return TF_NEXT_TIMEOUT;
        }
        if (prepare(s)) {
            if (s->live ? tf_source_wait_until(source, due_ns(s, s->next), timeout_ms, called)
                        : !tf_source_take_wake(source))
                break;
            return TF_NEXT_TIMEOUT;
        }
        /* Every frame is out. Live, this one is lost unless a frame comes back before it is due. */
        if (!tf_source_wait_until(source, s->live ? due_ns(s, s->next) : tf_now_ns() + 1000000u, timeout_ms,
                                  called))
            return TF_NEXT_TIMEOUT;
        if (s->live && !prepare(s)) {
            source->drops.capture++;
            source->capture_gap++;
            s->next++;
        }
    }
    f = s->drawn;
    s->drawn = NULL;
    f->sequence = s->next;
    if (s->telemetry) {
        f->camera_counter = s->next;
        f->has_camera_counter = true;
    }
    f->t_mono_ns = due_ns(s, s->next);
    f->t_utc_ns = (int64_t)f->t_mono_ns + s->utc_offset_ns;
    f->stamp = s->live ? TF_STAMP_DRIVER_EOF : TF_STAMP_FILE;
    f->flags = s->telemetry ? tf_scene_flags(s->scene, s->next) : 0;
    if (s->corrupt_every && s->next % s->corrupt_every == s->corrupt_every - 1)
        f->flags |= TF_FLAG_CORRUPT;
    f->radiometry = source->info.radiometry;
    f->sensor_c = s->telemetry ? tf_scene_sensor_c(s->scene, s->next) : NAN;
    s->next++;
    *ret = f;
    return TF_NEXT_FRAME;
}

static int synthetic_truth(const struct tf_source *source, const struct tf_frame *frame, struct tf_truth *ret,
                           int max)
{
    const struct synthetic *s = (const struct synthetic *)source;

    /* By the clock, a frame's stamp says it all: whoever has a record's can ask. */
    if (s->by_clock && s->scene_options.ffc_s == 0)
        return tf_scene_truth_at(s->scene, (double)frame->t_mono_ns / 1e9, ret, max);
    return tf_scene_truth(s->scene, frame->sequence, ret, max);
}

static int synthetic_ffc(struct tf_source *source, enum tf_ffc action, struct tf_error *err)
{
    struct synthetic *s = (struct synthetic *)source;

    if (action == TF_FFC_TRIGGER)
        tf_scene_calibrate(s->scene, s->next);
    else
        tf_scene_hold(s->scene, action == TF_FFC_HOLD);
    /* What was drawn ahead shows an open shutter. */
    tf_frame_unref(s->drawn);
    s->drawn = NULL;
    return 0;
}

static void synthetic_close(struct tf_source *source)
{
    struct synthetic *s = (struct synthetic *)source;

    tf_pool_destroy(s->pool);
    tf_scene_destroy(s->scene);
    free(s->scratch);
    free(s);
}

int tf_synthetic_open(const struct tf_source_options *options, const char *rest, struct tf_source **ret,
                      struct tf_error *err)
{
    static const struct tf_source_ops ops = {.start = synthetic_start,
                                             .stop = synthetic_stop,
                                             .next = synthetic_next,
                                             .truth = synthetic_truth,
                                             .ffc = synthetic_ffc,
                                             .close = synthetic_close};
    static const char *const kinds[] = {"thermal", "counts", "visible"};
    struct settings set = {.fps = 30,
                           .scale = 1,
                           .zoom = 1,
                           .noise = 50,
                           .fpn = 25,
                           .breathing = 15,
                           .seed = 1,
                           .faces = 1,
                           .telemetry = true,
                           .mounted = options->rotate,
                           .mirrored = options->flip,
                           .width = 640,
                           .height = 512};
    struct tf_pool_options pool = {.frames = options->frames};
    struct synthetic *s;
    bool turned;
    int r;

    r = parse(rest, &set, err);
    if (!r)
        r = settle(options, &set, err);
    if (r)
        return r;
    s = calloc(1, sizeof(*s));
    if (!s)
        return tf_fail(err, -ENOMEM, "synthetic: out of memory");
    s->source.ops = &ops;
    s->source.info = (struct tf_source_info){.kind = "synthetic",
                                             .width = set.width,
                                             .height = set.height,
                                             .rotate = options->rotate,
                                             .fps = set.fps,
                                             .live = options->pace == TF_PACE_RECORDED,
                                             .frames = options->limit};
    r = choose_format(s, options, &set, err);
    if (r)
        goto fail;
    snprintf(s->source.info.name, sizeof(s->source.info.name), "synthetic subject (%s)", kinds[set.kind]);
    snprintf(s->source.info.identity, sizeof(s->source.info.identity), "%s", options->url);
    s->live = s->source.info.live;
    s->mounted = (uint16_t)set.mounted;
    s->mirrored = set.mirrored;
    turned = s->mounted % 180 != 0;
    s->drop_every = set.drop;
    s->corrupt_every = set.corrupt;
    s->telemetry = set.telemetry;
    s->source.watch_frozen = options->frozen && !set.telemetry && set.kind != TF_SYNTHETIC_VISIBLE;
    for (int i = 0; i < TF_FFC_ACTIONS; i++)
        s->source.info.ffc[i] = true;
    s->gone_s = set.gone;
    s->stall_s = set.stall;
    s->by_clock = set.clock;
    s->scene_options =
        (struct tf_synthetic_options){.kind = set.kind,
                                      .fps = set.fps,
                                      .seed = set.seed,
                                      .faces = (int)set.faces,
                                      .glasses = set.glasses,
                                      .still = set.still,
                                      .scale = set.scale,
                                      .noise_mk = set.noise,
                                      .fpn_mk = set.fpn,
                                      .breathing = set.breathing,
                                      .ffc_s = set.ffc,
                                      .zoom = set.zoom,
                                      .turn = set.turn * (float)(M_PI / 180),
                                      .shift_x = set.shift_x,
                                      .shift_y = set.shift_y,
                                      .width = turned ? s->source.info.height : s->source.info.width,
                                      .height = turned ? s->source.info.width : s->source.info.height};
    pool.width = s->source.info.width;
    pool.height = s->source.info.height;
    pool.pixel = s->source.info.pixel;
    r = tf_scene_create(&s->scene_options, &s->scene);
    if (!r)
        r = tf_pool_create(&pool, &s->pool);
    if (!r && (s->mounted || s->mirrored || pool.pixel != TF_PIXEL_U16)) {
        s->scratch = malloc((size_t)pool.width * pool.height * sizeof(*s->scratch));
        r = s->scratch ? 0 : -ENOMEM;
    }
    if (r) {
        tf_fail(err, r, "synthetic: no memory for pictures of %ux%u", pool.width, pool.height);
        goto fail;
    }
    *ret = &s->source;
    return 0;

fail:
    synthetic_close(&s->source);
    return r;
}
