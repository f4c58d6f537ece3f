/* server/issuer/joining.c
 *
 * TOKEN and ENROL: how a name gets its first certificate. A token is made for a name and lives for minutes; only the
 * hash of its secret is kept. Spending it and issuing the certificate are one transaction, whose own guard decides who
 * was first. */
#include "server/issuer/issuing.h"

#include <string.h>

#define TOKEN_LIFE_MAX_MS (7 * WM_DAY_MS)

static wm_status fill_token(wm_issuing *x, wm_token *token)
{
    wm_status st;

    if (x->ask->n_names < 1 || x->ask->n_names > WM_TOKEN_ADDRESSES)
        return wm_refuse(x, WM_E_INVALID, WM_HEARS_REQUEST, "a token names 1 to %d addresses (host:port), not %zu",
                         WM_TOKEN_ADDRESSES, x->ask->n_names);
    for (size_t i = 0; i < x->ask->n_names; i++) {
        if (strlen(x->ask->names[i]) >= WM_ADDRESS_TEXT)
            return wm_refuse(x, WM_E_INVALID, WM_HEARS_REQUEST, "the address \"%.40s...\" is too long",
                             x->ask->names[i]);
        strcpy(token->addresses[i], x->ask->names[i]);
    }
    token->n_addresses = x->ask->n_names;
    strcpy(token->name, x->ask->name);
    st = wm_certificate_digest(x->issuer->root, &token->root, &x->err);
    if (st == WM_OK)
        st = wm_secret_draw(token->id, sizeof token->id, &x->err);
    if (st == WM_OK)
        st = wm_secret_draw(token->secret, sizeof token->secret, &x->err);
    return st == WM_OK ? WM_OK : wm_refuse_as(x, st, WM_HEARS_TROUBLE);
}

wm_status wm_issuing_token(wm_issuing *x)
{
    wm_token        token = { .n_addresses = 0 };
    wm_token_record record = { .made_ms = x->now_ms };
    char            text[WM_TOKEN_TEXT] = "";
    bool            revoked = false;
    int64_t         life = x->ask->ttl_ms > 0 && x->ask->ttl_ms <= (uint64_t)TOKEN_LIFE_MAX_MS
                               ? (int64_t)x->ask->ttl_ms
                               : x->issuer->settings.token_life_ms;
    wm_status       st = wm_gateway_name_check(x->ask->name, &x->err);

    if (st != WM_OK)
        return wm_refuse_as(x, st, WM_HEARS_REQUEST);
    if (x->ask->ttl_ms > (uint64_t)TOKEN_LIFE_MAX_MS)
        return wm_refuse(x, WM_E_RANGE, WM_HEARS_REQUEST, "a token lives for at most 7 days");
    st = wm_issuer_store_is_revoked(x->issuer->store, x->ask->name, &revoked, &x->err);
    if (st != WM_OK)
        return st;
    if (revoked)
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_TOKEN,
                         "\"%s\" was revoked for good: give the gateway another name", x->ask->name);
    st = fill_token(x, &token);
    if (st == WM_OK)
        st = wm_token_encode(&token, text, &x->err);
    if (st != WM_OK)
        goto out;
    memcpy(record.id, token.id, sizeof record.id);
    strcpy(record.name, token.name);
    record.secret = wm_sha256_of(token.secret, sizeof token.secret);
    record.ends_ms = x->now_ms + life;
    st = wm_issuer_store_add_token(x->issuer->store, &record, x->now_ms - WM_DAY_MS, &x->err);
    if (st != WM_OK)
        goto out;
    wm_done(x, "token made", token.name, NULL);
    x->reply->not_after_ms = (uint64_t)record.ends_ms;
    if (!wm_put_text(&x->reply->text, text) || !wm_put_text(&x->reply->name, token.name))
        st = wm_refuse(x, WM_E_NOMEM, WM_HEARS_TROUBLE, "no memory for an answer");
out:
    wm_token_wipe(&token);
    wm_secret_wipe(text, sizeof text);
    return st;
}

