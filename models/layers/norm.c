/* models/layers/norm.c: the sums are those of lanes.h. */
#include "models/layers/norm.h"

#include "models/lanes.h"
#include "models/layers/elementwise.h"

/* One group of one example: positions [n] of width `w` in rows of `ld`. */
typedef struct group {
    size_t positions, width, ld;
    float  epsilon;
} group;

/* sum (x - mean)^2 */
static inline __attribute__((always_inline)) float lanes_spread(const float *x, size_t n, float mean)
{
    wm_four lanes[4] = { 0 };
    float   rest = 0;
    size_t  i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < 4; j++) {
            wm_four far = wm_four_at(x + i + 4 * j) - mean;

            lanes[j] += far * far;
        }
    for (; i < n; i++)
        rest += (x[i] - mean) * (x[i] - mean);
    return wm_lanes_total(lanes) + rest;
}

/* sums <- sum dy w, sum dy w (x - mean) */
static inline __attribute__((always_inline)) void lanes_slopes(const float *x, const float *dy, const float *w,
                                                               size_t n, float mean, float sums[2])
{
    wm_four plain[4] = { 0 }, moment[4] = { 0 };
    float   rest[2] = { 0 };
    size_t  i = 0;

    for (; i + WM_LANES <= n; i += WM_LANES)
        for (size_t j = 0; j < 4; j++) {
            wm_four slope = wm_four_at(dy + i + 4 * j) * wm_four_at(w + i + 4 * j);

            plain[j] += slope;
            moment[j] += slope * (wm_four_at(x + i + 4 * j) - mean);
        }
    for (; i < n; i++) {
        rest[0] += dy[i] * w[i];
        rest[1] += dy[i] * w[i] * (x[i] - mean);
    }
    sums[0] = wm_lanes_total(plain) + rest[0];
    sums[1] = wm_lanes_total(moment) + rest[1];
}

WM_KERNEL static void group_normalise(const float *x, float *y, const float *w, const float *b, float *saved,
                                      group g)
{
    float n = (float)(g.positions * g.width), mean = 0, spread = 0, root;

    for (size_t p = 0; p < g.positions; p++)
        mean += wm_lanes_sum(x + p * g.ld, g.width);
    mean /= n;
    for (size_t p = 0; p < g.positions; p++)
        spread += lanes_spread(x + p * g.ld, g.width, mean);
    root = 1 / sqrtf(spread / n + g.epsilon);
    for (size_t p = 0; p < g.positions; p++)
        for (size_t i = 0; i < g.width; i++)
            y[p * g.ld + i] = (x[p * g.ld + i] - mean) * root * w[i] + b[i];
    if (saved != NULL) {
        saved[0] = mean;
        saved[1] = root;
    }
}

/* With h = (x - mean) root and g = dy weight: dx = root (g - mean(g) - h mean(g h)). */
WM_KERNEL static void group_slopes(const float *x, const float *dy, float *dx, const float *w, const float *saved,
                                   group g)
{
    float n = (float)(g.positions * g.width), mean = saved[0], root = saved[1], plain = 0, moment = 0, sums[2];

    for (size_t p = 0; p < g.positions; p++) {
        lanes_slopes(x + p * g.ld, dy + p * g.ld, w, g.width, mean, sums);
        plain += sums[0];
        moment += sums[1];
    }
    plain /= n;
    moment *= root * root / n;
    for (size_t p = 0; p < g.positions; p++)
        for (size_t i = 0; i < g.width; i++)
            dx[p * g.ld + i] = root * (dy[p * g.ld + i] * w[i] - plain - (x[p * g.ld + i] - mean) * moment);
}

WM_KERNEL static void group_weight_slopes(const float *x, const float *dy, float *dw, float *db, const float *saved,
                                          group g)
{
    for (size_t p = 0; p < g.positions; p++)
        for (size_t i = 0; i < g.width; i++) {
            if (dw != NULL)
                dw[i] += dy[p * g.ld + i] * (x[p * g.ld + i] - saved[0]) * saved[1];
            if (db != NULL)
                db[i] += dy[p * g.ld + i];
        }
}

void wm_norm_fit(wm_fit *fit, size_t groups)
{
    const wm_shape *x = &fit->inputs[0];
    wm_shape        n = { .rank = 1, .dim = { x->dim[x->rank - 1] } };

    fit->output = *x;
    fit->saved.each = 2 * groups;
    wm_fit_tensor(fit, "weight", &n, (wm_initial){ WM_INITIAL_CONSTANT, 1 });
    wm_fit_tensor(fit, "bias", &n, (wm_initial){ WM_INITIAL_CONSTANT, 0 });
}

static group group_of(const wm_norm *norm)
{
    return (group){ .positions = norm->positions,
                    .width = norm->width,
                    .ld = norm->groups * norm->width,
                    .epsilon = norm->epsilon };
}

void wm_norm_forward(const wm_norm *norm, const wm_layer_run *run)
{
    group  g = group_of(norm);
    size_t each = g.positions * g.ld;

    for (size_t i = 0; i < norm->examples * norm->groups; i++) {
        size_t at = i % norm->groups * g.width, from = i / norm->groups * each + at;

        group_normalise(run->inputs[0] + from, run->output + from, run->params[0] + at, run->params[1] + at,
                        run->saved != NULL ? run->saved + 2 * i : NULL, g);
    }
}

void wm_norm_backward(const wm_norm *norm, const wm_layer_run *run)
{
    group  g = group_of(norm);
    size_t each = g.positions * g.ld;
    float *dw = run->param_grads[0], *db = run->param_grads[1];

    for (size_t i = 0; i < norm->examples * norm->groups; i++) {
        size_t at = i % norm->groups * g.width, from = i / norm->groups * each + at;

        group_weight_slopes(run->inputs[0] + from, run->output_grad + from, dw != NULL ? dw + at : NULL,
                            db != NULL ? db + at : NULL, run->saved + 2 * i, g);
        if (run->input_grads[0] != NULL)
            group_slopes(run->inputs[0] + from, run->output_grad + from, run->input_grads[0] + from,
                         run->params[0] + at, run->saved + 2 * i, g);
    }
}
