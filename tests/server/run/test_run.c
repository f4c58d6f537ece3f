/* tests/server/run/test_run.c
 *
 * A run from its start to its end, over full disks, damaged models, the death of the server, and threads. */
#include "tests/server/run/begun.h"

#include "common/job/scaling.h"
#include "common/strategies/strategy.h"
#include "server/selection/selection.h"

#include <pthread.h>

static void an_undisturbed_run_ends_and_can_be_checked(void **state)
{
    world           w;
    wm_run_progress progress;

    (void)state;
    begin(&w);
    assert_int_equal(w.standing.phase, WM_PHASE_STATISTICS);
    world_play(&w);
    assert_int_equal(w.standing.outcome, WM_OUTCOME_DONE);
    assert_int_equal(w.n_rounds, 3);
    assert_false(wm_digest_is_zero(&w.standing.scaling));
    assert_true(w.has_final && w.final_together.present);
    assert_int_equal(w.rounds_told, 3);
    assert_int_equal(w.closed_told, 1);
    assert_true(w.rounds[0].evaluated && w.rounds[0].evaluation.present);
    assert_int_equal(w.transactions, 1 + 1 + 1 + 3 * 2 + 1); /* start, open, scaled, commit and evaluated, close */
    world_check_history(&w);
    wm_run_progress_get(w.run, &progress);
    assert_int_equal(progress.standing.phase, WM_PHASE_CLOSED);
    assert_true(progress.train_loss > 0 && progress.train_loss < 1);
    assert_int_equal(wm_run_tick(w.run), -1);
    world_release(&w);
}

static void statistics_are_committed_with_the_scaling(void **state)
{
    wm_update_key key = { .kind = WM_TASK_STATISTICS };
    world         w;

    (void)state;
    begin(&w);
    memcpy(key.run, w.record.id, WM_RUN_ID_SIZE);
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_WANTED);
    submit_good(&w, 0);
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_ACCEPTED);
    wm_run_decline(w.run, w.names[1], WM_PHASE_STATISTICS, 0, "too few rows");
    for (size_t k = 2; k < N; k++)
        submit_good(&w, k);
    assert_int_equal(w.standing.phase, WM_PHASE_TRAIN);
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_COMMITTED);
    assert_int_equal(wm_run_fate(w.run, w.names[1], &key), WM_FATE_OVER);
    world_release(&w);
}

static void a_full_disk_loses_nothing_and_is_tried_again(void **state)
{
    world    w, calm;
    wm_task  task;
    int64_t  come_back_ms, next_ms;
    unsigned transactions;

    (void)state;
    begin(&w);
    through_statistics(&w);
    w.full = true;
    transactions = w.transactions;
    for (size_t k = 0; k < N; k++)
        submit_good(&w, k);
    assert_int_equal(w.transactions, transactions);
    assert_int_equal(wm_run_ask(w.run, w.names[0], &task, &come_back_ms), WM_ANSWER_NOTHING);
    next_ms = wm_run_tick(w.run);
    assert_in_range(next_ms, 1, 1000);
    for (int tries = 0; tries < 10; tries++) {
        w.time.mono_ms += next_ms;
        next_ms = wm_run_tick(w.run);
        assert_in_range(next_ms, 1, 60000);
    }
    assert_int_equal(next_ms, 60000); /* the pauses have grown */
    w.full = false;
    w.time.mono_ms += next_ms;
    wm_run_tick(w.run);
    assert_int_equal(w.n_rounds, 1);
    world_play(&w);
    world_check_history(&w);

    begin(&calm);
    world_play(&calm);
    assert_true(wm_digest_equal(&w.standing.model, &calm.standing.model));
    world_release(&calm);
    world_release(&w);
}

static void what_cannot_run_is_refused_before_it_starts(void **state)
{
    world    w;
    wm_error err;

    (void)state;
    world_init(&w, job_text, N, 1);
    w.job.cohort.bound = 1e9;
    assert_int_equal(world_open(&w, &err), WM_E_RANGE);
    assert_non_null(strstr(err.text, "the exact sum of \"delta\" keeps 10 bits, and 24 are needed: 4 clients"));
    w.job.cohort.bound = 16;
    w.job.cohort.minimum = 5;
    assert_int_equal(world_open(&w, &err), WM_E_INVALID);
    assert_non_null(strstr(err.text, "job test needs at least 5 clients, and there are 4"));
    w.job.cohort.minimum = 1;
    w.full = true;
    assert_int_equal(world_open(&w, &err), WM_E_FULL);
    assert_false(w.started);
    world_release(&w);
}

