/* server/enrolment.c */
#include "server/enrolment.h"

#include "common/crash.h"
#include "common/crypto/certificate.h"

#include <stdio.h>
#include <string.h>

enum {
    TROUBLE_MS = 10 * 1000, /* the issuer is not there, or our disk is full */
    SOURCE_TEXT = 80,
};

/* "192.0.2.7:51034" without the port, since a stranger has many of those. */
static const char *source_of(const char *remote, char text[SOURCE_TEXT])
{
    char *colon;

    snprintf(text, SOURCE_TEXT, "%s", remote);
    colon = strrchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
    return text;
}

static void log_refusal(const wm_enrolment *enrolment, wm_log_level level, const char *name, const char *remote,
                        const char *why)
{
    wm_log_line(enrolment->log, level, "enrolment", "refused", WM_TEXT_FIELD("name", name),
                WM_TEXT_FIELD("from", remote), WM_TEXT_FIELD("why", why));
}

/* Durable here, too, and known from now on. */
static wm_status register_certificate(const wm_enrolment *enrolment, const Wm__Issued *issued, wm_error *err)
{
    wm_serial serial;
    char      text[WM_SERIAL_TEXT];
    wm_status st;

    if (!wm_gateway_name_ok(issued->name) || issued->serial.len == 0 || issued->serial.len > WM_SERIAL_MAX)
        return wm_fail(err, WM_E_MALFORMED, "the issuer's answer names no gateway or no serial");
    serial.size = (uint8_t)issued->serial.len;
    memcpy(serial.bytes, issued->serial.data, serial.size);
    wm_serial_text(&serial, text);
    wm_crash_point("enrolment-issued");
    st = wm_store_certificate(enrolment->store, issued->name, text, (int64_t)issued->not_after_ms, err);
    if (st != WM_OK && st != WM_E_EXISTS) /* the same certificate again: its answer was lost */
        return st;
    return wm_roster_enrolled(enrolment->roster, issued->name, text, (int64_t)issued->not_after_ms, err);
}

static void answer(const wm_enrolment *enrolment, const char *name, const char *remote, const Wm__Issue *ask,
                   wm_inquiry *x)
{
    Wm__Issued *issued;
    wm_error    err;
    wm_status   st = enrolment->issue(enrolment->context, ask, &issued, &err);

    if (st != WM_OK) {
        wm_log_line(enrolment->log, WM_LOG_ERROR, "enrolment", "the issuer cannot be asked",
                    WM_TEXT_FIELD("name", name), WM_TEXT_FIELD("why", err.text));
        wm_inquiry_fault(x, WM_E_CLOSED, TROUBLE_MS, "certificates cannot be issued at this moment");
        return;
    }
    x->issued = issued;
    if (issued->code != WM_OK) {
        /* Too many failures of one address: those that made it so are in the log. */
        log_refusal(enrolment, issued->answer_code == WM_E_FULL ? WM_LOG_DEBUG : WM_LOG_WARNING, name, remote,
                    issued->text);
        wm_inquiry_fault(x, issued->answer_code != WM_OK ? (wm_status)issued->answer_code : WM_E_REFUSED,
                         issued->come_back_ms, "%s",
                         issued->answer[0] != '\0' ? issued->answer : "the request is refused");
        return;
    }
    st = register_certificate(enrolment, issued, &err);
    if (st == WM_E_REFUSED) {
        log_refusal(enrolment, WM_LOG_WARNING, name, remote, err.text);
        wm_inquiry_fault(x, WM_E_REFUSED, 0, "this name may not enrol");
        return;
    }
    if (st != WM_OK) {
        wm_log_line(enrolment->log, WM_LOG_ERROR, "enrolment", "a certificate cannot be recorded",
                    WM_TEXT_FIELD("name", name), WM_TEXT_FIELD("why", err.text));
        wm_inquiry_fault(x, WM_E_IO, TROUBLE_MS, "the certificate cannot be recorded at this moment: try again");
        return;
    }
    wm__certificate__init(&x->body.certificate);
    x->body.certificate.chain = issued->chain;
    x->body.certificate.root = issued->root;
    x->body.certificate.server_time_ms = (uint64_t)wm_wall_ms(&enrolment->clock);
    x->answer.body_case = WM__ENVELOPE__BODY_CERTIFICATE;
    x->answer.certificate = &x->body.certificate;
}

void wm_enrolment_enrol(const wm_enrolment *enrolment, const char *remote, wm_inquiry *x)
{
    Wm__Issue ask = WM__ISSUE__INIT;
    char      source[SOURCE_TEXT];

    if (x->question->body_case != WM__ENVELOPE__BODY_ENROL) {
        wm_inquiry_fault(x, WM_E_INVALID, 0, "this connection is for enrolment alone");
        return;
    }
    ask.verb = WM__ISSUE__VERB__ENROL;
    ask.enrol = x->question->enrol;
    source_of(remote, source);
    ask.source = source;
    answer(enrolment, x->question->enrol->name, remote, &ask, x);
    if (x->answer.body_case == WM__ENVELOPE__BODY_CERTIFICATE)
        wm_log_line(enrolment->log, WM_LOG_INFO, "enrolment", "certificate issued",
                    WM_TEXT_FIELD("name", x->issued->name), WM_TEXT_FIELD("from", remote));
}

void wm_enrolment_renew(const wm_enrolment *enrolment, const char *remote, wm_inquiry *x)
{
    Wm__Issue ask = WM__ISSUE__INIT;
    wm_error  err;

    if (wm_roster_admit(enrolment->roster, x->peer->name, &err) != WM_OK) {
        wm_inquiry_fault(x, WM_E_REFUSED, 0, "%s", err.text);
        return;
    }
    ask.verb = WM__ISSUE__VERB__RENEW;
    ask.name = (char *)(uintptr_t)x->peer->name;
    ask.serial = wm_bytes_field(x->peer->serial.bytes, x->peer->serial.size);
    ask.request = x->question->renew->request;
    ask.proof = x->question->renew->proof;
    answer(enrolment, x->peer->name, remote, &ask, x);
    if (x->answer.body_case == WM__ENVELOPE__BODY_CERTIFICATE)
        wm_log_line(enrolment->log, WM_LOG_INFO, "enrolment", "certificate renewed",
                    WM_TEXT_FIELD("name", x->peer->name));
}
