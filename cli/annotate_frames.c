/* Frames to place points on: chosen over time, or where the network is least sure; pixels and start points.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "cli/annotate.h"
#include "inference/face/view.h"

#define LOOKS_PER_FRAME 8 /* looks at so many for each that is chosen by doubt */
#define FRAMES_MAX 10000000u

/* A frame that was looked at, and how sure the network was. */
struct look {
    uint64_t frame;
    float confidence;
};

struct survey {
    uint32_t *usable; /* frames that show the scene, in order */
    size_t usable_count, capacity;
    struct look *looks;
    size_t look_count, look_max;
    uint64_t stride;
};

static int open_source(const struct tf_annotate_frames *o, const struct tf_annotate_input *in,
                       struct tf_source **ret, struct tf_error *err)
{
    struct tf_source_options options = {.url = in->url,
                                        .format = *in->format ? in->format : NULL,
                                        .rotate = in->rotate,
                                        .flip = in->flip,
                                        .scale = in->scale,
                                        .offset = in->offset,
                                        .limits = {in->limits[0], in->limits[1]},
                                        .fps = in->fps,
                                        .raw = o->raw,
                                        .stream = o->stream,
                                        .pace = TF_PACE_FAST,
                                        .frames = 4};
    int r = tf_source_open(&options, ret, err);

    if (r < 0)
        return r;
    r = tf_source_start(*ret, err);
    if (r < 0) {
        tf_source_close(*ret);
        *ret = NULL;
    }
    return r;
}

/* The face that the network is surest of, each frame by itself. */
static int read_face(struct tf_analyser *analyser, const struct tf_frame *frame, struct tf_faces *faces,
                     const struct tf_face **ret)
{
    int r;

    *ret = NULL;
    tf_analyser_reset(analyser);
    r = tf_analyser_process(analyser, frame, faces);
    for (uint32_t i = 0; r == 0 && i < faces->count; i++) {
        if (!*ret || faces->faces[i].score > (*ret)->score)
            *ret = &faces->faces[i];
    }
    return r;
}

static int note(struct survey *s, uint64_t number, struct tf_error *err)
{
    if (s->usable_count == s->capacity) {
        size_t more = s->capacity ? 2 * s->capacity : 1024;
        uint32_t *grown = realloc(s->usable, more * sizeof(*grown));

        if (!grown)
            return tf_fail(err, -ENOMEM, "out of memory");
        s->usable = grown;
        s->capacity = more;
    }
    s->usable[s->usable_count++] = (uint32_t)number;
    return 0;
}

/* Keeps at most look_max looks, evenly spread: every other one goes when they are too many. */
static bool wants_look(struct survey *s)
{
    if (!s->looks || (s->usable_count - 1) % s->stride)
        return false;
    if (s->look_count == s->look_max) {
        for (size_t i = 0; i < s->look_max / 2; i++)
            s->looks[i] = s->looks[2 * i];
        s->look_count = s->look_max / 2;
        s->stride *= 2;
    }
    return (s->usable_count - 1) % s->stride == 0;
}

typedef bool said_fn(void *context, uint64_t frames);

/* The next frame: 1, 0 at the end. */
static int next(struct tf_source *source, uint64_t number, struct tf_frame **frame,
                const struct tf_annotate_input *in, struct tf_error *err)
{
    enum tf_next got = tf_source_next(source, -1, frame, err);

    if (got == TF_NEXT_FRAME)
        return number < FRAMES_MAX ? 1 : tf_fail(err, -E2BIG, "%s: more than %u frames", in->rec, FRAMES_MAX);
    if (got == TF_NEXT_END)
        return 0;
    if (got != TF_NEXT_ERROR)
        tf_fail(err, -EIO, "%s: reading stopped at frame %llu", in->rec, (unsigned long long)number);
    return -EIO;
}

static int survey(const struct tf_annotate_frames *o, const struct tf_annotate_input *in, struct survey *s,
                  struct tf_faces *faces, said_fn *said, void *context, struct tf_error *err)
{
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    const struct tf_face *face;
    int r = open_source(o, in, &source, err);

