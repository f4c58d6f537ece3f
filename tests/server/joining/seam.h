/* tests/server/joining/seam.h
 *
 * The seam of the enrolment: everything that its files call and that can fail. The linker gives these calls to seam.c
 * (`--wrap`), which hands them on, or lets the n-th one fail as the world would. The line between client and office is
 * one of them: a question is answered in the same process, without a socket. */
#ifndef WM_TESTS_SERVER_JOINING_SEAM_H
#define WM_TESTS_SERVER_JOINING_SEAM_H

#include "common/wire/exchange.h"

#include <stdbool.h>

/* From now on the n-th call fails, once; 0: none does. */
void seam_arm(unsigned n);

/* Ends that; whether it came to the n-th call. */
bool seam_disarm(void);

/* The name of the call that failed. */
const char *seam_failed(void);

/* Where a question of the client arrives: the answer, to wm_envelope_free, or how the line failed. */
typedef wm_status seam_line(void *context, const Wm__Envelope *question, Wm__Envelope **answer, wm_error *err);

void seam_connect(seam_line *line, void *context);

#endif
