/* tests/e2e/bad_envelopes.c: messages that decode: without a key, with a digest too short, a number too large; or sent to a
 * listener where they do not belong. */
#include "tests/e2e/bad_messages.h"

#include "common/task.h"
#include "common/update.h"

#include <math.h>

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

void pack(letter *l, Wm__Envelope *envelope, Wm__Envelope__BodyCase body)
{
    envelope->body_case = body;
    assert_true(wm_envelope_size(envelope) <= ROOM);
    l->n = wm_envelope_pack(envelope, l->bytes);
}

void pack_ask(letter *l, Wm__Ask *ask)
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

const row rows_of_envelopes[] = {
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
    { "a fetch of what nobody has", BULK, a_fetch_of_what_nobody_has, FAULT, WM_E_REFUSED, "does not belong",
      .uncounted = true },
    { "a put of nothing", BULK, a_put_of_nothing, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a put of too much", BULK, a_put_of_too_much, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a put with a long digest", BULK, a_put_with_a_long_digest, FAULT, WM_E_MALFORMED, "1 to 1048576" },
    { "a put of what was not announced", BULK, a_put_of_what_was_not_announced, ANSWER, WM_OK, NULL },
    { "a renewal of garbage", CONTROL, a_renewal_of_garbage, FAULT, WM_E_REFUSED, "too early", .uncounted = true },
    { "an enrolment of garbage", ENROLMENT, an_enrolment_of_garbage, FAULT, WM_E_MALFORMED, "can be answered" },
};
const size_t n_rows_of_envelopes = sizeof rows_of_envelopes / sizeof *rows_of_envelopes;
