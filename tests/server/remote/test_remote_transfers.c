/* tests/server/remote/test_remote_transfers.c
 *
 * What may be fetched, and how an update comes in. */
#include "tests/server/remote/scene.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(only_the_blobs_of_ones_task_can_be_fetched),
        SCENE(an_update_comes_in_by_ranges_and_counts_once),
        SCENE(what_does_not_hold_is_refused_by_name),
        SCENE(a_range_outside_of_the_update_is_refused),
        SCENE(who_finds_no_place_is_held_and_then_sent_away_for_a_while),
        SCENE(an_update_after_its_round_is_late_and_counted_once),
    };

    return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
