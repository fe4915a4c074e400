/* thermoface eval: finds the evaluation; each has its own file and its own --help. */
#include <stdio.h>
#include <string.h>

#include "cli/eval.h"
#include "cli/options.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} evaluations[] = {
    {"visible68", tf_eval_visible68, "a 68-point network on photographs with 68 points, from the true boxes"},
    {"thermal6", tf_eval_thermal6,
     "finder, landmarks and tracker on thermal recordings with six points a face"},
    {"points", tf_eval_points, "any landmark network, against the points that its metadata names"},
    {"segmentation", tf_eval_segmentation, "a segmentation network against regions drawn from the 68 points"},
    {"vectors", tf_eval_vectors, "the engine against recorded outputs of a model"},
};
#define EVALUATIONS (sizeof(evaluations) / sizeof(*evaluations))

static void print_help(FILE *f)
{
    fputs("Usage: thermoface eval WHAT [OPTION]... FILE\n\n"
          "Scores networks against labelled data, through the int8 engine that the service runs.\n\n",
          f);
    for (size_t i = 0; i < EVALUATIONS; i++)
        fprintf(f, "  %-13s %s\n", evaluations[i].name, evaluations[i].help);
    fputs("\n'thermoface eval WHAT --help' explains one. docs/landmarks.md defines the metrics.\n", f);
}

int tf_cmd_eval(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return TF_EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_help(stdout);
        return TF_EXIT_OK;
    }
    for (size_t i = 0; i < EVALUATIONS; i++) {
        if (!strcmp(argv[1], evaluations[i].name))
            return evaluations[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "thermoface eval: there is no evaluation '%s'; 'thermoface eval --help' lists them\n",
            argv[1]);
    return TF_EXIT_USAGE;
}
