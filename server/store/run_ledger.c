/* server/store/run_ledger.c
 *
 * The ledger of server/ledger.h: each transition of a run as one transaction. The order inside is always the
 * same: the standing, the rows, the audit line, COMMIT. */
#include "server/ledger.h"

#include "server/store/inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static wm_store *store_of(wm_ledger *self)
{
    return self->state;
}

void wm_bind_standing(wm_query *q, const wm_standing *standing)
{
    wm_bind_int(q, standing->phase);
    wm_bind_int(q, standing->round);
    wm_bind_int(q, standing->attempt);
    wm_bind_int(q, standing->opened_wall_ms);
    wm_bind_digest(q, &standing->model);
    wm_bind_digest(q, &standing->server_state);
    wm_bind_digest(q, &standing->scaling);
    wm_bind_int(q, standing->evaluations_without_gain);
    wm_bind_real(q, standing->best_loss);
    wm_bind_int(q, standing->outcome);
    wm_bind_text(q, standing->why);
}

/* ---- start ---- */

static wm_status insert_population(wm_store *store, const wm_run_record *run, wm_error *err)
{
    wm_query q;

    if (run->n_population == 0)
        return WM_OK;
    wm_query_init(&q, &store->db, "INSERT INTO population (run, client, name) VALUES (?, ?, ?)", err);
    for (size_t i = 0; i < run->n_population; i++) {
        wm_bind_blob(&q, run->id, WM_RUN_ID_SIZE);
        wm_bind_int(&q, (int64_t)i);
        wm_bind_text(&q, run->population[i]);
        if (i + 1 < run->n_population)
            wm_query_again(&q);
    }
    return wm_query_done(&q);
}

static wm_status insert_run(wm_store *store, const wm_run_record *run, const wm_standing *first, wm_error *err)
{
    wm_query  q;
    wm_digest job = wm_sha256_of(run->job_text, strlen(run->job_text));

    wm_query_init(&q, &store->db,
                  "INSERT INTO runs (id, job_name, job_text, job_digest, seed, rounds, keep, "
                  "started_ms, " WM_STANDING_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, " WM_STANDING_PLACES ")",
                  err);
    wm_bind_blob(&q, run->id, WM_RUN_ID_SIZE);
    wm_bind_text(&q, run->job_name);
    wm_bind_text(&q, run->job_text);
    wm_bind_digest(&q, &job);
    wm_bind_u64(&q, run->seed);
    wm_bind_int(&q, run->rounds);
    wm_bind_int(&q, run->keep);
    wm_bind_int(&q, run->started_wall_ms);
    wm_bind_standing(&q, first);
    if (wm_query_done(&q) == WM_E_EXISTS)
        return wm_fail(err, WM_E_EXISTS, "that run was started already; open it instead");
    return q.st;
}

static wm_status ledger_start(wm_ledger *self, const wm_run_record *run, const wm_standing *first, wm_error *err)
{
    wm_store *store = store_of(self);
    wm_text   text = WM_TEXT_INIT;
    wm_query  q;
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    wm_audit_start_text(run, &first->model, &text);
    st = insert_run(store, run, first, err);
    if (st == WM_OK)
        st = insert_population(store, run, err);
    if (st == WM_OK) {
        wm_query_init(&q, &store->db, "DELETE FROM queue WHERE run = ?", err); /* if it waited there */
        wm_bind_blob(&q, run->id, WM_RUN_ID_SIZE);
        st = wm_query_done(&q);
    }
    if (st == WM_OK)
        st = wm_audit_add_text(store, run->id, "start", &text, err);
    wm_text_release(&text);
    return wm_store_end(store, "start", st, err);
}

/* ---- the transitions of an open run ---- */

static wm_status update_standing(wm_store *store, const uint8_t *run, const wm_standing *standing, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &store->db,
                  "UPDATE runs SET (" WM_STANDING_COLUMNS ") = (" WM_STANDING_PLACES
                  ") WHERE id = ? AND ended_ms IS NULL",
                  err);
    wm_bind_standing(&q, standing);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    if (wm_query_done(&q) == WM_OK && sqlite3_changes(store->db.handle) != 1)
        return wm_fail(err, WM_E_MISSING, "there is no open run of that id in %s", store->folder);
    return q.st;
}

