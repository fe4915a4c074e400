/* Inside of the pipeline: what its threads share. Not for other rooms. */
#ifndef TF_PIPELINE_INTERNAL_H
#define TF_PIPELINE_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ring.h"
#include "inference/face/turns.h"
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

/* A record with the frame it was made of, shared by inference, picture thread and snapshots. */
struct tf_shared_record {
    atomic_uint references;
    atomic_bool taken; /* cleared last of all, when everything that it holds has been let go */
    struct tf_frame *frame;
    struct tf_record record;
    uint32_t recording; /* number of the recording that its picture belongs to, 0 = none */
};

/* As number of a picture's recording: it says that there is no frame, and is kept as viewers see it. */
#define TF_PICTURE_CARD UINT32_MAX

enum tf_thread_role { TF_THREAD_CAPTURE, TF_THREAD_INFERENCE, TF_THREAD_PICTURE, TF_THREADS };

struct tf_worker {
    pthread_t thread;
    bool started; /* by the owner's thread only */
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

#define TF_FPS_STAMPS 512

struct tf_pipeline {
    struct tf_pipeline_options options; /* its strings are copies, in `strings` */
    char camera[64];
    char *strings[16];
    int string_count;
    bool live;          /* the source comes by the clock: drop; else every place waits */
    bool pictures_wait; /* offline with a video file: every picture is drawn */

    struct tf_worker workers[TF_THREADS];
    atomic_bool stopping;
    _Atomic uint64_t stop_ns;
    bool started, joined;

    /*
     * Protects what follows up to `latest`. Held for copies only, never across a call that can wait.
     * `changed` says that a stop was asked for or that the last thread has ended.
     */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    int threads_left;
    int result; /* the run's first error */
    struct tf_error error;
    struct tf_status status;
    int64_t state_since_utc_ns;
    struct tf_overlay_options
        overlay_options; /* the newest; the picture thread takes them when the number changes */
    uint32_t overlay_number;
    struct tf_source *source;      /* while the capture thread has it open: for tf_source_wake */
    struct tf_source_info info;    /* of the first opening */
    struct tf_source_info present; /* of this one */
    bool has_info;
    bool turn_held;           /* a recording keeps its turn */
    uint64_t turn_changed_ns; /* when capture last took over another one; 0 = never */
    struct tf_rate rate;
    uint32_t rate_opening;
    /* A movement of the shutter that capture is asked for; `asked` is read without the lock. */
    atomic_bool ffc_asked;
    enum tf_ffc ffc_action;
    bool ffc_done;
    int ffc_result;
    struct tf_error ffc_error;
    struct tf_shared_record *latest;
    uint64_t fps_stamps[TF_FPS_STAMPS]; /* when records were made, newest at fps_count - 1 */
    uint64_t fps_count;

    /* Capture's own. */
    struct tf_source *first_source; /* opened by create when a failure ends the run */
    uint64_t frames_captured;
    uint32_t openings;
    bool reopened;                       /* the next frame is the first of another opening */
    struct tf_source_drops drops_before; /* of earlier openings */
    uint64_t lost_backlog;
    bool final; /* the error that ends the run: its caller says it */
    struct tf_log_limit message_limit;

    /* The turn. Inference says in turn_wanted what capture is to take over, -1: nothing; and in turn_better
     * what pictures warn of, -1: nothing. */
    bool turn_auto;
    atomic_int turn_wanted, turn_better;
    atomic_bool turn_open; /* auto, and not decided: the video file waits */

    /* Capture to inference. */
    struct tf_ring *ring;
    sem_t ring_slots; /* offline: free places */
    struct tf_entry *backlog;
    _Atomic uint64_t backlog_head, backlog_tail; /* written by capture; by inference */

