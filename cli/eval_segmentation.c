/* thermoface eval segmentation: class maps against regions drawn from the 68 true points. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/eval.h"
#include "cli/eval_csv.h"
#include "cli/eval_image.h"
#include "cli/eval_orders.h"
#include "cli/progress.h"
#include "inference/face/segment.h"

#define COORDINATE_MAX 65536.0
/* Half the thickness of a brow, in distances of the outer eye corners (docs/landmarks.md). */
#define BROW_HALF 0.04f

enum part { BACKGROUND, SKIN, BROWS, EYES, NOSE, MOUTH, PARTS };
static const char *const part_names[PARTS] = {"background", "skin", "brows", "eyes", "nose", "mouth"};

struct polygon {
    int n;
    float xy[32][2];
};

struct eval {
    struct tf_csv csv;
    struct tf_image image;
    struct tf_segmenter *segmenter;
    const struct tf_segmenter_info *info;
    int part_of_class[TF_SEGMENT_CLASSES_MAX];
    uint8_t *labels;
    int file, x[68], y[68];
    unsigned images;
    uint64_t both[PARTS], truth[PARTS], given[PARTS];
};

struct request {
    const char *csv, *images, *model, *cpu;
    uint64_t threads;
    bool json;
};

static void add(struct polygon *p, const float point[2], float dx, float dy)
{
    p->xy[p->n][0] = point[0] + dx;
    p->xy[p->n][1] = point[1] + dy;
    p->n++;
}

static void add_run(struct polygon *p, const float points[68][2], int first, int last)
{
    int step = first <= last ? 1 : -1;

    for (int k = first; k != last + step; k += step)
        add(p, points[k], 0, 0);
}

/* The points of a brow, moved up and back moved down by half its thickness. */
static struct polygon brow(const float points[68][2], int first)
{
    struct polygon p = {0};
    float rx = points[45][0] - points[36][0], ry = points[45][1] - points[36][1];
    float dx = -ry * BROW_HALF, dy = rx * BROW_HALF;

    for (int k = first; k < first + 5; k++)
        add(&p, points[k], -dx, -dy);
    for (int k = first + 4; k >= first; k--)
        add(&p, points[k], dx, dy);
    return p;
}

static bool inside(const struct polygon *p, float x, float y)
{
    bool in = false;

    for (int i = 0, j = p->n - 1; i < p->n; j = i++) {
        const float *a = p->xy[i], *b = p->xy[j];

        if ((a[1] <= y) != (b[1] <= y) && x >= a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]))
            in = !in;
    }
    return in;
}

struct regions {
    struct polygon skin, brows[2], eyes[2], nose, mouth;
};

static void draw(struct regions *r, const float points[68][2])
{
    memset(r, 0, sizeof(*r));
    add_run(&r->skin, points, 0, 16);
    add_run(&r->skin, points, 26, 17);
    r->brows[0] = brow(points, 17);
    r->brows[1] = brow(points, 22);
    add_run(&r->eyes[0], points, 36, 41);
    add_run(&r->eyes[1], points, 42, 47);
    add(&r->nose, points[27], 0, 0);
    add_run(&r->nose, points, 31, 35);
    add_run(&r->mouth, points, 48, 59);
}

/* Later parts lie over earlier ones. */
static enum part part_at(const struct regions *r, float x, float y)
{
    if (inside(&r->mouth, x, y))
        return MOUTH;
    if (inside(&r->nose, x, y))
        return NOSE;
    if (inside(&r->eyes[0], x, y) || inside(&r->eyes[1], x, y))
        return EYES;
    if (inside(&r->brows[0], x, y) || inside(&r->brows[1], x, y))
        return BROWS;
    return inside(&r->skin, x, y) ? SKIN : BACKGROUND;
}

static int open_all(struct eval *e, const struct request *q, struct tf_error *err)
{
    char name[16];
    int r = tf_segmenter_open(q->model, (int)q->threads, q->cpu, &e->segmenter, err);

    if (r < 0)
        return r;
    e->info = tf_segmenter_info(e->segmenter);
    for (uint32_t c = 0; c < e->info->classes; c++) {
        int part = 0;

        while (part < PARTS && strcmp(part_names[part], e->info->names[c]) != 0)
            part++;
        if (part == PARTS)
            return tf_fail(
                err, -EINVAL,
                "%s: metadata tf.classes: '%s' is none of background, skin, brows, eyes, nose, mouth",
                q->model, e->info->names[c]);
        e->part_of_class[c] = part;
    }
    e->labels = malloc((size_t)e->info->width * e->info->height);
    if (!e->labels)
        return tf_fail(err, -ENOMEM, "out of memory");
    r = tf_csv_open(&e->csv, q->csv, err);
    if (r == 0)
        r = e->file = tf_csv_column(&e->csv, "file", err);
    for (int k = 0; k < 68 && r >= 0; k++) {
        snprintf(name, sizeof(name), "x%d", k);
        r = e->x[k] = tf_csv_column(&e->csv, name, err);
        snprintf(name, sizeof(name), "y%d", k);
        if (r >= 0)
            r = e->y[k] = tf_csv_column(&e->csv, name, err);
    }
    return r < 0 ? r : 0;
}

