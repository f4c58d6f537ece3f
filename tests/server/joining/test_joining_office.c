/* tests/server/joining/test_joining_office.c: what the aggregator and its issuer decide of a gateway that joins: what they will
 * not do, what of each other they do not believe, and what a store says that somebody has changed. */
#include "tests/server/joining/scene.h"

#include <sqlite3.h>

/* ---- the aggregator's half ---- */

static void what_the_issuer_will_not_do_is_answered_in_its_words(void **state)
{
    scene   *s = *state;
    gateway  g;
    wm_error err;

    fresh(s, &g, 0);
    with_token(&g);
    s->issuer_gone = true;
    assert_int_equal(enrol(&g, &err), WM_E_CLOSED);
    assert_non_null(strstr(err.text, "cannot be issued at this moment"));
    s->issuer_gone = false;
    must(enrol, &g);
    load(&g);
    assert_int_equal(renew(&g, &err), WM_E_REFUSED); /* before half of its life */
    wm_roster_revoked(s->roster, g.name);
    assert_int_equal(renew(&g, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "revoked"));
    wm_identity_release(&g.identity);
}

static Wm__Issued *issued_as(const char *name, size_t n_serial)
{
    Wm__Issued *issued = malloc(sizeof *issued);

    assert_non_null(issued);
    wm__issued__init(issued);
    issued->name = strdup(name);
    issued->serial = (ProtobufCBinaryData){ n_serial, calloc(1, n_serial + 1) };
    return issued;
}

static void an_answer_of_the_issuer_that_cannot_be_is_not_recorded(void **state)
{
    static const struct {
        const char *name;
        size_t      n_serial;
    } wrong[] = { { "NO NAME", 5 }, { "north", 0 }, { "south", WM_SERIAL_MAX + 1 } };
    scene      *s = *state;
    gateway     g;
    Wm__Issued *refusal = issued_as("", 0);
    wm_error    err;

    fresh(s, &g, 0);
    with_token(&g);
    for (size_t i = 0; i < 3; i++) {
        s->instead = issued_as(wrong[i].name, wrong[i].n_serial);
        s->tries = 0;
        s->troubles[1] = WM_E_IO; /* or it would ask the second address, and be served */
        assert_case(wrong[i].name, enrol(&g, &err) == WM_E_IO && s->tries == 2 && s->instead == NULL);
    }
    s->troubles[1] = WM_OK;
    refusal->code = WM_E_DAMAGED; /* and nothing for the stranger to hear */
    s->instead = refusal;
    assert_int_equal(enrol(&g, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "the request is refused"));
    refusal = issued_as("", 0);
    refusal->code = WM_E_REFUSED; /* one of many from one address */
    refusal->answer_code = WM_E_FULL;
    s->instead = refusal;
    assert_int_equal(enrol(&g, &err), WM_E_FULL);
    must(enrol, &g);
}

static void a_name_that_the_aggregator_has_revoked_does_not_enrol(void **state)
{
    scene   *s = *state;
    gateway  g;
    wm_error err;

    fresh(s, &g, 0);
    with_token(&g);
    fails_to(enrol, &g);
    assert_ok(wm_store_revoke(s->store, g.name, "lost", &err), &err);
    assert_int_equal(enrol(&g, &err), WM_E_REFUSED);
    assert_non_null(strstr(err.text, "may not enrol"));
}

/* Whoever speaks another language there, or comes by no port. */
static void the_enrolment_listener_is_for_enrolment_alone(void **state)
{
    scene       *s = *state;
    Wm__Envelope question = wm_envelope();
    Wm__Ask      ask = WM__ASK__INIT;
    Wm__Enrol    empty = WM__ENROL__INIT;
    wm_inquiry   x;

    question.body_case = WM__ENVELOPE__BODY_ASK;
    question.ask = &ask;
    wm_inquiry_init(&x, &s->peer, &question, 0, false);
    wm_enrolment_enrol(&s->enrolment, "192.0.2.7:1", &x);
    assert_int_equal(x.answer.fault->code, WM_E_INVALID);
    wm_inquiry_release(&x);
    question.body_case = WM__ENVELOPE__BODY_ENROL;
    question.enrol = &empty;
    wm_inquiry_init(&x, &s->peer, &question, 0, false);
    wm_enrolment_enrol(&s->enrolment, "somewhere", &x);
    assert_int_equal(x.answer.body_case, WM__ENVELOPE__BODY_FAULT);
    wm_inquiry_release(&x);
}

/* ---- the issuer's half ---- */

