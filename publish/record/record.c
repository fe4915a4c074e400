/* A record, made from a frame. */
#include "publish/record/record.h"

const char *tf_state_name(enum tf_state state)
{
    static const char *const names[] = {"ok", "no_face", "skipped", "corrupt", "stale"};

    return (unsigned)state < 5 ? names[state] : "unknown";
}

void tf_record_from_frame(struct tf_record *record, const char *camera, const struct tf_frame *frame)
{
    record->camera = camera;
    record->frame = frame->number;
    record->sequence = frame->sequence;
    record->camera_counter = frame->camera_counter;
    record->has_camera_counter = frame->has_camera_counter;
    record->t_mono_ns = frame->t_mono_ns;
    record->t_utc_ns = frame->t_utc_ns;
    record->t_from = frame->stamp;
    record->flags = frame->flags;
    record->celsius = frame->radiometry.valid;
    record->sensor_c = frame->sensor_c;
    record->video_frame = -1;
    record->rotate = frame->rotate;
    record->flip = frame->flip;
}

/*
 * Generous: a face has at most 3 * 68 * 3 numbers of points and 8 of each region, each at most 48 bytes, its
 * outlines 24 * 2 more each, and less than 3 KiB of names and words, 256 bytes more for each own region; so
 * have own regions of the picture. Eight faces come to 1 MiB. A camera's name is cut by its writer at 255
 * bytes, six each when escaped; a record has two.
 */
#define REGION_BYTES ((8 + 2 * TF_REGION_OUTLINE_MAX) * 48)
size_t tf_record_bytes_max(void)
{
    return TF_FACES_MAX * (3 * TF_POINTS * 3 * 48 + TF_REGIONS * REGION_BYTES + 6144) +
           (TF_FACES_MAX + 1) * TF_OWN_MAX * (REGION_BYTES + 256) + 16384;
}
