/* Connections that GStreamer serves: their sessions, what they wait for, and when they end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "publish/rtsp/server.h"

/* From the connection to a session, whatever is said meanwhile; and after a session to the next. */
#define SESSION_DEADLINE_US (15 * G_USEC_PER_SEC)
/* A UDP viewer without a word (RTCP or RTSP) for so long is gone; players are told and keep the session
 * alive. */
#define SESSION_TIMEOUT_S 30
/* A viewer that has taken nothing for so long is ended. */
#define STUCK_US (5 * G_USEC_PER_SEC)
#define REQUESTS_MAX 16
/* The guard: how often it looks, how long the main loop may do one thing, and what nobody has to say. */
#define GUARD_MS 100
#define BEAT_US (500 * 1000)
#define TALK_NOBODY (256u << 10) /* bytes in all, without a session */
#define TALK_VIEWER (256u << 10) /* bytes between two looks, with one */
/* Who holds the main loop speaks without a pause; a request and some RTCP are less, however slow the machine.
 */
#define TALK_HOLDS (8u << 10) /* bytes between two looks */

static GQuark conn_quark(void)
{
    return g_quark_from_static_string("tf-conn");
}

struct tf_conn *tf_conn_of(GstRTSPClient *client)
{
    return g_object_get_qdata(G_OBJECT(client), conn_quark());
}

static void stop_waiting(struct tf_conn *c)
{
    if (c->wants && c->plays)
        tf_mount_join(c->wants, -1);
    c->wants = NULL;
    c->plays = false;
}

bool tf_conn_defer(struct tf_conn *c, const GstRTSPMessage *request, struct tf_mount *wants, bool plays)
{
    GstRTSPMessage *copy = NULL;

    if (c->requests->length >= REQUESTS_MAX || gst_rtsp_message_copy(request, &copy) != GST_RTSP_OK) {
        c->closing = true;
        return true;
    }
    /* The one that is handled now stood first. */
    if (c->draining)
        g_queue_push_head(c->requests, copy);
    else
        g_queue_push_tail(c->requests, copy);
    if (wants) {
        c->wants = wants;
        c->plays = plays;
        if (plays)
            tf_mount_join(wants, 1);
    }
    return true;
}

void tf_conn_resume(struct tf_conn *c)
{
    GstRTSPClient *client = g_object_ref(c->client);
    GstRTSPMessage *request;

    stop_waiting(c);
    c->draining = true;
    while (!c->wants && !c->timer && !c->closing && (request = g_queue_pop_head(c->requests))) {
        gst_rtsp_client_handle_message(client, request);
        gst_rtsp_message_free(request);
        /* It may have ended itself. */
        if (tf_conn_of(client) != c)
            break;
        c->admitted = false;
    }
    if (tf_conn_of(client) == c)
        c->draining = false;
    g_object_unref(client);
}

static bool has_session(struct tf_conn *c)
{
    return gst_rtsp_session_pool_get_n_sessions(c->sessions) > 0;
}

unsigned tf_conn_sessions(struct tf_server *s, const char *ip)
{
    unsigned n = 0;

    for (GList *l = s->conns; l; l = l->next) {
        struct tf_conn *c = l->data;
        if (!ip || strcmp(ip, c->ip) == 0)
            n += gst_rtsp_session_pool_get_n_sessions(c->sessions);
    }
    return n;
}

struct tally {
    struct tf_server *server;
    unsigned viewers[TF_RTSP_MOUNTS_MAX];
    bool any;
    bool lost; /* plays, but its stream has given it up */
    bool tcp;
};

static GstRTSPFilterResult find_transport(GstRTSPStream *stream, GstRTSPStreamTransport *t, gpointer context)
{
    const GstRTSPStreamTransport **wanted = context;

    if (t == *wanted)
        *wanted = NULL;
    return GST_RTSP_FILTER_KEEP;
}

