/* Arm NEON: tables of 256 bytes as four look-ups of 64. */
#include <arm_neon.h>

#include "overlay/kernels/body.h"

static inline uint16x4_t steps(uint16x4_t values, float32x4_t low, float32x4_t scale)
{
    float32x4_t v = vmulq_f32(vsubq_f32(vcvtq_f32_u32(vmovl_u16(values)), low), scale);

    v = vminq_f32(vmaxq_f32(v, vdupq_n_f32(0)), vdupq_n_f32(TF_TOP));
    return vmovn_u32(vshrq_n_u32(vcvtq_u32_f32(v), 5));
}

static void entries(const uint16_t *values, size_t n, float low, float scale, uint8_t *ret)
{
    const float32x4_t l = vdupq_n_f32(low), s = vdupq_n_f32(scale);
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint16x8_t v = vld1q_u16(values + i);
        vst1_u8(ret + i,
                vmovn_u16(vcombine_u16(steps(vget_low_u16(v), l, s), steps(vget_high_u16(v), l, s))));
    }
    body_entries(values + i, n - i, low, scale, ret + i);
}

struct table {
    uint8x16x4_t parts[4];
};

static inline struct table prepare(const uint8_t table[256])
{
    struct table t;

    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            t.parts[i].val[k] = vld1q_u8(table + 64 * i + 16 * k);
    return t;
}

/* Indices beyond 63 give 0 (tbl) or leave what is there (tbx). */
static inline uint8x16_t find(const struct table *t, uint8x16_t index)
{
    uint8x16_t ret = vqtbl4q_u8(t->parts[0], index);

    for (int i = 1; i < 4; i++)
        ret = vqtbx4q_u8(ret, t->parts[i], vsubq_u8(index, vdupq_n_u8((uint8_t)(64 * i))));
    return ret;
}

static void lookup(const uint8_t *from, size_t n, const uint8_t table[256], uint8_t *ret)
{
    struct table t = prepare(table);
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        vst1q_u8(ret + i, find(&t, vld1q_u8(from + i)));
    body_lookup(from + i, n - i, table, ret + i);
}

static inline uint8x8_t pairs(const uint8_t *row0, const uint8_t *row1)
{
    return vrshrn_n_u16(vaddq_u16(vpaddlq_u8(vld1q_u8(row0)), vpaddlq_u8(vld1q_u8(row1))), 2);
}

static void chroma(const uint8_t *row0, const uint8_t *row1, size_t n, const uint8_t u[256],
                   const uint8_t v[256], uint8_t *ret_u, uint8_t *ret_v)
{
    struct table tu = prepare(u), tv = prepare(v);
    size_t i = 0;

    for (; i + 32 <= n; i += 32) {
        uint8x16_t mean = vcombine_u8(pairs(row0 + i, row1 + i), pairs(row0 + i + 16, row1 + i + 16));
        vst1q_u8(ret_u + i / 2, find(&tu, mean));
        vst1q_u8(ret_v + i / 2, find(&tv, mean));
    }
    body_chroma(row0 + i, row1 + i, n - i, u, v, ret_u + i / 2, ret_v + i / 2);
}

/* Four rounds of a perfect shuffle turn a square of 16. */
static void turn(const uint8_t *from, ptrdiff_t from_stride, uint8_t *ret, ptrdiff_t ret_stride)
{
    uint8x16_t a[16], b[16];

    for (int i = 0; i < 16; i++)
        a[i] = vld1q_u8(from + i * from_stride);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = vzip1q_u8(a[i], a[i + 8]);
            b[2 * i + 1] = vzip2q_u8(a[i], a[i + 8]);
        }
        for (int i = 0; i < 8; i++) {
            a[2 * i] = vzip1q_u8(b[i], b[i + 8]);
            a[2 * i + 1] = vzip2q_u8(b[i], b[i + 8]);
        }
    }
    for (int i = 0; i < 16; i++)
        vst1q_u8(ret + i * ret_stride, a[i]);
}

/* Eight values' four taps, narrowed with saturation. */
static inline int16x8_t sum(const int16x8_t r[4], const int16_t c[4])
{
    int32x4_t low = vmull_n_s16(vget_low_s16(r[0]), c[0]), high = vmull_n_s16(vget_high_s16(r[0]), c[0]);

    for (int k = 1; k < 4; k++) {
        low = vmlal_n_s16(low, vget_low_s16(r[k]), c[k]);
        high = vmlal_n_s16(high, vget_high_s16(r[k]), c[k]);
    }
    return vcombine_s16(vqrshrn_n_s32(low, 12), vqrshrn_n_s32(high, 12));
}

static void blend(const int16_t *const rows[4], const int16_t coefficients[4], size_t n, int16_t bias,
                  uint8_t *ret)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        const int16x8_t r[4] = {vld1q_s16(rows[0] + i), vld1q_s16(rows[1] + i), vld1q_s16(rows[2] + i),
                                vld1q_s16(rows[3] + i)};
        vst1_u8(ret + i, vqmovun_s16(vshrq_n_s16(vqaddq_s16(sum(r, coefficients), vdupq_n_s16(bias)), 5)));
    }
    body_blend(rows, coefficients, i, n, bias, ret);
}

static void taps(const int16_t *from, const int16_t coefficients[4], size_t n, int16_t *ret)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        const int16x8_t r[4] = {vld1q_s16(from + i), vld1q_s16(from + i + 1), vld1q_s16(from + i + 2),
                                vld1q_s16(from + i + 3)};
        vst1q_s16(ret + i, sum(r, coefficients));
    }
    body_taps(from, coefficients, i, n, ret);
}

TF_PAINT(neon);
