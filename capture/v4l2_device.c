/* Finding, opening and asking V4L2 devices. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "capture/v4l2.h"

const char *tf_v4l2_fourcc(uint32_t fourcc, char text[5])
{
    int n = 0;

    for (int i = 0; i < 4; i++) {
        char c = (char)(fourcc >> (8 * i) & 0x7f);

        text[n++] = c >= ' ' && c < 127 ? c : '?';
    }
    while (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
    return text;
}

static bool link_to(const char *folder, const char *node, char identity[256])
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, NULL, alphasort);
    bool found = false;

    for (int i = 0; i < n; i++) {
        char path[512], real[PATH_MAX];

        if (!found && names[i]->d_name[0] != '.' &&
            snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name) < 256 && realpath(path, real) &&
            strcmp(real, node) == 0) {
            snprintf(identity, 256, "%.255s", path);
            found = true;
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return found;
}

void tf_v4l2_identity(const char *path, char identity[256])
{
    char node[PATH_MAX];

    if (strncmp(path, "/dev/v4l/", 9) != 0 && realpath(path, node) &&
        (link_to("/dev/v4l/by-id", node, identity) || link_to("/dev/v4l/by-path", node, identity)))
        return;
    snprintf(identity, 256, "%s", path);
}

static int open_error(const char *path, int code, struct tf_error *err)
{
    switch (code) {
    case -ENOENT:
        return tf_fail(err, code,
                       "%s: there is no such device; is the camera plugged in? (thermoface devices)", path);
    case -EACCES:
    case -EPERM:
        return tf_fail(err, -EACCES, "%s: permission denied; cameras belong to the group \"video\"", path);
    case -EBUSY:
        return tf_fail(err, code, "%s: in use by another program", path);
    case -ENODEV:
    case -ENXIO:
        return tf_fail(err, -ENODEV, "%s: the camera is gone", path);
    default:
        return tf_fail(err, code, "%s: cannot be opened: %s", path, strerror(-code));
    }
}

static int open_node(const char *path, struct tf_v4l2_io *io, struct v4l2_capability *capability,
                     struct tf_error *err)
{
    struct stat st;
    uint32_t caps;
    int r;

    if (stat(path, &st) < 0)
        return open_error(path, -errno, err);
    if (!S_ISCHR(st.st_mode))
        return tf_fail(err, -ENOTSUP, "%s: is not a device", path);
    io->convert = false;
    io->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (io->fd < 0)
        return open_error(path, -errno, err);
    memset(capability, 0, sizeof(*capability));
    r = tf_v4l2_ioctl(io, VIDIOC_QUERYCAP, capability);
    if (r) {
        tf_v4l2_close(io);
        if (r == -ENODEV || r == -ENXIO || r == -EIO)
            return open_error(path, -ENODEV, err);
        return tf_fail(err, -ENOTSUP, "%s: is not a V4L2 device (%s)", path, strerror(-r));
    }
    caps =
        capability->capabilities & V4L2_CAP_DEVICE_CAPS ? capability->device_caps : capability->capabilities;
    if (!(caps & V4L2_CAP_VIDEO_CAPTURE) || !(caps & V4L2_CAP_STREAMING)) {
        tf_v4l2_close(io);
        return tf_fail(err, -ENOTSUP, "%s: %.31s: %s", path, (const char *)capability->card,
                       caps & V4L2_CAP_VIDEO_CAPTURE_MPLANE
                           ? "has only the multi-planar interface, which is not supported"
                       : caps & V4L2_CAP_VIDEO_CAPTURE ? "cannot stream through mapped buffers"
                                                       : "is not a capture device");
    }
    return 0;
}

/* The serial number of the USB device that a node belongs to; hubs above it have none that count. */
static void read_serial(const char *path, char *text, size_t size)
{
    char file[320];
    char node[PATH_MAX];
    FILE *f;

    if (!realpath(path, node))
        return;
    snprintf(file, sizeof(file), "/sys/class/video4linux/%.64s/device/../serial", strrchr(node, '/') + 1);
    f = fopen(file, "re");
    if (!f)
        return;
    if (!fgets(text, (int)size, f))
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    fclose(f);
}

