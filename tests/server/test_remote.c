/* What gateways ask and what they are told: the remote fleet with a real run and a real store, and no socket. */
#include "tests/unit.h"

#include "common/files.h"
#include "common/strategies/strategy.h"
#include "server/admission.h"
#include "server/fleets/remote.h"

static const char job_text[] = "job: test\n"
                               "data:\n"
                               "  columns:\n"
                               "    level: {range: [0, 100]}\n"
                               "  inputs:\n"
                               "    past: {window: {columns: [level], length: 3}}\n"
                               "  targets:\n"
                               "    next: {column: level, ahead: 1h, missing: skip}\n"
                               "  time: {column: t}\n"
                               "  scale: none\n"
                               "  split: {time: [0.7, 0.1, 0.2]}\n"
                               "model: {layers: [flatten, {dense: 20}, relu, {dense: 1}], loss: mse}\n"
                               "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 2}\n"
                               "rounds: 2\n"
                               "cohort: {select: all, quorum: 0.5, deadline: 60s, attempts: 2}\n"
                               "strategy: fedavg\n"
                               "evaluate: {every: 1, metrics: [mae]}\n"
                               "seed: 1\n";

static char *population[] = { "east", "north", "south" };

enum { N = 3, HOLD = -1 };

typedef struct scene {
    wm_manual_clock clock;
    char            folder[4096];
    wm_store       *store;
    wm_roster      *roster;
    wm_remote      *remote;
    wm_run_record   record;
    wm_admitted     admitted;
    wm_run         *run;
    wm_update_spec  spec;
    unsigned        woken;
    int64_t         certificate_ms; /* for which the peer's is still good */

    /* the last exchange */
    wm_inquiry x;
    wm_peer    peer;
} scene;

static void woken(void *context, bool only_submits)
{
    (void)only_submits;
    ((scene *)context)->woken++;
}

static void run_changed(void *context)
{
    scene *s = context;

    wm_remote_fleet(s->remote)->ops->wake(wm_remote_fleet(s->remote));
}

static void begin_run(scene *s)
{
    wm_fleet *fleet = wm_remote_fleet(s->remote);
    wm_faults faults;
    wm_error  err;

    memset(s->record.id, 7, sizeof s->record.id);
    s->record.job_name = "test";
    s->record.job_text = job_text;
    s->record.seed = 1;
    s->record.population = population;
    s->record.n_population = N;
    wm_faults_init(&faults, "test.yaml");
    assert_ok(wm_admit("test.yaml", job_text, strlen(job_text), &(wm_admission_limits){ .n_clients = N }, &faults,
                       &s->admitted, &err),
              &err);
    wm_faults_release(&faults);
    wm_strategy_spec(s->admitted.job, wm_model_n_params(s->admitted.model), &s->spec);
    assert_ok(wm_run_open(&(wm_run_settings){ .job = s->admitted.job,
                                              .model = s->admitted.model,
                                              .record = &s->record,
                                              .ledger = wm_store_ledger(s->store),
                                              .blobs = wm_store_blobs(s->store),
                                              .clock = wm_clock_manual(&s->clock),
                                              .observer = { .changed = run_changed, .context = s } },
                          &s->run, &err),
              &err);
    wm_remote_prepare(s->remote, &s->record, s->admitted.job, s->admitted.model);
    assert_ok(fleet->ops->serve(fleet, s->run, &err), &err);
}

static int open_scene(void **state)
{
    scene   *s = calloc(1, sizeof *s);
    wm_error err;

    assert_non_null(s);
    s->certificate_ms = 1000000;
    s->clock = (wm_manual_clock){ .mono_ms = 1000, .wall_ms = 1700000000000 };
    wm_test_folder(s->folder);
    assert_ok(wm_store_open(wm_files_system(), s->folder, wm_clock_manual(&s->clock), &s->store, &err), &err);
    assert_ok(wm_roster_new(wm_clock_manual(&s->clock), &s->roster, &err), &err);
    for (size_t i = 0; i < N; i++)
        assert_ok(wm_roster_enrolled(s->roster, population[i], "0a", s->clock.wall_ms + 1000000, &err), &err);
    assert_ok(wm_remote_new(&(wm_remote_settings){ .store = s->store,
                                                   .roster = s->roster,
                                                   .staging = { .places = 2,
                                                                .memory = 1 << 20,
                                                                .room = 1 << 20,
                                                                .stall_ms = 1000,
                                                                .turn_ms = 5000,
                                                                .folder = s->folder },
                                                   .clock = wm_clock_manual(&s->clock),
                                                   .renew_ms = 500000,
                                                   .woken = woken,
                                                   .context = s },
                            &s->remote, &err),
              &err);
    begin_run(s);
    *state = s;
    return 0;
}

