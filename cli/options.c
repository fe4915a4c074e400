#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

static void say(const struct tf_usage *usage, const char *format, va_list args)
{
    fprintf(stderr, "thermoface %s: ", usage->command);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int tf_usage_error(const struct tf_usage *usage, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(usage, format, args);
    va_end(args);
    fprintf(stderr, "Try 'thermoface %s --help'.\n", usage->command);
    return TF_EXIT_USAGE;
}

int tf_command_error(const struct tf_usage *usage, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(usage, format, args);
    va_end(args);
    return TF_EXIT_FAILURE;
}

static void print_help(const struct tf_usage *usage)
{
    printf("Usage: thermoface %s%s%s [OPTION]...\n\n%s\n\nOptions:\n", usage->command,
           *usage->arguments ? " " : "", usage->arguments, usage->summary);
    for (const struct tf_option *o = usage->options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %-24s %s\n", left, o->help);
    }
    printf("  %-24s %s\n", "--help", "show this text");
    if (usage->notes)
        printf("\n%s\n", usage->notes);
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

/* NULL when the value was taken, else what it should have been. */
static const char *take(const struct tf_option *o, const char *text, char why[128])
{
    uint64_t u;
    double d;
    switch (o->kind) {
    case TF_OPTION_FLAG:
        *(bool *)o->value = true;
        return NULL;
    case TF_OPTION_TEXT:
        if (!*text)
            return "is empty";
        *(const char **)o->value = text;
        return NULL;
    case TF_OPTION_UINT:
        if (!read_uint(text, &u) || u < o->min || u > o->max) {
            snprintf(why, 128, "must be a whole number from %.0f to %.0f", o->min, o->max);
            return why;
        }
        *(uint64_t *)o->value = u;
        return NULL;
    case TF_OPTION_NUMBER:
        if (!read_number(text, &d) || d < o->min || d > o->max) {
            snprintf(why, 128, "must be a number from %g to %g", o->min, o->max);
            return why;
        }
        *(double *)o->value = d;
        return NULL;
    case TF_OPTION_SIZE:
        if (!read_size(text, o->value, o->min, o->max)) {
            snprintf(why, 128, "must be WIDTHxHEIGHT, each from %.0f to %.0f", o->min, o->max);
            return why;
        }
        return NULL;
    case TF_OPTION_ROTATE:
        if (!read_uint(text, &u) || (u != 0 && u != 90 && u != 180 && u != 270))
            return "must be 0, 90, 180 or 270 (degrees clockwise)";
        *(uint16_t *)o->value = (uint16_t)u;
        return NULL;
    }
    return "cannot be read";
}

static int wrong_option(const struct tf_usage *usage, int c, const char *text)
{
    if (strncmp(text, "--", 2) && optopt)
        return tf_usage_error(usage, "-%c: no such option", optopt);
    if (c == ':')
        return tf_usage_error(usage, "%s needs a value", text);
    if (optopt)
        return tf_usage_error(usage, "%s: this option takes no value", text);
    return tf_usage_error(usage, "%s: no such option, or the beginning of several", text);
}

bool tf_options_parse(const struct tf_usage *usage, int argc, char **argv,
                      const char *arguments[TF_ARGUMENTS_MAX], int *status)
{
    struct option table[TF_OPTIONS_MAX + 2] = {0};
    int n = 0, count = 0, c, which = 0;

    for (; usage->options[n].name && n < TF_OPTIONS_MAX; n++) {
        table[n].name = usage->options[n].name;
        table[n].has_arg = usage->options[n].kind == TF_OPTION_FLAG ? no_argument : required_argument;
        table[n].val = 'o';
    }
    table[n] = (struct option){"help", no_argument, NULL, 'h'};
    for (int i = 0; i < TF_ARGUMENTS_MAX; i++)
        arguments[i] = NULL;

    /* "-": arguments come in their order, as 1; ":" keeps getopt from printing words of its own. */
    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, "-:", table, &which)) != -1 || optind < argc) {
        if (c == 'h') {
            print_help(usage);
            *status = TF_EXIT_OK;
            return false;
        }
        if (c == 'o') {
            const struct tf_option *o = &usage->options[which];
            char why[128];
            const char *wrong = take(o, optarg, why);
            if (wrong) {
                *status = tf_usage_error(usage, "--%s %s: %s", o->name, optarg, wrong);
                return false;
            }
            continue;
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
                                         *usage->arguments ? ": expected " : "", usage->arguments);
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
