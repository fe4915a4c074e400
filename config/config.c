/* What is done with a configuration once it is read: where, differences, path templates, the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "config/lines.h"
#include "config/table.h"

static size_t instances(const struct tf_config *config, enum tf_section section)
{
    return section == TF_SECTION_CAMERA    ? config->camera_count
           : section == TF_SECTION_PAIR    ? config->pair_count
           : section == TF_SECTION_REGION  ? config->region_count
           : section == TF_SECTION_TRIGGER ? config->trigger_count
                                           : 1;
}

static const char *name_of(const struct tf_config *config, enum tf_section section, size_t which)
{
    return section == TF_SECTION_CAMERA    ? config->cameras[which].name
           : section == TF_SECTION_PAIR    ? config->pairs[which].name
           : section == TF_SECTION_REGION  ? config->regions[which].name
           : section == TF_SECTION_TRIGGER ? config->triggers[which].name
                                           : NULL;
}

void tf_config_free(struct tf_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < tf_key_count; i++)
        if (tf_value_is_text(tf_keys[i].type))
            for (size_t c = 0; c < instances(config, tf_keys[i].section); c++)
                free(*(char **)tf_config_field(config, &tf_keys[i], c));
    for (size_t c = 0; c < config->camera_count; c++)
        free(config->cameras[c].name);
    for (size_t i = 0; i < config->pair_count; i++)
        free(config->pairs[i].name);
    for (size_t i = 0; i < config->region_count; i++)
        free(config->regions[i].name);
    for (size_t i = 0; i < config->trigger_count; i++)
        free(config->triggers[i].name);
    free(config->path);
    free(config->lines);
    free(config);
}

/* The index of a named section, or -1. */
static int find_named(const struct tf_config *config, enum tf_section section, const char *name)
{
    for (size_t i = 0; i < instances(config, section); i++)
        if (strcmp(name_of(config, section, i), name) == 0)
            return (int)i;
    return -1;
}

void tf_config_where(const struct tf_config *config, const char *section, const char *camera, const char *key,
                     char *text, size_t size)
{
    int line = 0;

    for (size_t i = 0; i < tf_key_count; i++) {
        enum tf_section s = tf_keys[i].section;
        int index = 0;

        if (strcmp(tf_sections[s].name, section) != 0 || strcmp(tf_keys[i].name, key) != 0)
            continue;
        if (camera && tf_section_is_named(s))
            index = find_named(config, s, camera);
        if (index >= 0)
            line = config->lines->key[i][index];
    }
    if (line)
        snprintf(text, size, "%s:%d", config->path, line);
    else
        snprintf(text, size, "%s", config->path);
}

struct changes {
    struct tf_config_change *at;
    size_t count, max;
};

static void add_change(struct changes *changes, const struct tf_config_change *change)
{
    if (changes->count < changes->max)
        changes->at[changes->count] = *change;
    changes->count++;
}

static void compare(const struct tf_config *running, size_t a, const struct tf_config *next, size_t b,
                    const struct tf_key *key, struct changes *changes)
{
    const void *x = tf_config_field(running, key, a), *y = tf_config_field(next, key, b);
    struct tf_config_change change = {
        .section = tf_sections[key->section].name, .key = key->name, .live = key->live};

    if (tf_value_equal(key, x, y))
        return;
    change.camera = name_of(running, key->section, a);
    tf_value_format(key, x, change.was, sizeof(change.was));
    tf_value_format(key, y, change.now, sizeof(change.now));
    add_change(changes, &change);
}

static void compare_named(const struct tf_config *running, const struct tf_config *next,
                          enum tf_section section, struct changes *changes)
{
    for (size_t a = 0; a < instances(running, section); a++) {
        int b = find_named(next, section, name_of(running, section, a));

        if (b < 0)
            add_change(changes, &(struct tf_config_change){.section = tf_sections[section].name,
                                                           .camera = name_of(running, section, a)});
        for (size_t i = 0; i < tf_key_count && b >= 0; i++)
            if (tf_keys[i].section == section)
                compare(running, a, next, (size_t)b, &tf_keys[i], changes);
    }
    for (size_t b = 0; b < instances(next, section); b++)
        if (find_named(running, section, name_of(next, section, b)) < 0)
            add_change(changes, &(struct tf_config_change){.section = tf_sections[section].name,
                                                           .camera = name_of(next, section, b),
                                                           .added = true});
}

