/* common/crypto/identity.c */
#include "common/crypto/identity.h"

#include "common/crash.h"

#include <stdlib.h>
#include <string.h>

#define IDENTITY_FILE "identity.pem"
#define NEXT_KEY_FILE "next.key"

void wm_identity_release(wm_identity *identity)
{
    wm_key_free(identity->key);
    wm_chain_free(identity->chain);
    wm_certificate_free(identity->root);
    *identity = (wm_identity){ .key = NULL };
}

bool wm_renewal_due(const wm_certificate_facts *facts, int64_t wall_ms)
{
    return wall_ms >= facts->not_before_ms + (facts->not_after_ms - facts->not_before_ms) / 2;
}

wm_status wm_identity_check(wm_identity *identity, wm_error *err)
{
    wm_chain_rule        rule = { .root = identity->root, .purpose = WM_PURPOSE_GATEWAY, .ignore_dates = true };
    wm_certificate_facts facts;
    wm_digest            key;
    wm_status            st = wm_chain_check(identity->chain, &rule, &facts, err);

    if (st == WM_OK)
        st = wm_key_digest(identity->key, &key, err);
    if (st != WM_OK)
        return st;
    if (!wm_digest_equal(&key, &facts.key))
        return wm_fail(err, WM_E_UNTRUSTED, "the certificate of \"%s\" is for another key", facts.name);
    identity->facts = facts;
    return WM_OK;
}

/* The last certificate of the file is the root; what is before it is the chain. */
static wm_status split_root(wm_identity *identity, wm_error *err)
{
    size_t n = wm_chain_size(identity->chain);

    if (n < 2)
        return wm_fail(err, WM_E_DAMAGED, "there is no root certificate in it");
    identity->root = wm_chain_take_last(identity->chain);
    return WM_OK;
}

static wm_status parse(const uint8_t *pem, size_t n, wm_identity *identity, wm_error *err)
{
    wm_status st = wm_key_decode(pem, n, &identity->key, err);

    if (st == WM_OK)
        st = wm_chain_decode(pem, n, &identity->chain, err);
    if (st == WM_OK)
        st = split_root(identity, err);
    return st == WM_OK ? wm_identity_check(identity, err) : st;
}

wm_status wm_identity_load(const wm_files *files, const char *folder, wm_identity *ret, wm_error *err)
{
    wm_identity identity = { .key = NULL };
    char       *path = wm_path_join(folder, IDENTITY_FILE);
    uint8_t    *pem = NULL;
    size_t      n = 0;
    wm_status   st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    st = files->read(files, path, WM_CHAIN_BYTES, &pem, &n, err);
    if (st == WM_E_MISSING)
        wm_fail(err, st, "%s is not there: enrol this gateway first, with `wardmote-client enroll %s --token FILE`",
                path, folder);
    if (st != WM_OK)
        goto out;
    st = parse(pem, n, &identity, err);
    if (st == WM_OK)
        *ret = identity;
    else {
        wm_error_prefix(err, "%s is damaged, put it back from a backup or remove it and enrol anew", path);
        wm_identity_release(&identity);
        if (st != WM_E_NOMEM)
            st = WM_E_DAMAGED;
        if (err != NULL)
            err->status = st;
    }
out:
    wm_secret_free(pem, n);
    free(path);
    return st;
}

/* Key, chain and root as one text, to be given to wm_secret_free. */
static wm_status compose(const wm_identity *identity, char **ret, size_t *n, wm_error *err)
{
    char     *key = NULL, *chain = NULL, *root = NULL, *all;
    size_t    n_key = 0, n_chain = 0, n_root = 0;
    wm_chain *root_chain = NULL;
    wm_status st = wm_key_encode(identity->key, &key, &n_key, err);

    if (st == WM_OK)
        st = wm_chain_encode(identity->chain, &chain, &n_chain, err);
    if (st == WM_OK)
        st = wm_chain_of(&identity->root, 1, &root_chain, err);
    if (st == WM_OK)
        st = wm_chain_encode(root_chain, &root, &n_root, err);
    if (st != WM_OK)
        goto out;
    all = malloc(n_key + n_chain + n_root);
    if (all == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for an identity");
        goto out;
    }
    memcpy(all, key, n_key);
    memcpy(all + n_key, chain, n_chain);
    memcpy(all + n_key + n_chain, root, n_root);
    *ret = all;
    *n = n_key + n_chain + n_root;
out:
    wm_secret_free(key, n_key);
    free(chain);
    free(root);
    wm_chain_free(root_chain);
    return st;
}

wm_status wm_identity_save(const wm_identity *identity, const wm_files *files, const char *folder, wm_error *err)
{
    char     *path = wm_path_join(folder, IDENTITY_FILE), *next = wm_path_join(folder, NEXT_KEY_FILE);
    char     *pem = NULL;
    size_t    n = 0;
    wm_status st;

    if (path == NULL || next == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
        goto out;
    }
    st = compose(identity, &pem, &n, err);
    if (st != WM_OK)
        goto out;
    wm_crash_point("identity-before-save");
    st = files->replace(files, path, pem, n, 0600, err);
    wm_crash_point("identity-after-save");
    if (st == WM_OK)
        st = files->remove(files, next, err);
out:
    wm_secret_free(pem, n);
    free(path);
    free(next);
    return st;
}

/* WM_E_EXISTS: the key of the file is the one in use already. */
static wm_status load_next(const wm_identity *now, const wm_files *files, const char *path, wm_key **ret,
                           wm_error *err)
{
    wm_key   *key;
    wm_digest digest;
    wm_status st = wm_key_load(files, path, &key, err);

    if (st != WM_OK)
        return st;
    st = wm_key_digest(key, &digest, err);
    if (st == WM_OK && now != NULL && wm_digest_equal(&digest, &now->facts.key))
        st = wm_fail(err, WM_E_EXISTS, "%s is in use", path);
    if (st == WM_OK)
        *ret = key;
    else
        wm_key_free(key);
    return st;
}

wm_status wm_identity_next_key(const wm_identity *now, const wm_files *files, const char *folder, wm_key **ret,
                               wm_error *err)
{
    char     *path = wm_path_join(folder, NEXT_KEY_FILE);
    wm_key   *key;
    wm_status st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    st = load_next(now, files, path, ret, err);
    /* A damaged one, or one that is no key of ours, is no loss: no certificate can have come for it that is not in the
     * identity. */
    if (st != WM_E_MISSING && st != WM_E_EXISTS && st != WM_E_MALFORMED && st != WM_E_INVALID && st != WM_E_RANGE)
        goto out;
    st = wm_key_new(&key, err);
    if (st != WM_OK)
        goto out;
    wm_crash_point("next-key-before-save");
    st = wm_key_save(key, files, path, err);
    wm_crash_point("next-key-after-save");
    if (st == WM_OK)
        *ret = key;
    else
        wm_key_free(key);
out:
    free(path);
    return st;
}
