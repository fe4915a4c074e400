/* The certificate of the HTTP server, which may change while it runs. */
#include "publish/http/secure.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define CHAIN_MAX 16
#define HANDSHAKES_NS 60000000000ull /* a handshake that began with an old pair is over by then */

/* A pair as GnuTLS wants it. */
struct generation {
    struct generation *older;
    uint64_t since_ns;
    unsigned length;
    gnutls_pcert_st chain[CHAIN_MAX];
    gnutls_privkey_t key;
};

struct tf_http_secure {
    pthread_mutex_t lock;
    struct generation *newest;
};

static _Thread_local struct tf_http_secure *serving;

static void free_generations(struct generation *g)
{
    while (g) {
        struct generation *older = g->older;

        for (unsigned i = 0; i < g->length; i++)
            gnutls_pcert_deinit(&g->chain[i]);
        gnutls_privkey_deinit(g->key);
        free(g);
        g = older;
    }
}

static int make_generation(const struct tf_tls_pair *pair, struct generation **ret, struct tf_error *err)
{
    gnutls_datum_t certificate = {(unsigned char *)pair->certificate, (unsigned)strlen(pair->certificate)};
    gnutls_datum_t key = {(unsigned char *)pair->key, (unsigned)strlen(pair->key)};
    struct generation *g = calloc(1, sizeof(*g));
    int r;

    if (!g)
        return tf_fail(err, -ENOMEM, "http: no memory");
    g->since_ns = tf_now_ns();
    g->length = CHAIN_MAX;
    r = gnutls_pcert_list_import_x509_raw(g->chain, &g->length, &certificate, GNUTLS_X509_FMT_PEM, 0);
    if (r < 0)
        g->length = 0;
    if (r >= 0)
        r = gnutls_privkey_init(&g->key);
    if (r >= 0)
        r = gnutls_privkey_import_x509_raw(g->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r < 0) {
        free_generations(g);
        return tf_fail(err, -EINVAL, "http: the certificate or its key: %s", gnutls_strerror(r));
    }
    *ret = g;
    return 0;
}

int tf_http_secure_set(struct tf_http_secure *s, const struct tf_tls_pair *pair, struct tf_error *err)
{
    struct generation *g = NULL, *gone = NULL;
    int r = make_generation(pair, &g, err);

    if (r < 0)
        return r;
    pthread_mutex_lock(&s->lock);
    /* The last but one may still be in a handshake, its elders not. */
    if (s->newest && g->since_ns - s->newest->since_ns > HANDSHAKES_NS) {
        gone = s->newest->older;
        s->newest->older = NULL;
    }
    g->older = s->newest;
    s->newest = g;
    pthread_mutex_unlock(&s->lock);
    free_generations(gone);
    return 0;
}

int tf_http_secure_create(const struct tf_tls_pair *pair, struct tf_http_secure **ret, struct tf_error *err)
{
    struct tf_http_secure *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return tf_fail(err, -ENOMEM, "http: no memory");
    pthread_mutex_init(&s->lock, NULL);
    r = tf_http_secure_set(s, pair, err);
    if (r < 0) {
        tf_http_secure_destroy(s);
        return r;
    }
    *ret = s;
    return 0;
}

void tf_http_secure_destroy(struct tf_http_secure *s)
{
    if (!s)
        return;
    free_generations(s->newest);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void tf_http_secure_serve(struct tf_http_secure *secure)
{
    serving = secure;
}

int tf_http_secure_retrieve(gnutls_session_t session, const gnutls_datum_t *ca, int cas,
                            const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                            gnutls_pcert_st **chain, unsigned *chain_length, gnutls_privkey_t *key)
{
    if (!serving)
        return -1;
    pthread_mutex_lock(&serving->lock);
    *chain = serving->newest->chain;
    *chain_length = serving->newest->length;
    *key = serving->newest->key;
    pthread_mutex_unlock(&serving->lock);
    return 0;
}
