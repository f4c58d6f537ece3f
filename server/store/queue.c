/* server/store/queue.c */
#include "server/store/runs.h"

#include "server/store/inside.h"

#include <inttypes.h>
#include <string.h>

static wm_status has_run(wm_store *store, const uint8_t *id, wm_error *err)
{
    wm_query q;
    bool     there;

    wm_query_init(&q, &store->db, "SELECT 1 FROM runs WHERE id = ?", err);
    wm_bind_blob(&q, id, WM_RUN_ID_SIZE);
    there = wm_query_row(&q);
    if (wm_query_done(&q) == WM_OK && there)
        return wm_fail(err, WM_E_EXISTS, "a run of that id was started already");
    return q.st;
}

static wm_status insert_job(wm_store *store, const wm_queued_job *job, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &store->db,
                  "INSERT INTO queue (run, job_name, job_text, seed, added_ms) VALUES (?, ?, ?, ?, ?)", err);
    wm_bind_blob(&q, job->id, WM_RUN_ID_SIZE);
    wm_bind_text(&q, job->job_name);
    wm_bind_text(&q, job->job_text);
    wm_bind_u64(&q, job->seed);
    wm_bind_int(&q, wm_wall_ms(&store->clock));
    if (wm_query_done(&q) == WM_E_EXISTS)
        return wm_fail(err, WM_E_EXISTS, "a job of that id waits already");
    return q.st;
}

wm_status wm_store_queue_add(wm_store *store, const wm_queued_job *job, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    wm_audit_queue_text(job, &text);
    st = has_run(store, job->id, err);
    if (st == WM_OK)
        st = insert_job(store, job, err);
    if (st == WM_OK)
        st = wm_audit_add_text(store, job->id, "queue", &text, err);
    wm_text_release(&text);
    return wm_store_end(store, "queue", st, err);
}

wm_status wm_store_queue_remove(wm_store *store, const uint8_t *id, wm_error *err)
{
    wm_query  q;
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    wm_query_init(&q, &store->db, "DELETE FROM queue WHERE run = ?", err);
    wm_bind_blob(&q, id, WM_RUN_ID_SIZE);
    st = wm_query_done(&q);
    if (st == WM_OK && sqlite3_changes(store->db.handle) != 1)
        st = wm_fail(err, WM_E_MISSING, "no job of that id waits");
    if (st == WM_OK)
        st = wm_audit_add(store, id, "unqueue", err, "by=operator");
    return wm_store_end(store, "unqueue", st, err);
}

wm_status wm_queue_read(wm_db *db, void (*each)(void *context, const wm_queued_job *job), void *context,
                        wm_error *err)
{
    wm_query      q;
    wm_queued_job job;

    wm_query_init(&q, db, "SELECT run, job_name, job_text, seed, added_ms FROM queue ORDER BY place", err);
    while (wm_query_row(&q)) {
        wm_column_blob(&q, job.id, sizeof job.id);
        job.job_name = wm_column_text(&q);
        job.job_text = wm_column_text(&q);
        job.seed = wm_column_u64(&q);
        job.added_ms = wm_column_int(&q);
        if (q.st == WM_OK)
            each(context, &job);
    }
    return wm_query_done(&q);
}

wm_status wm_store_queue(wm_store *store, void (*each)(void *context, const wm_queued_job *job), void *context,
                         wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_queue_read(&store->db, each, context, err);
    wm_store_unlock(store);
    return st;
}
