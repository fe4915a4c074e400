/* What has to hold between the keys of a configuration. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/count.h"
#include "config/parse.h"

/* Whether the values of these keys (a list that ends with NULL) were understood: only then do they contradict
 * each other. */
static bool good(const struct tf_parse *p, enum tf_section section, size_t which, const char *const *keys)
{
    for (; *keys; keys++)
        if (p->bad[tf_parse_key((int)section, *keys) - tf_keys][which])
            return false;
    return true;
}

#define GOOD(p, section, which, ...) good(p, section, which, (const char *const[]){__VA_ARGS__, NULL})

static int key_line(struct tf_parse *p, enum tf_section section, const char *key, size_t which)
{
    const struct tf_key *k = tf_parse_key(section, key);
    int line = k ? p->config->lines->key[k - tf_keys][which] : 0;

    if (line)
        return line;
    return section == TF_SECTION_CAMERA    ? p->config->lines->camera[which]
           : section == TF_SECTION_PAIR    ? p->config->lines->pair[which]
           : section == TF_SECTION_REGION  ? p->config->lines->region[which]
           : section == TF_SECTION_TRIGGER ? p->config->lines->trigger[which]
                                           : p->config->lines->section[section];
}

static void check_camera(struct tf_parse *p, size_t i)
{
    struct tf_config *config = p->config;
    const struct tf_config_camera *camera = &config->cameras[i];

    if (!camera->source && GOOD(p, TF_SECTION_CAMERA, i, "source"))
        FAIL(p, config->lines->camera[i], "[camera %s] has no source", camera->name);
    if (!camera->width != !camera->height && GOOD(p, TF_SECTION_CAMERA, i, "width", "height"))
        FAIL(p, key_line(p, TF_SECTION_CAMERA, camera->width ? "width" : "height", i),
             "[camera %s] sets only one of width and height", camera->name);
    if (camera->offset != 0 && camera->scale == 0 && GOOD(p, TF_SECTION_CAMERA, i, "scale"))
        FAIL(p, key_line(p, TF_SECTION_CAMERA, "offset", i), "[camera %s] sets an offset without a scale",
             camera->name);
    if (camera->black_body[2] &&
        !config->lines->key[tf_parse_key(TF_SECTION_CAMERA, "black-body-temperature") - tf_keys][i])
        FAIL(p, key_line(p, TF_SECTION_CAMERA, "black-body", i),
             "[camera %s] sets a black-body without its black-body-temperature", camera->name);
    for (size_t j = 0; j < i; j++)
        if (camera->enabled && config->cameras[j].enabled && camera->source && config->cameras[j].source &&
            strncmp(camera->source, "/dev/", 5) == 0 &&
            strcmp(camera->source, config->cameras[j].source) == 0)
            FAIL(p, key_line(p, TF_SECTION_CAMERA, "source", i),
                 "[camera %s] and [camera %s] name one device", config->cameras[j].name, camera->name);
}

static const struct tf_config_camera *camera_of(struct tf_parse *p, size_t i, const char *key,
                                                const char *name)
{
    const struct tf_config *c = p->config;
    const struct tf_config_pair *pair = &c->pairs[i];

    if (!name && GOOD(p, TF_SECTION_PAIR, i, key))
        FAIL(p, c->lines->pair[i], "[pair %s] names no %s camera", pair->name, key);
    if (!name)
        return NULL;
    for (size_t k = 0; k < c->camera_count; k++) {
        if (strcmp(c->cameras[k].name, name) != 0)
            continue;
        if (pair->enabled && !c->cameras[k].enabled) {
            FAIL(p, key_line(p, TF_SECTION_PAIR, key, i),
                 "[pair %s] needs [camera %s], which is not enabled: set enabled=no for the pair, too",
                 pair->name, name);
            return NULL;
        }
        return &c->cameras[k];
    }
    /* It may be the one whose section could not be read. */
    if (!p->lost_section)
        FAIL(p, key_line(p, TF_SECTION_PAIR, key, i), "[pair %s]: there is no [camera %s]", pair->name, name);
    return NULL;
}

