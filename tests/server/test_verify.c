/* tests/server/test_verify.c
 *
 * The history checker: whatever is changed in an office, it says so, and where. */
#include "tests/server/history.h"

#include "server/store/inside.h"
#include "tests/figures.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20 };

static int set_up(void **state)
{
    history *h = calloc(1, sizeof *h);

    assert_non_null(h);
    history_make(h);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    history_release(*state);
    free(*state);
    return 0;
}

static void assert_said(const history *h, const char *says, const char *sentence)
{
    if (h->result.violations == 0 || strstr(wm_text_chars(&h->said), sentence) == NULL)
        fail_msg("\"%s\": it should say \"%s\", and it says\n%s", says, sentence, wm_text_chars(&h->said));
}

static void assert_holds(const history *h, const char *says)
{
    if (h->result.violations > 0)
        fail_msg("\"%s\": it should hold, and it says\n%s", says, wm_text_chars(&h->said));
}

/* ---- what holds ---- */

static void a_history_that_holds_is_said_to_hold_and_what_was_let_go_is_named(void **state)
{
    history *h = *state;

    history_verify(h);
    assert_holds(h, "an office as it was left");
    assert_int_equal(h->result.runs, 1);
    assert_int_equal(h->result.rounds, HISTORY_ROUNDS);
    assert_int_equal(h->result.updates, HISTORY_ROUNDS * 3);
    assert_int_equal(h->result.recomputed, HISTORY_KEEP);
    assert_int_equal(h->result.let_go, HISTORY_ROUNDS - HISTORY_KEEP);
    assert_int_equal(h->result.notes, 1);
    assert_non_null(strstr(wm_text_chars(&h->said),
                           "rounds 1 to 3 were not computed again: the job keeps the files "
                           "of its newest 3 rounds"));
}

static void a_history_that_was_only_forged_anew_still_holds(void **state)
{
    history *h = *state;

    history_forge(h); /* else the cases below would find what the forging does */
    history_verify(h);
    assert_holds(h, "the same lines, linked again");
}

static void a_run_from_before_sums_of_statistics_were_kept_holds_and_says_so(void **state)
{
    history *h = *state;

    history_sql(h,
                "UPDATE runs SET statistics = NULL;"
                "UPDATE audit SET detail = substr(detail, 1, instr(detail, ' sums=') - 1) WHERE what = 'scaled'");
    history_forge(h);
    history_verify(h);
    assert_holds(h, "an older run");
    assert_non_null(
        strstr(wm_text_chars(&h->said),
               "its scaling was not computed again: it was made before the sums of statistics were kept"));
}

