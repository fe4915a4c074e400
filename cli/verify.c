/* thermoface verify: does what a session's folder holds belong together? */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "cli/commands.h"
#include "cli/options.h"

#define VIDEO "_video.mkv"
#define ANNOTATED "_desc-annotated_video.mkv"
#define DEPTH_MAX 6 /* a data set's folder, sub-, ses-, beh, and some to spare */

struct verify {
    bool trim;
    unsigned recordings, events, problems;
};

__attribute__((format(printf, 3, 4))) static void problem(struct verify *v, const char *path,
                                                          const char *format, ...)
{
    va_list args;

    v->problems++;
    printf("%s: ", path);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* --- videos --- */

struct video {
    uint64_t frames, broken;
    bool stamps_back;
};

/* libavcodec shows damage (a slice's checksum) in what it says only: the frame comes all the same. */
static unsigned complaints;

static void on_complaint(void *source, int level, const char *format, va_list args)
{
    if (level <= AV_LOG_ERROR && source && *(const AVClass **)source == avcodec_get_class())
        complaints++;
}

/* Decodes all of it, checksums checked. 0, or an AVERROR that ended it. */
static int decode(const char *path, struct video *ret)
{
    AVFormatContext *format = NULL;
    AVCodecContext *codec = NULL;
    const AVCodec *decoder = NULL;
    AVDictionary *options = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int64_t last = INT64_MIN;
    int r, stream = -1;

    r = packet && frame ? avformat_open_input(&format, path, NULL, NULL) : AVERROR(ENOMEM);
    if (r >= 0)
        r = avformat_find_stream_info(format, NULL);
    if (r >= 0)
        r = stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (r >= 0) {
        codec = avcodec_alloc_context3(decoder);
        r = codec ? avcodec_parameters_to_context(codec, format->streams[stream]->codecpar) : AVERROR(ENOMEM);
    }
    if (r >= 0) {
        av_dict_set(&options, "err_detect", "crccheck", 0);
        codec->thread_count = 1;
        r = avcodec_open2(codec, decoder, &options);
        av_dict_free(&options);
    }
    while (r >= 0) {
        r = av_read_frame(format, packet);
        if (r >= 0 && packet->stream_index == stream) {
            if (packet->pts <= last)
                ret->stamps_back = true;
            last = packet->pts;
            complaints = 0;
            r = avcodec_send_packet(codec, packet);
            ret->broken += r < 0 || complaints;
            r = 0;
            while (avcodec_receive_frame(codec, frame) >= 0)
                ret->frames++;
        }
        av_packet_unref(packet);
    }
    if (codec) {
        avcodec_send_packet(codec, NULL);
        while (avcodec_receive_frame(codec, frame) >= 0)
            ret->frames++;
    }
    avcodec_free_context(&codec);
    avformat_close_input(&format);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return r == AVERROR_EOF ? 0 : r;
}

/* --- tables --- */

struct table {
    bool there;
    uint64_t rows, with_frame;
    bool partial; /* the last line has no end */
};

/* The n-th cell; our own tables quote nothing up to the columns that are read here. */
static const char *cell(const char *line, int n)
{
    for (; n > 0; n--) {
        line = strchr(line, ',');
        if (!line)
            return NULL;
        line++;
    }
    return line;
}

static int column(const char *header, const char *name)
{
    size_t n = strlen(name);
    int i = 0;

    for (const char *c = header; c; i++) {
        if (strncmp(c, name, n) == 0 && strchr(",\r\n", c[n]))
            return i;
        c = strchr(c, ',');
        c += c != NULL;
    }
    return -1;
}

static void check_partial(struct verify *v, const char *path, FILE *file, off_t whole, struct table *t)
{
    if (!t->partial)
        return;
    if (v->trim && ftruncate(fileno(file), whole) == 0)
        printf("%s: the last line had no end and was taken away\n", path);
    else
        problem(v, path, "the last line has no end (--trim takes it away)");
}

static void read_csv(struct verify *v, const char *path, struct table *t)
{
    FILE *file = fopen(path, v->trim ? "r+e" : "re");
    char *line = NULL;
    const char *last = NULL;
    size_t size = 0;
    ssize_t n;
    off_t whole = 0;
    unsigned long long before = 0;
    int stamp = -1;
    bool header = true;

    if (!file) {
        problem(v, path, "%s", strerror(errno));
        return;
    }
    t->there = true;
    while ((n = getline(&line, &size, file)) > 0) {
        if (line[n - 1] != '\n') {
            t->partial = true;
            break;
        }
        whole += n;
        if (header) {
            header = false;
            stamp = column(line, "t_mono_ns");
            if (stamp < 0 || n < 13 || strcmp(line + n - 13, ",video_frame\n") != 0) {
                problem(v, path, "not a table of frames: columns t_mono_ns and video_frame are missing");
                break;
            }
            continue;
        }
        t->rows++;
        if (cell(line, stamp)) {
            unsigned long long now = strtoull(cell(line, stamp), NULL, 10);

            if (t->rows > 1 && now <= before)
                problem(v, path, "row %llu: t_mono_ns %llu is not later than the one before",
                        (unsigned long long)t->rows, now);
            before = now;
        }
        last = strrchr(line, ',');
        if (last && last[1] != '\n') {
            if (strtoull(last + 1, NULL, 10) != t->with_frame)
                problem(v, path, "row %llu: video_frame is %.*s, not %llu", (unsigned long long)t->rows,
                        (int)strcspn(last + 1, "\n"), last + 1, (unsigned long long)t->with_frame);
            t->with_frame++;
        }
    }
    check_partial(v, path, file, whole, t);
    free(line);
    fclose(file);
}

static void read_lines(struct verify *v, const char *path, struct table *t)
{
    FILE *file = fopen(path, v->trim ? "r+e" : "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    off_t whole = 0;

    if (!file) {
        problem(v, path, "%s", strerror(errno));
        return;
    }
    t->there = true;
    while ((n = getline(&line, &size, file)) > 0) {
        if (line[n - 1] != '\n') {
            t->partial = true;
            break;
        }
        whole += n;
        t->rows++;
    }
    check_partial(v, path, file, whole, t);
    free(line);
    fclose(file);
}

/* --- folders --- */

static bool ends(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);

    return n >= m && strcmp(text + n - m, ending) == 0;
}

static void check_video(struct verify *v, const char *path, struct video *ret)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];
    int r = decode(path, ret);

    if (r < 0) {
        av_strerror(r, reason, sizeof(reason));
        problem(v, path, "cannot be read: %s", reason);
    }
    if (ret->broken)
        problem(v, path, "%llu frames are damaged", (unsigned long long)ret->broken);
    if (ret->stamps_back)
        problem(v, path, "time stamps do not always increase");
}

