/* tests/wire/test_transfer.c
 *
 * The loops over a server that is played here: it serves a blob or takes one, and fails as it is told. No sockets.
 */
#include "tests/unit.h"

#include "common/rng.h"
#include "common/wire/transfer.h"

enum { BLOB = 2800 * 1000 };

/* How an answer is wrong. */
typedef enum lie { OTHER_OFFSET, OTHER_TOTAL, SHORT_RANGE, FLIPPED_BIT, OTHER_BODY } lie;

typedef struct fake {
    uint8_t           *blob; /* [BLOB] of the server's: what is fetched, or what has arrived */
    wm_ranges          ranges;
    wm_manual_clock    time;
    int64_t            ms_per_range;
    int                questions;
    int                fail_from, fail_to; /* the questions that fail, counted from 1 */
    int                lie_at;             /* this answer is wrong in the way of `lie` */
    lie                lie;
    Wm__Receipt__State last; /* when all is here */
    bool               deaf; /* counts nothing as arrived */
    uint64_t           largest;
} fake;

/* As over the wire: packed and unpacked. */
static Wm__Envelope *through_bytes(const Wm__Envelope *envelope)
{
    size_t        n = wm_envelope_size(envelope);
    uint8_t      *bytes = malloc(n);
    Wm__Envelope *back = NULL;
    wm_error      err;

    wm_envelope_pack(envelope, bytes);
    assert_ok(wm_envelope_unpack(bytes, n, WM_BULK_BYTES_MAX, &back, &err), &err);
    free(bytes);
    return back;
}

static Wm__Envelope *answer_fetch(fake *f, const Wm__Fetch *fetch, bool lying)
{
    Wm__Envelope answer = wm_envelope(), *back;
    Wm__Range    range;
    wm_error     err;

    assert_ok(wm_range_of(fetch, f->blob, BLOB, &range, &err), &err);
    f->largest = fetch->length > f->largest ? fetch->length : f->largest;
    range.offset += lying && f->lie == OTHER_OFFSET;
    range.total += lying && f->lie == OTHER_TOTAL;
    range.bytes.len -= lying && f->lie == SHORT_RANGE;
    answer.body_case = WM__ENVELOPE__BODY_RANGE;
    answer.range = &range;
    back = through_bytes(&answer);
    if (lying && f->lie == FLIPPED_BIT)
        back->range->bytes.data[17] ^= 4;
    return back;
}

static Wm__Envelope *receipt_of(fake *f)
{
    Wm__Envelope answer = wm_envelope();
    Wm__Receipt  receipt = WM__RECEIPT__INIT;
    Wm__Gap      gaps[WM_GAPS_MAX], *list[WM_GAPS_MAX];

    receipt.n_gaps = wm_receipt_gaps(&f->ranges, gaps, list);
    receipt.gaps = list;
    receipt.state = wm_ranges_complete(&f->ranges) ? f->last : WM__RECEIPT__STATE__SEND;
    receipt.reason = "because";
    receipt.come_back_ms = 77;
    answer.body_case = WM__ENVELOPE__BODY_RECEIPT;
    answer.receipt = &receipt;
    return through_bytes(&answer);
}

static Wm__Envelope *answer_put(fake *f, const Wm__Put *put)
{
    wm_error err;

    if (f->deaf)
        return receipt_of(f);
    assert_ok(wm_ranges_add(&f->ranges, put->offset, put->bytes.len, NULL, &err), &err);
    memcpy(f->blob + put->offset, put->bytes.data, put->bytes.len);
    f->largest = put->bytes.len > f->largest ? put->bytes.len : f->largest;
    return receipt_of(f);
}