static int judge(struct eval *e, const float points[68][2], struct tf_error *err)
{
    struct regions regions;
    float box[4];
    int r;

    tf_truth_box(points, box);
    r = tf_segmenter_run(e->segmenter, &e->image.frame, box, e->labels);
    if (r < 0)
        return tf_fail(err, r, "%s:%u: the face's box is empty or outside the picture", e->csv.path,
                       e->csv.line);
    draw(&regions, points);
    for (uint32_t row = 0; row < e->info->height; row++) {
        for (uint32_t column = 0; column < e->info->width; column++) {
            int given = e->part_of_class[e->labels[(size_t)row * e->info->width + column]];
            float x, y;

            tf_segmenter_position(e->segmenter, box, column, row, &x, &y);
            int truth = part_at(&regions, x, y);
            e->truth[truth]++;
            e->given[given]++;
            e->both[truth] += truth == given;
        }
    }
    e->images++;
    return 0;
}

static int run_row(struct eval *e, const struct request *q, struct tf_error *err)
{
    float points[68][2];
    char path[4096];
    const char *file;
    int r = 0;

    for (int k = 0; k < 68 && r == 0; k++) {
        double x, y;

        r = tf_csv_number(&e->csv, e->x[k], -COORDINATE_MAX, COORDINATE_MAX, &x, err);
        if (r == 0)
            r = tf_csv_number(&e->csv, e->y[k], -COORDINATE_MAX, COORDINATE_MAX, &y, err);
        if (r == 0) {
            points[k][0] = (float)x;
            points[k][1] = (float)y;
        }
    }
    if (r == 0)
        r = tf_csv_file_name(&e->csv, e->file, &file, err);
    if (r < 0)
        return r;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", q->images, file) >= sizeof(path))
        return tf_fail(err, -ENAMETOOLONG, "%s:%u: the path of the picture is too long", e->csv.path,
                       e->csv.line);
    r = tf_image_load(&e->image, path, err);
    if (r < 0) {
        tf_error_prefix(err, "%s:%u", e->csv.path, e->csv.line);
        return r;
    }
    return judge(e, points, err);
}

/* A class that neither the truth nor the network has anywhere does not count. */
static double iou(const struct eval *e, int part, bool *counts)
{
    uint64_t all = e->truth[part] + e->given[part] - e->both[part];

    *counts = all > 0;
    return all > 0 ? 100.0 * (double)e->both[part] / (double)all : 0;
}

static void print(const struct eval *e, bool json)
{
    json_t *classes = json_object(), *o;
    double sum = 0;
    int n = 0;

    for (int part = 0; part < PARTS; part++) {
        bool counts;
        double value = iou(e, part, &counts);

        if (!counts)
            continue;
        sum += value;
        n++;
        json_object_set_new(classes, part_names[part], json_real(value));
        if (!json)
            printf("%-12s IoU %6.2f %%\n", part_names[part], value);
    }
    o = json_pack("{s:i,s:f,s:o}", "images", (int)e->images, "miou", sum / n, "by_class", classes);
    if (json) {
        json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
    } else {
        printf("%-12s IoU %6.2f %%   over %u image%s\n", "mean", sum / n, e->images, TF_PLURAL(e->images));
    }
    json_decref(o);
}

int tf_eval_segmentation(int argc, char **argv)
{
    const char *models = NULL, *arguments[TF_ARGUMENTS_MAX];
    struct request q = {.threads = 1};
    struct tf_progress progress;
    struct tf_error err = {0};
    struct eval *e;
    int status, r;
    const struct tf_bind bind[] = {
        {"images", &q.images},
        {"model", &q.model},
        {"models", &models},
        {"threads", &q.threads},
        {"cpu", &q.cpu},
        {"json", &q.json},
        {0},
    };
    const struct tf_usage *usage = tf_command("eval segmentation");

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    q.csv = arguments[0];
    if (!q.images || !q.model)
        return tf_usage_error(usage, "--images DIR and --model FILE are both needed");
    e = calloc(1, sizeof(*e));
    if (!e)
        return tf_command_error(usage, "out of memory");
    tf_catch_interrupt();
    r = open_all(e, &q, &err);
    if (r == 0) {
        tf_progress_start(&progress, 0, 0, q.json);
        while ((r = tf_csv_next(&e->csv, &err)) > 0) {
            r = tf_interrupted() ? tf_fail(&err, -EINTR, "interrupted") : run_row(e, &q, &err);
            if (r < 0)
                break;
            tf_progress_update(&progress, e->images);
        }
        tf_progress_end(&progress);
    }
    if (r == 0 && e->images == 0)
        r = tf_fail(&err, -EINVAL, "%s: no rows below the header", q.csv);
    if (r < 0)
        tf_command_error(usage, "%s", err.text);
    else
        print(e, q.json);
    tf_csv_close(&e->csv);
    tf_image_unload(&e->image);
    tf_segmenter_close(e->segmenter);
    free(e->labels);
    free(e);
    return r < 0 ? TF_EXIT_FAILURE : TF_EXIT_OK;
}
