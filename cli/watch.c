/*
 * thermoface watch: follows /landmarks of a running thermofaced, of one camera or of all, reconnecting for
 * ever. A server that asks for one camera (400) is given a connection for each that its /state names.
 */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/server.h"
#include "cli/watch.h"
#include "publish/http/http.h"

/* A record of 8 faces is some 40 kB; a line beyond this is not from thermofaced. */
#define LINE_MAX_BYTES (1u << 20)
#define WAIT_FIRST_MS 250
#define WAIT_MAX_MS 5000
/* How often a server that names its cameras is asked for them. */
#define STATE_EVERY_NS 2000000000ull

struct follow;

/* One request that is repeated: a stream, or /state. */
struct connection {
    struct follow *all;
    char camera[64]; /* "" = whatever the address gives */
    char address[1280];
    CURL *curl; /* NULL: this place is free */
    bool state; /* /state, collected in text; else lines */
    bool running, said, gone;
    char *text;
    size_t length;
    bool too_long;
    char body[256]; /* the beginning of an answer that is no stream */
    long status;
    uint64_t records_before, again_ns;
    unsigned wait_ms;
};

struct follow {
    const struct tf_usage *usage;
    struct tf_watch watch;
    const char *base; /* the daemon's address, without a slash at its end */
    struct tf_server_login login;
    const char *ca;
    uint64_t end_ns; /* 0 = until Ctrl-C */
    CURLM *multi;
    struct connection connections[TF_WATCH_CAMERAS_MAX + 1];
    bool each; /* a connection for each camera; connections[0] asks /state */
};

static size_t on_data(char *data, size_t one, size_t size, void *context)
{
    struct connection *c = context;
    size_t n = one * size;

    if (!c->status)
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    if (c->status != 200) {
        size_t have = strlen(c->body), room = sizeof(c->body) - 1 - have;
        memcpy(c->body + have, data, n < room ? n : room);
        return n;
    }
    for (size_t i = 0; i < n;) {
        char *end = c->state ? NULL : memchr(data + i, '\n', n - i);
        size_t part = end ? (size_t)(end - data) - i : n - i;
        if (c->length + part > LINE_MAX_BYTES)
            c->too_long = true;
        if (c->too_long)
            return 0;
        memcpy(c->text + c->length, data + i, part);
        c->length += part;
        if (end) {
            if (c->length)
                tf_watch_take(&c->all->watch, c->text, c->length);
            c->length = 0;
        }
        i += part + (end ? 1 : 0);
    }
    return n;
}

/* When the person or the clock says so. */
static bool over(const struct follow *f)
{
    return tf_interrupted() || (f->end_ns && tf_now_ns() >= f->end_ns) || ferror(stdout);
}

static void close_connection(struct connection *c)
{
    if (!c->curl)
        return;
    if (c->running)
        curl_multi_remove_handle(c->all->multi, c->curl);
    curl_easy_cleanup(c->curl);
    free(c->text);
    *c = (struct connection){0};
}

/* A connection in the first free place; `camera` NULL: of all. */
static int open_connection(struct follow *f, bool state, const char *camera)
{
    struct connection *c = f->connections;
    char *escaped = NULL;
    int n;

    while (c < f->connections + TF_WATCH_CAMERAS_MAX + 1 && c->curl)
        c++;
    if (c == f->connections + TF_WATCH_CAMERAS_MAX + 1)
        return 0; /* more cameras than any thermofaced has */
    *c = (struct connection){.all = f, .state = state, .wait_ms = WAIT_FIRST_MS};
    c->curl = curl_easy_init();
    c->text = malloc(LINE_MAX_BYTES);
    if (c->curl && camera)
        escaped = curl_easy_escape(c->curl, camera, 0);
    if (!c->curl || !c->text || (camera && !escaped)) {
        curl_free(escaped);
        close_connection(c);
        return tf_command_error(f->usage, "out of memory");
    }
    if (camera)
        snprintf(c->camera, sizeof(c->camera), "%s", camera);
    n = snprintf(c->address, sizeof(c->address), "%s%s%s%s", f->base, state ? "/state" : "/landmarks",
                 escaped ? "?camera=" : "", escaped ? escaped : "");
    curl_free(escaped);
    if (n < 0 || (size_t)n >= sizeof(c->address)) {
        close_connection(c);
        return tf_usage_error(f->usage, "--url: longer than %zu bytes", sizeof(c->address));
    }
    tf_server_setup(c->curl, c->address, f->ca, &f->login);
    curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
    if (state)
        curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 5L);
    curl_easy_setopt(c->curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    return 0;
}

/* Follows the cameras that /state names and that are not followed yet. */
static int take_state(struct follow *f, const struct connection *state)
{
    json_t *root = json_loadb(state->text, state->length, 0, NULL), *camera;
    size_t i;
    int result = 0;

    json_array_foreach(json_object_get(root, "cameras"), i, camera)
    {
        const char *name = json_string_value(json_object_get(camera, "camera"));
        bool known = !name;

        for (size_t k = 0; k < TF_WATCH_CAMERAS_MAX + 1 && !known; k++)
            known = f->connections[k].curl && strcmp(f->connections[k].camera, name) == 0;
        if (!known && !result)
            result = open_connection(f, false, name);
    }
    json_decref(root);
    return result;
}

