/* server/run/beginning.c
 *
 * A run begins, or goes on where the ledger says that it stands. */
#include "server/run/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* values[n] <- the blob of that name. A damaged one is as bad as a missing one. */
static wm_status get_floats(wm_run *run, const char *what, const wm_digest *name, float *values, size_t n,
                            wm_error *err)
{
    uint8_t  *bytes;
    size_t    size;
    wm_status st = wm_blobs_get(run->settings.blobs, name, n * sizeof *values, &bytes, &size, err);

    if (st == WM_OK && size != n * sizeof *values) {
        st = wm_fail(err, WM_E_DAMAGED, "%zu bytes where %zu would be right", size, n * sizeof *values);
        free(bytes);
    }
    if (st != WM_OK) {
        wm_error_prefix(err, "the %s that the ledger names", what);
        return st == WM_E_NOMEM || st == WM_E_IO ? st : WM_E_DAMAGED;
    }
    memcpy(values, bytes, size);
    free(bytes);
    return WM_OK;
}

static wm_status begin_anew(wm_run *run, wm_standing *ret, wm_error *err)
{
    wm_standing first = { .opened_wall_ms = wm_wall_ms(&run->settings.clock), .best_loss = NAN };
    wm_status   st;

    wm_model_init(run->settings.model, run->settings.record->seed, run->params);
    st = wm_run_put_floats(run, run->params, run->n_params, &first.model, err);
    if (st == WM_OK && run->n_state > 0)
        st = wm_run_put_floats(run, run->state, run->n_state, &first.server_state, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "start-before"))
        return wm_run_died(err);
    st = run->settings.ledger->start(run->settings.ledger, run->settings.record, &first, err);
    if (st == WM_OK && wm_run_dies(run, "start-after"))
        return wm_run_died(err);
    if (st == WM_OK)
        *ret = first;
    return st;
}

/* A round of the past: who is in it, and the figures for the progress. */
static void remember(void *context, const wm_round_record *round)
{
    wm_run *run = context;
    size_t  n = round->n_contributions < run->n_population ? round->n_contributions : run->n_population;

    for (size_t i = 0; i < n; i++) {
        const wm_contribution *part = &round->contributions[i];

        if (part->verdict == WM_VERDICT_ACCEPTED && part->client < run->n_population)
            run->contained[part->client] = (wm_contained){ round->round, part->digest };
    }
    run->trained += round->accepted;
    run->train_loss = round->train_loss;
    if (round->evaluated && round->evaluation.present) {
        run->eval_loss = round->evaluation.loss;
        run->metric = round->evaluation.metrics[0];
    }
    memcpy(run->contributions, round->contributions, n * sizeof *run->contributions);
    run->record = *round;
    run->record.contributions = run->contributions;
    run->record.n_contributions = n;
}

wm_status wm_run_begin(wm_run *run, wm_standing *ret, wm_error *err)
{
    wm_ledger  *ledger = run->settings.ledger;
    wm_standing standing;
    wm_status   st = ledger->load(ledger, run->settings.record->id, &standing, err);

    if (st == WM_E_MISSING)
        return begin_anew(run, ret, err);
    if (st == WM_OK)
        st = ledger->rounds(ledger, run->settings.record->id, remember, run, err);
    if (st == WM_OK && standing.phase != WM_PHASE_CLOSED) {
        st = get_floats(run, "model", &standing.model, run->params, run->n_params, err);
        if (st == WM_OK && run->n_state > 0)
            st = get_floats(run, "strategy's state", &standing.server_state, run->state, run->n_state, err);
    }
    if (st == WM_OK)
        *ret = standing;
    return st;
}
