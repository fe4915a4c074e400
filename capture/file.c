/*
 * The file source: a file's pictures as a camera (at their recorded speed) or offline.
 *
 * Frames lend the decoder's pictures: a reference travels with the frame and is given up when the frame comes
 * back. Only pictures that no tf_pixel describes (RGB, 4:4:4, big-endian, planes that hold halves of values
 * …) are turned into frames with their own memory.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <linux/videodev2.h>

#include "base/clock.h"
#include "capture/av.h"
#include "capture/internal.h"
#include "capture/reader.h"

/* How far behind its time a frame may be delivered when a file plays a camera's part, in frames. */
#define QUEUE 4
/* The median of a picture of floats above this is kelvin: no scene is as hot in °C. */
#define KELVIN_ABOVE 150.0f

/* What frames hold on to; outlives the source until they are back. */
struct loan {
    size_t count;
    AVFrame **pictures; /* by frame index */
};

/* How a picture becomes a frame. */
enum how {
    LEND,
    COPY,    /* the same, other byte order, or lines that must lie close */
    CONVERT, /* to YUV420, by libswscale */
    WEAVE,   /* 16-bit values whose bytes lie in planes of 4:2:2 */
    FLOATS,  /* °C or kelvin to hundredths of a kelvin */
};

struct file {
    struct tf_source source; /* first */
    char *path;
    struct tf_reader *reader;
    AVFrame *current; /* read, not delivered yet */
    bool has_current;
    enum how how;
    struct SwsContext *convert;
    struct loan *loan;
    struct tf_lender *lender;
    enum AVPixelFormat av_format; /* of the first picture; a change is an error */
    int av_width, av_height;
    struct tf_rect raw;
    struct tf_radiometry radiometry; /* of a frame, unless its telemetry or its look says otherwise */
    bool fixed_scale;
    float float_scale, float_offset; /* FLOATS: value = picture * scale + offset */
    bool loop, touched;
    uint64_t current_index, current_ns;
    bool current_jump, current_damaged;
    uint64_t pass_ns;      /* where this pass through the file begins */
    uint64_t last_ns;      /* of the last picture, in this pass */
    uint64_t start_ns;     /* live: monotonic time of the first frame */
    int64_t utc_offset_ns; /* offline: to add to t_mono_ns */
};

static void loan_released(void *context, struct tf_frame *frame)
{
    struct loan *loan = context;

    av_frame_unref(loan->pictures[frame->index]);
}

static void loan_destroy(void *context)
{
    struct loan *loan = context;

    for (size_t i = 0; i < loan->count; i++)
        av_frame_free(&loan->pictures[i]);
    free(loan->pictures);
    free(loan);
}

static int loan_create(size_t count, struct loan **ret)
{
    struct loan *loan = calloc(1, sizeof(*loan));

    if (!loan)
        return -ENOMEM;
    loan->pictures = calloc(count, sizeof(*loan->pictures));
    for (; loan->pictures && loan->count < count; loan->count++) {
        loan->pictures[loan->count] = av_frame_alloc();
        if (!loan->pictures[loan->count])
            break;
    }
    if (loan->count < count) {
        loan_destroy(loan);
        return -ENOMEM;
    }
    *ret = loan;
    return 0;
}

/* Reads the next picture into `current`. */
static enum tf_next read_picture(struct file *s, struct tf_error *err)
{
    const struct tf_reader *r = s->reader;
    enum tf_next next = r->ops->next(s->reader, s->current, err);

