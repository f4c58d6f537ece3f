/* tests/server/test_store.c */
#include "tests/unit.h"

#include "common/text.h"
#include "server/store/audit.h"
#include "server/store/gateways.h"
#include "server/store/runs.h"
#include "server/store/schema.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a made-up run ---- */

static const uint8_t RUN[WM_RUN_ID_SIZE] = "run number one.", OTHER[WM_RUN_ID_SIZE] = "run number two.";
static char         *names[] = { "east", "north", "west" };

typedef struct fixture {
    char            folder[4096];
    wm_manual_clock now;
    wm_store       *store;
} fixture;

static char *inside(const fixture *f, const char *name)
{
    return wm_path_join(f->folder, name);
}

static wm_status try_open(fixture *f, wm_error *err)
{
    return wm_store_open(wm_files_system(), f->folder, wm_clock_manual(&f->now), &f->store, err);
}

static void reopen(fixture *f)
{
    wm_error err;

    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(try_open(f, &err), &err);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    wm_error err;

    assert_non_null(f);
    f->now.wall_ms = 1700000000000;
    wm_test_folder(f->folder);
    assert_ok(try_open(f, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    wm_error err;

    wm_store_close(f->store);
    assert_ok(wm_folder_remove(f->folder, &err), &err);
    free(f);
    return 0;
}

static wm_run_record run_record(const uint8_t *id, int64_t keep)
{
    wm_run_record run = { .job_name = "air",
                          .job_text = "job: air\nseed: 18446744073709551615\n",
                          .seed = UINT64_MAX,
                          .rounds = 30,
                          .keep = keep,
                          .started_wall_ms = 1699999999000,
                          .population = names,
                          .n_population = 3 };

    memcpy(run.id, id, WM_RUN_ID_SIZE);
    return run;
}

static wm_digest put(wm_store *store, const char *text)
{
    wm_digest digest;
    wm_error  err;

    assert_ok(wm_blobs_put(wm_store_blobs(store), text, strlen(text), &digest, &err), &err);
    return digest;
}

static wm_digest blob_of(wm_store *store, const char *what, unsigned round)
{
    char text[64];

    snprintf(text, sizeof text, "%s after round %u", what, round);
    return put(store, text);
}

static wm_standing standing_at(wm_store *store, wm_phase phase, uint32_t round)
{
    return (wm_standing){ .phase = phase,
                          .round = round,
                          .attempt = 2,
                          .opened_wall_ms = 1700000000000 + round,
                          .model = blob_of(store, "model", round),
                          .evaluations_without_gain = 1,
                          .best_loss = (double)NAN };
}

/* Round 1 and on: east accepted, north refused, west silent. */
static wm_round_record round_record(wm_store *store, uint32_t round, wm_contribution contributions[3])
{
    contributions[0] = (wm_contribution){ .client = 0,
                                          .verdict = WM_VERDICT_ACCEPTED,
                                          .digest = wm_sha256_of(&round, sizeof round),
                                          .weight = 1000,
                                          .loss = 0.25,
                                          .seconds = 1.5 };
    contributions[1] = (wm_contribution){ .client = 1,
                                          .verdict = WM_VERDICT_REFUSED,
                                          .reason = "update: part \"delta\" is not finite at 7",
                                          .loss = (double)NAN };
    contributions[2] = (wm_contribution){ .client = 2, .verdict = WM_VERDICT_NONE, .loss = (double)NAN };
    return (wm_round_record){ .round = round,
                              .attempts = 1,
                              .opened_wall_ms = 1700000000000 + round,
                              .seconds = 2.5,
                              .selected = 3,
                              .accepted = 1,
                              .refused = 1,
                              .train_loss = 0.25,
                              .bytes_up = (uint64_t)INT64_MAX + 5,
                              .bytes_down = 77,
                              .model_before = blob_of(store, "model", round - 1),
                              .model_after = blob_of(store, "model", round),
                              .sums = blob_of(store, "sums", round),
                              .total_weight = 1000,
                              .contributions = contributions,
                              .n_contributions = 3 };
}

static wm_final_record final_record(wm_result clients[3 * WM_CONTENDERS])
{
    wm_final_record final = { .clients = clients };

    memset(clients, 0, 3 * WM_CONTENDERS * sizeof *clients);
    final.together[WM_FEDERATED] = (wm_result){ .present = true, .examples = 9, .loss = 0.5, .metrics = { 1.25 } };
    final.together[WM_NAIVE] =
        (wm_result){ .present = true, .examples = 9, .loss = (double)NAN, .metrics = { 2.5 } };
    clients[1 * WM_CONTENDERS + WM_ALONE] =
        (wm_result){ .present = true, .examples = 3, .loss = 0.75, .metrics = { 1.5, 0.125 } };
    return final;
}

/* ---- the transitions of a run, one after the other ---- */

static wm_status do_queue(wm_store *store, wm_error *err)
{
    wm_queued_job job = { .job_name = "air", .job_text = "job: air\n", .seed = 7 };

    memcpy(job.id, RUN, sizeof job.id);
    return wm_store_queue_add(store, &job, err);
}

static wm_status do_start(wm_store *store, wm_error *err)
{
    wm_run_record run = run_record(RUN, 0);
    wm_standing   first = standing_at(store, WM_PHASE_NONE, 0);

    return wm_store_ledger(store)->start(wm_store_ledger(store), &run, &first, err);
}

static wm_status do_open(wm_store *store, wm_error *err)
{
    wm_standing standing = standing_at(store, WM_PHASE_STATISTICS, 0);

    return wm_store_ledger(store)->open(wm_store_ledger(store), RUN, &standing, err);
}

static wm_status do_scaled(wm_store *store, wm_error *err)
{
    wm_standing     standing = standing_at(store, WM_PHASE_TRAIN, 1);
    wm_contribution contributions[2] = { { .client = 0, .verdict = WM_VERDICT_ACCEPTED, .weight = 5 },
                                         { .client = 2, .verdict = WM_VERDICT_DECLINED, .reason = "few rows" } };

    standing.scaling = put(store, "scaling");
    return wm_store_ledger(store)->scaled(wm_store_ledger(store), RUN, &standing, contributions, 2, err);
}

static wm_status commit_of(wm_store *store, const uint8_t *run, uint32_t round, wm_error *err)
{
    wm_contribution contributions[3];
    wm_round_record record = round_record(store, round, contributions);
    wm_standing     standing = standing_at(store, WM_PHASE_EVALUATE, round);

    standing.scaling = put(store, "scaling");
    return wm_store_ledger(store)->commit(wm_store_ledger(store), run, &standing, &record, err);
}

static wm_status do_commit(wm_store *store, wm_error *err)
{
    return commit_of(store, RUN, 1, err);
}

static wm_status do_evaluated(wm_store *store, wm_error *err)
{
    wm_contribution contributions[3];
    wm_round_record record = round_record(store, 1, contributions);
    wm_standing     standing = standing_at(store, WM_PHASE_TRAIN, 2);

    record.seconds = 4;
    record.late = 1;
    record.evaluated = true;
    record.evaluation =
        (wm_result){ .present = true, .examples = 12, .loss = 0.5, .metrics = { 3.5, (double)NAN } };
    contributions[2].verdict = WM_VERDICT_LATE;
    contributions[0].verdict = WM_VERDICT_REFUSED; /* must not undo what is folded */
    standing.best_loss = 0.5;
    return wm_store_ledger(store)->evaluated(wm_store_ledger(store), RUN, &standing, &record, err);
}

static wm_status do_close(wm_store *store, wm_error *err)
{
    wm_result       clients[3 * WM_CONTENDERS];
    wm_final_record final = final_record(clients);
    wm_standing     standing = standing_at(store, WM_PHASE_CLOSED, 1);

    standing.outcome = WM_OUTCOME_EARLY;
    snprintf(standing.why, sizeof standing.why, "no better loss in 3 evaluations");
    return wm_store_ledger(store)->close(wm_store_ledger(store), RUN, &standing, &final, err);
}

static wm_status do_certificate(wm_store *store, wm_error *err)
{
    return wm_store_certificate(store, "north", "0a1b", 1800000000000, err);
}

static wm_status do_sightings(wm_store *store, wm_error *err)
{
    wm_sighting sightings[2] = {
        { .name = "north", .last_seen_ms = 5000, .rows = 420 },
        { .name = "west", .last_seen_ms = 6000, .refused_ms = 6000, .refusal = "expired" }
    };

    return wm_store_sightings(store, sightings, 2, err);
}

static wm_status do_revoke(wm_store *store, wm_error *err)
{
    return wm_store_revoke(store, "north", "stolen", err);
}

static wm_status do_queue_other(wm_store *store, wm_error *err)
{
    wm_queued_job job = { .job_name = "noise", .job_text = "job: noise\n" };

    memcpy(job.id, OTHER, sizeof job.id);
    return wm_store_queue_add(store, &job, err);
}

static wm_status do_unqueue(wm_store *store, wm_error *err)
{
    return wm_store_queue_remove(store, OTHER, err);
}

static const struct {
    const char *name; /* as in the crash points */
    wm_status (*deed)(wm_store *store, wm_error *err);
    bool audited;
} transitions[] = {
    { "queue", do_queue, true },
    { "start", do_start, true },
    { "open", do_open, true },
    { "scaled", do_scaled, true },
    { "commit", do_commit, true },
    { "evaluated", do_evaluated, true },
    { "close", do_close, true },
    { "certificate", do_certificate, true },
    { "sightings", do_sightings, false },
    { "revoke", do_revoke, true },
    { "queue", do_queue_other, true },
    { "unqueue", do_unqueue, true },
};

enum { N_TRANSITIONS = sizeof transitions / sizeof *transitions };

static void perform(fixture *f, size_t upto)
{
    wm_error err;

    for (size_t i = 0; i < upto; i++) {
        f->now.wall_ms += 1000;
        assert_ok(transitions[i].deed(f->store, &err), &err);
    }
}

/* ---- everything that the store would answer, as a text ---- */

static void say_digest(wm_text *text, const wm_digest *digest)
{
    char hex[WM_DIGEST_TEXT];

    wm_text_printf(text, " %.8s", wm_digest_is_zero(digest) ? "-" : wm_digest_text(digest, hex));
}

static void say_result(wm_text *text, const wm_result *r)
{
    if (r->present)
        wm_text_printf(text, " (%llu %g %g %g)", (unsigned long long)r->examples, r->loss, r->metrics[0],
                       r->metrics[1]);
}

static void say_round(void *context, const wm_round_record *r)
{
    wm_text *text = context;

    wm_text_printf(text, "round %u %u %lld %g %u %u %u %u %g %llu %llu w%llu", r->round, r->attempts,
                   (long long)r->opened_wall_ms, r->seconds, r->selected, r->accepted, r->refused, r->late,
                   r->train_loss, (unsigned long long)r->bytes_up, (unsigned long long)r->bytes_down,
                   (unsigned long long)r->total_weight);
    say_digest(text, &r->model_before);
    say_digest(text, &r->model_after);
    say_digest(text, &r->sums);
    say_digest(text, &r->server_state);
    if (r->evaluated)
        say_result(text, &r->evaluation);
    for (size_t i = 0; i < r->n_contributions; i++) {
        const wm_contribution *c = &r->contributions[i];

        wm_text_printf(text, "\n  %u %s \"%s\" %llu %g %g", c->client, wm_verdict_name(c->verdict), c->reason,
                       (unsigned long long)c->weight, c->loss, c->seconds);
        say_digest(text, &c->digest);
    }
    wm_text_add(text, "\n");
}

static void say_run(void *context, const wm_run_entry *r)
{
    wm_text *text = context;
    char     id[WM_RUN_TEXT];

    wm_text_printf(text, "run %s %s %llu %u %lld %lld %s %u/%u %lld %g %s \"%s\" of %zu", wm_run_id_text(r->id, id),
                   r->job_name, (unsigned long long)r->seed, r->rounds, (long long)r->started_ms,
                   (long long)r->ended_ms, wm_phase_name(r->standing.phase), r->standing.round, r->standing.attempt,
                   (long long)r->standing.opened_wall_ms, r->standing.best_loss,
                   wm_outcome_name(r->standing.outcome), r->standing.why, r->n_population);
    say_digest(text, &r->standing.model);
    say_digest(text, &r->standing.scaling);
    wm_text_add(text, "\n");
}

static void say_job(void *context, const wm_queued_job *job)
{
    wm_text_printf(context, "waits %s %s %llu\n", job->job_name, job->job_text, (unsigned long long)job->seed);
}

static void say_gateway(void *context, const wm_gateway *g)
{
    wm_text_printf(context, "gateway %s %s %lld %lld %lld %lld \"%s\" %llu %lld\n", g->name, g->serial,
                   (long long)g->not_after_ms, (long long)g->enrolled_ms, (long long)g->last_seen_ms,
                   (long long)g->refused_ms, g->refusal, (unsigned long long)g->rows, (long long)g->revoked_ms);
}

static void say_line(void *context, const wm_audit_line *line)
{
    wm_text_printf(context, "%llu %lld %s %s", (unsigned long long)line->line, (long long)line->wall_ms, line->what,
                   line->detail);
    say_digest(context, &line->hash);
    wm_text_add(context, "\n");
}

static char *everything(wm_store *store)
{
    wm_text         text = WM_TEXT_INIT;
    wm_final_record final;
    wm_error        err;

    assert_ok(wm_store_runs(store, say_run, &text, &err), &err);
    assert_ok(wm_store_ledger(store)->rounds(wm_store_ledger(store), RUN, say_round, &text, &err), &err);
    if (wm_store_final(store, RUN, &final, &err) == WM_OK) {
        for (int c = 0; c < WM_CONTENDERS; c++)
            say_result(&text, &final.together[c]);
        for (int i = 0; i < 3 * WM_CONTENDERS; i++)
            say_result(&text, &final.clients[i]);
        free(final.clients);
    } else
        assert_int_equal(err.status, WM_E_MISSING);
    assert_ok(wm_store_queue(store, say_job, &text, &err), &err);
    assert_ok(wm_store_gateways(store, say_gateway, &text, &err), &err);
    assert_ok(wm_store_audit_each(store, say_line, &text, &err), &err);
    assert_ok(wm_store_audit_verify(store, NULL, &err), &err);
    assert_false(text.bad);
    return text.chars != NULL ? text.chars : strdup("");
}

/* ---- what is kept ---- */

static void every_transition_survives_reopening(void **state)
{
    fixture *f = *state;
    char    *before, *after;

    for (size_t i = 0; i < N_TRANSITIONS; i++) {
        wm_error      err;
        wm_audit_head was, is;

        f->now.wall_ms += 1000;
        assert_ok(wm_store_audit_head(f->store, &was, &err), &err);
        assert_ok(transitions[i].deed(f->store, &err), &err);
        assert_ok(wm_store_audit_head(f->store, &is, &err), &err);
        assert_case(transitions[i].name, is.lines == was.lines + transitions[i].audited);
        before = everything(f->store);
        reopen(f);
        after = everything(f->store);
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
}

static void count_rounds(void *context, const wm_round_record *round)
{
    (void)round;
    ++*(int *)context;
}

static void keep_round(void *context, const wm_round_record *round)
{
    wm_contribution *was = context;

    assert_int_equal(round->n_contributions, 3);
    memcpy(was, round->contributions, 3 * sizeof *was);
    assert_true(round->bytes_up == (uint64_t)INT64_MAX + 5);
    assert_true(round->seconds == 4);
    assert_int_equal(round->late, 1);
    assert_true(round->evaluated && round->evaluation.metrics[0] == 3.5 && isnan(round->evaluation.metrics[1]));
}

static void what_comes_back_is_what_was_told(void **state)
{
    fixture        *f = *state;
    wm_ledger      *ledger = wm_store_ledger(f->store);
    wm_error        err;
    wm_standing     standing;
    wm_contribution was[3];
    wm_run_record  *run;
    wm_final_record final;
    wm_digest       scaling = wm_sha256_of("scaling", 7);
    int             rounds = 0;

    assert_int_equal(ledger->load(ledger, RUN, &standing, &err), WM_E_MISSING);
    perform(f, 6);
    assert_ok(ledger->rounds(ledger, RUN, keep_round, was, &err), &err);
    assert_int_equal(was[0].verdict, WM_VERDICT_ACCEPTED);
    assert_true(was[0].weight == 1000 && was[0].loss == 0.25 && was[0].seconds == 1.5);
    assert_int_equal(was[1].verdict, WM_VERDICT_REFUSED);
    assert_string_equal(was[1].reason, "update: part \"delta\" is not finite at 7");
    assert_int_equal(was[2].verdict, WM_VERDICT_LATE);
    assert_ok(ledger->load(ledger, RUN, &standing, &err), &err);
    assert_int_equal(standing.phase, WM_PHASE_TRAIN);
    assert_int_equal(standing.round, 2);
    assert_int_equal(standing.attempt, 2);
    assert_true(standing.best_loss == 0.5);
    assert_ok(ledger->rounds(ledger, OTHER, count_rounds, &rounds, &err), &err);
    assert_int_equal(rounds, 0);

    assert_ok(do_close(f->store, &err), &err);
    assert_ok(ledger->load(ledger, RUN, &standing, &err), &err);
    assert_int_equal(standing.outcome, WM_OUTCOME_EARLY);
    assert_string_equal(standing.why, "no better loss in 3 evaluations");
    assert_true(wm_digest_is_zero(&standing.scaling) || wm_digest_equal(&standing.scaling, &scaling));

    assert_ok(wm_store_run_record(f->store, RUN, &run, &err), &err);
    assert_true(run->seed == UINT64_MAX && run->rounds == 30 && run->keep == 0 && run->n_population == 3);
    assert_string_equal(run->job_text, "job: air\nseed: 18446744073709551615\n");
    assert_string_equal(run->population[2], "west");
    wm_store_run_record_free(run);
    assert_int_equal(wm_store_run_record(f->store, OTHER, &run, &err), WM_E_MISSING);

    assert_ok(wm_store_final(f->store, RUN, &final, &err), &err);
    assert_true(final.together[WM_FEDERATED].present && final.together[WM_FEDERATED].metrics[0] == 1.25);
    assert_true(final.together[WM_NAIVE].present && isnan(final.together[WM_NAIVE].loss));
    assert_false(final.together[WM_POOLED].present);
    assert_true(final.clients[1 * WM_CONTENDERS + WM_ALONE].metrics[1] == 0.125);
    assert_false(final.clients[2 * WM_CONTENDERS + WM_ALONE].present);
    free(final.clients);
}

static void what_was_done_or_never_begun_is_refused_and_changes_nothing(void **state)
{
    fixture *f = *state;
    char    *before, *after;
    wm_error err;
    size_t   i;
    static const struct {
        const char *says;
        wm_status (*deed)(wm_store *store, wm_error *err);
        wm_status want;
    } cases[] = {
        { "a run is started once", do_start, WM_E_EXISTS },
        { "a started job does not go back to the queue", do_queue, WM_E_EXISTS },
        { "a closed run is not opened", do_open, WM_E_MISSING },
        { "a closed run commits nothing", do_commit, WM_E_MISSING },
        { "a run is closed once", do_close, WM_E_MISSING },
        { "a serial is issued once, and never to a revoked name", do_certificate, WM_E_REFUSED },
        { "a job that does not wait cannot be taken off the queue", do_unqueue, WM_E_MISSING },
    };

    perform(f, N_TRANSITIONS);
    before = everything(f->store);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_case(cases[i].says, cases[i].deed(f->store, &err) == cases[i].want);
        after = everything(f->store);
        assert_case(cases[i].says, strcmp(before, after) == 0);
        free(after);
    }
    free(before);
}

static void keep_evaluation(void *context, const wm_round_record *round)
{
    wm_round_record *was = context;

    was->evaluated = round->evaluated;
    was->evaluation = round->evaluation;
}

static void an_evaluation_that_nobody_took_part_in_has_no_figures(void **state)
{
    fixture        *f = *state;
    wm_contribution contributions[3];
    wm_round_record record = round_record(f->store, 1, contributions), was;
    wm_standing     standing = standing_at(f->store, WM_PHASE_TRAIN, 2);
    wm_ledger      *ledger = wm_store_ledger(f->store);
    wm_error        err;

    perform(f, 5);
    record.evaluated = true;
    assert_ok(ledger->evaluated(ledger, RUN, &standing, &record, &err), &err);
    assert_ok(ledger->rounds(ledger, RUN, keep_evaluation, &was, &err), &err);
    assert_true(was.evaluated);
    assert_false(was.evaluation.present);
}

static void a_round_is_committed_once(void **state)
{
    fixture *f = *state;
    wm_error err;
    int      rounds = 0;

    perform(f, 5);
    assert_int_equal(do_commit(f->store, &err), WM_E_EXISTS);
    assert_ok(wm_store_ledger(f->store)->rounds(wm_store_ledger(f->store), RUN, count_rounds, &rounds, &err), &err);
    assert_int_equal(rounds, 1);
}

static void the_start_of_a_job_takes_it_off_the_queue(void **state)
{
    fixture *f = *state;
    wm_text  text = WM_TEXT_INIT;
    wm_error err;

    perform(f, 1);
    assert_ok(wm_store_queue(f->store, say_job, &text, &err), &err);
    assert_string_equal(wm_text_chars(&text), "waits air job: air\n 7\n");
    wm_text_release(&text);
    assert_ok(do_start(f->store, &err), &err);
    assert_ok(wm_store_queue(f->store, say_job, &text, &err), &err);
    assert_string_equal(wm_text_chars(&text), "");
    wm_text_release(&text);
}

static void a_revoked_name_gets_no_certificate(void **state)
{
    fixture *f = *state;
    wm_error err;

    assert_int_equal(do_revoke(f->store, &err), WM_E_MISSING);
    assert_ok(do_certificate(f->store, &err), &err);
    assert_ok(wm_store_certificate(f->store, "north", "0a1c", 1900000000000, &err), &err);
    assert_ok(do_revoke(f->store, &err), &err);
    assert_ok(do_revoke(f->store, &err), &err);
    assert_int_equal(wm_store_certificate(f->store, "north", "0a1d", 1900000000000, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "was revoked on 2023-11-14"));
}

static void keep_gateway(void *context, const wm_gateway *g)
{
    wm_text *text = context;

    wm_text_printf(text, "%s seen %lld refused %lld %s rows %llu\n", g->name, (long long)g->last_seen_ms,
                   (long long)g->refused_ms, g->refusal, (unsigned long long)g->rows);
}

static void sightings_add_up_whatever_their_order(void **state)
{
    fixture    *f = *state;
    wm_text     text = WM_TEXT_INIT;
    wm_error    err;
    wm_sighting early = { .name = "west", .last_seen_ms = 10, .refused_ms = 10, .refusal = "old", .rows = 3 };
    wm_sighting late = { .name = "west", .last_seen_ms = 20, .refused_ms = 15, .refusal = "new" };

    assert_ok(wm_store_sightings(f->store, &late, 1, &err), &err);
    assert_ok(wm_store_sightings(f->store, &early, 1, &err), &err);
    assert_ok(wm_store_sightings(f->store, NULL, 0, &err), &err);
    assert_ok(wm_store_gateways(f->store, keep_gateway, &text, &err), &err);
    assert_string_equal(wm_text_chars(&text), "west seen 20 refused 15 new rows 3\n");
    wm_text_release(&text);
}

static void the_latest_wall_time_is_that_of_the_latest_commit(void **state)
{
    fixture *f = *state;
    wm_error err;
    int64_t  latest;

    assert_ok(wm_store_latest_ms(f->store, &latest, &err), &err);
    assert_int_equal(latest, 0);
    f->now.wall_ms = 1700000005000;
    assert_ok(do_queue(f->store, &err), &err);
    f->now.wall_ms = 1600000000000;
    assert_ok(do_start(f->store, &err), &err);
    reopen(f);
    assert_ok(wm_store_latest_ms(f->store, &latest, &err), &err);
    assert_int_equal(latest, 1700000005000);
}

static void *many_certificates(void *context)
{
    fixture *f = context;
    char     serial[32];

    for (int i = 0; i < 40; i++) {
        snprintf(serial, sizeof serial, "%lx-%d", (unsigned long)pthread_self(), i);
        if (wm_store_certificate(f->store, "north", serial, 1900000000000, NULL) != WM_OK)
            return f;
    }
    return NULL;
}

static void threads_may_call_it_at_once(void **state)
{
    fixture      *f = *state;
    pthread_t     threads[3];
    wm_audit_head head;
    wm_error      err;
    void         *failed;

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_certificates, f), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_ok(wm_store_audit_verify(f->store, &head, &err), &err);
    assert_int_equal(head.lines, 120);
}

/* ---- kill -9 ---- */

static void a_death_at_any_crash_point_leaves_all_or_nothing(void **state)
{
#ifdef WM_CRASH_POINTS
    fixture *f = *state;
    wm_error err;

    for (size_t i = 0; i < N_TRANSITIONS; i++) {
        for (int after = 0; after < 2; after++) {
            char *before, *now, wish[64];
            int   how;
            pid_t child;

            before = everything(f->store);
            wm_store_close(f->store); /* the lock is the child's turn */
            f->store = NULL;
            f->now.wall_ms += 1000;
            snprintf(wish, sizeof wish, "store-%s-%s", transitions[i].name, after ? "after" : "before");
            child = fork();
            if (child == 0) {
                setenv("WARDMOTE_CRASH", wish, 1);
                if (try_open(f, NULL) == WM_OK)
                    (void)transitions[i].deed(f->store, NULL);
                _exit(0);
            }
            assert_int_equal(waitpid(child, &how, 0), child);
            assert_case(wish, WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
            assert_ok(try_open(f, &err), &err);
            now = everything(f->store);
            assert_case(wish, (strcmp(before, now) != 0) == (after != 0));
            free(before);
            free(now);
        }
    }
#else
    (void)state;
    leave_out("a release has no crash points");
#endif
}

static void a_death_in_the_first_opening_leaves_a_store_that_opens(void **state)
{
#ifdef WM_CRASH_POINTS
    static const char *const points[] = { "store-schema-before", "store-schema-after" };
    fixture                 *f = *state;
    wm_error                 err;

    for (size_t i = 0; i < 2; i++) {
        int   how;
        pid_t child;

        wm_store_close(f->store);
        f->store = NULL;
        assert_ok(wm_folder_remove(f->folder, &err), &err);
        child = fork();
        if (child == 0) {
            setenv("WARDMOTE_CRASH", points[i], 1);
            (void)try_open(f, NULL);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_case(points[i], WIFSIGNALED(how));
        assert_ok(try_open(f, &err), &err);
        assert_ok(do_queue(f->store, &err), &err);
    }
#else
    (void)state;
    leave_out("a release has no crash points");
#endif
}

/* ---- the audit ---- */

static void run_sql(const fixture *f, const char *sql)
{
    char    *path = inside(f, "store.db");
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
    free(path);
}

static void the_audit_names_the_first_line_that_does_not_hold(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *says, *sql, *sentence;
    } cases[] = {
        { "a changed letter", "UPDATE audit SET detail = replace(detail, 'seed=7', 'seed=8') WHERE line = 1",
          "audit line 1 (queue) is not what was written" },
        { "a changed time", "UPDATE audit SET wall_ms = wall_ms + 1 WHERE line = 4", "audit line 4 (scaled)" },
        { "a changed word", "UPDATE audit SET what = 'closed' WHERE line = 7", "audit line 7 (closed)" },
        { "a run taken off", "UPDATE audit SET run = NULL WHERE line = 3", "audit line 3 (open)" },
        { "a letter moved from one field to the next",
          "UPDATE audit SET what = 'ope', detail = 'n' || detail WHERE line = 3", "audit line 3 (ope)" },
        { "a flipped bit of a hash", "UPDATE audit SET hash = randomblob(32) WHERE line = 5",
          "audit line 5 (commit)" },
        { "a removed line", "DELETE FROM audit WHERE line = 6", "audit line 6 is missing" },
        { "a removed first line", "DELETE FROM audit WHERE line = 1", "audit line 1 is missing" },
        { "a removed last line", "DELETE FROM audit WHERE line = (SELECT max(line) FROM audit)",
          "audit line 11 is missing" },
        { "two lines that changed places",
          "UPDATE audit SET line = -2 WHERE line = 2; UPDATE audit SET line = 2 WHERE line = 3;"
          "UPDATE audit SET line = 3 WHERE line = -2",
          "audit line 2 (open)" },
        { "a line that was put in",
          "INSERT INTO audit SELECT 12, wall_ms, run, what, detail, hash FROM audit WHERE line = 11",
          "audit line 12 (unqueue)" },
        { "a round whose weights were changed",
          "UPDATE contributions SET weight = 999 WHERE round = 1 AND client = 0",
          "round 1 is not what audit line 5 says" },
        { "a refused update that became accepted",
          "UPDATE contributions SET verdict = 1 WHERE round = 1 AND client = 1",
          "round 1 is not what audit line 5" },
        { "another model", "UPDATE rounds SET model_after = randomblob(32)",
          "round 1 is not what audit line 5 says" },
        { "a removed round", "PRAGMA foreign_keys = OFF; DELETE FROM rounds",
          "round 1 is missing, of which audit line 5 says" },
        { "a round that nobody committed",
          "INSERT INTO rounds SELECT run, 2, attempts, opened_ms, seconds, selected, accepted, refused, "
          "late, train_loss, "
          "bytes_up, bytes_down, model_before, model_after, sums, server_state, total_weight, evaluated FROM "
          "rounds",
          "has 2 rounds, but its audit tells of 1" },
    };
    wm_error      err;
    wm_audit_head head;
    char         *db = inside(f, "store.db");
    uint8_t      *whole;
    size_t        n;

    perform(f, N_TRANSITIONS);
    assert_ok(wm_store_audit_verify(f->store, &head, &err), &err);
    assert_int_equal(head.lines, 11);
    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(wm_files_system()->read(wm_files_system(), db, 1 << 24, &whole, &n, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_sql(f, cases[i].sql);
        assert_ok(try_open(f, &err), &err);
        assert_case(cases[i].says, wm_store_audit_verify(f->store, NULL, &err) == WM_E_DAMAGED);
        if (strstr(err.text, cases[i].sentence) == NULL)
            fail_msg("%s: %s", cases[i].says, err.text);
        wm_store_close(f->store);
        f->store = NULL;
        assert_ok(wm_files_system()->replace(wm_files_system(), db, whole, n, 0600, &err), &err);
    }
    free(whole);
    free(db);
}

/* The chain by hand: SHA-256 over 32 zero bytes, line 1, its time, no run, "certificate", and the detail;
 * computed with Python's hashlib. */
static void the_chain_is_the_one_that_the_header_tells(void **state)
{
    fixture      *f = *state;
    wm_error      err;
    wm_audit_head head;
    char          text[WM_DIGEST_TEXT];

    assert_ok(do_certificate(f->store, &err), &err);
    assert_ok(wm_store_audit_head(f->store, &head, &err), &err);
    assert_int_equal(head.lines, 1);
    assert_string_equal(wm_digest_text(&head.hash, text),
                        "2a9638504e9894b03e89c431c8c93745e7513ef432abac2e66819bb2947a4ca6");
}

/* ---- one process, sound files ---- */

static void two_processes_never_have_it_open(void **state)
{
    fixture  *f = *state;
    wm_store *second = NULL;
    wm_error  err;
    char      pid[32];

    assert_int_equal(wm_store_open(wm_files_system(), f->folder, wm_clock_system(), &second, &err), WM_E_REFUSED);
    assert_null(second);
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_ok(do_queue(f->store, &err), &err);
    reopen(f);
}

static void another_program_with_the_database_open_is_told(void **state)
{
    fixture *f = *state;
    wm_error err;
    char    *path = inside(f, "store.db");
    sqlite3 *db;

    wm_store_close(f->store);
    f->store = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(try_open(f, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "another program holds it"));
    sqlite3_close(db);
    assert_ok(try_open(f, &err), &err);
    free(path);
}

static void nobody_else_may_read_it(void **state)
{
    static const char *const files[] = { "store.db", "store.db-wal", "lock", "blobs" };
    fixture                 *f = *state;
    struct stat              info;
    wm_error                 err;
    char                    *db = inside(f, "store.db");

    perform(f, N_TRANSITIONS);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = inside(f, files[i]);

        assert_int_equal(stat(path, &info), 0);
        assert_case(files[i], (info.st_mode & 077) == 0);
        free(path);
    }
    wm_store_close(f->store);
    f->store = NULL;
    assert_int_equal(chmod(db, 0644), 0); /* as it was made once */
    assert_ok(try_open(f, &err), &err);
    assert_int_equal(stat(db, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    free(db);
}

static void an_older_file_takes_the_steps_that_it_lacks(void **state)
{
    static const char *const steps[] = { "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (5)",
                                         "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 6",
                                         "CREATE TABLE b AS SELECT x + y AS z FROM a", "CREATE TABEL c (oops)" };
    fixture                 *f = *state;
    char                    *path = inside(f, "old.db");
    wm_error                 err;
    wm_db                    db;
    int64_t                  z = 0, version = 0;

    for (size_t known = 1; known <= 3; known++) {
        assert_ok(wm_db_open(path, &db, &err), &err);
        assert_ok(wm_schema_apply(&db, steps, known, &err), &err);
        wm_db_close(&db);
    }
    assert_ok(wm_db_open(path, &db, &err), &err);
    assert_ok(wm_db_number(&db, "SELECT z FROM b", &z, &err), &err);
    assert_int_equal(z, 11);
    assert_int_equal(wm_schema_apply(&db, steps, 2, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "newer wardmote (version 3 of its tables, this program knows 2)"));
    assert_int_not_equal(wm_schema_apply(&db, steps, 4, &err), WM_OK);
    assert_ok(wm_db_number(&db, "PRAGMA user_version", &version, &err), &err);
    assert_int_equal(version, 3);
    wm_db_close(&db);
    free(path);
}

static void a_database_of_another_program_is_left_alone(void **state)
{
    fixture *f = *state;
    wm_error err;

    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(wm_folder_remove(f->folder, &err), &err);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), f->folder, 0700, &err), &err);
    run_sql(f, "CREATE TABLE photos (name TEXT)");
    assert_int_equal(try_open(f, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, "another program"));
    run_sql(f, "INSERT INTO photos VALUES ('still here')");
}

static void a_damaged_file_is_said_so_and_never_a_crash(void **state)
{
    fixture *f = *state;
    wm_error err;
    char    *db = inside(f, "store.db");
    uint8_t *whole, *bad;
    size_t   n, refused = 0;

    perform(f, N_TRANSITIONS);
    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(wm_files_system()->read(wm_files_system(), db, 1 << 24, &whole, &n, &err), &err);
    bad = malloc(n);
    assert_non_null(bad);
    for (size_t page = 0; page < n / 4096; page++) {
        memcpy(bad, whole, n);
        for (size_t i = 0; i < 64; i++)
            bad[page * 4096 + i] ^= 0x5a;
        assert_ok(wm_files_system()->replace(wm_files_system(), db, bad, n, 0600, &err), &err);
        if (try_open(f, &err) != WM_OK) {
            assert_int_equal(err.status, WM_E_DAMAGED);
            refused++;
        }
        wm_store_close(f->store);
        f->store = NULL;
    }
    assert_int_equal(refused, n / 4096);
    assert_ok(wm_files_system()->replace(wm_files_system(), db, whole, n / 2, 0600, &err), &err);
    assert_int_equal(try_open(f, &err), WM_E_DAMAGED);
    free(whole);
    free(bad);
    free(db);
}

static wm_status queue_large(wm_store *store, unsigned i, wm_error *err)
{
    static char   text[20000];
    wm_queued_job job = { .job_name = "large", .job_text = memset(text, 'x', sizeof text - 1) };

    memcpy(job.id, &i, sizeof i);
    return wm_store_queue_add(store, &job, err);
}

/* In a child: adds until the disk says no, makes room, and adds again. Exits with 0 if all went as it should.
 */
static void fill_and_make_room(fixture *f, wm_status want, void (*make_room)(const fixture *f))
{
    wm_error err = { 0 };
    unsigned i = 0;
    char    *before, *full, *after;

    for (;;) {
        before = everything(f->store);
        if (++i > 1000 || queue_large(f->store, i, &err) != WM_OK)
            break;
        free(before);
    }
    full = everything(f->store);
    if (err.status != want || strcmp(before, full) != 0)
        _exit(1);
    make_room(f);
    if (queue_large(f->store, i, &err) != WM_OK)
        _exit(2);
    before = everything(f->store);
    reopen(f);
    after = everything(f->store);
    _exit(strcmp(before, after) == 0 ? 0 : 3);
}

static void lift_limit(const fixture *f)
{
    struct rlimit limit = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };

    (void)f;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(4);
}

