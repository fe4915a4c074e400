/* What /state and /metrics say; inside publish/ only. */
#ifndef TF_PUBLISH_HTTP_TEXTS_H
#define TF_PUBLISH_HTTP_TEXTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "publish/record/lsl.h"
#include "publish/status/status.h"

/* The server's own; all but the first two only grow. */
struct tf_http_counters {
    unsigned connections, readers;
    uint64_t accepted, refused, expired, displaced, logins_failed, rtsp_logins_failed;
    const char *const *pairs; /* names of pairs that have pictures */
    int pair_count;
    const struct tf_trigger_told *triggers;
    int trigger_count;
    struct tf_mqtt_told mqtt;
    const struct tf_lsl_told *lsl; /* NULL: not configured */
};

/* All return malloc'd text and its size, or NULL. `now_ns`: CLOCK_MONOTONIC; `started_ns`: the server's
 * start. */
char *tf_http_state_text(const struct tf_status *cameras, int count, const struct tf_http_counters *http,
                         uint64_t started_ns, uint64_t now_ns, size_t *size);
/* texts_clock.c: whether the clock is synchronised, as an object, or null where the kernel does not say; the
 * computer's name, quoted; and lines of /metrics. */
#define TF_HTTP_CLOCK_TEXT 512
const char *tf_http_clock_json(char text[TF_HTTP_CLOCK_TEXT]);
const char *tf_http_host_json(char text[TF_HTTP_CLOCK_TEXT]);
void tf_http_metrics_clock(FILE *f);
/* texts_triggers.c: a member of /state, with a comma behind, and lines of /metrics. */
void tf_http_state_triggers(FILE *f, const struct tf_trigger_told *triggers, int count);
void tf_http_metrics_triggers(FILE *f, const struct tf_trigger_told *triggers, int count);
/* The service's last lines. */
char *tf_http_log_text(size_t *size);
char *tf_http_metrics_text(const struct tf_status *cameras, int count, const struct tf_http_counters *http,
                           uint64_t started_ns, uint64_t now_ns, size_t *size);

/* texts_lsl.c: the object "lsl" of /state (null without it), and its metrics. */
void tf_http_state_lsl(FILE *f, const struct tf_lsl_told *lsl);
void tf_http_metrics_lsl(FILE *f, const struct tf_lsl_told *lsl);

#endif
