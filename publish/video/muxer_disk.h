/* A video file whose bytes go to a recording's disk thread; inside publish/ only. */
#ifndef TF_PUBLISH_VIDEO_MUXER_DISK_H
#define TF_PUBLISH_VIDEO_MUXER_DISK_H

#include "publish/video/encoder.h"
#include "publish/disk/disk.h"

/* As tf_muxer_create; `name` stands in messages, its ending names the container. The file stays the disk's.
 */
int tf_muxer_create_on(struct tf_disk_file *file, const char *name, const struct tf_encoder *encoder,
                       struct tf_muxer **ret, struct tf_error *err);

#endif
