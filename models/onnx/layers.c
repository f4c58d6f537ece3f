/* models/onnx/layers.c
 *
 * Each layer in the operators of ONNX's opset 13: a table from the layers' names. A layer's options are read as the reader
 * of files wrote them, through the table of its options. */
#include "models/onnx/graph.h"

#include "models/layers/sliding.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef const char *(*saying)(wm_onnx *o, const wm_node *node, const char *const *x);

/* ---- what layers are made of ---- */

static const void *option(const wm_node *node, const char *name)
{
    const wm_member *member = &node->ops->member;

    for (size_t i = 0; i < member->n_options; i++)
        if (strcmp(member->options[i].name, name) == 0)
            return (const uint8_t *)node->options + member->options[i].offset;
    return NULL;
}

static int64_t whole(const wm_node *node, const char *name)
{
    return *(const int64_t *)option(node, name);
}

static bool flag(const wm_node *node, const char *name)
{
    return *(const bool *)option(node, name);
}

static const wm_shape *input_shape(const wm_onnx *o, const wm_node *node, size_t k)
{
    return &o->model->nodes[node->from[k]].shape;
}

static const wm_tensor *tensor_of(const wm_onnx *o, const wm_node *node, size_t k)
{
    assert(k < node->n_tensors);
    return &o->model->tensors[node->tensors + k];
}

/* Tensor k of the layer as it is. */
static const char *param(wm_onnx *o, const wm_node *node, size_t k)
{
    const wm_tensor *t = tensor_of(o, node, k);
    int64_t          dims[WM_RANK_MAX];

    for (uint32_t i = 0; i < t->shape.rank; i++)
        dims[i] = t->shape.dim[i];
    return wm_onnx_floats(o, dims, t->shape.rank, o->params + t->offset);
}

/* x W^T + b over the last dimension. */
static const char *affine(wm_onnx *o, const wm_node *node, const char *x, size_t weight, size_t bias)
{
    const char *turned = wm_onnx_transpose(o, param(o, node, weight), (const int64_t[]){ 1, 0 }, 2);

    return wm_onnx_op2(o, "Add", wm_onnx_op2(o, "MatMul", x, turned), param(o, node, bias));
}

static const char *to_shape(wm_onnx *o, const wm_shape *shape, const char *x)
{
    int64_t dims[WM_RANK_MAX];

    for (uint32_t i = 0; i < shape->rank; i++)
        dims[i] = shape->dim[i];
    return wm_onnx_reshape(o, x, dims, shape->rank);
}

static const char *mean_over(wm_onnx *o, const char *x, const int64_t *axes, size_t n)
{
    wm_onnx_ints(o, "axes", axes, n);
    wm_onnx_int(o, "keepdims", 1);
    return wm_onnx_op1(o, "ReduceMean", x);
}

/* (x - mean) / sqrt(variance + epsilon) over the axes. */
static const char *normalised(wm_onnx *o, const char *x, const int64_t *axes, size_t n, double epsilon)
{
    const char *off = wm_onnx_op2(o, "Sub", x, mean_over(o, x, axes, n));
    const char *variance = mean_over(o, wm_onnx_op2(o, "Mul", off, off), axes, n);
    const char *safe = wm_onnx_op2(o, "Add", variance, wm_onnx_number(o, epsilon));

    return wm_onnx_op2(o, "Div", off, wm_onnx_op1(o, "Sqrt", safe));
}

/* ---- layers ---- */

static const char *dense(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return affine(o, node, x[0], 0, 1);
}

static const char *relu(wm_onnx *o, const wm_node *node, const char *const *x)
{
    (void)node;
    return wm_onnx_op1(o, "Relu", x[0]);
}

static const char *hyperbolic_tangent(wm_onnx *o, const wm_node *node, const char *const *x)
{
    (void)node;
    return wm_onnx_op1(o, "Tanh", x[0]);
}

static const char *sigmoid(wm_onnx *o, const wm_node *node, const char *const *x)
{
    (void)node;
    return wm_onnx_op1(o, "Sigmoid", x[0]);
}

