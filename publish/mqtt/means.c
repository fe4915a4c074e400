/* Means of regions at a steady rate: a ring of samples, and intervals made of them. */
#include "publish/mqtt/means.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Frames that may wait; they are taken ten times a second, and cameras give at most a thousand. */
#define RING 512
/* How long after its end an interval waits for its last frames' records. */
#define GRACE_NS ((uint64_t)TF_NS_PER_S)
/* Sets of names that samples in the ring may belong to. */
#define NAMES 4

struct sample {
    uint64_t t_mono_ns;
    uint32_t flags, names; /* names: which set, counted from the start */
    uint32_t valid;        /* a bit for each value */
    bool celsius, face;
    float value[TF_MEANS_VALUES];
};
_Static_assert(TF_MEANS_VALUES <= 32, "a bit for each value");

struct tf_means {
    uint64_t interval_ns, origin_ns;

    /* Written by the record's thread. */
    struct sample ring[RING];
    struct tf_own_names sets[NAMES];
    _Atomic uint32_t put;
    uint32_t set;
    _Atomic uint64_t lost;

    /* Written by who takes. */
    _Atomic uint32_t taken, set_taken;
    struct tf_own_names names;
    uint64_t index; /* the interval that is being filled */
    bool closed;    /* the shutter, as of the last frame */
    struct tf_means_interval now;
    _Atomic uint64_t late;
};

uint64_t tf_means_origin(uint64_t interval_ns)
{
    uint64_t now = tf_now_ns();

    return now - (uint64_t)((int64_t)now + tf_utc_offset_ns()) % interval_ns;
}

int tf_means_create(uint64_t interval_ns, uint64_t origin_ns, struct tf_means **ret)
{
    struct tf_means *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    m->interval_ns = interval_ns;
    m->origin_ns = origin_ns;
    *ret = m;
    return 0;
}

void tf_means_destroy(struct tf_means *m)
{
    free(m);
}

static bool is_same(const struct tf_own_names *a, const struct tf_own_names *b)
{
    if (a->faces != b->faces || a->areas != b->areas)
        return false;
    for (uint32_t i = 0; i < a->faces; i++)
        if (strcmp(a->face[i], b->face[i]) != 0)
            return false;
    for (uint32_t i = 0; i < a->areas; i++)
        if (strcmp(a->area[i], b->area[i]) != 0)
            return false;
    return true;
}

/* False: samples of too many sets are waiting; they are taken within a tenth of a second. */
static bool take_names(struct tf_means *m, const struct tf_own_names *names)
{
    if (is_same(&m->sets[m->set % NAMES], names))
        return true;
    if (m->set - atomic_load_explicit(&m->set_taken, memory_order_acquire) >= NAMES - 1)
        return false;
    m->sets[++m->set % NAMES] = *names;
    return true;
}

static void put_values(struct sample *s, const struct tf_region_stats *stats, uint32_t count, uint32_t from)
{
    for (uint32_t i = 0; i < count; i++)
        if (stats[i].valid) {
            s->value[from + i] = stats[i].mean;
            s->valid |= 1u << (from + i);
        }
}

void tf_means_record(struct tf_means *m, const struct tf_record *r)
{
    uint32_t at = atomic_load_explicit(&m->put, memory_order_relaxed);
    struct sample *s = &m->ring[at % RING];

    if (at - atomic_load_explicit(&m->taken, memory_order_acquire) == RING || !take_names(m, &r->own.names)) {
        atomic_fetch_add_explicit(&m->lost, 1, memory_order_relaxed);
        return;
    }
    s->t_mono_ns = r->t_mono_ns;
    s->flags = r->flags;
    s->names = m->set;
    s->valid = 0;
    s->celsius = r->celsius;
    s->face = r->faces.count > 0;
    if (s->face) {
        put_values(s, r->faces.faces[0].regions, TF_REGIONS, 0);
        put_values(s, r->own.face[0], r->own.names.faces, TF_REGIONS);
    }
    put_values(s, r->own.area, r->own.names.areas, TF_REGIONS + r->own.names.faces);
    atomic_store_explicit(&m->put, at + 1, memory_order_release);
}

static void clear(struct tf_means_interval *v)
{
    v->frames = v->faces = 0;
    memset(v->sum, 0, sizeof(v->sum));
    memset(v->n, 0, sizeof(v->n));
}

static void add(struct tf_means *m, const struct sample *s)
{
    struct tf_means_interval *v = &m->now;

    if (s->names != atomic_load_explicit(&m->set_taken, memory_order_relaxed)) {
        m->names = m->sets[s->names % NAMES];
        atomic_store_explicit(&m->set_taken, s->names, memory_order_release);
        /* Places of own regions mean others now. */
        memset(v->sum + TF_REGIONS, 0, TF_OWN_MAX * sizeof(v->sum[0]));
        memset(v->n + TF_REGIONS, 0, TF_OWN_MAX * sizeof(v->n[0]));
    }
    /* A camera that came back as another: °C and counts have no mean. */
    if (v->frames && v->celsius != s->celsius)
        clear(v);
    v->celsius = s->celsius;
    v->frames++;
    v->faces += s->face;
    for (int i = 0; i < TF_MEANS_VALUES; i++)
        if (s->valid & 1u << i) {
            v->sum[i] += (double)s->value[i];
            v->n[i]++;
        }
}

static void finish(struct tf_means *m, uint64_t end_ns, struct tf_means_interval *ret)
{
    m->now.t_end_ns = end_ns;
    m->now.names = &m->names;
    *ret = m->now;
    clear(&m->now);
    m->index++;
}

bool tf_means_take(struct tf_means *m, uint64_t now_ns, tf_means_shutter *shutter, void *context,
                   struct tf_means_interval *ret)
{
    uint64_t end = m->origin_ns + (m->index + 1) * m->interval_ns;
    uint32_t at = atomic_load_explicit(&m->taken, memory_order_relaxed);

    for (; at != atomic_load_explicit(&m->put, memory_order_acquire); at++) {
        const struct sample *s = &m->ring[at % RING];
        bool closed = s->flags & TF_FLAG_FFC;

        if (s->t_mono_ns >= end) {
            finish(m, end, ret);
            return true;
        }
        if (closed != m->closed && shutter)
            shutter(context, closed, s->t_mono_ns);
        m->closed = closed;
        if (s->t_mono_ns >= end - m->interval_ns)
            add(m, s);
        else
            atomic_fetch_add_explicit(&m->late, 1, memory_order_relaxed);
        atomic_store_explicit(&m->taken, at + 1, memory_order_release);
    }
    if (now_ns < end + GRACE_NS)
        return false;
    finish(m, end, ret);
    return true;
}

const struct tf_own_names *tf_means_names(const struct tf_means *m)
{
    return &m->names;
}

uint64_t tf_means_lost(const struct tf_means *m)
{
    return atomic_load_explicit(&m->lost, memory_order_relaxed) +
           atomic_load_explicit(&m->late, memory_order_relaxed);
}
