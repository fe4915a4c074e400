/* thermoface watch: follows /landmarks of a running thermofaced; one readable line a second, reconnecting for
 * ever. */
#include <curl/curl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "publish/http/http.h"

/* A record of 8 faces is some 40 kB; a line beyond this is not from thermofaced. */
#define LINE_MAX_BYTES (1u << 20)
#define WAIT_FIRST_MS 250
#define WAIT_MAX_MS 5000

struct watch {
    const char *url, *camera;
    bool json;
    uint64_t end_ns; /* 0 = until Ctrl-C */

    char *line;
    size_t length;
    bool line_too_long;
    char body[256]; /* the beginning of an answer that is no stream */
    CURL *curl;
    long http_status;

    /* Since the last line written. */
    uint64_t line_ns;
    unsigned records;
    uint64_t records_total, gaps, next_frame;
    bool has_next;
};

static double region_mean(json_t *face, const char *name)
{
    json_t *region = json_object_get(json_object_get(face, "regions"), name);
    json_t *mean = json_object_get(region, "mean");
    return json_is_true(json_object_get(region, "valid")) && json_is_number(mean) ? json_number_value(mean)
                                                                                  : NAN;
}

static void print_temperature(const char *name, double value, bool celsius)
{
    if (!isfinite(value))
        printf("  %s -", name);
    else if (celsius)
        printf("  %s %.1f °C", name, value);
    else
        printf("  %s %.0f counts", name, value);
}

static void print_line(struct watch *w, json_t *record, uint64_t now)
{
    json_t *faces = json_object_get(record, "faces"), *latency = json_object_get(record, "latency_us");
    json_t *dropped = json_object_get(record, "dropped"), *face = json_array_get(faces, 0);
    const char *unit = json_string_value(json_object_get(record, "unit"));
    const char *state = json_string_value(json_object_get(record, "state"));
    const char *camera = json_string_value(json_object_get(record, "camera"));
    bool celsius = unit && !strcmp(unit, "celsius");
    json_int_t lost = 0;
    const char *key;
    json_t *value;
    char clock[16];
    time_t t = time(NULL);
    struct tm tm;

    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&t, &tm));
    json_object_foreach(dropped, key, value) lost += json_integer_value(value);
    printf("%s  %s  frame %lld  %s", clock, camera ? camera : "?",
           (long long)json_integer_value(json_object_get(record, "frame")), state ? state : "?");
    if (w->line_ns)
        printf("  %.1f fps", w->records * 1e9 / (double)(now - w->line_ns));
    if (json_is_integer(latency))
        printf("  %.1f ms", (double)json_integer_value(latency) / 1000);
    printf("  %zu face%s", json_array_size(faces), json_array_size(faces) == 1 ? "" : "s");
    if (face) {
        print_temperature("nose", region_mean(face, "nose_tip"), celsius);
        print_temperature("forehead", region_mean(face, "forehead"), celsius);
    }
    printf("  dropped %lld", (long long)lost);
    if (w->gaps)
        printf("  missed here %llu", (unsigned long long)w->gaps);
    putchar('\n');
    fflush(stdout);
}

static void take_record(struct watch *w, const char *text, size_t length)
{
    uint64_t now = tf_now_ns(), frame;
    json_error_t error;
    json_t *record;

    w->records++;
    w->records_total++;
    if (w->json) {
        fwrite(text, 1, length, stdout);
        putchar('\n');
        fflush(stdout);
        return;
    }
    record = json_loadb(text, length, 0, &error);
    if (!json_is_object(record)) {
        fprintf(stderr, "thermoface watch: %s: not a record (%s); is this a thermofaced?\n", w->url,
                error.text);
        json_decref(record);
        return;
    }
    /* What this client's queue lost: the stream itself has no holes. */
    frame = (uint64_t)json_integer_value(json_object_get(record, "frame"));
    if (w->has_next && frame > w->next_frame)
        w->gaps += frame - w->next_frame;
    w->next_frame = frame + 1;
    w->has_next = true;
    if (now - w->line_ns >= 1000000000ull) {
        print_line(w, record, now);
        w->line_ns = now;
        w->records = 0;
    }
    json_decref(record);
}

static size_t on_data(char *data, size_t one, size_t size, void *context)
{
    struct watch *w = context;
    size_t n = one * size;

    if (!w->http_status)
        curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &w->http_status);
    if (w->http_status != 200) {
        size_t have = strlen(w->body), room = sizeof(w->body) - 1 - have;
        memcpy(w->body + have, data, n < room ? n : room);
        return n;
    }
    for (size_t i = 0; i < n;) {
        char *end = memchr(data + i, '\n', n - i);
        size_t part = end ? (size_t)(end - data) - i : n - i;
        if (w->length + part > LINE_MAX_BYTES)
            w->line_too_long = true;
        if (w->line_too_long)
            return 0;
        memcpy(w->line + w->length, data + i, part);
        w->length += part;
        if (end) {
            if (w->length)
                take_record(w, w->line, w->length);
            w->length = 0;
        }
        i += part + (end ? 1 : 0);
    }
    return n;
}

