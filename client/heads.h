/* client/heads.h
 *
 * What a model's heads said, as people want it: in the data's units, of quantiles the median too, and how far off it was.
 * For measuring and for predicting. */
#ifndef WM_CLIENT_HEADS_H
#define WM_CLIENT_HEADS_H

#include "client/examples.h"
#include "models/loss.h"

/* Values that the model gives for target t of one example. */
size_t wm_head_width(const wm_job *job, size_t t);

/* *ret <- the levels of target t's head and how many; 0 if it predicts the values, or classes. */
size_t wm_head_levels(const wm_job *job, size_t t, const double **ret);

/* p[classes] <- the probabilities that logits z of target t say; false if its loss knows none. p NULL: whether it does. */
bool wm_head_probabilities(const wm_job *job, size_t t, const float *z, double *p);

/* The most over all targets: values of a target, values of a head. */
size_t wm_heads_values_max(const wm_job *job);
size_t wm_heads_width_max(const wm_job *job);

/* output[n][head width], as the model gave it for the examples index[n] of `part`:
 * values[n][width of target] <- in the data's units; of quantiles the one nearest the median; of classes the logits as
 * they are. quantiles[n][width][levels] <- all of them, in the data's units; not touched without. */
void wm_head_values(const wm_job *job, const wm_examples *examples, wm_part part, const uint32_t *index, size_t n,
                    size_t t, const float *output, float *values, float *quantiles);

/* scores[batch->n] <- each example's loss of target t, which is of values. */
void wm_head_scores(const wm_job *job, const wm_batch *batch, size_t t, const float *output, double *scores);

#endif
