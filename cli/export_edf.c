/*
 * thermoface export --to edf: the region temperatures at a steady rate, and the marks, as EDF+C.
 *
 * Format: Kemp and others 1992 (EDF), Kemp and Olivan 2003 (EDF+). A sample is the mean of the valid frames
 * within its time, as in the physio table; nothing is interpolated. EDF has no "not a number": the digital
 * value -32768, which no temperature has, stands for "no value", and an annotation says where that is and of
 * which signals. The step of a digital value is a power of ten that the whole range fits in, so that nothing
 * is clipped: 0.001 for a face's temperatures, which is what the tables have. Annotations are written whole
 * (libedf cuts them at 40 bytes).
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/count.h"
#include "cli/commands.h"
#include "cli/export.h"
#include "cli/signals.h"

#define RATE_DEFAULT 5
#define SIGNALS_MAX (TF_SIGNAL_REGIONS_MAX + 3)
#define SECONDS_MAX (7 * 86400.0)
#define NO_VALUE (-32768)
#define TAL_BYTES_MIN 64
#define LABEL_BYTES 16

struct signal {
    char label[LABEL_BYTES + 1], name[80], unit[9];
    double *sum;
    uint32_t *count;
    double low, high;      /* of the samples */
    double floor_at, step; /* physical = floor_at + (digital + 32768) * step */
    int decimals;
    bool counts_frames;
};

struct note {
    double onset, duration; /* duration NAN: none */
    char *text;
};

struct edf {
    struct tf_export_item *item;
    struct tf_export_file out;
    struct tf_signals *table;
    FILE *file;
    unsigned rate;
    double begin; /* seconds since the session's start that the file begins at */
    double utc;   /* of that moment, seconds since 1970; NAN: not known */
    double part;  /* of a second: the first record's onset */
    size_t bins, room;
    struct signal signals[SIGNALS_MAX];
    int count;
    struct note *notes;
    size_t note_count;
    size_t tal_bytes, records;
    uint64_t rows, before, outside;
};

/* --- samples --- */

static int add_note(struct edf *x, double onset, double duration, const char *text)
{
    struct note *more = x->notes;

    if ((x->note_count & (x->note_count - 1)) == 0)
        more = realloc(more, (x->note_count ? 2 * x->note_count : 1) * sizeof(*more));
    if (!more)
        return -ENOMEM;
    x->notes = more;
    more[x->note_count] = (struct note){.onset = onset, .duration = duration, .text = strdup(text)};
    if (!more[x->note_count].text)
        return -ENOMEM;
    /* Bytes that separate annotations. */
    for (char *c = more[x->note_count].text; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    x->note_count++;
    return 0;
}

/* At most 16 characters, ASCII, and no two alike. */
static void name_signal(struct edf *x, struct signal *s, const char *name, const char *unit)
{
    static const char *const sides[][2] = {{"_right", "_R"}, {"_left", "_L"}};
    char text[128];
    size_t n;

    snprintf(text, sizeof(text), "%s", name);
    for (size_t i = 0; i < 2 && strlen(text) > LABEL_BYTES; i++) {
        char *at = strstr(text, sides[i][0]);

        if (at && !at[strlen(sides[i][0])])
            memcpy(at, sides[i][1], 3);
    }
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '_';
    snprintf(s->label, sizeof(s->label), "%s", text);
    for (int i = 0, number = 2; i < x->count; i++)
        if (strcmp(x->signals[i].label, s->label) == 0) {
            char end[12];

            n = (size_t)snprintf(end, sizeof(end), "~%d", number++);
            snprintf(s->label, sizeof(s->label), "%.*s%s", (int)(LABEL_BYTES - n), text, end);
            i = -1;
        }
    snprintf(s->name, sizeof(s->name), "%s", name);
    snprintf(s->unit, sizeof(s->unit), "%s", unit);
    s->low = INFINITY;
    s->high = -INFINITY;
}

static void add_signal(struct edf *x, const char *name, const char *unit)
{
    name_signal(x, &x->signals[x->count], name, unit);
    x->count++;
}

static int grow(struct edf *x, size_t bins)
{
    size_t room = x->room ? x->room : 1024;

    while (room < bins)
        room *= 2;
    for (int i = 0; i < x->count && room > x->room; i++) {
        struct signal *s = &x->signals[i];
        double *sum = realloc(s->sum, room * sizeof(*sum));
        uint32_t *count = sum ? realloc(s->count, room * sizeof(*count)) : NULL;

        s->sum = sum ? sum : s->sum;
        s->count = count ? count : s->count;
        if (!sum || !count)
            return -ENOMEM;
        memset(sum + x->room, 0, (room - x->room) * sizeof(*sum));
        memset(count + x->room, 0, (room - x->room) * sizeof(*count));
    }
    x->room = room > x->room ? room : x->room;
    x->bins = bins > x->bins ? bins : x->bins;
    return 0;
}

static double utc_of(const char *text)
{
    struct tm tm = {0};
    int used = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &used) != 5 ||
        !used)
        return NAN;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (double)timegm(&tm) + strtod(text + used, NULL);
}

