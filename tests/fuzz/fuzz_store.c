/* tests/fuzz/fuzz_store.c
 *
 * A store whose rows are not what was stored. The input is a list of changes to a store with one run in it: each names a
 * table, a column and a row, and what is put there, of whatever type SQLite lets in; with an odd first byte it is bytes
 * of the file itself. The store opens or says what is damaged, and everything that can be asked of it is answered or
 * refused: no crash, no hang, no allocation by a number that a row claims. */
#include "server/store/audit.h"
#include "server/store/gateways.h"
#include "server/store/runs.h"

#include "common/text.h"
#include "tests/fuzz/take.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

enum { CHANGES_MAX = 16, DATABASE_MAX = 1 << 20 };

static const uint8_t RUN[WM_RUN_ID_SIZE] = "run number one.", OTHER[WM_RUN_ID_SIZE] = "run number two.";

static const char *const columns[] = {
    "runs.id",
    "runs.job_name",
    "runs.job_text",
    "runs.job_digest",
    "runs.seed",
    "runs.rounds",
    "runs.keep",
    "runs.started_ms",
    "runs.ended_ms",
    "runs.phase",
    "runs.round",
    "runs.attempt",
    "runs.opened_ms",
    "runs.model",
    "runs.server_state",
    "runs.scaling",
    "runs.without_gain",
    "runs.best_loss",
    "runs.outcome",
    "runs.why",
    "population.client",
    "population.name",
    "population.run",
    "rounds.round",
    "rounds.attempts",
    "rounds.opened_ms",
    "rounds.seconds",
    "rounds.selected",
    "rounds.accepted",
    "rounds.train_loss",
    "rounds.bytes_up",
    "rounds.model_before",
    "rounds.model_after",
    "rounds.sums",
    "rounds.server_state",
    "rounds.evaluated",
    "rounds.total_weight",
    "contributions.round",
    "contributions.loss",
    "contributions.client",
    "results.client",
    "contributions.reason",
    "results.contender",
    "results.examples",
    "contributions.verdict",
    "results.loss",
    "contributions.digest",
    "results.round",
    "results.m0",
    "contributions.weight",
    "checkpoints.round",
    "checkpoints.digest",
    "queue.run",
    "queue.job_name",
    "queue.job_text",
    "queue.seed",
    "queue.added_ms",
    "gateways.name",
    "gateways.serial",
    "gateways.not_after_ms",
    "gateways.refusal",
    "gateways.rows",
    "gateways.revoked_ms",
    "certificates.name",
    "certificates.serial",
    "audit.line",
    "audit.wall_ms",
    "audit.run",
    "audit.what",
    "audit.detail",
    "audit.hash",
    "audit_head.lines",
    "audit_head.hash",
    "runs.statistics",
    "substitutes.round",
    "substitutes.client",
    "substitutes.place_of",
};

/* ---- a store as it should be, made once ---- */

static struct {
    char     folder[64], database[96];
    uint8_t *bytes; /* of the database */
    size_t   n;
} pristine;

static wm_manual_clock now = { .wall_ms = 1700000000000 };

static wm_digest put(wm_store *store, const char *text)
{
    wm_digest digest;

    must(wm_blobs_put(wm_store_blobs(store), text, strlen(text), &digest, NULL) == WM_OK);
    return digest;
}

