/* common/crypto/certificate.c */
#include "common/crypto/certificate.h"

#include "common/crypto/openssl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static bool name_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool wm_gateway_name_ok(const char *name)
{
    size_t n = 0;

    for (; name_letter(name[n]); n++)
        if (n >= WM_NAME_TEXT - 1)
            return false;
    return n > 0 && name[n] == '\0';
}

wm_status wm_gateway_name_check(const char *name, wm_error *err)
{
    if (wm_gateway_name_ok(name))
        return WM_OK;
    return wm_fail(err, WM_E_INVALID,
                   "\"%.80s\" is not a gateway's name: take 1 to 63 of the characters a-z, 0-9 and \"-\"", name);
}

bool wm_server_name_ok(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    size_t        label = 0, n = strnlen(name, WM_HOST_TEXT);

    if (n == 0 || n >= WM_HOST_TEXT)
        return false;
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return true;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];

        if (c == '.' ? label == 0 : !(name_letter(c) || (c >= 'A' && c <= 'Z')))
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return label > 0;
}

bool wm_serial_equal(const wm_serial *a, const wm_serial *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

const char *wm_serial_text(const wm_serial *serial, char text[WM_SERIAL_TEXT])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < serial->size; i++) {
        text[2 * i] = hex[serial->bytes[i] >> 4];
        text[2 * i + 1] = hex[serial->bytes[i] & 15];
    }
    text[2 * (size_t)serial->size] = '\0';
    return text;
}

bool wm_serial_parse(const char *text, wm_serial *ret)
{
    static const char hex[] = "0123456789abcdef";
    wm_serial         serial = { .size = 0 };
    size_t            n = strnlen(text, WM_SERIAL_TEXT);

    if (n == 0 || n >= WM_SERIAL_TEXT || n % 2 != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *digit = strchr(hex, text[i]);

        if (digit == NULL)
            return false;
        serial.bytes[i / 2] = (uint8_t)(serial.bytes[i / 2] << 4 | (digit - hex));
    }
    serial.size = (uint8_t)(n / 2);
    *ret = serial;
    return true;
}

/* As milliseconds since 1970, without time_t: gateways have 32-bit ones, and an authority outlives 2038. */
static bool time_ms(const ASN1_TIME *time, const ASN1_TIME *epoch, int64_t *ret)
{
    int days, seconds;

    if (ASN1_TIME_diff(&days, &seconds, epoch, time) != 1)
        return false;
    *ret = ((int64_t)days * 86400 + seconds) * 1000;
    return true;
}

static bool look_at_serial(const ASN1_INTEGER *integer, wm_serial *ret)
{
    int size = ASN1_STRING_length(integer);

    if (ASN1_STRING_type(integer) != V_ASN1_INTEGER || size < 1 || size > WM_SERIAL_MAX)
        return false;
    memcpy(ret->bytes, ASN1_STRING_get0_data(integer), (size_t)size);
    ret->size = (uint8_t)size;
    return true;
}

/* The count of alternative names, and the first DNS name if it is one that could be ours. */
static bool look_at_names(wm_certificate *certificate, wm_certificate_facts *facts)
{
    int            critical;
    bool           good = true;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);

    if (names == NULL)
        return critical == -1; /* none at all; anything else is one twice, or damaged */
    facts->n_names = (size_t)sk_GENERAL_NAME_num(names);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && facts->name[0] == '\0'; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        size_t              n;

        if (name->type != GEN_DNS)
            continue;
        n = (size_t)ASN1_STRING_length(name->d.dNSName);
        good = n > 0 && n < sizeof facts->name && memchr(ASN1_STRING_get0_data(name->d.dNSName), 0, n) == NULL;
        if (!good)
            break;
        memcpy(facts->name, ASN1_STRING_get0_data(name->d.dNSName), n);
        facts->name[n] = '\0';
    }
    GENERAL_NAMES_free(names);
    return good;
}

wm_status wm_certificate_digest(wm_certificate *certificate, wm_digest *ret, wm_error *err)
{
    unsigned int n = 0;

    if (X509_digest(certificate, EVP_sha256(), ret->bytes, &n) != 1 || n != WM_DIGEST_SIZE)
        return wm_openssl_fail(err, WM_E_NOMEM, "cannot hash a certificate");
    return WM_OK;
}

