/* models/layers/recurrence.c */
#include "models/layers/recurrence.h"

#include "models/gemm.h"
#include "models/kernel.h"

#include <string.h>

/* The sizes of a run. */
typedef struct sweep {
    const wm_cell *cell;
    size_t         B, T, in, units, directions;
    size_t         gates, slots; /* times units */
    size_t         state;        /* units, or 0 if the cell carries none */
    bool           sequence;
} sweep;

/* One direction's memory. */
typedef struct direction {
    bool   reverse;
    float *slots, *h, *c; /* [B][T][slots | units | state] */
    size_t at;            /* of its h in a row of the output */
} direction;

/* Of the scratch. */
typedef struct workspace {
    float *weight;  /* W_hh transposed: [units][gates] */
    float *nothing; /* [units] zeros: h and c before the first step */
    float *dh, *dc; /* [B][units] */
} workspace;

static sweep sweep_of(const wm_cell *cell, const wm_recurrence_options *options, const wm_shape *x, size_t B)
{
    size_t units = (size_t)options->units;

    return (sweep){ .cell = cell,
                    .B = B,
                    .T = x->dim[0],
                    .in = x->dim[1],
                    .units = units,
                    .directions = options->bidirectional ? 2 : 1,
                    .gates = cell->gates * units,
                    .slots = cell->slots * units,
                    .state = cell->carries ? units : 0,
                    .sequence = options->sequence };
}

void wm_recurrence_fit(const wm_cell *cell, const wm_recurrence_options *options, wm_fit *fit)
{
    static const char *const names[2][4] = {
        { "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0" },
        { "weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse" },
    };
    const wm_shape *x = &fit->inputs[0];
    wm_initial      initial = { WM_INITIAL_UNIFORM, 1 / sqrt((double)options->units) };
    uint32_t        units = (uint32_t)options->units, gates = (uint32_t)cell->gates * units;
    sweep           s;

    if (x->rank != 2) {
        char text[WM_SHAPE_TEXT];

        wm_fit_refuse(fit, "takes time x channels, and gets %s%s", wm_shape_text(x, text),
                      x->rank == 1 ? "; a recurrence before it keeps its steps with `sequence: true`" : "");
        return;
    }
    s = sweep_of(cell, options, x, 1);
    fit->output = options->sequence ? (wm_shape){ .rank = 2, .dim = { x->dim[0], (uint32_t)s.directions * units } }
                                    : (wm_shape){ .rank = 1, .dim = { (uint32_t)s.directions * units } };
    fit->saved.each = s.directions * s.T * (s.slots + s.units + s.state);
    fit->works_in_saved = true;
    fit->scratch = (wm_amount){ .each = 2 * s.units, .once = s.units * s.gates + s.units };
    fit->work = (uint64_t)s.directions * s.T * s.gates * (s.in + s.units);
    for (size_t d = 0; d < s.directions; d++) {
        wm_fit_tensor(fit, names[d][0], &(wm_shape){ .rank = 2, .dim = { gates, x->dim[1] } }, initial);
        wm_fit_tensor(fit, names[d][1], &(wm_shape){ .rank = 2, .dim = { gates, units } }, initial);
        wm_fit_tensor(fit, names[d][2], &(wm_shape){ .rank = 1, .dim = { gates } }, initial);
        wm_fit_tensor(fit, names[d][3], &(wm_shape){ .rank = 1, .dim = { gates } }, initial);
    }
}

static direction direction_of(const sweep *s, const wm_layer_run *run, size_t d)
{
    size_t rows = s->B * s->T, each = rows * (s->slots + s->units + s->state);
    float *from = run->saved + d * each;

    return (direction){ .reverse = d == 1,
                        .slots = from,
                        .h = from + rows * s->slots,
                        .c = from + rows * (s->slots + s->units),
                        .at = d * s->units };
}

static workspace workspace_of(const sweep *s, float *scratch)
{
    workspace w = { .weight = scratch, .nothing = scratch + s->units * s->gates };

    w.dh = w.nothing + s->units;
    w.dc = w.dh + s->B * s->units;
    memset(w.nothing, 0, s->units * sizeof *w.nothing);
    return w;
}

/* The time of the i-th step. */
static size_t time_of(const sweep *s, const direction *d, size_t i)
{
    return d->reverse ? s->T - 1 - i : i;
}

static void transpose(const float *from, size_t rows, size_t columns, float *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            to[c * rows + r] = from[r * columns + c];
}

