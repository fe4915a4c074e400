/* Inside of the V4L2 source. Not for other rooms. */
#ifndef TF_CAPTURE_V4L2_H
#define TF_CAPTURE_V4L2_H

#include <linux/videodev2.h>

#include "capture/internal.h"

/* A driver's answers are limited: longer lists are cut. */
#define TF_V4L2_FORMATS_MAX 128
#define TF_V4L2_SIZES_MAX 64
#define TF_V4L2_BUFFERS_MAX 32
#define TF_V4L2_STRIDE_MAX (1u << 20)
#define TF_V4L2_CONTROLS_MAX 128
/* Bytes of a picture; the largest camera here has a hundredth of it. */
#define TF_V4L2_PICTURE_MAX (256u << 20)

/* An open device, spoken to directly or, where pictures need conversion, through libv4l2. */
struct tf_v4l2_io {
    int fd;
    bool convert;
};

/* ioctl that goes on after signals; 0 or a negative errno. */
int tf_v4l2_ioctl(const struct tf_v4l2_io *io, unsigned long request, void *argument);
void *tf_v4l2_mmap(const struct tf_v4l2_io *io, size_t length, uint32_t offset);
void tf_v4l2_munmap(const struct tf_v4l2_io *io, void *address, size_t length);
/* Puts libv4l2 between; -ENOTSUP when it was left out of the build. */
int tf_v4l2_convert(struct tf_v4l2_io *io);
void tf_v4l2_close(struct tf_v4l2_io *io);

/* "Y16 " without the blank; unprintable characters as ?. */
const char *tf_v4l2_fourcc(uint32_t fourcc, char text[5]);

struct tf_v4l2_size {
    uint16_t width, height;
    float fps; /* the fastest; 0 = not said */
};

/* One of the device's formats with its sizes; `any_size`: a range rather than a list. */
struct tf_v4l2_offer {
    uint32_t fourcc;
    bool any_size;
    uint16_t min_width, min_height, max_width, max_height; /* of any_size */
    int size_count;
    struct tf_v4l2_size sizes[TF_V4L2_SIZES_MAX];
};

struct tf_v4l2_offers {
    int count;
    struct tf_v4l2_offer offers[TF_V4L2_FORMATS_MAX];
};

/*
 * Opens the device that a path or glob names and asks what it is. "GLOB#MARK" is the one whose bus (as the
 * driver reports it) or USB serial number is MARK. `path` receives the node, `identity` what
 * finds it again. Errors: -ENOENT, -EACCES, -EBUSY, -ENODEV, -ENOTSUP (not a capture device).
 */
int tf_v4l2_open_device(const char *url, struct tf_v4l2_io *io, struct v4l2_capability *capability,
                        char path[256], char identity[256], struct tf_error *err);
/* The by-id link of a node, else its by-path link, else the node itself. */
void tf_v4l2_identity(const char *path, char identity[256]);
/* Formats, sizes and rates, as listed by the driver; cut at the limits above. */
void tf_v4l2_offers(const struct tf_v4l2_io *io, struct tf_v4l2_offers *ret);
/* Whether the offer has that size (0 x 0: any), and at least that rate where it says so (0: any). */
bool tf_v4l2_offers_size(const struct tf_v4l2_offer *offer, uint16_t width, uint16_t height, float fps);

/* What to ask the driver for. */
struct tf_v4l2_choice {
    const struct tf_format *row;
    uint32_t fourcc;
    uint16_t width, height; /* 0: the driver's present size */
    bool convert;
};
/* -EINVAL: the row, or the size, is not offered; the message names what is. */
int tf_v4l2_choose(const struct tf_v4l2_offers *offers, const struct tf_source_options *options,
                   const char *path, struct tf_v4l2_choice *ret, struct tf_error *err);

/* The negotiated buffer. */
struct tf_v4l2_layout {
    uint32_t fourcc;
    uint16_t width, height;
    uint32_t stride, size; /* bytes a row of plane 0, bytes that must be there; 0 for compressed */
    uint32_t size_max;     /* the driver's sizeimage */
};

