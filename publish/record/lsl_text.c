/* Texts of other programs, made fit for a mark, and predicates. */
#include <errno.h>
#include <string.h>

#include "publish/record/lsl_internal.h"
#include "publish/record/text_out.h"

/* Control characters become blanks, what is not UTF-8 a question mark, blanks at the ends go. */
bool tf_lsl_clean(const char *text, size_t length, char *ret, size_t size)
{
    char copy[TF_LSL_MARK_MAX + 8]; /* with an end: not every version of the library gives one */
    const unsigned char *c = (const unsigned char *)copy;
    size_t n = length < sizeof(copy) - 1 ? length : sizeof(copy) - 1, used = 0;
    bool cut = n < length;

    memcpy(copy, text, n);
    copy[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
            copy[i] = ' ';
    while (*c == ' ')
        c++;
    while (*c) {
        size_t one = tf_utf8_length(c);

        if (used + (one ? one : 1) >= size) {
            cut = true;
            break;
        }
        if (one)
            memcpy(ret + used, c, one);
        else
            ret[used] = '?';
        used += one ? one : 1;
        c += one ? one : 1;
    }
    while (used && ret[used - 1] == ' ')
        used--;
    ret[used] = '\0';
    return cut;
}

int tf_lsl_check_predicate(const char *predicate, struct tf_error *err)
{
    char open[32], quote = 0;
    size_t depth = 0;

    for (const char *c = predicate; *c; c++) {
        if (quote) {
            quote = *c == quote ? 0 : quote;
        } else if (*c == '\'' || *c == '"') {
            quote = *c;
        } else if (*c == '(' || *c == '[') {
            if (depth == sizeof(open))
                return tf_fail(err, -EINVAL, "%s: brackets too deep", predicate);
            open[depth++] = *c;
        } else if (*c == ')' || *c == ']') {
            if (!depth || open[--depth] != (*c == ')' ? '(' : '['))
                return tf_fail(err, -EINVAL, "%s: a %c closes nothing", predicate, *c);
        }
    }
    if (quote || depth)
        return tf_fail(err, -EINVAL,
                       "%s: a %c is not closed; expected such as type='Markers' and name='PsychoPy'",
                       predicate, quote ? quote : open[depth - 1]);
    if (!strpbrk(predicate, "=("))
        return tf_fail(err, -EINVAL, "%s: expected an XPath predicate such as type='Markers'", predicate);
    return 0;
}
