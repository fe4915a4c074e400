/*
 * The record: what is published of one captured frame. One definition (publish/record/record_fields.h) feeds
 * every encoding.
 */
#ifndef TF_PUBLISH_RECORD_RECORD_H
#define TF_PUBLISH_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock_sync.h"
#include "base/frame.h"
#include "inference/face/face.h"
#include "inference/face/own.h"

enum tf_state {
    TF_STATE_OK, /* at least one face */
    TF_STATE_NO_FACE,
    TF_STATE_SKIPPED, /* inference could not keep up: the frame was not looked at */
    TF_STATE_CORRUPT, /* the buffer was damaged */
    TF_STATE_STALE,   /* the picture is frozen (shutter closed, duplicate) */
};
const char *tf_state_name(enum tf_state state);

struct tf_dropped {
    uint64_t driver;    /* lost before us: gaps of the driver's or camera's counter */
    uint64_t capture;   /* lost by us before inference's ring: no free frame */
    uint64_t inference; /* frames whose record says skipped */
};

/* A reference of known temperature in the picture, measured in this frame. */
struct tf_black_body {
    bool set;     /* the camera has one */
    bool seen;    /* this frame was looked at, and the rectangle is wholly in it */
    float mean;   /* °C as the camera says; NAN when not seen */
    uint32_t n;   /* pixels */
    float offset; /* true less measured temperature: to be added to any temperature; NAN when not seen */
};

/* The frame of the other camera of a pair that this one goes with: the nearest in time of those that were
 * looked at. */
struct tf_record_pair {
    const char *camera; /* not owned; NULL: none, the rest means nothing */
    uint64_t frame;     /* its record's */
    int64_t skew_us;    /* its capture stamp less ours */
};

/*
 * A record's NDJSON while it goes round its sinks: encoded by the first that needs it, read by the others.
 * Owned by whoever sends the record round, in whose thread they all are.
 */
struct tf_record_text {
    char *bytes;
    size_t size; /* of the buffer: tf_record_bytes_max() */
    int length;  /* 0: not encoded yet; negative: -ENOBUFS */
};
/* -ENOMEM. */
int tf_record_text_create(struct tf_record_text *text);
void tf_record_text_finish(struct tf_record_text *text);

struct tf_record {
    const char *camera; /* not owned; outlives the record */
    uint64_t frame;     /* 0, 1, 2 …: no hole in what a run publishes */
    uint64_t sequence;
    uint64_t camera_counter;
    bool has_camera_counter; /* else null */
    uint64_t t_mono_ns;
    int64_t t_utc_ns;
    enum tf_stamp t_from;
    enum tf_state state;
    uint32_t flags; /* enum tf_frame_flag */
    bool celsius;   /* unit: "celsius" or "counts" */
    float sensor_c; /* NAN: null */
    struct tf_dropped dropped;
    int64_t latency_us; /* capture stamp to record; negative: null (offline) */
    struct tf_black_body black_body;
    int64_t video_frame; /* its place in a recording's raw video, -1: none; only recordings' tables have it */
    struct tf_faces faces;
    struct tf_record_pair pair;
    bool outlines; /* NDJSON says each region's outline */
    /* How the upright picture was made of the camera's: turned clockwise, then mirrored. */
    uint16_t rotate;
    bool flip;
    struct tf_clock_sync clock;  /* of t_utc; unknown offline */
    struct tf_own_result own;    /* of the laboratory's own regions; without names: there are none */
    struct tf_record_text *text; /* not owned; NULL: each sink encodes for itself */
};

/* Fills everything but state, dropped, latency, faces, pair and own regions from the frame. */
void tf_record_from_frame(struct tf_record *record, const char *camera, const struct tf_frame *frame);

/* Bytes that the longest record can need in any encoding: a caller's buffer of this size never overflows. */
size_t tf_record_bytes_max(void);

/*
 * Writes one JSON object and a newline. Numbers that are not finite become null. Returns the length, or
 * -ENOBUFS. The text is the same on every machine for the same record (shortest digits that the fields'
 * stated precision needs).
 */
int tf_record_ndjson(const struct tf_record *record, char *buffer, size_t size);
/* The same text, from record->text where there is one, else made in `buffer`. *text becomes where it is;
 * valid as long as both. */
int tf_record_ndjson_once(const struct tf_record *record, char *buffer, size_t size, const char **text);

/* CSV profiles: ours (ARCHITECTURE's columns, flattened; the largest face) and OpenFace's column names. */
enum tf_csv_profile {
    TF_CSV_THERMOFACE,
    TF_CSV_OPENFACE,
};
/* `own`: whose columns stand at the row's end; every record of the table has the same; NULL: none. */
int tf_record_csv_header(enum tf_csv_profile profile, const struct tf_own_names *own, char *buffer,
                         size_t size);
int tf_record_csv(const struct tf_record *record, enum tf_csv_profile profile, char *buffer, size_t size);

#endif
