/* The subcommands of `thermoface` and what they share. Each takes its own argv (argv[0] is its name). */
#ifndef TF_CLI_COMMANDS_H
#define TF_CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/table.h"

int tf_cmd_devices(int argc, char **argv);
int tf_cmd_watch(int argc, char **argv);
int tf_cmd_fleet(int argc, char **argv);
int tf_cmd_record(int argc, char **argv);
int tf_cmd_mark(int argc, char **argv);
int tf_cmd_verify(int argc, char **argv);
int tf_cmd_plot(int argc, char **argv);
int tf_cmd_annotate(int argc, char **argv);
int tf_cmd_report(int argc, char **argv);
int tf_cmd_export(int argc, char **argv);
int tf_cmd_calibrate_points(int argc, char **argv);
int tf_cmd_calibrate_faces(int argc, char **argv);
int tf_cmd_calibrate_live(int argc, char **argv);
int tf_cmd_run(int argc, char **argv);
int tf_cmd_sample(int argc, char **argv);
int tf_cmd_model(int argc, char **argv);
int tf_cmd_complete(int argc, char **argv);
/* Names of formats, palettes and levels of the processor (tf_options_names). */
const char *tf_name_of_value(enum tf_values values, size_t i);

int tf_cmd_bench_model(int argc, char **argv);
int tf_cmd_bench_kernels(int argc, char **argv);
int tf_cmd_bench_pipeline(int argc, char **argv);

/*
 * The credentials file for a server when none was named: the one that members of thermoface-lab can read
 * (TF_LAB_CREDENTIALS, else /etc/thermoface/lab.credentials), for a service on this machine only. NULL: none.
 */
const char *tf_lab_credentials(const char *url);
/* Whether a URL's host is this machine. */
bool tf_url_is_here(const char *url);

/* From the first SIGINT or SIGTERM on, or when the reader of standard output has gone, tf_interrupted() is
 * true; a second signal ends the program as usual. */
void tf_catch_interrupt(void);
bool tf_interrupted(void);

/*
 * Whether an output ("-" and NULL: none) can be written, found by making it, before an hour's work: a file
 * that was made for it is removed again. TF_EXIT_OK, or the status of what was said.
 */
int tf_output_check(const struct tf_usage *usage, const char *path, bool overwrite);

/* "12.3 k", "4.56 M": three digits and a decimal prefix, for people. */
void tf_count_text(double value, char text[16]);

#endif
