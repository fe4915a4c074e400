/*
 * What the threads of a pipeline share: what was settled before they run, the state under the lock, and the
 * two queues between them. Not for other rooms.
 *
 * Each thread has a struct of its own (capture.h, inference.h, picture.h), which its functions take and
 * nobody else does, with pointers to what lies here; recorder.h is for all three. Who waits for whom:
 *
 *   source                                     the camera's driver, or a file
 *     │ tf_source_next (waits for a frame, TF_POLL_MS at most)
 *   capture ──────────────► recorder: raw video (waits for nothing; its own thread encodes and writes)
 *     │ tf_frame_queue: backlog of heads, ring of frames
 *     │   live: drops the oldest frame, never its head; offline: capture waits for a place
 *   inference ────────────► sinks (in this thread, in order; each bounded) and recorder: row
 *     │ tf_picture_queue: ring of records with their frames
 *     │   drops the oldest; offline with a video file: inference waits for a place
 *   picture ──────────────► recorder: packet, RTSP, video file
 *
 * Any other thread (HTTP, signals, the owner) takes tf_shared.lock for a copy: status, latest record,
 * overlay options. It waits for a thread of the pipeline in three places only: the shutter's answer
 * (tf_shutter_move, `changed`), the rows and pictures of a recording that ends (tf_recorder_stop) and the end
 * itself (tf_pipeline_wait, `changed`). No thread of the pipeline waits for any of these.
 *
 * Locks are taken in this order: recorder's control, a seat of the recorder; tf_shared.lock last and alone.
 */
#ifndef TF_PIPELINE_SHARED_H
#define TF_PIPELINE_SHARED_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ring.h"
#include "pipeline/latest.h"
#include "pipeline/pipeline.h"

/*
 * How many frames may wait, and so how many may be out at once. Frames out at worst: one in capture's hands,
 * LIVE in the ring, one in inference, the latest (for snapshots), PICTURES in the picture ring, one being
 * drawn, one held by a snapshot, one by the picture of a pair; three more stay with the driver, below which
 * V4L2 drivers begin to lose frames.
 */
#define TF_LIVE_RING 6
#define TF_PICTURE_RING 3
#define TF_FRAMES_OUT (1 + TF_LIVE_RING + 1 + 1 + TF_PICTURE_RING + 1 + 1 + 1 + 3)
/*
 * Frames that may wait for the recording's encoder, beside the one that it has. V4L2 gives out 32 buffers at
 * most, so there the wait is what the way and the encoder leave of them, and `source.frames` may make it
 * shorter; other sources' frames are plain memory, which bridges a second of a busy processor.
 */
#define TF_V4L2_FRAMES_MAX 32
#define TF_V4L2_FRAMES_MIN 24
#define TF_RECORDING_WAIT 64
_Static_assert(TF_FRAMES_OUT + 1 < TF_V4L2_FRAMES_MIN, "a recording can wait");
/* Records out at worst: inference's, the latest, the picture ring, the one drawn, one held by a snapshot, one
 * by the picture of a pair, one to spare. */
#define TF_RECORDS (1 + 1 + TF_PICTURE_RING + 1 + 1 + 1 + 1)
/* Descriptors of frames whose record is still to be made: 17 s of a 60 Hz camera while inference does not
 * answer. */
#define TF_BACKLOG 1024

#define TF_POLL_MS 200 /* each thread looks up at least so often: heart beats, stop, "no signal" pictures */
#define TF_BACKOFF_MIN_NS 250000000ull
#define TF_BACKOFF_MAX_NS 5000000000ull
#define TF_STALL_NS 2000000000ull   /* a running camera without a frame for so long has no signal … */
#define TF_REOPEN_NS 10000000000ull /* … and after so long more it is closed and opened again */
#define TF_HANG_NS 10000000000ull   /* a thread without a heart beat for so long hangs */
#define TF_DRAIN_NS                                                                                          \
    800000000ull /* at a stop, waiting frames are analysed for so long, then they are skipped */

/* What a record says of a frame, kept apart from the frame so that a dropped one still gets its record. */
struct tf_head {
    uint64_t n;      /* 0, 1, 2 … over all openings of the camera: its place in the backlog */
    uint64_t number; /* record.frame: n, or what it was when it was recorded */
    uint64_t sequence, camera_counter;
    bool has_camera_counter;
    uint64_t t_mono_ns;
    int64_t t_utc_ns;
    enum tf_stamp stamp;
    uint32_t flags;
    struct tf_radiometry radiometry;
    float sensor_c;
    uint16_t rotate;
    bool flip;
    uint64_t dropped_driver, dropped_capture;
    uint32_t recording;  /* number of the recording that it belongs to, 0 = none */
    int64_t video_frame; /* its place there, -1 = refused or none */
    uint32_t opening;    /* which opening of the camera it came from */
    struct tf_past past; /* of a session that is played again */
};

