/* Where the networks lie: one answer for both programs. */
#ifndef TF_PIPELINE_MODELS_H
#define TF_PIPELINE_MODELS_H

#include "base/error.h"
#include "inference/face/face.h"
#include "publish/recording/recording.h"

/*
 * The folder with the networks: `given` (--models, or models= of a configuration) if not NULL, else
 * TF_MODELS, else the source tree's models/ when the program runs from its build folder, else the installed
 * one. Lives as long as the program.
 */
const char *tf_models_folder(const char *given);

/*
 * Whether the network `name` ("finder.onnx") can be read in `folder`; -ENOENT and the like with a message
 * that names the ways to say where it is.
 */
int tf_models_have(const char *folder, const char *name, struct tf_error *err);

/* The same for the networks that an analyser takes from its folder. */
int tf_models_check(const struct tf_analyser_options *options, struct tf_error *err);

/*
 * Names and digests of the networks that an analyser with these options reads, for a recording's description.
 * Returns how many; one that cannot be read is left out.
 */
int tf_models_digest(const struct tf_analyser_options *options,
                     struct tf_recording_model ret[TF_RECORDING_MODELS_MAX]);

#endif