    /* Inference's own. */
    struct tf_analyser *analyser;
    struct tf_shared_record *records;
    struct tf_record skipped;     /* without faces */
    struct tf_pipeline_pair pair; /* options.pair points here, as pair.registration to the next */
    struct tf_registration registration;
    struct tf_pairing pairing;
    struct tf_exchanged partner; /* the result last taken over */
    bool pair_size_said;
    uint64_t pair_size_since_ns;
    struct tf_sink sinks[TF_PIPELINE_SINKS_MAX];
    bool sink_failed[TF_PIPELINE_SINKS_MAX];
    _Atomic uint64_t sink_lost[TF_PIPELINE_SINKS_MAX]; /* records that it could not take */
    int sink_count;
    bool sinks_closed;
    bool analysis_failed;
    bool reset_wanted;
    struct tf_turns turns;
    bool turn_watched, turn_said; /* a given turn was looked after; a tie was said */
    uint64_t turn_cost_ns;        /* of a reading, as a running mean */
    uint32_t recording_seen;      /* the recording whose frames were analysed last */
    uint64_t skipped_count;
    uint64_t picture_due_ns;

    /* Inference to pictures. */
    struct tf_ring *picture_ring;
    sem_t picture_slots;

    /* The picture thread's own (create's before it starts). */
    struct tf_rtsp_mount *mount;
    struct tf_overlay *overlay;
    uint32_t overlay_taken, overlay_width, overlay_height; /* upright geometry it was made for */
    struct tf_encoder *encoder;
    bool encoder_failed;
    struct tf_muxer *muxer;
    atomic_bool video_open;
    atomic_bool described; /* RTSP has the parameter sets: nothing is prepared for a description any more */
    uint64_t picture_last_ns; /* stamp of the newest picture encoded */
    bool key_wanted;
    _Atomic uint64_t encoded, video_lost; /* pictures; of these, not in the video file since it has failed */

    /*
     * The recording. recording_control is held over start, stop and status; the other locks by one thread
     * each and for a moment by control.
     */
    pthread_mutex_t recording_control;
    struct tf_recording *recording; /* under recording_control */
    pthread_mutex_t recording_locks[TF_THREADS];
    char notice_seen[256];                       /* capture's: the source's notice as it was last passed on */
    unsigned record_waiting;                     /* frames that may wait for a recording's encoder */
    struct tf_recording *recordings[TF_THREADS]; /* as each thread sees it */
    uint32_t recording_number;                   /* capture's lock */
    uint64_t recording_rows_end;        /* capture's lock: frames up to this one were offered to it */
    uint32_t recording_rows_number;     /* inference's lock */
    uint32_t recording_pictures_number; /* pictures' lock */
    uint32_t picture_recording; /* the picture thread's: of the picture that is being drawn; 0: none */
    atomic_bool recording_pictures, recording_key;
    _Atomic uint64_t records_done;               /* frames that have got their record */
    _Atomic uint64_t pictures_offered;           /* frames whose picture was given on, or is not made */
    _Atomic uint64_t pictures_done;              /* taken from the picture ring and seen to */
    struct tf_recording_totals recording_totals; /* recording_control: of recordings that have ended */
    struct tf_recording_told recording_told;     /* lock: what was last known of it */

    /* Snapshots: drawn in the asker's thread, one at a time. */
    pthread_mutex_t snapshot_lock;
    struct tf_overlay *snapshot_overlay;
    uint32_t snapshot_width, snapshot_height, snapshot_number;

