/* Real clients for the video tests. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#include "base/clock.h"
#include "clients.h"

bool client_has(const char *program)
{
    const char *path = getenv("PATH");
    char copy[4096], file[4352], *save = NULL;

    if (!path)
        return false;
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = strtok_r(copy, ":", &save); part; part = strtok_r(NULL, ":", &save)) {
        snprintf(file, sizeof(file), "%s/%s", part, program);
        if (!access(file, X_OK))
            return true;
    }
    return false;
}

static void redirect(const char *path, int to)
{
    int fd = open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd >= 0)
        dup2(fd, to);
}

pid_t client_start(const char *const argv[], const char *stdout_path, const char *stderr_path)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, 0);
    redirect(stdout_path, 1);
    redirect(stderr_path, 2);
    /* The clients are not what is tested: a sanitizer's preload or options are not for them. */
    unsetenv("LD_PRELOAD");
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int client_wait(pid_t pid, double seconds)
{
    double end = now() + seconds;
    int status;

    for (;;) {
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (done < 0 && errno != EINTR)
            return -1;
        if (now() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

int client_run(const char *const argv[], double seconds, char *text, size_t size, const char *messages_path)
{
    char path[] = "/tmp/tf-client-XXXXXX";
    int fd = mkstemp(path), status;

    if (fd < 0)
        return -1;
    status = client_wait(client_start(argv, path, messages_path), seconds);
    ssize_t n = pread(fd, text, size - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(fd);
    unlink(path);
    return status;
}

uint8_t *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    long end;

    if (!f)
        return NULL;
    if (!fseek(f, 0, SEEK_END) && (end = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET)) {
        data = malloc((size_t)end + 1);
        if (data)
            *size = fread(data, 1, (size_t)end, f);
    }
    fclose(f);
    return data;
}

struct decoder {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVFrame *frame;
    struct SwsContext *convert;
    struct tf_picture picture;
    decoded_fn *each;
    void *context;
    int stream, count;
};

static int take(struct decoder *d)
{
    AVFrame *f = d->frame;

    if (!d->convert) {
        d->convert = sws_getContext(f->width, f->height, f->format, f->width, f->height, AV_PIX_FMT_BGR0,
                                    SWS_POINT, NULL, NULL, NULL);
        d->picture = (struct tf_picture){.width = (uint32_t)f->width,
                                         .height = (uint32_t)f->height,
                                         .stride = (uint32_t)(f->width * 4 + 63) & ~63u};
        d->picture.data = aligned_alloc(64, (size_t)d->picture.stride * d->picture.height);
        if (!d->convert || !d->picture.data)
            return -1;
        sws_setColorspaceDetails(d->convert, sws_getCoefficients(f->colorspace), 0,
                                 sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    }
    if ((uint32_t)f->width != d->picture.width || (uint32_t)f->height != d->picture.height)
        return -1;
    sws_scale(d->convert, (const uint8_t *const *)f->data, f->linesize, 0, f->height,
              (uint8_t *[]){d->picture.data}, (int[]){(int)d->picture.stride});
    int64_t t = f->best_effort_timestamp;
    if (d->format)
        t = av_rescale_q(t, d->format->streams[d->stream]->time_base, (AVRational){1, TF_NS_PER_S});
    if (d->each)
        d->each(d->context, &d->picture, t, f->key_frame);
    d->count++;
    return 0;
}

static int feed(struct decoder *d, const AVPacket *packet)
{
    int r = avcodec_send_packet(d->codec, packet);

    while (r >= 0) {
        r = avcodec_receive_frame(d->codec, d->frame);
        if (r >= 0 && take(d) < 0)
            return -1;
    }
    return r == AVERROR(EAGAIN) || r == AVERROR_EOF ? 0 : -1;
}

int decode_file(const char *path, decoded_fn *each, void *context)
{
    struct decoder d = {.each = each, .context = context};
    AVPacket *packet = av_packet_alloc();
    int r = -1;

    if (avformat_open_input(&d.format, path, NULL, NULL) < 0 || avformat_find_stream_info(d.format, NULL) < 0)
        goto done;
    d.stream = av_find_best_stream(d.format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_H264);
    if (d.stream < 0 || d.format->streams[d.stream]->codecpar->codec_id != AV_CODEC_ID_H264 || !codec)
        goto done;
    d.codec = avcodec_alloc_context3(codec);
    d.frame = av_frame_alloc();
    avcodec_parameters_to_context(d.codec, d.format->streams[d.stream]->codecpar);
    if (avcodec_open2(d.codec, codec, NULL) < 0)
        goto done;
    r = 0;
    while (r >= 0 && av_read_frame(d.format, packet) >= 0) {
        if (packet->stream_index == d.stream)
            r = feed(&d, packet);
        av_packet_unref(packet);
    }
    if (r >= 0)
        r = feed(&d, NULL);
    if (r >= 0)
        r = d.count;
done:
    av_packet_free(&packet);
    av_frame_free(&d.frame);
    avcodec_free_context(&d.codec);
    avformat_close_input(&d.format);
    sws_freeContext(d.convert);
    free(d.picture.data);
    return r;
}
