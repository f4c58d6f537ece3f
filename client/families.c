/* client/families.c */
#include "client/families.h"

#include "client/owners.h"
#include "common/strategies/strategy.h"
#include "models/model.h"

const wm_job_families wm_client_families = {
    .sources = &wm_sources,
    .owners = &wm_owner_rules,
    .layers = &wm_layers,
    .initialisers = &wm_initialisers,
    .losses = &wm_losses,
    .optimisers = &wm_optimisers,
    .schedules = &wm_schedules,
    .metrics = &wm_metrics,
    .strategies = &wm_strategies,
};
