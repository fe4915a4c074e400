/* What layout.c asks of a Concat step. Private to the engine. */
#ifndef TF_INFERENCE_ENGINE_OPS_MOVE_H
#define TF_INFERENCE_ENGINE_OPS_MOVE_H

#include "inference/engine/plan.h"

/* Tells a Concat that input `input` is written in its place already. False where it cannot be. */
bool tf_concat_place(struct tf_engine *engine, struct tf_step *step, int input);
int64_t tf_concat_channel(const struct tf_step *step, int input);

#endif
