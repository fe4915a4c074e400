/*
 * A closed shutter without telemetry: while it calibrates, a thermal camera repeats its last picture. Noise
 * makes every picture of an open shutter another one, so two that are alike in every bit are one picture.
 */
#include <string.h>

#include "capture/internal.h"

/*
 * A picture that stands for so long is a closed shutter: longer than a camera of 9 Hz that delivers at 27 Hz
 * repeats each picture (115 ms), shorter than calibrations are (a Lepton's takes 0.4 to 0.9 s with the
 * shutter closed; datasheet 500-0659-00-09, "FFC").
 */
#define CLOSED_NS 250000000u
/* After so long it is no calibration but a camera that hangs: duplicates only. */
#define HANGS_NS 10000000000u

/* Every step is a bijection of the lane, so no single change goes unseen. The multiplier is FNV-1a's. */
static uint64_t hash_of(const struct tf_frame *f)
{
    const uint64_t prime = 0x100000001b3ull;
    uint64_t lane[4] = {1, 2, 3, 4}, h = 0xcbf29ce484222325ull;
    size_t bytes = (size_t)f->width * (f->pixel == TF_PIXEL_U16 ? 2 : 1);

    for (uint32_t y = 0; y < f->height; y++) {
        const uint8_t *row = f->plane[0] + (size_t)y * f->stride[0];
        size_t x = 0;

        for (; x + 32 <= bytes; x += 32)
            for (int i = 0; i < 4; i++) {
                uint64_t w;

                memcpy(&w, row + x + (size_t)i * 8, 8);
                lane[i] = (lane[i] ^ w) * prime;
            }
        for (; x < bytes; x++)
            h = (h ^ row[x]) * prime;
    }
    for (int i = 0; i < 4; i++)
        h = (h ^ lane[i]) * prime;
    return h;
}

uint32_t tf_frozen_follow(struct tf_frozen *frozen, const struct tf_frame *f)
{
    uint64_t hash = hash_of(f), stood;

    if (!frozen->has || hash != frozen->hash) {
        frozen->has = true;
        frozen->hash = hash;
        frozen->since_ns = f->t_mono_ns;
        return 0;
    }
    stood = f->t_mono_ns - frozen->since_ns;
    return TF_FLAG_DUPLICATE | (stood >= CLOSED_NS && stood < HANGS_NS ? TF_FLAG_FFC : 0);
}
