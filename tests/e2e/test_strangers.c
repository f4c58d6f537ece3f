/* tests/e2e/test_strangers.c
 *
 * Who must not get in: with an older TLS, without a certificate, with a foreign one, an expired or a revoked one, with a
 * token that was used, has expired or is another's; and a gateway that poses as the server. Each is refused, and a line of
 * a log says why. */
#include "tests/e2e/office.h"

#include "common/crypto/authority.h"
#include "common/crypto/identity.h"
#include "common/crypto/token.h"
#include "common/wire/caller.h"
#include "common/wire/listener.h"
#include "tests/wire/certificates.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

static int setup(void **state)
{
    office *o = office_begin(state, &(office_wish){ .n_gateways = 2, .rounds = 2 });

    office_server_start(o, NULL);
    return 0;
}

/* ---- certificates ---- */

/* A caller's TLS that believes this office, with that certificate. */
static wm_tls *tls_with(const office *o, wm_chain *chain, wm_key *key)
{
    char      path[4300];
    wm_chain *roots;
    wm_tls   *tls;
    wm_error  err;

    snprintf(path, sizeof path, "%s/root.pem", o->dir);
    assert_ok(wm_chain_load(wm_files_system(), path, &roots, &err), &err);
    assert_ok(
        wm_tls_new(
            &(wm_tls_settings){ .side = WM_TLS_CLIENT, .chain = chain, .key = key, .root = wm_chain_at(roots, 0) },
            &tls, &err),
        &err);
    wm_chain_free(roots);
    return tls;
}

/* Calls the control listener with it; must fail. */
static void is_turned_away(office *o, wm_tls *tls)
{
    char        url[64];
    const char *urls[] = { url };
    wm_caller  *caller;
    uint8_t    *reply;
    size_t      n;
    wm_error    err;
    wm_status   st;

    snprintf(url, sizeof url, "tls+tcp://localhost:%d", o->ports[OFFICE_CONTROL]);
    assert_ok(wm_caller_new(&(wm_caller_settings){ .urls = urls, .n_urls = 1, .tls = tls, .reply_max = 1000 },
                            &caller, &err),
              &err);
    st = wm_caller_call(caller, "x", 1, 20000, &reply, &n, &err);
    wm_caller_free(caller);
    if (st == WM_OK)
        office_fail(o, "somebody got in who must not");
}

static void without_a_certificate(void **state)
{
    office *o = *state;
    wm_tls *tls = tls_with(o, NULL, NULL);

    is_turned_away(o, tls);
    office_wait_text(o, o->server_log, "it showed no certificate");
    wm_tls_free(tls);
}

static void of_a_foreign_authority(void **state)
{
    office         *o = *state;
    test_authority *authority = test_authority_new("somebody else");
    test_identity   identity =
        test_issue(authority, &(test_wish){ .names = "DNS:harbour", .usage = "clientAuth", .serial = 7 });
    wm_tls *tls = tls_with(o, identity.chain, identity.key);

    is_turned_away(o, tls);
    office_wait_text(o, o->server_log, "name=harbour");
    office_wait_text(o, o->server_log, "connection refused");
    wm_tls_free(tls);
    test_identity_release(&identity);
    test_authority_free(authority);
}

/* One that the office's own authority has issued, as long ago as is said. */
static void issue(office *o, wm_purpose purpose, int64_t ago_ms, int64_t life_ms, wm_chain **chain, wm_key **key)
{
    char            path[4300];
    const char     *name = "harbour";
    wm_key         *issuing_key;
    wm_chain       *issuing;
    wm_certificate *made, *list[2];
    wm_clock        clock = wm_clock_system();
    wm_authority    authority;
    wm_error        err;

    snprintf(path, sizeof path, "%s/issuer/issuing.key", o->dir);
    assert_ok(wm_key_load(wm_files_system(), path, &issuing_key, &err), &err);
    snprintf(path, sizeof path, "%s/issuer/issuing.pem", o->dir);
    assert_ok(wm_chain_load(wm_files_system(), path, &issuing, &err), &err);
    assert_ok(wm_key_new(key, &err), &err);
    authority = (wm_authority){ .key = issuing_key, .certificate = wm_chain_at(issuing, 0) };
    assert_ok(wm_authority_issue(&authority,
                                 &(wm_certificate_order){ .key = *key,
                                                          .purpose = purpose,
                                                          .names = &name,
                                                          .n_names = 1,
                                                          .wall_ms = wm_wall_ms(&clock) - ago_ms,
                                                          .life_ms = life_ms },
                                 &made, &err),
              &err);
    list[0] = made;
    list[1] = authority.certificate;
    assert_ok(wm_chain_of(list, 2, chain, &err), &err);
    wm_certificate_free(made);
    wm_chain_free(issuing);
    wm_key_free(issuing_key);
}