static wm_status ledger_open(wm_ledger *self, const uint8_t *run, const wm_standing *standing, wm_error *err)
{
    wm_store *store = store_of(self);
    wm_text   text = WM_TEXT_INIT;
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    wm_audit_open_text(standing, &text);
    st = update_standing(store, run, standing, err);
    if (st == WM_OK)
        st = wm_audit_add_text(store, run, "open", &text, err);
    wm_text_release(&text);
    return wm_store_end(store, "open", st, err);
}

static wm_status write_substitute(wm_store *store, const uint8_t *run, uint32_t round, const wm_substitution *drawn,
                                  wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_query  q;
    wm_status st;

    wm_query_init(&q, &store->db, "INSERT INTO substitutes (run, round, client, place_of) VALUES (?, ?, ?, ?)",
                  err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round);
    wm_bind_int(&q, drawn->client);
    wm_bind_int(&q, drawn->place_of);
    st = wm_query_done(&q);
    if (st == WM_OK) {
        wm_audit_substitute_text(round, drawn, &text);
        st = wm_audit_add_text(store, run, "substitute", &text, err);
    }
    wm_text_release(&text);
    return st;
}

static wm_status ledger_substitute(wm_ledger *self, const uint8_t *run, uint32_t round,
                                   const wm_substitution *drawn, size_t n, wm_error *err)
{
    wm_store *store = store_of(self);
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; st == WM_OK && i < n; i++)
        st = write_substitute(store, run, round, &drawn[i], err);
    return wm_store_end(store, "substitute", st, err);
}

/* What was folded stays as it was committed; only a client of whom nothing was known may still turn out to be
 * late or refused. */
static wm_status write_contributions(wm_store *store, const uint8_t *run, uint32_t round,
                                     const wm_contribution *contributions, size_t n, bool again, wm_error *err)
{
    static const char first[] =
        "INSERT INTO contributions (run, round, client, verdict, reason, digest, weight, loss, "
        "seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    static const char later[] =
        "INSERT INTO contributions (run, round, client, verdict, reason, digest, weight, loss, seconds) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET verdict = excluded.verdict, "
        "reason = excluded.reason, seconds = excluded.seconds WHERE verdict = 0 AND excluded.verdict <> 1";
    wm_query q;

    if (n == 0)
        return WM_OK;
    wm_query_init(&q, &store->db, again ? later : first, err);
    for (size_t i = 0; i < n; i++) {
        const wm_contribution *c = &contributions[i];

        wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
        wm_bind_int(&q, round);
        wm_bind_int(&q, c->client);
        wm_bind_int(&q, c->verdict);
        wm_bind_text(&q, c->reason);
        wm_bind_digest(&q, &c->digest);
        wm_bind_u64(&q, c->weight);
        wm_bind_real(&q, c->loss);
        wm_bind_real(&q, c->seconds);
        if (i + 1 < n)
            wm_query_again(&q);
    }
    return wm_query_done(&q);
}

static wm_status write_statistics(wm_store *store, const uint8_t *run, const wm_digest *sums, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &store->db, "UPDATE runs SET statistics = ? WHERE id = ?", err);
    wm_bind_digest(&q, sums);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    return wm_query_done(&q);
}

static wm_status ledger_scaled(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                               const wm_digest *sums, const wm_contribution *contributions, size_t n, wm_error *err)
{
    wm_store       *store = store_of(self);
    wm_round_record round = { .sums = *sums,
                              .contributions = (wm_contribution *)(uintptr_t)contributions,
                              .n_contributions = n };
    wm_text         text = WM_TEXT_INIT;
    wm_status       st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    wm_audit_scaled_text(&standing->scaling, &round, &text);
    st = update_standing(store, run, standing, err);
    if (st == WM_OK)
        st = write_statistics(store, run, sums, err);
    if (st == WM_OK)
        st = write_contributions(store, run, 0, contributions, n, false, err);
    if (st == WM_OK)
        st = wm_audit_add_text(store, run, "scaled", &text, err);
    wm_text_release(&text);
    return wm_store_end(store, "scaled", st, err);
}

