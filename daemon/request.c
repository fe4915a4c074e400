/* JSON of HTTP's requests, read by a table of fields, and JSON answers. */
#include "daemon/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As it was given: an integer with all its digits, another with as many as bring the same double back. */
static void number_as_text(const json_t *value, char text[TF_REQUEST_NUMBER_TEXT])
{
    if (json_is_integer(value)) {
        snprintf(text, TF_REQUEST_NUMBER_TEXT, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, TF_REQUEST_NUMBER_TEXT - 2, "%.*g", digits, json_real_value(value));
        if (strtod(text, NULL) == json_real_value(value))
            break;
    }
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
}

static int take_text(const struct tf_request_field *f, const json_t *value, struct tf_error *err)
{
    if (strlen(json_string_value(value)) != json_string_length(value))
        return tf_fail(err, -EINVAL, "\"%s\" has a zero byte", f->name);
    *f->text = json_string_value(value);
    return 0;
}

static int take_number(const struct tf_request_field *f, const json_t *value, struct tf_error *err)
{
    double number = json_number_value(value);

    if (!(number >= f->min && number <= f->max))
        return tf_fail(err, -EINVAL, "\"%s\" has to be from %.15g to %.15g", f->name, f->min, f->max);
    if (f->integer)
        *f->integer = json_integer_value(value);
    else
        *f->number = number;
    return 0;
}

static int take(const struct tf_request_field *f, const json_t *value, struct tf_error *err)
{
    if (f->text && json_is_string(value))
        return take_text(f, value, err);
    if (f->text && f->number_text && json_is_number(value)) {
        number_as_text(value, f->number_text);
        *f->text = f->number_text;
        return 0;
    }
    if ((f->number && json_is_number(value)) || (f->integer && json_is_integer(value)))
        return take_number(f, value, err);
    if (f->flag && json_is_boolean(value)) {
        *f->flag = json_is_true(value);
        return 0;
    }
    return tf_fail(err, -EINVAL, "\"%s\" has to be %s", f->name,
                   f->flag                     ? "true or false"
                   : f->text && f->number_text ? "a string or a number"
                   : f->text                   ? "a string"
                   : f->integer                ? "a whole number"
                                               : "a number");
}

static int not_understood(const char *key, const struct tf_request_field *fields, struct tf_error *err)
{
    char known[256] = "";
    size_t n = 0;

    for (const struct tf_request_field *f = fields; f->name && n < sizeof(known); f++)
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s\"%s\"", n ? ", " : "", f->name);
    return n ? tf_fail(err, -EINVAL, "\"%.40s\" is not understood here, only %s", key, known)
             : tf_fail(err, -EINVAL, "\"%.40s\" is not understood here: the body has to be empty", key);
}

static int take_all(json_t *body, const struct tf_request_field *fields, struct tf_error *err)
{
    const char *key;
    json_t *value;
    int r = 0;

    json_object_foreach(body, key, value)
    {
        const struct tf_request_field *f = fields;

        while (f->name && strcmp(f->name, key) != 0)
            f++;
        if (!f->name)
            return not_understood(key, fields, err);
        if (json_is_null(value))
            continue;
        r = take(f, value, err);
        if (r < 0)
            return r;
        if (f->given)
            *f->given = true;
    }
    return 0;
}

int tf_request_read(json_t **body, const char *text, size_t size, const struct tf_request_field *fields,
                    struct tf_error *err)
{
    json_error_t problem = {0};

    *body = size ? json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem) : json_object();
    if (!*body && strstr(problem.text, "big integer"))
        return tf_fail(err, -EINVAL,
                       "the body has a number that 64 bits cannot hold: send it as a string, or with a "
                       "decimal point");
    if (!*body)
        return tf_fail(err, -EINVAL, "the body is not JSON: %s", problem.text);
    if (!json_is_object(*body))
        return tf_fail(err, -EINVAL, "the body is not a JSON object");
    return take_all(*body, fields, err);
}

int tf_request_status(int r)
{
    switch (r < 0 ? -r : 0) {
    case 0:
        return 200;
    case EINVAL:
    case ENAMETOOLONG:
    case ERANGE:
        return 400;
    case ENOENT: /* no camera of that name */
        return 404;
    case EBUSY: /* something else is going on, or */
    case EALREADY:
    case ENOTCONN: /* what would be needed is not */
        return 409;
    case ENOTSUP: /* this service or this camera cannot */
        return 501;
    case EAGAIN: /* not yet, or not now */
    case ESHUTDOWN:
    case ENOBUFS:
    case ENODEV:
        return 503;
    case ETIMEDOUT: /* the camera or the disk did not answer */
        return 504;
    case ENOSPC:
    case EDQUOT:
        return 507;
    }
    return 500;
}

int tf_request_answer(json_t *object, int status, char **answer)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    size_t n = text ? strlen(text) : 0;

    json_decref(object);
    *answer = text ? realloc(text, n + 2) : NULL;
    if (*answer)
        memcpy(*answer + n, "\n", 2);
    else
        free(text);
    return status;
}

int tf_request_error(int r, const struct tf_error *err, char **answer)
{
    json_t *object = json_object();

    /* An error may name a file whose name is not UTF-8, which JSON cannot hold. */
    if (json_object_set_new(object, "error", json_string(err->text)) < 0)
        json_object_set_new(object, "error", json_string(strerror(-r)));
    return tf_request_answer(object, tf_request_status(r), answer);
}
