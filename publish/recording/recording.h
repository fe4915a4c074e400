/*
 * The loss-free recording of one camera: every frame as captured, and a row for each.
 *
 *   capture thread ─► refusing ring ─► encoding thread ─► queue ─► disk thread ─► STEM_video.mkv
 *   record thread  ─► rows ───────────────────────────── queue ─►            ─► STEM_frames.csv and others
 *   picture thread ─► H.264 packets ──────────────────── queue ─►            ─► STEM_desc-annotated_video.mkv
 *
 * Frame n of the video is the row whose column video_frame says n; the cell is empty where the encoder could
 * not take a frame (refused), which is counted and an error. Thermal frames are stored bit for bit; the
 * video's stamps are the capture stamps, to the millisecond (Matroska), the table's to the nanosecond. A
 * crash leaves files that read up to at most a second before it. Nothing that exists is replaced.
 */
#ifndef TF_PUBLISH_RECORDING_RECORDING_H
#define TF_PUBLISH_RECORDING_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/frame.h"
#include "publish/video/encoder.h"
#include "publish/record/record.h"

#define TF_RECORDING_MODELS_MAX 3

enum tf_recording_codec {
    TF_RECORDING_AUTO, /* FFV1 up to 5 million pixels a second (about a quarter of a core), FFVHUFF above */
    TF_RECORDING_FFV1, /* level 3, 4 slices with checksums */
    TF_RECORDING_FFVHUFF,
};

/* Where a picture of the annotated video can be lost. */
enum tf_picture_place {
    TF_PICTURE_NOT_ANALYSED, /* inference had no time for the frame: its row says skipped */
    TF_PICTURE_QUEUE,        /* the picture thread was busy: too little processor */
    TF_PICTURE_ENCODER,      /* it could not be drawn or encoded, or came after the encoder had failed */
    TF_PICTURE_SIZE,         /* the camera came back with another size, which the file cannot hold */
    TF_PICTURE_DISK,  /* the disk was too slow, or what follows such a loss up to the next key picture */
    TF_PICTURE_OTHER, /* missing all the same: before the first key picture, at the end */
    TF_PICTURE_PLACES,
};
/* "not_analysed" …, and as in the description, "NotAnalysed" … */
const char *tf_picture_place_name(enum tf_picture_place place);
const char *tf_picture_place_label(enum tf_picture_place place);

struct tf_manifest;

struct tf_recording_options {
    const char *camera;
    const char *folder;           /* exists */
    int folder_fd;                /* it, open, so that no link is followed; 0: opened by its name */
    struct tf_manifest *manifest; /* hears of all files; outlives the recording; or NULL */
    const char *manifest_name;    /* the description names it; or NULL */
    const char *stem;             /* of the file names, without the ending "_video.mkv" */
    enum tf_recording_codec codec;
    bool visible_h264;    /* cameras of visible light (YUV): H.264 of high quality instead of loss-free */
    bool annotated;       /* packets will come, see tf_recording_packet */
    unsigned waiting_max; /* frames that may wait for the encoder, held by reference */
    uint64_t free_min;    /* bytes */
    /* The raw video goes on in a new file, STEM_split-0002_video.mkv, after so long or so much; 0 = no limit.
     */
    uint64_t segment_ns, segment_bytes;
    bool tables;         /* also signals, motion and physio: see publish/recording/tables.h */
    float physio_rate;   /* Hz; 0 = 5 */
    uint64_t t_start_ns; /* the session's start (CLOCK_MONOTONIC); "StartTime" counts from it */
    int64_t t_start_utc_ns;

    /* What is recorded; tf_pipeline_recording_start fills these from the camera. */
    uint16_t width, height, rotate; /* as captured */
    bool flip;
    const char *rotate_from; /* "configured", "faces", "undecided"; NULL: not known */
    enum tf_pixel pixel;
    bool full_range; /* as tf_frame's */
    float fps;       /* nominal, 0 = unknown */
    struct tf_radiometry radiometry;
    uint16_t limits[2]; /* smallest and largest value that is a measurement, counts; 0, 0 = not known */
    const char *format, *source_kind, *source_name, *source_identity; /* NULL: not known */

