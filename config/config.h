/*
 * The configuration of thermofaced: an INI file in systemd's manner, read into plain fields.
 *
 * One table (config/table.c) defines every key: its type, default, limits, help, and whether SIGHUP can
 * change it. The parser, tf_config_help (--help-config), thermofaced.conf.example and the manual page
 * thermofaced.conf(5) all come from it. Texts that other rooms understand (a format row, a palette, a source)
 * are passed on as they are; who finds one wrong can say where it stands with tf_config_where.
 */
#ifndef TF_CONFIG_CONFIG_H
#define TF_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/own_region.h"

#define TF_CONFIG_CAMERAS_MAX 8
#define TF_CONFIG_PAIRS_MAX 4
#define TF_CONFIG_TRIGGERS_MAX 8
#define TF_CONFIG_FILE_MAX (256u << 10) /* bytes */
#define TF_CONFIG_NAME_MAX 32           /* bytes of a camera's name, [a-z0-9_-] */

/* Choices, by the names that config/table.c gives them. daemon/choices.h holds them against the enumerations
 * of the rooms that they are for. */
enum tf_config_pace {
    TF_CONFIG_PACE_RECORDED,
    TF_CONFIG_PACE_FAST,
};

enum tf_config_mirror {
    TF_CONFIG_MIRROR_AUTO,
    TF_CONFIG_MIRROR_NO,
    TF_CONFIG_MIRROR_YES,
};

enum tf_config_csv {
    TF_CONFIG_CSV_THERMOFACE,
    TF_CONFIG_CSV_OPENFACE,
};

enum tf_config_codec {
    TF_CONFIG_CODEC_AUTO,
    TF_CONFIG_CODEC_FFV1,
    TF_CONFIG_CODEC_FFVHUFF,
};

enum tf_config_visible {
    TF_CONFIG_VISIBLE_LOSSLESS,
    TF_CONFIG_VISIBLE_H264,
};

/* [camera NAME]. Texts are NULL when not set. All texts are owned by the configuration. */
struct tf_config_camera {
    char *name;
    bool enabled;
    char *source; /* always set; see tf_source_options.url */
    char *format; /* row of the camera-format table */
    uint16_t width, height;
    float fps;
    uint16_t rotate; /* 0, 90, 180, 270, TF_ROTATE_AUTO */
    bool flip;       /* then mirrored, left to right */
    float scale, offset;
    bool accept_size;
    uint32_t line_bytes;
    bool loop;
    int pace; /* enum tf_config_pace */
    uint64_t settle_ns;
    bool frozen;
    char *raw, *stream;                            /* see tf_source_options */
    char *controls, *ffc, *ffc_hold, *ffc_release; /* see tf_source_options */
    uint32_t buffers;                              /* frames that may be out at once */
    bool analyse;
    bool pictures;
    uint16_t black_body[4];       /* x, y, w, h; w 0 = none */
    float black_body_temperature; /* °C */
};

enum tf_config_pair_use {
    TF_CONFIG_PAIR_BETTER,
    TF_CONFIG_PAIR_ALWAYS,
    TF_CONFIG_PAIR_NEVER,
};

enum tf_config_pair_picture {
    TF_CONFIG_PAIR_NO_PICTURE,
    TF_CONFIG_PAIR_SIDE_BY_SIDE,
    TF_CONFIG_PAIR_INSET,
};

/* [pair NAME]: two cameras on one rig. */
struct tf_config_pair {
    char *name;
    bool enabled;
    char *thermal, *visible; /* names of cameras, always set */
    char *calibration;       /* file, or NULL */
    uint64_t max_skew_ns;
    uint64_t wait_ns;
    int use;     /* enum tf_config_pair_use */
    int picture; /* enum tf_config_pair_picture */
};

enum tf_config_coordinates {
    TF_CONFIG_COORDINATES_PIXELS,
    TF_CONFIG_COORDINATES_FACE,
};

