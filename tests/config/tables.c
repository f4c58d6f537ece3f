/* tests/config/tables.c
 *
 * Every table and family that files are read by; the order is of no matter. */
#include "client/config.h"
#include "client/owners.h"
#include "common/job/tables.h"
#include "common/strategies/strategy.h"
#include "models/model.h"
#include "server/config.h"
#include "server/selection/selection.h"
#include "tests/config/reference.h"

const reference_root reference_roots[] = {
    { .id = "client.yaml", .sections_apart = true, .table = &wm_client_table },
    { .id = "initialisers", .family = &wm_initialisers },
    { .id = "job", .sections_apart = true, .table = &wm_job_table },
    { .id = "job.data.columns.NAME", .table = &wm_job_column_table },
    { .id = "job.data.examples", .table = &wm_job_examples_table },
    { .id = "job.data.inputs.NAME", .table = &wm_job_input_table },
    { .id = "job.data.split", .family = &wm_job_splits },
    { .id = "job.data.targets.NAME", .table = &wm_job_target_table },
    { .id = "job.model.layers", .table = &wm_job_layer_table },
    { .id = "job.model.start", .table = &wm_job_start_table },
    { .id = "job.model.losses.NAME", .table = &wm_job_loss_table },
    { .id = "layers", .family = &wm_layers },
    { .id = "losses", .family = &wm_losses },
    { .id = "metrics", .family = &wm_metrics },
    { .id = "optimisers", .family = &wm_optimisers },
    { .id = "owners", .family = &wm_owner_rules },
    { .id = "schedules", .family = &wm_schedules },
    { .id = "selections", .family = &wm_selections },
    { .id = "server.yaml", .sections_apart = true, .table = &wm_server_table },
    { .id = "sources", .family = &wm_sources },
    { .id = "strategies", .family = &wm_strategies },
};

const size_t reference_n_roots = sizeof reference_roots / sizeof *reference_roots;
