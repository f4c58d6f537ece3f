/* server/store/verify_runs.c
 *
 * Each run: what it is and where it stands against the audit, its rounds one after the other, and who is in them. */
#include "server/store/verify_inside.h"

#include "server/round/cohort.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

wm_finding wm_verify_in_run(const wm_verified_run *run, const char *area, uint32_t round, const char *client)
{
    wm_finding where = { .violation = true, .area = area, .has_run = true, .round = round, .client = client };

    memcpy(where.run, run->record->id, WM_RUN_ID_SIZE);
    return where;
}

static const char *path_of(const wm_verified_run *run)
{
    return run->verifier->db.path;
}

static const char *name_of(const wm_verified_run *run, uint32_t client)
{
    return client < run->record->n_population ? run->record->population[client] : NULL;
}

/* ---- against its lines ---- */

/* Is there a line `what` of the run with exactly that text? */
static wm_status check_text(wm_verified_run *run, const char *what, uint32_t round, const wm_text *text,
                            const char *of_what, wm_error *err)
{
    wm_verifier *v = run->verifier;
    wm_finding   where = wm_verify_in_run(run, "audit", round, NULL);
    wm_query     q;
    bool         there;

    if (text->bad)
        return wm_fail(err, WM_E_NOMEM, "no memory to check a line of the audit");
    wm_query_init(&q, &v->db, "SELECT 1 FROM audit WHERE what = ? AND run = ? AND detail = ?", err);
    wm_bind_text(&q, what);
    wm_bind_blob(&q, run->record->id, WM_RUN_ID_SIZE);
    wm_bind_text(&q, wm_text_chars(text));
    there = wm_query_row(&q);
    if (wm_query_done(&q) == WM_OK && !there && round > 0)
        wm_verify_say(v, &where, "%s: run %s, round %" PRIu32 ": %s is not what the audit says", path_of(run),
                      run->id, round, of_what);
    else if (q.st == WM_OK && !there)
        wm_verify_say(v, &where, "%s: run %s: %s is not what the audit says", path_of(run), run->id, of_what);
    return q.st;
}

static wm_status check_start(wm_verified_run *run, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_status st;

    wm_audit_start_text(run->record, &run->model, &text);
    st = check_text(run, "start", 0, &text, "its job, seed, clients or first model", err);
    wm_text_release(&text);
    return st;
}

static wm_status read_statistics(wm_verified_run *run, wm_digest *ret, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &run->verifier->db, "SELECT statistics FROM runs WHERE id = ?", err);
    wm_bind_blob(&q, run->record->id, WM_RUN_ID_SIZE);
    if (wm_query_row(&q))
        *ret = wm_column_digest(&q);
    return wm_query_done(&q);
}

static wm_status check_statistics(wm_verified_run *run, wm_error *err)
{
    wm_round_record round = { 0 };
    wm_text         text = WM_TEXT_INIT;
    wm_status       st;

    if (wm_digest_is_zero(&run->standing.scaling))
        return WM_OK;
    st = read_statistics(run, &round.sums, err);
    if (st == WM_OK)
        st = wm_contributions_read(&run->verifier->db, run->record->id, &round, err);
    if (st != WM_OK)
        return st;
    wm_audit_scaled_text(&run->standing.scaling, &round, &text);
    st = check_text(run, "scaled", 0, &text, "its scaling, or who is in it,", err);
    if (st == WM_OK && run->admitted)
        st = wm_verify_scaling(run, &round, err);
    wm_text_release(&text);
    free(round.contributions);
    return st;
}

/* The last thing that the audit has of a run is where its row must stand. */
static wm_status check_last_line(wm_verified_run *run, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_query  q;
    char      what[16] = "";
    wm_status st = WM_OK;

    wm_query_init(
        &q, &run->verifier->db,
        "SELECT what FROM audit WHERE run = ? AND what IN ('open', 'scaled', 'commit', 'evaluated', 'close') "
        "ORDER BY line DESC LIMIT 1",
        err);
    wm_bind_blob(&q, run->record->id, WM_RUN_ID_SIZE);
    if (wm_query_row(&q))
        wm_column_copy(&q, what, sizeof what);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    if (strcmp(what, "open") == 0)
        wm_audit_open_text(&run->standing, &text);
    else if (strcmp(what, "close") == 0)
        wm_audit_close_text(&run->standing, &text);
    if (text.size > 0 || text.bad)
        st = check_text(run, what, 0, &text, "where it stands", err);
    wm_text_release(&text);
    return st;
}