static void add_value(struct signal *s, size_t bin, double value)
{
    if (!isfinite(value))
        return;
    s->sum[bin] += value;
    s->count[bin]++;
}

/* A stretch of time with a flag of its own: the shutter. */
struct stretch {
    const char *flag, *text;
    double from, to;
    bool open;
};

static int end_stretch(struct edf *x, struct stretch *s)
{
    bool was = s->open;

    s->open = false;
    return was ? add_note(x, s->from - x->begin, s->to - s->from, s->text) : 0;
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *c = words; (c = strstr(c, word)); c += n)
        if ((c == words || c[-1] == ' ') && (!c[n] || c[n] == ' '))
            return true;
    return false;
}

static int take_row(struct edf *x, const struct tf_signal_row *row, struct stretch stretches[2],
                    struct tf_error *err)
{
    const struct tf_export_options *o = x->item->options;
    int regions = tf_signals_regions(x->table), r;
    double at = row->t - x->begin;
    size_t bin;

    if (row->t < x->begin || row->t > o->until) {
        x->before += row->t < x->begin && isnan(o->from);
        return 0;
    }
    if (isnan(x->utc))
        x->utc = utc_of(row->utc) - at;
    if (at > SECONDS_MAX)
        return tf_fail(err, -EFBIG,
                       "%s: a row is %.0f days after the start: take a part of it (--from, --until)",
                       tf_signals_path(x->table), at / 86400);
    /* A moment within 1 ns of a boundary is on it: onsets are written to the microsecond. */
    bin = (size_t)floor(at * x->rate + 1e-9 * x->rate);
    r = grow(x, bin + 1);
    for (int i = 0; r == 0 && i < regions; i++)
        add_value(&x->signals[i], bin, (double)row->mean[i]);
    if (r == 0) {
        add_value(&x->signals[regions], bin, (double)row->difference);
        add_value(&x->signals[regions + 1], bin, (double)row->breathing);
        x->signals[regions + 2].sum[bin] += strcmp(row->state, "ok") == 0;
    }
    for (int i = 0; r == 0 && i < 2; i++) {
        struct stretch *s = &stretches[i];

        if (!has_word(row->flags, s->flag)) {
            s->to = s->open ? row->t : s->to;
            r = end_stretch(x, s);
            continue;
        }
        s->from = s->open ? s->from : row->t;
        s->to = row->t;
        s->open = true;
    }
    x->rows++;
    return r < 0 ? tf_fail(err, r, "%s: out of memory", x->item->stem) : 0;
}

