/* Who may ask for what, and how failed logins are slowed down. */
#include "publish/http/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REALM "thermoface"
#define OPAQUE "11733b200778ce33060f31c9af70a870" /* any constant: it is echoed, and ignored */
#define NONCE_S 300
#define FAILED_NS 500000000ull /* between two answers to failed logins of one address */
#define QUEUE_NS 5000000000ull /* and how long such an answer waits at most */

int tf_http_access_add(struct tf_http_access *access, enum tf_http_role role, const char *user,
                       const char *secret)
{
    struct tf_http_login *login = &access->logins[access->count];

    if (access->count == TF_HTTP_LOGINS_MAX)
        return -E2BIG;
    *login =
        (struct tf_http_login){.role = role, .user = user ? strdup(user) : NULL, .secret = strdup(secret)};
    if ((user && !login->user) || !login->secret) {
        free(login->user);
        free(login->secret);
        return -ENOMEM;
    }
    login->id = ++access->last_id;
    access->tokens |= !user;
    access->count++;
    return 0;
}

void tf_http_access_clear(struct tf_http_access *access)
{
    for (size_t i = 0; i < access->count; i++) {
        free(access->logins[i].user);
        explicit_bzero(access->logins[i].secret, strlen(access->logins[i].secret));
        free(access->logins[i].secret);
    }
    access->count = 0;
}

static bool is_same(const struct tf_http_login *a, const struct tf_http_login *b)
{
    return a->role == b->role && !a->user == !b->user && (!a->user || strcmp(a->user, b->user) == 0) &&
           strcmp(a->secret, b->secret) == 0;
}

bool tf_http_access_replace(struct tf_http_access *access, struct tf_http_access *next)
{
    bool others = access->count != next->count;

    for (size_t i = 0; i < next->count; i++) {
        struct tf_http_login *l = &next->logins[i];

        l->id = 0;
        for (size_t j = 0; j < access->count && !l->id; j++)
            if (is_same(l, &access->logins[j]))
                l->id = access->logins[j].id;
        if (!l->id) {
            l->id = ++access->last_id;
            others = true;
        }
    }
    tf_http_access_clear(access);
    memcpy(access->logins, next->logins, sizeof(access->logins));
    access->count = next->count;
    access->tokens = next->tokens;
    explicit_bzero(next->logins, sizeof(next->logins));
    next->count = 0;
    return others;
}

bool tf_http_access_has(const struct tf_http_access *access, uint64_t id)
{
    for (size_t i = 0; id && i < access->count; i++)
        if (access->logins[i].id == id)
            return true;
    return !id;
}

/* Takes the same time wherever the texts differ; only the length of `given` shows. */
static bool same_text(const char *secret, const char *given)
{
    size_t n = strlen(secret), m = strlen(given);
    unsigned difference = n != m;

    for (size_t i = 0; i < m; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)secret[n ? i % n : 0];
    return difference == 0;
}

/* Every login is compared, whatever the ones before it gave. */
static enum tf_http_role match(const struct tf_http_access *access, const char *user, const char *secret,
                               uint64_t *id)
{
    enum tf_http_role role = TF_HTTP_NOBODY;

    for (size_t i = 0; i < access->count; i++) {
        const struct tf_http_login *l = &access->logins[i];
        bool user_ok, secret_ok;

        if (!l->user != !user)
            continue;
        user_ok = !user || same_text(l->user, user);
        secret_ok = same_text(l->secret, secret);
        if (user_ok && secret_ok && l->role > role) {
            role = l->role;
            *id = l->id;
        }
    }
    return role;
}

static enum tf_http_role judge_basic(const struct tf_http_access *access, struct MHD_Connection *connection,
                                     uint64_t *id)
{
    enum tf_http_role role = TF_HTTP_NOBODY;
    char *password = NULL, *user = MHD_basic_auth_get_username_password(connection, &password);

    if (user && password)
        role = match(access, user, password, id);
    MHD_free(user);
    MHD_free(password);
    return role;
}

