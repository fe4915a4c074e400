/*
 * Constant folding of what exporters emit: shape arithmetic (Shape, Gather, Concat, …) and constants that
 * pass through Identity, Cast or QuantizeLinear. Sizes are those of shapes, so clarity comes before speed.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/count.h"
#include "inference/engine/plan.h"

#define FOLD_MAX (1 << 16) /* elements of a computed constant; weights only pass through */

static const struct tf_const *input(const struct tf_graph *graph, const struct tf_node *node, int i)
{
    return i < node->inputs && node->in[i] >= 0 ? graph->values[node->in[i]].constant : NULL;
}

static void store(struct tf_const *c, size_t i, double number, int64_t integer)
{
    switch (c->type) {
    case TF_C_F32:
        ((float *)c->data)[i] = (float)number;
        break;
    case TF_C_F64:
        ((double *)c->data)[i] = number;
        break;
    case TF_C_S64:
        ((int64_t *)c->data)[i] = integer;
        break;
    case TF_C_S32:
        ((int32_t *)c->data)[i] = (int32_t)integer;
        break;
    case TF_C_BOOL:
        ((uint8_t *)c->data)[i] = integer != 0;
        break;
    case TF_C_U8:
    case TF_C_S8:
        ((uint8_t *)c->data)[i] = (uint8_t)integer;
        break;
    }
}

static bool is_float(enum tf_const_type type)
{
    return type == TF_C_F32 || type == TF_C_F64;
}

static int set(struct tf_graph *graph, struct tf_node *node, const struct tf_const *c, struct tf_error *err)
{
    struct tf_value *value = &graph->values[node->out[0]];

    if (!c)
        return tf_node_fail(node, err, -ENOMEM, "out of memory");
    value->constant = c;
    value->rank = c->rank;
    memcpy(value->dims, c->dims, sizeof(value->dims));
    return 0;
}

static int fold_constant(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const Onnx__AttributeProto *a = tf_attr(node->proto, "value");
    const struct tf_const *c;
    struct tf_const *n;
    int64_t dim;
    int r;

    if (a && a->t) {
        r = tf_const_from_proto(&graph->mem, a->t, &c, err);
        if (r < 0) {
            tf_error_prefix(err, "node \"%s\" (Constant)", node->name);
            return r;
        }
        return set(graph, node, c, err);
    }
    a = node->proto->n_attribute ? node->proto->attribute[0] : NULL;
    if (a && a->name && strcmp(a->name, "value_float") == 0) {
        n = tf_const_new(&graph->mem, TF_C_F32, 0, NULL);
        if (n)
            store(n, 0, a->f, 0);
        return set(graph, node, n, err);
    }
    if (a && a->name && strcmp(a->name, "value_int") == 0) {
        n = tf_const_new(&graph->mem, TF_C_S64, 0, NULL);
        if (n)
            store(n, 0, 0, a->i);
        return set(graph, node, n, err);
    }
    if (a && a->name && (strcmp(a->name, "value_ints") == 0 || strcmp(a->name, "value_floats") == 0)) {
        bool ints = strcmp(a->name, "value_ints") == 0;
        dim = (int64_t)(ints ? a->n_ints : a->n_floats);
        n = tf_const_new(&graph->mem, ints ? TF_C_S64 : TF_C_F32, 1, &dim);
        for (int64_t i = 0; n && i < dim; i++)
            store(n, (size_t)i, ints ? 0 : a->floats[i], ints ? a->ints[i] : 0);
        return set(graph, node, n, err);
    }
    return tf_node_fail(node, err, -ENOTSUP, "a constant of this kind is not read");
}

static int fold_shape(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_value *value = node->inputs && node->in[0] >= 0 ? &graph->values[node->in[0]] : NULL;
    int64_t rank, start, end, dim;
    struct tf_const *c;

    if (!value || value->rank < 0)
        return tf_node_fail(node, err, -EINVAL, "the shape of its input is not known");
    rank = value->rank;
    start = tf_attr_int(node->proto, "start", 0);
    end = tf_attr_int(node->proto, "end", rank);
    start = TF_MIN(TF_MAX(start < 0 ? start + rank : start, 0), rank);
    end = TF_MIN(TF_MAX(end < 0 ? end + rank : end, start), rank);
    dim = end - start;
    c = tf_const_new(&graph->mem, TF_C_S64, 1, &dim);
    for (int64_t i = 0; c && i < dim; i++)
        store(c, (size_t)i, 0, value->dims[start + i]);
    return set(graph, node, c, err);
}

