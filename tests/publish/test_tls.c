/* Certificates and keys: what is taken and what is refused with a reason. Made here, by GnuTLS. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/x509.h>

#include "publish/net/tls.h"

#define DAY 86400

static char folder[] = "/tmp/tf-tls-XXXXXX";
static char certificate[64], key[64], other[64];

static void write_pem(const char *path, const gnutls_datum_t *pem, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(pem->data, 1, pem->size, file), pem->size);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static gnutls_x509_privkey_t make_key(const char *path, gnutls_pk_algorithm_t kind, unsigned bits)
{
    gnutls_x509_privkey_t k;
    gnutls_datum_t pem;

    assert_int_equal(gnutls_x509_privkey_init(&k), 0);
    assert_int_equal(gnutls_x509_privkey_generate(k, kind, bits, 0), 0);
    assert_int_equal(gnutls_x509_privkey_export2(k, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(path, &pem, 0600);
    gnutls_free(pem.data);
    return k;
}

static void make_certificate(const char *path, gnutls_x509_privkey_t k, time_t begin, time_t end)
{
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;

    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\1", 1);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, "lab", 3);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "camera.lab", 10, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_activation_time(crt, begin);
    gnutls_x509_crt_set_expiration_time(crt, end);
    assert_int_equal(gnutls_x509_crt_set_key(crt, k), 0);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, k, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(path, &pem, 0644);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
}

static int set_up(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", folder);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    snprintf(other, sizeof(other), "%s/other.pem", folder);
    return 0;
}

static int tear_down(void **state)
{
    unlink(certificate);
    unlink(key);
    unlink(other);
    return rmdir(folder);
}

static void pair_is_taken(void **state)
{
    struct tf_tls_pair pair = {0};
    struct tf_error err = {0};
    time_t now = time(NULL);
    gnutls_x509_privkey_t k =
        make_key(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));

    make_certificate(certificate, k, now - DAY, now + 30 * DAY);
    assert_int_equal(tf_tls_load(certificate, key, &pair, &err), 0);
    assert_string_equal(pair.name, "camera.lab");
    assert_int_equal(pair.not_after, now + 30 * DAY);
    assert_false(pair.key_open);
    assert_non_null(strstr(pair.certificate, "BEGIN CERTIFICATE"));
    assert_non_null(strstr(pair.key, "PRIVATE KEY"));
    tf_tls_free(&pair);
    assert_null(pair.key);
    chmod(key, 0644);
    assert_int_equal(tf_tls_load(certificate, key, &pair, &err), 0);
    assert_true(pair.key_open);
    tf_tls_free(&pair);
    tf_tls_free(NULL);
    gnutls_x509_privkey_deinit(k);
}

static void refuse(const char *cert, const char *k, int code, const char *part)
{
    struct tf_tls_pair pair = {.name = "untouched"};
    struct tf_error err = {0};

    assert_int_equal(tf_tls_load(cert, k, &pair, &err), code);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
    assert_string_equal(pair.name, "untouched");
    assert_null(strstr(err.text, "BEGIN"));
}

static void what_is_refused(void **state)
{
    time_t now = time(NULL);
    gnutls_x509_privkey_t k = make_key(key, GNUTLS_PK_RSA, 2048), weak, stranger;
    FILE *file;

    make_certificate(certificate, k, now - 2 * DAY, now - DAY);
    refuse(certificate, key, -EINVAL, "expired");
    make_certificate(certificate, k, now + DAY, now + 2 * DAY);
    refuse(certificate, key, -EINVAL, "not valid before");
    make_certificate(certificate, k, now - DAY, now + DAY);
    refuse("/nowhere/cert.pem", key, -ENOENT, "/nowhere/cert.pem");
    refuse(certificate, "/nowhere/key.pem", -ENOENT, "/nowhere/key.pem");
    refuse(certificate, folder, -EINVAL, "not a regular file");
    refuse(key, key, -EINVAL, "no PEM certificate");
    refuse(certificate, certificate, -EINVAL, "no unencrypted PEM key");
    refuse("/dev/zero", key, -EINVAL, "not a regular file");

    stranger = make_key(other, GNUTLS_PK_RSA, 2048);
    refuse(certificate, other, -EINVAL, "is not the key of");
    weak = make_key(other, GNUTLS_PK_RSA, 1024);
    make_certificate(certificate, weak, now - DAY, now + DAY);
    refuse(certificate, other, -EINVAL, "too weak");

    file = fopen(other, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("a\0b", 1, 3, file), 3);
    fclose(file);
    refuse(other, key, -EINVAL, "zero byte");
    assert_int_equal(truncate(other, TF_TLS_FILE_MAX + 1), 0);
    refuse(other, key, -EINVAL, "larger than");
    assert_int_equal(truncate(other, 0), 0);
    refuse(other, key, -EINVAL, "no PEM certificate");
    gnutls_x509_privkey_deinit(k);
    gnutls_x509_privkey_deinit(weak);
    gnutls_x509_privkey_deinit(stranger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_is_taken),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests_name("publish tls", tests, set_up, tear_down);
}
