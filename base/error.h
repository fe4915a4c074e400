/*
 * Errors: functions that can fail return 0 or a negative errno, and those whose failure a person has to
 * understand also fill a tf_error with one line that says what, where and what to do.
 */
#ifndef TF_BASE_ERROR_H
#define TF_BASE_ERROR_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif
/* With inference/engine/engine.h the public face of libtf_engine; everything else stays inside it. */
#pragma GCC visibility push(default)

#define TF_ERROR_TEXT 512

/* Owned by the caller; `{0}` is a valid, empty one. The text never ends in a newline and never names
 * "error:". */
struct tf_error {
    char text[TF_ERROR_TEXT];
};

/*
 * Writes the message (when err is not NULL) and returns `code`, a negative errno, so that a failing function
 * can say `return tf_fail(err, -EINVAL, "%s: …", path);`. A message that does not fit ends in "…".
 */
int tf_fail(struct tf_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int tf_vfail(struct tf_error *err, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Puts "prefix: " before a message that is already there (a path before a parser's complaint, say). */
void tf_error_prefix(struct tf_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
