/* What is counted of records: states, gauges, latency, pace. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "pipeline/shared.h"

#define FPS_WINDOW_NS 2000000000ull

static unsigned fine_bucket(uint32_t us)
{
    unsigned octave, bucket;

    if (us < TF_FINE_STEPS)
        return us;
    octave = 31 - (unsigned)__builtin_clz(us) - 5; /* 2^5 = TF_FINE_STEPS */
    bucket = (octave + 1) * TF_FINE_STEPS + ((us >> octave) - TF_FINE_STEPS);
    return bucket < TF_FINE_BUCKETS ? bucket : TF_FINE_BUCKETS - 1;
}

/* The middle of what falls into a bucket. */
static uint32_t fine_value(unsigned bucket)
{
    unsigned octave;

    if (bucket < TF_FINE_STEPS)
        return bucket;
    octave = bucket / TF_FINE_STEPS - 1;
    return ((bucket % TF_FINE_STEPS + TF_FINE_STEPS) << octave) + (octave ? 1u << (octave - 1) : 0);
}

static void count_latency(struct tf_shared *s, uint64_t us64)
{
    struct tf_measures *m = &s->measures;
    uint32_t us = us64 < UINT32_MAX ? (uint32_t)us64 : UINT32_MAX;

    tf_status_add_latency(&s->status, us);
    atomic_fetch_add_explicit(&m->latency_fine[fine_bucket(us)], 1, memory_order_relaxed);
    if (us > atomic_load_explicit(&m->latency_max, memory_order_relaxed))
        atomic_store_explicit(&m->latency_max, us, memory_order_relaxed);
}

static void count_pair(struct tf_pair_status *pair, const struct tf_record *record)
{
    if (record->pair.camera) {
        pair->with++;
        pair->skew_us = record->pair.skew_us;
    } else {
        pair->without++;
    }
    for (uint32_t i = 0; i < record->faces.count; i++)
        pair->visible_faces += record->faces.faces[i].from == TF_POINTS_FROM_VISIBLE;
}

static void tell_own(struct tf_status *status, const struct tf_record *row)
{
    const struct tf_own_names *names = &row->own.names;
    uint32_t n = 0;

    for (uint32_t i = 0; i < names->faces + names->areas; i++) {
        bool face = i < names->faces, seen = !face || row->faces.count;
        const struct tf_region_stats *stats = face ? &row->own.face[0][i] : &row->own.area[i - names->faces];
        struct tf_own_told *told = &status->own[n++];

        memcpy(told->name, face ? names->face[i] : names->area[i - names->faces], sizeof(told->name));
        told->face = face;
        told->valid = seen && stats->valid;
        told->mean = seen ? stats->mean : NAN;
    }
    status->own_count = n;
}

static uint16_t most(uint32_t a, uint32_t b)
{
    uint32_t n = a > b ? a : b;

    return (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
}

static void count_faces(struct tf_status *status, const struct tf_record *row)
{
    const struct tf_face *face = row->faces.count ? &row->faces.faces[0] : NULL;

    status->faces = row->faces.count;
    tell_own(status, row);
    status->nose_c = face && row->celsius ? face->regions[TF_REGION_NOSE_TIP].mean : NAN;
    status->forehead_c = face && row->celsius ? face->regions[TF_REGION_FOREHEAD].mean : NAN;
    status->canthus_n =
        face ? most(face->regions[TF_REGION_CANTHUS_RIGHT].n, face->regions[TF_REGION_CANTHUS_LEFT].n) : 0;
    status->nose_n = face ? most(face->regions[TF_REGION_NOSE_TIP].n, 0) : 0;
}

void tf_shared_count(struct tf_shared *s, const struct tf_record *row, uint32_t opening, bool live,
                     struct tf_shared_record *record)
{
    struct tf_status *status = &s->status;
    struct tf_shared_record *old = NULL;

    pthread_mutex_lock(&s->lock);
    status->frames++;
    status->state_frames[row->state]++;
    status->dropped = row->dropped;
    status->last_frame = row->frame;
    status->last_t_mono_ns = row->t_mono_ns;
    status->sensor_c = row->sensor_c;
    status->t_from = tf_stamp_name(row->t_from);
    status->flags = row->flags;
    status->celsius = row->celsius;
    if (opening != s->pace.opening)
        tf_rate_reset(&s->pace.rate);
    s->pace.opening = opening;
    if (live)
        tf_rate_add(&s->pace.rate, row->sequence, row->t_mono_ns);
    s->pace.stamps[s->pace.count++ % TF_FPS_STAMPS] = tf_now_ns();
    if (status->pair.paired)
        count_pair(&status->pair, row);
    /* A frame that nobody looked at says nothing of faces: the last look stays. */
    if (row->state != TF_STATE_SKIPPED)
        count_faces(status, row);
    if (row->latency_us >= 0)
        count_latency(s, (uint64_t)row->latency_us);
    if (record && s->source) { /* not when the camera has gone meanwhile */
        old = s->latest;
        s->latest = record;
        record = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    if (old)
        tf_shared_record_unref(old);
    if (record)
        tf_shared_record_unref(record);
}

float tf_shared_fps_locked(const struct tf_shared *s, uint64_t now)
{
    const struct tf_pace *pace = &s->pace;
    uint64_t n = pace->count < TF_FPS_STAMPS ? pace->count : TF_FPS_STAMPS, newest, oldest;
    uint64_t used = 0;

    if (n < 2)
        return 0;
    newest = oldest = pace->stamps[(pace->count - 1) % TF_FPS_STAMPS];
    if (now - newest > FPS_WINDOW_NS)
        return 0;
    for (uint64_t i = 1; i < n; i++) {
        uint64_t t = pace->stamps[(pace->count - 1 - i) % TF_FPS_STAMPS];

        if (now - t > FPS_WINDOW_NS)
            break;
        oldest = t;
        used = i;
    }
    return newest > oldest ? (float)((double)used * 1e9 / (double)(newest - oldest)) : 0;
}

float tf_shared_fps(struct tf_shared *s)
{
    float fps;

    pthread_mutex_lock(&s->lock);
    fps = tf_shared_fps_locked(s, tf_now_ns());
    pthread_mutex_unlock(&s->lock);
    return fps;
}

void tf_measures_latency(const struct tf_measures *m, struct tf_pipeline_times *ret)
{
    uint64_t below = 0, all = 0;

    for (unsigned i = 0; i < TF_FINE_BUCKETS; i++)
        all += atomic_load(&m->latency_fine[i]);
    for (unsigned i = 0; i < TF_FINE_BUCKETS && all; i++) {
        uint64_t c = atomic_load(&m->latency_fine[i]);

        if (below * 100 < all * 50 && (below + c) * 100 >= all * 50)
            ret->latency_us_p50 = fine_value(i);
        if (below * 100 < all * 99 && (below + c) * 100 >= all * 99)
            ret->latency_us_p99 = fine_value(i);
        below += c;
    }
    ret->latency_us_max = atomic_load(&m->latency_max);
    /* A bucket's middle can lie above the one value that is in it. */
    if (ret->latency_us_p50 > ret->latency_us_max)
        ret->latency_us_p50 = ret->latency_us_max;
    if (ret->latency_us_p99 > ret->latency_us_max)
        ret->latency_us_p99 = ret->latency_us_max;
}