static int read_table(struct edf *x, struct tf_error *err)
{
    struct stretch stretches[2] = {{"ffc", "shutter closed", 0, 0, false},
                                   {"ffc_settling", "temperatures settle after the shutter", 0, 0, false}};
    struct tf_signal_row row;
    int r = 0;

    while (r == 0 && !tf_interrupted() && tf_signals_next(x->table, &row))
        r = take_row(x, &row, stretches, err);
    for (int i = 0; r == 0 && i < 2; i++)
        r = end_stretch(x, &stretches[i]);
    if (r == 0 && tf_interrupted())
        return tf_fail(err, -ECANCELED, "%s: stopped before the end; nothing is left of it", x->item->stem);
    if (r == 0 && !x->rows)
        return tf_fail(err, -ENODATA, "%s: no row is in %s", tf_signals_path(x->table),
                       tf_signals_damaged(x->table) ? "it that can be read" : "the range that is asked for");
    return r;
}

static int open_table(struct edf *x, struct tf_error *err)
{
    bool celsius = x->item->about.celsius || !x->item->described;
    const char *unit = celsius ? "degC" : "count";
    int r = tf_signals_open(x->item->folder, x->item->stem, x->item->about.t_start_ns, &x->table, err);

    if (r < 0)
        return r;
    for (int i = 0; i < tf_signals_regions(x->table); i++)
        add_signal(x, tf_signals_region(x->table, i), unit);
    add_signal(x, "nose_forehead", unit);
    snprintf(x->signals[x->count - 1].name, sizeof(x->signals[0].name), "nose tip minus forehead");
    add_signal(x, "breathing", "1/min");
    snprintf(x->signals[x->count - 1].name, sizeof(x->signals[0].name), "breathing rate, by the nostrils");
    add_signal(x, "frames", "");
    snprintf(x->signals[x->count - 1].name, sizeof(x->signals[0].name), "frames with a face in the sample");
    x->signals[x->count - 1].counts_frames = true;
    return 0;
}

/* --- scale --- */

static bool has_value(const struct signal *s, size_t bin)
{
    return s->counts_frames || s->count[bin];
}

static double sample(const struct signal *s, size_t bin)
{
    return s->counts_frames ? s->sum[bin] : s->sum[bin] / s->count[bin];
}

/* Floor and step such that all samples have a digital value above -32768, and both ends fit eight characters.
 */
static void scale(struct edf *x, struct signal *s)
{
    for (size_t i = 0; i < x->bins; i++)
        if (has_value(s, i)) {
            s->low = fmin(s->low, sample(s, i));
            s->high = fmax(s->high, sample(s, i));
        }
    if (s->low > s->high)
        s->low = s->high = 0;
    s->step = s->counts_frames ? 1 : 0.001;
    s->decimals = s->counts_frames ? 0 : 3;
    for (;; s->step *= 10, s->decimals -= s->decimals > 0) {
        char low[64], high[64];
        /* Whole numbers: the floor is exact in the header. */
        s->floor_at = floor(s->low) - fmax(1, s->step);
        if (s->step > 1)
            s->floor_at = floor(s->floor_at / s->step) * s->step;
        snprintf(low, sizeof(low), "%.*f", s->decimals, s->floor_at);
        snprintf(high, sizeof(high), "%.*f", s->decimals, s->floor_at + 65535 * s->step);
        if (s->high <= s->floor_at + 65535 * s->step && strlen(low) <= 8 && strlen(high) <= 8)
            return;
    }
}

static int digital(const struct signal *s, size_t bin)
{
    return has_value(s, bin) ? (int)lround((sample(s, bin) - s->floor_at) / s->step) - 32768 : NO_VALUE;
}

/* --- what is not there, and marks --- */

static int say_missing(struct edf *x, size_t from, size_t to)
{
    char text[1024] = "no value:";
    int missing = 0, regions = tf_signals_regions(x->table);

    for (int i = 0; i < x->count; i++)
        if (!has_value(&x->signals[i], from)) {
            if (i < regions)
                missing++;
            snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", x->signals[i].label);
        }
    if (strcmp(text, "no value:") == 0)
        return 0;
    if (missing == regions)
        snprintf(text, sizeof(text), "no value: all regions");
    return add_note(x, (double)from / x->rate, (double)(to - from) / x->rate, text);
}

