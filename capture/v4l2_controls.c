/* A V4L2 device's controls: listed, set by name, and what moves its shutter. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/usb/video.h>
#include <linux/uvcvideo.h>

#include "base/count.h"
#include "capture/v4l2.h"

/* "White Balance, Automatic" is white_balance_automatic, as v4l2-ctl has it. */
static void plain_name(const char *name, size_t most, char *text, size_t size)
{
    size_t n = 0;
    bool gap = false;

    for (size_t i = 0; i < most && name[i] && n + 2 < size; i++) {
        if (!isalnum((unsigned char)name[i])) {
            gap = n > 0;
            continue;
        }
        if (gap)
            text[n++] = '_';
        gap = false;
        text[n++] = (char)tolower((unsigned char)name[i]);
    }
    text[n] = '\0';
}

static bool is_number(uint32_t type)
{
    return type == V4L2_CTRL_TYPE_INTEGER || type == V4L2_CTRL_TYPE_BOOLEAN || type == V4L2_CTRL_TYPE_MENU ||
           type == V4L2_CTRL_TYPE_INTEGER_MENU || type == V4L2_CTRL_TYPE_BITMASK ||
           type == V4L2_CTRL_TYPE_BUTTON || type == V4L2_CTRL_TYPE_INTEGER64;
}

/* One control by the extended interface: it carries 64 bits. */
static int one(const struct tf_v4l2_io *io, unsigned long request, uint32_t id, bool wide, int64_t *value)
{
    struct v4l2_ext_control c = {.id = id};
    struct v4l2_ext_controls all = {.which = V4L2_CTRL_WHICH_CUR_VAL, .count = 1, .controls = &c};
    int r;

    if (wide)
        c.value64 = *value;
    else
        c.value = (int32_t)*value;
    r = tf_v4l2_ioctl(io, request, &all);
    if (!r)
        *value = wide ? c.value64 : c.value;
    return r;
}

int tf_v4l2_controls(const struct tf_v4l2_io *io, struct tf_v4l2_control *ret, int max)
{
    uint32_t id = 0;
    int n = 0;

    /* Bounded by turns as well: a driver that answers the same control again would never end. */
    for (int turn = 0; turn < 4 * TF_V4L2_CONTROLS_MAX && n < max; turn++) {
        struct v4l2_query_ext_ctrl q = {.id = id | V4L2_CTRL_FLAG_NEXT_CTRL};
        struct tf_v4l2_control *c = &ret[n];

        if (tf_v4l2_ioctl(io, VIDIOC_QUERY_EXT_CTRL, &q) || q.id <= id)
            break;
        id = q.id;
        if (q.flags & V4L2_CTRL_FLAG_DISABLED || !is_number(q.type) || q.nr_of_dims)
            continue;
        memset(c, 0, sizeof(*c));
        plain_name(q.name, sizeof(q.name), c->name, sizeof(c->name));
        c->id = q.id;
        c->type = q.type;
        c->flags = q.flags;
        c->min = q.minimum;
        c->max = q.maximum;
        c->fallback = q.default_value;
        c->readable = q.type != V4L2_CTRL_TYPE_BUTTON && !(q.flags & V4L2_CTRL_FLAG_WRITE_ONLY) &&
                      one(io, VIDIOC_G_EXT_CTRLS, q.id, q.type == V4L2_CTRL_TYPE_INTEGER64, &c->value) == 0;
        n++;
    }
    return n;
}

