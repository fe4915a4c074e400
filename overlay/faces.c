/* Boxes, region outlines with their values, and points. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "overlay/internal.h"

/* By id, so that a face keeps its colour; none of them is in the iron or gray palettes. */
static const uint32_t face_colours[] = {0x2ee6d6, 0x7ee04b, 0xff6ad5, 0x5aa9ff, 0xffe14d, 0xb18cff};
#define REGION_INK 0xc9f7ffu
#define REGION_DIM 0x8a9aa0u

/* For labels: short, since the sides say left and right. */
static const char *const short_names[TF_REGIONS] = {
    [TF_REGION_FOREHEAD] = "forehead",
    [TF_REGION_PERIORBITAL_RIGHT] = "periorbital",
    [TF_REGION_PERIORBITAL_LEFT] = "periorbital",
    [TF_REGION_CANTHUS_RIGHT] = "canthus",
    [TF_REGION_CANTHUS_LEFT] = "canthus",
    [TF_REGION_NOSE_TIP] = "nose tip",
    [TF_REGION_NOSTRILS] = "nostrils",
    [TF_REGION_PERINASAL] = "perinasal",
    [TF_REGION_CHEEK_RIGHT] = "cheek",
    [TF_REGION_CHEEK_LEFT] = "cheek",
    [TF_REGION_CHIN] = "chin",
    [TF_REGION_MOUTH] = "mouth",
};
/* Labels stand in two columns beside the face: the subject's right on the picture's left, the middle ones
 * shared out. */
static const bool on_left[TF_REGIONS] = {
    [TF_REGION_FOREHEAD] = true, [TF_REGION_PERIORBITAL_RIGHT] = true, [TF_REGION_CANTHUS_RIGHT] = true,
    [TF_REGION_NOSTRILS] = true, [TF_REGION_CHEEK_RIGHT] = true,       [TF_REGION_MOUTH] = true,
};

/* Points joined by lines (iBUG 68): first, last, and whether the last joins the first. */
static const struct {
    int first, last;
    bool closed;
} contours[] = {{0, 16, false}, {17, 21, false}, {22, 26, false}, {27, 30, false}, {31, 35, false},
                {36, 41, true}, {42, 47, true},  {48, 59, true},  {60, 67, true}};

/* Rectangles that labels have taken, of all faces of a picture. */
#define TAKEN_MAX (TF_FACES_MAX * (TF_REGIONS + TF_OWN_MAX + 1) + TF_OWN_MAX)
struct labels {
    struct tf_rect taken[TAKEN_MAX];
    int count;
};

static bool is_free(const struct labels *l, const struct tf_rect *r)
{
    for (int i = 0; i < l->count; i++)
        if (tf_rect_overlap(l->taken + i, r))
            return false;
    return true;
}

static void take(struct labels *l, const struct tf_rect *r)
{
    if (l->count < TAKEN_MAX)
        l->taken[l->count++] = *r;
}

/* Frame pixels (origin at a pixel's centre) to picture coordinates (origin at a pixel's corner). */
static float to_picture(const struct tf_overlay *o, float v)
{
    return (v + 0.5f) * (float)o->factor;
}

/* Whole pixels from what a network said: far outside is far outside, and no number at all is, too. */
static int whole(float v)
{
    return v > -16384 && v < 16384 ? (int)v : v > 0 ? 16384 : -16384;
}

