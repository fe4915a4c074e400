/* The picture's layout and its making: levels, enlargement, palette, then the marks. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/internal.h"

#define LINES_MIN_DEFAULT 480
#define FACTOR_MAX 64
#define PICTURE_DIM_MAX 8192
#define RANGE_SECONDS 0.7f /* time constant of the automatic range */
/* A face that was there a moment ago still sets the range: or the colours would jump when it is lost for some
 * frames. */
#define SKIN_NS 5000000000ull

struct tf_overlay_options tf_overlay_defaults(void)
{
    struct tf_overlay_options o = {.points = true,
                                   .boxes = true,
                                   .regions = true,
                                   .masks = true,
                                   .scale_bar = true,
                                   .banner = true,
                                   .clock = true};

    if (tf_cpu_select(NULL, &o.cpu, NULL) < 0) /* TF_CPU that the engine refuses, and says so */
        o.cpu = tf_cpu_detect();
    return o;
}

static int check_options(const struct tf_overlay_options *o, struct tf_error *err)
{
    if (!tf_palette_name(o->palette))
        return tf_fail(err, -EINVAL, "overlay: palette number %d does not exist", o->palette);
    if (o->fixed_range && !(o->range_min < o->range_max && isfinite(o->range_min) && isfinite(o->range_max)))
        return tf_fail(err, -EINVAL, "overlay: range %g to %g: the first must be below the second",
                       (double)o->range_min, (double)o->range_max);
    if (o->lines_min > 4320)
        return tf_fail(err, -EINVAL, "overlay: at least %u lines: at most 4320 can be asked for",
                       o->lines_min);
    return 0;
}

static void fill_colours(struct tf_overlay *o)
{
    const uint32_t *table = tf_palette_table(o->options.palette);

    if (o->planes)
        tf_planes_set_palette(o->planes, table);
    for (int i = 0; i < 1024; i++) {
        int entry = i - TF_COLOURS_ZERO;
        o->colours[i] = table[entry < 0 ? 0 : entry > 255 ? 255 : entry];
    }
}

static void lay_out(struct tf_overlay *o)
{
    uint32_t lines = o->options.lines_min ? o->options.lines_min : LINES_MIN_DEFAULT;

    o->factor = (lines + o->height - 1) / o->height;
    while (o->factor > 1 && (o->factor > FACTOR_MAX || o->factor * o->width > TF_FRAME_DIM_MAX))
        o->factor--;
    o->image.w = (int)(o->width * o->factor);
    o->image.h = (int)(o->height * o->factor);
    /* Marks grow with pictures of more than about 600 lines, in quarters so that fonts stay crisp. */
    o->ui = floorf((float)o->image.h / 480 * 4) / 4;
    o->ui = o->ui < 1.25f ? 1 : o->ui > 4 ? 4 : o->ui;
}

static void add_panels(struct tf_overlay *o)
{
    int w = o->image.w, h = o->image.h;

    if (o->options.scale_bar) {
        o->bar = (struct tf_rect){w, 0, (int)(72 * o->ui) & ~7, h};
        w += o->bar.w;
    }
    w += w & 1;
    if (o->options.clock) {
        o->strip = (struct tf_rect){0, h, w, tf_strip_height(o, w)};
        h += o->strip.h;
    }
    h += h & 1;
    o->picture.width = (uint32_t)w;
    o->picture.height = (uint32_t)h;
}

