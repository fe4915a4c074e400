/* Home Assistant's MQTT discovery. */
#include "config.h"

#include "publish/mqtt/discovery.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"

/* Eight cameras with regions, own regions and four more each, and as many of former times. */
#define TOPICS_MAX 512
#define STATE_EXPIRES_S 35 /* a camera's state comes every ten */

struct topic {
    char *name;
    uint64_t payload; /* a digest; 0: of an earlier run */
    bool wanted;
    char camera[64]; /* that it belongs to */
};

struct tf_discovery {
    char prefix[TF_MQTT_PREFIX_MAX + 1], topic[TF_MQTT_TOPIC_MAX + 1], host[80], node[TF_DISCOVERY_NODE];
    char status[TF_MQTT_TOPIC_MAX + 16];
    unsigned expires_s;
    int qos;
    bool enabled;
    pthread_mutex_t lock; /* of the topics */
    struct topic topics[TOPICS_MAX];
    size_t count;
    bool pending;    /* something is still to be published */
    uint64_t inputs; /* a digest of what was described last */
};

/* FNV-1a, 64 bit (http://www.isthe.com/chongo/tech/comp/fnv/). */
static uint64_t digest_on(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211ull;
    return h * 1099511628211ull; /* a zero byte */
}

static uint64_t digest(const char *text)
{
    uint64_t h = digest_on(14695981039346656037ull, text);

    return h ? h : 1;
}

int tf_discovery_create(const char *prefix, const char *topic, const char *host, uint64_t interval_ns,
                        int qos, bool enabled, struct tf_discovery **ret)
{
    struct tf_discovery *d = calloc(1, sizeof(*d));
    size_t n;

    if (!d)
        return -ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    snprintf(d->prefix, sizeof(d->prefix), "%s", prefix);
    snprintf(d->topic, sizeof(d->topic), "%s", topic);
    snprintf(d->host, sizeof(d->host), "%s", host);
    snprintf(d->status, sizeof(d->status), "%s/status", topic);
    /* [a-zA-Z0-9_-] only, and still one for each base. */
    n = (size_t)snprintf(d->node, sizeof(d->node), "%.70s", topic);
    for (size_t i = 0; i < n; i++)
        if (!isascii(d->node[i]) || (!isalnum((unsigned char)d->node[i]) && !strchr("_-", d->node[i])))
            d->node[i] = '_';
    snprintf(d->node + n, sizeof(d->node) - n, "_%08x", (uint32_t)digest(topic));
    d->expires_s = (unsigned)(3 * interval_ns / TF_NS_PER_S) + 5;
    d->qos = qos;
    d->enabled = enabled;
    *ret = d;
    return 0;
}

void tf_discovery_destroy(struct tf_discovery *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++)
        free(d->topics[i].name);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void tf_discovery_filters(const struct tf_discovery *d, char filters[2][TF_MQTT_NAME_MAX])
{
    snprintf(filters[0], TF_MQTT_NAME_MAX, "%s/sensor/%s/+/config", d->prefix, d->node);
    snprintf(filters[1], TF_MQTT_NAME_MAX, "%s/binary_sensor/%s/+/config", d->prefix, d->node);
}

static struct topic *find(struct tf_discovery *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->topics[i].name, name) == 0)
            return &d->topics[i];
    return NULL;
}

/* NULL: no room, or no memory. */
static struct topic *add(struct tf_discovery *d, const char *name)
{
    char *copy = d->count < TOPICS_MAX ? strdup(name) : NULL;

    if (!copy)
        return NULL;
    d->topics[d->count] = (struct topic){.name = copy};
    return &d->topics[d->count++];
}

bool tf_discovery_found(struct tf_discovery *d, const char *topic, const char *payload, size_t size)
{
    json_t *o = json_loadb(payload, size, 0, NULL);
    const char *status = json_string_value(json_object_get(o, "availability_topic"));
    const char *state = json_string_value(json_object_get(o, "state_topic"));
    size_t base = strlen(d->topic);
    struct topic *t;

    /* Whatever stands there: only what is about this base is ours to take away. */
    if (!status || !state || strcmp(status, d->status) != 0 || strncmp(state, d->topic, base) != 0 ||
        state[base] != '/') {
        json_decref(o);
        return false;
    }
    pthread_mutex_lock(&d->lock);
    if (!find(d, topic) && (t = add(d, topic)))
        snprintf(t->camera, sizeof(t->camera), "%.*s", (int)strcspn(state + base + 1, "/"), state + base + 1);
    d->pending = true;
    pthread_mutex_unlock(&d->lock);
    json_decref(o);
    return true;
}

