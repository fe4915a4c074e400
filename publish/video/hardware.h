/* Hardware encoders that take pictures from a device's memory: the device, and the way there. Private to
 * publish/video/. */
#ifndef TF_PUBLISH_VIDEO_HARDWARE_H
#define TF_PUBLISH_VIDEO_HARDWARE_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>

#include "base/error.h"

/* True for encoders that take nothing but a device's pictures. */
bool tf_hardware_needed(const AVCodec *codec);
/*
 * Opens the device (NULL: libavcodec's own choice) and gives the codec its pictures' memory; before
 * avcodec_open2. The codec has its size. What is put in is NV12. -ENODEV says what is missing, -ENOTSUP,
 * -ENOMEM.
 */
int tf_hardware_attach(AVCodecContext *codec, const char *device, struct tf_error *err);
/* A picture in the device's memory from one in ours. */
int tf_hardware_upload(const AVCodecContext *codec, const AVFrame *from, AVFrame *ret, struct tf_error *err);
/* What an encoder needs that did not open: "; ..." or "". */
const char *tf_hardware_hint(const char *codec);

#endif