static void draw_box(struct tf_overlay *o, const struct tf_canvas *c, const struct tf_face *face,
                     uint32_t rgb, struct labels *labels)
{
    float x0 = to_picture(o, face->box[0]), y0 = to_picture(o, face->box[1]);
    float x1 = to_picture(o, face->box[0] + face->box[2]), y1 = to_picture(o, face->box[1] + face->box[3]);
    float arm = fminf(x1 - x0, y1 - y0) / 5;
    const float corners[4][4] = {{x0, y0, 1, 1}, {x1, y0, -1, 1}, {x0, y1, 1, -1}, {x1, y1, -1, -1}};
    char text[32];

    if (!isfinite(x0 + y0 + x1 + y1))
        return;
    /* A thin frame with strong corners hides less than a thick one. */
    tf_draw_line(c, x0, y0, x1, y0, o->ui, rgb, 110);
    tf_draw_line(c, x0, y1, x1, y1, o->ui, rgb, 110);
    tf_draw_line(c, x0, y0, x0, y1, o->ui, rgb, 110);
    tf_draw_line(c, x1, y0, x1, y1, o->ui, rgb, 110);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 4; i++) {
            const float *k = corners[i];
            float width = pass ? 2 * o->ui : 4 * o->ui;
            tf_draw_line(c, k[0], k[1], k[0] + k[2] * arm, k[1], width, pass ? rgb : 0, pass ? 256 : 110);
            tf_draw_line(c, k[0], k[1], k[0], k[1] + k[3] * arm, width, pass ? rgb : 0, pass ? 256 : 110);
        }

    snprintf(text, sizeof(text), "%u   %.0f %%", face->id, (double)(face->score * 100));
    int pad = (int)(5 * o->ui), cap = tf_font_cap_height(o->bold);
    struct tf_rect plate = {whole(x0), 0, tf_text_width(o->bold, text) + 2 * pad, cap + 2 * pad};
    /* Below the box: above it is the forehead, whose region must stay in sight. */
    plate.y = whole(y1) + (int)(5 * o->ui);
    if (plate.y + plate.h > c->clip.y + c->clip.h)
        plate.y = whole(y1) - plate.h - (int)(4 * o->ui);
    if (plate.x + plate.w > c->clip.x + c->clip.w)
        plate.x = c->clip.x + c->clip.w - plate.w;
    plate.x = plate.x < c->clip.x ? c->clip.x : plate.x;
    tf_draw_plate(c, plate, 3 * o->ui, rgb, 230);
    tf_text_draw(c, o->bold, plate.x + pad, plate.y + pad + cap, text, TF_SHADE, 0);
    take(labels, &plate);
}

static bool outline_centre(const struct tf_overlay *o, const struct tf_outline *outline, float *x, float *y)
{
    float sx = 0, sy = 0;

    if (outline->n < 3 || outline->n > TF_REGION_OUTLINE_MAX)
        return false;
    for (uint32_t i = 0; i < outline->n; i++) {
        sx += outline->xy[i][0];
        sy += outline->xy[i][1];
    }
    *x = to_picture(o, sx / (float)outline->n);
    *y = to_picture(o, sy / (float)outline->n);
    return isfinite(*x) && isfinite(*y);
}

/* First what all lines stand out from, then the lines themselves. */
_Static_assert(TF_REGION_OUTLINE_MAX <= TF_OUTLINE_MAX, "a region is drawn whole");

static void draw_outlines(struct tf_overlay *o, const struct tf_canvas *c, const struct tf_outline *lines,
                          const struct tf_region_stats *stats, uint32_t count)
{
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t r = 0; r < count; r++) {
            const struct tf_outline *line = lines + r;
            bool valid = stats[r].valid;
            float points[TF_REGION_OUTLINE_MAX][2];
            if (line->n < 3 || line->n > TF_REGION_OUTLINE_MAX)
                continue;
            for (uint32_t i = 0; i < line->n; i++)
                for (int k = 0; k < 2; k++)
                    points[i][k] = to_picture(o, line->xy[i][k]);
            tf_draw_outline(c, points, (int)line->n, pass ? 1.2f * o->ui : 2.8f * o->ui,
                            pass ? valid ? REGION_INK : REGION_DIM : 0,
                            pass    ? valid ? 245 : 120
                            : valid ? 150
                                    : 70);
        }
}

static void write_value(char text[16], const struct tf_region_stats *stats, bool celsius)
{
    if (celsius)
        snprintf(text, 16, "%.1f °C", (double)stats->mean);
    else
        snprintf(text, 16, "%.0f", (double)stats->mean);
}

