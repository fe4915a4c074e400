/*
 * A recording as a source: the frames of its raw video (or of its segments, in order), with what its
 * table says of each: stamps, counters, losses, flags. Matroska keeps milliseconds only; the table has the
 * nanoseconds. A row without a frame is a frame without a picture, marked as skipped.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/internal.h"

#define PATH_BYTES 4096
#define LINE_MAX_BYTES (1u << 20) /* our longest row is some 100 kB */
#define SEGMENTS_MAX 9999

enum column {
    FRAME,
    SEQUENCE,
    COUNTER,
    T_MONO,
    T_UTC,
    T_FROM,
    STATE,
    FLAGS,
    SENSOR,
    DROPPED_DRIVER,
    DROPPED_CAPTURE,
    DROPPED_INFERENCE,
    LATENCY,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {
    "frame",     "sequence", "camera_counter", "t_mono_ns",      "t_utc",           "t_from",
    "state",     "flags",    "sensor_c",       "dropped_driver", "dropped_capture", "dropped_inference",
    "latency_us"};
#define CELLS_MAX 32 /* the columns that are read stand among the first ones */

struct replay {
    struct tf_source source; /* first */
    char *stem;
    struct tf_source *video;
    struct tf_source_options options; /* for the next segment; without strings */
    char format[64];
    unsigned segment;      /* number of the one that is open; 0 = a single file */
    struct tf_pool *empty; /* frames without a picture */
    FILE *table;
    char *line;
    size_t line_size;
    uint64_t row;
    int place[COLUMNS];
    int clock_from_end; /* commas from the clock's columns to the row's end; 0: an older table without them */
    struct tf_clock_sync clock; /* of the row that was read */
    bool has_row;               /* cells of a row that has not been delivered yet */
    char *cells[CELLS_MAX];
    int64_t video_frame, next_frame;
};

static void name_video(const struct replay *s, unsigned segment, char path[PATH_BYTES])
{
    if (segment)
        snprintf(path, PATH_BYTES, "%s_split-%04u_video.mkv", s->stem, segment);
    else
        snprintf(path, PATH_BYTES, "%s_video.mkv", s->stem);
}

static int open_video(struct replay *s, unsigned segment, struct tf_error *err)
{
    struct tf_source_options o = s->options;
    char path[PATH_BYTES];
    int r;

    name_video(s, segment, path);
    o.url = path;
    o.format = *s->format ? s->format : NULL;
    tf_source_close(s->video);
    s->video = NULL;
    r = tf_source_open_by(tf_file_open, &o, path, &s->video, err);
    if (r == 0 && s->source.running)
        r = tf_source_start(s->video, err);
    if (r == 0)
        s->segment = segment;
    return r;
}

/* --- the table --- */

static int split(char *line, char *cells[CELLS_MAX])
{
    int n = 0;

    for (; line && n < CELLS_MAX; n++)
        cells[n] = strsep(&line, ",\n");
    return n;
}

/* The clock's columns are among the last of some hundreds: they are found from the row's end. */
static int clock_from_end(const char *head)
{
    static const char columns[] = ",clock_synchronised,clock_error_us,clock_max_error_us,";
    const char *at = strstr(head, columns);
    int n = 0;

    for (; at && *at; at++)
        n += *at == ',';
    return n;
}

static struct tf_clock_sync read_clock(const struct replay *s, size_t size)
{
    struct tf_clock_sync ret = {0};
    unsigned synchronised, error_us, max_error_us;
    const char *at = s->line + size;
    int n = 0;

    while (at > s->line && n < s->clock_from_end)
        n += *--at == ',';
    if (!n || n < s->clock_from_end ||
        sscanf(at, ",%1u,%10u,%10u,", &synchronised, &error_us, &max_error_us) != 3 || synchronised > 1 ||
        error_us > TF_CLOCK_ERROR_MAX_US || max_error_us > TF_CLOCK_ERROR_MAX_US)
        return ret;
    return (struct tf_clock_sync){
        .known = true, .synchronised = synchronised, .error_us = error_us, .max_error_us = max_error_us};
}

static int read_head(struct replay *s, struct tf_error *err)
{
    ssize_t n = getline(&s->line, &s->line_size, s->table);
    char *cells[CELLS_MAX];
    int count;

    if (n < 13 || strcmp(s->line + n - 13, ",video_frame\n") != 0)
        return tf_fail(err, -EINVAL, "%s_frames.csv: not a session's table of frames", s->stem);
    s->clock_from_end = clock_from_end(s->line);
    count = split(s->line, cells);
    for (int c = 0; c < COLUMNS; c++) {
        s->place[c] = -1;
        for (int i = 0; i < count; i++)
            if (strcmp(cells[i], column_names[c]) == 0)
                s->place[c] = i;
        if (s->place[c] < 0)
            return tf_fail(err, -EINVAL, "%s_frames.csv: column %s is missing", s->stem, column_names[c]);
    }
    return 0;
}

static const char *cell(const struct replay *s, enum column c)
{
    return s->cells[s->place[c]];
}

static uint64_t number(const struct replay *s, enum column c)
{
    return strtoull(cell(s, c), NULL, 10);
}

/* "2026-03-01T10:15:30.123456Z" */
static bool read_utc(const char *text, int64_t *ret)
{
    struct tm tm = {0};
    unsigned us;
    int used = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6uZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &us, &used) != 7 ||
        text[used] || tm.tm_year < 1678 || tm.tm_year > 2261 || /* what 64 bits of nanoseconds hold */
        tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
        tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret = (int64_t)timegm(&tm) * TF_NS_PER_S + (int64_t)us * 1000;
    return true;
}

