/* tests/models/test_onnx.c: every layer as ONNX says what it said here. The runtime is a foreign one, onnxruntime-web under
 * node (npm install onnxruntime-web; WM_ONNXRUNTIME names the folder with its node_modules). Where it has said the same, the
 * graphs are written down in onnx/graphs.txt; where it is not, they are held against what is written there: a graph that
 * changes has to go through the runtime again. */
#include "tests/models/words.h"

#include "common/files.h"
#include "common/rng.h"
#include "models/layer.h"
#include "models/onnx/export.h"
#include "models/plan.h"
#include "onnx.pb-c.h"

#include <math.h>

enum { BATCH = 3 };

static const struct {
    const char *name, *shape, *layers;
    bool        kinds; /* the input is 0, 1, 2 ... */
} cases[] = {
    { "dense", "7", "[{dense: 5}, relu, {dense: 4}]", false },
    { "dense-of-steps", "6 3", "[{dense: 5}, tanh, flatten, {dense: 4}]", false },
    { "activations", "8",
      "[{dense: 8}, {leaky_relu: 0.2}, {dense: 8}, sigmoid, {dense: 8}, gelu, {dense: 8}, silu, "
      "{dense: 8}, softmax, {dense: 4}]",
      false },
    { "dropout", "8", "[{dense: 8}, {dropout: 0.5}, {dense: 4}]", false },
    { "noise", "8", "[{noise: 0.5}, {dense: 8}, {noise: {masked: 0.5}}, {dense: 4}]", false },
    { "sample", "8", "[{dense: 6}, {sample: 0.5}, {dense: 4}]", false },
    { "sample-of-steps", "5 8", "[{sample: {}}, flatten, {dense: 4}]", false },
    { "conv1d", "12 3", "[{conv1d: {channels: 4, kernel: 3}}, relu, flatten, {dense: 4}]", false },
    { "conv1d-same", "13 4",
      "[{conv1d: {channels: 8, kernel: 4, stride: 2, padding: same, groups: 2}}, flatten, "
      "{dense: 4}]",
      false },
    { "conv1d-causal-by-dilation", "16 2", "[{conv1d: {channels: 3, kernel: 3, dilation: 4}}, flatten, {dense: 4}]",
      false },
    { "conv2d", "9 8 3",
      "[{conv2d: {channels: 6, kernel: [3, 2], stride: [2, 1], padding: same}}, relu, flatten, {dense: 4}]",
      false },
    { "conv2d-depthwise", "7 7 4",
      "[{conv2d: {channels: 4, kernel: 3, groups: 4, dilation: 2}}, flatten, {dense: 4}]", false },
    { "max-pool", "9 7 3",
      "[{conv2d: {channels: 3, kernel: 1}}, {max_pool2d: {kernel: 3, stride: 2, padding: same}}, flatten, {dense: 4}]",
      false },
    { "avg-pool", "9 7 3",
      "[{conv2d: {channels: 3, kernel: 1}}, {avg_pool2d: {kernel: 2, padding: same}}, flatten, {dense: 4}]",
      false },
    { "pool-of-time", "11 3",
      "[{conv1d: {channels: 3, kernel: 1}}, {max_pool1d: 2}, {avg_pool1d: {kernel: 3, stride: 1}}, flatten, {dense: 4}]",
      false },
    { "global-pools", "5 6 3", "[{conv2d: {channels: 5, kernel: 2}}, {global_max_pool: {}}, {dense: 4}]", false },
    { "global-mean", "10 3", "[{conv1d: {channels: 5, kernel: 2}}, {global_avg_pool: {}}, {dense: 4}]", false },
    { "lstm", "6 3", "[{lstm: 5}, {dense: 4}]", false },
    { "lstm-both-ways", "6 3", "[{lstm: {units: 5, bidirectional: true}}, {dense: 4}]", false },
    { "lstm-sequence", "6 3", "[{lstm: {units: 5, bidirectional: true, sequence: true}}, {lstm: 3}, {dense: 4}]",
      false },
    { "gru", "6 3", "[{gru: {units: 5, sequence: true}}, {gru: {units: 4, bidirectional: true}}, {dense: 4}]",
      false },
    { "rnn", "6 3", "[{rnn: {units: 5, sequence: true}}, {rnn: {units: 4, bidirectional: true}}, {dense: 4}]",
      false },
    { "layer-norm", "6 8", "[{dense: 8}, {layer_norm: {}}, flatten, {dense: 4}]", false },
    { "group-norm", "5 4 6", "[{dense: 6}, {group_norm: 3}, flatten, {dense: 4}]", false },
    { "transformer", "6 8",
      "[{positional_encoding: {}}, {residual: [{layer_norm: {}}, {attention: {heads: 2}}]}, "
      "{residual: [{layer_norm: {}}, {dense: 16}, gelu, {dense: 8}]}, flatten, {dense: 4}]",
      false },
    { "causal", "7 6",
      "[{positional_encoding: learned}, {attention: {heads: 3, causal: true}}, flatten, {dense: 4}]", false },
    { "embedding", "9", "[{embedding: {kinds: 7, units: 4}}, {gru: 5}, {dense: 4}]", true },
    { "reshape", "12", "[{dense: 12}, {reshape: [3, 4]}, {lstm: 4}, {dense: 4}]", false },
    { "branches", "8",
      "[{name: a, dense: 6}, {name: b, from: x, dense: 3}, {name: c, from: [a, b], concat: {}}, "
      "{name: d, from: c, dense: 6}, {name: e, from: [a, d], add: {}}, {dense: 4}]",
      false },
};

