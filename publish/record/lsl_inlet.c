/* Other programs' marker streams: looked for without end, each read in a thread of its own. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "publish/record/lsl_internal.h"

#define LOOK_EVERY_NS 500000000ull
#define FORGET_S 5.0   /* a stream that has not answered for so long is gone */
#define ANSWERS_MAX 64 /* streams of one look */
#define STEP_S 0.2     /* how long a call of the library may take, so that the end does not wait */
#define PATIENCE_S                                                                                           \
    5.0 /* for the first time correction: without it stamps of another machine are worth nothing */
#define BUFFERED 10 /* hundreds of markers that may wait for us in the library */
#define FUTURE_NS TF_NS_PER_S
#define PAST_NS (24 * 3600 * TF_NS_PER_S)
#define CORRECT_EVERY_NS TF_NS_PER_S
#define AGAIN_NS TF_NS_PER_S    /* between two tries to connect */
#define SECOND_NS 7000000000ull /* longer than the library answers for what has ended */

/* --- one stream --- */

static void set_state(struct tf_lsl_stream *s, enum tf_lsl_stream_state state)
{
    pthread_mutex_lock(&s->lsl->lock);
    s->told.state = state;
    s->told.found += state == TF_LSL_CONNECTED;
    pthread_mutex_unlock(&s->lsl->lock);
}

static void add(struct tf_lsl_stream *s, uint64_t *counter)
{
    pthread_mutex_lock(&s->lsl->lock);
    (*counter)++;
    pthread_mutex_unlock(&s->lsl->lock);
}

static bool stopped(const struct tf_lsl_stream *s)
{
    return atomic_load(&s->stop) || atomic_load(&s->lsl->quitting);
}

/* The library's time correction; NAN: not known yet. */
static double correct(struct tf_lsl_stream *s, tf_lsl_inlet inlet, double patience)
{
    uint64_t due = tf_now_ns() + (uint64_t)(patience * 1e9);
    double correction = NAN;
    int32_t error;

    do {
        error = 0;
        correction = s->lsl->api.time_correction(inlet, STEP_S, &error);
    } while (error == TF_LSL_TIMEOUT && !stopped(s) && tf_now_ns() < due);
    if (error)
        correction = NAN;
    pthread_mutex_lock(&s->lsl->lock);
    s->told.correction_s = correction;
    pthread_mutex_unlock(&s->lsl->lock);
    return correction;
}

/* When it was by our clock. False: its stamp cannot be that, and *t_mono_ns is now. */
static bool map_stamp(struct tf_lsl_stream *s, double stamp, double correction, uint64_t *t_mono_ns)
{
    uint64_t now = tf_now_ns();
    double seconds = stamp + correction;
    int64_t t = fabs(seconds) < 9e8 * 10
                    ? llround(seconds * 1e9) - atomic_load_explicit(&s->lsl->offset_ns, memory_order_relaxed)
                    : -1;

    *t_mono_ns = now;
    if (t > 0 && t <= (int64_t)now + FUTURE_NS && t >= (int64_t)now - PAST_NS) {
        *t_mono_ns = (uint64_t)t;
        return true;
    }
    if (!s->warned_stamp)
        tf_lsl_say(
            s->lsl, TF_LOG_WARNING,
            isfinite(correction)
                ? "lsl: markers of %s have stamps of another clock (%.3f; lsl_local_clock is %.3f): they "
                  "are written with the time at which they came"
                : "lsl: the clock of %s is not known yet (stamp %.3f, ours %.3f): its markers are "
                  "written with the time at which they came",
            s->told.name, stamp, tf_lsl_stamp(s->lsl, now));
    s->warned_stamp = true;
    return false;
}

/* A stream that floods must not fill the table: bursts are taken, for long only so many a second. */
static bool has_room(struct tf_lsl_stream *s, double *tokens, uint64_t *since_ns)
{
    uint64_t now = tf_now_ns();

    *tokens = fmin(TF_LSL_BURST_MAX, *tokens + (double)(now - *since_ns) * 1e-9 * TF_LSL_RATE_MAX);
    *since_ns = now;
    if (*tokens >= 1) {
        *tokens -= 1;
        return true;
    }
    if (!s->warned_limit)
        tf_lsl_say(s->lsl, TF_LOG_ERROR,
                   "lsl: %s sends more than %.0f markers/s: those beyond are not written; is it a signal?",
                   s->told.name, TF_LSL_RATE_MAX);
    s->warned_limit = true;
    return false;
}

