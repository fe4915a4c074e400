/* The picture of a pair of cameras: side by side, or one in a corner of the other. */
#include "overlay/pair.h"

#include <cairo.h>
#include <libswscale/swscale.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/internal.h"

#define INSET_PART 4 /* of the thermal picture's width */
#define DIM_MAX 8192
#define MARK 0x2ee6d6u
#define RING 0xf2f4f5u

struct tf_pair_overlay {
    enum tf_pair_layout layout;
    struct tf_overlay *thermal, *visible;
    struct tf_picture picture;
    uint8_t *pixels;          /* its memory */
    struct tf_rect place;     /* of the visible picture: whole samples of chroma */
    struct SwsContext *scale; /* planes of the visible picture to that size … */
    struct tf_picture
        scaled; /* … here: libswscale writes whole vectors, up to some pixels past a row's end */
    uint8_t *scaled_pixels;
};

static void lay_out(struct tf_pair_overlay *p, uint32_t visible_width, uint32_t visible_height)
{
    const struct tf_overlay *t = p->thermal;
    int w = (int)t->picture.width, h = (int)t->picture.height, margin = (int)(8 * t->ui);
    int width = p->layout == TF_PAIR_INSET ? t->image.w / INSET_PART
                                           : t->image.h * (int)visible_width / (int)visible_height;

    if (width < 16)
        width = 16;
    width &= ~1;
    if (p->layout == TF_PAIR_INSET) {
        int height = width * (int)visible_height / (int)visible_width;

        if (height > t->image.h / 2)
            height = t->image.h / 2;
        height = height < 2 ? 2 : height & ~1;
        width = (height * (int)visible_width / (int)visible_height) & ~1;
        width = width < 2 ? 2 : width > t->image.w ? t->image.w & ~1 : width;
        p->place = (struct tf_rect){(t->image.w - width - margin) & ~1, margin & ~1, width, height};
    } else {
        p->place = (struct tf_rect){w, 0, width, t->image.h & ~1};
        w += width;
    }
    p->picture.width = (uint32_t)(w + (w & 1));
    p->picture.height = (uint32_t)h;
}

