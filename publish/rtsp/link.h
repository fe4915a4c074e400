/*
 * Between the service and the process that serves RTSP: messages over a SOCK_SEQPACKET pair, and for each
 * camera a ring of encoded pictures in shared memory. Not for other rooms.
 *
 * Neither side trusts the other's numbers: whoever serves strangers may be taken over by one.
 */
#ifndef TF_PUBLISH_RTSP_LINK_H
#define TF_PUBLISH_RTSP_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TF_RTSP_MOUNTS_MAX 64
#define TF_RTSP_NAME_MAX 63
#define TF_RTSP_PROXIES_MAX 512 /* bytes of text */

/* Descriptors that the process finds open. */
#define TF_LINK_CONTROL 3
#define TF_LINK_LISTENER 4
#define TF_LINK_BELL 5 /* an eventfd: something is in a ring */

enum tf_link_type {
    /* to the process */
    TF_LINK_SETUP = 1,
    TF_LINK_TLS,   /* with a descriptor: certificate, then key */
    TF_LINK_MOUNT, /* with a descriptor: the ring */
    TF_LINK_LOGIN, /* setup.user and setup.password, in place of those before */
    TF_LINK_END,
    /* from it */
    TF_LINK_READY,
    TF_LINK_FAILED,  /* text, code */
    TF_LINK_MOUNTED, /* mount.name: its ring is open, what comes now arrives */
    TF_LINK_LOG,     /* text, level */
    TF_LINK_COUNTS,  /* counts, since the process began */
};

struct tf_link_message {
    uint32_t type; /* enum tf_link_type */
    int32_t code;  /* FAILED: a negative errno; LOG: enum tf_log_level */
    union {
        struct {
            uint32_t clients_max, clients_per_address;
            bool tls;
            char user[64], password[128]; /* "" = nobody is asked */
            char proxies[TF_RTSP_PROXIES_MAX];
        } setup;
        struct {
            uint32_t certificate, key; /* bytes */
        } tls;
        struct {
            char name[TF_RTSP_NAME_MAX + 1];
            float fps;
        } mount;
        struct {
            uint64_t logins_failed;
        } counts;
        char text[TF_ERROR_TEXT];
    };
};

/* Both return 0, -EAGAIN (would wait), -EPIPE (the other side is gone) or another negative errno. `fd` of -1:
 * none; a received one belongs to the caller. */
int tf_link_send(int control, const struct tf_link_message *message, int fd);
int tf_link_receive(int control, struct tf_link_message *message, int *fd);

/* Bytes of pictures that may wait: at least a second of any stream that players take. */
#define TF_LINK_BYTES (4u << 20)

#define TF_LINK_KEY 1u
#define TF_LINK_HEADERS 2u /* no picture: the parameter sets, Annex B; `frame` is the rate, 1/1000 s */

struct tf_link_ring_head {
    uint32_t size, flags;
    uint64_t t_mono_ns, frame;
    uint64_t reserved;
};

/* What lies in shared memory. Positions count bytes from the beginning and never wrap. */
struct tf_link_ring_shared {
    _Alignas(64) atomic_ullong written; /* by the service */
    _Alignas(64) atomic_ullong read;    /* by the process, and all that follows */
    atomic_uint viewers;
    atomic_uint key_wanted;
    atomic_ullong dropped;
    _Alignas(64) uint8_t bytes[TF_LINK_BYTES];
};

struct tf_link_ring {
    struct tf_link_ring_shared *shared;
    uint64_t position; /* our own: never read back from what the other side could change */
};

/* Makes one; the descriptor is for the other process. */
int tf_link_ring_create(struct tf_link_ring *ring, int *fd, struct tf_error *err);
/* The other process's view; starts at what will be written next. */
int tf_link_ring_open(struct tf_link_ring *ring, int fd, struct tf_error *err);
void tf_link_ring_close(struct tf_link_ring *ring);
/* False: no room, nothing was written. */
bool tf_link_ring_write(struct tf_link_ring *ring, const struct tf_link_ring_head *head, const uint8_t *data);
/* 1: `head` is filled, and its data is to be fetched by tf_link_ring_take before the next call; 0: nothing
 * there; -EPROTO: nonsense in the ring. */
int tf_link_ring_peek(struct tf_link_ring *ring, struct tf_link_ring_head *head);
/* `data` of head->size bytes, or NULL to leave it out. */
void tf_link_ring_take(struct tf_link_ring *ring, const struct tf_link_ring_head *head, uint8_t *data);

#endif
