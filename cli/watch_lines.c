/* The lines that `watch` prints for each camera. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/watch.h"

#define LINE_EVERY_NS TF_NS_PER_S
#define SILENT_NS 3000000000ull

static double region_mean(json_t *face, const char *name)
{
    json_t *region = json_object_get(json_object_get(face, "regions"), name);
    json_t *mean = json_object_get(region, "mean");
    return json_is_true(json_object_get(region, "valid")) && json_is_number(mean) ? json_number_value(mean)
                                                                                  : NAN;
}

static void print_temperature(const char *name, double value, bool celsius)
{
    if (!isfinite(value))
        printf("  %s -", name);
    else if (celsius)
        printf("  %s %.1f °C", name, value);
    else
        printf("  %s %.0f counts", name, value);
}

static void print_line(const struct tf_watch_camera *c, json_t *record, uint64_t now)
{
    json_t *faces = json_object_get(record, "faces"), *latency = json_object_get(record, "latency_us");
    json_t *dropped = json_object_get(record, "dropped"), *face = json_array_get(faces, 0);
    const char *unit = json_string_value(json_object_get(record, "unit"));
    const char *state = json_string_value(json_object_get(record, "state"));
    bool celsius = unit && strcmp(unit, "celsius") == 0;
    json_int_t lost = 0;
    const char *key;
    json_t *value;
    char clock[16];
    time_t t = time(NULL);
    struct tm tm;

    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&t, &tm));
    json_object_foreach(dropped, key, value) lost += json_integer_value(value);
    printf("%s  %s  frame %lld  %s", clock, c->name,
           (long long)json_integer_value(json_object_get(record, "frame")), state ? state : "?");
    if (c->line_ns)
        printf("  %.1f fps", c->records * 1e9 / (double)(now - c->line_ns));
    if (json_is_integer(latency))
        printf("  %.1f ms", (double)json_integer_value(latency) / 1000);
    printf("  %zu face%s", json_array_size(faces), json_array_size(faces) == 1 ? "" : "s");
    if (face) {
        print_temperature("nose", region_mean(face, "nose_tip"), celsius);
        print_temperature("forehead", region_mean(face, "forehead"), celsius);
    }
    printf("  dropped %lld", (long long)lost);
    if (c->gaps)
        printf("  missed here %llu", (unsigned long long)c->gaps);
    putchar('\n');
    fflush(stdout);
}

static struct tf_watch_camera *camera_of(struct tf_watch *w, const char *name)
{
    struct tf_watch_camera *c;

    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->cameras[i].name, name) == 0)
            return &w->cameras[i];
    if (w->count == TF_WATCH_CAMERAS_MAX)
        return NULL;
    c = &w->cameras[w->count++];
    *c = (struct tf_watch_camera){0};
    snprintf(c->name, sizeof(c->name), "%s", name);
    return c;
}

void tf_watch_take(struct tf_watch *w, const char *text, size_t length)
{
    uint64_t now = tf_now_ns(), frame;
    struct tf_watch_camera *c;
    const char *name;
    json_error_t error;
    json_t *record;

    w->records++;
    if (w->json) {
        fwrite(text, 1, length, stdout);
        putchar('\n');
        fflush(stdout);
        return;
    }
    record = json_loadb(text, length, 0, &error);
    if (!json_is_object(record)) {
        fprintf(stderr, "thermoface watch: %s: not a record (%s); is this a thermofaced?\n", w->url,
                error.text);
        json_decref(record);
        return;
    }
    name = json_string_value(json_object_get(record, "camera"));
    c = camera_of(w, name ? name : "?");
    if (!c) {
        json_decref(record);
        return;
    }
    if (c->said_silent)
        fprintf(stderr, "thermoface watch: %s: records come again\n", c->name);
    c->said_silent = false;
    c->record_ns = now;
    c->records++;
    /* What this client's queue lost: the stream itself has no holes. */
    frame = (uint64_t)json_integer_value(json_object_get(record, "frame"));
    if (c->has_next && frame > c->next_frame)
        c->gaps += frame - c->next_frame;
    c->next_frame = frame + 1;
    c->has_next = true;
    if (now - c->line_ns >= LINE_EVERY_NS) {
        print_line(c, record, now);
        c->line_ns = now;
        c->records = 0;
    }
    json_decref(record);
}

void tf_watch_break(struct tf_watch *w, const char *camera)
{
    for (size_t i = 0; i < w->count; i++)
        if (!camera || strcmp(w->cameras[i].name, camera) == 0)
            w->cameras[i].has_next = false;
}

void tf_watch_tick(struct tf_watch *w)
{
    uint64_t now = tf_now_ns();

    for (size_t i = 0; i < w->count; i++) {
        struct tf_watch_camera *c = &w->cameras[i];

        if (c->said_silent || now - c->record_ns < SILENT_NS)
            continue;
        fprintf(stderr, "thermoface watch: %s: no record for %.0f s\n", c->name,
                (double)(now - c->record_ns) / 1e9);
        c->said_silent = true;
    }
}
