/* common/crypto/certificate.h
 *
 * X.509 certificates (RFC 5280) as far as we use them: read, look into, write as PEM, by themselves and as
 * chains. Nothing here trusts anything: that is chain.h. All that is read is limited first: a certificate
 * chain of ours has about 2,000 bytes and at most three links.
 *
 * wm_certificate and wm_chain are OpenSSL's X509 and STACK_OF(X509) under names of ours (see keys.h). */
#ifndef WM_COMMON_CRYPTO_CERTIFICATE_H
#define WM_COMMON_CRYPTO_CERTIFICATE_H

#include "common/crypto/keys.h"

#include <stdbool.h>

typedef struct x509_st       wm_certificate;
typedef struct stack_st_X509 wm_chain;

enum {
    WM_NAME_TEXT = 64,  /* a gateway's name and a zero */
    WM_HOST_TEXT = 254, /* a server's name or address and a zero */
    WM_SERIAL_MAX = 20, /* RFC 5280, 4.1.2.2 */
    WM_SERIAL_TEXT = 41,
    WM_CHAIN_MAX = 4,          /* certificates in a chain that is read */
    WM_CHAIN_BYTES = 16 * 1024 /* of PEM text or DER that is looked at */
};

/* What a certificate may be used for. Ours carry exactly one of the two. */
typedef enum wm_purpose { WM_PURPOSE_SERVER, WM_PURPOSE_GATEWAY } wm_purpose;

/* A gateway's name: one to 63 of a-z, 0-9 and "-". It is the gateway's identity everywhere. */
bool wm_gateway_name_ok(const char *name);

/* A server's name: a host name of letters, digits, "-" and dots, without wildcards, or an IPv4 or IPv6
 * address. */
bool wm_server_name_ok(const char *name);

/* WM_E_INVALID with a sentence that says what a gateway's name is. `name` may be anything. */
wm_status wm_gateway_name_check(const char *name, wm_error *err);

typedef struct wm_serial {
    uint8_t bytes[WM_SERIAL_MAX]; /* big-endian, without leading zeros */
    uint8_t size;
} wm_serial;

bool        wm_serial_equal(const wm_serial *a, const wm_serial *b);
const char *wm_serial_text(const wm_serial *serial, char text[WM_SERIAL_TEXT]); /* lower-case hexadecimal */
bool        wm_serial_parse(const char *text, wm_serial *ret); /* false: not 1 to 20 bytes of hexadecimal */

typedef struct wm_certificate_facts {
    char      name[WM_HOST_TEXT]; /* the first DNS name among the subject's alternative names; "" if none */
    size_t    n_names;            /* alternative names of any kind */
    wm_serial serial;
    int64_t   not_before_ms, not_after_ms; /* wall time */
    bool      for_server, for_gateway;     /* extended key usage says so, not merely nothing */
    bool      is_authority;
    bool
        may_sign; /* its key usage, if it has one, says digitalSignature: TLS 1.3 asks for that (RFC 8446, 4.4.2.2) */
    wm_digest key;    /* of its public key, as wm_key_digest */
    wm_digest digest; /* of its DER */
} wm_certificate_facts;

/* WM_E_MALFORMED: an odd serial, name or date. */
wm_status wm_certificate_look(wm_certificate *certificate, wm_certificate_facts *ret, wm_error *err);

/* Whether it carries this server name or address among its alternative names; no wildcards, no common names.
 */
bool wm_certificate_has_name(wm_certificate *certificate, const char *host);

/* *ret: its public key, to wm_key_free. WM_E_MALFORMED: a key that cannot be read. */
wm_status wm_certificate_key(wm_certificate *certificate, wm_key **ret, wm_error *err);

/* Whether this authority's key has made its signature; nothing else is looked at. */
bool wm_certificate_signed_by(wm_certificate *certificate, wm_certificate *authority);

/* SHA-256 over its DER. */
wm_status wm_certificate_digest(wm_certificate *certificate, wm_digest *ret, wm_error *err);

void wm_certificate_free(wm_certificate *certificate);

/* ---- chains: the certificate itself first, then its authority's, and so on ---- */

/* Reads PEM text; what is not a certificate in it is passed over. WM_E_MALFORMED: damaged, or there is none;
 * WM_E_RANGE: over WM_CHAIN_MAX or WM_CHAIN_BYTES. */
wm_status wm_chain_decode(const void *pem, size_t n, wm_chain **ret, wm_error *err);

wm_status wm_chain_load(const wm_files *files, const char *path, wm_chain **ret, wm_error *err);

/* Of these n, NULLs left out. Takes a reference on each; the caller keeps its own. */
wm_status wm_chain_of(wm_certificate *const *certificates, size_t n, wm_chain **ret, wm_error *err);

/* Zero-terminated PEM of *n characters, the caller's to free(). */
wm_status wm_chain_encode(const wm_chain *chain, char **ret, size_t *n, wm_error *err);

size_t          wm_chain_size(const wm_chain *chain);
wm_certificate *wm_chain_at(const wm_chain *chain, size_t i); /* borrowed */
wm_certificate *wm_chain_take_last(wm_chain *chain); /* out of the chain, the caller's; NULL if it is empty */
void            wm_chain_free(wm_chain *chain);

#endif
