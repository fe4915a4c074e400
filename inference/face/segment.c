/* The network that marks the parts of a face. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/metadata.h"
#include "inference/face/network.h"
#include "inference/face/segment.h"

#define CLASSES_TEXT_MAX 1024

struct tf_segmenter {
    struct tf_network net;
    struct tf_segmenter_info info;
    char names[CLASSES_TEXT_MAX];
    size_t output;
};

static int read_classes(struct tf_segmenter *s, struct tf_error *err)
{
    const char *value;
    char *save = NULL;
    int r = tf_meta_text(s->net.engine, s->net.path, "tf.classes", &value, err);

    if (r < 0)
        return r;
    if (strlen(value) >= sizeof(s->names))
        return tf_fail(err, -EINVAL, "%s: metadata tf.classes is longer than %zu characters", s->net.path,
                       sizeof(s->names) - 1);
    strcpy(s->names, value);
    for (char *name = strtok_r(s->names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        if (s->info.classes == TF_SEGMENT_CLASSES_MAX)
            return tf_fail(err, -EINVAL, "%s: metadata tf.classes names more than %d classes", s->net.path,
                           TF_SEGMENT_CLASSES_MAX);
        s->info.names[s->info.classes++] = name;
    }
    return 0;
}

static int read_output(struct tf_segmenter *s, struct tf_error *err)
{
    const struct tf_tensor_info *info;
    const char *value;
    int r = tf_meta_text(s->net.engine, s->net.path, "tf.decode", &value, err);

    if (r < 0)
        return r;
    if (strcmp(value, "argmax") != 0)
        return tf_fail(err, -EINVAL, "%s: metadata tf.decode: '%s' is not argmax", s->net.path, value);
    r = tf_network_output(&s->net, NULL, 4, &info, &s->output, err);
    if (r < 0)
        return r;
    if (info->dims[0] != 1 || info->dims[1] != (int64_t)s->info.classes ||
        info->dims[2] > TF_NETWORK_SIDE_MAX || info->dims[3] > TF_NETWORK_SIDE_MAX)
        return tf_fail(err, -EINVAL,
                       "%s: output %s is not of shape [1, %u, height, width], as tf.classes wants it",
                       s->net.path, info->name, s->info.classes);
    s->info.height = (uint32_t)info->dims[2];
    s->info.width = (uint32_t)info->dims[3];
    return 0;
}

int tf_segmenter_open(const char *path, int threads, const char *cpu, struct tf_segmenter **ret,
                      struct tf_error *err)
{
    struct tf_segmenter *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    r = tf_network_open(path, "segmentation", threads, cpu, &s->net, err);
    if (r == 0 && s->net.crop != TF_CROP_SQUARE)
        r = tf_fail(err, -EINVAL, "%s: metadata tf.crop: a segmentation network needs square", path);
    if (r == 0)
        r = read_classes(s, err);
    if (r == 0)
        r = read_output(s, err);
    if (r < 0) {
        tf_segmenter_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void tf_segmenter_close(struct tf_segmenter *segmenter)
{
    if (!segmenter)
        return;
    tf_network_close(&segmenter->net);
    free(segmenter);
}

const struct tf_segmenter_info *tf_segmenter_info(const struct tf_segmenter *segmenter)
{
    return &segmenter->info;
}

int tf_segmenter_run(struct tf_segmenter *segmenter, const struct tf_frame *frame, const float box[4],
                     uint8_t *labels)
{
    uint32_t classes = segmenter->info.classes;
    size_t cells = (size_t)segmenter->info.width * segmenter->info.height;
    struct tf_window window;
    struct tf_view view;
    const uint8_t *out;
    int r;

    if (!tf_box_usable(box) || !tf_view_init(&view, frame))
        return -EINVAL;
    window = tf_window_square(box, segmenter->net.crop_scale, 0);
    r = tf_network_run(&segmenter->net, &view, &frame->radiometry, &window);
    if (r < 0)
        return r;
    out = tf_engine_output_u8(segmenter->net.engine, segmenter->output);
    for (size_t i = 0; i < cells; i++, out += classes) {
        uint32_t best = 0;

        for (uint32_t c = 1; c < classes; c++)
            best = out[c] > out[best] ? c : best;
        labels[i] = (uint8_t)best;
    }
    return 0;
}

void tf_segmenter_position(const struct tf_segmenter *segmenter, const float box[4], uint32_t column,
                           uint32_t row, float *x, float *y)
{
    struct tf_window window = tf_window_square(box, segmenter->net.crop_scale, 0);

    tf_window_to_picture(&window, ((float)column + 0.5f) / (float)segmenter->info.width - 0.5f,
                         ((float)row + 0.5f) / (float)segmenter->info.height - 0.5f, x, y);
}
