/* The network that finds faces: boxes with scores. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/finder.h"
#include "inference/face/metadata.h"

#define NMS_IOU 0.4f /* docs/models.md */
/* Parts of the values other than the likeliest show more that is no face. */
#define OTHER_SCORE 0.55f
/* With a face as plain as that no other part is tried. */
#define SURE 0.8f

static int read_outputs(struct tf_finder *f, struct tf_error *err)
{
    const struct tf_tensor_info *heat, *box;
    const char *path = f->net.path;
    int r = tf_network_output(&f->net, "heat", 4, &heat, &f->heat, err);

    if (r < 0 || (r = tf_network_output(&f->net, "box", 4, &box, &f->box, err)) < 0)
        return r;
    if (heat->dims[0] != 1 || heat->dims[1] != 1 || box->dims[0] != 1 || box->dims[1] != 4 ||
        heat->dims[2] != box->dims[2] || heat->dims[3] != box->dims[3])
        return tf_fail(err, -EINVAL,
                       "%s: outputs heat and box are not of shapes [1, 1, h, w] and [1, 4, h, w]", path);
    f->map_h = (uint32_t)heat->dims[2];
    f->map_w = (uint32_t)heat->dims[3];
    if ((float)f->map_w * f->stride < (float)f->net.width - f->stride ||
        (float)f->map_w * f->stride > (float)f->net.width + f->stride ||
        (float)f->map_h * f->stride < (float)f->net.height - f->stride ||
        (float)f->map_h * f->stride > (float)f->net.height + f->stride)
        return tf_fail(err, -EINVAL, "%s: a %u x %u map with stride=%g does not cover the %u x %u input",
                       path, f->map_w, f->map_h, (double)f->stride, f->net.width, f->net.height);
    for (int q = 0; q < 256; q++)
        f->score[q] = 1.0f / (1.0f + expf(-heat->scale * (float)(q - heat->zero_point)));
    f->box_scale = box->scale;
    f->box_zero = box->zero_point;
    return 0;
}

int tf_finder_open(const char *path, int threads, const char *cpu, struct tf_finder **ret,
                   struct tf_error *err)
{
    struct tf_finder *f = calloc(1, sizeof(*f));
    const char *value;
    int r;

    if (!f)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    r = tf_network_open(path, "finder", threads, cpu, &f->net, err);
    if (r < 0)
        goto fail;
    if (f->net.crop != TF_CROP_LETTERBOX) {
        r = tf_fail(err, -EINVAL, "%s: metadata tf.crop: a face finder needs letterbox", path);
        goto fail;
    }
    if ((r = tf_meta_text(f->net.engine, path, "tf.decode", &value, err)) < 0)
        goto fail;
    if (!tf_meta_is(value, "center")) {
        r = tf_fail(err, -EINVAL, "%s: metadata tf.decode: '%s' does not begin with center", path, value);
        goto fail;
    }
    f->threshold = 0.5f;
    const struct tf_meta_key keys[] = {{"stride", &f->stride, 1, 64, true},
                                       {"threshold", &f->threshold, 0.01f, 0.99f, false}};
    r = tf_meta_pairs(path, "tf.decode", value, keys, 2, err);
    if (r < 0)
        goto fail;
    value = tf_engine_metadata(f->net.engine, "tf.box");
    if (value && strcmp(value, "points68") != 0) {
        r = tf_fail(err, -EINVAL, "%s: metadata tf.box: '%s' is not points68", path, value);
        goto fail;
    }
    r = read_outputs(f, err);
    if (r < 0)
        goto fail;
    tf_finder_reset(f);
    *ret = f;
    return 0;
fail:
    tf_finder_close(f);
    return r;
}

void tf_finder_close(struct tf_finder *finder)
{
    if (!finder)
        return;
    tf_network_close(&finder->net);
    free(finder);
}

float tf_box_iou(const float a[4], const float b[4])
{
    float w = fminf(a[0] + a[2], b[0] + b[2]) - fmaxf(a[0], b[0]);
    float h = fminf(a[1] + a[3], b[1] + b[3]) - fmaxf(a[1], b[1]);

    if (!(w > 0) || !(h > 0))
        return 0;
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h);
}

/* Of equal neighbours the first in row order is the maximum, so that a plateau yields one candidate. */
static bool is_maximum(const struct tf_finder *f, const uint8_t *heat, uint32_t r, uint32_t c)
{
    uint8_t value = heat[(size_t)r * f->map_w + c];

    for (int dr = -1; dr <= 1; dr++) {
        for (int dc = -1; dc <= 1; dc++) {
            int64_t y = (int64_t)r + dr, x = (int64_t)c + dc;

            if (y < 0 || x < 0 || y >= f->map_h || x >= f->map_w || (dr == 0 && dc == 0))
                continue;
            uint8_t other = heat[(size_t)y * f->map_w + (size_t)x];
            bool before = dr < 0 || (dr == 0 && dc < 0);
            if (other > value || (before && other == value))
                return false;
        }
    }
    return true;
}

