/* thermoface: the command a person types. Finds the subcommand; each has its own file and its own --help. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/eval.h"
#include "cli/options.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"devices", tf_cmd_devices, "list cameras, their formats and the row of the format table that fits"},
    {"watch", tf_cmd_watch, "follow the records of a running thermofaced, one readable line a second"},
    {"record", tf_cmd_record, "start, stop or look at the recording of a session by a running thermofaced"},
    {"mark", tf_cmd_mark, "mark a moment in the session that is being recorded"},
    {"verify", tf_cmd_verify, "check the files of recorded sessions"},
    {"run", tf_cmd_run, "find, measure and draw the faces of video files or recorded sessions"},
    {"plot", tf_cmd_plot, "draw the region temperatures and marks of recorded sessions"},
    {"calibrate", tf_cmd_calibrate, "register a thermal and a visible camera on one rig"},
    {"eval", tf_cmd_eval, "score the networks against labelled data"},
    {"bench", tf_cmd_bench, "measure a model, the kernels or the whole pipeline"},
    {"model", tf_cmd_model, "describe a model file: operators, shapes, work, memory, metadata"},
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void print_help(FILE *f)
{
    fputs("Usage: thermoface COMMAND [OPTION]...\n\n"
          "Finds faces in thermal video, measures the temperature of their regions.\n\nCommands:\n",
          f);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\n'thermoface COMMAND --help' explains a command; 'thermoface --version' says which version this "
          "is.\n"
          "Exit status: 0 on success, 1 on failure, 2 on wrong usage.\n",
          f);
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 2) {
        print_help(stderr);
        return TF_EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_help(stdout);
        return TF_EXIT_OK;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("thermoface " TF_VERSION);
        return TF_EXIT_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name))
            continue;
        status = commands[i].run(argc - 1, argv + 1);
        /* A full disk behind a redirection shows only here. */
        if ((fflush(stdout) || ferror(stdout)) && status == TF_EXIT_OK) {
            perror("thermoface: standard output");
            status = TF_EXIT_FAILURE;
        }
        return status;
    }
    fprintf(stderr, "thermoface: '%s' is no command; try 'thermoface --help'.\n", argv[1]);
    return TF_EXIT_USAGE;
}