static GstRTSPFilterResult tally_media(GstRTSPSession *session, GstRTSPSessionMedia *item, gpointer context)
{
    struct tally *tally = context;
    GstRTSPMedia *media = gst_rtsp_session_media_get_media(item);
    GstRTSPStreamTransport *transport = gst_rtsp_session_media_get_transport(item, 0);
    const GstRTSPTransport *t = transport ? gst_rtsp_stream_transport_get_transport(transport) : NULL;
    GstRTSPStreamTransport *wanted = transport;

    if (t && t->lower_transport == GST_RTSP_LOWER_TRANS_TCP)
        tally->tcp = true;
    if (gst_rtsp_session_media_get_rtsp_state(item) != GST_RTSP_STATE_PLAYING)
        return GST_RTSP_FILTER_KEEP;
    for (size_t i = 0; i < tally->server->mount_count; i++)
        if (tally->server->mounts[i]->media == media)
            tally->viewers[i]++;
    tally->any = true;
    if (transport) {
        g_list_free(gst_rtsp_stream_transport_filter(gst_rtsp_stream_transport_get_stream(transport),
                                                     (GstRTSPStreamTransportFilterFunc)find_transport,
                                                     &wanted));
        tally->lost |= wanted != NULL;
    }
    return GST_RTSP_FILTER_KEEP;
}

static GstRTSPFilterResult tally_session(GstRTSPSessionPool *pool, GstRTSPSession *session, gpointer context)
{
    gst_rtsp_session_filter(session, tally_media, context);
    return GST_RTSP_FILTER_KEEP;
}

void tf_conn_count(struct tf_server *s)
{
    struct tally tally = {.server = s};
    int64_t now = tf_server_now_us();

    for (GList *l = s->conns; l; l = l->next) {
        struct tf_conn *c = l->data;

        gst_rtsp_session_pool_filter(c->sessions, tally_session, &tally);
        /* Who waits for a picture needs one. */
        for (size_t i = 0; c->wants && i < s->mount_count; i++)
            if (s->mounts[i] == c->wants && (c->plays || now < c->wants->wanted_us))
                tally.viewers[i]++;
    }
    for (size_t i = 0; i < s->mount_count; i++)
        atomic_store(&s->mounts[i]->ring.shared->viewers, tally.viewers[i]);
}

static GstRTSPFilterResult touch_session(GstRTSPSessionPool *pool, GstRTSPSession *session, gpointer context)
{
    gst_rtsp_session_touch(session);
    return GST_RTSP_FILTER_KEEP;
}

static GstRTSPFilterResult remove_session(GstRTSPSessionPool *pool, GstRTSPSession *session, gpointer context)
{
    return GST_RTSP_FILTER_REMOVE;
}

/* Whether the viewer takes nothing of what lies ready for it. */
static bool is_stuck(struct tf_conn *c, int64_t now)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    int waiting = 0;

    if (ioctl(c->fd, SIOCOUTQ, &waiting) < 0 || getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    if (!waiting || info.tcpi_bytes_acked != c->acked) {
        c->acked = info.tcpi_bytes_acked;
        c->stuck_us = 0;
        return false;
    }
    if (!c->stuck_us)
        c->stuck_us = now;
    return now - c->stuck_us > STUCK_US;
}

/* A description that no picture came for. */
static void give_up_waiting(struct tf_conn *c)
{
    GstRTSPMessage *request = g_queue_pop_head(c->requests), response = {0};

    stop_waiting(c);
    if (request) {
        gst_rtsp_message_init_response(&response, GST_RTSP_STS_SERVICE_UNAVAILABLE,
                                       gst_rtsp_status_as_text(GST_RTSP_STS_SERVICE_UNAVAILABLE), request);
        gst_rtsp_client_send_message(c->client, NULL, &response);
        gst_rtsp_message_free(request);
    }
    tf_conn_resume(c);
}

static void tend(struct tf_conn *c, int64_t now)
{
    struct tally tally = {.server = c->server};

    gst_rtsp_session_pool_cleanup(c->sessions);
    gst_rtsp_session_pool_filter(c->sessions, tally_session, &tally);
    if (tally.lost || is_stuck(c, now)) {
        tf_server_say(c->server, TF_SAID_SLOW, "RTSP: a viewer that does not keep up was ended", c->ip);
        c->closing = true;
    }
    /* The connection is the proof of life of those whose pictures go over it. */
    if (tally.tcp)
        gst_rtsp_session_pool_filter(c->sessions, touch_session, NULL);
    atomic_store(&c->nobody, !has_session(c));
    if (has_session(c)) {
        c->deadline_us = 0;
    } else if (c->wants) {
        if (now > c->wants->wanted_us && !c->plays)
            give_up_waiting(c);
    } else if (!c->deadline_us) {
        c->deadline_us = now + SESSION_DEADLINE_US;
    } else if (now > c->deadline_us) {
        c->closing = true;
    }
    if (c->closing)
        tf_conn_close(c);
}

