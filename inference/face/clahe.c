/*
 * Zuiderveld's method (Graphics Gems IV, 1994) in the form of OpenCV 4 (modules/imgproc/src/clahe.cpp), since
 * networks are trained on what that gives: how a histogram's cut-off part is given back, and how tables are
 * mixed, both count.
 */
#include <math.h>
#include <string.h>

#include "inference/face/clahe.h"

#define LEVELS 256

static void table(const uint8_t *tile, uint32_t stride, uint32_t width, uint32_t height, float limit,
                  uint8_t lut[LEVELS])
{
    int pixels = (int)(width * height), most = (int)(limit * (float)pixels / LEVELS), cut = 0, sum = 0;
    int hist[LEVELS] = {0};
    float scale = (float)(LEVELS - 1) / (float)pixels;

    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++)
            hist[tile[(size_t)y * stride + x]]++;
    }
    most = most < 1 ? 1 : most;
    for (int i = 0; i < LEVELS; i++) {
        if (hist[i] > most) {
            cut += hist[i] - most;
            hist[i] = most;
        }
    }
    int each = cut / LEVELS, rest = cut % LEVELS, step = rest > 0 ? LEVELS / rest : LEVELS;
    for (int i = 0; i < LEVELS; i++)
        hist[i] += each;
    for (int i = 0; i < LEVELS && rest > 0; i += step, rest--)
        hist[i]++;
    for (int i = 0; i < LEVELS; i++) {
        sum += hist[i];
        float v = rintf((float)sum * scale);

        lut[i] = (uint8_t)(v > 255 ? 255 : v);
    }
}

/* The two tiles between whose centres a position lies, and the share of the second. */
struct between {
    uint32_t a, b;
    float share;
};

static struct between place(uint32_t at, uint32_t size, uint32_t tiles)
{
    float f = (float)at * (1.0f / (float)size) - 0.5f;
    int first = (int)floorf(f);

    return (struct between){first < 0 ? 0 : (uint32_t)first,
                            first + 1 >= (int)tiles ? tiles - 1 : (uint32_t)(first + 1), f - (float)first};
}

void tf_clahe(uint8_t *pixels, uint32_t width, uint32_t height, float limit, uint32_t tiles, uint8_t *scratch)
{
    uint32_t w = width / tiles, h = height / tiles;

    for (uint32_t ty = 0; ty < tiles; ty++) {
        for (uint32_t tx = 0; tx < tiles; tx++)
            table(pixels + (size_t)ty * h * width + (size_t)tx * w, width, w, h, limit,
                  scratch + (size_t)(ty * tiles + tx) * LEVELS);
    }
    for (uint32_t y = 0; y < height; y++) {
        struct between v = place(y, h, tiles);

        for (uint32_t x = 0; x < width; x++) {
            struct between u = place(x, w, tiles);
            uint8_t *p = &pixels[(size_t)y * width + x];
            const uint8_t *lut = scratch + *p;
            float top = (float)lut[(size_t)(v.a * tiles + u.a) * LEVELS] * (1 - u.share) +
                        (float)lut[(size_t)(v.a * tiles + u.b) * LEVELS] * u.share;
            float bottom = (float)lut[(size_t)(v.b * tiles + u.a) * LEVELS] * (1 - u.share) +
                           (float)lut[(size_t)(v.b * tiles + u.b) * LEVELS] * u.share;

            *p = (uint8_t)rintf(top * (1 - v.share) + bottom * v.share);
        }
    }
}
