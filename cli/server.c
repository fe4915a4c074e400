/* How commands reach a running thermofaced. */
#include "cli/server.h"

void tf_server_setup(CURL *curl, const char *address, const char *ca, const char *user, const char *password)
{
    curl_easy_setopt(curl, CURLOPT_URL, address);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
    if (ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    if (user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST));
        curl_easy_setopt(curl, CURLOPT_USERNAME, user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    }
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