/* [region NAME]: tf_config_own makes definitions of them. */
struct tf_config_region {
    char *name;
    bool enabled;
    char *camera;    /* NULL: all */
    int coordinates; /* enum tf_config_coordinates */
    struct tf_shape shape, corners;
};

enum tf_config_trigger_kind {
    TF_CONFIG_TRIGGER_EVDEV,
    TF_CONFIG_TRIGGER_SERIAL,
    TF_CONFIG_TRIGGER_LINE,
    TF_CONFIG_TRIGGER_GPIO,
};

enum tf_config_edge {
    TF_CONFIG_EDGE_RISING,
    TF_CONFIG_EDGE_FALLING,
    TF_CONFIG_EDGE_BOTH,
};

enum tf_config_split {
    TF_CONFIG_SPLIT_BYTE,
    TF_CONFIG_SPLIT_LINE,
};

enum tf_config_bias {
    TF_CONFIG_BIAS_AS_IS,
    TF_CONFIG_BIAS_UP,
    TF_CONFIG_BIAS_DOWN,
    TF_CONFIG_BIAS_OFF,
};

/* [trigger NAME]: see capture/trigger.h. */
struct tf_config_trigger {
    char *name;
    bool enabled;
    int kind; /* enum tf_config_trigger_kind */
    char *device, *key, *line;
    int edge; /* enum tf_config_edge */
    bool grab, active_low;
    int bias; /* enum tf_config_bias */
    uint32_t baud;
    int split; /* enum tf_config_split */
    uint64_t debounce_ns;
    uint32_t rate;
    char *text, *value; /* templates; see tf_config_mark */
};

struct tf_config_inference {
    char *models;             /* folder; NULL = the installed one */
    char *landmarks, *finder; /* files instead, or NULL */
    char *segmentation;       /* file, or NULL = no masks */
    bool region_masks;
    uint32_t threads; /* per camera */
    char *cpu;        /* NULL = best */
    uint32_t faces;
    bool filter;
    float filter_min_cutoff, filter_beta; /* 0 = the filter's own default */
    float score;                          /* 0 = default */
    uint32_t find_every;                  /* 0 = default */
    int mirror;                           /* enum tf_config_mirror */
};

struct tf_config_range {
    bool fixed; /* else automatic, and min and max are 0 */
    float min, max;
};

struct tf_config_overlay {
    char *palette; /* always set */
    struct tf_config_range range;
    uint32_t lines;
    bool points, boxes, regions, masks, scale_bar, banner, clock;
    bool filtered;
    bool pose;
};

/* How annotated pictures are encoded, for viewers and files alike. */
struct tf_config_video {
    char *codec;           /* always set; libavcodec's name of the encoder */
    char *preset, *device; /* NULL = the encoder's usual one, its first one */
    uint32_t bitrate_kbps; /* 0 = constant quality */
    uint32_t quality;      /* of constant quality: 1 to 51 */
    uint32_t gop;          /* frames; 0 = 2 s */
    uint32_t threads;
};

struct tf_config_rtsp {
    bool enabled;
    char *address;                   /* always set: an IPv4 or IPv6 literal, or "localhost" */
    uint16_t port;                   /* 0 = any free one */
    char *credentials;               /* path, or NULL; for tf_credentials_read */
    char *tls_certificate, *tls_key; /* paths, both or neither; for tf_tls_load */
    uint32_t clients;
    uint32_t clients_per_address; /* 0 = no limit */
    char *proxies;                /* addresses without it, blanks between; or NULL */
    float fps_max;                /* 0 = every frame */
    bool mdns;                    /* announced */
};

enum tf_config_recordings { /* who may see them */
                            TF_CONFIG_RECORDINGS_CONTROL,
                            TF_CONFIG_RECORDINGS_WATCH,
};

