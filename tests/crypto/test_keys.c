/* tests/crypto/test_keys.c */
#include "tests/unit.h"

#include "common/crypto/keys.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

static void a_key_comes_back_from_its_file_and_only_its_owner_may_read_it(void **state)
{
    const wm_files *files = wm_files_system();
    char            folder[4096], *path;
    wm_key         *key, *again;
    wm_digest       a, b;
    struct stat     info;
    wm_error        err;

    (void)state;
    path = wm_path_join(wm_test_folder(folder), "some.key");
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_key_save(key, files, path, &err), &err);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(wm_key_load(files, path, &again, &err), &err);
    assert_ok(wm_key_digest(key, &a, &err), &err);
    assert_ok(wm_key_digest(again, &b, &err), &err);
    assert_true(wm_digest_equal(&a, &b));
    wm_key_free(key);
    wm_key_free(again);
    assert_int_equal(wm_key_load(files, folder, &again, &err), WM_E_IO);
    assert_ok(wm_folder_remove(folder, &err), &err);
    assert_int_equal(wm_key_load(files, path, &again, &err), WM_E_MISSING);
    free(path);
}

/* The key of RFC 6979, A.2.5 (P-256), in the form of RFC 5915. */
static const char rfc6979_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                                  "MHcCAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49\n"
                                  "AwEHoUQDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A/4QCLi8\n"
                                  "maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
                                  "-----END EC PRIVATE KEY-----\n";

static void what_is_not_a_p256_key_in_the_clear_is_refused(void **state)
{
    char    *encrypted = NULL;
    wm_key  *p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    wm_key  *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), *key;
    BIO     *bio = BIO_new(BIO_s_mem());
    wm_error err;
    long     n;
    char    *pem;
    size_t   n_pem;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_ok(wm_key_encode(i == 0 ? p384 : i == 1 ? ed : rsa, &pem, &n_pem, &err), &err);
        assert_int_equal(wm_key_decode(pem, n_pem, &key, &err), WM_E_INVALID);
        wm_secret_free(pem, n_pem);
    }
    assert_ok(wm_key_new(&key, &err), &err);
    assert_int_equal(
        PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), (unsigned char[]){ "secret" }, 6, NULL, NULL), 1);
    wm_key_free(key);
    n = BIO_get_mem_data(bio, &encrypted);
    assert_int_equal(wm_key_decode(encrypted, (size_t)n, &key, &err), WM_E_MALFORMED);
    assert_int_equal(wm_key_decode("", 0, &key, &err), WM_E_MALFORMED);
    assert_int_equal(wm_key_decode("garbage", 7, &key, &err), WM_E_MALFORMED);
    for (size_t cut = 0; cut + 34 < sizeof rfc6979_key; cut++)
        assert_int_equal(wm_key_decode(rfc6979_key, cut, &key, &err), WM_E_MALFORMED);
    BIO_free(bio);
    wm_key_free(p384);
    wm_key_free(ed);
    wm_key_free(rsa);
}

static void a_file_that_holds_no_key_of_ours_is_named(void **state)
{
    const wm_files *files = wm_files_system();
    char            folder[4096], *path = wm_path_join(wm_test_folder(folder), "some.key"), *pem;
    char            large[40 * 1024];
    wm_key         *p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), *key = NULL;
    size_t          n;
    wm_error        err;

    (void)state;
    assert_ok(files->replace(files, path, rfc6979_key, sizeof rfc6979_key / 2, 0600, &err), &err);
    assert_int_equal(wm_key_load(files, path, &key, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "some.key is damaged, put it back from a backup"));
    assert_ok(wm_key_encode(p384, &pem, &n, &err), &err);
    assert_ok(files->replace(files, path, pem, n, 0600, &err), &err);
    assert_int_equal(wm_key_load(files, path, &key, &err), WM_E_INVALID);
    assert_non_null(strstr(err.text, "some.key: the key is not of the named curve P-256"));
    memset(large, '-', sizeof large);
    assert_ok(files->replace(files, path, large, sizeof large, 0600, &err), &err);
    assert_int_equal(wm_key_load(files, path, &key, &err), WM_E_RANGE);
    assert_int_equal(wm_key_decode(large, sizeof large, &key, &err), WM_E_RANGE);
    assert_null(key);
    wm_secret_free(pem, n);
    wm_key_free(p384);
    free(path);
    wm_folder_remove(folder, NULL);
}

/* RFC 6979, A.2.5: the signature of "sample" with SHA-256, as DER. */
static void the_signature_of_rfc_6979_holds(void **state)
{
    static const uint8_t signature[] = {
        0x30, 0x46, 0x02, 0x21, 0x00, 0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd, 0x9c, 0xd4,
        0x5e, 0x81, 0xd6, 0x9d, 0x2c, 0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d, 0x0e, 0xa8, 0x4e, 0xaf, 0x37,
        0x16, 0x02, 0x21, 0x00, 0xf7, 0xcb, 0x1c, 0x94, 0x2d, 0x65, 0x7c, 0x41, 0xd4, 0x36, 0xc7, 0xa1, 0xb6, 0xe2,
        0x9f, 0x65, 0xf3, 0xe9, 0x00, 0xdb, 0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8,
    };
    wm_key  *key;
    wm_error err;

    (void)state;
    assert_ok(wm_key_decode(rfc6979_key, sizeof rfc6979_key - 1, &key, &err), &err);
    assert_ok(wm_key_verify(key, "", "sample", 6, signature, sizeof signature, &err), &err);
    assert_ok(wm_key_verify(key, "sam", "ple", 3, signature, sizeof signature, &err), &err);
    assert_int_equal(wm_key_verify(key, "", "simple", 6, signature, sizeof signature, &err), WM_E_UNTRUSTED);
    wm_key_free(key);
}

static void a_signature_holds_for_its_key_context_and_bytes_only(void **state)
{
    wm_key      *key, *other;
    wm_signature signature;
    wm_error     err;

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_key_new(&other, &err), &err);
    assert_ok(wm_key_sign(key, "renewal", "bytes", 5, &signature, &err), &err);
    assert_ok(wm_key_verify(key, "renewal", "bytes", 5, signature.bytes, signature.size, &err), &err);
    assert_int_equal(wm_key_verify(other, "renewal", "bytes", 5, signature.bytes, signature.size, &err),
                     WM_E_UNTRUSTED);
    assert_int_equal(wm_key_verify(key, "revival", "bytes", 5, signature.bytes, signature.size, &err),
                     WM_E_UNTRUSTED);
    assert_int_equal(wm_key_verify(key, "renewal", "byte", 4, signature.bytes, signature.size, &err),
                     WM_E_UNTRUSTED);
    for (size_t n = 0; n < signature.size; n++)
        assert_int_equal(wm_key_verify(key, "renewal", "bytes", 5, signature.bytes, n, &err), WM_E_UNTRUSTED);
    for (size_t i = 0; i < signature.size; i++) {
        signature.bytes[i] ^= 1;
        assert_int_equal(wm_key_verify(key, "renewal", "bytes", 5, signature.bytes, signature.size, &err),
                         WM_E_UNTRUSTED);
        signature.bytes[i] ^= 1;
    }
    wm_key_free(key);
    wm_key_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_back_from_its_file_and_only_its_owner_may_read_it),
        cmocka_unit_test(what_is_not_a_p256_key_in_the_clear_is_refused),
        cmocka_unit_test(a_file_that_holds_no_key_of_ours_is_named),
        cmocka_unit_test(the_signature_of_rfc_6979_holds),
        cmocka_unit_test(a_signature_holds_for_its_key_context_and_bytes_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
