/* tests/server/test_simulation.c
 *
 * Whole runs from a seed: the real engine and the real driver over a ledger, blobs and a clock in memory, with clients
 * that vanish, repeat, come late, change places, send garbage, and a process that dies at any crash point, or between
 * two, and is opened again. A failure is a number: WM_SEED=n WM_SEEDS=1 plays that one again (TigerBeetle's VOPR).
 *
 * At every transition the ledger looks whether it follows from the one before (world.c). At the end the history is
 * computed once more from outside: each model from the model before and the stored sums, the sums from the clients'
 * updates, the cohorts from their keys. Where nobody can be left out (everybody is drawn, and the quorum is everybody)
 * the last model is that of a run that nothing disturbed, bit for bit. */
#include "tests/server/world.h"
#include "tests/unit.h"

#include "server/selection/selection.h"

#include <math.h>
#include <signal.h>

static const char job_text[] = "job: simulation\n"
                               "data:\n"
                               "  columns:\n"
                               "    level: {range: [0, 100]}\n"
                               "  inputs:\n"
                               "    past: {window: {columns: [level], length: 2}}\n"
                               "  targets:\n"
                               "    next: {column: level, ahead: 1h, missing: skip}\n"
                               "  time: {column: t}\n"
                               "  scale: %s\n"
                               "  split: {time: [0.7, 0.1, 0.2]}\n"
                               "model: {layers: [flatten, {dense: 2}, relu, {dense: 1}], loss: mse}\n"
                               "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 1}\n"
                               "rounds: 3\n"
                               "cohort: {select: all, quorum: 1, deadline: 60s}\n"
                               "strategy: fedavg\n"
                               "evaluate: {every: 1, metrics: [mae]}\n"
                               "seed: 1\n";

enum { STEPS_WILD = 400, STEPS_MOST = 20000, HELD_MOST = 3 };

/* What a client has on its disk: it survives the server's deaths, and most of its own. */
typedef struct client {
    uint8_t      *bytes; /* of its update; NULL if it holds none */
    size_t        n;
    wm_update_key key;
    uint8_t      *old; /* an update that it let go of, to be sent again */
    size_t        n_old;
    bool          gone; /* hears and says nothing until it comes back */
} client;

typedef struct play {
    world  w;
    wm_rng rng;
    client clients[WORLD_CLIENTS_MAX];
    double share;   /* of a uniform selection */
    bool   certain; /* nobody can be left out: the last model is known beforehand */
    bool   wild;    /* faults still happen */
    bool   stopped; /* by the operator */
} play;

static bool chance(play *p, unsigned percent)
{
    return wm_rng_below(&p->rng, 100) < percent;
}

static uint64_t between(play *p, uint64_t least, uint64_t most)
{
    return least + wm_rng_below(&p->rng, most - least + 1);
}

/* The same number gives the same job, so that an undisturbed run can be played beside it. */
static void vary(play *p, world *w)
{
    static const double quorums[] = { 0.3, 0.5, 0.7, 1 };
    wm_job             *job = &w->job;
    wm_rng              rng;

    wm_rng_init_keyed(&rng, w->seed, "job", 0, "");
    job->rounds = 1 + (int64_t)wm_rng_below(&rng, 4);
    job->evaluate.every = 1 + (int64_t)wm_rng_below(&rng, 3);
    job->cohort.deadline_ms = 10000 + (int64_t)wm_rng_below(&rng, 100000);
    job->cohort.attempts = 0;
    p->certain = wm_rng_below(&rng, 2) == 0;
    p->share = 0.2 + 0.6 * wm_rng_unit(&rng);
    if (p->certain)
        return;
    job->cohort.quorum = quorums[wm_rng_below(&rng, 4)];
    job->cohort.attempts = (int64_t)wm_rng_below(&rng, 4);
    job->cohort.over = 1 + wm_rng_unit(&rng);
    job->evaluate.patience = (int64_t)wm_rng_below(&rng, 3);
    if (wm_rng_below(&rng, 2) == 0)
        job->cohort.select =
            (wm_choice){ .member = wm_family_find(&wm_selections, "uniform"), .options = &p->share };
    if (wm_rng_below(&rng, 2) == 0)
        job->evaluate.select = job->cohort.select;
}