static int close_scene(void **state)
{
    scene    *s = *state;
    wm_fleet *fleet = wm_remote_fleet(s->remote);

    wm_inquiry_release(&s->x);
    fleet->ops->leave(fleet);
    wm_run_free(s->run);
    wm_admitted_release(&s->admitted);
    wm_remote_free(s->remote);
    wm_roster_free(s->roster);
    wm_store_close(s->store);
    assert_int_equal(wm_folder_remove(s->folder, NULL), WM_OK);
    free(s);
    return 0;
}

/* ---- asking ---- */

static Wm__Envelope *say(scene *s, const char *client, const Wm__Envelope *question, bool bulk, bool last)
{
    int64_t hold_ms;

    wm_inquiry_release(&s->x);
    memset(&s->peer, 0, sizeof s->peer);
    snprintf(s->peer.name, sizeof s->peer.name, "%s", client);
    s->peer.not_after_ms = s->clock.wall_ms + s->certificate_ms;
    wm_inquiry_init(&s->x, &s->peer, question, last ? 25000 : 0, last);
    hold_ms = bulk ? wm_remote_bulk(s->remote, &s->x) : wm_remote_control(s->remote, &s->x);
    if (last)
        assert_int_equal(hold_ms, 0);
    return hold_ms == 0 ? &s->x.answer : NULL;
}

static Wm__Key key_of(scene *s, uint32_t phase, uint32_t round, wm_digest *model)
{
    Wm__Key key = WM__KEY__INIT;

    key.run = wm_bytes_field(s->record.id, WM_RUN_ID_SIZE);
    key.phase = phase;
    key.round = round;
    key.model = wm_bytes_field(model->bytes, WM_DIGEST_SIZE);
    return key;
}

static Wm__Work *ask(scene *s, const char *client, Wm__Key *busy, Wm__Key *held, uint64_t wait_ms, bool last)
{
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Ask      body = WM__ASK__INIT;

    body.wait_ms = wait_ms;
    body.busy_with = busy;
    body.held = held;
    question.body_case = WM__ENVELOPE__BODY_ASK;
    question.ask = &body;
    answer = say(s, client, &question, false, last);
    if (answer == NULL)
        return NULL;
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_WORK);
    return answer->work;
}

/* The task that is open for this client. */
static wm_task task_of(scene *s, const char *client)
{
    wm_task   task = { 0 };
    Wm__Work *work = ask(s, client, NULL, NULL, 0, false);

    assert_int_equal(work->kind, WM__WORK__KIND__TASK);
    task.phase = (wm_phase)work->key->phase;
    task.round = work->key->round;
    memcpy(task.model.bytes, work->key->model.data, WM_DIGEST_SIZE);
    return task;
}

static Wm__Receipt *receipt(Wm__Envelope *answer)
{
    if (answer == NULL)
        return NULL;
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_RECEIPT);
    return answer->receipt;
}

typedef struct made {
    wm_update update;
    wm_digest digest;
    wm_task   task;
} made;

static made make_update(scene *s, const char *client, float value)
{
    made          m = { .task = task_of(s, client) };
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = m.task.round, .model = m.task.model };
    wm_error      err;

    memcpy(key.run, s->record.id, WM_RUN_ID_SIZE);
    assert_ok(wm_update_new(&s->spec, &key, &m.update, &err), &err);
    ((float *)m.update.values[0])[0] = value;
    m.update.weight = 10;
    wm_update_seal(&m.update, &s->spec);
    m.digest = wm_sha256_of(m.update.bytes, m.update.n_bytes);
    return m;
}

