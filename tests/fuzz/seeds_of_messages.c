/* tests/fuzz/seeds_of_messages.c: what goes over the wire: frames, envelopes, offers and their answers, ranges. */
#include "common/task.h"
#include "common/wire/frame.h"
#include "common/wire/ranges.h"
#include "tests/fuzz/seed.h"

static uint8_t zeroes[2 * WM_RANGE_BYTES_MIN], digest[32] = { 1, 2, 3 }, run[16] = { 9 };

static ProtobufCBinaryData field(const uint8_t *bytes, size_t n)
{
    return wm_bytes_field(bytes, n);
}

/* ---- one of each body ---- */

typedef struct bodies {
    Wm__Key         key;
    Wm__CheckIn     check_in;
    Wm__Welcome     welcome;
    Wm__Ask         ask;
    Wm__Work        work;
    Wm__Submit      submit;
    Wm__Receipt     receipt;
    Wm__Gap         gaps[2], *gap_list[2];
    Wm__Report      report;
    Wm__Result      result, *result_list[1];
    Wm__Decline     decline;
    Wm__Renew       renew;
    Wm__Certificate certificate;
    Wm__Fetch       fetch;
    Wm__Range       range;
    Wm__Put         put;
    Wm__Enrol       enrol;
    Wm__Command     command;
    Wm__Fault       fault;
    double          sums[8];
    char           *words[2];
} bodies;

static void fill(bodies *b)
{
    *b = (bodies){ WM__KEY__INIT,
                   WM__CHECK_IN__INIT,
                   WM__WELCOME__INIT,
                   WM__ASK__INIT,
                   WM__WORK__INIT,
                   WM__SUBMIT__INIT,
                   WM__RECEIPT__INIT,
                   { WM__GAP__INIT, WM__GAP__INIT },
                   { &b->gaps[0], &b->gaps[1] },
                   WM__REPORT__INIT,
                   WM__RESULT__INIT,
                   { &b->result },
                   WM__DECLINE__INIT,
                   WM__RENEW__INIT,
                   WM__CERTIFICATE__INIT,
                   WM__FETCH__INIT,
                   WM__RANGE__INIT,
                   WM__PUT__INIT,
                   WM__ENROL__INIT,
                   WM__COMMAND__INIT,
                   WM__FAULT__INIT,
                   { 1, 2, 3, 4 },
                   { (char *)(uintptr_t) "start", (char *)(uintptr_t) "air.yaml" } };
    b->key.run = field(run, sizeof run);
    b->key.phase = WM_PHASE_TRAIN;
    b->key.round = 3;
    b->key.model = field(digest, sizeof digest);
    b->check_in.program = b->welcome.program = (char *)(uintptr_t) "wardmote-client 0.1.0";
    b->check_in.abilities = b->words;
    b->check_in.n_abilities = 2;
    b->check_in.rows = 8760;
    b->welcome.server_time_ms = 1790000000000;
    b->ask.wait_ms = 25000;
    b->ask.busy_with = b->ask.held = &b->key;
    b->ask.held_digest = field(digest, sizeof digest);
    b->work.kind = WM__WORK__KIND__TASK;
    b->work.key = &b->key;
    b->work.job = b->work.scaling = field(digest, sizeof digest);
    b->work.job_bytes = 100;
    b->work.model_bytes = 4 * 5000;
    b->work.scaling_bytes = 32;
    b->work.left_ms = 60000;
    b->submit.key = &b->key;
    b->submit.digest = field(digest, sizeof digest);
    b->submit.size = 40000;
    b->receipt.gaps = b->gap_list;
    b->receipt.n_gaps = 2;
    b->gaps[0].length = 40000;
    b->gaps[1] = b->gaps[0];
    b->gaps[1].offset = 30000;
    b->gaps[1].length = 10000;
    b->receipt.reason = b->decline.reason = (char *)(uintptr_t) "too few examples";
    b->report.key = b->decline.key = &b->key;
    b->report.results = b->result_list;
    b->report.n_results = 1;
    b->result.sums = b->sums;
    b->result.n_sums = 8;
    b->renew.request = b->renew.proof = field(zeroes, 70);
    b->certificate.chain = b->certificate.root = field(zeroes, 90);
    b->fetch.digest = b->put.digest = field(digest, sizeof digest);
    b->fetch.length = 1000;
    b->range.total = 40000;
    b->range.bytes = b->put.bytes = field(zeroes, 1000);
    b->enrol.token_id = b->enrol.secret = field(run, sizeof run);
    b->enrol.name = (char *)(uintptr_t) "north";
    b->enrol.request = b->enrol.old_certificate = b->enrol.proof = field(zeroes, 70);
    b->command.verb = (char *)(uintptr_t) "job start";
    b->command.words = b->words;
    b->command.n_words = 2;
    b->command.text = field((const uint8_t *)"job: air\n", 9);
    b->fault.code = WM_E_REFUSED;
    b->fault.text = (char *)(uintptr_t) "no";
    b->fault.come_back_ms = 1000;
}

