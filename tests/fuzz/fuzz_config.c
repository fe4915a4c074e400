/* The configuration from any bytes: taken or refused with a message, never a crash or a leak. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    struct tf_config_change change;
    char path[256];
    int r = tf_config_load_text((const char *)data, size, "fuzz.conf", &config, &err);

    /* What was taken obeys the rules that the daemon relies on. */
    if (r == 0) {
        if (!config->camera_count || config->camera_count > TF_CONFIG_CAMERAS_MAX ||
            tf_config_diff(config, config, &change, 1) != 0)
            abort();
        for (size_t i = 0; i < config->camera_count; i++)
            if (!config->cameras[i].name || !config->cameras[i].source)
                abort();
        if (config->recording.csv &&
            tf_config_expand(config->recording.csv, "x", 0, path, sizeof(path)) == -EINVAL)
            abort();
        if (tf_config_take_live(config, config) < 0)
            abort();
    } else if (config || !err.text[0] || strncmp(err.text, "fuzz.conf", 9) != 0) {
        abort();
    }
    tf_config_free(config);

    /* Going on after errors finds the same first one, and no more than fit. */
    struct tf_config_faults *faults = calloc(1, sizeof(*faults));
    struct tf_config *checked = NULL;

    if (!faults)
        return 0;
    if (tf_config_check_text((const char *)data, size, "fuzz.conf", &checked, faults) != r ||
        !faults->count != !r || faults->count > TF_CONFIG_FAULTS_MAX)
        abort();
    for (size_t i = 0; i < faults->count; i++)
        if (strncmp(faults->at[i].text, "fuzz.conf:", 10) != 0 ||
            (i && faults->lines[i] < faults->lines[i - 1]))
            abort();
    tf_config_free(checked);
    free(faults);
    return 0;
}