static void check_pair(struct tf_parse *p, size_t i)
{
    const struct tf_config *c = p->config;
    const struct tf_config_pair *pair = &c->pairs[i];
    const struct tf_config_camera *thermal = camera_of(p, i, "thermal", pair->thermal);
    const struct tf_config_camera *visible = camera_of(p, i, "visible", pair->visible);

    if (!thermal || !visible)
        return;
    if (thermal == visible)
        FAIL(p, key_line(p, TF_SECTION_PAIR, "visible", i), "[pair %s] names one camera twice", pair->name);
    if (pair->enabled && pair->calibration && !visible->analyse)
        FAIL(p, key_line(p, TF_SECTION_PAIR, "calibration", i),
             "[pair %s] has a calibration, but [camera %s] looks for no faces (analyse=no)", pair->name,
             visible->name);
    if (thermal->pace != visible->pace || thermal->pace != TF_CONFIG_PACE_RECORDED)
        FAIL(p, key_line(p, TF_SECTION_PAIR, "thermal", i),
             "[pair %s]: cameras that are paired by time cannot play with pace=fast", pair->name);
    for (size_t k = 0; k < c->camera_count; k++)
        if (strcmp(c->cameras[k].name, pair->name) == 0)
            FAIL(p, c->lines->pair[i], "[pair %s] has a camera's name: both would be one address",
                 pair->name);
    for (size_t k = 0; k < i && pair->enabled; k++) {
        const struct tf_config_pair *other = &c->pairs[k];
        const char *names[] = {other->thermal, other->visible};

        for (int n = 0; n < 2 && other->enabled; n++)
            if (names[n] && (strcmp(names[n], pair->thermal) == 0 || strcmp(names[n], pair->visible) == 0))
                FAIL(p, c->lines->pair[i], "[pair %s] and [pair %s] share the camera %s: one pair each",
                     other->name, pair->name, names[n]);
    }
}

/* Names, shapes and cameras; `taken`: those that are good so far. */
static void check_region(struct tf_parse *p, size_t i, struct tf_own_regions *taken)
{
    const struct tf_config *c = p->config;
    const struct tf_config_region *region = &c->regions[i];
    struct tf_own_region own;
    struct tf_error reason = {0};
    bool there = !region->camera || p->regions_only || p->lost_section;

    if (!GOOD(p, TF_SECTION_REGION, i, "shape", "corners", "coordinates", "camera"))
        return;
    if (region->corners.kind && region->shape.kind && region->shape.kind != TF_SHAPE_POLYGON) {
        FAIL(p, key_line(p, TF_SECTION_REGION, "corners", i), "[region %s]: only a polygon has corners",
             region->name);
        return;
    }
    if (!region->shape.kind) {
        FAIL(p, c->lines->region[i], "[region %s] has no shape", region->name);
        return;
    }
    for (size_t k = 0; k < c->camera_count; k++)
        there |= strcmp(c->cameras[k].name, region->camera ? region->camera : "") == 0;
    if (!there)
        FAIL(p, key_line(p, TF_SECTION_REGION, "camera", i), "[region %s]: there is no [camera %s]",
             region->name, region->camera);
    else if (tf_config_own_of(region, &own, &reason) < 0 || tf_own_add(taken, &own, &reason) < 0)
        FAIL(p, key_line(p, TF_SECTION_REGION, *own.name ? "shape" : "", i), "%s", reason.text);
}

