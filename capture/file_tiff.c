/* TIFF: every page of a stack, 8 and 16 bits, and floats in °C or kelvin. Through libtiff. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/buffer.h>
#include <libavutil/imgutils.h>

#include "capture/reader.h"

#if TF_HAVE_TIFF
#include <tiffio.h>

#define FPS_DEFAULT 25.0
#define PAGES_MAX 65535u
#define MESSAGE_BYTES 160

struct tiff {
    struct tf_reader reader; /* first */
    TIFF *file;
    uint64_t page;
    enum AVPixelFormat format;
    uint32_t w, h;
    AVBufferPool *pool;
    uint8_t *tile; /* one, unpacked */
    size_t tile_bytes;
    bool has_more;
};

/* What libtiff said last in this thread: its handlers are the process's. */
static _Thread_local char said[MESSAGE_BYTES];

static void hear(const char *module, const char *format, va_list args)
{
    (void)module;
    vsnprintf(said, sizeof(said), format, args);
}

static void tiff_close(struct tf_reader *reader)
{
    struct tiff *t = (struct tiff *)reader;

    if (t->file)
        TIFFClose(t->file);
    av_buffer_pool_uninit(&t->pool);
    free(t->tile);
    free(reader->path);
    free(t);
}

static int tiff_rewind(struct tf_reader *reader)
{
    struct tiff *t = (struct tiff *)reader;

    t->page = 0;
    t->has_more = true;
    return TIFFSetDirectory(t->file, 0) ? 0 : -EIO;
}

/* The page's size and kind. */
static int look(struct tiff *t, uint32_t *w, uint32_t *h, enum AVPixelFormat *format, struct tf_error *err)
{
    uint16_t bits = 1, samples = 1, kind = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK;
    unsigned long long page = t->page;

    TIFFGetField(t->file, TIFFTAG_IMAGEWIDTH, w);
    TIFFGetField(t->file, TIFFTAG_IMAGELENGTH, h);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_SAMPLEFORMAT, &kind);
    TIFFGetField(t->file, TIFFTAG_PHOTOMETRIC, &photometric);
    if (*w < 1 || *h < 1 || *w > TF_FRAME_DIM_MAX || *h > TF_FRAME_DIM_MAX)
        return tf_fail(err, -EINVAL, "%s: page %llu is %ux%u; 1x1 to %dx%d can be read", t->reader.path, page,
                       *w, *h, TF_FRAME_DIM_MAX, TF_FRAME_DIM_MAX);
    if (samples == 1 && bits == 32 && kind == SAMPLEFORMAT_IEEEFP)
        *format = AV_PIX_FMT_GRAYF32;
    else if (samples == 1 && bits == 16 && (kind == SAMPLEFORMAT_UINT || kind == SAMPLEFORMAT_VOID))
        *format = AV_PIX_FMT_GRAY16;
    else if (samples == 1 && bits == 8 && photometric == PHOTOMETRIC_MINISBLACK)
        *format = AV_PIX_FMT_GRAY8;
    else if (bits == 8 && photometric != PHOTOMETRIC_MINISBLACK)
        *format = AV_PIX_FMT_RGBA;
    else
        return tf_fail(
            err, -ENOTSUP,
            "%s: page %llu has %u samples of %u bits%s a pixel; one of 8 or 16 bits, one float of 32 "
            "bits, or colours of 8 bits can be read",
            t->reader.path, page, samples, bits,
            kind == SAMPLEFORMAT_INT      ? " (signed)"
            : kind == SAMPLEFORMAT_IEEEFP ? " (float)"
                                          : "");
    return 0;
}

static bool read_rows(struct tiff *t, AVFrame *ret, uint32_t bytes)
{
    if ((uint64_t)TIFFScanlineSize64(t->file) > bytes)
        return false;
    for (uint32_t y = 0; y < t->h; y++)
        if (TIFFReadScanline(t->file, ret->data[0] + (size_t)y * (unsigned)ret->linesize[0], y, 0) < 0)
            return false;
    return true;
}

/* Tiles reach beyond the picture's right and lower edge. */
static bool read_tiles(struct tiff *t, AVFrame *ret, uint32_t bytes)
{
    uint32_t w = 0, h = 0, pixel = bytes / t->w;
    uint64_t size = TIFFTileSize64(t->file), row = TIFFTileRowSize64(t->file);

    TIFFGetField(t->file, TIFFTAG_TILEWIDTH, &w);
    TIFFGetField(t->file, TIFFTAG_TILELENGTH, &h);
    if (w < 1 || h < 1 || size < 1 || size > TF_READER_BYTES_MAX || row < (uint64_t)w * pixel ||
        size / h < row) {
        snprintf(said, sizeof(said), "tiles of %ux%u", w, h);
        return false;
    }
    if (t->tile_bytes < size) {
        uint8_t *larger = realloc(t->tile, size);

        if (!larger)
            return false;
        t->tile = larger;
        t->tile_bytes = size;
    }
    for (uint32_t top = 0; top < t->h; top += h)
        for (uint32_t left = 0; left < t->w; left += w) {
            uint32_t columns = t->w - left < w ? t->w - left : w, rows = t->h - top < h ? t->h - top : h;
            uint8_t *to = ret->data[0] + (size_t)top * (unsigned)ret->linesize[0] + (size_t)left * pixel;

            if (TIFFReadTile(t->file, t->tile, left, top, 0, 0) < 0)
                return false;
            for (uint32_t y = 0; y < rows; y++)
                memcpy(to + (size_t)y * (unsigned)ret->linesize[0], t->tile + y * row,
                       (size_t)columns * pixel);
        }
    return true;
}