static const char *leaky_relu(wm_onnx *o, const wm_node *node, const char *const *x)
{
    wm_onnx_real(o, "alpha", *(const double *)option(node, "slope"));
    return wm_onnx_op1(o, "LeakyRelu", x[0]);
}

static const char *gelu(wm_onnx *o, const wm_node *node, const char *const *x)
{
    const char *erf = wm_onnx_op1(o, "Erf", wm_onnx_op2(o, "Mul", x[0], wm_onnx_number(o, 0.70710678118654752)));
    const char *below =
        wm_onnx_op2(o, "Mul", wm_onnx_op2(o, "Add", erf, wm_onnx_number(o, 1)), wm_onnx_number(o, 0.5));

    (void)node;
    return wm_onnx_op2(o, "Mul", x[0], below);
}

static const char *silu(wm_onnx *o, const wm_node *node, const char *const *x)
{
    (void)node;
    return wm_onnx_op2(o, "Mul", x[0], wm_onnx_op1(o, "Sigmoid", x[0]));
}

static const char *softmax(wm_onnx *o, const wm_node *node, const char *const *x)
{
    (void)node;
    wm_onnx_int(o, "axis", -1);
    return wm_onnx_op1(o, "Softmax", x[0]);
}

/* Dropout and noise let all pass when they are not trained. */
static const char *nothing(wm_onnx *o, const wm_node *node, const char *const *x)
{
    (void)node;
    return wm_onnx_op1(o, "Identity", x[0]);
}

/* The means, which are the first half. */
static const char *sample(wm_onnx *o, const wm_node *node, const char *const *x)
{
    (void)node;
    wm_onnx_int(o, "axis", -1);
    return wm_onnx_op(o, "Split", x, 1, 2);
}

static const char *another_shape(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return to_shape(o, &node->shape, x[0]);
}

static const char *add(wm_onnx *o, const wm_node *node, const char *const *x)
{
    const char *sum = x[0];

    for (size_t k = 1; k < node->n_from; k++)
        sum = wm_onnx_op2(o, "Add", sum, x[k]);
    return node->n_from > 1 ? sum : wm_onnx_op1(o, "Identity", sum);
}

static const char *concat(wm_onnx *o, const wm_node *node, const char *const *x)
{
    wm_onnx_int(o, "axis", -1);
    return wm_onnx_op(o, "Concat", x, node->n_from, 1);
}

static const char *layer_norm(wm_onnx *o, const wm_node *node, const char *const *x)
{
    const char *y = normalised(o, x[0], (const int64_t[]){ -1 }, 1, *(const double *)option(node, "epsilon"));

    return wm_onnx_op2(o, "Add", wm_onnx_op2(o, "Mul", y, param(o, node, 0)), param(o, node, 1));
}

static const char *group_norm(wm_onnx *o, const wm_node *node, const char *const *x)
{
    int64_t     channels = node->shape.dim[node->shape.rank - 1], groups = whole(node, "groups");
    int64_t     apart[] = { (int64_t)node->n / channels, groups, channels / groups };
    const char *y = normalised(o, wm_onnx_reshape(o, x[0], apart, 3), (const int64_t[]){ 1, 3 }, 2,
                               *(const double *)option(node, "epsilon"));

    y = to_shape(o, &node->shape, y);
    return wm_onnx_op2(o, "Add", wm_onnx_op2(o, "Mul", y, param(o, node, 0)), param(o, node, 1));
}

