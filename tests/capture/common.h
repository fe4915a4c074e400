/* What every test of capture begins with. */
#ifndef TF_TESTS_CAPTURE_COMMON_H
#define TF_TESTS_CAPTURE_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "capture/source.h"

static inline struct tf_source *open_source(const struct tf_source_options *options)
{
    struct tf_source *s = NULL;
    struct tf_error err = {0};
    int r = tf_source_open(options, &s, &err);

    if (r)
        fail_msg("%s: %s", options->url, err.text);
    if (tf_source_start(s, &err))
        fail_msg("%s: %s", options->url, err.text);
    return s;
}

static inline struct tf_frame *next_frame(struct tf_source *s)
{
    struct tf_frame *f = NULL;
    struct tf_error err = {0};
    enum tf_next r = tf_source_next(s, 5000, &f, &err);

    if (r != TF_NEXT_FRAME)
        fail_msg("next: %d %s", (int)r, err.text);
    return f;
}

static inline uint16_t value_at(const struct tf_frame *f, unsigned x, unsigned y)
{
    if (f->pixel == TF_PIXEL_U16) {
        uint16_t v;

        memcpy(&v, f->plane[0] + (size_t)y * f->stride[0] + (size_t)x * 2, 2);
        return v;
    }
    return f->plane[0][(size_t)y * f->stride[0] + x];
}

/* Opening fails with that code and says all of the words. */
static inline void assert_open_fails(const struct tf_source_options *options, int code,
                                     const char *const *words)
{
    struct tf_source *s = (struct tf_source *)(uintptr_t)0x55;
    struct tf_error err = {0};
    int r = tf_source_open(options, &s, &err);

    if (r == 0)
        tf_source_close(s);
    assert_int_equal(r, code);
    assert_ptr_equal(s, (struct tf_source *)(uintptr_t)0x55);
    for (; *words; words++)
        if (!strstr(err.text, *words))
            fail_msg("\"%s\" does not say \"%s\"", err.text, *words);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