/* Names and times of all files, and the database's bytes. */
static char *look_of(const history *h)
{
    wm_text     text = WM_TEXT_INIT;
    char      **names;
    size_t      n;
    struct stat info;
    wm_error    err;

    assert_ok(wm_folder_names(h->folder, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        char *path = history_path(h, names[i]);

        assert_int_equal(stat(path, &info), 0);
        wm_text_printf(&text, "%s %lld %ld.%09ld\n", names[i], (long long)info.st_size, (long)info.st_mtim.tv_sec,
                       info.st_mtim.tv_nsec);
        free(path);
    }
    wm_names_free(names, n);
    return text.chars;
}

static void nothing_in_the_folder_is_changed(void **state)
{
    history *h = *state;
    char    *before = look_of(h), *after;

    history_verify(h);
    after = look_of(h);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void a_store_that_is_open_is_verified_through_its_handle_or_a_snapshot(void **state)
{
    history           *h = *state;
    wm_store          *store;
    wm_verify_result   result;
    wm_verify_settings set = { .files = wm_files_system(), .folder = h->folder };
    char              *snapshot;
    wm_error           err;

    assert_ok(wm_store_open(wm_files_system(), h->folder, wm_clock_system(), &store, &err), &err);
    assert_int_equal(wm_verify(&set, &result, &err), WM_E_REFUSED);
    assert_ok(wm_verify_store(store, &set, &result, &err), &err);
    assert_int_equal(result.violations, 0);
    assert_int_equal(result.recomputed, HISTORY_KEEP);
    assert_ok(wm_store_snapshot(store, &snapshot, &err), &err);
    set.folder = snapshot;
    set.office = h->folder;
    assert_ok(wm_verify(&set, &result, &err), &err);
    assert_int_equal(result.violations, 0);
    assert_int_equal(result.recomputed, HISTORY_KEEP);
    wm_store_close(store);
    assert_ok(wm_store_open(wm_files_system(), h->folder, wm_clock_system(), &store, &err), &err);
    assert_false(wm_files_system()->exists(wm_files_system(), snapshot)); /* nobody reads it any more */
    wm_store_close(store);
    free(snapshot);
}

static void a_folder_without_a_store_is_said_to_be_none(void **state)
{
    wm_verify_settings set = { .files = wm_files_system(), .folder = "/nowhere" };
    wm_verify_result   result;
    wm_error           err;

    (void)state;
    assert_int_equal(wm_verify(&set, &result, &err), WM_E_MISSING);
    assert_non_null(strstr(err.text, "neither an office nor a backup"));
}

/* ---- rows ---- */

#define LAST "WHERE round = 6"
#define ONE_ACCEPTED \
    "round = 6 AND client = (SELECT min(client) FROM contributions WHERE round = 6 AND verdict = 1)"

/* Each on a chain that holds (forged: after the change, the lines are made anew from the rows where they can be), so that it
 * is the rows' own sense that is missing. */
static const struct {
    const char *says, *sql;
    bool        forged;
    const char *sentence;
} changes[] = {
    { "a model that no sums make", "UPDATE rounds SET model_after = CAST(zeroblob(31) || x'01' AS BLOB) " LAST,
      true, "round 6: from the model before and the sums comes model" },
    { "a weight that was changed in both places",
      "UPDATE contributions SET weight = weight + 1 WHERE " ONE_ACCEPTED
      ";UPDATE rounds SET total_weight = total_weight + 1 " LAST,
      true, "round 6: the sums are of 3 updates of weight" },
    { "a weight that the round does not count", "UPDATE contributions SET weight = weight + 1 WHERE " ONE_ACCEPTED,
      true, "round 6 counts 3 updates of weight" },
    { "a weight above the job's cap", "UPDATE contributions SET weight = 1 << 40 WHERE " ONE_ACCEPTED, true,
      "was accepted with a weight of 1099511627776" },
    { "an update that is counted twice",
      "UPDATE contributions SET digest = (SELECT digest FROM contributions WHERE round = 5 AND verdict = 1 LIMIT 1) "
      "WHERE " ONE_ACCEPTED,
      true, "is in more than one committed round" },
    { "an update in no round",
      "INSERT INTO contributions SELECT run, 7, client, verdict, reason, digest, weight, loss, seconds FROM contributions "
      "WHERE " ONE_ACCEPTED,
      true, "belongs to a round that was never committed" },
    { "an update of nobody", "UPDATE contributions SET client = 77 WHERE " ONE_ACCEPTED, true,
      "round 6: client 77 is not one of the run's 5" },
    { "an update of somebody who was not drawn",
      "UPDATE contributions SET client = (SELECT client FROM population WHERE client NOT IN "
      "(SELECT client FROM contributions WHERE round = 6) LIMIT 1) WHERE " ONE_ACCEPTED,
      true, "who was not drawn into it" },
    { "a round below the quorum",
      "DELETE FROM contributions WHERE " ONE_ACCEPTED
      ";UPDATE rounds SET accepted = 2, total_weight = (SELECT sum(weight) FROM contributions WHERE round = 6) " LAST,
      true, "round 6 was committed with 2 updates" },
    { "a cohort of another size", "UPDATE rounds SET selected = 2 " LAST, true, "round 6 selected 2 clients" },
    { "a place that was given to another and is not in the store", "DELETE FROM substitutes", true,
      "round 2 selected 4 clients, and its seed and substitutions draw 3 of 5" },
    { "the same, by its line", "DELETE FROM substitutes", true,
      "tells of a client that was drawn in another's place, and that is not there" },
    { "the place of somebody else", "UPDATE substitutes SET place_of = (place_of + 1) % 5", true,
      "is not what the audit says, which has no line of it" },
    { "a place that nobody gave", "INSERT INTO substitutes SELECT run, 6, client, place_of FROM substitutes", true,
      "round 6: the place of ward-0" },
    { "a server state that no sums make",
      "UPDATE rounds SET server_state = CAST(zeroblob(31) || x'05' AS BLOB) " LAST, true,
      "round 6: from the sums comes another server state" },
    { "a model of another size",
      "UPDATE rounds SET model_before = (SELECT scaling FROM runs WHERE round > 0 LIMIT 1) " LAST, true,
      "bytes where a model has" },
    { "sums that are none", "UPDATE rounds SET sums = model_before " LAST, true,
      "round 6 was not computed again: " },
    { "another training loss", "UPDATE rounds SET train_loss = train_loss + 1 " LAST, true,
      "round 6 says a training loss of" },
    { "a round that begins elsewhere",
      "UPDATE rounds SET model_before = CAST(zeroblob(31) || x'02' AS BLOB) WHERE round = 2", true,
      "round 2 begins with model" },
    { "files that were let go too early", "DELETE FROM checkpoints " LAST, true,
      "round 6 was not computed again: its files should be kept" },
    { "a round that was changed", "UPDATE rounds SET attempts = 1 " LAST, false, "round 6 is not what audit line" },
    { "another reason of a refusal", "UPDATE contributions SET reason = 'no reason' WHERE " ONE_ACCEPTED, false,
      "round 6: its evaluation is not what the audit says" },
    { "another reason in a round that was not evaluated",
      "UPDATE contributions SET reason = 'no reason' WHERE round = 5", false, "round 5 is not what audit line" },
    { "a round that was removed", "DELETE FROM rounds WHERE round = 3", false,
      "round 3 is missing, of which audit" },
    { "another seed", "UPDATE runs SET seed = seed + 1", true,
      "its job, seed, clients or first model is not what" },
    { "another job", "UPDATE runs SET job_text = replace(job_text, 'batch: 8', 'batch: 9')", true,
      "its job, seed, clients or first model is not what" },
    { "a job that is none", "UPDATE runs SET job_text = 'job: ['", true, "its job cannot be read" },
    { "another client", "UPDATE population SET name = 'ward-09' WHERE client = 4", true,
      "its job, seed, clients or first model is not what" },
    { "another limit of what is kept", "UPDATE runs SET keep = 2", true,
      "its job, seed, clients or first model is not what" },
    { "another scaling", "UPDATE runs SET scaling = CAST(zeroblob(31) || x'03' AS BLOB)", true,
      "its scaling, or who is in it, is not" },
    { "other sums of the statistics", "UPDATE runs SET statistics = CAST(zeroblob(31) || x'05' AS BLOB)", true,
      "its scaling, or who is in it, is not" },
    { "sums of the statistics that are those of a round",
      "UPDATE runs SET statistics = (SELECT sums FROM rounds " LAST ")", true,
      "its scaling was not computed again: " },
    { "a scaling that its sums do not make", "UPDATE runs SET scaling = (SELECT model_after FROM rounds " LAST ")",
      true, "from the sums of its statistics comes scaling" },
    { "one more in the statistics than the sums have",
      "INSERT OR REPLACE INTO contributions SELECT run, 0, client, 1, reason, digest, 5, loss, seconds FROM contributions "
      "WHERE round = 0 AND client = 0",
      true, "the sums of its statistics are of 5 clients of weight" },
    { "another client in the scaling", "UPDATE contributions SET weight = 7 WHERE round = 0 AND client = 0", true,
      "its scaling, or who is in it, is not" },
    { "a run that stands elsewhere", "UPDATE runs SET round = 3", true, "stands in round 3" },
    { "a run that stands on another model", "UPDATE runs SET model = CAST(zeroblob(31) || x'04' AS BLOB)", true,
      "stands on model" },
    { "another outcome", "UPDATE runs SET outcome = 4", true, "where it stands is not what the audit says" },
    { "another reason", "UPDATE runs SET why = 'no reason'", true, "where it stands is not what the audit says" },
    { "a closed run that is open again", "UPDATE runs SET ended_ms = NULL", true,
      "is over in its row or in the audit, but not in both" },
    { "other figures of an evaluation", "UPDATE results SET loss = 0 WHERE round = 4", false,
      "round 4: its evaluation is not what" },
    { "other counts of an evaluated round", "UPDATE rounds SET late = 9 WHERE round = 4", false,
      "round 4: its evaluation is not what" },
    { "an evaluation that never was",
      "INSERT INTO results SELECT run, 5, client, contender, examples, loss, m0, m1, m2, "
      "m3, m4, m5, m6, m7 FROM results WHERE round = 4",
      true, "round 5 has figures of an evaluation" },
    { "a run that was removed", "DELETE FROM runs", false, "tells of a run that is not there" },
    { "a run that nobody started",
      "INSERT INTO runs SELECT randomblob(16), job_name, job_text, job_digest, seed, rounds, keep, started_ms, ended_ms, "
      "phase, round, attempt, opened_ms, model, server_state, scaling, without_gain, best_loss, outcome, why, statistics FROM runs",
      true, "does not tell of its start exactly once" },
    { "a waiting job with another text", "UPDATE queue SET job_text = 'job: mine'", true,
      "the waiting job of run 746865206e6578742072756e00000000 is not what audit line" },
    { "a waiting job that was removed", "DELETE FROM queue", true, "tells of a job that neither waits nor" },
    { "a waiting job that was put in",
      "INSERT INTO queue SELECT 99, zeroblob(16), job_name, job_text, seed, added_ms FROM queue", true,
      "does not wait by the audit" },
    { "a certificate that lasts longer",
      "UPDATE certificates SET not_after_ms = 2000000000000 WHERE name = 'ward-01'", true,
      "certificate 0a01 of ward-01 is not what the audit says" },
    { "a certificate that was removed", "DELETE FROM certificates WHERE name = 'ward-01'", true,
      "tells of a certificate that is not there" },
    { "a revocation that was undone", "UPDATE gateways SET revoked_ms = 0; UPDATE certificates SET revoked_ms = 0",
      true, "tells of a revocation" },
    { "a revocation that was half undone", "UPDATE certificates SET revoked_ms = 0", true,
      "do not say the same of being revoked" },
    { "a revocation that nobody ordered",
      "UPDATE gateways SET revoked_ms = 5 WHERE name = 'ward-02'; UPDATE certificates SET revoked_ms = 5 WHERE name = "
      "'ward-02'",
      true, "gateway ward-02 is revoked, and no audit line tells of it" },
};

static void whatever_is_changed_in_a_row_is_named(void **state)
{
    history *h = *state;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        history_sql(h, changes[i].sql);
        if (changes[i].forged)
            history_forge(h);
        history_verify(h);
        assert_said(h, changes[i].says, changes[i].sentence);
        history_restore(h);
    }
    tell_fault(&(fault_figure){ .fault = "a row of the store changed, and the audit made to fit",
                                .tries = sizeof changes / sizeof *changes,
                                .survived = sizeof changes / sizeof *changes,
                                .seconds = -1 });
    history_verify(h);
    assert_holds(h, "the office put back");
}

static void a_finding_says_where_for_programs_too(void **state)
{
    history *h = *state;
    char     run[WM_RUN_TEXT];

    history_sql(h, "UPDATE contributions SET weight = 1 << 40 WHERE " ONE_ACCEPTED);
    history_forge(h);
    history_verify(h);
    assert_string_equal(h->first.area, "update");
    assert_int_equal(h->first.round, 6);
    assert_int_equal(strncmp(h->client, "ward-0", 6), 0);
    assert_true(h->first.has_run);
    assert_string_equal(wm_run_id_text(h->first.run, run), h->run);
    assert_non_null(strstr(wm_text_chars(&h->said), "store.db"));
}

/* ---- the chain ---- */

typedef struct flipping {
    wm_db   *db;
    uint64_t tries, named;
} flipping;

/* A change that a transaction makes and takes back: the chain must name `line`, the first one that does not hold. */
static void try_change(flipping *f, uint64_t line, wm_query *change, const char *says)
{
    wm_error err;
    char     sentence[48];

    assert_ok(wm_query_done(change), change->err);
    snprintf(sentence, sizeof sentence, "audit line %llu ", (unsigned long long)line);
    f->tries++;
    if (wm_audit_check(f->db, NULL, &err) != WM_E_DAMAGED || strstr(err.text, sentence) == NULL)
        fail_msg("%s of line %llu: %s", says, (unsigned long long)line, err.text);
    f->named++;
    assert_ok(wm_db_run(f->db, "ROLLBACK; BEGIN", &err), &err);
}

/* Every byte of a field, flipped. */
static void flip_field(flipping *f, uint64_t line, const char *column, const char *type, const void *bytes,
                       size_t n)
{
    uint8_t *copy = malloc(n + 1);
    char     sql[128];
    wm_error err;
    wm_query q;

    assert_non_null(copy);
    snprintf(sql, sizeof sql, "UPDATE audit SET %s = CAST(? AS %s) WHERE line = ?", column, type);
    for (size_t i = 0; i < n; i++) {
        memcpy(copy, bytes, n);
        copy[i] ^= (uint8_t)(1u << i % 8);
        if (copy[i] == 0 && strcmp(type, "TEXT") == 0)
            copy[i] = 0x7f;
        wm_query_init(&q, f->db, sql, &err);
        wm_bind_blob(&q, copy, n);
        wm_bind_u64(&q, line);
        try_change(f, line, &q, column);
    }
    free(copy);
}

typedef struct kept_line {
    wm_audit_line line;
    char         *what, *detail;
} kept_line;

static wm_status keep_line(void *context, const wm_audit_line *line, wm_error *err)
{
    kept_line *kept = &((kept_line *)context)[line->line];

    (void)err;
    *kept = (kept_line){ .line = *line, .what = strdup(line->what), .detail = strdup(line->detail) };
    return WM_OK;
}

static void flip_line(flipping *f, const kept_line *kept)
{
    const wm_audit_line *line = &kept->line;
    wm_error             err;
    wm_query             q;

    flip_field(f, line->line, "what", "TEXT", kept->what, strlen(kept->what));
    flip_field(f, line->line, "detail", "TEXT", kept->detail, strlen(kept->detail));
    flip_field(f, line->line, "hash", "BLOB", line->hash.bytes, WM_DIGEST_SIZE);
    if (line->has_run)
        flip_field(f, line->line, "run", "BLOB", line->run, WM_RUN_ID_SIZE);
    for (int bit = 0; bit < 63; bit++) {
        wm_query_init(&q, f->db, "UPDATE audit SET wall_ms = ? WHERE line = ?", &err);
        wm_bind_int(&q, line->wall_ms ^ (int64_t)1 << bit);
        wm_bind_u64(&q, line->line);
        try_change(f, line->line, &q, "wall_ms");
    }
}

/* Removed; changed places with the next; everything from it on cut off. */
static void move_line(flipping *f, uint64_t line, uint64_t last)
{
    wm_error err;
    wm_query q;

    wm_query_init(&q, f->db, "DELETE FROM audit WHERE line = ?", &err);
    wm_bind_u64(&q, line);
    try_change(f, line, &q, "removal");
    wm_query_init(&q, f->db,
                  line < last ? "DELETE FROM audit WHERE line >= ?" : "DELETE FROM audit WHERE line > ? - 1", &err);
    wm_bind_u64(&q, line);
    assert_ok(wm_query_done(&q), &err);
    f->tries++;
    assert_int_equal(wm_audit_check(f->db, NULL, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, line < last ? "are missing: the last ones were cut off"
                                                 : "is missing: the last ones were cut off"));
    f->named++;
    assert_ok(wm_db_run(f->db, "ROLLBACK; BEGIN", &err), &err);
    if (line == last)
        return;
    assert_ok(wm_db_run(f->db, "CREATE TEMP TABLE IF NOT EXISTS moved AS SELECT * FROM audit WHERE 0", &err), &err);
    wm_query_init(&q, f->db, "INSERT INTO moved SELECT * FROM audit WHERE line IN (?1, ?1 + 1)", &err);
    wm_bind_u64(&q, line);
    assert_ok(wm_query_done(&q), &err);
    assert_ok(wm_db_run(f->db, "DELETE FROM audit WHERE line IN (SELECT line FROM moved)", &err), &err);
    wm_query_init(&q, f->db,
                  "INSERT INTO audit SELECT 2 * ? + 1 - line, wall_ms, run, what, detail, hash FROM moved", &err);
    wm_bind_u64(&q, line);
    try_change(f, line, &q, "reordering");
}

static void every_byte_of_the_log_is_bound_and_every_line_has_its_place(void **state)
{
    history   *h = *state;
    char      *path = history_path(h, "store.db");
    kept_line *lines = calloc(h->lines + 1, sizeof *lines);
    wm_db      db;
    flipping   f = { .db = &db };
    wm_error   err;

    assert_ok(wm_db_open(path, &db, &err), &err);
    assert_ok(wm_audit_walk(&db, keep_line, lines, &err), &err);
    assert_ok(wm_db_run(&db, "BEGIN", &err), &err);
    for (uint64_t line = 1; line <= h->lines; line++) {
        flip_line(&f, &lines[line]);
        move_line(&f, line, h->lines);
        free(lines[line].what);
        free(lines[line].detail);
    }
    assert_ok(wm_db_run(&db, "UPDATE audit SET detail = detail || char(0) || 'more' WHERE line = 2", &err), &err);
    assert_int_equal(wm_audit_check(&db, NULL, &err), WM_E_DAMAGED); /* behind a zero nothing can hide */
    assert_ok(wm_db_run(&db, "ROLLBACK; UPDATE audit_head SET hash = zeroblob(32)", &err), &err);
    assert_int_equal(wm_audit_check(&db, NULL, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, "the audit's head is not the hash of its last line"));
    tell_fault(&(fault_figure){ .fault = "audit line changed (every byte), removed, moved or cut off",
                                .tries = f.tries,
                                .survived = f.named,
                                .seconds = -1 });
    wm_db_close(&db);
    free(lines);
    free(path);
}

/* ---- what gateways were shown ---- */

typedef struct showing {
    uint64_t last;
    wm_text  text;
} showing;

/* One line of three was shown, and the last one. */
static wm_status append_head(void *context, const wm_audit_line *line, wm_error *err)
{
    showing *to = context;
    char     digest[WM_DIGEST_TEXT];

    (void)err;
    if (line->line % 3 == 0 || line->line == to->last)
        wm_text_printf(&to->text, "%llu %s 2026-11-22T06:00:00Z\n", (unsigned long long)line->line,
                       wm_digest_text(&line->hash, digest));
    return WM_OK;
}

/* The heads of the history as it stands, as a gateway's file. */
static char *write_heads(history *h)
{
    char    *path = history_path(h, "heads-of-north"), *db_path = history_path(h, "store.db");
    showing  to = { .last = h->lines };
    wm_db    db;
    wm_error err;

    assert_ok(wm_db_open(db_path, &db, &err), &err);
    assert_ok(wm_audit_walk(&db, append_head, &to, &err), &err);
    wm_db_close(&db);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, to.text.chars, to.text.size, 0600, &err), &err);
    wm_text_release(&to.text);
    free(db_path);
    return path;
}

