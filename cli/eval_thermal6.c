/* thermoface eval thermal6: recordings played like a camera through finder, landmarks and tracker. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "cli/commands.h"
#include "pipeline/models.h"
#include "cli/eval.h"
#include "cli/eval_csv.h"
#include "cli/eval_six.h"
#include "cli/progress.h"
#include "inference/face/face.h"

#define LABELS_MAX 100000
#define STRETCHES_MAX 10000
#define REC_NAME_MAX 128
#define FRAME_MAX 100000000.0

struct label {
    char rec[REC_NAME_MAX];
    uint64_t frame;
    struct tf_six six;
    struct tf_six_score score;
    bool judged;
};

struct stretch {
    char rec[REC_NAME_MAX];
    uint64_t first, last;
};

struct eval {
    struct tf_csv csv; /* large; reused */
    struct label *labels;
    size_t label_count;
    struct stretch *stretches;
    size_t stretch_count;
    uint64_t frames, negative_frames, false_faces;
    struct tf_analyser *analyser;
    struct tf_faces faces;
};

struct request {
    const char *csv, *recordings, *negative, *models, *cpu;
    enum tf_mirror mirror;
    uint64_t threads;
    bool json;
    const char *format;
    uint16_t rotate;
};

static int read_rec(const struct tf_csv *csv, int column, char rec[REC_NAME_MAX], struct tf_error *err)
{
    const char *name;
    int r = tf_csv_file_name(csv, column, &name, err);

    if (r < 0)
        return r;
    if (strlen(name) >= REC_NAME_MAX)
        return tf_fail(err, -EINVAL, "%s:%u: rec: longer than %d characters", csv->path, csv->line,
                       REC_NAME_MAX - 1);
    strcpy(rec, name);
    return 0;
}

/* Room for one more, in steps. */
static int grow(void **list, size_t count, size_t each, size_t max, const struct tf_csv *csv,
                struct tf_error *err)
{
    void *larger;

    if (count >= max)
        return tf_fail(err, -E2BIG, "%s:%u: more than %zu rows", csv->path, csv->line, max);
    if (count % 256 != 0)
        return 0;
    larger = realloc(*list, (count + 256) * each);
    if (!larger)
        return tf_fail(err, -ENOMEM, "%s: out of memory", csv->path);
    *list = larger;
    return 0;
}

struct columns {
    int rec, frame;
    struct tf_six_columns six;
};

static int read_label(struct eval *e, const struct columns *columns, struct tf_error *err)
{
    struct label label = {0};
    double frame;
    int r = read_rec(&e->csv, columns->rec, label.rec, err);

    if (r == 0)
        r = tf_csv_number(&e->csv, columns->frame, 0, FRAME_MAX, &frame, err);
    if (r == 0)
        r = tf_six_read(&e->csv, &columns->six, &label.six, err);
    if (r < 0)
        return r;
    label.frame = (uint64_t)frame;
    if (tf_six_eyes(&label.six) == 0)
        return tf_fail(err, -EINVAL,
                       "%s:%u: an eye is blank; the eyes' distance is what errors are measured by",
                       e->csv.path, e->csv.line);
    r = grow((void **)&e->labels, e->label_count, sizeof(label), LABELS_MAX, &e->csv, err);
    if (r == 0)
        e->labels[e->label_count++] = label;
    return r;
}

static int read_labels(struct eval *e, const char *path, struct tf_error *err)
{
    struct columns columns;
    int r = tf_csv_open(&e->csv, path, err);

    if (r < 0)
        return r;
    columns.rec = tf_csv_column(&e->csv, "rec", err);
    columns.frame = columns.rec < 0 ? columns.rec : tf_csv_column(&e->csv, "frame", err);
    r = columns.frame < 0 ? columns.frame : tf_six_columns(&e->csv, &columns.six, err);
    while (r >= 0 && (r = tf_csv_next(&e->csv, err)) > 0)
        r = read_label(e, &columns, err);
    tf_csv_close(&e->csv);
    if (r == 0 && e->label_count == 0)
        r = tf_fail(err, -EINVAL, "%s: no rows below the header", path);
    return r;
}

static int read_stretches(struct eval *e, const char *path, struct tf_error *err)
{
    int rec, first, last, r = tf_csv_open(&e->csv, path, err);

    if (r < 0)
        return r;
    rec = tf_csv_column(&e->csv, "rec", err);
    first = rec < 0 ? rec : tf_csv_column(&e->csv, "first_frame", err);
    last = first < 0 ? first : tf_csv_column(&e->csv, "last_frame", err);
    r = last < 0 ? last : 0;
    while (r >= 0 && (r = tf_csv_next(&e->csv, err)) > 0) {
        struct stretch s;
        double a, b;

        r = read_rec(&e->csv, rec, s.rec, err);
        if (r == 0)
            r = tf_csv_number(&e->csv, first, 0, FRAME_MAX, &a, err);
        if (r == 0)
            r = tf_csv_number(&e->csv, last, 0, FRAME_MAX, &b, err);
        if (r == 0 && b < a)
            r = tf_fail(err, -EINVAL, "%s:%u: last_frame is before first_frame", e->csv.path, e->csv.line);
        if (r == 0)
            r = grow((void **)&e->stretches, e->stretch_count, sizeof(s), STRETCHES_MAX, &e->csv, err);
        if (r < 0)
            break;
        s.first = (uint64_t)a;
        s.last = (uint64_t)b;
        e->stretches[e->stretch_count++] = s;
    }
    tf_csv_close(&e->csv);
    return r;
}