#define COLUMN_MAX (TF_REGIONS + TF_OWN_MAX)
struct label {
    const char *name;
    float x, y; /* what it names */
    int at;     /* the row's middle after sorting out */
    char value[16];
};

/* Rows that want to stand at their regions' heights, pushed apart to `step` and kept inside top..bottom. */
static int spread(struct label *labels, int n, int step, int top, int bottom)
{
    int room = (bottom - top) / (step ? step : 1);

    for (int i = 1; i < n; i++) /* insertion sort by height: few labels */
        for (int k = i; k > 0 && labels[k].y < labels[k - 1].y; k--) {
            struct label swap = labels[k];
            labels[k] = labels[k - 1];
            labels[k - 1] = swap;
        }
    n = n < room ? n : room;
    if (n <= 0)
        return 0;
    /* The column keeps its middle: pushed down from the top, then shifted back by the mean of the push. */
    float shift = 0;
    for (int i = 0; i < n; i++) {
        labels[i].at = whole(labels[i].y);
        if (i && labels[i].at < labels[i - 1].at + step)
            labels[i].at = labels[i - 1].at + step;
        shift += (float)(labels[i].at - whole(labels[i].y));
    }
    int move = -(int)(shift / (float)n);
    if (labels[0].at + move < top + step / 2)
        move = top + step / 2 - labels[0].at;
    if (labels[n - 1].at + move > bottom - step / 2)
        move = bottom - step / 2 - labels[n - 1].at;
    for (int i = 0; i < n; i++)
        labels[i].at += move;
    /* Of a column taller than the picture the first rows would stick out: pack it from the top. */
    for (int i = 0; i < n; i++)
        if (labels[i].at < top + step / 2 + i * step)
            labels[i].at = top + step / 2 + i * step;
    return n;
}

static void draw_column(struct tf_overlay *o, const struct tf_canvas *c, struct label *column, int n,
                        bool left, int edge, bool names, struct labels *labels)
{
    int pad = (int)(4 * o->ui), cap = tf_font_cap_height(o->small), step = cap + 2 * pad + (int)(2 * o->ui);
    int wide = 0, name_wide = 0;

    n = spread(column, n, step, c->clip.y, c->clip.y + c->clip.h);
    for (int i = 0; i < n; i++) {
        int w = tf_text_width(o->small, column[i].value);
        int m = names ? tf_text_width(o->small, column[i].name) + (int)(6 * o->ui) : 0;
        wide = w > wide ? w : wide;
        name_wide = m > name_wide ? m : name_wide;
    }
    wide += name_wide + 2 * pad;
    int x = left ? edge - wide : edge;
    x = x + wide > c->clip.x + c->clip.w ? c->clip.x + c->clip.w - wide : x;
    x = x < c->clip.x ? c->clip.x : x;

    for (int i = 0; i < n; i++) {
        struct tf_rect plate = {x, column[i].at - step / 2, wide, step - (int)(2 * o->ui)};
        int base = plate.y + pad + cap;
        float tip = (float)(left ? plate.x + plate.w : plate.x), middle = (float)plate.y + (float)plate.h / 2;

        if (!is_free(labels, &plate))
            continue;
        take(labels, &plate);
        tf_draw_line(c, tip, middle, column[i].x, column[i].y, 2.2f * o->ui, 0, 60);
        tf_draw_line(c, tip, middle, column[i].x, column[i].y, 1.0f * o->ui, REGION_INK, 130);
        tf_draw_disc(c, column[i].x, column[i].y, 1.6f * o->ui, REGION_INK, 230);
        tf_draw_plate(c, plate, 3 * o->ui, TF_SHADE, 180);
        if (names)
            tf_text_draw(c, o->small, plate.x + pad, base, column[i].name, TF_INK_DIM, 0);
        tf_text_draw(c, o->small, plate.x + wide - pad - tf_text_width(o->small, column[i].value), base,
                     column[i].value, TF_INK, 0);
    }
}

