/* tests/crypto/pki.h
 *
 * A throw-away office: root, issuing authority, and certificates on demand. */
#ifndef WM_TESTS_PKI_H
#define WM_TESTS_PKI_H

#include "tests/unit.h"

#include "common/clock.h"
#include "common/crypto/authority.h"
#include "common/crypto/chain.h"

enum { PKI_NOW_S = 1790000000 }; /* 2026-09-21 */
#define PKI_NOW (PKI_NOW_S * 1000ll)

typedef struct pki {
    wm_key         *root_key, *issuing_key;
    wm_certificate *root, *issuing;
    wm_authority    root_authority, authority;
} pki;

static inline pki pki_new(int64_t wall_ms)
{
    pki      p = { .root = NULL };
    wm_error err;

    assert_ok(wm_key_new(&p.root_key, &err), &err);
    assert_ok(wm_key_new(&p.issuing_key, &err), &err);
    assert_ok(wm_authority_make_root(p.root_key, wall_ms, &p.root, &err), &err);
    p.root_authority = (wm_authority){ p.root_key, p.root };
    assert_ok(wm_authority_make_issuing(&p.root_authority, p.issuing_key, wall_ms, &p.issuing, &err), &err);
    p.authority = (wm_authority){ p.issuing_key, p.issuing };
    return p;
}

static inline void pki_free(pki *p)
{
    wm_key_free(p->root_key);
    wm_key_free(p->issuing_key);
    wm_certificate_free(p->root);
    wm_certificate_free(p->issuing);
}

static inline wm_certificate *pki_issue(const pki *p, wm_key *key, wm_purpose purpose, const char *name,
                                        int64_t wall_ms, int64_t life_ms)
{
    wm_certificate      *certificate;
    wm_error             err;
    wm_certificate_order order = { key, purpose, &name, 1, wall_ms, life_ms };

    assert_ok(wm_authority_issue(&p->authority, &order, &certificate, &err), &err);
    return certificate;
}

static inline wm_chain *pki_chain(wm_certificate *a, wm_certificate *b, wm_certificate *c)
{
    wm_chain *chain;
    wm_error  err;

    assert_ok(wm_chain_of((wm_certificate *const[]){ a, b, c }, 3, &chain, &err), &err);
    return chain;
}

#endif
