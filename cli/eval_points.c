/* thermoface eval visible68 and points: a landmark network from the true boxes of labelled pictures. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "pipeline/models.h"
#include "cli/eval.h"
#include "cli/eval_csv.h"
#include "cli/eval_image.h"
#include "cli/eval_orders.h"
#include "cli/progress.h"
#include "inference/face/tracker.h"
#include "inference/face/landmarks.h"

#define SOURCES_MAX 32
#define COORDINATE_MAX 65536.0
/* pi (3 - sqrt 5): directions of any number of rows spread evenly. */
#define GOLDEN_ANGLE 2.39996322972865332

/* Groups of the 68 points, for people. */
static const struct {
    const char *name;
    int first, count;
} groups[] = {{"jaw", 0, 17}, {"brows", 17, 10}, {"nose", 27, 9}, {"eyes", 36, 12}, {"mouth", 48, 20}};
#define GROUPS 5

struct tally {
    char source[64];
    unsigned images, over10;
    double nme, auc; /* sums over images; nme in percent */
    double mae, mse; /* sums over images of the mean over coordinates, in the network's input pixels */
    double group[GROUPS];
    unsigned group_images[GROUPS]; /* those with a point of the group */
    unsigned unmeasured;           /* rows left out: an outer eye corner cannot be seen */
};

struct score {
    struct tf_csv csv;
    struct tf_image image;
    struct tf_landmarks *landmarks;
    struct tf_landmarks_info info;
    struct tf_order order;
    struct tally all, source[SOURCES_MAX];
    int sources, file, source_column, x[68], y[68];
};

struct request {
    const char *csv, *images, *model;
    const char *cpu;
    uint64_t threads, readings;
    double box_off; /* percent of the box's longer side */
    bool json, points, mirror;
};

static int open_labels(struct score *s, const struct request *q, struct tf_error *err)
{
    char name[16];
    int r = tf_csv_open(&s->csv, q->csv, err);

    if (r < 0)
        return r;
    s->file = tf_csv_column(&s->csv, "file", err);
    if (s->file < 0)
        return s->file;
    s->source_column = tf_csv_has_column(&s->csv, "source") ? tf_csv_column(&s->csv, "source", err) : -1;
    for (int k = 0; k < 68; k++) {
        snprintf(name, sizeof(name), "x%d", k);
        s->x[k] = tf_csv_column(&s->csv, name, err);
        snprintf(name, sizeof(name), "y%d", k);
        s->y[k] = s->x[k] < 0 ? s->x[k] : tf_csv_column(&s->csv, name, err);
        if (s->y[k] < 0)
            return s->y[k];
    }
    return 0;
}

static int read_truth(const struct score *s, float truth[68][2], struct tf_error *err)
{
    for (int k = 0; k < 68; k++) {
        double x, y;
        int r;

        truth[k][0] = truth[k][1] = NAN; /* blank in pairs: cannot be seen, does not count */
        if (!*s->csv.field[s->x[k]] && !*s->csv.field[s->y[k]])
            continue;
        r = tf_csv_number(&s->csv, s->x[k], -COORDINATE_MAX, COORDINATE_MAX, &x, err);

        if (r == 0)
            r = tf_csv_number(&s->csv, s->y[k], -COORDINATE_MAX, COORDINATE_MAX, &y, err);
        if (r < 0)
            return r;
        truth[k][0] = (float)x;
        truth[k][1] = (float)y;
    }
    return 0;
}

static struct tally *tally_of(struct score *s, const char *source, struct tf_error *err)
{
    for (int i = 0; i < s->sources; i++) {
        if (strcmp(s->source[i].source, source) == 0)
            return &s->source[i];
    }
    if (s->sources == SOURCES_MAX || strlen(source) >= sizeof(s->source[0].source)) {
        tf_fail(err, -E2BIG, "%s:%u: source: more than %d sources, or a name longer than %zu", s->csv.path,
                s->csv.line, SOURCES_MAX, sizeof(s->source[0].source) - 1);
        return NULL;
    }
    strcpy(s->source[s->sources].source, source);
    return &s->source[s->sources++];
}