/* How many of the gates add W_hh h to the same slot as W_ih x; the last does not where there is a slot more. */
static size_t gates_together(const sweep *s)
{
    return s->slots > s->gates ? s->gates - s->units : s->gates;
}

/* slots <- b_ih + b_hh + W_ih x, for all steps */
static void project_inputs(const sweep *s, const direction *d, const wm_layer_run *run, const float *const *params)
{
    size_t together = gates_together(s), rows = s->B * s->T;
    float *first = d->slots;

    for (size_t j = 0; j < s->gates; j++)
        first[j] = params[2][j] + (j < together ? params[3][j] : 0);
    for (size_t j = s->gates; j < s->slots; j++)
        first[j] = params[3][j - s->units];
    for (size_t r = 1; r < rows; r++)
        memcpy(d->slots + r * s->slots, first, s->slots * sizeof *first);
    wm_gemm(WM_GEMM_NT, rows, s->gates, s->in, run->inputs[0], s->in, params[0], s->in, d->slots, s->slots);
}

static wm_cell_step step_at(const sweep *s, const direction *d, const workspace *w, size_t b, size_t i)
{
    size_t row = b * s->T + time_of(s, d, i), before = i > 0 ? b * s->T + time_of(s, d, i - 1) : 0;

    return (wm_cell_step){
        .units = s->units,
        .slots = d->slots + row * s->slots,
        .h_before = i > 0 ? d->h + before * s->units : w->nothing,
        .c_before = i > 0 && s->state > 0 ? d->c + before * s->units : w->nothing,
        .h = d->h + row * s->units,
        .c = s->state > 0 ? d->c + row * s->units : NULL,
        .dh = w->dh + b * s->units,
        .dc = w->dc + b * s->units,
    };
}

static void forward_direction(const sweep *s, const direction *d, const workspace *w, const wm_layer_run *run,
                              const float *const *params)
{
    size_t together = gates_together(s), ld_h = s->T * s->units, ld_slots = s->T * s->slots;

    project_inputs(s, d, run, params);
    transpose(params[1], s->gates, s->units, w->weight);
    for (size_t i = 0; i < s->T; i++) {
        if (i > 0) {
            const float *h = d->h + time_of(s, d, i - 1) * s->units;
            float       *slots = d->slots + time_of(s, d, i) * s->slots;

            wm_gemm(WM_GEMM_NN, s->B, together, s->units, h, ld_h, w->weight, s->gates, slots, ld_slots);
            if (together < s->gates)
                wm_gemm(WM_GEMM_NN, s->B, s->units, s->units, h, ld_h, w->weight + together, s->gates,
                        slots + s->gates, ld_slots);
        }
        for (size_t b = 0; b < s->B; b++) {
            wm_cell_step step = step_at(s, d, w, b, i);

            s->cell->forward(&step);
        }
    }
}

/* The output's rows: every step's h, or the last one's. */
static void copy_out(const sweep *s, const direction *d, float *output)
{
    size_t wide = s->directions * s->units;

    for (size_t b = 0; b < s->B; b++)
        if (s->sequence)
            for (size_t t = 0; t < s->T; t++)
                memcpy(output + (b * s->T + t) * wide + d->at, d->h + (b * s->T + t) * s->units,
                       s->units * sizeof *output);
        else
            memcpy(output + b * wide + d->at, d->h + (b * s->T + time_of(s, d, s->T - 1)) * s->units,
                   s->units * sizeof *output);
}

void wm_recurrence_forward(const wm_cell *cell, const wm_recurrence_options *options, const wm_layer_run *run)
{
    sweep     s = sweep_of(cell, options, &run->input_shapes[0], run->B);
    workspace w = workspace_of(&s, run->scratch);

    for (size_t k = 0; k < s.directions; k++) {
        direction d = direction_of(&s, run, k);

        forward_direction(&s, &d, &w, run, run->params + 4 * k);
        copy_out(&s, &d, run->output);
    }
}

/* ---- backward ---- */

/* dh[B][units] += the output's gradient at the i-th step */
static void add_output_grad(const sweep *s, const direction *d, const workspace *w, const float *dy, size_t i)
{
    size_t wide = s->directions * s->units;

    if (!s->sequence && i + 1 < s->T)
        return;
    for (size_t b = 0; b < s->B; b++) {
        const float *from = dy + (s->sequence ? b * s->T + time_of(s, d, i) : b) * wide + d->at;

        for (size_t j = 0; j < s->units; j++)
            w->dh[b * s->units + j] += from[j];
    }
}

