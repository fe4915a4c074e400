/* Lab Streaming Layer in the service: its begin, markers into sessions, marks out of them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "base/log.h"
#include "daemon/service.h"
#include "publish/record/lsl.h"

_Static_assert(TF_CONFIG_CAMERAS_MAX <= TF_LSL_CAMERAS_MAX, "each camera has streams");

static int at_key(const struct tf_config *config, const char *key, int r, struct tf_error *err)
{
    char where[PATH_MAX];

    tf_config_where(config, "lsl", NULL, key, where, sizeof(where));
    tf_error_prefix(err, "%s", where);
    return r;
}

static const char *predicate(const struct tf_config_lsl *c)
{
    return strcmp(c->markers, "no") == 0 ? NULL : c->markers;
}

int tf_service_check_lsl(const struct tf_config *config, struct tf_error *err)
{
    const struct tf_config_lsl *c = &config->lsl;
    int version, r = predicate(c) ? tf_lsl_check_predicate(c->markers, err) : 0;

    if (r < 0)
        return at_key(config, "markers", r, err);
    r = c->enabled && c->required ? tf_lsl_check(c->library, &version, err) : 0;
    return r < 0 ? at_key(config, c->library ? "library" : "enabled", r, err) : 0;
}

bool tf_service_note_lsl(const struct tf_config *config, struct tf_error *note)
{
    const struct tf_config_lsl *c = &config->lsl;
    int version;

    if (!c->enabled || tf_lsl_check(c->library, &version, note) == 0)
        return false;
    at_key(config, c->library ? "library" : "enabled", 0, note);
    return true;
}

static int take_marker(void *context, const struct tf_lsl_marker *marker, struct tf_error *err)
{
    return tf_service_mark_from(context,
                                &(struct tf_mark){.text = marker->text,
                                                  .value = marker->value,
                                                  .t_mono_ns = marker->t_mono_ns,
                                                  .source = marker->source,
                                                  .t_from = marker->arrival ? "arrival" : "sender"},
                                err);
}

static void say(void *context, enum tf_log_level level, const char *text)
{
    tf_log(level, NULL, "%s", text);
}

int tf_service_start_lsl(struct tf_service *service, struct tf_error *err)
{
    const struct tf_config_lsl *c = &service->config->lsl;
    struct tf_own_regions own;
    struct tf_lsl_options options = {
        .library = c->library,
        .name = c->name,
        .version = TF_VERSION,
        .regions = c->regions,
        .landmarks = c->landmarks,
        .frames = c->frames,
        .marks = c->marks,
        .faces = c->faces,
        .markers = predicate(c),
        .own = &own,
        .marker = take_marker,
        .say = say,
        .context = service,
    };
    struct tf_lsl_told *told;
    int r;

    if (!c->enabled)
        return 0;
    tf_config_own(service->config, &own);
    r = tf_lsl_create(&options, &service->lsl, err);
    if (r < 0 && c->required)
        return at_key(service->config, c->library ? "library" : "enabled", r, err);
    if (r < 0) {
        snprintf(service->lsl_problem, sizeof(service->lsl_problem), "%s", err->text);
        tf_log(TF_LOG_WARNING, NULL, "lsl: no streams: %s", err->text);
        return 0;
    }
    told = malloc(sizeof(*told));
    if (!told)
        return 0;
    tf_lsl_tell(service->lsl, told);
    tf_log(TF_LOG_INFO, NULL, "lsl: %s, version %d.%d; its clock is CLOCK_MONOTONIC %+.3f ms", told->library,
           told->version / 100, told->version % 100, (double)told->offset_ns / 1e6);
    free(told);
    return 0;
}

bool tf_service_lsl_told(void *context, struct tf_lsl_told *ret)
{
    struct tf_service *service = context;

    if (!service->config->lsl.enabled)
        return false;
    if (service->lsl) {
        tf_lsl_tell(service->lsl, ret);
    } else {
        *ret = (struct tf_lsl_told){0};
        snprintf(ret->message, sizeof(ret->message), "%s", service->lsl_problem);
    }
    return true;
}

void tf_service_lsl_mark(struct tf_service *service, const struct tf_mark *mark)
{
    /* What came over LSL is there already; two services that sent each other's on would never end. */
    if (service->lsl && !(mark->source && strncmp(mark->source, "lsl ", 4) == 0))
        tf_lsl_mark(service->lsl, mark->text, mark->value, mark->t_mono_ns);
}

void tf_service_lsl_session(struct tf_service *service, const char *what, uint64_t t_mono_ns)
{
    char text[320];

    if (!service->lsl)
        return;
    snprintf(text, sizeof(text), "%s %s", what, tf_session_stem(service->session));
    tf_lsl_mark(service->lsl, text, NULL, t_mono_ns);
}
