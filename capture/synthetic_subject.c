/*
 * The synthetic subject: what a head looks like, drawn once into a texture.
 *
 * What is warm and what is cold follows thermal pictures of real faces: hottest at the inner corners of the
 * eyes, warm forehead, neck and creases beside the nose, cooler cheeks and chin, cool nose, brows and ear
 * rims, cold hair and clothing, cold opaque glasses. The shape is drawn from average adult proportions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "capture/synthetic.h"

const float tf_subject_points[68][2] = {
    /* jaw, from the subject's right ear over the chin (8) to the left */
    {-0.79f, 0.03f},
    {-0.78f, 0.24f},
    {-0.75f, 0.45f},
    {-0.70f, 0.65f},
    {-0.62f, 0.84f},
    {-0.50f, 1.01f},
    {-0.35f, 1.14f},
    {-0.18f, 1.24f},
    {0.00f, 1.27f},
    {0.18f, 1.24f},
    {0.35f, 1.14f},
    {0.50f, 1.01f},
    {0.62f, 0.84f},
    {0.70f, 0.65f},
    {0.75f, 0.45f},
    {0.78f, 0.24f},
    {0.79f, 0.03f},
    /* brows */
    {-0.66f, -0.14f},
    {-0.56f, -0.23f},
    {-0.42f, -0.27f},
    {-0.28f, -0.25f},
    {-0.14f, -0.20f},
    {0.14f, -0.20f},
    {0.28f, -0.25f},
    {0.42f, -0.27f},
    {0.56f, -0.23f},
    {0.66f, -0.14f},
    /* bridge to tip; nostrils */
    {0.00f, -0.02f},
    {0.00f, 0.12f},
    {0.00f, 0.26f},
    {0.00f, 0.40f},
    {-0.16f, 0.49f},
    {-0.08f, 0.52f},
    {0.00f, 0.54f},
    {0.08f, 0.52f},
    {0.16f, 0.49f},
    /* eyes */
    {-0.50f, 0.00f},
    {-0.41f, -0.06f},
    {-0.30f, -0.06f},
    {-0.21f, 0.02f},
    {-0.31f, 0.04f},
    {-0.42f, 0.04f},
    {0.21f, 0.02f},
    {0.30f, -0.06f},
    {0.41f, -0.06f},
    {0.50f, 0.00f},
    {0.42f, 0.04f},
    {0.31f, 0.04f},
    /* outer lip */
    {-0.31f, 0.74f},
    {-0.20f, 0.69f},
    {-0.08f, 0.66f},
    {0.00f, 0.68f},
    {0.08f, 0.66f},
    {0.20f, 0.69f},
    {0.31f, 0.74f},
    {0.20f, 0.85f},
    {0.09f, 0.90f},
    {0.00f, 0.91f},
    {-0.09f, 0.90f},
    {-0.20f, 0.85f},
    /* inner lip */
    {-0.27f, 0.74f},
    {-0.08f, 0.735f},
    {0.00f, 0.745f},
    {0.08f, 0.735f},
    {0.27f, 0.74f},
    {0.08f, 0.785f},
    {0.00f, 0.79f},
    {-0.08f, 0.785f},
};

/* A shallow bowl for the head and a ridge for the nose: gentle enough that no part of the face hides another
 * at the turns that the scene makes. */
float tf_subject_depth(float u, float v)
{
    float nose_v = (v - 0.40f) / (v < 0.40f ? 0.28f : 0.10f), nose_u = u / 0.13f;

    return 0.45f - 0.50f * u * u - 0.10f * (v - 0.3f) * (v - 0.3f) +
           0.26f * expf(-0.5f * (nose_u * nose_u + nose_v * nose_v));
}

float tf_synthetic_counts(enum tf_synthetic_kind kind, float value)
{
    switch (kind) {
    case TF_SYNTHETIC_THERMAL:
        return (value + 273.15f) * 100.0f;
    case TF_SYNTHETIC_COUNTS: /* a 14-bit camera of about 25 mK a count */
        return 7900.0f + (value - 25.0f) * 40.0f;
    case TF_SYNTHETIC_VISIBLE:
        return value * 128.0f;
    }
    return 0;
}

