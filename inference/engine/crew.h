/*
 * Threads of an engine. Between runs they sleep; during one they wait actively for the next step, for a
 * bounded time. Private to the engine.
 */
#ifndef TF_INFERENCE_ENGINE_CREW_H
#define TF_INFERENCE_ENGINE_CREW_H

#include "inference/engine/plan.h"

struct tf_crew;

/* threads includes the caller; 1 makes none (and *ret may be NULL, which all functions accept). Negative
 * errno. */
int tf_crew_create(int threads, struct tf_crew **ret);
void tf_crew_destroy(struct tf_crew *crew);
/* Around a run: wakes the threads, and lets them sleep again. */
void tf_crew_begin(struct tf_crew *crew);
void tf_crew_end(struct tf_crew *crew);
/* Runs all `parts` of a step; returns when all are done. */
void tf_crew_run(struct tf_crew *crew, struct tf_engine *engine, const struct tf_step *step, int parts);

#endif
