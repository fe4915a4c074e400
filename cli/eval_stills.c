/* thermoface eval stills: single thermal pictures through finder and landmarks, without a tracker. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/eval.h"
#include "cli/eval_csv.h"
#include "cli/eval_image.h"
#include "cli/eval_six.h"
#include "cli/eval_trust.h"
#include "cli/progress.h"
#include "inference/face/face.h"
#include "pipeline/models.h"

#define VALUES_MAX 32 /* different values of one grouping column */

struct request {
    const char *csv, *images, *models, *cpu, *points;
    enum tf_mirror mirror;
    uint64_t threads, clue;
    bool json;
};

/* A point whose confidence is right lies within so much of the eye distance, one that it should warn of
 * beyond so much; percent. */
#define RIGHT 10
#define BAD 15

struct tally {
    char name[64];
    unsigned faces, found, over15;
    double error; /* sum over found faces, in percent of the eye distance */
    double each[TF_SIX], down[TF_SIX];
    unsigned each_count[TF_SIX];
};

/* The columns that faces are told apart by; a file without one has no such table. */
enum { SOURCE, GLASSES, YAW, GROUPS };
static const char *const group_names[GROUPS] = {"source", "glasses", "yaw"};

struct stills {
    struct tf_csv csv;
    struct tf_image image;
    struct tf_six_columns six;
    int file, quality, group[GROUPS];
    struct tally all, by[GROUPS][VALUES_MAX];
    int values[GROUPS];
    unsigned poor, unmeasured; /* rows left out: of quality poor; with an eye that cannot be seen */
    struct tf_trust confidence, score;
    FILE *points;
    struct tf_analyser *analyser;
    struct tf_faces faces;
};

static int open_labels(struct stills *s, const char *path, struct tf_error *err)
{
    int r = tf_csv_open(&s->csv, path, err);

    if (r < 0)
        return r;
    s->file = tf_csv_column(&s->csv, "file", err);
    r = s->file < 0 ? s->file : tf_six_columns(&s->csv, &s->six, err);
    if (r < 0)
        return r;
    s->quality = tf_csv_has_column(&s->csv, "quality") ? tf_csv_column(&s->csv, "quality", err) : -1;
    for (int g = 0; g < GROUPS; g++)
        s->group[g] =
            tf_csv_has_column(&s->csv, group_names[g]) ? tf_csv_column(&s->csv, group_names[g], err) : -1;
    return 0;
}

static int tally_of(struct stills *s, int g, struct tally **ret, struct tf_error *err)
{
    const char *value = s->csv.field[s->group[g]];

    for (int i = 0; i < s->values[g]; i++) {
        if (strcmp(s->by[g][i].name, value) == 0) {
            *ret = &s->by[g][i];
            return 0;
        }
    }
    if (s->values[g] == VALUES_MAX || strlen(value) >= sizeof(s->all.name))
        return tf_fail(err, -E2BIG, "%s:%u: %s: more than %d values, or one longer than %zu characters",
                       s->csv.path, s->csv.line, group_names[g], VALUES_MAX, sizeof(s->all.name) - 1);
    *ret = &s->by[g][s->values[g]++];
    strcpy((*ret)->name, value);
    return 0;
}

static void add(struct tally *t, const struct tf_six_score *score)
{
    t->faces++;
    t->over15 += !score->found || score->error > 15;
    if (!score->found)
        return;
    t->found++;
    t->error += (double)score->error;
    for (int k = 0; k < TF_SIX; k++) {
        if (isnan(score->each[k]))
            continue;
        t->each[k] += (double)score->each[k];
        t->down[k] += (double)score->down[k];
        t->each_count[k]++;
    }
}

/* What was said of the points and of the face, and what came of it. */
static int trust(struct stills *s, const struct tf_six_score *score, struct tf_error *err)
{
    int counted = 0, right = 0, r = 0;

    for (int k = 0; k < TF_SIX && r == 0; k++) {
        if (!score->found || isnan(score->each[k]))
            continue;
        counted++;
        right += score->each[k] <= RIGHT;
        r = tf_trust_add(&s->confidence, score->confidence[k], score->each[k] <= RIGHT, score->each[k] > BAD,
                         err);
    }
    return r < 0 || !counted ? r
                             : tf_trust_add(&s->score, s->faces.faces[score->face].score,
                                            (float)right / (float)counted, score->error > BAD, err);
}

/* A line for a row that was judged: its number, and of the face the 68 points and each region's mean, sd, min
 * and max; none where it was not found. */
static int write_points(struct stills *s, const struct request *q, const struct tf_six_score *score,
                        struct tf_error *err)
{
    const struct tf_face *face = &s->faces.faces[score->face];

