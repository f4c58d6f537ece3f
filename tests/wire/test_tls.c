/* tests/wire/test_tls.c
 *
 * Who is let in and who is not, and what the operator's log says of it. Over real sockets, both ways. */
#include "tests/wire/stranger.h"

#include <unistd.h>

typedef struct row {
    const char *says;
    test_wish   wish;
    bool        foreign; /* issued by another authority of the same name */
    bool        none;    /* no certificate at all */
    bool        old;     /* TLS 1.2 */
    long        revoked;
    const char *why;    /* in the server's log */
    const char *name;   /* there, too */
    const char *hint;   /* what the client's own error may say, if the alert outran the end of the connection */
    wm_status   status; /* of that error; WM_OK: WM_E_REFUSED */
} row;

static const row rows[] = {
    { .says = "a gateway without a certificate",
      .none = true,
      .why = "did not return a certificate|showed no certificate",
      .name = "",
      .hint = "wants a certificate" },
    { .says = "TLS 1.2",
      .wish = { .names = "DNS:north", .usage = "clientAuth", .serial = 2 },
      .old = true,
      .why = "does not speak TLS 1.3",
      .name = "" },
    { .says = "a certificate of a foreign authority",
      .wish = { .names = "DNS:north", .usage = "clientAuth", .serial = 3 },
      .foreign = true,
      .why = "does not lead to the root",
      .name = "north",
      .hint = "does not trust" },
    { .says = "an expired certificate",
      .wish = { .names = "DNS:north", .usage = "clientAuth", .serial = 4, .from_days = -3, .to_days = -2 },
      .why = "has expired",
      .name = "north",
      .hint = "has expired",
      .status = WM_E_EXPIRED },
    { .says = "a certificate from tomorrow",
      .wish = { .names = "DNS:north", .usage = "clientAuth", .serial = 5, .from_days = 1, .to_days = 2 },
      .why = "is not valid before",
      .name = "north" },
    { .says = "a revoked certificate",
      .wish = { .names = "DNS:north", .usage = "clientAuth", .serial = 6 },
      .revoked = 6,
      .why = "is revoked",
      .name = "north",
      .hint = "is revoked",
      .status = WM_E_REVOKED },
    { .says = "a server's certificate posing as a gateway",
      .wish = { .names = "DNS:localhost", .usage = "serverAuth", .serial = 8 },
      .why = "is not a gateway's",
      .name = "localhost",
      .hint = "wrong usage" },
    { .says = "a certificate without any usage",
      .wish = { .names = "DNS:north", .serial = 9 },
      .why = "is not a gateway's",
      .name = "north" },
    { .says = "a certificate for both usages",
      .wish = { .names = "DNS:north", .usage = "clientAuth,serverAuth", .serial = 10 },
      .why = "is not a gateway's",
      .name = "north" },
    { .says = "a certificate with two names",
      .wish = { .names = "DNS:north,DNS:south", .usage = "clientAuth", .serial = 11 },
      .why = "not exactly one fit name",
      .name = "north" },
    { .says = "a certificate without a name",
      .wish = { .usage = "clientAuth", .serial = 12 },
      .why = "not exactly one fit name",
      .name = "" },
    { .says = "a name that is no gateway's",
      .wish = { .names = "DNS:North.example", .usage = "clientAuth", .serial = 13 },
      .why = "not exactly one fit name",
      .name = "North.example" },
};

static bool either(const char *text, const char *options)
{
    const char *bar = strchr(options, '|');
    char        first[100];

    if (bar == NULL)
        return strstr(text, options) != NULL;
    snprintf(first, sizeof first, "%.*s", (int)(bar - options), options);
    return strstr(text, first) != NULL || strstr(text, bar + 1) != NULL;
}

