/* Which reader a file needs, by its first bytes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "capture/reader.h"

/* Enough for the segments before a FLIR one in a JPEG. */
#define HEAD_BYTES 8192

/* Kinds of files that cannot be read from twice, or at all, are said by name. */
static int check_path(const char *path, struct tf_error *err)
{
    struct stat st;
    int fd;

    if (strcmp(path, "-") == 0)
        return tf_fail(err, -EINVAL,
                       "-: standard input cannot be read: a recording is read from its beginning more than "
                       "once; write it to a file first");
    if (stat(path, &st) < 0)
        return tf_fail(err, -errno, "%s: %s", path,
                       errno == ENOENT ? "there is no such file" : strerror(errno));
    if (S_ISDIR(st.st_mode))
        return tf_fail(err, -EINVAL,
                       "%s: is a folder; name one video file in it, or a sequence of pictures "
                       "(FOLDER/frame_%%04d.png)",
                       path);
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
        return tf_fail(err, -EINVAL,
                       "%s: is a pipe: a recording is read from its beginning more than once; write it to a "
                       "file first",
                       path);
    if (!S_ISREG(st.st_mode))
        return tf_fail(err, -EINVAL, "%s: is not a file", path);
    if (st.st_size == 0)
        return tf_fail(err, -EIO, "%s: is empty", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    close(fd);
    return 0;
}

static size_t read_head(const char *path, uint8_t head[HEAD_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, head, HEAD_BYTES);

    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* The first bytes of what is packed. */
static size_t read_packed(const char *path, uint8_t head[HEAD_BYTES])
{
    gzFile file = gzopen(path, "rbe");
    int n = file ? gzread(file, head, 64) : 0;

    if (file)
        gzclose(file);
    return n > 0 ? (size_t)n : 0;
}

int tf_reader_open_one(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                       struct tf_error *err)
{
    const char *foreign[2] = {NULL, NULL};
    uint8_t head[HEAD_BYTES];
    size_t size;
    int r = check_path(path, err);

    if (r)
        return r;
    if (options->raw)
        return tf_reader_open_raw(options, path, ret, err);
    size = read_head(path, head);
    switch (tf_file_kind(path, head, size, foreign)) {
    case TF_FILE_TIFF:
        return tf_reader_open_tiff(options, path, ret, err);
    case TF_FILE_GZIP:
        size = read_packed(path, head);
        if (tf_file_kind("", head, size, foreign) != TF_FILE_FOREIGN)
            return tf_reader_open_y16(options, path, ret, err);
        break;
    case TF_FILE_FOREIGN:
        break;
    case TF_FILE_TEXT:
        return tf_fail(err, -EIO, "%s: is text, not a video", path);
    case TF_FILE_OTHER:
        return tf_reader_open_av(options, path, ret, err);
    }
    return tf_fail(err, -ENOTSUP, "%s: %s, which is not read; %s", path, foreign[0], foreign[1]);
}
