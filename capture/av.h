/* Pictures of libavcodec as frames. Not for other rooms. */
#ifndef TF_CAPTURE_AV_H
#define TF_CAPTURE_AV_H

#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>

#include "base/frame.h"

/* The pixel format of frames made of such pictures; false: they have to be converted (to YUV420) first. */
bool tf_av_pixel(enum AVPixelFormat format, enum tf_pixel *ret);
/* Whether it holds 16-bit values of which the bytes are in the other order. */
bool tf_av_swapped(enum AVPixelFormat format);
/* Whether its colours have the full range. */
bool tf_av_full_range(const AVFrame *picture);
/* Points the frame's planes at the picture's, whose pixel format tf_av_pixel knows. The picture must outlive
 * the frame. */
void tf_av_lend(const AVFrame *picture, struct tf_frame *frame);
/* Copies the picture into the frame's own planes; size and pixel format of both are alike. */
void tf_av_copy(const AVFrame *picture, struct tf_frame *frame);
/* What FFmpeg says of an error code; writes into and returns text. */
const char *tf_av_text(int error, char text[128]);

#endif