static wm_status fake_ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                          uint64_t *come_back_ms, wm_error *err)
{
    fake         *f = self->state;
    Wm__Envelope *asked;
    bool          lying = ++f->questions == f->lie_at;

    assert_true(timeout_ms >= WM_PATIENCE_MS_LEAST && timeout_ms <= WM_PATIENCE_MS_MOST);
    *come_back_ms = 0;
    if (f->questions >= f->fail_from && f->questions < f->fail_to)
        return wm_fail(err, WM_E_CLOSED, "the link is cut");
    f->time.mono_ms += f->ms_per_range;
    asked = through_bytes(question);
    if (lying && f->lie == OTHER_BODY)
        *answer = through_bytes(question);
    else
        *answer = asked->body_case == WM__ENVELOPE__BODY_FETCH ? answer_fetch(f, asked->fetch, lying)
                                                               : answer_put(f, asked->put);
    wm_envelope_free(asked);
    return WM_OK;
}

static void fill(uint8_t *bytes, size_t n)
{
    wm_rng rng;

    wm_rng_init(&rng, 3);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)wm_rng_next(&rng);
}

static void fake_init(fake *f, bool full)
{
    memset(f, 0, sizeof *f);
    f->blob = calloc(BLOB, 1);
    f->ms_per_range = 10;
    f->last = WM__RECEIPT__STATE__ACCEPTED;
    wm_ranges_init(&f->ranges, BLOB);
    if (full)
        fill(f->blob, BLOB);
}

static wm_download *download_of(const fake *f)
{
    wm_digest    digest = wm_sha256_of(f->blob, BLOB);
    wm_download *d = NULL;
    wm_error     err;

    assert_ok(wm_download_new(&digest, BLOB, 4 << 20, &d, &err), &err);
    return d;
}

static void a_blob_comes_down_in_few_questions_on_a_quick_link(void **state)
{
    fake         f;
    wm_exchange  exchange = { .ask = fake_ask, .state = &f };
    wm_clock     clock = wm_clock_manual(&f.time);
    wm_download *d;
    uint8_t     *bytes;
    size_t       n;
    uint64_t     come_back_ms;
    wm_error     err;

    (void)state;
    fake_init(&f, true);
    d = download_of(&f);
    assert_ok(wm_download_run(d, &exchange, &clock, &come_back_ms, &err), &err);
    bytes = wm_download_take(d, &n);
    assert_int_equal(n, BLOB);
    assert_memory_equal(bytes, f.blob, BLOB);
    assert_int_equal(f.questions, 4); /* 16 KiB to feel the way, then 1 MiB each */
    assert_int_equal(f.largest, WM_RANGE_BYTES_MAX);
    free(bytes);
    wm_download_free(d);
    free(f.blob);
}

static void on_a_slow_link_no_range_takes_more_than_ten_seconds(void **state)
{
    fake         f;
    wm_exchange  exchange = { .ask = fake_ask, .state = &f };
    wm_clock     clock = wm_clock_manual(&f.time);
    wm_download *d;
    uint64_t     come_back_ms;
    wm_error     err;

    (void)state;
    fake_init(&f, true);
    f.ms_per_range = 8000; /* 2 kB a second at first: the range stays the smallest */
    d = download_of(&f);
    assert_ok(wm_download_run(d, &exchange, &clock, &come_back_ms, &err), &err);
    assert_int_equal(f.largest, WM_RANGE_BYTES_MIN);
    assert_int_equal(f.questions, (BLOB + WM_RANGE_BYTES_MIN - 1) / WM_RANGE_BYTES_MIN);
    wm_download_free(d);
    free(f.blob);
}

static void a_cut_link_costs_one_range(void **state)
{
    fake         f;
    wm_exchange  exchange = { .ask = fake_ask, .state = &f };
    wm_clock     clock = wm_clock_manual(&f.time);
    wm_download *d;
    uint64_t     come_back_ms, lacking;
    wm_error     err;

    (void)state;
    fake_init(&f, true);
    f.fail_from = 3;
    f.fail_to = 5;
    d = download_of(&f);
    assert_int_equal(wm_download_run(d, &exchange, &clock, &come_back_ms, &err), WM_E_CLOSED);
    lacking = wm_download_lacking(d);
    assert_int_equal(lacking, BLOB - (16 << 10) - (1 << 20));
    assert_int_equal(wm_download_run(d, &exchange, &clock, &come_back_ms, &err), WM_E_CLOSED);
    assert_int_equal(wm_download_lacking(d), lacking);
    assert_ok(wm_download_run(d, &exchange, &clock, &come_back_ms, &err), &err);
    assert_int_equal(wm_download_lacking(d), 0);
    wm_download_free(d);
    free(f.blob);
}

