/* server/run/beginning.c
 *
 * A run begins, or goes on where the ledger says that it stands. */
#include "server/run/state.h"
#include "server/start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

wm_status wm_run_get_floats(wm_run *run, const char *what, const wm_digest *name, size_t n, float **ret,
                            wm_error *err)
{
    uint8_t  *bytes;
    size_t    size;
    char      text[WM_DIGEST_TEXT];
    wm_status st = wm_blobs_get(run->settings.blobs, name, n * sizeof **ret, &bytes, &size, err);

    if (st == WM_OK && size != n * sizeof **ret) {
        st = wm_fail(err, WM_E_DAMAGED, "%zu bytes where %zu would be right", size, n * sizeof **ret);
        free(bytes);
    }
    if (st == WM_E_MISSING)
        wm_fail(err, WM_E_DAMAGED, "blobs/%.16s... is gone: put it back from a backup", wm_digest_text(name, text));
    if (st != WM_OK) {
        wm_error_prefix(err, "the %s that the ledger names", what);
        return st == WM_E_NOMEM || st == WM_E_IO ? st : WM_E_DAMAGED;
    }
    *ret = (float *)(void *)bytes; /* from malloc: aligned for anything */
    return WM_OK;
}

static wm_status begin_anew(wm_run *run, wm_standing *ret, wm_error *err)
{
    wm_standing first = { .opened_wall_ms = wm_wall_ms(&run->settings.clock), .best_loss = NAN };
    wm_status   st;

    run->params = calloc(run->n_params + 1, sizeof *run->params);
    if (run->params == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a model of %zu parameters", run->n_params);
    st = wm_start_params(run->settings.job, run->settings.model, run->settings.record->seed, run->settings.blobs,
                         run->params, err);
    if (st == WM_OK)
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

/* The parameters, and the strategy's state, of where the run stands. */
static wm_status load_models(wm_run *run, const wm_standing *standing, wm_error *err)
{
    wm_error  damage;
    wm_status st = wm_run_get_floats(run, "model", &standing->model, run->n_params, &run->params, &damage);

    if (st == WM_OK && run->n_state > 0) {
        free(run->state);
        run->state = NULL;
        st =
            wm_run_get_floats(run, "strategy's state", &standing->server_state, run->n_state, &run->state, &damage);
    }
    if (st == WM_E_DAMAGED) {
        free(run->params);
        free(run->state);
        run->params = run->state = NULL;
        return wm_run_rebuild(run, standing, &damage, &run->params, &run->state, err);
    }
    if (st != WM_OK && err != NULL)
        *err = damage;
    return st;
}

/* Gateways fetch it: one that is damaged would send all of them round in circles. */
static wm_status check_scaling(wm_run *run, const wm_digest *scaling, wm_error *err)
{
    uint8_t  *bytes = NULL;
    size_t    n;
    wm_status st;

    if (wm_digest_is_zero(scaling))
        return WM_OK;
    st = wm_blobs_get(run->settings.blobs, scaling, SIZE_MAX - 1, &bytes, &n, err);
    free(bytes);
    if (st == WM_E_MISSING)
        wm_fail(err, WM_E_DAMAGED, "its file in blobs/ is gone: put it back from a backup");
    if (st != WM_OK)
        wm_error_prefix(err, "the scaling that the ledger names");
    return st == WM_E_MISSING ? WM_E_DAMAGED : st;
}

/* Its past and what it stands on. A lean run reads the model too, to find now that it is damaged. */
static wm_status go_on(wm_run *run, const wm_standing *standing, wm_error *err)
{
    wm_ledger *ledger = run->settings.ledger;
    wm_status  st = ledger->rounds(ledger, run->settings.record->id, remember, run, err);

    if (st != WM_OK || standing->phase == WM_PHASE_CLOSED)
        return st;
    st = load_models(run, standing, err);
    return st == WM_OK ? check_scaling(run, &standing->scaling, err) : st;
}

wm_status wm_run_begin(wm_run *run, wm_standing *ret, wm_error *err)
{
    wm_ledger  *ledger = run->settings.ledger;
    wm_standing standing;
    wm_status   st = ledger->load(ledger, run->settings.record->id, &standing, err);

    if (st == WM_E_MISSING)
        st = begin_anew(run, &standing, err);
    else if (st == WM_OK)
        st = go_on(run, &standing, err);
    if (st != WM_OK)
        return st;
    if (run->settings.lean) {
        free(run->params);
        run->params = NULL;
    }
    *ret = standing;
    return WM_OK;
}
