/* server/tool/simulation.h
 *
 * A run of a job on this machine alone: the aggregator's run, its store and its run folder, over a fleet of virtual
 * clients. The same engine, the same trainer and the same files as in production; only the network is missing. */
#ifndef WM_SERVER_TOOL_SIMULATION_H
#define WM_SERVER_TOOL_SIMULATION_H

#include "server/run.h"
#include "server/tool/workspace.h"

#include <stdatomic.h>

typedef struct wm_simulation_settings {
    const wm_workspace *space;
    const char         *out;     /* the run folder; state/ in it is what a resumed simulation goes on from */
    bool                resume;  /* go on with the run that `out` holds, if it is not over */
    size_t              workers;
    wm_clock            clock;
    wm_log             *log;
    const atomic_bool  *interrupted; /* looked at now and then: leaves the run as it stands, to be resumed */

    /* On the calling thread, a few times a second and after every round. */
    void (*progress)(void *context, const wm_run_progress *progress, const wm_round_record *round, double clients_s);
    void *context;
} wm_simulation_settings;

typedef struct wm_simulation_result {
    wm_standing      standing;
    bool             has_final;
    wm_final_record  final;      /* its clients are owned */
    double           seconds;
    uint64_t         tasks, examples;
} wm_simulation_result;

/* WM_E_CLOSED: interrupted; the run can be resumed. A run that failed by its own rules is WM_OK with that outcome. */
wm_status wm_simulate(const wm_simulation_settings *settings, wm_simulation_result *ret, wm_error *err);

void wm_simulation_result_release(wm_simulation_result *result);

#endif