static void that_has_expired(void **state)
{
    office   *o = *state;
    wm_chain *chain;
    wm_key   *key;
    wm_tls   *tls;

    issue(o, WM_PURPOSE_GATEWAY, 60 * 1000, 30 * 1000, &chain, &key);
    tls = tls_with(o, chain, key);
    is_turned_away(o, tls);
    office_wait_text(o, o->server_log, "expired");
    wm_tls_free(tls);
    wm_chain_free(chain);
    wm_key_free(key);
}

static void that_is_a_servers(void **state)
{
    office   *o = *state;
    wm_chain *chain;
    wm_key   *key;
    wm_tls   *tls;

    issue(o, WM_PURPOSE_SERVER, 0, WM_DAY_MS, &chain, &key);
    tls = tls_with(o, chain, key);
    is_turned_away(o, tls);
    office_wait_text(o, o->server_log, "gateway");
    office_wait_text(o, o->server_log, "connection refused");
    wm_tls_free(tls);
    wm_chain_free(chain);
    wm_key_free(key);
}

/* ---- TLS 1.2 ---- */

static void with_tls_1_2(void **state)
{
    office            *o = *state;
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)o->ports[OFFICE_CONTROL]),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    SSL_CTX           *ctx = SSL_CTX_new(TLS_client_method());
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL               *ssl = SSL_new(ctx);

    assert_int_equal(SSL_set_max_proto_version(ssl, TLS1_2_VERSION), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    SSL_set_fd(ssl, fd);
    assert_int_not_equal(SSL_connect(ssl), 1);
    office_wait_text(o, o->server_log, "it does not speak TLS 1.3");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
}

/* ---- a gateway as the server ---- */

static void drop(void *context, wm_request *request)
{
    (void)context;
    wm_request_drop(request);
}

/* It has a certificate of this very office, and its name is even the one that is dialled. */
static void as_the_server(void **state)
{
    office      *o = *state;
    char         folder[4300], path[4400], log[4300], text[256];
    wm_chain    *chain, *roots;
    wm_key      *key;
    wm_tls      *tls;
    wm_listener *listener;
    wm_error     err;

    office_enrol(o, 0);
    office_gateway_folder(o, 0, folder);
    issue(o, WM_PURPOSE_GATEWAY, 0, WM_DAY_MS, &chain, &key);
    snprintf(path, sizeof path, "%s/root.pem", o->dir);
    assert_ok(wm_chain_load(wm_files_system(), path, &roots, &err), &err);
    assert_ok(
        wm_tls_new(
            &(wm_tls_settings){ .side = WM_TLS_SERVER, .chain = chain, .key = key, .root = wm_chain_at(roots, 0) },
            &tls, &err),
        &err);
    assert_ok(wm_listener_start(
                  &(wm_listener_settings){
                      .url = "tls+tcp://127.0.0.1:0", .tls = tls, .request_max = 1000, .handle = drop },
                  &listener, &err),
              &err);
    snprintf(text, sizeof text, "%d", wm_listener_port(listener));
    office_client_yaml(o, 0, "control:", text);
    office_gateway_start(o, 0, NULL);
    office_gateway_log(o, 0, log);
    office_wait_text(o, log, "certificate");
    snprintf(text, sizeof text, "tls+tcp://localhost:%d", wm_listener_port(listener));
    office_wait_text(o, log, text);
    assert_false(office_has_text(log, "connected"));
    office_gateway_stop(o, 0);
    wm_listener_free(listener);
    wm_tls_free(tls);
    wm_chain_free(chain);
    wm_chain_free(roots);
    wm_key_free(key);
}

