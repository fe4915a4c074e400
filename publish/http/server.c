/*
 * The HTTP server. One thread of ours accepts connections and polls libmicrohttpd's epoll descriptor and an
 * eventfd; everything that touches libmicrohttpd happens there. Who makes records only writes into a camera's
 * ring (stream.c) and rings that bell, and so does a thread that has done a job (jobs.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "publish/http/server.h"

#define REQUEST_MEMORY (32 * 1024) /* a request's line and headers; also the largest piece of a stream */
#define IDLE_TIMEOUT_S 30          /* a reader that takes nothing is closed */
#define PLACES_EXTRA 96            /* connections beyond the readers of records */
#define PLACES_DRAINING 64         /* closed by us, not yet by libmicrohttpd */
#define ACCEPT_MAX 32              /* in a row, before those that are there get their turn */
#define ACCEPT_PAUSE_NS 100000000ull
#define TURN_MS 250 /* deadlines are kept to that */
#define SECOND TF_NS_PER_S
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

/* --- cameras --- */

static struct tf_stream *find_stream(const struct tf_http *http, const char *camera)
{
    int count = atomic_load_explicit(&http->stream_count, memory_order_acquire);

    for (int i = 0; i < count; i++)
        if (strcmp(tf_stream_camera(http->streams[i]), camera) == 0)
            return http->streams[i];
    return NULL;
}

struct tf_stream *tf_http_stream(struct tf_http *http, const char *camera)
{
    struct tf_stream *stream = find_stream(http, camera);
    int count;

