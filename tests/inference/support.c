/* What the engine's tests share. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/inference/support.h"

void *test_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    char *data;

    if (!file)
        return NULL;
    if (fstat(fileno(file), &st) < 0 || !(data = malloc((size_t)st.st_size + 1))) {
        fclose(file);
        return NULL;
    }
    *size = fread(data, 1, (size_t)st.st_size, file);
    data[*size] = 0;
    fclose(file);
    return data;
}

const char *test_shared(void)
{
    const char *dir = getenv("TF_SHARED");
    struct stat st;

    if (!dir)
        dir = TF_SOURCE_ROOT "/../shared";
    return stat(dir, &st) == 0 ? dir : NULL;
}

uint32_t test_next(struct test_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return (uint32_t)(random->state * 2685821657736338717u >> 32);
}

uint32_t test_below(struct test_random *random, uint32_t below)
{
    return (uint32_t)((uint64_t)test_next(random) * below >> 32);
}
