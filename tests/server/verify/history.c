/* tests/server/verify/history.c */
#include "tests/server/verify/history.h"

#include "models/safetensors.h"
#include "server/store/gateways.h"
#include "server/store/inside.h"
#include "server/store/runs.h"
#include "tests/server/level.h"

enum { TURNS_MOST = 1000, FILE_MAX = 16 << 20 };

static const char job_text[] = LEVEL_JOB("history", "2", "federated",
                                         "model: {layers: [flatten, {dense: 2}, relu, {dense: 1}], loss: mse}\n"
                                         "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 1}\n"
                                         "rounds: 6\n"
                                         "cohort: {select: {uniform: 0.6}, quorum: 1, deadline: 60s}\n"
                                         "strategy: fedavg\n"
                                         "evaluate: {every: 2, metrics: [mae]}\n"
                                         "keep: 3\n"
                                         "seed: 1\n");

char *history_path(const history *h, const char *name)
{
    char *path = wm_path_join(h->folder, name);

    assert_non_null(path);
    return path;
}

/* ---- making ---- */

static wm_standing standing_of(world *w)
{
    wm_run_progress progress;

    wm_run_progress_get(w->run, &progress);
    return progress.standing;
}

static void before_the_run(world *w, wm_store *store)
{
    wm_queued_job job = { .job_name = "history", .job_text = w->record.job_text, .seed = w->seed };
    wm_error      err;
    char          serial[8];

    for (size_t k = 0; k < HISTORY_CLIENTS; k++) {
        snprintf(serial, sizeof serial, "0a%02zx", k);
        assert_ok(wm_store_certificate(store, w->names[k], serial, 1900000000000, &err), &err);
    }
    memcpy(job.id, w->record.id, sizeof job.id);
    assert_ok(wm_store_queue_add(store, &job, &err), &err);
}

static void after_the_run(world *w, wm_store *store)
{
    wm_queued_job job = { .id = "the next run", .job_name = "next", .job_text = "job: next\n", .seed = 7 };
    wm_error      err;

    assert_ok(wm_store_revoke(store, w->names[4], "stolen", &err), &err);
    assert_ok(wm_store_queue_add(store, &job, &err), &err);
}

/* One who was drawn goes away, another is drawn in its place, and it comes back. */
static void leave_once(world *w)
{
    wm_task task;
    int64_t come_back_ms;

    for (size_t k = 0; k < HISTORY_CLIENTS; k++)
        if (wm_run_ask(w->run, w->names[k], &task, &come_back_ms) == WM_ANSWER_TASK) {
            wm_run_away(w->run, w->names[k]);
            return;
        }
}

/* As server/report leaves it. */
static void write_folder(history *h, world *w)
{
    char              name[64], digest[WM_DIGEST_TEXT], *folder, *path;
    const wm_metadata metadata[] = { { "sha256", wm_digest_text(&h->model, digest) }, { NULL, NULL } };
    float            *params = world_params(w, &h->model);
    wm_error          err;

    snprintf(name, sizeof name, "runs/%s", h->run);
    folder = history_path(h, name);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), folder, 0700, &err), &err);
    path = wm_path_join(folder, "model.safetensors");
    assert_ok(wm_safetensors_write(wm_files_system(), path, w->model, params, metadata, &err), &err);
    free(params);
    free(path);
    free(folder);
}

void history_make(history *h)
{
    world     w;
    wm_store *store;
    wm_blobs *own;
    char     *db;
    wm_error  err;

    *h = (history){ 0 };
    wm_test_folder(h->folder);
    world_init(&w, job_text, HISTORY_CLIENTS, 20261122);
    own = w.blobs;
    w.patient = true;
    w.record.rounds = HISTORY_ROUNDS;
    w.record.keep = HISTORY_KEEP;
    wm_run_id_text(w.record.id, h->run);
    assert_ok(wm_store_open(wm_files_system(), h->folder, wm_clock_manual(&w.time), &store, &err), &err);
    w.blobs = wm_store_blobs(store);
    w.ledger = *wm_store_ledger(store);
    before_the_run(&w, store);
    assert_ok(world_open(&w, &err), &err);
    for (int turns = 0; standing_of(&w).phase != WM_PHASE_CLOSED; turns++) {
        wm_standing at = standing_of(&w);

        assert_true(turns < TURNS_MOST);
        if (at.phase == WM_PHASE_TRAIN && at.round == HISTORY_LEFT_IN)
            leave_once(&w);
        world_turn(&w);
    }
    h->model = standing_of(&w).model;
    after_the_run(&w, store);
    write_folder(h, &w);
    world_kill(&w);
    wm_store_close(store);
    w.blobs = own;
    world_release(&w);

    db = history_path(h, "store.db");
    assert_ok(wm_files_system()->read(wm_files_system(), db, FILE_MAX, &h->database, &h->n_database, &err), &err);
    free(db);
    history_verify(h);
    h->lines = h->result.head.lines;
}

void history_release(history *h)
{
    wm_error err;

    assert_ok(wm_folder_remove(h->folder, &err), &err);
    wm_text_release(&h->said);
    free(h->database);
}

/* ---- damaging ---- */