/* As wm_key_digest says it, from the encoding that the certificate has already: OpenSSL's encoder takes ten times as long
 * as the hash, and every handshake comes by here. */
static wm_status look_at_key_and_digest(wm_certificate *certificate, wm_certificate_facts *facts, wm_error *err)
{
    unsigned char *der = NULL;
    wm_status      st = wm_certificate_digest(certificate, &facts->digest, err);
    int            n;

    if (st != WM_OK)
        return st;
    if (X509_get0_pubkey(certificate) == NULL)
        return wm_openssl_fail(err, WM_E_MALFORMED, "a certificate has a public key that cannot be read");
    if ((n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der)) <= 0)
        return wm_openssl_fail(err, WM_E_NOMEM, "cannot encode a public key");
    facts->key = wm_sha256_of(der, (size_t)n);
    OPENSSL_free(der);
    return WM_OK;
}

wm_status wm_certificate_look(wm_certificate *certificate, wm_certificate_facts *ret, wm_error *err)
{
    wm_status            st;
    wm_certificate_facts facts = { .n_names = 0 };
    ASN1_TIME           *epoch = ASN1_TIME_set(NULL, 0);
    uint32_t             flags = X509_get_extension_flags(certificate);

    if (epoch == NULL)
        return wm_openssl_fail(err, WM_E_NOMEM, "no memory to read a certificate");
    if ((flags & EXFLAG_INVALID) != 0 || !look_at_serial(X509_get0_serialNumber(certificate), &facts.serial) ||
        !time_ms(X509_get0_notBefore(certificate), epoch, &facts.not_before_ms) ||
        !time_ms(X509_get0_notAfter(certificate), epoch, &facts.not_after_ms) ||
        !look_at_names(certificate, &facts)) {
        st = wm_openssl_fail(err, WM_E_MALFORMED, "a certificate has a damaged serial, date or name");
        goto out;
    }
    if ((flags & EXFLAG_XKUSAGE) != 0) { /* without the extension OpenSSL would say "any use" */
        uint32_t usage = X509_get_extended_key_usage(certificate);

        facts.for_server = (usage & XKU_SSL_SERVER) != 0;
        facts.for_gateway = (usage & XKU_SSL_CLIENT) != 0;
    }
    facts.is_authority = (flags & EXFLAG_CA) != 0;
    facts.may_sign = (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) != 0;
    st = look_at_key_and_digest(certificate, &facts, err);
    if (st == WM_OK)
        *ret = facts;
out:
    ASN1_TIME_free(epoch);
    return st;
}

bool wm_certificate_has_name(wm_certificate *certificate, const char *host)
{
    const unsigned int flags = X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    unsigned char      address[sizeof(struct in6_addr)];
    bool               found;

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        found = X509_check_ip_asc(certificate, host, 0) == 1;
    else
        found = X509_check_host(certificate, host, 0, flags, NULL) == 1;
    ERR_clear_error();
    return found;
}

wm_status wm_certificate_key(wm_certificate *certificate, wm_key **ret, wm_error *err)
{
    wm_key *key = X509_get_pubkey(certificate);

    if (key == NULL)
        return wm_openssl_fail(err, WM_E_MALFORMED, "a certificate has a public key that cannot be read");
    *ret = key;
    return WM_OK;
}

bool wm_certificate_signed_by(wm_certificate *certificate, wm_certificate *authority)
{
    EVP_PKEY *key = X509_get0_pubkey(authority);
    bool      good =
        key != NULL && X509_check_issued(authority, certificate) == X509_V_OK && X509_verify(certificate, key) == 1;

    ERR_clear_error();
    return good;
}

void wm_certificate_free(wm_certificate *certificate)
{
    X509_free(certificate);
}

/* The next certificate of the text into the chain. false: the text is at its end, or *st says what is wrong.
 */
static bool decode_next(BIO *bio, wm_chain *chain, wm_status *st, wm_error *err)
{
    wm_certificate *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    if (certificate == NULL) {
        unsigned long code = ERR_peek_last_error();

        if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
            *st = wm_openssl_fail(err, WM_E_MALFORMED, "a certificate in PEM form is damaged");
        ERR_clear_error();
        return false;
    }
    if (wm_chain_size(chain) >= WM_CHAIN_MAX)
        *st = wm_fail(err, WM_E_RANGE, "a chain of more than %d certificates", WM_CHAIN_MAX);
    else if (sk_X509_push(chain, certificate) == 0)
        *st = wm_openssl_fail(err, WM_E_NOMEM, "no memory for a chain of certificates");
    if (*st == WM_OK)
        return true;
    X509_free(certificate);
    return false;
}

