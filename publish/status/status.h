/*
 * What is known of a camera at one moment: /state, /metrics, the journal's STATUS line and the demo's line
 * come from it.
 */
#ifndef TF_PUBLISH_STATUS_STATUS_H
#define TF_PUBLISH_STATUS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "publish/record/record.h"
#include "publish/recording/recording.h"

enum tf_camera_state {
    TF_CAMERA_OPENING,
    TF_CAMERA_RUNNING,
    TF_CAMERA_NO_SIGNAL,
    TF_CAMERA_LOST,  /* gone; the supervisor tries again */
    TF_CAMERA_ENDED, /* a file that came to its end */
};
const char *tf_camera_state_name(enum tf_camera_state state);

/* Upper bounds of the latency histogram, microseconds; the last bucket has none. */
#define TF_LATENCY_BUCKETS 12
extern const uint32_t tf_latency_bounds_us[TF_LATENCY_BUCKETS - 1];

/* Of all recordings of a camera since the service's start; they only grow. */
struct tf_recording_totals {
    uint64_t failed; /* recordings */
    uint64_t frames, bytes, refused, rows_lost;
    uint64_t pictures_lost[TF_PICTURE_PLACES];
};
struct tf_recording_told {
    bool recording; /* there is one now: `now` is of it */
    struct tf_recording_status now;
    struct tf_recording_totals totals; /* with it */
};

#define TF_SINKS_TOLD 8

/* What is known of the way the camera is mounted. */
enum tf_turn_state {
    TF_TURN_CONFIGURED, /* a turn was given, and nothing speaks against it */
    TF_TURN_WRONG,      /* one was given, but `better` fits the faces clearly better */
    TF_TURN_UNDECIDED,  /* it is to be told from faces, and none was seen well enough */
    TF_TURN_TIE,        /* two turns fit the faces alike */
    TF_TURN_DECIDED,    /* told from faces */
};
const char *tf_turn_state_name(enum tf_turn_state state);

struct tf_turn_status {
    enum tf_turn_state state;
    uint16_t rotate; /* in use */
    bool flip;
    uint16_t better; /* of TF_TURN_WRONG; of TF_TURN_TIE the other one */
};

struct tf_status {
    char camera[64];
    enum tf_camera_state state;
    char message[256]; /* why it is not running, or empty */
    char notice[256];  /* what a reader of its numbers should know, or empty */
    char source_kind[16], source_name[128], format[32];
    uint32_t width, height; /* upright */
    bool celsius;
    uint64_t state_since_mono_ns;

    /* Counters: they only grow. */
    uint64_t frames;          /* records made */
    uint64_t state_frames[5]; /* by enum tf_state */
    struct tf_dropped dropped;
    uint64_t dropped_rtsp, dropped_http, dropped_video; /* to viewers; records; pictures over HTTP */
    uint64_t encoded, reopened;
    uint64_t latency_buckets[TF_LATENCY_BUCKETS];
    uint64_t latency_sum_us, latency_count;

    /* Gauges. */
    float fps; /* over the last 2 s */
    uint32_t faces;
    uint32_t rtsp_viewers, http_clients, http_viewers;
    float sensor_c, nose_c, forehead_c; /* NAN unknown; of the largest face in the last record */
    uint16_t canthus_n, nose_n;         /* its pixels: of the larger canthus, and of the nose tip */
    uint32_t latency_us;                /* of the last record */
    uint64_t last_frame, last_t_mono_ns;

    /* The camera's clock against ours. */
    const char *t_from;   /* where the last stamp came from, or NULL */
    float nominal_hz;     /* what the camera says; 0 = nothing */
    double rate_hz;       /* measured since it was opened; NAN: not yet */
    double drift_ppm;     /* how much faster than it says; NAN: not known */
    double drift_err_ppm; /* standard error of both, from the stamps' scatter */

    /* Of a thermal camera that is paired (docs/pairs.md). */
    struct tf_pair_status {
        bool paired, calibrated;
        uint64_t with, without; /* records with a partner's frame, and without */
        uint64_t visible_faces; /* faces measured at the partner's points */
        int64_t skew_us;        /* of the last record that has a partner */
        char partner[64];
    } pair;

    struct tf_recording_told recording;

    /* Records (of "video": pictures) that a configured file or stream could not take. */
    struct tf_sink_told {
        const char *name; /* NULL: none */
        uint64_t lost;
    } sinks[TF_SINKS_TOLD];
    struct tf_turn_status turn;

    /* The laboratory's own regions in the last record that was looked at: of the largest face, then of the
     * picture. */
    uint32_t own_count;
    struct tf_own_told {
        char name[TF_OWN_NAME_MAX + 1];
        bool face, valid;
        float mean; /* NAN: not known */
    } own[TF_OWN_MAX];

    /* What encodes the annotated picture. It is opened again without end, at most every 5 s. */
    struct tf_encoder_told {
        bool failed;
        uint64_t failures; /* of opening it, and of an open one; they only grow */
        char message[256]; /* of the last one, while it has failed */
    } encoder;

    bool pictures; /* HTTP has them */
    /* The annotated picture: the frame lies at its upper left, `factor` pixels a side for each of its own. 0:
     * not drawn yet. */
    struct tf_picture_told {
        uint32_t width, height, factor;
    } picture;
    bool ffc[3];    /* what its shutter can be told, by enum tf_ffc of capture/: trigger, hold, release */
    uint32_t flags; /* of the last record */
};

/* A trigger input (capture/trigger.h) and the marks that came of it. */
#define TF_TRIGGERS_TOLD 8
struct tf_trigger_told {
    char name[64], device[192], message[256];
    const char *kind, *state;
    bool there;
    const char *t_from; /* whose stamps it gives; NULL: not open yet */
    /* They only grow. */
    uint64_t events;     /* taken from the device */
    uint64_t marks;      /* of these, in a session's table */
    uint64_t unrecorded; /* of these, while nothing was recorded */
    uint64_t lost;       /* of these, without a place: queue, disk */
    uint64_t bounced, limited, missed, reopened;
};

/* What is known of the connection to an MQTT broker (publish/mqtt/mqtt.h). */
struct tf_mqtt_told {
    bool configured; /* else the rest means nothing */
    bool connected;
    char broker[300], topic[132]; /* host:port; the base topic */
    char message[256];            /* why it is not connected, or empty */
    uint32_t queued;              /* messages that wait */
    /* These only grow. */
    uint64_t connections, published; /* published: arrived at the broker (QoS 1), or sent (0) */
    uint64_t dropped;                /* messages */
    uint64_t frames_lost;            /* that are in no mean */
};

/* Counts a record's latency: histogram, sum, number and the last one. */
void tf_status_add_latency(struct tf_status *status, uint32_t latency_us);

#endif
