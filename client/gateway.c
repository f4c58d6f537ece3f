/* client/gateway.c */
#include "client/gateway.h"

#include "client/back_off.h"
#include "client/conversation.h"
#include "client/enrol.h"
#include "client/stop.h"
#include "common/memory.h"
#include "common/wire/envelope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAP_KEPT = 8 << 20, /* from round to round, a small model and its updates; at rest it is given back */
    POLL_MS = 25 * 1000, /* NAT mappings live for 30 s and more; the server answers within this */
    POLL_LEAST_MS = 250,
    REST_MS = 10 * 1000, /* a bulk connection that has rested for this long is closed */
    BEAT_MS = 5 * 1000,  /* the server hears from a gateway that works at least this often */
    LOCK_PATIENCE_MS = 3 * 1000,
    LOCK_PAUSE_MS = 50,
    SIGN_OFF_MS = 2000,
    RENEW_PAUSE_LEAST_MS = 1000,
    RENEW_PAUSE_MOST_MS = 3600 * 1000,
};

typedef struct gateway {
    wm_gateway_settings set;
    int                 lock_fd;
    wm_arena           *memory; /* of the configuration */
    wm_client_config    config;
    wm_identity         identity;
    wm_tls             *tls;
    wm_caller          *control, *bulk;
    wm_exchange         control_line, bulk_line;
    wm_pending         *pending;
    wm_server_time     *time;
    wm_audit_heads     *heads;
    wm_desk            *desk;
    wm_conversation    *conversation;
    bool                renew;               /* the certificate is past its half-life */
    int64_t             renew_at_ms;         /* on the monotonic clock: no renewal is tried before that */
    bool                heard;               /* the last question was answered */
    char                said[WM_ERROR_TEXT]; /* the failure that was logged last */
    wm_back_off         back_off;            /* its dice are for all that is left to chance */
    wm_stop             stop;
} gateway;

/* ---- opening ---- */

/* One daemon a folder: two would train and hand in the same things. */
static wm_status lock_folder(gateway *g, wm_error *err)
{
    struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
    char           *path = wm_path_join(g->set.folder, "lock");

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to start");
    g->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (g->lock_fd < 0)
        return wm_fail(err, WM_E_IO, "cannot use the folder %s: %s", g->set.folder, strerror(errno));
    /* One that was killed a moment ago holds its lock until the system has cleared it away. */
    for (int waited = 0; flock(g->lock_fd, LOCK_EX | LOCK_NB) != 0; waited += LOCK_PAUSE_MS) {
        if (waited >= LOCK_PATIENCE_MS)
            return wm_fail(err, WM_E_REFUSED, "another wardmote-client is running in %s", g->set.folder);
        nanosleep(&pause, NULL);
    }
    return WM_OK;
}

static wm_status open_line(gateway *g, int64_t port, size_t reply_max, wm_caller **ret, wm_error *err)
{
    char    **urls;
    size_t    n;
    wm_status st = wm_client_urls(&g->config, port, &urls, &n, err);

    if (st != WM_OK)
        return st;
    st = wm_caller_new(
        &(wm_caller_settings){
            .urls = (const char *const *)urls, .n_urls = n, .tls = g->tls, .reply_max = reply_max },
        ret, err);
    wm_names_free(urls, n);
    return st;
}

/* Certificates are judged by what a server said the time is; before any did, dates are ignored. */
static void tell_time(gateway *g)
{
    int64_t now = wm_server_time_now(g->time);

    if (now > 0)
        wm_tls_set_now(g->tls, now);
}

static wm_status open_lines(gateway *g, wm_error *err)
{
    wm_status st;

    if ((st = wm_identity_tls(&g->identity, &g->tls, err)) != WM_OK ||
        (st = open_line(g, g->config.control_port, WM_CONTROL_BYTES_MAX, &g->control, err)) != WM_OK ||
        (st = open_line(g, g->config.bulk_port, WM_BULK_BYTES_MAX, &g->bulk, err)) != WM_OK)
        return st;
    g->control_line = wm_exchange_over(g->control, WM_CONTROL_BYTES_MAX);
    g->bulk_line = wm_exchange_over(g->bulk, WM_BULK_BYTES_MAX);
    return WM_OK;
}

/* The least time between two renewals. One costs a key, a signature and a write to the SD card: at most one in a
 * twentieth of a certificate's life, whatever the server says. */