/* Keys that say nothing to a trigger of this kind were meant for another one. */
static void check_trigger_keys(struct tf_parse *p, size_t i)
{
    static const struct {
        const char *key;
        unsigned kinds;
    } keys[] = {
        {"key", 1 << TF_CONFIG_TRIGGER_EVDEV | 1 << TF_CONFIG_TRIGGER_SERIAL},
        {"grab", 1 << TF_CONFIG_TRIGGER_EVDEV},
        {"baud", 1 << TF_CONFIG_TRIGGER_SERIAL},
        {"split", 1 << TF_CONFIG_TRIGGER_SERIAL},
        {"line", 1 << TF_CONFIG_TRIGGER_LINE | 1 << TF_CONFIG_TRIGGER_GPIO},
        {"active-low", 1 << TF_CONFIG_TRIGGER_LINE | 1 << TF_CONFIG_TRIGGER_GPIO},
        {"bias", 1 << TF_CONFIG_TRIGGER_GPIO},
        {"edge", 1 << TF_CONFIG_TRIGGER_EVDEV | 1 << TF_CONFIG_TRIGGER_LINE | 1 << TF_CONFIG_TRIGGER_GPIO},
    };
    const struct tf_config_trigger *t = &p->config->triggers[i];
    char kind[64];

    tf_value_format(tf_parse_key(TF_SECTION_TRIGGER, "kind"), &t->kind, kind, sizeof(kind));
    for (size_t k = 0; k < TF_COUNT(keys); k++) {
        const struct tf_key *key = tf_parse_key(TF_SECTION_TRIGGER, keys[k].key);

        if (p->config->lines->key[key - tf_keys][i] && !(keys[k].kinds >> t->kind & 1))
            FAIL(p, key_line(p, TF_SECTION_TRIGGER, keys[k].key, i), "[trigger %s]: %s is not for kind=%s",
                 t->name, keys[k].key, kind);
    }
}

static void check_trigger(struct tf_parse *p, size_t i)
{
    const struct tf_config *c = p->config;
    const struct tf_config_trigger *t = &c->triggers[i];
    const struct tf_config_mark mark = {.name = "", .what = "", .as_text = "", .change = ""};
    const char *const templates[] = {t->text, t->value}, *const names[] = {"text", "value"};
    char text[256];

    if (!t->device && GOOD(p, TF_SECTION_TRIGGER, i, "device"))
        FAIL(p, c->lines->trigger[i], "[trigger %s] has no device", t->name);
    for (int k = 0; k < 2; k++)
        if (templates[k] && tf_config_mark(templates[k], &mark, text, sizeof(text)) == -EINVAL)
            FAIL(p, key_line(p, TF_SECTION_TRIGGER, names[k], i),
                 "[trigger %s]: after a percent sign, %s may have n, k, c, e or another percent sign",
                 t->name, names[k]);
    if (!GOOD(p, TF_SECTION_TRIGGER, i, "kind"))
        return;
    check_trigger_keys(p, i);
    if (t->kind == TF_CONFIG_TRIGGER_LINE || t->kind == TF_CONFIG_TRIGGER_GPIO)
        if (!t->line && GOOD(p, TF_SECTION_TRIGGER, i, "line"))
            FAIL(p, c->lines->trigger[i], "[trigger %s] has no line", t->name);
    /* Two lines of one GPIO chip are two inputs. */
    for (size_t k = 0; k < i && t->enabled && t->device; k++) {
        const struct tf_config_trigger *other = &c->triggers[k];
        bool lines = t->kind == TF_CONFIG_TRIGGER_GPIO && other->kind == TF_CONFIG_TRIGGER_GPIO;

        if (other->enabled && other->device && strcmp(other->device, t->device) == 0 &&
            (!lines || !t->line || !other->line || strcmp(t->line, other->line) == 0))
            FAIL(p, key_line(p, TF_SECTION_TRIGGER, "device", i),
                 "[trigger %s] and [trigger %s] name one device%s", other->name, t->name,
                 lines ? " and line" : "");
    }
}

static void check_listener(struct tf_parse *p, enum tf_section section, bool enabled, const char *address,
                           const char *credentials)
{
    if (enabled && !credentials && !tf_address_is_loopback(address) && GOOD(p, section, 0, "credentials"))
        FAIL(p, key_line(p, section, "address", 0),
             "[%s] would listen on %s, beyond this machine, without asking for a password: set credentials",
             tf_sections[section].name, address);
}

