/* server/run/commit.c
 *
 * A round is committed: its sums and the next model as blobs, then the ledger. */
#include "server/run/state.h"
#include "common/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void begin_commit(wm_run *run)
{
    const wm_standing *at = wm_engine_standing(run->engine);
    const wm_cohort   *cohort = wm_engine_cohort(run->engine);
    wm_engine_counts   counts;

    wm_engine_counts_get(run->engine, &counts);
    run->record = (wm_round_record){
        .round = at->round,
        .attempts = at->attempt,
        .opened_wall_ms = run->round_opened_wall_ms,
        .selected = (uint32_t)cohort->drawn,
        .accepted = (uint32_t)cohort->accepted,
        .refused = counts.refused,
        .late = counts.late,
        .model_before = at->model,
        .total_weight = wm_accumulator_weight(run->train_sums),
        .contributions = run->contributions,
        .n_contributions = wm_run_collect(run, run->contributions),
        .evaluation = { .loss = NAN },
    };
    assert(wm_accumulator_updates(run->train_sums) == cohort->accepted);
    run->commit.begun = true;
}

/* Without a part for it: the losses that came with the updates, in order of client. */
static double mean_loss(const wm_round_record *record)
{
    double   sum = 0;
    uint64_t weight = 0;

    for (size_t i = 0; i < record->n_contributions; i++)
        if (record->contributions[i].verdict == WM_VERDICT_ACCEPTED) {
            sum += record->contributions[i].loss * (double)record->contributions[i].weight;
            weight += record->contributions[i].weight;
        }
    return sum / (double)weight;
}

static bool all_finite(const float *values, size_t n)
{
    bool finite = true;

    for (size_t i = 0; i < n; i++)
        finite = finite && isfinite(values[i]);
    return finite;
}

