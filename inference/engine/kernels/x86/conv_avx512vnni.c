/*
 * Convolution, AVX512-VNNI: tiles of pixels by vectors of 16 output channels, accumulators in registers.
 *
 * An entry costs a load per vector and a broadcast per pixel for (pixels x vectors) vpdpbusd. The tile
 * heights below keep both load ports less busy than the two multiply ports, and leave more than the ten
 * independent chains that hide vpdpbusd's latency.
 */
#include <immintrin.h>
#include <string.h>

static inline __m512i broadcast4(const void *p)
{
    int32_t v;

    memcpy(&v, p, sizeof(v));
    return _mm512_set1_epi32(v);
}

#define VEC __m512i
#define LANES 16
#define VEC_LOAD(p) _mm512_loadu_si512(p)
#define VEC_BROADCAST(p) broadcast4(p)
#define VEC_ADD(a, b) _mm512_add_epi32(a, b)
#define VEC_ZERO _mm512_setzero_si512()
#define VEC_DOT(acc, a, w) _mm512_dpbusd_epi32(acc, a, w)
#include "inference/engine/kernels/x86/tile.h"
#include "inference/engine/kernels/x86/conv_zmm.h"

TF_STORE(3)
TF_STORE(4)

#define ROWS_MAX 14

/* clang-format off */
LINE(1, 4) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1)
TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1) TILE(13, 1) TILE(14, 1)
LINE(2, 4) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)
LINE(3, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3) TILE(5, 3) TILE(6, 3) TILE(7, 3) TILE(8, 3)
LINE(4, 3) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 4) TILE(6, 4)
    /* clang-format on */

    /* By vectors of the panel, then by pixels. */
    static const tile_fn tiles[4][ROWS_MAX] = {
        {run_1x1, run_2x1, run_3x1, run_4x1, run_5x1, run_6x1, run_7x1, run_8x1, run_9x1, run_10x1, run_11x1,
         run_12x1, run_13x1, run_14x1},
        {run_1x2, run_2x2, run_3x2, run_4x2, run_5x2, run_6x2, run_7x2, run_8x2, run_9x2, run_10x2, run_11x2,
         run_12x2},
        {run_1x3, run_2x3, run_3x3, run_4x3, run_5x3, run_6x3, run_7x3, run_8x3},
        {run_1x4, run_2x4, run_3x4, run_4x4, run_5x4, run_6x4},
};
static const int rows_most[4] = {14, 12, 8, 6};

void tf_conv_avx512vnni(const struct tf_conv_args *args, int panel0, int panel1, int m0, int m1)
{
    for (int p = panel0; p < panel1; p++) {
        const struct tf_conv_panel *panel = &args->panels[p];
        const int nv = (panel->n + LANES - 1) / LANES, most = rows_most[nv - 1];

        /* Tiles of nearly equal height: 49 pixels as 5s and 6s, not as eight 6s and a slow 1. */
        for (int m = m0, left = (m1 - m0 + most - 1) / most; left > 0; left--) {
            const int rows = (m1 - m + left - 1) / left;
            tiles[nv - 1][rows - 1](args, panel, m);
            m += rows;
        }
    }
}