wm_status wm_chain_decode(const void *pem, size_t n, wm_chain **ret, wm_error *err)
{
    wm_status st = WM_OK;
    wm_chain *chain = NULL;
    BIO      *bio = NULL;

    if (n > WM_CHAIN_BYTES)
        return wm_fail(err, WM_E_RANGE, "a chain of certificates of %zu bytes, at most %d are read", n,
                       WM_CHAIN_BYTES);
    chain = sk_X509_new_null();
    bio = BIO_new_mem_buf(n > 0 ? pem : "", (int)n);
    if (chain == NULL || bio == NULL) {
        st = wm_openssl_fail(err, WM_E_NOMEM, "no memory for a chain of certificates");
        goto out;
    }
    while (decode_next(bio, chain, &st, err))
        ;
    if (st == WM_OK && wm_chain_size(chain) == 0)
        st = wm_fail(err, WM_E_MALFORMED, "no certificate in PEM form where one should be");
    if (st == WM_OK) {
        *ret = chain;
        chain = NULL;
    }
out:
    wm_chain_free(chain);
    BIO_free(bio);
    return st;
}

wm_status wm_chain_load(const wm_files *files, const char *path, wm_chain **ret, wm_error *err)
{
    uint8_t  *pem;
    size_t    n;
    wm_status st = files->read(files, path, WM_CHAIN_BYTES, &pem, &n, err);

    if (st != WM_OK)
        return st;
    st = wm_chain_decode(pem, n, ret, err);
    if (st == WM_E_MALFORMED)
        wm_error_prefix(err, "%s is damaged, put it back from a backup", path);
    else if (st != WM_OK)
        wm_error_prefix(err, "%s", path);
    wm_secret_free(pem, n); /* an identity file has the private key in it, too */
    return st;
}

wm_status wm_chain_of(wm_certificate *const *certificates, size_t n, wm_chain **ret, wm_error *err)
{
    wm_chain *chain = sk_X509_new_null();

    assert(n <= WM_CHAIN_MAX);
    for (size_t i = 0; chain != NULL && i < n; i++) {
        if (certificates[i] == NULL)
            continue;
        if (!X509_add_cert(chain, certificates[i], X509_ADD_FLAG_UP_REF)) {
            wm_chain_free(chain);
            chain = NULL;
        }
    }
    if (chain == NULL)
        return wm_openssl_fail(err, WM_E_NOMEM, "no memory for a chain of certificates");
    *ret = chain;
    return WM_OK;
}

wm_status wm_chain_encode(const wm_chain *chain, char **ret, size_t *n, wm_error *err)
{
    wm_status st = WM_OK;
    BIO      *bio = BIO_new(BIO_s_mem());
    char     *chars, *copy = NULL;
    long      size;
    bool      good = bio != NULL;

    for (size_t i = 0; good && i < wm_chain_size(chain); i++)
        good = PEM_write_bio_X509(bio, wm_chain_at(chain, i)) == 1;
    if (good && (size = BIO_get_mem_data(bio, &chars)) >= 0 && (copy = malloc((size_t)size + 1)) != NULL) {
        memcpy(copy, chars, (size_t)size);
        copy[size] = '\0';
        *ret = copy;
        *n = (size_t)size;
    } else
        st = wm_openssl_fail(err, WM_E_NOMEM, "no memory to write certificates as PEM");
    BIO_free(bio);
    return st;
}

size_t wm_chain_size(const wm_chain *chain)
{
    return (size_t)sk_X509_num(chain);
}

wm_certificate *wm_chain_at(const wm_chain *chain, size_t i)
{
    assert(i < wm_chain_size(chain));
    return sk_X509_value(chain, (int)i);
}

wm_certificate *wm_chain_take_last(wm_chain *chain)
{
    return sk_X509_pop(chain);
}

void wm_chain_free(wm_chain *chain)
{
    sk_X509_pop_free(chain, X509_free);
}