void history_restore(history *h)
{
    char    *db = history_path(h, "store.db"), *log = history_path(h, "store.db-wal");
    FILE    *file = fopen(db, "w"); /* not replace(), which waits for the disk: this is done thousands of times */
    wm_error err;

    assert_ok(wm_files_system()->remove(wm_files_system(), log, &err), &err);
    assert_true(file != NULL && fwrite(h->database, 1, h->n_database, file) == h->n_database && fclose(file) == 0);
    free(log);
    free(db);
}

static wm_db open_db(history *h)
{
    char    *path = history_path(h, "store.db");
    wm_db    db;
    wm_error err;

    assert_ok(wm_db_open(path, &db, &err), &err);
    assert_ok(wm_db_run(&db, "PRAGMA foreign_keys = OFF", &err), &err);
    free(path);
    return db;
}

void history_sql(history *h, const char *sql)
{
    wm_db    db = open_db(h);
    wm_error err;

    if (wm_db_run(&db, "BEGIN", &err) != WM_OK || wm_db_run(&db, sql, &err) != WM_OK ||
        wm_db_run(&db, "COMMIT", &err) != WM_OK)
        fail_msg("%s: %s", sql, err.text);
    wm_db_close(&db);
}

typedef struct forging {
    wm_db         *db;
    wm_audit_head  head;
    const uint8_t *run;
    wm_text        text; /* of the line at hand */
    const char    *what;
} forging;

static void forge_round(void *context, const wm_round_record *round)
{
    forging *f = context;

    if (strcmp(f->what, "commit") == 0)
        wm_audit_round_text(round, &f->text);
    else
        wm_audit_evaluated_text(round, &f->text);
}

static void write_line(forging *f, wm_audit_line *line)
{
    wm_query q;
    wm_error err;

    if (f->text.size > 0)
        line->detail = wm_text_chars(&f->text);
    line->hash = wm_audit_link(&f->head.hash, line);
    wm_query_init(&q, f->db, "UPDATE audit SET detail = ?, hash = ? WHERE line = ?", &err);
    wm_bind_text(&q, line->detail);
    wm_bind_digest(&q, &line->hash);
    wm_bind_u64(&q, line->line);
    assert_ok(wm_query_done(&q), &err);
    f->head = (wm_audit_head){ line->line, line->hash };
}

static wm_status forge_line(void *context, const wm_audit_line *line, wm_error *err)
{
    forging      *f = context;
    wm_audit_line changed = *line;
    unsigned      round;

    wm_text_release(&f->text);
    f->what = line->what;
    if ((strcmp(line->what, "commit") == 0 || strcmp(line->what, "evaluated") == 0) &&
        sscanf(line->detail, "round=%u", &round) == 1)
        assert_ok(wm_rounds_read(f->db, line->run, round, round, forge_round, f, err), err);
    write_line(f, &changed);
    return WM_OK;
}

void history_forge(history *h)
{
    wm_db    db = open_db(h);
    forging  f = { .db = &db };
    wm_query q;
    wm_error err;

    assert_ok(wm_audit_walk(&db, forge_line, &f, &err), &err);
    wm_query_init(&q, &db, "UPDATE audit_head SET lines = ?, hash = ?", &err);
    wm_bind_u64(&q, f.head.lines);
    wm_bind_digest(&q, &f.head.hash);
    assert_ok(wm_query_done(&q), &err);
    wm_text_release(&f.text);
    wm_db_close(&db);
}

/* ---- verifying ---- */

static void keep_finding(void *context, const wm_finding *finding)
{
    history *h = context;

    wm_text_printf(&h->said, "%s %s: %s\n", finding->violation ? "violation" : "note", finding->area,
                   finding->text);
    if (!finding->violation || h->first.violation)
        return;
    h->first = *finding;
    snprintf(h->client, sizeof h->client, "%s", finding->client != NULL ? finding->client : "");
    h->first.client = h->client;
    h->first.text = NULL;
}

void history_verify_heads(history *h, const char *path)
{
    wm_error err;

    wm_text_release(&h->said);
    h->first = (wm_finding){ .violation = false };
    assert_ok(wm_verify(&(wm_verify_settings){ .files = wm_files_system(),
                                               .folder = h->folder,
                                               .heads = &path,
                                               .n_heads = path != NULL,
                                               .finding = keep_finding,
                                               .context = h },
                        &h->result, &err),
              &err);
    assert_false(h->said.bad);
}

void history_verify(history *h)
{
    history_verify_heads(h, NULL);
}

int history_set_up(void **state)
{
    history *h = calloc(1, sizeof *h);

    assert_non_null(h);
    history_make(h);
    *state = h;
    return 0;
}

int history_tear_down(void **state)
{
    history_release(*state);
    free(*state);
    return 0;
}

void assert_said(const history *h, const char *says, const char *sentence)
{
    if (h->result.violations == 0 || strstr(wm_text_chars(&h->said), sentence) == NULL)
        fail_msg("\"%s\": it should say \"%s\", and it says\n%s", says, sentence, wm_text_chars(&h->said));
}

void assert_holds(const history *h, const char *says)
{
    if (h->result.violations > 0)
        fail_msg("\"%s\": it should hold, and it says\n%s", says, wm_text_chars(&h->said));
}
