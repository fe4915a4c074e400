/* Our streams: opened when a camera's first record says what they hold, and what is sent into them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "publish/record/lsl_internal.h"

/* What may wait for a reader that is slow, in hundreds of samples: minutes. */
#define BUFFERED 60

struct plan {
    const char *name, *type, *id;
    uint32_t channels;
    int32_t format;
};

/* Takes the info over. */
static void open_outlet(struct tf_lsl *lsl, struct tf_lsl_out *out, const struct plan *p, tf_lsl_info info)
{
    struct tf_lsl_outlet_told *told;

    out->outlet = info ? lsl->api.create_outlet(info, 0, BUFFERED) : NULL;
    if (info)
        lsl->api.destroy_streaminfo(info);
    if (!out->outlet) {
        tf_lsl_say(lsl, TF_LOG_ERROR, "lsl: the stream %s cannot be made: liblsl says no more", p->name);
        return;
    }
    pthread_mutex_lock(&lsl->lock);
    /* One that is made anew keeps its place. */
    if (!out->channels && lsl->told.outlet_count < TF_LSL_OUTLETS_MAX)
        out->told = lsl->told.outlet_count++;
    out->channels = p->channels;
    told = &lsl->told.outlets[out->told];
    snprintf(told->name, sizeof(told->name), "%s", p->name);
    snprintf(told->type, sizeof(told->type), "%s", p->type);
    told->channels = p->channels;
    told->consumers = false;
    pthread_mutex_unlock(&lsl->lock);
}

static void close_outlet(struct tf_lsl *lsl, struct tf_lsl_out *out)
{
    if (out->outlet)
        lsl->api.destroy_outlet(out->outlet);
    out->outlet = NULL;
}

static tf_lsl_info make_info(struct tf_lsl *lsl, const struct plan *p)
{
    return lsl->api.create_streaminfo(p->name, p->type, (int32_t)p->channels, TF_LSL_IRREGULAR, p->format,
                                      p->id);
}

static void count(struct tf_lsl *lsl, const struct tf_lsl_out *out, int32_t result)
{
    if (result) {
        atomic_fetch_add(&lsl->dropped, 1);
        return;
    }
    pthread_mutex_lock(&lsl->lock);
    lsl->told.outlets[out->told].samples++;
    pthread_mutex_unlock(&lsl->lock);
}

/* "thermoface_thermal_regions", of the second face "thermoface_thermal_regions_2"; the id has the host, too.
 */
static void name_stream(const struct tf_lsl_camera *c, const char *what, uint32_t face,
                        char name[TF_LSL_TEXT], char id[2 * TF_LSL_TEXT])
{
    char number[16] = "";

    if (face)
        snprintf(number, sizeof(number), "_%u", face + 1);
    snprintf(name, TF_LSL_TEXT, "%s_%s_%s%s", c->lsl->options.name, c->name, what, number);
    snprintf(id, 2 * TF_LSL_TEXT, "%s@%s", name, c->lsl->host);
}

static void open_regions(struct tf_lsl_camera *c)
{
    struct tf_lsl *lsl = c->lsl;

    for (uint32_t k = 0; k < lsl->options.faces && lsl->options.regions; k++) {
        char name[TF_LSL_TEXT], id[2 * TF_LSL_TEXT];
        const struct plan p = {.name = name,
                               .type = "Temperature",
                               .id = id,
                               .channels = tf_lsl_region_channels(&c->layout, k),
                               .format = TF_LSL_FLOAT32};
        tf_lsl_info info;

        name_stream(c, "regions", k, name, id);
        info = make_info(lsl, &p);
        if (info)
            tf_lsl_describe_regions(c, k, info);
        open_outlet(lsl, &c->regions[k], &p, info);
    }
}

static void open_others(struct tf_lsl_camera *c)
{
    struct tf_lsl *lsl = c->lsl;
    char name[TF_LSL_TEXT], id[2 * TF_LSL_TEXT];
    struct plan p = {.name = name,
                     .type = "Landmarks",
                     .id = id,
                     .channels = TF_POINTS * TF_LSL_POINT,
                     .format = TF_LSL_FLOAT32};
    tf_lsl_info info;

    for (uint32_t k = 0; k < lsl->options.faces && lsl->options.landmarks; k++) {
        name_stream(c, "landmarks", k, name, id);
        info = make_info(lsl, &p);
        if (info)
            tf_lsl_describe_landmarks(c, k, info);
        open_outlet(lsl, &c->landmarks[k], &p, info);
    }
    if (!lsl->options.frames)
        return;
    p.type = "Frames";
    p.channels = TF_LSL_FRAME_CHANNELS;
    p.format = TF_LSL_DOUBLE64;
    name_stream(c, "frames", 0, name, id);
    info = make_info(lsl, &p);
    if (info)
        tf_lsl_describe_frames(c, info);
    open_outlet(lsl, &c->frames, &p, info);
}

