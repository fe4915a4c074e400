/* The network of landmarks: points and confidences out of heat maps. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/heatmap.h"
#include "inference/face/metadata.h"

static int read_order(struct tf_landmarks *l, struct tf_error *err)
{
    const char *path = l->net.path, *value;
    char *end;
    int r = tf_meta_text(l->net.engine, path, "tf.points", &value, err);

    if (r < 0)
        return r;
    unsigned long points = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || points < 1 || points > TF_LANDMARKS_MAX)
        return tf_fail(err, -EINVAL, "%s: metadata tf.points: '%s' is not a number from 1 to %d", path, value,
                       TF_LANDMARKS_MAX);
    l->points = (uint32_t)points;
    r = tf_meta_text(l->net.engine, path, "tf.order", &value, err);
    if (r < 0)
        return r;
    if (strlen(value) >= sizeof(l->order))
        return tf_fail(err, -EINVAL, "%s: metadata tf.order is longer than %zu characters", path,
                       sizeof(l->order) - 1);
    strcpy(l->order, value);
    return 0;
}

/* tf.mean, optional: x,y of each point in 0..1 of the window, separated by spaces. */
static int read_mean(struct tf_landmarks *l, struct tf_error *err)
{
    const char *path = l->net.path, *at = tf_engine_metadata(l->net.engine, "tf.mean");
    uint32_t count = 2 * l->points;
    char *end;

    for (uint32_t i = 0; at && i < count; i++, at = end + 1) {
        char after = i + 1 == count ? '\0' : i % 2 == 0 ? ',' : ' ';

        l->mean[i] = strtof(at, &end);
        if (end == at || *end != after || !(l->mean[i] >= -1 && l->mean[i] <= 2))
            return tf_fail(
                err, -EINVAL,
                "%s: metadata tf.mean: value %u is not one of %u numbers from -1 to 2, written x,y x,y", path,
                i + 1, count);
    }
    return 0;
}

static int read_coordinates(struct tf_landmarks *l, const char *name, struct tf_error *err)
{
    const struct tf_tensor_info *info;
    int r = tf_network_output(&l->net, name, 0, &info, &l->points_output, err);

    if (r < 0)
        return r;
    if (info->count != 2 * (size_t)l->points)
        return tf_fail(err, -EINVAL, "%s: output %s has %zu values, %u points need %u", l->net.path,
                       info->name, info->count, l->points, 2 * l->points);
    /* [1, N, 2] and [1, 2N] are the same bytes in any layout that keeps a rank-4 output's channels last. */
    if (info->rank > 3)
        return tf_fail(err, -EINVAL, "%s: output %s is neither [1, %u] nor [1, %u, 2]", l->net.path,
                       info->name, 2 * l->points, l->points);
    l->points_scale = info->scale;
    l->points_zero = info->zero_point;
    return read_mean(l, err);
}

static int read_maps(struct tf_landmarks *l, const char *name, float beta, struct tf_error *err)
{
    const struct tf_tensor_info *info;
    int r = tf_network_output(&l->net, name, 4, &info, &l->output, err);

    if (r < 0)
        return r;
    if (info->dims[0] != 1 || info->dims[1] != (int64_t)l->points || info->dims[2] < 1 || info->dims[3] < 1 ||
        info->dims[2] > TF_HEATMAP_SIDE_MAX || info->dims[3] > TF_HEATMAP_SIDE_MAX)
        return tf_fail(err, -EINVAL,
                       "%s: output %s is not of shape [1, %u, height, width] with sides up to %d",
                       l->net.path, info->name, l->points, TF_HEATMAP_SIDE_MAX);
    l->map_h = (uint32_t)info->dims[2];
    l->map_w = (uint32_t)info->dims[3];
    l->scale = info->scale;
    l->zero = info->zero_point;
    for (int d = 0; d < 256; d++)
        l->weight[d] = expf(-beta * info->scale * (float)d);
    return 0;
}

