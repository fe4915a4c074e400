/*
 * Headerless values (--raw WxH:PIXFMT@FPS), packed by gzip or not, and the .y16.gz of
 * purethermal-y16-recorder
 * ("PTY16V1\n", 32 bits of length, a JSON header, then for each picture its number (u64), seconds since 1970
 * (f64), the same in milliseconds (i64) and the values, all little-endian; described in its README).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include <libavutil/buffer.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include "capture/reader.h"

#define Y16_MAGIC "PTY16V1\n"
#define Y16_HEADER_MAX (1u << 20)
#define Y16_PREFIX 24
#define FPS_DEFAULT 25.0

struct raw {
    struct tf_reader reader; /* first */
    gzFile file;
    enum AVPixelFormat format;
    int w, h, bytes; /* of a picture */
    AVBufferPool *pool;
    z_off_t start; /* of the first picture */
    size_t prefix; /* bytes before each picture */
    uint64_t index, number, last_ns;
    double first_s;
};

static void raw_close(struct tf_reader *reader)
{
    struct raw *r = (struct raw *)reader;

    if (r->file)
        gzclose(r->file);
    av_buffer_pool_uninit(&r->pool);
    free(reader->path);
    free(r);
}

static int raw_rewind(struct tf_reader *reader)
{
    struct raw *r = (struct raw *)reader;

    r->index = r->number = r->last_ns = 0;
    return gzseek(r->file, r->start, SEEK_SET) < 0 ? -EIO : 0;
}

/* Reads exactly `size` bytes: FRAME; END when there are none at all; ERROR for a part or damage. */
static enum tf_next get(struct raw *r, void *to, unsigned size, const char *what, struct tf_error *err)
{
    int n = gzread(r->file, to, size), code;
    const char *text;

    if (n == (int)size)
        return TF_NEXT_FRAME;
    text = gzerror(r->file, &code);
    if (n < 0 || (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)) {
        tf_fail(err, -EIO, "%s: cannot be unpacked beyond frame %llu: %s", r->reader.path,
                (unsigned long long)r->index, text);
        return TF_NEXT_ERROR;
    }
    if (n == 0 && code != Z_BUF_ERROR)
        return TF_NEXT_END;
    tf_fail(err, -EIO, "%s: the file is truncated: of %s of frame %llu only %d of %u bytes are there%s",
            r->reader.path, what, (unsigned long long)r->index, n, size,
            r->prefix ? "" : " (or the size or pixel format given is not the file's)");
    return TF_NEXT_ERROR;
}

/* The recorder's words on the next picture. */
static enum tf_next read_prefix(struct raw *r, struct tf_error *err)
{
    uint8_t bytes[Y16_PREFIX];
    enum tf_next next = get(r, bytes, sizeof(bytes), "the head", err);
    uint64_t number = 0, bits = 0, t;
    double s;

    if (next != TF_NEXT_FRAME)
        return next;
    for (int i = 7; i >= 0; i--) {
        number = number << 8 | bytes[i];
        bits = bits << 8 | bytes[8 + i];
    }
    memcpy(&s, &bits, sizeof(s));
    if (r->index == 0) {
        r->first_s = s;
        r->reader.utc_ns = s > 0 && s < 9e9 ? (int64_t)(s * 1e6) * 1000 : 0;
    }
    r->reader.picture.lost =
        r->index && number > r->number && number - r->number < 1000000 ? number - r->number - 1 : 0;
    r->number = number;
    s -= r->first_s;
    t = s >= 0 && s < 1e9 ? (uint64_t)(s * 1e6) * 1000 : 0;
    r->reader.picture.jump = r->index && t <= r->last_ns;
    if (r->reader.picture.jump)
        t = r->last_ns + r->reader.period_ns;
    r->reader.picture.t_ns = t;
    return TF_NEXT_FRAME;
}

static enum tf_next raw_next(struct tf_reader *reader, AVFrame *ret, struct tf_error *err)
{
    struct raw *r = (struct raw *)reader;
    enum tf_next next;

