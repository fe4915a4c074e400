/* What libFuzzer calls, and what replay.c calls with each file of a corpus. */
#ifndef TF_TESTS_FUZZ_H
#define TF_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