static void a_history_that_was_rewritten_whole_is_found_by_what_gateways_were_shown(void **state)
{
    history *h = *state;
    char    *heads = write_heads(h);
    uint64_t shown = h->lines / 3 + (h->lines % 3 != 0);

    history_verify_heads(h, heads);
    assert_holds(h, "what was shown is there");
    assert_int_equal(h->result.heads, shown);

    history_sql(h, "UPDATE audit SET wall_ms = wall_ms + 1 WHERE line = 8");
    history_forge(h);
    history_verify(h);
    assert_holds(h, "by itself a forged history holds");
    history_verify_heads(h, heads);
    assert_said(h, "a line that was rewritten", "heads-of-north:3: the gateway was shown another audit line 9 ");
    assert_int_equal(h->result.violations, shown - 2); /* the lines before it are what they were */

    history_restore(h);
    history_sql(h, "DELETE FROM queue; DELETE FROM audit WHERE line = (SELECT max(line) FROM audit)");
    history_forge(h);
    history_verify(h);
    assert_holds(h, "by itself a history that was cut off and forged holds");
    history_verify_heads(h, heads);
    assert_said(h, "a line that was taken away", "the gateway was shown audit line");
    assert_int_equal(h->result.violations, 1);
    free(heads);
}

static void heads_that_do_not_read_are_named(void **state)
{
    history *h = *state;
    char    *path = history_path(h, "heads");
    wm_error err;

    assert_ok(wm_files_system()->replace(wm_files_system(), path, "\n99 12\n", 7, 0600, &err), &err);
    history_verify_heads(h, path);
    assert_said(h, "a line that is none", "heads:2: it is not a number of lines and a SHA-256");
    assert_ok(wm_files_system()->replace(wm_files_system(), path, "\0\0\0\n99 12\n", 10, 0600, &err), &err);
    history_verify_heads(h, path);
    assert_said(h, "a line behind zeroes", "it is not a number of lines and a SHA-256");
    free(path);
}

