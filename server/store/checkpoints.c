/* server/store/checkpoints.c
 *
 * Which blobs are still needed. A blob may be named from several places (two runs of the same job and seed
 * share every model), so a file goes only when the last name for it has gone. */
#include "server/store/inside.h"

#include "common/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wm_status hold(wm_store *store, const uint8_t *run, const wm_round_record *round, wm_error *err)
{
    const wm_digest *held[] = { &round->model_before, &round->model_after, &round->sums, &round->server_state };
    wm_query         q;

    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        if (wm_digest_is_zero(held[i]))
            continue;
        wm_query_init(&q, &store->db, "INSERT OR IGNORE INTO checkpoints (run, round, digest) VALUES (?, ?, ?)",
                      err);
        wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
        wm_bind_int(&q, round->round);
        wm_bind_digest(&q, held[i]);
        if (wm_query_done(&q) != WM_OK)
            return q.st;
    }
    /* And the state before it, which the round before has left: without it the round could not be computed again. */
    wm_query_init(
        &q, &store->db,
        "INSERT OR IGNORE INTO checkpoints (run, round, digest) SELECT run, round + 1, server_state FROM rounds "
        "WHERE run = ? AND round = ? AND server_state IS NOT NULL",
        err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, (int64_t)round->round - 1);
    return wm_query_done(&q);
}

static wm_status add_digest(wm_digests *digests, const wm_digest *digest, wm_error *err)
{
    wm_digest *grown = wm_grow(digests->items, digests->count, &digests->room, sizeof *grown);

    if (grown == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of old checkpoints");
    digests->items = grown;
    digests->items[digests->count++] = *digest;
    return WM_OK;
}

static wm_status keep_of(wm_store *store, const uint8_t *run, int64_t *ret, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &store->db, "SELECT keep FROM runs WHERE id = ?", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    if (wm_query_row(&q))
        *ret = wm_column_within(&q, 0, INT64_MAX);
    return wm_query_done(&q);
}

wm_status wm_checkpoints_turn(wm_store *store, const uint8_t *run, const wm_round_record *round,
                              wm_digests *dropped, wm_error *err)
{
    wm_query  q;
    wm_digest digest;
    int64_t   keep = 0;
    wm_status st = hold(store, run, round, err);

    if (st == WM_OK)
        st = keep_of(store, run, &keep, err);
    if (st != WM_OK || keep == 0)
        return st;
    wm_query_init(&q, &store->db, "DELETE FROM checkpoints WHERE run = ? AND round <= ? RETURNING digest", err);
    wm_bind_blob(&q, run, WM_RUN_ID_SIZE);
    wm_bind_int(&q, (int64_t)round->round - keep);
    while (wm_query_row(&q)) {
        digest = wm_column_digest(&q);
        if (q.st == WM_OK)
            q.st = add_digest(dropped, &digest, err);
    }
    return wm_query_done(&q);
}

/* True also where it cannot be told: better a file too many. */
static bool is_named(void *context, const wm_digest *name)
{
    wm_store *store = context;
    wm_query  q;
    bool      named;

    wm_query_init(&q, &store->db,
                  "SELECT EXISTS (SELECT 1 FROM checkpoints WHERE digest = ?1) OR "
                  "EXISTS (SELECT 1 FROM runs WHERE ?1 IN (model, server_state, scaling, statistics, job_digest)) OR "
                  "EXISTS (SELECT 1 FROM queue WHERE instr(job_text, lower(hex(?1))) > 0)", /* its warm start */
                  NULL);
    wm_bind_digest(&q, name);
    named = !wm_query_row(&q) || wm_column_int(&q) != 0;
    return wm_query_done(&q) != WM_OK || named;
}

void wm_checkpoints_remove(wm_store *store, const wm_digests *dropped)
{
    if (store->pins > 0)
        return; /* a backup is copying them */
    for (size_t i = 0; i < dropped->count; i++)
        if (!is_named(store, &dropped->items[i]))
            (void)wm_blobs_remove(store->blobs, &dropped->items[i], NULL);
}

wm_status wm_checkpoints_sweep(wm_store *store, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_blobs_sweep(store->blobs, is_named, store, err);
    wm_store_unlock(store);
    return st;
}

/* The model that a waiting job starts with, which no row names; its text does, as server/start.c has written it. */
static bool start_of(const char *text, wm_digest *ret)
{
    static const char key[] = "parameters: ";
    char              hex[WM_DIGEST_TEXT];

    for (const char *at = text; (at = strstr(at, key)) != NULL; at++) {
        const char *word = at + strlen(key) + strspn(at + strlen(key), "\"'");

        snprintf(hex, sizeof hex, "%.64s", word);
        if (wm_digest_parse(hex, ret))
            return true;
    }
    return false;
}

static wm_status starts_named(wm_db *db, wm_status (*each)(void *context, const wm_digest *name, wm_error *err),
                              void *context, wm_error *err)
{
    wm_query  q;
    wm_digest digest;

    wm_query_init(&q, db, "SELECT job_text FROM queue", err);
    while (wm_query_row(&q)) {
        const char *text = wm_column_text(&q);

        if (q.st == WM_OK && start_of(text, &digest))
            q.st = each(context, &digest, err);
    }
    return wm_query_done(&q);
}

wm_status wm_checkpoints_named(wm_db *db, wm_status (*each)(void *context, const wm_digest *name, wm_error *err),
                               void *context, wm_error *err)
{
    wm_query  q;
    wm_digest digest;

    wm_query_init(&q, db,
                  "SELECT digest FROM checkpoints UNION SELECT model FROM runs UNION SELECT server_state FROM runs "
                  "UNION SELECT scaling FROM runs UNION SELECT statistics FROM runs",
                  err);
    while (wm_query_row(&q)) {
        digest = wm_column_digest(&q);
        if (q.st == WM_OK && !wm_digest_is_zero(&digest))
            q.st = each(context, &digest, err);
    }
    return wm_query_done(&q) == WM_OK ? starts_named(db, each, context, err) : q.st;
}
