/* server/enrolment.h
 *
 * How a stranger becomes a gateway of this office, and how a gateway's certificate is renewed: the aggregator's half. It
 * decides nothing: the issuing process does, behind `issue`. What is decided is made durable in the store before the
 * answer leaves, so that a gateway which holds a certificate is known here. Thread-safe. */
#ifndef WM_SERVER_ENROLMENT_H
#define WM_SERVER_ENROLMENT_H

#include "common/log.h"
#include "server/fleets/inquiry.h"
#include "server/roster.h"

typedef struct wm_enrolment {
    /* Asks the issuer; *ret, refusals included, to wm_issued_free. Fails if the issuer cannot be asked. */
    wm_status (*issue)(void *context, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err);
    void *context;

    wm_store  *store;
    wm_roster *roster;
    wm_clock   clock;
    wm_log    *log;
} wm_enrolment;

/* Answers an Enrol. `remote` is where it comes from, "192.0.2.7:51034". */
void wm_enrolment_enrol(const wm_enrolment *enrolment, const char *remote, wm_inquiry *x);

/* Answers a Renew of a verified peer. */
void wm_enrolment_renew(const wm_enrolment *enrolment, const char *remote, wm_inquiry *x);

#endif
