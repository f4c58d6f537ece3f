/* tests/server/remote/test_remote_work.c
 *
 * Who is served, what work is offered, and for whom nobody waits. */
#include "tests/server/remote/scene.h"

static void strangers_are_told_so_and_nothing_else(void **state)
{
    scene       *s = *state;
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__CheckIn  in = WM__CHECK_IN__INIT;
    wm_presence  north;

    question.body_case = WM__ENVELOPE__BODY_CHECK_IN;
    question.check_in = &in;
    in.program = "test";
    in.rows = 99;
    answer = say(s, "west", &question, false, true);
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_FAULT);
    assert_non_null(strstr(answer->fault->text, "not enrolled here"));
    answer = say(s, "north", &question, false, true);
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_WELCOME);
    assert_int_equal(answer->welcome->server_time_ms, s->clock.wall_ms);
    assert_true(wm_roster_find(s->roster, "north", &north));
    assert_int_equal(north.rows, 99);
    wm_roster_revoked(s->roster, "north");
    answer = say(s, "north", &question, false, true);
    assert_int_equal(answer->fault->code, WM_E_REFUSED);
    question.version = 2;
    assert_int_equal(say(s, "south", &question, false, true)->fault->code, WM_E_INVALID);
}

static void a_message_on_the_wrong_connection_is_refused(void **state)
{
    scene       *s = *state;
    Wm__Envelope question = wm_envelope();
    Wm__Enrol    enrol = WM__ENROL__INIT;
    Wm__CheckIn  in = WM__CHECK_IN__INIT;

    question.body_case = WM__ENVELOPE__BODY_ENROL;
    question.enrol = &enrol;
    assert_int_equal(say(s, "north", &question, false, true)->body_case, WM__ENVELOPE__BODY_FAULT);
    question.body_case = WM__ENVELOPE__BODY_CHECK_IN;
    question.check_in = &in;
    assert_int_equal(say(s, "north", &question, true, true)->body_case, WM__ENVELOPE__BODY_FAULT);
}

static void an_offer_names_all_that_is_needed(void **state)
{
    scene    *s = *state;
    Wm__Work *work = ask(s, "north", NULL, NULL, 25000, false);
    wm_digest job = wm_sha256_of(job_text, strlen(job_text));

    assert_non_null(work);
    assert_int_equal(work->kind, WM__WORK__KIND__TASK);
    assert_int_equal(work->key->phase, WM_PHASE_TRAIN);
    assert_int_equal(work->key->round, 1);
    assert_memory_equal(work->key->run.data, s->record.id, WM_RUN_ID_SIZE);
    assert_memory_equal(work->job.data, job.bytes, WM_DIGEST_SIZE);
    assert_int_equal(work->job_bytes, strlen(job_text));
    assert_int_equal(work->model_bytes, 4 * (3 * 20 + 20 + 20 + 1));
    assert_int_equal(work->scaling.len, 0);
    assert_int_equal(work->audit_head.len, WM_DIGEST_SIZE);
    assert_true(work->audit_lines > 0);
    assert_int_equal(work->left_ms, 60000);
    assert_false(work->renew);
    s->certificate_ms = 499999; /* renewal is due 500 s before its end */
    assert_true(ask(s, "north", NULL, NULL, 0, false)->renew);
}

static void a_poll_is_held_until_there_is_news(void **state)
{
    scene    *s = *state;
    made      m = make_update(s, "north", 0.5f);
    Wm__Key   key = key_of(s, WM_PHASE_TRAIN, 1, &m.task.model), other;
    wm_digest wrong = { { 1 } };

    /* Busy with the open task: nothing new. */
    assert_null(ask(s, "north", &key, NULL, 25000, false));
    assert_int_equal(ask(s, "north", &key, NULL, 0, false)->kind,
                     WM__WORK__KIND__TASK); /* it does not want to wait */
    /* Busy with something else: it should stop. */
    other = key_of(s, WM_PHASE_TRAIN, 1, &wrong);
    assert_true(ask(s, "north", &other, NULL, 25000, false)->abandon);
    /* Its update is wanted: it is told at once. */
    assert_int_equal(ask(s, "north", NULL, &key, 25000, false)->held, WM__WORK__FATE__WANTED);
    assert_int_equal(hand_in(s, "north", &m)->state, WM__RECEIPT__STATE__ACCEPTED);
    /* Accepted, and others are waited for: held; and at the end it may ask again at once. */
    assert_null(ask(s, "north", NULL, &key, 25000, false));
    assert_int_equal(ask(s, "north", NULL, &key, 25000, true)->held, WM__WORK__FATE__ACCEPTED);
    assert_int_equal(ask(s, "north", NULL, &key, 25000, true)->kind, WM__WORK__KIND__NOTHING);
    assert_int_equal(ask(s, "north", NULL, &key, 25000, true)->come_back_ms, 0);
    wm_update_release(&m.update);
}

