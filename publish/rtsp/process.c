/* The service's side of RTSP: the listening socket, the process that serves it, and pictures into its rings.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "publish/rtsp/link.h"
#include "publish/rtsp/rtsp.h"
#include "publish/net/tls.h"

#define CLIENTS_MAX_DEFAULT 16
/* GStreamer looks at all its plugins at the first start on a machine: tens of seconds on a small one. */
#define READY_MS 60000
#define STOP_MS 900
/* Between two starts of a process that ends by itself. */
#define RESTART_FIRST_MS 250
#define RESTART_MOST_MS 8000
#define HEADERS_MAX 1024

struct tf_rtsp_mount {
    struct tf_rtsp *rtsp;
    char name[TF_RTSP_NAME_MAX + 1];
    float fps;
    int memory; /* the ring's descriptor */
    struct tf_link_ring ring;
    bool wait_key; /* pictures lost: nothing is of use before the next key picture */
    atomic_ullong dropped;

    pthread_mutex_t
        lock; /* over the ring's end and headers, which the supervisor gives a new process again */
    uint8_t headers[HEADERS_MAX];
    size_t headers_size;
};

struct tf_rtsp {
    struct tf_link_message setup;
    bool log;
    int listener, bell, wake; /* wake: to the supervisor */
    uint16_t port;
    pthread_t supervisor;
    bool supervised;

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t change;
    int control; /* -1: no process */
    pid_t process;
    bool ready, ending;
    int failed; /* what the first process said */
    struct tf_error failure;
    char *certificate, *key;
    uint64_t logins_failed, logins_before; /* of this process; of those before it */
    struct tf_rtsp_mount *mounts[TF_RTSP_MOUNTS_MAX];
    size_t mount_count;
};

bool tf_rtsp_is_worker(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], TF_RTSP_WORKER_ARGUMENT) == 0;
}

static int listen_on(struct tf_rtsp *r, const char *address, uint16_t port, struct tf_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char service[8];
    int one = 1, code;

    snprintf(service, sizeof(service), "%u", port);
    code = getaddrinfo(address, service, &hints, &list);
    if (code)
        return tf_fail(err, -EADDRNOTAVAIL, "RTSP: cannot listen on %s: %s", address, gai_strerror(code));
    r->listener = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    code = r->listener < 0 ? -errno : 0;
    if (!code) {
        setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(r->listener, list->ai_addr, list->ai_addrlen) < 0 || listen(r->listener, 128) < 0 ||
            getsockname(r->listener, (struct sockaddr *)&bound, &size) < 0)
            code = -errno;
    }
    freeaddrinfo(list);
    if (code == -EADDRINUSE)
        return tf_fail(err, code, "RTSP: port %u of %s is in use by another program; choose another port",
                       port, address);
    if (code == -EACCES)
        return tf_fail(err, code, "RTSP: port %u of %s needs more rights; choose one from 1024 on", port,
                       address);
    if (code)
        return tf_fail(err, code, "RTSP: cannot listen on %s port %u: %s", address, port, strerror(-code));
    r->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                : ((struct sockaddr_in *)&bound)->sin_port);
    return 0;
}

/* Certificate and key in one sealed piece of memory, which the other side reads. */
static int send_tls(struct tf_rtsp *r, int control)
{
    struct tf_link_message m = {.type = TF_LINK_TLS};
    int fd, code = 0;

    m.tls.certificate = (uint32_t)strlen(r->certificate);
    m.tls.key = (uint32_t)strlen(r->key);
    fd = memfd_create("tf-rtsp-tls", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, r->certificate, m.tls.certificate) != (ssize_t)m.tls.certificate ||
        write(fd, r->key, m.tls.key) != (ssize_t)m.tls.key)
        code = -EIO;
    if (!code)
        code = tf_link_send(control, &m, fd);
    close(fd);
    return code;
}

static int send_mount(struct tf_rtsp_mount *mount, int control)
{
    struct tf_link_message m = {.type = TF_LINK_MOUNT};

    memcpy(m.mount.name, mount->name, sizeof(m.mount.name));
    m.mount.fps = mount->fps;
    return tf_link_send(control, &m, mount->memory);
}