void tf_conn_tend(struct tf_server *s)
{
    int64_t now = tf_server_now_us();
    GList *all = NULL;

    for (GList *l = s->conns; l; l = l->next)
        all = g_list_prepend(all, g_object_ref(((struct tf_conn *)l->data)->client));
    for (GList *l = all; l; l = l->next) {
        struct tf_conn *c = tf_conn_of(l->data);
        if (c)
            tend(c, now);
    }
    g_list_free_full(all, g_object_unref);
    tf_conn_count(s);
}

bool tf_conn_evict(struct tf_server *s)
{
    struct tf_conn *victim = NULL;

    /* Those who have not shown who they are go first. */
    for (GList *l = s->conns; l; l = l->next) {
        struct tf_conn *c = l->data;
        if (!has_session(c) && (!victim || (victim->authorised && !c->authorised)))
            victim = c;
    }
    if (!victim)
        return false;
    tf_conn_close(victim);
    return true;
}

void tf_conn_close(struct tf_conn *c)
{
    GstRTSPClient *client = g_object_ref(c->client);

    /* "closed" comes from within. */
    gst_rtsp_client_close(client);
    g_object_unref(client);
}

static gboolean let_go(gpointer object)
{
    g_object_unref(object);
    return G_SOURCE_REMOVE;
}

/* After everything that other threads have asked of the main loop, which is idle work: behind that. */
static void let_go_later(gpointer object)
{
    g_timeout_add_seconds_full(G_PRIORITY_LOW, 2, let_go, object, NULL);
}

static void on_session(GstRTSPClient *client, GstRTSPSession *session, struct tf_conn *c)
{
    gst_rtsp_session_set_timeout(session, SESSION_TIMEOUT_S);
    atomic_store(&c->nobody, false);
    c->deadline_us = 0;
}

static GstRTSPFilterResult end_media(GstRTSPSession *session, GstRTSPSessionMedia *item, gpointer context)
{
    gst_rtsp_session_media_set_state(item, GST_STATE_NULL);
    return GST_RTSP_FILTER_REMOVE;
}

/*
 * Nothing is sent for it from now on. The object stays a moment: the thread that sends to interleaved viewers
 * touches the session after each packet, and GStreamer holds no reference for that.
 */
static void on_session_removed(GstRTSPSessionPool *pool, GstRTSPSession *session, gpointer context)
{
    gst_rtsp_session_filter(session, end_media, NULL);
    let_go_later(g_object_ref(session));
}

static void on_change(GstRTSPClient *client, GstRTSPContext *context, struct tf_conn *c)
{
    tf_conn_count(c->server);
}

/* Its sessions go with it: nothing is sent to nobody, and its place is free at once. */
static void on_closed(GstRTSPClient *client, struct tf_conn *c)
{
    struct tf_server *s = c->server;

    stop_waiting(c);
    if (c->timer)
        g_source_remove(c->timer);
    gst_rtsp_session_pool_filter(c->sessions, remove_session, NULL);
    pthread_mutex_lock(&s->lock);
    s->conns = g_list_remove(s->conns, c);
    s->conn_count--;
    close(c->fd);
    pthread_mutex_unlock(&s->lock);
    g_object_set_qdata(G_OBJECT(client), conn_quark(), NULL);
    g_signal_handlers_disconnect_by_data(client, c);
    while (!g_queue_is_empty(c->requests))
        gst_rtsp_message_free(g_queue_pop_head(c->requests));
    g_queue_free(c->requests);
    g_object_unref(c->sessions);
    /* Nothing sends any more: the descriptor is free now. The object itself stays a moment: a thread that
     * could not send may have asked the main loop to close it, and GStreamer holds no reference for that. */
    if (gst_rtsp_client_get_connection(client))
        gst_rtsp_connection_close(gst_rtsp_client_get_connection(client));
    let_go_later(c->client);
    g_free(c);
    tf_conn_count(s);
}

static bool is_proxy(const struct tf_server *s, const char *ip)
{
    char **all = g_strsplit_set(s->setup.setup.proxies, " \t,", -1);
    bool found = g_strv_contains((const gchar *const *)all, ip);

    g_strfreev(all);
    return found;
}

static bool use_tls(struct tf_server *s, GstRTSPConnection *connection)
{
    GTlsConnection *tls = s->certificate ? gst_rtsp_connection_get_tls(connection, NULL) : NULL;

    if (!tls)
        return false;
    g_tls_connection_set_certificate(tls, s->certificate);
    return true;
}

