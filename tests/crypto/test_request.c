/* tests/crypto/test_request.c */
#include "tests/unit.h"

#include "common/crypto/request.h"

#include <openssl/evp.h>

static void a_request_gives_back_the_key_that_signed_it(void **state)
{
    wm_key   *key, *back;
    wm_digest a, b;
    uint8_t  *bytes;
    size_t    n;
    wm_error  err;

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_request_make(key, &bytes, &n, &err), &err);
    assert_true(n < 300);
    assert_ok(wm_request_read(bytes, n, &back, &err), &err);
    assert_ok(wm_key_digest(key, &a, &err), &err);
    assert_ok(wm_key_digest(back, &b, &err), &err);
    assert_true(wm_digest_equal(&a, &b));
    wm_key_free(back);
    wm_key_free(key);
    free(bytes);
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    wm_key  *key, *back;
    uint8_t *bytes, *cut;
    size_t   n;
    wm_error err;

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_request_make(key, &bytes, &n, &err), &err);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (wm_request_read(bytes, n, &back, &err) == WM_OK)
            fail_msg("bit %zu of byte %zu makes no difference", bit % 8, bit / 8);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t k = 0; k < n; k++) {
        cut = malloc(k > 0 ? k : 1); /* exactly as long, so that the sanitizer sees a step too far */
        memcpy(cut, bytes, k);
        assert_int_equal(wm_request_read(cut, k, &back, &err), WM_E_MALFORMED);
        free(cut);
    }
    wm_key_free(key);
    free(bytes);
}

static void foreign_kinds_of_key_and_long_requests_are_refused(void **state)
{
    wm_key  *keys[] = { EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048) };
    wm_key  *back, *key;
    uint8_t *bytes, big[WM_REQUEST_BYTES + 1] = { 0x30 };
    size_t   n;
    wm_error err;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_ok(wm_request_make(keys[i], &bytes, &n, &err), &err);
        assert_int_equal(wm_request_read(bytes, n, &back, &err), WM_E_INVALID);
        free(bytes);
        wm_key_free(keys[i]);
    }
    assert_int_equal(wm_request_read(big, sizeof big, &back, &err), WM_E_RANGE);
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_request_make(key, &bytes, &n, &err), &err);
    memcpy(big, bytes, n); /* something after it */
    assert_int_equal(wm_request_read(big, n + 1, &back, &err), WM_E_MALFORMED);
    free(bytes);
    wm_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_gives_back_the_key_that_signed_it),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_refused),
        cmocka_unit_test(foreign_kinds_of_key_and_long_requests_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
