/* tests/fuzz/fuzz_identity.c
 *
 * What makes a gateway: identity.pem and next.key as they lie in its folder, and a certificate as the office answers an
 * enrolment. The bytes are PEM text with a key, a chain and a root; the first byte says at which of the three doors they
 * come in. Whatever is taken goes together: key, chain, root and name. */
#include "common/crypto/enrolment.h"

#include "tests/fuzz/memory_files.h"

static void take_identity(const wm_files *files)
{
    wm_identity identity = { .key = NULL }, again = { .key = NULL };
    wm_key     *next = NULL;
    wm_digest   before, after;
    wm_error    err = { WM_OK, "" };
    wm_status   st = wm_identity_load(files, "folder", &identity, &err);

    if (st != WM_OK) {
        must(st == WM_E_DAMAGED || st == WM_E_RANGE);
        must(identity.key == NULL && err.text[0] != '\0');
        return;
    }
    must(wm_gateway_name_ok(identity.facts.name) && identity.facts.for_gateway && !identity.facts.for_server);
    must(wm_identity_next_key(&identity, files, "folder", &next, &err) == WM_OK);
    must(wm_key_digest(next, &after, &err) == WM_OK && !wm_digest_equal(&after, &identity.facts.key));
    wm_key_free(next);
    before = identity.facts.digest;
    must(wm_identity_save(&identity, files, "folder", &err) == WM_OK);
    must(wm_identity_load(files, "folder", &again, &err) == WM_OK && wm_digest_equal(&before, &again.facts.digest));
    wm_identity_release(&identity);
    wm_identity_release(&again);
}

static void take_next_key(const wm_files *files)
{
    wm_key  *next = NULL, *again = NULL;
    wm_error err;

    must(wm_identity_next_key(NULL, files, "folder", &next, &err) == WM_OK && wm_key_check(next, &err) == WM_OK);
    must(wm_identity_next_key(NULL, files, "folder", &again, &err) == WM_OK);
    wm_key_free(next);
    wm_key_free(again);
}

/* The text is the key that asked, and the answer's chain and root. */
static void take_answer(const uint8_t *pem, size_t n)
{
    Wm__Certificate answer = WM__CERTIFICATE__INIT;
    wm_key         *key = NULL;
    wm_chain       *chain = NULL;
    wm_identity     identity = { .key = NULL };
    wm_digest       root;
    wm_certificate *last;
    wm_error        err = { WM_OK, "" };

    if (wm_key_decode(pem, n, &key, &err) != WM_OK || wm_chain_decode(pem, n, &chain, &err) != WM_OK)
        goto out;
    last = wm_chain_take_last(chain);
    if (wm_certificate_digest(last, &root, &err) == WM_OK) {
        answer.chain = answer.root = (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)pem };
        if (wm_identity_accept(&answer, key, "north", &root, &identity, &err) == WM_OK) {
            key = NULL;
            must(strcmp(identity.facts.name, "north") == 0 && wm_identity_check(&identity, &err) == WM_OK);
            wm_identity_release(&identity);
        } else {
            must(identity.key == NULL && err.text[0] != '\0');
        }
    }
    wm_certificate_free(last);
out:
    wm_chain_free(chain);
    wm_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker        from = { bytes, n };
    uint64_t     door = take_number(&from, 1) % 3;
    uint8_t     *pem = take_copy(&from);
    memory_files folder;

    memory_files_init(&folder);
    if (door == 0) {
        memory_files_put(&folder, "identity.pem", &from);
        memory_files_put(&folder, "next.key", &from);
        take_identity(&folder.files);
    } else if (door == 1) {
        memory_files_put(&folder, "next.key", &from);
        take_next_key(&folder.files);
    } else {
        take_answer(pem, from.n);
    }
    memory_files_release(&folder);
    free(pem);
    return 0;
}
