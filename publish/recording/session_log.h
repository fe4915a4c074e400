/*
 * A session's two tables, marks and clock, in one thread that alone waits for their disk; inside publish/
 * only. It also looks every second whether they are still there.
 */
#ifndef TF_PUBLISH_RECORDING_SESSION_LOG_H
#define TF_PUBLISH_RECORDING_SESSION_LOG_H

#include "publish/recording/session.h"

struct tf_session_log;

struct tf_session_log_options {
    int folder;        /* open */
    const char *shown; /* as errors call it */
    const char *stem;  /* STEM_events.tsv, STEM_clock.tsv */
    int events, clock; /* open for appending, heads written; taken over on success */
    uint64_t t_start_ns;
};
int tf_session_log_create(const struct tf_session_log_options *options, struct tf_session_log **ret,
                          struct tf_error *err);
/* A row of the events. 0: on the disk, or without `wait` on its way there; -ETIMEDOUT: the disk has not
 * answered for some seconds, it will be written when it does; -ENOBUFS: too many wait already. */
int tf_session_log_mark(struct tf_session_log *log, const char *row, size_t size, bool wait,
                        struct tf_error *err);
void tf_session_log_state(struct tf_session_log *log, struct tf_session_state *ret);
/* Writes what waits and the clock's last row. The first error. Accepts NULL. */
int tf_session_log_close(struct tf_session_log *log, struct tf_error *err);

#endif
