/*
 * The synthetic scene: where the heads are in picture n, and the picture itself. Everything is a function of
 * the seed and n, so that any picture can be drawn again by whoever knows both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/synthetic.h"

#define TWO_PI 6.28318531f
#define NOISE_TABLE 65536u
#define FFC_CLOSED_S 1.0f
#define FFC_IMMINENT_S 2.0f

struct pose {
    float x, y; /* of the head's origin, pixels */
    float unit; /* pixels */
    float roll, yaw, pitch;
};

/* Where the head's texture is looked up: exact at nodes every `cell` pixels, linear between. */
struct node {
    float u, v; /* texels */
};

struct tf_scene {
    struct tf_synthetic_options o;
    struct tf_subject *subjects[TF_SYNTHETIC_FACES_MAX];
    float unit;   /* mean size of a head */
    double epoch; /* the subject's time at picture 0 */
    int cell;
    struct node *nodes;
    size_t node_count;
    struct node *row;                              /* one line of nodes, between two rows of them */
    uint16_t *background;                          /* width x height */
    int16_t *pattern;                              /* fixed pattern, width x height */
    int16_t *noise;                                /* NOISE_TABLE + width */
    uint64_t ffc_period, ffc_closed, ffc_imminent; /* frames; 0 = none */
    bool asked, held;
    uint64_t asked_n, asked_count; /* the last calibration that was asked for, and how many were */
};

static float wave(uint64_t seed, int which, double seconds, double hz)
{
    float phase = (float)(tf_mix64(seed ^ (0xabcdull + (uint64_t)which)) >> 40) * (TWO_PI / 16777216.0f);
    /* Whole turns are taken off in double, so that hours of frames do not lose the fraction. */
    double turns = seconds * hz;

    return sinf(TWO_PI * (float)(turns - floor(turns)) + phase);
}

static double time_of(const struct tf_scene *s, uint64_t n)
{
    return s->epoch + (double)n / s->o.fps;
}

/* The pose as another camera on the rig sees it. */
static void view_pose(const struct tf_synthetic_options *o, struct pose *p)
{
    float mx = (o->width - 1) * 0.5f, my = (o->height - 1) * 0.5f, x = p->x - mx, y = p->y - my;
    float c = o->zoom * cosf(o->turn), s = o->zoom * sinf(o->turn);

    if (o->zoom == 1 && o->turn == 0 && o->shift_x == 0 && o->shift_y == 0)
        return; /* to the last bit */
    p->x = mx + c * x - s * y + o->shift_x;
    p->y = my + s * x + c * y + o->shift_y;
    p->unit *= o->zoom;
    p->roll += o->turn;
}

static struct pose pose_of(const struct tf_scene *s, int face, double t)
{
    const struct tf_synthetic_options *o = &s->o;
    uint64_t key = tf_mix64(o->seed * 31 + (uint64_t)face);
    float room = (float)o->width / (float)o->faces, move = o->still ? 0 : 1;
    struct pose p;

    p.unit = s->unit * (1 + move * 0.08f * wave(key, 0, t, 0.05)) * (1 - 0.06f * (face & 1));
    p.x = room * ((float)face + 0.5f) - 0.5f +
          move * fmaxf(0, room * 0.5f - 1.15f * p.unit) * 0.45f *
              (0.8f * wave(key, 1, t, 0.11) + 0.2f * wave(key, 2, t, 0.37));
    p.y = 0.43f * o->height + move * 0.035f * o->height * wave(key, 3, t, 0.13);
    p.roll = move * (0.09f * wave(key, 4, t, 0.09) + 0.02f * wave(key, 5, t, 0.31));
    p.yaw = move * 0.24f * wave(key, 6, t, 0.07);
    p.pitch = move * 0.07f * wave(key, 7, t, 0.12);
    view_pose(o, &p);
    return p;
}

static void project(const struct pose *p, float u, float v, float *x, float *y)
{
    float z = tf_subject_depth(u, v), cy = cosf(p->yaw), sy = sinf(p->yaw);
    float px = u * cy + z * sy, pz = z * cy - u * sy;
    float py = v * cosf(p->pitch) - pz * sinf(p->pitch);

    *x = p->x + p->unit * (px * cosf(p->roll) - py * sinf(p->roll));
    *y = p->y + p->unit * (px * sinf(p->roll) + py * cosf(p->roll));
}

