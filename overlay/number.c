/*
 * The frame number for machines: 48 blocks of 8x8 pixels in two rows of 24, black (0) or white (1), in the
 * bottom left corner. In reading order: 8 fixed bits (10100110) that prove it is there and give the
 * threshold, 32 bits of the number (its low ones, most significant first), 8 bits CRC-8 (polynomial 0x07)
 * over the number's four bytes. docs/overlay.md.
 */
#include <errno.h>

#include "overlay/internal.h"

#define BLOCK 8
#define COLUMNS 24
#define ROWS 2
#define SYNC 0xa6u
#define LEFT 8         /* of the strip, from the picture's left edge */
#define FROM_BOTTOM 24 /* of its top, from the picture's bottom edge */

#define DARK 0x101010u
#define BRIGHT 0xd8d8d8u

static uint8_t crc8(uint32_t number)
{
    uint8_t crc = 0;

    for (int byte = 3; byte >= 0; byte--) {
        crc ^= (uint8_t)(number >> 8 * byte);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint8_t)(crc << 1 ^ (crc & 0x80 ? 0x07 : 0));
    }
    return crc;
}

bool tf_number_fits(uint32_t width)
{
    return width >= LEFT + COLUMNS * BLOCK;
}

int tf_number_right(void)
{
    return LEFT + COLUMNS * BLOCK;
}

void tf_number_draw(const struct tf_canvas *c, uint64_t number)
{
    uint32_t low = (uint32_t)number;
    uint64_t bits = (uint64_t)SYNC << 40 | (uint64_t)low << 8 | crc8(low);
    int top = (int)c->picture->height - FROM_BOTTOM;

    for (int i = 0; i < COLUMNS * ROWS; i++) {
        struct tf_rect block = {LEFT + i % COLUMNS * BLOCK, top + i / COLUMNS * BLOCK, BLOCK, BLOCK};
        tf_draw_rect(c, block, bits >> (COLUMNS * ROWS - 1 - i) & 1 ? BRIGHT : DARK, 256);
    }
}

/* Mean brightness of a block's middle, where the codec's ringing at its edges does not reach. */
static unsigned brightness(const struct tf_picture *p, int index)
{
    uint32_t x0 = (uint32_t)(LEFT + index % COLUMNS * BLOCK), y0 = p->height - FROM_BOTTOM;
    unsigned sum = 0;

    y0 += (uint32_t)(index / COLUMNS * BLOCK);
    for (uint32_t y = y0 + 2; y < y0 + 6; y++)
        for (uint32_t x = x0 + 2; x < x0 + 6; x++) {
            if (p->data) {
                const uint8_t *rgb = p->data + (size_t)y * p->stride + 4 * (size_t)x;
                sum += rgb[0] + 2u * rgb[1] + rgb[2];
            } else {
                sum += 4u * p->plane[0][(size_t)y * p->pitch[0] + x];
            }
        }
    return sum / 64;
}

int tf_overlay_read_number(const struct tf_picture *p, uint32_t *ret)
{
    unsigned values[COLUMNS * ROWS], dark = 0, bright = 0;
    uint64_t bits = 0;

    if (!tf_number_fits(p->width) || p->height < FROM_BOTTOM)
        return -ENOENT;
    for (int i = 0; i < COLUMNS * ROWS; i++)
        values[i] = brightness(p, i);
    for (int i = 0; i < 8; i++) { /* four of the sync bits are set */
        if (SYNC >> (7 - i) & 1)
            bright += values[i];
        else
            dark += values[i];
    }
    if (bright < dark + 4 * 48)
        return -ENOENT;
    for (int i = 0; i < COLUMNS * ROWS; i++)
        bits = bits << 1 | (values[i] * 8 > bright + dark);
    if (bits >> 40 != SYNC)
        return -ENOENT;
    uint32_t number = (uint32_t)(bits >> 8);
    if (crc8(number) != (bits & 255))
        return -EBADMSG;
    *ret = number;
    return 0;
}
