/* tests/server/joining/seam.c */
#include "tests/server/joining/seam.h"

#include "client/config.h"
#include "common/crypto/authority.h"
#include "common/crypto/identity.h"
#include "common/crypto/request.h"
#include "common/crypto/tls.h"
#include "common/crypto/token.h"
#include "server/issuer/store.h"
#include "server/roster.h"
#include "server/store/gateways.h"

#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    bool        armed, failed;
    unsigned    left;
    const char *name;
    seam_line  *line;
    void       *context;
} seam; /* one test, one thread */

void seam_arm(unsigned n)
{
    seam.armed = n > 0;
    seam.failed = false;
    seam.left = n;
}

bool seam_disarm(void)
{
    seam.armed = false;
    return seam.failed;
}

const char *seam_failed(void)
{
    return seam.name;
}

void seam_connect(seam_line *line, void *context)
{
    seam.line = line;
    seam.context = context;
}

static bool fails(const char *name)
{
    if (!seam.armed || seam.failed || --seam.left > 0)
        return false;
    seam.failed = true;
    seam.name = name;
    return true;
}

/* One that reports by a status; its arguments by type and by name, without the error, which is last. */
#define WRAP(name, types, names)                                                              \
    wm_status __real_##name types;                                                            \
    wm_status __wrap_##name types;                                                            \
    wm_status __wrap_##name types                                                             \
    {                                                                                         \
        return fails(#name) ? wm_fail(err, WM_E_IO, "%s fails", #name) : __real_##name names; \
    }

WRAP(wm_certificate_digest, (wm_certificate * c, wm_digest *ret, wm_error *err), (c, ret, err))
WRAP(wm_secret_draw, (void *bytes, size_t n, wm_error *err), (bytes, n, err))
WRAP(wm_token_encode, (const wm_token *token, char *text, wm_error *err), (token, text, err))
WRAP(wm_authority_issue,
     (const wm_authority *issuing, const wm_certificate_order *order, wm_certificate **ret, wm_error *err),
     (issuing, order, ret, err))
WRAP(wm_certificate_look, (wm_certificate * c, wm_certificate_facts *ret, wm_error *err), (c, ret, err))
WRAP(wm_certificate_key, (wm_certificate * c, wm_key **ret, wm_error *err), (c, ret, err))
WRAP(wm_chain_of, (wm_certificate *const *c, size_t n, wm_chain **ret, wm_error *err), (c, n, ret, err))
WRAP(wm_chain_encode, (const wm_chain *chain, char **ret, size_t *n, wm_error *err), (chain, ret, n, err))
WRAP(wm_chain_decode, (const void *pem, size_t n, wm_chain **ret, wm_error *err), (pem, n, ret, err))
WRAP(wm_chain_check, (const wm_chain *chain, const wm_chain_rule *rule, wm_certificate_facts *facts, wm_error *err),
     (chain, rule, facts, err))
WRAP(wm_key_digest, (const wm_key *key, wm_digest *ret, wm_error *err), (key, ret, err))
WRAP(wm_key_sign,
     (wm_key * key, const char *context, const void *bytes, size_t n, wm_signature *ret, wm_error *err),
     (key, context, bytes, n, ret, err))
WRAP(wm_key_verify,
     (wm_key * key, const char *context, const void *bytes, size_t n, const void *signature, size_t n_signature,
      wm_error *err),
     (key, context, bytes, n, signature, n_signature, err))
WRAP(wm_request_make, (wm_key * key, uint8_t **ret, size_t *n, wm_error *err), (key, ret, n, err))
WRAP(wm_tls_new, (const wm_tls_settings *settings, wm_tls **ret, wm_error *err), (settings, ret, err))
WRAP(wm_identity_next_key,
     (const wm_identity *now, const wm_files *files, const char *folder, wm_key **ret, wm_error *err),
     (now, files, folder, ret, err))
WRAP(wm_identity_save, (const wm_identity *identity, const wm_files *files, const char *folder, wm_error *err),
     (identity, files, folder, err))
WRAP(wm_identity_check, (wm_identity * identity, wm_error *err), (identity, err))
WRAP(wm_client_config_write,
     (const wm_files *files, const char *folder, const char *const *servers, size_t n, int control, int bulk,
      int enrolment, wm_error *err),
     (files, folder, servers, n, control, bulk, enrolment, err))
WRAP(wm_issuer_store_is_revoked, (wm_issuer_store * store, const char *name, bool *ret, wm_error *err),
     (store, name, ret, err))
WRAP(wm_issuer_store_add_token,
     (wm_issuer_store * store, const wm_token_record *token, int64_t before_ms, wm_error *err),
     (store, token, before_ms, err))
WRAP(wm_issuer_store_token,
     (wm_issuer_store * store, const uint8_t id[WM_TOKEN_ID_SIZE], wm_token_record *ret, wm_error *err),
     (store, id, ret, err))
WRAP(wm_issuer_store_certificate,
     (wm_issuer_store * store, const wm_serial *serial, wm_certificate_record *ret, wm_error *err),
     (store, serial, ret, err))
WRAP(wm_issuer_store_spend,
     (wm_issuer_store * store, const wm_token_record *token, const wm_certificate_record *c, wm_error *err),
     (store, token, c, err))
WRAP(wm_issuer_store_renew,
     (wm_issuer_store * store, const wm_serial *old, const wm_certificate_record *c, int64_t before_ms,
      wm_error *err),
     (store, old, c, before_ms, err))
WRAP(wm_store_certificate,
     (wm_store * store, const char *name, const char *serial, int64_t not_after_ms, wm_error *err),
     (store, name, serial, not_after_ms, err))
WRAP(wm_roster_enrolled,
     (wm_roster * roster, const char *name, const char *serial, int64_t not_after_ms, wm_error *err),
     (roster, name, serial, not_after_ms, err))

/* One that answers by a value of its own. */
#define WRAP_AS(type, name, types, names, failure)             \
    type __real_##name types;                                  \
    type __wrap_##name types;                                  \
    type __wrap_##name types                                   \
    {                                                          \
        return fails(#name) ? (failure) : __real_##name names; \
    }

WRAP_AS(void *, malloc, (size_t n), (n), NULL)
WRAP_AS(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP_AS(char *, strdup, (const char *text), (text), NULL)
WRAP_AS(X509_REQ *, X509_REQ_new, (void), (), NULL)
WRAP_AS(int, X509_REQ_set_version, (X509_REQ * r, long version), (r, version), 0)
WRAP_AS(int, X509_REQ_set_pubkey, (X509_REQ * r, EVP_PKEY *key), (r, key), 0)
WRAP_AS(int, X509_REQ_sign, (X509_REQ * r, EVP_PKEY *key, const EVP_MD *md), (r, key, md), 0)
WRAP_AS(int, i2d_X509_REQ, (const X509_REQ *r, unsigned char **der), (r, der), -1)
WRAP_AS(EVP_PKEY *, X509_REQ_get0_pubkey, (X509_REQ * r), (r), NULL)

int __wrap_asprintf(char **ret, const char *fmt, ...);

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
    va_list args;
    int     n;

    if (fails("asprintf"))
        return -1;
    va_start(args, fmt);
    n = vasprintf(ret, fmt, args);
    va_end(args);
    return n;
}

/* ---- the line ---- */

wm_status __wrap_wm_caller_new(const wm_caller_settings *settings, wm_caller **ret, wm_error *err);
void      __wrap_wm_caller_free(wm_caller *caller);
wm_status __wrap_wm_ask(wm_caller *caller, size_t limit, const Wm__Envelope *question, int timeout_ms,
                        Wm__Envelope **answer, uint64_t *come_back_ms, wm_error *err);

wm_status __wrap_wm_caller_new(const wm_caller_settings *settings, wm_caller **ret, wm_error *err)
{
    (void)settings;
    if (fails("wm_caller_new"))
        return wm_fail(err, WM_E_NOMEM, "no memory for a caller");
    *ret = (wm_caller *)&seam; /* never looked into */
    return WM_OK;
}

void __wrap_wm_caller_free(wm_caller *caller)
{
    (void)caller;
}

wm_status __wrap_wm_ask(wm_caller *caller, size_t limit, const Wm__Envelope *question, int timeout_ms,
                        Wm__Envelope **answer, uint64_t *come_back_ms, wm_error *err)
{
    (void)caller;
    (void)limit;
    (void)timeout_ms;
    *come_back_ms = 0;
    if (fails("wm_ask"))
        return wm_fail(err, WM_E_REFUSED, "the line fails");
    return seam.line(seam.context, question, answer, err);
}