/* The round in which a run with so many committed rounds may stand. */
static bool stands_well(const wm_standing *at, uint32_t newest)
{
    switch (at->phase) {
    case WM_PHASE_NONE:
    case WM_PHASE_STATISTICS:
        return at->round == 0 && newest == 0;
    case WM_PHASE_TRAIN:
        return at->round == newest + 1;
    case WM_PHASE_EVALUATE:
    case WM_PHASE_FINAL:
        return at->round == newest;
    case WM_PHASE_CLOSED:
        return at->round == newest || at->round == newest + 1;
    }
    return false;
}

static void check_standing(wm_verified_run *run)
{
    const wm_standing *at = &run->standing;
    wm_finding         where = wm_verify_in_run(run, "round", run->newest, NULL);
    char               is[WM_DIGEST_TEXT], want[WM_DIGEST_TEXT];

    if (!stands_well(at, run->newest))
        wm_verify_say(run->verifier, &where,
                      "%s: run %s stands in round %" PRIu32 " (%s), and its last committed round is %" PRIu32,
                      path_of(run), run->id, at->round, wm_phase_name(at->phase), run->newest);
    if (!wm_digest_equal(&at->model, &run->model))
        wm_verify_say(run->verifier, &where,
                      "%s: run %s stands on model %s, and round %" PRIu32 " has left model %s", path_of(run),
                      run->id, wm_digest_text(&at->model, is), run->newest, wm_digest_text(&run->model, want));
    if (!wm_digest_equal(&at->server_state, &run->server_state))
        wm_verify_say(run->verifier, &where,
                      "%s: run %s stands on another server state than round %" PRIu32 " has left", path_of(run),
                      run->id, run->newest);
    if (at->outcome == WM_OUTCOME_DONE && run->job.job->rounds != run->newest)
        wm_verify_say(run->verifier, &where, "%s: run %s is done after %" PRIu32 " of %" PRId64 " rounds",
                      path_of(run), run->id, run->newest, run->job.job->rounds);
}

/* ---- a round ---- */

/* Counts, weights and limits of who was accepted. */
static void check_accepted(wm_verified_run *run, const wm_round_record *round)
{
    wm_verifier *v = run->verifier;
    wm_finding   where = wm_verify_in_run(run, "round", round->round, NULL);
    uint64_t     weight = 0;
    uint32_t     accepted = 0;

    for (size_t i = 0; i < round->n_contributions; i++) {
        const wm_contribution *part = &round->contributions[i];
        wm_finding             at = wm_verify_in_run(run, "update", round->round, name_of(run, part->client));

        if (at.client == NULL)
            wm_verify_say(v, &at, "%s: run %s, round %" PRIu32 ": client %" PRIu32 " is not one of the run's %zu",
                          path_of(run), run->id, round->round, part->client, run->record->n_population);
        if (part->verdict != WM_VERDICT_ACCEPTED)
            continue;
        accepted++;
        weight += part->weight;
        if (wm_digest_is_zero(&part->digest))
            wm_verify_say(v, &at, "%s: run %s, round %" PRIu32 ": the accepted update of %s has no digest",
                          path_of(run), run->id, round->round, at.client != NULL ? at.client : "nobody");
        if (part->weight == 0 || (run->admitted && part->weight > run->spec.weight_cap))
            wm_verify_say(v, &at, "%s: run %s, round %" PRIu32 ": %s was accepted with a weight of %" PRIu64,
                          path_of(run), run->id, round->round, at.client != NULL ? at.client : "nobody",
                          part->weight);
    }
    run->verifier->result.updates += accepted;
    if (accepted != round->accepted || weight != round->total_weight)
        wm_verify_say(v, &where,
                      "%s: run %s, round %" PRIu32 " counts %" PRIu32 " updates of weight %" PRIu64
                      ", and its accepted ones are %" PRIu32 " of weight %" PRIu64,
                      path_of(run), run->id, round->round, round->accepted, round->total_weight, accepted, weight);
}

/* The cohort, drawn once more: it follows from seed, round, attempts and the number of clients; who was drawn in the place
 * of somebody who was away is in the store. */
