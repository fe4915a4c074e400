/*
 * Trigger inputs: keys and buttons (evdev), bytes and control lines of a serial port, lines of a GPIO chip.
 *
 * A thread for each opens the device, opens it again whenever it is gone (0.25 s to 5 s between tries,
 * without end), and reports each change with its moment by CLOCK_MONOTONIC. Nothing of it touches the frames'
 * way.
 */
#ifndef TF_CAPTURE_TRIGGER_H
#define TF_CAPTURE_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum tf_trigger_kind {
    TF_TRIGGER_EVDEV,  /* /dev/input/…: keys and buttons */
    TF_TRIGGER_SERIAL, /* bytes of a serial port */
    TF_TRIGGER_LINE,   /* control lines of a serial port */
    TF_TRIGGER_GPIO,   /* a line of /dev/gpiochipN */
};
const char *tf_trigger_kind_name(enum tf_trigger_kind kind);

/* Of a key, rising is the press; of a line, that it becomes active. Bytes have none. */
enum tf_trigger_edge {
    TF_TRIGGER_RISING,
    TF_TRIGGER_FALLING,
    TF_TRIGGER_BOTH,
};

/* What of a serial port is one event. */
enum tf_trigger_split {
    TF_TRIGGER_SPLIT_BYTE,
    TF_TRIGGER_SPLIT_LINE, /* a text that ends with CR or LF */
};

enum tf_trigger_bias {
    TF_TRIGGER_BIAS_AS_IS,
    TF_TRIGGER_BIAS_UP,
    TF_TRIGGER_BIAS_DOWN,
    TF_TRIGGER_BIAS_OFF,
};

#define TF_TRIGGER_WHAT 200 /* bytes with the zero */

struct tf_trigger_event {
    /* The key ("KEY_SPACE"), the byte as a decimal number, the text, or the line ("cts", "17"); printable
     * ASCII. */
    const char *what;
    const char *as_text; /* of a byte: its character, or \xNN; else as `what` */
    const char *change;  /* "press", "release", "rising", "falling", "byte", "text" */
    uint64_t t_mono_ns;
    const char *t_from; /* "kernel": stamped where the input changed; "arrival": here, when it was read */
};

struct tf_trigger_options {
    const char *name;
    enum tf_trigger_kind kind;
    const char *device;
    /* evdev: names of keys or their numbers; serial: numbers of bytes; blanks or commas between. NULL: all.
     */
    const char *keys;
    const char *line; /* of TF_TRIGGER_LINE: cts, dsr, dcd, ri, one or several; of GPIO: a number or a name */
    enum tf_trigger_edge edge;
    bool grab; /* evdev: nobody else gets its keys */
    bool active_low;
    enum tf_trigger_bias bias;
    uint32_t baud; /* 0: 9600 */
    enum tf_trigger_split split;
    uint64_t debounce_ns; /* changes of the same key or line so soon after one that counted do not count */
    uint32_t rate_max;    /* events a second; 0: 20 */
    /* From the trigger's thread; has to return at once. */
    void (*event)(void *context, const struct tf_trigger_event *event);
    /* From the trigger's thread: once for each change between being there and being away, and for each new
     * reason. */
    void (*told)(void *context, bool there, const char *text);
    void *context;
};

enum tf_trigger_state {
    TF_TRIGGER_OPENING,
    TF_TRIGGER_THERE,
    TF_TRIGGER_AWAY,
};
const char *tf_trigger_state_name(enum tf_trigger_state state);

struct tf_trigger_status {
    enum tf_trigger_state state;
    char message[256];  /* why it is away, or empty */
    const char *t_from; /* whose stamps it gives; NULL: not open yet */
    /* These only grow. */
    uint64_t events;   /* reported */
    uint64_t bounced;  /* left out: too soon after the same one */
    uint64_t limited;  /* left out: more than rate_max */
    uint64_t missed;   /* that the kernel or the device says are lost */
    uint64_t reopened; /* times that it came back */
};

struct tf_trigger;

/* What can be told without the device: keys, line, baud. -EINVAL; -ENOTSUP: this build has no GPIO. */
int tf_trigger_check(const struct tf_trigger_options *options, struct tf_error *err);
/* Starts the thread; the device need not be there. Strings need not outlive the call. */
int tf_trigger_create(const struct tf_trigger_options *options, struct tf_trigger **ret,
                      struct tf_error *err);
/* From any thread, until tf_trigger_destroy. */
void tf_trigger_status(struct tf_trigger *trigger, struct tf_trigger_status *ret);
/* Ends the thread: no event comes after, and the status can still be asked. Accepts NULL, and again. */
void tf_trigger_stop(struct tf_trigger *trigger);
/* The same, and frees it. Accepts NULL. */
void tf_trigger_destroy(struct tf_trigger *trigger);

#endif