    /* How it is analysed, so that it can be done again. */
    struct tf_recording_analysis {
        bool analyse;
        struct tf_analyser_options options; /* without files and threads */
        uint16_t black_body[4];
        float black_body_c;
        struct tf_recording_model {
            char name[128], sha256[65]; /* of its file; hexadecimal */
        } models[TF_RECORDING_MODELS_MAX];
        int model_count;
    } analysis;

    const struct tf_own_regions *own; /* the laboratory's own regions; NULL: none */

    /* What people say of the measurement, in ONVIF's terms; NAN: not stated. */
    double emissivity, distance_m, reflected_c, room_c, humidity_percent;
    const char *note; /* or NULL */
};

struct tf_recording_status {
    char camera[64], codec[16];
    bool failed; /* it has ended by itself, or a file of it is gone: `error` says why */
    bool ended;  /* nothing is recorded any more */
    struct tf_error error;
    uint64_t frames;  /* in the video, or on their way there; once it is closed: there */
    uint64_t refused; /* frames that the encoder could not take in time */
    uint64_t rows, rows_lost;
    uint64_t lost_driver, lost_capture; /* frames between its first and last that never reached it */
    uint64_t not_analysed;              /* rows that say skipped */
    uint64_t bytes;                     /* of the video */
    bool has_annotated;                 /* there is an annotated video */
    uint64_t annotated;                 /* pictures in it */
    uint64_t pictures_lost[TF_PICTURE_PLACES];
    uint64_t pictures_left_out; /* as the limit of pictures a second wants it: not lost */
    uint64_t stamps_back; /* frames whose stamp was not later than the one before, by the video's clock */
    uint64_t free_bytes;  /* on its file system; UINT64_MAX: not known */
    uint64_t stalled_ns;  /* how long the file system has not answered */
};
uint64_t tf_recording_pictures_lost(const struct tf_recording_status *status);

struct tf_recording;

/* Errors: -EEXIST (a file is there), -ENOSPC (free_min), -EINVAL, -ENOTSUP (codec not in this libavcodec),
 * and the file system's own. Strings need not outlive the call. */
int tf_recording_create(const struct tf_recording_options *options, struct tf_recording **ret,
                        struct tf_error *err);

/*
 * Capture thread: takes a reference of its own. Never waits, never allocates. 0: it will be frame
 * *video_frame; -ENOBUFS: refused; -EINVAL: not the picture that the recording is of, refused as well;
 * -EPIPE: the recording has failed and takes nothing any more.
 */
int tf_recording_frame(struct tf_recording *recording, struct tf_frame *frame, uint64_t *video_frame);
/* Record thread: the row of a frame; record->video_frame < 0: refused. Never waits, never allocates. */
void tf_recording_row(struct tf_recording *recording, const struct tf_record *record);
/* Record thread: the id that the recording's first face gets; whoever repeats the analysis begins with it. */
void tf_recording_first_face(struct tf_recording *recording, uint32_t id);
/* Picture thread: a packet of the annotated video; the first to be written is a key picture. `card`: a
 * picture that says that there is no frame. */
void tf_recording_packet(struct tf_recording *recording, const struct tf_encoder *encoder,
                         const struct tf_packet *packet, bool card);
/* Any thread: the picture of a frame of this recording will not come, or (left out) is not wanted. */
void tf_recording_picture_lost(struct tf_recording *recording, enum tf_picture_place place);
void tf_recording_picture_left_out(struct tf_recording *recording);
/* Picture thread: no more packets of this encoder; further ones would not fit to what is in the file,
 * and are lost at `place`. */
void tf_recording_packets_end(struct tf_recording *recording, enum tf_picture_place place);

/* From any thread. */
void tf_recording_status(struct tf_recording *recording, struct tf_recording_status *ret);

/*
 * Once no thread calls any of the above: writes out what waits, the video's end and its description
 * (STEM_video.json), and frees. 0, or the first error. `ret` (may be NULL): the final counts.
 */
int tf_recording_close(struct tf_recording *recording, struct tf_recording_status *ret, struct tf_error *err);

#endif
