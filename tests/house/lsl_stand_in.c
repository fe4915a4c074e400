/*
 * A stand-in for liblsl with the names of its C functions: writes what it is called with into a file and
 * plays marker streams from others. For tests; no network. The folder is $TF_LSL_STAND_IN:
 *
 *   calls          written: an object a line of what makes, describes and sends streams
 *   clock          seconds that lsl_local_clock is ahead of CLOCK_MONOTONIC
 *   streams        what a resolver finds: UID NAME SOURCE_ID HOST CHANNELS RATE CORRECTION, tabs between
 *   markers-UID    what is received: STAMP and a channel in hexadecimal each, blanks between ("-": empty)
 *   lost-UID       there: the stream is lost; deaf-UID: its clock does not answer
 *   readers        there: somebody reads all of our streams
 *   hang           there: sending does not return
 */
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define LINE (64 * 1024)

struct stream_info {
    char name[128], type[32], source_id[256], host[128], uid[64];
    int32_t channels;
    double rate, correction;
};

struct inlet {
    struct stream_info info;
    long at;
};

/* An element of a description: the path to it. */
struct element {
    char path[256];
    struct element *next;
};

EXPORT int32_t lsl_library_version(void);
EXPORT double lsl_local_clock(void);
EXPORT void *lsl_create_streaminfo(const char *name, const char *type, int32_t channels, double rate,
                                   int32_t format, const char *source_id);
EXPORT void lsl_destroy_streaminfo(struct stream_info *info);
EXPORT const char *lsl_get_name(struct stream_info *info);
EXPORT const char *lsl_get_type(struct stream_info *info);
EXPORT const char *lsl_get_source_id(struct stream_info *info);
EXPORT const char *lsl_get_hostname(struct stream_info *info);
EXPORT const char *lsl_get_uid(struct stream_info *info);
EXPORT int32_t lsl_get_channel_count(struct stream_info *info);
EXPORT double lsl_get_nominal_srate(struct stream_info *info);
EXPORT void *lsl_get_desc(struct stream_info *info);
EXPORT void *lsl_append_child(void *element, const char *name);
EXPORT void *lsl_append_child_value(void *element, const char *name, const char *value);
EXPORT void *lsl_create_outlet(struct stream_info *info, int32_t chunk, int32_t buffered);
EXPORT void lsl_destroy_outlet(struct stream_info *outlet);
EXPORT int32_t lsl_have_consumers(void *outlet);
EXPORT int32_t lsl_push_sample_ftp(struct stream_info *outlet, const float *data, double stamp,
                                   int32_t through);
EXPORT int32_t lsl_push_sample_dtp(struct stream_info *outlet, const double *data, double stamp,
                                   int32_t through);
EXPORT int32_t lsl_push_sample_strtp(struct stream_info *outlet, const char **data, double stamp,
                                     int32_t through);
EXPORT void *lsl_create_inlet(struct stream_info *info, int32_t buffered, int32_t chunk, int32_t recover);
EXPORT void lsl_destroy_inlet(struct inlet *inlet);
EXPORT void lsl_open_stream(struct inlet *inlet, double timeout, int32_t *error);
EXPORT double lsl_time_correction(struct inlet *inlet, double timeout, int32_t *error);
EXPORT double lsl_pull_sample_buf(struct inlet *inlet, char **data, uint32_t *lengths, int32_t count,
                                  double timeout, int32_t *error);
EXPORT void *lsl_create_continuous_resolver_bypred(const char *predicate, double forget_after);
EXPORT int32_t lsl_resolver_results(void *resolver, void **infos, uint32_t count);
EXPORT void lsl_destroy_continuous_resolver(void *resolver);
EXPORT void lsl_destroy_string(char *text);

static const char *file(const char *name, const char *uid, char path[512])
{
    const char *folder = getenv("TF_LSL_STAND_IN");

    snprintf(path, 512, "%s/%s%s", folder ? folder : "/nowhere", name, uid);
    return path;
}

static int there(const char *name, const char *uid)
{
    char path[512];

    return access(file(name, uid, path), F_OK) == 0;
}

static void doze(double seconds)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(fmod(seconds, 1) * 1e9)}, NULL);
}

/* A line is written at once: threads do not mix. */
static void write_call(const char *text, size_t size)
{
    char path[512];
    int fd = open(file("calls", "", path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, text, size) != (ssize_t)size)
        abort();
    close(fd);
}

