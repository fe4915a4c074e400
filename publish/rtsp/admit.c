/*
 * Connections before GStreamer knows of them: one waits here, for the price of a descriptor, until it has
 * sent the head of its first request. Whoever says nothing, or says it too slowly or too long, never becomes
 * a client; and when too many wait, the oldest goes, so that nobody is locked out by those who are silent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/log.h"
#include "publish/rtsp/server.h"

#define HEAD_MAX (16u << 10)
#define HEAD_DEADLINE_US (5 * G_USEC_PER_SEC)
/* Accepted in one go, before others have their turn. */
#define BATCH 64
#define SEND_BUFFER (1 << 20)

struct tf_pending {
    struct tf_server *server;
    int fd;
    guint source;
    int64_t deadline_us;
    char ip[INET6_ADDRSTRLEN];
    uint16_t port;
    size_t seen;
    char head[HEAD_MAX];
};

static void forget(struct tf_pending *p, bool shut)
{
    p->server->pending = g_list_remove(p->server->pending, p);
    p->server->pending_count--;
    if (p->source)
        g_source_remove(p->source);
    if (shut)
        close(p->fd);
    g_free(p);
}

static void pass_on(struct tf_pending *p)
{
    struct tf_server *s = p->server;
    int one = 1;

    setsockopt(p->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
    if (s->conn_count >= s->conn_max && !tf_conn_evict(s)) {
        forget(p, true);
        return;
    }
    p->source = 0; /* its callback is running and returns G_SOURCE_REMOVE */
    tf_conn_create(s, p->fd, p->ip, p->port);
    forget(p, false);
}

/* 1: a whole head; 0: more is to come; -1: nothing that we serve. */
static int judge(const struct tf_pending *p, size_t n)
{
    bool tls_record = n && p->head[0] == 0x16;

    if (p->server->setup.setup.tls)
        return !n ? 0 : !tls_record ? -1 : n < 5 ? 0 : 1;
    if (n && (p->head[0] < 'A' || p->head[0] > 'Z'))
        return -1;
    if (memmem(p->head, n, "\r\n\r\n", 4) || memmem(p->head, n, "\n\n", 2))
        return 1;
    return n == HEAD_MAX ? -1 : 0;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer context)
{
    struct tf_pending *p = context;
    ssize_t n = recv(fd, p->head, HEAD_MAX, MSG_PEEK | MSG_DONTWAIT);
    int next, verdict;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    /* Woken without anything new: there is nothing more to come. */
    verdict = n > (ssize_t)p->seen ? judge(p, (size_t)n) : -1;
    if (verdict > 0) {
        pass_on(p);
        return G_SOURCE_REMOVE;
    }
    if (verdict < 0) {
        if (n > 0 && p->server->setup.setup.tls)
            tf_server_say(p->server, TF_SAID_OTHER,
                          "RTSP: a player came without TLS (the address is rtsps://)", p->ip);
        p->source = 0;
        forget(p, true);
        return G_SOURCE_REMOVE;
    }
    /* Peeked at, not read: wake again when there is more. */
    p->seen = (size_t)n;
    next = (int)n + 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &next, sizeof(next));
    if (condition & (G_IO_HUP | G_IO_ERR)) {
        p->source = 0;
        forget(p, true);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static void set_options(int fd)
{
    const int values[][3] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 10},
        {IPPROTO_TCP, TCP_KEEPINTVL, 5},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 20000},
        {IPPROTO_TCP, TCP_NODELAY, 1},
        /* Not the megabytes that the kernel would lend a viewer that has stopped. */
        {SOL_SOCKET, SO_SNDBUF, SEND_BUFFER},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        setsockopt(fd, values[i][0], values[i][1], &values[i][2], sizeof(int));
}

static void name_peer(struct tf_pending *p, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;

        p->port = ntohs(v6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, p->ip, sizeof(p->ip));
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, p->ip, sizeof(p->ip));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;

        p->port = ntohs(v4->sin_port);
        inet_ntop(AF_INET, &v4->sin_addr, p->ip, sizeof(p->ip));
    }
}

static gboolean on_connection(gint listener, GIOCondition condition, gpointer context)
{
    struct tf_server *s = context;

    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof(peer);
        struct tf_pending *p;
        int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            /* Not ours to use up: the places are fewer than the descriptors. Whoever waits longest makes
             * room. */
            if (!s->pending && !tf_conn_evict(s))
                g_usleep(10000);
            else if (s->pending)
                forget(s->pending->data, true);
            break;
        }
        if (fd < 0)
            break;
        if (s->pending_count >= s->pending_max)
            forget(s->pending->data, true);
        p = g_new0(struct tf_pending, 1);
        p->server = s;
        p->fd = fd;
        p->deadline_us = tf_server_now_us() + HEAD_DEADLINE_US;
        name_peer(p, &peer);
        set_options(fd);
        s->pending = g_list_append(s->pending, p);
        s->pending_count++;
        p->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, p);
    }
    return G_SOURCE_CONTINUE;
}

void tf_admit_tend(struct tf_server *s)
{
    int64_t now = tf_server_now_us();

    while (s->pending && now > ((struct tf_pending *)s->pending->data)->deadline_us)
        forget(s->pending->data, true);
}

void tf_admit_start(struct tf_server *s)
{
    g_unix_fd_add(s->listener, G_IO_IN, on_connection, s);
}