static int64_t renewal_pause_ms(const gateway *g)
{
    int64_t pause = (g->identity.facts.not_after_ms - g->identity.facts.not_before_ms) / 20;

    if (pause < RENEW_PAUSE_LEAST_MS)
        pause = RENEW_PAUSE_LEAST_MS;
    return pause < RENEW_PAUSE_MOST_MS ? pause : RENEW_PAUSE_MOST_MS;
}

/* At some moment within that time, by chance: a thousand gateways that enrolled on one day do not come at once. */
static void wish_renewal(void *context)
{
    gateway *g = context;
    int64_t  at =
        wm_mono_ms(&g->set.clock) + (int64_t)wm_rng_below(&g->back_off.jitter, (uint64_t)renewal_pause_ms(g));

    if (!g->renew && at > g->renew_at_ms)
        g->renew_at_ms = at;
    g->renew = true;
}

static wm_status open_stores(gateway *g, wm_error *err)
{
    wm_error  note;
    wm_status st;

    /* An update that a power cut left half written takes as much of an SD card as a whole one. */
    if (wm_folder_sweep(g->set.files, g->set.folder, &note) != WM_OK)
        wm_log_line(g->set.log, WM_LOG_WARNING, "store", note.text);
    st = wm_pending_open(g->set.files, g->set.folder, &g->pending, &note, err);

    if (st == WM_OK && note.text[0] != '\0')
        wm_log_line(g->set.log, WM_LOG_WARNING, "store", "a pending update does not hold and was dropped",
                    WM_TEXT_FIELD("why", note.text));
    if (st == WM_OK)
        st = wm_server_time_open(g->set.files, g->set.folder, g->set.clock, &g->time, err);
    /* Without them the work is as good: it is only that nobody here remembers what the server has shown. */
    if (st == WM_OK && wm_audit_heads_open(g->set.files, g->set.folder, &g->heads, &note) != WM_OK)
        wm_log_line(g->set.log, WM_LOG_WARNING, "audit", "what the server shows of its audit is not written down",
                    WM_TEXT_FIELD("why", note.text));
    return st;
}

static wm_status open_conversation(gateway *g, wm_error *err)
{
    wm_conversation_settings settings = {
        .lines = { .control = &g->control_line, .bulk = &g->bulk_line, .clock = g->set.clock },
        .pending = g->pending,
        .time = g->time,
        .heads = g->heads,
        .log = g->set.log,
        .beat_ms = BEAT_MS,
        .memory_max = g->config.data.memory_max,
        .redo_ms = g->config.limits.redo,
        .renew = wish_renewal,
        .context = g,
    };
    wm_status st = wm_desk_new(&g->config.data, g->identity.facts.name, (int)g->config.limits.nice, g->set.clock,
                               g->set.log, &g->desk, err);

    if (st != WM_OK)
        return st;
    settings.desk = g->desk;
    return wm_conversation_new(&settings, &g->conversation, err);
}

/* ---- stopping ---- */

/* On the stop's thread. */
static void interrupt(void *context)
{
    gateway *g = context;

    wm_caller_interrupt(g->control);
    wm_caller_interrupt(g->bulk);
    wm_desk_interrupt(g->desk);
}

/* ---- certificates ---- */

/* After a renewal: the connections to come have the new certificate. Those that are open are closed, since the server
 * judges a connection by the certificate that it was opened with, and would ask for a renewal for as long as it lives. */
static wm_status use_identity(gateway *g, wm_error *err)
{
    wm_status st = wm_tls_set_own(g->tls, g->identity.chain, g->identity.key, err);

    wm_caller_hang_up(g->control);
    wm_caller_hang_up(g->bulk);
    return st;
}

static void said_renewed(gateway *g)
{
    char until[WM_TIME_TEXT];

    wm_log_line(g->set.log, WM_LOG_INFO, "certificate", "renewed",
                WM_TEXT_FIELD("until", wm_time_text(g->identity.facts.not_after_ms, until)));
}