static const struct {
    const char *says;
    lie         lie;
    wm_status   want;
} lies[] = {
    { "a range from elsewhere", OTHER_OFFSET, WM_E_MALFORMED },
    { "a blob of another size", OTHER_TOTAL, WM_E_MALFORMED },
    { "fewer bytes than were asked for", SHORT_RANGE, WM_E_MALFORMED },
    { "something that is not a range", OTHER_BODY, WM_E_MALFORMED },
    { "one wrong bit", FLIPPED_BIT, WM_E_UNTRUSTED },
};

static void a_server_that_lies_is_found_out_and_the_truth_still_gets_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        fake         f;
        wm_exchange  exchange = { .ask = fake_ask, .state = &f };
        wm_clock     clock = wm_clock_manual(&f.time);
        wm_download *d;
        uint64_t     come_back_ms;
        wm_error     err;

        fake_init(&f, true);
        f.lie = lies[i].lie;
        f.lie_at = 2;
        d = download_of(&f);
        assert_case(lies[i].says, wm_download_run(d, &exchange, &clock, &come_back_ms, &err) == lies[i].want);
        assert_case(lies[i].says, wm_download_lacking(d) > 0);
        assert_ok(wm_download_run(d, &exchange, &clock, &come_back_ms, &err), &err);
        wm_download_free(d);
        free(f.blob);
    }
}

static void an_announced_size_has_a_limit(void **state)
{
    wm_digest    digest = { { 0 } };
    wm_download *d = NULL;
    wm_error     err;

    (void)state;
    assert_int_equal(wm_download_new(&digest, 101, 100, &d, &err), WM_E_RANGE);
    assert_int_equal(wm_download_new(&digest, 0, 100, &d, &err), WM_E_RANGE);
    assert_int_equal(wm_download_new(&digest, UINT64_MAX, 100, &d, &err), WM_E_RANGE);
    assert_null(d);
}

static void a_server_serves_no_range_beyond_its_blob(void **state)
{
    static const struct {
        uint64_t offset;
        uint32_t length;
    } rows[] = { { 0, 0 }, { 0, 101 }, { 101, 1 }, { 100, 1 }, { UINT64_MAX, 1 }, { 0, UINT32_MAX } };
    uint8_t   blob[100] = { 0 };
    Wm__Fetch fetch = WM__FETCH__INIT;
    Wm__Range range;
    wm_error  err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fetch.offset = rows[i].offset;
        fetch.length = rows[i].length;
        assert_int_equal(wm_range_of(&fetch, blob, sizeof blob, &range, &err), WM_E_RANGE);
    }
    fetch.offset = 90;
    fetch.length = 10;
    assert_ok(wm_range_of(&fetch, blob, sizeof blob, &range, &err), &err);
    assert_ptr_equal(range.bytes.data, blob + 90);
}

typedef struct upload {
    fake        f;
    wm_exchange exchange;
    wm_clock    clock;
    uint8_t    *mine;
    wm_digest   digest;
    wm_receipt  word;
} upload;

static void upload_init(upload *u)
{
    fake_init(&u->f, false);
    u->exchange = (wm_exchange){ .ask = fake_ask, .state = &u->f };
    u->clock = wm_clock_manual(&u->f.time);
    u->mine = malloc(BLOB);
    fill(u->mine, BLOB);
    u->digest = wm_sha256_of(u->mine, BLOB);
}

