/* tests/server/verify/test_verify_audit.c
 *
 * The history checker: every byte of the audit is bound, every line has its place, and what gateways were shown finds a
 * history that was rewritten whole. */
#include "tests/server/verify/history.h"

#include "server/store/inside.h"
#include "tests/figures.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_byte_of_the_log_is_bound_and_every_line_has_its_place),
        CASE(a_history_that_was_rewritten_whole_is_found_by_what_gateways_were_shown),
        CASE(heads_that_do_not_read_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
