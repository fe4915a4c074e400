/* open and open64 are both needed under their own names. */
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/usb/video.h>
#include <linux/uvcvideo.h>

#include "base/count.h"
#include "fake_v4l2.h"

struct fake_v4l2 fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* QBUF comes from any thread */
static int timer_fd = -1, memory_fd = -1;
static uint8_t *memory;
static size_t slot;
static struct v4l2_pix_format pix;
static unsigned allocated, head, tail, sequence, dequeued;
static uint32_t fifo[1024];
static bool in_queue[FAKE_BUFFERS];

static void forget(void)
{
    if (memory)
        munmap(memory, slot * FAKE_BUFFERS);
    if (memory_fd >= 0)
        syscall(SYS_close, memory_fd);
    memory = NULL;
    memory_fd = timer_fd = -1;
    allocated = head = tail = 0;
}

void fake_reset(void)
{
    forget();
    memset(&fake, 0, sizeof(fake));
    fake.armed = true;
    fake.formats[0].fourcc = V4L2_PIX_FMT_Y16;
    fake.formats[0].width = 160;
    fake.formats[0].height = 120;
    fake.stride = fake.size = UINT32_MAX;
    fake.period_us = 5000;
    fake.buffer_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    sequence = dequeued = 0;
}

static int fake_open(const char *path, int flags, mode_t mode)
{
    if (!fake.armed || strcmp(path, FAKE_PATH) != 0)
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fake.open_errno) {
        errno = fake.open_errno;
        return -1;
    }
    forget();
    fake.opens++;
    return timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fake_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fake_open(path, flags, mode);
}

/* Every argument a full word: syscall takes whatever is in the register. */
static void *map(void *address, size_t length, long protection, long flags, long fd, long offset)
{
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}

static void *fake_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && fd == timer_fd) {
        fd = memory_fd;
        fake.maps++;
    }
    return map(address, length, protection, flags, fd, offset);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return fake_mmap(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return fake_mmap(address, length, protection, flags, fd, offset);
}

int close(int fd)
{
    if (fd >= 0 && fd == timer_fd) {
        fake.closes++;
        timer_fd = -1;
    }
    return (int)syscall(SYS_close, fd);
}

static uint32_t honest_stride(void)
{
    switch (pix.pixelformat) {
    case V4L2_PIX_FMT_MJPEG:
        return 0;
    case V4L2_PIX_FMT_GREY:
    case V4L2_PIX_FMT_NV12:
    case V4L2_PIX_FMT_YUV420:
        return pix.width;
    default:
        return pix.width * 2;
    }
}

static uint32_t honest_size(void)
{
    if (pix.pixelformat == V4L2_PIX_FMT_MJPEG)
        return pix.width * pix.height;
    return pix.bytesperline * pix.height *
           (pix.pixelformat == V4L2_PIX_FMT_NV12 || pix.pixelformat == V4L2_PIX_FMT_YUV420 ? 3 : 2) / 2;
}

static int set_format(struct v4l2_format *f)
{
    bool known = false;

    for (int i = 0; i < FAKE_FORMATS; i++)
        known |= fake.formats[i].fourcc && fake.formats[i].fourcc == f->fmt.pix.pixelformat;
    pix = f->fmt.pix;
    pix.pixelformat = fake.give_fourcc ? fake.give_fourcc : known ? pix.pixelformat : fake.formats[0].fourcc;
    if (fake.give_width)
        pix.width = fake.give_width;
    if (fake.give_height)
        pix.height = fake.give_height;
    pix.field = V4L2_FIELD_NONE;
    pix.priv = V4L2_PIX_FMT_PRIV_MAGIC;
    pix.colorspace = fake.colorspace;
    pix.quantization = fake.quantization;
    pix.bytesperline = fake.stride == UINT32_MAX ? honest_stride() : fake.stride;
    pix.sizeimage = fake.size == UINT32_MAX ? honest_size() : fake.size;
    f->fmt.pix = pix;
    return 0;
}

