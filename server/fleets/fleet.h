/* server/fleets/fleet.h
 *
 * How a cohort is reached. Clients pull: a member of this family brings them to a run, lets them ask, and hands in
 * what they return, through server/run.h. `remote` reaches gateways over nng and TLS, `virtual` runs thousands of
 * clients in worker threads. The run cannot tell which it has. */
#ifndef WM_SERVER_FLEETS_FLEET_H
#define WM_SERVER_FLEETS_FLEET_H

#include "server/run.h"

typedef struct wm_fleet wm_fleet;

typedef struct wm_fleet_ops {
    const char *name;

    /* Begins to serve `run`, which stays the caller's and outlives the serving. */
    wm_status (*serve)(wm_fleet *fleet, wm_run *run, wm_error *err);

    /* Called from the run's observer: there may be work now. Never blocks. */
    void (*wake)(wm_fleet *fleet);

    /* Stops serving and waits until no client is inside the run. */
    void (*leave)(wm_fleet *fleet);

    void (*free)(wm_fleet *fleet);
} wm_fleet_ops;

struct wm_fleet {
    const wm_fleet_ops *ops;
};

#endif
