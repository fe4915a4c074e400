/*
 * The face's regions from its 68 points: docs/regions.md gives each one's definition and where it comes from.
 *
 * Geometry is laid out along the face's own axes, so that a tilted head is measured like an upright one:
 * `right` along the outer eye corners (towards the picture's right), `down` perpendicular to it, lengths in
 * eye distances (36 to 45).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inference/face/face.h"
#include "inference/face/outline.h"
#include "inference/face/raster.h"

#define NOSE_TIP_RADIUS 0.12f
#define CANTHUS_RADIUS 0.07f
#define CHEEK_RADIUS 0.14f
#define NOSTRILS_BELOW 0.10f
#define EYE_GROW 0.08f
#define FOREHEAD_FROM 0.15f /* of the nose's length above the brows: clear of their hair */
#define FOREHEAD_TO 0.50f

/* Within a mask a disc only says which part of the skin or nose is meant, not where it ends. */
#define MASKED_DISC_GROW 1.5f

struct vec {
    float x, y;
};

struct face_frame {
    const struct tf_point *p;
    struct vec right, down;
    float eyes; /* eye distance, pixels */
    float grow; /* of discs that a mask bounds */
};

#define PART(p) (1u << TF_PART_##p)
/* The parts in which each region is measured; 0: all. The class skin ends at the brows, so the forehead has
 * none. */
static const uint32_t parts_of[TF_REGIONS] = {
    [TF_REGION_PERIORBITAL_RIGHT] = PART(EYES) | PART(SKIN),
    [TF_REGION_PERIORBITAL_LEFT] = PART(EYES) | PART(SKIN),
    [TF_REGION_CANTHUS_RIGHT] = PART(EYES) | PART(SKIN),
    [TF_REGION_CANTHUS_LEFT] = PART(EYES) | PART(SKIN),
    [TF_REGION_NOSE_TIP] = PART(NOSE),
    [TF_REGION_NOSTRILS] = PART(NOSE) | PART(SKIN),
    [TF_REGION_PERINASAL] = PART(SKIN),
    [TF_REGION_CHEEK_RIGHT] = PART(SKIN),
    [TF_REGION_CHEEK_LEFT] = PART(SKIN),
    [TF_REGION_CHIN] = PART(SKIN),
    [TF_REGION_MOUTH] = PART(MOUTH),
};

static const char *const names[TF_REGIONS] = {
    [TF_REGION_FOREHEAD] = "forehead",
    [TF_REGION_PERIORBITAL_RIGHT] = "periorbital_right",
    [TF_REGION_PERIORBITAL_LEFT] = "periorbital_left",
    [TF_REGION_CANTHUS_RIGHT] = "canthus_right",
    [TF_REGION_CANTHUS_LEFT] = "canthus_left",
    [TF_REGION_NOSE_TIP] = "nose_tip",
    [TF_REGION_NOSTRILS] = "nostrils",
    [TF_REGION_PERINASAL] = "perinasal",
    [TF_REGION_CHEEK_RIGHT] = "cheek_right",
    [TF_REGION_CHEEK_LEFT] = "cheek_left",
    [TF_REGION_CHIN] = "chin",
    [TF_REGION_MOUTH] = "mouth",
};

const char *tf_region_name(enum tf_region region)
{
    return (unsigned)region < TF_REGIONS ? names[region] : NULL;
}

static struct vec at(const struct face_frame *f, int k)
{
    return (struct vec){f->p[k].x, f->p[k].y};
}

static struct vec middle(struct vec a, struct vec b)
{
    return (struct vec){(a.x + b.x) * 0.5f, (a.y + b.y) * 0.5f};
}

static float distance(struct vec a, struct vec b)
{
    return hypotf(a.x - b.x, a.y - b.y);
}

/* v moved by r to the face's right side of the picture and d down, in pixels. */
static struct vec moved(const struct face_frame *f, struct vec v, float r, float d)
{
    return (struct vec){v.x + r * f->right.x + d * f->down.x, v.y + r * f->right.y + d * f->down.y};
}

/* How far b lies below a along the face's axis, in pixels. */
static float below(const struct face_frame *f, struct vec a, struct vec b)
{
    return (b.x - a.x) * f->down.x + (b.y - a.y) * f->down.y;
}

