/* server/front.c
 *
 * Each listener hands its requests to a function here, on one of the listener's own threads. A request of the control
 * listener goes through the parking (parking.h), or, if it is for a renewal, onto the queue of those that wait for the
 * issuer (errands.h): whatever the issuer does, the control listener's threads are free. The others are answered where
 * they come in. */
#include "server/front.h"

#include "common/wire/exchange.h"
#include "server/descriptors.h"
#include "server/parking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARKING_WORKERS = 2,
    LISTENER_WORKERS = 2,
    OPERATOR_BYTES_MAX = 512 << 10, /* a job's file and some */
    WOKEN_FOR_A_PLACE = 2, /* more than one, since the first may have gone away; who gets none has to queue anew */
    ENROLMENT_IDLE_MS = 15 * 1000,
    RENEWALS_FULL_MS = 5 * 1000,
};

struct wm_front {
    wm_front_settings    settings;
    wm_descriptor_shares most;
    wm_parking          *parking;
    wm_listener *control, *bulk, *enrolment, *operator;
};

/* A question on the control listener, perhaps held. */
typedef struct held_question {
    wm_parked   parked; /* first */
    wm_errand   errand; /* of a renewal */
    wm_request *request;
    wm_view     question;
    size_t      n_bytes;
} held_question;

/* ---- what was sent that nobody can read ---- */

/* The peer has its answer already. */
static void note_garbage(wm_front *front, const char *name, const char *remote, const wm_error *err)
{
    wm_log_line(front->settings.log, WM_LOG_WARNING, "wire", "a message was refused",
                WM_TEXT_FIELD("name", name[0] != '\0' ? name : "unknown"), WM_TEXT_FIELD("from", remote),
                WM_TEXT_FIELD("why", err->text));
    wm_roster_refused(front->settings.roster, name, err->text);
}

/* The question in a request; false: it was answered with a fault and given back. */
static bool read_question(wm_front *front, wm_request *request, size_t limit, wm_view *ret)
{
    char     name[WM_ROSTER_NAME], remote[80];
    wm_error err;

    /* Copies, since a request that is given back is gone. */
    snprintf(name, sizeof name, "%.63s", wm_request_peer(request)->name);
    snprintf(remote, sizeof remote, "%s", wm_request_remote(request));
    if (wm_request_view(request, limit, ret, &err) == WM_OK)
        return true;
    note_garbage(front, name, remote, &err);
    return false;
}

/* A question that decodes and cannot be meant is refused by name as well, and counts as one that does not decode. */
static void note_nonsense(wm_front *front, wm_request *request, const wm_inquiry *x)
{
    const Wm__Fault *fault = x->answer.body_case == WM__ENVELOPE__BODY_FAULT ? x->answer.fault : NULL;
    wm_error         err;

    if (fault == NULL ||
        (fault->code != WM_E_MALFORMED && fault->code != WM_E_INVALID && fault->code != WM_E_RANGE))
        return;
    wm_fail(&err, (wm_status)fault->code, "%s", fault->text);
    note_garbage(front, wm_request_peer(request)->name, wm_request_remote(request), &err);
}

/* ---- a blob, read as it is sent ---- */

typedef struct streamed {
    wm_remote *remote;
    wm_digest  blob;
} streamed;

static bool read_streamed(void *state, uint64_t offset, uint8_t *bytes, size_t n)
{
    const streamed *self = state;

    return wm_remote_read(self->remote, &self->blob, offset, bytes, n);
}

static void stream(wm_front *front, wm_request *request, const wm_inquiry *x)
{
    streamed *self = malloc(sizeof *self);

    if (self == NULL) {
        wm_request_drop(request);
        return;
    }
    self->remote = front->settings.remote;
    wm_inquiry_digest(&x->question->fetch->digest, &self->blob);
    wm_request_answer_range(request, &x->answer,
                            &(wm_source){ .read = read_streamed, .close = free, .state = self });
}

static void send_answer(wm_front *front, wm_request *request, size_t n_question, wm_inquiry *x)
{
    note_nonsense(front, request, x);
    wm_remote_count_bytes(front->settings.remote, n_question, wm_envelope_size(&x->answer));
    if (x->streams)
        stream(front, request, x);
    else
        wm_request_answer(request, &x->answer);
    wm_inquiry_release(x);
}

