/* tests/server/simulation/clients.c
 *
 * An honest client as client/gateway.c is one: it asks, works for a while, keeps its update on its disk, asks what became
 * of it, hands it in when it is wanted, and lets go of it when the server says so. It dies at each step, and its letters
 * are lost, repeated, delayed and reordered; whatever the server says to one that arrives must fit what it had said. */
#include "tests/server/simulation/play.h"

#include "tests/unit.h"

const char *const play_step_names[PLAY_STEPS] = { "client-training",     "client-keep-before",
                                                  "client-keep-after",   "client-upload-before",
                                                  "client-upload-after", "client-let-go-before",
                                                  "client-let-go-after" };

enum { WORK_MOST_MS = 20000 };

#define hold(truth)                                                                                             \
    do {                                                                                                        \
        if (!(truth))                                                                                           \
            fail_msg("seed %llu: not so: %s (%s:%d)", (unsigned long long)world_seed_in_work, #truth, __FILE__, \
                     __LINE__);                                                                                 \
    } while (0)

/* ---- its disk and its memory ---- */

static void forget(play_client *c)
{
    free(c->trained);
    c->trained = NULL;
    c->working = false;
}

static bool dies_at(play *p, size_t k, play_step step)
{
    if (!p->wild || !play_chance(p, 4))
        return false;
    p->tally->client_deaths[step]++;
    forget(&p->clients[k]);
    p->clients[k].gone = play_chance(p, 50); /* or back at once */
    return true;
}

static void let_go(play *p, size_t k)
{
    play_client *c = &p->clients[k];

    if (dies_at(p, k, PLAY_LET_GO_BEFORE))
        return;
    free(c->old);
    c->old = c->bytes;
    c->n_old = c->n;
    c->bytes = NULL;
    dies_at(p, k, PLAY_LET_GO_AFTER);
}

void play_clients_release(play *p)
{
    for (size_t k = 0; k < WORLD_CLIENTS_MAX; k++) {
        free(p->clients[k].bytes);
        free(p->clients[k].old);
        free(p->clients[k].trained);
    }
    while (p->n_letters > 0)
        free(p->letters[--p->n_letters].bytes);
}

/* ---- letters ---- */

/* The client's own good update, whenever it arrives: refused only if somebody has spoilt its seat before, or it is asked
 * for in the wrong tongue. */
static void arrive_update(play *p, const play_letter *letter)
{
    uint8_t      *copy = malloc(letter->n);
    wm_update_key key;
    wm_error      err = { 0 };
    wm_verdict    verdict;

    assert_non_null(copy);
    memcpy(copy, letter->bytes, letter->n);
    hold(wm_update_peek(copy, letter->n, &key));
    verdict = wm_run_submit(p->w.run, p->w.names[letter->client], copy, letter->n, 0.5, &err);
    if (play_died(p))
        return;
    p->tally->verdicts[LETTER_UPDATE][verdict]++;
    hold(verdict != WM_VERDICT_NONE && verdict != WM_VERDICT_DECLINED);
    if (verdict == WM_VERDICT_REFUSED && strstr(err.text, "already refused or declined") == NULL)
        fail_msg("seed %llu: a good update is refused: %s", (unsigned long long)world_seed_in_work, err.text);
    if (verdict == WM_VERDICT_LATE && key.kind == WM_TASK_TRAIN)
        hold(key.round <= p->w.standing.round);
}

static void arrive_report(play *p, const play_letter *letter)
{
    wm_evaluation results[WM_CONTENDERS];
    wm_error      err = { 0 };
    unsigned      present = world_report(&p->w, letter->client, letter->phase, letter->round, results);
    wm_verdict    verdict =
        wm_run_report(p->w.run, p->w.names[letter->client], letter->phase, letter->round, present, results, &err);

    if (play_died(p))
        return;
    p->tally->verdicts[LETTER_REPORT][verdict]++;
    if (verdict == WM_VERDICT_REFUSED && strstr(err.text, "already refused or declined") == NULL)
        fail_msg("seed %llu: a good evaluation is refused: %s", (unsigned long long)world_seed_in_work, err.text);
}

static void arrive(play *p, const play_letter *letter)
{
    switch (letter->kind) {
    case LETTER_UPDATE:
        arrive_update(p, letter);
        break;
    case LETTER_REPORT:
        arrive_report(p, letter);
        break;
    case LETTER_DECLINE:
        wm_run_decline(p->w.run, p->w.names[letter->client], letter->phase, letter->round, "not now");
        play_died(p);
    }
}

