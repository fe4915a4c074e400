/* thermoface run: a video file through the whole pipeline, offline: nothing is skipped, every frame gives a
 * record. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/output.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/run_dataset.h"
#include "cli/run_result.h"
#include "config/config.h"
#include "pipeline/pipeline.h"
#include "publish/video/encoder.h"

static bool is_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* With --overwrite a slip of the hand must not truncate the recording that is being read. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return a && b && !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int check(const struct tf_usage *usage, const struct tf_run *r, const char *input,
                 enum tf_file_format *csv_format)
{
    const char *const outputs[] = {r->ndjson, r->csv, r->csv_faces, r->video};

    *csv_format = TF_FILE_CSV;
    if (r->csv_profile && !r->csv)
        return tf_usage_error(usage, "--csv-profile needs --csv FILE");
    if (r->csv_profile && strcmp(r->csv_profile, "openface") == 0)
        *csv_format = TF_FILE_CSV_OPENFACE;
    if (strspn(r->camera, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(r->camera) ||
        strlen(r->camera) > 63)
        return tf_usage_error(usage, "--camera %s: 1 to 63 of the characters a-z, 0-9, \"_\" and \"-\"",
                              r->camera);
    if (r->region_masks && !r->segmentation)
        return tf_usage_error(usage, "--region-masks needs --segmentation FILE");
    if (is_stdout(r->ndjson) + is_stdout(r->csv) + is_stdout(r->csv_faces) > 1)
        return tf_usage_error(usage,
                              "--ndjson -, --csv - and --csv-faces -: only one can go to standard output");
    if (is_stdout(r->video))
        return tf_usage_error(usage, "--video -: the annotated video needs a file");
    for (size_t i = 0; i < TF_COUNT(outputs); i++) {
        if (same_file(input, outputs[i]))
            return tf_usage_error(usage, "%s: would overwrite the input", outputs[i]);
        for (size_t k = 0; k < i; k++)
            if (outputs[i] && outputs[k] && !is_stdout(outputs[i]) && strcmp(outputs[i], outputs[k]) == 0)
                return tf_usage_error(usage, "%s: named for two outputs", outputs[i]);
    }
    return TF_EXIT_OK;
}

static int check_outputs(const struct tf_usage *usage, const struct tf_run *r)
{
    const char *const outputs[] = {r->ndjson, r->csv, r->csv_faces, r->video};
    struct tf_error err = {0};
    int status = TF_EXIT_OK;

    if (r->video && tf_muxer_check(r->video, &err) < 0)
        return tf_usage_error(usage, "--video %s", err.text);
    for (size_t i = 0; i < TF_COUNT(outputs) && status == TF_EXIT_OK; i++)
        status = tf_output_check(usage, outputs[i], r->overwrite);
    return status;
}

static int add_file(struct tf_pipeline *pipeline, const char *path, enum tf_file_format format,
                    const struct tf_run *r, struct tf_error *err)
{
    struct tf_own_regions own;
    struct tf_own_names names;
    struct tf_sink sink;
    struct stat st;
    bool overwrite;
    int code;

    if (!path)
        return 0;
    /* Nothing is lost in a device or a pipe. */
    overwrite = r->overwrite || (stat(path, &st) == 0 && !S_ISREG(st.st_mode));
    tf_own_of_camera(&r->own, r->camera, &own);
    tf_own_names_of(&own, &names);
    code = tf_sink_file_own(path, format, overwrite, &names, &sink, err);
    if (code)
        return code;
    code = tf_pipeline_add_sink(pipeline, &sink);
    if (code) {
        sink.close(sink.self, NULL);
        return tf_fail(err, code, "%s: cannot be added to the pipeline", path);
    }
    return 0;
}

static void summary(const struct tf_status *s, const struct tf_source_info *info, double seconds)
{
    double speed = seconds > 0 ? (double)s->frames / seconds : 0;

    fprintf(stderr, "%llu frame%s in %.*f s: %.1f frames/s", (unsigned long long)s->frames,
            TF_PLURAL(s->frames), seconds < 9.95 ? 2 : 1, seconds, speed);
    if (info && info->fps > 0)
        fprintf(stderr, ", %.1f times the recorded speed", speed / info->fps);
    fputc('\n', stderr);
    if (*s->notice)
        fprintf(stderr, "note: %s\n", s->notice);
    if (!s->frames)
        return;
    fprintf(stderr, "with a face: %.1f %%", 100.0 * (double)s->state_frames[TF_STATE_OK] / (double)s->frames);
    if (s->state_frames[TF_STATE_STALE])
        fprintf(stderr, "; shutter or duplicate: %llu", (unsigned long long)s->state_frames[TF_STATE_STALE]);
    if (s->state_frames[TF_STATE_CORRUPT])
        fprintf(stderr, "; corrupt: %llu", (unsigned long long)s->state_frames[TF_STATE_CORRUPT]);
    fputc('\n', stderr);
    tf_run_say_turn(&s->turn, "");
}