/* The breath, -1 (in) .. 1 (out): out is the shorter part. */
/* As R = Rx(-pitch) Ry(-yaw) Rz(roll), degrees; project() turns by Rz(roll) Rx(-pitch) Ry(-yaw). */
static void tell_pose(const struct pose *p, struct tf_truth *ret)
{
    const float degrees = 180 / (float)M_PI;
    float cy = cosf(p->yaw), sy = sinf(p->yaw), cp = cosf(p->pitch), sp = sinf(p->pitch);
    float cr = cosf(p->roll), sr = sinf(p->roll);

    ret->yaw = -asinf(fmaxf(-1, fminf(1, -cr * sy - sr * cy * sp))) * degrees;
    ret->pitch = -atan2f(sr * sy - cr * cy * sp, cy * cp) * degrees;
    ret->roll = atan2f(sr * cp, cr * cy - sr * sy * sp) * degrees;
}

static float breath_of(const struct tf_scene *s, int face, double t)
{
    double turns = t * s->o.breathing / 60.0 + 0.25 * face;
    float phase = (float)(turns - floor(turns));

    return sinf(TWO_PI * phase + 0.3f * sinf(TWO_PI * phase));
}

static bool closed_on_demand(const struct tf_scene *s, uint64_t n)
{
    return s->asked && n >= s->asked_n && n - s->asked_n < s->ffc_closed;
}

static uint64_t drawn_as(const struct tf_scene *s, uint64_t n)
{
    /* With the shutter closed the camera repeats its last picture. */
    if (closed_on_demand(s, n))
        return s->asked_n ? s->asked_n - 1 : 0;
    if (!s->held && s->ffc_period && n >= s->ffc_period && n % s->ffc_period < s->ffc_closed)
        return n - n % s->ffc_period - 1;
    return n;
}

static void breathe(struct tf_subject *subject, float breath)
{
    struct tf_breath_patch *p = &subject->patch;

    for (int y = 0; y < p->height; y++) {
        uint32_t *row = subject->head.texels + (size_t)(p->y + y) * subject->head.width + p->x;

        for (int x = 0; x < p->width; x++) {
            int i = y * p->width + x;

            row[x] = (row[x] & 0xff0000u) | (uint32_t)(p->base[i] + breath * p->weight[i] + 0.5f);
        }
    }
}

/* One pixel of a layer over what is there; fx, fy in 1/256 texel. */
static inline void blend(uint16_t *out, const uint32_t *texel, int width, uint32_t fx, uint32_t fy)
{
    uint32_t a = texel[0], b = texel[1], c = texel[width], d = texel[width + 1];
    uint32_t wa = (256 - fx) * (256 - fy), wb = fx * (256 - fy), wc = (256 - fx) * fy, wd = fx * fy;
    uint32_t value, cover;

    if (((a | b | c | d) & 0xff0000u) == 0)
        return;
    value = ((a & 0xffff) * wa + (b & 0xffff) * wb + (c & 0xffff) * wc + (d & 0xffff) * wd) >> 16;
    if ((a & b & c & d & 0xff0000u) == 0xff0000u) {
        *out = (uint16_t)value;
        return;
    }
    cover = ((a >> 16) * wa + (b >> 16) * wb + (c >> 16) * wc + (d >> 16) * wd) >> 16;
    *out = (uint16_t)(((int32_t)value * (int32_t)cover + (int32_t)*out * (255 - (int32_t)cover)) / 255);
}

static void draw_body(struct tf_scene *s, const struct tf_layer *layer, const struct pose *p, uint16_t *out,
                      size_t stride)
{
    int w = s->o.width, h = s->o.height;
    int32_t step = (int32_t)(layer->per_unit / p->unit * 65536.0f);
    int x0 = (int)(p->x + layer->u0 * p->unit) + 1, y0 = (int)(p->y + layer->v0 * p->unit) + 1;
    int x1 = x0 + (int)((layer->width - 2) / layer->per_unit * p->unit);
    int64_t tx0;

    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    x1 = x1 > w ? w : x1;
    tx0 = (int64_t)((((float)x0 - p->x) / p->unit - layer->u0) * layer->per_unit * 65536.0f);
    if (tx0 < 0)
        tx0 = 0;
    for (int y = y0; y < h; y++) {
        float tyf = (((float)y - p->y) / p->unit - layer->v0) * layer->per_unit;
        int ty = (int)tyf;
        uint32_t fy = (uint32_t)((tyf - ty) * 256);
        const uint32_t *row;

        if (ty > layer->height - 2)
            ty = layer->height - 2; /* the body goes on beyond the drawing */
        row = layer->texels + (size_t)ty * layer->width;
        for (int64_t x = x0, tx = tx0; x < x1; x++, tx += step) {
            uint32_t i = (uint32_t)(tx >> 16);

            if (i < (uint32_t)layer->width - 1)
                blend(out + (size_t)y * stride + x, row + i, layer->width, (uint32_t)(tx >> 8 & 255), fy);
        }
    }
}

