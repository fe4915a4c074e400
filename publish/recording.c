/* A camera's recording: the encoding thread, rows, the annotated video, the description. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ring.h"
#include "publish/muxer_disk.h"
#include "publish/recording.h"
#include "publish/recording_disk.h"
#include "publish/recording_video.h"

#define PATH_BYTES 4096
#define ENCODE_NICE -5
#define ROWS_QUEUE (16u << 20) /* half a minute of a 60 Hz camera with one face */
#define VIDEO_QUEUE_MIN (32u << 20)
#define ANNOTATED_QUEUE (16u << 20)
#define ANNOTATED_MARGIN (256u << 10) /* what a container adds around a packet, generously */

struct tf_recording {
    struct tf_recording_options options; /* its strings are copies */
    char *strings[8];
    int string_count;
    char path[PATH_BYTES]; /* folder/stem */

    struct tf_disk *disk;
    struct tf_disk_file *video_file, *csv_file, *ndjson_file, *annotated_file;
    struct tf_raw_video *video;
    struct tf_ring *ring;
    pthread_t thread;
    bool thread_runs;
    atomic_bool failed, finished;
    pthread_mutex_t lock; /* error */
    struct tf_error error;
    int result;

    /* Capture's. */
    uint64_t t_first_ns;
    _Atomic uint64_t frames, refused;
    /* The encoding thread's. */
    _Atomic uint64_t written, stamps_back, bytes;
    uint64_t t_last_ns;
    /* The record thread's. */
    char *text;
    size_t text_size;
    _Atomic uint64_t rows, rows_lost;
    /* The picture thread's. */
    struct tf_muxer *muxer;
    bool annotated_ended, annotated_gap;
    uint64_t annotated_first_ns;
    _Atomic uint64_t annotated, annotated_lost;
};

static void fail_recording(struct tf_recording *r, int code, const struct tf_error *err)
{
    pthread_mutex_lock(&r->lock);
    if (!r->result) {
        r->result = code;
        r->error = *err;
    }
    pthread_mutex_unlock(&r->lock);
    atomic_store(&r->failed, true);
}

/* --- capture --- */

static bool fits(const struct tf_recording_options *o, const struct tf_frame *f)
{
    return f->width == o->width && f->height == o->height && f->pixel == o->pixel;
}

int tf_recording_frame(struct tf_recording *r, struct tf_frame *frame, uint64_t *video_frame)
{
    uint64_t n = atomic_load_explicit(&r->frames, memory_order_relaxed);
    int result = -EINVAL;

    if (atomic_load(&r->failed))
        return -EPIPE;
    if (fits(&r->options, frame)) {
        if (n == 0)
            r->t_first_ns = frame->t_mono_ns;
        tf_frame_ref(frame);
        result = tf_ring_push(r->ring, frame);
        if (result < 0)
            tf_frame_unref(frame);
    }
    if (result < 0) {
        atomic_fetch_add(&r->refused, 1);
        return result;
    }
    *video_frame = n;
    atomic_store(&r->frames, n + 1);
    return 0;
}

/* --- the encoding thread --- */

static void check_disk(struct tf_recording *r)
{
    struct tf_error err;
    int code;

    if (atomic_load(&r->failed))
        return;
    code = tf_disk_error(r->disk, &err);
    if (code < 0)
        fail_recording(r, code, &err);
}

