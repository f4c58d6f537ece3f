/* tests/server/simulation/faults.c
 *
 * What goes wrong besides: the server's death and its disk, clocks that jump, a client's disk that is lost, strangers who
 * send garbage, bad updates, old ones and unasked ones in a client's name, and an operator. */
#include "tests/server/simulation/play.h"

#include "tests/unit.h"

#include <math.h>

enum { GRACE_MS = 30000 }; /* world_open's */

static wm_verdict send(play *p, size_t k, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n + 1);

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    return wm_run_submit(p->w.run, p->w.names[k], copy, n, 0.5, NULL);
}

/* Noise, or a good update with one byte or its length changed: may be taken only if it is the good one. */
static void send_garbage(play *p, size_t k)
{
    play_client *c = &p->clients[k];
    uint8_t     *bytes;
    size_t       n = c->bytes != NULL ? c->n : play_between(p, 0, 300);

    bytes = malloc(n + 1);
    assert_non_null(bytes);
    if (c->bytes != NULL)
        memcpy(bytes, c->bytes, n);
    else
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)wm_rng_next(&p->rng);
    if (n > 0 && play_chance(p, 60))
        bytes[wm_rng_below(&p->rng, n < 72 ? n : 72)] ^= (uint8_t)(1 + wm_rng_below(&p->rng, 255));
    else
        n = (size_t)wm_rng_below(&p->rng, n + 1);
    if (c->bytes == NULL || n != c->n || memcmp(bytes, c->bytes, n) != 0) {
        wm_verdict verdict = send(p, k, bytes, n);

        if (!play_died(p))
            assert_int_not_equal(verdict, WM_VERDICT_ACCEPTED);
    }
    free(bytes);
}

/* An update of the open task whose form is right and whose values are not. */
static void send_bad(play *p, size_t k)
{
    static const float wrong[] = { NAN, INFINITY, -INFINITY, 16.001f, -1e30f };
    wm_task  task = { .phase = p->w.standing.phase, .round = p->w.standing.round, .model = p->w.standing.model };
    uint8_t *bytes;
    size_t   n, at;
    uint64_t weight;
    float    value = wrong[wm_rng_below(&p->rng, sizeof wrong / sizeof *wrong)];

    if (task.phase != WM_PHASE_TRAIN)
        return;
    bytes = world_update(&p->w, k, &task, &n);
    switch (wm_rng_below(&p->rng, 3)) {
    case 0: /* a delta that is not finite or out of bounds */
        at = (size_t)wm_rng_below(&p->rng, wm_model_n_params(p->w.model));
        memcpy(bytes + WM_UPDATE_HEADER + at * sizeof value, &value, sizeof value);
        break;
    case 1: /* no examples, or more than one may claim */
        weight = play_chance(p, 50) ? 0 : UINT64_MAX >> wm_rng_below(&p->rng, 40);
        memcpy(bytes + WM_UPDATE_HEADER - sizeof weight, &weight, sizeof weight);
        break;
    default: /* another model */
        bytes[40 + wm_rng_below(&p->rng, WM_DIGEST_SIZE)] ^= 1;
    }
    assert_int_not_equal(send(p, k, bytes, n), WM_VERDICT_ACCEPTED);
    play_died(p);
    free(bytes);
}

