/* A picture as PNG. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>

#include "overlay/overlay.h"

struct memory {
    uint8_t *data;
    size_t size, capacity;
};

static cairo_status_t append(void *closure, const unsigned char *data, unsigned length)
{
    struct memory *m = closure;

    if (m->size + length > m->capacity) {
        size_t capacity = (m->size + length) * 2;
        uint8_t *grown = realloc(m->data, capacity);
        if (!grown)
            return CAIRO_STATUS_NO_MEMORY;
        m->data = grown;
        m->capacity = capacity;
    }
    memcpy(m->data + m->size, data, length);
    m->size += length;
    return CAIRO_STATUS_SUCCESS;
}

int tf_picture_png(const struct tf_picture *p, uint8_t **ret, size_t *size, struct tf_error *err)
{
    struct memory memory = {0};
    cairo_surface_t *surface = cairo_image_surface_create_for_data(p->data, CAIRO_FORMAT_RGB24, (int)p->width,
                                                                   (int)p->height, (int)p->stride);
    cairo_status_t status = cairo_surface_write_to_png_stream(surface, append, &memory);

    cairo_surface_destroy(surface);
    if (status != CAIRO_STATUS_SUCCESS) {
        free(memory.data);
        return tf_fail(err, status == CAIRO_STATUS_NO_MEMORY ? -ENOMEM : -EIO, "PNG: %s",
                       cairo_status_to_string(status));
    }
    *ret = memory.data;
    *size = memory.size;
    return 0;
}
