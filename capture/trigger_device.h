/* What the kinds of trigger inputs share; inside capture/ only. */
#ifndef TF_CAPTURE_TRIGGER_DEVICE_H
#define TF_CAPTURE_TRIGGER_DEVICE_H

#include <linux/input.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "capture/trigger.h"

#define TF_TRIGGER_SLOTS KEY_CNT /* places for the debouncing: keys, bytes, lines */
#define TF_TRIGGER_TEXT_MAX 128  /* bytes of a text from a serial port */

struct tf_trigger {
    struct tf_trigger_options options; /* its strings are the trigger's */
    char *strings[4];
    bool wanted[TF_TRIGGER_SLOTS]; /* keys or bytes, or bits of control lines */
    const struct tf_trigger_ops *ops;
    pthread_t thread;
    bool has_thread;
    int wake; /* eventfd: the thread is to end */
    atomic_bool ending, ended;

    /* The thread's. */
    int fd;
    const char *t_from;
    uint64_t last_ns[TF_TRIGGER_SLOTS]; /* of the last change that counted */
    uint64_t filled_ns;                 /* of the rate's limit */
    double tokens;
    char text[TF_TRIGGER_TEXT_MAX]; /* serial: what has come of a line */
    size_t text_size;
    bool text_cut;
    unsigned counts[4];     /* control lines: transitions so far */
    void *chip, *gpio_line; /* libgpiod's */

    pthread_mutex_t lock;
    struct tf_trigger_status status;
};

struct tf_trigger_ops {
    int (*check)(struct tf_trigger *t, struct tf_error *err); /* fills `wanted` */
    int (*open)(struct tf_trigger *t, struct tf_error *err);  /* sets fd and t_from */
    /* Takes what is there, once fd is readable. With `waits` it waits itself, until SIGUSR2. < 0: it is gone.
     */
    int (*take)(struct tf_trigger *t, struct tf_error *err);
    void (*close)(struct tf_trigger *t); /* NULL: close(fd) is enough */
    bool waits;
};
extern const struct tf_trigger_ops tf_trigger_evdev, tf_trigger_serial, tf_trigger_line, tf_trigger_gpio;

/* One change, of whichever edge: debounced, held against the edge that is wanted and the rate, reported. */
void tf_trigger_change(struct tf_trigger *t, unsigned slot, bool rising,
                       const struct tf_trigger_event *event);
void tf_trigger_missed(struct tf_trigger *t, uint64_t count);
/* The kernel's stamp, unless it cannot be: later than now or more than a minute ago. */
uint64_t tf_trigger_stamp(uint64_t stamp_ns, const char **t_from);
/* "/dev/…: not there" and the like; of a refusal also the group that may open it. */
int tf_trigger_refused(const char *device, int code, struct tf_error *err);
/* Calls `each` with each word of a list; the first error ends it. */
int tf_trigger_words(const char *list,
                     int (*each)(struct tf_trigger *t, const char *word, struct tf_error *err),
                     struct tf_trigger *t, struct tf_error *err);

/* trigger_keys.c */
/* The code of a key's name or number; -EINVAL. */
int tf_trigger_key(const char *name, struct tf_error *err);
/* "KEY_SPACE"; a number where it has no name. `text`: where that is written. */
const char *tf_trigger_key_name(unsigned code, char text[16]);

/* trigger_evdev.c, for its test. */
void tf_trigger_evdev_take(struct tf_trigger *t, const struct input_event *events, size_t count);
/* trigger_serial.c, for its test. */
void tf_trigger_serial_take(struct tf_trigger *t, const unsigned char *data, size_t size, uint64_t t_mono_ns);

#endif
