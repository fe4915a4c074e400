/* Devices of hardware encoders through libavutil's hwcontext. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/hwcontext.h>
#include <libavutil/pixdesc.h>

#include "publish/video/hardware.h"

/* Pictures on their way: one being encoded, one being uploaded, and what an encoder keeps to look back at. */
#define POOL 8

static const AVCodecHWConfig *config_of(const AVCodec *codec)
{
    const AVCodecHWConfig *config;

    for (int i = 0; (config = avcodec_get_hw_config(codec, i)); i++)
        if (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_FRAMES_CTX)
            return config;
    return NULL;
}

bool tf_hardware_needed(const AVCodec *codec)
{
    for (const enum AVPixelFormat *f = codec->pix_fmts; f && *f != AV_PIX_FMT_NONE; f++) {
        const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(*f);
        if (d && !(d->flags & AV_PIX_FMT_FLAG_HWACCEL))
            return false;
    }
    return codec->pix_fmts && config_of(codec);
}

static int create_pool(AVCodecContext *codec, AVBufferRef *device, enum AVPixelFormat format)
{
    AVBufferRef *frames = av_hwframe_ctx_alloc(device);
    AVHWFramesContext *f;

    if (!frames)
        return -ENOMEM;
    f = (AVHWFramesContext *)(void *)frames->data;
    f->format = format;
    f->sw_format = AV_PIX_FMT_NV12;
    f->width = codec->width;
    f->height = codec->height;
    f->initial_pool_size = POOL;
    if (av_hwframe_ctx_init(frames) < 0) {
        av_buffer_unref(&frames);
        return -ENOTSUP;
    }
    codec->pix_fmt = format;
    codec->hw_frames_ctx = frames;
    return 0;
}

int tf_hardware_attach(AVCodecContext *codec, const char *device, struct tf_error *err)
{
    const AVCodecHWConfig *config = config_of(codec->codec);
    const char *name = codec->codec->name, *kind;
    AVBufferRef *context = NULL;
    char reason[AV_ERROR_MAX_STRING_SIZE];
    int r;

    if (!config)
        return tf_fail(err, -ENOTSUP, "encoder %s: no way to its device is known; use libx264", name);
    kind = av_hwdevice_get_type_name(config->device_type);
    if (device && access(device, F_OK) != 0)
        return tf_fail(err, -ENODEV, "encoder %s: the device %s is not there", name, device);
    if (device && access(device, R_OK | W_OK) != 0)
        return tf_fail(err, -EACCES, "encoder %s: the device %s may not be used: %s (group render?)", name,
                       device, strerror(errno));
    r = av_hwdevice_ctx_create(&context, config->device_type, device, NULL, 0);
    if (r < 0) {
        av_strerror(r, reason, sizeof(reason));
        return tf_fail(err, -ENODEV, "encoder %s: no %s device opens (%s): %s%s", name,
                       kind ? kind : "hardware", device ? device : "its first one", reason,
                       tf_hardware_hint(name));
    }
    r = create_pool(codec, context, config->pix_fmt);
    av_buffer_unref(&context);
    if (r == -ENOTSUP)
        return tf_fail(err, r, "encoder %s: the device has no memory for NV12 pictures of %dx%d", name,
                       codec->width, codec->height);
    return r;
}

int tf_hardware_upload(const AVCodecContext *codec, const AVFrame *from, AVFrame *ret, struct tf_error *err)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];
    int r;

    av_frame_unref(ret);
    r = av_hwframe_get_buffer(codec->hw_frames_ctx, ret, 0);
    if (r == 0)
        r = av_hwframe_transfer_data(ret, from, 0);
    if (r == 0)
        r = av_frame_copy_props(ret, from);
    if (r < 0) {
        av_strerror(r, reason, sizeof(reason));
        return tf_fail(err, -EIO, "encoder %s: the picture does not reach the device: %s", codec->codec->name,
                       reason);
    }
    return 0;
}

const char *tf_hardware_hint(const char *codec)
{
    const char *kind = strrchr(codec, '_');

    if (!kind)
        return "";
    if (strcmp(kind, "_vaapi") == 0)
        return "; it needs a GPU's /dev/dri/renderD128 with a VA-API driver that encodes (vainfo lists "
               "them), and the right to use it; libx264 needs neither";
    if (strcmp(kind, "_v4l2m2m") == 0)
        return "; it needs a kernel driver with an H.264 encoder behind a /dev/video* (Raspberry Pi up to 4: "
               "bcm2835-codec); libx264 needs none";
    if (strcmp(kind, "_nvenc") == 0)
        return "; it needs an NVIDIA GPU with an encoder, its driver and libnvidia-encode.so.1; libx264 "
               "needs "
               "none";
    return "; is its hardware there? libx264 needs none";
}
