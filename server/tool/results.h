/* server/tool/results.h
 *
 * What a finished run comes to, on the terminal: the contenders' table, together and for each client, out of the run
 * folder's summary.json, so that a run over TLS and one in memory are told alike. */
#ifndef WM_SERVER_TOOL_RESULTS_H
#define WM_SERVER_TOOL_RESULTS_H

#include "common/cli.h"
#include "common/job/job.h"
#include "common/task.h"
#include "server/tool/contest.h"

/* json: prints summary.json as it is. */
wm_status wm_results_print(const wm_cli_call *call, const char *folder, bool json, wm_error *err);

/* The same table from a contest, without the federated figures of targets that go through personal layers, which the model
 * alone has not. elsewhere: a line more for each measure of all clients at home, and of all that is
 * elsewhere; there `alone` is the median over the clients' own models. */
void wm_contest_print(const wm_cli_call *call, const wm_job *job, const wm_model *model, wm_owners *owners,
                      const wm_contest_result *results, bool elsewhere);

#endif
