/* The newest picture, drawn for the occasion in the asker's thread. */
#include <errno.h>
#include <string.h>

#include "pipeline/picture.h"

/*
 * Two pictures of one version are equal: of one frame, in one state, by one set of overlay options. A picture
 * without a frame, or that stands still, shows the time and is always new: 0.
 */
static uint64_t picture_version(const struct tf_shared_record *latest, uint32_t number,
                                enum tf_camera_state state)
{
    return latest && state != TF_CAMERA_NO_SIGNAL
               ? (latest->record.frame + 1) << 20 | (uint64_t)(number & 0xffff) << 4 | (uint64_t)state
               : 0;
}

/* What stands over the picture. -EAGAIN: there is nothing to show. */
static int note_of(const struct tf_snapshots *s, const struct tf_latest *latest, struct tf_overlay_note *ret,
                   struct tf_error *err)
{
    *ret = (struct tf_overlay_note){.camera = s->setup->camera, .since_utc_ns = latest->since_utc_ns};
    if (latest->record) {
        ret->frame = latest->record->record.frame;
        ret->t_utc_ns = latest->record->record.t_utc_ns;
        ret->own = &latest->record->record.own;
        if (latest->state == TF_CAMERA_NO_SIGNAL) {
            ret->banner = TF_BANNER_STALE;
            ret->t_utc_ns = tf_utc_now_ns(); /* for how long */
        }
        tf_turn_note(latest->turn_better, ret);
        return 0;
    }
    if (!latest->frames || latest->state == TF_CAMERA_RUNNING)
        return tf_fail(err, -EAGAIN, "camera %s: no frame yet", s->setup->camera);
    ret->frame = latest->last_frame;
    ret->t_utc_ns = tf_utc_now_ns();
    ret->banner = TF_BANNER_NO_SIGNAL;
    return 0;
}

/* Anew when the camera's size or the options have changed. */
static int prepare(struct tf_snapshots *s, const struct tf_latest *latest,
                   const struct tf_overlay_options *options, uint32_t number, struct tf_error *err)
{
    int r;

    if (s->overlay && s->width == latest->width && s->height == latest->height && s->number == number)
        return 0;
    tf_overlay_destroy(s->overlay);
    s->overlay = NULL;
    r = tf_overlay_create(options, latest->width, latest->height, &s->overlay, err);
    if (r < 0)
        return r;
    s->width = latest->width;
    s->height = latest->height;
    s->number = number;
    return 0;
}

int tf_snapshots_draw(struct tf_snapshots *s, struct tf_snapshot *snapshot, struct tf_error *err)
{
    const struct tf_shared_record *last;
    struct tf_overlay_options options;
    const struct tf_picture *picture;
    struct tf_overlay_note note;
    struct tf_latest latest;
    uint64_t version;
    uint32_t number;
    int r;

    pthread_mutex_lock(&s->lock);
    number = tf_shared_overlay(s->shared, &options);
    tf_shared_latest(s->shared, &latest);
    last = latest.record;
    version = picture_version(last, number, latest.state);
    if (version && version == snapshot->version) {
        r = -EALREADY;
        goto out;
    }
    r = note_of(s, &latest, &note, err);
    if (r == 0)
        r = prepare(s, &latest, &options, number, err);
    if (r < 0)
        goto out;
    r = tf_overlay_draw(s->overlay, last ? last->frame : NULL, last ? &last->record.faces : NULL, &note,
                        &picture);
    if (r < 0) {
        tf_fail(err, r, "camera %s: the picture could not be drawn: %s", s->setup->camera, strerror(-r));
        goto out;
    }
    r = tf_snapshot_encode(picture, snapshot, err);
    if (r == 0) {
        snapshot->version = version;
        snapshot->frame = note.frame;
        snapshot->t_mono_ns = last ? last->record.t_mono_ns : tf_now_ns();
    }

out:
    if (latest.record)
        tf_shared_record_unref(latest.record);
    pthread_mutex_unlock(&s->lock);
    return r;
}
