/* tests/e2e/bad_messages.h: what a message can be that it must not be, one in a row, and what has to come of it. */
#ifndef WM_TESTS_E2E_BAD_MESSAGES_H
#define WM_TESTS_E2E_BAD_MESSAGES_H

#include "tests/e2e/office.h"

#include "common/wire/envelope.h"

enum { ROOM = 1200 << 10 };

typedef struct letter {
    uint8_t bytes[ROOM];
    size_t  n;
} letter;

/* What may come of it. */
typedef enum outcome {
    FAULT,   /* a fault of that status, and a word in it */
    ANSWER,  /* harmless: an answer */
    CUT_OFF, /* the connection */
} outcome;

typedef struct row {
    const char *says;
    int         port; /* CONTROL... */
    void (*write)(letter *l);
    outcome     outcome;
    wm_status   status;
    const char *why;
    bool        uncounted; /* among the gateway's refusals: a race may bring it about that there is an answer */
} row;

#define CONTROL   OFFICE_CONTROL
#define BULK      OFFICE_BULK
#define ENROLMENT OFFICE_ENROLMENT

/* Bytes that no sender of ours would lay: bad_bytes.c. */
extern const row    rows_of_bytes[];
extern const size_t n_rows_of_bytes;

/* Well-formed envelopes, with a bound of a field overstepped or where they do not belong: bad_envelopes.c. */
extern const row    rows_of_envelopes[];
extern const size_t n_rows_of_envelopes;

void pack(letter *l, Wm__Envelope *envelope, Wm__Envelope__BodyCase body);
void pack_ask(letter *l, Wm__Ask *ask);

#endif
