/*
 * What [lsl] costs the frame's thread: the time that its sink takes for a record, at a camera's pace.
 *
 * Usage: sink LIBLSL [landmarks]
 *
 * A thousand records of one face, 5 ms apart, while liblsl sends them; prints the median, the 99th percentile
 * and the longest.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publish/record/lsl.h"

#define RECORDS 1000
#define APART_NS 5000000

static int take(void *context, const struct tf_lsl_marker *marker, struct tf_error *err)
{
    return 0;
}

static void say(void *context, enum tf_log_level level, const char *text)
{
    fprintf(stderr, "%s\n", text);
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    struct tf_lsl_options options = {.library = argc > 1 ? argv[1] : NULL,
                                     .name = "bench",
                                     .version = "bench",
                                     .regions = true,
                                     .landmarks = argc > 2,
                                     .frames = true,
                                     .faces = 1,
                                     .marker = take,
                                     .say = say};
    struct tf_record *record = calloc(1, sizeof(*record));
    static uint64_t took[RECORDS];
    struct tf_error err = {0};
    struct tf_sink sink;
    struct tf_lsl *lsl;

    if (!record || tf_lsl_create(&options, &lsl, &err) < 0 || tf_lsl_sink(lsl, "bench", &sink, &err) < 0) {
        fprintf(stderr, "sink: %s\n", err.text);
        return 1;
    }
    record->state = TF_STATE_OK;
    record->celsius = true;
    record->faces.count = 1;
    record->faces.faces[0].id = 1;
    for (int i = 0; i < TF_REGIONS; i++)
        record->faces.faces[0].regions[i] = (struct tf_region_stats){.mean = 33, .n = 20, .valid = true};
    for (int i = 0; i < RECORDS; i++) {
        uint64_t before = tf_now_ns();

        record->frame = (uint64_t)i;
        record->t_mono_ns = before;
        sink.record(sink.self, record, &err);
        took[i] = tf_now_ns() - before;
        tf_sleep_until_ns(before + APART_NS);
    }
    qsort(took, RECORDS, sizeof(*took), by_time);
    printf("%d records%s: median %.1f us, 99 %% below %.1f us, at most %.1f us\n", RECORDS,
           options.landmarks ? " with landmarks" : "", (double)took[RECORDS / 2] / 1e3,
           (double)took[RECORDS * 99 / 100] / 1e3, (double)took[RECORDS - 1] / 1e3);
    tf_lsl_destroy(lsl);
    free(record);
    return 0;
}
