/* Which source a name means. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/internal.h"

#define SETTLE_DEFAULT_NS 10000000000ull

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static int check_options(const struct tf_source_options *o, struct tf_error *err)
{
    if (!o->url || !*o->url)
        return tf_fail(err, -EINVAL,
                       "no source given: say synthetic, a recording's path, or a device such as /dev/video0");
    if (o->rotate % 90 || o->rotate > 270)
        return tf_fail(err, -EINVAL, "%s: rotation %u is not one of 0, 90, 180, 270", o->url, o->rotate);
    if (o->width > TF_FRAME_DIM_MAX || o->height > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EINVAL, "%s: size %ux%u is larger than %ux%u", o->url, o->width, o->height,
                       TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
    if ((o->width == 0) != (o->height == 0))
        return tf_fail(err, -EINVAL, "%s: size %ux%u: give both width and height, or neither", o->url,
                       o->width, o->height);
    if (!(o->fps >= 0 && o->fps <= 1000))
        return tf_fail(err, -EINVAL, "%s: frame rate %g is not between 0 and 1000", o->url, (double)o->fps);
    if (o->frames > TF_SOURCE_FRAMES_MAX)
        return tf_fail(err, -EINVAL, "%s: %zu frames out at once; the limit is %d", o->url, o->frames,
                       TF_SOURCE_FRAMES_MAX);
    if (!isfinite(o->scale) || !isfinite(o->offset))
        return tf_fail(err, -EINVAL, "%s: scale and offset must be numbers", o->url);
    if (o->format && !tf_format_find(o->format)) {
        char names[800] = "";

        for (size_t i = 0; i < tf_format_count(); i++) {
            size_t n = strlen(names);

            snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "", tf_format_at(i)->name);
        }
        return tf_fail(err, -EINVAL, "%s: no camera format is called %s; there are %s", o->url, o->format,
                       names);
    }
    return 0;
}

bool tf_source_is_device(const char *url)
{
    struct stat st;

    if (!starts_with(url, "/dev/") || starts_with(url, "/dev/shm/"))
        return false;
    return stat(url, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

int tf_source_open(const struct tf_source_options *options, struct tf_source **ret, struct tf_error *err)
{
    struct tf_source_options o = *options;
    int r = check_options(&o, err);

    if (r)
        return r;
    if (!o.frames)
        o.frames = TF_SOURCE_FRAMES_DEFAULT;
    if (!o.settle_ns)
        o.settle_ns = SETTLE_DEFAULT_NS;
    if (strcmp(o.url, "synthetic") == 0)
        return tf_source_open_by(tf_synthetic_open, &o, "", ret, err);
    if (starts_with(o.url, "synthetic:"))
        return tf_source_open_by(tf_synthetic_open, &o, o.url + 10, ret, err);
    if (starts_with(o.url, "recording:"))
        return tf_source_open_by(tf_replay_open, &o, o.url + 10, ret, err);
    if (starts_with(o.url, "file:"))
        return tf_source_open_by(tf_file_open, &o, o.url + 5, ret, err);
    return tf_source_open_by(tf_source_is_device(o.url) ? tf_v4l2_open : tf_file_open, &o, o.url, ret, err);
}
