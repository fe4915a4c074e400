/* Memory of one engine: many small allocations with one end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inference/engine/mem.h"

void *tf_mem_alloc(struct tf_mem *mem, size_t count, size_t size)
{
    size_t bytes;
    void *block;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 2 * TF_ALIGN)
        return NULL;
    bytes = (bytes + TF_ALIGN) / TF_ALIGN * TF_ALIGN;
    if (mem->count == mem->capacity) {
        size_t capacity = mem->capacity ? mem->capacity * 2 : 64;
        void **blocks = realloc(mem->blocks, capacity * sizeof(*blocks));
        if (!blocks)
            return NULL;
        mem->blocks = blocks;
        mem->capacity = capacity;
    }
    block = aligned_alloc(TF_ALIGN, bytes);
    if (!block)
        return NULL;
    memset(block, 0, bytes);
    mem->blocks[mem->count++] = block;
    mem->bytes += bytes;
    return block;
}

char *tf_mem_strdup(struct tf_mem *mem, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = tf_mem_alloc(mem, n, 1);

    if (copy)
        memcpy(copy, text, n);
    return copy;
}

void tf_mem_free(struct tf_mem *mem)
{
    for (size_t i = 0; i < mem->count; i++)
        free(mem->blocks[i]);
    free(mem->blocks);
    *mem = (struct tf_mem){0};
}
