/* What draws planes: every level's kernels against the reference. Also built for Arm, and run by qemu. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "overlay/kernels/kernels.h"

#define MOST 300
#define GUARD 0xa5

static uint32_t random_state = 1;

static uint32_t random_bits(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static void fill(void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)random_bits();
}

/* Runs of every length and at odd addresses; nothing behind a result is touched. */
static void kernels_agree(void **state)
{
    const struct tf_paint *ref = tf_paint_at(0), *k;
    static uint16_t values[MOST];
    static uint8_t bytes[4][2 * MOST + 8], tables[3][256], a[4][MOST + 80], b[4][MOST + 80];
    static int16_t rows[4][MOST + 8], ra[MOST + 80], rb[MOST + 80];

    for (size_t level = 1; (k = tf_paint_at(level)); level++)
        for (size_t n = 0; n <= MOST; n = n < 140 ? n + 1 : n + 37) {
            float low = (float)(int)(random_bits() % 60000) - 1000, span = (float)(1 + random_bits() % 20000);
            int16_t c[4] = {(int16_t)(random_bits() % 1024 - 512), (int16_t)(random_bits() % 4096),
                            (int16_t)(random_bits() % 4096), (int16_t)(random_bits() % 1024 - 512)};
            size_t off = n % 7;

            fill(values, sizeof(values));
            fill(bytes, sizeof(bytes));
            fill(tables, sizeof(tables));
            for (int r = 0; r < 4; r++)
                for (int i = 0; i < MOST + 8; i++)
                    rows[r][i] = (int16_t)((int)(random_bits() % 16384) - 4096);
            memset(a, GUARD, sizeof(a));
            memset(b, GUARD, sizeof(b));
            memset(ra, GUARD, sizeof(ra));
            memset(rb, GUARD, sizeof(rb));

            ref->entries(values, n, low, 8160 / span, a[0] + off);
            k->entries(values, n, low, 8160 / span, b[0] + off);
            ref->lookup(bytes[0] + off, n, tables[0], a[1] + off);
            k->lookup(bytes[0] + off, n, tables[0], b[1] + off);
            ref->chroma(bytes[0] + off, bytes[1], n & ~1u, tables[1], tables[2], a[2], a[3] + off);
            k->chroma(bytes[0] + off, bytes[1], n & ~1u, tables[1], tables[2], b[2], b[3] + off);
            assert_true(memcmp(a, b, sizeof(a)) == 0);

            const int16_t *const r4[4] = {rows[0] + off, rows[1], rows[2] + 1, rows[3]};
            ref->blend(r4, c, n, n & 1 ? 16 : 0, a[0]);
            k->blend(r4, c, n, n & 1 ? 16 : 0, b[0]);
            ref->taps(rows[1] + off / 2, c, n, ra + off);
            k->taps(rows[1] + off / 2, c, n, rb + off);
            ref->every_other(bytes[2] + off, n, a[1]);
            k->every_other(bytes[2] + off, n, b[1]);
            assert_true(memcmp(a, b, sizeof(a)) == 0);
            assert_true(memcmp(ra, rb, sizeof(ra)) == 0);

            const uint8_t *const from[4] = {bytes[0], bytes[1] + off, bytes[2], bytes[3] + 1};
            uint8_t *const to_a[4] = {a[0], a[1], a[2], a[3]}, *const to_b[4] = {b[0], b[1], b[2], b[3]};
            ref->matrix(from, n, to_a);
            k->matrix(from, n, to_b);
            ref->turn(bytes[3] + off, 24, a[0] + 15 * 18, -18);
            k->turn(bytes[3] + off, 24, b[0] + 15 * 18, -18);
            assert_true(memcmp(a, b, sizeof(a)) == 0);
        }
}

/* BT.709's own numbers: black, white, gray and the six colours of bars. */
static void matrix_of_601(void **state)
{
    /* 75 % bars: Y, Cb, Cr of BT.601 and of BT.709. */
    static const uint8_t bars[8][6] = {{180, 128, 128, 180, 128, 128}, {162, 44, 142, 168, 44, 136},
                                       {131, 156, 44, 145, 147, 44},   {112, 72, 58, 133, 63, 52},
                                       {84, 184, 198, 63, 193, 204},   {65, 100, 212, 51, 109, 212},
                                       {35, 212, 114, 28, 212, 120},   {16, 128, 128, 16, 128, 128}};

    for (int i = 0; i < 8; i++) {
        uint8_t in[4][2], out[4][2];
        for (int k = 0; k < 2; k++)
            in[0][k] = in[1][k] = bars[i][0], in[2][k] = bars[i][1], in[3][k] = bars[i][2];
        const uint8_t *const from[4] = {in[0], in[1], in[2], in[3]};
        uint8_t *const to[4] = {out[0], out[1], out[2], out[3]};
        tf_paint_at(0)->matrix(from, 2, to);
        assert_true(abs(out[0][0] - bars[i][3]) <= 1);
        assert_true(abs(out[1][1] - bars[i][3]) <= 1);
        assert_true(abs(out[2][0] - bars[i][4]) <= 1);
        assert_true(abs(out[3][0] - bars[i][5]) <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree),
        cmocka_unit_test(matrix_of_601),
    };

    return cmocka_run_group_tests_name("overlay kernels", tests, NULL, NULL);
}
