/* server/run/answers.c
 *
 * What a client says that is not an update: a report, that it will not, that it came too late; and what a fleet says of it. */
#include "server/run/state.h"

#include <string.h>

/* Who has no examples in the part that is evaluated says so by a report of none. That is honest, and no figure. */
static bool is_of_no_examples(unsigned present, const wm_evaluation *results)
{
    const wm_evaluation *federated = &results[WM_FEDERATED];

    return (present & (1u << WM_FEDERATED)) != 0 && federated->examples == 0 && federated->count == 0 &&
           federated->loss_sum == 0;
}

wm_verdict wm_run_report(wm_run *run, const char *client, wm_phase phase, uint32_t round, unsigned present,
                         const wm_evaluation results[WM_CONTENDERS], wm_error *err)
{
    wm_event   event = { .kind = WM_EVENT_REPORT, .phase = phase, .round = round };
    wm_error   why;
    wm_action  told;
    wm_verdict verdict;

    if (!wm_run_find_client(run, client, &event.client))
        return wm_run_unknown_client(client, err);
    if (is_of_no_examples(present, results)) {
        event.kind = WM_EVENT_DECLINE;
        event.reason = "there are no examples to evaluate by";
    } else if (wm_results_check(run, present, results, &why) != WM_OK) {
        event.kind = WM_EVENT_REFUSE;
        event.reason = why.text;
    } else {
        event.weight = results[WM_FEDERATED].examples;
        event.loss = wm_evaluation_loss(&results[WM_FEDERATED]);
    }
    if (phase != WM_PHASE_EVALUATE && phase != WM_PHASE_FINAL) {
        wm_fail(err, WM_E_REFUSED, "report: %s has none", wm_phase_name(phase));
        return WM_VERDICT_REFUSED;
    }
    pthread_mutex_lock(&run->lock);
    if (run->dead) {
        verdict = wm_run_unheard(err);
    } else if (wm_engine_order(run->engine, phase, round) < 0) {
        /* Not counted as late: after a restart nobody can tell it from the repeat of one that counts already. */
        verdict = WM_VERDICT_LATE;
    } else {
        if (wm_run_tell(run, &event, &told) == WM_ACTION_FOLD)
            wm_results_keep(run, event.client, present, results);
        verdict = event.kind == WM_EVENT_DECLINE ? WM_VERDICT_DECLINED : wm_run_verdict(run, client, &told, err);
        wm_run_advance(run);
        if (run->dead)
            verdict = wm_run_unheard(err);
    }
    wm_run_leave(run);
    return verdict;
}

void wm_run_decline(wm_run *run, const char *client, wm_phase phase, uint32_t round, const char *reason)
{
    wm_event  event = { .kind = WM_EVENT_DECLINE, .phase = phase, .round = round, .reason = reason };
    wm_action told;

    if (!wm_run_find_client(run, client, &event.client))
        return;
    pthread_mutex_lock(&run->lock);
    if (!run->dead) {
        wm_log_line(run->settings.log, WM_LOG_WARNING, "round", "declined", WM_TEXT_FIELD("client", client),
                    WM_INT_FIELD("round", round), WM_TEXT_FIELD("reason", reason));
        wm_run_tell(run, &event, &told);
        wm_run_advance(run);
    }
    wm_run_leave(run);
}

void wm_run_away(wm_run *run, const char *client)
{
    wm_event  event = { .kind = WM_EVENT_AWAY };
    wm_action told;

    if (!wm_run_find_client(run, client, &event.client))
        return;
    pthread_mutex_lock(&run->lock);
    if (!run->dead) {
        wm_run_tell(run, &event, &told);
        wm_run_advance(run);
    }
    wm_run_leave(run);
}

void wm_run_refuse(wm_run *run, const char *client, const char *reason)
{
    wm_event  event = { .kind = WM_EVENT_REFUSE, .reason = reason };
    wm_action told;

    if (!wm_run_find_client(run, client, &event.client))
        return;
    pthread_mutex_lock(&run->lock);
    if (!run->dead) {
        wm_run_tell(run, &event, &told);
        wm_run_log_refusal(run, client, reason);
        wm_run_advance(run);
    }
    wm_run_leave(run);
}

void wm_run_late(wm_run *run, const char *client, const wm_update_key *key)
{
    wm_event  event = { .kind = WM_EVENT_REFUSE, .phase = WM_PHASE_TRAIN, .round = key->round, .reason = "late" };
    wm_action told;

    if (!wm_run_find_client(run, client, &event.client) ||
        memcmp(key->run, run->settings.record->id, WM_RUN_ID_SIZE) != 0 || key->kind != WM_TASK_TRAIN)
        return;
    pthread_mutex_lock(&run->lock);
    /* Only what is of the past, so that the event can refuse nothing that is open. */
    if (!run->dead && wm_engine_order(run->engine, WM_PHASE_TRAIN, key->round) < 0 &&
        run->contained[event.client].round != key->round && run->late[event.client] < key->round) {
        run->late[event.client] = key->round;
        wm_run_tell(run, &event, &told);
        wm_log_line(run->settings.log, WM_LOG_WARNING, "round", "an update came too late: its round is over",
                    WM_TEXT_FIELD("client", client), WM_INT_FIELD("round", key->round));
    }
    wm_run_leave(run);
}

void wm_run_count_bytes(wm_run *run, uint64_t up, uint64_t down)
{
    pthread_mutex_lock(&run->lock);
    run->bytes_up += up;
    run->bytes_down += down;
    pthread_mutex_unlock(&run->lock);
}
