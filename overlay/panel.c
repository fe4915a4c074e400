/* Scale bar, clock strip, banner, and the card of a camera that is away. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "overlay/internal.h"

/* The round step (1, 2 or 5 times a power of ten) that gives at most `most` ticks. */
static double tick_step(double span, int most)
{
    double step = pow(10, floor(log10(span / most)));

    if (span / step > most)
        step *= 2;
    if (span / step > most)
        step *= 2.5;
    if (span / step > most)
        step *= 2;
    return step;
}

/* The palette's entry for a row of the bar, from its bottom to its top. */
static uint32_t bar_colour(const struct tf_overlay *o, int row, int rows)
{
    return o->colours[TF_COLOURS_ZERO + ((rows - 1 - row) * 255 + (rows - 1) / 2) / (rows - 1)];
}

/* Two rows at a time where they share their chroma. */
static void draw_gradient(const struct tf_overlay *o, const struct tf_canvas *c, const struct tf_rect *bar)
{
    for (int y = 0, n; y < bar->h; y += n) {
        n = !c->picture->data && (bar->y + y) % 2 == 0 && y + 1 < bar->h ? 2 : 1;
        tf_draw_rect(c, (struct tf_rect){bar->x, bar->y + y, bar->w, n}, bar_colour(o, y, bar->h), 256);
    }
}

/* What the bar is to show: the unit, and ticks with their texts. False: nothing. */
static bool tell_bar(const struct tf_overlay *o, const struct tf_frame *frame, const struct tf_rect *bar,
                     struct tf_bar_shown *ret)
{
    if (!o->bar.w || !o->options.scale_bar || !frame || tf_pixel_is_colour(frame->pixel) || bar->h < 32)
        return false;
    ret->celsius = frame->radiometry.valid;
    double low = (double)o->range.low, high = (double)o->range.high;
    if (ret->celsius) {
        low = low * (double)frame->radiometry.scale + (double)frame->radiometry.offset;
        high = high * (double)frame->radiometry.scale + (double)frame->radiometry.offset;
    }
    if (!(high > low) || !isfinite(low) || !isfinite(high))
        return false;

    int most = bar->h / (int)(44 * o->ui);
    double step = tick_step(high - low, most < 2 ? 2 : most);
    int decimals = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
    double first = ceil(low / step);
    for (int i = 0; i < TF_TICKS && (first + i) * step <= high; i++) {
        double value = (first + i) * step;
        ret->ticks[i].y = bar->y + (int)lround((high - value) / (high - low) * (bar->h - 1));
        snprintf(ret->ticks[i].text, sizeof(ret->ticks[i].text), "%.*f", decimals, value + 0.0);
        ret->count = i + 1;
    }
    return true;
}

void tf_bar_draw(struct tf_overlay *o, const struct tf_frame *frame)
{
    struct tf_canvas c = tf_canvas_of(o, NULL);
    struct tf_rect room = o->bar;
    struct tf_bar_shown now;

    /* An odd frame's picture has a column more than it needs. */
    room.w = (int)o->picture.width - room.x;
    if (!o->bar.w)
        room = (struct tf_rect){o->image.w, 0, (int)o->picture.width - o->image.w, o->image.h};

    int cap = tf_font_cap_height(o->normal), small = tf_font_cap_height(o->small);
    int unit_y = (int)(12 * o->ui) + cap;
    struct tf_rect bar = {room.x + (int)(10 * o->ui), unit_y + (int)(12 * o->ui), (int)(14 * o->ui), 0};
    bar.h = room.h - bar.y - (int)(14 * o->ui);
    memset(&now, 0, sizeof(now)); /* compared as bytes */
    now.drawn = true;
    now.scale = tell_bar(o, frame, &bar, &now);
    /* It stands until it changes, unless the frame's last column shares its chroma. */
    if (!(o->image.w & 1) && memcmp(&now, &o->bar_shown, sizeof(now)) == 0)
        return;
    o->bar_shown = now;
    tf_draw_rect(&c, room, TF_PANEL, 256);
    if (!now.scale)
        return;
    tf_text_draw(&c, o->normal, bar.x, unit_y, now.celsius ? "°C" : "counts", TF_INK, 0);
    tf_draw_rect(&c, (struct tf_rect){bar.x - 1, bar.y - 1, bar.w + 2, bar.h + 2}, TF_INK_DIM, 256);
    draw_gradient(o, &c, &bar);
    for (int i = 0; i < now.count; i++) {
        int y = now.ticks[i].y;
        tf_draw_rect(&c, (struct tf_rect){bar.x + bar.w + 1, y, (int)(4 * o->ui), (int)o->ui}, TF_INK_DIM,
                     256);
        tf_text_draw(&c, o->small, bar.x + bar.w + (int)(8 * o->ui), y + (small + 1) / 2, now.ticks[i].text,
                     TF_INK, 0);
    }
}

