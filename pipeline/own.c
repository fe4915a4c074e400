/* The laboratory's own regions on a camera's way: changed from outside, measured after everything that moves
 * faces. */
#include <errno.h>
#include <string.h>

#include "pipeline/internal.h"

int tf_pipeline_set_own(struct tf_pipeline *p, const struct tf_own_regions *regions, struct tf_error *err)
{
    struct tf_shared *s = &p->shared;
    bool recorded;

    /* Whoever starts or stops a recording has it: then it is recorded, or nearly so. */
    if (pthread_mutex_trylock(&p->recorder.control) != 0)
        return tf_fail(err, -EBUSY, "camera %s: a recording is being started or stopped", p->setup.camera);
    recorded = p->recorder.recording != NULL;
    if (!recorded) {
        pthread_mutex_lock(&s->lock);
        tf_own_of_camera(regions, p->setup.camera, &s->own);
        pthread_mutex_unlock(&s->lock);
        atomic_fetch_add(&s->own_number, 1);
    }
    pthread_mutex_unlock(&p->recorder.control);
    return recorded
               ? tf_fail(err, -EBUSY, "camera %s is recorded: its tables have the regions that it began with",
                         p->setup.camera)
               : 0;
}

void tf_own_begin(struct tf_inference *x, struct tf_record *record)
{
    struct tf_own_taken *own = &x->own;
    uint32_t number = atomic_load(&x->shared->own_number);

    if (number != own->number) {
        tf_shared_own(x->shared, &own->regions);
        tf_own_names_of(&own->regions, &own->names);
        own->number = number;
    }
    if (own->regions.count || record->own.names.faces || record->own.names.areas)
        record->own.names = own->names;
    if (own->names.areas)
        tf_own_unseen(&record->own);
}

void tf_own_look(struct tf_inference *x, const struct tf_frame *frame, struct tf_record *record)
{
    if (x->own.regions.count && (record->state == TF_STATE_OK || record->state == TF_STATE_NO_FACE))
        tf_own_measure(frame, x->analyser ? tf_analyser_faults(x->analyser) : NULL, &x->own.regions,
                       &record->faces, &record->own);
}
