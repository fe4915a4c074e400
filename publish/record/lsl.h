/*
 * Lab Streaming Layer: records and marks as streams that LabRecorder and others find on the net, and other
 * programs' markers as marks. Through liblsl, which is opened at run time (docs/lsl.md).
 *
 * Time: liblsl's clock is lsl_local_clock(). How far it is from CLOCK_MONOTONIC is measured at the start and
 * every ten seconds; samples get the capture stamp of their frame, or the mark's, by that clock.
 *
 * Threads: a sink copies what is sent of a record into its own ring and wakes the sending thread, which alone
 * calls the library for outlets; it waits for nothing. One thread looks for marker streams, and each has one.
 */
#ifndef TF_PUBLISH_RECORD_LSL_H
#define TF_PUBLISH_RECORD_LSL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "publish/record/sink.h"

#define TF_LSL_CAMERAS_MAX 8
#define TF_LSL_STREAMS_MAX 16 /* marker streams listened to at once */
#define TF_LSL_TEXT 96        /* bytes of a name that is told, with its end */
#define TF_LSL_MARK_MAX 1000  /* bytes of a marker's text; a longer one is cut */
#define TF_LSL_CHANNELS_MAX 8 /* of a marker stream */
#define TF_LSL_RATE_MAX 100.0 /* of a marker stream's, markers/s: what it states, and what comes for long */
#define TF_LSL_BURST_MAX 1000 /* markers that may come at once */

/* A marker of another program. */
struct tf_lsl_marker {
    const char *text;   /* UTF-8 without control characters, at most TF_LSL_MARK_MAX bytes, not empty */
    const char *value;  /* the same of further channels, with commas between, or NULL */
    const char *source; /* "lsl NAME (HOST)" */
    uint64_t t_mono_ns;
    bool arrival; /* its own time could not be used: it is when it came */
};

struct tf_lsl_options {
    const char *library; /* as tf_lsl_library_open's path */
    const char *name;    /* what names and source ids of our streams begin with */
    const char *version; /* of the program, for descriptions */
    bool regions, landmarks, frames, marks;
    uint32_t faces;                   /* streams of regions and landmarks for each camera */
    const char *markers;              /* XPath predicate of marker streams; NULL: none are looked for */
    const struct tf_own_regions *own; /* of all cameras, now */
    /*
     * Takes a marker, in a thread that may wait. -ENOTCONN: nothing is recorded; -ERANGE: it was before;
     * other errors lose it and are said.
     */
    int (*marker)(void *context, const struct tf_lsl_marker *marker, struct tf_error *err);
    /* What a person should know; from any thread. */
    void (*say)(void *context, enum tf_log_level level, const char *text);
    void *context;
};

struct tf_lsl;

/* Whether the library can be opened; *version is as it counts, 116 for 1.16. Errors: tf_lsl_library_open's.
 */
int tf_lsl_check(const char *library, int *version, struct tf_error *err);
/* Whether a predicate can be one: quotes and brackets that close. -EINVAL. */
int tf_lsl_check_predicate(const char *predicate, struct tf_error *err);
/* Strings need not outlive the call. Errors: of tf_lsl_check, -ENOMEM, -EAGAIN (no thread). */
int tf_lsl_create(const struct tf_lsl_options *options, struct tf_lsl **ret, struct tf_error *err);
/* Streams of a camera; before its pipeline starts. The lsl outlives it. -ENOSPC, -ENOMEM. */
int tf_lsl_sink(struct tf_lsl *lsl, const char *camera, struct tf_sink *ret, struct tf_error *err);
/* Own regions from now on; from any thread. */
void tf_lsl_set_own(struct tf_lsl *lsl, const struct tf_own_regions *own);
/* A mark into our stream of marks, from any thread; does not wait. One without room is counted as dropped. */
void tf_lsl_mark(struct tf_lsl *lsl, const char *text, const char *value, uint64_t t_mono_ns);
/* No marker is taken any more; does not wait for the threads. */
void tf_lsl_quit(struct tf_lsl *lsl);
/* After its sinks; what waits is sent. A library that does not answer is left behind after a second. Accepts
 * NULL. */
void tf_lsl_destroy(struct tf_lsl *lsl);

enum tf_lsl_stream_state {
    TF_LSL_CONNECTING,
    TF_LSL_CONNECTED,
    TF_LSL_GONE,    /* it was there and is not */
    TF_LSL_REFUSED, /* it is there, and is not listened to: `reason` */
};
const char *tf_lsl_stream_state_name(enum tf_lsl_stream_state state);

struct tf_lsl_outlet_told {
    char name[TF_LSL_TEXT], type[16];
    uint32_t channels;
    bool consumers;
    uint64_t samples;
};
struct tf_lsl_stream_told {
    char name[TF_LSL_TEXT], host[TF_LSL_TEXT], source_id[TF_LSL_TEXT], reason[TF_LSL_TEXT];
    enum tf_lsl_stream_state state;
    uint64_t markers;    /* written into a session */
    uint64_t unrecorded; /* that came while nothing was recorded, or were before it */
    uint64_t refused;    /* empty, or too many a second */
    uint64_t cut;        /* written, but shortened */
    uint64_t arrival;    /* written with the time at which they came */
    uint64_t lost;       /* the session could not take them */
    uint64_t found;      /* how often it was connected */
    double correction_s; /* the sender's clock to liblsl's here, NAN: not known */
};
#define TF_LSL_OUTLETS_MAX (TF_LSL_CAMERAS_MAX * (2 * TF_FACES_MAX + 1) + 1)
struct tf_lsl_told {
    bool there;        /* else `message` says why not, and the rest means nothing */
    char message[512]; /* or empty */
    char library[512];
    int version;
    int64_t offset_ns; /* lsl_local_clock() less CLOCK_MONOTONIC */
    uint64_t dropped;  /* records and marks that the sending thread had no time for */
    uint64_t ignored;  /* marker streams beyond TF_LSL_STREAMS_MAX, at the last look */
    uint32_t outlet_count, stream_count;
    struct tf_lsl_outlet_told outlets[TF_LSL_OUTLETS_MAX];
    struct tf_lsl_stream_told streams[TF_LSL_STREAMS_MAX];
};
/* From any thread; does not wait for the library. */
void tf_lsl_tell(struct tf_lsl *lsl, struct tf_lsl_told *ret);

#endif