/* Whether a node is the one that is meant: any, or the one on that bus, or with that serial number. */
static bool is_meant(const char *path, const struct v4l2_capability *capability, const char *mark)
{
    char serial[64] = "";

    if (!mark)
        return true;
    read_serial(path, serial, sizeof(serial));
    return strncmp((const char *)capability->bus_info, mark, sizeof(capability->bus_info)) == 0 ||
           (serial[0] && strcmp(serial, mark) == 0);
}

int tf_v4l2_open_device(const char *url, struct tf_v4l2_io *io, struct v4l2_capability *capability,
                        char path[256], char identity[256], struct tf_error *err)
{
    glob_t matches = {0};
    char pattern[256];
    char *mark;
    int r;

    if (strlen(url) >= sizeof(pattern))
        return tf_fail(err, -ENAMETOOLONG, "%.100s…: the path is too long", url);
    strcpy(pattern, url);
    mark = strchr(pattern, '#');
    if (mark)
        *mark++ = '\0';
    if (!strpbrk(pattern, "*?[") && !mark) {
        r = open_node(url, io, capability, err);
        if (!r) {
            snprintf(path, 256, "%s", url);
            tf_v4l2_identity(url, identity);
        }
        return r;
    }
    if (glob(pattern, 0, NULL, &matches) != 0 || matches.gl_pathc == 0) {
        globfree(&matches);
        return tf_fail(err, -ENOENT, "%s: no device matches; is the camera plugged in? (thermoface devices)",
                       url);
    }
    r = -ENOENT;
    for (size_t i = 0; i < matches.gl_pathc && r; i++) {
        const char *name = matches.gl_pathv[i];

        if (strlen(name) >= 256)
            continue;
        r = open_node(name, io, capability, err);
        if (!r && !is_meant(name, capability, mark)) {
            tf_v4l2_close(io);
            r = tf_fail(err, -ENOENT,
                        "%s: no device has that bus or serial number; is the camera plugged in? "
                        "(thermoface devices)",
                        url);
        }
        if (!r) {
            snprintf(path, 256, "%s", name);
            if (mark)
                snprintf(identity, 256, "%s", url);
            else
                tf_v4l2_identity(name, identity);
        }
    }
    if (r && !mark && matches.gl_pathc > 1)
        tf_error_prefix(err, "%s: none of %zu devices can be used; the last", url, matches.gl_pathc);
    globfree(&matches);
    return r;
}

static uint16_t clamp_dim(uint32_t n)
{
    return (uint16_t)(n > UINT16_MAX ? UINT16_MAX : n);
}

static float fastest(const struct tf_v4l2_io *io, uint32_t fourcc, uint32_t width, uint32_t height)
{
    float best = 0;

    for (uint32_t i = 0; i < 64; i++) {
        struct v4l2_frmivalenum e = {.index = i, .pixel_format = fourcc, .width = width, .height = height};
        struct v4l2_fract f;

        if (tf_v4l2_ioctl(io, VIDIOC_ENUM_FRAMEINTERVALS, &e))
            break;
        f = e.type == V4L2_FRMIVAL_TYPE_DISCRETE ? e.discrete : e.stepwise.min;
        if (f.numerator && (float)f.denominator / (float)f.numerator > best)
            best = (float)f.denominator / (float)f.numerator;
        if (e.type != V4L2_FRMIVAL_TYPE_DISCRETE)
            break;
    }
    return best;
}