static void *encode_main(void *arg)
{
    struct tf_recording *r = arg;
    struct tf_error err = {0};
    bool broken = false; /* nothing more can be encoded */
    id_t self = (id_t)syscall(SYS_gettid);
    int code;

    pthread_setname_np(pthread_self(), "tf-record");
    /* What is late here is lost, unlike a picture or an analysis; without the right to it, it stays as it is.
     */
    setpriority(PRIO_PROCESS, self, ENCODE_NICE);

    for (;;) {
        struct tf_frame *frame;
        bool back = false;
        uint64_t t_ns;
        void *v;

        code = tf_ring_pop(r->ring, 200, &v);
        check_disk(r);
        /* What was accepted is written also after a failure: the rows say that it is there. */
        if (code == -EAGAIN && !atomic_load(&r->failed))
            continue;
        if (code < 0)
            break;
        frame = v;
        if (!broken) {
            t_ns = frame->t_mono_ns > r->t_first_ns ? frame->t_mono_ns - r->t_first_ns : 0;
            code = tf_raw_video_write(r->video, frame, t_ns, &back, &err);
            if (code < 0) {
                fail_recording(r, code, &err);
                broken = true;
            } else {
                r->t_last_ns = frame->t_mono_ns;
                atomic_fetch_add(&r->written, 1);
                atomic_store(&r->bytes, (uint64_t)tf_disk_size(r->video_file));
            }
            if (back)
                atomic_fetch_add(&r->stamps_back, 1);
        }
        tf_frame_unref(frame);
    }
    code = tf_raw_video_finish(r->video, &err);
    if (code < 0)
        fail_recording(r, code, &err);
    atomic_store(&r->bytes, (uint64_t)tf_disk_size(r->video_file));
    atomic_store(&r->finished, true);
    return NULL;
}

static void frame_left(void *context, void *frame)
{
    tf_frame_unref(frame);
}

/* --- rows --- */

static void put_row(struct tf_recording *r, struct tf_disk_file *file, size_t size)
{
    if (tf_disk_write(file, r->text, size, false) < 0)
        atomic_fetch_add(&r->rows_lost, 1);
}

void tf_recording_row(struct tf_recording *r, const struct tf_record *record, int64_t video_frame)
{
    int n = tf_record_csv(record, TF_CSV_THERMOFACE, r->text, r->text_size - 64);

    if (n > 0) {
        /* The cell is empty where there is no frame. */
        r->text[n - 1] = ',';
        if (video_frame >= 0)
            n += sprintf(r->text + n, "%lld", (long long)video_frame);
        r->text[n++] = '\n';
        put_row(r, r->csv_file, (size_t)n);
    }
    n = tf_record_ndjson(record, r->text, r->text_size - 64);
    if (n > 1) {
        n -= 2; /* "}\n" */
        if (video_frame >= 0)
            n += sprintf(r->text + n, ",\"video_frame\":%lld}\n", (long long)video_frame);
        else
            n += sprintf(r->text + n, ",\"video_frame\":null}\n");
        put_row(r, r->ndjson_file, (size_t)n);
    }
    atomic_fetch_add(&r->rows, 1);
}

/* --- the annotated video --- */

void tf_recording_packets_end(struct tf_recording *r)
{
    struct tf_error err = {0};
    int code;

    if (!r->muxer)
        return;
    code = tf_muxer_close(r->muxer, &err);
    if (code < 0)
        fail_recording(r, code, &err);
    r->muxer = NULL;
    r->annotated_ended = true;
}

void tf_recording_packet(struct tf_recording *r, const struct tf_encoder *encoder,
                         const struct tf_packet *packet)
{
    struct tf_error err = {0};
    int code = 0;

    if (!r->options.annotated || r->annotated_ended || atomic_load(&r->failed))
        return;
    if (!r->muxer) {
        if (!packet->key)
            return;
        code = tf_muxer_create_on(r->annotated_file, "annotated.mkv", encoder, &r->muxer, &err);
        if (code == 0)
            r->annotated_first_ns = packet->t_mono_ns;
    }
    /* The picture thread serves viewers: it does not wait for a disk. What follows a lost picture cannot be
     * decoded until the next key picture. */
    if (code == 0 && tf_disk_room(r->annotated_file) < packet->size + ANNOTATED_MARGIN)
        r->annotated_gap = true;
    else if (packet->key)
        r->annotated_gap = false;
    if (code == 0 && r->annotated_gap) {
        atomic_fetch_add(&r->annotated_lost, 1);
        return;
    }
    if (code == 0)
        code = tf_muxer_write(r->muxer, packet, &err);
    if (code < 0) {
        fail_recording(r, code, &err);
        return;
    }
    atomic_fetch_add(&r->annotated, 1);
}