static void fill(wm_store *store)
{
    static char  *names[] = { "east", "north" };
    wm_ledger    *ledger = wm_store_ledger(store);
    wm_run_record run = {
        .job_name = "air", .job_text = "job: air\n", .rounds = 2, .population = names, .n_population = 2
    };
    wm_standing     standing = { .phase = WM_PHASE_TRAIN, .round = 1, .model = put(store, "model 0") };
    wm_contribution parts[2] = { { .verdict = WM_VERDICT_ACCEPTED, .digest = put(store, "update"), .weight = 5 },
                                 { .client = 1, .verdict = WM_VERDICT_REFUSED, .reason = "not finite" } };
    wm_round_record round = { .round = 1,
                              .selected = 2,
                              .accepted = 1,
                              .refused = 1,
                              .total_weight = 5,
                              .model_before = standing.model,
                              .contributions = parts,
                              .n_contributions = 2 };
    wm_result       clients[2 * WM_CONTENDERS] = { { .present = true, .examples = 3, .loss = 0.5 } };
    wm_final_record final = { .together = { { .present = true, .examples = 3, .loss = 0.5 } }, .clients = clients };
    wm_queued_job   waiting = { .job_name = "noise", .job_text = "job: noise\n" };

    memcpy(run.id, RUN, sizeof run.id);
    memcpy(waiting.id, OTHER, sizeof waiting.id);
    must(ledger->start(ledger, &run, &standing, NULL) == WM_OK);
    must(ledger->open(ledger, RUN, &standing, NULL) == WM_OK);
    must(ledger->substitute(ledger, RUN, 1, &(wm_substitution){ .client = 1, .place_of = 0 }, 1, NULL) == WM_OK);
    round.model_after = standing.model = put(store, "model 1");
    round.sums = put(store, "sums 1");
    standing.phase = WM_PHASE_EVALUATE;
    must(ledger->commit(ledger, RUN, &standing, &round, NULL) == WM_OK);
    round.evaluated = true;
    round.evaluation = final.together[0];
    must(ledger->evaluated(ledger, RUN, &standing, &round, NULL) == WM_OK);
    standing.phase = WM_PHASE_CLOSED;
    must(ledger->close(ledger, RUN, &standing, &final, NULL) == WM_OK);
    must(wm_store_queue_add(store, &waiting, NULL) == WM_OK);
    must(wm_store_certificate(store, "north", "0a1b", 1800000000000, NULL) == WM_OK);
    must(wm_store_certificate(store, "west", "0a1c", 1800000000000, NULL) == WM_OK);
    must(wm_store_revoke(store, "west", "stolen", NULL) == WM_OK);
}

static void leave(void)
{
    free(pristine.bytes);
    (void)wm_folder_remove(pristine.folder, NULL);
}

static void make_pristine(void)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    wm_store   *store;

    snprintf(pristine.folder, sizeof pristine.folder, "%s/wardmote-fuzz-XXXXXX", base);
    must(mkdtemp(pristine.folder) != NULL);
    snprintf(pristine.database, sizeof pristine.database, "%s/store.db", pristine.folder);
    must(wm_store_open(wm_files_system(), pristine.folder, wm_clock_manual(&now), &store, NULL) == WM_OK);
    fill(store);
    wm_store_close(store);
    must(wm_files_system()->read(wm_files_system(), pristine.database, DATABASE_MAX, &pristine.bytes, &pristine.n,
                                 NULL) == WM_OK);
    atexit(leave);
}

/* ---- and as it is not ---- */

