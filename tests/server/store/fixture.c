/* tests/server/store/fixture.c */
#include "tests/server/store/fixture.h"

#include <math.h>
#include <sqlite3.h>

/* ---- a made-up run ---- */

const uint8_t RUN[WM_RUN_ID_SIZE] = "run number one.", OTHER[WM_RUN_ID_SIZE] = "run number two.";
static char  *names[] = { "east", "north", "west" };

char *inside(const fixture *f, const char *name)
{
    return wm_path_join(f->folder, name);
}

wm_status try_open(fixture *f, wm_error *err)
{
    return wm_store_open(wm_files_system(), f->folder, wm_clock_manual(&f->now), &f->store, err);
}

void reopen(fixture *f)
{
    wm_error err;

    wm_store_close(f->store);
    f->store = NULL;
    assert_ok(try_open(f, &err), &err);
}

int set_up(void **state)
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

int tear_down(void **state)
{
    fixture *f = *state;
    wm_error err;

    wm_store_close(f->store);
    assert_ok(wm_folder_remove(f->folder, &err), &err);
    free(f);
    return 0;
}

wm_run_record run_record(const uint8_t *id, int64_t keep)
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

wm_digest put(wm_store *store, const char *text)
{
    wm_digest digest;
    wm_error  err;

    assert_ok(wm_blobs_put(wm_store_blobs(store), text, strlen(text), &digest, &err), &err);
    return digest;
}

wm_digest blob_of(wm_store *store, const char *what, unsigned round)
{
    char text[64];

    snprintf(text, sizeof text, "%s after round %u", what, round);
    return put(store, text);
}

wm_standing standing_at(wm_store *store, wm_phase phase, uint32_t round)
{
    return (wm_standing){ .phase = phase,
                          .round = round,
                          .attempt = 2,
                          .opened_wall_ms = 1700000000000 + round,
                          .model = blob_of(store, "model", round),
                          .evaluations_without_gain = 1,
                          .best_loss = (double)NAN };
}

wm_round_record round_record(wm_store *store, uint32_t round, wm_contribution contributions[3])
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

wm_status do_queue(wm_store *store, wm_error *err)
{
    wm_queued_job job = { .job_name = "air", .job_text = "job: air\n", .seed = 7 };

    memcpy(job.id, RUN, sizeof job.id);
    return wm_store_queue_add(store, &job, err);
}

wm_status do_start(wm_store *store, wm_error *err)
{
    wm_run_record run = run_record(RUN, 0);
    wm_standing   first = standing_at(store, WM_PHASE_NONE, 0);

    return wm_store_ledger(store)->start(wm_store_ledger(store), &run, &first, err);
}

wm_status do_open(wm_store *store, wm_error *err)
{
    wm_standing standing = standing_at(store, WM_PHASE_STATISTICS, 0);

    return wm_store_ledger(store)->open(wm_store_ledger(store), RUN, &standing, err);
}

static wm_status do_scaled(wm_store *store, wm_error *err)
{
    wm_standing     standing = standing_at(store, WM_PHASE_TRAIN, 1);
    wm_contribution contributions[2] = { { .client = 0, .verdict = WM_VERDICT_ACCEPTED, .weight = 5 },
                                         { .client = 2, .verdict = WM_VERDICT_DECLINED, .reason = "few rows" } };

    wm_digest sums = put(store, "sums of the statistics");

    standing.scaling = put(store, "scaling");
    return wm_store_ledger(store)->scaled(wm_store_ledger(store), RUN, &standing, &sums, contributions, 2, err);
}

static wm_status do_substitute(wm_store *store, wm_error *err)
{
    const wm_substitution drawn[2] = { { .client = 0, .place_of = 1 }, { .client = 2, .place_of = 0 } };

    return wm_store_ledger(store)->substitute(wm_store_ledger(store), RUN, 1, drawn, 2, err);
}

wm_status commit_of(wm_store *store, const uint8_t *run, uint32_t round, wm_error *err)
{
    wm_contribution contributions[3];
    wm_round_record record = round_record(store, round, contributions);
    wm_standing     standing = standing_at(store, WM_PHASE_EVALUATE, round);

    standing.scaling = put(store, "scaling");
    return wm_store_ledger(store)->commit(wm_store_ledger(store), run, &standing, &record, err);
}

wm_status do_commit(wm_store *store, wm_error *err)
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

wm_status do_close(wm_store *store, wm_error *err)
{
    wm_result       clients[3 * WM_CONTENDERS];
    wm_final_record final = final_record(clients);
    wm_standing     standing = standing_at(store, WM_PHASE_CLOSED, 1);

    standing.outcome = WM_OUTCOME_EARLY;
    snprintf(standing.why, sizeof standing.why, "no better loss in 3 evaluations");
    return wm_store_ledger(store)->close(wm_store_ledger(store), RUN, &standing, &final, err);
}

wm_status do_certificate(wm_store *store, wm_error *err)
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

wm_status do_revoke(wm_store *store, wm_error *err)
{
    return wm_store_revoke(store, "north", "stolen", err);
}

static wm_status do_queue_other(wm_store *store, wm_error *err)
{
    wm_queued_job job = { .job_name = "noise", .job_text = "job: noise\n" };

    memcpy(job.id, OTHER, sizeof job.id);
    return wm_store_queue_add(store, &job, err);
}

wm_status do_unqueue(wm_store *store, wm_error *err)
{
    return wm_store_queue_remove(store, OTHER, err);
}

const transition transitions[] = {
    { "queue", do_queue, 1 },         { "start", do_start, 1 },           { "open", do_open, 1 },
    { "scaled", do_scaled, 1 },       { "substitute", do_substitute, 2 }, { "commit", do_commit, 1 },
    { "evaluated", do_evaluated, 1 }, { "close", do_close, 1 },           { "certificate", do_certificate, 1 },
    { "sightings", do_sightings, 0 }, { "revoke", do_revoke, 1 },         { "queue", do_queue_other, 1 },
    { "unqueue", do_unqueue, 1 },
};

void perform(fixture *f, size_t upto)
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

void say_job(void *context, const wm_queued_job *job)
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

char *everything(wm_store *store)
{
    wm_text         text = WM_TEXT_INIT;
    wm_substitution drawn[3];
    size_t          n_drawn;
    wm_final_record final;
    wm_error        err;

    assert_ok(wm_store_runs(store, say_run, &text, &err), &err);
    assert_ok(wm_store_ledger(store)->substitutes(wm_store_ledger(store), RUN, 1, drawn, 3, &n_drawn, &err), &err);
    for (size_t i = 0; i < n_drawn; i++)
        wm_text_printf(&text, "drawn %u for %u\n", drawn[i].client, drawn[i].place_of);
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

/* ---- damaging ---- */

void run_sql(const fixture *f, const char *sql)
{
    char    *path = inside(f, "store.db");
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
    free(path);
}
