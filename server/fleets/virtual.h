/* server/fleets/virtual.h
 *
 * A fleet of clients that exist only here: thousands of them in a few worker threads. Each worker has one resident
 * trainer, into which weights are copied for one client after the other; the clients' readings are loaded once and
 * shared; the largest client is served first, so that no worker ends the round alone with it.
 *
 * The one place that sees both server/ and client/. */
#ifndef WM_SERVER_FLEETS_VIRTUAL_H
#define WM_SERVER_FLEETS_VIRTUAL_H

#include "client/owners.h"
#include "common/blobs.h"
#include "server/fleets/fleet.h"

typedef struct wm_virtual_settings {
    const wm_job   *job;
    const wm_model *model;
    wm_owners      *owners; /* the population; names as in the run's record */
    wm_blobs       *blobs;  /* of the run: the scaling is read from there */
    const uint8_t  *run;    /* [WM_RUN_ID_SIZE] */
    const char     *states; /* a folder for what clients keep between trainings; NULL: only in memory */
    size_t          workers;
    wm_log         *log;
} wm_virtual_settings;

/* All that `settings` points to is borrowed. WM_E_NOMEM. */
wm_status wm_virtual_fleet_new(const wm_virtual_settings *settings, wm_fleet **ret, wm_error *err);

/* Examples that the workers have trained or evaluated on so far, and tasks finished; for the progress line. */
void wm_virtual_fleet_count(wm_fleet *fleet, uint64_t *tasks, uint64_t *examples);

#endif
