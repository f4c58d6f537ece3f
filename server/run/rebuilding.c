/* server/run/rebuilding.c
 *
 * A model whose file is damaged or gone is computed again: from the newest model before it that is sound (the first one
 * follows from the seed), and the exact sums of the rounds since. The sums are integers, so what comes out is the same
 * bits, and its SHA-256 says so; nothing that was committed is lost. The file is then written anew. */
#include "server/run/state.h"
#include "common/grow.h"
#include "server/start.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The files of one committed round. */
typedef struct files_of_round {
    uint32_t  round;
    wm_digest before, after, sums, state; /* state: after it; zero if the strategy has none */
} files_of_round;

typedef struct past {
    files_of_round *items;
    size_t          n, room;
    bool            no_memory;
} past;

static void keep_files(void *context, const wm_round_record *round)
{
    past *p = context;

    files_of_round *more = wm_grow(p->items, p->n, &p->room, sizeof *more);

    p->no_memory = p->no_memory || more == NULL;
    if (more == NULL)
        return;
    p->items = more;
    p->items[p->n++] = (files_of_round){ .round = round->round,
                                         .before = round->model_before,
                                         .after = round->model_after,
                                         .sums = round->sums,
                                         .state = round->server_state };
}

/* What is being computed; both owned, state NULL if the strategy has none. */
typedef struct models {
    float *params, *state;
} models;

static void models_release(models *m)
{
    free(m->params);
    free(m->state);
    *m = (models){ 0 };
}

static wm_status first_models(wm_run *run, models *m, wm_error *err)
{
    m->params = calloc(run->n_params + 1, sizeof *m->params);
    m->state = run->n_state > 0 ? calloc(run->n_state, sizeof *m->state) : NULL;
    if (m->params == NULL || (run->n_state > 0 && m->state == NULL))
        return wm_fail(err, WM_E_NOMEM, "no memory for a model of %zu parameters", run->n_params);
    return wm_start_params(run->settings.job, run->settings.model, run->settings.record->seed, run->settings.blobs,
                           m->params, err);
}

/* As they were before the round at `i`. */
static wm_status models_before(wm_run *run, const past *p, size_t i, models *m, wm_error *err)
{
    wm_status st;

    if (i == 0)
        return first_models(run, m, err);
    st = wm_run_get_floats(run, "model", &p->items[i].before, run->n_params, &m->params, err);
    if (st == WM_OK && run->n_state > 0)
        st = wm_run_get_floats(run, "strategy's state", &p->items[i - 1].state, run->n_state, &m->state, err);
    return st;
}

/* From the newest round backwards, the first whose beginning is sound. *from: its place. */
static wm_status find_footing(wm_run *run, const past *p, size_t *from, models *m, wm_error *err)
{
    wm_status st = WM_E_DAMAGED;

    if (p->n == 0)
        return first_models(run, m, err);
    for (size_t i = p->n; st == WM_E_DAMAGED && i-- > 0;) {
        models_release(m);
        st = models_before(run, p, i, m, err);
        *from = i;
    }
    return st;
}

static wm_status apply_round(wm_run *run, const files_of_round *files, models *m, wm_error *err)
{
    size_t    n;
    uint8_t  *sums = NULL;
    wm_digest after;
    wm_status st = wm_blobs_get(run->settings.blobs, &files->sums, SIZE_MAX - 1, &sums, &n, err);

    if (st == WM_OK)
        st = wm_sums_apply(run->settings.job, run->n_trained, sums, n, m->params + (run->n_params - run->n_trained),
                           m->state, NULL, err);
    if (st == WM_OK) {
        after = wm_params_digest(m->params, run->n_params);
        if (!wm_digest_equal(&after, &files->after))
            st = wm_fail(err, WM_E_DAMAGED, "the sums of round %" PRIu32 " do not give its model", files->round);
    }
    free(sums);
    return st;
}

/* A damaged file keeps its name, so it goes first. */
static wm_status put_anew(wm_run *run, const wm_digest *name, const float *values, size_t n, wm_error *err)
{
    wm_digest is;
    wm_status st = wm_blobs_remove(run->settings.blobs, name, err);

    if (st == WM_OK)
        st = wm_run_put_floats(run, values, n, &is, err);
    if (st == WM_OK && !wm_digest_equal(&is, name))
        st = wm_fail(err, WM_E_DAMAGED, "what was computed again is not what was lost");
    return st;
}

static void say(const wm_run *run, const past *p, size_t from, const wm_error *damage)
{
    wm_log_line(run->settings.log, WM_LOG_WARNING, "run",
                "a damaged model was computed again from an earlier one and the stored sums",
                WM_INT_FIELD("round", p->n > 0 ? p->items[p->n - 1].round : 0),
                WM_INT_FIELD("from_round", p->n > 0 ? p->items[from].round - 1 : 0),
                WM_TEXT_FIELD("why", damage->text));
}

wm_status wm_run_rebuild(wm_run *run, const wm_standing *standing, const wm_error *damage, float **params,
                         float **state, wm_error *err)
{
    wm_ledger *ledger = run->settings.ledger;
    past       p = { 0 };
    models     m = { 0 };
    size_t     from = 0;
    char       name[WM_DIGEST_TEXT];
    wm_status  st = ledger->rounds(ledger, run->settings.record->id, keep_files, &p, err);

    if (st == WM_OK && p.no_memory)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the rounds of a run");
    if (st == WM_OK)
        st = find_footing(run, &p, &from, &m, err);
    for (size_t i = from; st == WM_OK && i < p.n; i++)
        st = apply_round(run, &p.items[i], &m, err);
    if (st == WM_OK)
        st = put_anew(run, &standing->model, m.params, run->n_params, err);
    if (st == WM_OK && run->n_state > 0)
        st = put_anew(run, &standing->server_state, m.state, run->n_state, err);
    if (st == WM_OK) {
        say(run, &p, from, damage);
        *params = m.params;
        *state = m.state;
        m = (models){ 0 };
    } else if (st != WM_E_NOMEM && st != WM_E_IO && st != WM_E_FULL) {
        st = wm_fail(
            err, WM_E_DAMAGED,
            "the model blobs/%.16s... is damaged or gone, and what it could be computed from is too: put them "
            "back from a backup; `wardmote-server verify` names them",
            wm_digest_text(&standing->model, name));
    }
    models_release(&m);
    free(p.items);
    return st;
}
