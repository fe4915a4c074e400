/*
 * Writes frames to a V4L2 output (v4l2loopback) with write(), over and over, at a steady rate.
 *
 * usage: vm-feed DEVICE FOURCC WIDTHxHEIGHT FPS FILE FRAME_BYTES
 * "Y16_" is "Y16 ". FILE holds frames of FRAME_BYTES each; for MJPG it is one picture.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
    unsigned w, h;
    long fps, frame, size, at = 0;
    uint8_t *data;
    FILE *file;
    int fd;

    if (argc != 7 || strlen(argv[2]) != 4 || sscanf(argv[3], "%ux%u", &w, &h) != 2 ||
        (fps = atol(argv[4])) < 1 || (frame = atol(argv[6])) < 1) {
        fprintf(stderr, "usage: vm-feed DEVICE FOURCC WIDTHxHEIGHT FPS FILE FRAME_BYTES\n");
        return 2;
    }
    file = fopen(argv[5], "rb");
    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < frame || !(data = malloc((size_t)size))) {
        fprintf(stderr, "vm-feed: %s: no frame of %ld bytes\n", argv[5], frame);
        return 1;
    }
    rewind(file);
    if (fread(data, 1, (size_t)size, file) != (size_t)size)
        return 1;
    fclose(file);
    fd = open(argv[1], O_RDWR);
    if (fd < 0 || ioctl(fd, VIDIOC_G_FMT, &f) < 0) {
        perror(argv[1]);
        return 1;
    }
    for (int i = 0; i < 4; i++)
        if (argv[2][i] == '_')
            argv[2][i] = ' ';
    memcpy(&f.fmt.pix.pixelformat, argv[2], 4);
    f.fmt.pix.width = w;
    f.fmt.pix.height = h;
    f.fmt.pix.field = V4L2_FIELD_NONE;
    f.fmt.pix.bytesperline = 0;
    f.fmt.pix.sizeimage = (uint32_t)frame;
    if (ioctl(fd, VIDIOC_S_FMT, &f) < 0 || f.fmt.pix.width != w || f.fmt.pix.height != h ||
        memcmp(&f.fmt.pix.pixelformat, argv[2], 4) != 0) {
        fprintf(stderr, "vm-feed: %s does not take %s of %s\n", argv[1], argv[2], argv[3]);
        return 1;
    }
    for (;;) {
        ssize_t n = write(fd, data + at, (size_t)frame);

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            perror("vm-feed: write");
            return 1;
        }
        at = at + 2 * frame <= size ? at + frame : 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000000000 / fps}, NULL);
    }
}
