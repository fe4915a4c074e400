/* Whether a file's ending names a container that can hold the annotated video: tried before any work is done.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "publish/video/encoder.h"

/* A High-profile SPS and PPS of 64x64, which some containers look into. */
static const uint8_t extradata[] = {0,    0,    0,    1,    0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9,
                                    0x44, 0x26, 0xf0, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00,
                                    0x00, 0x03, 0x00, 0x3c, 0x0f, 0x12, 0x25, 0x96, 0,    0,
                                    0,    1,    0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};

/* Writes a header into memory and forgets it. */
static bool takes_video(const AVOutputFormat *kind)
{
    AVFormatContext *format = NULL;
    AVStream *stream;
    uint8_t *written = NULL;
    int level = av_log_get_level();
    bool taken = false;

    /* What writes files of its own (HLS, pictures) is no single file. */
    if (kind->flags & AVFMT_NOFILE || avformat_alloc_output_context2(&format, kind, NULL, NULL) < 0)
        return false;
    av_log_set_level(AV_LOG_QUIET);
    stream = avformat_new_stream(format, NULL);
    if (stream && avio_open_dyn_buf(&format->pb) == 0) {
        AVCodecParameters *p = stream->codecpar;

        p->codec_type = AVMEDIA_TYPE_VIDEO;
        p->codec_id = AV_CODEC_ID_H264;
        p->format = AV_PIX_FMT_YUV420P;
        p->width = p->height = 64;
        stream->time_base = (AVRational){1, 1000000};
        stream->avg_frame_rate = (AVRational){30, 1};
        p->extradata = av_mallocz(sizeof(extradata) + AV_INPUT_BUFFER_PADDING_SIZE);
        if (p->extradata) {
            memcpy(p->extradata, extradata, sizeof(extradata));
            p->extradata_size = sizeof(extradata);
            taken = avformat_write_header(format, NULL) >= 0;
        }
        avio_close_dyn_buf(format->pb, &written);
        format->pb = NULL;
        av_free(written);
    }
    avformat_free_context(format);
    av_log_set_level(level);
    return taken;
}

int tf_muxer_check(const char *path, struct tf_error *err)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *ending = strrchr(name, '.');
    const AVOutputFormat *kind = av_guess_format(NULL, path, NULL);

    if (!ending || !ending[1])
        return tf_fail(err, -EINVAL, "%s: the ending says what kind of file it is: .mkv or .mp4, say", path);
    if (!kind)
        return tf_fail(err, -EINVAL, "%s: no kind of video file ends in %s; use .mkv or .mp4", path, ending);
    if (!takes_video(kind))
        return tf_fail(err, -ENOTSUP, "%s: %s files (%s) do not hold H.264 video; use .mkv or .mp4", path,
                       ending, kind->name);
    return 0;
}
