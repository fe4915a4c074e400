/* The console's files, as meson has put them into the program (web/, scripts/embed). Inside publish/ only. */
#ifndef TF_PUBLISH_HTTP_FILES_H
#define TF_PUBLISH_HTTP_FILES_H

#include <stddef.h>
#include <stdint.h>

struct tf_http_file {
    const char *path; /* "/", "/web/NAME" */
    const char *type;
    const char *etag; /* with its quotes */
    const uint8_t *data;
    size_t size;
    const uint8_t *packed; /* by gzip */
    size_t packed_size;
};

extern const struct tf_http_file tf_http_files[];
extern const size_t tf_http_file_count;

/* NULL: there is none. */
const struct tf_http_file *tf_http_find_file(const char *path);

#endif
