/* Text from glyphs that cairo drew once. Private to overlay/. */
#ifndef TF_OVERLAY_TEXT_H
#define TF_OVERLAY_TEXT_H

#include <stdbool.h>

#include "base/error.h"
#include "overlay/draw.h"

struct tf_font;

/* One size (pixels) of the system's sans-serif font; -ENOENT when there is no font at all. */
int tf_font_create(float size, bool bold, struct tf_font **ret, struct tf_error *err);
void tf_font_destroy(struct tf_font *font);
/* Pixels from the top of a capital letter to the base line; what a row of text is centred by. */
int tf_font_cap_height(const struct tf_font *font);
/* Advance of UTF-8 text. Characters beyond Latin Extended-A count as the mark for unknown ones. */
int tf_text_width(const struct tf_font *font, const char *text);
/* Base line starts at x, y. `outline` (0..256): strength of a dark rim, for text on the picture itself.
 * Returns the advance. */
int tf_text_draw(const struct tf_canvas *canvas, const struct tf_font *font, int x, int y, const char *text,
                 uint32_t rgb, unsigned outline);

#endif
