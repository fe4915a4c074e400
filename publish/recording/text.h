/* The description of a camera's recording, STEM_video.json; inside publish/ only. */
#ifndef TF_PUBLISH_RECORDING_TEXT_H
#define TF_PUBLISH_RECORDING_TEXT_H

#include "publish/recording/recording.h"
#include "publish/disk/disk.h"

struct tf_recording_segment {
    uint64_t first_frame, frames;
    uint64_t t_first_ns;
};

/* What is known at the end. */
struct tf_recording_facts {
    uint64_t frames, refused, rows, rows_lost, stamps_back, annotated;
    uint64_t lost_driver, lost_capture, not_analysed;
    uint64_t pictures_lost[TF_PICTURE_PLACES], pictures_left_out;
    uint64_t accepted; /* frames; more than `frames` when the disk has failed */
    uint64_t t_first_ns, t_last_ns, annotated_first_ns;
    uint32_t first_face_id; /* 0: nothing was analysed */
    const struct tf_recording_segment *segments;
    size_t segment_count;
    const char *error; /* or NULL */
};

/*
 * Writes PATH_video.json, beside the old one and then in its place, so that there is always one that is
 * whole. `facts` NULL: at the beginning; -EEXIST when there is one.
 */
int tf_recording_describe(const struct tf_recording_options *options, const char *codec,
                          const struct tf_recording_facts *facts, const char *path, struct tf_disk *disk,
                          struct tf_error *err);

/* A float as people wrote it: 0.01, not 0.00999999977; with all the digits that bring it back. */
double tf_text_decimal(float value);

#endif
