/* Encoded pictures in a file through libavformat, stamped by capture time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/clock.h"
#include "publish/video/encoder.h"
#include "publish/video/h264.h"
#include "publish/video/muxer_disk.h"

#define TF_MUXER_BUFFER 65536

struct tf_muxer {
    char *path;
    int fd;
    struct tf_disk_file *disk; /* instead of fd */
    int write_error;           /* errno of the first failed write; libavformat keeps only its own codes */
    const struct tf_encoder *encoder;
    AVFormatContext *format;
    AVStream *stream;
    AVPacket *packet;
    bool started;
    uint64_t start_ns;
    int64_t last_dts;
};

static int write_bytes(void *opaque, uint8_t *data, int size)
{
    struct tf_muxer *m = opaque;

    if (m->disk) {
        /* The caller has looked for room: only the container's end may have to wait. */
        if (tf_disk_write(m->disk, data, (size_t)size, true) == 0)
            return size;
        m->write_error = EFBIG;
        return AVERROR(EFBIG);
    }
    for (int done = 0; done < size;) {
        ssize_t n = write(m->fd, data + done, (size_t)(size - done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            m->write_error = errno;
            return AVERROR(errno);
        }
        done += (int)n;
    }
    return size;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    struct tf_muxer *m = opaque;
    struct stat status;
    off_t at;

    if (m->disk)
        return whence & AVSEEK_SIZE ? tf_disk_size(m->disk)
                                    : tf_disk_seek(m->disk, offset, whence & ~AVSEEK_FORCE);
    if (whence & AVSEEK_SIZE)
        return fstat(m->fd, &status) < 0 ? AVERROR(errno) : status.st_size;
    at = lseek(m->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

static int fail_format(const struct tf_muxer *m, int code, const char *what, struct tf_error *err)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];

    if (m->write_error)
        return tf_fail(err, -m->write_error, "%s: %s: %s", m->path, what, strerror(m->write_error));
    av_strerror(code, reason, sizeof(reason));
    return tf_fail(err, -EIO, "%s: %s: %s", m->path, what, reason);
}

static int open_format(struct tf_muxer *m, struct tf_error *err)
{
    const AVOutputFormat *kind = av_guess_format(NULL, m->path, NULL);
    uint8_t *buffer;

    /* An ending that names no video container (.txt, say) is Matroska, too. */
    if (!kind || !avformat_query_codec(kind, AV_CODEC_ID_H264, FF_COMPLIANCE_NORMAL))
        kind = av_guess_format("matroska", NULL, NULL);
    if (!kind)
        return tf_fail(err, -ENOTSUP, "%s: this libavformat cannot write Matroska", m->path);
    if (avformat_alloc_output_context2(&m->format, kind, NULL, NULL) < 0)
        return -ENOMEM;
    buffer = av_malloc(TF_MUXER_BUFFER);
    if (!buffer)
        return -ENOMEM;
    m->format->pb = avio_alloc_context(buffer, TF_MUXER_BUFFER, 1, m, NULL, write_bytes, seek_bytes);
    if (!m->format->pb) {
        av_free(buffer);
        return -ENOMEM;
    }
    m->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_FLUSH_PACKETS;
    /* The same pictures give the same file: no random identity, no library's version. */
    if (!m->disk)
        m->format->flags |= AVFMT_FLAG_BITEXACT;
    m->stream = avformat_new_stream(m->format, NULL);
    m->packet = av_packet_alloc();
    return m->stream && m->packet ? 0 : -ENOMEM;
}

static void destroy(struct tf_muxer *m)
{
    if (!m)
        return;
    av_packet_free(&m->packet);
    if (m->format && m->format->pb) {
        av_freep(&m->format->pb->buffer);
        avio_context_free(&m->format->pb);
    }
    avformat_free_context(m->format);
    if (m->fd >= 0)
        close(m->fd);
    free(m->path);
    free(m);
}

int tf_muxer_create(const char *path, const struct tf_encoder *encoder, bool overwrite, struct tf_muxer **ret,
                    struct tf_error *err)
{
    struct tf_muxer *m;
    int code = -ENOMEM;

    m = calloc(1, sizeof(*m));
    if (!m)
        goto fail;
    m->fd = -1;
    m->encoder = encoder;
    m->path = strdup(path);
    if (!m->path)
        goto fail;
    /* The format first: a file is made only when it can be written to. */
    code = open_format(m, err);
    if (code < 0)
        goto fail;
    m->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL), 0666);
    if (m->fd < 0) {
        code = -errno;
        if (errno == EEXIST)
            tf_fail(err, code, "%s exists and is not overwritten; choose another name or ask to overwrite",
                    path);
        else
            tf_fail(err, code, "%s: %s", path, strerror(errno));
        goto fail;
    }
    *ret = m;
    return 0;