static float beside(const struct face_frame *f, struct vec a, struct vec b)
{
    return (b.x - a.x) * f->right.x + (b.y - a.y) * f->right.y;
}

static void add(struct tf_outline *o, struct vec v)
{
    o->xy[o->n][0] = v.x;
    o->xy[o->n][1] = v.y;
    o->n++;
}

static void disc(const struct face_frame *f, struct tf_outline *o, struct vec centre, float radius)
{
    for (int i = 0; i < TF_DISC_SIDES; i++) {
        float angle = (float)i * (2.0f * (float)M_PI / TF_DISC_SIDES);

        add(o, moved(f, centre, radius * TF_DISC_GROW * cosf(angle), radius * TF_DISC_GROW * sinf(angle)));
    }
}

static void through(const struct face_frame *f, struct tf_outline *o, const uint8_t *points, int count)
{
    for (int i = 0; i < count; i++)
        add(o, at(f, points[i]));
}

/* The six points of an eye, pushed outwards along the ellipse that holds them. */
static void grown_eye(const struct face_frame *f, struct tf_outline *o, int first)
{
    struct vec centre = {0, 0};
    float half_w = 0, half_h = 0;

    for (int k = first; k < first + 6; k++) {
        centre.x += f->p[k].x / 6;
        centre.y += f->p[k].y / 6;
    }
    for (int k = first; k < first + 6; k++) {
        half_w = fmaxf(half_w, fabsf(beside(f, centre, at(f, k))));
        half_h = fmaxf(half_h, fabsf(below(f, centre, at(f, k))));
    }
    /* A closed eye has hardly a height; its lids still are a region. */
    half_h = fmaxf(half_h, 0.2f * half_w);
    if (!(half_w > 0))
        return;
    for (int k = first; k < first + 6; k++) {
        float r = beside(f, centre, at(f, k)) / half_w, d = below(f, centre, at(f, k)) / half_h;
        float length = hypotf(r, d);
        float grow = EYE_GROW * f->eyes / fmaxf(length, 0.1f);

        add(o, moved(f, centre, r * (half_w + grow), d * (half_h + grow)));
    }
}

static void forehead(const struct face_frame *f, struct tf_outline *o)
{
    struct vec chin = at(f, 8), bridge = at(f, 27);
    float nose = distance(bridge, at(f, 33)), length = distance(chin, bridge);
    struct vec up = {-f->down.x, -f->down.y};

    /* The face's axis from the chin to the bridge follows a turned head; a chin that is lost does not count.
     */
    if (length > 0.3f * f->eyes)
        up = (struct vec){(bridge.x - chin.x) / length, (bridge.y - chin.y) / length};
    struct vec r = at(f, 19), l = at(f, 24);
    float from = FOREHEAD_FROM * nose, to = FOREHEAD_TO * nose;
    add(o, (struct vec){r.x + up.x * to, r.y + up.y * to});
    add(o, (struct vec){l.x + up.x * to, l.y + up.y * to});
    add(o, (struct vec){l.x + up.x * from, l.y + up.y * from});
    add(o, (struct vec){r.x + up.x * from, r.y + up.y * from});
}

static void nostrils(const struct face_frame *f, struct tf_outline *o)
{
    struct vec r = at(f, 31), l = at(f, 35);
    struct vec centre = middle(r, l);
    float bottom = fmaxf(below(f, centre, at(f, 33)), 0) + NOSTRILS_BELOW * f->eyes;
    float half = fabsf(beside(f, r, l)) * 0.5f;

    add(o, moved(f, centre, -half, 0));
    add(o, moved(f, centre, half, 0));
    add(o, moved(f, centre, half, bottom));
    add(o, moved(f, centre, -half, bottom));
}

static void cheek(const struct face_frame *f, struct tf_outline *o, int eye_a, int eye_b, int nose, int mouth,
                  int jaw_a, int jaw_b)
{
    struct vec eye = middle(at(f, eye_a), at(f, eye_b)), jaw = middle(at(f, jaw_a), at(f, jaw_b));
    struct vec corners[4] = {eye, at(f, nose), at(f, mouth), jaw};
    struct vec centre = {0, 0};
    float radius = CHEEK_RADIUS * f->grow * f->eyes;

    for (int i = 0; i < 4; i++) {
        centre.x += corners[i].x / 4;
        centre.y += corners[i].y / 4;
    }
    /* On the far side of a turned head the cheek is narrow: the disc stays clear of nose and jaw. */
    radius = fminf(radius, 0.5f * fminf(distance(centre, corners[1]), distance(centre, jaw)));
    disc(f, o, centre, radius);
}

