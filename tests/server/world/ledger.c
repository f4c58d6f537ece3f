/* tests/server/world/ledger.c
 *
 * A ledger in memory, which looks at every transition: nothing skips, nothing happens twice. */
#include "tests/server/world/inside.h"

static wm_status full(wm_error *err)
{
    return wm_fail(err, WM_E_FULL, "the ledger cannot be written: the disk is full");
}

/* Every transition is looked at: nothing skips, nothing happens twice. */
static wm_status turn(wm_ledger *self, const uint8_t *run, const wm_standing *standing, wm_error *err)
{
    world             *w = self->state;
    const wm_standing *was = &w->standing;

    check(memcmp(run, w->record.id, WM_RUN_ID_SIZE) == 0);
    check(w->started && was->phase != WM_PHASE_CLOSED);
    if (w->full)
        return full(err);
    check(standing->round >= was->round && standing->round <= was->round + 1);
    check((standing->outcome != WM_OUTCOME_NONE) == (standing->phase == WM_PHASE_CLOSED));
    if (standing->phase == was->phase && standing->round == was->round) {
        check(standing->attempt == was->attempt + 1);
        w->attempts[was->phase]++;
    } else {
        check(standing->attempt == 0);
        w->turns[was->phase][standing->phase]++;
    }
    if (standing->phase == WM_PHASE_CLOSED)
        w->ended_in = was->phase;
    w->standing = *standing;
    w->transactions++;
    return WM_OK;
}

static wm_status ledger_start(wm_ledger *self, const wm_run_record *run, const wm_standing *first, wm_error *err)
{
    world *w = self->state;

    check(!w->started && run == &w->record);
    if (w->full)
        return full(err);
    check(wm_blobs_has(w->blobs, &first->model));
    w->started = true;
    w->standing = *first;
    w->transactions++;
    return WM_OK;
}

static wm_status ledger_open(wm_ledger *self, const uint8_t *run, const wm_standing *standing, wm_error *err)
{
    world *w = self->state;

    check(wm_digest_equal(&standing->model, &w->standing.model));
    return turn(self, run, standing, err);
}

static wm_status ledger_substitute(wm_ledger *self, const uint8_t *run, uint32_t round,
                                   const wm_substitution *drawn, size_t n, wm_error *err)
{
    world *w = self->state;

    (void)run;
    check(w->standing.phase == WM_PHASE_TRAIN && w->standing.round == round && n > 0);
    if (w->full)
        return full(err);
    for (size_t i = 0; i < n; i++) {
        check(drawn[i].client < w->record.n_population && drawn[i].place_of < w->record.n_population);
        for (size_t j = 0; j < w->n_drawn_later; j++)
            check(w->drawn_later[j].round != round || (w->drawn_later[j].drawn.client != drawn[i].client &&
                                                       w->drawn_later[j].drawn.place_of != drawn[i].place_of));
        check(w->n_drawn_later < WORLD_SUBSTITUTES_MAX);
        w->drawn_later[w->n_drawn_later].round = round;
        w->drawn_later[w->n_drawn_later++].drawn = drawn[i];
    }
    w->transactions++;
    return WM_OK;
}

static wm_status ledger_substitutes(wm_ledger *self, const uint8_t *run, uint32_t round, wm_substitution *ret,
                                    size_t room, size_t *n, wm_error *err)
{
    world *w = self->state;

    (void)run;
    (void)err;
    *n = 0;
    for (size_t i = 0; i < w->n_drawn_later; i++)
        if (w->drawn_later[i].round == round) {
            check(*n < room);
            ret[(*n)++] = w->drawn_later[i].drawn;
        }
    return WM_OK;
}

static wm_status ledger_scaled(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                               const wm_digest *sums, const wm_contribution *contributions, size_t n, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(w->standing.phase == WM_PHASE_STATISTICS && standing->phase == WM_PHASE_TRAIN && standing->round == 1);
    check(contributions != NULL && n >= 1 && n <= w->record.n_population);
    check(wm_blobs_has(w->blobs, &standing->scaling) && wm_blobs_has(w->blobs, sums));
    st = turn(self, run, standing, err);
    for (size_t i = 0; st == WM_OK && i < n; i++)
        w->in_scaling[contributions[i].client] = contributions[i].verdict == WM_VERDICT_ACCEPTED;
    return st;
}

static void keep_round(world *w, const wm_round_record *round)
{
    wm_round_record *kept = &w->rounds[w->n_rounds];

    check(w->n_rounds < WORLD_ROUNDS_MAX);
    *kept = *round;
    kept->contributions = calloc(round->n_contributions + 1, sizeof *kept->contributions);
    check(kept->contributions != NULL);
    memcpy(kept->contributions, round->contributions, round->n_contributions * sizeof *kept->contributions);
    w->n_rounds++;
}

static wm_status ledger_commit(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                               const wm_round_record *round, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(w->standing.phase == WM_PHASE_TRAIN && round->round == w->standing.round);
    check(wm_digest_equal(&round->model_before, &w->standing.model));
    check(wm_digest_equal(&round->model_after, &standing->model));
    check(wm_blobs_has(w->blobs, &round->model_after) && wm_blobs_has(w->blobs, &round->sums));
    st = turn(self, run, standing, err);
    if (st == WM_OK)
        keep_round(w, round);
    return st;
}

static wm_status ledger_evaluated(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                                  const wm_round_record *round, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(w->standing.phase == WM_PHASE_EVALUATE && round->round == w->standing.round &&
          w->n_rounds == round->round);
    check(round->evaluated && wm_digest_equal(&round->model_after, &w->rounds[w->n_rounds - 1].model_after));
    st = turn(self, run, standing, err);
    if (st == WM_OK) {
        w->rounds[w->n_rounds - 1].evaluated = true;
        w->rounds[w->n_rounds - 1].evaluation = round->evaluation;
        w->rounds[w->n_rounds - 1].seconds = round->seconds;
    }
    return st;
}

static wm_status ledger_close(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                              const wm_final_record *final, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(standing->phase == WM_PHASE_CLOSED);
    st = turn(self, run, standing, err);
    if (st == WM_OK && final != NULL) {
        w->has_final = true;
        w->final_together = final->together[WM_FEDERATED];
    }
    return st;
}

static wm_status ledger_load(wm_ledger *self, const uint8_t *run, wm_standing *ret, wm_error *err)
{
    world *w = self->state;

    (void)run;
    if (!w->started)
        return wm_fail(err, WM_E_MISSING, "that run was never started");
    *ret = w->standing;
    return WM_OK;
}

static wm_status ledger_rounds(wm_ledger *self, const uint8_t                                  *run,
                               void (*each)(void *context, const wm_round_record *round), void *context,
                               wm_error *err)
{
    world *w = self->state;

    (void)run;
    (void)err;
    for (size_t i = 0; i < w->n_rounds; i++)
        each(context, &w->rounds[i]);
    return WM_OK;
}

void world_lay_ledger(world *w)
{
    w->ledger = (wm_ledger){ .start = ledger_start,
                             .open = ledger_open,
                             .substitute = ledger_substitute,
                             .scaled = ledger_scaled,
                             .commit = ledger_commit,
                             .evaluated = ledger_evaluated,
                             .close = ledger_close,
                             .load = ledger_load,
                             .substitutes = ledger_substitutes,
                             .rounds = ledger_rounds,
                             .state = w };
}
