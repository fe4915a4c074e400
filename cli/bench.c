/* thermoface bench: which of the three benchmarks. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"

static const char help[] = "Usage: thermoface bench model FILE [OPTION]...\n"
                           "       thermoface bench kernels [OPTION]...\n"
                           "       thermoface bench pipeline [OPTION]...\n\n"
                           "Measures one network, every kernel on its own, or the whole way of a frame. "
                           "Timings drift between machines and\n"
                           "with load: compare figures of one machine, taken in one go. 'thermoface bench "
                           "model --help' and so on say more.\n";

int tf_cmd_bench(int argc, char **argv)
{
    const struct tf_usage usage = {.command = "bench"};

    if (argc < 2)
        return tf_usage_error(&usage, "model, kernels or pipeline?");
    if (!strcmp(argv[1], "--help")) {
        fputs(help, stdout);
        return TF_EXIT_OK;
    }
    if (!strcmp(argv[1], "model"))
        return tf_cmd_bench_model(argc - 1, argv + 1);
    if (!strcmp(argv[1], "kernels"))
        return tf_cmd_bench_kernels(argc - 1, argv + 1);
    if (!strcmp(argv[1], "pipeline"))
        return tf_cmd_bench_pipeline(argc - 1, argv + 1);
    return tf_usage_error(&usage, "'%s': expected model, kernels or pipeline", argv[1]);
}
