/* server/round/aims.c
 *
 * What follows what (the `aim_` functions, which set `pending` and `next`), and when a phase closes. */
#include "server/round/state.h"

#include "common/clock.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    PATIENT_ATTEMPTS = 3, /* where no deadline passes, asking the same clients for ever would help nobody */
    NAMES_MOST = 4,       /* of those who were waited for, in the sentence of a failure */
};

/* ---- what follows what ---- */

void wm_engine_say(char *to, size_t room, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(to, room, fmt, args);
    va_end(args);
}

static void aim(wm_engine *engine, wm_action_kind action, wm_phase phase, uint32_t round, uint32_t attempt)
{
    assert(engine->pending == WM_ACTION_NONE);
    engine->pending = action;
    engine->next = engine->standing;
    engine->next.phase = phase;
    engine->next.round = round;
    engine->next.attempt = attempt;
}

void wm_engine_aim_close(wm_engine *engine, wm_outcome outcome, const char *why)
{
    aim(engine, WM_ACTION_CLOSE, WM_PHASE_CLOSED, engine->standing.round, 0);
    engine->next.outcome = outcome;
    wm_engine_say(engine->next.why, sizeof engine->next.why, "%s", why);
}

void wm_engine_aim_first(wm_engine *engine)
{
    bool statistics = engine->settings.statistics;

    aim(engine, WM_ACTION_OPEN, statistics ? WM_PHASE_STATISTICS : WM_PHASE_TRAIN, statistics ? 0 : 1, 0);
}

static void aim_commit(wm_engine *engine)
{
    const wm_job *job = engine->settings.job;
    uint32_t      round = engine->standing.round;
    bool          evaluate = round % job->evaluate.every == 0 || round == job->rounds;

    aim(engine, WM_ACTION_COMMIT, evaluate ? WM_PHASE_EVALUATE : WM_PHASE_TRAIN, evaluate ? round : round + 1, 0);
}

/* The mean loss of the examples of all who reported, added in order of name. NaN if nobody did. */
static double reported_loss(const wm_engine *engine)
{
    double   sum = 0;
    uint64_t examples = 0;

    for (size_t k = 0; k < engine->cohort.n_population; k++) {
        const wm_contribution *part = &engine->cohort.seats[k].part;

        if (part->verdict == WM_VERDICT_ACCEPTED) {
            sum += part->loss * (double)part->weight;
            examples += part->weight;
        }
    }
    return examples > 0 ? sum / (double)examples : NAN;
}

static void aim_evaluated(wm_engine *engine)
{
    const wm_job *job = engine->settings.job;
    uint32_t      round = engine->standing.round, without = engine->standing.evaluations_without_gain;
    double        loss = reported_loss(engine), best = engine->standing.best_loss;
    bool          gain = isnan(best) ? !isnan(loss) : loss < best;
    bool          enough;

    without = gain ? 0 : without + 1;
    enough = job->evaluate.patience > 0 && without >= (uint64_t)job->evaluate.patience;
    if (round == job->rounds || enough)
        aim(engine, WM_ACTION_EVALUATED, WM_PHASE_FINAL, round, 0);
    else
        aim(engine, WM_ACTION_EVALUATED, WM_PHASE_TRAIN, round + 1, 0);
    engine->next.evaluations_without_gain = without;
    engine->next.best_loss = gain ? loss : best;
}

static void aim_end(wm_engine *engine)
{
    char why[sizeof engine->next.why];

    if (engine->standing.round == engine->settings.job->rounds) {
        wm_engine_say(why, sizeof why, "all %u rounds are done", engine->standing.round);
        wm_engine_aim_close(engine, WM_OUTCOME_DONE, why);
        return;
    }
    wm_engine_say(why, sizeof why, "the loss has not got better in %u evaluations",
                  engine->standing.evaluations_without_gain);
    wm_engine_aim_close(engine, WM_OUTCOME_EARLY, why);
}