static struct node look_up(const struct tf_layer *layer, const struct pose *p, float x, float y)
{
    float dx = (x - p->x) / p->unit, dy = (y - p->y) / p->unit, cr = cosf(p->roll), sr = sinf(p->roll);
    float px = dx * cr + dy * sr, py = dy * cr - dx * sr;
    float cy = cosf(p->yaw), sy = sinf(p->yaw), cp = cosf(p->pitch), sp = sinf(p->pitch), u = px, v = py;

    /* The slope of the surface times the tangent of the turn stays below 0.4: five rounds leave 1 % of the
     * first guess. */
    for (int i = 0; i < 5; i++) {
        float z = tf_subject_depth(u, v);

        u = (px - z * sy) / cy;
        v = (py + (z * cy - u * sy) * sp) / cp;
    }
    return (struct node){(u - layer->u0) * layer->per_unit, (v - layer->v0) * layer->per_unit};
}

static void draw_head(struct tf_scene *s, const struct tf_layer *layer, const struct pose *p, uint16_t *out,
                      size_t stride)
{
    const int cell = s->cell;
    float reach = 1.75f * p->unit; /* a circle around the head's middle holds it at any roll */
    float mx = p->x, my = p->y - 0.05f * p->unit;
    int x0 = (int)(mx - 1.35f * p->unit), x1 = (int)(mx + 1.35f * p->unit);
    int y0 = (int)(my - reach), y1 = (int)(my + reach), columns, rows;

    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    x1 = x1 > s->o.width ? s->o.width : x1;
    y1 = y1 > s->o.height ? s->o.height : y1;
    if (x0 >= x1 || y0 >= y1)
        return;
    columns = (x1 - x0 + cell - 1) / cell + 1;
    rows = (y1 - y0 + cell - 1) / cell + 1;
    for (int j = 0; j < rows; j++)
        for (int i = 0; i < columns; i++)
            s->nodes[(size_t)j * columns + i] =
                look_up(layer, p, (float)(x0 + i * cell), (float)(y0 + j * cell));

    for (int y = y0; y < y1; y++) {
        const struct node *above = s->nodes + (size_t)((y - y0) / cell) * columns, *below = above + columns;
        float k = (float)((y - y0) % cell) / (float)cell;

        for (int i = 0; i < columns; i++)
            s->row[i] = (struct node){above[i].u + k * (below[i].u - above[i].u),
                                      above[i].v + k * (below[i].v - above[i].v)};
        for (int i = 0; i + 1 < columns; i++) {
            int x = x0 + i * cell, end = x + cell < x1 ? x + cell : x1;
            int32_t tu = (int32_t)(s->row[i].u * 65536.0f), tv = (int32_t)(s->row[i].v * 65536.0f);
            int32_t du = (int32_t)((s->row[i + 1].u - s->row[i].u) * 65536.0f) / cell;
            int32_t dv = (int32_t)((s->row[i + 1].v - s->row[i].v) * 65536.0f) / cell;

            for (; x < end; x++, tu += du, tv += dv) {
                int32_t iu = tu >> 16, iv = tv >> 16;

                if ((uint32_t)iu < (uint32_t)layer->width - 1 && (uint32_t)iv < (uint32_t)layer->height - 1)
                    blend(out + (size_t)y * stride + x, layer->texels + (size_t)iv * layer->width + iu,
                          layer->width, (uint32_t)(tu >> 8 & 255), (uint32_t)(tv >> 8 & 255));
            }
        }
    }
}

static void add_noise(const struct tf_scene *s, uint64_t n, uint16_t *out, size_t stride)
{
    uint64_t key = tf_mix64(s->o.seed ^ tf_mix64(n));
    uint64_t calibration = s->ffc_period ? n / s->ffc_period : 0; /* each leaves another pattern */
    unsigned shift;

    if (s->asked && n >= s->asked_n) /* a picture of before keeps its pattern */
        calibration += s->asked_count;
    else if (s->asked)
        calibration += s->asked_count - 1;
    shift = (unsigned)(tf_mix64(calibration) % s->o.height);

    for (unsigned y = 0; y < s->o.height; y++) {
        const int16_t *noise = s->noise + (tf_mix64(key + y) & (NOISE_TABLE - 1));
        const int16_t *pattern = s->pattern + (size_t)((y + shift) % s->o.height) * s->o.width;
        uint16_t *row = out + (size_t)y * stride;

        for (unsigned x = 0; x < s->o.width; x++) {
            int v = row[x] + noise[x] + pattern[x];

            v = v < 0 ? 0 : v;
            row[x] = (uint16_t)(v > 65535 ? 65535 : v);
        }
    }
}