    if (stream)
        return stream;
    pthread_mutex_lock(&http->lock);
    stream = find_stream(http, camera);
    count = atomic_load(&http->stream_count);
    if (!stream && count < TF_HTTP_CAMERAS_MAX &&
        tf_stream_create(camera, http->options.queue_bytes, &stream) == 0) {
        http->streams[count] = stream;
        atomic_store_explicit(&http->stream_count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&http->lock);
    return stream;
}

void tf_http_ring(struct tf_http *http)
{
    uint64_t one = 1;

    while (write(http->bell, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static int take_record(void *self, const struct tf_record *record, struct tf_error *err)
{
    struct tf_http *http = self;
    struct tf_stream *stream = tf_http_stream(http, record->camera);
    bool wake;
    int r;

    if (!stream)
        return tf_fail(err, -ENOSPC, "http: no room for the records of camera %s", record->camera);
    r = tf_stream_record(stream, record, &wake);
    if (r < 0)
        return tf_fail(err, r, "http: the record of frame %llu of camera %s cannot be encoded",
                       (unsigned long long)record->frame, record->camera);
    if (wake)
        tf_http_ring(http);
    return 0;
}

struct tf_sink tf_http_sink(struct tf_http *http)
{
    return (struct tf_sink){.name = "http", .self = http, .record = take_record};
}

uint32_t tf_http_clients(const struct tf_http *http, const char *camera)
{
    const struct tf_stream *stream = find_stream(http, camera);

    return stream ? tf_stream_readers(stream) : 0;
}

uint64_t tf_http_dropped(const struct tf_http *http, const char *camera)
{
    const struct tf_stream *stream = find_stream(http, camera);

    return stream ? tf_stream_dropped(stream) : 0;
}

bool tf_http_peer_closed(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd poller = {.events = POLLRDHUP};

    if (!info)
        return false;
    poller.fd = info->connect_fd;
    return poll(&poller, 1, 0) == 1 && poller.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* --- pictures --- */

struct tf_live *tf_http_find_live(const struct tf_http *http, const char *name)
{
    int count = atomic_load_explicit(&http->live_count, memory_order_acquire);

    for (int i = 0; i < count; i++)
        if (strcmp(tf_live_name(http->lives[i]), name) == 0)
            return http->lives[i];
    return NULL;
}

int tf_http_list_pairs(const struct tf_http *http, int count, const char *pairs[TF_HTTP_LIVES_MAX])
{
    int lives = atomic_load_explicit(&http->live_count, memory_order_acquire), n = 0;

    for (int i = 0; i < lives; i++) {
        int at = 0;

        while (at < count && strcmp(http->statuses[at].camera, tf_live_name(http->lives[i])) != 0)
            at++;
        if (at == count)
            pairs[n++] = tf_live_name(http->lives[i]);
    }
    return n;
}

static void wake(void *context)
{
    tf_http_ring(context);
}

int tf_http_live(struct tf_http *http, const char *name, struct tf_live **ret, struct tf_error *err)
{
    struct tf_live *live;
    int count, r;

    pthread_mutex_lock(&http->lock);
    live = tf_http_find_live(http, name);
    count = atomic_load(&http->live_count);
    r = live ? 0 : count == TF_HTTP_LIVES_MAX ? -ENOSPC : tf_live_create(name, wake, http, &live);
    if (r == 0 && !tf_http_find_live(http, name)) {
        http->lives[count] = live;
        atomic_store_explicit(&http->live_count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&http->lock);
    if (r < 0)
        return tf_fail(err, r, "http: no room for the pictures of %s", name);
    *ret = live;
    return 0;
}

/* --- status --- */

int tf_http_ask_status(struct tf_http *http)
{
    int count = http->options.status
                    ? http->options.status(http->options.context, http->statuses, TF_HTTP_CAMERAS_MAX)
                    : 0;
    const struct tf_live *live;

    if (count < 0)
        count = 0;
    for (int i = 0; i < count; i++) {
        http->statuses[i].http_clients = tf_http_clients(http, http->statuses[i].camera);
        http->statuses[i].dropped_http = tf_http_dropped(http, http->statuses[i].camera);
        live = tf_http_find_live(http, http->statuses[i].camera);
        http->statuses[i].pictures = live != NULL;
        http->statuses[i].http_viewers =
            tf_live_viewers(live) + tf_http_motion_viewers(http, http->statuses[i].camera);
        http->statuses[i].dropped_video = live ? tf_live_dropped(live) : 0;
    }
    return count;
}

static void no_log(void *context, const char *format, va_list args)
{
}

/* --- connections --- */

static void notice_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                              enum MHD_ConnectionNotificationCode what)
{
    struct tf_http *http = context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = http->accepting;
        http->accepting = NULL;
    } else {
        tf_place_free(&http->places, *socket_context);
        *socket_context = NULL;
    }
}

/* A peer that is gone without a word is noticed although nothing is sent, and although nothing is
 * acknowledged. */
static void keep_alive(int fd)
{
    const int on = 1, idle_s = 30, every_s = 10, times = 3, unacknowledged_ms = 30000;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
}

static bool is_exempt(const struct tf_http *http, const struct tf_address *address)
{
    if (tf_address_local(address))
        return true;
    for (unsigned i = 0; i < http->proxy_count; i++)
        if (memcmp(&http->proxies[i], address, sizeof(*address)) == 0)
            return true;
    return false;
}

static void take_connection(struct tf_http *http, int fd, const struct sockaddr *from, socklen_t length)
{
    struct tf_address address = tf_address_of(from);

    /* Descriptors are for cameras and recordings first. */
    if (tf_descriptor_spare(fd))
        http->accepting = tf_place_take(&http->places, fd, &address, !is_exempt(http, &address), tf_now_ns());
    else
        http->places.refused++;
    if (!http->accepting) {
        close(fd);
        return;
    }
    keep_alive(fd);
    /* It closes the socket when it fails. */
    MHD_add_connection(http->daemon, fd, from, length);
    tf_place_free(&http->places, http->accepting); /* that nobody has taken over */
    http->accepting = NULL;
}

static void accept_connections(struct tf_http *http)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage from;
        socklen_t length = sizeof(from);
        int fd = accept4(http->listener, (struct sockaddr *)&from, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            take_connection(http, fd, (struct sockaddr *)&from, length);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            http->listen_again_ns = tf_now_ns() + ACCEPT_PAUSE_NS;
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* --- the thread --- */

static int wait_ms(const struct tf_http *http, int longest_ms)
{
    uint64_t now = tf_now_ns(), held = tf_http_held_until(http), motions = tf_http_motions_until(http);
    unsigned long long timeout;

    if (MHD_get_timeout(http->daemon, &timeout) == MHD_YES && timeout < (unsigned long long)longest_ms)
        longest_ms = (int)timeout;
    if (motions < held)
        held = motions;
    if (held <= now)
        return 0;
    if ((held - now) / 1000000 < (uint64_t)longest_ms)
        longest_ms = (int)((held - now) / 1000000) + 1;
    return longest_ms;
}

static void turn(struct tf_http *http, int epoll_fd, int longest_ms)
{
    bool listens = http->listen_again_ns <= tf_now_ns() && !atomic_load(&http->stopping);
    struct pollfd fds[] = {{.fd = epoll_fd, .events = POLLIN},
                           {.fd = http->bell, .events = POLLIN},
                           {.fd = listens ? http->listener : -1, .events = POLLIN}};
    uint64_t rings;

    poll(fds, 3, wait_ms(http, longest_ms));
    if (fds[1].revents & POLLIN)
        while (read(http->bell, &rings, sizeof(rings)) < 0 && errno == EINTR)
            ;
    if (fds[2].revents & POLLIN)
        accept_connections(http);
}

static void end_jobs(struct tf_http *http)
{
    for (int i = 0; i < TF_HTTP_JOB_QUEUES; i++) {
        tf_http_jobs_destroy(http->jobs[i]);
        http->jobs[i] = NULL;
    }
}

/* A login that is none any more: what it has opened ends, whatever it is. Only what is being made for it (a
 * session that starts) is let through; its connection ends after that. */
static void end_strangers(struct tf_http *http)
{
    for (struct tf_place *p = http->places.first; p; p = p->next)
        if (!p->ended && p->phase != TF_PLACE_WAITING && !tf_http_access_has(&http->access, p->login))
            tf_place_end(&http->places, p);
}

static void free_access(struct tf_http_access *access)
{
    if (!access)
        return;
    tf_http_access_clear(access);
    free(access);
}

static void take_logins(struct tf_http *http)
{
    struct tf_http_access *next;

    pthread_mutex_lock(&http->lock);
    next = http->next_access;
    http->next_access = NULL;
    pthread_mutex_unlock(&http->lock);
    if (!next)
        return;
    if (tf_http_access_replace(&http->access, next)) {
        http->logins_gone = true;
        end_strangers(http);
        tf_http_resume_clients(http, true);
    }
    free_access(next);
}

static void *serve(void *arg)
{
    struct tf_http *http = arg;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uint64_t looked = tf_now_ns(), until;

    pthread_setname_np(pthread_self(), "tf-http");
    tf_http_secure_serve(http->secure);
    while (!atomic_load(&http->stopping)) {
        uint64_t now;
        bool look;

        turn(http, info->epoll_fd, TURN_MS);
        now = tf_now_ns();
        look = now - looked >= SECOND;
        if (look)
            looked = now;
        take_logins(http);
        if (look && http->logins_gone)
            end_strangers(http);
        tf_places_expire(&http->places, now);
        tf_http_resume_held(http, now);
        tf_http_resume_clients(http, look);
        tf_http_motions_run(http, now);
        tf_http_resume_viewers(http, look);
        tf_http_resume_downloads(http);
        MHD_run(http->daemon);
    }
    /* Streams get their proper end, if their clients take it within a moment, and what was asked its answer.
     */
    end_jobs(http);
    until = tf_now_ns() + SECOND / 5;
    do {
        tf_http_resume_held(http, tf_now_ns());
        tf_http_resume_clients(http, true);
        tf_http_resume_viewers(http, true);
        tf_http_resume_downloads(http);
        MHD_run(http->daemon);
        turn(http, info->epoll_fd, 20);
    } while ((http->clients || http->viewers) && tf_now_ns() < until);
    tf_http_resume_held(http, tf_now_ns()); /* none may be suspended when the daemon stops */
    tf_http_resume_clients(http, true);
    tf_http_resume_viewers(http, true);
    tf_http_resume_downloads(http);
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
    return NULL;
}

static int start_thread(struct tf_http *http)
{
    sigset_t all, before;
    int r;

    /* Signals are the program's matter. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&http->thread, NULL, serve, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    http->thread_runs = r == 0;
    return -r;
}

/* --- create and destroy --- */

/* A listening socket of our own: its errors are clear ones. */
static int listen_on(const char *address, uint16_t port, bool *v6, uint16_t *port_ret, struct tf_error *err)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_storage bound;
    struct sockaddr *sa = (struct sockaddr *)&in4;
    socklen_t length = sizeof(in4);
    int fd, r, on = 1;

    if (inet_pton(AF_INET, strcmp(address, "localhost") == 0 ? "127.0.0.1" : address, &in4.sin_addr) != 1) {
        if (inet_pton(AF_INET6, address, &in6.sin6_addr) != 1)
            return tf_fail(err, -EINVAL, "http: \"%s\" is not an IPv4 or IPv6 address", address);
        sa = (struct sockaddr *)&in6;
        length = sizeof(in6);
    }
    *v6 = sa->sa_family == AF_INET6;
    fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        r = -errno;
        return tf_fail(err, r, "http: no socket: %s", strerror(-r));
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, sa, length) < 0 || listen(fd, 64) < 0) {
        r = -errno;
        close(fd);
        if (r == -EADDRINUSE)
            return tf_fail(err, r, "http: %s port %u is in use: stop who has it, or set another port",
                           address, port);
        if (r == -EACCES)
            return tf_fail(err, r, "http: port %u is not allowed to this user: take one above 1023", port);
        return tf_fail(err, r, "http: cannot listen on %s port %u: %s", address, port, strerror(-r));
    }
    length = sizeof(bound);
    getsockname(fd, (struct sockaddr *)&bound, &length);
    *port_ret =
        ntohs(*v6 ? ((struct sockaddr_in6 *)&bound)->sin6_port : ((struct sockaddr_in *)&bound)->sin_port);
    return fd;
}

static int start_daemon(struct tf_http *http, const char *address, struct tf_error *err)
{
    unsigned places = http->options.clients_max + http->options.viewers_max + PLACES_EXTRA,
             descriptors = tf_descriptors_for_clients();
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};
    bool v6 = false;

    http->listener = listen_on(address, http->options.port, &v6, &http->port, err);
    if (http->listener < 0)
        return http->listener;
    if (getrandom(http->nonce_seed, sizeof(http->nonce_seed), 0) != sizeof(http->nonce_seed))
        return tf_fail(err, -EIO, "http: no random numbers");
    /* Not more than half of what all servers' clients may have, but some. */
    if (places > descriptors / 2)
        places = descriptors / 2 > 16 ? descriptors / 2 : 16;
    http->places.max = places;
    http->places.address_max = http->options.address_max;
    http->places.tls = http->secure != NULL;
    if (http->secure) {
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tf_http_secure_retrieve};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)PRIORITIES};
    }
    http->daemon = MHD_start_daemon(
        MHD_USE_ERROR_LOG | MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
            (http->secure ? MHD_USE_TLS : 0),
        0, NULL, NULL, tf_http_handle, http, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
        MHD_OPTION_CONNECTION_LIMIT, places + PLACES_DRAINING, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)REQUEST_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_NOTIFY_CONNECTION, notice_connection, http, MHD_OPTION_URI_LOG_CALLBACK,
        tf_http_first_line, http, MHD_OPTION_NOTIFY_COMPLETED, tf_http_completed, http,
        MHD_OPTION_NONCE_NC_SIZE, 256u, MHD_OPTION_DIGEST_AUTH_RANDOM, sizeof(http->nonce_seed),
        http->nonce_seed, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (!http->daemon)
        return tf_fail(err, -EIO, "http: libmicrohttpd does not start");
    return 0;
}

