/* server/tool/contest.h
 *
 * A saved model beside its baselines, on every client's test part, where all the data is at hand: what a run's last
 * evaluation does, without the run. Clients are shared out to worker threads.
 *
 * `elsewhere` asks further how each client's own model does where that client never was: on the owners that the split
 * leaves out, or, where it leaves none out, on other clients' test parts (eight of them where there are more). That is what a client gains by taking part:
 * a model of one's own is often as good at home. */
#ifndef WM_SERVER_TOOL_CONTEST_H
#define WM_SERVER_TOOL_CONTEST_H

#include "client/owners.h"
#include "common/task.h"
#include "models/evaluation.h"
#include "models/model.h"

typedef struct wm_contest_settings {
    const wm_job     *job;
    const wm_model   *model;
    const float      *params;  /* [n_params]: the federated model */
    const wm_scaling *scaling; /* NULL if the job needs none */
    wm_owners        *owners;
    unsigned          baselines; /* wm_baseline, or-ed */
    uint32_t          passes;    /* epochs of `alone` and `pooled` */
    size_t            workers;
    bool              elsewhere;
} wm_contest_settings;

typedef struct wm_contest_result {
    unsigned      present; /* bit c for evaluations[c] */
    wm_evaluation evaluations[WM_CONTENDERS];
    bool          has_elsewhere;
    wm_evaluation
        elsewhere; /* of this client's own model, over all the places where it never was; a detector of anomalies
                              * has the threshold that it has at home */
} wm_contest_result;

/* Is the owner left out of training? Then it is an elsewhere for all others. */
bool wm_contest_left_out(const wm_job *job, wm_owners *owners, size_t owner);

/* results[owners]: one per client, in their order. */
wm_status wm_contest(const wm_contest_settings *settings, wm_contest_result *results, wm_error *err);

#endif
