/* The one table of keys; inside config/ only. */
#ifndef TF_CONFIG_TABLE_H
#define TF_CONFIG_TABLE_H

#include "config/config.h"

enum tf_section {
    TF_SECTION_CAMERA,
    TF_SECTION_PAIR,
    TF_SECTION_REGION,
    TF_SECTION_TRIGGER, /* the last of those with names */
    TF_SECTION_INFERENCE,
    TF_SECTION_OVERLAY,
    TF_SECTION_VIDEO,
    TF_SECTION_RTSP,
    TF_SECTION_HTTP,
    TF_SECTION_RECORDING,
    TF_SECTION_MQTT,
    TF_SECTION_LSL,
    TF_SECTIONS, /* their number */
};

/* Sections that stand once for each name. */
static inline bool tf_section_is_named(enum tf_section section)
{
    return section <= TF_SECTION_TRIGGER;
}

struct tf_section_info {
    const char *name;
    const char *help;
    size_t offset; /* in struct tf_config; of the first one of a named section */
    size_t size;   /* of one of a named section */
};
extern const struct tf_section_info tf_sections[TF_SECTIONS];

/* What a value may be and which field type it is stored in. */
enum tf_value {
    TF_VALUE_BOOL,        /* bool */
    TF_VALUE_UINT,        /* uint32_t */
    TF_VALUE_UINT16,      /* uint16_t */
    TF_VALUE_NUMBER,      /* float */
    TF_VALUE_DURATION,    /* uint64_t, nanoseconds; limits in seconds */
    TF_VALUE_BYTES,       /* uint32_t; limits in bytes */
    TF_VALUE_RATE,        /* uint32_t, kbit/s; limits in kbit/s */
    TF_VALUE_CHOICE,      /* int: index into `choices` */
    TF_VALUE_ROTATE,      /* uint16_t: the number that the choice reads as, or TF_ROTATE_AUTO */
    TF_VALUE_RANGE,       /* struct tf_config_range */
    TF_VALUE_RECT,        /* uint16_t[4]: X,Y,W,H; W 0 = not set */
    TF_VALUE_SHAPE,       /* struct tf_shape: "rectangle X,Y,W,H" …; kind 0 = not set */
    TF_VALUE_CORNERS,     /* struct tf_shape: a polygon's further corners */
    TF_VALUE_WORD,        /* char *: one of `choices` if there are any, else letters, digits, "._-" */
    TF_VALUE_TEXT,        /* char *: any text */
    TF_VALUE_PATH,        /* char * */
    TF_VALUE_TEMPLATE,    /* char *: a path with %n, %t, %% */
    TF_VALUE_ADDRESS,     /* char *: IP literal or "localhost" */
    TF_VALUE_CREDENTIALS, /* char *: a path, or a name in $CREDENTIALS_DIRECTORY */
};

struct tf_key {
    enum tf_section section;
    const char *name;
    enum tf_value type;
    size_t offset;              /* of the field in its section's struct */
    const char *fallback;       /* default, read by the parser like any value; NULL = not set */
    double min, max;            /* of numbers, in the type's unit */
    const char *const *choices; /* ends with NULL */
    const char *unit;           /* for help: "Hz", or NULL */
    bool live;                  /* SIGHUP changes it */
    bool required;
    const char *sample; /* stands uncommented in the example file */
    const char *help;   /* sentences, plain text */
};
extern const struct tf_key tf_keys[];
extern const size_t tf_key_count;
#define TF_KEYS_MAX 256

/* Length of the longest text value. inih reads lines of at most 199 bytes. */
#define TF_VALUE_TEXT_MAX 190

static inline bool tf_value_is_text(enum tf_value type)
{
    return type >= TF_VALUE_WORD;
}

/*
 * Reads a value into a field. On -EINVAL err holds what was expected, without file or key. A text field's old
 * text is freed. -ENOMEM.
 */
int tf_value_parse(const struct tf_key *key, const char *text, void *field, struct tf_error *err);
/* The value as a person would write it; "" when not set. Cut to fit. */
void tf_value_format(const struct tf_key *key, const void *field, char *text, size_t size);
bool tf_value_equal(const struct tf_key *key, const void *a, const void *b);
/* Copies a value; texts are duplicated, the old one freed. */
int tf_value_copy(const struct tf_key *key, void *to, const void *from);
/* "yes or no", "0 to 4096", "recorded, fast", …: what may stand there. */
void tf_value_describe(const struct tf_key *key, char *text, size_t size);

#endif