void tf_scene_draw(struct tf_scene *scene, uint64_t n, uint16_t *out, size_t stride_pixels)
{
    const struct tf_synthetic_options *o = &scene->o;

    n = drawn_as(scene, n);
    for (unsigned y = 0; y < o->height; y++)
        memcpy(out + y * stride_pixels, scene->background + (size_t)y * o->width, (size_t)o->width * 2);
    for (int i = 0; i < o->faces; i++) {
        struct pose p = pose_of(scene, i, time_of(scene, n));

        breathe(scene->subjects[i], breath_of(scene, i, time_of(scene, n)));
        draw_body(scene, &scene->subjects[i]->body, &p, out, stride_pixels);
        draw_head(scene, &scene->subjects[i]->head, &p, out, stride_pixels);
    }
    add_noise(scene, n, out, stride_pixels);
}

void tf_scene_set_epoch(struct tf_scene *scene, double seconds)
{
    scene->epoch = seconds;
}

int tf_scene_truth(const struct tf_scene *scene, uint64_t n, struct tf_truth *ret, int max)
{
    return tf_scene_truth_at(scene, time_of(scene, drawn_as(scene, n)), ret, max);
}

int tf_scene_truth_at(const struct tf_scene *scene, double seconds, struct tf_truth *ret, int max)
{
    int faces = scene->o.faces < max ? scene->o.faces : max;

    for (int i = 0; i < faces; i++) {
        const struct tf_subject *subject = scene->subjects[i];
        struct pose p = pose_of(scene, i, seconds);

        for (int k = 0; k < 68; k++)
            project(&p, tf_subject_points[k][0], tf_subject_points[k][1], &ret[i].points[k][0],
                    &ret[i].points[k][1]);
        ret[i].glasses = subject->glasses;
        ret[i].nose_tip_c = subject->nose_tip_c;
        ret[i].forehead_c = subject->forehead_c;
        ret[i].canthus_c = subject->canthus_c;
        ret[i].cheek_c = subject->cheek_c;
        ret[i].chin_c = subject->chin_c;
        ret[i].nostrils_c = subject->nostrils_c;
        ret[i].breath = breath_of(scene, i, seconds);
        tell_pose(&p, &ret[i]);
    }
    return faces;
}

uint32_t tf_scene_flags(const struct tf_scene *scene, uint64_t n)
{
    uint64_t phase;

    if (closed_on_demand(scene, n))
        return TF_FLAG_FFC;
    if (!scene->ffc_period || scene->held)
        return 0;
    phase = n % scene->ffc_period;
    if (n >= scene->ffc_period && phase < scene->ffc_closed)
        return TF_FLAG_FFC;
    return phase >= scene->ffc_period - scene->ffc_imminent ? TF_FLAG_FFC_IMMINENT : 0;
}

void tf_scene_calibrate(struct tf_scene *scene, uint64_t n)
{
    scene->asked = true;
    scene->asked_n = n;
    scene->asked_count++;
}

void tf_scene_hold(struct tf_scene *scene, bool hold)
{
    scene->held = hold;
}

void tf_scene_restart(struct tf_scene *scene)
{
    scene->asked = scene->held = false;
    scene->asked_count = 0;
}

float tf_scene_sensor_c(const struct tf_scene *scene, uint64_t n)
{
    return 34.0f - 4.0f * expf(-(float)((double)n / scene->o.fps / 600.0));
}

static float bell(float x, float y, float cx, float cy, float sx, float sy)
{
    float a = (x - cx) / sx, b = (y - cy) / sy;

    return expf(-0.5f * (a * a + b * b));
}

