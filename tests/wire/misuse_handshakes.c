/* tests/wire/misuse_handshakes.c: versions that are too old, what is no TLS at all, and handshakes that are never done. */
#include "tests/wire/misuse.h"

#include <openssl/tls1.h>

/* ---- versions ---- */

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

/* ---- bytes in the place of TLS, and none ---- */

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

#define RAW(text) .bytes = text, .n = sizeof text - 1

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
    { "leaving at once", leaving_at_once, "left before the handshakes were over", .gone = true },
    { "ciphers that the server has not", with_ciphers_that_nobody_has, "TLS failed" },
};

const misuse misuse_of_handshakes = { rows, sizeof rows / sizeof *rows };
