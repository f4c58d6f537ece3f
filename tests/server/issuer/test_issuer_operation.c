/* tests/server/issuer/test_issuer_operation.c
 *
 * What the issuer does for the aggregator and its operator, by which door, and when it does nothing. */
#include "tests/server/gateways.h"

#include "common/wire/envelope.h"

static void the_aggregator_s_door_makes_no_tokens(void **state)
{
    place      *p = place_new();
    Wm__Issue   issue = WM__ISSUE__INIT;
    char       *addresses[] = { "office.example:7443" };
    Wm__Issued *issued;

    (void)state;
    issue.verb = WM__ISSUE__VERB__TOKEN;
    issue.name = "north";
    issue.names = addresses;
    issue.n_names = 1;
    assert_refused(place_ask(p, WM_DOOR_AGGREGATOR, &issue), WM_E_REFUSED, "operator's");
    issued = place_ask(p, WM_DOOR_OPERATOR, &issue);
    assert_int_equal(issued->code, WM_OK);
    wm_issued_free(issued);
    issue.verb = (Wm__Issue__Verb)77;
    assert_refused(place_ask(p, WM_DOOR_OPERATOR, &issue), WM_E_MALFORMED, "unknown kind");
    place_free(p);
}

static const struct {
    const char *says, *name, *address;
    uint64_t    ttl_ms;
    wm_status   status;
} bad_tokens[] = {
    { "a name in capitals", "North", "office:7443", 0, WM_E_INVALID },
    { "no name", "", "office:7443", 0, WM_E_INVALID },
    { "no port", "north", "office", 0, WM_E_INVALID },
    { "a URL", "north", "tls+tcp://office:7443", 0, WM_E_INVALID },
    { "a year", "north", "office:7443", 365 * WM_DAY_MS, WM_E_RANGE },
    { "for ever", "north", "office:7443", UINT64_MAX, WM_E_RANGE },
};

static void tokens_that_could_not_work_are_not_made(void **state)
{
    place *p = place_new();

    (void)state;
    for (size_t i = 0; i < sizeof bad_tokens / sizeof *bad_tokens; i++) {
        Wm__Issue   issue = WM__ISSUE__INIT;
        char       *addresses[] = { (char *)(uintptr_t)bad_tokens[i].address };
        Wm__Issued *issued;

        issue.verb = WM__ISSUE__VERB__TOKEN;
        issue.name = (char *)(uintptr_t)bad_tokens[i].name;
        issue.ttl_ms = bad_tokens[i].ttl_ms;
        issue.names = addresses;
        issue.n_names = 1;
        issued = place_ask(p, WM_DOOR_OPERATOR, &issue);
        assert_case(bad_tokens[i].says, issued->code == (uint32_t)bad_tokens[i].status);
        wm_issued_free(issued);
    }
    place_free(p);
}

static void the_server_gets_its_own_names_and_no_others(void **state)
{
    place      *p = place_new();
    wm_key     *key = new_key();
    Wm__Issue   issue = WM__ISSUE__INIT;
    Wm__Issued *first, *again;
    char       *foreign[] = { "evil.example" };
    wm_error    err;

    (void)state;
    issue.verb = WM__ISSUE__VERB__SERVER;
    assert_ok(wm_request_make(key, &issue.request.data, &issue.request.len, &err), &err);
    issue.names = foreign;
    issue.n_names = 1;
    assert_refused(place_ask(p, WM_DOOR_AGGREGATOR, &issue), WM_E_REFUSED, "evil.example");
    issue.n_names = 0;
    first = place_ask(p, WM_DOOR_AGGREGATOR, &issue);
    assert_ok(wm_issued_status(first, &err), &err);
    place_advance(p, 40 * WM_DAY_MS);
    again = place_ask(p, WM_DOOR_AGGREGATOR, &issue);
    assert_ok(wm_issued_status(again, &err), &err);
    assert_int_equal(again->chain.len, first->chain.len);
    assert_memory_equal(again->chain.data, first->chain.data, first->chain.len);
    wm_issued_free(again);
    place_advance(p, 10 * WM_DAY_MS); /* past half of ninety days */
    again = place_ask(p, WM_DOOR_AGGREGATOR, &issue);
    assert_ok(wm_issued_status(again, &err), &err);
    assert_true(again->not_after_ms == (uint64_t)(p->time.wall_ms + 90 * WM_DAY_MS));
    wm_issued_free(again);
    wm_issued_free(first);
    free(issue.request.data);
    wm_key_free(key);
    place_free(p);
}