    fprintf(s->points, "{\"line\":%u,\"score\":%.6g,\"points\":[", s->csv.line,
            score->found ? (double)face->score : 0);
    for (int k = 0; k < TF_POINTS && score->found; k++)
        fprintf(s->points, "%s[%.3f,%.3f,%.6g]", k ? "," : "", (double)face->points[k].x,
                (double)face->points[k].y, (double)face->points[k].confidence);
    fprintf(s->points, "],\"regions\":{");
    for (int i = 0; i < TF_REGIONS && score->found; i++) {
        const struct tf_region_stats *g = &face->regions[i];

        /* NAN is no JSON. */
        fprintf(s->points, "%s\"%s\":[", i ? "," : "", tf_region_name((enum tf_region)i));
        if (g->n > 0)
            fprintf(s->points, "%.6g,%.6g,%.6g,%.6g", (double)g->mean, (double)g->sd, (double)g->min,
                    (double)g->max);
        fprintf(s->points, "]");
    }
    fprintf(s->points, "}}\n");
    return ferror(s->points) ? tf_fail(err, -EIO, "%s: cannot write", q->points) : 0;
}

/* The row that the file is at. */
static int judge(struct stills *s, const struct request *q, struct tf_error *err)
{
    struct tf_six_score score;
    struct tally *tally = NULL;
    struct tf_six six;
    char path[4096];
    const char *file;
    int r = tf_csv_file_name(&s->csv, s->file, &file, err);

    if (r == 0)
        r = tf_six_read(&s->csv, &s->six, &six, err);
    if (r < 0)
        return r;
    if (s->quality >= 0 && strcmp(s->csv.field[s->quality], "poor") == 0) {
        s->poor++;
        return 0;
    }
    if (tf_six_eyes(&six) == 0) {
        s->unmeasured++;
        return 0;
    }
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", q->images, file) >= sizeof(path))
        return tf_fail(err, -ENAMETOOLONG, "%s:%u: the path of the picture is too long", s->csv.path,
                       s->csv.line);
    r = tf_image_load(&s->image, path, err);
    if (r < 0) {
        tf_error_prefix(err, "%s:%u", s->csv.path, s->csv.line);
        return r;
    }
    /* Each picture alone: nothing of the one before. */
    tf_analyser_reset(s->analyser);
    r = tf_analyser_process(s->analyser, &s->image.frame, &s->faces);
    if (r < 0)
        return tf_fail(err, r, "%s:%u: %s: %s", s->csv.path, s->csv.line, path, strerror(-r));
    score = tf_six_judge(&six, &s->faces);
    add(&s->all, &score);
    r = trust(s, &score, err);
    if (r == 0 && s->points)
        r = write_points(s, q, &score, err);
    for (int g = 0; g < GROUPS && r == 0; g++) {
        if (s->group[g] < 0)
            continue;
        r = tally_of(s, g, &tally, err);
        if (r == 0)
            add(tally, &score);
    }
    return r;
}

static int run_all(struct stills *s, const struct request *q, struct tf_error *err)
{
    struct tf_progress progress;
    int r;

    tf_progress_start(&progress, 0, 0, q->json);
    while ((r = tf_csv_next(&s->csv, err)) > 0) {
        r = judge(s, q, err);
        if (r == 0 && tf_interrupted())
            r = tf_fail(err, -EINTR, "interrupted after %u face%s", s->all.faces, TF_PLURAL(s->all.faces));
        if (r < 0)
            break;
        tf_progress_update(&progress, s->all.faces);
    }
    tf_progress_end(&progress);
    if (r == 0 && s->all.faces == 0)
        r = tf_fail(err, -EINVAL,
                    "%s: no row to judge (%u of quality poor, %u with an eye that cannot be seen)", q->csv,
                    s->poor, s->unmeasured);
    return r;
}

static json_t *tally_json(const struct tally *t)
{
    json_t *points = json_object();
    json_t *o = json_pack("{s:i,s:f}", "faces", (int)t->faces, "found", 100.0 * t->found / t->faces);

    /* No face found has no error; JSON has no NAN. */
    json_object_set_new(o, "nme", t->found > 0 ? json_real(t->error / t->found) : json_null());
    json_object_set_new(o, "fail15", json_real(100.0 * t->over15 / t->faces));
    for (int k = 0; k < TF_SIX; k++) {
        if (t->each_count[k] > 0)
            json_object_set_new(points, tf_six_names[k],
                                json_pack("{s:f,s:f}", "error", t->each[k] / t->each_count[k], "down",
                                          t->down[k] / t->each_count[k]));
    }
    json_object_set_new(o, "by_point", points);
    return o;
}

