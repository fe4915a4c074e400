/* What a report writes: HTML that is XML as well, whatever the texts are. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

#define CELL_MAX 2000

/* Bytes of the UTF-8 character at `c`, or 0. */
static int utf8(const unsigned char *c, uint32_t *ret)
{
    int n = *c < 0x80                 ? 1
            : *c >= 0xc2 && *c < 0xe0 ? 2
            : (*c & 0xf0) == 0xe0     ? 3
            : *c >= 0xf0 && *c < 0xf5 ? 4
                                      : 0;
    uint32_t v = n == 1 ? *c : n == 2 ? *c & 0x1f : n == 3 ? *c & 0x0f : *c & 0x07;

    for (int i = 1; i < n; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (c[i] & 0x3f);
    }
    if ((n == 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000) || v >= 0xfffe)) ||
        (n == 4 && (v < 0x10000 || v > 0x10ffff)))
        return 0;
    *ret = v;
    return n;
}

void tf_html_text(FILE *f, const char *text, size_t max)
{
    const unsigned char *c = (const unsigned char *)text, *end = c + strlen(text);

    while (c < end) {
        uint32_t v = 0;
        int n = utf8(c, &v);

        if ((size_t)((const char *)c - text) + (size_t)(n ? n : 1) > max) {
            fputs("…", f);
            return;
        }
        if (!n || (v < 0x20 && v != '\n' && v != '\t') || (v >= 0x7f && v < 0xa0))
            fputs("\xef\xbf\xbd", f);
        else if (v == '<')
            fputs("&lt;", f);
        else if (v == '>')
            fputs("&gt;", f);
        else if (v == '&')
            fputs("&amp;", f);
        else if (v == '"')
            fputs("&#34;", f);
        else if (v == '\'')
            fputs("&#39;", f);
        else
            fwrite(c, 1, (size_t)n, f);
        c += n ? n : 1;
    }
}

void tf_html_cell(FILE *f, const char *tag, const char *text)
{
    fprintf(f, "<%s>", tag);
    tf_html_text(f, text, CELL_MAX);
    fprintf(f, "</%s>", tag);
}

void tf_html_head(FILE *f, const char *title)
{
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta "
        "charset=\"utf-8\"/>\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
        "'unsafe-inline'\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
        f);
    tf_html_cell(f, "title", title);
    fputs(
        "\n<style>\n"
        "body{font:16px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:1.5rem "
        "auto;max-width:62rem;"
        "padding:0 1rem}\n"
        "h1{font-size:1.6rem}h2{font-size:1.3rem;border-top:2px solid "
        "#1a1a1a;padding-top:.6rem;margin-top:2.2rem}"
        "h3{font-size:1.05rem;margin:1.4rem 0 .4rem}\nh1,h2,td,th,pre,figcaption{overflow-wrap:anywhere}\n"
        "table{border-collapse:collapse;margin:.4rem 0}td,th{border:1px solid #767676;padding:.15rem "
        ".5rem;text-align:"
        "left;vertical-align:top}th{background:#eee}td.n{text-align:right;font-variant-numeric:tabular-nums}"
        "\n"
        "pre{background:#f3f3f3;padding:.6rem;white-space:pre-wrap;max-height:none}\n"
        ".bad{border-left:.4rem solid #a40000;padding:.3rem .7rem;background:#fbeaea}"
        ".good{border-left:.4rem solid #1b5e20;padding:.3rem .7rem;background:#eaf4ea}\n"
        "svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:#1a1a1a}\n"
        "ul.marks{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.8rem}ul.marks li{width:18rem}\n"
        "figure{margin:0}img{max-width:100%;height:auto;display:block;background:#1a1a1a}\n"
        "@media "
        "print{body{max-width:none;font-size:11pt}svg,figure,tr{break-inside:avoid}h2{break-before:page}"
        "h2:first-of-type{break-before:auto}}\n"
        "</style>\n</head>\n<body>\n",
        f);
}

void tf_html_end(FILE *f)
{
    fputs("</body>\n</html>\n", f);
}

static void write_member(FILE *f, const char *name, const json_t *value, int depth, int *left)
{
    const char *key;
    json_t *member;
    char *text;

    if (json_is_object(value) && depth < 6) {
        json_object_foreach((json_t *)value, key, member)
        {
            char whole[512];

            snprintf(whole, sizeof(whole), "%s%s%s", name, *name ? "." : "", key);
            write_member(f, whole, member, depth + 1, left);
        }
        return;
    }
    if ((*left)-- <= 0)
        return;
    fputs("<tr>", f);
    tf_html_cell(f, "th", name);
    text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    tf_html_cell(f, "td", json_is_string(value) ? json_string_value(value) : text ? text : "");
    free(text);
    fputs("</tr>\n", f);
}

void tf_html_json(FILE *f, const json_t *object, int max)
{
    int left = max;

    fputs("<table>\n", f);
    write_member(f, "", object, 0, &left);
    fputs("</table>\n", f);
    if (left < 0)
        fprintf(f, "<p>%d more are left out.</p>\n", -left);
}
