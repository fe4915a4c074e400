/* thermoface: the command a person types. Finds the command in the table and what runs it. */
#include "config.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "base/output.h"
#include "cli/commands.h"
#include "cli/eval.h"
#include "cli/table.h"

static const struct {
    const char *command;
    int (*run)(int argc, char **argv);
} runners[] = {
    {"devices", tf_cmd_devices},
    {"watch", tf_cmd_watch},
    {"record", tf_cmd_record},
    {"fleet", tf_cmd_fleet},
    {"mark", tf_cmd_mark},
    {"verify", tf_cmd_verify},
    {"run", tf_cmd_run},
    {"sample", tf_cmd_sample},
    {"plot", tf_cmd_plot},
    {"annotate", tf_cmd_annotate},
    {"report", tf_cmd_report},
    {"export", tf_cmd_export},
    {"calibrate points", tf_cmd_calibrate_points},
    {"calibrate faces", tf_cmd_calibrate_faces},
    {"calibrate live", tf_cmd_calibrate_live},
    {"eval visible68", tf_eval_visible68},
    {"eval thermal6", tf_eval_thermal6},
    {"eval stills", tf_eval_stills},
    {"eval points", tf_eval_points},
    {"eval segmentation", tf_eval_segmentation},
    {"eval vectors", tf_eval_vectors},
    {"bench model", tf_cmd_bench_model},
    {"bench kernels", tf_cmd_bench_kernels},
    {"bench pipeline", tf_cmd_bench_pipeline},
    {"model", tf_cmd_model},
};
#define RUNNERS TF_COUNT(runners)

/* What stands before a command's own word: "" or "bench "; NULL: `usage` is not of that group. */
static const char *word_in(const char *group, const struct tf_usage *usage)
{
    size_t n = strlen(group);

    if (strncmp(usage->command, group, n) != 0 || (n && usage->command[n++] != ' '))
        return NULL;
    return strchr(usage->command + n, ' ') ? NULL : usage->command + n;
}

static void print_list(const char *group, FILE *f)
{
    for (const struct tf_usage *u = tf_commands; u->command; u++) {
        const char *word = word_in(group, u);

        if (!word)
            continue;
        fprintf(f, "  %-13s ", word);
        tf_print_wrapped(f, u->brief, 16, 16);
    }
}

static void print_program(FILE *f)
{
    fputs("Usage: thermoface COMMAND [OPTION]...\n\n"
          "Finds faces in thermal video, measures the temperature of their regions.\n\nCommands:\n",
          f);
    print_list("", f);
    fputs("\n'thermoface help COMMAND' or 'thermoface COMMAND --help' explains a command;\n"
          "'thermoface --version' says which version this is.\n"
          "Exit status: 0 on success, 1 on failure, 2 on wrong usage.\n",
          f);
}

static void print_group(const struct tf_usage *group, FILE *f)
{
    fprintf(f, "Usage: thermoface %s WHAT [OPTION]...\n\n", group->command);
    tf_print_wrapped(f, group->summary, 0, 0);
    fputs("\nWHAT:\n", f);
    print_list(group->command, f);
    fprintf(f, "\n'thermoface help %s WHAT' explains one of them.\n", group->command);
    if (group->notes)
        tf_print_wrapped(f, group->notes, 0, 0);
}

static int unknown(const char *group, const char *given)
{
    const char *nearest = NULL;
    unsigned least = UINT_MAX;

    for (const struct tf_usage *u = tf_commands; u->command; u++) {
        const char *word = word_in(group, u);
        unsigned unlike = word ? tf_unlike(given, word) : UINT_MAX;

        if (unlike < least) {
            least = unlike;
            nearest = word;
        }
    }
    fprintf(stderr, "thermoface%s%s: '%s' is no command", *group ? " " : "", group, given);
    if (nearest)
        fprintf(stderr, "; did you mean '%s'?\n", nearest);
    else
        fprintf(stderr, "; try 'thermoface%s%s --help'.\n", *group ? " " : "", group);
    return TF_EXIT_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool is_version(const char *word)
{
    return strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0 || strcmp(word, "-V") == 0;
}

/* The command of the first words; *words is how many they are. NULL: *status is said. */
static const struct tf_usage *find(int argc, char **argv, int *words, int *status)
{
    const struct tf_usage *usage = tf_command(argv[0]);
    char name[64];

    *words = 1;
    if (!usage || strchr(argv[0], ' ')) {
        *status = unknown("", argv[0]);
        return NULL;
    }
    if (usage->options || argc < 2 || is_help(argv[1]))
        return usage;
    *words = 2;
    if ((size_t)snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]) < sizeof(name) && tf_command(name))
        return tf_command(name);
    *status = unknown(usage->command, argv[1]);
    return NULL;
}

/* thermoface help [COMMAND] */
static int help(int argc, char **argv)
{
    const struct tf_usage *usage;
    int words, status = TF_EXIT_OK;

    if (argc == 0 || is_help(argv[0]) || strcmp(argv[0], "help") == 0) {
        print_program(stdout);
        return TF_EXIT_OK;
    }
    usage = find(argc, argv, &words, &status);
    if (!usage)
        return status;
    if (argc > words && !is_help(argv[words])) {
        fprintf(stderr, "thermoface help: '%s' is one word too many: expected a command\n", argv[words]);
        return TF_EXIT_USAGE;
    }
    if (usage->options)
        tf_usage_print(usage, stdout);
    else
        print_group(usage, stdout);
    return TF_EXIT_OK;
}

static int run(int argc, char **argv)
{
    const struct tf_usage *usage;
    int words, status = TF_EXIT_OK;

    if (argc == 0) {
        print_program(stderr);
        return TF_EXIT_USAGE;
    }
    if (is_help(argv[0]) || strcmp(argv[0], "help") == 0)
        return help(argc - 1, argv + 1);
    if (is_version(argv[0])) {
        puts("thermoface " TF_VERSION);
        return TF_EXIT_OK;
    }
    /* What bash completion asks; nobody types it, so it is in no table. */
    if (strcmp(argv[0], "complete") == 0)
        return tf_cmd_complete(argc, argv);
    usage = find(argc, argv, &words, &status);
    if (!usage)
        return status;
    if (!usage->options) {
        print_group(usage, argc > 1 ? stdout : stderr);
        return argc > 1 ? TF_EXIT_OK : TF_EXIT_USAGE;
    }
    for (size_t i = 0; i < RUNNERS; i++)
        if (strcmp(runners[i].command, usage->command) == 0)
            return runners[i].run(argc - words + 1, argv + words - 1);
    fprintf(stderr, "thermoface %s: in the table and without a program\n", usage->command);
    return TF_EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    /* Whoever started this may ignore it; without it nothing would end when the reader has gone. */
    signal(SIGPIPE, SIG_DFL);
    tf_options_names(tf_name_of_value);
    return tf_output_end("thermoface", run(argc - 1, argv + 1));
}
