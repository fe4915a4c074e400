/*
 * The page that points are placed on, and its API (docs/training.md), on loopback only. Everything happens in
 * libmicrohttpd's one thread: table and items need no lock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/annotate.h"
#include "cli/eval_six.h"

#define BODY_MAX 65536u
#define TOKEN_BYTES 16
#define POLICY                                                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "    \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct tf_annotate_server {
    struct MHD_Daemon *daemon;
    struct tf_annotate_table *table;
    struct tf_items *items;
    uint16_t port;
    char token[2 * TOKEN_BYTES + 1], url[128];
};

/* A request's body as it comes. */
struct body {
    char *data;
    size_t size;
    bool too_large;
};

/* --- answers --- */

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     struct MHD_Response *response, const char *type)
{
    enum MHD_Result r;

    if (!response)
        return MHD_NO;
    if (type)
        MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Content-Security-Policy", POLICY);
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result send_json(struct MHD_Connection *connection, unsigned status, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(7)) : NULL;

    json_decref(o);
    if (!text)
        return MHD_NO;
    return send_response(connection, status,
                         MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE),
                         "application/json");
}

__attribute__((format(printf, 3, 4))) static enum MHD_Result refuse(struct MHD_Connection *connection,
                                                                    unsigned status, const char *format, ...)
{
    char text[TF_ERROR_TEXT + 64];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return send_json(connection, status, json_pack("{s:s}", "error", text));
}

/* --- what the page is told --- */

static json_t *point_json(float x, float y)
{
    return json_pack("[f,f]", (double)x, (double)y);
}

static json_t *points_json(const float points[TF_POINTS][2], const bool *seen, int count)
{
    json_t *list = json_array();

    for (int k = 0; k < count; k++)
        json_array_append_new(list, !seen || seen[k] ? point_json(points[k][0], points[k][1]) : json_null());
    return list;
}

static json_t *item_json(const struct tf_annotate_server *s, size_t i, bool whole)
{
    const struct tf_item *item = &s->items->list[i];
    const struct tf_label *l = &item->label;
    json_t *o = json_pack("{s:I,s:s,s:I,s:i,s:i,s:b,s:s}", "id", (json_int_t)i, "recording", item->rec,
                          "frame", (json_int_t)item->frame, "width", (int)item->width, "height",
                          (int)item->height, "labelled", (int)l->there, "person", l->person);
    float six[TF_POINTS][2];

    if (!o)
        return NULL;
    json_object_set_new(o, "confidence", item->found ? json_real((double)item->confidence) : json_null());
    if (!whole)
        return o;
    if (s->table->points == TF_SIX)
        tf_six_of_points(item->start, six);
    else
        memcpy(six, item->start, sizeof(six));
    json_object_set_new(o, "start", item->found ? points_json(six, NULL, s->table->points) : json_null());
    json_object_set_new(o, "points",
                        l->there ? points_json(l->point, l->seen, s->table->points) : json_null());
    json_object_set_new(o, "glasses", json_boolean(l->glasses));
    json_object_set_new(o, "mask", json_boolean(l->mask));
    json_object_set_new(o, "yaw", json_string(l->yaw));
    json_object_set_new(o, "quality", json_string(l->quality));
    json_object_set_new(o, "bits", json_integer(item->wide ? 16 : 8));
    return o;
}

static enum MHD_Result send_state(struct tf_annotate_server *s, struct MHD_Connection *connection)
{
    json_t *o = json_object(), *items = json_array(), *names = json_array();
    json_int_t labelled = 0;
    char name[16];

    for (size_t i = 0; i < s->items->count; i++) {
        json_array_append_new(items, item_json(s, i, false));
        labelled += s->items->list[i].label.there;
    }
    for (int k = 0; k < s->table->points; k++) {
        snprintf(name, sizeof(name), "%d", k);
        json_array_append_new(names, json_string(s->table->points == TF_SIX ? tf_six_names[k] : name));
    }
    json_object_set_new(o, "points", json_integer(s->table->points));
    json_object_set_new(o, "names", names);
    json_object_set_new(o, "output", json_string(s->table->path));
    json_object_set_new(o, "labelled", json_integer(labelled));
    json_object_set_new(o, "kept", json_integer((json_int_t)s->table->kept_count));
    json_object_set_new(o, "items", items);
    return send_json(connection, MHD_HTTP_OK, o);
}

