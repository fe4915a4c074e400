/*
 * What is asked: every request passes GStreamer's authorisation before anything else, and so passes here. Who
 * may not watch gets 401 whatever he asks for; a description is given without any stream; what has to wait is
 * kept.
 */
#include <string.h>

#include "base/log.h"
#include "publish/rtsp/server.h"

#define REALM "thermoface"
#define METHODS "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
/* A description waits for pictures so long, while a camera is being opened. */
#define DESCRIBE_WAIT_US (20 * G_USEC_PER_SEC)
#define REFUSAL_DELAY_MS 500
#define FAILURES_MAX 5
#define CONTROL "/stream=0"

typedef struct {
    GstRTSPAuth parent;
} TfAuth;
typedef struct {
    GstRTSPAuthClass parent;
} TfAuthClass;

GType tf_auth_get_type(void);
G_DEFINE_TYPE(TfAuth, tf_auth, GST_TYPE_RTSP_AUTH)

typedef struct {
    GstRTSPClient parent;
} TfClient;
typedef struct {
    GstRTSPClientClass parent;
} TfClientClass;

G_DEFINE_TYPE(TfClient, tf_client, GST_TYPE_RTSP_CLIENT)

enum verdict { MAY, MUST_ASK, STALE, WRONG };

static bool equal(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned differ = n != m;

    /* As long for every wrong one. */
    for (size_t i = 0; i < n; i++)
        differ |= (unsigned char)a[i] ^ (unsigned char)b[m ? i % m : 0];
    return differ == 0;
}

static enum verdict digest(struct tf_conn *c, GstRTSPAuthParam **params, const char *method)
{
    const char *user = NULL, *nonce = NULL, *uri = NULL, *response = NULL;
    enum verdict verdict = WRONG;
    char *right;

    for (; params && *params; params++) {
        const char *name = (*params)->name, *value = (*params)->value;

        if (!name || !value)
            continue;
        if (!g_ascii_strcasecmp(name, "username"))
            user = value;
        else if (!g_ascii_strcasecmp(name, "nonce"))
            nonce = value;
        else if (!g_ascii_strcasecmp(name, "uri"))
            uri = value;
        else if (!g_ascii_strcasecmp(name, "response"))
            response = value;
    }
    if (!user || !nonce || !uri || !response)
        return WRONG;
    /* Another connection's: players keep the last one. */
    if (strcmp(nonce, c->nonce) != 0)
        return STALE;
    right = gst_rtsp_generate_digest_auth_response(NULL, method, REALM, c->server->setup.setup.user,
                                                   c->server->setup.setup.password, uri, nonce);
    if (right && equal(response, right) && equal(user, c->server->setup.setup.user))
        verdict = MAY;
    g_free(right);
    return verdict;
}

static enum verdict basic(struct tf_conn *c, const char *authorization)
{
    char *pair = g_strdup_printf("%s:%s", c->server->setup.setup.user, c->server->setup.setup.password);
    char *right = g_base64_encode((const guchar *)pair, strlen(pair));
    bool may = authorization && equal(authorization, right);

    explicit_bzero(pair, strlen(pair));
    explicit_bzero(right, strlen(right));
    g_free(pair);
    g_free(right);
    return may ? MAY : WRONG;
}

static enum verdict judge(struct tf_conn *c, GstRTSPContext *ctx)
{
    GstRTSPAuthCredential **all;
    enum verdict verdict = MUST_ASK;

    if (!c->server->setup.setup.user[0])
        return MAY;
    all = gst_rtsp_message_parse_auth_credentials(ctx->request, GST_RTSP_HDR_AUTHORIZATION);
    for (size_t i = 0; all && all[i] && verdict != MAY; i++) {
        if (all[i]->scheme == GST_RTSP_AUTH_DIGEST)
            verdict = digest(c, all[i]->params, gst_rtsp_method_as_text(ctx->method));
        else if (all[i]->scheme == GST_RTSP_AUTH_BASIC)
            /* Without TLS it is not even looked at: it would tell a listener that it is right. */
            verdict = c->server->setup.setup.tls ? basic(c, all[i]->authorization) : MUST_ASK;
    }
    if (all)
        gst_rtsp_auth_credentials_free(all);
    return verdict;
}

