/* Text into a buffer that may be too small. */
#include "publish/record/text_out.h"

size_t tf_utf8_length(const unsigned char *c)
{
    size_t n = c[0] < 0x80                   ? 1
               : c[0] >= 0xc2 && c[0] < 0xe0 ? 2
               : (c[0] & 0xf0) == 0xe0       ? 3
               : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                             : 0;

    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0; /* also at the text's end */
    /* Overlong forms, surrogates, beyond U+10FFFF. */
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
        (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    return n;
}

bool tf_utf8_valid(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    while (*c) {
        size_t n = tf_utf8_length(c);

        if (!n)
            return false;
        c += n;
    }
    return true;
}

void tf_out_json_text(struct tf_out *o, const char *text, size_t max)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *c = (const unsigned char *)text, *end = c + strnlen(text, max);

    tf_out_literal(o, "\"");
    while (c < end) {
        size_t n = tf_utf8_length(c);

        if (*c == '"' || *c == '\\') {
            char escaped[2] = {'\\', (char)*c};

            tf_out_bytes(o, escaped, 2);
        } else if (*c < 0x20 || *c == 0x7f) {
            char escaped[6] = {'\\', 'u', '0', '0', hex[*c >> 4], hex[*c & 15]};

            tf_out_bytes(o, escaped, 6);
        } else if (n && c + n <= end) {
            tf_out_bytes(o, (const char *)c, n);
        } else {
            n = 1;
            tf_out_literal(o, "\\ufffd");
        }
        c += n;
    }
    tf_out_literal(o, "\"");
}

/* As RFC 4180 and BIDS have it: in quotes where there is a quote or a blank at an end, quotes inside doubled.
 * Readers take an unquoted one at a cell's beginning, R anywhere in it, for the begin of such a cell. */
void tf_out_cell(struct tf_out *o, const char *text)
{
    size_t n = strlen(text);

    if (!strchr(text, '"') && (!n || (text[0] != ' ' && text[n - 1] != ' '))) {
        tf_out_bytes(o, text, n);
        return;
    }
    tf_out_literal(o, "\"");
    for (const char *c = text; *c; c++)
        tf_out_bytes(o, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    tf_out_literal(o, "\"");
}
