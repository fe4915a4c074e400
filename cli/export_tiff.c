/* thermoface export --to tiff: a page a frame, through libtiff. Each page's ImageDescription is a JSON
 * object: the frame's stamps, and in the first one the scale, too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/export.h"

#if TF_HAVE_TIFF
#include <tiffio.h>

/* A page's directory and description, generously. */
#define PAGE_BYTES 2048
/* Offsets of a plain TIFF have 32 bits; beyond that it is a BigTIFF. */
#define PLAIN_MAX 4000000000ull

struct stack {
    struct tf_export_item *item;
    struct tf_export_file out;
    TIFF *file;
};

static int failed(struct stack *x, struct tf_error *err)
{
    return tf_export_file_failed(&x->out, errno ? -errno : -EIO, err);
}

static int begin(void *self, const struct tf_export_frames *all, struct tf_error *err)
{
    struct stack *x = self;
    uint64_t page = (uint64_t)all->width * all->height * all->bytes + PAGE_BYTES;
    bool big = !all->total || all->total > PLAIN_MAX / page;

    errno = 0;
    x->file = TIFFOpen(x->out.part, big ? "wl8" : "wl");
    return x->file ? 0 : failed(x, err);
}

static int frame(void *self, const struct tf_export_frames *all, const struct tf_export_frame *one,
                 struct tf_error *err)
{
    struct stack *x = self;
    char *text = tf_export_describe(all, one), date[20];
    time_t seconds = (time_t)(one->frame->t_utc_ns / TF_NS_PER_S);
    struct tm tm;
    bool ok;

    if (!text)
        return tf_fail(err, -ENOMEM, "%s: out of memory", x->item->stem);
    errno = 0;
    ok = TIFFSetField(x->file, TIFFTAG_SUBFILETYPE, FILETYPE_PAGE) &&
         TIFFSetField(x->file, TIFFTAG_IMAGEWIDTH, (uint32_t)all->width) &&
         TIFFSetField(x->file, TIFFTAG_IMAGELENGTH, (uint32_t)all->height) &&
         TIFFSetField(x->file, TIFFTAG_BITSPERSAMPLE, 8 * all->bytes) &&
         TIFFSetField(x->file, TIFFTAG_SAMPLEFORMAT,
                      all->bytes == 4 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT) &&
         TIFFSetField(x->file, TIFFTAG_SAMPLESPERPIXEL, 1) &&
         TIFFSetField(x->file, TIFFTAG_ROWSPERSTRIP, (uint32_t)all->height) &&
         TIFFSetField(x->file, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
         TIFFSetField(x->file, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) &&
         TIFFSetField(x->file, TIFFTAG_SOFTWARE, "thermoface") &&
         TIFFSetField(x->file, TIFFTAG_IMAGEDESCRIPTION, text);
    if (ok && gmtime_r(&seconds, &tm) && strftime(date, sizeof(date), "%Y:%m:%d %H:%M:%S", &tm) == 19)
        ok = TIFFSetField(x->file, TIFFTAG_DATETIME, date);
    free(text);
    /* libtiff does not write to what it is given to write. */
    ok = ok &&
         TIFFWriteEncodedStrip(x->file, 0, (void *)(uintptr_t)one->values,
                               (tmsize_t)all->width * all->height * (tmsize_t)all->bytes) >= 0 &&
         TIFFWriteDirectory(x->file);
    return ok ? 0 : failed(x, err);
}

static int end(void *self, const struct tf_export_frames *all, struct tf_error *err)
{
    struct stack *x = self;

    (void)all;
    errno = 0;
    return TIFFFlush(x->file) ? 0 : failed(x, err);
}

int tf_export_tiff(struct tf_export_item *item, struct tf_error *err)
{
    struct stack x = {.item = item};
    const struct tf_export_writer writer = {.self = &x, .begin = begin, .frame = frame, .end = end};
    char path[TF_EXPORT_PATH + 600];
    int r = tf_export_path(item, ".tif", path, sizeof(path), err);

    if (r == 0)
        r = tf_export_file_begin(&x.out, path, item->options->overwrite, err);
    if (r < 0)
        return r;
    TIFFSetErrorHandler(NULL);
    r = tf_export_each_frame(item, &writer, err);
    if (x.file)
        TIFFClose(x.file);
    if (r == 0)
        r = tf_export_file_commit(&x.out, err);
    tf_export_file_abort(&x.out);
    return r;
}
#else
int tf_export_tiff(struct tf_export_item *item, struct tf_error *err)
{
    return tf_fail(err, -ENOTSUP, "%s: this thermoface was built without libtiff", item->stem);
}
#endif
