/*
 * One camera's stream in GStreamer. It plays from the first parameter sets on and is never paused: viewers
 * come and go as destinations of its packets, so that nothing old can wait in it and no thread is made for a
 * viewer.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "publish/rtsp/rtsp.h"
#include "publish/rtsp/server.h"

/*
 * Pictures that may wait for the network before we drop: half a second at 60 frames/s. Beyond it everything
 * up to the next key picture is dropped, for a viewer cannot use what refers to a lost picture.
 */
#define QUEUE_PICTURES 32
#define QUEUE_BYTES (16u << 20)
/* The streaming thread waits so long for the main loop to let viewers in, and for packets of the picture
 * before. */
#define ADMIT_MS 1000
#define DRAIN_MS 100
#define CLOCK_RATE 90000

/*
 * Our media class only exists for its RTP session's options: sender reports must give the time of capture
 * (rtcp-sync-send-time off), not of sending, against the wall clock read beside the pipeline's monotonic
 * clock.
 */
typedef struct {
    GstRTSPMedia parent;
} TfMedia;
typedef struct {
    GstRTSPMediaClass parent;
} TfMediaClass;

GType tf_media_get_type(void);
G_DEFINE_TYPE(TfMedia, tf_media, GST_TYPE_RTSP_MEDIA)

static gboolean setup_rtpbin(GstRTSPMedia *media, GstElement *rtpbin)
{
    g_object_set(rtpbin, "rtcp-sync-send-time", FALSE, NULL);
    gst_util_set_object_arg(G_OBJECT(rtpbin), "ntp-time-source", "ntp");
    return TRUE;
}

static void tf_media_class_init(TfMediaClass *klass)
{
    GST_RTSP_MEDIA_CLASS(klass)->setup_rtpbin = setup_rtpbin;
}

static void tf_media_init(TfMedia *media)
{
}

/* One media, whatever the address: a query or the port that a proxy listens on make no other stream. */
typedef struct {
    GstRTSPMediaFactory parent;
} TfFactory;
typedef struct {
    GstRTSPMediaFactoryClass parent;
} TfFactoryClass;

GType tf_factory_get_type(void);
G_DEFINE_TYPE(TfFactory, tf_factory, GST_TYPE_RTSP_MEDIA_FACTORY)

static gchar *one_key(GstRTSPMediaFactory *factory, const GstRTSPUrl *url)
{
    return g_strdup("one");
}

static void tf_factory_class_init(TfFactoryClass *klass)
{
    GST_RTSP_MEDIA_FACTORY_CLASS(klass)->gen_key = one_key;
}

static void tf_factory_init(TfFactory *factory)
{
}

/* A viewer's RTCP asks for a key picture (PLI, FIR): it arrives as an event on its way upstream. */
static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer context)
{
    struct tf_mount *m = context;
    const GstStructure *structure = gst_event_get_structure(GST_PAD_PROBE_INFO_EVENT(info));

    if (structure && gst_structure_has_name(structure, "GstForceKeyUnit"))
        atomic_store(&m->ring.shared->key_wanted, 1);
    return GST_PAD_PROBE_OK;
}

static void in_ms(struct timespec *t, long ms)
{
    clock_gettime(CLOCK_MONOTONIC, t);
    t->tv_nsec += ms * 1000000;
    t->tv_sec += t->tv_nsec / TF_NS_PER_S;
    t->tv_nsec %= TF_NS_PER_S;
}

