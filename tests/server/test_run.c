/* tests/server/test_run.c
 *
 * The driver with a real engine, real sums and blobs, over a ledger and a disk in memory. */
#include "tests/server/world.h"
#include "tests/unit.h"

#include "common/job/scaling.h"
#include "common/strategies/strategy.h"
#include "server/selection/selection.h"

#include <math.h>
#include <pthread.h>

static const char job_text[] = "job: test\n"
                               "data:\n"
                               "  columns:\n"
                               "    level: {range: [0, 100]}\n"
                               "  inputs:\n"
                               "    past: {window: {columns: [level], length: 3}}\n"
                               "  targets:\n"
                               "    next: {column: level, ahead: 1h, missing: skip}\n"
                               "  time: {column: t}\n"
                               "  scale: federated\n"
                               "  split: {time: [0.7, 0.1, 0.2]}\n"
                               "model: {layers: [flatten, {dense: 2}, relu, {dense: 1}], loss: mse}\n"
                               "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 2}\n"
                               "rounds: 3\n"
                               "cohort: {select: all, quorum: 0.5, deadline: 60s, attempts: 2}\n"
                               "strategy: fedavg\n"
                               "evaluate: {every: 1, metrics: [mae]}\n"
                               "seed: 1\n";

enum { N = 4 };

static void begin(world *w)
{
    wm_error err;

    world_init(w, job_text, N, 1);
    assert_ok(world_open(w, &err), &err);
}

static wm_task task_of(world *w, size_t k)
{
    wm_task task;
    int64_t come_back_ms;

    assert_int_equal(wm_run_ask(w->run, w->names[k], &task, &come_back_ms), WM_ANSWER_TASK);
    return task;
}

static wm_verdict submit(world *w, size_t k, uint8_t *bytes, size_t n, wm_error *err)
{
    return wm_run_submit(w->run, w->names[k], bytes, n, 0.5, err);
}

static wm_verdict submit_good(world *w, size_t k)
{
    wm_task  task = task_of(w, k);
    size_t   n;
    uint8_t *bytes = world_update(w, k, &task, &n);

    return submit(w, k, bytes, n, NULL);
}

static void through_statistics(world *w)
{
    for (size_t k = 0; k < N; k++)
        assert_int_equal(submit_good(w, k), WM_VERDICT_ACCEPTED);
    assert_int_equal(w->standing.phase, WM_PHASE_TRAIN);
}

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

/* The figure of an evaluation, from what world_report says: the mean of all examples. */
static void figures_are_those_of_all_examples_together(void **state)
{
    world         w;
    wm_evaluation results[WM_CONTENDERS];
    double        sum = 0, examples = 0;

    (void)state;
    begin(&w);
    world_play(&w);
    for (size_t k = 0; k < N; k++) {
        world_report(&w, k, WM_PHASE_EVALUATE, 2, results);
        sum += results[WM_FEDERATED].loss_sum;
        examples += (double)results[WM_FEDERATED].examples;
    }
    assert_true(fabs(w.rounds[1].evaluation.loss - sum / examples) < 1e-15);
    assert_true(fabs(w.rounds[1].evaluation.metrics[0] - sum / examples) < 1e-15); /* mae of the same sums */
    assert_int_equal(w.rounds[1].evaluation.examples, (uint64_t)examples);
    world_release(&w);
}

/* What client 2 of four hands in instead of an update. */
static const struct {
    const char *says;
    const char *text;
    enum {
        NOT_A_NUMBER,
        INFINITE,
        SHORT,
        LONG,
        BROADCAST,
        NO_EXAMPLES,
        NEGATIVE,
        HUGE_WEIGHT,
        OTHER_MODEL,
        OTHER_RUN,
        EARLY,
        GARBAGE,
        EMPTY
    } what;
} bad_ones[] = {
    { "a value that is not a number", "delta[0] is not a number", NOT_A_NUMBER },
    { "infinity", "delta[0] is infinite", INFINITE },
    { "an update cut short", "exactly", SHORT },
    { "an update with more at its end", "exactly", LONG },
    { "one value that would broadcast", "exactly", BROADCAST },
    { "no examples", "a weight of 0 examples", NO_EXAMPLES },
    { "-100 examples", "a weight of 18446744073709551516 examples", NEGATIVE },
    { "2^62 examples", "a weight of 4611686018427387904 examples", HUGE_WEIGHT },
    { "another round's model", "another round's model", OTHER_MODEL },
    { "another run's update", "another run's", OTHER_RUN },
    { "a round that is not open yet", "training of round 2 is not open: training of round 1 is", EARLY },
    { "noise", "does not begin with WMUPDATE", GARBAGE },
    { "nothing at all", "0 bytes", EMPTY },
};

