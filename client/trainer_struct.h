/* client/trainer_struct.h
 *
 * The trainer's insides, shared by the files that train (trainer.c) and evaluate (evaluate.c). Nobody else includes
 * this. */
#ifndef WM_CLIENT_TRAINER_STRUCT_H
#define WM_CLIENT_TRAINER_STRUCT_H

#include "client/trainer.h"
#include "models/plan.h"

enum {
    /* Examples in a forward-only batch: large enough that the products are efficient, small enough that a network of
     * thousands of units stays in the cache. */
    WM_EVALUATE_BATCH = 200, /* at most */
};

struct wm_trainer {
    const wm_job          *job;
    const wm_model        *model;
    const wm_strategy_ops *strategy;
    wm_update_spec         spec; /* of a training update */
    size_t                 n_params;
    bool                   saves_memory;
    wm_plan               *train, *evaluate;
    size_t                 evaluate_batch;
    wm_batch_room         *room;   /* of the larger of both batches */
    float                 *params; /* [n_whole]: the copy that is trained, and what wm_trainer_join joins */
    uint32_t              *order;  /* [order_room]: the examples of an epoch */
    size_t                 order_room;
    wm_measures            measures;
    float                 *values, *truths; /* [WM_EVALUATE_BATCH][width_max]: in the data's units */
    float                 *quantiles;       /* [WM_EVALUATE_BATCH][head's width]: the same of a head of quantiles */
    double                *yardsticks;      /* [WM_EVALUATE_BATCH] */
    double                *scores;          /* [WM_EVALUATE_BATCH]: losses of a detector's target */
    wm_normality          *labels;          /* [WM_EVALUATE_BATCH] */
};

/* What the plan was needed for is done. */
static inline void wm_trainer_rest(const wm_trainer *self, wm_plan *plan)
{
    if (self->saves_memory)
        wm_plan_rest(plan);
}

/* Where the buffers stand in a whole. */
static inline size_t wm_trainer_buffers_at(const wm_trainer *self)
{
    return wm_model_n_whole(self->model) - wm_model_n_buffer_values(self->model);
}

/* Whether the caller, who may have given NULL, wants no more of it. */
static inline bool wm_trainer_is_stopped(const atomic_bool *stop)
{
    return stop != NULL && atomic_load_explicit(stop, memory_order_relaxed);
}

#endif