/* Values as the camera gave them, 16 bits each, little endian, line by line. */
static enum MHD_Result send_pixels(const struct tf_item *item, struct MHD_Connection *connection)
{
    size_t n = (size_t)item->width * item->height;
    uint8_t *data = malloc(2 * n);

    if (!data)
        return MHD_NO;
    for (size_t i = 0; i < n; i++) {
        data[2 * i] = (uint8_t)item->pixels[i];
        data[2 * i + 1] = (uint8_t)(item->pixels[i] >> 8);
    }
    return send_response(connection, MHD_HTTP_OK,
                         MHD_create_response_from_buffer(2 * n, data, MHD_RESPMEM_MUST_FREE),
                         "application/octet-stream");
}

/* --- what the page says --- */

static int take_points(const struct tf_annotate_server *s, const struct tf_item *item, const json_t *list,
                       struct tf_label *l, struct tf_error *err)
{
    const float side[2] = {item->width, item->height};
    int count = s->table->points, seen = 0;

    if (!json_is_array(list) || json_array_size(list) != (size_t)count)
        return tf_fail(err, -EINVAL, "points: a list of %d [x, y] or null is needed", count);
    for (int k = 0; k < count; k++) {
        const json_t *p = json_array_get(list, (size_t)k);

        l->seen[k] = !json_is_null(p);
        if (!l->seen[k])
            continue;
        if (json_array_size(p) != 2)
            return tf_fail(err, -EINVAL, "points[%d]: [x, y] or null is needed", k);
        for (int i = 0; i < 2; i++) {
            const json_t *v = json_array_get(p, (size_t)i);
            double value = json_number_value(v), out = (double)(TF_ANNOTATE_OUTSIDE * side[i]);

            if (!json_is_number(v) || !isfinite(value) || value < -out || value > (double)side[i] + out)
                return tf_fail(err, -EINVAL, "points[%d]: not in the picture of %u x %u", k, item->width,
                               item->height);
            l->point[k][i] = (float)value;
        }
        seen++;
    }
    if (!seen)
        return tf_fail(err, -EINVAL, "points: none of them is seen; DELETE takes a face back");
    if (count == TF_SIX && l->seen[0] && l->seen[1] &&
        hypotf(l->point[0][0] - l->point[1][0], l->point[0][1] - l->point[1][1]) < 0.5f)
        return tf_fail(err, -EINVAL, "points: both eyes are one point");
    return 0;
}

/* A text that is given replaces what was there; `words`: one of these. */
static int take_text(const json_t *o, const char *key, char *ret, size_t size, const char *const *words,
                     struct tf_error *err)
{
    const json_t *v = json_object_get(o, key);
    const char *text = json_string_value(v);
    bool known = !words;

    if (!v)
        return 0;
    for (; text && words && *words; words++)
        known |= strcmp(*words, text) == 0;
    if (!text || !*text || strlen(text) >= size || !tf_annotate_plain(text) || !known)
        return tf_fail(err, -EINVAL, "%s: %s", key,
                       words ? "not one of its words"
                             : "1 to 63 characters without commas and quotes are needed");
    snprintf(ret, size, "%s", text);
    return 0;
}

static int take_flag(const json_t *o, const char *key, bool *ret, struct tf_error *err)
{
    const json_t *v = json_object_get(o, key);

    if (v && !json_is_boolean(v))
        return tf_fail(err, -EINVAL, "%s: true or false is needed", key);
    if (v)
        *ret = json_is_true(v);
    return 0;
}

static int take_label(const struct tf_annotate_server *s, const struct tf_item *item, const json_t *o,
                      struct tf_label *l, struct tf_error *err)
{
    static const char *const keys[] = {"points", "person", "glasses", "mask", "yaw", "quality", NULL};
    const char *key;
    json_t *value;
    int r;

