/* The RTSP server: its thread, who may connect, sessions that die, and a clean end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gio/gio.h>

#include "base/clock.h"
#include "publish/http/http.h"
#include "publish/rtsp/server.h"

#define CLIENTS_MAX_DEFAULT 16
/* A session without a word (RTCP or RTSP) for so long is over; players are told and keep it alive. */
#define SESSION_TIMEOUT_S 30
#define HOUSEKEEPING_MS 250
#define STOP_MS 900

static const char *const needed[][2] = {{"appsrc", "gstreamer1.0-plugins-base"},
                                        {"rtph264pay", "gstreamer1.0-plugins-good"},
                                        {"rtpbin", "gstreamer1.0-plugins-good"},
                                        {"udpsink", "gstreamer1.0-plugins-good"}};

static int init_gstreamer(struct tf_error *err)
{
    GError *error = NULL;

    if (!gst_init_check(NULL, NULL, &error)) {
        tf_fail(err, -EIO, "RTSP: GStreamer does not start: %s", error ? error->message : "no reason given");
        g_clear_error(&error);
        return -EIO;
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        GstElementFactory *factory = gst_element_factory_find(needed[i][0]);
        if (!factory)
            return tf_fail(err, -ENOENT, "RTSP: GStreamer's element %s is missing; install %s", needed[i][0],
                           needed[i][1]);
        gst_object_unref(factory);
    }
    return 0;
}

static void count_all(struct tf_rtsp *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->mount_count;
    pthread_mutex_unlock(&r->lock);
    /* Mounts are only added while the server lives. */
    for (size_t i = 0; i < n; i++)
        tf_rtsp_mount_count(r->mounts[i]);
}

static gboolean keep_house(gpointer context)
{
    struct tf_rtsp *r = context;

    gst_rtsp_session_pool_cleanup(r->sessions);
    count_all(r);
    return G_SOURCE_CONTINUE;
}

static void on_play(GstRTSPClient *client, GstRTSPContext *context, struct tf_rtsp *r)
{
    struct tf_rtsp_mount *mount = context->media ? tf_rtsp_mount_of(context->media) : NULL;

    if (!mount)
        return;
    /* Whoever joins sees the next picture, not the next key picture that would have come anyway. */
    atomic_store(&mount->key_wanted, true);
    tf_rtsp_mount_count(mount);
}

static void on_leave(GstRTSPClient *client, GstRTSPContext *context, struct tf_rtsp *r)
{
    count_all(r);
}

static void on_session(GstRTSPClient *client, GstRTSPSession *session, struct tf_rtsp *r)
{
    gst_rtsp_session_set_timeout(session, SESSION_TIMEOUT_S);
}

static GstRTSPFilterResult drop_session(GstRTSPClient *client, GstRTSPSession *session, gpointer context)
{
    struct tf_rtsp *r = context;

    gst_rtsp_session_pool_remove(r->sessions, session);
    return GST_RTSP_FILTER_KEEP;
}

/*
 * A player that was killed closes its connection: its session goes at once and not after the timeout, so that
 * nothing is encoded for nobody. (RFC 2326 would allow it to come back; no player does.)
 */
static void on_closed(GstRTSPClient *client, struct tf_rtsp *r)
{
    g_list_free_full(gst_rtsp_client_session_filter(client, drop_session, r), g_object_unref);
    count_all(r);
}

static GstRTSPFilterResult count_client(GstRTSPServer *server, GstRTSPClient *client, gpointer context)
{
    ++*(uint32_t *)context;
    return GST_RTSP_FILTER_KEEP;
}

static void release_handler(gpointer context, GClosure *closure)
{
    tf_rtsp_unref(context);
}

static void watch(GstRTSPClient *client, const char *signal, GCallback handler, struct tf_rtsp *r)
{
    g_signal_connect_data(client, signal, handler, tf_rtsp_ref(r), release_handler, 0);
}

static void on_connect(GstRTSPServer *server, GstRTSPClient *client, struct tf_rtsp *r)
{
    uint32_t clients = 0;

    /* Sessions are limited by their pool; connections that never ask for one are, too. */
    gst_rtsp_server_client_filter(server, count_client, &clients);
    if (clients > 2 * r->clients_max + 4) {
        gst_rtsp_client_close(client);
        return;
    }
    watch(client, "new-session", G_CALLBACK(on_session), r);
    watch(client, "play-request", G_CALLBACK(on_play), r);
    watch(client, "pause-request", G_CALLBACK(on_leave), r);
    watch(client, "teardown-request", G_CALLBACK(on_leave), r);
    watch(client, "closed", G_CALLBACK(on_closed), r);
}

