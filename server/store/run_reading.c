/* server/store/run_reading.c
 *
 * Rows back into records: where a run stands, its rounds, what it is, how it ended. */
#include "server/store/runs.h"

#include "common/grow.h"
#include "server/store/inside.h"

#include <stdlib.h>
#include <string.h>

enum { CONTRIBUTIONS_MAX = 1 << 24 }; /* clients of one round; more is damage */

void wm_column_standing(wm_query *q, wm_standing *ret)
{
    *ret = (wm_standing){ 0 };
    ret->phase = (wm_phase)wm_column_within(q, WM_PHASE_NONE, WM_PHASE_CLOSED);
    ret->round = wm_column_u32(q);
    ret->attempt = wm_column_u32(q);
    ret->opened_wall_ms = wm_column_int(q);
    ret->model = wm_column_digest(q);
    ret->server_state = wm_column_digest(q);
    ret->scaling = wm_column_digest(q);
    ret->evaluations_without_gain = wm_column_u32(q);
    ret->best_loss = wm_column_real(q);
    ret->outcome = (wm_outcome)wm_column_within(q, WM_OUTCOME_NONE, WM_OUTCOME_FAILED);
    wm_column_copy(q, ret->why, sizeof ret->why);
}

void wm_column_result(wm_query *q, wm_result *ret)
{
    *ret = (wm_result){ .present = true, .examples = wm_column_u64(q) };
    ret->loss = wm_column_real(q);
    for (size_t m = 0; m < WM_RESULT_METRICS; m++)
        ret->metrics[m] = wm_column_real(q);
}

static wm_status no_such_run(const wm_db *db, wm_error *err)
{
    return wm_fail(err, WM_E_MISSING, "there is no run of that id in %s", db->path);
}

wm_status wm_standing_read(wm_db *db, const uint8_t *run, wm_standing *ret, wm_error *err)
{
    wm_query    q;
    wm_standing standing;
    bool        there;

    wm_query_init(&q, db, "SELECT " WM_STANDING_COLUMNS " FROM runs WHERE id = ?", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    there = wm_query_row(&q);
    if (there)
        wm_column_standing(&q, &standing);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    if (!there)
        return no_such_run(db, err);
    *ret = standing;
    return WM_OK;
}

wm_status wm_ledger_load(wm_ledger *self, const uint8_t *run, wm_standing *ret, wm_error *err)
{
    wm_store *store = self->state;
    wm_status st;

    wm_store_lock(store);
    st = wm_standing_read(&store->db, run, ret, err);
    wm_store_unlock(store);
    return st;
}

wm_status wm_substitutes_read(wm_db *db, const uint8_t *run, uint32_t round, wm_substitution *ret, size_t room,
                              size_t *n, wm_error *err)
{
    wm_query q;
    size_t   found = 0;

    wm_query_init(&q, db, "SELECT client, place_of FROM substitutes WHERE run = ? AND round = ? ORDER BY client",
                  err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round);
    while (wm_query_row(&q)) {
        if (found == room) {
            q.st = wm_fail(err, WM_E_DAMAGED,
                           "%s is damaged: more clients were drawn into a round than the run has; "
                           "put it back from a backup",
                           db->path);
            break;
        }
        ret[found].client = (uint32_t)wm_column_within(&q, 0, (int64_t)room - 1);
        ret[found].place_of = (uint32_t)wm_column_within(&q, 0, (int64_t)room - 1);
        found++;
    }
    if (wm_query_done(&q) == WM_OK)
        *n = found;
    return q.st;
}

wm_status wm_ledger_substitutes(wm_ledger *self, const uint8_t *run, uint32_t round, wm_substitution *ret,
                                size_t room, size_t *n, wm_error *err)
{
    wm_store *store = self->state;
    wm_status st;

    wm_store_lock(store);
    st = wm_substitutes_read(&store->db, run, round, ret, room, n, err);
    wm_store_unlock(store);
    return st;
}

/* ---- rounds ---- */

static void column_round(wm_query *q, wm_round_record *ret)
{
    *ret = (wm_round_record){ .round = wm_column_u32(q) };
    ret->attempts = wm_column_u32(q);
    ret->opened_wall_ms = wm_column_int(q);
    ret->seconds = wm_column_real(q);
    ret->selected = wm_column_u32(q);
    ret->accepted = wm_column_u32(q);
    ret->refused = wm_column_u32(q);
    ret->late = wm_column_u32(q);
    ret->train_loss = wm_column_real(q);
    ret->bytes_up = wm_column_u64(q);
    ret->bytes_down = wm_column_u64(q);
    ret->model_before = wm_column_digest(q);
    ret->model_after = wm_column_digest(q);
    ret->sums = wm_column_digest(q);
    ret->server_state = wm_column_digest(q);
    ret->total_weight = wm_column_u64(q);
    ret->evaluated = wm_column_within(q, 0, 1) != 0;
}

static void column_contribution(wm_query *q, wm_contribution *ret)
{
    *ret = (wm_contribution){ .client = wm_column_u32(q) };
    ret->verdict = (wm_verdict)wm_column_within(q, WM_VERDICT_NONE, WM_VERDICT_LATE);
    wm_column_copy(q, ret->reason, sizeof ret->reason);
    ret->digest = wm_column_digest(q);
    ret->weight = wm_column_u64(q);
    ret->loss = wm_column_real(q);
    ret->seconds = wm_column_real(q);
}

static wm_status read_contributions(wm_db *db, const uint8_t *run, wm_round_record *round, size_t *room,
                                    wm_error *err)
{
    wm_query q;

    wm_query_init(&q, db,
                  "SELECT client, verdict, reason, digest, weight, loss, seconds FROM contributions "
                  "WHERE run = ? AND round = ? ORDER BY client",
                  err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round->round);
    while (wm_query_row(&q)) {
        wm_contribution *grown = round->n_contributions < CONTRIBUTIONS_MAX
                                     ? wm_grow(round->contributions, round->n_contributions, room, sizeof *grown)
                                     : NULL;

        if (grown == NULL) {
            q.st = wm_fail(err, WM_E_NOMEM, "no memory for the clients of a round");
            break;
        }
        round->contributions = grown;
        column_contribution(&q, &round->contributions[round->n_contributions++]);
    }
    return wm_query_done(&q);
}

static wm_status read_evaluation(wm_db *db, const uint8_t *run, wm_round_record *round, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, db,
                  "SELECT " WM_RESULT_COLUMNS
                  " FROM results WHERE run = ? AND round = ? AND client = -1 AND contender = ?",
                  err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round->round);
    wm_bind_int(&q, WM_FEDERATED);
    if (wm_query_row(&q))
        wm_column_result(&q, &round->evaluation);
    return wm_query_done(&q);
}

