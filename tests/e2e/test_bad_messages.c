/* tests/e2e/test_bad_messages.c
 *
 * An enrolled gateway that sends whatever a message can be that it must not be: garbage, truncated, oversized, deeply
 * nested, with every bound of every field overstepped, to each of the three listeners, while a job runs. Each is answered
 * with a fault that says what is wrong, or ends the connection where no answer is owed; each is in the log under the
 * gateway's name and is counted; and the honest gateway and the run do not notice. */
#include "tests/e2e/office.h"

#include "common/crypto/identity.h"
#include "common/task.h"
#include "common/update.h"
#include "common/wire/caller.h"
#include "common/wire/envelope.h"
#include "tests/figures.h"

#include <math.h>

enum { BAD = 1, ANSWER_MS = 30 * 1000, ROOM = 1200 << 10 };

typedef struct letter {
    uint8_t bytes[ROOM];
    size_t  n;
} letter;

/* What may come of it. */
typedef enum outcome {
    FAULT,   /* a fault of that status, and a word in it */
    ANSWER,  /* harmless: an answer */
    CUT_OFF, /* the connection */
} outcome;

typedef struct row {
    const char *says;
    int         port; /* OFFICE_CONTROL... */
    void (*write)(letter *l);
    outcome     outcome;
    wm_status   status;
    const char *why;
} row;

/* ---- bytes ---- */

static void put(letter *l, const void *bytes, size_t n)
{
    assert_true(n <= ROOM - l->n);
    memcpy(l->bytes + l->n, bytes, n);
    l->n += n;
}

static void put_byte(letter *l, uint8_t byte)
{
    put(l, &byte, 1);
}

static void put_varint(letter *l, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(l, (uint8_t)(value | 0x80));
    put_byte(l, (uint8_t)value);
}

static void put_tag(letter *l, unsigned field, unsigned type)
{
    put_varint(l, field << 3 | type);
}

static void put_version(letter *l)
{
    put(l, "\x08\x01", 2);
}

static void nothing(letter *l)
{
    (void)l;
}

static void a_version_alone(letter *l)
{
    put_version(l);
}

static void version_two(letter *l)
{
    put(l, "\x08\x02\x62\x00", 4);
}

static void no_version(letter *l)
{
    put(l, "\x62\x00", 2); /* an empty Ask */
}

static void garbage(letter *l)
{
    uint32_t seed = 12345;

    for (int i = 0; i < 5000; i++, seed = seed * 1664525 + 1013904223)
        put_byte(l, (uint8_t)(seed >> 24));
}

static void all_ones(letter *l)
{
    memset(l->bytes, 0xff, WM_CONTROL_BYTES_MAX);
    l->n = WM_CONTROL_BYTES_MAX;
}

static void one_byte_too_many(letter *l)
{
    put_version(l);
    memset(l->bytes + l->n, 0, WM_CONTROL_BYTES_MAX);
    l->n = WM_CONTROL_BYTES_MAX + 1 + 64; /* over any route */
}

static void too_much_for_bulk(letter *l)
{
    put_version(l);
    l->n = WM_BULK_BYTES_MAX + 100;
}

static void too_much_for_enrolment(letter *l)
{
    put_version(l);
    l->n = WM_ENROLMENT_BYTES_MAX + 100;
}

static void a_field_of_2_to_the_63(letter *l)
{
    put_version(l);
    put_tag(l, 12, 2);
    put_varint(l, 1ull << 63);
}

static void half_a_submit(letter *l)
{
    put_version(l);
    put_tag(l, 14, 2);
    put_varint(l, 100);
    put_tag(l, 2, 2);
    put_varint(l, 32);
    put(l, "only so much", 12);
}