static gpointer run(gpointer context)
{
    struct tf_rtsp *r = context;

    g_main_context_push_thread_default(r->context);
    g_main_loop_run(r->loop);
    g_main_context_pop_thread_default(r->context);
    return NULL;
}

static int listen_on(struct tf_rtsp *r, const char *address, uint16_t port, struct tf_error *err)
{
    char service[8];
    GError *error = NULL;
    int code = -EIO;

    g_snprintf(service, sizeof service, "%u", port);
    gst_rtsp_server_set_address(r->server, address);
    gst_rtsp_server_set_service(r->server, service);
    r->listener = gst_rtsp_server_create_source(r->server, NULL, &error);
    if (r->listener) {
        int bound = gst_rtsp_server_get_bound_port(r->server);
        g_source_attach(r->listener, r->context);
        r->port = bound > 0 ? (uint16_t)bound : port;
        return 0;
    }
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE)) {
        code = -EADDRINUSE;
        tf_fail(err, code, "RTSP: port %u of %s is in use by another program; choose another port", port,
                address);
    } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED)) {
        code = -EACCES;
        tf_fail(err, code, "RTSP: port %u of %s needs more rights; choose one from 1024 on", port, address);
    } else {
        code = -EADDRNOTAVAIL;
        tf_fail(err, code, "RTSP: cannot listen on %s port %u: %s", address, port,
                error ? error->message : "unknown");
    }
    g_clear_error(&error);
    return code;
}

static void require_credentials(struct tf_rtsp *r, const char *user, const char *password)
{
    GstRTSPAuth *auth = gst_rtsp_auth_new();
    GstRTSPToken *token =
        gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, TF_RTSP_ROLE, NULL);

    gst_rtsp_auth_set_supported_methods(auth, GST_RTSP_AUTH_DIGEST);
    gst_rtsp_auth_set_realm(auth, "thermoface");
    gst_rtsp_auth_add_digest(auth, user, password, token);
    gst_rtsp_token_unref(token);
    gst_rtsp_server_set_auth(r->server, auth);
    g_object_unref(auth);
    r->credentials = true;
}

int tf_rtsp_create(const struct tf_rtsp_options *options, struct tf_rtsp **ret, struct tf_error *err)
{
    const char *address = options->address && *options->address ? options->address : "127.0.0.1";
    bool credentials = options->user && *options->user && options->password && *options->password;
    GstRTSPThreadPool *threads;
    struct tf_rtsp *r = NULL;
    int code;

    if (!credentials && ((options->user && *options->user) || (options->password && *options->password)))
        return tf_fail(err, -EINVAL, "RTSP: credentials need both a user and a password");
    if (!credentials && !tf_address_is_loopback(address))
        return tf_fail(err, -EINVAL,
                       "RTSP: listening on %s without credentials is refused; give credentials or listen "
                       "on 127.0.0.1",
                       address);
    if (options->clients_max > 1024)
        return tf_fail(err, -EINVAL, "RTSP: %u clients: at most 1024", options->clients_max);
    code = init_gstreamer(err);
    if (code < 0)
        return code;

    r = calloc(1, sizeof *r);
    if (!r)
        return tf_fail(err, -ENOMEM, "RTSP: out of memory");
    atomic_init(&r->references, 1);
    pthread_mutex_init(&r->lock, NULL);
    r->clients_max = options->clients_max ? options->clients_max : CLIENTS_MAX_DEFAULT;
    r->context = g_main_context_new();
    r->loop = g_main_loop_new(r->context, FALSE);
    r->server = gst_rtsp_server_new();
    r->sessions = gst_rtsp_session_pool_new();
    gst_rtsp_session_pool_set_max_sessions(r->sessions, r->clients_max);
    gst_rtsp_server_set_session_pool(r->server, r->sessions);
    /* A thread for each client: one that waits for a camera's first picture holds up no other. */
    threads = gst_rtsp_thread_pool_new();
    gst_rtsp_thread_pool_set_max_threads(threads, -1);
    gst_rtsp_server_set_thread_pool(r->server, threads);
    g_object_unref(threads);
    if (credentials)
        require_credentials(r, options->user, options->password);
    g_signal_connect(r->server, "client-connected", G_CALLBACK(on_connect), r);
    code = listen_on(r, address, options->port, err);
    if (code < 0)
        goto fail;
    r->timer = g_timeout_source_new(HOUSEKEEPING_MS);
    g_source_set_callback(r->timer, keep_house, r, NULL);
    g_source_attach(r->timer, r->context);
    r->thread = g_thread_new("tf-rtsp", run, r);
    *ret = r;
    return 0;

fail:
    tf_rtsp_destroy(r);
    return code;
}