static bool same_missing(const struct edf *x, size_t a, size_t b)
{
    for (int i = 0; i < x->count; i++)
        /* Breathing needs half a minute: its beginning says so itself. */
        if (has_value(&x->signals[i], a) != has_value(&x->signals[i], b))
            return false;
    return true;
}

static int add_missing(struct edf *x)
{
    size_t from = 0;
    int r = 0;

    for (size_t i = 1; r == 0 && i <= x->bins; i++)
        if (i == x->bins || !same_missing(x, from, i)) {
            r = say_missing(x, from, i);
            from = i;
        }
    /* The last record is filled up. */
    if (r == 0 && x->records * x->rate > x->bins)
        r = add_note(x, (double)x->bins / x->rate, (double)(x->records * x->rate - x->bins) / x->rate,
                     "no value: after the recording's end");
    return r;
}

static int add_marks(struct edf *x)
{
    struct tf_export_event *events;
    int n = tf_export_events(x->item, &events), r = n < 0 ? n : 0;

    for (int i = 0; r == 0 && i < n; i++) {
        const struct tf_export_event *e = &events[i];
        char *text = NULL;

        if (e->onset < x->begin || e->onset >= x->begin + (double)x->records ||
            e->onset > x->item->options->until) {
            x->outside++;
            continue;
        }
        if (asprintf(&text, *e->value ? "%s [%s]" : "%s", *e->type ? e->type : "mark", e->value) < 0)
            r = -ENOMEM;
        else
            r = add_note(x, e->onset - x->begin, e->duration > 0 ? e->duration : NAN, text);
        free(text);
    }
    tf_export_events_free(events, n);
    return r;
}

static int by_onset(const void *a, const void *b)
{
    const struct note *x = a, *y = b;

    return (x->onset > y->onset) - (x->onset < y->onset);
}

/* --- the file --- */

/* "+12.5" and a duration, without what is no digit needed. */
static size_t put_number(char *to, size_t size, const char *sign, double value)
{
    int n = snprintf(to, size, "%s%.6f", sign, value);

    while (to[n - 1] == '0')
        n--;
    if (to[n - 1] == '.')
        n--;
    to[n] = '\0';
    return (size_t)n;
}

/* One annotation as EDF+ has it; returns its bytes. */
static size_t put_tal(const struct edf *x, const struct note *note, char *to, size_t size)
{
    size_t n = put_number(to, size, "+", note->onset + x->part);

    if (!isnan(note->duration)) {
        to[n++] = 0x15;
        n += put_number(to + n, size - n, "", note->duration);
    }
    return n + (size_t)snprintf(to + n, size - n, "\x14%s\x14", note->text) + 1; /* with its zero */
}

/* What a record has in its annotations' place: the record's own time, then what of the notes fits. */
static size_t fill_tals(const struct edf *x, size_t record, size_t next, size_t bytes, char *to)
{
    char one[16384];
    size_t used = put_number(to, 64, "+", (double)record + x->part);

    memcpy(to + used, "\x14\x14", 3);
    used += 3;
    while (next < x->note_count && x->notes[next].onset < (double)(record + 1)) {
        size_t n = put_tal(x, &x->notes[next], one, sizeof(one));

        if (used + n > bytes)
            break;
        memcpy(to + used, one, n);
        used += n;
        next++;
    }
    memset(to + used, 0, bytes - used);
    return next;
}

/* How many bytes of annotations each record needs so that all find a place, in their own record or a later
 * one.
 */
static int size_tals(struct edf *x)
{
    for (x->tal_bytes = TAL_BYTES_MIN; x->tal_bytes < 4u << 20; x->tal_bytes *= 2) {
        char *room = malloc(x->tal_bytes + 128);
        size_t next = 0;

        if (!room)
            return -ENOMEM;
        for (size_t i = 0; i < x->records; i++)
            next = fill_tals(x, i, next, x->tal_bytes, room);
        free(room);
        if (next == x->note_count)
            return 0;
    }
    return -EFBIG;
}

