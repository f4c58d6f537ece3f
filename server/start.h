/* server/start.h
 *
 * How a job comes by its warm start: whoever starts it reads the file, and from then on the job names the model that came
 * of it by its SHA-256, and the store holds that model among its blobs. So the job says all of what its run begins with,
 * and neither the server nor a gateway knows of a path. */
#ifndef WM_SERVER_START_H
#define WM_SERVER_START_H

#include "common/blobs.h"
#include "common/config/settings.h"
#include "models/model.h"

/* `job_path`: the job's own, in whose folder the file's path begins. *ret: [n_params], to free(); NULL if the job has no
 * start. Faults as wm_start_read; one too if the job names another model than the file makes. */
wm_status wm_start_of_job(const char *job_path, const wm_job *job, const wm_model *model, wm_faults *faults,
                          float **ret, wm_error *err);

/* The change that makes the job say it: its file without folders, and the SHA-256. ret->value is to be free()d. */
wm_status wm_start_setting(const wm_job *job, const wm_digest *parameters, wm_setting *ret, wm_error *err);

/* params[n_params] <- what round 1 begins with: the start's, out of the blobs, or the initialisers'. WM_E_DAMAGED: the
 * blob is gone; WM_E_INVALID: the job does not say which it is. */
wm_status wm_start_params(const wm_job *job, const wm_model *model, uint64_t seed, wm_blobs *blobs, float *params,
                          wm_error *err);

#endif