static void renew(gateway *g)
{
    uint64_t  come_back_ms;
    int64_t   pause_ms = renewal_pause_ms(g);
    wm_error  err;
    wm_status st;

    if (wm_mono_ms(&g->set.clock) < g->renew_at_ms)
        return;
    g->renew = false; /* it is wished again for as long as it is due */
    st = wm_renew(g->set.files, g->set.folder, g->control, &g->identity, &come_back_ms, &err);
    if (pause_ms < (int64_t)come_back_ms)
        pause_ms = (int64_t)come_back_ms < RENEW_PAUSE_MOST_MS ? (int64_t)come_back_ms : RENEW_PAUSE_MOST_MS;
    g->renew_at_ms = wm_mono_ms(&g->set.clock) + pause_ms;
    if (st == WM_OK)
        st = use_identity(g, &err);
    if (st == WM_OK)
        said_renewed(g);
    else if (!wm_stop_asked(&g->stop))
        wm_log_line(g->set.log, WM_LOG_WARNING, "certificate", "renewal failed, trying again later",
                    WM_TEXT_FIELD("why", err.text));
}

/* Our certificate has run out, by the server's time or by the server's word. */
static wm_status renew_late(gateway *g, wm_error *err)
{
    wm_status st = wm_renew_late(g->set.files, g->set.folder, &g->config, &g->identity, err);

    if (st == WM_OK)
        st = use_identity(g, err);
    if (st == WM_OK)
        said_renewed(g);
    else
        wm_error_prefix(err, "the certificate has expired, and its renewal failed");
    return st;
}

static bool has_expired(gateway *g)
{
    int64_t now = wm_server_time_now(g->time);

    return now > 0 && now > g->identity.facts.not_after_ms;
}

/* ---- the loop ---- */

/* The next connection may be over another link. */
static void hang_up_bulk(gateway *g)
{
    wm_caller_hang_up(g->bulk);
    g->bulk_line.pace = (wm_pace){ 0 };
}

static void failed(gateway *g, wm_status st, bool reached, int64_t wait_ms, wm_error *err)
{
    int64_t back_off = wm_back_off_failed(&g->back_off, st, reached);
    char    duration[WM_DURATION_TEXT];

    g->heard = false;
    if (st == WM_E_REVOKED)
        wm_error_prefix(err, "this gateway was revoked: it needs a token with a new name");
    wait_ms = wait_ms > back_off ? wait_ms : back_off;
    /* The same failure again and again is said once. */
    if (strcmp(g->said, err->text) != 0) {
        wm_log_line(g->set.log, WM_LOG_WARNING, "server", err->text,
                    WM_TEXT_FIELD("trying_again_in", wm_duration_text(wait_ms, duration)));
        memcpy(g->said, err->text, sizeof g->said);
    }
    hang_up_bulk(g);
    if (err->status == WM_E_TIMEOUT) /* a link that has forgotten one connection has forgotten the other as well */
        wm_caller_hang_up(g->control);
    wm_stop_sleep_ms(&g->stop, wait_ms);
}

/* How long the server may hold our question: no longer than an open bulk connection should rest. */
static int64_t bulk_poll_ms(gateway *g)
{
    int64_t used = wm_conversation_bulk_ms(g->conversation);

    if (!wm_caller_is_connected(g->bulk))
        return POLL_MS;
    if (wm_mono_ms(&g->set.clock) - used < REST_MS)
        return REST_MS;
    hang_up_bulk(g);
    wm_memory_rest();
    return POLL_MS;
}

/* Nor longer than until a renewal is due, which a certificate of a short life could not wait for. */
static int64_t poll_ms(gateway *g)
{
    const wm_certificate_facts *facts = &g->identity.facts;
    int64_t                     poll = bulk_poll_ms(g), now = wm_server_time_now(g->time), left;

    if (now == 0)
        return poll;
    if (wm_renewal_due(facts, now))
        wish_renewal(g);
    left = g->renew ? g->renew_at_ms - wm_mono_ms(&g->set.clock)
                    : facts->not_before_ms + (facts->not_after_ms - facts->not_before_ms) / 2 - now;
    if (left < POLL_LEAST_MS)
        left = POLL_LEAST_MS;
    return poll < left ? poll : left;
}

