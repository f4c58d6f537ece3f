/* server/adoption.h
 *
 * Gateways that the issuer knows of and the aggregator's store does not: the aggregator died between the two, or its
 * store came from an older backup. Looked for once, at start. */
#ifndef WM_SERVER_ADOPTION_H
#define WM_SERVER_ADOPTION_H

#include "server/enrolment.h"

/* Every certificate that the issuer lists is recorded, unless its name is revoked on either side. */
wm_status wm_adopt_certificates(const wm_enrolment *enrolment, wm_error *err);

#endif
