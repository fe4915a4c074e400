/*
 * H.264 through libavcodec: pictures in, Annex B packets out, once for all who watch and record.
 */
#ifndef TF_PUBLISH_VIDEO_ENCODER_H
#define TF_PUBLISH_VIDEO_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "overlay/picture.h"

struct tf_encoder;

struct tf_encoder_options {
    const char *codec;      /* libavcodec's encoder name; NULL = "libx264" */
    const char *preset;     /* its preset; NULL = "superfast" of libx264, fast ones of others */
    const char *device;     /* of encoders that have one, "/dev/dri/renderD128"; NULL = the first */
    uint32_t width, height; /* even */
    float fps;              /* nominal, for rate control; stamps are the frames' own */
    uint32_t bitrate_kbps;  /* 0 = constant quality, where the encoder has that */
    uint32_t quality;       /* of constant quality: 1 (best) to 51; 0 = 23 */
    uint32_t gop;           /* frames between key frames; 0 = 2 seconds */
    int threads;            /* 0 = 1 */
};

/* Whether this libavcodec has such an encoder and it has that preset: -EINVAL lists what there is. Does not
 * look for hardware. */
int tf_encoder_check(const struct tf_encoder_options *options, struct tf_error *err);
/* Whether it opens, for encoders that may not (of hardware): a small one, opened and closed. */
int tf_encoder_probe(const struct tf_encoder_options *options, struct tf_error *err);

struct tf_packet {
    const uint8_t *data; /* Annex B, with SPS and PPS before each key frame; valid during the call */
    size_t size;
    bool key;
    uint64_t t_mono_ns; /* capture stamp of the picture */
    uint64_t frame;     /* record's frame number */
};

typedef void tf_packet_fn(void *context, const struct tf_packet *packet);

int tf_encoder_create(const struct tf_encoder_options *options, struct tf_encoder **ret,
                      struct tf_error *err);
void tf_encoder_destroy(struct tf_encoder *encoder);
/* Encodes a picture of planes; calls `deliver` for each packet that comes out (zero latency: one for one with
 * libx264). */
int tf_encoder_encode(struct tf_encoder *encoder, const struct tf_picture *picture, uint64_t t_mono_ns,
                      uint64_t frame, bool force_key, tf_packet_fn *deliver, void *context,
                      struct tf_error *err);
int tf_encoder_flush(struct tf_encoder *encoder, tf_packet_fn *deliver, void *context, struct tf_error *err);
/* SPS and PPS for a container's header; owned by the encoder. */
const uint8_t *tf_encoder_extradata(const struct tf_encoder *encoder, size_t *size);

/* An annotated video file (Matroska by default, by the file's ending), packets stamped by capture time. */
struct tf_muxer;
/*
 * Whether the file's ending names a container that holds such video: -ENOTSUP with what to take instead,
 * -EINVAL for an ending that names none (which tf_muxer_create makes Matroska).
 */
int tf_muxer_check(const char *path, struct tf_error *err);
int tf_muxer_create(const char *path, const struct tf_encoder *encoder, bool overwrite, struct tf_muxer **ret,
                    struct tf_error *err);
int tf_muxer_write(struct tf_muxer *muxer, const struct tf_packet *packet, struct tf_error *err);
/* Writes the trailer and frees. Accepts NULL. */
int tf_muxer_close(struct tf_muxer *muxer, struct tf_error *err);

#endif