size_t tf_config_diff(const struct tf_config *running, const struct tf_config *next,
                      struct tf_config_change *at, size_t max)
{
    struct changes changes = {.at = at, .max = max};

    compare_named(running, next, TF_SECTION_CAMERA, &changes);
    compare_named(running, next, TF_SECTION_PAIR, &changes);
    compare_named(running, next, TF_SECTION_REGION, &changes);
    compare_named(running, next, TF_SECTION_TRIGGER, &changes);
    for (size_t i = 0; i < tf_key_count; i++)
        if (!tf_section_is_named(tf_keys[i].section))
            compare(running, 0, next, 0, &tf_keys[i], &changes);
    return changes.count;
}

int tf_config_take_live(struct tf_config *running, const struct tf_config *next)
{
    char *texts[TF_KEYS_MAX] = {0};
    size_t i;

    /* Keys of sections with names need a restart, all of them: tests/config holds the table to that.
     */
    for (i = 0; i < tf_key_count; i++)
        if (tf_keys[i].live && tf_value_is_text(tf_keys[i].type) &&
            tf_value_copy(&tf_keys[i], &texts[i], tf_config_field(next, &tf_keys[i], 0)) < 0)
            goto fail;
    for (i = 0; i < tf_key_count; i++) {
        void *field = (void *)tf_config_field(running, &tf_keys[i], 0);

        if (!tf_keys[i].live)
            continue;
        running->lines->key[i][0] = next->lines->key[i][0];
        if (tf_value_is_text(tf_keys[i].type)) {
            free(*(char **)field);
            *(char **)field = texts[i];
        } else {
            tf_value_copy(&tf_keys[i], field, tf_config_field(next, &tf_keys[i], 0));
        }
    }
    return 0;

fail:
    for (i = 0; i < tf_key_count; i++)
        free(texts[i]);
    return -ENOMEM;
}

int tf_config_expand(const char *template, const char *camera, int64_t t_utc_ns, char *path, size_t size)
{
    time_t seconds = (time_t)(t_utc_ns / TF_NS_PER_S);
    struct tm tm;
    char stamp[32];
    size_t n = 0;

    if (!gmtime_r(&seconds, &tm) || !strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm))
        return -EINVAL;
    for (const char *c = template; *c; c++) {
        char one[2] = {*c, '\0'};
        const char *text = one;

        if (*c == '%') {
            c++;
            if (*c == 'n')
                text = camera;
            else if (*c == 't')
                text = stamp;
            else if (*c != '%')
                return -EINVAL;
        }
        if (strlen(text) + 1 > size - n)
            return -ENAMETOOLONG;
        n = (size_t)(stpcpy(path + n, text) - path);
    }
    if (!size)
        return -ENAMETOOLONG;
    path[n] = '\0';
    return 0;
}

int tf_config_mark(const char *template, const struct tf_config_mark *mark, char *text, size_t size)
{
    size_t n = 0;

    if (!size)
        return -ENAMETOOLONG;
    for (const char *c = template; *c; c++) {
        char one[2] = {*c, '\0'};
        const char *put = one;

        if (*c == '%') {
            c++;
            put = *c == 'n'   ? mark->name
                  : *c == 'k' ? mark->what
                  : *c == 'c' ? mark->as_text
                  : *c == 'e' ? mark->change
                  : *c == '%' ? one
                              : NULL;
            if (!put)
                return -EINVAL;
        }
        if (strlen(put) + 1 > size - n)
            return -ENAMETOOLONG;
        n = (size_t)(stpcpy(text + n, put) - text);
    }
    text[n] = '\0';
    return 0;
}