/* One network, run here. */
typedef struct net {
    wm_job   *job;
    wm_model *model;
    float    *params, *input;
    float     output[BATCH][4];
    uint8_t  *file;
    size_t    n_file, n_input;
} net;

static void open_net(net *n, size_t i)
{
    net_words    words = { .shape = cases[i].shape, .layers = cases[i].layers, .loss = "mse", .width = 4 };
    wm_text      text = WM_TEXT_INIT;
    const float *outputs[WM_TARGETS_MAX];
    wm_batch     batch = { .n = BATCH };
    wm_plan     *plan = NULL;
    wm_shape     shape;
    wm_rng       rng;
    wm_error     err;

    net_text(&text, &words);
    n->job = net_job(cases[i].name, wm_text_chars(&text));
    n->model = net_model_of(cases[i].name, n->job);
    wm_text_release(&text);
    n->params = malloc(wm_model_n_params(n->model) * sizeof *n->params);
    wm_model_init(n->model, 3, n->params);
    wm_rng_init(&rng, 11 + i);
    for (size_t p = 0; p < wm_model_n_params(n->model); p++) /* so that no bias and no gain is what it begins as */
        n->params[p] += (float)(0.2 * (wm_rng_unit(&rng) - 0.5));
    wm_job_input_shape(n->job, 0, &shape);
    assert_true(wm_shape_count(&shape, &n->n_input));
    n->input = malloc(BATCH * n->n_input * sizeof *n->input);
    for (size_t v = 0; v < BATCH * n->n_input; v++)
        n->input[v] = cases[i].kinds ? (float)wm_rng_below(&rng, 7) : (float)(2 * wm_rng_unit(&rng) - 1);
    batch.inputs[0] = n->input;
    assert_ok(wm_plan_new(n->model, BATCH, WM_PLAN_EVALUATE, &plan, &err), &err);
    assert_ok(wm_plan_forward(plan, n->params, &batch, outputs, NULL, &err), &err);
    memcpy(n->output, outputs[0], sizeof n->output);
    wm_plan_free(plan);
    assert_ok(wm_onnx_export(n->model, n->params, (const wm_metadata[]){ { "job", "no2" }, { NULL, NULL } },
                             &n->file, &n->n_file, &err),
              &err);
}

static void close_net(net *n)
{
    free(n->file);
    free(n->input);
    free(n->params);
    wm_model_free(n->model);
    wm_job_free(n->job);
}

