/* Threads of an engine, which share out a step's parts. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inference/engine/crew.h"

/*
 * A step is cut into parts that whoever is awake takes, one after the other, the caller included: a thread
 * that wakes late, or lost its processor to somebody else, then delays nothing but the part it holds. One
 * word says which step is on (a generation), of how many parts, and which is the next to take, so that a
 * single compare-and-swap takes a part of the right step or none.
 *
 * Threads sleep between runs. During a run they wait actively, for a bounded number of looks.
 */
#define SPINS 4000

/*
 * generation : 32 | parts : 8 | taken from the front : 8 | taken from the back : 8. The caller takes from the
 * front, the others from the back, so that a core meets the same rows of the picture from step to step.
 */
#define STATE(generation, parts) ((uint64_t)(generation) << 32 | (uint64_t)(parts) << 16)
#define PARTS(state) ((int)((state) >> 16 & 0xFF))
#define FRONT(state) ((int)((state) >> 8 & 0xFF))
#define BACK(state) ((int)((state)&0xFF))
#define LEFT(state) (PARTS(state) - FRONT(state) - BACK(state))

struct tf_crew {
    _Atomic uint64_t state;
    char pad0[56]; /* each word that threads fight over in a cache line of its own */
    _Atomic uint32_t done;
    char pad1[60];
    _Atomic uint32_t wakeups; /* what threads sleep on: bumped when there is something to wake for */
    _Atomic uint32_t sleepers;
    _Atomic bool active; /* a run is on */
    _Atomic bool quit;
    struct tf_engine *_Atomic engine;
    const struct tf_step *_Atomic step;
    uint32_t generation;
    int started;
    pthread_t threads[16];
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes and runs parts of the posted step until there are none. */
static void take_parts(struct tf_crew *crew, bool front)
{
    uint64_t state = atomic_load_explicit(&crew->state, memory_order_acquire);

    while (LEFT(state) > 0) {
        /* Read before the swap: it succeeds only if this is still the step of that state. */
        struct tf_engine *engine = atomic_load_explicit(&crew->engine, memory_order_relaxed);
        const struct tf_step *step = atomic_load_explicit(&crew->step, memory_order_relaxed);

        if (!atomic_compare_exchange_weak_explicit(&crew->state, &state, state + (front ? 0x100 : 1),
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        step->run(engine, step, front ? FRONT(state) : PARTS(state) - 1 - BACK(state), PARTS(state));
        atomic_fetch_add_explicit(&crew->done, 1, memory_order_release);
        state = atomic_load_explicit(&crew->state, memory_order_acquire);
    }
}

static void rest(struct tf_crew *crew, uint32_t seen)
{
    atomic_fetch_add(&crew->sleepers, 1);
    /* Whoever bumps the word after this look finds a sleeper and wakes it; before, the kernel sees another
     * value. */
    if (!atomic_load(&crew->quit))
        syscall(SYS_futex, &crew->wakeups, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_fetch_sub(&crew->sleepers, 1);
}

static void wake(struct tf_crew *crew)
{
    atomic_fetch_add(&crew->wakeups, 1);
    if (atomic_load(&crew->sleepers))
        syscall(SYS_futex, &crew->wakeups, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static void *work(void *data)
{
    struct tf_crew *crew = data;

    while (!atomic_load(&crew->quit)) {
        uint32_t seen = atomic_load(&crew->wakeups);
        uint64_t before = 0;

        for (int spins = 0; spins < SPINS && atomic_load(&crew->active); spins++) {
            uint64_t state = atomic_load_explicit(&crew->state, memory_order_acquire);
            if (LEFT(state) > 0) {
                take_parts(crew, false);
                spins = 0;
            } else if (state != before) {
                before = state;
                spins = 0;
            }
            relax();
        }
        rest(crew, seen);
    }
    return NULL;
}

int tf_crew_create(int threads, struct tf_crew **ret)
{
    struct tf_crew *crew;

    *ret = NULL;
    if (threads <= 1)
        return 0;
    crew = calloc(1, sizeof(*crew));
    if (!crew)
        return -ENOMEM;
    for (int i = 1; i < threads; i++) {
        int r = pthread_create(&crew->threads[crew->started], NULL, work, crew);
        if (r) {
            tf_crew_destroy(crew);
            return -r;
        }
        crew->started++;
    }
    *ret = crew;
    return 0;
}

void tf_crew_destroy(struct tf_crew *crew)
{
    if (!crew)
        return;
    atomic_store(&crew->quit, true);
    wake(crew);
    for (int i = 0; i < crew->started; i++)
        pthread_join(crew->threads[i], NULL);
    free(crew);
}

void tf_crew_begin(struct tf_crew *crew)
{
    if (!crew)
        return;
    atomic_store(&crew->active, true);
    wake(crew);
}

void tf_crew_end(struct tf_crew *crew)
{
    if (crew)
        atomic_store(&crew->active, false);
}

void tf_crew_run(struct tf_crew *crew, struct tf_engine *engine, const struct tf_step *step, int parts)
{
    if (!crew || parts < 2) {
        step->run(engine, step, 0, 1);
        return;
    }
    atomic_store_explicit(&crew->engine, engine, memory_order_relaxed);
    atomic_store_explicit(&crew->step, step, memory_order_relaxed);
    atomic_store_explicit(&crew->done, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->state, STATE(++crew->generation, parts), memory_order_release);
    if (atomic_load(&crew->sleepers))
        wake(crew);
    take_parts(crew, true);
    for (int spins = 0; atomic_load_explicit(&crew->done, memory_order_acquire) != (uint32_t)parts; spins++) {
        relax();
        /* A thread that lost its processor must get the chance to come back to it. */
        if (spins > 2000)
            sched_yield();
    }
}