static bool menu_item(const struct tf_v4l2_io *io, const struct tf_v4l2_control *c, const char *word,
                      int64_t *ret)
{
    int64_t last = c->max < c->min + 255 ? c->max : c->min + 255;

    if (c->type != V4L2_CTRL_TYPE_MENU || c->min < 0)
        return false;
    for (int64_t i = c->min; i <= last; i++) {
        struct v4l2_querymenu m = {.id = c->id, .index = (uint32_t)i};
        char name[sizeof(m.name)];

        if (tf_v4l2_ioctl(io, VIDIOC_QUERYMENU, &m))
            continue;
        plain_name((const char *)m.name, sizeof(m.name), name, sizeof(name));
        if (strcmp(name, word) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool value_of(const struct tf_v4l2_io *io, const struct tf_v4l2_control *c, const char *word,
                     int64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoll(word, &end, 0);
    if (*word && !*end && !errno)
        return true;
    if (c->type == V4L2_CTRL_TYPE_BOOLEAN && (strcmp(word, "yes") == 0 || strcmp(word, "no") == 0)) {
        *ret = *word == 'y';
        return true;
    }
    return menu_item(io, c, word, ret);
}

static int set_one(const struct tf_v4l2_io *io, const struct tf_v4l2_control *list, int count,
                   const char *path, const char *name, const char *word, struct tf_error *err)
{
    const struct tf_v4l2_control *c = NULL;
    bool wide;
    int64_t value, is;
    int r;

    for (int i = 0; i < count && !c; i++)
        if (strcmp(list[i].name, name) == 0)
            c = &list[i];
    if (!c)
        return tf_fail(err, -EINVAL,
                       "%s: the camera has no control \"%s\"; \"thermoface devices\" lists what it has", path,
                       name);
    if (c->flags & V4L2_CTRL_FLAG_READ_ONLY)
        return tf_fail(err, -EINVAL, "%s: the control %s can only be read", path, name);
    if (!value_of(io, c, word, &value))
        return tf_fail(err, -EINVAL, "%s: the control %s does not take \"%s\"; it takes %lld to %lld", path,
                       name, word, (long long)c->min, (long long)c->max);
    if (c->type != V4L2_CTRL_TYPE_BUTTON && c->type != V4L2_CTRL_TYPE_BITMASK &&
        (value < c->min || value > c->max))
        return tf_fail(err, -EINVAL, "%s: the control %s takes %lld to %lld, not %lld", path, name,
                       (long long)c->min, (long long)c->max, (long long)value);
    wide = c->type == V4L2_CTRL_TYPE_INTEGER64;
    is = value;
    r = one(io, VIDIOC_S_EXT_CTRLS, c->id, wide, &is);
    if (r == -ENODEV || r == -ENXIO || r == -EIO)
        return tf_fail(err, -ENODEV, "%s: the camera is gone", path);
    if (r)
        return tf_fail(err, r == -EINVAL ? -EINVAL : -EIO, "%s: the control %s=%lld is refused: %s", path,
                       name, (long long)value, strerror(-r));
    return 0;
}

int tf_v4l2_controls_set(const struct tf_v4l2_io *io, const char *path, const char *text,
                         struct tf_error *err)
{
    struct tf_v4l2_control *list;
    int count, r = 0;

    if (!text || !*text)
        return 0;
    list = calloc(TF_V4L2_CONTROLS_MAX, sizeof(*list));
    if (!list)
        return tf_fail(err, -ENOMEM, "%s: out of memory", path);
    count = tf_v4l2_controls(io, list, TF_V4L2_CONTROLS_MAX);
    while (*text && !r) {
        size_t n = strcspn(text, ",");
        const char *equals = memchr(text, '=', n);
        char name[64], word[64];

        if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name) ||
            n - (size_t)(equals - text) - 1 >= sizeof(word)) {
            r = tf_fail(err, -EINVAL, "%s: \"%.*s\" is no setting of a control: write name=value,name=value",
                        path, (int)(n < 80 ? n : 80), text);
            break;
        }
        snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
        snprintf(word, sizeof(word), "%.*s", (int)(n - (size_t)(equals - text) - 1), equals + 1);
        r = set_one(io, list, count, path, name, word, err);
        text += n;
        text += *text == ',';
    }
    free(list);
    return r;
}

void tf_v4l2_controls_text(const struct tf_v4l2_io *io, char *text, size_t size)
{
    struct tf_v4l2_control *list = calloc(TF_V4L2_CONTROLS_MAX, sizeof(*list));
    int count = list ? tf_v4l2_controls(io, list, TF_V4L2_CONTROLS_MAX) : 0;
    size_t n = 0;

    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        const struct tf_v4l2_control *c = &list[i];
        char item[160];
        int k = snprintf(item, sizeof(item), "%s%s", n ? ", " : "", c->name);

        if (c->readable)
            k += snprintf(item + k, sizeof(item) - (size_t)k, "=%lld", (long long)c->value);
        if (c->type == V4L2_CTRL_TYPE_BUTTON)
            k += snprintf(item + k, sizeof(item) - (size_t)k, " (button)");
        else
            k += snprintf(item + k, sizeof(item) - (size_t)k, " (%lld..%lld%s)", (long long)c->min,
                          (long long)c->max, c->flags & V4L2_CTRL_FLAG_READ_ONLY ? ", read only" : "");
        if (n + (size_t)k + sizeof("…") >= size) {
            snprintf(text + n, size - n, "…");
            break;
        }
        memcpy(text + n, item, (size_t)k + 1);
        n += (size_t)k;
    }
    free(list);
}

