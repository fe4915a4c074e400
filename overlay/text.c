/* Text from glyphs that cairo drew once. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>

#include "base/count.h"
#include "overlay/text.h"

/* Rim around a glyph, pixels: room for the outline. */
#define RIM 2

struct glyph {
    uint32_t offset;   /* of the fill mask in `masks`; the outline's follows it */
    int16_t left, top; /* of the mask, from the pen position */
    uint16_t w, h;
    int16_t advance;
};

/* Basic Latin, Latin-1 and Latin Extended-A, and four signs beyond; slot 0 is the mark for all others. */
#define LATIN_FIRST 0x20
#define LATIN_LAST 0x17f
static const uint32_t further[] = {0x2013, 0x2026, 0x2212, 0x00b5};
#define FURTHER TF_COUNT(further)
#define GLYPHS (1 + LATIN_LAST - LATIN_FIRST + 1 + FURTHER)

struct tf_font {
    struct glyph glyphs[GLYPHS];
    uint8_t *masks;
    int cap_height;
};

static void put_utf8(uint32_t code, char text[5])
{
    memset(text, 0, 5);
    if (code < 0x80) {
        text[0] = (char)code;
    } else if (code < 0x800) {
        text[0] = (char)(0xc0 | code >> 6);
        text[1] = (char)(0x80 | (code & 63));
    } else {
        text[0] = (char)(0xe0 | code >> 12);
        text[1] = (char)(0x80 | ((code >> 6) & 63));
        text[2] = (char)(0x80 | (code & 63));
    }
}

/* One character; malformed bytes are taken one by one as unknown. */
static const char *next_code(const char *text, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)text;
    int more = *p < 0x80 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : -1;

    *code = 0;
    if (more < 0)
        return text + 1;
    uint32_t value = more ? *p & (0x3f >> more) : *p;
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return text + i;
        value = value << 6 | (p[i] & 0x3f);
    }
    *code = value;
    return text + 1 + more;
}

static size_t slot_of(uint32_t code)
{
    if (code >= LATIN_FIRST && code <= LATIN_LAST)
        return 1 + code - LATIN_FIRST;
    for (size_t i = 0; i < FURTHER; i++)
        if (further[i] == code)
            return GLYPHS - FURTHER + i;
    return 0;
}

static uint32_t code_of(size_t slot)
{
    if (!slot)
        return 0x25a1; /* white square */
    return slot >= GLYPHS - FURTHER ? further[slot - (GLYPHS - FURTHER)] : LATIN_FIRST + (uint32_t)slot - 1;
}

static void set_font(cairo_t *cairo, float size, bool bold)
{
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, (double)size);
}

static void measure(cairo_t *cairo, struct tf_font *font, size_t *bytes)
{
    cairo_text_extents_t e;

    *bytes = 0;
    for (size_t slot = 0; slot < GLYPHS; slot++) {
        struct glyph *g = font->glyphs + slot;
        char text[5];
        put_utf8(code_of(slot), text);
        cairo_text_extents(cairo, text, &e);
        g->advance = (int16_t)lround(e.x_advance);
        g->offset = (uint32_t)*bytes;
        if (e.width <= 0 || e.height <= 0)
            continue;
        g->left = (int16_t)((int)floor(e.x_bearing) - RIM);
        g->top = (int16_t)((int)floor(e.y_bearing) - RIM);
        g->w = (uint16_t)((int)ceil(e.x_bearing + e.width) + RIM - g->left);
        g->h = (uint16_t)((int)ceil(e.y_bearing + e.height) + RIM - g->top);
        *bytes += 2 * (size_t)g->w * g->h;
    }
    cairo_text_extents(cairo, "H", &e);
    font->cap_height = (int)lround(-e.y_bearing);
}

/* The rim: the fill grown by a disc of 1.5 pixels' radius with soft edge. */
static void grow(const uint8_t *fill, uint8_t *outline, int w, int h)
{
    static const uint8_t weight[5][5] = {{0, 70, 140, 70, 0},
                                         {70, 225, 255, 225, 70},
                                         {140, 255, 255, 255, 140},
                                         {70, 225, 255, 225, 70},
                                         {0, 70, 140, 70, 0}};

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            unsigned most = 0;
            for (int dy = -2; dy <= 2; dy++)
                for (int dx = -2; dx <= 2; dx++) {
                    if (y + dy < 0 || y + dy >= h || x + dx < 0 || x + dx >= w)
                        continue;
                    unsigned v = fill[(y + dy) * w + x + dx] * (unsigned)weight[dy + 2][dx + 2] / 255;
                    most = v > most ? v : most;
                }
            outline[y * w + x] = (uint8_t)most;
        }
}