/* A sheet to draw on; values are °C, or gray for visible. */
struct sheet {
    int w, h;
    float u0, v0, s;
    float *value, *cover;
    bool visible;
};

#define OF(sheet, thermal_c, gray) ((sheet)->visible ? (gray) : (thermal_c))

static int sheet_init(struct sheet *c, float u0, float v0, float u1, float v1, float s, bool visible)
{
    *c = (struct sheet){
        .w = (int)((u1 - u0) * s) + 2, .h = (int)((v1 - v0) * s) + 2, .u0 = u0, .v0 = v0, .s = s};
    c->visible = visible;
    c->value = calloc((size_t)c->w * c->h, sizeof(float));
    c->cover = calloc((size_t)c->w * c->h, sizeof(float));
    return c->value && c->cover ? 0 : -ENOMEM;
}

static void sheet_free(struct sheet *c)
{
    free(c->value);
    free(c->cover);
}

struct span {
    int x0, x1, y0, y1;
};

static struct span span_of(const struct sheet *c, float u0, float v0, float u1, float v1)
{
    struct span b = {(int)((u0 - c->u0) * c->s) - 1, (int)((u1 - c->u0) * c->s) + 2,
                     (int)((v0 - c->v0) * c->s) - 1, (int)((v1 - c->v0) * c->s) + 2};

    b.x0 = b.x0 < 0 ? 0 : b.x0;
    b.y0 = b.y0 < 0 ? 0 : b.y0;
    b.x1 = b.x1 > c->w ? c->w : b.x1;
    b.y1 = b.y1 > c->h ? c->h : b.y1;
    return b;
}

static float smooth(float x)
{
    x = x < 0 ? 0 : x > 1 ? 1 : x;
    return x * x * (3 - 2 * x);
}

/* Signed distance to a closed polygon, negative inside. */
static float polygon_distance(const float (*p)[2], int n, float u, float v)
{
    float best = 1e9f;
    bool inside = false;

    for (int i = 0, j = n - 1; i < n; j = i++) {
        float eu = p[j][0] - p[i][0], ev = p[j][1] - p[i][1], wu = u - p[i][0], wv = v - p[i][1];
        float len = eu * eu + ev * ev, t = len > 0 ? (wu * eu + wv * ev) / len : 0, du, dv;

        t = t < 0 ? 0 : t > 1 ? 1 : t;
        du = wu - t * eu;
        dv = wv - t * ev;
        if (du * du + dv * dv < best)
            best = du * du + dv * dv;
        if ((p[i][1] > v) != (p[j][1] > v) && u < p[i][0] + (v - p[i][1]) * eu / ev)
            inside = !inside;
    }
    best = sqrtf(best);
    return inside ? -best : best;
}

/* Adds a bell. */
static void glow(struct sheet *c, float u, float v, float su, float sv, float amount)
{
    struct span b = span_of(c, u - 3.2f * su, v - 3.2f * sv, u + 3.2f * su, v + 3.2f * sv);

    for (int y = b.y0; y < b.y1; y++) {
        float dv = (c->v0 + y / c->s - v) / sv;

        for (int x = b.x0; x < b.x1; x++) {
            float du = (c->u0 + x / c->s - u) / su, d = du * du + dv * dv;

            if (d < 10)
                c->value[y * c->w + x] += amount * expf(-0.5f * d);
        }
    }
}

static void glow_pair(struct sheet *c, float u, float v, float su, float sv, float amount)
{
    glow(c, u, v, su, sv, amount);
    glow(c, -u, v, su, sv, amount);
}