    reader->picture.lost = 0;
    reader->picture.jump = reader->picture.damaged = false;
    reader->picture.t_ns = (uint64_t)((double)r->index * 1e9 / reader->rate);
    if (r->prefix) {
        next = read_prefix(r, err);
        if (next != TF_NEXT_FRAME)
            return next;
    }
    ret->buf[0] = av_buffer_pool_get(r->pool);
    if (!ret->buf[0]) {
        tf_fail(err, -ENOMEM, "%s: out of memory", reader->path);
        return TF_NEXT_ERROR;
    }
    ret->format = r->format;
    ret->width = r->w;
    ret->height = r->h;
    av_image_fill_arrays(ret->data, ret->linesize, ret->buf[0]->data, r->format, r->w, r->h, 1);
    next = get(r, ret->buf[0]->data, (unsigned)r->bytes, "the picture", err);
    if (next == TF_NEXT_END && r->prefix) {
        tf_fail(err, -EIO, "%s: the file is truncated: frame %llu has no picture", reader->path,
                (unsigned long long)r->index);
        next = TF_NEXT_ERROR;
    }
    if (next != TF_NEXT_FRAME) {
        av_frame_unref(ret);
        return next;
    }
    r->last_ns = reader->picture.t_ns;
    reader->picture.index = r->prefix ? r->number : r->index;
    r->index++;
    return TF_NEXT_FRAME;
}

static int create(const char *path, struct raw **ret, struct tf_error *err)
{
    static const struct tf_reader_ops ops = {raw_next, raw_rewind, raw_close};
    struct raw *r = calloc(1, sizeof(*r));

    if (!r)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    r->reader.ops = &ops;
    r->reader.codec = "headerless values";
    r->reader.path = strdup(path);
    r->file = gzopen(path, "rbe");
    if (!r->reader.path || !r->file) {
        int code = errno ? -errno : -ENOMEM;

        raw_close(&r->reader);
        return tf_fail(err, code, "%s: %s", path, strerror(-code));
    }
    gzbuffer(r->file, 1u << 18);
    *ret = r;
    return 0;
}

static int set_picture(struct raw *r, double fps, struct tf_error *err)
{
    int64_t bytes;

    if (r->w < 1 || r->h < 1 || r->w > TF_FRAME_DIM_MAX || r->h > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EINVAL, "%s: %dx%d is not within 1x1 and %dx%d", r->reader.path, r->w, r->h,
                       TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
    bytes = av_image_get_buffer_size(r->format, r->w, r->h, 1);
    if (bytes <= 0 || bytes > TF_READER_BYTES_MAX)
        return tf_fail(err, -EINVAL, "%s: %dx%d %s makes no picture", r->reader.path, r->w, r->h,
                       av_get_pix_fmt_name(r->format));
    r->bytes = (int)bytes;
    /* libswscale reads a little beyond a line's end. */
    r->pool = av_buffer_pool_init((size_t)bytes + 64, av_buffer_allocz);
    if (!r->pool)
        return tf_fail(err, -ENOMEM, "%s: out of memory", r->reader.path);
    r->reader.rate = fps;
    r->reader.period_ns = (uint64_t)(1e9 / fps);
    r->start = gztell(r->file);
    return 0;
}

/* "160x120:gray16le@9"; the pixel format and the rate may be left out. */
static int read_description(struct raw *r, const struct tf_source_options *o, double *fps,
                            struct tf_error *err)
{
    const AVPixFmtDescriptor *d;
    char pixel[32] = "gray16le", tail;
    const char *rest = o->raw;
    int used = 0;

    *fps = o->fps > 0 ? (double)o->fps : 0;
    if (sscanf(rest, "%5dx%5d%n", &r->w, &r->h, &used) != 2)
        goto bad;
    rest += used;
    if (*rest == ':') {
        if (sscanf(rest, ":%31[a-z0-9_]%n", pixel, &used) != 1)
            goto bad;
        rest += used;
    }
    if (*rest == '@') {
        if (sscanf(rest, "@%lf%c", fps, &tail) != 1 || !(*fps > 0 && *fps <= 1000))
            goto bad;
    } else if (*rest) {
        goto bad;
    }
    r->format = av_get_pix_fmt(pixel);
    d = av_pix_fmt_desc_get(r->format);
    if (!d || d->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_PAL))
        return tf_fail(err, -EINVAL,
                       "%s: headerless pictures of pixel format %s cannot be read; FFmpeg's names are meant, "
                       "such as gray16le, gray16be, gray, yuyv422",
                       r->reader.path, pixel);
    r->reader.rate_guessed = *fps == 0;
    if (*fps == 0)
        *fps = FPS_DEFAULT;
    return 0;
bad:
    return tf_fail(
        err, -EINVAL,
        "%s: raw=%s is not WIDTHxHEIGHT:PIXELFORMAT@RATE, such as 160x120:gray16le@9 (rate above 0, "
        "at most 1000)",
        r->reader.path, o->raw);
}

