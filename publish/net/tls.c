/* A server's certificate and key: read, checked, and refused with a reason. */
#include "publish/net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* A chain longer than this is no server's. */
#define CHAIN_MAX 16

static int read_file(const char *what, const char *path, char **ret, bool *open_to_all, struct tf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    struct stat st;
    int fd, r;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        r = -errno;
        return tf_fail(err, r, "%s %s: %s", what, path, strerror(-r));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        r = tf_fail(err, -EINVAL, "%s %s: not a regular file", what, path);
        goto fail;
    }
    if (st.st_size > TF_TLS_FILE_MAX) {
        r = tf_fail(err, -EINVAL, "%s %s: larger than %u KiB, which none is", what, path,
                    TF_TLS_FILE_MAX >> 10);
        goto fail;
    }
    text = calloc(1, TF_TLS_FILE_MAX + 1);
    if (!text) {
        r = tf_fail(err, -ENOMEM, "%s %s: no memory", what, path);
        goto fail;
    }
    while (size < TF_TLS_FILE_MAX) {
        ssize_t n = read(fd, text + size, TF_TLS_FILE_MAX - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            r = -errno;
            tf_fail(err, r, "%s %s: %s", what, path, strerror(-r));
            goto fail;
        }
        if (n == 0)
            break;
        size += (size_t)n;
    }
    if (strlen(text) != size) {
        r = tf_fail(err, -EINVAL, "%s %s: not PEM text (a zero byte); convert it with openssl", what, path);
        goto fail;
    }
    close(fd);
    *open_to_all = st.st_mode & S_IROTH;
    *ret = text;
    return 0;

fail:
    close(fd);
    if (text)
        explicit_bzero(text, TF_TLS_FILE_MAX);
    free(text);
    return r;
}

/* A day, for a message; UTC. */
static const char *day(int64_t t, char text[32])
{
    time_t seconds = (time_t)t;
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M UTC", &tm))
        strcpy(text, "an unknown time");
    return text;
}

static int check_chain(const char *path, gnutls_x509_crt_t *chain, unsigned count, int64_t *not_after,
                       struct tf_error *err)
{
    int64_t now = time(NULL);
    char text[32];

    for (unsigned i = 0; i < count; i++) {
        int64_t begin = gnutls_x509_crt_get_activation_time(chain[i]);
        int64_t end = gnutls_x509_crt_get_expiration_time(chain[i]);

        if (begin > now)
            return tf_fail(err, -EINVAL,
                           "certificate %s: not valid before %s; is this machine's clock right?", path,
                           day(begin, text));
        if (end < now)
            return tf_fail(err, -EINVAL, "certificate %s: expired %s; make or fetch a new one", path,
                           day(end, text));
        if (i == 0 || end < *not_after)
            *not_after = end;
    }
    return 0;
}

static int check_key(const char *certificate, const char *path, gnutls_x509_crt_t crt,
                     gnutls_x509_privkey_t key, struct tf_error *err)
{
    unsigned char a[64], b[64];
    size_t a_size = sizeof(a), b_size = sizeof(b);
    unsigned bits = 0;
    int algorithm = gnutls_x509_crt_get_pk_algorithm(crt, &bits);

    if (gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, a, &a_size) < 0 ||
        gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, b, &b_size) < 0)
        return tf_fail(err, -EINVAL, "key %s: of a kind that TLS cannot use here", path);
    if (a_size != b_size || memcmp(a, b, a_size) != 0)
        return tf_fail(err, -EINVAL, "key %s: is not the key of certificate %s", path, certificate);
    if (algorithm > 0 &&
        gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)algorithm, bits) < GNUTLS_SEC_PARAM_MEDIUM)
        return tf_fail(err, -EINVAL,
                       "certificate %s: its key of %u bit is too weak; use 2048 bit RSA or EC P-256",
                       certificate, bits);
    return 0;
}

int tf_tls_load(const char *certificate, const char *key, struct tf_tls_pair *ret, struct tf_error *err)
{
    struct tf_tls_pair pair = {0};
    gnutls_x509_crt_t chain[CHAIN_MAX];
    gnutls_x509_privkey_t private_key = NULL;
    unsigned count = 0;
    gnutls_datum_t datum;
    size_t size = sizeof(pair.name);
    bool ignored;
    int r;

    r = read_file("certificate", certificate, &pair.certificate, &ignored, err);
    if (r < 0)
        goto fail;
    r = read_file("key", key, &pair.key, &pair.key_open, err);
    if (r < 0)
        goto fail;

    datum = (gnutls_datum_t){(unsigned char *)pair.certificate, (unsigned)strlen(pair.certificate)};
    count = CHAIN_MAX;
    r = gnutls_x509_crt_list_import(chain, &count, &datum, GNUTLS_X509_FMT_PEM,
                                    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (r < 0) {
        count = 0;
        r = tf_fail(err, -EINVAL, "certificate %s: no PEM certificate can be read from it: %s", certificate,
                    gnutls_strerror(r));
        goto fail;
    }
    r = check_chain(certificate, chain, count, &pair.not_after, err);
    if (r < 0)
        goto fail;

    r = gnutls_x509_privkey_init(&private_key);
    if (r < 0) {
        r = tf_fail(err, -ENOMEM, "key %s: no memory", key);
        goto fail;
    }
    datum = (gnutls_datum_t){(unsigned char *)pair.key, (unsigned)strlen(pair.key)};
    r = gnutls_x509_privkey_import2(private_key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r < 0) {
        r = tf_fail(err, -EINVAL, "key %s: no unencrypted PEM key can be read from it: %s", key,
                    gnutls_strerror(r));
        goto fail;
    }
    r = check_key(certificate, key, chain[0], private_key, err);
    if (r < 0)
        goto fail;
    if (gnutls_x509_crt_get_subject_alt_name(chain[0], 0, pair.name, &size, NULL) != GNUTLS_SAN_DNSNAME) {
        size = sizeof(pair.name);
        if (gnutls_x509_crt_get_dn_by_oid(chain[0], GNUTLS_OID_X520_COMMON_NAME, 0, 0, pair.name, &size) < 0)
            pair.name[0] = '\0';
    }
    pair.name[sizeof(pair.name) - 1] = '\0';
    for (char *c = pair.name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    *ret = pair;
    pair = (struct tf_tls_pair){0};
    r = 0;

fail:
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    if (private_key)
        gnutls_x509_privkey_deinit(private_key);
    tf_tls_free(&pair);
    return r;
}

int tf_tls_check_authorities(const char *path, struct tf_error *err)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    gnutls_datum_t pem;
    char *text = NULL;
    bool ignored;
    int r = read_file("authorities", path, &text, &ignored, err);

    if (r < 0)
        return r;
    pem = (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
    if (gnutls_x509_crt_list_import2(&list, &count, &pem, GNUTLS_X509_FMT_PEM, 0) < 0 || !count)
        r = tf_fail(err, -EINVAL, "authorities %s: no certificate in it (PEM, -----BEGIN CERTIFICATE-----)",
                    path);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    free(text);
    return r;
}

void tf_tls_free(struct tf_tls_pair *pair)
{
    if (!pair)
        return;
    if (pair->key)
        explicit_bzero(pair->key, strlen(pair->key));
    free(pair->certificate);
    free(pair->key);
    *pair = (struct tf_tls_pair){0};
}
