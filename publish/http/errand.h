/* What is asked of the service in a thread of its own, and its answer; inside publish/http/ only. */
#ifndef TF_PUBLISH_HTTP_ERRAND_H
#define TF_PUBLISH_HTTP_ERRAND_H

#include "publish/http/server.h"

struct tf_http_errand {
    struct tf_http_job job; /* first */
    struct tf_http_request *q;
    int status;
    char *text;       /* malloc'd */
    const char *type; /* NULL: `text` is JSON, NUL-terminated; else `size` bytes of that type */
    size_t size;
    int file;           /* instead of `text`: all of it is the answer; -1: none */
    bool ranges;        /* parts of it may be asked for */
    uint64_t at, total; /* status 206: `text` is of a file of `total` bytes, from `at` on; 416: `total` */
};

/* Sends the errand, or, when it is back, says what came of it. */
enum MHD_Result tf_http_run_errand(struct tf_http_request *q, enum tf_http_job_queue queue,
                                   void (*work)(struct tf_http_job *job));

/* review.c: GET /sessions and what is below it. */
enum MHD_Result tf_http_review(struct tf_http_request *q);

/* download.c: an answer of `size` bytes of a file, which is taken over. NULL: no memory. */
struct MHD_Response *tf_http_open_download(struct tf_http_request *q, int file, uint64_t size);

#endif
