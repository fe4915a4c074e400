/*
 * A program's command line as tables. A command is one struct tf_usage with one row for each option; parsing,
 * --help, suggestions for what was mistyped, bash completion and the manual page all come from it. The
 * program binds a row to a variable by its name, so a new option is one row in the table and its use.
 */
#ifndef TF_BASE_OPTIONS_H
#define TF_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses of every command. */
enum tf_exit {
    TF_EXIT_OK = 0,
    TF_EXIT_FAILURE = 1,
    TF_EXIT_USAGE = 2,
};

enum tf_option_kind {
    TF_OPTION_FLAG,   /* bool *: set to true */
    TF_OPTION_TEXT,   /* const char **: points into argv; not empty */
    TF_OPTION_WORD,   /* const char **: one of the row's words */
    TF_OPTION_UINT,   /* uint64_t *: min..max, decimal digits only */
    TF_OPTION_NUMBER, /* double *: min..max, finite */
    TF_OPTION_SIZE,   /* uint16_t[2]: "WxH", each side min..max */
    TF_OPTION_ROTATE, /* uint16_t *: 0, 90, 180, 270 or TF_ROTATE_AUTO */
};

/* What completion offers for a value or an argument, besides the row's words. */
enum tf_values {
    TF_VALUES_NONE,
    TF_VALUES_FILE,
    TF_VALUES_FOLDER,
    /* Asked of the program when they are wanted ("thermoface complete"). */
    TF_VALUES_CAMERA,
    TF_VALUES_REGION, /* a list with commas */
    TF_VALUES_FORMAT,
    TF_VALUES_PALETTE,
    TF_VALUES_CPU,
    TF_VALUES_ENCODER,
};

struct tf_option {
    const char *name; /* without the dashes */
    enum tf_option_kind kind;
    const char *argument; /* what --help calls the value; NULL for a flag */
    const char *help;     /* --help breaks its lines; 1 to 2 lines are enough */
    enum tf_values values;
    const char *words; /* with blanks between: WORD takes these only, completion offers them for any kind */
    double min, max;   /* of UINT, NUMBER and SIZE */
    char letter;       /* a short name, or 0 */
};

/* The end of a noun in a message for people: "%llu frame%s". */
#define TF_PLURAL(n) ((n) == 1 ? "" : "s")

#define TF_OPTIONS_MAX 64
#define TF_ARGUMENTS_MAX 1024

struct tf_usage {
    const char *program;              /* "thermoface" */
    const char *command;              /* "run" or "bench model"; "" for a program without commands */
    const char *brief;                /* one line for the list of commands */
    const char *arguments;            /* "INPUT...", or NULL */
    int arguments_min, arguments_max; /* at most TF_ARGUMENTS_MAX */
    enum tf_values arguments_values;
    const char *arguments_words;
    const char *summary;             /* one sentence or two */
    const struct tf_option *options; /* ends with a NULL name, --help is added; NULL: a group of commands */
    const char
        *notes; /* printed after the options, or NULL: paragraphs; lines that begin with a blank stay */
};

/* Where the value of the option of this name goes; a list of them ends with a NULL name. */
struct tf_bind {
    const char *name;
    void *value; /* of the kind's type, left as it is when the option is not given */
};

/*
 * The names that values of a kind can have, one by one, NULL past the last: what is none of them is wrong
 * usage. NULL at once: any text is taken.
 */
typedef const char *tf_values_fn(enum tf_values values, size_t i);
void tf_options_names(tf_values_fn *name);

/*
 * Parses argv (argv[0] is skipped) and puts what is not an option into `arguments`, NULL past the last. Every
 * option of the table has to be bound and every binding to be in the table; else the program aborts.
 * False: the command is over and *status is its exit status (--help: 0, wrong usage: 2, already explained on
 * standard error).
 */
bool tf_options_parse(const struct tf_usage *usage, const struct tf_bind *bind, int argc, char **argv,
                      const char *arguments[TF_ARGUMENTS_MAX], int *status);

/* What --help prints, at most 80 columns wide. */
void tf_usage_print(const struct tf_usage *usage, FILE *f);

/* `text` from column `column` on, broken into lines of at most 80 columns that begin with `indent` blanks. */
void tf_print_wrapped(FILE *f, const char *text, int column, int indent);

/* "thermoface COMMAND: text" and the hint at --help on standard error; returns TF_EXIT_USAGE. */
int tf_usage_error(const struct tf_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "thermoface COMMAND: text" on standard error (nothing where the reader of standard output has gone);
 * returns TF_EXIT_FAILURE. */
int tf_command_error(const struct tf_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * How unlike a mistyped word and a name are: the letters that were changed, left out, added or swapped; for
 * a word of which the name is the beginning ("benchmark", bench) 1. UINT_MAX: so many that nobody meant it.
 */
unsigned tf_unlike(const char *word, const char *name);

#endif
