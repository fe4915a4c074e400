/* Values of the configuration: read, checked, compared, copied and written as text. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/frame.h"
#include "config/table.h"

/* A decimal number and where it ends; the decimal point does not depend on the locale. */
static bool number(const char *text, double *ret, const char **end)
{
    static const char digits[] = "0123456789";
    size_t n = *text == '-' || *text == '+';
    size_t whole = strspn(text + n, digits), part = 0;
    char *stop, copy[64];
    locale_t c;

    n += whole;
    if (text[n] == '.') {
        part = strspn(text + n + 1, digits);
        n += 1 + part;
    }
    if ((!whole && !part) || n >= sizeof(copy))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c)
        return false;
    *ret = strtod_l(copy, &stop, c);
    freelocale(c);
    *end = text + n;
    return *stop == '\0' && isfinite(*ret);
}

struct unit {
    const char *name;
    double factor;
};
static const struct unit durations[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"min", 60}, {"h", 3600}, {NULL, 0}};
static const struct unit bytes[] = {{"", 1}, {"K", 1024}, {"M", 1024.0 * 1024}, {NULL, 0}};
static const struct unit rates[] = {{"", 1e-3}, {"k", 1}, {"K", 1}, {"M", 1000}, {NULL, 0}};
static const struct unit none[] = {{"", 1}, {NULL, 0}};

static bool number_with_unit(const struct tf_key *key, const char *text, const struct unit *units,
                             double *ret)
{
    const char *end;

    if (!number(text, ret, &end))
        return false;
    end += strspn(end, " ");
    for (; units->name; units++)
        if (strcmp(units->name, end) == 0) {
            *ret *= units->factor;
            return *ret >= key->min && *ret <= key->max;
        }
    return false;
}

static bool whole_number(const struct tf_key *key, const char *text, double *ret)
{
    return number_with_unit(key, text, none, ret) && *ret == floor(*ret) && !strchr(text, '.');
}

static bool boolean(const char *text, bool *ret)
{
    static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

    for (size_t i = 0; i < 4; i++)
        for (int v = 0; v < 2; v++)
            if (strcasecmp(text, words[i][v]) == 0) {
                *ret = v;
                return true;
            }
    return false;
}

static bool range(const struct tf_key *key, const char *text, struct tf_config_range *ret)
{
    const char *end;
    double min, max;

    if (strcmp(text, "auto") == 0) {
        *ret = (struct tf_config_range){0};
        return true;
    }
    if (!number(text, &min, &end))
        return false;
    /* "20..40" and "20.5..40": number() takes the first point of "20..": give it back. */
    if (end > text && end[-1] == '.' && end[0] == '.')
        end--;
    if (strncmp(end, "..", 2) != 0 || !number(end + 2, &max, &end) || *end)
        return false;
    if (min < key->min || max > key->max || !((float)min < (float)max))
        return false;
    *ret = (struct tf_config_range){.fixed = true, .min = (float)min, .max = (float)max};
    return true;
}

/* "10,20,16,12"; limits are those of each number. */
static bool rectangle(const struct tf_key *key, const char *text, uint16_t ret[4])
{
    double v[4];

    for (int i = 0; i < 4; i++) {
        const char *end;

        if (!number(text, &v[i], &end) || v[i] != floor(v[i]) || v[i] < key->min || v[i] > key->max ||
            *end != (i < 3 ? ',' : '\0'))
            return false;
        text = end + 1;
    }
    if (v[2] < 1 || v[3] < 1)
        return false;
    for (int i = 0; i < 4; i++)
        ret[i] = (uint16_t)v[i];
    return true;
}

static bool is_word(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
            return false;
    return true;
}

static bool is_template(const char *text)
{
    for (; *text; text++)
        if (*text == '%' && !strchr("nt%", *++text))
            return false;
        else if (!*text)
            return false;
    return true;
}

static bool is_address(const char *text)
{
    struct in6_addr any;

    return strcmp(text, "localhost") == 0 || inet_pton(AF_INET, text, &any) == 1 ||
           inet_pton(AF_INET6, text, &any) == 1;
}

static bool is_choice(const char *const *choices, const char *text, int *ret)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], text) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