static void tell(void *context)
{
    tf_http_ring(context);
}

static int start_jobs(struct tf_http *http, struct tf_error *err)
{
    static const struct {
        const char *name;
        int nice;
        unsigned max;
    } queues[TF_HTTP_JOB_QUEUES] = {
        [TF_HTTP_JOBS_SESSION] = {"tf-http-session", 0, 24},
        [TF_HTTP_JOBS_SHUTTER] = {"tf-http-shutter", 0, 8},
        [TF_HTTP_JOBS_REVIEW] = {"tf-http-review", 5, 32},
        [TF_HTTP_JOBS_PICTURE] = {"tf-http-picture", 5, 64},
    };
    int r = 0;

    for (int i = 0; i < TF_HTTP_JOB_QUEUES && r == 0; i++)
        r = tf_http_jobs_create(queues[i].name, queues[i].nice, queues[i].max, tell, http, &http->jobs[i],
                                err);
    return r;
}

static int read_proxies(struct tf_http *http, const char *text, struct tf_error *err)
{
    char name[64];

    while (text && *(text += strspn(text, ", \t"))) {
        struct sockaddr_in in4 = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        size_t n = strcspn(text, ", \t");

        if (http->proxy_count == TF_HTTP_PROXIES_MAX)
            return tf_fail(err, -E2BIG, "http: more than %d proxies", TF_HTTP_PROXIES_MAX);
        snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : 0, text);
        if (inet_pton(AF_INET, name, &in4.sin_addr) == 1)
            http->proxies[http->proxy_count++] = tf_address_of((struct sockaddr *)&in4);
        else if (inet_pton(AF_INET6, name, &in6.sin6_addr) == 1)
            http->proxies[http->proxy_count++] = tf_address_of((struct sockaddr *)&in6);
        else
            return tf_fail(err, -EINVAL, "http: proxies: \"%.*s\" is not an IPv4 or IPv6 address", (int)n,
                           text);
        text += n;
    }
    return 0;
}

