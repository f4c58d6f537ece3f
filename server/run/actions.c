/* server/run/actions.c
 *
 * The durable actions. Each writes its blobs first, then makes one call of the ledger, and is named at a crash point
 * before and after: what the ledger does not name did not happen, and what it names is on the disk. A step that fails
 * (a full disk) leaves everything as it was and is tried again, with growing pauses; clients wait meanwhile. */
#include "server/run/state.h"

#include "common/crash.h"
#include "common/job/scaling.h"

#include <assert.h>
#include <stdlib.h>

enum { RETRY_LEAST_MS = 1000, RETRY_MOST_MS = 60000 };

bool wm_run_dies(wm_run *run, const char *point)
{
    wm_crash_point(point);
    if (!run->dead && run->settings.die != NULL && run->settings.die(run->settings.die_context, point))
        run->dead = true;
    return run->dead;
}

wm_status wm_run_died(wm_error *err)
{
    return wm_fail(err, WM_E_CLOSED, "killed by a test");
}

wm_status wm_run_put_floats(wm_run *run, const float *values, size_t n, wm_digest *name, wm_error *err)
{
    return wm_blobs_put(run->settings.blobs, values, n * sizeof *values, name, err);
}

static wm_status do_open(wm_run *run, const wm_standing *standing, wm_error *err)
{
    wm_status st;

    if (wm_run_dies(run, "open-before"))
        return wm_run_died(err);
    st = run->settings.ledger->open(run->settings.ledger, run->settings.record->id, standing, err);
    return st == WM_OK && wm_run_dies(run, "open-after") ? wm_run_died(err) : st;
}

static wm_status do_substitute(wm_run *run, wm_error *err)
{
    wm_ledger             *ledger = run->settings.ledger;
    size_t                 n;
    const wm_substitution *drawn = wm_engine_substitutes(run->engine, &n);
    wm_status              st;

    if (wm_run_dies(run, "substitute-before"))
        return wm_run_died(err);
    st =
        ledger->substitute(ledger, run->settings.record->id, wm_engine_standing(run->engine)->round, drawn, n, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "substitute-after"))
        return wm_run_died(err);
    for (size_t i = 0; i < n; i++)
        wm_log_line(run->settings.log, WM_LOG_INFO, "round", "another is drawn in the place of one who is away",
                    WM_TEXT_FIELD("client", run->settings.record->population[drawn[i].client]),
                    WM_TEXT_FIELD("place_of", run->settings.record->population[drawn[i].place_of]),
                    WM_INT_FIELD("round", wm_engine_standing(run->engine)->round));
    run->changed = true; /* there is work for them */
    return WM_OK;
}

size_t wm_run_collect(const wm_run *run, wm_contribution *contributions)
{
    const wm_cohort *cohort = wm_engine_cohort(run->engine);
    size_t           n = 0;

    for (size_t k = 0; k < cohort->n_population; k++)
        if (cohort->seats[k].drawn || cohort->seats[k].part.verdict != WM_VERDICT_NONE)
            contributions[n++] = cohort->seats[k].part;
    return n;
}

/* What is to be made of the sums comes first: there may be no scaling in them. */
static wm_status store_scaling(wm_run *run, wm_digest *name, wm_digest *sums_name, wm_error *err)
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
    if (st == WM_OK) {
        const uint8_t *kept = wm_accumulator_bytes(run->statistics_sums, &n);

        st = wm_blobs_put(run->settings.blobs, kept, n, sums_name, err);
    }
    return st;
}

static wm_status do_scale(wm_run *run, wm_standing *standing, wm_error *err)
{
    wm_digest sums;
    wm_status st = store_scaling(run, &standing->scaling, &sums, err);
    size_t    n;

    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "scaled-before"))
        return wm_run_died(err);
    n = wm_run_collect(run, run->contributions);
    st = run->settings.ledger->scaled(run->settings.ledger, run->settings.record->id, standing, &sums,
                                      run->contributions, n, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "scaled-after"))
        return wm_run_died(err);
    for (size_t i = 0; i < n; i++)
        run->in_scaling[run->contributions[i].client] = run->contributions[i].verdict == WM_VERDICT_ACCEPTED;
    return WM_OK;
}

static wm_status do_evaluated(wm_run *run, const wm_standing *standing, wm_error *err)
{
    wm_engine_counts counts;
    wm_round_record  record;
    wm_status        st;

    /* A copy: if the ledger cannot take it now, the next try must not count twice. */
    assert(run->record.round == wm_engine_standing(run->engine)->round);
    wm_run_measure(run);
    wm_engine_counts_get(run->engine, &counts);
    record = run->record;
    record.refused += counts.refused;
    record.late += counts.late;
    record.evaluated = true;
    record.evaluation = wm_results_together(run, WM_FEDERATED);
    if (wm_run_dies(run, "evaluated-before"))
        return wm_run_died(err);
    st = run->settings.ledger->evaluated(run->settings.ledger, run->settings.record->id, standing, &record, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "evaluated-after"))
        return wm_run_died(err);
    run->record = record;
    if (record.evaluation.present) {
        run->eval_loss = record.evaluation.loss;
        run->metric = record.evaluation.metrics[0];
    }
    wm_run_end_round(run);
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
        return wm_run_died(err);
    st = run->settings.ledger->close(run->settings.ledger, run->settings.record->id, standing, run->final, err);
    if (st != WM_OK)
        return st;
    if (wm_run_dies(run, "close-after"))
        return wm_run_died(err);
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
    case WM_ACTION_SUBSTITUTE:
        return do_substitute(run, err);
    case WM_ACTION_SCALE:
        return do_scale(run, standing, err);
    case WM_ACTION_COMMIT:
        return wm_run_commit(run, standing, err);
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
        if (event.kind == WM_EVENT_DONE && action != WM_ACTION_SUBSTITUTE)
            opened(run);
    }
}