wm_status wm_rounds_read(wm_db *db, const uint8_t *run, uint32_t first, uint32_t last,
                         void (*each)(void *context, const wm_round_record *round), void *context, wm_error *err)
{
    wm_query         q;
    wm_round_record  round;
    wm_contribution *contributions = NULL; /* reused from round to round */
    size_t           room = 0;

    wm_query_init(&q, db,
                  "SELECT round, attempts, opened_ms, seconds, selected, accepted, refused, late, train_loss, "
                  "bytes_up, "
                  "bytes_down, model_before, model_after, sums, server_state, total_weight, evaluated FROM rounds "
                  "WHERE run = ? AND round BETWEEN ? AND ? ORDER BY round",
                  err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, first);
    wm_bind_int(&q, last);
    while (wm_query_row(&q)) {
        column_round(&q, &round);
        round.contributions = contributions;
        if (q.st == WM_OK)
            q.st = read_contributions(db, run, &round, &room, err);
        contributions = round.contributions;
        if (q.st == WM_OK && round.evaluated)
            q.st = read_evaluation(db, run, &round, err);
        if (q.st == WM_OK)
            each(context, &round);
    }
    free(contributions);
    return wm_query_done(&q);
}

wm_status wm_contributions_read(wm_db *db, const uint8_t *run, wm_round_record *ret, wm_error *err)
{
    wm_round_record round = *ret;
    size_t          room = 0;
    wm_status       st;

    round.contributions = NULL;
    round.n_contributions = 0;
    st = read_contributions(db, run, &round, &room, err);

    if (st != WM_OK) {
        free(round.contributions);
        return st;
    }
    *ret = round;
    return WM_OK;
}

wm_status wm_ledger_rounds(wm_ledger *self, const uint8_t                                  *run,
                           void (*each)(void *context, const wm_round_record *round), void *context, wm_error *err)
{
    wm_store *store = self->state;
    wm_status st;

    wm_store_lock(store);
    st = wm_rounds_read(&store->db, run, 1, UINT32_MAX, each, context, err);
    wm_store_unlock(store);
    return st;
}

/* ---- runs ---- */

wm_status wm_store_runs(wm_store *store, void (*each)(void *context, const wm_run_entry *run), void *context,
                        wm_error *err)
{
    wm_query     q;
    wm_run_entry run;

    wm_store_lock(store);
    wm_query_init(&q, &store->db,
                  "SELECT id, job_name, seed, rounds, started_ms, coalesce(ended_ms, 0), "
                  "(SELECT count(*) FROM population WHERE run = id), " WM_STANDING_COLUMNS
                  " FROM runs ORDER BY started_ms, id",
                  err);
    while (wm_query_row(&q)) {
        run = (wm_run_entry){ 0 };
        wm_column_blob(&q, run.id, sizeof run.id);
        run.job_name = wm_column_text(&q);
        run.seed = wm_column_u64(&q);
        run.rounds = wm_column_u32(&q);
        run.started_ms = wm_column_int(&q);
        run.ended_ms = wm_column_int(&q);
        run.n_population = (size_t)wm_column_int(&q);
        wm_column_standing(&q, &run.standing);
        if (q.st == WM_OK)
            each(context, &run);
    }
    wm_query_done(&q);
    wm_store_unlock(store);
    return q.st;
}