int tf_reader_open_raw(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                       struct tf_error *err)
{
    struct raw *r;
    struct stat st;
    double fps = 0;
    int code = create(path, &r, err);

    if (code)
        return code;
    code = read_description(r, options, &fps, err);
    if (!code)
        code = set_picture(r, fps, err);
    if (code)
        goto fail;
    if (stat(path, &st) == 0 && gzdirect(r->file)) {
        r->reader.frames = (uint64_t)st.st_size / (unsigned)r->bytes;
        if (r->reader.frames == 0) {
            code = tf_fail(err, -EIO, "%s: holds %lld bytes, less than one picture of %dx%d %s (%d bytes)",
                           path, (long long)st.st_size, r->w, r->h, av_get_pix_fmt_name(r->format), r->bytes);
            goto fail;
        }
    }
    r->reader.utc_ns =
        tf_reader_written_ns(path, (uint64_t)((double)r->reader.frames * 1e9 / r->reader.rate));
    *ret = &r->reader;
    return 0;
fail:
    raw_close(&r->reader);
    return code;
}

/* The number that follows "key": in the recorder's flat JSON header; NAN if there is none. */
static double number_in(const char *json, const char *key)
{
    char quoted[32];
    const char *at;
    double v;

    snprintf(quoted, sizeof(quoted), "\"%s\"", key);
    at = strstr(json, quoted);
    at = at ? strchr(at, ':') : NULL;
    return at && sscanf(at + 1, "%lf", &v) == 1 ? v : (double)NAN;
}

static int cannot_unpack(const struct raw *r, const char *text, struct tf_error *err)
{
    return tf_fail(err, -EIO, "%s: cannot be unpacked: %s: it is truncated or damaged", r->reader.path, text);
}

static int read_header(struct raw *r, double *fps, struct tf_error *err)
{
    uint8_t magic[12];
    uint32_t length;
    const char *text;
    char *json;
    double w, h;
    int n = gzread(r->file, magic, sizeof(magic)), code;

    text = gzerror(r->file, &code);
    if (n < (int)sizeof(magic) && code != Z_OK && code != Z_STREAM_END)
        return cannot_unpack(r, text, err);
    if (n < (int)sizeof(magic) || memcmp(magic, Y16_MAGIC, sizeof(Y16_MAGIC) - 1) != 0)
        return tf_fail(err, -EINVAL,
                       "%s: what is packed in it is not known here; gunzip it, or say what it holds with raw "
                       "(--raw 160x120:gray16le@9)",
                       r->reader.path);
    length = magic[8] | (uint32_t)magic[9] << 8 | (uint32_t)magic[10] << 16 | (uint32_t)magic[11] << 24;
    json = length < Y16_HEADER_MAX ? calloc(1, length + 1) : NULL;
    if (!json || gzread(r->file, json, length) != (int)length) {
        free(json);
        return tf_fail(err, -EIO, "%s: the header of this .y16.gz is damaged", r->reader.path);
    }
    w = number_in(json, "width");
    h = number_in(json, "height");
    *fps = number_in(json, "fps");
    free(json);
    if (!(w >= 1 && w <= TF_FRAME_DIM_MAX && h >= 1 && h <= TF_FRAME_DIM_MAX))
        return tf_fail(err, -EINVAL, "%s: the header of this .y16.gz says a picture of %gx%g", r->reader.path,
                       w, h);
    if (!(*fps > 0 && *fps <= 1000))
        *fps = 9;
    r->w = (int)w;
    r->h = (int)h;
    r->format = AV_PIX_FMT_GRAY16LE;
    r->prefix = Y16_PREFIX;
    r->reader.codec = "y16.gz";
    return 0;
}

int tf_reader_open_y16(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                       struct tf_error *err)
{
    struct raw *r;
    double fps = 0;
    int code = create(path, &r, err);

    (void)options;
    if (code)
        return code;
    code = read_header(r, &fps, err);
    if (!code)
        code = set_picture(r, fps, err);
    if (code) {
        raw_close(&r->reader);
        return code;
    }
    *ret = &r->reader;
    return 0;
}