/* An answer that will not get better by asking again. Returns the exit status, or 0. */
static int refused(struct follow *f, struct connection *c, CURLcode code)
{
    if (c->too_long)
        return tf_command_error(f->usage, "%s: a line of more than %u bytes: not a thermofaced", c->address,
                                LINE_MAX_BYTES);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return tf_usage_error(f->usage, "--url %s: %s; expected http://HOST:PORT", f->watch.url,
                              curl_easy_strerror(code));
    if (*tf_server_hint(code))
        return tf_command_error(f->usage, "%s: %s%s", c->address, curl_easy_strerror(code),
                                tf_server_hint(code));
    if (c->status == 401)
        return tf_command_error(f->usage, "%s: user and password wanted; give --credentials FILE",
                                c->address);
    /* A camera that /state named a moment ago has gone. */
    if (c->status < 400 || c->status >= 500 || (f->each && *c->camera))
        return 0;
    c->body[strcspn(c->body, "\r\n")] = 0;
    return tf_command_error(f->usage, "%s: %ld %s", c->address, c->status, c->body);
}

/* A transfer ended: what to do about it. */
static int ended(struct follow *f, struct connection *c, CURLcode code)
{
    bool any = f->watch.records > c->records_before;
    int result;

    curl_multi_remove_handle(f->multi, c->curl);
    c->running = false;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    /* A server that wants to be told which camera, and was not. */
    if (c->status == 400 && !c->state && !*c->camera && !f->each) {
        close_connection(c);
        f->each = true;
        return open_connection(f, true, NULL);
    }
    result = refused(f, c, code);
    if (result)
        return result;
    if (!c->state)
        tf_watch_break(&f->watch, *c->camera ? c->camera : NULL);
    if (f->each && *c->camera && c->status == 404) {
        close_connection(c); /* until /state names it again */
        return 0;
    }
    if (c->state && code == CURLE_OK && c->status == 200) {
        c->again_ns = tf_now_ns() + STATE_EVERY_NS;
        c->wait_ms = WAIT_FIRST_MS;
        c->said = false;
        return take_state(f, c);
    }
    if (any) {
        c->wait_ms = WAIT_FIRST_MS;
        c->said = false;
    }
    /* Where there are many, one speaks for all. */
    if (!c->said && !(f->each && *c->camera))
        fprintf(stderr, "thermoface watch: %s: %s; trying again until it answers (Ctrl-C ends)\n", c->address,
                code != CURLE_OK   ? curl_easy_strerror(code)
                : c->status != 200 ? "not ready"
                                   : "the stream ended");
    c->said = true;
    c->again_ns = tf_now_ns() + c->wait_ms * 1000000ull;
    c->wait_ms = c->wait_ms * 2 < WAIT_MAX_MS ? c->wait_ms * 2 : WAIT_MAX_MS;
    return 0;
}

/* Starts what is due. */
static void start_due(struct follow *f)
{
    for (size_t i = 0; i < TF_WATCH_CAMERAS_MAX + 1; i++) {
        struct connection *c = &f->connections[i];

        if (!c->curl || c->running || tf_now_ns() < c->again_ns)
            continue;
        c->status = 0;
        c->length = 0;
        memset(c->body, 0, sizeof(c->body));
        c->records_before = f->watch.records;
        c->running = curl_multi_add_handle(f->multi, c->curl) == CURLM_OK;
    }
}

static int follow(struct follow *f)
{
    int running, left, result = 0;
    CURLMsg *message;

    while (!over(f) && !result) {
        start_due(f);
        curl_multi_perform(f->multi, &running);
        while (!result && !over(f) && (message = curl_multi_info_read(f->multi, &left))) {
            CURLcode code = message->data.result;
            struct connection *c = NULL;

            if (message->msg != CURLMSG_DONE)
                continue;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
            result = ended(f, c, code);
        }
        tf_watch_tick(&f->watch);
        if (!over(f) && !result)
            curl_multi_poll(f->multi, NULL, 0, 50, NULL);
    }
    if (!result && !f->watch.records)
        result = tf_command_error(f->usage, "%s: no record came; is thermofaced running?", f->watch.url);
    return result;
}

int tf_cmd_watch(int argc, char **argv)
{
    struct follow *f = calloc(1, sizeof(*f));
    const char *url = "http://127.0.0.1:8080", *camera = NULL, *credentials = NULL, *token = NULL, *ca = NULL;
    uint64_t seconds = 0;
    bool json = false;
    const struct tf_bind bind[] = {
        {"camera", &camera}, {"url", &url},   {"credentials", &credentials}, {"token", &token},
        {"ca", &ca},         {"json", &json}, {"seconds", &seconds},         {0},
    };
    const struct tf_usage *usage = tf_command("watch");
    const char *arguments[TF_ARGUMENTS_MAX];
    char base[1024];
    struct tf_error err = {0};
    size_t length;
    int status;

    if (!f)
        return tf_command_error(usage, "out of memory");
    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        goto out;
    if (tf_server_login_read(url, credentials, token, &f->login, &err)) {
        status = tf_command_error(usage, "%s", err.text);
        goto out;
    }
    for (length = strlen(url); length && url[length - 1] == '/';)
        length--;
    if ((size_t)snprintf(base, sizeof(base), "%.*s", (int)length, url) >= sizeof(base)) {
        status = tf_usage_error(usage, "--url: longer than %zu bytes", sizeof(base));
        goto out;
    }
    tf_catch_interrupt();
    f->usage = usage;
    f->watch.url = url;
    f->watch.json = json;
    f->base = base;
    f->ca = ca;
    f->end_ns = seconds ? tf_now_ns() + seconds * TF_NS_PER_S : 0;
    f->multi = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_multi_init();
    if (!f->multi) {
        status = tf_command_error(usage, "out of memory");
        goto out;
    }
    status = open_connection(f, false, camera);
    if (status == TF_EXIT_OK)
        status = follow(f);
out:
    for (size_t i = 0; i < TF_WATCH_CAMERAS_MAX + 1; i++)
        close_connection(&f->connections[i]);
    curl_multi_cleanup(f->multi);
    free(f);
    return status;
}
