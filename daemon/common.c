/* What several files of the service take from the configuration. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cpu.h"
#include "base/log.h"
#include "daemon/service.h"

struct tf_overlay_options tf_service_overlay(const struct tf_config *config)
{
    const struct tf_config_overlay *c = &config->overlay;
    struct tf_overlay_options o = tf_overlay_defaults();

    tf_palette_find(c->palette, &o.palette, NULL); /* checked by tf_service_check, as is cpu */
    if (config->inference.cpu)
        tf_cpu_select(config->inference.cpu, &o.cpu, NULL);
    o.fixed_range = c->range.fixed;
    o.range_min = c->range.min;
    o.range_max = c->range.max;
    o.lines_min = c->lines;
    o.points = c->points;
    o.boxes = c->boxes;
    o.regions = c->regions;
    o.masks = c->masks;
    o.scale_bar = c->scale_bar;
    o.banner = c->banner;
    o.clock = c->clock;
    o.filtered = c->filtered;
    o.pose = c->pose;
    return o;
}

const char *tf_service_host(const char *address, char text[TF_SERVICE_HOST])
{
    snprintf(text, TF_SERVICE_HOST, strchr(address, ':') ? "[%s]" : "%s", address);
    return text;
}

void tf_service_warn_open(const char *path)
{
    struct stat st;

    if (path && stat(path, &st) == 0 && st.st_mode & S_IROTH)
        tf_log(TF_LOG_WARNING, NULL, "%s may be read by everybody on this machine: chmod o-r %s", path, path);
}
