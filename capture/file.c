/*
 * The file source: anything libavformat and libavcodec read, as a camera (at its recorded speed) or offline.
 *
 * Frames lend the decoder's pictures: a reference travels with the frame and is given up when the frame comes
 * back. Only pictures that no tf_pixel describes (RGB, 4:4:4, big-endian …) are converted into frames with
 * their own memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/crc.h>
#include <libavutil/parseutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <linux/videodev2.h>

#include "base/clock.h"
#include "capture/av.h"
#include "capture/internal.h"

/* How far behind its time a frame may be delivered when a file plays a camera's part, in frames. */
#define QUEUE 4

/* What frames hold on to; outlives the source until they are back. */
struct loan {
    size_t count;
    AVFrame **pictures; /* by frame index */
};

struct file {
    struct tf_source source; /* first */
    char *path;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *current; /* decoded, not delivered yet */
    bool has_current, draining;
    int stream;
    struct SwsContext *convert;
    bool copy; /* frames have their own memory */
    struct loan *loan;
    struct tf_lender *lender;
    enum AVPixelFormat av_format; /* of the first picture; a change is an error */
    int av_width, av_height;
    bool check_crc; /* FFV1 with a checksum in every slice */
    bool damaged;   /* since the last key frame */
    struct tf_rect raw;
    bool fixed_scale;
    bool loop, touched;
    uint64_t index; /* of the file's next frame */
    uint64_t current_index, current_ns;
    uint64_t pass_ns; /* where this pass through the file begins */
    uint64_t last_ns, period_ns;
    uint64_t expected_ns;  /* where the last frame should be, by the container; 0 = it does not say */
    uint64_t start_ns;     /* live: monotonic time of the first frame */
    int64_t utc_offset_ns; /* offline: to add to t_mono_ns */
    int64_t file_utc_ns;   /* when the recording began */
};

static void loan_released(void *context, struct tf_frame *frame)
{
    struct loan *loan = context;

    av_frame_unref(loan->pictures[frame->index]);
}

static void loan_destroy(void *context)
{
    struct loan *loan = context;

    for (size_t i = 0; i < loan->count; i++)
        av_frame_free(&loan->pictures[i]);
    free(loan->pictures);
    free(loan);
}

static int loan_create(size_t count, struct loan **ret)
{
    struct loan *loan = calloc(1, sizeof(*loan));

    if (!loan)
        return -ENOMEM;
    loan->pictures = calloc(count, sizeof(*loan->pictures));
    for (; loan->pictures && loan->count < count; loan->count++) {
        loan->pictures[loan->count] = av_frame_alloc();
        if (!loan->pictures[loan->count])
            break;
    }
    if (loan->count < count) {
        loan_destroy(loan);
        return -ENOMEM;
    }
    *ret = loan;
    return 0;
}

static int check_path(const char *path, struct tf_error *err)
{
    struct stat st;
    FILE *probe;

    if (stat(path, &st) < 0)
        return tf_fail(err, -errno, "%s: %s", path,
                       errno == ENOENT ? "there is no such file" : strerror(errno));
    if (S_ISDIR(st.st_mode))
        return tf_fail(err, -EINVAL, "%s: is a folder; name one video file in it", path);
    if (S_ISREG(st.st_mode) && st.st_size == 0)
        return tf_fail(err, -EIO, "%s: is empty", path);
    probe = fopen(path, "rbe");
    if (!probe)
        return tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    fclose(probe);
    return 0;
}

static int open_container(struct file *s, struct tf_error *err)
{
    char url[4096], text[128];
    AVDictionary *options = NULL;
    int r;

    if (snprintf(url, sizeof(url), "file:%s", s->path) >= (int)sizeof(url))
        return tf_fail(err, -ENAMETOOLONG, "%.100s…: the path is too long", s->path);
    /* A playlist must not make us open something elsewhere. */
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    r = avformat_open_input(&s->format, url, NULL, &options);
    av_dict_free(&options);
    if (r < 0)
        return tf_fail(err, -EIO, "%s: not a video that FFmpeg can read: %s", s->path, tf_av_text(r, text));
    r = avformat_find_stream_info(s->format, NULL);
    if (r < 0)
        return tf_fail(err, -EIO, "%s: the file's streams cannot be read: %s", s->path, tf_av_text(r, text));
    return 0;
}

