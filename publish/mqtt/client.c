/* The connection to a broker, through libmosquitto. */
#include "publish/mqtt/client.h"

#include <errno.h>
#include <limits.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "publish/mqtt/queue.h"

/* What is handed to libmosquitto, which would keep any number. */
#define ON_THEIR_WAY 16
#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 30000
#define ANSWER_WAIT_NS 15000000000ull /* for a connection and the broker's word */
/* A connection that has held so long was one: the next trial is soon, and its loss is told. */
#define HELD_NS 10000000000ull
#define POLL_MS 500
#define FAREWELL_NS 400000000ull
#define END_WAIT_MS 1000
#define LOG_TEXT 200

enum told { TOLD_NOTHING, TOLD_CONNECTED, TOLD_TROUBLE };

struct tf_mqtt_client {
    pthread_t thread;
    bool started;
    int wake, gone; /* eventfds; gone: the thread is at its end */
    atomic_bool stop, silent;
    atomic_int users; /* the thread, and who made it; the last one frees */
    void (*tell)(void *context, bool trouble, const char *text);
    void *tell_context;
    void (*message)(void *context, const char *topic, const char *payload, size_t size, bool retained);
    void *context;
    char *host, *id, *ca, *certificate, *key, *status_topic, *filters[TF_MQTT_FILTERS_MAX];
    int port, qos, keepalive;
    bool tls, v5;
    uint32_t queue_max;

    pthread_mutex_t lock; /* of what follows */
    struct tf_mqtt_list waiting;
    char *user, *password;
    bool login_is_new;
    char trouble[256];

    atomic_bool connected;
    _Atomic uint64_t connections, published, dropped;

    /* Of the thread. */
    struct mosquitto *mosquitto;
    struct tf_mqtt_list sent;
    uint64_t began_ns, connected_ns;
    bool accepted; /* by the broker, just now */
    char reason[256], log[LOG_TEXT];
    enum told said;
    char said_text[256];
    bool flapping; /* the last connection did not hold */
    bool refusal_said;
};