static gboolean let_in(gpointer context)
{
    struct tf_mount *m = context;
    GList *waiting = NULL;
    uint32_t seq, rtptime;
    bool late;

    pthread_mutex_lock(&m->lock);
    late = !m->admitting;
    seq = m->seq;
    rtptime = m->rtptime;
    pthread_mutex_unlock(&m->lock);
    if (late) /* the picture has gone without them: they wait for the next */
        return G_SOURCE_REMOVE;
    /* A list of its own: who is let in may close others' connections, or its own. */
    for (GList *l = m->server->conns; l; l = l->next) {
        struct tf_conn *c = l->data;
        if (c->wants == m && c->plays)
            waiting = g_list_prepend(waiting, g_object_ref(c->client));
    }
    for (GList *l = waiting; l; l = l->next) {
        struct tf_conn *c = tf_conn_of(l->data);

        if (c && c->wants == m && c->plays) {
            c->seq = seq;
            c->rtptime = rtptime;
            c->admitted = true;
            tf_conn_resume(c);
        }
    }
    g_list_free_full(waiting, g_object_unref);
    pthread_mutex_lock(&m->lock);
    m->admitting = false;
    pthread_cond_broadcast(&m->change);
    pthread_mutex_unlock(&m->lock);
    tf_conn_count(m->server);
    return G_SOURCE_REMOVE;
}

/*
 * Before a key picture is made into packets: whoever waits for it is let in now, with the number and the time
 * of its first packet, and meanwhile no packet goes anywhere. The packets of the picture before are on their
 * way: those who are let in must not get them.
 */
static GstPadProbeReturn on_picture(GstPad *pad, GstPadProbeInfo *info, gpointer context)
{
    struct tf_mount *m = context;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    struct timespec end;
    unsigned seq = 0, offset = 0;
    bool admit;

    pthread_mutex_lock(&m->lock);
    admit = m->joiners && !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT) &&
            !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_HEADER) && !m->ended;
    pthread_mutex_unlock(&m->lock);
    if (!admit)
        return GST_PAD_PROBE_OK;

    GstStructure *stats = NULL;
    g_object_get(m->payloader, "stats", &stats, NULL);
    if (!stats || !gst_structure_get_uint(stats, "seqnum", &seq) ||
        !gst_structure_get_uint(stats, "timestamp-offset", &offset))
        seq = offset = 0;
    if (stats)
        gst_structure_free(stats);

    pthread_mutex_lock(&m->lock);
    in_ms(&end, DRAIN_MS);
    while (m->sent && m->last_seq != (uint16_t)seq && !m->ended &&
           pthread_cond_timedwait(&m->change, &m->lock, &end) == 0)
        continue;
    m->seq = (seq + 1) & 0xffff;
    m->rtptime = offset + (uint32_t)gst_util_uint64_scale_int(GST_BUFFER_PTS(buffer), CLOCK_RATE, GST_SECOND);
    m->admitting = true;
    /* Not g_main_context_invoke, which would call it here, under the lock, once the loop has ended. */
    g_idle_add_full(G_PRIORITY_DEFAULT, let_in, m, NULL);
    in_ms(&end, ADMIT_MS);
    while (m->admitting && !m->ended && pthread_cond_timedwait(&m->change, &m->lock, &end) == 0)
        continue;
    if (m->admitting) {
        m->admitting = false;
        atomic_store(&m->ring.shared->key_wanted, 1);
    }
    pthread_mutex_unlock(&m->lock);
    return GST_PAD_PROBE_OK;
}

/*
 * The tap: a destination of our own beside the interleaved viewers that is always ready. GStreamer takes the
 * next packet when any of them is, so that it never waits for those that are not; and it tells how far they
 * are.
 *
 * Each packet is acknowledged as a connection would: GStreamer's sending thread takes one packet for each
 * time it is woken, RTCP first, and is woken again by that word alone when RTP waited beside it. Without it
 * the stream stands still for everybody.
 */
static void name_thread(void)
{
    static _Thread_local bool named;

    if (!named)
        prctl(PR_SET_NAME, TF_RTSP_SENDER, 0, 0, 0); /* it has the name of whoever started it */
    named = true;
}

static void note(struct tf_mount *m, GstBuffer *buffer)
{
    uint8_t head[4];

    if (gst_buffer_extract(buffer, 0, head, sizeof(head)) != sizeof(head))
        return;
    pthread_mutex_lock(&m->lock);
    m->last_seq = (uint16_t)(head[2] << 8 | head[3]);
    m->sent = true;
    pthread_cond_broadcast(&m->change);
    pthread_mutex_unlock(&m->lock);
}