/* --- the shutter --- */

/*
 * Cameras whose shutter is known to follow an extension unit of USB video.
 *
 * GroupGets PureThermal: the units' numbers 3 to 7 stand for the Lepton's modules AGC, OEM, RAD, SYS and VID,
 * the selector is ((command & 0xff) >> 2) + 1 (groupgets/GetThermal, src/leptonvariation.cpp). SYS 0x42 runs
 * a calibration (GetThermal sends the selector as the one byte); SYS 0x3C is the shutter's mode object of 32
 * bytes, whose first word is 0 for manual and 1 for automatic (FLIR Lepton software interface description,
 * 110-0144-04, SYS module).
 */
static const struct known {
    const char *vendor, *product;
    struct tf_v4l2_move moves[TF_FFC_ACTIONS];
} knowns[] = {
    {"1e4e",
     "0100",
     {[TF_FFC_TRIGGER] = {.unit = 6, .selector = 17, .size = 1, .data = {17}},
      [TF_FFC_HOLD] = {.unit = 6, .selector = 16, .patch = true, .data = {0}},
      [TF_FFC_RELEASE] = {.unit = 6, .selector = 16, .patch = true, .data = {1}}}},
};

static void read_word(const char *folder, const char *file, char text[16])
{
    char path[320];
    FILE *f;

    text[0] = '\0';
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    f = fopen(path, "re");
    if (!f)
        return;
    if (!fgets(text, 16, f))
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    fclose(f);
}

/* "xu:UNIT:SELECTOR=HEX" or "NAME=VALUE". */
static int read_move(const char *path, const char *key, const char *text, struct tf_v4l2_move *ret,
                     struct tf_error *err)
{
    struct tf_v4l2_move m = {0};
    unsigned unit, selector;
    int at = 0;

    if (strncmp(text, "xu:", 3) != 0) {
        if (!strchr(text, '=') || strchr(text, ',') || strlen(text) >= sizeof(m.control))
            return tf_fail(err, -EINVAL, "%s: %s=%s: write CONTROL=VALUE or xu:UNIT:SELECTOR=BYTES", path,
                           key, text);
        snprintf(m.control, sizeof(m.control), "%s", text);
        *ret = m;
        return 0;
    }
    if (sscanf(text, "xu:%3u:%3u=%n", &unit, &selector, &at) != 2 || !at || !unit || unit > 255 ||
        !selector || selector > 255)
        return tf_fail(err, -EINVAL, "%s: %s=%s: write xu:UNIT:SELECTOR=BYTES, numbers from 1 to 255 and hex",
                       path, key, text);
    m.unit = (uint8_t)unit;
    m.selector = (uint8_t)selector;
    for (text += at; *text; text += 2) {
        unsigned byte;
        int used = 0;

        if (m.size == sizeof(m.data) || !isxdigit((unsigned char)text[0]) ||
            !isxdigit((unsigned char)text[1]) || sscanf(text, "%2x%n", &byte, &used) != 1 || used != 2)
            return tf_fail(err, -EINVAL, "%s: %s: up to %zu bytes of two hex digits each", path, key,
                           sizeof(m.data));
        m.data[m.size++] = (uint8_t)byte;
    }
    *ret = m;
    return 0;
}

