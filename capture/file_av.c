/* Anything that libavformat and libavcodec read, as a row of pictures with their times. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/crc.h>
#include <libavutil/parseutils.h>
#include <libavutil/pixdesc.h>

#include "base/clock.h"
#include "capture/av.h"
#include "capture/internal.h"
#include "capture/reader.h"

#define RATE_DEFAULT 25
#define HEADERLESS                                                                                           \
    ". If it holds headerless values, say their size, pixel format and rate with raw (--raw "                \
    "160x120:gray16le@9)"
/* A step forward of so many frames and so much time is a pause, not a slow frame. */
#define PAUSE_FRAMES 10
#define PAUSE_NS TF_NS_PER_S
/* First stamps between 2000 and 2100 are dates, not a place in a longer recording. */
#define DATE_MIN_S 946684800
#define DATE_MAX_S 4102444800

struct av {
    struct tf_reader reader; /* first */
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    bool draining;
    int stream;
    bool check_crc;       /* FFV1 with a checksum in every slice */
    bool damaged;         /* since the last key frame */
    uint64_t index, lost; /* of the file's next picture; lost before it */
    int64_t first_ns;     /* the first picture's own stamp */
    int64_t last_ns;      /* the last one's */
    uint64_t t_ns;        /* as delivered */
    uint64_t expected_ns; /* the length that the container says; 0 = it does not */
    bool has_first;
};

static int open_container(struct av *s, struct tf_error *err)
{
    char url[4096], text[128];
    AVDictionary *options = NULL;
    int r;

    if (snprintf(url, sizeof(url), "file:%s", s->reader.path) >= (int)sizeof(url))
        return tf_fail(err, -ENAMETOOLONG, "%.100s…: the path is too long", s->reader.path);
    if (tf_reader_list_fault(s->reader.path, false, err))
        return -EINVAL;
    /* A playlist must not make us open something elsewhere, and text is no terminal's drawing. */
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    r = avformat_open_input(&s->format, url, NULL, &options);
    av_dict_free(&options);
    if (r < 0 && tf_reader_list_fault(s->reader.path, true, err))
        return -EIO;
    if (r < 0)
        return tf_fail(err, -EIO, "%s: not a video that FFmpeg can read: %s" HEADERLESS, s->reader.path,
                       tf_av_text(r, text));
    if (strcmp(s->format->iformat->name, "tty") == 0)
        return tf_fail(err, -EIO, "%s: is text, not a video", s->reader.path);
    if (strcmp(s->format->iformat->name, "rawvideo") == 0)
        return tf_fail(err, -EINVAL,
                       "%s: its name says headerless values, which say nothing of themselves" HEADERLESS,
                       s->reader.path);
    r = avformat_find_stream_info(s->format, NULL);
    if (r < 0)
        return tf_fail(err, -EIO, "%s: the file's streams cannot be read: %s", s->reader.path,
                       tf_av_text(r, text));
    return 0;
}

/* Streams to choose from, for people. */
static void list_streams(const struct av *s, char *text, size_t size)
{
    size_t n = 0;

    *text = '\0';
    for (unsigned i = 0; i < s->format->nb_streams && n < size; i++) {
        const AVCodecParameters *p = s->format->streams[i]->codecpar;
        const char *pixel = av_get_pix_fmt_name(p->format);

        if (p->codec_type == AVMEDIA_TYPE_VIDEO)
            n += (size_t)snprintf(text + n, size - n, "%s%u (%dx%d %s, %s)", n ? ", " : "", i, p->width,
                                  p->height, pixel ? pixel : "unknown", avcodec_get_name(p->codec_id));
    }
}