/* Through W_hh to the h of the step before, and to its own gradient. */
static void backward_step(const sweep *s, const direction *d, const workspace *w, size_t i, const float *weight,
                          float *weight_grad)
{
    size_t       together = gates_together(s), ld_h = s->T * s->units, ld_slots = s->T * s->slots;
    const float *slots = d->slots + time_of(s, d, i) * s->slots, *apart = slots + s->gates;
    const float *h = d->h + time_of(s, d, i - 1) * s->units;
    size_t       rest = s->gates - together;

    wm_gemm(WM_GEMM_NN, s->B, s->units, together, slots, ld_slots, weight, s->units, w->dh, s->units);
    if (rest > 0)
        wm_gemm(WM_GEMM_NN, s->B, s->units, rest, apart, ld_slots, weight + together * s->units, s->units, w->dh,
                s->units);
    if (weight_grad == NULL)
        return;
    wm_gemm(WM_GEMM_TN, together, s->units, s->B, slots, ld_slots, h, ld_h, weight_grad, s->units);
    if (rest > 0)
        wm_gemm(WM_GEMM_TN, rest, s->units, s->B, apart, ld_slots, h, ld_h, weight_grad + together * s->units,
                s->units);
}

/* to[n] += the sum of columns [at, at + n) of rows[count][ld] */
WM_KERNEL static void sum_columns(const float *rows, size_t count, size_t ld, size_t at, size_t n, float *to)
{
    for (size_t r = 0; r < count; r++)
        for (size_t j = 0; j < n; j++)
            to[j] += rows[r * ld + at + j];
}

static void backward_direction(const sweep *s, const direction *d, const workspace *w, const wm_layer_run *run,
                               size_t k)
{
    const float *const *params = run->params + 4 * k;
    float *const       *grads = run->param_grads + 4 * k;
    size_t              together = gates_together(s), rows = s->B * s->T;

    memset(w->dh, 0, s->B * s->units * sizeof *w->dh);
    memset(w->dc, 0, s->B * s->units * sizeof *w->dc);
    for (size_t i = s->T; i-- > 0;) {
        add_output_grad(s, d, w, run->output_grad, i);
        for (size_t b = 0; b < s->B; b++) {
            wm_cell_step step = step_at(s, d, w, b, i);

            s->cell->backward(&step);
        }
        if (i > 0)
            backward_step(s, d, w, i, params[1], grads[1]);
    }
    if (grads[0] != NULL)
        wm_gemm(WM_GEMM_TN, s->gates, s->in, rows, d->slots, s->slots, run->inputs[0], s->in, grads[0], s->in);
    if (grads[2] != NULL)
        sum_columns(d->slots, rows, s->slots, 0, s->gates, grads[2]);
    if (grads[3] != NULL) {
        sum_columns(d->slots, rows, s->slots, 0, together, grads[3]);
        sum_columns(d->slots, rows, s->slots, s->gates, s->gates - together, grads[3] + together);
    }
    if (run->input_grads[0] != NULL)
        wm_gemm(WM_GEMM_NN, rows, s->in, s->gates, d->slots, s->slots, params[0], s->in, run->input_grads[0],
                s->in);
}

void wm_recurrence_backward(const wm_cell *cell, const wm_recurrence_options *options, const wm_layer_run *run)
{
    sweep     s = sweep_of(cell, options, &run->input_shapes[0], run->B);
    workspace w = workspace_of(&s, run->scratch);

    if (run->input_grads[0] != NULL)
        memset(run->input_grads[0], 0, s.B * s.T * s.in * sizeof *run->input_grads[0]);
    for (size_t k = 0; k < s.directions; k++) {
        direction d = direction_of(&s, run, k);

        backward_direction(&s, &d, &w, run, k);
    }
}

const wm_option wm_recurrence_table[WM_RECURRENCE_OPTIONS] = {
    { .name = "units",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_recurrence_options, units),
      .least = 1,
      .most = 1 << 20,
      .main = true,
      .doc = "Width of the state, and of the output for each direction." },
    { .name = "sequence",
      .kind = WM_BOOL,
      .offset = offsetof(wm_recurrence_options, sequence),
      .standard = "false",
      .doc = "The state after every step, time x units, and not only after the last." },
    { .name = "bidirectional",
      .kind = WM_BOOL,
      .offset = offsetof(wm_recurrence_options, bidirectional),
      .standard = "false",
      .doc = "Reads the steps in both directions, each with its own weights, and gives both states side by side." },
};
