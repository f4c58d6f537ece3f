/* tests/server/store/test_store_audit.c
 *
 * The chain as wm_store_audit_verify sees it; test_verify.c has the whole history. */
#include "tests/server/store/fixture.h"

static void the_audit_names_the_first_line_that_does_not_hold(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *says, *sql, *sentence;
    } cases[] = {
        { "a changed letter", "UPDATE audit SET detail = replace(detail, 'seed=7', 'seed=8') WHERE line = 1",
          "audit line 1 (queue) is not what was written" },
        { "a changed time", "UPDATE audit SET wall_ms = wall_ms + 1 WHERE line = 4", "audit line 4 (scaled)" },
        { "a changed word", "UPDATE audit SET what = 'closed' WHERE line = 9", "audit line 9 (closed)" },
        { "a run taken off", "UPDATE audit SET run = NULL WHERE line = 3", "audit line 3 (open)" },
        { "a letter moved from one field to the next",
          "UPDATE audit SET what = 'ope', detail = 'n' || detail WHERE line = 3", "audit line 3 (ope)" },
        { "a flipped bit of a hash", "UPDATE audit SET hash = randomblob(32) WHERE line = 7",
          "audit line 7 (commit)" },
        { "a removed line", "DELETE FROM audit WHERE line = 8", "audit line 8 is missing" },
        { "a removed first line", "DELETE FROM audit WHERE line = 1", "audit line 1 is missing" },
        { "a removed last line", "DELETE FROM audit WHERE line = (SELECT max(line) FROM audit)",
          "audit line 13 is missing" },
        { "two lines that changed places",
          "UPDATE audit SET line = -2 WHERE line = 2; UPDATE audit SET line = 2 WHERE line = 3;"
          "UPDATE audit SET line = 3 WHERE line = -2",
          "audit line 2 (open)" },
        { "a line that was put in",
          "INSERT INTO audit SELECT 14, wall_ms, run, what, detail, hash FROM audit WHERE line = 13",
          "audit line 14 (unqueue)" },
        { "a round whose weights were changed",
          "UPDATE contributions SET weight = 999 WHERE round = 1 AND client = 0",
          "round 1 is not what audit line 7 says" },
        { "a refused update that became accepted",
          "UPDATE contributions SET verdict = 1 WHERE round = 1 AND client = 1",
          "round 1 is not what audit line 7" },
        { "another model", "UPDATE rounds SET model_after = randomblob(32)",
          "round 1 is not what audit line 7 says" },
        { "a removed round", "PRAGMA foreign_keys = OFF; DELETE FROM rounds",
          "round 1 is missing, of which audit line 7 says" },
        { "a round that nobody committed",
          "INSERT INTO rounds SELECT run, 2, attempts, opened_ms, seconds, selected, accepted, refused, "
          "late, train_loss, "
          "bytes_up, bytes_down, model_before, model_after, sums, server_state, total_weight, evaluated FROM "
          "rounds",
          "has 2 rounds, but its audit tells of 1" },
    };
    wm_error      err;
    wm_audit_head head;
    char         *db = inside(f, "store.db");
    uint8_t      *whole;
    size_t        n;

    perform(f, N_TRANSITIONS);
    assert_ok(wm_store_audit_verify(f->store, &head, &err), &err);
    assert_int_equal(head.lines, 13);
    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(wm_files_system()->read(wm_files_system(), db, 1 << 24, &whole, &n, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_sql(f, cases[i].sql);
        assert_ok(try_open(f, &err), &err);
        assert_case(cases[i].says, wm_store_audit_verify(f->store, NULL, &err) == WM_E_DAMAGED);
        if (strstr(err.text, cases[i].sentence) == NULL)
            fail_msg("%s: %s", cases[i].says, err.text);
        wm_store_close(f->store);
        f->store = NULL;
        assert_ok(wm_files_system()->replace(wm_files_system(), db, whole, n, 0600, &err), &err);
    }
    free(whole);
    free(db);
}

/* The chain by hand: SHA-256 over 32 zero bytes, line 1, its time, no run, "certificate", and the detail;
 * computed with Python's hashlib. */
static void the_chain_is_the_one_that_the_header_tells(void **state)
{
    fixture      *f = *state;
    wm_error      err;
    wm_audit_head head;
    char          text[WM_DIGEST_TEXT];

    assert_ok(do_certificate(f->store, &err), &err);
    assert_ok(wm_store_audit_head(f->store, &head, &err), &err);
    assert_int_equal(head.lines, 1);
    assert_string_equal(wm_digest_text(&head.hash, text),
                        "2a9638504e9894b03e89c431c8c93745e7513ef432abac2e66819bb2947a4ca6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_audit_names_the_first_line_that_does_not_hold),
        CASE(the_chain_is_the_one_that_the_header_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
