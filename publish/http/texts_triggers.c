/* What /state and /metrics say of trigger inputs. */
#include "publish/http/texts.h"

#include <inttypes.h>
#include <string.h>

#include "base/count.h"
#include "publish/record/text_out.h"

static void put_text(FILE *f, const char *text)
{
    char buffer[6 * 256 + 2];
    struct tf_out o = {.at = buffer, .end = buffer + sizeof(buffer)};

    if (!text) {
        fputs("null", f);
        return;
    }
    tf_out_json_text(&o, text, 256);
    fwrite(buffer, 1, (size_t)(o.at - buffer), f);
}

void tf_http_state_triggers(FILE *f, const struct tf_trigger_told *triggers, int count)
{
    fputs("\"triggers\":[", f);
    for (int i = 0; i < count; i++) {
        const struct tf_trigger_told *t = &triggers[i];

        fputs(i ? ",{\"name\":" : "{\"name\":", f);
        put_text(f, t->name);
        fprintf(f, ",\"kind\":\"%s\",\"device\":", t->kind);
        put_text(f, t->device);
        fprintf(f, ",\"state\":\"%s\",\"message\":", t->state);
        put_text(f, t->message);
        fputs(",\"t_from\":", f);
        put_text(f, t->t_from);
        fprintf(f,
                ",\"events\":%" PRIu64 ",\"marks\":%" PRIu64 ",\"unrecorded\":%" PRIu64
                ",\"left_out\":{\"bounced\":%" PRIu64 ",\"limited\":%" PRIu64 ",\"missed\":%" PRIu64
                ",\"lost\":%" PRIu64 "},\"reopened\":%" PRIu64 "}",
                t->events, t->marks, t->unrecorded, t->bounced, t->limited, t->missed, t->lost, t->reopened);
    }
    fputs("],", f);
}

static void head(FILE *f, const char *name, const char *help, const char *type)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void tf_http_metrics_triggers(FILE *f, const struct tf_trigger_told *triggers, int count)
{
    static const char *const reasons[] = {"bounced", "limited", "missed", "lost"};

    if (!count)
        return;
    head(f, "thermoface_trigger_up", "1 while the trigger input is open.", "gauge");
    for (int i = 0; i < count; i++)
        fprintf(f, "thermoface_trigger_up{trigger=\"%s\"} %d\n", triggers[i].name, triggers[i].there);
    head(f, "thermoface_trigger_events_total", "Events taken from a trigger input.", "counter");
    for (int i = 0; i < count; i++)
        fprintf(f, "thermoface_trigger_events_total{trigger=\"%s\"} %" PRIu64 "\n", triggers[i].name,
                triggers[i].events);
    head(f, "thermoface_trigger_marks_total",
         "Marks that were made of them; the others came while nothing was recorded.", "counter");
    for (int i = 0; i < count; i++)
        fprintf(f, "thermoface_trigger_marks_total{trigger=\"%s\"} %" PRIu64 "\n", triggers[i].name,
                triggers[i].marks);
    head(f, "thermoface_trigger_left_out_total",
         "Events that made no mark: bounced (debounce), limited (rate), missed (before they were read), lost "
         "(no "
         "place for them).",
         "counter");
    for (int i = 0; i < count; i++) {
        const uint64_t values[] = {triggers[i].bounced, triggers[i].limited, triggers[i].missed,
                                   triggers[i].lost};

        for (size_t k = 0; k < TF_COUNT(reasons); k++)
            fprintf(f, "thermoface_trigger_left_out_total{trigger=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
                    triggers[i].name, reasons[k], values[k]);
    }
    head(f, "thermoface_trigger_reopened_total", "Times that a trigger input came back after it was gone.",
         "counter");
    for (int i = 0; i < count; i++)
        fprintf(f, "thermoface_trigger_reopened_total{trigger=\"%s\"} %" PRIu64 "\n", triggers[i].name,
                triggers[i].reopened);
}