/* Each level holds the next: an unknown field, since the schema has no recursion. */
static void nested_ten_thousand_deep(letter *l)
{
    static uint8_t deep[ROOM];
    size_t         at = sizeof deep;

    for (int i = 0; i < 10000; i++) {
        size_t  n = sizeof deep - at;
        letter *head = calloc(1, sizeof *head);

        put_tag(head, 99, 2);
        put_varint(head, n);
        at -= head->n;
        memcpy(deep + at, head->bytes, head->n);
        free(head);
    }
    put_version(l);
    put(l, deep + at, sizeof deep - at);
}

static void many(letter *l, unsigned body, unsigned field, int times)
{
    letter *inside = calloc(1, sizeof *inside);

    for (int i = 0; i < times; i++) {
        put_tag(inside, field, 2);
        put_varint(inside, 0);
    }
    put_version(l);
    put_tag(l, body, 2);
    put_varint(l, inside->n);
    put(l, inside->bytes, inside->n);
    free(inside);
}

static void thirty_thousand_results(letter *l)
{
    many(l, 16, 2, 30000);
}

static void thirty_thousand_abilities(letter *l)
{
    many(l, 10, 2, 30000);
}

static void twenty_thousand_unknown_fields(letter *l)
{
    many(l, 12, 77, 20000);
}

/* ---- envelopes ---- */

static uint8_t       zeros[1100 << 10];
static Wm__Key       fit_key; /* of a run that nobody knows */
static const uint8_t some_run[WM_RUN_ID_SIZE] = { 1, 2, 3 };

static Wm__Key *key_of(void)
{
    wm__key__init(&fit_key);
    fit_key.run = wm_bytes_field(some_run, sizeof some_run);
    fit_key.model = wm_bytes_field(zeros, WM_DIGEST_SIZE);
    fit_key.phase = WM_PHASE_TRAIN;
    fit_key.round = 1;
    return &fit_key;
}

static void pack(letter *l, Wm__Envelope *envelope, Wm__Envelope__BodyCase body)
{
    envelope->body_case = body;
    assert_true(wm_envelope_size(envelope) <= ROOM);
    l->n = wm_envelope_pack(envelope, l->bytes);
}

static void pack_ask(letter *l, Wm__Ask *ask)
{
    Wm__Envelope envelope = wm_envelope();

    envelope.ask = ask;
    pack(l, &envelope, WM__ENVELOPE__BODY_ASK);
}

static void ask_on_bulk(letter *l)
{
    Wm__Ask ask = WM__ASK__INIT;

    pack_ask(l, &ask);
}

static void busy_with(letter *l, Wm__Key *key)
{
    Wm__Ask ask = WM__ASK__INIT;

    ask.busy_with = key;
    pack_ask(l, &ask);
}

static void a_run_of_15_bytes(letter *l)
{
    Wm__Key *key = key_of();

    key->run.len = 15;
    busy_with(l, key);
}

static void a_model_of_31_bytes(letter *l)
{
    Wm__Key *key = key_of();

    key->model.len = 31;
    busy_with(l, key);
}

static void phase_99(letter *l)
{
    Wm__Key *key = key_of();

    key->phase = 99;
    busy_with(l, key);
}

static void largest_numbers(letter *l)
{
    Wm__Ask ask = WM__ASK__INIT;

    ask.busy_with = key_of();
    ask.busy_with->round = UINT32_MAX;
    ask.busy_done = UINT64_MAX;
    ask.wait_ms = 0;
    pack_ask(l, &ask);
}

static void a_check_in_of_60000_letters(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__CheckIn  in = WM__CHECK_IN__INIT;
    char         program[60001];

    memset(program, 'x', sizeof program - 1);
    program[sizeof program - 1] = '\0';
    in.program = program;
    in.rows = UINT64_MAX;
    envelope.check_in = &in;
    pack(l, &envelope, WM__ENVELOPE__BODY_CHECK_IN);
}

static void pack_submit(letter *l, Wm__Submit *submit)
{
    Wm__Envelope envelope = wm_envelope();

    envelope.submit = submit;
    pack(l, &envelope, WM__ENVELOPE__BODY_SUBMIT);
}