static int read_heatmap(struct tf_landmarks *l, const char *value, struct tf_error *err)
{
    float beta = 1, window = 5, blend = 0;
    const struct tf_meta_key keys[] = {{"beta", &beta, 0.01f, 100, true},
                                       {"window", &window, 0, 255, true},
                                       {"blend", &blend, 0.01f, 0.99f, false}};
    const char *confidence;
    int r = tf_meta_pairs(l->net.path, "tf.decode", value, keys, 3, err);

    if (r < 0)
        return r;
    if (window != floorf(window) || (window > 0 && fmodf(window, 2) == 0))
        return tf_fail(err, -EINVAL,
                       "%s: metadata tf.decode: window must be an odd whole number or 0 in '%s'", l->net.path,
                       value);
    l->window = (uint32_t)window;
    l->blend = blend;
    if ((r = read_maps(l, blend > 0 ? "heat" : NULL, beta, err)) < 0 ||
        (blend > 0 && (r = read_coordinates(l, "points", err)) < 0))
        return r;

    l->conf_a = 1;
    l->conf_c = 0;
    confidence = tf_engine_metadata(l->net.engine, "tf.confidence");
    if (!confidence)
        return 0;
    if (!tf_meta_is(confidence, "peak"))
        return tf_fail(err, -EINVAL, "%s: metadata tf.confidence: '%s' does not begin with peak", l->net.path,
                       confidence);
    const struct tf_meta_key peak[] = {{"a", &l->conf_a, -1000, 1000, true},
                                       {"c", &l->conf_c, -1000, 1000, true}};
    l->margin = true;
    return tf_meta_pairs(l->net.path, "tf.confidence", confidence, peak, 2, err);
}

static int read_points_only(struct tf_landmarks *l, const char *value, struct tf_error *err)
{
    int r = tf_meta_pairs(l->net.path, "tf.decode", value, NULL, 0, err);

    l->blend = 1;
    return r < 0 ? r : read_coordinates(l, NULL, err);
}

int tf_landmarks_open(const char *path, int threads, const char *cpu, struct tf_landmarks **ret,
                      struct tf_error *err)
{
    struct tf_landmarks *l = calloc(1, sizeof(*l));
    const char *value;
    int r;

    if (!l)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    r = tf_network_open(path, "landmarks", threads, cpu, &l->net, err);
    if (r < 0)
        goto fail;
    if (l->net.crop != TF_CROP_SQUARE) {
        r = tf_fail(err, -EINVAL, "%s: metadata tf.crop: a landmark network needs square", path);
        goto fail;
    }
    if ((r = read_order(l, err)) < 0 || (r = tf_meta_text(l->net.engine, path, "tf.decode", &value, err)) < 0)
        goto fail;
    if (tf_meta_is(value, "heatmap"))
        r = read_heatmap(l, value, err);
    else if (tf_meta_is(value, "points"))
        r = read_points_only(l, value, err);
    else
        r = tf_fail(err, -EINVAL, "%s: metadata tf.decode: '%s' is neither heatmap nor points", path, value);
    if (r == 0 && l->points == TF_POINTS)
        r = tf_evidence_read_weights(l->net.engine, path, &l->evidence, err);
    if (r < 0)
        goto fail;
    l->told = TF_CLUES;
    /* What is calibrated are heat maps' clues. */
    if (l->points == TF_POINTS && strcmp(l->order, "ibug68") == 0 && l->blend < 1 &&
        (r = tf_calibration_read(l->net.engine, path, &l->calibration, err)) < 0)
        goto fail;
    *ret = l;
    return 0;
fail:
    tf_landmarks_close(l);
    return r;
}

void tf_landmarks_close(struct tf_landmarks *landmarks)
{
    if (!landmarks)
        return;
    tf_network_close(&landmarks->net);
    free(landmarks);
}

struct tf_landmarks_info tf_landmarks_info(const struct tf_landmarks *landmarks)
{
    return (struct tf_landmarks_info){
        .points = landmarks->points,
        .order = landmarks->order,
        .from68 = tf_engine_metadata(landmarks->net.engine, "tf.from68"),
        .width = landmarks->net.width,
        .height = landmarks->net.height,
        .crop_scale = landmarks->net.crop_scale,
    };
}

