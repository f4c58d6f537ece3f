/* tests/server/remote/scene.c */
#include "tests/server/remote/scene.h"

#include "common/files.h"
#include "common/strategies/strategy.h"
#include "tests/server/level.h"

const char job_text[] = LEVEL_JOB("test", "3", "none",
                                  "model: {layers: [flatten, {dense: 20}, relu, {dense: 1}], loss: mse}\n"
                                  "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 2}\n"
                                  "rounds: 2\n"
                                  "cohort: {select: all, quorum: 0.5, deadline: 60s, attempts: 2}\n"
                                  "strategy: fedavg\n"
                                  "evaluate: {every: 1, metrics: [mae]}\n"
                                  "seed: 1\n");

char *population[N] = { "east", "north", "south" };

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

int open_scene(void **state)
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

int close_scene(void **state)
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

Wm__Envelope *say(scene *s, const char *client, const Wm__Envelope *question, bool bulk, bool last)
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

Wm__Key key_of(scene *s, uint32_t phase, uint32_t round, wm_digest *model)
{
    Wm__Key key = WM__KEY__INIT;

    key.run = wm_bytes_field(s->record.id, WM_RUN_ID_SIZE);
    key.phase = phase;
    key.round = round;
    key.model = wm_bytes_field(model->bytes, WM_DIGEST_SIZE);
    return key;
}

Wm__Work *ask(scene *s, const char *client, Wm__Key *busy, Wm__Key *held, uint64_t wait_ms, bool last)
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
wm_task task_of(scene *s, const char *client)
{
    wm_task   task = { 0 };
    Wm__Work *work = ask(s, client, NULL, NULL, 0, false);

    assert_int_equal(work->kind, WM__WORK__KIND__TASK);
    task.phase = (wm_phase)work->key->phase;
    task.round = work->key->round;
    memcpy(task.model.bytes, work->key->model.data, WM_DIGEST_SIZE);
    return task;
}

Wm__Receipt *receipt(Wm__Envelope *answer)
{
    if (answer == NULL)
        return NULL;
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_RECEIPT);
    return answer->receipt;
}

made make_update(scene *s, const char *client, float value)
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

Wm__Receipt *submit(scene *s, const char *client, made *m, uint64_t size, bool last)
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

Wm__Receipt *put(scene *s, const char *client, made *m, uint64_t offset, size_t n)
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

Wm__Receipt *hand_in(scene *s, const char *client, made *m)
{
    assert_int_equal(submit(s, client, m, m->update.n_bytes, false)->state, WM__RECEIPT__STATE__SEND);
    return put(s, client, m, 0, m->update.n_bytes);
}

Wm__Envelope *fetch(scene *s, const char *client, const wm_digest *digest, uint64_t offset, uint32_t length)
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

Wm__Receipt *report(scene *s, const char *client, uint32_t phase, uint32_t round, size_t n_results,
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

void two_of_three_hand_in(scene *s)
{
    for (size_t k = 0; k < 2; k++) { /* east and north */
        made m = make_update(s, population[k], 0.5f);

        assert_int_equal(hand_in(s, population[k], &m)->state, WM__RECEIPT__STATE__ACCEPTED);
        wm_update_release(&m.update);
    }
}

wm_phase phase_of(scene *s)
{
    wm_run_progress progress;

    wm_run_progress_get(s->run, &progress);
    return progress.standing.phase;
}
