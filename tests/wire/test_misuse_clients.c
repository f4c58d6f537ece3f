/* tests/wire/test_misuse_clients.c
 *
 * TLS used as it must not be by whoever dials the aggregator. Each row is one way. It must end in the connection refused,
 * one line for the log that names why, the refusal counted, and everybody else served as before: a gateway that was
 * connected all the while, and one that comes anew. What is done with messages, once TLS holds, is elsewhere
 * (tests/e2e/test_trespass.c), and so is revocation (tests/e2e/test_revocation.c, test_revoked_download.c). */
#include "tests/wire/misuse.h"

#include "tests/figures.h"

#include <arpa/inet.h>
#include <openssl/tls1.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELLO_MS = 1500, IDLE_MS = 1500, PAUSE_US = 55000 };

static void show(scene *x, test_identity identity)
{
    shake(x, reckless(&identity, x->row->version));
    test_identity_release(&identity);
}

/* ---- versions, and what is no TLS ---- */

static void in_an_old_version(scene *x)
{
    show(x, test_issue(x->t->authority, &x->row->wish));
}

static void falling_back(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, TLS1_2_VERSION);

    SSL_CTX_set_mode(ctx, SSL_MODE_SEND_FALLBACK_SCSV);
    shake(x, ctx);
}

static void saying_bytes(scene *x)
{
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, x->row->bytes, x->row->n));
    must_end(x, &s);
}

/* The ClientHello of a proper client. */
static size_t client_hello(uint8_t *bytes, size_t room)
{
    SSL_CTX *ctx = reckless(NULL, TLS1_3_VERSION);
    SSL     *ssl = SSL_new(ctx);
    BIO     *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    int      n;

    SSL_set_bio(ssl, in, out);
    assert_int_not_equal(SSL_connect(ssl), 1);
    n = BIO_read(out, bytes, (int)room);
    assert_true(n > 100);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return (size_t)n;
}

static void in_records_of_one_byte(scene *x)
{
    uint8_t  hello[2048], record[6] = { 0x16, 3, 1, 0, 1, 0 };
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    for (size_t i = 5; i < n; i++) { /* behind the head of its own record; the last byte is left out */
        record[5] = hello[i];
        if (i + 1 < n && !stranger_say(&s, record, sizeof record))
            break;
    }
    must_end(x, &s);
}

static void half_a_hello(scene *x)
{
    uint8_t  hello[2048];
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, hello, n / 2));
    must_end(x, &s);
}

static void a_hello_and_silence(scene *x)
{
    uint8_t  hello[2048];
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, hello, n));
    must_end(x, &s);
}

static void silence(scene *x)
{
    stranger s = stranger_dial(x->t);

    must_end(x, &s);
}

static void silence_after_the_handshake(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, 0);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_shake(&s, ctx));
    must_end(x, &s);
    SSL_CTX_free(ctx);
}

static void leaving_after_the_hello(scene *x)
{
    uint8_t  hello[2048], answer[5];
    size_t   n = client_hello(hello, sizeof hello);
    stranger s = stranger_dial(x->t);

    assert_true(stranger_say(&s, hello, n) && stranger_hear(&s, answer, sizeof answer));
    stranger_leave(&s, STRANGER_RESETS);
}

static void leaving_at_once(scene *x)
{
    stranger s = stranger_dial(x->t);

    stranger_leave(&s, STRANGER_RESETS);
}

static void with_ciphers_that_nobody_has(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, TLS1_3_VERSION);

    assert_int_equal(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_CCM_8_SHA256"), 1);
    shake(x, ctx);
}

/* ---- certificates ---- */

static void without_one(scene *x)
{
    shake(x, reckless(NULL, 0));
}

static void with_ours(scene *x)
{
    show(x, test_issue(x->t->authority, &x->row->wish));
}

static void with_the_namesake_s(scene *x)
{
    show(x, test_issue(x->namesake, &x->row->wish));
}

static void with_a_foreign_one(scene *x)
{
    show(x, test_issue(x->foreign, &x->row->wish));
}

/* The true root at the end of a false chain. */
static void with_a_foreign_one_and_our_root(scene *x)
{
    test_identity identity = test_issue(x->namesake, &x->row->wish);
    X509         *links[2] = { wm_chain_at(identity.chain, 0), test_authority_root(x->t->authority) };
    wm_chain     *chain;
    wm_error      err;

    assert_ok(wm_chain_of(links, 2, &chain, &err), &err);
    wm_chain_free(identity.chain);
    identity.chain = chain;
    show(x, identity);
}

