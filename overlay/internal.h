/* What the files of overlay/ share. */
#ifndef TF_OVERLAY_INTERNAL_H
#define TF_OVERLAY_INTERNAL_H

#include "overlay/draw.h"
#include "overlay/kernels/kernels.h"
#include "overlay/levels.h"
#include "overlay/overlay.h"
#include "overlay/planes.h"
#include "overlay/scale.h"
#include "overlay/text.h"

#define TF_INK 0xf2f4f5u /* text */
#define TF_INK_DIM 0x9aa4abu
#define TF_PANEL 0x15191cu /* behind the scale bar and the clock */
#define TF_SHADE 0x0b0e10u /* under text that lies on the picture */

/* What the scale bar and the strip show: they are drawn when that changes. */
#define TF_TICKS 32
struct tf_bar_shown {
    bool drawn, scale, celsius;
    int count;
    struct {
        int y;
        char text[16];
    } ticks[TF_TICKS];
};
#define TF_CELLS 4
struct tf_text_cell {
    const struct tf_font *font;
    uint32_t rgb;
    int x, base, width;
    char text[64];
};
struct tf_strip_shown {
    bool drawn;
    int count;
    struct tf_text_cell cells[TF_CELLS];
};

struct tf_overlay {
    struct tf_overlay_options options;
    uint32_t width, height; /* of the upright frame */
    uint32_t factor;        /* picture pixels a frame pixel */
    float ui;               /* sizes of marks and text, 1 at about 500 lines */
    struct tf_rect image;   /* the frame's part of the picture */
    struct tf_rect bar;     /* room of the scale bar, right of it; w 0: none */
    struct tf_rect strip;   /* room of the clock below both; h 0: none */
    struct tf_picture picture;
    uint8_t *pixels; /* the picture's memory */
    const struct tf_paint *paint;
    struct tf_planes *planes; /* of pictures of planes; the next three are RGB's */

    struct tf_font *small, *normal, *bold, *huge;
    int16_t *levels[3]; /* upright planes; 1 and 2 only once a colour frame came */
    struct tf_scaler *scalers[3];
    int16_t *row[3];        /* one enlarged row a plane */
    uint32_t colours[1024]; /* the palette by level / TF_LEVEL_STEPS + TF_COLOURS_ZERO, its ends repeated */

    struct tf_bar_shown bar_shown;
    struct tf_strip_shown strip_shown;

    bool range_set;
    struct tf_range range; /* the picture's values at the palette's ends */
    uint64_t range_ns;
    bool skin_set;
    struct tf_range skin; /* values of the faces last seen */
    uint64_t skin_ns;     /* when */
};
#define TF_COLOURS_ZERO 384

/* Memory for a picture of its width and height, black; fills in where its rows lie. The caller frees it. */
uint8_t *tf_picture_memory(struct tf_picture *picture, enum tf_picture_form form);

/* From now on the overlay draws into the top left corner of another picture of its form, which outlives it.
 */
void tf_overlay_draw_into(struct tf_overlay *overlay, const struct tf_picture *picture);

/* The whole picture, or the frame's part, as a canvas. */
static inline struct tf_canvas tf_canvas_of(struct tf_overlay *o, const struct tf_rect *clip)
{
    struct tf_rect all = {0, 0, (int)o->picture.width, (int)o->picture.height};

    return (struct tf_canvas){&o->picture, clip ? *clip : all};
}

/* faces.c: boxes, regions and points of all faces on the frame's part, and own regions of the picture;
 * `faces` and `own` may be NULL. `celsius`: the unit of the regions' values. */
void tf_faces_draw(struct tf_overlay *overlay, const struct tf_faces *faces, const struct tf_own_result *own,
                   bool celsius);

/* panel.c: what surrounds the frame or says its state. */
void tf_bar_draw(struct tf_overlay *overlay, const struct tf_frame *frame);
void tf_strip_draw(struct tf_overlay *overlay, const struct tf_overlay_note *note);
void tf_banner_draw(struct tf_overlay *overlay, const struct tf_frame *frame,
                    const struct tf_overlay_note *note);
void tf_card_draw(struct tf_overlay *overlay, const struct tf_overlay_note *note);
/* Height that the strip needs for pictures of that width. */
int tf_strip_height(const struct tf_overlay *overlay, int width);

/* number.c */
bool tf_number_fits(uint32_t width);
int tf_number_right(void);
void tf_number_draw(const struct tf_canvas *canvas, uint64_t number);

#endif
