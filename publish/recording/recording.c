/* A camera's recording: the encoding thread, rows, the annotated video, the description. */
#include <errno.h>
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
#include "base/count.h"
#include "base/ring.h"
#include "publish/video/muxer_disk.h"
#include "publish/recording/recording.h"
#include "publish/disk/disk.h"
#include "publish/recording/text.h"
#include "publish/recording/video.h"
#include "publish/recording/tables_disk.h"

#define PATH_BYTES 4096
#define ENCODE_NICE -5
#define SEGMENTS_MAX 9999 /* four digits in a name */
#define VIDEO_QUEUE_MIN (32u << 20)
#define ANNOTATED_QUEUE (16u << 20)
#define MARKS 1024                    /* of the newest clusters: more than the queue can hold */
#define ANNOTATED_MARGIN (256u << 10) /* what a container adds around a packet, generously */

struct tf_recording {
    struct tf_recording_options options; /* its strings and own regions are copies */
    struct tf_own_regions own;
    char *strings[9];
    int string_count;
    char path[PATH_BYTES]; /* folder/stem */

    struct tf_disk *disk;
    struct tf_disk_file *video_file, *annotated_file;
    struct tf_raw_video *video; /* the encoding thread's */
    char codec[16];
    struct tf_ring *ring;
    pthread_t thread;
    bool thread_runs;
    atomic_bool failed, damaged;
    pthread_mutex_t lock; /* error */
    struct tf_error error;
    int result;

    /* Capture's. */
    uint64_t t_first_ns;
    _Atomic uint64_t frames, refused;
    /* The encoding thread's. */
    _Atomic uint64_t written, stamps_back, bytes;
    uint64_t bytes_before; /* of whole segments */
    uint64_t t_last_ns;
    struct tf_recording_segment *segments;
    size_t segment_count;
    struct mark { /* where in the file so many frames of the segment end */
        int64_t position;
        uint64_t frames;
        size_t segment;
    } marks[MARKS];
    size_t mark_count;
    /* The record thread's. */
    struct tf_tables *tables;
    uint32_t first_face_id;
    _Atomic uint64_t rows, rows_lost, lost_driver, lost_capture, not_analysed;
    struct tf_dropped before; /* of the first row */
    /* The picture thread's. */
    struct tf_muxer *muxer;
    bool annotated_ended, annotated_gap;
    enum tf_picture_place annotated_ended_by; /* where pictures after its end are lost */
    uint64_t annotated_first_ns;
    _Atomic uint64_t annotated, cards, pictures_left_out;
    _Atomic uint64_t pictures_lost[TF_PICTURE_PLACES];
};

static void keep_error(struct tf_recording *r, int code, const struct tf_error *err)
{
    pthread_mutex_lock(&r->lock);
    if (!r->result) {
        r->result = code;
        r->error = *err;
    }
    pthread_mutex_unlock(&r->lock);
}

static void fail_recording(struct tf_recording *r, int code, const struct tf_error *err)
{
    keep_error(r, code, err);
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
    if (atomic_load(&r->damaged))
        return;
    code = tf_disk_damage(r->disk, &err);
    if (code < 0) {
        keep_error(r, code, &err);
        atomic_store(&r->damaged, true);
    }
}

/* Bytes have been given to the disk: all frames before the newest are among them. */
static void mark_position(struct tf_recording *r, uint64_t frames)
{
    int64_t position = tf_disk_size(r->video_file);
    const struct mark *last = r->mark_count ? &r->marks[(r->mark_count - 1) % MARKS] : NULL;

    if (last && last->position == position && last->segment == r->segment_count)
        return;
    r->marks[r->mark_count++ % MARKS] =
        (struct mark){.position = position, .frames = frames, .segment = r->segment_count};
}

static bool is_segmented(const struct tf_recording *r)
{
    return r->options.segment_ns || r->options.segment_bytes;
}

/* A raw video at the beginning of its file. */
static int begin_segment(struct tf_recording *r, uint64_t t_first_ns, struct tf_error *err)
{
    uint64_t first = atomic_load(&r->written);
    struct tf_recording_segment *more;
    int code;

    more = realloc(r->segments, (r->segment_count + 1) * sizeof(*more));
    if (!more)
        return tf_fail(err, -ENOMEM, "camera %s: no memory for a segment", r->options.camera);
    r->segments = more;
    code = tf_raw_video_create(&r->options, r->video_file, first, &r->video, err);
    if (code == 0)
        more[r->segment_count++] =
            (struct tf_recording_segment){.first_frame = first, .t_first_ns = t_first_ns};
    return code;
}