static void when_the_round_is_committed_its_updates_may_be_let_go(void **state)
{
    scene          *s = *state;
    made            m[N];
    Wm__Key         key;
    Wm__Work       *work;
    unsigned        woken_before;
    wm_run_progress progress;

    for (size_t k = 0; k < N; k++)
        m[k] = make_update(s, population[k], 0.5f);
    key = key_of(s, WM_PHASE_TRAIN, 1, &m[0].task.model);
    woken_before = s->woken;
    for (size_t k = 0; k < N; k++)
        assert_int_equal(hand_in(s, population[k], &m[k])->state, WM__RECEIPT__STATE__ACCEPTED);
    assert_true(s->woken > woken_before);
    work = ask(s, "north", NULL, &key, 25000, false);
    assert_int_equal(work->held, WM__WORK__FATE__COMMITTED);
    assert_int_equal(work->kind, WM__WORK__KIND__TASK);
    assert_int_equal(work->key->phase, WM_PHASE_EVALUATE);
    /* The same submission once more says so, too, and counts nothing. */
    assert_int_equal(submit(s, "north", &m[1], m[1].update.n_bytes, true)->state, WM__RECEIPT__STATE__COMMITTED);
    /* Evaluations. */
    for (size_t k = 0; k < N; k++)
        assert_int_equal(report(s, population[k], WM_PHASE_EVALUATE, 1, 1, WM_FEDERATED, 1)->state,
                         WM__RECEIPT__STATE__ACCEPTED);
    wm_run_progress_get(s->run, &progress);
    assert_int_equal(progress.standing.phase, WM_PHASE_TRAIN);
    assert_int_equal(progress.standing.round, 2);
    assert_int_equal(report(s, "north", WM_PHASE_EVALUATE, 1, 1, WM_FEDERATED, 1)->state, WM__RECEIPT__STATE__OVER);
    for (size_t k = 0; k < N; k++)
        wm_update_release(&m[k].update);
}

static void what_is_malformed_is_a_fault(void **state)
{
    static const struct {
        const char *says;
        size_t      run, model;
        uint32_t    phase;
    } cases[] = {
        { "a run's id that is too short", 15, 32, WM_PHASE_TRAIN },
        { "a model's digest that is too long", 16, 33, WM_PHASE_TRAIN },
        { "no model where there must be one", 16, 0, WM_PHASE_TRAIN },
        { "an unknown phase", 16, 32, 17 },
        { "no phase", 16, 32, 0 },
    };
    scene       *s = *state;
    uint8_t      bytes[64] = { 0 };
    Wm__Envelope question = wm_envelope();
    Wm__Ask      body = WM__ASK__INIT;
    Wm__Key      key = WM__KEY__INIT;

    question.body_case = WM__ENVELOPE__BODY_ASK;
    question.ask = &body;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        key.run = wm_bytes_field(bytes, cases[c].run);
        key.model = wm_bytes_field(bytes, cases[c].model);
        key.phase = cases[c].phase;
        body.busy_with = &key;
        body.held = NULL;
        assert_case(cases[c].says, say(s, "north", &question, false, true)->body_case == WM__ENVELOPE__BODY_FAULT);
        body.busy_with = NULL;
        body.held = &key;
        assert_case(cases[c].says, say(s, "north", &question, false, true)->body_case == WM__ENVELOPE__BODY_FAULT);
    }
}

static void a_foreign_run_is_over(void **state)
{
    scene  *s = *state;
    made    m = make_update(s, "north", 0.5f);
    Wm__Key key = key_of(s, WM_PHASE_TRAIN, 1, &m.task.model);
    uint8_t foreign[WM_RUN_ID_SIZE] = { 9 };

    key.run = wm_bytes_field(foreign, sizeof foreign);
    assert_int_equal(ask(s, "north", NULL, &key, 25000, false)->held, WM__WORK__FATE__OVER);
    wm_update_release(&m.update);
}

static void an_evaluation_must_make_sense(void **state)
{
    static const struct {
        const char        *says;
        size_t             n_results, n_sums;
        uint32_t           contender;
        Wm__Receipt__State want;
    } cases[] = {
        { "no result at all", 0, 1, WM_FEDERATED, WM__RECEIPT__STATE__REFUSED },
        { "the same contender twice", 2, 1, WM_FEDERATED, WM__RECEIPT__STATE__REFUSED },
        { "more results than there are contenders", 8, 1, WM_FEDERATED, WM__RECEIPT__STATE__REFUSED },
        { "an unknown contender", 1, 1, WM_CONTENDERS, WM__RECEIPT__STATE__REFUSED },
        { "sums that the job does not measure", 1, 2, WM_FEDERATED, WM__RECEIPT__STATE__REFUSED },
        { "no sums at all", 1, 0, WM_FEDERATED, WM__RECEIPT__STATE__REFUSED },
    };
    scene      *s = *state;
    wm_presence north;

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_case(cases[c].says, report(s, "north", WM_PHASE_EVALUATE, 1, cases[c].n_results, cases[c].contender,
                                          cases[c].n_sums)
                                           ->state == cases[c].want);
    assert_true(wm_roster_find(s->roster, "north", &north));
    assert_int_equal(north.refusals, sizeof cases / sizeof *cases);
}

