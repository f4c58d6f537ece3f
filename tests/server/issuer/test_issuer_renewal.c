/* tests/server/issuer/test_issuer_renewal.c
 *
 * Renewals, and what a revocation leaves of them. */
#include "tests/server/gateways.h"

static void renewal_takes_a_fresh_key_and_may_be_repeated(void **state)
{
    place      *p = place_new();
    wm_identity north = place_join(p, "north"), renewed;
    wm_key     *next = new_key(), *other = new_key();
    Wm__Issued *first, *again;

    (void)state;
    place_advance(p, WM_DAY_MS);
    again = place_renew(p, &north, next);
    assert_int_equal(again->code, WM_E_REFUSED);
    assert_true(again->come_back_ms > 2 * WM_DAY_MS && again->come_back_ms < 3 * WM_DAY_MS);
    wm_issued_free(again);
    assert_false(wm_renewal_due(&north.facts, p->time.wall_ms));

    place_advance(p, 5 * WM_DAY_MS / 2);
    assert_true(wm_renewal_due(&north.facts, p->time.wall_ms));
    assert_refused(place_renew(p, &north, north.key), WM_E_INVALID, "old key");
    first = place_renew(p, &north, next);
    assert_int_equal(first->code, WM_OK);
    wm_issuer_free(p->issuer);
    place_open(p);
    again = place_renew(p, &north, next);
    assert_int_equal(again->code, WM_OK);
    assert_int_equal(again->chain.len, first->chain.len);
    assert_memory_equal(again->chain.data, first->chain.data, first->chain.len);
    wm_issued_free(again);
    assert_refused(place_renew(p, &north, other), WM_E_EXISTS, "copied");
    renewed = place_accept(p, first, next, "north");
    assert_true(renewed.facts.not_after_ms == p->time.wall_ms + 7 * WM_DAY_MS);
    wm_identity_release(&renewed);
    wm_identity_release(&north);
    wm_key_free(other);
    place_free(p);
}

static void an_expired_certificate_renews_for_thirty_days_and_no_longer(void **state)
{
    static const struct {
        const char *says;
        int64_t     day; /* after the certificate's end */
        bool        good;
    } rows[] = {
        { "an hour before its end", 0, true },
        { "29 days after its end", 29, true },
        { "31 days after its end", 31, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        place      *p = place_new();
        wm_identity north = place_join(p, "north");
        wm_key     *next = new_key();
        Wm__Issued *issued;

        place_advance(p, 7 * WM_DAY_MS + rows[i].day * WM_DAY_MS - 60 * MINUTE);
        issued = place_renew_late(p, &north, next);
        assert_case(rows[i].says, (issued->code == WM_OK) == rows[i].good);
        if (!rows[i].good)
            assert_case(rows[i].says, strstr(issued->text, "too long ago") != NULL);
        wm_issued_free(issued);
        issued = place_renew(p, &north, next); /* whichever way it came */
        assert_case(rows[i].says, (issued->code == WM_OK) == rows[i].good);
        wm_issued_free(issued);
        wm_key_free(next);
        wm_identity_release(&north);
        place_free(p);
    }
}

static void a_renewal_without_the_old_key_is_refused(void **state)
{
    place      *p = place_new();
    wm_identity north = place_join(p, "north"), south = place_join(p, "south"), thief;
    wm_key     *own = new_key(), *next = new_key();
    Wm__Enrol  *enrol;
    wm_error    err;

    (void)state;
    place_advance(p, 4 * WM_DAY_MS);
    /* The certificate is public; the key is not: an aggregator that is broken into has the one only. */
    thief = north;
    thief.key = own;
    assert_refused(place_renew(p, &thief, next), WM_E_UNTRUSTED, "not proved");
    assert_refused(place_renew_late(p, &thief, next), WM_E_UNTRUSTED, "not proved");
    /* Another gateway's key is no better. */
    thief.key = south.key;
    assert_refused(place_renew(p, &thief, next), WM_E_UNTRUSTED, "not proved");
    /* A right proof under a wrong name. */
    thief = north;
    strcpy(thief.facts.name, "south");
    assert_refused(place_renew(p, &thief, next), WM_E_UNTRUSTED, "not of \"south\"");
    /* A proof that was made for another request. */
    assert_ok(wm_enrol_late_message(&north, next, &enrol, &err), &err);
    free(enrol->request.data);
    assert_ok(wm_request_make(own, &enrol->request.data, &enrol->request.len, &err), &err);
    assert_refused(place_enrol_message(p, enrol, "x"), WM_E_UNTRUSTED, "not proved");
    wm_enrol_message_free(enrol);
    wm_identity_release(&north);
    wm_identity_release(&south);
    wm_key_free(own);
    wm_key_free(next);
    place_free(p);
}

static void a_certificate_of_another_office_does_not_renew_here(void **state)
{
    place      *p = place_new(), *q = place_new();
    wm_identity north = place_join(q, "north");
    wm_key     *next = new_key();

    (void)state;
    place_advance(p, 4 * WM_DAY_MS);
    assert_refused(place_renew(p, &north, next), WM_E_MISSING, "not ours");
    assert_refused(place_renew_late(p, &north, next), WM_E_UNTRUSTED, "lead to the root");
    wm_identity_release(&north);
    wm_key_free(next);
    place_free(p);
    place_free(q);
}

static void a_revoked_name_is_out_for_good(void **state)
{
    place      *p = place_new();
    wm_identity north = place_join(p, "north");
    wm_token    pending = place_token(p, "north", WM_DAY_MS);
    wm_key     *next = new_key();
    Wm__Issue   issue = WM__ISSUE__INIT;
    Wm__Issued *issued;
    char       *addresses[] = { "office.example:7443" };
    wm_error    err;

    (void)state;
    place_advance(p, 60 * MINUTE);
    issued = place_revoke(p, "north");
    assert_ok(wm_issued_status(issued, &err), &err);
    assert_int_equal(issued->n_certificates, 1);
    assert_true(issued->certificates[0]->revoked);
    assert_int_equal(issued->certificates[0]->serial.len, north.facts.serial.size);
    assert_memory_equal(issued->certificates[0]->serial.data, north.facts.serial.bytes, north.facts.serial.size);
    wm_issued_free(issued);
    wm_issued_free(place_revoke(p, "north")); /* again is fine */

    assert_refused(place_enrol(p, &pending, next), WM_E_MISSING, "not ours");
    place_advance(p, 4 * WM_DAY_MS);
    assert_refused(place_renew(p, &north, next), WM_E_REFUSED, "revoked");
    assert_refused(place_renew_late(p, &north, next), WM_E_REFUSED, "revoked");
    issue.verb = WM__ISSUE__VERB__TOKEN;
    issue.name = "north";
    issue.names = addresses;
    issue.n_names = 1;
    assert_refused(place_ask(p, WM_DOOR_OPERATOR, &issue), WM_E_REFUSED, "give the gateway another name");
    wm_identity_release(&north);
    wm_key_free(next);
    place_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renewal_takes_a_fresh_key_and_may_be_repeated),
        cmocka_unit_test(an_expired_certificate_renews_for_thirty_days_and_no_longer),
        cmocka_unit_test(a_renewal_without_the_old_key_is_refused),
        cmocka_unit_test(a_certificate_of_another_office_does_not_renew_here),
        cmocka_unit_test(a_revoked_name_is_out_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
