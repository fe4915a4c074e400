/*
 * How the daemon reads JSON that came over HTTP and answers in JSON: one reader, one writer, one table of
 * status codes for all that publish/http asks of it.
 */
#ifndef TF_DAEMON_REQUEST_H
#define TF_DAEMON_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define TF_REQUEST_NUMBER_TEXT 40

/*
 * A member that is understood; exactly one of the places is set. A member that is missing or null leaves its
 * place alone.
 */
struct tf_request_field {
    const char *name;
    const char **text; /* a string; it lives as long as the body */
    char *number_text; /* beside `text`, char[TF_REQUEST_NUMBER_TEXT]: a number is taken too, as its text */
    double *number;    /* a number from min to max */
    double min, max;
    int64_t *integer; /* a whole number from min to max */
    bool *flag;       /* true or false */
    bool *given;      /* may be NULL: set when the member is there */
};

/*
 * Reads a body into the places of `fields`, which end with a nameless one. An empty body is an empty object.
 * Strings go into strings, numbers into numbers; anything else, an unknown member and one that comes twice
 * are said, so that a slip is not lost. *body: the caller's to json_decref, also on failure; NULL when it is
 * not JSON.
 */
int tf_request_read(json_t **body, const char *text, size_t size, const struct tf_request_field *fields,
                    struct tf_error *err);

/* HTTP's status for a negative errno, or 200. */
int tf_request_status(int r);

/* Takes the object over; returns `status` and the text in *answer (NULL: out of memory). */
int tf_request_answer(json_t *object, int status, char **answer);
/* {"error":"…"} with tf_request_status(r). */
int tf_request_error(int r, const struct tf_error *err, char **answer);

#endif
