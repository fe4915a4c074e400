/* Memory of one engine: many small allocations with one end, so that every error path is a single call. */
#ifndef TF_INFERENCE_ENGINE_MEM_H
#define TF_INFERENCE_ENGINE_MEM_H

#include <stddef.h>

struct tf_mem {
    void **blocks;
    size_t count, capacity;
    size_t bytes;
};

#define TF_ALIGN 64

/* Zeroed, aligned to TF_ALIGN bytes; NULL when out of memory or when count * size overflows. */
void *tf_mem_alloc(struct tf_mem *mem, size_t count, size_t size);
char *tf_mem_strdup(struct tf_mem *mem, const char *text);
/* Frees everything; `mem` can be used again. */
void tf_mem_free(struct tf_mem *mem);

#endif