static void outline(const struct face_frame *f, enum tf_region region, struct tf_outline *o)
{
    static const uint8_t perinasal[] = {31, 32, 33, 34, 35, 54, 53, 52, 51, 50, 49, 48};
    static const uint8_t chin[] = {57, 9, 8, 7};
    static const uint8_t mouth[] = {48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59};

    switch (region) {
    case TF_REGION_FOREHEAD:
        forehead(f, o);
        break;
    case TF_REGION_PERIORBITAL_RIGHT:
        grown_eye(f, o, 36);
        break;
    case TF_REGION_PERIORBITAL_LEFT:
        grown_eye(f, o, 42);
        break;
    case TF_REGION_CANTHUS_RIGHT:
        disc(f, o, at(f, 39), CANTHUS_RADIUS * f->eyes);
        break;
    case TF_REGION_CANTHUS_LEFT:
        disc(f, o, at(f, 42), CANTHUS_RADIUS * f->eyes);
        break;
    case TF_REGION_NOSE_TIP:
        disc(f, o, at(f, 30), NOSE_TIP_RADIUS * f->grow * f->eyes);
        break;
    case TF_REGION_NOSTRILS:
        nostrils(f, o);
        break;
    case TF_REGION_PERINASAL:
        through(f, o, perinasal, sizeof(perinasal));
        break;
    case TF_REGION_CHEEK_RIGHT:
        cheek(f, o, 36, 41, 31, 48, 2, 3);
        break;
    case TF_REGION_CHEEK_LEFT:
        cheek(f, o, 45, 46, 35, 54, 14, 13);
        break;
    case TF_REGION_CHIN:
        through(f, o, chin, sizeof(chin));
        break;
    case TF_REGION_MOUTH:
        through(f, o, mouth, sizeof(mouth));
        break;
    }
}

static bool usable(const struct tf_point points[TF_POINTS])
{
    for (int k = 0; k < TF_POINTS; k++) {
        if (!(fabsf(points[k].x) < TF_OUTLINE_FAR) || !(fabsf(points[k].y) < TF_OUTLINE_FAR))
            return false;
    }
    return true;
}

/* Lengths in eye distances as above; what outline() does, in words. */
void tf_region_rule(enum tf_region region, char *landmarks, size_t landmarks_size, char *rule,
                    size_t rule_size)
{
    static const char *const points[TF_REGIONS] = {
        [TF_REGION_FOREHEAD] = "19 24 8 27 33",
        [TF_REGION_PERIORBITAL_RIGHT] = "36 37 38 39 40 41",
        [TF_REGION_PERIORBITAL_LEFT] = "42 43 44 45 46 47",
        [TF_REGION_CANTHUS_RIGHT] = "39",
        [TF_REGION_CANTHUS_LEFT] = "42",
        [TF_REGION_NOSE_TIP] = "30",
        [TF_REGION_NOSTRILS] = "31 35 33",
        [TF_REGION_PERINASAL] = "31 32 33 34 35 54 53 52 51 50 49 48",
        [TF_REGION_CHEEK_RIGHT] = "36 41 31 48 2 3",
        [TF_REGION_CHEEK_LEFT] = "45 46 35 54 14 13",
        [TF_REGION_CHIN] = "57 9 8 7",
        [TF_REGION_MOUTH] = "48 49 50 51 52 53 54 55 56 57 58 59",
    };

    snprintf(landmarks, landmarks_size, "%s", points[region]);
    switch (region) {
    case TF_REGION_FOREHEAD:
        snprintf(rule, rule_size,
                 "quadrilateral above brows 19 and 24 along the axis from 8 to 27, from %.2f to %.2f of the "
                 "length 27 to 33",
                 (double)FOREHEAD_FROM, (double)FOREHEAD_TO);
        break;
    case TF_REGION_PERIORBITAL_RIGHT:
    case TF_REGION_PERIORBITAL_LEFT:
        snprintf(rule, rule_size,
                 "polygon through the eye's points, each moved outwards by %.2f eye distances",
                 (double)EYE_GROW);
        break;
    case TF_REGION_CANTHUS_RIGHT:
    case TF_REGION_CANTHUS_LEFT:
    case TF_REGION_NOSE_TIP:
        snprintf(rule, rule_size, "disc around the point, radius %.2f eye distances",
                 (double)(region == TF_REGION_NOSE_TIP ? NOSE_TIP_RADIUS : CANTHUS_RADIUS));
        break;
    case TF_REGION_NOSTRILS:
        snprintf(rule, rule_size,
                 "rectangle as wide as 31 to 35, from their middle down to %.2f eye distances below 33",
                 (double)NOSTRILS_BELOW);
        break;
    case TF_REGION_CHEEK_RIGHT:
    case TF_REGION_CHEEK_LEFT:
        snprintf(
            rule, rule_size,
            "disc around the middle of the lower lid, nose wing, mouth corner and jaw, radius at most %.2f "
            "eye distances and half the way to nose and jaw",
            (double)CHEEK_RADIUS);
        break;
    default:
        snprintf(rule, rule_size, "polygon through the points in this order");
    }
}