/* "2026-03-01 10:15:30.123 UTC", or only the first 19 characters and UTC. */
static void say_time(int64_t t_utc_ns, bool milliseconds, char *text, size_t size)
{
    char full[TF_UTC_TEXT];

    tf_utc_format(t_utc_ns, full);
    snprintf(text, size, "%.10s %.*s UTC", full, milliseconds ? 12 : 8, full + 11);
}

/* One row when number, name, time, frame and rate fit beside each other; else the time goes above. */
static bool strip_one_row(const struct tf_overlay *o, int width)
{
    int text = tf_text_width(o->bold, "thermal-cam") +
               tf_text_width(o->normal, "2026-03-01 10:15:30.123 UTC") +
               tf_text_width(o->normal, "frame 0000000") + tf_text_width(o->normal, "60.0 fps");

    return width >= tf_number_right() + text + (int)(5 * 14 * o->ui);
}

int tf_strip_height(const struct tf_overlay *o, int width)
{
    int row = ((int)(32 * o->ui) + 7) & ~7;

    return strip_one_row(o, width) ? row : row + (((int)(24 * o->ui) + 7) & ~7);
}

/* Adds texts side by side between left and right, the first at the left, the last at the right, the rest
 * evenly between. */
static void add_row(struct tf_strip_shown *s, const struct tf_text_cell cells[], int n, int left, int right,
                    int base)
{
    int widths[TF_CELLS], total = 0, used = 0;

    for (int i = 0; i < n; i++) {
        widths[i] = tf_text_width(cells[i].font, cells[i].text);
        total += widths[i];
        used += widths[i] > 0;
    }
    int gap = used > 1 ? (right - left - total) / (used - 1) : 0;
    for (int i = 0, x = left; i < n; i++) {
        if (!widths[i])
            continue;
        if (x > right) /* no room at all */
            break;
        struct tf_text_cell *cell = &s->cells[s->count++];
        cell->font = cells[i].font;
        cell->rgb = cells[i].rgb;
        cell->x = x;
        cell->base = base;
        cell->width = widths[i];
        snprintf(cell->text, sizeof(cell->text), "%s", cells[i].text);
        x += widths[i] + (gap > 4 ? gap : 4);
    }
}

static struct tf_text_cell cell_of(const struct tf_font *font, uint32_t rgb, const char *text)
{
    struct tf_text_cell cell = {.font = font, .rgb = rgb};

    snprintf(cell.text, sizeof(cell.text), "%s", text);
    return cell;
}

static void tell_strip(const struct tf_overlay *o, const struct tf_overlay_note *note,
                       struct tf_strip_shown *ret)
{
    char when[48], frame[40], rate[24] = "";
    bool number = tf_number_fits(o->picture.width);

    say_time(note->t_utc_ns, true, when, sizeof(when));
    snprintf(frame, sizeof(frame), "frame %llu", (unsigned long long)note->frame);
    if (note->fps > 0 && note->fps < 10000)
        snprintf(rate, sizeof(rate), "%.1f fps", (double)note->fps);

    const struct tf_text_cell cells[] = {cell_of(o->bold, TF_INK, note->camera ? note->camera : ""),
                                         cell_of(o->normal, TF_INK, when), cell_of(o->normal, TF_INK, frame),
                                         cell_of(o->normal, TF_INK_DIM, rate)};
    int pad = (int)(10 * o->ui), cap = tf_font_cap_height(o->normal), row = ((int)(32 * o->ui) + 7) & ~7;
    int left = number ? tf_number_right() + (int)(14 * o->ui) : pad, right = (int)o->picture.width - pad;
    int bottom = (int)o->picture.height - row + (row + cap) / 2;
    if (number && row == 32)
        bottom = (int)o->picture.height - 16 + cap / 2; /* level with the blocks */
    if (o->strip.h == row) {
        add_row(ret, cells, 4, left, right, bottom);
    } else {
        int upper = o->strip.y + (int)(24 * o->ui) / 2 + cap / 2 + (int)(2 * o->ui);
        add_row(ret, cells, 2, pad, right, upper);
        add_row(ret, cells + 2, 2, left, right, bottom);
    }
}

