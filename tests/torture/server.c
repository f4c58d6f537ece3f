/* tests/torture/server.c: an office: its store, its issuer, its roster, what is staged, its settings. */
#include "common/crypto/enrolment.h"
#include "common/crypto/request.h"
#include "server/config.h"
#include "server/issuer/office.h"
#include "server/roster.h"
#include "server/staging.h"
#include "server/store/audit.h"
#include "server/store/gateways.h"
#include "server/store/runs.h"
#include "server/store/verify.h"
#include "tests/torture/scenario.h"

#include "common/config/faults.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t RUN[WM_RUN_ID_SIZE] = "run number one.", OTHER[WM_RUN_ID_SIZE] = "run number two.";

/* ---- the store ---- */

static void on_run(void *context, const wm_run_entry *run)
{
    (void)context;
    (void)run;
}

static void on_round(void *context, const wm_round_record *round)
{
    (void)context;
    (void)round;
}

static void on_job(void *context, const wm_queued_job *job)
{
    (void)context;
    (void)job;
}

static void on_gateway(void *context, const wm_gateway *gateway)
{
    (void)context;
    (void)gateway;
}

static wm_status play_a_run(wm_store *store, wm_error *err)
{
    static char  *names[] = { "east", "north" };
    wm_ledger    *ledger = wm_store_ledger(store);
    wm_blobs     *blobs = wm_store_blobs(store);
    wm_run_record run = {
        .job_name = "air", .job_text = "job: air\n", .rounds = 2, .keep = 1, .population = names, .n_population = 2
    };
    wm_standing     standing = { .phase = WM_PHASE_TRAIN, .round = 1 };
    wm_contribution parts[2] = { { .verdict = WM_VERDICT_ACCEPTED, .weight = 5 },
                                 { .client = 1, .verdict = WM_VERDICT_REFUSED, .reason = "not finite" } };
    wm_round_record round = {
        .round = 1, .selected = 2, .accepted = 1, .total_weight = 5, .contributions = parts, .n_contributions = 2
    };
    wm_result       clients[2 * WM_CONTENDERS] = { { .present = true, .examples = 3, .loss = 0.5 } };
    wm_final_record final = { .together = { { .present = true, .examples = 3, .loss = 0.5 } }, .clients = clients };
    wm_status       st;

    memcpy(run.id, RUN, sizeof run.id);
    TRY(wm_blobs_put(blobs, "model 0", 7, &standing.model, err));
    TRY(ledger->start(ledger, &run, &standing, err));
    TRY(ledger->open(ledger, RUN, &standing, err));
    TRY(ledger->substitute(ledger, RUN, 1, &(wm_substitution){ .client = 1, .place_of = 0 }, 1, err));
    for (uint32_t r = 1; r <= 2; r++) {
        char text[16];

        snprintf(text, sizeof text, "model %u", r);
        round.round = standing.round = r;
        round.evaluated = false;
        round.model_before = standing.model;
        TRY(wm_blobs_put(blobs, text, strlen(text), &round.model_after, err));
        TRY(wm_blobs_put(blobs, "sums", 4, &round.sums, err));
        standing.model = round.model_after;
        standing.phase = WM_PHASE_EVALUATE;
        TRY(ledger->commit(ledger, RUN, &standing, &round, err));
        round.evaluated = true;
        round.evaluation = final.together[0];
        TRY(ledger->evaluated(ledger, RUN, &standing, &round, err));
    }
    standing.phase = WM_PHASE_CLOSED;
    standing.outcome = WM_OUTCOME_DONE;
    TRY(ledger->close(ledger, RUN, &standing, &final, err));
out:
    return st;
}

static wm_status read_it_back(wm_store *store, wm_error *err)
{
    wm_ledger      *ledger = wm_store_ledger(store);
    wm_run_record  *record = NULL;
    wm_final_record final = { .clients = NULL };
    wm_substitution drawn[2];
    size_t          n_drawn;
    wm_standing     standing;
    wm_status       st;

    TRY(wm_store_runs(store, on_run, NULL, err));
    TRY(ledger->load(ledger, RUN, &standing, err));
    TRY(ledger->rounds(ledger, RUN, on_round, NULL, err));
    TRY(ledger->substitutes(ledger, RUN, 1, drawn, 2, &n_drawn, err));
    TRY(wm_store_run_record(store, RUN, &record, err));
    TRY(wm_store_final(store, RUN, &final, err));
    TRY(wm_store_queue(store, on_job, NULL, err));
    TRY(wm_store_gateways(store, on_gateway, NULL, err));
    TRY(wm_store_audit_verify(store, NULL, err));
out:
    wm_store_run_record_free(record);
    free(final.clients);
    return st;
}

