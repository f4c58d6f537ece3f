/* tests/server/joining/test_joining.c
 *
 * A gateway joins and renews through all that takes part (client/enrol.c, common/crypto/, server/enrolment.c, the issuer),
 * in one process and without a socket, while each call of theirs that can fail fails, in turn (seam.h): memory, OpenSSL,
 * the disk, the stores. Whatever failed is said, nothing is half done, and asking again joins. */
#include "tests/server/joining/seam.h"
#include "tests/figures.h"
#include "tests/server/gateways.h"

#include "client/config.h"
#include "client/enrol.h"
#include "server/enrolment.h"
#include "server/store/gateways.h"
#include "server/store/store.h"

#include <sqlite3.h>

enum { CALLS_MOST = 1000 };

typedef struct gateway gateway;

typedef struct deed {
    const char *says;
    void (*before)(gateway *g); /* NULL: nothing */
    wm_status (*deed)(gateway *g, wm_error *err);
} deed;

typedef struct scene {
    const deed  *deed; /* NULL where a test needs none */
    place       *p;
    wm_store    *store;
    wm_roster   *roster;
    wm_enrolment enrolment;
    wm_peer      peer; /* of a renewal */
    char         clients[4200];

    /* what the line does instead of asking the office */
    wm_status   troubles[4]; /* of the first tries; WM_OK: none */
    unsigned    tries;
    bool        nonsense; /* the answer is of another kind */
    bool        ports;    /* the answer names them */
    bool        issuer_gone;
    bool        answer_lost; /* once, on its way back */
    Wm__Issued *instead;     /* what the issuer answers, whatever it is asked; handed over */
} scene;

static wm_status issue(void *context, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err)
{
    scene *s = context;

    if (s->issuer_gone)
        return wm_fail(err, WM_E_CLOSED, "the issuer is gone");
    if (s->instead != NULL) {
        *ret = s->instead;
        s->instead = NULL;
        return WM_OK;
    }
    return wm_issuer_handle(s->p->issuer, WM_DOOR_AGGREGATOR, ask, ret, err);
}

/* What the wire does to an answer: bytes, and a fault becomes a status. */
static wm_status carry(const Wm__Envelope *from, Wm__Envelope **ret, wm_error *err)
{
    size_t        n = wm_envelope_size(from);
    uint8_t      *bytes = malloc(n + 1);
    Wm__Envelope *envelope = NULL;
    wm_status     st;

    if (bytes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory on the wire");
    wm_envelope_pack(from, bytes);
    st = wm_envelope_unpack(bytes, n, WM_CONTROL_BYTES_MAX, &envelope, err);
    free(bytes);
    if (st != WM_OK)
        return st;
    if (envelope->body_case == WM__ENVELOPE__BODY_FAULT) {
        st = wm_fault_status(envelope->fault, err);
        wm_envelope_free(envelope);
        return st;
    }
    *ret = envelope;
    return WM_OK;
}

static wm_status line(void *context, const Wm__Envelope *question, Wm__Envelope **answer, wm_error *err)
{
    scene       *s = context;
    unsigned     try = s->tries++;
    Wm__Envelope other = wm_envelope();
    Wm__Welcome  welcome = WM__WELCOME__INIT;
    wm_inquiry   x;
    wm_status    st;

    if (try < 4 && s->troubles[try] != WM_OK)
        return wm_fail(err, s->troubles[try], "trouble on the line");
    wm_inquiry_init(&x, &s->peer, question, 0, false);
    if (question->body_case == WM__ENVELOPE__BODY_RENEW)
        wm_enrolment_renew(&s->enrolment, "192.0.2.7:51034", &x);
    else
        wm_enrolment_enrol(&s->enrolment, "192.0.2.7:51034", &x);
    if (s->ports && x.answer.body_case == WM__ENVELOPE__BODY_CERTIFICATE) {
        x.body.certificate.control_port = 17400;
        x.body.certificate.bulk_port = 17401;
    }
    if (s->nonsense) {
        other.body_case = WM__ENVELOPE__BODY_WELCOME;
        other.welcome = &welcome;
    }
    st = s->answer_lost ? wm_fail(err, WM_E_REFUSED, "the answer is lost")
                        : carry(s->nonsense ? &other : &x.answer, answer, err);
    s->answer_lost = false;
    wm_inquiry_release(&x);
    return st;
}

static int setup(void **state)
{
    scene   *s = calloc(1, sizeof *s);
    char    *path;
    wm_error err;

    s->deed = *state;
    s->p = place_new();
    path = wm_path_join(s->p->folder, "store");
    assert_ok(wm_store_open(wm_files_system(), path, wm_clock_manual(&s->p->time), &s->store, &err), &err);
    free(path);
    assert_ok(wm_roster_new(wm_clock_manual(&s->p->time), &s->roster, &err), &err);
    s->enrolment = (wm_enrolment){
        .issue = issue, .context = s, .store = s->store, .roster = s->roster, .clock = wm_clock_manual(&s->p->time)
    };
    snprintf(s->clients, sizeof s->clients, "%s/clients", s->p->folder);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), s->clients, 0700, &err), &err);
    seam_connect(line, s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scene *s = *state;

    seam_disarm();
    wm_roster_free(s->roster);
    wm_store_close(s->store);
    place_free(s->p);
    free(s);
    return 0;
}

