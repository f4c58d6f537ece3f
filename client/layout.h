/* client/layout.h
 *
 * What a job asks of its readings: which columns, in which order their channels lie in a row, and which of them each
 * input takes. Made once from the job's data section, immutable, shared by all owners.
 *
 * A row is the channels of every used column side by side, the first window's columns first and in its order: so the
 * usual job, whose one window has all columns, gathers its batches in one sweep. */
#ifndef WM_CLIENT_LAYOUT_H
#define WM_CLIENT_LAYOUT_H

#include "common/job/job.h"
#include "models/batch.h"

/* A column that is used by an input or a target. */
typedef struct wm_used {
    const char          *name;
    const wm_job_column *spec;     /* NULL: only a target names it, and it is a plain number (a label) */
    size_t               index;    /* in the job's columns; meaningless if spec is NULL */
    bool                 read;     /* comes from the source; a cycle is computed from the time */
    bool                 optional; /* no input takes it, and the layout predicts: the source may be without it */
    size_t               first, channels; /* in a row; the mask is the last channel */
    int64_t              classes;         /* > 0: a label, whole and below this; else 0 */
} wm_used;

/* One input's columns, and its channels as places in a row. */
typedef struct wm_layout_input {
    size_t *used; /* [n_used] */
    size_t  n_used;
    size_t *channel; /* [channels] place in a row */
    size_t  channels;
    size_t  values;     /* of one example, all in all */
    bool    contiguous; /* channel[c] == channel[0] + c */
} wm_layout_input;

typedef struct wm_layout {
    const wm_job   *job; /* borrowed */
    wm_used        *used;
    size_t          n_used;
    size_t          width; /* floats of a row */
    wm_layout_input inputs[WM_INPUTS_MAX];
    size_t          target_used[WM_TARGETS_MAX]; /* SIZE_MAX of a target that is an input */
    size_t          target_width[WM_TARGETS_MAX];
    size_t          within;   /* the used column that does not change within a window; SIZE_MAX: none */
    size_t          label;    /* column that says which examples are anomalies; SIZE_MAX: none does */
    size_t          elapsed;  /* the made column of time since the row before; SIZE_MAX: no window has it */
    bool            images;   /* examples are images with a label, not rows */
    bool            timed;    /* rows have a time */
    bool            paced;    /* and stand on a regular grid of it */
    bool            predicts; /* examples are all that can be predicted: targets and labels may be unknown */
} wm_layout;

/* WM_E_INVALID: a data section that cannot be read this way (the sentence says why). WM_E_NOMEM. */
wm_status wm_layout_new(const wm_job *job, wm_layout **ret, wm_error *err);

/* From here on for predicting; before anything is read by it. */
void wm_layout_predict(wm_layout *layout);

void wm_layout_free(wm_layout *layout);

/* WM_E_REFUSED: a column that is used and not in `allowed` (NULL: all are allowed). */
wm_status wm_layout_allow(const wm_layout *layout, const wm_words *allowed, wm_error *err);

#endif