/* What it let go of, once more: contained and accepted again, or late; newest of all, if its round is still open. */
static void send_old(play *p, size_t k)
{
    const play_client *c = &p->clients[k];
    wm_update_key      key;
    wm_verdict         verdict;
    bool               newest;

    if (c->old == NULL || !wm_update_peek(c->old, c->n_old, &key))
        return;
    newest = key.round == p->w.standing.round && p->w.standing.phase <= WM_PHASE_TRAIN;
    verdict = send(p, k, c->old, c->n_old);
    if (!play_died(p) && !newest) {
        bool last = true; /* the server remembers a client's last committed update, not all of them */

        for (size_t round = key.round; round < p->w.n_rounds; round++)
            last = last && !play_is_contained(p, k, (uint32_t)round + 1);
        last = last && key.kind == WM_TASK_TRAIN && play_is_contained(p, k, key.round);
        assert_int_equal(verdict, last ? WM_VERDICT_ACCEPTED : WM_VERDICT_LATE);
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
    send(p, k, bytes, n);
    play_died(p);
    free(bytes);
}

/* An answer about a phase and a round that may be over, open, or never to come. */
static void answer_at_random(play *p, size_t k)
{
    wm_evaluation results[WM_CONTENDERS];
    wm_phase      phase = (wm_phase)play_between(p, WM_PHASE_NONE, WM_PHASE_CLOSED);
    uint32_t      round = (uint32_t)play_between(p, 0, p->w.n_rounds + 2);
    unsigned      present = world_report(&p->w, k, WM_PHASE_EVALUATE, round > 0 ? round : 1, results);

    if (phase == p->w.standing.phase && round == p->w.standing.round)
        return;
    if (play_chance(p, 50))
        wm_run_decline(p->w.run, p->w.names[k], phase, round, "no");
    else
        assert_int_not_equal(wm_run_report(p->w.run, p->w.names[k], phase, round, present, results, NULL),
                             WM_VERDICT_ACCEPTED);
    play_died(p);
}

/* An evaluation that cannot be, for the one that is open. */
static void report_nonsense(play *p, size_t k)
{
    wm_evaluation results[WM_CONTENDERS];
    unsigned      present = world_report(&p->w, k, WM_PHASE_EVALUATE, 1, results);

    results[WM_FEDERATED].loss_sum = play_chance(p, 50) ? -1e300 : (double)NAN;
    assert_int_not_equal(
        wm_run_report(p->w.run, p->w.names[k], p->w.standing.phase, p->w.standing.round, present, results, NULL),
        WM_VERDICT_ACCEPTED);
    play_died(p);
}

/* The clock is set, or an hour is skipped, or it was never right: by up to ten years either way, or a little. */
static void jump(play *p)
{
    int64_t most = play_chance(p, 50) ? 100000 : (int64_t)10 * 365 * 86400 * 1000,
            ms = (int64_t)play_between(p, 0, (uint64_t)most);

    p->tally->clock_jumps++;
    if (play_chance(p, 50) && p->w.time.wall_ms > ms)
        p->w.time.wall_ms -= ms;
    else
        p->w.time.wall_ms += ms;
}

static void stop(play *p)
{
    wm_run_progress progress;
    wm_status       st;

    if (p->certain || !play_chance(p, p->w.full ? 20 : 3))
        return;
    p->stopped = true;
    wm_run_progress_get(p->w.run, &progress);
    if (progress.standing.phase == WM_PHASE_TRAIN && progress.accepted >= progress.goal)
        p->owed = progress.standing.round; /* it waits for the disk, and is finished first */
    st = wm_run_stop(p->w.run, "by the operator", NULL);
    if (!play_died(p) && st != WM_OK) {
        assert_true(st == WM_E_EXISTS || st == WM_E_FULL);
        p->tally->refused_stops++;
    }
}

/* Its disk is a new one. What was accepted of it counts; if it was not, it trains again, to the same bits. */
static void lose_disk(play *p, size_t k)
{
    free(p->clients[k].bytes);
    p->clients[k].bytes = NULL;
}

/* The operator looks; what is shown must fit together. */
static void look(play *p)
{
    wm_run_progress progress;
    wm_text         names = WM_TEXT_INIT;
    int64_t         deadline_ms = p->w.job.cohort.deadline_ms;

    wm_run_progress_get(p->w.run, &progress);
    wm_run_waiting_for(p->w.run, 3, &names);
    assert_true(progress.accepted <= progress.cohort && progress.cohort <= p->w.record.n_population);
    assert_true(progress.left_ms >= 0 && progress.open_ms >= 0);
    if (progress.standing.phase <= WM_PHASE_EVALUATE && !p->w.patient) /* whatever the wall clock says */
        assert_true(progress.left_ms <= (deadline_ms > GRACE_MS ? deadline_ms : GRACE_MS));
    if (progress.accepted + progress.declined + progress.refused < progress.cohort)
        assert_true(names.size > 0);
    wm_text_release(&names);
}

void play_step_wild(play *p)
{
    size_t       k = (size_t)wm_rng_below(&p->rng, p->w.record.n_population);
    play_client *c = &p->clients[k];

    switch (wm_rng_below(&p->rng, 40)) {
    case 0:
        p->w.die_in = (int)play_between(p, 1, 6); /* at one of the next crash points */
        break;
    case 1:
        p->w.time.wall_ms += (int64_t)play_between(p, 0, 200000); /* between two of them */
        p->w.die_in = 0;
        play_revive(p);
        break;
    case 2:
        p->w.full = play_chance(p, 50);
        break;
    case 3:
        send_garbage(p, k);
        break;
    case 4:
        send_bad(p, k);
        break;
    case 5:
        c->gone = play_chance(p, 60);
        if (c->gone && play_chance(p, 40)) { /* and this time it is noticed */
            p->w.away_told++;
            wm_run_away(p->w.run, p->w.names[k]);
            play_died(p);
        }
        break;
    case 6:
        send_old(p, k);
        break;
    case 7:
        play_pass(p, p->w.job.cohort.deadline_ms);
        break;
    case 8:
        send_unasked(p, k);
        break;
    case 9:
        wm_run_refuse(p->w.run, p->w.names[k], "too long");
        play_died(p);
        break;
    case 10:
        stop(p);
        break;
    case 11:
        if (play_chance(p, 20))
            jump(p);
        break;
    case 12:
        if (play_chance(p, 20))
            lose_disk(p, k);
        break;
    case 13:
        answer_at_random(p, k);
        break;
    case 14:
        report_nonsense(p, k);
        break;
    case 15:
        look(p);
        break;
    case 16:
    case 17:
    case 18:
        play_pass(p, (int64_t)play_between(p, 0, 5000));
        break;
    case 19:
    case 20:
    case 21:
    case 22:
        play_deliver(p);
        break;
    default:
        play_client_acts(p, k);
    }
}
