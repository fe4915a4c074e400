/* The one table of thermoface's commands and their options (cli/table.c). */
#ifndef TF_CLI_TABLE_H
#define TF_CLI_TABLE_H

#include "base/options.h"

/*
 * In the order of --help; a command of a group ("bench model") follows its group ("bench"), which has no
 * options of its own. The list ends with a NULL command.
 */
extern const struct tf_usage tf_commands[];

/* NULL: there is none of this name. */
const struct tf_usage *tf_command(const char *name);

#endif
