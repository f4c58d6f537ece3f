/* common/crypto/tls_session.c
 *
 * One connection, and the verdict on its peer. OpenSSL's error queue belongs to the thread, and the
 * transport's threads are shared by all connections: so it is cleared before each call, or one connection's
 * error would be read as another's. */
#include "common/crypto/tls_session.h"

#include "common/crypto/chain.h"
#include "common/crypto/openssl.h"
#include "common/crypto/tls_private.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wm_tls_session {
    wm_tls        *tls; /* held */
    SSL           *ssl;
    char          *server_name; /* owned; what the server's certificate must carry; NULL on the server */
    bool           through;     /* the handshake was over once: whoever speaks is whom we verified */
    bool           judged;      /* its certificate holds: peer is set, but for the exporter */
    wm_peer        peer;
    wm_tls_failure failure;
};

/* The first reason counts: what comes after it are its consequences. */
__attribute__((format(printf, 3, 4))) static void note(wm_tls_session *session, wm_status status, const char *fmt,
                                                       ...)
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

static wm_peer peer_of(const wm_certificate_facts *facts)
{
    wm_peer peer = { .serial = facts->serial,
                     .certificate = facts->digest,
                     .key = facts->key,
                     .not_after_ms = facts->not_after_ms };

    memcpy(peer.name, facts->name, sizeof peer.name);
    return peer;
}

/* What it must be that the other end shows. */
static wm_chain_rule rule_of(const wm_tls_session *session, wm_certificate *root)
{
    const wm_tls *tls = session->tls;
    wm_chain_rule rule = { .root = root, .name = session->server_name, .wall_ms = wm_tls_now(tls) };

    rule.purpose = tls->side == WM_TLS_SERVER ? WM_PURPOSE_GATEWAY : WM_PURPOSE_SERVER;
    rule.ignore_dates = rule.wall_ms == 0;
    return rule;
}

/* What OpenSSL makes into an alert for the other end, so that its log says something, too. */
static int alert_code(const wm_chain_rule *rule, const wm_certificate_facts *facts)
{
    if (!(rule->purpose == WM_PURPOSE_SERVER ? facts->for_server : facts->for_gateway))
        return X509_V_ERR_INVALID_PURPOSE;
    if (!rule->ignore_dates && rule->wall_ms > facts->not_after_ms)
        return X509_V_ERR_CERT_HAS_EXPIRED;
    return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
}

/* X509_V_OK, or what to tell the other end; our own log has the sentence. */
static int judge(wm_tls_session *session, const wm_chain *shown)
{
    const wm_tls        *tls = session->tls;
    wm_certificate      *root = tls->root;
    wm_certificate_facts facts = { .n_names = 0 };
    wm_chain_rule        rule;
    wm_peer              peer;
    wm_error             err;
    char                 why[WM_TLS_WHY] = "it is not allowed";

    if (tls->has_pin && wm_chain_find_root(shown, &tls->pin, &root, &err) != WM_OK) {
        note(session, WM_E_UNTRUSTED, "%s", err.text);
        return X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
    }
    rule = rule_of(session, root);
    if (wm_chain_check(shown, &rule, &facts, &err) != WM_OK) {
        memcpy(session->failure.name, facts.name, sizeof facts.name);
        note(session, WM_E_UNTRUSTED, "%s", err.text);
        return alert_code(&rule, &facts);
    }
    peer = peer_of(&facts);
    memcpy(session->failure.name, peer.name, sizeof peer.name);
    if (wm_tls_allows(tls, &peer, why, sizeof why)) {
        session->peer = peer;
        session->judged = true;
        return X509_V_OK;
    }
    note(session, WM_E_UNTRUSTED, "%s", why);
    return tls->side == WM_TLS_SERVER ? X509_V_ERR_CERT_REVOKED : X509_V_ERR_APPLICATION_VERIFICATION;
}

int wm_tls_judge(X509_STORE_CTX *x, void *unused)
{
    SSL            *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
    const wm_chain *shown = X509_STORE_CTX_get0_untrusted(x); /* as it came, the leaf first */
    int             code = X509_V_ERR_UNSPECIFIED;

    (void)unused;
    if (shown != NULL && wm_chain_size(shown) > 0)
        code = judge(SSL_get_app_data(ssl), shown);
    X509_STORE_CTX_set_error(x, code);
    return code == X509_V_OK;
}

/* ---- failures of the protocol ---- */

/* What the other end's alert says of us. */
typedef struct alert {
    int         reason;
    const char *clause;
    wm_status   status; /* if it comes from somebody whose own certificate holds; otherwise WM_E_REFUSED */
} alert;