static uint8_t *spoil(uint8_t *bytes, size_t *n, int what)
{
    static const float    not_a_number = NAN, infinite = INFINITY;
    static const uint64_t negative = (uint64_t)-100, huge = (uint64_t)1 << 62;

    switch (what) {
    case NOT_A_NUMBER:
        memcpy(bytes + WM_UPDATE_HEADER, &not_a_number, 4);
        break;
    case INFINITE:
        memcpy(bytes + WM_UPDATE_HEADER, &infinite, 4);
        break;
    case SHORT:
        *n -= 4;
        break;
    case LONG:
        bytes = realloc(bytes, *n + 4);
        memset(bytes + *n, 0, 4);
        *n += 4;
        break;
    case BROADCAST:
        *n = WM_UPDATE_HEADER + 4;
        break;
    case NO_EXAMPLES:
        memset(bytes + 72, 0, 8);
        break;
    case NEGATIVE:
        memcpy(bytes + 72, &negative, 8);
        break;
    case HUGE_WEIGHT:
        memcpy(bytes + 72, &huge, 8);
        break;
    case OTHER_MODEL:
        bytes[40] ^= 1;
        break;
    case OTHER_RUN:
        bytes[24] ^= 1;
        break;
    case EARLY:
        bytes[20] = 2;
        break;
    case GARBAGE:
        memset(bytes, 0xa5, *n);
        break;
    case EMPTY:
        *n = 0;
        break;
    }
    return bytes;
}

static void one_bad_client_of_four_is_refused_by_name_and_the_round_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_ones / sizeof *bad_ones; i++) {
        world    w;
        wm_task  task;
        size_t   n;
        uint8_t *bytes;
        wm_error err = { 0 };

        begin(&w);
        through_statistics(&w);
        assert_int_equal(submit_good(&w, 0), WM_VERDICT_ACCEPTED);
        task = task_of(&w, 2);
        bytes = world_update(&w, 2, &task, &n);
        bytes = spoil(bytes, &n, (int)bad_ones[i].what);
        assert_case(bad_ones[i].says, submit(&w, 2, bytes, n, &err) == WM_VERDICT_REFUSED);
        if (strstr(err.text, bad_ones[i].text) == NULL)
            fail_msg("%s: \"%s\"", bad_ones[i].says, err.text);
        assert_int_equal(submit_good(&w, 1), WM_VERDICT_ACCEPTED);
        assert_int_equal(w.n_rounds, 0);
        assert_int_equal(submit_good(&w, 3), WM_VERDICT_ACCEPTED);

        assert_int_equal(w.n_rounds, 1); /* nobody is left, and the quorum is met */
        assert_int_equal(w.rounds[0].accepted, 3);
        assert_int_equal(w.rounds[0].refused, 1);
        assert_int_equal(w.rounds[0].n_contributions, 4);
        assert_int_equal(w.rounds[0].contributions[2].verdict, WM_VERDICT_REFUSED);
        assert_case(bad_ones[i].says, strstr(w.rounds[0].contributions[2].reason, bad_ones[i].text) != NULL);
        world_check_history(&w);
        world_release(&w);
    }
}