static void begin(play *p, uint64_t seed)
{
    char  *text = NULL;
    wm_rng rng;

    memset(p, 0, sizeof *p);
    wm_rng_init_keyed(&p->rng, seed, "faults", 0, "");
    wm_rng_init_keyed(&rng, seed, "text", 0, "");
    /* Half of the runs begin with a statistics round. */
    assert_true(asprintf(&text, job_text, wm_rng_below(&rng, 2) == 0 ? "federated" : "none") > 0);
    world_init(&p->w, text, 2 + wm_rng_below(&rng, 7), seed);
    free(text);
    vary(p, &p->w);
    p->wild = true;
}

static void let_go(client *c)
{
    free(c->old);
    c->old = c->bytes;
    c->n_old = c->n;
    c->bytes = NULL;
}

static void end(play *p)
{
    for (size_t k = 0; k < p->w.record.n_population; k++) {
        free(p->clients[k].bytes);
        free(p->clients[k].old);
    }
    world_release(&p->w);
}

/* The process is opened again, as often as it dies at that; the disk may be full when a run begins. */
static void revive(play *p)
{
    world   *w = &p->w;
    wm_error err;

    world_kill(w);
    for (;;) {
        wm_status st = world_open(w, &err);

        if (st == WM_OK)
            break;
        if (st != WM_E_CLOSED && st != WM_E_FULL)
            fail_msg("seed %llu: cannot be opened again: %s", (unsigned long long)world_seed_in_work, err.text);
        w->full = false;
        w->die_in = p->wild && chance(p, 30) ? (int)between(p, 1, 4) : 0;
        w->run = NULL;
    }
    w->time.mono_ms = (int64_t)between(p, 0, 100000); /* another boot, another monotonic clock */
}

/* Must follow every call: true if the process died inside it, so that nobody heard its answer. */
static bool died(play *p)
{
    if (!p->w.died)
        return false;
    p->w.time.wall_ms += (int64_t)between(p, 0, 200000);
    p->w.die_in = 0;
    revive(p);
    return true;
}

static wm_verdict hand_in(play *p, size_t k, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n + 1);

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    return wm_run_submit(p->w.run, p->w.names[k], copy, n, 0.5, NULL);
}

/* Does a committed model contain an update of client k for that round, so says the ledger? */
static bool is_contained(const play *p, size_t k, const wm_update_key *key)
{
    const wm_round_record *round;

    if (key->kind != WM_TASK_TRAIN || key->round < 1 || key->round > p->w.n_rounds)
        return false;
    round = &p->w.rounds[key->round - 1];
    for (size_t i = 0; i < round->n_contributions; i++)
        if (round->contributions[i].client == k && round->contributions[i].verdict == WM_VERDICT_ACCEPTED)
            return true;
    return false;
}

/* As the gateway does: what does the server know of the update on my disk? */
static void ask_fate(play *p, size_t k)
{
    client *c = &p->clients[k];
    wm_fate fate = wm_run_fate(p->w.run, p->w.names[k], &c->key);

    if (fate == WM_FATE_COMMITTED)
        assert_true(c->key.kind == WM_TASK_STATISTICS ? p->w.in_scaling[k] : is_contained(p, k, &c->key));
    if (fate == WM_FATE_COMMITTED || fate == WM_FATE_OVER)
        let_go(c);
    else if (fate == WM_FATE_WANTED && !(p->wild && chance(p, 20))) {
        wm_verdict verdict = hand_in(p, k, c->bytes, c->n);

        if (died(p))
            return;
        assert_int_not_equal(verdict, WM_VERDICT_REFUSED); /* it was wanted, and it is good */
        if (p->wild && chance(p, 20)) {
            hand_in(p, k, c->bytes, c->n); /* the answer was lost on the way */
            died(p);
        }
    }
}

static void take_task(play *p, size_t k, const wm_task *task)
{
    client       *c = &p->clients[k];
    wm_evaluation results[WM_CONTENDERS];
    unsigned      present;

    if (p->wild && chance(p, 10))
        return; /* the link is cut before it heard */
    if (p->wild && chance(p, 5)) {
        wm_run_decline(p->w.run, p->w.names[k], task->phase, task->round, "not now");
        died(p);
        return;
    }
    if (task->phase == WM_PHASE_STATISTICS || task->phase == WM_PHASE_TRAIN) {
        if (c->bytes != NULL)
            let_go(c);
        c->bytes = world_update(&p->w, k, task, &c->n);
        assert_true(wm_update_peek(c->bytes, c->n, &c->key));
        return;
    }
    present = world_report(&p->w, k, task->phase, task->round, results);
    wm_run_report(p->w.run, p->w.names[k], task->phase, task->round, present, results, NULL);
    if (died(p))
        return;
    if (p->wild && chance(p, 20)) {
        wm_run_report(p->w.run, p->w.names[k], task->phase, task->round, present, results, NULL);
        died(p);
    }
}

