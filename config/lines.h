/* Where keys and sections stand, and how a key's field is reached; inside config/ only. */
#ifndef TF_CONFIG_LINES_H
#define TF_CONFIG_LINES_H

#include "config/table.h"

struct tf_config_lines {
    int key[TF_KEYS_MAX][TF_CONFIG_CAMERAS_MAX]; /* 0: not set; the second index is 0 outside cameras */
    int section[TF_SECTIONS];
    int camera[TF_CONFIG_CAMERAS_MAX];
};

static inline const void *tf_config_field(const struct tf_config *config, const struct tf_key *key,
                                          size_t camera)
{
    const char *base = (const char *)config + tf_sections[key->section].offset;

    if (key->section == TF_SECTION_CAMERA)
        base += camera * sizeof(struct tf_config_camera);
    return base + key->offset;
}

#endif
