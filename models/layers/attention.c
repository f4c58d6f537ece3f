/* models/layers/attention.c
 *
 * Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762), torch.nn.MultiheadAttention of a sequence with
 * itself: for each head, rows of softmax(Q K^T / sqrt(width)) mix the rows of V; out_proj mixes the heads.
 * in_proj_weight [3 channels][channels] holds Q, K, V. `causal`: a step sees itself and those before it only.
 *
 * Saved for each example: q, k, v side by side [T][3 channels], the softmax [heads][T][T], the mixed v [T][channels].
 * A few examples at a time go all the way, so that what lies between the products stays in the second-level cache. */
#include "models/gemm.h"
#include "models/layer.h"
#include "models/layers/softmax_rows.h"
#include "models/vector.h"

#include <math.h>
#include <string.h>

typedef struct attention_options {
    int64_t heads;
    bool    causal;
} attention_options;

enum { ROWS_AT_ONCE = 384 }; /* steps of the examples that go together; one example's may be more */

/* Some of a batch's examples; everything begins at the first of them. */
typedef struct attention {
    size_t       B, T, channels, heads, width; /* width: channels of a head */
    bool         causal;
    float        scale;
    const float *x, *dy;
    float       *y, *dx;                           /* dx: NULL where nobody wants it */
    float       *qkv, *weights, *mixed;            /* saved */
    float       *qkv_grads, *mixed_grads, *slopes; /* scratch; slopes: [T][T] of one head */
} attention;

enum { IN_WEIGHT, IN_BIAS, OUT_WEIGHT, OUT_BIAS };

static size_t most_at_once(size_t T)
{
    return T < ROWS_AT_ONCE ? ROWS_AT_ONCE / T : 1;
}

static void attention_fit(const void *options, wm_fit *fit)
{
    const attention_options *self = options;
    const wm_shape          *x = &fit->inputs[0];
    uint32_t                 E;
    size_t                   T;

    if (x->rank != 2 || x->dim[1] % self->heads != 0) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "takes time x channels, the channels divisible by %lld heads, and gets %s",
                      (long long)self->heads, wm_shape_text(x, text));
        return;
    }
    T = x->dim[0];
    E = x->dim[1];
    fit->output = *x;
    fit->saved.each = T * 4 * E + (size_t)self->heads * T * T;
    fit->works_in_saved = true;
    fit->scratch.once = most_at_once(T) * T * 4 * E + T * T;
    fit->work = (uint64_t)T * E * (4ull * E + 2 * T);
    wm_fit_tensor(fit, "in_proj_weight", &(wm_shape){ .rank = 2, .dim = { 3 * E, E } },
                  (wm_initial){ WM_INITIAL_UNIFORM, sqrt(6 / (4.0 * E)) });
    wm_fit_tensor(fit, "in_proj_bias", &(wm_shape){ .rank = 1, .dim = { 3 * E } },
                  (wm_initial){ WM_INITIAL_CONSTANT, 0 });
    wm_fit_tensor(fit, "out_proj.weight", &(wm_shape){ .rank = 2, .dim = { E, E } },
                  (wm_initial){ WM_INITIAL_UNIFORM, 1 / sqrt((double)E) });
    wm_fit_tensor(fit, "out_proj.bias", &(wm_shape){ .rank = 1, .dim = { E } },
                  (wm_initial){ WM_INITIAL_CONSTANT, 0 });
}

static attention attention_from(const attention_options *self, const wm_layer_run *run, size_t first)
{
    size_t    T = run->output_shape.dim[0], E = run->output_shape.dim[1], before = first * T, all = run->B * T;
    attention a = {
        .B = run->B - first, .T = T, .channels = E, .heads = (size_t)self->heads, .causal = self->causal
    };

    if (a.B > most_at_once(T))
        a.B = most_at_once(T);
    a.width = E / a.heads;
    a.scale = (float)(1 / sqrt((double)a.width));
    a.x = run->inputs[0] + before * E;
    a.y = run->output + before * E;
    a.qkv = run->saved + before * 3 * E;
    a.weights = run->saved + all * 3 * E + before * a.heads * T;
    a.mixed = run->saved + all * (3 * E + a.heads * T) + before * E;
    if (run->output_grad != NULL) {
        a.dy = run->output_grad + before * E;
        a.dx = run->input_grads[0] != NULL ? run->input_grads[0] + before * E : NULL;
        a.qkv_grads = run->scratch;
        a.mixed_grads = a.qkv_grads + a.B * T * 3 * E;
        a.slopes = a.mixed_grads + a.B * T * E;
    }
    return a;
}

static void forward_head(const attention *a, size_t b, size_t head)
{
    const float *q = a->qkv + b * a->T * 3 * a->channels + head * a->width, *k = q + a->channels,
                *v = k + a->channels;
    float *p = a->weights + (b * a->heads + head) * a->T * a->T;
    float *mixed = a->mixed + b * a->T * a->channels + head * a->width;
    size_t ld = 3 * a->channels;

    memset(p, 0, a->T * a->T * sizeof *p);
    wm_gemm(WM_GEMM_NT, a->T, a->T, a->width, q, ld, k, ld, p, a->T);
    wm_softmax_rows(p, p, a->T, a->T, a->causal, a->scale);
    wm_gemm(WM_GEMM_NN, a->T, a->width, a->T, p, a->T, v, ld, mixed, a->channels);
}

