/* Jobs one after the other, over deaths of the process; and what the operator asks of the office meanwhile. */
#include "tests/server/level.h"
#include "tests/unit.h"

#include "common/files.h"
#include "server/operator.h"
#include "server/store/runs.h"

#include <jansson.h>

#define JOB(name, rounds, minimum)                                                        \
    LEVEL_JOB(name, "3", "none",                                                          \
              "model: {layers: [flatten, {dense: 1}], loss: mse}\n"                       \
              "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 1}\n"              \
              "rounds: " rounds "\n"                                                      \
              "cohort: {select: all, quorum: 0.5, deadline: 60s, minimum: " minimum "}\n" \
              "strategy: fedavg\n"                                                        \
              "evaluate: {every: 1, metrics: [mae]}\n"                                    \
              "seed: 1\n")

typedef struct scene {
    wm_manual_clock clock;
    char            folder[4096];
    wm_store       *store;
    wm_roster      *roster;
    wm_remote      *remote;
    wm_jobs        *jobs;
    wm_operator     operator;
    unsigned        stirred, revoked;
    wm_text         answer;
} scene;

static void woken(void *context, bool only_submits)
{
    (void)context, (void)only_submits;
}

static void stirred(void *context)
{
    ((scene *)context)->stirred++;
}

/* The issuer, that revokes. */
static wm_status ask_issuer(void *context, const Wm__Issue *asked, Wm__Issued **ret, wm_error *err)
{
    (void)err;
    assert_int_equal(asked->verb, WM__ISSUE__VERB__REVOKE);
    ((scene *)context)->revoked++;
    *ret = calloc(1, sizeof **ret);
    assert_non_null(*ret);
    wm__issued__init(*ret);
    return WM_OK;
}

/* The process begins. */
static void begin(scene *s)
{
    wm_error err;

    assert_ok(wm_store_open(wm_files_system(), s->folder, wm_clock_manual(&s->clock), &s->store, &err), &err);
    assert_ok(wm_roster_new(wm_clock_manual(&s->clock), &s->roster, &err), &err);
    assert_ok(wm_roster_load(s->roster, s->store, &err), &err);
    assert_ok(wm_remote_new(&(wm_remote_settings){ .store = s->store,
                                                   .roster = s->roster,
                                                   .staging = { .places = 2,
                                                                .memory = 1 << 20,
                                                                .room = 1 << 20,
                                                                .stall_ms = 1000,
                                                                .turn_ms = 5000,
                                                                .folder = s->folder },
                                                   .clock = wm_clock_manual(&s->clock),
                                                   .woken = woken,
                                                   .context = s },
                            &s->remote, &err),
              &err);
    assert_ok(wm_jobs_new(&(wm_jobs_settings){ .office = s->folder,
                                               .files = wm_files_system(),
                                               .store = s->store,
                                               .roster = s->roster,
                                               .remote = s->remote,
                                               .clock = wm_clock_manual(&s->clock),
                                               .stirred = stirred,
                                               .context = s },
                          &s->jobs, &err),
              &err);
    s->operator=(wm_operator){ .office = s->folder,
                               .store = s->store,
                               .roster = s->roster,
                               .clock = wm_clock_manual(&s->clock),
                               .jobs = s->jobs,
                               .remote = s->remote,
                               .started_ms = s->clock.wall_ms,
                               .stirred = stirred,
                               .context = s,
                               .issuer = { ask_issuer, s } };
}

/* And ends: what is durable stays. */
static void end(scene *s)
{
    wm_jobs_free(s->jobs);
    wm_remote_free(s->remote);
    wm_roster_free(s->roster);
    wm_store_close(s->store);
}

static int open_scene(void **state)
{
    scene   *s = calloc(1, sizeof *s);
    wm_error err;

    assert_non_null(s);
    s->clock = (wm_manual_clock){ .mono_ms = 1000, .wall_ms = 1700000000000 };
    wm_test_folder(s->folder);
    begin(s);
    assert_ok(wm_store_certificate(s->store, "north", "0a", s->clock.wall_ms + 1000000, &err), &err);
    assert_ok(wm_store_certificate(s->store, "south", "0b", s->clock.wall_ms + 1000000, &err), &err);
    assert_ok(wm_roster_load(s->roster, s->store, &err), &err);
    *state = s;
    return 0;
}

static int close_scene(void **state)
{
    scene *s = *state;

    end(s);
    wm_text_release(&s->answer);
    assert_int_equal(wm_folder_remove(s->folder, NULL), WM_OK);
    free(s);
    return 0;
}