static void field(char **to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void field(char **to, size_t size, const char *format, ...)
{
    char text[256];
    va_list args;
    size_t n;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    n = strnlen(text, size);
    for (size_t i = 0; i < n; i++) /* the header is ASCII */
        (*to)[i] = (unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e ? '_' : text[i];
    memset(*to + n, ' ', size - n);
    *to += size;
}

/* The label that stands in a name, "sub-07_"; "X" without one. */
static void label_of(const char *stem, const char *entity, char ret[80])
{
    const char *at = strstr(stem, entity);

    snprintf(ret, 80, "%.*s", at ? (int)strcspn(at + strlen(entity), "_") : 1,
             at ? at + strlen(entity) : "X");
}

static int write_header(struct edf *x)
{
    static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                         "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
    int ns = x->count + 1;
    size_t bytes = 256 * (size_t)(ns + 1);
    char *header = malloc(bytes), *to = header, subject[80], session[80], camera[80];
    time_t seconds = isnan(x->utc) ? 0 : (time_t)floor(x->utc);
    struct tm tm = {0};
    int r = 0;

    if (!header || !gmtime_r(&seconds, &tm)) {
        free(header);
        return -ENOMEM;
    }
    label_of(x->item->stem, "sub-", subject);
    label_of(x->item->stem, "ses-", session);
    label_of(x->item->stem, "_recording-", camera);
    field(&to, 8, "0");
    field(&to, 80, "%s X X X", subject);
    /* Two digits of a year mean 1985 to 2084; without a date it is said so. */
    if (isnan(x->utc) || tm.tm_year < 85 || tm.tm_year > 184) {
        field(&to, 80, "Startdate X %s X thermoface_%s", session, camera);
        field(&to, 8, "01.01.85");
        field(&to, 8, "00.00.00");
    } else {
        field(&to, 80, "Startdate %02d-%s-%04d %s X thermoface_%s", tm.tm_mday, months[tm.tm_mon],
              tm.tm_year + 1900, session, camera);
        field(&to, 8, "%02d.%02d.%02d", tm.tm_mday, tm.tm_mon + 1, tm.tm_year % 100);
        field(&to, 8, "%02d.%02d.%02d", tm.tm_hour, tm.tm_min, tm.tm_sec % 60);
    }
    field(&to, 8, "%zu", bytes);
    field(&to, 44, "EDF+C");
    field(&to, 8, "%zu", x->records);
    field(&to, 8, "1");
    field(&to, 4, "%d", ns);
    for (int i = 0; i < ns; i++)
        field(&to, 16, "%s", i < x->count ? x->signals[i].label : "EDF Annotations");
    for (int i = 0; i < ns; i++)
        field(&to, 80, "%s", i < x->count ? x->signals[i].name : "");
    for (int i = 0; i < ns; i++)
        field(&to, 8, "%s", i < x->count ? x->signals[i].unit : "");
    for (int i = 0; i < ns; i++)
        field(&to, 8, "%.*f", i < x->count ? x->signals[i].decimals : 0,
              i < x->count ? x->signals[i].floor_at : -1);
    for (int i = 0; i < ns; i++)
        field(&to, 8, "%.*f", i < x->count ? x->signals[i].decimals : 0,
              i < x->count ? x->signals[i].floor_at + 65535 * x->signals[i].step : 1);
    for (int i = 0; i < ns; i++)
        field(&to, 8, "-32768");
    for (int i = 0; i < ns; i++)
        field(&to, 8, "32767");
    for (int i = 0; i < ns; i++)
        field(&to, 80, "%s",
              i < x->count ? "mean of the valid frames of a sample; digital -32768: no value" : "");
    for (int i = 0; i < ns; i++)
        field(&to, 8, "%zu", i < x->count ? x->rate : x->tal_bytes / 2);
    for (int i = 0; i < ns; i++)
        field(&to, 32, "%s", "");
    if (fwrite(header, 1, bytes, x->file) != bytes)
        r = errno ? -errno : -EIO;
    free(header);
    return r;
}

static int write_records(struct edf *x)
{
    char *room = malloc(x->tal_bytes + 128);
    size_t next = 0;
    int r = room ? 0 : -ENOMEM;

    for (size_t k = 0; r == 0 && k < x->records; k++) {
        for (int i = 0; i < x->count; i++)
            for (size_t j = k * x->rate; j < (k + 1) * x->rate; j++) {
                int v = j < x->bins ? digital(&x->signals[i], j) : NO_VALUE;

                putc(v & 0xff, x->file);
                putc(v >> 8 & 0xff, x->file);
            }
        next = fill_tals(x, k, next, x->tal_bytes, room);
        if (fwrite(room, 1, x->tal_bytes, x->file) != x->tal_bytes)
            r = errno ? -errno : -EIO;
    }
    free(room);
    return r;
}

static int write_all(struct edf *x, struct tf_error *err)
{
    char path[TF_EXPORT_PATH + 600];
    int r;

    x->records = (x->bins + x->rate - 1) / x->rate;
    x->part = isnan(x->utc) ? 0 : floor((x->utc - floor(x->utc)) * 1e6) / 1e6;
    for (int i = 0; i < x->count; i++)
        scale(x, &x->signals[i]);
    r = add_missing(x);
    if (r == 0)
        r = add_marks(x);
    if (r == 0) {
        if (x->notes)
            qsort(x->notes, x->note_count, sizeof(*x->notes), by_onset);
        r = size_tals(x);
    }
    if (r < 0)
        return tf_fail(err, r, "%s: %s", x->item->stem,
                       r == -EFBIG ? "more annotations than an EDF file can have" : "out of memory");
    r = tf_export_path(x->item, ".edf", path, sizeof(path), err);
    if (r == 0)
        r = tf_export_file_begin(&x->out, path, x->item->options->overwrite, err);
    if (r < 0)
        return r;
    errno = 0;
    x->file = fopen(x->out.part, "we");
    r = x->file ? write_header(x) : -errno;
    if (r == 0)
        r = write_records(x);
    if (x->file && fclose(x->file) == EOF && r == 0)
        r = -errno;
    return r < 0 ? tf_export_file_failed(&x->out, r, err) : tf_export_file_commit(&x->out, err);
}

int tf_export_edf(struct tf_export_item *item, struct tf_error *err)
{
    struct edf *x = calloc(1, sizeof(*x));
    double physio = (double)item->about.physio_rate;
    int r;

    if (!x)
        return tf_fail(err, -ENOMEM, "%s: out of memory", item->stem);
    x->item = item;
    x->utc = NAN;
    x->begin = item->options->from > 0 ? item->options->from : 0;
    /* A record is a second long and has a whole number of samples. */
    x->rate = item->options->rate                      ? (unsigned)item->options->rate
              : physio >= 1 && floor(physio) == physio ? (unsigned)physio
                                                       : RATE_DEFAULT;
    r = open_table(x, err);
    if (r == 0)
        r = read_table(x, err);
    if (r == 0)
        r = write_all(x, err);
    if (r == 0 && tf_signals_damaged(x->table))
        snprintf(item->note, sizeof(item->note), "; damaged rows are left out");
    if (r == 0 && x->before)
        snprintf(item->note + strlen(item->note), sizeof(item->note) - strlen(item->note),
                 "; %llu rows from before the session's start are left out", (unsigned long long)x->before);
    if (r == 0 && x->outside)
        snprintf(item->note + strlen(item->note), sizeof(item->note) - strlen(item->note),
                 "; %llu mark%s outside its time, and %s left out", (unsigned long long)x->outside,
                 x->outside == 1 ? " lies" : "s lie", x->outside == 1 ? "is" : "are");
    tf_export_file_abort(&x->out);
    tf_signals_close(x->table);
    for (int i = 0; i < x->count; i++) {
        free(x->signals[i].sum);
        free(x->signals[i].count);
    }
    for (size_t i = 0; i < x->note_count; i++)
        free(x->notes[i].text);
    free(x->notes);
    free(x);
    return r;
}
