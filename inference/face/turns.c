/* Which quarter turn makes a camera's picture upright, from many readings, and when the next one is due. */
#include <string.h>

#include "inference/face/turns.h"

/* Nearer than that no two readings lie but by chance. */
#define APART_MIN 0.004f
/* A reading with so much evidence is of a face that stands upright there, as a rule. */
#define EVIDENCE_SOME 0.5f

void tf_turns_reset(struct tf_turns *turns)
{
    memset(turns, 0, sizeof(*turns));
}

bool tf_turns_due(struct tf_turns *s, uint64_t t, uint64_t every_ns, uint16_t *rotate)
{
    uint64_t every = s->empty >= TF_TURNS_IDLE_ROUNDS ? every_ns * TF_TURNS_IDLE : every_ns;

    /* A clock that ran back, or was asked for the first time. */
    if (!s->begun || t + (TF_TURNS_BURST + 1) * every < s->due_ns)
        s->due_ns = t;
    s->begun = true;
    if (t < s->due_ns)
        return false;
    /* A slow camera makes up for the time between its frames, but not for a pause. */
    if (t - s->due_ns >= TF_TURNS_BURST * every)
        s->due_ns = t - (TF_TURNS_BURST - 1) * every;
    s->due_ns += every;
    *rotate = (uint16_t)(90 * s->next);
    return true;
}

static void judge(struct tf_turns *s)
{
    uint32_t best = 0, second;

    for (uint32_t i = 1; i < 4; i++)
        if (s->sum[i] > s->sum[best])
            best = i;
    second = best ? 0 : 1;
    for (uint32_t i = 0; i < 4; i++)
        if (i != best && s->sum[i] > s->sum[second])
            second = i;
    s->best = (uint16_t)(90 * best);
    s->second = (uint16_t)(90 * second);
    if (s->sum[best] - s->sum[second] >= TF_TURNS_AHEAD && s->sum[best] >= TF_TURNS_TIMES * s->sum[second])
        s->verdict = TF_TURNS_CLEAR;
    else
        s->verdict = s->sum[best] >= TF_TURNS_TIE_FROM ? TF_TURNS_TIE : TF_TURNS_OPEN;
}

/*
 * A round's evidence is that of its best reading, shared out among the four: an upright face's readings lie
 * two to five times nearer to each other than those of the same face in another turn, whatever camera and
 * scene make of both.
 */
static void share_out(struct tf_turns *s)
{
    float weight[4], all = 0, most = 0;
    bool found = false;

    for (int i = 0; i < 4; i++) {
        const struct tf_turn_reading *r = &s->round[i];
        float apart = r->apart > APART_MIN ? r->apart : APART_MIN;

        weight[i] = r->evidence / (apart * apart * apart);
        all += weight[i];
        most = r->evidence > most ? r->evidence : most;
        found |= r->found;
    }
    s->empty = found ? 0 : s->empty + 1;
    for (int i = 0; i < 4; i++)
        s->sum[i] = s->sum[i] * TF_TURNS_KEEP + (all > 0 ? most * weight[i] / all : 0);
}

void tf_turns_add(struct tf_turns *s, const struct tf_turn_reading *reading)
{
    s->round[s->next] = *reading;
    s->next = (s->next + 1) % 4;
    if (s->next != 0)
        return;
    share_out(s);
    judge(s);
    s->rounds++;
}

/* The turn that the last round speaks for, -1: none. */
static int round_best(const struct tf_turns *s)
{
    int best = -1;

    for (int i = 0; i < 4; i++)
        if (s->round[i].evidence >= EVIDENCE_SOME && (best < 0 || s->round[i].apart < s->round[best].apart))
            best = i;
    return best < 0 ? -1 : 90 * best;
}

bool tf_turns_resting(struct tf_turns_rest *rest, struct tf_turns *turns, uint64_t t)
{
    if (!rest->until_ns)
        return false;
    /* A clock that ran back does not lengthen it. */
    if (t < rest->until_ns && rest->until_ns - t <= rest->length_ns)
        return true;
    rest->until_ns = 0;
    turns->begun = false; /* what was not read meanwhile is not made up for */
    return false;
}

void tf_turns_may_rest(struct tf_turns_rest *rest, const struct tf_turns *turns, int settled, int given,
                       uint64_t t)
{
    int best = round_best(turns);

    if (turns->rounds == rest->rounds)
        return;
    rest->rounds = turns->rounds;
    rest->length_ns = 0;
    rest->agreed = turns->rounds && best >= 0 && best == given ? rest->agreed + 1 : 0;
    if (!turns->rounds) { /* a verdict was taken over */
        rest->unclear = 0;
        rest->length_ns = TF_TURNS_REST_SETTLED_NS;
    } else if (turns->empty) {
        if (turns->empty >= TF_TURNS_IDLE_ROUNDS)
            rest->length_ns = TF_TURNS_REST_EMPTY_NS;
    } else if (settled >= 0 && !rest->unclear && (best < 0 || best == settled)) {
        rest->length_ns = TF_TURNS_REST_SETTLED_NS;
    } else if (settled < 0 && rest->agreed >= TF_TURNS_AGREED) {
        rest->length_ns = TF_TURNS_REST_SETTLED_NS;
    } else if (++rest->unclear > TF_TURNS_UNCLEAR) {
        rest->length_ns = TF_TURNS_REST_UNCLEAR_NS;
    }
    rest->until_ns = rest->length_ns ? t + rest->length_ns : 0;
}