/* Draws a polygon over what is there; its edge is `soft` wide. */
static void fill(struct sheet *c, const float (*p)[2], int n, float value, float strength, float soft)
{
    float u0 = 1e9f, v0 = 1e9f, u1 = -1e9f, v1 = -1e9f;
    struct span b;

    for (int i = 0; i < n; i++) {
        u0 = fminf(u0, p[i][0]);
        u1 = fmaxf(u1, p[i][0]);
        v0 = fminf(v0, p[i][1]);
        v1 = fmaxf(v1, p[i][1]);
    }
    soft = fmaxf(soft, 1.0f / c->s);
    b = span_of(c, u0 - soft, v0 - soft, u1 + soft, v1 + soft);
    for (int y = b.y0; y < b.y1; y++) {
        for (int x = b.x0; x < b.x1; x++) {
            float d = polygon_distance(p, n, c->u0 + x / c->s, c->v0 + y / c->s);
            float k = strength * smooth(0.5f - d / soft);

            c->value[y * c->w + x] += k * (value - c->value[y * c->w + x]);
        }
    }
}

static void fill_pair(struct sheet *c, const float (*p)[2], int n, float value, float strength, float soft)
{
    float mirrored[32][2];

    fill(c, p, n, value, strength, soft);
    for (int i = 0; i < n; i++) {
        mirrored[i][0] = -p[i][0];
        mirrored[i][1] = p[i][1];
    }
    fill(c, mirrored, n, value, strength, soft);
}

/* Draws a line of a width that tapers to its ends. */
static void stroke(struct sheet *c, const float (*p)[2], int n, float width, float value, float strength)
{
    for (int i = 0; i + 1 < n; i++) {
        float eu = p[i + 1][0] - p[i][0], ev = p[i + 1][1] - p[i][1], len = eu * eu + ev * ev;
        struct span b =
            span_of(c, fminf(p[i][0], p[i + 1][0]) - 2 * width, fminf(p[i][1], p[i + 1][1]) - 2 * width,
                    fmaxf(p[i][0], p[i + 1][0]) + 2 * width, fmaxf(p[i][1], p[i + 1][1]) + 2 * width);

        for (int y = b.y0; y < b.y1; y++) {
            for (int x = b.x0; x < b.x1; x++) {
                float wu = c->u0 + x / c->s - p[i][0], wv = c->v0 + y / c->s - p[i][1];
                float t = (wu * eu + wv * ev) / len, along, w, du, dv, k;

                /* Each segment owns its part of the line, so that joints are not drawn twice. */
                if ((t < 0 && i > 0) || (t >= 1 && i + 2 < n))
                    continue;
                t = t < 0 ? 0 : t > 1 ? 1 : t;
                du = wu - t * eu;
                dv = wv - t * ev;
                along = (i + t) / (n - 1);
                w = width * (0.55f + 0.45f * smooth(4 * along * (1 - along)));
                k = strength * smooth(1.5f - sqrtf(du * du + dv * dv) / w);
                c->value[y * c->w + x] += k * (value - c->value[y * c->w + x]);
            }
        }
    }
}

static void stroke_pair(struct sheet *c, const float (*p)[2], int n, float width, float value, float strength)
{
    float mirrored[32][2];

    stroke(c, p, n, width, value, strength);
    for (int i = 0; i < n; i++) {
        mirrored[i][0] = -p[i][0];
        mirrored[i][1] = p[i][1];
    }
    stroke(c, mirrored, n, width, value, strength);
}

/* Where the drawing is opaque: the union of what is covered. */
static void cover(struct sheet *c, const float (*p)[2], int n, float soft)
{
    soft = fmaxf(soft, 1.5f / c->s);
    for (int y = 0; y < c->h; y++) {
        for (int x = 0; x < c->w; x++) {
            float d = polygon_distance(p, n, c->u0 + x / c->s, c->v0 + y / c->s);
            float k = smooth(0.5f - d / soft);

            if (k > c->cover[y * c->w + x])
                c->cover[y * c->w + x] = k;
        }
    }
}

/* Smooth noise of a given grain, about -1..1. */
static float grain(uint64_t seed, float x, float y)
{
    int ix = (int)floorf(x), iy = (int)floorf(y);
    float fx = smooth(x - ix), fy = smooth(y - iy), corner[4];

    for (int i = 0; i < 4; i++) {
        uint64_t key = seed ^ ((uint64_t)(uint32_t)(ix + (i & 1)) << 32 | (uint32_t)(iy + (i >> 1)));

        corner[i] = (float)(tf_mix64(key) >> 40) * (2.0f / 16777216.0f) - 1.0f;
    }
    return (corner[0] * (1 - fx) + corner[1] * fx) * (1 - fy) + (corner[2] * (1 - fx) + corner[3] * fx) * fy;
}