fail:
    destroy(m);
    return code == -ENOMEM ? tf_fail(err, code, "%s: out of memory", path) : code;
}

int tf_muxer_create_on(struct tf_disk_file *file, const char *name, const struct tf_encoder *encoder,
                       struct tf_muxer **ret, struct tf_error *err)
{
    struct tf_muxer *m = calloc(1, sizeof(*m));
    int code = -ENOMEM;

    if (!m)
        return tf_fail(err, code, "%s: out of memory", name);
    m->fd = -1;
    m->disk = file;
    m->encoder = encoder;
    m->path = strdup(name);
    if (m->path)
        code = open_format(m, err);
    if (code < 0) {
        destroy(m);
        return code == -ENOMEM ? tf_fail(err, code, "%s: out of memory", name) : code;
    }
    *ret = m;
    return 0;
}

/* The header needs the parameter sets, which some encoders show only with the first key picture. */
static int start(struct tf_muxer *m, const struct tf_packet *packet, struct tf_error *err)
{
    AVDictionary *options = NULL;
    uint8_t own[1024];
    size_t size = 0;
    const uint8_t *extradata = tf_encoder_extradata(m->encoder, &size);
    AVCodecParameters *parameters = m->stream->codecpar;
    const char *name = m->format->oformat->name;
    int r;

    if (!extradata) {
        size = tf_h264_parameters(packet->data, packet->size, own, sizeof(own));
        if (!size)
            return tf_fail(err, -EPROTO, "%s: the encoder's key picture has no SPS and PPS", m->path);
        extradata = own;
    }
    tf_encoder_parameters(m->encoder, parameters);
    parameters->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!parameters->extradata)
        return tf_fail(err, -ENOMEM, "%s: out of memory", m->path);
    memcpy(parameters->extradata, extradata, size);
    parameters->extradata_size = (int)size;
    m->stream->time_base = (AVRational){1, 1000000};
    m->stream->avg_frame_rate = av_d2q((double)tf_encoder_fps(m->encoder), 60000);

    /* A crash or a pulled plug loses a second at most. */
    if (strstr(name, "matroska") || strstr(name, "webm"))
        av_dict_set(&options, "cluster_time_limit", m->disk ? "200" : "1000", 0);
    else if (strstr(name, "mp4") || strstr(name, "mov"))
        av_dict_set(&options, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
    r = avformat_write_header(m->format, &options);
    av_dict_free(&options);
    if (r < 0)
        return fail_format(m, r, "the header cannot be written", err);
    m->started = true;
    m->start_ns = packet->t_mono_ns;
    m->last_dts = -1;
    return 0;
}

int tf_muxer_write(struct tf_muxer *m, const struct tf_packet *packet, struct tf_error *err)
{
    int r;

    if (!m->started) {
        if (!packet->key)
            return 0;
        r = start(m, packet, err);
        if (r < 0)
            return r;
    }
    uint64_t since = packet->t_mono_ns > m->start_ns ? packet->t_mono_ns - m->start_ns : 0;
    int64_t stamp = av_rescale_q((int64_t)since, (AVRational){1, TF_NS_PER_S}, m->stream->time_base);
    /* Two stamps in one tick of the container (Matroska's is a millisecond) would be refused. */
    if (stamp <= m->last_dts)
        stamp = m->last_dts + 1;
    m->last_dts = stamp;

    /* Not reference counted: libavformat copies what it keeps. */
    m->packet->data = (uint8_t *)(uintptr_t)packet->data;
    m->packet->size = (int)packet->size;
    m->packet->stream_index = m->stream->index;
    m->packet->pts = m->packet->dts = stamp;
    m->packet->flags = packet->key ? AV_PKT_FLAG_KEY : 0;
    r = av_write_frame(m->format, m->packet);
    av_packet_unref(m->packet);
    if (r < 0 || m->write_error)
        return fail_format(m, r, "a picture cannot be written", err);
    return 0;
}

int tf_muxer_close(struct tf_muxer *m, struct tf_error *err)
{
    int r = 0;

    if (!m)
        return 0;
    if (m->started) {
        r = av_write_trailer(m->format);
        avio_flush(m->format->pb);
        if (r < 0 || m->write_error)
            r = fail_format(m, r, "the end cannot be written", err);
    }
    if (m->fd >= 0 && close(m->fd) < 0 && r >= 0)
        r = tf_fail(err, -errno, "%s: %s", m->path, strerror(errno));
    m->fd = -1;
    destroy(m);
    return r < 0 ? r : 0;
}
