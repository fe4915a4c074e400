/* A manifest from any bytes: names that stay in their folders, or refused in words. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "publish/disk/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tf_manifest_list list = {0};
    struct tf_error err = {0};

    if (tf_manifest_read((const char *)data, size, &list, &err) < 0) {
        if (!err.text[0] || list.entries)
            abort();
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.entries[i].name;

        if (strncmp(name, "../motion/", 10) == 0)
            name += 10;
        if (!*name || *name == '.' || strchr(name, '/') || strlen(name) >= sizeof(list.entries[i].name))
            abort();
    }
    free(list.entries);
    return 0;
}