    if (r < 0)
        return r;
    for (uint64_t number = 0; (r = next(source, number, &frame, in, err)) > 0; number++) {
        r = frame->flags & (TF_FLAG_FFC | TF_FLAG_CORRUPT) ? 0 : note(s, number, err);
        if (r == 0 && s->usable_count && s->usable[s->usable_count - 1] == number && wants_look(s)) {
            r = read_face(o->analyser, frame, faces, &face);
            if (r < 0)
                tf_fail(err, r, "%s: frame %llu: %s", in->rec, (unsigned long long)number, strerror(-r));
            else
                s->looks[s->look_count++] = (struct look){number, face ? face->score : 0};
        }
        tf_frame_unref(frame);
        if (r == 0 && !said(context, number))
            r = tf_fail(err, -EINTR, "interrupted");
        if (r < 0)
            break;
    }
    tf_source_close(source);
    if (r == 0 && !s->usable_count)
        r = tf_fail(err, -EINVAL, "%s: no frame of it shows the scene", in->rec);
    return r;
}

/* `count` frames: the middle of each stretch of time, or the least sure one in it. Sorted. */
static size_t choose(const struct survey *s, uint64_t count, uint64_t *ret)
{
    size_t n = 0;

    if (!s->looks) {
        count = count < s->usable_count ? count : s->usable_count;
        for (uint64_t i = 0; i < count; i++)
            ret[n++] = s->usable[(size_t)(((double)i + 0.5) * (double)s->usable_count / (double)count)];
        return n;
    }
    count = count < s->look_count ? count : s->look_count;
    for (uint64_t i = 0; i < count; i++) {
        size_t first = (size_t)(i * s->look_count / count), end = (size_t)((i + 1) * s->look_count / count);
        size_t best = first;

        for (size_t k = first; k < end; k++)
            if (s->looks[k].confidence < s->looks[best].confidence)
                best = k;
        ret[n++] = s->looks[best].frame;
    }
    return n;
}

void tf_six_of_points(const float p[TF_POINTS][2], float ret[6][2])
{
    static const int single[6] = {0, 0, 30, 48, 54, 8};

    for (int i = 0; i < 2; i++) {
        for (int k = 2; k < 6; k++)
            ret[k][i] = p[single[k]][i];
        for (int k = 0; k < 2; k++) {
            ret[k][i] = 0;
            for (int j = 0; j < 6; j++)
                ret[k][i] += p[36 + 6 * k + j][i] / 6;
        }
    }
}

/* "rec.mkv", 12 → "rec-f000012.png"; what could trouble a file system or a table becomes "_". */
static void name_picture(struct tf_item *item, bool still)
{
    char stem[256];
    char *end;

    snprintf(stem, sizeof(stem), "%s", item->rec);
    end = strrchr(stem, '.');
    if (end && end != stem)
        *end = '\0';
    for (char *c = stem; *c; c++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *c))
            *c = '_';
        if (*c == '.' && c[1] == '.')
            *c = '_';
    }
    if (still)
        snprintf(item->file, sizeof(item->file), "%s.png", stem);
    else
        snprintf(item->file, sizeof(item->file), "%s-f%06llu.png", stem, (unsigned long long)item->frame);
}

static int copy(struct tf_items *items, struct tf_item *item, const struct tf_frame *frame,
                struct tf_error *err)
{
    struct tf_view view;
    size_t pixels;

    if (!tf_view_init(&view, frame))
        return tf_fail(err, -EINVAL, "%s: frame %llu has no luminance", item->rec,
                       (unsigned long long)item->frame);
    pixels = (size_t)view.width * view.height;
    if (items->bytes + 2 * pixels > TF_ANNOTATE_BYTES_MAX)
        return tf_fail(err, -E2BIG, "more than %llu MB of pictures: name fewer recordings or fewer --frames",
                       TF_ANNOTATE_BYTES_MAX >> 20);
    item->pixels = malloc(2 * pixels);
    if (!item->pixels)
        return tf_fail(err, -ENOMEM, "out of memory");
    items->bytes += 2 * pixels;
    item->rotate = frame->rotate;
    item->width = (uint16_t)view.width;
    item->height = (uint16_t)view.height;
    item->wide = view.wide;
    for (uint32_t y = 0; y < view.height; y++)
        for (uint32_t x = 0; x < view.width; x++)
            item->pixels[(size_t)y * view.width + x] = (uint16_t)tf_view_at(&view, x, y);
    return 0;
}

static int add(const struct tf_annotate_frames *o, const struct tf_annotate_input *in, bool still,
               struct tf_items *items, const struct tf_frame *frame, uint64_t number, struct tf_faces *faces,
               struct tf_error *err)
{
    const struct tf_face *face;
    struct tf_item *item;
    int r;

