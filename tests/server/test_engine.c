/* tests/server/test_engine.c
 *
 * The round engine by itself: events and times in, actions out. A scenario plays the driver: it says DONE to every
 * durable action, and keeps the letters of what was asked for:
 *     o open  d substitute  s scale  c commit  e evaluated  x close */
#include "tests/unit.h"

#include "server/round/engine.h"
#include "server/selection/selection.h"

#include <math.h>

enum { CLIENTS = 5, DEADLINE = 60000, GRACE = 30000 };

static const char *const names[CLIENTS] = { "centre", "east", "north", "south", "west" };

typedef struct scene {
    wm_job          job;
    wm_engine      *engine;
    bool            statistics, patient, stuck; /* stuck: the disk is full, DONE is not said */
    int64_t         now_ms, wall_ms;
    wm_standing     durable;
    wm_substitution drawn[CLIENTS]; /* in the places of others, in the one round of a scene where that happens */
    size_t          n_drawn;
    char            done[200];
    char            text[WM_REASON_TEXT]; /* of the last refusal */
} scene;

static const double share = 0.4; /* two of five */

static void begin(scene *s)
{
    *s = (scene){
        .job = {
            .rounds = 2,
            .cohort = { .select = { .member = wm_selections.members[0] }, .over = 1, .quorum = 0.6,
                        .deadline_ms = DEADLINE, .attempts = 3, .minimum = 1 },
            .evaluate = { .every = 1, .select = { .member = wm_selections.members[0] } },
        },
        .durable = { .best_loss = NAN },
        .wall_ms = 1000000,
    };
}

static void keep_substitutes(scene *s)
{
    const wm_substitution *drawn;
    size_t                 n;

    if (wm_engine_pending(s->engine) != WM_ACTION_SUBSTITUTE)
        return;
    drawn = wm_engine_substitutes(s->engine, &n);
    for (size_t i = 0; i < n; i++) {
        assert_true(s->n_drawn < CLIENTS);
        s->drawn[s->n_drawn++] = drawn[i];
    }
}

static wm_action_kind perform(scene *s, const wm_actions *actions)
{
    wm_action_kind told = WM_ACTION_NONE;

    for (size_t i = 0; i < actions->n; i++) {
        const wm_action *a = &actions->items[i];
        size_t           at = strlen(s->done);

        if (a->kind < WM_ACTION_OPEN) {
            told = a->kind;
            memcpy(s->text, a->text, sizeof s->text);
            continue;
        }
        assert_int_equal(i, actions->n - 1);
        assert_true(at + 1 < sizeof s->done);
        s->done[at] = "odscex"[a->kind - WM_ACTION_OPEN];
    }
    if (s->engine != NULL && wm_engine_pending(s->engine) != WM_ACTION_NONE && !s->stuck) {
        wm_event   event = { .kind = WM_EVENT_DONE, .standing = &s->durable };
        wm_actions more;

        keep_substitutes(s);
        s->durable = *wm_engine_next(s->engine);
        if (wm_engine_pending(s->engine) != WM_ACTION_SUBSTITUTE)
            s->durable.opened_wall_ms = s->wall_ms;
        wm_engine_handle(s->engine, &event, s->now_ms, &more);
        perform(s, &more);
    }
    return told;
}

static void start(scene *s)
{
    wm_engine_settings settings = { .job = &s->job,
                                    .names = names,
                                    .n_population = CLIENTS,
                                    .seed = 7,
                                    .grace_ms = GRACE,
                                    .statistics = s->statistics,
                                    .patient = s->patient,
                                    .substitutes = s->drawn,
                                    .n_substitutes = s->durable.phase == WM_PHASE_TRAIN ? s->n_drawn : 0 };
    wm_actions         actions;

    assert_ok(wm_engine_new(&settings, &s->durable, s->now_ms, s->wall_ms, &actions, &s->engine, NULL), NULL);
    perform(s, &actions);
}

static void pass(scene *s, int64_t ms)
{
    s->now_ms += ms;
    s->wall_ms += ms;
}

static wm_action_kind send(scene *s, wm_event event)
{
    wm_actions actions;

    wm_engine_handle(s->engine, &event, s->now_ms, &actions);
    return perform(s, &actions);
}

static wm_action_kind tick(scene *s)
{
    return send(s, (wm_event){ .kind = WM_EVENT_TICK });
}

static wm_action_kind ask(scene *s, uint32_t client)
{
    return send(s, (wm_event){ .kind = WM_EVENT_ASK, .client = client });
}

static wm_digest digest_of(uint32_t client, uint32_t round)
{
    return (wm_digest){ .bytes = { 1, (uint8_t)client, (uint8_t)round } };
}

static wm_action_kind update(scene *s, uint32_t client, uint32_t round)
{
    return send(s, (wm_event){ .kind = WM_EVENT_UPDATE,
                               .client = client,
                               .phase = round == 0 ? WM_PHASE_STATISTICS : WM_PHASE_TRAIN,
                               .round = round,
                               .digest = digest_of(client, round),
                               .weight = 10,
                               .loss = 1 });
}

static wm_action_kind report(scene *s, uint32_t client, wm_phase phase, uint32_t round, double loss)
{
    return send(s, (wm_event){ .kind = WM_EVENT_REPORT,
                               .client = client,
                               .phase = phase,
                               .round = round,
                               .weight = 10,
                               .loss = loss });
}

