/* server/run/asking.c
 *
 * What a client asks for: work, and what became of the update that it holds. */
#include "server/run/state.h"

#include <string.h>

enum { DEAD_WAIT_MS = 1000 };

/* Epochs that a client's own data has had so far, on average: what `alone` and `pooled` are given too. */
static uint32_t passes(const wm_run *run)
{
    uint64_t epochs = run->trained * (uint64_t)run->settings.job->training.epochs;
    uint64_t each = (epochs + run->n_population / 2) / run->n_population;

    return each < 1 ? 1 : each > UINT32_MAX ? UINT32_MAX : (uint32_t)each;
}

static void fill_task(const wm_run *run, wm_task *task)
{
    const wm_standing *at = wm_engine_standing(run->engine);

    *task = (wm_task){
        .phase = at->phase,
        .round = at->round,
        .attempt = at->attempt,
        .left_ms = wm_engine_left_ms(run->engine, wm_mono_ms(&run->settings.clock)),
    };
    if (at->phase == WM_PHASE_STATISTICS)
        return;
    task->model = at->model;
    task->scaling = at->scaling;
    if (at->phase == WM_PHASE_FINAL) {
        task->baselines = run->settings.job->evaluate.baselines;
        task->passes = passes(run);
    }
}

/* Under the lock: it may be the one that was lacking, and once it is in the ledger that it is drawn there is work for it. */
static void tell_and_store(wm_run *run, const wm_event *event, wm_action *told)
{
    wm_run_tell(run, event, told);
    if (wm_engine_pending(run->engine) == WM_ACTION_NONE)
        return;
    wm_run_advance(run);
    if (!run->dead)
        wm_run_tell(run, event, told);
}

wm_answer wm_run_ask(wm_run *run, const char *client, wm_task *task, int64_t *come_back_ms)
{
    wm_event  event = { .kind = WM_EVENT_ASK };
    wm_action told;
    wm_answer answer = WM_ANSWER_NOTHING;

    if (!wm_run_find_client(run, client, &event.client))
        return WM_ANSWER_OVER;
    pthread_mutex_lock(&run->lock);
    *come_back_ms = DEAD_WAIT_MS;
    if (!run->dead)
        tell_and_store(run, &event, &told);
    if (!run->dead) {
        *come_back_ms = told.come_back_ms;
        if (told.kind == WM_ACTION_OFFER) {
            fill_task(run, task);
            answer = WM_ANSWER_TASK;
        } else if (told.kind == WM_ACTION_OVER) {
            answer = WM_ANSWER_OVER;
        }
    }
    wm_run_leave(run);
    return answer;
}

/* Under the lock. */
static wm_fate fate_of(const wm_run *run, uint32_t client, const wm_update_key *key)
{
    const wm_seat *seat = &wm_engine_cohort(run->engine)->seats[client];
    wm_phase       phase = key->kind == WM_TASK_TRAIN ? WM_PHASE_TRAIN : WM_PHASE_STATISTICS;
    int            order = wm_engine_order(run->engine, phase, key->round);

    if (key->kind != WM_TASK_TRAIN && key->kind != WM_TASK_STATISTICS)
        return WM_FATE_OVER;
    if (order < 0 && phase == WM_PHASE_TRAIN && run->contained[client].round == key->round)
        return WM_FATE_COMMITTED;
    if (order < 0 && phase == WM_PHASE_STATISTICS && run->in_scaling[client])
        return WM_FATE_COMMITTED;
    if (order != 0 || !seat->drawn)
        return WM_FATE_OVER;
    if (seat->part.verdict == WM_VERDICT_ACCEPTED)
        return WM_FATE_ACCEPTED;
    return seat->part.verdict == WM_VERDICT_NONE && !wm_engine_is_closing(run->engine) ? WM_FATE_WANTED
                                                                                       : WM_FATE_OVER;
}

wm_fate wm_run_fate(wm_run *run, const char *client, const wm_update_key *key)
{
    uint32_t who;
    wm_fate  fate;

    if (!wm_run_find_client(run, client, &who) || memcmp(key->run, run->settings.record->id, WM_RUN_ID_SIZE) != 0)
        return WM_FATE_OVER;
    pthread_mutex_lock(&run->lock);
    fate = run->dead ? WM_FATE_ACCEPTED : fate_of(run, who, key); /* dead: nobody may let go of anything */
    pthread_mutex_unlock(&run->lock);
    return fate;
}

uint32_t wm_run_contained(wm_run *run, const char *client)
{
    uint32_t who, round;

    if (!wm_run_find_client(run, client, &who))
        return 0;
    pthread_mutex_lock(&run->lock);
    round = run->contained[who].round;
    pthread_mutex_unlock(&run->lock);
    return round;
}
