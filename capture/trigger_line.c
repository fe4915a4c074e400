/*
 * Control lines of a serial port: CTS, DSR, DCD, RI. The kernel wakes who waits for a change (TIOCMIWAIT) and
 * counts changes (TIOCGICOUNT), but it does not say when they were: their moment is when we were awake.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "capture/trigger_device.h"

static const struct {
    const char *name;
    int bit;
} lines[] = {{"cts", TIOCM_CTS}, {"dsr", TIOCM_DSR}, {"dcd", TIOCM_CD}, {"ri", TIOCM_RI}};

static int want(struct tf_trigger *t, const char *word, struct tf_error *err)
{
    for (size_t i = 0; i < TF_COUNT(lines); i++)
        if (strcasecmp(word, lines[i].name) == 0) {
            t->wanted[i] = true;
            return 0;
        }
    return tf_fail(err, -EINVAL, "\"%s\" is no control line: cts, dsr, dcd and ri are", word);
}

static int check(struct tf_trigger *t, struct tf_error *err)
{
    int r = t->options.line ? tf_trigger_words(t->options.line, want, t, err) : 0;

    for (size_t i = 0; i < TF_COUNT(lines); i++)
        if (t->wanted[i] || r < 0)
            return r;
    return tf_fail(err, -EINVAL, "no control line is named: line=cts, dsr, dcd or ri");
}

static int count(struct tf_trigger *t, unsigned counts[4])
{
    struct serial_icounter_struct c;

    if (ioctl(t->fd, TIOCGICOUNT, &c) < 0)
        return -errno;
    counts[0] = (unsigned)c.cts;
    counts[1] = (unsigned)c.dsr;
    counts[2] = (unsigned)c.dcd;
    counts[3] = (unsigned)c.rng;
    return 0;
}

static int open_line(struct tf_trigger *t, struct tf_error *err)
{
    struct termios tio;
    int state, r;

    t->fd = open(t->options.device, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (t->fd < 0)
        return tf_trigger_refused(t->options.device, -errno, err);
    if (tcgetattr(t->fd, &tio) < 0)
        return tf_fail(err, -errno, "%s: no serial port", t->options.device);
    /* What comes on the data line is not ours; a hang-up by DCD must not end us. */
    tio.c_cflag |= CLOCAL;
    tio.c_cflag &= ~(tcflag_t)CRTSCTS;
    if (tcsetattr(t->fd, TCSANOW, &tio) < 0)
        return tf_fail(err, -errno, "%s: cannot be set: %s", t->options.device, strerror(errno));
    r = ioctl(t->fd, TIOCMGET, &state) < 0 ? -errno : count(t, t->counts);
    if (r < 0)
        return tf_fail(err, r, "%s: the port has no control lines that say when they change",
                       t->options.device);
    t->t_from = "arrival";
    return 0;
}

/* A line that changed more than once since the last look was the other way between: both are reported, at the
 * moment of the look, and what is more is counted. */
static void changed(struct tf_trigger *t, unsigned line, unsigned changes, bool active, uint64_t now)
{
    bool rising = changes > 1 ? !active : active;

    active ^= t->options.active_low;
    rising ^= t->options.active_low;
    for (unsigned i = 0; i < changes && i < 2; i++, rising = active) {
        const struct tf_trigger_event event = {.what = lines[line].name,
                                               .as_text = lines[line].name,
                                               .change = rising ? "rising" : "falling",
                                               .t_mono_ns = now,
                                               .t_from = "arrival"};

        tf_trigger_change(t, line, rising, &event);
    }
    if (changes > 2)
        tf_trigger_missed(t, changes - 2);
}

static int take(struct tf_trigger *t, struct tf_error *err)
{
    unsigned counts[4];
    int bits = 0, state, r;
    uint64_t now;

    for (size_t i = 0; i < TF_COUNT(lines); i++)
        bits |= t->wanted[i] ? lines[i].bit : 0;
    r = ioctl(t->fd, TIOCMIWAIT, bits);
    now = tf_now_ns();
    if (r < 0 && errno == EINTR)
        return 0;
    if (r == 0)
        r = count(t, counts);
    if (r < 0 || ioctl(t->fd, TIOCMGET, &state) < 0)
        return tf_fail(err, -ENODEV, "%s: gone", t->options.device);
    for (unsigned i = 0; i < TF_COUNT(lines); i++) {
        unsigned changes = counts[i] - t->counts[i];

        t->counts[i] = counts[i];
        if (t->wanted[i] && changes)
            changed(t, i, changes, state & lines[i].bit, now);
    }
    return 0;
}

const struct tf_trigger_ops tf_trigger_line = {
    .check = check, .open = open_line, .take = take, .waits = true};
