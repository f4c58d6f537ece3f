/* tests/server/store/test_store.c
 *
 * What a store is told it keeps, and what it refuses. */
#include "tests/server/store/fixture.h"

#include <math.h>
#include <pthread.h>

static void every_transition_survives_reopening(void **state)
{
    fixture *f = *state;
    char    *before, *after;

    for (size_t i = 0; i < N_TRANSITIONS; i++) {
        wm_error      err;
        wm_audit_head was, is;

        f->now.wall_ms += 1000;
        assert_ok(wm_store_audit_head(f->store, &was, &err), &err);
        assert_ok(transitions[i].deed(f->store, &err), &err);
        assert_ok(wm_store_audit_head(f->store, &is, &err), &err);
        assert_case(transitions[i].name, is.lines == was.lines + transitions[i].audited);
        before = everything(f->store);
        reopen(f);
        after = everything(f->store);
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
}

static void count_rounds(void *context, const wm_round_record *round)
{
    (void)round;
    ++*(int *)context;
}

static void keep_round(void *context, const wm_round_record *round)
{
    wm_contribution *was = context;

    assert_int_equal(round->n_contributions, 3);
    memcpy(was, round->contributions, 3 * sizeof *was);
    assert_true(round->bytes_up == (uint64_t)INT64_MAX + 5);
    assert_true(round->seconds == 4);
    assert_int_equal(round->late, 1);
    assert_true(round->evaluated && round->evaluation.metrics[0] == 3.5 && isnan(round->evaluation.metrics[1]));
}

static void what_comes_back_is_what_was_told(void **state)
{
    fixture        *f = *state;
    wm_ledger      *ledger = wm_store_ledger(f->store);
    wm_error        err;
    wm_standing     standing;
    wm_contribution was[3];
    wm_run_record  *run;
    wm_final_record final;
    wm_digest       scaling = wm_sha256_of("scaling", 7);
    int             rounds = 0;

    assert_int_equal(ledger->load(ledger, RUN, &standing, &err), WM_E_MISSING);
    perform(f, 7);
    assert_ok(ledger->rounds(ledger, RUN, keep_round, was, &err), &err);
    assert_int_equal(was[0].verdict, WM_VERDICT_ACCEPTED);
    assert_true(was[0].weight == 1000 && was[0].loss == 0.25 && was[0].seconds == 1.5);
    assert_int_equal(was[1].verdict, WM_VERDICT_REFUSED);
    assert_string_equal(was[1].reason, "update: part \"delta\" is not finite at 7");
    assert_int_equal(was[2].verdict, WM_VERDICT_LATE);
    assert_ok(ledger->load(ledger, RUN, &standing, &err), &err);
    assert_int_equal(standing.phase, WM_PHASE_TRAIN);
    assert_int_equal(standing.round, 2);
    assert_int_equal(standing.attempt, 2);
    assert_true(standing.best_loss == 0.5);
    assert_ok(ledger->rounds(ledger, OTHER, count_rounds, &rounds, &err), &err);
    assert_int_equal(rounds, 0);

    assert_ok(do_close(f->store, &err), &err);
    assert_ok(ledger->load(ledger, RUN, &standing, &err), &err);
    assert_int_equal(standing.outcome, WM_OUTCOME_EARLY);
    assert_string_equal(standing.why, "no better loss in 3 evaluations");
    assert_true(wm_digest_is_zero(&standing.scaling) || wm_digest_equal(&standing.scaling, &scaling));

    assert_ok(wm_store_run_record(f->store, RUN, &run, &err), &err);
    assert_true(run->seed == UINT64_MAX && run->rounds == 30 && run->keep == 0 && run->n_population == 3);
    assert_string_equal(run->job_text, "job: air\nseed: 18446744073709551615\n");
    assert_string_equal(run->population[2], "west");
    wm_store_run_record_free(run);
    assert_int_equal(wm_store_run_record(f->store, OTHER, &run, &err), WM_E_MISSING);

    assert_ok(wm_store_final(f->store, RUN, &final, &err), &err);
    assert_true(final.together[WM_FEDERATED].present && final.together[WM_FEDERATED].metrics[0] == 1.25);
    assert_true(final.together[WM_NAIVE].present && isnan(final.together[WM_NAIVE].loss));
    assert_false(final.together[WM_POOLED].present);
    assert_true(final.clients[1 * WM_CONTENDERS + WM_ALONE].metrics[1] == 0.125);
    assert_false(final.clients[2 * WM_CONTENDERS + WM_ALONE].present);
    free(final.clients);
}

static void what_was_done_or_never_begun_is_refused_and_changes_nothing(void **state)
{
    fixture *f = *state;
    char    *before, *after;
    wm_error err;
    size_t   i;
    static const struct {
        const char *says;
        wm_status (*deed)(wm_store *store, wm_error *err);
        wm_status want;
    } cases[] = {
        { "a run is started once", do_start, WM_E_EXISTS },
        { "a started job does not go back to the queue", do_queue, WM_E_EXISTS },
        { "a closed run is not opened", do_open, WM_E_MISSING },
        { "a closed run commits nothing", do_commit, WM_E_MISSING },
        { "a run is closed once", do_close, WM_E_MISSING },
        { "a serial is issued once, and never to a revoked name", do_certificate, WM_E_REFUSED },
        { "a job that does not wait cannot be taken off the queue", do_unqueue, WM_E_MISSING },
    };

    perform(f, N_TRANSITIONS);
    before = everything(f->store);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_case(cases[i].says, cases[i].deed(f->store, &err) == cases[i].want);
        after = everything(f->store);
        assert_case(cases[i].says, strcmp(before, after) == 0);
        free(after);
    }
    free(before);
}