/* With plain OpenSSL, since our own client would not do some of it. */
static void intrude(town *t, const row *r, test_authority *foreign)
{
    test_identity identity = { NULL, NULL };
    SSL_CTX      *ctx;
    stranger      s;
    uint8_t       byte;

    if (!r->none)
        identity = test_issue(r->foreign ? foreign : t->authority, &r->wish);
    ctx = stranger_context(r->none ? NULL : &identity, r->old ? TLS1_2_VERSION : 0);
    atomic_store(&t->revoked, r->revoked);
    s = stranger_dial(t);
    if (stranger_shake(&s, ctx)) /* in TLS 1.3 the client hears of its refusal only after its own handshake */
        assert_case(r->says, !stranger_hear(&s, &byte, 1));
    stranger_leave(&s, STRANGER_CLOSES);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void the_wrong_ones_are_turned_away_and_the_log_says_why(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    test_authority      *foreign = test_authority_new("city");
    wm_listener_counts   counts;
    wm_caller           *caller;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pthread_mutex_lock(&t.lock);
        t.n_refusals = 0;
        pthread_mutex_unlock(&t.lock);
        intrude(&t, &rows[i], foreign);
        town_wait_refusal(&t, "");
        pthread_mutex_lock(&t.lock);
        if (!either(t.refusals[0].why, rows[i].why))
            print_error("it was said: %s\n", t.refusals[0].why);
        assert_case(rows[i].says, either(t.refusals[0].why, rows[i].why));
        assert_case(rows[i].says, strcmp(t.refusals[0].name, rows[i].name) == 0);
        assert_case(rows[i].says, strncmp(t.refusals[0].remote, "127.0.0.1:", 10) == 0);
        assert_case(rows[i].says, !t.refusals[0].verified && t.n_refusals == 1);
        pthread_mutex_unlock(&t.lock);
        usleep(60000); /* the log is limited to 20 lines a second: not to be the limit of this table */
    }
    wm_listener_counts_get(t.listener, &counts);
    assert_int_equal(counts.refused, sizeof rows / sizeof *rows);
    assert_int_equal(counts.requests, 0);
    caller = town_caller(&t, t.north_tls); /* and the right one is served */
    assert_ok(town_echo(caller, "hello", 5, &err), &err);
    wm_caller_free(caller);
    town_close(&t);
    test_authority_free(foreign);
}

static void our_own_client_says_why_it_was_turned_away(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    test_authority      *foreign = test_authority_new("city");
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_identity identity = { NULL, NULL };
        wm_tls       *tls;
        wm_caller    *caller;
        wm_status     st;

        if (rows[i].old || rows[i].hint == NULL)
            continue;
        if (!rows[i].none)
            identity = test_issue(rows[i].foreign ? foreign : t.authority, &rows[i].wish);
        atomic_store(&t.revoked, rows[i].revoked);
        tls = town_client_tls(&t, rows[i].none ? NULL : &identity);
        caller = town_caller(&t, tls);
        st = town_echo(caller, "hello", 5, &err);
        /* The alert may be outrun by the end of the connection: then the client knows no more than that. */
        assert_case(rows[i].says, (st == (rows[i].status != WM_OK ? rows[i].status : WM_E_REFUSED) &&
                                   strstr(err.text, rows[i].hint) != NULL) ||
                                      st == WM_E_CLOSED);
        wm_caller_free(caller);
        wm_tls_free(tls);
        test_identity_release(&identity);
    }
    town_close(&t);
    test_authority_free(foreign);
}

/* ---- the client's side ---- */

