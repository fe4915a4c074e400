/* Real clients and a test picture for the video tests. */
#ifndef TF_TESTS_PUBLISH_CLIENTS_H
#define TF_TESTS_PUBLISH_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "overlay/picture.h"

/* Whether a program is in PATH. */
bool client_has(const char *program);
/* Starts a program (argv[0] by PATH); its output goes to `stdout_path` (NULL: nowhere), its messages
 * likewise. */
pid_t client_start(const char *const argv[], const char *stdout_path, const char *stderr_path);
/* Waits for its end; past `seconds` it is killed. Its exit status, or -1. */
int client_wait(pid_t pid, double seconds);
/* Both, with output in `text` (at most size - 1 bytes, cut); messages are kept in messages_path (may be
 * NULL). */
int client_run(const char *const argv[], double seconds, char *text, size_t size, const char *messages_path);

/* A whole file in memory, NULL if it cannot be read; the caller frees. */
uint8_t *read_file(const char *path, size_t *size);

/*
 * Decodes all H.264 pictures of a video (a file, or an rtsp:// address) by libavcodec; `each` gets them as
 * pictures with their stamp in ns from the beginning. Returns how many, or a negative number.
 */
typedef void decoded_fn(void *context, const struct tf_picture *picture, int64_t t_ns, bool key);
int decode_file(const char *path, decoded_fn *each, void *context);

#endif
