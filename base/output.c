/* Output files that are whole or not there. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"

bool tf_output_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    int before = errno;
    bool gone = poll(&p, 1, 0) == 1 && (p.revents & POLLERR);

    errno = before;
    return gone;
}

int tf_output_end(const char *program, int status)
{
    bool failed = ferror(stdout);

    errno = 0;
    failed |= fflush(stdout) != 0;
    if (tf_output_gone()) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    if (!failed)
        return status;
    /* After an earlier write that failed there may be nothing left to fail: ask once more for the reason. */
    if (!errno)
        (void)!write(STDOUT_FILENO, "\n", 1);
    fprintf(stderr, "%s: standard output: %s\n", program, errno ? strerror(errno) : "could not be written");
    return status ? status : 1;
}
