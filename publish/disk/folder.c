/* Files beneath an open folder, whole or not there. */
#include "publish/disk/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define NAME_BYTES 4096
#define LOCK_WAIT_NS 5000000000ull
#define LOCK_LOOK_NS 5000000ull

int tf_folder_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* For kernels before 5.6, and where a sandbox forbids openat2: one part of the name after the other. */
static int walk(int folder, const char *name, int flags, mode_t mode)
{
    int at = folder, fd;
    char part[256];

    for (;;) {
        size_t n = strcspn(name, "/");
        bool last = !name[n];

        if (n >= sizeof(part)) {
            fd = -ENAMETOOLONG;
            break;
        }
        memcpy(part, name, n);
        part[n] = '\0';
        fd = openat(at, part, last ? flags | O_NOFOLLOW : O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                    mode);
        if (fd < 0)
            fd = -errno;
        /* A link that is asked for as a folder is no folder. */
        if (fd == -ENOTDIR) {
            struct stat st;

            if (fstatat(at, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
                fd = -ELOOP;
        }
        if (at != folder)
            close(at);
        if (fd < 0 || last)
            break;
        at = fd;
        name += n + 1;
    }
    return fd;
}

#if defined(__SANITIZE_THREAD__)
/* It follows descriptors through the calls of the C library only, and there is none for openat2. */
static int open_without_links(int folder, const char *name, int flags, mode_t mode)
{
    return -ENOSYS;
}
#else
static int open_without_links(int folder, const char *name, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)flags, .mode = flags & O_CREAT ? mode : 0, .resolve = RESOLVE_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, folder, name, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}
#endif

int tf_folder_file(int folder, const char *name, int flags, mode_t mode)
{
    int fd = open_without_links(folder, name, flags | O_CLOEXEC, mode);

    return fd == -ENOSYS || fd == -EPERM ? walk(folder, name, flags | O_CLOEXEC, mode) : fd;
}

static int fail_with(int r, const char *folder, const char *name, const char *what, struct tf_error *err)
{
    if (r == -ELOOP)
        return tf_fail(err, r,
                       "%s/%s is a symbolic link, and links inside a data set are not followed: put a folder "
                       "or a file in its place",
                       folder, name);
    return tf_fail(err, r, "%s/%s: %s: %s", folder, name, what, strerror(-r));
}

int tf_folder_make(int parent, const char *name, const char *shown, int *ret, struct tf_error *err)
{
    int fd;

    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return fail_with(-errno, shown, name, "cannot be made", err);
    fd = tf_folder_file(parent, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fail_with(fd, shown, name, "cannot be opened", err);
    *ret = fd;
    return 0;
}

void tf_folder_sync(int folder)
{
    if (folder >= 0)
        fsync(folder);
}

int tf_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* The file beside its place, on the disk. The process's number keeps two services apart. */
static int put_beside(int folder, const char *name, char part[NAME_BYTES], const void *data, size_t size,
                      const struct stat *like)
{
    int fd, r;

    if (snprintf(part, NAME_BYTES, "%s.%ld.part", name, (long)getpid()) >= NAME_BYTES)
        return -ENAMETOOLONG;
    fd = tf_folder_file(folder, part, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return fd;
    if (like && (fchmod(fd, like->st_mode & 07777) < 0 || fchown(fd, like->st_uid, like->st_gid) < 0))
        errno = 0; /* not ours to give: who may read it stays as the folder has it */
    r = tf_write_all(fd, data, size);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r < 0)
        unlinkat(folder, part, 0);
    return r;
}

int tf_folder_put_new(int folder, const char *shown, const char *name, const void *data, size_t size,
                      struct tf_error *err)
{
    char part[NAME_BYTES];
    struct stat st;
    int r;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    r = put_beside(folder, name, part, data, size, NULL);
    if (r < 0)
        return fail_with(r, shown, name, "cannot be written", err);
    if (renameat2(folder, part, folder, name, RENAME_NOREPLACE) < 0)
        r = -errno;
    /* Some network and FAT file systems cannot: a second name does the same, or at worst a look before. */
    if (r == -EINVAL || r == -ENOSYS) {
        r = linkat(folder, part, folder, name, 0) < 0 ? -errno : 0;
        if (r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS)
            r = renameat(folder, part, folder, name) < 0 ? -errno : 0;
    }
    unlinkat(folder, part, 0);
    if (r == -EEXIST)
        return r;
    return r < 0 ? fail_with(r, shown, name, "cannot be written", err) : 0;
}

int tf_folder_put(int folder, const char *shown, const char *name, const void *data, size_t size,
                  struct tf_error *err)
{
    char part[NAME_BYTES];
    struct stat st;
    bool there = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    int r;

    if (there && S_ISLNK(st.st_mode))
        return fail_with(-ELOOP, shown, name, "", err);
    r = put_beside(folder, name, part, data, size, there ? &st : NULL);
    if (r == 0 && renameat(folder, part, folder, name) < 0) {
        r = -errno;
        unlinkat(folder, part, 0);
    }
    return r < 0 ? fail_with(r, shown, name, "cannot be written", err) : 0;
}

static int compare(int fd, int result, const struct stat *there)
{
    struct stat open_one;

    if (fstat(fd, &open_one) < 0)
        return -errno;
    if (!open_one.st_nlink)
        return result < 0 ? -ENOENT : -ESTALE;
    if (result < 0)
        return result;
    return open_one.st_dev == there->st_dev && open_one.st_ino == there->st_ino ? 0 : -ESTALE;
}

int tf_folder_check(int folder, const char *name, int fd)
{
    struct stat there;
    int r = fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;

    return compare(fd, r, &there);
}

int tf_path_check(const char *path, int fd)
{
    struct stat there;
    int r = stat(path, &there) < 0 ? -errno : 0;

    return compare(fd, r == -ENOTDIR ? -ENOENT : r, &there);
}

const char *tf_folder_problem(int code)
{
    if (code == -ENOENT)
        return "was deleted or renamed";
    if (code == -ESTALE)
        return "was replaced by another file";
    return strerror(-code);
}

int tf_folder_lock(int folder, const char *name, int *ret)
{
    uint64_t until = tf_now_ns() + LOCK_WAIT_NS;

    for (;;) {
        int fd = tf_folder_file(folder, name, O_RDWR | O_CREAT, 0644), r;

        if (fd == -EACCES || fd == -EROFS) {
            int readable = tf_folder_file(folder, name, O_RDONLY, 0);

            if (readable < 0)
                return fd;
            *ret = readable;
            return fd;
        }
        if (fd < 0)
            return fd;
        while ((r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0) == -EWOULDBLOCK && tf_now_ns() < until)
            tf_sleep_until_ns(tf_now_ns() + LOCK_LOOK_NS);
        /* Whoever had it has put another file in its place, most likely. */
        if (r == 0 && tf_folder_check(folder, name, fd) < 0 && tf_now_ns() < until) {
            close(fd);
            continue;
        }
        if (r == -EWOULDBLOCK) {
            close(fd);
            return -EBUSY;
        }
        /* A file system without locks: what two services need there nobody can give them. */
        *ret = fd;
        return 0;
    }
}