/* The first channel is the text, the others with commas between the value. */
static bool read_texts(const struct tf_lsl_stream *s, char *const *data, const uint32_t *lengths,
                       char text[TF_LSL_MARK_MAX + 1], char value[TF_LSL_MARK_MAX + 1])
{
    bool cut = tf_lsl_clean(data[0], lengths[0], text, TF_LSL_MARK_MAX + 1);
    size_t used = 0;

    value[0] = '\0';
    for (uint32_t i = 1; i < s->channels; i++) {
        if (i > 1 && used < TF_LSL_MARK_MAX)
            value[used++] = ',';
        cut |= tf_lsl_clean(data[i], lengths[i], value + used, TF_LSL_MARK_MAX + 1 - used);
        used += strlen(value + used);
    }
    if (!text[0] && value[0])
        snprintf(text, TF_LSL_MARK_MAX + 1, "%s", s->told.name);
    return cut;
}

static void take(struct tf_lsl_stream *s, char *const *data, const uint32_t *lengths, double stamp,
                 double correction)
{
    char text[TF_LSL_MARK_MAX + 1], value[TF_LSL_MARK_MAX + 1], source[2 * TF_LSL_TEXT + 16];
    struct tf_lsl_marker marker = {.text = text, .source = source};
    struct tf_error err = {0};
    bool cut = read_texts(s, data, lengths, text, value);
    int r;

    if (!text[0]) {
        add(s, &s->told.refused);
        return;
    }
    snprintf(source, sizeof(source), "lsl %s (%s)", s->told.name, s->told.host);
    marker.value = value[0] ? value : NULL;
    marker.arrival = !map_stamp(s, stamp, correction, &marker.t_mono_ns);
    r = s->lsl->options.marker(s->lsl->options.context, &marker, &err);
    pthread_mutex_lock(&s->lsl->lock);
    s->told.markers += r == 0;
    s->told.arrival += r == 0 && marker.arrival;
    s->told.cut += r == 0 && cut;
    s->told.unrecorded += r == -ENOTCONN || r == -ERANGE;
    s->told.lost += r < 0 && r != -ENOTCONN && r != -ERANGE;
    pthread_mutex_unlock(&s->lsl->lock);
    if (r < 0 && r != -ENOTCONN && r != -ERANGE)
        tf_lsl_say(s->lsl, TF_LOG_ERROR, "lsl: a marker of %s is lost: %s", s->told.name, err.text);
}

static void read_markers(struct tf_lsl_stream *s, tf_lsl_inlet inlet)
{
    const struct tf_lsl_library *api = &s->lsl->api;
    double correction = correct(s, inlet, PATIENCE_S), tokens = TF_LSL_BURST_MAX;
    uint64_t since_ns = tf_now_ns(), correct_due = since_ns + CORRECT_EVERY_NS;
    char *data[TF_LSL_CHANNELS_MAX];
    uint32_t lengths[TF_LSL_CHANNELS_MAX];

    if (!isfinite(correction) && !stopped(s))
        tf_lsl_say(s->lsl, TF_LOG_WARNING,
                   "lsl: %s does not answer about its clock: UDP is blocked on the way?", s->told.name);
    while (!stopped(s)) {
        int32_t error = 0;
        double stamp;

        memset(data, 0, sizeof(data));
        stamp = api->pull_sample_buf(inlet, data, lengths, (int32_t)s->channels, STEP_S, &error);
        if (error && error != TF_LSL_TIMEOUT)
            return;
        if (stamp != 0 && !error && data[0] && !stopped(s)) {
            if (has_room(s, &tokens, &since_ns))
                take(s, data, lengths, stamp, correction);
            else
                add(s, &s->told.refused);
        }
        for (uint32_t i = 0; i < s->channels; i++)
            if (data[i])
                api->destroy_string(data[i]);
        if (tf_now_ns() >= correct_due) {
            double was = correction;

            correction = correct(s, inlet, 0);
            correction = isfinite(correction) ? correction : was;
            correct_due = tf_now_ns() + CORRECT_EVERY_NS;
        }
    }
}