static void add(struct tally *t, const struct tally *one)
{
    t->images++;
    t->nme += one->nme;
    t->auc += one->auc;
    t->over10 += one->over10;
    t->mae += one->mae;
    t->mse += one->mse;
    for (int g = 0; g < GROUPS; g++) {
        t->group[g] += one->group[g];
        t->group_images[g] += one->group_images[g];
    }
}

/* The network's points: from the true box, or from one that is off by --box-off; --readings after the first
 * begin at the last one's points, as a tracker does. */
static int read_points(struct score *s, const struct request *q, const float truth[68][2],
                       struct tf_point points[TF_LANDMARKS_MAX])
{
    double off, angle = GOLDEN_ANGLE * s->all.images;
    float box[4];
    int r = 0;

    tf_truth_box(truth, box);
    off = q->box_off / 100 * (double)fmaxf(box[2], box[3]);
    box[0] += (float)(off * cos(angle));
    box[1] += (float)(off * sin(angle));
    for (uint64_t i = 0; i < q->readings && r >= 0; i++) {
        r = tf_landmarks_run(s->landmarks, &s->image.frame, box, points);
        if (r >= 0)
            tf_points_box(points, (int)s->order.points, box);
    }
    return r;
}

/* One picture: box of the true points, the network's points, distances. */
static int judge(struct score *s, const struct request *q, const float truth[68][2], struct tally *one,
                 struct tf_error *err)
{
    struct tf_point points[TF_LANDMARKS_MAX];
    float target[TF_LANDMARKS_MAX][2], box[4];
    double eyes = hypot((double)truth[45][0] - truth[36][0], (double)truth[45][1] - truth[36][1]);
    unsigned seen = 0, seen_of[GROUPS] = {0};
    double per_input, sum = 0;
    int r;

    if (!(eyes > 0))
        return tf_fail(err, -EINVAL, "%s:%u: the outer eye corners (36, 45) are one point", s->csv.path,
                       s->csv.line);
    r = read_points(s, q, truth, points);
    if (r < 0)
        return tf_fail(err, r, "%s:%u: the face's box lies outside the picture", s->csv.path, s->csv.line);
    tf_order_apply(&s->order, truth, target);
    tf_truth_box(truth, box);
    per_input = (double)s->info.width / (double)(s->info.crop_scale * fmaxf(box[2], box[3]));
    for (uint32_t k = 0; k < s->order.points; k++) {
        double dx = (double)points[k].x - target[k][0], dy = (double)points[k].y - target[k][1];
        double d = hypot(dx, dy);

        if (isnan(d))
            continue;
        seen++;
        sum += d;
        one->mae += (fabs(dx) + fabs(dy)) * per_input / 2;
        one->mse += (dx * dx + dy * dy) * per_input * per_input / 2;
        for (int g = 0; g < GROUPS && s->order.points == 68; g++) {
            if ((int)k < groups[g].first || (int)k >= groups[g].first + groups[g].count)
                continue;
            one->group[g] += 100 * d / eyes;
            seen_of[g]++;
        }
    }
    if (seen == 0)
        return tf_fail(err, -EINVAL, "%s:%u: none of the network's points is labelled", s->csv.path,
                       s->csv.line);
    for (int g = 0; g < GROUPS; g++) {
        one->group_images[g] = seen_of[g] > 0;
        one->group[g] /= seen_of[g] > 0 ? seen_of[g] : 1;
    }
    one->mae /= seen;
    one->mse /= seen;
    one->nme = 100 * sum / seen / eyes;
    one->over10 = one->nme > 10;
    /* The area under this picture's own step of the cumulative curve; their mean is the curve's area. */
    one->auc = one->nme < 10 ? 1 - one->nme / 10 : 0;
    return 0;
}

