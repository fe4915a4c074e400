/* How every command that asks a running thermofaced reaches it. */
#ifndef TF_CLI_SERVER_H
#define TF_CLI_SERVER_H

#include <curl/curl.h>

#include "base/error.h"
#include "publish/http/http.h"

/* Who asks; all empty: nobody in particular. */
struct tf_server_login {
    char user[64], password[128];
    char token[TF_TOKEN_BYTES + 1]; /* of a bearer, in place of the two */
};

/*
 * From files: `credentials`, or the first of `token`, or (both NULL) what members of thermoface-lab can read.
 * -EINVAL: both, or a token that would cross the net in the clear to `url`; else as tf_credentials_read.
 */
int tf_server_login_read(const char *url, const char *credentials, const char *token,
                         struct tf_server_login *ret, struct tf_error *err);

/*
 * What all requests have in common: http or https, five seconds to connect, the login,
 * and the certificate that the service's has to be, or be signed by (ca NULL: those that the system trusts).
 */
void tf_server_setup(CURL *curl, const char *address, const char *ca, const struct tf_server_login *login);

/* What was answered, ended by a 0 that `size` does not count; the caller frees `text`, which may be NULL. */
struct tf_server_answer {
    char *text;
    size_t size;
};

/* Into `answer`, behind what it holds; one of more than 256 KiB ends the request with CURLE_WRITE_ERROR. */
void tf_server_keep(CURL *curl, struct tf_server_answer *answer);

/* What to do about an error that asking again does not change, as " ...", or "". */
const char *tf_server_hint(CURLcode code);

#endif