static wm_action_kind decline(scene *s, uint32_t client, wm_phase phase, uint32_t round)
{
    return send(
        s, (wm_event){
               .kind = WM_EVENT_DECLINE, .client = client, .phase = phase, .round = round, .reason = "no memory" });
}

static wm_action_kind refuse(scene *s, uint32_t client)
{
    return send(s, (wm_event){ .kind = WM_EVENT_REFUSE, .client = client, .reason = "delta[3] is not a number" });
}

static void all_update(scene *s, uint32_t round)
{
    for (uint32_t k = 0; k < CLIENTS; k++)
        assert_int_equal(update(s, k, round), WM_ACTION_FOLD);
}

static void all_report(scene *s, wm_phase phase, uint32_t round, double loss)
{
    for (uint32_t k = 0; k < CLIENTS; k++)
        assert_int_equal(report(s, k, phase, round, loss), WM_ACTION_FOLD);
}

static void assert_at(const scene *s, wm_phase phase, uint32_t round, uint32_t attempt)
{
    const wm_standing *at = wm_engine_standing(s->engine);

    assert_int_equal(at->phase, phase);
    assert_int_equal(at->round, round);
    assert_int_equal(at->attempt, attempt);
}

static size_t drawn(const scene *s)
{
    return wm_engine_cohort(s->engine)->drawn;
}

static wm_action_kind leave(scene *s, uint32_t client)
{
    return send(s, (wm_event){ .kind = WM_EVENT_AWAY, .client = client });
}

static void assert_waits_for(const scene *s, const char *want)
{
    wm_text said = WM_TEXT_INIT;

    wm_cohort_waiting_for(wm_engine_cohort(s->engine), names, CLIENTS, &said);
    assert_string_equal(wm_text_chars(&said), want);
    wm_text_release(&said);
}

/* ---- */

static void a_quiet_run_goes_through_all_phases(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.statistics = true;
    start(&s);
    assert_at(&s, WM_PHASE_STATISTICS, 0, 0);
    assert_int_equal(ask(&s, 0), WM_ACTION_OFFER);
    all_update(&s, 0);
    for (uint32_t round = 1; round <= 2; round++) {
        assert_at(&s, WM_PHASE_TRAIN, round, 0);
        all_update(&s, round);
        assert_at(&s, WM_PHASE_EVALUATE, round, 0);
        all_report(&s, WM_PHASE_EVALUATE, round, 1.0 / round);
    }
    assert_at(&s, WM_PHASE_FINAL, 2, 0);
    all_report(&s, WM_PHASE_FINAL, 2, 1);
    assert_at(&s, WM_PHASE_CLOSED, 2, 0);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_DONE);
    assert_string_equal(s.durable.why, "all 2 rounds are done");
    assert_true(s.durable.best_loss == 0.5);
    assert_string_equal(s.done, "oscecex");
    assert_int_equal(ask(&s, 0), WM_ACTION_OVER);
    assert_int_equal(update(&s, 0, 2), WM_ACTION_LATE);
    assert_int_equal(refuse(&s, 0), WM_ACTION_REFUSE);
    wm_engine_free(s.engine);
}

static void a_round_closes_at_its_goal_and_the_rest_is_late(void **state)
{
    scene  s;
    size_t folded = 0;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    s.job.cohort.over = 1.5;
    start(&s);
    assert_int_equal(drawn(&s), 3); /* ceil(2 * 1.5), of which two are wanted */
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (wm_engine_cohort(s.engine)->seats[k].drawn) {
            wm_action_kind told;

            s.stuck = ++folded >= 2; /* so that the round is closed and not yet on disk */
            told = update(&s, k, 1);
            assert_int_equal(told, folded <= 2 ? WM_ACTION_FOLD : WM_ACTION_LATE);
            if (folded >= 2) {
                s.stuck = true;
                assert_int_equal(ask(&s, k), WM_ACTION_WAIT);
                assert_int_equal(update(&s, k, 1), folded == 2 ? WM_ACTION_AGAIN : WM_ACTION_LATE);
            }
        }
    assert_int_equal(folded, 3);
    s.stuck = false;
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_string_equal(s.done, "oc");
    wm_engine_free(s.engine);
}

static void at_the_deadline_the_quorum_is_enough(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 0; k < 3; k++) /* 0.6 of 5 */
        update(&s, k, 1);
    assert_int_equal(ask(&s, 0), WM_ACTION_WAIT);
    assert_int_equal(ask(&s, 4), WM_ACTION_OFFER);
    pass(&s, DEADLINE - 1);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_int_equal(wm_engine_left_ms(s.engine, s.now_ms), 1);
    pass(&s, 1);
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_int_equal(update(&s, 4, 1), WM_ACTION_LATE);
    wm_engine_free(s.engine);
}