static const struct {
    const char *says;
    test_wish   wish; /* of the server */
    bool        foreign;
    const char *name; /* expected; NULL: the address that is dialled, 127.0.0.1 */
    wm_status   want;
    const char *why;
} servers[] = {
    { "the address is in the certificate",
      { .names = "IP:127.0.0.1", .usage = "serverAuth" },
      false,
      NULL,
      WM_OK,
      "" },
    { "the name is", { .names = "DNS:office.example", .usage = "serverAuth" }, false, "office.example", WM_OK, "" },
    { "another name",
      { .names = "DNS:office.example,IP:127.0.0.1", .usage = "serverAuth" },
      false,
      "other.example",
      WM_E_UNTRUSTED,
      "not for \"other.example\"" },
    { "a wildcard is no name of ours",
      { .names = "DNS:*.example", .usage = "serverAuth" },
      false,
      "office.example",
      WM_E_UNTRUSTED,
      "not for" },
    { "a gateway posing as the server",
      { .names = "DNS:north,IP:127.0.0.1", .usage = "clientAuth" },
      false,
      NULL,
      WM_E_UNTRUSTED,
      "is not a server's" },
    { "a foreign authority",
      { .names = "IP:127.0.0.1", .usage = "serverAuth" },
      true,
      NULL,
      WM_E_UNTRUSTED,
      "does not lead to the root" },
    { "an expired server",
      { .names = "IP:127.0.0.1", .usage = "serverAuth", .from_days = -3, .to_days = -2 },
      false,
      NULL,
      WM_E_UNTRUSTED,
      "has expired" },
};

static wm_tls *client_that_expects(const town *t, const char *name)
{
    wm_tls_settings set = { .side = WM_TLS_CLIENT,
                            .chain = t->north.chain,
                            .key = t->north.key,
                            .root = test_authority_root(t->authority),
                            .clock = wm_clock_system(),
                            .server_name = name };
    wm_tls         *tls = NULL;
    wm_error        err;

    assert_ok(wm_tls_new(&set, &tls, &err), &err);
    return tls;
}

static void a_client_knows_its_server(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    test_authority      *foreign = test_authority_new("city");

    (void)state;
    town_open(&t, &set);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        test_wish     wish = servers[i].wish;
        test_identity server;
        wm_tls       *tls = client_that_expects(&t, servers[i].name);
        wm_caller    *caller = town_caller(&t, tls);
        wm_error      err = { .text = "" };

        wish.serial = 100 + (long)i;
        server = test_issue(servers[i].foreign ? foreign : t.authority, &wish);
        assert_ok(wm_tls_set_own(t.server_tls, server.chain, server.key, &err), &err);
        err.text[0] = '\0';
        assert_case(servers[i].says, town_echo(caller, "hello", 5, &err) == servers[i].want);
        if (strstr(err.text, servers[i].why) == NULL)
            print_error("it was said: %s\n", err.text);
        assert_case(servers[i].says, strstr(err.text, servers[i].why) != NULL);
        wm_caller_free(caller);
        wm_tls_free(tls);
        test_identity_release(&server);
    }
    town_close(&t);
    test_authority_free(foreign);
}

static void a_new_certificate_is_shown_from_the_next_connection_on(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    test_identity        fresh, other;
    wm_caller           *before, *after;
    wm_error             err;
    wm_digest            was;

    (void)state;
    town_open(&t, &set);
    fresh = test_issue(t.authority, &(test_wish){ .names = "IP:127.0.0.1", .usage = "serverAuth", .serial = 500 });
    other = test_issue(t.authority, &(test_wish){ .names = "DNS:south", .usage = "clientAuth", .serial = 501 });
    before = town_caller(&t, t.north_tls);
    after = town_caller(&t, t.north_tls);
    assert_ok(town_echo(before, "hello", 5, &err), &err);
    was = wm_caller_peer(before)->certificate;
    assert_int_equal(wm_tls_set_own(t.server_tls, fresh.chain, other.key, &err), WM_E_UNTRUSTED); /* not its key */
    assert_ok(wm_tls_set_own(t.server_tls, fresh.chain, fresh.key, &err), &err);
    assert_ok(town_echo(before, "hello", 5, &err), &err); /* goes on, with what it had */
    assert_true(wm_digest_equal(&wm_caller_peer(before)->certificate, &was));
    assert_ok(town_echo(after, "hello", 5, &err), &err);
    assert_false(wm_digest_equal(&wm_caller_peer(after)->certificate, &was));
    assert_int_equal(wm_caller_peer(after)->serial.bytes[1], 500 & 0xff);
    assert_ok(wm_tls_set_own(t.north_tls, other.chain, other.key, &err), &err); /* a gateway's, too */
    wm_caller_hang_up(after);
    atomic_store(&t.keep, true);
    wm_caller_free(before);
    wm_caller_free(after);
    test_identity_release(&fresh);
    test_identity_release(&other);
    town_close(&t);
}

