/* tests/crypto/test_token.c */
#include "tests/unit.h"

#include "common/crypto/base64url.h"
#include "common/crypto/token.h"

static wm_token sample(void)
{
    wm_token token = {
        .addresses = { "office.city.example:7443", "[2001:db8::1]:7443", "192.0.2.7:443" },
        .n_addresses = 3,
        .name = "north-7",
    };

    for (int i = 0; i < WM_DIGEST_SIZE; i++)
        token.root.bytes[i] = (uint8_t)(i * 7);
    for (int i = 0; i < 16; i++) {
        token.id[i] = (uint8_t)(0xa0 + i);
        token.secret[i] = (uint8_t)(0x50 + i);
    }
    return token;
}

static void a_token_comes_back_from_its_text(void **state)
{
    wm_token token = sample(), back;
    char     text[WM_TOKEN_TEXT], pasted[WM_TOKEN_TEXT + 8];
    wm_error err;

    (void)state;
    assert_ok(wm_token_encode(&token, text, &err), &err);
    assert_int_equal(strncmp(text, "wardmote1.", 10), 0);
    snprintf(pasted, sizeof pasted, " \t%s\r\n", text);
    assert_ok(wm_token_decode(pasted, strlen(pasted), &back, &err), &err);
    assert_memory_equal(&back, &token, sizeof token);
}

static void any_one_character_changed_is_refused(void **state)
{
    wm_token token = sample(), back;
    char     text[WM_TOKEN_TEXT];
    wm_error err;
    size_t   n, refused = 0;

    (void)state;
    assert_ok(wm_token_encode(&token, text, &err), &err);
    n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char was = text[i];

        for (int c = 0; c < 256; c++) {
            /* White space at an end is the one change that may be made: it then is a token cut short. */
            text[i] = (char)c;
            if (text[i] == was)
                continue;
            if (wm_token_decode(text, n, &back, &err) == WM_OK)
                fail_msg("character %zu as %d is taken", i, c);
            refused++;
        }
        text[i] = was;
    }
    assert_int_equal(refused, n * 255);
}

static void every_truncation_and_extension_is_recognised_as_one(void **state)
{
    wm_token token = sample(), back;
    char     text[WM_TOKEN_TEXT + 4];
    wm_error err;
    size_t   n;

    (void)state;
    assert_ok(wm_token_encode(&token, text, &err), &err);
    n = strlen(text);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(wm_token_decode(text, cut, &back, &err), WM_E_MALFORMED);
        if (cut >= 10)
            assert_non_null(strstr(err.text, "cut short"));
    }
    strcat(text, "AAAA");
    assert_int_equal(wm_token_decode(text, n + 4, &back, &err), WM_E_MALFORMED);
    assert_int_equal(wm_token_decode(text, 0, &back, &err), WM_E_MALFORMED);
}

/* A whole token with a right checksum around bytes that we choose. */
static size_t wrap(const uint8_t *bytes, size_t n, char *text)
{
    uint8_t   all[4096];
    wm_sha256 sha;
    wm_digest digest;

    wm_sha256_init(&sha);
    wm_sha256_add(&sha, "wardmote1.", 10);
    wm_sha256_add(&sha, bytes, n);
    wm_sha256_take(&sha, &digest);
    memcpy(all, bytes, n);
    memcpy(all + n, digest.bytes, 8);
    strcpy(text, "wardmote1.");
    wm_base64url_encode(all, n + 8, text + 10);
    return strlen(text);
}

/* The same as sample() has, with one thing made wrong. */
static void a_right_checksum_does_not_make_wrong_contents_right(void **state)
{
    static const struct {
        const char *says;
        size_t      at; /* byte that is changed */
        uint8_t     value;
    } rows[] = {
        { "no address", 0, 0 },
        { "five addresses", 0, 5 },
        { "fewer addresses than there are", 0, 2 },
        { "an address of no characters", 1, 0 },
        { "an address longer than the rest", 1, 255 },
        { "an address with a zero inside", 3, 0 },
        { "an address without a port", 2 + 19, 'x' },
        { "an address with a wildcard", 2, '*' },
        { "a name in capitals", 1 + 3 + 24 + 18 + 13 + 32 + 16 + 1, 'N' },
        { "a name of no characters", 1 + 3 + 24 + 18 + 13 + 32 + 16, 0 },
        { "a name that is too long", 1 + 3 + 24 + 18 + 13 + 32 + 16, 64 },
    };
    wm_token token = sample(), back;
    char     text[WM_TOKEN_TEXT * 4];
    uint8_t  bytes[1024];
    size_t   n;
    wm_error err;

    (void)state;
    assert_ok(wm_token_encode(&token, text, &err), &err);
    assert_true(wm_base64url_decode(text + 10, strlen(text + 10), bytes, sizeof bytes, &n));
    n -= 8;
    assert_ok(wm_token_decode(text, wrap(bytes, n, text), &back, &err), &err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t was = bytes[rows[i].at];

        bytes[rows[i].at] = rows[i].value;
        assert_case(rows[i].says, wm_token_decode(text, wrap(bytes, n, text), &back, &err) != WM_OK);
        bytes[rows[i].at] = was;
    }
    assert_int_equal(wm_token_decode(text, wrap(bytes, n + 1, text), &back, &err), WM_E_MALFORMED);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(wm_token_decode(text, wrap(bytes, cut, text), &back, &err), WM_E_MALFORMED);
}

