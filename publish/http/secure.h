/* The certificate of the HTTP server, which may change while it runs. Inside publish/ only. */
#ifndef TF_PUBLISH_HTTP_SECURE_H
#define TF_PUBLISH_HTTP_SECURE_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "publish/net/tls.h"

struct tf_http_secure;

int tf_http_secure_create(const struct tf_tls_pair *pair, struct tf_http_secure **ret, struct tf_error *err);
/* When no connection is left. Accepts NULL. */
void tf_http_secure_destroy(struct tf_http_secure *secure);
/* For handshakes that begin from now on; the old pair stays when it fails. From any thread. */
int tf_http_secure_set(struct tf_http_secure *secure, const struct tf_tls_pair *pair, struct tf_error *err);
/* The calling thread's handshakes are this server's. */
void tf_http_secure_serve(struct tf_http_secure *secure);
/* GnuTLS asks for a certificate (gnutls_certificate_retrieve_function2). */
int tf_http_secure_retrieve(gnutls_session_t session, const gnutls_datum_t *ca, int cas,
                            const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                            gnutls_pcert_st **chain, unsigned *chain_length, gnutls_privkey_t *key);

#endif