/* The lock is held. Everything that the new process must know waits in its socket when it begins. */
static int start_process(struct tf_rtsp *r, struct tf_error *err)
{
    char *argv[] = {(char *)"thermofaced-rtsp", (char *)TF_RTSP_WORKER_ARGUMENT, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **environment = NULL;
    size_t n = 0;
    sigset_t none;
    int pair[2] = {-1, -1}, code, size = 1 << 20;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return tf_fail(err, -errno, "RTSP: %s", strerror(errno));
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    code = tf_link_send(pair[0], &r->setup, -1);
    if (!code && r->certificate)
        code = send_tls(r, pair[0]);
    for (size_t i = 0; i < r->mount_count && !code; i++)
        code = send_mount(r->mounts[i], pair[0]);
    if (code) {
        tf_fail(err, code, "RTSP: the process cannot be told what to do: %s", strerror(-code));
        goto fail;
    }

    /* Not the service's own socket to systemd; and GLib's memory from malloc, which sanitizers can follow. */
    while (environ[n])
        n++;
    environment = calloc(n + 2, sizeof(*environment));
    if (!environment) {
        code = tf_fail(err, -ENOMEM, "RTSP: no memory");
        goto fail;
    }
    for (size_t i = n = 0; environ[i]; i++)
        if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0 && strncmp(environ[i], "WATCHDOG_", 9) != 0 &&
            strncmp(environ[i], "G_SLICE=", 8) != 0)
            environment[n++] = environ[i];
    environment[n] = (char *)"G_SLICE=always-malloc";

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    /* First out of the way of the three numbers, for a source may be one of them. */
    int high[3] = {fcntl(pair[1], F_DUPFD_CLOEXEC, 16), fcntl(r->listener, F_DUPFD_CLOEXEC, 16),
                   fcntl(r->bell, F_DUPFD_CLOEXEC, 16)};
    if (high[0] < 0 || high[1] < 0 || high[2] < 0) {
        code = errno;
    } else {
        posix_spawn_file_actions_adddup2(&actions, high[0], TF_LINK_CONTROL);
        posix_spawn_file_actions_adddup2(&actions, high[1], TF_LINK_LISTENER);
        posix_spawn_file_actions_adddup2(&actions, high[2], TF_LINK_BELL);
        code = posix_spawn(&r->process, "/proc/self/exe", &actions, &attributes, argv, environment);
    }
    for (int i = 0; i < 3; i++)
        if (high[i] >= 0)
            close(high[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(environment);
    if (code) {
        r->process = 0;
        code = tf_fail(err, -code, "RTSP: its process does not start: %s", strerror(code));
        goto fail;
    }
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    r->control = pair[0];
    r->ready = false;
    return 0;

fail:
    close(pair[0]);
    close(pair[1]);
    return code;
}

static void ring_bell(struct tf_rtsp *r)
{
    uint64_t one = 1;

    if (write(r->bell, &one, sizeof(one)) < 0) {
        /* It rings already. */
    }
}

static void deliver_headers(struct tf_rtsp_mount *m)
{
    struct tf_link_ring_head head = {.flags = TF_LINK_HEADERS};

    pthread_mutex_lock(&m->lock);
    head.size = (uint32_t)m->headers_size;
    head.frame = m->fps > 0 ? (uint64_t)(m->fps * 1000) : 0;
    if (head.size)
        tf_link_ring_write(&m->ring, &head, m->headers);
    pthread_mutex_unlock(&m->lock);
    ring_bell(m->rtsp);
}

/* The process said something. The lock is held. */
static void hear(struct tf_rtsp *r, const struct tf_link_message *m)
{
    switch (m->type) {
    case TF_LINK_READY:
        r->ready = true;
        pthread_cond_broadcast(&r->change);
        break;
    case TF_LINK_MOUNTED:
        for (size_t i = 0; i < r->mount_count; i++)
            if (strncmp(r->mounts[i]->name, m->mount.name, sizeof(m->mount.name)) == 0)
                deliver_headers(r->mounts[i]);
        break;
    case TF_LINK_FAILED:
        r->failed = m->code < 0 ? m->code : -EIO;
        tf_fail(&r->failure, r->failed, "%.*s", TF_ERROR_TEXT - 1, m->text);
        pthread_cond_broadcast(&r->change);
        break;
    case TF_LINK_LOG:
        if (r->log)
            tf_log((enum tf_log_level)m->code, NULL, "%.*s", TF_ERROR_TEXT - 1, m->text);
        break;
    case TF_LINK_COUNTS:
        if (m->counts.logins_failed > r->logins_failed)
            r->logins_failed = m->counts.logins_failed;
        break;
    default:
        break;
    }
}

/* Reads until there is nothing more; false: the process is gone. */
static bool listen_to(struct tf_rtsp *r, int control)
{
    struct tf_link_message m;
    int fd, code;

    while ((code = tf_link_receive(control, &m, &fd)) == 0) {
        if (fd >= 0)
            close(fd);
        pthread_mutex_lock(&r->lock);
        hear(r, &m);
        pthread_mutex_unlock(&r->lock);
    }
    return code == -EAGAIN;
}

/* Says why it ended. The lock is not held: waiting for it takes a moment. */
static void bury(struct tf_rtsp *r, pid_t process, int control, bool said)
{
    int status = 0;

    close(control);
    /* Its end of the socket is closed: it has ended, or is not worth waiting for. */
    for (int ms = 0; waitpid(process, &status, WNOHANG) == 0; ms++) {
        if (ms == 200)
            kill(process, SIGKILL);
        usleep(1000);
    }
    pthread_mutex_lock(&r->lock);
    r->control = -1;
    r->process = 0;
    r->ready = false;
    r->logins_before += r->logins_failed;
    r->logins_failed = 0;
    for (size_t i = 0; i < r->mount_count; i++) {
        atomic_store(&r->mounts[i]->ring.shared->viewers, 0);
        atomic_store(&r->mounts[i]->ring.shared->key_wanted, 0);
    }
    pthread_cond_broadcast(&r->change);
    if (said && r->log && !r->ending)
        tf_log(TF_LOG_ERROR, NULL, "RTSP: its process ended (%s %d); it is started again, recordings go on",
               WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    pthread_mutex_unlock(&r->lock);
}

static void *supervise(void *context)
{
    struct tf_rtsp *r = context;
    unsigned wait_ms = RESTART_FIRST_MS;
    bool said_failed = false;

    for (;;) {
        struct tf_error err = {0};
        uint64_t began = tf_now_ns();
        pid_t process;
        int control, code;

        pthread_mutex_lock(&r->lock);
        if (r->ending) {
            pthread_mutex_unlock(&r->lock);
            return NULL;
        }
        code = r->control < 0 ? start_process(r, &err) : 0;
        control = r->control;
        process = r->process;
        pthread_mutex_unlock(&r->lock);
        if (code == 0) {
            struct pollfd fds[2] = {{.fd = control, .events = POLLIN}, {.fd = r->wake, .events = POLLIN}};
            bool there = true;

            said_failed = false;
            while (there && !(fds[1].revents & POLLIN)) {
                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                    break;
                there = listen_to(r, control);
            }
            if (there)
                return NULL; /* tf_rtsp_destroy sees to the end */
            bury(r, process, control, true);
            if (tf_now_ns() - began > 30000000000ull)
                wait_ms = RESTART_FIRST_MS;
        } else if (!said_failed && r->log) {
            tf_log(TF_LOG_ERROR, NULL, "%s; tried again", err.text);
            said_failed = true;
        }
        struct pollfd wake = {.fd = r->wake, .events = POLLIN};
        poll(&wake, 1, (int)wait_ms);
        wait_ms = wait_ms * 2 < RESTART_MOST_MS ? wait_ms * 2 : RESTART_MOST_MS;
    }
}

static int keep_tls(struct tf_rtsp *r, const struct tf_tls_pair *pair)
{
    char *certificate = strdup(pair->certificate), *key = strdup(pair->key);

    if (!certificate || !key) {
        free(certificate);
        free(key);
        return -ENOMEM;
    }
    if (r->key)
        explicit_bzero(r->key, strlen(r->key));
    free(r->certificate);
    free(r->key);
    r->certificate = certificate;
    r->key = key;
    return 0;
}

static int check_login(const char *user, const char *password, struct tf_error *err)
{
    if (strlen(user) >= sizeof(((struct tf_link_message *)0)->setup.user) ||
        strlen(password) >= sizeof(((struct tf_link_message *)0)->setup.password))
        return tf_fail(err, -EINVAL, "RTSP: user of more than 63 bytes, or password of more than 127");
    return 0;
}

static int check_options(const struct tf_rtsp_options *o, const char *address, struct tf_error *err)
{
    bool user = o->user && *o->user, password = o->password && *o->password;

    if (user != password)
        return tf_fail(err, -EINVAL, "RTSP: credentials need both a user and a password");
    if (!user && !tf_address_is_loopback(address))
        return tf_fail(err, -EINVAL,
                       "RTSP: listening on %s without credentials is refused; give credentials or listen "
                       "on 127.0.0.1",
                       address);
    if (o->clients_max > 1024)
        return tf_fail(err, -EINVAL, "RTSP: %u clients: at most 1024", o->clients_max);
    if (user && check_login(o->user, o->password, err) < 0)
        return -EINVAL;
    if (o->proxies && strlen(o->proxies) >= TF_RTSP_PROXIES_MAX)
        return tf_fail(err, -EINVAL, "RTSP: more than %d bytes of proxies", TF_RTSP_PROXIES_MAX - 1);
    return 0;
}

/*
 * Waits until the first process serves, or says why it does not. One that ends without a word (memory ran
 * out) is no reason not to record: it is started again.
 */
static int await_ready(struct tf_rtsp *r, struct tf_error *err)
{
    struct timespec end;
    int code = 0;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += READY_MS / 1000;
    pthread_mutex_lock(&r->lock);
    while (!r->ready && !r->failed && r->control >= 0 && code == 0)
        code = -pthread_cond_timedwait(&r->change, &r->lock, &end);
    if (r->failed) {
        code = r->failed;
        *err = r->failure;
    } else if (code < 0) {
        tf_fail(err, code, "RTSP: its process is not ready within %d s", READY_MS / 1000);
    }
    pthread_mutex_unlock(&r->lock);
    return code;
}

int tf_rtsp_create(const struct tf_rtsp_options *options, struct tf_rtsp **ret, struct tf_error *err)
{
    const char *address = options->address && *options->address ? options->address : "127.0.0.1";
    pthread_condattr_t attributes;
    struct tf_error ignored;
    struct tf_rtsp *r;
    int code;

    if (!err)
        err = &ignored;
    code = check_options(options, address, err);
    if (code < 0)
        return code;
    r = calloc(1, sizeof(*r));
    if (!r)
        return tf_fail(err, -ENOMEM, "RTSP: no memory");
    r->listener = r->bell = r->wake = r->control = -1;
    r->log = options->log;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&r->change, &attributes);
    pthread_condattr_destroy(&attributes);
    r->setup.type = TF_LINK_SETUP;
    r->setup.setup.clients_max = options->clients_max ? options->clients_max : CLIENTS_MAX_DEFAULT;
    r->setup.setup.clients_per_address = options->clients_per_address;
    r->setup.setup.tls = options->tls != NULL;
    if (options->user) {
        strcpy(r->setup.setup.user, options->user);
        strcpy(r->setup.setup.password, options->password);
    }
    if (options->proxies)
        strcpy(r->setup.setup.proxies, options->proxies);

    code = listen_on(r, address, options->port, err);
    if (code < 0)
        goto fail;
    r->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->bell < 0 || r->wake < 0 || (options->tls && keep_tls(r, options->tls) < 0)) {
        code = tf_fail(err, -ENOMEM, "RTSP: no memory or descriptors");
        goto fail;
    }
    pthread_mutex_lock(&r->lock);
    code = start_process(r, err);
    pthread_mutex_unlock(&r->lock);
    if (code < 0)
        goto fail;
    code = -pthread_create(&r->supervisor, NULL, supervise, r);
    if (code < 0) {
        tf_fail(err, code, "RTSP: no thread: %s", strerror(-code));
        goto fail;
    }
    r->supervised = true;
    code = await_ready(r, err);
    if (code < 0)
        goto fail;
    *ret = r;
    return 0;

fail:
    tf_rtsp_destroy(r);
    return code;
}

/* Asks, waits, and in the end does not ask any more. */
static void end_process(struct tf_rtsp *r)
{
    struct tf_link_message m = {.type = TF_LINK_END};
    uint64_t deadline = tf_now_ns() + STOP_MS * 1000000ull;

    if (r->control < 0)
        return;
    tf_link_send(r->control, &m, -1);
    while (waitpid(r->process, NULL, WNOHANG) == 0) {
        if (tf_now_ns() >= deadline)
            kill(r->process, SIGKILL);
        usleep(1000);
    }
    close(r->control);
}

void tf_rtsp_destroy(struct tf_rtsp *r)
{
    uint64_t one = 1;

    if (!r)
        return;
    if (r->supervised) {
        pthread_mutex_lock(&r->lock);
        r->ending = true;
        pthread_mutex_unlock(&r->lock);
        if (write(r->wake, &one, sizeof(one)) < 0) {
            /* It wakes already. */
        }
        pthread_join(r->supervisor, NULL);
    }
    end_process(r);
    for (size_t i = 0; i < r->mount_count; i++) {
        tf_link_ring_close(&r->mounts[i]->ring);
        close(r->mounts[i]->memory);
        pthread_mutex_destroy(&r->mounts[i]->lock);
        free(r->mounts[i]);
    }
    for (int i = 0; i < 3; i++) {
        int fd = i == 0 ? r->listener : i == 1 ? r->bell : r->wake;
        if (fd >= 0)
            close(fd);
    }
    if (r->key)
        explicit_bzero(r->key, strlen(r->key));
    free(r->certificate);
    free(r->key);
    pthread_cond_destroy(&r->change);
    pthread_mutex_destroy(&r->lock);
    explicit_bzero(&r->setup, sizeof(r->setup));
    free(r);
}

uint16_t tf_rtsp_port(const struct tf_rtsp *r)
{
    return r->port;
}

int tf_rtsp_process(const struct tf_rtsp *r)
{
    struct tf_rtsp *mutable = (struct tf_rtsp *)r;
    int process;

    pthread_mutex_lock(&mutable->lock);
    process = r->ready ? r->process : 0;
    pthread_mutex_unlock(&mutable->lock);
    return process;
}

int tf_rtsp_set_tls(struct tf_rtsp *r, const struct tf_tls_pair *pair, struct tf_error *err)
{
    int code;

    if (!r->setup.setup.tls)
        return tf_fail(err, -EINVAL, "RTSP: serves without TLS until it is started again");
    pthread_mutex_lock(&r->lock);
    code = keep_tls(r, pair);
    if (code == 0 && r->control >= 0)
        code = send_tls(r, r->control);
    pthread_mutex_unlock(&r->lock);
    return code < 0
               ? tf_fail(err, code, "RTSP: the certificate does not reach its process: %s", strerror(-code))
               : 0;
}

int tf_rtsp_set_login(struct tf_rtsp *r, const char *user, const char *password, struct tf_error *err)
{
    struct tf_link_message m = {.type = TF_LINK_LOGIN};
    int code = 0;

    if (!r->setup.setup.user[0] || !*user || !*password)
        return tf_fail(err, -EINVAL, "RTSP: whether a login is asked for is decided at the start");
    if (check_login(user, password, err) < 0)
        return -EINVAL;
    strcpy(m.setup.user, user);
    strcpy(m.setup.password, password);
    pthread_mutex_lock(&r->lock);
    if (strcmp(r->setup.setup.user, user) != 0 || strcmp(r->setup.setup.password, password) != 0) {
        memcpy(r->setup.setup.user, m.setup.user, sizeof(m.setup.user));
        memcpy(r->setup.setup.password, m.setup.password, sizeof(m.setup.password));
        if (r->control >= 0)
            code = tf_link_send(r->control, &m, -1);
        /* One that does not listen is worse than none: the next is told at its start. */
        if (code < 0 && r->process > 0)
            kill(r->process, SIGKILL);
    }
    pthread_mutex_unlock(&r->lock);
    explicit_bzero(&m, sizeof(m));
    return 0;
}

uint64_t tf_rtsp_logins_failed(const struct tf_rtsp *r)
{
    struct tf_rtsp *mutable = (struct tf_rtsp *)r;
    uint64_t n;

    pthread_mutex_lock(&mutable->lock);
    n = r->logins_before + r->logins_failed;
    pthread_mutex_unlock(&mutable->lock);
    return n;
}

static bool name_is_usable(const char *name)
{
    size_t length = strlen(name);

    if (!length || length > TF_RTSP_NAME_MAX)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
            return false;
    return true;
}

int tf_rtsp_mount(struct tf_rtsp *r, const char *name, float fps, struct tf_rtsp_mount **ret,
                  struct tf_error *err)
{
    struct tf_rtsp_mount *mount;
    int code;

    if (!name_is_usable(name))
        return tf_fail(err, -EINVAL,
                       "RTSP: \"%s\" cannot be part of an address: use letters, digits, . _ - (at most %d)",
                       name, TF_RTSP_NAME_MAX);
    mount = calloc(1, sizeof(*mount));
    if (!mount)
        return tf_fail(err, -ENOMEM, "RTSP: no memory");
    mount->rtsp = r;
    mount->fps = fps;
    strcpy(mount->name, name);
    code = tf_link_ring_create(&mount->ring, &mount->memory, err);
    if (code < 0) {
        free(mount);
        return code;
    }
    pthread_mutex_init(&mount->lock, NULL);

    pthread_mutex_lock(&r->lock);
    if (r->mount_count == TF_RTSP_MOUNTS_MAX)
        code = tf_fail(err, -ENOSPC, "RTSP: at most %d cameras", TF_RTSP_MOUNTS_MAX);
    for (size_t i = 0; !code && i < r->mount_count; i++)
        if (strcmp(r->mounts[i]->name, name) == 0)
            code = tf_fail(err, -EEXIST, "RTSP: there are two cameras named %s", name);
    if (!code) {
        r->mounts[r->mount_count++] = mount;
        /* A process that is about to end is told by the next start. */
        if (r->control >= 0)
            send_mount(mount, r->control);
    }
    pthread_mutex_unlock(&r->lock);
    if (code) {
        tf_link_ring_close(&mount->ring);
        close(mount->memory);
        pthread_mutex_destroy(&mount->lock);
        free(mount);
        return code;
    }
    *ret = mount;
    return 0;
}

void tf_rtsp_headers(struct tf_rtsp_mount *mount, const uint8_t *data, size_t size, float fps)
{
    if (!size || size > HEADERS_MAX)
        return;
    pthread_mutex_lock(&mount->lock);
    memcpy(mount->headers, data, size);
    mount->headers_size = size;
    mount->fps = fps;
    pthread_mutex_unlock(&mount->lock);
    deliver_headers(mount);
}

void tf_rtsp_push(struct tf_rtsp_mount *mount, const struct tf_packet *packet)
{
    struct tf_link_ring_head head = {.size = (uint32_t)packet->size,
                                     .flags = packet->key ? TF_LINK_KEY : 0,
                                     .t_mono_ns = packet->t_mono_ns,
                                     .frame = packet->frame};
    bool written;

    if (!tf_rtsp_viewers(mount)) {
        mount->wait_key = true;
        return;
    }
    if (mount->wait_key && !packet->key) {
        atomic_fetch_add(&mount->dropped, 1);
        return;
    }
    pthread_mutex_lock(&mount->lock);
    written = packet->size <= TF_LINK_BYTES && tf_link_ring_write(&mount->ring, &head, packet->data);
    pthread_mutex_unlock(&mount->lock);
    if (!written) {
        atomic_fetch_add(&mount->dropped, 1);
        mount->wait_key = true;
        atomic_store(&mount->ring.shared->key_wanted, 1);
        return;
    }
    mount->wait_key = false;
    ring_bell(mount->rtsp);
}

uint32_t tf_rtsp_viewers(const struct tf_rtsp_mount *mount)
{
    return atomic_load(&mount->ring.shared->viewers);
}

bool tf_rtsp_take_key_request(struct tf_rtsp_mount *mount)
{
    return atomic_exchange(&mount->ring.shared->key_wanted, 0) != 0;
}

uint64_t tf_rtsp_dropped(const struct tf_rtsp_mount *mount)
{
    return atomic_load(&mount->dropped) + atomic_load(&mount->ring.shared->dropped);
}
