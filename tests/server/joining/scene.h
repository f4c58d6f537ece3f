/* tests/server/joining/scene.h
 *
 * An office and the gateways that join it and renew, in one process and without a socket: the line between them is the
 * seam's (seam.h), and a test says what trouble there is on it. */
#ifndef WM_TESTS_SERVER_JOINING_SCENE_H
#define WM_TESTS_SERVER_JOINING_SCENE_H

#include "tests/server/gateways.h"
#include "tests/server/joining/seam.h"

#include "server/enrolment.h"
#include "server/store/gateways.h"
#include "server/store/store.h"

typedef struct scene {
    const void  *row; /* of a table; NULL where a test needs none */
    place       *p;
    wm_store    *store;
    wm_roster   *roster;
    wm_enrolment enrolment;
    wm_peer      peer; /* of a renewal */
    char         clients[4200];

    /* what the line does instead of asking the office */
    wm_status   troubles[4]; /* of the first tries; WM_OK: none */
    unsigned    tries;
    bool        nonsense; /* the answer is of another kind */
    bool        ports;    /* the answer names them */
    bool        issuer_gone;
    bool        answer_lost; /* once, on its way back */
    Wm__Issued *instead;     /* what the issuer answers, whatever it is asked; handed over */
} scene;

int setup(void **state); /* *state: the row, which becomes the scene */
int teardown(void **state);

/* ---- what is done, by name of the gateway ---- */

typedef struct gateway {
    scene      *s;
    char        name[WM_NAME_TEXT], folder[4300], token[WM_TOKEN_TEXT];
    wm_identity identity;
} gateway;

/* A gateway that nobody has heard of. */
void fresh(scene *s, gateway *g, unsigned n);

wm_status ask_token(gateway *g, wm_error *err); /* of the issuer, as an operator does */
wm_status enrol(gateway *g, wm_error *err);
wm_status renew(gateway *g, wm_error *err);
wm_status renew_late(gateway *g, wm_error *err);

void must(wm_status (*what)(gateway *, wm_error *), gateway *g);
void fails_to(wm_status (*what)(gateway *, wm_error *), gateway *g); /* it is done, and the answer is lost */
void load(gateway *g);                                               /* the identity that is in its folder */

/* ---- how far it has come before a deed ---- */

void with_token(gateway *g);
void in_half_life(gateway *g);
void expired(gateway *g);
void with_spent_token(gateway *g); /* and without the certificate */
void renewed_unheard(gateway *g);

#endif