static wm_status draw_again(wm_verified_run *run, const wm_round_record *round, wm_cohort *cohort, wm_error *err)
{
    const wm_job    *job = run->job.job;
    size_t           n = run->record->n_population, n_drawn;
    wm_substitution *drawn = calloc(n, sizeof *drawn);
    wm_status        st;

    for (uint32_t attempt = 0; attempt <= round->attempts && cohort->drawn < n; attempt++)
        wm_cohort_draw(cohort, &job->cohort.select, job->cohort.over, run->record->seed, "cohort", round->round,
                       attempt);
    if (drawn == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the cohort of a round");
    st = wm_substitutes_read(&run->verifier->db, run->record->id, round->round, drawn, n, &n_drawn, err);
    for (size_t i = 0; st == WM_OK && i < n_drawn; i++)
        wm_cohort_substitute(cohort, &drawn[i]);
    free(drawn);
    return st;
}

static wm_status check_cohort(wm_verified_run *run, const wm_round_record *round, wm_error *err)
{
    const wm_job *job = run->job.job;
    wm_finding    where = wm_verify_in_run(run, "round", round->round, NULL);
    size_t        n = run->record->n_population, goal = wm_cohort_goal(&job->cohort.select, n);
    wm_cohort     cohort;
    wm_status     st = wm_cohort_init(&cohort, n, err);

    if (st != WM_OK)
        return st;
    st = draw_again(run, round, &cohort, err);
    if (st != WM_OK)
        goto out;
    if (round->selected != cohort.drawn)
        wm_verify_say(run->verifier, &where,
                      "%s: run %s, round %" PRIu32 " selected %" PRIu32
                      " clients, and its seed and substitutions draw %zu of %zu",
                      path_of(run), run->id, round->round, round->selected, cohort.drawn, n);
    if ((double)round->accepted < job->cohort.quorum * (double)goal - 1e-9 || round->accepted > goal)
        wm_verify_say(run->verifier, &where,
                      "%s: run %s, round %" PRIu32 " was committed with %" PRIu32
                      " updates, where the job wants at most %zu and a share of %g of them at least",
                      path_of(run), run->id, round->round, round->accepted, goal, job->cohort.quorum);
    for (size_t i = 0; i < round->n_contributions; i++) {
        const wm_contribution *part = &round->contributions[i];
        wm_finding             at = wm_verify_in_run(run, "update", round->round, name_of(run, part->client));

        if (part->verdict == WM_VERDICT_ACCEPTED && part->client < n && !cohort.seats[part->client].drawn)
            wm_verify_say(run->verifier, &at,
                          "%s: run %s, round %" PRIu32 ": the update of %s was accepted, who was not drawn into it",
                          path_of(run), run->id, round->round, at.client);
    }
out:
    wm_cohort_release(&cohort);
    return st;
}

static wm_status check_evaluation(wm_verified_run *run, const wm_round_record *round, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_status st;

    if (!round->evaluated)
        return WM_OK;
    wm_audit_evaluated_text(round, &text);
    st = check_text(run, "evaluated", round->round, &text, "its evaluation", err);
    wm_text_release(&text);
    return st;
}

/* Does it follow the one before? */
static void check_order(wm_verified_run *run, const wm_round_record *round)
{
    wm_finding where = wm_verify_in_run(run, "round", round->round, NULL);
    char       is[WM_DIGEST_TEXT], want[WM_DIGEST_TEXT];

    if (round->round != run->round + 1)
        wm_verify_say(run->verifier, &where, "%s: run %s: round %" PRIu32 " is missing", path_of(run), run->id,
                      run->round + 1);
    else if ((run->admitted || run->round > 0) && !wm_digest_equal(&round->model_before, &run->model))
        wm_verify_say(run->verifier, &where,
                      "%s: run %s, round %" PRIu32 " begins with model %s, and round %" PRIu32 " has left model %s",
                      path_of(run), run->id, round->round, wm_digest_text(&round->model_before, is), run->round,
                      wm_digest_text(&run->model, want));
}

static void check_round(void *context, const wm_round_record *round)
{
    wm_verified_run *run = context;

    if (run->failed != WM_OK)
        return;
    wm_verify_progress(run->verifier, "rounds", round->round, run->newest);
    run->verifier->result.rounds++;
    check_order(run, round);
    check_accepted(run, round);
    if (run->admitted)
        run->failed = check_cohort(run, round, run->err);
    if (run->failed == WM_OK)
        run->failed = check_evaluation(run, round, run->err);
    if (run->failed == WM_OK && run->admitted)
        run->failed = wm_verify_round(run, round, run->err);
    run->round = round->round;
    run->model = round->model_after;
    run->server_state = round->server_state;
}

/* ---- a run ---- */

/* What it is made of, and the model that its seed begins with. */
static wm_status admit(wm_verified_run *run, wm_error *err)
{
    wm_finding where = wm_verify_in_run(run, "round", 0, NULL);
    wm_faults  faults;
    wm_error   why;
    float     *params, *state = NULL;
    wm_status  st;

    wm_faults_init(&faults, run->id);
    st = wm_admit(run->id, run->record->job_text, strlen(run->record->job_text),
                  &(wm_admission_limits){ .n_clients = run->record->n_population }, &faults, &run->job, &why);
    wm_faults_release(&faults);
    if (st == WM_E_NOMEM)
        return wm_fail(err, st, "%s", why.text);
    if (st != WM_OK) {
        wm_verify_say(run->verifier, &where, "%s: run %s: its job cannot be read: %s", path_of(run), run->id,
                      why.text);
        return WM_OK;
    }
    run->n_params = wm_model_n_params(run->job.model);
    run->n_trained = wm_model_n_trained(run->job.model);
    wm_strategy_spec(run->job.job, run->n_trained, &run->spec);
    run->n_state = wm_strategy_of(run->job.job)->server_state(run->job.job->strategy.options, run->n_trained);
    params = malloc(run->n_params * sizeof *params);
    if (run->n_state > 0)
        state = calloc(run->n_state, sizeof *state);
    if (params == NULL || (run->n_state > 0 && state == NULL)) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for a model of %zu parameters", run->n_params);
    } else {
        const wm_job_start *start = &run->job.job->model.start;

        wm_model_init(run->job.model, run->record->seed, params);
        run->model = start->has_parameters ? start->parameters : wm_params_digest(params, run->n_params);
        if (run->n_state > 0)
            run->server_state = wm_params_digest(state, run->n_state);
        run->admitted = true;
    }
    free(params);
    free(state);
    return st;
}

