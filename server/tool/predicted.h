/* server/tool/predicted.h
 *
 * What a saved model says of a batch of examples, target by target, and how it is written: columns of a CSV file with their
 * titles, in the data's own units, and of a class target by the classes' names. */
#ifndef WM_SERVER_TOOL_PREDICTED_H
#define WM_SERVER_TOOL_PREDICTED_H

#include "common/text.h"
#include "server/tool/saved.h"

/* One target's predictions of a batch. */
typedef struct wm_predicted {
    bool          own; /* goes through a personal layer, which the model alone has not: left out */
    size_t        width, n_levels;
    const double *levels;
    float        *values;    /* [batch][width]: in the data's units, or logits */
    float        *quantiles; /* [batch][width][n_levels] */
    double       *scores; /* [batch] of a detector's target, and of an input that is given back; NULL otherwise */
    bool          detects;
    double       *odds; /* [width]: probabilities of one example's classes; NULL if they are not told */
} wm_predicted;

/* ret[WM_TARGETS_MAX], zeroed, becomes room for n_batch examples; to be released whatever comes back. */
wm_status wm_predicted_init(const wm_saved_model *saved, size_t n_batch, wm_predicted *ret, wm_error *err);
void      wm_predicted_release(wm_predicted *targets);

/* The titles' line. */
void wm_predicted_header(const wm_saved_model *saved, const wm_predicted *targets, wm_text *to);

/* The cells of the batch's example i, each behind a comma. */
void wm_predicted_row(const wm_saved_model *saved, const wm_predicted *targets, size_t i, wm_text *to);

#endif