static const alert alerts[] = {
    { SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "it wants a certificate from us", WM_E_REFUSED },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "it says that our certificate is revoked", WM_E_REVOKED },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "it says that our certificate has expired", WM_E_EXPIRED },
    { SSL_R_TLSV1_ALERT_UNKNOWN_CA, "it does not trust the authority that issued our certificate", WM_E_REFUSED },
    { SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "it says that our certificate has the wrong usage", WM_E_REFUSED },
    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "it does not accept our certificate", WM_E_REFUSED },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "it does not accept our certificate", WM_E_REFUSED },
    { SSL_R_TLSV1_ALERT_ACCESS_DENIED, "it does not accept our certificate", WM_E_REFUSED },
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "it does not speak TLS 1.3", WM_E_REFUSED },
};

static const alert *find_alert(int reason)
{
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (alerts[i].reason == reason)
            return &alerts[i];
    return NULL;
}

static void note_protocol(wm_tls_session *session, unsigned long code)
{
    int          reason = ERR_GET_REASON(code);
    const alert *said = find_alert(reason);
    const char  *text = ERR_reason_error_string(code);

    /* An alert that comes before our handshake is through may be anybody's who sits on the way. */
    if (said != NULL)
        note(session, session->through ? said->status : WM_E_REFUSED, "%s", said->clause);
    else if (reason > SSL_AD_REASON_OFFSET && ERR_GET_LIB(code) == ERR_LIB_SSL)
        note(session, WM_E_REFUSED, "it broke off the TLS handshake (%s)", text != NULL ? text : "no reason given");
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

/* SSL_get_error wants this thread's queue empty before each step. It nearly always is: to look costs a fraction of what
 * clearing its 16 places does, which was 2 per cent of an aggregator's time. */
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static wm_tls_step step_of(wm_tls_session *session, int ret)
{
    unsigned long code = ERR_peek_error();
    int           what = ret == 1 ? SSL_ERROR_NONE : SSL_get_error(session->ssl, ret);
    wm_tls_step   step = WM_TLS_ENDED;

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
    clear_errors();
    return step;
}

/* ---- life ---- */

/* An alert that follows at once resets what SSL_is_init_finished says. */
static void note_through(const SSL *ssl, int where, int unused)
{
    (void)unused;
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0)
        ((wm_tls_session *)SSL_get_app_data(ssl))->through = true;
}

/* RFC 6066: addresses are not said in the ClientHello, names are. */
static bool is_address(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

wm_status wm_tls_session_new(wm_tls *tls, const char *server_name, BIO *bio, wm_tls_session **ret, wm_error *err)
{
    bool            client = tls->side == WM_TLS_CLIENT;
    const char     *name = tls->server_name != NULL ? tls->server_name : server_name;
    wm_tls_session *session;
    SSL_CTX        *ctx;
    wm_status       st = WM_OK;

    if (client && (name == NULL || !wm_server_name_ok(name)))
        return wm_fail(err, WM_E_INVALID, "\"%.80s\" is no server's name or address", name != NULL ? name : "");
    if ((session = calloc(1, sizeof *session)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a TLS connection");
    ctx = wm_tls_context(tls);
    session->tls = tls;
    wm_tls_hold(tls);
    session->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx); /* the SSL holds its own */
    if (session->ssl == NULL || (client && (session->server_name = strdup(name)) == NULL) ||
        (client && !is_address(name) && SSL_set_tlsext_host_name(session->ssl, name) != 1)) {
        st = wm_openssl_fail(err, WM_E_NOMEM, "no memory for a TLS connection");
        wm_tls_session_free(session);
        return st;
    }
    SSL_set_app_data(session->ssl, session);
    SSL_set_info_callback(session->ssl, note_through);
    SSL_set_bio(session->ssl, bio, bio);
    if (client)
        SSL_set_connect_state(session->ssl);
    else
        SSL_set_accept_state(session->ssl);
    *ret = session;
    return WM_OK;
}

void wm_tls_session_free(wm_tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    wm_tls_free(session->tls);
    free(session->server_name);
    free(session);
}

/* ---- use ---- */

wm_tls_step wm_tls_session_handshake(wm_tls_session *session)
{
    clear_errors();
    return step_of(session, SSL_do_handshake(session->ssl));
}

wm_tls_step wm_tls_session_read(wm_tls_session *session, void *bytes, size_t *n)
{
    clear_errors();
    return step_of(session, SSL_read_ex(session->ssl, bytes, *n, n));
}

wm_tls_step wm_tls_session_write(wm_tls_session *session, const void *bytes, size_t *n)
{
    clear_errors();
    return step_of(session, SSL_write_ex(session->ssl, bytes, *n, n));
}

void wm_tls_session_close(wm_tls_session *session)
{
    if (!SSL_is_init_finished(session->ssl) || session->failure.status != WM_OK)
        return;
    clear_errors();
    SSL_shutdown(session->ssl);
    clear_errors();
}

bool wm_tls_session_peer(const wm_tls_session *session, wm_peer *ret)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    bool              anonymous = session->tls->side == WM_TLS_SERVER && session->tls->anonymous;
    wm_peer           peer = session->peer;

    if (!SSL_is_init_finished(session->ssl) ||
        (!anonymous && (!session->judged || SSL_get_verify_result(session->ssl) != X509_V_OK)))
        return false;
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
