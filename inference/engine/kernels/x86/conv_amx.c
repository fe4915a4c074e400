/*
 * Convolution, AMX: tiles of 16 pixels by 16 output channels, summed over 64 input bytes at a time.
 *
 * tf_conv_pack lays the entries in chunks of 16, which read 64 consecutive bytes of a pixel's window (the
 * last chunk of a run reads on, times 0), so that a tile of activations is 16 rows of memory at one distance.
 * Pixels at one distance are what a row of the picture has; where the frame around it is a whole number of
 * pixels wide, so have pixels of several rows, with some in between that are computed and not kept. Pixels
 * that lie otherwise are copied together first.
 */
#include <immintrin.h>
#include <string.h>

#define VEC __m512i
#define LANES 16
#include "inference/engine/kernels/x86/conv_zmm.h"

#define ROWS 16
#define CHUNK 64 /* bytes of a row */

/* Up to 16 pixels from m that share a tile: runs of them from `row` on, which are neighbours in it. */
struct block {
    int m, n;
    const uint8_t *in; /* of the tile's first row */
    ptrdiff_t step;    /* from row to row; 0: the pixels are copied */
    int runs;
    struct {
        uint8_t row, n;
    } run[ROWS];
};

/* Intel SDM vol. 1, 18.3.1: palette 1, all eight tiles of 16 rows of 64 bytes. */
static void configure(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};

    for (int i = 0; i < 8; i++) {
        config.bytes[i] = CHUNK;
        config.rows[i] = ROWS;
    }
    _tile_loadconfig(&config);
}

/* How many of the pixels from m on lie in the rows from `row` on. */
static inline int run_at(const int32_t *off, int count, int32_t base, int32_t step, int row)
{
    const __m512i order = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const int most = count < ROWS - row ? count : ROWS - row;
    const __mmask16 there = (__mmask16)(0xffffu >> (ROWS - most));
    const __m512i at = _mm512_maskz_loadu_epi32(there, off);
    const __m512i want = _mm512_add_epi32(_mm512_set1_epi32(base + row * step),
                                          _mm512_mullo_epi32(order, _mm512_set1_epi32(step)));

    return __builtin_ctz(~(unsigned)_mm512_mask_cmpeq_epi32_mask(there, at, want));
}

/* The block that starts at pixel m; its end. No row lies beyond the pixels m0 to m1, whose bytes are there.
 */
static int block_at(const struct tf_conv_args *args, int m, int m0, int m1, int32_t step, struct block *b)
{
    const int32_t *off = args->in_off;
    const int32_t base = off[m];
    int row = 0, back = 0;

    b->m = m;
    b->n = b->runs = 0;
    while (step > 0 && m + b->n < m1 && row < ROWS) {
        const int n = run_at(off + m + b->n, m1 - m - b->n, base, step, row);

        if (n > 0) {
            b->run[b->runs].row = (uint8_t)row;
            b->run[b->runs++].n = (uint8_t)n;
            b->n += n;
            row += n;
        }
        if (m + b->n < m1 && row < ROWS) {
            /* The next row of the picture, a whole number of steps away? */
            const int64_t d = (int64_t)off[m + b->n] - base;

            if (d <= (int64_t)(row - 1) * step || d >= (int64_t)ROWS * step || d % step != 0)
                break;
            row = (int)(d / step);
        }
    }
    /* Rows past the last pixel: the tile starts earlier instead. */
    if (step > 0 && base + (int64_t)(ROWS - 1) * step > off[m1 - 1])
        back = (int)((base + (int64_t)(ROWS - 1) * step - off[m1 - 1] + step - 1) / step);
    if (b->n == 0 || row + back > ROWS || base - (int64_t)back * step < off[m0]) {
        b->step = 0;
        b->n = m1 - m < ROWS ? m1 - m : ROWS;
        b->runs = 1;
        b->run[0].row = 0;
        b->run[0].n = (uint8_t)b->n;
        return m + b->n;
    }
    for (int i = 0; back && i < b->runs; i++)
        b->run[i].row = (uint8_t)(b->run[i].row + back);
    b->step = step;
    b->in = args->in + base - (ptrdiff_t)back * step;
    return m + b->n;
}

/* Where a chunk of a block's activations lies, and at what distance its rows. */
TF_ALWAYS_INLINE const uint8_t *rows_of(const struct tf_conv_args *args, const struct block *b, ptrdiff_t off,
                                        uint8_t copy[ROWS][CHUNK], ptrdiff_t *step)
{
    if (b->step) {
        *step = b->step;
        return b->in + off;
    }
    for (int i = 0; i < b->n; i++)
        _mm512_store_si512(copy[i], _mm512_loadu_si512(args->in + args->in_off[b->m + i] + off));
    *step = CHUNK;
    return copy[0];
}

