/* models/layers/lstm.c
 *
 * Long short-term memory (Hochreiter and Schmidhuber 1997; with the forget gate of Gers et al. 2000), torch.nn.LSTM:
 * slots i, f, g, o;  c = f c' + i g;  h = o tanh(c). */
#include "models/kernel.h"
#include "models/layers/recurrence.h"

/* Without `restrict` there are more pairs of pointers than gcc will check for overlap, and it leaves the loops scalar. */
WM_KERNEL static void lstm_cell(float *restrict i, float *restrict f, float *restrict g, float *restrict o,
                                const float *restrict before, float *restrict c, float *restrict h, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        i[j] = wm_sigmoid(i[j]);
        f[j] = wm_sigmoid(f[j]);
        g[j] = wm_tanh(g[j]);
        o[j] = wm_sigmoid(o[j]);
        c[j] = f[j] * before[j] + i[j] * g[j];
        h[j] = o[j] * wm_tanh(c[j]);
    }
}

WM_KERNEL static void lstm_cell_back(float *restrict i, float *restrict f, float *restrict g, float *restrict o,
                                     const float *restrict before, const float *restrict c, float *restrict dh,
                                     float *restrict dc, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        float s = wm_tanh(c[j]), d = dc[j] + dh[j] * o[j] * (1 - s * s);
        float di = d * g[j] * i[j] * (1 - i[j]), df = d * before[j] * f[j] * (1 - f[j]);
        float dg = d * i[j] * (1 - g[j] * g[j]), output = dh[j] * s * o[j] * (1 - o[j]);

        dc[j] = d * f[j];
        dh[j] = 0;
        i[j] = di;
        f[j] = df;
        g[j] = dg;
        o[j] = output;
    }
}

static void lstm_step(const wm_cell_step *s)
{
    size_t n = s->units;

    lstm_cell(s->slots, s->slots + n, s->slots + 2 * n, s->slots + 3 * n, s->c_before, s->c, s->h, n);
}

static void lstm_step_back(const wm_cell_step *s)
{
    size_t n = s->units;

    lstm_cell_back(s->slots, s->slots + n, s->slots + 2 * n, s->slots + 3 * n, s->c_before, s->c, s->dh, s->dc, n);
}

static const wm_cell cell = {
    .gates = 4, .slots = 4, .carries = true, .forward = lstm_step, .backward = lstm_step_back
};

WM_RECURRENCE(lstm, cell, "Long short-term memory over time: time x channels in, its state out.");
