/* The process that serves RTSP: what it inherits, what the service tells it, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/log.h"
#include "publish/rtsp/rtsp.h"
#include "publish/rtsp/server.h"

#define TEND_MS 250
/* Descriptors: of each connection two, of each camera its sockets, and what GLib and the sanitizers hold. */
#define DESCRIPTORS_BASE 64
#define DESCRIPTORS_MOUNT 24
#define PENDING_MAX 256
/* Connections without a session beside those with one: players that ask before they play. */
#define CONNS_BESIDE 64
#define NICE 5
#define SAY_US (10 * G_USEC_PER_SEC)

int64_t tf_server_now_us(void)
{
    return g_get_monotonic_time();
}

void tf_server_log(struct tf_server *s, int level, const char *format, ...)
{
    struct tf_link_message m = {.type = TF_LINK_LOG, .code = level};
    va_list args;

    va_start(args, format);
    vsnprintf(m.text, sizeof(m.text), format, args);
    va_end(args);
    tf_link_send(s->control, &m, -1);
}

void tf_server_say(struct tf_server *s, enum tf_said kind, const char *text, const char *ip)
{
    int64_t now = tf_server_now_us();
    bool v6 = strchr(ip, ':') != NULL;

    if (s->said_us[kind] && now - s->said_us[kind] < SAY_US) {
        s->unsaid[kind]++;
        return;
    }
    if (s->unsaid[kind])
        tf_server_log(s, TF_LOG_WARNING, "%s: %s%s%s, and %u more since", text, v6 ? "[" : "", ip,
                      v6 ? "]" : "", s->unsaid[kind]);
    else
        tf_server_log(s, TF_LOG_WARNING, "%s: %s%s%s", text, v6 ? "[" : "", ip, v6 ? "]" : "");
    s->said_us[kind] = now;
    s->unsaid[kind] = 0;
}

static int fail(struct tf_server *s, int code, const char *text)
{
    struct tf_link_message m = {.type = TF_LINK_FAILED, .code = code};

    g_strlcpy(m.text, text, sizeof(m.text));
    tf_link_send(s->control, &m, -1);
    return EXIT_FAILURE;
}

/* What a stranger's odd header makes GStreamer say: he shall not fill the journal with it. */
static void ignore(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer context)
{
}

static int init_gstreamer(struct tf_server *s)
{
    static const char *const needed[][2] = {
        {"appsrc", "gstreamer1.0-plugins-base"}, {"rtph264pay", "gstreamer1.0-plugins-good"},
        {"rtpbin", "gstreamer1.0-plugins-good"}, {"multiudpsink", "gstreamer1.0-plugins-good"},
        {"udpsrc", "gstreamer1.0-plugins-good"}, {"queue", "libgstreamer1.0-0"}};
    GError *error = NULL;
    char text[256];

    g_log_set_handler("GStreamer-RTSP", G_LOG_LEVEL_WARNING, ignore, NULL);
    if (!gst_init_check(NULL, NULL, &error)) {
        g_snprintf(text, sizeof(text), "RTSP: GStreamer does not start: %s",
                   error ? error->message : "no reason given");
        g_clear_error(&error);
        return fail(s, -EIO, text);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
        GstElementFactory *factory = gst_element_factory_find(needed[i][0]);
        GstPluginFeature *loaded;

        if (!factory) {
            g_snprintf(text, sizeof(text), "RTSP: GStreamer's element %s is missing; install %s",
                       needed[i][0], needed[i][1]);
            return fail(s, -ENOENT, text);
        }
        /* Now and not with the first viewer, when there may be no memory for it. */
        loaded = gst_plugin_feature_load(GST_PLUGIN_FEATURE(factory));
        gst_object_unref(factory);
        if (!loaded) {
            g_snprintf(text, sizeof(text), "RTSP: GStreamer's element %s cannot be loaded", needed[i][0]);
            return fail(s, -ENOMEM, text);
        }
        gst_object_unref(loaded);
    }
    if (s->setup.setup.tls && !g_tls_backend_supports_tls(g_tls_backend_get_default()))
        return fail(s, -ENOENT, "RTSP: GLib has no TLS; install glib-networking");
    return 0;
}