static void draw_labels(struct tf_overlay *o, const struct tf_canvas *c, const struct tf_face *face,
                        const struct tf_own_result *own, uint32_t number, bool celsius, struct labels *labels)
{
    struct label columns[2][COLUMN_MAX];
    int n[2] = {0, 0}, gap = (int)(10 * o->ui);
    int left = whole(to_picture(o, face->box[0])) - gap,
        right = whole(to_picture(o, face->box[0] + face->box[2])) + gap;

    for (int r = 0; r < TF_REGIONS; r++) {
        const struct tf_region_stats *stats = face->regions + r;
        struct label *l = &columns[!on_left[r]][n[!on_left[r]]];
        if (!stats->valid || !isfinite(stats->mean) || !outline_centre(o, face->outlines + r, &l->x, &l->y))
            continue;
        l->name = short_names[r];
        write_value(l->value, stats, celsius);
        n[!on_left[r]]++;
    }
    for (uint32_t r = 0; own && r < own->names.faces; r++) {
        const struct tf_region_stats *stats = &own->face[number][r];
        struct label l = {.name = own->names.face[r]};
        bool side;

        if (!stats->valid || !isfinite(stats->mean) ||
            !outline_centre(o, &own->face_outlines[number][r], &l.x, &l.y))
            continue;
        side = l.x > to_picture(o, face->box[0] + face->box[2] / 2);
        write_value(l.value, stats, celsius);
        columns[side][n[side]++] = l;
    }
    /* Names when there is room for them beside the face, else the numbers alone. */
    int wanted = tf_text_width(o->small, "periorbital  -20.0 °C") + (int)(10 * o->ui);
    bool names = left >= wanted && c->clip.w - right >= wanted;
    draw_column(o, c, columns[0], n[0], true, left, names, labels);
    draw_column(o, c, columns[1], n[1], false, right, names, labels);
}

static void draw_points(struct tf_overlay *o, const struct tf_canvas *c, const struct tf_face *face,
                        uint32_t rgb)
{
    const struct tf_point *points =
        o->options.filtered && face->filtered && face->from != TF_POINTS_FROM_VISIBLE ? face->points_filtered
                                                                                      : tf_face_points(face);
    float size = fmaxf(face->box[2], face->box[3]) * (float)o->factor;
    /* Dots of about a hundredth of the face: a small face's must not run together. */
    float radius = fmaxf(1.1f, fminf(size / 110, 2.4f * o->ui));

    for (size_t k = 0; o->options.lines && k < TF_COUNT(contours); k++)
        for (int i = contours[k].first; i <= contours[k].last; i++) {
            int next = i < contours[k].last ? i + 1 : contours[k].closed ? contours[k].first : i;
            tf_draw_line(c, to_picture(o, points[i].x), to_picture(o, points[i].y),
                         to_picture(o, points[next].x), to_picture(o, points[next].y), 1.0f * o->ui, rgb,
                         140);
        }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < TF_POINTS; i++) {
            float x = to_picture(o, points[i].x), y = to_picture(o, points[i].y);
            if (!pass)
                tf_draw_disc(c, x, y, radius + 1.1f * o->ui, 0, 170);
            else if (points[i].confidence >= 0.5f)
                tf_draw_disc(c, x, y, radius, rgb, 256);
            else /* a guess: hollow */
                tf_draw_ring(c, x, y, radius, fmaxf(0.8f, radius * 0.5f), rgb, 200);
        }
}

/* To the subject's left, up, straight ahead: the colours that x, y and z have everywhere. */
static const uint32_t axis_colours[3] = {0xff5a4d, 0x7ee04b, 0x5aa9ff};