static const char *const part_names[TF_PARTS] = {"background", "skin", "brows", "eyes", "nose", "mouth"};

const char *tf_part_name(enum tf_part part)
{
    return (unsigned)part < TF_PARTS ? part_names[part] : NULL;
}

const char *tf_region_why_name(unsigned bit)
{
    static const char *const words[TF_WHY_COUNT] = {"few_pixels",      "outside", "range",
                                                    "doubtful_points", "covered", "turned"};

    return bit < TF_WHY_COUNT ? words[bit] : NULL;
}

void tf_regions_measure(const struct tf_frame *frame, const struct tf_faults *faults,
                        const struct tf_point points[TF_POINTS], struct tf_region_stats stats[TF_REGIONS],
                        struct tf_outline outlines[TF_REGIONS])
{
    tf_regions_measure_masked(frame, faults, points, NULL, stats, outlines);
}

void tf_regions_measure_masked(const struct tf_frame *frame, const struct tf_faults *faults,
                               const struct tf_point points[TF_POINTS], const struct tf_mask *mask,
                               struct tf_region_stats stats[TF_REGIONS],
                               struct tf_outline outlines[TF_REGIONS])
{
    struct face_frame f = {.p = points, .grow = mask ? MASKED_DISC_GROW : 1};
    struct tf_raster_sound sound;
    struct tf_view view;
    bool seen = tf_view_init(&view, frame) && usable(points);

    memset(outlines, 0, TF_REGIONS * sizeof(*outlines));
    if (seen) {
        float dx = points[45].x - points[36].x, dy = points[45].y - points[36].y;

        f.eyes = hypotf(dx, dy);
        seen = f.eyes > 0;
        if (seen) {
            f.right = (struct vec){dx / f.eyes, dy / f.eyes};
            f.down = (struct vec){-f.right.y, f.right.x};
        }
    }
    if (seen)
        tf_raster_sound(frame, faults, &sound);
    for (int i = 0; i < TF_REGIONS; i++) {
        if (!seen) {
            stats[i] = tf_region_unseen;
            continue;
        }
        outline(&f, (enum tf_region)i, &outlines[i]);
        tf_outline_snap(&outlines[i]);
        struct tf_raster_gate gate = {mask, parts_of[i]};
        tf_raster_measure(&view, &frame->radiometry, &sound, &outlines[i],
                          mask && gate.parts != 0 ? &gate : NULL, &stats[i]);
    }
}

void tf_rectangle_measure(const struct tf_frame *frame, const struct tf_faults *faults,
                          const uint16_t rectangle[4], struct tf_region_stats *ret)
{
    /* Pixel centres are at whole numbers: the edges lie half a pixel before and after. */
    float x0 = rectangle[0] - 0.5f, y0 = rectangle[1] - 0.5f;
    float x1 = x0 + rectangle[2], y1 = y0 + rectangle[3];
    struct tf_outline outline = {.n = 4, .xy = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}};
    struct tf_raster_sound sound;
    struct tf_view view;

    *ret = tf_region_unseen;
    if (!tf_view_init(&view, frame))
        return;
    tf_raster_sound(frame, faults, &sound);
    tf_raster_measure(&view, &frame->radiometry, &sound, &outline, NULL, ret);
}