/* Places and descriptors: what is promised to each must be there. */
static void set_limits(struct tf_server *s)
{
    struct rlimit limit;
    rlim_t wanted;

    s->pending_max = PENDING_MAX;
    s->conn_max = s->setup.setup.clients_max + CONNS_BESIDE;
    wanted = DESCRIPTORS_BASE + 8 * DESCRIPTORS_MOUNT + s->pending_max + 2 * s->conn_max;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > wanted ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < wanted) {
            rlim_t left = limit.rlim_cur > DESCRIPTORS_BASE + 2 * DESCRIPTORS_MOUNT
                              ? limit.rlim_cur - DESCRIPTORS_BASE - 2 * DESCRIPTORS_MOUNT
                              : 16;
            s->pending_max = (unsigned)(left / 4);
            s->conn_max = (unsigned)(left / 4);
            tf_server_log(s, TF_LOG_WARNING,
                          "RTSP: %lu descriptors are allowed, %lu wanted: room for %u connections",
                          (unsigned long)limit.rlim_cur, (unsigned long)wanted, s->conn_max);
        }
    }
    limit = (struct rlimit){0, 0};
    setrlimit(RLIMIT_CORE, &limit);
}

static void take_tls(struct tf_server *s, const struct tf_link_message *m, int fd)
{
    size_t size = (size_t)m->tls.certificate + m->tls.key;
    char *text = g_malloc0(size + 2);
    GTlsCertificate *certificate = NULL;
    GError *error = NULL;

    if (size < 1u << 20 && pread(fd, text, size, 0) == (ssize_t)size) {
        char *pem = g_strdup_printf("%.*s\n%.*s", (int)m->tls.certificate, text, (int)m->tls.key,
                                    text + m->tls.certificate);
        certificate = g_tls_certificate_new_from_pem(pem, -1, &error);
        explicit_bzero(pem, strlen(pem));
        g_free(pem);
    }
    explicit_bzero(text, size);
    g_free(text);
    if (!certificate) {
        tf_server_log(s, TF_LOG_ERROR, "RTSP: the new certificate is not taken: %s; the old one stays",
                      error ? error->message : "it cannot be read");
        g_clear_error(&error);
        return;
    }
    g_clear_object(&s->certificate);
    s->certificate = certificate;
}

static void take_mount(struct tf_server *s, const struct tf_link_message *m, int fd)
{
    struct tf_link_message reply = {.type = TF_LINK_MOUNTED};
    char name[TF_RTSP_NAME_MAX + 1];

    g_strlcpy(name, m->mount.name, sizeof(name));
    if (s->mount_count == TF_RTSP_MOUNTS_MAX || !tf_mount_create(s, name, m->mount.fps, fd))
        return;
    g_strlcpy(reply.mount.name, name, sizeof(reply.mount.name));
    tf_link_send(s->control, &reply, -1);
}

/* Who watches with the old one has to ask again. */
static void take_login(struct tf_server *s, const struct tf_link_message *m)
{
    memcpy(s->setup.setup.user, m->setup.user, sizeof(s->setup.setup.user) - 1);
    memcpy(s->setup.setup.password, m->setup.password, sizeof(s->setup.setup.password) - 1);
    while (s->conns)
        tf_conn_close(s->conns->data);
}

static gboolean on_control(gint control, GIOCondition condition, gpointer context)
{
    struct tf_server *s = context;
    struct tf_link_message m;
    int fd, r;

    while ((r = tf_link_receive(control, &m, &fd)) == 0) {
        if (m.type == TF_LINK_TLS && fd >= 0)
            take_tls(s, &m, fd);
        else if (m.type == TF_LINK_MOUNT && fd >= 0)
            take_mount(s, &m, fd);
        else if (m.type == TF_LINK_LOGIN)
            take_login(s, &m);
        else if (m.type == TF_LINK_END)
            g_main_loop_quit(s->loop);
        if (fd >= 0)
            close(fd);
    }
    if (r != -EAGAIN)
        g_main_loop_quit(s->loop); /* the service is gone */
    return G_SOURCE_CONTINUE;
}