static void when_nobody_is_left_the_quorum_closes_at_once(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 0; k < 3; k++)
        update(&s, k, 1);
    decline(&s, 3, WM_PHASE_TRAIN, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_int_equal(refuse(&s, 4), WM_ACTION_REFUSE);
    assert_string_equal(s.text, "delta[3] is not a number");
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

/* Three have handed in and one has declined; what the fifth says is the last answer, whatever it is about. */
static void the_last_answer_closes_the_phase_whatever_it_is_refused_for(void **state)
{
    static const struct {
        const char *says;
        bool        patient;
        double      quorum;
        wm_event    last;
        wm_phase    phase; /* then */
        uint32_t    attempt;
    } rows[] = {
        { "an update of this round that does not hold",
          false,
          0.6,
          { .kind = WM_EVENT_REFUSE, .phase = WM_PHASE_TRAIN, .round = 1, .reason = "x" },
          WM_PHASE_EVALUATE,
          0 },
        { "what nobody can tell the round of",
          false,
          0.6,
          { .kind = WM_EVENT_REFUSE, .reason = "too long" },
          WM_PHASE_EVALUATE,
          0 },
        { "an update of a round that is to come",
          false,
          0.6,
          { .kind = WM_EVENT_UPDATE, .phase = WM_PHASE_TRAIN, .round = 2 },
          WM_PHASE_EVALUATE,
          0 },
        { "an evaluation that has not begun",
          false,
          0.6,
          { .kind = WM_EVENT_REPORT, .phase = WM_PHASE_EVALUATE, .round = 1 },
          WM_PHASE_EVALUATE,
          0 },
        { "an evaluation that does not hold and has not begun",
          false,
          0.6,
          { .kind = WM_EVENT_REFUSE, .phase = WM_PHASE_EVALUATE, .round = 1, .reason = "x" },
          WM_PHASE_EVALUATE,
          0 },
        { "below the quorum, with a deadline, it is waited for",
          false,
          0.8,
          { .kind = WM_EVENT_REPORT, .phase = WM_PHASE_EVALUATE, .round = 1 },
          WM_PHASE_TRAIN,
          0 },
        { "below the quorum, where no deadline passes, all are asked once more",
          true,
          0.8,
          { .kind = WM_EVENT_REPORT, .phase = WM_PHASE_EVALUATE, .round = 1 },
          WM_PHASE_TRAIN,
          1 },
        { "nor does it end in silence where an update is of a round to come",
          true,
          0.8,
          { .kind = WM_EVENT_UPDATE, .phase = WM_PHASE_TRAIN, .round = 2 },
          WM_PHASE_TRAIN,
          1 },
        { "what is late is no answer, and it is waited for",
          true,
          0.6,
          { .kind = WM_EVENT_UPDATE, .phase = WM_PHASE_STATISTICS },
          WM_PHASE_TRAIN,
          0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_event last = rows[i].last;
        scene    s;

        begin(&s);
        s.patient = rows[i].patient;
        s.job.cohort.quorum = rows[i].quorum;
        start(&s);
        for (uint32_t k = 0; k < 3; k++)
            update(&s, k, 1);
        decline(&s, 3, WM_PHASE_TRAIN, 1);
        assert_at(&s, WM_PHASE_TRAIN, 1, 0);
        last.client = 4;
        send(&s, last);
        if (wm_engine_standing(s.engine)->phase != rows[i].phase)
            fail_msg("%s: %s", rows[i].says, wm_phase_name(wm_engine_standing(s.engine)->phase));
        assert_at(&s, rows[i].phase, 1, rows[i].attempt);
        wm_engine_free(s.engine);
    }
}

static void below_the_quorum_another_attempt_keeps_what_was_accepted(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    update(&s, 0, 1);
    update(&s, 1, 1);
    refuse(&s, 2);
    decline(&s, 3, WM_PHASE_TRAIN, 1);
    refuse(&s, 4);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0); /* no hot loop: all have answered, and it waits for the deadline */
    assert_int_equal(ask(&s, 2), WM_ACTION_WAIT);
    assert_int_equal(update(&s, 2, 1), WM_ACTION_REFUSE);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1);
    assert_string_equal(s.done, "oo");
    assert_int_equal(wm_engine_cohort(s.engine)->accepted, 2);
    assert_int_equal(ask(&s, 0), WM_ACTION_WAIT);
    assert_int_equal(update(&s, 0, 1), WM_ACTION_AGAIN);
    assert_int_equal(ask(&s, 2), WM_ACTION_OFFER);
    assert_int_equal(ask(&s, 3), WM_ACTION_OFFER);
    update(&s, 2, 1);
    update(&s, 3, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1);
    update(&s, 4, 1);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void another_attempt_draws_more_clients(void **state)
{
    scene  s;
    bool   first[CLIENTS];
    size_t were;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    s.job.cohort.attempts = 0; /* no end */
    start(&s);
    were = drawn(&s);
    assert_int_equal(were, 2);
    for (int k = 0; k < CLIENTS; k++)
        first[k] = wm_engine_cohort(s.engine)->seats[k].drawn;
    for (uint32_t attempt = 1; attempt < 50; attempt++) {
        pass(&s, DEADLINE);
        tick(&s);
        assert_at(&s, WM_PHASE_TRAIN, 1, attempt);
        assert_true(drawn(&s) >= were);
        were = drawn(&s);
        for (int k = 0; k < CLIENTS; k++)
            assert_true(!first[k] || wm_engine_cohort(s.engine)->seats[k].drawn);
    }
    assert_int_equal(were, CLIENTS);
    wm_engine_free(s.engine);
}

static void too_many_attempts_fail_and_name_who_was_waited_for(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    update(&s, 0, 1);
    update(&s, 3, 1);
    for (int attempt = 0; attempt < 3; attempt++) {
        pass(&s, DEADLINE);
        tick(&s);
    }
    assert_at(&s, WM_PHASE_CLOSED, 1, 0);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why, "training of round 1: 2 of 3 answers needed, after attempt 3; waited since "
                                       "1970-01-01T00:18:40Z for east, north, west");
    assert_string_equal(s.done, "ooox");
    wm_engine_free(s.engine);
}