/* Peak value and sum of every map in one pass over memory. */
static void scan_maps(struct tf_landmarks *l, const uint8_t *maps)
{
    uint32_t cells = l->map_w * l->map_h, n = l->points;

    memset(l->peak, 0, sizeof(l->peak));
    memset(l->sum, 0, sizeof(l->sum));
    for (uint32_t cell = 0; cell < cells; cell++) {
        const uint8_t *at = maps + (size_t)cell * n;

        for (uint32_t k = 0; k < n; k++)
            l->peak[k] = at[k] > l->peak[k] ? at[k] : l->peak[k];
        if (l->margin) {
            for (uint32_t k = 0; k < n; k++)
                l->sum[k] += at[k];
        }
    }
}

/* Returns the logarithm of the variance around the point, cells squared. */
static float decode_map(const struct tf_landmarks *l, const uint8_t *map, uint32_t k, float *u, float *v)
{
    uint32_t n = l->points, w = l->map_w, h = l->map_h;
    uint32_t cell = 0, x0 = 0, y0 = 0, x1 = w - 1, y1 = h - 1;
    uint8_t peak = l->peak[k];
    float sum = 0, sum_x = 0, sum_y = 0, square = 0;

    if (l->window > 0) {
        uint32_t half = l->window / 2;

        while (map[(size_t)cell * n + k] != peak)
            cell++;
        uint32_t px = cell % w, py = cell / w;
        x0 = px > half ? px - half : 0;
        y0 = py > half ? py - half : 0;
        x1 = px + half < w ? px + half : w - 1;
        y1 = py + half < h ? py + half : h - 1;
    }
    for (uint32_t y = y0; y <= y1; y++) {
        for (uint32_t x = x0; x <= x1; x++) {
            float p = l->weight[peak - map[((size_t)y * w + x) * n + k]];

            sum += p;
            sum_x += p * (float)x;
            sum_y += p * (float)y;
            square += p * (float)(x * x + y * y);
        }
    }
    *u = (sum_x / sum + 0.5f) / (float)w - 0.5f;
    *v = (sum_y / sum + 0.5f) / (float)h - 0.5f;
    square = square / sum - (sum_x / sum) * (sum_x / sum) - (sum_y / sum) * (sum_y / sum);
    return logf(fmaxf(square, 0) + 0.05f);
}

static void decode_coordinates(const struct tf_landmarks *l, const uint8_t *out, uint32_t k, float *u,
                               float *v)
{
    *u = l->mean[2 * k] + (float)((int)out[2 * k] - l->points_zero) * l->points_scale - 0.5f;
    *v = l->mean[2 * k + 1] + (float)((int)out[2 * k + 1] - l->points_zero) * l->points_scale - 0.5f;
}

void tf_landmarks_decode(struct tf_landmarks *l, const struct tf_window *window, struct tf_point *points)
{
    bool maps = l->blend < 1;
    const uint8_t *heat = maps ? tf_engine_output_u8(l->net.engine, l->output) : NULL;
    const uint8_t *direct = l->blend > 0 ? tf_engine_output_u8(l->net.engine, l->points_output) : NULL;
    float cells = (float)(l->map_w * l->map_h);

    if (maps)
        scan_maps(l, heat);
    for (uint32_t k = 0; k < l->points; k++) {
        float u = 0, v = 0, x = 0, y = 0, spread = 0, split = 0;

        if (maps)
            spread = decode_map(l, heat, k, &u, &v);
        if (direct) {
            decode_coordinates(l, direct, k, &x, &y);
            split = maps ? hypotf((x - u) * window->span_x, (y - v) * window->span_y) : 0;
            u += l->blend * (x - u);
            v += l->blend * (y - v);
        }
        tf_window_to_picture(window, u, v, &points[k].x, &points[k].y);
        points[k].confidence = 1;
        if (maps) {
            float level = (float)((int)l->peak[k] - l->zero) * l->scale;

            if (l->margin)
                level = ((float)l->peak[k] - (float)l->sum[k] / cells) * l->scale;
            points[k].confidence = 1.0f / (1.0f + expf(-(l->conf_a * level + l->conf_c)));
            if (k < TF_POINTS) {
                l->clues.of[TF_CLUE_FIRM][k] = l->conf_a * level + l->conf_c;
                l->clues.of[TF_CLUE_SPREAD][k] = spread;
                l->clues.of[TF_CLUE_SPLIT][k] = split;
                l->clues.of[TF_CLUE_MIRROR][k] = 0;
            }
        }
    }
}

