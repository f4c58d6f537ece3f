/* common/crypto/authority.c */
#include "common/crypto/authority.h"

#include "common/clock.h"
#include "common/crypto/openssl.h"

#include <assert.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define ROOT_LIFE_MS    (20 * 365 * WM_DAY_MS)
#define ISSUING_LIFE_MS (10 * 365 * WM_DAY_MS)

/* One extension as OpenSSL's configuration files would have it. */
typedef struct certificate_extension {
    int         nid;
    const char *value; /* constants only: a name from outside could carry syntax */
} certificate_extension;

static const certificate_extension root_extensions[] = {
    { NID_basic_constraints, "critical,CA:TRUE,pathlen:1" },
    { NID_key_usage, "critical,keyCertSign,cRLSign" },
    { NID_subject_key_identifier, "hash" },
};

static const certificate_extension issuing_extensions[] = {
    { NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
    { NID_key_usage, "critical,keyCertSign,cRLSign" },
    { NID_subject_key_identifier, "hash" },
    { NID_authority_key_identifier, "keyid:always" },
};

static const certificate_extension server_extensions[] = {
    { NID_basic_constraints, "critical,CA:FALSE" },
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "serverAuth" },
    { NID_subject_key_identifier, "hash" },
    { NID_authority_key_identifier, "keyid:always" },
};

static const certificate_extension gateway_extensions[] = {
    { NID_basic_constraints, "critical,CA:FALSE" },
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "clientAuth" },
    { NID_subject_key_identifier, "hash" },
    { NID_authority_key_identifier, "keyid:always" },
};

enum { EXTENSIONS_MAX = 5 };

/* Everything that one certificate is made from. issuer NULL: it signs itself. */
typedef struct certificate_draft {
    wm_key                      *key;
    wm_certificate              *issuer;
    wm_key                      *issuer_key;
    const char                  *common_name;
    int64_t                      not_before_ms, not_after_ms;
    const certificate_extension *extensions;
    size_t                       n_extensions;
    GENERAL_NAMES               *names; /* NULL for authorities */
} certificate_draft;

/* Days and seconds apart, so that no time_t is in the way of the years after 2038. */
static bool set_time(ASN1_TIME *time, int64_t wall_ms)
{
    int64_t seconds = wall_ms / 1000;

    return ASN1_TIME_adj(time, 0, (int)(seconds / 86400), (long)(seconds % 86400)) != NULL;
}

/* 128 random bits behind a byte that keeps the number positive and of one length. */
static wm_status set_serial(X509 *certificate, wm_error *err)
{
    uint8_t       bytes[17] = { 1 };
    ASN1_INTEGER *serial = X509_get_serialNumber(certificate);
    wm_status     st = wm_secret_draw(bytes + 1, sizeof bytes - 1, err);

    if (st == WM_OK && ASN1_STRING_set(serial, bytes, sizeof bytes) != 1)
        st = wm_openssl_fail(err, WM_E_NOMEM, "no memory for a serial number");
    return st;
}

static bool add_extensions(X509 *certificate, const certificate_draft *draft)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, draft->issuer != NULL ? draft->issuer : certificate, certificate, NULL, NULL, 0);
    for (size_t i = 0; i < draft->n_extensions; i++) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, &context, draft->extensions[i].nid, draft->extensions[i].value);
        bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

        X509_EXTENSION_free(extension);
        if (!good)
            return false;
    }
    return draft->names == NULL ||
           X509_add1_ext_i2d(certificate, NID_subject_alt_name, draft->names, 0, X509V3_ADD_DEFAULT) == 1;
}

static bool add_subject(X509 *certificate, const certificate_draft *draft)
{
    X509_NAME *subject = X509_get_subject_name(certificate);

    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)draft->common_name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate,
                                draft->issuer != NULL ? X509_get_subject_name(draft->issuer) : subject) == 1;
}

static wm_status make(const certificate_draft *draft, wm_certificate **ret, wm_error *err)
{
    wm_status st = WM_OK;
    X509     *certificate = X509_new();

    assert(draft->n_extensions <= EXTENSIONS_MAX);
    if (certificate == NULL)
        return wm_openssl_fail(err, WM_E_NOMEM, "no memory for a certificate");
    st = set_serial(certificate, err);
    if (st != WM_OK)
        goto out;
    if (X509_set_version(certificate, X509_VERSION_3) != 1 || !add_subject(certificate, draft) ||
        !set_time(X509_getm_notBefore(certificate), draft->not_before_ms) ||
        !set_time(X509_getm_notAfter(certificate), draft->not_after_ms) ||
        X509_set_pubkey(certificate, draft->key) != 1 || !add_extensions(certificate, draft) ||
        X509_sign(certificate, draft->issuer_key, EVP_sha256()) <= 0) {
        st = wm_openssl_fail(err, WM_E_NOMEM, "cannot make a certificate for \"%s\"", draft->common_name);
        goto out;
    }
    *ret = certificate;
    certificate = NULL;
out:
    X509_free(certificate);
    return st;
}

/* "Wardmote root 1a2b3c4d": the key's first digits, so that two offices' roots can be told apart by eye. */
static wm_status title(const char *what, const wm_key *key, char text[64], wm_error *err)
{
    wm_digest digest;
    wm_status st = wm_key_digest(key, &digest, err);

    if (st == WM_OK)
        snprintf(text, 64, "Wardmote %s %02x%02x%02x%02x", what, digest.bytes[0], digest.bytes[1], digest.bytes[2],
                 digest.bytes[3]);
    return st;
}