/* --- the description --- */

static void set_number(json_t *o, const char *key, double value)
{
    if (isfinite(value))
        json_object_set_new(o, key, json_real(value));
}

static void set_text(json_t *o, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(o, key, json_string(value));
}

/* A float as people wrote it: 0.01, not 0.00999999977. */
static double decimal(float value)
{
    char text[32];

    snprintf(text, sizeof(text), "%.7g", (double)value);
    return strtod(text, NULL);
}

static json_t *description(struct tf_recording *r, bool final)
{
    static const char *const pixels[] = {"gray16le", "gray8", "yuv422p", "yuv422p", "yuv420p", "yuv420p"};
    const struct tf_recording_options *o = &r->options;
    uint64_t frames = atomic_load(&r->written);
    json_t *d = json_object(), *thermal = json_object();
    double seconds = frames > 1 ? (double)(r->t_last_ns - r->t_first_ns) / 1e9 : 0;
    char utc[TF_UTC_TEXT];

    set_text(d, "Camera", o->camera);
    set_text(d, "Device", o->source_name);
    set_text(d, "DeviceIdentity", o->source_identity);
    set_text(d, "SourceKind", o->source_kind);
    set_text(d, "FormatRow", o->format);
    set_text(d, "VideoCodec", tf_raw_video_codec(r->video));
    set_text(d, "PixelFormat", pixels[o->pixel]);
    json_object_set_new(d, "ImageWidth", json_integer(o->width));
    json_object_set_new(d, "ImageHeight", json_integer(o->height));
    json_object_set_new(d, "RotateClockwise", json_integer(o->rotate));
    if (o->fps > 0)
        set_number(d, "NominalFrameRate", decimal(o->fps));
    json_object_set_new(d, "Unit", json_string(o->radiometry.valid ? "celsius" : "counts"));
    if (o->radiometry.valid) {
        set_number(d, "CelsiusScale", decimal(o->radiometry.scale));
        set_number(d, "CelsiusOffset", decimal(o->radiometry.offset));
    }
    set_number(thermal, "Emissivity", o->emissivity);
    set_number(thermal, "DistanceToObject", o->distance_m);
    set_number(thermal, "ReflectedAmbientTemperature", o->reflected_c);
    set_number(thermal, "AtmosphericTemperature", o->room_c);
    set_number(thermal, "RelativeHumidity", o->humidity_percent);
    if (json_object_size(thermal)) {
        set_text(thermal, "Units",
                 "DistanceToObject m, temperatures degrees Celsius, RelativeHumidity percent");
        json_object_set_new(d, "ThermalParameters", thermal);
    } else {
        json_decref(thermal);
    }
    set_text(d, "Note", o->note);
    tf_utc_format(o->t_start_utc_ns, utc);
    set_text(d, "SessionStart", utc);
    json_object_set_new(d, "SessionStartMonotonicNs", json_integer((json_int_t)o->t_start_ns));
    set_text(d, "Clock",
             "t_mono_ns: CLOCK_MONOTONIC of the recording computer, nanoseconds; t_utc: its CLOCK_REALTIME; "
             "the video's time stamps: milliseconds since its first frame");
    json_object_set_new(d, "Complete", json_boolean(final));
    if (!final)
        return d;
    if (frames)
        set_number(d, "StartTime", (double)(int64_t)(r->t_first_ns - o->t_start_ns) / 1e9);
    set_number(d, "RecordingDuration", seconds);
    if (seconds > 0)
        set_number(d, "VideoFrameRate", (double)(frames - 1) / seconds);
    json_object_set_new(d, "VideoFrameCount", json_integer((json_int_t)frames));
    json_object_set_new(d, "RefusedFrameCount", json_integer((json_int_t)atomic_load(&r->refused)));
    json_object_set_new(d, "RowCount", json_integer((json_int_t)atomic_load(&r->rows)));
    json_object_set_new(d, "LostRowCount", json_integer((json_int_t)atomic_load(&r->rows_lost)));
    json_object_set_new(d, "EqualOrBackwardStampCount",
                        json_integer((json_int_t)atomic_load(&r->stamps_back)));
    if (o->annotated) {
        json_object_set_new(d, "AnnotatedPictureCount", json_integer((json_int_t)atomic_load(&r->annotated)));
        json_object_set_new(d, "AnnotatedPicturesLost",
                            json_integer((json_int_t)atomic_load(&r->annotated_lost)));
        if (r->annotated_first_ns)
            set_number(d, "AnnotatedStartTime",
                       (double)(int64_t)(r->annotated_first_ns - o->t_start_ns) / 1e9);
    }
    if (r->result)
        set_text(d, "Error", r->error.text);
    return d;
}