static void ask_sizes(const struct tf_v4l2_io *io, struct tf_v4l2_offer *offer)
{
    for (uint32_t i = 0; i < TF_V4L2_SIZES_MAX; i++) {
        struct v4l2_frmsizeenum e = {.index = i, .pixel_format = offer->fourcc};
        struct tf_v4l2_size *size = &offer->sizes[offer->size_count];

        if (tf_v4l2_ioctl(io, VIDIOC_ENUM_FRAMESIZES, &e))
            break;
        if (e.type != V4L2_FRMSIZE_TYPE_DISCRETE) {
            offer->any_size = true;
            offer->min_width = clamp_dim(e.stepwise.min_width);
            offer->max_width = clamp_dim(e.stepwise.max_width);
            offer->min_height = clamp_dim(e.stepwise.min_height);
            offer->max_height = clamp_dim(e.stepwise.max_height);
            return;
        }
        if (!e.discrete.width || !e.discrete.height || e.discrete.width > TF_FRAME_DIM_MAX ||
            e.discrete.height > TF_FRAME_DIM_MAX)
            continue;
        size->width = (uint16_t)e.discrete.width;
        size->height = (uint16_t)e.discrete.height;
        size->fps = fastest(io, offer->fourcc, e.discrete.width, e.discrete.height);
        offer->size_count++;
    }
    if (!offer->size_count) { /* it lists none: S_FMT will say */
        offer->any_size = true;
        offer->min_width = offer->min_height = 1;
        offer->max_width = offer->max_height = TF_FRAME_DIM_MAX;
    }
}

void tf_v4l2_offers(const struct tf_v4l2_io *io, struct tf_v4l2_offers *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (uint32_t i = 0; i < TF_V4L2_FORMATS_MAX; i++) {
        struct v4l2_fmtdesc e = {.index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
        struct tf_v4l2_offer *offer = &ret->offers[ret->count];

        if (tf_v4l2_ioctl(io, VIDIOC_ENUM_FMT, &e))
            break;
        offer->fourcc = e.pixelformat;
        ask_sizes(io, offer);
        ret->count++;
    }
}

bool tf_v4l2_offers_size(const struct tf_v4l2_offer *offer, uint16_t width, uint16_t height, float fps)
{
    if (offer->any_size)
        return !width || (width >= offer->min_width && width <= offer->max_width &&
                          height >= offer->min_height && height <= offer->max_height);
    for (int i = 0; i < offer->size_count; i++) {
        const struct tf_v4l2_size *s = &offer->sizes[i];

        if ((!width || (s->width == width && s->height == height)) &&
            (fps <= 0 || s->fps <= 0 || s->fps > 0.95f * fps))
            return true;
    }
    return false;
}

/* False, and an ellipsis, once it does not fit any more. */
static bool append(char *text, size_t size, const char *what)
{
    static const char more[] = "…";
    size_t n = strlen(text);

    if (n + strlen(what) + sizeof(more) < size) {
        strcpy(text + n, what);
        return true;
    }
    strcpy(text + n, more);
    return false;
}

static bool offer_text(const struct tf_v4l2_offer *o, const char *separator, char *text, size_t size)
{
    char item[64], code[5];

    snprintf(item, sizeof(item), "%s%s", separator, tf_v4l2_fourcc(o->fourcc, code));
    if (!append(text, size, item))
        return false;
    if (o->any_size && o->max_width) {
        snprintf(item, sizeof(item), " %ux%u to %ux%u", o->min_width, o->min_height, o->max_width,
                 o->max_height);
        return append(text, size, item);
    }
    for (int k = 0; k < o->size_count; k++) {
        int n = snprintf(item, sizeof(item), " %ux%u", o->sizes[k].width, o->sizes[k].height);

        if (o->sizes[k].fps > 0)
            snprintf(item + n, sizeof(item) - (size_t)n, "@%g", (double)o->sizes[k].fps);
        if (!append(text, size, item))
            return false;
    }
    return true;
}

static void offers_text(const struct tf_v4l2_offers *offers, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; i < offers->count; i++)
        if (!offer_text(&offers->offers[i], i ? ", " : "", text, size))
            return;
}

