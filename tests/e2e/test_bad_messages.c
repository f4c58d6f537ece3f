/* tests/e2e/test_bad_messages.c
 *
 * An enrolled gateway that sends whatever a message can be that it must not be (bad_bytes.c, bad_envelopes.c), to each of the
 * three listeners, while a job runs. Each is answered with a fault that says what is wrong, or ends the connection where no
 * answer is owed; each is in the log under the gateway's name and is counted; and the honest gateway and the run do not
 * notice. */
#include "tests/e2e/bad_messages.h"

#include "common/crypto/identity.h"
#include "common/task.h"
#include "common/wire/caller.h"
#include "tests/figures.h"

enum { BAD = 1, ANSWER_MS = 30 * 1000 };

/* ---- the bad gateway's lines ---- */

typedef struct bad_gateway {
    office     *o;
    wm_identity identity;
    wm_tls     *tls;
    wm_caller  *lines[OFFICE_PORTS];
} bad_gateway;

static void bad_open(bad_gateway *bad, office *o)
{
    char     folder[4300];
    wm_error err;

    *bad = (bad_gateway){ .o = o };
    office_gateway_folder(o, BAD, folder);
    assert_ok(wm_identity_load(wm_files_system(), folder, &bad->identity, &err), &err);
    assert_ok(wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_CLIENT,
                                             .chain = bad->identity.chain,
                                             .key = bad->identity.key,
                                             .root = bad->identity.root },
                         &bad->tls, &err),
              &err);
    for (int i = 0; i < OFFICE_PORTS; i++) {
        char        url[64];
        const char *urls[] = { url };

        snprintf(url, sizeof url, "tls+tcp://localhost:%d", o->ports[i]);
        assert_ok(
            wm_caller_new(
                &(wm_caller_settings){ .urls = urls, .n_urls = 1, .tls = bad->tls, .reply_max = WM_BULK_BYTES_MAX },
                &bad->lines[i], &err),
            &err);
    }
}

static void bad_close(bad_gateway *bad)
{
    for (int i = 0; i < OFFICE_PORTS; i++)
        wm_caller_free(bad->lines[i]);
    wm_tls_free(bad->tls);
    wm_identity_release(&bad->identity);
}

/* Sends it and looks at what comes of it. */
static void send_one(bad_gateway *bad, const row *r, const letter *l)
{
    uint8_t      *reply = NULL;
    size_t        n;
    Wm__Envelope *answer = NULL;
    wm_error      err;
    wm_status     st = wm_caller_call(bad->lines[r->port], l->bytes, l->n, ANSWER_MS, &reply, &n, &err);

    if (r->outcome == CUT_OFF) {
        if (st != WM_E_CLOSED)
            office_fail(bad->o, "%s: %s: %s", r->says, wm_status_name(st), err.text);
        office_wait_text(bad->o, bad->o->server_log, r->why);
        return;
    }
    if (st == WM_OK)
        st = wm_envelope_unpack(reply, n, WM_BULK_BYTES_MAX, &answer, &err);
    if (st != WM_OK)
        office_fail(bad->o, "%s: %s: %s", r->says, wm_status_name(st), err.text);
    if (r->outcome == ANSWER && answer->body_case == WM__ENVELOPE__BODY_FAULT)
        office_fail(bad->o, "%s: a fault: %s", r->says, answer->fault->text);
    if (r->outcome == FAULT &&
        (answer->body_case != WM__ENVELOPE__BODY_FAULT || answer->fault->code != (uint32_t)r->status ||
         (r->why != NULL && strstr(answer->fault->text, r->why) == NULL)))
        office_fail(bad->o, "%s: answer %d, code %d, %s", r->says, (int)answer->body_case,
                    answer->body_case == WM__ENVELOPE__BODY_FAULT ? (int)answer->fault->code : 0,
                    answer->body_case == WM__ENVELOPE__BODY_FAULT ? answer->fault->text : "no fault");
    wm_envelope_free(answer);
    free(reply);
}