    s->touched = true;
    if (next != TF_NEXT_FRAME)
        return next;
    if (s->av_format != AV_PIX_FMT_NONE &&
        (s->current->format != (int)s->av_format || s->current->width != s->av_width ||
         s->current->height != s->av_height)) {
        tf_fail(err, -EINVAL, "%s: the picture changes from %dx%d %s to %dx%d %s at frame %llu", s->path,
                s->av_width, s->av_height, av_get_pix_fmt_name(s->av_format), s->current->width,
                s->current->height, av_get_pix_fmt_name(s->current->format),
                (unsigned long long)r->picture.index);
        av_frame_unref(s->current);
        return TF_NEXT_ERROR;
    }
    s->current_ns = s->last_ns = r->picture.t_ns;
    s->current_index = r->picture.index;
    s->current_damaged = r->picture.damaged;
    s->current_jump = r->picture.jump;
    s->source.gap += r->picture.lost;
    s->has_current = true;
    return TF_NEXT_FRAME;
}

static int rewind_file(struct file *s)
{
    int r = s->reader->ops->rewind(s->reader);

    av_frame_unref(s->current);
    s->has_current = s->touched = false;
    s->last_ns = 0;
    return r;
}

static int file_start(struct tf_source *source, struct tf_error *err)
{
    struct file *s = (struct file *)source;

    /* Opening left the first picture read; any other start begins at the beginning again. */
    if ((s->touched && !(s->has_current && s->current_ns == 0)) && rewind_file(s) < 0)
        return tf_fail(err, -EIO, "%s: cannot be started again: the file cannot be sought in", s->path);
    s->pass_ns = 0;
    if (source->info.live) {
        s->start_ns = tf_now_ns();
    } else {
        s->start_ns = 0;
        s->utc_offset_ns = s->reader->utc_ns;
    }
    return 0;
}

static void file_stop(struct tf_source *source)
{
    (void)source;
}

/* 16-bit values that were taken for a picture of 4:2:2: luma is the one byte, chroma the other. */
static void weave(const AVFrame *picture, bool luma_first, struct tf_frame *f)
{
    int low = luma_first ? 0 : 1;

    for (int y = 0; y < picture->height; y++) {
        const uint8_t *luma = picture->data[0] + (ptrdiff_t)y * picture->linesize[0];
        const uint8_t *u = picture->data[1] + (ptrdiff_t)y * picture->linesize[1];
        const uint8_t *v = picture->data[2] + (ptrdiff_t)y * picture->linesize[2];
        uint8_t *to = f->plane[0] + (size_t)y * f->stride[0];

        for (int x = 0; x < picture->width; x++) {
            to[2 * x + low] = luma[x];
            to[2 * x + 1 - low] = x % 2 ? v[x / 2] : u[x / 2];
        }
    }
    f->width = (uint16_t)picture->width;
    f->height = (uint16_t)picture->height;
    f->pixel = TF_PIXEL_U16;
}

