/* What a request's first line asks for. */
#include "publish/http/target.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* UTF-8 as RFC 3629 has it, byte by byte: `state` holds how many bytes follow and the bounds of the next. */
struct utf8 {
    unsigned char left, low, high;
};

static bool utf8_take(struct utf8 *u, unsigned char c)
{
    if (u->left) {
        if (c < u->low || c > u->high)
            return false;
        u->left--;
        u->low = 0x80;
        u->high = 0xbf;
        return true;
    }
    u->low = 0x80;
    u->high = 0xbf;
    if (c < 0x80)
        return true;
    if (c < 0xc2 || c > 0xf4)
        return false;
    u->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (c == 0xe0)
        u->low = 0xa0; /* what is shorter is overlong */
    else if (c == 0xed)
        u->high = 0x9f; /* no surrogates */
    else if (c == 0xf0)
        u->low = 0x90;
    else if (c == 0xf4)
        u->high = 0x8f; /* up to U+10FFFF */
    return true;
}

/* Decodes up to `end` into `ret`, cut to `size`; NULL or what is wrong. */
static const char *decode(const char *at, const char *end, bool plus, char *ret, size_t size)
{
    struct utf8 u = {0};
    size_t n = 0;

    while (at < end) {
        unsigned char c = (unsigned char)*at++;

        if (c == '%') {
            int high = at < end ? hex(at[0]) : -1, low = high >= 0 && at + 1 < end ? hex(at[1]) : -1;

            if (low < 0)
                return "a percent sign without two hexadecimal digits in the address";
            c = (unsigned char)(high << 4 | low);
            at += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f)
            return "a control character in the address";
        if (!utf8_take(&u, c))
            return "the address is not UTF-8";
        if (n + 1 < size)
            ret[n++] = (char)c;
    }
    ret[n] = '\0';
    return u.left ? "the address is not UTF-8" : NULL;
}

static const char *take_name(const char *value, const char *end, struct tf_target_name *ret,
                             const char *twice, const char *empty)
{
    const char *why;

    if (ret->given)
        return twice;
    ret->given = true;
    why = decode(value, end, true, ret->text, sizeof(ret->text));
    return why ? why : !ret->text[0] ? empty : NULL;
}

/* One name=value of the query. */
static const char *take_pair(const char *at, const char *end, struct tf_target *ret)
{
    const char *equals = memchr(at, '=', (size_t)(end - at)), *value = equals ? equals + 1 : end, *why;
    char name[16], ignored[2];

    why = decode(at, equals ? equals : end, true, name, sizeof(name));
    if (why)
        return why;
    if (strcmp(name, "camera") == 0)
        return take_name(value, end, &ret->camera, "camera= is given twice", "camera= names none");
    if (strcmp(name, "pair") == 0)
        return take_name(value, end, &ret->pair, "pair= is given twice", "pair= names none");
    if (strcmp(name, "from") == 0)
        return take_name(value, end, &ret->from, "from= is given twice", "from= has no value");
    if (strcmp(name, "seconds") == 0)
        return take_name(value, end, &ret->seconds, "seconds= is given twice", "seconds= has no value");
    return decode(value, end, true, ignored, sizeof(ignored));
}

static const char *take_query(const char *at, struct tf_target *ret)
{
    for (int names = 0; *at; names++) {
        const char *end = at + strcspn(at, "&"), *why = take_pair(at, end, ret);

        if (names == TF_TARGET_NAMES_MAX)
            return "too many names in the address";

        if (why)
            return why;
        at = *end ? end + 1 : end;
    }
    return ret->camera.given && ret->pair.given ? "camera= and pair= exclude each other" : NULL;
}

/* What comes before the path in absolute form. */
static const char *take_authority(const char **raw, struct tf_target *ret)
{
    const char *at = *raw, *host;
    unsigned host_size;
    size_t n;
    int port;

    if (strncasecmp(at, "http://", 7) == 0)
        at += 7;
    else if (strncasecmp(at, "https://", 8) == 0)
        at += 8;
    else
        return "the address does not begin with \"/\"";
    n = strcspn(at, "/?");
    if (n >= sizeof(ret->authority))
        return "the address names a host that is too long";
    memcpy(ret->authority, at, n);
    ret->authority[n] = '\0';
    if (!tf_authority_parse(ret->authority, &host, &host_size, &port))
        return "the address names no host that is one";
    *raw = at + n;
    return NULL;
}

int tf_target_parse(const char *raw, struct tf_target *ret, const char **why)
{
    const char *end;

    memset(ret, 0, sizeof(*ret));
    *why = NULL;
    if (*raw != '/')
        *why = take_authority(&raw, ret);
    if (*why)
        return -EINVAL;
    if (raw[strcspn(raw, "# ")]) {
        *why = "a blank or a fragment (#) in the address";
        return -EINVAL;
    }
    end = raw + strcspn(raw, "?");
    *why = decode(raw, end, false, ret->path, sizeof(ret->path));
    if (!*why && !ret->path[0])
        strcpy(ret->path, "/"); /* http://host, http://host?… */
    if (!*why && *end)
        *why = take_query(end + 1, ret);
    return *why ? -EINVAL : 0;
}

static bool parse_port(const char *at, int *port)
{
    *port = -1;
    if (!*at)
        return true;
    if (*at++ != ':')
        return false;
    if (!*at)
        return true; /* "host:" is allowed */
    *port = 0;
    for (; *at; at++) {
        if (!isdigit((unsigned char)*at))
            return false;
        *port = *port * 10 + (*at - '0');
        if (*port > 65535)
            return false;
    }
    return true;
}

bool tf_authority_parse(const char *authority, const char **host, unsigned *host_size, int *port)
{
    size_t n;

    if (*authority == '[') {
        n = strspn(authority + 1, "0123456789abcdefABCDEF:.");
        if (!n || authority[1 + n] != ']')
            return false;
        *host = authority + 1;
        authority += n + 2;
    } else {
        n = strspn(authority, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~");
        if (!n)
            return false;
        *host = authority;
        authority += n;
    }
    *host_size = (unsigned)n;
    return n < 256 && parse_port(authority, port);
}
