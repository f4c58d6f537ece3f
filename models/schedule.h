/* models/schedule.h
 *
 * The family of schedules: the rate of local training as a function of the round.
 *
 * Adding one: a file in models/schedules/, one line in schedules.c. */
#ifndef WM_MODELS_SCHEDULE_H
#define WM_MODELS_SCHEDULE_H

#include "common/config/family.h"

typedef struct wm_schedule_ops {
    wm_member member; /* first: see family.h */

    /* The rate in `round`, which counts from 1 to `rounds`; a later one has the last round's rate. */
    double (*rate)(const void *options, int64_t round, int64_t rounds);
} wm_schedule_ops;

#endif