/* Returns how many refusals are to be counted under the gateway's name. */
static long send_all(bad_gateway *bad, const row *rows, size_t n_rows)
{
    static letter l;
    long          counted = 0;

    for (size_t i = 0; i < n_rows; i++) {
        l.n = 0;
        rows[i].write(&l);
        send_one(bad, &rows[i], &l);
        /* Not those on the enrolment listener, which asks nobody who he is. */
        counted += rows[i].port != ENROLMENT && rows[i].outcome != ANSWER && !rows[i].uncounted;
    }
    return counted;
}

/* The work that there is is declined, so that the round need not wait; true: there is no run any more. */
static void decline_all(bad_gateway *bad, bool *over)
{
    static letter l;
    Wm__Ask       ask = WM__ASK__INIT;
    Wm__Envelope *answer, question = wm_envelope();
    Wm__Decline   decline = WM__DECLINE__INIT;
    uint8_t      *reply;
    size_t        n;
    wm_error      err;

    ask.wait_ms = 500;
    pack_ask(&l, &ask);
    assert_ok(wm_caller_call(bad->lines[CONTROL], l.bytes, l.n, ANSWER_MS, &reply, &n, &err), &err);
    assert_ok(wm_envelope_unpack(reply, n, WM_CONTROL_BYTES_MAX, &answer, &err), &err);
    free(reply);
    if (answer->body_case == WM__ENVELOPE__BODY_WORK && answer->work->kind == WM__WORK__KIND__TASK) {
        *over = answer->work->key->phase == WM_PHASE_FINAL;
        decline.key = answer->work->key;
        decline.reason = (char *)(uintptr_t) "I only send nonsense";
        question.decline = &decline;
        pack(&l, &question, WM__ENVELOPE__BODY_DECLINE);
        assert_ok(wm_caller_call(bad->lines[CONTROL], l.bytes, l.n, ANSWER_MS, &reply, &n, &err), &err);
        free(reply);
    }
    wm_envelope_free(answer);
}

/* ---- the story ---- */

static int setup(void **state)
{
    (void)office_begin(
        state,
        &(office_wish){ .n_gateways = 2, .rounds = 2, .cohort = "{select: all, quorum: 0.5, deadline: 10m}" });
    return 0;
}

/* What the operator is told of the bad one: how many refusals. */
static long refusals_of(office *o, const char *name)
{
    json_t *all, *list;
    long    n = -1;

    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, "--json", NULL);
    all = json_loads(wm_text_chars(&o->output), 0, NULL);
    list = json_object_get(all, "gateways");
    assert_true(json_is_array(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            n = (long)json_integer_value(json_object_get(one, "refusals"));
    }
    json_decref(all);
    return n;
}

static void whatever_a_message_is_it_is_refused_by_name_and_the_run_goes_on(void **state)
{
    const size_t n_rows = n_rows_of_bytes + n_rows_of_envelopes;
    office      *o = *state;
    bad_gateway  bad;
    bool         over = false;
    long         counted;

    office_server_start(o, NULL);
    office_enrol_all(o);
    bad_open(&bad, o);
    office_gateway_start(o, 1 - BAD, NULL);
    office_job_start(o);
    counted = send_all(&bad, rows_of_bytes, n_rows_of_bytes);
    counted += send_all(&bad, rows_of_envelopes, n_rows_of_envelopes);
    if (refusals_of(o, o->names[BAD]) < counted)
        office_fail(o, "%ld refusals are counted, %ld messages were refused", refusals_of(o, o->names[BAD]),
                    counted);
    assert_int_equal(refusals_of(o, o->names[1 - BAD]), 0);
    while (!over)
        decline_all(&bad, &over);
    office_wait_done(o, 0, NULL);
    tell_fault(&(fault_figure){ .fault = "malformed, oversized and nonsensical messages by an enrolled gateway",
                                .tries = n_rows,
                                .survived = n_rows,
                                .seconds = -1 });
    bad_close(&bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_a_message_is_it_is_refused_by_name_and_the_run_goes_on, setup,
                                        office_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