/* Beside the old one and then in its place, so that there is always one that is whole. */
static int write_description(struct tf_recording *r, bool final, struct tf_error *err)
{
    char path[PATH_BYTES + 16], fresh[PATH_BYTES + 32];
    json_t *d = description(r, final);
    FILE *file = NULL;
    int result = 0;

    snprintf(path, sizeof(path), "%s_video.json", r->path);
    snprintf(fresh, sizeof(fresh), "%s_video.json.part", r->path);
    errno = ENOMEM;
    if (!d || (!final && access(path, F_OK) == 0)) {
        result = d ? -EEXIST : -ENOMEM;
    } else {
        file = fopen(fresh, "wxe");
        if (!file || json_dumpf(d, file, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) < 0 ||
            fputc('\n', file) == EOF || fflush(file) == EOF || fsync(fileno(file)) < 0)
            result = errno ? -errno : -EIO;
    }
    if (file && fclose(file) == EOF && result == 0)
        result = -errno;
    if (result == 0 && rename(fresh, path) < 0)
        result = -errno;
    if (result < 0 && file)
        unlink(fresh);
    json_decref(d);
    if (result < 0)
        tf_fail(err, result, "%s: cannot be written: %s", path, strerror(-result));
    return result;
}

/* --- create, status, close --- */

static int keep_options(struct tf_recording *r, const struct tf_recording_options *options)
{
    const char **strings[] = {&r->options.camera,          &r->options.folder,      &r->options.stem,
                              &r->options.format,          &r->options.source_kind, &r->options.source_name,
                              &r->options.source_identity, &r->options.note};

    r->options = *options;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        char *copy;

        if (!*strings[i])
            continue;
        copy = strdup(*strings[i]);
        if (!copy)
            return -ENOMEM;
        r->strings[r->string_count++] = copy;
        *strings[i] = copy;
    }
    return 0;
}

static int open_file(struct tf_recording *r, const char *ending, size_t queue, bool lines,
                     struct tf_disk_file **ret, struct tf_error *err)
{
    char path[PATH_BYTES + 32];

    snprintf(path, sizeof(path), "%s_%s", r->path, ending);
    return tf_disk_open(r->disk, path, queue, lines, ret, err);
}

static int open_files(struct tf_recording *r, struct tf_error *err)
{
    /* A video's queue takes several frames even of the largest camera that do not compress at all. */
    size_t picture = (size_t)r->options.width * r->options.height * 2;
    size_t queue = 4 * picture > VIDEO_QUEUE_MIN ? 4 * picture : VIDEO_QUEUE_MIN;
    int n, code;

    code = open_file(r, "video.mkv", queue, false, &r->video_file, err);
    if (code == 0)
        code = open_file(r, "frames.csv", ROWS_QUEUE, true, &r->csv_file, err);
    if (code == 0)
        code = open_file(r, "frames.ndjson", ROWS_QUEUE, true, &r->ndjson_file, err);
    if (code == 0 && r->options.annotated)
        code = open_file(r, "desc-annotated_video.mkv", ANNOTATED_QUEUE, false, &r->annotated_file, err);
    if (code < 0)
        return code;
    n = tf_record_csv_header(TF_CSV_THERMOFACE, r->text, r->text_size - 64);
    if (n < 0)
        return tf_fail(err, n, "%s: a header that is too long", r->path);
    n--;
    n += sprintf(r->text + n, ",video_frame\n");
    return tf_disk_write(r->csv_file, r->text, (size_t)n, true);
}