static void a_submit_without_a_key(letter *l)
{
    Wm__Submit submit = WM__SUBMIT__INIT;

    submit.digest = wm_bytes_field(zeros, WM_DIGEST_SIZE);
    pack_submit(l, &submit);
}

static void a_submit_with_a_short_digest(letter *l)
{
    Wm__Submit submit = WM__SUBMIT__INIT;

    submit.key = key_of();
    submit.digest = wm_bytes_field(zeros, 31);
    pack_submit(l, &submit);
}

static void a_submit_of_2_to_the_64(letter *l)
{
    Wm__Submit submit = WM__SUBMIT__INIT;

    submit.key = key_of();
    submit.digest = wm_bytes_field(zeros, WM_DIGEST_SIZE);
    submit.size = UINT64_MAX;
    submit.loss = NAN;
    pack_submit(l, &submit);
}

static void a_report_without_a_key(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Report   report = WM__REPORT__INIT;

    envelope.report = &report;
    pack(l, &envelope, WM__ENVELOPE__BODY_REPORT);
}

static void a_decline_without_a_key(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Decline  decline = WM__DECLINE__INIT;

    envelope.decline = &decline;
    pack(l, &envelope, WM__ENVELOPE__BODY_DECLINE);
}

static void pack_fetch(letter *l, size_t digest, uint64_t offset, uint32_t length)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Fetch    fetch = WM__FETCH__INIT;

    fetch.digest = wm_bytes_field(zeros, digest);
    fetch.offset = offset;
    fetch.length = length;
    envelope.fetch = &fetch;
    pack(l, &envelope, WM__ENVELOPE__BODY_FETCH);
}

static void fetch_on_control(letter *l)
{
    pack_fetch(l, WM_DIGEST_SIZE, 0, 100);
}

static void a_fetch_of_nothing(letter *l)
{
    pack_fetch(l, WM_DIGEST_SIZE, 0, 0);
}

static void a_fetch_of_4_gib(letter *l)
{
    pack_fetch(l, WM_DIGEST_SIZE, 0, UINT32_MAX);
}

static void a_fetch_with_a_short_digest(letter *l)
{
    pack_fetch(l, 31, 0, 100);
}

static void a_fetch_of_what_nobody_has(letter *l)
{
    pack_fetch(l, WM_DIGEST_SIZE, UINT64_MAX, 100);
}

static void pack_put(letter *l, size_t digest, uint64_t offset, size_t n)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Put      range = WM__PUT__INIT;

    range.digest = wm_bytes_field(zeros, digest);
    range.offset = offset;
    range.bytes = wm_bytes_field(zeros, n);
    envelope.put = &range;
    pack(l, &envelope, WM__ENVELOPE__BODY_PUT);
}

static void a_put_of_nothing(letter *l)
{
    pack_put(l, WM_DIGEST_SIZE, 0, 0);
}

static void a_put_of_too_much(letter *l)
{
    pack_put(l, WM_DIGEST_SIZE, 0, WM_RANGE_BYTES_MAX + 1);
}

static void a_put_with_a_long_digest(letter *l)
{
    pack_put(l, 33, 0, 100);
}

static void a_put_of_what_was_not_announced(letter *l)
{
    pack_put(l, WM_DIGEST_SIZE, UINT64_MAX, 100);
}

static void a_command(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Command  command = WM__COMMAND__INIT;

    command.verb = (char *)(uintptr_t) "status";
    envelope.command = &command;
    pack(l, &envelope, WM__ENVELOPE__BODY_COMMAND);
}

static void an_issue(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Issue    issue = WM__ISSUE__INIT;

    issue.verb = WM__ISSUE__VERB__TOKEN;
    envelope.issue = &issue;
    pack(l, &envelope, WM__ENVELOPE__BODY_ISSUE);
}

