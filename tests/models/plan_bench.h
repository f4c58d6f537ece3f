/* tests/models/plan_bench.h: a network of six layers with its plan and a batch, for the tests of what a plan does. */
#ifndef WM_TESTS_MODELS_PLAN_BENCH_H
#define WM_TESTS_MODELS_PLAN_BENCH_H

#include "tests/models/net.h"

typedef struct bench {
    test_net  net;
    wm_model *model;
    float    *params;
    wm_plan  *plan;
    net_batch b;
} bench;

static inline void bench_init(bench *t, double momentum, size_t batch)
{
    wm_error err;

    net_init(&t->net);
    net_input(&t->net, "x", (wm_shape){ .rank = 2, .dim = { 5, 4 } });
    net_layer(&t->net, "dense", 8);
    net_layer(&t->net, "relu", 0);
    net_layer(&t->net, "flatten", 0);
    net_layer(&t->net, "dense", 16);
    net_layer(&t->net, "tanh", 0);
    net_layer(&t->net, "dense", 3);
    net_target(&t->net, "y", 3, 3, net_member(&wm_losses, "cross_entropy"), "5.dense", 1);
    t->net.sgd.momentum = momentum;
    t->model = net_model(&t->net);
    t->params = net_params(t->model, 1);
    net_batch_init(&t->b, &t->net, batch, 2);
    assert_ok(wm_plan_new(t->model, batch, WM_PLAN_TRAIN, &t->plan, &err), &err);
}

static inline void bench_release(bench *t)
{
    wm_plan_free(t->plan);
    net_batch_release(&t->b);
    free(t->params);
    wm_model_free(t->model);
}

static inline double step(bench *t, double rate, double clip)
{
    wm_step  how = { .rate = rate, .clip = clip };
    double   loss;
    wm_error err;

    assert_ok(wm_plan_step(t->plan, t->params, &t->b.batch, &how, &loss, &err), &err);
    return loss;
}

/* Its params as they are now, to be freed. */
static inline float *bench_params(const bench *t)
{
    size_t bytes = wm_model_n_params(t->model) * sizeof *t->params;
    float *copy = malloc(bytes);

    assert_non_null(copy);
    memcpy(copy, t->params, bytes);
    return copy;
}

#endif