static void repeats_count_once_and_contradictions_are_refused(void **state)
{
    scene    s;
    wm_event other = {
        .kind = WM_EVENT_UPDATE, .client = 1, .phase = WM_PHASE_TRAIN, .round = 1, .digest = { { 9 } }, .weight = 10
    };

    (void)state;
    begin(&s);
    start(&s);
    assert_int_equal(update(&s, 1, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, 1, 1), WM_ACTION_AGAIN);
    assert_int_equal(send(&s, other), WM_ACTION_REFUSE);
    assert_string_equal(s.text, "another update was already accepted");
    assert_int_equal(wm_engine_cohort(s.engine)->accepted, 1);
    assert_int_equal(wm_engine_cohort(s.engine)->seats[1].part.verdict, WM_VERDICT_ACCEPTED);
    assert_int_equal(refuse(&s, 1), WM_ACTION_REFUSE); /* garbage afterwards changes nothing */
    assert_int_equal(wm_engine_cohort(s.engine)->seats[1].part.verdict, WM_VERDICT_ACCEPTED);
    wm_engine_free(s.engine);
}

static void what_belongs_elsewhere_is_named(void **state)
{
    scene            s;
    wm_engine_counts counts;

    (void)state;
    begin(&s);
    s.job.rounds = 9;
    start(&s);
    assert_int_equal(update(&s, 0, 3), WM_ACTION_REFUSE);
    assert_string_equal(s.text, "training of round 3 is not open: training of round 1 is");
    assert_int_equal(report(&s, 1, WM_PHASE_EVALUATE, 1, 1), WM_ACTION_REFUSE);
    assert_int_equal(report(&s, 2, WM_PHASE_FINAL, 9, 1), WM_ACTION_REFUSE);
    assert_int_equal(update(&s, 3, 0), WM_ACTION_LATE); /* statistics */
    decline(&s, 4, WM_PHASE_TRAIN, 4);                  /* is about nothing */
    assert_int_equal(ask(&s, 4), WM_ACTION_OFFER);
    wm_engine_counts_get(s.engine, &counts);
    assert_int_equal(counts.refused, 3);
    assert_int_equal(counts.late, 1);
    wm_engine_free(s.engine);

    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (!wm_engine_cohort(s.engine)->seats[k].drawn) {
            assert_int_equal(ask(&s, k), WM_ACTION_WAIT);
            assert_int_equal(update(&s, k, 1), WM_ACTION_REFUSE);
            assert_string_equal(s.text, "not in this round's cohort");
        }
    wm_engine_free(s.engine);
}

static void an_evaluation_needs_one_answer(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    all_update(&s, 1);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 1); /* nobody answered */
    assert_int_equal(report(&s, 2, WM_PHASE_EVALUATE, 1, 0.25), WM_ACTION_FOLD);
    assert_int_equal(report(&s, 2, WM_PHASE_EVALUATE, 1, 0.5), WM_ACTION_AGAIN);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    assert_true(s.durable.best_loss == 0.25);
    all_update(&s, 2);
    for (uint32_t k = 0; k < CLIENTS; k++) /* nobody has an example: not worth waiting for */
        decline(&s, k, WM_PHASE_EVALUATE, 2);
    assert_at(&s, WM_PHASE_FINAL, 2, 0);
    assert_true(s.durable.best_loss == 0.25);
    wm_engine_free(s.engine);
}

static void the_last_evaluation_has_time_for_the_baselines(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.job.evaluate.baselines = WM_BASELINE_ALONE | WM_BASELINE_NAIVE;
    s.job.evaluate.every = 5; /* only the last round is evaluated */
    start(&s);
    all_update(&s, 1);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    all_update(&s, 2);
    assert_at(&s, WM_PHASE_EVALUATE, 2, 0);
    all_report(&s, WM_PHASE_EVALUATE, 2, 1);
    assert_at(&s, WM_PHASE_FINAL, 2, 0);
    assert_int_equal(wm_engine_left_ms(s.engine, s.now_ms), 4 * DEADLINE); /* 2 + 2 rounds */
    pass(&s, 4 * DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_CLOSED, 2, 0); /* without anybody: the model is there all the same */
    assert_int_equal(s.durable.outcome, WM_OUTCOME_DONE);
    wm_engine_free(s.engine);
}

static void patience_ends_a_run_that_does_not_get_better(void **state)
{
    static const double losses[] = { 1, 0.5, 0.6, 0.5 };
    scene               s;

    (void)state;
    begin(&s);
    s.job.rounds = 100;
    s.job.evaluate.patience = 2;
    start(&s);
    for (uint32_t round = 1; round <= 4; round++) {
        assert_at(&s, WM_PHASE_TRAIN, round, 0);
        all_update(&s, round);
        all_report(&s, WM_PHASE_EVALUATE, round, losses[round - 1]);
    }
    assert_at(&s, WM_PHASE_FINAL, 4, 0);
    all_report(&s, WM_PHASE_FINAL, 4, 1);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_EARLY);
    assert_string_equal(s.durable.why, "the loss has not got better in 2 evaluations");
    wm_engine_free(s.engine);
}