static void keep_evaluation(void *context, const wm_round_record *round)
{
    wm_round_record *was = context;

    was->evaluated = round->evaluated;
    was->evaluation = round->evaluation;
}

static void an_evaluation_that_nobody_took_part_in_has_no_figures(void **state)
{
    fixture        *f = *state;
    wm_contribution contributions[3];
    wm_round_record record = round_record(f->store, 1, contributions), was;
    wm_standing     standing = standing_at(f->store, WM_PHASE_TRAIN, 2);
    wm_ledger      *ledger = wm_store_ledger(f->store);
    wm_error        err;

    perform(f, 6);
    record.evaluated = true;
    assert_ok(ledger->evaluated(ledger, RUN, &standing, &record, &err), &err);
    assert_ok(ledger->rounds(ledger, RUN, keep_evaluation, &was, &err), &err);
    assert_true(was.evaluated);
    assert_false(was.evaluation.present);
}

static void a_round_is_committed_once(void **state)
{
    fixture *f = *state;
    wm_error err;
    int      rounds = 0;

    perform(f, 6);
    assert_int_equal(do_commit(f->store, &err), WM_E_EXISTS);
    assert_ok(wm_store_ledger(f->store)->rounds(wm_store_ledger(f->store), RUN, count_rounds, &rounds, &err), &err);
    assert_int_equal(rounds, 1);
}

static void the_start_of_a_job_takes_it_off_the_queue(void **state)
{
    fixture *f = *state;
    wm_text  text = WM_TEXT_INIT;
    wm_error err;

    perform(f, 1);
    assert_ok(wm_store_queue(f->store, say_job, &text, &err), &err);
    assert_string_equal(wm_text_chars(&text), "waits air job: air\n 7\n");
    wm_text_release(&text);
    assert_ok(do_start(f->store, &err), &err);
    assert_ok(wm_store_queue(f->store, say_job, &text, &err), &err);
    assert_string_equal(wm_text_chars(&text), "");
    wm_text_release(&text);
}

static void a_revoked_name_gets_no_certificate(void **state)
{
    fixture *f = *state;
    wm_error err;

    assert_int_equal(do_revoke(f->store, &err), WM_E_MISSING);
    assert_ok(do_certificate(f->store, &err), &err);
    assert_ok(wm_store_certificate(f->store, "north", "0a1c", 1900000000000, &err), &err);
    assert_ok(do_revoke(f->store, &err), &err);
    assert_ok(do_revoke(f->store, &err), &err);
    assert_int_equal(wm_store_certificate(f->store, "north", "0a1d", 1900000000000, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "was revoked on 2023-11-14"));
}

static void keep_gateway(void *context, const wm_gateway *g)
{
    wm_text *text = context;

    wm_text_printf(text, "%s seen %lld refused %lld %s rows %llu\n", g->name, (long long)g->last_seen_ms,
                   (long long)g->refused_ms, g->refusal, (unsigned long long)g->rows);
}

static void sightings_add_up_whatever_their_order(void **state)
{
    fixture    *f = *state;
    wm_text     text = WM_TEXT_INIT;
    wm_error    err;
    wm_sighting early = { .name = "west", .last_seen_ms = 10, .refused_ms = 10, .refusal = "old", .rows = 3 };
    wm_sighting late = { .name = "west", .last_seen_ms = 20, .refused_ms = 15, .refusal = "new" };

    assert_ok(wm_store_sightings(f->store, &late, 1, &err), &err);
    assert_ok(wm_store_sightings(f->store, &early, 1, &err), &err);
    assert_ok(wm_store_sightings(f->store, NULL, 0, &err), &err);
    assert_ok(wm_store_gateways(f->store, keep_gateway, &text, &err), &err);
    assert_string_equal(wm_text_chars(&text), "west seen 20 refused 15 new rows 3\n");
    wm_text_release(&text);
}

static void the_latest_wall_time_is_that_of_the_latest_commit(void **state)
{
    fixture *f = *state;
    wm_error err;
    int64_t  latest;

    assert_ok(wm_store_latest_ms(f->store, &latest, &err), &err);
    assert_int_equal(latest, 0);
    f->now.wall_ms = 1700000005000;
    assert_ok(do_queue(f->store, &err), &err);
    f->now.wall_ms = 1600000000000;
    assert_ok(do_start(f->store, &err), &err);
    reopen(f);
    assert_ok(wm_store_latest_ms(f->store, &latest, &err), &err);
    assert_int_equal(latest, 1700000005000);
}

static void *many_certificates(void *context)
{
    fixture *f = context;
    char     serial[32];

    for (int i = 0; i < 40; i++) {
        snprintf(serial, sizeof serial, "%lx-%d", (unsigned long)pthread_self(), i);
        if (wm_store_certificate(f->store, "north", serial, 1900000000000, NULL) != WM_OK)
            return f;
    }
    return NULL;
}

static void threads_may_call_it_at_once(void **state)
{
    fixture      *f = *state;
    pthread_t     threads[3];
    wm_audit_head head;
    wm_error      err;
    void         *failed;

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_certificates, f), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_ok(wm_store_audit_verify(f->store, &head, &err), &err);
    assert_int_equal(head.lines, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_transition_survives_reopening),
        CASE(what_comes_back_is_what_was_told),
        CASE(what_was_done_or_never_begun_is_refused_and_changes_nothing),
        CASE(an_evaluation_that_nobody_took_part_in_has_no_figures),
        CASE(a_round_is_committed_once),
        CASE(the_start_of_a_job_takes_it_off_the_queue),
        CASE(a_revoked_name_gets_no_certificate),
        CASE(sightings_add_up_whatever_their_order),
        CASE(the_latest_wall_time_is_that_of_the_latest_commit),
        CASE(threads_may_call_it_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
