/* thermoface record and mark: a running thermofaced is asked over HTTP. */
#include <curl/curl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/server.h"
#include "publish/http/http.h"

struct server {
    const char *url, *credentials, *token, *ca;
};

/* Asks; `body` NULL: GET. Returns an exit status; on success *ret is the answer, an object. */
static int ask(const struct tf_usage *usage, const struct server *server, const char *path, json_t *body,
               json_t **ret)
{
    struct tf_server_login login;
    char address[1024], *text = NULL;
    struct curl_slist *headers = NULL;
    struct tf_server_answer answer = {0};
    struct tf_error err = {0};
    size_t base = strlen(server->url);
    json_error_t problem;
    json_t *object = NULL;
    long http = 0;
    CURLcode code;
    CURL *curl;
    int status = TF_EXIT_FAILURE;

    while (base && server->url[base - 1] == '/')
        base--;
    if ((size_t)snprintf(address, sizeof(address), "%.*s%s", (int)base, server->url, path) >= sizeof(address))
        return tf_usage_error(usage, "--url: longer than %zu bytes", sizeof(address));
    if (tf_server_login_read(server->url, server->credentials, server->token, &login, &err))
        return tf_command_error(usage, "%s", err.text);
    curl = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_easy_init();
    if (body) {
        text = json_dumps(body, JSON_COMPACT);
        headers = curl_slist_append(NULL, "Content-Type: application/json");
    }
    if (!curl || (body && (!text || !headers))) {
        tf_command_error(usage, "out of memory");
        goto out;
    }
    tf_server_setup(curl, address, server->ca, &login);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    tf_server_keep(curl, &answer);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    }
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
    if (code != CURLE_OK) {
        const char *hint = tf_server_hint(code);

        tf_command_error(usage, "%s: %s%s", address, curl_easy_strerror(code),
                         *hint ? hint : "; is thermofaced running?");
        goto out;
    }
    if (http == 401) {
        tf_command_error(usage, "%s: user and password wanted; give --credentials FILE", address);
        goto out;
    }
    object = answer.text ? json_loadb(answer.text, answer.size, 0, &problem) : NULL;
    if (!json_is_object(object)) {
        tf_command_error(usage, "%s: %ld, and no JSON: not a thermofaced that records", address, http);
        goto out;
    }
    if (http != 200) {
        const char *why = json_string_value(json_object_get(object, "error"));

        tf_command_error(usage, "%s", why ? why : "refused");
        goto out;
    }
    *ret = json_incref(object);
    status = TF_EXIT_OK;

out:
    explicit_bzero(&login, sizeof(login));
    json_decref(object);
    free(answer.text);
    free(text);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static void print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
    putchar('\n');
}

static long long number(json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "?";
}

/* The sum over all cameras. */
static long long sum_of(json_t *object, const char *key)
{
    json_t *camera;
    long long n = 0;
    size_t i;

    json_array_foreach(json_object_get(object, "cameras"), i, camera) n += number(camera, key);
    return n;
}

/* What a session that is complete in itself has lost: 0 nothing. */
static int say_losses(const struct tf_usage *usage, json_t *object)
{
    long long driver = sum_of(object, "lost_driver"), capture = sum_of(object, "lost_capture");
    long long pictures = sum_of(object, "annotated_lost");
    int status = TF_EXIT_OK;

    if (driver + capture)
        status = tf_command_error(
            usage,
            "%lld frames were lost before they could be recorded: %lld by camera and driver, "
            "%lld for want of a processor or a buffer",
            driver + capture, driver, capture);
    if (pictures)
        status =
            tf_command_error(usage,
                             "%lld pictures are missing in the annotated video; raw frames and rows do not "
                             "depend on it, and 'thermoface run' makes it anew",
                             pictures);
    return status;
}

/* "12 not analysed, 3 queue": where a camera's pictures were lost. */
static void print_places(json_t *camera)
{
    const char *place, *gap = "";
    json_t *count;

    printf("  %s: %lld pictures are missing in the annotated video: ", text_of(camera, "camera"),
           number(camera, "annotated_lost"));
    json_object_foreach(json_object_get(camera, "annotated_lost_by"), place, count)
    {
        if (!json_integer_value(count))
            continue;
        printf("%s%lld %s", gap, (long long)json_integer_value(count), place);
        gap = ", ";
    }
    putchar('\n');
}

/* For people: the session in a line, then one for each camera. */
static void print_session(json_t *object)
{
    json_t *camera;
    size_t i;

    if (!json_object_get(object, "folder")) {
        puts(text_of(object, "state"));
        return;
    }
    printf("%s  %s/%s  %.1f s, %lld mark%s\n", text_of(object, "state"), text_of(object, "folder"),
           text_of(object, "name"), json_number_value(json_object_get(object, "seconds")),
           number(object, "marks"), TF_PLURAL(number(object, "marks")));
    json_array_foreach(json_object_get(object, "cameras"), i, camera)
    {
        printf("  %s: %s, %lld frame%s (%s, %.1f MB), %lld refused, %lld annotated\n",
               text_of(camera, "camera"), text_of(camera, "state"), number(camera, "frames"),
               TF_PLURAL(number(camera, "frames")), text_of(camera, "codec"),
               (double)number(camera, "bytes") / 1e6, number(camera, "refused"), number(camera, "annotated"));
        if (number(camera, "annotated_lost"))
            print_places(camera);
        if (json_object_get(camera, "error"))
            printf("  %s: %s\n", text_of(camera, "camera"), text_of(camera, "error"));
    }
}

