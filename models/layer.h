/* models/layer.h
 *
 * The family of layers, which all that a network can do is made of. A layer is a pure function of its options: it
 * keeps no state of its own, so that one description serves every thread. It is asked three things:
 *
 *     fit       once, when a model is made: the shapes of its inputs are told; it tells its output's shape, its
 *               tensors and buffers, and how many floats it wants to keep or to scribble on
 *     forward   inputs, params -> output
 *     backward  gradient of output -> gradients of inputs and params
 *
 * Shapes are of one example; everything in a run has B of them, one after the other, time before channels. What does
 * not fit this (a residual block, a transformer's block) is a composite: it expands into layers when the model is
 * made, and the plan that runs the network knows nothing of it. Several inputs come with `from`, several outputs are
 * several layers with one `from`.
 *
 * Adding one: a file in models/layers/, one line in layers.c. tests/models/test_layers.c then holds it to numeric
 * gradients. */
#ifndef WM_MODELS_LAYER_H
#define WM_MODELS_LAYER_H

#include "common/config/family.h"
#include "common/rng.h"
#include "common/shape.h"

enum { WM_LAYER_INPUTS_MAX = 8, WM_LAYER_TENSORS_MAX = 16 };

/* ---- fit ---- */

/* How the values of a tensor begin. */
typedef enum wm_initial_kind {
    WM_INITIAL_CONSTANT,   /* all of them a */
    WM_INITIAL_UNIFORM,    /* in [-a, a) */
    WM_INITIAL_NORMAL,     /* mean 0, deviation a */
    WM_INITIAL_ORTHOGONAL, /* rows, or columns if they are fewer, perpendicular and of length a */
} wm_initial_kind;

typedef struct wm_initial {
    wm_initial_kind kind;
    double          a;
} wm_initial;

/* An amount of floats that grows with the batch: each * B + once. */
typedef struct wm_amount {
    size_t each, once;
} wm_amount;

typedef struct wm_builder wm_builder; /* the model in the making; models/builder.h */

typedef struct wm_fit {
    /* Told. n_inputs is within the bounds of the ops. */
    size_t          n_inputs;
    const wm_shape *inputs;
    bool            personal; /* each client keeps its own of this layer */
    wm_builder     *builder;

    /* To be told by the layer; all zero before. */
    wm_shape  output;
    wm_amount saved;          /* kept from forward to backward (gates of a recurrence, the mask of a dropout) */
    wm_amount scratch;        /* for the length of one call, shared by all layers */
    bool      works_in_saved; /* an evaluation too must have `saved`, for the length of the call */
    uint64_t  work;           /* multiply-adds of one example's forward pass, for the table that people read */
} wm_fit;

/* One more tensor of parameters, in the order in which the run hands them over. It begins as `initial`, unless it has
 * two dimensions or more and the job names an initialiser for the layer. `name` as in PyTorch ("weight") and
 * static. At most WM_LAYER_TENSORS_MAX; the product of the dimensions may be anything: the model checks it. */
void wm_fit_tensor(wm_fit *fit, const char *name, const wm_shape *shape, wm_initial initial);

/* The same for a buffer: values that a layer carries from batch to batch and that nobody averages (the running
 * statistics of a batch norm). They begin as `value`; a client keeps them with what is personal, so a layer that has
 * some refuses to be anything else. */
void wm_fit_buffer(wm_fit *fit, const char *name, const wm_shape *shape, double value);

/* The inputs, or the options with them, do not work: one sentence that says what would, with the shapes on both
 * sides. Becomes a fault at the layer's place in the file, behind the layer's kind and a colon. What else `fit` tells does
 * not matter then. */
__attribute__((format(printf, 2, 3))) void wm_fit_refuse(wm_fit *fit, const char *fmt, ...);

/* "24 x 6". */
enum { WM_SHAPE_TEXT = 64 };
const char *wm_shape_text(const wm_shape *shape, char text[WM_SHAPE_TEXT]);

/* Puts a layer into the composite that is expanding, on the nodes from[n_from], and gives back its node. Its name
 * becomes the composite's, a dot and `name`; `layer` is copied, its options must live as long as the model. After a
 * fault the node is none that exists; it may be handed on like any other. */
size_t wm_expand(wm_builder *builder, const char *name, const wm_choice *layer, const size_t *from, size_t n_from);

/* ---- run ---- */

typedef struct wm_layer_run {
    size_t B;
    bool   training; /* false: an evaluation; dropout lets all pass, nothing is saved, buffers are only read */

    size_t              n_inputs;
    const wm_shape     *input_shapes;
    const float *const *inputs; /* [n_inputs], each [B][shape] */
    wm_shape            output_shape;
    float              *output;  /* [B][shape]; is inputs[0] where the plan uses `in_place` */
    const float *const *params;  /* a tensor each, in the order of fit */
    float *const       *buffers; /* a buffer each */
    float              *saved;   /* what fit asked for; may be NULL in an evaluation, unless works_in_saved */
    float              *scratch; /* what fit asked for, NULL if nothing; undefined */
    wm_rng             *rng;     /* when training; follows from the plan's seed and the calls before */

    /* Training: a layer that brings a term of its own into the loss (a variational one its divergence) adds its sum
     * over the examples here in forward, and in backward its gradient, 1 / B of it, to those of its inputs. */
    double *penalty;

    /* Backward only. */
    const float  *output_grad; /* [B][shape]; is input_grads[0] where the plan uses `in_place` */
    float *const *input_grads; /* [n_inputs]: to be overwritten; NULL where nobody wants it */
    float *const
         *param_grads; /* a tensor each: `factor` times the gradient is to be added; NULL where it is frozen */
    float factor;      /* 1, but for a layer that `steps` */
} wm_layer_run;

typedef struct wm_layer_ops {
    wm_member member; /* first: see family.h */
    size_t    inputs_least, inputs_most;

    void (*fit)(const void *options, wm_fit *fit);
    void (*forward)(const void *options, const wm_layer_run *run);
    void (*backward)(const void *options, const wm_layer_run *run);

    /* A composite has this instead of the three: lays its layers with wm_expand and gives back the last one's node. */
    size_t (*expand)(const void *options, wm_builder *builder, const size_t *from, size_t n_from);

    /* What the plan may do with the memory of activations; in doubt all false but the two reads. */
    bool reads_inputs; /* backward reads inputs */
    bool reads_output; /* backward reads output */
    bool in_place;     /* works with output == inputs[0] and output_grad == input_grads[0], of equal size */
    bool keeps_values; /* in place it changes nothing: only the shape is another */

    /* Backward adds `factor` times the gradient, each tensor's once, and reads none of its params after it has added to any:
     * the plan may give it its params for param_grads and minus the rate for `factor`. That is a step of plain gradient
     * descent, whose gradient is neither cleared nor written nor read again. In doubt false: `factor` is 1 then. */
    bool steps;

    /* What helps where this layer's output is the first that is not finite; NULL: a lower rate. */
    const char *cure;
} wm_layer_ops;

#endif
