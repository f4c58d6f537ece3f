/* tests/models/gradients.h
 *
 * A gradient against the slope of the loss, by central differences: for some parameters one by one, and for all of
 * them along random directions, where a mistake anywhere shows. The step is large, since losses come from float32;
 * what is left of it is in the tolerance. Every evaluation begins with the same reset, so that a layer with dice
 * throws the same again. */
#ifndef WM_TESTS_MODELS_GRADIENTS_H
#define WM_TESTS_MODELS_GRADIENTS_H

#include "tests/models/net.h"

#include <math.h>

static inline double loss_at(wm_plan *plan, const float *params, const wm_batch *batch)
{
    const float *grads;
    double       loss;
    wm_error     err;

    wm_plan_reset(plan, 7);
    assert_ok(wm_plan_gradient(plan, params, batch, &grads, &loss, &err), &err);
    return loss;
}

/* The slope along direction[n], minus what the gradient says of it. */
static inline double slope_error(wm_plan *plan, const float *params, const float *grads, const float *direction,
                                 size_t n, double step, const wm_batch *batch, double *slope)
{
    float *moved = malloc(n * sizeof *moved);
    double up, down, said = 0, way = 0;

    assert_non_null(moved);
    for (size_t i = 0; i < n; i++)
        moved[i] = params[i] + (float)step * direction[i];
    up = loss_at(plan, moved, batch);
    for (size_t i = 0; i < n; i++) {
        double to = (double)moved[i];

        moved[i] = params[i] - (float)step * direction[i];
        said += (double)grads[i] * (to - (double)moved[i]);
        way += fabs(to - (double)moved[i]) > 0;
    }
    down = loss_at(plan, moved, batch);
    free(moved);
    assert_true(way > 0);
    *slope = said / (2 * step);
    return (up - down) / (2 * step) - *slope;
}

/* Whether the slope agrees along direction[n]. A kink (of a relu, a maximum) within the step is stepped short of. */
static inline bool slope_agrees(wm_plan *plan, const float *params, const float *grads, const float *direction,
                                size_t n, const wm_batch *batch, double allowed, double *slope, double *wrong)
{
    for (double step = 4e-3; step > 2e-4; step /= 4) {
        *wrong = slope_error(plan, params, grads, direction, n, step, batch, slope);
        if (fabs(*wrong) <= allowed + 1e-2 * fabs(*slope))
            return true;
    }
    return false;
}

static inline void check_slopes(const char *says, const wm_model *model, const wm_batch *batch, uint64_t seed)
{
    float       *params = net_params(model, seed), *direction, *grads;
    size_t       n = wm_model_n_whole(model) - wm_model_n_buffer_values(model);
    wm_plan     *plan;
    const float *given;
    double       loss, slope, wrong;
    wm_error     err;
    wm_rng       rng;

    assert_ok(wm_plan_new(model, batch->n, WM_PLAN_TRAIN, &plan, &err), &err);
    wm_plan_reset(plan, 7);
    assert_ok(wm_plan_gradient(plan, params, batch, &given, &loss, &err), &err);
    direction = calloc(n, sizeof *direction);
    grads = malloc(n * sizeof *grads);
    assert_non_null(direction);
    assert_non_null(grads);
    memcpy(grads, given, n * sizeof *grads);
    for (size_t i = 0; i < n; i += 1 + n / 64) {
        direction[i] = 1;
        if (!slope_agrees(plan, params, grads, direction, n, batch, 2e-3, &slope, &wrong))
            fail_msg("%s: parameter %zu: gradient %g, the loss differs from that by %g", says, i, slope, wrong);
        direction[i] = 0;
    }
    wm_rng_init(&rng, seed + 2);
    for (int d = 0; d < 20; d++) {
        for (size_t i = 0; i < n; i++)
            direction[i] = (float)(wm_rng_normal(&rng) / sqrt((double)n));
        if (!slope_agrees(plan, params, grads, direction, n, batch, 1e-3, &slope, &wrong))
            fail_msg("%s: along direction %d: slope %g, the loss differs from that by %g", says, d, slope, wrong);
    }
    free(direction);
    free(grads);
    free(params);
    wm_plan_free(plan);
}

static inline void check_gradient(const char *says, const test_net *net, size_t n_batch, uint64_t seed)
{
    wm_model *model = net_model(net);
    net_batch b;

    net_batch_init(&b, net, n_batch, seed + 1);
    check_slopes(says, model, &b.batch, seed);
    net_batch_release(&b);
    wm_model_free(model);
}

#endif
