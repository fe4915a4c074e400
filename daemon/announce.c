/* What the service announces on its network by mDNS: a camera's and a pair's video, and the HTTP server. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "daemon/service.h"
#include "publish/net/announce.h"

struct list {
    struct tf_announce_service at[TF_ANNOUNCE_MAX];
    struct {
        char label[64], path[64];
    } text[TF_ANNOUNCE_MAX];
    size_t count;
};
_Static_assert(TF_CONFIG_CAMERAS_MAX + TF_CONFIG_PAIRS_MAX + 1 <= TF_ANNOUNCE_MAX, "room for all of them");

static void add(struct list *list, const char *type, const char *name, const char *address, uint16_t port)
{
    size_t i = list->count++;

    snprintf(list->text[i].label, sizeof(list->text[i].label), "thermoface%s%s", name[0] ? " " : "", name);
    snprintf(list->text[i].path, sizeof(list->text[i].path), "/%s", name);
    list->at[i] = (struct tf_announce_service){.label = list->text[i].label,
                                               .type = type,
                                               .path = list->text[i].path,
                                               .address = address,
                                               .port = port};
}

static void add_videos(struct list *list, const struct tf_service *service)
{
    const struct tf_config *c = service->config;
    const char *type = c->rtsp.tls_certificate ? "_rtsps._tcp" : "_rtsp._tcp";
    uint16_t port = tf_rtsp_port(service->rtsp);

    for (int i = 0; i < atomic_load(&service->count); i++)
        if (service->cameras[i]->pictures)
            add(list, type, service->cameras[i]->name, c->rtsp.address, port);
    for (size_t i = 0; i < c->pair_count; i++)
        if (service->pair_pictures[i])
            add(list, type, c->pairs[i].name, c->rtsp.address, port);
}

/* Whether a server is to be announced; says why it is not though somebody wants it. */
static bool is_wanted(const char *section, bool mdns, bool running, const char *address)
{
    if (!mdns)
        return false;
    if (!running)
        tf_log(TF_LOG_WARNING, NULL, "mDNS: [%s] is off: there is nothing to announce", section);
    else if (tf_address_is_loopback(address))
        tf_log(TF_LOG_WARNING, NULL,
               "mDNS: [%s] listens on %s, where only this machine reaches it: there is nothing to announce",
               section, address);
    else
        return true;
    return false;
}

static void tell(void *context, bool trouble, const char *text)
{
    tf_log(trouble ? TF_LOG_WARNING : TF_LOG_INFO, NULL, "%s", text);
}

int tf_service_check_announce(const struct tf_config *config, struct tf_error *err)
{
    const char *section = config->rtsp.mdns ? "rtsp" : config->http.mdns ? "http" : NULL;
    char where[PATH_MAX];

    if (!section || tf_announce_is_built())
        return 0;
    tf_config_where(config, section, NULL, "mdns", where, sizeof(where));
    return tf_fail(err, -EINVAL,
                   "%s: mdns: this build has none: leave it out, or build with libavahi-client-dev (meson "
                   "option mdns)",
                   where);
}

void tf_service_announce(struct tf_service *service)
{
    const struct tf_config *c = service->config;
    struct list list = {0};
    struct tf_error err = {0};
    struct tf_announce_options options = {.services = list.at, .tell = tell};

    if (is_wanted("rtsp", c->rtsp.mdns, service->rtsp != NULL, c->rtsp.address))
        add_videos(&list, service);
    if (is_wanted("http", c->http.mdns, service->http != NULL, c->http.address))
        add(&list, c->http.tls_certificate ? "_https._tcp" : "_http._tcp", "", c->http.address,
            tf_http_port(service->http));
    options.count = list.count;
    /* Who does not find the service can still be told its address: no reason to end it. */
    if (list.count && tf_announce_create(&options, &service->announce, &err) < 0)
        tf_log(TF_LOG_ERROR, NULL, "%s: nothing is announced", err.text);
}