/* Whether the same texts' places can be written on: only texts themselves have changed. */
static bool same_places(const struct tf_strip_shown *a, const struct tf_strip_shown *b)
{
    if (!a->drawn || !b->drawn || a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++)
        if (a->cells[i].x != b->cells[i].x || a->cells[i].width != b->cells[i].width)
            return false;
    return true;
}

/* With room for what hangs below the line and stands above capitals; whole samples of chroma. */
static void clear(const struct tf_canvas *c, const struct tf_text_cell *cell, int cap)
{
    int x = (cell->x - 1) & ~1, y = (cell->base - cap - cap / 2) & ~1;
    int right = (cell->x + cell->width + 2) & ~1, bottom = (cell->base + cap / 2 + 1) & ~1;

    tf_draw_rect(c, (struct tf_rect){x, y, right - x, bottom - y}, TF_PANEL, 256);
}

void tf_strip_draw(struct tf_overlay *o, const struct tf_overlay_note *note)
{
    struct tf_canvas c = tf_canvas_of(o, NULL);
    struct tf_rect rest = {0, o->image.h, (int)o->picture.width, (int)o->picture.height - o->image.h};
    bool clock = o->strip.h && o->options.clock, kept;
    struct tf_strip_shown now = {.drawn = true};

    if (clock)
        tell_strip(o, note, &now);
    kept = !(o->image.h & 1) && same_places(&now, &o->strip_shown);
    if (!kept)
        tf_draw_rect(&c, rest, TF_PANEL, 256);
    if (clock && tf_number_fits(o->picture.width))
        tf_number_draw(&c, note->frame);
    for (int i = 0; i < now.count; i++) {
        const struct tf_text_cell *cell = now.cells + i;
        int cap = tf_font_cap_height(cell->font);
        if (kept && strcmp(cell->text, o->strip_shown.cells[i].text) == 0)
            continue;
        if (kept)
            clear(&c, cell, cap);
        tf_text_draw(&c, cell->font, cell->x, cell->base, cell->text, cell->rgb, 0);
    }
    o->strip_shown = now;
}

/* How long it has lasted: "4.2 s", "3 min 12 s", "2 h 5 min". */
static void say_duration(const struct tf_overlay_note *note, char *text, size_t size)
{
    int64_t ns;

    if (__builtin_sub_overflow(note->t_utc_ns, note->since_utc_ns, &ns) || ns < 0)
        ns = 0;
    int64_t s = ns / TF_NS_PER_S;
    if (s < 60)
        snprintf(text, size, "%.1f s", (double)ns * 1e-9);
    else if (s < 3600)
        snprintf(text, size, "%lld min %lld s", (long long)s / 60, (long long)s % 60);
    else
        snprintf(text, size, "%lld h %lld min", (long long)s / 3600, (long long)s / 60 % 60);
}

#define RED 0xe5484du
#define AMBER 0xf5a524u
#define BLUE 0x4aa3f0u

