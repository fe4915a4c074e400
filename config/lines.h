/* Where keys and sections stand, and how a key's field is reached; inside config/ only. */
#ifndef TF_CONFIG_LINES_H
#define TF_CONFIG_LINES_H

#include "config/table.h"

#define TF_NAMED_MAX TF_OWN_MAX /* of one kind */

struct tf_config_lines {
    int key[TF_KEYS_MAX][TF_NAMED_MAX]; /* 0: not set; the second index is 0 outside named sections */
    int section[TF_SECTIONS];
    int camera[TF_CONFIG_CAMERAS_MAX], pair[TF_CONFIG_PAIRS_MAX], region[TF_OWN_MAX],
        trigger[TF_CONFIG_TRIGGERS_MAX];
};
_Static_assert(TF_CONFIG_PAIRS_MAX <= TF_NAMED_MAX && TF_CONFIG_TRIGGERS_MAX <= TF_NAMED_MAX &&
                   TF_CONFIG_CAMERAS_MAX <= TF_NAMED_MAX,
               "lines of keys have room for all named sections");

/* The section with its further corners; -EINVAL. */
int tf_config_own_of(const struct tf_config_region *region, struct tf_own_region *ret, struct tf_error *err);

static inline const void *tf_config_field(const struct tf_config *config, const struct tf_key *key,
                                          size_t which)
{
    const char *base = (const char *)config + tf_sections[key->section].offset;

    if (tf_section_is_named(key->section))
        base += which * tf_sections[key->section].size;
    return base + key->offset;
}

#endif