/* Goes on in a new file when this one is long or large enough. *back: time has not gone on between the two.
 */
static int cut(struct tf_recording *r, const struct tf_frame *frame, bool *back, struct tf_error *err)
{
    const struct tf_recording_segment *s = &r->segments[r->segment_count - 1];
    const struct tf_recording_options *o = &r->options;
    char path[PATH_BYTES + 48];
    int code;

    if (!s->frames || r->segment_count == SEGMENTS_MAX ||
        !((o->segment_ns && frame->t_mono_ns > s->t_first_ns &&
           frame->t_mono_ns - s->t_first_ns >= o->segment_ns) ||
          (o->segment_bytes && (uint64_t)tf_disk_size(r->video_file) >= o->segment_bytes)))
        return 0;
    code = tf_raw_video_finish(r->video, err);
    if (code < 0)
        return code;
    r->bytes_before += (uint64_t)tf_disk_size(r->video_file);
    tf_raw_video_destroy(r->video);
    r->video = NULL;
    snprintf(path, sizeof(path), "%s_split-%04zu_video.mkv", r->path, r->segment_count + 1);
    code = tf_disk_next(r->video_file, path);
    if (code < 0)
        return tf_fail(err, code, "%s: cannot be begun: %s", path, strerror(-code));
    *back = frame->t_mono_ns <= r->t_last_ns;
    return begin_segment(r, frame->t_mono_ns, err);
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
        struct tf_recording_segment *segment;
        struct tf_frame *frame;
        bool back = false, video_back = false;
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
            code = cut(r, frame, &back, &err);
            segment = &r->segments[r->segment_count - 1];
            if (segment->frames == 0)
                segment->t_first_ns = frame->t_mono_ns;
            t_ns = frame->t_mono_ns > segment->t_first_ns ? frame->t_mono_ns - segment->t_first_ns : 0;
            if (code == 0)
                code = tf_raw_video_write(r->video, frame, t_ns, &video_back, &err);
            if (code < 0) {
                fail_recording(r, code, &err);
                broken = true;
            } else {
                r->t_last_ns = frame->t_mono_ns;
                mark_position(r, segment->frames++);
                atomic_fetch_add(&r->written, 1);
                atomic_store(&r->bytes, r->bytes_before + (uint64_t)tf_disk_size(r->video_file));
            }
            if (back || video_back)
                atomic_fetch_add(&r->stamps_back, 1);
        }
        tf_frame_unref(frame);
    }
    code = r->video ? tf_raw_video_finish(r->video, &err) : 0;
    if (code < 0)
        fail_recording(r, code, &err);
    atomic_store(&r->bytes, r->bytes_before + (uint64_t)tf_disk_size(r->video_file));
    return NULL;
}

static void frame_left(void *context, void *frame)
{
    tf_frame_unref(frame);
}

/* --- rows --- */

void tf_recording_row(struct tf_recording *r, const struct tf_record *record)
{
    int lost = tf_tables_row(r->tables, record, false);

    if (lost)
        atomic_fetch_add(&r->rows_lost, (unsigned)lost);
    /* What was lost before a frame could reach the recording is lost to it all the same. */
    if (atomic_load(&r->rows) == 0)
        r->before = record->dropped;
    atomic_store(&r->lost_driver, record->dropped.driver - r->before.driver);
    atomic_store(&r->lost_capture, record->dropped.capture - r->before.capture);
    if (record->state == TF_STATE_SKIPPED)
        atomic_fetch_add(&r->not_analysed, 1);
    atomic_fetch_add(&r->rows, 1);
}

void tf_recording_first_face(struct tf_recording *r, uint32_t id)
{
    r->first_face_id = id;
}

/* --- the annotated video --- */

void tf_recording_packets_end(struct tf_recording *r, enum tf_picture_place place)
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
    r->annotated_ended_by = place;
}

void tf_recording_packet(struct tf_recording *r, const struct tf_encoder *encoder,
                         const struct tf_packet *packet, bool card)
{
    struct tf_error err = {0};
    int code = 0;

    if (!r->options.annotated || atomic_load(&r->failed))
        return;
    if (r->annotated_ended) {
        if (!card)
            tf_recording_picture_lost(r, r->annotated_ended_by);
        return;
    }
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
        if (!card)
            tf_recording_picture_lost(r, TF_PICTURE_DISK);
        return;
    }
    if (code == 0)
        code = tf_muxer_write(r->muxer, packet, &err);
    if (code < 0) {
        fail_recording(r, code, &err);
        return;
    }
    atomic_fetch_add(&r->annotated, 1);
    if (card)
        atomic_fetch_add(&r->cards, 1);
}

