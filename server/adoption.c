/* server/adoption.c */
#include "server/adoption.h"

#include "server/issuer/issuer_client.h"

#include <string.h>

static wm_status adopt(const wm_enrolment *enrolment, const Wm__Listed *listed, wm_error *err)
{
    wm_presence who;
    wm_serial   serial;
    char        text[WM_SERIAL_TEXT];
    bool        known;
    wm_status   st;

    if (listed->server || listed->revoked || listed->serial.len == 0 || listed->serial.len > WM_SERIAL_MAX ||
        !wm_gateway_name_ok(listed->name))
        return WM_OK;
    known = wm_roster_find(enrolment->roster, listed->name, &who);
    if (known && (who.revoked_ms != 0 || who.not_after_ms >= (int64_t)listed->not_after_ms))
        return WM_OK;
    serial.size = (uint8_t)listed->serial.len;
    memcpy(serial.bytes, listed->serial.data, serial.size);
    wm_serial_text(&serial, text);
    st = wm_store_certificate(enrolment->store, listed->name, text, (int64_t)listed->not_after_ms, err);
    if (st == WM_E_EXISTS || st == WM_E_REFUSED)
        return WM_OK;
    if (st == WM_OK)
        st = wm_roster_enrolled(enrolment->roster, listed->name, text, (int64_t)listed->not_after_ms, err);
    if (st == WM_OK)
        wm_log_line(enrolment->log, WM_LOG_INFO, "enrolment", "a gateway is known from the issuer",
                    WM_TEXT_FIELD("name", listed->name));
    return st;
}

wm_status wm_adopt_certificates(const wm_enrolment *enrolment, wm_error *err)
{
    uint8_t   last[WM_SERIAL_MAX] = { 0 };
    size_t    n_last = 0;
    bool      more = true;
    wm_status st = WM_OK;

    while (st == WM_OK && more) {
        Wm__Issue   ask = WM__ISSUE__INIT;
        Wm__Issued *issued;

        ask.verb = WM__ISSUE__VERB__LIST;
        ask.serial = wm_bytes_field(last, n_last);
        st = enrolment->issue(enrolment->context, &ask, &issued, err);
        if (st != WM_OK)
            return st;
        st = wm_issued_status(issued, err);
        for (size_t i = 0; st == WM_OK && i < issued->n_certificates; i++) {
            const Wm__Listed *listed = issued->certificates[i];

            st = adopt(enrolment, listed, err);
            if (listed->serial.len > 0 && listed->serial.len <= sizeof last) {
                memcpy(last, listed->serial.data, listed->serial.len);
                n_last = listed->serial.len;
            }
        }
        more = issued->more && issued->n_certificates > 0;
        wm_issued_free(issued);
    }
    return st;
}