static int create_planes(struct tf_overlay *o, int first, int last)
{
    for (int i = first; i <= last; i++) {
        if (!o->levels[i])
            o->levels[i] = malloc((size_t)o->width * o->height * sizeof(**o->levels));
        if (!o->row[i])
            o->row[i] = malloc((size_t)o->image.w * sizeof(**o->row));
        if (!o->levels[i] || !o->row[i])
            return -ENOMEM;
        if (o->factor > 1 && !o->scalers[i] &&
            tf_scaler_create(o->width, o->height, o->factor, o->paint, &o->scalers[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

uint8_t *tf_picture_memory(struct tf_picture *p, enum tf_picture_form form)
{
    uint32_t luma = (p->width + 63) & ~63u, chroma = (p->width / 2 + 63) & ~63u, h = p->height;
    size_t size;
    uint8_t *memory;

    p->stride = form == TF_PICTURE_RGB ? (p->width * 4 + 63) & ~63u : 0;
    size = form == TF_PICTURE_RGB ? (size_t)p->stride * h : (size_t)luma * h + (size_t)chroma * (h / 2) * 2;
    memory = aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (!memory)
        return NULL;
    if (form == TF_PICTURE_RGB) {
        memset(memory, 0, size);
        p->data = memory;
        return memory;
    }
    memset(memory, 16, (size_t)luma * h); /* black */
    memset(memory + (size_t)luma * h, 128, size - (size_t)luma * h);
    p->plane[0] = memory;
    p->plane[1] = memory + (size_t)luma * h;
    p->plane[2] = p->plane[1] + (size_t)chroma * (h / 2);
    p->pitch[0] = luma;
    p->pitch[1] = p->pitch[2] = chroma;
    return memory;
}

int tf_overlay_create(const struct tf_overlay_options *options, uint32_t width, uint32_t height,
                      struct tf_overlay **ret, struct tf_error *err)
{
    struct tf_overlay *o = NULL;
    int code;

    code = check_options(options, err);
    if (code < 0)
        return code;
    if (width < 8 || height < 8 || width > TF_FRAME_DIM_MAX || height > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EINVAL, "overlay: frames of %ux%u: both must be 8 to %d", width, height,
                       TF_FRAME_DIM_MAX);
    code = -ENOMEM;
    o = calloc(1, sizeof(*o));
    if (!o)
        goto fail;
    o->options = *options;
    o->paint = tf_paint_select(options->cpu);
    o->width = width;
    o->height = height;
    lay_out(o);
    if ((code = tf_font_create(11 * o->ui, false, &o->small, err)) < 0 ||
        (code = tf_font_create(13 * o->ui, false, &o->normal, err)) < 0 ||
        (code = tf_font_create(13 * o->ui, true, &o->bold, err)) < 0 ||
        (code = tf_font_create(32 * o->ui, true, &o->huge, err)) < 0)
        goto fail;
    add_panels(o);
    code = -EINVAL;
    if (o->picture.width > PICTURE_DIM_MAX || o->picture.height > PICTURE_DIM_MAX) {
        tf_fail(err, code, "overlay: a picture of %ux%u is too large", o->picture.width, o->picture.height);
        goto fail;
    }
    code = -ENOMEM;
    o->pixels = tf_picture_memory(&o->picture, options->form);
    if (!o->pixels)
        goto fail;
    if (options->form == TF_PICTURE_PLANES
            ? tf_planes_create(width, height, o->factor, o->paint, &o->planes) < 0
            : create_planes(o, 0, 0) < 0)
        goto fail;
    fill_colours(o);
    *ret = o;
    return 0;

fail:
    tf_overlay_destroy(o);
    return code == -ENOMEM ? tf_fail(err, code, "overlay: out of memory") : code;
}

void tf_overlay_destroy(struct tf_overlay *o)
{
    if (!o)
        return;
    for (int i = 0; i < 3; i++) {
        free(o->levels[i]);
        free(o->row[i]);
        tf_scaler_destroy(o->scalers[i]);
    }
    tf_font_destroy(o->small);
    tf_font_destroy(o->normal);
    tf_font_destroy(o->bold);
    tf_font_destroy(o->huge);
    tf_planes_destroy(o->planes);
    free(o->pixels);
    free(o);
}

void tf_overlay_size(const struct tf_overlay *o, uint32_t *width, uint32_t *height)
{
    *width = o->picture.width;
    *height = o->picture.height;
}

uint32_t tf_overlay_factor(const struct tf_overlay *o)
{
    return o->factor;
}

int tf_overlay_set_options(struct tf_overlay *o, const struct tf_overlay_options *options,
                           struct tf_error *err)
{
    int r = check_options(options, err);

    if (r < 0)
        return r;
    if ((options->scale_bar && !o->bar.w) || (options->clock && !o->strip.h))
        return tf_fail(err, -EINVAL, "overlay: the %s changes the picture's size; it needs a restart",
                       options->scale_bar && !o->bar.w ? "scale bar" : "clock");
    if (options->fixed_range != o->options.fixed_range)
        o->range_set = false;
    enum tf_picture_form form = o->options.form;
    o->options = *options;
    o->options.form = form;
    o->bar_shown.drawn = o->strip_shown.drawn = false;
    fill_colours(o);
    return 0;
}

void tf_overlay_draw_into(struct tf_overlay *o, const struct tf_picture *picture)
{
    uint32_t width = o->picture.width, height = o->picture.height;

    free(o->pixels);
    o->pixels = NULL;
    o->picture = *picture;
    o->picture.width = width;
    o->picture.height = height;
    o->bar_shown.drawn = o->strip_shown.drawn = false;
}

/* Narrower ranges would blow noise up to full contrast: 4 K, or about as much for cameras whose scale is not
 * known. */
static float span_min(const struct tf_frame *f)
{
    if (f->radiometry.valid && f->radiometry.scale > 0)
        return 4 / f->radiometry.scale;
    return f->pixel == TF_PIXEL_U16 ? 100 : 24;
}

static void update_range(struct tf_overlay *o, const struct tf_frame *f, const struct tf_faces *faces)
{
    struct tf_range now;

    if (o->options.fixed_range) {
        o->range = (struct tf_range){o->options.range_min, o->options.range_max};
        if (f->radiometry.valid && f->radiometry.scale > 0) {
            o->range.low = (o->range.low - f->radiometry.offset) / f->radiometry.scale;
            o->range.high = (o->range.high - f->radiometry.offset) / f->radiometry.scale;
        }
        return;
    }
    /* The shutter's or a broken picture must not move the range of the next good one. */
    if (o->range_set && f->flags & (TF_FLAG_FFC | TF_FLAG_CORRUPT))
        return;
    if (tf_range_skin(f, faces, &now)) {
        o->skin = now;
        o->skin_ns = f->t_mono_ns;
        o->skin_set = true;
    } else if (f->t_mono_ns < o->skin_ns || f->t_mono_ns - o->skin_ns > SKIN_NS) {
        o->skin_set = false;
    }
    if (!tf_range_fit(f, o->skin_set ? &o->skin : NULL, span_min(f), &now))
        return;
    float seconds = f->t_mono_ns > o->range_ns ? (float)(f->t_mono_ns - o->range_ns) * 1e-9f : 0;
    float part = o->range_set ? 1 - expf(-seconds / RANGE_SECONDS) : 1;
    o->range.low = o->range_set ? o->range.low + part * (now.low - o->range.low) : now.low;
    o->range.high = o->range_set ? o->range.high + part * (now.high - o->range.high) : now.high;
    o->range_ns = f->t_mono_ns;
    o->range_set = true;
}

static const int16_t *enlarged_row(struct tf_overlay *o, int plane, uint32_t y)
{
    if (o->factor == 1)
        return o->levels[plane] + (size_t)y * o->width;
    tf_scaler_row(o->scalers[plane], o->levels[plane], y, o->row[plane]);
    return o->row[plane];
}

static void paint_gray(struct tf_overlay *o, const struct tf_frame *f, const struct tf_faces *faces)
{
    const uint32_t *colours = o->colours + TF_COLOURS_ZERO;

    update_range(o, f, faces);
    if (o->planes) {
        tf_planes_gray(o->planes, f, &o->range, &o->picture);
        return;
    }
    tf_levels_gray(f, &o->range, o->levels[0]);
    if (o->factor > 1)
        tf_scaler_begin(o->scalers[0]);
    for (int y = 0; y < o->image.h; y++) {
        const int16_t *levels = enlarged_row(o, 0, (uint32_t)y);
        uint32_t *row = tf_pixel_row(&o->picture, y);
        for (int x = 0; x < o->image.w; x++)
            row[x] = colours[levels[x] >> 5]; /* TF_LEVEL_STEPS is 32; enlargement stays within the table */
    }
}

static inline uint32_t byte_of(int level)
{
    level = (level + TF_LEVEL_STEPS / 2) >> 5;
    return (uint32_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static int paint_colour(struct tf_overlay *o, const struct tf_frame *f)
{
    int result;

    if (o->planes)
        return tf_planes_colour(o->planes, f, &o->picture);
    result = create_planes(o, 1, 2);
    if (result < 0)
        return result;
    tf_levels_colour(f, o->levels);
    for (int i = 0; i < 3 && o->factor > 1; i++)
        tf_scaler_begin(o->scalers[i]);
    for (int y = 0; y < o->image.h; y++) {
        const int16_t *r = enlarged_row(o, 0, (uint32_t)y), *g = enlarged_row(o, 1, (uint32_t)y),
                      *b = enlarged_row(o, 2, (uint32_t)y);
        uint32_t *row = tf_pixel_row(&o->picture, y);
        for (int x = 0; x < o->image.w; x++)
            row[x] = byte_of(r[x]) << 16 | byte_of(g[x]) << 8 | byte_of(b[x]);
    }
    return 0;
}

/* A lost camera's last picture loses its colours, so that nobody takes it for a live one. */
static void fade(struct tf_overlay *o)
{
    const struct tf_picture *p = &o->picture;

    if (o->planes) {
        for (int y = 0; y < o->image.h; y++) {
            uint8_t *row = p->plane[0] + (size_t)y * p->pitch[0];
            for (int x = 0; x < o->image.w; x++)
                row[x] = (uint8_t)(row[x] > 16 ? 16 + (row[x] - 16) / 2 : 16);
        }
        for (int y = 0; y < (o->image.h + 1) / 2; y++)
            for (int i = 1; i < 3; i++)
                memset(p->plane[i] + (size_t)y * p->pitch[i], 128, (size_t)(o->image.w + 1) / 2);
        return;
    }
    for (int y = 0; y < o->image.h; y++) {
        uint32_t *row = tf_pixel_row(&o->picture, y);
        for (int x = 0; x < o->image.w; x++) {
            uint32_t gray = ((row[x] & 255) + 2 * (row[x] >> 8 & 255) + (row[x] >> 16 & 255)) / 8;
            row[x] = gray << 16 | gray << 8 | gray;
        }
    }
}

int tf_overlay_draw(struct tf_overlay *o, const struct tf_frame *frame, const struct tf_faces *faces,
                    const struct tf_overlay_note *note, const struct tf_picture **ret)
{
    int code;

    if (!note || (frame && (tf_frame_upright_width(frame) != o->width ||
                            tf_frame_upright_height(frame) != o->height || !frame->plane[0])))
        return -EINVAL;
    if (frame && tf_pixel_is_colour(frame->pixel)) {
        code = paint_colour(o, frame);
        if (code < 0)
            return code;
    } else if (frame) {
        paint_gray(o, frame, faces);
    }
    if (frame && note->banner == TF_BANNER_NO_SIGNAL)
        fade(o);
    if (!frame)
        tf_card_draw(o, note);
    else if ((faces || note->own) && note->banner != TF_BANNER_NO_SIGNAL)
        tf_faces_draw(o, faces, note->own, frame->radiometry.valid);

    tf_bar_draw(o, frame);
    tf_strip_draw(o, note);
    if (frame && o->options.banner)
        tf_banner_draw(o, frame, note);
    *ret = &o->picture;
    return 0;
}
