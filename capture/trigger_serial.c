/* Bytes of a serial port. The kernel does not stamp them: their moment is when they were read. */
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "capture/trigger_device.h"

#define BAUD_USUAL 9600

static const struct {
    uint32_t baud;
    speed_t speed;
} speeds[] = {
    {300, B300},         {600, B600},         {1200, B1200},       {2400, B2400},       {4800, B4800},
    {9600, B9600},       {19200, B19200},     {38400, B38400},     {57600, B57600},     {115200, B115200},
    {230400, B230400},   {460800, B460800},   {500000, B500000},   {576000, B576000},   {921600, B921600},
    {1000000, B1000000}, {1500000, B1500000}, {2000000, B2000000}, {3000000, B3000000}, {4000000, B4000000},
};

static int want(struct tf_trigger *t, const char *word, struct tf_error *err)
{
    char *end;
    unsigned long byte = strtoul(word, &end, 0);

    if (*word < '0' || *word > '9' || *end || byte > 255)
        return tf_fail(err, -EINVAL, "\"%s\" is no byte: expected numbers from 0 to 255 (0x41 for \"A\")",
                       word);
    t->wanted[byte] = true;
    return 0;
}

static const speed_t *find_speed(uint32_t baud)
{
    for (size_t i = 0; i < TF_COUNT(speeds); i++)
        if (speeds[i].baud == (baud ? baud : BAUD_USUAL))
            return &speeds[i].speed;
    return NULL;
}

static int check(struct tf_trigger *t, struct tf_error *err)
{
    if (!find_speed(t->options.baud))
        return tf_fail(err, -EINVAL, "%u is no baud rate: 9600, 19200, 38400, 57600, 115200 and so on are",
                       t->options.baud);
    if (t->options.keys)
        return tf_trigger_words(t->options.keys, want, t, err);
    memset(t->wanted, true, sizeof(t->wanted));
    return 0;
}

/* What a USB adapter keeps back for some milliseconds, for longer transfers, is wanted at once. A driver that
 * cannot is no reason not to listen. */
static void hurry(int fd)
{
    struct serial_struct s;

    if (ioctl(fd, TIOCGSERIAL, &s) < 0 || s.flags & ASYNC_LOW_LATENCY)
        return;
    s.flags |= ASYNC_LOW_LATENCY;
    if (ioctl(fd, TIOCSSERIAL, &s) < 0)
        return;
}

static int open_serial(struct tf_trigger *t, struct tf_error *err)
{
    const speed_t *speed = find_speed(t->options.baud);
    struct termios tio;

    t->fd = open(t->options.device, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (t->fd < 0)
        return tf_trigger_refused(t->options.device, -errno, err);
    if (tcgetattr(t->fd, &tio) < 0)
        return tf_fail(err, -errno, "%s: no serial port", t->options.device);
    /* Two that read one port would each get some of the bytes. */
    if (flock(t->fd, LOCK_EX | LOCK_NB) < 0)
        return tf_fail(err, -errno, "%s: another program has it", t->options.device);
    cfmakeraw(&tio);
    tio.c_iflag |= IGNBRK | IGNPAR;
    tio.c_cflag |= CLOCAL | CREAD;
    tio.c_cflag &= ~(tcflag_t)(CRTSCTS | CSTOPB);
    tio.c_cc[VMIN] = 1;
    tio.c_cc[VTIME] = 0;
    if (cfsetspeed(&tio, *speed) < 0 || tcsetattr(t->fd, TCSANOW, &tio) < 0)
        return tf_fail(err, -errno, "%s: cannot be set to %u baud: %s", t->options.device, t->options.baud,
                       strerror(errno));
    tcflush(t->fd, TCIFLUSH);
    hurry(t->fd);
    t->t_from = "arrival";
    return 0;
}

static void put_char(unsigned char c, char text[8])
{
    if (c > 0x20 && c < 0x7f && c != '\\')
        snprintf(text, 8, "%c", c);
    else
        snprintf(text, 8, "\\x%02x", c);
}

static void end_text(struct tf_trigger *t, uint64_t t_mono_ns)
{
    const struct tf_trigger_event event = {
        .what = t->text, .as_text = t->text, .change = "text", .t_mono_ns = t_mono_ns, .t_from = "arrival"};

    t->text[t->text_size] = '\0';
    if (t->text_cut)
        tf_trigger_missed(t, 1);
    if (t->text_size)
        tf_trigger_change(t, 0, t->options.edge == TF_TRIGGER_RISING, &event);
    t->text_size = 0;
    t->text_cut = false;
}

/* What is no printable ASCII stands as \xNN; a text that has no end is cut, and that is counted. */
static void take_text(struct tf_trigger *t, unsigned char c, uint64_t t_mono_ns)
{
    char piece[8];
    size_t n;

    if (c == '\n' || c == '\r') {
        end_text(t, t_mono_ns);
        return;
    }
    if (c == ' ')
        strcpy(piece, " ");
    else
        put_char(c, piece);
    n = strlen(piece);
    if (t->text_size + n >= sizeof(t->text)) {
        t->text_cut = true;
        return;
    }
    memcpy(t->text + t->text_size, piece, n);
    t->text_size += n;
}

void tf_trigger_serial_take(struct tf_trigger *t, const unsigned char *data, size_t size, uint64_t t_mono_ns)
{
    for (size_t i = 0; i < size; i++) {
        char number[8], text[8];
        const struct tf_trigger_event event = {
            .what = number, .as_text = text, .change = "byte", .t_mono_ns = t_mono_ns, .t_from = "arrival"};

        if (t->options.split == TF_TRIGGER_SPLIT_LINE) {
            take_text(t, data[i], t_mono_ns);
            continue;
        }
        if (!t->wanted[data[i]])
            continue;
        snprintf(number, sizeof(number), "%u", data[i]);
        put_char(data[i], text);
        tf_trigger_change(t, data[i], t->options.edge == TF_TRIGGER_RISING, &event);
    }
}

static int take(struct tf_trigger *t, struct tf_error *err)
{
    uint64_t now = tf_now_ns();
    unsigned char data[256];
    ssize_t n = read(t->fd, data, sizeof(data));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return tf_fail(err, n < 0 ? -errno : -ENODEV, "%s: gone", t->options.device);
    tf_trigger_serial_take(t, data, (size_t)n, now);
    return 0;
}

const struct tf_trigger_ops tf_trigger_serial = {.check = check, .open = open_serial, .take = take};
