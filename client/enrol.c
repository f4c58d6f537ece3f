/* client/enrol.c */
#include "client/enrol.h"

#include "common/wire/envelope.h"
#include "common/wire/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 20 * 1000 };

wm_status wm_identity_tls(const wm_identity *identity, wm_tls **ret, wm_error *err)
{
    /* No clock: dates are ignored until wm_tls_set_now tells what a server has said. */
    return wm_tls_new(
        &(wm_tls_settings){
            .side = WM_TLS_CLIENT, .chain = identity->chain, .key = identity->key, .root = identity->root },
        ret, err);
}

wm_status wm_client_urls(const wm_client_config *config, int64_t port, char ***ret, size_t *n, wm_error *err)
{
    char **urls = calloc(config->servers.count > 0 ? config->servers.count : 1, sizeof *urls);
    size_t i = 0;

    for (; urls != NULL && i < config->servers.count; i++) {
        const char *host = config->servers.items[i];
        bool        v6 = strchr(host, ':') != NULL && host[0] != '[';

        if (asprintf(&urls[i], v6 ? "tls+tcp://[%s]:%lld" : "tls+tcp://%s:%lld", host, (long long)port) < 0)
            break;
    }
    if (urls == NULL || i < config->servers.count) {
        wm_names_free(urls, urls != NULL ? i : 0);
        return wm_fail(err, WM_E_NOMEM, "no memory for the servers' addresses");
    }
    *ret = urls;
    *n = i;
    return WM_OK;
}

/* ---- one question to an enrolment listener ---- */

/* `enrol` is sent over `tls` to the first of urls[n] that answers; *answer is given back by wm_envelope_free. */
static wm_status ask_enrolment(const char *const *urls, size_t n, wm_tls *tls, Wm__Enrol *enrol,
                               Wm__Envelope **answer, wm_error *err)
{
    wm_caller_settings settings = { .urls = urls, .n_urls = n, .tls = tls, .reply_max = WM_CONTROL_BYTES_MAX };
    Wm__Envelope       question = wm_envelope();
    wm_caller         *caller;
    uint64_t           come_back_ms;
    wm_status          st = wm_caller_new(&settings, &caller, err);

    if (st != WM_OK)
        return st;
    question.body_case = WM__ENVELOPE__BODY_ENROL;
    question.enrol = enrol;
    /* One try for each address: a token's secret is told to no more servers than need be. */
    for (size_t i = 0; i < n; i++) {
        st = wm_ask(caller, WM_CONTROL_BYTES_MAX, &question, ANSWER_MS, answer, &come_back_ms, err);
        if (st != WM_E_IO && st != WM_E_TIMEOUT && st != WM_E_CLOSED)
            break;
    }
    wm_caller_free(caller);
    if (st == WM_OK && (*answer)->body_case != WM__ENVELOPE__BODY_CERTIFICATE) {
        wm_envelope_free(*answer);
        *answer = NULL;
        st = wm_fail(err, WM_E_MALFORMED, "the server's answer is not a certificate");
    }
    return st;
}

/* ---- enrolment ---- */

static void token_urls(const wm_token *token, char urls[WM_TOKEN_ADDRESSES][WM_ADDRESS_TEXT + 16],
                       const char *list[WM_TOKEN_ADDRESSES])
{
    for (size_t i = 0; i < token->n_addresses; i++) {
        snprintf(urls[i], WM_ADDRESS_TEXT + 16, "tls+tcp://%s", token->addresses[i]);
        list[i] = urls[i];
    }
}

/* client.yaml with the token's hosts and the ports that the server named; one that is there is left alone. */
static wm_status write_config(const wm_files *files, const char *folder, const wm_token *token,
                              const Wm__Certificate *answer, wm_error *err)
{
    char        hosts[WM_TOKEN_ADDRESSES][WM_HOST_TEXT];
    const char *list[WM_TOKEN_ADDRESSES];
    uint16_t    port = 0;
    char       *path = wm_path_join(folder, "client.yaml");
    bool        there = path != NULL && files->exists(files, path);

    free(path);
    if (there)
        return WM_OK;
    for (size_t i = 0; i < token->n_addresses; i++) {
        wm_address_split(token->addresses[i], hosts[i], &port);
        list[i] = hosts[i];
    }
    return wm_client_config_write(files, folder, list, token->n_addresses,
                                  answer->control_port > 0 ? (int)answer->control_port : 7400,
                                  answer->bulk_port > 0 ? (int)answer->bulk_port : 7401, port, err);
}