struct tf_config_http {
    bool enabled;
    char *address;
    uint16_t port;
    char *credentials, *watch_credentials; /* for tf_credentials_read */
    char *tokens;                          /* for tf_tokens_read */
    char *tls_certificate, *tls_key;
    uint32_t clients, viewers, clients_per_address;
    char *proxies;
    uint32_t queue_bytes;
    bool mdns;
    int recordings; /* enum tf_config_recordings */
};

/* Path templates, NULL = not written; see tf_config_expand. */
struct tf_config_recording {
    char *ndjson, *csv, *video;
    int csv_profile; /* enum tf_config_csv */

    char *directory; /* of sessions; NULL = none are recorded */
    int codec;       /* enum tf_config_codec */
    int visible;     /* enum tf_config_visible */
    bool annotated;
    uint32_t free_space_min; /* MiB */
    uint64_t segment_ns;     /* 0 = one raw video */
    uint32_t segment_size;   /* MiB; 0 = no limit */
    bool tables;             /* signals, motion, physio */
    float physio_rate;       /* Hz */
};

enum tf_config_mqtt_protocol {
    TF_CONFIG_MQTT_3_1_1,
    TF_CONFIG_MQTT_5,
};

struct tf_config_mqtt {
    bool enabled;
    char *host; /* NULL: nothing is published */
    uint16_t port;
    char *topic, *client_id; /* NULL: of the machine's name */
    char *credentials;       /* for tf_credentials_read */
    bool tls;
    char *tls_ca, *tls_certificate, *tls_key;
    int protocol; /* enum tf_config_mqtt_protocol */
    uint32_t qos;
    uint64_t keepalive_ns, interval_ns;
    uint32_t queue; /* messages */
    bool discovery;
    char *discovery_prefix; /* always set */
};

/* Lab Streaming Layer, see tf_lsl_options. */
struct tf_config_lsl {
    bool enabled, required;
    char *library; /* file, or NULL */
    char *name;    /* always set */
    bool regions, landmarks, frames, marks;
    uint32_t faces;
    char *markers; /* predicate, or "no"; always set */
};

struct tf_config {
    char *path; /* as given to tf_config_load */
    struct tf_config_camera cameras[TF_CONFIG_CAMERAS_MAX];
    size_t camera_count; /* at least 1, enabled or not; in the file's order */
    struct tf_config_pair pairs[TF_CONFIG_PAIRS_MAX];
    size_t pair_count;
    struct tf_config_region regions[TF_OWN_MAX];
    size_t region_count;
    struct tf_config_trigger triggers[TF_CONFIG_TRIGGERS_MAX];
    size_t trigger_count;
    struct tf_config_inference inference;
    struct tf_config_overlay overlay;
    struct tf_config_video video;
    struct tf_config_rtsp rtsp;
    struct tf_config_http http;
    struct tf_config_recording recording;
    struct tf_config_mqtt mqtt;
    struct tf_config_lsl lsl;
    struct tf_config_lines *lines; /* where each key stands; for tf_config_where */
};

/*
 * Reads a file. Errors: -ENOENT, -EACCES, -EIO (file), -E2BIG (larger than TF_CONFIG_FILE_MAX), -ENOMEM, and
 * -EINVAL with "PATH:LINE: …" for an unknown section or key, a bad value, a key or camera set twice, or a
 * contradiction: no camera, listening beyond loopback without credentials, one port for both servers, two
 * cameras that would write one file, a pair of cameras that are not there.
 */
int tf_config_load(const char *path, struct tf_config **ret, struct tf_error *err);
/* The same from memory, which may be freed afterwards; `name` stands in messages where the path would. */
int tf_config_load_text(const char *text, size_t size, const char *name, struct tf_config **ret,
                        struct tf_error *err);
/*
 * All that is wrong with a file, in the order of its lines. `{0}` is a valid, empty one; nothing to free.
 */