/* Finds the token and compares all that must be right whatever its state. */
static wm_status find_token(wm_issuing *x, const Wm__Enrol *enrol, wm_token_record *ret)
{
    bool      revoked = true;
    wm_digest secret;
    wm_status st;

    if (enrol->token_id.len != WM_TOKEN_ID_SIZE || enrol->secret.len != WM_TOKEN_SECRET_SIZE)
        return wm_refuse(x, WM_E_MALFORMED, WM_HEARS_REQUEST, "an enrolment without a whole token");
    secret = wm_sha256_of(enrol->secret.data, enrol->secret.len);
    st = wm_issuer_store_token(x->issuer->store, enrol->token_id.data, ret, &x->err);
    if (st == WM_E_MISSING)
        return wm_refuse(x, st, WM_HEARS_TOKEN,
                         "an enrolment as \"%.63s\" with a token that is not ours, or long gone", enrol->name);
    if (st != WM_OK)
        return st;
    if (!wm_digest_equal(&secret, &ret->secret)) /* in constant time, and of hashes besides */
        return wm_refuse(x, WM_E_UNTRUSTED, WM_HEARS_TOKEN,
                         "an enrolment with a wrong secret for the token of \"%s\"", ret->name);
    if (strcmp(ret->name, enrol->name) != 0)
        return wm_refuse(x, WM_E_UNTRUSTED, WM_HEARS_TOKEN, "an enrolment as \"%.63s\" with the token of \"%s\"",
                         enrol->name, ret->name);
    st = wm_issuer_store_is_revoked(x->issuer->store, ret->name, &revoked, &x->err);
    if (st == WM_OK && revoked)
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_TOKEN, "\"%s\" was revoked and tries to enrol", ret->name);
    return st;
}

/* The token was spent: the same key gets the same answer while its certificate lives. */
static wm_status enrol_again(wm_issuing *x, const wm_token_record *token, const wm_digest *key)
{
    wm_certificate_record record;
    wm_status             st;

    if (!wm_digest_equal(&token->spent_key, key))
        return wm_refuse(x, WM_E_EXISTS, WM_HEARS_TOKEN, "the token of \"%s\" was used already, with another key",
                         token->name);
    st = wm_issuer_store_certificate(x->issuer->store, &token->serial, &record, &x->err);
    if (st != WM_OK)
        return wm_refuse_as(x, st, WM_HEARS_TROUBLE);
    if (record.revoked)
        st = wm_refuse(x, WM_E_REFUSED, WM_HEARS_TOKEN,
                       "the certificate of \"%s\" was revoked and is asked for again", token->name);
    else if (x->now_ms > record.not_after_ms)
        st = wm_refuse(x, WM_E_REFUSED, WM_HEARS_TOKEN,
                       "the token of \"%s\" was used for a certificate that has expired", token->name);
    else
        st = wm_give_certificate(x, &record);
    wm_certificate_record_release(&record);
    return st;
}

static wm_status spend(wm_issuing *x, const wm_token_record *token, wm_key *key)
{
    wm_certificate_record record = { .chain = NULL };
    const char *const     name = token->name;
    char                  end[WM_TIME_TEXT];
    wm_status             st;

    if (x->now_ms >= token->ends_ms)
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_TOKEN, "the token of \"%s\" has expired at %s", token->name,
                         wm_time_text(token->ends_ms, end));
    st = wm_make_certificate(x, key, WM_PURPOSE_GATEWAY, &name, 1, &record);
    if (st != WM_OK)
        return st;
    st = wm_issuer_store_spend(x->issuer->store, token, &record, &x->err);
    if (st == WM_OK) {
        wm_done(x, "token spent, certificate issued", record.name, &record.serial);
        st = wm_give_certificate(x, &record);
    }
    wm_certificate_record_release(&record);
    return st;
}

static wm_status enrol_with_token(wm_issuing *x, const Wm__Enrol *enrol)
{
    wm_token_record token;
    wm_key         *key = NULL;
    wm_digest       digest;
    wm_status       st = find_token(x, enrol, &token);

    if (st == WM_OK)
        st = wm_take_request(x, &enrol->request, &key, &digest);
    if (st == WM_OK)
        st = token.spent ? enrol_again(x, &token, &digest) : spend(x, &token, key);
    wm_key_free(key);
    return st;
}

wm_status wm_issuing_enrol(wm_issuing *x)
{
    int64_t          mono_ms = wm_mono_ms(&x->issuer->settings.clock);
    const Wm__Enrol *enrol = x->ask->enrol;
    wm_status        st;

    if (enrol == NULL)
        return wm_refuse(x, WM_E_MALFORMED, WM_HEARS_REQUEST, "an enrolment that is empty");
    x->come_back_ms = wm_tries_wait(&x->issuer->tries, x->ask->source, mono_ms);
    if (x->come_back_ms > 0)
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_OFTEN, "too many failed enrolments from \"%.63s\"",
                         x->ask->source);
    st = enrol->old_certificate.len > 0 ? wm_issuing_renew_late(x, enrol) : enrol_with_token(x, enrol);
    /* Only failures count: many gateways may join from behind one address. */
    if (st != WM_OK && x->hears != WM_HEARS_TROUBLE)
        wm_tries_charge(&x->issuer->tries, x->ask->source, mono_ms);
    return st;
}
