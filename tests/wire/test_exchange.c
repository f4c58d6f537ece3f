/* tests/wire/test_exchange.c
 *
 * Envelopes through a real listener and a real caller: questions and answers, faults, another protocol version, and
 * a blob over a line that keeps breaking. */
#include "tests/unit.h"

#include "common/wire/transfer.h"

#include <stdatomic.h>
#include <unistd.h>

enum { BLOB = 3 * 1000 * 1000 };

typedef struct desk {
    char         folder[4096], url[256];
    wm_listener *listener;
    wm_caller   *caller;
    wm_exchange  exchange;
    uint8_t     *blob;
    atomic_int   fetches, drop_each; /* every so many questions the line is cut instead; 0: never */
    bool         streams;            /* answers are read from the blob as they are sent */
    atomic_int   fail_each;          /* of its readings; 0: none fails */
    atomic_int   readings, opened, closed;
} desk;

static bool read_blob(void *state, uint64_t offset, uint8_t *bytes, size_t n)
{
    desk *d = state;
    int   each = atomic_load(&d->fail_each);

    if (offset > BLOB || n > BLOB - offset || (each > 0 && atomic_fetch_add(&d->readings, 1) % each == each - 1))
        return false;
    memcpy(bytes, d->blob + offset, n);
    return true;
}

static void close_blob(void *state)
{
    atomic_fetch_add(&((desk *)state)->closed, 1);
}

static void answer_fetch(desk *d, wm_request *request, const Wm__Fetch *fetch)
{
    Wm__Envelope answer = wm_envelope();
    Wm__Range    range;
    wm_error     err;
    int          each = atomic_load(&d->drop_each);

    if (each > 0 && atomic_fetch_add(&d->fetches, 1) % each == each - 1) {
        wm_request_drop(request);
        return;
    }
    if (wm_range_of(fetch, d->blob, BLOB, &range, &err) != WM_OK) {
        wm_request_fault(request, err.status, err.text, 0);
        return;
    }
    answer.body_case = WM__ENVELOPE__BODY_RANGE;
    answer.range = &range;
    if (d->streams) {
        atomic_fetch_add(&d->opened, 1);
        wm_request_answer_range(request, &answer,
                                &(wm_source){ .read = read_blob, .close = close_blob, .state = d });
    } else {
        wm_request_answer(request, &answer);
    }
}

static void handle(void *context, wm_request *request)
{
    Wm__Envelope *question;

    if (wm_request_question(request, WM_BULK_BYTES_MAX, &question, NULL) != WM_OK)
        return;
    if (question->body_case == WM__ENVELOPE__BODY_FETCH)
        answer_fetch(context, request, question->fetch);
    else
        wm_request_fault(request, WM_E_FULL, "all places are taken", 4000);
    wm_envelope_free(question);
}

static void desk_open(desk *d)
{
    wm_listener_settings listener = { .request_max = WM_BULK_BYTES_MAX, .handle = handle, .context = d };
    const char          *url = d->url;
    wm_caller_settings   caller = { .urls = &url, .n_urls = 1, .reply_max = WM_BULK_BYTES_MAX };
    wm_error             err;

    memset(d, 0, sizeof *d);
    snprintf(d->url, sizeof d->url, "ipc://%.200s/socket", wm_test_folder(d->folder));
    listener.url = d->url;
    d->blob = malloc(BLOB);
    for (size_t i = 0; i < BLOB; i++)
        d->blob[i] = (uint8_t)(i * 31 + i / 1000);
    assert_ok(wm_listener_start(&listener, &d->listener, &err), &err);
    assert_ok(wm_caller_new(&caller, &d->caller, &err), &err);
    d->exchange = wm_exchange_over(d->caller, WM_BULK_BYTES_MAX);
}

static void desk_close(desk *d)
{
    wm_caller_free(d->caller);
    wm_listener_free(d->listener);
    free(d->blob);
    assert_int_equal(rmdir(d->folder), 0);
}

static wm_status ask_anything(desk *d, uint32_t version, uint64_t *come_back_ms, wm_error *err)
{
    Wm__Envelope question = wm_envelope(), *answer = NULL;
    Wm__Ask      ask = WM__ASK__INIT;

    question.version = version;
    question.body_case = WM__ENVELOPE__BODY_ASK;
    question.ask = &ask;
    return d->exchange.ask(&d->exchange, &question, 10000, &answer, come_back_ms, err);
}