/* Whoever may look does not decide who may control, and a token in the clear is everybody's. */
static void check_access(struct tf_parse *p)
{
    const struct tf_config_http *c = &p->config->http;
    const char *key = c->tokens ? "tokens" : "watch-credentials";

    if (!c->enabled)
        return;
    if (!c->credentials && (c->watch_credentials || c->tokens))
        FAIL(p, key_line(p, TF_SECTION_HTTP, key, 0),
             "[http] has %s, but nobody who may control: set credentials too", key);
    if (c->tokens && !c->tls_certificate && !tf_address_is_loopback(c->address))
        FAIL(p, key_line(p, TF_SECTION_HTTP, "tokens", 0),
             "[http] would take tokens that cross the net in the clear: set tls-certificate and tls-key, or "
             "listen on 127.0.0.1");
}

static void check_tls(struct tf_parse *p, enum tf_section section, const char *certificate, const char *key)
{
    if (!certificate == !key || !GOOD(p, section, 0, "tls-certificate", "tls-key"))
        return;
    FAIL(p, key_line(p, section, certificate ? "tls-certificate" : "tls-key", 0),
         "[%s] has %s alone: set both tls-certificate and tls-key", tf_sections[section].name,
         certificate ? "tls-certificate" : "tls-key");
}

static void check_inference(struct tf_parse *p)
{
    const struct tf_config_inference *c = &p->config->inference;

    if (c->region_masks && !c->segmentation && GOOD(p, TF_SECTION_INFERENCE, 0, "segmentation"))
        FAIL(p, key_line(p, TF_SECTION_INFERENCE, "region-masks", 0),
             "[inference] region-masks needs a segmentation network: set segmentation");
}

static void check_lsl(struct tf_parse *p)
{
    const struct tf_config_lsl *c = &p->config->lsl;

    if (strlen(c->name) > TF_CONFIG_NAME_MAX)
        FAIL(p, key_line(p, TF_SECTION_LSL, "name", 0), "[lsl] name is longer than %d characters",
             TF_CONFIG_NAME_MAX);
    if (c->faces > p->config->inference.faces && GOOD(p, TF_SECTION_LSL, 0, "faces") &&
        GOOD(p, TF_SECTION_INFERENCE, 0, "faces"))
        FAIL(p, key_line(p, TF_SECTION_LSL, "faces", 0),
             "[lsl] would have streams of %u faces, but [inference] follows %u", c->faces,
             p->config->inference.faces);
}

static void check_recording(struct tf_parse *p, size_t enabled)
{
    static const char *const names[] = {"ndjson", "csv", "video"};
    const struct tf_config_recording *r = &p->config->recording;
    const char *const templates[] = {r->ndjson, r->csv, r->video};

    for (size_t i = 0; i < 3; i++) {
        bool named = false;

        if (!templates[i])
            continue;
        for (const char *c = templates[i]; (c = strchr(c, '%')); c += 2)
            named |= c[1] == 'n';
        if (enabled > 1 && !named)
            FAIL(p, key_line(p, TF_SECTION_RECORDING, names[i], 0),
                 "%s would be one file for %zu cameras: put %%n (the camera's name) into the path", names[i],
                 enabled);
        for (size_t j = 0; j < i; j++)
            if (templates[j] && strcmp(templates[i], templates[j]) == 0)
                FAIL(p, key_line(p, TF_SECTION_RECORDING, names[i], 0), "%s and %s name one file", names[j],
                     names[i]);
    }
}

