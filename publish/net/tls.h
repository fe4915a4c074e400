/*
 * A server's certificate and key from files, checked before they are used: both servers (RTSP, HTTP) take
 * what this reads, and keep what they have when it refuses a new pair.
 */
#ifndef TF_PUBLISH_NET_TLS_H
#define TF_PUBLISH_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A PEM file larger than this (in bytes) is refused: a chain of ten certificates has 20 KiB. */
#define TF_TLS_FILE_MAX (256u << 10)

struct tf_tls_pair {
    char *certificate; /* PEM, the server's own first and then its chain; zero-terminated */
    char *key;         /* PEM, unencrypted; zero-terminated */
    int64_t not_after; /* seconds since 1970, UTC: the first end of validity in the chain */
    char name[128];    /* for the log: the first name that the certificate is for, or "" */
    bool key_open;     /* the key's file may be read by everybody: deserves a warning */
};

/*
 * Reads both files and refuses what a client would refuse or what cannot serve: not readable, not PEM, an
 * encrypted key, a key of another certificate, not valid yet or no more, a key of less than 2048 bit RSA (or
 * its equal, 112 bit strength). `ret` is filled on success only; free it with tf_tls_free. Errors: -EINVAL
 * and the errno of opening; the message names the file and what to do and never repeats what it holds.
 */
int tf_tls_load(const char *certificate, const char *key, struct tf_tls_pair *ret, struct tf_error *err);
/* Whether a file holds certificates, of authorities that another's may be signed by. Errors as tf_tls_load.
 */
int tf_tls_check_authorities(const char *path, struct tf_error *err);
/* Wipes the key and frees. Accepts NULL and one that is all zero. */
void tf_tls_free(struct tf_tls_pair *pair);

#endif