#define BODY(field_name, CASE)                          \
    static Wm__Envelope with_##field_name(bodies *b)    \
    {                                                   \
        Wm__Envelope envelope = wm_envelope();          \
                                                        \
        envelope.body_case = WM__ENVELOPE__BODY_##CASE; \
        envelope.field_name = &b->field_name;           \
        return envelope;                                \
    }
BODY(fault, FAULT)
BODY(check_in, CHECK_IN)
BODY(welcome, WELCOME)
BODY(ask, ASK)
BODY(work, WORK)
BODY(submit, SUBMIT)
BODY(receipt, RECEIPT)
BODY(report, REPORT)
BODY(decline, DECLINE)
BODY(renew, RENEW)
BODY(certificate, CERTIFICATE)
BODY(fetch, FETCH)
BODY(range, RANGE)
BODY(put, PUT)
BODY(enrol, ENROL)
BODY(command, COMMAND)

static const struct {
    const char *name;
    Wm__Envelope (*with)(bodies *b);
} kinds[] = {
    { "fault", with_fault },
    { "check_in", with_check_in },
    { "welcome", with_welcome },
    { "ask", with_ask },
    { "work", with_work },
    { "submit", with_submit },
    { "receipt", with_receipt },
    { "report", with_report },
    { "decline", with_decline },
    { "renew", with_renew },
    { "certificate", with_certificate },
    { "fetch", with_fetch },
    { "range", with_range },
    { "put", with_put },
    { "enrol", with_enrol },
    { "command", with_command },
};

/* ---- messages ---- */

enum { STRAIGHT = 2 }; /* fuzz_message's first byte: no frame around it */

static void framed(const char *name, wm_frame_kind kind, uint64_t length, const char *route, size_t n_route,
                   const Wm__Envelope *envelope)
{
    uint8_t head[WM_FRAME_HEAD_MAX];
    seed    s = WM_TEXT_INIT;

    seed_number(&s, kind == WM_FRAME_LOCAL ? 1 : 0, 1);
    wm_frame_head_write(kind, length, head);
    seed_bytes(&s, head, wm_frame_head_size(kind));
    seed_bytes(&s, route, n_route);
    if (envelope != NULL)
        seed_envelope(&s, envelope);
    seed_write("message", name, &s);
}

static void raw(const char *name, const void *bytes, size_t n)
{
    seed s = WM_TEXT_INIT;

    seed_number(&s, STRAIGHT, 1);
    seed_bytes(&s, bytes, n);
    seed_write("message", name, &s);
}

/* A field's tag and length over what is in it: `deep` times, each within the last, as a parser that recurses would. */
static void nested(void)
{
    uint8_t bytes[1500];
    size_t  n = 0;

    bytes[n++] = 0x08;
    bytes[n++] = 1; /* version 1 */
    for (size_t left = (sizeof bytes - 2) / 3; left-- > 0;) {
        size_t inside = 3 * left;

        bytes[n++] = 0x6a; /* work, and in a work field 13, and again */
        bytes[n++] = (uint8_t)(inside & 127) | 128;
        bytes[n++] = (uint8_t)(inside >> 7);
    }
    raw("deep", bytes, n);
}

static void messages(void)
{
    static const uint8_t length_bomb[] = { 8, 1, 0x92, 1, 0xff, 0xff, 0xff, 0xff, 0x0f };
    static const uint8_t unknown[] = { 8, 1, 0xfa, 0x3f, 2, 0, 0 }, no_body[] = { 8, 1 };
    static const uint8_t varint[] = { 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 };
    static const char    hops[] = "\0\0\0\1\0\0\0\2\x80\0\0\3", endless[36] = { 0 };
    Wm__Envelope         envelope;
    bodies               b;
    seed                 s = WM_TEXT_INIT;

    fill(&b);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        envelope = kinds[i].with(&b);
        seed_number(&s, STRAIGHT, 1);
        seed_envelope(&s, &envelope);
        seed_write("message", kinds[i].name, &s);
    }
    envelope = with_ask(&b);
    framed("framed", WM_FRAME_TCP, 100, "\x80\0\0\1", 4, &envelope);
    framed("framed_local", WM_FRAME_LOCAL, 100, "\x80\0\0\1", 4, &envelope);
    framed("hops", WM_FRAME_TCP, 100, hops, 12, &envelope);
    framed("no_route_end", WM_FRAME_TCP, 100, endless, sizeof endless, NULL);
    framed("length_bomb_frame", WM_FRAME_TCP, UINT64_MAX, "\x80\0\0\1", 4, NULL);
    envelope.version = 2;
    framed("other_version", WM_FRAME_TCP, 100, "\x80\0\0\1", 4, &envelope);
    raw("length_bomb", length_bomb, sizeof length_bomb);
    raw("unknown_field", unknown, sizeof unknown);
    raw("no_body", no_body, sizeof no_body);
    raw("endless_varint", varint, sizeof varint);
    nested();
    seed_number(&s, STRAIGHT, 1); /* many small parts: much memory out of few bytes */
    seed_bytes(&s, "\x08\x01\x7a\xfc\x05", 5);
    for (int i = 0; i < 190; i++)
        seed_bytes(&s, "\x22\x02\x08\x01", 4);
    seed_write("message", "many_gaps", &s);
}