/* What is no topic to publish at, or NULL. */
static const char *topic_fault(const char *topic, size_t max)
{
    if (strlen(topic) > max)
        return "is too long";
    if (!*topic || *topic == '/' || topic[strlen(topic) - 1] == '/' || strstr(topic, "//"))
        return "has an empty level";
    if (strpbrk(topic, "+#"))
        return "has + or # in it, which stand for other topics";
    if (*topic == '$')
        return "begins with $, which is for brokers";
    for (const char *c = topic; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "has a blank or a control character in it";
    return NULL;
}

static void check_topic(struct tf_parse *p, const char *key, const char *topic, size_t max)
{
    const char *fault = topic && GOOD(p, TF_SECTION_MQTT, 0, key) ? topic_fault(topic, max) : NULL;

    if (fault)
        FAIL(p, key_line(p, TF_SECTION_MQTT, key, 0),
             "[mqtt] %s %s: a topic is LEVEL/LEVEL/… of at most %zu bytes", key, fault, max);
}

static void check_mqtt(struct tf_parse *p)
{
    const struct tf_config_mqtt *c = &p->config->mqtt;
    int first = 0;

    if (!c->enabled)
        return;
    for (size_t i = 0; i < tf_key_count; i++) {
        const struct tf_key *k = &tf_keys[i];
        int line = k->section == TF_SECTION_MQTT ? p->config->lines->key[i][0] : 0;

        /* Keys that only say what is so anyway, as the example's do, want nothing. */
        if (line && (!k->fallback || strcmp(k->name, c->discovery ? "discovery" : "") == 0) &&
            (!first || line < first))
            first = line;
    }
    if (!c->host && first && GOOD(p, TF_SECTION_MQTT, 0, "host"))
        FAIL(p, first, "[mqtt] names no broker: set host");
    if (c->host && strpbrk(c->host, " \t/"))
        FAIL(p, key_line(p, TF_SECTION_MQTT, "host", 0),
             "[mqtt] host is a name or an address, without mqtt:// before it and a port behind it (port, "
             "tls)");
    check_topic(p, "topic", c->topic, 100);
    check_topic(p, "discovery-prefix", c->discovery_prefix, 64);
    if (c->client_id && strlen(c->client_id) > 64)
        FAIL(p, key_line(p, TF_SECTION_MQTT, "client-id", 0), "[mqtt] client-id has more than 64 bytes");
    check_tls(p, TF_SECTION_MQTT, c->tls_certificate, c->tls_key);
    if (!c->tls && (c->tls_ca || c->tls_certificate))
        FAIL(p, key_line(p, TF_SECTION_MQTT, c->tls_ca ? "tls-ca" : "tls-certificate", 0),
             "[mqtt] has %s, but would connect in the clear: set tls=yes",
             c->tls_ca ? "tls-ca" : "tls-certificate");
}

void tf_parse_check(struct tf_parse *p)
{
    struct tf_config *c = p->config;
    struct tf_own_regions own = {0};
    size_t enabled = 0;

    for (size_t i = 0; i < c->region_count && !tf_parse_over(p); i++)
        check_region(p, i, &own);
    if (p->regions_only)
        return;

    for (size_t i = 0; i < c->camera_count && !tf_parse_over(p); i++) {
        check_camera(p, i);
        enabled += c->cameras[i].enabled || !GOOD(p, TF_SECTION_CAMERA, i, "enabled");
    }
    for (size_t i = 0; i < c->pair_count && !tf_parse_over(p); i++)
        check_pair(p, i);
    for (size_t i = 0; i < c->trigger_count && !tf_parse_over(p); i++)
        check_trigger(p, i);
    if (tf_parse_over(p))
        return;
    if (!enabled && !p->lost_section)
        FAIL(p, 0, "%s",
             c->camera_count ? "no camera is enabled"
                             : "no camera: write a section [camera NAME] with a source");
    check_listener(p, TF_SECTION_RTSP, c->rtsp.enabled, c->rtsp.address, c->rtsp.credentials);
    check_listener(p, TF_SECTION_HTTP, c->http.enabled, c->http.address, c->http.credentials);
    check_tls(p, TF_SECTION_RTSP, c->rtsp.tls_certificate, c->rtsp.tls_key);
    check_access(p);
    check_tls(p, TF_SECTION_HTTP, c->http.tls_certificate, c->http.tls_key);
    if (c->rtsp.enabled && c->http.enabled && c->rtsp.port && c->rtsp.port == c->http.port &&
        strcmp(c->rtsp.address, c->http.address) == 0)
        FAIL(p, key_line(p, TF_SECTION_HTTP, "port", 0), "[rtsp] and [http] would listen on one port, %u",
             c->http.port);
    check_inference(p);
    check_recording(p, enabled);
    check_mqtt(p);
    check_lsl(p);
}