/* The stream asked for; else the one that fits the row; else one of 16-bit values; else FFmpeg's choice. */
static int choose_stream(struct av *s, const struct tf_source_options *o, struct tf_error *err)
{
    const struct tf_format *row = o->format ? tf_format_find(o->format) : NULL;
    const struct tf_format *values = row ? row : tf_format_find("y16");
    int best = av_find_best_stream(s->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0), found = -1, count = 0;
    char list[512];

    if (best < 0)
        return tf_fail(err, -EIO, "%s: there is no video in this file (%u other stream%s)", s->reader.path,
                       s->format->nb_streams, s->format->nb_streams == 1 ? "" : "s");
    list_streams(s, list, sizeof(list));
    if (o->stream) {
        char *end;
        unsigned long n = strtoul(o->stream, &end, 10);

        if (*o->stream < '0' || *o->stream > '9' || *end || n >= s->format->nb_streams ||
            s->format->streams[n]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO)
            return tf_fail(err, -EINVAL, "%s: stream %s is no video of it; there are %s", s->reader.path,
                           o->stream, list);
        s->stream = (int)n;
        return 0;
    }
    for (unsigned i = 0; i < s->format->nb_streams; i++) {
        const AVCodecParameters *p = s->format->streams[i]->codecpar;

        if (p->codec_type != AVMEDIA_TYPE_VIDEO ||
            s->format->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC)
            continue;
        count++;
        if (found < 0 && p->width > 0 && p->width <= TF_FRAME_DIM_MAX && p->height > 0 &&
            p->height <= TF_FRAME_DIM_MAX &&
            tf_reader_row_fits(values, p->format, (uint16_t)p->width, (uint16_t)p->height))
            found = (int)i;
    }
    s->stream = found >= 0 ? found : best;
    if (count > 1)
        snprintf(s->reader.notice, sizeof(s->reader.notice),
                 "stream %d of %.100s is taken; --stream N takes another", s->stream, list);
    return 0;
}

static int open_decoder(struct av *s, const struct tf_source_options *o, struct tf_error *err)
{
    const AVCodecDescriptor *about;
    const AVCodec *decoder;
    const AVStream *stream;
    char text[128];
    int r = choose_stream(s, o, err);

    if (r < 0)
        return r;
    stream = s->format->streams[s->stream];
    for (unsigned i = 0; i < s->format->nb_streams; i++)
        if ((int)i != s->stream)
            s->format->streams[i]->discard = AVDISCARD_ALL;
    if (stream->codecpar->codec_id == AV_CODEC_ID_RAWVIDEO && stream->codecpar->width <= 0)
        return tf_fail(err, -EINVAL, "%s: not a video that FFmpeg can read" HEADERLESS, s->reader.path);
    decoder = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!decoder)
        return tf_fail(err, -ENOTSUP, "%s: this FFmpeg has no decoder for %s", s->reader.path,
                       avcodec_get_name(stream->codecpar->codec_id));
    if (stream->codecpar->width > TF_FRAME_DIM_MAX || stream->codecpar->height > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EINVAL, "%s: %dx%d is larger than %dx%d", s->reader.path,
                       stream->codecpar->width, stream->codecpar->height, TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
    s->codec = avcodec_alloc_context3(decoder);
    if (!s->codec)
        return tf_fail(err, -ENOMEM, "%s: out of memory", s->reader.path);
    r = avcodec_parameters_to_context(s->codec, stream->codecpar);
    s->codec->pkt_timebase = stream->time_base;
    s->codec->thread_count = 2;
    s->codec->thread_type = FF_THREAD_SLICE; /* frame threads would add delay */
    s->codec->err_recognition = AV_EF_CRCCHECK;
    s->codec->max_pixels = (int64_t)TF_FRAME_DIM_MAX * TF_FRAME_DIM_MAX;
    if (r >= 0)
        r = avcodec_open2(s->codec, decoder, NULL);
    if (r < 0)
        return tf_fail(err, -EIO, "%s: the %s decoder cannot be opened: %s", s->reader.path, decoder->name,
                       tf_av_text(r, text));
    about = avcodec_descriptor_get(s->codec->codec_id);
    if (about && !(about->props & AV_CODEC_PROP_LOSSY))
        s->reader.lossy = TF_LOSS_NONE;
    else
        s->reader.lossy = about && about->props & AV_CODEC_PROP_LOSSLESS ? TF_LOSS_MAYBE : TF_LOSS_ALWAYS;
    s->reader.codec = decoder->name;
    return 0;
}

static int64_t to_ns(int64_t t, AVRational base)
{
    return av_rescale_q(t, base, (AVRational){1, TF_NS_PER_S});
}

/*
 * The picture's time from the first one. The file's stamps may begin anywhere; where they run back (files
 * joined end to end) the time goes on by one period.
 */
static void follow_time(struct av *s, const AVFrame *picture)
{
    const AVStream *stream = s->format->streams[s->stream];
    int64_t pts = picture->best_effort_timestamp, own, step;
    uint64_t period = s->reader.period_ns;

    s->reader.picture.jump = false;
    if (pts == AV_NOPTS_VALUE)
        own = s->has_first ? s->last_ns + (int64_t)period : 0;
    else
        own = to_ns(pts, stream->time_base);
    if (!s->has_first) {
        s->has_first = true;
        s->first_ns = s->last_ns = own;
        s->t_ns = 0;
        return;
    }
    step = own - s->last_ns;
    s->last_ns = own;
    if (step <= 0 && step > -(int64_t)period / 2) {
        step = 1000; /* two pictures of one time: a coarse time base */
    } else if (step <= 0) {
        step = (int64_t)period;
        s->reader.picture.jump = true;
    } else if (step > (int64_t)PAUSE_NS && step / PAUSE_FRAMES > (int64_t)period) {
        s->reader.picture.jump = true;
    }
    s->t_ns += (uint64_t)step;
}