static int set_text(char **field, const char *text)
{
    char *copy = NULL;

    if (text && !(copy = strdup(text)))
        return -ENOMEM;
    free(*field);
    *field = copy;
    return 0;
}

static int set_credentials(const struct tf_key *key, const char *text, char **field, struct tf_error *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *path;
    int r;

    if (strchr(text, '/'))
        return set_text(field, text);
    if (!is_word(text) || text[0] == '.')
        return tf_fail(err, -EINVAL, "expected a path, or the name of a systemd credential");
    if (!folder)
        return tf_fail(
            err, -EINVAL,
            "\"%s\" names a systemd credential, and this process was given none (no $CREDENTIALS_DIRECTORY): "
            "write a path with a slash, or add LoadCredential=%s:FILE to the unit",
            text, text);
    if (asprintf(&path, "%s/%s", folder, text) < 0)
        return -ENOMEM;
    r = set_text(field, path);
    free(path);
    return r;
}

static int unexpected(const struct tf_key *key, const char *text, struct tf_error *err)
{
    char expected[256];

    tf_value_describe(key, expected, sizeof(expected));
    return tf_fail(err, -EINVAL, "\"%s\" is not a value for %s: expected %s", text, key->name, expected);
}

int tf_value_parse(const struct tf_key *key, const char *text, void *field, struct tf_error *err)
{
    double v = 0;
    int choice = 0;
    bool ok = true, flag;
    struct tf_config_range r;

    if (strlen(text) > TF_VALUE_TEXT_MAX)
        return tf_fail(err, -EINVAL, "the value of %s is longer than %d bytes", key->name, TF_VALUE_TEXT_MAX);
    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            return tf_fail(err, -EINVAL, "the value of %s holds a control character", key->name);
    if (!*text)
        return tf_fail(err, -EINVAL, "%s has no value: leave the line out to get the default", key->name);

    switch (key->type) {
    case TF_VALUE_BOOL:
        if ((ok = boolean(text, &flag)))
            *(bool *)field = flag;
        break;
    case TF_VALUE_UINT:
        if ((ok = whole_number(key, text, &v)))
            *(uint32_t *)field = (uint32_t)v;
        break;
    case TF_VALUE_UINT16:
        if ((ok = whole_number(key, text, &v)))
            *(uint16_t *)field = (uint16_t)v;
        break;
    case TF_VALUE_NUMBER:
        if ((ok = number_with_unit(key, text, none, &v)))
            *(float *)field = (float)v;
        break;
    case TF_VALUE_DURATION:
        if ((ok = number_with_unit(key, text, durations, &v)))
            *(uint64_t *)field = (uint64_t)llround(v * 1e9);
        break;
    case TF_VALUE_BYTES:
        if ((ok = number_with_unit(key, text, bytes, &v)))
            *(uint32_t *)field = (uint32_t)v;
        break;
    case TF_VALUE_RATE:
        /* 0 is constant quality; what is less than 1 kbit/s was meant with a suffix. */
        if ((ok = number_with_unit(key, text, rates, &v) && (v == 0 || v >= 1)))
            *(uint32_t *)field = (uint32_t)lround(v);
        break;
    case TF_VALUE_CHOICE:
        if ((ok = is_choice(key->choices, text, &choice)))
            *(int *)field = choice;
        break;
    case TF_VALUE_ROTATE:
        if ((ok = is_choice(key->choices, text, &choice)))
            *(uint16_t *)field = strcmp(key->choices[choice], "auto") == 0
                                     ? TF_ROTATE_AUTO
                                     : (uint16_t)atoi(key->choices[choice]);
        break;
    case TF_VALUE_RANGE:
        if ((ok = range(key, text, &r)))
            *(struct tf_config_range *)field = r;
        break;
    case TF_VALUE_RECT:
        ok = rectangle(key, text, field);
        break;
    case TF_VALUE_SHAPE:
    case TF_VALUE_CORNERS:
        ok = tf_shape_parse(text, key->type == TF_VALUE_CORNERS, field, NULL) == 0;
        break;
    case TF_VALUE_WORD:
        ok = key->choices ? is_choice(key->choices, text, &choice) : is_word(text);
        break;
    case TF_VALUE_TEMPLATE:
        ok = is_template(text);
        break;
    case TF_VALUE_ADDRESS:
        ok = is_address(text);
        break;
    case TF_VALUE_CREDENTIALS:
        return set_credentials(key, text, field, err);
    case TF_VALUE_TEXT:
    case TF_VALUE_PATH:
        break;
    }
    if (!ok)
        return unexpected(key, text, err);
    return tf_value_is_text(key->type) ? set_text(field, text) : 0;
}

