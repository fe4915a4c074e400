/* One picture from a file as a gray frame. */
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <string.h>

#include "cli/eval_image.h"

static int complain(struct tf_error *err, const char *path, const char *what, int code)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";

    av_strerror(code, text, sizeof(text));
    /* libav's own codes are no errnos. */
    return tf_fail(err, code > -4096 ? code : -EINVAL, "%s: %s: %s", path, what, text);
}

/* Gray PNG of 16 bits comes in the network's byte order; frames are in the machine's. */
static int to_host_order(AVFrame *av, const char *path, struct tf_error *err)
{
    int r = av->format == AV_PIX_FMT_GRAY16BE && AV_PIX_FMT_GRAY16 != AV_PIX_FMT_GRAY16BE
                ? av_frame_make_writable(av)
                : 1;

    if (r != 0)
        return r < 0 ? complain(err, path, "cannot decode", r) : 0;
    for (int y = 0; y < av->height; y++) {
        uint8_t *line = av->data[0] + (ptrdiff_t)y * av->linesize[0];

        for (int x = 0; x < av->width; x++) {
            uint8_t high = line[2 * x];

            line[2 * x] = line[2 * x + 1];
            line[2 * x + 1] = high;
        }
    }
    av->format = AV_PIX_FMT_GRAY16;
    return 0;
}

/* The luminance plane as it was stored: gray, or the Y of any planar YUV. */
static int describe(const AVFrame *av, struct tf_frame *frame, const char *path, struct tf_error *err)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(av->format);
    int depth = d ? d->comp[0].depth : 0;

    if (!d ||
        (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BE |
                     AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL)) ||
        d->comp[0].plane != 0 || d->comp[0].offset != 0 || d->comp[0].shift != 0 ||
        !((depth == 8 && d->comp[0].step == 1) || (depth > 8 && d->comp[0].step == 2)))
        return tf_fail(err, -EINVAL, "%s: pixel format %s has no plain luminance; convert it to gray", path,
                       d ? d->name : "unknown");
    if (av->width < 1 || av->height < 1 || av->width > TF_FRAME_DIM_MAX || av->height > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EINVAL, "%s: %d x %d; sides up to %d are possible", path, av->width, av->height,
                       TF_FRAME_DIM_MAX);
    memset(frame, 0, sizeof(*frame));
    frame->plane[0] = av->data[0];
    frame->stride[0] = (uint32_t)av->linesize[0];
    frame->width = (uint16_t)av->width;
    frame->height = (uint16_t)av->height;
    frame->pixel = depth == 8 ? TF_PIXEL_U8 : TF_PIXEL_U16;
    frame->sensor_c = NAN;
    return 0;
}

static int decode(AVFormatContext *format, AVCodecContext *codec, int stream, AVFrame *frame)
{
    AVPacket *packet = av_packet_alloc();
    int r = !packet ? AVERROR(ENOMEM) : 0;

    while (r == 0) {
        r = av_read_frame(format, packet);
        if (r == 0 && packet->stream_index == stream)
            r = avcodec_send_packet(codec, packet);
        else if (r == AVERROR_EOF)
            r = avcodec_send_packet(codec, NULL);
        av_packet_unref(packet);
        if (r < 0)
            break;
        r = avcodec_receive_frame(codec, frame);
        if (r == 0)
            break;
        if (r == AVERROR(EAGAIN))
            r = 0;
    }
    av_packet_free(&packet);
    return r;
}

int tf_image_load(struct tf_image *image, const char *path, struct tf_error *err)
{
    AVFormatContext *format = NULL;
    AVCodecContext *context = NULL;
    const AVCodec *codec = NULL;
    int stream, r;

    if (!image->decoded)
        image->decoded = av_frame_alloc();
    if (!image->decoded)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    av_frame_unref(image->decoded);

    /* libav's complaints about damaged files would stand beside ours. */
    av_log_set_level(AV_LOG_QUIET);
    r = avformat_open_input(&format, path, NULL, NULL);
    if (r < 0)
        return complain(err, path, "cannot open", r);
    stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (stream < 0 || !codec) {
        r = tf_fail(err, -EINVAL, "%s: not a picture that can be decoded", path);
        goto out;
    }
    context = avcodec_alloc_context3(codec);
    if (!context || avcodec_parameters_to_context(context, format->streams[stream]->codecpar) < 0) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto out;
    }
    context->thread_count = 1;
    r = avcodec_open2(context, codec, NULL);
    if (r == 0)
        r = decode(format, context, stream, image->decoded);
    if (r < 0) {
        r = complain(err, path, "cannot decode", r);
        goto out;
    }
    r = to_host_order(image->decoded, path, err);
    if (r == 0)
        r = describe(image->decoded, &image->frame, path, err);
out:
    avcodec_free_context(&context);
    avformat_close_input(&format);
    return r;
}

void tf_image_unload(struct tf_image *image)
{
    av_frame_free(&image->decoded);
    memset(image, 0, sizeof(*image));
}