static wm_status newest_round(wm_verified_run *run, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &run->verifier->db, "SELECT coalesce(max(round), 0) FROM rounds WHERE run = ?", err);
    wm_bind_blob(&q, run->record->id, WM_RUN_ID_SIZE);
    if (wm_query_row(&q))
        run->newest = wm_column_u32(&q);
    return wm_query_done(&q);
}

static void say_let_go(wm_verified_run *run)
{
    wm_finding where = wm_verify_in_run(run, "model", run->let_go, NULL);

    where.violation = false;
    if (run->let_go > 0)
        wm_verify_say(run->verifier, &where,
                      "run %s: rounds 1 to %" PRIu32
                      " were not computed again: the job keeps the files of its newest %" PRId64
                      " rounds (`keep: %" PRId64 "`)",
                      run->id, run->let_go, run->record->keep, run->record->keep);
}

static wm_status check_run(wm_verifier *v, const uint8_t *id, wm_error *err)
{
    wm_verified_run run = { .verifier = v, .err = err };
    wm_status       st = wm_run_record_read(&v->db, id, &run.record, err);

    if (st != WM_OK)
        return st;
    wm_run_id_text(id, run.id);
    st = wm_standing_read(&v->db, id, &run.standing, err);
    if (st == WM_OK)
        st = newest_round(&run, err);
    if (st == WM_OK)
        st = admit(&run, err);
    if (st == WM_OK && run.admitted)
        st = check_start(&run, err);
    if (st == WM_OK)
        st = check_statistics(&run, err);
    if (st == WM_OK)
        st = wm_rounds_read(&v->db, id, 1, UINT32_MAX, check_round, &run, err);
    if (st == WM_OK)
        st = run.failed;
    if (st == WM_OK && run.admitted) {
        check_standing(&run);
        st = wm_verify_folder(&run, err);
    }
    if (st == WM_OK)
        st = check_last_line(&run, err);
    if (st == WM_OK)
        say_let_go(&run);
    wm_admitted_release(&run.job);
    wm_store_run_record_free(run.record);
    return st;
}

wm_status wm_verify_runs(wm_verifier *v, wm_error *err)
{
    wm_query q;
    uint8_t  id[WM_RUN_ID_SIZE];

    wm_query_init(&q, &v->db, "SELECT id FROM runs ORDER BY started_ms, id", err);
    while (wm_query_row(&q)) {
        wm_column_blob(&q, id, sizeof id);
        if (q.st == WM_OK)
            q.st = check_run(v, id, err);
        v->result.runs++;
    }
    return wm_query_done(&q);
}
