/* What a record costs the thread that makes it where [mqtt] is on: nanoseconds a record, minimum of several
 * rounds. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "publish/mqtt/means.h"

#define ROUNDS 50
#define RECORDS 500 /* less than the ring holds */

int main(void)
{
    struct tf_record *record = calloc(1, sizeof(*record));
    struct tf_means_interval interval;
    struct tf_means *means = NULL;
    uint64_t best = UINT64_MAX, origin = tf_means_origin(TF_NS_PER_S), t = origin;

    if (!record || tf_means_create(TF_NS_PER_S, origin, &means) < 0)
        return 1;
    record->faces.count = 1;
    for (int i = 0; i < TF_REGIONS; i++)
        record->faces.faces[0].regions[i] = (struct tf_region_stats){.mean = 33, .n = 20, .valid = true};
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t began = tf_now_ns(), took;

        for (int i = 0; i < RECORDS; i++) {
            record->t_mono_ns = t;
            tf_means_record(means, record);
        }
        took = tf_now_ns() - began;
        best = took < best ? took : best;
        t += TF_NS_PER_S;
        while (tf_means_take(means, t + 2 * TF_NS_PER_S, NULL, NULL, &interval) && interval.t_end_ns < t)
            ;
    }
    printf("%.1f ns a record, %llu lost\n", (double)best / RECORDS, (unsigned long long)tf_means_lost(means));
    tf_means_destroy(means);
    free(record);
    return 0;
}
