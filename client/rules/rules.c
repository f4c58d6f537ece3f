/* client/rules/rules.c: the registry of data.owner. */
#include "client/owners.h"

#include "client/rules/rule.h"

extern const wm_owner_ops wm_owner_column, wm_owner_file, wm_owner_groups, wm_owner_month, wm_owner_none,
    wm_owner_iid, wm_owner_shards, wm_owner_dirichlet;

static const wm_member *const members[] = {
    &wm_owner_column.member, &wm_owner_dirichlet.member, &wm_owner_file.member, &wm_owner_groups.member,
    &wm_owner_iid.member,    &wm_owner_month.member,     &wm_owner_none.member, &wm_owner_shards.member,
};

const wm_family wm_owner_rules = { "owner", members, sizeof members / sizeof *members };
