/*
 * Slots with a version each, odd while it is written (a sequence lock). The payload is read and written as
 * atomic words, so that a reader that meets a writer sees mixed words, never undefined ones, and drops them
 * when the version has moved. H.-J. Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?",
 * MSPC 2012.
 */
#include "pipeline/exchange.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define WORDS ((sizeof(struct tf_exchanged) + 3) / 4)
#define HEAD_WORDS (offsetof(struct tf_exchanged, partner.faces) / 4)
#define FACE_WORDS (sizeof(struct tf_partner_face) / 4)
_Static_assert(offsetof(struct tf_exchanged, partner.faces) % 4 == 0 &&
                   sizeof(struct tf_partner_face) % 4 == 0,
               "the payload is copied in words");

struct slot {
    _Atomic uint32_t version;
    _Atomic uint64_t t_mono_ns; /* 0: never written */
    _Atomic uint32_t words[WORDS];
};

struct tf_exchange {
    struct slot slots[TF_EXCHANGE_FRAMES];
    uint64_t count;          /* the writer's */
    struct tf_exchanged put; /* the writer's, being put together */
    _Atomic uint64_t newest_ns;
};

int tf_exchange_create(struct tf_exchange **ret)
{
    struct tf_exchange *x = calloc(1, sizeof(*x));

    if (!x)
        return -ENOMEM;
    *ret = x;
    return 0;
}

void tf_exchange_destroy(struct tf_exchange *exchange)
{
    free(exchange);
}

static size_t words_of(uint32_t faces)
{
    return HEAD_WORDS + (faces < TF_FACES_MAX ? faces : TF_FACES_MAX) * FACE_WORDS;
}

void tf_exchange_put(struct tf_exchange *x, const struct tf_record *record, const struct tf_frame *frame)
{
    struct slot *slot = &x->slots[x->count % TF_EXCHANGE_FRAMES];
    struct tf_exchanged *e = &x->put;
    uint32_t version = atomic_load_explicit(&slot->version, memory_order_relaxed), n = 0;
    const char *bytes = (const char *)e;

    if (record->state != TF_STATE_OK && record->state != TF_STATE_NO_FACE)
        return;
    e->frame = record->frame;
    e->t_mono_ns = record->t_mono_ns;
    e->partner.width = tf_frame_upright_width(frame);
    e->partner.height = tf_frame_upright_height(frame);
    for (uint32_t i = 0; i < record->faces.count && i < TF_FACES_MAX; i++) {
        const struct tf_face *face = &record->faces.faces[i];

        if (face->unseen)
            continue;
        e->partner.faces[n].id = face->id;
        e->partner.faces[n].score = face->score;
        memcpy(e->partner.faces[n++].points, face->points, sizeof(face->points));
    }
    e->partner.count = n;

    /* Words are stored with release and loaded with acquire: who sees a new word sees the odd version, too.
     */
    atomic_store_explicit(&slot->version, version + 1, memory_order_relaxed);
    atomic_store_explicit(&slot->t_mono_ns, e->t_mono_ns, memory_order_release);
    for (size_t i = 0; i < words_of(n); i++) {
        uint32_t word;

        memcpy(&word, bytes + 4 * i, 4);
        atomic_store_explicit(&slot->words[i], word, memory_order_release);
    }
    atomic_store_explicit(&slot->version, version + 2, memory_order_release);
    x->count++;
    atomic_store_explicit(&x->newest_ns, e->t_mono_ns, memory_order_release);
}

uint64_t tf_exchange_newest(const struct tf_exchange *exchange)
{
    return atomic_load_explicit(&exchange->newest_ns, memory_order_acquire);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* False: the writer came in between. */
static bool copy(const struct slot *slot, uint64_t t_mono_ns, struct tf_exchanged *ret)
{
    uint32_t version = atomic_load_explicit(&slot->version, memory_order_acquire);
    char *bytes = (char *)ret;
    size_t words = HEAD_WORDS;

    if (version & 1)
        return false;
    for (size_t i = 0; i < words; i++) {
        uint32_t word = atomic_load_explicit(&slot->words[i], memory_order_acquire);

        memcpy(bytes + 4 * i, &word, 4);
        if (i + 1 == HEAD_WORDS)
            words = words_of(ret->partner.count);
    }
    return atomic_load_explicit(&slot->version, memory_order_relaxed) == version &&
           ret->t_mono_ns == t_mono_ns;
}

bool tf_exchange_nearest(const struct tf_exchange *x, uint64_t t_mono_ns, uint64_t max_ns,
                         struct tf_exchanged *ret)
{
    /* Once more when the writer took the very slot: it is the oldest one, so that hardly happens at all. */
    for (int tries = 0; tries < 4; tries++) {
        const struct slot *best = NULL;
        uint64_t best_ns = 0;

        for (int i = 0; i < TF_EXCHANGE_FRAMES; i++) {
            uint64_t t = atomic_load_explicit(&x->slots[i].t_mono_ns, memory_order_acquire);

            if (t && distance(t, t_mono_ns) <= max_ns &&
                (!best || distance(t, t_mono_ns) < distance(best_ns, t_mono_ns))) {
                best = &x->slots[i];
                best_ns = t;
            }
        }
        if (!best)
            return false;
        if (copy(best, best_ns, ret))
            return true;
    }
    return false;
}