    /* Sums of nanoseconds; each written by one thread. */
    _Atomic uint64_t stage_ns[TF_STAGES];
    _Atomic uint64_t latency_fine[TF_FINE_BUCKETS];
    _Atomic uint32_t latency_max;
};

/* status.c: what the source says of itself; logs what is new. */
void tf_status_notice(struct tf_pipeline *p, const char *notice);

/* pipeline.c */
void tf_pipeline_fail(struct tf_pipeline *p, int code, const struct tf_error *err); /* keeps the first */
bool tf_pipeline_sleep(struct tf_pipeline *p, uint64_t ns); /* false: a stop was asked for */
void tf_pipeline_beat(struct tf_pipeline *p, enum tf_thread_role role);
int tf_pipeline_keep_string(struct tf_pipeline *p, const char **s); /* *s becomes the pipeline's own copy */

/* record.c */
void tf_pipeline_record_init(struct tf_pipeline *p);
/* How many frames may be out at once, and how many of them wait for a recording. */
void tf_pipeline_record_budget(struct tf_pipeline *p);
void tf_pipeline_record_finish(struct tf_pipeline *p);
void tf_pipeline_record_frame(struct tf_pipeline *p, struct tf_frame *frame, struct tf_head *head);
void tf_pipeline_record_row(struct tf_pipeline *p, const struct tf_record *record,
                            const struct tf_head *head);
/* Inference: the recording begins with this frame; the first face that is found in it gets that id. */
void tf_pipeline_record_first_face(struct tf_pipeline *p, uint32_t id);
void tf_pipeline_record_packet(struct tf_pipeline *p, const struct tf_packet *packet);
/* The calling thread's role; `recording`: the number that the frame belongs to, 0 = none. */
void tf_pipeline_record_picture_lost(struct tf_pipeline *p, enum tf_thread_role role, uint32_t recording,
                                     enum tf_picture_place place);
void tf_pipeline_record_picture_left_out(struct tf_pipeline *p, uint32_t recording);
/* Of this recording and those before, for the status. */
void tf_pipeline_record_tell(struct tf_pipeline *p, struct tf_status *ret);
void tf_pipeline_record_packets_end(struct tf_pipeline *p);

/* supervise.c */
void *tf_capture_main(void *arg);
/* Answers tf_pipeline_ffc; `source` NULL: the camera has gone. */
void tf_capture_ffc(struct tf_pipeline *p, struct tf_source *source);
int tf_capture_open(struct tf_pipeline *p, struct tf_source **ret, struct tf_error *err);

/* analyse.c */
void *tf_inference_main(void *arg);
void tf_shared_record_ref(struct tf_shared_record *record);
void tf_shared_record_unref(struct tf_shared_record *record);
void tf_sinks_close(struct tf_pipeline *p);

/* turn.c */
/* Takes TF_ROTATE_AUTO out of the options; before the source is opened. */
int tf_turn_init(struct tf_pipeline *p, struct tf_error *err);
/* A recording's turn is told before its first frame, which then has it. */
void tf_turn_probe(struct tf_pipeline *p);
/* Inference: a frame that was looked at. */
void tf_turn_look(struct tf_pipeline *p, const struct tf_frame *frame);
/* Inference: the camera has come back. */
void tf_turn_begin_anew(struct tf_pipeline *p);
/* Capture: takes over what inference has decided, unless it is held. */
void tf_turn_take(struct tf_pipeline *p, struct tf_source *source);
/* A recording begins: no change from here on, and none that pictures still lag behind. Ends with release. */
void tf_turn_hold(struct tf_pipeline *p);
void tf_turn_release(struct tf_pipeline *p);
/* The banner of a picture that has none. */
void tf_turn_note(const struct tf_pipeline *p, struct tf_overlay_note *note);

/* paired.c */
/* Makes the pair's options the pipeline's own. */
int tf_pipeline_pair_init(struct tf_pipeline *p);
/* The partner's nearest result, and its faces into the record's. */
void tf_pipeline_pair(struct tf_pipeline *p, const struct tf_frame *frame, struct tf_record *record);

/* picture.c */
void *tf_picture_main(void *arg);
/* Overlay, encoder and, unless it is for a card, video file for frames of an upright size; anew when the size
 * has changed. */
int tf_picture_prepare(struct tf_pipeline *p, uint32_t width, uint32_t height, bool card,
                       struct tf_error *err);
bool tf_picture_wanted(const struct tf_pipeline *p);
/* analyse.c: whether a frame of that time becomes a picture under a limit of pictures per second (0: none);
 * *due_ns is kept by the caller, from 0. */
bool tf_picture_due(uint64_t *due_ns, float fps_max, uint64_t t_ns);
void tf_picture_finish(struct tf_pipeline *p);

/* status.c */
void tf_status_init(struct tf_pipeline *p);
/* Changes the state; says it once in the log. `message` NULL: none. */
void tf_status_state(struct tf_pipeline *p, enum tf_camera_state state, const char *message);
void tf_status_source(struct tf_pipeline *p, const struct tf_source_info *info);
/* Counts a record that has just been made; takes over a reference to `shared` when it is given, as the latest
 * one. */
void tf_status_record(struct tf_pipeline *p, const struct tf_record *record, uint32_t opening,
                      struct tf_shared_record *shared);
static inline void tf_stage_add(struct tf_pipeline *p, enum tf_stage stage, uint64_t ns)
{
    atomic_fetch_add_explicit(&p->stage_ns[stage], ns, memory_order_relaxed);
}

#endif
