/* server/run/submission.c
 *
 * An update that is handed in. What costs time and needs nothing of the run (looking at its values) is done before
 * the lock is taken. */
#include "server/run/state.h"

#include "common/job/scaling.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A submission on its way. */
typedef struct submission {
    const char    *client;
    uint32_t       who;
    const uint8_t *bytes;
    size_t         n_bytes;
    wm_digest      digest;
    bool           readable; /* key is what the header says */
    wm_update_key  key;
    wm_update_key  want;   /* the task that was open when it was looked at */
    wm_status      checks; /* of the whole against `want` */
    wm_error       why;
    wm_update      update; /* points into bytes; valid if checks is WM_OK */
} submission;

/* Under the lock: the key of an update for the open task; kind 0 if none is wanted. */
static wm_update_key wanted_key(const wm_run *run)
{
    const wm_standing *at = wm_engine_standing(run->engine);
    wm_update_key      key = { 0 };

    memcpy(key.run, run->settings.record->id, WM_RUN_ID_SIZE);
    key.round = at->round;
    if (at->phase == WM_PHASE_STATISTICS)
        key.kind = WM_TASK_STATISTICS;
    if (at->phase == WM_PHASE_TRAIN) {
        key.kind = WM_TASK_TRAIN;
        key.model = at->model;
    }
    return key;
}

static bool same_key(const wm_update_key *a, const wm_update_key *b)
{
    return memcmp(a->run, b->run, WM_RUN_ID_SIZE) == 0 && a->kind == b->kind && a->round == b->round &&
           wm_digest_equal(&a->model, &b->model);
}

static const wm_update_spec *spec_of(const wm_run *run, wm_task_kind kind)
{
    return kind == WM_TASK_STATISTICS ? &run->statistics_spec : &run->train_spec;
}

/* Without the lock: hashes and checks against what was wanted a moment ago. */
static void look_at(const wm_run *run, submission *s)
{
    s->checks = wm_update_open(spec_of(run, s->want.kind), &s->want, (uint8_t *)(uintptr_t)s->bytes, s->n_bytes,
                               &s->update, &s->why); /* nobody writes through s->update, or releases it */
}

static wm_phase phase_of(const submission *s)
{
    return s->key.kind == WM_TASK_TRAIN ? WM_PHASE_TRAIN : WM_PHASE_STATISTICS;
}

/* The loss is in the update where its strategy has a part for it. */
static double loss_in(const wm_run *run, const submission *s, double loss)
{
    if (s->key.kind == WM_TASK_TRAIN && run->loss_part < run->train_spec.n_parts)
        return (double)*(const float *)s->update.values[run->loss_part];
    return loss;
}

/* Under the lock: what it is, as an event. A late or an early one is the engine's to name, whatever is in it. */
static wm_event event_of(const wm_run *run, const submission *s, double loss)
{
    wm_event event = { .kind = WM_EVENT_REFUSE, .client = s->who, .reason = s->why.text };
    bool     ours = s->readable && memcmp(s->key.run, s->want.run, WM_RUN_ID_SIZE) == 0 &&
                (s->key.kind == WM_TASK_TRAIN || s->key.kind == WM_TASK_STATISTICS);

    if (!ours)
        return event; /* garbage, or another run's: counted in the phase that is open */
    event.phase = phase_of(s);
    event.round = s->key.round;
    if (wm_engine_order(run->engine, event.phase, event.round) == 0 && s->checks != WM_OK)
        return event;
    event.kind = WM_EVENT_UPDATE;
    event.digest = s->digest;
    if (s->checks == WM_OK) {
        event.weight = s->update.weight;
        event.loss = loss_in(run, s, loss);
    }
    return event;
}

/* Under the lock: is it in a committed model already? */
static bool is_contained(const wm_run *run, const submission *s)
{
    const wm_contained *contained = &run->contained[s->who];

    return s->readable && s->key.kind == WM_TASK_TRAIN && s->key.round > 0 && contained->round == s->key.round &&
           wm_digest_equal(&contained->digest, &s->digest);
}

static wm_verdict take_in(wm_run *run, submission *s, double loss, wm_error *err)
{
    wm_event   event;
    wm_action  told;
    wm_verdict verdict;

    if (is_contained(run, s))
        return WM_VERDICT_ACCEPTED;
    event = event_of(run, s, loss);
    wm_run_tell(run, &event, &told);
    if (told.kind == WM_ACTION_FOLD) {
        assert(s->checks == WM_OK && same_key(&s->key, &s->want));
        if (wm_run_dies(run, "fold-before"))
            return wm_run_unheard(err);
        wm_accumulator_add(s->key.kind == WM_TASK_STATISTICS ? run->statistics_sums : run->train_sums, &s->update);
        if (wm_run_dies(run, "fold-after"))
            return wm_run_unheard(err);
    }
    verdict = wm_run_verdict(run, s->client, &told, err);
    wm_run_advance(run);
    return run->dead ? wm_run_unheard(err) : verdict;
}

wm_verdict wm_run_hand_in(wm_run *run, const char *client, const uint8_t *bytes, size_t n_bytes,
                          const wm_digest *digest, double loss, wm_error *err)
{
    submission s = { .client = client, .bytes = bytes, .n_bytes = n_bytes, .digest = *digest };
    wm_verdict verdict;

    if (!wm_run_find_client(run, client, &s.who))
        return wm_run_unknown_client(client, err);
    s.readable = wm_update_peek(bytes, n_bytes, &s.key);
    pthread_mutex_lock(&run->lock);
    for (bool looked = false; !run->dead;) {
        wm_update_key want = wanted_key(run);

        if (looked && same_key(&want, &s.want))
            break;
        s.want = want;
        looked = true;
        pthread_mutex_unlock(&run->lock);
        look_at(run, &s);
        pthread_mutex_lock(&run->lock); /* and once more, if the round has changed meanwhile */
    }
    verdict = run->dead ? wm_run_unheard(err) : take_in(run, &s, loss, err);
    wm_run_leave(run);
    return verdict;
}

wm_verdict wm_run_submit(wm_run *run, const char *client, uint8_t *bytes, size_t n_bytes, double loss,
                         wm_error *err)
{
    wm_digest  digest = wm_sha256_of(bytes, n_bytes);
    wm_verdict verdict = wm_run_hand_in(run, client, bytes, n_bytes, &digest, loss, err);

    free(bytes);
    return verdict;
}

size_t wm_run_update_size(wm_run *run, wm_task_kind kind)
{
    return kind == WM_TASK_STATISTICS ? run->statistics_size : run->train_size;
}
