/* tests/server/simulation/test_simulation.c
 *
 * Thousands of runs, each from a number: jobs that differ, and everything that play.h names goes wrong. A failure is that
 * number: WM_SEED=n WM_SEEDS=1 plays it again (TigerBeetle's VOPR). tests/simulate plays a million on all processors.
 *
 * At every transition the ledger looks whether it follows from the one before (world.c). At the end the history is
 * computed once more from outside: each model from the model before and the stored sums, the sums from the clients'
 * updates, the cohorts from their keys. Where nobody can be left out (everybody is drawn, and the quorum is everybody)
 * the last model is that of a run that nothing disturbed, bit for bit.
 *
 * What happened is counted, and where the seeds are many everything that can happen must have: each way from phase to
 * phase, each ending, a death at each step of the server and of a client, each answer. */
#include "tests/figures.h"
#include "tests/server/level.h"
#include "tests/server/simulation/play.h"
#include "tests/unit.h"

#include "server/selection/selection.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char job_text[] = LEVEL_JOB("simulation", "2", "%s",
                                         "model: {layers: [flatten, {dense: 2}, relu, {dense: 1}], loss: mse}\n"
                                         "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 1}\n"
                                         "rounds: 3\n"
                                         "cohort: {select: all, quorum: 1, deadline: 60s}\n"
                                         "strategy: fedavg\n"
                                         "evaluate: {every: 1, metrics: [mae]}\n"
                                         "seed: 1\n");

enum { STEPS_WILD = 600, STEPS_CALM = 300, STEPS_MOST = 20000, WORKERS_MOST = 64, MANY_SEEDS = 1000 };

/* The same number gives the same job, so that an undisturbed run can be played beside it. */
static void vary(play *p, world *w)
{
    static const double  quorums[] = { 0.3, 0.5, 0.7, 1 };
    static const int64_t attempts[] = { 0, 1, 2, 5, 10 };
    wm_job              *job = &w->job;
    wm_rng               rng;

    wm_rng_init_keyed(&rng, w->seed, "job", 0, "");
    job->rounds = 1 + (int64_t)wm_rng_below(&rng, 4);
    job->evaluate.every = 1 + (int64_t)wm_rng_below(&rng, 3);
    job->cohort.deadline_ms = 10000 + (int64_t)wm_rng_below(&rng, 100000);
    job->cohort.attempts = 0;
    job->evaluate.baselines = (unsigned)wm_rng_below(&rng, 4);
    p->certain = wm_rng_below(&rng, 2) == 0;
    p->share = 0.2 + 0.6 * wm_rng_unit(&rng);
    if (p->certain)
        return;
    job->cohort.quorum = quorums[wm_rng_below(&rng, 4)];
    job->cohort.attempts = attempts[wm_rng_below(&rng, 5)];
    job->cohort.over = 1 + wm_rng_unit(&rng);
    job->evaluate.patience = (int64_t)wm_rng_below(&rng, 3);
    if (wm_rng_below(&rng, 2) == 0)
        job->cohort.select =
            (wm_choice){ .member = wm_family_find(&wm_selections, "uniform"), .options = &p->share };
    if (wm_rng_below(&rng, 2) == 0)
        job->evaluate.select = job->cohort.select;
    w->plateau = wm_rng_below(&rng, 4) == 0;
    w->flat = wm_rng_below(&rng, 20) == 0;
    w->patient = wm_rng_below(&rng, 10) == 0;
    if (w->patient || wm_rng_below(&rng, 4) != 0)
        return; /* where no deadline passes, one who never comes back is waited for */
    for (size_t k = 0; k < w->record.n_population; k++)
        p->any_lost = (p->clients[k].lost = wm_rng_below(&rng, 3) == 0) || p->any_lost;
}