static void forward_some(const attention *a, const float *const *params)
{
    size_t rows = a->B * a->T, E = a->channels;

    wm_vector_fill_rows(a->qkv, params[IN_BIAS], rows, 3 * E);
    wm_gemm(WM_GEMM_NT, rows, 3 * E, E, a->x, E, params[IN_WEIGHT], E, a->qkv, 3 * E);
    memset(a->mixed, 0, rows * E * sizeof *a->mixed);
    for (size_t b = 0; b < a->B; b++)
        for (size_t head = 0; head < a->heads; head++)
            forward_head(a, b, head);
    wm_vector_fill_rows(a->y, params[OUT_BIAS], rows, E);
    wm_gemm(WM_GEMM_NT, rows, E, E, a->mixed, E, params[OUT_WEIGHT], E, a->y, E);
}

static void attention_forward(const void *options, const wm_layer_run *run)
{
    attention a;

    for (size_t first = 0; first < run->B; first += a.B) {
        a = attention_from(options, run, first);
        forward_some(&a, run->params);
    }
}

static void backward_head(const attention *a, size_t b, size_t head)
{
    size_t       from = b * a->T * 3 * a->channels + head * a->width, ld = 3 * a->channels;
    const float *q = a->qkv + from, *k = q + a->channels, *v = k + a->channels;
    float       *dq = a->qkv_grads + from, *dk = dq + a->channels, *dv = dk + a->channels;
    const float *p = a->weights + (b * a->heads + head) * a->T * a->T;
    const float *dmixed = a->mixed_grads + b * a->T * a->channels + head * a->width;

    memset(a->slopes, 0, a->T * a->T * sizeof *a->slopes);
    wm_gemm(WM_GEMM_NT, a->T, a->T, a->width, dmixed, a->channels, v, ld, a->slopes, a->T);
    wm_gemm(WM_GEMM_TN, a->T, a->width, a->T, p, a->T, dmixed, a->channels, dv, ld);
    wm_softmax_rows_grad(p, a->slopes, a->slopes, a->T, a->T, a->scale);
    wm_gemm(WM_GEMM_NN, a->T, a->width, a->T, a->slopes, a->T, k, ld, dq, ld);
    wm_gemm(WM_GEMM_TN, a->T, a->width, a->T, a->slopes, a->T, q, ld, dk, ld);
}

static void backward_some(const attention *a, const float *const *params, float *const *grads)
{
    size_t rows = a->B * a->T, E = a->channels;

    memset(a->mixed_grads, 0, rows * E * sizeof *a->mixed_grads);
    memset(a->qkv_grads, 0, rows * 3 * E * sizeof *a->qkv_grads);
    wm_gemm(WM_GEMM_NN, rows, E, E, a->dy, E, params[OUT_WEIGHT], E, a->mixed_grads, E);
    for (size_t b = 0; b < a->B; b++)
        for (size_t head = 0; head < a->heads; head++)
            backward_head(a, b, head);
    if (grads[OUT_WEIGHT] != NULL)
        wm_gemm(WM_GEMM_TN, E, E, rows, a->dy, E, a->mixed, E, grads[OUT_WEIGHT], E);
    if (grads[OUT_BIAS] != NULL)
        wm_vector_sum_rows(grads[OUT_BIAS], a->dy, rows, E);
    if (grads[IN_WEIGHT] != NULL)
        wm_gemm(WM_GEMM_TN, 3 * E, E, rows, a->qkv_grads, 3 * E, a->x, E, grads[IN_WEIGHT], E);
    if (grads[IN_BIAS] != NULL)
        wm_vector_sum_rows(grads[IN_BIAS], a->qkv_grads, rows, 3 * E);
    if (a->dx != NULL) {
        memset(a->dx, 0, rows * E * sizeof *a->dx);
        wm_gemm(WM_GEMM_NN, rows, E, 3 * E, a->qkv_grads, 3 * E, params[IN_WEIGHT], E, a->dx, E);
    }
}

static void attention_backward(const void *options, const wm_layer_run *run)
{
    attention a;

    for (size_t first = 0; first < run->B; first += a.B) {
        a = attention_from(options, run, first);
        backward_some(&a, run->params, run->param_grads);
    }
}

static const wm_option options[] = {
    { .name = "heads",
      .kind = WM_WHOLE,
      .offset = offsetof(attention_options, heads),
      .least = 1,
      .most = 1024,
      .main = true,
      .doc = "Into how many heads the channels are divided." },
    { .name = "causal",
      .kind = WM_BOOL,
      .offset = offsetof(attention_options, causal),
      .standard = "false",
      .doc = "A step sees itself and those before it only." },
};

const wm_layer_ops wm_layer_attention = {
    .member = { .name = "attention",
                .doc = "Multi-head self-attention: every step is told what it needs of the others.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(attention_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .fit = attention_fit,
    .forward = attention_forward,
    .backward = attention_backward,
    .reads_inputs = true,
};