static void roughen(struct sheet *c, uint64_t seed, float per_u, float per_v, float amount)
{
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++)
            c->value[y * c->w + x] +=
                amount * grain(seed, (c->u0 + x / c->s) * per_u, (c->v0 + y / c->s) * per_v);
}

#define HEAD_POINTS 33
static const float cranium[][2] = {
    {0.83f, -0.20f},  {0.84f, -0.42f},  {0.81f, -0.65f},  {0.75f, -0.86f},  {0.65f, -1.05f},
    {0.52f, -1.19f},  {0.36f, -1.28f},  {0.18f, -1.33f},  {0.00f, -1.34f},  {-0.18f, -1.33f},
    {-0.36f, -1.28f}, {-0.52f, -1.19f}, {-0.65f, -1.05f}, {-0.75f, -0.86f}, {-0.81f, -0.65f},
    {-0.84f, -0.42f}, {-0.83f, -0.20f},
};
static const float ear[][2] = {{-0.78f, -0.14f}, {-0.86f, -0.19f}, {-0.94f, -0.14f}, {-0.96f, -0.02f},
                               {-0.92f, 0.16f},  {-0.87f, 0.30f},  {-0.80f, 0.36f},  {-0.74f, 0.28f}};
static const float ear_right[][2] = {{0.78f, -0.14f}, {0.86f, -0.19f}, {0.94f, -0.14f}, {0.96f, -0.02f},
                                     {0.92f, 0.16f},  {0.87f, 0.30f},  {0.80f, 0.36f},  {0.74f, 0.28f}};
static const float ear_inner[][2] = {{-0.82f, -0.08f}, {-0.89f, -0.04f}, {-0.87f, 0.12f}, {-0.82f, 0.18f}};
/* Hair: the hairline from temple to temple, then around outside the head. */
static const float hair[][2] = {
    {-0.86f, 0.14f},  {-0.77f, 0.10f},  {-0.74f, -0.12f}, {-0.70f, -0.40f}, {-0.66f, -0.62f},
    {-0.50f, -0.82f}, {-0.28f, -0.93f}, {0.00f, -0.96f},  {0.28f, -0.93f},  {0.50f, -0.82f},
    {0.66f, -0.62f},  {0.70f, -0.40f},  {0.74f, -0.12f},  {0.77f, 0.10f},   {0.86f, 0.14f},
    {1.00f, -0.40f},  {0.95f, -1.40f},  {-0.95f, -1.40f}, {-1.00f, -0.40f},
};
static const float nostril[][2] = {{-0.115f, 0.492f}, {-0.085f, 0.478f}, {-0.05f, 0.488f},
                                   {-0.045f, 0.505f}, {-0.075f, 0.515f}, {-0.105f, 0.512f}};
static const float fold[][2] = {{-0.19f, 0.42f}, {-0.25f, 0.52f}, {-0.31f, 0.62f}, {-0.36f, 0.72f}};
static const float nose_side[][2] = {{-0.075f, 0.02f}, {-0.085f, 0.15f}, {-0.11f, 0.28f}, {-0.15f, 0.38f},
                                     {-0.185f, 0.45f}, {-0.16f, 0.505f}, {-0.10f, 0.52f}};
static const float lid[][2] = {{-0.52f, -0.02f}, {-0.42f, -0.105f}, {-0.30f, -0.105f}, {-0.20f, -0.02f}};
static const float lens[][2] = {{-0.64f, -0.13f}, {-0.50f, -0.17f}, {-0.28f, -0.16f}, {-0.13f, -0.11f},
                                {-0.11f, 0.02f},  {-0.16f, 0.15f},  {-0.30f, 0.22f},  {-0.48f, 0.21f},
                                {-0.60f, 0.14f},  {-0.65f, 0.00f}};