/* ---- what is done, by name of the gateway ---- */

struct gateway {
    scene      *s;
    char        name[WM_NAME_TEXT], folder[4300], token[WM_TOKEN_TEXT];
    wm_identity identity;
};

static wm_status ask_token(gateway *g, wm_error *err)
{
    char       *addresses[] = { "office.example:7402", "[::1]:7402" };
    Wm__Issue   ask = WM__ISSUE__INIT;
    Wm__Issued *issued;
    wm_status   st;

    ask.verb = WM__ISSUE__VERB__TOKEN;
    ask.name = g->name;
    ask.names = addresses;
    ask.n_names = 2;
    st = wm_issuer_handle(g->s->p->issuer, WM_DOOR_OPERATOR, &ask, &issued, err);
    if (st != WM_OK)
        return st;
    st = wm_issued_status(issued, err);
    if (st == WM_OK)
        snprintf(g->token, sizeof g->token, "%s", issued->text);
    wm_issued_free(issued);
    return st;
}

static wm_status enrol(gateway *g, wm_error *err)
{
    char name[WM_NAME_TEXT];

    return wm_enrol(wm_files_system(), g->folder, g->token, strlen(g->token), name, err);
}

static wm_status renew(gateway *g, wm_error *err)
{
    uint64_t come_back_ms;

    return wm_renew(wm_files_system(), g->folder, NULL, &g->identity, &come_back_ms, err);
}

static wm_status renew_late(gateway *g, wm_error *err)
{
    const char            *hosts[] = { "office.example", "::1", "[::2]" };
    const wm_client_config config = { .servers = { .items = hosts, .count = 3 }, .enrolment_port = 7402 };

    return wm_renew_late(wm_files_system(), g->folder, &config, &g->identity, err);
}

static void must(wm_status (*what)(gateway *, wm_error *), gateway *g)
{
    wm_error err;

    assert_ok(what(g, &err), &err);
}

static void load(gateway *g)
{
    wm_error err;

    assert_ok(wm_identity_load(wm_files_system(), g->folder, &g->identity, &err), &err);
    memset(&g->s->peer, 0, sizeof g->s->peer);
    strcpy(g->s->peer.name, g->identity.facts.name);
    g->s->peer.serial = g->identity.facts.serial;
}

/* A gateway that nobody has heard of. */
static void fresh(scene *s, gateway *g, unsigned n)
{
    memset(g, 0, sizeof *g);
    g->s = s;
    s->tries = 0;
    snprintf(g->name, sizeof g->name, "gateway-%u", n);
    snprintf(g->folder, sizeof g->folder, "%s/%s", s->clients, g->name);
}

static void with_token(gateway *g)
{
    must(ask_token, g);
}

