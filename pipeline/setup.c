/* What is settled before the threads run: options checked and copied, frames counted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/count.h"
#include "pipeline/shared.h"

static int check_options(const struct tf_pipeline_options *o, struct tf_error *err)
{
    size_t n = o->camera ? strlen(o->camera) : 0;
    struct stat st;

    if (n < 1 || n > 63 || strspn(o->camera, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n)
        return tf_fail(
            err, -EINVAL,
            "camera name \"%.80s\": 1 to 63 of the characters a-z, 0-9, \"_\" and \"-\" are allowed",
            o->camera ? o->camera : "");
    if (!o->source.url || !*o->source.url)
        return tf_fail(err, -EINVAL, "camera %s: no source is given", o->camera);
    if (o->video && !o->pictures)
        return tf_fail(err, -EINVAL, "camera %s: a video file needs pictures", o->camera);
    if (o->picture_fps_max < 0)
        return tf_fail(err, -EINVAL, "camera %s: the limit of pictures per second is negative", o->camera);
    /* The file is made only when the camera's size is known; said now, so that nobody waits for nothing. */
    if (o->video && !o->overwrite && stat(o->video, &st) == 0)
        return tf_fail(err, -EEXIST, "%s: exists already; choose another name or ask for overwriting",
                       o->video);
    return 0;
}

/* *s becomes the pipeline's own copy. */
static int keep_string(struct tf_setup *setup, const char **s)
{
    char *copy;

    if (!*s)
        return 0;
    copy = strdup(*s);
    if (!copy)
        return -ENOMEM;
    setup->strings[setup->string_count++] = copy;
    *s = copy;
    return 0;
}

/* Makes the pair's options the pipeline's own. */
static int keep_pair(struct tf_setup *setup)
{
    const struct tf_pipeline_pair *pair = setup->options.pair;

    if (!pair)
        return 0;
    setup->pair = *pair;
    setup->options.pair = &setup->pair;
    if (pair->registration) {
        setup->registration = *pair->registration;
        setup->pair.registration = &setup->registration;
    }
    return keep_string(setup, &setup->pair.partner);
}

/* How many frames may be out at once, and how many of them wait for a recording. */
static void set_budget(struct tf_setup *setup)
{
    size_t *frames = &setup->options.source.frames;

    if (!setup->options.recordable) {
        *frames = *frames < TF_FRAMES_OUT ? TF_FRAMES_OUT : *frames;
    } else if (tf_source_is_device(setup->options.source.url)) {
        if (*frames == 0 || *frames > TF_V4L2_FRAMES_MAX)
            *frames = TF_V4L2_FRAMES_MAX;
        else if (*frames < TF_V4L2_FRAMES_MIN)
            *frames = TF_V4L2_FRAMES_MIN;
    } else {
        *frames = TF_FRAMES_OUT + TF_RECORDING_WAIT + 1;
    }
    setup->recording_wait = (unsigned)(*frames - TF_FRAMES_OUT - (setup->options.recordable ? 1 : 0));
}

static int keep_options(struct tf_setup *setup, const struct tf_pipeline_options *options)
{
    const char **strings[] = {
        &setup->options.source.url,
        &setup->options.source.format,
        &setup->options.analyser.models,
        &setup->options.analyser.landmarks,
        &setup->options.analyser.finder,
        &setup->options.analyser.cpu,
        &setup->options.encoder.codec,
        &setup->options.encoder.preset,
        &setup->options.encoder.device,
        &setup->options.video,
        &setup->options.analyser.segmentation,
        &setup->options.source.controls,
        &setup->options.source.ffc,
        &setup->options.source.ffc_hold,
        &setup->options.source.ffc_release,
        &setup->options.source.raw,
        &setup->options.source.stream,
    };

    _Static_assert(TF_COUNT(strings) <= TF_COUNT(setup->strings), "a place for each");

    setup->options = *options;
    setup->options.camera = setup->camera;
    if (keep_pair(setup) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < TF_COUNT(strings); i++)
        if (keep_string(setup, strings[i]) < 0)
            return -ENOMEM;
    set_budget(setup);
    return 0;
}

int tf_setup_init(struct tf_setup *setup, const struct tf_pipeline_options *options, struct tf_error *err)
{
    int r = check_options(options, err);

    if (r < 0)
        return r;
    snprintf(setup->camera, sizeof(setup->camera), "%s", options->camera);
    r = keep_options(setup, options);
    if (r < 0)
        return tf_fail(err, r, "camera %s: out of memory", options->camera);
    return 0;
}

void tf_setup_finish(struct tf_setup *setup)
{
    for (int i = 0; i < setup->string_count; i++)
        free(setup->strings[i]);
}
