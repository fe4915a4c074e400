/* What /clock, /state and /metrics say of this computer's clock. */
#include "publish/http/texts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock_sync.h"
#include "publish/record/text_out.h"

const char *tf_http_clock_json(char text[TF_HTTP_CLOCK_TEXT])
{
    struct tf_clock_sync c;

    tf_clock_sync_read(&c);
    if (!c.known)
        return "null";
    snprintf(text, TF_HTTP_CLOCK_TEXT, "{\"synchronised\":%s,\"error_us\":%u,\"max_error_us\":%u}",
             c.synchronised ? "true" : "false", c.error_us, c.max_error_us);
    return text;
}

const char *tf_http_host_json(char text[TF_HTTP_CLOCK_TEXT])
{
    char host[HOST_NAME_MAX + 1] = "";
    struct tf_out o = {.at = text, .end = text + TF_HTTP_CLOCK_TEXT - 1};

    gethostname(host, sizeof(host) - 1);
    tf_out_json_text(&o, host, HOST_NAME_MAX);
    *o.at = '\0';
    return text;
}

static void gauge(FILE *f, const char *name, const char *help, uint64_t value, const char *unit)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s gauge\n%s %" PRIu64 "%s\n", name, help, name, name, value, unit);
}

void tf_http_metrics_clock(FILE *f)
{
    struct tf_clock_sync c;

    tf_clock_sync_read(&c);
    if (!c.known)
        return;
    gauge(f, "thermoface_clock_synchronised",
          "1 while the kernel takes the clock of the day for synchronised (adjtimex).", c.synchronised, "");
    gauge(f, "thermoface_clock_error_seconds", "How far that clock is off, as the time daemon estimates it.",
          c.error_us, "e-6");
    gauge(f, "thermoface_clock_max_error_seconds", "How far it is off at most.", c.max_error_us, "e-6");
}
