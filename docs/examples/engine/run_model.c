/*
 * The engine alone: opens a model, runs it on one picture, prints the result.
 *
 *   make && ./run_model edges.onnx              a disc that the program draws
 *   ./run_model MODEL.onnx picture.pgm          an 8-bit gray picture (binary PGM) of the model's size
 *   ./run_model --bench MODEL.onnx              median time of 200 runs
 *
 * Needs libtf-engine-dev and a C compiler, nothing of the service.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thermoface/engine.h>

static void print_shape(const char *what, const struct tf_tensor_info *info)
{
    printf("%s %s, ", what, info->name);
    for (int i = 0; i < info->rank; i++)
        printf("%s%lld", i ? "x" : "", (long long)info->dims[i]);
    printf("%s\n", info->quantised ? ", quantised" : "");
}

/* A bright disc on a dark ground, width x height. */
static void draw_disc(float *picture, int width, int height)
{
    float radius = (width < height ? width : height) / 3.0f;

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float dx = x + 0.5f - width / 2.0f, dy = y + 0.5f - height / 2.0f;

            picture[y * width + x] = dx * dx + dy * dy < radius * radius ? 200.0f : 40.0f;
        }
}

static int read_pgm(const char *path, float *picture, int width, int height)
{
    int w = 0, h = 0, max = 0, status = -1;
    FILE *f = fopen(path, "rb");

    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    if (fscanf(f, "P5 %d %d %d", &w, &h, &max) != 3 || fgetc(f) == EOF || w != width || h != height ||
        max != 255) {
        fprintf(stderr, "%s: not an 8-bit binary PGM of %dx%d pixels\n", path, width, height);
    } else {
        int i = 0, c;

        while (i < width * height && (c = fgetc(f)) != EOF)
            picture[i++] = (float)c;
        status = i == width * height ? 0 : -1;
        if (status)
            fprintf(stderr, "%s: ends after %d of %d pixels\n", path, i, width * height);
    }
    fclose(f);
    return status;
}

/* Every second row and column as characters: " " is nothing, "#" the strongest. */
static void print_picture(const float *values, int width, int height)
{
    static const char shades[] = " .:-=+*%#";
    float max = 0;

    for (int i = 0; i < width * height; i++)
        max = values[i] > max ? values[i] : max;
    for (int y = 0; y < height; y += 2) {
        for (int x = 0; x < width; x++)
            putchar(max > 0 && values[y * width + x] > 0 ? shades[(int)(values[y * width + x] * 8 / max)]
                                                         : ' ');
        putchar('\n');
    }
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void bench(struct tf_engine *engine, const float *const *inputs, float *const *outputs)
{
    struct tf_engine_stats stats = tf_engine_stats(engine);
    double ms[200];

    for (int i = 0; i < 200; i++) {
        struct timespec a, b;

        clock_gettime(CLOCK_MONOTONIC, &a);
        tf_engine_run(engine, inputs, outputs);
        clock_gettime(CLOCK_MONOTONIC, &b);
        ms[i] = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
    }
    qsort(ms, 200, sizeof(ms[0]), by_time);
    printf("%.3f ms a run (median of 200), %.1f million multiplications, %s\n", ms[100],
           (double)stats.macs / 1e6, stats.cpu);
}

int main(int argc, char **argv)
{
    int timed = argc > 1 && strcmp(argv[1], "--bench") == 0, status = EXIT_FAILURE;
    const char *model = argc > 1 + timed ? argv[1 + timed] : NULL;
    const char *file = argc > 2 + timed ? argv[2 + timed] : NULL;
    struct tf_engine *engine = NULL;
    struct tf_error error = {0};
    float *in = NULL, *out = NULL;

    if (!model) {
        fprintf(stderr, "usage: run_model [--bench] MODEL.onnx [PICTURE.pgm]\n");
        return 2;
    }
    /* One thread, the best instruction set of this processor. */
    if (tf_engine_open(model, NULL, &engine, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_FAILURE;
    }
    if (tf_engine_inputs(engine) != 1 || tf_engine_outputs(engine) != 1) {
        fprintf(stderr, "%s: this example runs models of one input and one output\n", model);
        goto end;
    }
    const struct tf_tensor_info *input = tf_engine_input(engine, 0), *output = tf_engine_output(engine, 0);

    if (input->rank != 4 || input->dims[0] != 1 || input->dims[1] != 1) {
        fprintf(stderr, "%s: the input is not a picture of one channel\n", model);
        goto end;
    }
    print_shape("input", input);
    print_shape("output", output);
    int width = (int)input->dims[3], height = (int)input->dims[2];

    in = calloc(input->count, sizeof(*in));
    out = calloc(output->count, sizeof(*out));
    if (!in || !out)
        goto end;
    if (!file)
        draw_disc(in, width, height);
    else if (read_pgm(file, in, width, height) < 0)
        goto end;

    const float *const inputs[] = {in};
    float *const outputs[] = {out};

    if (tf_engine_run(engine, inputs, outputs) < 0)
        goto end;
    if (timed)
        bench(engine, inputs, outputs);
    else if (output->count == input->count)
        print_picture(out, width, height);
    else
        for (size_t i = 0; i < output->count && i < 16; i++)
            printf("%g\n", out[i]);
    status = EXIT_SUCCESS;
end:
    free(in);
    free(out);
    tf_engine_close(engine);
    return status;
}