static void begin(play *p, uint64_t seed, play_tally *tally)
{
    char  *text = NULL;
    wm_rng rng;

    memset(p, 0, sizeof *p);
    p->tally = tally;
    wm_rng_init_keyed(&p->rng, seed, "faults", 0, "");
    wm_rng_init_keyed(&rng, seed, "text", 0, "");
    /* Half of the runs begin with a statistics round. */
    assert_true(asprintf(&text, job_text, wm_rng_below(&rng, 2) == 0 ? "federated" : "none") > 0);
    world_init(&p->w, text, 2 + wm_rng_below(&rng, 7), seed);
    free(text);
    vary(p, &p->w);
    p->wild = true;
}

static void end(play *p)
{
    play_clients_release(p);
    world_release(&p->w);
}

/* Everybody is back who ever comes back, and nothing fails any more. */
static void step_calm(play *p)
{
    play_deliver(p);
    for (size_t k = 0; k < p->w.record.n_population; k++)
        play_client_acts(p, k);
    play_pass(p, p->any_lost ? p->w.job.cohort.deadline_ms / 3 : 2000);
}

/* Too few clients for the job, which says that they be waited for: the server names them, and the operator ends it. */
static void give_up(play *p)
{
    wm_text names = WM_TEXT_INIT;
    bool    any = false;

    wm_run_waiting_for(p->w.run, WORLD_CLIENTS_MAX, &names);
    for (size_t k = 0; k < p->w.record.n_population; k++)
        any = any || (p->clients[k].lost && strstr(wm_text_chars(&names), p->w.names[k]) != NULL);
    if (!any)
        fail_msg("seed %llu: it waits, and not for one who is lost: \"%s\"", (unsigned long long)world_seed_in_work,
                 wm_text_chars(&names));
    wm_text_release(&names);
    p->stopped = true;
    assert_ok(wm_run_stop(p->w.run, "nobody comes", NULL), NULL);
}

static void play_out(play *p)
{
    size_t steps = 0, calm = 0;

    p->w.die_in = play_chance(p, 10) ? (int)play_between(p, 1, 4) : 0;
    play_revive(p);
    for (; p->w.standing.phase != WM_PHASE_CLOSED && steps < STEPS_WILD; steps++)
        play_step_wild(p);
    p->wild = p->w.full = false;
    p->w.die_in = 0;
    for (size_t k = 0; k < p->w.record.n_population; k++)
        p->clients[k].gone = false;
    for (; p->w.standing.phase != WM_PHASE_CLOSED; calm++) {
        if (steps + calm > STEPS_MOST)
            fail_msg("seed %llu: no end: %s of round %u, attempt %u", (unsigned long long)world_seed_in_work,
                     wm_phase_name(p->w.standing.phase), p->w.standing.round, p->w.standing.attempt);
        step_calm(p);
        if (calm > STEPS_CALM && p->any_lost && p->w.standing.phase != WM_PHASE_CLOSED)
            give_up(p);
    }
}

/* The same job where nothing happens but what should. */
static wm_digest undisturbed(uint64_t seed)
{
    play_tally tally = { 0 };
    play       p;
    wm_digest  model;

    begin(&p, seed, &tally);
    p.wild = false;
    play_revive(&p);
    world_play(&p.w);
    assert_int_equal(p.w.standing.outcome, WM_OUTCOME_DONE);
    model = p.w.standing.model;
    end(&p);
    return model;
}

static void check_end(play *p, uint64_t seed)
{
    const wm_standing *at = &p->w.standing;

    world_check_history(&p->w);
    if (p->certain) {
        wm_digest model = undisturbed(seed);

        if (at->outcome != WM_OUTCOME_DONE || !wm_digest_equal(&model, &at->model))
            fail_msg("seed %llu: %s, and the last model is not that of an undisturbed run",
                     (unsigned long long)seed, at->why);
    }
    if (at->outcome == WM_OUTCOME_STOPPED)
        assert_true(p->stopped);
    if (p->w.n_rounds < p->owed)
        fail_msg("seed %llu: the commit of round %u had begun, and was forgotten when the run was stopped",
                 (unsigned long long)seed, p->owed);
}