void tf_lsl_open_marks(struct tf_lsl *lsl)
{
    char name[40];
    struct plan p = {
        .name = name, .type = "Markers", .id = lsl->marks_id, .channels = 1, .format = TF_LSL_STRING};
    tf_lsl_info info;

    /* Also without the stream: an older service of this name must not be taken for another's markers. */
    snprintf(name, sizeof(name), "%.32s_marks", lsl->options.name);
    snprintf(lsl->marks_id, sizeof(lsl->marks_id), "%s@%s", name, lsl->host);
    if (!lsl->options.marks)
        return;
    info = make_info(lsl, &p);
    if (info)
        tf_lsl_describe_marks(lsl, info);
    open_outlet(lsl, &lsl->marks, &p, info);
}

void tf_lsl_close_outlets(struct tf_lsl *lsl)
{
    for (int i = 0; i < TF_LSL_CAMERAS_MAX; i++) {
        struct tf_lsl_camera *c = &lsl->cameras[i];

        for (int k = 0; k < TF_FACES_MAX; k++) {
            close_outlet(lsl, &c->regions[k]);
            close_outlet(lsl, &c->landmarks[k]);
        }
        close_outlet(lsl, &c->frames);
    }
    close_outlet(lsl, &lsl->marks);
}

/* --- what the streams of regions hold --- */

uint32_t tf_lsl_region_channels(const struct tf_lsl_layout *layout, uint32_t face)
{
    return TF_REGIONS + layout->names.faces + (face ? 0 : layout->names.areas) + TF_LSL_ENDING_CHANNELS;
}