/* As a JSON string. */
static size_t quote(char *at, const char *text)
{
    size_t n = 0;

    at[n++] = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            at[n++] = '\\';
        at[n++] = *text;
    }
    at[n++] = '"';
    return n;
}

static void call(const char *what, const char *first, const char *second, const char *third)
{
    const char *const texts[] = {what, first, second, third};
    char line[8192];
    size_t n = 0;

    line[n++] = '[';
    for (int i = 0; i < 4 && texts[i]; i++) {
        if (i)
            line[n++] = ',';
        n += quote(line + n, texts[i]);
    }
    line[n++] = ']';
    line[n++] = '\n';
    write_call(line, n);
}

int32_t lsl_library_version(void)
{
    return 116;
}

double lsl_local_clock(void)
{
    char path[512];
    struct timespec now;
    double ahead = 0;
    FILE *f = fopen(file("clock", "", path), "re");

    if (f && fscanf(f, "%lf", &ahead) != 1)
        ahead = 0;
    if (f)
        fclose(f);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9 + ahead;
}

void *lsl_create_streaminfo(const char *name, const char *type, int32_t channels, double rate, int32_t format,
                            const char *source_id)
{
    struct stream_info *info = calloc(1, sizeof(*info));
    char numbers[64];

    snprintf(info->name, sizeof(info->name), "%s", name);
    snprintf(info->type, sizeof(info->type), "%s", type);
    snprintf(info->source_id, sizeof(info->source_id), "%s", source_id);
    info->channels = channels;
    snprintf(numbers, sizeof(numbers), "%d %g %d", channels, rate, format);
    call("info", source_id, type, numbers);
    return info;
}

void lsl_destroy_streaminfo(struct stream_info *info)
{
    free(info);
}

const char *lsl_get_name(struct stream_info *info)
{
    return info->name;
}

const char *lsl_get_type(struct stream_info *info)
{
    return info->type;
}

const char *lsl_get_source_id(struct stream_info *info)
{
    return info->source_id;
}

const char *lsl_get_hostname(struct stream_info *info)
{
    return info->host;
}

const char *lsl_get_uid(struct stream_info *info)
{
    return info->uid;
}

int32_t lsl_get_channel_count(struct stream_info *info)
{
    return info->channels;
}

double lsl_get_nominal_srate(struct stream_info *info)
{
    return info->rate;
}

/* Kept until the end of the program, as the elements of one are used one after the other. */
static struct element *elements;

static struct element *new_element(const char *path, const char *name)
{
    struct element *e = calloc(1, sizeof(*e));