static wm_status write_round(wm_store *store, const uint8_t *run, const wm_round_record *round, wm_error *err)
{
    wm_query q;

    wm_query_init(
        &q, &store->db,
        "INSERT INTO rounds (run, round, attempts, opened_ms, seconds, selected, accepted, refused, late, "
        "train_loss, bytes_up, bytes_down, model_before, model_after, sums, server_state, total_weight, "
        "evaluated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round->round);
    wm_bind_int(&q, round->attempts);
    wm_bind_int(&q, round->opened_wall_ms);
    wm_bind_real(&q, round->seconds);
    wm_bind_int(&q, round->selected);
    wm_bind_int(&q, round->accepted);
    wm_bind_int(&q, round->refused);
    wm_bind_int(&q, round->late);
    wm_bind_real(&q, round->train_loss);
    wm_bind_u64(&q, round->bytes_up);
    wm_bind_u64(&q, round->bytes_down);
    wm_bind_digest(&q, &round->model_before);
    wm_bind_digest(&q, &round->model_after);
    wm_bind_digest(&q, &round->sums);
    wm_bind_digest(&q, &round->server_state);
    wm_bind_u64(&q, round->total_weight);
    wm_bind_int(&q, round->evaluated);
    if (wm_query_done(&q) == WM_E_EXISTS)
        return wm_fail(err, WM_E_EXISTS, "round %" PRIu32 " of that run was committed already", round->round);
    return q.st;
}

/* round 0 with a client of -1 or above: the last evaluation. */
static wm_status write_result(wm_store *store, const uint8_t *run, uint32_t round, int64_t client,
                              wm_contender contender, const wm_result *result, wm_error *err)
{
    wm_query q;

    if (!result->present)
        return WM_OK;
    wm_query_init(&q, &store->db,
                  "INSERT INTO results (run, round, client, contender, " WM_RESULT_COLUMNS
                  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round);
    wm_bind_int(&q, client);
    wm_bind_int(&q, contender);
    wm_bind_u64(&q, result->examples);
    wm_bind_real(&q, result->loss);
    for (size_t m = 0; m < WM_RESULT_METRICS; m++)
        wm_bind_real(&q, result->metrics[m]);
    return wm_query_done(&q);
}

/* Of an evaluation that nobody took part in there are no figures. */
static wm_status write_evaluation(wm_store *store, const uint8_t *run, const wm_round_record *round, wm_error *err)
{
    return round->evaluated ? write_result(store, run, round->round, -1, WM_FEDERATED, &round->evaluation, err)
                            : WM_OK;
}

static wm_status ledger_commit(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                               const wm_round_record *round, wm_error *err)
{
    wm_store  *store = store_of(self);
    wm_digests dropped = { 0 };
    wm_text    text = WM_TEXT_INIT;
    wm_status  st;

    wm_audit_round_text(round, &text);
    st = wm_store_begin(store, err);
    if (st != WM_OK)
        goto out;
    st = update_standing(store, run, standing, err);
    if (st == WM_OK)
        st = write_round(store, run, round, err);
    if (st == WM_OK)
        st =
            write_contributions(store, run, round->round, round->contributions, round->n_contributions, false, err);
    if (st == WM_OK)
        st = write_evaluation(store, run, round, err);
    if (st == WM_OK)
        st = wm_checkpoints_turn(store, run, round, &dropped, err);
    if (st == WM_OK)
        st = wm_audit_add_text(store, run, "commit", &text, err);
    st = wm_store_commit(store, "commit", st, err);
    if (st == WM_OK)
        wm_checkpoints_remove(store, &dropped);
    wm_store_unlock(store);
out:
    free(dropped.items);
    wm_text_release(&text);
    return st;
}

/* What the round went on to cost until its evaluation was in. */
static wm_status update_round(wm_store *store, const uint8_t *run, const wm_round_record *round, wm_error *err)
{
    wm_query q;

    wm_query_init(
        &q, &store->db,
        "UPDATE rounds SET seconds = ?, refused = ?, late = ?, bytes_up = ?, bytes_down = ?, evaluated = ? "
        "WHERE run = ? AND round = ? AND evaluated = 0",
        err);
    wm_bind_real(&q, round->seconds);
    wm_bind_int(&q, round->refused);
    wm_bind_int(&q, round->late);
    wm_bind_u64(&q, round->bytes_up);
    wm_bind_u64(&q, round->bytes_down);
    wm_bind_int(&q, round->evaluated);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round->round);
    if (wm_query_done(&q) == WM_OK && sqlite3_changes(store->db.handle) != 1)
        return wm_fail(err, WM_E_MISSING, "round %" PRIu32 " is not committed, or was evaluated already",
                       round->round);
    return q.st;
}