static void acknowledge(struct tf_mount *m)
{
    GstRTSPStreamTransport *tap;

    pthread_mutex_lock(&m->lock);
    tap = m->tap;
    pthread_mutex_unlock(&m->lock);
    gst_rtsp_stream_transport_message_sent(tap);
}

static gboolean tap_rtp(GstBuffer *buffer, guint8 channel, gpointer context)
{
    struct tf_mount *m = context;

    name_thread();
    note(m, buffer);
    acknowledge(m);
    return TRUE;
}

static gboolean tap_rtp_list(GstBufferList *list, guint8 channel, gpointer context)
{
    struct tf_mount *m = context;
    guint n = gst_buffer_list_length(list);

    name_thread();
    if (n)
        note(m, gst_buffer_list_get(list, n - 1));
    acknowledge(m);
    return TRUE;
}

static gboolean tap_rtcp(GstBuffer *buffer, guint8 channel, gpointer context)
{
    struct tf_mount *m = context;

    acknowledge(m);
    return TRUE;
}

static gboolean tap_rtcp_list(GstBufferList *list, guint8 channel, gpointer context)
{
    struct tf_mount *m = context;

    acknowledge(m);
    return TRUE;
}

/*
 * The running time of the media is the monotonic clock itself (base time 0), so that our stamps need no
 * conversion and none can come before the start.
 */
static void set_clock(GstElement *element)
{
    GstObject *pipeline = gst_object_get_parent(GST_OBJECT(element));
    GstClock *clock = gst_system_clock_obtain();

    if (pipeline && GST_IS_PIPELINE(pipeline)) {
        gst_pipeline_use_clock(GST_PIPELINE(pipeline), clock);
        gst_element_set_start_time(GST_ELEMENT(pipeline), GST_CLOCK_TIME_NONE);
        gst_element_set_base_time(GST_ELEMENT(pipeline), 0);
    }
    gst_object_unref(clock);
    if (pipeline)
        gst_object_unref(pipeline);
}

static void put(struct tf_mount *m, GstBuffer *buffer, uint64_t t_ns, guint flags)
{
    GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) = t_ns; /* set_clock */
    GST_BUFFER_FLAG_SET(buffer, flags);
    /* What is written here is read by the streaming thread under this lock. (GStreamer's queue orders them as
     * well, by locks that a thread sanitizer cannot see.) */
    pthread_mutex_lock(&m->lock);
    pthread_mutex_unlock(&m->lock);
    gst_app_src_push_buffer(m->appsrc, buffer);
}

/* The parameter sets alone, which prepare the stream and go to nobody. */
static void put_headers(struct tf_mount *m)
{
    put(m, gst_buffer_new_memdup(m->headers, m->headers_size), (uint64_t)g_get_monotonic_time() * 1000,
        GST_BUFFER_FLAG_HEADER);
}

static void configure(GstRTSPMediaFactory *factory, GstRTSPMedia *media, struct tf_mount *m)
{
    GstElement *element = gst_rtsp_media_get_element(media);
    GstElement *source = gst_bin_get_by_name_recurse_up(GST_BIN(element), "source");
    GstPad *pad = gst_element_get_static_pad(source, "src");
    GstCaps *caps = gst_caps_new_simple("video/x-h264", "stream-format", G_TYPE_STRING, "byte-stream",
                                        "alignment", G_TYPE_STRING, "au", NULL);

    g_object_set(source, "caps", caps, "format", GST_FORMAT_TIME, "is-live", TRUE, "do-timestamp", FALSE,
                 "block", FALSE, "emit-signals", FALSE, "min-latency", (gint64)0, "max-buffers", (guint64)0,
                 "max-bytes", (guint64)0, "max-time", (guint64)0, NULL);
    gst_app_src_set_stream_type(GST_APP_SRC(source), GST_APP_STREAM_TYPE_STREAM);
    gst_caps_unref(caps);
    set_clock(element);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, on_event, m, NULL);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_picture, m, NULL);
    gst_object_unref(pad);
    gst_rtsp_media_set_reusable(media, FALSE);
    m->appsrc = GST_APP_SRC(source);
    m->payloader = gst_bin_get_by_name_recurse_up(GST_BIN(element), "pay0");
    gst_object_unref(element);
    put_headers(m);
}