static Wm__Receipt *submit(scene *s, const char *client, made *m, uint64_t size, bool last)
{
    Wm__Envelope question = wm_envelope();
    Wm__Submit   body = WM__SUBMIT__INIT;
    Wm__Key      key = key_of(s, m->task.phase, m->task.round, &m->task.model);

    body.key = &key;
    body.digest = wm_bytes_field(m->digest.bytes, WM_DIGEST_SIZE);
    body.size = size;
    body.loss = 0.25;
    question.body_case = WM__ENVELOPE__BODY_SUBMIT;
    question.submit = &body;
    return receipt(say(s, client, &question, false, last));
}

static Wm__Receipt *put(scene *s, const char *client, made *m, uint64_t offset, size_t n)
{
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Put      body = WM__PUT__INIT;

    body.digest = wm_bytes_field(m->digest.bytes, WM_DIGEST_SIZE);
    body.offset = offset;
    body.bytes = wm_bytes_field(m->update.bytes + (offset < m->update.n_bytes ? offset : 0), n);
    question.body_case = WM__ENVELOPE__BODY_PUT;
    question.put = &body;
    answer = say(s, client, &question, true, true);
    return receipt(answer);
}

static Wm__Receipt *hand_in(scene *s, const char *client, made *m)
{
    assert_int_equal(submit(s, client, m, m->update.n_bytes, false)->state, WM__RECEIPT__STATE__SEND);
    return put(s, client, m, 0, m->update.n_bytes);
}

static Wm__Envelope *fetch(scene *s, const char *client, const wm_digest *digest, uint64_t offset, uint32_t length)
{
    Wm__Envelope question = wm_envelope();
    Wm__Fetch    body = WM__FETCH__INIT;

    body.digest = wm_bytes_field(digest->bytes, WM_DIGEST_SIZE);
    body.offset = offset;
    body.length = length;
    question.body_case = WM__ENVELOPE__BODY_FETCH;
    question.fetch = &body;
    return say(s, client, &question, true, true);
}

static Wm__Receipt *report(scene *s, const char *client, uint32_t phase, uint32_t round, size_t n_results,
                           uint32_t contender, size_t n_sums)
{
    static double sums[64];
    Wm__Envelope  question = wm_envelope();
    Wm__Report    body = WM__REPORT__INIT;
    Wm__Result    results[8], *list[8];
    wm_digest     none = { { 0 } };
    Wm__Key       key = key_of(s, phase, round, &none);

    for (size_t i = 0; i < n_results; i++) {
        wm__result__init(&results[i]);
        results[i].contender = contender;
        results[i].examples = 5;
        results[i].loss_sum = 1;
        results[i].count = 5;
        results[i].sums = sums;
        results[i].n_sums = n_sums;
        list[i] = &results[i];
    }
    body.key = &key;
    body.results = list;
    body.n_results = n_results;
    question.body_case = WM__ENVELOPE__BODY_REPORT;
    question.report = &body;
    return receipt(say(s, client, &question, false, true));
}

/* ---- who is served ---- */

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

/* ---- work ---- */

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

static void two_of_three_hand_in(scene *s)
{
    for (size_t k = 0; k < 2; k++) { /* east and north */
        made m = make_update(s, population[k], 0.5f);

        assert_int_equal(hand_in(s, population[k], &m)->state, WM__RECEIPT__STATE__ACCEPTED);
        wm_update_release(&m.update);
    }
}

