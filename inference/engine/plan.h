/*
 * What an engine is made of: tensors, steps, and the state of planning. Private to the engine.
 *
 * Planning goes in five passes: graph.c names values and folds constants; lower*.c turns nodes into steps,
 * with quantisation recognised and activations fused; layout.c gives tensors their halos, places
 * concatenations and views; arena.c lays tensors of disjoint lifetimes over each other; then each step's
 * `prepare` packs weights and builds its tables against the final addresses.
 */
#ifndef TF_INFERENCE_ENGINE_PLAN_H
#define TF_INFERENCE_ENGINE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/engine/engine.h"
#include "inference/engine/kernels/kernels.h"
#include "inference/engine/mem.h"
#include "inference/engine/onnx.h"

enum tf_dtype { TF_U8, TF_F32 };

/*
 * A tensor. Rank 4 lies channels-last, N x (H + halo) x (W + halo) x pitch, other ranks in their own order.
 * The halo is a frame of zero-point pixels that spares convolutions every border case. A part of another
 * tensor (an input that Concat would copy, an output of Split) names its parent.
 */
struct tf_tensor {
    const char *name;
    enum tf_dtype type;
    int rank;
    int64_t dims[TF_TENSOR_RANK_MAX];
    size_t count;
    int32_t zp;                         /* fills the halo */
    bool dense;                         /* a door or reshaped: no halo may be added */
    const void *constant;               /* in ONNX order; copied to its place in prepare */
    int parent;                         /* -1: none */
    int64_t parent_channel;             /* first channel within the parent */
    bool shares;                        /* with parent: same bytes under another shape */
    int64_t halo[4];                    /* top, left, bottom, right */
    int64_t stride[TF_TENSOR_RANK_MAX]; /* elements, by ONNX dimension */
    bool persistent;                    /* never shares its place */
    int first, last;                    /* steps that touch it */
    int filler;                         /* the first step that writes it, which fills the halo; -1 */
    size_t bytes, offset;
    uint8_t *data; /* element 0 */
};

struct tf_engine;
struct tf_step;

/* Runs part `part` of `parts` of a step. */
typedef void (*tf_step_run)(struct tf_engine *engine, const struct tf_step *step, int part, int parts);
typedef int (*tf_step_prepare)(struct tf_engine *engine, struct tf_step *step, struct tf_error *err);

struct tf_step {
    const char *name; /* of the node */
    const char *op;
    const struct tf_kernel *kernel;
    tf_step_run run;
    tf_step_prepare prepare; /* NULL: nothing to do */
    void *params;
    int *in, *out;
    int inputs, outputs;
    uint64_t macs;
    bool parallel; /* can be run in parts */
    int parts;     /* how many; 1: not worth it */
    bool door;     /* reads or writes the caller's floats: left out of tf_engine_run_u8 */
    bool concat;   /* its inputs may live inside its output */
    int *fills;    /* tensors whose halo is filled before this step, the first to write them */
    int fill_count;
};

struct tf_port {
    struct tf_tensor_info info;
    int tensor;   /* quantised: the u8 tensor of the door; else the f32 one */
    bool shifted; /* s8 in the file: offered as u8 with the zero point moved by 128 */
};

struct tf_crew;

struct tf_engine {
    struct tf_mem mem; /* all that lives as long as the engine */
    char *path;
    enum tf_cpu_level level;
    int threads, parts_max; /* parts_max: most parts a step is cut into */
    struct tf_tensor *tensors;
    int tensor_count, tensor_capacity;
    struct tf_step *steps;
    int step_count, step_capacity;
    struct tf_port *inputs, *outputs;
    size_t input_count, output_count;
    const char **metadata; /* key, value, key, … */
    size_t metadata_count;
    uint8_t *arena;
    size_t arena_bytes, weight_bytes;
    uint64_t macs;
    struct tf_crew *crew;
    const float *const *user_in;
    float *const *user_out;
    bool profile;
    uint64_t *step_ns;
};

/* A float value of the graph, or an integer one between QuantizeLinear and DequantizeLinear. */
struct tf_value {
    const char *name;
    int producer; /* node, -1: input or initializer */
    int *readers; /* nodes, in order; a node that reads it twice stands twice */
    int reader_count;
    bool is_output;
    const struct tf_const *constant;
    /* DequantizeLinear of a constant: what weights look like. */
    const struct tf_const *q_data, *q_scale, *q_zero; /* q_zero may be NULL */
    int64_t q_axis;
    /* The value as a tensor: u8 with a scale, or f32; -1 where there is none (yet). */
    int q, f;
    float scale;
    int32_t zp;
    bool integer; /* the output of a QuantizeLinear */
    bool s8;      /* which the file calls int8 */
    int rank;     /* of the shape, -1 unknown */
    int64_t dims[TF_TENSOR_RANK_MAX];
};

