/*
 * Runs a fuzz target on every file of a folder, on each of their beginnings and with each byte of small files
 * changed: what a fuzzer found stays found, without one. Usage: replay_NAME FOLDER
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define FILE_MAX (1u << 20)
#define VARIED_MAX 4096 /* larger files are only run as they are, and cut in 64 places */

/* A copy of its own size each time, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_variants(uint8_t *data, size_t size)
{
    static const uint8_t bytes[] = {0x00, '\n', '%', '=', '9', 0xff};
    size_t step = size > VARIED_MAX ? size / 64 : 1;

    for (size_t n = 0; n <= size; n += step)
        run(data, n);
    for (size_t i = 0; i < size && size <= VARIED_MAX; i++) {
        uint8_t before = data[i];

        data[i] = bytes[i % sizeof(bytes)];
        run(data, size);
        data[i] = before;
    }
}

int main(int argc, char **argv)
{
    uint8_t *data = malloc(FILE_MAX);
    struct dirent *entry;
    char path[4096];
    int files = 0;
    DIR *folder;

    if (argc != 2 || !data || !(folder = opendir(argv[1]))) {
        fprintf(stderr, "usage: %s FOLDER (%s)\n", argv[0], strerror(errno));
        return 2;
    }
    while ((entry = readdir(folder))) {
        FILE *f;
        size_t size;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        f = fopen(path, "rb");
        if (!f) {
            fprintf(stderr, "%s: %s\n", path, strerror(errno));
            return 1;
        }
        size = fread(data, 1, FILE_MAX, f);
        fclose(f);
        run(data, size);
        run_variants(data, size);
        files++;
    }
    closedir(folder);
    free(data);
    printf("%d files\n", files);
    return files ? 0 : 1; /* an empty corpus is a mistake */
}
