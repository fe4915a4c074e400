/* thermoface bench kernels: every kernel of the one list, alone, on shapes that the networks have. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "inference/engine/kernels/bench.h"

static void print_text(const struct tf_kernel_bench *b, bool missing)
{
    printf("%-24s %-12s %-30s ", b->kernel, b->level, b->shape ? b->shape : "");
    if (missing)
        printf("%12s", "not here");
    else
        printf("%9.2f us", b->ns / 1e3);
    if (!missing && b->gmacs_per_s > 0)
        printf("  %8.1f GMAC/s", b->gmacs_per_s);
    else if (!missing && b->gbytes_per_s > 0)
        printf("  %8.1f GB/s", b->gbytes_per_s);
    putchar('\n');
    fflush(stdout);
}

static int add_json(json_t *list, const struct tf_kernel_bench *b)
{
    return json_array_append_new(list, json_pack("{s:s,s:s,s:s?,s:f,s:f,s:f}", "kernel", b->kernel, "level",
                                                 b->level, "shape", b->shape, "ns", b->ns, "gmacs_per_s",
                                                 b->gmacs_per_s, "gbytes_per_s", b->gbytes_per_s));
}

int tf_cmd_bench_kernels(int argc, char **argv)
{
    uint64_t ms = 50;
    bool json = false;
    const struct tf_bind bind[] = {
        {"ms", &ms},
        {"json", &json},
        {0},
    };
    const struct tf_usage *usage = tf_command("bench kernels");
    const char *arguments[TF_ARGUMENTS_MAX];
    json_t *list, *all;
    int status, result = 0;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    tf_catch_interrupt();
    list = json_array();
    for (size_t i = 0; i < tf_kernel_bench_count() && !result && !tf_interrupted(); i++) {
        struct tf_kernel_bench b = {0};
        int r = tf_kernel_bench_run(i, ms * 1000000, &b);
        if (r && r != -ENOTSUP)
            result = tf_command_error(usage, "%s: %s", b.kernel ? b.kernel : "kernel", strerror(-r));
        else if (!json)
            print_text(&b, r != 0);
        else if (!r && add_json(list, &b))
            result = tf_command_error(usage, "out of memory");
    }
    if (!result && tf_interrupted())
        result = tf_command_error(usage, "stopped before the end");
    all = json_pack("{s:o}", "kernels", list);
    if (!result && json) {
        result = all && !json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) ? 0 : TF_EXIT_FAILURE;
        putchar('\n');
    }
    json_decref(all);
    return result;
}