static const struct {
    const char *address;
    const char *host; /* NULL: refused */
    uint16_t    port;
} addresses[] = {
    { "office:7443", "office", 7443 },
    { "a.b-c.example:1", "a.b-c.example", 1 },
    { "127.0.0.1:65535", "127.0.0.1", 65535 },
    { "[::1]:7443", "::1", 7443 },
    { "::1:7443", NULL, 0 },
    { "[office]:7443", NULL, 0 },
    { "[127.0.0.1]:7443", NULL, 0 },
    { "office", NULL, 0 },
    { "office:", NULL, 0 },
    { "office:0", NULL, 0 },
    { "office:65536", NULL, 0 },
    { "office:999999", NULL, 0 },
    { "office:74a", NULL, 0 },
    { "office:-1", NULL, 0 },
    { ":7443", NULL, 0 },
    { "[]:7443", NULL, 0 },
    { "[:7443", NULL, 0 },
    { "[::1:7443", NULL, 0 },
    { "of fice:7443", NULL, 0 },
    { "*.example:7443", NULL, 0 },
    { "a..b:7443", NULL, 0 },
    { ".a:7443", NULL, 0 },
    { "a.:7443", NULL, 0 },
    { "tcp://office:7443", NULL, 0 },
    { "", NULL, 0 },
};

static void an_address_is_a_host_and_a_port(void **state)
{
    char     host[WM_HOST_TEXT];
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        bool good = wm_address_split(addresses[i].address, host, &port);

        assert_case(addresses[i].address, good == (addresses[i].host != NULL));
        if (good) {
            assert_string_equal(host, addresses[i].host);
            assert_int_equal(port, addresses[i].port);
        }
    }
}

static void what_is_no_token_is_not_written_and_not_read(void **state)
{
    static const size_t counts[] = { 0, WM_TOKEN_ADDRESSES + 1 };
    wm_token            token = sample(), back;
    char                text[WM_TOKEN_TEXT + 16], host[WM_HOST_TEXT];
    uint16_t            port;
    wm_error            err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        token.n_addresses = counts[i];
        assert_int_equal(wm_token_encode(&token, text, &err), WM_E_INVALID);
        assert_non_null(strstr(err.text, "1 to 4 addresses"));
    }
    token = sample();
    memset(token.addresses[1], 'a', WM_ADDRESS_TEXT - 1);
    token.addresses[1][WM_ADDRESS_TEXT - 1] = '\0';
    assert_int_equal(wm_token_encode(&token, text, &err), WM_E_INVALID);
    memcpy(token.addresses[1] + WM_HOST_TEXT, ":7443", 6); /* a host that is one character too long */
    assert_false(wm_address_split(token.addresses[1], host, &port));
    memset(text, 'A', sizeof text);
    memcpy(text, "wardmote1.", 10);
    assert_int_equal(wm_token_decode(text, WM_TOKEN_TEXT, &back, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "at most"));
}

static void the_longest_token_has_room(void **state)
{
    wm_token token = sample(), back;
    char     text[WM_TOKEN_TEXT];
    wm_error err;

    (void)state;
    token.n_addresses = WM_TOKEN_ADDRESSES;
    for (size_t i = 0; i < WM_TOKEN_ADDRESSES; i++) {
        memset(token.addresses[i], 0, sizeof token.addresses[i]);
        for (int k = 0; k < 249; k++)
            token.addresses[i][k] = k % 50 == 49 ? '.' : 'a';
        strcpy(token.addresses[i] + 249, ":65535");
    }
    memset(token.name, 'z', WM_NAME_TEXT - 1);
    assert_ok(wm_token_encode(&token, text, &err), &err);
    assert_ok(wm_token_decode(text, strlen(text), &back, &err), &err);
    assert_memory_equal(&back, &token, sizeof token);
    token.addresses[0][0] = '*';
    assert_int_equal(wm_token_encode(&token, text, &err), WM_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_comes_back_from_its_text),
        cmocka_unit_test(any_one_character_changed_is_refused),
        cmocka_unit_test(every_truncation_and_extension_is_recognised_as_one),
        cmocka_unit_test(a_right_checksum_does_not_make_wrong_contents_right),
        cmocka_unit_test(an_address_is_a_host_and_a_port),
        cmocka_unit_test(what_is_no_token_is_not_written_and_not_read),
        cmocka_unit_test(the_longest_token_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
