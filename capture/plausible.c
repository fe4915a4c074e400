/*
 * Whether a picture can be what it is taken for: values within their row's limits, colours that are not a
 * palette's.
 */
#include <stdlib.h>

#include "capture/internal.h"

#define GRID 24 /* so many lines, and so many values of each */

static uint8_t byte_at(const struct tf_frame *f, int plane, uint32_t x, uint32_t y)
{
    return f->plane[plane][(size_t)y * f->stride[plane] + x];
}

bool tf_values_plausible(const struct tf_format *row, const struct tf_frame *f)
{
    const struct tf_radiometry *r = &f->radiometry;

    if (!r->valid || f->pixel != TF_PIXEL_U16)
        return true;
    for (uint32_t i = 0; i < GRID; i++)
        for (uint32_t k = 0; k < GRID; k++) {
            uint32_t x = (k * f->width + f->width / 2u) / GRID, y = (i * f->height + f->height / 2u) / GRID;
            const uint8_t *at = f->plane[0] + (size_t)y * f->stride[0] + (size_t)x * 2;
            float c = (float)(at[0] | at[1] << 8) * r->scale + r->offset;

            if (c >= row->valid_min && c <= row->valid_max)
                return true;
        }
    return false;
}

/* Luma and chroma around a place; false: gray, or no format of colours. */
static bool colour_at(const struct tf_frame *f, uint32_t x, uint32_t y, int ret[3])
{
    uint32_t pair = x / 2 * 4;

    switch (f->pixel) {
    case TF_PIXEL_YUYV:
        ret[0] = byte_at(f, 0, x * 2, y);
        ret[1] = byte_at(f, 0, pair + 1, y);
        ret[2] = byte_at(f, 0, pair + 3, y);
        return true;
    case TF_PIXEL_UYVY:
        ret[0] = byte_at(f, 0, x * 2 + 1, y);
        ret[1] = byte_at(f, 0, pair, y);
        ret[2] = byte_at(f, 0, pair + 2, y);
        return true;
    case TF_PIXEL_NV12:
        ret[0] = byte_at(f, 0, x, y);
        ret[1] = byte_at(f, 1, x / 2 * 2, y / 2);
        ret[2] = byte_at(f, 1, x / 2 * 2 + 1, y / 2);
        return true;
    case TF_PIXEL_YUV420:
        if (!f->plane[1])
            return false;
        ret[0] = byte_at(f, 0, x, y);
        ret[1] = byte_at(f, 1, x / 2, y / 2);
        ret[2] = byte_at(f, 2, x / 2, y / 2);
        return true;
    default:
        return false;
    }
}

/*
 * A palette is a line through the space of colours: where the chroma is known, so is the luma. Light on
 * things makes every luma of one chroma. Of the colourful places (chroma 20 or more from gray), the share
 * whose luma lies within 16 of the mean of their chroma's cell.
 */
bool tf_looks_like_palette(const struct tf_frame *f)
{
    enum { CELL = 12, CELLS = 256 / CELL + 1, STEPS = 160 };
    static _Thread_local struct {
        uint32_t n, sum, near;
    } cells[CELLS][CELLS];
    uint32_t colourful = 0, near = 0, used = 0, all = 0;
    uint32_t step_x = f->width / STEPS + 1u, step_y = f->height / STEPS + 1u;

    for (int i = 0; i < CELLS * CELLS; i++)
        cells[i / CELLS][i % CELLS].n = cells[i / CELLS][i % CELLS].sum = cells[i / CELLS][i % CELLS].near =
            0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t y = 0; y < f->height; y += step_y)
            for (uint32_t x = 0; x < f->width; x += step_x) {
                int c[3];
                uint32_t u, v;

                if (!colour_at(f, x, y, c))
                    return false;
                all += pass == 0;
                if (abs(c[1] - 128) + abs(c[2] - 128) < 20)
                    continue;
                u = (uint32_t)c[1] / CELL;
                v = (uint32_t)c[2] / CELL;
                if (pass == 0) {
                    used += cells[u][v].n == 0;
                    cells[u][v].n++;
                    cells[u][v].sum += (uint32_t)c[0];
                    colourful++;
                } else {
                    near += (uint32_t)abs(c[0] - (int)(cells[u][v].sum / cells[u][v].n)) <= 16;
                }
            }
    /* A picture of mostly gray, or of one colour alone (a red lamp), is none. */
    return colourful * 3 >= all && used >= 6 && near * 10 >= colourful * 9;
}