struct tf_node {
    const Onnx__NodeProto *proto;
    const char *name, *op;
    int *in, *out; /* values; -1 where an optional input is left out */
    int inputs, outputs;
    bool done; /* folded or fused away */
};

struct tf_graph {
    struct tf_mem mem; /* lives as long as planning */
    const Onnx__GraphProto *proto;
    int64_t opset;
    struct tf_value *values;
    int value_count;
    struct tf_node *nodes;
    int node_count;
    int *inputs, *outputs; /* values */
    int input_count, output_count;
    struct tf_engine *engine;
};

/* graph.c */
int tf_graph_build(struct tf_graph *graph, const Onnx__ModelProto *model, struct tf_error *err);
/* fold.c: evaluates a node whose inputs are all constant; *ret false where the operator is not one of those
 * folded. */
int tf_fold(struct tf_graph *graph, struct tf_node *node, bool *ret, struct tf_error *err);

/* An error that names node and operator. */
int tf_node_fail(const struct tf_node *node, struct tf_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* lower.c */
int tf_lower(struct tf_graph *graph, struct tf_error *err);

/* steps.c */
/* A new tensor; -ENOMEM, -E2BIG. Its index is returned. */
int tf_tensor_new(struct tf_engine *engine, const char *name, enum tf_dtype type, int rank,
                  const int64_t *dims, struct tf_error *err);
/* A new step with room for its tensors; NULL: out of memory. */
struct tf_step *tf_step_new(struct tf_engine *engine, const struct tf_node *node, const char *op, int inputs,
                            int outputs, size_t params);

/* values.c */
/* Scale and zero point of a QuantizeLinear or DequantizeLinear of an activation. */
int tf_quant_params(const struct tf_graph *graph, const struct tf_node *node, float *scale, int32_t *zp,
                    bool *s8, struct tf_error *err);
/* All readers quantise it, with the same parameters. */
int tf_quantised_by(const struct tf_graph *graph, const struct tf_value *value, bool *ret, float *scale,
                    int32_t *zp, bool *s8, struct tf_error *err);
/* Ties an integer value (and so what reads it) to a u8 tensor. */
void tf_value_tie(struct tf_value *value, int tensor, float scale, int32_t zp, bool s8, int rank,
                  const int64_t *dims);

/* The quantised output that a node's float result goes to: filled by tf_output_of. */
struct tf_output {
    bool quantised;
    int value;   /* the integer value (quantised) or the float one */
    float scale; /* of the quantised result */
    bool s8;
    struct tf_requant q;
    const char *op; /* "Conv+Relu" */
};
/*
 * Follows a node's result through Relu and Clip to its QuantizeLinear, and marks those nodes done. `fuse`
 * false: looks for the QuantizeLinear only.
 */
int tf_output_of(struct tf_graph *graph, struct tf_node *node, bool fuse, struct tf_output *ret,
                 struct tf_error *err);

/* Makes the tensor that the output stands for and ties the value(s) to it. Its index, or a negative errno. */
int tf_output_tensor(struct tf_graph *graph, const struct tf_node *node, const struct tf_output *output,
                     int rank, const int64_t *dims, struct tf_error *err);
/* The value as a u8 tensor (for a constant of it, one made for the purpose), or -1: it has none. */
int tf_value_q(struct tf_graph *graph, int value, struct tf_error *err);
/* The value as an f32 tensor, with a DequantizeLinear step put in where needed; negative errno. */
int tf_value_f(struct tf_graph *graph, const struct tf_node *node, int value, struct tf_error *err);

/* ops/: one operator family each. */
int tf_lower_conv(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_gemm(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_binary(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_unary(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_pool(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_resize(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_softmax(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_reshape(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);
int tf_lower_move(struct tf_graph *graph, struct tf_node *node, struct tf_error *err);

/* fuse.c */
int tf_fuse(struct tf_engine *engine, struct tf_error *err);

/* layout.c and arena.c */
int tf_layout(struct tf_engine *engine, struct tf_error *err);
int tf_arena(struct tf_engine *engine, struct tf_error *err);
/* Writes a tensor's frame of zero points. */
void tf_fill_halo(const struct tf_engine *engine, int tensor);
/* A convolution (or whatever wants it) asks for a frame around its input; see tf_layout. */
bool tf_step_wants_halo(const struct tf_engine *engine, const struct tf_step *step, int64_t halo[4]);

#define TF_MAX(a, b) ((a) > (b) ? (a) : (b))
#define TF_MIN(a, b) ((a) < (b) ? (a) : (b))

#endif
