/* The raw video of a recording: one frame in, one packet in the file; inside publish/ only. */
#ifndef TF_PUBLISH_RECORDING_VIDEO_H
#define TF_PUBLISH_RECORDING_VIDEO_H

#include "publish/recording/recording.h"
#include "publish/disk/disk.h"

struct tf_raw_video;

/* The file belongs to the disk. */
/* `first_frame`: the number of the first one, in a file that goes on with another one's. */
int tf_raw_video_create(const struct tf_recording_options *options, struct tf_disk_file *file,
                        uint64_t first_frame, struct tf_raw_video **ret, struct tf_error *err);
const char *tf_raw_video_codec(const struct tf_raw_video *video);
/* `t_ns`: since the file's first frame. *back: the stamp was not later than the one before; the video's is.
 */
int tf_raw_video_write(struct tf_raw_video *video, struct tf_frame *frame, uint64_t t_ns, bool *back,
                       struct tf_error *err);
/* Writes the container's end. */
int tf_raw_video_finish(struct tf_raw_video *video, struct tf_error *err);
/* Frames that are whole in a file that may have no end, from an element on (0: from its beginning). */
int tf_raw_video_count(int fd, uint64_t from, uint64_t *ret);
/* Accepts NULL. */
void tf_raw_video_destroy(struct tf_raw_video *video);

#endif