static float float_at(const AVFrame *picture, int x, int y)
{
    uint32_t bits;
    float v;

    memcpy(&bits, picture->data[0] + (ptrdiff_t)y * picture->linesize[0] + (ptrdiff_t)x * 4, 4);
    if ((picture->format == AV_PIX_FMT_GRAYF32BE) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
        bits = __builtin_bswap32(bits);
    memcpy(&v, &bits, 4);
    return v;
}

/* No number becomes 0, what lies beyond 16 bits their end: neither is a temperature in any row. */
static void from_floats(const struct file *s, const AVFrame *picture, struct tf_frame *f)
{
    for (int y = 0; y < picture->height; y++) {
        uint16_t *to = (uint16_t *)(void *)(f->plane[0] + (size_t)y * f->stride[0]);

        for (int x = 0; x < picture->width; x++) {
            float v = float_at(picture, x, y) * s->float_scale + s->float_offset;

            to[x] = !(v > 0) ? 0 : v >= 65535 ? 65535 : (uint16_t)lrintf(v);
        }
    }
    f->width = (uint16_t)picture->width;
    f->height = (uint16_t)picture->height;
    f->pixel = TF_PIXEL_U16;
}

static void fill(struct file *s, struct tf_frame *f)
{
    const AVFrame *picture = s->current;

    switch (s->how) {
    case LEND: {
        AVFrame *own = s->loan->pictures[f->index];

        av_frame_move_ref(own, s->current);
        tf_av_lend(own, f);
        return;
    }
    case COPY:
        tf_av_copy(picture, f);
        break;
    case CONVERT: {
        int strides[4] = {(int)f->stride[0], (int)f->stride[1], (int)f->stride[2], 0};
        uint8_t *planes[4] = {f->plane[0], f->plane[1], f->plane[2], NULL};

        f->width = (uint16_t)picture->width;
        f->height = (uint16_t)picture->height;
        f->pixel = TF_PIXEL_YUV420;
        f->full_range = s->source.info.full_range;
        sws_scale(s->convert, (const uint8_t *const *)picture->data, picture->linesize, 0, picture->height,
                  planes, strides);
        break;
    }
    case WEAVE:
        weave(picture, s->source.info.format->fourcc == V4L2_PIX_FMT_YUYV, f);
        break;
    case FLOATS:
        from_floats(s, picture, f);
    }
    av_frame_unref(s->current);
}

static void deliver(struct file *s, struct tf_frame *f)
{
    const struct tf_source_info *info = &s->source.info;

    f->radiometry = s->radiometry;
    fill(s, f);
    s->has_current = false;
    if (info->format->telemetry && f->height == info->format->height)
        tf_format_telemetry(info->format, f->plane[0], (size_t)f->stride[0] * f->height, f->stride[0],
                            s->fixed_scale, f);
    if (info->pixel == TF_PIXEL_U8 && s->source.number == 0 && tf_looks_like_palette(f))
        tf_source_note(&s->source, TF_NOTICE_PALETTE);
    if (info->pixel != f->pixel) { /* luma of a picture for people, or values inside one */
        f->pixel = info->pixel;
        f->plane[1] = f->plane[2] = NULL;
        f->stride[1] = f->stride[2] = 0;
    }
    tf_format_cut(info->format, &s->raw, f);
    if (s->current_damaged)
        f->flags |= TF_FLAG_CORRUPT;
    if (s->current_jump)
        f->flags |= TF_FLAG_GAP;
    f->sequence = s->current_index;
    f->t_mono_ns = s->start_ns + s->pass_ns + s->current_ns;
    f->t_utc_ns = (int64_t)f->t_mono_ns + s->utc_offset_ns;
    f->stamp = TF_STAMP_FILE;
}

static void lose_current(struct file *s)
{
    av_frame_unref(s->current);
    s->has_current = false;
    s->source.drops.capture++;
    s->source.capture_gap++;
}

static enum tf_next file_next(struct tf_source *source, int timeout_ms, struct tf_frame **ret,
                              struct tf_error *err)
{
    struct file *s = (struct file *)source;
    uint64_t called = tf_now_ns(), spare = UINT64_MAX, period = s->reader->period_ns;
    bool live = source->info.live;
    struct tf_frame *f;

    for (;;) {
        uint64_t due;

        if (!s->has_current) {
            enum tf_next next = read_picture(s, err);

            if (next == TF_NEXT_END && s->loop && s->touched) {
                s->pass_ns += s->last_ns + period;
                if (rewind_file(s) < 0) {
                    tf_fail(err, -EIO, "%s: cannot be looped: the file cannot be sought in", s->path);
                    return TF_NEXT_ERROR;
                }
                continue;
            }
            if (next != TF_NEXT_FRAME)
                return next;
        }
        due = s->start_ns + s->pass_ns + s->current_ns;
        if (live) {
            uint64_t now;

            if (!tf_source_wait_until(source, due, timeout_ms, called))
                return TF_NEXT_TIMEOUT;
            now = tf_now_ns();
            /* Catch up once a call, so that a slow decoder still shows something. */
            if (spare == UINT64_MAX)
                spare = now - due > QUEUE * period ? (now - due) / period - QUEUE : 0;
            if (spare) {
                spare--;
                lose_current(s);
                continue;
            }
        } else if (tf_source_take_wake(source)) {
            return TF_NEXT_TIMEOUT;
        }
        f = tf_pool_get(tf_lender_pool(s->lender));
        if (f)
            break;
        if (live)
            lose_current(s);
        else if (!tf_source_wait_until(source, tf_now_ns() + 1000000u, timeout_ms, called))
            return TF_NEXT_TIMEOUT;
    }
    deliver(s, f);
    *ret = f;
    return TF_NEXT_FRAME;
}

static void file_close(struct tf_source *source)
{
    struct file *s = (struct file *)source;

    if (s->lender)
        tf_lender_close(s->lender);
    else if (s->loan)
        loan_destroy(s->loan);
    sws_freeContext(s->convert);
    av_frame_free(&s->current);
    tf_reader_close(s->reader);
    free(s->path);
    free(s);
}

static int cannot_row(const struct file *s, const struct tf_format *row, const char *what,
                      struct tf_error *err)
{
    char size[64] = "of any size";

    if (row->width && row->raw.w)
        snprintf(size, sizeof(size), "of %ux%u or, the values alone, %ux%u", row->width, row->height,
                 row->raw.w, row->raw.h);
    else if (row->width)
        snprintf(size, sizeof(size), "of %ux%u", row->width, row->height);
    return tf_fail(err, -EINVAL, "%s: holds %s pictures; format %s needs %s pictures %s", s->path, what,
                   row->name, row->pixel == TF_PIXEL_U16 ? "16-bit" : "8-bit", size);
}

/* The row that the file's pictures are: named, or guessed where nothing else can be meant. */
static int choose_row(struct file *s, const struct tf_source_options *o, const char *what,
                      const struct tf_format **ret, struct tf_error *err)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(s->av_format);
    uint16_t w = (uint16_t)s->av_width, h = (uint16_t)s->av_height;
    bool packed = tf_reader_packed(s->av_format);
    enum tf_pixel pixel;

    if (!tf_av_pixel(s->av_format, &pixel))
        pixel = TF_PIXEL_YUV420;
    if (o->format) {
        *ret = tf_format_find(o->format);
        if (!tf_reader_row_fits(*ret, s->av_format, w, h))
            return cannot_row(s, *ret, what, err);
        if ((*ret)->pixel == TF_PIXEL_U16 && s->reader->lossy == TF_LOSS_ALWAYS)
            return tf_fail(
                err, -EINVAL,
                "%s: is packed by %s, which changes values: the temperatures in it are lost. Record "
                "with a codec that loses nothing, such as ffv1",
                s->path, s->reader->codec);
    } else if (s->how == FLOATS) {
        *ret = tf_format_find("centikelvin");
    } else if (pixel == TF_PIXEL_U16) {
        /* 10 to 14 bits are no hundredths of a kelvin: those need more. */
        *ret = s->reader->row               ? tf_format_find(s->reader->row)
               : d && d->comp[0].depth < 16 ? tf_format_find("y16")
                                            : tf_format_match(V4L2_PIX_FMT_Y16, w, h);
    } else if (pixel == TF_PIXEL_U8) {
        *ret = tf_format_find("grey");
    } else {
        bool values = packed && s->reader->lossy == TF_LOSS_NONE;

        *ret = tf_format_match(s->av_format == AV_PIX_FMT_UYVY422 ? V4L2_PIX_FMT_UYVY : V4L2_PIX_FMT_YUYV,
                               values ? w : 0, h);
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

/* What the floats of the first picture are. */
static void look_at_floats(struct file *s)
{
    float seen[256];
    size_t n = 0;

    for (int i = 0; i < 256; i++) {
        float v = float_at(s->current, (i % 16 * s->av_width + s->av_width / 2) / 16,
                           (i / 16 * s->av_height + s->av_height / 2) / 16);

        if (isfinite(v))
            seen[n++] = v;
    }
    qsort(seen, n, sizeof(seen[0]), by_value);
    s->float_scale = 100;
    s->float_offset = n && seen[n / 2] > KELVIN_ABOVE ? 0 : 27315;
    if (n && seen[0] >= 0 && seen[n - 1] <= 1) {
        s->float_scale = 65535;
        s->float_offset = 0;
        s->radiometry = (struct tf_radiometry){0};
        tf_source_note(&s->source, "floats from 0 to 1 are no temperatures: counts");
    }
}

static bool has_range_in_name(enum AVPixelFormat format)
{
    const char *name = av_get_pix_fmt_name(format);

    return name && strncmp(name, "yuvj", 4) == 0;
}

static int set_row(struct file *s, const struct tf_source_options *o, struct tf_error *err)
{
    struct tf_source_info *info = &s->source.info;
    uint16_t w = (uint16_t)s->av_width, h = (uint16_t)s->av_height;
    enum tf_pixel pixel = TF_PIXEL_YUV420;
    bool known = tf_av_pixel(s->av_format, &pixel) && s->current->linesize[0] > 0;
    const struct tf_format *row = NULL;
    char what[64];
    int r;

    snprintf(what, sizeof(what), "%dx%d %s", s->av_width, s->av_height, av_get_pix_fmt_name(s->av_format));
    s->how = !known ? CONVERT : tf_av_swapped(s->av_format) ? COPY : LEND;
    if (s->av_format == AV_PIX_FMT_GRAYF32LE || s->av_format == AV_PIX_FMT_GRAYF32BE)
        s->how = FLOATS;
    if (o->width && (o->width != w || o->height != h) && !o->accept_size)
        return tf_fail(err, -EINVAL, "%s: holds %s pictures, not the %ux%u asked for", s->path, what,
                       o->width, o->height);
    r = choose_row(s, o, what, &row, err);
    if (r)
        return r;
    if (s->how == FLOATS && strcmp(row->name, "centikelvin") != 0)
        return tf_fail(err, -EINVAL, "%s: holds temperatures as floats, which become row centikelvin, not %s",
                       s->path, row->name);
    if (row->pixel == TF_PIXEL_U16 && tf_reader_packed(s->av_format)) {
        bool planar = pixel == TF_PIXEL_YUV420;

        s->how = planar ? WEAVE : row->fold ? COPY : LEND;
    } else if (row->fold && s->how == LEND && w == row->width && h == row->height) {
        s->how = COPY; /* its lines must lie close */
    }
    s->raw = tf_format_raw(row, w, h);
    s->radiometry = tf_format_radiometry(row, o);
    if (s->how == FLOATS)
        look_at_floats(s);
    info->format = row;
    info->width = s->raw.w;
    info->height = s->raw.h;
    if (row->pixel == TF_PIXEL_U16 || row->pixel == TF_PIXEL_U8)
        info->pixel = row->pixel;
    else
        info->pixel = known ? pixel : TF_PIXEL_YUV420;
    /* Conversion gives pictures that bear it in their format's name ("yuvj") limited range, and others as
     * they are. */
    info->full_range =
        tf_av_full_range(s->current) && !(s->how == CONVERT && has_range_in_name(s->av_format));
    info->radiometry = s->radiometry;
    s->fixed_scale = o->scale != 0;
    if (info->pixel == TF_PIXEL_U16 && s->reader->lossy == TF_LOSS_ALWAYS)
        tf_source_note(&s->source, "%s changes values: they are not what the camera measured",
                       s->reader->codec);
    if (s->how == CONVERT) {
        s->convert =
            sws_getContext(w, h, s->av_format, w, h, AV_PIX_FMT_YUV420P, SWS_POINT, NULL, NULL, NULL);
        if (!s->convert)
            return tf_fail(err, -ENOTSUP, "%s: %s pictures cannot be converted", s->path, what);
    }
    return 0;
}

/* Own memory for frames that are not lent. */
static void set_pool(const struct file *s, struct tf_pool_options *pool)
{
    if (s->how == LEND)
        return;
    pool->width = (uint16_t)s->av_width;
    pool->height = (uint16_t)s->av_height;
    if (s->how == WEAVE || s->how == FLOATS)
        pool->pixel = TF_PIXEL_U16;
    else if (s->how == CONVERT || !tf_av_pixel(s->av_format, &pool->pixel))
        pool->pixel = TF_PIXEL_YUV420;
}

static void describe(struct file *s, const struct tf_source_options *options)
{
    struct tf_source_info *info = &s->source.info;
    const char *name = strrchr(s->path, '/');

    info->kind = "file";
    info->rotate = options->rotate;
    info->live = options->pace == TF_PACE_RECORDED;
    info->fps = (float)s->reader->rate;
    info->frames = options->loop ? 0 : s->reader->frames;
    if (options->limit && (!info->frames || options->limit < info->frames))
        info->frames = options->limit;
    snprintf(info->name, sizeof(info->name), "%s", name ? name + 1 : s->path);
    snprintf(info->identity, sizeof(info->identity), "%s", options->url);
    if (s->reader->notice[0])
        tf_source_note(&s->source, "%s", s->reader->notice);
    if (s->reader->rate_guessed && s->reader->frames != 1)
        tf_source_note(&s->source, "nothing in it says how fast it is: taken as %g frames/s",
                       s->reader->rate);
    /* Noise makes no two pictures alike, unless a codec has taken it away. */
    s->source.watch_frozen =
        options->frozen &&
        (info->pixel == TF_PIXEL_U16 || (info->pixel == TF_PIXEL_U8 && s->reader->lossy == TF_LOSS_NONE));
}

int tf_file_open(const struct tf_source_options *options, const char *path, struct tf_source **ret,
                 struct tf_error *err)
{
    static const struct tf_source_ops ops = {
        .start = file_start, .stop = file_stop, .next = file_next, .close = file_close};
    static const struct tf_lender_ops lender_ops = {loan_released, loan_destroy};
    struct tf_pool_options pool = {.frames = options->frames};
    struct tf_error inner = {0};
    enum tf_next next;
    struct file *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    s->source.ops = &ops;
    s->av_format = AV_PIX_FMT_NONE;
    s->loop = options->loop;
    s->path = strdup(path);
    s->current = av_frame_alloc();
    if (!s->path || !s->current) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    r = tf_reader_open(options, path, &s->reader, err);
    if (r)
        goto fail;
    next = read_picture(s, &inner);
    if (next != TF_NEXT_FRAME) {
        r = tf_fail(err, -EIO,
                    "%s: not one frame of it can be decoded (%s): the file is truncated or damaged%s%s", path,
                    s->reader->codec, inner.text[0] ? ": " : "", inner.text);
        goto fail;
    }
    s->av_format = s->current->format;
    s->av_width = s->current->width;
    s->av_height = s->current->height;
    if (s->av_width > TF_FRAME_DIM_MAX || s->av_height > TF_FRAME_DIM_MAX || s->av_width < 1 ||
        s->av_height < 1) {
        r = tf_fail(err, -EINVAL, "%s: %dx%d is larger than %dx%d", path, s->av_width, s->av_height,
                    TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
        goto fail;
    }
    r = set_row(s, options, err);
    if (r)
        goto fail;
    describe(s, options);
    set_pool(s, &pool);
    r = loan_create(options->frames, &s->loan);
    if (!r)
        r = tf_lender_create(&pool, &lender_ops, s->loan, &s->lender);
    if (r) {
        tf_fail(err, r, "%s: no memory for %zu frames", path, options->frames);
        goto fail;
    }
    *ret = &s->source;
    return 0;

fail:
    file_close(&s->source);
    return r;
}
