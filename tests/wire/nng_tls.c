/* tests/wire/nng_tls.c
 *
 * nng's TLS framework (supplemental/tls/tls_common.c) owns the TCP stream and two 16 KiB buffers; the engine
 * turns plain bytes into records and back. It runs only inside calls from the framework, under that
 * connection's lock, on any of nng's threads. What was learned the hard way:
 *
 *   - Never return NNG_ECLOSED or NNG_ECANCELED: some users of nng's streams stop for good (nng #1518).
 *   - fini may run on a zeroed connection, whose init was never called: a dial that failed.
 *   - recv and send are called before the handshake is over, and carry it on.
 *   - nng must have been started before the engine is registered, or nng's start replaces it with mbed TLS.
 *
 * Which wm_tls a new configuration is for has no place in nng's interface; it travels by the fact that nng calls the
 * engine on the caller's own thread, before it returns: in a thread-local pointer. */
#include "tests/wire/nng_tls.h"

#include <nng/supplemental/tls/engine.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct nng_tls_engine_config {
    wm_tls *tls;         /* held; NULL in the configuration that nng makes for itself and nobody uses */
    char   *server_name; /* owned, may be NULL */
};

struct nng_tls_engine_conn {
    wm_tls_session *session; /* NULL before init */
};

static _Thread_local wm_tls *configuring; /* by nng_tls_config_of */

/* Made once by start_once, then read only: nng's engine is a thing of the process. */
static struct {
    pthread_once_t once;
    BIO_METHOD    *bio;
    int            rv;
} process = { .once = PTHREAD_ONCE_INIT };

/* ---- bytes to and from the framework ---- */

static int bio_write(BIO *bio, const char *bytes, int n)
{
    size_t size = (size_t)n;
    int    rv = nng_tls_engine_send(BIO_get_data(bio), (const uint8_t *)bytes, &size);

    BIO_clear_retry_flags(bio);
    if (rv == NNG_EAGAIN)
        BIO_set_retry_write(bio);
    return rv == 0 ? (int)size : -1;
}

static int bio_read(BIO *bio, char *bytes, int n)
{
    size_t size = (size_t)n;
    int    rv = nng_tls_engine_recv(BIO_get_data(bio), (uint8_t *)bytes, &size);

    BIO_clear_retry_flags(bio);
    if (rv == NNG_EAGAIN)
        BIO_set_retry_read(bio);
    return rv == 0 ? (int)size : -1;
}

static long bio_ctrl(BIO *bio, int command, long n, void *p)
{
    (void)bio;
    (void)n;
    (void)p;
    return command == BIO_CTRL_FLUSH;
}

static int nng_error(wm_tls_step step)
{
    switch (step) {
    case WM_TLS_DONE:
        return 0;
    case WM_TLS_AGAIN:
        return NNG_EAGAIN;
    case WM_TLS_FAILED:
        return NNG_EPEERAUTH;
    case WM_TLS_ENDED:
        break;
    }
    return NNG_ECONNSHUT;
}

/* ---- configurations ---- */

static int config_init(nng_tls_engine_config *config, nng_tls_mode mode)
{
    (void)mode;
    config->tls = configuring;
    if (config->tls != NULL)
        wm_tls_hold(config->tls);
    return 0;
}

static void config_fini(nng_tls_engine_config *config)
{
    wm_tls_free(config->tls);
    free(config->server_name);
}

static int config_server(nng_tls_engine_config *config, const char *name)
{
    char *copy = strdup(name);

    if (copy == NULL)
        return NNG_ENOMEM;
    free(config->server_name);
    config->server_name = copy;
    return 0;
}

/* Everything else is settled in the wm_tls; nobody in this program calls these. */
static int config_auth(nng_tls_engine_config *config, nng_tls_auth_mode mode)
{
    (void)config;
    (void)mode;
    return NNG_ENOTSUP;
}

static int config_ca_chain(nng_tls_engine_config *config, const char *ca, const char *crl)
{
    (void)config;
    (void)ca;
    (void)crl;
    return NNG_ENOTSUP;
}