static const char *embedding(wm_onnx *o, const wm_node *node, const char *const *x)
{
    const char *kind;

    wm_onnx_int(o, "to", ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
    kind = wm_onnx_op1(o, "Cast", x[0]);
    return to_shape(o, &node->shape, wm_onnx_op2(o, "Gather", param(o, node, 0), kind));
}

static const char *positional_encoding(wm_onnx *o, const wm_node *node, const char *const *x)
{
    size_t T = node->shape.dim[0], C = node->shape.dim[1];
    float *waves;

    if (node->n_tensors > 0)
        return wm_onnx_op2(o, "Add", x[0], param(o, node, 0));
    if ((waves = wm_onnx_alloc(o, T * C * sizeof *waves)) == NULL)
        return "";
    for (size_t t = 0; t < T; t++)
        for (size_t c = 0; c < C; c++) {
            double at = (double)t * pow(10000, -(double)(c - c % 2) / (double)C);

            waves[t * C + c] = (float)(c % 2 == 0 ? sin(at) : cos(at));
        }
    return wm_onnx_op2(o, "Add", x[0], wm_onnx_floats(o, (const int64_t[]){ (int64_t)T, (int64_t)C }, 2, waves));
}

/* ---- kernels that slide ---- */

/* Channels from last to second, and back; time is one dimension, an image has two. */
static const char *channels_first(wm_onnx *o, const char *x, bool images)
{
    return images ? wm_onnx_transpose(o, x, (const int64_t[]){ 0, 3, 1, 2 }, 4)
                  : wm_onnx_transpose(o, x, (const int64_t[]){ 0, 2, 1 }, 3);
}

static const char *channels_last(wm_onnx *o, const char *x, bool images)
{
    return images ? wm_onnx_transpose(o, x, (const int64_t[]){ 0, 2, 3, 1 }, 4)
                  : wm_onnx_transpose(o, x, (const int64_t[]){ 0, 2, 1 }, 3);
}

static int64_t behind(size_t size, size_t before, size_t n, size_t stride, size_t kernel, size_t dilation)
{
    int64_t need = (int64_t)((n - 1) * stride + (kernel - 1) * dilation + 1) - (int64_t)(size + before);

    return need > 0 ? need : 0;
}

/* The attributes that say how a kernel slides. */
static void slide(wm_onnx *o, const wm_node *node, bool images)
{
    const wm_wholes   *dilation = option(node, "dilation");
    wm_sliding_options how = { .kernel = *(const wm_wholes *)option(node, "kernel"),
                               .stride = *(const wm_wholes *)option(node, "stride"),
                               .dilation = dilation != NULL ? *dilation : (wm_wholes){ NULL, 0 },
                               .padding = *(const int *)option(node, "padding") };
    wm_sliding         s = wm_sliding_of(&how, images, input_shape(o, node, 0));
    int64_t            bottom = behind(s.h, s.top, s.oh, s.sh, s.kh, s.dh);
    int64_t            right = behind(s.w, s.left, s.ow, s.sw, s.kw, s.dw);
    size_t             first = images ? 0 : 1, rank = images ? 2 : 1;
    int64_t            kernel[] = { (int64_t)s.kh, (int64_t)s.kw }, strides[] = { (int64_t)s.sh, (int64_t)s.sw };
    int64_t            dilations[] = { (int64_t)s.dh, (int64_t)s.dw };
    int64_t pads2[] = { (int64_t)s.top, (int64_t)s.left, bottom, right }, pads1[] = { (int64_t)s.left, right };

    wm_onnx_ints(o, "kernel_shape", kernel + first, rank);
    wm_onnx_ints(o, "strides", strides + first, rank);
    wm_onnx_ints(o, "pads", images ? pads2 : pads1, 2 * rank);
    if (dilation != NULL)
        wm_onnx_ints(o, "dilations", dilations + first, rank);
}

static const char *conv(wm_onnx *o, const wm_node *node, const char *const *x)
{
    bool        images = input_shape(o, node, 0)->rank == 3;
    const char *in[] = { channels_first(o, x[0], images), param(o, node, 0), param(o, node, 1) };

    slide(o, node, images);
    wm_onnx_int(o, "group", whole(node, "groups"));
    return channels_last(o, wm_onnx_op(o, "Conv", in, 3, 1), images);
}

static const char *pool(wm_onnx *o, const wm_node *node, const char *const *x, const char *type)
{
    bool        images = input_shape(o, node, 0)->rank == 3;
    const char *first = channels_first(o, x[0], images);

    slide(o, node, images);
    return channels_last(o, wm_onnx_op1(o, type, first), images);
}

static const char *max_pool(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return pool(o, node, x, "MaxPool");
}

static const char *avg_pool(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return pool(o, node, x, "AveragePool");
}

/* Over all dimensions but the batch and the channels. */
static const char *reduce(wm_onnx *o, const wm_node *node, const char *const *x, const char *type)
{
    int64_t axes[WM_RANK_MAX];
    size_t  n = input_shape(o, node, 0)->rank - 1;

    for (size_t i = 0; i < n; i++)
        axes[i] = (int64_t)i + 1;
    wm_onnx_ints(o, "axes", axes, n);
    wm_onnx_int(o, "keepdims", 0);
    return to_shape(o, &node->shape, wm_onnx_op1(o, type, x[0]));
}

static const char *global_max_pool(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return reduce(o, node, x, "ReduceMax");
}

static const char *global_avg_pool(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return reduce(o, node, x, "ReduceMean");
}

/* ---- recurrences ---- */

/* to[directions][gates][units x width] <- tensors first, first + 4 of the layer, their gates in ONNX's order. */
static void turn_gates(const wm_onnx *o, const wm_node *node, size_t first, size_t directions, const char *order,
                       const char *ours, float *to, size_t stride)
{
    size_t gates = strlen(order);

    for (size_t d = 0; d < directions; d++) {
        const wm_tensor *t = tensor_of(o, node, first + 4 * d);
        size_t           each = t->n / gates;

        for (size_t g = 0; g < gates; g++)
            memcpy(to + d * stride + g * each,
                   o->params + t->offset + (size_t)(strchr(ours, order[g]) - ours) * each, each * sizeof *to);
    }
}

/* ours, order: the gates as PyTorch and as ONNX has them, a letter each. */
static const char *recurrence(wm_onnx *o, const wm_node *node, const char *x, const char *type, const char *ours,
                              const char *order)
{
    int64_t D = flag(node, "bidirectional") ? 2 : 1, H = whole(node, "units"), G = (int64_t)strlen(order);
    int64_t T = input_shape(o, node, 0)->dim[0], I = input_shape(o, node, 0)->dim[1];
    size_t  n_w = (size_t)(G * H * I), n_r = (size_t)(G * H * H), n_b = (size_t)(2 * G * H);
    float  *w = wm_onnx_alloc(o, (size_t)D * n_w * sizeof *w), *r = wm_onnx_alloc(o, (size_t)D * n_r * sizeof *r);
    float  *b = wm_onnx_alloc(o, (size_t)D * n_b * sizeof *b);
    const char *in[4], *y;

    if (w == NULL || r == NULL || b == NULL)
        return "";
    turn_gates(o, node, 0, (size_t)D, order, ours, w, n_w);
    turn_gates(o, node, 1, (size_t)D, order, ours, r, n_r);
    turn_gates(o, node, 2, (size_t)D, order, ours, b, n_b);
    turn_gates(o, node, 3, (size_t)D, order, ours, b + G * H, n_b);
    in[0] = wm_onnx_transpose(o, x, (const int64_t[]){ 1, 0, 2 }, 3);
    in[1] = wm_onnx_floats(o, (const int64_t[]){ D, G * H, I }, 3, w);
    in[2] = wm_onnx_floats(o, (const int64_t[]){ D, G * H, H }, 3, r);
    in[3] = wm_onnx_floats(o, (const int64_t[]){ D, 2 * G * H }, 2, b);
    wm_onnx_int(o, "hidden_size", H);
    wm_onnx_word(o, "direction", D == 2 ? "bidirectional" : "forward");
    if (strcmp(type, "GRU") == 0)
        wm_onnx_int(o, "linear_before_reset", 1);
    y = wm_onnx_op(o, type, in, 4, 2); /* [T][D][N][H]; the last state, [D][N][H] */
    if (flag(node, "sequence"))
        return wm_onnx_reshape(o, wm_onnx_transpose(o, y, (const int64_t[]){ 2, 0, 1, 3 }, 4),
                               (const int64_t[]){ T, D * H }, 2);
    return wm_onnx_reshape(o, wm_onnx_transpose(o, wm_onnx_output(o, 1), (const int64_t[]){ 1, 0, 2 }, 3),
                           &(int64_t){ D * H }, 1);
}

static const char *lstm(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return recurrence(o, node, x[0], "LSTM", "ifgo", "iofg");
}

static const char *gru(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return recurrence(o, node, x[0], "GRU", "rzn", "zrn");
}

static const char *rnn(wm_onnx *o, const wm_node *node, const char *const *x)
{
    return recurrence(o, node, x[0], "RNN", "h", "h");
}

/* ---- attention ---- */

/* A third of q, k and v side by side, as [N][heads][T][width], or [N][heads][width][T]. */
static const char *heads_of(wm_onnx *o, const char *x, int64_t T, int64_t heads, int64_t width, bool turned)
{
    const char *apart = wm_onnx_reshape(o, x, (const int64_t[]){ T, heads, width }, 3);

    return turned ? wm_onnx_transpose(o, apart, (const int64_t[]){ 0, 2, 3, 1 }, 4)
                  : wm_onnx_transpose(o, apart, (const int64_t[]){ 0, 2, 1, 3 }, 4);
}

static const char *attention(wm_onnx *o, const wm_node *node, const char *const *x)
{
    int64_t     T = node->shape.dim[0], E = node->shape.dim[1], heads = whole(node, "heads"), width = E / heads;
    const char *qkv = affine(o, node, x[0], 0, 1), *q, *k, *v, *scores, *mixed, *turned;

    wm_onnx_int(o, "axis", -1);
    q = wm_onnx_op(o, "Split", &qkv, 1, 3);
    k = wm_onnx_output(o, 1);
    v = wm_onnx_output(o, 2);
    scores =
        wm_onnx_op2(o, "MatMul", heads_of(o, q, T, heads, width, false), heads_of(o, k, T, heads, width, true));
    scores = wm_onnx_op2(o, "Mul", scores, wm_onnx_number(o, 1 / sqrt((double)width)));
    if (flag(node, "causal")) {
        float *mask = wm_onnx_alloc(o, (size_t)(T * T) * sizeof *mask);

        for (int64_t t = 0; mask != NULL && t < T; t++)
            for (int64_t s = t + 1; s < T; s++)
                mask[t * T + s] = -1e30f; /* its share is 0 */
        if (mask != NULL)
            scores = wm_onnx_op2(o, "Add", scores, wm_onnx_floats(o, (const int64_t[]){ T, T }, 2, mask));
    }
    wm_onnx_int(o, "axis", -1);
    scores = wm_onnx_op1(o, "Softmax", scores);
    mixed = wm_onnx_op2(o, "MatMul", scores, heads_of(o, v, T, heads, width, false));
    turned = wm_onnx_transpose(o, mixed, (const int64_t[]){ 0, 2, 1, 3 }, 4);
    return affine(o, node, wm_onnx_reshape(o, turned, (const int64_t[]){ T, E }, 2), 2, 3);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    saying      say;
} sayings[] = {
    { "add", add },
    { "attention", attention },
    { "avg_pool1d", avg_pool },
    { "avg_pool2d", avg_pool },
    { "concat", concat },
    { "conv1d", conv },
    { "conv2d", conv },
    { "dense", dense },
    { "dropout", nothing },
    { "embedding", embedding },
    { "flatten", another_shape },
    { "gelu", gelu },
    { "global_avg_pool", global_avg_pool },
    { "global_max_pool", global_max_pool },
    { "group_norm", group_norm },
    { "gru", gru },
    { "layer_norm", layer_norm },
    { "leaky_relu", leaky_relu },
    { "lstm", lstm },
    { "max_pool1d", max_pool },
    { "max_pool2d", max_pool },
    { "noise", nothing },
    { "positional_encoding", positional_encoding },
    { "relu", relu },
    { "reshape", another_shape },
    { "rnn", rnn },
    { "sample", sample },
    { "sigmoid", sigmoid },
    { "silu", silu },
    { "softmax", softmax },
    { "tanh", hyperbolic_tangent },
};

const char *wm_onnx_layer(wm_onnx *o, const wm_node *node, const char *const *inputs)
{
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++)
        if (strcmp(sayings[i].name, node->ops->member.name) == 0)
            return sayings[i].say(o, node, inputs);
    return NULL;
}