static void failed(struct tf_mount *m, const char *what)
{
    /* The service starts another process; nothing here is worth mending half-way. */
    tf_server_log(m->server, TF_LOG_ERROR, "RTSP: the stream of %s fails: %s", m->name, what);
    g_main_loop_quit(m->server->loop);
}

static void start_media(struct tf_mount *m)
{
    GstRTSPTransport *transport;
    GstRTSPContext context = {0};
    GstRTSPThread *thread;
    GstRTSPStream *stream;
    GPtrArray *all;
    GstRTSPUrl *url;

    gst_rtsp_url_parse("rtsp://localhost/", &url);
    m->media = gst_rtsp_media_factory_construct(m->factory, url);
    gst_rtsp_url_free(url);
    thread = gst_rtsp_thread_pool_get_thread(m->server->threads, GST_RTSP_THREAD_TYPE_MEDIA, &context);
    if (!m->media || !thread || !gst_rtsp_media_prepare(m->media, thread)) {
        failed(m, "it cannot be prepared");
        return;
    }
    stream = gst_rtsp_media_get_stream(m->media, 0);
    gst_rtsp_transport_new(&transport);
    transport->trans = GST_RTSP_TRANS_RTP;
    transport->profile = GST_RTSP_PROFILE_AVP;
    transport->lower_transport = GST_RTSP_LOWER_TRANS_TCP;
    transport->interleaved = (GstRTSPRange){0, 1};
    pthread_mutex_lock(&m->lock);
    m->tap = gst_rtsp_stream_transport_new(stream, transport);
    pthread_mutex_unlock(&m->lock);
    gst_rtsp_stream_transport_set_callbacks(m->tap, tap_rtp, tap_rtcp, m, NULL);
    gst_rtsp_stream_transport_set_list_callbacks(m->tap, tap_rtp_list, tap_rtcp_list, m, NULL);
    all = g_ptr_array_new();
    g_ptr_array_add(all, m->tap);
    if (!gst_rtsp_media_complete_pipeline(m->media, all) || !gst_rtsp_media_unsuspend(m->media) ||
        !gst_rtsp_media_set_state(m->media, GST_STATE_PLAYING, all))
        failed(m, "it does not play");
    g_ptr_array_unref(all);
}

bool tf_mount_ready(const struct tf_mount *m)
{
    return m->media != NULL;
}

static void take_headers(struct tf_mount *m, const uint8_t *data, size_t size)
{
    uint8_t headers[TF_HEADERS_MAX];
    size_t used = tf_sdp_headers(data, size, headers);
    GList *waiting = NULL;

    if (!used || (used == m->headers_size && memcmp(headers, m->headers, used) == 0))
        return;
    memcpy(m->headers, headers, used);
    m->headers_size = used;
    m->wanted_us = 0;
    if (!m->media)
        start_media(m);
    for (GList *l = m->server->conns; l; l = l->next) {
        struct tf_conn *c = l->data;
        if (c->wants == m && !c->plays)
            waiting = g_list_prepend(waiting, g_object_ref(c->client));
    }
    for (GList *l = waiting; l; l = l->next) {
        struct tf_conn *c = tf_conn_of(l->data);
        if (c && c->wants == m && !c->plays)
            tf_conn_resume(c);
    }
    g_list_free_full(waiting, g_object_unref);
}

