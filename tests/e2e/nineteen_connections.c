/* tests/e2e/nineteen_connections.c: floods, mute peers, and a limit that lets nothing through. */
#include "tests/e2e/liar.h"
#include "tests/e2e/nineteen.h"

#include "common/rng.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    THE_OTHERS = FAULT_GATEWAYS - 1,
    GARBAGE_BYTES = 4096,
    GARBAGE_CONNECTIONS = 200, /* of each kind */
    IDLE_CONNECTIONS = 200,
    PER_GATEWAY = 4, /* connections that a gateway may have */
};

/* A TCP connection to that listener. */
static int dial(const office *o, int listener)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)o->ports[listener]),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* Waits until the other end has closed it. */
static bool is_closed(int fd, int timeout_ms)
{
    struct pollfd at = { .fd = fd, .events = POLLIN };
    int64_t       end = office_now_ms() + timeout_ms;
    char          bytes[4096];

    while (office_now_ms() < end) {
        ssize_t n;

        if (poll(&at, 1, (int)(end - office_now_ms())) <= 0)
            continue;
        n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0)
            return true; /* its end, or a reset */
    }
    return false;
}

/* The others train as ever; the seconds that a job of two rounds takes. */
static double the_others_train(office *o)
{
    int64_t since = office_now_ms();
    char   *rounds;

    fault_job(o, 2, "{select: all, quorum: 0.8, deadline: 10m}", false);
    office_wait_done(o, 2, NULL);
    rounds = office_run_file(o, "rounds.csv");
    assert_int_equal(office_csv_long(rounds, "2", "accepted"), THE_OTHERS);
    free(rounds);
    return (double)(office_now_ms() - since) / 1000;
}

/* ---- messages ---- */

/* A message of 2 MiB from a gateway of the office, where 1088 KiB are the most: the connection ends, and says why. */
static double a_message_over_the_limit(office *o)
{
    size_t    n = 2 << 20, n_reply;
    uint8_t  *bytes = calloc(1, n), *reply;
    liar      l;
    wm_error  err;
    wm_status st;
    double    seconds;

    assert_non_null(bytes);
    liar_open(&l, o, FAULT_VICTIM);
    st = wm_caller_call(l.bulk, bytes, n, OFFICE_DEADLINE_MS, &reply, &n_reply, &err);
    if (st == WM_OK)
        office_fail(o, "a message of 2 MiB was answered");
    office_wait_text(o, o->server_log, "over the limit of");
    seconds = the_others_train(o);
    liar_close(&l);
    free(bytes);
    return seconds;
}

/* Of 4 KiB of noise, as it comes or behind the beginning of a TLS handshake. */
static double random_bytes(office *o)
{
    static const uint8_t hello[] = { 22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 };
    uint8_t              noise[GARBAGE_BYTES];
    int                  fds[2 * GARBAGE_CONNECTIONS];
    wm_rng               rng;

    wm_rng_init_keyed(&rng, 16, "noise", 0, "");
    for (int i = 0; i < 2 * GARBAGE_CONNECTIONS; i++) {
        for (size_t b = 0; b < sizeof noise; b++)
            noise[b] = (uint8_t)wm_rng_below(&rng, 256);
        if (i % 2 == 1)
            memcpy(noise, hello, sizeof hello);
        fds[i] = dial(o, i % 4 < 2 ? OFFICE_CONTROL : OFFICE_BULK);
        (void)!send(fds[i], noise, sizeof noise, MSG_NOSIGNAL); /* it may be closed half-way */
    }
    for (int i = 0; i < 2 * GARBAGE_CONNECTIONS; i++) {
        if (!is_closed(fds[i], OFFICE_DEADLINE_MS))
            office_fail(o, "connection %d with noise is still open", i);
        close(fds[i]);
    }
    return the_others_train(o);
}

static double idle_connections(office *o)
{
    int    fds[IDLE_CONNECTIONS];
    double seconds;

    for (int i = 0; i < IDLE_CONNECTIONS; i++) {
        fds[i] = dial(o, i % 4 < 2 ? OFFICE_CONTROL : OFFICE_BULK);
        if (i % 2 == 1)
            assert_int_equal(send(fds[i], "\x16", 1, MSG_NOSIGNAL), 1);
    }
    seconds = the_others_train(o);
    for (int i = 0; i < IDLE_CONNECTIONS; i++) { /* they have ten seconds for their handshakes */
        if (!is_closed(fds[i], OFFICE_DEADLINE_MS))
            office_fail(o, "the idle connection %d is still open", i);
        close(fds[i]);
    }
    office_wait_text(o, o->server_log, "it did not finish the handshakes");
    return seconds;
}

/* ---- peers ---- */

static bool is_refused_and_named(office *o, void *context)
{
    uint8_t *reply;
    size_t   n;
    wm_error err;

    if (wm_caller_call(context, "x", 1, OFFICE_DEADLINE_MS, &reply, &n, &err) == WM_OK)
        office_fail(o, "a peer without a certificate was answered");
    return office_has_text(o->server_log, "it showed no certificate"); /* of a flood not every one has a line */
}