/* Submit, as it were, then the loop. */
static wm_status upload_run(upload *u, wm_error *err)
{
    Wm__Envelope *first = receipt_of(&u->f);
    wm_status st = wm_upload_run(&u->digest, u->mine, BLOB, first->receipt, &u->exchange, &u->clock, &u->word, err);

    wm_envelope_free(first);
    return st;
}

static void upload_release(upload *u)
{
    free(u->mine);
    free(u->f.blob);
}

static void an_update_goes_up_gap_by_gap(void **state)
{
    upload   u;
    wm_error err;

    (void)state;
    upload_init(&u);
    assert_ok(wm_ranges_add(&u.f.ranges, 100000, 300000, NULL, &err), &err); /* from before the restart */
    memcpy(u.f.blob + 100000, u.mine + 100000, 300000);
    assert_ok(upload_run(&u, &err), &err);
    assert_int_equal(u.word.state, WM__RECEIPT__STATE__ACCEPTED);
    assert_int_equal(u.word.come_back_ms, 77);
    assert_string_equal(u.word.reason, "because");
    assert_memory_equal(u.f.blob, u.mine, BLOB);
    assert_int_equal(u.f.questions, 5); /* 16 KiB, the rest of the first gap, three for the second */
    upload_release(&u);
}

static void an_upload_that_was_cut_goes_on_with_what_lacks(void **state)
{
    upload   u;
    wm_error err;

    (void)state;
    upload_init(&u);
    u.f.fail_from = 2;
    u.f.fail_to = 3;
    assert_int_equal(upload_run(&u, &err), WM_E_CLOSED);
    assert_ok(upload_run(&u, &err), &err);
    assert_memory_equal(u.f.blob, u.mine, BLOB);
    upload_release(&u);
}

static void a_word_of_the_server_ends_an_upload(void **state)
{
    static const Wm__Receipt__State words[] = { WM__RECEIPT__STATE__REFUSED, WM__RECEIPT__STATE__OVER,
                                                WM__RECEIPT__STATE__LATER, WM__RECEIPT__STATE__COMMITTED };

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        upload   u;
        wm_error err;

        upload_init(&u);
        u.f.last = words[i];
        assert_ok(upload_run(&u, &err), &err);
        assert_int_equal(u.word.state, words[i]);
        upload_release(&u);
    }
}

static void a_server_that_asks_for_the_same_bytes_for_ever_is_left(void **state)
{
    upload   u;
    wm_error err;

    (void)state;
    upload_init(&u);
    u.f.deaf = true;
    assert_int_equal(upload_run(&u, &err), WM_E_MALFORMED);
    assert_true(u.f.questions < 10);
    upload_release(&u);
}

static void a_server_that_asks_for_bytes_that_are_not_there_is_left(void **state)
{
    static const wm_gap gaps[] = { { BLOB, 1 }, { 0, BLOB + 1 }, { 5, UINT64_MAX }, { UINT64_MAX, 5 }, { 3, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        upload   u;
        wm_error err;

        upload_init(&u);
        u.f.ranges.gaps[0] = gaps[i];
        assert_int_equal(upload_run(&u, &err), WM_E_MALFORMED);
        assert_int_equal(u.f.questions, 0);
        upload_release(&u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blob_comes_down_in_few_questions_on_a_quick_link),
        cmocka_unit_test(on_a_slow_link_no_range_takes_more_than_ten_seconds),
        cmocka_unit_test(a_cut_link_costs_one_range),
        cmocka_unit_test(a_server_that_lies_is_found_out_and_the_truth_still_gets_through),
        cmocka_unit_test(an_announced_size_has_a_limit),
        cmocka_unit_test(a_server_serves_no_range_beyond_its_blob),
        cmocka_unit_test(an_update_goes_up_gap_by_gap),
        cmocka_unit_test(an_upload_that_was_cut_goes_on_with_what_lacks),
        cmocka_unit_test(a_word_of_the_server_ends_an_upload),
        cmocka_unit_test(a_server_that_asks_for_the_same_bytes_for_ever_is_left),
        cmocka_unit_test(a_server_that_asks_for_bytes_that_are_not_there_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
