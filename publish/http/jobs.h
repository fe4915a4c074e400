/*
 * What takes longer than a moment: a thread that does jobs in the order in which they come. Inside publish/
 * only.
 */
#ifndef TF_PUBLISH_HTTP_JOBS_H
#define TF_PUBLISH_HTTP_JOBS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

enum tf_http_job_queue {
    TF_HTTP_JOBS_SESSION, /* recording and marks, in the order in which they came */
    TF_HTTP_JOBS_SHUTTER, /* waits for cameras */
    TF_HTTP_JOBS_REVIEW,  /* reads what was recorded: the disk */
    TF_HTTP_JOBS_PICTURE, /* takes the processor; less important than cameras */
    TF_HTTP_JOB_QUEUES,
};

/* Owned by who adds it, who keeps it until it is done. */
struct tf_http_job {
    void (*work)(struct tf_http_job *job); /* from the jobs' thread */
    struct tf_http_job *next;
    atomic_bool done;
};

struct tf_http_jobs;

/* `tell` is called after each job, from the jobs' thread. */
int tf_http_jobs_create(const char *name, int nice, unsigned max, void (*tell)(void *context), void *context,
                        struct tf_http_jobs **ret, struct tf_error *err);
/* After the jobs that were added. Accepts NULL. */
void tf_http_jobs_destroy(struct tf_http_jobs *jobs);
/* -EAGAIN: `max` jobs wait already, or there is no thread any more (NULL): the server ends. */
int tf_http_jobs_add(struct tf_http_jobs *jobs, struct tf_http_job *job);
bool tf_http_job_done(const struct tf_http_job *job);

#endif
