/* models/losses.c: the registry of losses. */
#include "models/loss.h"
#include "models/model.h"

extern const wm_loss_ops wm_loss_cross_entropy, wm_loss_mse;

static const wm_member *const members[] = {
    &wm_loss_cross_entropy.member,
    &wm_loss_mse.member,
};

const wm_family wm_losses = { .name = "loss", .members = members, .n_members = sizeof members / sizeof *members };