static void a_gateway_may_decline(void **state)
{
    scene          *s = *state;
    wm_task         task = task_of(s, "north");
    Wm__Envelope    question = wm_envelope();
    Wm__Decline     body = WM__DECLINE__INIT;
    Wm__Key         key = key_of(s, task.phase, task.round, &task.model);
    wm_run_progress progress;
    wm_presence     north;

    body.key = &key;
    body.reason = "column level may not be used";
    question.body_case = WM__ENVELOPE__BODY_DECLINE;
    question.decline = &body;
    assert_int_equal(receipt(say(s, "north", &question, false, true))->state, WM__RECEIPT__STATE__OVER);
    wm_run_progress_get(s->run, &progress);
    assert_int_equal(progress.declined, 1);
    assert_true(wm_roster_find(s->roster, "north", &north));
    assert_string_equal(north.refusal, "column level may not be used");
    assert_null(ask(s, "north", NULL, NULL, 25000, false)); /* and is not asked again in this attempt */
}

static void nobody_waits_for_a_revoked_gateway(void **state)
{
    scene          *s = *state;
    made            m[2];
    wm_run_progress progress;

    for (size_t k = 0; k < 2; k++) { /* east and north; the goal is all three */
        m[k] = make_update(s, population[k], 0.5f);
        assert_int_equal(hand_in(s, population[k], &m[k])->state, WM__RECEIPT__STATE__ACCEPTED);
        wm_update_release(&m[k].update);
    }
    wm_roster_revoked(s->roster, "south");
    wm_remote_tick(s->remote);
    wm_run_progress_get(s->run, &progress);
    assert_int_equal(progress.standing.phase, WM_PHASE_EVALUATE);
}

static void a_gateway_that_signs_off_is_not_waited_for_until_it_is_heard_again(void **state)
{
    scene       *s = *state;
    Wm__Envelope question = wm_envelope();
    Wm__SignOff  body = WM__SIGN_OFF__INIT;
    wm_presence  south;

    task_of(s, "south");
    two_of_three_hand_in(s);
    assert_int_equal(phase_of(s), WM_PHASE_TRAIN);
    body.reason = "it was stopped";
    question.body_case = WM__ENVELOPE__BODY_SIGN_OFF;
    question.sign_off = &body;
    assert_int_equal(receipt(say(s, "south", &question, false, true))->state, WM__RECEIPT__STATE__OVER);
    assert_int_equal(phase_of(s), WM_PHASE_EVALUATE);
    assert_true(wm_roster_find(s->roster, "south", &south));
    assert_int_equal(wm_roster_absence(s->roster, &south), WM_ABSENCE_SIGNED_OFF);
    task_of(s, "south"); /* it is back, and is to evaluate */
    assert_true(wm_roster_find(s->roster, "south", &south));
    assert_int_equal(wm_roster_absence(s->roster, &south), WM_ABSENCE_NONE);
}

enum { SILENCE_MS = 45 * 1000 };

static void who_is_silent_for_long_is_not_waited_for(void **state)
{
    scene *s = *state;

    for (size_t k = 0; k < 3; k++)
        task_of(s, population[k]);
    s->clock.mono_ms += SILENCE_MS - 1;
    two_of_three_hand_in(s);
    wm_remote_tick(s->remote);
    assert_int_equal(phase_of(s), WM_PHASE_TRAIN);
    s->clock.mono_ms++;
    wm_remote_tick(s->remote);
    assert_int_equal(phase_of(s), WM_PHASE_EVALUATE);
}

static void a_server_that_stops_offers_nothing(void **state)
{
    scene *s = *state;
    made   m = make_update(s, "north", 0.5f);

    wm_remote_close(s->remote);
    assert_int_equal(ask(s, "north", NULL, NULL, 25000, true)->kind, WM__WORK__KIND__NOTHING);
    assert_true(s->x.answer.work->come_back_ms > 0);
    assert_int_equal(submit(s, "north", &m, m.update.n_bytes, true)->state, WM__RECEIPT__STATE__LATER);
    wm_update_release(&m.update);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(strangers_are_told_so_and_nothing_else),
        SCENE(a_message_on_the_wrong_connection_is_refused),
        SCENE(an_offer_names_all_that_is_needed),
        SCENE(a_poll_is_held_until_there_is_news),
        SCENE(when_the_round_is_committed_its_updates_may_be_let_go),
        SCENE(what_is_malformed_is_a_fault),
        SCENE(a_foreign_run_is_over),
        SCENE(an_evaluation_must_make_sense),
        SCENE(a_gateway_may_decline),
        SCENE(nobody_waits_for_a_revoked_gateway),
        SCENE(a_gateway_that_signs_off_is_not_waited_for_until_it_is_heard_again),
        SCENE(who_is_silent_for_long_is_not_waited_for),
        SCENE(a_server_that_stops_offers_nothing),
    };

    return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
