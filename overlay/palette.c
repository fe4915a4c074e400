/* Palettes: 256 colours from a few control points, joined by straight lines in sRGB. */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "overlay/overlay.h"

#define CONTROL_MAX 17

struct control {
    uint8_t at; /* index of the table, rising from 0 to 255 */
    uint32_t rgb;
};

struct palette {
    const char *name;
    struct control controls[CONTROL_MAX];
};

/*
 * iron: the black, violet, red, orange, yellow, white ramp of thermography, chosen by eye so that lightness
 * rises all the way. viridis: van der Walt and Smith, 2015 (CC0), perceptually uniform, legible to the
 * colour-blind and in gray print; every sixteenth colour of its table, between which it is smooth. inferno:
 * the same authors and sampling. arctic: cold in blue, warm in gold. rainbow: hue from blue to
 * red; for comparing with older pictures only, since its lightness goes up and down.
 */
static const struct palette palettes[] = {
    {"iron",
     {{0, 0x00000a},
      {20, 0x12004a},
      {51, 0x3c0a86},
      {84, 0x8b0e92},
      {115, 0xc02271},
      {146, 0xdf4a35},
      {178, 0xf17c0d},
      {208, 0xfbb414},
      {234, 0xfde35a},
      {255, 0xfffff0}}},
    {"white-hot", {{0, 0x000000}, {255, 0xffffff}}},
    {"black-hot", {{0, 0xffffff}, {255, 0x000000}}},
    {"viridis",
     {{0, 0x440154},
      {16, 0x48186a},
      {32, 0x472d7b},
      {48, 0x424086},
      {64, 0x3b528b},
      {80, 0x33638d},
      {96, 0x2c728e},
      {112, 0x26828e},
      {128, 0x21918c},
      {144, 0x1fa088},
      {160, 0x28ae80},
      {176, 0x3fbc73},
      {192, 0x5ec962},
      {208, 0x84d44b},
      {224, 0xaddc30},
      {240, 0xd8e219},
      {255, 0xfde725}}},
    {"inferno",
     {{0, 0x000004},
      {16, 0x0b0724},
      {32, 0x210c4a},
      {48, 0x3d0965},
      {64, 0x57106e},
      {80, 0x71196e},
      {96, 0x8a226a},
      {112, 0xa32c61},
      {128, 0xbc3754},
      {144, 0xd24644},
      {160, 0xe45a31},
      {176, 0xf1731d},
      {192, 0xf98e09},
      {208, 0xfcac11},
      {224, 0xf9cb35},
      {240, 0xf2ea69},
      {255, 0xfcffa4}}},
    {"arctic",
     {{0, 0x050a30},
      {64, 0x14408a},
      {112, 0x2b79b8},
      {144, 0x6f9fae},
      {176, 0xb3a877},
      {208, 0xe3b54a},
      {236, 0xfad98a},
      {255, 0xfff7d6}}},
    {"rainbow",
     {{0, 0x0a0a78},
      {42, 0x0050e6},
      {85, 0x00bcc8},
      {128, 0x28c846},
      {170, 0xe6e61e},
      {213, 0xfa7814},
      {255, 0xd20f14}}},
};
#define PALETTES TF_COUNT(palettes)

static uint32_t tables[PALETTES][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t mix(uint32_t a, uint32_t b, uint32_t part, uint32_t whole)
{
    uint32_t rgb = 0;

    for (int shift = 0; shift <= 16; shift += 8) {
        uint32_t from = (a >> shift) & 255, to = (b >> shift) & 255;
        rgb |= ((from * (whole - part) + to * part + whole / 2) / whole) << shift;
    }
    return rgb;
}

static void fill_tables(void)
{
    for (size_t p = 0; p < PALETTES; p++) {
        const struct control *c = palettes[p].controls;
        for (uint32_t i = 0; i < 256; i++) {
            while (i > c[1].at)
                c++;
            tables[p][i] = mix(c[0].rgb, c[1].rgb, i - c[0].at, (uint32_t)(c[1].at - c[0].at));
        }
    }
}

int tf_palette_find(const char *name, int *ret, struct tf_error *err)
{
    char list[128];
    size_t length = 0;

    for (size_t p = 0; p < PALETTES; p++)
        if (strcmp(name, palettes[p].name) == 0) {
            *ret = (int)p;
            return 0;
        }
    for (size_t p = 0; p < PALETTES && length < sizeof(list); p++)
        length +=
            (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", p ? ", " : "", palettes[p].name);
    return tf_fail(err, -EINVAL, "palette \"%s\" is not known; there are %s", name, list);
}

const char *tf_palette_name(int palette)
{
    return palette >= 0 && (size_t)palette < PALETTES ? palettes[palette].name : NULL;
}

const uint32_t *tf_palette_table(int palette)
{
    if (palette < 0 || (size_t)palette >= PALETTES)
        return NULL;
    pthread_once(&once, fill_tables);
    return tables[palette];
}
