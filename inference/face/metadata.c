/* Values of a model's metadata, read and checked. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/metadata.h"

/* Longest value read; the longest of docs/models.md has about 40 characters. */
#define VALUE_MAX 256

int tf_meta_text(const struct tf_engine *engine, const char *path, const char *key, const char **ret,
                 struct tf_error *err)
{
    const char *value = tf_engine_metadata(engine, key);

    if (!value || value[0] == '\0')
        return tf_fail(err, -EINVAL, "%s: metadata key %s is missing; docs/models.md says what it must hold",
                       path, key);
    *ret = value;
    return 0;
}

bool tf_meta_is(const char *value, const char *word)
{
    size_t n = strlen(word);

    return strncmp(value, word, n) == 0 && (value[n] == '\0' || value[n] == ' ');
}

static int read_pair(const char *path, const char *key, const char *pair, const struct tf_meta_key *keys,
                     int count, bool *seen, struct tf_error *err)
{
    const char *equals = strchr(pair, '=');
    char *end = NULL;

    if (!equals || equals == pair)
        return tf_fail(err, -EINVAL, "%s: metadata %s: '%s' is not key=value", path, key, pair);
    for (int i = 0; i < count; i++) {
        if (strlen(keys[i].name) != (size_t)(equals - pair) ||
            strncmp(keys[i].name, pair, (size_t)(equals - pair)) != 0)
            continue;
        if (seen[i])
            return tf_fail(err, -EINVAL, "%s: metadata %s: %s is given twice", path, key, keys[i].name);
        float number = strtof(equals + 1, &end);
        if (end == equals + 1 || *end != '\0' || !isfinite(number))
            return tf_fail(err, -EINVAL, "%s: metadata %s: '%s' is not a number", path, key, pair);
        if (number < keys[i].min || number > keys[i].max)
            return tf_fail(err, -EINVAL, "%s: metadata %s: %s must be from %g to %g", path, key, pair,
                           (double)keys[i].min, (double)keys[i].max);
        seen[i] = true;
        *keys[i].value = number;
        return 0;
    }
    return tf_fail(err, -EINVAL, "%s: metadata %s: unknown key in '%s'", path, key, pair);
}

int tf_meta_pairs(const char *path, const char *key, const char *value, const struct tf_meta_key *keys,
                  int count, struct tf_error *err)
{
    char text[VALUE_MAX], *save = NULL;
    bool seen[8] = {false};
    bool first = true;
    int r;

    if (strlen(value) >= sizeof(text))
        return tf_fail(err, -EINVAL, "%s: metadata %s is longer than %d characters", path, key,
                       VALUE_MAX - 1);
    strcpy(text, value);
    for (char *part = strtok_r(text, " ", &save); part; part = strtok_r(NULL, " ", &save)) {
        if (!first) {
            r = read_pair(path, key, part, keys, count, seen, err);
            if (r < 0)
                return r;
        }
        first = false;
    }
    for (int i = 0; i < count; i++) {
        if (keys[i].required && !seen[i])
            return tf_fail(err, -EINVAL, "%s: metadata %s: '%s' lacks %s=", path, key, value, keys[i].name);
    }
    return 0;
}
