/* server/run/actions.c
 *
 * The durable actions. Each writes its blobs first, then makes one call of the ledger, and is named at a crash point
 * before and after: what the ledger does not name did not happen, and what it names is on the disk. A step that fails
 * (a full disk) leaves everything as it was and is tried again, with growing pauses; clients wait meanwhile. */
#include "server/run/state.h"

#include "common/crash.h"
#include "common/job/scaling.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_LEAST_MS = 1000, RETRY_MOST_MS = 60000 };

bool wm_run_dies(wm_run *run, const char *point)
{
    wm_crash_point(point);
    if (!run->dead && run->settings.die != NULL && run->settings.die(run->settings.die_context, point))
        run->dead = true;
    return run->dead;
}

static wm_status died(wm_error *err)
{
    return wm_fail(err, WM_E_CLOSED, "killed by a test");
}

static const uint8_t *id_of(const wm_run *run)
{
    return run->settings.record->id;
}

/* ---- beginning and going on ---- */

static wm_status put_floats(wm_run *run, const float *values, size_t n, wm_digest *name, wm_error *err)
{
    return wm_blobs_put(run->settings.blobs, values, n * sizeof *values, name, err);
}

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
    st = put_floats(run, run->params, run->n_params, &first.model, err);
    if (st == WM_OK && run->n_state > 0)
        st = put_floats(run, run->state, run->n_state, &first.server_state, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "start-before"))
        return died(err);
    st = run->settings.ledger->start(run->settings.ledger, run->settings.record, &first, err);
    if (st == WM_OK && wm_run_dies(run, "start-after"))
        return died(err);
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
    wm_status   st = ledger->load(ledger, id_of(run), &standing, err);

    if (st == WM_E_MISSING)
        return begin_anew(run, ret, err);
    if (st == WM_OK)
        st = ledger->rounds(ledger, id_of(run), remember, run, err);
    if (st == WM_OK && standing.phase != WM_PHASE_CLOSED) {
        st = get_floats(run, "model", &standing.model, run->params, run->n_params, err);
        if (st == WM_OK && run->n_state > 0)
            st = get_floats(run, "strategy's state", &standing.server_state, run->state, run->n_state, err);
    }
    if (st == WM_OK)
        *ret = standing;
    return st;
}

/* ---- the actions ---- */

static wm_status do_open(wm_run *run, const wm_standing *standing, wm_error *err)
{
    wm_status st;

    if (wm_run_dies(run, "open-before"))
        return died(err);
    st = run->settings.ledger->open(run->settings.ledger, id_of(run), standing, err);
    return st == WM_OK && wm_run_dies(run, "open-after") ? died(err) : st;
}

/* The cohort, and whoever else was heard of, as the record has it: [n_population] in order of client. */
static size_t collect(const wm_run *run, wm_contribution *contributions)
{
    const wm_cohort *cohort = wm_engine_cohort(run->engine);
    size_t           n = 0;

    for (size_t k = 0; k < cohort->n_population; k++)
        if (cohort->seats[k].drawn || cohort->seats[k].part.verdict != WM_VERDICT_NONE)
            contributions[n++] = cohort->seats[k].part;
    return n;
}

static wm_status store_scaling(wm_run *run, wm_digest *name, wm_error *err)
{
    const int64_t *sums[WM_STATISTICS_PARTS];
    wm_scaling     scaling = { 0 };
    uint8_t       *bytes = NULL;
    size_t         n;
    wm_status      st;

    for (size_t i = 0; i < WM_STATISTICS_PARTS; i++)
        sums[i] = wm_accumulator_sums(run->statistics_sums, i);
    st = wm_scaling_from_statistics(run->settings.job, sums, &scaling, err);
    if (st == WM_OK)
        st = wm_scaling_encode(&scaling, &bytes, &n, err);
    if (st == WM_OK)
        st = wm_blobs_put(run->settings.blobs, bytes, n, name, err);
    free(bytes);
    wm_scaling_release(&scaling);
    return st;
}

static wm_status do_scale(wm_run *run, wm_standing *standing, wm_error *err)
{
    wm_status st = store_scaling(run, &standing->scaling, err);
    size_t    n;

    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "scaled-before"))
        return died(err);
    n = collect(run, run->contributions);
    st = run->settings.ledger->scaled(run->settings.ledger, id_of(run), standing, run->contributions, n, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "scaled-after"))
        return died(err);
    for (size_t i = 0; i < n; i++)
        run->in_scaling[run->contributions[i].client] = run->contributions[i].verdict == WM_VERDICT_ACCEPTED;
    return WM_OK;
}

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
        .n_contributions = collect(run, run->contributions),
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