static void judge_frame(struct eval *e, const char *rec, uint64_t number)
{
    bool negative = false;

    for (size_t i = 0; i < e->label_count; i++) {
        struct label *l = &e->labels[i];

        if (l->frame != number || strcmp(l->rec, rec) != 0)
            continue;
        l->score = tf_six_judge(&l->six, &e->faces);
        l->judged = true;
    }
    for (size_t i = 0; i < e->stretch_count && !negative; i++)
        negative = number >= e->stretches[i].first && number <= e->stretches[i].last &&
                   strcmp(e->stretches[i].rec, rec) == 0;
    if (negative) {
        e->negative_frames++;
        e->false_faces += e->faces.count;
    }
}

static int play(struct eval *e, const char *rec, const struct request *q, struct tf_progress *progress,
                struct tf_error *err)
{
    char path[4096];
    struct tf_source_options options = {
        .url = path, .format = q->format, .rotate = q->rotate, .pace = TF_PACE_FAST, .frames = 4};
    size_t n = strlen(rec);
    const char *ending = n > 4 && strcmp(rec + n - 4, ".mkv") == 0 ? "" : ".mkv";
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    enum tf_next next;
    int r;

    if ((size_t)snprintf(path, sizeof(path), "file:%s/%s%s", q->recordings, rec, ending) >= sizeof(path))
        return tf_fail(err, -ENAMETOOLONG, "%s: the path of recording %s is too long", q->recordings, rec);
    r = tf_source_open(&options, &source, err);
    if (r < 0)
        return r;
    r = tf_source_start(source, err);
    tf_analyser_reset(e->analyser);
    for (uint64_t number = 0; r == 0; number++) {
        next = tf_source_next(source, -1, &frame, err);
        if (next == TF_NEXT_END)
            break;
        if (next != TF_NEXT_FRAME) {
            if (next != TF_NEXT_ERROR)
                tf_fail(err, -EIO, "%s: reading stopped at frame %llu", path + 5, (unsigned long long)number);
            r = -EIO;
            break;
        }
        r = tf_analyser_process(e->analyser, frame, &e->faces);
        if (r < 0)
            tf_fail(err, r, "%s: frame %llu: %s", path + 5, (unsigned long long)number, strerror(-r));
        else
            judge_frame(e, rec, number);
        tf_frame_unref(frame);
        tf_progress_update(progress, ++e->frames);
        if (tf_interrupted())
            r = tf_fail(err, -EINTR, "interrupted");
    }
    tf_source_close(source);
    return r;
}

/* Each recording once: those of the labels in their order, then those of the stretches alone. */
static int play_all(struct eval *e, const struct request *q, struct tf_error *err)
{
    struct tf_progress progress;
    int r = 0;

    tf_progress_start(&progress, 0, 0, q->json);
    for (size_t i = 0; i < e->label_count + e->stretch_count && r == 0; i++) {
        const char *rec = i < e->label_count ? e->labels[i].rec : e->stretches[i - e->label_count].rec;
        bool done = false;

        for (size_t k = 0; k < i && !done; k++)
            done = strcmp(rec,
                          k < e->label_count ? e->labels[k].rec : e->stretches[k - e->label_count].rec) == 0;
        if (!done)
            r = play(e, rec, q, &progress, err);
    }
    tf_progress_end(&progress);
    for (size_t i = 0; i < e->label_count && r == 0; i++) {
        if (!e->labels[i].judged)
            r = tf_fail(err, -EINVAL, "%s: frame %llu of %s is labelled, but the recording is shorter",
                        q->csv, (unsigned long long)e->labels[i].frame, e->labels[i].rec);
    }
    return r;
}

struct summary {
    size_t faces, found, bad;
    double nme, each[TF_SIX];
    size_t each_count[TF_SIX];
};

static struct summary summarise(const struct eval *e, const char *rec)
{
    struct summary s = {0};

    for (size_t i = 0; i < e->label_count; i++) {
        const struct label *l = &e->labels[i];

        if (rec && strcmp(rec, l->rec) != 0)
            continue;
        s.faces++;
        s.bad += !l->score.found || l->score.error > 15;
        if (!l->score.found)
            continue;
        s.found++;
        s.nme += (double)l->score.error;
        for (int k = 0; k < TF_SIX; k++) {
            if (isnan(l->score.each[k]))
                continue;
            s.each[k] += (double)l->score.each[k];
            s.each_count[k]++;
        }
    }
    return s;
}