/* A gateway's own clock counts for nothing: without a time dates are ignored, with one they are judged by it. */
static void validity_is_judged_by_the_moment_that_was_handed_in(void **state)
{
    wm_listener_settings set = town_settings();
    wm_clock             clock = wm_clock_system();
    int64_t              day = 86400000, now = wm_wall_ms(&clock);
    town                 t;
    test_identity        server;
    wm_tls_settings      client;
    wm_tls              *tls = NULL;
    wm_caller           *caller;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    server = test_issue(
        t.authority,
        &(test_wish){ .names = "IP:127.0.0.1", .usage = "serverAuth", .serial = 9, .from_days = 1, .to_days = 2 });
    assert_ok(wm_tls_set_own(t.server_tls, server.chain, server.key, &err), &err);
    client = (wm_tls_settings){
        .side = WM_TLS_CLIENT, .chain = t.north.chain, .key = t.north.key, .root = test_authority_root(t.authority)
    };
    assert_ok(wm_tls_new(&client, &tls, &err), &err); /* no clock */
    caller = town_caller(&t, tls);
    assert_ok(town_echo(caller, "hello", 5, &err), &err);
    wm_caller_hang_up(caller);
    wm_tls_set_now(tls, now);
    assert_int_equal(town_echo(caller, "hello", 5, &err), WM_E_UNTRUSTED);
    assert_non_null(strstr(err.text, "is not valid before"));
    wm_tls_set_now(tls, now + 3 * day);
    assert_int_equal(town_echo(caller, "hello", 5, &err), WM_E_UNTRUSTED);
    assert_non_null(strstr(err.text, "has expired"));
    wm_tls_set_now(tls, 0);
    assert_ok(town_echo(caller, "hello", 5, &err), &err);
    wm_caller_free(caller);
    wm_tls_free(tls);
    test_identity_release(&server);
    town_close(&t);
}

/* ---- enrolment: a listener without client certificates, a client with nothing but a pin ---- */

static void a_pin_finds_its_server_and_no_other(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    test_identity        without_root;
    wm_tls_settings      server, client = { .side = WM_TLS_CLIENT };
    wm_tls              *anonymous = NULL, *right = NULL, *wrong = NULL;
    wm_digest            pin, other = wm_sha256_of("another office", 14);
    wm_caller           *caller;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    wm_listener_free(t.listener);
    wm_tls_free(t.server_tls);
    server =
        (wm_tls_settings){ .side = WM_TLS_SERVER, .chain = t.server.chain, .key = t.server.key, .anonymous = true };
    assert_ok(wm_tls_new(&server, &anonymous, &err), &err);
    t.server_tls = anonymous;
    town_listen(&t, &set);
    assert_ok(wm_certificate_digest(test_authority_root(t.authority), &pin, &err), &err);
    client.pin = &pin;
    assert_ok(wm_tls_new(&client, &right, &err), &err);
    client.pin = &other;
    assert_ok(wm_tls_new(&client, &wrong, &err), &err);
    caller = town_caller(&t, right);
    assert_ok(town_echo(caller, "hello", 5, &err), &err);
    assert_string_equal(wm_caller_peer(caller)->name, "localhost");
    wm_caller_free(caller);
    caller = town_caller(&t, wrong);
    assert_int_equal(town_echo(caller, "hello", 5, &err), WM_E_UNTRUSTED);
    assert_non_null(strstr(err.text, "root certificate that is expected"));
    wm_caller_free(caller);
    without_root =
        test_issue(t.authority, &(test_wish){ .names = "IP:127.0.0.1", .usage = "serverAuth", .serial = 5 });
    assert_ok(wm_tls_set_own(anonymous, without_root.chain, without_root.key, &err), &err);
    caller = town_caller(&t, right); /* the root is not shown: nothing to hold on to */
    assert_int_equal(town_echo(caller, "hello", 5, &err), WM_E_UNTRUSTED);
    wm_caller_free(caller);
    wm_tls_free(right);
    wm_tls_free(wrong);
    test_identity_release(&without_root);
    town_close(&t);
}