static void client_acts(play *p, size_t k)
{
    int64_t come_back_ms;
    wm_task task;

    if (p->clients[k].gone)
        return;
    if (p->clients[k].bytes != NULL)
        ask_fate(p, k);
    else if (wm_run_ask(p->w.run, p->w.names[k], &task, &come_back_ms) == WM_ANSWER_TASK)
        take_task(p, k, &task);
}

/* Noise, or a good update with one byte or its length changed: may be taken only if it is the good one. */
static void send_garbage(play *p, size_t k)
{
    client  *c = &p->clients[k];
    uint8_t *bytes;
    size_t   n = c->bytes != NULL ? c->n : between(p, 0, 300);

    bytes = malloc(n + 1);
    assert_non_null(bytes);
    if (c->bytes != NULL)
        memcpy(bytes, c->bytes, n);
    else
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)wm_rng_next(&p->rng);
    if (n > 0 && chance(p, 60))
        bytes[wm_rng_below(&p->rng, n < 72 ? n : 72)] ^= (uint8_t)(1 + wm_rng_below(&p->rng, 255));
    else
        n = (size_t)wm_rng_below(&p->rng, n + 1);
    if (c->bytes == NULL || n != c->n || memcmp(bytes, c->bytes, n) != 0) {
        wm_verdict verdict = hand_in(p, k, bytes, n);

        if (!died(p))
            assert_int_not_equal(verdict, WM_VERDICT_ACCEPTED);
    }
    free(bytes);
}

/* What it let go of, once more: contained and accepted again, or late; newest of all, if its round is still open. */
static void send_late(play *p, size_t k)
{
    const client *c = &p->clients[k];
    wm_update_key key;
    wm_verdict    verdict;
    bool          newest;

    if (c->old == NULL || !wm_update_peek(c->old, c->n_old, &key))
        return;
    newest = key.round == p->w.standing.round && p->w.standing.phase <= WM_PHASE_TRAIN;
    verdict = hand_in(p, k, c->old, c->n_old);
    if (!died(p) && !newest) {
        bool last = true; /* the server remembers a client's last committed update, not all of them */

        for (size_t round = key.round; round < p->w.n_rounds; round++)
            last = last &&
                   !is_contained(p, k, &(wm_update_key){ .kind = WM_TASK_TRAIN, .round = (uint32_t)round + 1 });
        assert_int_equal(verdict, is_contained(p, k, &key) && last ? WM_VERDICT_ACCEPTED : WM_VERDICT_LATE);
    }
}

/* A good update of a client whether it was drawn or not: the history would show it in a round that did not draw it. */
static void send_unasked(play *p, size_t k)
{
    wm_task  task = { .phase = WM_PHASE_TRAIN, .round = p->w.standing.round, .model = p->w.standing.model };
    uint8_t *bytes;
    size_t   n;

    if (p->w.standing.phase != WM_PHASE_TRAIN)
        return;
    bytes = world_update(&p->w, k, &task, &n);
    hand_in(p, k, bytes, n);
    died(p);
    free(bytes);
}

static void pass(play *p, int64_t ms)
{
    p->w.time.mono_ms += ms;
    p->w.time.wall_ms += ms;
    wm_run_tick(p->w.run);
    died(p);
}

/* One thing that happens in the world. */
static void step_wild(play *p)
{
    size_t  n = p->w.record.n_population, k = (size_t)wm_rng_below(&p->rng, n);
    client *c = &p->clients[k];

    switch (wm_rng_below(&p->rng, 24)) {
    case 0:
        p->w.die_in = (int)between(p, 1, 6); /* at one of the next crash points */
        break;
    case 1:
        p->w.time.wall_ms += (int64_t)between(p, 0, 200000); /* between two of them */
        p->w.die_in = 0;
        revive(p);
        break;
    case 2:
        p->w.full = chance(p, 50);
        break;
    case 3:
        send_garbage(p, k);
        break;
    case 4:
        c->gone = chance(p, 60);
        break;
    case 5:
        send_late(p, k);
        break;
    case 6:
        pass(p, p->w.job.cohort.deadline_ms);
        break;
    case 7:
        send_unasked(p, k);
        break;
    case 8:
        wm_run_refuse(p->w.run, p->w.names[k], "too long");
        died(p);
        break;
    case 9:
        if (!p->certain && chance(p, 1)) {
            p->stopped = true;
            wm_run_stop(p->w.run, "by the operator", NULL);
            died(p);
        }
        break;
    case 10:
    case 11:
    case 12:
        pass(p, (int64_t)between(p, 0, 5000));
        break;
    default:
        client_acts(p, k);
    }
}