/* ---- files ---- */

/* A file of the office: changed, cut, or taken away. */
static void try_file(history *h, const char *name, const char *damaged, const char *missing)
{
    char    *path = history_path(h, name);
    uint8_t *bytes, *bad;
    size_t   n;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, FILE_MAX, &bytes, &n, &err), &err);
    bad = malloc(n + 1);
    assert_non_null(bad);
    memcpy(bad, bytes, n);
    bad[n] = 0;
    bad[n - 1] ^= 1;
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bad, n, 0600, &err), &err);
    history_verify(h);
    assert_said(h, name, damaged);
    assert_non_null(strstr(wm_text_chars(&h->said), name));
    assert_int_equal(h->result.violations, 1); /* it is said once, whoever needs the file */
    bad[n - 1] ^= 1;
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bad, n - 1, 0600, &err), &err);
    history_verify(h);
    assert_case(name, h->result.violations == 1);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bad, n + 1, 0600, &err), &err);
    history_verify(h);
    assert_case(name, h->result.violations == 1);
    assert_int_equal(unlink(path), 0);
    history_verify(h);
    if (missing != NULL)
        assert_said(h, name, missing);
    else
        assert_holds(h, name);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bytes, n, 0600, &err), &err);
    free(bad);
    free(bytes);
    free(path);
}