/* Says whether the file stops before its own end. */
static enum tf_next at_end(struct av *s, int demux_error, struct tf_error *err)
{
    char text[128];

    if (demux_error && demux_error != AVERROR_EOF) {
        if (tf_reader_list_fault(s->reader.path, true, err))
            return TF_NEXT_ERROR;
        tf_fail(err, -EIO, "%s: cannot be read beyond frame %llu: %s", s->reader.path,
                (unsigned long long)s->index, tf_av_text(demux_error, text));
        return TF_NEXT_ERROR;
    }
    if (s->expected_ns && s->t_ns + 2 * s->reader.period_ns < s->expected_ns) {
        tf_fail(err, -EIO, "%s: ends after frame %llu, %.2f s, but should last %.2f s: the file is truncated",
                s->reader.path, (unsigned long long)s->index, (double)s->t_ns / 1e9,
                (double)s->expected_ns / 1e9);
        return TF_NEXT_ERROR;
    }
    return TF_NEXT_END;
}

/*
 * Whether every slice of an FFV1 packet ends in a checksum that holds (RFC 9043, section 4.9: 24 bits of
 * size, 8 bits of status, 32 bits of CRC after each slice). The decoder conceals damage without a word, so we
 * look ourselves.
 */
static bool ffv1_checks(const uint8_t *data, int size)
{
    const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE);
    int slices = 0;

    for (int end = size; end > 0; slices++) {
        int length;

        if (end < 8)
            return false;
        length = (data[end - 8] << 16 | data[end - 7] << 8 | data[end - 6]) + 8;
        if (length > end || av_crc(table, 0, data + end - length, (size_t)length) != 0)
            return false;
        end -= length;
    }
    return slices > 0;
}

static void check_packet(struct av *s)
{
    const AVPacket *p = s->packet;

    if (p->flags & AV_PKT_FLAG_KEY)
        s->damaged = false;
    if (s->codec->codec_id == AV_CODEC_ID_FFV1) {
        bool good = ffv1_checks(p->data, p->size);

        /* Checksums are a property of the file: the first good packet shows that it has them. */
        s->check_crc |= good;
        if (s->check_crc && !good)
            s->damaged = true;
    }
    if (p->flags & AV_PKT_FLAG_CORRUPT)
        s->damaged = true;
}

/* A packet that cannot be decoded is a lost frame, and told as a gap. */
static void lose(struct av *s)
{
    s->lost++;
    s->index++;
    s->damaged = true;
}

static enum tf_next av_next(struct tf_reader *reader, AVFrame *ret, struct tf_error *err)
{
    struct av *s = (struct av *)reader;
    int demux_error = 0;

    for (;;) {
        int r = avcodec_receive_frame(s->codec, ret);

        if (r >= 0) {
            follow_time(s, ret);
            reader->picture.t_ns = s->t_ns;
            reader->picture.index = s->index++;
            reader->picture.lost = s->lost;
            reader->picture.damaged =
                s->damaged || ret->flags & AV_FRAME_FLAG_CORRUPT || ret->decode_error_flags;
            s->lost = 0;
            return TF_NEXT_FRAME;
        }
        if (r == AVERROR_EOF)
            return at_end(s, demux_error, err);
        if (r != AVERROR(EAGAIN)) {
            lose(s);
            continue;
        }
        if (s->draining)
            return at_end(s, demux_error, err);
        r = av_read_frame(s->format, s->packet);
        if (r < 0) {
            demux_error = r;
            s->draining = true;
            avcodec_send_packet(s->codec, NULL);
            continue;
        }
        if (s->packet->stream_index == s->stream) {
            check_packet(s);
            r = avcodec_send_packet(s->codec, s->packet);
            if (r < 0 && r != AVERROR(EAGAIN))
                lose(s);
        }
        av_packet_unref(s->packet);
    }
}

static int av_rewind(struct tf_reader *reader)
{
    struct av *s = (struct av *)reader;
    const AVStream *stream = s->format->streams[s->stream];
    int64_t first = stream->start_time == AV_NOPTS_VALUE ? 0 : stream->start_time;
    int r = av_seek_frame(s->format, s->stream, first, AVSEEK_FLAG_BACKWARD);

    if (r < 0)
        r = avformat_seek_file(s->format, -1, INT64_MIN, 0, 0, AVSEEK_FLAG_BYTE);
    avcodec_flush_buffers(s->codec);
    s->draining = s->damaged = s->has_first = false;
    s->index = s->lost = 0;
    return r;
}