static void the_operator_stops_it_but_what_was_begun_is_finished(void **state)
{
    scene    s;
    wm_event stop = { .kind = WM_EVENT_STOP, .reason = "enough" };

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 0; k < CLIENTS; k++) {
        s.stuck = true;
        update(&s, k, 1);
    }
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_COMMIT);
    assert_int_equal(send(&s, stop), WM_ACTION_NONE);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    s.stuck = false;
    tick(&s);
    assert_at(&s, WM_PHASE_CLOSED, 1, 0);
    assert_string_equal(s.done, "ocx");
    assert_int_equal(s.durable.outcome, WM_OUTCOME_STOPPED);
    assert_string_equal(s.durable.why, "enough");
    assert_int_equal(send(&s, stop), WM_ACTION_REFUSE);
    assert_int_equal(send(&s, (wm_event){ .kind = WM_EVENT_AWAY, .client = 1 }), WM_ACTION_NONE);
    assert_int_equal(send(&s, (wm_event){ .kind = WM_EVENT_REFUSE, .client = 2, .reason = "no message" }),
                     WM_ACTION_REFUSE);
    assert_string_equal(s.done, "ocx"); /* whoever goes or errs after the end begins nothing */
    wm_engine_free(s.engine);
}

static void what_can_never_be_performed_fails_the_run(void **state)
{
    scene    s;
    wm_event fail = { .kind = WM_EVENT_FAIL, .reason = "statistics: column pm25 is the same everywhere" };

    (void)state;
    begin(&s);
    s.statistics = true;
    start(&s);
    s.stuck = true;
    for (uint32_t k = 0; k < CLIENTS; k++)
        update(&s, k, 0);
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_SCALE);
    s.stuck = false;
    send(&s, fail);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why, fail.reason);
    wm_engine_free(s.engine);
}

static void after_a_restart_the_round_has_its_cohort_and_what_was_left_of_its_time(void **state)
{
    static const struct {
        const char *says;
        int64_t     down_ms; /* by the wall clock */
        int64_t     left_ms;
    } cases[] = {
        { "ten seconds are counted", 10000, DEADLINE - 10000 },
        { "a long absence leaves the grace", 3600000, GRACE },
        { "a clock that was set back gives no more than the job", -5000000, DEADLINE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        bool  were[CLIENTS];

        begin(&s);
        s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
        start(&s);
        pass(&s, DEADLINE);
        tick(&s); /* the second attempt, so that the union is drawn again */
        for (int k = 0; k < CLIENTS; k++)
            were[k] = wm_engine_cohort(s.engine)->seats[k].drawn;
        wm_engine_free(s.engine);
        s.engine = NULL;

        s.now_ms = 5; /* the monotonic clock begins anew */
        s.wall_ms += cases[i].down_ms;
        start(&s);
        assert_at(&s, WM_PHASE_TRAIN, 1, 1);
        assert_case(cases[i].says, wm_engine_left_ms(s.engine, s.now_ms) == cases[i].left_ms);
        for (int k = 0; k < CLIENTS; k++)
            assert_case(cases[i].says, wm_engine_cohort(s.engine)->seats[k].drawn == were[k]);
        assert_int_equal(wm_engine_cohort(s.engine)->accepted, 0);
        wm_engine_free(s.engine);
    }
}

static void without_deadlines_a_simulation_neither_waits_nor_loops(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.patient = true;
    s.job.cohort.attempts = 0;
    start(&s);
    pass(&s, INT32_MAX);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_true(wm_engine_left_ms(s.engine, s.now_ms) == INT64_MAX);
    for (uint32_t attempt = 0; attempt < 3; attempt++) {
        assert_at(&s, WM_PHASE_TRAIN, 1, attempt);
        for (uint32_t k = 0; k < CLIENTS; k++)
            decline(&s, k, WM_PHASE_TRAIN, 1);
    }
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why,
                        "training of round 1: 0 of 3 answers needed, after attempt 3; 0 refused and 5 declined");
    wm_engine_free(s.engine);
}

static void statistics_without_a_quorum_fail_the_run(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.statistics = true;
    s.job.cohort.attempts = 1;
    start(&s);
    assert_int_equal(update(&s, 1, 0), WM_ACTION_FOLD);
    pass(&s, DEADLINE);
    tick(&s);
    assert_int_equal(s.durable.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(s.durable.why, "statistics: 1 of 3 answers needed, after attempt 1; waited since "
                                       "1970-01-01T00:16:40Z for centre, north, south, west");
    wm_engine_free(s.engine);
}

static void a_refusal_or_a_decline_about_something_else_changes_no_seat(void **state)
{
    scene    s;
    wm_event refusal = { .kind = WM_EVENT_REFUSE, .client = 3, .phase = WM_PHASE_TRAIN, .reason = "bad" };

    (void)state;
    begin(&s);
    s.job.rounds = 9;
    s.job.evaluate.every = 9;
    start(&s);
    all_update(&s, 1);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    refusal.round = 1;
    assert_int_equal(send(&s, refusal), WM_ACTION_LATE); /* of a round that is over: nobody cares what was in it */
    assert_int_equal(ask(&s, 3), WM_ACTION_OFFER);
    decline(&s, 3, WM_PHASE_TRAIN, 2);
    decline(&s, 3, WM_PHASE_TRAIN, 2);
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 1);
    for (uint32_t k = 0; k < CLIENTS; k++) {
        s.stuck = true;
        if (k != 3)
            update(&s, k, 2);
    }
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_COMMIT);
    decline(&s, 4, WM_PHASE_TRAIN, 2); /* too late to change what is being written */
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 1);
    wm_engine_free(s.engine);

    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (!wm_engine_cohort(s.engine)->seats[k].drawn)
            decline(&s, k, WM_PHASE_TRAIN, 1);
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 0);
    wm_engine_free(s.engine);
}