/* See rate.c. */
struct tf_rate {
    uint64_t n, first_sequence, last_sequence, first_ns, last_ns;
    double mean_x, mean_y, xx, xy, yy;
};
void tf_rate_reset(struct tf_rate *rate);
/* A stamp that was taken at arrival is good enough: its scatter shows in the error. */
void tf_rate_add(struct tf_rate *rate, uint64_t sequence, uint64_t t_mono_ns);
/* NAN until there is enough. */
void tf_rate_get(const struct tf_rate *rate, float nominal_hz, double *rate_hz, double *drift_ppm,
                 double *error_ppm);

/* A slot of the backlog. The ring carries pointers to these; `frame` is NULL once the ring has dropped it. */
struct tf_entry {
    struct tf_head head;
    struct tf_frame *frame;
};

/* As number of a picture's recording: it says that there is no frame, and is kept as viewers see it. */
#define TF_PICTURE_CARD UINT32_MAX
/* Between two tries to open an encoder that has failed, as between those for a camera. */
#define TF_ENCODER_RETRY_LEAST_NS 250000000ull
#define TF_ENCODER_RETRY_MOST_NS 5000000000ull

/* What is settled before the threads run. None of them writes it. */
struct tf_setup {
    struct tf_pipeline_options options; /* its strings are copies, in `strings` */
    char camera[64];
    char *strings[18];
    int string_count;
    struct tf_pipeline_pair pair; /* options.pair points here, as pair.registration to the next */
    struct tf_registration registration;
    bool live;               /* the source comes by the clock: drop; else every place waits */
    unsigned recording_wait; /* frames that may wait for a recording's encoder */
};

/* setup.c: copies of options and strings, and how many frames may be out. Errors: tf_pipeline_create's. */
int tf_setup_init(struct tf_setup *setup, const struct tf_pipeline_options *options, struct tf_error *err);
void tf_setup_finish(struct tf_setup *setup);

enum tf_thread_role { TF_THREAD_CAPTURE, TF_THREAD_INFERENCE, TF_THREAD_PICTURE, TF_THREADS };

struct tf_worker {
    _Atomic uint64_t beat_ns;
    bool running;    /* under lock */
    clockid_t clock; /* under lock, while running */
    uint64_t cpu_ns; /* under lock, once it has ended */
};

enum tf_stage {
    TF_STAGE_NORMALISE,
    TF_STAGE_FINDER,
    TF_STAGE_LANDMARKS,
    TF_STAGE_REGIONS,
    TF_STAGE_TURNS,
    TF_STAGE_RECORD,
    TF_STAGE_OVERLAY,
    TF_STAGE_ENCODE,
    TF_STAGES,
};

/* Latency with 32 steps an octave (3 %), for percentiles. */
#define TF_FINE_STEPS 32
#define TF_FINE_BUCKETS (TF_FINE_STEPS * 28)

/* Sums of nanoseconds, and latencies; each written by one thread, read by any. */
struct tf_measures {
    _Atomic uint64_t stage_ns[TF_STAGES];
    _Atomic uint64_t latency_fine[TF_FINE_BUCKETS];
    _Atomic uint32_t latency_max;
};

#define TF_FPS_STAMPS 512

/* How fast records come, and frames by the camera's own count. */
struct tf_pace {
    uint64_t stamps[TF_FPS_STAMPS]; /* when records were made, newest at count - 1 */
    uint64_t count;
    struct tf_rate rate;
    uint32_t opening; /* that `rate` is of */
};

/* A movement of the shutter that capture is asked for; `asked` is read without the lock. */
struct tf_shutter {
    atomic_bool asked;
    enum tf_ffc action;
    bool done;
    int result;
    struct tf_error error;
};

/* The turn. What inference has found out is in the atomics; the rest is under lock. */
struct tf_turn_shared {
    atomic_int wanted;   /* what capture is to take over, -1: nothing */
    atomic_int better;   /* what pictures warn of, -1: nothing */
    atomic_bool open;    /* auto, and not decided: the video file waits */
    bool held;           /* a recording keeps its turn */
    uint64_t changed_ns; /* when capture last took over another one; 0 = never */
};

struct tf_shared {
    atomic_bool stopping;
    _Atomic uint64_t stop_ns;
    struct tf_measures measures;

    /*
     * Protects what follows. Held for copies only, never across a call that can wait. `changed` says that a
     * stop was asked for, that the shutter was moved or that a thread has ended.
     */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    int threads_left;
    int result; /* the run's first error */
    struct tf_error error;
    struct tf_worker workers[TF_THREADS];
    struct tf_status status; /* of its recording: what was last known */
    int64_t state_since_utc_ns;
    struct tf_overlay_options
        overlay_options; /* the newest; the picture thread takes them when the number changes */
    uint32_t overlay_number;
    struct tf_own_regions own; /* the newest, of this camera; inference takes them when the number changes */
    _Atomic uint32_t own_number;   /* read without the lock */
    struct tf_source *source;      /* while the capture thread has it open: for tf_source_wake */
    struct tf_source_info info;    /* of the first opening */
    struct tf_source_info present; /* of this one */
    bool has_info;
    struct tf_shared_record *latest;
    struct tf_pace pace;
    struct tf_shutter shutter;
    struct tf_turn_shared turn;
};

