/*
 * thermoface run: a data set as a list of what is to be made, in the same order and with the same shares
 * wherever the list is made: it depends on the inputs only, never on what is done already.
 */
#ifndef TF_CLI_RUN_DATASET_H
#define TF_CLI_RUN_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "cli/run.h"

#define TF_SHARDS_MAX 100000u

/* Where a number of frames comes from; all but the last are cheap. */
enum tf_frames_from {
    TF_FRAMES_UNKNOWN,
    TF_FRAMES_SIDECAR,  /* the recording's description of itself */
    TF_FRAMES_TABLE,    /* rows of its table: it was not ended properly */
    TF_FRAMES_INDEX,    /* the file's own index, or its length and rate */
    TF_FRAMES_ESTIMATE, /* the file's size: nothing else is known without decoding */
};
const char *tf_frames_from_name(enum tf_frames_from from);

/* One recording or video. Strings are its own. */
struct tf_run_item {
    bool recording;
    char *input;   /* what is read: a file, or FOLDER/STEM of a recording */
    char *folder;  /* of a recording */
    char *stem;    /* of its results */
    char *name;    /* for people, and for the order of shares; relative to the data set */
    char *root;    /* of the data set that the results are, or empty */
    char *out;     /* folder of the results; NULL with a problem */
    char *problem; /* why it cannot be made, or NULL */
    uint64_t frames;
    enum tf_frames_from from;
    uint32_t shard; /* from 1 */
};

struct tf_dataset {
    const struct tf_usage *usage;
    const struct tf_run *run;
    struct tf_run_item *items;
    int count, capacity;
};

/* A text with an input a line: its ending says so (.txt, .lst, .list). */
bool tf_is_input_list(const char *path);
/*
 * Finds what the inputs are: folders of recorded sessions, folders of videos, videos, lists. What of it
 * cannot be made is an item with its problem. TF_EXIT_OK, or the status of what was said.
 */
int tf_dataset_find(struct tf_dataset *d, const char *const *inputs, int count);
/* Counts the frames of every item. */
void tf_dataset_weigh(struct tf_dataset *d);
/*
 * Gives every item its share of 1 to shards, by frames: the largest first, each to the share that has the
 * least so far. 0, or -ENOMEM.
 */
int tf_dataset_split(struct tf_dataset *d, uint32_t shards);
void tf_dataset_clear(struct tf_dataset *d);

#endif