static void a_model_that_is_missing_or_damaged_is_computed_again_or_named(void **state)
{
    world     w;
    wm_digest name;
    wm_error  err;

    (void)state;
    begin(&w);
    name = w.standing.model;
    for (int gone = 0; gone < 2; gone++) {
        world_kill(&w);
        assert_int_equal(w.n_disk, 1);
        if (gone)
            assert_ok(w.files.remove(&w.files, w.disk[0].path, &err), &err);
        else
            w.disk[0].bytes[3] ^= 1;
        assert_ok(world_open(&w, &err), &err);
        free(world_params(&w, &name)); /* it is there again */
    }
    world_kill(&w);
    w.disk[0].bytes[3] ^= 1;
    w.record.seed++; /* what it follows from is lost, too */
    assert_int_equal(world_open(&w, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, "back from a backup"));
    world_release(&w);
}

static void statistics_without_spread_fail_the_run_by_name(void **state)
{
    world w;

    (void)state;
    begin(&w);
    for (size_t k = 0; k < N; k++) {
        wm_task        task = task_of(&w, k);
        wm_update_spec spec;
        wm_update      update;
        wm_update_key  key = { .kind = WM_TASK_STATISTICS };

        assert_int_equal(task.phase, WM_PHASE_STATISTICS);
        memcpy(key.run, w.record.id, sizeof key.run);
        wm_statistics_spec(&w.job, &spec);
        assert_ok(wm_update_new(&spec, &key, &update, NULL), NULL);
        ((int64_t *)update.values[WM_STATISTICS_COUNT])[0] = 100;
        update.weight = 100;
        wm_update_seal(&update, &spec);
        assert_int_equal(submit(&w, k, update.bytes, update.n_bytes, NULL), WM_VERDICT_ACCEPTED);
    }
    assert_int_equal(w.standing.outcome, WM_OUTCOME_FAILED);
    assert_string_equal(w.standing.why,
                        "statistics: column level is the same everywhere (about 50): leave it out, or "
                        "set its scale to none");
    world_release(&w);
}

static void the_operator_stops_a_run(void **state)
{
    world    w;
    wm_error err;

    (void)state;
    begin(&w);
    through_statistics(&w);
    assert_ok(wm_run_stop(w.run, "the office is moving", &err), &err);
    assert_int_equal(w.standing.outcome, WM_OUTCOME_STOPPED);
    assert_string_equal(w.standing.why, "the office is moving");
    assert_int_equal(wm_run_stop(w.run, "again", &err), WM_E_EXISTS);
    assert_int_equal(w.closed_told, 1);
    world_release(&w);
}

/* Two of four are drawn; one is away, and another has trained in its place when the server dies. */
static void whoever_was_drawn_in_anothers_place_counts_after_the_servers_death(void **state)
{
    static const double share = 0.5;
    world               w;
    uint32_t            away = N, other = N;
    wm_update_key       key;
    uint8_t            *bytes;
    size_t              n;
    wm_task             task;
    wm_error            err;
    int64_t             come_back_ms;

    (void)state;
    world_init(&w, job_text, N, 1);
    w.job.cohort.select = (wm_choice){ .member = wm_family_find(&wm_selections, "uniform"), .options = &share };
    w.job.cohort.quorum = 1;
    assert_ok(world_open(&w, &err), &err);
    through_statistics(&w);
    for (uint32_t k = 0; k < N; k++)
        if (wm_run_ask(w.run, w.names[k], &task, &come_back_ms) == WM_ANSWER_TASK)
            away = k;
    w.full = true;
    wm_run_away(w.run, w.names[away]);
    assert_int_equal(w.n_drawn_later, 0);
    for (uint32_t k = 0; k < N; k++) /* nobody is asked before it is in the ledger */
        if (k != away && wm_run_ask(w.run, w.names[k], &task, &come_back_ms) == WM_ANSWER_TASK) {
            assert_int_equal(other, N);
            other = k;
        }
    w.full = false;
    w.time.mono_ms += 60000;
    wm_run_tick(w.run);
    assert_int_equal(w.n_drawn_later, 1);
    assert_int_equal(w.drawn_later[0].drawn.place_of, away);
    task = task_of(&w, w.drawn_later[0].drawn.client);
    bytes = world_update(&w, w.drawn_later[0].drawn.client, &task, &n);
    assert_true(wm_update_peek(bytes, n, &key));

    world_kill(&w);
    assert_ok(world_open(&w, &err), &err);
    assert_int_equal(wm_run_fate(w.run, w.names[w.drawn_later[0].drawn.client], &key), WM_FATE_WANTED);
    assert_int_equal(submit(&w, w.drawn_later[0].drawn.client, bytes, n, NULL), WM_VERDICT_ACCEPTED);
    assert_int_equal(submit_good(&w, other), WM_VERDICT_ACCEPTED);
    assert_int_equal(w.standing.phase, WM_PHASE_EVALUATE);
    w.away_told = 1;
    world_check_history(&w);
    world_release(&w);
}

