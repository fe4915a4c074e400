/* The inference thread's own. */
#ifndef TF_PIPELINE_INFERENCE_H
#define TF_PIPELINE_INFERENCE_H

#include "inference/face/turns.h"
#include "pipeline/recorder.h"
#include "pipeline/shared.h"

struct tf_sinks {
    struct tf_sink items[TF_PIPELINE_SINKS_MAX];
    bool failed[TF_PIPELINE_SINKS_MAX];
    _Atomic uint64_t lost[TF_PIPELINE_SINKS_MAX]; /* records that it could not take; read by any thread */
    int count;
    bool closed;
};

/* Of the search for the turn, and of looking after one that was given. */
struct tf_turn_search {
    bool automatic, unwatched;
    struct tf_turns turns;
    struct tf_turns_rest rest; /* of looking after a given turn */
    int settled;               /* the turn of the last verdict on a given one, -1: none */
    bool said;                 /* a tie was said */
    uint64_t cost_ns;          /* of a reading, as a running mean */
};

/* Of the thermal camera's side of a pair. */
struct tf_pair_side {
    struct tf_pairing pairing;
    struct tf_exchanged partner; /* the result last taken over */
    bool size_said;
    uint64_t size_since_ns;
};

/* The laboratory's own regions as they were last taken over. */
struct tf_own_taken {
    uint32_t number; /* 0: not yet */
    struct tf_own_regions regions;
    struct tf_own_names names;
};

struct tf_inference {
    const struct tf_setup *setup;
    struct tf_shared *shared;
    struct tf_frame_queue *frames;
    struct tf_picture_queue *pictures;
    struct tf_recorder *recorder;
    struct tf_analyser *analyser;
    struct tf_shared_record *records;
    struct tf_record skipped;   /* without faces */
    struct tf_record_text text; /* of the record that goes round the sinks */
    struct tf_sinks sinks;
    struct tf_turn_search turn;
    struct tf_pair_side pair;
    struct tf_own_taken own;
    bool analysis_failed;
    bool reset_wanted;
    uint32_t recording_seen; /* the recording whose frames were analysed last */
    uint64_t skipped_count;
    uint64_t picture_due_ns;
};

void *tf_inference_main(void *inference);
void tf_inference_close_sinks(struct tf_inference *inference);

/* turn.c */
/* Takes TF_ROTATE_AUTO out of the source's options; before the source is opened. */
int tf_turn_init(struct tf_inference *inference, struct tf_source_options *source, struct tf_error *err);
/* Whether a recording's turn can be told before its first frame, which then has it. */
bool tf_turn_can_probe(const struct tf_inference *inference);
/* Reads the source for it. The turn, or -1: it stays. */
int tf_turn_probe(struct tf_inference *inference, struct tf_source *source);
/* A frame that was looked at. */
void tf_turn_look(struct tf_inference *inference, const struct tf_frame *frame);
/* The camera has come back. */
void tf_turn_begin_anew(struct tf_inference *inference);

/* own.c */
/* The record gets the regions' names, before its frame is looked at. */
void tf_own_begin(struct tf_inference *inference, struct tf_record *record);
/* And their values, once its faces are as they stay. */
void tf_own_look(struct tf_inference *inference, const struct tf_frame *frame, struct tf_record *record);

/* paired.c */
/* The partner's nearest result, and its faces into the record's. */
void tf_pair_merge(struct tf_inference *inference, const struct tf_frame *frame, struct tf_record *record);

#endif