static void *stream_main(void *arg)
{
    struct tf_lsl_stream *s = arg;
    const struct tf_lsl_library *api = &s->lsl->api;
    tf_lsl_inlet inlet = api->create_inlet(s->info, BUFFERED, 0, 0);
    int32_t error = TF_LSL_TIMEOUT;

    pthread_setname_np(pthread_self(), "tf-lsl-marks");
    while (inlet && error == TF_LSL_TIMEOUT && !stopped(s)) {
        error = 0;
        api->open_stream(inlet, STEP_S, &error);
    }
    if (inlet && !error && !stopped(s)) {
        tf_lsl_say(s->lsl, TF_LOG_NOTICE, "lsl: markers of %s (%s) are connected%s", s->told.name,
                   s->told.host, s->told.found ? " again" : "");
        set_state(s, TF_LSL_CONNECTED);
        read_markers(s, inlet);
        if (!stopped(s))
            tf_lsl_say(s->lsl, TF_LOG_WARNING, "lsl: markers of %s (%s) are gone; looking for them",
                       s->told.name, s->told.host);
    }
    if (inlet)
        api->destroy_inlet(inlet);
    set_state(s, TF_LSL_GONE);
    api->destroy_streaminfo(s->info);
    atomic_store(&s->ended, true);
    return NULL;
}

/* --- the finder --- */

static void join(struct tf_lsl_stream *s)
{
    if (!s->running)
        return;
    pthread_join(s->thread, NULL);
    s->running = false;
}

/* What a stream is called, from a network. */
struct answer {
    char uid[TF_LSL_TEXT], name[TF_LSL_TEXT], host[TF_LSL_TEXT], source_id[TF_LSL_TEXT];
};

static void read_text(const char *text, char ret[TF_LSL_TEXT])
{
    tf_lsl_clean(text ? text : "", text ? strlen(text) : 0, ret, TF_LSL_TEXT);
}

static void read_answer(const struct tf_lsl_library *api, tf_lsl_info info, struct answer *ret)
{
    read_text(api->get_uid(info), ret->uid);
    read_text(api->get_name(info), ret->name);
    read_text(api->get_hostname(info), ret->host);
    read_text(api->get_source_id(info), ret->source_id);
    if (!ret->name[0])
        snprintf(ret->name, sizeof(ret->name), "unnamed");
}

/* The same stream after its program began anew. */
static bool same_stream(const struct tf_lsl_stream *s, const struct answer *a)
{
    return strcmp(s->told.name, a->name) == 0 && strcmp(s->told.host, a->host) == 0 &&
           strcmp(s->told.source_id, a->source_id) == 0;
}

static struct tf_lsl_stream *known(struct tf_lsl *lsl, const struct answer *a)
{
    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++)
        if (lsl->streams[i].used && strcmp(lsl->streams[i].uid, a->uid) == 0)
            return &lsl->streams[i];
    return NULL;
}

/* Whether a second stream of one name, host and source id is there for longer than one that has ended is
 * still answered for. */
static bool is_second(struct tf_lsl *lsl, const struct answer *a, uint64_t now)
{
    struct tf_lsl_double *oldest = &lsl->doubles[0];

    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++) {
        if (strcmp(lsl->doubles[i].uid, a->uid) == 0)
            return now - lsl->doubles[i].since_ns > SECOND_NS;
        if (lsl->doubles[i].since_ns < oldest->since_ns)
            oldest = &lsl->doubles[i];
    }
    snprintf(oldest->uid, sizeof(oldest->uid), "%s", a->uid);
    oldest->since_ns = now;
    return false;
}

/*
 * Where a stream that is not known belongs: the place of the one that it replaces, a free one, that of the
 * one gone longest. NULL: none is left, *full; or it is an old one that is still answered for.
 */
static struct tf_lsl_stream *place_for(struct tf_lsl *lsl, const struct answer *a, uint64_t now, bool *full)
{
    struct tf_lsl_stream *free_one = NULL, *oldest = NULL;
    bool twice = false;