static GstRTSPFilterResult remove_client(GstRTSPServer *server, GstRTSPClient *client, gpointer context)
{
    return GST_RTSP_FILTER_REMOVE;
}

static GstRTSPFilterResult remove_session(GstRTSPSessionPool *pool, GstRTSPSession *session, gpointer context)
{
    return GST_RTSP_FILTER_REMOVE;
}

static void end_clients(struct tf_rtsp *r)
{
    uint64_t deadline = tf_now_ns() + STOP_MS * 1000000ull;
    bool busy = true;

    while (busy) {
        uint32_t clients = 0;

        busy = false;
        gst_rtsp_server_client_filter(r->server, remove_client, NULL);
        gst_rtsp_session_pool_filter(r->sessions, remove_session, NULL);
        for (size_t i = 0; i < r->mount_count; i++)
            busy |= tf_rtsp_mount_end(r->mounts[i]);
        gst_rtsp_server_client_filter(r->server, count_client, &clients);
        busy |= clients > 0;
        if (tf_now_ns() > deadline)
            break;
        if (busy)
            g_usleep(5000);
    }
}

static gboolean end_loop(gpointer context)
{
    struct tf_rtsp *r = context;

    g_main_loop_quit(r->loop);
    return G_SOURCE_REMOVE;
}

void tf_rtsp_destroy(struct tf_rtsp *r)
{
    if (!r)
        return;
    if (r->listener) {
        g_source_destroy(r->listener);
        g_source_unref(r->listener);
    }
    if (r->timer) {
        g_source_destroy(r->timer);
        g_source_unref(r->timer);
    }
    if (r->thread) {
        GSource *quit = g_idle_source_new();
        end_clients(r);
        /* From inside: a quit before the thread has reached its loop would be forgotten. */
        g_source_set_callback(quit, end_loop, r, NULL);
        g_source_attach(quit, r->context);
        g_source_unref(quit);
        g_thread_join(r->thread);
    }
    g_signal_handlers_disconnect_by_data(r->server, r);
    for (size_t i = 0; i < r->mount_count; i++)
        tf_rtsp_mount_close(r->mounts[i]);
    tf_rtsp_unref(r);
}

struct tf_rtsp *tf_rtsp_ref(struct tf_rtsp *r)
{
    atomic_fetch_add(&r->references, 1);
    return r;
}

void tf_rtsp_unref(struct tf_rtsp *r)
{
    if (atomic_fetch_sub(&r->references, 1) != 1)
        return;
    for (size_t i = 0; i < r->mount_count; i++)
        tf_rtsp_mount_destroy(r->mounts[i]);
    g_object_unref(r->sessions);
    g_object_unref(r->server);
    g_main_loop_unref(r->loop);
    g_main_context_unref(r->context);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

uint16_t tf_rtsp_port(const struct tf_rtsp *r)
{
    return r->port;
}

int tf_rtsp_mount(struct tf_rtsp *r, const char *name, float fps, struct tf_rtsp_mount **ret,
                  struct tf_error *err)
{
    struct tf_rtsp_mount *mount;
    int code;

    pthread_mutex_lock(&r->lock);
    code = 0;
    if (r->mount_count == TF_RTSP_MOUNTS_MAX)
        code = tf_fail(err, -ENOSPC, "RTSP: at most %d cameras", TF_RTSP_MOUNTS_MAX);
    for (size_t i = 0; !code && i < r->mount_count; i++)
        if (!strcmp(r->mounts[i]->name, name))
            code = tf_fail(err, -EEXIST, "RTSP: there are two cameras named %s", name);
    if (!code)
        code = tf_rtsp_mount_create(r, name, &mount, err);
    if (!code) {
        r->mounts[r->mount_count++] = mount;
        *ret = mount;
    }
    pthread_mutex_unlock(&r->lock);
    return code;
}