static void answer(GstRTSPContext *ctx, GstRTSPStatusCode code, GstRTSPHeaderField field, const char *value)
{
    gst_rtsp_message_init_response(ctx->response, code, gst_rtsp_status_as_text(code), ctx->request);
    if (value)
        gst_rtsp_message_add_header(ctx->response, field, value);
    gst_rtsp_client_send_message(ctx->client, ctx->session, ctx->response);
}

static void ask(struct tf_conn *c, GstRTSPContext *ctx, bool stale)
{
    char text[128];

    g_snprintf(text, sizeof(text), "Digest realm=\"%s\", nonce=\"%s\"%s", REALM, c->nonce,
               stale ? ", stale=\"true\"" : "");
    gst_rtsp_message_init_response(ctx->response, GST_RTSP_STS_UNAUTHORIZED,
                                   gst_rtsp_status_as_text(GST_RTSP_STS_UNAUTHORIZED), ctx->request);
    gst_rtsp_message_add_header(ctx->response, GST_RTSP_HDR_WWW_AUTHENTICATE, text);
    if (c->server->setup.setup.tls)
        gst_rtsp_message_add_header(ctx->response, GST_RTSP_HDR_WWW_AUTHENTICATE,
                                    "Basic realm=\"" REALM "\"");
    gst_rtsp_client_send_message(ctx->client, NULL, ctx->response);
}

static gboolean refuse_late(gpointer context)
{
    struct tf_conn *c = context;

    c->timer = 0;
    if (c->failures >= FAILURES_MAX)
        tf_conn_close(c);
    else
        tf_conn_resume(c);
    return G_SOURCE_REMOVE;
}

static bool may(struct tf_conn *c, GstRTSPContext *ctx)
{
    enum verdict verdict = judge(c, ctx);

    c->authorised = verdict == MAY;
    if (verdict == MAY) {
        c->failures = 0;
        return true;
    }
    if (verdict == WRONG && !c->refused) {
        c->failures++;
        c->server->logins_failed++;
        tf_server_say(c->server, TF_SAID_LOGIN, "RTSP: a login failed", c->ip);
        tf_conn_defer(c, ctx->request, NULL, false);
        c->timer = g_timeout_add(REFUSAL_DELAY_MS, refuse_late, c);
        c->refused = true; /* its second pass is the answer */
        return false;
    }
    c->refused = false;
    ask(c, ctx, verdict == STALE);
    return false;
}

/* The camera that an address means: its path, or that of its stream. */
static struct tf_mount *meant(struct tf_conn *c, const GstRTSPUrl *uri)
{
    struct tf_mount *m;
    char *path;

    if (!uri || !uri->abspath)
        return NULL;
    path = g_strdup(uri->abspath);
    if (g_str_has_suffix(path, CONTROL))
        path[strlen(path) - strlen(CONTROL)] = '\0';
    m = tf_mount_find(c->server, path);
    g_free(path);
    return m;
}

static bool wait_for_headers(struct tf_conn *c, GstRTSPContext *ctx, struct tf_mount *m)
{
    m->wanted_us = tf_server_now_us() + DESCRIBE_WAIT_US;
    atomic_store(&m->ring.shared->key_wanted, 1);
    tf_conn_defer(c, ctx->request, m, false);
    tf_conn_count(c->server);
    return false;
}

/* ::ffff:192.0.2.1 is 192.0.2.1; both are what the client knows this machine by. */
static char *server_ip(struct tf_conn *c)
{
    GstRTSPConnection *connection = gst_rtsp_client_get_connection(c->client);
    GSocket *socket = connection ? gst_rtsp_connection_get_read_socket(connection) : NULL;
    GSocketAddress *address = socket ? g_socket_get_local_address(socket, NULL) : NULL;
    char *ip = NULL;

    if (G_IS_INET_SOCKET_ADDRESS(address))
        ip = g_inet_address_to_string(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address)));
    g_clear_object(&address);
    if (ip && g_str_has_prefix(ip, "::ffff:") && strchr(ip, '.'))
        memmove(ip, ip + 7, strlen(ip + 7) + 1);
    return ip ? ip : g_strdup("127.0.0.1");
}

