/* Parsing a command line by its table, and what is said about a wrong one. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/options.h"
#include "base/output.h"

#define COLUMNS 80
#define HELP_COLUMN 27
#define SUGGESTIONS_MAX 8
#define WHY_MAX 768
/* So many names are listed in a message; of more, the nearest is. */
#define NAMES_MAX 32

static tf_values_fn *names;

void tf_options_names(tf_values_fn *name)
{
    names = name;
}

static void say(const struct tf_usage *usage, const char *format, va_list args)
{
    fprintf(stderr, "%s%s%s: ", usage->program, *usage->command ? " " : "", usage->command);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int tf_usage_error(const struct tf_usage *usage, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(usage, format, args);
    va_end(args);
    fprintf(stderr, "Try '%s%s%s --help'.\n", usage->program, *usage->command ? " " : "", usage->command);
    return TF_EXIT_USAGE;
}

int tf_command_error(const struct tf_usage *usage, const char *format, ...)
{
    va_list args;
    /* What is in the way of a reader who has gone is of no interest. */
    if (tf_output_gone())
        return TF_EXIT_FAILURE;
    va_start(args, format);
    say(usage, format, args);
    va_end(args);
    return TF_EXIT_FAILURE;
}

/* Columns of a text in UTF-8 whose letters all are one wide. */
static int columns_of(const char *text, size_t bytes)
{
    int n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

void tf_print_wrapped(FILE *f, const char *text, int column, int indent)
{
    bool first = true;

    while (*text) {
        size_t n = strcspn(text, " ");
        int width = columns_of(text, n);

        if (!first && column + 1 + width > COLUMNS) {
            fprintf(f, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', f);
            column++;
        }
        fwrite(text, 1, n, f);
        column += width;
        text += n + strspn(text + n, " ");
        first = false;
    }
    fputc('\n', f);
}

static void print_option(const struct tf_option *o, FILE *f)
{
    char left[64];
    int n =
        snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? ", " : "", o->name, o->argument ? " " : "", o->argument ? o->argument : "");

    if (!o->letter)
        n = snprintf(left, sizeof(left), "  --%s%s%s", o->name, o->argument ? " " : "",
                     o->argument ? o->argument : "");
    fputs(left, f);
    if (n + 1 > HELP_COLUMN) {
        fputc('\n', f);
        n = 0;
    }
    fprintf(f, "%*s", HELP_COLUMN - n, "");
    tf_print_wrapped(f, o->help, HELP_COLUMN, HELP_COLUMN);
}

static const struct tf_option help_option = {
    "help", TF_OPTION_FLAG, NULL, "show this text", .letter = 'h',
};

void tf_usage_print(const struct tf_usage *usage, FILE *f)
{
    fprintf(f, "Usage: %s%s%s%s%s [OPTION]...\n\n", usage->program, *usage->command ? " " : "",
            usage->command, usage->arguments ? " " : "", usage->arguments ? usage->arguments : "");
    tf_print_wrapped(f, usage->summary, 0, 0);
    fputs("\nOptions:\n", f);
    for (const struct tf_option *o = usage->options; o && o->name; o++)
        print_option(o, f);
    print_option(&help_option, f);
    for (const char *line = usage->notes; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char text[1024];

        snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
        if (line == usage->notes)
            fputc('\n', f);
        if (*text == ' ')
            fprintf(f, "%s\n", text);
        else
            tf_print_wrapped(f, text, 0, 0);
    }
}

unsigned tf_unlike(const char *word, const char *name)
{
    unsigned row[3][64];
    size_t n = strlen(name), length = strlen(word);
    unsigned most = (unsigned)(1 + (length < n ? length : n) / 4);

    if (!n || !length || n >= 64 || length >= 64)
        return UINT_MAX;
    if (n >= 3 && strncmp(word, name, n) == 0)
        return 1;
    /* The row before the last serves two letters that were swapped. */
    for (unsigned j = 0; j <= n; j++)
        row[0][j] = j;
    for (unsigned i = 1; i <= length; i++) {
        unsigned *at = row[i % 3], *before = row[(i + 2) % 3], *two = row[(i + 1) % 3];

        at[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned best = before[j - 1] + (word[i - 1] != name[j - 1]);

            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (at[j - 1] + 1 < best)
                best = at[j - 1] + 1;
            if (i > 1 && j > 1 && word[i - 1] == name[j - 2] && word[i - 2] == name[j - 1] &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            at[j] = best;
        }
    }
    /* "fly" is one letter from "fps" too few to be meant: short names must be nearly right. */
    return row[length % 3][n] <= (most < 3 ? most : 3) ? row[length % 3][n] : UINT_MAX;
}

/* strtoull and strtod alone would take "-1", " 7" or "0x10"; a number here starts with a digit (or a sign, if
 * real). */
static bool read_uint(const char *text, uint64_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || *end)
        return false;
    *ret = v;
    return true;
}

static bool read_number(const char *text, double *ret)
{
    char *end;
    if (!*text || !strchr("0123456789.+-", *text))
        return false;
    errno = 0;
    double v = strtod(text, &end);
    if (errno || *end || end == text || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

static bool read_size(const char *text, uint16_t ret[2], double min, double max)
{
    unsigned w, h;
    char tail;
    if (*text < '0' || *text > '9' || sscanf(text, "%5ux%5u%c", &w, &h, &tail) != 2)
        return false;
    if (w < min || w > max || h < min || h > max)
        return false;
    ret[0] = (uint16_t)w;
    ret[1] = (uint16_t)h;
    return true;
}

/* Whether `text` is one of the words; else `why` lists them. */
static bool is_word(const char *words, const char *text, char why[WHY_MAX])
{
    size_t n = strlen(text), used = (size_t)snprintf(why, WHY_MAX, "must be ");
    const char *nearest = NULL;
    int nearest_length = 0;
    unsigned least = UINT_MAX;

    for (const char *word = words; *word;) {
        size_t length = strcspn(word, " ");
        const char *next = word + length + strspn(word + length, " ");
        char name[64];
        unsigned unlike;

        if (length == n && memcmp(word, text, n) == 0)
            return true;
        snprintf(name, sizeof(name), "%.*s", (int)length, word);
        unlike = tf_unlike(text, name);
        if (unlike < least) {
            least = unlike;
            nearest = word;
            nearest_length = (int)length;
        }
        if (used < WHY_MAX)
            used += (size_t)snprintf(why + used, WHY_MAX - used, "%s%s", name,
                                     !*next              ? ""
                                     : strchr(next, ' ') ? ", "
                                                         : " or ");
        word = next;
    }
    if (nearest && used < WHY_MAX)
        snprintf(why + used, WHY_MAX - used, "; did you mean %.*s?", nearest_length, nearest);
    return false;
}

/* Whether `text` is one of the names that the program knows for such values (all are, if it knows none). */
static bool is_name(enum tf_values values, const char *text, char why[WHY_MAX])
{
    char words[2048] = "";
    const char *name, *nearest = NULL;
    unsigned least = UINT_MAX;
    size_t n, used = 0;

    for (n = 0; names && (name = names(values, n)); n++) {
        unsigned unlike = tf_unlike(text, name);

        if (strcmp(name, text) == 0)
            return true;
        if (unlike < least) {
            least = unlike;
            nearest = name;
        }
        used += (size_t)snprintf(words + used, used < sizeof(words) ? sizeof(words) - used : 0, "%s%s",
                                 n ? " " : "", name);
    }
    if (n == 0)
        return true;
    if (n <= NAMES_MAX)
        return is_word(words, text, why);
    snprintf(why, WHY_MAX, "is none of the %zu that there are%s%s%s", n, nearest ? "; did you mean " : "",
             nearest ? nearest : "", nearest ? "?" : "");
    return false;
}

/* NULL when the value was taken, else what it should have been. */
static const char *take(const struct tf_option *o, void *value, const char *text, char why[WHY_MAX])
{
    uint64_t u;
    double d;
    switch (o->kind) {
    case TF_OPTION_FLAG:
        *(bool *)value = true;
        return NULL;
    case TF_OPTION_WORD:
        if (!is_word(o->words, text, why))
            return why;
        *(const char **)value = text;
        return NULL;
    case TF_OPTION_TEXT:
        if (!*text)
            return "is empty";
        if (!is_name(o->values, text, why))
            return why;
        *(const char **)value = text;
        return NULL;
    case TF_OPTION_UINT:
        if (!read_uint(text, &u) || u < o->min || u > o->max) {
            snprintf(why, WHY_MAX, "must be a whole number from %.0f to %.0f", o->min, o->max);
            return why;
        }
        *(uint64_t *)value = u;
        return NULL;
    case TF_OPTION_NUMBER:
        if (!read_number(text, &d) || d < o->min || d > o->max) {
            snprintf(why, WHY_MAX, "must be a number from %g to %g", o->min, o->max);
            return why;
        }
        *(double *)value = d;
        return NULL;
    case TF_OPTION_SIZE:
        if (!read_size(text, value, o->min, o->max)) {
            snprintf(why, WHY_MAX, "must be WIDTHxHEIGHT, each from %.0f to %.0f", o->min, o->max);
            return why;
        }
        return NULL;
    case TF_OPTION_ROTATE:
        if (strcmp(text, "auto") == 0)
            u = TF_ROTATE_AUTO;
        else if (!read_uint(text, &u) || (u != 0 && u != 90 && u != 180 && u != 270))
            return "must be auto, 0, 90, 180 or 270 (degrees clockwise)";
        *(uint16_t *)value = (uint16_t)u;
        return NULL;
    }
    return "cannot be read";
}

/* An option that is none: the ones it begins, or the one that it may have been meant to be. */
static int unknown_option(const struct tf_usage *usage, const char *text)
{
    char list[512] = "";
    const char *nearest = NULL;
    unsigned least = UINT_MAX, begun = 0;
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + 2, "="), text + 2);
    for (const struct tf_option *o = usage->options; o->name; o++) {
        unsigned unlike = tf_unlike(name, o->name);
        size_t used = strlen(list);

        if (unlike < least) {
            least = unlike;
            nearest = o->name;
        }
        if (*name && strncmp(o->name, name, strlen(name)) == 0 && begun++ < SUGGESTIONS_MAX)
            snprintf(list + used, sizeof(list) - used, "%s--%s", used ? ", " : "", o->name);
    }
    if (begun)
        return tf_usage_error(usage, "%s begins several options: %s", text, list);
    if (nearest)
        return tf_usage_error(usage, "--%s: no such option; did you mean --%s?", name, nearest);
    return tf_usage_error(usage, "--%s: no such option", name);
}

static int wrong_option(const struct tf_usage *usage, int c, const char *text)
{
    if (strncmp(text, "--", 2) != 0 && optopt)
        return tf_usage_error(usage, c == ':' ? "-%c needs a value" : "-%c: no such option", optopt);
    if (c == ':')
        return tf_usage_error(usage, "%s needs a value", text);
    if (optopt)
        return tf_usage_error(usage, "%s: this option takes no value", text);
    return unknown_option(usage, text);
}

/* A row without a binding would be an option that does nothing: a mistake in the program, not of its user. */
static void *bound(const struct tf_usage *usage, const struct tf_bind *bind, const char *name)
{
    for (; bind->name; bind++)
        if (strcmp(bind->name, name) == 0)
            return bind->value;
    fprintf(stderr, "%s %s: --%s is in the table and not used\n", usage->program, usage->command, name);
    abort();
}

bool tf_options_parse(const struct tf_usage *usage, const struct tf_bind *bind, int argc, char **argv,
                      const char *arguments[TF_ARGUMENTS_MAX], int *status)
{
    struct option table[TF_OPTIONS_MAX + 2] = {0};
    void *values[TF_OPTIONS_MAX];
    char letters[2 * TF_OPTIONS_MAX + 4] = "-:h", *letter = letters + 3;
    int n = 0, bindings = 0, count = 0, c, which = 0;

    for (; usage->options[n].name; n++) {
        const struct tf_option *o = &usage->options[n];

        if (n == TF_OPTIONS_MAX)
            abort();
        values[n] = bound(usage, bind, o->name);
        table[n].name = o->name;
        table[n].has_arg = o->kind == TF_OPTION_FLAG ? no_argument : required_argument;
        table[n].val = 256 + n;
        if (o->letter)
            *letter++ = o->letter;
        if (o->letter && o->kind != TF_OPTION_FLAG)
            *letter++ = ':';
    }
    while (bind[bindings].name)
        bindings++;
    if (bindings != n) {
        fprintf(stderr, "%s %s: %d options in the table, %d used\n", usage->program, usage->command, n,
                bindings);
        abort();
    }
    table[n] = (struct option){"help", no_argument, NULL, 'h'};
    for (int i = 0; i < TF_ARGUMENTS_MAX; i++)
        arguments[i] = NULL;

    /* "-": arguments come in their order, as 1; ":" keeps getopt from printing words of its own. */
    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, letters, table, NULL)) != -1 || optind < argc) {
        for (which = 0; which < n && c > 1; which++)
            if (c == 256 + which || c == usage->options[which].letter)
                break;
        if (c > 1 && which < n) {
            const struct tf_option *o = &usage->options[which];
            char why[WHY_MAX];
            const char *wrong = take(o, values[which], optarg, why);
            if (wrong) {
                *status = tf_usage_error(usage, "--%s %s: %s", o->name, optarg, wrong);
                return false;
            }
            continue;
        }
        if (c == 'h') {
            tf_usage_print(usage, stdout);
            *status = TF_EXIT_OK;
            return false;
        }
        if (c == '?' || c == ':') {
            *status = wrong_option(usage, c, argv[optind > 0 ? optind - 1 : 0]);
            return false;
        }
        /* -1 with words left: all that follows "--". */
        do {
            const char *argument = c == -1 ? argv[optind++] : optarg;
            if (count == usage->arguments_max) {
                *status = tf_usage_error(usage, "'%s' is one argument too many%s%s", argument,
                                         usage->arguments ? ": expected " : "",
                                         usage->arguments ? usage->arguments : "");
                return false;
            }
            if (!*argument) {
                *status = tf_usage_error(usage, "an argument is empty: expected %s", usage->arguments);
                return false;
            }
            arguments[count++] = argument;
        } while (c == -1 && optind < argc);
        if (c == -1)
            break;
    }
    if (count < usage->arguments_min) {
        *status = tf_usage_error(usage, "%s missing", usage->arguments);
        return false;
    }
    return true;
}