static int open_decoder(struct file *s, struct tf_error *err)
{
    const AVCodec *decoder = NULL;
    const AVStream *stream;
    char text[128];
    int r = av_find_best_stream(s->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);

    if (r < 0)
        return tf_fail(err, -EIO, "%s: there is no video in this file (%u other stream%s)", s->path,
                       s->format->nb_streams, s->format->nb_streams == 1 ? "" : "s");
    s->stream = r;
    stream = s->format->streams[r];
    for (unsigned i = 0; i < s->format->nb_streams; i++)
        if ((int)i != s->stream)
            s->format->streams[i]->discard = AVDISCARD_ALL;
    decoder = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!decoder)
        return tf_fail(err, -ENOTSUP, "%s: this FFmpeg has no decoder for %s", s->path,
                       avcodec_get_name(stream->codecpar->codec_id));
    if (stream->codecpar->width > TF_FRAME_DIM_MAX || stream->codecpar->height > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EINVAL, "%s: %dx%d is larger than %dx%d", s->path, stream->codecpar->width,
                       stream->codecpar->height, TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
    s->codec = avcodec_alloc_context3(decoder);
    if (!s->codec)
        return tf_fail(err, -ENOMEM, "%s: out of memory", s->path);
    r = avcodec_parameters_to_context(s->codec, stream->codecpar);
    s->codec->pkt_timebase = stream->time_base;
    s->codec->thread_count = 2;
    s->codec->thread_type = FF_THREAD_SLICE; /* frame threads would add delay */
    s->codec->err_recognition = AV_EF_CRCCHECK;
    s->codec->max_pixels = (int64_t)TF_FRAME_DIM_MAX * TF_FRAME_DIM_MAX;
    if (r >= 0)
        r = avcodec_open2(s->codec, decoder, NULL);
    if (r < 0)
        return tf_fail(err, -EIO, "%s: the %s decoder cannot be opened: %s", s->path, decoder->name,
                       tf_av_text(r, text));
    return 0;
}

static uint64_t picture_ns(struct file *s)
{
    const AVStream *stream = s->format->streams[s->stream];
    int64_t pts = s->current->best_effort_timestamp, first = stream->start_time;

    if (pts == AV_NOPTS_VALUE)
        return s->index ? s->last_ns + s->period_ns : 0;
    if (first != AV_NOPTS_VALUE)
        pts -= first;
    return pts <= 0 ? 0 : (uint64_t)av_rescale_q(pts, stream->time_base, (AVRational){1, 1000000000});
}

/* Says whether the file stops before its own end. */
static enum tf_next at_end(struct file *s, int demux_error, struct tf_error *err)
{
    char text[128];

