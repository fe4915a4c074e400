#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish/http/http.h"

#define FILE_MAX 1024

bool tf_address_is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(address, "localhost") == 0;
}

static int read_file(const char *path, char *text, size_t size, size_t *length, struct tf_error *err)
{
    struct stat st;
    ssize_t n;
    int fd, r = 0;

    *length = 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        r = -errno;
        return tf_fail(err, r, "credentials %s: %s", path, strerror(-r));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        r = tf_fail(err, -EINVAL, "credentials %s: not a regular file", path);
    while (!r && *length < size && (n = read(fd, text + *length, size - *length)) != 0) {
        if (n > 0)
            *length += (size_t)n;
        else if (errno != EINTR)
            r = tf_fail(err, -EIO, "credentials %s: %s", path, strerror(errno));
    }
    if (!r && *length > FILE_MAX)
        r = tf_fail(err, -E2BIG, "credentials %s: larger than %d bytes", path, FILE_MAX);
    close(fd);
    return r;
}

/* Messages never repeat what the file holds. */
int tf_credentials_read(const char *path, char user[64], char password[128], struct tf_error *err)
{
    char text[FILE_MAX + 2], *colon, *end;
    size_t length;
    int r;

    r = read_file(path, text, FILE_MAX + 1, &length, err);
    if (r < 0)
        goto done;
    text[length] = '\0';
    if (strlen(text) != length) {
        r = tf_fail(err, -EINVAL, "credentials %s: not a text file (a zero byte)", path);
        goto done;
    }
    end = text + strcspn(text, "\r\n");
    *end = '\0';
    colon = strchr(text, ':');
    if (!colon || colon == text || !colon[1])
        r = tf_fail(err, -EINVAL, "credentials %s: the first line is not user:password", path);
    else if (colon - text > 63 || end - colon - 1 > 127)
        r = tf_fail(err, -EINVAL,
                    "credentials %s: the user has more than 63 bytes or the password more than 127", path);
    for (const char *c = text; r == 0 && c < end; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            r = tf_fail(err, -EINVAL, "credentials %s: a control character in the first line", path);
    if (r < 0)
        goto done;
    *colon = '\0';
    strcpy(user, text);
    strcpy(password, colon + 1);
done:
    explicit_bzero(text, sizeof(text));
    return r;
}
