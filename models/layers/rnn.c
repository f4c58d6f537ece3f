/* models/layers/rnn.c: Elman's recurrence (1990), torch.nn.RNN: h = tanh(W_ih x + b_ih + W_hh h' + b_hh). */
#include "models/kernel.h"
#include "models/layers/recurrence.h"

WM_KERNEL static void rnn_cell(float *slots, float *h, size_t units)
{
    for (size_t j = 0; j < units; j++)
        h[j] = slots[j] = wm_tanh(slots[j]);
}

WM_KERNEL static void rnn_cell_back(float *slots, float *dh, size_t units)
{
    for (size_t j = 0; j < units; j++) {
        slots[j] = dh[j] * (1 - slots[j] * slots[j]);
        dh[j] = 0;
    }
}

static void rnn_step(const wm_cell_step *s)
{
    rnn_cell(s->slots, s->h, s->units);
}

static void rnn_step_back(const wm_cell_step *s)
{
    rnn_cell_back(s->slots, s->dh, s->units);
}

static const wm_cell cell = { .gates = 1, .slots = 1, .forward = rnn_step, .backward = rnn_step_back };

WM_RECURRENCE(rnn, cell, "A plain recurrence over time: time x channels in, its state out.");
