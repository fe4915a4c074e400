/*
 * thermoface export --to npy: the frames as one array that NumPy maps, and their times beside it.
 *
 * Format: NumPy Enhancement Proposal 1, version 1.0: magic, version, length of the header, a Python
 * dictionary padded with blanks to a multiple of 64 bytes, the values. The header's room is kept at the
 * beginning and filled in when the number of frames is known.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/export.h"

#define HEADER_BYTES 128 /* with the magic: enough for 20 digits of frames */

struct npy {
    struct tf_export_item *item;
    struct tf_export_file values, times, about;
    FILE *file, *clock;
};

static int write_header(FILE *file, const char *type, const char *shape)
{
    char text[HEADER_BYTES + 1] = "\x93NUMPY\x01";
    int n;

    /* Its length, little endian, without the ten bytes before it. */
    text[7] = '\0';
    text[8] = HEADER_BYTES - 10;
    text[9] = '\0';
    n = snprintf(text + 10, HEADER_BYTES - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                 type, shape);
    memset(text + 10 + n, ' ', (size_t)(HEADER_BYTES - 11 - n));
    text[HEADER_BYTES - 1] = '\n';
    return fseeko(file, 0, SEEK_SET) == 0 && fwrite(text, 1, HEADER_BYTES, file) == HEADER_BYTES ? 0 : -errno;
}

static int open_one(struct npy *x, const char *path, struct tf_export_file *out, FILE **ret,
                    struct tf_error *err)
{
    int r = tf_export_file_begin(out, path, x->item->options->overwrite, err);

    if (r < 0)
        return r;
    *ret = fopen(out->part, "we");
    return *ret ? 0 : tf_export_file_failed(out, -errno, err);
}

/* "F.npy" → "F_times.npy", "F.json" */
static void beside(const char *path, const char *ending, char *ret, size_t size)
{
    size_t n = strlen(path);

    if (n > 4 && strcmp(path + n - 4, ".npy") == 0)
        n -= 4;
    snprintf(ret, size, "%.*s%s", (int)n, path, ending);
}

static int open_all(struct npy *x, struct tf_error *err)
{
    char path[TF_EXPORT_PATH + 600], other[TF_EXPORT_PATH + 640];
    FILE *text = NULL;
    int r = tf_export_path(x->item, ".npy", path, sizeof(path), err);

    if (r == 0)
        r = open_one(x, path, &x->values, &x->file, err);
    beside(path, "_times.npy", other, sizeof(other));
    if (r == 0)
        r = open_one(x, other, &x->times, &x->clock, err);
    beside(path, ".json", other, sizeof(other));
    if (r == 0)
        r = open_one(x, other, &x->about, &text, err);
    if (text)
        fclose(text);
    return r;
}

static int begin(void *self, const struct tf_export_frames *all, struct tf_error *err)
{
    struct npy *x = self;
    int r = write_header(x->file, "|u1", "0");

    if (r < 0)
        return tf_export_file_failed(&x->values, r, err);
    r = write_header(x->clock, "<i8", "0");
    return r < 0 ? tf_export_file_failed(&x->times, r, err) : 0;
}

static int frame(void *self, const struct tf_export_frames *all, const struct tf_export_frame *one,
                 struct tf_error *err)
{
    struct npy *x = self;
    size_t n = (size_t)all->width * all->height;
    int64_t row[2] = {(int64_t)one->frame->t_mono_ns, (int64_t)one->number};

    if (fwrite(one->values, all->bytes, n, x->file) != n)
        return tf_export_file_failed(&x->values, -errno, err);
    if (fwrite(row, sizeof(row), 1, x->clock) != 1)
        return tf_export_file_failed(&x->times, -errno, err);
    return 0;
}

static int end(void *self, const struct tf_export_frames *all, struct tf_error *err)
{
    static const char *const types[] = {"", "|u1", "<u2", "", "<f4"};
    struct npy *x = self;
    char shape[80], *text;
    FILE *about;
    int r;

    snprintf(shape, sizeof(shape), "%llu, %u, %u", (unsigned long long)all->written, all->height, all->width);
    r = write_header(x->file, types[all->bytes], shape);
    if (r == 0 && fclose(x->file) == EOF)
        r = -errno;
    x->file = r == 0 ? NULL : x->file;
    if (r < 0)
        return tf_export_file_failed(&x->values, r, err);
    snprintf(shape, sizeof(shape), "%llu, 2", (unsigned long long)all->written);
    r = write_header(x->clock, "<i8", shape);
    if (r == 0 && fclose(x->clock) == EOF)
        r = -errno;
    x->clock = r == 0 ? NULL : x->clock;
    if (r < 0)
        return tf_export_file_failed(&x->times, r, err);
    text = tf_export_describe(all, NULL);
    about = text ? fopen(x->about.part, "we") : NULL;
    r = !text ? -ENOMEM : !about ? -errno : fprintf(about, "%s\n", text) < 0 ? -errno : 0;
    if (about && fclose(about) == EOF && r == 0)
        r = -errno;
    free(text);
    return r < 0 ? tf_export_file_failed(&x->about, r, err) : 0;
}

int tf_export_npy(struct tf_export_item *item, struct tf_error *err)
{
    struct npy x = {.item = item};
    const struct tf_export_writer writer = {.self = &x, .begin = begin, .frame = frame, .end = end};
    int r = open_all(&x, err);

    if (r == 0)
        r = tf_export_each_frame(item, &writer, err);
    if (x.file)
        fclose(x.file);
    if (x.clock)
        fclose(x.clock);
    /* The frames last: where they stand, all three do. */
    if (r == 0)
        r = tf_export_file_commit(&x.about, err);
    if (r == 0)
        r = tf_export_file_commit(&x.times, err);
    if (r == 0)
        r = tf_export_file_commit(&x.values, err);
    tf_export_file_abort(&x.about);
    tf_export_file_abort(&x.times);
    tf_export_file_abort(&x.values);
    return r;
}