static int config_own_cert(nng_tls_engine_config *config, const char *chain, const char *key, const char *password)
{
    (void)config;
    (void)chain;
    (void)key;
    (void)password;
    return NNG_ENOTSUP;
}

static int config_version(nng_tls_engine_config *config, nng_tls_version least, nng_tls_version most)
{
    (void)config;
    (void)least;
    return most < NNG_TLS_1_3 ? NNG_ENOTSUP : 0;
}

/* ---- connections ---- */

static int conn_init(nng_tls_engine_conn *conn, void *transport, nng_tls_engine_config *config)
{
    BIO *bio;

    if (config->tls == NULL)
        return NNG_ECRYPTO;
    if ((bio = BIO_new(process.bio)) == NULL)
        return NNG_ENOMEM;
    BIO_set_data(bio, transport);
    BIO_set_init(bio, 1);
    if (wm_tls_session_new(config->tls, config->server_name, bio, &conn->session, NULL) != WM_OK) {
        BIO_free(bio);
        return NNG_ECRYPTO;
    }
    return 0;
}

static void conn_fini(nng_tls_engine_conn *conn)
{
    wm_tls_session_free(conn->session);
    conn->session = NULL;
}

static void conn_close(nng_tls_engine_conn *conn)
{
    if (conn->session != NULL)
        wm_tls_session_close(conn->session);
}

static int conn_handshake(nng_tls_engine_conn *conn)
{
    return nng_error(wm_tls_session_handshake(conn->session));
}

static int conn_recv(nng_tls_engine_conn *conn, uint8_t *bytes, size_t *n)
{
    return nng_error(wm_tls_session_read(conn->session, bytes, n));
}

static int conn_send(nng_tls_engine_conn *conn, const uint8_t *bytes, size_t *n)
{
    return nng_error(wm_tls_session_write(conn->session, bytes, n));
}

static bool conn_verified(nng_tls_engine_conn *conn)
{
    wm_peer peer;

    return conn->session != NULL && wm_tls_session_peer(conn->session, &peer);
}

/* nng's tables are not const, but it does not write to them. */
static nng_tls_engine_config_ops config_ops = {
    .size = sizeof(nng_tls_engine_config),
    .init = config_init,
    .fini = config_fini,
    .server = config_server,
    .auth = config_auth,
    .ca_chain = config_ca_chain,
    .own_cert = config_own_cert,
    .version = config_version,
};

static nng_tls_engine_conn_ops conn_ops = {
    .size = sizeof(nng_tls_engine_conn),
    .init = conn_init,
    .fini = conn_fini,
    .close = conn_close,
    .handshake = conn_handshake,
    .recv = conn_recv,
    .send = conn_send,
    .verified = conn_verified,
};

static const nng_tls_engine engine = {
    .version = NNG_TLS_ENGINE_VERSION,
    .config_ops = &config_ops,
    .conn_ops = &conn_ops,
    .name = "openssl",
    .description = "OpenSSL 3, TLS 1.3 only",
};

/* ---- what a test sees ---- */

static void start_once(void)
{
    process.bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nng stream");
    if (process.bio == NULL) {
        process.rv = NNG_ENOMEM;
        return;
    }
    BIO_meth_set_write(process.bio, bio_write);
    BIO_meth_set_read(process.bio, bio_read);
    BIO_meth_set_ctrl(process.bio, bio_ctrl);
    (void)nng_tls_engine_name(); /* starts nng */
    process.rv = nng_tls_engine_register(&engine);
}

nng_tls_config *nng_tls_config_of(wm_tls *tls, const char *server_name)
{
    nng_tls_config *config = NULL;

    pthread_once(&process.once, start_once);
    assert_int_equal(process.rv, 0);
    configuring = tls;
    assert_int_equal(nng_tls_config_alloc(&config, NNG_TLS_MODE_CLIENT), 0);
    configuring = NULL;
    assert_int_equal(nng_tls_config_server_name(config, server_name), 0);
    return config;
}
