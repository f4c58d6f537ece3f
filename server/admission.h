/* server/admission.h
 *
 * Whether a job may run here: the file parsed without the families that only clients have, its network built, its exact
 * sums with head-room for this many clients. Everything that can be wrong is said before anything runs. */
#ifndef WM_SERVER_ADMISSION_H
#define WM_SERVER_ADMISSION_H

#include "models/model.h"

/* What the office knows of a job: a job never names a place on a gateway. */
extern const wm_job_families wm_server_families;

/* What a run is made of. */
typedef struct wm_admitted {
    wm_job   *job;
    wm_model *model;
} wm_admitted;

/* What it is to hold in. */
typedef struct wm_admission_limits {
    size_t   n_clients;    /* 0: not known yet */
    uint64_t update_bytes; /* an update of the job is no larger (server.yaml: uploads.room); 0: no limit */
} wm_admission_limits;

/* text[n]: the job's file, `file` its name for messages. WM_E_INVALID: faults, all of them in *faults; WM_E_RANGE: no
 * head-room, or no room. On failure *ret is untouched. */
/* The settings change the job first; see wm_job_parse. */
wm_status wm_admit_changed(const char *file, const char *text, size_t n, const wm_setting *settings, size_t n_settings,
                           const wm_admission_limits *limits, wm_faults *faults, wm_admitted *ret, wm_error *err);
wm_status wm_admit(const char *file, const char *text, size_t n, const wm_admission_limits *limits,
                   wm_faults *faults, wm_admitted *ret, wm_error *err);
void      wm_admitted_release(wm_admitted *admitted); /* an empty one is fine */

#endif
