/* server/selection/selection.c: the registry. */
#include "server/selection/selection.h"

extern const wm_selection_ops wm_selection_all, wm_selection_uniform;

static const wm_member *const members[] = {
    &wm_selection_all.member,
    &wm_selection_uniform.member,
};

const wm_family wm_selections = {
    .name = "selection",
    .members = members,
    .n_members = sizeof members / sizeof *members,
};