static int find(const char (*names)[TF_OWN_NAME_MAX + 1], uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

/* Where a record has the own regions that the streams have. */
static void map_names(struct tf_lsl_layout *l, const struct tf_own_names *names)
{
    l->entry = *names;
    for (uint32_t i = 0; i < l->names.faces; i++)
        l->face_at[i] = find(names->face, names->faces, l->names.face[i]);
    for (uint32_t i = 0; i < l->names.areas; i++)
        l->area_at[i] = find(names->area, names->areas, l->names.area[i]);
}

static bool is_read(struct tf_lsl_camera *c)
{
    for (int k = 0; k < TF_FACES_MAX; k++)
        if (c->regions[k].outlet && c->lsl->api.have_consumers(c->regions[k].outlet))
            return true;
    return false;
}

static void lay_out(struct tf_lsl_camera *c, const struct tf_lsl_entry *e)
{
    struct tf_lsl *lsl = c->lsl;
    struct tf_lsl_layout *l = &c->layout;
    bool first = !l->made;

    for (int k = 0; k < TF_FACES_MAX; k++)
        close_outlet(lsl, &c->regions[k]);
    l->made = true;
    l->late_said = false;
    l->celsius = e->celsius;
    pthread_mutex_lock(&lsl->lock);
    l->own_number = atomic_load(&lsl->own_number);
    tf_own_of_camera(&lsl->own, c->name, &l->own);
    pthread_mutex_unlock(&lsl->lock);
    tf_own_names_of(&l->own, &l->names);
    map_names(l, &e->names);
    open_regions(c);
    if (first)
        open_others(c);
}

/*
 * A stream's channels never change while somebody reads it: a recorder would lose it. They follow when nobody
 * does. False: nothing is sent yet, what the camera gives is not known before a frame of it was looked at.
 */
static bool prepare(struct tf_lsl_camera *c, const struct tf_lsl_entry *e)
{
    struct tf_lsl_layout *l = &c->layout;
    bool looked = e->state == TF_STATE_OK || e->state == TF_STATE_NO_FACE || e->state == TF_STATE_STALE;
    bool other;

    if (!looked)
        return l->made;
    other = !l->made || l->celsius != e->celsius || l->own_number != atomic_load(&c->lsl->own_number);
    if (other && l->made && is_read(c)) {
        if (!l->late_said)
            tf_lsl_say(
                c->lsl, TF_LOG_WARNING,
                "lsl: own regions or the unit of %s have changed; its streams keep their channels until "
                "nobody reads them",
                c->name);
        l->late_said = true;
        other = false;
    }
    if (other)
        lay_out(c, e);
    else if (memcmp(&l->entry, &e->names, sizeof(e->names)) != 0)
        map_names(l, &e->names);
    return true;
}

static void send_regions(struct tf_lsl_camera *c, uint32_t k, const struct tf_lsl_entry *e, double stamp)
{
    float data[TF_REGIONS + TF_OWN_MAX + TF_LSL_ENDING_CHANNELS], *at = data;
    const struct tf_lsl_layout *l = &c->layout;
    const struct tf_lsl_face *f = &e->faces[k];
    bool unit = l->celsius == e->celsius;

    for (int i = 0; i < TF_REGIONS; i++)
        *at++ = unit ? f->regions[i] : NAN;
    for (uint32_t i = 0; i < l->names.faces; i++)
        *at++ = unit && l->face_at[i] >= 0 ? f->own[l->face_at[i]] : NAN;
    for (uint32_t i = 0; i < l->names.areas && k == 0; i++)
        *at++ = unit && l->area_at[i] >= 0 ? e->area[l->area_at[i]] : NAN;
    *at++ = f->id ? (float)f->id : NAN;
    *at++ = f->score;
    *at++ = (float)e->state;
    *at++ = (float)e->flags;
    count(c->lsl, &c->regions[k], c->lsl->api.push_sample_ftp(c->regions[k].outlet, data, stamp, 1));
}

void tf_lsl_send(struct tf_lsl_camera *c, const struct tf_lsl_entry *e)
{
    struct tf_lsl *lsl = c->lsl;
    double stamp = tf_lsl_stamp(lsl, e->t_mono_ns);

    if (!prepare(c, e))
        return;
    for (uint32_t k = 0; k < lsl->options.faces; k++) {
        if (c->regions[k].outlet)
            send_regions(c, k, e, stamp);
        if (c->landmarks[k].outlet)
            count(lsl, &c->landmarks[k],
                  lsl->api.push_sample_ftp(c->landmarks[k].outlet,
                                           e->points + (size_t)k * TF_POINTS * TF_LSL_POINT, stamp, 1));
    }
    if (c->frames.outlet) {
        const double data[TF_LSL_FRAME_CHANNELS] = {(double)e->frame, (double)e->sequence,
                                                    e->video_frame < 0 ? (double)NAN : (double)e->video_frame,
                                                    (double)e->state, (double)e->flags};

        count(lsl, &c->frames, lsl->api.push_sample_dtp(c->frames.outlet, data, stamp, 1));
    }
}

void tf_lsl_send_mark(struct tf_lsl *lsl, const struct tf_lsl_mark_waiting *mark)
{
    const char *data[] = {mark->text};

    if (lsl->marks.outlet)
        count(lsl, &lsl->marks,
              lsl->api.push_sample_strtp(lsl->marks.outlet, data, tf_lsl_stamp(lsl, mark->t_mono_ns), 1));
}

static void look_at(struct tf_lsl *lsl, const struct tf_lsl_out *out)
{
    struct tf_lsl_outlet_told *told = &lsl->told.outlets[out->told];
    bool reads, before;

    if (!out->outlet)
        return;
    reads = lsl->api.have_consumers(out->outlet) != 0;
    pthread_mutex_lock(&lsl->lock);
    before = told->consumers;
    told->consumers = reads;
    pthread_mutex_unlock(&lsl->lock);
    /* Only this thread writes the name. */
    if (reads != before)
        tf_lsl_say(lsl, TF_LOG_INFO, "lsl: %s %s", told->name, reads ? "is being read" : "is no longer read");
}

void tf_lsl_look(struct tf_lsl *lsl)
{
    int n = atomic_load(&lsl->camera_count);

    for (int i = 0; i < n; i++) {
        struct tf_lsl_camera *c = &lsl->cameras[i];

        for (uint32_t k = 0; k < lsl->options.faces; k++) {
            look_at(lsl, &c->regions[k]);
            look_at(lsl, &c->landmarks[k]);
        }
        look_at(lsl, &c->frames);
    }
    look_at(lsl, &lsl->marks);
}