static void write_database(const uint8_t *bytes, size_t n)
{
    char wal[112];
    int  fd = open(pristine.database, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    snprintf(wal, sizeof wal, "%s-wal", pristine.database);
    unlink(wal);
}

/* place (2 bytes), length (1), that many bytes: again and again */
static void change_bytes(taker *from)
{
    const taker whole = { pristine.bytes, pristine.n };
    uint8_t    *copy = take_copy(&whole);

    for (int i = 0; i < CHANGES_MAX && from->n > 0; i++) {
        size_t at = take_number(from, 2) % pristine.n, length = take_number(from, 1);
        taker  part = take_bytes(from, length < pristine.n - at ? length : pristine.n - at);

        memcpy(copy + at, part.bytes, part.n);
    }
    write_database(copy, pristine.n);
    free(copy);
}

static void bind(sqlite3_stmt *stmt, unsigned kind, taker *from)
{
    taker part = take_bytes(from, take_number(from, 1));

    if (kind == 0)
        sqlite3_bind_null(stmt, 1);
    else if (kind == 1)
        sqlite3_bind_int64(stmt, 1, (int64_t)take_number(&part, 8));
    else if (kind == 2)
        sqlite3_bind_double(stmt, 1, (double)(int64_t)take_number(&part, 8) * 1e-3);
    else if (kind == 3)
        sqlite3_bind_text(stmt, 1, (const char *)part.bytes, (int)part.n, SQLITE_TRANSIENT);
    else if (kind == 4)
        sqlite3_bind_blob(stmt, 1, part.bytes, (int)part.n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_zeroblob(stmt, 1, (int)take_number(&part, 2));
}

/* column (1), what (1), length (1), that many bytes: again and again. `what` from 16 on: every row, else one. */
static void change_rows(taker *from)
{
    sqlite3 *db;

    write_database(pristine.bytes, pristine.n);
    must(sqlite3_open(pristine.database, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA ignore_check_constraints = 1; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = 0",
                 NULL, NULL, NULL);
    for (int i = 0; i < CHANGES_MAX && from->n > 0; i++) {
        const char   *column = columns[take_number(from, 1) % (sizeof columns / sizeof *columns)];
        const char   *name = strchr(column, '.') + 1;
        unsigned      what = (unsigned)take_number(from, 1) % 32;
        int           n_table = (int)(name - column) - 1;
        char          sql[256];
        sqlite3_stmt *stmt = NULL;

        if (what >= 16)
            snprintf(sql, sizeof sql, "UPDATE %.*s SET %s = ?1", n_table, column, name);
        else
            snprintf(sql, sizeof sql, "UPDATE %.*s SET %s = ?1 WHERE %s = (SELECT max(%s) FROM %.*s)", n_table,
                     column, name, name, name, n_table, column);
        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
            bind(stmt, what % 6, from);
            (void)sqlite3_step(stmt); /* a constraint may say no */
        }
        sqlite3_finalize(stmt);
    }
    must(sqlite3_close(db) == SQLITE_OK);
}

/* ---- everything that can be asked ---- */

static size_t read_all(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static void on_round(void *context, const wm_round_record *r)
{
    size_t *sum = context;

    for (size_t i = 0; i < r->n_contributions; i++) {
        must(r->contributions[i].verdict <= WM_VERDICT_LATE);
        must(memchr(r->contributions[i].reason, 0, sizeof r->contributions[i].reason) != NULL);
        *sum += read_all(r->contributions[i].reason);
    }
}

static void on_run(void *context, const wm_run_entry *r)
{
    must(r->standing.phase <= WM_PHASE_CLOSED && r->standing.outcome <= WM_OUTCOME_FAILED);
    *(size_t *)context += read_all(r->job_name) + read_all(r->standing.why);
}

static void on_job(void *context, const wm_queued_job *job)
{
    *(size_t *)context += read_all(job->job_name) + read_all(job->job_text);
}

static void on_gateway(void *context, const wm_gateway *g)
{
    *(size_t *)context += read_all(g->name) + read_all(g->serial) + read_all(g->refusal);
}

static void on_line(void *context, const wm_audit_line *line)
{
    *(size_t *)context += read_all(line->what) + read_all(line->detail);
}

static void ask_run(wm_store *store, const uint8_t *id)
{
    wm_ledger      *ledger = wm_store_ledger(store);
    wm_standing     standing;
    wm_run_record  *record = NULL;
    wm_final_record final = { .clients = NULL };
    wm_substitution drawn[2];
    size_t          sum = 0, n_drawn;
    wm_error        err = { WM_OK, "" };

    (void)ledger->load(ledger, id, &standing, &err);
    (void)ledger->rounds(ledger, id, on_round, &sum, &err);
    if (ledger->substitutes(ledger, id, 1, drawn, 2, &n_drawn, &err) == WM_OK)
        for (size_t i = 0; i < n_drawn; i++)
            must(n_drawn <= 2 && drawn[i].client < 2 && drawn[i].place_of < 2);
    if (wm_store_run_record(store, id, &record, &err) == WM_OK)
        for (size_t i = 0; i < record->n_population; i++)
            sum += read_all(record->population[i]);
    wm_store_run_record_free(record);
    if (wm_store_final(store, id, &final, &err) == WM_OK)
        free(final.clients);
}

static void ask_everything(wm_store *store)
{
    size_t   sum = 0;
    int64_t  latest;
    wm_error err = { WM_OK, "" };

    (void)wm_store_runs(store, on_run, &sum, &err);
    ask_run(store, RUN);
    ask_run(store, OTHER);
    (void)wm_store_queue(store, on_job, &sum, &err);
    (void)wm_store_gateways(store, on_gateway, &sum, &err);
    (void)wm_store_audit_each(store, on_line, &sum, &err);
    if (wm_store_audit_verify(store, NULL, &err) != WM_OK)
        must(err.text[0] != '\0');
    (void)wm_store_latest_ms(store, &latest, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker     from = { bytes, n };
    bool      of_the_file = (take_number(&from, 1) & 1) != 0;
    wm_store *store = NULL;
    wm_error  err = { WM_OK, "" };

    if (pristine.bytes == NULL)
        make_pristine();
    if (of_the_file)
        change_bytes(&from);
    else
        change_rows(&from);
    if (wm_store_open(wm_files_system(), pristine.folder, wm_clock_manual(&now), &store, &err) == WM_OK) {
        ask_everything(store);
        wm_store_close(store);
    } else {
        must(store == NULL && err.text[0] != '\0');
    }
    return 0;
}
