/* Reliability of probabilities: bins, expected calibration error, area under the ROC curve. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "cli/eval_trust.h"

struct bin {
    size_t n;
    double said, right;
};

int tf_trust_add(struct tf_trust *t, float said, float right, bool bad, struct tf_error *err)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 256;
        struct tf_trust_pair *pairs = realloc(t->pairs, room * sizeof(*pairs));

        if (!pairs)
            return tf_fail(err, -ENOMEM, "out of memory");
        t->pairs = pairs;
        t->room = room;
    }
    t->pairs[t->count++] = (struct tf_trust_pair){said, right, bad};
    return 0;
}

void tf_trust_finish(struct tf_trust *t)
{
    free(t->pairs);
    *t = (struct tf_trust){0};
}

static int by_said(const void *a, const void *b)
{
    float x = ((const struct tf_trust_pair *)a)->said, y = ((const struct tf_trust_pair *)b)->said;

    return (x > y) - (x < y);
}

double tf_trust_auc(struct tf_trust *t)
{
    size_t bad = 0, below = 0; /* bad ones that were said to be less likely, of all so far */
    double wins = 0;

    if (t->count)
        qsort(t->pairs, t->count, sizeof(*t->pairs), by_said);
    for (size_t i = 0, next; i < t->count; i = next) {
        size_t bad_here = 0;

        for (next = i; next < t->count && t->pairs[next].said <= t->pairs[i].said; next++)
            bad_here += t->pairs[next].bad;
        /* Of those that are alike, half the pairs count as told apart. */
        wins += (double)(next - i - bad_here) * ((double)below + 0.5 * (double)bad_here);
        below += bad_here;
        bad += bad_here;
    }
    return wins / ((double)bad * (double)(t->count - bad));
}

static void sort_in(const struct tf_trust *t, struct bin bins[TF_TRUST_BINS])
{
    for (size_t i = 0; i < t->count; i++) {
        int b = (int)(t->pairs[i].said * TF_TRUST_BINS);
        struct bin *bin = &bins[b < 0 ? 0 : b < TF_TRUST_BINS ? b : TF_TRUST_BINS - 1];

        bin->n++;
        bin->said += (double)t->pairs[i].said;
        bin->right += (double)t->pairs[i].right;
    }
}

double tf_trust_ece(const struct tf_trust *t)
{
    struct bin bins[TF_TRUST_BINS] = {{0}};
    double sum = 0;

    sort_in(t, bins);
    for (int b = 0; b < TF_TRUST_BINS; b++)
        sum += fabs(bins[b].said - bins[b].right);
    return sum / (double)t->count;
}

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *tf_trust_json(struct tf_trust *t)
{
    struct bin bins[TF_TRUST_BINS] = {{0}};
    json_t *o = json_object(), *table = json_array();
    double said = 0, right = 0;

    sort_in(t, bins);
    for (int b = 0; b < TF_TRUST_BINS; b++) {
        said += bins[b].said;
        right += bins[b].right;
        if (bins[b].n)
            json_array_append_new(table,
                                  json_pack("{s:f,s:f,s:I,s:f,s:f}", "from", b / (double)TF_TRUST_BINS, "to",
                                            (b + 1) / (double)TF_TRUST_BINS, "n", (json_int_t)bins[b].n,
                                            "mean", bins[b].said / (double)bins[b].n, "right",
                                            bins[b].right / (double)bins[b].n));
    }
    json_object_set_new(o, "n", json_integer((json_int_t)t->count));
    json_object_set_new(o, "mean", real_or_null(said / (double)t->count));
    json_object_set_new(o, "right", real_or_null(right / (double)t->count));
    json_object_set_new(o, "auc15", real_or_null(tf_trust_auc(t)));
    json_object_set_new(o, "ece", real_or_null(tf_trust_ece(t)));
    json_object_set_new(o, "reliability", table);
    return o;
}