/* values[n] again: theirs in memory, or read from the blob. To free(). */
static wm_status copy_of(wm_run *run, const char *what, const float *values, const wm_digest *name, size_t n,
                         float **ret, wm_error *err)
{
    if (values == NULL)
        return wm_run_get_floats(run, what, name, n, ret, err);
    *ret = malloc(n * sizeof **ret);
    if (*ret == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the next %s of %zu numbers", what, n);
    memcpy(*ret, values, n * sizeof **ret);
    return WM_OK;
}

/* Parameters and state of the model that the round began with; where the disk has lost them, computed again. */
static wm_status copy_models(wm_run *run, float **params, float **state, wm_error *err)
{
    const wm_standing *at = wm_engine_standing(run->engine);
    wm_error           damage;
    wm_status          st = copy_of(run, "model", run->params, &at->model, run->n_params, params, &damage);

    if (st == WM_OK && run->n_state > 0)
        st = copy_of(run, "strategy's state", run->state, &at->server_state, run->n_state, state, &damage);
    if (st == WM_OK)
        return WM_OK;
    free(*params);
    *params = NULL;
    if (st == WM_E_DAMAGED)
        return wm_run_rebuild(run, at, &damage, params, state, err);
    if (err != NULL)
        *err = damage;
    return st;
}

/* The next parameters and state, from copies: those of the round stay what they are until it is committed. */
static wm_status apply(wm_run *run, wm_error *err)
{
    wm_commit    *commit = &run->commit;
    const double *means[WM_PARTS_MAX];
    float        *params = NULL, *state = NULL;
    wm_status     st = copy_models(run, &params, &state, err);

    if (st != WM_OK)
        return st;
    commit->params = params;
    commit->state = state;
    wm_accumulator_means(run->train_sums, means);
    run->record.train_loss =
        run->loss_part < run->train_spec.n_parts ? means[run->loss_part][0] : mean_loss(&run->record);
    run->strategy->server_apply(run->settings.job->strategy.options, &run->train_spec, means,
                                commit->params + (run->n_params - run->n_trained), run->n_trained, commit->state);
    commit->applied = true;
    return WM_OK;
}

static wm_status store_commit(wm_run *run, wm_error *err)
{
    wm_commit *commit = &run->commit;
    wm_status  st = WM_OK;

    if (!commit->sums_stored) {
        size_t         n;
        const uint8_t *bytes = wm_accumulator_bytes(run->train_sums, &n);

        st = wm_blobs_put(run->settings.blobs, bytes, n, &run->record.sums, err);
        commit->sums_stored = st == WM_OK;
    }
    if (st == WM_OK && wm_run_dies(run, "commit-sums"))
        return wm_run_died(err);
    if (st == WM_OK && !commit->applied)
        st = apply(run, err);
    if (st == WM_OK && !all_finite(commit->params, run->n_params))
        return wm_fail(err, WM_E_NONFINITE,
                       "round %u: the next model has a parameter that is not finite; "
                       "try a lower rate or a smaller bound",
                       run->record.round);
    if (st == WM_OK && !commit->params_stored) {
        st = wm_run_put_floats(run, commit->params, run->n_params, &commit->model, err);
        commit->params_stored = st == WM_OK;
    }
    if (st == WM_OK && run->n_state > 0 && !commit->state_stored) {
        st = wm_run_put_floats(run, commit->state, run->n_state, &commit->server_state, err);
        commit->state_stored = st == WM_OK;
    }
    return st == WM_OK && wm_run_dies(run, "commit-blobs") ? wm_run_died(err) : st;
}

void wm_commit_release(wm_commit *commit)
{
    free(commit->params);
    free(commit->state);
    *commit = (wm_commit){ 0 };
}

/* The round is in the ledger: its model is ours, and its updates may be let go by their clients. */
static void finish_commit(wm_run *run)
{
    const wm_round_record *record = &run->record;

    if (!run->settings.lean) {
        free(run->params);
        run->params = run->commit.params;
        run->commit.params = NULL;
    }
    if (run->n_state > 0) {
        free(run->state);
        run->state = run->commit.state;
        run->commit.state = NULL;
    }
    wm_commit_release(&run->commit);
    for (size_t i = 0; i < record->n_contributions; i++)
        if (record->contributions[i].verdict == WM_VERDICT_ACCEPTED)
            run->contained[record->contributions[i].client] =
                (wm_contained){ record->round, record->contributions[i].digest };
    run->trained += record->accepted;
    run->train_loss = record->train_loss;
    wm_accumulator_reset(run->train_sums);
}

void wm_run_measure(wm_run *run)
{
    if (run->round_opened == run->record.round)
        run->record.seconds = (double)(wm_mono_ms(&run->settings.clock) - run->round_opened_ms) / 1000;
    run->record.bytes_up = run->bytes_up;
    run->record.bytes_down = run->bytes_down;
}

void wm_run_end_round(wm_run *run)
{
    const wm_round_record *record = &run->record;

    if (run->round_opened == record->round) {
        run->seconds += record->seconds;
        run->seconds_of++;
    }
    run->bytes_up = run->bytes_down = 0;
    wm_log_line(run->settings.log, WM_LOG_DEBUG, "round", "round done", WM_INT_FIELD("round", record->round),
                WM_INT_FIELD("accepted", record->accepted), WM_INT_FIELD("refused", record->refused),
                WM_REAL_FIELD("train_loss", record->train_loss),
                WM_REAL_FIELD("eval_loss", record->evaluation.loss), WM_REAL_FIELD("seconds", record->seconds));
    wm_news_round(run, record);
}

wm_status wm_run_commit(wm_run *run, wm_standing *standing, wm_error *err)
{
    wm_status st;

    if (!run->commit.begun)
        begin_commit(run);
    wm_memory_rest(); /* the round's messages are through, and a commit takes two models more */
    st = store_commit(run, err);
    if (st != WM_OK)
        return st;
    wm_run_measure(run);
    standing->model = run->record.model_after = run->commit.model;
    standing->server_state = run->record.server_state = run->commit.server_state;
    if (wm_run_dies(run, "commit-before"))
        return wm_run_died(err);
    st = run->settings.ledger->commit(run->settings.ledger, run->settings.record->id, standing, &run->record, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "commit-after"))
        return wm_run_died(err);
    finish_commit(run);
    if (standing->phase != WM_PHASE_EVALUATE)
        wm_run_end_round(run);
    return WM_OK;
}
