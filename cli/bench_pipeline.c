/* thermoface bench pipeline: a live run by the clock; CPU by stage and latency from capture stamp to record.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "pipeline/models.h"
#include "pipeline/pipeline.h"
#include "publish/video/encoder.h"

struct bench {
    const char *source, *format, *video, *models, *cpu, *mirror;
    enum tf_mirror mirror_mode; /* of mirror */
    uint16_t size[2], rotate;
    bool flip;
    double fps;
    uint64_t seconds, threads;
    bool json;
};

/* Peak resident memory, MiB; the kernel counts it for us. */
static double rss_mb(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long kb = 0;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmHWM: %lu", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return (double)kb / 1024;
}

static void print_text(const struct tf_pipeline_times *t, const struct tf_status *s)
{
    printf("%s %ux%u, %s\n", s->source_kind, s->width, s->height, s->format);
    printf("frames      %llu, skipped by inference %llu, lost before it %llu\n",
           (unsigned long long)t->frames, (unsigned long long)t->skipped,
           (unsigned long long)(s->dropped.driver + s->dropped.capture));
    printf("CPU         %.0f us per frame, all threads\n", t->cpu_us_per_frame);
    for (int i = 0; i < t->stage_count; i++)
        printf("  %-10s%.0f us\n", t->stages[i].name, t->stages[i].us);
    printf("latency     median %.2f ms, 99 %% below %.2f ms, longest %.2f ms (capture stamp to record)\n",
           t->latency_us_p50 / 1e3, t->latency_us_p99 / 1e3, t->latency_us_max / 1e3);
    printf("memory      %.0f MiB at most\n", rss_mb());
}

static int print_json(const struct tf_pipeline_times *t)
{
    json_t *stages = json_object(), *all;
    int result;

    for (int i = 0; i < t->stage_count; i++)
        json_object_set_new(stages, t->stages[i].name, json_real(t->stages[i].us));
    all = json_pack("{s:I,s:I,s:f,s:o,s:{s:I,s:I,s:I},s:f}", "frames", (json_int_t)t->frames, "skipped",
                    (json_int_t)t->skipped, "cpu_us_per_frame", t->cpu_us_per_frame, "stages_us", stages,
                    "latency_us", "p50", (json_int_t)t->latency_us_p50, "p99", (json_int_t)t->latency_us_p99,
                    "max", (json_int_t)t->latency_us_max, "rss_mb", rss_mb());
    result = all ? json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) : -1;
    if (result == 0)
        putchar('\n');
    json_decref(all);
    return result;
}

static int run(const struct tf_usage *usage, const struct bench *b)
{
    struct tf_pipeline_options options = {
        .camera = "bench",
        .source = {.url = b->source,
                   .format = b->format,
                   .width = b->size[0],
                   .height = b->size[1],
                   .fps = (float)b->fps,
                   .rotate = b->rotate,
                   .flip = b->flip,
                   .pace = TF_PACE_RECORDED,
                   .loop = true},
        .analyser = {.models = tf_models_folder(b->models),
                     .threads = (int)b->threads,
                     .mirror = b->mirror_mode,
                     .cpu = b->cpu,
                     .filter = true,
                     .track = true},
        .analyse = true,
        .pictures = b->video != NULL,
        .overlay = tf_overlay_defaults(),
        .video = b->video,
        .overwrite = true,
    };
    struct tf_pipeline *pipeline = NULL;
    struct tf_pipeline_times times;
    struct tf_status status;
    struct tf_error err = {0};
    uint64_t end_ns;
    int result = tf_pipeline_create(&options, &pipeline, &err);

    if (result)
        goto fail;
    tf_catch_interrupt();
    result = tf_pipeline_start(pipeline, &err);
    if (result)
        goto fail;
    end_ns = tf_now_ns() + b->seconds * TF_NS_PER_S;
    while (tf_now_ns() < end_ns && tf_pipeline_wait(pipeline, 50) && !tf_interrupted())
        ;
    result = tf_pipeline_stop(pipeline, &err);
    if (result)
        goto fail;
    tf_pipeline_times(pipeline, &times);
    tf_pipeline_status(pipeline, &status);
    tf_pipeline_destroy(pipeline);
    if (!times.frames)
        return tf_command_error(usage, "%s: no frame came in %llu s", b->source,
                                (unsigned long long)b->seconds);
    if (b->json)
        return print_json(&times) ? TF_EXIT_FAILURE : TF_EXIT_OK;
    print_text(&times, &status);
    return TF_EXIT_OK;

fail:
    tf_pipeline_destroy(pipeline);
    return tf_command_error(usage, "%s", *err.text ? err.text : strerror(-result));
}

int tf_cmd_bench_pipeline(int argc, char **argv)
{
    struct bench b = {.source = "synthetic", .seconds = 10, .threads = 1};
    const struct tf_bind bind[] = {
        {"source", &b.source},   {"format", &b.format},
        {"rotate", &b.rotate},   {"flip", &b.flip},
        {"size", b.size},        {"fps", &b.fps},
        {"seconds", &b.seconds}, {"video", &b.video},
        {"models", &b.models},   {"mirror", &b.mirror},
        {"threads", &b.threads}, {"cpu", &b.cpu},
        {"json", &b.json},       {0},
    };
    const struct tf_usage *usage = tf_command("bench pipeline");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_error err = {0};
    int status;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    if (b.mirror)
        tf_mirror_parse(b.mirror, &b.mirror_mode);
    if (b.video && tf_muxer_check(b.video, &err) < 0)
        return tf_usage_error(usage, "--video %s", err.text);
    return run(usage, &b);
}
