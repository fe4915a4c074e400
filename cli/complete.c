/*
 * thermoface complete WHAT [--url URL] [--credentials FILE] [--ca FILE]: what bash completion offers for a
 * value, a name a line: cameras, regions, formats, palettes, cpu, encoders. Says nothing about failures:
 * nobody would see it.
 */
#include <curl/curl.h>
#include <jansson.h>
#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "capture/format.h"
#include "cli/commands.h"
#include "cli/server.h"
#include "inference/face/face.h"
#include "overlay/overlay.h"
#include "publish/http/http.h"

/* A person waits with a finger on the key. */
#define WAIT_MS 500L
#define ANSWER_MAX (1u << 20)

struct answer {
    char *text;
    size_t length;
};

static size_t on_data(char *data, size_t one, size_t size, void *context)
{
    struct answer *answer = context;
    size_t n = one * size;

    if (answer->length + n > ANSWER_MAX)
        return 0;
    memcpy(answer->text + answer->length, data, n);
    answer->length += n;
    return n;
}

/* The cameras of a service's /state; false where none answers. */
static bool ask_service(const char *url, const char *credentials, const char *ca)
{
    struct answer answer = {.text = malloc(ANSWER_MAX)};
    CURL *curl = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_easy_init();
    struct tf_server_login login;
    char address[1024];
    json_t *state = NULL, *camera;
    size_t i, base = strlen(url);
    bool found = false;

    while (base && url[base - 1] == '/')
        base--;
    if (!answer.text || !curl ||
        (size_t)snprintf(address, sizeof(address), "%.*s/state", (int)base, url) >= sizeof(address))
        goto out;
    if (tf_server_login_read(url, credentials, NULL, &login, NULL))
        goto out;
    tf_server_setup(curl, address, ca, &login);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, WAIT_MS);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (curl_easy_perform(curl) == CURLE_OK)
        state = json_loadb(answer.text, answer.length, 0, NULL);
    json_array_foreach(json_object_get(state, "cameras"), i, camera)
    {
        const char *name = json_string_value(json_object_get(camera, "camera"));

        if (name)
            puts(name);
        found |= name != NULL;
    }
    json_decref(state);
out:
    curl_easy_cleanup(curl);
    free(answer.text);
    return found;
}

/* The sections [camera NAME] of a configuration, which may have faults elsewhere. */
static void read_configuration(const char *path)
{
    FILE *f = fopen(path, "re");
    char line[512], name[64];

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, " [camera %63[a-z0-9_-]]", name) == 1)
            puts(name);
    if (f)
        fclose(f);
}

const char *tf_name_of_value(enum tf_values values, size_t i)
{
    switch (values) {
    case TF_VALUES_FORMAT:
        return i < tf_format_count() ? tf_format_at(i)->name : NULL;
    case TF_VALUES_PALETTE:
        return tf_palette_name((int)i);
    case TF_VALUES_CPU:
        return i <= TF_CPU_I8MM ? tf_cpu_name((enum tf_cpu_level)i) : NULL;
    default: /* a list, or what only others know */
        return NULL;
    }
}

static void print_names(enum tf_values values)
{
    const char *name;

    for (size_t i = 0; (name = tf_name_of_value(values, i)); i++)
        puts(name);
}

/* Those that this machine has. */
static void print_cpu(void)
{
    for (int level = TF_CPU_GENERIC; level <= TF_CPU_I8MM; level++)
        if (tf_cpu_has((enum tf_cpu_level)level))
            puts(tf_cpu_name((enum tf_cpu_level)level));
}

static void print_encoders(void)
{
    void *iterator = NULL;
    const AVCodec *codec;

    while ((codec = av_codec_iterate(&iterator)))
        if (av_codec_is_encoder(codec) && codec->id == AV_CODEC_ID_H264)
            puts(codec->name);
}

int tf_cmd_complete(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *url = NULL, *credentials = NULL, *ca = NULL;

    for (int i = 2; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--url") == 0)
            url = argv[i + 1];
        else if (strcmp(argv[i], "--credentials") == 0)
            credentials = argv[i + 1];
        else if (strcmp(argv[i], "--ca") == 0)
            ca = argv[i + 1];
    if (strcmp(what, "cameras") == 0) {
        if (!ask_service(url ? url : "http://127.0.0.1:8080", credentials, ca) && !url)
            read_configuration("/etc/thermoface/thermofaced.conf");
    } else if (strcmp(what, "regions") == 0) {
        for (int i = 0; i < TF_REGIONS; i++)
            puts(tf_region_name((enum tf_region)i));
    } else if (strcmp(what, "formats") == 0) {
        print_names(TF_VALUES_FORMAT);
    } else if (strcmp(what, "palettes") == 0) {
        print_names(TF_VALUES_PALETTE);
    } else if (strcmp(what, "cpu") == 0) {
        print_cpu();
    } else if (strcmp(what, "encoders") == 0) {
        print_encoders();
    } else {
        fputs("thermoface complete: cameras, regions, formats, palettes, cpu or encoders?\n", stderr);
        return TF_EXIT_USAGE;
    }
    return TF_EXIT_OK;
}
