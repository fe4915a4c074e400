/*
 * The HTTP server. One thread of ours polls libmicrohttpd's epoll descriptor and an eventfd; everything that
 * touches libmicrohttpd happens there. Who makes records only writes into a camera's ring (stream.c) and
 * rings that bell.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "publish/http/server.h"

#define REQUEST_MEMORY (32 * 1024) /* a request's line and headers; also the largest piece of a stream */
#define IDLE_TIMEOUT_S 30          /* a connection that neither asks nor takes what it asked for is closed */
#define REFUSED_EXTRA 8            /* connections beyond the limit that still get a 503 */

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

static void ring_bell(struct tf_http *http)
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
        ring_bell(http);
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

int tf_http_ask_status(struct tf_http *http)
{
    int count = http->options.status
                    ? http->options.status(http->options.context, http->statuses, TF_HTTP_CAMERAS_MAX)
                    : 0;

    if (count < 0)
        count = 0;
    for (int i = 0; i < count; i++) {
        http->statuses[i].http_clients = tf_http_clients(http, http->statuses[i].camera);
        http->statuses[i].dropped_http = tf_http_dropped(http, http->statuses[i].camera);
    }
    return count;
}

static void count_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                             enum MHD_ConnectionNotificationCode what)
{
    struct tf_http *http = context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        atomic_fetch_add(&http->connections, 1);
    else
        atomic_fetch_sub(&http->connections, 1);
}

static void no_log(void *context, const char *format, va_list args)
{
}

/* --- the thread --- */

static void turn(struct tf_http *http, int epoll_fd, int longest_ms)
{
    struct pollfd fds[] = {{.fd = epoll_fd, .events = POLLIN}, {.fd = http->bell, .events = POLLIN}};
    unsigned long long timeout;
    uint64_t rings;

    if (MHD_get_timeout(http->daemon, &timeout) == MHD_YES && timeout < (unsigned long long)longest_ms)
        longest_ms = (int)timeout;
    poll(fds, 2, longest_ms);
    if (fds[1].revents & POLLIN)
        while (read(http->bell, &rings, sizeof(rings)) < 0 && errno == EINTR)
            ;
}

static void *serve(void *arg)
{
    const uint64_t second = 1000000000;
    struct tf_http *http = arg;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uint64_t looked = tf_now_ns(), until;

    pthread_setname_np(pthread_self(), "tf-http");
    while (!atomic_load(&http->stopping)) {
        bool look;

        turn(http, info->epoll_fd, 1000);
        look = tf_now_ns() - looked >= second;
        if (look)
            looked = tf_now_ns();
        tf_http_resume_clients(http, look);
        MHD_run(http->daemon);
    }
    /* Streams get their proper end, if their clients take it within a moment. */
    until = tf_now_ns() + second / 5;
    while (http->clients && tf_now_ns() < until) {
        tf_http_resume_clients(http, true);
        MHD_run(http->daemon);
        turn(http, info->epoll_fd, 20);
    }
    tf_http_resume_clients(http, true); /* none may be suspended when the daemon stops */
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
    bool v6 = false;
    int fd = listen_on(address, http->options.port, &v6, &http->port, err);

    if (fd < 0)
        return fd;
    if (getrandom(http->nonce_seed, sizeof(http->nonce_seed), 0) != sizeof(http->nonce_seed)) {
        close(fd);
        return tf_fail(err, -EIO, "http: no random numbers");
    }
    http->daemon = MHD_start_daemon(
        MHD_USE_ERROR_LOG | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (v6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL,
        tf_http_handle, http, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(http->options.clients_max + REFUSED_EXTRA),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_CONNECTION, count_connection, http,
        MHD_OPTION_NOTIFY_COMPLETED, tf_http_completed, http, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NONCE_NC_SIZE, 256u, MHD_OPTION_DIGEST_AUTH_RANDOM, sizeof(http->nonce_seed),
        http->nonce_seed, MHD_OPTION_END);
    if (!http->daemon)
        return tf_fail(err, -EIO, "http: libmicrohttpd does not start");
    return 0;
}

int tf_http_create(const struct tf_http_options *options, struct tf_http **ret, struct tf_error *err)
{
    const char *address = options->address ? options->address : "127.0.0.1";
    struct tf_http *http;
    int r;

    if (!options->user != !options->password)
        return tf_fail(err, -EINVAL, "http: a user without a password, or a password without a user");
    if (!options->user && !tf_address_is_loopback(address))
        return tf_fail(
            err, -EINVAL,
            "http: would listen on %s, beyond this machine, without asking for a password: set credentials",
            address);
    http = calloc(1, sizeof(*http));
    if (!http)
        return tf_fail(err, -ENOMEM, "http: no memory");
    http->options = *options;
    http->options.clients_max = options->clients_max ? options->clients_max : 32;
    http->options.queue_bytes = options->queue_bytes ? options->queue_bytes : 4u << 20;
    if (http->options.queue_bytes < 64u << 10)
        http->options.queue_bytes = 64u << 10;
    http->options.address = NULL; /* the caller's strings need not outlive the call */
    http->options.user = http->options.password = NULL;
    http->loopback = tf_address_is_loopback(address);
    http->started_ns = tf_now_ns();
    pthread_mutex_init(&http->lock, NULL);
    http->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (http->bell < 0) {
        r = tf_fail(err, -errno, "http: no eventfd: %s", strerror(errno));
        goto fail;
    }
    if (options->user &&
        (!(http->user = strdup(options->user)) || !(http->password = strdup(options->password)))) {
        r = tf_fail(err, -ENOMEM, "http: no memory");
        goto fail;
    }
    r = start_daemon(http, address, err);
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
        ring_bell(http);
        pthread_join(http->thread, NULL);
    }
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    count = atomic_load(&http->stream_count);
    for (int i = 0; i < count; i++)
        tf_stream_destroy(http->streams[i]);
    if (http->bell >= 0)
        close(http->bell);
    pthread_mutex_destroy(&http->lock);
    free(http->user);
    if (http->password) {
        explicit_bzero(http->password, strlen(http->password));
        free(http->password);
    }
    free(http);
}

uint16_t tf_http_port(const struct tf_http *http)
{
    return http->port;
}