static void a_fault_comes_back_as_a_status_with_the_servers_word_on_when_to_return(void **state)
{
    desk     d;
    uint64_t come_back_ms = 0;
    wm_error err;

    (void)state;
    desk_open(&d);
    assert_int_equal(ask_anything(&d, WM_PROTOCOL_VERSION, &come_back_ms, &err), WM_E_FULL);
    assert_int_equal(come_back_ms, 4000);
    assert_non_null(strstr(err.text, "all places are taken"));
    desk_close(&d);
}

static void another_version_is_answered_with_a_fault_that_names_both(void **state)
{
    desk     d;
    uint64_t come_back_ms;
    wm_error err;

    (void)state;
    desk_open(&d);
    assert_int_equal(ask_anything(&d, 7, &come_back_ms, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "version 7"));
    assert_non_null(strstr(err.text, "version 1"));
    assert_true(wm_caller_is_connected(d.caller)); /* answered, not cut off */
    desk_close(&d);
}

static void bytes_that_are_no_envelope_are_answered_with_a_fault(void **state)
{
    static const uint8_t garbage[] = { 0x08, 1, 0xff, 0xff, 0xff };
    desk                 d;
    uint8_t             *reply;
    size_t               n;
    Wm__Envelope        *answer;
    wm_error             err;

    (void)state;
    desk_open(&d);
    assert_ok(wm_caller_call(d.caller, garbage, sizeof garbage, 10000, &reply, &n, &err), &err);
    assert_ok(wm_envelope_unpack(reply, n, WM_BULK_BYTES_MAX, &answer, &err), &err);
    assert_int_equal(answer->body_case, WM__ENVELOPE__BODY_FAULT);
    assert_int_equal(answer->fault->code, WM_E_MALFORMED);
    wm_envelope_free(answer);
    free(reply);
    desk_close(&d);
}

/* The whole blob, over however many breaks of the line. */
static void fetch_blob(desk *d)
{
    wm_clock     clock = wm_clock_system();
    wm_download *download = NULL;
    wm_digest    digest = wm_sha256_of(d->blob, BLOB);
    wm_status    st = WM_E_CLOSED;
    uint64_t     come_back_ms, before = BLOB;
    uint8_t     *bytes;
    size_t       n;
    wm_error     err;

    assert_ok(wm_download_new(&digest, BLOB, BLOB, &download, &err), &err);
    for (int tries = 0; st != WM_OK && tries < 100; tries++) {
        st = wm_download_run(download, &d->exchange, &clock, &come_back_ms, &err);
        assert_true(st == WM_OK || st == WM_E_CLOSED);
        assert_true(wm_download_lacking(download) <= before);
        before = wm_download_lacking(download);
    }
    assert_ok(st, &err);
    bytes = wm_download_take(download, &n);
    assert_int_equal(n, BLOB);
    assert_memory_equal(bytes, d->blob, BLOB);
    free(bytes);
    wm_download_free(download);
}

static void a_blob_gets_through_a_line_that_keeps_breaking(void **state)
{
    desk d;

    (void)state;
    desk_open(&d);
    atomic_store(&d.drop_each, 2); /* also the one more try that the caller makes by itself fails now and then */
    fetch_blob(&d);
    desk_close(&d);
}

static void what_is_read_as_it_is_sent_gets_through_although_reading_fails_now_and_then(void **state)
{
    desk d;

    (void)state;
    desk_open(&d);
    d.streams = true;
    atomic_store(&d.fail_each, 20); /* a range of a MiB takes sixteen readings */
    fetch_blob(&d);
    assert_true(atomic_load(&d.readings) > 20);
    desk_close(&d);
    assert_int_equal(atomic_load(&d.closed), atomic_load(&d.opened));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_comes_back_as_a_status_with_the_servers_word_on_when_to_return),
        cmocka_unit_test(another_version_is_answered_with_a_fault_that_names_both),
        cmocka_unit_test(bytes_that_are_no_envelope_are_answered_with_a_fault),
        cmocka_unit_test(a_blob_gets_through_a_line_that_keeps_breaking),
        cmocka_unit_test(what_is_read_as_it_is_sent_gets_through_although_reading_fails_now_and_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
