/* What the tests of V4L2 cameras share: frames whose every value is known, and the driver in the test as it
 * is at first. */
#ifndef TF_TESTS_CAPTURE_V4L2_PATTERN_H
#define TF_TESTS_CAPTURE_V4L2_PATTERN_H

#include "common.h"
#include "fake_v4l2.h"

static const struct tf_source_options plain = {.url = FAKE_PATH};

static inline uint16_t pattern(unsigned n, size_t i)
{
    return (uint16_t)(n * 257 + i * 31);
}

static inline void fill_u16(uint8_t *data, size_t size, unsigned n)
{
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint16_t v = pattern(n, i / 2);

        memcpy(data + i, &v, 2);
    }
}

static inline void fill_big(uint8_t *data, size_t size, unsigned n)
{
    for (size_t i = 0; i + 1 < size; i += 2) {
        data[i] = (uint8_t)(pattern(n, i / 2) >> 8);
        data[i + 1] = (uint8_t)pattern(n, i / 2);
    }
}

static inline void fill_bytes(uint8_t *data, size_t size, unsigned n)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251 + n);
}

static inline int reset(void **state)
{
    fake_reset();
    fake.fill = fill_u16;
    return 0;
}

static inline void assert_u16(const struct tf_frame *f, unsigned n, unsigned words_a_line,
                              unsigned first_line)
{
    for (unsigned y = 0; y < f->height; y++)
        for (unsigned x = 0; x < f->width; x++)
            if (value_at(f, x, y) != pattern(n, (size_t)(y + first_line) * words_a_line + x))
                fail_msg("frame %u differs at %u,%u", n, x, y);
}

static inline enum tf_next next_is_no_frame(struct tf_source *s, int timeout_ms, struct tf_error *err)
{
    struct tf_frame *f = NULL;
    enum tf_next r = tf_source_next(s, timeout_ms, &f, err);

    assert_int_not_equal(r, TF_NEXT_FRAME);
    assert_null(f);
    return r;
}

#endif