static int render(struct tf_font *font, float size, bool bold)
{
    int w = 1, h = 1, ret = -ENOMEM;
    cairo_surface_t *surface;
    cairo_t *cairo;

    for (size_t slot = 0; slot < GLYPHS; slot++) {
        w = font->glyphs[slot].w > w ? font->glyphs[slot].w : w;
        h = font->glyphs[slot].h > h ? font->glyphs[slot].h : h;
    }
    surface = cairo_image_surface_create(CAIRO_FORMAT_A8, w, h);
    cairo = cairo_create(surface);
    if (cairo_status(cairo) != CAIRO_STATUS_SUCCESS)
        goto done;
    set_font(cairo, size, bold);
    for (size_t slot = 0; slot < GLYPHS; slot++) {
        const struct glyph *g = font->glyphs + slot;
        char text[5];
        if (!g->w)
            continue;
        cairo_save(cairo);
        cairo_set_operator(cairo, CAIRO_OPERATOR_CLEAR);
        cairo_paint(cairo);
        cairo_restore(cairo);
        cairo_move_to(cairo, -g->left, -g->top);
        put_utf8(code_of(slot), text);
        cairo_show_text(cairo, text);
        cairo_surface_flush(surface);
        if (cairo_status(cairo) != CAIRO_STATUS_SUCCESS)
            goto done;
        const uint8_t *data = cairo_image_surface_get_data(surface);
        size_t stride = (size_t)cairo_image_surface_get_stride(surface);
        for (size_t y = 0; y < g->h; y++)
            memcpy(font->masks + g->offset + y * g->w, data + y * stride, g->w);
        grow(font->masks + g->offset, font->masks + g->offset + (size_t)g->w * g->h, g->w, g->h);
    }
    ret = 0;
done:
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return ret;
}

int tf_font_create(float size, bool bold, struct tf_font **ret, struct tf_error *err)
{
    struct tf_font *font = NULL;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(surface);
    size_t bytes;
    int code = -ENOMEM;

    font = calloc(1, sizeof(*font));
    if (!font)
        goto fail;
    set_font(cairo, size, bold);
    measure(cairo, font, &bytes);
    code = -ENOENT;
    if (cairo_status(cairo) != CAIRO_STATUS_SUCCESS || !font->glyphs[slot_of('0')].w)
        goto fail;
    code = -ENOMEM;
    font->masks = malloc(bytes);
    if (!font->masks)
        goto fail;
    code = render(font, size, bold);
    if (code < 0)
        goto fail;
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    *ret = font;
    return 0;

fail:
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    tf_font_destroy(font);
    if (code == -ENOENT)
        return tf_fail(err, code,
                       "overlay: no font for text is installed; install one (Debian: fonts-dejavu-core)");
    return tf_fail(err, code, "overlay: out of memory");
}

void tf_font_destroy(struct tf_font *font)
{
    if (!font)
        return;
    free(font->masks);
    free(font);
}

int tf_font_cap_height(const struct tf_font *font)
{
    return font->cap_height;
}

int tf_text_width(const struct tf_font *font, const char *text)
{
    int width = 0;
    uint32_t code;

    while (*text) {
        text = next_code(text, &code);
        width += font->glyphs[slot_of(code)].advance;
    }
    return width;
}

struct stencil {
    const uint8_t *mask;
    int x, y, w; /* of the mask's first pixel, and its width */
    unsigned strength;
};

static void fill_glyph(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    const struct stencil *s = shape;
    const uint8_t *line = s->mask + (size_t)(y - s->y) * (size_t)s->w + (*first - s->x);

    for (int i = 0; i <= *last - *first; i++)
        ret[i] = (uint16_t)((line[i] + (line[i] >> 7)) * s->strength >> 8);
}

static void blit(const struct tf_canvas *c, const struct tf_font *font, const struct glyph *g, int x, int y,
                 uint32_t rgb, unsigned strength, bool outline)
{
    struct tf_rect r = {x + g->left, y + g->top, g->w, g->h};
    struct stencil stencil = {.mask = font->masks + g->offset + (outline ? (size_t)g->w * g->h : 0),
                              .x = r.x,
                              .y = r.y,
                              .w = r.w,
                              .strength = strength};

    tf_draw_shape(c, r, fill_glyph, &stencil, rgb);
}

int tf_text_draw(const struct tf_canvas *c, const struct tf_font *font, int x, int y, const char *text,
                 uint32_t rgb, unsigned outline)
{
    uint32_t code;
    int pen = x;

    /* All rims before all fills, so that no rim darkens the letter before it. */
    for (const char *p = text; outline && *p;) {
        p = next_code(p, &code);
        const struct glyph *g = font->glyphs + slot_of(code);
        blit(c, font, g, pen, y, 0, outline, true);
        pen += g->advance;
    }
    pen = x;
    for (const char *p = text; *p;) {
        p = next_code(p, &code);
        const struct glyph *g = font->glyphs + slot_of(code);
        blit(c, font, g, pen, y, rgb, 256, false);
        pen += g->advance;
    }
    return pen - x;
}