/* Everybody is back, and nothing fails any more. */
static void step_calm(play *p)
{
    for (size_t k = 0; k < p->w.record.n_population; k++)
        client_acts(p, k);
    pass(p, 2000);
}

static void play_out(play *p)
{
    size_t steps = 0;

    revive(p);
    for (; p->w.standing.phase != WM_PHASE_CLOSED && steps < STEPS_WILD; steps++)
        step_wild(p);
    p->wild = p->w.full = false;
    p->w.die_in = 0;
    for (size_t k = 0; k < p->w.record.n_population; k++)
        p->clients[k].gone = false;
    for (; p->w.standing.phase != WM_PHASE_CLOSED; steps++) {
        if (steps > STEPS_MOST)
            fail_msg("seed %llu: no end: %s of round %u, attempt %u", (unsigned long long)world_seed_in_work,
                     wm_phase_name(p->w.standing.phase), p->w.standing.round, p->w.standing.attempt);
        step_calm(p);
    }
}

/* The same job where nothing happens but what should. */
static wm_digest undisturbed(uint64_t seed)
{
    play      p;
    wm_digest model;

    begin(&p, seed);
    revive(&p);
    world_play(&p.w);
    assert_int_equal(p.w.standing.outcome, WM_OUTCOME_DONE);
    model = p.w.standing.model;
    end(&p);
    return model;
}

typedef struct tally {
    unsigned outcomes[WM_OUTCOME_FAILED + 1], rounds, certain;
} tally;

static void play_seed(uint64_t seed, tally *t)
{
    play p;

    world_seed_in_work = seed;
    begin(&p, seed);
    play_out(&p);
    world_check_history(&p.w);
    t->outcomes[p.w.standing.outcome]++;
    t->rounds += (unsigned)p.w.n_rounds;
    t->certain += p.certain;
    if (p.certain) {
        wm_digest model = undisturbed(seed);

        if (p.w.standing.outcome != WM_OUTCOME_DONE || !wm_digest_equal(&model, &p.w.standing.model))
            fail_msg("seed %llu: %s, and the last model is not that of an undisturbed run",
                     (unsigned long long)seed, p.w.standing.why);
    }
    if (p.w.standing.outcome == WM_OUTCOME_STOPPED)
        assert_true(p.stopped);
    end(&p);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void whatever_happens_no_update_is_lost_or_counted_twice(void **state)
{
    uint64_t first = number_of("WM_SEED", 1), count = number_of("WM_SEEDS", 1000);
    tally    t = { 0 };

    (void)state;
    for (uint64_t i = 0; i < count; i++)
        play_seed(first + i, &t);
    world_seed_in_work = 0;
    print_message(
        "# %llu seeds from %llu: %u done, %u early, %u stopped, %u failed; %u rounds; %u with a known end\n",
        (unsigned long long)count, (unsigned long long)first, t.outcomes[WM_OUTCOME_DONE],
        t.outcomes[WM_OUTCOME_EARLY], t.outcomes[WM_OUTCOME_STOPPED], t.outcomes[WM_OUTCOME_FAILED], t.rounds,
        t.certain);
    if (count >= 1000) { /* the faults must not have become so wild, or so tame, that nothing is tested */
        assert_true(t.outcomes[WM_OUTCOME_DONE] > 500 && t.outcomes[WM_OUTCOME_EARLY] > 0);
        assert_true(t.outcomes[WM_OUTCOME_FAILED] > 0 && t.outcomes[WM_OUTCOME_STOPPED] > 0);
    }
}

/* Whatever ends the test early, an assertion of ours or of the code: how to see it again. */
static int name_the_seed(void **state)
{
    (void)state;
    if (world_seed_in_work != 0)
        print_error("to play it again: WM_SEED=%llu WM_SEEDS=1\n", (unsigned long long)world_seed_in_work);
    return 0;
}

static void on_abort(int number)
{
    (void)number;
    name_the_seed(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whatever_happens_no_update_is_lost_or_counted_twice, name_the_seed),
    };

    signal(SIGABRT, on_abort);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
