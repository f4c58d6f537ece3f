/* models/losses.c: the registry of losses. */
#include "models/loss.h"
#include "models/model.h"

extern const wm_loss_ops wm_loss_binary_cross_entropy, wm_loss_cross_entropy, wm_loss_hinge, wm_loss_huber,
    wm_loss_mae, wm_loss_mse, wm_loss_pinball, wm_loss_reconstruction;

static const wm_member *const members[] = {
    &wm_loss_binary_cross_entropy.member,
    &wm_loss_cross_entropy.member,
    &wm_loss_hinge.member,
    &wm_loss_huber.member,
    &wm_loss_mae.member,
    &wm_loss_mse.member,
    &wm_loss_pinball.member,
    &wm_loss_reconstruction.member,
};

const wm_family wm_losses = { .name = "loss", .members = members, .n_members = sizeof members / sizeof *members };