static bool read_flags(char *text, uint32_t *ret)
{
    *ret = 0;
    for (char *word; (word = strsep(&text, " "));) {
        unsigned bit = 0;

        if (!*word)
            continue;
        while (bit < TF_FLAG_COUNT && strcmp(word, tf_flag_name(bit)) != 0)
            bit++;
        if (bit == TF_FLAG_COUNT)
            return false;
        *ret |= 1u << bit;
    }
    return true;
}

static bool read_stamp(const char *text, enum tf_stamp *ret)
{
    for (int i = TF_STAMP_ARRIVAL; i <= TF_STAMP_FILE; i++)
        if (strcmp(text, tf_stamp_name((enum tf_stamp)i)) == 0) {
            *ret = (enum tf_stamp)i;
            return true;
        }
    return false;
}

/* The next row's cells. A last line without an end is what a crash left: not a row. */
static enum tf_next read_row(struct replay *s, struct tf_error *err)
{
    ssize_t n = getline(&s->line, &s->line_size, s->table);
    const char *last;
    char *end;

    if (n <= 0 || s->line[n - 1] != '\n')
        return TF_NEXT_END;
    s->row++;
    last = strrchr(s->line, ',');
    if (n > (ssize_t)LINE_MAX_BYTES || !last)
        goto bad;
    s->video_frame = -1;
    if (last[1] != '\n') {
        s->video_frame = strtoll(last + 1, &end, 10);
        if (*end != '\n' || s->video_frame != s->next_frame) {
            tf_fail(err, -EINVAL, "%s_frames.csv: row %llu: video_frame is not %lld", s->stem,
                    (unsigned long long)s->row, (long long)s->next_frame);
            return TF_NEXT_ERROR;
        }
    }
    s->clock = read_clock(s, (size_t)n);
    if (split(s->line, s->cells) < CELLS_MAX)
        goto bad;
    s->has_row = true;
    return TF_NEXT_FRAME;
bad:
    tf_fail(err, -EINVAL, "%s_frames.csv: row %llu is damaged", s->stem, (unsigned long long)s->row);
    return TF_NEXT_ERROR;
}

static bool apply(const struct replay *s, struct tf_frame *f)
{
    bool damaged = f->flags & TF_FLAG_CORRUPT;
    char flags[256];

    f->past = (struct tf_past){
        .valid = true,
        .skipped = s->video_frame < 0 || strcmp(cell(s, STATE), "skipped") == 0,
        .frame = number(s, FRAME),
        .dropped_capture = number(s, DROPPED_CAPTURE),
        .dropped_inference = number(s, DROPPED_INFERENCE),
        .latency_us = *cell(s, LATENCY) ? (int64_t)number(s, LATENCY) : -1,
        .video_frame = s->video_frame,
        .clock = s->clock,
    };
    f->sequence = number(s, SEQUENCE);
    f->has_camera_counter = *cell(s, COUNTER) != '\0';
    f->camera_counter = f->has_camera_counter ? number(s, COUNTER) : 0;
    f->t_mono_ns = number(s, T_MONO);
    f->sensor_c = *cell(s, SENSOR) ? strtof(cell(s, SENSOR), NULL) : NAN;
    f->dropped_driver = number(s, DROPPED_DRIVER);
    snprintf(flags, sizeof(flags), "%s", cell(s, FLAGS));
    if (!read_flags(flags, &f->flags) || !read_stamp(cell(s, T_FROM), &f->stamp) ||
        !read_utc(cell(s, T_UTC), &f->t_utc_ns))
        return false;
    /* What has been damaged since has to show. */
    if (damaged)
        f->flags |= TF_FLAG_CORRUPT;
    return true;
}

/* --- the source --- */

