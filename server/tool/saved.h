/* server/tool/saved.h
 *
 * A model.safetensors as it was left by a run: with the job that it is of, the scaling that it was trained under and, of a
 * detector, its threshold, all of which its metadata hold. */
#ifndef WM_SERVER_TOOL_SAVED_H
#define WM_SERVER_TOOL_SAVED_H

#include "server/tool/workspace.h"

typedef struct wm_saved_model {
    wm_workspace_settings settings; /* for wm_workspace_read; its text is the one below */
    wm_workspace          space;    /* the job and the model; no data yet */
    float                *params;   /* [n_params] */
    bool                  scaled;
    wm_scaling            scaling;   /* if so */
    double                threshold; /* NaN if it is no detector */
    char                 *text;      /* the job's, out of the metadata; NULL if a file said it */
} wm_saved_model;

/* settings->file: the job, instead of the model's own; may be NULL. WM_E_MISSING: the model holds no job, or no scaling
 * where the job scales; WM_E_SHAPE: it is a model of another job. */
wm_status wm_saved_open(wm_cli_call *call, const char *path, const wm_workspace_settings *settings,
                        wm_saved_model *ret, wm_error *err);
void      wm_saved_release(wm_saved_model *saved);

/* WM_E_REFUSED: the job has personal layers, which are in no file, so what predicts is a client's whole network alone. */
wm_status wm_saved_check_whole(const char *path, const wm_saved_model *saved, wm_error *err);

bool wm_saved_is_folder(const char *path);

#endif