static void what_is_asked_of_the_issuer_is_checked(void **state)
{
    static uint8_t long_serial[WM_SERIAL_MAX + 1];
    char           address[400], *five[] = { "a:1", "a:2", "a:3", "a:4", "a:5" }, *one[] = { address };
    scene         *s = *state;
    Wm__Issue      token = WM__ISSUE__INIT, enrolment = WM__ISSUE__INIT, renewal = WM__ISSUE__INIT;

    memset(address, 'a', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    token.verb = WM__ISSUE__VERB__TOKEN;
    token.name = (char *)(uintptr_t) "north";
    token.names = five;
    assert_refused(place_ask(s->p, WM_DOOR_OPERATOR, &token), WM_E_INVALID, "1 to 4 addresses");
    token.n_names = 5;
    assert_refused(place_ask(s->p, WM_DOOR_OPERATOR, &token), WM_E_INVALID, "1 to 4 addresses");
    token.names = one;
    token.n_names = 1;
    assert_refused(place_ask(s->p, WM_DOOR_OPERATOR, &token), WM_E_INVALID, "is too long");
    enrolment.verb = WM__ISSUE__VERB__ENROL;
    assert_refused(place_ask(s->p, WM_DOOR_AGGREGATOR, &enrolment), WM_E_MALFORMED, "empty");
    renewal.verb = WM__ISSUE__VERB__RENEW;
    assert_refused(place_ask(s->p, WM_DOOR_AGGREGATOR, &renewal), WM_E_MALFORMED, "without the serial");
    renewal.serial = wm_bytes_field(long_serial, sizeof long_serial);
    assert_refused(place_ask(s->p, WM_DOOR_AGGREGATOR, &renewal), WM_E_MALFORMED, "without the serial");
}

/* What somebody has done to the issuer's store behind its back, or an old backup has. */
static const struct {
    const char *says, *sql;
    void (*before)(gateway *g);
    wm_status (*deed)(gateway *g, wm_error *err);
    wm_status want;
} tampered[] = {
    { "the certificate of a spent token has no chain any more", "UPDATE certificates SET chain = NULL",
      with_spent_token, enrol, WM_E_REFUSED },
    { "the certificate of a spent token has an empty chain", "UPDATE certificates SET chain = ''", with_spent_token,
      enrol, WM_E_MALFORMED },
    { "the certificate of a spent token is revoked, its name is not", "UPDATE certificates SET revoked_ms = 1",
      with_spent_token, enrol, WM_E_REFUSED },
    { "the name of a spent token is revoked, its certificate is not",
      "INSERT INTO revoked SELECT name, 1 FROM tokens", with_spent_token, enrol, WM_E_REFUSED },
    { "the certificate of a spent token is gone", "DELETE FROM certificates", with_spent_token, enrol,
      WM_E_CLOSED },
    { "a certificate to be renewed has no chain any more", "UPDATE certificates SET chain = NULL", in_half_life,
      renew, WM_E_REFUSED },
    { "a certificate to be renewed is revoked, its name is not", "UPDATE certificates SET revoked_ms = 1",
      in_half_life, renew, WM_E_REFUSED },
    { "a certificate to be renewed is a server's", "UPDATE certificates SET purpose = 1 - purpose", in_half_life,
      renew, WM_E_REFUSED },
    { "a certificate to be renewed is another's", "UPDATE certificates SET name = 'south'", in_half_life, renew,
      WM_E_REFUSED },
    { "an expired certificate is not in the store", "DELETE FROM certificates", expired, renew_late, WM_E_REFUSED },
    { "an expired certificate has another key in the store", "UPDATE certificates SET key = zeroblob(32)", expired,
      renew_late, WM_E_REFUSED },
    { "an expired certificate has another name in the store", "UPDATE certificates SET name = 'south'", expired,
      renew_late, WM_E_REFUSED },
};

static void run_sql(const place *p, const char *sql)
{
    char    *path = wm_path_join(p->issuer_folder, "issuer.db"), *why = NULL;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
    free(path);
}

static void a_store_that_does_not_fit_gives_no_certificate(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tampered / sizeof *tampered; i++) {
        void     *own = NULL;
        scene    *s;
        gateway   g;
        wm_error  err = { 0 };
        wm_status st;

        setup(&own);
        s = own;
        fresh(s, &g, 0);
        tampered[i].before(&g);
        wm_issuer_free(s->p->issuer);
        run_sql(s->p, tampered[i].sql);
        place_open(s->p);
        st = tampered[i].deed(&g, &err);
        if (st != tampered[i].want)
            fail_msg("%s: %s: %s", tampered[i].says, wm_status_name(st), err.text);
        wm_identity_release(&g.identity);
        teardown(&own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_issuer_will_not_do_is_answered_in_its_words, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_of_the_issuer_that_cannot_be_is_not_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_the_aggregator_has_revoked_does_not_enrol, setup, teardown),
        cmocka_unit_test_setup_teardown(the_enrolment_listener_is_for_enrolment_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_asked_of_the_issuer_is_checked, setup, teardown),
        cmocka_unit_test(a_store_that_does_not_fit_gives_no_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
