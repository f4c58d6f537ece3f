/* tests/fuzz/fuzz_answers.c
 *
 * What an aggregator may answer to a gateway: offers, receipts, ranges, faults. The input is a sequence of envelopes, each
 * after its length in two bytes; they answer one question after the other. The first byte says whether a range is made
 * the one that was asked for, and whether the blobs' digests are made right, since no fuzzer guesses those. */
#include "client/offer.h"

#include "tests/fuzz/take.h"

enum { RANGES_ARE_RIGHT = 1, QUESTIONS_MAX = 64, UPDATE = 40000, BLOB_MAX = 1 << 20 };

typedef struct script {
    taker    from;
    bool     ranges_are_right;
    unsigned questions;
    struct {
        uint8_t  name[WM_DIGEST_SIZE];
        uint64_t n;
    } blobs[3]; /* of the offer: how large each is */
    size_t  n_blobs;
    uint8_t blob[WM_RANGE_BYTES_MAX];
} script;

static Wm__Envelope *next_envelope(script *s)
{
    taker         part = take_bytes(&s->from, take_number(&s->from, 2));
    Wm__Envelope *envelope = NULL;
    wm_error      err = { WM_OK, "" };

    if (wm_envelope_unpack(part.bytes, part.n, WM_CONTROL_BYTES_MAX, &envelope, &err) != WM_OK)
        must(envelope == NULL && err.text[0] != '\0');
    return envelope;
}

/* The range that was asked for; protobuf-c frees what it holds. */
static void make_right(const script *s, const Wm__Fetch *fetch, Wm__Range *range)
{
    uint8_t *bytes = malloc(fetch->length);

    must(bytes != NULL && fetch->length <= WM_RANGE_BYTES_MAX);
    memcpy(bytes, s->blob, fetch->length);
    free(range->bytes.data);
    for (size_t i = 0; i < s->n_blobs; i++)
        if (fetch->digest.len == WM_DIGEST_SIZE &&
            memcmp(s->blobs[i].name, fetch->digest.data, WM_DIGEST_SIZE) == 0)
            range->total = s->blobs[i].n;
    range->offset = fetch->offset;
    range->bytes = wm_bytes_field(bytes, fetch->length);
}

static wm_status ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                     uint64_t *come_back_ms, wm_error *err)
{
    script       *s = self->state;
    Wm__Envelope *envelope;

    (void)timeout_ms;
    *come_back_ms = 0;
    if (s->questions++ >= QUESTIONS_MAX || (envelope = next_envelope(s)) == NULL)
        return wm_fail(err, WM_E_CLOSED, "the script is over");
    if (envelope->body_case == WM__ENVELOPE__BODY_FAULT) {
        wm_status st = wm_fault_status(envelope->fault, err);

        must(st != WM_OK);
        *come_back_ms = envelope->fault->come_back_ms;
        wm_envelope_free(envelope);
        return st;
    }
    if (s->ranges_are_right && envelope->body_case == WM__ENVELOPE__BODY_RANGE &&
        question->body_case == WM__ENVELOPE__BODY_FETCH)
        make_right(s, question->fetch, envelope->range);
    if (question->body_case == WM__ENVELOPE__BODY_PUT)
        must(question->put->bytes.len > 0 && question->put->bytes.len <= WM_RANGE_BYTES_MAX &&
             question->put->offset + question->put->bytes.len <= UPDATE);
    *answer = envelope;
    return WM_OK;
}

/* Sizes are the server's promise, and it is trusted to have gigabytes; not by a fuzzer. */
static void bound(Wm__Work *work)
{
    work->job_bytes %= BLOB_MAX;
    work->model_bytes %= BLOB_MAX;
    work->scaling_bytes %= BLOB_MAX;
}

/* The zeroes that the script sends as bytes, named rightly. */
static void name_rightly(script *s, ProtobufCBinaryData *name, uint64_t n)
{
    wm_digest digest;

    if (name->len == WM_DIGEST_SIZE && n <= sizeof s->blob) {
        digest = wm_sha256_of(s->blob, n);
        memcpy(name->data, digest.bytes, WM_DIGEST_SIZE);
        memcpy(s->blobs[s->n_blobs].name, digest.bytes, WM_DIGEST_SIZE);
        s->blobs[s->n_blobs++].n = n;
    }
}

static void take_offer(script *s, Wm__Work *work, wm_exchange *exchange, wm_clock clock)
{
    wm_fetcher fetcher;
    wm_order   order;
    int64_t    wait_ms = 0;
    wm_error   err = { WM_OK, "" };

    bound(work);
    if (s->ranges_are_right) {
        name_rightly(s, &work->job, work->job_bytes);
        name_rightly(s, &work->scaling, work->scaling_bytes);
        if (work->key != NULL)
            name_rightly(s, &work->key->model, work->model_bytes);
    }
    wm_fetcher_init(&fetcher, exchange, clock);
    for (int i = 0; i < 3; i++) {
        if (wm_offer_collect(&fetcher, work, false, &order, &wait_ms, &err) == WM_OK) {
            must(order.task.phase >= WM_PHASE_STATISTICS && order.task.phase <= WM_PHASE_FINAL);
            must(order.n_text == work->job_bytes && order.n_params == 0 ? order.params == NULL : true);
            wm_order_release(&order);
        } else {
            must(err.text[0] != '\0' && wait_ms >= 0);
        }
    }
    wm_fetcher_release(&fetcher);
}

static void take_receipt(const Wm__Receipt *receipt, wm_exchange *exchange, wm_clock clock)
{
    static const uint8_t update[UPDATE] = { 7 };
    const wm_digest      digest = wm_sha256_of(update, sizeof update);
    wm_receipt           last;
    wm_error             err = { WM_OK, "" };

    if (wm_upload_run(&digest, update, sizeof update, receipt, exchange, &clock, &last, &err) == WM_OK)
        must(last.state != WM__RECEIPT__STATE__SEND && memchr(last.reason, 0, sizeof last.reason) != NULL);
    else
        must(err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static script   s;
    wm_manual_clock time = { 0 };
    wm_clock        clock = wm_clock_manual(&time);
    wm_exchange     exchange = { .ask = ask, .state = &s, .limit = WM_CONTROL_BYTES_MAX };
    Wm__Envelope   *first;

    s = (script){ .from = { bytes, n } };
    s.ranges_are_right = (take_number(&s.from, 1) & RANGES_ARE_RIGHT) != 0;
    first = next_envelope(&s);
    if (first == NULL)
        return 0;
    if (first->body_case == WM__ENVELOPE__BODY_WORK)
        take_offer(&s, first->work, &exchange, clock);
    else if (first->body_case == WM__ENVELOPE__BODY_RECEIPT)
        take_receipt(first->receipt, &exchange, clock);
    wm_envelope_free(first);
    return 0;
}
