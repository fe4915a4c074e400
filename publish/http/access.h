/*
 * Who may ask for what: logins by Basic, Digest and bearer token, and how failed ones are slowed down. Inside
 * publish/ only, from the server's thread.
 */
#ifndef TF_PUBLISH_HTTP_ACCESS_H
#define TF_PUBLISH_HTTP_ACCESS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "publish/http/place.h"

enum tf_http_role {
    TF_HTTP_NOBODY,
    TF_HTTP_WATCHES,  /* may look */
    TF_HTTP_CONTROLS, /* may also record, mark and move shutters */
};

/* Text that is compared in constant time and wiped. */
struct tf_http_login {
    enum tf_http_role role;
    uint64_t id; /* from 1; of the same login before and after others were read */
    char *user;  /* NULL: `secret` is a bearer token */
    char *secret;
};

/* An address whose logins fail. */
struct tf_http_penalty {
    struct tf_address address;
    uint64_t until_ns; /* when the last of its failed logins is answered */
};

#define TF_HTTP_PENALTIES 64
#define TF_HTTP_LOGINS_MAX 66 /* control, watch, 64 tokens */

struct tf_http_access {
    struct tf_http_login logins[TF_HTTP_LOGINS_MAX]; /* none: everybody controls */
    size_t count;
    uint64_t last_id;
    bool in_clear_allowed; /* Basic and Bearer: over TLS or the loopback interface; else Digest */
    bool tokens;
    struct tf_http_penalty penalties[TF_HTTP_PENALTIES];
    _Atomic uint64_t failed; /* logins; only grows */
};

/* 0, -E2BIG or -ENOMEM; the texts are copied. */
int tf_http_access_add(struct tf_http_access *access, enum tf_http_role role, const char *user,
                       const char *secret);
void tf_http_access_clear(struct tf_http_access *access);
/* The logins of `next`, which is empty then, in place of those that were; true: they are others. Penalties
 * and the count stay. */
bool tf_http_access_replace(struct tf_http_access *access, struct tf_http_access *next);
/* Whether a login is one still; 0, nobody's, always. */
bool tf_http_access_has(const struct tf_http_access *access, uint64_t id);

enum tf_http_verdict {
    TF_HTTP_GRANTED,
    TF_HTTP_ASKED,   /* no login given */
    TF_HTTP_STALE,   /* right, but with an old nonce */
    TF_HTTP_REFUSED, /* a wrong one */
};

/* Looks at a request's login. *role and *id (0: nobody is asked) are set when it is granted. */
enum tf_http_verdict tf_http_access_judge(const struct tf_http_access *access,
                                          struct MHD_Connection *connection, enum tf_http_role *role,
                                          uint64_t *id);
/* Sends a 401 with what may be tried; takes the response over. */
enum MHD_Result tf_http_access_challenge(const struct tf_http_access *access,
                                         struct MHD_Connection *connection, struct MHD_Response *response,
                                         bool stale);

/*
 * Counts a failed login. Returns when it is to be answered: those of one address come one after the other,
 * half a second apart, however many are tried at once. 0: its queue is full, close the connection.
 */
uint64_t tf_http_access_failed(struct tf_http_access *access, const struct tf_address *address,
                               uint64_t now_ns);
/* Whether an address's queue is full: a login from it is not even looked at (but for this machine's own). */
bool tf_http_access_full(const struct tf_http_access *access, const struct tf_address *address,
                         uint64_t now_ns);

#endif
