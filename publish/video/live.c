/* Fragments of encoded pictures in a ring, and the viewers that read it. */
#include "base/clock.h"
#include "publish/video/live.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define RING_BYTES (4u << 20)
#define BEHIND_NS TF_NS_PER_S     /* a viewer that is further behind goes on with a key picture */
#define KEY_EVERY_NS 500000000ull /* key pictures cost all viewers: no crowd of new ones may ask for more */

/* In front of each fragment in the ring. */
struct entry {
    uint32_t size;
    bool key;
    uint64_t t_ns;
};

/* Places are counts of bytes since the start; the byte is at place % RING_BYTES. */
struct tf_live {
    char name[64];
    void (*wake)(void *context);
    void *context;
    pthread_mutex_t lock;
    uint8_t *ring;
    uint64_t first, next; /* place of the oldest fragment, and where the next one goes */
    uint64_t newest_ns;
    uint64_t epoch; /* which header; 0: none yet */
    uint8_t *header;
    size_t header_size;
    struct tf_live_viewer *viewers;
    _Atomic uint32_t count;
    _Atomic uint64_t dropped;
    atomic_bool key_wanted;
    uint64_t key_ns; /* the writer's: when a key picture was last asked for */
};

struct tf_live_viewer {
    struct tf_live *live;
    struct tf_live_viewer *following;
    uint64_t place, epoch;
    bool waits_for_key;
    bool has_begun; /* has had a key picture: what it misses from then on is a loss */
    bool sleeps;
    /* What is being read: a fragment has to be finished, whatever becomes of the ring. */
    uint8_t *rest;
    size_t rest_at, rest_size, rest_capacity;
};

int tf_live_create(const char *name, void (*wake)(void *context), void *context, struct tf_live **ret)
{
    struct tf_live *l = calloc(1, sizeof(*l));

    if (!l)
        return -ENOMEM;
    l->ring = malloc(RING_BYTES);
    if (!l->ring || strlen(name) >= sizeof(l->name)) {
        int r = l->ring ? -EINVAL : -ENOMEM;

        free(l->ring);
        free(l);
        return r;
    }
    strcpy(l->name, name);
    l->wake = wake;
    l->context = context;
    pthread_mutex_init(&l->lock, NULL);
    *ret = l;
    return 0;
}

void tf_live_destroy(struct tf_live *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l->header);
    free(l->ring);
    free(l);
}

const char *tf_live_name(const struct tf_live *l)
{
    return l->name;
}

uint32_t tf_live_viewers(const struct tf_live *l)
{
    return l ? atomic_load_explicit(&l->count, memory_order_relaxed) : 0;
}

uint64_t tf_live_dropped(const struct tf_live *l)
{
    return atomic_load(&l->dropped);
}

/* --- the ring --- */

static void put(struct tf_live *l, uint64_t place, const void *data, size_t n)
{
    size_t at = (size_t)(place % RING_BYTES), head = RING_BYTES - at < n ? RING_BYTES - at : n;

    memcpy(l->ring + at, data, head);
    memcpy(l->ring, (const uint8_t *)data + head, n - head);
}

static void get(const struct tf_live *l, uint64_t place, void *data, size_t n)
{
    size_t at = (size_t)(place % RING_BYTES), head = RING_BYTES - at < n ? RING_BYTES - at : n;

    memcpy(data, l->ring + at, head);
    memcpy((uint8_t *)data + head, l->ring, n - head);
}

static uint64_t after(const struct entry *e, uint64_t place)
{
    return place + sizeof(*e) + e->size;
}

/* Whether somebody sleeps who is to be woken; they are marked as awake. */
static bool rouse(struct tf_live *l)
{
    bool any = false;

    for (struct tf_live_viewer *v = l->viewers; v; v = v->following) {
        any |= v->sleeps;
        v->sleeps = false;
    }
    return any;
}

int tf_live_begin(struct tf_live *l, const uint8_t *header, size_t size)
{
    uint8_t *copy = malloc(size);
    bool wake;

    if (!copy)
        return -ENOMEM;
    memcpy(copy, header, size);
    pthread_mutex_lock(&l->lock);
    free(l->header);
    l->header = copy;
    l->header_size = size;
    l->epoch++;
    l->first = l->next;
    wake = rouse(l);
    pthread_mutex_unlock(&l->lock);
    if (wake)
        l->wake(l->context);
    return 0;
}

void tf_live_push(struct tf_live *l, const uint8_t *fragment, size_t size, bool key, uint64_t t_mono_ns)
{
    const struct entry e = {.size = (uint32_t)size, .key = key, .t_ns = t_mono_ns};
    bool wake;

    if (size > RING_BYTES / 2) {
        atomic_fetch_add(&l->dropped, 1);
        atomic_store(&l->key_wanted, true);
        return;
    }
    pthread_mutex_lock(&l->lock);
    while (l->next + sizeof(e) + size - l->first > RING_BYTES) {
        struct entry oldest;

        get(l, l->first, &oldest, sizeof(oldest));
        l->first = after(&oldest, l->first);
    }
    put(l, l->next, &e, sizeof(e));
    put(l, l->next + sizeof(e), fragment, size);
    l->next += sizeof(e) + size;
    l->newest_ns = t_mono_ns;
    wake = rouse(l);
    pthread_mutex_unlock(&l->lock);
    if (wake)
        l->wake(l->context);
}

