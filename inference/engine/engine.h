/*
 * The int8 engine: reads an ONNX file (opset 13, QDQ int8), plans it once, runs it without allocating.
 *
 * It knows nothing of faces, cameras or the daemon; it may be used alone (libtf_engine, this header,
 * base/error.h). Results are bit-identical at every instruction-set level and thread count. The arithmetic it
 * promises is written down in docs/engine.md: u8 activations per tensor, s8 symmetric weights per output
 * channel, s32 bias, requantise `rint(float(acc) * ((sx*sw)/sy)) + zy`, ties to even.
 *
 * An engine may be used by one thread at a time; different engines are independent.
 */
#ifndef TF_INFERENCE_ENGINE_ENGINE_H
#define TF_INFERENCE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define TF_TENSOR_RANK_MAX 6

/* Limits on what is read from a file; each breach is an error that names the node or tensor. */
#define TF_ENGINE_FILE_MAX (256u << 20)
#define TF_ENGINE_NODES_MAX 4096
#define TF_ENGINE_TENSOR_BYTES_MAX (256u << 20)
#define TF_ENGINE_ARENA_BYTES_MAX (512u << 20)

struct tf_engine;

struct tf_engine_options {
    int threads;     /* 0 = 1; the calling thread is one of them; at most 16 */
    const char *cpu; /* NULL = best of this machine (and TF_CPU); else generic, avx2, … (base/cpu.h) */
};

/* A graph input or output, as the ONNX file declares it (float32 outside, NCHW). Owned by the engine. */
struct tf_tensor_info {
    const char *name;
    int rank;
    int64_t dims[TF_TENSOR_RANK_MAX]; /* a symbolic batch dimension reads as 1 */
    size_t count;                     /* elements */
    bool quantised; /* the tensor meets the graph through QuantizeLinear / DequantizeLinear */
    float scale;    /* its scale and zero point if so: real = (q - zero_point) * scale */
    int32_t zero_point;
};

struct tf_engine_stats {
    uint64_t macs;       /* multiply-accumulates of one run */
    size_t weight_bytes; /* packed */
    size_t arena_bytes;
    int nodes;       /* after fusion */
    const char *cpu; /* the level in use */
    int threads;
};

/* One step of the plan, for `thermoface model`. Owned by the engine. */
struct tf_engine_step {
    const char *name; /* the ONNX node's name, or its first output where it has none */
    const char *op;   /* "Conv", "Conv+Relu", "MaxPool", … */
    const char *kernel;
    int rank;
    int64_t dims[TF_TENSOR_RANK_MAX]; /* of the output, in the ONNX order */
    uint64_t macs;
};

/*
 * Opens a model. Errors: -ENOENT, -EACCES, -EIO (file), -EINVAL (not ONNX, truncated, malformed: which node
 * or tensor and why), -ENOTSUP (an operator or attribute that the engine does not run: node and operator),
 * -E2BIG (a limit).
 */
int tf_engine_open(const char *path, const struct tf_engine_options *options, struct tf_engine **ret,
                   struct tf_error *err);
/* The same from memory, which may be freed afterwards; `name` stands in messages where the path would. */
int tf_engine_open_memory(const void *data, size_t size, const char *name,
                          const struct tf_engine_options *options, struct tf_engine **ret,
                          struct tf_error *err);
void tf_engine_close(struct tf_engine *engine);

size_t tf_engine_inputs(const struct tf_engine *engine);
size_t tf_engine_outputs(const struct tf_engine *engine);
const struct tf_tensor_info *tf_engine_input(const struct tf_engine *engine, size_t i);
const struct tf_tensor_info *tf_engine_output(const struct tf_engine *engine, size_t i);

/* The value of a key in the file's metadata_props, or NULL. Owned by the engine. */
const char *tf_engine_metadata(const struct tf_engine *engine, const char *key);
/* The i-th key and value, in file order; false past the last. */
bool tf_engine_metadata_at(const struct tf_engine *engine, size_t i, const char **key, const char **value);

struct tf_engine_stats tf_engine_stats(const struct tf_engine *engine);
size_t tf_engine_steps(const struct tf_engine *engine);
struct tf_engine_step tf_engine_step(const struct tf_engine *engine, size_t i);

/*
 * Runs on float32 in the ONNX layout. inputs[i] and outputs[i] hold `count` floats each. Allocates nothing.
 * Returns 0; the arguments are the caller's contract.
 */
int tf_engine_run(struct tf_engine *engine, const float *const *inputs, float *const *outputs);

/*
 * The quantised door, which spares a float picture: for an input or output with `quantised` set and either
 * one channel or rank <= 2, so that NCHW and channels-last are the same bytes, `*_u8` returns the engine's
 * own buffer of `count` bytes (NULL otherwise). For outputs of several channels `tf_engine_output_u8` returns
 * channels-last bytes (N, H, W, C). Fill the inputs, call tf_engine_run_u8, read the outputs before the next
 * run. Every graph input must have been filled; s8 tensors are offered as u8 with the zero point shifted by
 * 128, `info` says so.
 */
uint8_t *tf_engine_input_u8(struct tf_engine *engine, size_t i);
const uint8_t *tf_engine_output_u8(const struct tf_engine *engine, size_t i);
int tf_engine_run_u8(struct tf_engine *engine);

/* Nanoseconds spent in each step of the last run when profiling is on (steps entries), for benchmarks. */
void tf_engine_profile(struct tf_engine *engine, bool on);
const uint64_t *tf_engine_step_ns(const struct tf_engine *engine);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
