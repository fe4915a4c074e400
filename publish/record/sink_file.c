/* Records into a file or standard output, each written at once: what a crash leaves behind is whole rows. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish/record/csv.h"
#include "publish/record/sink.h"

#define SPARE 16 /* bytes of a row's last cell that is not the record's */

struct file_sink {
    int fd;
    bool owned, regular;
    enum tf_file_format format;
    bool started;
    uint64_t t_start_ns; /* of the first record */
    off_t length;        /* whole rows so far */
    char *path, *buffer;
    size_t size;
    struct tf_record *one; /* of TF_FILE_CSV_FACES: the record with the face first whose row it is */
};

static enum tf_csv_profile profile(const struct file_sink *s)
{
    return s->format == TF_FILE_CSV_OPENFACE ? TF_CSV_OPENFACE : TF_CSV_THERMOFACE;
}

static int put(struct file_sink *s, const char *text, size_t size, struct tf_error *err)
{
    size_t done = 0;
    int r;

    while (done < size) {
        ssize_t n = write(s->fd, text + done, size - done);

        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        r = -errno;
        /* Half a row would spoil the file for every reader: take it back, if the file lets us. */
        if (s->regular && done && ftruncate(s->fd, s->length) == 0)
            lseek(s->fd, s->length, SEEK_SET);
        return tf_fail(err, r, "%s: cannot write: %s", s->path, strerror(-r));
    }
    s->length += (off_t)size;
    return 0;
}

/* A frame's first face has the row of TF_FILE_CSV. */
static int take_faces(struct file_sink *s, const struct tf_record *record, struct tf_error *err)
{
    int r = 0;

    if (record->faces.count > 1)
        *s->one = *record;
    for (uint32_t i = 0; i < record->faces.count && r == 0; i++) {
        int n;

        if (i) {
            s->one->faces.faces[0] = record->faces.faces[i];
            memcpy(s->one->own.face[0], record->own.face[i], sizeof(s->one->own.face[0]));
        }
        n = tf_record_csv(i ? s->one : record, TF_CSV_THERMOFACE, s->buffer, s->size - SPARE);
        if (n < 0)
            return tf_fail(err, n, "%s: a record of %zu bytes and more", s->path, s->size);
        /* In place of the line's end. */
        n += sprintf(s->buffer + n - 1, ",%u\n", i) - 1;
        r = put(s, s->buffer, (size_t)n, err);
    }
    return r;
}

static int take(void *self, const struct tf_record *record, struct tf_error *err)
{
    struct file_sink *s = self;
    const char *text = s->buffer;
    int n;

    if (!s->started) {
        s->started = true;
        s->t_start_ns = record->t_mono_ns;
    }
    if (s->format == TF_FILE_CSV_FACES)
        return take_faces(s, record, err);
    if (s->format == TF_FILE_NDJSON)
        n = tf_record_ndjson_once(record, s->buffer, s->size, &text);
    else
        n = tf_record_csv_since(record, profile(s), s->t_start_ns, s->buffer, s->size);
    if (n < 0)
        return tf_fail(err, n, "%s: a record of %zu bytes and more", s->path, s->size);
    return put(s, text, (size_t)n, err);
}

static int finish(void *self, struct tf_error *err)
{
    struct file_sink *s = self;
    int r = 0;

    if (s->owned && close(s->fd) < 0)
        r = tf_fail(err, -errno, "%s: cannot close: %s", s->path, strerror(errno));
    free(s->path);
    free(s->one);
    free(s->buffer);
    free(s);
    return r;
}

static int open_file(struct file_sink *s, bool overwrite, struct tf_error *err)
{
    struct stat st;
    int r;

    if (strcmp(s->path, "-") == 0) {
        s->fd = STDOUT_FILENO;
        return 0;
    }
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL), 0644);
    if (s->fd < 0) {
        r = -errno;
        if (r == -EEXIST)
            return tf_fail(err, r, "%s exists and is not overwritten: choose another name or remove it",
                           s->path);
        return tf_fail(err, r, "%s: cannot create: %s", s->path, strerror(-r));
    }
    s->owned = true;
    s->regular = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);
    return 0;
}

int tf_sink_file(const char *path, enum tf_file_format format, bool overwrite, struct tf_sink *ret,
                 struct tf_error *err)
{
    return tf_sink_file_own(path, format, overwrite, NULL, ret, err);
}

int tf_sink_file_own(const char *path, enum tf_file_format format, bool overwrite,
                     const struct tf_own_names *own, struct tf_sink *ret, struct tf_error *err)
{
    static const char *const names[] = {"ndjson", "csv", "csv (OpenFace)", "csv (faces)"};
    struct file_sink *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return tf_fail(err, -ENOMEM, "%s: no memory", path);
    s->fd = -1;
    s->format = format;
    s->size = tf_record_bytes_max() + SPARE;
    s->one = format == TF_FILE_CSV_FACES ? malloc(sizeof(*s->one)) : NULL;
    s->buffer = malloc(s->size);
    s->path = strdup(path);
    if (!s->buffer || !s->path || (format == TF_FILE_CSV_FACES && !s->one)) {
        r = tf_fail(err, -ENOMEM, "%s: no memory", path);
        goto fail;
    }
    r = open_file(s, overwrite, err);
    if (r < 0)
        goto fail;
    if (format != TF_FILE_NDJSON) {
        r = tf_record_csv_header(profile(s), own, s->buffer, s->size - SPARE);
        if (format == TF_FILE_CSV_FACES)
            r += sprintf(s->buffer + r - 1, ",face\n") - 1;
        r = put(s, s->buffer, (size_t)r, err);
        if (r < 0)
            goto fail;
    }
    *ret = (struct tf_sink){.name = names[format], .self = s, .record = take, .close = finish};
    return 0;

fail:
    finish(s, NULL);
    return r;
}
