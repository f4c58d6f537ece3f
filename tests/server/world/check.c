/* tests/server/world/check.c
 *
 * A run's whole history, computed once more. */
#include "tests/server/world/inside.h"

#include "common/strategies/strategy.h"
#include "server/accumulator.h"
#include "server/fold.h"
#include "server/selection/selection.h"

#include <math.h>

float *world_params(world *w, const wm_digest *name)
{
    uint8_t *bytes;
    size_t   n;
    wm_error err;

    assert_ok(wm_blobs_get(w->blobs, name, (size_t)1 << 20, &bytes, &n, &err), &err);
    check(n == wm_model_n_params(w->model) * sizeof(float));
    return (float *)(void *)bytes;
}

static void check_model_follows(world *w, const wm_round_record *round)
{
    float    *params = world_params(w, &round->model_before);
    size_t    n_params = wm_model_n_params(w->model), n;
    uint8_t  *sums;
    wm_digest after;
    wm_error  err;

    assert_ok(wm_blobs_get(w->blobs, &round->sums, (size_t)1 << 20, &sums, &n, &err), &err);
    assert_ok(wm_sums_apply(&w->job, n_params, sums, n, params, NULL, NULL, &err), &err);
    after = wm_params_digest(params, n_params);
    check(wm_digest_equal(&after, &round->model_after));
    free(sums);
    free(params);
}

/* The sums from the accepted updates, each made once more by its client: no other is in them, none is twice. */
static void check_sums(world *w, const wm_round_record *round)
{
    float          *params = world_params(w, &round->model_before);
    size_t          n_params = wm_model_n_params(w->model), size;
    wm_update_spec  spec;
    wm_accumulator *acc;
    const uint8_t  *bytes;
    uint64_t        weight = 0;
    uint32_t        accepted = 0;
    wm_digest       digest;
    wm_error        err;

    wm_strategy_spec(&w->job, n_params, &spec);
    assert_ok(wm_accumulator_new(&spec, w->record.n_population, &acc, &err), &err);
    for (size_t i = 0; i < round->n_contributions; i++) {
        const wm_contribution *part = &round->contributions[i];
        wm_update_key want = { .kind = WM_TASK_TRAIN, .round = round->round, .model = round->model_before };
        wm_update     update;
        uint8_t      *made;
        size_t        n;

        check(i == 0 || part->client > round->contributions[i - 1].client);
        if (part->verdict != WM_VERDICT_ACCEPTED)
            continue;
        memcpy(want.run, w->record.id, sizeof want.run);
        made = world_update_from(w, part->client, WM_TASK_TRAIN, round->round, &round->model_before, params, &n);
        digest = wm_sha256_of(made, n);
        check(wm_digest_equal(&digest, &part->digest));
        assert_ok(wm_update_open(&spec, &want, made, n, &update, &err), &err);
        check(update.weight == part->weight);
        wm_accumulator_add(acc, &update);
        accepted++;
        weight += part->weight;
        wm_update_release(&update);
    }
    check(accepted == round->accepted && weight == round->total_weight);
    bytes = wm_accumulator_bytes(acc, &size);
    digest = wm_sha256_of(bytes, size);
    check(wm_digest_equal(&digest, &round->sums));
    wm_accumulator_free(acc);
    free(params);
}

/* Drawn once more, from the keys and from who was drawn in another's place. */
static void check_cohort(world *w, const wm_round_record *round)
{
    const wm_selection_ops *select = wm_selection_of(&w->job.cohort.select);
    const void             *options = w->job.cohort.select.options;
    size_t                  n = w->record.n_population, goal = select->goal(options, n), draw, drawn = 0;
    bool                    in[WORLD_CLIENTS_MAX] = { false };

    draw = (size_t)ceil((double)goal * w->job.cohort.over);
    draw = draw > n ? n : draw;
    for (uint32_t attempt = 0; attempt <= round->attempts; attempt++) {
        uint32_t cohort[WORLD_CLIENTS_MAX];
        char     name[16];
        wm_rng   rng;

        snprintf(name, sizeof name, "%u", attempt);
        wm_rng_init_keyed(&rng, w->seed, "cohort", round->round, name);
        select->draw(options, &rng, n, draw, cohort);
        for (size_t i = 0; i < draw; i++) {
            drawn += !in[cohort[i]];
            in[cohort[i]] = true;
        }
    }
    for (size_t i = 0; i < w->n_drawn_later; i++)
        if (w->drawn_later[i].round == round->round && !in[w->drawn_later[i].drawn.client]) {
            check(w->away_told > 0);
            in[w->drawn_later[i].drawn.client] = true;
            w->substitutes++;
            drawn++;
        }
    check(round->selected == drawn);
    for (size_t i = 0; i < round->n_contributions; i++)
        check(round->contributions[i].verdict != WM_VERDICT_ACCEPTED || in[round->contributions[i].client]);
    check((double)round->accepted >= w->job.cohort.quorum * (double)goal - 1e-9 && round->accepted <= goal);
}

/* Once more from the evaluations: did patience end it when it should have, and only then? */
static void check_patience(const world *w)
{
    int64_t patience = w->job.evaluate.patience, without = 0;
    double  best = NAN;

    for (size_t i = 0; i < w->n_rounds; i++) {
        const wm_round_record *round = &w->rounds[i];
        double                 loss = round->evaluation.loss;

        check(patience == 0 || without < patience); /* or this round should not have been */
        if (!round->evaluated)
            continue;
        without = isnan(best) ? (isnan(loss) ? without + 1 : 0) : loss < best ? 0 : without + 1;
        if (without == 0)
            best = loss;
    }
    if (w->standing.outcome == WM_OUTCOME_EARLY)
        check(patience > 0 && without >= patience);
}

void world_check_history(world *w)
{
    wm_digest model = { 0 };

    for (size_t i = 0; i < w->n_rounds; i++) {
        const wm_round_record *round = &w->rounds[i];

        check(round->round == i + 1);
        check(i == 0 || wm_digest_equal(&round->model_before, &model));
        check_model_follows(w, round);
        check_sums(w, round);
        check_cohort(w, round);
        model = round->model_after;
    }
    check(w->n_rounds == 0 || wm_digest_equal(&model, &w->standing.model));
    if (w->standing.phase != WM_PHASE_CLOSED)
        return;
    check(w->standing.outcome != WM_OUTCOME_NONE && w->standing.why[0] != '\0');
    if (w->standing.outcome == WM_OUTCOME_DONE)
        check((int64_t)w->n_rounds == w->job.rounds);
    check_patience(w);
}
