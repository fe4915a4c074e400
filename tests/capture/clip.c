/* Small video files, and Lepton telemetry rows. */
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>

#include "clip.h"

static int encode(AVFormatContext *out, AVCodecContext *codec, AVPacket *packet, const AVFrame *frame)
{
    int r = avcodec_send_frame(codec, frame);

    while (r >= 0) {
        r = avcodec_receive_packet(codec, packet);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return 0;
        if (r < 0)
            break;
        packet->duration = 1;
        av_packet_rescale_ts(packet, codec->time_base, out->streams[0]->time_base);
        r = av_interleaved_write_frame(out, packet);
    }
    return r;
}

static int open_output(const char *path, AVCodecContext *codec, AVFormatContext **ret)
{
    AVFormatContext *out = NULL;
    AVStream *stream;
    int r = avformat_alloc_output_context2(&out, NULL, NULL, path);

    if (r < 0)
        return r;
    *ret = out;
    if (out->oformat->flags & AVFMT_GLOBALHEADER)
        codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    r = avcodec_open2(codec, NULL, NULL);
    stream = avformat_new_stream(out, NULL);
    if (r < 0 || !stream)
        return r < 0 ? r : AVERROR(ENOMEM);
    stream->time_base = codec->time_base;
    stream->avg_frame_rate = codec->framerate;
    avcodec_parameters_from_context(stream->codecpar, codec);
    r = avio_open(&out->pb, path, AVIO_FLAG_WRITE);
    return r < 0 ? r : avformat_write_header(out, NULL);
}

static int done(const char *path, int r, AVFormatContext *out, AVCodecContext *codec, AVPacket *packet,
                AVFrame *frame)
{
    if (r < 0)
        fprintf(stderr, "%s: cannot be written: %s\n", path, av_err2str(r));
    if (out && out->pb)
        avio_closep(&out->pb);
    avformat_free_context(out);
    avcodec_free_context(&codec);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return r < 0 ? -1 : 0;
}

int clip_write(const struct clip *clip)
{
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_encoder_by_name(clip->codec));
    AVFormatContext *out = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int r;

    codec->width = frame->width = clip->width;
    codec->height = frame->height = clip->height;
    codec->pix_fmt = av_get_pix_fmt(clip->pixel);
    frame->format = codec->pix_fmt;
    codec->time_base = (AVRational){1, clip->fps};
    codec->framerate = (AVRational){clip->fps, 1};
    codec->level = strcmp(clip->codec, "ffv1") == 0 ? 3 : FF_LEVEL_UNKNOWN;
    codec->gop_size = 1;
    r = open_output(clip->path, codec, &out);
    for (int n = 0; r >= 0 && n < clip->frames; n++) {
        r = av_frame_get_buffer(frame, 0);
        if (r < 0)
            break;
        clip->fill(n, frame->data, frame->linesize, clip->width, clip->height);
        frame->pts = n;
        r = encode(out, codec, packet, frame);
        for (int i = 0; i < AV_NUM_DATA_POINTERS; i++)
            av_buffer_unref(&frame->buf[i]);
    }
    if (r >= 0)
        r = encode(out, codec, packet, NULL);
    if (r >= 0)
        r = av_write_trailer(out);
    return done(clip->path, r, out, codec, packet, frame);
}

int clip_write_sound(const char *path)
{
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PCM_S16LE));
    AVFormatContext *out = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int r;

    codec->sample_rate = frame->sample_rate = 8000;
    codec->sample_fmt = AV_SAMPLE_FMT_S16;
    codec->time_base = (AVRational){1, 8000};
    av_channel_layout_default(&codec->ch_layout, 1);
    av_channel_layout_default(&frame->ch_layout, 1);
    frame->format = codec->sample_fmt;
    frame->nb_samples = 8000;
    r = open_output(path, codec, &out);
    if (r >= 0)
        r = av_frame_get_buffer(frame, 0);
    if (r >= 0) {
        memset(frame->data[0], 0, 16000);
        frame->pts = 0;
        r = encode(out, codec, packet, frame);
    }
    if (r >= 0)
        r = av_write_trailer(out);
    return done(path, r, out, codec, packet, frame);
}

static void put(uint8_t *rows, unsigned word, uint32_t value)
{
    rows[word * 2] = (uint8_t)value;
    rows[word * 2 + 1] = (uint8_t)(value >> 8);
}

void lepton_rows(const struct lepton_words *words, uint8_t rows[480])
{
    memset(rows, 0, 480);
    put(rows, 0, 0x0e09);
    put(rows, 3, words->status);
    put(rows, 4, words->status >> 16);
    put(rows, 20, words->counter);
    put(rows, 21, words->counter >> 16);
    put(rows, 24, words->fpa_k100);
    put(rows, 160 + 48, words->tlinear);
    put(rows, 160 + 49, words->resolution);
}
