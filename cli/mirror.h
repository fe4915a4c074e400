/* --mirror WHEN, which several commands take. */
#ifndef TF_CLI_MIRROR_H
#define TF_CLI_MIRROR_H

#include <stddef.h>

#include "cli/options.h"
#include "inference/face.h"

#define TF_MIRROR_HELP "read each face twice, as it is and mirrored: auto (up to 33 frames/s), no or yes"

/* The option's text, or NULL where it was not given: *ret stays. Returns 0 or the exit status of wrong usage.
 */
static inline int tf_read_mirror(const struct tf_usage *usage, const char *text, enum tf_mirror *ret)
{
    if (text == NULL || tf_mirror_parse(text, ret))
        return 0;
    return tf_usage_error(usage, "--mirror is '%s'; it can be auto, no or yes", text);
}

#endif
