/* server/round/engine.c
 *
 * A phase is opened, and everything that can be asked of an engine. What follows what is in aims.c, what an event does in
 * events.c. */
#include "server/round/state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* ---- opening ---- */

static int64_t saturating(int64_t a, int64_t times)
{
    int64_t product;

    return __builtin_mul_overflow(a, times, &product) ? INT64_MAX : product;
}

int64_t wm_engine_phase_deadline_ms(const wm_engine *engine)
{
    const wm_job *job = engine->settings.job;
    bool          alone = (job->evaluate.baselines & WM_BASELINE_ALONE) != 0;

    if (engine->settings.patient)
        return INT64_MAX;
    if (engine->standing.phase != WM_PHASE_FINAL)
        return job->cohort.deadline_ms;
    return saturating(job->cohort.deadline_ms, 2 + (alone ? job->rounds : 0)); /* a client alone trains them all */
}

static size_t quorum_of(const wm_job *job, size_t goal)
{
    assert(job->cohort.quorum <= 1);
    /* 0.7 * 10 is 7.000000000000001 in some arithmetic: a hair less, so that it needs 7 and not 8. */
    size_t need = (size_t)ceil(job->cohort.quorum * (double)goal - 1e-9);

    return need < 1 ? 1 : need;
}

/* Adds the draws of attempts `from` to the standing's, and sets what the phase aims for. */
static void draw_cohort(wm_engine *engine, uint32_t from)
{
    const wm_job      *job = engine->settings.job;
    const wm_standing *at = &engine->standing;
    wm_cohort         *cohort = &engine->cohort;
    size_t             n = cohort->n_population;

    switch (at->phase) {
    case WM_PHASE_TRAIN:
        for (uint32_t attempt = from; attempt <= at->attempt && cohort->drawn < n; attempt++)
            wm_cohort_draw(cohort, &job->cohort.select, job->cohort.over, engine->settings.seed, "cohort",
                           at->round, attempt);
        engine->counts.goal = wm_cohort_goal(&job->cohort.select, n);
        engine->counts.need = quorum_of(job, engine->counts.goal);
        break;
    case WM_PHASE_EVALUATE:
        for (uint32_t attempt = from; attempt <= at->attempt && cohort->drawn < n; attempt++)
            wm_cohort_draw(cohort, &job->evaluate.select, 1, engine->settings.seed, "evaluators", at->round,
                           attempt);
        engine->counts.goal = cohort->drawn;
        engine->counts.need = 1;
        break;
    case WM_PHASE_STATISTICS:
    case WM_PHASE_FINAL:
        wm_cohort_draw_all(cohort);
        engine->counts.goal = n;
        engine->counts.need = at->phase == WM_PHASE_FINAL ? 0 : quorum_of(job, n);
        break;
    case WM_PHASE_NONE:
    case WM_PHASE_CLOSED:
        break;
    }
}

void wm_engine_open_phase(wm_engine *engine, bool another_attempt, int64_t now_ms, int64_t left_ms)
{
    if (another_attempt) {
        wm_cohort_ask_again(&engine->cohort);
    } else {
        wm_cohort_clear(&engine->cohort);
        engine->counts = (wm_engine_counts){ 0 };
    }
    draw_cohort(engine, another_attempt ? engine->standing.attempt : 0);
    engine->opened_ms = now_ms;
    engine->deadline_ms = left_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + left_ms;
}

