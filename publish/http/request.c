/* A request from its first line to its answer. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/clock.h"
#include "publish/http/server.h"
#include "publish/record/text_out.h"

#define DRAIN_MAX (64u << 10) /* of a body that nobody wants: read, so that the client reads the answer */

/* --- answers --- */

void tf_http_add_headers(struct MHD_Response *response, const char *type)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    /* No page of another origin may show a face as its picture. */
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

enum MHD_Result tf_http_queue(struct tf_http_request *q, unsigned status, const char *type,
                              struct MHD_Response *response)
{
    enum MHD_Result r;

    if (!response)
        return MHD_NO; /* closes the connection */
    if (type)
        tf_http_add_headers(response, type);
    tf_place_enter(&q->http->places, q->place, TF_PLACE_ANSWERING, tf_now_ns());
    r = MHD_queue_response(q->connection, status, response);
    MHD_destroy_response(response);
    return r;
}

enum MHD_Result tf_http_say(struct tf_http_request *q, unsigned status, const char *type, const char *text)
{
    return tf_http_queue(q, status, type,
                         MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

enum MHD_Result tf_http_give(struct tf_http_request *q, unsigned status, const char *type, void *data,
                             size_t size)
{
    struct MHD_Response *response;

    if (!data)
        return tf_http_error(q, 500, "no memory");
    response = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(data);
    return tf_http_queue(q, status, type, response);
}

static struct MHD_Response *error_response(unsigned status, const char *format, va_list args)
{
    char message[512], text[6 * sizeof(message) + 32];
    struct tf_out o = {.at = text, .end = text + sizeof(text)};
    struct MHD_Response *response;

    vsnprintf(message, sizeof(message), format, args);
    tf_out_literal(&o, "{\"error\":");
    tf_out_json_text(&o, message, sizeof(message));
    tf_out_literal(&o, "}\n");
    response = MHD_create_response_from_buffer((size_t)(o.at - text), text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    tf_http_add_headers(response, "application/json");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    return response;
}

struct MHD_Response *tf_http_error_response(unsigned status, const char *format, ...)
{
    struct MHD_Response *response;
    va_list args;

    va_start(args, format);
    response = error_response(status, format, args);
    va_end(args);
    return response;
}

enum MHD_Result tf_http_error(struct tf_http_request *q, unsigned status, const char *format, ...)
{
    struct MHD_Response *response;
    va_list args;

    va_start(args, format);
    response = error_response(status, format, args);
    va_end(args);
    return tf_http_queue(q, status, NULL, response);
}

/* --- headers --- */

static bool is_token(const char *text)
{
    return *text &&
           text[strspn(text,
                       "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] ==
               '\0';
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return true;
    return false;
}

static void take_length(struct tf_http_head *head, const char *value)
{
    head->lengths++;
    head->length = 0;
    for (; isdigit((unsigned char)*value); value++)
        if (head->length <= UINT32_MAX)
            head->length = head->length * 10 + (uint64_t)(*value - '0');
    head->malformed |= *value != '\0';
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct tf_http_head *head = context;

    if (!value)
        value = "";
    if (!is_token(name) || has_control(value)) {
        head->malformed = true;
    } else if (strcasecmp(name, "Host") == 0) {
        head->host = value;
        head->hosts++;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        take_length(head, value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->codings++;
        head->chunked = strcasecmp(value, "chunked") == 0;
        head->other_coding |= !head->chunked;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        head->type = value;
        head->types++;
    } else if (strcasecmp(name, "Origin") == 0) {
        head->origin = value;
        head->origins++;
    } else if (strcasecmp(name, "Sec-Fetch-Site") == 0) {
        head->site = value;
    } else if (strcasecmp(name, "Sec-Fetch-Dest") == 0) {
        head->destination = value;
    } else if (strcasecmp(name, "Authorization") == 0) {
        head->authorisations++;
    } else if (strcasecmp(name, "Range") == 0) {
        head->range = value;
    } else if (strcasecmp(name, "Expect") == 0) {
        head->expects = true;
    }
    return MHD_YES;
}

/* --- what a request may be refused for, in this order --- */

static void refuse(struct tf_http_request *q, unsigned status, struct MHD_Response *response)
{
    q->refusal = response;
    q->refusal_status = status;
}

#define REFUSE(q, status, ...) refuse(q, status, tf_http_error_response(status, __VA_ARGS__))

/* Where the next request begins is not certain: the connection ends with the answer. */
#define REFUSE_AND_CLOSE(q, status, ...)                                                                     \
    do {                                                                                                     \
        REFUSE(q, status, __VA_ARGS__);                                                                      \
        (q)->refuse_now = true;                                                                              \
        if ((q)->refusal)                                                                                    \
            MHD_add_response_header((q)->refusal, MHD_HTTP_HEADER_CONNECTION, "close");                      \
    } while (0)

static void judge_framing(struct tf_http_request *q, const struct tf_http_head *head, const char *version)
{
    const char *host;
    unsigned host_size;
    int port;

    if (q->wrong)
        REFUSE_AND_CLOSE(q, 400, "%s", q->wrong);
    else if (q->version != version)
        REFUSE_AND_CLOSE(q, 400, "a zero byte in the first line");
    else if (head->malformed)
        REFUSE_AND_CLOSE(q, 400, "a header field is malformed");
    else if (!head->hosts && strcmp(version, MHD_HTTP_VERSION_1_1) == 0)
        REFUSE_AND_CLOSE(q, 400, "HTTP/1.1 needs a Host");
    else if (head->hosts > 1)
        REFUSE_AND_CLOSE(q, 400, "Host is given twice");
    else if (head->host && !tf_authority_parse(head->host, &host, &host_size, &port))
        REFUSE_AND_CLOSE(q, 400, "Host is malformed");
    else if (head->lengths > 1)
        REFUSE_AND_CLOSE(q, 400, "Content-Length is given twice");
    else if (head->codings && head->lengths)
        REFUSE_AND_CLOSE(q, 400, "Content-Length and Transfer-Encoding exclude each other");
    else if (head->codings && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
        REFUSE_AND_CLOSE(q, 400, "Transfer-Encoding needs HTTP/1.1");
    else if (head->codings > 1 || head->other_coding)
        REFUSE_AND_CLOSE(q, 501, "the only Transfer-Encoding here is chunked");
    else if (head->types > 1 || head->origins > 1 || head->authorisations > 1)
        REFUSE_AND_CLOSE(q, 400, "Content-Type, Origin or Authorization is given twice");
}

/*
 * Without a password the loopback interface is the fence; a web page that resolves its own name to 127.0.0.1
 * would be inside it. Such a request carries that name as Host.
 */
static bool host_is_local(const char *authority)
{
    char name[64];
    const char *host;
    unsigned n;
    int port;

    if (!authority)
        return true; /* HTTP/1.0; no browser */
    if (!tf_authority_parse(authority, &host, &n, &port) || n >= sizeof(name))
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    return strcasecmp(name, "localhost") == 0 || tf_address_is_loopback(name);
}

static void judge_login(struct tf_http_request *q)
{
    struct tf_http_access *access = &q->http->access;
    enum tf_http_verdict verdict;

    if (q->place->limited && tf_http_access_full(access, &q->place->address, q->t_mono_ns)) {
        REFUSE(q, 429, "too many failed logins from this address: wait");
        return;
    }
    verdict = tf_http_access_judge(access, q->connection, &q->role, &q->place->login);
    if (verdict == TF_HTTP_GRANTED)
        return;
    q->challenge = true;
    q->stale = verdict == TF_HTTP_STALE;
    REFUSE(q, 401,
           access->tokens ? "user and password, or a token, are needed" : "user and password are needed");
    if (verdict != TF_HTTP_REFUSED)
        return;
    q->hold_until_ns = tf_http_access_failed(access, &q->place->address, q->t_mono_ns);
    q->drop = !q->hold_until_ns;
}

static void judge_route(struct tf_http_request *q, const char *method)
{
    bool post = strcmp(method, MHD_HTTP_METHOD_POST) == 0, put = strcmp(method, MHD_HTTP_METHOD_PUT) == 0;
    bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    unsigned methods;

    q->route = tf_http_find_route(q->target.path,
                                  post  ? TF_HTTP_POST
                                  : put ? TF_HTTP_PUT
                                        : TF_HTTP_GET,
                                  q->route_name, &methods);
    if (!methods) {
        REFUSE(q, 404, "there is no %.128s; /api lists what there is", q->target.path);
        return;
    }
    q->head = get && method[0] == 'H';
    if (q->route && (post || put || get))
        return;
    REFUSE(q, 405, "%.16s is not understood here", method);
    if (q->refusal)
        MHD_add_response_header(q->refusal, MHD_HTTP_HEADER_ALLOW,
                                methods == TF_HTTP_POST                  ? "POST"
                                : methods == TF_HTTP_GET                 ? "GET, HEAD"
                                : methods == (TF_HTTP_GET | TF_HTTP_PUT) ? "GET, HEAD, PUT"
                                                                         : "GET, HEAD, POST");
}

/* The origin of a page is ours: its host and port are those that the request was sent to. */
static bool same_origin(const char *origin, const char *authority)
{
    const char *theirs, *ours;
    unsigned theirs_size, ours_size;
    int their_port, our_port, usual;

    if (strncasecmp(origin, "http://", 7) != 0 && strncasecmp(origin, "https://", 8) != 0)
        return false; /* "null" is a page without an origin */
    usual = tolower((unsigned char)origin[4]) == 's' ? 443 : 80;
    if (!authority ||
        !tf_authority_parse(origin + (usual == 443 ? 8 : 7), &theirs, &theirs_size, &their_port) ||
        !tf_authority_parse(authority, &ours, &ours_size, &our_port))
        return false;
    return theirs_size == ours_size && strncasecmp(theirs, ours, ours_size) == 0 &&
           (their_port < 0 ? usual : their_port) == (our_port < 0 ? usual : our_port);
}

/*
 * Any page of the web can make a browser on this machine send a form to 127.0.0.1. It cannot make it send
 * JSON without asking us first, which we do not answer, and browsers say where a request comes from. What is
 * no browser (curl, a stimulus program) says nothing.
 */
static bool is_foreign(const struct tf_http_head *head, const char *authority)
{
    /* The browser's own word, which no page can set; a proxy may have sent another Host than the page's. */
    if (head->site && strcasecmp(head->site, "same-origin") == 0)
        return false;
    return (head->origin && !same_origin(head->origin, authority)) ||
           (head->site && strcasecmp(head->site, "none") != 0);
}

static void judge_post(struct tf_http_request *q, const struct tf_http_head *head, const char *authority)
{
    if (is_foreign(head, authority))
        REFUSE(q, 403, "a page of another origin may not send this");
    else if (q->role < TF_HTTP_CONTROLS)
        REFUSE(q, 403, "this login may look, not control");
    else if (!head->type || strncasecmp(head->type, "application/json", 16) != 0 ||
             (head->type[16] && !strchr("; \t", head->type[16])))
        REFUSE(q, 415, "the body has to be JSON (Content-Type: application/json)");
    else if (head->length > TF_HTTP_BODY_MAX)
        REFUSE(q, 413, "the body is longer than %u bytes", TF_HTTP_BODY_MAX);
    else if (!(q->body = malloc(TF_HTTP_BODY_MAX + 1)))
        REFUSE(q, 500, "no memory");
}

/*
 * A page elsewhere that takes something of ours into itself (an image, a frame, a script's fetch): it would
 * be shown nothing, but could take all places of viewers. A link to us is a document.
 */
static bool is_embedded(const struct tf_http_head *head)
{
    return head->site &&
           (strcasecmp(head->site, "cross-site") == 0 || strcasecmp(head->site, "same-site") == 0) &&
           head->destination && strcasecmp(head->destination, "document") != 0;
}

/* All that the first line and the headers can be judged by. */
static void judge(struct tf_http_request *q, const char *method, const char *version)
{
    struct tf_http_head head = {0};
    const char *authority;

    MHD_get_connection_values(q->connection, MHD_HEADER_KIND, take_header, &head);
    q->range = head.range;
    authority = q->target.authority[0] ? q->target.authority : head.host;
    judge_framing(q, &head, version);
    if (!q->refusal_status && !q->http->access.count && !host_is_local(authority))
        REFUSE(q, 403, "this server has no password and answers to localhost only");
    if (!q->refusal_status)
        judge_login(q);
    if (!q->refusal_status)
        judge_route(q, method);
    if (!q->refusal_status && q->route->method != TF_HTTP_GET)
        judge_post(q, &head, authority);
    if (!q->refusal_status && q->route->method == TF_HTTP_GET && is_embedded(&head))
        REFUSE(q, 403, "a page of another origin may not take this into itself");
    if (q->route)
        q->place->control = q->route->always;
    /* A short body on its way is read first: closing before would take the answer away with it. */
    q->refuse_now |= head.expects || head.length > DRAIN_MAX;
}

/* --- libmicrohttpd's callbacks --- */

static void *socket_context(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

void *tf_http_first_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct tf_http_request *q = calloc(1, sizeof(*q));
    char *query;

    if (!q)
        return NULL;
    q->http = context;
    q->connection = connection;
    q->place = socket_context(connection);
    if (q->place)
        tf_place_enter(&q->http->places, q->place, TF_PLACE_OPENING, tf_now_ns());
    if (!target) {
        q->wrong = "there is no address in the first line";
        return q;
    }
    q->version = target + strlen(target) + 1;
    tf_target_parse(target, &q->target, &q->wrong);
    /*
     * libmicrohttpd takes the query apart next, into the memory that it has for a request, and has none left
     * for the answer when there are thousands of names. The buffer is its own to write in.
     */
    query = q->wrong ? strchr((char *)target, '?') : NULL;
    if (query && query[1])
        query[1] = '\0';
    return q;
}

static enum MHD_Result answer_refusal(struct tf_http_request *q)
{
    struct MHD_Response *response = q->refusal;

    q->refusal = NULL;
    if (q->drop)
        MHD_destroy_response(response);
    if (q->drop || !response)
        return MHD_NO;
    if (!q->challenge)
        return tf_http_queue(q, q->refusal_status, NULL, response);
    tf_place_enter(&q->http->places, q->place, TF_PLACE_ANSWERING, tf_now_ns());
    return tf_http_access_challenge(&q->http->access, q->connection, response, q->stale);
}

static enum MHD_Result refuse_now_or_later(struct tf_http_request *q)
{
    if (q->hold_until_ns > tf_now_ns() && !q->place->ended && !atomic_load(&q->http->stopping)) {
        tf_place_enter(&q->http->places, q->place, TF_PLACE_PENALTY, tf_now_ns());
        tf_http_suspend(q);
        return MHD_YES;
    }
    return answer_refusal(q);
}

static enum MHD_Result take_body(struct tf_http_request *q, const char *upload, size_t size)
{
    size_t n = q->body && size < TF_HTTP_BODY_MAX - q->size ? size : q->body ? TF_HTTP_BODY_MAX - q->size : 0;

    if (n)
        memcpy(q->body + q->size, upload, n);
    q->size += n;
    q->ignored += size - n;
    /* Chunks without end: what was too long for an answer is cut off. */
    return q->ignored > 16 * DRAIN_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer(struct tf_http_request *q)
{
    if (q->body) {
        if (q->ignored)
            return tf_http_error(q, 413, "the body is longer than %u bytes", TF_HTTP_BODY_MAX);
        q->body[q->size] = '\0';
    }
    return q->route->answer(q);
}

/* Called once for the headers, then for pieces of a body, then once more, and again after each suspension. */
enum MHD_Result tf_http_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request)
{
    struct tf_http_request *q = *request;

    if (!q || !q->place)
        return MHD_NO; /* no memory */
    if (!q->begun) {
        q->begun = true;
        q->t_mono_ns = tf_now_ns();
        q->t_utc_ns = (int64_t)q->t_mono_ns + tf_utc_offset_ns();
        tf_place_enter(&q->http->places, q->place, TF_PLACE_BODY, q->t_mono_ns);
        judge(q, method, version);
        return q->refusal_status && q->refuse_now ? refuse_now_or_later(q) : MHD_YES;
    }
    if (*upload_size) {
        size_t n = *upload_size;

        *upload_size = 0;
        return take_body(q, upload, n);
    }
    return q->refusal_status ? refuse_now_or_later(q) : answer(q);
}

void tf_http_completed(void *context, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode why)
{
    struct tf_http_request *q = *request;

    *request = NULL;
    if (!q)
        return;
    if (q->place)
        tf_place_enter(&q->http->places, q->place, TF_PLACE_IDLE, tf_now_ns());
    if (q->refusal)
        MHD_destroy_response(q->refusal);
    tf_http_leave_picture(q);
    tf_http_leave_errand(q);
    if (q->body)
        explicit_bzero(q->body, q->size);
    free(q->body);
    free(q);
}

/* --- suspended requests --- */

void tf_http_suspend(struct tf_http_request *q)
{
    q->next_held = q->http->held;
    q->http->held = q;
    MHD_suspend_connection(q->connection);
}

void tf_http_resume_held(struct tf_http *http, uint64_t now_ns)
{
    bool stopping = atomic_load(&http->stopping);

    for (struct tf_http_request **at = &http->held; *at;) {
        struct tf_http_request *q = *at;

        /* At the end all jobs have been done before the last of these calls. */
        if ((q->hold_until_ns > now_ns && !q->place->ended && !stopping) ||
            (q->job && !tf_http_job_done(q->job))) {
            at = &q->next_held;
            continue;
        }
        *at = q->next_held;
        MHD_resume_connection(q->connection);
    }
}

uint64_t tf_http_held_until(const struct tf_http *http)
{
    uint64_t until = UINT64_MAX;

    for (const struct tf_http_request *q = http->held; q; q = q->next_held)
        if (q->hold_until_ns && q->hold_until_ns < until)
            until = q->hold_until_ns;
    return until;
}