void tf_recording_picture_lost(struct tf_recording *r, enum tf_picture_place place)
{
    if (r->options.annotated)
        atomic_fetch_add(&r->pictures_lost[place], 1);
}

void tf_recording_picture_left_out(struct tf_recording *r)
{
    if (r->options.annotated)
        atomic_fetch_add(&r->pictures_left_out, 1);
}

/* At the end: every frame has its picture or a place where that was lost. */
static void count_missing_pictures(struct tf_recording *r)
{
    uint64_t known = atomic_load(&r->annotated) - atomic_load(&r->cards) + atomic_load(&r->pictures_left_out);
    uint64_t frames = atomic_load(&r->frames) + atomic_load(&r->refused);

    for (int i = 0; i < TF_PICTURE_PLACES; i++)
        known += atomic_load(&r->pictures_lost[i]);
    if (r->options.annotated && known < frames)
        atomic_fetch_add(&r->pictures_lost[TF_PICTURE_OTHER], frames - known);
}

/* --- the description --- */

static int write_description(struct tf_recording *r, bool final, struct tf_error *err)
{
    struct tf_recording_facts facts = {
        .frames = atomic_load(&r->written),
        .refused = atomic_load(&r->refused),
        .rows = atomic_load(&r->rows),
        .rows_lost = atomic_load(&r->rows_lost),
        .lost_driver = atomic_load(&r->lost_driver),
        .lost_capture = atomic_load(&r->lost_capture),
        .not_analysed = atomic_load(&r->not_analysed),
        .stamps_back = atomic_load(&r->stamps_back),
        .accepted = atomic_load(&r->frames),
        .annotated = atomic_load(&r->annotated),
        .pictures_left_out = atomic_load(&r->pictures_left_out),
        .t_first_ns = r->t_first_ns,
        .t_last_ns = r->t_last_ns,
        .annotated_first_ns = r->annotated_first_ns,
        .first_face_id = r->first_face_id,
        .segments = r->segments,
        .segment_count = r->segment_count,
        .error = r->result ? r->error.text : NULL,
    };

    for (int i = 0; i < TF_PICTURE_PLACES; i++)
        facts.pictures_lost[i] = atomic_load(&r->pictures_lost[i]);
    return tf_recording_describe(&r->options, r->codec, final ? &facts : NULL, r->path, r->disk, err);
}

/* --- create, status, close --- */