/*
 * The buffers of one run (start to stop). Frames lend them and give them back to the driver when they are
 * released. At stop, buffers that are still out are replaced by private copies at the same address, so that
 * readers keep what they see while the driver gets its buffers, and the device, back.
 */
struct tf_v4l2_run;
/* `needed`: bytes a buffer must hold; `own`: the pool's options, 0 x 0 for frames that lend buffers. */
int tf_v4l2_run_create(const struct tf_v4l2_io *io, size_t buffers, size_t needed,
                       const struct tf_pool_options *own, struct tf_v4l2_run **ret, struct tf_error *err,
                       const char *path);
int tf_v4l2_run_start(struct tf_v4l2_run *run);
/* Ends streaming and lets go of the run. */
void tf_v4l2_run_stop(struct tf_v4l2_run *run);
size_t tf_v4l2_run_queued(struct tf_v4l2_run *run); /* with the driver now */
struct tf_pool *tf_v4l2_run_pool(struct tf_v4l2_run *run);
/*
 * The next filled buffer: its index, or a negative errno (-EAGAIN: none; -EPROTO: the driver's answer makes
 * no sense). It belongs to the caller until lent or given back.
 */
int tf_v4l2_run_dequeue(struct tf_v4l2_run *run, struct v4l2_buffer *buffer);
const uint8_t *tf_v4l2_run_data(const struct tf_v4l2_run *run, int index, size_t *length);
void tf_v4l2_run_lend(struct tf_v4l2_run *run, int index, struct tf_frame *frame);
int tf_v4l2_run_give_back(struct tf_v4l2_run *run, int index);

/* A control with a number for its value; names as v4l2-ctl prints them. */
struct tf_v4l2_control {
    char name[40];
    uint32_t id, type, flags;
    int64_t min, max, fallback, value;
    bool readable;
};
/* At most `max`, in the driver's order; returns how many. */
int tf_v4l2_controls(const struct tf_v4l2_io *io, struct tf_v4l2_control *ret, int max);
/* "gain=3 (0..255), …", cut with an ellipsis. */
void tf_v4l2_controls_text(const struct tf_v4l2_io *io, char *text, size_t size);
/*
 * Sets "name=value,name=value": numbers (also 0x…), yes and no, or a menu's item. In the order given, up to
 * the first that fails. -EINVAL: no such control, or not a value for it; -ENODEV: gone; -EIO: refused.
 */
int tf_v4l2_controls_set(const struct tf_v4l2_io *io, const char *path, const char *text,
                         struct tf_error *err);

/* What one movement of the shutter takes: a control, or bytes to an extension unit; neither: not supported.
 */
#define TF_V4L2_MOVE_MAX 64
struct tf_v4l2_move {
    char control[100]; /* "name=value" */
    uint8_t unit, selector;
    bool patch; /* the unit's present bytes are read and only the first four of them changed */
    uint8_t size, data[TF_V4L2_MOVE_MAX];
};
/* From the configuration, else from what is known of the camera by its USB numbers. -EINVAL: unreadable. */
int tf_v4l2_shutter_find(const char *path, const struct tf_source_options *options,
                         struct tf_v4l2_move moves[TF_FFC_ACTIONS], struct tf_error *err);
/* -ENOTSUP; -EIO, -ENODEV: the camera refused, or is gone. */
int tf_v4l2_shutter_move(const struct tf_v4l2_io *io, const char *path, const struct tf_v4l2_move *move,
                         struct tf_error *err);

/* MJPG: one decoder, kept. */
struct tf_mjpeg;
int tf_mjpeg_create(struct tf_mjpeg **ret);
void tf_mjpeg_destroy(struct tf_mjpeg *mjpeg);
/* Decodes into the frame's own YUV420 planes; false (and a gray picture) when the data are damaged or of
 * another size. */
bool tf_mjpeg_decode(struct tf_mjpeg *mjpeg, const uint8_t *data, size_t size, uint16_t width,
                     uint16_t height, struct tf_frame *frame);

#endif
