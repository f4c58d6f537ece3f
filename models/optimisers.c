/* models/optimisers.c: the registry of optimisers. */
#include "models/model.h"
#include "models/optimiser.h"

extern const wm_optimiser_ops wm_optimiser_adagrad, wm_optimiser_adam, wm_optimiser_adamw, wm_optimiser_rmsprop,
    wm_optimiser_sgd;

static const wm_member *const members[] = {
    &wm_optimiser_adagrad.member, &wm_optimiser_adam.member, &wm_optimiser_adamw.member,
    &wm_optimiser_rmsprop.member, &wm_optimiser_sgd.member,
};

const wm_family wm_optimisers = {
    .name = "optimiser",
    .members = members,
    .n_members = sizeof members / sizeof *members,
};
