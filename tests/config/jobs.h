/* tests/config/jobs.h
 *
 * Job files, and how they are read, for the tests of the job. */
#ifndef WM_TESTS_CONFIG_JOBS_H
#define WM_TESTS_CONFIG_JOBS_H

#include "common/job/job.h"
#include "tests/config/families.h"
#include "tests/unit.h"

extern const char example[]; /* the grammar's first, 25 lines */
extern const char river[];   /* what the second has beyond it, as far as this version goes */

/* As air.yaml; the faults are the caller's to release, whatever comes. */
wm_status parse(const char *text, const wm_setting *settings, size_t n, wm_faults *faults, wm_job **job);
/* Without a fault. */
wm_job *parse_well(const char *text, const wm_setting *settings, size_t n);

#endif