/* ---- revoked ---- */

static void revoked_while_it_is_connected(void **state)
{
    office *o = *state;
    char    log[4300];

    office_enrol_all(o);
    office_gateways_start(o);
    for (size_t k = 0; k < o->n_gateways; k++) {
        office_gateway_log(o, k, log);
        office_wait_text(o, log, "connected");
    }
    office_gateway_log(o, 0, log);
    office_do(o, NULL, WARDMOTE_SERVER, "revoke", o->dir, o->names[0], NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), "1 of its connections were closed"));
    office_wait_text(o, o->server_log, "\\\"harbour\\\" is revoked"); /* it has come again */
    office_wait_text(o, log, "revoked");
    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), "revoked"));
    assert_int_equal(office_run(o, NULL, WARDMOTE_SERVER, "token", o->dir, o->names[0], NULL), 1);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "revoked"));
    office_gateway_log(o, 1, log);
    assert_false(office_has_text(log, "revoked"));
}

/* ---- tokens ---- */

static char *new_token(office *o, const char *name, const char *ttl)
{
    char *token;

    office_do(o, NULL, WARDMOTE_SERVER, "token", o->dir, name, "--ttl", ttl, NULL);
    token = strdup(wm_text_chars(&o->output));
    assert_non_null(token);
    return token;
}

/* Enrolment into a new folder fails, and the server's log says why. */
static void is_refused(office *o, const char *folder, const char *token, const char *why)
{
    char path[4300];

    snprintf(path, sizeof path, "%s/%s", o->folder, folder);
    assert_int_equal(office_run(o, token, WARDMOTE_CLIENT, "enroll", path, "--token", "-", NULL), 1);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "token"));
    office_wait_text(o, o->server_log, why);
}

static void with_a_token_that_was_used(void **state)
{
    office *o = *state;
    char    path[4300], *token = new_token(o, "north", "15m");

    snprintf(path, sizeof path, "%s/first", o->folder);
    office_do(o, token, WARDMOTE_CLIENT, "enroll", path, "--token", "-", NULL);
    is_refused(o, "second", token, "the token of \\\"north\\\" was used already, with another key");
    free(token);
}

static bool is_past(office *o, void *context)
{
    wm_clock clock = wm_clock_system();

    (void)o;
    return wm_wall_ms(&clock) > *(const int64_t *)context;
}

static void with_a_token_that_has_expired(void **state)
{
    office  *o = *state;
    wm_clock clock = wm_clock_system();
    char    *token = new_token(o, "north", "1s");
    int64_t  end = wm_wall_ms(&clock) + 1000;

    office_wait(o, is_past, &end, "the token to expire");
    is_refused(o, "late", token, "the token of \\\"north\\\" has expired");
    free(token);
}

static void with_a_token_of_another_name(void **state)
{
    office  *o = *state;
    char     text[WM_TOKEN_TEXT], *given = new_token(o, "north", "15m");
    wm_token token;
    wm_error err;

    assert_ok(wm_token_decode(given, strlen(given), &token, &err), &err);
    strcpy(token.name, "harbour");
    assert_ok(wm_token_encode(&token, text, &err), &err);
    is_refused(o, "posing", text, "an enrolment as \\\"harbour\\\" with the token of \\\"north\\\"");
    token.secret[0] ^= 1;
    assert_ok(wm_token_encode(&token, text, &err), &err);
    is_refused(o, "guessing", text, "wrong secret");
    free(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_certificate),
        cmocka_unit_test(of_a_foreign_authority),
        cmocka_unit_test(that_has_expired),
        cmocka_unit_test(that_is_a_servers),
        cmocka_unit_test(with_tls_1_2),
        cmocka_unit_test(as_the_server),
        cmocka_unit_test(with_a_token_that_was_used),
        cmocka_unit_test(with_a_token_that_has_expired),
        cmocka_unit_test(with_a_token_of_another_name),
        /* with an office of its own, since it is without a gateway afterwards */
        cmocka_unit_test_setup_teardown(revoked_while_it_is_connected, setup, office_end),
    };

    return cmocka_run_group_tests(tests, setup, office_end);
}