static wm_status ask(scene *s, const char *verb, const char *word, const char *text)
{
    Wm__Command command = WM__COMMAND__INIT;
    char       *words[] = { (char *)(uintptr_t)word };

    command.verb = (char *)(uintptr_t)verb;
    command.words = words;
    command.n_words = word != NULL;
    if (text != NULL)
        command.text = wm_bytes_field(text, strlen(text));
    wm_text_release(&s->answer);
    return wm_operator_do(&s->operator, & command, &s->answer);
}

/* The answer's text at that place; id[WM_RUN_TEXT]. */
static void start_job(scene *s, const char *text, char id[WM_RUN_TEXT])
{
    json_t *answer;

    assert_int_equal(ask(s, "job start", "job.yaml", text), WM_OK);
    answer = json_loads(wm_text_chars(&s->answer), 0, NULL);
    assert_non_null(answer);
    snprintf(id, WM_RUN_TEXT, "%s", json_string_value(json_object_get(answer, "id")));
    json_decref(answer);
}

static const char *running(scene *s, char id[WM_RUN_TEXT])
{
    wm_jobs_view view;

    wm_jobs_view_get(s->jobs, &view);
    return view.running ? wm_run_id_text(view.id, id) : "";
}

static void jobs_run_in_order_one_at_a_time(void **state)
{
    scene *s = *state;
    char   first[WM_RUN_TEXT], second[WM_RUN_TEXT], now[WM_RUN_TEXT];

    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), "");
    start_job(s, JOB("first", "2", "1"), first);
    start_job(s, JOB("second", "2", "1"), second);
    assert_int_equal(s->stirred, 2);
    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), first);
    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), first);
    assert_int_equal(ask(s, "job stop", first, NULL), WM_OK);
    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), second);
    assert_int_equal(ask(s, "job stop", first, NULL), WM_E_EXISTS); /* it is over */
    assert_int_equal(ask(s, "job list", NULL, NULL), WM_OK);
    assert_non_null(strstr(wm_text_chars(&s->answer), "\"stopped\""));
}

static void a_run_goes_on_where_it_stood_and_what_waits_still_waits(void **state)
{
    scene       *s = *state;
    char         first[WM_RUN_TEXT], second[WM_RUN_TEXT], now[WM_RUN_TEXT], path[5000];
    wm_jobs_view before, after;

    start_job(s, JOB("first", "2", "1"), first);
    start_job(s, JOB("second", "2", "1"), second);
    wm_jobs_tick(s->jobs);
    wm_jobs_view_get(s->jobs, &before);
    end(s);
    s->clock.wall_ms += 10000;
    begin(s);
    assert_string_equal(running(s, now), "");
    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), first);
    wm_jobs_view_get(s->jobs, &after);
    assert_int_equal(after.progress.standing.phase, before.progress.standing.phase);
    assert_int_equal(after.progress.standing.round, 1);
    assert_memory_equal(&after.progress.standing.model, &before.progress.standing.model, sizeof(wm_digest));
    assert_int_equal(after.progress.left_ms, 50000); /* of 60 s, 10 of which it was away */
    assert_string_equal(after.waiting_for, "north, south");
    snprintf(path, sizeof path, "%s/runs/%s/job.yaml", s->folder, first);
    assert_true(wm_files_system()->exists(wm_files_system(), path));
    assert_int_equal(ask(s, "job stop", first, NULL), WM_OK);
    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), second);
}

static void a_run_keeps_what_its_job_says(void **state)
{
    scene         *s = *state;
    char           text[WM_RUN_TEXT];
    uint8_t        id[WM_RUN_ID_SIZE];
    wm_run_record *record;
    wm_error       err;

    start_job(s, JOB("first", "7", "1") "keep: 2\n", text);
    wm_jobs_tick(s->jobs);
    assert_true(wm_run_id_parse(text, id));
    assert_ok(wm_store_run_record(s->store, id, &record, &err), &err);
    assert_int_equal(record->keep, 2);
    assert_int_equal(record->rounds, 7);
    wm_store_run_record_free(record);
}

static void a_waiting_job_can_be_taken_off(void **state)
{
    scene *s = *state;
    char   first[WM_RUN_TEXT], second[WM_RUN_TEXT], now[WM_RUN_TEXT];

    start_job(s, JOB("first", "2", "1"), first);
    start_job(s, JOB("second", "2", "1"), second);
    wm_jobs_tick(s->jobs);
    assert_int_equal(ask(s, "job stop", second, NULL), WM_OK);
    assert_int_equal(ask(s, "job stop", second, NULL), WM_E_MISSING);
    assert_int_equal(ask(s, "job stop", first, NULL), WM_OK);
    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), "");
}

