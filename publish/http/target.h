/*
 * What a request's first line asks for: the target of RFC 9112, section 3.2, in origin form ("/state?…") or
 * absolute form ("http://host/state?…"), taken apart and decoded. Pure; inside publish/ only.
 */
#ifndef TF_PUBLISH_HTTP_TARGET_H
#define TF_PUBLISH_HTTP_TARGET_H

#include <stdbool.h>

#define TF_TARGET_PATH 640 /* a file of a session: its id, 240 bytes, and a name of 255 */
#define TF_TARGET_NAME 128
#define TF_TARGET_NAMES_MAX 64 /* in a query */

/* A name that the query gives: of a camera, say. */
struct tf_target_name {
    bool given;
    char text[TF_TARGET_NAME];
};

struct tf_target {
    char path[TF_TARGET_PATH];      /* decoded, UTF-8, without control characters; cut when it is longer */
    char authority[TF_TARGET_PATH]; /* of the absolute form: it stands for Host (RFC 9112, 3.2.2); else empty
                                     */
    struct tf_target_name camera, pair;
    struct tf_target_name from, seconds; /* of a recorded video */
};

/*
 * 0, or -EINVAL and in *why what is wrong with it: neither form; a blank or a fragment; a percent sign
 * without two hexadecimal digits; a control character or zero byte, encoded or not; what is not UTF-8
 * (overlong forms and surrogates are not); camera= or pair= twice, empty or together; too many names. Other
 * names in the query are left alone.
 */
int tf_target_parse(const char *raw, struct tf_target *ret, const char **why);

/*
 * "name", "name:port", "1.2.3.4:port", "[::1]:port", as in Host, in an absolute target or in Origin: whether
 * it is well formed. *host and *host_size: the name without brackets; *port: -1 where none is given.
 */
bool tf_authority_parse(const char *authority, const char **host, unsigned *host_size, int *port);

#endif