/* A limit of the file's size stands for a quota, which no test may set: both come to SQLite as an error of the disk. */
static void a_quota_is_said_to_be_one_and_nothing_is_half_done(void **state)
{
    fixture *f = *state;
    int      how;
    pid_t    child;

    wm_store_close(f->store);
    f->store = NULL;
    child = fork();
    if (child == 0) {
        struct rlimit limit = { .rlim_cur = 500 << 10, .rlim_max = RLIM_INFINITY };

        signal(SIGXFSZ, SIG_IGN);
        if (try_open(f, NULL) != WM_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
            _exit(5);
        fill_and_make_room(f, WM_E_FULL, lift_limit);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

static void remove_ballast(const fixture *f)
{
    char *ballast = inside(f, "ballast");

    unlink(ballast);
    free(ballast);
}

static void a_full_disk_is_said_so_and_nothing_is_half_done(void **state)
{
    fixture *f = *state;
    int      how;
    pid_t    child;

    wm_store_close(f->store);
    f->store = NULL;
    child = fork();
    if (child == 0) { /* a small disk of its own, seen by nobody else and gone with the child */
        char *ballast = inside(f, "ballast"), *room = calloc(1, 600 << 10);

        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", f->folder, "tmpfs", 0, "size=1200k") != 0)
            _exit(77);
        if (room == NULL ||
            wm_files_system()->replace(wm_files_system(), ballast, room, 600 << 10, 0600, NULL) != WM_OK ||
            try_open(f, NULL) != WM_OK)
            _exit(5);
        fill_and_make_room(f, WM_E_FULL, remove_ballast);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    if (WEXITSTATUS(how) == 77) {
        leave_out("no small disk may be mounted here");
    }
    assert_int_equal(WEXITSTATUS(how), 0);
}

/* ---- blobs ---- */

static size_t count_blobs(const fixture *f, const char *folder)
{
    char   **files, *path = inside(f, folder);
    size_t   n;
    wm_error err;

    assert_ok(wm_folder_names(path, &files, &n, &err), &err);
    wm_names_free(files, n);
    free(path);
    return n;
}

static void only_the_newest_checkpoints_are_kept_if_the_job_says_so(void **state)
{
    static const struct {
        const char *says;
        int64_t     keep;
        size_t      want; /* after ten rounds: models, sums and the scaling */
    } cases[] = {
        { "0 keeps everything", 0, 11 + 10 + 1 },
        { "1 keeps what the last round was made of and made", 1, 2 + 1 + 1 },
        { "3 keeps three rounds", 3, 4 + 3 + 1 },
        { "more than there are keeps all", 99, 11 + 10 + 1 },
    };
    fixture *f = *state;
    wm_error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_run_record run = run_record(RUN, cases[i].keep);
        wm_standing   first = standing_at(f->store, WM_PHASE_NONE, 0);

        assert_ok(wm_store_ledger(f->store)->start(wm_store_ledger(f->store), &run, &first, &err), &err);
        for (uint32_t round = 1; round <= 10; round++)
            assert_ok(commit_of(f->store, RUN, round, &err), &err);
        assert_case(cases[i].says, count_blobs(f, "blobs") == cases[i].want);
        reopen(f);
        assert_case(cases[i].says, count_blobs(f, "blobs") == cases[i].want);
        wm_store_close(f->store);
        f->store = NULL;
        assert_ok(wm_folder_remove(f->folder, &err), &err);
        assert_ok(try_open(f, &err), &err);
    }
}

static void a_kept_round_holds_the_state_before_it_too(void **state)
{
    fixture      *f = *state;
    wm_run_record run = run_record(RUN, 1);
    wm_standing   standing = standing_at(f->store, WM_PHASE_NONE, 0);
    wm_ledger    *ledger = wm_store_ledger(f->store);
    wm_digest     states[5];
    wm_error      err;

    assert_ok(ledger->start(ledger, &run, &standing, &err), &err);
    for (uint32_t round = 1; round <= 4; round++) {
        wm_contribution contributions[3];
        wm_round_record record = round_record(f->store, round, contributions);

        states[round] = record.server_state = blob_of(f->store, "state", round);
        standing = standing_at(f->store, WM_PHASE_EVALUATE, round);
        standing.server_state = record.server_state;
        assert_ok(ledger->commit(ledger, RUN, &standing, &record, &err), &err);
    }
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &states[4]));
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &states[3])); /* round 4 is computed from it */
    assert_false(wm_blobs_has(wm_store_blobs(f->store), &states[2]));
}

