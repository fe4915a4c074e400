/*
 * One face network: an engine together with what its metadata says of its input window, tone and output.
 */
#ifndef TF_INFERENCE_FACE_NETWORK_H
#define TF_INFERENCE_FACE_NETWORK_H

#include <stdint.h>

#include "base/error.h"
#include "base/frame.h"
#include "inference/engine/engine.h"
#include "inference/face/sample.h"
#include "inference/face/tone.h"

#define TF_NETWORK_SIDE_MIN 8
#define TF_NETWORK_SIDE_MAX 1024

enum tf_network_crop { TF_CROP_SQUARE, TF_CROP_LETTERBOX };

struct tf_network {
    char *path;
    struct tf_engine *engine;
    uint32_t width, height; /* of the input */
    enum tf_network_crop crop;
    float crop_scale; /* of TF_CROP_SQUARE */
    struct tf_tone tone;

    uint8_t *input; /* the engine's */
    float input_scale;
    int input_zero;
    struct tf_sampler *sampler;
    float *values, *scratch; /* width * height */
    struct tf_tone_survey survey;
    struct tf_radiometry radiometry; /* of the last sample */
    uint8_t *tables;                 /* of CLAHE, where the tone has it */
    uint8_t *mirrored;               /* width * height once asked for: the last input's mirror image */
    uint64_t sample_ns, run_ns;      /* since the last sample: window and tone, and the network */
};

/*
 * Opens a model of the task named and reads tf.task, tf.crop and tf.normalise. Errors: those of
 * tf_engine_open; -EINVAL, the metadata or the shapes do not fit (key and value named).
 */
int tf_network_open(const char *path, const char *task, int threads, const char *cpu, struct tf_network *ret,
                    struct tf_error *err);
/* Leaves the struct empty; accepts an empty one. */
void tf_network_close(struct tf_network *network);

/* Samples the window and surveys its values (`survey`). -EINVAL: no pixel of the window lies in the picture.
 */
int tf_network_sample(struct tf_network *network, const struct tf_view *view,
                      const struct tf_radiometry *radiometry, const struct tf_window *window);
/* Applies the tone of a part of the survey and runs the network. */
int tf_network_run_part(struct tf_network *network, int part);
/* Both, with the likeliest part. */
int tf_network_run(struct tf_network *network, const struct tf_view *view,
                   const struct tf_radiometry *radiometry, const struct tf_window *window);

/* From here on tf_network_run keeps what tf_network_run_mirrored needs. -ENOMEM. */
int tf_network_keep_mirrored(struct tf_network *network);
/* Runs the network on the mirror image of its last input: the right side is then the left one. */
int tf_network_run_mirrored(struct tf_network *network);

/*
 * An output by rank and name (NULL: the only one): its info, and its u8 values, channels last. -EINVAL,
 * named, when it is missing, not quantised or of another rank than `rank` (0: any).
 */
int tf_network_output(const struct tf_network *network, const char *name, int rank,
                      const struct tf_tensor_info **info, size_t *index, struct tf_error *err);

#endif
