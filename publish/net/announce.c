/* Announcements by mDNS: the thread that talks to avahi-daemon, and its services' names. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <avahi-client/client.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>

#include "base/clock.h"
#include "publish/net/announce.h"
#include "publish/net/announce_net.h"

/* Between two tries to reach the message bus. avahi-daemon's own coming is told by the bus, at once. */
#define RETRY_MS 10000
#define END_WAIT_NS 500000000ll
/* RFC 6763, 4.1.1 and 6.1: a label of a name, a string of a TXT record. */
#define NAME_BYTES 63
#define TXT_BYTES 255
/* Names in use by others of this machine that are passed over. */
#define NAMES_MAX 50

enum state { UNSAID, AWAY, NO_BUS, FAILED, RENAMING, ANNOUNCED };

struct service {
    struct tf_announce *owner;
    char label[NAME_BYTES + 1], type[32], txt[TXT_BYTES + 1], address[64];
    uint16_t port;
    char *name; /* avahi_malloc'd; kept when avahi-daemon comes back */
    AvahiEntryGroup *group;
    enum state said;
};

struct tf_announce {
    pthread_t thread;
    int stop; /* an eventfd */
    AvahiSimplePoll *poll;
    void (*tell)(void *context, bool trouble, const char *text);
    void *context;
    atomic_bool silent; /* the other side has gone */
    atomic_int users;   /* the thread, and who made it; the last one frees */
    enum state said;
    size_t count;
    struct service services[];
};

static void tell(struct tf_announce *a, bool trouble, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct tf_announce *a, bool trouble, const char *format, ...)
{
    char text[512];
    va_list args;

    if (!a->tell || atomic_load(&a->silent))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    a->tell(a->context, trouble, text);
}

static void put(struct tf_announce *a)
{
    if (!a || atomic_fetch_sub(&a->users, 1) > 1)
        return;
    for (size_t i = 0; i < a->count; i++)
        avahi_free(a->services[i].name);
    if (a->stop >= 0)
        close(a->stop);
    free(a);
}

/* "LABEL on HOST", cut between characters. */
static char *first_name(const struct service *s, AvahiClient *client)
{
    const char *host = avahi_client_get_host_name(client);
    char text[256];
    size_t n;

    snprintf(text, sizeof(text), "%s on %s", s->label, host ? host : "?");
    n = strlen(text);
    if (n > NAME_BYTES) {
        n = NAME_BYTES;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
        text[n] = 0;
    }
    return avahi_strdup(text);
}

static int rename_service(struct service *s)
{
    char *next = avahi_alternative_service_name(s->name);

    if (!next)
        return AVAHI_ERR_NO_MEMORY;
    avahi_free(s->name);
    s->name = next;
    return 0;
}

static void failed(struct service *s, int error)
{
    if (s->said != FAILED)
        tell(s->owner, true, "mDNS: %s at port %u is not announced: avahi-daemon: %s", s->type, s->port,
             avahi_strerror(error));
    s->said = FAILED;
}

static void on_group(AvahiEntryGroup *group, AvahiEntryGroupState state, void *context);

static void publish(struct service *s, AvahiClient *client)
{
    AvahiStringList *txt = NULL;
    AvahiProtocol protocol = AVAHI_PROTO_UNSPEC;
    int r = AVAHI_ERR_NO_MEMORY, family, interface;

    if (!s->group)
        s->group = avahi_entry_group_new(client, on_group, s);
    if (!s->group) {
        failed(s, avahi_client_errno(client));
        return;
    }
    if (!s->name)
        s->name = first_name(s, client);
    txt = avahi_string_list_new(s->txt, NULL);
    if (!s->name || !txt)
        goto out;
    interface = tf_announce_interface(s->address, &family);
    if (family == AF_INET)
        protocol = AVAHI_PROTO_INET;
    else if (family == AF_INET6 && interface > 0)
        protocol = AVAHI_PROTO_INET6;
    avahi_entry_group_reset(s->group);
    for (int i = 0; i < NAMES_MAX; i++) {
        r = avahi_entry_group_add_service_strlst(s->group, interface > 0 ? interface : AVAHI_IF_UNSPEC,
                                                 protocol, 0, s->name, s->type, NULL, NULL, s->port, txt);
        if (r != AVAHI_ERR_COLLISION || rename_service(s) < 0)
            break;
    }
    if (r >= 0)
        r = avahi_entry_group_commit(s->group);
out:
    avahi_string_list_free(txt);
    if (r < 0)
        failed(s, r);
}

static void on_group(AvahiEntryGroup *group, AvahiEntryGroupState state, void *context)
{
    struct service *s = context;
    AvahiClient *client = avahi_entry_group_get_client(group);

    switch (state) {
    case AVAHI_ENTRY_GROUP_ESTABLISHED:
        if (s->said != ANNOUNCED)
            tell(s->owner, false, "mDNS: announced as \"%s\" (%s, port %u, %s)", s->name, s->type, s->port,
                 s->txt);
        s->said = ANNOUNCED;
        break;
    case AVAHI_ENTRY_GROUP_COLLISION: /* another machine has the name */
        s->said = RENAMING;
        if (rename_service(s) == 0)
            publish(s, client);
        else
            failed(s, AVAHI_ERR_NO_MEMORY);
        break;
    case AVAHI_ENTRY_GROUP_FAILURE:
        failed(s, avahi_client_errno(client));
        break;
    case AVAHI_ENTRY_GROUP_UNCOMMITED:
    case AVAHI_ENTRY_GROUP_REGISTERING:
        break;
    }
}

