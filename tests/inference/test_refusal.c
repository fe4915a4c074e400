/* Files that are no model, or not one that the engine runs: a clear error that names the place, never a
 * crash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inference/engine/engine.h"
#include "tests/inference/support.h"

#define MODELS TF_SOURCE_ROOT "/tests/inference/models/"

static void refused(const char *file, int code, const char *words)
{
    struct tf_engine *engine = (struct tf_engine *)&engine;
    struct tf_error err = {0};
    char path[512];
    int r;

    snprintf(path, sizeof(path), MODELS "bad/%s.onnx", file);
    r = tf_engine_open(path, NULL, &engine, &err);
    if (r != code)
        fail_msg("%s: %d (%s) where %d was expected", file, r, err.text, code);
    assert_ptr_equal(engine, &engine); /* untouched on failure */
    if (!strstr(err.text, words) || !strstr(err.text, path))
        fail_msg("%s: \"%s\" does not name the file and \"%s\"", file, err.text, words);
}

static void test_models(void **state)
{
    refused("operator", -ENOTSUP, "(Erf): this operator is not run");
    refused("float_weights", -ENOTSUP, "(Conv): its weights are not int8");
    refused("domain", -ENOTSUP, "com.example");
    refused("opset", -ENOTSUP, "operator set 6");
    refused("no_producer", -EINVAL, "\"nothing\" comes from nowhere");
    refused("twice", -EINVAL, "exists already");
    refused("no_output", -EINVAL, "\"nothing\" is made by no node");
    refused("stride_zero", -EINVAL, "(Conv): its strides");
    refused("huge_pads", -E2BIG, "bytes");
    refused("huge_dilation", -EINVAL, "(Conv): its dilations");
    refused("group", -EINVAL, "3 groups");
    refused("short_weights", -EINVAL, "3 bytes where its shape needs 36");
    refused("huge_weights", -E2BIG, "dimension");
    refused("negative_dims", -EINVAL, "dimension 0 is -4");
    refused("symbolic", -ENOTSUP, "dimension 2 is symbolic");
    refused("huge_input", -E2BIG, "more than");
    refused("huge_resize", -E2BIG, "(Resize): dimension 3 would be");
    refused("large_arena", -E2BIG, "more than");
    refused("zero_scale", -EINVAL, "its scale is 0");
    refused("nan_scale", -EINVAL, "its scale is");
    refused("nodes", -E2BIG, "at most 4096");
    refused("integer_input", -ENOTSUP, "inputs are float32");
    refused("external", -ENOTSUP, "lies outside the file");
}

static int open_bytes(const void *data, size_t size, struct tf_error *err)
{
    struct tf_engine *engine = NULL;
    int r = tf_engine_open_memory(data, size, "bytes", NULL, &engine, err);

    tf_engine_close(engine);
    return r;
}