/* Add, Sub, Mul, Div of constants of one shape, or with one element on either side. */
static int fold_arithmetic(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_const *a = input(graph, node, 0), *b = input(graph, node, 1), *big;
    struct tf_const *c;

    if (a->type != b->type || (a->count != b->count && a->count != 1 && b->count != 1))
        return tf_node_fail(node, err, -ENOTSUP, "constants of these shapes are not folded");
    big = a->count > b->count || (a->count == b->count && a->rank >= b->rank) ? a : b;
    c = tf_const_new(&graph->mem, a->type, big->rank, big->dims);
    for (size_t i = 0; c && i < c->count; i++) {
        double x = tf_const_number(a, a->count == 1 ? 0 : i), y = tf_const_number(b, b->count == 1 ? 0 : i);
        uint64_t m = (uint64_t)tf_const_int(a, a->count == 1 ? 0 : i),
                 n = (uint64_t)tf_const_int(b, b->count == 1 ? 0 : i);
        switch (node->op[0]) {
        case 'A':
            store(c, i, x + y, (int64_t)(m + n));
            break;
        case 'S':
            store(c, i, x - y, (int64_t)(m - n));
            break;
        case 'M':
            store(c, i, x * y, (int64_t)(m * n));
            break;
        default:
            if (!is_float(c->type) && (!n || (int64_t)n == -1))
                store(c, i, 0, n ? (int64_t)(0 - m) : 0);
            else
                store(c, i, is_float(c->type) ? x / y : 0, is_float(c->type) ? 0 : (int64_t)m / (int64_t)n);
        }
    }
    return set(graph, node, c, err);
}

static int fold_concat(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    int64_t dim = 0;
    struct tf_const *c;
    size_t at = 0;

    for (int i = 0; i < node->inputs; i++) {
        const struct tf_const *x = input(graph, node, i);
        if (x->rank != 1 || x->type != input(graph, node, 0)->type || x->count > FOLD_MAX || dim > FOLD_MAX)
            return tf_node_fail(node, err, -ENOTSUP, "only short lists of constants are joined");
        dim += x->dims[0];
    }
    c = tf_const_new(&graph->mem, input(graph, node, 0)->type, 1, &dim);
    for (int i = 0; c && i < node->inputs; i++) {
        const struct tf_const *x = input(graph, node, i);
        if (x->count)
            memcpy((char *)c->data + at, x->data, x->count * tf_const_size(x->type));
        at += x->count * tf_const_size(x->type);
    }
    return set(graph, node, c, err);
}

static int fold_gather(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_const *x = input(graph, node, 0), *index = input(graph, node, 1);
    struct tf_const *c;

    if (x->rank != 1 || index->count > FOLD_MAX || is_float(index->type))
        return tf_node_fail(node, err, -ENOTSUP, "only a list can be gathered from");
    c = tf_const_new(&graph->mem, x->type, index->rank, index->dims);
    for (size_t i = 0; c && i < index->count; i++) {
        int64_t k = tf_const_int(index, i);
        k = k < 0 ? k + x->dims[0] : k;
        if (k < 0 || k >= x->dims[0])
            return tf_node_fail(node, err, -EINVAL, "index %lld is out of range", (long long)k);
        store(c, i, tf_const_number(x, (size_t)k), tf_const_int(x, (size_t)k));
    }
    return set(graph, node, c, err);
}

static int fold_slice(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_const *x = input(graph, node, 0), *s = input(graph, node, 1), *e = input(graph, node, 2),
                          *t = input(graph, node, 4);
    int64_t start, end, step, n, dim;
    struct tf_const *c;

    if (x->rank != 1 || !s || !e || s->count != 1 || e->count != 1 || (t && t->count != 1))
        return tf_node_fail(node, err, -ENOTSUP, "only a list can be sliced");
    n = x->dims[0];
    start = tf_const_int(s, 0);
    end = tf_const_int(e, 0);
    step = t ? tf_const_int(t, 0) : 1;
    if (step != 1)
        return tf_node_fail(node, err, -ENOTSUP, "a list is sliced in steps of 1 only");
    start = TF_MIN(TF_MAX(start < 0 ? start + n : start, 0), n);
    end = end < -n ? -n : end;
    end = TF_MIN(TF_MAX(end < 0 ? end + n : end, start), n);
    dim = end - start;
    c = tf_const_new(&graph->mem, x->type, 1, &dim);
    for (int64_t i = 0; c && i < dim; i++)
        store(c, (size_t)i, tf_const_number(x, (size_t)(start + i)), tf_const_int(x, (size_t)(start + i)));
    return set(graph, node, c, err);
}

