/* common/crypto/enrolment.c */
#include "common/crypto/enrolment.h"

#include "common/crypto/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* protobuf-c's free uses free(), so its fields may come from malloc. */
static bool copy_bytes(ProtobufCBinaryData *to, const void *bytes, size_t n)
{
    assert(n > 0);
    to->data = malloc(n);
    if (to->data == NULL)
        return false;
    memcpy(to->data, bytes, n);
    to->len = n;
    return true;
}

/* A request by `next`, and its proof by `old`. */
static wm_status request_and_proof(wm_key *next, wm_key *old, ProtobufCBinaryData *request,
                                   ProtobufCBinaryData *proof, wm_error *err)
{
    wm_signature signature;
    wm_status    st = wm_request_make(next, &request->data, &request->len, err);

    if (st == WM_OK)
        st = wm_key_sign(old, WM_RENEWAL_CONTEXT, request->data, request->len, &signature, err);
    if (st == WM_OK && !copy_bytes(proof, signature.bytes, signature.size))
        st = wm_fail(err, WM_E_NOMEM, "no memory for a renewal");
    return st;
}

static Wm__Enrol *new_enrol(void)
{
    Wm__Enrol *message = malloc(sizeof *message);

    if (message != NULL)
        wm__enrol__init(message);
    return message;
}

wm_status wm_enrol_message(const wm_token *token, wm_key *key, Wm__Enrol **ret, wm_error *err)
{
    Wm__Enrol *message = new_enrol();
    char      *name = strdup(token->name);
    wm_status  st;

    if (message == NULL || name == NULL) {
        free(name);
        wm_enrol_message_free(message);
        return wm_fail(err, WM_E_NOMEM, "no memory for an enrolment");
    }
    message->name = name;
    if (!copy_bytes(&message->token_id, token->id, sizeof token->id) ||
        !copy_bytes(&message->secret, token->secret, sizeof token->secret))
        st = wm_fail(err, WM_E_NOMEM, "no memory for an enrolment");
    else
        st = wm_request_make(key, &message->request.data, &message->request.len, err);
    if (st == WM_OK)
        *ret = message;
    else
        wm_enrol_message_free(message);
    return st;
}

wm_status wm_enrol_late_message(const wm_identity *old, wm_key *next, Wm__Enrol **ret, wm_error *err)
{
    Wm__Enrol      *message = new_enrol();
    wm_certificate *certificate = wm_chain_at(old->chain, 0);
    char           *name = strdup(old->facts.name), *pem = NULL;
    wm_chain       *chain = NULL;
    wm_status       st;

    if (message == NULL || name == NULL) {
        free(name);
        wm_enrol_message_free(message);
        return wm_fail(err, WM_E_NOMEM, "no memory for a renewal");
    }
    message->name = name;
    st = wm_chain_of(&certificate, 1, &chain, err);
    if (st == WM_OK)
        st = wm_chain_encode(chain, &pem, &message->old_certificate.len, err);
    message->old_certificate.data = (uint8_t *)pem;
    if (st == WM_OK)
        st = request_and_proof(next, old->key, &message->request, &message->proof, err);
    wm_chain_free(chain);
    if (st == WM_OK)
        *ret = message;
    else
        wm_enrol_message_free(message);
    return st;
}

void wm_enrol_message_free(Wm__Enrol *message)
{
    if (message == NULL)
        return;
    wm_secret_wipe(message->secret.data, message->secret.len);
    wm__enrol__free_unpacked(message, NULL);
}

wm_status wm_renew_message(const wm_identity *old, wm_key *next, Wm__Renew **ret, wm_error *err)
{
    Wm__Renew *message = malloc(sizeof *message);
    wm_status  st;

    if (message == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a renewal");
    wm__renew__init(message);
    st = request_and_proof(next, old->key, &message->request, &message->proof, err);
    if (st == WM_OK)
        *ret = message;
    else
        wm_renew_message_free(message);
    return st;
}

void wm_renew_message_free(Wm__Renew *message)
{
    wm__renew__free_unpacked(message, NULL);
}

static wm_status check_accepted(const Wm__Certificate *answer, const char *name, const wm_digest *root,
                                wm_identity *identity, wm_error *err)
{
    wm_chain_rule rule = { .root = identity->root,
                           .purpose = WM_PURPOSE_GATEWAY,
                           .name = name,
                           .wall_ms = (int64_t)answer->server_time_ms,
                           .ignore_dates = answer->server_time_ms == 0 };
    wm_digest     digest;
    wm_status     st = wm_certificate_digest(identity->root, &digest, err);

    if (st != WM_OK)
        return st;
    if (!wm_digest_equal(&digest, root))
        return wm_fail(err, WM_E_UNTRUSTED, "the answer brings another root certificate than the one expected");
    if (answer->server_time_ms > INT64_MAX / 2)
        return wm_fail(err, WM_E_MALFORMED, "the answer brings a time that cannot be");
    st = wm_chain_check(identity->chain, &rule, NULL, err);
    return st == WM_OK ? wm_identity_check(identity, err) : st;
}

wm_status wm_identity_accept(const Wm__Certificate *answer, wm_key *key, const char *name, const wm_digest *root,
                             wm_identity *ret, wm_error *err)
{
    wm_identity identity = { .key = NULL };
    wm_chain   *roots = NULL;
    wm_status   st = wm_chain_decode(answer->chain.data, answer->chain.len, &identity.chain, err);

    if (st == WM_OK)
        st = wm_chain_decode(answer->root.data, answer->root.len, &roots, err);
    if (st != WM_OK)
        goto out;
    identity.root = wm_chain_take_last(roots);
    identity.key = key;
    st = check_accepted(answer, name, root, &identity, err);
    if (st == WM_OK) {
        *ret = identity;
        identity = (wm_identity){ .key = NULL };
    } else
        wm_error_prefix(err, "the certificate that came is not kept");
out:
    identity.key = NULL; /* the caller keeps it when this fails */
    wm_identity_release(&identity);
    wm_chain_free(roots);
    return st;
}
