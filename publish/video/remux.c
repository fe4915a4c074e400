/* A piece of a Matroska file as fragmented MP4. */
#include "publish/video/remux.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavformat/avformat.h>

#define BUFFER_BYTES (64 << 10)
#define PACKETS_MAX 20000

struct input {
    int fd;
    int64_t at;
};

static int read_file(void *context, uint8_t *buffer, int size)
{
    struct input *x = context;
    ssize_t n = pread(x->fd, buffer, (size_t)size, x->at);

    if (n > 0)
        x->at += n;
    return n > 0 ? (int)n : n == 0 ? AVERROR_EOF : AVERROR(errno);
}

static int64_t seek_file(void *context, int64_t offset, int whence)
{
    struct input *x = context;
    int64_t size = lseek(x->fd, 0, SEEK_END);

    if (whence & AVSEEK_SIZE)
        return size;
    whence &= ~AVSEEK_FORCE;
    offset += whence == SEEK_CUR ? x->at : whence == SEEK_END ? size : 0;
    if (offset < 0)
        return AVERROR(EINVAL);
    return x->at = offset;
}

struct remux {
    struct input input;
    AVIOContext *in_io;
    AVFormatContext *in, *out;
    AVPacket *packet;
    int stream;
    uint8_t *data;
};

static int open_input(struct remux *x)
{
    uint8_t *buffer = av_malloc(BUFFER_BYTES);

    x->in_io =
        buffer ? avio_alloc_context(buffer, BUFFER_BYTES, 0, &x->input, read_file, NULL, seek_file) : NULL;
    x->in = avformat_alloc_context();
    if (!x->in_io || !x->in) {
        if (!x->in_io)
            av_free(buffer);
        return -ENOMEM;
    }
    x->in->pb = x->in_io;
    if (avformat_open_input(&x->in, NULL, av_find_input_format("matroska"), NULL) < 0)
        return -EBADMSG;
    x->stream = av_find_best_stream(x->in, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    return x->stream < 0 || x->in->streams[x->stream]->codecpar->codec_id != AV_CODEC_ID_H264 ? -EBADMSG : 0;
}

static int open_output(struct remux *x)
{
    AVDictionary *options = NULL;
    AVStream *stream;
    int r;

    if (avformat_alloc_output_context2(&x->out, NULL, "mp4", NULL) < 0)
        return -ENOMEM;
    stream = avformat_new_stream(x->out, NULL);
    if (!stream || avcodec_parameters_copy(stream->codecpar, x->in->streams[x->stream]->codecpar) < 0 ||
        avio_open_dyn_buf(&x->out->pb) < 0)
        return -ENOMEM;
    stream->codecpar->codec_tag = 0;
    stream->time_base = x->in->streams[x->stream]->time_base;
    av_dict_set(&options, "movflags", "empty_moov+default_base_moof+frag_keyframe+frag_discont", 0);
    av_dict_set(&options, "use_editlist", "0", 0);
    x->out->avoid_negative_ts = 0;
    r = avformat_write_header(x->out, &options);
    av_dict_free(&options);
    return r < 0 ? -EBADMSG : 0;
}

static int copy(struct remux *x, double from, double seconds)
{
    AVRational base = x->in->streams[x->stream]->time_base;
    int64_t first = (int64_t)(from / av_q2d(base)), last = (int64_t)((from + seconds) / av_q2d(base));
    int64_t bytes = 0, reached = INT64_MIN;
    int packets = 0;

    if (av_seek_frame(x->in, x->stream, first, AVSEEK_FLAG_BACKWARD) < 0)
        av_seek_frame(x->in, x->stream, 0, AVSEEK_FLAG_BACKWARD);
    while (packets < PACKETS_MAX && av_read_frame(x->in, x->packet) == 0) {
        bool ours = x->packet->stream_index == x->stream && x->packet->pts != AV_NOPTS_VALUE &&
                    (packets || x->packet->flags & AV_PKT_FLAG_KEY);

        if (ours && (x->packet->pts >= last || bytes + x->packet->size > (int64_t)TF_REMUX_BYTES_MAX))
            break;
        if (ours) {
            reached = x->packet->pts;
            bytes += x->packet->size;
            packets++;
            x->packet->stream_index = 0;
            x->packet->pos = -1;
            if (x->packet->dts == AV_NOPTS_VALUE)
                x->packet->dts = x->packet->pts; /* Matroska has one of them; our encoder does not reorder */
            av_packet_rescale_ts(x->packet, base, x->out->streams[0]->time_base);
            if (av_write_frame(x->out, x->packet) < 0)
                return -EBADMSG;
        }
        av_packet_unref(x->packet);
    }
    av_packet_unref(x->packet);
    /* A key picture is found for any time: a second after the last picture there is none any more. */
    if (!packets || reached + (int64_t)(1 / av_q2d(base)) < first)
        return -ERANGE;
    return av_write_trailer(x->out) < 0 ? -EBADMSG : 0;
}

int tf_remux_piece(int fd, double from, double seconds, uint8_t **ret, size_t *size)
{
    struct remux x = {.input = {.fd = fd}};
    uint8_t *data = NULL;
    int r, n = 0;

    r = open_input(&x);
    x.packet = av_packet_alloc();
    if (r == 0)
        r = x.packet ? open_output(&x) : -ENOMEM;
    if (r == 0)
        r = copy(&x, from, seconds);
    if (x.out && x.out->pb)
        n = avio_close_dyn_buf(x.out->pb, &data);
    if (r == 0 && n > 0) {
        *ret = malloc((size_t)n);
        if (*ret) {
            memcpy(*ret, data, (size_t)n);
            *size = (size_t)n;
        } else {
            r = -ENOMEM;
        }
    }
    av_free(data);
    avformat_free_context(x.out);
    avformat_close_input(&x.in);
    if (x.in_io) {
        av_freep(&x.in_io->buffer);
        avio_context_free(&x.in_io);
    }
    av_packet_free(&x.packet);
    return r;
}