int tf_v4l2_shutter_find(const char *path, const struct tf_source_options *options,
                         struct tf_v4l2_move moves[TF_FFC_ACTIONS], struct tf_error *err)
{
    static const char *const names[TF_FFC_ACTIONS] = {"ffc", "ffc-hold", "ffc-release"};
    const char *const texts[TF_FFC_ACTIONS] = {options->ffc, options->ffc_hold, options->ffc_release};
    char node[4096], folder[256], vendor[16], product[16];
    const char *name;

    memset(moves, 0, sizeof(moves[0]) * TF_FFC_ACTIONS);
    if (realpath(path, node)) {
        name = strrchr(node, '/') + 1;
        /* The video node's device is the USB interface; its parent is the camera. */
        snprintf(folder, sizeof(folder), "/sys/class/video4linux/%.64s/device/..", name);
        read_word(folder, "idVendor", vendor);
        read_word(folder, "idProduct", product);
        for (size_t i = 0; i < TF_COUNT(knowns); i++)
            if (strcmp(knowns[i].vendor, vendor) == 0 && strcmp(knowns[i].product, product) == 0)
                memcpy(moves, knowns[i].moves, sizeof(knowns[i].moves));
    }
    for (int i = 0; i < TF_FFC_ACTIONS; i++) {
        int r = texts[i] ? read_move(path, names[i], texts[i], &moves[i], err) : 0;

        if (r)
            return r;
    }
    return 0;
}

static int query(const struct tf_v4l2_io *io, const struct tf_v4l2_move *m, uint8_t what, uint8_t *data,
                 uint16_t size)
{
    struct uvc_xu_control_query q = {
        .unit = m->unit, .selector = m->selector, .query = what, .size = size, .data = data};

    return tf_v4l2_ioctl(io, UVCIOC_CTRL_QUERY, &q);
}

static int move_by_unit(const struct tf_v4l2_io *io, const char *path, const struct tf_v4l2_move *m,
                        struct tf_error *err)
{
    uint8_t data[TF_V4L2_MOVE_MAX] = {0}, length[2] = {0};
    uint16_t size;
    int r = query(io, m, UVC_GET_LEN, length, 2);

    if (r == -ENOTTY || r == -ENOENT || r == -EINVAL)
        return tf_fail(err, -ENOTSUP, "%s: the camera has no extension unit %u with selector %u", path,
                       m->unit, m->selector);
    size = (uint16_t)(length[0] | length[1] << 8);
    if (!r && (!size || size > sizeof(data) || m->size > size))
        return tf_fail(err, -EPROTO, "%s: the camera's extension unit takes %u bytes; 1 to %zu can be sent",
                       path, size, sizeof(data));
    if (!r && m->patch)
        r = query(io, m, UVC_GET_CUR, data, size);
    memcpy(data, m->data, m->patch ? 4 : m->size);
    if (!r)
        r = query(io, m, UVC_SET_CUR, data, size);
    if (r)
        return tf_fail(err, r == -ENODEV ? r : -EIO,
                       "%s: the shutter cannot be moved (UVCIOC_CTRL_QUERY: %s)", path, strerror(-r));
    return 0;
}

int tf_v4l2_shutter_move(const struct tf_v4l2_io *io, const char *path, const struct tf_v4l2_move *move,
                         struct tf_error *err)
{
    if (move->control[0])
        return tf_v4l2_controls_set(io, path, move->control, err);
    if (move->unit)
        return move_by_unit(io, path, move, err);
    return tf_fail(err, -ENOTSUP, "%s: the camera's shutter cannot be moved from here", path);
}
