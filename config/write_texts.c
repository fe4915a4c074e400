/* thermoface-config-text example|manual|markdown|help: prints one of the table's texts; the build uses it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "config/config.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        char *(*write)(void);
    } texts[] = {
        {"example", tf_config_example},
        {"manual", tf_config_manual},
        {"markdown", tf_config_markdown},
        {"help", tf_config_help},
    };

    for (size_t i = 0; i < TF_COUNT(texts) && argc == 2; i++) {
        char *text = strcmp(argv[1], texts[i].name) == 0 ? texts[i].write() : NULL;

        if (!text)
            continue;
        fputs(text, stdout);
        free(text);
        return fflush(stdout) != 0;
    }
    fprintf(stderr, "usage: %s example|manual|markdown|help\n", argv[0]);
    return 2;
}