static const float glasses_bridge[][2] = {
    {-0.12f, -0.05f}, {-0.04f, -0.08f}, {0.04f, -0.08f}, {0.12f, -0.05f}};
static const float temple[][2] = {{-0.64f, -0.08f}, {-0.78f, -0.09f}, {-0.90f, -0.10f}};

static void draw_eyes(struct sheet *c)
{
    const float(*p)[2] = tf_subject_points;

    /* The socket, then the hot inner corner, then the eye itself, cooled by its tears. */
    glow_pair(c, 0.34f, -0.02f, 0.17f, 0.10f, OF(c, 0.7f, -14));
    glow_pair(c, 0.195f, 0.01f, 0.045f, 0.050f, OF(c, 1.2f, -12));
    stroke_pair(c, lid, 4, 0.018f, OF(c, 35.1f, 105), 0.8f);
    fill(c, p + 36, 6, OF(c, 33.3f, 190), 0.9f, 0.03f);
    fill(c, p + 42, 6, OF(c, 33.3f, 190), 0.9f, 0.03f);
    if (c->visible) {
        glow_pair(c, 0.355f, -0.01f, 0.045f, 0.042f, -150);
    } else {
        glow_pair(c, 0.36f, -0.01f, 0.05f, 0.035f, -0.5f);
    }
    stroke(c, p + 36, 4, 0.014f, OF(c, 32.6f, 45), 0.85f); /* lashes */
    stroke(c, p + 42, 4, 0.014f, OF(c, 32.6f, 45), 0.85f);
    glow_pair(c, 0.195f, 0.015f, 0.028f, 0.030f, OF(c, 0.7f, 0));
    stroke(c, p + 17, 5, 0.048f, OF(c, 31.6f, 62), 0.9f);
    stroke(c, p + 22, 5, 0.048f, OF(c, 31.6f, 62), 0.9f);
}

static void draw_nose(struct sheet *c)
{
    glow(c, 0, 0.16f, 0.07f, 0.17f, OF(c, -0.8f, 14));
    glow(c, 0, 0.40f, 0.125f, 0.095f, OF(c, -1.9f, 18));
    glow_pair(c, 0.135f, 0.455f, 0.05f, 0.05f, OF(c, -1.2f, 4));
    stroke_pair(c, nose_side, 7, 0.020f, OF(c, 34.2f, 112), 0.6f);
    fill_pair(c, nostril, 6, OF(c, 31.3f, 40), 0.85f, 0.025f);
    stroke_pair(c, fold, 4, 0.022f, OF(c, 34.7f, 118), 0.6f);
}

static void draw_mouth(struct sheet *c)
{
    const float(*p)[2] = tf_subject_points;

    glow(c, 0, 0.60f, 0.035f, 0.05f, OF(c, 0.3f, -8));
    fill(c, p + 48, 12, OF(c, 34.9f, 104), 0.85f, 0.035f);
    fill(c, p + 60, 8, OF(c, 33.0f, 48), 0.9f, 0.022f);
    glow(c, 0, 0.985f, 0.16f, 0.035f, OF(c, -0.5f, -18));
    glow(c, 0, 1.13f, 0.17f, 0.09f, OF(c, -0.5f, 8));
}

/* Skin turns away from the camera at the outline of the head and looks cooler there (and darker). */
static void shade_outline(struct sheet *c, const float (*outline)[2], int n)
{
    for (int y = 0; y < c->h; y++) {
        for (int x = 0; x < c->w; x++) {
            float d = -polygon_distance(outline, n, c->u0 + x / c->s, c->v0 + y / c->s);

            c->value[y * c->w + x] += OF(c, -1.6f, -38) * expf(-(d < 0 ? 0 : d) / 0.09f);
        }
    }
}