/* Neighbouring rows go through the same rounding as the other kernels' tiles. */
TF_ALWAYS_INLINE void leave(const struct tf_conv_args *args, const struct tf_conv_panel *panel,
                            const struct block *b, const __m512i *acc, const int nv)
{
    for (int i = 0, m = b->m; i < b->runs; m += b->run[i++].n) {
        const __m512i *at = acc + b->run[i].row * nv;
        const int n = b->run[i].n;

        if (args->residual)
            store_residual(args, panel, m, n, at, nv);
        else if (nv == 1)
            store_1(args, panel, m, n, at);
        else
            store_2(args, panel, m, n, at);
    }
}

/*
 * Sums of one or two blocks by one or two vectors of channels. They are rounded after the next ones have been
 * begun: what a tile stores can be loaded only when it has reached the cache.
 */
struct sums {
    __m512i acc[2][ROWS * 2];
    const struct block *b;
    int blocks;
    const struct tf_conv_panel *panel;
};

static void finish(const struct tf_conv_args *args, const struct sums *s)
{
    for (int i = 0; i < s->blocks; i++)
        if (s->panel->n > LANES)
            leave(args, s->panel, &s->b[i], s->acc[i], 2);
        else
            leave(args, s->panel, &s->b[i], s->acc[i], 1);
}

/* Tiles 0 to 3 are sums, 4 and 5 pixels, 6 and 7 weights. */
TF_ALWAYS_INLINE void tiles(const struct tf_conv_args *args, const struct tf_conv_panel *panel,
                            struct sums *s, const int blocks, const int nv)
{
    uint8_t copy[2][ROWS][CHUNK] __attribute__((aligned(64)));
    const int8_t *w = panel->w;
    const ptrdiff_t w_step = 64 * nv;

    /* Every row starts with the bias. */
    _tile_loadd(0, panel->bias, 0);
    if (nv > 1)
        _tile_loadd(1, panel->bias + LANES, 0);
    if (blocks > 1)
        _tile_loadd(2, panel->bias, 0);
    if (blocks > 1 && nv > 1)
        _tile_loadd(3, panel->bias + LANES, 0);
    for (int e = 0; e < panel->entries; e += CHUNK / 4, w += CHUNK / 4 * 64 * nv) {
        const uint8_t *in;
        ptrdiff_t step;

        in = rows_of(args, &s->b[0], panel->koff[e], copy[0], &step);
        _tile_loadd(4, in, step);
        _tile_loadd(6, w, w_step);
        _tile_dpbusd(0, 4, 6);
        if (nv > 1) {
            _tile_loadd(7, w + 64, w_step);
            _tile_dpbusd(1, 4, 7);
        }
        if (blocks > 1) {
            in = rows_of(args, &s->b[1], panel->koff[e], copy[1], &step);
            _tile_loadd(5, in, step);
            _tile_dpbusd(2, 5, 6);
            if (nv > 1)
                _tile_dpbusd(3, 5, 7);
        }
    }
    _tile_stored(0, s->acc[0], w_step);
    if (nv > 1)
        _tile_stored(1, s->acc[0] + 1, w_step);
    if (blocks > 1)
        _tile_stored(2, s->acc[1], w_step);
    if (blocks > 1 && nv > 1)
        _tile_stored(3, s->acc[1] + 1, w_step);
}

#define TILES(blocks, vectors)                                                                               \
    static __attribute__((noinline)) void tiles_##blocks##x##vectors(                                        \
        const struct tf_conv_args *args, const struct tf_conv_panel *panel, struct sums *s)                  \
    {                                                                                                        \
        tiles(args, panel, s, blocks, vectors);                                                              \
    }
TILES(1, 1)
TILES(1, 2)
TILES(2, 1)
TILES(2, 2)

void tf_conv_amx(const struct tf_conv_args *args, int panel0, int panel1, int m0, int m1)
{
    typedef void (*run_fn)(const struct tf_conv_args *, const struct tf_conv_panel *, struct sums *);
    static const run_fn run[2][2] = {{tiles_1x1, tiles_1x2}, {tiles_2x1, tiles_2x2}};
    const int32_t step = m1 - m0 > 1 ? args->in_off[m0 + 1] - args->in_off[m0] : 0;
    struct sums sums[2], *s = &sums[0], *last = NULL;
    struct block pairs[2][2];
    int odd = 0;

    configure();
    for (int m = m0; m < m1;) {
        struct block *b = pairs[odd];
        int blocks = 1;

        odd ^= 1;
        m = block_at(args, m, m0, m1, step, &b[0]);
        if (m < m1) {
            m = block_at(args, m, m0, m1, step, &b[1]);
            blocks = 2;
        }
        for (int p = panel0; p < panel1; p++) {
            s->b = b;
            s->blocks = blocks;
            s->panel = &args->panels[p];
            run[blocks - 1][s->panel->n > LANES](args, s->panel, s);
            if (last)
                finish(args, last);
            last = s;
            s = s == &sums[0] ? &sums[1] : &sums[0];
        }
    }
    if (last)
        finish(args, last);
    _tile_release();
}
