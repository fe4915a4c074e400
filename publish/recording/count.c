/* How many frames a Matroska file holds that a failing disk has cut: blocks that are there whole. */
#include <errno.h>
#include <unistd.h>

#include "publish/recording/video.h"

#define SEGMENT 0x18538067u
#define CLUSTER 0x1f43b675u
#define BLOCK_GROUP 0xa0u
#define SIMPLE_BLOCK 0xa3u

/* An EBML number of up to 8 bytes; its length, or 0. `keep`: with the bits that say the length, as ids have
 * them. */
static int number(const uint8_t *at, size_t size, bool keep, uint64_t *ret, bool *unknown)
{
    int n = 1;
    uint64_t value;

    while (n <= 8 && size && !(at[0] & 0x80 >> (n - 1)))
        n++;
    if (n > 8 || (size_t)n > size)
        return 0;
    value = keep ? at[0] : at[0] & (0xffu >> n);
    for (int i = 1; i < n; i++)
        value = value << 8 | at[i];
    *unknown = !keep && value == (UINT64_C(1) << 7 * n) - 1;
    *ret = value;
    return n;
}

int tf_raw_video_count(int fd, uint64_t from, uint64_t *ret)
{
    off_t end = lseek(fd, 0, SEEK_END);
    uint64_t at = from, frames = 0;

    if (end < 0)
        return -errno;
    while (at < (uint64_t)end) {
        uint8_t head[16];
        ssize_t n = pread(fd, head, sizeof(head), (off_t)at);
        uint64_t id, size;
        bool unknown;
        int a, b;

        if (n < 0)
            return -errno;
        a = number(head, (size_t)n, true, &id, &unknown);
        b = a ? number(head + a, (size_t)(n - a), false, &size, &unknown) : 0;
        if (!b)
            break;
        at += (uint64_t)(a + b);
        if (id == SEGMENT || id == CLUSTER)
            continue; /* into it */
        if (unknown || size > (uint64_t)end - at)
            break;
        frames += id == SIMPLE_BLOCK || id == BLOCK_GROUP;
        at += size;
    }
    *ret = frames;
    return 0;
}
