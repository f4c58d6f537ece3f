/* tests/server/issuer/test_issuer_enrolment.c
 *
 * Tokens: what each is worth, to whom and for how long, and what a request for a certificate gets. */
#include "tests/server/gateways.h"

#include <openssl/x509v3.h>
#include <pthread.h>

static void a_token_gives_one_certificate_for_its_name(void **state)
{
    place      *p = place_new();
    wm_identity north = place_join(p, "north");

    (void)state;
    assert_string_equal(north.facts.name, "north");
    assert_true(north.facts.for_gateway && !north.facts.for_server);
    assert_true(north.facts.not_after_ms == NOW + 7 * WM_DAY_MS);
    assert_int_equal(wm_chain_size(north.chain), 2);
    wm_identity_release(&north);
    place_free(p);
}

static void the_same_key_gets_the_same_answer_and_another_key_none(void **state)
{
    place      *p = place_new();
    wm_token    token = place_token(p, "north", 0);
    wm_key     *key = new_key(), *other = new_key();
    Wm__Issued *first = place_enrol(p, &token, key), *again;

    (void)state;
    assert_int_equal(first->code, WM_OK);
    for (int i = 0; i < 3; i++) {
        again = place_enrol(p, &token, key);
        assert_int_equal(again->code, WM_OK);
        assert_int_equal(again->chain.len, first->chain.len);
        assert_memory_equal(again->chain.data, first->chain.data, first->chain.len);
        wm_issued_free(again);
        if (i == 0)
            place_advance(p, 3 * WM_DAY_MS); /* long after the token's end: the answer may have been lost */
        if (i == 1) {                        /* and after a restart */
            wm_issuer_free(p->issuer);
            place_open(p);
        }
    }
    assert_refused(place_enrol(p, &token, other), WM_E_EXISTS, "used already");
    place_advance(p, 5 * WM_DAY_MS);
    assert_refused(place_enrol(p, &token, key), WM_E_REFUSED, "has expired");
    wm_issued_free(first);
    wm_key_free(key);
    wm_key_free(other);
    place_free(p);
}

static void a_token_lives_as_long_as_it_was_given(void **state)
{
    static const struct {
        const char *says;
        uint64_t    ttl_ms;
        int64_t     after_ms;
        bool        good;
    } rows[] = {
        { "the usual quarter of an hour, just before its end", 0, 15 * MINUTE - 1, true },
        { "the usual quarter of an hour, at its end", 0, 15 * MINUTE, false },
        { "a day, an hour before its end", WM_DAY_MS, 23 * 60 * MINUTE, true },
        { "a day, after it", WM_DAY_MS, WM_DAY_MS + 1, false },
        { "a second, at once", 1000, 0, true },
        { "a second, after two", 1000, 2000, false },
    };
    place  *p = place_new();
    wm_key *key = new_key();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_token    token = place_token(p, "north", rows[i].ttl_ms);
        Wm__Issued *issued;

        place_advance(p, rows[i].after_ms);
        issued = place_enrol(p, &token, key);
        assert_case(rows[i].says, (issued->code == WM_OK) == rows[i].good);
        if (!rows[i].good)
            assert_case(rows[i].says, strstr(issued->text, "has expired") != NULL);
        wm_issued_free(issued);
    }
    wm_key_free(key);
    place_free(p);
}

/* Each is wrong in another way; our log says which, the stranger hears the same of all. */
static void a_stranger_learns_nothing_from_a_wrong_token(void **state)
{
    place      *p = place_new();
    wm_token    good = place_token(p, "north", 0), used = place_token(p, "south", 0), bad;
    wm_key     *key = new_key(), *other = new_key();
    Wm__Issued *answers[4];

    (void)state;
    wm_issued_free(place_enrol(p, &used, other));
    bad = good;
    bad.id[3] ^= 1;
    answers[0] = place_enrol(p, &bad, key);
    assert_non_null(strstr(answers[0]->text, "not ours"));
    bad = good;
    bad.secret[15] ^= 0x80;
    answers[1] = place_enrol(p, &bad, key);
    assert_non_null(strstr(answers[1]->text, "wrong secret"));
    bad = good;
    strcpy(bad.name, "south");
    answers[2] = place_enrol(p, &bad, key);
    assert_non_null(strstr(answers[2]->text, "with the token of \"north\""));
    answers[3] = place_enrol(p, &used, key);
    assert_non_null(strstr(answers[3]->text, "used already"));
    for (int i = 0; i < 4; i++) {
        assert_int_not_equal(answers[i]->code, WM_OK);
        assert_int_equal(answers[i]->chain.len, 0);
        assert_int_equal(answers[i]->answer_code, WM_E_REFUSED);
        assert_string_equal(answers[i]->answer, answers[0]->answer);
        assert_null(strstr(answers[i]->answer, "north"));
    }
    for (int i = 0; i < 4; i++)
        wm_issued_free(answers[i]);
    /* And the right one still works. */
    answers[0] = place_enrol(p, &good, key);
    assert_int_equal(answers[0]->code, WM_OK);
    wm_issued_free(answers[0]);
    wm_key_free(key);
    wm_key_free(other);
    place_free(p);
}