/* The next parameters and state, from copies: those of the round stay what they are until it is committed. */
static wm_status apply(wm_run *run, wm_error *err)
{
    wm_commit    *commit = &run->commit;
    const double *means[WM_PARTS_MAX];

    commit->params = malloc(run->n_params * sizeof *commit->params);
    commit->state = run->n_state > 0 ? malloc(run->n_state * sizeof *commit->state) : NULL;
    if (commit->params == NULL || (run->n_state > 0 && commit->state == NULL)) {
        free(commit->params);
        free(commit->state);
        commit->params = commit->state = NULL;
        return wm_fail(err, WM_E_NOMEM, "no memory for the next model of %zu parameters", run->n_params);
    }
    memcpy(commit->params, run->params, run->n_params * sizeof *commit->params);
    if (run->n_state > 0)
        memcpy(commit->state, run->state, run->n_state * sizeof *commit->state);
    wm_accumulator_means(run->train_sums, means);
    run->record.train_loss =
        run->loss_part < run->train_spec.n_parts ? means[run->loss_part][0] : mean_loss(&run->record);
    run->strategy->server_apply(run->settings.job->strategy.options, &run->train_spec, means, commit->params,
                                run->n_params, commit->state);
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
        return died(err);
    if (st == WM_OK && !commit->applied)
        st = apply(run, err);
    if (st == WM_OK && !all_finite(commit->params, run->n_params))
        return wm_fail(err, WM_E_NONFINITE,
                       "round %u: the next model has a parameter that is not finite; "
                       "try a lower rate or a smaller bound",
                       run->record.round);
    if (st == WM_OK && !commit->params_stored) {
        st = put_floats(run, commit->params, run->n_params, &commit->model, err);
        commit->params_stored = st == WM_OK;
    }
    if (st == WM_OK && run->n_state > 0 && !commit->state_stored) {
        st = put_floats(run, commit->state, run->n_state, &commit->server_state, err);
        commit->state_stored = st == WM_OK;
    }
    return st == WM_OK && wm_run_dies(run, "commit-blobs") ? died(err) : st;
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

    free(run->params);
    run->params = run->commit.params;
    run->commit.params = NULL;
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

/* Seconds and bytes of the round so far. */
static void measure(wm_run *run)
{
    if (run->round_opened == run->record.round)
        run->record.seconds = (double)(wm_mono_ms(&run->settings.clock) - run->round_opened_ms) / 1000;
    run->record.bytes_up = run->bytes_up;
    run->record.bytes_down = run->bytes_down;
}

static void end_round(wm_run *run)
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

static wm_status do_commit(wm_run *run, wm_standing *standing, wm_error *err)
{
    wm_status st;

    if (!run->commit.begun)
        begin_commit(run);
    st = store_commit(run, err);
    if (st != WM_OK)
        return st;
    measure(run);
    standing->model = run->record.model_after = run->commit.model;
    standing->server_state = run->record.server_state = run->commit.server_state;
    if (wm_run_dies(run, "commit-before"))
        return died(err);
    st = run->settings.ledger->commit(run->settings.ledger, id_of(run), standing, &run->record, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "commit-after"))
        return died(err);
    finish_commit(run);
    if (standing->phase != WM_PHASE_EVALUATE)
        end_round(run);
    return WM_OK;
}

static wm_status do_evaluated(wm_run *run, const wm_standing *standing, wm_error *err)
{
    wm_engine_counts counts;
    wm_round_record  record;
    wm_status        st;

    /* A copy: if the ledger cannot take it now, the next try must not count twice. */
    assert(run->record.round == wm_engine_standing(run->engine)->round);
    measure(run);
    wm_engine_counts_get(run->engine, &counts);
    record = run->record;
    record.refused += counts.refused;
    record.late += counts.late;
    record.evaluated = true;
    record.evaluation = wm_results_together(run, WM_FEDERATED);
    if (wm_run_dies(run, "evaluated-before"))
        return died(err);
    st = run->settings.ledger->evaluated(run->settings.ledger, id_of(run), standing, &record, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "evaluated-after"))
        return died(err);
    run->record = record;
    if (record.evaluation.present) {
        run->eval_loss = record.evaluation.loss;
        run->metric = record.evaluation.metrics[0];
    }
    end_round(run);
    return WM_OK;
}