static void the_same_update_twice_counts_once_even_after_the_commit(void **state)
{
    world         w;
    wm_task       task;
    size_t        n;
    uint8_t      *bytes, *again;
    wm_update_key key;
    wm_error      err;

    (void)state;
    begin(&w);
    through_statistics(&w);
    task = task_of(&w, 0);
    for (int times = 0; times < 3; times++) {
        bytes = world_update(&w, 0, &task, &n);
        assert_int_equal(submit(&w, 0, bytes, n, NULL), WM_VERDICT_ACCEPTED);
    }
    bytes = world_update(&w, 0, &task, &n);
    assert_true(wm_update_peek(bytes, n, &key));
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_ACCEPTED);
    assert_int_equal(wm_run_fate(w.run, w.names[1], &key), WM_FATE_WANTED);
    for (size_t k = 1; k < N; k++)
        submit_good(&w, k);
    assert_int_equal(w.n_rounds, 1);
    assert_int_equal(w.rounds[0].accepted, 4);
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_COMMITTED);

    again = malloc(n);
    assert_non_null(again);
    memcpy(again, bytes, n);
    assert_int_equal(submit(&w, 0, again, n, NULL), WM_VERDICT_ACCEPTED); /* the answer was lost: it is contained */
    bytes[WM_UPDATE_HEADER] ^= 1;
    assert_int_equal(submit(&w, 0, bytes, n, &err), WM_VERDICT_LATE); /* another one is not */

    world_kill(&w); /* and the next process knows it too */
    assert_ok(world_open(&w, &err), &err);
    assert_int_equal(wm_run_fate(w.run, w.names[0], &key), WM_FATE_COMMITTED);
    world_check_history(&w);
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

static void reports_are_checked(void **state)
{
    static const struct {
        const char *says, *text;
        uint64_t    examples;
        double      loss_sum, count, sum;
        unsigned    present;
    } cases[] = {
        { "no examples", "0 examples", 0, 1, 1, 1, 1 },
        { "more examples than the job lets one claim", "2097152 examples", 1 << 21, 1, 1, 1, 1 },
        { "a loss that is not a number", "the loss of federated is not finite", 1, NAN, 1, 1, 1 },
        { "a finite loss that would drown all others", "the loss of federated is 1e+300", 1, 1e300, 1, 1, 1 },
        { "a loss just over the bound", "between 0 and 1024", 2, 2048.001, 2, 1, 1 },
        { "a loss that is better than none", "the loss of federated is -0.5", 2, -1, 2, 1, 1 },
        { "an infinite sum", "a sum of mae of federated is not finite", 1, 1, 1, INFINITY, 1 },
        { "a sum that no values have", "a sum of mae of federated is 1e+300", 1, 1, 1, 1e300, 1 },
        { "a negative sum", "a sum of mae of federated is -1", 1, 1, 1, -1, 1 },
        { "a negative count", "the count of federated is -1", 1, 1, -1, 1, 1 },
        { "a count that is not a number", "the count of federated is nan", 1, 1, NAN, 1, 1 },
        { "more values than its examples have", "the count of federated is 9, and 1 examples", 1, 1, 9, 1, 1 },
        { "nothing about the federated model", "without a result", 1, 1, 1, 1, 1u << WM_NAIVE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world         w;
        wm_evaluation results[WM_CONTENDERS] = { 0 };
        wm_error      err;

        begin(&w);
        through_statistics(&w);
        for (size_t k = 0; k < N; k++)
            submit_good(&w, k);
        assert_int_equal(w.standing.phase, WM_PHASE_EVALUATE);
        results[0] = (wm_evaluation){ .examples = cases[i].examples,
                                      .loss_sum = cases[i].loss_sum,
                                      .count = cases[i].count,
                                      .sums = { cases[i].sum } };
        assert_case(cases[i].says, wm_run_report(w.run, w.names[1], WM_PHASE_EVALUATE, 1, cases[i].present, results,
                                                 &err) == WM_VERDICT_REFUSED);
        if (strstr(err.text, cases[i].text) == NULL)
            fail_msg("%s: \"%s\"", cases[i].says, err.text);
        world_release(&w);
    }
}

/* What an honest client sends of a model that has exploded: bad news, within the bound. */
static void an_exploded_loss_is_reported_as_the_worst_that_counts(void **state)
{
    static const struct {
        const char *says;
        double      loss_sum, want;
    } cases[] = {
        { "an ordinary loss stays what it is", 3, 3 },
        { "the bound itself stays what it is", 2048, 2048 },
        { "a huge one becomes the bound", 1e30, 2048 },
        { "infinity becomes the bound", INFINITY, 2048 },
    };
    wm_evaluation naive = { .examples = 2, .loss_sum = NAN };
    wm_error      err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world         w;
        wm_evaluation result = { .examples = 2, .loss_sum = cases[i].loss_sum, .count = 2 };
        wm_measures   measures;

        begin(&w);
        wm_measures_of(&w.job, NULL, &measures);
        wm_evaluation_clamp(&result);
        assert_case(cases[i].says, result.loss_sum == cases[i].want);
        assert_ok(wm_evaluation_check(&w.job, &measures, WM_FEDERATED, &result, 2, &err), &err);
        world_release(&w);
    }
    wm_evaluation_clamp(&naive);
    assert_true(isnan(naive.loss_sum));
}