static void test_files(void **state)
{
    struct tf_engine *engine = NULL;
    struct tf_error err = {0};
    char path[] = "/tmp/tf-refusal-XXXXXX";
    int fd;

    assert_int_equal(tf_engine_open("/nonexistent/model.onnx", NULL, &engine, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/model.onnx"));
    assert_int_equal(tf_engine_open("/", NULL, &engine, &err), -EINVAL);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(tf_engine_open(path, NULL, &engine, &err), -EINVAL);
    assert_non_null(strstr(err.text, "empty"));
    assert_int_equal(write(fd, "\x89PNG\r\n\x1a\n and so on", 19), 19);
    assert_int_equal(tf_engine_open(path, NULL, &engine, &err), -EINVAL);
    assert_non_null(strstr(err.text, "not an ONNX model"));
    /* A hole of 300 MB: refused by its size, not read. */
    assert_int_equal(ftruncate(fd, 300 << 20), 0);
    assert_int_equal(tf_engine_open(path, NULL, &engine, &err), -E2BIG);
    close(fd);
    unlink(path);
    assert_null(engine);
}

static void test_cut(void **state)
{
    struct tf_error err;
    size_t size;
    char *data = test_read(MODELS "inception.onnx", &size);

    assert_non_null(data);
    assert_int_equal(open_bytes(data, size, &err), 0);
    /* A cut message may still be a message, of fewer fields: then the graph has to notice. */
    for (size_t n = 0; n < size; n += 1 + n / 16)
        assert_true(open_bytes(data, n, &err) < 0);
    free(data);
}

static void test_nesting(void **state)
{
    /* Graph in node attribute in graph, 200,000 deep by lengths of five bytes: stops at the reader's stack
     * limit. */
    enum { LEVELS = 60000 };
    uint8_t *data = malloc(LEVELS * 18 + 16), *at = data + LEVELS * 18;
    size_t inner = 0;
    struct tf_error err;

    assert_non_null(data);
    for (int i = 0; i < LEVELS; i++) {
        static const uint8_t tags[] = {0x32, 0x2a,
                                       0x0a}; /* AttributeProto.g, NodeProto.attribute, GraphProto.node */
        for (int t = 0; t < 3; t++) {
            uint8_t head[6] = {t == 0 ? tags[0] : tags[t]};
            for (int k = 0; k < 5; k++)
                head[1 + k] = (uint8_t)((inner >> 7 * k & 127) | (k < 4 ? 128 : 0));
            at -= 6;
            memcpy(at, head, 6);
            inner += 6;
        }
    }
    {
        uint8_t *model = malloc(inner + 6);
        assert_non_null(model);
        model[0] = 0x3a; /* ModelProto.graph */
        for (int k = 0; k < 5; k++)
            model[1 + k] = (uint8_t)((inner >> 7 * k & 127) | (k < 4 ? 128 : 0));
        memcpy(model + 6, at, inner);
        assert_int_equal(open_bytes(model, inner + 6, &err), -EINVAL);
        free(model);
    }
    free(data);
}

/* A graph input of 7 dimensions, one more than are planned; node and output are empty. */
static void test_rank(void **state)
{
    static const uint8_t head[] = {
        0x08, 7,  0x42, 2,    0x10, 13,              /* ir_version, opset_import.version */
        0x3a, 45, 0x0a, 0,    0x62, 0,     0x5a, 39, /* graph: node, output, input */
        0x0a, 1,  'x',  0x12, 34,                    /* name, type */
        0x0a, 32, 0x08, 1,    0x12, 7 * 4,           /* tensor_type, elem_type FLOAT, shape */
    };
    static const uint8_t dim[] = {0x0a, 2, 0x08, 1};
    uint8_t model[sizeof(head) + 7 * sizeof(dim)];
    struct tf_error err = {0};

    memcpy(model, head, sizeof(head));
    for (size_t i = 0; i < 7; i++)
        memcpy(model + sizeof(head) + i * sizeof(dim), dim, sizeof(dim));
    if (open_bytes(model, sizeof(model), &err) != -E2BIG || !strstr(err.text, "\"x\": 7 dimensions"))
        fail_msg("\"%s\" does not name the tensor and its dimensions", err.text);
}

static void test_options(void **state)
{
    struct tf_engine_options options = {.threads = 17};
    struct tf_engine *engine = NULL;
    struct tf_error err = {0};

    assert_int_equal(tf_engine_open(MODELS "pairs.onnx", &options, &engine, &err), -EINVAL);
    options = (struct tf_engine_options){.cpu = "z80"};
    assert_int_equal(tf_engine_open(MODELS "pairs.onnx", &options, &engine, &err), -EINVAL);
    assert_non_null(strstr(err.text, "z80"));
    assert_null(engine);
    tf_engine_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),  cmocka_unit_test(test_files), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_nesting), cmocka_unit_test(test_rank),  cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests_name("inference refusal", tests, NULL, NULL);
}