static int request(struct v4l2_requestbuffers *r)
{
    if (fake.buffers && r->count > fake.buffers)
        r->count = fake.buffers;
    if (r->count > FAKE_BUFFERS && fake.buffers <= FAKE_BUFFERS)
        r->count = FAKE_BUFFERS;
    allocated = r->count > FAKE_BUFFERS ? FAKE_BUFFERS : r->count;
    head = tail = 0;
    memset(in_queue, 0, sizeof(in_queue));
    if (!allocated)
        return 0;
    if (memory)
        munmap(memory, slot * FAKE_BUFFERS);
    if (memory_fd >= 0)
        syscall(SYS_close, memory_fd);
    slot = ((pix.sizeimage > fake.least_size ? pix.sizeimage : fake.least_size) + 8191) / 4096 * 4096;
    memory_fd = memfd_create("fake-v4l2", MFD_CLOEXEC);
    if (memory_fd < 0 || ftruncate(memory_fd, (off_t)(slot * FAKE_BUFFERS)) < 0)
        return -ENOMEM;
    memory = map(NULL, slot * FAKE_BUFFERS, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    return memory == MAP_FAILED ? -ENOMEM : 0;
}

static int dequeue(struct v4l2_buffer *b)
{
    uint64_t ticks;
    struct timespec now;
    unsigned n;
    int r = 0;

    if (tail == head || read(timer_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
        return -EAGAIN;
    b->index = fifo[tail++ % 1024];
    in_queue[b->index] = false;
    fake.queued--;
    n = dequeued++;
    clock_gettime(CLOCK_MONOTONIC, &now);
    b->bytesused = pix.sizeimage;
    b->length = pix.sizeimage;
    b->sequence = sequence++;
    b->flags = fake.buffer_flags;
    b->timestamp.tv_sec = now.tv_sec;
    b->timestamp.tv_usec = now.tv_nsec / 1000;
    if (fake.fill)
        fake.fill(memory + b->index * slot, pix.sizeimage, n);
    if (fake.dequeued)
        r = fake.dequeued(b, memory + (b->index % FAKE_BUFFERS) * slot, pix.sizeimage, n);
    /* A test may wait for it from another thread. */
    __atomic_add_fetch(&fake.dequeues, 1, __ATOMIC_RELAXED);
    return r;
}

static const struct v4l2_query_ext_ctrl ctrls[] = {
    {.id = V4L2_CID_BRIGHTNESS,
     .type = V4L2_CTRL_TYPE_INTEGER,
     .name = "Brightness",
     .maximum = 255,
     .step = 1,
     .default_value = 128},
    {.id = V4L2_CID_POWER_LINE_FREQUENCY,
     .type = V4L2_CTRL_TYPE_MENU,
     .name = "Power Line, Frequency",
     .maximum = 1},
    {.id = V4L2_CID_USER_BASE + 0x1000, .type = V4L2_CTRL_TYPE_BUTTON, .name = "Shutter"},
    {.id = V4L2_CID_USER_BASE + 0x1001,
     .type = V4L2_CTRL_TYPE_INTEGER,
     .name = "Locked",
     .maximum = 9,
     .flags = V4L2_CTRL_FLAG_READ_ONLY},
};

static int control(unsigned long rq, void *a)
{
    struct v4l2_query_ext_ctrl *q = a;
    struct v4l2_querymenu *menu = a;
    struct v4l2_ext_controls *all = a;
    bool set = rq == VIDIOC_S_EXT_CTRLS;

    if (!fake.controls)
        return -ENOTTY;
    if (rq == VIDIOC_QUERY_EXT_CTRL) {
        for (size_t i = 0; i < TF_COUNT(ctrls); i++)
            if (ctrls[i].id > (q->id & ~V4L2_CTRL_FLAG_NEXT_CTRL)) {
                *q = ctrls[i];
                return 0;
            }
        return -EINVAL;
    }
    if (rq == VIDIOC_QUERYMENU) {
        if (menu->index > 1)
            return -EINVAL;
        strcpy((char *)menu->name, menu->index ? "50 Hz" : "Disabled");
        return 0;
    }
    switch (all->controls[0].id) {
    case V4L2_CID_BRIGHTNESS:
        *(set ? &fake.brightness : &all->controls[0].value) = set ? all->controls[0].value : fake.brightness;
        return 0;
    case V4L2_CID_POWER_LINE_FREQUENCY:
        *(set ? &fake.mode : &all->controls[0].value) = set ? all->controls[0].value : fake.mode;
        return 0;
    case V4L2_CID_USER_BASE + 0x1000:
        fake.shutters += set;
        return set ? 0 : -EACCES;
    }
    return set ? -EACCES : 0;
}

static int extension(struct uvc_xu_control_query *q)
{
    if (!fake.unit_size || q->unit != 6 || q->selector != 17)
        return -ENOENT;
    if (q->query == UVC_GET_LEN) {
        q->data[0] = (uint8_t)fake.unit_size;
        q->data[1] = (uint8_t)(fake.unit_size >> 8);
    } else if (q->query == UVC_SET_CUR) {
        if (q->size != fake.unit_size)
            return -ENOBUFS;
        memcpy(fake.unit_bytes, q->data, q->size);
        fake.unit_sets++;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int answer(unsigned long rq, void *a)
{
    struct itimerspec period = {0};
    struct v4l2_buffer *b = a;
    struct v4l2_fmtdesc *desc = a;
    struct v4l2_frmsizeenum *size = a;
    struct v4l2_capability *capability = a;
    struct v4l2_format *f = a;

    switch (rq) {
    case VIDIOC_QUERYCAP:
        memset(capability, 0, sizeof(*capability));
        strcpy((char *)capability->card, "Fake camera");
        strcpy((char *)capability->driver, "fake");
        strcpy((char *)capability->bus_info, "test:1");
        capability->device_caps =
            fake.capabilities ? fake.capabilities : V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    case VIDIOC_ENUM_FMT:
        if (desc->index >= FAKE_FORMATS || !fake.formats[desc->index].fourcc)
            return -EINVAL;
        desc->pixelformat = fake.formats[desc->index].fourcc;
        return 0;
    case VIDIOC_ENUM_FRAMESIZES:
        for (int i = 0; i < FAKE_FORMATS; i++)
            if (fake.formats[i].fourcc == size->pixel_format && fake.formats[i].width) {
                if (size->index)
                    return -EINVAL;
                size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
                size->discrete.width = fake.formats[i].width;
                size->discrete.height = fake.formats[i].height;
                return 0;
            }
        return -ENOTTY;
    case VIDIOC_G_FMT:
        memset(&f->fmt, 0, sizeof(f->fmt));
        f->fmt.pix.width = fake.formats[0].width ? fake.formats[0].width : 320;
        f->fmt.pix.height = fake.formats[0].height ? fake.formats[0].height : 240;
        f->fmt.pix.pixelformat = fake.formats[0].fourcc;
        return 0;
    case VIDIOC_S_FMT:
        return set_format(f);
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_captureparm *p = &((struct v4l2_streamparm *)a)->parm.capture;

        p->capability = V4L2_CAP_TIMEPERFRAME;
        if (rq == VIDIOC_G_PARM)
            p->timeperframe = (struct v4l2_fract){1, 9};
        return 0;
    }
    case VIDIOC_G_INPUT:
        *(int *)a = 0;
        return fake.no_inputs ? -ENOTTY : 0;
    case VIDIOC_ENUMINPUT:
        ((struct v4l2_input *)a)->status = fake.input_status;
        return 0;
    case VIDIOC_REQBUFS:
        return request(a);
    case VIDIOC_QUERYBUF:
        b->length = pix.sizeimage;
        b->m.offset = (uint32_t)(b->index * slot);
        return b->index < allocated ? 0 : -EINVAL;
    case VIDIOC_QBUF:
        if (b->index >= allocated || in_queue[b->index])
            return -EINVAL;
        in_queue[b->index] = true;
        fake.queued++;
        fifo[head++ % 1024] = b->index;
        return 0;
    case VIDIOC_DQBUF:
        return dequeue(b);
    case VIDIOC_STREAMON:
        fake.streams_on++;
        period.it_value.tv_nsec = period.it_interval.tv_nsec = (long)fake.period_us * 1000;
        timerfd_settime(timer_fd, 0, &period, NULL);
        return 0;
    case VIDIOC_STREAMOFF:
        fake.streams_off++;
        fake.queued = 0;
        timerfd_settime(timer_fd, 0, &period, NULL);
        return 0;
    case VIDIOC_QUERY_EXT_CTRL:
    case VIDIOC_QUERYMENU:
    case VIDIOC_G_EXT_CTRLS:
    case VIDIOC_S_EXT_CTRLS:
        return control(rq, a);
    case UVCIOC_CTRL_QUERY:
        return extension(a);
    default:
        return -ENOTTY;
    }
}

int ioctl(int fd, unsigned long rq, ...)
{
    va_list args;
    void *a;
    int r;

    va_start(args, rq);
    a = va_arg(args, void *);
    va_end(args);
    if (fd < 0 || fd != timer_fd)
        return (int)syscall(SYS_ioctl, fd, rq, a);
    pthread_mutex_lock(&lock);
    if (rq == fake.fault.request && fake.fault.after-- <= 0 && fake.fault.times-- > 0)
        r = -fake.fault.code;
    else
        r = answer(rq, a);
    if (fake.answered)
        r = fake.answered(rq, a, r);
    pthread_mutex_unlock(&lock);
    if (r < 0) {
        errno = -r;
        return -1;
    }
    return r;
}