static void strangers_get_nothing(void **state)
{
    world         w;
    wm_task       task;
    int64_t       come_back_ms;
    wm_evaluation results[WM_CONTENDERS] = { 0 };
    wm_update_key key = { .kind = WM_TASK_STATISTICS };
    wm_error      err;

    (void)state;
    begin(&w);
    assert_int_equal(wm_run_ask(w.run, "mallory", &task, &come_back_ms), WM_ANSWER_OVER);
    assert_int_equal(wm_run_submit(w.run, "mallory", malloc(10), 10, 0, &err), WM_VERDICT_REFUSED);
    assert_non_null(strstr(err.text, "mallory is not among the clients of this run"));
    assert_int_equal(wm_run_report(w.run, "mallory", WM_PHASE_EVALUATE, 1, 1, results, &err), WM_VERDICT_REFUSED);
    assert_int_equal(wm_run_fate(w.run, "mallory", &key), WM_FATE_OVER);
    wm_run_decline(w.run, "mallory", WM_PHASE_STATISTICS, 0, "no");
    wm_run_refuse(w.run, "mallory", "no");
    world_play(&w);
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

static void who_declines_is_named_and_who_is_waited_for_too(void **state)
{
    world   w;
    wm_text waiting = WM_TEXT_INIT;

    (void)state;
    begin(&w);
    through_statistics(&w);
    wm_run_decline(w.run, w.names[1], WM_PHASE_TRAIN, 1, "the battery is low");
    submit_good(&w, 0);
    wm_run_waiting_for(w.run, 1, &waiting);
    assert_string_equal(wm_text_chars(&waiting), "ward-02 and 1 more");
    wm_text_release(&waiting);
    wm_run_refuse(w.run, w.names[2], "the bytes are not those of its digest");
    submit_good(&w, 3);
    assert_int_equal(w.n_rounds, 1);
    assert_int_equal(w.rounds[0].contributions[1].verdict, WM_VERDICT_DECLINED);
    assert_string_equal(w.rounds[0].contributions[1].reason, "the battery is low");
    assert_string_equal(w.rounds[0].contributions[2].reason, "the bytes are not those of its digest");
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
        cmocka_unit_test(figures_are_those_of_all_examples_together),
        cmocka_unit_test(one_bad_client_of_four_is_refused_by_name_and_the_round_goes_on),
        cmocka_unit_test(the_same_update_twice_counts_once_even_after_the_commit),
        cmocka_unit_test(statistics_are_committed_with_the_scaling),
        cmocka_unit_test(a_full_disk_loses_nothing_and_is_tried_again),
        cmocka_unit_test(what_cannot_run_is_refused_before_it_starts),
        cmocka_unit_test(a_model_that_is_missing_or_damaged_is_computed_again_or_named),
        cmocka_unit_test(statistics_without_spread_fail_the_run_by_name),
        cmocka_unit_test(reports_are_checked),
        cmocka_unit_test(an_exploded_loss_is_reported_as_the_worst_that_counts),
        cmocka_unit_test(strangers_get_nothing),
        cmocka_unit_test(the_operator_stops_a_run),
        cmocka_unit_test(whoever_was_drawn_in_anothers_place_counts_after_the_servers_death),
        cmocka_unit_test(who_declines_is_named_and_who_is_waited_for_too),
        cmocka_unit_test(one_worker_or_many_give_the_same_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
