/* What /state and /metrics say of Lab Streaming Layer. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/count.h"
#include "publish/http/texts.h"
#include "publish/record/text_out.h"

/* In quotes; JSON's escapes are those of a label, too. */
static void put_text(FILE *f, const char *text)
{
    char buffer[6 * 512 + 2];
    struct tf_out o = {.at = buffer, .end = buffer + sizeof(buffer)};

    tf_out_json_text(&o, text, 512);
    fwrite(buffer, 1, (size_t)(o.at - buffer), f);
}

static void put_outlet(FILE *f, const struct tf_lsl_outlet_told *o)
{
    fputs("{\"name\":", f);
    put_text(f, o->name);
    fprintf(f, ",\"type\":\"%s\",\"channels\":%u,\"read\":%s,\"samples\":%" PRIu64 "}", o->type, o->channels,
            o->consumers ? "true" : "false", o->samples);
}

static void put_stream(FILE *f, const struct tf_lsl_stream_told *s)
{
    fputs("{\"name\":", f);
    put_text(f, s->name);
    fputs(",\"host\":", f);
    put_text(f, s->host);
    fputs(",\"source_id\":", f);
    put_text(f, s->source_id);
    fprintf(f, ",\"state\":\"%s\",\"reason\":", tf_lsl_stream_state_name(s->state));
    put_text(f, s->reason);
    fprintf(f,
            ",\"connected\":%" PRIu64 ",\"markers\":%" PRIu64 ",\"unrecorded\":%" PRIu64
            ",\"refused\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"arrival\":%" PRIu64 ",\"lost\":%" PRIu64
            ",\"correction_us\":",
            s->found, s->markers, s->unrecorded, s->refused, s->cut, s->arrival, s->lost);
    if (fabs(s->correction_s) < 9e9)
        fprintf(f, "%lld}", llround(s->correction_s * 1e6));
    else
        fputs("null}", f);
}

void tf_http_state_lsl(FILE *f, const struct tf_lsl_told *lsl)
{
    if (!lsl) {
        fputs("null", f);
        return;
    }
    fprintf(f, "{\"there\":%s,\"message\":", lsl->there ? "true" : "false");
    put_text(f, lsl->message);
    if (!lsl->there) {
        fputc('}', f);
        return;
    }
    fputs(",\"library\":", f);
    put_text(f, lsl->library);
    fprintf(f,
            ",\"library_version\":\"%d.%d\",\"clock_offset_ns\":%" PRId64 ",\"dropped\":%" PRIu64
            ",\"ignored\":%" PRIu64 ",\"outlets\":[",
            lsl->version / 100, lsl->version % 100, lsl->offset_ns, lsl->dropped, lsl->ignored);
    for (uint32_t i = 0; i < lsl->outlet_count; i++) {
        fputs(i ? "," : "", f);
        put_outlet(f, &lsl->outlets[i]);
    }
    fputs("],\"markers\":[", f);
    for (uint32_t i = 0; i < lsl->stream_count; i++) {
        fputs(i ? "," : "", f);
        put_stream(f, &lsl->streams[i]);
    }
    fputs("]}", f);
}

static void head(FILE *f, const char *name, const char *help, const char *type)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_outlets(FILE *f, const struct tf_lsl_told *lsl)
{
    head(f, "thermoface_lsl_samples_total", "Samples sent into a stream of ours.", "counter");
    for (uint32_t i = 0; i < lsl->outlet_count; i++)
        fprintf(f, "thermoface_lsl_samples_total{stream=\"%s\"} %" PRIu64 "\n", lsl->outlets[i].name,
                lsl->outlets[i].samples);
    head(f, "thermoface_lsl_read", "1 while somebody reads a stream of ours.", "gauge");
    for (uint32_t i = 0; i < lsl->outlet_count; i++)
        fprintf(f, "thermoface_lsl_read{stream=\"%s\"} %d\n", lsl->outlets[i].name,
                lsl->outlets[i].consumers);
}

/* Two programs may call their streams alike: the place keeps them apart. */
static void labels(FILE *f, const char *name, const struct tf_lsl_stream_told *s, uint32_t place)
{
    fprintf(f, "%s{place=\"%u\",stream=", name, place);
    put_text(f, s->name);
    fputs(",host=", f);
    put_text(f, s->host);
}

static void write_streams(FILE *f, const struct tf_lsl_told *lsl)
{
    static const char connected[] = "thermoface_lsl_markers_connected",
                      markers[] = "thermoface_lsl_markers_total";

    head(f, connected, "1 while a marker stream is connected.", "gauge");
    for (uint32_t i = 0; i < lsl->stream_count; i++) {
        labels(f, connected, &lsl->streams[i], i);
        fprintf(f, "} %d\n", lsl->streams[i].state == TF_LSL_CONNECTED);
    }
    head(f, markers, "Markers that came, by what became of them.", "counter");
    for (uint32_t i = 0; i < lsl->stream_count; i++) {
        const struct tf_lsl_stream_told *s = &lsl->streams[i];
        const struct {
            const char *name;
            uint64_t value;
        } fates[] = {{"recorded", s->markers},
                     {"unrecorded", s->unrecorded},
                     {"refused", s->refused},
                     {"lost", s->lost}};

        for (size_t k = 0; k < TF_COUNT(fates); k++) {
            labels(f, markers, s, i);
            fprintf(f, ",fate=\"%s\"} %" PRIu64 "\n", fates[k].name, fates[k].value);
        }
    }
}

void tf_http_metrics_lsl(FILE *f, const struct tf_lsl_told *lsl)
{
    if (!lsl)
        return;
    head(f, "thermoface_lsl_up", "1 while liblsl is there and used.", "gauge");
    fprintf(f, "thermoface_lsl_up %d\n", lsl->there);
    if (!lsl->there)
        return;
    head(f, "thermoface_lsl_dropped_total", "Records and marks that were not sent: no time for them.",
         "counter");
    fprintf(f, "thermoface_lsl_dropped_total %" PRIu64 "\n", lsl->dropped);
    write_outlets(f, lsl);
    write_streams(f, lsl);
}