/* It speaks TLS, has no certificate, and is nobody: neither asked nor waited for. */
static double a_peer_without_a_certificate(office *o)
{
    char        url[64];
    const char *urls[] = { url };
    liar        l;
    wm_tls     *tls;
    wm_caller  *caller;
    double      seconds;
    wm_error    err;

    liar_open(&l, o, FAULT_VICTIM); /* for the root that it believes */
    assert_ok(wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_CLIENT, .root = l.identity.root }, &tls, &err), &err);
    snprintf(url, sizeof url, "tls+tcp://localhost:%d", o->ports[OFFICE_CONTROL]);
    assert_ok(wm_caller_new(&(wm_caller_settings){ .urls = urls, .n_urls = 1, .tls = tls, .reply_max = 1000 },
                            &caller, &err),
              &err);
    office_wait(o, is_refused_and_named, caller, "a peer without a certificate to be refused by name");
    seconds = the_others_train(o);
    wm_caller_free(caller);
    wm_tls_free(tls);
    liar_close(&l);
    return seconds;
}

/* A gateway of the office takes its task and never says a word again, its connections open: it is given up by its silence,
 * and named. */
static double a_peer_that_never_answers(office *o)
{
    liar          l;
    Wm__Envelope *answer;
    int64_t       since;
    double        seconds;
    char         *rounds;

    fault_job(o, 2, "{select: all, quorum: 0.8, deadline: 24h}", false);
    liar_open(&l, o, FAULT_VICTIM);
    answer = liar_await(&l, WM_PHASE_TRAIN);
    wm_envelope_free(answer);
    since = office_now_ms();
    office_wait_text(o, o->server_log, "waiting for clients");
    seconds = fault_progress(o, 1, since);
    office_wait_text(o, o->server_log, "connected, and silent");
    office_wait_done(o, 2, NULL);
    rounds = office_run_file(o, "rounds.csv");
    assert_int_equal(office_csv_long(rounds, "1", "accepted"), THE_OTHERS);
    free(rounds);
    liar_close(&l);
    return seconds;
}

static size_t descriptors_of(pid_t pid)
{
    char   path[64];
    size_t n = 0;
    DIR   *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static bool holds_few(office *o, void *context)
{
    const size_t *before = context;

    return descriptors_of(o->server) <= *before + PER_GATEWAY;
}

/* One gateway opens a thousand and five connections with its certificate, and keeps them: it has four at a time, and loses
 * its oldest; nobody else does. In the ordinary run there are two hundred and five. */
static double a_thousand_connections_by_one(office *o)
{
    size_t      n = getenv("WM_LONG") != NULL ? 1005 : 205, n_reply, before = descriptors_of(o->server);
    wm_caller **callers = calloc(n, sizeof *callers);
    uint8_t    *reply;
    liar        l;
    double      seconds;
    wm_error    err;

    assert_non_null(callers);
    liar_open(&l, o, FAULT_VICTIM);
    for (size_t i = 0; i < n; i++) {
        callers[i] = liar_dial(&l, o->ports[OFFICE_CONTROL], 1000);
        assert_ok(wm_caller_call(callers[i], "x", 1, OFFICE_DEADLINE_MS, &reply, &n_reply, &err),
                  &err); /* a fault: no envelope */
        free(reply);
    }
    seconds = the_others_train(o);
    office_wait(o, holds_few, &before, "the server to hold no more connections of one gateway than are allowed");
    office_wait_text(o, o->server_log, "and the oldest had to go");
    for (size_t i = 0; i < n; i++)
        wm_caller_free(callers[i]);
    free(callers);
    liar_close(&l);
    return seconds;
}

/* ---- a limit of the server's own ---- */

/* The model's update does not fit the room that the server has for updates: said when the job is handed in, and nothing
 * waits for ever. */
static double a_job_that_could_never_be_served(office *o)
{
    json_t *status;

    office_write_job(o, 2, NULL);
    office_change_job(o, "dense: 160", "dense: 8000");
    if (office_run(o, NULL, WARDMOTE_SERVER, "job", o->dir, "start", o->job, NULL) == 0)
        office_fail(o, "a job whose updates have no room was taken");
    if (strstr(wm_text_chars(&o->complaint), "uploads.room") == NULL)
        office_fail(o, "the refusal says: %s", wm_text_chars(&o->complaint));
    status = office_status(o);
    assert_false(json_is_object(json_object_get(status, "run")));
    assert_int_equal(json_integer_value(json_object_get(status, "queued")), 0);
    json_decref(status);
    return the_others_train(o);
}

const fault faults_of_connections[] = {
    { 14, "a gateway sends a message over the limit", a_message_over_the_limit },
    { 15, "the server's own limit is below the model", a_job_that_could_never_be_served },
    { 16, "random bytes, 400 times 4 KiB", random_bytes },
    { 17, "200 idle connections", idle_connections },
    { 18, "a peer without a certificate", a_peer_without_a_certificate },
    { 18, "a gateway opens its connections and never answers", a_peer_that_never_answers },
    { 19, "one peer opens a thousand and five connections", a_thousand_connections_by_one },
    { 0 },
};