wm_status wm_engine_new(const wm_engine_settings *settings, const wm_standing *standing, int64_t mono_ms,
                        int64_t wall_ms, wm_actions *actions, wm_engine **ret, wm_error *err)
{
    wm_engine *engine = calloc(1, sizeof *engine);
    int64_t    deadline_ms, elapsed_ms, left_ms;
    wm_status  st;

    assert(settings->n_population > 0);
    if (engine == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the round engine");
    st = wm_cohort_init(&engine->cohort, settings->n_population, err);
    if (st == WM_OK)
        engine->substitutes = calloc(settings->n_population, sizeof *engine->substitutes);
    if (st == WM_OK && engine->substitutes == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the substitutes of %zu clients", settings->n_population);
    if (st != WM_OK) {
        wm_engine_free(engine);
        return st;
    }
    engine->settings = *settings;
    engine->settings.substitutes = NULL;
    engine->standing = *standing;

    /* A wall clock that was set back must not give more time than the job does. */
    deadline_ms = wm_engine_phase_deadline_ms(engine);
    elapsed_ms = wall_ms > standing->opened_wall_ms ? wall_ms - standing->opened_wall_ms : 0;
    left_ms = deadline_ms == INT64_MAX ? INT64_MAX : deadline_ms - elapsed_ms;
    wm_engine_open_phase(engine, false, mono_ms, left_ms > settings->grace_ms ? left_ms : settings->grace_ms);
    assert(settings->n_substitutes == 0 || standing->phase == WM_PHASE_TRAIN);
    for (size_t i = 0; i < settings->n_substitutes; i++)
        wm_cohort_substitute(&engine->cohort, &settings->substitutes[i]);
    *actions = (wm_actions){ 0 };
    if (standing->phase == WM_PHASE_NONE)
        wm_engine_aim_first(engine);
    wm_engine_act_pending(engine, WM_ACTION_NONE, actions);
    *ret = engine;
    return WM_OK;
}

void wm_engine_free(wm_engine *engine)
{
    if (engine == NULL)
        return;
    wm_cohort_release(&engine->cohort);
    free(engine->substitutes);
    free(engine);
}

/* ---- what it is ---- */

wm_action_kind wm_engine_pending(const wm_engine *engine)
{
    return engine->pending;
}

bool wm_engine_is_closing(const wm_engine *engine)
{
    if (engine->pending == WM_ACTION_SUBSTITUTE)
        return engine->cohort.accepted >= engine->counts.goal;
    return engine->pending != WM_ACTION_NONE;
}

const wm_substitution *wm_engine_substitutes(const wm_engine *engine, size_t *n)
{
    assert(engine->pending == WM_ACTION_SUBSTITUTE);
    *n = engine->n_substitutes;
    return engine->substitutes;
}

const wm_standing *wm_engine_next(const wm_engine *engine)
{
    assert(engine->pending != WM_ACTION_NONE);
    return &engine->next;
}

const wm_standing *wm_engine_standing(const wm_engine *engine)
{
    return &engine->standing;
}

const wm_cohort *wm_engine_cohort(const wm_engine *engine)
{
    return &engine->cohort;
}

void wm_engine_counts_get(const wm_engine *engine, wm_engine_counts *ret)
{
    *ret = engine->counts;
}

int64_t wm_engine_left_ms(const wm_engine *engine, int64_t mono_ms)
{
    if (engine->deadline_ms == INT64_MAX || engine->standing.phase == WM_PHASE_CLOSED)
        return INT64_MAX;
    return engine->deadline_ms > mono_ms ? engine->deadline_ms - mono_ms : 0;
}

int64_t wm_engine_open_ms(const wm_engine *engine, int64_t mono_ms)
{
    return mono_ms - engine->opened_ms;
}

int wm_engine_order(const wm_engine *engine, wm_phase phase, uint32_t round)
{
    const wm_standing *at = &engine->standing;
    bool               ends = at->phase == WM_PHASE_FINAL || at->phase == WM_PHASE_CLOSED;

    if (phase == at->phase && round == at->round)
        return 0;
    switch (phase) {
    case WM_PHASE_STATISTICS:
        return round != 0 || at->phase == WM_PHASE_NONE ? 1 : -1;
    case WM_PHASE_TRAIN:
    case WM_PHASE_EVALUATE:
        if (round == 0 || round > at->round)
            return 1;
        if (round < at->round || ends)
            return -1;
        return phase < at->phase ? -1 : 1;
    case WM_PHASE_FINAL:
        return at->phase == WM_PHASE_CLOSED ? -1 : 1;
    case WM_PHASE_NONE:
    case WM_PHASE_CLOSED:
        break;
    }
    return 1;
}