/* Every value is made before it is used, once; inputs and outputs bear the job's names. */
static void a_file_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        net               n = { 0 };
        Onnx__ModelProto *file;
        Onnx__GraphProto *graph;
        const char       *known[4096];
        size_t            n_known = 0;

        open_net(&n, i);
        file = onnx__model_proto__unpack(NULL, n.n_file, n.file);
        assert_non_null(file);
        graph = file->graph;
        assert_int_equal(file->opset_import[0]->version, 13);
        assert_string_equal(file->metadata_props[0]->key, "job");
        assert_string_equal(graph->input[0]->name, "image");
        assert_string_equal(graph->output[0]->name, "y");
        assert_string_equal(graph->input[0]->type->tensor_type->shape->dim[0]->dim_param, "N");
        known[n_known++] = graph->input[0]->name;
        for (size_t t = 0; t < graph->n_initializer; t++)
            known[n_known++] = graph->initializer[t]->name;
        for (size_t k = 0; k < graph->n_node; k++) {
            for (size_t in = 0; in < graph->node[k]->n_input; in++) {
                size_t v = 0;

                while (v < n_known && strcmp(known[v], graph->node[k]->input[in]) != 0)
                    v++;
                assert_case(cases[i].name, v < n_known);
            }
            for (size_t out = 0; out < graph->node[k]->n_output; out++) {
                for (size_t v = 0; v < n_known; v++)
                    assert_case(cases[i].name, strcmp(known[v], graph->node[k]->output[out]) != 0);
                assert_true(n_known < sizeof known / sizeof *known);
                known[n_known++] = graph->node[k]->output[out];
            }
        }
        assert_string_equal(known[n_known - 1], "y");
        onnx__model_proto__free_unpacked(file, NULL);
        close_net(&n);
    }
}

static void write_bytes(const char *folder, const char *name, const char *end, const void *bytes, size_t n)
{
    char     path[4300];
    wm_error err;

    snprintf(path, sizeof path, "%s/%s%s", folder, name, end);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bytes, n, 0644, &err), &err);
}

/* ---- the graphs in words ---- */

/* What was said of one graph so far. Names are given in the order in which the output asks for things: those of the file follow
 * from the order in which a compiler evaluates arguments, which is its own. */
typedef struct walk {
    const Onnx__GraphProto *graph;
    const char             *known[4096]; /* names of the file; here they are v0, v1 ... */
    size_t                  n_known;
    wm_text                *to;
} walk;

static size_t find(const walk *w, const char *name)
{
    size_t v = 0;

    while (v < w->n_known && strcmp(w->known[v], name) != 0)
        v++;
    return v;
}

static void name_it(walk *w, const char *name)
{
    assert_true(w->n_known < sizeof w->known / sizeof *w->known);
    wm_text_printf(w->to, "v%zu", w->n_known);
    w->known[w->n_known++] = name;
}

static void say_attribute(wm_text *to, const Onnx__AttributeProto *at)
{
    wm_text_printf(to, " %s=", at->name);
    switch (at->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        wm_text_printf(to, "%g", (double)at->f);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        wm_text_printf(to, "%.*s", (int)at->s.len, (const char *)at->s.data);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        for (size_t i = 0; i < at->n_ints; i++)
            wm_text_printf(to, "%s%lld", i > 0 ? "," : "", (long long)at->ints[i]);
        break;
    default:
        wm_text_printf(to, "%lld", (long long)at->i);
        break;
    }
}

/* Few values as they are, of many a sum in which each place counts otherwise. */
static void say_tensor(walk *w, const Onnx__TensorProto *tensor)
{
    size_t n = 1;
    double sum = 0;

    wm_text_printf(w->to, "  ");
    name_it(w, tensor->name);
    wm_text_printf(w->to, ":");
    for (size_t d = 0; d < tensor->n_dims; d++) {
        wm_text_printf(w->to, " %lld", (long long)tensor->dims[d]);
        n *= (size_t)tensor->dims[d];
    }
    wm_text_printf(w->to, " =");
    for (size_t i = 0; i < n; i++) {
        double value;

        if (tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64) {
            int64_t whole;

            memcpy(&whole, tensor->raw_data.data + i * sizeof whole, sizeof whole);
            value = (double)whole;
        } else {
            float real;

            memcpy(&real, tensor->raw_data.data + i * sizeof real, sizeof real);
            value = (double)real;
        }
        sum += value * (double)(i * 7919 % 101 + 1);
        if (n <= 4)
            wm_text_printf(w->to, " %.4g", value);
    }
    if (n > 4)
        wm_text_printf(w->to, " ... %.4g", sum);
    wm_text_printf(w->to, "\n");
}

static void say_value(walk *w, const char *name);

static void say_node(walk *w, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++)
        say_value(w, node->input[i]);
    wm_text_printf(w->to, "  ");
    for (size_t o = 0; o < node->n_output; o++) {
        wm_text_printf(w->to, "%s", o > 0 ? ", " : "");
        name_it(w, node->output[o]);
    }
    wm_text_printf(w->to, " = %s(", node->op_type);
    for (size_t i = 0; i < node->n_input; i++)
        wm_text_printf(w->to, "%sv%zu", i > 0 ? ", " : "", find(w, node->input[i]));
    wm_text_printf(w->to, ")");
    for (size_t a = 0; a < node->n_attribute; a++)
        say_attribute(w->to, node->attribute[a]);
    wm_text_printf(w->to, "\n");
}