/* shared.c */
void tf_shared_init(struct tf_shared *s, const struct tf_setup *setup);
void tf_shared_finish(struct tf_shared *s);
void tf_shared_fail(struct tf_shared *s, int code, const struct tf_error *err); /* keeps the first */
bool tf_shared_sleep(struct tf_shared *s, uint64_t ns); /* false: a stop was asked for */
bool tf_shared_running(struct tf_shared *s);            /* a thread has not ended */
void tf_shared_beat(struct tf_shared *s, enum tf_thread_role role);
/* The source as it was opened, into info, present and status. */
void tf_shared_set_source(struct tf_shared *s, const struct tf_source_info *info);
/* A copy of the newest options; returns their number. */
uint32_t tf_shared_overlay(struct tf_shared *s, struct tf_overlay_options *ret);
/* A copy of the newest own regions. */
void tf_shared_own(struct tf_shared *s, struct tf_own_regions *ret);
/* As tf_pipeline_latest. */
void tf_shared_latest(struct tf_shared *s, struct tf_latest *ret);
/* A recording begins: no change of turn from here on, and none that pictures still lag behind. Ends with
 * release. */
void tf_turn_hold(struct tf_shared *s);
void tf_turn_release(struct tf_shared *s);

/* tally.c */
/* Counts a record that has just been made; takes over a reference to `record` when it is given, as the latest
 * one. */
void tf_shared_count(struct tf_shared *s, const struct tf_record *row, uint32_t opening, bool live,
                     struct tf_shared_record *record);
/* Records a second, over the last two; 0 once nothing has come for so long. `_locked`: with the lock held. */
float tf_shared_fps(struct tf_shared *s);
float tf_shared_fps_locked(const struct tf_shared *s, uint64_t now);
/* Percentiles of latency into `ret`. */
void tf_measures_latency(const struct tf_measures *m, struct tf_pipeline_times *ret);
static inline void tf_stage_add(struct tf_shared *s, enum tf_stage stage, uint64_t ns)
{
    atomic_fetch_add_explicit(&s->measures.stage_ns[stage], ns, memory_order_relaxed);
}

/* shutter.c */
/* As tf_pipeline_ffc: asks capture and waits for its answer. */
int tf_shutter_move(struct tf_shared *s, const struct tf_setup *setup, enum tf_ffc action,
                    struct tf_error *err);
/* Capture's answer; `source` NULL: the camera has gone. */
void tf_shutter_answer(struct tf_shared *s, const struct tf_setup *setup, struct tf_source *source);

/* Capture to inference. */
struct tf_frame_queue {
    struct tf_ring *ring;
    sem_t slots; /* offline: free places */
    struct tf_entry *backlog;
    _Atomic uint64_t head, tail; /* of the backlog; written by capture; by inference */
};

/* Inference to pictures, and whether anybody wants them. */
struct tf_picture_queue {
    struct tf_ring *ring;
    sem_t slots;
    bool wait;                   /* offline with a video file: every picture is drawn */
    struct tf_rtsp_mount *mount; /* NULL: no RTSP */
    struct tf_live *live;        /* viewers over HTTP, or NULL; not owned */
    atomic_bool video_open;      /* the video file takes pictures, or will */
    atomic_bool described;       /* RTSP has the parameter sets: nothing is prepared for a description */
    atomic_bool recording,
        recording_key;        /* they are recorded; the next one of the recording is a key picture */
    _Atomic uint32_t owed;    /* pictures of a recording that are in the encoder */
    atomic_bool flush;        /* they are wanted now: nothing else may push them out */
    _Atomic uint64_t offered; /* frames whose picture was given on, or is not made */
    _Atomic uint64_t done;    /* taken from the ring and seen to */
};

/* queues.c */
int tf_frame_queue_create(struct tf_frame_queue *q, bool live);
void tf_frame_queue_finish(struct tf_frame_queue *q);
/* `dropped`: as tf_ring_create; called in inference, and at the end. */
int tf_picture_queue_create(struct tf_picture_queue *q, bool wait, void (*dropped)(void *context, void *item),
                            void *context);
void tf_picture_queue_finish(struct tf_picture_queue *q);
/* Somebody watches now, over RTSP or HTTP. */
bool tf_picture_viewers(const struct tf_picture_queue *q);
/* Somebody looks at pictures: they are drawn and encoded. */
bool tf_picture_watched(const struct tf_picture_queue *q);
/* That, or one is wanted for its encoder's description alone. */
bool tf_picture_wanted(const struct tf_picture_queue *q);

#endif