static void destroy(struct tf_recording *r)
{
    tf_raw_video_destroy(r->video);
    tf_ring_destroy(r->ring);
    for (int i = 0; i < r->string_count; i++)
        free(r->strings[i]);
    pthread_mutex_destroy(&r->lock);
    free(r->text);
    free(r);
}

int tf_recording_create(const struct tf_recording_options *options, struct tf_recording **ret,
                        struct tf_error *err)
{
    struct tf_recording *r = calloc(1, sizeof(*r));
    sigset_t all, before;
    int code;

    if (!r)
        return tf_fail(err, -ENOMEM, "camera %s: no memory for a recording", options->camera);
    pthread_mutex_init(&r->lock, NULL);
    r->text_size = tf_record_bytes_max() + 64;
    r->text = malloc(r->text_size);
    if (!r->text || keep_options(r, options) < 0 ||
        tf_ring_create(TF_RING_REFUSE, options->waiting_max, frame_left, r, &r->ring) < 0) {
        code = tf_fail(err, -ENOMEM, "camera %s: no memory for a recording", options->camera);
        goto fail;
    }
    if ((size_t)snprintf(r->path, sizeof(r->path), "%s/%s", options->folder, options->stem) >=
        sizeof(r->path)) {
        code = tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", options->folder);
        goto fail;
    }
    if (!options->width || !options->height ||
        ((options->pixel != TF_PIXEL_U16 && options->pixel != TF_PIXEL_U8) && options->width % 2)) {
        code = tf_fail(err, -EINVAL, "camera %s: %ux%u pixels cannot be recorded", options->camera,
                       options->width, options->height);
        goto fail;
    }
    code = tf_disk_create(options->folder, options->free_min, &r->disk, err);
    if (code == 0)
        code = open_files(r, err);
    if (code == 0)
        code = tf_raw_video_create(&r->options, r->video_file, &r->video, err);
    if (code == 0)
        code = write_description(r, false, err);
    if (code < 0)
        goto fail;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = -pthread_create(&r->thread, NULL, encode_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code < 0) {
        tf_fail(err, code, "camera %s: no thread for the recording: %s", options->camera, strerror(-code));
        goto fail;
    }
    r->thread_runs = true;
    *ret = r;
    return 0;

fail:
    tf_disk_close(r->disk, NULL);
    destroy(r);
    return code;
}

void tf_recording_status(struct tf_recording *r, struct tf_recording_status *ret)
{
    *ret = (struct tf_recording_status){
        .failed = atomic_load(&r->failed),
        .frames = atomic_load(&r->frames),
        .refused = atomic_load(&r->refused),
        .rows = atomic_load(&r->rows),
        .rows_lost = atomic_load(&r->rows_lost),
        .bytes = atomic_load(&r->bytes),
        .annotated = atomic_load(&r->annotated),
        .annotated_lost = atomic_load(&r->annotated_lost),
        .stamps_back = atomic_load(&r->stamps_back),
    };
    snprintf(ret->camera, sizeof(ret->camera), "%s", r->options.camera);
    snprintf(ret->codec, sizeof(ret->codec), "%s", tf_raw_video_codec(r->video));
    pthread_mutex_lock(&r->lock);
    ret->error = r->error;
    pthread_mutex_unlock(&r->lock);
}

int tf_recording_close(struct tf_recording *r, struct tf_recording_status *ret, struct tf_error *err)
{
    struct tf_error e = {0};
    int code;

    tf_ring_close(r->ring);
    pthread_join(r->thread, NULL);
    tf_recording_packets_end(r);
    code = tf_disk_close(r->disk, &e);
    if (code < 0)
        fail_recording(r, code, &e);
    code = write_description(r, true, &e);
    if (code < 0)
        fail_recording(r, code, &e);
    if (ret)
        tf_recording_status(r, ret);
    code = r->result;
    if (code < 0 && err)
        *err = r->error;
    destroy(r);
    return code;
}