static wm_phase phase_of(scene *s)
{
    wm_run_progress progress;

    wm_run_progress_get(s->run, &progress);
    return progress.standing.phase;
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

/* ---- transfers ---- */

static void only_the_blobs_of_ones_task_can_be_fetched(void **state)
{
    scene        *s = *state;
    wm_task       task = task_of(s, "north");
    wm_digest     job = wm_sha256_of(job_text, strlen(job_text)), foreign;
    size_t        n = 4 * (3 * 20 + 20 + 20 + 1);
    Wm__Envelope *answer;
    wm_error      err;

    answer = fetch(s, "north", &job, 4, 100000);
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_RANGE);
    assert_int_equal(answer->range->total, strlen(job_text));
    assert_int_equal(answer->range->bytes.len, strlen(job_text) - 4);
    assert_memory_equal(answer->range->bytes.data, job_text + 4, strlen(job_text) - 4);
    answer = fetch(s, "north", &task.model, 8, 100);
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_RANGE);
    assert_int_equal(answer->range->total, n);
    assert_int_equal(answer->range->bytes.len, 100);
    answer = fetch(s, "north", &task.model, n - 1, 100);
    assert_int_equal(answer->range->bytes.len, 1);

    assert_ok(wm_blobs_put(wm_store_blobs(s->store), "another's", 9, &foreign, &err), &err);
    assert_int_equal(fetch(s, "north", &foreign, 0, 9)->fault->code, WM_E_REFUSED);
    assert_int_equal(fetch(s, "north", &task.model, n, 1)->fault->code, WM_E_RANGE);
    assert_int_equal(fetch(s, "north", &task.model, UINT64_MAX, 1)->body_case, WM__ENVELOPE__BODY_FAULT);
    assert_int_equal(fetch(s, "north", &task.model, 0, 0)->fault->code, WM_E_MALFORMED);
    assert_int_equal(fetch(s, "north", &task.model, 0, WM_RANGE_BYTES_MAX + 1)->fault->code, WM_E_MALFORMED);
}

static void an_update_comes_in_by_ranges_and_counts_once(void **state)
{
    scene          *s = *state;
    made            m = make_update(s, "north", 0.5f);
    size_t          n = m.update.n_bytes;
    Wm__Receipt    *r = submit(s, "north", &m, n, false);
    wm_run_progress progress;

    assert_int_equal(r->state, WM__RECEIPT__STATE__SEND);
    assert_int_equal(r->n_gaps, 1);
    assert_int_equal(r->gaps[0]->length, n);
    r = put(s, "north", &m, 200, n - 200);
    assert_int_equal(r->state, WM__RECEIPT__STATE__SEND);
    assert_int_equal(r->n_gaps, 1);
    assert_int_equal(r->gaps[0]->offset, 0);
    assert_int_equal(r->gaps[0]->length, 200);
    r = put(s, "north", &m, 100, 200); /* overlaps */
    assert_int_equal(r->gaps[0]->length, 100);
    assert_int_equal(put(s, "north", &m, 0, 100)->state, WM__RECEIPT__STATE__ACCEPTED);
    assert_int_equal(submit(s, "north", &m, n, false)->state, WM__RECEIPT__STATE__ACCEPTED);
    assert_int_equal(put(s, "north", &m, 0, 100)->state, WM__RECEIPT__STATE__LATER);
    wm_run_progress_get(s->run, &progress);
    assert_int_equal(progress.accepted, 1);
    wm_update_release(&m.update);
}

static void what_does_not_hold_is_refused_by_name(void **state)
{
    scene          *s = *state;
    made            north = make_update(s, "north", 0.5f), south = make_update(s, "south", __builtin_nanf(""));
    made            east = make_update(s, "east", 0.5f);
    Wm__Receipt    *r;
    wm_run_progress progress;
    wm_presence     who;

    /* A wrong size, before the first byte. */
    r = submit(s, "north", &north, north.update.n_bytes + 4, false);
    assert_int_equal(r->state, WM__RECEIPT__STATE__REFUSED);
    assert_non_null(strstr(r->reason, "bytes"));
    /* NaN, when it is whole. */
    r = hand_in(s, "south", &south);
    assert_int_equal(r->state, WM__RECEIPT__STATE__REFUSED);
    assert_non_null(strstr(r->reason, "not a number"));
    /* Other bytes than announced. */
    east.digest.bytes[0] ^= 1;
    r = hand_in(s, "east", &east);
    assert_int_equal(r->state, WM__RECEIPT__STATE__REFUSED);
    assert_non_null(strstr(r->reason, "SHA-256"));
    wm_run_progress_get(s->run, &progress);
    assert_int_equal(progress.accepted, 0);
    assert_true(wm_roster_find(s->roster, "south", &who));
    assert_non_null(strstr(who.refusal, "not a number"));
    wm_update_release(&north.update);
    wm_update_release(&south.update);
    wm_update_release(&east.update);
}