static void print_json(const struct eval *e, const struct request *q)
{
    struct summary s = summarise(e, NULL);
    double n = (double)s.faces;
    json_t *o = json_pack("{s:I,s:f}", "faces", (json_int_t)s.faces, "found", 100.0 * (double)s.found / n);

    /* No face found has no error; JSON has no NAN. */
    json_object_set_new(o, "nme", s.found > 0 ? json_real(s.nme / (double)s.found) : json_null());
    json_object_set_new(o, "fail15", json_real(100.0 * (double)s.bad / n));
    json_object_set_new(o, "false_per_1000",
                        q->negative && e->negative_frames > 0
                            ? json_real(1000.0 * (double)e->false_faces / (double)e->negative_frames)
                            : json_null());
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

static void print_row(const char *name, const struct summary *s)
{
    printf("%-40s %6zu %8.1f ", name, s->faces, 100.0 * (double)s->found / (double)s->faces);
    if (s->found > 0)
        printf("%8.2f ", s->nme / (double)s->found);
    else
        printf("%8s ", "-");
    printf("%8.1f\n", 100.0 * (double)s->bad / (double)s->faces);
}

static void print_table(const struct eval *e, const struct request *q)
{
    struct summary s;

    printf("%-40s %6s %8s %8s %8s\n", "recording", "faces", "found %", "NME %", ">15 %");
    for (size_t i = 0; i < e->label_count; i++) {
        bool done = false;

        for (size_t k = 0; k < i && !done; k++)
            done = strcmp(e->labels[k].rec, e->labels[i].rec) == 0;
        if (done)
            continue;
        s = summarise(e, e->labels[i].rec);
        print_row(e->labels[i].rec, &s);
    }
    s = summarise(e, NULL);
    print_row("all", &s);
    printf("\nby point, %% of the eye distance:");
    for (int k = 0; k < TF_SIX; k++) {
        if (s.each_count[k] > 0)
            printf("  %s %.1f", tf_six_names[k], s.each[k] / (double)s.each_count[k]);
    }
    putchar('\n');
    if (q->negative)
        printf("empty stretches: %llu face%s in %llu frame%s, %.1f per 1,000\n",
               (unsigned long long)e->false_faces, TF_PLURAL(e->false_faces),
               (unsigned long long)e->negative_frames, TF_PLURAL(e->negative_frames),
               e->negative_frames > 0 ? 1000.0 * (double)e->false_faces / (double)e->negative_frames : 0.0);
}

static int evaluate(const struct tf_usage *usage, const struct request *q)
{
    struct tf_analyser_options options = {.models = q->models,
                                          .threads = (int)q->threads,
                                          .cpu = q->cpu,
                                          .mirror = q->mirror,
                                          .track = true,
                                          .faces_max = TF_FACES_MAX};
    struct eval *e = calloc(1, sizeof(*e));
    struct tf_error err = {0};
    int r;

    if (!e)
        return tf_command_error(usage, "out of memory");
    tf_catch_interrupt();
    r = read_labels(e, q->csv, &err);
    if (r == 0 && q->negative)
        r = read_stretches(e, q->negative, &err);
    if (r == 0)
        r = tf_models_check(&options, &err);
    if (r == 0)
        r = tf_analyser_create(&options, &e->analyser, &err);
    if (r == 0)
        r = play_all(e, q, &err);
    if (r < 0)
        tf_command_error(usage, "%s", err.text);
    else if (q->json)
        print_json(e, q);
    else
        print_table(e, q);
    tf_analyser_destroy(e->analyser);
    tf_csv_close(&e->csv);
    free(e->labels);
    free(e->stretches);
    free(e);
    return r < 0 ? TF_EXIT_FAILURE : TF_EXIT_OK;
}

int tf_eval_thermal6(int argc, char **argv)
{
    const char *models = NULL, *mirror = NULL, *arguments[TF_ARGUMENTS_MAX];
    struct request q = {.threads = 1, .format = "lepton3-y16", .rotate = 90};
    int status;
    const struct tf_bind bind[] = {
        {"format", &q.format},
        {"rotate", &q.rotate},
        {"recordings", &q.recordings},
        {"negative", &q.negative},
        {"models", &models},
        {"threads", &q.threads},
        {"cpu", &q.cpu},
        {"mirror", &mirror},
        {"json", &q.json},
        {0},
    };
    const struct tf_usage *usage = tf_command("eval thermal6");

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    q.csv = arguments[0];
    if (!q.recordings)
        return tf_usage_error(
            usage, "--recordings DIR is needed: the folder with the recordings that the CSV names");
    if (mirror)
        tf_mirror_parse(mirror, &q.mirror);
    q.models = tf_models_folder(models);
    return evaluate(usage, &q);
}
