/*
 * What hot and cold things in the picture do to finding faces: paints a square of a temperature and a share
 * of the picture into recordings, and counts the frames with a face against those without it.
 *
 *   objects --models DIR [--format ROW] [--rotate N] [--counts] [--where corner|beside|mouth]
 *           [--shares LIST] [--celsius LIST] [--worst] RECORDING…
 *
 * corner: in the corner of the picture that changes least (of each recording, whole recording). beside: next
 * to the face, in its landmark window, and mouth: over chin and mouth, as a cup; the share is then one of the
 * face's box, and how far the points moved from where they lay without it is told too. --counts: the same
 * values from a camera that says no °C. Recordings are 16-bit with °C known from their row.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "inference/face/face.h"
#include "inference/face/view.h"

#define LIST_MAX 32
#define FRAMES_MAX 100000

enum where { CORNER, BESIDE, MOUTH };

struct seen {
    bool face;
    float box[4];
    float points[TF_POINTS][2];
};

struct recording {
    struct tf_frame *frames; /* each with pixels of its own in plane[0] */
    struct seen *plain;      /* without an object */
    uint32_t count, with_face;
    int corner_x, corner_y; /* -1 or +1: which corner, native */
};

struct options {
    const char *models, *format;
    uint16_t rotate;
    bool counts, worst;
    enum where where;
    float shares[LIST_MAX], celsius[LIST_MAX];
    int share_count, celsius_count;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "objects: %s: %s\n", what, why);
    exit(1);
}

static int parse_list(const char *text, float *list)
{
    int n = 0;

    for (char *end; n < LIST_MAX; text = end + 1) {
        list[n++] = strtof(text, &end);
        if (end == text || (*end != ',' && *end != '\0'))
            die(text, "not a list of numbers");
        if (*end == '\0')
            break;
    }
    return n;
}

static void read_recording(const char *path, const struct options *o, struct recording *ret)
{
    const struct tf_source_options options = {
        .url = path, .format = o->format, .rotate = o->rotate, .pace = TF_PACE_FAST, .limit = FRAMES_MAX};
    struct tf_source *source = NULL;
    struct tf_error err = {0};
    struct tf_frame *frame;
    size_t room = 0;

    memset(ret, 0, sizeof(*ret));
    if (tf_source_open(&options, &source, &err) < 0 || tf_source_start(source, &err) < 0)
        die(path, err.text);
    for (; tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME; tf_frame_unref(frame)) {
        if (frame->pixel != TF_PIXEL_U16 || !frame->radiometry.valid)
            die(path, "not a 16-bit recording of known scale (--format?)");
        if (ret->count == room) {
            room = room > 0 ? 2 * room : 256;
            ret->frames = realloc(ret->frames, room * sizeof(*ret->frames));
            if (!ret->frames)
                die(path, "out of memory");
        }
        struct tf_frame *f = &ret->frames[ret->count++];
        memset(f, 0, sizeof(*f));
        f->width = frame->width;
        f->height = frame->height;
        f->pixel = frame->pixel;
        f->rotate = frame->rotate;
        f->flip = frame->flip;
        f->value_min = frame->value_min;
        f->value_max = frame->value_max;
        f->flags = frame->flags;
        f->t_mono_ns = frame->t_mono_ns;
        f->radiometry = frame->radiometry;
        f->stride[0] = 2u * frame->width;
        f->plane[0] = malloc((size_t)f->stride[0] * f->height);
        if (!f->plane[0])
            die(path, "out of memory");
        for (uint32_t y = 0; y < f->height; y++)
            memcpy(f->plane[0] + (size_t)y * f->stride[0], frame->plane[0] + (size_t)y * frame->stride[0],
                   f->stride[0]);
    }
    tf_source_close(source);
    ret->plain = calloc(ret->count + 1, sizeof(*ret->plain));
    if (!ret->plain)
        die(path, "out of memory");
}

static uint16_t *pixel(const struct tf_frame *f, int x, int y)
{
    return (uint16_t *)(void *)(f->plane[0] + (size_t)y * f->stride[0]) + x;
}

