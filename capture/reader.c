/* What all readers of files share. */
#include "base/clock.h"
#include "capture/reader.h"

#include <sys/stat.h>

#include <linux/videodev2.h>

#include "capture/av.h"

bool tf_reader_packed(enum AVPixelFormat format)
{
    return format == AV_PIX_FMT_YUYV422 || format == AV_PIX_FMT_UYVY422 || format == AV_PIX_FMT_YUV422P ||
           format == AV_PIX_FMT_YUVJ422P;
}

bool tf_reader_row_fits(const struct tf_format *row, enum AVPixelFormat format, uint16_t w, uint16_t h)
{
    bool whole = !row->width || (row->width == w && row->height == h);
    bool part = row->raw.w && row->raw.w == w && row->raw.h == h;
    enum tf_pixel pixel;
    bool values = (tf_av_pixel(format, &pixel) && pixel == TF_PIXEL_U16) || format == AV_PIX_FMT_GRAYF32LE ||
                  format == AV_PIX_FMT_GRAYF32BE;

    if (row->pixel == TF_PIXEL_U16)
        return (values && (whole || part)) ||
               ((row->fourcc == V4L2_PIX_FMT_YUYV || row->fourcc == V4L2_PIX_FMT_UYVY) && whole &&
                tf_reader_packed(format));
    /* Rows for people: gray takes the luma of any. */
    return whole && !values;
}

int64_t tf_reader_written_ns(const char *path, uint64_t length_ns)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return 0;
    return (int64_t)st.st_mtim.tv_sec * TF_NS_PER_S + st.st_mtim.tv_nsec - (int64_t)length_ns;
}

void tf_reader_close(struct tf_reader *reader)
{
    if (reader)
        reader->ops->close(reader);
}
