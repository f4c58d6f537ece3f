/* server/issuer/renewal.c
 *
 * RENEW, and its late form inside ENROL: a certificate for a certificate. Whoever asks proves the old key by a signature
 * over the new request, so that neither the aggregator nor somebody who has only seen the certificate can ask. A
 * certificate is renewed once: a second key that asks for the same is a copy of the first, and that is said. */
#include "server/issuer/issuing.h"

#include "common/crypto/chain.h"
#include "common/crypto/enrolment.h"

#include <string.h>

/* Whether the holder of `old` is still somebody to whom we would give a new one. */
static wm_status check_renewable(wm_issuing *x, const wm_certificate_record *old)
{
    bool      barred = true;
    char      end[WM_TIME_TEXT];
    int64_t   life = old->not_after_ms - old->not_before_ms;
    wm_status st = wm_issuer_store_is_revoked(x->issuer->store, old->name, &barred, &x->err);

    if (st != WM_OK)
        return st;
    if (old->purpose != WM_PURPOSE_GATEWAY)
        return wm_refuse(x, WM_E_UNTRUSTED, WM_HEARS_RENEWAL,
                         "a certificate that is no gateway's asks to be renewed");
    if (barred || old->revoked)
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_RENEWAL, "\"%s\" was revoked and asks for a renewal", old->name);
    if (x->now_ms > old->not_after_ms + x->issuer->settings.late_ms)
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_RENEWAL,
                         "the certificate of \"%s\" has ended at %s, too long ago to be renewed: it needs a token",
                         old->name, wm_time_text(old->not_after_ms, end));
    /* Due at half; a third leaves room for clocks, and keeps a gateway from filling the store. */
    if (old->next.size == 0 && x->now_ms < old->not_before_ms + life / 3) {
        x->come_back_ms = old->not_before_ms + life / 2 - x->now_ms;
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_EARLY,
                         "\"%s\" asks for a renewal before half of its certificate's life", old->name);
    }
    return WM_OK;
}

/* The old key has signed the request: whoever asks has it. */
static wm_status check_proof(wm_issuing *x, const wm_certificate_record *old, const ProtobufCBinaryData *request,
                             const ProtobufCBinaryData *proof)
{
    wm_chain *chain = NULL;
    wm_key   *key = NULL;
    wm_status st;

    if (old->chain == NULL)
        return wm_refuse(x, WM_E_MISSING, WM_HEARS_RENEWAL, "the certificate of \"%s\" is too old to be renewed",
                         old->name);
    st = wm_chain_decode(old->chain, strlen(old->chain), &chain, &x->err);
    if (st == WM_OK)
        st = wm_certificate_key(wm_chain_at(chain, 0), &key, &x->err);
    if (st == WM_OK)
        st = wm_key_verify(key, WM_RENEWAL_CONTEXT, request->data, request->len, proof->data, proof->len, &x->err);
    wm_key_free(key);
    wm_chain_free(chain);
    if (st == WM_E_UNTRUSTED)
        return wm_refuse(x, st, WM_HEARS_RENEWAL, "the renewal of \"%s\" is not proved by its old key", old->name);
    return st == WM_OK ? WM_OK : wm_refuse_as(x, st, WM_HEARS_TROUBLE);
}

/* It was renewed before: the same key gets the same answer, another one is somebody with a copy of the old key. */
static wm_status renew_again(wm_issuing *x, const wm_certificate_record *old, const wm_digest *key)
{
    wm_certificate_record next;
    wm_status             st = wm_issuer_store_certificate(x->issuer->store, &old->next, &next, &x->err);

    if (st != WM_OK)
        return wm_refuse_as(x, st, WM_HEARS_TROUBLE);
    if (wm_digest_equal(&next.key, key))
        st = wm_give_certificate(x, &next);
    else
        st = wm_refuse(
            x, WM_E_EXISTS, WM_HEARS_RENEWAL,
            "the certificate of \"%s\" was renewed before with another key: if that was not this gateway, its "
            "key was copied: revoke it",
            old->name);
    wm_certificate_record_release(&next);
    return st;
}

