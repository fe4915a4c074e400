/*
 * The values of a model's metadata (docs/models.md): a word followed by key=value pairs, separated by single
 * spaces.
 */
#ifndef TF_INFERENCE_FACE_METADATA_H
#define TF_INFERENCE_FACE_METADATA_H

#include <stdbool.h>

#include "base/error.h"
#include "inference/engine/engine.h"

/* One key=value pair that a word may have. */
struct tf_meta_key {
    const char *name;
    float *value; /* set when the pair is there, else left as it is */
    float min, max;
    bool required;
};

/* The value of `key` in the model, or -EINVAL with the path and key named when it is missing. */
int tf_meta_text(const struct tf_engine *engine, const char *path, const char *key, const char **ret,
                 struct tf_error *err);

/* Whether the value's first word is `word`. */
bool tf_meta_is(const char *value, const char *word);

/*
 * Reads the pairs after the first word. An unknown key, a bad number, a value out of its limits or a missing
 * required key is -EINVAL; the message names file, metadata key, value and limit.
 */
int tf_meta_pairs(const char *path, const char *key, const char *value, const struct tf_meta_key *keys,
                  int count, struct tf_error *err);

#endif