struct start {
    const char *subject, *session, *task, *note;
    double emissivity, distance, reflected, room, humidity;
};

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, double value)
{
    if (isfinite(value))
        json_object_set_new(object, key, json_real(value));
}

static json_t *start_body(const struct start *s)
{
    json_t *body = json_object();

    set_text(body, "subject", s->subject);
    set_text(body, "session", s->session);
    set_text(body, "task", s->task);
    set_text(body, "note", s->note);
    set_number(body, "emissivity", s->emissivity);
    set_number(body, "distance_m", s->distance);
    set_number(body, "reflected_c", s->reflected);
    set_number(body, "room_c", s->room);
    set_number(body, "humidity_percent", s->humidity);
    return body;
}

/* What JSON cannot carry is said here, not left out. */
static int check_utf8(const struct tf_usage *usage, const char *name, const char *text)
{
    json_t *value = text ? json_string(text) : json_null();

    json_decref(value);
    return value ? TF_EXIT_OK : tf_usage_error(usage, "%s: not UTF-8", name);
}

int tf_cmd_record(int argc, char **argv)
{
    struct server server = {.url = "http://127.0.0.1:8080"};
    struct start s = {.emissivity = NAN, .distance = NAN, .reflected = NAN, .room = NAN, .humidity = NAN};
    bool json = false, is_start, is_stop;
    const struct tf_bind bind[] = {
        {"subject", &s.subject},
        {"session", &s.session},
        {"task", &s.task},
        {"note", &s.note},
        {"emissivity", &s.emissivity},
        {"distance", &s.distance},
        {"reflected", &s.reflected},
        {"room", &s.room},
        {"humidity", &s.humidity},
        {"url", &server.url},
        {"credentials", &server.credentials},
        {"token", &server.token},
        {"ca", &server.ca},
        {"json", &json},
        {0},
    };
    const struct tf_usage *usage = tf_command("record");
    const char *arguments[TF_ARGUMENTS_MAX], *state;
    json_t *body = NULL, *answer = NULL;
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    is_start = strcmp(arguments[0], "start") == 0;
    is_stop = strcmp(arguments[0], "stop") == 0;
    if (!is_start && !is_stop && strcmp(arguments[0], "status") != 0)
        return tf_usage_error(usage, "'%s': start, stop or status", arguments[0]);
    if (is_start && (!s.subject || !s.task))
        return tf_usage_error(usage, "start needs --subject and --task");
    if (!is_start && (s.subject || s.session || s.task || s.note))
        return tf_usage_error(usage, "--subject, --session, --task and --note belong to start");
    status = check_utf8(usage, "--note", s.note);
    if (status)
        return status;
    if (is_start)
        body = start_body(&s);
    else if (is_stop)
        body = json_object();
    status = ask(usage, &server,
                 is_start  ? "/record/start"
                 : is_stop ? "/record/stop"
                           : "/record",
                 body, &answer);
    json_decref(body);
    if (status)
        return status;
    if (json)
        print_json(answer);
    else
        print_session(answer);
    state = text_of(answer, "state");
    if (strcmp(state, "failed") == 0)
        status = tf_command_error(usage, "%s",
                                  json_object_get(answer, "error") ? text_of(answer, "error")
                                                                   : "the recording has failed");
    else if (is_stop)
        status = say_losses(usage, answer);
    if (is_stop && json_is_true(json_object_get(answer, "sealing")) && !json)
        puts("the digests of long files are still being taken ('record status' says how many)");
    json_decref(answer);
    return status;
}

int tf_cmd_mark(int argc, char **argv)
{
    struct server server = {.url = "http://127.0.0.1:8080"};
    const char *value = NULL;
    bool json = false;
    const struct tf_bind bind[] = {
        {"value", &value},  {"url", &server.url}, {"credentials", &server.credentials},
        {"ca", &server.ca}, {"json", &json},      {0},
    };
    const struct tf_usage *usage = tf_command("mark");
    const char *arguments[TF_ARGUMENTS_MAX];
    uint64_t asked_ns, answered_ns, stamp_ns;
    json_t *body, *answer = NULL;
    bool here;
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    status = check_utf8(usage, "TEXT", arguments[0]);
    if (!status)
        status = check_utf8(usage, "--value", value);
    if (status)
        return status;
    body = json_object();
    set_text(body, "text", arguments[0]);
    set_text(body, "value", value);
    asked_ns = tf_now_ns();
    status = ask(usage, &server, "/mark", body, &answer);
    answered_ns = tf_now_ns();
    json_decref(body);
    if (status)
        return status;
    /* On the recording computer itself the two clocks are one, and the delay of the stamp can be told. */
    stamp_ns = (uint64_t)json_integer_value(json_object_get(answer, "t_mono_ns"));
    here = stamp_ns >= asked_ns && stamp_ns <= answered_ns;
    if (json && here)
        json_object_set_new(answer, "latency_us", json_integer((json_int_t)((stamp_ns - asked_ns) / 1000)));
    if (json)
        print_json(answer);
    else
        printf("%.6f s  %s", json_number_value(json_object_get(answer, "onset")), text_of(answer, "t_utc"));
    if (!json && here)
        printf("  (%.2f ms after the call)", (double)(stamp_ns - asked_ns) / 1e6);
    if (!json)
        putchar('\n');
    json_decref(answer);
    return TF_EXIT_OK;
}
