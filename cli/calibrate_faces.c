/* Faces that both cameras of a rig saw, from records, videos or a running service, matched by time. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/calibrate.h"
#include "cli/commands.h"
#include "pipeline/models.h"
#include "pipeline/pipeline.h"

#define LINE_MAX_BYTES (1u << 20)
/* Points that a network guesses teach nothing. */
#define SURE 0.5f
/* Frames beyond this many add time, not knowledge: a face moves slowly. */
#define FRAMES_MAX 400

void tf_sightings_free(struct tf_sightings *s)
{
    free(s->at);
    *s = (struct tf_sightings){0};
}

/* The next place; NULL: no memory, or too many. */
static struct tf_sighting *place(struct tf_sightings *s)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        struct tf_sighting *at = room <= 2 * TF_SIGHTINGS_MAX ? realloc(s->at, room * sizeof(*at)) : NULL;

        if (!at)
            return NULL;
        s->at = at;
        s->room = room;
    }
    return &s->at[s->count];
}

static bool read_points(json_t *points, struct tf_point ret[TF_POINTS])
{
    if (json_array_size(points) != TF_POINTS)
        return false;
    for (size_t k = 0; k < TF_POINTS; k++) {
        json_t *point = json_array_get(points, k);
        double v[3];

        for (size_t i = 0; i < 3; i++) {
            v[i] = json_number_value(json_array_get(point, i));
            if (!json_is_number(json_array_get(point, i)) || !(fabs(v[i]) < 1e5))
                return false;
        }
        ret[k] = (struct tf_point){(float)v[0], (float)v[1], (float)v[2]};
    }
    return true;
}

int tf_sightings_add_line(struct tf_sightings *s, const char *line, size_t length, struct tf_error *err)
{
    json_error_t problem;
    json_t *root = json_loadb(line, length, 0, &problem);
    json_t *faces = json_object_get(root, "faces"), *t = json_object_get(root, "t_mono_ns");
    struct tf_sighting *sighting;
    int r = 0;

    if (!json_is_array(faces) || !json_is_integer(t)) {
        json_decref(root);
        return tf_fail(err, -EINVAL, "not a record: %s", root ? "no faces or no t_mono_ns" : problem.text);
    }
    s->frames++;
    sighting = json_array_size(faces) == 1 ? place(s) : NULL;
    if (json_array_size(faces) == 1 && !sighting)
        r = tf_fail(err, -ENOMEM, "out of memory, or more than %d frames", TF_SIGHTINGS_MAX);
    if (sighting) {
        sighting->t_ns = json_integer_value(t);
        /* A face that only the other camera saw has no points of its own. */
        s->count += read_points(json_object_get(json_array_get(faces, 0), "points"), sighting->points);
    }
    json_decref(root);
    return r;
}

int tf_sightings_read_records(struct tf_sightings *s, const char *path, struct tf_error *err)
{
    char *line = NULL;
    size_t size = 0, number = 0;
    ssize_t n;
    FILE *f = fopen(path, "re");
    int r = 0;

    if (!f)
        return tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    while (r == 0 && (n = getline(&line, &size, f)) > 0) {
        number++;
        if ((size_t)n > LINE_MAX_BYTES)
            r = tf_fail(err, -EINVAL, "a line of more than %u bytes: not a file of records", LINE_MAX_BYTES);
        else if (line[n - 1] == '\n') /* a crash leaves half a last line behind */
            r = tf_sightings_add_line(s, line, (size_t)n, err);
    }
    if (r < 0 && err)
        tf_error_prefix(err, "%s:%zu", path, number);
    else if (ferror(f))
        r = tf_fail(err, -EIO, "%s: cannot be read", path);
    free(line);
    fclose(f);
    return r;
}

static int take_record(void *self, const struct tf_record *record, struct tf_error *err)
{
    struct tf_sightings *s = self;
    struct tf_sighting *sighting;

    s->frames++;
    if (record->faces.count != 1)
        return 0;
    sighting = place(s);
    if (!sighting)
        return tf_fail(err, -ENOMEM, "out of memory, or more than %d frames", TF_SIGHTINGS_MAX);
    sighting->t_ns = record->t_utc_ns;
    memcpy(sighting->points, record->faces.faces[0].points, sizeof(sighting->points));
    s->count++;
    return 0;
}

/*
 * Where a session's video begins, nanoseconds: its times count from its own first frame and its date is the
 * session's, so what lies beside it says how much later that was. 0 for any other video.
 */