/* Also from within avahi_client_new. */
static void on_client(AvahiClient *client, AvahiClientState state, void *context)
{
    struct tf_announce *a = context;

    switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
        a->said = UNSAID;
        for (size_t i = 0; i < a->count; i++)
            publish(&a->services[i], client);
        break;
    case AVAHI_CLIENT_S_COLLISION: /* the machine gets another name: ours are to follow it */
    case AVAHI_CLIENT_S_REGISTERING:
        for (size_t i = 0; i < a->count; i++)
            if (a->services[i].group)
                avahi_entry_group_reset(a->services[i].group);
        break;
    case AVAHI_CLIENT_CONNECTING:
        if (a->said != AWAY)
            tell(a, true, "mDNS: avahi-daemon does not run: nothing is announced until it does");
        a->said = AWAY;
        break;
    case AVAHI_CLIENT_FAILURE: /* avahi-daemon or the bus has gone: a new client waits for it */
        avahi_simple_poll_quit(a->poll);
        break;
    }
}

static void on_stop(AvahiWatch *watch, int fd, AvahiWatchEvent event, void *context)
{
    avahi_simple_poll_quit(context);
}

/* One connection to avahi-daemon, from its beginning to its end or ours. */
static void serve(struct tf_announce *a)
{
    const AvahiPoll *api;
    AvahiWatch *watch;
    AvahiClient *client;
    int error = AVAHI_ERR_NO_MEMORY;

    a->poll = avahi_simple_poll_new();
    if (!a->poll)
        return;
    api = avahi_simple_poll_get(a->poll);
    watch = api->watch_new(api, a->stop, AVAHI_WATCH_IN, on_stop, a->poll);
    client = watch ? avahi_client_new(api, AVAHI_CLIENT_NO_FAIL, on_client, a, &error) : NULL;
    if (client) {
        avahi_simple_poll_loop(a->poll);
        avahi_client_free(client); /* and its groups */
    } else if (a->said != NO_BUS) {
        tell(a, true, "mDNS: nothing is announced: the system's message bus (D-Bus): %s; tried again",
             avahi_strerror(error));
        a->said = NO_BUS;
    }
    for (size_t i = 0; i < a->count; i++) {
        a->services[i].group = NULL;
        a->services[i].said = UNSAID;
    }
    if (watch)
        api->watch_free(watch);
    avahi_simple_poll_free(a->poll);
    a->poll = NULL;
}

static void *run(void *context)
{
    struct tf_announce *a = context;
    struct pollfd stop = {.fd = a->stop, .events = POLLIN};

    pthread_setname_np(pthread_self(), "mdns");
    do {
        serve(a);
        /* A bus that has gone and come back within this is not lost: a client tries at once, then waits. */
    } while (poll(&stop, 1, a->said == NO_BUS ? RETRY_MS : 1000) == 0);
    put(a);
    return NULL;
}

bool tf_announce_is_built(void)
{
    return true;
}

static int copy(struct service *to, const struct tf_announce_service *from, struct tf_error *err)
{
    int n = snprintf(to->txt, sizeof(to->txt), "path=%s", from->path);

    if (n >= (int)sizeof(to->txt) || strlen(from->label) >= sizeof(to->label) ||
        strlen(from->type) >= sizeof(to->type) || strlen(from->address) >= sizeof(to->address))
        return tf_fail(err, -EINVAL, "mDNS: a label, type, path or address of %s is too long", from->type);
    strcpy(to->label, from->label);
    strcpy(to->type, from->type);
    strcpy(to->address, from->address);
    to->port = from->port;
    return 0;
}

int tf_announce_create(const struct tf_announce_options *options, struct tf_announce **ret,
                       struct tf_error *err)
{
    struct tf_announce *a;
    int r = 0;

    if (options->count < 1 || options->count > TF_ANNOUNCE_MAX)
        return tf_fail(err, -EINVAL, "mDNS: %zu services", options->count);
    a = calloc(1, sizeof(*a) + options->count * sizeof(a->services[0]));
    if (!a)
        return tf_fail(err, -ENOMEM, "mDNS: out of memory");
    atomic_store(&a->users, 1);
    a->tell = options->tell;
    a->context = options->context;
    a->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->stop < 0) {
        r = tf_fail(err, -errno, "mDNS: no descriptor: %s", strerror(errno));
        goto fail;
    }
    for (size_t i = 0; i < options->count && r == 0; i++) {
        a->services[i].owner = a;
        r = copy(&a->services[i], &options->services[i], err);
    }
    if (r < 0)
        goto fail;
    a->count = options->count;
    atomic_store(&a->users, 2);
    r = -pthread_create(&a->thread, NULL, run, a);
    if (r < 0) {
        atomic_store(&a->users, 1);
        tf_fail(err, r, "mDNS: no thread: %s", strerror(-r));
        goto fail;
    }
    *ret = a;
    return 0;

fail:
    put(a);
    return r;
}

void tf_announce_destroy(struct tf_announce *a)
{
    struct timespec end;

    if (!a)
        return;
    eventfd_write(a->stop, 1);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += END_WAIT_NS;
    end.tv_sec += end.tv_nsec / TF_NS_PER_S;
    end.tv_nsec %= TF_NS_PER_S;
    /* A call to an avahi-daemon that is stopped waits for 25 s: the thread then ends by itself, or with us.
     */
    if (pthread_clockjoin_np(a->thread, NULL, CLOCK_MONOTONIC, &end) != 0) {
        atomic_store(&a->silent, true);
        pthread_detach(a->thread);
    }
    put(a);
}