    if (!json_is_object(o))
        return tf_fail(err, -EINVAL, "a JSON object is needed");
    json_object_foreach((json_t *)o, key, value)
    {
        bool known = false;

        for (int i = 0; keys[i]; i++)
            known |= strcmp(keys[i], key) == 0;
        if (!known)
            return tf_fail(err, -EINVAL, "%.40s: not known here", key);
    }
    r = take_points(s, item, json_object_get(o, "points"), l, err);
    if (r == 0)
        r = take_text(o, "person", l->person, sizeof(l->person), NULL, err);
    if (r == 0)
        r = take_text(o, "yaw", l->yaw, sizeof(l->yaw), tf_annotate_yaws, err);
    if (r == 0)
        r = take_text(o, "quality", l->quality, sizeof(l->quality), tf_annotate_qualities, err);
    if (r == 0)
        r = take_flag(o, "glasses", &l->glasses, err);
    if (r == 0)
        r = take_flag(o, "mask", &l->mask, err);
    return r;
}

/* What cannot be saved is as it was. */
static enum MHD_Result put(struct tf_annotate_server *s, struct MHD_Connection *connection, size_t i,
                           const struct body *body)
{
    struct tf_item *item = &s->items->list[i];
    struct tf_label before = item->label;
    struct tf_error err = {0};
    json_error_t problem;
    json_t *o = json_loadb(body->data ? body->data : "", body->size, JSON_REJECT_DUPLICATES, &problem);
    int r;

    if (!o)
        return refuse(connection, MHD_HTTP_BAD_REQUEST, "not JSON: %s", problem.text);
    memset(item->label.point, 0, sizeof(item->label.point));
    r = take_label(s, item, o, &item->label, &err);
    json_decref(o);
    if (r < 0) {
        item->label = before;
        return refuse(connection, MHD_HTTP_UNPROCESSABLE_CONTENT, "%s", err.text);
    }
    item->label.there = true;
    r = tf_annotate_save(s->table, s->items, item, &err);
    if (r < 0) {
        item->label = before;
        return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", err.text);
    }
    return send_json(connection, MHD_HTTP_OK, item_json(s, i, true));
}

static enum MHD_Result take_back(struct tf_annotate_server *s, struct MHD_Connection *connection, size_t i)
{
    struct tf_item *item = &s->items->list[i];
    bool before = item->label.there;
    struct tf_error err = {0};

    item->label.there = false;
    if (before && tf_annotate_save(s->table, s->items, NULL, &err) < 0) {
        item->label.there = before;
        return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", err.text);
    }
    return send_json(connection, MHD_HTTP_OK, item_json(s, i, true));
}

/* --- who may ask --- */

/* The page's own address, under both of its names: a page of another site cannot ask by a name of its own. */
static bool is_us(const struct tf_annotate_server *s, const char *text, const char *before)
{
    char ours[64];

    for (int i = 0; i < 2; i++) {
        snprintf(ours, sizeof(ours), "%s%s:%u", before, i ? "localhost" : "127.0.0.1", s->port);
        if (strcmp(text, ours) == 0)
            return true;
    }
    return false;
}