/* From the nose's root, half a face long. The one towards the viewer is drawn last. */
static void draw_pose(const struct tf_overlay *o, const struct tf_canvas *c, const struct tf_face *face)
{
    const float radians = (float)M_PI / 180;
    float a = -face->pose.pitch * radians, b = -face->pose.yaw * radians, t = face->pose.roll * radians;
    float ca = cosf(a), sa = sinf(a), cb = cosf(b), sb = sinf(b), ct = cosf(t), st = sinf(t);
    /* Columns of Rx(a) Ry(b) Rz(t), that of y turned upwards and that of z towards the viewer. */
    const float axes[3][2] = {
        {cb * ct, ca * st + ct * sa * sb}, {cb * st, -ca * ct + sa * sb * st}, {-sb, cb * sa}};
    const struct tf_point *root = &tf_face_points(face)[27];
    float x = to_picture(o, root->x), y = to_picture(o, root->y);
    float length = 0.5f * fmaxf(face->box[2], face->box[3]) * (float)o->factor;

    if (!isfinite(x + y + length + ca + cb + ct))
        return;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 3; i++)
            tf_draw_line(c, x, y, x + length * axes[i][0], y + length * axes[i][1],
                         pass ? 2 * o->ui : 4 * o->ui, pass ? axis_colours[i] : 0, pass ? 256 : 110);
}

/* By enum tf_part; skin only a little, so that its own temperatures stay legible. */
static const struct {
    uint32_t rgb;
    unsigned alpha;
} part_tints[TF_PARTS] = {[TF_PART_SKIN] = {0xffffff, 24},
                          [TF_PART_BROWS] = {0xb18cff, 110},
                          [TF_PART_EYES] = {0x5aa9ff, 110},
                          [TF_PART_NOSE] = {0x7ee04b, 90},
                          [TF_PART_MOUTH] = {0xff6ad5, 100}};

/* Two rows of a tile from x, y on, as far as they lie in `r`. */
static void tint(const struct tf_overlay *o, const struct tf_canvas *c, const struct tf_mask *mask,
                 const struct tf_rect *r, int x, int y)
{
    int n = x + TF_COVER < r->x + r->w ? TF_COVER : r->x + r->w - x;
    uint8_t parts[2][TF_COVER] = {{0}};
    unsigned seen = 0;

    for (int row = 0; row < 2; row++)
        for (int i = 0; i < n; i++) {
            if (x + i < r->x || y + row < r->y || y + row >= r->y + r->h)
                continue;
            enum tf_part part = tf_mask_at(mask, ((float)(x + i) + 0.5f) / (float)o->factor - 0.5f,
                                           ((float)(y + row) + 0.5f) / (float)o->factor - 0.5f);
            parts[row][i] = (uint8_t)part;
            seen |= 1u << part;
        }
    for (int part = 0; part < TF_PARTS; part++) {
        uint16_t cover[2][TF_COVER];
        if (part == TF_PART_BACKGROUND || !(seen >> part & 1))
            continue;
        for (int row = 0; row < 2; row++)
            for (int i = 0; i < TF_COVER; i++)
                cover[row][i] = parts[row][i] == part ? (uint16_t)part_tints[part].alpha : 0;
        tf_cover_blend(c->picture, x, y, n, cover[0], cover[1], part_tints[part].rgb);
    }
}

static void draw_mask(struct tf_overlay *o, const struct tf_canvas *c, const struct tf_mask *mask)
{
    float half_x = mask->step_x / 2, half_y = mask->step_y / 2;

    if (mask->width == 0 || !(mask->step_x > 0) || !(mask->step_y > 0))
        return;
    int x0 = whole(to_picture(o, mask->x - half_x)), y0 = whole(to_picture(o, mask->y - half_y));
    struct tf_rect r = {x0, y0,
                        whole(to_picture(o, mask->x + (float)mask->width * mask->step_x - half_x)) - x0,
                        whole(to_picture(o, mask->y + (float)mask->height * mask->step_y - half_y)) - y0};
    if (!tf_rect_clip(&r, &c->clip))
        return;
    for (int y = r.y & ~1; y < r.y + r.h; y += 2)
        for (int x = r.x & ~1; x < r.x + r.w; x += TF_COVER)
            tint(o, c, mask, &r, x, y);
}

