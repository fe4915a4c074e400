/* Standard output's end: a reader that went away is no error to talk about, a full disk is. */
#ifndef TF_BASE_OUTPUT_H
#define TF_BASE_OUTPUT_H

#include <stdbool.h>

/* Whether what reads standard output has gone (| head). Safe in a signal handler. */
bool tf_output_gone(void);

/*
 * The last thing a program does: writes what is left of standard output. Returns `status`, or 1 with a
 * message where it could not be written in full; ends the program by SIGPIPE, without a word, where the
 * reader has gone, as programs do that do not catch it.
 */
int tf_output_end(const char *program, int status);

#endif