void tf_discovery_forget(struct tf_discovery *d)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count; i++)
        d->topics[i].payload = 0;
    d->pending = true;
    pthread_mutex_unlock(&d->lock);
}

/* --- what is described --- */

struct sensor {
    const char *component, *object, *name, *from; /* from: "state" or "regions" */
    char template[160];
    const char *class, *unit, *category;
    unsigned expires_s;
    int decimals; /* negative: no measurement */
};

static char *describe(const struct tf_discovery *d, const struct tf_discovery_camera *c,
                      const struct sensor *s)
{
    char text[512];
    json_t *o = json_object(), *device;
    char *payload;

    json_object_set_new(o, "name", json_string(s->name));
    snprintf(text, sizeof(text), "%s_%s_%s", d->node, c->camera, s->object);
    json_object_set_new(o, "unique_id", json_string(text));
    snprintf(text, sizeof(text), "%s/%s/%s", d->topic, c->camera, s->from);
    json_object_set_new(o, "state_topic", json_string(text));
    json_object_set_new(o, "value_template", json_string(s->template));
    json_object_set_new(o, "availability_topic", json_string(d->status));
    json_object_set_new(o, "expire_after", json_integer(s->expires_s));
    json_object_set_new(o, "qos", json_integer(d->qos));
    if (s->class)
        json_object_set_new(o, "device_class", json_string(s->class));
    if (s->unit)
        json_object_set_new(o, "unit_of_measurement", json_string(s->unit));
    if (s->category)
        json_object_set_new(o, "entity_category", json_string(s->category));
    if (s->decimals >= 0) {
        json_object_set_new(o, "state_class", json_string("measurement"));
        json_object_set_new(o, "suggested_display_precision", json_integer(s->decimals));
    }
    snprintf(text, sizeof(text), "%s_%s", d->node, c->camera);
    device = json_pack("{s:[s],s:s,s:s,s:s}", "identifiers", text, "manufacturer", "thermoface", "model",
                       c->format[0] ? c->format : "camera", "sw_version", TF_VERSION);
    snprintf(text, sizeof(text), "%s %s", d->host, c->camera);
    json_object_set_new(device, "name", json_string(text));
    json_object_set_new(o, "device", device);
    json_object_set_new(o, "origin", json_pack("{s:s,s:s}", "name", "thermoface", "sw_version", TF_VERSION));
    payload = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return payload;
}

/* Under lock. */
static void want(struct tf_discovery *d, struct tf_mqtt_client *client, const struct tf_discovery_camera *c,
                 const struct sensor *s, uint32_t *room)
{
    char name[TF_MQTT_NAME_MAX], *payload = describe(d, c, s);
    uint64_t sum = payload ? digest(payload) : 0;
    struct topic *t;

    snprintf(name, sizeof(name), "%s/%s/%s/%s-%s/config", d->prefix, s->component, d->node, c->camera,
             s->object);
    t = find(d, name);
    if (!t)
        t = add(d, name);
    if (t) {
        t->wanted = true;
        snprintf(t->camera, sizeof(t->camera), "%s", c->camera);
        if (payload && t->payload != sum) {
            if (*room && tf_mqtt_client_put(client, name, payload, TF_MQTT_RETAINED) == 0) {
                t->payload = sum;
                (*room)--;
            } else {
                d->pending = true;
            }
        }
    } else {
        d->pending = true;
    }
    free(payload);
}

/* "nose_tip" as people write it: "Nose tip". */
static void title(const char *name, char text[TF_OWN_NAME_MAX + 1])
{
    snprintf(text, TF_OWN_NAME_MAX + 1, "%s", name);
    for (char *c = text; *c; c++)
        if (*c == '_')
            *c = ' ';
    text[0] = (char)toupper((unsigned char)text[0]);
}

