/* server/issuer/issuer.c */
#include "server/issuer/issuer.h"

#include "common/wire/envelope.h"
#include "server/issuer/issuing.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MINUTE_MS (60 * 1000ll)
/* A clock may be corrected by so much; more is a mistake that would revive tokens. */
#define CLOCK_SLACK_MS (5 * MINUTE_MS)
#define TROUBLE_MS     (30 * 1000)

static const struct {
    wm_status   status;
    const char *text;
} answers[] = {
    [WM_HEARS_TROUBLE] = { WM_E_CLOSED, "the data office cannot issue certificates now: come back later" },
    [WM_HEARS_TOKEN] = { WM_E_REFUSED, "this token opens nothing here: ask the data office for a new one" },
    [WM_HEARS_RENEWAL] = { WM_E_REFUSED, "this certificate cannot be renewed: ask the data office for a token" },
    [WM_HEARS_REQUEST] = { WM_E_MALFORMED, "this is not a request that can be answered" },
    [WM_HEARS_OFTEN] = { WM_E_FULL, "too many failed attempts from this address: come back later" },
    [WM_HEARS_EARLY] = { WM_E_REFUSED, "it is too early to renew this certificate" },
};

/* ---- open and close ---- */

static int64_t usual(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static void fill_settings(wm_issuer_settings *settings)
{
    settings->token_life_ms = usual(settings->token_life_ms, 15 * MINUTE_MS);
    settings->gateway_life_ms = usual(settings->gateway_life_ms, 7 * WM_DAY_MS);
    settings->server_life_ms = usual(settings->server_life_ms, 90 * WM_DAY_MS);
    settings->late_ms = usual(settings->late_ms, 30 * WM_DAY_MS);
    settings->tries = usual(settings->tries, 20);
    settings->try_every_ms = usual(settings->try_every_ms, 3000);
}

static wm_status take_lock(wm_issuer *issuer, const char *path, wm_error *err)
{
    issuer->lock_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (issuer->lock_fd < 0 && errno == ENOENT)
        return wm_fail(err, WM_E_MISSING, "there is no data office in %s: make one with `wardmote-server init`",
                       issuer->settings.folder);
    if (issuer->lock_fd < 0)
        return wm_fail(err, WM_E_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(issuer->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return wm_fail(err, WM_E_EXISTS, "another process is issuing for %s: ask that one, or stop it",
                       issuer->settings.folder);
    return WM_OK;
}

/* Key, own certificate and root, which must go together. */
static wm_status load_authority(wm_issuer *issuer, const char *key_path, const char *chain_path,
                                const char *root_path, wm_error *err)
{
    const wm_files      *files = issuer->settings.files;
    wm_chain            *chain = NULL, *roots = NULL;
    wm_certificate_facts facts;
    wm_digest            key;
    wm_status            st = wm_key_load(files, key_path, &issuer->authority.key, err);

    if (st == WM_OK)
        st = wm_chain_load(files, chain_path, &chain, err);
    if (st == WM_OK)
        st = wm_chain_load(files, root_path, &roots, err);
    if (st == WM_OK)
        st = wm_chain_encode(roots, &issuer->root_pem, &issuer->n_root_pem, err);
    if (st != WM_OK)
        goto out;
    issuer->root = wm_chain_take_last(roots);
    issuer->authority.certificate = wm_chain_take_last(chain);
    st = wm_key_digest(issuer->authority.key, &key, err);
    if (st == WM_OK && (st = wm_certificate_look(issuer->authority.certificate, &facts, err)) != WM_OK)
        wm_error_prefix(err, "%s is damaged, restore a backup", chain_path);
    if (st == WM_OK && (!wm_digest_equal(&key, &facts.key) ||
                        !wm_certificate_signed_by(issuer->authority.certificate, issuer->root)))
        st = wm_fail(err, WM_E_DAMAGED, "%s, %s and %s do not go together: restore a backup", key_path, chain_path,
                     root_path);
out:
    wm_chain_free(chain);
    wm_chain_free(roots);
    return st;
}

static wm_status check_clock(const wm_issuer *issuer, int64_t now_ms, wm_error *err)
{
    char now[WM_TIME_TEXT], latest[WM_TIME_TEXT];

    if (now_ms >= issuer->latest_ms - CLOCK_SLACK_MS)
        return WM_OK;
    return wm_fail(err, WM_E_INVALID,
                   "the clock says %s, but the last certificate or token is of %s: set the clock",
                   wm_time_text(now_ms, now), wm_time_text(issuer->latest_ms, latest));
}

static wm_status open_all(wm_issuer *issuer, char *const paths[5], wm_error *err)
{
    wm_status st;

    for (int i = 0; i < 5; i++)
        if (paths[i] == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    st = take_lock(issuer, paths[0], err);
    if (st == WM_OK)
        st = load_authority(issuer, paths[1], paths[2], paths[3], err);
    if (st == WM_OK)
        st = wm_issuer_store_open(paths[4], issuer->settings.vfs, &issuer->store, err);
    if (st == WM_OK)
        st = wm_issuer_store_latest(issuer->store, &issuer->latest_ms, err);
    return st == WM_OK ? check_clock(issuer, wm_wall_ms(&issuer->settings.clock), err) : st;
}

wm_status wm_issuer_open(const wm_issuer_settings *settings, wm_issuer **ret, wm_error *err)
{
    static const char *const names[5] = { "lock", "issuing.key", "issuing.pem", "root.pem", "issuer.db" };
    char                    *paths[5];
    wm_issuer               *issuer = calloc(1, sizeof *issuer);
    wm_status                st;

    if (issuer == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the issuer");
    pthread_mutex_init(&issuer->lock, NULL);
    issuer->lock_fd = -1;
    issuer->settings = *settings;
    fill_settings(&issuer->settings);
    wm_tries_init(&issuer->tries, issuer->settings.tries, issuer->settings.try_every_ms);
    for (int i = 0; i < 5; i++)
        paths[i] = wm_path_join(settings->folder, names[i]);
    st = open_all(issuer, paths, err);
    for (int i = 0; i < 5; i++)
        free(paths[i]);
    issuer->settings.folder = NULL; /* the caller's, and not needed any more */
    if (st == WM_OK)
        *ret = issuer;
    else
        wm_issuer_free(issuer);
    return st;
}

void wm_issuer_free(wm_issuer *issuer)
{
    if (issuer == NULL)
        return;
    wm_issuer_store_close(issuer->store);
    wm_key_free(issuer->authority.key);
    wm_certificate_free(issuer->authority.certificate);
    wm_certificate_free(issuer->root);
    free(issuer->root_pem);
    if (issuer->lock_fd >= 0)
        close(issuer->lock_fd); /* and with it the lock */
    pthread_mutex_destroy(&issuer->lock);
    free(issuer);
}

/* ---- the doors ---- */

static const struct {
    const char *name;
    bool        for_aggregator;
    wm_status (*handle)(wm_issuing *x);
} verbs[] = {
    [WM__ISSUE__VERB__TOKEN] = { "token", false, wm_issuing_token },
    [WM__ISSUE__VERB__ENROL] = { "enrol", true, wm_issuing_enrol },
    [WM__ISSUE__VERB__RENEW] = { "renew", true, wm_issuing_renew },
    [WM__ISSUE__VERB__SERVER] = { "server", true, wm_issuing_server },
    [WM__ISSUE__VERB__REVOKE] = { "revoke", true, wm_issuing_revoke },
    [WM__ISSUE__VERB__LIST] = { "list", true, wm_issuing_list },
};

static wm_status dispatch(wm_issuing *x, wm_door door)
{
    size_t    verb = (size_t)x->ask->verb;
    wm_status st;

    if (verb >= sizeof verbs / sizeof *verbs)
        return wm_refuse(x, WM_E_MALFORMED, WM_HEARS_REQUEST, "a request of an unknown kind, %zu", verb);
    if (door == WM_DOOR_AGGREGATOR && !verbs[verb].for_aggregator)
        return wm_refuse(x, WM_E_REFUSED, WM_HEARS_REQUEST,
                         "the aggregator asks for a %s, which is the operator's to ask", verbs[verb].name);
    st = check_clock(x->issuer, x->now_ms, &x->err);
    return st == WM_OK ? verbs[verb].handle(x) : st;
}

/* A source that keeps trying was named when it began; a flood of tokens must not become one of the log. */
static wm_log_level level_of(wm_hears hears)
{
    return hears == WM_HEARS_TROUBLE ? WM_LOG_ERROR : hears == WM_HEARS_OFTEN ? WM_LOG_DEBUG : WM_LOG_WARNING;
}

/* An empty answer that says only what failed. */
static wm_status answer_failure(wm_issuing *x, wm_status st)
{
    wm__issued__free_unpacked(x->reply, NULL);
    x->reply = malloc(sizeof *x->reply);
    if (x->reply == NULL)
        return wm_fail(&x->err, WM_E_NOMEM, "no memory for an answer");
    wm__issued__init(x->reply);
    if (x->hears == WM_HEARS_TROUBLE && x->come_back_ms == 0)
        x->come_back_ms = TROUBLE_MS;
    x->reply->code = (uint32_t)st;
    x->reply->answer_code = (uint32_t)answers[x->hears].status;
    x->reply->come_back_ms = (uint64_t)x->come_back_ms;
    if (!wm_put_text(&x->reply->text, x->err.text) || !wm_put_text(&x->reply->answer, answers[x->hears].text))
        return wm_fail(&x->err, WM_E_NOMEM, "no memory for an answer");
    wm_log_line(x->issuer->settings.log, level_of(x->hears), "issuer", x->err.text,
                WM_TEXT_FIELD("status", wm_status_name(st)), WM_TEXT_FIELD("source", x->ask->source));
    return WM_OK;
}

wm_status wm_issuer_handle(wm_issuer *issuer, wm_door door, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err)
{
    wm_issuing x = { .issuer = issuer, .ask = ask, .hears = WM_HEARS_TROUBLE };
    wm_status  st;

    x.reply = malloc(sizeof *x.reply);
    if (x.reply == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an answer");
    wm__issued__init(x.reply);
    pthread_mutex_lock(&issuer->lock);
    x.now_ms = wm_wall_ms(&issuer->settings.clock);
    st = dispatch(&x, door);
    if (st != WM_OK)
        st = answer_failure(&x, st);
    pthread_mutex_unlock(&issuer->lock);
    if (st == WM_OK)
        *ret = x.reply;
    else {
        wm_issued_free(x.reply);
        wm_fail(err, st, "%s", x.err.text);
    }
    return st;
}

void wm_issued_free(Wm__Issued *issued)
{
    if (issued == NULL)
        return;
    if (issued->text != NULL && issued->text[0] != '\0')
        wm_secret_wipe(issued->text, strlen(issued->text));
    wm__issued__free_unpacked(issued, NULL);
}

static wm_status pack(const Wm__Envelope *envelope, uint8_t **out, size_t *n_out, wm_error *err)
{
    size_t   n = wm_envelope_size(envelope);
    uint8_t *bytes = malloc(n);

    assert(n <= WM_ISSUER_MESSAGE); /* what the verbs put into an answer has its own limits */
    if (bytes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an answer of %zu bytes", n);
    *n_out = wm_envelope_pack(envelope, bytes);
    *out = bytes;
    return WM_OK;
}

/* The question in the bytes; *ret to issue_free. */
static wm_status unpack_issue(const uint8_t *in, size_t n_in, Wm__Envelope **ret, wm_error *err)
{
    Wm__Envelope *envelope;
    wm_status     st = wm_envelope_unpack(in, n_in, WM_ISSUER_MESSAGE, &envelope, err);

    if (st != WM_OK)
        return st;
    if (envelope->body_case != WM__ENVELOPE__BODY_ISSUE) {
        wm_envelope_free(envelope);
        return wm_fail(err, WM_E_MALFORMED, "a message that is no request to an issuer");
    }
    *ret = envelope;
    return WM_OK;
}

static void issue_free(Wm__Envelope *envelope)
{
    if (envelope->issue->enrol != NULL)
        wm_secret_wipe(envelope->issue->enrol->secret.data, envelope->issue->enrol->secret.len);
    wm_envelope_free(envelope);
}

wm_status wm_issuer_handle_bytes(wm_issuer *issuer, wm_door door, const uint8_t *in, size_t n_in, uint8_t **out,
                                 size_t *n_out, wm_error *err)
{
    Wm__Envelope *question = NULL, answer = wm_envelope();
    Wm__Issued   *issued = NULL;
    wm_fault      fault;
    wm_error      why;
    wm_status     st = unpack_issue(in, n_in, &question, &why);

    if (st != WM_OK) {
        wm_fault_init(&fault, st, why.text, 0);
        return pack(&fault.envelope, out, n_out, err);
    }
    st = wm_issuer_handle(issuer, door, question->issue, &issued, err);
    if (st == WM_OK) {
        answer.body_case = WM__ENVELOPE__BODY_ISSUED;
        answer.issued = issued;
        st = pack(&answer, out, n_out, err);
    }
    wm_issued_free(issued);
    issue_free(question);
    return st;
}

wm_status wm_issuer_allow_names(wm_issuer *issuer, const char *const *names, size_t n, wm_error *err)
{
    wm_status st = WM_OK;

    for (size_t i = 0; i < n; i++)
        if (!wm_server_name_ok(names[i]))
            return wm_fail(err, WM_E_INVALID, "\"%.80s\" is not a server's name: give a host name or an address",
                           names[i]);
    pthread_mutex_lock(&issuer->lock);
    st = wm_issuer_store_allow_names(issuer->store, names, n, err);
    pthread_mutex_unlock(&issuer->lock);
    return st;
}