/* A record whose texts are its own. */
static wm_status read_record(wm_db *db, const uint8_t *run, wm_run_record *ret, bool *there, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, db, "SELECT job_name, job_text, seed, rounds, keep, started_ms FROM runs WHERE id = ?", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    *there = wm_query_row(&q);
    if (*there) {
        memcpy(ret->id, run, WM_RUN_ID_SIZE);
        ret->job_name = wm_column_dup(&q);
        ret->job_text = wm_column_dup(&q);
        ret->seed = wm_column_u64(&q);
        ret->rounds = wm_column_u32(&q);
        ret->keep = wm_column_int(&q);
        ret->started_wall_ms = wm_column_int(&q);
    }
    return wm_query_done(&q);
}

static wm_status read_population(wm_db *db, const uint8_t *run, wm_run_record *ret, wm_error *err)
{
    wm_query q;
    size_t   room = 0;

    wm_query_init(&q, db, "SELECT name FROM population WHERE run = ? ORDER BY client", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    while (wm_query_row(&q)) {
        char **grown = wm_grow(ret->population, ret->n_population, &room, sizeof *grown);

        if (grown == NULL) {
            q.st = wm_fail(err, WM_E_NOMEM, "no memory for the names of a run's clients");
            break;
        }
        ret->population = grown;
        if ((ret->population[ret->n_population] = wm_column_dup(&q)) != NULL)
            ret->n_population++;
    }
    return wm_query_done(&q);
}

wm_status wm_run_record_read(wm_db *db, const uint8_t *run, wm_run_record **ret, wm_error *err)
{
    wm_run_record *record = calloc(1, sizeof *record);
    bool           there = false;
    wm_status      st;

    if (record == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a run");
    st = read_record(db, run, record, &there, err);
    if (st == WM_OK && there)
        st = read_population(db, run, record, err);
    if (st == WM_OK && !there)
        st = no_such_run(db, err);
    if (st != WM_OK) {
        wm_store_run_record_free(record);
        return st;
    }
    *ret = record;
    return WM_OK;
}

wm_status wm_store_run_record(wm_store *store, const uint8_t *run, wm_run_record **ret, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_run_record_read(&store->db, run, ret, err);
    wm_store_unlock(store);
    return st;
}

void wm_store_run_record_free(wm_run_record *record)
{
    if (record == NULL)
        return;
    wm_names_free(record->population, record->n_population);
    free((char *)record->job_name); /* ours: read_record made copies */
    free((char *)record->job_text);
    free(record);
}

/* ---- the end ---- */

static wm_status count_population(wm_db *db, const uint8_t *run, size_t *ret, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, db, "SELECT count(*) FROM population WHERE run = ?", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    if (wm_query_row(&q))
        *ret = (size_t)wm_column_int(&q);
    return wm_query_done(&q);
}

static wm_status read_results(wm_db *db, const uint8_t *run, size_t n, wm_final_record *ret, bool *there,
                              wm_error *err)
{
    wm_query q;

    wm_query_init(&q, db,
                  "SELECT client, contender, " WM_RESULT_COLUMNS " FROM results WHERE run = ? AND round = 0", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    while (wm_query_row(&q)) {
        int64_t client = wm_column_within(&q, -1, (int64_t)n - 1);
        int64_t contender = wm_column_within(&q, 0, WM_CONTENDERS - 1);

        wm_column_result(&q, client < 0 ? &ret->together[contender]
                                        : &ret->clients[client * WM_CONTENDERS + contender]);
        *there = true;
    }
    return wm_query_done(&q);
}

wm_status wm_store_final(wm_store *store, const uint8_t *run, wm_final_record *ret, wm_error *err)
{
    wm_final_record final = { 0 };
    size_t          n = 0;
    bool            there = false;
    wm_status       st;

    wm_store_lock(store);
    st = count_population(&store->db, run, &n, err);
    if (st == WM_OK && (final.clients = calloc(n > 0 ? n : 1, WM_CONTENDERS * sizeof *final.clients)) == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the results of %zu clients", n);
    if (st == WM_OK)
        st = read_results(&store->db, run, n, &final, &there, err);
    wm_store_unlock(store);
    if (st == WM_OK && !there)
        st = wm_fail(err, WM_E_MISSING, "that run has no last evaluation");
    if (st != WM_OK) {
        free(final.clients);
        return st;
    }
    *ret = final;
    return WM_OK;
}