/* ---- who goes away ---- */

static void who_is_away_is_not_waited_for_once_the_quorum_is_met(void **state)
{
    scene s;

    (void)state;
    begin(&s); /* all of five, three are enough */
    start(&s);
    leave(&s, 1);
    leave(&s, 1);
    assert_waits_for(&s, "centre, east (away), north, south, west");
    for (uint32_t k = 2; k < CLIENTS; k++)
        update(&s, k, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0); /* centre is there and has not answered */
    leave(&s, 0);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_waits_for(&s, "centre (away), east (away), north, south, west"); /* they stay away */
    wm_engine_free(s.engine);
}

static void below_the_quorum_who_is_away_is_waited_for_and_its_answer_counts(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    for (uint32_t k = 1; k < CLIENTS; k++)
        leave(&s, k);
    update(&s, 0, 1);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_waits_for(&s, "east (away), north (away), south (away), west (away)");
    assert_int_equal(ask(&s, 1), WM_ACTION_OFFER);
    assert_waits_for(&s, "east, north (away), south (away), west (away)");
    assert_int_equal(update(&s, 2, 1), WM_ACTION_FOLD); /* without a question before */
    assert_int_equal(update(&s, 1, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void an_evaluation_that_all_have_left_is_waited_for(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    all_update(&s, 1);
    for (uint32_t k = 0; k < CLIENTS; k++)
        leave(&s, k);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    report(&s, 3, WM_PHASE_EVALUATE, 1, 0.5); /* it is back; nobody else is */
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    assert_true(s.durable.best_loss == 0.5);
    wm_engine_free(s.engine);
}

static uint32_t next_drawn(const scene *s, uint32_t from)
{
    const wm_cohort *cohort = wm_engine_cohort(s->engine);

    while (from < CLIENTS && !cohort->seats[from].drawn)
        from++;
    return from;
}

static void a_place_is_given_to_another_at_once_and_the_first_may_still_answer(void **state)
{
    scene    s;
    uint32_t first, second, third = 0;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    first = next_drawn(&s, 0);
    second = next_drawn(&s, first + 1);
    leave(&s, first);
    assert_int_equal(drawn(&s), 3);
    while (third == first || third == second || !wm_engine_cohort(s.engine)->seats[third].drawn)
        third++;
    leave(&s, third); /* the substitute has a place like everybody, and it is given away as well */
    assert_int_equal(drawn(&s), 4);
    assert_int_equal(update(&s, second, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, first, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    assert_int_equal(drawn(&s), 5); /* every one is asked for the evaluation */
    wm_engine_free(s.engine);
}

static void where_nobody_is_left_to_be_drawn_the_next_who_comes_is(void **state)
{
    scene    s;
    uint32_t first, other = 0;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    first = next_drawn(&s, 0);
    for (uint32_t k = 0; k < CLIENTS; k++)
        if (!wm_engine_cohort(s.engine)->seats[k].drawn) {
            leave(&s, k);
            other = k;
        }
    leave(&s, first);
    assert_int_equal(drawn(&s), 2);
    assert_int_equal(ask(&s, other), WM_ACTION_WAIT); /* who asks is told what was so before it was drawn */
    assert_int_equal(drawn(&s), 3);
    assert_string_equal(s.done, "od");
    assert_int_equal(ask(&s, other), WM_ACTION_OFFER);
    wm_engine_free(s.engine);
}

static void who_was_drawn_in_anothers_place_is_so_after_a_restart_as_well(void **state)
{
    scene    s;
    uint32_t first, second, third = 0;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    first = next_drawn(&s, 0);
    second = next_drawn(&s, first + 1);
    leave(&s, first);
    assert_int_equal(s.n_drawn, 1);
    third = s.drawn[0].client;
    assert_int_equal(s.drawn[0].place_of, first);
    wm_engine_free(s.engine);
    s.engine = NULL;

    s.now_ms = 5;
    start(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    assert_int_equal(drawn(&s), 3);
    assert_true(wm_engine_cohort(s.engine)->seats[third].drawn);
    leave(&s, first); /* as it was: its place is given away already */
    assert_int_equal(drawn(&s), 3);
    assert_string_equal(s.done, "od");
    assert_int_equal(update(&s, third, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, second, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

/* Two of five are drawn, the first leaves, and that another is drawn in its place cannot be stored. */
static void while_a_substitution_waits_for_the_disk_the_phase_goes_on(void **state)
{
    scene    s;
    uint32_t first, second, third;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    first = next_drawn(&s, 0);
    second = next_drawn(&s, first + 1);
    s.stuck = true;
    leave(&s, first);
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_SUBSTITUTE);
    assert_int_equal(drawn(&s), 2);
    assert_false(wm_engine_is_closing(s.engine));
    assert_int_equal(ask(&s, second), WM_ACTION_OFFER);
    decline(&s, second, WM_PHASE_TRAIN, 1);
    assert_int_equal(wm_engine_cohort(s.engine)->declined, 1);
    assert_int_equal(update(&s, first, 1), WM_ACTION_FOLD);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0); /* nothing else can be written either */
    s.stuck = false;
    tick(&s); /* the driver has room again */
    assert_int_equal(wm_engine_pending(s.engine), WM_ACTION_NONE);
    assert_int_equal(drawn(&s), 3);
    third = s.drawn[0].client;
    assert_int_equal(update(&s, third, 1), WM_ACTION_FOLD);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void what_was_reached_while_a_substitution_waited_closes_the_phase_after_it(void **state)
{
    scene    s;
    uint32_t first, second, third = 0;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    s.job.cohort.over = 1.5; /* three are drawn, two are wanted */
    start(&s);
    first = next_drawn(&s, 0);
    second = next_drawn(&s, first + 1);
    third = next_drawn(&s, second + 1);
    s.stuck = true;
    leave(&s, first);
    assert_int_equal(update(&s, second, 1), WM_ACTION_FOLD);
    assert_int_equal(update(&s, third, 1), WM_ACTION_FOLD);
    assert_true(wm_engine_is_closing(s.engine));
    assert_int_equal(update(&s, first, 1), WM_ACTION_LATE); /* never more than the goal */
    assert_int_equal(ask(&s, first), WM_ACTION_WAIT);
    leave(&s, first);
    s.stuck = false;
    tick(&s);
    assert_string_equal(s.done, "odc");
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_engine_free(s.engine);
}

static void a_stop_waits_for_a_substitution_that_was_begun(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    s.stuck = true;
    leave(&s, next_drawn(&s, 0));
    send(&s, (wm_event){ .kind = WM_EVENT_STOP, .reason = "enough" });
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    s.stuck = false;
    tick(&s);
    assert_string_equal(s.done, "odx");
    assert_int_equal(s.durable.outcome, WM_OUTCOME_STOPPED);
    wm_engine_free(s.engine);
}

static void another_attempt_and_another_round_know_who_is_away(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    start(&s);
    refuse(&s, 4);
    for (uint32_t k = 2; k < CLIENTS; k++)
        leave(&s, k);
    update(&s, 0, 1);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1);
    assert_waits_for(&s, "east, north (away), south (away), west (away)");
    update(&s, 1, 1);
    update(&s, 4, 1);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    for (uint32_t k = 0; k < 2; k++)
        report(&s, k, WM_PHASE_EVALUATE, 1, 1);
    report(&s, 4, WM_PHASE_EVALUATE, 1, 1);
    assert_at(&s, WM_PHASE_TRAIN, 2, 0);
    assert_waits_for(&s, "centre, east, north (away), south (away), west");
    wm_engine_free(s.engine);
}

static void while_the_disk_is_full_nobody_is_drawn_in_anothers_place(void **state)
{
    scene  s;
    size_t before;

    (void)state;
    begin(&s);
    s.job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
    start(&s);
    s.stuck = true;
    update(&s, next_drawn(&s, 0), 1);
    update(&s, next_drawn(&s, next_drawn(&s, 0) + 1), 1);
    before = drawn(&s);
    for (uint32_t k = 0; k < CLIENTS; k++)
        leave(&s, k);
    assert_int_equal(drawn(&s), before);
    assert_at(&s, WM_PHASE_TRAIN, 1, 0);
    wm_engine_free(s.engine);
}

static void a_deadline_beyond_all_time_is_none(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.job.cohort.deadline_ms = INT64_MAX / 2;
    s.job.evaluate.baselines = WM_BASELINE_ALONE;
    s.job.rounds = 1;
    start(&s);
    all_update(&s, 1);
    all_report(&s, WM_PHASE_EVALUATE, 1, 1);
    assert_at(&s, WM_PHASE_FINAL, 1, 0);
    assert_true(wm_engine_left_ms(s.engine, s.now_ms) == INT64_MAX);
    wm_engine_free(s.engine);
}

static void every_phase_and_round_is_before_now_or_after(void **state)
{
    static const struct {
        wm_phase phase;
        uint32_t round;
        int      at_start, in_round_1, at_the_end; /* the sign of wm_engine_order */
    } cases[] = {
        { WM_PHASE_NONE, 0, 1, 1, 1 },   { WM_PHASE_STATISTICS, 0, 0, -1, -1 }, { WM_PHASE_STATISTICS, 1, 1, 1, 1 },
        { WM_PHASE_TRAIN, 0, 1, 1, 1 },  { WM_PHASE_TRAIN, 1, 1, 0, -1 },       { WM_PHASE_EVALUATE, 1, 1, 1, -1 },
        { WM_PHASE_TRAIN, 2, 1, 1, -1 }, { WM_PHASE_EVALUATE, 2, 1, 1, -1 },    { WM_PHASE_TRAIN, 3, 1, 1, 1 },
        { WM_PHASE_FINAL, 2, 1, 1, -1 }, { (wm_phase)77, 1, 1, 1, 1 },
    };
    scene s;

    (void)state;
    begin(&s);
    s.statistics = true;
    start(&s);
    for (int when = 0; when < 3; when++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            int order = wm_engine_order(s.engine, cases[i].phase, cases[i].round);
            int want = when == 0 ? cases[i].at_start : when == 1 ? cases[i].in_round_1 : cases[i].at_the_end;

            if ((order > 0) - (order < 0) != want)
                fail_msg("%s of round %u: %d", wm_phase_name(cases[i].phase), cases[i].round, order);
        }
        if (when == 0)
            all_update(&s, 0);
        for (uint32_t round = 1; when == 1 && round <= 2; round++) {
            all_update(&s, round);
            all_report(&s, WM_PHASE_EVALUATE, round, 1);
        }
        if (when == 1)
            all_report(&s, WM_PHASE_FINAL, 2, 1);
    }
    wm_engine_free(s.engine);
}

static void a_round_needs_one_answer_however_low_its_quorum(void **state)
{
    wm_text text = WM_TEXT_INIT;
    scene   s;

    (void)state;
    begin(&s);
    s.job.cohort.quorum = 1e-12;
    start(&s);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_TRAIN, 1, 1); /* nobody has answered: another attempt, not an empty round */
    wm_cohort_waiting_for(wm_engine_cohort(s.engine), names, 0, &text);
    assert_string_equal(wm_text_chars(&text), "5 more");
    update(&s, 0, 1);
    pass(&s, DEADLINE);
    tick(&s);
    assert_at(&s, WM_PHASE_EVALUATE, 1, 0);
    wm_text_release(&text);
    wm_engine_free(s.engine);
}

static void statistics_are_of_no_round_and_before_nothing_was_opened_they_are_to_come(void **state)
{
    scene s;

    (void)state;
    begin(&s);
    s.statistics = s.stuck = true;
    start(&s);
    assert_int_equal(s.durable.phase, WM_PHASE_NONE);
    assert_true(wm_engine_order(s.engine, WM_PHASE_STATISTICS, 0) > 0);
    wm_engine_free(s.engine);
    begin(&s);
    start(&s);
    assert_true(wm_engine_order(s.engine, WM_PHASE_STATISTICS, 1) > 0);
    assert_true(wm_engine_order(s.engine, WM_PHASE_STATISTICS, 0) < 0);
    wm_engine_free(s.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_run_goes_through_all_phases),
        cmocka_unit_test(a_round_closes_at_its_goal_and_the_rest_is_late),
        cmocka_unit_test(at_the_deadline_the_quorum_is_enough),
        cmocka_unit_test(when_nobody_is_left_the_quorum_closes_at_once),
        cmocka_unit_test(the_last_answer_closes_the_phase_whatever_it_is_refused_for),
        cmocka_unit_test(below_the_quorum_another_attempt_keeps_what_was_accepted),
        cmocka_unit_test(another_attempt_draws_more_clients),
        cmocka_unit_test(too_many_attempts_fail_and_name_who_was_waited_for),
        cmocka_unit_test(repeats_count_once_and_contradictions_are_refused),
        cmocka_unit_test(what_belongs_elsewhere_is_named),
        cmocka_unit_test(an_evaluation_needs_one_answer),
        cmocka_unit_test(the_last_evaluation_has_time_for_the_baselines),
        cmocka_unit_test(patience_ends_a_run_that_does_not_get_better),
        cmocka_unit_test(the_operator_stops_it_but_what_was_begun_is_finished),
        cmocka_unit_test(what_can_never_be_performed_fails_the_run),
        cmocka_unit_test(after_a_restart_the_round_has_its_cohort_and_what_was_left_of_its_time),
        cmocka_unit_test(without_deadlines_a_simulation_neither_waits_nor_loops),
        cmocka_unit_test(statistics_without_a_quorum_fail_the_run),
        cmocka_unit_test(a_refusal_or_a_decline_about_something_else_changes_no_seat),
        cmocka_unit_test(a_deadline_beyond_all_time_is_none),
        cmocka_unit_test(who_is_away_is_not_waited_for_once_the_quorum_is_met),
        cmocka_unit_test(below_the_quorum_who_is_away_is_waited_for_and_its_answer_counts),
        cmocka_unit_test(an_evaluation_that_all_have_left_is_waited_for),
        cmocka_unit_test(a_place_is_given_to_another_at_once_and_the_first_may_still_answer),
        cmocka_unit_test(where_nobody_is_left_to_be_drawn_the_next_who_comes_is),
        cmocka_unit_test(who_was_drawn_in_anothers_place_is_so_after_a_restart_as_well),
        cmocka_unit_test(while_a_substitution_waits_for_the_disk_the_phase_goes_on),
        cmocka_unit_test(what_was_reached_while_a_substitution_waited_closes_the_phase_after_it),
        cmocka_unit_test(a_stop_waits_for_a_substitution_that_was_begun),
        cmocka_unit_test(another_attempt_and_another_round_know_who_is_away),
        cmocka_unit_test(while_the_disk_is_full_nobody_is_drawn_in_anothers_place),
        cmocka_unit_test(every_phase_and_round_is_before_now_or_after),
        cmocka_unit_test(a_round_needs_one_answer_however_low_its_quorum),
        cmocka_unit_test(statistics_are_of_no_round_and_before_nothing_was_opened_they_are_to_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