static int read_logins(struct tf_http_access *access, const struct tf_http_options *o, struct tf_error *err)
{
    int r = 0;

    if (o->user)
        r = tf_http_access_add(access, TF_HTTP_CONTROLS, o->user, o->password);
    if (r == 0 && o->watch_user)
        r = tf_http_access_add(access, TF_HTTP_WATCHES, o->watch_user, o->watch_password);
    for (size_t i = 0; o->tokens && i < o->tokens->count && r == 0; i++)
        r = tf_http_access_add(access, TF_HTTP_WATCHES, NULL, o->tokens->text[i]);
    return r < 0 ? tf_fail(err, r, "http: no memory") : 0;
}

int tf_http_create(const struct tf_http_options *options, struct tf_http **ret, struct tf_error *err)
{
    const char *address = options->address ? options->address : "127.0.0.1";
    bool loopback = tf_address_is_loopback(address);
    struct tf_http *http;
    int r;

    if (!options->user != !options->password)
        return tf_fail(err, -EINVAL, "http: a user without a password, or a password without a user");
    if (!options->user && (options->watch_user || options->tokens))
        return tf_fail(err, -EINVAL, "http: who may look is said, but nobody may control: set credentials");
    if (options->tokens && !options->tls && !loopback)
        return tf_fail(err, -EINVAL, "http: tokens would cross the net in the clear: set a certificate");
    if (!options->user && !loopback)
        return tf_fail(
            err, -EINVAL,
            "http: would listen on %s, beyond this machine, without asking for a password: set credentials",
            address);
    http = calloc(1, sizeof(*http));
    if (!http)
        return tf_fail(err, -ENOMEM, "http: no memory");
    http->options = *options;
    http->options.clients_max = options->clients_max ? options->clients_max : 32;
    http->options.viewers_max = options->viewers_max ? options->viewers_max : 16;
    http->options.queue_bytes = options->queue_bytes ? options->queue_bytes : 4u << 20;
    if (http->options.queue_bytes < 64u << 10)
        http->options.queue_bytes = 64u << 10;
    /* the caller's strings need not outlive the call */
    http->options.address = http->options.user = http->options.password = http->options.proxies = NULL;
    http->options.watch_user = http->options.watch_password = NULL;
    http->options.tokens = NULL;
    http->options.tls = NULL;
    http->started_ns = tf_now_ns();
    http->listener = -1;
    pthread_mutex_init(&http->lock, NULL);
    http->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (http->bell < 0) {
        r = tf_fail(err, -errno, "http: no eventfd: %s", strerror(errno));
        goto fail;
    }
    http->asks = options->user != NULL;
    http->access.in_clear_allowed = loopback || options->tls;
    r = read_logins(&http->access, options, err);
    if (r == 0 && options->tls)
        r = tf_http_secure_create(options->tls, &http->secure, err);
    if (r == 0)
        r = read_proxies(http, options->proxies, err);
    if (r == 0)
        r = start_daemon(http, address, err);
    if (r == 0)
        r = start_jobs(http, err);
    if (r < 0)
        goto fail;
    r = start_thread(http);
    if (r < 0) {
        tf_fail(err, r, "http: no thread: %s", strerror(-r));
        goto fail;
    }
    *ret = http;
    return 0;

fail:
    tf_http_destroy(http);
    return r;
}

