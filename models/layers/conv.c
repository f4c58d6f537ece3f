/* models/layers/conv.c
 *
 * Convolutions over time and over images, torch.nn.Conv1d and Conv2d with channels last: weight [out][in / groups]
 * [kernel] and bias [out], both starting as U(-a, a) with a = 1 / sqrt(in / groups x kernel places).
 *
 * The places under the kernel become the rows of a matrix (sliding.h), a portion of them at a time, so that the
 * portion stays in the processor's cache; then each step is a product. The weights are laid out anew for it, [group]
 * [kernel][in / groups][out / groups], once for a batch. */
#include "models/gemm.h"
#include "models/layers/elementwise.h"
#include "models/layers/sliding.h"
#include "models/vector.h"

#include <string.h>

typedef struct conv_options {
    int64_t   channels;
    wm_wholes kernel, stride, dilation;
    int       padding;
    int64_t   groups;
} conv_options;

enum { PORTION = 32768 }; /* floats of a portion's rows: 128 KiB, half of a small second-level cache */

typedef struct conv {
    wm_sliding s;
    size_t     groups, in, out; /* channels of one group */
    size_t     places, wide;    /* of the kernel; a row: places x in */
    size_t     portion;         /* positions whose rows are made at a time */
    size_t     positions;       /* of an example */
} conv;

static wm_sliding_options sliding(const conv_options *self)
{
    return (wm_sliding_options){
        .kernel = self->kernel, .stride = self->stride, .dilation = self->dilation, .padding = self->padding
    };
}

static conv conv_of(const conv_options *self, const wm_sliding *s)
{
    conv c = { .s = *s, .groups = (size_t)self->groups };

    c.in = s->c / c.groups;
    c.out = (size_t)self->channels / c.groups;
    c.places = s->kh * s->kw;
    c.wide = c.places * c.in;
    c.positions = s->oh * s->ow;
    c.portion = c.wide < PORTION ? PORTION / c.wide : 1;
    c.portion = c.portion < c.positions ? c.portion : c.positions;
    return c;
}

static void conv_fit(const conv_options *self, bool images, wm_fit *fit)
{
    const wm_sliding_options options = sliding(self);
    wm_sliding               s;
    char                     text[WM_ERROR_TEXT];
    const char              *wrong = wm_sliding_init(&options, images, &fit->inputs[0], &s, text);
    wm_shape                 weight, bias = { .rank = 1, .dim = { (uint32_t)self->channels } };
    double                   a;
    conv                     c;

    if (wrong != NULL) {
        wm_fit_refuse(fit, "%s", wrong);
        return;
    }
    if ((int64_t)s.c % self->groups != 0 || self->channels % self->groups != 0) {
        wm_fit_refuse(fit, "%zu channels in and %lld out do not both divide into %lld groups", s.c,
                      (long long)self->channels, (long long)self->groups);
        return;
    }
    c = conv_of(self, &s);
    a = 1 / sqrt((double)c.wide);
    weight = images
                 ? (wm_shape){ .rank = 4, .dim = { bias.dim[0], (uint32_t)c.in, (uint32_t)s.kh, (uint32_t)s.kw } }
                 : (wm_shape){ .rank = 3, .dim = { bias.dim[0], (uint32_t)c.in, (uint32_t)s.kw } };
    fit->output = images ? (wm_shape){ .rank = 3, .dim = { (uint32_t)s.oh, (uint32_t)s.ow, bias.dim[0] } }
                         : (wm_shape){ .rank = 2, .dim = { (uint32_t)s.ow, bias.dim[0] } };
    fit->work = (uint64_t)c.positions * c.wide * (uint64_t)self->channels;
    fit->scratch.once = 2 * (c.wide * (size_t)self->channels) + 2 * c.portion * c.wide;
    wm_fit_tensor(fit, "weight", &weight, (wm_initial){ WM_INITIAL_UNIFORM, a });
    wm_fit_tensor(fit, "bias", &bias, (wm_initial){ WM_INITIAL_UNIFORM, a });
}