static void every_file_is_held_against_its_name(void **state)
{
    history *h = *state;
    char   **names, *blobs = history_path(h, "blobs"), name[128];
    size_t   n;
    wm_error err;

    assert_ok(wm_folder_names(blobs, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "blobs/%s", names[i]);
        try_file(h, name, "is damaged: its bytes are not those that its name promises", "is missing");
    }
    assert_int_equal(n, (HISTORY_KEEP + 1) + HISTORY_KEEP + 1 + 1); /* models, sums, the scaling and its sums */
    snprintf(name, sizeof name, "runs/%s/model.safetensors", h->run);
    try_file(h, name, "its parameters are not those whose SHA-256 it names", NULL);
    wm_names_free(names, n);
    history_verify(h);
    assert_holds(h, "the files put back");
    assert_ok(wm_folder_remove(blobs, &err), &err);
    history_verify(h);
    assert_int_equal(h->result.violations, n);
    assert_false(wm_files_system()->exists(wm_files_system(), blobs)); /* nor is it made */
    free(blobs);
}

static void a_run_folder_of_another_run_is_named(void **state)
{
    history *h = *state;

    history_sql(h, "UPDATE rounds SET model_after = CAST(zeroblob(31) || x'01' AS BLOB) " LAST
                   ";UPDATE runs SET model = CAST(zeroblob(31) || x'01' AS BLOB)");
    history_verify(h);
    assert_said(h, "a model that the run never had", "model.safetensors: run");
    assert_said(h, "a model that the run never had", "it is no model of that run");
}