static wm_status enrol_by(const wm_token *token, const wm_files *files, const char *folder, wm_error *err)
{
    char            urls[WM_TOKEN_ADDRESSES][WM_ADDRESS_TEXT + 16];
    const char     *list[WM_TOKEN_ADDRESSES];
    wm_tls_settings settings = { .side = WM_TLS_CLIENT, .pin = &token->root };
    wm_tls         *tls = NULL;
    wm_key         *key = NULL;
    Wm__Enrol      *message = NULL;
    Wm__Envelope   *answer = NULL;
    wm_identity     identity = { 0 };
    wm_status       st;

    token_urls(token, urls, list);
    if ((st = wm_tls_new(&settings, &tls, err)) != WM_OK ||
        (st = wm_identity_next_key(NULL, files, folder, &key, err)) != WM_OK ||
        (st = wm_enrol_message(token, key, &message, err)) != WM_OK ||
        (st = ask_enrolment(list, token->n_addresses, tls, message, &answer, err)) != WM_OK)
        goto out;
    st = wm_identity_accept(answer->certificate, key, token->name, &token->root, &identity, err);
    if (st != WM_OK)
        goto out;
    key = NULL; /* the identity's now */
    st = write_config(files, folder, token, answer->certificate, err);
    if (st == WM_OK)
        st = wm_identity_save(&identity, files, folder, err);
out:
    wm_identity_release(&identity);
    if (answer != NULL)
        wm_envelope_free(answer);
    wm_enrol_message_free(message);
    wm_key_free(key);
    wm_tls_free(tls);
    return st;
}

wm_status wm_enrol(const wm_files *files, const char *folder, const char *text, size_t n, char name[WM_NAME_TEXT],
                   wm_error *err)
{
    wm_identity identity = { 0 };
    wm_token    token;
    wm_status   st = wm_token_decode(text, n, &token, err);

    if (st != WM_OK)
        return st;
    if (wm_identity_load(files, folder, &identity, NULL) == WM_OK) {
        st = wm_fail(err, WM_E_EXISTS,
                     "%s is enrolled already, as \"%s\"; choose another folder, or remove identity.pem "
                     "to enrol anew",
                     folder, identity.facts.name);
        wm_identity_release(&identity);
        wm_token_wipe(&token);
        return st;
    }
    st = files->make_folder(files, folder, 0700, err);
    if (st == WM_OK)
        st = enrol_by(&token, files, folder, err);
    if (st == WM_OK)
        snprintf(name, WM_NAME_TEXT, "%s", token.name);
    wm_token_wipe(&token);
    return st;
}

/* ---- renewal ---- */

/* Accepts the answer, keeps it, and puts it in *identity's place. */
static wm_status take_over(const wm_files *files, const char *folder, const Wm__Certificate *answer, wm_key *key,
                           wm_identity *identity, wm_error *err)
{
    wm_identity next = { 0 };
    wm_digest   root;
    wm_status   st = wm_certificate_digest(identity->root, &root, err);

    if (st == WM_OK)
        st = wm_identity_accept(answer, key, identity->facts.name, &root, &next, err);
    if (st != WM_OK) {
        wm_key_free(key);
        return st;
    }
    st = wm_identity_save(&next, files, folder, err);
    if (st != WM_OK) {
        wm_identity_release(&next);
        return st;
    }
    wm_identity_release(identity);
    *identity = next;
    return WM_OK;
}

wm_status wm_renew(const wm_files *files, const char *folder, wm_caller *control, wm_identity *identity,
                   uint64_t *come_back_ms, wm_error *err)
{
    Wm__Envelope question = wm_envelope(), *answer = NULL;
    Wm__Renew   *message = NULL;
    wm_key      *key;
    wm_status    st = wm_identity_next_key(identity, files, folder, &key, err);

    *come_back_ms = 0;
    if (st != WM_OK)
        return st;
    st = wm_renew_message(identity, key, &message, err);
    if (st == WM_OK) {
        question.body_case = WM__ENVELOPE__BODY_RENEW;
        question.renew = message;
        st = wm_ask(control, WM_CONTROL_BYTES_MAX, &question, ANSWER_MS, &answer, come_back_ms, err);
    }
    wm_renew_message_free(message);
    if (st == WM_OK && answer->body_case != WM__ENVELOPE__BODY_CERTIFICATE)
        st = wm_fail(err, WM_E_MALFORMED, "the server's answer to a renewal is not a certificate");
    if (st == WM_OK)
        st = take_over(files, folder, answer->certificate, key, identity, err);
    else
        wm_key_free(key);
    if (answer != NULL)
        wm_envelope_free(answer);
    return st;
}

wm_status wm_renew_late(const wm_files *files, const char *folder, const wm_client_config *config,
                        wm_identity *identity, wm_error *err)
{
    char        **urls = NULL;
    size_t        n = 0;
    wm_tls       *tls = NULL;
    wm_key       *key = NULL;
    Wm__Enrol    *message = NULL;
    Wm__Envelope *answer = NULL;
    wm_status     st = wm_client_urls(config, config->enrolment_port, &urls, &n, err);

    if (st != WM_OK)
        return st;
    /* The server's dates are not judged: whoever was away for so long does not know the time either. */
    if ((st = wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_CLIENT, .root = identity->root }, &tls, err)) !=
            WM_OK ||
        (st = wm_identity_next_key(identity, files, folder, &key, err)) != WM_OK ||
        (st = wm_enrol_late_message(identity, key, &message, err)) != WM_OK ||
        (st = ask_enrolment((const char *const *)urls, n, tls, message, &answer, err)) != WM_OK)
        goto out;
    st = take_over(files, folder, answer->certificate, key, identity, err);
    key = NULL;
out:
    if (answer != NULL)
        wm_envelope_free(answer);
    wm_enrol_message_free(message);
    wm_key_free(key);
    wm_tls_free(tls);
    wm_names_free(urls, n);
    return st;
}
