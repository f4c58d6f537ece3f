/* client/examples_struct.h
 *
 * The examples' insides, shared by the files that gather (examples.c) and that scale (scale.c). Nobody else includes
 * this. */
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

#endif