static void a_checkpoint_that_another_run_stands_on_stays(void **state)
{
    fixture      *f = *state;
    wm_error      err;
    wm_run_record one = run_record(RUN, 1), two = run_record(OTHER, 1);
    wm_standing   first = standing_at(f->store, WM_PHASE_NONE, 0);
    wm_ledger    *ledger = wm_store_ledger(f->store);
    wm_digest     start = first.model;

    assert_ok(ledger->start(ledger, &one, &first, &err), &err);
    assert_ok(ledger->start(ledger, &two, &first, &err), &err);
    for (uint32_t round = 1; round <= 4; round++)
        assert_ok(commit_of(f->store, RUN, round, &err), &err);
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &start)); /* the second run still begins there */
    for (uint32_t round = 1; round <= 4; round++)
        assert_ok(commit_of(f->store, OTHER, round, &err), &err);
    assert_false(wm_blobs_has(wm_store_blobs(f->store), &start));
}

static void what_nothing_names_is_swept_at_the_next_opening(void **state)
{
    fixture  *f = *state;
    wm_digest orphan, job;
    wm_error  err;

    perform(f, 5);
    orphan = put(f->store, "sums of a round that never was committed");
    job = put(f->store, "job: air\nseed: 18446744073709551615\n");
    reopen(f);
    assert_false(wm_blobs_has(wm_store_blobs(f->store), &orphan));
    assert_true(wm_blobs_has(wm_store_blobs(f->store), &job)); /* the run's own text, which clients fetch */
    assert_ok(wm_store_audit_verify(f->store, NULL, &err), &err);
}