static void an_answer(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Work     work = WM__WORK__INIT;

    envelope.work = &work;
    pack(l, &envelope, WM__ENVELOPE__BODY_WORK);
}

static void a_renewal_of_garbage(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Renew    renew = WM__RENEW__INIT;

    renew.request = wm_bytes_field(zeros, 500);
    renew.proof = wm_bytes_field(zeros, 70);
    envelope.renew = &renew;
    pack(l, &envelope, WM__ENVELOPE__BODY_RENEW);
}

static void an_enrolment_of_garbage(letter *l)
{
    Wm__Envelope envelope = wm_envelope();
    Wm__Enrol    enrol = WM__ENROL__INIT;

    enrol.token_id = wm_bytes_field(zeros, 3000);
    enrol.secret = wm_bytes_field(zeros, 3000);
    enrol.name = (char *)(uintptr_t) "../../etc";
    enrol.request = wm_bytes_field(zeros, 100);
    envelope.enrol = &enrol;
    pack(l, &envelope, WM__ENVELOPE__BODY_ENROL);
}

/* ---- the table ---- */

#define CONTROL   OFFICE_CONTROL
#define BULK      OFFICE_BULK
#define ENROLMENT OFFICE_ENROLMENT

static const row rows[] = {
    { "nothing at all", CONTROL, nothing, FAULT, WM_E_REFUSED, "version 0" },
    { "a version and nothing else", CONTROL, a_version_alone, FAULT, WM_E_MALFORMED, "nothing in it" },
    { "another version of the protocol", CONTROL, version_two, FAULT, WM_E_REFUSED, "version 2" },
    { "no version", BULK, no_version, FAULT, WM_E_REFUSED, "version 0" },
    { "garbage", CONTROL, garbage, FAULT, WM_E_MALFORMED, "does not decode" },
    { "garbage for bulk", BULK, garbage, FAULT, WM_E_MALFORMED, "does not decode" },
    { "garbage for enrolment", ENROLMENT, garbage, FAULT, WM_E_MALFORMED, "does not decode" },
    { "64 KiB of ones", CONTROL, all_ones, FAULT, WM_E_MALFORMED, "does not decode" },
    { "over the limit of control", CONTROL, one_byte_too_many, CUT_OFF, WM_OK, "over the limit of 65536" },
    { "over the limit of bulk", BULK, too_much_for_bulk, CUT_OFF, WM_OK, "over the limit of 1114112" },
    { "over the limit of enrolment", ENROLMENT, too_much_for_enrolment, CUT_OFF, WM_OK, "over the limit of 8192" },
    { "a field of 2^63 bytes", CONTROL, a_field_of_2_to_the_63, FAULT, WM_E_MALFORMED, "does not decode" },
    { "half a submit", CONTROL, half_a_submit, FAULT, WM_E_MALFORMED, "does not decode" },
    { "10,000 levels deep", CONTROL, nested_ten_thousand_deep, FAULT, WM_E_MALFORMED, "nothing in it" },
    { "30,000 results", CONTROL, thirty_thousand_results, FAULT, WM_E_NOMEM, "too much memory" },
    { "30,000 abilities", CONTROL, thirty_thousand_abilities, FAULT, WM_E_NOMEM, "too much memory" },
    { "20,000 unknown fields", CONTROL, twenty_thousand_unknown_fields, FAULT, WM_E_NOMEM, "too much memory" },
    { "busy with a run of 15 bytes", CONTROL, a_run_of_15_bytes, FAULT, WM_E_MALFORMED, "key" },
    { "busy with a model of 31 bytes", CONTROL, a_model_of_31_bytes, FAULT, WM_E_MALFORMED, "key" },
    { "busy with phase 99", CONTROL, phase_99, FAULT, WM_E_MALFORMED, "key" },
    { "the largest numbers", CONTROL, largest_numbers, ANSWER, WM_OK, NULL },
    { "a program's name of 60,000 letters", CONTROL, a_check_in_of_60000_letters, ANSWER, WM_OK, NULL },
    { "a submit without a key", CONTROL, a_submit_without_a_key, FAULT, WM_E_MALFORMED, "key" },
    { "a submit with a short digest", CONTROL, a_submit_with_a_short_digest, FAULT, WM_E_MALFORMED, "digest" },
    { "an update of 2^64 - 1 bytes, of no run", CONTROL, a_submit_of_2_to_the_64, ANSWER, WM_OK, NULL },
    { "a report without a key", CONTROL, a_report_without_a_key, FAULT, WM_E_MALFORMED, "key" },
    { "a decline without a key", CONTROL, a_decline_without_a_key, FAULT, WM_E_MALFORMED, "key" },
    { "a fetch on control", CONTROL, fetch_on_control, FAULT, WM_E_INVALID, "does not belong" },
    { "an ask on bulk", BULK, ask_on_bulk, FAULT, WM_E_INVALID, "does not belong" },
    { "an ask for enrolment", ENROLMENT, ask_on_bulk, FAULT, WM_E_INVALID, "enrolment alone" },
    { "an operator's command", CONTROL, a_command, FAULT, WM_E_INVALID, "does not belong" },
    { "a question to the issuer", CONTROL, an_issue, FAULT, WM_E_INVALID, "does not belong" },
    { "a question to the issuer, on bulk", BULK, an_issue, FAULT, WM_E_INVALID, "does not belong" },
    { "an answer", CONTROL, an_answer, FAULT, WM_E_INVALID, "does not belong" },
    { "a fetch of nothing", BULK, a_fetch_of_nothing, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a fetch of 4 GiB", BULK, a_fetch_of_4_gib, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a fetch with a short digest", BULK, a_fetch_with_a_short_digest, FAULT, WM_E_MALFORMED, "named blob" },
    { "a fetch of what nobody has", BULK, a_fetch_of_what_nobody_has, FAULT, WM_E_REFUSED, "does not belong" },
    { "a put of nothing", BULK, a_put_of_nothing, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a put of too much", BULK, a_put_of_too_much, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a put with a long digest", BULK, a_put_with_a_long_digest, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a put of what was not announced", BULK, a_put_of_what_was_not_announced, ANSWER, WM_OK, NULL },
    { "a renewal of garbage", CONTROL, a_renewal_of_garbage, FAULT, WM_E_REFUSED, "too early" },
    { "an enrolment of garbage", ENROLMENT, an_enrolment_of_garbage, FAULT, WM_E_MALFORMED, "can be answered" },
};

enum { ROWS = sizeof rows / sizeof *rows };

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
    static letter l;
    office       *o = *state;
    bad_gateway   bad;
    bool          over = false;
    long          counted = 0;

    office_server_start(o, NULL);
    office_enrol_all(o);
    bad_open(&bad, o);
    office_gateway_start(o, 1 - BAD, NULL);
    office_job_start(o);
    for (size_t i = 0; i < ROWS; i++) {
        l.n = 0;
        rows[i].write(&l);
        send_one(&bad, &rows[i], &l);
        /* Not those on the enrolment listener, which asks nobody who he is; nor what a race may bring about. */
        counted += rows[i].port != ENROLMENT && rows[i].outcome != ANSWER &&
                   rows[i].write != a_renewal_of_garbage && rows[i].write != a_fetch_of_what_nobody_has;
    }
    if (refusals_of(o, o->names[BAD]) < counted)
        office_fail(o, "%ld refusals are counted, %ld messages were refused", refusals_of(o, o->names[BAD]),
                    counted);
    assert_int_equal(refusals_of(o, o->names[1 - BAD]), 0);
    while (!over)
        decline_all(&bad, &over);
    office_wait_done(o, 0, NULL);
    tell_fault(&(fault_figure){ .fault = "malformed, oversized and nonsensical messages by an enrolled gateway",
                                .tries = ROWS,
                                .survived = ROWS,
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