static wm_status a_store_holds_a_run(const char *folder, wm_error *err)
{
    wm_queued_job waiting = { .job_name = "noise", .job_text = "job: noise\n" };
    wm_store     *store = NULL;
    wm_status     st;

    memcpy(waiting.id, OTHER, sizeof waiting.id);
    TRY(wm_store_open(wm_files_system(), folder, wm_clock_system(), &store, err));
    TRY(play_a_run(store, err));
    TRY(wm_store_queue_add(store, &waiting, err));
    TRY(wm_store_certificate(store, "north", "0a1b", 1900000000000, err));
    TRY(wm_store_revoke(store, "north", "stolen", err));
    TRY(read_it_back(store, err));
out:
    wm_store_close(store);
    return st;
}

/* Whatever fails on the way: what was committed before is there, and the chain of the audit holds. */
static wm_status a_store_is_sound_after_a_failure(const char *folder, wm_error *err)
{
    wm_store *store = NULL;
    wm_status st, then;

    TRY(wm_store_open(wm_files_system(), folder, wm_clock_system(), &store, err));
    st = play_a_run(store, err);
    then = wm_store_audit_verify(store, NULL, st == WM_OK ? err : NULL);
    if (then != WM_OK && then != WM_E_NOMEM)
        st = wm_fail(err, WM_E_DAMAGED, "the store is not sound any more");
out:
    wm_store_close(store);
    return st;
}

static wm_status a_store_is_copied(const char *folder, wm_error *err)
{
    char      state[4300], copy[4300];
    wm_store *store = NULL;
    wm_status st;

    snprintf(state, sizeof state, "%s/state", folder);
    snprintf(copy, sizeof copy, "%s/copy", folder);
    TRY(wm_store_open(wm_files_system(), state, wm_clock_system(), &store, err));
    TRY(play_a_run(store, err));
    TRY(wm_store_backup(store, copy, err));
out:
    wm_store_close(store);
    return st;
}

/* The run is made up, so that some things do not hold; but always the same ones. */
static wm_status a_history_is_verified(const char *folder, wm_error *err)
{
    static uint64_t    usual = UINT64_MAX;
    wm_queued_job      waiting = { .job_name = "noise", .job_text = "job: noise\n" };
    wm_verify_settings settings = { .files = wm_files_system(), .folder = folder };
    wm_verify_result   result;
    wm_store          *store = NULL;
    wm_status          st;

    memcpy(waiting.id, OTHER, sizeof waiting.id);
    TRY(wm_store_open(wm_files_system(), folder, wm_clock_system(), &store, err));
    TRY(play_a_run(store, err));
    TRY(wm_store_queue_add(store, &waiting, err));
    TRY(wm_verify_store(store, &settings, &result, err));
    if (usual == UINT64_MAX)
        usual = result.violations;
    if (result.violations != usual)
        TRY(wm_fail(err, WM_E_DAMAGED, "%llu violations in place of %llu", (unsigned long long)result.violations,
                    (unsigned long long)usual));
out:
    wm_store_close(store);
    return st;
}

/* ---- the issuer ---- */

static wm_status ask(wm_issuer *issuer, const Wm__Issue *question, Wm__Issued **ret, wm_error *err)
{
    wm_status st = wm_issuer_handle(issuer, WM_DOOR_OPERATOR, question, ret, err);

    return st == WM_OK ? wm_issued_status(*ret, err) : st;
}

static wm_status join(wm_issuer *issuer, wm_key *key, Wm__Issued **ret, wm_error *err)
{
    char       *addresses[] = { "office.example:7402" };
    Wm__Issue   question = WM__ISSUE__INIT;
    Wm__Issued *issued = NULL;
    Wm__Enrol  *enrol = NULL;
    wm_token    token;
    wm_status   st;

    question.verb = WM__ISSUE__VERB__TOKEN;
    question.name = "north";
    question.names = addresses;
    question.n_names = 1;
    TRY(ask(issuer, &question, &issued, err));
    TRY(wm_token_decode(issued->text, strlen(issued->text), &token, err));
    TRY(wm_enrol_message(&token, key, &enrol, err));
    question = (Wm__Issue)WM__ISSUE__INIT;
    question.verb = WM__ISSUE__VERB__ENROL;
    question.source = "192.0.2.1";
    question.enrol = enrol;
    TRY(ask(issuer, &question, ret, err));
out:
    wm_enrol_message_free(enrol);
    wm_issued_free(issued);
    return st;
}

