/* common/crypto/tls_peer.c */
#include "common/crypto/tls_peer.h"

#include "common/clock.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool wm_gateway_name_ok(const char *name)
{
    size_t n = strnlen(name, 64);

    for (size_t i = 0; i < n; i++)
        if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') && name[i] != '-')
            return false;
    return n > 0 && n < 64;
}

/* Leaves *name alone if the text is too long or has a zero in it, which is how names are forged. */
static bool copy_name(const ASN1_STRING *text, char name[WM_PEER_NAME])
{
    const char *chars = (const char *)ASN1_STRING_get0_data(text);
    int n = ASN1_STRING_length(text);

    if (n <= 0 || n >= WM_PEER_NAME || memchr(chars, 0, (size_t)n) != NULL)
        return false;
    memcpy(name, chars, (size_t)n);
    name[n] = '\0';
    return true;
}

static void copy_address(const ASN1_STRING *bytes, char name[WM_PEER_NAME])
{
    int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;

    if (family == AF_INET || ASN1_STRING_length(bytes) == 16)
        inet_ntop(family, ASN1_STRING_get0_data(bytes), name, WM_PEER_NAME);
}

/* A gateway has one DNS name and no other; a server may have several, of which the first stands for it. */
static void read_name(const X509 *certificate, bool gateway, char name[WM_PEER_NAME])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int n = sk_GENERAL_NAME_num(names);

    name[0] = '\0';
    if (gateway && n == 1 && sk_GENERAL_NAME_value(names, 0)->type == GEN_DNS &&
        (!copy_name(sk_GENERAL_NAME_value(names, 0)->d.dNSName, name) || !wm_gateway_name_ok(name)))
        name[0] = '\0';
    for (int i = 0; !gateway && i < n && name[0] == '\0'; i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);

        if (one->type == GEN_DNS)
            copy_name(one->d.dNSName, name);
        else if (one->type == GEN_IPADD)
            copy_address(one->d.iPAddress, name);
    }
    GENERAL_NAMES_free(names);
}

static int64_t time_ms(const ASN1_TIME *time)
{
    struct tm utc;

    return ASN1_TIME_to_tm(time, &utc) == 1 ? (int64_t)timegm(&utc) * 1000 : 0;
}

bool wm_peer_from(const X509 *certificate, bool gateway, wm_peer *ret)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    int n_serial = ASN1_STRING_length(serial);
    wm_peer peer = { 0 };

    if (n_serial < 0 || n_serial > WM_PEER_SERIAL_MAX ||
        X509_digest(certificate, EVP_sha256(), peer.certificate.bytes, NULL) != 1)
        return false;
    memcpy(peer.serial, ASN1_STRING_get0_data(serial), (size_t)n_serial);
    peer.n_serial = (size_t)n_serial;

    unsigned char *der = NULL;
    int n_der = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

    if (n_der <= 0)
        return false;
    peer.key = wm_sha256_of(der, (size_t)n_der);
    OPENSSL_free(der);
    peer.not_after_ms = time_ms(X509_get0_notAfter(certificate));
    read_name(certificate, gateway, peer.name);
    *ret = peer;
    return true;
}

bool wm_usage_ok(const X509 *certificate, wm_tls_side holder)
{
    /* OpenSSL's purpose check lets a certificate pass that says nothing of its usage: ours says it. The call
     * fills a cache inside the certificate under OpenSSL's lock, hence the cast. */
    uint32_t usage = X509_get_extended_key_usage((X509 *)certificate);

    return usage != UINT32_MAX && (usage & (holder == WM_TLS_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT)) != 0;
}

void wm_verify_sentence(int code, int depth, const X509 *certificate, char *why, size_t n)
{
    const char *whose = depth == 0 ? "its certificate" : "a certificate authority in its chain";
    char when[WM_TIME_TEXT];

    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        wm_time_text(time_ms(X509_get0_notAfter(certificate)), when);
        snprintf(why, n, "%s has expired, at %s", whose, when);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        wm_time_text(time_ms(X509_get0_notBefore(certificate)), when);
        snprintf(why, n, "%s is not valid before %s", whose, when);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        snprintf(why, n, "its certificate was not issued by an authority that is trusted here");
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(why, n, "%s is not meant for this side of a connection", whose);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        snprintf(why, n, "its certificate does not carry the name that was dialled");
        break;
    default:
        snprintf(why, n, "%s: %s", whose, X509_verify_cert_error_string(code));
        break;
    }
}