static int run(const struct tf_usage *usage, const struct tf_run *r, const char *input,
               enum tf_file_format csv_format)
{
    struct tf_pipeline_options options = tf_run_options(r);
    struct tf_pipeline *pipeline = NULL;
    const struct tf_source_info *info;
    struct tf_progress progress;
    struct tf_status status;
    struct tf_error err = {0};
    uint64_t start_ns, frames;
    bool stopped = false;
    int result;

    options.camera = r->camera;
    options.source.url = input;
    options.own = &r->own;
    options.outlines = r->outlines;
    options.pictures = r->video != NULL;
    options.video = r->video;
    options.overwrite = r->overwrite;
    if (r->palette) {
        result = tf_palette_find(r->palette, &options.overlay.palette, &err);
        if (result)
            return tf_usage_error(usage, "--palette %s: %s", r->palette, err.text);
    }
    result = tf_pipeline_create(&options, &pipeline, &err);
    if (result)
        goto fail;
    result = add_file(pipeline, r->ndjson, TF_FILE_NDJSON, r, &err);
    if (result)
        goto fail;
    result = add_file(pipeline, r->csv, csv_format, r, &err);
    if (result)
        goto fail;
    result = add_file(pipeline, r->csv_faces, TF_FILE_CSV_FACES, r, &err);
    if (result)
        goto fail;
    tf_catch_interrupt();
    start_ns = tf_now_ns();
    result = tf_pipeline_start(pipeline, &err);
    if (result)
        goto fail;

    info = tf_pipeline_source_info(pipeline);
    frames = info ? info->frames : 0;
    if (r->limit && (!frames || r->limit < frames))
        frames = r->limit;
    tf_progress_start(&progress, frames, info ? info->fps : 0, r->quiet);
    while (tf_pipeline_wait(pipeline, 200)) {
        tf_pipeline_status(pipeline, &status);
        tf_progress_update(&progress, status.frames);
        if (tf_interrupted()) {
            stopped = true;
            break;
        }
    }
    result = tf_pipeline_stop(pipeline, &err);
    tf_pipeline_status(pipeline, &status);
    tf_progress_end(&progress);
    if (!r->quiet && !tf_output_gone())
        summary(&status, tf_pipeline_source_info(pipeline), (double)(tf_now_ns() - start_ns) / 1e9);
    if (result)
        goto fail;
    tf_pipeline_destroy(pipeline);
    if (stopped)
        return tf_command_error(usage, "stopped before the end; the files hold the %llu frame%s up to here",
                                (unsigned long long)status.frames, TF_PLURAL(status.frames));
    return TF_EXIT_OK;

fail:
    tf_pipeline_destroy(pipeline);
    return tf_command_error(usage, "%s", *err.text ? err.text : strerror(-result));
}

static int read_black_body(const struct tf_usage *usage, struct tf_run *r)
{
    unsigned v[4];
    char tail;

    if (!r->black_body)
        return TF_EXIT_OK;
    if (sscanf(r->black_body, "%4u,%4u,%4u,%4u%c", &v[0], &v[1], &v[2], &v[3], &tail) != 4 || !v[2] || !v[3])
        return tf_usage_error(usage, "--black-body %s: must be X,Y,W,H in pixels", r->black_body);
    if (isnan(r->black_body_c))
        return tf_usage_error(usage, "--black-body needs --black-body-temperature");
    for (int i = 0; i < 4; i++)
        r->rectangle[i] = (uint16_t)v[i];
    return TF_EXIT_OK;
}

static int read_regions(const struct tf_usage *usage, struct tf_run *r)
{
    struct tf_config *config = NULL;
    struct tf_error err = {0};

    if (!r->regions)
        return TF_EXIT_OK;
    if (tf_config_load_regions(r->regions, &config, &err) < 0)
        return tf_usage_error(usage, "--regions: %s", err.text);
    tf_config_own(config, &r->own);
    tf_config_free(config);
    if (!r->own.count)
        return tf_usage_error(usage, "--regions %s: no [region NAME] section is in it", r->regions);
    return TF_EXIT_OK;
}