void tf_mqtt_client_tell(struct tf_mqtt_client *c, bool trouble, const char *format, ...)
{
    char text[512];
    va_list args;

    if (!c->tell || atomic_load(&c->silent))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    c->tell(c->tell_context, trouble, text);
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void put(struct tf_mqtt_client *c)
{
    if (!c || atomic_fetch_sub(&c->users, 1) > 1)
        return;
    tf_mqtt_list_clear(&c->waiting);
    tf_mqtt_list_clear(&c->sent);
    for (int i = 0; i < TF_MQTT_FILTERS_MAX; i++)
        free(c->filters[i]);
    free(c->host);
    free(c->id);
    free(c->ca);
    free(c->certificate);
    free(c->key);
    free(c->status_topic);
    wipe(c->user);
    wipe(c->password);
    if (c->wake >= 0)
        close(c->wake);
    if (c->gone >= 0)
        close(c->gone);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* --- what libmosquitto calls, in the thread --- */

static void on_connect(struct mosquitto *m, void *context, int code)
{
    struct tf_mqtt_client *c = context;

    if (code != 0)
        snprintf(c->reason, sizeof(c->reason), "the broker refuses: %s",
                 c->v5 ? mosquitto_reason_string(code) : mosquitto_connack_string(code));
    else
        c->accepted = true;
}

static void on_disconnect(struct mosquitto *m, void *context, int code)
{
    struct tf_mqtt_client *c = context;

    /* With MQTT 5 a broker says why it ends a connection. */
    if (code >= 128 && c->v5 && !c->reason[0])
        snprintf(c->reason, sizeof(c->reason), "the broker ended the connection: %s",
                 mosquitto_reason_string(code));
}

static void arrived(struct tf_mqtt_client *c, int mid, int code)
{
    struct tf_mqtt_message *message = tf_mqtt_list_take(&c->sent, mid);

    if (!message)
        return; /* "online" */
    if (code >= 128) {
        atomic_fetch_add(&c->dropped, 1);
        if (!c->refusal_said)
            tf_mqtt_client_tell(c, true, "MQTT: the broker takes no message at %.200s: %s", message->topic,
                                mosquitto_reason_string(code));
        c->refusal_said = true;
    } else {
        atomic_fetch_add(&c->published, 1);
    }
    free(message);
}

static void on_publish(struct mosquitto *m, void *context, int mid)
{
    struct tf_mqtt_client *c = context;

    if (!c->v5)
        arrived(c, mid, 0);
}

static void on_publish_v5(struct mosquitto *m, void *context, int mid, int code,
                          const mosquitto_property *more)
{
    struct tf_mqtt_client *c = context;

    if (c->v5)
        arrived(c, mid, code);
}

static void on_message(struct mosquitto *m, void *context, const struct mosquitto_message *message)
{
    struct tf_mqtt_client *c = context;

    if (c->message && !atomic_load(&c->stop) && message->payloadlen >= 0)
        c->message(c->context, message->topic, message->payload ? message->payload : "",
                   (size_t)message->payloadlen, message->retain);
}

/* OpenSSL's reasons are nowhere else. */
static void on_log(struct mosquitto *m, void *context, int level, const char *text)
{
    struct tf_mqtt_client *c = context;
    const char *last = strrchr(text, ':');

    if (level != MOSQ_LOG_ERR || c->log[0])
        return;
    if (strncmp(text, "OpenSSL Error", 13) == 0 && last && last[1])
        text = last + 1;
    snprintf(c->log, sizeof(c->log), "%s", text);
}

/* A key with a passphrase must not ask for it on a terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    return 0;
}

/* --- connecting --- */

static void failed(struct tf_mqtt_client *c, int r, int error)
{
    if (c->reason[0])
        return;
    switch (r) {
    case MOSQ_ERR_ERRNO:
        snprintf(c->reason, sizeof(c->reason), "%s", strerror(error));
        break;
    case MOSQ_ERR_EAI:
        snprintf(c->reason, sizeof(c->reason), "its name is not known (DNS)");
        break;
    case MOSQ_ERR_TLS:
    case MOSQ_ERR_PROTOCOL:
        snprintf(c->reason, sizeof(c->reason), "%s%s%s", r == MOSQ_ERR_TLS ? "TLS" : mosquitto_strerror(r),
                 c->log[0] ? ": " : "", c->log);
        break;
    case MOSQ_ERR_KEEPALIVE:
        snprintf(c->reason, sizeof(c->reason), "the broker has not answered for %d s", c->keepalive);
        break;
    case MOSQ_ERR_CONN_LOST:
        snprintf(c->reason, sizeof(c->reason), "%s",
                 error                        ? strerror(error)
                 : atomic_load(&c->connected) ? "the broker ended the connection"
                                              : "the broker ended the connection at once");
        break;
    default:
        snprintf(c->reason, sizeof(c->reason), "%s", mosquitto_strerror(r));
    }
}

static int prepare(struct tf_mqtt_client *c)
{
    struct mosquitto *m = c->mosquitto = mosquitto_new(c->id, true, c);
    int r;

    if (!m)
        return MOSQ_ERR_NOMEM;
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_disconnect_callback_set(m, on_disconnect);
    mosquitto_publish_callback_set(m, on_publish);
    mosquitto_publish_v5_callback_set(m, on_publish_v5);
    mosquitto_message_callback_set(m, on_message);
    mosquitto_log_callback_set(m, on_log);
    mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, c->v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    r = mosquitto_will_set(m, c->status_topic, 7, "offline", c->qos, true);
    pthread_mutex_lock(&c->lock);
    c->login_is_new = false;
    if (r == MOSQ_ERR_SUCCESS && c->user)
        r = mosquitto_username_pw_set(m, c->user, c->password);
    pthread_mutex_unlock(&c->lock);
    if (r != MOSQ_ERR_SUCCESS || !c->tls)
        return r;
    if (c->ca || c->certificate)
        r = mosquitto_tls_set(m, c->ca, c->ca ? NULL : "/etc/ssl/certs", c->certificate, c->key,
                              no_passphrase);
    else
        r = mosquitto_int_option(m, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    return r;
}

/* The first messages of a connection; not from the callback, which holds locks of libmosquitto. */
static void greet(struct tf_mqtt_client *c)
{
    if (!c->accepted)
        return;
    c->accepted = false;
    c->connected_ns = tf_now_ns();
    for (int i = 0; i < TF_MQTT_FILTERS_MAX && c->filters[i]; i++)
        mosquitto_subscribe(c->mosquitto, NULL, c->filters[i], c->qos);
    mosquitto_publish(c->mosquitto, NULL, c->status_topic, 6, "online", c->qos, true);
    pthread_mutex_lock(&c->lock);
    c->trouble[0] = '\0';
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add(&c->connections, 1);
    atomic_store(&c->connected, true);
}

static void send_some(struct tf_mqtt_client *c)
{
    while (atomic_load(&c->connected) && c->sent.count < ON_THEIR_WAY) {
        struct tf_mqtt_message *m;
        int r;

        pthread_mutex_lock(&c->lock);
        m = tf_mqtt_list_pop(&c->waiting);
        pthread_mutex_unlock(&c->lock);
        if (!m)
            return;
        m->mid = 0;
        tf_mqtt_list_push(&c->sent, m);
        /* Its number is there before it is sent, and it may have arrived, and be gone, when this returns. */
        r = mosquitto_publish(c->mosquitto, &m->mid, m->topic, (int)m->size, m->payload, c->qos,
                              m->kind == TF_MQTT_RETAINED);
        if (r != MOSQ_ERR_SUCCESS && r != MOSQ_ERR_NO_CONN) {
            /* It cannot be sent at all: too large for this broker, say. */
            m = tf_mqtt_list_take(&c->sent, m->mid);
            atomic_fetch_add(&c->dropped, m != NULL);
            free(m);
        }
        if (r == MOSQ_ERR_NO_CONN)
            return;
    }
}

/* One turn; false: the connection has ended, and c->reason says why. */
static bool turn(struct tf_mqtt_client *c, int wait_ms)
{
    struct pollfd poller[2] = {{.fd = mosquitto_socket(c->mosquitto), .events = POLLIN},
                               {.fd = c->wake, .events = POLLIN}};
    int r = MOSQ_ERR_SUCCESS, error = 0;
    socklen_t size = sizeof(error);
    eventfd_t ignored;

    if (poller[0].fd < 0) {
        failed(c, MOSQ_ERR_CONN_LOST, 0);
        return false;
    }
    if (mosquitto_want_write(c->mosquitto))
        poller[0].events |= POLLOUT;
    if (poll(poller, 2, wait_ms) < 0)
        return true;
    if (poller[1].revents)
        eventfd_read(c->wake, &ignored);
    if (poller[0].revents & (POLLERR | POLLHUP | POLLNVAL))
        getsockopt(poller[0].fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        r = MOSQ_ERR_CONN_LOST;
    errno = 0;
    if (r == MOSQ_ERR_SUCCESS && poller[0].revents & POLLOUT)
        r = mosquitto_loop_write(c->mosquitto, 1);
    if (r == MOSQ_ERR_SUCCESS && poller[0].revents & (POLLIN | POLLERR | POLLHUP))
        r = mosquitto_loop_read(c->mosquitto, 1);
    if (r == MOSQ_ERR_SUCCESS)
        r = mosquitto_loop_misc(c->mosquitto);
    if (r == MOSQ_ERR_SUCCESS && !atomic_load(&c->connected) && tf_now_ns() - c->began_ns > ANSWER_WAIT_NS) {
        snprintf(c->reason, sizeof(c->reason), "no answer within %.0f s", (double)ANSWER_WAIT_NS / 1e9);
        return false;
    }
    if (r == MOSQ_ERR_SUCCESS)
        return true;
    failed(c, r, error ? error : r == MOSQ_ERR_ERRNO ? errno : 0);
    return false;
}

/* What waits, then "offline": the broker gives the last will only for those that do not part. */
static void part(struct tf_mqtt_client *c)
{
    uint64_t end = tf_now_ns() + FAREWELL_NS;

    if (!atomic_load(&c->connected))
        return;
    while (c->sent.count + c->waiting.count > 0 && tf_now_ns() < end) {
        send_some(c);
        if (!turn(c, 20))
            return;
    }
    mosquitto_publish(c->mosquitto, NULL, c->status_topic, 7, "offline", c->qos, true);
    mosquitto_disconnect(c->mosquitto);
    while (tf_now_ns() < end && mosquitto_socket(c->mosquitto) >= 0 && mosquitto_want_write(c->mosquitto))
        if (!turn(c, 20))
            return;
}

/* Said once. A broker that takes us and drops us in turn is one trouble, not two lines for each time. */
static void say_connected(struct tf_mqtt_client *c)
{
    if (!atomic_load(&c->connected) || c->said == TOLD_CONNECTED ||
        (c->flapping && tf_now_ns() - c->connected_ns < HELD_NS))
        return;
    tf_mqtt_client_tell(c, false, "MQTT: connected to %s:%d, topics below %.*s", c->host, c->port,
                        (int)(strlen(c->status_topic) - strlen("/status")), c->status_topic);
    c->said = TOLD_CONNECTED;
    c->flapping = false;
}

/* The connection has ended, or none came about. */
static void say_trouble(struct tf_mqtt_client *c, bool flapping)
{
    pthread_mutex_lock(&c->lock);
    snprintf(c->trouble, sizeof(c->trouble), "%s", c->reason);
    pthread_mutex_unlock(&c->lock);
    c->flapping = flapping;
    if (c->said == TOLD_TROUBLE && strcmp(c->said_text, c->reason) == 0)
        return;
    tf_mqtt_client_tell(c, true, "MQTT: %s:%d: %s; it is tried again, without end", c->host, c->port,
                        c->reason);
    c->said = TOLD_TROUBLE;
    snprintf(c->said_text, sizeof(c->said_text), "%s", c->reason);
}

static void lose(struct tf_mqtt_client *c)
{
    bool was_connected = atomic_exchange(&c->connected, false);
    bool held = was_connected && tf_now_ns() - c->connected_ns >= HELD_NS;

    mosquitto_destroy(c->mosquitto);
    c->mosquitto = NULL;
    pthread_mutex_lock(&c->lock);
    /* What was on its way is sent again, once more perhaps: QoS 1 promises at least once. */
    tf_mqtt_list_prepend(&c->waiting, &c->sent);
    atomic_fetch_add(&c->dropped, tf_mqtt_list_keep_events(&c->waiting));
    pthread_mutex_unlock(&c->lock);
    if (!atomic_load(&c->stop))
        say_trouble(c, was_connected && !held);
}

/* Waits before the next trial; a new login or the end shortens it. */
static void rest(struct tf_mqtt_client *c, unsigned *backoff_ms)
{
    uint64_t now = tf_now_ns(), end;
    unsigned some = 0;

    getrandom(&some, sizeof(some), GRND_NONBLOCK);
    /* Many boxes do not come back at the same moment. */
    end = now + (*backoff_ms - *backoff_ms / 4 + some % (*backoff_ms / 2)) * 1000000ull;
    *backoff_ms = *backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : *backoff_ms * 2;
    while (!atomic_load(&c->stop) && (now = tf_now_ns()) < end) {
        struct pollfd poller = {.fd = c->wake, .events = POLLIN};
        eventfd_t ignored;
        bool fresh;

        if (poll(&poller, 1, (int)((end - now) / 1000000) + 1) > 0)
            eventfd_read(c->wake, &ignored);
        pthread_mutex_lock(&c->lock);
        fresh = c->login_is_new;
        pthread_mutex_unlock(&c->lock);
        if (fresh)
            return;
    }
}

static void *run(void *context)
{
    struct tf_mqtt_client *c = context;
    unsigned backoff_ms = BACKOFF_MIN_MS;

    pthread_setname_np(pthread_self(), "tf-mqtt-net");
    while (!atomic_load(&c->stop)) {
        int r;

        c->reason[0] = c->log[0] = '\0';
        c->began_ns = tf_now_ns();
        c->connected_ns = 0;
        c->accepted = false;
        r = prepare(c);
        errno = 0;
        if (r == MOSQ_ERR_SUCCESS)
            r = mosquitto_connect_async(c->mosquitto, c->host, c->port, c->keepalive);
        if (r != MOSQ_ERR_SUCCESS)
            failed(c, r, errno);
        while (r == MOSQ_ERR_SUCCESS && !atomic_load(&c->stop) && turn(c, POLL_MS)) {
            greet(c);
            send_some(c);
            say_connected(c);
            if (c->connected_ns && tf_now_ns() - c->connected_ns >= HELD_NS)
                backoff_ms = BACKOFF_MIN_MS;
        }
        if (atomic_load(&c->stop) && c->mosquitto)
            part(c);
        lose(c);
        if (!atomic_load(&c->stop))
            rest(c, &backoff_ms);
    }
    eventfd_write(c->gone, 1);
    put(c);
    return NULL;
}

/* --- for others --- */

static int copy(char **ret, const char *text)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

/* "thermoface-HOSTNAME-1a2b3c4d": two connections of one name would throw each other out in turn. */
static int make_id(struct tf_mqtt_client *c, const char *given)
{
    char host[HOST_NAME_MAX + 1] = "";
    uint32_t some = 0;

    if (given)
        return copy(&c->id, given);
    gethostname(host, sizeof(host) - 1);
    getrandom(&some, sizeof(some), GRND_NONBLOCK);
    return asprintf(&c->id, "thermoface-%.40s-%08x", host, some) < 0 ? -ENOMEM : 0;
}

int tf_mqtt_client_create(const struct tf_mqtt_client_options *o, struct tf_mqtt_client **ret,
                          struct tf_error *err)
{
    const struct tf_mqtt_options *q = o->mqtt;
    struct tf_mqtt_client *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return tf_fail(err, -ENOMEM, "MQTT: no memory");
    pthread_mutex_init(&c->lock, NULL);
    atomic_store(&c->users, 1);
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = c->wake < 0 ? -errno : 0;
    c->gone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = c->gone < 0 ? -errno : r;
    c->tell = q->tell;
    c->tell_context = q->context;
    c->message = o->message;
    c->context = o->context;
    c->tls = q->tls;
    c->port = q->port ? q->port : q->tls ? 8883 : 1883;
    c->qos = q->qos;
    c->keepalive = (int)q->keepalive_s;
    c->v5 = q->v5;
    c->queue_max = q->queue;
    if (r < 0 || (r = copy(&c->host, q->host)) < 0 || (r = make_id(c, q->client_id)) < 0 ||
        (r = copy(&c->ca, q->ca)) < 0 || (r = copy(&c->certificate, q->certificate)) < 0 ||
        (r = copy(&c->key, q->key)) < 0 || (r = copy(&c->user, q->user)) < 0 ||
        (r = copy(&c->password, q->password)) < 0 || (r = copy(&c->status_topic, o->status_topic)) < 0)
        goto fail;
    for (int i = 0; i < TF_MQTT_FILTERS_MAX && o->filters[i]; i++)
        if ((r = copy(&c->filters[i], o->filters[i])) < 0)
            goto fail;
    *ret = c;
    return 0;

fail:
    put(c);
    return tf_fail(err, r, "MQTT: %s", strerror(-r));
}

int tf_mqtt_client_start(struct tf_mqtt_client *c, struct tf_error *err)
{
    int r;

    mosquitto_lib_init();
    atomic_store(&c->users, 2);
    r = -pthread_create(&c->thread, NULL, run, c);
    if (r == 0) {
        c->started = true;
        return 0;
    }
    atomic_store(&c->users, 1);
    mosquitto_lib_cleanup();
    return tf_fail(err, r, "MQTT: %s", strerror(-r));
}

void tf_mqtt_client_stop(struct tf_mqtt_client *c)
{
    struct pollfd poller;

    if (!c || !c->started)
        return;
    c->started = false;
    atomic_store(&c->stop, true);
    eventfd_write(c->wake, 1);
    poller = (struct pollfd){.fd = c->gone, .events = POLLIN};
    /* A name that no server answers for holds the resolver for long: the thread then ends by itself, or with
     * us. */
    if (poll(&poller, 1, END_WAIT_MS) > 0) {
        pthread_join(c->thread, NULL);
        mosquitto_lib_cleanup();
    } else {
        atomic_store(&c->silent, true);
        pthread_detach(c->thread);
    }
}

void tf_mqtt_client_destroy(struct tf_mqtt_client *c)
{
    tf_mqtt_client_stop(c);
    put(c);
}

int tf_mqtt_client_put(struct tf_mqtt_client *c, const char *topic, const char *payload,
                       enum tf_mqtt_kind kind)
{
    struct tf_mqtt_message *m = NULL, *out = NULL;
    int r;

    if (kind != TF_MQTT_EVENT && !atomic_load(&c->connected))
        r = -ENOTCONN;
    else
        r = tf_mqtt_message_create(topic, payload, kind, &m);
    if (r < 0) {
        /* What is retained will be put again, whole and new. */
        atomic_fetch_add(&c->dropped, kind != TF_MQTT_RETAINED);
        return r;
    }
    pthread_mutex_lock(&c->lock);
    if (c->waiting.count >= c->queue_max)
        out = tf_mqtt_list_pop_cheapest(&c->waiting);
    tf_mqtt_list_push(&c->waiting, m);
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add(&c->dropped, out != NULL);
    free(out);
    eventfd_write(c->wake, 1);
    return 0;
}

uint64_t tf_mqtt_client_connection(const struct tf_mqtt_client *c)
{
    return atomic_load(&c->connected) ? atomic_load(&c->connections) : 0;
}

uint32_t tf_mqtt_client_room(struct tf_mqtt_client *c)
{
    uint32_t count;

    pthread_mutex_lock(&c->lock);
    count = c->waiting.count;
    pthread_mutex_unlock(&c->lock);
    return count < c->queue_max ? c->queue_max - count : 0;
}

void tf_mqtt_client_set_login(struct tf_mqtt_client *c, const char *user, const char *password)
{
    char *u = user ? strdup(user) : NULL, *p = password ? strdup(password) : NULL;

    pthread_mutex_lock(&c->lock);
    wipe(c->user);
    wipe(c->password);
    c->user = u;
    c->password = p;
    c->login_is_new = true;
    pthread_mutex_unlock(&c->lock);
    eventfd_write(c->wake, 1);
}

void tf_mqtt_client_told(struct tf_mqtt_client *c, struct tf_mqtt_told *ret)
{
    *ret = (struct tf_mqtt_told){.configured = true,
                                 .connected = atomic_load(&c->connected),
                                 .connections = atomic_load(&c->connections),
                                 .published = atomic_load(&c->published),
                                 .dropped = atomic_load(&c->dropped)};
    snprintf(ret->broker, sizeof(ret->broker), "%s:%d", c->host, c->port);
    pthread_mutex_lock(&c->lock);
    ret->queued = c->waiting.count;
    snprintf(ret->message, sizeof(ret->message), "%s", c->trouble);
    pthread_mutex_unlock(&c->lock);
}
