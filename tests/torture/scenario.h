/* tests/torture/scenario.h
 *
 * A scenario is a use of our modules from opening to closing, written as a program would write it: it returns the first
 * failure's status, and gives back everything on every way out. The runner has each allocation in it fail once and asks
 * afterwards: does the status say so, is there a sentence, is nothing held that was not before.
 *
 * `folder` is empty and the scenario's own. A scenario over sockets or threads is `loose`: a lost answer may show as a
 * closed connection, so any status will do but WM_E_DAMAGED, by which it says that something is wrong; and not a crash, a
 * hang, a leak or silence. */
#ifndef WM_TESTS_TORTURE_SCENARIO_H
#define WM_TESTS_TORTURE_SCENARIO_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct scenario {
    const char *name;
    wm_status (*play)(const char *folder, wm_error *err);
    bool loose;
} scenario;

extern const scenario common_scenarios[], client_scenarios[], server_scenarios[], wire_scenarios[],
    tool_scenarios[];
extern const size_t n_common_scenarios, n_client_scenarios, n_server_scenarios, n_wire_scenarios, n_tool_scenarios;

/* The next deed, unless one has failed. `st` and `out` are the scenario's. */
#define TRY(call)                   \
    do {                            \
        if ((st = (call)) != WM_OK) \
            goto out;               \
    } while (0)

#define COUNT(list) (sizeof(list) / sizeof *(list))

#endif
