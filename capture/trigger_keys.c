/* The kernel's names of keys and buttons. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/options.h"
#include "capture/trigger_device.h"

static const struct {
    const char *name;
    unsigned code;
} keys[] = {
#include "trigger_keys.inc"
};

/* The name that was meant, or NULL; of names that are as like, the one that is as long: "KEY_SPAEC" was not
 * KEY_S. */
static const char *nearest(const char *name)
{
    const char *near = NULL;
    unsigned least = UINT_MAX;
    size_t length = strlen(name), off = 0;

    for (size_t i = 0; i < TF_COUNT(keys); i++) {
        unsigned unlike = tf_unlike(name, keys[i].name);
        size_t n = strlen(keys[i].name), differs = n > length ? n - length : length - n;

        if (unlike > least || unlike == UINT_MAX || (unlike == least && differs >= off))
            continue;
        near = keys[i].name;
        least = unlike;
        off = differs;
    }
    return near;
}

int tf_trigger_key(const char *name, struct tf_error *err)
{
    const char *near;
    char *end;
    unsigned long code = strtoul(name, &end, 0);

    if (*name >= '0' && *name <= '9' && !*end && code && code < KEY_CNT)
        return (int)code;
    for (size_t i = 0; i < TF_COUNT(keys); i++)
        if (strcmp(name, keys[i].name) == 0)
            return (int)keys[i].code;
    near = nearest(name);
    return tf_fail(err, -EINVAL,
                   "there is no key \"%s\"%s%s; names are those of linux/input-event-codes.h (KEY_SPACE, "
                   "BTN_LEFT), or numbers",
                   name, near ? ": did you mean " : "", near ? near : "");
}

const char *tf_trigger_key_name(unsigned code, char text[16])
{
    for (size_t i = 0; i < TF_COUNT(keys); i++)
        if (keys[i].code == code)
            return keys[i].name;
    snprintf(text, 16, "%u", code);
    return text;
}