/* Called about once a second and on every arrival: ends the transfer when the person or the clock says so. */
static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct watch *w = context;
    (void)a, (void)b, (void)c, (void)d;
    return tf_interrupted() || (w->end_ns && tf_now_ns() >= w->end_ns) || ferror(stdout);
}

static bool over(const struct watch *w)
{
    return on_progress((void *)w, 0, 0, 0, 0) != 0;
}

static int follow(const struct tf_usage *usage, struct watch *w, const char *address)
{
    unsigned wait_ms = WAIT_FIRST_MS;
    bool said = false;

    while (!over(w)) {
        uint64_t before = w->records_total;
        CURLcode code;

        w->http_status = 0;
        w->length = 0;
        memset(w->body, 0, sizeof(w->body));
        w->has_next = false;
        code = curl_easy_perform(w->curl);
        curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &w->http_status);
        if (over(w))
            break;
        if (w->line_too_long)
            return tf_command_error(usage, "%s: a line of more than %u bytes: not a thermofaced", address,
                                    LINE_MAX_BYTES);
        if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
            return tf_command_error(usage, "%s: %s; expected http://HOST:PORT", w->url,
                                    curl_easy_strerror(code));
        if (w->http_status == 401)
            return tf_command_error(usage, "%s: user and password wanted; give --credentials FILE", address);
        if (w->http_status >= 400 && w->http_status < 500) {
            w->body[strcspn(w->body, "\r\n")] = 0;
            return tf_command_error(usage, "%s: %ld %s", address, w->http_status, w->body);
        }
        if (w->records_total > before) {
            wait_ms = WAIT_FIRST_MS;
            said = false;
        }
        if (!said) {
            fprintf(stderr, "thermoface watch: %s: %s; trying again until it answers (Ctrl-C ends)\n",
                    address,
                    code != CURLE_OK        ? curl_easy_strerror(code)
                    : w->http_status != 200 ? "not ready"
                                            : "the stream ended");
            said = true;
        }
        for (uint64_t until = tf_now_ns() + wait_ms * 1000000ull; !over(w) && tf_now_ns() < until;)
            tf_sleep_until_ns(tf_now_ns() + 50000000ull);
        wait_ms = wait_ms * 2 < WAIT_MAX_MS ? wait_ms * 2 : WAIT_MAX_MS;
    }
    if (!w->records_total)
        return tf_command_error(usage, "%s: no record came; is thermofaced running?", address);
    return TF_EXIT_OK;
}

int tf_cmd_watch(int argc, char **argv)
{
    struct watch w = {.url = "http://127.0.0.1:8080"};
    const char *credentials = NULL;
    uint64_t seconds = 0;
    const struct tf_bind bind[] = {
        {"camera", &w.camera}, {"url", &w.url},       {"credentials", &credentials},
        {"json", &w.json},     {"seconds", &seconds}, {0},
    };
    const struct tf_usage *usage = tf_command("watch");
    const char *arguments[TF_ARGUMENTS_MAX];
    char address[1024], user[64], password[128];
    struct tf_error err = {0};
    char *name = NULL;
    size_t base;
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    if (credentials && tf_credentials_read(credentials, user, password, &err))
        return tf_command_error(usage, "%s", err.text);
    tf_catch_interrupt();
    if (seconds)
        w.end_ns = tf_now_ns() + seconds * 1000000000ull;
    w.line = malloc(LINE_MAX_BYTES);
    w.curl = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_easy_init();
    if (!w.line || !w.curl) {
        status = tf_command_error(usage, "out of memory");
        goto fail;
    }
    if (w.camera) {
        name = curl_easy_escape(w.curl, w.camera, 0);
        if (!name) {
            status = tf_command_error(usage, "out of memory");
            goto fail;
        }
    }
    for (base = strlen(w.url); base && w.url[base - 1] == '/';)
        base--;
    if ((size_t)snprintf(address, sizeof(address), "%.*s/landmarks%s%s", (int)base, w.url,
                         name ? "?camera=" : "", name ? name : "") >= sizeof(address)) {
        status = tf_usage_error(usage, "--url: longer than %zu bytes", sizeof(address));
        goto fail;
    }
    curl_easy_setopt(w.curl, CURLOPT_URL, address);
    curl_easy_setopt(w.curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(w.curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(w.curl, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(w.curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(w.curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(w.curl, CURLOPT_WRITEDATA, &w);
    curl_easy_setopt(w.curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(w.curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(w.curl, CURLOPT_XFERINFODATA, &w);
    if (credentials) {
        curl_easy_setopt(w.curl, CURLOPT_HTTPAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST));
        curl_easy_setopt(w.curl, CURLOPT_USERNAME, user);
        curl_easy_setopt(w.curl, CURLOPT_PASSWORD, password);
    }
    status = follow(usage, &w, address);

fail:
    curl_free(name);
    curl_easy_cleanup(w.curl);
    free(w.line);
    return status;
}