/* A worker serves every fourth client, or all of them, so that the same update comes from several threads at once. */
typedef struct worker {
    world *w;
    size_t first, stride;
} worker;

static void *work(void *context)
{
    const worker *self = context;
    world        *w = self->w;
    bool          over = false;

    while (!over)
        for (size_t k = self->first; k < w->record.n_population; k += self->stride) {
            wm_evaluation results[WM_CONTENDERS];
            wm_task       task;
            int64_t       come_back_ms;
            wm_answer     answer = wm_run_ask(w->run, w->names[k], &task, &come_back_ms);
            float         params[64] = { 0 };
            size_t        n;

            over = answer == WM_ANSWER_OVER;
            if (answer != WM_ANSWER_TASK)
                continue;
            if (task.phase == WM_PHASE_EVALUATE || task.phase == WM_PHASE_FINAL) {
                unsigned present = world_report(w, k, task.phase, task.round, results);

                wm_run_report(w->run, w->names[k], task.phase, task.round, present, results, NULL);
            } else if (task.phase == WM_PHASE_STATISTICS || wm_run_params(w->run, &task.model, params)) {
                wm_task_kind kind = task.phase == WM_PHASE_TRAIN ? WM_TASK_TRAIN : WM_TASK_STATISTICS;
                uint8_t     *bytes = world_update_from(w, k, kind, task.round, &task.model, params, &n);

                wm_run_submit(w->run, w->names[k], bytes, n, 0.5, NULL);
            }
            wm_run_count_bytes(w->run, 1, 1);
            wm_run_tick(w->run);
        }
    return NULL;
}

static void one_worker_or_many_give_the_same_bits(void **state)
{
    static const struct {
        size_t workers, stride;
    } crews[] = { { 1, 1 }, { 4, 4 }, { 4, 1 } };
    wm_digest first = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof crews / sizeof *crews; i++) {
        world     w;
        pthread_t threads[4];
        worker    workers[4];
        wm_error  err;

        world_init(&w, job_text, 12, 3);
        w.job.rounds = 20;
        w.job.cohort.quorum = 1;
        assert_true(wm_model_n_params(w.model) <= 64);
        assert_ok(world_open(&w, &err), &err);
        for (size_t t = 0; t < crews[i].workers; t++) {
            workers[t] = (worker){ &w, crews[i].stride == 1 ? 0 : t, crews[i].stride };
            assert_int_equal(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
        }
        for (size_t t = 0; t < crews[i].workers; t++)
            pthread_join(threads[t], NULL);
        assert_int_equal(w.standing.outcome, WM_OUTCOME_DONE);
        assert_int_equal(w.rounds_told, 20);
        assert_int_equal(w.closed_told, 1);
        world_check_history(&w);
        if (i == 0)
            first = w.standing.model;
        assert_true(wm_digest_equal(&first, &w.standing.model));
        world_release(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_undisturbed_run_ends_and_can_be_checked),
        cmocka_unit_test(statistics_are_committed_with_the_scaling),
        cmocka_unit_test(a_full_disk_loses_nothing_and_is_tried_again),
        cmocka_unit_test(what_cannot_run_is_refused_before_it_starts),
        cmocka_unit_test(a_model_that_is_missing_or_damaged_is_computed_again_or_named),
        cmocka_unit_test(statistics_without_spread_fail_the_run_by_name),
        cmocka_unit_test(the_operator_stops_a_run),
        cmocka_unit_test(whoever_was_drawn_in_anothers_place_counts_after_the_servers_death),
        cmocka_unit_test(one_worker_or_many_give_the_same_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