void tf_live_want_key(struct tf_live *l)
{
    atomic_store(&l->key_wanted, true);
}

bool tf_live_take_key_request(struct tf_live *l, uint64_t now_ns)
{
    if (!l || !atomic_load_explicit(&l->key_wanted, memory_order_relaxed))
        return false;
    if (l->key_ns && now_ns - l->key_ns < KEY_EVERY_NS)
        return false;
    l->key_ns = now_ns;
    atomic_store(&l->key_wanted, false);
    return true;
}

/* --- viewers --- */

int tf_live_viewer_create(struct tf_live *l, struct tf_live_viewer **ret)
{
    struct tf_live_viewer *v = calloc(1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    v->live = l;
    v->waits_for_key = true;
    pthread_mutex_lock(&l->lock);
    v->place = l->next;
    v->following = l->viewers;
    l->viewers = v;
    atomic_fetch_add(&l->count, 1);
    pthread_mutex_unlock(&l->lock);
    atomic_store(&l->key_wanted, true);
    *ret = v;
    return 0;
}

void tf_live_viewer_destroy(struct tf_live_viewer *v)
{
    struct tf_live *l;

    if (!v)
        return;
    l = v->live;
    pthread_mutex_lock(&l->lock);
    for (struct tf_live_viewer **at = &l->viewers; *at; at = &(*at)->following)
        if (*at == v) {
            *at = v->following;
            break;
        }
    atomic_fetch_sub(&l->count, 1);
    pthread_mutex_unlock(&l->lock);
    free(v->rest);
    free(v);
}

static uint8_t *rest_of(struct tf_live_viewer *v, size_t size)
{
    if (size > v->rest_capacity) {
        uint8_t *grown = realloc(v->rest, size);

        if (!grown)
            return NULL;
        v->rest = grown;
        v->rest_capacity = size;
    }
    v->rest_at = 0;
    v->rest_size = size;
    return v->rest;
}

/* The newest key picture from `place` on that is not too old; UINT64_MAX: none. */
static uint64_t recent_key(const struct tf_live *l, uint64_t place)
{
    uint64_t found = UINT64_MAX;

    while (place < l->next) {
        struct entry e;

        get(l, place, &e, sizeof(e));
        if (e.key && e.t_ns + BEHIND_NS >= l->newest_ns)
            found = place;
        place = after(&e, place);
    }
    return found;
}

/* Leaves out what it is too late for. Under the lock. */
static void catch_up(struct tf_live_viewer *v)
{
    struct tf_live *l = v->live;
    uint64_t to;
    struct entry e;

    if (v->place < l->first) {
        /* How many have gone before cannot be told any more; one at least. */
        v->place = l->first;
        v->waits_for_key = true;
        if (v->has_begun)
            atomic_fetch_add(&l->dropped, 1);
    }
    if (v->place == l->next)
        return;
    get(l, v->place, &e, sizeof(e));
    if (v->waits_for_key ? e.key : e.t_ns + BEHIND_NS >= l->newest_ns)
        return;
    to = recent_key(l, v->place);
    if (to == UINT64_MAX) {
        to = l->next;
        atomic_store(&l->key_wanted, true);
    }
    v->waits_for_key = true;
    while (v->place < to) {
        get(l, v->place, &e, sizeof(e));
        v->place = after(&e, v->place);
        if (v->has_begun)
            atomic_fetch_add(&l->dropped, 1);
    }
}

/* The next header or fragment becomes what is being read. 0, 1 when there is one, or an error. */
static int fetch(struct tf_live_viewer *v)
{
    struct tf_live *l = v->live;
    struct entry e;
    uint8_t *to;

    if (!l->epoch)
        return 0;
    if (!v->epoch) {
        to = rest_of(v, l->header_size);
        if (!to)
            return -ENOMEM;
        memcpy(to, l->header, l->header_size);
        v->epoch = l->epoch;
        return 1;
    }
    if (v->epoch != l->epoch)
        return -EPIPE;
    catch_up(v);
    if (v->place == l->next)
        return 0;
    get(l, v->place, &e, sizeof(e));
    to = rest_of(v, e.size);
    if (!to)
        return -ENOMEM;
    get(l, v->place + sizeof(e), to, e.size);
    v->place = after(&e, v->place);
    v->waits_for_key = false;
    v->has_begun = true;
    return 1;
}

long tf_live_viewer_read(struct tf_live_viewer *v, uint8_t *buffer, size_t max)
{
    struct tf_live *l = v->live;
    size_t n = 0;
    int r = 1;

    pthread_mutex_lock(&l->lock);
    while (n < max && r == 1) {
        size_t piece = v->rest_size - v->rest_at < max - n ? v->rest_size - v->rest_at : max - n;

        if (piece)
            memcpy(buffer + n, v->rest + v->rest_at, piece);
        n += piece;
        v->rest_at += piece;
        if (v->rest_at == v->rest_size)
            r = fetch(v);
    }
    v->sleeps = n == 0 && r == 0;
    pthread_mutex_unlock(&l->lock);
    return n ? (long)n : r < 0 ? r : 0;
}

bool tf_live_viewer_ready(const struct tf_live_viewer *v)
{
    struct tf_live *l = v->live;
    bool ready;

    pthread_mutex_lock(&l->lock);
    ready = v->rest_at < v->rest_size || (l->epoch && (v->epoch != l->epoch || v->place < l->next));
    pthread_mutex_unlock(&l->lock);
    return ready;
}
