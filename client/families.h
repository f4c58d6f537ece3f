/* client/families.h
 *
 * What a client knows of a job: all but the selection, which is the server's. */
#ifndef WM_CLIENT_FAMILIES_H
#define WM_CLIENT_FAMILIES_H

#include "common/job/job.h"

extern const wm_job_families wm_client_families;

#endif