    *full = false;
    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++) {
        struct tf_lsl_stream *s = &lsl->streams[i];
        bool same = s->used && same_stream(s, a);

        if (same && strcmp(s->old_uid, a->uid) == 0)
            return NULL;
        if (same && (!s->running || s->seen_ns != now))
            return s;
        twice |= same;
        if (!s->used && !free_one)
            free_one = s;
        if (s->used && !s->running && s->seen_ns != now && (!oldest || s->seen_ns < oldest->seen_ns))
            oldest = s;
    }
    if (twice && !is_second(lsl, a, now))
        return NULL;
    *full = !free_one && !oldest;
    return free_one ? free_one : oldest;
}

static bool refuse(struct tf_lsl_stream *s, tf_lsl_info info)
{
    const struct tf_lsl_library *api = &s->lsl->api;
    int32_t channels = api->get_channel_count(info);
    double rate = api->get_nominal_srate(info);
    char reason[TF_LSL_TEXT] = "";

    if (channels < 1 || channels > TF_LSL_CHANNELS_MAX)
        snprintf(reason, sizeof(reason), "it has %d channels, at most %d are read", channels,
                 TF_LSL_CHANNELS_MAX);
    else if (!(rate <= TF_LSL_RATE_MAX))
        snprintf(reason, sizeof(reason), "it states %g markers/s, at most %g are read: a signal?", rate,
                 TF_LSL_RATE_MAX);
    s->channels = reason[0] ? 0 : (uint32_t)channels;
    if (!reason[0])
        return false;
    pthread_mutex_lock(&s->lsl->lock);
    s->told.state = TF_LSL_REFUSED;
    snprintf(s->told.reason, sizeof(s->told.reason), "%s", reason);
    pthread_mutex_unlock(&s->lsl->lock);
    tf_lsl_say(s->lsl, TF_LOG_WARNING, "lsl: markers of %s (%s) are not read: %s", s->told.name, s->told.host,
               reason);
    return true;
}

/* Takes the info over where it returns true. */
static bool begin_stream(struct tf_lsl_stream *s, const struct answer *a, tf_lsl_info info)
{
    bool again = s->used && same_stream(s, a);

    snprintf(s->uid, sizeof(s->uid), "%s", a->uid);
    pthread_mutex_lock(&s->lsl->lock);
    if (!again)
        s->told = (struct tf_lsl_stream_told){0};
    s->used = true;
    s->told.state = TF_LSL_CONNECTING;
    s->told.reason[0] = '\0';
    s->told.correction_s = NAN;
    snprintf(s->told.name, sizeof(s->told.name), "%s", a->name);
    snprintf(s->told.host, sizeof(s->told.host), "%s", a->host);
    snprintf(s->told.source_id, sizeof(s->told.source_id), "%s", a->source_id);
    pthread_mutex_unlock(&s->lsl->lock);
    if (refuse(s, info))
        return false;
    s->warned_stamp = s->warned_limit = s->silent = false;
    atomic_store(&s->stop, false);
    atomic_store(&s->ended, false);
    s->info = info;
    s->running = pthread_create(&s->thread, NULL, stream_main, s) == 0;
    if (!s->running)
        set_state(s, TF_LSL_GONE);
    return s->running;
}

/* True: the info was taken over. */
static bool take_answer(struct tf_lsl *lsl, const struct answer *a, tf_lsl_info info, uint64_t now,
                        uint64_t *ignored)
{
    struct tf_lsl_stream *s = known(lsl, a);
    bool full;

    if (s && (s->running || s->told.state == TF_LSL_REFUSED || now < s->again_ns))
        return false;
    if (!s) {
        s = place_for(lsl, a, now, &full);
        if (!s && full && !*ignored && !lsl->told.ignored)
            tf_lsl_say(lsl, TF_LOG_WARNING,
                       "lsl: markers of %s (%s) are not read: %d streams are read already", a->name, a->host,
                       TF_LSL_STREAMS_MAX);
        *ignored += !s && full;
        if (!s)
            return false;
        snprintf(s->old_uid, sizeof(s->old_uid), "%s", s->used ? s->uid : "");
    }
    s->seen_ns = now;
    s->again_ns = now + AGAIN_NS;
    /* Its program began anew: the old connection has no more to say. */
    atomic_store(&s->stop, true);
    join(s);
    return begin_stream(s, a, info);
}

