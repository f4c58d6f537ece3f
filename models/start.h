/* models/start.h
 *
 * A warm start: a model that begins with what another training has left in a safetensors file, of Wardmote or of PyTorch
 * (state_dict by safetensors.torch). Tensors go by name and must have the model's shape; personal layers and those that
 * the job lists as fresh begin by their initialisers, whatever the file has of them. */
#ifndef WM_MODELS_START_H
#define WM_MODELS_START_H

#include "common/files.h"
#include "models/model.h"

/* params[n_params] <- the model's beginning: of the job's seed where it does not come out of the file. WM_E_INVALID: what
 * does not fit is a fault at model.start, all of it in one go; and what reading a file says. */
wm_status wm_start_read(const wm_files *files, const char *path, const wm_model *model, wm_faults *faults,
                        float *params, wm_error *err);

#endif
