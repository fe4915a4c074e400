/*
 * Text into a buffer that may be too small, fast and the same on every machine; inside publish/ only. Numbers
 * are written in fixed point by integer arithmetic, so that neither locale nor C library has a say. A record
 * is some 500 numbers: each writer makes room once and then writes unchecked.
 */
#ifndef TF_PUBLISH_RECORD_TEXT_OUT_H
#define TF_PUBLISH_RECORD_TEXT_OUT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

struct tf_out {
    char *at, *end;
    bool full; /* something did not fit: the text is void */
};

/* What the longest number needs: 39 digits of a float, sign, point, decimals. */
#define TF_OUT_NUMBER_MAX 48

static inline bool tf_out_room(struct tf_out *o, size_t n)
{
    if ((size_t)(o->end - o->at) < n)
        o->full = true;
    return !o->full;
}

static inline void tf_out_bytes(struct tf_out *o, const char *text, size_t n)
{
    if (!tf_out_room(o, n))
        return;
    memcpy(o->at, text, n);
    o->at += n;
}
#define tf_out_literal(o, text) tf_out_bytes(o, text, sizeof(text) - 1)

static inline void tf_out_text(struct tf_out *o, const char *text)
{
    tf_out_bytes(o, text, strlen(text));
}

static inline char *tf_digits(char *at, uint64_t value)
{
    char text[20];
    int n = 0;

    do {
        text[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n)
        *at++ = text[--n];
    return at;
}

static inline void tf_out_uint(struct tf_out *o, uint64_t value)
{
    if (tf_out_room(o, TF_OUT_NUMBER_MAX))
        o->at = tf_digits(o->at, value);
}

static inline void tf_out_int(struct tf_out *o, int64_t value)
{
    if (!tf_out_room(o, TF_OUT_NUMBER_MAX))
        return;
    if (value < 0)
        *o->at++ = '-';
    o->at = tf_digits(o->at, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/*
 * A finite value rounded to `decimals` (1 to 5, ties to even of the binary product), without trailing zeros
 * but with one decimal at least, so that a field keeps its type from record to record. Never "-0.0".
 */
static inline void tf_out_real(struct tf_out *o, double value, int decimals)
{
    static const int scales[] = {1, 10, 100, 1000, 10000, 100000};
    int scale = scales[decimals], part;
    uint64_t fixed;

    if (!tf_out_room(o, TF_OUT_NUMBER_MAX))
        return;
    if (fabs(value) >= 1e12) { /* a float so large has no decimals */
        o->at += snprintf(o->at, TF_OUT_NUMBER_MAX, "%.0f", value);
        *o->at++ = '.';
        *o->at++ = '0';
        return;
    }
    fixed = (uint64_t)rint(fabs(value) * scale);
    if (value < 0 && fixed)
        *o->at++ = '-';
    o->at = tf_digits(o->at, fixed / (unsigned)scale);
    *o->at++ = '.';
    part = (int)(fixed % (unsigned)scale);
    do {
        scale /= 10;
        *o->at++ = (char)('0' + part / scale);
        part %= scale;
    } while (part);
}

/* A cell of a table with tabs, in quotes where it needs them. */
void tf_out_cell(struct tf_out *o, const char *text);
static inline void tf_out_utc(struct tf_out *o, int64_t t_utc_ns)
{
    char text[TF_UTC_TEXT];

    tf_utc_format(t_utc_ns, text);
    tf_out_text(o, text);
}

/* Length of the valid UTF-8 sequence that begins here, in text that ends with a NUL; 0 for none. */
size_t tf_utf8_length(const unsigned char *at);
bool tf_utf8_valid(const char *text);
/* A JSON string of at most `max` bytes of the text; what is not UTF-8 becomes U+FFFD. */
void tf_out_json_text(struct tf_out *o, const char *text, size_t max);

#endif
