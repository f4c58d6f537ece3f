/* tests/wire/misuse_connections.c: who was let in, as a gateway is, and then does with the connection what he must not. */
#include "tests/wire/misuse.h"

#include <sys/socket.h>
#include <unistd.h>

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

static const row rows[] = {
    { "new keys without end", new_keys_without_end, "did not send its request", "north", GATEWAY(.serial = 43),
      .verified = true },
    { "expiring while it is connected", expiring_while_it_is_connected, "expired while it was connected", "north",
      GATEWAY(.serial = 44, .for_seconds = 2), .verified = true },
    { "garbage among the records", garbage_among_the_records, "TLS|closed", "north", GATEWAY(.serial = 45),
      .verified = true },
};

const misuse misuse_of_connections = { rows, sizeof rows / sizeof *rows };