/* BIDS takes letters and digits. */
static int check_labels(const struct tf_usage *usage, const struct tf_run *r)
{
    const struct {
        const char *option, *label;
    } labels[] = {{"subject", r->subject}, {"session", r->session}, {"task", r->task}};

    for (size_t i = 0; i < TF_COUNT(labels); i++) {
        const char *label = labels[i].label;

        if (label && (!*label || strlen(label) > 64 ||
                      strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") !=
                          strlen(label)))
            return tf_usage_error(usage, "--%s %s: 1 to 64 letters A-Z, a-z and digits (BIDS)",
                                  labels[i].option, label);
    }
    if (!r->subject != !r->task || (r->session && !r->subject))
        return tf_usage_error(usage, "--subject and --task go together, --session with them");
    if (r->subject && !r->output)
        return tf_usage_error(usage, "--subject: where do the results go? Say --output FOLDER, a data set's "
                                     "derivatives/thermoface, say");
    return TF_EXIT_OK;
}

static int run_given(const struct tf_usage *usage, struct tf_run *r, const char *const *arguments)
{
    enum tf_file_format csv_format;
    struct stat st;
    int status, count = 0;

    while (count < TF_ARGUMENTS_MAX && arguments[count])
        count++;
    status = read_black_body(usage, r);
    if (status == TF_EXIT_OK)
        status = read_regions(usage, r);
    if (status)
        return status;
    if (r->mirror)
        tf_mirror_parse(r->mirror, &r->mirror_mode);
    if (r->archive)
        return tf_run_archive(usage, r, arguments, count);
    status = check_labels(usage, r);
    if (status)
        return status;
    if (count == 1 && !r->output && !r->shard && !r->list && !r->merge && !tf_is_input_list(arguments[0]) &&
        !(stat(arguments[0], &st) == 0 && S_ISDIR(st.st_mode))) {
        if (r->json)
            return tf_usage_error(usage, "--json belongs to --list or --merge");
        if (r->no_video || r->jobs || r->physio_rate)
            return tf_usage_error(usage, "--no-video, --jobs and --physio-rate belong to a session's folder, "
                                         "several inputs or --output");
        status = check(usage, r, arguments[0], &csv_format);
        if (status == TF_EXIT_OK)
            status = check_outputs(usage, r);
        return status ? status : run(usage, r, arguments[0], csv_format);
    }
    if (r->ndjson || (r->csv && !r->merge) || r->csv_faces || r->video || r->csv_profile)
        return tf_usage_error(
            usage, "--ndjson, --csv, --csv-faces and --video name files of one input; sessions and "
                   "several inputs go to --output FOLDER");
    return tf_run_many(usage, r, arguments, count);
}

int tf_cmd_run(int argc, char **argv)
{
    struct tf_run r = {.camera = "thermal", .threads = 1, .black_body_c = NAN};
    const struct tf_bind bind[] = {
        {"format", &r.format},
        {"rotate", &r.rotate},
        {"flip", &r.flip},
        {"raw", &r.raw},
        {"stream", &r.stream},
        {"fps", &r.fps},
        {"no-frozen", &r.no_frozen},
        {"scale", &r.scale},
        {"offset", &r.offset},
        {"ndjson", &r.ndjson},
        {"outlines", &r.outlines},
        {"csv", &r.csv},
        {"csv-faces", &r.csv_faces},
        {"csv-profile", &r.csv_profile},
        {"video", &r.video},
        {"codec", &r.codec},
        {"preset", &r.preset},
        {"quality", &r.quality},
        {"palette", &r.palette},
        {"overwrite", &r.overwrite},
        {"limit", &r.limit},
        {"camera", &r.camera},
        {"faces", &r.faces},
        {"mirror", &r.mirror},
        {"no-filter", &r.no_filter},
        {"models", &r.models},
        {"segmentation", &r.segmentation},
        {"region-masks", &r.region_masks},
        {"threads", &r.threads},
        {"cpu", &r.cpu},
        {"output", &r.output},
        {"subject", &r.subject},
        {"session", &r.session},
        {"task", &r.task},
        {"jobs", &r.jobs},
        {"no-video", &r.no_video},
        {"physio-rate", &r.physio_rate},
        {"regions", &r.regions},
        {"black-body", &r.black_body},
        {"black-body-temperature", &r.black_body_c},
        {"archive", &r.archive},
        {"shard", &r.shard},
        {"list", &r.list},
        {"merge", &r.merge},
        {"json", &r.json},
        {"quiet", &r.quiet},
        {0},
    };
    const struct tf_usage *usage = tf_command("run");
    const char *arguments[TF_ARGUMENTS_MAX];
    int status;
    json_t *usual = tf_run_settings(usage, bind, NULL);

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status)) {
        json_decref(usual);
        return status;
    }
    r.settings = tf_run_settings(usage, bind, usual);
    json_decref(usual);
    status = run_given(usage, &r, arguments);
    json_decref(r.settings);
    return status;
}
