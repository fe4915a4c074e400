/* Fragmented MP4 through libavformat, a picture a fragment. */
#include "publish/video/fragment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "publish/video/h264.h"

#define AVIO_BYTES 65536
/*
 * How long a picture is said to last, since nobody knows when the next one will come, which ends it. Media
 * Source Extensions takes a gap of more than twice that for a hole, after which it shows nothing before a key
 * picture (section 3.5.8, coded frame processing).
 */
#define LASTS_US 1000000

struct tf_fragmenter {
    struct tf_live *live;
    AVFormatContext *format;
    AVPacket *packet;
    int64_t next_dts; /* as libavformat is told */
    uint64_t last_us; /* as is sent */
    uint8_t *made;    /* what libavformat has written: a header, then one fragment */
    size_t size, capacity;
    bool full; /* no memory for it */
};

int tf_fragmenter_create(struct tf_live *live, struct tf_fragmenter **ret)
{
    struct tf_fragmenter *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->live = live;
    f->packet = av_packet_alloc();
    if (!f->packet) {
        free(f);
        return -ENOMEM;
    }
    *ret = f;
    return 0;
}

static int collect(void *opaque, uint8_t *data, int size)
{
    struct tf_fragmenter *f = opaque;

    if (f->size + (size_t)size > f->capacity) {
        size_t capacity = 2 * (f->size + (size_t)size);
        uint8_t *grown = realloc(f->made, capacity);

        if (!grown) {
            f->full = true;
            return AVERROR(ENOMEM);
        }
        f->made = grown;
        f->capacity = capacity;
    }
    memcpy(f->made + f->size, data, (size_t)size);
    f->size += (size_t)size;
    return size;
}

void tf_fragmenter_end(struct tf_fragmenter *f)
{
    if (!f || !f->format)
        return;
    /* Without a trailer: a stream has none. */
    if (f->format->pb) {
        av_freep(&f->format->pb->buffer);
        avio_context_free(&f->format->pb);
    }
    avformat_free_context(f->format);
    f->format = NULL;
    f->size = 0;
    f->full = false;
}

void tf_fragmenter_destroy(struct tf_fragmenter *f)
{
    if (!f)
        return;
    tf_fragmenter_end(f);
    av_packet_free(&f->packet);
    free(f->made);
    free(f);
}

static int parameters(AVStream *stream, const struct tf_encoder *encoder, const struct tf_packet *packet)
{
    uint8_t own[1024];
    size_t size = 0;
    const uint8_t *data = tf_encoder_extradata(encoder, &size);

    if (!data) {
        size = tf_h264_parameters(packet->data, packet->size, own, sizeof(own));
        data = own;
    }
    if (!size)
        return -EPROTO;
    tf_encoder_parameters(encoder, stream->codecpar);
    stream->codecpar->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!stream->codecpar->extradata)
        return -ENOMEM;
    memcpy(stream->codecpar->extradata, data, size);
    stream->codecpar->extradata_size = (int)size;
    stream->time_base = (AVRational){1, 1000000};
    return 0;
}

static int open_format(struct tf_fragmenter *f, const struct tf_encoder *encoder,
                       const struct tf_packet *packet)
{
    AVDictionary *options = NULL;
    uint8_t *buffer;
    AVStream *stream;
    int r;

    if (avformat_alloc_output_context2(&f->format, NULL, "mp4", NULL) < 0)
        return -ENOMEM;
    buffer = av_malloc(AVIO_BYTES);
    if (!buffer)
        return -ENOMEM;
    f->format->pb = avio_alloc_context(buffer, AVIO_BYTES, 1, f, NULL, collect, NULL);
    if (!f->format->pb) {
        av_free(buffer);
        return -ENOMEM;
    }
    f->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_FLUSH_PACKETS;
    stream = avformat_new_stream(f->format, NULL);
    r = stream ? parameters(stream, encoder, packet) : -ENOMEM;
    if (r < 0)
        return r;
    /*
     * A fragment is flushed by hand when its picture is there (frag_custom): frag_every_frame would hold each
     * one back until the next has come.
     */
    av_dict_set(&options, "movflags", "empty_moov+default_base_moof+frag_custom+skip_trailer", 0);
    av_dict_set(&options, "use_editlist", "0", 0);
    av_dict_set(&options, "video_track_timescale", "1000000", 0);
    r = avformat_write_header(f->format, &options);
    av_dict_free(&options);
    if (r < 0)
        return -EIO;
    avio_flush(f->format->pb);
    f->next_dts = 0;
    f->last_us = 0;
    return f->full ? -ENOMEM : tf_live_begin(f->live, f->made, f->size);
}

/*
 * libavformat counts a fragment's time from the durations of those before; ours is the capture stamp. It goes
 * into the box tfdt (version 1, 64 bits) of the movie fragment's head, which libavformat always writes so.
 */
static int stamp(struct tf_fragmenter *f, uint64_t us)
{
    uint8_t *at = f->made ? memmem(f->made, f->size < 256 ? f->size : 256, "tfdt", 4) : NULL;

    if (!at || at + 16 > f->made + f->size || at[4] != 1)
        return -EPROTO;
    for (int i = 0; i < 8; i++)
        at[8 + i] = (uint8_t)(us >> (56 - 8 * i));
    return 0;
}

static int write_fragment(struct tf_fragmenter *f, const struct tf_packet *packet)
{
    uint64_t us = packet->t_mono_ns / 1000;
    int r;

    if (us <= f->last_us)
        us = f->last_us + 1;
    if (f->last_us && us - f->last_us > 2 * LASTS_US && !packet->key)
        tf_live_want_key(f->live);
    f->last_us = us;
    f->size = 0;
    f->packet->data = (uint8_t *)(uintptr_t)packet->data;
    f->packet->size = (int)packet->size;
    f->packet->stream_index = 0;
    f->packet->pts = f->packet->dts = f->next_dts;
    f->packet->duration = LASTS_US;
    f->next_dts += LASTS_US;
    f->packet->flags = packet->key ? AV_PKT_FLAG_KEY : 0;
    r = av_write_frame(f->format, f->packet);
    av_packet_unref(f->packet);
    if (r >= 0)
        r = av_write_frame(f->format, NULL); /* the fragment ends here */
    avio_flush(f->format->pb);
    return r < 0 || f->full ? -EIO : stamp(f, us);
}

void tf_fragmenter_packet(struct tf_fragmenter *f, const struct tf_encoder *encoder,
                          const struct tf_packet *packet)
{
    if (!f || !tf_live_viewers(f->live))
        return;
    if (!f->format) {
        if (!packet->key)
            return;
        if (open_format(f, encoder, packet) < 0) {
            tf_fragmenter_end(f);
            return;
        }
    }
    if (write_fragment(f, packet) < 0)
        tf_fragmenter_end(f);
    else
        tf_live_push(f->live, f->made, f->size, packet->key, packet->t_mono_ns);
}