static void make_nonce(char nonce[33])
{
    uint32_t random[4];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        for (int i = 0; i < 4; i++)
            random[i] = g_random_int();
    for (int i = 0; i < 4; i++)
        g_snprintf(nonce + 8 * i, 9, "%08x", random[i]);
}

void tf_conn_create(struct tf_server *s, int fd, const char *ip, uint16_t port)
{
    GSocket *socket = g_socket_new_from_fd(fd, NULL);
    GstRTSPConnection *connection = NULL;
    struct tf_conn *c;

    if (!socket) {
        close(fd);
        return;
    }
    c = g_new0(struct tf_conn, 1);
    c->server = s;
    c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (c->fd < 0 ||
        gst_rtsp_connection_create_from_socket(socket, ip, port, NULL, &connection) != GST_RTSP_OK) {
        if (c->fd >= 0)
            close(c->fd);
        g_object_unref(socket);
        g_free(c);
        return;
    }
    g_object_unref(socket);
    if (s->setup.setup.tls && !use_tls(s, connection)) {
        close(c->fd);
        gst_rtsp_connection_free(connection);
        g_free(c);
        return;
    }
    g_strlcpy(c->ip, ip, sizeof(c->ip));
    c->limited = !g_str_has_prefix(ip, "127.") && strcmp(ip, "::1") != 0 && !is_proxy(s, ip);
    c->deadline_us = tf_server_now_us() + SESSION_DEADLINE_US;
    atomic_init(&c->nobody, true);
    c->requests = g_queue_new();
    make_nonce(c->nonce);
    c->sessions = gst_rtsp_session_pool_new();
    g_signal_connect(c->sessions, "session-removed", G_CALLBACK(on_session_removed), NULL);
    c->client = g_object_new(tf_client_get_type(), NULL);
    gst_rtsp_client_set_session_pool(c->client, c->sessions);
    gst_rtsp_client_set_mount_points(c->client, s->points);
    gst_rtsp_client_set_auth(c->client, s->auth);
    gst_rtsp_client_set_thread_pool(c->client, s->threads);
    gst_rtsp_client_set_content_length_limit(c->client, 64 << 10);
    gst_rtsp_client_set_connection(c->client, connection);
    g_object_set_qdata(G_OBJECT(c->client), conn_quark(), c);
    g_signal_connect(c->client, "new-session", G_CALLBACK(on_session), c);
    g_signal_connect(c->client, "play-request", G_CALLBACK(on_change), c);
    g_signal_connect(c->client, "pause-request", G_CALLBACK(on_change), c);
    g_signal_connect(c->client, "teardown-request", G_CALLBACK(on_change), c);
    g_signal_connect(c->client, "closed", G_CALLBACK(on_closed), c);
    pthread_mutex_lock(&s->lock);
    s->conns = g_list_append(s->conns, c);
    s->conn_count++;
    pthread_mutex_unlock(&s->lock);
    gst_rtsp_client_attach(c->client, g_main_context_default());
}

/*
 * GStreamer reads a request to its end before it does anything else, and a request has no end as long as
 * header lines come: one connection could keep the main loop busy and fill the memory. The guard sees from
 * beside how much each has said.
 */
static void look(struct tf_server *s)
{
    bool held = (uint64_t)tf_server_now_us() - atomic_load(&s->beat) > BEAT_US;
    struct tf_conn *loudest = NULL;
    uint64_t most = TALK_HOLDS;

    pthread_mutex_lock(&s->lock);
    for (GList *l = s->conns; l; l = l->next) {
        struct tf_conn *c = l->data;
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        uint64_t talk;

        if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
            continue;
        talk = info.tcpi_bytes_received - c->received;
        c->received = info.tcpi_bytes_received;
        if (talk > TALK_VIEWER || (c->received > TALK_NOBODY && atomic_load(&c->nobody)))
            shutdown(c->fd, SHUT_RDWR);
        if (talk > most) {
            most = talk;
            loudest = c;
        }
    }
    if (held && loudest)
        shutdown(loudest->fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
}

static gpointer guard(gpointer context)
{
    for (;;) {
        g_usleep(GUARD_MS * 1000);
        look(context);
    }
    return NULL;
}

void tf_conn_guard_start(struct tf_server *s)
{
    g_thread_unref(g_thread_new("tf-rtsp-guard", guard, s));
}