/* The same data under another shape. */
static int fold_view(struct tf_graph *graph, struct tf_node *node, int rank, const int64_t *dims,
                     struct tf_error *err)
{
    const struct tf_const *x = input(graph, node, 0);
    struct tf_const *c = tf_mem_alloc(&graph->mem, 1, sizeof(*c));

    if (c) {
        *c = *x;
        c->rank = rank;
        memset(c->dims, 0, sizeof(c->dims));
        for (int i = 0; i < rank; i++)
            c->dims[i] = dims[i];
    }
    return set(graph, node, c, err);
}

static int fold_reshape(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_const *x = input(graph, node, 0), *shape = input(graph, node, 1);
    int64_t dims[TF_TENSOR_RANK_MAX], known = 1;
    int rank = 0, open = -1;

    if (node->op[0] == 'R') {
        if (!shape || shape->count > TF_TENSOR_RANK_MAX)
            return tf_node_fail(node, err, -ENOTSUP, "the new shape of a constant is not known");
        for (rank = 0; rank < (int)shape->count; rank++) {
            dims[rank] = tf_const_int(shape, (size_t)rank);
            if (dims[rank] == 0 && rank < x->rank)
                dims[rank] = x->dims[rank];
            if (dims[rank] < -1 || (dims[rank] == -1 && open >= 0))
                return tf_node_fail(node, err, -EINVAL, "the new shape is not one");
            if (dims[rank] == -1)
                open = rank;
            else if (__builtin_mul_overflow(known, dims[rank], &known))
                return tf_node_fail(node, err, -E2BIG, "the new shape is too large");
        }
        if (open >= 0)
            dims[open] = known ? (int64_t)x->count / known : 0;
        if (open >= 0 && __builtin_mul_overflow(known, dims[open], &known))
            known = -1;
        if (known != (int64_t)x->count)
            return tf_node_fail(node, err, -EINVAL, "the new shape has another number of elements");
    } else if (x->count == 1 || x->rank <= 1) {
        /* Squeeze and Unsqueeze of scalars and lists: all that shape arithmetic needs. */
        if (node->op[0] == 'U')
            dims[rank++] = (int64_t)x->count;
        else if (x->count != 1)
            dims[rank++] = (int64_t)x->count;
    } else {
        return tf_node_fail(node, err, -ENOTSUP, "only constants of one dimension are folded");
    }
    return fold_view(graph, node, rank, dims, err);
}

static int fold_cast(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_const *x = input(graph, node, 0);
    enum tf_const_type to = (enum tf_const_type)tf_attr_int(node->proto, "to", 0);
    struct tf_const *c;

    if (!tf_const_size(to))
        return tf_node_fail(node, err, -ENOTSUP, "element type %d is not read", (int)to);
    c = tf_const_new(&graph->mem, to, x->rank, x->dims);
    for (size_t i = 0; c && i < x->count; i++)
        store(c, i, tf_const_number(x, i), tf_const_int(x, i));
    return set(graph, node, c, err);
}

static int fold_fill(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_const *shape = input(graph, node, 0), *v = NULL;
    const Onnx__AttributeProto *a = tf_attr(node->proto, "value");
    int64_t dims[TF_TENSOR_RANK_MAX], count = 1;
    struct tf_const *c;
    int r;

    if (a && a->t) {
        r = tf_const_from_proto(&graph->mem, a->t, &v, err);
        if (r < 0)
            return r;
    }
    if (shape->count > TF_TENSOR_RANK_MAX || (v && v->count != 1))
        return tf_node_fail(node, err, -ENOTSUP, "a constant of this shape is not made");
    for (size_t i = 0; i < shape->count; i++) {
        dims[i] = tf_const_int(shape, i);
        if (dims[i] < 0 || dims[i] > FOLD_MAX || (count *= dims[i]) > FOLD_MAX)
            return tf_node_fail(node, err, -E2BIG, "a constant of more than %d elements is not made",
                                FOLD_MAX);
    }
    c = tf_const_new(&graph->mem, v ? v->type : TF_C_F32, (int)shape->count, dims);
    for (size_t i = 0; c && i < c->count; i++)
        store(c, i, v ? tf_const_number(v, 0) : 0, v ? tf_const_int(v, 0) : 0);
    return set(graph, node, c, err);
}