/* ---- the weights' two layouts ---- */

/* to[group][place][in][out] <- from[group][out][in][place] */
static void weights_for_products(const conv *c, const float *from, float *to)
{
    for (size_t g = 0; g < c->groups; g++, from += c->out * c->wide, to += c->out * c->wide)
        for (size_t o = 0; o < c->out; o++)
            for (size_t i = 0; i < c->in; i++)
                for (size_t p = 0; p < c->places; p++)
                    to[(p * c->in + i) * c->out + o] = from[(o * c->in + i) * c->places + p];
}

/* to[group][out][in][place] += from[group][place][in][out] */
static void weights_back(const conv *c, const float *from, float *to)
{
    for (size_t g = 0; g < c->groups; g++, from += c->out * c->wide, to += c->out * c->wide)
        for (size_t o = 0; o < c->out; o++)
            for (size_t i = 0; i < c->in; i++)
                for (size_t p = 0; p < c->places; p++)
                    to[(o * c->in + i) * c->places + p] += from[(p * c->in + i) * c->out + o];
}

/* ---- running ---- */

/* The parts of the scratch memory. */
typedef struct workspace {
    float *weights, *weight_grads, *rows, *row_grads;
} workspace;

static workspace workspace_of(const conv *c, float *scratch)
{
    size_t n = c->wide * c->out * c->groups;

    return (workspace){ .weights = scratch,
                        .weight_grads = scratch + n,
                        .rows = scratch + 2 * n,
                        .row_grads = scratch + 2 * n + c->portion * c->wide };
}

static size_t portion_at(const conv *c, size_t first)
{
    return c->positions - first < c->portion ? c->positions - first : c->portion;
}

static void forward_example(const conv *c, const workspace *at, const float *x, float *y)
{
    size_t all = c->out * c->groups;

    for (size_t first = 0; first < c->positions; first += c->portion)
        for (size_t g = 0; g < c->groups; g++) {
            size_t n = portion_at(c, first);

            wm_sliding_rows(&c->s, x, g * c->in, c->in, first, n, at->rows);
            wm_gemm(WM_GEMM_NN, n, c->out, c->wide, at->rows, c->wide, at->weights + g * c->wide * c->out, c->out,
                    y + first * all + g * c->out, all);
        }
}

static void backward_example(const conv *c, const workspace *at, const float *x, const float *dy, float *dx,
                             bool weights)
{
    size_t all = c->out * c->groups;

    for (size_t first = 0; first < c->positions; first += c->portion)
        for (size_t g = 0; g < c->groups; g++) {
            size_t       n = portion_at(c, first), w = g * c->wide * c->out;
            const float *slopes = dy + first * all + g * c->out;

            if (weights) {
                wm_sliding_rows(&c->s, x, g * c->in, c->in, first, n, at->rows);
                wm_gemm(WM_GEMM_TN, c->wide, c->out, n, at->rows, c->wide, slopes, all, at->weight_grads + w,
                        c->out);
            }
            if (dx != NULL) {
                memset(at->row_grads, 0, n * c->wide * sizeof *at->row_grads);
                wm_gemm(WM_GEMM_NT, n, c->wide, c->out, slopes, all, at->weights + w, c->out, at->row_grads,
                        c->wide);
                wm_sliding_rows_add(&c->s, at->row_grads, g * c->in, c->in, first, n, dx);
            }
        }
}

static void forward(const conv_options *self, bool images, const wm_layer_run *run)
{
    const wm_sliding_options options = sliding(self);
    wm_sliding               s = wm_sliding_of(&options, images, &run->input_shapes[0]);
    conv                     c = conv_of(self, &s);
    workspace                at = workspace_of(&c, run->scratch);
    size_t                   all = c.out * c.groups, x = s.h * s.w * s.c, y = c.positions * all;

    wm_vector_fill_rows(run->output, run->params[1], run->B * c.positions, all);
    weights_for_products(&c, run->params[0], at.weights);
    for (size_t b = 0; b < run->B; b++)
        forward_example(&c, &at, run->inputs[0] + b * x, run->output + b * y);
}

