/* Messages and picture rings between the service and the process that serves RTSP. */
#include "publish/rtsp/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int tf_link_send(int control, const struct tf_link_message *message, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } ancillary = {0};
    struct iovec data = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
    struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
    ssize_t n;

    if (fd >= 0) {
        m.msg_control = ancillary.space;
        m.msg_controllen = sizeof(ancillary.space);
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
    }
    do
        n = sendmsg(control, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    return 0;
}

int tf_link_receive(int control, struct tf_link_message *message, int *fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } ancillary = {0};
    struct iovec data = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = ancillary.space,
                       .msg_controllen = sizeof(ancillary.space)};
    ssize_t n;

    *fd = -1;
    do
        n = recvmsg(control, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (n == 0)
        return -EPIPE;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(fd, CMSG_DATA(c), sizeof(*fd));
    if (n != (ssize_t)sizeof(*message))
        return -EPROTO;
    return 0;
}

static int map(struct tf_link_ring *ring, int fd, struct tf_error *err)
{
    void *at = mmap(NULL, sizeof(struct tf_link_ring_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return tf_fail(err, -errno, "RTSP: no memory for pictures: %s", strerror(errno));
    ring->shared = at;
    return 0;
}

int tf_link_ring_create(struct tf_link_ring *ring, int *fd, struct tf_error *err)
{
    int r;

    *fd = memfd_create("tf-rtsp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return tf_fail(err, -errno, "RTSP: no memory for pictures: %s", strerror(errno));
    /* Sealed, so that the other side cannot cut it off under us, which would be a SIGBUS here. */
    if (ftruncate(*fd, sizeof(struct tf_link_ring_shared)) < 0 ||
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        r = tf_fail(err, -errno, "RTSP: no memory for pictures: %s", strerror(errno));
    else
        r = map(ring, *fd, err);
    if (r < 0) {
        close(*fd);
        *fd = -1;
        return r;
    }
    ring->position = 0;
    return 0;
}

int tf_link_ring_open(struct tf_link_ring *ring, int fd, struct tf_error *err)
{
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0 || st.st_size != (off_t)sizeof(struct tf_link_ring_shared))
        return tf_fail(err, -EPROTO, "RTSP: what the service shares has a wrong size");
    r = map(ring, fd, err);
    if (r < 0)
        return r;
    ring->position = atomic_load(&ring->shared->written);
    atomic_store(&ring->shared->read, ring->position);
    return 0;
}

void tf_link_ring_close(struct tf_link_ring *ring)
{
    if (ring->shared)
        munmap(ring->shared, sizeof(*ring->shared));
    ring->shared = NULL;
}

static uint64_t padded(uint64_t size)
{
    return (size + 31) & ~(uint64_t)31;
}

static void copy_in(struct tf_link_ring_shared *s, uint64_t position, const void *data, size_t size)
{
    size_t at = position % TF_LINK_BYTES, first = TF_LINK_BYTES - at < size ? TF_LINK_BYTES - at : size;

    memcpy(s->bytes + at, data, first);
    memcpy(s->bytes, (const uint8_t *)data + first, size - first);
}

static void copy_out(const struct tf_link_ring_shared *s, uint64_t position, void *data, size_t size)
{
    size_t at = position % TF_LINK_BYTES, first = TF_LINK_BYTES - at < size ? TF_LINK_BYTES - at : size;

    memcpy(data, s->bytes + at, first);
    memcpy((uint8_t *)data + first, s->bytes, size - first);
}

bool tf_link_ring_write(struct tf_link_ring *ring, const struct tf_link_ring_head *head, const uint8_t *data)
{
    uint64_t size = sizeof(*head) + padded(head->size);
    uint64_t waiting = ring->position - atomic_load(&ring->shared->read);

    if (waiting > TF_LINK_BYTES || size > TF_LINK_BYTES - waiting)
        return false;
    copy_in(ring->shared, ring->position, head, sizeof(*head));
    copy_in(ring->shared, ring->position + sizeof(*head), data, head->size);
    ring->position += size;
    atomic_store(&ring->shared->written, ring->position);
    return true;
}

int tf_link_ring_peek(struct tf_link_ring *ring, struct tf_link_ring_head *head)
{
    uint64_t there = atomic_load(&ring->shared->written) - ring->position;

    if (there == 0)
        return 0;
    if (there > TF_LINK_BYTES || there < sizeof(*head))
        return -EPROTO;
    copy_out(ring->shared, ring->position, head, sizeof(*head));
    if (head->size > TF_LINK_BYTES || sizeof(*head) + padded(head->size) > there)
        return -EPROTO;
    return 1;
}

void tf_link_ring_take(struct tf_link_ring *ring, const struct tf_link_ring_head *head, uint8_t *data)
{
    if (data)
        copy_out(ring->shared, ring->position + sizeof(*head), data, head->size);
    ring->position += sizeof(*head) + padded(head->size);
    atomic_store(&ring->shared->read, ring->position);
}
