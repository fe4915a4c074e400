/* A single picture as a file: PNG without loss, or JPEG, which is much the quicker one. */
#ifndef TF_PUBLISH_VIDEO_SNAPSHOT_H
#define TF_PUBLISH_VIDEO_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tf_picture;

enum tf_snapshot_format {
    TF_SNAPSHOT_PNG,
    TF_SNAPSHOT_JPEG, /* 4:4:4, so that thin lines keep their colours */
};

struct tf_snapshot {
    enum tf_snapshot_format format; /* in */
    uint64_t version; /* in: of the picture that the caller has; out: of this one; 0: none, or always new */
    uint64_t frame, t_mono_ns; /* out: the frame that it shows, and when that was captured */
    uint8_t *data;             /* out, the caller's to free */
    size_t size;
};

/* Fills data and size. -ENOMEM, or libavcodec's refusal as -EIO or -EINVAL. */
int tf_snapshot_encode(const struct tf_picture *picture, struct tf_snapshot *snapshot, struct tf_error *err);

#endif