static void corner_of(const struct recording *r, float share, int *x0, int *y0, int *side)
{
    const struct tf_frame *f = &r->frames[0];
    int w = f->width, h = f->height, s = (int)lroundf(sqrtf(share / 100 * (float)w * (float)h));
    double least = INFINITY;

    *side = s = s < h - 2 ? s : h - 2;
    for (int k = 0; k < 4; k++) {
        int x = k & 1 ? w - 1 - s : 1, y = k & 2 ? h - 1 - s : 1;
        double change = 0;

        for (int i = 0; i < s * s; i++) {
            double sum = 0, squares = 0, n = r->count;

            for (uint32_t t = 0; t < r->count; t++) {
                double v = *pixel(&r->frames[t], x + i % s, y + i / s);
                sum += v;
                squares += v * v;
            }
            change += sqrt(fmax(squares / n - sum / n * (sum / n), 0));
        }
        if (change < least) {
            least = change;
            *x0 = x;
            *y0 = y;
        }
    }
}

/* A rectangle in upright pixels. */
static void paint(const struct tf_frame *f, float x0, float y0, float x1, float y1, uint16_t value)
{
    struct tf_view view;

    if (!tf_view_init(&view, f))
        return;
    for (int y = (int)fmaxf(0, y0); y < (int)fminf((float)view.height, y1); y++) {
        for (int x = (int)fmaxf(0, x0); x < (int)fminf((float)view.width, x1); x++) {
            ptrdiff_t at = view.base - f->plane[0] + x * view.step_x + y * view.step_y;
            memcpy(f->plane[0] + at, &value, 2);
        }
    }
}

static void paint_face(const struct tf_frame *f, const struct seen *face, enum where where, float share,
                       uint16_t value)
{
    const float *b = face->box;
    float side = sqrtf(share / 100 * b[2] * b[3]);
    float x = b[0] + b[2] / 2, y = b[1] + b[3];

    if (!face->face)
        return;
    if (where == BESIDE) /* beside the cheek, on the side with more room */
        x = b[0] > (float)tf_frame_upright_width(f) - b[0] - b[2] ? b[0] - side * 0.55f
                                                                  : b[0] + b[2] + side * 0.55f;
    y = where == BESIDE ? b[1] + 0.4f * b[3] : face->points[57][1] + side / 2;
    paint(f, x - side / 2, y - side / 2, x + side / 2, y + side / 2, value);
}

static void analyse(struct tf_analyser *a, const struct recording *r, const struct options *o,
                    const struct tf_frame *frame, struct seen *ret)
{
    static struct tf_faces faces;
    struct tf_frame f = *frame;

    (void)r;
    if (o->counts)
        f.radiometry = (struct tf_radiometry){0};
    ret->face = tf_analyser_process(a, &f, &faces) == 0 && faces.count > 0;
    if (!ret->face)
        return;
    memcpy(ret->box, faces.faces[0].box, sizeof(ret->box));
    for (int k = 0; k < TF_POINTS; k++) {
        ret->points[k][0] = faces.faces[0].points[k].x;
        ret->points[k][1] = faces.faces[0].points[k].y;
    }
}

/* Mean distance of points `first` to 67 and, for mouth, of those above it only, over that of the eye centres.
 */
static double moved(const struct seen *a, const struct seen *b, enum where where)
{
    double sum = 0, eyes, n = 0;
    float e[2][2] = {{0}};

    for (int k = 0; k < 12; k++)
        for (int c = 0; c < 2; c++)
            e[k / 6][c] += a->points[36 + k][c] / 6;
    eyes = hypot(e[0][0] - e[1][0], e[0][1] - e[1][1]);
    for (int k = 0; k < TF_POINTS; k++) {
        if (where == MOUTH && (k < 17 || k >= 48))
            continue;
        sum += hypot(a->points[k][0] - b->points[k][0], a->points[k][1] - b->points[k][1]);
        n++;
    }
    return sum / n / eyes * 100;
}

static struct tf_analyser *analyser(const struct options *o)
{
    const struct tf_analyser_options options = {.models = o->models, .track = true};
    struct tf_analyser *a;
    struct tf_error err = {0};