/* ---- control ---- */

static int64_t serve_control(void *context, wm_parked *item, bool last)
{
    wm_front      *front = context;
    held_question *held = (held_question *)item;
    wm_inquiry     x;
    int64_t        hold_ms = 0;

    if (wm_request_gone(held->request)) {
        wm_request_drop(held->request);
        goto done;
    }
    wm_inquiry_init(&x, wm_request_peer(held->request), held->question.envelope,
                    wm_mono_ms(&front->settings.clock) - item->arrived_ms, last);
    hold_ms = wm_remote_control(front->settings.remote, &x);
    if (hold_ms > 0)
        return hold_ms;
    send_answer(front, held->request, held->n_bytes, &x);
done:
    wm_view_close(&held->question);
    free(held);
    return 0;
}

/* Asks the issuer, unless there is a reason not to, which is then the answer. Gives the question back. */
static void answer_renewal(wm_front *front, held_question *held, const char *why_not)
{
    wm_inquiry x;

    if (wm_request_gone(held->request)) {
        wm_request_drop(held->request);
    } else {
        wm_inquiry_init(&x, wm_request_peer(held->request), held->question.envelope, 0, true);
        if (why_not == NULL)
            wm_enrolment_renew(front->settings.enrolment, wm_request_remote(held->request), &x);
        else
            wm_inquiry_fault(&x, WM_E_FULL, RENEWALS_FULL_MS, "%s", why_not);
        send_answer(front, held->request, held->n_bytes, &x);
    }
    wm_view_close(&held->question);
    free(held);
}

static void serve_renewal(void *context, wm_errand *errand, bool closing)
{
    held_question *held = (held_question *)((char *)errand - offsetof(held_question, errand));

    answer_renewal(context, held, closing ? "the aggregator is stopping: come back later" : NULL);
}

static void handle_control(void *context, wm_request *request)
{
    wm_front      *front = context;
    held_question *held = calloc(1, sizeof *held);

    if (held == NULL) {
        wm_request_drop(request);
        return;
    }
    held->request = request;
    wm_request_bytes(request, &held->n_bytes);
    if (!read_question(front, request, WM_CONTROL_BYTES_MAX, &held->question)) {
        free(held);
        return;
    }
    if (held->question.envelope->body_case != WM__ENVELOPE__BODY_RENEW) {
        wm_parking_put(front->parking, &held->parked);
        return;
    }
    held->errand = (wm_errand){ .run = serve_renewal, .context = front };
    if (!wm_errands_put(front->settings.errands, &held->errand))
        answer_renewal(front, held, "too many certificates are being renewed at this moment: come back later");
}

static bool is_gone(void *context, const wm_parked *item)
{
    (void)context;
    return wm_request_gone(((const held_question *)item)->request);
}

static void control_gone(void *context)
{
    wm_front *front = context;

    wm_parking_wake_where(front->parking, is_gone, NULL);
}

static void control_left(void *context, const wm_peer *peer)
{
    wm_front *front = context;

    wm_roster_left(front->settings.roster, peer->name, false);
}

/* ---- bulk, enrolment ---- */

static void handle_bulk(void *context, wm_request *request)
{
    wm_front  *front = context;
    wm_view    question;
    wm_inquiry x;
    size_t     n;

    wm_request_bytes(request, &n);
    if (!read_question(front, request, WM_BULK_BYTES_MAX, &question))
        return;
    wm_inquiry_init(&x, wm_request_peer(request), question.envelope, 0, true);
    wm_remote_bulk(front->settings.remote, &x);
    send_answer(front, request, n, &x);
    wm_view_close(&question);
}

static void handle_enrolment(void *context, wm_request *request)
{
    wm_front  *front = context;
    wm_view    question;
    wm_inquiry x;

    if (!read_question(front, request, WM_ENROLMENT_BYTES_MAX, &question))
        return;
    wm_inquiry_init(&x, wm_request_peer(request), question.envelope, 0, true);
    wm_enrolment_enrol(front->settings.enrolment, wm_request_remote(request), &x);
    if (x.answer.body_case == WM__ENVELOPE__BODY_CERTIFICATE) {
        x.body.certificate.control_port = (uint32_t)wm_listener_port(front->control);
        x.body.certificate.bulk_port = (uint32_t)wm_listener_port(front->bulk);
    }
    note_nonsense(front, request, &x);
    wm_request_answer(request, &x.answer);
    wm_inquiry_release(&x);
    wm_view_close(&question);
}