/* The most important thing to say, or false. */
static bool banner_text(const struct tf_frame *f, const struct tf_overlay_note *note, const char **title,
                        char *detail, size_t size, uint32_t *rgb)
{
    char when[48], time[32];

    detail[0] = 0;
    say_time(note->since_utc_ns, false, when, sizeof(when));
    say_duration(note, time, sizeof(time));
    if (note->banner == TF_BANNER_NO_SIGNAL) {
        *title = "No signal";
        *rgb = RED;
        if (note->since_utc_ns)
            snprintf(detail, size, "since %s (%s)", when, time);
    } else if (f->flags & TF_FLAG_CORRUPT) {
        *title = "Damaged frame";
        *rgb = RED;
    } else if (f->flags & TF_FLAG_FFC) {
        *title = "Shutter calibration";
        *rgb = AMBER;
        snprintf(detail, size, "the picture is not the scene");
    } else if (note->banner == TF_BANNER_STALE) {
        *title = "Picture stands still";
        *rgb = AMBER;
        if (note->since_utc_ns)
            snprintf(detail, size, "since %s (%s)", when + 11, time);
    } else if (f->flags & TF_FLAG_FFC_SETTLING) {
        *title = "Settling after calibration";
        *rgb = AMBER;
        snprintf(detail, size, "temperatures may step");
    } else if (f->flags & TF_FLAG_FFC_IMMINENT) {
        *title = "Shutter calibration imminent";
        *rgb = BLUE;
    } else if (note->banner == TF_BANNER_SKIPPED) {
        *title = "Not analysed";
        *rgb = BLUE;
        snprintf(detail, size, "inference is behind");
    } else if (f->flags & TF_FLAG_DUPLICATE) {
        *title = "Repeated frame";
        *rgb = BLUE;
    } else if (note->banner == TF_BANNER_TURN) {
        *title = "Wrong way up";
        *rgb = AMBER;
        snprintf(detail, size, "rotate=%u fits better", note->rotate);
    } else {
        return false;
    }
    return true;
}

void tf_banner_draw(struct tf_overlay *o, const struct tf_frame *f, const struct tf_overlay_note *note)
{
    struct tf_canvas c = tf_canvas_of(o, &o->image);
    int cap = tf_font_cap_height(o->bold), h = (int)(30 * o->ui), x = (int)(16 * o->ui);
    char detail[96];
    const char *title;
    uint32_t rgb;

    if (!banner_text(f, note, &title, detail, sizeof(detail), &rgb))
        return;
    tf_draw_rect(&c, (struct tf_rect){0, 0, o->image.w, h}, TF_SHADE, 205);
    tf_draw_rect(&c, (struct tf_rect){0, 0, (int)(6 * o->ui), h}, rgb, 256);
    x += tf_text_draw(&c, o->bold, x, (h + cap) / 2, title, rgb, 0) + (int)(12 * o->ui);
    /* What does not fit is left out rather than cut. */
    if (x + tf_text_width(o->normal, detail) <= o->image.w - (int)(6 * o->ui))
        tf_text_draw(&c, o->normal, x, (h + cap) / 2, detail, TF_INK, 0);
}

static void draw_centred(const struct tf_canvas *c, const struct tf_font *font, int middle, int base,
                         const char *text, uint32_t rgb)
{
    tf_text_draw(c, font, middle - tf_text_width(font, text) / 2, base, text, rgb, 0);
}

static void fill_stripes(const void *shape, int y, int *first, int *last, uint16_t *ret)
{
    int period = *(const int *)shape;

    for (int i = 0; i <= *last - *first; i++)
        ret[i] = (*first + i + y) % period < period / 2 ? 256 : 0;
}

void tf_card_draw(struct tf_overlay *o, const struct tf_overlay_note *note)
{
    struct tf_canvas c = tf_canvas_of(o, &o->image);
    int middle = o->image.w / 2, y = o->image.h / 2, line = (int)(26 * o->ui);
    char when[48], time[32], text[96];

    /* An odd size's last samples of chroma are shared with what is drawn after this. */
    struct tf_canvas all = tf_canvas_of(o, NULL);
    tf_draw_rect(&all, (struct tf_rect){0, 0, (o->image.w + 1) & ~1, (o->image.h + 1) & ~1}, 0x1c2125, 256);
    /* Slanting stripes: unlike any scene, and alive for the encoder at no cost, since they never change. */
    int period = (int)(48 * o->ui);
    tf_draw_shape(&c, o->image, fill_stripes, &period, 0x20262a);
    if (!o->options.banner)
        return;
    if (note->camera)
        draw_centred(&c, o->bold, middle, y - (int)(46 * o->ui), note->camera, TF_INK_DIM);
    draw_centred(&c, o->huge, middle, y, "No signal", RED);
    if (!note->since_utc_ns)
        return;
    say_time(note->since_utc_ns, false, when, sizeof(when));
    say_duration(note, time, sizeof(time));
    snprintf(text, sizeof(text), "since %s", when);
    draw_centred(&c, o->normal, middle, y + line + (int)(8 * o->ui), text, TF_INK);
    snprintf(text, sizeof(text), "for %s", time);
    draw_centred(&c, o->normal, middle, y + 2 * line + (int)(4 * o->ui), text, TF_INK_DIM);
}