#define TF_CONFIG_FAULTS_MAX 50
struct tf_config_faults {
    size_t count; /* of those listed */
    size_t more;  /* found beyond these */
    int lines[TF_CONFIG_FAULTS_MAX];
    struct tf_error at[TF_CONFIG_FAULTS_MAX]; /* "PATH:LINE: …" */
};
/* Keeps a message; one that begins with "PATH:LINE:" at its place, others after those. */
void tf_config_faults_add(struct tf_config_faults *faults, const char *path, const struct tf_error *err);
/*
 * Reads a file as tf_config_load does and goes on after what is wrong. Returns 0 where nothing was, else what
 * the first fault would be to tf_config_load. *ret is set also with faults, to what could be understood (keys
 * with faults have their defaults), for further checks only; NULL where the file could not be read.
 */
int tf_config_check(const char *path, struct tf_config **ret, struct tf_config_faults *faults);
/* The same from memory. */
int tf_config_check_text(const char *text, size_t size, const char *name, struct tf_config **ret,
                         struct tf_config_faults *faults);
/*
 * Reads the [region NAME] sections of a file alone, which may have nothing else, or be a whole configuration:
 * other sections are passed over. Errors as tf_config_load.
 */
int tf_config_load_regions(const char *path, struct tf_config **ret, struct tf_error *err);
/* The regions that are enabled, of all cameras; they have been checked. */
void tf_config_own(const struct tf_config *config, struct tf_own_regions *ret);
/* The sections that tf_config_own would read as `own`; malloc'd, NULL: out of memory. */
char *tf_config_own_text(const struct tf_own_regions *own);
/* Accepts NULL. */
void tf_config_free(struct tf_config *config);

/*
 * Where a key stands: "PATH:LINE", or "PATH" when it has its default. `section` is "camera", "rtsp" …,
 * `camera` a camera's or pair's name, or NULL. The text is cut to fit.
 */
void tf_config_where(const struct tf_config *config, const char *section, const char *camera, const char *key,
                     char *text, size_t size);

/* One difference between a running configuration and a new one. Texts point into the two configurations or
 * are static. */
struct tf_config_change {
    const char *section;   /* "camera", "overlay" … */
    const char *camera;    /* or pair; NULL outside [camera NAME] and [pair NAME] */
    const char *key;       /* NULL: the whole camera or pair was added or removed */
    bool live;             /* can change without a restart: tf_config_take_live does */
    bool added;            /* with key NULL: added, else removed */
    char was[64], now[64]; /* values for people, cut to fit; "" = not set */
};
/* Fills at most `max` changes, in the table's order; returns how many there are. */
size_t tf_config_diff(const struct tf_config *running, const struct tf_config *next,
                      struct tf_config_change *changes, size_t max);
/*
 * Copies the values that can change without a restart from `next` into `running`, so that the next diff still
 * shows what awaits a restart. -ENOMEM: nothing was changed.
 */
int tf_config_take_live(struct tf_config *running, const struct tf_config *next);

/*
 * Expands a path template: %n the camera's name, %t the start as YYYYMMDDTHHMMSSZ, %% a percent sign. -EINVAL
 * (an unknown specifier, which tf_config_load has already refused), -ENAMETOOLONG.
 */
int tf_config_expand(const char *template, const char *camera, int64_t t_utc_ns, char *path, size_t size);

/*
 * Expands a mark's template: %n the trigger's name, %k the key, byte, text or line, %c a byte as a character,
 * %e the change, %% a percent sign. -EINVAL (an unknown specifier, which tf_config_load has already refused),
 * -ENAMETOOLONG.
 */
struct tf_config_mark {
    const char *name, *what, *as_text, *change;
};
int tf_config_mark(const char *template, const struct tf_config_mark *mark, char *text, size_t size);

/* The table as texts, malloc'd for the caller; NULL when memory runs out. */
char *tf_config_help(void);     /* --help-config: every key with type, default, limits and help */
char *tf_config_example(void);  /* config/thermofaced.conf.example */
char *tf_config_manual(void);   /* docs/man/thermofaced.conf.5 */
char *tf_config_markdown(void); /* the table in docs/configuration.md */

#endif
