/*
 * A V4L2 driver inside the test: open, ioctl and mmap of this program lead here for one path. The descriptor
 * is a timerfd and the buffers a memfd, so poll and mappings are the kernel's own. It knows only what its
 * author knew of V4L2: good for errors and odd answers, no proof that a camera works (tests/vm is).
 */
#ifndef TF_TESTS_CAPTURE_FAKE_V4L2_H
#define TF_TESTS_CAPTURE_FAKE_V4L2_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A character device that is always there; stat is not faked. */
#define FAKE_PATH "/dev/null"
#define FAKE_FORMATS 4
#define FAKE_BUFFERS 32

struct fake_v4l2 {
    bool armed;
    int open_errno;
    uint32_t capabilities; /* 0: capture and streaming */
    struct {
        uint32_t fourcc, width, height; /* width 0: ENUM_FRAMESIZES is not answered */
    } formats[FAKE_FORMATS];
    uint32_t colorspace, quantization;             /* of the answer to S_FMT */
    uint32_t give_width, give_height, give_fourcc; /* what S_FMT answers instead, 0 = what was asked */
    uint32_t stride, size;                         /* bytesperline and sizeimage; UINT32_MAX = honest */
    uint32_t least_size;                           /* of the memory really there */
    uint32_t buffers;                              /* REQBUFS gives at most so many; 0 = as asked */
    uint32_t input_status;
    bool no_inputs;
    uint32_t period_us;
    uint32_t buffer_flags;
    /* The ioctl that fails: after `after` successes, `times` times with that errno. */
    struct {
        unsigned long request;
        int after, times, code;
    } fault;
    /* Last word on a dequeued buffer and its bytes; a negative errno makes DQBUF fail. n counts from 0. */
    int (*dequeued)(struct v4l2_buffer *b, uint8_t *data, size_t size, unsigned n);
    /* Writes picture n. */
    void (*fill)(uint8_t *data, size_t size, unsigned n);

    /* Last word on any other answer: may change it, and make the call fail with a negative errno. */
    int (*answered)(unsigned long request, void *argument, int r);
    /* Controls: brightness (0 to 255), mode (a menu of two), shutter (a button), locked (read only). */
    bool controls;
    /* An extension unit 6 with selector 17 of this many bytes; 0: none. */
    uint16_t unit_size;

    /* What was seen. */
    int brightness, mode, shutters;
    uint8_t unit_bytes[64];
    unsigned unit_sets;
    unsigned opens, closes, maps, streams_on, streams_off, dequeues;
    int queued;
};

extern struct fake_v4l2 fake;
/* Back to an honest Lepton: Y16 160x120 at 200 frames a second. */
void fake_reset(void);

#endif