static int create_scale(struct tf_pair_overlay *p)
{
    const struct tf_rect *from = &p->visible->image, *to = &p->place;

    p->scale = sws_getContext(from->w, from->h, AV_PIX_FMT_YUV420P, to->w, to->h, AV_PIX_FMT_YUV420P,
                              SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
    p->scaled.width = (uint32_t)to->w;
    p->scaled.height = (uint32_t)to->h;
    p->scaled_pixels = tf_picture_memory(&p->scaled, TF_PICTURE_PLANES);
    return p->scale && p->scaled_pixels ? 0 : -ENOMEM;
}

int tf_pair_overlay_create(const struct tf_overlay_options *options, enum tf_pair_layout layout,
                           uint32_t thermal_width, uint32_t thermal_height, uint32_t visible_width,
                           uint32_t visible_height, struct tf_pair_overlay **ret, struct tf_error *err)
{
    struct tf_overlay_options plain = {.lines_min = 1, .form = options->form, .cpu = options->cpu};
    struct tf_pair_overlay *p = calloc(1, sizeof(*p));
    int r = -ENOMEM;

    if (!p)
        goto fail;
    p->layout = layout;
    /* A visible camera of one value a pixel is gray, whatever the thermal palette. */
    r = tf_palette_find("white-hot", &plain.palette, err);
    if (r == 0)
        r = tf_overlay_create(options, thermal_width, thermal_height, &p->thermal, err);
    if (r == 0)
        r = tf_overlay_create(&plain, visible_width, visible_height, &p->visible, err);
    if (r < 0)
        goto fail;
    lay_out(p, visible_width, visible_height);
    if (p->picture.width > DIM_MAX) {
        r = tf_fail(err, -EINVAL, "overlay: a picture of %ux%u is too large", p->picture.width,
                    p->picture.height);
        goto fail;
    }
    p->pixels = tf_picture_memory(&p->picture, options->form);
    if (!p->pixels || (options->form == TF_PICTURE_PLANES && create_scale(p) < 0)) {
        r = tf_fail(err, -ENOMEM, "overlay: out of memory");
        goto fail;
    }
    tf_overlay_draw_into(p->thermal, &p->picture);
    /* What neither part covers: below the visible picture, and the column that makes the width even. */
    if (p->layout == TF_PAIR_SIDE_BY_SIDE)
        tf_draw_rect(
            &(struct tf_canvas){&p->picture, {0, 0, (int)p->picture.width, (int)p->picture.height}},
            (struct tf_rect){p->place.x, 0, (int)p->picture.width - p->place.x, (int)p->picture.height},
            TF_PANEL, 256);
    *ret = p;
    return 0;

fail:
    tf_pair_overlay_destroy(p);
    return r;
}

void tf_pair_overlay_destroy(struct tf_pair_overlay *overlay)
{
    if (!overlay)
        return;
    tf_overlay_destroy(overlay->thermal);
    tf_overlay_destroy(overlay->visible);
    sws_freeContext(overlay->scale);
    free(overlay->scaled_pixels);
    free(overlay->pixels);
    free(overlay);
}

void tf_pair_overlay_size(const struct tf_pair_overlay *overlay, uint32_t *width, uint32_t *height)
{
    *width = overlay->picture.width;
    *height = overlay->picture.height;
}

static int paste_planes(struct tf_pair_overlay *p, const struct tf_picture *visible)
{
    const uint8_t *const from[4] = {visible->plane[0], visible->plane[1], visible->plane[2]};
    const int from_strides[4] = {(int)visible->pitch[0], (int)visible->pitch[1], (int)visible->pitch[2]};
    uint8_t *const to[4] = {p->scaled.plane[0], p->scaled.plane[1], p->scaled.plane[2]};
    const int to_strides[4] = {(int)p->scaled.pitch[0], (int)p->scaled.pitch[1], (int)p->scaled.pitch[2]};

    if (sws_scale(p->scale, from, from_strides, 0, p->visible->image.h, to, to_strides) <= 0)
        return -ENOMEM;
    for (int i = 0; i < 3; i++) {
        int half = i ? 2 : 1;
        uint8_t *place =
            p->picture.plane[i] + (size_t)(p->place.y / half) * p->picture.pitch[i] + p->place.x / half;
        for (int y = 0; y < p->place.h / half; y++)
            memcpy(place + (size_t)y * p->picture.pitch[i], to[i] + (size_t)y * p->scaled.pitch[i],
                   (size_t)(p->place.w / half));
    }
    return 0;
}

static int paste(struct tf_pair_overlay *p, const struct tf_picture *visible)
{
    cairo_surface_t *to =
        cairo_image_surface_create_for_data(p->picture.data, CAIRO_FORMAT_RGB24, (int)p->picture.width,
                                            (int)p->picture.height, (int)p->picture.stride);
    /* The frame's part only: an odd width is padded. */
    cairo_surface_t *from = cairo_image_surface_create_for_data(
        visible->data, CAIRO_FORMAT_RGB24, p->visible->image.w, p->visible->image.h, (int)visible->stride);
    cairo_t *c = cairo_create(to);
    cairo_status_t status;

    cairo_rectangle(c, p->place.x, p->place.y, p->place.w, p->place.h);
    cairo_clip(c);
    cairo_translate(c, p->place.x, p->place.y);
    cairo_scale(c, (double)p->place.w / p->visible->image.w, (double)p->place.h / p->visible->image.h);
    cairo_set_source_surface(c, from, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(c), CAIRO_EXTEND_PAD);
    cairo_pattern_set_filter(cairo_get_source(c), CAIRO_FILTER_GOOD);
    cairo_paint(c);
    status = cairo_status(c);
    cairo_destroy(c);
    cairo_surface_destroy(from);
    cairo_surface_flush(to);
    cairo_surface_destroy(to);
    return status == CAIRO_STATUS_SUCCESS ? 0 : -ENOMEM;
}

static void draw_visible_faces(const struct tf_pair_overlay *p, const struct tf_canvas *c,
                               const struct tf_faces *faces)
{
    float kx = (float)p->place.w / (float)p->visible->width,
          ky = (float)p->place.h / (float)p->visible->height;
    float ui = p->thermal->ui;

    for (uint32_t i = 0; i < faces->count && i < TF_FACES_MAX; i++) {
        const struct tf_face *f = &faces->faces[i];
        float x0 = (float)p->place.x + (f->box[0] + 0.5f) * kx, x1 = x0 + f->box[2] * kx;
        float y0 = (float)p->place.y + (f->box[1] + 0.5f) * ky, y1 = y0 + f->box[3] * ky;

        if (!isfinite(x0 + y0 + x1 + y1))
            continue;
        if (p->thermal->options.boxes) {
            tf_draw_line(c, x0, y0, x1, y0, ui, MARK, 220);
            tf_draw_line(c, x0, y1, x1, y1, ui, MARK, 220);
            tf_draw_line(c, x0, y0, x0, y1, ui, MARK, 220);
            tf_draw_line(c, x1, y0, x1, y1, ui, MARK, 220);
        }
        for (int k = 0; k < TF_POINTS && p->thermal->options.points; k++)
            tf_draw_disc(c, (float)p->place.x + (f->points[k].x + 0.5f) * kx,
                         (float)p->place.y + (f->points[k].y + 0.5f) * ky, 1.3f * ui, MARK, 256);
    }
}

/* How well the two cameras agree is seen best where both mark the same face. */
static void draw_mapped(const struct tf_pair_overlay *p, const struct tf_faces *faces)
{
    struct tf_canvas c = {(struct tf_picture *)&p->picture, p->thermal->image};
    float factor = (float)p->thermal->factor, ui = p->thermal->ui;

    for (uint32_t i = 0; i < faces->count && i < TF_FACES_MAX && p->thermal->options.points; i++)
        for (int k = 0; k < TF_POINTS && faces->faces[i].mapped; k++)
            tf_draw_ring(&c, (faces->faces[i].points_mapped[k].x + 0.5f) * factor,
                         (faces->faces[i].points_mapped[k].y + 0.5f) * factor, 3 * ui, 0.8f * ui, RING, 150);
}

static void draw_caption(const struct tf_pair_overlay *p, const struct tf_pair_view *view, bool there)
{
    const struct tf_font *font = p->thermal->small;
    int pad = (int)(4 * p->thermal->ui), cap = tf_font_cap_height(font);
    struct tf_canvas c = {(struct tf_picture *)&p->picture, p->place};
    char text[96];

    if (there)
        snprintf(text, sizeof(text), "%.32s  %llu  %+.0f ms",
                 view->visible_camera ? view->visible_camera : "", (unsigned long long)view->visible_number,
                 view->skew_ms);
    else
        snprintf(text, sizeof(text), "%.32s: no picture", view->visible_camera ? view->visible_camera : "");
    tf_text_draw(&c, font, p->place.x + pad, p->place.y + pad + cap, text, TF_INK, 256);
}

int tf_pair_overlay_draw(struct tf_pair_overlay *p, const struct tf_pair_view *view,
                         const struct tf_picture **ret)
{
    const struct tf_picture *thermal, *visible = NULL;
    const struct tf_frame *v = view->visible;
    struct tf_canvas part = {&p->picture, p->place};
    struct tf_overlay_note note = *view->note;
    int r = tf_overlay_draw(p->thermal, view->thermal, view->thermal_faces, view->note, &thermal);

    if (r < 0)
        return r;
    if (v &&
        (tf_frame_upright_width(v) != p->visible->width || tf_frame_upright_height(v) != p->visible->height))
        v = NULL;
    note.own = NULL; /* the thermal camera's */
    if (v)
        r = tf_overlay_draw(p->visible, v, NULL, &note, &visible);
    if (r < 0)
        return r;
    if (view->thermal && view->thermal_faces)
        draw_mapped(p, view->thermal_faces);
    if (!visible) {
        tf_draw_rect(&part, p->place, TF_PANEL, 256);
    } else {
        r = visible->data ? paste(p, visible) : paste_planes(p, visible);
        if (r < 0)
            return r;
        if (view->visible_faces)
            draw_visible_faces(p, &part, view->visible_faces);
    }
    draw_caption(p, view, visible != NULL);
    *ret = &p->picture;
    return 0;
}
