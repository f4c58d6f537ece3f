/* server/report/history.c */
#include "server/report/history.h"

#include "common/grow.h"

#include <stdlib.h>
#include <string.h>

wm_status wm_history_init(wm_history *history, size_t n_clients, wm_error *err)
{
    *history = (wm_history){ .n_clients = n_clients };
    history->tallies = calloc(n_clients + 1, sizeof *history->tallies);
    history->verdicts = malloc(n_clients + 1);
    if (history->tallies == NULL || history->verdicts == NULL) {
        wm_history_release(history);
        return wm_fail(err, WM_E_NOMEM, "no memory for the report of %zu clients", n_clients);
    }
    return WM_OK;
}

void wm_history_release(wm_history *history)
{
    free(history->rounds);
    free(history->verdicts);
    free(history->tallies);
    free(history->refusals);
    *history = (wm_history){ 0 };
}

static bool make_room(wm_history *history)
{
    size_t room = history->room > 0 ? 2 * history->room : 64;
    void  *rounds, *verdicts;

    if (history->n_rounds < history->room)
        return true;
    if ((rounds = realloc(history->rounds, room * sizeof *history->rounds)) == NULL)
        return false;
    history->rounds = rounds;
    if (wm_history_has_strip(history)) {
        if ((verdicts = realloc(history->verdicts, room * (history->n_clients + 1))) == NULL)
            return false;
        history->verdicts = verdicts;
    }
    history->room = room;
    return true;
}

static wm_status add_refusal(wm_history *history, uint32_t round, const wm_contribution *c, wm_error *err)
{
    wm_refusal *grown;

    for (size_t i = 0; i < history->n_refusals; i++) {
        wm_refusal *r = &history->refusals[i];

        if (r->client == c->client && r->verdict == c->verdict && strcmp(r->reason, c->reason) == 0) {
            r->count++;
            r->last_round = round;
            return WM_OK;
        }
    }
    if (history->n_refusals == WM_HISTORY_REFUSALS_MAX) {
        history->refusals_beyond++;
        return WM_OK;
    }
    grown = wm_grow(history->refusals, history->n_refusals, &history->refusals_room, sizeof *grown);
    if (grown == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the refusals of the report");
    history->refusals = grown;
    history->refusals[history->n_refusals] = (wm_refusal){
        .client = c->client, .verdict = c->verdict, .count = 1, .first_round = round, .last_round = round
    };
    memcpy(history->refusals[history->n_refusals++].reason, c->reason, sizeof c->reason);
    return WM_OK;
}

/* `was`: what the same round said of this client before. */
static wm_status add_contribution(wm_history *history, wm_history_round *round, uint8_t *was,
                                  const wm_contribution *c, wm_error *err)
{
    wm_tally *tally = &history->tallies[c->client];

    if (*was == c->verdict)
        return WM_OK;
    if (*was == WM_NOT_SELECTED)
        tally->selected++;
    else {
        tally->verdicts[*was]--;
        round->verdicts[*was]--;
    }
    *was = (uint8_t)c->verdict;
    tally->verdicts[c->verdict]++;
    round->verdicts[c->verdict]++;
    if (c->verdict == WM_VERDICT_ACCEPTED)
        tally->examples = c->weight;
    if (c->verdict != WM_VERDICT_REFUSED && c->verdict != WM_VERDICT_DECLINED)
        return WM_OK;
    memcpy(tally->last_refusal, c->reason, sizeof c->reason);
    return add_refusal(history, round->round, c, err);
}

wm_status wm_history_add(wm_history *history, const wm_round_record *round, bool *again, wm_error *err)
{
    bool is_again = history->n_rounds > 0 && history->rounds[history->n_rounds - 1].round == round->round;
    wm_history_round *to;
    uint8_t          *verdicts;
    wm_status         st = WM_OK;

    if (!is_again && !make_room(history))
        return wm_fail(err, WM_E_NOMEM, "no memory for the report of round %u", round->round);
    to = &history->rounds[history->n_rounds - (is_again ? 1 : 0)];
    verdicts = history->verdicts +
               (wm_history_has_strip(history) ? (size_t)(to - history->rounds) : 0) * history->n_clients;
    if (!is_again) {
        history->n_rounds++;
        *to = (wm_history_round){ .round = round->round };
        memset(verdicts, WM_NOT_SELECTED, history->n_clients);
    }
    to->attempts = round->attempts;
    to->selected = round->selected;
    to->accepted = round->accepted;
    to->refused = round->refused;
    to->late = round->late;
    to->seconds = round->seconds;
    to->train_loss = round->train_loss;
    to->bytes_up = round->bytes_up;
    to->bytes_down = round->bytes_down;
    to->evaluated = round->evaluated && round->evaluation.present;
    to->evaluation = round->evaluation;
    for (size_t i = 0; st == WM_OK && i < round->n_contributions; i++)
        if (round->contributions[i].client < history->n_clients)
            st = add_contribution(history, to, &verdicts[round->contributions[i].client], &round->contributions[i],
                                  err);
    if (again != NULL)
        *again = is_again;
    return st;
}