static void draw_hair(struct sheet *c, uint64_t seed)
{
    struct sheet h = *c;
    size_t n = (size_t)c->w * c->h;

    h.value = malloc(n * sizeof(float));
    if (!h.value)
        return; /* a bald subject: as good a truth as any */
    for (size_t i = 0; i < n; i++)
        h.value[i] = OF(c, 28.4f, 52);
    roughen(&h, seed ^ 1, 26, 6, OF(c, 0.9f, 14));
    roughen(&h, seed ^ 2, 5, 3, OF(c, 0.6f, 10));
    for (int y = 0; y < c->h; y++) {
        for (int x = 0; x < c->w; x++) {
            float u = c->u0 + x / c->s, v = c->v0 + y / c->s;
            float d = polygon_distance(hair, (int)TF_COUNT(hair), u, v);
            float k = smooth(0.5f - (d + 0.03f * grain(seed ^ 3, u * 30, v * 9)) / 0.09f);

            c->value[y * c->w + x] += k * (h.value[y * c->w + x] - c->value[y * c->w + x]);
        }
    }
    free(h.value);
}

/* Optics do not draw like a pen: two passes of a mean, each way. */
static int soften(struct sheet *c, float radius)
{
    int r = (int)(radius * c->s + 0.5f), longest = c->w > c->h ? c->w : c->h;
    float *line = malloc((size_t)longest * sizeof(float));

    if (!line)
        return -ENOMEM;
    for (int pass = 0; pass < 4 && r > 0; pass++) {
        bool across = pass & 1;
        int n = across ? c->h : c->w, lines = across ? c->w : c->h, step = across ? c->w : 1;

        for (int j = 0; j < lines; j++) {
            float *p = c->value + (size_t)j * (across ? 1u : (size_t)c->w);
            double sum = 0;

            for (int i = 0; i < n; i++)
                line[i] = p[(size_t)i * step];
            for (int i = -r; i <= r; i++)
                sum += line[i < 0 ? 0 : i];
            for (int i = 0; i < n; i++) {
                int in = i + r + 1 < n ? i + r + 1 : n - 1, out = i - r < 0 ? 0 : i - r;

                p[(size_t)i * step] = (float)(sum / (2 * r + 1));
                sum += line[in] - line[out];
            }
        }
    }
    free(line);
    return 0;
}

static void draw_glasses(struct sheet *c)
{
    /* Glass and plastic are opaque in the long infrared and near room temperature; clear to the eye. */
    fill_pair(c, lens, 10, OF(c, 26.0f, 128), OF(c, 0.97f, 0.12f), 0.025f);
    stroke_pair(c, lens, 10, 0.020f, OF(c, 26.8f, 35), 0.95f);
    stroke(c, glasses_bridge, 4, 0.030f, OF(c, 27.0f, 35), 0.9f);
    stroke_pair(c, temple, 3, 0.025f, OF(c, 27.5f, 35), 0.9f);
}

static void draw_head(struct sheet *c, uint64_t seed, bool glasses)
{
    float outline[HEAD_POINTS + 1][2];
    int n = 0;
    float person = 0.35f * tf_normal64(seed ^ 77); /* one is a little warmer than the next */

    for (int i = 0; i < 17; i++, n++)
        memcpy(outline[n], tf_subject_points[i], sizeof(outline[n]));
    for (size_t i = 0; i < TF_COUNT(cranium) && n < HEAD_POINTS + 1; i++, n++)
        memcpy(outline[n], cranium[i], sizeof(outline[n]));
    cover(c, outline, n, 0.025f);
    cover(c, ear, 8, 0.03f);
    cover(c, ear_right, 8, 0.03f);

    for (int i = 0; i < c->w * c->h; i++)
        c->value[i] = OF(c, 34.0f, 158) + OF(c, person, 20 * person);
    roughen(c, seed ^ 5, 4.5f, 4.5f, OF(c, 0.16f, 4));
    roughen(c, seed ^ 6, 11, 11, OF(c, 0.08f, 3));
    glow(c, 0, -0.58f, 0.45f, 0.24f, OF(c, 0.6f, 10));
    glow_pair(c, 0.42f, 0.40f, 0.17f, 0.20f, OF(c, -0.9f, 12));
    glow_pair(c, 0.60f, -0.10f, 0.10f, 0.18f, OF(c, 0.3f, -8));
    glow(c, 0, 0.60f, 0.22f, 0.07f, OF(c, -0.3f, 0));
    draw_nose(c);
    draw_eyes(c);
    draw_mouth(c);
    shade_outline(c, outline, n);
    fill_pair(c, ear, 8, OF(c, 31.4f, 130), 0.9f, 0.06f);
    fill_pair(c, ear_inner, 4, OF(c, 33.6f, 95), 0.8f, 0.05f);
    draw_hair(c, seed);
    if (glasses)
        draw_glasses(c);
}

