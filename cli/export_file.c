/* Output files of thermoface export: hidden until they are whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/export.h"

int tf_export_file_failed(const struct tf_export_file *file, int code, struct tf_error *err)
{
    return tf_fail(err, code, "%s: cannot be written: %s%s", file->path, strerror(-code),
                   code == -ENOSPC || code == -EDQUOT ? "; choose another disk with --output"
                   : code == -ENOENT                  ? "; the folder has to be there"
                                                      : "");
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static int exists(const char *path, struct tf_error *err)
{
    return tf_fail(err, -EEXIST, "%s exists: --overwrite replaces it, or name another with --output", path);
}

int tf_export_file_begin(struct tf_export_file *file, const char *path, bool overwrite, struct tf_error *err)
{
    const char *name = strrchr(path, '/');
    struct stat st;
    int fd;

    if ((size_t)snprintf(file->path, sizeof(file->path), "%s", path) >= sizeof(file->path))
        return tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", path);
    name = name ? name + 1 : path;
    snprintf(file->part, sizeof(file->part), "%.*s.%.200s.%d", (int)(name - path), path, name, (int)getpid());
    file->overwrite = overwrite;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return tf_fail(err, -EISDIR, "%s is a folder", path);
    if (is_there(path) && !overwrite)
        return exists(path, err);
    /* A file that is no plain one (a device, a pipe) would be taken away by the rename. */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return tf_fail(err, -EINVAL, "%s is no plain file", path);
    fd = open(file->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return tf_export_file_failed(file, -errno, err);
    close(fd);
    file->begun = true;
    return 0;
}

int tf_export_file_commit(struct tf_export_file *file, struct tf_error *err)
{
    int fd = open(file->part, O_RDONLY | O_CLOEXEC), r = 0;

    if (fd < 0 || fsync(fd) < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    if (r < 0)
        return tf_export_file_failed(file, r, err);
    if (file->overwrite) {
        r = rename(file->part, file->path);
    } else {
        r = renameat2(AT_FDCWD, file->part, AT_FDCWD, file->path, RENAME_NOREPLACE);
        /* Not every file system has it. */
        if (r < 0 && errno == EINVAL && !is_there(file->path))
            r = rename(file->part, file->path);
    }
    if (r < 0)
        return errno == EEXIST || errno == EINVAL ? exists(file->path, err)
                                                  : tf_export_file_failed(file, -errno, err);
    file->begun = false;
    return 0;
}

void tf_export_file_abort(struct tf_export_file *file)
{
    if (file->begun)
        unlink(file->part);
    file->begun = false;
}

int tf_export_path(const struct tf_export_item *item, const char *ending, char *path, size_t size,
                   struct tf_error *err)
{
    const char *output = item->options->output;
    struct stat st;
    int n;

    if (!output)
        n = snprintf(path, size, "%s%s", item->stem, ending);
    else if (stat(output, &st) == 0 && S_ISDIR(st.st_mode))
        n = snprintf(path, size, "%s/%s%s", output, item->stem, ending);
    else
        n = snprintf(path, size, "%s", output);
    return n < 0 || (size_t)n >= size
               ? tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", output ? output : item->stem)
               : 0;
}
