/*
 * thermoface export --to remux: a video's packets as they are into a new Matroska file with duration and
 * index, which a recording that was killed has not. The original is only read. The new file is compared with
 * it, packet by packet, before it gets its name: the same bytes and times decode to the same pictures.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavformat/avformat.h>

#include "cli/commands.h"
#include "cli/export.h"

struct remux {
    struct tf_export_item *item;
    struct tf_export_file out;
    const char *path; /* of the original */
    AVFormatContext *in, *to, *again;
    AVPacket *packet, *other;
    int stream;
    uint64_t packets, torn;
};

static int fail_av(int code, const char *path, const char *what, struct tf_error *err)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];

    av_strerror(code, reason, sizeof(reason));
    return tf_fail(err,
                   code == AVERROR(ENOSPC)   ? -ENOSPC
                   : code == AVERROR(ENOMEM) ? -ENOMEM
                                             : -EIO,
                   "%s: %s: %s", path, what, reason);
}

static int open_input(const char *path, AVFormatContext **ret, int *stream, struct tf_error *err)
{
    int code = avformat_open_input(ret, path, NULL, NULL);

    if (code >= 0)
        code = avformat_find_stream_info(*ret, NULL);
    if (code >= 0)
        code = *stream = av_find_best_stream(*ret, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    return code < 0 ? fail_av(code, path, "cannot be read as a video", err) : 0;
}

/* The next packet of the video. 1: there is one; 0: the end. What a crash has torn is the end, too. */
static int next_packet(struct remux *x, AVFormatContext *from, int stream, AVPacket *packet)
{
    int code;

    while ((code = av_read_frame(from, packet)) >= 0) {
        if (packet->stream_index == stream && !(packet->flags & AV_PKT_FLAG_CORRUPT) && packet->size > 0)
            return 1;
        x->torn += packet->stream_index == stream;
        av_packet_unref(packet);
    }
    x->torn += code != AVERROR_EOF;
    return 0;
}

static int open_output(struct remux *x, struct tf_error *err)
{
    AVStream *from = x->in->streams[x->stream], *to;
    int code = avformat_alloc_output_context2(&x->to, NULL, "matroska", x->out.part);

    if (code < 0)
        return fail_av(code, x->out.path, "cannot be written", err);
    to = avformat_new_stream(x->to, NULL);
    if (!to)
        return tf_fail(err, -ENOMEM, "%s: out of memory", x->path);
    code = avcodec_parameters_copy(to->codecpar, from->codecpar);
    to->codecpar->codec_tag = 0;
    to->time_base = from->time_base;
    to->avg_frame_rate = from->avg_frame_rate;
    to->r_frame_rate = from->r_frame_rate;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    av_dict_copy(&to->metadata, from->metadata, 0);
    av_dict_copy(&x->to->metadata, x->in->metadata, 0);
    /* What the muxer says itself. */
    av_dict_set(&x->to->metadata, "DURATION", NULL, 0);
    av_dict_set(&to->metadata, "DURATION", NULL, 0);
    if (code >= 0)
        code = avio_open(&x->to->pb, x->out.part, AVIO_FLAG_WRITE);
    if (code >= 0)
        code = avformat_write_header(x->to, NULL);
    return code < 0 ? fail_av(code, x->out.path, "cannot be written", err) : 0;
}

static int copy(struct remux *x, struct tf_error *err)
{
    AVRational from = x->in->streams[x->stream]->time_base, to = x->to->streams[0]->time_base;
    int code = 0;

    while (code >= 0 && !tf_interrupted() && next_packet(x, x->in, x->stream, x->packet)) {
        x->packet->stream_index = 0;
        x->packet->pos = -1;
        av_packet_rescale_ts(x->packet, from, to);
        code = av_write_frame(x->to, x->packet);
        av_packet_unref(x->packet);
        x->packets++;
        tf_progress_update(&x->item->progress, x->packets);
    }
    if (tf_interrupted())
        return tf_fail(err, -ECANCELED, "%s: stopped before the end; nothing is left of it", x->path);
    if (code >= 0 && !x->packets)
        return tf_fail(err, -ENODATA, "%s: no frame is in it", x->path);
    if (code >= 0)
        code = av_write_trailer(x->to);
    if (code >= 0) {
        avio_flush(x->to->pb);
        code = x->to->pb->error;
    }
    return code < 0 ? fail_av(code, x->out.path, "cannot be written", err) : 0;
}

static bool same(const struct remux *x, int again)
{
    const AVStream *a = x->in->streams[x->stream], *b = x->again->streams[again];

    return x->packet->size == x->other->size &&
           memcmp(x->packet->data, x->other->data, (size_t)x->packet->size) == 0 &&
           av_compare_ts(x->packet->pts, a->time_base, x->other->pts, b->time_base) == 0 &&
           (x->packet->flags & AV_PKT_FLAG_KEY) == (x->other->flags & AV_PKT_FLAG_KEY);
}

/* Both files from their beginnings. */
static int compare(struct remux *x, struct tf_error *err)
{
    const AVCodecParameters *a, *b;
    uint64_t n = 0, torn = x->torn;
    int again, r;
    bool equal;

    avformat_close_input(&x->in);
    r = open_input(x->path, &x->in, &x->stream, err);
    if (r == 0)
        r = open_input(x->out.part, &x->again, &again, err);
    if (r < 0)
        return r;
    a = x->in->streams[x->stream]->codecpar;
    b = x->again->streams[again]->codecpar;
    equal = a->codec_id == b->codec_id && a->width == b->width && a->height == b->height &&
            a->extradata_size == b->extradata_size &&
            (!a->extradata_size || memcmp(a->extradata, b->extradata, (size_t)a->extradata_size) == 0);
    while (equal && n < x->packets) {
        equal = next_packet(x, x->in, x->stream, x->packet) && next_packet(x, x->again, again, x->other) &&
                same(x, again);
        av_packet_unref(x->packet);
        av_packet_unref(x->other);
        n += equal;
        if (tf_interrupted())
            return tf_fail(err, -ECANCELED, "%s: stopped before the end; nothing is left of it", x->path);
    }
    if (equal)
        equal = !next_packet(x, x->again, again, x->other);
    av_packet_unref(x->other);
    x->torn = torn;
    if (!equal)
        return tf_fail(err, -EIO,
                       "%s: packet %llu of the new file is not the original's: nothing is left of it",
                       x->path, (unsigned long long)n);
    if (x->again->duration <= 0)
        return tf_fail(err, -EIO, "%s: the new file has no duration", x->path);
    return 0;
}

static int one(struct tf_export_item *item, const char *from, const char *to, struct tf_error *err)
{
    struct remux x = {.item = item, .path = from};
    struct stat a, b;
    int r = tf_export_file_begin(&x.out, to, item->options->overwrite, err);

    if (r == 0 && stat(from, &a) == 0 && stat(to, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        r = tf_fail(err, -EINVAL, "%s: the original is not replaced: name another file with --output", from);
    if (r == 0)
        r = open_input(from, &x.in, &x.stream, err);
    x.packet = av_packet_alloc();
    x.other = av_packet_alloc();
    if (r == 0 && (!x.packet || !x.other))
        r = tf_fail(err, -ENOMEM, "%s: out of memory", from);
    if (r == 0)
        r = open_output(&x, err);
    tf_progress_start(&item->progress, 0, item->about.fps, item->options->quiet);
    if (r == 0)
        r = copy(&x, err);
    if (x.to)
        avio_closep(&x.to->pb);
    if (r == 0)
        r = compare(&x, err);
    tf_progress_end(&item->progress);
    if (r == 0)
        r = tf_export_file_commit(&x.out, err);
    if (r == 0 && !item->options->quiet)
        fprintf(stderr, "%s: %llu frame%s, every packet compared%s\n", to, (unsigned long long)x.packets,
                TF_PLURAL(x.packets), x.torn ? "; the end is torn and left out" : "");
    avformat_close_input(&x.in);
    avformat_close_input(&x.again);
    avformat_free_context(x.to);
    av_packet_free(&x.packet);
    av_packet_free(&x.other);
    tf_export_file_abort(&x.out);
    return r;
}

/* A video of the recording into the folder, under its own name. */
static int one_of(struct tf_export_item *item, const char *ending, bool *any, struct tf_error *err)
{
    char from[TF_EXPORT_PATH + 640], to[TF_EXPORT_PATH + 640];
    struct stat st;
    int r;

    snprintf(from, sizeof(from), "%s/%s%s", item->folder, item->stem, ending);
    if (stat(from, &st) < 0)
        return -ENOENT;
    *any = true;
    r = tf_export_path(item, ending, to, sizeof(to), err);
    return r < 0 ? r : one(item, from, to, err);
}

int tf_export_remux(struct tf_export_item *item, struct tf_error *err)
{
    char path[TF_EXPORT_PATH + 640];
    bool any = false;
    int r;

    av_log_set_level(AV_LOG_FATAL); /* what is torn is said once, by us */
    if (*item->video) {
        /* "F.mkv" beside itself would be itself. */
        r = tf_export_path(item, item->options->output ? ".mkv" : "_remux.mkv", path, sizeof(path), err);
        return r < 0 ? r : one(item, item->video, path, err);
    }
    r = one_of(item, "_video.mkv", &any, err);
    for (int i = 1; r == -ENOENT && !any; i = 1) {
        char ending[40];

        for (; i <= 9999; i++) {
            snprintf(ending, sizeof(ending), "_split-%04d_video.mkv", i);
            r = one_of(item, ending, &any, err);
            if (r < 0)
                break;
        }
        r = any && r == -ENOENT ? 0 : r;
        break;
    }
    if (r == 0) {
        bool annotated = false;

        r = one_of(item, "_desc-annotated_video.mkv", &annotated, err);
        /* A killed service may have left one without a frame. */
        r = r == -ENOENT || r == -ENODATA ? 0 : r;
    }
    return any ? r : tf_fail(err, -ENOENT, "%s/%s: no video is there", item->folder, item->stem);
}
