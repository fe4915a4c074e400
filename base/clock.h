/* Clocks. Everything inside runs on CLOCK_MONOTONIC nanoseconds; UTC is attached to a frame for people. */
#ifndef TF_BASE_CLOCK_H
#define TF_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define TF_NS_PER_S 1000000000ll

uint64_t tf_now_ns(void);    /* CLOCK_MONOTONIC */
int64_t tf_utc_now_ns(void); /* CLOCK_REALTIME, since 1970 */
/* UTC minus monotonic, measured now between two reads of the monotonic clock. */
int64_t tf_utc_offset_ns(void);
/* Sleeps until that monotonic time; returns at once if it has passed; goes on after signals. */
void tf_sleep_until_ns(uint64_t t_mono_ns);

#define TF_UTC_TEXT 28
/* "2026-03-01T10:15:30.123456Z" */
void tf_utc_format(int64_t t_utc_ns, char text[TF_UTC_TEXT]);

#endif