static void want_region(struct tf_discovery *d, struct tf_mqtt_client *client,
                        const struct tf_discovery_camera *c, const char *group, const char *region,
                        uint32_t *room)
{
    char name[TF_OWN_NAME_MAX + 1], object[TF_OWN_NAME_MAX + 16];
    struct sensor s = {.component = "sensor",
                       .object = object,
                       .name = name,
                       .from = "regions",
                       .class = c->celsius ? "temperature" : NULL,
                       .unit = c->celsius ? "°C" : "counts",
                       .expires_s = d->expires_s,
                       .decimals = c->celsius ? 2 : 0};

    title(region, name);
    snprintf(object, sizeof(object), "region_%s", region);
    snprintf(s.template, sizeof(s.template), "{{ value_json.%s.%s.mean }}", group, region);
    want(d, client, c, &s, room);
}

static void want_camera(struct tf_discovery *d, struct tf_mqtt_client *client,
                        const struct tf_discovery_camera *c, uint32_t *room)
{
    static const struct sensor others[] = {
        {"binary_sensor", "running", "Camera", "state",
         "{{ 'ON' if value_json.state == 'running' else 'OFF' }}", "connectivity", NULL, "diagnostic",
         STATE_EXPIRES_S, -1},
        {"binary_sensor", "recording", "Recording", "state", "{{ 'ON' if value_json.recording else 'OFF' }}",
         "running", NULL, NULL, STATE_EXPIRES_S, -1},
        {"sensor", "fps", "Frame rate", "state", "{{ value_json.fps }}", "frequency", "Hz", "diagnostic",
         STATE_EXPIRES_S, 1},
        {"sensor", "faces", "Faces", "state", "{{ value_json.faces }}", NULL, "faces", NULL, STATE_EXPIRES_S,
         0},
    };

    for (size_t i = 0; i < TF_COUNT(others); i++)
        want(d, client, c, &others[i], room);
    for (int i = 0; i < TF_REGIONS && c->regions; i++)
        want_region(d, client, c, "regions", tf_region_name((enum tf_region)i), room);
    for (uint32_t i = 0; i < c->own->faces && c->regions; i++)
        want_region(d, client, c, "own_regions", c->own->face[i], room);
    for (uint32_t i = 0; i < c->own->areas && c->regions; i++)
        want_region(d, client, c, "own_regions", c->own->area[i], room);
}

/* Of what the descriptions say: they are made when it changes. */
static uint64_t digest_cameras(const struct tf_discovery_camera *cameras, int count)
{
    uint64_t h = 14695981039346656037ull;

    for (int i = 0; i < count; i++) {
        const struct tf_discovery_camera *c = &cameras[i];
        const char flags[] = {(char)('0' + c->known), (char)('0' + c->regions), (char)('0' + c->celsius),
                              '\0'};

        h = digest_on(digest_on(digest_on(h, c->camera), c->format), flags);
        for (uint32_t k = 0; k < c->own->faces; k++)
            h = digest_on(h, c->own->face[k]);
        h = digest_on(h, "/");
        for (uint32_t k = 0; k < c->own->areas; k++)
            h = digest_on(h, c->own->area[k]);
    }
    return h;
}

void tf_discovery_publish(struct tf_discovery *d, struct tf_mqtt_client *client,
                          const struct tf_discovery_camera *cameras, int count)
{
    uint32_t room = (tf_mqtt_client_room(client) + 1) / 2;
    uint64_t inputs = digest_cameras(cameras, count);

    pthread_mutex_lock(&d->lock);
    if (!d->pending && inputs == d->inputs)
        goto out;
    d->inputs = inputs;
    d->pending = false;
    for (size_t i = 0; i < d->count; i++) {
        d->topics[i].wanted = false;
        /* A camera that has not delivered yet: what an earlier run said of it stays for now. */
        for (int k = 0; k < count && d->enabled; k++)
            d->topics[i].wanted |= !cameras[k].known && strcmp(cameras[k].camera, d->topics[i].camera) == 0;
    }
    for (int i = 0; i < count && d->enabled; i++)
        if (cameras[i].known)
            want_camera(d, client, &cameras[i], &room);
    for (size_t i = 0; i < d->count;) {
        struct topic *t = &d->topics[i];

        if (t->wanted) {
            i++;
            continue;
        }
        if (!room || tf_mqtt_client_put(client, t->name, "", TF_MQTT_RETAINED) < 0) {
            d->pending = true;
            break;
        }
        room--;
        free(t->name);
        *t = d->topics[--d->count];
    }
out:
    pthread_mutex_unlock(&d->lock);
}
