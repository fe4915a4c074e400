/* Whether a sanitizer is compiled in: gcc says so by macros, clang by __has_feature. */
#ifndef TF_TESTS_SANITIZED_H
#define TF_TESTS_SANITIZED_H

#ifdef __has_feature
#define TF_SANITIZED_ADDRESS __has_feature(address_sanitizer)
#define TF_SANITIZED_THREAD __has_feature(thread_sanitizer)
#else
#ifdef __SANITIZE_ADDRESS__
#define TF_SANITIZED_ADDRESS 1
#else
#define TF_SANITIZED_ADDRESS 0
#endif
#ifdef __SANITIZE_THREAD__
#define TF_SANITIZED_THREAD 1
#else
#define TF_SANITIZED_THREAD 0
#endif
#endif

#endif
