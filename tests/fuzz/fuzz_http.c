/* The HTTP server gets any bytes as a request, then the end; it must answer or close, and go on. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "publish/http/http.h"

static int status(void *context, struct tf_status *statuses, int max)
{
    memset(statuses, 0, 2 * sizeof(*statuses));
    strcpy(statuses[0].camera, "thermal");
    strcpy(statuses[1].camera, "visible");
    return 2;
}

static int snapshot(void *context, const char *camera, struct tf_snapshot *s)
{
    s->data = calloc(1, 4);
    s->size = 4;
    return s->data ? 0 : -ENOMEM;
}

static int session(void *context, enum tf_http_session what, const char *body, size_t size,
                   uint64_t t_mono_ns, char **answer)
{
    if (body[size] != '\0')
        abort();
    *answer = strdup("{}");
    return 200;
}

static int ffc(void *context, const char *camera, const char *body, size_t size, char **answer)
{
    if (!*camera || strchr(camera, '/'))
        abort();
    *answer = strdup("{}");
    return 200;
}

/* One that answers everybody, and one that asks for a login. */
static struct tf_http *servers[2];

static void stop(void)
{
    tf_http_destroy(servers[0]);
    tf_http_destroy(servers[1]);
}

static struct tf_http *server(int which)
{
    static const struct tf_tokens tokens = {.count = 1, .text = {"0123456789abcdef"}};
    struct tf_http_options options = {.status = status,
                                      .snapshot = snapshot,
                                      .session = session,
                                      .ffc = ffc,
                                      .clients_max = 1000,
                                      .user = which ? "lab" : NULL,
                                      .password = which ? "secret" : NULL,
                                      .tokens = which ? &tokens : NULL};
    struct tf_error err = {0};

    if (servers[which])
        return servers[which];
    if (tf_http_create(&options, &servers[which], &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    if (!which)
        atexit(stop);
    return servers[which];
}

/* Sends, waits at most so long for the beginning of an answer; returns its length. */
static ssize_t ask(int which, const void *data, size_t size, int patience_ms, char *answer, size_t max)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(tf_http_port(server(which))),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger at_once = {.l_onoff = 1}; /* no port in TIME_WAIT for each input */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    ssize_t n;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        abort(); /* the server is gone */
    for (size_t done = 0; done < size; done += (size_t)n) {
        n = send(fd, (const char *)data + done, size - done, MSG_NOSIGNAL);
        if (n <= 0)
            break;
    }
    n = poll(&poller, 1, patience_ms) == 1 ? recv(fd, answer, max, MSG_DONTWAIT) : -1;
    close(fd);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char plain[] = "GET /state HTTP/1.0\r\n\r\n";
    static unsigned runs;
    char answer[64];

    ask(0, data, size, 1, answer, sizeof(answer));
    ask(1, data, size, 1, answer, sizeof(answer));
    /* Whatever came before, the next client is served. */
    if (++runs % 32 == 0 && (ask(0, plain, sizeof(plain) - 1, 5000, answer, sizeof(answer)) < 15 ||
                             memcmp(answer + 8, " 200 OK", 7) != 0))
        abort();
    return 0;
}
