/*
 * The places of HTTP's connections: how long each may take for what it does, which one goes when all are
 * taken, how many one address may have. Nothing here knows libmicrohttpd; inside publish/ only, from the
 * server's thread.
 *
 * A connection from which no whole request has come costs others nothing: when places run out, the oldest of
 * those makes room for the next, so that no number of silent or dripping sockets keeps a new one out.
 */
#ifndef TF_PUBLISH_HTTP_PLACE_H
#define TF_PUBLISH_HTTP_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* In the order in which they go when all places are taken. */
enum tf_place_phase {
    TF_PLACE_OPENING,   /* accepted: handshake, first line and headers are awaited */
    TF_PLACE_BODY,      /* a request's body is awaited */
    TF_PLACE_PENALTY,   /* a wrong password's answer is held back */
    TF_PLACE_IDLE,      /* between requests */
    TF_PLACE_ANSWERING, /* an answer is on its way */
    TF_PLACE_WAITING,   /* the answer is being made; never ended by us */
    TF_PLACE_STREAMING, /* reads records; never ended by us */
};

/* An address without its port, IPv4 as the IPv6 address that maps it. */
struct tf_address {
    uint8_t bytes[16];
};

struct tf_place {
    struct tf_place *next, *previous;
    int fd;
    struct tf_address address;
    enum tf_place_phase phase;
    uint64_t since_ns, due_ns; /* due: when it is ended; 0: not */
    uint64_t login;            /* of its last request that was granted: access.h; 0: none was asked for */
    bool limited;              /* its address may have only so many */
    bool control;              /* answers something that must always answer */
    bool ended;                /* shut down; libmicrohttpd closes it next */
};

struct tf_places {
    struct tf_place *first, *last; /* oldest first */
    unsigned count, ended, max, address_max;
    bool tls;
    /* Only grow; read by the server's thread alone. */
    uint64_t accepted, refused, expired, displaced;
};

struct tf_address tf_address_of(const struct sockaddr *from);
bool tf_address_same(const struct tf_address *a, const struct tf_address *b);
bool tf_address_local(const struct tf_address *address);

/*
 * A place for an accepted socket: NULL when there is none (its address has its share, every place is in
 * earnest use, or no memory); the caller closes the socket. `limited`: counts against the address's share.
 */
struct tf_place *tf_place_take(struct tf_places *places, int fd, const struct tf_address *address,
                               bool limited, uint64_t now_ns);
/* When its socket is closed. Accepts NULL. */
void tf_place_free(struct tf_places *places, struct tf_place *place);
/* Enters a phase and sets what it may take. An OPENING never prolongs one. */
void tf_place_enter(struct tf_places *places, struct tf_place *place, enum tf_place_phase phase,
                    uint64_t now_ns);
/* Ends it by shutdown(2). */
void tf_place_end(struct tf_places *places, struct tf_place *place);
/* Ends what is overdue. */
void tf_places_expire(struct tf_places *places, uint64_t now_ns);

#endif
