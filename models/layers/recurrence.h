/* models/layers/recurrence.h
 *
 * Recurrent layers: a cell, one file each (lstm.c, gru.c, rnn.c), and the sweep over time that they share. For every
 * step t and unit, S slots hold the cell's sums before and its gates after the cell has run:
 *
 *     slots_t = W_ih x_t + b_ih + W_hh h_(t-1) + b_hh        in all but the cells that keep some of these apart
 *     h_t, c_t = cell(slots_t, c_(t-1))
 *
 * Parameters as PyTorch's of one layer: weight_ih_l0 [gates units][in], weight_hh_l0 [gates units][units], bias_ih_l0,
 * bias_hh_l0 [gates units], and the same with _reverse for the second direction; all start as U(-1/sqrt(units),
 * 1/sqrt(units)). The products for all x are one; the h of one step are one for the whole batch. */
#ifndef WM_MODELS_LAYERS_RECURRENCE_H
#define WM_MODELS_LAYERS_RECURRENCE_H

#include "models/layer.h"

typedef struct wm_recurrence_options {
    int64_t units;
    bool    sequence, bidirectional;
} wm_recurrence_options;

/* What one step of one example works on, each [units] unless said. */
typedef struct wm_cell_step {
    size_t       units;
    float       *slots; /* [slots][units] */
    const float *h_before, *c_before;
    float       *h, *c; /* c: NULL without `carries` */

    /* Backward: dh, dc come as the gradients of h and c, and leave as those of h_before (what does not go through
     * W_hh: that is added later) and c_before. slots leave as their gradients. */
    float *dh, *dc;
} wm_cell_step;

typedef struct wm_cell {
    size_t gates;   /* blocks of rows in the weights */
    size_t slots;   /* blocks that are kept: gates, or one more where the last gate keeps W_hh h + b_hh apart */
    bool   carries; /* has a c beside h */
    void (*forward)(const wm_cell_step *step);
    void (*backward)(const wm_cell_step *step);
} wm_cell;

void wm_recurrence_fit(const wm_cell *cell, const wm_recurrence_options *options, wm_fit *fit);
void wm_recurrence_forward(const wm_cell *cell, const wm_recurrence_options *options, const wm_layer_run *run);
void wm_recurrence_backward(const wm_cell *cell, const wm_recurrence_options *options, const wm_layer_run *run);

extern const wm_option wm_recurrence_table[];
enum { WM_RECURRENCE_OPTIONS = 3 };

/* The registry's entry of a cell. */
#define WM_RECURRENCE(name_, cell, words)                                      \
    static void name_##_fit(const void *options, wm_fit *fit)                  \
    {                                                                          \
        wm_recurrence_fit(&(cell), options, fit);                              \
    }                                                                          \
    static void name_##_forward(const void *options, const wm_layer_run *run)  \
    {                                                                          \
        wm_recurrence_forward(&(cell), options, run);                          \
    }                                                                          \
    static void name_##_backward(const void *options, const wm_layer_run *run) \
    {                                                                          \
        wm_recurrence_backward(&(cell), options, run);                         \
    }                                                                          \
    const wm_layer_ops wm_layer_##name_ = {                                    \
        .member = { .name = #name_,                                            \
                    .doc = words,                                              \
                    .options = wm_recurrence_table,                            \
                    .n_options = WM_RECURRENCE_OPTIONS,                        \
                    .options_size = sizeof(wm_recurrence_options) },           \
        .inputs_least = 1,                                                     \
        .inputs_most = 1,                                                      \
        .fit = name_##_fit,                                                    \
        .forward = name_##_forward,                                            \
        .backward = name_##_backward,                                          \
        .reads_inputs = true,                                                  \
    }

#endif