static const float neck[][2] = {{-0.52f, 0.60f}, {-0.50f, 1.20f}, {-0.54f, 1.45f}, {-0.80f, 1.66f},
                                {-1.40f, 1.85f}, {0.00f, 2.10f},  {1.40f, 1.85f},  {0.80f, 1.66f},
                                {0.54f, 1.45f},  {0.50f, 1.20f},  {0.52f, 0.60f}};
static const float clothes[][2] = {{-0.62f, 1.50f}, {-0.35f, 1.72f}, {0.00f, 1.92f},  {0.35f, 1.72f},
                                   {0.62f, 1.50f},  {1.10f, 1.68f},  {1.60f, 1.86f},  {1.92f, 2.12f},
                                   {2.10f, 2.60f},  {2.25f, 4.00f},  {-2.25f, 4.00f}, {-2.10f, 2.60f},
                                   {-1.92f, 2.12f}, {-1.60f, 1.86f}, {-1.10f, 1.68f}};
static const float collar[][2] = {
    {-0.60f, 1.50f}, {-0.35f, 1.71f}, {0.00f, 1.91f}, {0.35f, 1.71f}, {0.60f, 1.50f}};

static void draw_body(struct sheet *c, uint64_t seed)
{
    const int clothes_n = (int)TF_COUNT(clothes);

    cover(c, neck, (int)TF_COUNT(neck), 0.03f);
    cover(c, clothes, clothes_n, 0.03f);
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++) {
            float u = (c->u0 + x / c->s) / 0.52f;

            u = fminf(u * u * u * u, 1.3f);
            c->value[y * c->w + x] = OF(c, 34.4f, 138) - OF(c, 1.5f, 45) * u;
        }
    glow(c, 0, 1.30f, 0.40f, 0.14f, OF(c, 0.4f, -42)); /* beneath the chin: sheltered, and in shadow */
    fill(c, clothes, clothes_n, OF(c, 27.2f, 84), 1, 0.03f);
    /* No bright rim where clothing meets the room. */
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++)
            if (fabsf(c->u0 + x / c->s) > 1.0f)
                c->value[y * c->w + x] = OF(c, 27.2f, 84);
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++) {
            float u = c->u0 + x / c->s, v = c->v0 + y / c->s;
            float k = smooth(0.5f - polygon_distance(clothes, clothes_n, u, v) / 0.05f);

            c->value[y * c->w + x] += k * OF(c, 0.9f, 12) * grain(seed ^ 9, u * 2.2f + 0.6f * v, v * 1.1f) +
                                      k * OF(c, 0.3f, 5) * grain(seed ^ 10, u * 8, v * 3);
        }
    stroke(c, collar, 5, 0.05f, OF(c, 26.4f, 62), 0.9f);
}

/* The mean over a small disc, as a region would have it. */
static float read_disc(const struct sheet *c, float u, float v, float radius)
{
    float sum = 0, n = 0;

    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++) {
            float du = c->u0 + x / c->s - u, dv = c->v0 + y / c->s - v;

            if (du * du + dv * dv <= radius * radius) {
                sum += c->value[y * c->w + x];
                n++;
            }
        }
    return n > 0 ? sum / n : NAN;
}