static void count(const play *p, play_tally *t)
{
    t->outcomes[p->w.standing.outcome]++;
    t->endings[p->w.ended_in][p->w.standing.outcome]++;
    t->rounds += (unsigned)p->w.n_rounds;
    t->certain += p->certain;
    t->aways += p->w.away_told;
    t->substitutes += p->w.substitutes;
    for (size_t a = 0; a <= WM_PHASE_CLOSED; a++) {
        t->attempts[a] += p->w.attempts[a];
        for (size_t b = 0; b <= WM_PHASE_CLOSED; b++)
            t->turns[a][b] += p->w.turns[a][b];
    }
}

static void play_seed(uint64_t seed, play_tally *t)
{
    play p;

    world_seed_in_work = seed;
    begin(&p, seed, t);
    play_out(&p);
    check_end(&p, seed);
    count(&p, t);
    end(&p);
}

/* ---- what must have happened ---- */

static void must(bool happened, const char *what, const char *which)
{
    if (!happened)
        fail_msg("in all these plays this never happened: %s%s", what, which);
}

static void check_turns(const play_tally *t)
{
    static const struct {
        const char *says;
        wm_phase    from, to;
    } turns[] = {
        { "a run begins with statistics", WM_PHASE_NONE, WM_PHASE_STATISTICS },
        { "a run begins with training", WM_PHASE_NONE, WM_PHASE_TRAIN },
        { "the statistics are complete", WM_PHASE_STATISTICS, WM_PHASE_TRAIN },
        { "a round is committed and evaluated", WM_PHASE_TRAIN, WM_PHASE_EVALUATE },
        { "a round is committed and the next begins", WM_PHASE_TRAIN, WM_PHASE_TRAIN },
        { "after an evaluation the next round begins", WM_PHASE_EVALUATE, WM_PHASE_TRAIN },
        { "after the last evaluation comes the final one", WM_PHASE_EVALUATE, WM_PHASE_FINAL },
    };
    static const struct {
        const char *says;
        wm_phase    in;
        wm_outcome  outcome;
    } endings[] = {
        { "statistics fail", WM_PHASE_STATISTICS, WM_OUTCOME_FAILED },
        { "statistics are stopped", WM_PHASE_STATISTICS, WM_OUTCOME_STOPPED },
        { "training fails", WM_PHASE_TRAIN, WM_OUTCOME_FAILED },
        { "training is stopped", WM_PHASE_TRAIN, WM_OUTCOME_STOPPED },
        { "an evaluation fails", WM_PHASE_EVALUATE, WM_OUTCOME_FAILED },
        { "an evaluation is stopped", WM_PHASE_EVALUATE, WM_OUTCOME_STOPPED },
        { "the final evaluation is stopped", WM_PHASE_FINAL, WM_OUTCOME_STOPPED },
        { "all rounds are done", WM_PHASE_FINAL, WM_OUTCOME_DONE },
        { "patience ends it", WM_PHASE_FINAL, WM_OUTCOME_EARLY },
    };

    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
        must(t->turns[turns[i].from][turns[i].to] > 0, turns[i].says, "");
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        must(t->endings[endings[i].in][endings[i].outcome] > 0, endings[i].says, "");
    for (wm_phase phase = WM_PHASE_STATISTICS; phase <= WM_PHASE_EVALUATE; phase++)
        must(t->attempts[phase] > 0, "another attempt of ", wm_phase_name(phase));
}

static void check_all_happened(const play_tally *t)
{
    check_turns(t);
    for (size_t i = 0; i < PLAY_STEPS; i++)
        must(t->client_deaths[i] > 0, "a client dies at ", play_step_names[i]);
    for (size_t i = 0; i < play_n_points; i++)
        must(t->server_deaths[i] > 0, "the server dies at ", play_points[i]);
    for (int kind = 0; kind < 2; kind++)
        must(t->verdicts[kind][WM_VERDICT_ACCEPTED] > 0 && t->verdicts[kind][WM_VERDICT_REFUSED] > 0 &&
                 t->verdicts[kind][WM_VERDICT_LATE] > 0,
             "a good letter is accepted, comes after its seat was spoilt, comes late", "");
    for (size_t i = 0; i <= WM_FATE_OVER; i++)
        must(t->fates[i] > 0, "each fate of an update", "");
    must(t->lost_letters > 0 && t->repeated_letters > 0 && t->late_letters > 0 && t->clock_jumps > 0 &&
             t->refused_stops > 0,
         "lost, repeated and late letters, clocks that jump, a stop that has to wait for the disk", "");
    must(t->aways > 0 && t->substitutes > 0, "somebody is away, and another is drawn in his place", "");
    must(t->outcomes[WM_OUTCOME_DONE] * 2 > t->certain, "most of those who can be done are", "");
}

