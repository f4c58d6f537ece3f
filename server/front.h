/* server/front.h
 *
 * The aggregator's face: its listeners, and the way from bytes to a handler and back. Four of them: control, where
 * questions may be held until there is work; bulk, for transfers; enrolment, whose strangers show no certificate; and a
 * UNIX socket of mode 0600 for the operator.
 *
 * The handlers themselves are in fleets/remote.h, enrolment.h and operator.h and know nothing of sockets. */
#ifndef WM_SERVER_FRONT_H
#define WM_SERVER_FRONT_H

#include "common/crypto/tls.h"
#include "server/config.h"
#include "server/enrolment.h"
#include "server/errands.h"
#include "server/fleets/remote.h"

typedef struct wm_front wm_front;

typedef struct wm_front_settings {
    const wm_server_config *config;
    const char             *control_socket; /* path of the operator's socket */
    wm_tls                 *tls;            /* mutual: control and bulk */
    wm_tls                 *enrolment_tls;  /* asks for no certificate */
    wm_remote              *remote;
    const wm_enrolment     *enrolment;
    wm_errands             *errands; /* where renewals wait for the issuer */
    wm_roster              *roster;
    wm_clock                clock;
    wm_log                 *log;

    /* An operator's command; fills the answer's text in any case. */
    wm_status (*command)(void *context, const Wm__Command *command, wm_text *ret);
    void *context;
} wm_front_settings;

/* Listens. All that `settings` points to is borrowed. WM_E_IO: an address cannot be listened at; the sentence names it. */
wm_status wm_front_start(const wm_front_settings *settings, wm_front **ret, wm_error *err);

/* Held questions are looked at again; or only some of those that wait for a place, the oldest first. Quick, from any
 * thread. */
void wm_front_wake(wm_front *front, bool only_submits);

/* Lets held questions time out. A few times a second. */
void wm_front_tick(wm_front *front);

/* Closes every connection of that gateway; it is refused already when this is called. Returns how many there were. */
size_t wm_front_disconnect(wm_front *front, const char *name);

typedef struct wm_front_ports {
    int control, bulk, enrolment; /* the real ones, where port 0 was asked for */
} wm_front_ports;

wm_front_ports wm_front_ports_get(const wm_front *front);

/* How many connections of gateways control can take. */
size_t wm_front_most(const wm_front *front);

/* No more connections and questions; answers on their way go out; waits until all are closed. NULL is fine. */
void wm_front_free(wm_front *front);

#endif
