/* Re-packing loss-free raw videos for keeping: FFVHUFF, which is fast, becomes FFV1, which is smaller. */
#ifndef TF_PUBLISH_RECORDING_ARCHIVE_H
#define TF_PUBLISH_RECORDING_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct tf_archive_result {
    bool packed; /* false: it was FFV1, or not loss-free, and stays as it is */
    uint64_t frames, bytes_before, bytes_after;
};

/*
 * Packs beside the old file, compares every pixel and every time stamp of both, and only then puts the new
 * one in the old one's place. `progress` (may be NULL) is called for each frame written and compared; true
 * ends it with -ECANCELED. After an error the old file is untouched. Errors: -EIO (unreadable, or not the
 * same), the file system's.
 */
int tf_archive_video(const char *path, int threads, bool (*progress)(void *context), void *context,
                     struct tf_archive_result *ret, struct tf_error *err);

#endif
