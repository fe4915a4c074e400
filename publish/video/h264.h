/* What encoder and muxer share about H.264 and each other; not for other rooms. */
#ifndef TF_PUBLISH_VIDEO_H264_H
#define TF_PUBLISH_VIDEO_H264_H

#include <stddef.h>
#include <stdint.h>

#include "publish/video/encoder.h"

/*
 * Copies the SPS and PPS units (types 7 and 8, ITU-T H.264 table 7-1) of an Annex B piece to `ret`, each with
 * a start code. Returns the bytes written; 0 when there is no SPS, or they do not fit. Allocates: for the key
 * pictures of a stream, not for every packet.
 */
size_t tf_h264_parameters(const uint8_t *data, size_t size, uint8_t *ret, size_t capacity);

struct AVCodecParameters;
/* Fills everything but the extradata. */
void tf_encoder_parameters(const struct tf_encoder *encoder, struct AVCodecParameters *ret);
float tf_encoder_fps(const struct tf_encoder *encoder);

#endif