static wm_status ledger_evaluated(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                                  const wm_round_record *round, wm_error *err)
{
    wm_store       *store = store_of(self);
    wm_round_record stored = *round; /* with the contributions as they are kept */
    wm_text         text = WM_TEXT_INIT;
    wm_status       st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    stored.contributions = NULL;
    st = update_standing(store, run, standing, err);
    if (st == WM_OK)
        st = update_round(store, run, round, err);
    if (st == WM_OK)
        st = write_contributions(store, run, round->round, round->contributions, round->n_contributions, true, err);
    if (st == WM_OK)
        st = write_evaluation(store, run, round, err);
    if (st == WM_OK)
        st = wm_contributions_read(&store->db, run, &stored, err);
    if (st == WM_OK) {
        wm_audit_evaluated_text(&stored, &text);
        st = wm_audit_add_text(store, run, "evaluated", &text, err);
    }
    free(stored.contributions);
    wm_text_release(&text);
    return wm_store_end(store, "evaluated", st, err);
}

/* ---- the end ---- */

static wm_status write_final(wm_store *store, const uint8_t *run, const wm_final_record *final, wm_error *err)
{
    int64_t   n = 0;
    wm_query  q;
    wm_status st = WM_OK;

    wm_query_init(&q, &store->db, "SELECT count(*) FROM population WHERE run = ?", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    if (wm_query_row(&q))
        n = wm_column_int(&q);
    st = wm_query_done(&q);
    for (int c = 0; st == WM_OK && c < WM_CONTENDERS; c++)
        st = write_result(store, run, 0, -1, (wm_contender)c, &final->together[c], err);
    for (int64_t k = 0; final->clients != NULL && st == WM_OK && k < n; k++)
        for (int c = 0; st == WM_OK && c < WM_CONTENDERS; c++)
            st = write_result(store, run, 0, k, (wm_contender)c, &final->clients[k * WM_CONTENDERS + c], err);
    return st;
}

static wm_status ledger_close(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                              const wm_final_record *final, wm_error *err)
{
    wm_store *store = store_of(self);
    wm_text   text = WM_TEXT_INIT;
    wm_query  q;
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    wm_audit_close_text(standing, &text);
    st = update_standing(store, run, standing, err);
    if (st == WM_OK) {
        wm_query_init(&q, &store->db, "UPDATE runs SET ended_ms = ? WHERE id = ?", err);
        wm_bind_int(&q, wm_wall_ms(&store->clock));
        wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
        st = wm_query_done(&q);
    }
    if (st == WM_OK && final != NULL)
        st = write_final(store, run, final, err);
    if (st == WM_OK)
        st = wm_audit_add_text(store, run, "close", &text, err);
    wm_text_release(&text);
    return wm_store_end(store, "close", st, err);
}

void wm_ledger_init(wm_ledger *ledger, wm_store *store)
{
    *ledger = (wm_ledger){
        .start = ledger_start,
        .open = ledger_open,
        .substitute = ledger_substitute,
        .scaled = ledger_scaled,
        .commit = ledger_commit,
        .evaluated = ledger_evaluated,
        .close = ledger_close,
        .load = wm_ledger_load,
        .substitutes = wm_ledger_substitutes,
        .rounds = wm_ledger_rounds,
        .state = store,
    };
}