/* ---- the operator ---- */

static void handle_command(void *context, wm_request *request)
{
    wm_front       *front = context;
    Wm__Envelope   *question, answer = wm_envelope();
    Wm__CommandDone done = WM__COMMAND_DONE__INIT;
    wm_text         text = WM_TEXT_INIT;
    wm_error        err;

    if (wm_request_question(request, OPERATOR_BYTES_MAX, &question, &err) != WM_OK) {
        wm_log_line(front->settings.log, WM_LOG_WARNING, "operator", "a command was refused",
                    WM_TEXT_FIELD("why", err.text));
        return;
    }
    if (question->body_case != WM__ENVELOPE__BODY_COMMAND) {
        wm_request_fault(request, WM_E_INVALID, "this socket takes commands", 0);
        wm_envelope_free(question);
        return;
    }
    done.code = (uint32_t)front->settings.command(front->settings.context, question->command, &text);
    done.text = (char *)(uintptr_t)wm_text_chars(&text);
    answer.body_case = WM__ENVELOPE__BODY_COMMAND_DONE;
    answer.command_done = &done;
    wm_request_answer(request, &answer);
    wm_text_release(&text);
    wm_envelope_free(question);
}

/* ---- who was turned away before it could ask ---- */

static void note_refusal(void *context, const wm_refusal *refusal)
{
    wm_front *front = context;

    wm_log_line(front->settings.log, WM_LOG_WARNING, "tls", "connection refused",
                WM_TEXT_FIELD("name", refusal->name[0] != '\0' ? refusal->name : "unknown"),
                WM_TEXT_FIELD("from", refusal->remote), WM_TEXT_FIELD("why", refusal->why));
    if (refusal->verified)
        wm_roster_refused(front->settings.roster, refusal->name, refusal->why);
}

/* ---- start and stop ---- */

static wm_status listen_at(wm_front *front, const char *address, wm_listener_settings *settings, wm_listener **ret,
                           wm_error *err)
{
    const wm_connection_config *limits = &front->settings.config->connections;
    char                        url[300];
    wm_status                   st;

    snprintf(url, sizeof url, "tls+tcp://%s", address);
    settings->url = url;
    settings->held_max = (size_t)limits->memory;
    settings->strangers_max = front->most.strangers;
    if (settings->connections_max == 0) {
        settings->connections_max = settings->handle == handle_bulk ? front->most.bulk : front->most.control;
        settings->connections_max_per_identity = (size_t)limits->per_gateway;
        settings->idle_ms = (int)limits->idle_ms;
    }
    settings->n_workers = LISTENER_WORKERS;
    settings->refused = note_refusal;
    settings->context = front;
    st = wm_listener_start(settings, ret, err);
    if (st != WM_OK)
        wm_error_prefix(err, "cannot listen at %s (server.yaml: listen)", address);
    return st;
}

static void share_descriptors(wm_front *front)
{
    uint64_t allowed = wm_descriptors_allowed();

    if (wm_descriptors_share(&front->settings.config->connections, allowed, &front->most))
        return;
    wm_log_line(front->settings.log, WM_LOG_WARNING, "server",
                "the system allows fewer descriptors than server.yaml asks for (connections): raise the hard limit "
                "(LimitNOFILE, ulimit -Hn) for more",
                WM_INT_FIELD("descriptors", allowed), WM_INT_FIELD("control", front->most.control),
                WM_INT_FIELD("bulk", front->most.bulk), WM_INT_FIELD("strangers", front->most.strangers));
}

size_t wm_front_most(const wm_front *front)
{
    return front->most.control;
}

