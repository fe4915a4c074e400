/*
 * Announces servers on the local network by mDNS and DNS-SD (RFC 6762, RFC 6763) through avahi-daemon: a
 * thread asks it over the system's message bus, so that nothing else ever waits for it. Where avahi-daemon or
 * the bus is away, that is told once, and services are announced as soon as it is there. It takes them back
 * when this ends, also by a crash: they belong to the connection.
 */
#ifndef TF_PUBLISH_NET_ANNOUNCE_H
#define TF_PUBLISH_NET_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tf_announce;

#define TF_ANNOUNCE_MAX 32 /* services */

/* One instance of a DNS-SD service. All texts are copied. */
struct tf_announce_service {
    const char *label;   /* "LABEL on HOST" is the instance's name, cut to DNS's 63 bytes */
    const char *type;    /* RFC 6335's name with its protocol: "_rtsp._tcp" */
    const char *path;    /* TXT path=…, 254 bytes with its key at most; begins with "/" */
    const char *address; /* that the server listens on: only its network is told. 0.0.0.0 and ::: every one */
    uint16_t port;
};

struct tf_announce_options {
    const struct tf_announce_service *services;
    size_t count;
    /*
     * What happens, for a log: announced, renamed, or (with `trouble`) not announced and why. A state is told
     * once. From the thread; never after tf_announce_destroy. NULL: nobody is told.
     */
    void (*tell)(void *context, bool trouble, const char *text);
    void *context;
};

/* Whether this program was built with it (meson option mdns). */
bool tf_announce_is_built(void);
/* Errors: -EINVAL (no service or more than TF_ANNOUNCE_MAX, a path or an address too long), -ENOMEM, -ENOSYS
 * (built without), and those of threads and descriptors. */
int tf_announce_create(const struct tf_announce_options *options, struct tf_announce **ret,
                       struct tf_error *err);
/* Takes the announcements back. Within half a second, even where avahi-daemon does not answer. Accepts NULL.
 */
void tf_announce_destroy(struct tf_announce *announce);

#endif