static bool same(const char *a, const char *b, size_t n)
{
    unsigned char differ = 0;

    for (size_t i = 0; i < n; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    return !differ;
}

static bool has_token(const struct tf_annotate_server *s, struct MHD_Connection *connection)
{
    const char *given = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token");
    const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");

    if (header && strncmp(header, "Bearer ", 7) == 0)
        given = header + 7;
    return given && strlen(given) == sizeof(s->token) - 1 && same(given, s->token, sizeof(s->token) - 1);
}

/* --- requests --- */

static enum MHD_Result route(struct tf_annotate_server *s, struct MHD_Connection *connection,
                             const char *path, const char *method, const struct body *body)
{
    bool get = strcmp(method, "GET") == 0;
    unsigned long long id;
    char tail[16] = "";
    int end = 0;

    if (strcmp(path, "/api/state") == 0)
        return get ? send_state(s, connection)
                   : refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET is what /api/state knows");
    if (sscanf(path, "/api/items/%9llu%n%15s", &id, &end, tail) < 1 || id >= s->items->count ||
        path[11] < '0' || path[11] > '9')
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there is nothing here");
    if (strcmp(tail, "/pixels") == 0)
        return get ? send_pixels(&s->items->list[id], connection)
                   : refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET is what pixels know");
    if (*tail)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there is nothing here");
    if (get)
        return send_json(connection, MHD_HTTP_OK, item_json(s, (size_t)id, true));
    if (strcmp(method, "PUT") == 0)
        return put(s, connection, (size_t)id, body);
    if (strcmp(method, "DELETE") == 0)
        return take_back(s, connection, (size_t)id);
    return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, PUT and DELETE are what a frame knows");
}

static enum MHD_Result dispatch(struct tf_annotate_server *s, struct MHD_Connection *connection,
                                const char *path, const char *method, const struct body *body)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    const char *origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin");

    if (!host || !is_us(s, host, "") || (origin && !is_us(s, origin, "http://")))
        return refuse(connection, MHD_HTTP_FORBIDDEN, "asked in the name of another site");
    if (body->too_large)
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "more than %u bytes", BODY_MAX);
    if (strncmp(path, "/api/", 5) == 0) {
        if (!has_token(s, connection))
            return refuse(
                connection, MHD_HTTP_UNAUTHORIZED,
                "the token is missing or another one: open the address that thermoface annotate printed");
        return route(s, connection, path, method, body);
    }
    for (size_t i = 0; i < tf_annotate_file_count; i++) {
        const struct tf_annotate_file *f = &tf_annotate_files[i];

        if (strcmp(path, f->path) != 0)
            continue;
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
            return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET is what files know");
        return send_response(
            connection, MHD_HTTP_OK,
            MHD_create_response_from_buffer(f->size, (void *)f->data, MHD_RESPMEM_PERSISTENT), f->type);
    }
    return refuse(connection, MHD_HTTP_NOT_FOUND, "there is nothing here");
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **request)
{
    struct body *body = *request;

    if (!body) {
        *request = body = calloc(1, sizeof(*body));
        return body ? MHD_YES : MHD_NO;
    }
    if (*size) {
        char *grown =
            body->too_large || body->size + *size > BODY_MAX ? NULL : realloc(body->data, body->size + *size);

        body->too_large |= !grown;
        if (grown) {
            body->data = grown;
            memcpy(body->data + body->size, data, *size);
            body->size += *size;
        }
        *size = 0;
        return MHD_YES;
    }
    return dispatch(context, connection, path, method, body);
}

static void completed(void *context, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode how)
{
    struct body *body = *request;

    if (body)
        free(body->data);
    free(body);
    *request = NULL;
}

/* --- start and end --- */

static int make_token(char ret[2 * TOKEN_BYTES + 1])
{
    uint8_t bytes[TOKEN_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (int i = 0; i < TOKEN_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int tf_annotate_serve(struct tf_annotate_table *table, struct tf_items *items, uint16_t port,
                      struct tf_annotate_server **ret, struct tf_error *err)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const union MHD_DaemonInfo *info;
    struct tf_annotate_server *s = calloc(1, sizeof(*s));

    if (!s || make_token(s->token) < 0) {
        free(s);
        return tf_fail(err, -ENOMEM, "no memory, or no random numbers");
    }
    s->table = table;
    s->items = items;
    errno = 0;
    s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, port, NULL, NULL, answer, s,
                                 MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                                 MHD_OPTION_CONNECTION_LIMIT, 32u, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
                                 MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
    info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info) {
        int code = errno ? errno : EADDRINUSE;

        tf_annotate_stop(s);
        return tf_fail(err, -code, "port %u of 127.0.0.1 cannot be taken: %s; say another --port", port,
                       strerror(code));
    }
    s->port = info->port;
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/?token=%s", s->port, s->token);
    *ret = s;
    return 0;
}

const char *tf_annotate_url(const struct tf_annotate_server *server)
{
    return server->url;
}

void tf_annotate_stop(struct tf_annotate_server *server)
{
    if (!server)
        return;
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    free(server);
}