static void in_half_life(gateway *g)
{
    must(ask_token, g);
    must(enrol, g);
    load(g);
    place_advance(g->s->p, 4 * WM_DAY_MS);
}

static void expired(gateway *g)
{
    must(ask_token, g);
    must(enrol, g);
    load(g);
    place_advance(g->s->p, 9 * WM_DAY_MS);
}

static void fails_to(wm_status (*what)(gateway *, wm_error *), gateway *g)
{
    wm_error err;

    g->s->answer_lost = true;
    assert_int_not_equal(what(g, &err), WM_OK);
}

/* It was done, and the answer was lost: the same key asks again. */
static void with_spent_token(gateway *g)
{
    must(ask_token, g);
    fails_to(enrol, g);
}

static void renewed_unheard(gateway *g)
{
    in_half_life(g);
    fails_to(renew, g);
}

static const deed deeds[] = {
    { "each call that can fail fails once: a token is made", NULL, ask_token },
    { "each call that can fail fails once: a gateway enrols", with_token, enrol },
    { "each call that can fail fails once: a certificate is renewed", in_half_life, renew },
    { "each call that can fail fails once: an expired certificate is renewed", expired, renew_late },
    { "each call that can fail fails once: a spent token is asked with again", with_spent_token, enrol },
    { "each call that can fail fails once: a renewal is asked for again", renewed_unheard, renew },
};

/* That deed, with each call in turn as the one that fails. */
static void whatever_fails_is_said_and_asking_again_does_it(void **state)
{
    scene   *s = *state;
    unsigned failures = 0;

    for (bool came = true; came; failures += came) {
        gateway   g;
        wm_error  err = { 0 };
        wm_status st;

        fresh(s, &g, failures);
        if (s->deed->before != NULL)
            s->deed->before(&g);
        seam_arm(failures + 1);
        st = s->deed->deed(&g, &err);
        came = seam_disarm();
        assert_true(failures < CALLS_MOST);
        if (st != WM_OK && err.text[0] == '\0')
            fail_msg("%s: %s fails, and nothing is said", s->deed->says, seam_failed());
        /* An identity that is kept is kept, also if what was to be tidied up behind it was not. */
        if (st != WM_OK && (st = s->deed->deed(&g, &err)) != WM_OK && st != WM_E_EXISTS)
            fail_msg("%s: after a failure of %s it cannot be done again: %s", s->deed->says, seam_failed(),
                     err.text);
        wm_identity_release(&g.identity);
    }
    assert_true(failures > 5);
    tell_fault(&(fault_figure){ .fault = s->deed->says, .tries = failures, .survived = failures, .seconds = -1 });
}

/* ---- the client's decisions ---- */

static void a_secret_is_told_to_no_more_servers_than_need_be(void **state)
{
    static const struct {
        const char *says;
        wm_status   troubles[2], want;
        unsigned    tries;
    } rows[] = {
        { "the first address answers: the second is not asked", { WM_OK, WM_OK }, WM_OK, 1 },
        { "the first cannot be reached: the second is asked", { WM_E_IO, WM_OK }, WM_OK, 2 },
        { "the first says nothing: the second is asked", { WM_E_TIMEOUT, WM_OK }, WM_OK, 2 },
        { "the first hangs up: the second is asked", { WM_E_CLOSED, WM_OK }, WM_OK, 2 },
        { "the first refuses: the second is not asked", { WM_E_REFUSED, WM_OK }, WM_E_REFUSED, 1 },
        { "the first is not ours: the second is not asked", { WM_E_UNTRUSTED, WM_OK }, WM_E_UNTRUSTED, 1 },
        { "neither can be reached", { WM_E_IO, WM_E_IO }, WM_E_IO, 2 },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gateway  g;
        wm_error err;

        fresh(s, &g, (unsigned)i);
        with_token(&g);
        memcpy(s->troubles, rows[i].troubles, sizeof rows[i].troubles);
        assert_case(rows[i].says, enrol(&g, &err) == rows[i].want && s->tries == rows[i].tries);
    }
}