void tf_http_destroy(struct tf_http *http)
{
    int count;

    if (!http)
        return;
    atomic_store(&http->stopping, true);
    if (http->thread_runs) {
        tf_http_ring(http);
        pthread_join(http->thread, NULL);
    }
    end_jobs(http);
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    tf_http_free_pictures(http);
    tf_http_motions_free(http);
    count = atomic_load(&http->live_count);
    for (int i = 0; i < count; i++)
        tf_live_destroy(http->lives[i]);
    count = atomic_load(&http->stream_count);
    for (int i = 0; i < count; i++)
        tf_stream_destroy(http->streams[i]);
    if (http->listener >= 0)
        close(http->listener);
    if (http->bell >= 0)
        close(http->bell);
    pthread_mutex_destroy(&http->lock);
    tf_http_access_clear(&http->access);
    free_access(http->next_access);
    tf_http_secure_destroy(http->secure);
    free(http);
}

uint16_t tf_http_port(const struct tf_http *http)
{
    return http->port;
}

int tf_http_set_tls(struct tf_http *http, const struct tf_tls_pair *pair, struct tf_error *err)
{
    if (!http->secure)
        return tf_fail(err, -EINVAL, "http: the server was started without TLS");
    return tf_http_secure_set(http->secure, pair, err);
}

int tf_http_set_logins(struct tf_http *http, const struct tf_http_options *logins, struct tf_error *err)
{
    struct tf_http_access *next, *displaced;
    int r;

    if (!http->asks || !logins->user)
        return tf_fail(err, -EINVAL, "http: whether logins are asked for is decided at the start");
    next = calloc(1, sizeof(*next));
    if (!next)
        return tf_fail(err, -ENOMEM, "http: no memory");
    r = read_logins(next, logins, err);
    if (r < 0) {
        free_access(next);
        return r;
    }
    pthread_mutex_lock(&http->lock);
    displaced = http->next_access;
    http->next_access = next;
    pthread_mutex_unlock(&http->lock);
    free_access(displaced);
    tf_http_ring(http);
    return 0;
}

uint64_t tf_http_logins_failed(const struct tf_http *http)
{
    return atomic_load(&http->access.failed);
}
