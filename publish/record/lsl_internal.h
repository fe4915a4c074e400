/* Inside of lsl*.c: what a record leaves behind for the sending thread, and what the threads share. */
#ifndef TF_PUBLISH_RECORD_LSL_INTERNAL_H
#define TF_PUBLISH_RECORD_LSL_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "publish/record/lsl.h"
#include "publish/record/lsl_library.h"

#define TF_LSL_RING 128  /* records that may wait for the sending thread: 2 s of a 60 Hz camera */
#define TF_LSL_MARKS 256 /* marks that may wait for it */
#define TF_LSL_HOST 56   /* bytes of this machine's name in source ids: an id fits into TF_LSL_TEXT */
#define TF_LSL_POINT 3   /* channels of a landmark: x, y, confidence */

/* Of one face, into one stream of regions. */
struct tf_lsl_face {
    uint32_t id; /* 0: nobody */
    float score;
    float regions[TF_REGIONS], own[TF_OWN_MAX]; /* NAN: not valid */
};

/* What is sent of a record. */
struct tf_lsl_entry {
    uint64_t t_mono_ns, frame, sequence;
    int64_t video_frame;
    uint32_t flags;
    enum tf_state state;
    bool celsius;
    struct tf_own_names names;
    float area[TF_OWN_MAX];
    struct tf_lsl_face faces[TF_FACES_MAX];
    float points[]; /* landmarks: for each face that has a stream TF_POINTS * TF_LSL_POINT */
};

/* One of our streams; the sending thread's. */
struct tf_lsl_out {
    tf_lsl_outlet outlet; /* NULL: none */
    uint32_t told;        /* its place in tf_lsl.told.outlets; its number of channels is there */
    uint32_t channels;
};

/* What a camera's streams of regions have as channels. */
struct tf_lsl_layout {
    bool made;
    bool celsius;
    uint32_t own_number;       /* of tf_lsl.own */
    struct tf_own_regions own; /* of this camera */
    struct tf_own_names names; /* of these */
    struct tf_own_names entry; /* as the last record had them … */
    int face_at[TF_OWN_MAX];   /* … and where there each of `names` is, -1: nowhere */
    int area_at[TF_OWN_MAX];
    bool late_said;
};

struct tf_lsl_camera {
    struct tf_lsl *lsl;
    char name[40];
    /* The ring: written by the sink at head, read by the sending thread at tail. */
    uint8_t *slots;
    size_t stride;
    _Atomic uint32_t head, tail;
    uint32_t ids[TF_FACES_MAX]; /* the sink's: which face has which stream */
    struct tf_lsl_layout layout;
    struct tf_lsl_out regions[TF_FACES_MAX], landmarks[TF_FACES_MAX], frames;
};

struct tf_lsl_mark_waiting {
    char text[2 * TF_LSL_MARK_MAX + 2];
    uint64_t t_mono_ns;
};

/* A marker stream and its thread. */
struct tf_lsl_stream {
    struct tf_lsl *lsl;
    bool used;
    bool running; /* the thread is to be joined; the finder's */
    atomic_bool stop, ended;
    pthread_t thread;
    tf_lsl_info info;                            /* the thread's while it runs */
    char uid[TF_LSL_TEXT], old_uid[TF_LSL_TEXT]; /* of its program's run, and of the run before */
    uint64_t again_ns;                           /* not before that; the finder's */
    uint32_t channels;
    uint64_t seen_ns;                /* by the finder */
    bool silent;                     /* it does not see one that is connected; the finder's */
    bool warned_stamp, warned_limit; /* the thread's */
    struct tf_lsl_stream_told told;  /* under tf_lsl.lock */
};

struct tf_lsl {
    struct tf_lsl_library api;
    struct tf_lsl_options options; /* its strings are copies, in `strings` */
    char *strings[3];
    char host[TF_LSL_HOST];
    _Atomic int64_t offset_ns;
    int64_t offset_error_ns; /* half the bracket it was measured in; the sending thread's */
    sem_t wake;
    atomic_bool quitting, ending;
    pthread_t sender, finder;
    bool sends, finds; /* these run */
    struct tf_lsl_camera cameras[TF_LSL_CAMERAS_MAX];
    atomic_int camera_count;
    struct tf_lsl_out marks;
    char marks_id[TF_LSL_TEXT]; /* source id of our own stream of marks */
    _Atomic uint64_t dropped;
    _Atomic uint32_t own_number;
    struct tf_lsl_stream streams[TF_LSL_STREAMS_MAX];
    struct tf_lsl_double {
        char uid[TF_LSL_TEXT];
        uint64_t since_ns;
    } doubles[TF_LSL_STREAMS_MAX]; /* the finder's: streams that are called as one that runs */

    pthread_mutex_t lock; /* what follows, and what streams tell; held for copies only */
    struct tf_own_regions own;
    struct tf_lsl_mark_waiting *waiting;
    uint32_t waiting_first, waiting_count;
    struct tf_lsl_told told; /* its streams are filled in when it is asked for */
};

/* lsl.c */
void tf_lsl_say(struct tf_lsl *lsl, enum tf_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits for a thread's end, not without end: false. */
bool tf_lsl_join(pthread_t thread);
/* Ours by liblsl's clock. */
static inline double tf_lsl_stamp(struct tf_lsl *lsl, uint64_t t_mono_ns)
{
    return (double)((int64_t)t_mono_ns + atomic_load_explicit(&lsl->offset_ns, memory_order_relaxed)) * 1e-9;
}

/* lsl_outlet.c; the sending thread's. */
void tf_lsl_send(struct tf_lsl_camera *camera, const struct tf_lsl_entry *entry);
void tf_lsl_send_mark(struct tf_lsl *lsl, const struct tf_lsl_mark_waiting *mark);
/* Once a second: who reads. */
void tf_lsl_look(struct tf_lsl *lsl);
void tf_lsl_open_marks(struct tf_lsl *lsl);
void tf_lsl_close_outlets(struct tf_lsl *lsl);

/* lsl_describe.c: what a stream's header says of it (docs/lsl.md). `face` counts from 0. */
void tf_lsl_describe_regions(const struct tf_lsl_camera *camera, uint32_t face, tf_lsl_info info);
void tf_lsl_describe_landmarks(const struct tf_lsl_camera *camera, uint32_t face, tf_lsl_info info);
void tf_lsl_describe_frames(const struct tf_lsl_camera *camera, tf_lsl_info info);
void tf_lsl_describe_marks(struct tf_lsl *lsl, tf_lsl_info info);
/* Channels of a camera's stream of regions: those of every face, and in the first one the picture's. */
uint32_t tf_lsl_region_channels(const struct tf_lsl_layout *layout, uint32_t face);
#define TF_LSL_ENDING_CHANNELS 4 /* face, score, state, flags */
#define TF_LSL_FRAME_CHANNELS 5  /* frame, sequence, video_frame, state, flags */

/* lsl_inlet.c */
int tf_lsl_find_begin(struct tf_lsl *lsl, struct tf_error *err);
/* False: its threads hang in the library. */
bool tf_lsl_find_end(struct tf_lsl *lsl);

/* lsl_text.c */
/* What came from elsewhere as one line of UTF-8 of at most size - 1 bytes; true: it was shortened. */
bool tf_lsl_clean(const char *text, size_t length, char *ret, size_t size);

#endif
