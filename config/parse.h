/* What reading a configuration and checking it share; inside config/ only. */
#ifndef TF_CONFIG_PARSE_H
#define TF_CONFIG_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/lines.h"
#include "config/table.h"

struct tf_parse {
    struct tf_config *config;
    const char *name; /* of the file, in messages */
    const char *at, *end;
    int line;
    int section;  /* -1 before the first */
    size_t which; /* of a named section */
    int result;   /* 0 or the first error, with its line */
    int error_line;
    unsigned errors;
    struct tf_error *err;
    struct tf_config_faults *faults; /* where all errors go; NULL: the first ends it */
    bool expects_key;                /* the line that inih has is none of a section, a comment, or empty */
    bool lost_section;               /* a section could not be opened: its camera is not there for others */
    bool regions_only;               /* other sections are passed over */
    bool bad[TF_KEYS_MAX][TF_NAMED_MAX]; /* keys whose value could not be read */
};
#define NO_SECTION (-1)
#define LOST_SECTION (-2) /* its keys are passed over: what they are is not known */

/* faults.c */
/* Whether what follows is of no interest. */
bool tf_parse_over(const struct tf_parse *p);
/* An error in a line (0: of the file): the first is the result. */
int tf_parse_fault(struct tf_parse *p, int line, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define FAIL(p, line, ...) tf_parse_fault(p, line, -EINVAL, __VA_ARGS__)
/* NULL: the section has none of that name. */
const struct tf_key *tf_parse_key(int section, const char *name);

/* check.c: what has to hold between keys, once all lines are read. */
void tf_parse_check(struct tf_parse *p);

#endif