static void describe(struct tf_conn *c, GstRTSPContext *ctx, struct tf_mount *m)
{
    char *ip = server_ip(c), *text = tf_sdp_text(m, ip), *base, *query = ctx->uri->query;

    /* As it was asked for, less the query: what a player adds to it finds the stream. */
    ctx->uri->query = NULL;
    base = gst_rtsp_url_get_request_uri(ctx->uri);
    ctx->uri->query = query;
    gst_rtsp_message_init_response(ctx->response, GST_RTSP_STS_OK, "OK", ctx->request);
    gst_rtsp_message_add_header(ctx->response, GST_RTSP_HDR_CONTENT_TYPE, "application/sdp");
    gst_rtsp_message_take_header(ctx->response, GST_RTSP_HDR_CONTENT_BASE, g_strconcat(base, "/", NULL));
    gst_rtsp_message_take_body(ctx->response, (guint8 *)text, (guint)strlen(text));
    gst_rtsp_client_send_message(ctx->client, ctx->session, ctx->response);
    g_free(base);
    g_free(ip);
}

/* A place for one viewer more; false: refused. */
static bool has_place(struct tf_conn *c, GstRTSPContext *ctx)
{
    uint32_t each = c->server->setup.setup.clients_per_address;

    if (tf_conn_sessions(c->server, NULL) >= c->server->setup.setup.clients_max) {
        tf_server_say(c->server, TF_SAID_FULL, "RTSP: a viewer too many (clients) was refused", c->ip);
    } else if (each && c->limited && tf_conn_sessions(c->server, c->ip) >= each) {
        tf_server_say(c->server, TF_SAID_FULL,
                      "RTSP: a viewer too many for its address (clients-per-address) was refused", c->ip);
    } else {
        return true;
    }
    answer(ctx, GST_RTSP_STS_SERVICE_UNAVAILABLE, GST_RTSP_HDR_RETRY_AFTER, "5");
    return false;
}

/* True: waits for the next key picture. */
static bool must_wait(struct tf_conn *c, GstRTSPContext *ctx, struct tf_mount *m)
{
    GstRTSPSessionMedia *media;
    bool playing = false;
    int matched = 0;

    if (!m || !ctx->session || c->admitted)
        return false;
    media = gst_rtsp_session_dup_media(ctx->session, m->path, &matched);
    if (!media)
        return false;
    playing = gst_rtsp_session_media_get_rtsp_state(media) == GST_RTSP_STATE_PLAYING;
    g_object_unref(media);
    return !playing;
}

static bool handle(struct tf_conn *c, GstRTSPContext *ctx)
{
    struct tf_mount *m;

    if (ctx->method == GST_RTSP_OPTIONS) {
        answer(ctx, GST_RTSP_STS_OK, GST_RTSP_HDR_PUBLIC, METHODS);
        return false;
    }
    if (!may(c, ctx))
        return false;
    m = meant(c, ctx->uri);
    switch (ctx->method) {
    case GST_RTSP_DESCRIBE:
        if (!ctx->uri || !m || strcmp(m->path, ctx->uri->abspath) != 0) {
            answer(ctx, ctx->uri ? GST_RTSP_STS_NOT_FOUND : GST_RTSP_STS_BAD_REQUEST, 0, NULL);
            return false;
        }
        if (!tf_mount_ready(m))
            return wait_for_headers(c, ctx, m);
        describe(c, ctx, m);
        return false;
    case GST_RTSP_SETUP:
        if (!m)
            return true; /* GStreamer says what is wrong */
        if (!tf_mount_ready(m))
            return wait_for_headers(c, ctx, m);
        return ctx->session || has_place(c, ctx);
    case GST_RTSP_PLAY:
        if (!must_wait(c, ctx, m))
            return true;
        tf_conn_defer(c, ctx->request, m, true);
        tf_conn_count(c->server);
        return false;
    case GST_RTSP_ANNOUNCE:
    case GST_RTSP_RECORD:
    case GST_RTSP_REDIRECT:
        answer(ctx, GST_RTSP_STS_METHOD_NOT_ALLOWED, GST_RTSP_HDR_ALLOW, METHODS);
        return false;
    default:
        return true;
    }
}

