/* models/initialisers.c: the registry of initialisers. */
#include "models/initialiser.h"
#include "models/model.h"

extern const wm_initialiser_ops wm_initialiser_constant, wm_initialiser_kaiming_normal,
    wm_initialiser_kaiming_uniform, wm_initialiser_normal, wm_initialiser_ones, wm_initialiser_orthogonal,
    wm_initialiser_uniform, wm_initialiser_xavier_normal, wm_initialiser_xavier_uniform, wm_initialiser_zeros;

static const wm_member *const members[] = {
    &wm_initialiser_constant.member, &wm_initialiser_kaiming_normal.member, &wm_initialiser_kaiming_uniform.member,
    &wm_initialiser_normal.member,   &wm_initialiser_ones.member,           &wm_initialiser_orthogonal.member,
    &wm_initialiser_uniform.member,  &wm_initialiser_xavier_normal.member,  &wm_initialiser_xavier_uniform.member,
    &wm_initialiser_zeros.member,
};

const wm_family wm_initialisers = {
    .name = "initialiser",
    .members = members,
    .n_members = sizeof members / sizeof *members,
};
