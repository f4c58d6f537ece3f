/* server/issuer/issuer_client.c */
#include "server/issuer/issuer_client.h"

#include "common/cond.h"

#include "common/crypto/keys.h"
#include "common/wire/caller.h"
#include "common/wire/envelope.h"
#include "server/issuer/strand.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct wm_issuer_client {
    pthread_mutex_t lock;   /* guards `busy` */
    pthread_cond_t  turn;   /* it is not busy any more; on the monotonic clock */
    bool            busy;   /* a question is on its way; whoever set it owns what follows */
    int             fd;     /* of a strand; -1: none, or it broke */
    uint32_t        number; /* of the last question */
    wm_caller      *caller;
};

static wm_status client_new(wm_issuer_client **ret, wm_error *err)
{
    wm_issuer_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to talk to the issuer");
    pthread_mutex_init(&client->lock, NULL);
    wm_cond_init(&client->turn);
    client->fd = -1;
    *ret = client;
    return WM_OK;
}

wm_status wm_issuer_client_over(int fd, wm_issuer_client **ret, wm_error *err)
{
    wm_status st = client_new(ret, err);

    if (st != WM_OK) {
        close(fd);
        return st;
    }
    (*ret)->fd = fd;
    return WM_OK;
}

wm_status wm_issuer_client_at(const char *path, wm_issuer_client **ret, wm_error *err)
{
    char               url[4096 + 8];
    const char        *urls[1] = { url };
    wm_caller_settings settings = { .urls = urls, .n_urls = 1, .reply_max = WM_ISSUER_MESSAGE };
    wm_issuer_client  *client = NULL;
    wm_status          st = client_new(&client, err);

    if (st != WM_OK)
        return st;
    snprintf(url, sizeof url, "ipc://%s", path);
    st = wm_caller_new(&settings, &client->caller, err);
    if (st == WM_OK)
        *ret = client;
    else
        wm_issuer_client_free(client);
    return st;
}

void wm_issuer_client_free(wm_issuer_client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        close(client->fd);
    wm_caller_free(client->caller);
    pthread_cond_destroy(&client->turn);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* The answer with our number; older ones, whose askers have given up, are passed over. */
static wm_status await(wm_issuer_client *client, const wm_strand *strand, int64_t until_ms, uint8_t **ret,
                       size_t *n, wm_error *err)
{
    for (;;) {
        uint32_t  number;
        bool      begun;
        wm_status st = wm_strand_receive(strand, WM_ISSUER_MESSAGE, until_ms, &number, ret, n, &begun, err);

        if (st == WM_OK && number == client->number)
            return WM_OK;
        if (st == WM_OK) {
            wm_secret_free(*ret, *n);
            continue;
        }
        if (st != WM_E_TIMEOUT || begun) { /* out of step: nothing more can be understood */
            close(client->fd);
            client->fd = -1;
        }
        return st;
    }
}

static wm_status call_strand(wm_issuer_client *client, const uint8_t *in, size_t n_in, int64_t until_ms,
                             uint8_t **out, size_t *n_out, wm_error *err)
{
    wm_strand strand = { .fd = client->fd, .stop_fd = -1, .clock = wm_clock_system() };
    wm_status st;

    if (client->fd < 0)
        return wm_fail(err, WM_E_CLOSED, "the issuing process is gone: start the server again");
    st = wm_strand_send(&strand, ++client->number, in, n_in, until_ms, err);
    if (st != WM_OK) {
        close(client->fd);
        client->fd = -1;
        return st;
    }
    return await(client, &strand, until_ms, out, n_out, err);
}

/* A turn within the deadline. */
static wm_status take_turn(wm_issuer_client *client, int64_t until_ms, wm_error *err)
{
    bool late = false;

    pthread_mutex_lock(&client->lock);
    while (client->busy && !late)
        late = !wm_cond_wait_until(&client->turn, &client->lock, until_ms);
    late = client->busy;
    client->busy = true;
    pthread_mutex_unlock(&client->lock);
    return !late ? WM_OK : wm_fail(err, WM_E_TIMEOUT, "the issuer is busy with others' questions");
}

static void give_turn(wm_issuer_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->busy = false;
    pthread_cond_signal(&client->turn);
    pthread_mutex_unlock(&client->lock);
}

/* The answer inside the bytes, taken out of its envelope. */
static wm_status unpack(const uint8_t *bytes, size_t n, Wm__Issued **ret, wm_error *err)
{
    Wm__Envelope *envelope;
    wm_status     st = wm_envelope_unpack(bytes, n, WM_ISSUER_MESSAGE, &envelope, err);

    if (st != WM_OK)
        return st;
    if (envelope->body_case == WM__ENVELOPE__BODY_FAULT)
        st = wm_fault_status(envelope->fault, err);
    else if (envelope->body_case != WM__ENVELOPE__BODY_ISSUED)
        st = wm_fail(err, WM_E_MALFORMED, "the issuer answers with something else");
    else {
        *ret = envelope->issued;
        envelope->issued = NULL;
        envelope->body_case = WM__ENVELOPE__BODY__NOT_SET;
    }
    wm_envelope_free(envelope);
    return st;
}

wm_status wm_issuer_ask(wm_issuer_client *client, const Wm__Issue *issue, int timeout_ms, Wm__Issued **ret,
                        wm_error *err)
{
    wm_clock     clock = wm_clock_system();
    int64_t      until_ms = wm_mono_ms(&clock) + timeout_ms;
    Wm__Envelope envelope = wm_envelope();
    uint8_t     *in, *out = NULL;
    size_t       n_in, n_out = 0;
    wm_status    st;

    envelope.body_case = WM__ENVELOPE__BODY_ISSUE;
    envelope.issue = (Wm__Issue *)(uintptr_t)issue; /* protobuf-c only reads what it packs */
    n_in = wm_envelope_size(&envelope);
    if (n_in > WM_ISSUER_MESSAGE)
        return wm_fail(err, WM_E_RANGE, "a request of %zu bytes, the issuer reads at most %d", n_in,
                       WM_ISSUER_MESSAGE);
    in = malloc(n_in);
    if (in == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a request of %zu bytes", n_in);
    wm_envelope_pack(&envelope, in);
    st = take_turn(client, until_ms, err);
    if (st == WM_OK) {
        if (client->caller != NULL)
            st = wm_caller_call(client->caller, in, n_in, (int)(until_ms - wm_mono_ms(&clock)), &out, &n_out, err);
        else
            st = call_strand(client, in, n_in, until_ms, &out, &n_out, err);
        give_turn(client);
    }
    wm_secret_free(in, n_in);
    if (st == WM_OK)
        st = unpack(out, n_out, ret, err);
    wm_secret_free(out, n_out);
    return st;
}

wm_status wm_issued_status(const Wm__Issued *issued, wm_error *err)
{
    if (issued->code == WM_OK)
        return WM_OK;
    return wm_fail(err, issued->code <= WM_E_DAMAGED ? (wm_status)issued->code : WM_E_REFUSED, "%s", issued->text);
}