static gboolean check(GstRTSPAuth *auth, GstRTSPContext *ctx, const gchar *what)
{
    struct tf_conn *c = ctx->client ? tf_conn_of(ctx->client) : NULL;

    if (!g_str_equal(what, GST_RTSP_AUTH_CHECK_URL))
        return !g_str_equal(what, GST_RTSP_AUTH_CHECK_TRANSPORT_CLIENT_SETTINGS);
    if (!c)
        return FALSE;
    if (c->wants || c->timer) {
        tf_conn_defer(c, ctx->request, NULL, false);
        return FALSE;
    }
    return handle(c, ctx);
}

static void tf_auth_class_init(TfAuthClass *klass)
{
    GST_RTSP_AUTH_CLASS(klass)->check = check;
}

static void tf_auth_init(TfAuth *auth)
{
}

GstRTSPAuth *tf_request_auth_new(void)
{
    return g_object_new(tf_auth_get_type(), NULL);
}

/* A query makes no other address. */
static gchar *make_path(GstRTSPClient *client, const GstRTSPUrl *uri)
{
    return g_strdup(uri->abspath && uri->abspath[0] ? uri->abspath : "/");
}

static gboolean configure_transport(GstRTSPClient *client, GstRTSPContext *ctx, GstRTSPTransport *t)
{
    if (t->lower_transport == GST_RTSP_LOWER_TRANS_UDP &&
        (t->client_port.min <= 0 || t->client_port.min > 65535 || t->client_port.max <= 0 ||
         t->client_port.max > 65535))
        return FALSE;
    if (t->lower_transport == GST_RTSP_LOWER_TRANS_TCP && t->interleaved.min != -1 &&
        (t->interleaved.min < 0 || t->interleaved.min > 255 || t->interleaved.max < 0 ||
         t->interleaved.max > 255 || t->interleaved.min == t->interleaved.max))
        return FALSE;
    return GST_RTSP_CLIENT_CLASS(tf_client_parent_class)->configure_client_transport(client, ctx, t);
}

/* Number and time of the packet that comes next, which is the first of a key picture. */
static GstRTSPStatusCode adjust_response(GstRTSPClient *client, GstRTSPContext *ctx)
{
    struct tf_conn *c = tf_conn_of(client);
    gchar *info = NULL, *text, *url;
    size_t length;

    if (!c || !c->admitted ||
        gst_rtsp_message_get_header(ctx->response, GST_RTSP_HDR_RTP_INFO, &info, 0) != GST_RTSP_OK)
        return GST_RTSP_STS_OK;
    /* "url=ADDRESS;seq=1;rtptime=2", and an address may hold a semicolon. */
    url = g_strrstr(info, ";seq=");
    length = url ? (size_t)(url - info) : strlen(info);
    text = g_strdup_printf("%.*s;seq=%u;rtptime=%u", (int)length, info, c->seq, c->rtptime);
    gst_rtsp_message_remove_header(ctx->response, GST_RTSP_HDR_RTP_INFO, -1);
    gst_rtsp_message_take_header(ctx->response, GST_RTSP_HDR_RTP_INFO, text);
    return GST_RTSP_STS_OK;
}

static void tf_client_class_init(TfClientClass *klass)
{
    GstRTSPClientClass *parent = GST_RTSP_CLIENT_CLASS(klass);

    parent->make_path_from_uri = make_path;
    parent->configure_client_transport = configure_transport;
    parent->adjust_play_response = adjust_response;
}

static void tf_client_init(TfClient *client)
{
}