static void av_close(struct tf_reader *reader)
{
    struct av *s = (struct av *)reader;

    av_packet_free(&s->packet);
    avcodec_free_context(&s->codec);
    avformat_close_input(&s->format);
    free(reader->path);
    free(s);
}

/*
 * The container's length from the first picture. Matroska's is the time of the end, which in a segment of a
 * longer recording, or with dates for stamps, is not the same.
 */
static uint64_t read_length(const struct av *s, int64_t start_ns)
{
    const AVStream *stream = s->format->streams[s->stream];
    const AVDictionaryEntry *tag = av_dict_get(stream->metadata, "DURATION", NULL, 0);
    int64_t us, end = 0;

    if (stream->duration != AV_NOPTS_VALUE && stream->duration > 0)
        return (uint64_t)to_ns(stream->duration, stream->time_base);
    if (tag && av_parse_time(&us, tag->value, 1) >= 0 && us > 0 && us < INT64_MAX / 1000)
        end = us * 1000;
    else if (s->format->nb_streams == 1 && s->format->duration != AV_NOPTS_VALUE && s->format->duration > 0 &&
             s->format->duration < INT64_MAX / 1000)
        end = s->format->duration * 1000;
    if (start_ns > 0 && end > start_ns)
        end -= start_ns;
    return (uint64_t)end;
}

static void read_times(struct av *s, const struct tf_source_options *o)
{
    const AVStream *stream = s->format->streams[s->stream];
    const AVDictionaryEntry *tag = av_dict_get(s->format->metadata, "creation_time", NULL, 0);
    AVRational rate = stream->avg_frame_rate.num ? stream->avg_frame_rate : stream->r_frame_rate;
    int64_t start_ns = 0, us;

    if (stream->start_time != AV_NOPTS_VALUE)
        start_ns = to_ns(stream->start_time, stream->time_base);
    s->expected_ns = read_length(s, start_ns);
    /* A single picture has no rate; libavformat says 25 for it. */
    s->reader.rate_guessed = stream->start_time == AV_NOPTS_VALUE && !s->expected_ns;
    if (s->reader.rate_guessed && o->fps > 0)
        rate = av_d2q((double)o->fps, 1000000);
    if (!rate.num || !rate.den || av_q2d(rate) > 100000 || av_q2d(rate) <= 0)
        rate = (AVRational){RATE_DEFAULT, 1};
    s->reader.rate = av_q2d(rate);
    s->reader.period_ns = (uint64_t)(1e9 / s->reader.rate);
    s->reader.frames = stream->nb_frames > 0
                           ? (uint64_t)stream->nb_frames
                           : (uint64_t)((double)s->expected_ns / 1e9 * s->reader.rate + 0.5);
    /*
     * The recording's own date, and where in it this file begins; stamps that are dates; or else the file was
     * last written to when the recording ended.
     */
    if (tag && av_parse_time(&us, tag->value, 0) >= 0 && us > INT64_MIN / 4000 && us < INT64_MAX / 4000)
        s->reader.utc_ns = us * 1000 + (start_ns > 0 && start_ns / TF_NS_PER_S < DATE_MIN_S ? start_ns : 0);
    else if (start_ns / TF_NS_PER_S >= DATE_MIN_S && start_ns / TF_NS_PER_S < DATE_MAX_S)
        s->reader.utc_ns = start_ns;
    else
        s->reader.utc_ns = tf_reader_written_ns(s->reader.path, s->expected_ns);
}

int tf_reader_open_av(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                      struct tf_error *err)
{
    static const struct tf_reader_ops ops = {av_next, av_rewind, av_close};
    struct av *s;
    int r;

    /* FFmpeg's remarks go to standard error by itself; what matters is in our own messages. */
    if (av_log_get_level() == AV_LOG_INFO)
        av_log_set_level(AV_LOG_PANIC);
    s = calloc(1, sizeof(*s));
    if (!s)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    s->reader.ops = &ops;
    s->reader.path = strdup(path);
    s->packet = av_packet_alloc();
    if (!s->reader.path || !s->packet) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    r = open_container(s, err);
    if (!r)
        r = open_decoder(s, options, err);
    if (r)
        goto fail;
    read_times(s, options);
    *ret = &s->reader;
    return 0;

fail:
    av_close(&s->reader);
    return r;
}
