/* models/layers/gru.c
 *
 * Gated recurrent unit (Cho et al. 2014) with the reset after the product, torch.nn.GRU: slots r, z, n and m = W_hn h' +
 * b_hn apart;  n = tanh(n + r m);  h = (1 - z) n + z h'. */
#include "models/kernel.h"
#include "models/layers/recurrence.h"

/* `restrict`: as in lstm.c. */
WM_KERNEL static void gru_cell(float *restrict r, float *restrict z, float *restrict n, const float *restrict m,
                               const float *restrict before, float *restrict h, size_t units)
{
    for (size_t j = 0; j < units; j++) {
        r[j] = wm_sigmoid(r[j]);
        z[j] = wm_sigmoid(z[j]);
        n[j] = wm_tanh(n[j] + r[j] * m[j]);
        h[j] = (1 - z[j]) * n[j] + z[j] * before[j];
    }
}

WM_KERNEL static void gru_cell_back(float *restrict r, float *restrict z, float *restrict n, float *restrict m,
                                    const float *restrict before, float *restrict dh, size_t units)
{
    for (size_t j = 0; j < units; j++) {
        float dn = dh[j] * (1 - z[j]) * (1 - n[j] * n[j]), dz = dh[j] * (before[j] - n[j]) * z[j] * (1 - z[j]);
        float dr = dn * m[j] * r[j] * (1 - r[j]), dm = dn * r[j];

        dh[j] *= z[j];
        r[j] = dr;
        z[j] = dz;
        n[j] = dn;
        m[j] = dm;
    }
}

static void gru_step(const wm_cell_step *s)
{
    size_t n = s->units;

    gru_cell(s->slots, s->slots + n, s->slots + 2 * n, s->slots + 3 * n, s->h_before, s->h, n);
}

static void gru_step_back(const wm_cell_step *s)
{
    size_t n = s->units;

    gru_cell_back(s->slots, s->slots + n, s->slots + 2 * n, s->slots + 3 * n, s->h_before, s->dh, n);
}

static const wm_cell cell = { .gates = 3, .slots = 4, .forward = gru_step, .backward = gru_step_back };

WM_RECURRENCE(gru, cell, "Gated recurrent unit over time: time x channels in, its state out.");