static wm_status renew(wm_issuing *x, const wm_certificate_record *old, const ProtobufCBinaryData *request,
                       const ProtobufCBinaryData *proof)
{
    wm_certificate_record record = { .chain = NULL };
    const char *const     name = old->name;
    wm_key               *key = NULL;
    wm_digest             digest;
    wm_status             st = check_renewable(x, old);

    if (st == WM_OK)
        st = check_proof(x, old, request, proof);
    if (st == WM_OK)
        st = wm_take_request(x, request, &key, &digest);
    if (st != WM_OK)
        return st;
    if (wm_digest_equal(&digest, &old->key)) {
        st = wm_refuse(x, WM_E_INVALID, WM_HEARS_RENEWAL, "\"%s\" asks for a renewal with its old key", old->name);
        goto out;
    }
    if (old->next.size > 0) {
        st = renew_again(x, old, &digest);
        goto out;
    }
    st = wm_make_certificate(x, key, WM_PURPOSE_GATEWAY, &name, 1, &record);
    if (st != WM_OK)
        goto out;
    st = wm_issuer_store_renew(x->issuer->store, &old->serial, &record, x->now_ms - x->issuer->settings.late_ms,
                               &x->err);
    if (st != WM_OK)
        goto out;
    wm_done(x, "certificate renewed", record.name, &record.serial);
    st = wm_give_certificate(x, &record);
out:
    wm_certificate_record_release(&record);
    wm_key_free(key);
    return st;
}

wm_status wm_issuing_renew(wm_issuing *x)
{
    wm_certificate_record old;
    wm_serial             serial;
    wm_status             st;

    if (!wm_take_serial(&x->ask->serial, &serial))
        return wm_refuse(x, WM_E_MALFORMED, WM_HEARS_REQUEST, "a renewal without the serial of a certificate");
    st = wm_issuer_store_certificate(x->issuer->store, &serial, &old, &x->err);
    if (st == WM_E_MISSING)
        return wm_refuse(x, st, WM_HEARS_RENEWAL,
                         "\"%.63s\" asks for the renewal of a certificate that is not ours", x->ask->name);
    if (st != WM_OK)
        return st;
    if (strcmp(old.name, x->ask->name) != 0)
        st = wm_refuse(x, WM_E_UNTRUSTED, WM_HEARS_RENEWAL, "the certificate is of \"%s\", not of \"%.63s\"",
                       old.name, x->ask->name);
    else
        st = renew(x, &old, &x->ask->request, &x->ask->proof);
    wm_certificate_record_release(&old);
    return st;
}

/* The certificate that a latecomer presents, found again in our store; it must be the very same. */
static wm_status find_presented(wm_issuing *x, const Wm__Enrol *enrol, wm_certificate_record *ret)
{
    wm_chain_rule        rule = { .root = x->issuer->root, .purpose = WM_PURPOSE_GATEWAY, .ignore_dates = true };
    wm_chain            *chain = NULL, *full = NULL;
    wm_certificate_facts facts;
    wm_status st = wm_chain_decode(enrol->old_certificate.data, enrol->old_certificate.len, &chain, &x->err);

    if (st != WM_OK)
        return wm_refuse_as(x, st, WM_HEARS_REQUEST);
    st = wm_chain_of((wm_certificate *const[]){ wm_chain_at(chain, 0), x->issuer->authority.certificate }, 2, &full,
                     &x->err);
    if (st == WM_OK)
        st = wm_chain_check(full, &rule, &facts, &x->err);
    wm_chain_free(full);
    wm_chain_free(chain);
    if (st != WM_OK)
        return wm_refuse_as(x, st, WM_HEARS_RENEWAL);
    st = wm_issuer_store_certificate(x->issuer->store, &facts.serial, ret, &x->err);
    if (st == WM_E_MISSING)
        return wm_refuse(x, st, WM_HEARS_RENEWAL,
                         "a certificate of \"%s\" is ours and not in the store: was a backup restored?",
                         facts.name);
    if (st == WM_OK && (!wm_digest_equal(&ret->key, &facts.key) || strcmp(ret->name, facts.name) != 0)) {
        wm_certificate_record_release(ret);
        return wm_refuse(x, WM_E_UNTRUSTED, WM_HEARS_RENEWAL,
                         "a certificate of \"%s\" is not the one with its serial", facts.name);
    }
    return st;
}

wm_status wm_issuing_renew_late(wm_issuing *x, const Wm__Enrol *enrol)
{
    wm_certificate_record old;
    wm_status             st = find_presented(x, enrol, &old);

    if (st != WM_OK)
        return st;
    st = renew(x, &old, &enrol->request, &enrol->proof);
    wm_certificate_record_release(&old);
    return st;
}