static void a_job_waits_for_gateways_and_says_so(void **state)
{
    scene       *s = *state;
    char         id[WM_RUN_TEXT], now[WM_RUN_TEXT];
    wm_jobs_view view;
    wm_error     err;

    start_job(s, JOB("large", "2", "3"), id);
    wm_jobs_tick(s->jobs);
    wm_jobs_view_get(s->jobs, &view);
    assert_false(view.running);
    assert_non_null(strstr(view.trouble, "at least 3 clients, and there are 2"));
    assert_int_equal(ask(s, "status", NULL, NULL), WM_OK);
    assert_non_null(strstr(wm_text_chars(&s->answer), "at least 3 clients"));
    assert_ok(wm_roster_enrolled(s->roster, "west", "0c", s->clock.wall_ms + 1000000, &err), &err);
    s->clock.mono_ms += 10000;
    wm_jobs_tick(s->jobs);
    assert_string_equal(running(s, now), id);
}

static void a_job_that_does_not_hold_never_waits(void **state)
{
    scene *s = *state;

    assert_int_equal(ask(s, "job start", "air.yaml", "job: air\nrounds: fifty\n"), WM_E_INVALID);
    assert_non_null(strstr(wm_text_chars(&s->answer), "air.yaml:2:9: rounds: \"fifty\" is not a whole number"));
    assert_int_equal(ask(s, "job start", "air.yaml", ""), WM_E_INVALID);
    assert_int_equal(ask(s, "job start", "air.yaml", "job: [\n"), WM_E_INVALID);
    wm_jobs_tick(s->jobs);
    assert_int_equal(ask(s, "job list", NULL, NULL), WM_OK);
    assert_null(strstr(wm_text_chars(&s->answer), "air"));
}

static void a_revoked_gateway_is_not_in_the_next_run(void **state)
{
    scene       *s = *state;
    char         id[WM_RUN_TEXT];
    wm_jobs_view view;

    assert_int_equal(ask(s, "revoke", "west", NULL), WM_E_MISSING);
    assert_int_equal(ask(s, "revoke", "No Name", NULL), WM_E_INVALID);
    assert_int_equal(ask(s, "revoke", "south", NULL), WM_OK);
    assert_int_equal(ask(s, "revoke", "south", NULL), WM_OK); /* again is fine */
    assert_int_equal(s->revoked, 2);
    start_job(s, JOB("first", "2", "1"), id);
    wm_jobs_tick(s->jobs);
    wm_jobs_view_get(s->jobs, &view);
    assert_int_equal(view.progress.cohort, 1);
    assert_string_equal(view.waiting_for, "north");
    assert_int_equal(ask(s, "clients", NULL, NULL), WM_OK);
    assert_non_null(strstr(wm_text_chars(&s->answer), "\"south\""));
}

static void a_gateway_cannot_hide_behind_letters_that_are_none(void **state)
{
    scene *s = *state;

    wm_roster_checked_in(s->roster, "south", "wardmote-client \xff\xfe", 12);
    wm_roster_refused(s->roster, "south", "caf\xe9");
    assert_int_equal(ask(s, "clients", NULL, NULL), WM_OK);
    assert_non_null(strstr(wm_text_chars(&s->answer), "\"south\""));
    assert_non_null(strstr(wm_text_chars(&s->answer), "(not UTF-8)"));
}

static void what_is_no_command_is_refused(void **state)
{
    static const struct {
        const char *says, *verb, *word;
    } cases[] = {
        { "an unknown command", "dance", NULL },
        { "a run's id that is none", "job stop", "12" },
        { "no id at all", "job stop", NULL },
        { "a backup without a whole path", "backup", "here" },
    };
    scene *s = *state;

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        assert_case(cases[c].says, ask(s, cases[c].verb, cases[c].word, NULL) == WM_E_INVALID);
        assert_case(cases[c].says, s->answer.size > 0);
    }
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(jobs_run_in_order_one_at_a_time),
        SCENE(a_run_goes_on_where_it_stood_and_what_waits_still_waits),
        SCENE(a_run_keeps_what_its_job_says),
        SCENE(a_waiting_job_can_be_taken_off),
        SCENE(a_job_waits_for_gateways_and_says_so),
        SCENE(a_job_that_does_not_hold_never_waits),
        SCENE(a_revoked_gateway_is_not_in_the_next_run),
        SCENE(a_gateway_cannot_hide_behind_letters_that_are_none),
        SCENE(what_is_no_command_is_refused),
    };

    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