    if (items->count == TF_ANNOTATE_ITEMS_MAX)
        return tf_fail(err, -E2BIG, "more than %d frames", TF_ANNOTATE_ITEMS_MAX);
    if (items->count == items->capacity) {
        size_t more = items->capacity ? 2 * items->capacity : 64;
        struct tf_item *grown = realloc(items->list, more * sizeof(*grown));

        if (!grown)
            return tf_fail(err, -ENOMEM, "out of memory");
        items->list = grown;
        items->capacity = more;
    }
    item = &items->list[items->count];
    memset(item, 0, sizeof(*item));
    memcpy(item->rec, in->rec, sizeof(item->rec));
    item->frame = number;
    name_picture(item, still);
    r = copy(items, item, frame, err);
    if (r < 0)
        return r;
    items->count++;
    snprintf(item->label.person, sizeof(item->label.person), "%s", in->person);
    strcpy(item->label.yaw, "frontal");
    strcpy(item->label.quality, "good");
    r = read_face(o->analyser, frame, faces, &face);
    if (r < 0)
        return tf_fail(err, r, "%s: frame %llu: %s", in->rec, (unsigned long long)number, strerror(-r));
    if (!face)
        return 0;
    item->found = true;
    item->confidence = face->score;
    for (int k = 0; k < TF_POINTS; k++) {
        item->start[k][0] = face->points[k].x;
        item->start[k][1] = face->points[k].y;
    }
    return 0;
}

static int fetch(const struct tf_annotate_frames *o, const struct tf_annotate_input *in, bool still,
                 const uint64_t *wanted, size_t count, struct tf_items *items, struct tf_faces *faces,
                 said_fn *said, void *context, struct tf_error *err)
{
    struct tf_source *source = NULL;
    struct tf_frame *frame;
    size_t at = 0;
    int r = open_source(o, in, &source, err);

    if (r < 0)
        return r;
    for (uint64_t number = 0; at < count && (r = next(source, number, &frame, in, err)) > 0; number++) {
        r = 0;
        if (number == wanted[at]) {
            r = add(o, in, still, items, frame, number, faces, err);
            at++;
        }
        tf_frame_unref(frame);
        if (r == 0 && !said(context, number))
            r = tf_fail(err, -EINTR, "interrupted");
        if (r < 0)
            break;
    }
    tf_source_close(source);
    if (r >= 0 && at < count)
        return tf_fail(err, -EINVAL,
                       "%s has no frame %llu, which is labelled: another recording of this name?", in->rec,
                       (unsigned long long)wanted[at]);
    return r < 0 ? r : 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int tf_annotate_take(const struct tf_annotate_frames *o, const struct tf_annotate_input *in,
                     const uint64_t *labelled, size_t labelled_count, struct tf_items *items, said_fn *said,
                     void *context, struct tf_error *err)
{
    struct survey s = {.stride = 1, .look_max = LOOKS_PER_FRAME * (size_t)o->count};
    struct tf_faces *faces = calloc(1, sizeof(*faces));
    uint64_t *wanted = calloc((size_t)o->count + labelled_count, sizeof(*wanted));
    size_t count = 0, kept = 0;
    int r = -ENOMEM;

    if (o->doubtful)
        s.looks = calloc(s.look_max, sizeof(*s.looks));
    if (!faces || !wanted || (o->doubtful && !s.looks)) {
        tf_fail(err, r, "out of memory");
        goto out;
    }
    r = survey(o, in, &s, faces, said, context, err);
    if (r < 0)
        goto out;
    /* What was labelled before counts: starting again offers the same frames, not ever more. */
    count = choose(&s, o->count, wanted);
    if (labelled_count)
        memcpy(wanted + count, labelled, labelled_count * sizeof(*wanted));
    count += labelled_count;
    qsort(wanted, count, sizeof(*wanted), by_number);
    for (size_t i = 0; i < count; i++)
        if (!kept || wanted[kept - 1] != wanted[i])
            wanted[kept++] = wanted[i];
    r = fetch(o, in, s.usable_count == 1, wanted, kept, items, faces, said, context, err);
out:
    free(s.usable);
    free(s.looks);
    free(wanted);
    free(faces);
    return r;
}

void tf_items_free(struct tf_items *items)
{
    for (size_t i = 0; i < items->count; i++)
        free(items->list[i].pixels);
    free(items->list);
    memset(items, 0, sizeof(*items));
}
