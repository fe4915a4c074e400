/* Which of libavcodec's encoders, and how it is set: fast, one packet a picture, key pictures on demand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/opt.h>

#include "base/count.h"
#include "publish/video/codec.h"
#include "publish/video/hardware.h"

#define QUALITY 23 /* as x264 counts it */

/* What this libavcodec has, for the message about an unknown name. */
static void list_encoders(char *text, size_t size)
{
    size_t length = 0;
    void *iterator = NULL;
    const AVCodec *codec;

    text[0] = 0;
    while ((codec = av_codec_iterate(&iterator))) {
        if (!av_codec_is_encoder(codec) || codec->id != AV_CODEC_ID_H264)
            continue;
        int n = snprintf(text + length, size - length, "%s%s", length ? ", " : "", codec->name);
        if (n < 0 || (size_t)n >= size - length) {
            text[length] = 0;
            break;
        }
        length += (size_t)n;
    }
}

enum AVPixelFormat tf_codec_format(const AVCodec *codec)
{
    static const enum AVPixelFormat wanted[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_NV12};

    if (!codec->pix_fmts)
        return AV_PIX_FMT_YUV420P;
    for (size_t w = 0; w < TF_COUNT(wanted); w++)
        for (const enum AVPixelFormat *f = codec->pix_fmts; *f != AV_PIX_FMT_NONE; f++)
            if (*f == wanted[w])
                return *f;
    return AV_PIX_FMT_NONE;
}

/* Presets that libavcodec does not list as an option's values. */
static const char *const x264_presets[] = {"ultrafast", "superfast", "veryfast", "faster",   "fast",
                                           "medium",    "slow",      "slower",   "veryslow", NULL};

static bool add_name(char *text, size_t size, const char *name)
{
    size_t length = strlen(text);
    int n = snprintf(text + length, size - length, "%s%s", length ? ", " : "", name);

    if (n < 0 || (size_t)n >= size - length) {
        text[length] = 0;
        return false;
    }
    return true;
}

static int check_preset(const AVCodec *codec, const char *preset, struct tf_error *err)
{
    const AVOption *option, *value = NULL;
    char list[256] = "";

    if (strcmp(codec->name, "libx264") == 0) {
        for (const char *const *p = x264_presets; *p; p++) {
            if (strcmp(*p, preset) == 0)
                return 0;
            add_name(list, sizeof(list), *p);
        }
        return tf_fail(err, -EINVAL, "encoder libx264 has no preset \"%s\"; there are %s", preset, list);
    }
    option = codec->priv_class
                 ? av_opt_find((void *)&codec->priv_class, "preset", NULL, 0, AV_OPT_SEARCH_FAKE_OBJ)
                 : NULL;
    if (!option)
        return tf_fail(err, -EINVAL, "encoder %s has no presets", codec->name);
    while (option->unit && (value = av_opt_next(&codec->priv_class, value))) {
        if (value->type != AV_OPT_TYPE_CONST || !value->unit || strcmp(value->unit, option->unit) != 0)
            continue;
        if (strcmp(value->name, preset) == 0)
            return 0;
        add_name(list, sizeof(list), value->name);
    }
    return *list ? tf_fail(err, -EINVAL, "encoder %s has no preset \"%s\"; there are %s", codec->name, preset,
                           list)
                 : 0;
}

int tf_codec_find(const struct tf_encoder_options *o, const AVCodec **ret, struct tf_error *err)
{
    const char *name = o->codec && *o->codec ? o->codec : "libx264";
    const AVCodec *codec = avcodec_find_encoder_by_name(name);

    if (!codec || codec->id != AV_CODEC_ID_H264) {
        char list[256];
        list_encoders(list, sizeof(list));
        return tf_fail(err, -EINVAL, "encoder \"%s\" %s; this libavcodec has: %s", name,
                       codec ? "does not make H.264" : "is not known",
                       *list ? list : "no H.264 encoder at all");
    }
    if (tf_codec_format(codec) == AV_PIX_FMT_NONE && !tf_hardware_needed(codec))
        return tf_fail(err, -ENOTSUP, "encoder %s takes none of our pictures (4:2:0, 8 bits); use libx264",
                       name);
    *ret = codec;
    return o->preset && *o->preset ? check_preset(codec, o->preset, err) : 0;
}

int tf_encoder_check(const struct tf_encoder_options *o, struct tf_error *err)
{
    const AVCodec *codec;

    return tf_codec_find(o, &codec, err);
}

void tf_codec_set(const struct tf_encoder_options *o, const char *name, AVDictionary **dictionary)
{
    const char *preset = o->preset && *o->preset ? o->preset : NULL;
    char number[16];

    snprintf(number, sizeof(number), "%u", o->quality ? o->quality : QUALITY);
    if (strcmp(name, "libx264") == 0) {
        /* superfast instead of ultrafast: a quarter more time for half the bits (docs/rtsp.md has the
         * figures). */
        av_dict_set(dictionary, "preset", preset ? preset : "superfast", 0);
        av_dict_set(dictionary, "tune", "zerolatency", 0);
        /* One slice a picture on one thread: slices cost bits. More threads share each picture's slices, or
         * they would hold pictures back. */
        av_dict_set(dictionary, "x264-params",
                    o->threads > 1 ? "sliced-threads=1:bframes=0:rc-lookahead=0:sync-lookahead=0"
                                   : "sliced-threads=0:bframes=0:rc-lookahead=0:sync-lookahead=0",
                    0);
        av_dict_set(dictionary, "forced-idr", "1", 0);
        if (!o->bitrate_kbps)
            av_dict_set(dictionary, "crf", number, 0);
    } else if (strcmp(name, "h264_nvenc") == 0) {
        av_dict_set(dictionary, "preset", preset ? preset : "p2", 0);
        av_dict_set(dictionary, "tune", "ull", 0);
        av_dict_set(dictionary, "zerolatency", "1", 0);
        av_dict_set(dictionary, "delay", "0", 0);
        av_dict_set(dictionary, "forced-idr", "1", 0);
        if (!o->bitrate_kbps) {
            av_dict_set(dictionary, "rc", "vbr", 0);
            av_dict_set(dictionary, "cq", number, 0);
        }
    } else if (strcmp(name, "h264_vaapi") == 0) {
        av_dict_set(dictionary, "async_depth", "1", 0);
        av_dict_set(dictionary, "idr_interval", "0", 0);
        if (!o->bitrate_kbps) {
            av_dict_set(dictionary, "rc_mode", "CQP", 0);
            av_dict_set(dictionary, "qp", number, 0);
        }
    } else if (strcmp(name, "h264_qsv") == 0) {
        if (preset)
            av_dict_set(dictionary, "preset", preset, 0);
        av_dict_set(dictionary, "async_depth", "1", 0);
        av_dict_set(dictionary, "forced_idr", "1", 0);
    } else if (strcmp(name, "libopenh264") == 0) {
        av_dict_set(dictionary, "allow_skip_frames", "0", 0);
    } else if (preset) {
        av_dict_set(dictionary, "preset", preset, 0);
    }
}

bool tf_codec_keeps_quality(const char *name)
{
    return strcmp(name, "libx264") == 0 || strcmp(name, "h264_nvenc") == 0 || strcmp(name, "h264_vaapi") == 0;
}