static wm_status do_close(wm_run *run, const wm_standing *standing, wm_error *err)
{
    wm_status st = WM_OK;

    if (run->final == NULL && wm_engine_standing(run->engine)->phase == WM_PHASE_FINAL)
        st = wm_results_final(run, &run->final, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "close-before"))
        return died(err);
    st = run->settings.ledger->close(run->settings.ledger, id_of(run), standing, run->final, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "close-after"))
        return died(err);
    wm_log_line(run->settings.log, WM_LOG_DEBUG, "run", "run over",
                WM_TEXT_FIELD("outcome", wm_outcome_name(standing->outcome)), WM_TEXT_FIELD("why", standing->why));
    wm_news_closed(run);
    return WM_OK;
}

static wm_status perform(wm_run *run, wm_action_kind action, wm_standing *standing, wm_error *err)
{
    switch (action) {
    case WM_ACTION_OPEN:
        return do_open(run, standing, err);
    case WM_ACTION_SCALE:
        return do_scale(run, standing, err);
    case WM_ACTION_COMMIT:
        return do_commit(run, standing, err);
    case WM_ACTION_EVALUATED:
        return do_evaluated(run, standing, err);
    case WM_ACTION_CLOSE:
        return do_close(run, standing, err);
    default:
        assert(false && "only durable actions are pending");
        return WM_OK;
    }
}

/* A phase or an attempt is open: what belongs to the one before goes. */
static void opened(wm_run *run)
{
    const wm_standing *at = wm_engine_standing(run->engine);

    run->changed = true;
    if (at->attempt == 0)
        wm_results_clear(run);
    if (at->phase == WM_PHASE_TRAIN && at->attempt == 0) {
        run->round_opened = at->round;
        run->round_opened_ms = wm_mono_ms(&run->settings.clock);
        run->round_opened_wall_ms = at->opened_wall_ms;
    }
    if (at->phase == WM_PHASE_CLOSED)
        return;
    wm_log_line(run->settings.log, at->attempt > 0 ? WM_LOG_WARNING : WM_LOG_INFO, "round",
                at->attempt > 0 ? "another attempt, since too few have answered" : "open",
                WM_TEXT_FIELD("phase", wm_phase_name(at->phase)), WM_INT_FIELD("round", at->round),
                WM_INT_FIELD("attempt", at->attempt), WM_INT_FIELD("cohort", wm_engine_cohort(run->engine)->drawn));
}

static void schedule_retry(wm_run *run, int64_t now_ms, const wm_error *err)
{
    run->failure = *err;
    run->retry_ms = run->retry_ms == 0                  ? RETRY_LEAST_MS
                    : 2 * run->retry_ms < RETRY_MOST_MS ? 2 * run->retry_ms
                                                        : RETRY_MOST_MS;
    run->retry_at_ms = now_ms + run->retry_ms;
    wm_log_line(run->settings.log, WM_LOG_ERROR, "run", "cannot write; nothing is lost, and it is tried again",
                WM_INT_FIELD("in_ms", run->retry_ms), WM_TEXT_FIELD("why", err->text));
}

void wm_run_advance(wm_run *run)
{
    wm_action_kind action;

    while (!run->dead && (action = wm_engine_pending(run->engine)) != WM_ACTION_NONE) {
        int64_t     now_ms = wm_mono_ms(&run->settings.clock);
        wm_standing standing = *wm_engine_next(run->engine);
        wm_event    event = { .kind = WM_EVENT_DONE, .standing = &standing };
        wm_error    err = { 0 };
        wm_actions  unused; /* what comes next is pending, and is found there */
        wm_status   st;

        if (run->retry_ms > 0 && now_ms < run->retry_at_ms)
            return;
        standing.opened_wall_ms = wm_wall_ms(&run->settings.clock);
        st = perform(run, action, &standing, &err);
        if (run->dead)
            return;
        if (st == WM_E_RANGE || st == WM_E_NONFINITE) { /* trying again would not help */
            event = (wm_event){ .kind = WM_EVENT_FAIL, .reason = err.text };
            wm_commit_release(&run->commit);
        } else if (st != WM_OK) {
            schedule_retry(run, now_ms, &err);
            return;
        }
        run->retry_ms = 0;
        wm_engine_handle(run->engine, &event, wm_mono_ms(&run->settings.clock), &unused);
        if (event.kind == WM_EVENT_DONE)
            opened(run);
    }
}
