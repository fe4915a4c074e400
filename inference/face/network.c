/* One face network: its engine, input window and outputs. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "inference/face/clahe.h"
#include "inference/face/metadata.h"
#include "inference/face/network.h"

static int read_crop(struct tf_network *n, struct tf_error *err)
{
    const char *value;
    int r = tf_meta_text(n->engine, n->path, "tf.crop", &value, err);

    if (r < 0)
        return r;
    if (tf_meta_is(value, "square")) {
        const struct tf_meta_key keys[] = {{"scale", &n->crop_scale, 0.1f, 10, true}};

        n->crop = TF_CROP_SQUARE;
        return tf_meta_pairs(n->path, "tf.crop", value, keys, 1, err);
    }
    if (tf_meta_is(value, "letterbox")) {
        n->crop = TF_CROP_LETTERBOX;
        return tf_meta_pairs(n->path, "tf.crop", value, NULL, 0, err);
    }
    return tf_fail(err, -EINVAL, "%s: metadata tf.crop: '%s' is neither square nor letterbox", n->path,
                   value);
}

/* The equalisation works on 0 to 255 and on tiles of one size. */
static int check_clahe(struct tf_network *n, const char *value, struct tf_error *err)
{
    uint32_t tiles = (uint32_t)n->tone.tiles;

    if ((float)tiles != n->tone.tiles || n->width % tiles != 0 || n->height % tiles != 0)
        return tf_fail(
            err, -EINVAL,
            "%s: metadata tf.normalise: tiles in '%s' must be a whole number that divides the input's "
            "sides, %u x %u",
            n->path, value, n->width, n->height);
    if (fabsf(n->input_scale * 255.0f - 1.0f) >= 1e-4f || n->input_zero != 0)
        return tf_fail(err, -EINVAL,
                       "%s: metadata tf.normalise: clahe needs an input of scale 1/255 and zero point 0",
                       n->path);
    n->tables = malloc(tf_clahe_scratch(tiles));
    return n->tables ? 0 : tf_fail(err, -ENOMEM, "%s: out of memory", n->path);
}

static int read_tone(struct tf_network *n, struct tf_error *err)
{
    const char *value;
    int r = tf_meta_text(n->engine, n->path, "tf.normalise", &value, err);

    if (r < 0)
        return r;
    if (tf_meta_is(value, "percentile")) {
        const struct tf_meta_key keys[] = {{"lo", &n->tone.lo, 0, 100, true},
                                           {"hi", &n->tone.hi, 0, 100, true},
                                           {"min_span_c", &n->tone.min_span_c, 0, 1000, false},
                                           {"clahe", &n->tone.clahe, 0.1f, 256, false},
                                           {"tiles", &n->tone.tiles, 1, TF_CLAHE_TILES_MAX, false},
                                           {"apart", &n->tone.apart, 0, 40, false},
                                           {"skin_max_c", &n->tone.skin_max_c, 30, 1000, false}};

        n->tone.kind = TF_TONE_PERCENTILE;
        n->tone.tiles = 4;
        r = tf_meta_pairs(n->path, "tf.normalise", value, keys, TF_COUNT(keys), err);
        n->tone.face = n->crop == TF_CROP_SQUARE;
    } else if (tf_meta_is(value, "celsius")) {
        const struct tf_meta_key keys[] = {{"lo", &n->tone.lo, -273.15f, 3000, true},
                                           {"hi", &n->tone.hi, -273.15f, 3000, true}};

        n->tone.kind = TF_TONE_CELSIUS;
        r = tf_meta_pairs(n->path, "tf.normalise", value, keys, 2, err);
    } else {
        return tf_fail(err, -EINVAL, "%s: metadata tf.normalise: '%s' is neither percentile nor celsius",
                       n->path, value);
    }
    if (r == 0 && !(n->tone.lo < n->tone.hi))
        r = tf_fail(err, -EINVAL, "%s: metadata tf.normalise: lo must be below hi in '%s'", n->path, value);
    if (r == 0 && n->tone.clahe > 0)
        r = check_clahe(n, value, err);
    return r;
}

static int read_input(struct tf_network *n, struct tf_error *err)
{
    const struct tf_tensor_info *info;

    if (tf_engine_inputs(n->engine) != 1)
        return tf_fail(err, -EINVAL, "%s: a face network has one input, this one %zu", n->path,
                       tf_engine_inputs(n->engine));
    info = tf_engine_input(n->engine, 0);
    if (info->rank != 4 || info->dims[0] != 1 || info->dims[1] != 1)
        return tf_fail(err, -EINVAL, "%s: input %s is not of shape [1, 1, height, width]", n->path,
                       info->name);
    if (info->dims[2] < TF_NETWORK_SIDE_MIN || info->dims[2] > TF_NETWORK_SIDE_MAX ||
        info->dims[3] < TF_NETWORK_SIDE_MIN || info->dims[3] > TF_NETWORK_SIDE_MAX)
        return tf_fail(err, -EINVAL, "%s: input %s is %lld x %lld; sides from %d to %d are possible", n->path,
                       info->name, (long long)info->dims[3], (long long)info->dims[2], TF_NETWORK_SIDE_MIN,
                       TF_NETWORK_SIDE_MAX);
    n->input = tf_engine_input_u8(n->engine, 0);
    if (!info->quantised || !n->input || !(info->scale > 0))
        return tf_fail(err, -EINVAL, "%s: input %s is not quantised: its first node must be QuantizeLinear",
                       n->path, info->name);
    n->height = (uint32_t)info->dims[2];
    n->width = (uint32_t)info->dims[3];
    n->input_scale = info->scale;
    n->input_zero = info->zero_point;
    return 0;
}