/* iBUG-68: which point of the mirrored face is this one. */
static const uint8_t mirrored68[TF_POINTS] = {
    16, 15, 14, 13, 12, 11, 10, 9,  8,  7,  6,  5,  4,  3,  2,  1,  0,  26, 25, 24, 23, 22, 21,
    20, 19, 18, 17, 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65};

int tf_landmarks_set_mirror(struct tf_landmarks *landmarks, bool on)
{
    if (on && (landmarks->points != TF_POINTS || strcmp(landmarks->order, "ibug68") != 0))
        return -ENOTSUP;
    int r = on ? tf_network_keep_mirrored(&landmarks->net) : 0;
    if (r == 0)
        landmarks->mirror = on;
    return r;
}

int tf_landmarks_run_mirrored(struct tf_landmarks *l, const struct tf_window *window, struct tf_point *points)
{
    struct tf_window mirrored = *window;
    int r = tf_network_run_mirrored(&l->net);

    if (r < 0)
        return r;
    mirrored.span_x = -window->span_x;
    tf_landmarks_decode(l, &mirrored, l->second);
    for (uint32_t k = 0; k < l->points; k++)
        points[k] = l->second[mirrored68[k]];
    return 0;
}

static int read_mirrored(struct tf_landmarks *l, const struct tf_window *window, struct tf_point *points)
{
    struct tf_point mirrored[TF_POINTS];
    int r;

    l->clues_first = l->clues;
    r = tf_landmarks_run_mirrored(l, window, mirrored);
    if (r < 0)
        return r;
    /* Of the mirrored reading, the other side's. */
    for (int i = 0; i < TF_CLUES; i++)
        for (uint32_t k = 0; k < l->points; k++)
            l->clues_first.of[i][k] = (l->clues_first.of[i][k] + l->clues.of[i][mirrored68[k]]) * 0.5f;
    l->clues = l->clues_first;
    for (uint32_t k = 0; k < l->points; k++) {
        const struct tf_point *other = &mirrored[k];

        l->clues.of[TF_CLUE_MIRROR][k] = hypotf(points[k].x - other->x, points[k].y - other->y);
        points[k].x = (points[k].x + other->x) * 0.5f;
        points[k].y = (points[k].y + other->y) * 0.5f;
        points[k].confidence = (points[k].confidence + other->confidence) * 0.5f;
    }
    return 0;
}

/* From the maps' own confidences to what the calibration makes of them. */
static void judge(struct tf_landmarks *l, struct tf_point *points)
{
    struct tf_clues clues;
    float face[TF_CLUES + 2], sum = 0;

    for (uint32_t k = 0; k < l->points; k++)
        sum += points[k].confidence;
    l->firmness = sum / (float)l->points;
    if (!l->calibration.known)
        return;
    clues = l->clues;
    if (!tf_calibration_clues(&l->calibration, points, &clues, face)) {
        for (int k = 0; k < TF_POINTS; k++)
            points[k].confidence = 0;
        return;
    }
    if (l->told < TF_CLUES)
        for (int k = 0; k < TF_POINTS; k++)
            points[k].confidence = clues.of[l->told][k];
    else
        tf_calibration_apply(&l->calibration, l->mirror, &clues, face, points);
}

int tf_landmarks_run_window(struct tf_landmarks *landmarks, const struct tf_view *view,
                            const struct tf_radiometry *radiometry, const struct tf_window *window,
                            struct tf_point *points)
{
    int r = tf_network_run(&landmarks->net, view, radiometry, window);

    if (r < 0)
        return r;
    tf_landmarks_decode(landmarks, window, points);
    if (landmarks->mirror)
        r = read_mirrored(landmarks, window, points);
    if (r == 0)
        judge(landmarks, points);
    return r;
}

int tf_landmarks_run(struct tf_landmarks *landmarks, const struct tf_frame *frame, const float box[4],
                     struct tf_point *points)
{
    struct tf_view view;
    struct tf_window window;

    if (!tf_box_usable(box) || !tf_view_init(&view, frame))
        return -EINVAL;
    window = tf_window_square(box, landmarks->net.crop_scale, 0);
    return tf_landmarks_run_window(landmarks, &view, &frame->radiometry, &window, points);
}
