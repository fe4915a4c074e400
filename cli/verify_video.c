/* thermoface verify: does a video decode, every frame of it? */
#include <stdarg.h>
#include <stddef.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "cli/verify.h"

/* libavcodec shows damage (a slice's checksum) in what it says only: the frame comes all the same. */
static unsigned complaints;

static void on_complaint(void *source, int level, const char *format, va_list args)
{
    if (level <= AV_LOG_ERROR && source && *(const AVClass **)source == avcodec_get_class())
        complaints++;
}

/* Decodes all of it, checksums checked. 0, or an AVERROR that ended it. */
static int decode(const char *path, struct tf_verify_video *ret)
{
    AVFormatContext *format = NULL;
    AVCodecContext *codec = NULL;
    const AVCodec *decoder = NULL;
    AVDictionary *options = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int64_t last = INT64_MIN;
    int r, stream = -1;

    r = packet && frame ? avformat_open_input(&format, path, NULL, NULL) : AVERROR(ENOMEM);
    if (r >= 0)
        r = avformat_find_stream_info(format, NULL);
    if (r >= 0)
        r = stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (r >= 0) {
        codec = avcodec_alloc_context3(decoder);
        r = codec ? avcodec_parameters_to_context(codec, format->streams[stream]->codecpar) : AVERROR(ENOMEM);
    }
    if (r >= 0) {
        av_dict_set(&options, "err_detect", "crccheck", 0);
        codec->thread_count = 1;
        r = avcodec_open2(codec, decoder, &options);
        av_dict_free(&options);
    }
    while (r >= 0) {
        r = av_read_frame(format, packet);
        if (r >= 0 && packet->stream_index == stream) {
            if (packet->pts <= last)
                ret->stamps_back = true;
            last = packet->pts;
            complaints = 0;
            r = avcodec_send_packet(codec, packet);
            ret->broken += r < 0 || complaints;
            r = 0;
            while (avcodec_receive_frame(codec, frame) >= 0)
                ret->frames++;
        }
        av_packet_unref(packet);
    }
    if (codec) {
        avcodec_send_packet(codec, NULL);
        while (avcodec_receive_frame(codec, frame) >= 0)
            ret->frames++;
    }
    avcodec_free_context(&codec);
    avformat_close_input(&format);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return r == AVERROR_EOF ? 0 : r;
}

void tf_verify_video_init(void)
{
    av_log_set_callback(on_complaint);
}

void tf_verify_video(struct tf_verify *v, const char *path, struct tf_verify_video *ret)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];
    int r = decode(path, ret);

    if (r < 0) {
        av_strerror(r, reason, sizeof(reason));
        tf_verify_problem(v, path, "cannot be read: %s", reason);
    }
    if (ret->broken)
        tf_verify_problem(v, path, "%llu frame%s damaged", (unsigned long long)ret->broken,
                          ret->broken == 1 ? " is" : "s are");
    if (ret->stamps_back)
        tf_verify_problem(v, path, "time stamps do not always increase");
}