static void one_turn(gateway *g)
{
    wm_error  err = { WM_OK, "" };
    int64_t   wait_ms = 0;
    wm_status st = WM_OK;

    bool late;

    tell_time(g);
    late = has_expired(g);
    if (!late)
        st = wm_conversation_turn(g->conversation, poll_ms(g), &wait_ms, &err);
    if (st == WM_E_EXPIRED)
        late = true; /* our clock lags; the server knows better */
    if (late && !wm_stop_asked(&g->stop))
        st = renew_late(g, &err);
    if (wm_stop_asked(&g->stop))
        return;
    if (st != WM_OK) {
        failed(g, st, !late && wm_conversation_reached(g->conversation), wait_ms, &err);
        return;
    }
    if (late) { /* a server that calls the new one expired too is asked ever more seldom, as upon a failure */
        wm_stop_sleep_ms(&g->stop, wm_back_off_failed(&g->back_off, WM_OK, true));
        return;
    }
    wm_back_off_reset(&g->back_off);
    g->heard = true;
    g->said[0] = '\0';
    if (g->renew)
        renew(g);
    if (wait_ms > 0)
        wm_stop_sleep_ms(&g->stop, wait_ms);
}

/* So that nobody waits for us. By a connection of its own, since the signal has ended the other one; only if the server
 * was heard of late, so that a gateway without a network stops at once. */
static void sign_off(gateway *g)
{
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__SignOff  message = WM__SIGN_OFF__INIT;
    wm_caller   *line = NULL;
    uint64_t     come_back_ms;
    wm_error     err;
    wm_status    st;

    if (!g->heard)
        return;
    message.reason = (char *)(uintptr_t) "it was stopped";
    question.body_case = WM__ENVELOPE__BODY_SIGN_OFF;
    question.sign_off = &message;
    tell_time(g);
    st = open_line(g, g->config.control_port, WM_CONTROL_BYTES_MAX, &line, &err);
    if (st == WM_OK)
        st = wm_ask(line, WM_CONTROL_BYTES_MAX, &question, SIGN_OFF_MS, &answer, &come_back_ms, &err);
    if (st == WM_OK)
        wm_envelope_free(answer);
    else
        wm_log_line(g->set.log, WM_LOG_WARNING, "server", "it could not be told that this gateway stops",
                    WM_TEXT_FIELD("why", err.text));
    if (line != NULL)
        wm_caller_free(line);
}

static wm_status open_all(gateway *g, wm_error *err)
{
    wm_status st;

    if ((st = lock_folder(g, err)) != WM_OK ||
        (st = wm_client_config_read(g->set.files, g->set.folder, g->set.faults, &g->config, &g->memory, err)) !=
            WM_OK ||
        (st = wm_identity_load(g->set.files, g->set.folder, &g->identity, err)) != WM_OK ||
        (st = open_stores(g, err)) != WM_OK || (st = open_lines(g, err)) != WM_OK ||
        (st = open_conversation(g, err)) != WM_OK)
        return st;
    wm_rng_init_keyed(&g->back_off.jitter, (uint64_t)wm_mono_ms(&g->set.clock), "back-off", (uint64_t)getpid(),
                      g->identity.facts.name);
    return wm_stop_start(&g->stop, g->set.log, interrupt, g, err);
}

static void close_all(gateway *g)
{
    wm_stop_release(&g->stop);
    wm_conversation_free(g->conversation);
    wm_desk_free(g->desk);
    wm_caller_free(g->control);
    wm_caller_free(g->bulk);
    wm_tls_free(g->tls);
    wm_audit_heads_free(g->heads);
    wm_server_time_free(g->time);
    wm_pending_free(g->pending);
    wm_identity_release(&g->identity);
    wm_arena_free(g->memory);
    if (g->lock_fd >= 0)
        close(g->lock_fd);
}

wm_status wm_gateway_run(const wm_gateway_settings *settings, wm_error *err)
{
    gateway   g = { .set = *settings, .lock_fd = -1 };
    char      until[WM_TIME_TEXT];
    wm_status st;

    wm_memory_settle(HEAP_KEPT);
    st = wm_stop_init(&g.stop, err);
    if (st == WM_OK)
        st = open_all(&g, err);
    if (st == WM_OK) {
        wm_log_line(g.set.log, WM_LOG_INFO, "client", "started", WM_TEXT_FIELD("name", g.identity.facts.name),
                    WM_TEXT_FIELD("server", g.config.servers.items[0]),
                    WM_TEXT_FIELD("certificate_until", wm_time_text(g.identity.facts.not_after_ms, until)));
        while (!wm_stop_asked(&g.stop))
            one_turn(&g);
        sign_off(&g);
    }
    close_all(&g);
    return st;
}
