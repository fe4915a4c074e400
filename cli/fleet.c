/*
 * thermoface fleet: one session on several computers. Each box is asked in a thread of its own; how far the
 * boxes' clocks are apart is measured over /clock as NTP does, and stored with each box's session.
 */
#include <curl/curl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/server.h"
#include "publish/http/http.h"

#define BOXES_MAX 32
#define ROUNDS 24 /* the quickest counts */

struct box {
    const char *url, *credentials, *ca;
    struct tf_server_login login;
    CURL *curl;
    struct tf_server_answer said;
    struct tf_error err; /* why it failed, or empty */
    /* What its clock says: mono = ours + offset, as sure as error. */
    char host[80];
    int64_t offset_ns, error_ns, utc_offset_ns;
    uint64_t measured_ns; /* by our clock */
    int synchronised;     /* 1, 0, -1: not known */
    int64_t clock_error_us;
    bool measured, started;
    json_t *answer; /* of the last request */
};

struct job {
    struct box *box;
    int (*work)(struct box *box, void *context);
    void *context;
    pthread_t thread;
    bool threaded;
};

static int fail(struct box *b, const char *what)
{
    return tf_fail(&b->err, -1, "%s", what);
}

/* Asks; `body` NULL: GET. b->answer is the answer, an object; 0 only with status 200. */
static int ask(struct box *b, const char *path, const json_t *body)
{
    char address[1024], *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct curl_slist *headers = NULL;
    const char *why;
    long http = 0;
    CURLcode code;

    json_decref(b->answer);
    b->answer = NULL;
    b->said.size = 0;
    if ((size_t)snprintf(address, sizeof(address), "%s%s", b->url, path) >= sizeof(address) ||
        (body && !text)) {
        free(text);
        return fail(b, "the address is too long");
    }
    tf_server_setup(b->curl, address, b->ca, &b->login);
    curl_easy_setopt(b->curl, CURLOPT_TIMEOUT, 60L);
    tf_server_keep(b->curl, &b->said);
    if (body) {
        headers = curl_slist_append(NULL, "Content-Type: application/json");
        curl_easy_setopt(b->curl, CURLOPT_POSTFIELDS, text);
    } else {
        curl_easy_setopt(b->curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(b->curl, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(b->curl);
    curl_easy_getinfo(b->curl, CURLINFO_RESPONSE_CODE, &http);
    curl_slist_free_all(headers);
    free(text);
    if (code != CURLE_OK)
        return tf_fail(&b->err, -1, "%s%s", curl_easy_strerror(code), tf_server_hint(code));
    if (http == 401)
        return fail(b, "user and password wanted; give --credentials FILE");
    b->answer = b->said.text ? json_loadb(b->said.text, b->said.size, 0, NULL) : NULL;
    if (!json_is_object(b->answer))
        return tf_fail(&b->err, -1, "%ld, and no JSON: not a thermofaced", http);
    why = json_string_value(json_object_get(b->answer, "error"));
    return http == 200 ? 0 : fail(b, why ? why : "refused");
}

static int64_t whole(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* --- clocks --- */

static int take_round(struct box *b, uint64_t sent, uint64_t received)
{
    int64_t came = whole(b->answer, "receive_t_mono_ns"), went = whole(b->answer, "send_t_mono_ns");
    int64_t delay = (int64_t)(received - sent) - (went - came);
    const json_t *clock = json_object_get(b->answer, "clock"), *is = json_object_get(clock, "synchronised");
    const char *host = json_string_value(json_object_get(b->answer, "host"));

    if (!came || went < came || delay < 0)
        return fail(b, "/clock: its times cannot be");
    if (b->measured && (delay + 1) / 2 >= b->error_ns)
        return 0;
    b->measured = true;
    b->error_ns = (delay + 1) / 2;
    b->offset_ns = ((came - (int64_t)sent) + (went - (int64_t)received)) / 2;
    b->measured_ns = sent + (received - sent) / 2;
    b->utc_offset_ns = whole(b->answer, "utc_offset_ns");
    b->synchronised = is ? json_is_true(is) : -1;
    b->clock_error_us = is ? whole(clock, "max_error_us") : -1;
    snprintf(b->host, sizeof(b->host), "%.79s", host && *host ? host : b->url);
    return 0;
}

/* The quickest of some requests over one connection; the first one, which makes it, is not slower for
 * nothing. */
static int measure(struct box *b, void *context)
{
    int r = 0;

    b->measured = false;
    for (int i = 0; i < ROUNDS && r == 0; i++) {
        uint64_t sent = tf_now_ns();

        r = ask(b, "/clock", NULL);
        if (r == 0)
            r = take_round(b, sent, tf_now_ns());
    }
    return r;
}

/* --- the boxes' work --- */

static int look(struct box *b, void *context)
{
    json_t *warning;
    size_t i;
    int r = measure(b, NULL);

    if (r == 0)
        r = ask(b, "/record/check", NULL);
    if (r < 0)
        return r;
    json_array_foreach(json_object_get(b->answer, "warnings"), i, warning)
    {
        const char *text = json_string_value(json_object_get(warning, "text"));

        if (json_is_true(json_object_get(warning, "refuses")))
            return fail(b, text ? text : "it cannot record now");
    }
    return 0;
}

static int start(struct box *b, void *context)
{
    int r = ask(b, "/record/start", context);

    b->started = r == 0;
    return r;
}

static int status(struct box *b, void *context)
{
    return ask(b, "/record", NULL);
}

static int stop(struct box *b, void *context)
{
    json_t *none = json_object();
    int r = ask(b, "/record/stop", none);

    json_decref(none);
    if (r == 0 && strcmp(json_string_value(json_object_get(b->answer, "state")) ?: "", "complete") != 0)
        return fail(b, json_string_value(json_object_get(b->answer, "error")) ?: "the recording has failed");
    return r;
}

static void *job_main(void *arg)
{
    struct job *j = arg;

    j->work(j->box, j->context);
    return NULL;
}

/* All boxes at once; those that have failed before are left alone. Returns how many have failed by then. */
static int together(struct box *boxes, int count, int (*work)(struct box *, void *), void *context)
{
    struct job jobs[BOXES_MAX];
    int failed = 0;

    for (int i = 0; i < count; i++) {
        jobs[i] = (struct job){.box = &boxes[i], .work = work, .context = context};
        if (!boxes[i].err.text[0])
            jobs[i].threaded = pthread_create(&jobs[i].thread, NULL, job_main, &jobs[i]) == 0;
        if (!boxes[i].err.text[0] && !jobs[i].threaded)
            work(&boxes[i], context);
    }
    for (int i = 0; i < count; i++) {
        if (jobs[i].threaded)
            pthread_join(jobs[i].thread, NULL);
        failed += boxes[i].err.text[0] != '\0';
    }
    return failed;
}

/* --- what is stored --- */

static json_t *row_about(const struct box *other, const struct box *mine)
{
    json_t *row = json_object();
    const char *session = json_string_value(json_object_get(other->answer, "name"));
    int64_t difference = (other->offset_ns + other->utc_offset_ns) - (mine->offset_ns + mine->utc_offset_ns);

    json_object_set_new(row, "box", json_string(other->host));
    if (session)
        json_object_set_new(row, "session", json_string(session));
    if (whole(other->answer, "t_start_mono_ns"))
        json_object_set_new(row, "t_start_mono_ns", json_integer(whole(other->answer, "t_start_mono_ns")));
    json_object_set_new(row, "t_mono_ns", json_integer((int64_t)mine->measured_ns + mine->offset_ns));
    json_object_set_new(row, "offset_ns", json_integer(mine->offset_ns - other->offset_ns));
    json_object_set_new(row, "error_ns", json_integer(mine->error_ns + other->error_ns));
    json_object_set_new(row, "utc_difference_ns", json_integer(difference));
    if (other->synchronised >= 0)
        json_object_set_new(row, "synchronised", json_boolean(other->synchronised));
    return row;
}

struct stored {
    const struct box *boxes;
    int count;
    json_t *rows[BOXES_MAX]; /* of each box: an array */
};

static int store(struct box *b, void *context)
{
    const struct stored *s = context;
    json_t *rows = s->rows[b - s->boxes], *row;
    json_t *kept = json_incref(b->answer);
    size_t i;
    int r = 0;

    json_array_foreach(rows, i, row)
    {
        if (r == 0)
            r = ask(b, "/record/fleet", row);
    }
    json_decref(b->answer);
    b->answer = kept;
    return r;
}

static bool records(const struct box *b)
{
    return b->measured && !b->err.text[0] && json_object_get(b->answer, "name");
}

/* Each box that records learns of each other one that is measured and records. */
static int store_all(struct box *boxes, int count)
{
    struct stored s = {.boxes = boxes, .count = count};
    int failed;

    for (int i = 0; i < count; i++) {
        s.rows[i] = json_array();
        for (int k = 0; k < count; k++)
            if (k != i && records(&boxes[i]) && records(&boxes[k]))
                json_array_append_new(s.rows[i], row_about(&boxes[k], &boxes[i]));
    }
    failed = together(boxes, count, store, &s);
    for (int i = 0; i < count; i++)
        json_decref(s.rows[i]);
    return failed;
}

/* --- what is said --- */

static int say_failed(const struct tf_usage *usage, const struct box *boxes, int count)
{
    int result = TF_EXIT_OK;

    for (int i = 0; i < count; i++)
        if (boxes[i].err.text[0])
            result = tf_command_error(usage, "%s: %s", boxes[i].url, boxes[i].err.text);
    return result;
}

static void print_boxes(const struct box *boxes, int count, bool json)
{
    json_t *all = json_array();

    for (int i = 0; i < count; i++) {
        const struct box *b = &boxes[i];
        const char *state = json_string_value(json_object_get(b->answer, "state"));
        const char *folder = json_string_value(json_object_get(b->answer, "folder"));
        const char *name = json_string_value(json_object_get(b->answer, "name"));
        json_t *o =
            json_pack("{s:s,s:s?,s:o,s:o}", "url", b->url, "error", b->err.text[0] ? b->err.text : NULL,
                      "record", b->answer ? json_incref(b->answer) : json_null(), "clock",
                      b->measured ? json_pack("{s:s,s:I,s:I,s:I}", "host", b->host, "offset_ns",
                                              (json_int_t)(b->offset_ns - boxes[0].offset_ns), "error_ns",
                                              (json_int_t)(b->error_ns + (i ? boxes[0].error_ns : 0)),
                                              "max_error_us", (json_int_t)b->clock_error_us)
                                  : json_null());

        json_array_append_new(all, o);
        if (json)
            continue;
        printf("%s  %s", b->measured ? b->host : b->url, b->err.text[0] ? "FAILED" : state ? state : "?");
        if (folder && name && !b->err.text[0])
            printf("  %s/%s", folder, name);
        if (b->measured)
            printf("  clock %+.3f ms +- %.3f ms%s", (double)(b->offset_ns - boxes[0].offset_ns) / 1e6,
                   (double)(b->error_ns + (i ? boxes[0].error_ns : 0)) / 1e6,
                   b->synchronised == 0 ? ", UTC not synchronised" : "");
        putchar('\n');
    }
    if (json) {
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(all);
}

/* --- the commands --- */

/* The starts, brought to one clock, lie so far apart. */
static double spread_ms(const struct box *boxes, int count)
{
    int64_t first = INT64_MAX, last = INT64_MIN;

    for (int i = 0; i < count; i++) {
        int64_t at = whole(boxes[i].answer, "t_start_mono_ns") - boxes[i].offset_ns;

        if (boxes[i].err.text[0] || !boxes[i].started)
            continue;
        first = at < first ? at : first;
        last = at > last ? at : last;
    }
    return last >= first ? (double)(last - first) / 1e6 : 0;
}

static int start_all(const struct tf_usage *usage, struct box *boxes, int count, json_t *body,
                     bool keep_going, bool json)
{
    int failed = together(boxes, count, look, NULL), result;

    if (failed == count || (failed && !keep_going)) {
        say_failed(usage, boxes, count);
        return tf_command_error(usage,
                                "nothing was started: %d of %d boxes cannot record; mend that, or give "
                                "--keep-going to record with the others",
                                failed, count);
    }
    failed = together(boxes, count, start, body);
    if (failed && !keep_going) {
        result = say_failed(usage, boxes, count);
        for (int i = 0; i < count; i++)
            if (boxes[i].started)
                stop(&boxes[i], NULL);
        return tf_command_error(usage,
                                "the other boxes were stopped again; what they have recorded since stays "
                                "in their folders. --keep-going records with those that can");
    }
    store_all(boxes, count);
    result = say_failed(usage, boxes, count);
    print_boxes(boxes, count, json);
    if (!json)
        printf("the starts lie %.1f ms apart; fleet.tsv in each session's folder has the offsets\n",
               spread_ms(boxes, count));
    return result;
}

static int stop_all(const struct tf_usage *usage, struct box *boxes, int count, bool json)
{
    int result;

    /* Once more while all record: what their clocks have drifted since. A box that cannot be measured is
     * stopped all the same. */
    together(boxes, count, measure, NULL);
    together(boxes, count, status, NULL);
    store_all(boxes, count);
    result = say_failed(usage, boxes, count);
    for (int i = 0; i < count; i++)
        boxes[i].err.text[0] = '\0';
    together(boxes, count, stop, NULL);
    result |= say_failed(usage, boxes, count);
    print_boxes(boxes, count, json);
    return result;
}

static int show_all(const struct tf_usage *usage, struct box *boxes, int count, bool json)
{
    int result;

    together(boxes, count, measure, NULL);
    together(boxes, count, status, NULL);
    result = say_failed(usage, boxes, count);
    print_boxes(boxes, count, json);
    return result;
}

static int open_boxes(const struct tf_usage *usage, struct box *boxes, const char *const *urls, int count,
                      const char *credentials, const char *ca)
{
    struct tf_error err = {0};

    for (int i = 0; i < count; i++) {
        boxes[i] = (struct box){.url = urls[i], .ca = ca, .synchronised = -1};
        for (int k = 0; k < i; k++)
            if (strcmp(urls[k], urls[i]) == 0)
                return tf_usage_error(usage, "%s is named twice", urls[i]);
        if (strncmp(urls[i], "http://", 7) != 0 && strncmp(urls[i], "https://", 8) != 0)
            return tf_usage_error(usage, "'%s': expected http://HOST:PORT or https://HOST:PORT", urls[i]);
        if (urls[i][strlen(urls[i]) - 1] == '/')
            return tf_usage_error(usage, "'%s': without a slash at the end", urls[i]);
        if (tf_server_login_read(urls[i], credentials, NULL, &boxes[i].login, &err))
            return tf_command_error(usage, "%s", err.text);
        boxes[i].curl = curl_easy_init();
        if (!boxes[i].curl)
            return tf_command_error(usage, "out of memory");
    }
    return TF_EXIT_OK;
}

static json_t *start_body(const char *subject, const char *session, const char *task, const char *note)
{
    json_t *body = json_object();

    json_object_set_new(body, "subject", json_string(subject));
    json_object_set_new(body, "task", json_string(task));
    if (session)
        json_object_set_new(body, "session", json_string(session));
    if (note)
        json_object_set_new(body, "note", json_string(note));
    return body;
}

int tf_cmd_fleet(int argc, char **argv)
{
    const char *subject = NULL, *session = NULL, *task = NULL, *note = NULL, *credentials = NULL, *ca = NULL;
    bool json = false, keep_going = false, is_start;
    const struct tf_bind bind[] = {
        {"subject", &subject},
        {"session", &session},
        {"task", &task},
        {"note", &note},
        {"ca", &ca},
        {"credentials", &credentials},
        {"json", &json},
        {"keep-going", &keep_going},
        {0},
    };
    const struct tf_usage *usage = tf_command("fleet");
    const char *arguments[TF_ARGUMENTS_MAX] = {0};
    static struct box boxes[BOXES_MAX];
    int result, count = 0;
    json_t *body = NULL;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &result))
        return result;
    is_start = strcmp(arguments[0], "start") == 0;
    if (!is_start && strcmp(arguments[0], "stop") != 0 && strcmp(arguments[0], "status") != 0)
        return tf_usage_error(usage, "'%s': start, stop or status", arguments[0]);
    if (is_start && (!subject || !task))
        return tf_usage_error(usage, "start needs --subject and --task");
    if (!is_start && (subject || session || task || note || keep_going))
        return tf_usage_error(usage, "--subject, --session, --task, --note and --keep-going belong to start");
    while (count < BOXES_MAX && arguments[1 + count])
        count++;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    result = open_boxes(usage, boxes, arguments + 1, count, credentials, ca);
    if (result)
        goto out;
    if (is_start) {
        body = start_body(subject, session, task, note);
        result = start_all(usage, boxes, count, body, keep_going, json);
    } else if (strcmp(arguments[0], "stop") == 0) {
        result = stop_all(usage, boxes, count, json);
    } else {
        result = show_all(usage, boxes, count, json);
    }
out:
    json_decref(body);
    for (int i = 0; i < count; i++) {
        curl_easy_cleanup(boxes[i].curl);
        explicit_bzero(&boxes[i].login, sizeof(boxes[i].login));
        json_decref(boxes[i].answer);
        free(boxes[i].said.text);
    }
    return result;
}
