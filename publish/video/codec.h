/* Choosing and setting one of libavcodec's encoders. Private to publish/video/. */
#ifndef TF_PUBLISH_VIDEO_CODEC_H
#define TF_PUBLISH_VIDEO_CODEC_H

#include <libavcodec/avcodec.h>

#include "publish/video/encoder.h"

/* By name, with its preset: -EINVAL lists what there is, -ENOTSUP for one that takes none of our pictures. */
int tf_codec_find(const struct tf_encoder_options *options, const AVCodec **ret, struct tf_error *err);
/* What it takes of pictures in memory; AV_PIX_FMT_NONE: none. */
enum AVPixelFormat tf_codec_format(const AVCodec *codec);
/* Its own options. */
void tf_codec_set(const struct tf_encoder_options *options, const char *name, AVDictionary **dictionary);
/* Whether it keeps a quality constant without a bit rate. */
bool tf_codec_keeps_quality(const char *name);

#endif