static wm_status listen_all(wm_front *front, wm_error *err)
{
    const wm_front_settings *set = &front->settings;
    wm_listener_settings     control = { .tls = set->tls,
                                         .request_max = WM_CONTROL_BYTES_MAX,
                                         .handle = handle_control,
                                         .gone = control_gone,
                                         .left = control_left };
    wm_listener_settings     bulk = { .tls = set->tls, .request_max = WM_BULK_BYTES_MAX, .handle = handle_bulk };
    wm_listener_settings     enrolment = { .tls = set->enrolment_tls,
                                           .request_max = WM_ENROLMENT_BYTES_MAX,
                                           .connections_max = WM_ENROLMENT_CONNECTIONS,
                                           .connections_max_per_identity = WM_ENROLMENT_CONNECTIONS,
                                           .idle_ms = ENROLMENT_IDLE_MS,
                                           .handle = handle_enrolment };
    wm_listener_settings     operator= { .request_max = OPERATOR_BYTES_MAX,
                                         .n_workers = 1,
                                         .handle = handle_command,
                                         .refused = note_refusal,
                                         .context = front };
    char                     url[4200];
    wm_status                st;

    st = listen_at(front, set->config->listen.control, &control, &front->control, err);
    if (st == WM_OK)
        st = listen_at(front, set->config->listen.bulk, &bulk, &front->bulk, err);
    if (st == WM_OK)
        st = listen_at(front, set->config->listen.enrolment, &enrolment, &front->enrolment, err);
    if (st != WM_OK)
        return st;
    snprintf(url, sizeof url, "ipc://%s", set->control_socket);
    operator.url = url;
    st = wm_listener_start(&operator, & front->operator, err);
    if (st != WM_OK)
        wm_error_prefix(err, "cannot make the operator's socket %s", set->control_socket);
    return st;
}

wm_status wm_front_start(const wm_front_settings *settings, wm_front **ret, wm_error *err)
{
    wm_front *front = calloc(1, sizeof *front);
    wm_status st;

    if (front == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the listeners");
    front->settings = *settings;
    share_descriptors(front);
    st = wm_parking_new(&(wm_parking_settings){ .workers = PARKING_WORKERS,
                                                .parked_max = front->most.control,
                                                .clock = settings->clock,
                                                .serve = serve_control,
                                                .context = front },
                        &front->parking, err);
    if (st == WM_OK)
        st = listen_all(front, err);
    if (st != WM_OK) {
        wm_front_free(front);
        return st;
    }
    *ret = front;
    return WM_OK;
}

void wm_front_free(wm_front *front)
{
    wm_listener *all[4];

    if (front == NULL)
        return;
    all[0] = front->operator;
    all[1] = front->enrolment;
    all[2] = front->control;
    all[3] = front->bulk;
    for (size_t i = 0; i < 4; i++)
        if (all[i] != NULL)
            wm_listener_close(all[i]);
    if (front->parking != NULL)
        wm_parking_close(front->parking); /* answers what is held, so that the listeners can end */
    for (size_t i = 0; i < 4; i++)
        wm_listener_free(all[i]);
    wm_parking_free(front->parking);
    free(front);
}

static bool is_early_submit(void *context, const wm_parked *item)
{
    const held_question *held = (const held_question *)item;
    int                 *left = context;

    return *left > 0 && held->question.envelope->body_case == WM__ENVELOPE__BODY_SUBMIT &&
           !wm_request_gone(held->request) && (*left)-- > 0;
}

void wm_front_wake(wm_front *front, bool only_submits)
{
    int left = WOKEN_FOR_A_PLACE;

    if (only_submits)
        wm_parking_wake_where(front->parking, is_early_submit, &left);
    else
        wm_parking_wake(front->parking);
}

void wm_front_tick(wm_front *front)
{
    wm_parking_tick(front->parking);
}

static bool has_name(void *context, const wm_peer *peer)
{
    return strcmp(peer->name, context) == 0;
}

size_t wm_front_disconnect(wm_front *front, const char *name)
{
    char copy[WM_ROSTER_NAME];

    snprintf(copy, sizeof copy, "%s", name);
    return wm_listener_close_where(front->control, has_name, copy) +
           wm_listener_close_where(front->bulk, has_name, copy);
}

wm_front_ports wm_front_ports_get(const wm_front *front)
{
    return (wm_front_ports){ .control = wm_listener_port(front->control),
                             .bulk = wm_listener_port(front->bulk),
                             .enrolment = wm_listener_port(front->enrolment) };
}