static void an_answer_that_is_no_certificate_is_not_kept(void **state)
{
    scene   *s = *state;
    gateway  g;
    wm_tls  *tls;
    wm_error err;

    s->nonsense = true;
    fresh(s, &g, 0);
    with_token(&g);
    assert_int_equal(enrol(&g, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "not a certificate"));
    s->nonsense = false;
    must(enrol, &g);
    load(&g);
    place_advance(s->p, 4 * WM_DAY_MS);
    s->nonsense = true;
    assert_int_equal(renew(&g, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "not a certificate"));
    s->nonsense = false;
    must(renew, &g);
    assert_ok(wm_identity_tls(&g.identity, &tls, &err), &err); /* and its new certificate serves */
    wm_tls_free(tls);
    wm_identity_release(&g.identity);
}

static void the_ports_that_the_server_names_are_in_client_yaml(void **state)
{
    static const char *const ports[] = { "control: 7400", "bulk: 7401", "control: 17400", "bulk: 17401" };
    scene                   *s = *state;
    gateway                  g;
    wm_error                 err;

    for (unsigned named = 0; named < 2; named++) {
        char     path[4400], *text;
        uint8_t *bytes;
        size_t   n;

        fresh(s, &g, named);
        with_token(&g);
        s->ports = named == 1;
        must(enrol, &g);
        snprintf(path, sizeof path, "%s/client.yaml", g.folder);
        assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 16, &bytes, &n, &err), &err);
        text = strndup((const char *)bytes, n);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(strstr(text, ports[i]) != NULL, i / 2 == named);
        assert_non_null(strstr(text, "office.example"));
        free(text);
        free(bytes);
    }
}

static void a_folder_is_enrolled_once_and_its_client_yaml_is_left_alone(void **state)
{
    scene   *s = *state;
    gateway  g;
    char     path[4400];
    uint8_t *bytes;
    size_t   n;
    wm_error err;

    fresh(s, &g, 0);
    with_token(&g);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), g.folder, 0700, &err), &err);
    snprintf(path, sizeof path, "%s/client.yaml", g.folder);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, "servers: [me]\n", 14, 0600, &err), &err);
    must(enrol, &g);
    assert_ok(wm_files_system()->read(wm_files_system(), path, 1000, &bytes, &n, &err), &err);
    assert_memory_equal(bytes, "servers: [me]\n", 14);
    free(bytes);
    assert_int_equal(enrol(&g, &err), WM_E_EXISTS);
    assert_non_null(strstr(err.text, "enrolled already"));
    strcpy(g.token, "no token");
    assert_int_equal(enrol(&g, &err), WM_E_MALFORMED);
}

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

static void no_server_is_no_address(void **state)
{
    const wm_client_config none = { .enrolment_port = 7402 };
    char                 **urls;
    size_t                 n;
    wm_error               err;

    (void)state;
    assert_ok(wm_client_urls(&none, 7402, &urls, &n, &err), &err);
    assert_int_equal(n, 0);
    wm_names_free(urls, n);
}

#define WITHOUT(i)                                                                       \
    {                                                                                    \
        deeds[i].says, whatever_fails_is_said_and_asking_again_does_it, setup, teardown, \
            (void *)(uintptr_t)&deeds[i]                                                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITHOUT(0),
        WITHOUT(1),
        WITHOUT(2),
        WITHOUT(3),
        WITHOUT(4),
        WITHOUT(5),
        cmocka_unit_test_setup_teardown(a_secret_is_told_to_no_more_servers_than_need_be, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_no_certificate_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ports_that_the_server_names_are_in_client_yaml, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_is_enrolled_once_and_its_client_yaml_is_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_issuer_will_not_do_is_answered_in_its_words, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_of_the_issuer_that_cannot_be_is_not_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_the_aggregator_has_revoked_does_not_enrol, setup, teardown),
        cmocka_unit_test_setup_teardown(the_enrolment_listener_is_for_enrolment_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_asked_of_the_issuer_is_checked, setup, teardown),
        cmocka_unit_test(a_store_that_does_not_fit_gives_no_certificate),
        cmocka_unit_test(no_server_is_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
