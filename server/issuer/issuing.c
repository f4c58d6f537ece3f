/* server/issuer/issuing.c */
#include "server/issuer/issuing.h"

#include "common/crypto/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

wm_status wm_refuse(wm_issuing *x, wm_status status, wm_hears hears, const char *fmt, ...)
{
    char    sentence[WM_ERROR_TEXT];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    x->hears = hears;
    return wm_fail(&x->err, status, "%s", sentence);
}

wm_status wm_refuse_as(wm_issuing *x, wm_status status, wm_hears hears)
{
    x->hears = hears;
    return status;
}

bool wm_put_bytes(ProtobufCBinaryData *to, const void *bytes, size_t n)
{
    to->data = malloc(n > 0 ? n : 1);
    if (to->data == NULL)
        return false;
    memcpy(to->data, bytes, n);
    to->len = n;
    return true;
}

bool wm_put_text(char **to, const char *text)
{
    char *copy = strdup(text);

    if (copy != NULL)
        *to = copy;
    return copy != NULL;
}

wm_status wm_give_certificate(wm_issuing *x, const wm_certificate_record *record)
{
    x->reply->not_after_ms = (uint64_t)record->not_after_ms;
    if (record->chain == NULL)
        return wm_refuse(x, WM_E_MISSING, WM_HEARS_TOKEN,
                         "the certificate of \"%s\" is too old to be handed out again", record->name);
    if (!wm_put_bytes(&x->reply->chain, record->chain, strlen(record->chain)) ||
        !wm_put_bytes(&x->reply->root, x->issuer->root_pem, x->issuer->n_root_pem) ||
        !wm_put_text(&x->reply->name, record->name) ||
        !wm_put_bytes(&x->reply->serial, record->serial.bytes, record->serial.size))
        return wm_refuse(x, WM_E_NOMEM, WM_HEARS_TROUBLE, "no memory for an answer");
    return WM_OK;
}

void wm_done(wm_issuing *x, const char *sentence, const char *name, const wm_serial *serial)
{
    char text[WM_SERIAL_TEXT] = "";

    x->issuer->latest_ms = x->now_ms;
    if (serial != NULL)
        wm_serial_text(serial, text);
    wm_log_line(x->issuer->settings.log, WM_LOG_INFO, "issuer", sentence, WM_TEXT_FIELD("name", name),
                WM_TEXT_FIELD("serial", text));
}

/* Signs, and fills a record that is not in the store yet; *ret to wm_certificate_record_release. */
wm_status wm_make_certificate(wm_issuing *x, wm_key *key, wm_purpose purpose, const char *const *names,
                              size_t n_names, wm_certificate_record *ret)
{
    const wm_issuer_settings *settings = &x->issuer->settings;
    wm_certificate_order      order = {
             key,     purpose,   names,
             n_names, x->now_ms, purpose == WM_PURPOSE_SERVER ? settings->server_life_ms : settings->gateway_life_ms
    };
    wm_certificate_record record = { .purpose = purpose, .issued_ms = x->now_ms };
    wm_certificate       *certificate = NULL;
    wm_chain             *chain = NULL;
    wm_certificate_facts  facts;
    size_t                n;
    wm_status             st = wm_authority_issue(&x->issuer->authority, &order, &certificate, &x->err);

    if (st == WM_OK)
        st = wm_certificate_look(certificate, &facts, &x->err);
    if (st == WM_OK)
        st = wm_chain_of((wm_certificate *const[]){ certificate, x->issuer->authority.certificate }, 2, &chain,
                         &x->err);
    if (st == WM_OK)
        st = wm_chain_encode(chain, &record.chain, &n, &x->err);
    if (st == WM_OK) {
        record.serial = facts.serial;
        record.key = facts.key;
        record.not_before_ms = facts.not_before_ms;
        record.not_after_ms = facts.not_after_ms;
        strncpy(record.name, names[0], sizeof record.name - 1);
        *ret = record;
    }
    wm_chain_free(chain);
    wm_certificate_free(certificate);
    return st == WM_OK ? WM_OK : wm_refuse_as(x, st, WM_HEARS_TROUBLE);
}

wm_status wm_take_request(wm_issuing *x, const ProtobufCBinaryData *request, wm_key **key, wm_digest *digest)
{
    wm_status st = wm_request_read(request->data, request->len, key, &x->err);

    if (st != WM_OK)
        return wm_refuse_as(x, st, WM_HEARS_REQUEST);
    st = wm_key_digest(*key, digest, &x->err);
    if (st == WM_OK)
        return WM_OK;
    wm_key_free(*key);
    *key = NULL;
    return wm_refuse_as(x, st, WM_HEARS_TROUBLE);
}

bool wm_take_serial(const ProtobufCBinaryData *bytes, wm_serial *ret)
{
    if (bytes->len < 1 || bytes->len > WM_SERIAL_MAX)
        return false;
    memcpy(ret->bytes, bytes->data, bytes->len);
    ret->size = (uint8_t)bytes->len;
    return true;
}
