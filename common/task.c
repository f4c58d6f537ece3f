/* common/task.c */
#include "common/task.h"

const char *wm_phase_name(wm_phase phase)
{
    static const char *const names[] = {
        [WM_PHASE_NONE] = "starting",       [WM_PHASE_STATISTICS] = "statistics",  [WM_PHASE_TRAIN] = "training",
        [WM_PHASE_EVALUATE] = "evaluation", [WM_PHASE_FINAL] = "final evaluation", [WM_PHASE_CLOSED] = "closed",
    };

    return (unsigned)phase < sizeof names / sizeof *names ? names[phase] : "unknown";
}

const char *wm_contender_name(wm_contender contender)
{
    static const char *const names[] = {
        [WM_FEDERATED] = "federated", [WM_TUNED] = "federated + 1 epoch",
        [WM_ALONE] = "alone",         [WM_POOLED] = "pooled",
        [WM_NAIVE] = "naive",
    };

    return (unsigned)contender < WM_CONTENDERS ? names[contender] : "unknown";
}
