/* Faces that two cameras of a running thermofaced see, for `thermoface calibrate live`. */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/calibrate.h"
#include "cli/server.h"
#include "cli/commands.h"
#include "publish/http/http.h"

#define LINE_MAX_BYTES (1u << 20)

struct stream {
    CURL *curl;
    struct tf_sightings *sightings; /* NULL: a whole answer is collected */
    char *text;
    size_t length;
    int result;
    struct tf_error err;
};

struct live {
    const struct tf_sightings_live *options;
    struct tf_server_login login;
};

static size_t on_data(char *data, size_t one, size_t size, void *context)
{
    struct stream *s = context;
    size_t n = one * size;

    for (size_t i = 0; i < n;) {
        char *end = s->sightings ? memchr(data + i, '\n', n - i) : NULL;
        size_t part = end ? (size_t)(end - data) - i : n - i;

        if (s->length + part > LINE_MAX_BYTES) {
            s->result =
                tf_fail(&s->err, -EINVAL, "a line of more than %u bytes: not a thermofaced", LINE_MAX_BYTES);
            return 0;
        }
        memcpy(s->text + s->length, data + i, part);
        s->length += part;
        i += part + (end ? 1 : 0);
        if (!end)
            continue;
        if (s->length)
            s->result = tf_sightings_add_line(s->sightings, s->text, s->length, &s->err);
        s->length = 0;
        if (s->result < 0)
            return 0;
    }
    return n;
}

static int open_stream(struct stream *s, const struct live *live, const char *path, struct tf_error *err)
{
    size_t base = strlen(live->options->url);
    char address[1024];

    while (base && live->options->url[base - 1] == '/')
        base--;
    if ((size_t)snprintf(address, sizeof(address), "%.*s%s", (int)base, live->options->url, path) >=
        sizeof(address))
        return tf_fail(err, -EINVAL, "--url: longer than %zu bytes", sizeof(address));
    s->text = malloc(LINE_MAX_BYTES + 1);
    s->curl = curl_easy_init();
    if (!s->text || !s->curl)
        return tf_fail(err, -ENOMEM, "out of memory");
    tf_server_setup(s->curl, address, live->options->ca, &live->login);
    curl_easy_setopt(s->curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
    return 0;
}

static void close_stream(struct stream *s)
{
    curl_easy_cleanup(s->curl);
    free(s->text);
}

static int say(const struct tf_sightings_live *options, CURLcode code, struct tf_error *err)
{
    if (*tf_server_hint(code))
        return tf_fail(err, -EIO, "%s: %s%s", options->url, curl_easy_strerror(code), tf_server_hint(code));
    return tf_fail(err, -EIO, "%s: %s; is thermofaced running, and does it have the cameras %s and %s?",
                   options->url, curl_easy_strerror(code), options->cameras[0], options->cameras[1]);
}

static int read_sizes(const struct live *live, struct tf_sightings sightings[2], struct tf_error *err)
{
    struct stream s = {0};
    json_t *root = NULL, *camera;
    json_error_t problem;
    CURLcode code;
    size_t i;
    int r = open_stream(&s, live, "/state", err);

    if (r < 0)
        goto out;
    curl_easy_setopt(s.curl, CURLOPT_TIMEOUT, 10L);
    code = curl_easy_perform(s.curl);
    if (code != CURLE_OK) {
        r = say(live->options, code, err);
        goto out;
    }
    root = json_loadb(s.text, s.length, 0, &problem);
    json_array_foreach(json_object_get(root, "cameras"), i, camera)
    {
        const char *name = json_string_value(json_object_get(camera, "camera"));

        for (int k = 0; k < 2 && name; k++)
            if (strcmp(name, live->options->cameras[k]) == 0) {
                sightings[k].width = (uint32_t)json_integer_value(json_object_get(camera, "width"));
                sightings[k].height = (uint32_t)json_integer_value(json_object_get(camera, "height"));
            }
    }
    for (int k = 0; k < 2 && r == 0; k++)
        if (!sightings[k].width || !sightings[k].height)
            r = tf_fail(err, -EINVAL, "%s: there is no camera \"%s\", or it has not delivered yet",
                        live->options->url, live->options->cameras[k]);

out:
    json_decref(root);
    close_stream(&s);
    return r;
}

static int follow(const struct live *live, struct stream streams[2], struct tf_error *err)
{
    uint64_t end = tf_now_ns() + live->options->seconds * TF_NS_PER_S;
    CURLM *multi = curl_multi_init();
    int running = 2, r = 0, left;
    CURLMsg *message;

    if (!multi)
        return tf_fail(err, -ENOMEM, "out of memory");
    for (int k = 0; k < 2; k++)
        curl_multi_add_handle(multi, streams[k].curl);
    while (r == 0 && tf_now_ns() < end && !tf_interrupted()) {
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            r = tf_fail(err, -EIO, "%s: the transfer failed", live->options->url);
        while (r == 0 && (message = curl_multi_info_read(multi, &left)))
            if (message->msg == CURLMSG_DONE)
                r = say(live->options, message->data.result, err);
        for (int k = 0; k < 2; k++)
            if (streams[k].result < 0) {
                r = streams[k].result;
                if (err)
                    *err = streams[k].err;
            }
        if (r == 0)
            curl_multi_poll(multi, NULL, 0, 200, NULL);
    }
    for (int k = 0; k < 2; k++)
        curl_multi_remove_handle(multi, streams[k].curl);
    curl_multi_cleanup(multi);
    return r;
}

int tf_sightings_watch_live(struct tf_sightings sightings[2], const struct tf_sightings_live *options,
                            struct tf_error *err)
{
    struct live live = {.options = options};
    struct stream streams[2] = {{.sightings = &sightings[0]}, {.sightings = &sightings[1]}};
    int r = tf_server_login_read(options->url, options->credentials, options->token, &live.login, err);

    if (r == 0 && curl_global_init(CURL_GLOBAL_DEFAULT))
        r = tf_fail(err, -ENOMEM, "out of memory");
    if (r == 0)
        r = read_sizes(&live, sightings, err);
    for (int k = 0; k < 2 && r == 0; k++) {
        char path[128];

        /* Names of cameras need no escapes: the daemon would not have others. */
        snprintf(path, sizeof(path), "/landmarks?camera=%.64s", options->cameras[k]);
        r = open_stream(&streams[k], &live, path, err);
    }
    if (r == 0)
        r = follow(&live, streams, err);
    for (int k = 0; k < 2; k++)
        close_stream(&streams[k]);
    explicit_bzero(&live, sizeof(live));
    return r;
}