/* ---- what a gateway is answered ---- */

static void add(seed *s, const Wm__Envelope *envelope)
{
    seed_number(s, wm_envelope_size(envelope), 2);
    seed_envelope(s, envelope);
}

/* An offer, and the range that answers each question. */
static void offer(const char *name, unsigned right, bodies *b, int ranges)
{
    Wm__Envelope envelope = with_work(b);
    seed         s = WM_TEXT_INIT;

    seed_number(&s, right, 1);
    add(&s, &envelope);
    envelope = with_range(b);
    for (int i = 0; i < ranges; i++)
        add(&s, &envelope);
    envelope = with_fault(b);
    add(&s, &envelope);
    seed_write("answers", name, &s);
}

static void receipts(const char *name, bodies *b, int times, Wm__Receipt__State last)
{
    Wm__Envelope envelope = with_receipt(b);
    seed         s = WM_TEXT_INIT;

    seed_number(&s, 0, 1);
    for (int i = 0; i < times; i++)
        add(&s, &envelope);
    b->receipt.state = last;
    add(&s, &envelope);
    b->receipt.state = WM__RECEIPT__STATE__SEND;
    seed_write("answers", name, &s);
}

static void answers(void)
{
    bodies       b;
    Wm__Envelope envelope;
    seed         s = WM_TEXT_INIT;

    fill(&b);
    offer("offer", 1, &b, 9);
    offer("offer_of_wrong_ranges", 0, &b, 9);
    b.range.total = 100;
    b.range.bytes = field(zeroes, 100);
    offer("offer_of_other_bytes", 0, &b, 9);
    b.work.job_bytes = 0;
    offer("offer_of_nothing", 1, &b, 2);
    b.work.job_bytes = 100;
    b.work.model_bytes = 7;
    offer("offer_of_half_a_float", 1, &b, 2);
    b.work.model_bytes = 4000;
    b.key.phase = WM_PHASE_STATISTICS;
    offer("offer_of_statistics", 1, &b, 9);
    b.key.phase = 77;
    offer("offer_of_no_phase", 1, &b, 2);
    fill(&b);
    b.work.key = NULL;
    offer("offer_without_a_key", 1, &b, 2);
    fill(&b);
    b.key.run.len = 15;
    offer("offer_of_a_short_run", 1, &b, 2);
    fill(&b);
    b.work.scaling.len = 31;
    offer("offer_of_a_short_scaling", 1, &b, 2);
    fill(&b);
    receipts("receipt", &b, 3, WM__RECEIPT__STATE__ACCEPTED);
    receipts("receipt_refused", &b, 0, WM__RECEIPT__STATE__REFUSED);
    receipts("receipt_again_and_again", &b, 40, WM__RECEIPT__STATE__SEND);
    b.gaps[0].offset = UINT64_MAX;
    b.gaps[0].length = UINT64_MAX;
    receipts("receipt_of_far_gaps", &b, 2, WM__RECEIPT__STATE__OVER);
    b.receipt.n_gaps = 0;
    receipts("receipt_without_gaps", &b, 1, WM__RECEIPT__STATE__LATER);
    fill(&b);
    envelope = with_receipt(&b);
    seed_number(&s, 0, 1);
    add(&s, &envelope);
    envelope = with_ask(&b); /* no answer to a Put */
    add(&s, &envelope);
    seed_write("answers", "receipt_and_a_question", &s);
    b.fault.code = 12345;
    envelope = with_receipt(&b);
    seed_number(&s, 0, 1);
    add(&s, &envelope);
    envelope = with_fault(&b);
    add(&s, &envelope);
    seed_write("answers", "receipt_and_an_unknown_fault", &s);
}

/* ---- ranges ---- */

static void ranges(void)
{
    static const uint8_t in_order[] = { 29, 0, 10, 0, 10, 10, 1, 20, 10, 2 };
    static const uint8_t out_of_order[] = { 99, 50, 10, 0, 0, 10, 0, 20, 20, 0, 5, 60, 1, 0, 100, 0, 0, 100, 0 };
    static const uint8_t far_ends[] = { 99, 0, 10, 7, 10, 0, 56, 0, 0, 63, 100, 1, 0, 99, 1, 0 };
    seed                 s = WM_TEXT_INIT;

    seed_bytes(&s, in_order, sizeof in_order);
    seed_write("ranges", "in_order", &s);
    seed_bytes(&s, out_of_order, sizeof out_of_order);
    seed_write("ranges", "out_of_order", &s);
    seed_bytes(&s, far_ends, sizeof far_ends);
    seed_write("ranges", "far_ends", &s);
    seed_number(&s, 255, 1); /* every other byte: more holes than are kept */
    for (unsigned i = 1; i < 255; i += 2) {
        seed_number(&s, i, 1);
        seed_number(&s, 1, 1);
        seed_number(&s, i, 1);
    }
    seed_write("ranges", "every_other_byte", &s);
}

void seeds_of_messages(void)
{
    messages();
    answers();
    ranges();
}
