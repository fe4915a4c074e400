/* Pictures of an annotated video, for a report. */
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#include "cli/report.h"
#include "overlay/picture.h"
#include "publish/video/snapshot.h"

#define WIDTH_MAX 320
#define SIDE_MAX 8192
#define DECODED_MAX                                                                                          \
    20000 /* pictures decoded for one: a video without key pictures must not hold us for hours */

struct tf_film {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    int stream;
};

struct tf_film *tf_film_open(const char *path)
{
    struct tf_film *film = calloc(1, sizeof(*film));
    const AVCodec *codec = NULL;
    char url[4096 + 700];

    av_log_set_level(AV_LOG_QUIET); /* its complaints about damaged files are none of ours */
    snprintf(url, sizeof(url), "file:%s", path);
    if (!film || avformat_open_input(&film->format, url, NULL, NULL) < 0)
        goto fail;
    film->stream = av_find_best_stream(film->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (film->stream < 0 || !codec || !(film->codec = avcodec_alloc_context3(codec)) ||
        avcodec_parameters_to_context(film->codec, film->format->streams[film->stream]->codecpar) < 0)
        goto fail;
    film->codec->thread_count = 1;
    film->frame = av_frame_alloc();
    film->packet = av_packet_alloc();
    if (!film->frame || !film->packet || avcodec_open2(film->codec, codec, NULL) < 0)
        goto fail;
    return film;

fail:
    tf_film_close(film);
    return NULL;
}

void tf_film_close(struct tf_film *film)
{
    if (!film)
        return;
    avcodec_free_context(&film->codec);
    avformat_close_input(&film->format);
    av_frame_free(&film->frame);
    av_packet_free(&film->packet);
    free(film);
}

/* The next decoded picture; false: none comes any more. */
static bool next_picture(struct tf_film *film, bool *ended)
{
    for (;;) {
        int r = avcodec_receive_frame(film->codec, film->frame);

        if (r == 0)
            return true;
        if (r != AVERROR(EAGAIN) || *ended)
            return false;
        do {
            av_packet_unref(film->packet);
            r = av_read_frame(film->format, film->packet);
        } while (r == 0 && film->packet->stream_index != film->stream);
        *ended = r < 0;
        avcodec_send_packet(film->codec,
                            *ended ? NULL : film->packet); /* one that is damaged is passed over */
    }
}

static uint8_t *encode(const AVFrame *frame, size_t *size)
{
    int w = frame->width < WIDTH_MAX ? frame->width : WIDTH_MAX;
    int h = frame->width > 0 ? (int)((long long)frame->height * w / frame->width) : 0;
    struct tf_picture picture = {.width = (uint32_t)w, .height = (uint32_t)h, .stride = (uint32_t)w * 4};
    struct tf_snapshot snapshot = {.format = TF_SNAPSHOT_JPEG};
    struct SwsContext *convert;

    if (w < 8 || h < 8 || frame->width > SIDE_MAX || frame->height > SIDE_MAX || h > SIDE_MAX)
        return NULL;
    convert = sws_getContext(frame->width, frame->height, frame->format, w, h, AV_PIX_FMT_BGR0, SWS_AREA,
                             NULL, NULL, NULL);
    picture.data = malloc((size_t)picture.stride * picture.height + 64);
    if (convert && picture.data) {
        uint8_t *const planes[] = {picture.data};
        const int strides[] = {(int)picture.stride};

        sws_scale(convert, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, planes,
                  strides);
        if (tf_snapshot_encode(&picture, &snapshot, NULL) == 0)
            *size = snapshot.size;
    }
    sws_freeContext(convert);
    free(picture.data);
    return snapshot.data;
}

uint8_t *tf_film_picture(struct tf_film *film, double seconds, size_t *size)
{
    AVRational base = film->format->streams[film->stream]->time_base;
    int64_t wanted = (int64_t)((seconds > 0 ? seconds : 0) * base.den / (base.num ? base.num : 1));
    uint8_t *data = NULL;
    bool ended = false, any = false;

    avcodec_flush_buffers(film->codec);
    if (av_seek_frame(film->format, film->stream, wanted, AVSEEK_FLAG_BACKWARD) < 0)
        av_seek_frame(film->format, film->stream, 0, AVSEEK_FLAG_BACKWARD);
    for (int i = 0; i < DECODED_MAX && next_picture(film, &ended); i++) {
        any = true;
        if (film->frame->best_effort_timestamp >= wanted)
            break;
    }
    /* After the last one: that one. */
    if (any && film->frame->width > 0)
        data = encode(film->frame, size);
    av_frame_unref(film->frame);
    return data;
}