static void both_ends_know_the_same_secret_of_their_connection(void **state)
{
    wm_listener_settings set = town_settings();
    town                 t;
    wm_caller           *one, *two;
    wm_request          *request;
    wm_digest            there;
    wm_error             err;

    (void)state;
    town_open(&t, &set);
    one = town_caller(&t, t.north_tls);
    two = town_caller(&t, t.north_tls);
    assert_ok(town_echo(one, "hello", 5, &err), &err);
    assert_ok(town_echo(two, "hello", 5, &err), &err);
    assert_false(wm_digest_equal(&wm_caller_peer(one)->exporter, &wm_caller_peer(two)->exporter));
    atomic_store(&t.keep, true);
    assert_int_equal(wm_caller_call(one, "x", 1, 50, NULL, NULL, &err), WM_E_TIMEOUT);
    town_wait_kept(&t, 1);
    request = town_take(&t);
    there = wm_request_peer(request)->exporter;
    assert_string_equal(wm_request_peer(request)->name, "north");
    assert_int_equal(wm_request_peer(request)->serial.bytes[0], 7);
    assert_true(wm_digest_equal(&there, &wm_caller_peer(one)->exporter));
    wm_request_drop(request);
    wm_caller_free(one);
    wm_caller_free(two);
    town_close(&t);
}

static void settings_that_do_not_go_together_are_refused(void **state)
{
    test_authority *authority = test_authority_new("city");
    test_identity   a = test_issue(authority, &(test_wish){ .names = "DNS:a", .usage = "clientAuth", .serial = 1 });
    test_identity   b = test_issue(authority, &(test_wish){ .names = "DNS:b", .usage = "clientAuth", .serial = 2 });
    wm_certificate *root = test_authority_root(authority);
    wm_digest       pin = { { 1 } };
    const struct {
        const char     *says;
        wm_tls_settings set;
        wm_status       want;
    } bad[] = {
        { "a server without a certificate", { .side = WM_TLS_SERVER, .root = root }, WM_E_INVALID },
        { "a certificate without a key", { .side = WM_TLS_CLIENT, .chain = a.chain, .root = root }, WM_E_INVALID },
        { "another's key",
          { .side = WM_TLS_CLIENT, .chain = a.chain, .key = b.key, .root = root },
          WM_E_UNTRUSTED },
        { "nobody to trust", { .side = WM_TLS_CLIENT }, WM_E_INVALID },
        { "a root and a pin", { .side = WM_TLS_CLIENT, .root = root, .pin = &pin }, WM_E_INVALID },
        { "an anonymous client", { .side = WM_TLS_CLIENT, .root = root, .anonymous = true }, WM_E_INVALID },
        { "a server with a pin",
          { .side = WM_TLS_SERVER, .chain = a.chain, .key = a.key, .pin = &pin },
          WM_E_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wm_tls  *tls = NULL;
        wm_error err = { .text = "" };

        assert_case(bad[i].says, wm_tls_new(&bad[i].set, &tls, &err) == bad[i].want);
        assert_case(bad[i].says, tls == NULL && err.text[0] != '\0');
    }
    test_identity_release(&a);
    test_identity_release(&b);
    test_authority_free(authority);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wrong_ones_are_turned_away_and_the_log_says_why),
        cmocka_unit_test(our_own_client_says_why_it_was_turned_away),
        cmocka_unit_test(a_client_knows_its_server),
        cmocka_unit_test(a_new_certificate_is_shown_from_the_next_connection_on),
        cmocka_unit_test(validity_is_judged_by_the_moment_that_was_handed_in),
        cmocka_unit_test(a_pin_finds_its_server_and_no_other),
        cmocka_unit_test(both_ends_know_the_same_secret_of_their_connection),
        cmocka_unit_test(settings_that_do_not_go_together_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
