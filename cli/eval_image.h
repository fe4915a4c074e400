/* One picture from a file as a gray frame, through libavformat and libavcodec. */
#ifndef TF_CLI_EVAL_IMAGE_H
#define TF_CLI_EVAL_IMAGE_H

#include "base/error.h"
#include "base/frame.h"

/* A frame outside any pool: its pixels live until the next load or tf_image_unload. */
struct tf_image {
    struct tf_frame frame;
    struct AVFrame *decoded;
};

/*
 * Loads the first picture of a file (JPEG, PNG, …) whose luminance has 8 or 16 bits. `image` is zeroed before
 * the first use. Errors: -ENOENT and the like, -EINVAL (not a picture, or of a pixel format without plain
 * luminance: named).
 */
int tf_image_load(struct tf_image *image, const char *path, struct tf_error *err);
void tf_image_unload(struct tf_image *image);

#endif
