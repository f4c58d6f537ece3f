/* tests/models/net.h
 *
 * Networks for tests, written down in C as a job's record would have them: inputs of any shape (as pixels have),
 * targets of values or classes, layers of any family, also of ones that only a test has. Then batches of plausible
 * numbers from a seed. */
#ifndef WM_TESTS_MODELS_NET_H
#define WM_TESTS_MODELS_NET_H

#include "tests/unit.h"

#include "common/rng.h"
#include "models/model.h"
#include "models/plan.h"

enum { NET_LAYERS_MAX = 16, NET_BATCH_MAX = 64 };

/* The options of sgd, as the reader of files would fill them. */
typedef struct net_sgd {
    double momentum, weight_decay;
    bool   nesterov;
} net_sgd;

typedef struct test_net {
    wm_job        job;
    wm_job_input  inputs[WM_INPUTS_MAX];
    wm_job_target targets[WM_TARGETS_MAX];
    int64_t       horizons[WM_TARGETS_MAX][16];
    wm_job_layer  layers[NET_LAYERS_MAX];
    const char   *from[NET_LAYERS_MAX][WM_INPUTS_MAX + 2];
    wm_job_loss   losses[WM_TARGETS_MAX];
    int64_t       units[NET_LAYERS_MAX]; /* options of dense layers */
    char          paths[NET_LAYERS_MAX][32], names[NET_LAYERS_MAX][16];
    net_sgd       sgd;
} test_net;

static inline const wm_member *net_member(const wm_family *family, const char *name)
{
    for (size_t i = 0; i < family->n_members; i++)
        if (strcmp(family->members[i]->name, name) == 0)
            return family->members[i];
    fail_msg("no %s named %s", family->name, name);
    return NULL;
}

static inline void net_init(test_net *net)
{
    memset(net, 0, sizeof *net);
    net->job.name = "test";
    net->job.data.inputs = net->inputs;
    net->job.data.targets = net->targets;
    net->job.model.layers = net->layers;
    net->job.model.losses = net->losses;
    net->job.training.optimiser = (wm_choice){ .member = net_member(&wm_optimisers, "sgd"),
                                               .options = &net->sgd,
                                               .path = "training.optimiser" };
}

static inline void net_input(test_net *net, const char *name, wm_shape shape)
{
    net->inputs[net->job.data.n_inputs++] =
        (wm_job_input){ .name = name, .kind = WM_INPUT_PIXELS, .pixels = shape };
}

/* classes 0: `width` values; and its loss, on the layer named `head` */
static inline void net_target(test_net *net, const char *name, size_t width, int64_t classes, const wm_member *loss,
                              const char *head, double weight)
{
    static const double no_options[16]; /* what the losses that tests lay by hand take by default */
    size_t              t = net->job.data.n_targets++;

    net->targets[t] = (wm_job_target){
        .name = name, .column = name, .ahead = { net->horizons[t], classes > 0 ? 0 : width }, .classes = classes
    };
    net->losses[net->job.model.n_losses++] =
        (wm_job_loss){ .target = name,
                       .head = head,
                       .weight = weight,
                       .loss = { .member = loss, .options = no_options, .path = "model.losses" } };
}

/* `from`: names, or NULL for the layer before. Stands in line 10 + its number. */
static inline void net_member_layer(test_net *net, const char *name, const char *const *from,
                                    const wm_member *member, const void *options)
{
    size_t i = net->job.model.n_layers++, n = 0;

    assert_true(i < NET_LAYERS_MAX);
    if (name == NULL) {
        snprintf(net->names[i], sizeof net->names[i], "%zu.%s", i, member->name);
        name = net->names[i];
    }
    snprintf(net->paths[i], sizeof net->paths[i], "model.layers[%zu]", i);
    for (; from != NULL && from[n] != NULL; n++)
        net->from[i][n] = from[n];
    net->layers[i] = (wm_job_layer){
        .name = name,
        .from = { net->from[i], n },
        .layer = { .member = member, .options = options, .place = { 10 + (uint32_t)i, 7 }, .path = net->paths[i] },
    };
}

/* "dense" with its units; other layers of the family take no options. */
static inline void net_layer(test_net *net, const char *kind, int64_t units)
{
    int64_t *room = &net->units[net->job.model.n_layers];

    *room = units;
    net_member_layer(net, NULL, NULL, net_member(&wm_layers, kind), room);
}

static inline wm_model *net_model(const test_net *net)
{
    wm_model *model = NULL;
    wm_error  err;

    assert_ok(wm_model_new(&net->job, NULL, &model, &err), &err);
    return model;
}

/* The whole, personal layers and buffers behind the others. */
static inline float *net_params(const wm_model *model, uint64_t seed)
{
    float *params = malloc(wm_model_n_whole(model) * sizeof *params);

    assert_non_null(params);
    wm_model_init(model, seed, params);
    wm_model_init_own(model, seed, params + wm_model_n_params(model));
    return params;
}

/* A batch and the memory that it points to. */
typedef struct net_batch {
    wm_batch batch;
    float   *floats[WM_INPUTS_MAX + WM_TARGETS_MAX];
    int32_t *classes[WM_TARGETS_MAX];
} net_batch;

static inline float *net_floats(wm_rng *rng, size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)wm_rng_normal(rng);
    return x;
}

static inline void net_batch_init(net_batch *b, const test_net *net, size_t n, uint64_t seed)
{
    wm_rng rng;

    memset(b, 0, sizeof *b);
    wm_rng_init(&rng, seed);
    b->batch.n = n;
    for (size_t i = 0; i < net->job.data.n_inputs; i++) {
        size_t values = 0;

        assert_true(wm_shape_count(&net->inputs[i].pixels, &values));
        b->batch.inputs[i] = b->floats[i] = net_floats(&rng, n * values);
    }
    for (size_t t = 0; t < net->job.data.n_targets; t++) {
        size_t width = wm_job_target_width(&net->job, t);

        if (net->targets[t].classes == 0) {
            b->batch.targets[t] = b->floats[WM_INPUTS_MAX + t] = net_floats(&rng, n * width);
            continue;
        }
        b->batch.classes[t] = b->classes[t] = malloc(n * sizeof(int32_t));
        assert_non_null(b->classes[t]);
        for (size_t i = 0; i < n; i++)
            b->classes[t][i] = (int32_t)wm_rng_below(&rng, width);
    }
}

static inline void net_batch_release(net_batch *b)
{
    for (size_t i = 0; i < WM_INPUTS_MAX + WM_TARGETS_MAX; i++)
        free(b->floats[i]);
    for (size_t t = 0; t < WM_TARGETS_MAX; t++)
        free(b->classes[t]);
}

#endif
