/* models/layers/conv.c
 *
 * Convolutions over time and over images, torch.nn.Conv1d and Conv2d with channels last: weight [out][in / groups]
 * [kernel] and bias [out], both starting as U(-a, a) with a = 1 / sqrt(in / groups x kernel places).
 *
 * Each example is a product or two, by windows or by rows (conv.h). The weights are laid out anew for it, [group][kernel]
 * [in / groups][out / groups], once for a batch. */
#include "models/layers/conv.h"
#include "models/layers/elementwise.h"
#include "models/vector.h"

#include <string.h>

typedef struct conv_options {
    int64_t   channels;
    wm_wholes kernel, stride, dilation;
    int       padding;
    int64_t   groups;
} conv_options;

static wm_sliding_options sliding(const conv_options *self)
{
    return (wm_sliding_options){
        .kernel = self->kernel, .stride = self->stride, .dilation = self->dilation, .padding = self->padding
    };
}

static wm_conv conv_of(const conv_options *self, const wm_sliding *s)
{
    wm_conv c = { .s = *s, .groups = (size_t)self->groups };

    c.in = s->c / c.groups;
    c.out = (size_t)self->channels / c.groups;
    c.places = s->kh * s->kw;
    c.wide = c.places * c.in;
    c.positions = s->oh * s->ow;
    return c;
}

/* Room for the weights, their gradients, and whichever way an example takes. */
static size_t scratch_of(const wm_conv *c)
{
    size_t rows = wm_conv_inputs_by_windows(c) ? 0 : wm_conv_rows_scratch(c);
    size_t windows = wm_conv_by_windows(c) ? wm_conv_windows_scratch(c) : 0;

    return 2 * (c->wide * c->out * c->groups) + (rows > windows ? rows : windows);
}

static void conv_fit(const conv_options *self, bool images, wm_fit *fit)
{
    const wm_sliding_options options = sliding(self);
    wm_sliding               s;
    char                     text[WM_ERROR_TEXT];
    const char              *wrong = wm_sliding_init(&options, images, &fit->inputs[0], &s, text);
    wm_shape                 weight, bias = { .rank = 1, .dim = { (uint32_t)self->channels } };
    double                   a;
    wm_conv                  c;

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
    fit->scratch.once = scratch_of(&c);
    wm_fit_tensor(fit, "weight", &weight, (wm_initial){ WM_INITIAL_UNIFORM, a });
    wm_fit_tensor(fit, "bias", &bias, (wm_initial){ WM_INITIAL_UNIFORM, a });
}

/* ---- the weights' layouts: read or written in the order of memory, whichever needs fewer lines of the cache ---- */

/* to[group][place][in][out] <- from[group][out][in][place] */
static void weights_for_products(const wm_conv *c, const float *from, float *to)
{
    for (size_t g = 0; g < c->groups; g++, from += c->out * c->wide, to += c->out * c->wide)
        for (size_t i = 0; i < c->in; i++)
            for (size_t p = 0; p < c->places; p++)
                for (size_t o = 0; o < c->out; o++)
                    to[(p * c->in + i) * c->out + o] = from[(o * c->in + i) * c->places + p];
}

/* to[group][out][in][place] += from[group][place][in][out] */
static void weights_back(const wm_conv *c, const float *from, float *to)
{
    for (size_t g = 0; g < c->groups; g++, from += c->out * c->wide, to += c->out * c->wide)
        for (size_t i = 0; i < c->in; i++)
            for (size_t p = 0; p < c->places; p++)
                for (size_t o = 0; o < c->out; o++)
                    to[(o * c->in + i) * c->places + p] += from[(p * c->in + i) * c->out + o];
}

/* to[place, the last one first][out][in] <- from[out][in][place] */
static void weights_turned(const wm_conv *c, const float *from, float *to)
{
    for (size_t o = 0; o < c->out; o++)
        for (size_t p = 0; p < c->places; p++)
            for (size_t i = 0; i < c->in; i++)
                to[((c->places - 1 - p) * c->out + o) * c->in + i] = from[(o * c->in + i) * c->places + p];
}

/* ---- running ---- */

/* A layer at work on a batch: its geometry, values of an example in and out, and the parts of its scratch memory. */
typedef struct work {
    wm_conv c;
    size_t  x, y;
    float  *weights, *weight_grads, *scratch;
} work;

static work work_of(const conv_options *self, bool images, const wm_layer_run *run)
{
    const wm_sliding_options options = sliding(self);
    wm_sliding               s = wm_sliding_of(&options, images, &run->input_shapes[0]);
    wm_conv                  c = conv_of(self, &s);
    size_t                   all = c.out * c.groups, n = c.wide * all;

    return (work){ .c = c,
                   .x = s.h * s.w * s.c,
                   .y = c.positions * all,
                   .weights = run->scratch,
                   .weight_grads = run->scratch + n,
                   .scratch = run->scratch + 2 * n };
}

static void forward(const conv_options *self, bool images, const wm_layer_run *run)
{
    work at = work_of(self, images, run);
    bool windows = wm_conv_by_windows(&at.c);

    wm_vector_fill_rows(run->output, run->params[1], run->B * at.c.positions, at.c.out * at.c.groups);
    weights_for_products(&at.c, run->params[0], at.weights);
    if (windows)
        wm_conv_windows_begin(&at.c, at.scratch);
    for (size_t b = 0; b < run->B; b++)
        (windows ? wm_conv_windows_forward : wm_conv_rows_forward)(
            &at.c, at.scratch, at.weights, run->inputs[0] + b * at.x, run->output + b * at.y);
}

static void backward_weights(const work *at, const wm_layer_run *run)
{
    bool windows = wm_conv_by_windows(&at->c);

    memset(at->weight_grads, 0, at->c.wide * at->c.out * at->c.groups * sizeof *at->weight_grads);
    if (windows)
        wm_conv_windows_begin(&at->c, at->scratch);
    for (size_t b = 0; b < run->B; b++)
        (windows ? wm_conv_windows_weights : wm_conv_rows_weights)(&at->c, at->scratch, run->inputs[0] + b * at->x,
                                                                   run->output_grad + b * at->y, at->weight_grads);
    weights_back(&at->c, at->weight_grads, run->param_grads[0]);
}

static void backward_inputs(const work *at, const wm_layer_run *run)
{
    bool windows = wm_conv_inputs_by_windows(&at->c);

    memset(run->input_grads[0], 0, run->B * at->x * sizeof *run->input_grads[0]);
    (windows ? weights_turned : weights_for_products)(&at->c, run->params[0], at->weights);
    if (windows)
        wm_conv_windows_begin(&at->c, at->scratch);
    for (size_t b = 0; b < run->B; b++)
        (windows ? wm_conv_windows_inputs : wm_conv_rows_inputs)(
            &at->c, at->scratch, at->weights, run->output_grad + b * at->y, run->input_grads[0] + b * at->x);
}

static void backward(const conv_options *self, bool images, const wm_layer_run *run)
{
    work at = work_of(self, images, run);

    if (run->param_grads[1] != NULL)
        wm_vector_sum_rows(run->param_grads[1], run->output_grad, run->B * at.c.positions, at.c.out * at.c.groups);
    if (run->param_grads[0] != NULL)
        backward_weights(&at, run);
    if (run->input_grads[0] != NULL)
        backward_inputs(&at, run);
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