/* ---- the file of the database ---- */

/* What the audit answers for, as one digest. */
static wm_digest protected_rows(const history *h)
{
    static const char *const parts[] = {
        "SELECT quote(line) || quote(wall_ms) || quote(run) || what || detail || quote(hash) FROM audit ORDER BY line",
        "SELECT quote(run) || round || ' ' || attempts || ' ' || selected || ' ' || accepted || ' ' || total_weight || "
        "quote(model_before) || quote(model_after) || quote(sums) || quote(server_state) || quote(train_loss) FROM rounds "
        "ORDER BY run, round",
        "SELECT quote(run) || round || ' ' || client || quote(digest) || quote(weight) FROM contributions WHERE verdict = 1 "
        "ORDER BY run, round, client",
        "SELECT quote(id) || job_name || job_text || quote(seed) || keep || quote(model) || quote(scaling) || quote(statistics) "
        "|| phase || outcome || why FROM runs",
        "SELECT quote(run) || round || ' ' || client || ' ' || place_of FROM substitutes ORDER BY run, round, client",
        "SELECT quote(run) || client || name FROM population ORDER BY run, client",
        "SELECT serial || name || not_after_ms || (revoked_ms <> 0) FROM certificates ORDER BY serial",
        "SELECT quote(run) || job_name || job_text || quote(seed) FROM queue ORDER BY run",
    };
    char     *path = history_path(h, "store.db");
    wm_db     db;
    wm_sha256 sha;
    wm_digest digest;
    wm_error  err;

    assert_ok(wm_db_open(path, &db, &err), &err);
    wm_sha256_init(&sha);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        wm_query q;

        wm_query_init(&q, &db, parts[i], &err);
        while (wm_query_row(&q)) {
            const char *text = wm_column_text(&q);

            wm_sha256_add(&sha, text, strlen(text) + 1);
        }
        assert_ok(wm_query_done(&q), &err);
    }
    wm_sha256_take(&sha, &digest);
    wm_db_close(&db);
    free(path);
    return digest;
}

