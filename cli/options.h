/*
 * The command line of one subcommand as a table: getopt_long parses it, --help is printed from it, and every
 * wrong use ends the same way (what was wrong on standard error, exit status 2).
 */
#ifndef TF_CLI_OPTIONS_H
#define TF_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses of every command. */
enum tf_exit {
    TF_EXIT_OK = 0,
    TF_EXIT_FAILURE = 1,
    TF_EXIT_USAGE = 2,
};

enum tf_option_kind {
    TF_OPTION_FLAG,   /* bool *: set to true */
    TF_OPTION_TEXT,   /* const char **: points into argv */
    TF_OPTION_UINT,   /* uint64_t *: min..max, decimal digits only */
    TF_OPTION_NUMBER, /* double *: min..max, finite */
    TF_OPTION_SIZE,   /* uint16_t[2]: "WxH", each side min..max */
    TF_OPTION_ROTATE, /* uint16_t *: 0, 90, 180 or 270 */
};

struct tf_option {
    const char *name; /* without the dashes */
    enum tf_option_kind kind;
    void *value;          /* left as it is when the option is not given */
    const char *argument; /* what --help calls the value; NULL for a flag */
    const char *help;
    double min, max; /* of UINT, NUMBER and SIZE */
};

#define TF_OPTIONS_MAX 32
#define TF_ARGUMENTS_MAX 1024

struct tf_usage {
    const char *command;              /* "run" or "bench model": what follows "thermoface" */
    const char *arguments;            /* "INPUT", or "" */
    int arguments_min, arguments_max; /* at most TF_ARGUMENTS_MAX */
    const char *summary;              /* one sentence */
    const struct tf_option *options;  /* ends with a NULL name; --help is added */
    const char *notes;                /* printed after the options, or NULL */
};

/*
 * Parses argv (argv[0] is skipped) and puts what is not an option into `arguments`, NULL past the last.
 * False: the command is over and *status is its exit status (--help: 0, wrong usage: 2, already explained on
 * standard error).
 */
bool tf_options_parse(const struct tf_usage *usage, int argc, char **argv,
                      const char *arguments[TF_ARGUMENTS_MAX], int *status);

/* "thermoface COMMAND: text" and the hint at --help on standard error; returns TF_EXIT_USAGE. */
int tf_usage_error(const struct tf_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "thermoface COMMAND: text" on standard error; returns TF_EXIT_FAILURE. */
int tf_command_error(const struct tf_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
