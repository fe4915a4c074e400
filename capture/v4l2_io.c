/* A V4L2 device's calls, through libv4l2 where it converts. */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#if TF_HAVE_LIBV4L2
#include <libv4l2.h>
#endif

#include "capture/v4l2.h"

int tf_v4l2_ioctl(const struct tf_v4l2_io *io, unsigned long request, void *argument)
{
    int r;

    do {
#if TF_HAVE_LIBV4L2
        r = io->convert ? v4l2_ioctl(io->fd, request, argument) : ioctl(io->fd, request, argument);
#else
        r = ioctl(io->fd, request, argument);
#endif
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

void *tf_v4l2_mmap(const struct tf_v4l2_io *io, size_t length, uint32_t offset)
{
#if TF_HAVE_LIBV4L2
    if (io->convert)
        return v4l2_mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, io->fd, offset);
#endif
    return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, io->fd, (off_t)offset);
}

void tf_v4l2_munmap(const struct tf_v4l2_io *io, void *address, size_t length)
{
#if TF_HAVE_LIBV4L2
    if (io->convert) {
        v4l2_munmap(address, length);
        return;
    }
#endif
    munmap(address, length);
}

int tf_v4l2_convert(struct tf_v4l2_io *io)
{
#if TF_HAVE_LIBV4L2
    /* Its own remarks go nowhere: a source returns reasons, it does not log. */
    if (!v4l2_log_file)
        v4l2_log_file = fopen("/dev/null", "we");
    if (v4l2_fd_open(io->fd, 0) < 0)
        return -errno;
    io->convert = true;
    return 0;
#else
    return -ENOTSUP;
#endif
}

void tf_v4l2_close(struct tf_v4l2_io *io)
{
    if (io->fd < 0)
        return;
#if TF_HAVE_LIBV4L2
    if (io->convert)
        v4l2_close(io->fd);
    else
        close(io->fd);
#else
    close(io->fd);
#endif
    io->fd = -1;
    io->convert = false;
}