/* Whatever makes it first, and it once. */
static void say_value(walk *w, const char *name)
{
    if (find(w, name) < w->n_known)
        return;
    for (size_t t = 0; t < w->graph->n_initializer; t++)
        if (strcmp(w->graph->initializer[t]->name, name) == 0) {
            say_tensor(w, w->graph->initializer[t]);
            return;
        }
    for (size_t k = 0; k < w->graph->n_node; k++)
        for (size_t o = 0; o < w->graph->node[k]->n_output; o++)
            if (strcmp(w->graph->node[k]->output[o], name) == 0) {
                say_node(w, w->graph->node[k]);
                return;
            }
    wm_text_printf(w->to, "  ");
    name_it(w, name);
    wm_text_printf(w->to, ": the input %s\n", name);
}

static void say_graphs(wm_text *to)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        net               n = { 0 };
        Onnx__ModelProto *file;
        walk              w = { .to = to };

        open_net(&n, i);
        file = onnx__model_proto__unpack(NULL, n.n_file, n.file);
        assert_non_null(file);
        wm_text_printf(to, "%s %s %s\n", cases[i].name, cases[i].shape, cases[i].layers);
        w.graph = file->graph;
        say_value(&w, "y");
        onnx__model_proto__free_unpacked(file, NULL);
        close_net(&n);
    }
    assert_false(to->bad);
}

static void graphs_path(char path[4300])
{
    snprintf(path, 4300, "%s/tests/models/onnx/graphs.txt", wm_test_source());
}

static void graphs_are_those_that_a_foreign_runtime_has_run(void **state)
{
    wm_text  have = WM_TEXT_INIT;
    char     path[4300], *rest, *now;
    uint8_t *text;
    size_t   n;
    wm_error err;

    (void)state;
    if (getenv("WM_ONNXRUNTIME") != NULL)
        leave_out("the next test writes them down");
    say_graphs(&have);
    graphs_path(path);
    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 20, &text, &n, &err), &err);
    rest = (char *)text;
    now = have.chars;
    for (char *want, *is; (want = strsep(&rest, "\n")) != NULL;) {
        is = strsep(&now, "\n");
        if (is == NULL || strcmp(want, is) != 0)
            fail_msg("the runtime has run \"%s\", and now it is \"%s\": run this test with WM_ONNXRUNTIME", want,
                     is != NULL ? is : "");
    }
    free(text);
    wm_text_release(&have);
}

static void a_foreign_runtime_says_the_same(void **state)
{
    const char *modules = getenv("WM_ONNXRUNTIME");
    char        folder[4096], command[9000];
    wm_text     list = WM_TEXT_INIT;
    wm_error    err;

    (void)state;
    if (modules == NULL)
        leave_out("WM_ONNXRUNTIME names no folder with onnxruntime-web");
    wm_test_folder(folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        net      n = { 0 };
        wm_shape shape;

        open_net(&n, i);
        wm_job_input_shape(n.job, 0, &shape);
        wm_text_printf(&list, "%s image %d", cases[i].name, BATCH);
        for (uint32_t d = 0; d < shape.rank; d++)
            wm_text_printf(&list, " %u", shape.dim[d]);
        wm_text_printf(&list, " > y\n");
        write_bytes(folder, cases[i].name, ".onnx", n.file, n.n_file);
        write_bytes(folder, cases[i].name, ".in", n.input, BATCH * n.n_input * sizeof *n.input);
        write_bytes(folder, cases[i].name, ".out", n.output, sizeof n.output);
        close_net(&n);
    }
    write_bytes(folder, "cases", ".txt", wm_text_chars(&list), list.size);
    wm_text_release(&list);
    list = (wm_text)WM_TEXT_INIT;
    snprintf(command, sizeof command, "node '%s/tests/models/onnx/run.mjs' '%s' '%s'", wm_test_source(), folder,
             modules);
    assert_int_equal(system(command), 0);
    assert_ok(wm_folder_remove(folder, &err), &err);
    say_graphs(&list);
    graphs_path(command);
    assert_ok(wm_files_system()->replace(wm_files_system(), command, list.chars, list.size, 0644, &err), &err);
    wm_text_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_whole),
        cmocka_unit_test(graphs_are_those_that_a_foreign_runtime_has_run),
        cmocka_unit_test(a_foreign_runtime_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