static void check_recording(struct verify *v, const char *path)
{
    size_t stem = strlen(path) - strlen(VIDEO);
    struct table csv = {0}, ndjson = {0};
    struct video video = {0};
    char other[4096];

    v->recordings++;
    check_video(v, path, &video);
    snprintf(other, sizeof(other), "%.*s_frames.csv", (int)stem, path);
    read_csv(v, other, &csv);
    if (csv.there && video.frames != csv.with_frame)
        problem(v, path, "%llu frames, and the table names %llu", (unsigned long long)video.frames,
                (unsigned long long)csv.with_frame);
    if (csv.there && csv.with_frame < csv.rows)
        problem(v, path, "%llu frames were refused while it was recorded",
                (unsigned long long)(csv.rows - csv.with_frame));
    snprintf(other, sizeof(other), "%.*s_frames.ndjson", (int)stem, path);
    read_lines(v, other, &ndjson);
    if (csv.there && ndjson.there && csv.rows != ndjson.rows)
        problem(v, other, "%llu lines, and the CSV has %llu rows", (unsigned long long)ndjson.rows,
                (unsigned long long)csv.rows);
    printf("%s: %llu frames, %llu rows\n", path, (unsigned long long)video.frames,
           (unsigned long long)csv.rows);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void check_folder(struct verify *v, const char *folder, int depth)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);

    if (n < 0) {
        problem(v, folder, "%s", strerror(errno));
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char path[4096];
        struct stat st;

        if (name[0] == '.' ||
            (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path) - 32 ||
            lstat(path, &st) < 0) {
            free(entries[i]);
            continue;
        }
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            check_folder(v, path, depth + 1);
        } else if (S_ISREG(st.st_mode) && ends(name, ANNOTATED)) {
            struct video video = {0};

            /* Without a picture there is not even a header: nothing was drawn before the end. */
            if (st.st_size > 0)
                check_video(v, path, &video);
        } else if (S_ISREG(st.st_mode) && ends(name, VIDEO)) {
            check_recording(v, path);
        } else if (S_ISREG(st.st_mode) && ends(name, "_events.tsv")) {
            struct table events = {0};

            v->events++;
            read_lines(v, path, &events);
        }
        free(entries[i]);
    }
    free(entries);
}

int tf_cmd_verify(int argc, char **argv)
{
    struct verify v = {0};
    const struct tf_option options[] = {
        {"trim", TF_OPTION_FLAG, &v.trim, NULL, "take a last line without an end (of a crash) out of tables"},
        {0},
    };
    const struct tf_usage usage = {
        .command = "verify",
        .arguments = "FOLDER",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Checks recorded sessions: every frame decodes with its checksum, counts agree, clocks "
                   "increase, lines are whole.",
        .options = options,
        .notes = "FOLDER is a session's folder, a subject's, or the whole data set.",
    };
    const char *arguments[TF_ARGUMENTS_MAX];
    int status;

    if (!tf_options_parse(&usage, argc, argv, arguments, &status))
        return status;
    av_log_set_callback(on_complaint);
    check_folder(&v, arguments[0], 0);
    if (v.problems)
        return tf_command_error(&usage, "%s: %u problem%s", arguments[0], v.problems,
                                v.problems == 1 ? "" : "s");
    if (!v.recordings)
        return tf_command_error(&usage, "%s: no recording is in it", arguments[0]);
    printf("%u recording%s: all right\n", v.recordings, v.recordings == 1 ? "" : "s");
    return TF_EXIT_OK;
}