static int keep_options(struct tf_recording *r, const struct tf_recording_options *options)
{
    const char **strings[] = {
        &r->options.camera,          &r->options.folder,      &r->options.stem,
        &r->options.format,          &r->options.source_kind, &r->options.source_name,
        &r->options.source_identity, &r->options.note,        &r->options.manifest_name};

    r->options = *options;
    if (options->own)
        r->own = *options->own;
    r->options.own = &r->own;
    for (size_t i = 0; i < TF_COUNT(strings); i++) {
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

static int open_file(struct tf_recording *r, const char *ending, size_t queue, struct tf_disk_file **ret,
                     struct tf_error *err)
{
    char path[PATH_BYTES + 32];

    snprintf(path, sizeof(path), "%s_%s", r->path, ending);
    /* A container's head is written again at its end. */
    return tf_disk_open(r->disk, path, queue, false, false, ret, err);
}

static int open_files(struct tf_recording *r, struct tf_error *err)
{
    /* A video's queue takes several frames even of the largest camera that do not compress at all. */
    size_t picture = (size_t)r->options.width * r->options.height * 2;
    size_t queue = 4 * picture > VIDEO_QUEUE_MIN ? 4 * picture : VIDEO_QUEUE_MIN;
    struct tf_own_names own;
    struct tf_tables_options tables = {
        .own = &own,
        .camera = r->options.camera,
        .folder = r->options.folder,
        .stem = r->options.stem,
        .derived = r->options.tables,
        .physio_rate = r->options.physio_rate,
        .fps = r->options.fps,
        .celsius = r->options.radiometry.valid,
        .t_start_ns = r->options.t_start_ns,
    };
    int code;

    tf_own_names_of(&r->own, &own);
    code = open_file(r, is_segmented(r) ? "split-0001_video.mkv" : "video.mkv", queue, &r->video_file, err);
    if (code == 0)
        code = tf_tables_create(&tables, r->disk, &r->tables, err);
    if (code == 0 && r->options.annotated)
        code = open_file(r, "desc-annotated_video.mkv", ANNOTATED_QUEUE, &r->annotated_file, err);
    return code;
}

static void destroy(struct tf_recording *r)
{
    tf_raw_video_destroy(r->video);
    tf_ring_destroy(r->ring);
    for (int i = 0; i < r->string_count; i++)
        free(r->strings[i]);
    pthread_mutex_destroy(&r->lock);
    tf_tables_destroy(r->tables);
    free(r->segments);
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
    if (keep_options(r, options) < 0 ||
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
    code = tf_disk_create(&(struct tf_disk_options){.folder = options->folder,
                                                    .folder_fd = options->folder_fd,
                                                    .free_min = options->free_min,
                                                    .sync = true,
                                                    .manifest = options->manifest},
                          &r->disk, err);
    if (code == 0)
        code = open_files(r, err);
    if (code == 0)
        code = begin_segment(r, options->t_start_ns, err);
    if (code == 0) {
        snprintf(r->codec, sizeof(r->codec), "%s", tf_raw_video_codec(r->video));
        code = write_description(r, false, err);
    }
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
    struct tf_disk_state disk = tf_disk_state(r->disk);

    *ret = (struct tf_recording_status){
        .failed = atomic_load(&r->failed) || atomic_load(&r->damaged),
        .ended = atomic_load(&r->failed),
        .has_annotated = r->options.annotated,
        .free_bytes = disk.free_bytes,
        .stalled_ns = disk.stalled_ns,
        .frames = atomic_load(&r->frames),
        .refused = atomic_load(&r->refused),
        .rows = atomic_load(&r->rows),
        .rows_lost = atomic_load(&r->rows_lost),
        .lost_driver = atomic_load(&r->lost_driver),
        .lost_capture = atomic_load(&r->lost_capture),
        .not_analysed = atomic_load(&r->not_analysed),
        .bytes = atomic_load(&r->bytes),
        .annotated = atomic_load(&r->annotated),
        .pictures_left_out = atomic_load(&r->pictures_left_out),
        .stamps_back = atomic_load(&r->stamps_back),
    };
    for (int i = 0; i < TF_PICTURE_PLACES; i++)
        ret->pictures_lost[i] = atomic_load(&r->pictures_lost[i]);
    snprintf(ret->camera, sizeof(ret->camera), "%s", r->options.camera);
    snprintf(ret->codec, sizeof(ret->codec), "%s", r->codec);
    pthread_mutex_lock(&r->lock);
    ret->error = r->error;
    pthread_mutex_unlock(&r->lock);
}

/* A disk that has failed has not taken all that it was given: what is there is counted anew. */
static void count_what_is_there(struct tf_recording *r)
{
    size_t files = tf_disk_written(r->video_file).files;
    struct tf_recording_segment *last;
    uint64_t frames = 0, from = 0, before = 0, total = 0;
    off_t size;
    int fd;

    /* Segments that were never begun have no file; those before the last one were whole when it was begun. */
    if (r->segment_count > files)
        r->segment_count = files;
    last = &r->segments[r->segment_count - 1];
    fd = tf_disk_read(r->video_file);
    size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    for (size_t i = 0; i < r->mark_count && i < MARKS; i++) {
        const struct mark *m = &r->marks[(r->mark_count - 1 - i) % MARKS];

        if (m->segment != r->segment_count || m->position > size)
            continue;
        from = (uint64_t)m->position;
        before = m->frames;
        break;
    }
    if (fd >= 0 && tf_raw_video_count(fd, from, &frames) == 0)
        last->frames = before + frames;
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < r->segment_count; i++)
        total += r->segments[i].frames;
    atomic_store(&r->written, total);
    atomic_store(&r->rows, tf_tables_written(r->tables));
}

int tf_recording_close(struct tf_recording *r, struct tf_recording_status *ret, struct tf_error *err)
{
    struct tf_error e = {0};
    int code;

    tf_ring_close(r->ring);
    pthread_join(r->thread, NULL);
    tf_recording_packets_end(r, TF_PICTURE_OTHER);
    tf_tables_end(r->tables, true);
    code = tf_disk_finish(r->disk, &e);
    if (code < 0)
        fail_recording(r, code, &e);
    count_missing_pictures(r);
    if (tf_disk_error(r->disk, NULL) < 0)
        count_what_is_there(r);
    code = write_description(r, true, &e);
    if (code < 0)
        fail_recording(r, code, &e);
    if (ret) {
        tf_recording_status(r, ret);
        ret->frames = atomic_load(&r->written);
    }
    code = r->result;
    if (code < 0 && err)
        *err = r->error;
    tf_disk_close(r->disk, NULL);
    destroy(r);
    return code;
}