wm_status wm_authority_make_root(wm_key *key, int64_t wall_ms, wm_certificate **ret, wm_error *err)
{
    char      name[64];
    wm_status st = title("root", key, name, err);

    if (st != WM_OK)
        return st;
    return make(&(certificate_draft){ .key = key,
                                      .issuer_key = key,
                                      .common_name = name,
                                      .not_before_ms = wall_ms - WM_BACKDATED_MS,
                                      .not_after_ms = wall_ms + ROOT_LIFE_MS,
                                      .extensions = root_extensions,
                                      .n_extensions = sizeof root_extensions / sizeof *root_extensions },
                ret, err);
}

/* Fills the dates of a draft under an authority: never outside the authority's own. */
static wm_status set_dates(const wm_authority *authority, int64_t wall_ms, int64_t life_ms,
                           certificate_draft *draft, wm_error *err)
{
    wm_certificate_facts facts;
    char                 from[WM_TIME_TEXT], to[WM_TIME_TEXT], now[WM_TIME_TEXT];
    wm_status            st = wm_certificate_look(authority->certificate, &facts, err);

    if (st != WM_OK)
        return st;
    if (wall_ms < facts.not_before_ms || wall_ms >= facts.not_after_ms)
        return wm_fail(err, WM_E_UNTRUSTED,
                       "the authority's certificate is valid from %s to %s, and it is %s: set the clock, or make a "
                       "new authority",
                       wm_time_text(facts.not_before_ms, from), wm_time_text(facts.not_after_ms, to),
                       wm_time_text(wall_ms, now));
    /* Of a short life only a part, or it would be half over when it begins. */
    draft->not_before_ms = wall_ms - (life_ms / 8 < WM_BACKDATED_MS ? life_ms / 8 : WM_BACKDATED_MS);
    if (draft->not_before_ms < facts.not_before_ms)
        draft->not_before_ms = facts.not_before_ms;
    draft->not_after_ms = facts.not_after_ms;
    if (life_ms < draft->not_after_ms - wall_ms)
        draft->not_after_ms = wall_ms + life_ms;
    return WM_OK;
}

wm_status wm_authority_make_issuing(const wm_authority *root, wm_key *key, int64_t wall_ms, wm_certificate **ret,
                                    wm_error *err)
{
    char              name[64];
    certificate_draft draft = { .key = key,
                                .issuer = root->certificate,
                                .issuer_key = root->key,
                                .common_name = name,
                                .extensions = issuing_extensions,
                                .n_extensions = sizeof issuing_extensions / sizeof *issuing_extensions };
    wm_status         st = title("issuing", key, name, err);

    if (st == WM_OK)
        st = set_dates(root, wall_ms, ISSUING_LIFE_MS, &draft, err);
    return st == WM_OK ? make(&draft, ret, err) : st;
}

/* An alternative name; NULL if out of memory. */
static GENERAL_NAME *general_name(const char *text)
{
    GENERAL_NAME      *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
    ASN1_IA5STRING    *host = address == NULL ? ASN1_IA5STRING_new() : NULL;

    if (name != NULL && address != NULL) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, address);
        return name;
    }
    if (name != NULL && host != NULL && ASN1_STRING_set(host, text, -1) == 1) {
        GENERAL_NAME_set0_value(name, GEN_DNS, host);
        return name;
    }
    ASN1_OCTET_STRING_free(address);
    ASN1_IA5STRING_free(host);
    GENERAL_NAME_free(name);
    return NULL;
}

static wm_status check_names(const wm_certificate_order *order, wm_error *err)
{
    if (order->purpose == WM_PURPOSE_GATEWAY) {
        assert(order->n_names == 1);
        return wm_gateway_name_check(order->names[0], err);
    }
    if (order->n_names < 1 || order->n_names > WM_SERVER_NAMES_MAX)
        return wm_fail(err, WM_E_INVALID, "a server's certificate has 1 to %d names, not %zu", WM_SERVER_NAMES_MAX,
                       order->n_names);
    for (size_t i = 0; i < order->n_names; i++)
        if (!wm_server_name_ok(order->names[i]))
            return wm_fail(err, WM_E_INVALID, "\"%.80s\" is not a server's name: give a host name or an address",
                           order->names[i]);
    return WM_OK;
}

wm_status wm_authority_issue(const wm_authority *issuing, const wm_certificate_order *order, wm_certificate **ret,
                             wm_error *err)
{
    bool              server = order->purpose == WM_PURPOSE_SERVER;
    certificate_draft draft = { .key = order->key,
                                .issuer = issuing->certificate,
                                .issuer_key = issuing->key,
                                .common_name = server ? "Wardmote aggregator" : order->names[0],
                                .extensions = server ? server_extensions : gateway_extensions,
                                .n_extensions = EXTENSIONS_MAX };
    wm_status         st = check_names(order, err);

    if (st == WM_OK)
        st = set_dates(issuing, order->wall_ms, order->life_ms, &draft, err);
    if (st != WM_OK)
        return st;
    draft.names = sk_GENERAL_NAME_new_null();
    for (size_t i = 0; draft.names != NULL && i < order->n_names; i++) {
        GENERAL_NAME *name = general_name(order->names[i]);

        if (name == NULL || sk_GENERAL_NAME_push(draft.names, name) == 0) {
            GENERAL_NAME_free(name);
            GENERAL_NAMES_free(draft.names);
            draft.names = NULL;
        }
    }
    if (draft.names == NULL)
        return wm_openssl_fail(err, WM_E_NOMEM, "no memory for the names of a certificate");
    st = make(&draft, ret, err);
    GENERAL_NAMES_free(draft.names);
    return st;
}