static const struct tf_v4l2_offer *offer_of(const struct tf_v4l2_offers *offers, uint32_t fourcc)
{
    for (int i = 0; i < offers->count; i++)
        if (offers->offers[i].fourcc == fourcc)
            return &offers->offers[i];
    return NULL;
}

/* How good a guess a row is for what a device offers: a size of its own beats any size, more knowledge beats
 * less. */
static int rank(const struct tf_format *row)
{
    if (row->width)
        return row->telemetry ? 6 : row->radiometry.valid ? 5 : 4;
    return row->pixel == TF_PIXEL_U16 ? 3 : row->fourcc == 0 ? 2 : 1;
}

static const struct tf_format *guess_row(const struct tf_v4l2_offers *offers, uint16_t width, uint16_t height)
{
    const struct tf_format *best = tf_format_find("visible");
    int best_rank = 0;

    for (int i = 0; i < offers->count; i++) {
        const struct tf_v4l2_offer *o = &offers->offers[i];

        for (int k = 0; k < (o->any_size ? 1 : o->size_count); k++) {
            uint16_t w = o->any_size ? width : o->sizes[k].width,
                     h = o->any_size ? height : o->sizes[k].height;
            const struct tf_format *row;

            if (width && (w != width || h != height))
                continue;
            row = tf_format_match(o->fourcc, w, h);
            if (row && rank(row) > best_rank) {
                best = row;
                best_rank = rank(row);
            }
        }
    }
    return best;
}

/* For people: uncompressed first, unless only MJPG is fast enough at that size. */
static bool choose_visible(const struct tf_v4l2_offers *offers, uint16_t width, uint16_t height, float fps,
                           uint32_t *fourcc)
{
    static const uint32_t codes[] = {V4L2_PIX_FMT_YUYV,   V4L2_PIX_FMT_UYVY,  V4L2_PIX_FMT_NV12,
                                     V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_JPEG};

    for (int strict = 1; strict >= 0; strict--)
        for (size_t i = 0; i < TF_COUNT(codes); i++) {
            const struct tf_v4l2_offer *o = offer_of(offers, codes[i]);

            if (o && tf_v4l2_offers_size(o, width, height, strict ? fps : 0)) {
                *fourcc = codes[i];
                return true;
            }
        }
    return false;
}

int tf_v4l2_choose(const struct tf_v4l2_offers *offers, const struct tf_source_options *options,
                   const char *path, struct tf_v4l2_choice *ret, struct tf_error *err)
{
    struct tf_v4l2_choice c = {.width = options->width, .height = options->height};
    const struct tf_v4l2_offer *o;
    char text[300], code[5];

    offers_text(offers, text, sizeof(text));
    if (options->format)
        c.row = tf_format_find(options->format);
    else
        c.row = guess_row(offers, options->width, options->height);
    if (c.row->width) {
        /* Either the buffer's size or the picture's may be asked for. */
        if (c.width && !(c.width == c.row->width && c.height == c.row->height) &&
            !(c.row->raw.w && c.width == c.row->raw.w && c.height == c.row->raw.h))
            return tf_fail(err, -EINVAL, "%s: %ux%u is asked for, but format %s has %ux%u", path, c.width,
                           c.height, c.row->name, c.row->width, c.row->height);
        c.width = c.row->width;
        c.height = c.row->height;
    }
    if (c.row->fourcc == 0) {
        if (!choose_visible(offers, c.width, c.height, options->fps, &c.fourcc)) {
#if TF_HAVE_LIBV4L2
            if (offers->count) {
                c.fourcc = V4L2_PIX_FMT_YUV420;
                c.convert = true;
            } else
#endif
                return tf_fail(err, -EINVAL, "%s: has no picture for people%s%s; it offers %s", path,
                               c.width ? " of that size" : "",
                               TF_HAVE_LIBV4L2 ? "" : " (built without libv4l2)", *text ? text : "nothing");
        }
        *ret = c;
        return 0;
    }
    c.fourcc = c.row->fourcc;
    o = offer_of(offers, c.fourcc);
    if (!o)
        return tf_fail(err, -EINVAL, "%s: format %s needs %s, but the device offers %s", path, c.row->name,
                       tf_v4l2_fourcc(c.fourcc, code), *text ? text : "nothing");
    if (!tf_v4l2_offers_size(o, c.width, c.height, 0) && !(options->accept_size && !c.row->width))
        return tf_fail(err, -EINVAL, "%s: format %s needs %s of %ux%u, but the device offers %s", path,
                       c.row->name, tf_v4l2_fourcc(c.fourcc, code), c.width, c.height, text);
    *ret = c;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t nx = strlen(x), ny = strlen(y);

    return nx != ny ? (nx < ny ? -1 : 1) : strcmp(x, y);
}

