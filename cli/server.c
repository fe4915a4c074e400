/* How commands reach a running thermofaced. */
#include "cli/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

#define ANSWER_MAX (256u << 10)

/* A file, not an option's text or the environment: those are read by whoever may see the process, and by all
 * that it starts. */
static int read_token(const char *url, const char *path, char token[TF_TOKEN_BYTES + 1], struct tf_error *err)
{
    struct tf_tokens *tokens;
    int r;

    if (strncmp(url, "https://", 8) != 0 && !tf_url_is_here(url))
        return tf_fail(err, -EINVAL,
                       "--token: to %s it would cross the net in the clear; https:// or --credentials", url);
    tokens = malloc(sizeof(*tokens));
    if (!tokens)
        return tf_fail(err, -ENOMEM, "out of memory");
    tokens->count = 0;
    r = tf_tokens_read(path, tokens, err);
    if (r == 0)
        strcpy(token, tokens->text[0]);
    explicit_bzero(tokens, sizeof(*tokens));
    free(tokens);
    return r;
}

int tf_server_login_read(const char *url, const char *credentials, const char *token,
                         struct tf_server_login *ret, struct tf_error *err)
{
    *ret = (struct tf_server_login){0};
    if (credentials && token)
        return tf_fail(err, -EINVAL, "--credentials and --token: one of them");
    if (token)
        return read_token(url, token, ret->token, err);
    if (!credentials)
        credentials = tf_lab_credentials(url);
    return credentials ? tf_credentials_read(credentials, ret->user, ret->password, err) : 0;
}

void tf_server_setup(CURL *curl, const char *address, const char *ca, const struct tf_server_login *login)
{
    curl_easy_setopt(curl, CURLOPT_URL, address);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
    if (ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    if (login->token[0]) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, login->token);
    } else if (login->user[0]) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST));
        curl_easy_setopt(curl, CURLOPT_USERNAME, login->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, login->password);
    }
}

static size_t on_data(char *data, size_t one, size_t size, void *context)
{
    struct tf_server_answer *a = context;
    size_t n = one * size;
    char *text = n <= ANSWER_MAX - a->size ? realloc(a->text, a->size + n + 1) : NULL;

    if (!text)
        return 0;
    a->text = text;
    memcpy(text + a->size, data, n);
    a->size += n;
    text[a->size] = '\0';
    return n;
}

void tf_server_keep(CURL *curl, struct tf_server_answer *answer)
{
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

const char *tf_server_hint(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return "; --ca FILE names the certificate to trust, for a name that is in it";
    case CURLE_SSL_CACERT_BADFILE:
        return "; --ca wants a file with certificates (PEM)";
    default:
        return "";
    }
}
