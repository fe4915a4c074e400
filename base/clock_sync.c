/* Whether CLOCK_REALTIME is synchronised: adjtimex(2), and its last answer in one word. */
#include "base/clock_sync.h"

#include <stdatomic.h>
#include <sys/timex.h>

/* Known, synchronised, 30 bits each of estimate and bound: read whole or not at all. */
#define KNOWN (1ull << 63)
#define SYNCHRONISED (1ull << 62)
#define BOUND_SHIFT 30

static _Atomic uint64_t kept;

static uint32_t limited(long us)
{
    return us < 0 ? 0 : us < (long)TF_CLOCK_ERROR_MAX_US ? (uint32_t)us : TF_CLOCK_ERROR_MAX_US;
}

void tf_clock_sync_read(struct tf_clock_sync *ret)
{
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);

    *ret = (struct tf_clock_sync){0};
    if (state < 0)
        return;
    ret->known = true;
    ret->synchronised = state != TIME_ERROR && !(t.status & STA_UNSYNC);
    ret->error_us = limited(t.esterror);
    ret->max_error_us = limited(t.maxerror);
}

void tf_clock_sync_refresh(void)
{
    struct tf_clock_sync now;

    tf_clock_sync_read(&now);
    atomic_store(&kept, !now.known ? 0
                                   : KNOWN | (now.synchronised ? SYNCHRONISED : 0) |
                                         (uint64_t)now.max_error_us << BOUND_SHIFT | now.error_us);
}

struct tf_clock_sync tf_clock_sync_kept(void)
{
    uint64_t word = atomic_load_explicit(&kept, memory_order_relaxed);

    return (struct tf_clock_sync){.known = word & KNOWN,
                                  .synchronised = word & SYNCHRONISED,
                                  .error_us = (uint32_t)word & TF_CLOCK_ERROR_MAX_US,
                                  .max_error_us = (uint32_t)(word >> BOUND_SHIFT) & TF_CLOCK_ERROR_MAX_US};
}
