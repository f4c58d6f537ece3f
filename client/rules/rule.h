/* client/rules/rule.h
 *
 * How readings divide among owners (data.owner). A rule either finds an owner for every row, as in a real city
 * (column, file, none), or deals examples among made-up clients, as papers do with sets that have no owners (iid,
 * shards, dirichlet).
 *
 * Adding one: a file here, one line in rules.c. */
#ifndef WM_CLIENT_RULES_RULE_H
#define WM_CLIENT_RULES_RULE_H

#include "client/readings.h"
#include "common/config/family.h"
#include "common/rng.h"

typedef struct wm_owner_ops {
    wm_member member; /* first: see family.h */

    /* Rules that find owners: fills column, by_file and file_part. NULL for those that deal. */
    void (*find)(const void *options, wm_ownership *ownership);

    /* Rules that deal: how many clients the options ask for, and whether the target must be a class. */
    int64_t (*clients)(const void *options);
    bool needs_classes;

    /* to[i] <- the client, below `clients`, of each of the n training examples; classes[n] (NULL if not needed) are
     * below n_classes. WM_E_INVALID: there are too few examples for so many clients; WM_E_NOMEM. */
    wm_status (*deal)(const void *options, const int32_t *classes, size_t n_classes, size_t n, size_t clients,
                      wm_rng *rng, uint32_t *to, wm_error *err);
} wm_owner_ops;

enum { WM_DEALT_CLIENTS_MAX = 100000 };

/* Equal shares at random: sizes differ by one at most. Also deals what is held out, whatever the rule. */
wm_status wm_deal_evenly(size_t n, size_t clients, wm_rng *rng, uint32_t *to, wm_error *err);

#endif