/* ---- backup ---- */

static void a_backup_is_the_store_as_it_was(void **state)
{
    fixture *f = *state;
    fixture  copy = { .now = f->now };
    wm_error err;
    char    *to = inside(f, "backup"), *before, *after;

    perform(f, 6);
    before = everything(f->store);
    assert_ok(wm_store_backup(f->store, to, &err), &err);
    assert_int_equal(wm_store_backup(f->store, to, &err), WM_E_EXISTS);
    assert_ok(do_close(f->store, &err), &err); /* the store goes on, the copy stays */
    snprintf(copy.folder, sizeof copy.folder, "%s", to);
    assert_ok(try_open(&copy, &err), &err);
    after = everything(copy.store);
    assert_string_equal(before, after);
    assert_int_equal(count_blobs(f, "backup/blobs"), 4); /* two models, sums, scaling */
    assert_ok(do_close(copy.store, &err), &err);
    wm_store_close(copy.store);
    free(before);
    free(after);
    free(to);
}

static void a_backup_of_a_store_with_a_damaged_checkpoint_is_refused_by_name(void **state)
{
    fixture  *f = *state;
    wm_error  err;
    wm_digest model;
    char     *to = inside(f, "backup"), *blobs = inside(f, "blobs"), *path, text[WM_DIGEST_TEXT], *done;

    perform(f, 6);
    model = blob_of(f->store, "model", 1);
    path = wm_path_join(blobs, wm_digest_text(&model, text));
    assert_ok(wm_files_system()->append(wm_files_system(), path, "x", 1, &err), &err);
    assert_int_equal(wm_store_backup(f->store, to, &err), WM_E_DAMAGED);
    assert_non_null(strstr(err.text, text));
    done = wm_path_join(to, "store.db");
    assert_false(wm_files_system()->exists(wm_files_system(), done));
    free(done);
    free(path);
    free(blobs);
    free(to);
}