/* "training of round 3: 1 of 3 updates that are needed after 2 attempts; waited for east, north since 2026-..." */
static void aim_failure(wm_engine *engine)
{
    const wm_standing *at = &engine->standing;
    wm_text            names = WM_TEXT_INIT;
    char               why[sizeof engine->next.why], since[WM_TIME_TEXT], where[64];

    if (at->phase == WM_PHASE_STATISTICS)
        wm_engine_say(where, sizeof where, "statistics");
    else
        wm_engine_say(where, sizeof where, "%s of round %u", wm_phase_name(at->phase), at->round);
    wm_cohort_waiting_for(&engine->cohort, engine->settings.names, NAMES_MOST, &names);
    if (wm_cohort_unanswered(&engine->cohort) > 0)
        wm_engine_say(why, sizeof why, "%s: %zu of %zu answers needed, after attempt %u; waited since %s for %s",
                      where, engine->cohort.accepted, engine->counts.need, at->attempt + 1,
                      wm_time_text(at->opened_wall_ms, since), wm_text_chars(&names));
    else
        wm_engine_say(why, sizeof why,
                      "%s: %zu of %zu answers needed, after attempt %u; %zu refused and %zu declined", where,
                      engine->cohort.accepted, engine->counts.need, at->attempt + 1, engine->cohort.refused,
                      engine->cohort.declined);
    wm_text_release(&names);
    wm_engine_aim_close(engine, WM_OUTCOME_FAILED, why);
}

static void aim_again(wm_engine *engine)
{
    int64_t most = engine->settings.job->cohort.attempts;

    if (most == 0 && engine->settings.patient)
        most = PATIENT_ATTEMPTS;
    if (most > 0 && (int64_t)engine->standing.attempt + 1 >= most)
        aim_failure(engine);
    else
        aim(engine, WM_ACTION_OPEN, engine->standing.phase, engine->standing.round, engine->standing.attempt + 1);
}

/* ---- when a phase closes ---- */

static void aim_complete(wm_engine *engine)
{
    assert(engine->standing.phase != WM_PHASE_NONE && engine->standing.phase != WM_PHASE_CLOSED);
    switch (engine->standing.phase) {
    case WM_PHASE_STATISTICS:
        aim(engine, WM_ACTION_SCALE, WM_PHASE_TRAIN, 1, 0);
        break;
    case WM_PHASE_TRAIN:
        aim_commit(engine);
        break;
    case WM_PHASE_EVALUATE:
        aim_evaluated(engine);
        break;
    case WM_PHASE_FINAL:
    case WM_PHASE_NONE: /* nobody takes part in this, nor in the next */
    case WM_PHASE_CLOSED:
        aim_end(engine);
    }
}

void wm_engine_deadline_passed(wm_engine *engine)
{
    if (engine->cohort.accepted >= engine->counts.need)
        aim_complete(engine);
    else
        aim_again(engine);
}

/* Whether what has come is enough to go on with, now that nobody is left who could add to it. */
static bool is_enough(const wm_engine *engine)
{
    const wm_cohort *cohort = &engine->cohort;

    if (engine->standing.phase != WM_PHASE_EVALUATE && engine->standing.phase != WM_PHASE_FINAL)
        return cohort->accepted >= engine->counts.need;
    /* An evaluation that nobody has data for is closed without figures; one that all have left is not. */
    return cohort->accepted > 0 || cohort->away == 0;
}

void wm_engine_settle(wm_engine *engine)
{
    bool all = wm_cohort_outstanding(&engine->cohort) == 0;

    if (engine->pending != WM_ACTION_NONE || engine->standing.phase == WM_PHASE_CLOSED)
        return;
    if (engine->cohort.accepted >= engine->counts.goal || (all && is_enough(engine)))
        aim_complete(engine);
    else if (all && engine->settings.patient)
        wm_engine_deadline_passed(engine);
    /* Otherwise all have answered below the quorum: wait for the deadline, or a round would be asked again at once. */
}

void wm_engine_replace(wm_engine *engine)
{
    const wm_standing *at = &engine->standing;

    if (at->phase != WM_PHASE_TRAIN || engine->pending != WM_ACTION_NONE)
        return;
    engine->n_substitutes =
        wm_cohort_substitutes(&engine->cohort, engine->settings.seed, at->round, engine->substitutes);
    if (engine->n_substitutes > 0)
        aim(engine, WM_ACTION_SUBSTITUTE, at->phase, at->round, at->attempt);
}