void play_deliver(play *p)
{
    size_t      i;
    play_letter letter;

    if (p->n_letters == 0)
        return;
    i = (size_t)wm_rng_below(&p->rng, p->n_letters);
    if (p->wild && play_chance(p, 15)) { /* the network keeps a copy */
        p->tally->repeated_letters++;
        arrive(p, &p->letters[i]);
        return;
    }
    letter = p->letters[i];
    p->letters[i] = p->letters[--p->n_letters];
    arrive(p, &letter);
    free(letter.bytes);
}

/* Takes letter->bytes over. */
static void post(play *p, const play_letter *letter)
{
    if (p->wild && play_chance(p, 10)) {
        p->tally->lost_letters++;
        free(letter->bytes);
        return;
    }
    while (p->n_letters == PLAY_LETTERS_MOST)
        play_deliver(p);
    p->letters[p->n_letters++] = *letter;
    if (p->wild && play_chance(p, 30))
        p->tally->late_letters++;
    else
        play_deliver(p);
}

/* ---- working ---- */

static void take_task(play *p, size_t k, const wm_task *task)
{
    play_client *c = &p->clients[k];

    if (p->wild && play_chance(p, 10))
        return; /* the link is cut before it heard */
    if (p->wild && play_chance(p, 5)) {
        post(p, &(play_letter){ LETTER_DECLINE, .client = k, .phase = task->phase, .round = task->round });
        return;
    }
    c->working = true;
    c->task = *task;
    c->done_ms = p->now_ms + (p->wild ? (int64_t)play_between(p, 0, WORK_MOST_MS) : 0);
    if (task->phase == WM_PHASE_STATISTICS || task->phase == WM_PHASE_TRAIN)
        c->trained = world_update(&p->w, k, task, &c->n_trained);
}

/* Its work is done: an update is kept before anybody hears of it, an evaluation is sent. */
static void finish(play *p, size_t k)
{
    play_client *c = &p->clients[k];

    if (c->trained == NULL) {
        play_letter letter = { LETTER_REPORT, .client = k, .phase = c->task.phase, .round = c->task.round };

        c->working = false;
        post(p, &letter);
        return;
    }
    if (dies_at(p, k, PLAY_KEEP_BEFORE))
        return;
    hold(c->bytes == NULL);
    c->bytes = c->trained;
    c->n = c->n_trained;
    c->trained = NULL;
    c->working = false;
    hold(wm_update_peek(c->bytes, c->n, &c->key));
    dies_at(p, k, PLAY_KEEP_AFTER);
}

/* ---- what became of the update on its disk ---- */

static void hand_in(play *p, size_t k)
{
    play_client *c = &p->clients[k];
    play_letter  letter = { LETTER_UPDATE, .client = k, .bytes = malloc(c->n), .n = c->n };

    assert_non_null(letter.bytes);
    memcpy(letter.bytes, c->bytes, c->n);
    if (dies_at(p, k, PLAY_UPLOAD_BEFORE)) {
        free(letter.bytes);
        return;
    }
    post(p, &letter);
    dies_at(p, k, PLAY_UPLOAD_AFTER);
}

static void ask_fate(play *p, size_t k)
{
    play_client *c = &p->clients[k];
    wm_fate      fate = wm_run_fate(p->w.run, p->w.names[k], &c->key);

    p->tally->fates[fate]++;
    switch (fate) {
    case WM_FATE_COMMITTED:
        hold(c->key.kind == WM_TASK_STATISTICS ? p->w.in_scaling[k] : play_is_contained(p, k, c->key.round));
        let_go(p, k);
        break;
    case WM_FATE_OVER:
        if (play_chance(p, 50))
            wm_run_late(p->w.run, p->w.names[k], &c->key);
        let_go(p, k);
        break;
    case WM_FATE_ACCEPTED:
        break;
    case WM_FATE_WANTED:
        hand_in(p, k);
    }
}

void play_client_acts(play *p, size_t k)
{
    play_client *c = &p->clients[k];
    int64_t      come_back_ms = 0;
    wm_task      task;

    if (c->gone || c->lost)
        return;
    if (c->working) {
        if (dies_at(p, k, PLAY_TRAINING) || p->now_ms < c->done_ms)
            return;
        finish(p, k);
    } else if (c->bytes != NULL) {
        ask_fate(p, k);
    } else {
        wm_answer answer = wm_run_ask(p->w.run, p->w.names[k], &task, &come_back_ms);

        if (play_died(p))
            return; /* at drawing it in another's place */
        hold(answer == WM_ANSWER_TASK ? task.left_ms >= 0 : come_back_ms >= 0);
        if (answer == WM_ANSWER_TASK)
            take_task(p, k, &task);
    }
}
