/* tests/crypto/test_base64url.c */
#include "tests/unit.h"

#include "common/crypto/base64url.h"

/* RFC 4648, section 10, without padding. */
static const struct {
    const char *bytes, *text;
} vectors[] = {
    { "", "" },           { "f", "Zg" },          { "fo", "Zm8" },          { "foo", "Zm9v" },
    { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" },
};

static void the_vectors_of_rfc_4648_hold_both_ways(void **state)
{
    uint8_t bytes[16];
    char    text[16];
    size_t  n;

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t size = strlen(vectors[i].bytes);

        wm_base64url_encode((const uint8_t *)vectors[i].bytes, size, text);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(wm_base64url_size(size), strlen(text));
        assert_true(wm_base64url_decode(text, strlen(text), bytes, size, &n));
        assert_int_equal(n, size);
        assert_memory_equal(bytes, vectors[i].bytes, size);
    }
    /* The two characters in which the alphabet is not the ordinary one. */
    assert_true(wm_base64url_decode("-_-_", 4, bytes, 3, &n));
    assert_memory_equal(bytes, "\xfb\xff\xbf", 3);
}

static const struct {
    const char *says, *text;
} refusals[] = {
    { "a length that cannot be", "Zm9vY" },
    { "padding", "Zg==" },
    { "the ordinary alphabet's plus", "+_-_" },
    { "the ordinary alphabet's slash", "/_-_" },
    { "a space inside", "Zm 9" },
    { "a line end", "Zm9v\n" },
    { "a bit that belongs to no byte, of four", "Zh" },
    { "a bit that belongs to no byte, of two", "Zm9" },
    { "more than there is room for", "Zm9vYmFy" },
};

static void whatever_has_a_second_form_is_refused(void **state)
{
    uint8_t bytes[5];
    size_t  n = 77;

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        assert_case(refusals[i].says,
                    !wm_base64url_decode(refusals[i].text, strlen(refusals[i].text), bytes, sizeof bytes, &n));
    assert_int_equal(n, 77);
}

static void every_pair_of_bytes_comes_back(void **state)
{
    uint8_t in[2], out[2];
    char    text[4];
    size_t  n;

    (void)state;
    for (int v = 0; v < 65536; v++) {
        in[0] = (uint8_t)(v >> 8);
        in[1] = (uint8_t)v;
        wm_base64url_encode(in, 2, text);
        assert_true(wm_base64url_decode(text, 3, out, 2, &n) && n == 2 && memcmp(in, out, 2) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_hold_both_ways),
        cmocka_unit_test(whatever_has_a_second_form_is_refused),
        cmocka_unit_test(every_pair_of_bytes_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
