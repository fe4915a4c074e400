/* What the engine's tests share: files, shared vectors, a deterministic random stream. */
#ifndef TF_TESTS_INFERENCE_SUPPORT_H
#define TF_TESTS_INFERENCE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A whole file, malloc'ed; NULL when it cannot be read. */
void *test_read(const char *path, size_t *size);
/* ../shared beside the source tree, or TF_SHARED; NULL when it is not there. */
const char *test_shared(void);

/* xorshift64*: the same numbers everywhere. */
struct test_random {
    uint64_t state;
};
uint32_t test_next(struct test_random *random);
/* 0 <= n < below */
uint32_t test_below(struct test_random *random, uint32_t below);

#endif