/* Every byte of what is sent, one at a time. */
static void a_changed_byte_of_secret_id_or_request_is_refused(void **state)
{
    place      *p = place_new();
    wm_token    token = place_token(p, "north", 0);
    wm_key     *key = new_key();
    Wm__Enrol  *enrol;
    Wm__Issued *issued;
    wm_error    err;

    (void)state;
    assert_ok(wm_enrol_message(&token, key, &enrol, &err), &err);
    for (int field = 0; field < 3; field++) {
        ProtobufCBinaryData *bytes = field == 0 ? &enrol->token_id : field == 1 ? &enrol->secret : &enrol->request;

        for (size_t i = 0; i < bytes->len; i++) {
            char source[32];

            snprintf(source, sizeof source, "%d-%zu", field, i);
            bytes->data[i] ^= 0x10;
            issued = place_enrol_message(p, enrol, source);
            if (issued->code == WM_OK)
                fail_msg("field %d byte %zu makes no difference", field, i);
            wm_issued_free(issued);
            bytes->data[i] ^= 0x10;
        }
        bytes->len--;
        issued = place_enrol_message(p, enrol, "cut");
        assert_int_not_equal(issued->code, WM_OK);
        wm_issued_free(issued);
        bytes->len++;
    }
    issued = place_enrol_message(p, enrol, "");
    assert_int_equal(issued->code, WM_OK);
    wm_issued_free(issued);
    wm_enrol_message_free(enrol);
    wm_key_free(key);
    place_free(p);
}

/* Subject, names, uses and the right to sign others: everything that a certificate could have and this one must not. */
static void ask_for_more(X509_REQ *request)
{
    static const struct {
        int         nid;
        const char *value;
    } wishes[] = {
        { NID_subject_alt_name, "DNS:evil,DNS:office.example" },
        { NID_basic_constraints, "critical,CA:TRUE" },
        { NID_key_usage, "critical,keyCertSign,digitalSignature" },
        { NID_ext_key_usage, "serverAuth,clientAuth" },
    };
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();

    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, wishes[i].nid, wishes[i].value);

        assert_non_null(extension);
        assert_true(sk_X509_EXTENSION_push(extensions, extension) > 0);
    }
    assert_int_equal(X509_REQ_add_extensions(request, extensions), 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static void what_a_request_asks_for_beyond_its_key_is_not_given(void **state)
{
    place              *p = place_new();
    wm_token            token = place_token(p, "north", 0);
    wm_key             *key = new_key();
    X509_REQ           *request = X509_REQ_new();
    Wm__Enrol          *enrol;
    Wm__Issued         *issued;
    wm_identity         north;
    ProtobufCBinaryData own, wished = { .data = NULL };
    wm_error            err;
    int                 n;

    (void)state;
    assert_non_null(request);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_ASC,
                               (const unsigned char *)"evil", -1, -1, 0);
    ask_for_more(request);
    assert_true(X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, EVP_sha256()) > 0);
    n = i2d_X509_REQ(request, &wished.data);
    assert_true(n > 0);
    wished.len = (size_t)n;
    assert_ok(wm_enrol_message(&token, key, &enrol, &err), &err);
    own = enrol->request;
    enrol->request = wished;
    issued = place_enrol_message(p, enrol, "192.0.2.1");
    enrol->request = own;
    north = place_accept(p, issued, key, "north");
    assert_string_equal(north.facts.name, "north");
    assert_int_equal(north.facts.n_names, 1);
    assert_true(north.facts.for_gateway && !north.facts.for_server && !north.facts.is_authority);
    wm_enrol_message_free(enrol);
    wm_identity_release(&north);
    OPENSSL_free(wished.data);
    X509_REQ_free(request);
    place_free(p);
}