static void print_json(struct stills *s)
{
    json_t *o = tally_json(&s->all);
    char name[16];

    for (int g = 0; g < GROUPS; g++) {
        json_t *by = json_object();

        for (int i = 0; i < s->values[g]; i++)
            json_object_set_new(by, s->by[g][i].name, tally_json(&s->by[g][i]));
        snprintf(name, sizeof(name), "by_%s", group_names[g]);
        json_object_set_new(o, name, by);
    }
    json_object_set_new(o, "left_out",
                        json_pack("{s:i,s:i}", "poor", (int)s->poor, "eye_unseen", (int)s->unmeasured));
    json_object_set_new(o, "confidence", tf_trust_json(&s->confidence));
    json_object_set_new(o, "score", tf_trust_json(&s->score));
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

static void print_row(const char *group, const struct tally *t)
{
    printf("%-8s %-16s %6u %8.1f ", group, t->name, t->faces, 100.0 * t->found / t->faces);
    if (t->found > 0)
        printf("%8.2f ", t->error / t->found);
    else
        printf("%8s ", "-");
    printf("%8.1f\n", 100.0 * t->over15 / t->faces);
}

static void print_trust(const char *name, struct tf_trust *t)
{
    double auc = tf_trust_auc(t), ece = tf_trust_ece(t);

    if (t->count)
        printf("%s: expected calibration error %.3f, AUC of \"off by over %d %%\" ", name, ece, BAD);
    if (t->count && isfinite(auc))
        printf("%.2f\n", auc);
    else if (t->count)
        printf("-\n");
}

static void print_table(struct stills *s)
{
    printf("%-8s %-16s %6s %8s %8s %8s\n", "", "", "faces", "found %", "NME %", ">15 %");
    print_row("all", &s->all);
    for (int g = 0; g < GROUPS; g++) {
        for (int i = 0; i < s->values[g]; i++)
            print_row(group_names[g], &s->by[g][i]);
    }
    printf("\nby point, %% of the eye distance (of it too low):");
    for (int k = 0; k < TF_SIX; k++) {
        if (s->all.each_count[k] > 0)
            printf("  %s %.1f (%+.1f)", tf_six_names[k], s->all.each[k] / s->all.each_count[k],
                   s->all.down[k] / s->all.each_count[k]);
    }
    putchar('\n');
    print_trust("confidence of points", &s->confidence);
    print_trust("score of faces", &s->score);
    printf("left out: %u of quality poor, %u with an eye that cannot be seen\n", s->poor, s->unmeasured);
}

static int evaluate(const struct tf_usage *usage, const struct request *q)
{
    struct tf_analyser_options options = {.models = q->models,
                                          .threads = (int)q->threads,
                                          .cpu = q->cpu,
                                          .mirror = q->mirror,
                                          .faces_max = TF_FACES_MAX,
                                          .clue = (int)q->clue};
    struct stills *s = calloc(1, sizeof(*s));
    struct tf_error err = {0};
    int r;

    if (!s)
        return tf_command_error(usage, "out of memory");
    tf_catch_interrupt();
    r = open_labels(s, q->csv, &err);
    if (r == 0 && q->points) {
        s->points = fopen(q->points, "wx");
        if (!s->points)
            r = tf_fail(&err, -errno, "%s: cannot create: %s", q->points, strerror(errno));
    }
    if (r == 0)
        r = tf_models_check(&options, &err);
    if (r == 0)
        r = tf_analyser_create(&options, &s->analyser, &err);
    if (r == 0)
        r = run_all(s, q, &err);
    if (s->points && fclose(s->points) != 0 && r == 0)
        r = tf_fail(&err, -EIO, "%s: cannot write: %s", q->points, strerror(errno));
    if (r < 0)
        tf_command_error(usage, "%s", err.text);
    else if (q->json)
        print_json(s);
    else
        print_table(s);
    tf_analyser_destroy(s->analyser);
    tf_image_unload(&s->image);
    tf_csv_close(&s->csv);
    tf_trust_finish(&s->confidence);
    tf_trust_finish(&s->score);
    free(s);
    return r < 0 ? TF_EXIT_FAILURE : TF_EXIT_OK;
}

int tf_eval_stills(int argc, char **argv)
{
    const char *models = NULL, *mirror = NULL, *arguments[TF_ARGUMENTS_MAX];
    struct request q = {.threads = 1};
    int status;
    const struct tf_bind bind[] = {
        {"images", &q.images}, {"models", &models}, {"threads", &q.threads},
        {"cpu", &q.cpu},       {"mirror", &mirror}, {"points", &q.points},
        {"clue", &q.clue},     {"json", &q.json},   {0},
    };
    const struct tf_usage *usage = tf_command("eval stills");

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    q.csv = arguments[0];
    if (!q.images)
        return tf_usage_error(usage,
                              "--images DIR is needed: the folder with the pictures that the CSV names");
    if (mirror)
        tf_mirror_parse(mirror, &q.mirror);
    q.models = tf_models_folder(models);
    return evaluate(usage, &q);
}
