/* The console's files over HTTP. */
#include "publish/http/files.h"

#include <string.h>

#include "publish/http/server.h"

/*
 * Everything that the page shows and runs comes from this server. `blob:` is how a page hands its own
 * pictures to an element.
 */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                             "img-src 'self' blob:; media-src 'self' blob:; form-action 'none'; "
                             "base-uri 'none'; frame-ancestors 'none'";

const struct tf_http_file *tf_http_find_file(const char *path)
{
    for (size_t i = 0; i < tf_http_file_count; i++)
        if (strcmp(tf_http_files[i].path, path) == 0)
            return &tf_http_files[i];
    return NULL;
}

/* Whether a list of a header has a word: "gzip, br", "gzip;q=0.8" have "gzip", "gzip;q=0" has not. */
static bool lists(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = list; at && *at; at = strchr(at, ',')) {
        at += strspn(at, ", \t");
        if (strncmp(at, word, n) == 0 && (!at[n] || strchr(",; \t", at[n]))) {
            const char *end = at + strcspn(at, ","), *q = strstr(at, "q=0");

            return !q || q >= end || strspn(q + 2, "0.") < (size_t)(end - q) - 2;
        }
    }
    return false;
}

static void add_headers(struct MHD_Response *response, const struct tf_http_file *file)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->type);
    /* It may be kept, but is to be asked for each time: after an update the page is the new one at once. */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, file->etag);
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
    MHD_add_response_header(response, "Content-Security-Policy", policy);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
}

enum MHD_Result tf_http_give_file(struct tf_http_request *q)
{
    const struct tf_http_file *file = tf_http_find_file(q->target.path);
    const char *known =
        MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    const char *codings =
        MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    bool fresh = known && strstr(known, file->etag), packed = lists(codings, "gzip");
    struct MHD_Response *response =
        fresh ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
              : MHD_create_response_from_buffer(packed ? file->packed_size : file->size,
                                                (void *)(uintptr_t)(packed ? file->packed : file->data),
                                                MHD_RESPMEM_PERSISTENT);

    if (response)
        add_headers(response, file);
    if (response && packed && !fresh)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    return tf_http_queue(q, fresh ? 304 : 200, NULL, response);
}