/*
 * A stream that no longer answers while its connection stays open: its machine may have lost its power, or
 * the net multicast only. It is told as gone and read on. One that was refused is forgotten.
 */
static void look_after(struct tf_lsl_stream *s, bool seen)
{
    enum tf_lsl_stream_state state;

    if (!s->used || (!s->running && seen))
        return;
    pthread_mutex_lock(&s->lsl->lock);
    state = s->told.state;
    if (!s->running)
        s->used = state != TF_LSL_REFUSED;
    else if (!seen && state == TF_LSL_CONNECTED)
        s->told.state = TF_LSL_GONE;
    else if (seen && s->silent)
        s->told.state = TF_LSL_CONNECTED;
    pthread_mutex_unlock(&s->lsl->lock);
    if (s->running && !seen && state == TF_LSL_CONNECTED)
        tf_lsl_say(s->lsl, TF_LOG_WARNING, "lsl: markers of %s (%s) are gone: it no longer answers",
                   s->told.name, s->told.host);
    else if (s->running && seen && s->silent)
        tf_lsl_say(s->lsl, TF_LOG_NOTICE, "lsl: markers of %s (%s) are connected again", s->told.name,
                   s->told.host);
    s->silent = s->running && !seen && (s->silent || state == TF_LSL_CONNECTED);
}

static void look(struct tf_lsl *lsl, tf_lsl_resolver resolver)
{
    tf_lsl_info infos[ANSWERS_MAX];
    int32_t n = lsl->api.resolver_results(resolver, infos, ANSWERS_MAX);
    struct answer answers[ANSWERS_MAX];
    uint64_t now = tf_now_ns(), ignored = 0;
    struct tf_lsl_stream *s;

    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++)
        if (lsl->streams[i].running && atomic_load(&lsl->streams[i].ended))
            join(&lsl->streams[i]);
    /* First those that are known, so that what begins anew does not take the place of one that is there. */
    for (int32_t k = 0; k < n; k++) {
        read_answer(&lsl->api, infos[k], &answers[k]);
        s = known(lsl, &answers[k]);
        if (s)
            s->seen_ns = now;
    }
    for (int32_t k = 0; k < n; k++)
        if (strcmp(answers[k].source_id, lsl->marks_id) == 0 ||
            !take_answer(lsl, &answers[k], infos[k], now, &ignored))
            lsl->api.destroy_streaminfo(infos[k]);
    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++)
        look_after(&lsl->streams[i], lsl->streams[i].seen_ns == now);
    pthread_mutex_lock(&lsl->lock);
    lsl->told.ignored = ignored;
    pthread_mutex_unlock(&lsl->lock);
}

static void *find_main(void *arg)
{
    struct tf_lsl *lsl = arg;
    tf_lsl_resolver resolver = lsl->api.create_continuous_resolver_bypred(lsl->options.markers, FORGET_S);

    pthread_setname_np(pthread_self(), "tf-lsl-find");
    if (!resolver)
        tf_lsl_say(lsl, TF_LOG_ERROR, "lsl: markers cannot be looked for: liblsl does not take markers=%s",
                   lsl->options.markers);
    while (resolver && !atomic_load(&lsl->quitting)) {
        uint64_t next = tf_now_ns() + LOOK_EVERY_NS;

        look(lsl, resolver);
        while (!atomic_load(&lsl->quitting) && tf_now_ns() < next)
            tf_sleep_until_ns(tf_now_ns() + 100000000);
    }
    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++)
        atomic_store(&lsl->streams[i].stop, true);
    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++)
        join(&lsl->streams[i]);
    if (resolver)
        lsl->api.destroy_continuous_resolver(resolver);
    return NULL;
}

int tf_lsl_find_begin(struct tf_lsl *lsl, struct tf_error *err)
{
    int r;

    for (int i = 0; i < TF_LSL_STREAMS_MAX; i++)
        lsl->streams[i].lsl = lsl;
    r = -pthread_create(&lsl->finder, NULL, find_main, lsl);
    lsl->finds = r == 0;
    return r < 0 ? tf_fail(err, r, "lsl: no thread: %s", strerror(-r)) : 0;
}

bool tf_lsl_find_end(struct tf_lsl *lsl)
{
    return !lsl->finds || tf_lsl_join(lsl->finder);
}