/* ---- many seeds, on many processors ---- */

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* What the workers share. */
typedef struct crowd {
    atomic_uint_least64_t done;
    play_tally            tallies[WORKERS_MOST];
} crowd;

static void add_up(play_tally *sum, const play_tally *one)
{
    unsigned       *to = (unsigned *)(void *)sum;
    const unsigned *from = (const unsigned *)(const void *)one;

    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) /* all its fields are counts */
        to[i] += from[i];
}

static void show(uint64_t done, uint64_t count, time_t seconds)
{
    double left = done > 0 ? (double)seconds / (double)done * (double)(count - done) : 0;

    fprintf(stderr, "%s%llu of %llu plays, %ld s, %.0f s left%s", isatty(STDERR_FILENO) ? "\r" : "",
            (unsigned long long)done, (unsigned long long)count, (long)seconds, left,
            isatty(STDERR_FILENO) && done < count ? "   " : "\n");
}

/* Plays the seeds on `workers` processes; a failure is said by the one that sees it. */
static void play_crowd(uint64_t first, uint64_t count, uint64_t workers, play_tally *sum)
{
    crowd *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    time_t started = time(NULL), shown = started;
    int    left = (int)workers, status, failed = 0;

    assert_true(c != MAP_FAILED);
    for (uint64_t i = 0; i < workers; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
            continue;
        for (uint64_t at = i; at < count; at += workers) {
            play_seed(first + at, &c->tallies[i]);
            atomic_fetch_add(&c->done, 1);
        }
        _exit(0);
    }
    while (left > 0) {
        pid_t pid = waitpid(-1, &status, WNOHANG);

        assert_true(pid >= 0);
        if (pid > 0) {
            left--;
            failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        } else {
            nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
        }
        if (time(NULL) >= shown + (isatty(STDERR_FILENO) ? 1 : 30) || left == 0) {
            shown = time(NULL);
            show(atomic_load(&c->done), count, shown - started);
        }
    }
    for (uint64_t i = 0; i < workers; i++)
        add_up(sum, &c->tallies[i]);
    munmap(c, sizeof *c);
    assert_int_equal(failed, 0);
}

static void whatever_happens_no_update_is_lost_or_counted_twice(void **state)
{
    uint64_t   first = number_of("WM_SEED", 1), count = number_of("WM_SEEDS", 10000);
    uint64_t   workers = number_of("WM_WORKERS", 1);
    play_tally t = { 0 };

    (void)state;
    if (workers > 1) {
        play_crowd(first, count, workers < WORKERS_MOST ? workers : WORKERS_MOST, &t);
    } else {
        for (uint64_t i = 0; i < count; i++)
            play_seed(first + i, &t);
    }
    world_seed_in_work = 0;
    print_message(
        "# %llu seeds from %llu: %u done, %u early, %u stopped, %u failed; %u rounds; %u with a known end\n",
        (unsigned long long)count, (unsigned long long)first, t.outcomes[WM_OUTCOME_DONE],
        t.outcomes[WM_OUTCOME_EARLY], t.outcomes[WM_OUTCOME_STOPPED], t.outcomes[WM_OUTCOME_FAILED], t.rounds,
        t.certain);
    if (count >= MANY_SEEDS)
        check_all_happened(&t);
    tell_fault(&(fault_figure){ .fault = "whole runs from a seed, in a world where everything fails",
                                .tries = count,
                                .survived = count,
                                .seconds = -1 });
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