static wm_status an_office_issues_and_revokes(const char *folder, wm_error *err)
{
    static const char *const names[] = { "office.example" };
    const wm_files          *files = wm_files_system();
    wm_office_settings       settings = {
              .folder = folder, .files = files, .clock = wm_clock_system(), .names = names, .n_names = 1
    };
    char               place[4300];
    wm_issuer_settings issuing = { .folder = place, .files = files, .clock = wm_clock_system() };
    wm_issuer         *issuer = NULL;
    wm_office          office;
    wm_key            *key = NULL;
    Wm__Issue          question = WM__ISSUE__INIT;
    Wm__Issued        *joined = NULL, *again = NULL, *listed = NULL, *revoked = NULL;
    wm_status          st;

    snprintf(place, sizeof place, "%s/issuer", folder);
    TRY(wm_office_init(&settings, &office, err));
    TRY(wm_issuer_open(&issuing, &issuer, err));
    TRY(wm_key_new(&key, err));
    TRY(join(issuer, key, &joined, err));
    question.verb = WM__ISSUE__VERB__LIST;
    TRY(ask(issuer, &question, &listed, err));
    question.verb = WM__ISSUE__VERB__REVOKE;
    question.name = "north";
    TRY(ask(issuer, &question, &revoked, err));
out:
    wm_issued_free(joined);
    wm_issued_free(again);
    wm_issued_free(listed);
    wm_issued_free(revoked);
    wm_key_free(key);
    wm_issuer_free(issuer);
    return st;
}

/* ---- the rest ---- */

static wm_status a_roster_knows_who_is_there(const char *folder, wm_error *err)
{
    wm_store    *store = NULL;
    wm_roster   *roster = NULL;
    wm_presence *list = NULL;
    char       **names = NULL;
    size_t       n = 0, n_list = 0;
    wm_status    st;

    TRY(wm_store_open(wm_files_system(), folder, wm_clock_system(), &store, err));
    TRY(wm_store_certificate(store, "north", "0a1b", 1900000000000, err));
    TRY(wm_roster_new(wm_clock_system(), &roster, err));
    TRY(wm_roster_load(roster, store, err));
    TRY(wm_roster_enrolled(roster, "south", "0a1c", 1900000000000, err));
    wm_roster_seen(roster, "north");
    wm_roster_refused(roster, "north", "no");
    TRY(wm_roster_names(roster, &names, &n, err));
    TRY(wm_roster_list(roster, &list, &n_list, err));
    TRY(wm_roster_flush(roster, store, err));
out:
    free(list);
    wm_names_free(names, n);
    wm_roster_free(roster);
    wm_store_close(store);
    return st;
}

/* In memory, and in a file. */
static wm_status updates_are_staged(const char *folder, wm_error *err)
{
    static const uint8_t bytes[5000] = { 1 };
    wm_staging_settings  settings = { .places = 2,
                                      .memory = 1000,
                                      .room = 1 << 20,
                                      .stall_ms = 1000,
                                      .turn_ms = 1000,
                                      .folder = folder,
                                      .clock = wm_clock_system() };
    wm_staging          *staging = NULL;
    wm_staged_update     got;
    wm_status            st;

    TRY(wm_staging_new(&settings, &staging, err));
    for (size_t size = 500; size <= 5000; size *= 10) {
        wm_upload upload = { .client = "north", .digest = wm_sha256_of(bytes, size), .size = size };
        bool      whole;

        TRY(wm_staging_claim(staging, &upload, err));
        TRY(wm_staging_put(staging, "north", &upload.digest, 0, bytes, size, &whole, err));
        TRY(wm_staging_take(staging, "north", &upload.digest, &got, err));
        wm_staging_done(staging, &got);
    }
out:
    wm_staging_free(staging);
    return st;
}

static wm_status server_settings_are_written_and_read(const char *folder, wm_error *err)
{
    static const char *const names[] = { "office.example", "192.0.2.1" };
    const wm_files          *files = wm_files_system();
    wm_server_config         config;
    wm_arena                *memory = NULL;
    wm_faults                faults;
    char                    *addresses[4];
    size_t                   n = 0;
    wm_status                st;

    wm_faults_init(&faults, "server.yaml");
    TRY(wm_server_config_write(files, folder, names, 2, err));
    TRY(wm_server_config_read(files, folder, &faults, &config, &memory, err));
    TRY(wm_server_config_addresses(&config, addresses, 4, &n, err));
    for (size_t i = 0; i < n; i++)
        free(addresses[i]);
out:
    wm_arena_free(memory);
    wm_faults_release(&faults);
    return st;
}

const scenario server_scenarios[] = {
    { "a_store_holds_a_run", a_store_holds_a_run, false },
    { "a_store_is_sound_after_a_failure", a_store_is_sound_after_a_failure, false },
    { "a_store_is_copied", a_store_is_copied, false },
    { "a_history_is_verified", a_history_is_verified, false },
    { "an_office_issues_and_revokes", an_office_issues_and_revokes, false },
    { "a_roster_knows_who_is_there", a_roster_knows_who_is_there, false },
    { "updates_are_staged", updates_are_staged, false },
    { "server_settings_are_written_and_read", server_settings_are_written_and_read, false },
};
const size_t n_server_scenarios = COUNT(server_scenarios);