static void describe(struct tf_device *d)
{
    struct tf_v4l2_io io = {.fd = -1};
    struct v4l2_capability capability;
    struct tf_error e = {0};
    struct tf_v4l2_offers *offers;
    const struct tf_format *row;

    if (open_node(d->path, &io, &capability, &e)) {
        const char *text = strchr(e.text, ' ');

        snprintf(d->problem, sizeof(d->problem), "%.127s", text ? text + 1 : e.text);
        return;
    }
    snprintf(d->card, sizeof(d->card), "%.31s", (const char *)capability.card);
    snprintf(d->bus, sizeof(d->bus), "%.31s", (const char *)capability.bus_info);
    snprintf(d->driver, sizeof(d->driver), "%.15s", (const char *)capability.driver);
    offers = calloc(1, sizeof(*offers));
    if (offers) {
        tf_v4l2_offers(&io, offers);
        offers_text(offers, d->formats, sizeof(d->formats));
        row = guess_row(offers, 0, 0);
        if (offers->count && row)
            snprintf(d->row, sizeof(d->row), "%s", row->name);
        free(offers);
    }
    tf_v4l2_controls_text(&io, d->controls, sizeof(d->controls));
    tf_v4l2_close(&io);
}

/*
 * By-id names are made of maker, model and serial number: of two cameras that share these, either may get
 * the one name at the next start. Such twins are told apart by the bus that the driver reports, which for
 * USB is the port.
 */
static void find_twins(struct tf_device *devices, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (i != j && devices[i].card[0] && strcmp(devices[i].card, devices[j].card) == 0 &&
                strcmp(devices[i].serial, devices[j].serial) == 0)
                devices[i].twin = true;
    for (int i = 0; i < n; i++) {
        struct tf_device *d = &devices[i];

        if (d->twin && d->bus[0])
            snprintf(d->identity, sizeof(d->identity), "/dev/video*#%s", d->bus);
    }
}

int tf_devices_list(struct tf_device *devices, int max, struct tf_error *err)
{
    glob_t nodes = {0};
    int n = 0, r = glob("/dev/video*", 0, NULL, &nodes);

    if (r != 0 && r != GLOB_NOMATCH) {
        globfree(&nodes);
        return tf_fail(err, -EIO, "/dev cannot be read");
    }
    if (nodes.gl_pathc)
        qsort(nodes.gl_pathv, nodes.gl_pathc, sizeof(nodes.gl_pathv[0]), by_number);
    for (size_t i = 0; i < nodes.gl_pathc && n < max; i++) {
        struct tf_device *d = &devices[n];

        memset(d, 0, sizeof(*d));
        snprintf(d->path, sizeof(d->path), "%s", nodes.gl_pathv[i]);
        tf_v4l2_identity(d->path, d->identity);
        if (!link_to("/dev/v4l/by-path", d->path, d->by_path))
            d->by_path[0] = '\0';
        read_serial(d->path, d->serial, sizeof(d->serial));
        describe(d);
        /* Metadata and output nodes are not cameras; a node that may not be asked is listed with its problem.
         */
        if (d->card[0] || !strstr(d->problem, "is not a"))
            n++;
    }
    globfree(&nodes);
    find_twins(devices, n);
    return n;
}
