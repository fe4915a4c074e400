/* A camera's status: names of its states, counts, percentiles of latency. */
#include "publish/status/status.h"

const uint32_t tf_latency_bounds_us[TF_LATENCY_BUCKETS - 1] = {500,   1000,  2000,   5000,   10000,  20000,
                                                               33000, 50000, 100000, 250000, 1000000};

const char *tf_camera_state_name(enum tf_camera_state state)
{
    static const char *const names[] = {"opening", "running", "no_signal", "lost", "ended"};

    return (unsigned)state < 5 ? names[state] : "unknown";
}

const char *tf_turn_state_name(enum tf_turn_state state)
{
    static const char *const names[] = {"configured", "wrong", "undecided", "tie", "decided"};

    return (unsigned)state < 5 ? names[state] : "unknown";
}

void tf_status_add_latency(struct tf_status *status, uint32_t latency_us)
{
    int bucket = 0;

    while (bucket < TF_LATENCY_BUCKETS - 1 && latency_us > tf_latency_bounds_us[bucket])
        bucket++;
    status->latency_buckets[bucket]++;
    status->latency_sum_us += latency_us;
    status->latency_count++;
    status->latency_us = latency_us;
}

static const struct {
    const char *name, *label;
} picture_places[TF_PICTURE_PLACES] = {
    {"not_analysed", "NotAnalysed"}, {"queue", "Queue"}, {"encoder", "Encoder"},
    {"size", "SizeChange"},          {"disk", "Disk"},   {"other", "Other"},
};

const char *tf_picture_place_name(enum tf_picture_place place)
{
    return picture_places[place].name;
}

const char *tf_picture_place_label(enum tf_picture_place place)
{
    return picture_places[place].label;
}

uint64_t tf_recording_pictures_lost(const struct tf_recording_status *s)
{
    uint64_t lost = 0;

    for (int i = 0; i < TF_PICTURE_PLACES; i++)
        lost += s->pictures_lost[i];
    return lost;
}