static void a_backup_cut_off_is_done_again(void **state)
{
#ifdef WM_CRASH_POINTS
    fixture *f = *state;
    wm_error err;
    char    *to = inside(f, "backup");
    int      how;
    pid_t    child;

    perform(f, 6);
    wm_store_close(f->store);
    f->store = NULL;
    child = fork();
    if (child == 0) {
        setenv("WARDMOTE_CRASH", "store-backup-before", 1);
        if (try_open(f, NULL) == WM_OK)
            (void)wm_store_backup(f->store, to, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_ok(try_open(f, &err), &err);
    assert_ok(wm_store_backup(f->store, to, &err), &err);
    free(to);
#else
    (void)state;
    leave_out("a release has no crash points");
#endif
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_transition_survives_reopening),
        CASE(what_comes_back_is_what_was_told),
        CASE(what_was_done_or_never_begun_is_refused_and_changes_nothing),
        CASE(an_evaluation_that_nobody_took_part_in_has_no_figures),
        CASE(a_round_is_committed_once),
        CASE(the_start_of_a_job_takes_it_off_the_queue),
        CASE(a_revoked_name_gets_no_certificate),
        CASE(sightings_add_up_whatever_their_order),
        CASE(the_latest_wall_time_is_that_of_the_latest_commit),
        CASE(threads_may_call_it_at_once),
        CASE(a_death_at_any_crash_point_leaves_all_or_nothing),
        CASE(a_death_in_the_first_opening_leaves_a_store_that_opens),
        CASE(the_audit_names_the_first_line_that_does_not_hold),
        CASE(the_chain_is_the_one_that_the_header_tells),
        CASE(two_processes_never_have_it_open),
        CASE(another_program_with_the_database_open_is_told),
        CASE(nobody_else_may_read_it),
        CASE(an_older_file_takes_the_steps_that_it_lacks),
        CASE(a_database_of_another_program_is_left_alone),
        CASE(a_damaged_file_is_said_so_and_never_a_crash),
        CASE(a_quota_is_said_to_be_one_and_nothing_is_half_done),
        CASE(a_full_disk_is_said_so_and_nothing_is_half_done),
        CASE(only_the_newest_checkpoints_are_kept_if_the_job_says_so),
        CASE(a_kept_round_holds_the_state_before_it_too),
        CASE(a_checkpoint_that_another_run_stands_on_stays),
        CASE(what_nothing_names_is_swept_at_the_next_opening),
        CASE(a_backup_is_the_store_as_it_was),
        CASE(a_backup_of_a_store_with_a_damaged_checkpoint_is_refused_by_name),
        CASE(a_backup_cut_off_is_done_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