static int run_all(struct score *s, const struct request *q, struct tf_error *err)
{
    struct tf_progress progress;
    float truth[68][2];
    char path[4096];
    int r;

    tf_progress_start(&progress, 0, 0, q->json);
    while ((r = tf_csv_next(&s->csv, err)) > 0) {
        struct tally one = {0}, *source = NULL;
        const char *file;

        if (tf_interrupted()) {
            r = tf_fail(err, -EINTR, "interrupted after %u picture%s", s->all.images,
                        TF_PLURAL(s->all.images));
            break;
        }
        if ((r = read_truth(s, truth, err)) < 0 || (r = tf_csv_file_name(&s->csv, s->file, &file, err)) < 0)
            break;
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", q->images, file) >= sizeof(path)) {
            r = tf_fail(err, -ENAMETOOLONG, "%s:%u: the path of the picture is too long", s->csv.path,
                        s->csv.line);
            break;
        }
        if (isnan(truth[36][0]) || isnan(truth[45][0])) {
            s->all.unmeasured++;
            continue;
        }
        r = tf_image_load(&s->image, path, err);
        if (r < 0) {
            tf_error_prefix(err, "%s:%u", s->csv.path, s->csv.line);
            break;
        }
        if (s->source_column >= 0 && !(source = tally_of(s, s->csv.field[s->source_column], err))) {
            r = -E2BIG;
            break;
        }
        r = judge(s, q, truth, &one, err);
        if (r < 0)
            break;
        add(&s->all, &one);
        if (source)
            add(source, &one);
        tf_progress_update(&progress, s->all.images);
    }
    tf_progress_end(&progress);
    if (r == 0 && s->all.images == 0)
        r = s->all.unmeasured > 0
                ? tf_fail(err, -EINVAL, "%s: no row with both outer eye corners", s->csv.path)
                : tf_fail(err, -EINVAL, "%s: no rows below the header", s->csv.path);
    return r;
}

static json_t *tally_json(const struct score *s, const struct tally *t, const struct request *q, bool all)
{
    double n = t->images;
    json_t *parts;
    json_t *o = json_pack("{s:i,s:f,s:f}", "images", (int)t->images, "nme", t->nme / n, "fail10",
                          100.0 * t->over10 / n);

    if (all)
        json_object_set_new(o, "auc10", json_real(t->auc / n));
    if (q->points) {
        json_object_set_new(o, "mae", json_real(t->mae / n));
        json_object_set_new(o, "mse", json_real(t->mse / n));
    }
    if (s->order.points == 68) {
        parts = json_object();
        for (int g = 0; g < GROUPS; g++)
            json_object_set_new(parts, groups[g].name,
                                t->group_images[g] ? json_real(t->group[g] / t->group_images[g])
                                                   : json_null());
        json_object_set_new(o, "by_part", parts);
    }
    return o;
}