static void backward(const conv_options *self, bool images, const wm_layer_run *run)
{
    const wm_sliding_options options = sliding(self);
    wm_sliding               s = wm_sliding_of(&options, images, &run->input_shapes[0]);
    conv                     c = conv_of(self, &s);
    workspace                at = workspace_of(&c, run->scratch);
    size_t                   all = c.out * c.groups, x = s.h * s.w * s.c, y = c.positions * all;
    float                   *dx = run->input_grads[0], *dw = run->param_grads[0];

    if (run->param_grads[1] != NULL)
        wm_vector_sum_rows(run->param_grads[1], run->output_grad, run->B * c.positions, all);
    if (dx != NULL) {
        memset(dx, 0, run->B * x * sizeof *dx);
        weights_for_products(&c, run->params[0], at.weights);
    }
    if (dw != NULL)
        memset(at.weight_grads, 0, c.wide * all * sizeof *at.weight_grads);
    for (size_t b = 0; b < run->B; b++)
        backward_example(&c, &at, run->inputs[0] + b * x, run->output_grad + b * y, dx != NULL ? dx + b * x : NULL,
                         dw != NULL);
    if (dw != NULL)
        weights_back(&c, at.weight_grads, dw);
}

/* ---- the two members ---- */

static void conv1d_fit(const void *options, wm_fit *fit)
{
    conv_fit(options, false, fit);
}

static void conv2d_fit(const void *options, wm_fit *fit)
{
    conv_fit(options, true, fit);
}

static void conv1d_forward(const void *options, const wm_layer_run *run)
{
    forward(options, false, run);
}

static void conv2d_forward(const void *options, const wm_layer_run *run)
{
    forward(options, true, run);
}

static void conv1d_backward(const void *options, const wm_layer_run *run)
{
    backward(options, false, run);
}

static void conv2d_backward(const void *options, const wm_layer_run *run)
{
    backward(options, true, run);
}

static const wm_option options[] = {
    { .name = "channels",
      .kind = WM_WHOLE,
      .offset = offsetof(conv_options, channels),
      .least = 1,
      .most = 1 << 20,
      .doc = "Channels of the output." },
    WM_SLIDING_KERNEL(conv_options, "Size of the kernel; for an image one number, or [height, width]."),
    { .name = "stride",
      .kind = WM_WHOLES,
      .offset = offsetof(conv_options, stride),
      .least = 1,
      .most = 65536,
      .standard = "1",
      .doc = "Distance of the output's positions in the input." },
    { .name = "dilation",
      .kind = WM_WHOLES,
      .offset = offsetof(conv_options, dilation),
      .least = 1,
      .most = 65536,
      .standard = "1",
      .doc = "Distance of the places that the kernel looks at." },
    WM_SLIDING_PADDING(conv_options),
    { .name = "groups",
      .kind = WM_WHOLE,
      .offset = offsetof(conv_options, groups),
      .least = 1,
      .most = 1 << 20,
      .standard = "1",
      .doc = "Groups of channels that do not mix; as many as there are channels is a depthwise convolution." },
};

#define CONV(dimensions, words)                                                                                 \
    {                                                                                                           \
        .member = { .name = "conv" #dimensions "d",                                                             \
                    .doc = words,                                                                               \
                    .options = options,                                                                         \
                    .n_options = sizeof options / sizeof *options,                                              \
                    .options_size = sizeof(conv_options) },                                                     \
        .inputs_least = 1, .inputs_most = 1, .fit = conv##dimensions##d_fit,                                    \
        .forward = conv##dimensions##d_forward, .backward = conv##dimensions##d_backward, .reads_inputs = true, \
    }

const wm_layer_ops wm_layer_conv1d = CONV(1, "A convolution over time: time x channels in, time x channels out.");
const wm_layer_ops wm_layer_conv2d = CONV(2, "A convolution over an image: height x width x channels in and out.");
