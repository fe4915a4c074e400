/* What is posted to /record/start and /mark, any bytes: read into its places, or refused in words. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/request.h"
#include "fuzz.h"
#include "publish/record/text_out.h"

/* Texts are whole UTF-8 without a zero byte; a number's text is that of the same number. */
static void check_text(const char *text)
{
    if (text && !tf_utf8_valid(text))
        abort();
}

static void check_value(const json_t *body, const char *value)
{
    const json_t *v = json_object_get(body, "value");

    if (json_is_string(v) && strcmp(json_string_value(v), value) != 0)
        abort();
    if (json_is_integer(v) && strtoll(value, NULL, 10) != json_integer_value(v))
        abort();
    if (json_is_real(v) && strtod(value, NULL) != json_real_value(v))
        abort();
}

static void check_answer(int r, const struct tf_error *err)
{
    char *answer = NULL;
    int status = tf_request_error(r, err, &answer);
    json_t *object = answer ? json_loads(answer, 0, NULL) : NULL;

    if (status != 400 || !json_is_string(json_object_get(object, "error")))
        abort();
    json_decref(object);
    free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *subject = NULL, *task = NULL, *note = NULL, *text = NULL, *value = NULL;
    char number[TF_REQUEST_NUMBER_TEXT] = "";
    double emissivity = 0.5;
    int64_t t_mono_ns = 0;
    const struct tf_request_field of_start[] = {{"subject", .text = &subject},
                                                {"task", .text = &task},
                                                {"note", .text = &note},
                                                {"emissivity", .number = &emissivity, .min = 0.01, .max = 1},
                                                {0}};
    const struct tf_request_field of_mark[] = {{"text", .text = &text},
                                               {"value", .text = &value, .number_text = number},
                                               {"t_mono_ns", .integer = &t_mono_ns, .min = 0, .max = 1e18},
                                               {0}};
    struct tf_error err = {0};
    json_t *body = NULL;
    int r = tf_request_read(&body, (const char *)data, size, of_start, &err);

    if (r < 0)
        check_answer(r, &err);
    if (r == 0 && !(emissivity >= 0.01 && emissivity <= 1))
        abort();
    check_text(subject);
    check_text(task);
    check_text(note);
    json_decref(body);
    body = NULL;
    err = (struct tf_error){0};
    r = tf_request_read(&body, (const char *)data, size, of_mark, &err);
    if (r < 0)
        check_answer(r, &err);
    check_text(text);
    check_text(value);
    if (r == 0 && value)
        check_value(body, value);
    json_decref(body);
    return 0;
}