/* A room: a wall, a door, a warm lamp and a cold window. */
static void draw_background(struct tf_scene *s)
{
    const bool visible = s->o.kind == TF_SYNTHETIC_VISIBLE;
    float jitter = 0.8f * tf_normal64(s->o.seed ^ 3);

    for (unsigned y = 0; y < s->o.height; y++)
        for (unsigned x = 0; x < s->o.width; x++) {
            float fx = (float)x / s->o.width, fy = (float)y / s->o.height;
            float c = 22.4f + jitter - 1.6f * fy + 0.5f * fx;

            if (fx > 0.74f && fx < 0.94f && fy > 0.22f)
                c -= 0.7f; /* door */
            if (fx > 0.05f && fx < 0.22f && fy > 0.10f && fy < 0.42f)
                c -= 1.6f;                                         /* window */
            c += 3.5f * bell(fx, fy, 0.62f, 0.03f, 0.07f, 0.015f); /* lamp */
            if (visible)
                c = 118 + 14 * (c - 22);
            s->background[(size_t)y * s->o.width + x] = (uint16_t)(tf_synthetic_counts(s->o.kind, c) + 0.5f);
        }
}

static void make_noise(struct tf_scene *s)
{
    float per_mk = (tf_synthetic_counts(s->o.kind, 1) - tf_synthetic_counts(s->o.kind, 0)) / 1000.0f;

    if (s->o.kind == TF_SYNTHETIC_VISIBLE)
        per_mk *= 40; /* the default 50 mK becomes 2 gray levels */
    for (unsigned i = 0; i < NOISE_TABLE + s->o.width; i++)
        s->noise[i] = (int16_t)lrintf(s->o.noise_mk * per_mk * tf_normal64(s->o.seed * 3 + i));
    for (unsigned y = 0; y < s->o.height; y++)
        for (unsigned x = 0; x < s->o.width; x++) {
            float column = tf_normal64(s->o.seed * 5 + x),
                  pixel = tf_normal64(s->o.seed * 7 + y * 65536ull + x);

            s->pattern[(size_t)y * s->o.width + x] =
                (int16_t)lrintf(s->o.fpn_mk * per_mk * (0.6f * column + 0.8f * pixel));
        }
}

int tf_scene_create(const struct tf_synthetic_options *options, struct tf_scene **ret)
{
    struct tf_scene *s = calloc(1, sizeof(*s));
    size_t pixels = (size_t)options->width * options->height;
    float room, per_unit;
    int r;

    if (!s)
        return -ENOMEM;
    s->o = *options;
    room = (float)options->width / (float)(options->faces > 0 ? options->faces : 1);
    s->unit = options->scale * fminf(0.21f * options->height, 0.27f * room);
    s->cell = (int)(s->unit * options->zoom / 14);
    s->cell = s->cell < 1 ? 1 : s->cell > 16 ? 16 : s->cell;
    s->node_count = ((size_t)options->width / s->cell + 3) * ((size_t)options->height / s->cell + 3);
    s->nodes = calloc(s->node_count, sizeof(*s->nodes));
    s->row = calloc((size_t)options->width / s->cell + 3, sizeof(*s->row));
    s->background = malloc(pixels * sizeof(*s->background));
    s->pattern = malloc(pixels * sizeof(*s->pattern));
    s->noise = malloc((NOISE_TABLE + options->width) * sizeof(*s->noise));
    if (!s->nodes || !s->row || !s->background || !s->pattern || !s->noise) {
        tf_scene_destroy(s);
        return -ENOMEM;
    }
    /* Finer than the picture would sparkle, coarser would blur. */
    per_unit = 1.15f * s->unit * options->zoom;
    per_unit = per_unit < 24 ? 24 : per_unit > 200 ? 200 : per_unit;
    for (int i = 0; i < options->faces; i++) {
        uint64_t person = tf_mix64(options->seed * 101 + (uint64_t)i);

        r = tf_subject_create(options->kind, person, options->glasses, per_unit, &s->subjects[i]);
        if (r) {
            tf_scene_destroy(s);
            return r;
        }
    }
    s->ffc_closed = (uint64_t)fmaxf(1, FFC_CLOSED_S * options->fps);
    if (options->ffc_s > 0) {
        s->ffc_period = (uint64_t)(options->ffc_s * options->fps + 0.5f);
        s->ffc_imminent = (uint64_t)fmaxf(1, FFC_IMMINENT_S * options->fps);
    }
    draw_background(s);
    make_noise(s);
    *ret = s;
    return 0;
}

void tf_scene_destroy(struct tf_scene *scene)
{
    if (!scene)
        return;
    for (int i = 0; i < TF_SYNTHETIC_FACES_MAX; i++)
        tf_subject_destroy(scene->subjects[i]);
    free(scene->nodes);
    free(scene->row);
    free(scene->background);
    free(scene->pattern);
    free(scene->noise);
    free(scene);
}
