/* common/crypto/tls_session.c
 *
 * One connection, and the verdict on its peer. OpenSSL's error queue belongs to the thread, and the
 * transport's threads are shared by all connections: so it is cleared before each call, or one connection's
 * error would be read as another's. */
#include "common/crypto/tls_session.h"

#include "common/crypto/tls_peer.h"
#include "common/crypto/tls_private.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wm_tls_session {
    wm_tls *tls; /* held */
    SSL *ssl;
    wm_tls_failure failure;
};

/* The first reason counts: what comes after it are its consequences. */
__attribute__((format(printf, 3, 4))) static void note(wm_tls_session *session, wm_status status,
                                                       const char *fmt, ...)
{
    va_list args;

    if (session->failure.status != WM_OK)
        return;
    session->failure.status = status;
    va_start(args, fmt);
    vsnprintf(session->failure.why, sizeof session->failure.why, fmt, args);
    va_end(args);
}

/* ---- the verdict on a chain ---- */

/* The self-signed certificate among those shown that has the digest, or NULL. */
static X509 *find_pinned(STACK_OF(X509) * shown, const wm_digest *pin)
{
    wm_digest digest;

    for (int i = 0; i < sk_X509_num(shown); i++) {
        X509 *one = sk_X509_value(shown, i);

        if (X509_digest(one, EVP_sha256(), digest.bytes, NULL) == 1 && wm_digest_equal(&digest, pin))
            return one;
    }
    return NULL;
}

/* What OpenSSL's check does not ask: the usage written out, a gateway's name, and the caller's own objection.
 */
static int judge_leaf(wm_tls_session *session, X509_STORE_CTX *x, const X509 *leaf)
{
    const wm_tls *tls = session->tls;
    bool gateway = tls->side == WM_TLS_SERVER;
    wm_tls_side holder = gateway ? WM_TLS_CLIENT : WM_TLS_SERVER;
    wm_peer peer;
    char why[WM_TLS_WHY] = "it is not allowed";
    int code = X509_V_OK;

    if (!wm_usage_ok(leaf, holder)) {
        code = X509_V_ERR_INVALID_PURPOSE;
        snprintf(why, sizeof why, "its certificate does not carry the usage %s",
                 gateway ? "clientAuth, which a gateway's has" : "serverAuth, which a server's has");
    } else if (!wm_peer_from(leaf, gateway, &peer)) {
        code = X509_V_ERR_APPLICATION_VERIFICATION;
        snprintf(why, sizeof why, "its certificate has a serial number or key that cannot be read");
    } else if (gateway && peer.name[0] == '\0') {
        code = X509_V_ERR_APPLICATION_VERIFICATION;
        snprintf(why, sizeof why,
                 "its certificate does not carry exactly one gateway's name ([a-z0-9-]{1,63})");
    } else if (!wm_tls_allows(tls, &peer, why, sizeof why)) {
        /* The alert tells a gateway that it need not try again with this certificate. */
        code = gateway ? X509_V_ERR_CERT_REVOKED : X509_V_ERR_APPLICATION_VERIFICATION;
    }
    if (code == X509_V_OK)
        return 1;
    note(session, WM_E_UNTRUSTED, "%s", why);
    X509_STORE_CTX_set_error(x, code);
    return 0;
}

static int judge_chain(wm_tls_session *session, X509_STORE_CTX *x)
{
    int code;
    char why[WM_TLS_WHY];
    X509 *at;

    if (X509_verify_cert(x) == 1)
        return 1;
    code = X509_STORE_CTX_get_error(x);
    at = X509_STORE_CTX_get_current_cert(x);
    wm_verify_sentence(code, X509_STORE_CTX_get_error_depth(x), at != NULL ? at : X509_STORE_CTX_get0_cert(x),
                       why, sizeof why);
    note(session, WM_E_UNTRUSTED, "%s", why);
    return 0;
}

int wm_tls_judge(X509_STORE_CTX *x, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
    wm_tls_session *session = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(x), *root;
    STACK_OF(X509) *trusted = NULL;
    wm_peer shown;
    int good = 0;

    (void)unused;
    if (leaf != NULL && wm_peer_from(leaf, session->tls->side == WM_TLS_SERVER, &shown))
        memcpy(session->failure.name, shown.name, sizeof shown.name);
    if (session->tls->has_pin) {
        root = find_pinned(X509_STORE_CTX_get0_untrusted(x), &session->tls->pin);
        trusted = sk_X509_new_null();
        if (root == NULL || trusted == NULL || sk_X509_push(trusted, root) == 0) {
            note(session, WM_E_UNTRUSTED,
                 "none of the certificates that it shows is the root that was named");
            X509_STORE_CTX_set_error(x, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
            goto out;
        }
        X509_STORE_CTX_set0_trusted_stack(x, trusted);
    }
    good = judge_chain(session, x) && judge_leaf(session, x, leaf);
out:
    sk_X509_free(trusted); /* the certificate is the chain's */
    return good;
}

/* ---- failures of the protocol ---- */

/* What the other end's alert says of us, or NULL. */
static const char *alert_clause(int reason)
{
    switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "it wants a certificate from us";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        return "it says that our certificate is revoked";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "it says that our certificate has expired";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "it does not trust the authority that issued our certificate";
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return "it says that our certificate has the wrong usage";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return "it does not accept our certificate";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "it does not speak TLS 1.3";
    default:
        return NULL;
    }
}