static enum tf_http_verdict judge_digest(const struct tf_http_access *access,
                                         struct MHD_Connection *connection, enum tf_http_role *role,
                                         uint64_t *id)
{
    char *user = MHD_digest_auth_get_username(connection);
    int r = MHD_NO;

    *role = TF_HTTP_NOBODY;
    for (size_t i = 0; user && i < access->count && r == MHD_NO; i++) {
        const struct tf_http_login *l = &access->logins[i];

        if (!l->user || !same_text(l->user, user))
            continue;
        r = MHD_digest_auth_check2(connection, REALM, l->user, l->secret, NONCE_S, MHD_DIGEST_ALG_SHA256);
        if (r == MHD_YES) {
            *role = l->role;
            *id = l->id;
        }
    }
    MHD_free(user);
    return r == MHD_YES ? TF_HTTP_GRANTED : r == MHD_INVALID_NONCE ? TF_HTTP_STALE : TF_HTTP_REFUSED;
}

enum tf_http_verdict tf_http_access_judge(const struct tf_http_access *access,
                                          struct MHD_Connection *connection, enum tf_http_role *role,
                                          uint64_t *id)
{
    const char *given =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);

    *id = 0;
    *role = TF_HTTP_CONTROLS;
    if (!access->count)
        return TF_HTTP_GRANTED;
    *role = TF_HTTP_NOBODY;
    if (!given)
        return TF_HTTP_ASKED;
    if (!access->in_clear_allowed)
        /* What is sent in the clear is not looked at: asking for Digest is all the answer it gets. */
        return strncasecmp(given, "Digest ", 7) == 0 ? judge_digest(access, connection, role, id)
                                                     : TF_HTTP_REFUSED;
    if (strncasecmp(given, "Bearer ", 7) == 0)
        *role = match(access, NULL, given + 7 + strspn(given + 7, " "), id);
    else if (strncasecmp(given, "Basic ", 6) == 0)
        *role = judge_basic(access, connection, id);
    return *role != TF_HTTP_NOBODY ? TF_HTTP_GRANTED : TF_HTTP_REFUSED;
}

enum MHD_Result tf_http_access_challenge(const struct tf_http_access *access,
                                         struct MHD_Connection *connection, struct MHD_Response *response,
                                         bool stale)
{
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    if (access->in_clear_allowed) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Basic realm=\"" REALM "\", charset=\"UTF-8\"");
        if (access->tokens)
            MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"" REALM "\"");
        result = MHD_queue_response(connection, MHD_HTTP_UNAUTHORIZED, response);
    } else {
        result =
            MHD_queue_auth_fail_response2(connection, REALM, OPAQUE, response, stale, MHD_DIGEST_ALG_SHA256);
    }
    MHD_destroy_response(response);
    return result;
}

static const struct tf_http_penalty *find(const struct tf_http_access *access,
                                          const struct tf_address *address)
{
    for (size_t i = 0; i < TF_HTTP_PENALTIES; i++)
        if (access->penalties[i].until_ns && tf_address_same(&access->penalties[i].address, address))
            return &access->penalties[i];
    return NULL;
}

uint64_t tf_http_access_failed(struct tf_http_access *access, const struct tf_address *address,
                               uint64_t now_ns)
{
    struct tf_http_penalty *p = (struct tf_http_penalty *)find(access, address);
    uint64_t at;

    access->failed++;
    if (!p) {
        p = &access->penalties[0]; /* the one that is over first makes room */
        for (size_t i = 1; i < TF_HTTP_PENALTIES; i++)
            if (access->penalties[i].until_ns < p->until_ns)
                p = &access->penalties[i];
        *p = (struct tf_http_penalty){.address = *address};
    }
    at = (p->until_ns > now_ns ? p->until_ns : now_ns) + FAILED_NS;
    if (at > now_ns + QUEUE_NS)
        return 0;
    p->until_ns = at;
    return at;
}

bool tf_http_access_full(const struct tf_http_access *access, const struct tf_address *address,
                         uint64_t now_ns)
{
    const struct tf_http_penalty *p = find(access, address);

    return p && p->until_ns + FAILED_NS > now_ns + QUEUE_NS;
}