static gboolean on_bell(gint bell, GIOCondition condition, gpointer context)
{
    struct tf_server *s = context;
    uint64_t n;

    if (read(bell, &n, sizeof(n)) < 0)
        return G_SOURCE_CONTINUE;
    for (size_t i = 0; i < s->mount_count; i++)
        tf_mount_feed(s->mounts[i]);
    return G_SOURCE_CONTINUE;
}

static void tell_counts(struct tf_server *s)
{
    struct tf_link_message m = {.type = TF_LINK_COUNTS, .counts.logins_failed = s->logins_failed};

    if (s->logins_failed != s->logins_told && tf_link_send(s->control, &m, -1) == 0)
        s->logins_told = s->logins_failed;
}

static gboolean on_tick(gpointer context)
{
    struct tf_server *s = context;

    tf_admit_tend(s);
    tf_conn_tend(s);
    tell_counts(s);
    return G_SOURCE_CONTINUE;
}

static gboolean on_beat(gpointer context)
{
    struct tf_server *s = context;

    atomic_store(&s->beat, (unsigned long long)tf_server_now_us());
    return G_SOURCE_CONTINUE;
}

/* The connections end with a word (a reset would, too, but players complain of it). */
static void end_connections(struct tf_server *s)
{
    for (size_t i = 0; i < s->mount_count; i++) {
        pthread_mutex_lock(&s->mounts[i]->lock);
        s->mounts[i]->ended = true;
        pthread_cond_broadcast(&s->mounts[i]->change);
        pthread_mutex_unlock(&s->mounts[i]->lock);
    }
    while (s->conns)
        tf_conn_close(s->conns->data);
}

static void inherit(void)
{
    FILE *file;

    /* GStreamer's threads would each reserve 64 MiB of address space, which a limit may not have. */
    mallopt(M_ARENA_MAX, 2);
    signal(SIGPIPE, SIG_IGN);
    /* The service gets these and tells us. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    close_range(TF_LINK_BELL + 1, ~0u, 0);
    if (nice(NICE) < 0) {
        /* Allowed or not, it serves. */
    }
    /* Where memory runs out, this goes and not a recording. */
    file = fopen("/proc/self/oom_score_adj", "w");
    if (file) {
        fputs("500", file);
        fclose(file);
    }
}

int tf_rtsp_worker_main(void)
{
    struct tf_server *s;
    struct tf_link_message ready = {.type = TF_LINK_READY};
    int fd = -1;

    inherit();
    s = g_new0(struct tf_server, 1);
    s->control = TF_LINK_CONTROL;
    s->listener = TF_LINK_LISTENER;
    s->bell = TF_LINK_BELL;
    pthread_mutex_init(&s->lock, NULL);
    for (int i = TF_LINK_CONTROL; i <= TF_LINK_BELL; i++)
        fcntl(i, F_SETFD, FD_CLOEXEC);
    if (tf_link_receive(s->control, &s->setup, &fd) < 0 || s->setup.type != TF_LINK_SETUP) {
        fprintf(stderr, "thermofaced: %s is for the service itself\n", TF_RTSP_WORKER_ARGUMENT);
        return EXIT_FAILURE;
    }
    fcntl(s->control, F_SETFL, O_NONBLOCK);
    if (init_gstreamer(s))
        return EXIT_FAILURE;
    set_limits(s);
    s->loop = g_main_loop_new(NULL, FALSE);
    s->auth = tf_request_auth_new();
    s->points = gst_rtsp_mount_points_new();
    s->threads = gst_rtsp_thread_pool_new();
    g_unix_fd_add(s->control, G_IO_IN | G_IO_HUP, on_control, s);
    on_control(s->control, G_IO_IN, s);
    if (s->setup.setup.tls && !s->certificate)
        return fail(s, -EINVAL, "RTSP: the certificate is not taken");
    g_unix_fd_add(s->bell, G_IO_IN, on_bell, s);
    g_timeout_add(TEND_MS, on_tick, s);
    g_timeout_add(50, on_beat, s);
    on_beat(s);
    tf_admit_start(s);
    tf_conn_guard_start(s);
    tf_link_send(s->control, &ready, -1);
    g_main_loop_run(s->loop);
    end_connections(s);
    /* The kernel takes back the rest faster than GStreamer's threads could be asked for it. */
    _exit(EXIT_SUCCESS);
}