static int64_t begin_of(const char *path)
{
    size_t n = strlen(path);
    json_t *about = NULL, *start;
    char *side = NULL;
    int64_t begin = 0;

    if (n > 4 && strcmp(path + n - 4, ".mkv") == 0 && asprintf(&side, "%.*s.json", (int)(n - 4), path) > 0)
        about = json_load_file(side, 0, NULL);
    start = json_object_get(about, "StartTime");
    if (json_is_number(start) && fabs(json_number_value(start)) < 1e6)
        begin = (int64_t)(json_number_value(start) * 1e9);
    json_decref(about);
    free(side);
    return begin;
}

int tf_sightings_watch_video(struct tf_sightings *s, const struct tf_sightings_video *video,
                             struct tf_error *err)
{
    struct tf_pipeline_options options = {
        .camera = "calibrate",
        .source = {.url = video->url,
                   .format = video->format,
                   .rotate = video->rotate,
                   .pace = TF_PACE_FAST,
                   .limit = video->limit},
        .analyser = {.models = tf_models_folder(video->models),
                     .threads = (int)video->threads,
                     .cpu = video->cpu,
                     .track = true},
        .analyse = true,
    };
    const struct tf_sink sink = {.name = "calibrate", .self = s, .record = take_record};
    struct tf_pipeline *pipeline = NULL;
    struct tf_status status;
    int64_t begin;
    int r = tf_pipeline_create(&options, &pipeline, err);

    if (r == 0)
        r = tf_pipeline_add_sink(pipeline, &sink);
    if (r == 0)
        r = tf_pipeline_start(pipeline, err);
    while (r == 0 && tf_pipeline_wait(pipeline, 200) && !tf_interrupted())
        ;
    if (r == 0)
        r = tf_pipeline_stop(pipeline, err);
    if (r == 0 && tf_interrupted())
        r = tf_fail(err, -EINTR, "interrupted");
    if (r == 0) {
        tf_pipeline_status(pipeline, &status);
        s->width = status.width;
        s->height = status.height;
        begin = begin_of(video->url);
        for (size_t i = 0; i < s->count; i++)
            s->at[i].t_ns += begin;
    }
    tf_pipeline_destroy(pipeline);
    return r;
}

static int64_t apart(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int tf_sightings_match(const struct tf_sightings *thermal, const struct tf_sightings *visible,
                       int64_t max_skew_ns, struct tf_match **ret, size_t *count, double *eyes,
                       size_t *frames, struct tf_error *err)
{
    size_t every = thermal->count / FRAMES_MAX + 1, n = 0, pairs = 0, k = 0;
    struct tf_match *matches = calloc((thermal->count / every + 1) * TF_POINTS, sizeof(*matches));
    double *distances = calloc(thermal->count / every + 1, sizeof(*distances));

    if (!matches || !distances) {
        free(matches);
        free(distances);
        return tf_fail(err, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < thermal->count && visible->count; i += every) {
        const struct tf_sighting *t = &thermal->at[i], *v;

        while (k + 1 < visible->count &&
               apart(visible->at[k + 1].t_ns, t->t_ns) <= apart(visible->at[k].t_ns, t->t_ns))
            k++;
        v = &visible->at[k];
        if (apart(v->t_ns, t->t_ns) > max_skew_ns)
            continue;
        distances[pairs++] =
            hypot((double)(t->points[45].x - t->points[36].x), (double)(t->points[45].y - t->points[36].y));
        for (int p = 0; p < TF_POINTS; p++)
            if (t->points[p].confidence >= SURE && v->points[p].confidence >= SURE)
                matches[n++] = (struct tf_match){{(double)t->points[p].x, (double)t->points[p].y},
                                                 {(double)v->points[p].x, (double)v->points[p].y}};
    }
    qsort(distances, pairs, sizeof(*distances), compare);
    *eyes = pairs ? distances[pairs / 2] : 0;
    free(distances);
    if (!n) {
        free(matches);
        return tf_fail(
            err, -EINVAL,
            "no moment at which both cameras saw one and the same face: thermal %zu of %zu frames with "
            "one face, visible %zu of %zu, and none within %.0f ms of each other",
            thermal->count, thermal->frames, visible->count, visible->frames, (double)max_skew_ns / 1e6);
    }
    *ret = matches;
    *count = n;
    *frames = pairs;
    return 0;
}
