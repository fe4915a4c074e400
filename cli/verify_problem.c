/* What `thermoface verify` finds, counted and printed. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/verify.h"

void tf_verify_problem(struct tf_verify *v, const char *path, const char *format, ...)
{
    va_list args;

    v->problems++;
    printf("%s: ", path);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}