    snprintf(e->path, sizeof(e->path), "%.180s/%.60s", path, name);
    do
        e->next = __atomic_load_n(&elements, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(&elements, &e->next, e, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    return e;
}

void *lsl_get_desc(struct stream_info *info)
{
    return new_element(info->name, "desc");
}

void *lsl_append_child(void *element, const char *name)
{
    return new_element(((struct element *)element)->path, name);
}

void *lsl_append_child_value(void *element, const char *name, const char *value)
{
    call("value", ((struct element *)element)->path, name, value);
    return element;
}

void *lsl_create_outlet(struct stream_info *info, int32_t chunk, int32_t buffered)
{
    struct stream_info *outlet = malloc(sizeof(*outlet));

    *outlet = *info;
    call("outlet", info->name, NULL, NULL);
    return outlet;
}

void lsl_destroy_outlet(struct stream_info *outlet)
{
    call("end", outlet->name, NULL, NULL);
    free(outlet);
}

int32_t lsl_have_consumers(void *outlet)
{
    return there("readers", "");
}

static void hang(void)
{
    while (there("hang", ""))
        doze(0.01);
}

static int32_t push(const struct stream_info *outlet, const float *floats, const double *doubles,
                    double stamp)
{
    char *line = malloc(LINE);
    int n = snprintf(line, LINE, "[\"push\",\"%s\",%.9f,[", outlet->name, stamp);

    hang();
    for (int i = 0; i < outlet->channels; i++) {
        double v = floats ? (double)floats[i] : doubles[i];

        n += isnan(v) ? snprintf(line + n, LINE - (size_t)n, "%snull", i ? "," : "")
                      : snprintf(line + n, LINE - (size_t)n, "%s%.9g", i ? "," : "", v);
    }
    n += snprintf(line + n, LINE - (size_t)n, "]]\n");
    write_call(line, (size_t)n);
    free(line);
    return 0;
}

int32_t lsl_push_sample_ftp(struct stream_info *outlet, const float *data, double stamp, int32_t through)
{
    return push(outlet, data, NULL, stamp);
}

int32_t lsl_push_sample_dtp(struct stream_info *outlet, const double *data, double stamp, int32_t through)
{
    return push(outlet, NULL, data, stamp);
}

int32_t lsl_push_sample_strtp(struct stream_info *outlet, const char **data, double stamp, int32_t through)
{
    char line[8192];
    size_t n = (size_t)snprintf(line, sizeof(line), "[\"push\",\"%s\",%.9f,[", outlet->name, stamp);

    hang();
    n += quote(line + n, data[0]);
    memcpy(line + n, "]]\n", 3);
    write_call(line, n + 3);
    return 0;
}

void *lsl_create_inlet(struct stream_info *info, int32_t buffered, int32_t chunk, int32_t recover)
{
    struct inlet *inlet = calloc(1, sizeof(*inlet));

    inlet->info = *info;
    call("inlet", info->uid, NULL, NULL);
    return inlet;
}

void lsl_destroy_inlet(struct inlet *inlet)
{
    call("closed", inlet->info.uid, NULL, NULL);
    free(inlet);
}

void lsl_open_stream(struct inlet *inlet, double timeout, int32_t *error)
{
    *error = there("lost-", inlet->info.uid) ? -2 : 0;
}

double lsl_time_correction(struct inlet *inlet, double timeout, int32_t *error)
{
    *error = 0;
    if (there("deaf-", inlet->info.uid)) {
        doze(timeout);
        *error = -1;
    }
    return inlet->info.correction;
}

static char *from_hex(const char *hex, uint32_t *length)
{
    char *text = malloc(strlen(hex) / 2 + 1);

    *length = 0;
    for (; hex[0] && hex[1] && hex[0] != '-'; hex += 2) {
        unsigned byte;

        sscanf(hex, "%2x", &byte);
        text[(*length)++] = (char)byte;
    }
    return text; /* without an end: their length says it */
}

double lsl_pull_sample_buf(struct inlet *inlet, char **data, uint32_t *lengths, int32_t count, double timeout,
                           int32_t *error)
{
    char path[512], *line, *rest, *word;
    double stamp = 0;
    FILE *f;

    *error = there("lost-", inlet->info.uid) ? -2 : 0;
    if (*error)
        return 0;
    f = fopen(file("markers-", inlet->info.uid, path), "re");
    line = malloc(LINE);
    if (f && fseek(f, inlet->at, SEEK_SET) == 0 && fgets(line, LINE, f) && strchr(line, '\n')) {
        inlet->at = ftell(f);
        stamp = strtod(strtok_r(line, " \n", &rest), NULL);
        for (int32_t i = 0; i < count; i++) {
            word = strtok_r(NULL, " \n", &rest);
            data[i] = from_hex(word ? word : "-", &lengths[i]);
        }
    }
    if (f)
        fclose(f);
    free(line);
    if (stamp == 0)
        doze(timeout < 0.05 ? timeout : 0.05);
    return stamp;
}

void *lsl_create_continuous_resolver_bypred(const char *predicate, double forget_after)
{
    call("resolver", predicate, NULL, NULL);
    return malloc(1);
}

int32_t lsl_resolver_results(void *resolver, void **infos, uint32_t count)
{
    char path[512], line[1024];
    FILE *f = fopen(file("streams", "", path), "re");
    int32_t n = 0;

    while (f && (uint32_t)n < count && fgets(line, sizeof(line), f)) {
        struct stream_info *s = calloc(1, sizeof(*s));

        if (sscanf(line, "%63[^\t]\t%127[^\t]\t%255[^\t]\t%127[^\t]\t%d\t%lf\t%lf", s->uid, s->name,
                   s->source_id, s->host, &s->channels, &s->rate, &s->correction) == 7)
            infos[n++] = s;
        else
            free(s);
    }
    if (f)
        fclose(f);
    return n;
}

void lsl_destroy_continuous_resolver(void *resolver)
{
    free(resolver);
}

void lsl_destroy_string(char *text)
{
    free(text);
}