static bool read_values(struct tiff *t, AVFrame *ret)
{
    uint32_t bytes = (uint32_t)ret->linesize[0];

    return TIFFIsTiled(t->file) ? read_tiles(t, ret, bytes) : read_rows(t, ret, bytes);
}

static enum tf_next tiff_next(struct tf_reader *reader, AVFrame *ret, struct tf_error *err)
{
    struct tiff *t = (struct tiff *)reader;
    enum AVPixelFormat format = AV_PIX_FMT_NONE;
    uint32_t w = 0, h = 0;
    int bytes;

    if (!t->has_more)
        return TF_NEXT_END;
    if (t->page && !TIFFReadDirectory(t->file)) {
        t->has_more = false;
        tf_fail(err, -EIO, "%s: the file is truncated: page %llu cannot be read%s%s", reader->path,
                (unsigned long long)t->page, *said ? ": " : "", said);
        return TF_NEXT_ERROR;
    }
    if (look(t, &w, &h, &format, err))
        return TF_NEXT_ERROR;
    if (t->format == AV_PIX_FMT_NONE || w != t->w || h != t->h || format != t->format) {
        t->format = format;
        t->w = w;
        t->h = h;
        bytes = av_image_get_buffer_size(format, (int)w, (int)h, 1);
        av_buffer_pool_uninit(&t->pool);
        t->pool = bytes > 0 ? av_buffer_pool_init((size_t)bytes + 64, av_buffer_allocz) : NULL;
    }
    ret->buf[0] = t->pool ? av_buffer_pool_get(t->pool) : NULL;
    if (!ret->buf[0]) {
        tf_fail(err, -ENOMEM, "%s: out of memory", reader->path);
        return TF_NEXT_ERROR;
    }
    ret->format = format;
    ret->width = (int)w;
    ret->height = (int)h;
    av_image_fill_arrays(ret->data, ret->linesize, ret->buf[0]->data, format, (int)w, (int)h, 1);
    *said = '\0';
    if (format == AV_PIX_FMT_RGBA
            ? !TIFFReadRGBAImageOriented(t->file, w, h, (uint32_t *)(void *)ret->data[0], ORIENTATION_TOPLEFT,
                                         1)
            : !read_values(t, ret)) {
        av_frame_unref(ret);
        tf_fail(err, -EIO, "%s: page %llu is truncated or damaged%s%s", reader->path,
                (unsigned long long)t->page, *said ? ": " : "", said);
        return TF_NEXT_ERROR;
    }
    reader->picture.index = t->page;
    reader->picture.t_ns = (uint64_t)((double)t->page * 1e9 / reader->rate);
    reader->picture.lost = 0;
    reader->picture.jump = reader->picture.damaged = false;
    t->page++;
    t->has_more = t->page < PAGES_MAX && !TIFFLastDirectory(t->file);
    return TF_NEXT_FRAME;
}

int tf_reader_open_tiff(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                        struct tf_error *err)
{
    static const struct tf_reader_ops ops = {tiff_next, tiff_rewind, tiff_close};
    struct tiff *t = calloc(1, sizeof(*t));
    unsigned pages;

    if (!t)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    TIFFSetErrorHandler(hear);
    TIFFSetWarningHandler(NULL);
    t->reader.ops = &ops;
    t->format = AV_PIX_FMT_NONE;
    t->reader.codec = "tiff";
    t->reader.path = strdup(path);
    *said = '\0';
    t->file = t->reader.path ? TIFFOpen(path, "rm") : NULL;
    if (!t->file) {
        tiff_close(&t->reader);
        return tf_fail(err, -EIO, "%s: not a TIFF that can be read%s%s", path, *said ? ": " : "", said);
    }
    pages = (unsigned)TIFFNumberOfDirectories(t->file);
    t->reader.frames = pages;
    t->has_more = TIFFSetDirectory(t->file, 0);
    t->reader.rate_guessed = !(options->fps > 0);
    t->reader.rate = options->fps > 0 ? (double)options->fps : FPS_DEFAULT;
    t->reader.period_ns = (uint64_t)(1e9 / t->reader.rate);
    t->reader.utc_ns = tf_reader_written_ns(path, (uint64_t)((double)pages * 1e9 / t->reader.rate));
    *ret = &t->reader;
    return 0;
}

#else

int tf_reader_open_tiff(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                        struct tf_error *err)
{
    int r = tf_reader_open_av(options, path, ret, err);

    if (!r)
        snprintf((*ret)->notice, sizeof((*ret)->notice),
                 "a TIFF's first page only, and no floats: this build has no libtiff");
    return r;
}

#endif
