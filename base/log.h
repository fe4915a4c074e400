/*
 * The daemon's log. Libraries do not log; daemon/ and pipeline/'s supervisor do. Goes to the journal
 * (structured fields) when standard error is the journal, else to standard error as "LEVEL camera: text".
 */
#ifndef TF_BASE_LOG_H
#define TF_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum tf_log_level { /* syslog's numbers */
                    TF_LOG_ERROR = 3,
                    TF_LOG_WARNING = 4,
                    TF_LOG_NOTICE = 5,
                    TF_LOG_INFO = 6,
                    TF_LOG_DEBUG = 7,
};

/* Messages above this level are not written. Default TF_LOG_INFO. */
void tf_log_set_level(enum tf_log_level level);
/* `camera` may be NULL; it becomes the journal field TF_CAMERA. */
void tf_log(enum tf_log_level level, const char *camera, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* At most `burst` messages in `interval_ns`; the next one written says how many were left out. `{0}` is a
 * valid start. */
struct tf_log_limit {
    uint64_t window_start_ns;
    unsigned written, suppressed;
};
void tf_log_limited(struct tf_log_limit *limit, unsigned burst, uint64_t interval_ns, enum tf_log_level level,
                    const char *camera, const char *format, ...) __attribute__((format(printf, 6, 7)));

/*
 * The last lines that were written, for who cannot read the journal. Texts are cut at TF_LOG_TEXT - 1 bytes.
 */
#define TF_LOG_KEPT 200
#define TF_LOG_TEXT 400
struct tf_log_line {
    uint64_t n; /* counts from 1 */
    int64_t t_utc_ns;
    enum tf_log_level level;
    char camera[64]; /* or empty */
    char text[TF_LOG_TEXT];
};
/* Copies at most `max`, oldest first; returns how many. From any thread. */
unsigned tf_log_recent(struct tf_log_line *lines, unsigned max);
const char *tf_log_level_name(enum tf_log_level level);

#endif