static void with_its_own_signature(scene *x)
{
    test_authority *self = test_authority_new("north");

    show(x, test_issue(self, &x->row->wish));
    test_authority_free(self);
}

static void revoked(scene *x)
{
    atomic_store(&x->t->revoked, x->row->wish.serial);
    with_ours(x);
    atomic_store(&x->t->revoked, 0);
}

/* A gateway signs another one: its own certificate is in the chain, and leads to the root. */
static void signed_by_a_gateway(scene *x)
{
    show(x, test_issue_by(&x->t->north, &x->row->wish));
}

/* An issuing authority makes another one, which it must not. */
static void below_an_authority_too_many(scene *x)
{
    test_identity issuing = test_issue(x->t->authority, &(test_wish){ .common_name = "issuing",
                                                                      .constraints = "critical,CA:TRUE,pathlen:0",
                                                                      .key_usage = "critical,keyCertSign",
                                                                      .serial = 900 });
    test_identity second = test_issue_by(&issuing, &(test_wish){ .common_name = "second",
                                                                 .constraints = "critical,CA:TRUE",
                                                                 .key_usage = "critical,keyCertSign",
                                                                 .serial = 901 });

    show(x, test_issue_by(&second, &x->row->wish));
    test_identity_release(&second);
    test_identity_release(&issuing);
}

static void below_an_authority_that_has_expired(scene *x)
{
    test_identity issuing = test_issue(x->t->authority, &(test_wish){ .common_name = "issuing",
                                                                      .constraints = "critical,CA:TRUE,pathlen:0",
                                                                      .key_usage = "critical,keyCertSign",
                                                                      .serial = 902,
                                                                      .from_days = -3,
                                                                      .to_days = -2 });

    show(x, test_issue_by(&issuing, &x->row->wish));
    test_identity_release(&issuing);
}

static void with_another_s_certificate(scene *x)
{
    test_identity victim = test_issue(x->t->authority, &x->row->wish);
    EVP_PKEY     *key = posing_key(victim.key, x->t->north.key);

    EVP_PKEY_free(victim.key);
    victim.key = key;
    show(x, victim);
}

/* More certificates than fit into the 16 KiB that are read of a chain. */
static void with_a_chain_without_end(scene *x)
{
    SSL_CTX *ctx = reckless(&x->t->north, 0);

    for (int i = 0; i < 60; i++)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, test_authority_root(x->t->authority)), 1);
    shake(x, ctx);
}

/* ---- let in, and then ---- */

static void a_gateway_s(scene *x, stranger *s, test_identity *identity, SSL_CTX **ctx)
{
    *identity = test_issue(x->t->authority, &x->row->wish);
    *ctx = reckless(identity, TLS1_3_VERSION);
    *s = stranger_dial(x->t);
    assert_case(x->row->says, stranger_shake(s, *ctx) && stranger_greet(s));
}