static void all_certificates_are_listed_page_by_page(void **state)
{
    enum { GATEWAYS = 60 };
    place    *p = place_new();
    Wm__Issue issue = WM__ISSUE__INIT;
    size_t    n = 0, pages = 0, servers = 0, revoked = 0;
    uint8_t   last[WM_SERIAL_MAX] = { 0 };
    bool      more = true;
    char      name[16];

    (void)state;
    for (int i = 0; i < GATEWAYS; i++) {
        wm_identity identity;

        snprintf(name, sizeof name, "g-%d", i);
        identity = place_join(p, name);
        wm_identity_release(&identity);
    }
    wm_issued_free(place_revoke(p, "g-7"));
    issue.verb = WM__ISSUE__VERB__LIST;
    issue.serial.data = last;
    while (more) {
        Wm__Issued *issued = place_ask(p, WM_DOOR_AGGREGATOR, &issue);

        assert_int_equal(issued->code, WM_OK);
        for (size_t i = 0; i < issued->n_certificates; i++, n++) {
            Wm__Listed *c = issued->certificates[i];

            assert_true(memcmp(c->serial.data, last, c->serial.len) > 0);
            memcpy(last, c->serial.data, c->serial.len);
            issue.serial.len = c->serial.len;
            servers += c->server != 0;
            revoked += c->revoked != 0;
        }
        more = issued->more;
        pages++;
        wm_issued_free(issued);
    }
    assert_int_equal(n, GATEWAYS + 1);
    assert_int_equal(servers, 1);
    assert_int_equal(revoked, 1);
    assert_int_equal(pages, 2);
    place_free(p);
}

static void a_clock_that_was_set_back_stops_the_issuer(void **state)
{
    place             *p = place_new();
    wm_token           token = place_token(p, "north", 0);
    wm_key            *key = new_key();
    wm_issuer_settings settings = place_settings(p);
    wm_issuer         *again;
    wm_error           err;

    (void)state;
    p->time.wall_ms -= 60 * MINUTE;
    assert_refused(place_enrol(p, &token, key), WM_E_INVALID, "set the clock");
    wm_issuer_free(p->issuer);
    p->issuer = NULL;
    assert_int_equal(wm_issuer_open(&settings, &again, &err), WM_E_INVALID);
    p->time.wall_ms += 59 * MINUTE; /* a small correction is nothing */
    place_open(p);
    assert_int_equal(wm_issuer_open(&settings, &again, &err), WM_E_EXISTS); /* one at a time */
    wm_key_free(key);
    place_free(p);
}

static void bytes_that_are_no_request_are_answered_with_a_fault(void **state)
{
    static uint8_t big[WM_ISSUER_MESSAGE + 1];
    place         *p = place_new();
    Wm__Envelope   ask = wm_envelope(), *answer;
    Wm__Ask        foreign = WM__ASK__INIT;
    uint8_t        bytes[64], *out;
    size_t         n, n_out;
    wm_error       err;
    const struct {
        const char    *says;
        const uint8_t *bytes;
        size_t         n;
    } rows[] = {
        { "nothing", big, 0 },
        { "too much", big, sizeof big },
        { "zeros", big, 100 },
        { "another message", bytes, 0 },
        { "garbage", (const uint8_t *)"\x08\x01\xa2\x03\xff\xff\xff\xff\x0f", 9 },
    };

    (void)state;
    ask.body_case = WM__ENVELOPE__BODY_ASK;
    ask.ask = &foreign;
    n = wm_envelope_pack(&ask, bytes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(wm_issuer_handle_bytes(p->issuer, WM_DOOR_OPERATOR, rows[i].bytes,
                                         rows[i].bytes == bytes ? n : rows[i].n, &out, &n_out, &err),
                  &err);
        assert_ok(wm_envelope_unpack(out, n_out, WM_ISSUER_MESSAGE, &answer, &err), &err);
        assert_case(rows[i].says, answer->body_case == WM__ENVELOPE__BODY_FAULT && answer->fault->code != WM_OK);
        wm_envelope_free(answer);
        free(out);
    }
    place_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_aggregator_s_door_makes_no_tokens),
        cmocka_unit_test(tokens_that_could_not_work_are_not_made),
        cmocka_unit_test(the_server_gets_its_own_names_and_no_others),
        cmocka_unit_test(all_certificates_are_listed_page_by_page),
        cmocka_unit_test(a_clock_that_was_set_back_stops_the_issuer),
        cmocka_unit_test(bytes_that_are_no_request_are_answered_with_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
