/* What systemd hears: ready, reloading, stopping, watchdog. */
#include <stdarg.h>
#include <stdio.h>

#if TF_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/clock.h"
#include "daemon/service.h"

void tf_notify(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
#if TF_HAVE_SYSTEMD
    sd_notify(0, text);
#endif
}

/* systemd from 253 on waits for a READY=1 that is younger than this stamp (Type=notify-reload); older ones
 * ignore it. */
void tf_notify_reloading(void)
{
    tf_notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(tf_now_ns() / 1000));
}

uint64_t tf_notify_watchdog_ns(void)
{
#if TF_HAVE_SYSTEMD
    uint64_t usec = 0;

    if (sd_watchdog_enabled(0, &usec) > 0)
        return usec * 1000 / 2;
#endif
    return 0;
}