    if (demux_error && demux_error != AVERROR_EOF) {
        tf_fail(err, -EIO, "%s: cannot be read beyond frame %llu: %s", s->path, (unsigned long long)s->index,
                tf_av_text(demux_error, text));
        return TF_NEXT_ERROR;
    }
    if (s->expected_ns && s->last_ns + 2 * s->period_ns < s->expected_ns) {
        tf_fail(err, -EIO, "%s: ends after frame %llu, %.2f s, but should last %.2f s: the file is truncated",
                s->path, (unsigned long long)s->index, (double)s->last_ns / 1e9,
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

static void check_packet(struct file *s)
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

/* Decodes the next picture into `current`. A packet that cannot be decoded is a lost frame, and told as a
 * gap. */
static enum tf_next decode(struct file *s, struct tf_error *err)
{
    int demux_error = 0;

    for (;;) {
        int r = avcodec_receive_frame(s->codec, s->current);

        s->touched = true;
        if (r >= 0) {
            if (s->av_format != AV_PIX_FMT_NONE &&
                (s->current->format != (int)s->av_format || s->current->width != s->av_width ||
                 s->current->height != s->av_height)) {
                tf_fail(err, -EINVAL, "%s: the picture changes from %dx%d %s to %dx%d %s at frame %llu",
                        s->path, s->av_width, s->av_height, av_get_pix_fmt_name(s->av_format),
                        s->current->width, s->current->height, av_get_pix_fmt_name(s->current->format),
                        (unsigned long long)s->index);
                av_frame_unref(s->current);
                return TF_NEXT_ERROR;
            }
            s->current_ns = picture_ns(s);
            s->last_ns = s->current_ns;
            s->current_index = s->index++;
            s->has_current = true;
            return TF_NEXT_FRAME;
        }
        if (r == AVERROR_EOF)
            return at_end(s, demux_error, err);
        if (r != AVERROR(EAGAIN)) {
            s->source.gap++;
            s->index++;
            s->damaged = true;
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
            if (r < 0 && r != AVERROR(EAGAIN)) {
                s->source.gap++;
                s->index++;
                s->damaged = true;
            }
        }
        av_packet_unref(s->packet);
    }
}

static int rewind_file(struct file *s)
{
    const AVStream *stream = s->format->streams[s->stream];
    int64_t first = stream->start_time == AV_NOPTS_VALUE ? 0 : stream->start_time;
    int r = av_seek_frame(s->format, s->stream, first, AVSEEK_FLAG_BACKWARD);

    if (r < 0)
        r = avformat_seek_file(s->format, -1, INT64_MIN, 0, 0, AVSEEK_FLAG_BYTE);
    avcodec_flush_buffers(s->codec);
    av_frame_unref(s->current);
    s->has_current = s->draining = s->touched = s->damaged = false;
    s->index = 0;
    s->last_ns = 0;
    return r;
}

static int file_start(struct tf_source *source, struct tf_error *err)
{
    struct file *s = (struct file *)source;

    /* Opening left the first picture decoded; any other start begins at the beginning again. */
    if ((s->touched && !(s->has_current && s->current_index == 0)) && rewind_file(s) < 0)
        return tf_fail(err, -EIO, "%s: cannot be started again: the file cannot be sought in", s->path);
    s->pass_ns = 0;
    if (source->info.live) {
        s->start_ns = tf_now_ns();
    } else {
        s->start_ns = 0;
        s->utc_offset_ns = s->file_utc_ns;
    }
    return 0;
}

static void file_stop(struct tf_source *source)
{
}

static void deliver(struct file *s, struct tf_frame *f)
{
    const struct tf_source_info *info = &s->source.info;
    const AVFrame *picture = s->current;
    bool damaged = s->damaged || picture->flags & AV_FRAME_FLAG_CORRUPT || picture->decode_error_flags;

    f->radiometry = info->radiometry;
    if (!s->copy) {
        AVFrame *own = s->loan->pictures[f->index];

        av_frame_move_ref(own, s->current);
        tf_av_lend(own, f);
    } else if (s->convert) {
        int strides[4] = {(int)f->stride[0], (int)f->stride[1], (int)f->stride[2], 0};
        uint8_t *planes[4] = {f->plane[0], f->plane[1], f->plane[2], NULL};

        f->width = (uint16_t)picture->width;
        f->height = (uint16_t)picture->height;
        f->pixel = TF_PIXEL_YUV420;
        sws_scale(s->convert, (const uint8_t *const *)picture->data, picture->linesize, 0, picture->height,
                  planes, strides);
        av_frame_unref(s->current);
    } else {
        tf_av_copy(picture, f);
        av_frame_unref(s->current);
    }
    s->has_current = false;
    if (info->format->telemetry && f->height == info->format->height)
        tf_format_telemetry(info->format, f->plane[0], (size_t)f->stride[0] * f->height, f->stride[0],
                            s->fixed_scale, f);
    if (info->pixel != f->pixel) { /* luma of a picture for people, or values inside one */
        f->pixel = info->pixel;
        f->plane[1] = f->plane[2] = NULL;
        f->stride[1] = f->stride[2] = 0;
    }
    if (s->raw.w != f->width || s->raw.h != f->height) {
        f->plane[0] += (size_t)s->raw.y * f->stride[0] + (size_t)s->raw.x * 2;
        f->width = s->raw.w;
        f->height = s->raw.h;
    }
    if (damaged)
        f->flags |= TF_FLAG_CORRUPT;
    f->sequence = s->current_index;
    f->t_mono_ns = s->start_ns + s->pass_ns + s->current_ns;
    f->t_utc_ns = (int64_t)f->t_mono_ns + s->utc_offset_ns;
    f->stamp = TF_STAMP_FILE;
}

static void lose_current(struct file *s)
{
    av_frame_unref(s->current);
    s->has_current = false;
    s->source.drops.capture++;
    s->source.capture_gap++;
}

static enum tf_next file_next(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                              struct tf_error *err)
{
    struct file *s = (struct file *)source;
    uint64_t called = tf_now_ns(), spare = UINT64_MAX;
    bool live = source->info.live;
    struct tf_frame *f;

    for (;;) {
        uint64_t due;

        if (!s->has_current) {
            enum tf_next next = decode(s, err);

            if (next == TF_NEXT_END && s->loop && s->index) {
                s->pass_ns += s->last_ns + s->period_ns;
                if (rewind_file(s) < 0) {
                    tf_fail(err, -EIO, "%s: cannot be looped: the file cannot be sought in", s->path);
                    return TF_NEXT_ERROR;
                }
                continue;
            }
            if (next != TF_NEXT_FRAME)
                return next;
        }
        due = s->start_ns + s->pass_ns + s->current_ns;
        if (live) {
            uint64_t now;

            if (!tf_source_wait_until(source, due, timeout_ms, called))
                return TF_NEXT_TIMEOUT;
            now = tf_now_ns();
            /* Catch up once a call, so that a slow decoder still shows something. */
            if (spare == UINT64_MAX)
                spare = now - due > QUEUE * s->period_ns ? (now - due) / s->period_ns - QUEUE : 0;
            if (spare) {
                spare--;
                lose_current(s);
                continue;
            }
        } else if (tf_source_take_wake(source)) {
            return TF_NEXT_TIMEOUT;
        }
        f = tf_pool_get(tf_lender_pool(s->lender));
        if (f)
            break;
        if (live)
            lose_current(s);
        else if (!tf_source_wait_until(source, tf_now_ns() + 1000000u, timeout_ms, called))
            return TF_NEXT_TIMEOUT;
    }
    deliver(s, f);
    *ret = f;
    return TF_NEXT_FRAME;
}

static void file_close(struct tf_source *source)
{
    struct file *s = (struct file *)source;

    if (s->lender)
        tf_lender_close(s->lender);
    else if (s->loan)
        loan_destroy(s->loan);
    sws_freeContext(s->convert);
    av_frame_free(&s->current);
    av_packet_free(&s->packet);
    avcodec_free_context(&s->codec);
    avformat_close_input(&s->format);
    free(s->path);
    free(s);
}

/* What the first picture is, for people. */
static void describe(const struct file *s, char *text, size_t size)
{
    snprintf(text, size, "%dx%d %s", s->av_width, s->av_height, av_get_pix_fmt_name(s->av_format));
}

static bool row_fits(const struct tf_format *row, bool known, enum tf_pixel pixel, uint16_t w, uint16_t h)
{
    bool whole = !row->width || (row->width == w && row->height == h);
    bool part = row->raw.w && row->raw.w == w && row->raw.h == h;

    if (row->pixel == TF_PIXEL_U16 && row->fourcc == V4L2_PIX_FMT_YUYV)
        return (known && pixel == TF_PIXEL_YUYV && whole) || (known && pixel == TF_PIXEL_U16 && part);
    if (row->pixel == TF_PIXEL_U16)
        return known && pixel == TF_PIXEL_U16 && (whole || part);
    /* Rows for people: gray takes the luma of any. */
    return whole && !(known && pixel == TF_PIXEL_U16);
}

static int choose_row(struct file *s, const struct tf_source_options *o, struct tf_error *err)
{
    struct tf_source_info *info = &s->source.info;
    uint16_t w = (uint16_t)s->av_width, h = (uint16_t)s->av_height;
    enum tf_pixel pixel = TF_PIXEL_YUV420;
    bool known = tf_av_pixel(s->av_format, &pixel) && s->current->linesize[0] > 0;
    const struct tf_format *row;
    char what[64];

    describe(s, what, sizeof(what));
    if (o->format) {
        row = tf_format_find(o->format);
        if (!row_fits(row, known, pixel, w, h)) {
            char size[64] = "of any size";

            if (row->width && row->raw.w)
                snprintf(size, sizeof(size), "of %ux%u or, the values alone, %ux%u", row->width, row->height,
                         row->raw.w, row->raw.h);
            else if (row->width)
                snprintf(size, sizeof(size), "of %ux%u", row->width, row->height);
            return tf_fail(err, -EINVAL, "%s: holds %s pictures; format %s needs %s pictures %s", s->path,
                           what, row->name, row->pixel == TF_PIXEL_U16 ? "16-bit" : "8-bit", size);
        }
    } else if (known && pixel == TF_PIXEL_U16) {
        row = tf_format_match(V4L2_PIX_FMT_Y16, w, h);
    } else if (known && pixel == TF_PIXEL_U8) {
        row = tf_format_find("grey");
    } else {
        row = tf_format_match(V4L2_PIX_FMT_YUYV, known && pixel == TF_PIXEL_YUYV ? w : 0, h);
    }
    if (o->width && (o->width != w || o->height != h) && !o->accept_size)
        return tf_fail(err, -EINVAL, "%s: holds %s pictures, not the %ux%u asked for", s->path, what,
                       o->width, o->height);
    s->raw = tf_format_raw(row, w, h);
    info->format = row;
    info->width = s->raw.w;
    info->height = s->raw.h;
    if (row->pixel == TF_PIXEL_U16 || row->pixel == TF_PIXEL_U8)
        info->pixel = row->pixel;
    else
        info->pixel = known ? pixel : TF_PIXEL_YUV420;
    info->radiometry = tf_format_radiometry(row, o);
    s->fixed_scale = o->scale != 0;
    s->copy = !known || tf_av_swapped(s->av_format);
    if (!known) {
        s->convert =
            sws_getContext(w, h, s->av_format, w, h, AV_PIX_FMT_YUV420P, SWS_POINT, NULL, NULL, NULL);
        if (!s->convert)
            return tf_fail(err, -ENOTSUP, "%s: %s pictures cannot be converted", s->path, what);
    }
    return 0;
}

static void read_times(struct file *s)
{
    const AVStream *stream = s->format->streams[s->stream];
    const AVDictionaryEntry *tag = av_dict_get(stream->metadata, "DURATION", NULL, 0);
    AVRational rate = stream->avg_frame_rate.num ? stream->avg_frame_rate : stream->r_frame_rate;
    uint64_t length_ns = 0;
    struct stat st;
    int64_t us;

    if (!rate.num || !rate.den || av_q2d(rate) > 100000)
        rate = (AVRational){25, 1};
    s->source.info.fps = (float)av_q2d(rate);
    s->period_ns = (uint64_t)(1e9 / av_q2d(rate));
    if (stream->duration != AV_NOPTS_VALUE && stream->duration > 0)
        length_ns = (uint64_t)av_rescale_q(stream->duration, stream->time_base, (AVRational){1, 1000000000});
    else if (tag && av_parse_time(&us, tag->value, 1) >= 0 && us > 0 && us < INT64_MAX / 1000)
        length_ns = (uint64_t)us * 1000;
    else if (s->format->nb_streams == 1 && s->format->duration != AV_NOPTS_VALUE && s->format->duration > 0)
        length_ns = (uint64_t)s->format->duration * 1000;
    s->expected_ns = length_ns;
    s->source.info.frames = stream->nb_frames > 0 ? (uint64_t)stream->nb_frames
                                                  : (uint64_t)((double)length_ns / 1e9 * av_q2d(rate) + 0.5);
    /* The recording's own date; without one, the file was last written to when the recording ended. */
    tag = av_dict_get(s->format->metadata, "creation_time", NULL, 0);
    if (tag && av_parse_time(&us, tag->value, 0) >= 0 && us > INT64_MIN / 1000 && us < INT64_MAX / 1000)
        s->file_utc_ns = us * 1000;
    else if (stat(s->path, &st) == 0)
        s->file_utc_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec - (int64_t)length_ns;
}

int tf_file_open(const struct tf_source_options *options, const char *path, struct tf_source **ret,
                 struct tf_error *err)
{
    static const struct tf_source_ops ops = {
        .start = file_start, .stop = file_stop, .next = file_next, .close = file_close};
    static const struct tf_lender_ops lender_ops = {loan_released, loan_destroy};
    struct tf_pool_options pool = {.frames = options->frames};
    const char *name;
    struct file *s;
    int r;

    r = check_path(path, err);
    if (r)
        return r;
    /* FFmpeg's remarks go to standard error by itself; what matters is in our own messages. */
    if (av_log_get_level() == AV_LOG_INFO)
        av_log_set_level(AV_LOG_PANIC);
    s = calloc(1, sizeof(*s));
    if (!s)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    s->source.ops = &ops;
    s->av_format = AV_PIX_FMT_NONE;
    s->loop = options->loop;
    s->path = strdup(path);
    s->packet = av_packet_alloc();
    s->current = av_frame_alloc();
    if (!s->path || !s->packet || !s->current) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    r = open_container(s, err);
    if (!r)
        r = open_decoder(s, err);
    if (r)
        goto fail;
    read_times(s);
    if (decode(s, err) != TF_NEXT_FRAME) {
        r = tf_fail(err, -EIO,
                    "%s: not one frame of it can be decoded (%s): the file is truncated or damaged", path,
                    s->codec->codec->name);
        goto fail;
    }
    s->av_format = s->current->format;
    s->av_width = s->current->width;
    s->av_height = s->current->height;
    if (s->av_width > TF_FRAME_DIM_MAX || s->av_height > TF_FRAME_DIM_MAX || s->av_width < 1 ||
        s->av_height < 1) {
        r = tf_fail(err, -EINVAL, "%s: %dx%d is larger than %dx%d", path, s->av_width, s->av_height,
                    TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
        goto fail;
    }
    r = choose_row(s, options, err);
    if (r)
        goto fail;
    s->source.info.kind = "file";
    s->source.info.rotate = options->rotate;
    s->source.info.live = options->pace == TF_PACE_RECORDED;
    if (options->loop)
        s->source.info.frames = 0;
    if (options->limit && (!s->source.info.frames || options->limit < s->source.info.frames))
        s->source.info.frames = options->limit;
    name = strrchr(path, '/');
    snprintf(s->source.info.name, sizeof(s->source.info.name), "%s", name ? name + 1 : path);
    snprintf(s->source.info.identity, sizeof(s->source.info.identity), "%s", options->url);
    if (s->copy) {
        pool.width = (uint16_t)s->av_width;
        pool.height = (uint16_t)s->av_height;
        if (!tf_av_pixel(s->av_format, &pool.pixel) || s->convert)
            pool.pixel = TF_PIXEL_YUV420;
    }
    r = loan_create(options->frames, &s->loan);
    if (!r)
        r = tf_lender_create(&pool, &lender_ops, s->loan, &s->lender);
    if (r) {
        tf_fail(err, r, "%s: no memory for %zu frames", path, options->frames);
        goto fail;
    }
    *ret = &s->source;
    return 0;

fail:
    file_close(&s->source);
    return r;
}
