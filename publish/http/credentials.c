/* Files with user and password, or with tokens. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish/http/http.h"

#define FILE_MAX 1024
#define TOKENS_FILE_MAX (32u << 10)
#define TOKEN_MIN 16

static int read_file(const char *what, const char *path, char *text, size_t size, size_t *length,
                     struct tf_error *err)
{
    struct stat st;
    ssize_t n;
    int fd, r = 0;

    *length = 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        r = -errno;
        return tf_fail(err, r, "%s %s: %s", what, path, strerror(-r));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        r = tf_fail(err, -EINVAL, "%s %s: not a regular file", what, path);
    while (!r && *length < size && (n = read(fd, text + *length, size - *length)) != 0) {
        if (n > 0)
            *length += (size_t)n;
        else if (errno != EINTR)
            r = tf_fail(err, -EIO, "%s %s: %s", what, path, strerror(errno));
    }
    if (!r && *length == size)
        r = tf_fail(err, -E2BIG, "%s %s: larger than %zu bytes", what, path, size - 1);
    close(fd);
    return r;
}

/* Messages never repeat what the file holds. */
int tf_credentials_read(const char *path, char user[64], char password[128], struct tf_error *err)
{
    char text[FILE_MAX + 2], *colon, *end;
    size_t length;
    int r;

    r = read_file("credentials", path, text, FILE_MAX + 1, &length, err);
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

/* One line; its number is all that a message says of it. */
static int take_token(const char *path, size_t line, const char *text, size_t n, struct tf_tokens *ret,
                      struct tf_error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    char *token = ret->text[ret->count];

    if (!n || *text == '#')
        return 0;
    if (ret->count == TF_TOKENS_MAX)
        return tf_fail(err, -E2BIG, "tokens %s: more than %d", path, TF_TOKENS_MAX);
    if (n < TOKEN_MIN || n > TF_TOKEN_BYTES)
        return tf_fail(err, -EINVAL, "tokens %s:%zu: a token has %d to %d characters (openssl rand -hex 32)",
                       path, line, TOKEN_MIN, TF_TOKEN_BYTES);
    memcpy(token, text, n);
    token[n] = '\0';
    if (strspn(token, allowed) != n) {
        explicit_bzero(token, n);
        return tf_fail(err, -EINVAL, "tokens %s:%zu: a token has letters, digits and -._~+/= only", path,
                       line);
    }
    ret->count++;
    return 0;
}

int tf_tokens_read(const char *path, struct tf_tokens *ret, struct tf_error *err)
{
    char *text = malloc(TOKENS_FILE_MAX + 2);
    struct tf_tokens *found = calloc(1, sizeof(*found));
    size_t length = 0, line = 1;
    int r = text && found ? read_file("tokens", path, text, TOKENS_FILE_MAX + 1, &length, err)
                          : tf_fail(err, -ENOMEM, "tokens %s: no memory", path);

    for (size_t at = 0; r == 0 && at < length; line++) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t n = end ? (size_t)(end - text) - at : length - at, cut = n;

        if (cut && text[at + cut - 1] == '\r')
            cut--;
        r = take_token(path, line, text + at, cut, found, err);
        at += n + 1;
    }
    if (r == 0 && !found->count)
        r = tf_fail(err, -EINVAL, "tokens %s: there is none in it", path);
    if (r == 0)
        *ret = *found;
    if (found)
        explicit_bzero(found, sizeof(*found));
    if (text)
        explicit_bzero(text, TOKENS_FILE_MAX + 2);
    free(found);
    free(text);
    return r;
}
