/* An error's text: what, where, what to do. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static void mark_cut(char *text)
{
    /* Cuts at the start of a UTF-8 character, so that the message stays valid text. */
    static const char dots[] = "\xe2\x80\xa6";
    size_t at = TF_ERROR_TEXT - sizeof(dots);

    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    memcpy(text + at, dots, sizeof(dots));
}

int tf_vfail(struct tf_error *err, int code, const char *format, va_list args)
{
    if (err) {
        int n = vsnprintf(err->text, sizeof(err->text), format, args);
        if (n >= (int)sizeof(err->text))
            mark_cut(err->text);
    }
    return code;
}

int tf_fail(struct tf_error *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tf_vfail(err, code, format, args);
    va_end(args);
    return code;
}

void tf_error_prefix(struct tf_error *err, const char *format, ...)
{
    char text[TF_ERROR_TEXT];
    va_list args;
    int n;

    if (!err)
        return;
    memcpy(text, err->text, sizeof(text));
    va_start(args, format);
    n = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof(err->text))
        n = (int)strlen(err->text);
    if (snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", text) >= (int)sizeof(err->text) - n)
        mark_cut(err->text);
}
