/* Whether CLOCK_REALTIME is synchronised, and how far it may be off, as the kernel has it from chrony or
 * ntpd. */
#ifndef TF_BASE_CLOCK_SYNC_H
#define TF_BASE_CLOCK_SYNC_H

#include <stdbool.h>
#include <stdint.h>

struct tf_clock_sync {
    bool known; /* else the rest is 0: the kernel was not asked, or did not say */
    bool synchronised;
    /* As adjtimex(2) has them, at most TF_CLOCK_ERROR_MAX_US. The estimate is what the time daemon thinks
     * (systemd-timesyncd always says 0); the bound grows by 500 ppm between its corrections. */
    uint32_t error_us, max_error_us;
};
#define TF_CLOCK_ERROR_MAX_US 0x3fffffffu

/* Asks the kernel: a system call. */
void tf_clock_sync_read(struct tf_clock_sync *ret);
/* Asks, and keeps the answer for tf_clock_sync_kept: once a second is often. */
void tf_clock_sync_refresh(void);
/* What was kept; from any thread, without a lock or a system call. Unknown before the first. */
struct tf_clock_sync tf_clock_sync_kept(void);

#endif