static void note_protocol(wm_tls_session *session, unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    const char *alert = alert_clause(reason);
    const char *text = ERR_reason_error_string(code);

    if (alert != NULL)
        note(session, WM_E_REFUSED, "%s", alert);
    else if (reason > SSL_AD_REASON_OFFSET && ERR_GET_LIB(code) == ERR_LIB_SSL)
        note(session, WM_E_REFUSED, "it broke off the TLS handshake (%s)",
             text != NULL ? text : "no reason given");
    else if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW)
        note(session, WM_E_UNTRUSTED, "it does not speak TLS 1.3");
    else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        note(session, WM_E_UNTRUSTED, "it showed no certificate");
    else if (reason == SSL_R_HTTP_REQUEST)
        note(session, WM_E_UNTRUSTED, "it speaks HTTP");
    else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_RECORD_LENGTH_MISMATCH ||
             reason == SSL_R_PACKET_LENGTH_TOO_LONG)
        note(session, WM_E_UNTRUSTED, "what it sends is not TLS 1.3");
    else
        note(session, WM_E_UNTRUSTED, "TLS failed: %s", text != NULL ? text : "no reason given");
}

static wm_tls_step step_of(wm_tls_session *session, int ret)
{
    unsigned long code = ERR_peek_error();
    int what = ret == 1 ? SSL_ERROR_NONE : SSL_get_error(session->ssl, ret);
    wm_tls_step step = WM_TLS_ENDED;

    switch (what) {
    case SSL_ERROR_NONE:
        step = WM_TLS_DONE;
        break;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        step = WM_TLS_AGAIN;
        break;
    case SSL_ERROR_SSL:
        if (ERR_GET_REASON(code) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            note_protocol(session, code);
            step = WM_TLS_FAILED;
        }
        break;
    default: /* a good-bye, or the transport's end */
        break;
    }
    ERR_clear_error();
    return step;
}

/* ---- life ---- */

/* Dates are judged by our own idea of the time; names by OpenSSL's matching, DNS or address. */
static bool set_expectations(const wm_tls *tls, SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    int64_t now_ms = atomic_load(&tls->now_ms);

    if (now_ms == WM_TLS_NO_DATES)
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
    else if (now_ms != WM_TLS_CLOCK)
        X509_VERIFY_PARAM_set_time(param, (time_t)(now_ms / 1000));
    if (tls->side == WM_TLS_SERVER)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ||
           (X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1);
}

wm_status wm_tls_session_new(wm_tls *tls, const char *server_name, BIO *bio, wm_tls_session **ret,
                             wm_error *err)
{
    const char *name = tls->server_name != NULL ? tls->server_name : server_name;
    wm_tls_session *session = calloc(1, sizeof *session);
    SSL_CTX *ctx = wm_tls_context(tls);
    wm_status st = WM_OK;

    ERR_clear_error();
    if (session == NULL || (session->ssl = SSL_new(ctx)) == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for a TLS connection");
        goto out;
    }
    session->tls = tls;
    wm_tls_hold(tls);
    SSL_set_app_data(session->ssl, session);
    if (tls->side == WM_TLS_CLIENT && (name == NULL || name[0] == '\0')) {
        st = wm_fail(err, WM_E_INVALID, "a client must know what name the server's certificate carries");
        goto out;
    }
    if (!set_expectations(tls, session->ssl, name)) {
        st = wm_fail(err, WM_E_INVALID, "'%s' is neither a host name nor an address", name);
        goto out;
    }
    SSL_set_bio(session->ssl, bio, bio);
    if (tls->side == WM_TLS_SERVER)
        SSL_set_accept_state(session->ssl);
    else
        SSL_set_connect_state(session->ssl);
    *ret = session;
    session = NULL;
out:
    SSL_CTX_free(ctx); /* the SSL holds its own */
    wm_tls_session_free(session);
    ERR_clear_error();
    return st;
}

void wm_tls_session_free(wm_tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    wm_tls_free(session->tls);
    free(session);
}

/* ---- use ---- */

wm_tls_step wm_tls_session_handshake(wm_tls_session *session)
{
    ERR_clear_error();
    return step_of(session, SSL_do_handshake(session->ssl));
}

wm_tls_step wm_tls_session_read(wm_tls_session *session, void *bytes, size_t *n)
{
    ERR_clear_error();
    return step_of(session, SSL_read_ex(session->ssl, bytes, *n, n));
}

wm_tls_step wm_tls_session_write(wm_tls_session *session, const void *bytes, size_t *n)
{
    ERR_clear_error();
    return step_of(session, SSL_write_ex(session->ssl, bytes, *n, n));
}

void wm_tls_session_close(wm_tls_session *session)
{
    if (!SSL_is_init_finished(session->ssl) || session->failure.status != WM_OK)
        return;
    ERR_clear_error();
    SSL_shutdown(session->ssl);
    ERR_clear_error();
}

bool wm_tls_session_peer(const wm_tls_session *session, wm_peer *ret)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    bool gateway = session->tls->side == WM_TLS_SERVER;
    const X509 *leaf;
    wm_peer peer = { 0 };

    if (!SSL_is_init_finished(session->ssl))
        return false;
    if (!(gateway && session->tls->anonymous)) {
        leaf = SSL_get0_peer_certificate(session->ssl);
        if (leaf == NULL || SSL_get_verify_result(session->ssl) != X509_V_OK ||
            !wm_peer_from(leaf, gateway, &peer))
            return false;
    }
    if (SSL_export_keying_material(session->ssl, peer.exporter.bytes, sizeof peer.exporter.bytes, label,
                                   sizeof label - 1, NULL, 0, 0) != 1)
        return false;
    *ret = peer;
    return true;
}

const wm_tls_failure *wm_tls_session_failure(const wm_tls_session *session)
{
    return &session->failure;
}