static void print_json(const struct score *s, const struct request *q)
{
    json_t *o = tally_json(s, &s->all, q, true), *by = json_object();

    if (q->points) {
        json_object_set_new(o, "points", json_integer(s->order.points));
        json_object_set_new(o, "order", json_string(s->info.order));
    }
    for (int i = 0; i < s->sources; i++)
        json_object_set_new(by, s->source[i].source, tally_json(s, &s->source[i], q, false));
    json_object_set_new(o, "by_source", by);
    if (s->all.unmeasured > 0)
        json_object_set_new(o, "left_out", json_integer(s->all.unmeasured));
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

static void print_row(const char *name, const struct tally *t, const struct request *q)
{
    double n = t->images;

    printf("%-12s %7u %8.2f %8.2f %7.3f", name, t->images, t->nme / n, 100.0 * t->over10 / n, t->auc / n);
    if (q->points)
        printf(" %8.3f %8.3f", t->mae / n, t->mse / n);
    putchar('\n');
}

static void print_table(const struct score *s, const struct request *q)
{
    printf("%-12s %7s %8s %8s %7s", "", "images", "NME %", ">10 %", "AUC10");
    printf(q->points ? " %8s %8s\n" : "\n", "MAE px", "MSE px2");
    print_row("all", &s->all, q);
    for (int i = 0; i < s->sources; i++)
        print_row(s->source[i].source, &s->source[i], q);
    if (s->order.points != 68)
        return;
    printf("\nby part, %% of the eye distance:");
    for (int g = 0; g < GROUPS; g++)
        printf("  %s %.2f", groups[g].name,
               s->all.group[g] / (s->all.group_images[g] ? s->all.group_images[g] : 1));
    putchar('\n');
}

static int evaluate(const struct tf_usage *usage, const struct request *q)
{
    struct score *s = calloc(1, sizeof(*s));
    struct tf_error err = {0};
    int r;

    if (!s)
        return tf_command_error(usage, "out of memory");
    tf_catch_interrupt();
    r = tf_landmarks_open(q->model, (int)q->threads, q->cpu, &s->landmarks, &err);
    if (r < 0)
        goto out;
    s->info = tf_landmarks_info(s->landmarks);
    r = tf_order_read(q->model, s->info.order, s->info.from68, s->info.points, &s->order, &err);
    if (r == 0 && !q->points && s->order.points != 68)
        r = tf_fail(&err, -EINVAL, "%s: %u points; visible68 needs 68 ('thermoface eval points' takes any)",
                    q->model, s->info.points);
    if (r == 0 && q->readings > 1 && s->order.points != 68)
        r = tf_fail(&err, -EINVAL, "%s: --readings needs 68 points: the box of %u others is not the face's",
                    q->model, s->info.points);
    if (r == 0 && (r = tf_landmarks_set_mirror(s->landmarks, q->mirror)) < 0)
        tf_fail(&err, r, "%s: %s", q->model,
                r == -ENOTSUP ? "--mirror needs 68 points in the order ibug68" : "out of memory");
    if (r == 0)
        r = open_labels(s, q, &err);
    if (r == 0)
        r = run_all(s, q, &err);
    if (r == 0 && q->json)
        print_json(s, q);
    else if (r == 0)
        print_table(s, q);
out:
    if (r < 0)
        tf_command_error(usage, "%s", err.text);
    tf_csv_close(&s->csv);
    tf_image_unload(&s->image);
    tf_landmarks_close(s->landmarks);
    free(s);
    return r < 0 ? TF_EXIT_FAILURE : TF_EXIT_OK;
}

static int command(int argc, char **argv, bool points)
{
    const char *models = NULL, *arguments[TF_ARGUMENTS_MAX];
    struct request q = {.threads = 1, .readings = 1, .points = points};
    char path[4096];
    struct tf_error err = {0};
    int status;
    const struct tf_bind bind[] = {
        {"images", &q.images},     {"model", &q.model},
        {"models", &models},       {"threads", &q.threads},
        {"cpu", &q.cpu},           {"box-off", &q.box_off},
        {"readings", &q.readings}, {"mirror", &q.mirror},
        {"json", &q.json},         {0},
    };
    const struct tf_usage *usage = tf_command(points ? "eval points" : "eval visible68");

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    q.csv = arguments[0];
    if (!q.images)
        return tf_usage_error(usage, "--images DIR is needed: the folder of the pictures that the CSV names");
    if (!q.model && points)
        return tf_usage_error(usage, "--model FILE is needed");
    if (!q.model) {
        models = tf_models_folder(models);
        if (tf_models_have(models, "landmarks68.onnx", &err) < 0)
            return tf_command_error(usage, "%s", err.text);
        snprintf(path, sizeof(path), "%s/landmarks68.onnx", models);
        q.model = path;
    }
    return evaluate(usage, &q);
}

int tf_eval_visible68(int argc, char **argv)
{
    return command(argc, argv, false);
}

int tf_eval_points(int argc, char **argv)
{
    return command(argc, argv, true);
}