static void feed_one(struct tf_mount *m, const struct tf_link_ring_head *head)
{
    bool key = head->flags & TF_LINK_KEY, full;
    GstBuffer *buffer;
    GstMapInfo map;

    full = m->appsrc && (gst_app_src_get_current_level_buffers(m->appsrc) >= QUEUE_PICTURES ||
                         gst_app_src_get_current_level_bytes(m->appsrc) + head->size > QUEUE_BYTES);
    if (head->flags & TF_LINK_HEADERS ? head->size > TF_HEADERS_MAX : full || (m->wait_key && !key)) {
        tf_link_ring_take(&m->ring, head, NULL);
        if (head->flags & TF_LINK_HEADERS)
            return;
        atomic_fetch_add(&m->ring.shared->dropped, 1);
        if (!m->wait_key)
            atomic_store(&m->ring.shared->key_wanted, 1);
        m->wait_key = true;
        return;
    }
    buffer = gst_buffer_new_allocate(NULL, head->size, NULL);
    if (!gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
        gst_buffer_unref(buffer);
        tf_link_ring_take(&m->ring, head, NULL);
        return;
    }
    tf_link_ring_take(&m->ring, head, map.data);
    if (key || head->flags & TF_LINK_HEADERS)
        take_headers(m, map.data, map.size);
    gst_buffer_unmap(buffer, &map);
    if (head->flags & TF_LINK_HEADERS && head->frame && head->frame < 10000000)
        m->fps = (float)head->frame / 1000;
    if (head->flags & TF_LINK_HEADERS || !m->media) {
        gst_buffer_unref(buffer);
        return;
    }
    m->wait_key = false;
    put(m, buffer, head->t_mono_ns, key ? 0 : GST_BUFFER_FLAG_DELTA_UNIT);
}

void tf_mount_feed(struct tf_mount *m)
{
    struct tf_link_ring_head head;
    int r;

    while ((r = tf_link_ring_peek(&m->ring, &head)) > 0)
        feed_one(m, &head);
    if (r < 0)
        failed(m, "what the service shares is damaged");
}

void tf_mount_join(struct tf_mount *m, int change)
{
    pthread_mutex_lock(&m->lock);
    m->joiners += (unsigned)change;
    pthread_mutex_unlock(&m->lock);
    if (change > 0)
        atomic_store(&m->ring.shared->key_wanted, 1);
}

struct tf_mount *tf_mount_find(struct tf_server *s, const char *path)
{
    for (size_t i = 0; i < s->mount_count; i++)
        if (strcmp(s->mounts[i]->path, path) == 0)
            return s->mounts[i];
    return NULL;
}

struct tf_mount *tf_mount_create(struct tf_server *s, const char *name, float fps, int memory)
{
    struct tf_mount *m = g_new0(struct tf_mount, 1);
    pthread_condattr_t attributes;
    struct tf_error err = {0};

    if (tf_link_ring_open(&m->ring, memory, &err) < 0) {
        tf_server_log(s, TF_LOG_ERROR, "%s", err.text);
        g_free(m);
        return NULL;
    }
    m->server = s;
    m->fps = fps;
    m->wait_key = true;
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&m->change, &attributes);
    pthread_condattr_destroy(&attributes);
    g_strlcpy(m->name, name, sizeof(m->name));
    m->path[0] = '/';
    g_strlcpy(m->path + 1, m->name, sizeof(m->path) - 1);

    m->factory = g_object_new(tf_factory_get_type(), NULL);
    gst_rtsp_media_factory_set_media_gtype(m->factory, tf_media_get_type());
    /* Packets are whole pictures with their parameter sets already: no parser is needed between. */
    gst_rtsp_media_factory_set_launch(
        m->factory, "( appsrc name=source ! rtph264pay name=pay0 pt=96 config-interval=0 )");
    gst_rtsp_media_factory_set_shared(m->factory, TRUE);
    gst_rtsp_media_factory_set_latency(m->factory, 0);
    gst_rtsp_media_factory_set_suspend_mode(m->factory, GST_RTSP_SUSPEND_MODE_NONE);
    gst_rtsp_media_factory_set_stop_on_disconnect(m->factory, TRUE);
    gst_rtsp_media_factory_set_protocols(m->factory, GST_RTSP_LOWER_TRANS_UDP | GST_RTSP_LOWER_TRANS_TCP);
    /* AVP alone: with AVPF the description would have the one video twice, and players wait for both. */
    gst_rtsp_media_factory_set_profiles(m->factory, GST_RTSP_PROFILE_AVP);
    g_signal_connect(m->factory, "media-configure", G_CALLBACK(configure), m);
    gst_rtsp_mount_points_add_factory(s->points, m->path, g_object_ref(m->factory));
    s->mounts[s->mount_count++] = m;
    return m;
}