int tf_network_open(const char *path, const char *task, int threads, const char *cpu, struct tf_network *ret,
                    struct tf_error *err)
{
    const struct tf_engine_options options = {.threads = threads, .cpu = cpu};
    struct tf_network n = {0};
    const char *value;
    size_t count;
    int r;

    n.path = strdup(path);
    if (!n.path)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    r = tf_engine_open(path, &options, &n.engine, err);
    if (r < 0)
        goto fail;
    r = tf_meta_text(n.engine, path, "tf.task", &value, err);
    if (r < 0)
        goto fail;
    if (strcmp(value, task) != 0) {
        r = tf_fail(err, -EINVAL, "%s: metadata tf.task is '%s', but a network of task '%s' is needed here",
                    path, value, task);
        goto fail;
    }
    if ((r = read_input(&n, err)) < 0 || (r = read_crop(&n, err)) < 0 || (r = read_tone(&n, err)) < 0)
        goto fail;

    count = (size_t)n.width * n.height;
    n.values = calloc(count, sizeof(float));
    n.scratch = calloc(count, sizeof(float));
    r = !n.values || !n.scratch ? -ENOMEM : tf_sampler_create(n.width, n.height, &n.sampler);
    if (r < 0) {
        tf_fail(err, r, "%s: out of memory", path);
        goto fail;
    }
    *ret = n;
    return 0;
fail:
    tf_network_close(&n);
    return r;
}

void tf_network_close(struct tf_network *network)
{
    tf_engine_close(network->engine);
    tf_sampler_destroy(network->sampler);
    free(network->values);
    free(network->scratch);
    free(network->tables);
    free(network->mirrored);
    free(network->path);
    memset(network, 0, sizeof(*network));
}

static void mirror(uint8_t *to, const uint8_t *from, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < height; y++, to += width, from += width) {
        for (uint32_t x = 0; x < width; x++)
            to[x] = from[width - 1 - x];
    }
}

int tf_network_sample(struct tf_network *network, const struct tf_view *view,
                      const struct tf_radiometry *radiometry, const struct tf_window *window)
{
    size_t count = (size_t)network->width * network->height;
    uint64_t start = tf_now_ns();
    uint32_t inside = tf_sample(network->sampler, view, window, network->values);

    if (inside == 0)
        return -EINVAL;
    tf_tone_survey(&network->tone, radiometry, network->values, count, inside, &network->survey);
    network->radiometry = *radiometry;
    network->sample_ns = tf_now_ns() - start;
    network->run_ns = 0;
    return 0;
}

int tf_network_run_part(struct tf_network *network, int part)
{
    size_t count = (size_t)network->width * network->height;
    uint64_t start = tf_now_ns(), sampled;
    struct tf_tone_span span =
        tf_tone_span(&network->tone, &network->radiometry, &network->survey, &network->survey.part[part],
                     network->values, count, network->scratch);
    int r;

    tf_tone_write(&span, network->values, count, network->input_scale, network->input_zero, network->input);
    if (network->tables)
        tf_clahe(network->input, network->width, network->height, network->tone.clahe,
                 (uint32_t)network->tone.tiles, network->tables);
    if (network->mirrored)
        mirror(network->mirrored, network->input, network->width, network->height);
    sampled = tf_now_ns();
    r = tf_engine_run_u8(network->engine);
    network->sample_ns += sampled - start;
    network->run_ns += tf_now_ns() - sampled;
    return r;
}

int tf_network_run(struct tf_network *network, const struct tf_view *view,
                   const struct tf_radiometry *radiometry, const struct tf_window *window)
{
    int r = tf_network_sample(network, view, radiometry, window);

    return r < 0 ? r : tf_network_run_part(network, 0);
}

int tf_network_keep_mirrored(struct tf_network *network)
{
    if (!network->mirrored)
        network->mirrored = calloc(network->height, network->width);
    return !network->mirrored ? -ENOMEM : 0;
}

int tf_network_run_mirrored(struct tf_network *network)
{
    uint64_t start = tf_now_ns();

    /* The engine may have used its input's memory for something else. */
    memcpy(network->input, network->mirrored, (size_t)network->width * network->height);
    int r = tf_engine_run_u8(network->engine);
    network->run_ns += tf_now_ns() - start;
    return r;
}

int tf_network_output(const struct tf_network *network, const char *name, int rank,
                      const struct tf_tensor_info **info, size_t *index, struct tf_error *err)
{
    size_t outputs = tf_engine_outputs(network->engine), i = 0;

    if (!name) {
        if (outputs != 1)
            return tf_fail(err, -EINVAL, "%s: one output is needed, the network has %zu", network->path,
                           outputs);
    } else {
        while (i < outputs && strcmp(tf_engine_output(network->engine, i)->name, name) != 0)
            i++;
        if (i == outputs)
            return tf_fail(err, -EINVAL, "%s: the network has no output named '%s'", network->path, name);
    }
    const struct tf_tensor_info *t = tf_engine_output(network->engine, i);
    if (rank != 0 && t->rank != rank)
        return tf_fail(err, -EINVAL, "%s: output %s has %d dimensions, %d are needed", network->path, t->name,
                       t->rank, rank);
    if (!t->quantised || !(t->scale > 0) || !tf_engine_output_u8(network->engine, i))
        return tf_fail(err, -EINVAL, "%s: output %s is not quantised: its last node must be DequantizeLinear",
                       network->path, t->name);
    *info = t;
    *index = i;
    return 0;
}