/* The database's file, a byte at a time: it is named, or the byte meant nothing. */
static void a_flipped_byte_of_the_file_is_named_or_means_nothing(void **state)
{
    history    *h = *state;
    const char *wish = getenv("WM_FLIPS");
    size_t      tries = wish != NULL ? (size_t)atoi(wish) : 250, step = h->n_database / tries | 1;
    uint64_t    done = 0, named = 0;
    char       *path = history_path(h, "store.db");
    wm_digest   whole = protected_rows(h), is;
    int         fd;

    history_restore(h);
    for (size_t at = step / 2; at < h->n_database; at += step, done++) {
        uint8_t byte = (uint8_t)(h->database[at] ^ (1u << at % 8));

        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0 && pwrite(fd, &byte, 1, (off_t)at) == 1);
        close(fd);
        history_verify(h);
        if (h->result.violations > 0) {
            named++;
        } else {
            is = protected_rows(h);
            if (!wm_digest_equal(&is, &whole))
                fail_msg("byte %zu of store.db was changed and nobody said so", at);
        }
        history_restore(h);
    }
    print_message("# %llu of %llu flipped bytes are named, the others mean nothing\n", (unsigned long long)named,
                  (unsigned long long)done);
    assert_true(named > done / 10);
    tell_fault(&(fault_figure){
        .fault = "a byte of the store's file flipped", .tries = done, .survived = done, .seconds = -1 });
    free(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_history_that_holds_is_said_to_hold_and_what_was_let_go_is_named),
        CASE(a_history_that_was_only_forged_anew_still_holds),
        CASE(a_run_from_before_sums_of_statistics_were_kept_holds_and_says_so),
        CASE(nothing_in_the_folder_is_changed),
        CASE(a_store_that_is_open_is_verified_through_its_handle_or_a_snapshot),
        CASE(a_folder_without_a_store_is_said_to_be_none),
        CASE(whatever_is_changed_in_a_row_is_named),
        CASE(a_finding_says_where_for_programs_too),
        CASE(every_byte_of_the_log_is_bound_and_every_line_has_its_place),
        CASE(a_history_that_was_rewritten_whole_is_found_by_what_gateways_were_shown),
        CASE(heads_that_do_not_read_are_named),
        CASE(every_file_is_held_against_its_name),
        CASE(a_run_folder_of_another_run_is_named),
        CASE(a_flipped_byte_of_the_file_is_named_or_means_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