/* Weights that an exporter left as float, quantised in the file: along an axis or per tensor. */
static int fold_quantize(struct tf_graph *graph, struct tf_node *node, struct tf_error *err)
{
    const struct tf_const *x = input(graph, node, 0), *scale = input(graph, node, 1),
                          *zero = input(graph, node, 2);
    int64_t axis = tf_attr_int(node->proto, "axis", 1), inner = 1;
    enum tf_const_type type = zero ? zero->type : TF_C_U8;
    double lo = type == TF_C_S8 ? -128 : 0, hi = type == TF_C_S8 ? 127 : 255;
    struct tf_const *c;

    if (!scale || !is_float(x->type) || (type != TF_C_S8 && type != TF_C_U8))
        return tf_node_fail(node, err, -ENOTSUP, "its scale or type is not one that is folded");
    axis = axis < 0 ? axis + x->rank : axis;
    if (scale->count != 1 && (axis < 0 || axis >= x->rank || (int64_t)scale->count != x->dims[axis]))
        return tf_node_fail(node, err, -EINVAL, "its scale does not fit the axis");
    if (zero && zero->count != scale->count)
        return tf_node_fail(node, err, -EINVAL, "scale and zero point differ in length");
    if (scale->count != 1)
        for (int i = (int)axis + 1; i < x->rank; i++)
            inner *= x->dims[i];
    c = tf_const_new(&graph->mem, type, x->rank, x->dims);
    for (size_t i = 0; c && i < x->count; i++) {
        size_t k = scale->count == 1 ? 0 : i / (size_t)inner % scale->count;
        float v = (float)tf_const_number(x, i) / (float)tf_const_number(scale, k);
        double q = rint((double)v) + (zero ? (double)tf_const_int(zero, k) : 0);
        q = q < lo ? lo : q > hi ? hi : q == q ? q : lo;
        store(c, i, q, (int64_t)q);
    }
    return set(graph, node, c, err);
}

int tf_fold(struct tf_graph *graph, struct tf_node *node, bool *ret, struct tf_error *err)
{
    static const struct {
        const char *op;
        int (*fold)(struct tf_graph *, struct tf_node *, struct tf_error *);
        int needs; /* constant inputs, -1: all */
    } table[] = {
        {"Constant", fold_constant, 0},
        {"Shape", fold_shape, 0},
        {"Add", fold_arithmetic, 2},
        {"Sub", fold_arithmetic, 2},
        {"Mul", fold_arithmetic, 2},
        {"Div", fold_arithmetic, 2},
        {"Concat", fold_concat, -1},
        {"Gather", fold_gather, 2},
        {"Slice", fold_slice, -1},
        {"Reshape", fold_reshape, 2},
        {"Squeeze", fold_reshape, 1},
        {"Unsqueeze", fold_reshape, 1},
        {"Cast", fold_cast, 1},
        {"ConstantOfShape", fold_fill, 1},
        {"QuantizeLinear", fold_quantize, 2},
    };

    *ret = false;
    for (size_t i = 0; i < TF_COUNT(table); i++) {
        int needs = table[i].needs < 0 ? node->inputs : table[i].needs;
        bool all = table[i].needs >= 0 || node->inputs > 0;

        if (strcmp(node->op, table[i].op) != 0)
            continue;
        for (int k = 0; k < needs; k++)
            all = all && input(graph, node, k);
        if (!all)
            return 0;
        *ret = true;
        return table[i].fold(graph, node, err);
    }
    /* Identity and Dropout pass constants and tensors alike. */
    if (node->inputs && node->in[0] >= 0 &&
        (strcmp(node->op, "Identity") == 0 || strcmp(node->op, "Dropout") == 0)) {
        struct tf_value *to = &graph->values[node->out[0]], *from = &graph->values[node->in[0]], copy = *from;

        copy.name = to->name;
        copy.producer = to->producer;
        copy.readers = to->readers;
        copy.reader_count = to->reader_count;
        copy.is_output = to->is_output;
        *to = copy;
        *ret = true;
    }
    return 0;
}