static int sheet_to_layer(const struct sheet *c, enum tf_synthetic_kind kind, struct tf_layer *layer)
{
    *layer = (struct tf_layer){.width = c->w, .height = c->h, .u0 = c->u0, .v0 = c->v0, .per_unit = c->s};
    layer->texels = malloc((size_t)c->w * c->h * sizeof(*layer->texels));
    if (!layer->texels)
        return -ENOMEM;
    for (int i = 0; i < c->w * c->h; i++) {
        float t = tf_synthetic_counts(kind, c->value[i]);

        t = t < 0 ? 0 : t > 65535 ? 65535 : t;
        layer->texels[i] = (uint32_t)(t + 0.5f) | (uint32_t)(c->cover[i] * 255 + 0.5f) << 16;
    }
    return 0;
}

/* Breath warms the nostrils and, less, the lip beneath them. */
static int breath_patch(const struct sheet *c, enum tf_synthetic_kind kind, struct tf_breath_patch *patch)
{
    struct span b = span_of(c, -0.26f, 0.42f, 0.26f, 0.70f);
    float unit = tf_synthetic_counts(kind, TF_BREATH_C) - tf_synthetic_counts(kind, 0);

    *patch = (struct tf_breath_patch){.x = b.x0, .y = b.y0, .width = b.x1 - b.x0, .height = b.y1 - b.y0};
    patch->base = calloc((size_t)patch->width * patch->height, sizeof(float));
    patch->weight = calloc((size_t)patch->width * patch->height, sizeof(float));
    if (!patch->base || !patch->weight)
        return -ENOMEM;
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++) {
            int i = (y - b.y0) * patch->width + (x - b.x0);
            float u = fabsf(c->u0 + x / c->s), v = c->v0 + y / c->s;
            float du = (u - 0.085f) / 0.055f, dv = (v - 0.515f) / 0.030f;
            float lu = (u - 0.06f) / 0.075f, lv = (v - 0.58f) / 0.035f;

            patch->base[i] = tf_synthetic_counts(kind, c->value[y * c->w + x]);
            if (kind != TF_SYNTHETIC_VISIBLE)
                patch->weight[i] =
                    unit * (expf(-0.5f * (du * du + dv * dv)) + 0.35f * expf(-0.5f * (lu * lu + lv * lv)));
        }
    return 0;
}

int tf_subject_create(enum tf_synthetic_kind kind, uint64_t seed, bool glasses, float per_unit,
                      struct tf_subject **ret)
{
    bool visible = kind == TF_SYNTHETIC_VISIBLE;
    struct tf_subject *s = calloc(1, sizeof(*s));
    struct sheet head = {0}, body = {0};
    float body_per_unit = per_unit * 0.5f < 12 ? 12 : per_unit * 0.5f;

    if (!s)
        return -ENOMEM;
    s->glasses = glasses;
    if (sheet_init(&head, -1.05f, -1.42f, 1.05f, 1.35f, per_unit, visible) ||
        sheet_init(&body, -2.4f, 0.55f, 2.4f, 3.6f, body_per_unit, visible))
        goto fail;
    draw_head(&head, seed, glasses);
    draw_body(&body, seed);
    if (soften(&head, 0.012f) || soften(&body, 0.02f) || sheet_to_layer(&head, kind, &s->head) ||
        sheet_to_layer(&body, kind, &s->body) || breath_patch(&head, kind, &s->patch))
        goto fail;
    s->nose_tip_c = read_disc(&head, 0, 0.40f, 0.06f);
    s->forehead_c = read_disc(&head, 0, -0.50f, 0.10f);
    s->canthus_c = read_disc(&head, -0.205f, 0.02f, 0.04f);
    s->cheek_c = read_disc(&head, -0.42f, 0.42f, 0.08f);
    s->chin_c = read_disc(&head, 0, 1.10f, 0.06f);
    s->nostrils_c = read_disc(&head, 0, 0.51f, 0.06f);
    sheet_free(&head);
    sheet_free(&body);
    *ret = s;
    return 0;

fail:
    sheet_free(&head);
    sheet_free(&body);
    tf_subject_destroy(s);
    return -ENOMEM;
}

void tf_subject_destroy(struct tf_subject *subject)
{
    if (!subject)
        return;
    free(subject->head.texels);
    free(subject->body.texels);
    free(subject->patch.base);
    free(subject->patch.weight);
    free(subject);
}