static void a_source_that_keeps_failing_is_slowed_and_others_are_not(void **state)
{
    place      *p = place_new();
    wm_token    token = place_token(p, "north", 0), bad = token;
    wm_key     *key = new_key();
    Wm__Enrol  *wrong, *right;
    Wm__Issued *issued;
    wm_error    err;

    (void)state;
    bad.secret[0] ^= 1;
    assert_ok(wm_enrol_message(&bad, key, &wrong, &err), &err);
    assert_ok(wm_enrol_message(&token, key, &right, &err), &err);
    for (int i = 0; i < 20; i++)
        assert_refused(place_enrol_message(p, wrong, "203.0.113.9"), WM_E_UNTRUSTED, "wrong secret");
    issued = place_enrol_message(p, right, "203.0.113.9");
    assert_int_equal(issued->code, WM_E_REFUSED);
    assert_int_equal(issued->come_back_ms, 3000);
    wm_issued_free(issued);
    issued = place_enrol_message(p, right, "203.0.113.10");
    assert_int_equal(issued->code, WM_OK);
    wm_issued_free(issued);
    place_advance(p, 3000);
    /* Successes are not counted, however many. */
    for (int i = 0; i < 50; i++) {
        issued = place_enrol_message(p, right, "203.0.113.9");
        assert_int_equal(issued->code, WM_OK);
        wm_issued_free(issued);
    }
    wm_enrol_message_free(wrong);
    wm_enrol_message_free(right);
    wm_key_free(key);
    place_free(p);
}

enum { THREADS = 20, SPENDS = 50 };

typedef struct race {
    place     *p;
    wm_token   token;
    int        won, lost;
    wm_digest  digest; /* of the chain that was won */
    pthread_t  thread;
    Wm__Enrol *enrols[SPENDS];
} race;

static void *race_run(void *context)
{
    race *r = context;

    for (int i = 0; i < SPENDS; i++) {
        char        source[32];
        Wm__Issued *issued;

        snprintf(source, sizeof source, "%p-%d", context, i);
        issued = place_enrol_message(r->p, r->enrols[i], source);
        if (issued->code == WM_OK) {
            r->won++;
            r->digest = wm_sha256_of(issued->chain.data, issued->chain.len);
        } else if (issued->code == WM_E_EXISTS)
            r->lost++;
        wm_issued_free(issued);
    }
    return NULL;
}

static void a_thousand_keys_at_once_for_one_token_and_one_wins(void **state)
{
    static race races[THREADS];
    place      *p = place_new();
    wm_token    token = place_token(p, "north", 0);
    int         won = 0, lost = 0;
    wm_error    err;

    (void)state;
    for (int t = 0; t < THREADS; t++) {
        races[t] = (race){ .p = p, .token = token };
        for (int i = 0; i < SPENDS; i++) {
            wm_key *key = new_key();

            assert_ok(wm_enrol_message(&token, key, &races[t].enrols[i], &err), &err);
            wm_key_free(key);
        }
    }
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&races[t].thread, NULL, race_run, &races[t]), 0);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(races[t].thread, NULL);
        won += races[t].won;
        lost += races[t].lost;
        for (int i = 0; i < SPENDS; i++)
            wm_enrol_message_free(races[t].enrols[i]);
    }
    assert_int_equal(won, 1);
    assert_int_equal(lost, THREADS * SPENDS - 1);
    place_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_gives_one_certificate_for_its_name),
        cmocka_unit_test(the_same_key_gets_the_same_answer_and_another_key_none),
        cmocka_unit_test(a_token_lives_as_long_as_it_was_given),
        cmocka_unit_test(a_stranger_learns_nothing_from_a_wrong_token),
        cmocka_unit_test(a_changed_byte_of_secret_id_or_request_is_refused),
        cmocka_unit_test(what_a_request_asks_for_beyond_its_key_is_not_given),
        cmocka_unit_test(a_source_that_keeps_failing_is_slowed_and_others_are_not),
        cmocka_unit_test(a_thousand_keys_at_once_for_one_token_and_one_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
