/* How many files may be open at once. */
#include "base/descriptors.h"

#include <limits.h>
#include <sys/resource.h>

#define RESERVE_MIN 64
#define RESERVE_MAX 512

unsigned tf_descriptors_for_clients(void)
{
    struct rlimit limit;
    rlim_t reserve;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT_MAX)
        limit.rlim_cur = INT_MAX;
    reserve = limit.rlim_cur / 4;
    if (reserve < RESERVE_MIN)
        reserve = RESERVE_MIN;
    if (reserve > RESERVE_MAX)
        reserve = RESERVE_MAX;
    return limit.rlim_cur > reserve ? (unsigned)(limit.rlim_cur - reserve) : 0;
}

bool tf_descriptor_spare(int fd)
{
    return fd >= 0 && (unsigned)fd < tf_descriptors_for_clients();
}