static void format_scaled(uint32_t value, uint32_t kilo, const char *suffixes, char *text, size_t size)
{
    if (value && value % (kilo * kilo) == 0)
        snprintf(text, size, "%u%c", value / (kilo * kilo), suffixes[1]);
    else if (value && value % kilo == 0)
        snprintf(text, size, "%u%c", value / kilo, suffixes[0]);
    else
        snprintf(text, size, "%u", value);
}

void tf_value_format(const struct tf_key *key, const void *field, char *text, size_t size)
{
    const struct tf_config_range *r = field;
    const uint16_t *rect = field;

    switch (key->type) {
    case TF_VALUE_BOOL:
        snprintf(text, size, "%s", *(const bool *)field ? "yes" : "no");
        break;
    case TF_VALUE_UINT:
        snprintf(text, size, "%u", *(const uint32_t *)field);
        break;
    case TF_VALUE_UINT16:
    case TF_VALUE_ROTATE:
        if (*(const uint16_t *)field == TF_ROTATE_AUTO)
            snprintf(text, size, "auto");
        else
            snprintf(text, size, "%u", *(const uint16_t *)field);
        break;
    case TF_VALUE_NUMBER:
        snprintf(text, size, "%g", (double)*(const float *)field);
        break;
    case TF_VALUE_DURATION:
        snprintf(text, size, "%gs", (double)*(const uint64_t *)field * 1e-9);
        break;
    case TF_VALUE_BYTES:
        format_scaled(*(const uint32_t *)field, 1024, "KM", text, size);
        break;
    case TF_VALUE_RATE:
        if (*(const uint32_t *)field)
            snprintf(text, size, "%uk", *(const uint32_t *)field);
        else
            snprintf(text, size, "0");
        break;
    case TF_VALUE_CHOICE:
        snprintf(text, size, "%s", key->choices[*(const int *)field]);
        break;
    case TF_VALUE_RANGE:
        if (r->fixed)
            snprintf(text, size, "%g..%g", (double)r->min, (double)r->max);
        else
            snprintf(text, size, "auto");
        break;
    case TF_VALUE_RECT:
        if (rect[2])
            snprintf(text, size, "%u,%u,%u,%u", rect[0], rect[1], rect[2], rect[3]);
        else
            snprintf(text, size, "%s", "");
        break;
    case TF_VALUE_SHAPE:
    case TF_VALUE_CORNERS:
        tf_shape_format(field, key->type == TF_VALUE_CORNERS, text, size);
        break;
    default:
        snprintf(text, size, "%s", *(char *const *)field ? *(char *const *)field : "");
        break;
    }
}

static bool shapes_equal(const struct tf_shape *a, const struct tf_shape *b)
{
    if (a->kind != b->kind || a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->v[i] != b->v[i])
            return false;
    return true;
}

bool tf_value_equal(const struct tf_key *key, const void *a, const void *b)
{
    const struct tf_config_range *x = a, *y = b;
    const char *s, *t;

    switch (key->type) {
    case TF_VALUE_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case TF_VALUE_UINT:
    case TF_VALUE_BYTES:
    case TF_VALUE_RATE:
        return *(const uint32_t *)a == *(const uint32_t *)b;
    case TF_VALUE_UINT16:
    case TF_VALUE_ROTATE:
        return *(const uint16_t *)a == *(const uint16_t *)b;
    case TF_VALUE_NUMBER:
        return *(const float *)a == *(const float *)b;
    case TF_VALUE_DURATION:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case TF_VALUE_CHOICE:
        return *(const int *)a == *(const int *)b;
    case TF_VALUE_RANGE:
        return x->fixed == y->fixed && x->min == y->min && x->max == y->max;
    case TF_VALUE_RECT:
        return memcmp(a, b, 4 * sizeof(uint16_t)) == 0;
    case TF_VALUE_SHAPE:
    case TF_VALUE_CORNERS:
        return shapes_equal(a, b);
    default:
        s = *(char *const *)a;
        t = *(char *const *)b;
        return s && t ? strcmp(s, t) == 0 : s == t;
    }
}

