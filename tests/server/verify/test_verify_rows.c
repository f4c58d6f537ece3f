/* tests/server/verify/test_verify_rows.c
 *
 * The history checker: whatever is changed in a row of the store, it says so, and where. */
#include "tests/server/verify/history.h"

#include "tests/figures.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(whatever_is_changed_in_a_row_is_named),
        CASE(a_finding_says_where_for_programs_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
