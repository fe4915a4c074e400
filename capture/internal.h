/*
 * Inside of capture: what a source implements, and what all of them share. Not for other rooms.
 *
 * source.c turns what a source delivers into a frame for readers: numbers it, adds rotation and radiometry,
 * keeps its times in order and gives live ones their UTC, reads telemetry counters against each other, and
 * follows shutter calibrations.
 */
#ifndef TF_CAPTURE_INTERNAL_H
#define TF_CAPTURE_INTERNAL_H

#include <stdatomic.h>

#include "capture/source.h"

#define TF_SOURCE_FRAMES_DEFAULT 12
#define TF_SOURCE_FRAMES_MAX 256

struct tf_source_ops {
    int (*start)(struct tf_source *source, struct tf_error *err);
    void (*stop)(struct tf_source *source);
    /* Fills planes, sequence, stamp, radiometry and flags of a pool frame; t_utc_ns too unless info.live. */
    enum tf_next (*next)(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                         struct tf_error *err);
    int (*truth)(const struct tf_source *source, const struct tf_frame *frame, struct tf_truth *ret, int max);
    int (*ffc)(struct tf_source *source, enum tf_ffc action, struct tf_error *err); /* NULL: -ENOTSUP */
    void (*close)(struct tf_source *source);
};

/* Finds pictures that are the one before, byte for byte. */
struct tf_frozen {
    bool has;
    uint64_t hash, since_ns; /* of the picture that is being repeated, and its stamp */
};
/* The flags that a frame gets by it: duplicate, and ffc once the picture has stood for a while. */
uint32_t tf_frozen_follow(struct tf_frozen *frozen, const struct tf_frame *f);

/* The head of every source. An `open` sets ops, info and options; the rest belongs to source.c. */
struct tf_source {
    const struct tf_source_ops *ops;
    struct tf_source_info info;
    struct tf_source_options options; /* strings are gone after open */
    struct tf_source_drops drops; /* `capture` is counted by the source, `driver` by source.c from `gap` */
    /* Of the next frame to be delivered; source.c clears them with it. */
    uint64_t gap;         /* frames lost before this one, by the source's own numbering */
    uint64_t capture_gap; /* frames lost before this one by us */

    bool watch_frozen; /* set by `open` */
    char notice[256];
    struct tf_frozen frozen;
    int wake_fd; /* eventfd, non-blocking */
    bool running;
    uint64_t number;
    bool has_counter;
    uint64_t counter;
    bool had_ffc;
    uint64_t ffc_end_ns; /* of the last frame with the shutter closed */
    uint64_t last_ns;    /* t_mono_ns of the last frame; 0 = none */
};

/* They fill *ret only on success; `rest` is what follows the kind's prefix. */
int tf_synthetic_open(const struct tf_source_options *options, const char *rest, struct tf_source **ret,
                      struct tf_error *err);
int tf_file_open(const struct tf_source_options *options, const char *path, struct tf_source **ret,
                 struct tf_error *err);
int tf_replay_open(const struct tf_source_options *options, const char *stem, struct tf_source **ret,
                   struct tf_error *err);
int tf_v4l2_open(const struct tf_source_options *options, const char *path, struct tf_source **ret,
                 struct tf_error *err);

typedef int tf_source_opener(const struct tf_source_options *options, const char *rest,
                             struct tf_source **ret, struct tf_error *err);
/* Opens with an opener of the above and options that have been checked, and makes the source ready for
 * readers. */
int tf_source_open_by(tf_source_opener *opener, const struct tf_source_options *options, const char *rest,
                      struct tf_source **ret, struct tf_error *err);

/* Adds to what tf_source_notice says, once. */
void tf_source_note(struct tf_source *source, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* False: not one of some hundred values of the picture lies within the row's limits. */
bool tf_values_plausible(const struct tf_format *row, const struct tf_frame *f);
#define TF_NOTICE_PALETTE                                                                                    \
    "coloured by a palette: its colours are no temperatures; record the camera's 16-bit values"
/* Whether a picture's colours are those of a palette. */
bool tf_looks_like_palette(const struct tf_frame *f);

/*
 * Waits until t_mono_ns (UINT64_MAX: without end), at most timeout_ms (negative: without limit), or until the
 * source is woken. 1: the time has come; 0: timeout or woken. The wake is consumed.
 */
int tf_source_wait_until(struct tf_source *source, uint64_t t_mono_ns, int timeout_ms, uint64_t called_ns);
/* Takes a pending wake; true if there was one. */
bool tf_source_take_wake(struct tf_source *source);

/*
 * A pool whose frames lend memory that is not the pool's own (mmap buffers, decoder frames) must hear of
 * every frame that comes back, also after its source was closed. A lender outlives its source until the last
 * frame is back.
 */
struct tf_lender;
struct tf_lender_ops {
    /* A frame is back. Any thread. */
    void (*released)(void *context, struct tf_frame *frame);
    /* All frames are back and the source is closed: frees the context. Called from a later open or close of
     * any source, or from tf_lender_close. */
    void (*destroy)(void *context);
};
int tf_lender_create(const struct tf_pool_options *pool, const struct tf_lender_ops *ops, void *context,
                     struct tf_lender **ret);
struct tf_pool *tf_lender_pool(struct tf_lender *lender);
/* The source lets go. */
void tf_lender_close(struct tf_lender *lender);

/* The row's counts to °C, unless the user gave scale and offset. */
struct tf_radiometry tf_format_radiometry(const struct tf_format *row,
                                          const struct tf_source_options *options);
/* The part of a width x height buffer that a row's frames show. */
struct tf_rect tf_format_raw(const struct tf_format *row, uint16_t width, uint16_t height);
/*
 * Points a frame that shows a whole buffer at that part. Where values and picture are halves of a buffer and
 * have changed places (a camera out of step), at the other half; where neither half holds values, the frame
 * is flagged corrupt. Lines of a row that folds must lie close.
 */
void tf_format_cut(const struct tf_format *row, const struct tf_rect *raw, struct tf_frame *f);
/*
 * Reads the row's telemetry from the whole buffer into the frame: counter, sensor temperature, shutter, and,
 * unless `fixed` (the user gave a scale), radiometry.
 */
void tf_format_telemetry(const struct tf_format *row, const uint8_t *data, size_t size, uint32_t stride,
                         bool fixed, struct tf_frame *f);

#endif
