/* server/descriptors.h
 *
 * A connection takes a descriptor, and so does a file of the store: who may have how many, where the system allows fewer
 * than server.yaml asks for. Without this, a crowd would stop the store from opening a file. */
#ifndef WM_SERVER_DESCRIPTORS_H
#define WM_SERVER_DESCRIPTORS_H

#include "server/config.h"

enum { WM_ENROLMENT_CONNECTIONS = 256 };

/* Takes as many as the process is allowed. */
void wm_descriptors_raise(void);

/* How many it may have; UINT64_MAX where that is not known. */
uint64_t wm_descriptors_allowed(void);

typedef struct wm_descriptor_shares {
    size_t control, bulk; /* connections of gateways */
    size_t strangers;     /* on top of those, for each of the three listeners */
} wm_descriptor_shares;

/* true: as server.yaml asks for. false: there are fewer; strangers get a sixteenth of them for each listener; of the rest
 * three quarters may go to control, where a gateway stays, and what is left to bulk, where it is for a transfer. */
bool wm_descriptors_share(const wm_connection_config *limits, uint64_t allowed, wm_descriptor_shares *ret);

#endif