/* Name and value of a region of the picture stand above it, or below where there is no room. */
static void draw_areas(struct tf_overlay *o, const struct tf_canvas *c, const struct tf_own_result *own,
                       bool celsius, struct labels *labels)
{
    int pad = (int)(4 * o->ui), cap = tf_font_cap_height(o->small), h = cap + 2 * pad;

    draw_outlines(o, c, own->area_outlines, own->area, own->names.areas);
    for (uint32_t r = 0; r < own->names.areas; r++) {
        const struct tf_outline *line = &own->area_outlines[r];
        float left = INFINITY, top = INFINITY, bottom = -INFINITY;
        char value[16] = "–";
        struct tf_rect plate;
        int name;

        for (uint32_t i = 0; i < line->n && i < TF_REGION_OUTLINE_MAX; i++) {
            left = fminf(left, to_picture(o, line->xy[i][0]));
            top = fminf(top, to_picture(o, line->xy[i][1]));
            bottom = fmaxf(bottom, to_picture(o, line->xy[i][1]));
        }
        if (!isfinite(left + top + bottom))
            continue;
        if (own->area[r].valid)
            write_value(value, &own->area[r], celsius);
        name = tf_text_width(o->small, own->names.area[r]) + (int)(6 * o->ui);
        plate = (struct tf_rect){whole(left), whole(top) - h - (int)(3 * o->ui),
                                 name + tf_text_width(o->small, value) + 2 * pad, h};
        if (plate.y < c->clip.y)
            plate.y = whole(bottom) + (int)(3 * o->ui);
        if (plate.y + h > c->clip.y + c->clip.h)
            plate.y = c->clip.y + c->clip.h - h;
        if (plate.x + plate.w > c->clip.x + c->clip.w)
            plate.x = c->clip.x + c->clip.w - plate.w;
        plate.x = plate.x < c->clip.x ? c->clip.x : plate.x;
        if (!is_free(labels, &plate))
            continue;
        take(labels, &plate);
        tf_draw_plate(c, plate, 3 * o->ui, TF_SHADE, 180);
        tf_text_draw(c, o->small, plate.x + pad, plate.y + pad + cap, own->names.area[r], TF_INK_DIM, 0);
        tf_text_draw(c, o->small, plate.x + pad + name, plate.y + pad + cap, value, TF_INK, 0);
    }
}

void tf_faces_draw(struct tf_overlay *o, const struct tf_faces *faces, const struct tf_own_result *own,
                   bool celsius)
{
    struct tf_canvas c = tf_canvas_of(o, &o->image);
    uint32_t count = !faces ? 0 : faces->count < TF_FACES_MAX ? faces->count : TF_FACES_MAX;
    struct labels labels = {.count = 0};

    for (uint32_t i = count; i-- > 0;) { /* the largest on top */
        const struct tf_face *face = faces->faces + i;
        uint32_t rgb = face_colours[(face->id ? face->id - 1 : 0) % TF_COUNT(face_colours)];
        if (o->options.masks)
            draw_mask(o, &c, &face->mask);
        if (o->options.boxes)
            draw_box(o, &c, face, rgb, &labels);
        if (o->options.regions)
            draw_outlines(o, &c, face->outlines, face->regions, TF_REGIONS);
        if (o->options.regions && own)
            draw_outlines(o, &c, own->face_outlines[i], own->face[i], own->names.faces);
        if (o->options.points)
            draw_points(o, &c, face, rgb);
        if (o->options.pose)
            draw_pose(o, &c, face);
    }
    for (uint32_t i = 0; i < count && o->options.regions; i++)
        draw_labels(o, &c, faces->faces + i, own, i, celsius, &labels);
    if (own && o->options.regions)
        draw_areas(o, &c, own, celsius, &labels);
}