static enum tf_next next_picture(struct replay *s, int timeout_ms, struct tf_frame **ret,
                                 struct tf_error *err)
{
    enum tf_next next = tf_source_next(s->video, timeout_ms, ret, err);

    while (next == TF_NEXT_END && s->segment && s->segment < SEGMENTS_MAX) {
        char path[PATH_BYTES];

        name_video(s, s->segment + 1, path);
        if (access(path, F_OK) < 0)
            break;
        if (open_video(s, s->segment + 1, err) < 0)
            return TF_NEXT_ERROR;
        next = tf_source_next(s->video, timeout_ms, ret, err);
    }
    if (next == TF_NEXT_FRAME)
        s->next_frame++;
    return next;
}

static enum tf_next replay_next(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                                struct tf_error *err)
{
    struct replay *s = (struct replay *)source;
    enum tf_next next = TF_NEXT_FRAME;
    struct tf_frame *f = NULL;

    if (!s->has_row)
        next = read_row(s, err);
    if (next != TF_NEXT_FRAME)
        return next;
    if (s->video_frame >= 0) {
        next = next_picture(s, timeout_ms, &f, err);
        if (next != TF_NEXT_FRAME)
            return next;
    } else {
        f = tf_pool_get(s->empty);
        if (!f)
            return TF_NEXT_TIMEOUT;
        f->radiometry = source->info.radiometry;
    }
    s->has_row = false;
    if (!apply(s, f)) {
        tf_frame_unref(f);
        tf_fail(err, -EINVAL, "%s_frames.csv: row %llu is damaged", s->stem, (unsigned long long)s->row);
        return TF_NEXT_ERROR;
    }
    *ret = f;
    return TF_NEXT_FRAME;
}

static int replay_start(struct tf_source *source, struct tf_error *err)
{
    return tf_source_start(((struct replay *)source)->video, err);
}

static void replay_stop(struct tf_source *source)
{
    struct replay *s = (struct replay *)source;

    if (s->video)
        tf_source_stop(s->video);
}

static void replay_close(struct tf_source *source)
{
    struct replay *s = (struct replay *)source;

    tf_source_close(s->video);
    tf_pool_destroy(s->empty);
    if (s->table)
        fclose(s->table);
    free(s->line);
    free(s->stem);
    free(s);
}

/* Rows, for the progress. */
static uint64_t count_rows(FILE *table)
{
    static _Thread_local char buffer[65536];
    uint64_t lines = 0;
    size_t n;

    while ((n = fread(buffer, 1, sizeof(buffer), table)) > 0)
        for (const char *c = buffer; (c = memchr(c, '\n', n - (size_t)(c - buffer))); c++)
            lines++;
    rewind(table);
    return lines ? lines - 1 : 0;
}

int tf_replay_open(const struct tf_source_options *options, const char *stem, struct tf_source **ret,
                   struct tf_error *err)
{
    static const struct tf_source_ops ops = {
        .start = replay_start, .stop = replay_stop, .next = replay_next, .close = replay_close};
    struct tf_pool_options pool = {.frames = options->frames};
    char path[PATH_BYTES];
    struct replay *s;
    int r;

    if (strlen(stem) > PATH_BYTES - 64)
        return tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", stem);
    s = calloc(1, sizeof(*s));
    if (!s)
        return tf_fail(err, -ENOMEM, "%s: out of memory", stem);
    s->source.ops = &ops;
    s->options = *options;
    s->options.url = s->options.format = s->options.raw = s->options.stream = NULL;
    s->options.pace = TF_PACE_FAST;
    s->options.limit = 0;
    s->options.loop = false;
    s->options.frozen = false; /* the table says */
    snprintf(s->format, sizeof(s->format), "%s", options->format ? options->format : "");
    s->stem = strdup(stem);
    r = s->stem ? tf_pool_create(&pool, &s->empty) : -ENOMEM;
    if (r < 0) {
        tf_fail(err, r, "%s: out of memory", stem);
        goto fail;
    }
    snprintf(path, sizeof(path), "%s_frames.csv", stem);
    s->table = fopen(path, "re");
    if (!s->table) {
        r = tf_fail(err, -errno, "%s: %s", path, strerror(errno));
        goto fail;
    }
    s->source.info.frames = count_rows(s->table);
    r = read_head(s, err);
    if (r < 0)
        goto fail;
    name_video(s, 0, path);
    r = open_video(s, access(path, F_OK) == 0 ? 0 : 1, err);
    if (r < 0)
        goto fail;
    {
        uint64_t rows = s->source.info.frames;

        s->source.info = *tf_source_info(s->video);
        s->source.info.frames = options->limit && options->limit < rows ? options->limit : rows;
    }
    s->source.info.kind = "recording";
    *ret = &s->source;
    return 0;

fail:
    replay_close(&s->source);
    return r;
}
