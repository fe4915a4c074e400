/* How every command that asks a running thermofaced reaches it. */
#ifndef TF_CLI_SERVER_H
#define TF_CLI_SERVER_H

#include <curl/curl.h>

/*
 * What all requests have in common: http or https, five seconds to connect, the password (user NULL: none),
 * and the certificate that the service's has to be, or be signed by (ca NULL: those that the system trusts).
 */
void tf_server_setup(CURL *curl, const char *address, const char *ca, const char *user, const char *password);

/* What to do about an error that asking again does not change, as " ...", or "". */
const char *tf_server_hint(CURLcode code);

#endif
