/* Reading the clocks, sleeping by them, and UTC as text. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

uint64_t tf_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * TF_NS_PER_S + (uint64_t)t.tv_nsec;
}

int64_t tf_utc_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * TF_NS_PER_S + t.tv_nsec;
}

int64_t tf_utc_offset_ns(void)
{
    /* The tightest of three brackets: a preemption between the reads would put its length into the offset. */
    int64_t best = 0;
    uint64_t width = UINT64_MAX;

    for (int i = 0; i < 3; i++) {
        uint64_t before = tf_now_ns();
        int64_t utc = tf_utc_now_ns();
        uint64_t after = tf_now_ns();
        if (after - before < width) {
            width = after - before;
            best = utc - (int64_t)(before + width / 2);
        }
    }
    return best;
}

void tf_sleep_until_ns(uint64_t t_mono_ns)
{
    struct timespec t = {
        .tv_sec = (time_t)(t_mono_ns / TF_NS_PER_S),
        .tv_nsec = (long)(t_mono_ns % TF_NS_PER_S),
    };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

void tf_utc_format(int64_t t_utc_ns, char text[TF_UTC_TEXT])
{
    int64_t s = t_utc_ns / TF_NS_PER_S, ns = t_utc_ns % TF_NS_PER_S;
    time_t seconds;
    struct tm tm;

    if (ns < 0) {
        ns += TF_NS_PER_S;
        s--;
    }
    seconds = (time_t)s;
    gmtime_r(&seconds, &tm);
    /* 64-bit nanoseconds end in 2262, so the year always has four digits; the modulo tells the compiler so.
     */
    snprintf(text, TF_UTC_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)(tm.tm_year + 1900) % 10000u,
             (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
             (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u, (unsigned)(ns / 1000) % 1000000u);
}