/* Each costs the server a key; none is a message, so the deadline of the connection holds. */
static void new_keys_without_end(scene *x)
{
    test_identity identity;
    SSL_CTX      *ctx;
    stranger      s;
    int           n = 0;

    a_gateway_s(x, &s, &identity, &ctx);
    assert_true(stranger_say(&s, "\0\0\0\0\0\0\0\x64", 8)); /* the head of a message, which is waited for */
    while (SSL_key_update(s.ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(s.ssl) == 1 && n < 1000000)
        n++;
    assert_case(x->row->says, n < 1000000);
    stranger_leave(&s, STRANGER_CLOSES);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void expiring_while_it_is_connected(scene *x)
{
    test_identity identity;
    SSL_CTX      *ctx;
    stranger      s;
    uint8_t       answer[17];

    a_gateway_s(x, &s, &identity, &ctx);
    assert_case(x->row->says, stranger_ask(&s, "hello", 5) && stranger_hear(&s, answer, sizeof answer));
    for (int i = 0; i < 200; i++) { /* busy to the last, so that it is not for its idleness */
        if (!stranger_ask(&s, "hello", 5) || !stranger_hear(&s, answer, sizeof answer))
            break;
        usleep(50000);
    }
    must_end(x, &s);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

static void garbage_among_the_records(scene *x)
{
    test_identity identity;
    SSL_CTX      *ctx;
    stranger      s;

    a_gateway_s(x, &s, &identity, &ctx);
    assert_int_equal(send(s.fd, "\x17\x03\x03\x00\x20garbage that was never encrypted..", 37, MSG_NOSIGNAL), 37);
    must_end(x, &s);
    SSL_CTX_free(ctx);
    test_identity_release(&identity);
}

#define GATEWAY(...)                                             \
    {                                                            \
        .names = "DNS:north", .usage = "clientAuth", __VA_ARGS__ \
    }
#define RAW(text) .bytes = text, .n = sizeof text - 1
#define LONG_NAME                                                                                                  \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const row rows[] = {
    { "TLS 1.0 and nothing else", in_an_old_version, "does not speak TLS 1.3", .wish = GATEWAY(.serial = 10),
      .version = TLS1_VERSION },
    { "TLS 1.1 and nothing else", in_an_old_version, "does not speak TLS 1.3", .wish = GATEWAY(.serial = 10),
      .version = TLS1_1_VERSION },
    { "TLS 1.2 and nothing else", in_an_old_version, "does not speak TLS 1.3", .wish = GATEWAY(.serial = 10),
      .version = TLS1_2_VERSION },
    { "a fall back to TLS 1.2", falling_back, "TLS" },
    { "a hello of SSL 2", saying_bytes, "TLS",
      RAW("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00"
          "\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06\x00\x40\x07\x00\xc0\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
          "\x0c\x0d\x0e\x0f") },
    { "a hello of SSL 3", saying_bytes, "TLS",
      RAW("\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00"
          "01234567890123456789"
          "012345678901"
          "\x00\x00\x02\x00\x2f\x01\x00") },
    { "DTLS", saying_bytes, "TLS",
      RAW("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"
          "0123456789012345") },
    { "HTTP", saying_bytes, "HTTP", RAW("GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
    { "nng without TLS", saying_bytes, "TLS", RAW("\0SP\0\0\x30\0\0") },
    { "a heartbeat before the handshake", saying_bytes, "TLS", RAW("\x18\x03\x03\x00\x03\x01\x40\x00") },
    { "data before the handshake, in the clear", saying_bytes, "TLS", RAW("\x17\x03\x03\x00\x05hello") },
    { "a record of an unknown kind", saying_bytes, "TLS", RAW("\x99\x03\x03\x00\x05hello") },
    { "a record of 64 KiB", saying_bytes, "TLS", RAW("\x16\x03\x01\xff\xff\x01\x00\xff\xff") },
    { "a hello of 16 MiB", saying_bytes, "TLS", RAW("\x16\x03\x01\x00\x04\x01\xff\xff\xff") },
    { "a Finished in the place of a hello", saying_bytes, "TLS",
      RAW("\x16\x03\x01\x00\x08\x14\x00\x00\x04"
          "1234") },
    { "an alert in the place of a hello", saying_bytes, "TLS", RAW("\x15\x03\x01\x00\x02\x02\x28") },
    { "empty records", saying_bytes, "did not finish the handshakes|TLS",
      RAW("\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00") },
    { "a hello in records of one byte, and never its end", in_records_of_one_byte,
      "did not finish the handshakes|TLS" },
    { "half a hello", half_a_hello, "did not finish the handshakes" },
    { "a hello, and silence", a_hello_and_silence, "did not finish the handshakes" },
    { "silence from the first", silence, "did not finish the handshakes" },
    { "silence after TLS", silence_after_the_handshake, "did not finish the handshakes", "north" },
    { "leaving after the hello", leaving_after_the_hello, "left before the handshakes were over" },
    { "leaving at once", leaving_at_once, "left before the handshakes were over" },
    { "ciphers that the server has not", with_ciphers_that_nobody_has, "TLS failed" },

    { "no certificate", without_one, "did not return a certificate|showed no certificate" },
    { "a certificate that signs itself", with_its_own_signature, "does not lead to the root", "north",
      GATEWAY(.serial = 11) },
    { "a foreign authority's", with_a_foreign_one, "does not lead to the root", "north", GATEWAY(.serial = 12) },
    { "a foreign authority's, of our authority's name", with_the_namesake_s, "does not lead to the root", "north",
      GATEWAY(.serial = 13) },
    { "that, with our root behind it", with_a_foreign_one_and_our_root, "does not lead to the root", "north",
      GATEWAY(.serial = 14) },
    { "an expired one", with_ours, "has expired", "north", GATEWAY(.serial = 15, .from_days = -3, .to_days = -2) },
    { "one from tomorrow", with_ours, "is not valid before", "north",
      GATEWAY(.serial = 16, .from_days = 1, .to_days = 2) },
    { "a revoked one", revoked, "is revoked", "north", GATEWAY(.serial = 17) },
    { "a server's",
      with_ours,
      "is not a gateway's",
      "localhost",
      { .names = "DNS:localhost", .usage = "serverAuth", .serial = 18 } },
    { "one for no use in particular",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .serial = 19 } },
    { "one for any use",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .usage = "anyExtendedKeyUsage", .serial = 20 } },
    { "one for signing code",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .usage = "codeSigning", .serial = 21 } },
    { "one for gateways and servers alike",
      with_ours,
      "is not a gateway's",
      "north",
      { .names = "DNS:north", .usage = "clientAuth,serverAuth", .serial = 22 } },
    { "an authority's own", with_ours, "is not a gateway's", "north",
      GATEWAY(.serial = 23, .constraints = "critical,CA:TRUE",
              .key_usage = "critical,keyCertSign,digitalSignature") },
    { "one whose key may not sign", with_ours, "may not sign", "north",
      GATEWAY(.serial = 24, .key_usage = "critical,keyAgreement") },
    { "one that a gateway has signed",
      signed_by_a_gateway,
      "does not lead to the root",
      "south",
      { .names = "DNS:south", .usage = "clientAuth", .serial = 25 } },
    { "one below an authority too many", below_an_authority_too_many, "does not lead to the root", "north",
      GATEWAY(.serial = 26) },
    { "one below an authority that has expired", below_an_authority_that_has_expired, "has expired", "north",
      GATEWAY(.serial = 27) },
    { "another gateway's, with a key of its own",
      with_another_s_certificate,
      "TLS failed",
      "south",
      { .names = "DNS:south", .usage = "clientAuth", .serial = 28 } },
    { "a chain of sixty", with_a_chain_without_end, "TLS failed" },
    { "a name only where nobody looks",
      with_ours,
      "not exactly one fit name",
      NULL,
      { .common_name = "north", .usage = "clientAuth", .serial = 29 } },
    { "two names",
      with_ours,
      "not exactly one fit name",
      "north",
      { .names = "DNS:north,DNS:south", .usage = "clientAuth", .serial = 30 } },
    { "a name and an address",
      with_ours,
      "not exactly one fit name",
      "north",
      { .names = "DNS:north,IP:127.0.0.1", .usage = "clientAuth", .serial = 31 } },
    { "the name of another office's gateway",
      with_ours,
      "not exactly one fit name",
      "north.other-city.example",
      { .names = "DNS:north.other-city.example", .usage = "clientAuth", .serial = 32 } },
    { "a wildcard",
      with_ours,
      "not exactly one fit name",
      "*",
      { .names = "DNS:*", .usage = "clientAuth", .serial = 33 } },
    { "an empty name",
      with_ours,
      "damaged serial, date or name",
      NULL,
      { .raw_name = "", .n_raw_name = 0, .usage = "clientAuth", .serial = 34 } },
    { "a name of three hundred letters",
      with_ours,
      "damaged serial, date or name",
      NULL,
      { .raw_name = LONG_NAME, .n_raw_name = sizeof LONG_NAME - 1, .usage = "clientAuth", .serial = 35 } },
    { "a name with a zero in it",
      with_ours,
      "damaged serial, date or name",
      NULL,
      { .raw_name = "north\0.evil", .n_raw_name = 11, .usage = "clientAuth", .serial = 36 } },
    { "an RSA key of 1024 bits", with_ours, "does not lead to the root|TLS failed", "north",
      GATEWAY(.serial = 37, .key = "RSA:1024") },
    { "a curve that TLS 1.3 has not", with_ours, "TLS failed|did not return a certificate|showed no certificate",
      NULL, GATEWAY(.serial = 38, .key = "secp256k1") },
    { "a signature by SHA-1", with_ours, "does not lead to the root|TLS failed", "north",
      GATEWAY(.serial = 39, .digest = "SHA1") },
    { "a critical extension that nobody knows", with_ours, "does not lead to the root", "north",
      GATEWAY(.serial = 40, .odd_extension = true) },
    { "a serial below zero", with_ours, "damaged serial, date or name", NULL,
      GATEWAY(.serial = 41, .odd_serial = true) },

    { "a shared key in the place of a certificate", with_a_shared_key_in_place_of_a_certificate,
      "did not return a certificate|showed no certificate|TLS failed" },
    { "data before the handshake, with a key of its own making", with_data_before_the_handshake,
      "did not return a certificate|showed no certificate|TLS failed" },
    { "revoked, with the session of better days", with_the_session_of_better_days, "is revoked", "north",
      GATEWAY(.serial = 42) },
    { "new keys without end", new_keys_without_end, "did not send its request", "north", GATEWAY(.serial = 43),
      .verified = true },
    { "expiring while it is connected", expiring_while_it_is_connected, "expired while it was connected", "north",
      GATEWAY(.serial = 44, .for_seconds = 2), .verified = true },
    { "garbage among the records", garbage_among_the_records, "TLS|closed", "north", GATEWAY(.serial = 45),
      .verified = true },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

/* ---- the table ---- */

static bool one_of(const char *text, const char *options)
{
    for (const char *at = options; *at != '\0';) {
        size_t n = strcspn(at, "|");
        char   option[100];

        snprintf(option, sizeof option, "%.*s", (int)n, at);
        if (strstr(text, option) != NULL)
            return true;
        at += n + (at[n] == '|');
    }
    return false;
}

static uint64_t count_refused(town *t)
{
    wm_listener_counts counts;

    wm_listener_counts_get(t->listener, &counts);
    return counts.refused;
}

/* The row's one line for the log, and its count. */
static void expect_refusal(scene *x, uint64_t before)
{
    const row    *r = x->row;
    town         *t = x->t;
    town_refusal *said = &t->refusals[0];

    town_wait_refusal(t, "");
    pthread_mutex_lock(&t->lock);
    if (!one_of(said->why, r->why) || strcmp(said->name, r->name != NULL ? r->name : "") != 0)
        print_error("%s: it was said of \"%s\": %s\n", r->says, said->name, said->why);
    assert_case(r->says, one_of(said->why, r->why));
    assert_case(r->says, strcmp(said->name, r->name != NULL ? r->name : "") == 0);
    assert_case(r->says, said->verified == r->verified &&
                             (strncmp(said->remote, "127.0.0.1:", 10) == 0 || r->intrude == leaving_at_once));
    assert_case(r->says, t->n_refusals == 1);
    t->n_refusals = 0;
    pthread_mutex_unlock(&t->lock);
    assert_case(r->says, count_refused(t) == before + 1);
}

static void whoever_dials_wrongly_is_refused_named_and_counted(void **state)
{
    wm_listener_settings set = town_settings();
    wm_caller           *bystander, *newcomer;
    town                 t;
    scene                x = { .t = &t };
    wm_error             err;

    (void)state;
    set.hello_ms = HELLO_MS;
    set.message_ms = IDLE_MS;
    town_open(&t, &set);
    x.namesake = test_authority_new("city");
    x.foreign = test_authority_new("another city");
    bystander = town_caller(&t, t.north_tls);
    assert_ok(town_echo(bystander, "hello", 5, &err), &err);
    for (size_t i = 0; i < N_ROWS; i++) {
        uint64_t before = count_refused(&t);

        x.row = &rows[i];
        rows[i].intrude(&x);
        expect_refusal(&x, before);
        assert_case(rows[i].says, town_echo(bystander, "hello", 5, &err) == WM_OK);
        newcomer = town_caller(&t, t.north_tls);
        assert_case(rows[i].says, town_echo(newcomer, "hello", 5, &err) == WM_OK);
        wm_caller_free(newcomer);
        usleep(PAUSE_US); /* at most 20 refusals a second are told: not to be the limit of this table */
    }
    wm_caller_free(bystander);
    test_authority_free(x.namesake);
    test_authority_free(x.foreign);
    town_close(&t);
    tell_fault(&(fault_figure){ .fault = "TLS misused by a client, each in another way",
                                .tries = N_ROWS,
                                .survived = N_ROWS,
                                .seconds = -1 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_dials_wrongly_is_refused_named_and_counted),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