/* Keeps the list sorted by score, best first; ties stay in row order, so that the result is one. */
static int insert(struct tf_found *list, int count, int max, const struct tf_found *found)
{
    int at = count < max ? count : max;

    while (at > 0 && list[at - 1].score < found->score)
        at--;
    if (at >= max)
        return count;
    int last = count < max ? count : max - 1;
    memmove(&list[at + 1], &list[at], (size_t)(last - at) * sizeof(*list));
    list[at] = *found;
    return count < max ? count + 1 : max;
}

/* Adds the last run's candidates to the `count` that are there. */
static int candidates(struct tf_finder *f, const struct tf_window *window, float threshold, int count)
{
    const uint8_t *heat = tf_engine_output_u8(f->net.engine, f->heat);
    const uint8_t *box = tf_engine_output_u8(f->net.engine, f->box);
    float width = (float)f->net.width, height = (float)f->net.height;

    for (uint32_t r = 0; r < f->map_h; r++) {
        for (uint32_t c = 0; c < f->map_w; c++) {
            size_t cell = (size_t)r * f->map_w + c;
            struct tf_found found = {.score = f->score[heat[cell]]};
            float side[4], x0, y0, x1, y1;

            if (found.score < threshold || !is_maximum(f, heat, r, c))
                continue;
            for (int k = 0; k < 4; k++)
                side[k] = (float)((int)box[4 * cell + (size_t)k] - f->box_zero) * f->box_scale * f->stride;
            /* Input pixel coordinates have whole numbers at the centres; +0.5 counts from the border. */
            float cx = ((float)c + 0.5f) * f->stride, cy = ((float)r + 0.5f) * f->stride;
            tf_window_to_picture(window, (cx - side[0]) / width - 0.5f, (cy - side[1]) / height - 0.5f, &x0,
                                 &y0);
            tf_window_to_picture(window, (cx + side[2]) / width - 0.5f, (cy + side[3]) / height - 0.5f, &x1,
                                 &y1);
            if (!(x1 - x0 > 1) || !(y1 - y0 > 1))
                continue;
            found.box[0] = x0;
            found.box[1] = y0;
            found.box[2] = x1 - x0;
            found.box[3] = y1 - y0;
            count = insert(f->candidates, count, TF_FINDER_CANDIDATES, &found);
        }
    }
    return count;
}

/* The part that is tried first: the one of the kind that last showed a face, else the likeliest. */
static int first_part(const struct tf_finder *f)
{
    for (int i = 0; i < f->net.survey.parts; i++)
        if (f->net.survey.part[i].kind == f->kind)
            return i;
    return 0;
}

/* Runs a part and adds its candidates to the list; remembers the part that has the best. */
static int try_part(struct tf_finder *f, const struct tf_window *window, int part, int first, int *count)
{
    float best = *count > 0 ? f->candidates[0].score : 0;
    int r = tf_network_run_part(&f->net, part);

    if (r < 0)
        return r;
    *count = candidates(f, window, part == first ? f->threshold : fmaxf(f->threshold, OTHER_SCORE), *count);
    if (*count > 0 && f->candidates[0].score > best)
        f->kind = f->net.survey.part[part].kind;
    return 0;
}

void tf_finder_reset(struct tf_finder *finder)
{
    finder->kind = TF_FINDER_ANY;
    finder->turn = 0;
}

int tf_finder_run(struct tf_finder *finder, const struct tf_view *view,
                  const struct tf_radiometry *radiometry, enum tf_finder_care care,
                  struct tf_found ret[TF_FINDER_MAX])
{
    struct tf_window window = tf_window_letterbox(view, finder->net.width, finder->net.height);
    int count = 0, kept = 0, parts, first;
    int r = tf_network_sample(&finder->net, view, radiometry, &window);

    if (r < 0)
        return r;
    finder->scene = tf_tone_median(&finder->net.survey);
    parts = finder->net.survey.parts;
    first = first_part(finder);
    r = try_part(finder, &window, first, first, &count);
    if (r == 0 && care == TF_FINDER_ONE_MORE && parts > 1) {
        int other = (int)(finder->turn++ % (uint32_t)(parts - 1));

        r = try_part(finder, &window, other + (other >= first), first, &count);
    }
    for (int i = 1; i < parts && r == 0 && care == TF_FINDER_ALL; i++) {
        if (count > 0 && finder->candidates[0].score >= SURE)
            break;
        r = try_part(finder, &window, (first + i) % parts, first, &count);
    }
    if (r < 0)
        return r;
    for (int i = 0; i < count && kept < TF_FINDER_MAX; i++) {
        bool covered = false;

        for (int k = 0; k < kept && !covered; k++)
            covered = tf_box_iou(finder->candidates[i].box, ret[k].box) > NMS_IOU;
        if (!covered)
            ret[kept++] = finder->candidates[i];
    }
    return kept;
}