    if (tf_analyser_create(&options, &a, &err) < 0)
        die("networks", err.text);
    return a;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"models", 1, NULL, 'm'},  {"format", 1, NULL, 'f'}, {"rotate", 1, NULL, 'r'},
        {"counts", 0, NULL, 'c'},  {"where", 1, NULL, 'w'},  {"shares", 1, NULL, 's'},
        {"celsius", 1, NULL, 't'}, {"worst", 0, NULL, 'v'},  {NULL, 0, NULL, 0}};
    struct options o = {.models = "models"};
    int c;

    o.share_count = parse_list("1,2,5,10,15", o.shares);
    o.celsius_count = parse_list("-20,5,45,60,90,120", o.celsius);
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'm')
            o.models = optarg;
        else if (c == 'f')
            o.format = optarg;
        else if (c == 'r')
            o.rotate = (uint16_t)atoi(optarg);
        else if (c == 'c')
            o.counts = true;
        else if (c == 'w')
            o.where = strcmp(optarg, "beside") == 0 ? BESIDE : strcmp(optarg, "mouth") == 0 ? MOUTH : CORNER;
        else if (c == 's')
            o.share_count = parse_list(optarg, o.shares);
        else if (c == 't')
            o.celsius_count = parse_list(optarg, o.celsius);
        else if (c == 'v')
            o.worst = true;
        else
            return 2;
    }
    int count = argc - optind;
    if (count < 1) {
        fprintf(stderr, "objects: give recordings; how: see the head of bench/objects.c\n");
        return 2;
    }
    struct recording *recordings = calloc((size_t)count, sizeof(*recordings));
    struct tf_analyser *a = analyser(&o);
    uint64_t frames = 0, with_face = 0;
    for (int i = 0; i < count; i++) {
        struct recording *r = &recordings[i];

        read_recording(argv[optind + i], &o, r);
        tf_analyser_reset(a);
        for (uint32_t t = 0; t < r->count; t++) {
            analyse(a, r, &o, &r->frames[t], &r->plain[t]);
            r->with_face += r->plain[t].face;
        }
        frames += r->count;
        with_face += r->with_face;
    }
    printf("%d recordings, %llu frames, %llu with a face%s\n%8s", count, (unsigned long long)frames,
           (unsigned long long)with_face, o.counts ? " (counts)" : "", "share");
    for (int k = 0; k < o.celsius_count; k++)
        printf(o.where == CORNER ? " %7g °C" : " %13g °C", (double)o.celsius[k]);
    printf("\n");
    for (int s = 0; s < o.share_count; s++) {
        printf("%6g %%", (double)o.shares[s]);
        for (int k = 0; k < o.celsius_count; k++) {
            uint64_t seen = 0;
            double way = 0, lowest = 1e9;
            int worst = 0;

            for (int i = 0; i < count; i++) {
                struct recording *r = &recordings[i];
                int x0 = 0, y0 = 0, side = 0;
                uint64_t mine = 0;

                if (r->with_face == 0)
                    continue;
                if (o.where == CORNER)
                    corner_of(r, o.shares[s], &x0, &y0, &side);
                tf_analyser_reset(a);
                for (uint32_t t = 0; t < r->count; t++) {
                    struct tf_frame f = r->frames[t];
                    size_t bytes = (size_t)f.stride[0] * f.height;
                    float v = (o.celsius[k] - f.radiometry.offset) / f.radiometry.scale;
                    uint16_t value = (uint16_t)fminf(fmaxf(v, 0), 65535);
                    struct seen now;

                    f.plane[0] = malloc(bytes);
                    if (!f.plane[0])
                        die("frame", "out of memory");
                    memcpy(f.plane[0], r->frames[t].plane[0], bytes);
                    if (o.where != CORNER)
                        paint_face(&f, &r->plain[t], o.where, o.shares[s], value);
                    for (int i2 = 0; o.where == CORNER && i2 < side * side; i2++)
                        *pixel(&f, x0 + i2 % side, y0 + i2 / side) = value;
                    analyse(a, r, &o, &f, &now);
                    free(f.plane[0]);
                    if (o.where == CORNER) {
                        mine += now.face;
                    } else if (now.face && r->plain[t].face) {
                        mine++;
                        way += moved(&r->plain[t], &now, o.where);
                    }
                }
                seen += mine;
                if ((double)mine / r->with_face < lowest) {
                    lowest = (double)mine / r->with_face;
                    worst = i;
                }
            }
            double share = 100.0 * (double)seen / (double)with_face;
            if (o.where == CORNER)
                printf("  %7.1f %%", share);
            else
                printf(" %6.1f %% %5.1f %%", share, way / (double)(seen > 0 ? seen : 1));
            if (o.worst)
                printf(" (%s %.0f %%)",
                       strrchr(argv[optind + worst], '/') ? strrchr(argv[optind + worst], '/') + 1 : "",
                       100 * lowest);
            fflush(stdout);
        }
        printf("\n");
    }
    return 0;
}
