/* tests/fuzz/fuzz_chain.c
 *
 * Certificates from a stranger: read, looked into, and judged. With an odd first byte the rest is certificates in DER,
 * each after its length in two bytes, which the target writes as PEM: no fuzzer changes a bit of DER through base64. With
 * 2 in it, the first certificate is signed anew, by an authority that the rule trusts: whatever else is in it comes past
 * the signature, and must still be what the rule asks for. */
#include "common/crypto/authority.h"
#include "common/crypto/chain.h"
#include "tests/fuzz/take.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

enum { IN_DER = 1, SIGN_ANEW = 2, AS_SERVER = 4, DATES = 8 };

static const int64_t now_ms = 1790000000000;

/* An office that has always been there. */
static struct {
    wm_key         *root_key, *issuing_key;
    wm_certificate *root, *issuing;
} office;

static void leave(void)
{
    wm_certificate_free(office.issuing);
    wm_certificate_free(office.root);
    wm_key_free(office.issuing_key);
    wm_key_free(office.root_key);
}

static void open_office(void)
{
    wm_authority root;

    must(wm_key_new(&office.root_key, NULL) == WM_OK && wm_key_new(&office.issuing_key, NULL) == WM_OK);
    must(wm_authority_make_root(office.root_key, now_ms, &office.root, NULL) == WM_OK);
    root = (wm_authority){ office.root_key, office.root };
    must(wm_authority_make_issuing(&root, office.issuing_key, now_ms, &office.issuing, NULL) == WM_OK);
    atexit(leave);
}

/* *n: the PEM text's length; the caller's to free(). */
static uint8_t *pem_of(taker *from, size_t *n)
{
    BIO     *out = BIO_new(BIO_s_mem());
    char    *data;
    uint8_t *copy;

    must(out != NULL);
    while (from->n > 0) {
        taker der = take_bytes(from, take_number(from, 2));

        PEM_write_bio(out, PEM_STRING_X509, "", der.bytes, (long)der.n);
    }
    *n = (size_t)BIO_get_mem_data(out, &data);
    copy = take_copy(&(taker){ (const uint8_t *)data, *n });
    BIO_free(out);
    return copy;
}

/* The first of the chain, and the authority that has signed it; NULL: it cannot be signed. */
static wm_chain *signed_anew(wm_chain *from)
{
    X509     *copy = X509_dup(wm_chain_at(from, 0));
    wm_chain *chain = NULL;

    if (copy != NULL && X509_set_issuer_name(copy, X509_get_subject_name(office.issuing)) == 1 &&
        X509_sign(copy, office.issuing_key, EVP_sha256()) > 0)
        must(wm_chain_of((wm_certificate *const[]){ copy, office.issuing }, 2, &chain, NULL) == WM_OK);
    X509_free(copy);
    return chain;
}

static void judge(const wm_chain *chain, wm_certificate *root, uint64_t flags)
{
    wm_certificate_facts facts;
    wm_chain_rule        rule = { .root = root,
                                  .purpose = (flags & AS_SERVER) != 0 ? WM_PURPOSE_SERVER : WM_PURPOSE_GATEWAY,
                                  .wall_ms = now_ms,
                                  .ignore_dates = (flags & DATES) == 0 };
    wm_error             err = { WM_OK, "" };

    if (wm_chain_check(chain, &rule, &facts, &err) != WM_OK) {
        must(err.text[0] != '\0');
        return;
    }
    must(rule.purpose == WM_PURPOSE_SERVER ? facts.for_server && !facts.for_gateway
                                           : facts.for_gateway && !facts.for_server);
    must(!facts.is_authority && facts.serial.size > 0 && facts.serial.size <= WM_SERIAL_MAX);
    must(rule.purpose == WM_PURPOSE_SERVER || wm_gateway_name_ok(facts.name));
    must(rule.ignore_dates || (facts.not_before_ms <= now_ms && now_ms <= facts.not_after_ms));
    rule.name = "somebody-else";
    must(wm_chain_check(chain, &rule, &facts, &err) != WM_OK || strcmp(facts.name, rule.name) == 0 ||
         rule.purpose == WM_PURPOSE_SERVER);
}

static void look(wm_certificate *certificate)
{
    wm_certificate_facts facts;
    wm_key              *key;
    char                 text[WM_SERIAL_TEXT];
    wm_serial            again;

    if (wm_certificate_look(certificate, &facts, NULL) == WM_OK) {
        must(facts.serial.size <= WM_SERIAL_MAX && memchr(facts.name, 0, sizeof facts.name) != NULL);
        if (facts.serial.size > 0)
            must(wm_serial_parse(wm_serial_text(&facts.serial, text), &again) &&
                 wm_serial_equal(&facts.serial, &again));
    }
    (void)wm_certificate_has_name(certificate, "127.0.0.1");
    (void)wm_certificate_has_name(certificate, "office.example");
    (void)wm_certificate_signed_by(certificate, certificate);
    if (wm_certificate_key(certificate, &key, NULL) == WM_OK)
        wm_key_free(key);
}

/* The same bytes as a name, an address or a serial that somebody has typed. */
static void as_text(const uint8_t *bytes, size_t n)
{
    char      text[300], again[WM_SERIAL_TEXT];
    wm_serial serial, same;
    wm_error  err = { WM_OK, "" };

    n = n < sizeof text - 1 ? n : sizeof text - 1;
    memcpy(text, bytes, n);
    text[n] = '\0';
    must((wm_gateway_name_check(text, &err) == WM_OK) == wm_gateway_name_ok(text));
    must(!wm_server_name_ok(text) || strlen(text) < WM_HOST_TEXT);
    if (wm_serial_parse(text, &serial))
        must(wm_serial_parse(wm_serial_text(&serial, again), &same) && wm_serial_equal(&serial, &same));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker           from = { bytes, n };
    uint64_t        flags = take_number(&from, 1);
    size_t          n_pem = from.n, n_text;
    uint8_t        *pem = (flags & IN_DER) != 0 ? pem_of(&from, &n_pem) : take_copy(&from);
    wm_chain       *chain = NULL, *anew;
    wm_certificate *root;
    wm_digest       digest;
    char           *text;

    if (office.root == NULL)
        open_office();
    as_text(pem, n_pem);
    if (wm_chain_decode(pem, n_pem, &chain, NULL) == WM_OK) {
        must(wm_chain_size(chain) > 0 && wm_chain_size(chain) <= WM_CHAIN_MAX);
        for (size_t i = 0; i < wm_chain_size(chain); i++) {
            look(wm_chain_at(chain, i));
            judge(chain, wm_chain_at(chain, i), flags);
            if (wm_certificate_digest(wm_chain_at(chain, i), &digest, NULL) == WM_OK)
                (void)wm_chain_find_root(chain, &digest, &root, NULL);
        }
        judge(chain, office.root, flags);
        if (wm_chain_encode(chain, &text, &n_text, NULL) == WM_OK)
            free(text);
        if ((flags & SIGN_ANEW) != 0 && (anew = signed_anew(chain)) != NULL) {
            judge(anew, office.root, flags);
            wm_chain_free(anew);
        }
        wm_chain_free(chain);
    }
    free(pem);
    return 0;
}
