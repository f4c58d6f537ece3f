/* client/examples_struct.h
 *
 * The examples' insides, shared by the files that make them (examples.c), gather them (gather.c), scale them (scale.c) and
 * say what is true of them (truths.c). Nobody else includes this. */
#ifndef WM_CLIENT_EXAMPLES_STRUCT_H
#define WM_CLIENT_EXAMPLES_STRUCT_H

#include "client/examples_make.h"
#include "models/measures.h"

struct wm_examples {
    const wm_layout *layout;
    const wm_grid   *grid;   /* or */
    const wm_images *images; /* or */
    wm_examples    **members;
    size_t           n_members;
    size_t          *ends[WM_PARTS]; /* [n_members] where each member's examples end in the whole */

    wm_laid laid;

    /* By used column, in the data's units; and by channel of a row, as the gatherer wants it. */
    bool    scaled;
    double *mean, *deviation;            /* [n_used] */
    float  *channel_mean, *channel_gain; /* [width] x becomes (x - mean) * gain */

    double yardstick[WM_MEASURES_MAX]; /* of the job's measures that have a season; see wm_examples_yardsticks */

    /* The naive prediction where persistence would be the truth itself: a label's mean, a class's majority. */
    double  label_mean[WM_TARGETS_MAX];
    int64_t majority[WM_TARGETS_MAX];
};

/* ---- what one example is: a row of a leaf, which are examples without members ---- */

/* The leaf that an index of a part belongs to; *index becomes the leaf's own. */
const wm_examples *wm_examples_leaf(const wm_examples *examples, wm_part part, uint32_t *index);

/* Where target t's horizon h lies, in rows from now. */
static inline size_t wm_leaf_ahead(const wm_examples *leaf, size_t t, size_t h)
{
    const size_t *ahead = leaf->grid->pace.ahead[t];

    return ahead != NULL ? ahead[h] : 0;
}

/* A target column's reading at a row, in the data's units. */
static inline float wm_leaf_reading(const wm_examples *leaf, size_t t, size_t row)
{
    const wm_used *used = &leaf->layout->used[leaf->layout->target_used[t]];

    return wm_grid_row(leaf->grid, row)[used->first];
}

/* Target t's class of the example at a row; the target is a class. */
int32_t wm_leaf_class(const wm_examples *leaf, size_t t, uint32_t row);

/* Whether all of target t was read: only of examples that are to be predicted it may not be so. */
bool wm_leaf_known(const wm_examples *leaf, size_t t, size_t row);

#endif