static void a_range_outside_of_the_update_is_refused(void **state)
{
    scene *s = *state;
    made   m = make_update(s, "north", 0.5f);

    assert_int_equal(put(s, "north", &m, 0, 10)->state, WM__RECEIPT__STATE__LATER); /* not submitted */
    assert_int_equal(submit(s, "north", &m, m.update.n_bytes, false)->state, WM__RECEIPT__STATE__SEND);
    assert_int_equal(put(s, "north", &m, m.update.n_bytes - 1, 2)->state, WM__RECEIPT__STATE__REFUSED);
    wm_update_release(&m.update);
}

static void who_finds_no_place_is_held_and_then_sent_away_for_a_while(void **state)
{
    scene   *s = *state;
    made     m[N];
    unsigned before;

    for (size_t k = 0; k < N; k++)
        m[k] = make_update(s, population[k], 0.5f);
    assert_int_equal(submit(s, "east", &m[0], m[0].update.n_bytes, false)->state, WM__RECEIPT__STATE__SEND);
    assert_int_equal(submit(s, "north", &m[1], m[1].update.n_bytes, false)->state, WM__RECEIPT__STATE__SEND);
    assert_null(submit(s, "south", &m[2], m[2].update.n_bytes, false));
    assert_int_equal(submit(s, "south", &m[2], m[2].update.n_bytes, true)->state, WM__RECEIPT__STATE__LATER);
    assert_true(s->x.answer.receipt->come_back_ms > 0);
    before = s->woken;
    assert_int_equal(put(s, "east", &m[0], 0, m[0].update.n_bytes)->state, WM__RECEIPT__STATE__ACCEPTED);
    assert_true(s->woken > before);
    assert_int_equal(submit(s, "south", &m[2], m[2].update.n_bytes, false)->state, WM__RECEIPT__STATE__SEND);
    /* Who is silent for long loses the place. */
    s->clock.mono_ms += 1000;
    wm_remote_tick(s->remote);
    assert_int_equal(put(s, "south", &m[2], 0, 10)->state, WM__RECEIPT__STATE__LATER);
    for (size_t k = 0; k < N; k++)
        wm_update_release(&m[k].update);
}

static void see_late(void *context, const wm_round_record *round)
{
    *(uint32_t *)context = round->late;
}

static void an_update_after_its_round_is_late_and_counted_once(void **state)
{
    scene          *s = *state;
    made            m[N];
    Wm__Key         key;
    wm_ledger      *ledger = wm_store_ledger(s->store);
    uint32_t        late = 0;
    wm_run_progress progress;

    for (size_t k = 0; k < N; k++)
        m[k] = make_update(s, population[k], 0.5f);
    key = key_of(s, WM_PHASE_TRAIN, 1, &m[2].task.model);
    for (size_t k = 0; k < 2; k++)
        assert_int_equal(hand_in(s, population[k], &m[k])->state, WM__RECEIPT__STATE__ACCEPTED);
    s->clock.mono_ms += 60000;
    s->clock.wall_ms += 60000;
    wm_run_tick(s->run);
    wm_run_progress_get(s->run, &progress);
    assert_int_equal(progress.standing.phase, WM_PHASE_EVALUATE);
    assert_int_equal(submit(s, "south", &m[2], m[2].update.n_bytes, true)->state, WM__RECEIPT__STATE__OVER);
    assert_int_equal(ask(s, "south", NULL, &key, 0, true)->held, WM__WORK__FATE__OVER);
    for (size_t k = 0; k < N; k++)
        assert_int_equal(report(s, population[k], WM_PHASE_EVALUATE, 1, 1, WM_FEDERATED, 1)->state,
                         WM__RECEIPT__STATE__ACCEPTED);
    assert_int_equal(ledger->rounds(ledger, s->record.id, see_late, &late, NULL), WM_OK);
    assert_int_equal(late, 1);
    for (size_t k = 0; k < N; k++)
        wm_update_release(&m[k].update);
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
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
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
        SCENE(only_the_blobs_of_ones_task_can_be_fetched),
        SCENE(an_update_comes_in_by_ranges_and_counts_once),
        SCENE(what_does_not_hold_is_refused_by_name),
        SCENE(a_range_outside_of_the_update_is_refused),
        SCENE(who_finds_no_place_is_held_and_then_sent_away_for_a_while),
        SCENE(an_update_after_its_round_is_late_and_counted_once),
        SCENE(a_server_that_stops_offers_nothing),
    };

    return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