int tf_value_copy(const struct tf_key *key, void *to, const void *from)
{
    static const size_t sizes[] = {
        [TF_VALUE_BOOL] = sizeof(bool),
        [TF_VALUE_UINT] = sizeof(uint32_t),
        [TF_VALUE_UINT16] = sizeof(uint16_t),
        [TF_VALUE_NUMBER] = sizeof(float),
        [TF_VALUE_DURATION] = sizeof(uint64_t),
        [TF_VALUE_BYTES] = sizeof(uint32_t),
        [TF_VALUE_RATE] = sizeof(uint32_t),
        [TF_VALUE_CHOICE] = sizeof(int),
        [TF_VALUE_ROTATE] = sizeof(uint16_t),
        [TF_VALUE_RANGE] = sizeof(struct tf_config_range),
        [TF_VALUE_RECT] = 4 * sizeof(uint16_t),
        [TF_VALUE_SHAPE] = sizeof(struct tf_shape),
        [TF_VALUE_CORNERS] = sizeof(struct tf_shape),
    };

    if (tf_value_is_text(key->type))
        return set_text(to, *(char *const *)from);
    memcpy(to, from, sizes[key->type]);
    return 0;
}

static void list_choices(const char *const *choices, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; choices[i] && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s",
                              !i               ? ""
                              : choices[i + 1] ? ", "
                                               : " or ",
                              choices[i]);
}

void tf_value_describe(const struct tf_key *key, char *text, size_t size)
{
    const char *gap = key->unit ? " " : "", *unit = key->unit ? key->unit : "";

    switch (key->type) {
    case TF_VALUE_BOOL:
        snprintf(text, size, "yes or no");
        break;
    case TF_VALUE_UINT:
    case TF_VALUE_UINT16:
        snprintf(text, size, "a whole number from %.0f to %.0f%s%s", key->min, key->max, gap, unit);
        break;
    case TF_VALUE_NUMBER:
        snprintf(text, size, "a number from %g to %g%s%s", key->min, key->max, gap, unit);
        break;
    case TF_VALUE_DURATION:
        snprintf(text, size, "a duration such as 500ms, 10s or 2min, from %gs to %gs", key->min, key->max);
        break;
    case TF_VALUE_BYTES:
        snprintf(text, size, "a size such as 512K or 4M, from %.0fK to %.0fM", key->min / 1024,
                 key->max / 1024 / 1024);
        break;
    case TF_VALUE_RATE:
        snprintf(text, size, "a bit rate such as 800k or 4M, up to %.0fM, or 0", key->max / 1000);
        break;
    case TF_VALUE_CHOICE:
    case TF_VALUE_ROTATE:
        list_choices(key->choices, text, size);
        break;
    case TF_VALUE_RANGE:
        snprintf(text, size, "auto or MIN..MAX in %s, such as 22..38", unit);
        break;
    case TF_VALUE_RECT:
        snprintf(text, size, "X,Y,W,H in %s, such as 10,20,16,12", unit);
        break;
    case TF_VALUE_SHAPE:
        snprintf(text, size,
                 "\"rectangle X,Y,W,H\", \"circle X,Y,R\" or \"polygon X,Y X,Y X,Y …\" of up to %d corners",
                 TF_SHAPE_POINTS_MAX);
        break;
    case TF_VALUE_CORNERS:
        snprintf(text, size, "corners X,Y X,Y …");
        break;
    case TF_VALUE_WORD:
        if (key->choices)
            list_choices(key->choices, text, size);
        else
            snprintf(text, size, "a name");
        break;
    case TF_VALUE_TEXT:
        snprintf(text, size, "text");
        break;
    case TF_VALUE_PATH:
        snprintf(text, size, "a path");
        break;
    case TF_VALUE_TEMPLATE:
        snprintf(text, size, "a path, in which only %%n, %%t and %%%% may follow a percent sign");
        break;
    case TF_VALUE_ADDRESS:
        snprintf(text, size, "an IPv4 or IPv6 address, or localhost");
        break;
    case TF_VALUE_CREDENTIALS:
        snprintf(text, size, "a path, or the name of a systemd credential");
        break;
    }
}
